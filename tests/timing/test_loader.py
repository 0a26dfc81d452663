"""Measurements from files: every row is checked, and errors are named."""

import json
import math
import os

import pandas as pd
import pytest
from made_up import made_up_campaign, problem_of, write_campaign
from sidebyside.timing import (
    NoTimings,
    WrongRuns,
    collect,
    contribute,
    describe_machines,
    hand_in,
    load_campaigns,
    loader,
    reading,
    report,
    resume_campaign,
)
from sidebyside.timing import format as layout
from sidebyside.timing.__main__ import main

ORDER = [
    {"block": 0, "seed": 11, "arms": ["r", "python"]},
    {"block": 1, "seed": 22, "arms": ["python", "r"]},
]
ADDED = ("work", "machine", "planned", "ended")
LOSSES = {11: "0.5;nan", 22: "0.1;0.30000000000000004"}
ROW = (
    "{name},{run},{block},{position},{arm},cpu,{seed},2,ok,0,"
    "2026-11-22T09:30:0{run}.250Z,10.{measured},0.25,2.0,0.5,0.125,7.0,"
    "4.0;3.0,{loss},,,,12.0,800.0,0.1,,,,,5,1.5,,,,,,,tensorflow"
)


def rows(name="one"):
    """Return a campaign of two blocks, as fields; each has different times."""
    places = [(x, p, arm) for x in ORDER for p, arm in enumerate(x["arms"], 1)]
    lines = [
        ROW.format(
            name=name,
            run=run,
            block=block["block"],
            position=position,
            arm=arm,
            seed=block["seed"],
            loss=LOSSES[block["seed"]],
            measured=sum(name.encode()),
        )
        for run, (block, position, arm) in enumerate(places, 1)
    ]
    return [dict(zip(layout.COLUMNS, x.split(","), strict=True)) for x in lines]


def write(folder, rows, *, columns=layout.COLUMNS, end="\n", plan=None, machine="m1"):
    folder.mkdir(parents=True, exist_ok=True)
    lines = [",".join(columns)]
    lines += [",".join(row.get(name, "") for name in columns) for row in rows]
    (folder / layout.RUNS).write_text("\n".join(lines) + end, encoding="utf-8")
    content = {
        "campaign": rows[0]["campaign"] if rows else "one",
        "device": "cpu",
        "arms": ["python", "r"],
        "epochs": 2,
        "order": ORDER,
    }
    (folder / layout.PLAN).write_text(json.dumps(content | (plan or {})))
    (folder / layout.MACHINE).write_text(json.dumps({"id": machine}))
    return folder


# --- correct files


def test_a_campaign_is_read_with_its_types(tmp_path):
    table = load_campaigns(write(tmp_path / "one", rows()))
    assert list(table.columns) == [*layout.COLUMNS, *ADDED]
    assert table["run"].tolist() == [1, 2, 3, 4]
    assert table["epoch_seconds"].tolist() == [(4.0, 3.0)] * 4
    assert table["loss"][2] == (0.1, 0.30000000000000004)
    assert math.isnan(table["loss"][0][1])
    assert table["accuracy"][0] == ()
    assert table["fit_seconds"].dtype == float
    assert table["exit_code"].dtype == "Int64"
    assert table["started"][0] == pd.Timestamp("2026-11-22T09:30:01.250Z")
    assert table["machine"].tolist() == ["m1"] * 4
    assert table["work"].tolist() == ["2 epochs"] * 4
    assert table.attrs["folders"] == {"one": str(tmp_path / "one")}
    place = loader.read_campaign(tmp_path / "one").attrs["place"]
    assert place.start == table["started"].min()
    assert place.end == pd.Timestamp("2026-11-22T09:30:14.572Z")


def test_several_campaigns_become_one_table(tmp_path):
    one, two = write(tmp_path / "one", rows()), tmp_path / "two"
    hashes = {"r": "0123456789", "python": "abcdefgh"}
    write(two, rows("two"), machine="m2", plan={"programs": hashes})
    data = "Fruits: painted by us, from /home/me/x: 16 classes; so"
    (two / layout.MACHINE).write_text(json.dumps({"id": "m2", "data": data}))
    table = load_campaigns(tmp_path)
    assert table["campaign"].tolist() == ["one"] * 4 + ["two"] * 4
    assert table["work"].unique().tolist() == [
        "2 epochs",
        "2 epochs; Fruits: painted: 16 classes, so; programs abcdef/012345",
    ]
    for column in ("campaign", "machine", "work", "arm", "state"):
        assert isinstance(table[column].dtype, pd.CategoricalDtype), column
    pd.testing.assert_frame_equal(table, load_campaigns(one, two))


