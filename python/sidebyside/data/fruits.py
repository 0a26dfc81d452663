"""The folder of fruit images: found, checked, and the same for R and Python."""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import io
import json
import os
import re
import shutil
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..common.errors import WrongData, printable
from ..common.files import (
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

NO_ROOTS = ("__MACOSX", TRAINING)  # where no data set is looked for
LEVELS = 4  # how far below the folder Training and Test are looked for
MOST_FOLDERS = 5000  # and in how many folders, before giving up
MOST_BYTES = 1_000_000  # no file of 100 x 100 pixels comes near
NAMES_SHOWN = 40

# In every folder of painted fruits, so that they are called painted wherever
# they are moved to.
PAINTED_MARKER = "painted.json"
PAINTED_ON_REQUEST = "painted"  # a value of FRUITS360_DIR

# In every folder that `make fruits` wrote, all images of which were checked.
FETCHED_MARKER = "sidebyside.json"

Listing = dict[tuple[str, str], list[str]]


@dataclass(frozen=True)
class Layout:
    """A folder that holds images in Training and Test."""

    root: Path
    test: str  # "Test" or "Validation"

    def folder(self, split: str) -> Path:
        """Where the classes of `split` ("Training", "Test") are."""
        return self.root / (TRAINING if split == TRAINING else self.test)


@dataclass(frozen=True)
class Choice:
    """Which classes are taken."""

    folders: dict[str, str]  # name of the class: name of its folder
    missing: tuple[str, ...] = ()  # of the list, when the list was meant
    others: int = 0  # classes that are there and were not taken

    def renamed(self) -> dict[str, str]:
        """The classes whose folder has another name."""
        return {x: y for x, y in self.folders.items() if x != y}


@dataclass(frozen=True)
class Source:
    """Where images come from, and what to do when they are not right."""

    folder: Path
    name: str  # what the line on the screen says
    fix: str


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
        if a class is empty, or if a file is no image of 100 by 100 pixels.
        The message names the file and what to do.
    ValueError
        If `classes` names what is not there, or fewer than two.
    """
    wanted = wanted_classes(classes)
    source = _source()
    layout = find_layout(source.folder, source.name)
    choice = choose(class_names(layout), wanted, source.name)
    listing = list_images(layout, choice)
    painted = (layout.root / PAINTED_MARKER).exists()
    if not painted and not (layout.root / FETCHED_MARKER).exists():
        check_samples(layout, choice, listing, source.fix)
    folder = _as_expected(layout, choice)
    print(_line(source, painted, choice, listing), flush=True)
    return str(folder)


# ---- Which classes --------------------------------------------------------


def wanted_classes(classes: str | Iterable[str] | None) -> list[str] | None:
    """The names asked for; ["all"]; or None, which means the list."""
    if classes is None:
        classes = os.environ.get("FRUITS360_CLASSES", "").strip() or None
    if classes is None:
        return None
    if isinstance(classes, str):
        classes = classes.split(",")
    names = list(classes)
    if not all(isinstance(name, str) for name in names):
        raise ValueError(f'classes is {names}, expected names of fruits or "all"')
    names = list(dict.fromkeys(name.strip() for name in names if name.strip()))
    if [name.lower() for name in names] == ["all"]:
        return ["all"]
    if len(names) < 2:
        raise ValueError(
            f"{len(names)} class in classes ({', '.join(names) or 'none'}): "
            'a network needs at least 2 to tell apart; name more, or "all"'
        )
    return names


def choose(there: Collection[str], wanted: list[str] | None, where: str) -> Choice:
    """Which of the folders `there` are taken, and under which names."""
    if wanted == ["all"]:
        folders = {name: name for name in sorted(there)}
    else:
        folders = {}
        for name in wanted or CLASSES:
            folder = _folder_of(name, there)
            if folder is not None:
                folders[name] = folder
            elif wanted is not None:
                raise ValueError(_unknown(name, there, where))
    _not_twice(folders)
    if len(folders) < 2:
        has = ", ".join(folders) or "none"
        raise WrongData(
            f"{where} has {has} of the {len(CLASSES)} classes of the list, "
            "and a network needs at least 2 to tell apart. There are: "
            f"{some(sorted(there))}. Choose with classes=... (or "
            'FRUITS360_CLASSES): names, or "all".'
        )
    missing = () if wanted else tuple(x for x in CLASSES if x not in folders)
    return Choice(folders, missing, len(there) - len(folders))


def _folder_of(name: str, there: Collection[str]) -> str | None:
    """The folder of a class: its name, or its successor's with a number.

    Later versions number every class: what was "Strawberry" is "Strawberry 1"
    in the version of 2025, and the others are other plants.
    """
    if name in there:
        return name
    numbered = re.compile(re.escape(name) + r" (\d+)", re.IGNORECASE)
    found = [(int(m[1]), x) for x in there if (m := numbered.fullmatch(x))]
    same = sorted(x for x in there if x.lower() == name.lower())
    if same:
        return same[0]
    return min(found)[1] if found else None


def _not_twice(folders: dict[str, str]) -> None:
    by_folder: dict[str, str] = {}
    for name, folder in folders.items():
        if folder in by_folder:
            raise ValueError(
                f"{by_folder[folder]} and {name} are the same class, "
                f"'{printable(folder)}'; name it once"
            )
        by_folder[folder] = name


def _unknown(name: str, there: Collection[str], where: str) -> str:
    lower = {x.lower(): x for x in there}
    close = difflib.get_close_matches(name.lower(), list(lower), n=3)
    hint = f" Did you mean {' or '.join(printable(lower[x]) for x in close)}?"
    return (
        f"There is no class '{name}' in {where}.{hint if close else ''} "
        f"There are: {some(sorted(there))}."
    )


def some(names: list[str]) -> str:
    more = len(names) - NAMES_SHOWN
    shown = ", ".join(printable(name, 100) for name in names[:NAMES_SHOWN])
    return f"{shown} and {more} more" if more > 0 else shown


# ---- Where from -----------------------------------------------------------


def _source() -> Source:
    given = os.environ.get("FRUITS360_DIR", "").strip()
    if given and given != PAINTED_ON_REQUEST:
        return Source(
            Path(os.path.abspath(Path(given).expanduser())),
            f"FRUITS360_DIR ({given})",
            "Replace it, or unset FRUITS360_DIR.",
        )
    fetched = data_directory() / "fruits-360"
    if not given and (fetched.exists() or fetched.is_symlink()):
        return Source(
            fetched,
            f"`make fruits` ({shown(fetched)})",
            '`make fruits ARGS="--force"` gets the data set again.',
        )
    folder = painted_fruits()
    return Source(
        folder,
        shown(folder),
        f"Remove the folder {folder}, and they are painted again.",
    )


def is_painted(directory: str | Path) -> bool:
    """Whether what `fruits_directory()` gave are painted fruits."""
    training = Path(directory) / TRAINING
    # In a view the classes are links into the real folder.
    places = {x.resolve().parents[1] for x in training.iterdir()}
    return any((place / PAINTED_MARKER).exists() for place in places)


def painted_fruits() -> Path:
    """The painted fruits, where they are, or where they can be written.

    In a data folder that only somebody else may write to, as on the server of
    a class, they are taken as they are if they are whole.
    """
    from .painted.painter import is_complete, paint_fruits

    there = Path(os.path.abspath(data_directory() / "painted-fruits"))
    with contextlib.suppress(OSError):
        if not _writable(there.parent) and is_complete(there):
            return there
    return Path(paint_fruits(own_directory() / "painted-fruits"))


def own_directory() -> Path:
    """Where this package may write: the data folder, or the user's cache."""
    places = [data_directory()]
    if not _writable(places[0]):
        import pooch

        places.append(Path(pooch.os_cache("sidebyside")))
        if not _writable(places[1]):
            raise WrongData(
                f"Neither {places[0]} nor {places[1]} can be written to; set "
                "SIDEBYSIDE_DATA to a folder that can"
            )
    return places[-1]


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)


