"""`python -m sidebyside.data.fetch_fruits`: get the photographs of Fruits-360.

From Kaggle, with the reader's own account, or from an archive or a folder
that is already on disk. What is in place at the end is whole and checked, or
it is what was there before.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import io
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..common.archives import MOST_ENTRIES, Archive, BadArchive, open_archive
from ..common.errors import NoData, Sentence, WrongData, printable
from ..common.files import FULL, data_directory, read_at_most
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
    """The images of a data set, in an archive or in a folder."""

    sizes: dict[Key, int]  # bytes, as stated
    read: Callable[[Key], bytes]

    def classes(self) -> list[str]:
        """The folders of classes, in Training or in Test."""
        return sorted({folder for _, folder, _ in self.sizes})


def main(arguments: list[str] | None = None) -> int:
    """Exit status 0 if the data set is in place."""
    asked = _arguments(arguments)
    try:
        fetch(
            Path(asked.to).expanduser() if asked.to else None,
            Path(asked.origin).expanduser() if asked.origin else None,
            asked.classes,
            force=asked.force,
            keep_archive=asked.keep_archive,
        )
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
        print(_disk_sentence(problem), file=sys.stderr)
        return 1
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
    """Put Fruits-360 into the folder `to`, from `origin` or from Kaggle.

    Parameters
    ----------
    to
        The folder; if not given, `fruits-360` of the data folder.
    origin
        An archive (.zip) or a folder; if not given, Kaggle is asked.
    classes
        Names, or "all"; if not given, those of `fruits.CLASSES` that it has.
    force
        Get them even if they are there.
    keep_archive
        Keep Kaggle's archive, in `fruits-360-download` beside `to`.

    Returns
    -------
    Path
        The folder, with `Training/<class>/*.jpg` and `Test/<class>/*.jpg`.
        The folders of the classes are named as in the data set.

    Raises
    ------
    NoData, WrongData, BadArchive, OSError
        Each with a sentence that says what to do. What was in place before is
        then as it was.
    """
    import filelock

    to = Path(os.path.abspath(to)) if to else _default_place()
    wanted = _wanted(classes)
    _not_inside_each_other(to, origin)
    to.parent.mkdir(parents=True, exist_ok=True)
    lock = to.with_name(f"{to.name}.lock")
    lock.touch()  # says at once where nothing can be written
    try:
        with filelock.FileLock(lock, timeout=1):
            _remove_leftovers(to)
            if not force and _is_there(to, wanted):
                return to
            _may_be_replaced(to, force)
            if origin is not None:
                _put(origin, to, wanted, str(origin))
            else:
                _put_from_kaggle(to, wanted, keep_archive)
    except filelock.Timeout:
        raise NoData(
            f"Another `make fruits` is writing to {to}. Wait until it has finished."
        ) from None
    named = os.environ.get("FRUITS360_DIR")
    if named and Path(named).expanduser().resolve() != to.resolve():
        print(f"FRUITS360_DIR is set: the notebooks read {named}, not this.")
    elif not named and to != _default_place():
        print(f"For the notebooks: export FRUITS360_DIR='{to}'")
    print(CREDIT)
    return to


def _default_place() -> Path:
    """Where the notebooks look."""
    return Path(os.path.abspath(data_directory() / "fruits-360"))


def _wanted(classes: str | Iterable[str] | None) -> list[str] | None:
    # FRUITS360_CLASSES is the notebook's choice of what is there, not this.
    return None if classes is None else fruits.wanted_classes(classes)


# ---- What is in place -----------------------------------------------------


def _is_there(to: Path, wanted: list[str] | None) -> bool:
    """Whether a former run put all that is wanted there, and it still is."""
    noted = _marker(to)
    if noted is None:
        return False
    had = noted["wanted"]
    if had != ["all"] and (
        wanted == ["all"]
        or not set(wanted or fruits.CLASSES) <= set(had or fruits.CLASSES)
    ):
        return False
    try:
        found = _images_of_folder(to, str(to))
    except (Sentence, OSError):
        return False
    if len(found.sizes) != noted["images"]:
        return False
    print(
        f"{fruits.shown(to)} has it already: {len(found.classes())} classes, "
        f"{len(found.sizes):,} images. To get it again: "
        'make fruits ARGS="--force"'
    )
    return True


def _marker(to: Path) -> dict | None:
    try:
        noted = json.loads((to / FETCHED_MARKER).read_text("utf-8"))
        return {"wanted": noted["wanted"], "images": int(noted["images"])}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _may_be_replaced(to: Path, force: bool) -> None:
    """Nothing that this command did not make is removed without a word."""
    if not to.exists() or _marker(to) is not None:
        return
    if not to.is_dir():
        raise NoData(f"{to} is a file. Remove it, or choose another --to.")
    inside = sorted(os.listdir(to))
    if not inside or (force and TRAINING in inside):
        return
    kind = "images that this command did not put there"
    advice = 'to replace them: make fruits ARGS="--force"; or choose another --to'
    if TRAINING not in inside:
        kind = f"something else ({fruits.some(inside[:5])})"
        advice = "choose an empty folder with --to, or empty this one"
    raise NoData(f"{to} holds {kind}. It is left alone; {advice}.")


def _not_inside_each_other(to: Path, origin: Path | None) -> None:
    if origin is None:
        return
    # Path.resolve() raises for links in a circle.
    new, old = Path(os.path.realpath(to)), Path(os.path.realpath(origin))
    if new == old or new in old.parents or old in new.parents:
        raise NoData(
            f"{origin} and {to} lie inside each other, and {to} is replaced "
            "as a whole. Choose another place with --to."
        )


def _remove_leftovers(to: Path) -> None:
    """What a run that was killed left behind; the lock says nobody uses it."""
    for left in _made_here(to.parent, f"{to.name}.part-"):
        shutil.rmtree(left, ignore_errors=True)
    for old in _made_here(to.parent, f".{to.name}.old-"):
        if to.exists():
            shutil.rmtree(old, ignore_errors=True)
        else:
            os.rename(old, to)


def _made_here(folder: Path, prefix: str) -> list[Path]:
    """What `mkdtemp()` and `fruits.replace_folder()` call a folder."""
    name = re.compile(re.escape(prefix) + "[a-z0-9_]{8}")
    return [x for x in folder.iterdir() if name.fullmatch(x.name)]


# ---- From a place on disk -------------------------------------------------


def _put(origin: Path, to: Path, wanted: list[str] | None, name: str) -> None:
    """The wanted images of `origin` into `to`, all of them or none.

    `name` is what the messages call `origin`.
    """
    with fruits.readable(origin):
        is_there = origin.exists()
    if not is_there:
        raise NoData(f"{name} does not exist. Name an archive or a folder.")
    with contextlib.ExitStack() as opened:
        if origin.is_dir():
            found = _images_of_folder(origin, name)
        else:
            with fruits.readable(origin):
                archive = opened.enter_context(open_archive(origin, name=name))
            found = _images_of_archive(archive, name)
        choice = fruits.choose(found.classes(), wanted, name)
        keys = _chosen(found, choice, name)
        _room_for([found.sizes[key] for key in keys], to.parent)
        part = Path(tempfile.mkdtemp(prefix=f"{to.name}.part-", dir=to.parent))
        try:
            part.chmod(0o755)
            _write(found, keys, part, name)
            noted = {"wanted": wanted, "images": len(keys)}
            (part / FETCHED_MARKER).write_text(json.dumps(noted), "utf-8")
            fruits.replace_folder(part, to)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    missing = f"; not in it: {', '.join(choice.missing)}"
    others = f'; {choice.others} more with ARGS="--classes all"'
    print(
        f"{fruits.shown(to)}: {len(choice.folders)} classes, {len(keys):,} images"
        f"{missing if choice.missing else ''}"
        f"{others if choice.others else ''}"
    )


def _chosen(found: Found, choice: fruits.Choice, name: str) -> list[Key]:
    """The images of the chosen classes, each of which has to be in both parts."""
    folders = {folder: kind for kind, folder in choice.folders.items()}
    keys = [key for key in found.sizes if key[1] in folders]
    there = {key[:2] for key in keys}
    for folder, kind in folders.items():
        for has, lacks in (("Training", "Test"), ("Test", "Training")):
            if (lacks, folder) not in there:
                raise fruits.only_in(name, has, lacks, folder, kind)
    for _, folder, file in keys:
        for part in (folder, file):
            if printable(part, most=200) != part:
                raise WrongData(
                    f"{name} is refused: '{printable(part)}' in it cannot be the name "
                    "of a file of Fruits-360."
                )
    return keys


def _write(found: Found, keys: list[Key], part: Path, name: str) -> None:
    """Every image is looked at before it is written."""
    from tqdm import tqdm

    for key in tqdm(keys, desc="unpacking", unit=" images", mininterval=0.5):
        data = found.read(key)
        problem = fruits.image_problem(data)
        if problem:
            raise WrongData(
                f"{'/'.join(key)} {problem}. It is from {name}, of which nothing was "
                "kept: get that again."
            )
        target = part.joinpath(*key)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def _images_of_folder(folder: Path, name: str) -> Found:
    layout = fruits.find_layout(folder, name)
    if (layout.root / fruits.PAINTED_MARKER).exists():
        raise WrongData(
            f"{name} holds fruits that this project painted. The notebook "
            "paints them itself where there are no photographs."
        )

    def place(key: Key) -> Path:
        return layout.folder(key[0]) / key[1] / key[2]

    def read(key: Key) -> bytes:
        with fruits.readable(place(key)):
            return read_at_most(place(key), MOST_BYTES)

    sizes: dict[Key, int] = {}
    for split in ("Training", "Test"):
        for kind in fruits.class_names(layout):
            inside = layout.folder(split) / kind
            if not inside.is_dir():
                continue
            with fruits.readable(inside):
                for file in filter(_is_image, sorted(os.listdir(inside))):
                    sizes[split, kind, file] = (inside / file).stat().st_size
            if len(sizes) > MOST_ENTRIES:
                raise WrongData(
                    f"{name} holds more than {MOST_ENTRIES:,} images; Fruits-360 "
                    "does not."
                )
    return Found(sizes, read)


def _is_image(name: str) -> bool:
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")


def _images_of_archive(archive: Archive, name: str) -> Found:
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
    called = {TRAINING: TRAINING, tests[root][0]: "Test"}
    members = {
        (called[split], folder, file): member
        for (split, folder, file), member in by_root[root].items()
        if split in called
    }
    return Found(
        {key: archive.members[x].file_size for key, x in members.items()},
        lambda key: archive.read(members[key], MOST_BYTES),
    )


# ---- The disk -------------------------------------------------------------


def _room_for(sizes: Iterable[int], folder: Path) -> None:
    needed = sum(-(-size // BLOCK) * BLOCK for size in sizes) + MARGIN
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise NoData(
            f"The disk of {folder} is too full: {needed / 1e6:,.0f} MB are "
            f"needed, {free / 1e6:,.0f} MB are free. Make room, or choose "
            "another disk with --to."
        )


def _disk_sentence(problem: OSError) -> str:
    where = problem.filename or "the folder"
    if problem.errno in FULL:
        return (
            "The disk became full, and what was written has been taken away "
            "again. Make room, or choose another disk with --to."
        )
    if problem.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return (
            f"{where} cannot be written to ({problem.strerror}). Choose a "
            "folder of yours with --to."
        )
    return f"{where}: {problem.strerror or type(problem).__name__}"


# ---- From Kaggle ----------------------------------------------------------


def _put_from_kaggle(to: Path, wanted: list[str] | None, keep_archive: bool) -> None:
    """Download the archive, or what is missing of it, and unpack it."""
    given = credentials_given()
    if given is None:
        raise NoData(_NO_CREDENTIALS)
    folder = to.with_name(f"{to.name}-download")
    archive = folder / "fruits.zip"
    folder.mkdir(parents=True, exist_ok=True)
    print(f"{PAGE} (about 1 GB, as a whole; it can be interrupted)", flush=True)
    try:
        _download(folder, given)
    finally:
        if not any(folder.iterdir()):
            folder.rmdir()
    try:
        _put(archive, to, wanted, "Kaggle's archive")
    except BadArchive:
        # Not kept: resuming would never make it whole.
        shutil.rmtree(folder, ignore_errors=True)
        raise
    except ValueError:  # a class that it has not, for one
        print(f"The archive is kept: {archive}")
        raise
    if keep_archive:
        print(f"The archive is kept: {archive}")
    else:
        shutil.rmtree(folder, ignore_errors=True)


def _download(folder: Path, given: str) -> None:
    """Kaggle's archive into `folder`, resuming an earlier run.

    `given` is where the credentials are, for the messages.

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
        problem = _sentence(caught, given)
    if problem is not None:
        # Outside of `except`, so that no trace leads to the original.
        raise NoData(problem)