@pytest.mark.parametrize(
    ("said", "work"),
    [
        ("MNIST: trying Keras's download\nMNIST from Keras's download", "; MNIST"),
        ("MNIST from Keras's cache", "; MNIST"),
        ("Stories from a program: 3", "; Stories from a program: 3"),
        ("", ""),
    ],
)
def test_the_source_of_the_same_data_is_no_other_work(tmp_path, said, work):
    folder = write(tmp_path / "one", rows())
    (folder / layout.MACHINE).write_text(json.dumps({"id": "m1", "data": said}))
    assert set(load_campaigns(folder)["work"]) == {"2 epochs" + work}


def test_a_campaign_without_runs_is_an_empty_table(tmp_path):
    table = load_campaigns(write(tmp_path / "one", []))
    assert len(table) == 0
    assert list(table.columns) == [*layout.COLUMNS, *ADDED]


def test_the_table_of_another_system_or_version_is_read(tmp_path):
    """Line ends of Windows, Excel's mark, a missing column, and a new one."""
    folder = write(tmp_path / "one", rows(), columns=(*layout.REQUIRED, "new"))
    path = folder / layout.RUNS
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    table = load_campaigns(folder)
    assert table["message"].tolist() == [""] * 4
    assert table["clock_drift_seconds"].isna().all()
    for column in ("batch_size", "batches", "array_mb", "gpu_others", "gpu_mhz_after"):
        assert table[column].isna().all()
    for column in ("network", "backend", "gpu", "gpu_state_before"):
        assert table[column].tolist() == [""] * 4
    assert "new" not in table


def test_messages_may_have_commas_and_quotes(tmp_path):
    written = rows()
    written[1]["message"] = '"it said ""no"", twice"'
    table = load_campaigns(write(tmp_path / "one", written))
    assert table["message"][1] == 'it said "no", twice'


def test_an_interrupted_place_may_be_run_again_and_lacks_its_numbers(tmp_path):
    written = rows()
    lost = written[3] | {"state": "interrupted"}
    missing = (*layout.STAGE_COLUMNS, *layout.EPOCH_COLUMNS, "exit_code")
    written.insert(3, lost | dict.fromkeys(missing, ""))
    written[4]["run"] = "5"
    table = load_campaigns(write(tmp_path / "one", written))
    assert table["position"].tolist() == [1, 2, 1, 2, 2]
    assert pd.isna(table["exit_code"][3])
    assert table["fit_seconds"].isna().tolist() == [False] * 3 + [True, False]


@pytest.mark.parametrize(
    ("end", "left"),
    [
        # Complete except for its line end, and followed only by blank lines.
        *((x, 4) for x in ("", "\r", "\n\n", "\r\n \r\n", "\n  ", "\n\t\n")),
        *((x, 3) for x in (slice(-1), slice(-9), slice(-100))),
        *((x, 4) for x in ("\n\0\0\0", "\none,5", '\n"', "\n\xc3")),
    ],
)
@pytest.mark.parametrize("columns", [layout.COLUMNS, layout.REQUIRED])
def test_the_last_line_counts_if_it_is_whole(tmp_path, end, left, columns, recwarn):
    folder = write(tmp_path / "one", rows(), columns=columns, end="")
    path = folder / layout.RUNS
    data = path.read_bytes()
    data = data[end] if isinstance(end, slice) else data + end.encode("latin-1")
    path.write_bytes(data)
    table = load_campaigns(folder)
    cut_off = left == 3 or len(end.strip()) > 0
    assert len(table) == left
    # No run is missing if all runs of the plan are there.
    assert set(table["ended"]) == {"cut off" if left == 3 else "unfinished"}
    assert [x.category for x in recwarn] == [loader.CutOff] * cut_off
    reading.repair(folder)
    assert len(load_campaigns(folder)) == left
    assert path.read_bytes().count(b"\n") == left + 1


def test_the_sum_of_the_stages_may_differ_by_what_clocks_drift(tmp_path):
    written = rows()
    written[3]["process_seconds"] = "9.81"  # the sum is 9.875
    written[2] |= {"epoch_seconds": "4.0;3.06"}  # fit is 7
    assert len(load_campaigns(write(tmp_path / "one", written))) == 4


