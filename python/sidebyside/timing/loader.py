"""Campaigns from files to one table, every row checked."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import reprlib
import stat
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ..common.archives import is_archive
from ..common.collector import paused
from ..common.errors import Sentence, printable
from ..common.files import data_directory, project_directory
from .format import (
    LEAST_BLOCKS,
    MORE_BLOCKS,
    PLAN,
    PROGRAMS,
    RUNS,
    Plan,
    Problem,
    WrongRuns,
    is_finished,
    read_end,
    read_machine,
    read_plan,
    read_table,
)
from .plan import precise_enough

ENVIRONMENT = "SIDEBYSIDE_TIMINGS"
# How a folder is named whose measurements everybody has, and one that a
# reader sent in.
REFERENCE = "reference-"
CONTRIBUTED = "contributed-"


# How a campaign may have ended: all blocks were run; the interval was narrow
# enough, by today's rule or by one with fewer blocks; the minutes were spent; it
# was not carried out, or runs are missing; the last line of runs.csv is incomplete,
# so that run is missing.
UNFINISHED = ("unfinished", "cut off")
ENDS = ("planned", "precision", "early precision", "budget", *UNFINISHED)


class CutOff(UserWarning):
    """The last line of a file is incomplete; it is left out."""


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
        `runs.csv` (data/timings/README.md) and four more: `work`, what was
        trained, in words, so that campaigns with other words are another
        question; `machine`, the anonymous name of the machine
        (containers of one server are one machine, as far as can be known:
        `machine_names()` says how); `planned`, how many blocks the plan has
        after the warm-up; and `ended`, one of `ENDS`. `format.read_table()`
        describes the types. `attrs["folders"]` says where each campaign is.

    Raises
    ------
    WrongRuns
        With file, line and column of what is not as it should be; the first
        check to fail ends it. Also if two campaigns share runs.
    NoTimings
        If nothing was found, or something else, with what to do.
    """
    found = campaign_folders(*folders)
    with paused():  # a million numbers stay
        tables = [read_campaign(folder) for folder in found]
    names = {}
    for folder, table in zip(found, tables, strict=True):
        name = table.attrs["campaign"]
        other = names.setdefault(name, folder)
        if other is not folder:
            what = f"campaign {name!r} is in {other} too; load one of the two"
            raise WrongRuns([Problem(folder / PLAN, None, "campaign", what)])
        if table.attrs["cut_off"]:
            warnings.warn(_cut_off(folder), CutOff, stacklevel=2)
    machines = machine_names([x.attrs["place"] for x in tables])
    for table, machine in zip(tables, machines, strict=True):
        table["machine"] = machine
        table.attrs = {}
    whole = pd.concat(tables, ignore_index=True)
    _refuse_copies(whole, names)
    for name in ("campaign", "work", "machine", "ended"):
        whole[name] = pd.Categorical(whole[name], whole[name].unique())
    whole.attrs = {"folders": {name: str(folder) for name, folder in names.items()}}
    return whole


def _refuse_copies(runs: pd.DataFrame, folders: Mapping[str, Path]) -> None:
    problems = []
    for (other, copy), shared in shared_runs(runs).items():
        what = f"{shared} of these runs are in {folders[other]} too, so one is a copy "
        what += "of the other; load one of the two"
        problems.append(Problem(folders[copy] / RUNS, None, "", what))
    if problems:
        raise WrongRuns(problems)


def _cut_off(folder: Path) -> str:
    rest = "get the file again, if it is whole elsewhere"
    if (folder / PROGRAMS).is_file():
        rest = f"`python -m sidebyside.timing resume {folder}` measures that run again"
    what = f"{folder / RUNS}: the last line is incomplete and is left out; {rest}"
    return printable(what, 1000)


def campaign_folders(*folders: str | Path) -> list[Path]:
    """The campaigns that `load_campaigns()` would load, in its order."""
    if not folders and (named := os.environ.get(ENVIRONMENT)):
        folders = tuple(filter(None, named.split(os.pathsep)))
    if folders:
        return [x for folder in folders for x in _campaigns_in(as_path(folder))]
    places = [timings_directory()]
    if (project := project_directory()) is not None:
        places.append(project / "data" / "timings")
    found = [x for place in dict.fromkeys(places) for x in _below(place)]
    reference = [x for x in found if x.name.startswith(REFERENCE)]
    contributed = [x for x in found if x.name.startswith(CONTRIBUTED)]
    own = [x for x in found if x not in (*reference, *contributed) and is_finished(x)]
    # What the reader has contributed is a copy of the reader's own.
    mine = {run for x in own for run in runs_of(read_table(x))}
    if mine:
        contributed = [x for x in contributed if not mine & runs_of(read_table(x))]
    if not (chosen := own or reference):
        where = " or ".join(map(str, places))
        raise NoTimings(f"no measurements in {where}; `make timings` makes some")
    return chosen + contributed


def runs_of(table: pd.DataFrame) -> set[tuple[Any, float]]:
    """What tells runs from each other: when each began, and how long it took.

    Clocks count microseconds: two runs that agree in both are one run, also if
    another program wrote the time in another form, or with fewer digits. Those that
    lack one of the two are left out.
    """
    started = pd.to_datetime(
        table["started"].astype(object), format="ISO8601", utc=True, errors="coerce"
    ).dt.round("ms")
    known = table.assign(started=started).dropna(subset=["started", "process_seconds"])
    seconds = known["process_seconds"].astype(float).round(6)
    return set(zip(known["started"], seconds, strict=True))


