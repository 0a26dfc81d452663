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
import lzma
import os
import re
import shutil
import stat
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..common.files import data_directory
from . import fruits
from .fruits import SUFFIXES, TESTS, TRAINING, Choice
from .mnist import NoData, WrongData

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

MARKER = "sidebyside.json"  # beside Training and Test: what was fetched

# Kaggle's own package waits without end for an answer, and five times for up
# to a minute after a broken connection.
TIMEOUT = 60  # seconds for a connection, and for the next piece of an answer
RETRIES = 2

# Deflate cannot do better than 1032 to 1; photographs hardly shrink at all.
MOST_COMPRESSED = 100
MARGIN = 50_000_000  # bytes that are left free on the disk
BLOCK = 4096  # bytes; a small file takes one


class Damaged(WrongData):
    """An archive that cannot be read, whatever is asked of it."""


@dataclass(frozen=True)
class Found:
    """The images of a data set in an archive or a folder: where each is.

    `images` has a key ("Training" or "Test", class folder, file name) for
    each; its value is what `Archive` and `Folder` read it by.
    """

    images: dict[tuple[str, str, str], object]

    def classes(self) -> list[str]:
        """The folders of classes, in Training or in Test."""
        return sorted({folder for _, folder, _ in self.images})

    def only(self, choice: Choice) -> Found:
        """The images of the chosen classes."""
        kept = set(choice.folders.values())
        return Found({x: y for x, y in self.images.items() if x[1] in kept})


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
    except (NoData, WrongData, ValueError) as problem:
        print(problem, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            "\nStopped. Nothing is half done: what was in place before is as "
            "it was, and a download that had begun goes on from where it "
            "stopped when you run `make fruits` again.",
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
    NoData, WrongData, OSError
        Each with a sentence that says what to do. What was in place before is
        then as it was.
    """
    import filelock

    to = Path(os.path.abspath(to)) if to else _default_place()
    wanted = _wanted(classes)
    _not_inside_each_other(to, origin)
    to.parent.mkdir(parents=True, exist_ok=True)
    lock = to.with_name(f"{to.name}.lock")
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
            f"Another `make fruits` is at work on {to}. Wait for it to end."
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
    except WrongData:
        return False
    if len(found.images) != noted["images"]:
        return False
    print(
        f"{fruits.shown(to)} has it already: {len(found.classes())} classes, "
        f"{len(found.images):,} images. To get it again: "
        'make fruits ARGS="--force"'
    )
    return True


def _marker(to: Path) -> dict | None:
    try:
        noted = json.loads((to / MARKER).read_text("utf-8"))
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
    mend = 'to replace them: make fruits ARGS="--force"; or choose another --to'
    if TRAINING not in inside:
        kind = f"something else ({', '.join(inside[:5])})"
        mend = "choose an empty folder with --to, or empty this one"
    raise NoData(f"{to} holds {kind}. It is left alone; {mend}.")


def _not_inside_each_other(to: Path, origin: Path | None) -> None:
    if origin is None:
        return
    new, old = to.resolve(), origin.resolve()
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

            def read(place: object) -> bytes:
                return Path(str(place)).read_bytes()

            size: Callable = os.path.getsize
        else:
            archive = opened.enter_context(_archive(origin, name))
            found = _images_of_archive(archive, name)
            read, size = archive.read, lambda member: member.file_size
        choice = fruits.choose(found.classes(), wanted, name)
        found = found.only(choice)
        sizes = [size(place) for place in found.images.values()]
        _room_for(sizes, to.parent)
        part = Path(tempfile.mkdtemp(prefix=f"{to.name}.part-", dir=to.parent))
        try:
            part.chmod(0o755)
            _write(found, read, part, name)
            _check(part, choice, name)
            noted = {"wanted": wanted, "images": len(found.images)}
            (part / MARKER).write_text(json.dumps(noted), "utf-8")
            fruits.replace_folder(part, to)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    missing = f"; not in it: {', '.join(choice.missing)}"
    others = f'; {choice.others} more with ARGS="--classes all"'
    print(
        f"{fruits.shown(to)}: {len(choice.folders)} classes, "
        f"{len(found.images):,} images"
        f"{missing if choice.missing else ''}"
        f"{others if choice.others else ''}"
    )


# What zipfile raises for members that are damaged or packed in a way that it
# does not know (NotImplementedError is a RuntimeError).
_UNREADABLE = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError),
    *(EOFError, RuntimeError, ValueError),
)


def _write(
    found: Found, read: Callable[[object], bytes], part: Path, name: str
) -> None:
    with _progress("unpacking", len(found.images)) as seen:
        for (split, folder, file), place in found.images.items():
            target = part / split / folder
            target.mkdir(parents=True, exist_ok=True)
            try:
                data = read(place)
            except _UNREADABLE:
                raise Damaged(
                    f"{name} is damaged: {split}/{folder}/{file} in it cannot "
                    "be read whole. Get the archive again."
                ) from None
            except (PermissionError, FileNotFoundError) as problem:
                raise WrongData(
                    f"{problem.filename} cannot be read "
                    f"({problem.strerror}). As its owner: "
                    f"chmod u+r '{problem.filename}'"
                ) from None
            (target / file).write_bytes(data)
            seen(1)


def _check(part: Path, choice: Choice, name: str) -> None:
    layout = fruits.Layout(part, "Test")
    listing = fruits.list_images(layout, choice)
    images = sum(len(files) for files in listing.values())
    mend = f"It came from {name}, of which nothing was kept: get that again."
    with _progress("checking", images) as seen:
        fruits.check_images(layout, choice, listing, mend, seen)


def _images_of_folder(folder: Path, name: str) -> Found:
    layout = fruits.find_layout(folder, name)
    if (layout.root / fruits.PAINTED_MARKER).exists():
        raise WrongData(
            f"{name} holds fruits that this project painted. The notebook "
            "paints them itself where there are no photographs."
        )
    classes = fruits.class_names(layout)
    images: dict[tuple[str, str, str], object] = {}
    for split in ("Training", "Test"):
        for kind in classes:
            place = layout.folder(split) / kind
            if not place.is_dir():
                continue
            with fruits.readable(place):
                files = sorted(os.listdir(place))
            for file in filter(_is_image, files):
                images[split, kind, file] = place / file
    return Found(images)


def _is_image(name: str) -> bool:
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")


# ---- From an archive ------------------------------------------------------


@contextlib.contextmanager
def _archive(path: Path, name: str) -> Iterator[zipfile.ZipFile]:
    with fruits.readable(path):
        try:
            archive = zipfile.ZipFile(path)
        except _UNREADABLE:
            raise Damaged(
                f"{name} is damaged, or no .zip archive. Get it again, or "
                "unpack it yourself and name the folder."
            ) from None
    with archive:
        yield archive


def _images_of_archive(archive: zipfile.ZipFile, name: str) -> Found:
    """The images of the one data set in an archive.

    An archive in which any member would leave the folder it is unpacked to
    is refused as a whole: nobody packs such a one by accident.
    """
    by_root: dict[str, dict[tuple[str, str, str], zipfile.ZipInfo]] = {}
    for member in archive.infolist():
        parts = _parts(member, name)
        if len(parts) < 3 or parts[-3] not in (TRAINING, *TESTS):
            continue
        if "__MACOSX" in parts or not _is_image(parts[-1]):
            continue
        if parts[-2].startswith("."):
            continue
        images = by_root.setdefault("/".join(parts[:-3]) or ".", {})
        place = (parts[-3], parts[-2], parts[-1])
        if place in images:
            raise WrongData(f"{name} is refused: {member.filename} is in it twice.")
        images[place] = member
    splits = {
        root: {split for split, _, _ in images} for root, images in by_root.items()
    }
    roots = [
        root
        for root, found in splits.items()
        if TRAINING in found and found & set(TESTS)
    ]
    if not roots:
        inside = sorted({_top(x) for x in archive.namelist()})
        raise WrongData(
            f"{name} is no archive of Fruits-360: it has no folders "
            f"{TRAINING} and Test with images of classes in them. It holds: "
            f"{', '.join(inside[:8]) or 'nothing'}."
        )
    root = fruits.pick_root(roots, name)
    test = next(test for test in TESTS if test in splits[root])
    called = {TRAINING: TRAINING, test: "Test"}
    return Found(
        {
            (called[split], folder, file): _sane(member, name)
            for (split, folder, file), member in by_root[root].items()
            if split in called
        }
    )


def _top(member: str) -> str:
    return re.split(r"[\\/]", member)[0]


def _parts(member: zipfile.ZipInfo, name: str) -> list[str]:
    """The folders and the file that a member's name consists of."""
    path = member.orig_filename
    parts = [part for part in re.split(r"[\\/]", path) if part]
    mode = member.external_attr >> 16
    link = stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR)
    leaves = path[:1] in ("/", "\\") or ".." in parts
    if leaves or "\0" in path or re.match(r"[A-Za-z]:", path) or link:
        why = "is a link" if link else "leads out of the folder"
        raise WrongData(
            f"{name} is refused: in it, {path!r} {why}. The archive of "
            f"Fruits-360 has nothing of the kind; get it from {PAGE}."
        )
    return [part for part in parts if part != "."]


