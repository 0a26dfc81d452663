"""Load campaigns from files into one table, and check every row."""

from __future__ import annotations

import contextlib
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
    BACKENDS,
    LEAST_BLOCKS,
    MORE_BLOCKS,
    PLAN,
    PROGRAMS,
    RUNS,
    STUDY,
    Plan,
    Problem,
    WrongRuns,
)
from .plan import precise_enough
from .reading import (
    is_finished,
    is_study,
    read_end,
    read_machine,
    read_plan,
    read_study,
    read_table,
)

ENVIRONMENT = "SIDEBYSIDE_TIMINGS"
# Beginnings of the names of the project's own campaigns, and of those that readers
# contributed.
REFERENCE = "reference-"
CONTRIBUTED = "contributed-"


# How a campaign may have ended. planned: all blocks were run. precision, early
# precision: the interval was narrow enough, by today's rule or by an older one with
# fewer blocks. budget: the minutes were used up. unfinished: runs are missing. cut
# off: the last line of runs.csv is incomplete, so its run is missing.
UNFINISHED = ("unfinished", "cut off")
ENDS = ("planned", "precision", "early precision", "budget", *UNFINISHED)


class CutOff(UserWarning):
    """The last line of a file is incomplete and is left out."""


class NoTimings(Sentence, RuntimeError):
    """No measurements were found."""


def load_campaigns(*folders: str | Path) -> pd.DataFrame:
    """Load the measurements of one or more campaigns as one table.

    Parameters
    ----------
    folders
        Campaigns, studies, or folders that contain campaigns. A campaign is a folder
        with `runs.csv`, `plan.json` and `machine.json`, or a zip file of such a
        folder, which is not unpacked. The default is the folders in the environment
        variable SIDEBYSIDE_TIMINGS (separated as in PATH); else the reader's own
        finished campaigns in `data_directory()/timings`; else the project's
        reference measurements. The last two include contributed campaigns. Without
        an argument, studies are left out: `load_studies()` loads them.

    Returns
    -------
    pandas.DataFrame
        A row per run, in the order in which they ran, with the columns of
        `runs.csv` (data/timings/README.md) and four more. `work` says in words
        what was trained; campaigns with different `work` cannot be pooled.
        `machine` is the anonymous name of the machine (`machine_names()` explains
        it). `planned` is the number of blocks in the plan, after the warm-up.
        `ended` is one of `ENDS`. `reading.read_table()` describes the types.
        `attrs["folders"]` says where each campaign is.

    Raises
    ------
    WrongRuns
        If a file is wrong, with file, line and column of the problems that the
        first failing check found; or if two campaigns share runs.
    NoTimings
        If there are no campaigns. The message says what was found and what to do.
    """
    return _loaded(campaign_folders(*folders))


def load_studies(*folders: str | Path) -> pd.DataFrame:
    """Load the measurements of one or more studies as one table.

    The arguments, the result and the errors are those of `load_campaigns()`, but the
    campaigns are those of studies, one for each network.
    """
    return _loaded(campaign_folders(*folders, studies=True))


def _loaded(found: Sequence[Path]) -> pd.DataFrame:
    with paused():  # a table may have a million numbers
        tables = [read_campaign(folder) for folder in found]
    names = {}
    for folder, table in zip(found, tables, strict=True):
        name = table.attrs["campaign"]
        other = names.setdefault(name, folder)
        if other is not folder:
            what = f"campaign {name!r} is also in {other}; load only one of the two"
            raise WrongRuns([Problem(folder / PLAN, None, "campaign", what)])
        if table.attrs["cut_off"]:
            warnings.warn(_cut_off(folder), CutOff, stacklevel=3)
    machines = machine_names([x.attrs["place"] for x in tables])
    for table, machine in zip(tables, machines, strict=True):
        table["machine"] = machine
        table.attrs = {}
    whole = pd.concat(tables, ignore_index=True)
    _refuse_copies(whole, names)
    names_of = ("campaign", "network", "backend", "work", "machine", "ended")
    for name in names_of:
        whole[name] = pd.Categorical(whole[name], whole[name].unique())
    whole.attrs = {"folders": {name: str(folder) for name, folder in names.items()}}
    return whole


def _refuse_copies(runs: pd.DataFrame, folders: Mapping[str, Path]) -> None:
    problems = []
    for (other, copy), shared in shared_runs(runs).items():
        what = f"{shared} of these runs are also in {folders[other]}, so one is a copy "
        what += "of the other; load one of the two"
        problems.append(Problem(folders[copy] / RUNS, None, "", what))
    if problems:
        raise WrongRuns(problems)


def _cut_off(folder: Path) -> str:
    rest = "get the file again if there is a complete copy"
    if (folder / PROGRAMS).is_file():
        rest = f"`python -m sidebyside.timing resume {folder}` measures that run again"
    what = f"{folder / RUNS}: the last line is incomplete and is left out; {rest}"
    return printable(what, 1000)


