"""Read the files of a campaign or study.

Every function here checks what it reads, because a file may come from anybody.
`format.py` says how the files look.
"""

from __future__ import annotations

import codecs
import contextlib
import csv
import functools
import json
import math
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd

from ..common import files
from ..common.archives import BadArchive, is_archive, open_archive
from ..common.errors import printable
from .format import (
    ARMS,
    BACKENDS,
    COLUMNS,
    COMPLETE,
    DEVICES,
    END,
    EPOCH_COLUMNS,
    EVENTS,
    FIRST_ARM,
    FORBIDDEN,
    LIMITS,
    MACHINE,
    MAIN,
    NAME,
    NEVER_MISSING,
    NEW_TEXTS,
    PLAN,
    POWER_STATES,
    REQUIRED,
    RESOLUTION,
    RUNS,
    SETTINGS,
    STAGE_COLUMNS,
    STARTED,
    STATES,
    STUDY,
    VERSION,
    WHOLE,
    WHOLE_SETTINGS,
    Block,
    Plan,
    Precision,
    Problem,
    StudyPlan,
    WrongRuns,
    campaign_of,
    write_rows,
)

# Most bytes of a file that somebody hands in. They are enough for 3,500 rows of ten
# epochs and for 10,000 blocks. A small zip file could unpack to a thousand times more.
MOST_SHARED = {RUNS: 5_000_000, **dict.fromkeys((PLAN, MACHINE, END, STUDY), 1_000_000)}
# Most bytes of a file in a folder.
MOST_BYTES = 200_000_000
MOST_ENTRIES = 1000
# Most levels of objects within objects: machine.json needs 4.
MOST_DEPTH = 20
# Most problems that are kept: a file may have a wrong number in every line.
MOST_PROBLEMS = 1000


class _Missing(WrongRuns):
    """The file does not exist."""


# --- bytes


def _read_bytes(path: Path) -> bytes:
    """Read a file of a campaign or study. It may be in a zip file.

    Raises `_Missing` if there is no such file, and `WrongRuns` if it cannot be
    read, is not an ordinary file or is too large, or if the zip file is damaged or
    contains several campaigns.
    """
    zipped = next(filter(is_archive, path.parents[:2]), path.parent)
    try:
        if is_archive(zipped):
            return _unpacked(zipped, path.relative_to(zipped))
        return files.read_at_most(path, MOST_BYTES)
    except (FileNotFoundError, NotADirectoryError, KeyError):
        raise _Missing([Problem(path, None, "", "the file is missing")]) from None
    except BadArchive as problem:
        raise _wrong(zipped, str(problem)) from problem
    except (files.NotAFile, files.TooLarge) as problem:
        what = str(problem).removeprefix(f"{printable(path)} ")
        raise _wrong(path, what) from problem
    except OSError as problem:
        raise _wrong(path, f"it cannot be read ({problem.strerror})") from problem


def _unpacked(file: Path, inner: Path) -> bytes:
    """Read from a zip file; `inner` may begin with the name of a study's campaign."""
    opened = open_archive(file, name="the zip file", most_entries=MOST_ENTRIES)
    with opened as archive:
        main = STUDY if inner.name == STUDY else RUNS
        places = map(PurePosixPath, archive.members)
        # A Mac adds another folder to its zip files.
        found = [
            x.parent for x in places if x.name == main and "__MACOSX" not in x.parts
        ]
        if inner.parent.name:
            found = [x for x in found if x.name == inner.parent.name]
        if len(found) != 1:
            where = inner.parent.name or "it"
            what = f"found {len(found)} files {main} in {where}, expected one"
            what += "; unpack it, and name one folder" if found else ""
            raise _wrong(file, what)
        return archive.read(str(found[0] / inner.name), MOST_SHARED[inner.name])


def _wrong(
    path: Path, what: str, column: str = "", line: int | None = None
) -> WrongRuns:
    return WrongRuns([Problem(path, line, column, what)])


# --- plan.json, machine.json, end.json

_TEXT = {"type": "string"}
_TEXTS = {"type": "array", "items": _TEXT}
_OBJECT = {"type": "object"}
_NAME = {"type": "string", "pattern": rf"\A{NAME.pattern}\Z"}
_ARMS = {
    "type": "array",
    "items": {"enum": list(ARMS)},
    "minItems": 1,
    "uniqueItems": True,
}
_NETWORKS = {"type": "array", "items": _NAME, "minItems": 1, "uniqueItems": True}