def _sane(member: zipfile.ZipInfo, name: str) -> zipfile.ZipInfo:
    """Refuses what would unpack to far more than a photograph."""
    packed = max(member.compress_size, 1)
    too_large = member.file_size > fruits.MOST_BYTES
    if too_large or member.file_size > MOST_COMPRESSED * packed + BLOCK:
        raise WrongData(
            f"{name} is refused: {member.filename} would unpack from "
            f"{member.compress_size:,} to {member.file_size:,} bytes, which "
            "is no photograph of 100x100 pixels."
        )
    if member.flag_bits & 1:
        raise WrongData(
            f"{name} is locked with a password. Unpack it yourself and name the folder."
        )
    return member


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
    if problem.errno in (errno.ENOSPC, errno.EDQUOT):
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


@contextlib.contextmanager
def _progress(what: str, total: int) -> Iterator[Callable[[int], object]]:
    from tqdm import tqdm

    with tqdm(desc=what, total=total, unit=" images", mininterval=0.5) as bar:
        yield bar.update


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
    except Damaged:
        # Not kept: going on from it would never make it whole.
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
    """Kaggle's archive into `folder`, going on where a former run stopped.

    `given` is where the credentials stand, for the messages.

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
    "KAGGLE_API_TOKEN); kaggle.json, and KAGGLE_USERNAME with KAGGLE_KEY, do "
    f"too. Or download the archive at {PAGE} in a browser, then: "
    'make fruits ARGS="--from archive.zip". Without photographs the notebook '
    "runs on painted fruits."
)


def credentials_given() -> str | None:
    """Where credentials for Kaggle stand (not what they are), if anywhere.

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
    import requests
    import urllib3

    again = "What has come is kept: run `make fruits` again to go on."
    no_internet = (
        f"Or get the archive from {PAGE} on another machine, then: "
        'make fruits ARGS="--from archive.zip".'
    )
    match problem:
        case SystemExit():
            return _refused(given)
        case requests.exceptions.HTTPError():
            return _http_sentence(problem, given)
        case requests.exceptions.ProxyError():
            return (
                "The proxy did not let Kaggle through. Check HTTPS_PROXY. "
                f"{no_internet}"
            )
        case requests.exceptions.SSLError():
            return (
                "The connection to Kaggle is not safe (its certificate was "
                "not accepted), so nothing was asked. Behind a company's "
                "proxy, set REQUESTS_CA_BUNDLE to its certificates."
            )
        case requests.exceptions.Timeout() | urllib3.exceptions.TimeoutError():
            return f"Kaggle did not answer within {TIMEOUT} seconds. {again}"
        case (
            requests.exceptions.ChunkedEncodingError()
            | urllib3.exceptions.ProtocolError()
        ):
            return f"The connection to Kaggle broke off. {again}"
        case requests.exceptions.ConnectionError():
            # requests calls it so when it happens between two pieces.
            if "timed out" in str(problem).lower():
                return f"Kaggle did not answer within {TIMEOUT} seconds. {again}"
            return (
                "Kaggle cannot be reached: there is no network, or it lets "
                f"nothing through. {again} {no_internet}"
            )
        case ImportError():
            return (
                "The Python package kaggle cannot be imported: `make setup` "
                "installs it."
            )
        case OSError() if problem.errno in (errno.ENOSPC, errno.EDQUOT):
            return (
                "The disk became full during the download. Make room, or "
                f"choose another disk with --to. {again}"
            )
        case OSError() if problem.errno is not None:
            return f"{_disk_sentence(problem)} {again}"
    return (
        f"The kaggle package failed ({type(problem).__name__}). {again} {no_internet}"
    )


