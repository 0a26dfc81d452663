"""The folder of fruit images: found, checked, and the same for R and Python."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..common.errors import WrongData, printable
from ..common.files import (
    NotAFile,
    TooLarge,
    data_directory,
    project_directory,
    read_at_most,
    written_folder,
)

# The fruits of the comparison of 2018, in the order of its R source.
CLASSES = (
    *("Kiwi", "Banana", "Apricot", "Avocado", "Cocos", "Clementine"),
    *("Mandarine", "Orange", "Limes", "Lemon", "Peach", "Plum"),
    *("Raspberry", "Strawberry", "Pineapple", "Pomegranate"),
)

SIZE = (100, 100)  # pixels, of every image of Fruits-360's 100x100 version
TRAINING = "Training"
TESTS = ("Test", "Validation")  # "Validation" is what it was called in 2018

# What Keras's image_dataset_from_directory() takes for an image
# (keras/src/utils/image_dataset_utils.py), and what it can decode.
SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png")
FORMATS = ("BMP", "GIF", "JPEG", "PNG")

LEVELS = 3  # how far below the folder Training and Test are looked for
MOST_BYTES = 1_000_000  # no file of 100 x 100 pixels comes near

# In every folder of painted fruits, so that they are called painted wherever
# they are moved to.
PAINTED_MARKER = "painted.json"
PAINTED_ON_REQUEST = "painted"  # a value of FRUITS360_DIR

# In every folder that `make fruits` wrote, all images of which were checked.
FETCHED_MARKER = "sidebyside.json"


@dataclass(frozen=True)
class Choice:
    """Which classes are taken."""

    folders: dict[str, str]  # name of the class: name of its folder
    missing: tuple[str, ...]  # of the list, when the list was meant
    others: int  # classes that are there and were not taken

    def renamed(self) -> dict[str, str]:
        """The classes whose folder has another name."""
        return {x: y for x, y in self.folders.items() if x != y}


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Turns the operating system's errors into a sentence (WrongData)."""
    try:
        yield
    except (NotAFile, TooLarge) as problem:
        raise WrongData(str(problem)) from problem
    except OSError as problem:
        what = printable(problem.filename) if problem.filename else "A file"
        raise WrongData(
            f"{what} cannot be read, or written to ({problem.strerror or problem})."
        ) from problem


@explained()
def fruits_directory(classes: str | Iterable[str] | None = None) -> str:
    """A folder with `Training/<class>/*.jpg` and `Test/<class>/*.jpg`.

    One line on the screen says which of three sources it is, first found
    wins: the folder that the environment variable `FRUITS360_DIR` names (the
    word "painted" there asks for painted fruits); `fruits-360/` of the data
    folder, which `make fruits` writes; fruits painted by this package. Of a
    folder of your own, the first image of each class is opened; the others
    were checked when they were fetched or painted.

    Parameters
    ----------
    classes
        Names of classes, or "all" for all that are there. If not given, the
        environment variable `FRUITS360_CLASSES` ("all", or names with commas
        between them); if that is not set, those of `CLASSES` that are there.
        The numbered names of later versions are found by the name of the
        list: Strawberry is "Strawberry 1".

    Returns
    -------
    str
        The folder itself if it holds just these classes. Otherwise a folder
        of links to them, with the names of the list. Images are 100 by 100
        pixels.

    Raises
    ------
    WrongData
        If the source is not a folder of fruits, if Training and Test differ,
        if a class is empty, if a file is no image of 100 by 100 pixels, or if
        `classes` names what is not there, or fewer than two. The message
        names the file and what to do.
    """
    wanted = wanted_classes(classes)
    folder, name = _source()
    parts = find_parts(folder, name)
    root = parts[TRAINING].parent
    choice = choose({x: _folders_in(parts[x]) for x in parts}, wanted, name)
    listing = {
        (split, kind): _images_in(part / real)
        for split, part in parts.items()
        for kind, real in choice.folders.items()
    }
    painted = is_painted(root)
    if not painted and not (root / FETCHED_MARKER).exists():
        # Enough to notice another size or another data set. To look at all of
        # them takes seconds, and is done when they are fetched.
        for (split, kind), files in listing.items():
            _check(parts[split] / choice.folders[kind] / files[0])
    directory = _as_expected(parts, choice)
    print(_line(name, painted, choice, listing), flush=True)
    return str(directory)


# ---- Which classes --------------------------------------------------------