def _number(low: float, high: float, kind: Any = "number") -> dict[str, Any]:
    return {"type": kind, "minimum": low, "maximum": high}


def _object(required: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": required.split(), "properties": properties}


# JSON schemas. Keys that no analysis needs may be missing; unknown keys are allowed.
_SCHEMAS = {
    PLAN: _object(
        "campaign device arms epochs order",
        campaign=_NAME,
        **dict.fromkeys(("created", "design", "notebook", "notebook_sha256"), _TEXT),
        device={"enum": list(DEVICES)},
        network={"type": "string", "pattern": rf"\A({NAME.pattern})?\Z"},
        backend={"enum": list(BACKENDS)},
        arms=_ARMS,
        epochs=_number(*LIMITS["epochs"], "integer"),
        batch_size=_number(*LIMITS["batch_size"], ["integer", "null"]),
        # A seed matters only when a plan is made.
        seed=_number(*WHOLE_SETTINGS["seed"], "integer"),
        blocks=_number(0, 10**6, "integer"),
        precision=_object(
            "half_width quantity",
            half_width=_number(*SETTINGS["precision"]),
            **dict.fromkeys(("quantity", "interval", "rule"), _TEXT),
            least_blocks=_number(1, 10**6, "integer"),
            more_blocks=_number(0, 10**6, "integer"),
        )
        | {"type": ["object", "null"]},
        budget_minutes=_number(*SETTINGS["budget"], ["number", "null"]),
        timeout_seconds=_number(*SETTINGS["timeout"]),
        programs={"type": "object", "additionalProperties": _TEXT},
        order={
            "type": "array",
            "minItems": 1,
            "items": _object(
                "block seed arms",
                block=_number(*LIMITS["block"], "integer"),
                seed=_number(*LIMITS["seed"], "integer"),
                arms=_ARMS,
                epochs=_number(*LIMITS["epochs"], "integer"),
                batch_size=_number(*LIMITS["batch_size"], "integer"),
            ),
        },
        schema=_number(1, VERSION, "integer"),
    ),
    STUDY: _object(
        "study networks order",
        study=_NAME,
        **dict.fromkeys(("created", "design"), _TEXT),
        networks=_NETWORKS,
        order={"type": "array", "minItems": 1, "items": _NETWORKS},
        schema=_number(1, VERSION, "integer"),
    ),
    MACHINE: _object(
        "id",
        id=_NAME,
        **dict.fromkeys(("boot", "data"), _TEXT),
        **dict.fromkeys(("cpu", "system"), _OBJECT),
        memory_gb=_number(0, 1e9, ["number", "null"]),
        gpu={"type": "array", "items": _OBJECT},
        arms={"type": "object", "additionalProperties": _OBJECT},
        busy=_TEXTS,
    ),
    END: _object(
        "complete",
        complete={"type": "boolean"},
        reason=_TEXT,
        disturbed=_TEXTS,
        overhead=_object(
            "seconds share", seconds=_number(0, 1e10), share=_number(-1e10, 1)
        ),
    ),
}


@functools.cache
def _checker(name: str) -> Callable[[Any], Any]:
    # Imported here, because it takes time that only reading needs.
    import fastjsonschema

    return fastjsonschema.compile(_SCHEMAS[name])


def _read_json(path: Path) -> dict[str, Any]:
    """Read an object that follows its schema and could be written again."""
    data = _read_bytes(path)
    try:
        found = json.loads(data, object_pairs_hook=_object_of)
        _check_usable(found)
    except (ValueError, RecursionError) as problem:
        what = f"the file cannot be read as JSON ({problem})"
        raise _wrong(path, what) from problem
    from fastjsonschema import JsonSchemaValueException

    try:
        return _checker(path.name)(found)
    except JsonSchemaValueException as problem:
        rule = problem.message.removeprefix(problem.name)
        what = f"found {ascii(problem.value)[:60]}, which{rule}"
        column = problem.name.removeprefix("data").lstrip(".")
        raise _wrong(path, what, column[:100]) from problem


def _object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = Counter(name for name, _ in pairs)
        raise ValueError(f"the key {names.most_common(1)[0][0]!r} is in it twice")
    return found


def _check_usable(value: Any, depth: int = MOST_DEPTH) -> None:
    """Raise `ValueError` if a JSON value has anything that our files never have."""
    if depth == 0:
        raise ValueError(f"more than {MOST_DEPTH} levels of objects within objects")
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, list):
        for x in value:
            _check_usable(x, depth - 1)
    elif isinstance(value, str) and (found := FORBIDDEN.search(value)):
        raise ValueError(f"a text has the character {found[0]!a}")
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError("a number is infinite or not a number")
    elif isinstance(value, int) and abs(value) >= 2**63:
        raise ValueError("a number has more than 18 digits")


