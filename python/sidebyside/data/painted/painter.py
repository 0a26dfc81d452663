"""Painted fruits: the sixteen fruits of the study, drawn by this project.

They stand in for the photographs of Fruits-360 where those are not at hand:
the same classes, the same folders, the same size, one fruit on white that
turns before the camera. They are paintings, and are never called anything
else; how well a network tells them apart says nothing about photographs.

In Python::

    from sidebyside.data.painted.painter import paint, paint_fruits
    paint("Lemon", index=3)            # uint8, (100, 100, 3)
    paint_fruits("data/painted")       # 2,560 JPEG files

In a shell: `python -m sidebyside.data.painted.painter --directory data/painted`.

The drawing is in `painted_solids` (skins, textures), `painted_recipes` (the
fruits) and `painted_camera` (turning, light); this module numbers the
pictures and writes them. NumPy and Pillow are all it takes.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import glob
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .camera import SIZE, Shot, photograph
from .recipes import RECIPES
from .solids import Solid

# Part of every folder's marker: raise it whenever a picture changes.
VERSION = 1
DEFAULT_SEED = 42
PAINTED = tuple(RECIPES)
PARTS = ("Training", "Test")
MARKER = "painted.json"
WHAT = "painted fruits, drawn by sidebyside.data.painted.painter; not photographs"
QUALITY = 92  # of the JPEG files

# Three specimens of each fruit. One is only trained on and one only tested
# on, as a fruit would be that is met after training.
SPECIMENS = {"Training": (0, 1), "Test": (1, 2)}
GOLDEN = 0.6180339887498949  # turns: the next one falls where there is room

# How fruits are laid before the camera: `(lay, lean, turns)`. `turns` tells
# which way the fruit goes round: about its own axis, or with its ends coming
# to the front.
UPRIGHT, ROLLING = (0, 12, "spin"), (90, 12, "spin")
POSES = (UPRIGHT, (90, 12, "turn"), (35, 20, "spin"))
OTHER_POSES = {"Banana": (UPRIGHT, ROLLING, (45, 12, "spin"))}

# Seconds to wait for another process that paints the same folder.
PATIENCE = 600

Progress = Callable[[int, int], None]


class CannotPaint(RuntimeError):
    """The painted fruits could not be written; nothing is left behind."""


# --- One picture


def paint(
    name: str,
    *,
    part: str = "Training",
    index: int = 0,
    seed: int = DEFAULT_SEED,
) -> np.ndarray:
    """One painted fruit on white.

    Parameters
    ----------
    name
        One of `PAINTED`.
    part
        "Training" or "Test": other specimens, other turns, other light.
    index
        The number of the picture, from 0. Each next one shows the fruit
        turned further, by about 222 degrees.
    seed
        Another seed, other fruits.

    Returns
    -------
    numpy.ndarray
        uint8, shape (100, 100, 3): rows, columns, red-green-blue, 0..255.

    Raises
    ------
    ValueError
        If there is no such fruit, part or number.
    """
    _known([name])
    if part not in PARTS:
        raise ValueError(f"part is {part!r}; it is one of {', '.join(PARTS)}")
    if index < 0:
        raise ValueError(f"index is {index}; pictures are numbered from 0")
    own = SPECIMENS[part]
    solid = _specimen(name, own[index % len(own)], seed)
    return photograph(solid, _shot(name, part, index, seed))


def _known(names: Iterable[str]) -> None:
    for name in names:
        if name not in RECIPES:
            raise ValueError(
                f"no painted fruit is called {name!r}; there are: {', '.join(PAINTED)}"
            )


def _listed(classes: Iterable[str]) -> list[str]:
    """A list; R's `"Kiwi"` comes as one word and not as a list of one."""
    return [classes] if isinstance(classes, str) else list(classes)


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
    workers: int | None = None,
    progress: Progress | None = None,
) -> Path:
    """Write painted fruits as JPEG files, laid out as Fruits-360.

    `directory/Training/<class>/<n>_100.jpg` and `directory/Test/...`, and
    `painted.json`, which says what the folder is. A folder that is already
    complete is left as it is. Otherwise everything is painted into a folder
    beside it, which takes the name when it is whole: nobody ever sees half
    of it, and two callers do not disturb each other.

    Parameters
    ----------
    directory
        Where to. Not there yet, empty, or painted by this function before.
    classes
        Which fruits, of `PAINTED`; the order does not matter.
    training, test
        How many pictures of each.
    seed
        The same seed and `VERSION` give the same bytes.
    workers
        Processes; by default one for each core. 1 paints in this one.
    progress
        Called with the number of classes done and the number of all.

    Returns
    -------
    pathlib.Path
        The directory, absolute.

    Raises
    ------
    ValueError
        If a fruit is not known, or a number (also of workers) is too small.
    CannotPaint
        If it cannot be written: the disk is full, the folder holds
        something else, ... The message says what to do.
    """
    names = sorted(set(_listed(classes)))
    _known(names)
    if not names:
        raise ValueError("classes is empty; name at least one fruit")
    if training < 1 or test < 1:
        raise ValueError(
            f"training = {training} and test = {test}: there has to be at "
            "least one picture of each"
        )
    if workers is not None and workers < 1:
        raise ValueError(f"workers is {workers}; it takes 1 process or more")
    target = Path(directory).expanduser().absolute()
    wanted = {
        "what": WHAT,
        "version": VERSION,
        "seed": int(seed),
        "classes": names,
        "training": int(training),
        "test": int(test),
    }
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _alone(target):
            if not is_complete(target, wanted):
                _replace(target, wanted, workers or _cores(), progress)
    except OSError as problem:
        raise CannotPaint(
            f"painted fruits cannot be written to {target}: "
            f"{problem.strerror or problem}. They need "
            f"{_megabytes(wanted)} MB there; make room, or choose another "
            "folder. Nothing half done was left."
        ) from problem
    return target


