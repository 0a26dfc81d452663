"""A class measures: the short campaign, one file each, all of them pooled."""

import csv
import json
import os
import random
import re
import shutil
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_up import campaign_files, made_up_campaign, write_campaign, zip_campaign
from sidebyside.statistics import verdict
from sidebyside.timing import (
    AnotherCampaign,
    NotClean,
    NoTimings,
    WrongPlan,
    WrongRuns,
    collect,
    collecting,
    describe_machines,
    hand_in,
    load_campaigns,
    locks,
    machine,
    plan,
    sharing,
)
from sidebyside.timing import __main__ as command
from sidebyside.timing import format as layout
from sidebyside.timing.loader import Seen, machine_names

SHORT = plan.SHORT


def short(seed=1, **options):
    """What a student measures; each with times of their own."""
    options = {"ratio": 1.1 + seed / 1000, "sd": 0.03, **options}
    options.setdefault("campaign", f"hand-in-{seed:08x}")
    options.setdefault("machine", f"{seed:012x}")
    return made_up_campaign(
        **{"blocks": SHORT.blocks, "arms": SHORT.arms, "seed": seed, **options}
    )


def put(folder, seed, name=None, **told):
    """A student's file in the teacher's folder."""
    runs = short(seed)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name or runs['campaign'].iloc[0]}.zip"
    return zip_campaign(runs, file, runs["machine"].iloc[0], **told)


def states(collected):
    return {x.path.name: x.state for x in collected.found}