def campaign_folders(*folders: str | Path, studies: bool = False) -> list[Path]:
    """Return the campaigns that `load_campaigns()` would load, in its order.

    With `studies`, those that `load_studies()` would load.
    """
    named = os.environ.get(ENVIRONMENT)
    if folders or named:
        places = folders or filter(None, named.split(os.pathsep))
        found = [x for y in map(as_path, places) for x in _campaigns_in(y, studies)]
        # An argument may be a study. Of the environment, both functions take their own.
        mine = [x for x in found if folders or _of_study(x) == studies]
        if found and not mine:
            raise NoTimings(
                f"{ENVIRONMENT} names {printable(named, 200)}, expected folders with "
                f"{'studies' if studies else 'campaigns that are no studies'}."
            )
        return mine
    wanted, what = ("studies", STUDY) if studies else ("measurements", RUNS)
    places = [timings_directory()]
    if (project := project_directory()) is not None:
        places.append(project / "data" / "timings")
    found = [x for place in dict.fromkeys(places) for x in _below(place, what)]
    reference = [x for x in found if x.name.startswith(REFERENCE)]
    contributed = [x for x in found if x.name.startswith(CONTRIBUTED)]
    own = [x for x in found if x not in (*reference, *contributed) and is_done(x)]
    # A campaign that the reader contributed is a copy of the reader's own.
    mine = set().union(*map(_runs_at, own))
    contributed = [x for x in contributed if not mine & _runs_at(x)]
    if not (chosen := own or reference):
        where = " or ".join(map(str, places))
        how = 'make timings ARGS="--networks all"' if studies else "make timings"
        raise NoTimings(f"There are no {wanted} in {where}. Run `{how}`.")
    return [x for top in chosen + contributed for x in parts_of(top)]


def runs_of(table: pd.DataFrame) -> set[tuple[Any, float]]:
    """Identify each run by its start and its duration.

    Clocks count microseconds, so two runs that agree in both are the same run, even
    if another program wrote the time in another form or with fewer digits. Runs
    without one of the two are left out.
    """
    started = pd.to_datetime(
        table["started"].astype(object), format="ISO8601", utc=True, errors="coerce"
    ).dt.round("ms")
    known = table.assign(started=started).dropna(subset=["started", "process_seconds"])
    seconds = known["process_seconds"].astype(float).round(6)
    return set(zip(known["started"], seconds, strict=True))


def _runs_at(path: Path) -> set[tuple[Any, float]]:
    return set().union(*(runs_of(read_table(x)) for x in parts_of(path)))


def shared_runs(runs: pd.DataFrame) -> dict[tuple[str, str], int]:
    """Find campaigns that are copies of each other, whatever their names.

    Returns the number of common runs for each pair (the first, a later one). Parts of
    a copy may be missing: one common run is enough. The result is empty for a table
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
    """Return a text for names of files that differs between measurements.

    It is eight hexadecimal digits of a SHA-256 of the runs' seconds and states.
    """
    digest = hashlib.sha256()
    for name in ("block", "position", "process_seconds", "fit_seconds"):
        digest.update(table[name].to_numpy(float).tobytes())
    for name in ("state", "arm"):
        digest.update(",".join(table[name].astype(str)).encode())
    return digest.hexdigest()[:8]


def timings_directory() -> Path:
    """Return the folder of the reader's own campaigns."""
    return data_directory() / "timings"


def _below(place: Path, name: str) -> list[Path]:
    """List the folders with this file. Zip files are packed copies of folders."""
    return sorted(x.parent for x in place.glob(f"*/{name}"))


def as_path(given: object) -> Path:
    """Turn an argument into a path; `NoTimings` if it cannot be one."""
    what = ""
    if not isinstance(given, str | os.PathLike):
        what = f"{printable(reprlib.repr(given))} ({type(given).__name__})"
    elif not os.fspath(given):
        what = "an empty text"
    if what:
        raise NoTimings(
            f"Found {what}, expected the path of a folder, such as 'data/timings/me'. "
            "Pass several paths as separate arguments."
        )
    try:
        os.stat(path := Path(given).expanduser())
    except OSError:
        pass
    except (ValueError, RuntimeError):  # not a possible name of a file, or of a user
        raise NoTimings(f"Found {given!r}, expected the path of a folder.") from None
    return path


def campaign_at(given: object) -> Path:
    """Return the path of a campaign; `NoTimings` if there is something else."""
    path = as_path(given)
    if what := _instead(path):
        raise NoTimings(f"{_shown(path)} is {what}, expected a campaign: {_CAMPAIGN}.")
    return path


def _shown(path: Path) -> str:
    # The full path shows a reader in another folder where we looked.
    return printable(path.absolute(), 4096)


_CAMPAIGN = f"a folder with {RUNS}, or such a folder as a .zip file"


