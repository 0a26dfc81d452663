"""Check what a class handed in, and report every file."""

from __future__ import annotations

import contextlib
import csv
import os
import shlex
import tempfile
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from ..common import files
from ..common.archives import is_archive
from ..common.errors import printable
from . import format as layout
from . import loader, reading
from .format import WrongRuns
from .loader import NoTimings
from .plan import WrongPlan
from .report import machine_lines, missing_text
from .run.arms import differing
from .sharing import copy_campaign, pack

LIST = "collected.csv"
"""The file with the list of everything that was found."""

STATES = {
    "ok": "good",
    "twice": "handed in twice",
    "unfinished": "unfinished",
    "other-work": "of other work",
    "wrong": "wrong",
    "no-hand-in": "not a hand-in",
}
"""The states of a file, in words. Only files that are "ok" are pooled."""
ON_REQUEST = ("unfinished", "other-work")

# With one block, nobody can tell how much a ratio scatters.
LEAST_BLOCKS = 2

# Limits for the folder of one class, so that the list stays short enough to read.
MOST_FILES = 1000
MOST_LEVELS = 20


@dataclass
class HandIn:
    """One file or folder that was handed in.

    `blocks` is the number of blocks after the warm-up in which both R and Python
    completed. `notes` say what is wrong or worth knowing.
    """

    path: Path
    state: str
    notes: list[str] = field(default_factory=list)
    campaign: str = ""
    network: str = ""
    machine: str = ""
    blocks: int = 0
    versions: str = ""
    fingerprint: str = ""
    runs: set = field(default_factory=set)
    work: loader.Work = ()
    place: loader.Seen | None = None

    @property
    def what(self) -> str:
        """Return the notes as one text."""
        return "; ".join(self.notes)


@dataclass(frozen=True)
class Collected:
    """The result of `collect()`: all files, and where the good ones are."""

    source: Path
    target: Path
    found: tuple[HandIn, ...]

    @property
    def good(self) -> tuple[HandIn, ...]:
        """Return the files that were copied."""
        return tuple(x for x in self.found if x.state == "ok")


def collect(
    folder: str | Path,
    to: str | Path | None = None,
    *,
    also: Collection[str] = (),
) -> Collected:
    """Check everything in a folder, and copy the campaigns that can be pooled.

    Nothing in the folder is changed. Files that cannot be used are listed and left
    out. A second call replaces the copies of the first.

    Campaigns can be pooled if they did the same work as most of the class: the same
    programs, epochs, device and pictures. Of a study, each network is compared with
    the same network of the others. Processors and versions may differ,
    because several machines show how much they matter.

    Parameters
    ----------
    folder
        The folder with zip files or folders of campaigns. They may be in subfolders.
    to
        The folder for the good ones. By default it is `folder`'s name and "-good".
    also
        "unfinished": also use unfinished campaigns with at least two blocks;
        "other-work": also use campaigns of other work.

    Raises
    ------
    NoTimings
        If there is nothing in the folder, or it cannot be read.
    WrongPlan
        If the folder for the good ones has other files, or cannot be written.
    """
    source = loader.as_path(folder)
    whole = source.absolute()
    target = whole.with_name(f"{whole.name}-good") if to is None else loader.as_path(to)
    if os.path.realpath(target) == os.path.realpath(source):
        raise WrongPlan(
            f"{target} is the folder with the files that were handed in. Name another."
        )
    try:
        found = [x for path in _listed_in(source) for x in _below(path, target)]
    except OSError as problem:
        raise NoTimings(
            f"{whole} cannot be read ({problem.strerror}); expected a folder with "
            "everybody's zip files."
        ) from problem
    if not found:
        raise NoTimings(f"{whole} is empty. Put the zip files of the class into it.")
    _compare(found, also)
    try:
        _write(target, found)
    except OSError as problem:
        raise WrongPlan(
            f"{target} cannot be written ({problem.strerror}). Name another folder "
            "with --to."
        ) from problem
    return Collected(source, target, tuple(found))


