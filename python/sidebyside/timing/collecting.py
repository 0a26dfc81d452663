"""What a class handed in: every file is looked at, and none silently dropped."""

from __future__ import annotations

import csv
import io
import os
import tempfile
import warnings
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from ..common import files
from ..common.archives import is_archive
from ..common.errors import printable
from .format import (
    MOST_SHARED,
    NAME,
    RUNS,
    CutOff,
    Problem,
    WrongRuns,
    is_finished,
    read_end,
    read_machine,
    read_plan,
)
from .loader import (
    NoTimings,
    Seen,
    Work,
    fingerprint,
    machine_names,
    read_campaign,
    work_of,
)
from .plan import WrongPlan
from .sharing import copy_campaign, pack

LIST = "collected.csv"
"""What was found, beside the files that are good."""

# ok           one of those that are pooled
# twice        the same runs as another, which is used
# unfinished   did not come to the end of its plan
# other-work   trained something else than most of the class
# wrong        cannot be used; `what` says why
# no-hand-in   neither a zip file nor a campaign's folder
STATES = ("ok", "twice", "unfinished", "other-work", "wrong", "no-hand-in")
ON_REQUEST = ("unfinished", "other-work")

# From one block nobody can tell how much a ratio scatters.
LEAST_BLOCKS = 2

# What one person's folder has, and what the class's has: a list that nobody
# reads helps nobody.
MOST_FILES = 1000
MOST_HAND_INS = 10_000
MOST_LEVELS = 20


@dataclass(frozen=True)
class HandIn:
    """One file or folder of those that were handed in.

    `blocks` counts those, after the warm-up, in which R and Python both came
    to their end. `what` says in words what is wrong, or worth knowing.
    """

    path: Path
    state: str
    what: str = ""
    campaign: str = ""
    machine: str = ""
    blocks: int = 0
    fingerprint: str = ""
    work: Work = ()
    versions: str = ""
    place: Seen | None = None


@dataclass(frozen=True)
class Collected:
    """What `collect()` found, and where the good ones are."""

    source: Path
    target: Path
    found: tuple[HandIn, ...]

    @property
    def good(self) -> tuple[HandIn, ...]:
        """Those that were copied."""
        return tuple(x for x in self.found if x.state == "ok")


def collect(
    folder: str | Path,
    to: str | Path | None = None,
    *,
    also: Collection[str] = (),
) -> Collected:
    """Look at everything in a folder, and copy what can be pooled.

    Nothing in the folder is changed. Whatever cannot be used is named and
    left out, and stops nobody else. Doing it again, when more has come in,
    replaces what was copied before.

    Campaigns are pooled that did the same work: the same programs, epochs,
    device and pictures. The work that most did is the class's. Other
    processors and versions are no other work: how much they matter is what
    several machines are measured for.

    Parameters
    ----------
    folder
        With zip files and folders of campaigns, in folders of its own or not.
    to
        The folder that gets the good ones; beside the first, with "-good"
        after its name, if it is not given.
    also
        "unfinished": take campaigns in that did not come to their end, too,
        if they have two blocks; "other-work": take in whatever was trained.

    Raises
    ------
    NoTimings
        If there is nothing in the folder.
    WrongPlan
        If the folder that gets the good ones holds something else.
    """
    source = Path(folder)
    target = _target(source) if to is None else Path(to)
    _check_target(source, target)
    try:
        found = [*_candidates(source, target)]
    except OSError as problem:
        raise NoTimings(
            f"{printable(source.absolute())} cannot be read ({problem.strerror})"
        ) from problem
    if not found:
        what = "is empty" if source.is_dir() else "is not there"
        raise NoTimings(
            f"{printable(source.absolute())} {what}; put the files that were handed "
            "in into it"
        )
    found = _without_copies(found)
    found = _same_work(found, "other-work" in also)
    if "unfinished" in also:
        found = [
            replace(x, state="ok") if x.state == "unfinished" else x for x in found
        ]
    found = _write(target, _named(_with_notes(found)))
    return Collected(source, target, tuple(found))


def _target(source: Path) -> Path:
    whole = source.absolute()
    return whole.with_name(f"{whole.name}-good")