def _instead(path: Path) -> str:
    """Say what is at a path instead of a campaign; "" if it is a campaign."""
    try:
        if stat.S_ISDIR(path.stat().st_mode):
            names = os.listdir(path)
            kind = f"a folder without {RUNS}" if names else "an empty folder"
            kind = "a study of several networks" if STUDY in names else kind
            return "" if RUNS in names else kind
    except OSError as problem:
        if problem.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            return "a link that leads nowhere" if path.is_symlink() else "not there"
        raise NoTimings(
            f"{_shown(path)} cannot be read ({problem.strerror})."
        ) from problem
    if is_archive(path):
        return ""
    if (path.parent / RUNS).exists():
        return f"one file of the campaign {_shown(path.parent)}"
    return "a file"


def parts_of(path: Path) -> list[Path]:
    """Return the campaigns of a study, or the path of anything else."""
    return list(read_study(path)[1].values()) if is_study(path) else [path]


def _of_study(campaign: Path) -> bool:
    return bool(read_plan(campaign).network)


def is_done(path: Path) -> bool:
    """Return whether a campaign, or all of a study, is finished."""
    with contextlib.suppress(WrongRuns):
        return all(map(is_finished, parts_of(path)))
    # A damaged study is not finished.
    return False


def _campaigns_in(folder: Path, studies: bool) -> list[Path]:
    what = _instead(folder)
    if not what or is_study(folder):
        return parts_of(folder)
    inside = sorted(folder.iterdir()) if folder.is_dir() else []
    tops = [x for x in inside if is_study(x) or not _instead(x)]
    found = [y for x in tops for y in parts_of(x)]
    if mine := [x for x in found if _of_study(x) == studies]:
        return mine
    expected = f"a campaign ({_CAMPAIGN}) or a folder of campaigns"
    if studies:
        expected = f"a study (with {STUDY}) or a folder of studies"
    elif found:
        expected += "; load_studies() loads studies"
    raise NoTimings(f"{_shown(folder)} is {what}, expected {expected}.")


# --- one campaign


def read_campaign(folder: str | Path) -> pd.DataFrame:
    """Read and check one campaign, as `load_campaigns()` does.

    `attrs["campaign"]` is its name, `attrs["place"]` is where and when it was
    measured, `attrs["ended"]` is one of `ENDS`, and `attrs["cut_off"]` is as in
    `read_table()`.
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
    """Return one of `ENDS`, and check it with the rows."""
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
    """Where and when a campaign was measured.

    `id` and `boot` come from `machine.json`; `boot` is "" if it is not known. The
    two times may be of any type.
    """

    id: str
    boot: str
    start: Any
    end: Any

    def overlaps(self, other: Seen) -> bool:
        """Return whether both were measured at the same time on the same system."""
        one_system = self.boot == other.boot or not (self.boot and other.boot)
        return one_system and self.start < other.end and other.start < self.end


def machine_names(seen: Sequence[Seen]) -> list[str]:
    """Name the machine of each campaign, with the same name for the same machine.

    Containers on one server have different ids but one running system. They count as
    one machine, with the id of the first. Some cases cannot be recognised: two
    virtual machines on one server look like two machines, and computers that were
    set up from the same copy of a disk look like one.
    """
    first: dict[str, str] = {}
    return [first.setdefault(x.boot or x.id, x.id) for x in seen]


Work = tuple[tuple[str, str], ...]
"""Pairs of name and value, such as ("epochs", "10")."""


def work_of(plan: Plan, machine: Mapping[str, Any]) -> Work:
    """Return what was trained. Only campaigns of the same work are pooled."""
    pictures = machine.get("data", "")
    if known := _PICTURES.search(pictures):
        pictures = known[1] + known[2]
    elif pictures:
        # Before the last line there may be messages about a download. All sources of
        # MNIST have the same data.
        pictures = re.sub("^(MNIST) from .*", r"\1", pictures.splitlines()[-1])
    hashes = [plan.programs.get(x, "")[:6] for x in ("python", "r")]
    return (
        ("device", plan.device),
        ("backend", plan.backend),
        ("epochs", _listed(plan.used("epochs"))),
        ("batch size", _listed(plan.used("batch_size"))),
        ("programs", "/".join(filter(None, hashes))),
        ("pictures", pictures[:100]),
    )


def _listed(numbers: list[int]) -> str:
    return " or ".join(map(str, numbers))


def work_in_words(work: Work) -> str:
    """Write the work as text, without the device, which has its own column.

    An example is "10 epochs; Fruits: painted: 16 classes; programs 0123ab/4567cd".
    """
    known = dict(work)
    epochs = f"{known['epochs']} epoch{'' if known['epochs'] == '1' else 's'}"
    pictures = " ".join(known["pictures"].replace(";", ",").split())
    programs = known["programs"] and f"programs {known['programs']}"
    size = known["batch size"] and f"batch size {known['batch size']}"
    backend = "" if known["backend"] == BACKENDS[0] else known["backend"]
    return "; ".join(filter(None, [epochs, size, backend, pictures, programs]))
