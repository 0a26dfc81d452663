"""What is on disk: written so that nothing gets lost, read as it was written."""

import json
import os

import pytest
from made_up import campaign_files, made_up_campaign, with_state, write_campaign
from sidebyside.timing import WrongPlan, WrongRuns, contribute, load_campaigns
from sidebyside.timing import format as layout
from sidebyside.timing.report import show_text


@pytest.fixture
def folder(tmp_path):
    """A campaign as our own functions write it."""
    runs = made_up_campaign(blocks=2, arms=("python", "r"))
    made = write_campaign(runs, tmp_path / "made")
    plan, rows = layout.read_plan(made), layout.read_rows(made)
    own = tmp_path / "own"
    own.mkdir()
    layout.write_plan(own, plan)
    layout.write_machine(own, {"id": "m1"})
    layout.write_rows(own, rows)
    return own


def problem_of(folder):
    with pytest.raises(WrongRuns) as caught:
        load_campaigns(folder)
    return caught.value.problems[0]


def test_what_is_read_and_written_again_is_the_same(folder, tmp_path):
    before = {x.name: x.read_bytes() for x in folder.iterdir()}
    again = tmp_path / "again"
    again.mkdir()
    layout.write_plan(again, layout.read_plan(folder))
    layout.write_machine(again, layout.read_machine(folder))
    layout.start_rows(again)
    for row in layout.read_rows(folder):
        layout.append_row(again, row)
    assert {x.name: x.read_bytes() for x in again.iterdir()} == before


def test_a_plan_has_its_precision_again(folder):
    content = json.loads((folder / "plan.json").read_text())
    content["precision"] = {"half_width": 0.02, "quantity": "q", "least_blocks": 7}
    (folder / "plan.json").write_text(json.dumps(content))
    plan = layout.read_plan(folder)
    assert plan.precision == layout.Precision(0.02, "q", least_blocks=7)
    layout.write_plan(folder, plan)
    assert layout.read_plan(folder) == plan


def test_a_message_is_on_one_line_and_commands_no_terminal(folder):
    row = layout.read_rows(folder)[0]
    row |= {"run": 99, "state": "interrupted", "message": 'a\nb\r "c",\x1b[31m\u2028d'}
    layout.append_row(folder, row)
    assert layout.read_rows(folder)[-1]["message"] == 'a b "c",\\x1b[31m d'
    assert len((folder / "runs.csv").read_bytes().splitlines()) == 8


def test_a_folder_becomes_a_campaign_last(tmp_path):
    """Killed at any moment, what has rows can be resumed."""
    with pytest.raises(FileNotFoundError):
        layout.start_rows(tmp_path)
    layout.write_machine(tmp_path, {"id": "m1"})
    with pytest.raises(FileNotFoundError):
        layout.start_rows(tmp_path)
    assert not (tmp_path / "runs.csv").exists()


def test_a_row_is_on_the_disk_before_anything_goes_on(folder, monkeypatch):
    calls = []
    write, fsync = os.write, os.fsync
    monkeypatch.setattr(os, "write", lambda *x: (calls.append("write"), write(*x))[1])
    monkeypatch.setattr(os, "fsync", lambda x: (calls.append("fsync"), fsync(x))[1])
    row = layout.read_rows(folder)[0] | {"run": 99, "state": "interrupted"}
    layout.append_row(folder, row)
    assert calls == ["write", "fsync"]
    calls.clear()
    # The file's bytes, and then its name.
    layout.write_rows(folder, [])
    assert calls.count("fsync") == 2


def test_a_last_line_that_was_cut_off_is_repaired(folder, monkeypatch):
    whole = (folder / "runs.csv").read_bytes()
    assert layout.repair(folder) == 0
    synced = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda x: (synced.append(x), fsync(x))[1])
    for rest in (b"own,7,1", b"\0\0\0", b"own\0"):
        (folder / "runs.csv").write_bytes(whole + rest)
        assert len(layout.read_rows(folder)) == 6
        assert layout.repair(folder) == len(rest)
        assert (folder / "runs.csv").read_bytes() == whole
    assert len(synced) == 3
    # What has no line of ours is not emptied.
    (folder / "runs.csv").write_bytes(b"a thesis")
    assert layout.repair(folder) == 0
    assert (folder / "runs.csv").read_bytes() == b"a thesis"


def test_the_log_survives_a_line_that_was_cut_off(folder):
    assert layout.events(folder) == []
    layout.note(folder, "began", seconds=1.5)
    with (folder / "events.jsonl").open("a") as file:
        file.write('{"what": "en')
    layout.note(folder, "resumed", seconds=2.5)
    found = layout.events(folder)
    assert [x["what"] for x in found] == ["began", "resumed"]
    assert sum(x["seconds"] for x in found) == 4.0


def test_what_is_written_of_a_machine_can_be_read(folder):
    odd = {"id": "m1", "data": "Fruits:\x1b[1m \ud800x", "arms": {"r": {"r": "\x07"}}}
    layout.write_machine(folder, odd)
    found = layout.read_machine(folder)
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
    rows = layout.read_rows(folder)
    row = rows[-1]
    row |= {"state": state, "exit_code": 0 if state == "ok" else 1}
    for name in layout.EPOCH_COLUMNS:
        row[name] = (0.5,) * numbers
    layout.write_rows(folder, rows)
    if good:
        assert len(load_campaigns(folder)["loss"].iloc[-1]) == numbers
    else:
        assert problem_of(folder).line == 7