@pytest.fixture
def own(tmp_path, monkeypatch):
    """The student's data folder, and where they stand."""
    monkeypatch.setenv("SIDEBYSIDE_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("SIDEBYSIDE_TIMINGS", raising=False)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "data" / "timings"


# --- the short campaign


@pytest.fixture
def asked(monkeypatch):
    """What the command would measure."""
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
    assert command.main(["run"]) == 0
    name, options = asked[1]
    assert (options["blocks"], options["arms"]) == (None, layout.ARMS)
    assert name.startswith("cpu-")


@pytest.mark.parametrize(
    "more",
    [["--blocks", "2"], ["--epochs", "1"], ["--arms", "r"], ["--precision", "0.1"]],
)
def test_the_short_campaign_leaves_nothing_to_choose(asked, capsys, more):
    assert command.main(["run", "--short", *more]) == 1
    assert f"leave it out, or {more[0]}" in capsys.readouterr().err
    assert not asked


# --- one file to hand in


def test_one_file_is_handed_in_and_names_nobody(own, tmp_path, monkeypatch):
    monkeypatch.setenv("USER", "ada-l")
    folder = write_campaign(short(campaign="of-ada-l"), own / "of-ada-l")
    before = load_campaigns(folder)
    told = {"id": "m1", "data": "painted, in /home/ada-l/fruits (16 classes)"}
    (folder / layout.MACHINE).write_text(json.dumps(told))
    (folder / "programs.json").write_text('{"directory": "/home/ada-l"}')
    file = hand_in()
    assert [x.name for x in Path().iterdir()] == [file.name]
    assert file.name == f"hand-in-{sharing.fingerprint(before)}.zip"
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        text = b"".join(archive.read(x) for x in names)
    assert sorted(names) == sorted(f"{file.stem}/{x}" for x in layout.SHARED)
    assert b"ada-l" not in text
    assert b"/home" not in text
    # What was measured is as it was.
    after = load_campaigns(file)
    assert set(after["campaign"]) == {file.stem}
    same = [x for x in layout.COLUMNS if x not in ("campaign", "message")]
    pd.testing.assert_frame_equal(after[same], before[same])
    again = file.read_bytes()
    assert hand_in().read_bytes() == again


def test_the_file_that_is_handed_in_can_have_a_name(own, tmp_path, monkeypatch):
    monkeypatch.setenv("USER", "ada-l")
    write_campaign(short(), own / "one")
    file = hand_in(to=tmp_path / "out" / "folder", name="apple")
    assert file.parent == tmp_path / "out" / "folder"
    assert file.name.startswith("apple-")
    for name, words in (("ada-l", "choose another"), ("a/b", "letters, digits")):
        with pytest.raises(WrongPlan, match=words):
            hand_in(name=name)
    monkeypatch.setattr(sharing, "_check_clean", _not_clean)
    with pytest.raises(NotClean):
        hand_in(to=tmp_path / "not")
    assert not (tmp_path / "not").exists()


def _not_clean(*_):
    raise NotClean("a name is left")


def test_files_of_one_account_and_minute_do_not_collide(own, tmp_path):
    """On Binder all are called jovyan, and have the same machine."""
    files = set()
    for seed in range(5):
        runs = short(seed, campaign="short-cpu-2026-11-22-100000", machine="m1")
        folder = write_campaign(runs, tmp_path / str(seed), "m1")
        files.add(hand_in(folder, tmp_path / "class"))
    assert len(files) == 5
    found = load_campaigns(tmp_path / "class")
    assert found["campaign"].nunique() == 5
    assert set(found["machine"]) == {"m1"}


def test_the_newest_finished_campaign_is_handed_in(own):
    with pytest.raises(WrongPlan, match="run --short` makes one"):
        hand_in()
    old = write_campaign(short(1), own / "old")
    (old / layout.END).unlink()
    with pytest.raises(WrongPlan, match=r"resume .*old`"):
        hand_in()
    write_campaign(short(2), own / "b")
    write_campaign(short(3), own / "a")
    write_campaign(short(4), own / "reference-x")
    for seconds, name in enumerate(("b", "a", "reference-x")):
        os.utime(own / name / layout.END, (10 + seconds, 10 + seconds))
    expected = sharing.fingerprint(load_campaigns(own / "a"))
    assert expected in hand_in().name
    with pytest.raises(WrongPlan, match="is not finished"):
        hand_in(old)


# --- zip files are read as they are


def test_a_zip_file_is_read_like_its_folder(tmp_path):
    runs = short()
    folder = write_campaign(runs, tmp_path / "folder")
    file = zip_campaign(runs, tmp_path / "packed.ZIP")
    pd.testing.assert_frame_equal(load_campaigns(folder), load_campaigns(file))
    assert load_campaigns(file).attrs["folders"] == {runs["campaign"][0]: str(file)}
    assert verdict(load_campaigns(file)).text == verdict(load_campaigns(folder)).text
    assert "Made up" in describe_machines(file)
    # Without a folder in it, and as a Mac packs it.
    files = campaign_files(runs)
    for top in ("", "a/b/"):
        with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
            for name, text in files.items():
                archive.writestr(f"__MACOSX/{top}{name}", "\0")
                archive.writestr(f"{top}{name}", text)
                archive.writestr(
                    f"{top}.DS_Store", "\0"
                ) if name == "plan.json" else None
        assert len(load_campaigns(tmp_path / "other.zip")) == len(runs)


def test_a_folder_may_hold_both(own, tmp_path, monkeypatch):
    put(tmp_path / "class", 1)
    write_campaign(short(2), tmp_path / "class" / "two", "m2")
    found = load_campaigns(tmp_path / "class")
    assert found["machine"].unique().tolist() == ["000000000001", "m2"]
    # A file that was made to be handed in lies beside what it was made of.
    write_campaign(short(1), own / "mine")
    zip_campaign(short(1), own / "mine.zip")
    assert list(load_campaigns().attrs["folders"].values()) == [str(own / "mine")]
    monkeypatch.setenv("SIDEBYSIDE_TIMINGS", "nowhere")
    with pytest.raises(NoTimings, match=r"/here/nowhere is not there"):
        load_campaigns()


def test_the_same_runs_under_two_names_are_not_counted_twice(tmp_path):
    put(tmp_path, 1)
    again = short(1).assign(campaign="another")
    zip_campaign(again, tmp_path / "z.zip", "another")
    with pytest.raises(WrongRuns, match="under another name"):
        load_campaigns(tmp_path)


def _pack(path, entries):
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")  # the same name twice
        for name, text in entries:
            archive.writestr(name, text)
    return path


def _bad_archives():
    files = list(campaign_files(short()).items())
    huge = b"0" * (layout.MOST_SHARED["runs.csv"] + 1)
    yield "two", [(f"{x}/{n}", t) for x in "ab" for n, t in files], "2 files runs.csv"
    yield "twice", [*files, files[0]], "is in it twice"
    yield "none", files[:2], "0 files runs.csv"
    yield "large", [*files[:2], ("runs.csv", huge)], "5,000,000 at most"
    json_bomb = ("plan.json", b" " * (layout.MOST_SHARED["plan.json"] + 1))
    yield "bomb", [json_bomb, *files[1:]], "1,000,000 at most"
    many = [(f"x{i}", "") for i in range(layout.MOST_ENTRIES)]
    yield "many", [*files, *many], "expected 1,000"
    # JSON may be nested too deep for Python.
    deep = ("machine.json", "[" * 100_000)
    yield "deep", [files[0], deep, *files[2:]], "cannot be read as JSON"
    yield "no-plan", files[1:], "missing"
    no_id = ("machine.json", '{"id": 7}')
    yield "no-id", [files[0], no_id, *files[2:]], "found 7, expected a name"


@pytest.mark.parametrize(
    ("entries", "words"),
    [x[1:] for x in _bad_archives()],
    ids=[x[0] for x in _bad_archives()],
)
def test_a_zip_file_that_is_none_of_ours(tmp_path, entries, words):
    file = _pack(tmp_path / "x.zip", entries)
    with pytest.raises(WrongRuns, match=words) as caught:
        load_campaigns(file)
    assert str(caught.value.problems[0].file).startswith(str(file))


def test_a_zip_file_that_is_damaged(tmp_path):
    file = put(tmp_path, 1)
    whole = file.read_bytes()
    for damaged in (b"", b"no zip file", whole[: len(whole) // 2]):
        file.write_bytes(damaged)
        with pytest.raises(WrongRuns, match="damaged"):
            load_campaigns(file)
    # The flag that says that a password is needed.
    flag = whole.index(b"PK\1\2") + 8
    locked = bytearray(whole)
    for start in _places(whole, b"PK\1\2", 8) + _places(whole, b"PK\3\4", 6):
        locked[start] |= 1
    assert flag in _places(whole, b"PK\1\2", 8)
    file.write_bytes(bytes(locked))
    with pytest.raises(WrongRuns, match="password"):
        load_campaigns(file)


def _places(data, mark, beyond):
    found, start = [], data.find(mark)
    while start >= 0:
        found.append(start + beyond)
        start = data.find(mark, start + 1)
    return found


def test_no_path_leads_out_of_a_zip_file(tmp_path):
    (tmp_path / "inner").mkdir()
    files = campaign_files(short())
    entries = [*files.items(), ("../../../tmp/evil", "x")]
    file = _pack(tmp_path / "inner" / "x.zip", entries)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(WrongRuns, match="leads out of the folder"):
        load_campaigns(file)
    assert sorted(tmp_path.rglob("*")) == before


# --- what is one machine


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
        # Computers from one copy of a disk, at the same time.
        (
            [seen("a", "x", 0, 3), seen("a", "y", 2, 4), seen("a", "x", 5, 6)],
            ["a/1", "a/2", "a/1"],
        ),
        # Files from before there was a `boot`.
        ([seen("a"), seen("a", "x")], ["a", "a"]),
    ],
)
def test_machines_are_told_apart(places, names):
    assert machine_names(places) == names


def test_containers_of_one_server_are_one_machine(tmp_path):
    for seed in (1, 2, 3):
        put(tmp_path, seed, boot="one-system" if seed < 3 else "other")
    found = load_campaigns(tmp_path)
    assert found["machine"].unique().tolist() == ["000000000001", "000000000003"]
    text = verdict(found).text
    assert "of 2 machines" in text
    assert "Campaigns of one machine are not independent" in text


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


def test_whoever_shares_a_machine_hears_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("SIDEBYSIDE_TIMING_LOCK", str(tmp_path / "lock"))
    with (
        locks.machine_lock("hers"),
        pytest.raises(AnotherCampaign, match=r"'hers'.* take turns, or measure on"),
        locks.machine_lock("his"),
    ):
        pass


def test_a_notebook_shows_a_sentence_alone():
    for kind in (AnotherCampaign, NoTimings, NotClean, WrongPlan):
        assert kind("Do this.")._render_traceback_() == [f"{kind.__name__}: Do this."]
    problem = WrongRuns([layout.Problem(Path("x.zip"), None, "", "is damaged")])
    assert problem._render_traceback_() == ["WrongRuns: x.zip: is damaged"]
    assert issubclass(WrongRuns, ValueError)


# --- the teacher


@pytest.fixture
def room(tmp_path):
    """A folder with whatever comes in, and the states it should get."""
    folder = tmp_path / "class"
    for seed in (1, 2, 3):
        put(folder, seed)
    put(folder / "Ada Lovelace_123_file", 4)
    shutil.copy(folder / "hand-in-00000001.zip", folder / "copy (1).zip")
    renamed = short(2).assign(campaign="my-own-name")
    zip_campaign(renamed, folder / "renamed.zip", "000000000002")
    other = short(5, epochs=2)
    zip_campaign(other, folder / "two-epochs.zip", "m5")
    unfinished = write_campaign(short(6), folder / "unfinished", "m6")
    (unfinished / layout.END).unlink()
    (folder / "broken.zip").write_bytes(b"PK")
    edited = campaign_files(short(7))
    edited["runs.csv"] = edited["runs.csv"].replace(",r,", ",julia,", 1)
    _pack(folder / "edited.zip", edited.items())
    zip_campaign(short(8, blocks=1), folder / "one-block.zip", "m8")
    zip_campaign(short(9, arms=("python", "python-again")), folder / "no-r.zip", "m9")
    zip_campaign(short(10, campaign="../evil"), folder / "evil.zip", "m10")
    (folder / "thesis.docx").write_text("I have measured")
    (folder / ".DS_Store").write_text("")
    (folder / "__MACOSX").mkdir()
    (folder / "__MACOSX" / "._x.zip").write_text("")
    expected = dict.fromkeys([f"hand-in-{x:08x}.zip" for x in (2, 3, 4)], "ok")
    expected |= {
        # By name the copy comes first.
        "copy (1).zip": "ok",
        "hand-in-00000001.zip": "twice",
        "renamed.zip": "twice",
        "two-epochs.zip": "other-work",
        "unfinished": "unfinished",
        "thesis.docx": "no-hand-in",
    }
    names = ("broken.zip", "edited.zip", "one-block.zip", "no-r.zip", "evil.zip")
    return folder, expected | dict.fromkeys(names, "wrong")


def test_nothing_that_came_in_is_silently_dropped(room, capsys):
    folder, expected = room
    before = {x: x.read_bytes() for x in folder.rglob("*") if x.is_file()}
    collected = collect(folder)
    assert states(collected) == expected
    assert {x: x.read_bytes() for x in folder.rglob("*") if x.is_file()} == before
    assert collected.target == folder.with_name("class-good")
    found = load_campaigns(collected.target)
    assert sorted(found["campaign"].unique()) == [
        f"hand-in-{x:08x}" for x in (1, 2, 3, 4)
    ]
    assert "of 4 machines" in verdict(found).text
    text = collecting.collected_text(collected)
    lines = {
        x.path.name: line
        for x, line in zip(collected.found, text.splitlines()[1:], strict=False)
    }
    for name, words in {
        "copy (1).zip": "ok",
        "hand-in-00000001.zip": "left out: the same runs as copy (1).zip",
        "renamed.zip": "left out: the same runs as hand-in-00000002.zip",
        "two-epochs.zip": "left out: epochs 2, most have 4",
        "unfinished": "left out: not finished",
        "broken.zip": "LEFT OUT: the zip file is damaged",
        "edited.zip": "LEFT OUT: runs.csv, line",
        "one-block.zip": "LEFT OUT: 1 blocks with complete runs of r and python",
        "no-r.zip": "LEFT OUT: 0 blocks",
        "evil.zip": "LEFT OUT: plan.json, column campaign: found '../evil'",
        "thesis.docx": "LEFT OUT: neither a .zip nor a campaign",
    }.items():
        assert words in lines[name], lines[name]
    assert "Ada Lovelace_123_file/hand-in-00000004.zip" in text
    counts = "4 good, 2 handed in twice, 1 not finished, 1 of other work, 5 wrong, "
    counts += "1 not a hand-in"
    assert f"14 in {folder}: {counts}." in text
    assert f"SIDEBYSIDE_TIMINGS={collected.target} make lab" in text
    assert command.main(["collect", str(folder)]) == 0
    assert text in capsys.readouterr().out


def test_a_teacher_may_take_more_in(room):
    folder, _ = room
    collected = collect(folder, also=("unfinished",))
    assert states(collected)["unfinished"] == "ok"
    assert len(collected.good) == 5
    assert len(list(collected.target.glob("*.zip"))) == 5
    collected = collect(folder, also=("unfinished", "other-work"))
    assert len(collected.good) == 6
    text = verdict(load_campaigns(collected.target)).text
    assert "are of 2 kinds of work, which are judged separately" in text
    assert re.search(
        r"hand-in-\w{8} and 4 others: 4 epochs; hand-in-\w{8}: 2 epochs\)", text
    )
    # What is not asked for again goes again.
    assert len(collect(folder).good) == 4
    assert len(list(collected.target.glob("*.zip"))) == 4


def test_more_may_come_in_later(tmp_path):
    folder = tmp_path / "class"
    first = put(folder, 1)
    target = collect(folder).target
    put(folder, 2)
    first.unlink()
    mine = target / "mine.txt"
    mine.write_text("the teacher's own")
    assert collect(folder).target == target
    assert sorted(x.name for x in target.iterdir()) == [
        "collected.csv",
        "hand-in-00000002.zip",
        "mine.txt",
    ]


def test_nothing_else_is_overwritten(tmp_path):
    folder = tmp_path / "class"
    with pytest.raises(NoTimings, match="is not there"):
        collect(folder)
    folder.mkdir()
    with pytest.raises(NoTimings, match="is empty"):
        collect(folder)
    put(folder, 1)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("dear")
    with pytest.raises(WrongPlan, match="name another folder"):
        collect(folder, tmp_path / "full")
    with pytest.raises(WrongPlan, match="where they were handed in"):
        collect(folder, folder)
    with pytest.raises(WrongPlan, match="is no folder"):
        collect(folder, folder / "hand-in-00000001.zip")
    # A list that was tampered with removes nothing elsewhere.
    target = collect(folder).target
    text = (target / "collected.csv").read_text()
    text += "x,ok,../full/thesis,m,3,,\nx,ok,..,m,3,,\n"
    (target / "collected.csv").write_text(text)
    (tmp_path / "full" / "thesis.zip").write_text("dear")
    collect(folder)
    assert (tmp_path / "full" / "thesis.zip").exists()


def test_nothing_good_came_in(tmp_path, capsys):
    (tmp_path / "class").mkdir()
    (tmp_path / "class" / "x.zip").write_bytes(b"")
    assert command.main(["collect", str(tmp_path / "class")]) == 1
    told = capsys.readouterr()
    assert "None of them can be pooled." in told.out
    assert "nothing to pool" in told.err


def test_campaigns_that_chose_the_same_name(tmp_path):
    for seed in (1, 2):
        runs = short(seed, campaign="live")
        folder = tmp_path / "class" / str(seed) / "live"
        write_campaign(runs, folder, f"m{seed}")
    collected = collect(tmp_path / "class")
    names = {x.campaign for x in collected.good}
    assert len(names) == 2
    assert all(x.startswith("live-") for x in names)
    assert set(load_campaigns(collected.target)["campaign"]) == names


def test_who_measured_beside_whom_is_said(tmp_path):
    """Containers on one server do not see each other's lock."""
    for seed in (1, 2, 3):
        put(
            tmp_path / "class",
            seed,
            boot="same" if seed < 3 else "other",
            busy=["load"],
        )
    collected = collect(tmp_path / "class")
    said = [x.what for x in collected.found]
    beside = "measured while hand-in-00000002.zip did, on the same machine"
    assert said[0] == f"the machine was busy; {beside}"
    assert said[2] == "the machine was busy"
    text = collecting.collected_text(collected)
    assert "The 3 campaigns come from 2 machines" in text


def test_other_versions_are_pooled_and_said(tmp_path):
    for seed, version in ((1, "2.20"), (2, "2.21"), (3, "2.21")):
        arms = {"python": {"tensorflow": version}, "r": {"r": "4.5"}}
        put(tmp_path / "class", seed, arms=arms)
    collected = collect(tmp_path / "class")
    assert len(collected.good) == 3
    expected = "TensorFlow 2.21, R 4.5 (2); TensorFlow 2.20, R 4.5 (1)"
    assert expected in collecting.collected_text(collected)


@pytest.mark.parametrize(
    ("told", "other"),
    [
        ({"data": "Fruits: photographs, from /x: 16 classes, 9 Training"}, "pictures"),
        ({"programs": {"python": "abc", "r": "def"}}, "programs"),
    ],
)
def test_other_work_is_kept_apart(tmp_path, told, other):
    painted = "Fruits: painted by this project, from {}: 16 classes, 9 Training"
    for seed in (1, 2, 3):
        mine = {"data": painted.format(f"/home/{seed}")}
        files = campaign_files(short(seed), **mine)
        if seed == 3:
            name = "plan.json" if other == "programs" else "machine.json"
            files[name] = json.dumps(json.loads(files[name]) | told)
        (tmp_path / "class").mkdir(exist_ok=True)
        _pack(tmp_path / "class" / f"{seed}.zip", files.items())
    collected = collect(tmp_path / "class")
    assert list(states(collected).values()) == ["ok", "ok", "other-work"]
    assert collected.found[2].what.startswith(f"{other} ")
    assert "most have" in collected.found[2].what


def test_no_hand_in_stops_the_class(tmp_path):
    """Whatever stands in a file: a sentence for it, and the others go on."""
    chance = random.Random(3)
    folder = tmp_path / "class"
    put(folder, 1)
    junk = [None, [], {}, 7, "x", [[]], {"a": {}}, True, -1, 1e300, [None], ""]
    for number in range(60):
        files = campaign_files(short(2 + number % 3), busy=["x"])
        name = chance.choice(["plan.json", "machine.json", "end.json", "runs.csv"])
        if name == "runs.csv":
            data = bytearray(files[name].encode())
            for _ in range(chance.choice([1, 1, 20])):
                data[chance.randrange(len(data))] = chance.randrange(256)
            files[name] = bytes(data)
        else:
            content = json.loads(files[name])
            key = chance.choice([*content, "arms", "data", "boot", "programs"])
            content[key] = chance.choice(junk)
            files[name] = json.dumps(content)
        _pack(folder / f"{number}.zip", files.items())
    collected = collect(folder)
    assert len(collected.found) == 61
    assert states(collected)["hand-in-00000001.zip"] == "ok"
    assert sum(x.state == "wrong" for x in collected.found) > 10
    assert all(x.what for x in collected.found if x.state != "ok")
    collecting.collected_text(collected)
    found = load_campaigns(collected.target)
    assert found["campaign"].nunique() == len(collected.good)
    assert "cores" in describe_machines(collected.target)


def test_a_room_that_cannot_be_read_is_said(tmp_path, monkeypatch):
    room = tmp_path / "class"
    write_campaign(short(), room / "z")

    # The tests may run as root, who may read everything.
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "listdir", refuse)
    with pytest.raises(NoTimings, match="Permission denied"):
        collect(room)


