"""Painted fruits: the sixteen fruits of the study, drawn by this project.

They replace the photographs of Fruits-360 where there are none: the same
classes, the same folders, the same size, one fruit on white that turns in
front of the camera. They are paintings, and are never called anything else;
how well a network tells them apart says nothing about photographs.

In Python::

    from sidebyside.data.painted.painter import paint, paint_fruits
    paint("Lemon", index=3)            # uint8, (100, 100, 3)
    paint_fruits("data/painted")       # 2,560 JPEG files

The drawing is in `solids` (skins, textures), `recipes` (the fruits) and
`camera` (turning, light); this module numbers the pictures and writes them.
NumPy and Pillow are all it takes.
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

# Part of every folder's marker: raise it whenever a picture changes.
VERSION = 1
DEFAULT_SEED = 42
PAINTED = tuple(RECIPES)
PARTS = {"Training": "training", "Test": "test"}  # and the entry of the marker
MARKER = "painted.json"
WHAT = "painted fruits, drawn by sidebyside.data.painted.painter; not photographs"
QUALITY = 92  # of the JPEG files

# Three specimens of each fruit: one is only in Training and one only in Test,
# like a fruit that nobody has seen before.
SPECIMENS = {"Training": (0, 1), "Test": (1, 2)}
GOLDEN = 0.6180339887498949  # turns: the next one falls where there is room

# How a fruit lies in front of the camera: `(lay, lean, turns)`. It spins about
# its own axis, or turns so that its ends come to the front.
UPRIGHT, ROLLING = (0, 12, "spin"), (90, 12, "spin")
POSES = (UPRIGHT, (90, 12, "turn"), (35, 20, "spin"))
OTHER_POSES = {"Banana": (UPRIGHT, ROLLING, (45, 12, "spin"))}

# Seconds to wait for another process that paints the same folder.
PATIENCE = 600


class CannotPaint(Sentence):
    """The painted fruits could not be written; nothing is left behind."""


# --- One picture


def paint(
    name: str, *, part: str = "Training", index: int = 0, seed: int = DEFAULT_SEED
) -> np.ndarray:
    """One painted fruit, of `PAINTED`, on white.

    `part` is "Training" or "Test": other specimens, other turns, other light.
    Each next `index`, from 0, shows the fruit turned further, by about 222
    degrees. Gives uint8 of shape (100, 100, 3): rows, columns,
    red-green-blue.
    """
    own = SPECIMENS[part]
    solid = _specimen(name, own[index % len(own)], seed)
    return photograph(solid, _shot(name, part, index, seed))


def _random(seed: int, *key: str | int) -> np.random.Generator:
    """A generator of its own for everything that is drawn.

    Names become numbers by SHA-256; `hash()` differs from run to run.
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
    """A fruit of this kind. The last few are kept: 5 MB each."""
    return RECIPES[name](_random(seed, "specimen", name, number))


def _shot(name: str, part: str, index: int, seed: int) -> Shot:
    """How picture number `index` is taken."""
    random = _random(seed, "shot", name, part, index)
    begin = _random(seed, "turn", name, part).uniform(0, 360)
    angle = (begin + 360 * GOLDEN * index) % 360
    poses = OTHER_POSES.get(name, POSES)
    lay, lean, way = poses[index % len(poses)]
    # The test light comes from the other side of the camera more often.
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
    """Write painted fruits as JPEG files, laid out as Fruits-360.

    `directory/Training/<class>/<n>_100.jpg` and `directory/Test/...`, and
    `painted.json`, which says what the folder is. A folder that is complete
    is left as it is. Otherwise everything is painted into a folder beside it,
    which takes the name when it is whole. Two callers do not disturb each
    other.

    Parameters
    ----------
    directory
        Where to: not there yet, empty, or painted by this function before.
    classes
        Which fruits, of `PAINTED`; the order does not matter.
    training, test
        How many pictures of each.
    seed
        The same seed and `VERSION` give the same bytes.

    Returns the directory, absolute. Raises ValueError if a fruit is not known,
    and CannotPaint, which says what to do, if it cannot be written.
    """
    import filelock

    # R's "Kiwi" comes as one word and not as a list of one.
    names = sorted({classes} if isinstance(classes, str) else set(classes))
    if unknown := set(names) - set(PAINTED):
        raise ValueError(
            f"no painted fruit is called {min(unknown)!r}; there are: "
            f"{', '.join(PAINTED)}"
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
                # Another process may have painted while this one waited.
                restore_folder(target)  # after a process that was killed
                if not is_complete(target, wanted):
                    _refuse_foreign(target)
                    with written_folder(target) as new:
                        _paint_all(new, wanted)
                        text = json.dumps({"what": WHAT, **wanted}, indent=2) + "\n"
                        (new / MARKER).write_text(text, "utf-8")
    except filelock.Timeout as late:
        raise CannotPaint(
            f"another process has been painting {target} for {PATIENCE // 60} minutes. "
            "Stop it, or choose another folder."
        ) from late
    except OSError as problem:
        raise CannotPaint(
            f"painted fruits cannot be written to {target} "
            f"({problem.strerror or problem}). Make room (they need 20 MB), or choose "
            "another folder."
        ) from problem
    return target


def is_complete(directory: Path, wanted: dict | None = None) -> bool:
    """Whether a folder holds every painted file. Only names are looked at.

    `wanted` are the entries that its `painted.json` must have; without it,
    any painted folder of this `VERSION` will do.
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
    """What `painted.json` says; nothing if these are no painted fruits."""
    try:
        marker = json.loads((directory / MARKER).read_text("utf-8"))
        # Earlier versions named another module after these two words.
        return marker if marker["what"].startswith("painted fruits") else {}
    except (OSError, ValueError, KeyError):
        return {}


def _refuse_foreign(target: Path) -> None:
    """Nothing is ever removed that this module did not paint."""
    if not target.exists():
        return
    os.listdir(target)  # which raises if it is a file
    ours = r"(Training|Test)/[^/]+/\d+_100\.jpg|painted\.json"
    painted = bool(_marker(target))
    for path in sorted(target.rglob("*")):
        file = path.relative_to(target).as_posix()
        if not path.is_dir() and not (painted and re.fullmatch(ours, file)):
            raise CannotPaint(
                f"{target} would have to be painted again, but it holds "
                f"{printable(file)}, which was not painted. Choose another folder, "
                "or move that away."
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
    """Run `_paint_classes()` in a process of its own.

    Processes and not threads, because Python runs one thread at a time;
    started anew and not forked, because a fork of a process that holds R or
    TensorFlow can hang.
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
            f"A process of {interpreter()} that was painting failed "
            f"({printable(said[-1])}). If the disk is full, make room (they need "
            "20 MB)."
        )


# --- All fruits at a glance


def contact_sheet(turns: int = 6, size: int = 76) -> Image.Image:
    """A few turns of every fruit, each `size` pixels wide, with its name."""
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
