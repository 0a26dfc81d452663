"""`python -m sidebyside.data.fetch_fruits`: get the photographs of Fruits-360.

They come from Kaggle, with the reader's own account, or from an archive or a
folder on disk. The command either puts the whole, checked data set in place, or
leaves everything as it was.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import io
import json
import os
import shutil
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path

from ..common.archives import BadArchive, open_archive
from ..common.errors import NoData, Sentence, WrongData, printable
from ..common.files import (
    data_directory,
    read_at_most,
    restore_folder,
    written_folder,
)
from . import fruits
from .fruits import FETCHED_MARKER, MOST_BYTES, SUFFIXES, TESTS, TRAINING

DATASET = "moltean/fruits"
PAGE = f"https://www.kaggle.com/datasets/{DATASET}"
CREDIT = (
    "Fruits-360 by Mihai Oltean and Horea Muresan, licence CC BY-SA 4.0\n"
    "(https://creativecommons.org/licenses/by-sa/4.0/), from\n"
    f"{PAGE}\n"
    "To cite: Mihai Oltean, Fruits-360 dataset, 2017-; and Horea Muresan,\n"
    "Mihai Oltean, Fruit recognition from images using deep learning, Acta\n"
    "Univ. Sapientiae, Informatica 10(1), 26-42, 2018."
)

# Seconds to wait for a connection, and for the next piece of an answer. Kaggle's
# own package waits for ever.
TIMEOUT = 60

MARGIN = 50_000_000  # bytes to leave free on the disk

Key = tuple[str, str, str]  # "Training" or "Test", class folder, file
Reader = Callable[[str], bytes]


def main(arguments: list[str] | None = None) -> int:
    """Return the exit status: 0 if the data set is in place."""
    try:
        fetch(**vars(_arguments(arguments)))
    except Sentence as problem:
        print(problem, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            "\nInterrupted. The fruits that were there before are unchanged. Run "
            "`make fruits` again to resume a download.",
            file=sys.stderr,
        )
        return 130
    return 0


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m sidebyside.data.fetch_fruits",
        description="Get the photographs of Fruits-360 from Kaggle, or from "
        "an archive or a folder on disk.",
    )
    parser.add_argument(
        "--from",
        dest="origin",
        type=Path,
        metavar="ZIP_OR_FOLDER",
        help="an archive or a folder on disk, instead of Kaggle",
    )
    parser.add_argument(
        "--classes",
        metavar="all|A,B",
        help='which classes: "all", or names with commas between them '
        f"(default: the {len(fruits.CLASSES)} of the notebook)",
    )
    parser.add_argument(
        "--to",
        type=Path,
        metavar="DIR",
        help="folder to write (default: data/fruits-360, where the notebook looks)",
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="get the photographs again, even if they are there",
    )
    return parser.parse_args(arguments)


@fruits.explained()
def fetch(
    to: Path | None = None,
    origin: Path | None = None,
    classes: str | Iterable[str] | None = None,
    *,
    force: bool = False,
) -> Path:
    """Put Fruits-360 into a folder, with `Training/<class>/*.jpg` and `Test/...`.

    The arguments are those of the command. The folders of the classes are named
    as in the data set. Raises NoData, WrongData or BadArchive, whose message says
    what to do; the folder is then as it was before.
    """
    import filelock

    usual = Path(os.path.abspath(data_directory() / "fruits-360"))
    to = Path(os.path.abspath(to)) if to else usual
    # Ignore FRUITS360_CLASSES: it only selects among classes that are there.
    wanted = fruits.wanted_classes("" if classes is None else classes)
    to.parent.mkdir(parents=True, exist_ok=True)
    lock = to.with_name(f"{to.name}.lock")
    lock.touch()  # fails at once if the folder cannot be written to
    try:
        with filelock.FileLock(lock, timeout=1):
            restore_folder(to)  # after a run that was killed
            ours = (to / FETCHED_MARKER).exists()
            if ours and not force:
                print(
                    f"{fruits.shown(to)} is there already. To get it again, or to get "
                    'other classes: make fruits ARGS="--force"'
                )
                return to
            if to.exists() and not ours and any(to.iterdir()):
                raise NoData(
                    f"{to} contains files that this command did not write. Move them "
                    "away, or choose another folder with --to."
                )
            if origin is None:
                _put_from_kaggle(to, wanted)
            else:
                _put(origin, to, wanted)
    except filelock.Timeout:
        raise NoData(
            f"Another `make fruits` is writing to {to}. Wait until it has finished."
        ) from None
    read = os.environ.get("FRUITS360_DIR") or usual
    if Path(read).expanduser().resolve() != to.resolve():
        print(
            f"The notebooks read {read}. To make them read the new folder: "
            f"export FRUITS360_DIR='{to}'"
        )
    print(CREDIT)
    return to


# ---- From a place on disk -------------------------------------------------


def _put(origin: Path, to: Path, wanted: list[str]) -> None:
    """Copy the wanted images of `origin` into `to`: all of them or none."""
    if Path(os.path.realpath(origin)).is_relative_to(os.path.realpath(to)):
        raise NoData(
            f"{origin} is inside {to}, which is replaced as a whole. Choose another "
            "folder with --to."
        )
    with _opened(origin) as (sizes, read):
        choice, images = _choose(sizes, wanted, str(origin))
        _room_for(sum(sizes[x] for x in images.values()), to.parent)
        with written_folder(to) as new:
            _write(images, read, new, origin)
            noted = {"wanted": wanted, "images": len(images)}
            (new / FETCHED_MARKER).write_text(json.dumps(noted), "utf-8")
    missing = f"; missing: {', '.join(choice.missing)}"
    others = f'; to get {choice.others} more: make fruits ARGS="--classes all --force"'
    print(
        f"{fruits.shown(to)}: {len(choice.folders)} classes, {len(images):,} images"
        f"{missing if choice.missing else ''}"
        f"{others if choice.others else ''}"
    )


@contextlib.contextmanager
def _opened(origin: Path) -> Iterator[tuple[dict[str, int], Reader]]:
    """Yield the size that each file states, and a function that reads a file.

    `origin` is an archive or a folder.
    """
    if origin.is_dir():
        sizes = {
            Path(place, file).relative_to(origin).as_posix(): (
                os.lstat(os.path.join(place, file)).st_size
            )
            for place, _, files in os.walk(origin)
            for file in files
        }
        yield sizes, lambda name: read_at_most(origin / name, MOST_BYTES)
    else:
        with open_archive(origin) as archive:
            sizes = {name: entry.file_size for name, entry in archive.members.items()}
            yield sizes, lambda name: archive.read(name, MOST_BYTES)


def _choose(
    there: Collection[str], wanted: list[str], origin: str
) -> tuple[fruits.Choice, dict[Key, str]]:
    """Choose the classes from a list of files, and find each of their images."""
    by_root: dict[str, dict[Key, str]] = {}
    for file in there:
        *above, split, kind, name = ("", "", *file.split("/"))
        if split in (TRAINING, *TESTS) and _is_image(kind, name):
            images = by_root.setdefault("/".join(above).strip("/") or ".", {})
            images[split, kind, name] = file
    tests = {}
    for root, images in by_root.items():
        splits = {key[0] for key in images}
        if TRAINING in splits and len(splits) > 1:
            tests[root] = next(x for x in TESTS if x in splits)
    if not tests:
        top = printable(", ".join(sorted({x.split("/")[0] for x in there})), 500)
        raise WrongData(
            f"{origin} is not Fruits-360: expected folders {TRAINING} and Test with "
            f"a folder of images for each class, found: {top or 'nothing'}."
        )
    root = fruits.pick_root(list(tests), origin)
    if os.path.normpath(f"{root}/{fruits.PAINTED_MARKER}") in there:
        raise WrongData(
            f"{origin} contains fruits that this project painted; expected "
            "photographs. The notebook paints fruits itself if there are no "
            "photographs."
        )
    parts = {TRAINING: TRAINING, tests[root]: "Test"}
    images = {
        (parts[split], kind, name): file
        for (split, kind, name), file in by_root[root].items()
        if split in parts
    }
    classes = {x: {key[1] for key in images if key[0] == x} for x in parts.values()}
    choice = fruits.choose(classes, wanted, origin)
    chosen = choice.folders.values()
    return choice, {key: file for key, file in images.items() if key[1] in chosen}


def _is_image(kind: str, name: str) -> bool:
    visible = kind[:1] != "." and name[:1] != "." and f"{kind}{name}".isprintable()
    return visible and name.lower().endswith(SUFFIXES)


def _write(images: dict[Key, str], read: Reader, new: Path, origin: Path) -> None:
    """Check and write every image."""
    from tqdm import tqdm

    for key in tqdm(images, desc="unpacking", unit=" images", mininterval=0.5):
        data = read(images[key])
        problem = fruits.image_problem(data)
        if problem:
            raise WrongData(
                f"{'/'.join(key)} in {origin} {problem}. Nothing was written. Get "
                f"{origin} again."
            )
        target = new.joinpath(*key)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def _room_for(size: int, folder: Path) -> None:
    needed, free = size + MARGIN, shutil.disk_usage(folder).free
    if free < needed:
        raise NoData(
            f"The disk of {folder} has {free / 1e6:,.0f} MB free, but "
            f"{needed / 1e6:,.0f} MB are needed. Make room, or choose another disk "
            "with --to."
        )


# ---- From Kaggle ----------------------------------------------------------


def _put_from_kaggle(to: Path, wanted: list[str]) -> None:
    """Download the archive, or the part of it that is missing, and unpack it."""
    folder = to.with_name(f"{to.name}-download")
    archive = folder / "fruits.zip"
    folder.mkdir(exist_ok=True)
    print(f"Downloading {PAGE}: about 1 GB (you can interrupt and resume)", flush=True)
    try:
        _download(folder)
        _put(archive, to, wanted)
        archive.unlink()
    except BadArchive:
        archive.unlink()  # resuming the download would not repair it
        raise
    finally:
        if archive.exists():
            print(f"The downloaded part is kept in {archive}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def _download(folder: Path) -> None:
    """Download Kaggle's archive into `folder`, resuming an earlier run.

    Whatever the kaggle package prints or raises is hidden: its messages may
    contain addresses that are signed with the reader's account.
    """
    try:
        with _impatient(), contextlib.redirect_stdout(io.StringIO()):
            api = _kaggle_api()
            api.authenticate()
            api.dataset_download_files(DATASET, str(folder), quiet=False)
            return
    except (NoData, KeyboardInterrupt):
        raise
    except SystemExit:
        why = "no valid credentials"
    except BaseException as problem:
        status = getattr(getattr(problem, "response", None), "status_code", None)
        why = status or getattr(problem, "strerror", None) or type(problem).__name__
    # Raised outside of `except`, so that it does not refer to the original error.
    raise NoData(
        f"Fruits-360 could not be downloaded from Kaggle ({why}). You need a network "
        "and a free account: put its API token (https://www.kaggle.com/settings/api) "
        "into ~/.kaggle/access_token or KAGGLE_API_TOKEN, and run `make fruits` again "
        f"to resume. Or download the archive from {PAGE} in a browser and run: make "
        'fruits ARGS="--from archive.zip". Without photographs the notebook uses '
        "painted fruits."
    )


def _kaggle_api():
    """Return the kaggle package's interface, which first checks for free space."""
    # With VERBOSE set, the package logs every request, with addresses that are
    # signed with the reader's account.
    for name in ("VERBOSE", "VERBOSE_OUTPUT"):
        os.environ.pop(name, None)
    from kaggle.api.kaggle_api_extended import KaggleApi

    class Api(KaggleApi):
        def download_file(self, response, outfile, *arguments):
            there = Path(outfile)
            had = there.stat().st_size if there.is_file() else 0
            length = int(response.headers.get("Content-Length") or had)
            _room_for(length - had, there.parent)
            super().download_file(response, outfile, *arguments, timeout=TIMEOUT)

    return Api()


@contextlib.contextmanager
def _impatient() -> Iterator[None]:
    """Give a timeout to every request that has none.

    The kaggle package sends most of its requests without one, and would wait for
    ever in a network that does not answer.
    """
    from requests.adapters import HTTPAdapter

    patient = HTTPAdapter.send
    HTTPAdapter.send = functools.partialmethod(patient, timeout=TIMEOUT)
    try:
        yield
    finally:
        HTTPAdapter.send = patient


if __name__ == "__main__":
    sys.exit(main())