def _refused(given: str) -> str:
    return (
        f"Kaggle refused the credentials in {given}: they are wrong, or no "
        "longer valid. Create a new API token at "
        "https://www.kaggle.com/settings/api and put it there."
    )


def _http_sentence(problem: Exception, given: str) -> str:
    response = getattr(problem, "response", None)
    status = getattr(response, "status_code", None)
    if status == 200:  # the error then stands in the answer
        with contextlib.suppress(Exception):
            status = int(response.json()["code"])
    if status == 401:
        return _refused(given)
    if status == 403:
        return (
            "Kaggle does not give Fruits-360 to this account (403). Open "
            f"{PAGE} in a browser, signed in, accept the licence and what "
            "else it asks (it may want a telephone number), then run "
            "`make fruits` again."
        )
    if status == 404:
        return (
            f"Kaggle has no data set {DATASET} any more (404). Look where it "
            "went: https://github.com/fruits-360. Unpacked on disk it can be "
            'used: make fruits ARGS="--from FOLDER".'
        )
    if status == 429:
        return (
            "Kaggle asks to wait (429, too many requests). Run `make fruits` "
            "again in some minutes."
        )
    return (
        f"Kaggle answered with an error ({status or 'unknown'}). Try again "
        "later; what has come is kept."
    )


if __name__ == "__main__":
    sys.exit(main())