@pytest.mark.parametrize("column", ["fit_seconds", "process_seconds"])
def test_a_run_with_a_stopped_clock_can_be_read(tmp_path, column):
    written = rows()
    written[3][column] = "0.0"
    assert (load_campaigns(write(tmp_path / "one", written))[column] == 0).sum() == 1


# --- wrong files


@pytest.mark.parametrize(
    ("column", "value", "blamed"),
    [
        ("campaign", "other", "campaign"),
        *(("run", x, "run") for x in ("1", "3", "3.5", "0", "", "x")),
        *(("block", x, "position") for x in ("7", "2")),
        ("position", "3", "position"),
        ("position", "1", "arm"),
        *(("arm", x, "arm") for x in ("julia", "python", "rpy2")),
        *(("device", x, "device") for x in ("gpu", "tpu")),
        *(("seed", x, "seed") for x in ("23", "-1", "")),
        *(("epochs", x, "epochs") for x in ("3", "2.5", "0")),
        *(("network", x, "network") for x in ("lstm", "\x1b")),
        *(("backend", x, "backend") for x in ("jax", "theano")),
        *(("batch_size", x, "batch_size") for x in ("32", "0", "1.5", "x")),
        *(("batches", x, "batches") for x in ("0", "2.5", "-1")),
        *(("array_mb", x, "array_mb") for x in ("-1", "x", "inf")),
        *(("gpu_others", x, "gpu_others") for x in ("-1", "0.5", "x")),
        *(("gpu_mhz_after", x, "gpu_mhz_after") for x in ("-1", "P0")),
        *(("gpu_state_before", x, "gpu_state_before") for x in ("P16", "0")),
        *(("state", x, "state") for x in ("fine", "wrong-loss", "")),
        *(("exit_code", x, "exit_code") for x in ("x", "1", "0.5", "256", "")),
        *(("started", x, "started") for x in ("22.11.2026", "", "now")),
        ("started", "2026-13-22T09:30:00Z", "started"),
        ("started", "2026-11-22T09:30:00+02:00", "started"),
        *(("process_seconds", x, "process_seconds") for x in ("-1", "9.80", "1e7")),
        *(("fit_seconds", x, "fit_seconds") for x in ("inf", "nan", "", "1e")),
        ("fit_seconds", "7,5", ""),
        *(("epoch_seconds", x, "epoch_seconds") for x in ("4.0", "4.0;-3.0", "1;2;3")),
        *(("epoch_seconds", x, "epoch_seconds") for x in ("4.0;nan", ";")),
        *(("loss", x, "loss") for x in ("", "0.1;x")),
        ("loss", "0.1;0.3", "state"),
        ("val_loss", "0.1;0.3", "state"),
        *(("accuracy", x, "accuracy") for x in ("0.5;1.01", "0.5")),
        ("val_accuracy", "-0.1;1", "val_accuracy"),
        # Less than the sum of the epochs, or than a clock's resolution.
        *(("fit_seconds", x, "fit_seconds") for x in ("6.93", "1e-300")),
        *((x, "1e-7", x) for x in ("start_seconds", "cpu_seconds")),
        # The digits of other scripts.
        *((x, "\uff11", x) for x in ("run", "seed", "loss", "load_before")),
        ("started", "202\uff16-11-22T09:30:02Z", "started"),
        ("epoch_seconds", "4.0;\u0663.0", "epoch_seconds"),
        # Python's float() accepts all of these.
        *(("fit_seconds", x, "fit_seconds") for x in ("1_0", " 8", "\u0661", "+inf")),
        *((x, "1_0", x) for x in ("run", "exit_code", "loss", "cpu_seconds")),
        ("loss", "infinity;1", "loss"),
        ("message", '"', ""),
    ],
)
def test_line_and_column_are_named(tmp_path, column, value, blamed):
    written = rows()
    written[3][column] = value
    folder = write(tmp_path / "one", written)
    problem = problem_of(folder)
    assert problem.file == folder / layout.RUNS
    assert (problem.line, problem.column) == (5, blamed)
    assert repr(value) in problem.what or blamed in ("", "state", "position", "arm")


def test_every_row_is_counted_and_the_first_are_listed(tmp_path):
    written = [x | {"seed": "x"} for x in rows() * 3]
    with pytest.raises(WrongRuns) as caught:
        load_campaigns(write(tmp_path / "one", written))
    assert [x.line for x in caught.value.problems] == [*range(2, 14)]
    assert str(caught.value).count("\n") == 10
    assert str(caught.value).endswith("... and 2 more")


