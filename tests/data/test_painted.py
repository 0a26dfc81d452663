"""Painted fruits: always the same, what they look like, how they are kept.

Only a person can judge the contact sheet. The tests here check what follows from it:
a fruit with its own colour that turns on a white background.
"""

import errno
import functools
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sidebyside.data.fruits import CLASSES
from sidebyside.data.painted import painter as painted
from sidebyside.data.painted.painter import (
    PAINTED,
    CannotPaint,
    contact_sheet,
    is_complete,
    paint,
    paint_fruits,
)

ROOT = Path(__file__).resolve().parents[2]

# Two fruits that are quick to paint, with a few pictures each.
FEW = {"classes": ("Banana", "Lemon"), "training": 3, "test": 2}


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch):
    """Paint in this process only; tests about other processes change this."""
    monkeypatch.setattr(painted, "_cores", lambda: 1)


@functools.cache
def painting(name, part="Training", index=0):
    return paint(name, part=part, index=index)


def is_fruit(picture):
    """Return where the picture is not white. (Fuzz can be very light.)"""
    return (picture < 245).any(axis=-1)


def contents(folder):
    """Return every file below a folder and its SHA-256."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(
            path.read_bytes()
        ).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def left_over(folder):
    """List a folder without the lock."""
    return sorted(x.name for x in folder.iterdir() if x.suffix != ".lock")


def in_a_process_of_its_own(code, **variables):
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# --- What is drawn


def test_every_fruit_of_the_study_can_be_painted():
    assert tuple(CLASSES) == PAINTED


@pytest.mark.parametrize("name", PAINTED)
def test_a_fruit_fills_its_picture_on_a_white_background(name):
    picture = painting(name)
    assert picture.dtype == np.uint8
    assert picture.shape == (100, 100, 3)
    corners = picture[[0, 0, -1, -1], [0, -1, 0, -1]]
    assert (corners == 255).all()
    fruit = is_fruit(picture)
    # A ball that touches the edges covers 0.79 of it, a banana far less.
    assert (0.12 if name == "Banana" else 0.3) < fruit.mean() < 0.9
    sides = [fruit.any(axis=0).sum(), fruit.any(axis=1).sum()]
    assert 90 <= max(sides) <= 100
    # There are no holes: in rows near the middle, all dots from the first to the last
    # are fruit.
    row, column = (int(x.mean()) for x in np.nonzero(fruit))
    for line in (fruit[row], fruit[:, column]):
        inside = np.flatnonzero(line)
        if name not in ("Banana", "Pineapple"):  # bent; leaves
            assert line[inside[0] : inside[-1] + 1].all()


def test_no_two_pictures_are_equal():
    pictures = [
        painting("Banana", part, index).tobytes()
        for part in ("Training", "Test")
        for index in range(12)
    ]
    assert len(set(pictures)) == 24


# The mean colour of each fruit's first two Test pictures, which no sheet shows.
TEST_MEANS = """
161.3 236.4 166.6 162.0 130.9 153.1 176.7 166.0
145.9 183.6 151.8 111.2 149.5 154.8 184.6 141.2
"""


def test_the_test_pictures_have_the_colours_of_this_version():
    pictures = [[painting(x, "Test", index) for index in (0, 1)] for x in PAINTED]
    means = np.mean(pictures, axis=(1, 2, 3, 4))
    assert means == pytest.approx([float(x) for x in TEST_MEANS.split()], abs=0.2)


# --- The same every time


def test_the_same_seed_gives_the_same_bytes_wherever_it_is_painted(
    tmp_path, monkeypatch
):
    here = paint_fruits(tmp_path / "here", **FEW)
    monkeypatch.setattr(painted, "_cores", lambda: 2)
    there = paint_fruits(tmp_path / "there", **FEW)
    assert len(contents(here)) == 2 * (3 + 2) + 1
    assert contents(here) == contents(there)


def test_a_picture_does_not_depend_on_what_was_painted_before():
    code = (
        "import hashlib; from sidebyside.data.painted.painter import paint;"
        "print(hashlib.sha256(paint('Mandarine', index=5)).hexdigest())"
    )
    alone = in_a_process_of_its_own(code, PYTHONHASHSEED="7").strip()
    paint("Lemon")
    np.random.seed(3)  # the global state changes nothing
    assert hashlib.sha256(paint("Mandarine", index=5)).hexdigest() == alone


def test_another_seed_gives_other_fruits(tmp_path):
    one = contents(paint_fruits(tmp_path / "1", **FEW, seed=1))
    two = contents(paint_fruits(tmp_path / "2", **FEW, seed=2))
    assert one.keys() == two.keys()
    assert not set(one.values()) & set(two.values())


# --- What is refused


def test_an_unknown_fruit_is_named_and_so_are_the_known_ones(tmp_path):
    with pytest.raises(ValueError, match=r"'Apple'.*Kiwi, Banana.*Pomegranate"):
        paint_fruits(tmp_path / "a", classes=["Kiwi", "Apple"])
    assert left_over(tmp_path) == []


def test_one_fruit_may_be_a_string(tmp_path):
    """R passes it like this, and its numbers as floats."""
    folder = paint_fruits(
        tmp_path / "a", classes="Banana", training=1.0, test=1.0, seed=1.0
    )
    assert [x.name for x in (folder / "Test").iterdir()] == ["Banana"]


@pytest.mark.parametrize("file", ["mine.jpg", "Training/Kiwi/holiday.jpg"])
def test_files_that_were_not_painted_are_never_removed(file, tmp_path):
    folder = tmp_path / "fruits"
    (folder / file).parent.mkdir(parents=True)
    (folder / file).write_text("mine")
    with pytest.raises(CannotPaint, match=f"contains {file}"):
        paint_fruits(folder, **FEW)
    assert (folder / file).read_text() == "mine"
    assert left_over(tmp_path) == ["fruits"]


def test_nor_among_painted_fruits(tmp_path):
    folder = paint_fruits(tmp_path / "fruits", **FEW)
    (folder / "Training" / "notes.txt").write_text("mine")
    paint_fruits(folder, **FEW)  # complete, so nothing is done
    with pytest.raises(CannotPaint, match=r"Training/notes\.txt"):
        paint_fruits(folder, **FEW, seed=2)
    assert (folder / "Training" / "notes.txt").read_text() == "mine"


def test_a_file_at_the_folders_path_is_reported(tmp_path):
    (tmp_path / "fruits").write_text("mine")
    for place in (tmp_path / "fruits", tmp_path / "fruits" / "below"):
        with pytest.raises(CannotPaint, match="cannot be written to"):
            paint_fruits(place, **FEW)
    assert (tmp_path / "fruits").read_text() == "mine"


# --- All or nothing


def test_the_layout_is_that_of_fruits_360(tmp_path):
    folder = paint_fruits(tmp_path / "deep" / "fruits", training=2, test=1)
    for part, count in (("Training", 2), ("Test", 1)):
        assert sorted(x.name for x in (folder / part).iterdir()) == sorted(PAINTED)
        for name in PAINTED:
            files = sorted((folder / part / name).iterdir())
            assert [x.name for x in files] == [f"{n}_100.jpg" for n in range(count)]
            with Image.open(files[0]) as image:
                assert (image.format, image.size) == ("JPEG", (100, 100))
                stored = np.asarray(image).astype(int)
            # JPEG loses a little, but it is the same picture.
            assert np.abs(stored - painting(name, part)).mean() < 4
    marker = json.loads((folder / "painted.json").read_text())
    assert "not photographs" in marker["what"]
    assert marker["version"] == painted.VERSION
    assert is_complete(folder)


def test_a_complete_folder_is_not_painted_again(tmp_path, monkeypatch):
    folder = paint_fruits(tmp_path / "fruits", **FEW)
    before = {x: x.stat().st_mtime_ns for x in folder.rglob("*")}
    monkeypatch.delattr(painted, "_paint_all")
    paint_fruits(folder, **FEW)
    # The order of the fruits does not matter.
    paint_fruits(folder, **{**FEW, "classes": FEW["classes"][::-1]})
    assert {x: x.stat().st_mtime_ns for x in folder.rglob("*")} == before


@pytest.mark.parametrize(
    "damage", ["missing", "no folder", "version", "seed", "not json", "counts"]
)
def test_an_incomplete_folder_is_painted_again(damage, tmp_path):
    folder = paint_fruits(tmp_path / "fruits", **FEW)
    whole = contents(folder)
    picture = folder / "Test" / "Lemon" / "1_100.jpg"
    marker = folder / "painted.json"
    if damage == "missing":
        picture.unlink()
    elif damage == "no folder":
        shutil.rmtree(folder / "Training" / "Banana")
    elif damage == "counts":
        paint_fruits(folder, **{**FEW, "test": 1})
        assert not picture.exists()
    elif damage == "not json":
        marker.write_text("half")
        assert not is_complete(folder)
        with pytest.raises(CannotPaint, match="was not painted"):
            paint_fruits(folder, **FEW)
        return
    else:
        entries = json.loads(marker.read_text())
        marker.write_text(json.dumps({**entries, damage: 0}))
        assert is_complete(folder) == (damage == "seed")
    assert contents(folder) != whole
    paint_fruits(folder, **FEW)
    assert contents(folder) == whole
    assert left_over(tmp_path) == ["fruits"]


@pytest.mark.parametrize("before", ["nothing", "fruits of another seed"])
@pytest.mark.parametrize("problem", ["interrupt", "full disk"])
def test_an_interrupted_painting_keeps_the_old_folder(
    before, problem, tmp_path, monkeypatch
):
    folder = tmp_path / "fruits"
    there = {}
    if before != "nothing":
        there = contents(paint_fruits(folder, **FEW, seed=1))
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    raised = {"interrupt": KeyboardInterrupt(), "full disk": full}[problem]
    save, saved = Image.Image.save, []

    def fourth_fails(image, *arguments, **options):
        saved.append(image)
        if len(saved) == 4:
            raise raised
        save(image, *arguments, **options)

    monkeypatch.setattr(Image.Image, "save", fourth_fails)
    expected = (
        pytest.raises(KeyboardInterrupt)
        if problem == "interrupt"
        else pytest.raises(CannotPaint, match=r"No space left.*room")
    )
    with expected:
        paint_fruits(folder, **FEW)
    assert len(saved) == 4
    assert left_over(tmp_path) == (["fruits"] if there else [])
    assert (contents(folder) if there else {}) == there


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import sys; sys.exit('No space left')", r"failed .*\(No space left\).*room"),
        ("import os; os.kill(os.getpid(), 9)", r"failed .*\(no message\)"),
    ],
)
def test_the_failure_of_a_child_process_is_reported(code, said, tmp_path, monkeypatch):
    monkeypatch.setattr(painted, "_cores", lambda: 2)
    monkeypatch.setattr(painted, "CHILD", code)
    with pytest.raises(CannotPaint, match=said):
        paint_fruits(tmp_path / "fruits", **FEW)
    assert left_over(tmp_path) == []


def test_a_folder_that_an_earlier_version_painted_is_taken(tmp_path, monkeypatch):
    """Its marker names a module that has been moved."""
    folder = paint_fruits(tmp_path / "fruits", **FEW)
    marker = folder / "painted.json"
    entries = json.loads(marker.read_text())
    entries |= {"what": "painted fruits, drawn by somewhere else", "sha256": "x"}
    marker.write_text(json.dumps(entries))
    monkeypatch.delattr(painted, "_paint_all")
    paint_fruits(folder, **FEW)


def test_leftovers_of_a_killed_painting_are_removed(tmp_path, monkeypatch):
    folder = paint_fruits(tmp_path / "fruits", **FEW)
    folder.rename(tmp_path / ".fruits.sidebyside-old")
    (tmp_path / ".fruits.sidebyside-new" / "Training").mkdir(parents=True)
    monkeypatch.delattr(painted, "_paint_all")
    paint_fruits(folder, **FEW)  # the old folder is complete and is restored
    assert left_over(tmp_path) == ["fruits"]


def test_callers_at_the_same_time_wait_for_the_first(tmp_path, monkeypatch):
    paint_all, looks, painters, folders = painted._paint_all, [], [], []
    all_here = threading.Event()

    def look(*arguments):
        looks.append(threading.get_ident())
        if len(set(looks)) == 3:
            all_here.set()
        return is_complete(*arguments)

    def wait_for_all(*arguments):
        painters.append(threading.get_ident())
        assert all_here.wait(30)
        paint_all(*arguments)

    def caller():
        folders.append(paint_fruits(tmp_path / "fruits", **FEW))

    monkeypatch.setattr(painted, "is_complete", look)
    monkeypatch.setattr(painted, "_paint_all", wait_for_all)
    threads = [threading.Thread(target=caller) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(painters) == 1
    assert folders == [tmp_path / "fruits"] * 3
    assert is_complete(tmp_path / "fruits")


# --- The contact sheet


def test_the_contact_sheet_shows_every_fruit():
    sheet = contact_sheet(turns=1, size=100)
    # The first fruit is in the upper left corner, below the title.
    place = (126, 58)
    first = sheet.crop((*place, place[0] + 100, place[1] + 100))
    assert (np.asarray(first) == painting(PAINTED[0])).all()
    assert sheet.height > 8 * 100


def test_the_sheet_in_data_is_of_this_version():
    """If a picture changes, the committed sheet has to be painted again.

    A fruit with another colour, angle or light differs by more than the rounding to
    the 256 stored colours does (at most 4 of 255).
    """
    stored = ROOT / "data" / "painted-contact-sheet.png"
    sheet = contact_sheet()
    with Image.open(stored) as image:
        assert image.size == sheet.size
        before = np.asarray(image.convert("RGB")).astype(int)
    difference = np.abs(before - np.asarray(sheet)).mean(axis=-1)
    for place, name in enumerate(PAINTED):
        column, row = divmod(place, 8)
        left, top = 126 + column * sheet.width // 2, 58 + 80 * row
        pictures = difference[top : top + 76, left : left + 480].reshape(76, 6, 80)
        assert (pictures[:, :, :76].mean(axis=(0, 2)) < 4).all(), (
            f"{name} has changed; contact_sheet().quantize(256, kmeans=3)"
            f".save({str(stored)!r}, optimize=True)"
        )
