"""Find and check the folder of fruit images, the same one for R and Python."""

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
TESTS = ("Test", "Validation")  # it was called "Validation" in 2018

# The files that Keras's image_dataset_from_directory() reads as images
# (keras/src/utils/image_dataset_utils.py), and the formats that it can decode.
SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png")
FORMATS = ("BMP", "GIF", "JPEG", "PNG")

LEVELS = 3  # how many levels below the folder we look for Training and Test
MOST_BYTES = 1_000_000  # far more than any image of 100 x 100 pixels

# This file is in every folder of painted fruits, so that they are still called
# painted after somebody has moved them.
PAINTED_MARKER = "painted.json"
PAINTED_ON_REQUEST = "painted"  # a value of FRUITS360_DIR

# This file is in every folder that `make fruits` wrote. All its images were checked.
FETCHED_MARKER = "sidebyside.json"


@dataclass(frozen=True)
class Choice:
    """Which classes are used."""

    folders: dict[str, str]  # name of the class: name of its folder
    missing: tuple[str, ...]  # of CLASSES, if nobody chose other classes
    others: int  # number of classes that are there but not used

    def renamed(self) -> dict[str, str]:
        """The classes whose folder has another name."""
        return {x: y for x, y in self.folders.items() if x != y}


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Turn an error of the operating system into a WrongData with one sentence."""
    try:
        yield
    except (NotAFile, TooLarge) as problem:
        raise WrongData(str(problem)) from problem
    except OSError as problem:
        what = printable(problem.filename) if problem.filename else "A file"
        raise WrongData(
            f"{what} cannot be read or written ({problem.strerror or problem})."
        ) from problem


@explained()
def fruits_directory(classes: str | Iterable[str] | None = None) -> str:
    """Return a folder with `Training/<class>/*.jpg` and `Test/<class>/*.jpg`.

    It is the first of these three that exists: the folder that the environment
    variable `FRUITS360_DIR` names (the value "painted" asks for painted fruits);
    `fruits-360/` in the data folder, which `make fruits` writes; fruits painted
    by this package. One printed line says which it is. In a folder named by
    `FRUITS360_DIR`, the first image of each class is checked. The images of the
    other two were checked when they were fetched or painted.

    Parameters
    ----------
    classes
        Names of classes, or "all" for all classes in the folder. The default is
        the environment variable `FRUITS360_CLASSES` ("all", or names with commas
        between them), and if that is not set, those of `CLASSES` that are in the
        folder. Later versions of the data set number the classes: the name
        Strawberry also finds "Strawberry 1".

    Returns
    -------
    str
        The folder itself if it contains exactly these classes. Otherwise a
        folder of links to them, with the names that were asked for. Images have
        100 by 100 pixels.

    Raises
    ------
    WrongData
        If the source is not a folder of fruits, if Training and Test have
        different classes, if a class is empty, if a file is not an image of 100
        by 100 pixels, if a class in `classes` does not exist, or if there are
        fewer than two classes. The message names the file and says what to do.
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
        # The first image is enough to notice another size or another data set.
        # Checking all images takes seconds, and `make fruits` does it.
        for (split, kind), files in listing.items():
            _check(parts[split] / choice.folders[kind] / files[0])
    directory = _as_expected(parts, choice)
    print(_line(name, painted, choice, listing), flush=True)
    return str(directory)


# ---- Which classes --------------------------------------------------------


def wanted_classes(classes: str | Iterable[str] | None) -> list[str]:
    """Return the names asked for, ["all"], or no names, which means `CLASSES`."""
    if classes is None:
        classes = os.environ.get("FRUITS360_CLASSES", "")
    names = classes.split(",") if isinstance(classes, str) else classes
    names = [str(name).strip() for name in names]
    return [name for name in names if name]