@pytest.mark.parametrize("line", ["", "a,b", "x" * 200, "," * 200])
def test_a_line_that_is_not_a_row_is_named(tmp_path, line):
    path = write(tmp_path / "one", rows()) / layout.RUNS
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:2], line, *lines[2:]]) + "\n")
    assert problem_of(path.parent).line == 3


def test_a_place_that_was_run_twice_is_refused(tmp_path):
    written = rows()
    written.append({**written[3], "run": "5"})
    problem = problem_of(write(tmp_path / "one", written))
    assert (problem.line, problem.column) == (6, "position")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x: "a,b\n", "line 1: found 'a,b', expected campaign,run"),
        *((lambda x, y=y: y, "is empty") for y in ("", " \n", "\0" * 9)),
        *(
            (lambda x, y=y: x.encode(y), "UTF-16, expected UTF-8")
            for y in ("utf-16", "utf-16-le", "utf-16-be")
        ),
        (lambda x: x.replace("\n", "\r"), "line 1: the line ends with CR, expected LF"),
        (lambda x: x.replace("\n", "\r", 3).replace("\r", "\n", 2), "line 3: .* CR"),
        (
            lambda x: x.replace("tensorflow", "\xe4", 1).encode("latin-1"),
            "line 2: .*0xe4",
        ),
        (
            lambda x: x.replace(",", "\t"),
            r"separated by '\\t', expected ','.*spreadsheet",
        ),
        (lambda x: x.replace(",", ";"), "separated by ';', expected ','.*spreadsheet"),
        (
            lambda x: x.replace("arm", "run", 1),
            "the column 'run' twice, expected it once",
        ),
        (lambda x: x.replace("message", "message,new,new"), "the column 'new' twice"),
        (
            lambda x: x.replace("seed,", "", 1),
            "line 1: found .*, expected campaign,run",
        ),
        (lambda x: x.replace(",7.0,", ",'7,0',"), "line 2: found .*expected 38 fields"),
        (lambda x: x.replace(",7.0,", ',"7,0",'), "found '7,0', expected a number"),
    ],
)
def test_a_file_that_another_program_wrote(tmp_path, change, words):
    path = write(tmp_path / "one", rows()) / layout.RUNS
    changed = change(path.read_text())
    path.write_bytes(changed.encode() if isinstance(changed, str) else changed)
    with pytest.raises(WrongRuns, match=f"{layout.RUNS}.*{words}") as caught:
        load_campaigns(path.parent)
    assert "resume" not in str(caught.value)


def test_a_file_that_was_only_read_by_another_program(tmp_path):
    path = write(tmp_path / "one", rows()) / layout.RUNS
    as_it_is = load_campaigns(path.parent)
    lines = path.read_text().splitlines()
    quoted = ",".join(f'"{x}"' for x in lines[0].split(","))
    text = "\r\n".join([quoted, *lines[1:3]]) + "\n" + "\n".join(lines[3:]) + "\r\n\r\n"
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    pd.testing.assert_frame_equal(load_campaigns(path.parent), as_it_is)


# --- copies


@pytest.mark.parametrize(
    ("change", "shared"),
    [
        (lambda x: x, 12),
        (lambda x: x[x["block"] < 2], 6),
        (lambda x: x[x["arm"] != "python-again"], 8),
        (lambda x: x[x["run"] == 5], 1),
        (lambda x: x.assign(state="wrong-loss", fit_seconds=9.0, machine="m"), 12),
        (lambda x: x.iloc[::-1].assign(run=range(12)), 12),
        # By another program, in another form or with fewer digits.
        (lambda x: x.assign(started=pd.to_datetime(x["started"])), 12),
        (lambda x: x.assign(started=pd.to_datetime(x["started"]).astype(str)), 12),
        (lambda x: x.assign(started=x["started"].str[:-1] + "+00:00"), 12),
        (lambda x: x.assign(process_seconds=x["process_seconds"].round(9)), 12),
        (lambda x: x.convert_dtypes(), 12),
        (lambda x: x.assign(process_seconds=x["process_seconds"] + 2e-6), 0),
        (lambda x: x.assign(process_seconds=float("nan")), 0),
        (lambda x: x.assign(started="2026-11-23T06:00:00Z"), 0),
        (lambda x: x.drop(columns="started"), 0),
    ],
)
def test_campaigns_that_share_runs_are_copies(change, shared):
    runs = made_up_campaign(arms=("python", "r", "python-again"), blocks=3)
    both = [runs, change(runs).assign(campaign="copy")]
    found = loader.shared_runs(pd.concat(both, join="inner"))
    assert found == ({("made-up", "copy"): shared} if shared else {})


