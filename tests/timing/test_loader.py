"""Measurements from files: every row is checked, and what is wrong is named."""

import json
import math

import pandas as pd
import pytest
from sidebyside.timing import NoTimings, WrongRuns, load_campaigns, loader
from sidebyside.timing import format as layout

ORDER = [
    {"block": 0, "seed": 11, "arms": ["r", "python"]},
    {"block": 1, "seed": 22, "arms": ["python", "r"]},
]
LOSSES = {11: "0.5;nan", 22: "0.1;0.30000000000000004"}


def rows(campaign="one"):
    """A campaign of two blocks, as lists of fields."""
    found = []
    for block in ORDER:
        for position, arm in enumerate(block["arms"], 1):
            row = dict.fromkeys(layout.COLUMNS, "")
            row |= {
                "campaign": campaign,
                "run": str(len(found) + 1),
                "block": str(block["block"]),
                "position": str(position),
                "arm": arm,
                "device": "cpu",
                "seed": str(block["seed"]),
                "epochs": "2",
                "state": "ok",
                "exit_code": "0",
                "started": f"2026-11-22T09:30:0{position}.250Z",
                # No two campaigns measure the same.
                "process_seconds": f"10.{500 + len(campaign) + sum(campaign.encode())}",
                "start_seconds": "0.25",
                "import_seconds": "2.0",
                "data_seconds": "0.5",
                "build_seconds": "0.125",
                "fit_seconds": "7.0",
                "epoch_seconds": "4.0;3.0",
                "loss": LOSSES[block["seed"]],
                "cpu_seconds": "12.0",
                "peak_memory_mb": "800.0",
                "load_before": "0.1",
            }
            found.append(row)
    return found


def write(folder, rows, *, columns=layout.COLUMNS, end="\n", plan=None, machine="m1"):
    folder.mkdir(parents=True, exist_ok=True)
    lines = [",".join(columns)]
    lines += [",".join(row.get(name, "") for name in columns) for row in rows]
    (folder / layout.RUNS).write_text("\n".join(lines) + end, encoding="utf-8")
    name = rows[0]["campaign"] if rows else "one"
    content = {
        "campaign": name,
        "device": "cpu",
        "arms": ["python", "r"],
        "epochs": 2,
        "order": ORDER,
    }
    (folder / layout.PLAN).write_text(json.dumps(content | (plan or {})))
    (folder / layout.MACHINE).write_text(json.dumps({"id": machine}))
    return folder


def problem_of(folder):
    with pytest.raises(WrongRuns) as caught:
        load_campaigns(folder)
    return caught.value.problems[0]


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


def test_several_campaigns_become_one_table(tmp_path):
    write(tmp_path / "one", rows())
    write(tmp_path / "two", rows("two"), machine="m2")
    table = load_campaigns(tmp_path)
    assert len(table) == 8
    assert table["campaign"].tolist() == ["one"] * 4 + ["two"] * 4
    for column in ("campaign", "machine", "work", "arm", "state"):
        assert isinstance(table[column].dtype, pd.CategoricalDtype), column
    pd.testing.assert_frame_equal(
        table, load_campaigns(tmp_path / "one", tmp_path / "two")
    )


def test_what_was_trained_is_told_in_words(tmp_path):
    folder = write(tmp_path / "one", rows(), plan={"programs": {"r": "0123456789"}})
    machine = json.loads((folder / layout.MACHINE).read_text())
    machine["data"] = "Fruits: painted by us, from /home/me/x: 16 classes; so"
    (folder / layout.MACHINE).write_text(json.dumps(machine))
    write(tmp_path / "two", rows("two"))
    assert load_campaigns(tmp_path)["work"].unique().tolist() == [
        "2 epochs; Fruits: painted: 16 classes, so; programs 012345",
        "2 epochs",
    ]


def test_a_campaign_without_runs_is_an_empty_table(tmp_path):
    table = load_campaigns(write(tmp_path / "one", []))
    assert len(table) == 0
    assert list(table.columns) == [*layout.COLUMNS, "work", "machine"]


