"""Files of a campaign: nothing gets lost, and they are read as they were written."""

import json
import os

import pytest
from made_up import made_up_campaign, problem_of, with_state, write_campaign
from sidebyside.timing import WrongRuns, load_campaigns, reading
from sidebyside.timing import format as layout
from sidebyside.timing.report import show_text


@pytest.fixture
def folder(tmp_path):
    """A campaign that our own functions have written."""
    runs = made_up_campaign(blocks=2, arms=("python", "r"))
    made = write_campaign(runs, tmp_path / "made")
    plan, rows = reading.read_plan(made), reading.read_rows(made)
    own = tmp_path / "own"
    own.mkdir()
    layout.write_plan(own, plan)
    layout.write_json(own, layout.MACHINE, {"id": "m1"})
    layout.write_rows(own, rows)
    return own


def change(folder, file, **keys):
    """Change keys of a JSON file; a key whose value is `...` is removed."""
    content = json.loads((folder / file).read_text()) | keys
    content = {k: v for k, v in content.items() if v is not ...}
    (folder / file).write_text(json.dumps(content))


def test_reading_and_writing_again_changes_nothing(folder, tmp_path):
    before = {x.name: x.read_bytes() for x in folder.iterdir()}
    again = tmp_path / "again"
    again.mkdir()
    layout.write_plan(again, reading.read_plan(folder))
    layout.write_json(again, layout.MACHINE, reading.read_machine(folder))
    layout.write_rows(again, ())
    for row in reading.read_rows(folder):
        layout.append_row(again, row)
    assert {x.name: x.read_bytes() for x in again.iterdir()} == before


def test_an_older_file_gets_the_new_columns_when_it_is_resumed(folder):
    before = reading.read_rows(folder)
    path = folder / layout.RUNS
    lines = [x.split(",")[: len(layout.REQUIRED)] for x in path.read_text().split()]
    path.write_text("".join(",".join(x) + "\n" for x in lines))
    assert not reading.repair(folder)
    layout.append_row(folder, before[0] | {"run": 99, "state": "interrupted"})
    *rows, last = reading.read_rows(folder)
    assert (rows, last["run"]) == (before, 99)


def test_a_plan_keeps_its_precision(folder):
    rule = {"half_width": 0.02, "quantity": "q", "least_blocks": 7, "later": 1}
    change(folder, "plan.json", precision=rule, later=1)
    plan = reading.read_plan(folder)
    assert plan.precision == layout.Precision(0.02, "q", least_blocks=7)
    layout.write_plan(folder, plan)
    assert reading.read_plan(folder) == plan


def test_a_message_is_on_one_line_and_commands_no_terminal(folder):
    row = reading.read_rows(folder)[0]
    row |= {"run": 99, "state": "interrupted", "message": 'a\nb\r "c",\x1b[31m\u2028d'}
    layout.append_row(folder, row)
    assert reading.read_rows(folder)[-1]["message"] == 'a b "c",\\x1b[31m d'
    assert len((folder / "runs.csv").read_bytes().splitlines()) == 8


def test_a_row_is_on_the_disk_before_the_function_returns(folder, monkeypatch):
    calls = []
    write, fsync = os.write, os.fsync
    monkeypatch.setattr(os, "write", lambda *x: (calls.append("write"), write(*x))[1])
    monkeypatch.setattr(os, "fsync", lambda x: (calls.append("fsync"), fsync(x))[1])
    row = reading.read_rows(folder)[0] | {"run": 99, "state": "interrupted"}
    layout.append_row(folder, row)
    assert calls == ["write", "fsync"]
    calls.clear()
    # First the file's bytes, then its name.
    layout.write_rows(folder, [])
    assert calls.count("fsync") == 2


def test_a_last_line_that_was_cut_off_is_repaired(folder, recwarn):
    whole = (folder / "runs.csv").read_bytes()
    assert not reading.repair(folder)
    for rest in (b"own,7,1", b"\0\0\0", b"own\0", whole.splitlines()[1][:-9]):
        (folder / "runs.csv").write_bytes(whole + rest)
        assert len(reading.read_rows(folder)) == 6
        assert reading.repair(folder)
        assert (folder / "runs.csv").read_bytes() == whole
    assert not recwarn  # resume prints a line instead
    # All measurements are kept.
    for same in (whole[:-1], whole + b"\n\r\n", whole.replace(b"\n", b"\r\n")[:-1]):
        (folder / "runs.csv").write_bytes(same)
        assert not reading.repair(folder)
        assert (folder / "runs.csv").read_bytes() == whole
    # A file without any of our lines is not emptied.
    (folder / "runs.csv").write_bytes(b"a thesis")
    with pytest.raises(WrongRuns):
        reading.repair(folder)
    assert (folder / "runs.csv").read_bytes() == b"a thesis"