def _check_target(source: Path, target: Path) -> None:
    if target.resolve() == source.resolve():
        raise WrongPlan(f"{target} is where they were handed in; name another")
    if not target.exists():
        return
    if not target.is_dir():
        raise WrongPlan(f"{target} is there already and is no folder")
    if any(target.iterdir()) and not (target / LIST).is_file():
        raise WrongPlan(
            f"{target} is there already, and not from here ({LIST} is not in "
            "it); name another folder with --to"
        )


# --- one by one


_OF_SYSTEMS = frozenset(["__MACOSX", "desktop.ini", "Thumbs.db", LIST])


def _candidates(source: Path, target: Path) -> Iterator[HandIn]:
    """A line for everything that may be a hand-in, in the order of names."""
    if not source.is_dir():
        return
    top = _listed_in(source)
    for path in top[:MOST_HAND_INS]:
        # A class is not stopped by what one of them has handed in.
        yield from _below(path, target)
    if len(top) > MOST_HAND_INS:
        what = f"{len(top)} files and folders; only {MOST_HAND_INS} were looked at"
        yield HandIn(source, "wrong", what)


def _below(top: Path, target: Path) -> Iterator[HandIn]:
    left, seen = [(top, 1)], 0
    while left:
        path, level = left.pop()
        seen += 1
        if seen > MOST_FILES:
            what = f"more than {MOST_FILES} files; the others were not looked at"
            yield HandIn(top, "wrong", what)
            return
        try:
            if path.is_symlink() and path.is_dir():
                yield HandIn(path, "no-hand-in", "a link to a folder")
            elif not path.is_dir() or os.path.lexists(path / RUNS):
                yield _look(path)
            elif level == MOST_LEVELS:
                what = f"folders in folders, {MOST_LEVELS} levels deep"
                yield HandIn(path, "no-hand-in", what)
            elif path.resolve() != target.resolve():
                left += [(x, level + 1) for x in reversed(_listed_in(path))]
        except OSError as problem:
            what = f"it cannot be read ({problem.strerror})"
            yield HandIn(path, "wrong", what)


def _listed_in(folder: Path) -> list[Path]:
    """Without what systems put into folders by themselves."""
    names = [x for x in os.listdir(folder) if not x.startswith(".")]
    return [folder / x for x in sorted(names) if x not in _OF_SYSTEMS]


def _look(path: Path) -> HandIn:
    if not path.is_dir() and not is_archive(path):
        return HandIn(path, "no-hand-in", "neither a .zip nor a campaign")
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            return _read(path, told)
    except WrongRuns as problem:
        first = problem.problems[0]
        # The path is in another column of the table.
        file = first.file.name if first.file != path else ""
        what = str(replace(first, file=Path(file))).removeprefix(".: ")
        more = len(problem.problems) - 1
        if more:
            what += f" ({more} more of that kind)"
        return HandIn(path, "wrong", what)
    except Exception as problem:  # one file never stops the others
        what = f"it cannot be used ({type(problem).__name__}: {problem})"
        return HandIn(path, "wrong", what)


def _read(path: Path, told: list[warnings.WarningMessage]) -> HandIn:
    _check_sizes(path)
    table = read_campaign(path)
    plan, machine = read_plan(path), read_machine(path)
    read_end(path)
    blocks = _blocks(table)
    known = HandIn(
        path,
        "ok",
        campaign=plan.campaign,
        blocks=blocks,
        machine=machine["id"],
        fingerprint=fingerprint(table),
        work=work_of(plan, machine),
        versions=_versions(machine),
        place=table.attrs["place"],
    )
    if blocks < LEAST_BLOCKS:
        what = (
            f"{blocks} blocks with complete runs of r and python, "
            f"{LEAST_BLOCKS} are needed"
        )
        return replace(known, state="wrong", what=what)
    notes = []
    if not is_finished(path):
        known = replace(known, state="unfinished")
        notes.append("not finished")
    if any(issubclass(x.category, CutOff) for x in told):
        notes.append("the last line was cut off")
    lost = int((table["state"] != "ok").sum())
    if lost:
        notes.append(f"{lost} of {len(table)} runs are not ok")
    if machine.get("busy"):
        notes.append("the machine was busy")
    return replace(known, what="; ".join(notes))