def test_other_losses_are_named_so_in_the_plan_s_first_arm_s_favour(folder):
    """The yardstick is the "python" run, wherever it is in its block."""
    rows = layout.read_rows(folder)
    block = [x for x in rows if x["block"] == 1]
    for row in block:
        if row["arm"] == "r":
            row["loss"] = (9.0, *row["loss"][1:])
            row["state"] = "wrong-loss"
    layout.write_rows(folder, rows)
    assert load_campaigns(folder)["state"].tolist().count("wrong-loss") == 1
    for row in block:
        row["state"] = "ok" if row["arm"] == "r" else "wrong-loss"
    layout.write_rows(folder, rows)
    assert problem_of(folder).column == "state"


def test_wrong_loss_runs_keep_their_clocks_and_count_nowhere(tmp_path):
    runs = made_up_campaign(ratio=1.1, sd=0.001, blocks=3)
    lost = with_state(runs, "r", [2], "wrong-loss")
    hit = lost["state"] == "wrong-loss"
    lost.loc[hit, ["fit_seconds", "process_seconds"]] *= 50
    lost.loc[hit, "loss"] = lost.loc[hit, "loss"].map(lambda x: (7.0, *x[1:]))
    assert lost.loc[hit, "fit_seconds"].notna().all()
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
    assert layout.read_plan(folder).pair() == (("r", "python") if arms[1:] else None)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("campaign", x) for x in ("", "../x", "a b", "x" * 101, 7, None)),
        *(("arms", x) for x in ([], [1, 2], ["python"] * 2, ["julia"], "python", None)),
        *(("epochs", x) for x in (0, True, 1.0, 10**30, "4", 100_001)),
        *(("seed", x) for x in (10**30, True, 0.5, "x")),
        *(("blocks", x) for x in (1, 3, True, "2", -1)),
        *(("timeout_seconds", x) for x in (0, -1, True, float("nan"), float("inf"))),
        *(("budget_minutes", x) for x in (0, "x", 10**400)),
        *(("precision", x) for x in (0.02, {}, {"half_width": 0, "quantity": ""})),
        *(("programs", x) for x in ([], {"r": 1}, "x")),
        *(("device", x) for x in ("tpu", ["cpu"], None)),
        *(("order", x) for x in ([], {}, [1, 2, 3], None)),
        *(("schema", x) for x in (0, 2, True, "1")),
        *(("notebook", x) for x in (1, "\x1b[31m", "\ud800", [])),
    ],
)
def test_every_field_of_a_plan_is_checked(folder, name, value):
    content = json.loads((folder / "plan.json").read_text())
    (folder / "plan.json").write_text(json.dumps(content | {name: value}))
    problem = problem_of(folder)
    assert problem.file.name == "plan.json"
    assert problem.column in (name, f"{name}.half_width", f"{name}.quantity", "")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("block", x) for x in (True, 2)),
        *(("seed", x) for x in (True, 2**31, -1)),
        *(("arms", x) for x in (["python"], ["python", "python"], [[], {}])),
    ],
)
def test_every_block_of_a_plan_is_checked(folder, name, value):
    content = json.loads((folder / "plan.json").read_text())
    content["order"][1][name] = value
    (folder / "plan.json").write_text(json.dumps(content))
    assert problem_of(folder).column == "order"
    assert "block 1" in problem_of(folder).what


@pytest.mark.parametrize("depth", [18, 25, 900, 100_000])
def test_objects_may_be_nested_but_not_endlessly(folder, depth):
    text = '{"id": "m1", "x": ' + "[" * depth + "]" * depth + "}"
    (folder / "machine.json").write_text(text)
    if depth < layout.MOST_DEPTH:
        assert layout.read_machine(folder)["id"] == "m1"
    else:
        assert problem_of(folder).file.name == "machine.json"


def test_a_campaign_is_finished_when_its_end_says_so(folder):
    assert layout.read_end(folder) is None
    assert not layout.is_finished(folder)
    for complete in (False, True):
        layout.write_end(folder, {"complete": complete, "reason": "x"})
        assert layout.is_finished(folder) is complete
    for wrong in ({}, {"complete": 1}, {"complete": True, "overhead": {"share": "x"}}):
        (folder / "end.json").write_text(json.dumps(wrong))
        assert not layout.is_finished(folder)
        with pytest.raises(WrongRuns):
            layout.read_end(folder)


def test_a_column_may_not_be_there_twice(folder):
    files = campaign_files(made_up_campaign(blocks=2, arms=("python", "r")))
    lines = files["runs.csv"].splitlines()
    lines = [lines[0] + ",run", *(x + ",1" for x in lines[1:])]
    (folder / "runs.csv").write_text("\n".join(lines) + "\n")
    assert problem_of(folder).line == 1


def test_a_row_that_does_not_fit_leaves_the_file_as_it_was(folder, monkeypatch):
    before = (folder / "runs.csv").read_bytes()
    row = layout.read_rows(folder)[0]
    write = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: write(handle, data[:9]))
    with pytest.raises(layout.files.DiskFull):
        layout.append_row(folder, row)
    assert (folder / "runs.csv").read_bytes() == before


def test_a_campaign_begins_with_its_machine(folder):
    for name in ("machine.json", "runs.csv"):
        (folder / name).unlink()
    with pytest.raises(FileNotFoundError):
        layout.start_rows(folder)


@pytest.mark.parametrize("name", ["loss", "val_loss"])
def test_losses_of_both_kinds_are_compared(folder, name):
    rows = layout.read_rows(folder)
    rows[-1][name] = (9.0, *rows[-1][name][1:])
    layout.write_rows(folder, rows)
    assert problem_of(folder).column == "state"


def test_an_unfinished_campaign_is_not_contributed(folder, tmp_path):
    with pytest.raises(WrongPlan, match="is not finished"):
        contribute(folder, tmp_path / "to")
    assert not (tmp_path / "to").exists()
