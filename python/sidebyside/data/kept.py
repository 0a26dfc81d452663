"""Keep each data set of the gallery in one file of whole numbers or letters."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from ..common.archives import open_archive
from ..common.errors import Sentence, WrongData
from ..common.files import data_directory, keras_cache, read_at_most, written_whole
from .sources import MOST_BYTES, MOST_ENTRIES, download, first_of, progress, read_arrays

Arrays = dict[str, np.ndarray]

# Format of these files. A file with another number is made again.
FORMAT = 1

# The files that Keras downloads: hash (from keras/src/datasets), size in bytes.
KERAS_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
KERAS_FILES = {
    "imdb.npz": (
        "sha256:69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f",
        17_464_789,
    ),
    "imdb_word_index.json": ("md5:bfafd718b763782e994055a2d397834f", 1_641_221),
    "reuters.npz": (
        "sha256:d6586e694ee56d7a4e65172e12b3e987c03096cb01eab99753921ef915959916",
        2_110_848,
    ),
    "reuters_word_index.json": ("md5:4d44cc38712099c9e383dc6e5f11a921", 550_378),
    "cifar-10-batches-py-target_archive": (
        "sha256:6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
        170_498_071,
    ),
}
OTHER_URLS = {
    "cifar-10-batches-py-target_archive": "https://www.cs.toronto.edu/~kriz/"
    "cifar-10-python.tar.gz",
}


def prepared(
    what: str,
    name: str,
    own: tuple[str, ...],
    from_own: Callable[..., Arrays],
    others: dict[str, Callable[[Path], Arrays]],
    say: bool = True,
) -> Arrays:
    """Return the arrays of a data set, made once and then kept in one file.

    `own` are the names of Keras's files, which are tried first. With
    SIDEBYSIDE_TEXTS=packages they are not used, and the numbers are the same on
    every machine, with a network and without.
    """
    kept = data_directory() / "texts" / f"{name}.npz"
    only_packages = os.environ.get("SIDEBYSIDE_TEXTS") == "packages"
    if only_packages:
        kept = kept.with_name(f"{name}-of-packages.npz")

    def keep(arrays: Arrays, origin: str = "") -> Arrays:
        arrays |= {"format": np.array(FORMAT), "origin": letters(origin)}
        kept.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(kept) as file:
            np.savez_compressed(file, **arrays)
        return arrays

    def from_cache() -> Arrays:
        files = [keras_cache() / file for file in own]
        origin = " ".join(_checked_file(file) for file in files)
        with suppress(OSError, Sentence):
            arrays = _read_kept(kept)
            if text_of(arrays["origin"]) == origin:
                return arrays
        return keep(from_own(*files), origin)

    def from_keras() -> Arrays:
        with tempfile.TemporaryDirectory() as folder:
            files = [_keras_file(what, file, Path(folder)) for file in own]
            return keep(from_own(*files))

    def from_other(make: Callable[[Path], Arrays]) -> Callable[[], Arrays]:
        def made() -> Arrays:
            with tempfile.TemporaryDirectory() as folder:
                return keep(make(Path(folder)))

        return made

    sources = {"the project's data folder": lambda: _read_kept(kept)}
    if not only_packages:
        sources = {"Keras's cache": from_cache} | sources
        if own[0] in KERAS_FILES:
            sources["Keras's download"] = from_keras
    sources |= {source: from_other(make) for source, make in others.items()}
    _, arrays = first_of(
        what,
        sources,
        "Connect to the network and run `make gallery`, or put "
        f"{' and '.join(own)} into {keras_cache()}.",
    )
    if say:
        print(f"{what} from {text_of(arrays['source'])}", flush=True)
    return arrays


def _read_kept(path: Path) -> Arrays:
    with open_archive(path, most_entries=MOST_ENTRIES) as archive:
        names = tuple(member.removesuffix(".npy") for member in archive.members)
    arrays = read_arrays(path, "the kept data set", names, MOST_BYTES)
    if arrays.get("format") != FORMAT:
        raise WrongData(f"{path} was written by another version; it is made again")
    return arrays


def _keras_file(what: str, name: str, folder: Path) -> Path:
    """Return a file of Keras's: from its cache, or downloaded into a folder."""
    there = keras_cache() / name
    with suppress(OSError, Sentence):
        _checked_file(there)
        return there
    known_hash, size = KERAS_FILES[name]
    print(f"{what}: trying Keras's download of {name}", flush=True)
    with progress(what, folder, size):
        url = OTHER_URLS.get(name, KERAS_URL + name)
        download(name, url, known_hash, folder / name)
    return folder / name


def _checked_file(path: Path) -> str:
    """Return the SHA-256 of a file; `WrongData` if another one is expected."""
    data = read_at_most(path, MOST_BYTES)
    known_hash, _ = KERAS_FILES.get(path.name, ("", 0))
    algorithm, _, expected = known_hash.partition(":")
    if expected and hashlib.new(algorithm, data).hexdigest() != expected:
        raise WrongData(f"{path} differs from Keras's file. Remove it")
    return hashlib.sha256(data).hexdigest()


def source_line(name: str, y: Sequence[np.ndarray]) -> Arrays:
    """Make the line that the loader prints: the source, and the size of each part."""
    train, test = map(len, y)
    return {"source": letters(f"{name}: {train:,} to learn from, {test:,} to test")}


def letters(text: str) -> np.ndarray:
    return np.frombuffer(text.encode(), "uint8")


def text_of(letters: np.ndarray) -> str:
    return letters.tobytes().decode()