# --- one by one


_OF_SYSTEMS = frozenset(["__MACOSX", "desktop.ini", "Thumbs.db", LIST])


def _listed_in(folder: Path) -> list[Path]:
    """List a folder, without files that operating systems put there."""
    names = [x for x in os.listdir(folder) if not x.startswith(".")]
    return [folder / x for x in sorted(names) if x not in _OF_SYSTEMS]


def _below(top: Path, target: Path) -> Iterator[HandIn]:
    """Yield everything that may be a hand-in, in the order of names."""
    left, seen = [(top, 1)], 0
    while left:
        path, level = left.pop()
        seen += 1
        if seen > MOST_FILES:
            what = f"more than {MOST_FILES} files; the others were not checked"
            yield HandIn(top, "wrong", [what])
            return
        try:
            if path.is_symlink() and path.is_dir():
                yield HandIn(path, "no-hand-in", ["a link to a folder"])
            elif not path.is_dir() or {*layout.MAIN} & {*os.listdir(path)}:
                yield from _look(path)
            elif level == MOST_LEVELS:
                what = f"folders in folders, {MOST_LEVELS} levels deep"
                yield HandIn(path, "no-hand-in", [what])
            elif path.resolve() != target.resolve():
                left += [(x, level + 1) for x in reversed(_listed_in(path))]
        except OSError as problem:
            what = f"it cannot be read ({problem.strerror})"
            yield HandIn(path, "wrong", [what])


def _look(path: Path) -> Iterator[HandIn]:
    """Yield what a file or folder is: one campaign, or each network of a study."""
    if not path.is_dir() and not is_archive(path):
        yield HandIn(path, "no-hand-in", ["neither a .zip nor a campaign"])
        return
    # One bad file must not stop the others.
    try:
        parts = loader.parts_of(path)
    except Exception as problem:
        yield _refused(path, problem)
        return
    for x in parts:
        try:
            yield _read(x)
        except Exception as problem:
            yield _refused(x, problem)


def _refused(path: Path, problem: Exception) -> HandIn:
    if isinstance(problem, WrongRuns):
        first, *more = problem.problems
        # Another column of the table has the path.
        what = str(first).removeprefix(printable(path, 1000)).lstrip("/: ")
        if more:
            what += f" ({len(more)} more of that kind)"
    else:
        what = f"it cannot be used ({type(problem).__name__}: {problem})"
    return HandIn(path, "wrong", [what])


def _read(path: Path) -> HandIn:
    _check_sizes(path)
    table = loader.read_campaign(path)
    plan, machine = reading.read_plan(path), reading.read_machine(path)
    end, ended = reading.read_end(path), table.attrs["ended"]
    found = HandIn(
        path,
        "ok" if end and end["complete"] and ended != "unfinished" else "unfinished",
        campaign=plan.campaign,
        network=plan.network,
        blocks=_blocks(table),
        machine=machine["id"],
        fingerprint=loader.fingerprint(table),
        runs=loader.runs_of(table),
        work=loader.work_of(plan, machine),
        versions=", ".join(machine_lines(machine)[1:]),
        place=table.attrs["place"],
    )
    other = (table["state"] == "wrong-loss").sum()
    lost = (~table["state"].isin(layout.COMPLETE)).sum()
    missing = missing_text(plan, table)
    notes = {
        missing: missing,
        f"{other} of {len(table)} runs trained something else": other,
        f"{lost} of {len(table)} runs did not end properly": lost,
        "the machine was busy": machine.get("busy"),
    }
    found.notes = [note for note, is_so in notes.items() if is_so]
    if found.blocks < LEAST_BLOCKS:
        found.state = "wrong"
        found.notes = [
            f"{found.blocks} block{'s' * (found.blocks != 1)} with ok runs of r and "
            f"python; {LEAST_BLOCKS} are needed",
            *found.notes,
        ]
    return found