def _made(kind: type, content: Mapping[str, Any]) -> Any:
    """Make a dataclass from the keys of an object that it has as fields."""
    names = [x.name for x in fields(kind) if x.name in content]
    return kind(**{name: content[name] for name in names})


def read_plan(folder: str | Path) -> Plan:
    """Read `plan.json`; `WrongRuns` if it is missing or is not a plan.

    Keys that are not used to check the rows may be missing.
    """
    path = Path(folder) / PLAN
    content = _read_json(path)
    arms, order = content["arms"], content["order"]
    for number, x in enumerate(order):
        if x["block"] != number or sorted(x["arms"]) != sorted(arms):
            what = f"found block {x['block']} with {', '.join(x['arms'])}"
            what += f", expected block {number} with {', '.join(arms)}"
            raise _wrong(path, what, f"order[{number}]")
    if content.setdefault("blocks", len(order) - 1) != len(order) - 1:
        what = f"found {content['blocks']}, but the order has {len(order) - 1}"
        raise _wrong(path, f"{what} after the warm-up", "blocks")
    if content.get("precision"):
        content["precision"] = _made(Precision, content["precision"])
    blocks = [_made(Block, x | {"arms": tuple(x["arms"])}) for x in order]
    return _made(Plan, content | {"arms": tuple(arms), "order": tuple(blocks)})


def is_begun(folder: Path) -> bool:
    """Return whether a folder is a campaign or a study."""
    return any(os.path.isfile(folder / x) for x in MAIN)


def is_study(path: Path) -> bool:
    """Return whether this is a study, as a folder or a zip file."""
    if not is_archive(path):
        return os.path.isfile(path / STUDY)
    with contextlib.suppress(WrongRuns):
        return bool(_read_bytes(path / STUDY))
    return False


def read_study(folder: str | Path) -> tuple[StudyPlan, dict[str, Path]]:
    """Read `study.json`, and return it with the folder of each network's campaign.

    `WrongRuns` if a file is wrong, or if a campaign is missing or not of this study.
    """
    path = Path(folder) / STUDY
    content = _read_json(path)
    networks = content["networks"]
    for number, names in enumerate(content["order"]):
        if sorted(names) != sorted(networks):
            what = f"found {', '.join(names)}, expected {', '.join(networks)}"
            raise _wrong(path, f"{what} in some order", f"order[{number}]")
    order = tuple(map(tuple, content["order"]))
    study = _made(StudyPlan, content | {"networks": tuple(networks), "order": order})
    campaigns = {x: path.parent / campaign_of(study.study, x) for x in networks}
    for network, place in campaigns.items():
        try:
            plan = read_plan(place)
        except _Missing:
            what = f"the campaign {place.name} of the network {network!r} is missing"
            raise _wrong(path, what) from None
        if (plan.network, len(plan.order)) != (network, len(order)):
            what = f"found {len(plan.order)} blocks of the network {plan.network!r}"
            what += f", but {STUDY} has {len(order)} of {network!r}"
            raise _wrong(place / PLAN, what)
    return study, campaigns


def read_machine(folder: str | Path) -> dict[str, Any]:
    """Read `machine.json`; `WrongRuns` if it is missing or names no machine.

    Every key except `id` may be missing; data/timings/README.md lists them. All
    values have the right type.
    """
    return _read_json(Path(folder) / MACHINE)


def read_end(folder: str | Path) -> dict[str, Any] | None:
    """Read `end.json`; None if it does not exist, `WrongRuns` if it is wrong.

    Every key except `complete` may be missing.
    """
    try:
        return _read_json(Path(folder) / END)
    except _Missing:
        return None


def is_finished(folder: str | Path) -> bool:
    """Return whether a campaign has ended as planned."""
    try:
        end = read_end(folder)
    except WrongRuns:
        return False
    return end is not None and end["complete"]


def repair(folder: Path) -> bool:
    """Remove an incomplete last line of `runs.csv`, and return whether there was one.

    A file from before some columns existed gets them, for the rows that will follow.
    Such a line was being written when the process was killed or the power failed.
    Raises `WrongRuns` if this is not a `runs.csv`.
    """
    runs = _Runs(folder)
    whole = "".join(f"{line}\n" for line in runs.lines).encode()
    if whole != (folder / RUNS).read_bytes():
        files.write_whole(folder / RUNS, whole)
    if tuple(runs.names) != COLUMNS:
        write_rows(folder, read_rows(folder))
    return runs.cut_off