def test_a_file_that_changes_meanwhile_stops_nobody(tmp_path, monkeypatch):
    room = tmp_path / "class"
    for seed in (1, 2):
        write_campaign(short(seed), room / str(seed))

    def copy_some(source, target):
        if source.name == "1":
            raise FileNotFoundError(2, "No such file or directory", str(source))
        return copied(source, target)

    copied = collecting.copy_campaign
    monkeypatch.setattr(collecting, "copy_campaign", copy_some)
    collected = collect(room)
    assert [x.state for x in collected.found] == ["wrong", "ok"]
    assert [x.name for x in collected.target.glob("*.zip")] == ["hand-in-00000002.zip"]
    with (collected.target / collecting.LIST).open(encoding="utf-8") as file:
        listed = list(csv.DictReader(file))
    assert [x["state"] for x in listed] == ["wrong", "ok"]


def test_a_name_that_is_made_for_one_is_not_another_s(tmp_path):
    room = tmp_path / "class"
    for seed in (1, 2):
        write_campaign(short(seed, campaign="live"), room / str(seed), f"m{seed}")
    first = collect(room).good[0].campaign
    write_campaign(short(3, campaign=first), room / "3", "m3")
    collected = collect(room)
    assert len({x.campaign for x in collected.good}) == 3
    assert load_campaigns(collected.target)["campaign"].nunique() == 3