def _check_sizes(path: Path) -> None:
    """Check the sizes of a folder's files. In a zip file they are limited anyway."""
    for name, most in reading.MOST_SHARED.items():
        file = path / name
        if path.is_dir() and file.is_file() and file.stat().st_size > most:
            what = f"it is too large, expected {most / 1e6:g} MB at most"
            raise WrongRuns([layout.Problem(file, None, "", what)])


def _blocks(table: pd.DataFrame) -> int:
    done = table[(table["state"] == "ok") & (table["block"] > 0)]
    r, python = (set(done["block"][done["arm"] == arm]) for arm in ("r", "python"))
    return len(r & python)


# --- all together


def _compare(found: list[HandIn], also: Collection[str]) -> None:
    """Leave out copies and other work, and name the rest."""
    first: dict[tuple, HandIn] = {}
    usable = [x for x in found if x.state in ("ok", "unfinished")]
    # Of several copies, prefer a finished one, then the one with the most runs.
    for x in sorted(usable, key=lambda x: (x.state != "ok", -x.blocks, -len(x.runs))):
        if both := [run for run in x.runs if run in first]:
            some = "the same" if len(both) == len(x.runs) else f"{len(both)} of the"
            x.notes = [f"{some} runs as {first[both[0]].path.name}"]
            x.state = "twice"
        else:
            first |= dict.fromkeys(x.runs, x)
    usable = [x for x in usable if x.state != "twice"]
    counts = Counter((x.network, x.work) for x in usable)
    for x in usable:
        # If two kinds of work are equally frequent, the first one counts.
        most = max((y for y in counts if y[0] == x.network), key=counts.get)[1]
        differences = [
            f"{name} {mine or 'unknown'}, most have {theirs or 'unknown'}"
            for (name, mine), (_, theirs) in zip(x.work, most, strict=True)
            if mine != theirs
        ]
        x.notes += differences
        if differences and "other-work" not in also:
            x.state = "other-work"
        elif x.state in also:
            x.state = "ok"
    good = [x for x in usable if x.state == "ok"]
    names = loader.machine_names([x.place for x in good])
    for x, name in zip(good, names, strict=True):
        x.machine = name
        # Two campaigns may have chosen the same name.
        if not x.campaign.endswith(x.fingerprint):
            x.campaign = f"{x.campaign[:90]}-{x.fingerprint}"
    for x in good:
        # The networks of one study take turns.
        own = x.path.parent if x.network else None
        for y in good:
            if x is y or y.path.parent == own:
                continue
            if x.machine == y.machine and x.place.overlaps(y.place):
                told = f"as {y.path.name}, on the same machine"
                x.notes.append(f"measured at the same time {told}")
                break


def keep_apart(home: Path, apart: Path) -> list[str]:
    """Move the campaigns that differ from most into `apart`; return what differs.

    Those in both folders are compared: their versions, the project's commit and their
    work. One that no longer differs from most moves back.
    """
    found = {}
    for place in (home, apart):
        for folder in sorted(place.iterdir()) if place.is_dir() else ():
            with contextlib.suppress(WrongRuns):
                if reading.is_begun(folder):
                    found[folder] = _versions_and_work(folder)
    kinds = list(found.values())
    # If two kinds are equally frequent, the first one counts.
    most = max(kinds, key=kinds.count, default={})
    told = []
    for folder, mine in found.items():
        place = home
        if what := differing(most, mine, "in most campaigns", "in this one"):
            place = apart
            told.append(f"{folder.name} differs and is in {apart}: {'; '.join(what)}.")
        if folder.parent != place:
            place.mkdir(parents=True, exist_ok=True)
            folder.rename(place / folder.name)
    return told