def test_lines_may_end_as_on_windows_and_a_later_column_may_lack(tmp_path):
    folder = write(tmp_path / "one", rows(), columns=layout.REQUIRED)
    path = folder / layout.RUNS
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    table = load_campaigns(folder)
    assert table["message"].tolist() == [""] * 4
    assert table["clock_drift_seconds"].isna().all()


def test_messages_may_have_commas_and_quotes(tmp_path):
    written = rows()
    written[1]["message"] = '"it said ""no"", twice"'
    table = load_campaigns(write(tmp_path / "one", written))
    assert table["message"][1] == 'it said "no", twice'


def test_what_did_not_come_to_its_end_may_lack_its_numbers(tmp_path):
    written = rows()
    for name in (*layout.STAGE_COLUMNS, *layout.EPOCH_COLUMNS, "exit_code"):
        written[3][name] = ""
    written[3]["state"] = "crashed"
    table = load_campaigns(write(tmp_path / "one", written))
    assert pd.isna(table["exit_code"][3])
    assert table["fit_seconds"].isna().tolist() == [False, False, False, True]


def test_an_interrupted_place_may_be_run_again(tmp_path):
    written = rows()
    written[3]["run"] = "5"
    lost = {**written[3], "run": "4", "state": "interrupted", "loss": ""}
    written.insert(3, lost | {"epoch_seconds": ""})
    table = load_campaigns(write(tmp_path / "one", written))
    assert table["position"].tolist() == [1, 2, 1, 2, 2]


def test_a_line_that_was_cut_off_is_left_out_and_told(tmp_path):
    folder = write(tmp_path / "one", rows(), end="")
    with pytest.warns(layout.CutOff, match="incomplete"):
        assert len(load_campaigns(folder)) == 3
    # After a power cut a file may end in zeros.
    write(folder, rows(), end="\n\0\0\0")
    with pytest.warns(layout.CutOff):
        assert len(load_campaigns(folder)) == 4


# --- what is wrong


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("campaign", "other", "found 'other', expected one of one"),
        ("run", "1", "a number that no other run has"),
        ("run", "1.5", "a whole number"),
        ("block", "7", "one of the 2 planned"),
        ("position", "3", "a position from 1 to 2"),
        ("arm", "julia", "found 'julia', expected one of python, r"),
        ("arm", "python", "plan.json has r at this place"),
        ("device", "gpu", "found 'gpu', expected cpu, as in plan.json"),
        ("seed", "23", "found 23, but plan.json has 22"),
        ("seed", "-1", "a whole number from 0"),
        ("epochs", "3", "expected 2, as in plan.json"),
        ("state", "fine", "expected one of ok, crashed"),
        ("state", "wrong-loss", "its losses are those of run 3, line 4"),
        ("exit_code", "x", "a whole number from -64 to 255"),
        ("exit_code", "1", "0 in a complete run"),
        ("started", "22.11.2026", "a time in UTC"),
        ("started", "2026-13-22T09:30:00Z", "a time in UTC"),
        ("process_seconds", "-1", "a number from 0"),
        ("process_seconds", "9.0", "at least the sum of the stages"),
        ("fit_seconds", "7,5", "found 28 fields, expected 27"),
        ("fit_seconds", "inf", "found 'inf', expected a number"),
        ("fit_seconds", "", "a number in a complete run"),
        ("epoch_seconds", "4.0", "found 1 numbers, expected 2, one per epoch"),
        ("epoch_seconds", "4.0;-3.0", "numbers from 0"),
        ("loss", "", "found 0 numbers, expected 2"),
        ("loss", "0.1;x", "numbers joined by ';'"),
        ("loss", "0.1;0.3", "its losses are not those of run 3, line 4"),
        ("accuracy", "0.5;1.01", "numbers from 0 to 1"),
        ("val_accuracy", "0.5", "expected 2, one per epoch"),
        ("peak_memory_mb", "lots", "found 'lots'"),
        ("message", '"', "cannot be read"),
    ],
)
def test_line_and_column_are_named(tmp_path, column, value, words):
    written = rows()
    written[3][column] = value
    folder = write(tmp_path / "one", written)
    problem = problem_of(folder)
    assert problem.file == folder / layout.RUNS
    assert problem.line == 5
    # A line that is no row has no columns.
    about_loss = column == "loss" and "those of" in words
    expected = "state" if about_loss else column
    assert problem.column in (expected, "")
    assert words in problem.what
    assert f"line 5, column {expected}: " in str(problem) or not problem.column


