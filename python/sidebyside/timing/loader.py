"""Campaigns from files to one table, every row checked."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..common.archives import is_archive
from ..common.collector import paused
from ..common.errors import Sentence
from ..common.files import data_directory, project_directory
from .format import (
    PLAN,
    RUNS,
    Plan,
    Problem,
    WrongRuns,
    is_finished,
    read_machine,
    read_plan,
    read_table,
)

ENVIRONMENT = "SIDEBYSIDE_TIMINGS"
# How a folder is named whose measurements everybody has, and one that a
# reader sent in.
REFERENCE = "reference-"
CONTRIBUTED = "contributed-"


class NoTimings(Sentence, RuntimeError):
    """There are no measurements where they were looked for."""


def load_campaigns(*folders: str | Path) -> pd.DataFrame:
    """Measurements of one campaign or several, as one table.

    Parameters
    ----------
    folders
        Campaigns (folders with `runs.csv`, `plan.json` and `machine.json`,
        or zip files of such a folder, which are not unpacked) or folders
        that hold such. Without any: those that the environment
        variable SIDEBYSIDE_TIMINGS names (separated as in PATH); else the
        reader's own campaigns that came to their end, under
        `data_directory()/timings`; else the reference measurements of the
        project. What readers have contributed comes along with either.

    Returns
    -------
    pandas.DataFrame
        A row per run, in the order in which they ran, with the columns of
        `runs.csv` (data/timings/README.md) and two more: `work`, what was
        trained, in words, so that campaigns with other words are another
        question; and `machine`, the anonymous name of the machine
        (containers of one server are one machine, as far as can be known:
        `machine_names()` says how). `format.read_table()` describes the
        types. `attrs["folders"]` says where each campaign is.

    Raises
    ------
    WrongRuns
        With file, line and column of everything that is not as it should be.
    NoTimings
        If nothing was found, with what to do.
    """
    found = list(campaign_folders(*folders))
    with paused():  # a million numbers stay
        tables = [read_campaign(folder) for folder in found]
    seen: dict[str, Path] = {}
    measured: dict[str, Path] = {}
    for folder, table in zip(found, tables, strict=True):
        name = table.attrs["campaign"]
        if name in seen:
            what = (
                f"campaign {name!r} is in {seen[name]} too; load one of "
                "the two, or rename one"
            )
            problem = Problem(folder / PLAN, None, "campaign", what)
            raise WrongRuns([problem])
        seen[name] = folder
        other = measured.setdefault(fingerprint(table), folder)
        if other != folder and len(table):
            what = (
                f"these runs are in {other} too, under another "
                "name; load one of the two"
            )
            raise WrongRuns([Problem(folder / RUNS, None, "", what)])
    _name_machines(tables)
    whole = _joined(tables)
    whole.attrs = {"folders": {k: str(v) for k, v in seen.items()}}
    return whole


def campaign_folders(*folders: str | Path) -> Iterator[Path]:
    """The campaigns that `load_campaigns()` would load, in its order."""
    if folders:
        for folder in folders:
            yield from _campaigns_in(Path(folder))
        return
    named = os.environ.get(ENVIRONMENT, "")
    if named:
        for folder in named.split(os.pathsep):
            yield from _campaigns_in(Path(folder).expanduser())
        return
    own, shared = [], []
    places = [timings_directory()]
    if (project := project_directory()) is not None:
        places.append(project / "data" / "timings")
    for place in dict.fromkeys(places):
        for folder in _below(place):
            if folder.name.startswith((REFERENCE, CONTRIBUTED)):
                shared.append(folder)
            elif is_finished(folder):
                own.append(folder)
    contributed = [x for x in shared if x.name.startswith(CONTRIBUTED)]
    reference = [x for x in shared if x.name.startswith(REFERENCE)]
    chosen = own or reference
    if not chosen:
        raise NoTimings(
            f"no measurements in {' or '.join(map(str, places))}; `make "
            "timings` makes some"
        )
    yield from chosen
    yield from contributed


def fingerprint(table: pd.DataFrame) -> str:
    """Of what was measured: the same for a copy, whatever its name.

    Eight hexadecimal digits of a SHA-256 of the runs' seconds and states.
    Clocks count microseconds, so no two measurements agree in all of them.
    """
    digest = hashlib.sha256()
    for name in ("block", "position", "process_seconds", "fit_seconds"):
        digest.update(table[name].to_numpy(float).tobytes())
    for name in ("state", "arm"):
        digest.update(",".join(table[name].astype(str)).encode())
    return digest.hexdigest()[:8]


def timings_directory() -> Path:
    """Where the reader's own campaigns are kept."""
    return data_directory() / "timings"


def _below(place: Path) -> list[Path]:
    """Folders only: a zip file beside them is one of them, packed."""
    if not place.is_dir():
        return []
    return sorted(x.parent for x in place.glob(f"*/{RUNS}"))