def test_a_finished_copy_is_used_before_one_that_is_not(tmp_path):
    room = tmp_path / "class"
    (write_campaign(short(1), room / "a") / layout.END).unlink()
    write_campaign(short(1), room / "b")
    assert states(collect(room)) == {"a": "twice", "b": "ok"}


def test_the_work_of_most_is_the_class_s_whoever_comes_first(tmp_path):
    room = tmp_path / "class"
    for seed, epochs in ((1, 2), (2, 4), (3, 4)):
        runs = short(seed, epochs=epochs)
        write_campaign(runs, room / str(seed), f"m{seed}")
    collected = collect(room)
    assert states(collected) == {"1": "other-work", "2": "ok", "3": "ok"}
    # Two machines for two campaigns need no remark.
    assert "independent" not in collecting.collected_text(collected)


def test_a_damaged_end_is_wrong_and_not_unfinished(tmp_path):
    folder = write_campaign(short(1), tmp_path / "class" / "a")
    (folder / layout.END).write_text('{"complete": "yes"}')
    found = collect(tmp_path / "class").found
    assert [x.state for x in found] == ["wrong"]
    assert "end.json, column complete" in found[0].what


@pytest.mark.parametrize("names", [("live", "LIVE"), ("x" * 100, "x" * 100)])
def test_names_that_a_disk_cannot_tell_apart(tmp_path, names):
    room = tmp_path / "class"
    for seed, name in enumerate(names):
        write_campaign(short(seed, campaign=name), room / str(seed), f"m{seed}")
    collected = collect(room)
    assert len({x.campaign.lower() for x in collected.good}) == 2
    assert load_campaigns(collected.target)["campaign"].nunique() == 2


