"""Whatever a class hands in, `collect` gives a line for it and goes on.

`python tests/timing/test_strangers.py 20000` tries that many changed files.
"""

import copy
import csv
import json
import os
import random
import sys
import tempfile
import zipfile
from pathlib import Path

import hostile
import pytest
from made_up import campaign_files, made_up_campaign, write_campaign
from sidebyside.common.errors import Sentence
from sidebyside.timing import NoTimings, collect, collecting, load_campaigns
from sidebyside.timing import format as layout

ESCAPE = "\x1b]0;owned\x07\x1b[31m\u202e"


def campaign(seed=1, **options):
    options = {"blocks": 3, "arms": ("python", "r"), "epochs": 2, **options}
    options.setdefault("campaign", f"c{seed}")
    return made_up_campaign(seed=seed, **options)


def fill(folder, files):
    """A campaign's folder with these files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        data = content if isinstance(content, bytes) else content.encode()
        (folder / name).write_bytes(data)
    return folder


# --- files of any kind, in a process with limits


def read(folder):
    """The line that `collect` has for the only thing in a folder."""
    collected = collect(folder)
    assert len(collected.found) == 1, collected.found
    line = collecting.collected_text(collected).splitlines()[1]
    # hostile.check() looks for words about the end of memory.
    return line.replace("peak_memory_mb", "")


def large_files(good):
    """(what is wrong, files): as large as they may be, and mostly that."""
    most = layout.MOST_SHARED[layout.RUNS] - 1000
    header, first, *_ = good[layout.RUNS].splitlines()
    width = header.count(",") + 1
    columns = header.split(",")

    def runs(line):
        count = most // (len(line) + 1)
        return {layout.RUNS: f"{header}\n" + f"{line}\n" * count}

    def with_field(name, text):
        fields = first.split(",")
        fields[columns.index(name)] = text
        return ",".join(fields)

    yield "commas", runs("," * (width - 1))
    yield "empty lines", runs("")
    yield "more fields than columns", runs("," * width)
    yield "the same row", runs(first)
    yield "one line of commas", runs("," * (most - 1000))
    yield "quotes", runs('"' * 100 + "," * (width - 1))
    yield (
        "a wide header",
        {layout.RUNS: header + ",x" * (most // 3) + "\n" + first + "\n"},
    )
    for text in ("1;", "10;", "nan;", "x;", ";"):
        long = text * (most // len(text) - 1000) + "1"
        yield f"a list of {text}", runs(with_field("loss", long))
    yield "a long number", runs(with_field("seed", "9" * (most - 5000)))
    yield "a long word", runs(with_field("arm", "r" * (most - 5000)))
    most = layout.MOST_SHARED[layout.PLAN] - 1000
    for name in (layout.PLAN, layout.MACHINE, layout.END):
        for one in ("[],", "{},", '"",', "1,", '{"":[]},', "1e999,"):
            filled = one * (most // len(one))
            yield f"{name} full of {one}", {name: f'{{"order": [{filled}1]}}'}
        yield f"{name}, deep", {name: '{"order": ' + "[" * most}
        yield f"{name}, digits", {name: '{"seed": ' + "9" * most + "}"}
        yield f"{name}, zeros", {name: b"\0" * most}
    block = '{"block": 0, "seed": 1, "arms": ["python", "r"]},'
    plan = json.loads(good[layout.PLAN]) | {"order": []}
    order = block * (most // len(block)) + block[:-1]
    text = json.dumps(plan).replace('"order": []', f'"order": [{order}]')
    yield "a plan of many blocks", {layout.PLAN: text}


@pytest.fixture(scope="module")
def hostile_things(tmp_path_factory):
    """(what is wrong, a folder with one thing to hand in)."""
    place = tmp_path_factory.mktemp("class")
    found = []

    def room(wrong):
        found.append((wrong, place / str(len(found))))
        found[-1][1].mkdir()
        return found[-1][1]

    good = campaign_files(campaign())
    entries = [
        hostile.Entry(f"c/{name}".encode(), text.encode(), hostile.DEFLATED)
        for name, text in good.items()
    ]
    made = tmp_path_factory.mktemp("files")
    for number, (wrong, path) in enumerate(hostile.files(made, entries, b"c/")):
        # The tests of archives try all of them.
        chosen = number % 4 == 0 or not path.stem.isdigit()
        if chosen and os.path.lexists(path) and not path.is_dir():
            os.rename(path, room(wrong) / path.name)
    for wrong, changed in large_files(good):
        fill(room(wrong) / "c", good | changed)
    for name in layout.SHARED:
        os.mkfifo(fill(room(f"{name} is a pipe") / "c", good) / "pipe")
        inside = found[-1][1] / "c"
        os.replace(inside / "pipe", inside / name)
        inside = fill(room(f"{name} is a device") / "c", good)
        (inside / name).unlink()
        (inside / name).symlink_to("/dev/zero")
        inside = fill(room(f"{name} is a folder") / "c", good)
        (inside / name).unlink()
        (inside / name).mkdir()
        inside = fill(room(f"{name} is a link to itself") / "c", good)
        (inside / name).unlink()
        (inside / name).symlink_to(name)
        with (fill(room(f"{name} of 64 GB") / "c", good) / name).open("wb") as file:
            file.truncate(1 << 36)
    (room("a link to the folder above") / "up").symlink_to("..")
    fill(room("a name that a terminal obeys") / f"c{ESCAPE}", good | {layout.PLAN: ""})
    (room("a name that is no text") / os.fsdecode(b"\xff\xfe")).write_text("")
    return found


def test_every_hostile_hand_in_gets_a_line_in_bounded_memory(hostile_things):
    wrongs, folders = zip(*hostile_things, strict=True)
    assert len(folders) > 100
    results = hostile.watched(__name__, folders)
    hostile.check(results, wrongs)
    for (said, _), wrong in zip(results, wrongs, strict=True):
        assert "AssertionError" not in said, (wrong, said)
        assert "it cannot be used" not in said, (wrong, said)


# --- folders of any kind


def test_links_depth_and_number_of_folders_stop_nobody(tmp_path):
    room = tmp_path / "class"
    for name in ("a", "b"):
        (room / "links").mkdir(parents=True, exist_ok=True)
        (room / "links" / name).symlink_to(".")
    deep = room / "deep"
    for _ in range(300):
        deep = deep / "d"
    deep.mkdir(parents=True)
    (room / "many").mkdir()
    for number in range(collecting.MOST_FILES + 10):
        (room / "many" / f"{number}.txt").touch()
    write_campaign(campaign(), room / "z")
    found = collect(room).found
    assert [x.path.name for x in found if x.state == "ok"] == ["z"]
    said = {x.path.relative_to(room).parts[0] for x in found}
    assert said == {"links", "deep", "many", "z"}
    assert sum(x.path == room / "many" for x in found) == 1
    assert len(found) < collecting.MOST_FILES + 10


def test_a_folder_that_cannot_be_read_stops_nobody(tmp_path, monkeypatch):
    room = tmp_path / "class"
    (room / "closed").mkdir(parents=True)
    write_campaign(campaign(), room / "z")
    listed = os.listdir

    # The tests may run as root, who may read everything.
    def refuse(path):
        if Path(path).name in closed:
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    closed = {"closed"}
    monkeypatch.setattr(os, "listdir", refuse)
    found = {x.path.name: x for x in collect(room).found}
    assert found["closed"].state == "wrong"
    assert "Permission denied" in found["closed"].what
    assert found["z"].state == "ok"
    closed.add("class")
    with pytest.raises(NoTimings, match="Permission denied"):
        collect(room)


def test_a_file_that_changes_meanwhile_stops_nobody(tmp_path, monkeypatch):
    room = tmp_path / "class"
    for seed in (1, 2):
        write_campaign(campaign(seed), room / str(seed))

    def copy_some(source, target):
        if source.name == "1":
            raise FileNotFoundError(2, "No such file or directory", str(source))
        return copied(source, target)

    copied = collecting.copy_campaign
    monkeypatch.setattr(collecting, "copy_campaign", copy_some)
    collected = collect(room)
    assert [x.state for x in collected.found] == ["wrong", "ok"]
    assert [x.name for x in collected.target.glob("*.zip")] == ["c2.zip"]
    with (collected.target / collecting.LIST).open(encoding="utf-8") as file:
        listed = list(csv.DictReader(file))
    assert [x["state"] for x in listed] == ["wrong", "ok"]


def test_a_name_that_is_made_for_one_is_not_another_s(tmp_path):
    room = tmp_path / "class"
    for seed in (1, 2):
        write_campaign(campaign(seed, campaign="live"), room / str(seed), f"m{seed}")
    first = collect(room).good[0].campaign
    write_campaign(campaign(3, campaign=first), room / "3", "m3")
    collected = collect(room)
    assert len({x.campaign for x in collected.good}) == 3
    assert load_campaigns(collected.target)["campaign"].nunique() == 3


# --- changed files


JUNK = [
    *(None, True, -1, 0, 10**30, -(10**30), 2**63, 1e300, 1e-300, "", "x", ESCAPE),
    *("\ud800", "a" * 300, [], {}, [[]], [None], {"a": {}}, {"a": None}, [{}], ["r"]),
    *([["r"], "python"], [{"r": 1}, "python"], "../x", "\0", 7, 0.5, -0.0),
]
TEXTS = [
    *("", "-1", "nan", "inf", "1e400", "9" * 400, "1_0", "٣", "0x1", " 1", "1.5"),
    *('"', '""', "1;", ";", "1;nan", "\r", "\0", "=1+1", "ok", "wrong-loss", "r"),
    *("crashed", "2026-02-30T00:00:00Z", "2026-11-22T06:00:00Z", ESCAPE, "\ud7ff"),
]


def changed(chance, files):
    """The files of a campaign with a few changes in one of them."""
    files = dict(files)
    name = chance.choice(list(files))
    how = chance.random()
    if how < 0.3:
        data = bytearray(files[name].encode())
        for _ in range(chance.choice((1, 1, 3, 30))):
            data[chance.randrange(len(data))] = chance.randrange(256)
        files[name] = bytes(data[: chance.choice((len(data), len(data) // 2))])
    elif how < 0.35:
        del files[name]
    elif name == layout.RUNS:
        rows = [x.split(",") for x in files[name].split("\n")]
        for _ in range(chance.choice((1, 2, 5))):
            row = chance.choice(rows)
            row[chance.randrange(len(row))] = chance.choice(TEXTS)
        if chance.random() < 0.1:
            chance.shuffle(rows)
        text = "\n".join(",".join(row) for row in rows)
        files[name] = text.encode("utf-8", "surrogatepass")
    else:
        content = json.loads(files[name])
        for _ in range(chance.choice((1, 1, 2))):
            content = _with_junk(chance, content)
        files[name] = json.dumps(content)
    return files


def _with_junk(chance, value):
    if isinstance(value, dict | list) and value and chance.random() < 0.8:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = chance.choice(keys)
        value[key] = _with_junk(chance, value[key])
        return value
    return copy.deepcopy(chance.choice(JUNK))


def packed(chance, files, path):
    """The files as a zip file with a few other bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(f"c/{name}", content)
    if chance.random() < 0.5:
        data = bytearray(path.read_bytes())
        for _ in range(chance.choice((1, 3, 20))):
            end = chance.choice((len(data), min(len(data), 400)))
            data[-chance.randrange(1, end + 1)] = chance.randrange(256)
        path.write_bytes(data)


