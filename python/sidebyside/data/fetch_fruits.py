"""`python -m sidebyside.data.fetch_fruits`: get the photographs of Fruits-360.

From Kaggle, with the reader's own account, or from an archive or a folder
that is already on disk. What is in place at the end is whole and checked, or
it is what was there before.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..common.archives import Archive, BadArchive, open_archive
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

# Kaggle's own package waits without end for an answer, and five times for up
# to a minute after a broken connection.
TIMEOUT = 60  # seconds for a connection, and for the next piece of an answer
RETRIES = 2

MARGIN = 50_000_000  # bytes that are left free on the disk
BLOCK = 4096  # bytes; a small file takes one


Key = tuple[str, str, str]  # "Training" or "Test", class folder, file


@dataclass(frozen=True)
class Found:
    """The images of the chosen classes, in an archive or in a folder."""

    choice: fruits.Choice
    sizes: dict[Key, int]  # bytes, as stated
    read: Callable[[Key], bytes]


def main(arguments: list[str] | None = None) -> int:
    """Exit status 0 if the data set is in place."""
    asked = _arguments(arguments)
    try:
        fetch(**vars(asked))
    except (Sentence, ValueError) as problem:
        print(problem, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            "\nStopped. What was in place before is as it was. Run `make fruits` "
            "again to resume a download.",
            file=sys.stderr,
        )
        return 130
    except OSError as problem:
        print(
            f"{asked.to or data_directory()} cannot be written to "
            f"({problem.strerror or type(problem).__name__}). Choose another folder, "
            "on a disk with room, with --to.",
            file=sys.stderr,
        )
        return 1
    return 0


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    def path(text: str) -> Path:
        return Path(text).expanduser()

    parser = argparse.ArgumentParser(
        prog="python -m sidebyside.data.fetch_fruits",
        description="Get the photographs of Fruits-360 from Kaggle, or from "
        "an archive or a folder on disk.",
    )
    parser.add_argument(
        "--from",
        dest="origin",
        type=path,
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
        type=path,
        metavar="DIR",
        help="where to (default: data/fruits-360, where the notebook looks)",
    )
    parser.add_argument(
        "--keep-archive",
        action="store_true",
        help="keep what Kaggle sent, for another choice of classes",
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="get them again, even if they are there",
    )
    return parser.parse_args(arguments)


def fetch(
    to: Path | None = None,
    origin: Path | None = None,
    classes: str | Iterable[str] | None = None,
    *,
    force: bool = False,
    keep_archive: bool = False,
) -> Path:
    """Put Fruits-360 into a folder, with `Training/<class>/*.jpg` and `Test/...`.

    The arguments are those of the command. The folders of the classes are named
    as in the data set. Raises NoData, WrongData, BadArchive or OSError, each with
    a sentence that says what to do; what was in place before is then as it was.
    """
    import filelock

    usual = Path(os.path.abspath(data_directory() / "fruits-360"))
    to = Path(os.path.abspath(to)) if to else usual
    # FRUITS360_CLASSES is the notebook's choice of what is there, not this.
    wanted = None if classes is None else fruits.wanted_classes(classes)
    if origin is not None:
        _not_inside_each_other(to, origin)
    to.parent.mkdir(parents=True, exist_ok=True)
    lock = to.with_name(f"{to.name}.lock")
    lock.touch()  # says at once where nothing can be written
    try:
        with filelock.FileLock(lock, timeout=1):
            restore_folder(to)  # after a run that was killed
            if not force and _is_there(to, wanted):
                return to
            if to.exists() and not _marker(to) and not _is_empty(to):
                raise NoData(
                    f"{to} holds what this command did not put there. Move it away, "
                    "or choose another folder with --to."
                )
            if origin is not None:
                _put(origin, to, wanted, str(origin))
            else:
                _put_from_kaggle(to, wanted, keep_archive)
    except filelock.Timeout:
        raise NoData(
            f"Another `make fruits` is writing to {to}. Wait until it has finished."
        ) from None
    read = os.environ.get("FRUITS360_DIR") or usual
    if Path(read).expanduser().resolve() != to.resolve():
        print(f"The notebooks read {read}. For this: export FRUITS360_DIR='{to}'")
    print(CREDIT)
    return to


# ---- What is in place -----------------------------------------------------


def _is_there(to: Path, wanted: list[str] | None) -> bool:
    """Whether a former run put all that is wanted there, and it still is."""
    noted = _marker(to)
    if not noted:
        return False
    had = noted["wanted"]
    enough = set(wanted or fruits.CLASSES) <= set(had or fruits.CLASSES)
    if had != ["all"] and not enough:
        return False
    images = sum(_is_image(path.name) for path in to.glob("*/*/*"))
    if images != noted["images"]:
        return False
    print(
        f"{fruits.shown(to)} has it already: {images:,} images. To get it again: "
        'make fruits ARGS="--force"'
    )
    return True


def _marker(to: Path) -> dict | None:
    """What this command noted of a folder that it made."""
    try:
        noted = json.loads((to / FETCHED_MARKER).read_text("utf-8"))
        return {"wanted": noted["wanted"], "images": noted["images"]}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _is_empty(to: Path) -> bool:
    return to.is_dir() and not any(to.iterdir())


def _not_inside_each_other(to: Path, origin: Path) -> None:
    # Path.resolve() raises for links in a circle.
    new, old = Path(os.path.realpath(to)), Path(os.path.realpath(origin))
    if new == old or new in old.parents or old in new.parents:
        raise NoData(
            f"{origin} and {to} lie inside each other, and {to} is replaced "
            "as a whole. Choose another place with --to."
        )


# ---- From a place on disk -------------------------------------------------


def _put(origin: Path, to: Path, wanted: list[str] | None, name: str) -> None:
    """The wanted images of `origin` into `to`, all of them or none.

    `name` is what the messages call `origin`.
    """
    with contextlib.ExitStack() as opened:
        with fruits.readable(origin):
            if not origin.exists():
                raise NoData(f"{name} does not exist. Name an archive or a folder.")
            is_folder = origin.is_dir()
            if not is_folder:
                archive = opened.enter_context(open_archive(origin, name=name))
        if is_folder:
            found = _images_of_folder(origin, wanted, name)
        else:
            found = _images_of_archive(archive, wanted, name)
        choice, images = found.choice, len(found.sizes)
        _room_for(found.sizes.values(), to.parent)
        with written_folder(to) as new:
            _write(found, new, name)
            noted = {"wanted": wanted, "images": images}
            (new / FETCHED_MARKER).write_text(json.dumps(noted), "utf-8")
    missing = f"; not in it: {', '.join(choice.missing)}"
    others = f'; {choice.others} more with ARGS="--classes all"'
    print(
        f"{fruits.shown(to)}: {len(choice.folders)} classes, {images:,} images"
        f"{missing if choice.missing else ''}"
        f"{others if choice.others else ''}"
    )


def _write(found: Found, new: Path, name: str) -> None:
    """Every image is looked at before it is written."""
    from tqdm import tqdm

    for key in tqdm(found.sizes, desc="unpacking", unit=" images", mininterval=0.5):
        shown = "/".join(map(printable, key))
        if shown != "/".join(key):
            raise WrongData(f"{name} is refused: no file of Fruits-360 is '{shown}'.")
        data = found.read(key)
        problem = fruits.image_problem(data)
        if problem:
            raise WrongData(
                f"{shown} {problem}. It is from {name}, of which nothing was kept: get "
                "that again."
            )
        target = new.joinpath(*key)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def _images_of_folder(folder: Path, wanted: list[str] | None, name: str) -> Found:
    layout = fruits.find_layout(folder, name)
    if (layout.root / fruits.PAINTED_MARKER).exists():
        raise WrongData(
            f"{name} holds fruits that this project painted. The notebook "
            "paints them itself where there are no photographs."
        )
    choice = fruits.choose(fruits.class_names(layout), wanted, name)
    places = {
        (split, choice.folders[kind], file): layout.folder(split)
        / choice.folders[kind]
        / file
        for (split, kind), files in fruits.list_images(layout, choice).items()
        for file in files
        if _is_image(file)
    }

    def read(key: Key) -> bytes:
        with fruits.readable(places[key]):
            return read_at_most(places[key], MOST_BYTES)

    sizes = {key: place.stat().st_size for key, place in places.items()}
    return Found(choice, sizes, read)


def _is_image(name: str) -> bool:
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")


def _images_of_archive(archive: Archive, wanted: list[str] | None, name: str) -> Found:
    """The images of the one data set in an archive."""
    by_root: dict[str, dict[Key, str]] = {}
    for member in archive.members:
        *above, split, folder, file = ("", "", "", *member.split("/"))
        if split not in (TRAINING, *TESTS) or "__MACOSX" in above:
            continue
        if _is_image(file) and not folder.startswith("."):
            images = by_root.setdefault("/".join(above).strip("/") or ".", {})
            images[split, folder, file] = member
    tests = {
        root: [test for test in TESTS if any(key[0] == test for key in images)]
        for root, images in by_root.items()
        if any(key[0] == TRAINING for key in images)
    }
    roots = [root for root, found in tests.items() if found]
    if not roots:
        inside = sorted({member.split("/")[0] for member in archive.members})
        raise WrongData(
            f"{name} is no archive of Fruits-360: it has no folders "
            f"{TRAINING} and Test with images of classes in them. It holds: "
            f"{fruits.some(inside) or 'nothing'}."
        )
    root = fruits.pick_root(roots, name)
    parts = {TRAINING: "Training", tests[root][0]: "Test"}
    members = {
        (parts[split], folder, file): member
        for (split, folder, file), member in by_root[root].items()
        if split in parts
    }
    choice = fruits.choose({folder for _, folder, _ in members}, wanted, name)
    fruits.same_classes({key[:2] for key in members}, choice, name)
    chosen = choice.folders.values()
    members = {key: x for key, x in members.items() if key[1] in chosen}
    return Found(
        choice,
        {key: archive.members[x].file_size for key, x in members.items()},
        lambda key: archive.read(members[key], MOST_BYTES),
    )


def _room_for(sizes: Iterable[int], folder: Path) -> None:
    needed = sum(-(-size // BLOCK) * BLOCK for size in sizes) + MARGIN
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise NoData(
            f"The disk of {folder} is too full: {needed / 1e6:,.0f} MB are "
            f"needed, {free / 1e6:,.0f} MB are free. Make room, or choose "
            "another disk with --to."
        )


# ---- From Kaggle ----------------------------------------------------------


def _put_from_kaggle(to: Path, wanted: list[str] | None, keep_archive: bool) -> None:
    """Download the archive, or what is missing of it, and unpack it."""
    folder = to.with_name(f"{to.name}-download")
    archive = folder / "fruits.zip"
    folder.mkdir(parents=True, exist_ok=True)
    print(f"{PAGE} (about 1 GB, as a whole; it can be interrupted)", flush=True)
    keep = True
    try:
        _download(folder)
        _put(archive, to, wanted, "Kaggle's archive")
        keep = keep_archive
    except BadArchive:
        keep = False  # resuming would never make it whole
        raise
    finally:
        if not keep or not archive.exists():
            shutil.rmtree(folder, ignore_errors=True)
        else:
            print(f"What was downloaded is kept: {archive}")


def _download(folder: Path) -> None:
    """Kaggle's archive into `folder`, resuming an earlier run.

    Nothing of what the kaggle package prints or raises is passed on: its
    messages may hold addresses that are signed with the reader's account.
    """
    problem = None
    try:
        with _impatient(), contextlib.redirect_stdout(io.StringIO()):
            api = _kaggle_api()
            api.authenticate()
            api.dataset_download_files(DATASET, str(folder), quiet=False)
    except (NoData, KeyboardInterrupt):
        raise
    except BaseException as caught:
        problem = _sentence(caught)
    if problem is not None:
        # Outside of `except`, so that no trace leads to the original.
        raise NoData(problem)


def _kaggle_api():
    """The kaggle package's interface, a little more careful."""
    # With VERBOSE set it logs every request while and after it is imported,
    # with addresses that are signed with the reader's account.
    for name in ("VERBOSE", "VERBOSE_OUTPUT"):
        os.environ.pop(name, None)
    from kaggle.api.kaggle_api_extended import KaggleApi

    class Api(KaggleApi):
        def download_file(
            self, response, outfile, http_client, quiet=True, resume=False, **_
        ):
            there = Path(outfile)
            had = there.stat().st_size if there.is_file() else 0
            length = int(response.headers.get("Content-Length") or 0)
            _room_for([max(length - had, 0)], there.parent)
            super().download_file(
                response,
                outfile,
                http_client,
                quiet,
                resume,
                max_retries=RETRIES,
                timeout=TIMEOUT,
            )

    return Api()