def test_folders_are_looked_into_so_deep(tmp_path):
    room = tmp_path / "class"
    for name, levels in (("a", collecting.MOST_LEVELS), ("b", 3)):
        # The room's own folder is level 1.
        deep = room / name / Path(*["d"] * (levels - 1)) / "campaign"
        write_campaign(short(ord(name)), deep, name)
    found = {x.path.relative_to(room).parts[0]: x for x in collect(room).found}
    assert (found["a"].state, found["b"].state) == ("no-hand-in", "ok")
    assert f"{collecting.MOST_LEVELS} levels" in found["a"].what


def test_one_after_the_other_is_not_beside(tmp_path):
    room = tmp_path / "class"
    for seed, hour in ((1, "06"), (2, "09")):
        runs = short(seed)
        runs["started"] = runs["started"].str.replace("T06", f"T{hour}")
        write_campaign(runs, room / str(seed), "m1")
    collected = collect(room)
    assert [x.what for x in collected.good] == ["", ""]
    assert "from 1 machine," in collecting.collected_text(collected)


def test_every_text_is_cleaned_and_ordinary_words_stay(own, monkeypatch):
    monkeypatch.setenv("USER", "ada")
    monkeypatch.setenv("LOGNAME", "ada.l")
    monkeypatch.setenv("HOSTNAME", "xeon")
    monkeypatch.setattr(sharing.socket, "gethostname", lambda: "data")
    monkeypatch.setattr(sharing.socket, "getfqdn", lambda: "data.ada.l")
    runs = short(1)
    runs.loc[0, "message"] = "told ada.l and ada: data, /home/ada/x"
    told = {"cpu": {"name": "Intel Xeon"}, "data": "on xeon"}
    folder = write_campaign(runs, own / "one", "m1", **told)
    plan_ = json.loads((folder / layout.PLAN).read_text()) | {"design": "by ada"}
    (folder / layout.PLAN).write_text(json.dumps(plan_))
    end = {"complete": True, "reason": "ada stopped it"}
    (folder / layout.END).write_text(json.dumps(end))
    file = hand_in()
    rows = layout.read_rows(file)
    assert rows[0]["message"] == "told ... and ...: data, x"
    assert layout.read_plan(file).design == "by ..."
    assert layout.read_end(file)["reason"] == "... stopped it"
    assert layout.read_machine(file)["data"] == "on xeon"