def _check_sizes(path: Path) -> None:
    """What is in a zip file is limited when it is read."""
    for name, most in MOST_SHARED.items():
        file = path / name
        if path.is_dir() and file.is_file() and file.stat().st_size > most:
            what = f"more than {most / 1e6:g} MB, which no hand-in has"
            raise WrongRuns([Problem(file, None, "", what)])


def _blocks(table: pd.DataFrame) -> int:
    done = table[(table["state"] == "ok") & (table["block"] > 0)]
    r, python = (set(done["block"][done["arm"] == arm]) for arm in ("r", "python"))
    return len(r & python)


def _versions(machine: dict[str, Any]) -> str:
    facts: dict[str, Any] = {}
    for arm in machine.get("arms", {}).values():
        facts |= arm
    names = (("TensorFlow", "tensorflow"), ("Keras", "keras"), ("R", "r"))
    told = [
        f"{name} {printable(facts[key], 40)}" for name, key in names if key in facts
    ]
    if facts.get("dialect"):
        told.append("keras3" if facts["dialect"] == "keras3" else "the companion")
    return ", ".join(told)


# --- all together


def _without_copies(found: list[HandIn]) -> list[HandIn]:
    """The same runs once: a finished copy before one that is not."""
    order = sorted(
        (x for x in found if x.fingerprint), key=lambda x: STATES.index(x.state)
    )
    first: dict[str, HandIn] = {}
    for x in order:
        first.setdefault(x.fingerprint, x)
    return [
        replace(
            x,
            state="twice",
            what=f"the same runs as {first[x.fingerprint].path.name}",
        )
        if x.state in ("ok", "unfinished") and first[x.fingerprint] is not x
        else x
        for x in found
    ]


def _same_work(found: list[HandIn], all_of_it: bool) -> list[HandIn]:
    """Keep what most have done; of two that are level, the first."""
    usable = [x for x in found if x.state in ("ok", "unfinished")]
    if not usable:
        return found
    counts = Counter(x.work for x in usable)
    most = dict(counts.most_common(1)[0][0])
    again = []
    for x in found:
        other = [
            f"{name} {value or 'unknown'}, most have {most[name] or 'unknown'}"
            for name, value in x.work
            if value != most[name]
        ]
        if other and x.state in ("ok", "unfinished"):
            what = "; ".join(filter(None, [*other, x.what]))
            state = x.state if all_of_it else "other-work"
            x = replace(x, state=state, what=what)
        again.append(x)
    return again


def _with_notes(found: list[HandIn]) -> list[HandIn]:
    """Name machines alike, and say who measured beside whom."""
    good = [x for x in found if x.state == "ok"]
    names = dict(
        zip(
            map(id, good),
            machine_names([x.place for x in good if x.place]),
            strict=True,
        )
    )
    again = []
    for x in found:
        if id(x) in names:
            beside = [
                y
                for y in good
                if y is not x
                and names[id(y)] == names[id(x)]
                and x.place.overlaps(y.place)
            ]
            what = x.what
            if beside:
                told = beside[0].path.name
                if len(beside) > 1:
                    told += f" and {len(beside) - 1} more"
                note = f"measured while {told} did, on the same machine"
                what = "; ".join(filter(None, [what, note]))
            x = replace(x, machine=names[id(x)], what=what)
        again.append(x)
    return again


def _named(found: list[HandIn]) -> list[HandIn]:
    """Campaigns that chose the same name get their fingerprint after it."""
    while True:
        counts = Counter(x.campaign.lower() for x in found if x.state == "ok")
        if max(counts.values(), default=0) < 2:
            return found
        # Again, as somebody may have chosen a name that looks like this.
        found = [
            replace(x, campaign=f"{x.campaign[:90]}-{x.fingerprint}")
            if x.state == "ok" and counts[x.campaign.lower()] > 1
            else x
            for x in found
        ]