def events(folder: Path) -> list[dict[str, Any]]:
    """Return the campaign's log, without lines that cannot be read."""
    try:
        lines = _read_bytes(folder / EVENTS).splitlines()
    except _Missing:
        return []
    found = []
    for line in lines:
        with contextlib.suppress(ValueError, RecursionError):
            found.append(json.loads(line))
    return [x for x in found if isinstance(x, dict)]


# --- runs.csv, read


def read_table(folder: str | Path) -> pd.DataFrame:
    """Return the runs of a campaign; each row is checked, also against the plan.

    There is a row per run, with `COLUMNS`. Lists are tuples of float, with one
    number per epoch, or `()` if nothing was measured. Numbers that were not measured
    are NaN. `exit_code` is Int64, `started` is a time in UTC, and campaign, arm,
    device, state, network, backend and the two states of a GPU are categories. Texts
    that an older file lacks are "". `WrongRuns` has file, line and column of all
    problems that the first failing check found. An incomplete last line is left
    out, and `attrs["cut_off"]` is then true.
    """
    runs = _Runs(Path(folder))
    table = runs.table()
    table.attrs["cut_off"] = runs.cut_off
    return table


def read_rows(folder: str | Path) -> list[dict[str, Any]]:
    """Return the runs of a campaign as dictionaries. None means not measured."""
    runs = _Runs(Path(folder))
    table = runs.table().astype(object)
    table["started"] = runs.text["started"]
    return table.where(table.notna(), None).to_dict("records")


