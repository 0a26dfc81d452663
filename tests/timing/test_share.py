"""Measurements of a class: the short campaign, one file each, pooled together."""

import csv
import json
import os
import re
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_up import (
    campaign_files,
    made_up_campaign,
    with_state,
    write_campaign,
    zip_campaign,
)
from sidebyside.statistics import verdict
from sidebyside.timing import (
    NotClean,
    NoTimings,
    WrongPlan,
    WrongRuns,
    collect,
    collecting,
    describe_machines,
    hand_in,
    load_campaigns,
    machine,
    plan,
    reading,
    report,
    sharing,
)
from sidebyside.timing import __main__ as command
from sidebyside.timing import format as layout
from sidebyside.timing.loader import Seen, fingerprint, machine_names

SHORT = plan.SHORT


def short(seed=1, **options):
    """Return what a student measures; each `seed` has different times."""
    options = {"ratio": 1.1 + seed / 1000, "sd": 0.03, **options}
    options = {"campaign": f"c{seed}", "machine": f"m{seed}", **options}
    return made_up_campaign(
        **{"blocks": SHORT.blocks, "arms": SHORT.arms, "seed": seed, **options}
    )


def put(room, seed, name=None, *, told=(), **options):
    """Put a student's zip file or folder into the teacher's folder."""
    runs = short(seed, **options)
    path = room / (name or f"{seed}.zip")
    path.parent.mkdir(parents=True, exist_ok=True)
    write = zip_campaign if path.suffix == ".zip" else write_campaign
    return write(runs, path, runs["machine"].iloc[0], **dict(told))


def named(seed):
    """Return the name that collect() uses for a student's campaign."""
    return f"c{seed}-{fingerprint(short(seed))}"


def states(collected):
    return {x.path.name: x.state for x in collected.found}


def copied(collected):
    """Return the names of the files in the target, and of the campaigns in them."""
    names = sorted(x.stem for x in collected.target.glob("*.zip"))
    assert sorted(load_campaigns(collected.target)["campaign"].unique()) == names
    return names


@pytest.fixture
def room(tmp_path):
    return tmp_path / "my class"


