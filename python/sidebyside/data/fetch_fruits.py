"""`python -m sidebyside.data.fetch_fruits`: get the photographs of Fruits-360.

From Kaggle, with the reader's own account, or from an archive or a folder
that is already on disk. What is in place at the end is whole and checked, or
it is what was there before.
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

# Seconds for a connection, and for the next piece of an answer. Kaggle's own
# package waits without end.
TIMEOUT = 60

MARGIN = 50_000_000  # bytes that are left free on the disk

Key = tuple[str, str, str]  # "Training" or "Test", class folder, file
Reader = Callable[[str], bytes]


def main(arguments: list[str] | None = None) -> int:
    """Exit status 0 if the data set is in place."""
    try:
        fetch(**vars(_arguments(arguments)))
    except Sentence as problem:
        print(problem, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            "\nStopped. What was in place before is as it was. Run `make fruits` "
            "again to resume a download.",
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
        help='"all", or names with commas between them '
        f"(default: the {len(fruits.CLASSES)} of the notebook)",
    )
    parser.add_argument(
        "--to",
        type=Path,
        metavar="DIR",
        help="where to (default: data/fruits-360, where the notebook looks)",
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="get them again, even if they are there",
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
    as in the data set. Raises NoData, WrongData or BadArchive, each with a
    sentence that says what to do; what was in place before is then as it was.
    """
    import filelock

    usual = Path(os.path.abspath(data_directory() / "fruits-360"))
    to = Path(os.path.abspath(to)) if to else usual
    # FRUITS360_CLASSES is the notebook's choice of what is there, not this.
    wanted = fruits.wanted_classes("" if classes is None else classes)
    to.parent.mkdir(parents=True, exist_ok=True)
    lock = to.with_name(f"{to.name}.lock")
    lock.touch()  # says at once where nothing can be written
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
                    f"{to} holds what this command did not put there. Move it away, "
                    "or choose another folder with --to."
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
        print(f"The notebooks read {read}. For this: export FRUITS360_DIR='{to}'")
    print(CREDIT)
    return to


# ---- From a place on disk -------------------------------------------------


def _put(origin: Path, to: Path, wanted: list[str]) -> None:
    """The wanted images of `origin` into `to`, all of them or none."""
    if Path(os.path.realpath(origin)).is_relative_to(os.path.realpath(to)):
        raise NoData(
            f"{origin} is in {to}, which is replaced as a whole. Choose another "
            "place with --to."
        )
    with _opened(origin) as (sizes, read):
        choice, images = _choose(sizes, wanted, str(origin))
        _room_for(sum(sizes[x] for x in images.values()), to.parent)
        with written_folder(to) as new:
            _write(images, read, new, origin)
            noted = {"wanted": wanted, "images": len(images)}
            (new / FETCHED_MARKER).write_text(json.dumps(noted), "utf-8")
    missing = f"; not in it: {', '.join(choice.missing)}"
    others = f'; {choice.others} more with ARGS="--classes all"'
    print(
        f"{fruits.shown(to)}: {len(choice.folders)} classes, {len(images):,} images"
        f"{missing if choice.missing else ''}"
        f"{others if choice.others else ''}"
    )


@contextlib.contextmanager
def _opened(origin: Path) -> Iterator[tuple[dict[str, int], Reader]]:
    """The stated sizes of all files in an archive or a folder, and their reader."""
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
    """The classes, and where each of their images is, in a list of files."""
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
            f"{origin} is not Fruits-360: it has no folders {TRAINING} and Test with "
            f"images of classes in them. It holds: {top or 'nothing'}."
        )
    root = fruits.pick_root(list(tests), origin)
    if os.path.normpath(f"{root}/{fruits.PAINTED_MARKER}") in there:
        raise WrongData(
            f"{origin} holds fruits that this project painted. The notebook "
            "paints them itself where there are no photographs."
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
    """Every image is looked at before it is written."""
    from tqdm import tqdm

    for key in tqdm(images, desc="unpacking", unit=" images", mininterval=0.5):
        data = read(images[key])
        problem = fruits.image_problem(data)
        if problem:
            raise WrongData(
                f"{'/'.join(key)} {problem}. It is from {origin}, of which nothing was "
                "kept: get that again."
            )
        target = new.joinpath(*key)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def _room_for(size: int, folder: Path) -> None:
    needed, free = size + MARGIN, shutil.disk_usage(folder).free
    if free < needed:
        raise NoData(
            f"The disk of {folder} is too full: {needed / 1e6:,.0f} MB are "
            f"needed, {free / 1e6:,.0f} MB are free. Make room, or choose "
            "another disk with --to."
        )


# ---- From Kaggle ----------------------------------------------------------


def _put_from_kaggle(to: Path, wanted: list[str]) -> None:
    """Download the archive, or what is missing of it, and unpack it."""
    folder = to.with_name(f"{to.name}-download")
    archive = folder / "fruits.zip"
    folder.mkdir(exist_ok=True)
    print(f"{PAGE} (about 1 GB, as a whole; it can be interrupted)", flush=True)
    try:
        _download(folder)
        _put(archive, to, wanted)
        archive.unlink()
    except BadArchive:
        archive.unlink()  # resuming would never make it whole
        raise
    finally:
        if archive.exists():
            print(f"What was downloaded is kept: {archive}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def _download(folder: Path) -> None:
    """Kaggle's archive into `folder`, resuming an earlier run.

    Nothing of what the kaggle package prints or raises is passed on: its
    messages may hold addresses that are signed with the reader's account.
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
    # Outside of `except`, so that no trace leads to the original.
    raise NoData(
        f"Kaggle did not give Fruits-360 ({why}). It takes a network, room on the disk "
        "and a free account, whose API token (https://www.kaggle.com/settings/api) is "
        "in ~/.kaggle/access_token or in KAGGLE_API_TOKEN; `make fruits` then resumes "
        f"the download. Or get the archive at {PAGE} in a browser, then: make fruits "
        'ARGS="--from archive.zip". Without photographs the notebook runs on painted '
        "fruits."
    )


def _kaggle_api():
    """The kaggle package's interface, which asks for room first."""
    # With VERBOSE set it logs every request while and after it is imported,
    # with addresses that are signed with the reader's account.
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
    """Give every request that names no timeout one.

    The kaggle package sends most of its requests without, and a network that
    swallows them would hold the reader for ever.
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