def test_every_problem_is_counted_and_the_first_are_listed(tmp_path):
    written = rows()
    for row in written:
        row["device"] = "tpu"
        row["seed"] = "x"
        row["fit_seconds"] = "y"
    with pytest.raises(WrongRuns) as caught:
        load_campaigns(write(tmp_path / "one", written))
    assert len(caught.value.problems) == 12
    assert str(caught.value).endswith("... and 2 more")
    assert [x.line for x in caught.value.problems] == sorted([2, 3, 4, 5] * 3)


@pytest.mark.parametrize("line", ["", "a,b", "x" * 200])
def test_a_line_that_is_no_row(tmp_path, line):
    folder = write(tmp_path / "one", rows())
    path = folder / layout.RUNS
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:2], line, *lines[2:]]) + "\n")
    assert problem_of(folder).line == 3


def test_a_place_is_run_once(tmp_path):
    written = rows()
    written.append({**written[3], "run": "5"})
    problem = problem_of(write(tmp_path / "one", written))
    assert (problem.line, problem.column) == (6, "position")


def test_runs_stand_in_order(tmp_path):
    written = rows()
    written[0]["run"], written[1]["run"] = "2", "1"
    problem = problem_of(write(tmp_path / "one", written))
    assert (problem.line, problem.column) == (3, "run")
    assert "above that of the run before" in problem.what


@pytest.mark.parametrize(
    ("header", "words"),
    [("a,b", "expected a header"), ("", "expected a header")],
)
def test_a_file_that_is_none_of_ours(tmp_path, header, words):
    folder = write(tmp_path / "one", rows())
    (folder / layout.RUNS).write_text(header + "\n")
    assert words in problem_of(folder).what


def test_a_missing_column_is_named(tmp_path):
    columns = [x for x in layout.COLUMNS if x != "seed"]
    problem = problem_of(write(tmp_path / "one", rows(), columns=columns))
    assert problem.line == 1
    assert "no column seed" in problem.what


def test_plan_and_machine_are_checked(tmp_path):
    folder = write(tmp_path / "one", rows(), plan={"epochs": "two"})
    assert problem_of(folder).column == "epochs"
    order = [*ORDER[:1], {"block": 1, "seed": 2, "arms": ["r", "r"]}]
    write(folder, rows(), plan={"order": order})
    assert problem_of(folder).column == "order"
    write(folder, rows(), machine="")
    assert problem_of(folder).file == folder / layout.MACHINE
    (folder / layout.PLAN).write_text("{")
    assert "cannot be read as JSON" in problem_of(folder).what
    (folder / layout.PLAN).unlink()
    assert "missing" in problem_of(folder).what


def test_the_same_campaign_twice_is_refused(tmp_path):
    write(tmp_path / "a", rows())
    write(tmp_path / "b", rows())
    with pytest.raises(WrongRuns, match=r"is in .*a too"):
        load_campaigns(tmp_path)


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
    one = write(tmp_path / "x" / "one", rows())
    two = write(tmp_path / "y" / "two", rows("two"))
    monkeypatch.setenv(loader.ENVIRONMENT, f"{one}:{two.parent}")
    assert names() == ["one", "two"]
    monkeypatch.setenv(loader.ENVIRONMENT, str(tmp_path / "nowhere"))
    with pytest.raises(NoTimings, match="not there"):
        load_campaigns()