def crashes(seed, number, place):
    """What went wrong with changed campaigns, a hundred at a time."""
    chance = random.Random(seed)
    told = {"boot": "b", "memory_gb": 8, "gpu": [], "busy": ["x"], "data": "d"}
    arms = {"python": {"tensorflow": "2.20"}, "r": {"r": "4.5", "dialect": "keras3"}}
    good = [campaign_files(campaign(x), arms=arms, **told) for x in (1, 2, 3)]
    found, states = [], set()
    for begin in range(0, number, 100):
        room = place / str(begin) / "class"
        for x in range(min(100, number - begin)):
            files = changed(chance, chance.choice(good))
            if chance.random() < 0.3:
                room.mkdir(parents=True, exist_ok=True)
                packed(chance, files, room / f"{x}.zip")
            else:
                fill(room / str(x), files)
        try:
            collected = collect(room, also=("unfinished", "other-work"))
            text = collecting.collected_text(collected)
            assert text.replace("\n", "").isprintable(), "raw"
            if collected.good:
                load_campaigns(collected.target)
        except Exception as problem:
            found.append(f"{room}: {type(problem).__name__}: {problem}")
            continue
        states |= {x.state for x in collected.found}
        found += [
            f"{x.path}: {x.what}" for x in collected.found if "cannot be used" in x.what
        ]
        for x in room.iterdir():
            try:
                load_campaigns(x)
            except Sentence:
                pass
            except Exception as problem:
                found.append(f"{x}: {type(problem).__name__}: {problem}")
    return found, states


@pytest.mark.filterwarnings("ignore::sidebyside.timing.format.CutOff")
def test_changed_hand_ins_get_a_line(tmp_path):
    found, states = crashes(7, 300, tmp_path)
    assert found == []
    assert {"ok", "twice", "wrong"} <= states


if __name__ == "__main__":
    import warnings

    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        told, _ = crashes(1, int(sys.argv[1]), Path(folder))
        print(len(told), "crashes", *told[:30], sep="\n")