def _campaigns_in(folder: Path) -> list[Path]:
    if is_archive(folder) or (folder / RUNS).is_file():
        return [folder]
    below = _below(folder)
    if folder.is_dir():
        below = sorted([*below, *filter(is_archive, folder.iterdir())])
    if below:
        return below
    what = "a folder" if folder.is_dir() else "not there"
    # Whoever named it from elsewhere sees where it was looked for.
    raise NoTimings(
        f"{folder.absolute()} is {what}, expected a campaign (a folder with "
        f"{RUNS}, or such a folder as a zip file) or a folder of "
        "campaigns"
    )


def _name_machines(tables: list[pd.DataFrame]) -> None:
    """The column `machine`, the same name for the same machine."""
    places = [x.attrs["place"] for x in tables]
    for table, name in zip(tables, machine_names(places), strict=True):
        table["machine"] = table["machine"].cat.rename_categories([name])


def _joined(tables: list[pd.DataFrame]) -> pd.DataFrame:
    if len(tables) == 1:
        return tables[0].copy(deep=False)
    for table in tables:
        table.attrs = {}
    # Of categories that differ pandas would make plain strings.
    for column in ("campaign", "work", "machine"):
        names = [x for t in tables for x in t[column].cat.categories]
        for table in tables:
            table[column] = table[column].cat.set_categories(list(dict.fromkeys(names)))
    return pd.concat(tables, ignore_index=True)


# --- one campaign


def read_campaign(folder: str | Path) -> pd.DataFrame:
    """One campaign, checked; as `load_campaigns()`.

    `attrs["campaign"]` is its name, `attrs["place"]` where and when it was
    measured.
    """
    plan, described = read_plan(folder), read_machine(folder)
    machine = described["id"]
    table = read_table(folder)
    work = work_in_words(work_of(plan, described))
    for column, word in (("work", work), ("machine", machine)):
        table[column] = pd.Categorical.from_codes(
            np.zeros(len(table), dtype=np.int8), [word]
        )
    times = table["started"]
    seconds = pd.to_timedelta(table["process_seconds"].fillna(0), unit="s")
    boot = described.get("boot", "")
    place = Seen(machine, boot, times.min(), (times + seconds).max())
    table.attrs = {"campaign": plan.campaign, "place": place}
    return table


# --- one machine, the same work


_PICTURES = re.compile(r"(Fruits: \w+)[^:]*?(?:, from .*)?(: \d+ classes.*)")


@dataclass(frozen=True)
class Seen:
    """Where and when a campaign was measured.

    `id` is the name that `machine.json` gives the machine; `boot` stands for
    the system that ran since it was last started, "" if that is not known;
    `start` and `end` are times of any one kind.
    """

    id: str
    boot: str
    start: Any
    end: Any

    def overlaps(self, other: Seen) -> bool:
        """Whether they were measured at the same time."""
        return self.start < other.end and other.start < self.end


def machine_names(seen: Sequence[Seen]) -> list[str]:
    """A name for the machine of each campaign, the same for the same one.

    Containers on one server have ids of their own but one running system:
    they are one machine, and get the first's id. Computers that were set up
    from one copy of a disk have the same id; where two of them measured at
    the same time with different systems running, they are several, and their
    names end in "/1", "/2" and so on. What cannot be known: two virtual
    machines on one server look like two machines, and copies that measured
    one after the other like one.
    """
    first: dict[str, str] = {}
    names = [first.setdefault(x.boot or x.id, x.id) for x in seen]
    for name in dict.fromkeys(names):
        mine = [x for i, x in enumerate(seen) if names[i] == name]
        boots = list(dict.fromkeys(x.boot for x in mine if x.boot))
        if len(boots) > 1 and _together(mine):
            for place, x in enumerate(seen):
                if names[place] == name and x.boot:
                    names[place] = f"{name}/{boots.index(x.boot) + 1}"
    return names


def _together(seen: Sequence[Seen]) -> bool:
    """Whether two systems ran at the same time."""
    return any(
        a.boot != b.boot and a.boot and b.boot and a.overlaps(b)
        for i, a in enumerate(seen)
        for b in seen[:i]
    )


Work = tuple[tuple[str, str], ...]
"""Pairs of name and value: device, epochs, programs, pictures."""


def work_of(plan: Plan, machine: Mapping[str, Any]) -> Work:
    """What was trained: only campaigns of the same work are pooled."""
    pictures = machine.get("data", "")
    if known := _PICTURES.search(pictures):
        pictures = known[1] + known[2]
    hashes = [plan.programs.get(x, "")[:6] for x in ("python", "r")]
    return (
        ("device", plan.device),
        ("epochs", str(plan.epochs)),
        ("programs", "/".join(filter(None, hashes))),
        ("pictures", pictures[:100]),
    )


def work_in_words(work: Work) -> str:
    """The same as a text, without the device, which has its own column.

    Parts are joined by "; ", as in "10 epochs; Fruits: painted: 16 classes,
    1,920 Training and 640 Test images; programs 0123ab/4567cd".
    """
    known = dict(work)
    epochs = known["epochs"]
    parts = [
        f"{epochs} epoch{'' if epochs == '1' else 's'}",
        " ".join(known["pictures"].replace(";", ",").split()),
        f"programs {known['programs']}" if known["programs"] else "",
    ]
    return "; ".join(filter(None, parts))