@contextlib.contextmanager
def _impatient() -> Iterator[None]:
    """Give every request that names no timeout one.

    The kaggle package sends most of its requests without, and a network that
    swallows them would hold the reader for ever.
    """
    from requests.adapters import HTTPAdapter

    patient = HTTPAdapter.send

    def send(self, *arguments, timeout=None, **others):
        if timeout is None:
            timeout = TIMEOUT
        return patient(self, *arguments, timeout=timeout, **others)

    HTTPAdapter.send = send
    try:
        yield
    finally:
        HTTPAdapter.send = patient


def _sentence(problem: BaseException) -> str:
    """What went wrong at Kaggle and what to do, without any secret."""
    from requests.exceptions import HTTPError

    status = None
    if isinstance(problem, HTTPError):
        status = getattr(problem.response, "status_code", "unknown")
    if isinstance(problem, SystemExit) or status == 401:
        return (
            "Kaggle gives Fruits-360 to people with an account, and no valid "
            "credentials of one were found. Make a free account, create an API token "
            "at https://www.kaggle.com/settings/api, and put it into the file "
            "~/.kaggle/access_token (or the environment variable KAGGLE_API_TOKEN). "
            f"Or download the archive at {PAGE} in a browser, then: make fruits "
            'ARGS="--from archive.zip". Without photographs the notebook runs on '
            "painted fruits."
        )
    if status == 403:
        return (
            "Kaggle does not give Fruits-360 to this account (403). Open "
            f"{PAGE} in a browser, sign in, accept the licence and whatever "
            "else it asks (it may want a telephone number), then run "
            "`make fruits` again."
        )
    if status is not None:
        found = f"Kaggle answered with an error ({status}): try again later."
    elif isinstance(problem, OSError) and problem.strerror:
        found = f"The download failed ({problem.strerror}): make room, or see --to."
    else:
        found = (
            "Kaggle cannot be reached, or the connection broke off "
            f"({type(problem).__name__}): check the network, and HTTPS_PROXY if "
            "there is one."
        )
    return (
        f"{found} `make fruits` resumes the download. Or get the archive from {PAGE} "
        'on another machine, then: make fruits ARGS="--from archive.zip".'
    )


if __name__ == "__main__":
    sys.exit(main())