def wanted_classes(classes: str | Iterable[str] | None) -> list[str]:
    """The names asked for; ["all"]; or none, which means the list."""
    if classes is None:
        classes = os.environ.get("FRUITS360_CLASSES", "")
    names = classes.split(",") if isinstance(classes, str) else classes
    names = [str(name).strip() for name in names]
    return [name for name in names if name]


def choose(there: dict[str, set[str]], wanted: list[str], where: str) -> Choice:
    """Which folders are taken, and under which names.

    `there` has the names of the folders in Training and in Test, `wanted` is
    what `wanted_classes()` gives, and `where` is what the messages call it.
    """
    names = sorted(set().union(*there.values()))
    if wanted == ["all"]:
        found = {name: name for name in names}
    else:
        found = {name: _folder_of(name, names) for name in wanted or CLASSES}
    missing = tuple(name for name, folder in found.items() if folder is None)
    folders = {name: folder for name, folder in found.items() if folder is not None}
    has = f"There are: {printable(', '.join(names) or 'none', 1000)}."
    if wanted and missing:
        raise WrongData(f"There is no class '{missing[0]}' in {where}. {has}")
    if len(folders) < 2:
        raise WrongData(
            f"{len(folders)} of the classes that are wanted are in {where}, and a "
            f"network needs at least 2 to tell apart. {has} Choose with classes=... "
            '(or FRUITS360_CLASSES): names, or "all".'
        )
    for split in there:
        for name, folder in folders.items():
            if folder not in there[split]:
                raise WrongData(
                    f"{where}: the class '{printable(folder)}' is not in {split}. "
                    "Training and Test need the same classes: add the folder, or "
                    f"choose classes without {printable(name)}."
                )
    return Choice(folders, missing, len(names) - len(folders))


def _folder_of(name: str, there: list[str]) -> str | None:
    """The folder of a class: its name, or its successor's with a number.

    Later versions number every class: what was "Strawberry" is "Strawberry 1"
    in the version of 2025, and the others are other plants.
    """
    numbered = re.compile(re.escape(name) + r"(?: (\d+))?")
    found = [(int(m[1] or 0), x) for x in there if (m := numbered.fullmatch(x))]
    return min(found)[1] if found else None


# ---- Where from -----------------------------------------------------------


def _source() -> tuple[Path, str]:
    """The folder, and what the line on the screen calls it."""
    given = os.environ.get("FRUITS360_DIR", "").strip()
    if given and given != PAINTED_ON_REQUEST:
        folder = Path(os.path.abspath(Path(given).expanduser()))
        return folder, f"FRUITS360_DIR ({given})"
    fetched = data_directory() / "fruits-360"
    if not given and os.path.lexists(fetched):
        return fetched, f"`make fruits` ({shown(fetched)})"
    folder = painted_fruits()
    return folder, shown(folder)


def is_painted(directory: str | Path) -> bool:
    """Whether what `fruits_directory()` gave are painted fruits."""
    # In a folder of links, the classes lead into the real one.
    first = next(Path(directory, TRAINING).iterdir(), Path(directory, TRAINING, "x"))
    return (first.resolve().parents[1] / PAINTED_MARKER).exists()


def painted_fruits() -> Path:
    """The painted fruits, where they are, or where they can be written.

    In a data folder that only somebody else may write to, as on the server of
    a class, they are taken as they are if they are whole.
    """
    from .painted.painter import is_complete, paint_fruits

    there = Path(os.path.abspath(data_directory() / "painted-fruits"))
    if not _writable(there.parent) and is_complete(there):
        return there
    return Path(paint_fruits(_own_directory() / "painted-fruits"))


def _own_directory() -> Path:
    """Where this package may write: the data folder, or the user's cache."""
    folder = data_directory()
    if not _writable(folder):
        import pooch

        folder = Path(pooch.os_cache("sidebyside"))
    return folder


def _writable(folder: Path) -> bool:
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    return os.access(folder, os.W_OK | os.X_OK)


def shown(path: Path) -> str:
    """A path as a reader knows it: below the project, or as it is."""
    project = project_directory()
    if project is not None and path.is_relative_to(project):
        return path.relative_to(project).as_posix()
    return str(path)


def _line(name: str, painted: bool, choice: Choice, listing: dict) -> str:
    images = {TRAINING: 0, "Test": 0}
    for (split, _), files in listing.items():
        images[split] += len(files)
    kind = "painted by this project" if painted else "photographs"
    parts = [
        f"Fruits: {kind}, from {name}: {len(choice.folders)} classes, "
        f"{images[TRAINING]:,} Training and {images['Test']:,} Test images"
    ]
    renamed = [f"{x} is its '{printable(y)}'" for x, y in choice.renamed().items()]
    if renamed:
        more = [f"{len(renamed) - 3} more like these"] if len(renamed) > 3 else []
        parts.append(", ".join(renamed[:3] + more))
    if choice.missing:
        parts.append(f"not there: {', '.join(choice.missing)}")
    if choice.others:
        parts.append(f'others there: {choice.others} (classes="all" takes all)')
    return "; ".join(parts)