@pytest.mark.parametrize(("name", "same"), [("one", "campaign"), ("two", "")])
@pytest.mark.parametrize("left_out", [0, 1, 3])
def test_the_same_campaign_twice_is_refused(tmp_path, name, same, left_out):
    write(tmp_path / "a", rows())
    copy = [x | {"campaign": name} for x in rows()]
    write(tmp_path / "b", copy[: 4 - left_out])
    problem = problem_of(tmp_path)
    assert (problem.column, problem.file.parent.name) == (same, "b")
    assert f"{tmp_path / 'a'}" in problem.what
    assert same or problem.what.startswith(f"{4 - left_out} of these runs")


# --- how a campaign ended


PRECISE = {"precision": {"half_width": 0.02, "quantity": "q", "least_blocks": 10}}
RULE = {"half_width": 0.02, "quantity": "q", "least_blocks": 6, "more_blocks": 4}
NEW = {"precision": RULE}


@pytest.mark.parametrize(
    ("blocks", "plan", "end", "ended"),
    [
        (12, {}, True, "planned"),
        (12, PRECISE, True, "planned"),
        (4, {}, None, "unfinished"),
        (4, {}, False, "unfinished"),
        (12, {}, None, "unfinished"),
        # Rows are missing, whatever its end says.
        (4, {}, True, "unfinished"),
        (9, PRECISE, True, "unfinished"),
        (10, PRECISE, None, "unfinished"),
        (10, PRECISE, True, "early precision"),
        (10, NEW, True, "early precision"),
        (9, NEW, True, "unfinished"),
        (9, PRECISE | {"budget_minutes": 5}, True, "budget"),
        (10, PRECISE | {"budget_minutes": 5}, True, "early precision"),
        (4, {"budget_minutes": 5}, True, "budget"),
        (4, {"budget_minutes": 5}, None, "unfinished"),
    ],
)
def test_how_a_campaign_ended(tmp_path, blocks, plan, end, ended):
    runs = made_up_campaign(blocks=12, arms=("python", "r"), sd=0.001)
    folder = write_campaign(runs, tmp_path / "room" / "made-up")
    planned = json.loads((folder / layout.PLAN).read_text())
    (folder / layout.PLAN).write_text(json.dumps(planned | plan))
    lines = (folder / layout.RUNS).read_text().splitlines()[: 1 + 2 * (blocks + 1)]
    (folder / layout.RUNS).write_text("\n".join(lines) + "\n")
    (folder / layout.END).unlink()
    if end is not None:
        (folder / layout.END).write_text(json.dumps({"complete": end}))
    table = load_campaigns(folder)
    assert (set(table["ended"]), set(table["planned"])) == ({ended}, {12})
    collected = collect(folder.parent, also=()).found[0]
    told = [report.status_text(folder.parent), report.show_text(folder), collected.what]
    most = "at most " if "precision" in plan else ""
    for text in told:
        words = f"unfinished: {blocks} of {most}12 blocks"
        assert (words in text) is (ended == "unfinished"), text
    assert collected.state == ("unfinished" if ended == "unfinished" else "ok")


@pytest.mark.parametrize(
    ("boots", "times", "beside"),
    [
        (("x", "x"), (0, 3, 2, 4), True),
        (("", "x"), (2, 4, 0, 3), True),
        (("x", "x"), (0, 2, 2, 4), False),
        # Computers that were set up from one copy of a disk.
        (("x", "y"), (0, 3, 2, 4), False),
    ],
)
def test_campaigns_at_the_same_time_are_found(boots, times, beside):
    one = loader.Seen("m", boots[0], *times[:2])
    assert one.overlaps(loader.Seen("m", boots[1], *times[2:])) is beside


# --- where they are looked for


@pytest.fixture
def places(tmp_path, monkeypatch):
    """The reader's data folder and the project's, both empty."""
    monkeypatch.delenv(loader.ENVIRONMENT, raising=False)
    monkeypatch.setenv("SIDEBYSIDE_DATA", str(tmp_path / "own"))
    project = tmp_path / "project"
    monkeypatch.setattr(loader, "project_directory", lambda: project)
    return tmp_path / "own" / "timings", project / "data" / "timings"