def _write(target: Path, found: list[HandIn]) -> list[HandIn]:
    """The good ones as zip files, and the list; what was there goes.

    What has changed since it was read and cannot be copied any more is wrong
    in the answer.
    """
    target.mkdir(parents=True, exist_ok=True)
    if (target / LIST).is_file():
        for name in _listed(target / LIST):
            (target / name).unlink(missing_ok=True)
    # The list first: what it names is what may be removed the next time.
    _write_list(target, found)
    copied = [_copied(x, target) if x.state == "ok" else x for x in found]
    if copied != found:
        _write_list(target, copied)
    return copied


def _copied(x: HandIn, target: Path) -> HandIn:
    with tempfile.TemporaryDirectory() as place:
        copy = Path(place) / x.campaign
        try:
            copy_campaign(x.path, copy)
        except (OSError, WrongRuns) as problem:
            what = f"it has changed while it was read ({problem})"
            return replace(x, state="wrong", what=what)
        pack(copy, target / f"{x.campaign}.zip")
    return x


def _write_list(target: Path, found: list[HandIn]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["file", "state", "campaign", "machine", "blocks", "versions", "what"]
    )
    for x in found:
        row = [x.campaign, x.machine, x.blocks, x.versions, x.what]
        writer.writerow([printable(x.path, 4096), x.state, *map(printable, row)])
    files.write_whole(target / LIST, text.getvalue())


def _listed(path: Path) -> list[str]:
    """The files that were written with a list."""
    with path.open(encoding="utf-8", newline="") as file:
        return [
            f"{row['campaign']}.zip"
            for row in csv.DictReader(file)
            if row.get("state") == "ok" and NAME.fullmatch(row.get("campaign") or "")
        ]


# --- in words


def collected_text(collected: Collected) -> str:
    """A table of all files, what it adds up to, and what to do next."""
    found = collected.found
    rows = [("file", "campaign", "machine", "blocks", "")]
    for x in found:
        said = x.what
        if x.state == "ok":
            said = f"ok: {x.what}" if x.what else "ok"
        elif x.state in ("twice", "unfinished", "other-work"):
            said = f"left out: {x.what}"
        else:
            said = f"LEFT OUT: {x.what}"
        blocks = str(x.blocks) if x.campaign else ""
        path = x.path.relative_to(collected.source)
        rows.append(
            (printable(path, 100), x.campaign, x.machine, blocks, printable(said, 300))
        )
    # What is said comes last and may be of any length.
    widths = [max(len(row[i]) for row in rows) for i in range(4)] + [0]
    lines = [
        "  ".join(
            cell.ljust(width) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    ]
    counts = Counter(x.state for x in found)
    words = {
        "ok": "good",
        "twice": "handed in twice",
        "unfinished": "not finished",
        "other-work": "of other work",
        "wrong": "wrong",
        "no-hand-in": "not a hand-in",
    }
    told = [f"{counts[x]} {words[x]}" for x in STATES if counts[x]]
    lines += ["", f"{len(found)} in {printable(collected.source)}: {', '.join(told)}."]
    for state in ON_REQUEST:
        if counts[state]:
            lines.append(f"`--also {state}` takes those {words[state]} in, too.")
    return "\n".join([*lines, *_next(collected)])


def _next(collected: Collected) -> list[str]:
    good = collected.good
    if not good:
        return ["None of them can be pooled."]
    machines = len({x.machine for x in good})
    lines = []
    versions = Counter(x.versions for x in good if x.versions)
    if len(versions) > 1:
        told = "; ".join(f"{x} ({n})" for x, n in versions.most_common())
        lines.append(
            f"Pooled although their versions differ: {told}. What that does "
            "is part of how much machines differ."
        )
    if machines < len(good):
        lines.append(
            f"The {len(good)} campaigns come from {machines} machine"
            f"{'' if machines == 1 else 's'}, as far as can be known; those "
            "of one machine are not independent."
        )
    target = collected.target.absolute()
    lines += [
        f"The good ones are in {target}. To pool them, open notebook 06 with",
        f"  SIDEBYSIDE_TIMINGS={target} make lab",
        "or put this line into its first cell and run all cells:",
        f"  %env SIDEBYSIDE_TIMINGS={target}",
    ]
    return lines
