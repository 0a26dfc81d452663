"""Hand-ins that are damaged or made to do harm: each raises only a clear error."""

import bz2
import copy
import io
import json
import os
import random
import socket
import subprocess
import sys
import time
import zipfile

import pytest
from made_up import campaign_files, made_up_campaign
from sidebyside.timing import NoTimings, WrongRuns, collect, load_campaigns, reading
from sidebyside.timing import format as layout
from sidebyside.timing.__main__ import main
from sidebyside.timing.collecting import MOST_FILES, collected_text
from sidebyside.timing.report import describe_machines, show_text, status_text

JUNK = [
    *(None, True, False, 0, -1, 1, 10**30, 10**400, -(2**63), 2**31, 1e300, 0.5),
    *(float("nan"), float("inf"), "", "x", "\x1b[31m", "\ud800", "\u202e", "a\nb"),
    *("../../x", "=1+1", "9" * 5000, [], {}, [[]], [None], [1, "r"], {"a": {}}),
    *({"id": []}, [{"block": 0}], [{}], [["python"]]),
]
FIELDS = ["", "1_0", "infinity", "nan", "-0", "1e999", "\u0661", " 1", "0x1", "1;;2"]
FIELDS += ["1.0", "9" * 400, "\x1b[2J", '"', "ok", "2026-11-22T09:30:00Z", "é", ";"]


def hand_in(seed):
    arms = ("python", "r", "python-again")
    runs = made_up_campaign(
        blocks=3, arms=arms, seed=seed, campaign=f"c{seed}", machine=f"m{seed}"
    )
    return campaign_files(runs, f"m{seed}", data="Fruits: x", boot="b", busy=["load"])


def put(folder, files):
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def packed(path, files, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(f"x/{name}", data)
    return path


def mutated_json(text, chance):
    content = json.loads(text)
    for _ in range(chance.choice([1, 1, 3])):
        place = content
        while True:
            if isinstance(place, dict):
                key = chance.choice([*place, "gpu", "precision", "overhead"])
                inner = place.get(key)
            else:
                key = chance.randrange(len(place))
                inner = place[key]
            if not isinstance(inner, dict | list) or not inner or chance.random() < 0.4:
                break
            place = inner
        place[key] = copy.deepcopy(chance.choice(JUNK))
    if chance.random() < 0.1:
        depth = chance.choice([30, 900, 5000])
        return text.rstrip()[:-1] + ', "x": ' + "[" * depth + "]" * depth + "}"
    return json.dumps(content)


def mutated_rows(text, chance):
    lines = text.splitlines()
    for _ in range(chance.choice([1, 1, 5])):
        number = chance.randrange(len(lines))
        fields = lines[number].split(",")
        fields[chance.randrange(len(fields))] = chance.choice(FIELDS)
        lines[number] = ",".join(fields)
    if chance.random() < 0.3:
        chance.shuffle(lines)
    return "\n".join(lines) + chance.choice(["\n", "\n", "", "\r", "\0\0", "\n\n"])


def damaged(data, chance):
    data = bytearray(data)
    for _ in range(chance.choice([1, 1, 4, 30])):
        data[chance.randrange(len(data))] = chance.randrange(256)
    return bytes(data[: chance.randrange(len(data))] if chance.random() < 0.2 else data)


def write_mutated(place, number, chance):
    """Write one hand-in with an error in a file or in its zip file."""
    files = {k: v.encode() for k, v in hand_in(number % 5 + 1).items()}
    kind = chance.choice(["json", "json", "rows", "bytes", "missing", "zip"])
    name = chance.choice(["plan.json", "plan.json", "machine.json", "end.json"])
    if kind == "json":
        files[name] = mutated_json(files[name].decode(), chance).encode()
    elif kind == "rows":
        files["runs.csv"] = mutated_rows(files["runs.csv"].decode(), chance).encode()
    elif kind == "bytes":
        name = chance.choice(list(files))
        files[name] = damaged(files[name], chance)
    elif kind == "missing":
        del files[chance.choice(list(files))]
    if chance.random() < 0.4 and kind != "zip":
        put(place / f"folder-{number}", files)
        return
    path = packed(place / f"{number}.zip", files)
    if kind == "zip":
        path.write_bytes(damaged(path.read_bytes(), chance))


def fuzz(place, first, count, seed):
    """Check `count` mutated hand-ins; every problem must be a clear error."""
    place.mkdir()
    chance = random.Random(seed)
    for number in range(first, first + count):
        write_mutated(place, number, chance)
    collected = collect(place)
    assert len(collected.found) >= count
    for x in collected.found:
        # An error that nobody expected, and that collect() catches.
        assert "cannot be used" not in x.what, (x.path, x.what)
        assert x.what or x.state == "ok"
    assert collected_text(collected).replace("\n", "").isprintable()
    if collected.good:
        load_campaigns(collected.target)
        describe_machines(collected.target)
    for folder in place.glob("folder-*"):
        try:
            text = show_text(folder)
        except (NoTimings, WrongRuns) as problem:
            text = str(problem)
        assert text.replace("\n", "").isprintable()
    assert status_text(place).replace("\n", "").isprintable()
    return collected


def test_every_file_has_a_line_in_the_table(tmp_path):
    collected = fuzz(tmp_path / "class", 0, 150, seed=7)
    states = [x.state for x in collected.found]
    assert states.count("wrong") > 60


@pytest.mark.parametrize(
    "name", ["日本 語", "🍎", "e\u0301", "\u202e", "\x1b[31m\n", os.fsdecode(b"\xff")]
)
def test_names_of_all_scripts_are_printed_everywhere(tmp_path, monkeypatch, name):
    """They are printed even if the terminal knows only ASCII."""
    monkeypatch.chdir(tmp_path)
    place = tmp_path / name
    place.mkdir()
    files = hand_in(1)
    told = {"id": "m1", "data": "Fruits: 🍎", "busy": ["日本\u202e"]}
    files["machine.json"] = json.dumps(told)
    files["end.json"] = json.dumps({"complete": True, "reason": "\u2028🍎"})
    folder = put(place / name, {k: v.encode() for k, v in files.items()})
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), "ascii"))
    lost = str(place / "lost")
    for status, *arguments in (
        *((0, x, str(folder)) for x in ("show", "hand-in")),
        (0, "contribute", str(folder), "--to", str(place / "to")),
        (0, "status", "--directory", str(place)),
        (1, "collect", str(folder)),
        (0, "collect", str(place), "--to", str(tmp_path / f"{name}-good")),
        *((1, x, lost) for x in ("show", "contribute", "hand-in", "collect", "resume")),
        (1, "run", "--name", name),
        (1, "run", "--notebook", lost),
    ):
        assert main(arguments) == status, arguments
    print(describe_machines(folder))
    print(load_campaigns(folder)["work"][0])
    sys.stdout.flush()
    shown = sys.stdout.buffer.getvalue().decode("ascii")
    assert shown.replace("\n", "").isprintable()


