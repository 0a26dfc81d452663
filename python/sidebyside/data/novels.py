"""Load long texts for models that write letter by letter."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..common.errors import WrongData
from ..common.files import read_at_most
from . import packages
from .kept import MOST_BYTES, Arrays, letters, prepared, text_of


def load_novels() -> dict[str, str]:
    """Return long texts for models that write, by their titles.

    The sources are `nietzsche.txt` in Keras's cache, which the original example
    used; the project's data folder; and six novels by Jane Austen in the R package
    janeaustenr. If that package is not installed, apt downloads it. The novels are
    checked by their SHA-256. Nobody has published a hash of `nietzsche.txt`, so it
    is never downloaded. One printed line says which source it was.

    Raises
    ------
    NoData
        If no source works. The message lists each one and why it failed.
    """
    return _titled(novels())


def _titled(arrays: Arrays) -> dict[str, str]:
    titles = text_of(arrays["titles"]).split("\0")
    return dict(zip(titles, text_of(arrays["texts"]).split("\0"), strict=True))


def novels() -> Arrays:
    def in_package(read: Callable[[Path], dict[str, str]]) -> Callable[[Path], Arrays]:
        source = "the R package janeaustenr: six novels by Jane Austen"
        return lambda folder: _as_novels(read(folder), source)

    return prepared(
        "Novels",
        "novels",
        own=("nietzsche.txt",),
        from_own=_nietzsche,
        others={
            "R's package janeaustenr": in_package(packages.novels_of_r),
            f"apt's {packages.NOVELS_DEB}": in_package(packages.novels_of_debian),
        },
    )


def _nietzsche(path: Path) -> Arrays:
    try:
        text = read_at_most(path, MOST_BYTES).decode()
    except UnicodeDecodeError as problem:
        raise WrongData(f"{path} is not a text. Remove it") from problem
    return _as_novels({"Nietzsche": text}, "Keras's nietzsche.txt")


def _as_novels(texts: dict[str, str], source: str) -> Arrays:
    return {
        "titles": letters("\0".join(texts)),
        "texts": letters("\0".join(texts.values())),
        "source": letters(source),
    }
