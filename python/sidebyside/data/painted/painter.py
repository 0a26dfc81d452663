"""Paint the sixteen fruits of the study.

They are used if there are no photographs of Fruits-360. They have the same
classes, the same folders and the same size, and show one fruit on white that
turns in front of the camera. We always call them painted: how well a network
tells them apart says nothing about photographs.

In Python::

    from sidebyside.data.painted.painter import paint, paint_fruits
    paint("Lemon", index=3)            # uint8, (100, 100, 3)
    paint_fruits("data/painted")       # 2,560 JPEG files

The drawing is done in `solids` (skins, textures), `recipes` (the fruits) and
`camera` (turning, light). This module numbers the pictures and writes them. It
needs only NumPy and Pillow.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import subprocess
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ...common.errors import Sentence, printable
from ...common.files import restore_folder, written_folder
from ...common.python import interpreter
from .camera import Shot, photograph
from .recipes import RECIPES
from .solids import Solid

# Every folder's marker contains this number. Raise it whenever a picture changes.
VERSION = 1
DEFAULT_SEED = 42
PAINTED = tuple(RECIPES)
PARTS = {"Training": "training", "Test": "test"}  # folder: entry of the marker
MARKER = "painted.json"
WHAT = "painted fruits, drawn by sidebyside.data.painted.painter; not photographs"
QUALITY = 92  # of the JPEG files

# There are three specimens of each fruit. One is only in Training, and one only in
# Test, as a fruit that the network has never seen.
SPECIMENS = {"Training": (0, 1), "Test": (1, 2)}
GOLDEN = 0.6180339887498949  # share of a full turn that spreads the angles evenly

# How a fruit lies in front of the camera: `(lay, lean, turns)`. It spins about
# its own axis, or turns so that its ends come to the front.
UPRIGHT, ROLLING = (0, 12, "spin"), (90, 12, "spin")
POSES = (UPRIGHT, (90, 12, "turn"), (35, 20, "spin"))
OTHER_POSES = {"Banana": (UPRIGHT, ROLLING, (45, 12, "spin"))}

# Seconds to wait for another process that paints the same folder.
PATIENCE = 600


class CannotPaint(Sentence):
    """The painted fruits could not be written. No files are left behind."""


# --- One picture


def paint(
    name: str, *, part: str = "Training", index: int = 0, seed: int = DEFAULT_SEED
) -> np.ndarray:
    """Paint one fruit of `PAINTED` on white.

    `part` is "Training" or "Test", which differ in specimens, angles and light.
    Each next `index`, from 0, turns the fruit by another 222 degrees or so.
    Returns uint8 of shape (100, 100, 3): rows, columns, red-green-blue.
    """
    own = SPECIMENS[part]
    solid = _specimen(name, own[index % len(own)], seed)
    return photograph(solid, _shot(name, part, index, seed))


def _random(seed: int, *key: str | int) -> np.random.Generator:
    """Return a random generator for `key`, independent of all others.

    SHA-256 turns names into numbers, because `hash()` differs from run to run.
    """
    words = [
        int.from_bytes(hashlib.sha256(x.encode()).digest()[:4], "big")
        if isinstance(x, str)
        else x
        for x in key
    ]
    sequence = np.random.SeedSequence([seed, *words])
    return np.random.Generator(np.random.PCG64(sequence))


@functools.lru_cache(maxsize=6)
def _specimen(name: str, number: int, seed: int) -> Solid:
    """Return one specimen of a fruit. The last few are kept, at 5 MB each."""
    return RECIPES[name](_random(seed, "specimen", name, number))


def _shot(name: str, part: str, index: int, seed: int) -> Shot:
    """Choose how picture number `index` is taken."""
    random = _random(seed, "shot", name, part, index)
    begin = _random(seed, "turn", name, part).uniform(0, 360)
    angle = (begin + 360 * GOLDEN * index) % 360
    poses = OTHER_POSES.get(name, POSES)
    lay, lean, way = poses[index % len(poses)]
    # In Test the light comes from the other side more often than in Training.
    sideways = (-50, 15) if part == "Training" else (-35, 35)
    exposure = random.uniform(0.9, 1.1)
    warmth = random.uniform(-0.04, 0.04)
    return Shot(
        spin=angle if way == "spin" else 0,
        turn=angle if way == "turn" else random.uniform(-12, 12),
        lay=lay + random.uniform(-6, 6),
        lean=lean + random.uniform(-8, 8),
        roll=random.uniform(-6, 6),
        fill=random.uniform(0.93, 0.99),
        shift=(random.uniform(-1, 1), random.uniform(-1, 1)),
        light=(random.uniform(*sideways), random.uniform(20, 50)),
        strength=random.uniform(0.85, 1.1),
        ambient=random.uniform(0.28, 0.4),
        balance=(exposure * (1 + warmth), exposure, exposure * (1 - warmth)),
    )


# --- A folder of pictures


def paint_fruits(
    directory: str | os.PathLike[str],
    *,
    classes: Iterable[str] = PAINTED,
    training: int = 120,
    test: int = 40,
    seed: int = DEFAULT_SEED,
) -> Path:
    """Write painted fruits as JPEG files, in the folders of Fruits-360.

    The files are `directory/Training/<class>/<n>_100.jpg`, `directory/Test/...`,
    and `painted.json`, which says what the folder is. A complete folder is left
    as it is. Otherwise everything is painted into a new folder, which replaces
    the old one when it is complete. Two processes can call this at once.

    Parameters
    ----------
    directory
        The folder to write: new, empty, or painted by this function before.
    classes
        Some of the fruits in `PAINTED`, in any order.
    training, test
        The number of pictures of each fruit.
    seed
        The same seed and `VERSION` produce the same bytes.

    Returns the absolute path of the directory. Raises ValueError if a fruit is
    not known, and CannotPaint, which says what to do, if the directory cannot be
    written.
    """
    import filelock

    # From R, a single "Kiwi" arrives as a string and not as a list.
    names = sorted({classes} if isinstance(classes, str) else set(classes))
    if unknown := set(names) - set(PAINTED):
        raise ValueError(
            f"There is no painted fruit {min(unknown)!r}. Choose from: "
            f"{', '.join(PAINTED)}."
        )
    target = Path(directory).expanduser().absolute()
    wanted = {
        "version": VERSION,
        "seed": int(seed),
        "classes": names,
        "training": int(training),
        "test": int(test),
    }
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if not is_complete(target, wanted):
            lock = target.with_name(f".{target.name}.lock")
            with filelock.FileLock(lock, timeout=PATIENCE):
                # Another process may have painted them while this one waited.
                restore_folder(target)  # after a process that was killed
                if not is_complete(target, wanted):
                    _refuse_foreign(target)
                    with written_folder(target) as new:
                        _paint_all(new, wanted)
                        text = json.dumps({"what": WHAT, **wanted}, indent=2) + "\n"
                        (new / MARKER).write_text(text, "utf-8")
    except filelock.Timeout as late:
        raise CannotPaint(
            f"Another process has been painting {target} for {PATIENCE // 60} minutes. "
            "Stop it, or choose another folder."
        ) from late
    except OSError as problem:
        raise CannotPaint(
            f"Painted fruits cannot be written to {target} "
            f"({problem.strerror or problem}). They need 20 MB: make room, or choose "
            "another folder."
        ) from problem
    return target


def is_complete(directory: Path, wanted: dict | None = None) -> bool:
    """Return whether a folder has every painted file, judged by the files' names.

    `wanted` are the entries that its `painted.json` must have. Without it, any
    painted folder of this `VERSION` is accepted.
    """
    marker = _marker(directory)
    if any(marker.get(x) != y for x, y in (wanted or {"version": VERSION}).items()):
        return False
    try:
        return all(
            set(os.listdir(directory / part / name))
            >= {f"{number}_100.jpg" for number in range(marker[count])}
            for part, count in PARTS.items()
            for name in marker["classes"]
        )
    except OSError:
        return False


def _marker(directory: Path) -> dict:
    """Return the contents of `painted.json`; {} if these are not painted fruits."""
    try:
        marker = json.loads((directory / MARKER).read_text("utf-8"))
        # Earlier versions had the name of another module after these words.
        return marker if marker["what"].startswith("painted fruits") else {}
    except (OSError, ValueError, KeyError):
        return {}


def _refuse_foreign(target: Path) -> None:
    """Raise `CannotPaint` if a folder has files that this module did not paint."""
    if not target.exists():
        return
    os.listdir(target)  # raises if `target` is a file
    ours = r"(Training|Test)/[^/]+/\d+_100\.jpg|painted\.json"
    painted = bool(_marker(target))
    for path in sorted(target.rglob("*")):
        file = path.relative_to(target).as_posix()
        if not path.is_dir() and not (painted and re.fullmatch(ours, file)):
            raise CannotPaint(
                f"{target} has to be painted again, but it contains "
                f"{printable(file)}, which was not painted. Move that file away, or "
                "choose another folder."
            )


# --- The work, on all cores


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _paint_all(folder: Path, wanted: dict) -> None:
    names = wanted["classes"]
    workers = min(_cores(), len(names))
    jobs = [[str(folder), names[k::workers], wanted] for k in range(workers)]
    if workers == 1:
        _paint_classes(*jobs[0])
    else:
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(_in_a_child, jobs))


def _paint_classes(folder: str, names: list[str], wanted: dict) -> None:
    for name in names:
        for part, count in PARTS.items():
            place = Path(folder, part, name)
            place.mkdir(parents=True)
            for index in range(wanted[count]):
                picture = paint(name, part=part, index=index, seed=wanted["seed"])
                Image.fromarray(picture).save(
                    place / f"{index}_100.jpg", quality=QUALITY, subsampling=0
                )


CHILD = """
import json, sys
from sidebyside.data.painted.painter import _paint_classes
_paint_classes(*json.loads(sys.argv[1]))
"""


def _in_a_child(job: list) -> None:
    """Run `_paint_classes()` in a new process.

    We use processes and not threads, because Python runs one thread at a time. We
    start them anew, because a fork of a process with R or TensorFlow can hang.
    """
    child = subprocess.run(
        [interpreter(), "-P", "-c", CHILD, json.dumps(job)],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    if child.returncode:
        said = child.stderr.strip().splitlines() or ["no message"]
        raise CannotPaint(
            f"A process of {interpreter()} failed while painting fruits "
            f"({printable(said[-1])}). If the disk is full, make room: they need "
            "20 MB."
        )


# --- All fruits at a glance


def contact_sheet(turns: int = 6, size: int = 76) -> Image.Image:
    """Show every fruit from a few angles, each `size` pixels wide, with its name."""
    label, gap, head = 126, 4, 58
    half = label + turns * (size + gap) + 16
    rows = (len(PAINTED) + 1) // 2
    wide, high = 2 * half, head + rows * (size + gap) + 8
    sheet = Image.new("RGB", (wide, high), "white")
    draw = ImageDraw.Draw(sheet)
    draw.text(
        (16, 12),
        "Painted fruits: painted by a program, not photographed",
        fill="black",
        font=ImageFont.load_default(22),
    )
    font = ImageFont.load_default(16)
    for place, name in enumerate(PAINTED):
        column, row = divmod(place, rows)
        left, top = 16 + column * half, head + row * (size + gap)
        draw.text((left, top + size / 2), name, fill="black", font=font, anchor="lm")
        for k in range(turns):
            picture = Image.fromarray(paint(name, index=k))
            picture = picture.resize((size, size), Image.LANCZOS)
            sheet.paste(picture, (left + label - 16 + k * (size + gap), top))
    return sheet