def test_only_what_is_finished_is_contributed(own, tmp_path):
    folder = write_campaign(short(1), own / "one")
    (folder / layout.END).unlink()
    with pytest.raises(WrongPlan, match=r"resume .*one`"):
        sharing.contribute(folder, tmp_path / "to")
    assert not (tmp_path / "to").exists()


def test_the_states_of_runs_are_part_of_what_was_measured():
    table = short(1)
    other = table.assign(state="wrong-loss")
    assert sharing.fingerprint(table) != sharing.fingerprint(other)


# --- all of them


def test_thirty_campaigns_are_pooled(tmp_path):
    chance = np.random.default_rng(1)
    for seed in range(30):
        runs = short(
            seed, ratio=float(np.exp(chance.normal(np.log(1.1), 0.02))), sd=0.05
        )
        zip_campaign(runs, tmp_path / f"{seed}.zip", f"m{seed}")
    found = verdict(load_campaigns(tmp_path))
    headline = found.finding()
    assert len(headline.parts) == 30
    assert headline.pool.df == 29
    assert headline.outcome == "slower"
    assert headline.interval.low < 1.1 < headline.interval.high
    assert "pools 30 campaigns of 30 machines" in found.text
    # Nobody reads thirty names in a sentence.
    assert "hand-in-" not in found.text