def test_the_log_survives_a_line_that_was_cut_off(folder):
    assert reading.events(folder) == []
    layout.note(folder, "began", seconds=1.5)
    with (folder / "events.jsonl").open("a") as file:
        file.write('{"what": "en')
    layout.note(folder, "resumed", seconds=2.5)
    found = reading.events(folder)
    assert [x["what"] for x in found] == ["began", "resumed"]
    assert sum(x["seconds"] for x in found) == 4.0


def test_a_written_machine_can_be_read(folder):
    odd = {"id": "m1", "data": "Fruits:\x1b[1m \ud800x", "arms": {"r": {"r": "\x07"}}}
    layout.write_json(folder, layout.MACHINE, odd)
    found = reading.read_machine(folder)
    assert found["data"] == "Fruits:[1m x"
    assert found["arms"] == {"r": {"r": ""}}


@pytest.mark.parametrize(
    ("state", "numbers", "good"),
    [
        ("crashed", 4, True),
        ("crashed", 2, True),
        ("crashed", 5, False),
        ("timeout", 5, False),
        ("ok", 3, False),
        ("ok", 5, False),
    ],
)
def test_a_run_has_at_most_the_epochs_that_were_asked_for(folder, state, numbers, good):
    rows = reading.read_rows(folder)
    row = rows[-1]
    row |= {"state": state, "exit_code": 0 if state == "ok" else 1}
    for name in layout.EPOCH_COLUMNS:
        row[name] = (0.5,) * numbers
    layout.write_rows(folder, rows)
    if good:
        assert len(load_campaigns(folder)["loss"].iloc[-1]) == numbers
    else:
        assert problem_of(folder).line == 7


@pytest.mark.parametrize(
    ("states", "good"),
    [
        # Runs are compared with the "python" run, wherever it is in its block.
        ({"python": "ok", "r": "wrong-loss"}, True),
        ({"python": "wrong-loss", "r": "ok"}, False),
        ({"python": "ok", "r": "ok"}, False),
        # Or the first run, if there is none.
        ({"python": "crashed", "r": "ok"}, True),
        ({"python": "crashed", "r": "wrong-loss"}, False),
    ],
)
@pytest.mark.parametrize("name", ["loss", "val_loss"])
def test_other_losses_than_python_s_are_named_so(folder, states, good, name):
    rows = reading.read_rows(folder)
    for row in rows:
        if row["block"] == 1:
            row["state"] = states[row["arm"]]
            if row["arm"] == "r":
                row[name] = (float("nan"), *row[name][1:])
    layout.write_rows(folder, rows)
    if good:
        table = load_campaigns(folder)
        found = dict(zip(table["arm"][2:4], table["state"][2:4], strict=True))
        assert found == states
    else:
        assert problem_of(folder).column == "state"


def test_losses_that_are_not_numbers_are_the_same_in_both_arms(folder):
    rows = reading.read_rows(folder)
    for row in rows:
        row["loss"] = (0.5, float("inf"), *[float("nan")] * (len(row["loss"]) - 2))
    layout.write_rows(folder, rows)
    assert set(load_campaigns(folder)["state"]) == {"ok"}


def test_wrong_loss_runs_keep_their_clocks_and_count_nowhere(tmp_path):
    runs = made_up_campaign(ratio=1.1, sd=0.001, blocks=3)
    lost = with_state(runs, "r", [2], "wrong-loss")
    hit = lost["state"] == "wrong-loss"
    lost.loc[hit, ["fit_seconds", "process_seconds"]] *= 50
    lost.loc[hit, "loss"] = lost.loc[hit, "loss"].map(lambda x: (7.0, *x[1:]))
    text = show_text(write_campaign(lost, tmp_path / "made-up"))
    line = next(x for x in text.splitlines() if x.startswith("r over python, fit"))
    assert "(2 blocks" in line
    assert float(line.split()[4]) == pytest.approx(1.1, abs=0.01)
    table = [x for x in text.splitlines() if x.startswith("r ")]
    assert table[0].split()[1] == "2"


@pytest.mark.parametrize("arms", [("python",), ("r",), ("python", "r")])
def test_one_arm_has_no_ratio(tmp_path, arms):
    runs = made_up_campaign(arms=arms, blocks=3)
    folder = write_campaign(runs, tmp_path / "made-up")
    assert (" over " in show_text(folder)) == (len(arms) > 1)
    assert reading.read_plan(folder).pair() == (("r", "python") if arms[1:] else None)