def shared_runs(runs: pd.DataFrame) -> dict[tuple[str, str], int]:
    """Campaigns that are copies of each other, whatever their names.

    For each pair (the first, a later one) how many runs both have. Parts of a copy
    may be missing: one run in common is enough. Nothing can be said of a table
    without the columns `started` and `process_seconds`.
    """
    if not {"started", "process_seconds"} <= set(runs):
        return {}
    first: dict[tuple[Any, float], str] = {}
    counts: Counter[tuple[str, str]] = Counter()
    for name, part in runs.groupby("campaign", sort=False, observed=True):
        others = [first.setdefault(run, name) for run in runs_of(part)]
        counts.update((other, name) for other in others if other != name)
    return dict(counts)


def fingerprint(table: pd.DataFrame) -> str:
    """For the names of files, which have to differ: depends on what was measured.

    Eight hexadecimal digits of a SHA-256 of the runs' seconds and states.
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


def as_path(given: object) -> Path:
    """A path that somebody named; `NoTimings` says what it is instead."""
    what = ""
    if not isinstance(given, str | os.PathLike):
        what = f"{printable(reprlib.repr(given))} ({type(given).__name__})"
    elif not os.fspath(given):
        what = "an empty text"
    if what:
        raise NoTimings(
            f"found {what}, expected the path of a folder, such as 'data/timings/me'; "
            "several are given one by one"
        )
    try:
        os.stat(path := Path(given).expanduser())
    except OSError:
        pass
    except (ValueError, RuntimeError):  # no name of a file, or of a user
        raise NoTimings(f"found {given!r}, which no folder can be called") from None
    return path


def campaign_at(given: object) -> Path:
    """A campaign's folder or zip file; `NoTimings` says what is there instead."""
    path = as_path(given)
    if what := _instead(path):
        raise NoTimings(f"{_shown(path)} is {what}, expected a campaign: {_CAMPAIGN}")
    return path


def _shown(path: Path) -> str:
    # Whoever named it from elsewhere sees where it was looked for.
    return printable(path.absolute(), 4096)


_CAMPAIGN = f"a folder with {RUNS}, or such a folder as a .zip file"


def _instead(path: Path) -> str:
    """What is at a path instead of a campaign; "" if one is."""
    try:
        if stat.S_ISDIR(path.stat().st_mode):
            names = os.listdir(path)
            kind = f"a folder without {RUNS}" if names else "an empty folder"
            return "" if RUNS in names else kind
    except OSError as problem:
        if problem.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            return "a link that leads nowhere" if path.is_symlink() else "not there"
        raise NoTimings(
            f"{_shown(path)} cannot be read ({problem.strerror})"
        ) from problem
    if is_archive(path):
        return ""
    if (path.parent / RUNS).exists():
        return f"one file of the campaign {_shown(path.parent)}"
    return "a file"


def _campaigns_in(folder: Path) -> list[Path]:
    if not (what := _instead(folder)):
        return [folder]
    inside = sorted(folder.iterdir()) if folder.is_dir() else []
    if found := [x for x in inside if not _instead(x)]:
        return found
    raise NoTimings(
        f"{_shown(folder)} is {what}, expected a campaign ({_CAMPAIGN}) or a folder "
        "of campaigns"
    )


# --- one campaign


def read_campaign(folder: str | Path) -> pd.DataFrame:
    """One campaign, checked; as `load_campaigns()`.

    `attrs["campaign"]` is its name, `attrs["place"]` where and when it was
    measured, `attrs["ended"]` one of `ENDS`, `attrs["cut_off"]` as in `read_table()`.
    """
    plan, described = read_plan(folder), read_machine(folder)
    table = read_table(folder)
    table["work"] = work_in_words(work_of(plan, described))
    table["machine"] = described["id"]
    table["planned"] = plan.blocks
    table["ended"] = ended = _ended(folder, plan, table)
    ends = table["started"] + pd.to_timedelta(table["process_seconds"], unit="s")
    ids = described["id"], described.get("boot", "")
    place = Seen(*ids, table["started"].min(), ends.max())
    table.attrs |= {"campaign": plan.campaign, "place": place, "ended": ended}
    return table


def _ended(folder: str | Path, plan: Plan, table: pd.DataFrame) -> str:
    """One of `ENDS`, which the rows have to confirm."""
    whole = (table["state"] != "interrupted").sum() == len(plan.places())
    if table.attrs["cut_off"] and not whole:
        return "cut off"
    end = read_end(folder)
    if end is None or not end["complete"]:
        return "unfinished"
    if whole:
        return "planned"
    columns = ["block", "arm", "state", "fit_seconds"]
    if precise_enough(plan, table[columns].to_dict("records")):
        rule = plan.precision
        early = rule.least_blocks < LEAST_BLOCKS or rule.more_blocks < MORE_BLOCKS
        return "early precision" if early else "precision"
    return "unfinished" if plan.budget_minutes is None else "budget"


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
