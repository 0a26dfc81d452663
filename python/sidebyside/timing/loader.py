"""Campaigns from files to one table, every row checked."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
        With file, line and column of what is not as it should be; the first
        check to fail ends it.
    NoTimings
        If nothing was found, with what to do.
    """
    found = campaign_folders(*folders)
    with paused():  # a million numbers stay
        tables = [read_campaign(folder) for folder in found]
    names, runs = {}, {}
    for folder, table in zip(found, tables, strict=True):
        name = table.attrs["campaign"]
        other = names.setdefault(name, folder)
        if other is not folder:
            what = f"campaign {name!r} is in {other} too; load one of the two"
            raise WrongRuns([Problem(folder / PLAN, None, "campaign", what)])
        other = runs.setdefault(fingerprint(table), folder)
        if other is not folder and len(table):
            what = f"these runs are in {other} too, under another name; load one"
            raise WrongRuns([Problem(folder / RUNS, None, "", what)])
    machines = machine_names([x.attrs["place"] for x in tables])
    for table, machine in zip(tables, machines, strict=True):
        table["machine"] = machine
        table.attrs = {}
    whole = pd.concat(tables, ignore_index=True)
    for name in ("campaign", "work", "machine"):
        whole[name] = pd.Categorical(whole[name], whole[name].unique())
    whole.attrs = {"folders": {name: str(folder) for name, folder in names.items()}}
    return whole


def campaign_folders(*folders: str | Path) -> list[Path]:
    """The campaigns that `load_campaigns()` would load, in its order."""
    if not folders and (named := os.environ.get(ENVIRONMENT)):
        folders = tuple(Path(x).expanduser() for x in named.split(os.pathsep))
    if folders:
        return [x for folder in folders for x in _campaigns_in(Path(folder))]
    places = [timings_directory()]
    if (project := project_directory()) is not None:
        places.append(project / "data" / "timings")
    found = [x for place in dict.fromkeys(places) for x in _below(place)]
    reference = [x for x in found if x.name.startswith(REFERENCE)]
    contributed = [x for x in found if x.name.startswith(CONTRIBUTED)]
    own = [x for x in found if x not in (*reference, *contributed) and is_finished(x)]
    if not (chosen := own or reference):
        where = " or ".join(map(str, places))
        raise NoTimings(f"no measurements in {where}; `make timings` makes some")
    return chosen + contributed


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
    return sorted(x.parent for x in place.glob(f"*/{RUNS}"))


def _campaigns_in(folder: Path) -> list[Path]:
    if is_archive(folder) or (folder / RUNS).is_file():
        return [folder]
    found, what = _below(folder), "not there"
    if folder.is_dir():
        found, what = [*found, *filter(is_archive, folder.iterdir())], "a folder"
    if found:
        return sorted(found)
    # Whoever named it from elsewhere sees where it was looked for.
    raise NoTimings(
        f"{folder.absolute()} is {what}, expected a campaign (a folder with {RUNS}, "
        "or such a folder as a zip file) or a folder of campaigns"
    )


# --- one campaign


def read_campaign(folder: str | Path) -> pd.DataFrame:
    """One campaign, checked; as `load_campaigns()`.

    `attrs["campaign"]` is its name, `attrs["place"]` where and when it was
    measured.
    """
    plan, described = read_plan(folder), read_machine(folder)
    table = read_table(folder)
    table["work"] = work_in_words(work_of(plan, described))
    table["machine"] = described["id"]
    ends = table["started"] + pd.to_timedelta(table["process_seconds"], unit="s")
    ids = described["id"], described.get("boot", "")
    place = Seen(*ids, table["started"].min(), ends.max())
    table.attrs = {"campaign": plan.campaign, "place": place}
    return table


# --- one machine, the same work


_PICTURES = re.compile(r"(Fruits: \w+)[^:]*?(?:, from .*)?(: \d+ classes.*)")


@dataclass(frozen=True)
class Seen:
    """Where and when a campaign was measured: `id` and `boot` of `machine.json`,
    `boot` being "" if it is not known, and two times of any one kind.
    """

    id: str
    boot: str
    start: Any
    end: Any

    def overlaps(self, other: Seen) -> bool:
        """Whether they were measured at the same time, and on one system."""
        one_system = self.boot == other.boot or not (self.boot and other.boot)
        return one_system and self.start < other.end and other.start < self.end


def machine_names(seen: Sequence[Seen]) -> list[str]:
    """A name for the machine of each campaign, the same for the same one.

    Containers on one server have ids of their own but one running system: they are
    one machine, and get the first's id. What cannot be known: two virtual machines
    on one server look like two machines, and computers that were set up from one
    copy of a disk look like one.
    """
    first: dict[str, str] = {}
    return [first.setdefault(x.boot or x.id, x.id) for x in seen]


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

    Such as "10 epochs; Fruits: painted: 16 classes; programs 0123ab/4567cd".
    """
    known = dict(work)
    epochs = f"{known['epochs']} epoch{'' if known['epochs'] == '1' else 's'}"
    pictures = " ".join(known["pictures"].replace(";", ",").split())
    programs = known["programs"] and f"programs {known['programs']}"
    return "; ".join(filter(None, [epochs, pictures, programs]))