def choose(there: dict[str, set[str]], wanted: list[str], where: str) -> Choice:
    """Choose which folders are used, and under which names.

    `there` has the names of the folders in Training and in Test, `wanted` comes
    from `wanted_classes()`, and `where` is the data set's name in messages.
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
            f"{where} has {len(folders)} of the classes that you asked for; at least "
            f"2 are needed. {has} Choose with classes=... (or FRUITS360_CLASSES): "
            'names, or "all".'
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
    """Return the folder of a class: its name, or its name with a number.

    Later versions of the data set number every class. "Strawberry" became
    "Strawberry 1" in the version of 2025; higher numbers are other plants.
    """
    numbered = re.compile(re.escape(name) + r"(?: (\d+))?")
    found = [(int(m[1] or 0), x) for x in there if (m := numbered.fullmatch(x))]
    return min(found)[1] if found else None


# ---- Where from -----------------------------------------------------------


def _source() -> tuple[Path, str]:
    """Return the folder, and its name for the printed line."""
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
    """Return whether a folder from `fruits_directory()` has painted fruits."""
    # In a folder of links, each class is a link into the real folder.
    first = next(Path(directory, TRAINING).iterdir(), Path(directory, TRAINING, "x"))
    return (first.resolve().parents[1] / PAINTED_MARKER).exists()


def painted_fruits() -> Path:
    """Return the folder of painted fruits; paint them if necessary.

    If only somebody else may write to the data folder, as on the server of a
    class, its painted fruits are used if they are complete.
    """
    from .painted.painter import is_complete, paint_fruits

    there = Path(os.path.abspath(data_directory() / "painted-fruits"))
    if not _writable(there.parent) and is_complete(there):
        return there
    return Path(paint_fruits(_own_directory() / "painted-fruits"))


def _own_directory() -> Path:
    """Return where this package may write: the data folder, or the user's cache."""
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
    """Shorten a path inside the project to the part below the project."""
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
    renamed = [f"{x} is '{printable(y)}' there" for x, y in choice.renamed().items()]
    if renamed:
        more = [f"{len(renamed) - 3} more like these"] if len(renamed) > 3 else []
        parts.append(", ".join(renamed[:3] + more))
    if choice.missing:
        parts.append(f"missing: {', '.join(choice.missing)}")
    if choice.others:
        parts.append(f'{choice.others} more (classes="all" uses them)')
    return "; ".join(parts)


# ---- What is in the folder ------------------------------------------------


def find_parts(folder: Path, name: str) -> dict[str, Path]:
    """Find Training and Test, which may be a few levels below `folder`.

    `name` is the folder's name in messages.
    """
    if not folder.is_dir():
        raise WrongData(
            f"{name} is not a folder. Expected a folder that contains {TRAINING} and "
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
        f"{name} is not a folder of Fruits-360: expected {TRAINING} and Test (or "
        f"Validation), at most {LEVELS} levels down; found: {there}. Name the folder "
        f"that contains {TRAINING} and Test."
    )


def pick_root(roots: list[str], name: str) -> str:
    """Choose one of the data sets in a folder or an archive.

    Today's data set comes in several sizes. The comparison used the one of
    100x100 pixels.
    """
    small = [root for root in roots if "100x100" in root]
    if len(roots) > 1 and len(small) != 1:
        raise WrongData(
            f"{name} contains more than one data set: "
            f"{printable(', '.join(sorted(roots)), 500)}. Name one of them."
        )
    return roots[0] if len(roots) == 1 else small[0]


def _folders_in(part: Path) -> set[str]:
    """Return the names of the classes, as Keras sees them."""
    with os.scandir(part) as entries:
        return {x.name for x in entries if x.is_dir() and not x.name.startswith(".")}


def _images_in(folder: Path) -> list[str]:
    """Return the names of the files that Keras reads as images, opening none."""
    with os.scandir(folder) as entries:
        images = [x for x in entries if x.name.lower().endswith(SUFFIXES)]
    for image in images:
        if not image.is_file():  # Keras would wait for ever if it is a pipe
            raise WrongData(
                f"{printable(image.path)} is not a file, or is a link to a missing "
                "file. Delete it, or restore the file."
            )
    if not images:
        raise WrongData(
            f"{printable(folder)} contains no image. Add images, or choose other "
            "classes (classes=...)."
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
    """Say what is wrong with an image, as in "is 50x50 pixels ...", or None."""
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
    except Exception:  # damaged bytes can make Pillow raise almost anything
        return "is damaged, or is not an image"
    return None


# ---- The folder as Keras should see it ------------------------------------


def _as_expected(parts: dict[str, Path], choice: Choice) -> Path:
    """Return the folder itself, or a folder of links with the expected names."""
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