class _Runs:
    """The rows of one file. The first check that fails raises an error.

    `lines` are the complete lines. `cut_off` is true if the last one was incomplete.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / RUNS
        self.plan = read_plan(folder)
        self.lines, ended = _lines(self.path, _read_bytes(self.path))
        self.names = self._header(self.lines[0])
        self.cut_off = not ended and not self._can_be_read(self.lines[1:][-1:])
        if self.cut_off:
            self.lines.pop()
        self._read(self.lines[1:])

    def table(self) -> pd.DataFrame:
        table = pd.DataFrame({name: self._column(name) for name in COLUMNS})
        # Check the plan first, because the length of all lists depends on it.
        self._check_plan(table)
        self._check_states(table)
        self._check_losses(table)
        return table

    def _check(self, good: Any, column: str, expected: str) -> None:
        """Raise `WrongRuns` with the rows that are not good, if there are any."""
        problems = []
        for row in np.flatnonzero(~np.asarray(good, dtype=bool))[:MOST_PROBLEMS]:
            what = f"found {self.text[column][row][:40]!r}, expected {expected}"
            # Each row is one line, after the header.
            problems.append(Problem(self.path, int(row) + 2, column, what))
        if problems:
            raise WrongRuns(problems)

    # --- the columns

    def _header(self, line: str) -> list[str]:
        """Return the names of the columns."""
        names = _fields(line) or [line]
        if twice := [x for x in names if names.count(x) > 1]:
            what = f"found the column {twice[0]!r} twice, expected it once"
        elif tuple(names[: len(REQUIRED)]) == REQUIRED:
            return names
        else:
            what = f"found {line[:100]!r}, expected {','.join(REQUIRED)}"
            if separators := {";", "\t"} & set(line):
                what = f"the fields are separated by {separators.pop()!r}, expected ','"
                what += "; use the file as it was before a spreadsheet saved it"
        raise _wrong(self.path, what, line=1)

    def _read(self, lines: Sequence[str]) -> None:
        """Split the lines into the fields of each column."""
        # The name "" stands for the whole row as it is in the file.
        self.text: dict[str, Sequence[str]] = {"": lines}
        count = len(self.names)
        rows = [_fields(line) for line in lines]
        good = [x is not None and len(x) == count for x in rows]
        self._check(good, "", f"{count} fields")
        columns = zip(*rows, strict=True) if rows else [()] * count
        self.text |= dict.fromkeys(NEW_TEXTS, [""] * len(rows))
        self.text |= dict(zip(self.names, columns, strict=True))

    def _can_be_read(self, lines: Sequence[str]) -> bool:
        """Return whether all fields are there, and each fits its column."""
        try:
            self._read(lines)
            for name in COLUMNS:
                self._column(name)
        except WrongRuns:
            return False
        return True

    def _column(self, name: str) -> Any:
        if name in LIMITS and name not in REQUIRED and not any(self.text.get(name, ())):
            # An older file, or nothing was measured.
            return np.full(len(self.text["run"]), np.nan)
        if name in EPOCH_COLUMNS:
            return self._lists(name)
        if name in LIMITS:
            return self._numbers(name)
        if name == "started":
            return self._times()
        if name in ("message", "gpu"):
            return np.array(self.text[name], dtype=object)
        known = {
            "arm": ARMS,
            "device": DEVICES,
            "state": STATES,
            "network": (self.plan.network,),
            "backend": ("", *BACKENDS),
            **dict.fromkeys(
                ("gpu_state_before", "gpu_state_after"), ("", *POWER_STATES)
            ),
        }
        allowed = known.get(name, (self.plan.campaign,))
        words = pd.Categorical(self.text[name], categories=allowed)
        self._check(words.codes >= 0, name, f"one of {', '.join(allowed)}")
        return words

    def _numbers(self, name: str) -> Any:
        low, high = LIMITS[name]
        values = np.array([_number_in(x) for x in self.text[name]], dtype=float)
        good = (values >= low) & (values <= high)
        expected = f"a number from {low:g} to {high:g}"
        if name.endswith("_seconds"):
            good &= (values == 0) | (abs(values) >= RESOLUTION)
            expected += f", 0 or at least {RESOLUTION:g}"
        if name in WHOLE:
            good &= np.floor(values) == values
            expected = f"a whole number from {low} to {high}"
        if name not in NEVER_MISSING:
            good |= np.array(self.text[name], dtype=object) == ""
            expected += ", or ''"
        self._check(good, name, expected)
        if name == "exit_code":
            return pd.Series(values).astype("Int64")
        return values.astype(np.int64) if name in NEVER_MISSING else values

    def _times(self) -> pd.Series:
        texts = [x if STARTED.fullmatch(x) else None for x in self.text["started"]]
        times = pd.Series(texts, dtype=object)
        times = pd.to_datetime(times, format="ISO8601", utc=True, errors="coerce")
        expected = "a time in UTC such as 2026-11-22T09:30:00.000Z"
        self._check(times.notna(), "started", expected)
        return times

    def _lists(self, name: str) -> pd.Series:
        texts = self.text[name]
        expected, limits = "numbers joined by ';'", LIMITS.get(name)
        if limits:
            expected += " from {:g} to {:g}".format(*limits)
        # Runs of a block have the same losses, so read each different text once.
        lists = {x: _list(x, limits) for x in dict.fromkeys(texts)}
        found = [lists[x] for x in texts]
        self._check([x is not None for x in found], name, expected)
        return pd.Series(found, dtype=object)

    # --- the rows

    def _check_plan(self, table: pd.DataFrame) -> None:
        in_order = table["run"].diff().fillna(1) > 0
        self._check(in_order, "run", "a number above that of the run before")
        for name in ("device", "backend"):
            planned = getattr(self.plan, name)
            good = table[name].astype(object).isin(["", planned])
            self._check(good, name, f"{planned}, as in {PLAN}")
        place = ["block", "position"]
        plan = pd.DataFrame(
            [
                self.plan.parameters(x) | {"block": x.block, "position": p, "arm": arm}
                for x in self.plan.order
                for p, arm in enumerate(x.arms, 1)
            ],
            columns=[*place, "arm", "seed", "epochs", "batch_size"],
        )
        planned = table[place].merge(plan, how="left")
        good = planned["seed"].notna()
        self._check(good, "position", f"a position that {PLAN} has in this block")
        for name in ("arm", "seed", "epochs", "batch_size"):
            mine, theirs = table[name].astype(object), planned[name]
            good = (mine == theirs) | (mine.isna() & theirs.isna())
            self._check(good, name, f"what {PLAN} has for this place")
        # Each place runs once, except that interrupted runs are repeated.
        counted = table.loc[table["state"] != "interrupted", place]
        again = counted.index[counted.duplicated()]
        good = ~table.index.isin(again)
        self._check(
            good, "position", "a position of this block that no earlier run has"
        )

    def _check_states(self, table: pd.DataFrame) -> None:
        incomplete = ~table["state"].isin(COMPLETE)
        for name in ("process_seconds", *STAGE_COLUMNS):
            good = incomplete | table[name].notna()
            self._check(good, name, "a number in a complete run")
        good = incomplete | (table["exit_code"].fillna(-1) == 0)
        self._check(good, "exit_code", "0 in a complete run")
        epochs = table["epochs"]
        for name in EPOCH_COLUMNS:
            counts = table[name].map(len)
            good = (counts == epochs) | (incomplete & (counts <= epochs))
            # A program may have no accuracy and no validation data. Without Keras
            # there are no times of epochs.
            if name != "loss":
                good |= counts == 0
            self._check(good, name, "as many numbers as epochs")
        # A whole is at least the sum of its parts. Two clocks measure them, and they
        # may drift apart (drift_allowed()). A clock that did not run shows 0: such a
        # run can be read, and the verdict says that it leaves it out.
        wholes = {
            "process_seconds": ("stages", table[[*STAGE_COLUMNS]].sum(axis=1)),
            "fit_seconds": ("epochs", table["epoch_seconds"].map(sum)),
        }
        for name, (parts, total) in wholes.items():
            good = incomplete | (table[name] == 0)
            good |= total <= table[name] * 1.001 + 0.06
            self._check(good, name, f"at least the sum of the {parts}")

    def _check_losses(self, table: pd.DataFrame) -> None:
        """Check that the state of each run agrees with its losses."""
        runs = table.loc[table["state"].isin(COMPLETE), ["block", "arm", "state"]]
        # Compare with the block's run of the first arm, or else with its first run.
        order = runs.sort_values("arm", key=lambda x: x != FIRST_ARM, kind="stable")
        first = order.drop_duplicates("block")
        other = runs["block"].map(pd.Series(first.index, first["block"]))
        same = np.ones(len(runs), dtype=bool)
        for name in ("loss", "val_loss"):
            # Compare texts, because NaN is not equal to itself.
            losses = np.array(self.text[name], dtype=object)
            same &= losses[runs.index] == losses[other]
        good = np.ones(len(table), dtype=bool)
        good[runs.index] = same == (runs["state"] == "ok")
        what = f"ok if the losses are those of the {FIRST_ARM} run in its block"
        what += ", else wrong-loss"
        self._check(good, "state", what)


def _lines(path: Path, data: bytes) -> tuple[list[str], bool]:
    """Return the lines up to the last one with text, and whether that is complete."""
    body = data.rstrip()
    ended = b"\n" in data[len(body) :]
    body = body.removeprefix(codecs.BOM_UTF8).replace(b"\r\n", b"\n")
    if not body.strip(b"\0"):
        raise _wrong(path, "the file is empty or contains only zero bytes")
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or 0 in body[:2]:
        raise _wrong(path, "the file is in UTF-16, expected UTF-8; save it as UTF-8")
    what, place = "", body.find(b"\r")
    if place >= 0:
        what = "the line ends with CR, expected LF or CR LF; save it with those"
    try:
        text = body.decode()
    except UnicodeDecodeError as problem:
        # The last line may be cut off in the middle of a character.
        text = body.decode(errors="replace")
        if ended or b"\n" in body[problem.start :]:
            place = problem.start
            what = f"found the byte 0x{body[place]:x}, expected UTF-8; save it as UTF-8"
    if what:
        raise _wrong(path, what, line=body.count(b"\n", 0, place) + 1)
    return text.split("\n"), ended


def _fields(line: str) -> list[str] | None:
    """Return the fields of a line; None if a quotation mark is wrong."""
    try:
        # Most lines have no quotation marks, and split() takes a third of the time.
        return next(csv.reader([line], strict=True)) if '"' in line else line.split(",")
    except csv.Error:
        return None


# Python's float() accepts more: "1_000", "infinity", " 1", digits of other scripts. A
# set of characters is much faster here than a regular expression of a number.
_IN_NUMBERS = frozenset("0123456789+-.eEinfaINFA;")


def _number_in(text: str) -> float | None:
    try:
        return float(text) if _IN_NUMBERS.issuperset(text) else None
    except ValueError:
        return None


def _list(text: str, limits: tuple[float, float] | None) -> tuple[float, ...] | None:
    """Read numbers joined by ";"; None if they are wrong or beyond the limits."""
    if not text:
        return ()
    try:
        found = tuple(map(float, text.split(";")))
    except ValueError:
        return None
    if limits:
        low, high = limits
        # NaN, which a loss may be, is not between any limits.
        if not all(low <= x <= high for x in found):
            return None
    return found if _IN_NUMBERS.issuperset(text) else None