# ---- What is in the folder ------------------------------------------------


def find_parts(folder: Path, name: str) -> dict[str, Path]:
    """Training and Test, which may be a few levels below `folder`.

    `name` is what the messages call it.
    """
    if not folder.is_dir():
        raise WrongData(
            f"{name} is not a folder. Expected: a folder that holds {TRAINING} and "
            f"Test. To unpack an archive: make fruits ARGS=\"--from '{folder}'\""
        )
    for level in range(LEVELS + 1):
        roots = {
            str(place.parent): test
            for place in folder.glob("*/" * level + TRAINING)
            for test in reversed(TESTS)  # "Test" wins
            if (place.parent / test).is_dir()
        }
        if roots:
            root = pick_root(list(roots), name)
            return {TRAINING: Path(root, TRAINING), "Test": Path(root, roots[root])}
    there = printable(", ".join(sorted(os.listdir(folder))) or "nothing", 500)
    raise WrongData(
        f"{name} is no folder of Fruits-360: no folder in it holds {TRAINING} and "
        f"Test (or Validation), {LEVELS} levels down. It holds: {there}. Name the "
        f"folder that {TRAINING} and Test are in."
    )


def pick_root(roots: list[str], name: str) -> str:
    """The one data set that is meant, of those in a folder or an archive.

    The data set of today comes in several sizes; the one of 100x100 pixels
    is the one that the comparison used.
    """
    small = [root for root in roots if "100x100" in root]
    if len(roots) > 1 and len(small) != 1:
        raise WrongData(
            f"{name} holds more than one data set: "
            f"{printable(', '.join(sorted(roots)), 500)}. Name one of them."
        )
    return roots[0] if len(roots) == 1 else small[0]


def _folders_in(part: Path) -> set[str]:
    """The names of the classes, as Keras sees them."""
    with os.scandir(part) as entries:
        return {x.name for x in entries if x.is_dir() and not x.name.startswith(".")}


def _images_in(folder: Path) -> list[str]:
    """The names of what Keras takes for images. Nothing is opened."""
    with os.scandir(folder) as entries:
        images = [x for x in entries if x.name.lower().endswith(SUFFIXES)]
    for image in images:
        if not image.is_file():  # Keras would wait for a pipe for ever
            raise WrongData(
                f"{printable(image.path)} is not a file, or is a link to one that is "
                "missing. Delete it, or bring the file back."
            )
    if not images:
        raise WrongData(
            f"{printable(folder)} holds no image: the class is empty. Fill it, or "
            "choose other classes (classes=...)."
        )
    return sorted(image.name for image in images)


def _check(path: Path) -> None:
    problem = image_problem(read_at_most(path, MOST_BYTES))
    if problem:
        raise WrongData(
            f"{printable(path)} {problem}. Replace it, or get the data set again (make "
            'fruits ARGS="--force").'
        )


def image_problem(data: bytes) -> str | None:
    """What is wrong with the bytes of an image: "is 50x50 pixels ...", or None."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if image.size != SIZE:
                width, height = image.size
                return (
                    f"is {width}x{height} pixels, expected 100x100 (Fruits-360 "
                    "comes in several sizes)"
                )
            image.load()
    except Exception:  # whatever bytes can make Pillow raise
        return "is damaged, or is not an image, whatever its name says"
    return None


# ---- The folder as Keras should see it ------------------------------------


def _as_expected(parts: dict[str, Path], choice: Choice) -> Path:
    """The folder itself, or one of links with the expected names."""
    if parts["Test"].name == "Test" and not choice.renamed() and not choice.others:
        return parts[TRAINING].parent
    import filelock

    links = {
        (split, name): (part / real).resolve()
        for split, part in parts.items()
        for name, real in choice.folders.items()
    }
    what = json.dumps(sorted((*key, str(folder)) for key, folder in links.items()))
    name = hashlib.sha256(what.encode()).hexdigest()[:12]
    view = _own_directory() / "fruits-360-views" / name
    view.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(view.with_name(f".{name}.lock")):
        if not view.is_dir():
            with written_folder(view) as new:
                for (split, kind), folder in links.items():
                    (new / split).mkdir(exist_ok=True)
                    (new / split / kind).symlink_to(folder, target_is_directory=True)
    return view