@pytest.mark.parametrize(
    ("file", "name", "value"),
    [
        *(
            ("plan.json", "campaign", x)
            for x in ("", "../x", "a\n", "x" * 101, 7, None)
        ),
        *(("plan.json", "arms", x) for x in ([], [1, 2], ["python"] * 2, ["julia"])),
        *(("plan.json", "arms", x) for x in ("python", None, ["python"])),
        *(("plan.json", "epochs", x) for x in (0, True, 1.5, 10**30, "4", 100_001)),
        *(("plan.json", "seed", x) for x in (10**30, True, 0.5, "x")),
        *(("plan.json", "blocks", x) for x in (1, 3, True, "2", -1)),
        *(("plan.json", "timeout_seconds", x) for x in (0, -1, True, float("nan"))),
        *(("plan.json", "budget_minutes", x) for x in (0, "x", 10**400, float("inf"))),
        *(("plan.json", "precision", x) for x in (0.02, {}, {"half_width": 0.1})),
        ("plan.json", "precision", {"half_width": 0, "quantity": ""}),
        *(("plan.json", "programs", x) for x in ([], {"r": 1}, "x")),
        *(("plan.json", "device", x) for x in ("tpu", ["cpu"], None)),
        *(("plan.json", "order", x) for x in ([], {}, [1, 2, 3], None)),
        *(("plan.json", "schema", x) for x in (0, 2, True, "1")),
        *(("plan.json", "notebook", x) for x in (1, "\x1b[31m", "\ud800", [])),
        *(("plan.json", x, ...) for x in ("campaign", "device", "arms", "epochs")),
        *(("plan.json", "later", x) for x in ({"\x9b": 1}, float("nan"), -(2**63))),
        *(("machine.json", "id", x) for x in ("", "a b", None)),
        *(("machine.json", "cpu", x) for x in ("x", None)),
        *(("machine.json", "gpu", x) for x in ({}, ["x"])),
        *(("machine.json", "memory_gb", x) for x in (-1, "1")),
        *(("machine.json", x, ["x", 1]) for x in ("boot", "system", "data", "busy")),
        *(("machine.json", "arms", x) for x in ([], {"r": 1})),
        *(("end.json", "complete", x) for x in (1, None)),
        *(("end.json", x, [1]) for x in ("reason", "disturbed")),
        *(("end.json", "overhead", x) for x in ([], {"share": 0.1, "seconds": "x"})),
        *(("end.json", "overhead", x) for x in ({"share": 2, "seconds": 1}, {})),
    ],
)
def test_every_key_is_checked(folder, file, name, value):
    layout.write_json(folder, layout.END, {"complete": True})
    change(folder, file, **{name: value})
    with pytest.raises(WrongRuns) as caught:
        load_campaigns(folder)
        reading.read_end(folder)
    problem = caught.value.problems[0]
    assert problem.file.name == file
    assert problem.column.startswith((name, "order")) or not problem.column
    assert len(str(caught.value)) < 500
    if file == "end.json":
        assert not reading.is_finished(folder)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("block", x) for x in (True, 2, None)),
        *(("seed", x) for x in (True, 2**31, -1)),
        *(("arms", x) for x in (["python"], ["python", "python"], [[], {}])),
        ("arms", ["python", "rpy2"]),
    ],
)
def test_every_block_of_a_plan_is_checked(folder, name, value):
    order = json.loads((folder / "plan.json").read_text())["order"]
    order[1][name] = value
    change(folder, "plan.json", order=order)
    assert problem_of(folder).column.startswith("order[1]")


def test_every_arm_is_planned_once(folder):
    order = json.loads((folder / "plan.json").read_text())["order"]
    order = [block | {"arms": ["r", "r"]} for block in order]
    change(folder, "plan.json", arms=["r", "r"], order=order)
    assert problem_of(folder).column == "arms"


@pytest.mark.parametrize(
    "text", ["{", "[]", "", '{"id": 1', '{"id": "a", "id": "b"}', None]
)
def test_a_missing_file_or_one_without_an_object_is_refused(folder, text):
    (folder / "machine.json").unlink()
    if text is not None:
        (folder / "machine.json").write_text(text)
    assert problem_of(folder).file.name == "machine.json"


@pytest.mark.parametrize("depth", [18, 20, 900, 100_000])
def test_objects_may_be_nested_but_not_endlessly(folder, depth):
    text = '{"id": "m1", "x": ' + "[" * depth + "]" * depth + "}"
    (folder / "machine.json").write_text(text)
    if depth < reading.MOST_DEPTH:
        assert reading.read_machine(folder)["id"] == "m1"
    else:
        assert problem_of(folder).file.name == "machine.json"


def test_a_campaign_is_finished_when_its_end_says_so(folder):
    assert reading.read_end(folder) is None
    assert not reading.is_finished(folder)
    for complete in (False, True):
        layout.write_json(folder, layout.END, {"complete": complete, "reason": "x"})
        assert reading.is_finished(folder) is complete


def test_a_row_that_does_not_fit_leaves_the_file_as_it_was(folder, monkeypatch):
    before = (folder / "runs.csv").read_bytes()
    row = reading.read_rows(folder)[0]
    write = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: write(handle, data[:9]))
    with pytest.raises(layout.files.DiskFull):
        layout.append_row(folder, row)
    assert (folder / "runs.csv").read_bytes() == before