_NO_CREDENTIALS = (
    "Kaggle gives Fruits-360 to people with an account, and no credentials "
    "of one were found. Make a free account, create an API token at "
    "https://www.kaggle.com/settings/api, and put it into the file "
    "~/.kaggle/access_token (or into the environment variable "
    "KAGGLE_API_TOKEN); kaggle.json, and KAGGLE_USERNAME with KAGGLE_KEY, work "
    f"too. Or download the archive at {PAGE} in a browser, then: "
    'make fruits ARGS="--from archive.zip". Without photographs the notebook '
    "runs on painted fruits."
)


def credentials_given() -> str | None:
    """Where credentials for Kaggle are (not what they are), if anywhere.

    The places of the kaggle package, version 2 (kagglesdk/kaggle_env.py and
    kaggle/api/kaggle_api_extended.py).
    """
    if os.environ.get("KAGGLE_API_TOKEN"):
        return "the environment variable KAGGLE_API_TOKEN"
    if os.environ.get("KAGGLE_USERNAME") and os.environ.get("KAGGLE_KEY"):
        return "the environment variables KAGGLE_USERNAME and KAGGLE_KEY"
    home = Path.home() / ".kaggle"
    cache = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    chosen = os.environ.get("KAGGLE_CONFIG_DIR")
    places = [
        *(home / "access_token", home / "access_token.txt"),
        *(home / "kaggle.json", home / "credentials.json"),
        Path(cache) / "kaggle" / "kaggle.json",
        *([Path(chosen) / "kaggle.json"] if chosen else []),
    ]
    for place in places:
        if place.is_file():
            return str(place)
    return None