def names():
    return list(load_campaigns().attrs["folders"])


def test_the_readers_own_finished_campaigns_come_first(places):
    own, project = places
    with pytest.raises(NoTimings, match="make timings"):
        load_campaigns()
    write(project / "reference-cpu", rows("reference-cpu"))
    assert names() == ["reference-cpu"]
    write(own / "mine", rows("mine"))
    assert names() == ["reference-cpu"]  # "mine" is not finished
    (own / "mine" / layout.END).write_text('{"complete": true}')
    assert names() == ["mine"]
    write(project / "contributed-x", rows("contributed-x"))
    assert names() == ["mine", "contributed-x"]
    # A contributed campaign is not counted twice.
    copy = [x | {"campaign": "contributed-mine"} for x in rows("mine")[:3]]
    write(project / "contributed-mine", copy)
    assert names() == ["mine", "contributed-x"]


def test_the_environment_names_folders(places, tmp_path, monkeypatch):
    write(tmp_path / "x" / "one", rows())
    two = write(tmp_path / "y" / "two", rows("two"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv(loader.ENVIRONMENT, f"~/x/one:{two.parent}")
    assert names() == ["one", "two"]
    monkeypatch.setenv(loader.ENVIRONMENT, str(tmp_path / "nowhere"))
    with pytest.raises(NoTimings, match="not there"):
        load_campaigns()


# --- paths that are not campaigns


@pytest.fixture
def odd(tmp_path, monkeypatch):
    """A folder with one campaign, and with many things that are not campaigns."""
    monkeypatch.chdir(tmp_path)
    folder = write_campaign(made_up_campaign(blocks=2), tmp_path / "good")
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "x.tar.gz").write_bytes(b"x")
    (tmp_path / "both").mkdir()
    for name in (layout.PLAN, layout.MACHINE):
        (tmp_path / "both" / name).write_bytes((folder / name).read_bytes())
    (tmp_path / "both" / layout.RUNS).mkdir()
    return tmp_path


ODD = [
    *((x, "expected the path of a folder") for x in (1, 1.5, True, ["good"], b"good")),
    *(
        (x, "expected the path of a folder")
        for x in ("", {}, made_up_campaign(blocks=1))
    ),
    *((f"good/{x}", "one file of the campaign .*good") for x in layout.SHARED),
    ("x.tar.gz", "is a file, expected"),
    ("/dev/zero", "is a file, expected"),
    ("empty", "is an empty folder, expected"),
    ("both", "runs.csv: is a folder"),
    *((x, "is a link that leads nowhere, expected") for x in ("link", "loop")),
    *(("x" * 300 + x, "(x|zip) cannot be read") for x in ("", ".zip")),
    *(
        (x, "is not there, expected")
        for x in ("nowhere", "good/runs.csv/x", "~/nowhere")
    ),
    # Names in all scripts, and impossible names.
    *((x, "is not there, expected") for x in ("日本", "🍎", "a\x1b[1m\nb", "\udcff")),
    *(
        (x, "expected the path of a folder")
        for x in ("a\0b", "\ud800", "~no-such-user")
    ),
]


@pytest.mark.parametrize(("given", "words"), ODD)
def test_anything_but_a_campaign_raises_a_clear_error(odd, given, words):
    functions = (load_campaigns, describe_machines, report.show_text)
    for function in (*functions, contribute, hand_in, resume_campaign):
        if str(given) == "both" and function in (describe_machines, resume_campaign):
            continue  # these functions do not read its rows
        with pytest.raises((NoTimings, WrongRuns), match=words) as caught:
            function(given)
        assert str(caught.value).isprintable()
        str(caught.value).encode()
    if isinstance(given, str):
        for name in ("show", "contribute", "hand-in", "collect", "resume"):
            assert main([name, given]) == 1


@pytest.mark.parametrize("function", [load_campaigns, collect])
def test_a_path_in_a_locked_folder_raises_a_clear_error(odd, monkeypatch, function):
    """The tests may run as root, who may read everything."""
    whole = os.listdir

    def listdir(path="."):
        if str(path).endswith("empty"):
            raise PermissionError(13, "Permission denied", str(path))
        return whole(path)

    monkeypatch.setattr(os, "listdir", listdir)
    for given in ("empty", ".")[: 1 + (function is load_campaigns)]:
        with pytest.raises(NoTimings, match=r"empty cannot be read .Permission denied"):
            function(given)
