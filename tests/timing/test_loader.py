"""Measurements from files: every row is checked, and what is wrong is named."""

import json
import math

import pandas as pd
import pytest
from made_up import problem_of
from sidebyside.timing import NoTimings, WrongRuns, load_campaigns, loader
from sidebyside.timing import format as layout

ORDER = [
    {"block": 0, "seed": 11, "arms": ["r", "python"]},
    {"block": 1, "seed": 22, "arms": ["python", "r"]},
]
LOSSES = {11: "0.5;nan", 22: "0.1;0.30000000000000004"}
ROW = (
    "{name},{run},{block},{position},{arm},cpu,{seed},2,ok,0,"
    "2026-11-22T09:30:0{position}.250Z,10.{measured},0.25,2.0,0.5,0.125,7.0,"
    "4.0;3.0,{loss},,,,12.0,800.0,0.1,,"
)


def rows(name="one"):
    """A campaign of two blocks, as fields; no two campaigns measure the same."""
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


# --- what is right


def test_a_campaign_is_read_with_its_types(tmp_path):
    table = load_campaigns(write(tmp_path / "one", rows()))
    assert list(table.columns) == [*layout.COLUMNS, "work", "machine"]
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
    assert place.end == pd.Timestamp("2026-11-22T09:30:12.572Z")


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


def test_a_campaign_without_runs_is_an_empty_table(tmp_path):
    table = load_campaigns(write(tmp_path / "one", []))
    assert len(table) == 0
    assert list(table.columns) == [*layout.COLUMNS, "work", "machine"]


def test_the_table_of_another_system_or_version_is_read(tmp_path):
    """Windows' line ends, Excel's mark; a column that lacks, and one that is new."""
    folder = write(tmp_path / "one", rows(), columns=(*layout.REQUIRED, "new"))
    path = folder / layout.RUNS
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    table = load_campaigns(folder)
    assert table["message"].tolist() == [""] * 4
    assert table["clock_drift_seconds"].isna().all()
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


@pytest.mark.parametrize(("end", "left"), [("", 3), ("\n\0\0\0", 4)])
def test_a_line_that_was_cut_off_is_left_out_and_told(tmp_path, end, left):
    folder = write(tmp_path / "one", rows(), end=end)
    with pytest.warns(layout.CutOff, match="incomplete"):
        assert len(load_campaigns(folder)) == left


def test_the_sum_of_the_stages_may_differ_by_what_clocks_drift(tmp_path):
    written = rows()
    written[3]["process_seconds"] = "9.81"  # the sum is 9.875
    assert len(load_campaigns(write(tmp_path / "one", written))) == 4


# --- what is wrong


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
        # Python's float() takes all of these.
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
def test_a_line_that_is_no_row(tmp_path, line):
    path = write(tmp_path / "one", rows()) / layout.RUNS
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:2], line, *lines[2:]]) + "\n")
    assert problem_of(path.parent).line == 3


def test_a_place_is_run_once(tmp_path):
    written = rows()
    written.append({**written[3], "run": "5"})
    problem = problem_of(write(tmp_path / "one", written))
    assert (problem.line, problem.column) == (6, "position")


@pytest.mark.parametrize("header", ["a,b\n", "\n", ""])
def test_a_file_that_is_none_of_ours(tmp_path, header):
    folder = write(tmp_path / "one", rows())
    (folder / layout.RUNS).write_text(header)
    assert problem_of(folder).line == 1


def test_the_columns_are_all_there_and_once(tmp_path):
    columns = [x for x in layout.COLUMNS if x != "seed"]
    assert problem_of(write(tmp_path / "one", rows(), columns=columns)).line == 1
    columns = (*layout.COLUMNS, "run")
    assert problem_of(write(tmp_path / "one", rows(), columns=columns)).line == 1


@pytest.mark.parametrize(("name", "same"), [("one", "campaign"), ("two", "")])
def test_the_same_campaign_twice_is_refused(tmp_path, name, same):
    write(tmp_path / "a", rows())
    copy = [x | {"campaign": name} for x in rows()]
    write(tmp_path / "b", copy)
    problem = problem_of(tmp_path)
    assert (problem.column, problem.file.parent.name) == (same, "b")
    assert f"{tmp_path / 'a'} too" in problem.what


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
def test_who_measured_beside_whom(boots, times, beside):
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
    assert names() == ["reference-cpu"]  # mine is not finished
    (own / "mine" / layout.END).write_text('{"complete": true}')
    assert names() == ["mine"]
    write(project / "contributed-x", rows("contributed-x"))
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