def _kaggle_api():
    """The kaggle package's interface, a little more careful."""
    # It authenticates while it is imported. With VERBOSE set it would print
    # the credentials in full.
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


def _sentence(problem: BaseException, given: str) -> str:
    """What went wrong at Kaggle and what to do, without any secret."""
    again = "What has come is kept: run `make fruits` again to resume."
    status = _status(problem)
    if isinstance(problem, SystemExit) or status == 401:
        return (
            f"Kaggle refused the credentials in {given}: they are wrong, or no "
            "longer valid. Create a new API token at "
            "https://www.kaggle.com/settings/api and put it there."
        )
    if status == 403:
        return (
            "Kaggle does not give Fruits-360 to this account (403). Open "
            f"{PAGE} in a browser, sign in, accept the licence and whatever "
            "else it asks (it may want a telephone number), then run "
            "`make fruits` again."
        )
    if status == 404:
        return (
            f"Kaggle has no data set {DATASET} any more (404). Look for it at "
            "https://github.com/fruits-360. Unpacked on disk it can be "
            'used: make fruits ARGS="--from FOLDER".'
        )
    if status is not None:
        return f"Kaggle answered with an error ({status}). Try again later. {again}"
    if isinstance(problem, ImportError):
        return "The Python package kaggle cannot be imported: `make setup` installs it."
    number = getattr(problem, "errno", None)
    if isinstance(problem, OSError) and number in FULL:
        return (
            "The disk became full during the download. Make room, or "
            f"choose another disk with --to. {again}"
        )
    if isinstance(problem, OSError) and number is not None:
        return f"{_disk_sentence(problem)} {again}"
    return (
        f"Kaggle cannot be reached, or the connection broke off "
        f"({type(problem).__name__}): check the network, and HTTPS_PROXY if there is "
        f"one. {again} Or get the archive from {PAGE} on another machine, then: "
        'make fruits ARGS="--from archive.zip".'
    )


def _status(problem: BaseException) -> int | str | None:
    """The number of an HTTP error, or None if it is no such error."""
    from requests.exceptions import HTTPError

    if not isinstance(problem, HTTPError):
        return None
    status = getattr(problem.response, "status_code", None)
    if status == 200:  # then the error is in the answer
        with contextlib.suppress(Exception):
            status = int(problem.response.json()["code"])
    return status or "unknown"


if __name__ == "__main__":
    sys.exit(main())