@pytest.fixture
def own(tmp_path, monkeypatch):
    """The student's data folder, and the current folder."""
    monkeypatch.setenv("SIDEBYSIDE_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("SIDEBYSIDE_TIMINGS", raising=False)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "data" / "timings"


# --- the short campaign


@pytest.fixture
def asked(monkeypatch):
    """Record what the command would measure."""
    calls = []
    monkeypatch.setattr(
        command, "run_campaign", lambda name, **options: calls.append((name, options))
    )
    return calls


def test_the_short_campaign_is_defined_in_one_place(asked, capsys):
    assert command.main(["run", "--short"]) == 0
    name, options = asked[0]
    assert name.startswith("short-cpu-")
    assert (options["blocks"], options["arms"]) == (SHORT.blocks, SHORT.arms)
    assert options["epochs"] is None  # the notebook's, as in a standard campaign
    assert "hand-in" in capsys.readouterr().out
    assert {"python", "r", "python-again"} == set(SHORT.arms)
    assert command.main(["run", "--arms", "r, python"]) == 0
    assert asked.pop()[1]["arms"] == ("r", "python")
    assert command.main(["run"]) == 0
    name, options = asked[1]
    assert (options["blocks"], options["arms"]) == (None, layout.ARMS)
    assert name.startswith("cpu-")


@pytest.mark.parametrize(
    "more",
    [["--blocks", "2"], ["--epochs", "1"], ["--arms", "r"], ["--precision", "0.1"]],
)
def test_the_short_campaign_allows_no_other_choice(asked, capsys, more):
    assert command.main(["run", "--short", *more]) == 1
    assert f"--short and {more[0]}" in capsys.readouterr().err
    assert not asked


# --- one file to hand in


def test_one_file_is_handed_in_and_names_nobody(own, monkeypatch):
    monkeypatch.setenv("USER", "ada-l")
    told = {"data": "painted, in /home/ada-l/fruits (16 classes)"}
    folder = put(own, 1, "of-ada-l", campaign="of-ada-l", told=told)
    before = load_campaigns(folder)
    (folder / "programs.json").write_text('{"directory": "/home/ada-l"}')
    file = hand_in()
    assert [x.name for x in Path().iterdir()] == [file.name]
    assert file.name == f"hand-in-{fingerprint(before)}.zip"
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        assert {x.external_attr >> 16 for x in archive.infolist()} == {0o644}
        text = b"".join(archive.read(x) for x in names)
    assert sorted(names) == sorted(f"{file.stem}/{x}" for x in layout.SHARED)
    assert b"ada-l" not in text
    assert b"/home" not in text
    # The measurements are unchanged.
    after = load_campaigns(file)
    assert set(after["campaign"]) == {file.stem}
    same = [x for x in layout.COLUMNS if x not in ("campaign", "message")]
    pd.testing.assert_frame_equal(after[same], before[same])
    again = file.read_bytes()
    assert hand_in().read_bytes() == again


@pytest.mark.parametrize("name", ["ada-l", "a/b", "../x"])
def test_the_file_that_is_handed_in_can_have_a_name(own, tmp_path, monkeypatch, name):
    monkeypatch.setenv("USER", "ada-l")
    folder = put(own, 1, "one")
    to = tmp_path / "out" / "folder"
    with pytest.raises(WrongPlan, match=f"{name}.*Use letters"):
        hand_in(to=to, name=name)
    with pytest.raises(WrongPlan, match=f"{name}.*Use letters"):
        sharing.contribute(folder, to, name=name)
    assert not to.exists()
    assert re.fullmatch(r"apple-\w{8}\.zip", hand_in(to=to, name="apple").name)


def test_a_campaign_that_cannot_be_cleaned_is_not_handed_in(own, tmp_path, monkeypatch):
    put(own, 1, "one", told={"data": "by ada-l", "boot": "/home/eve"})
    monkeypatch.setattr(sharing, "clean", lambda text, secrets: text)
    monkeypatch.setenv("USER", "ada-l")
    with pytest.raises(NotClean, match=r"'ada-l' in .*'/home/eve' in "):
        hand_in(to=tmp_path / "not")
    assert not (tmp_path / "not").exists()


def test_every_text_is_cleaned_and_ordinary_words_stay(own, monkeypatch):
    monkeypatch.setenv("USER", "ada")
    monkeypatch.setenv("LOGNAME", "ada.l")
    monkeypatch.setenv("HOSTNAME", "Linux")
    monkeypatch.setenv("HOME", "/home/xeon")
    monkeypatch.setattr(sharing.socket, "gethostname", lambda: "engine.here")
    monkeypatch.setattr(sharing.socket, "getfqdn", lambda: "engine.there")
    runs = short(1)
    runs.loc[0, "message"] = (
        "told ada.l and ada of Canada: Linux, engine, engine.here, engine.there, /a/x"
    )
    told = {"cpu": {"name": "Intel Xeon"}, "data": "on xeon"}
    folder = write_campaign(runs, own / "one", "m1", **told)
    plan_ = json.loads((folder / layout.PLAN).read_text()) | {"design": "by ada"}
    (folder / layout.PLAN).write_text(json.dumps(plan_))
    end = {"complete": True, "reason": "ada stopped it", "disturbed": ["by ada"]}
    (folder / layout.END).write_text(json.dumps(end))
    file = hand_in()
    rows = reading.read_rows(file)
    assert rows[0]["message"] == ("told ... and ... of Canada: Linux, ..., ..., ..., x")
    assert reading.read_plan(file).design == "by ..."
    assert reading.read_end(file)["reason"] == "... stopped it"
    assert reading.read_end(file)["disturbed"] == ["by ..."]
    assert reading.read_machine(file)["data"] == "on xeon"


def test_paths_are_removed_even_without_secrets(own, monkeypatch):
    """In a container everybody is root on localhost."""
    monkeypatch.setattr(sharing, "_secrets", lambda machine: [])
    put(own, 1, "one", told={"data": "from /srv/photos/of-ada/fruits"})
    assert reading.read_machine(hand_in())["data"] == "from fruits"


def test_a_long_name_is_left_out(own, tmp_path):
    folder = put(own, 1, "one", campaign="x" * 100)
    assert sharing.contribute(folder, tmp_path / "to").name == "contributed-m1"


def test_the_newest_finished_campaign_is_handed_in(own):
    old = put(own, 1, "old")
    (old / layout.END).unlink()
    put(own, 2, "contributed-x")
    with pytest.raises(WrongPlan, match="no finished campaign"):
        hand_in()
    for seconds, name in enumerate(("b", "a", "reference-x"), 2):
        end = put(own, seconds, name) / layout.END
        os.utime(end, (seconds, seconds))
    assert fingerprint(load_campaigns(own / "a")) in hand_in().name
    with pytest.raises(WrongPlan, match="is not finished"):
        hand_in(old)


@pytest.mark.parametrize(
    ("changed", "is_same"),
    [
        ({"campaign": "x", "message": "x", "machine": "x"}, True),
        *(({x: 1.0}, False) for x in ("process_seconds", "fit_seconds")),
        *(({x: "x"}, False) for x in ("state", "arm")),
    ],
)
def test_a_fingerprint_depends_on_the_measurements(changed, is_same):
    table = short(1)
    other = fingerprint(table.assign(**changed))
    assert (other == fingerprint(table)) is is_same


# --- zip files are read without unpacking


def _pack(path, entries):
    path.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in entries:
            archive.writestr(name, text)
    return path


def test_a_zip_file_is_read_like_its_folder(tmp_path):
    folder = put(tmp_path, 1, "folder")
    file = zip_campaign(short(), tmp_path / "packed.ZIP", "m1")
    pd.testing.assert_frame_equal(load_campaigns(folder), load_campaigns(file))
    assert load_campaigns(file).attrs["folders"] == {"c1": str(file)}
    assert "Made up" in describe_machines(file)
    # Without a folder in it, and packed by a Mac.
    for top in ("", "a/b/"):
        entries = [(f"{top}.DS_Store", "\0")]
        for name, text in campaign_files(short()).items():
            entries += [(f"__MACOSX/{top}{name}", "\0"), (f"{top}{name}", text)]
        other = _pack(tmp_path / "other.zip", entries)
        assert len(load_campaigns(other)) == len(short())


def test_a_folder_may_contain_folders_and_zip_files(own, room, monkeypatch):
    put(room, 1)
    put(room, 2, "two")
    assert load_campaigns(room)["machine"].unique().tolist() == ["m1", "m2"]
    # The file for the teacher is next to the campaign it was made from.
    put(own, 1, "mine")
    put(own, 1, "mine.zip")
    assert list(load_campaigns().attrs["folders"].values()) == [str(own / "mine")]
    monkeypatch.setenv("SIDEBYSIDE_TIMINGS", "nowhere")
    with pytest.raises(NoTimings, match=r"/here/nowhere is not there"):
        load_campaigns()


def test_the_same_runs_under_two_names_are_not_counted_twice(room):
    put(room, 1)
    put(room, 1, "z.zip", campaign="another")
    with pytest.raises(WrongRuns, match=r"12 of these runs are also in .*load one"):
        load_campaigns(room)


def _bad_archives():
    files = list(campaign_files(short()).items())
    limits = reading.MOST_SHARED
    yield (
        [(f"{x}/{n}", t) for x in "ab" for n, t in files],
        "2 files runs.csv.*; unpack it",
    )
    yield files[:2], "0 files runs.csv"
    yield [*files[:2], ("runs.csv", b"0" * (limits["runs.csv"] + 1))], "5,000,000 at"
    yield [("plan.json", b" " * (limits["plan.json"] + 1)), *files[1:]], "1,000,000 at"
    many = [(f"x{i}", "") for i in range(reading.MOST_ENTRIES)]
    yield [*files, *many], "expected 1,000"


@pytest.mark.parametrize(("entries", "words"), [*_bad_archives()])
def test_a_zip_file_without_a_campaign_is_refused(tmp_path, entries, words):
    file = _pack(tmp_path / "x.zip", entries)
    with pytest.raises(WrongRuns, match=words) as caught:
        load_campaigns(file)
    assert str(caught.value.problems[0].file).startswith(str(file))


# --- which campaigns come from one machine


def seen(id="m", boot="", start=0, end=1):
    return Seen(id, boot, start, end)


@pytest.mark.parametrize(
    ("places", "names"),
    [
        ([seen("a"), seen("b"), seen("a")], ["a", "b", "a"]),
        # Thirty containers on one server.
        ([seen("a", "x"), seen("b", "x"), seen("c", "y")], ["a", "a", "c"]),
        # The same computer after a restart.
        ([seen("a", "x", 0, 1), seen("a", "y", 1, 2)], ["a", "a"]),
        # Files from before there was a `boot`.
        ([seen("a"), seen("a", "x")], ["a", "a"]),
    ],
)
def test_machines_are_told_apart(places, names):
    assert machine_names(places) == names


def test_containers_of_one_server_are_one_machine(room):
    for seed, boot in ((1, "x"), (2, "x"), (3, "y")):
        put(room, seed, told={"boot": boot})
    assert load_campaigns(room)["machine"].unique().tolist() == ["m1", "m3"]


def test_the_running_system_has_an_anonymous_name(monkeypatch):
    found = machine.boot_id()
    assert found == machine.boot_id()
    assert found == machine.describe_machine()["boot"]
    path = Path("/proc/sys/kernel/random/boot_id")
    assert len(found) == (12 if path.exists() else 0)
    if path.exists():
        assert found not in path.read_text().replace("-", "")
    monkeypatch.setattr(machine, "_read", lambda _: "")
    assert machine.boot_id() == ""


def test_a_notebook_shows_only_the_message():
    assert NoTimings("Do this.")._render_traceback_() == ["NoTimings: Do this."]
    problem = WrongRuns([layout.Problem(Path("x.zip"), None, "", "is damaged")])
    assert problem._render_traceback_() == ["WrongRuns: x.zip: is damaged"]


# --- the teacher


@pytest.fixture
def whatever(room):
    """All kinds of files: the state of each, and the message about it."""
    put(room, 1)
    put(room, 2)
    put(room, 3, "Ada Lovelace_123_file/3.zip")
    put(room, 1, "copy (1).zip")
    put(room, 2, "renamed.zip", campaign="my-own-name")
    put(room, 5, "two-epochs.zip", epochs=2)
    unfinished = put(room, 6, "Ada Lovelace_123_file/unfinished")
    (unfinished / layout.END).write_text('{"complete": false}')
    (room / "broken.zip").write_bytes(b"PK")
    edited = campaign_files(short(7))
    edited["runs.csv"] = edited["runs.csv"].replace(",r,", ",julia,", 2)
    _pack(room / "edited.zip", edited.items())
    put(room, 8, "one-block.zip", blocks=1)
    put(room, 9, "no-r.zip", arms=("python", "python-again"))
    put(room, 10, "evil.zip", campaign="../evil")
    (room / "thesis.docx").write_text("I have measured")
    (room / ".DS_Store").write_text("")
    _pack(room / "__MACOSX" / "x.zip", [])
    return {
        "1.zip": ("ok", "ok"),
        "2.zip": ("ok", "ok"),
        "3.zip": ("ok", "ok"),
        "broken.zip": ("wrong", "LEFT OUT: the zip file is damaged"),
        "copy (1).zip": ("twice", "left out: the same runs as 1.zip"),
        "edited.zip": ("wrong", "LEFT OUT: runs.csv, line"),
        "evil.zip": ("wrong", "LEFT OUT: plan.json, column campaign: found '../evil'"),
        "no-r.zip": ("wrong", "LEFT OUT: 0 blocks with ok runs"),
        "one-block.zip": ("wrong", "LEFT OUT: 1 block with ok runs"),
        "renamed.zip": ("twice", "left out: the same runs as 2.zip"),
        "thesis.docx": ("no-hand-in", "LEFT OUT: neither a .zip nor a campaign"),
        "two-epochs.zip": ("other-work", "left out: epochs 2, most have 4"),
        "unfinished": ("unfinished", "left out: unfinished: 3 of 3 blocks"),
    }


def test_no_file_is_silently_dropped(room, whatever, capsys):
    before = {x: x.read_bytes() for x in room.rglob("*") if x.is_file()}
    collected = collect(room)
    assert states(collected) == {name: state for name, (state, _) in whatever.items()}
    assert {x: x.read_bytes() for x in room.rglob("*") if x.is_file()} == before
    paths = [x.path for x in collected.found]
    assert paths == sorted(paths)
    assert collected.target == room.with_name("my class-good")
    assert copied(collected) == [named(1), named(2), named(3)]
    assert "on 3 machines" in verdict(load_campaigns(collected.target)).text
    text = collecting.collected_text(collected)
    for x, line in zip(collected.found, text.splitlines()[1:], strict=False):
        assert f" {whatever[x.path.name][1]}" in line
        assert str(x.path.relative_to(room)) in line
    assert "(1 more of that kind)" in text
    counts = "3 good, 2 handed in twice, 1 unfinished, 1 of other work, 5 wrong, "
    counts += "1 not a hand-in"
    assert f"13 in {room}: {counts}." in text
    assert f"SIDEBYSIDE_TIMINGS='{collected.target}' make lab" in text
    assert command.main(["collect", str(room)]) == 0
    assert text in capsys.readouterr().out


def test_the_list_is_a_table(room):
    arms = {"python": {"tensorflow": "2.20"}, "r": {"r": "4.5"}}
    put(room, 1, "\x1b[1m.zip", told={"arms": arms})
    put(room, 1)
    (room / "a\nb, c.txt").touch()
    collected = collect(room)
    assert collecting.collected_text(collected).replace("\n", "").isprintable()
    with (collected.target / collecting.LIST).open(newline="") as file:
        rows = list(csv.DictReader(file))
    columns = ["file", "state", "campaign", "machine", "blocks", "versions", "what"]
    assert list(rows[0]) == columns
    first, _, last = (list(row.values()) for row in rows)
    assert first[:5] == [f"{room}/\\x1b[1m.zip", "ok", named(1), "m1", "3"]
    assert "TensorFlow 2.20" in first[5]
    assert "R 4.5" in first[5]
    assert last[:5] == [f"{room}/a\\nb, c.txt", "no-hand-in", "", "", "0"]
    assert last[6].startswith("neither")


def test_a_teacher_may_also_use_other_campaigns(room, whatever):
    collected = collect(room, also=("unfinished",))
    assert states(collected)["unfinished"] == "ok"
    assert len(copied(collected)) == 4
    collected = collect(room, also=("other-work",))
    assert states(collected)["unfinished"] == "unfinished"
    assert states(collected)["two-epochs.zip"] == "ok"
    assert len(copied(collected)) == 4
    text = verdict(load_campaigns(collected.target)).text
    assert "Campaigns of other work are judged separately" in text
    # Without the option they are removed again.
    assert len(copied(collect(room))) == 3


def test_the_commands_pass_their_options_on(own, tmp_path, room):
    mine = put(own, 1, "one")
    to = str(tmp_path / "to")
    options = ["--to", str(room), "--name", "apple"]
    assert command.main(["hand-in", str(mine), *options]) == 0
    (put(room, 2, "unfinished") / layout.END).unlink()
    options = ["--to", to, "--also", "unfinished"]
    assert command.main(["collect", str(room), *options]) == 0
    found = load_campaigns(to)["campaign"].unique()
    assert [x.partition("-")[0] for x in found] == ["apple", "c2"]


@pytest.mark.parametrize("name", ["hand-in", "contribute"])
def test_a_place_that_cannot_be_written_is_named(own, tmp_path, capsys, name):
    mine = put(own, 1, "one")
    file = tmp_path / "file"
    file.touch()
    assert command.main([name, str(mine), "--to", str(file / "below")]) == 1
    told = capsys.readouterr().err
    assert str(file) in told
    assert "Not a directory" in told
    assert told.count("\n") == 1


def test_later_files_are_added(room):
    first = put(room, 1)
    target = collect(room).target
    put(room, 2)
    first.unlink()
    (target / "mine.txt").write_text("the teacher's own")
    collected = collect(room)
    assert copied(collected) == [named(2)]
    assert (target / "mine.txt").exists()


def test_nothing_else_is_overwritten(room, tmp_path):
    with pytest.raises(NoTimings, match="No such file"):
        collect(room)
    room.mkdir()
    with pytest.raises(NoTimings, match="is empty"):
        collect(room)
    file = put(room, 1)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.zip").write_text("dear")
    for target, words in (
        (tmp_path / "full", "Name another folder"),
        (room, "files that were handed in"),
        (file, "cannot be written"),
    ):
        with pytest.raises(WrongPlan, match=words):
            collect(room, target)
    # A manipulated list does not remove files of others or in other folders.
    mine = collect(room).target / "mine.zip"
    mine.touch()
    with mine.with_name(collecting.LIST).open("a") as file:
        file.write("x,ok,../full/thesis,m,3,,\nx,ok,..,m,3,,\nx,wrong,mine,m,3,,\n")
    collect(room)
    assert (tmp_path / "full" / "thesis.zip").exists()
    assert mine.exists()


def test_a_folder_with_the_name_of_a_file_is_no_problem(room):
    put(room, 1)
    put(room, 2)
    target = collect(room).target
    (target / f"{named(1)}.zip").unlink()
    (target / f"{named(1)}.zip").mkdir()
    collected = collect(room)
    assert list(states(collected).values()) == ["wrong", "ok"]
    assert "Is a directory" in collected.found[0].what


def test_the_target_may_be_inside_the_folder(room):
    put(room, 1)
    for _ in range(2):
        assert states(collect(room, room / "good")) == {"1.zip": "ok"}


def test_nothing_good_came_in(room, capsys):
    room.mkdir()
    (room / "x.zip").write_bytes(b"")
    assert command.main(["collect", str(room)]) == 1
    told = capsys.readouterr()
    assert "None of them can be pooled." in told.out
    assert "No campaign can be pooled" in told.err


@pytest.mark.parametrize("names", [("live", "LIVE"), ("x" * 100, "x" * 100)])
def test_campaigns_that_chose_the_same_name(room, names):
    """Some disks cannot tell `live` from `LIVE`."""
    for seed, name in enumerate(names):
        put(room, seed, f"{seed}/live", campaign=name)
    found = copied(collect(room))
    assert len({x.lower() for x in found}) == 2
    # One that already has the name that another one got here.
    put(room, 3, campaign=found[0])
    assert len(copied(collect(room))) == 3


def test_a_handed_in_file_keeps_its_name(own, room):
    file = hand_in(put(own, 1, "one"), room)
    assert copied(collect(room)) == [file.stem]


def test_campaigns_at_the_same_time_are_reported(room):
    """Containers on one server do not see each other's lock."""
    for seed in (1, 2, 3):
        boot = "same" if seed < 3 else "other"
        put(room, seed, told={"boot": boot, "busy": ["load"]})
    collected = collect(room)
    said = [x.what for x in collected.found]
    assert "machine was busy; measured at the same time as 2.zip" in said[0]
    assert "measured at the same time as 1.zip" in said[1]
    assert said[2] == "the machine was busy"
    assert [x.machine for x in collected.found] == ["m1", "m1", "m3"]
    text = collecting.collected_text(collected)
    assert "The 3 good ones come from 2 machines" in text


def test_campaigns_one_after_the_other_are_not_reported(room):
    for seed, hour in ((1, "06"), (2, "09")):
        runs = short(seed)
        runs["started"] = runs["started"].str.replace("T06", f"T{hour}")
        write_campaign(runs, room / str(seed), "m1")
    collected = collect(room)
    assert [x.what for x in collected.good] == ["", ""]
    assert "from 1 machine," in collecting.collected_text(collected)


@pytest.mark.parametrize(
    ("told", "other"),
    [
        ({"data": "Fruits: photographs, from /x: 16 classes, 9 Training"}, "pictures"),
        ({"programs": {"python": "abc", "r": "def"}}, "programs"),
    ],
)
def test_other_work_is_kept_apart(room, told, other):
    painted = "Fruits: painted by this project, from {}: 16 classes, 9 Training"
    for seed in (1, 2, 3):
        files = campaign_files(short(seed), data=painted.format(f"/home/{seed}"))
        if seed == 3:
            name = "plan.json" if other == "programs" else "machine.json"
            files[name] = json.dumps(json.loads(files[name]) | told)
        _pack(room / f"{seed}.zip", files.items())
    collected = collect(room)
    assert list(states(collected).values()) == ["ok", "ok", "other-work"]
    assert collected.found[2].what.startswith(f"{other} ")
    assert "most have" in collected.found[2].what


def test_the_most_frequent_work_is_that_of_the_class(room):
    for seed, epochs in ((1, 2), (2, 4), (3, 4)):
        put(room, seed, epochs=epochs)
    for copy in "ab":
        put(room, 1, f"{copy}.zip", epochs=2)
    collected = collect(room)
    # A copy does not count twice.
    assert list(states(collected).values())[:3] == ["other-work", "ok", "ok"]
    # If each campaign has its own machine, nothing is said about it.
    assert "independent" not in collecting.collected_text(collected)


def test_a_finished_copy_is_used_before_one_that_is_not(room):
    (put(room, 1, "a") / layout.END).unlink()
    put(room, 1, "b")
    assert states(collect(room)) == {"a": "twice", "b": "ok"}


def test_a_damaged_end_is_wrong_and_not_unfinished(room):
    folder = put(room, 1, "a")
    (folder / layout.END).write_text('{"complete": "yes"}')
    found = collect(room).found
    assert [x.state for x in found] == ["wrong"]
    assert found[0].what.startswith("end.json, column complete")


def test_a_folder_s_files_are_no_larger_than_a_zip_file_s(room):
    name, most = layout.RUNS, reading.MOST_SHARED[layout.RUNS]
    os.truncate(put(room, 1, "a") / name, most + 1)
    assert f"{name}: it is too large, expected 5 MB" in collect(room).found[0].what


def test_lost_runs_are_reported(room):
    folder = put(room, 1, "a", arms=("python", "r"))
    rows = (folder / layout.RUNS).read_text().splitlines()
    rows[-1] = rows[-1].replace(",ok,0,", ",timeout,-9,")
    (folder / layout.RUNS).write_text("\n".join([*rows, "c1,9,4"]))
    (x,) = collect(room).found
    assert (x.state, x.blocks) == ("ok", 2)
    assert x.what == "1 of 8 runs did not end properly"
    (folder / layout.RUNS).write_text("\n".join([*rows[:-1], "c1,8,3"]))
    (x,) = collect(room).found
    assert x.what == "the last line is cut off: 2 of 3 blocks"


@pytest.mark.parametrize("other", [2, 3])
def test_runs_that_trained_something_else_are_reported(room, other):
    runs = with_state(short(1), "r", range(1, other + 1), "wrong-loss")
    hit = runs["state"] == "wrong-loss"
    runs.loc[hit, "loss"] = runs.loc[hit, "loss"].map(lambda x: (7.0, *x[1:]))
    folder = write_campaign(runs, room / "a")
    (x,) = collect(room).found
    assert x.state == "wrong" and x.what.startswith(f"{3 - other} block")
    assert f"{other} of 12 runs trained something else" in x.what
    told = "(1 block, so no interval)" if other == 2 else "no block has an ok run"
    assert told in report.show_text(folder)


def test_folders_are_searched_to_a_limited_depth(room):
    for name, levels in (("a", collecting.MOST_LEVELS), ("b", 3)):
        # The folder itself is level 1.
        deep = Path(name, *["d"] * (levels - 1), "campaign")
        put(room, ord(name), deep)
    found = {x.path.relative_to(room).parts[0]: x for x in collect(room).found}
    assert (found["a"].state, found["b"].state) == ("no-hand-in", "ok")
    assert f"{collecting.MOST_LEVELS} levels" in found["a"].what


def test_folders_without_permission_are_reported(room, monkeypatch):
    put(room / "locked", 1)
    put(room, 2)
    whole = os.listdir

    # The tests may run as root, who may read everything.
    def listdir(path):
        if path.name == locked:
            raise PermissionError(13, "Permission denied", str(path))
        return whole(path)

    monkeypatch.setattr(os, "listdir", listdir)
    locked = "locked"
    first, last = collect(room).found
    assert (first.state, last.state) == ("ok", "wrong")
    assert "Permission denied" in last.what
    locked = room.name
    with pytest.raises(NoTimings, match="Permission denied"):
        collect(room)


def test_a_file_that_changes_during_the_check_is_no_problem(room, monkeypatch):
    put(room, 1)
    put(room, 2)
    whole = collecting.copy_campaign

    def copy_some(source, target):
        if source.name == "1.zip":
            raise FileNotFoundError(2, "No such file or directory", str(source))
        return whole(source, target)

    monkeypatch.setattr(collecting, "copy_campaign", copy_some)
    collected = collect(room)
    assert [x.state for x in collected.found] == ["wrong", "ok"]
    assert copied(collected) == [named(2)]
    listed = pd.read_csv(collected.target / collecting.LIST)
    assert listed["state"].tolist() == ["wrong", "ok"]


# --- what `status` and `show` say


def test_a_campaign_is_described_in_words(own):
    told = {"arms": {"r": {"r": "4.5", "dialect": "keras3", "keras3": "1.4"}}}
    folder = put(own, 1, "a", told={**told, "busy": ["load"]})
    rows = (folder / layout.RUNS).read_text().splitlines()
    rows[-1] = rows[-1].replace(",ok,0,", ",interrupted,,")
    (folder / layout.RUNS).write_text("\n".join([*rows, ""]))
    end = {"complete": False, "reason": "done", "disturbed": ["it was hot"]}
    end["overhead"] = {"seconds": 60, "share": 0.0123}
    (folder / layout.END).write_text(json.dumps(end))
    assert "unfinished: 2 of 3 blocks" in report.status_text(own)
    assert report.show_text(folder).endswith("unfinished: 2 of 3 blocks.")
    rule = {"precision": {"half_width": 0.02, "quantity": "q"}}
    as_planned = json.loads((folder / layout.PLAN).read_text())
    (folder / layout.PLAN).write_text(json.dumps(as_planned | rule))
    assert "unfinished: 2 of at most 3 blocks" in report.status_text(own)
    (folder / layout.END).write_text(json.dumps(end | {"complete": True}))
    budget = {"budget_minutes": 1}
    (folder / layout.PLAN).write_text(json.dumps(as_planned | budget))
    assert "finished: done" in report.status_text(own)
    for words in (
        "Of 12 runs: 1 interrupted.",
        "took 1.23%.",
        "During the campaign it was hot.",
    ):
        assert words in report.show_text(folder)
    fit = short(1).query("arm == 'r' and block > 0")["fit_seconds"]
    line = f"\nr +3 .* {np.exp(np.log(fit).mean()):.3f}\n"
    assert re.search(line, report.show_text(folder))
    with pytest.raises(NoTimings, match="nowhere is not there, expected the folder"):
        report.status_text(own / "nowhere")
    shown = describe_machines(folder)
    assert "R 4.5, reticulate unknown, keras3 1.4" in shown
    assert "busy: load" in shown