def is_complete(directory: Path, wanted: dict[str, object] | None = None) -> bool:
    """Whether a folder holds every painted file, each as it was painted.

    `wanted` are the entries that its `painted.json` must have; without it,
    any painted folder of this `VERSION` will do.
    """
    marker = _marker(directory)
    if marker is None:
        return False
    asked = wanted or {"what": WHAT, "version": VERSION}
    if any(marker.get(key) != value for key, value in asked.items()):
        return False
    try:
        return marker["sha256"] == _fingerprint(directory, _layout(marker))
    except (KeyError, TypeError, FileNotFoundError):
        return False


def _marker(directory: Path) -> dict | None:
    """What `painted.json` says, if this is a folder of painted fruits."""
    try:
        marker = json.loads((directory / MARKER).read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    is_ours = isinstance(marker, dict) and marker.get("what") == WHAT
    return marker if is_ours else None


def _layout(wanted: dict) -> list[str]:
    """All files, relative to the directory."""
    counts = zip(PARTS, (wanted["training"], wanted["test"]), strict=True)
    return [
        f"{part}/{name}/{n}_100.jpg"
        for part, count in counts
        for name in wanted["classes"]
        for n in range(count)
    ]


def _fingerprint(directory: Path, files: list[str]) -> str:
    """The SHA-256 of all files and their names."""
    whole = hashlib.sha256()
    for file in files:
        own = hashlib.sha256((directory / file).read_bytes()).hexdigest()
        whole.update(f"{own} {file}\n".encode())
    return whole.hexdigest()


def _megabytes(wanted: dict) -> int:
    return 1 + len(_layout(wanted)) * 8 // 1000


@contextlib.contextmanager
def _alone(target: Path):
    """Only one process at a time; the others wait and find it done."""
    import filelock

    lock = filelock.FileLock(target.parent / f".{target.name}.lock")
    try:
        with lock.acquire(timeout=PATIENCE):
            yield
    except filelock.Timeout as late:
        raise CannotPaint(
            f"another process has been painting {target} for "
            f"{PATIENCE // 60} minutes. End it, or choose another folder."
        ) from late


def _replace(
    target: Path,
    wanted: dict,
    workers: int,
    progress: Progress | None,
) -> None:
    """Paint beside `target`, then put the new folder in its place."""
    _refuse_foreign(target)
    prefix = f".{target.name}.unfinished-"
    # Left by a process that was killed: we have the lock, so nobody's.
    for stale in target.parent.glob(f"{glob.escape(prefix)}*"):
        shutil.rmtree(stale, ignore_errors=True)
    beside = Path(tempfile.mkdtemp(prefix=prefix, dir=target.parent))
    try:
        new = beside / "new"
        _paint_all(new, wanted, workers, progress)
        whole = _fingerprint(new, _layout(wanted))
        text = json.dumps({**wanted, "sha256": whole}, indent=2) + "\n"
        (new / MARKER).write_text(text, "utf-8")
        if target.exists():
            target.rename(beside / "old")
        new.rename(target)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _refuse_foreign(target: Path) -> None:
    """Nothing is ever removed that this module did not paint."""
    if not target.exists():
        return
    if not target.is_dir():
        raise CannotPaint(f"{target} is a file; choose a folder's name")
    marker = _marker(target)
    ours = re.compile(r"(Training|Test)/[^/]+/\d+_100\.jpg|painted\.json")
    for path in sorted(target.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            continue
        file = path.relative_to(target).as_posix()
        if marker is None or not ours.fullmatch(file):
            raise CannotPaint(
                f"{target} would have to be painted anew, but it holds "
                f"{file}, which was not painted. Choose another folder, or "
                "move that away."
            )


# --- The work, on all cores


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _paint_all(
    folder: Path, wanted: dict, workers: int, progress: Progress | None
) -> None:
    names = wanted["classes"]
    tell = progress or (lambda done, total: None)
    for part in PARTS:
        for name in names:
            (folder / part / name).mkdir(parents=True)
    workers = min(workers, len(names))
    if workers == 1 or not os.access(python(), os.X_OK):
        for done, name in enumerate(names, 1):
            _paint_class(folder, name, wanted)
            tell(done, len(names))
        return
    shares = [names[k::workers] for k in range(workers)]
    jobs = [
        json.dumps({**wanted, "folder": str(folder), "share": share})
        for share in shares
    ]
    for done, _ in enumerate(_in_children(jobs), 1):
        tell(done, len(names))


def _paint_class(folder: Path, name: str, wanted: dict) -> None:
    for part, count in zip(PARTS, (wanted["training"], wanted["test"]), strict=True):
        for index in range(count):
            picture = paint(name, part=part, index=index, seed=wanted["seed"])
            Image.fromarray(picture).save(
                folder / part / name / f"{index}_100.jpg",
                quality=QUALITY,
                subsampling=0,
            )


# What a child does: read its job, paint, say the name of each class.
CHILD = "import sys; sys.path.append({root!r}); \
from sidebyside.data.painted.painter import _child; sys.exit(_child())"


PROBLEM = "problem: "  # how a line begins that is no class


def python() -> str:
    """The Python that child processes run in.

    Not always `sys.executable`: in a process that R began it can be R.
    """
    if re.match(r"python[\d.]*(\.exe)?$", Path(sys.executable or "").name):
        return sys.executable
    windows = sys.platform == "win32"
    inside = "python.exe" if windows else os.path.join("bin", "python")
    return os.path.join(sys.prefix, inside)


def _in_children(jobs: list[str]) -> Iterable[str]:
    """Run every job in a process of its own; each class done, as it is.

    Processes and not threads, because Python runs one thread at a time; and
    started anew and not forked, because a fork of a process that holds R or
    TensorFlow can hang. All of them write into one pipe.
    """
    root = str(Path(__file__).resolve().parents[1])
    command = [python(), "-P", "-c", CHILD.format(root=root)]
    reader, writer = os.pipe()
    children: list[subprocess.Popen] = []
    problems = []
    with (
        os.fdopen(reader, encoding="utf-8") as lines,
        tempfile.TemporaryFile("w+", encoding="utf-8") as complaints,
    ):
        try:
            try:
                for job in jobs:
                    child = subprocess.Popen(
                        command,
                        stdin=subprocess.PIPE,
                        stdout=writer,
                        stderr=complaints,
                        text=True,
                        env={**os.environ, "OMP_NUM_THREADS": "1"},
                    )
                    children.append(child)
                    # It may have died already; that is noticed below.
                    with contextlib.suppress(BrokenPipeError), child.stdin:
                        child.stdin.write(job)
            finally:
                # Now the pipe ends when the last child has ended.
                os.close(writer)
            for line in lines:
                if line.startswith(PROBLEM):
                    problems.append(line.removeprefix(PROBLEM).strip())
                    break
                yield line.strip()
            else:
                for child in children:
                    child.wait()
        finally:
            for child in children:
                child.kill()
                child.wait()
        if problems:
            raise OSError(problems[0])
        if any(child.returncode for child in children):
            complaints.seek(0)
            said = complaints.read().strip().splitlines() or ["no message"]
            raise CannotPaint(
                f"a process that {python()} ran for painting failed "
                f"({said[-1]}). With workers=1 none is needed."
            )


def _child() -> int:
    """Paint one share; the job is JSON on stdin."""
    job = json.load(sys.stdin)
    try:
        for name in job["share"]:
            _paint_class(Path(job["folder"]), name, job)
            _tell_parent(name)
    except OSError as problem:  # a full disk; or nobody listens any more
        with contextlib.suppress(OSError):
            _tell_parent(f"{PROBLEM}{problem.strerror or problem}")
        return 1
    return 0


def _tell_parent(line: str) -> None:
    """In one piece: `print()` may write the end of the line by itself."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


# --- All fruits at a glance


def contact_sheet(
    directory: str | os.PathLike[str] | None = None,
    *,
    classes: Iterable[str] = PAINTED,
    turns: int = 6,
    part: str = "Training",
    seed: int = DEFAULT_SEED,
    size: int = 76,
) -> Image.Image:
    """A few turns of every fruit, with its name.

    Parameters
    ----------
    directory
        A folder that `paint_fruits()` made; without one, the pictures are
        painted now.
    classes, part, seed
        As in `paint()`.
    turns
        Pictures of each fruit: the first ones of its folder.
    size
        Width of a picture on the sheet, in pixels.

    Raises
    ------
    FileNotFoundError
        If the folder lacks one of the pictures.
    """
    names = _listed(classes)
    _known(names)
    label, gap, head = 126, 4, 58
    half = label + turns * (size + gap) + 16
    rows = (len(names) + 1) // 2
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
    for place, name in enumerate(names):
        column, row = divmod(place, rows)
        left, top = 16 + column * half, head + row * (size + gap)
        draw.text((left, top + size / 2), name, fill="black", font=font, anchor="lm")
        for k in range(turns):
            if directory is None:
                array = paint(name, part=part, index=k, seed=seed)
                picture = Image.fromarray(array)
            else:
                path = Path(directory) / part / name / f"{k}_100.jpg"
                with Image.open(path) as file:
                    picture = file.convert("RGB")
            if size != SIZE:
                picture = picture.resize((size, size), Image.LANCZOS)
            sheet.paste(picture, (left + label - 16 + k * (size + gap), top))
    return sheet


def main(arguments: list[str] | None = None) -> int:
    """`python -m sidebyside.data.painted.painter`: write a folder, a sheet, or both."""
    parser = argparse.ArgumentParser(
        prog="python -m sidebyside.data.painted.painter",
        description="Paint the sixteen fruits (they are no photographs).",
    )
    parser.add_argument("--directory", help="write JPEG files into it")
    parser.add_argument("--sheet", help="write a contact sheet, a .png")
    parser.add_argument("--classes", nargs="+", default=list(PAINTED))
    parser.add_argument("--training", type=int, default=120, metavar="N")
    parser.add_argument("--test", type=int, default=40, metavar="N")
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED)
    parser.add_argument("--workers", type=int)
    chosen = parser.parse_args(arguments)
    if not chosen.directory and not chosen.sheet:
        parser.error("say what to write: --directory, --sheet, or both")

    def tell(done: int, total: int) -> None:
        print(f"\rpainted {done} of {total} fruits", end="", flush=True)
        if done == total:
            print()

    try:
        if chosen.directory:
            folder = paint_fruits(
                chosen.directory,
                classes=chosen.classes,
                training=chosen.training,
                test=chosen.test,
                seed=chosen.seed,
                workers=chosen.workers,
                progress=tell,
            )
            print(f"painted fruits (not photographs) in {folder}")
        if chosen.sheet:
            sheet = contact_sheet(classes=chosen.classes, seed=chosen.seed)
            # 256 colours: a third of the size, and hardly to be seen.
            sheet.quantize(256, kmeans=3).save(chosen.sheet, optimize=True)
            print(f"contact sheet in {chosen.sheet}")
    except (ValueError, OSError, CannotPaint) as problem:
        print(f"\n{problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