def shown(path: Path) -> str:
    """A path as a reader knows it: below the project, or as it is."""
    project = project_directory()
    if project is not None and path.is_relative_to(project):
        return path.relative_to(project).as_posix()
    return str(path)


def _line(source: Source, painted: bool, choice: Choice, listing: Listing) -> str:
    images = {"Training": 0, "Test": 0}
    for (split, _), files in listing.items():
        images[split] += len(files)
    kind = "painted by this project" if painted else "photographs"
    parts = [
        f"Fruits: {kind}, from {source.name}: "
        f"{len(choice.folders)} classes, {images['Training']:,} Training and "
        f"{images['Test']:,} Test images"
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


# ---- Layouts --------------------------------------------------------------


def find_layout(folder: Path, name: str) -> Layout:
    """The folder with Training and Test, at most four levels below `folder`.

    `name` is what the messages call it.
    """
    with readable(folder):
        is_folder, is_there = folder.is_dir(), folder.exists()
    if not is_folder:
        raise WrongData(
            f"{name} {'is a file' if is_there else 'does not exist'}. Expected: a "
            f"folder that holds {TRAINING} and Test. To unpack an archive: make fruits "
            f"ARGS=\"--from '{folder}'\""
        )
    with readable(folder):
        layouts = {str(x.root): x for x in _layouts(folder, name)}
    if not layouts:
        there = sorted(os.listdir(folder))
        raise WrongData(
            f"{name} is no folder of Fruits-360: no folder in it holds "
            f"{TRAINING} and Test (or Validation), {LEVELS} levels down. "
            f"It holds: {some(there) or 'nothing'}. Name the folder that "
            f"{TRAINING} and Test are in."
        )
    return layouts[pick_root(list(layouts), name)]


def pick_root(roots: list[str], name: str) -> str:
    """The one data set that is meant, of those in a folder or an archive.

    The data set of today comes in several sizes; the one of 100x100 pixels
    is the one that the comparison used.
    """
    if len(roots) > 1:
        small = [root for root in roots if "100x100" in root]
        roots = small if len(small) == 1 else roots
    if len(roots) > 1:
        raise WrongData(
            f"{name} holds more than one data set: "
            f"{some(sorted(roots))}. Name one of them."
        )
    return roots[0]


def _layouts(folder: Path, name: str) -> Iterator[Layout]:
    os.scandir(folder).close()  # os.walk() would pass over what cannot be read
    visited: set[str] = set()
    for place, inside, _ in os.walk(folder, followlinks=True):
        tests = [test for test in TESTS if test in inside]
        real = os.path.realpath(place)
        known = real in visited  # a link leads back to it
        visited.add(real)
        if len(visited) > MOST_FOLDERS:
            raise WrongData(
                f"{name} holds thousands of folders; name the one that {TRAINING} and "
                "Test are in."
            )
        if not known and TRAINING in inside and tests:
            yield Layout(Path(place), tests[0])
        elif not known and len(Path(place).relative_to(folder).parts) < LEVELS:
            inside[:] = sorted(x for x in inside if x[0] != "." and x not in NO_ROOTS)
            continue
        inside.clear()


def class_names(layout: Layout) -> list[str]:
    """The names of the folders in Training or in Test, as Keras sees them."""
    names: set[str] = set()
    for split in ("Training", "Test"):
        with readable(layout.folder(split)):
            names.update(
                x.name
                for x in os.scandir(layout.folder(split))
                if x.is_dir() and not x.name.startswith(".")
            )
    if not names:
        raise WrongData(
            f"{layout.root}: {TRAINING} and {layout.test} hold no folder. "
            "Expected: one folder of images for each class."
        )
    return sorted(names)


@contextlib.contextmanager
def readable(path: Path) -> Iterator[None]:
    """Says in a sentence (WrongData) why `path` cannot be read."""
    try:
        yield
    except PermissionError as problem:
        raise WrongData(
            f"{printable(path)} cannot be read (permission denied). As its owner: "
            f"chmod -R u+rX '{printable(path)}'"
        ) from problem
    except OSError as problem:
        why = problem.strerror or problem
        raise WrongData(f"{printable(path)} cannot be read ({why}).") from problem


# ---- Checks ---------------------------------------------------------------


def list_images(layout: Layout, choice: Choice) -> Listing:
    """The names of the images for each ("Training" or "Test", class).

    Files that Keras does not take for images are left out. Nothing is opened.
    """
    there = {
        (split, real)
        for split in ("Training", "Test")
        for real in choice.folders.values()
        if (layout.folder(split) / real).is_dir()
    }
    same_classes(there, choice, printable(layout.root))
    listing: Listing = {}
    for split in ("Training", "Test"):
        for name, real in choice.folders.items():
            folder = layout.folder(split) / real
            with readable(folder), os.scandir(folder) as entries:
                files = [entry.name for entry in entries if _is_image(entry)]
            if not files:
                raise WrongData(
                    f"{printable(folder)} holds no image: the class "
                    f"{printable(name)} is empty. Fill it, or choose other classes "
                    "(classes=...)."
                )
            listing[split, name] = sorted(files)
    return listing


def _is_image(entry: os.DirEntry[str]) -> bool:
    if entry.is_dir():
        _no_images_below(Path(entry.path))
        return False
    if not entry.name.lower().endswith(SUFFIXES):
        return False
    if not entry.is_file():  # Keras would wait for a pipe for ever
        raise WrongData(
            f"{printable(entry.path)} is not a file, or is a link to one that is "
            "missing. Delete it, or bring the file back."
        )
    return True


def same_classes(there: set[tuple[str, str]], choice: Choice, where: str) -> None:
    """WrongData if a class is in one part only; `there` are (part, folder)."""
    for has, lacks in (("Training", "Test"), ("Test", "Training")):
        for name, folder in choice.folders.items():
            if (lacks, folder) not in there:
                raise WrongData(
                    f"{where}: {has} has the class '{printable(folder)}', {lacks} does "
                    "not. Both need the same classes: add the folder, or choose "
                    f"classes without {printable(name)}."
                )


def _no_images_below(folder: Path) -> None:
    """Keras reads folders in a class's folder too; nobody would expect it."""
    for place, _, files in os.walk(folder):
        for file in sorted(files):
            if file.lower().endswith(SUFFIXES):
                raise WrongData(
                    f"{printable(Path(place) / file)} lies in a folder inside a "
                    "class's folder, where Keras would read it as one more image. "
                    f"Move it up, or remove the folder {printable(folder)}."
                )


def check_samples(layout: Layout, choice: Choice, listing: Listing, fix: str) -> None:
    """Look at the first image of each folder; WrongData if it is none.

    Enough to notice another size or another data set. To look at all of them
    takes seconds, and is done when they are fetched.
    """
    for (split, name), files in listing.items():
        path = layout.folder(split) / choice.folders[name] / files[0]
        with readable(path):
            data = read_at_most(path, MOST_BYTES)
        problem = image_problem(data)
        if problem:
            raise WrongData(f"{printable(path)} {problem}. {fix}")


def image_problem(data: bytes) -> str | None:
    """What is wrong with the bytes of an image: "is empty", or None."""
    from PIL import Image, UnidentifiedImageError

    if not data:
        return "is empty (0 bytes)"
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if image.size != SIZE:
                width, height = image.size
                return (
                    f"is {width}x{height} pixels, expected 100x100 (Fruits-360 "
                    "comes in several sizes)"
                )
            image.load()
    except UnidentifiedImageError:
        return "is not an image, whatever its name says"
    except Exception as problem:  # whatever bytes can make Pillow raise
        return f"is damaged ({printable(problem)})"
    return None


# ---- The folder as Keras should see it ------------------------------------


def _as_expected(layout: Layout, choice: Choice) -> Path:
    """The folder itself, or a view of it: links with the expected names."""
    exact = layout.test == "Test" and not choice.renamed()
    if exact and not choice.others:
        return layout.root
    import filelock

    links = {
        (split, name): (layout.folder(split) / real).resolve()
        for split in ("Training", "Test")
        for name, real in choice.folders.items()
    }
    what = json.dumps(sorted((*key, str(folder)) for key, folder in links.items()))
    name = hashlib.sha256(what.encode()).hexdigest()[:12]
    view = own_directory() / "fruits-360-views" / name
    try:
        view.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(view.with_name(f".{name}.lock")):
            if not _is_right(view, links):
                _make_view(view, links, layout.root / PAINTED_MARKER)
    except OSError as problem:
        raise WrongData(
            f"The folder of links {view} cannot be written "
            f"({problem.strerror or problem}). Set SIDEBYSIDE_DATA to a folder where "
            "it can."
        ) from problem
    return view


def _is_right(view: Path, links: dict[tuple[str, str], Path]) -> bool:
    try:
        there = {
            (split, name): Path(os.readlink(view / split / name))
            for split in ("Training", "Test")
            for name in os.listdir(view / split)
        }
    except OSError:
        return False
    return there == links


def _make_view(view: Path, links: dict[tuple[str, str], Path], marker: Path) -> None:
    with written_folder(view) as new:
        for (split, name), folder in links.items():
            (new / split).mkdir(exist_ok=True)
            (new / split / name).symlink_to(folder, target_is_directory=True)
        if marker.exists():
            shutil.copyfile(marker, new / marker.name)