def _versions_and_work(folder: Path) -> dict[str, str]:
    found = {}
    for part in loader.parts_of(folder):
        plan, machine = reading.read_plan(part), reading.read_machine(part)
        work = loader.work_of(plan, machine)
        found |= {f"{plan.network} {name}".strip(): value for name, value in work}
        found |= {"versions": "; ".join(machine_lines(machine)[1:])}
        found |= {"commit": machine.get("git", {}).get("commit", "none")}
        found |= machine.get("packages", {})
    return found


def _write(target: Path, found: list[HandIn]) -> None:
    """Copy the good ones as zip files, with the list, and remove earlier copies."""
    listed = target / LIST
    target.mkdir(parents=True, exist_ok=True)
    if listed.is_file():
        _remove_listed(listed)
    elif any(target.iterdir()):
        raise WrongPlan(
            f"{target} already exists, and this command did not write it (there is no "
            f"{LIST} in it). Name another folder with --to."
        )
    # Write the list first, because the next call removes only what it names.
    _write_list(listed, found)
    for x in found:
        if x.state == "ok":
            _copy(x, target)
    _write_list(listed, found)


def _remove_listed(path: Path) -> None:
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            name = row.get("campaign") or ""
            if row.get("state") == "ok" and layout.NAME.fullmatch(name):
                with contextlib.suppress(OSError):
                    path.with_name(f"{name}.zip").unlink()


def _copy(x: HandIn, target: Path) -> None:
    """Copy one campaign; it may have changed since it was read."""
    with tempfile.TemporaryDirectory() as place:
        copy = Path(place) / x.campaign
        try:
            copy_campaign(x.path, copy)
            pack(copy, target / f"{x.campaign}.zip")
        except (OSError, WrongRuns) as problem:
            x.state, x.notes = "wrong", [f"it cannot be copied ({problem})"]


def _write_list(path: Path, found: list[HandIn]) -> None:
    columns = ["file", "state", "campaign", "machine", "blocks", "versions", "what"]
    table = pd.DataFrame([vars(x) | {"file": x.path, "what": x.what} for x in found])
    table = table[columns].map(printable, most=4096)
    files.write_whole(path, table.to_csv(index=False, lineterminator="\n"))


# --- in words


def collected_text(collected: Collected) -> str:
    """Return a table of all files, a summary, and what to do next."""
    found, good = collected.found, collected.good
    rows = [("file", "campaign", "machine", "blocks", "")]
    begins = {"ok": "ok", "wrong": "LEFT OUT", "no-hand-in": "LEFT OUT"}
    for x in found:
        path = printable(x.path.relative_to(collected.source), 100)
        blocks = str(x.blocks) if x.campaign else ""
        said = ": ".join([begins.get(x.state, "left out"), *filter(None, [x.what])])
        rows.append((path, x.campaign, x.machine, blocks, printable(said, 300)))
    # The last column is the notes, which may have any length.
    *columns, _ = zip(*rows, strict=True)
    widths = [max(map(len, column)) for column in columns] + [0]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    counts = Counter(x.state for x in found)
    told = [f"{counts[x]} {words}" for x, words in STATES.items() if counts[x]]
    lines += ["", f"{len(found)} in {printable(collected.source)}: {', '.join(told)}."]
    for x in filter(counts.get, ON_REQUEST):
        lines.append(f"To use those that are {STATES[x]}, too, add `--also {x}`.")
    if not good:
        return "\n".join([*lines, "None of them can be pooled."])
    machines = len({x.machine for x in good})
    if len({(x.machine, x.network) for x in good}) < len(good):
        lines.append(
            f"The {len(good)} good ones come from {machines} machine"
            f"{'s' * (machines > 1)}, as far as we can tell. Campaigns of one machine "
            "are not independent."
        )
    target = printable(collected.target.absolute(), 4096)
    lines += [
        f"The good ones are in {target}. To pool them, open notebook 06 with",
        f"  SIDEBYSIDE_TIMINGS={shlex.quote(target)} make lab",
        "or put this line into its first cell and run all cells:",
        f"  %env SIDEBYSIDE_TIMINGS={target}",
    ]
    return "\n".join(lines)