# --- files that need too much memory or time


def bombs(place):
    """Each of these once needed gigabytes or never ended."""
    good = {k: v.encode() for k, v in hand_in(1).items()}
    header = good["runs.csv"].split(b"\n")[0]
    most = reading.MOST_SHARED["runs.csv"] - len(header) - 10
    blank, commas = header + b"\n" * most, header + b"\n" + b"," * most + b"\n"
    line = b",".join([b"12"] * (header.count(b",") + 1)) + b"\n"
    fields = header + b"\n" + line * (most // len(line))
    for number, rows in enumerate((blank, commas, fields)):
        packed(place / f"rows-{number}.zip", good | {"runs.csv": rows})
        put(place / f"rows-folder-{number}", good | {"runs.csv": rows})
    zeros = good | {"runs.csv": bytes(200_000_000)}
    packed(place / "bz2.zip", zeros, zipfile.ZIP_BZIP2)
    packed(place / "lie.zip", good | {"plan.json": b" " * 2_000_000})
    wide = b'{"order": [' + b"1," * 450_000 + b"1]}"
    packed(place / "wide.zip", good | {"plan.json": wide})
    deep = b'{"id": ' + b"[" * 400_000 + b"]" * 400_000 + b"}"
    put(place / "deep", good | {"machine.json": deep})
    with (put(place / "large", good) / "plan.json").open("r+b") as file:
        file.truncate(150_000_000)
    for name in layout.SHARED:
        others = {k: v for k, v in good.items() if k != name}
        os.mkfifo(put(place / f"pipe-{name}", others) / name)
        (put(place / f"device-{name}", others) / name).symlink_to("/dev/zero")
        (put(place / f"folder-{name}", others) / name).mkdir()
    os.mkfifo(place / "pipe.zip")
    (place / "zero.zip").symlink_to("/dev/zero")
    (place / "broken-link.zip").symlink_to("nowhere")
    sock = socket.socket(socket.AF_UNIX)
    os.chdir(place)
    sock.bind("socket.zip")
    sock.close()
    many = place / "many-links"
    many.mkdir()
    for name in ("a", "b"):
        (many / name).symlink_to(".")
        (place / name).symlink_to(".")
    deepest = place / "very" / "/".join(["deep"] * 300)
    deepest.mkdir(parents=True)
    (deepest / "runs.csv").write_bytes(good["runs.csv"])
    crowd = place / "crowd"
    crowd.mkdir()
    for number in range(MOST_FILES + 500):
        (crowd / f"{number}.txt").touch()
    (place / "\x1b[31mred\n.zip").write_bytes(b"PK")
    (place / os.fsdecode(b"\xff\xfe.zip")).write_bytes(bz2.compress(b"x"))
    for number in (2, 3):
        files = {k: v.encode() for k, v in hand_in(number).items()}
        packed(place / f"good-{number}.zip", files)


# VmHWM and not ru_maxrss, because Linux also counts the parent process in that.
COLLECT = """
import re, sys
from sidebyside.timing.__main__ import main
status = main(["collect", sys.argv[1], "--to", sys.argv[2]])
with open("/proc/self/status") as file:
    print("MB", int(re.search(r"VmHWM:\\s*(\\d+)", file.read())[1]) / 1e3)
sys.exit(status)
"""


def test_no_hand_in_takes_too_much_memory_or_time(tmp_path):
    place = tmp_path / "class"
    place.mkdir()
    here = os.getcwd()
    try:
        bombs(place)
    finally:
        os.chdir(here)
    start = time.monotonic()
    found = subprocess.run(
        [sys.executable, "-c", COLLECT, str(place), str(tmp_path / "good")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    seconds = time.monotonic() - start
    assert found.returncode == 0, found.stderr
    *table, memory = found.stdout.strip().split("\n")
    assert float(memory.split()[1]) < 500, memory
    # There are 50 of them, so each may take 10 seconds.
    assert seconds < 60
    assert "".join(table).isprintable()
    lines = {line.split()[0]: line for line in table if line.strip()}
    assert "cannot be used" not in found.stdout
    good = [x.name[:3] for x in (tmp_path / "good").glob("*.zip")]
    assert sorted(good) == ["c2-", "c3-"]
    for name in ("bz2.zip", "lie.zip", "rows-0.zip", "wide.zip", "large", "deep"):
        assert "LEFT OUT" in lines[name], lines[name]
    assert f"more than {MOST_FILES} files" in lines["crowd"]
    assert "a link to a folder" in lines["a"]
