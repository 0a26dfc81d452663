"""How a campaign looks on disk, for reading and for writing.

A campaign is a folder, or for reading a zip file of such a folder.
`data/timings/README.md` describes its files for people. Every function here
that reads checks what it reads: files may come from a stranger.
"""

from __future__ import annotations

import csv
import errno
import io
import json
import math
import os
import re
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd

from ..common import files
from ..common.archives import BadArchive, is_archive, open_archive
from ..common.errors import Sentence, printable

VERSION = 1
"""Of `plan.json` and everything beside it."""

PLAN = "plan.json"
MACHINE = "machine.json"
RUNS = "runs.csv"
END = "end.json"
EVENTS = "events.jsonl"

SHARED = (PLAN, MACHINE, RUNS, END)
"""What an analysis needs, and all that is shared."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
"""What a campaign or a machine may be called; a campaign's is its folder's."""

# "python-again" is the Python program once more, the control: its ratio to
# "python" shows how much two equal programs differ.
ARMS = ("python", "r", "python-again", "rpy2")
# The other runs of a block must reproduce the losses of this arm's.
FIRST_ARM = "python"
DEVICES = ("cpu", "gpu")

# ok           ended properly, with the losses of its block
# crashed      ended by itself, but not properly
# timeout      did not end in time and was stopped
# wrong-loss   ended properly, with other losses than the "python" run of its
#              block
# interrupted  was not measured because of something outside (killed, power
#              off, clock set); its place in the plan is run again
STATES = ("ok", "crashed", "timeout", "wrong-loss", "interrupted")
# These ended properly, so all their clocks were read.
COMPLETE = ("ok", "wrong-loss")

# The stages of a program, in the order in which they run; "start" lasts from
# the start of the process to the first line of the program.
STAGE_COLUMNS = (
    "start_seconds",
    "import_seconds",
    "data_seconds",
    "build_seconds",
    "fit_seconds",
)
# One number per epoch, joined by ";".
EPOCH_COLUMNS = ("epoch_seconds", "loss", "accuracy", "val_loss", "val_accuracy")

COLUMNS = (
    "campaign",
    "run",
    "block",
    "position",
    "arm",
    "device",
    "seed",
    "epochs",
    "state",
    "exit_code",
    "started",
    "process_seconds",
    *STAGE_COLUMNS,
    *EPOCH_COLUMNS,
    "cpu_seconds",
    "peak_memory_mb",
    "load_before",
    "message",
    "clock_drift_seconds",
)
# Older files lack the columns after these.
REQUIRED = COLUMNS[: COLUMNS.index("message") + 1]

# The least and the most that a whole number may be.
WHOLE = {
    "run": (1, 2**31),
    "block": (0, 2**31),
    "position": (1, len(ARMS)),
    "seed": (0, 2**31 - 1),
    "epochs": (1, 100_000),
}
# 30 days: a column in milliseconds is noticed.
MOST_SECONDS = 30 * 86400.0
# The same for real numbers, which may be missing.
REAL = {
    "process_seconds": (0.0, MOST_SECONDS),
    **dict.fromkeys(STAGE_COLUMNS, (0.0, MOST_SECONDS)),
    "cpu_seconds": (0.0, 1000 * MOST_SECONDS),
    "peak_memory_mb": (0.0, 1e8),
    "load_before": (0.0, 1e5),
    # Clocks may be set back by years.
    "clock_drift_seconds": (-1e10, 1e10),
}
# The same for each number of a list; a loss may be anything, NaN included.
LISTED = {
    "epoch_seconds": (0.0, MOST_SECONDS),
    "accuracy": (0.0, 1.0),
    "val_accuracy": (0.0, 1.0),
}
EXIT_CODES = (-64, 255)
STARTED = re.compile(
    r"20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|\+00:00)"
)

INTERVAL = "95 % interval of the mean log ratio of the blocks (paired log-t)"
SEQUENTIAL = "fixed-width sequential design"
LEAST_BLOCKS = 10
"""How many blocks a sequential campaign has before it looks at its interval."""

# Bytes of a file that somebody hands in: 3,500 rows of ten epochs, 10,000
# blocks. A small zip file could promise a thousand times as much.
MOST_SHARED = {RUNS: 5_000_000, PLAN: 1_000_000, MACHINE: 1_000_000, END: 1_000_000}
# Of a file in a folder.
MOST_BYTES = 200_000_000
MOST_ENTRIES = 1000
# Objects within objects: machine.json needs 4.
MOST_DEPTH = 20
# Of one kind; a file may have a wrong number in every line.
MOST_PROBLEMS = 1000
# How many a message lists before it only counts them.
SHOWN = 10


@dataclass(frozen=True)
class Block:
    """One run of every arm; `arms` in the order in which they run."""

    block: int
    seed: int
    arms: tuple[str, ...]


@dataclass(frozen=True)
class Precision:
    """When a sequential campaign has seen enough.

    Attributes
    ----------
    half_width
        The campaign ends after the first block at which the interval's upper
        limit is at most this much above its estimate, relatively: for 0.02
        and a ratio of 1.10, at 1.122.
    quantity
        What the interval is about.
    """

    half_width: float
    quantity: str
    interval: str = INTERVAL
    rule: str = SEQUENTIAL
    least_blocks: int = LEAST_BLOCKS


@dataclass(frozen=True)
class Plan:
    """`plan.json`; data/timings/README.md describes its keys."""

    campaign: str
    created: str
    design: str
    device: str
    arms: tuple[str, ...]
    epochs: int
    seed: int
    blocks: int
    precision: Precision | None
    budget_minutes: float | None
    timeout_seconds: float
    notebook: str
    notebook_sha256: str
    programs: dict[str, str]
    order: tuple[Block, ...]
    schema: int = VERSION

    def places(self) -> list[tuple[Block, int]]:
        """Every place of the plan, in order: its block and its position."""
        return [
            (block, position)
            for block in self.order
            for position in range(1, len(block.arms) + 1)
        ]

    def pair(self) -> tuple[str, str] | None:
        """The two arms whose ratio is shown; None if there is only one arm."""
        if "r" in self.arms and "python" in self.arms:
            return "r", "python"
        return (self.arms[-1], self.arms[0]) if len(self.arms) > 1 else None

    def as_text(self) -> str:
        """JSON, with a line for each block."""
        content = asdict(self)
        order = content.pop("order")
        head = json.dumps(content, indent=1, ensure_ascii=False)
        blocks = ",\n  ".join(json.dumps(block) for block in order)
        return head[:-2] + f',\n "order": [\n  {blocks}\n ]\n}}\n'


@dataclass(frozen=True)
class Problem:
    """Something wrong at one place of a file.

    `line` counts from 1, the header being line 1; `None` if the whole file
    is meant.
    """

    file: Path
    line: int | None
    column: str
    what: str

    def __str__(self) -> str:
        place = str(self.file)
        if self.line is not None:
            place += f", line {self.line}"
        if self.column:
            place += f", column {self.column}"
        return printable(f"{place}: {self.what}", 1000)


class WrongRuns(Sentence, ValueError):
    """A file of a campaign that is not as it should be.

    `problems` holds every place; the message lists the first ones.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        shown = [str(problem) for problem in self.problems[:SHOWN]]
        more = len(self.problems) - SHOWN
        if more > 0:
            shown.append(f"... and {more} more")
        super().__init__("\n".join(shown))


class CutOff(UserWarning):
    """The last line of a file is incomplete; it is left out."""


def now() -> str:
    """The time in UTC, ISO 8601, to the millisecond."""
    return as_time(datetime.now(UTC).timestamp())


def as_time(seconds: float) -> str:
    """Seconds since 1970 as a time in UTC, ISO 8601."""
    time = datetime.fromtimestamp(seconds, UTC)
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


# --- bytes


def read_bytes(path: Path) -> bytes:
    """A file of a campaign, `path.parent` being its folder or zip file.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    WrongRuns
        If it cannot be read, is not an ordinary file, is larger than such a
        file can be, or the zip file is damaged or has several campaigns in it.
    """
    try:
        if is_archive(path.parent):
            return _unpacked(path)
        return files.read_at_most(path, MOST_BYTES)
    except (FileNotFoundError, NotADirectoryError) as problem:
        raise FileNotFoundError(errno.ENOENT, "the file is missing", path) from problem
    except BadArchive as problem:
        raise _wrong(path.parent, str(problem)) from problem
    except (files.NotAFile, files.TooLarge) as problem:
        what = str(problem).removeprefix(f"{printable(path)} ")
        raise _wrong(path, what) from problem
    except OSError as problem:
        raise _wrong(path, f"it cannot be read ({problem.strerror})") from problem


def _unpacked(path: Path) -> bytes:
    name = "the zip file"
    with open_archive(path.parent, name=name, most_entries=MOST_ENTRIES) as archive:
        places = [PurePosixPath(x) for x in archive.members]
        # A Mac adds a folder of its own to what it packs.
        campaigns = [
            x.parent for x in places if x.name == RUNS and "__MACOSX" not in x.parts
        ]
        if len(campaigns) != 1:
            what = f"{len(campaigns)} files {RUNS} in it, expected one"
            raise _wrong(path.parent, what)
        try:
            name = str(campaigns[0] / path.name)
            return archive.read(name, MOST_SHARED[path.name])
        except KeyError:
            raise FileNotFoundError from None


def _wrong(path: Path, what: str) -> WrongRuns:
    return WrongRuns([Problem(path, None, "", what)])


# --- plan.json, machine.json, end.json

# Characters that no text of ours has: a terminal obeys the first ones, and
# the others cannot be written in UTF-8.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def _read_json(path: Path) -> dict[str, Any]:
    """An object whose numbers and texts can all be used and written."""
    try:
        found = json.loads(read_bytes(path))
        what = _unusable(found)
    except FileNotFoundError as problem:
        what = str(problem.strerror)
    except WrongRuns:
        raise
    except (ValueError, RecursionError) as problem:
        what = f"the file cannot be read as JSON ({problem})"
    else:
        if isinstance(found, dict) and not what:
            return found
        what = what or f"found a {type(found).__name__}, expected an object"
    raise _wrong(path, what)


def _unusable(value: Any) -> str:
    """What makes a JSON value unusable, "" if nothing does."""
    left = [(value, 1)]
    while left:
        value, depth = left.pop()
        if isinstance(value, dict):
            left += [(x, depth + 1) for pair in value.items() for x in pair]
        elif isinstance(value, list):
            left += [(x, depth + 1) for x in value]
        elif isinstance(value, str) and _FORBIDDEN.search(value):
            return f"the text {ascii(value)[:60]} has characters that no text has"
        elif isinstance(value, float) and not math.isfinite(value):
            return "a number is infinite or not a number"
        elif isinstance(value, int) and abs(value) >= 2**63:
            return "a number has more than 18 digits"
        if depth > MOST_DEPTH:
            return f"more than {MOST_DEPTH} levels of objects within objects"
    return ""


def _tidy(value: Any) -> Any:
    """The same without what `_unusable()` refuses in texts."""
    if isinstance(value, Mapping):
        return {_tidy(k): _tidy(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_tidy(x) for x in value]
    return _FORBIDDEN.sub("", value) if isinstance(value, str) else value


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    text = json.dumps(_tidy(content), indent=1, ensure_ascii=False)
    files.write_whole(path, text + "\n")


Rule = tuple[str, Callable[[Any], bool]]
"""What is expected, in words, and the test of it."""

_TEXT: Rule = ("a text", lambda x: isinstance(x, str))
_TEXTS: Rule = (
    "a list of texts",
    lambda x: isinstance(x, list) and all(isinstance(y, str) for y in x),
)
_OBJECT: Rule = ("an object", lambda x: isinstance(x, dict))
_NAME: Rule = (
    "a name of letters, digits, '.', '_' and '-'",
    lambda x: isinstance(x, str) and NAME.fullmatch(x) is not None,
)
_TRUTH: Rule = ("true or false", lambda x: isinstance(x, bool))


def _one_of(values: Sequence[str]) -> Rule:
    return f"one of {', '.join(values)}", lambda x: isinstance(x, str) and x in values


def _whole(low: int, high: int) -> Rule:
    # Python's True is an int.
    return (
        f"a whole number from {low} to {high}",
        lambda x: type(x) is int and low <= x <= high,
    )


def _number(low: float, high: float) -> Rule:
    return (
        f"a number from {low:g} to {high:g}",
        lambda x: type(x) in (int, float) and low <= x <= high,
    )


def _or_null(rule: Rule) -> Rule:
    return f"{rule[0]}, or null", lambda x: x is None or rule[1](x)


_ARMS: Rule = (
    f"some of {', '.join(ARMS)}, each once",
    lambda x: (
        _TEXTS[1](x) and len(x) > 0 and set(x) <= set(ARMS) and len(set(x)) == len(x)
    ),
)


class _Fields:
    """Takes checked values out of an object and notes what is wrong."""

    def __init__(self, path: Path, content: dict[str, Any], prefix: str = "") -> None:
        self.path, self.content, self.prefix = path, content, prefix
        self.problems: list[Problem] = []

    def take(self, name: str, rule: Rule, *default: Any) -> Any:
        """A value; without a default it has to be there."""
        expected, is_good = rule
        if name not in self.content:
            if default:
                return default[0]
            self.note(name, f"found nothing, expected {expected}")
        elif is_good(value := self.content[name]):
            return value
        else:
            self.note(name, f"found {ascii(value)[:60]}, expected {expected}")
        return None

    def note(self, name: str, what: str) -> None:
        self.problems.append(Problem(self.path, None, self.prefix + name, what))

    def check(self) -> None:
        """Raise `WrongRuns` if anything was wrong."""
        if self.problems:
            raise WrongRuns(self.problems)


def read_plan(folder: str | Path) -> Plan:
    """`plan.json`; `WrongRuns` if it is missing or is no plan.

    What the rows are not checked against may be missing.
    """
    path = Path(folder) / PLAN
    fields = _Fields(path, _read_json(path))
    take = fields.take
    version = take("schema", _whole(1, 10**6), VERSION)
    if version and version > VERSION:
        words = f"found {version}, expected {VERSION} or less; a later version of"
        fields.note("schema", f"{words} this project wrote it: update yours")
    fields.check()
    arms, order = take("arms", _ARMS), take("order", ("a list", _is_filled_list))
    minutes = _number(1e-9, 1e9)
    plan = {
        "campaign": take("campaign", _NAME),
        "created": take("created", _TEXT, ""),
        "design": take("design", _TEXT, ""),
        "device": take("device", _one_of(DEVICES)),
        "epochs": take("epochs", _whole(*WHOLE["epochs"])),
        # Only the order of a new plan depends on it.
        "seed": take("seed", _whole(-(2**63), 2**63 - 1), 0),
        "blocks": take("blocks", _whole(0, 10**6), len(order or "x") - 1),
        "budget_minutes": take("budget_minutes", _or_null(minutes), None),
        "timeout_seconds": take("timeout_seconds", _number(1e-9, 1e9), 3600.0),
        "notebook": take("notebook", _TEXT, ""),
        "notebook_sha256": take("notebook_sha256", _TEXT, ""),
        "programs": take("programs", _HASHES, {}),
    }
    rule = take("precision", _or_null(_OBJECT), None)
    fields.check()
    blocks = [_block(x, number, arms) for number, x in enumerate(order)]
    if None in blocks:
        number = blocks.index(None)
        what = f"found {ascii(order[number])[:80]}, expected block {number} with a seed"
        fields.note("order", f"{what} and the arms {', '.join(arms)}")
    if plan["blocks"] != len(order) - 1:
        what = f"found {plan['blocks']}, but the order has {len(order) - 1}"
        fields.note("blocks", f"{what} after the warm-up")
    fields.check()
    return Plan(
        **plan,
        arms=tuple(arms),
        order=tuple(blocks),
        precision=None if rule is None else _precision(path, rule),
    )


def _is_filled_list(value: Any) -> bool:
    return isinstance(value, list) and len(value) > 0


_HASHES: Rule = (
    "a hash for each language",
    lambda x: isinstance(x, dict) and all(isinstance(y, str) for y in x.values()),
)


def _block(content: Any, number: int, arms: list[str]) -> Block | None:
    """The block of this number, None if that is something else."""
    match content:
        case {"block": block, "seed": seed, "arms": list(order)}:
            good = type(block) is int and block == number
            good = good and _whole(*WHOLE["seed"])[1](seed)
            # `in` compares whatever it finds; sorting would not.
            good = good and len(order) == len(arms) and all(x in order for x in arms)
            return Block(block, seed, tuple(order)) if good else None
    return None


def _precision(path: Path, content: dict[str, Any]) -> Precision:
    fields = _Fields(path, content, "precision.")
    rule = Precision(
        fields.take("half_width", _number(1e-9, 1e3)),
        fields.take("quantity", _TEXT),
        fields.take("interval", _TEXT, INTERVAL),
        fields.take("rule", _TEXT, SEQUENTIAL),
        fields.take("least_blocks", _whole(1, 10**6), LEAST_BLOCKS),
    )
    fields.check()
    return rule


def write_plan(folder: Path, plan: Plan) -> None:
    """Write `plan.json`."""
    files.write_whole(folder / PLAN, plan.as_text())


_PARTS: Rule = (
    "an object of objects",
    lambda x: isinstance(x, dict) and all(isinstance(y, dict) for y in x.values()),
)
_GPUS: Rule = (
    "a list of objects",
    lambda x: isinstance(x, list) and all(isinstance(y, dict) for y in x),
)
# What is used of machine.json, all of it but the id optional.
_MACHINE_RULES: dict[str, Rule] = {
    "boot": _TEXT,
    "cpu": _OBJECT,
    "memory_gb": _or_null(_number(0, 1e9)),
    "gpu": _GPUS,
    "system": _OBJECT,
    "arms": _PARTS,
    "data": _TEXT,
    "busy": _TEXTS,
}


def read_machine(folder: str | Path) -> dict[str, Any]:
    """`machine.json`; `WrongRuns` if it is missing or names no machine.

    Everything but `id` may be missing; data/timings/README.md says what there
    is. What is there is of the right type.
    """
    path = Path(folder) / MACHINE
    content = _read_json(path)
    fields = _Fields(path, content)
    fields.take("id", _NAME)
    for name, rule in _MACHINE_RULES.items():
        fields.take(name, rule, None)
    fields.check()
    return content


def write_machine(folder: Path, machine: Mapping[str, Any]) -> None:
    """Write `machine.json`."""
    _write_json(folder / MACHINE, machine)


def read_end(folder: str | Path) -> dict[str, Any] | None:
    """`end.json`; None if it is not there, `WrongRuns` if it is no end.

    Everything but `complete` may be missing.
    """
    path = Path(folder) / END
    try:
        read_bytes(path)
    except FileNotFoundError:
        return None
    content = _read_json(path)
    fields = _Fields(path, content)
    fields.take("complete", _TRUTH)
    fields.take("reason", _TEXT, "")
    fields.take("disturbed", _TEXTS, [])
    overhead = fields.take("overhead", _OBJECT, {})
    fields.check()
    if overhead:
        inner = _Fields(path, overhead, "overhead.")
        inner.take("seconds", _number(0, 1e10))
        inner.take("share", _number(-1e10, 1))
        inner.check()
    return content


def write_end(folder: Path, end: Mapping[str, Any]) -> None:
    """Write `end.json`, without which a campaign is not finished."""
    _write_json(folder / END, end)


def is_finished(folder: str | Path) -> bool:
    """Whether a campaign came to the end of its plan."""
    try:
        end = read_end(folder)
    except WrongRuns:
        return False
    return end is not None and end["complete"]


# --- runs.csv, written


def row_text(row: Mapping[str, Any]) -> str:
    """A row as one line of `runs.csv`; reading it gives the same bits back."""
    fields = []
    for name in COLUMNS:
        value = row.get(name)
        if value is None:
            fields.append("")
        elif isinstance(value, tuple | list):
            fields.append(";".join(repr(float(number)) for number in value))
        elif isinstance(value, float):
            fields.append(repr(value))
        else:
            fields.append(printable(" ".join(str(value).split()), 10_000))
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(fields)
    return text.getvalue()


def table_text(rows: Iterable[Mapping[str, Any]]) -> str:
    """The whole of `runs.csv`."""
    return ",".join(COLUMNS) + "\n" + "".join(map(row_text, rows))


def start_rows(folder: Path) -> None:
    """Write a `runs.csv` without rows, which makes the folder a campaign.

    `plan.json` and `machine.json` have to be there already: whenever a
    campaign is killed, what has a `runs.csv` can be resumed.
    """
    for name in (PLAN, MACHINE):
        if not (folder / name).is_file():
            raise FileNotFoundError(errno.ENOENT, "has to be written first", name)
    write_rows(folder, ())


def write_rows(folder: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Replace `runs.csv`, which is always either the old or the new one."""
    files.write_whole(folder / RUNS, table_text(rows))


def append_row(folder: Path, row: Mapping[str, Any]) -> None:
    """Add a row to `runs.csv`; it is on the disk when this returns.

    Raises `DiskFull`, and leaves the file as it was, if there is no room.
    """
    _append(folder / RUNS, row_text(row))


def _append(path: Path, line: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_APPEND)
    try:
        size = os.fstat(handle).st_size
        data = line.encode()
        try:
            if os.write(handle, data) < len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(handle)
        except OSError as problem:
            os.ftruncate(handle, size)
            if problem.errno in files.FULL:
                raise files.full(path, problem) from problem
            raise
    finally:
        os.close(handle)


def repair(folder: Path) -> int:
    """Cut `runs.csv` back to its last whole line; how many bytes were lost.

    An incomplete line was being written when the process was killed or the
    power went off.
    """
    with (folder / RUNS).open("r+b") as file:
        data = file.read()
        kept = len(_whole_lines(data))
        # Without any whole line it is not ours; reading says so.
        if not kept or kept == len(data):
            return 0
        file.truncate(kept)
        os.fsync(file.fileno())
    return len(data) - kept


def _whole_lines(data: bytes) -> bytes:
    # After a power cut a file may end in zeros.
    whole = data.rstrip(b"\0")
    return whole[: whole.rfind(b"\n") + 1]


# --- events.jsonl


def note(folder: Path, what: str, **facts: Any) -> None:
    """Add a line to the campaign's log, `events.jsonl`."""
    path = folder / EVENTS
    line = json.dumps({"at": now(), "what": what, **facts}) + "\n"
    if not path.exists():
        files.write_whole(path, "")
    elif path.stat().st_size and not path.read_bytes().endswith(b"\n"):
        # The line before was cut off; this one must not become part of it.
        line = "\n" + line
    _append(path, line)


def events(folder: Path) -> list[dict[str, Any]]:
    """The campaign's log; lines that cannot be read are left out."""
    found = []
    try:
        lines = read_bytes(folder / EVENTS).splitlines()
    except FileNotFoundError:
        return []
    for line in lines:
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(event, dict):
            found.append(event)
    return found


# --- runs.csv, read


def read_table(folder: str | Path) -> pd.DataFrame:
    """The runs of a campaign, each row checked by itself and by the plan.

    Returns
    -------
    pandas.DataFrame
        A row per run with `COLUMNS`. Lists are tuples of float, one number per
        epoch, `()` where nothing was measured; numbers that were not measured
        are NaN, `exit_code` is Int64; `started` is a time in UTC; campaign,
        arm, device and state are categories.

    Raises
    ------
    WrongRuns
        With file, line and column of everything that is not as it should be.

    Warns
    -----
    CutOff
        If the last line is incomplete, which is left out.
    """
    folder = Path(folder)
    return _Runs(folder / RUNS, read_plan(folder)).table()


def read_rows(folder: str | Path) -> list[dict[str, Any]]:
    """The same as dictionaries, as they were written; None: not measured."""
    folder = Path(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CutOff)
        return _Runs(folder / RUNS, read_plan(folder)).rows()


class _Runs:
    """Reads the rows of one file and collects what is wrong with them."""

    def __init__(self, path: Path, plan: Plan) -> None:
        self.path = path
        self.plan = plan
        self.problems: list[Problem] = []
        try:
            data = read_bytes(path)
        except FileNotFoundError as problem:
            raise _wrong(path, str(problem.strerror)) from problem
        whole = _whole_lines(data)
        if len(whole) < len(data):
            warnings.warn(
                printable(
                    f"{path}: the last line is incomplete and is left out; "
                    "`python -m sidebyside.timing resume` removes it",
                    1000,
                ),
                CutOff,
                stacklevel=4,
            )
        self.text = self._read(whole)
        self.columns = self._columns()

    def table(self) -> pd.DataFrame:
        return pd.DataFrame(self.columns)

    def rows(self) -> list[dict[str, Any]]:
        columns = []
        for name in COLUMNS:
            values = self.columns[name]
            if name in REAL:
                values = [None if math.isnan(x) else x for x in values.tolist()]
            elif name == "exit_code":
                values = [None if x is pd.NA else int(x) for x in values]
            elif name in WHOLE or name in EPOCH_COLUMNS:
                values = values.tolist()
            else:
                values = self.text[name]
            columns.append(values)
        return [
            dict(zip(COLUMNS, row, strict=True)) for row in zip(*columns, strict=True)
        ]

    def _columns(self) -> dict[str, Any]:
        columns: dict[str, Any] = {}
        for name in COLUMNS:
            if name not in self.text:
                columns[name] = np.full(len(columns["run"]), np.nan)
            elif name in EPOCH_COLUMNS:
                columns[name] = self._lists(name)
            elif name in WHOLE:
                columns[name] = self._whole_numbers(name, *WHOLE[name])
            elif name in REAL:
                columns[name] = self._reals(name, *REAL[name])
            else:
                columns[name] = self._words(name)
            if len(self.problems) >= MOST_PROBLEMS:
                self._raise()
        self._raise()
        # The plan first: a wrong number of epochs makes all lists wrong.
        self._check_plan(columns)
        self._check_states(columns)
        self._raise()
        self._check_losses(columns)
        self._raise()
        return columns

    def _raise(self) -> None:
        if self.problems:
            raise WrongRuns(sorted(self.problems, key=lambda x: x.line or 0))

    def _wrong(self, bad: Any, column: str, expected: str) -> None:
        """Note the rows in which `bad` is true, with what was found there."""
        for row in np.flatnonzero(bad)[:MOST_PROBLEMS]:
            found = self.text[column][row]
            found = found if len(found) <= 40 else found[:37] + "..."
            self._note(row, column, f"found {found!r}, expected {expected}")

    def _note(self, row: int, column: str, what: str) -> None:
        # A row is a line, and the header is the first one.
        self.problems.append(Problem(self.path, int(row) + 2, column, what))

    # --- the text

    def _read(self, data: bytes) -> dict[str, Sequence[str]]:
        """The fields of each column."""
        header, _, body = data.partition(b"\n")
        columns = header[:10_000].decode("utf-8", "replace")
        columns = columns.lstrip("\ufeff").strip().split(",")
        expected = list(REQUIRED)
        if columns[: len(expected)] != expected or len(set(columns)) < len(columns):
            missing = [name for name in expected if name not in columns]
            if len(missing) == len(expected):
                what = f"found {columns[0][:40]!r}, expected a header"
            elif missing:
                what = f"no column {', '.join(missing)}"
            else:
                what = "the columns are in another order"
            what += f"; the columns are {','.join(expected)}"
            raise WrongRuns([Problem(self.path, 1, "", what)])
        width = len(columns)
        lines = body.split(b"\n")[:-1]
        # Before anything else: a short line takes much more memory than disk.
        for row, line in enumerate(lines):
            if (found := line.count(b",") + 1) < width:
                self._note(row, "", f"found {found} fields, expected {width}")
                if len(self.problems) == MOST_PROBLEMS:
                    break
        self._raise_some()
        try:
            text = body.decode().replace("\r\n", "\n").split("\n")[:-1]
        except UnicodeDecodeError as problem:
            row = body.count(b"\n", 0, problem.start)
            self._note(row, "", f"the line cannot be read ({problem})")
            self._raise()
        rows = self._rows(text)
        for row, fields in enumerate(rows):
            if len(fields) != width:
                self._note(row, "", f"found {len(fields)} fields, expected {width}")
        self._raise_some()
        found = dict(zip(columns, zip(*rows, strict=True), strict=False))
        return found or dict.fromkeys(columns, ())

    def _raise_some(self) -> None:
        del self.problems[MOST_PROBLEMS:]
        self._raise()

    def _rows(self, lines: list[str]) -> list[list[str]]:
        # Most lines have no quotes, and a split takes a third of the time.
        rows = [line.split(",") for line in lines]
        for row, line in enumerate(lines):
            if '"' not in line:
                continue
            try:
                rows[row] = next(csv.reader([line], strict=True))
            except csv.Error as problem:
                self._note(row, "", f"the line cannot be read ({problem})")
        self._raise_some()
        return rows

    # --- columns by kind

    def _whole_numbers(self, name: str, low: int, high: int) -> np.ndarray:
        values = _numbers(self.text[name])
        with np.errstate(invalid="ignore"):
            good = (values >= low) & (values <= high)
            good &= values == np.trunc(values)
        self._wrong(~good, name, f"a whole number from {low} to {high}")
        return np.where(good, values, 0).astype(np.int64)

    def _reals(self, name: str, low: float, high: float) -> np.ndarray:
        values = _numbers(self.text[name])
        with np.errstate(invalid="ignore"):
            good = _is_empty(self.text[name]) | ((values >= low) & (values <= high))
        self._wrong(~good, name, f"a number from {low:g} to {high:g}, or ''")
        return values

    def _words(self, name: str) -> Any:
        text = self.text[name]
        known = {
            "arm": ARMS,
            "device": DEVICES,
            "state": STATES,
            "campaign": (self.plan.campaign,),
        }
        if name == "exit_code":
            return self._exit_codes(text)
        if name == "started":
            return self._times(text)
        if name not in known:
            return np.array(text, dtype=object)
        words = pd.Categorical(text, categories=known[name])
        self._wrong(words.codes < 0, name, f"one of {', '.join(known[name])}")
        return words

    def _exit_codes(self, text: Sequence[str]) -> pd.Series:
        low, high = EXIT_CODES
        numbers = pd.Series(_numbers(text))
        good = numbers.between(low, high) & (numbers % 1 == 0)
        bad = ~_is_empty(text) & ~good.to_numpy()
        self._wrong(bad, "exit_code", f"a whole number from {low} to {high}, or ''")
        return numbers.where(~bad).astype("Int64")

    def _times(self, text: Sequence[str]) -> pd.Series:
        bad = np.array([STARTED.fullmatch(x) is None for x in text], bool)
        times = pd.to_datetime(
            pd.Series(text, dtype=object).where(~bad),
            format="ISO8601",
            utc=True,
            errors="coerce",
        )
        self._wrong(
            bad | times.isna().to_numpy(),
            "started",
            "a time in UTC such as 2026-11-22T09:30:00.000Z",
        )
        return times

    def _lists(self, name: str) -> np.ndarray:
        """Tuples of float, all lists of a column converted in one go.

        The runs of a block have the same losses, so each text is read once.
        """
        texts = self.text[name]
        unique = list(dict.fromkeys(texts))
        filled = [x for x in unique if x]
        numbers = _floats(";".join(filled).split(";"), _LIST) if filled else []
        if numbers is None:
            wrong = {x for x in filled if _floats(x.split(";"), _LIST) is None}
            bad = [x in wrong for x in texts]
            self._wrong(bad, name, "numbers joined by ';'")
            return np.full(len(texts), None)
        lists: dict[str, tuple[float, ...]] = {"": ()}
        start = 0
        for text in filled:
            end = start + text.count(";") + 1
            lists[text] = tuple(numbers[start:end])
            start = end
        if name in LISTED:
            low, high = LISTED[name]
            values = np.array(numbers, dtype=float)
            with np.errstate(invalid="ignore"):
                good = (values >= low) & (values <= high)
            if not good.all():
                outside = {
                    text
                    for text, list_ in lists.items()
                    if not all(low <= x <= high for x in list_)
                }
                bad = [x in outside for x in texts]
                self._wrong(bad, name, f"numbers from {low:g} to {high:g}")
        found = map(lists.__getitem__, texts)
        return np.fromiter(found, dtype=object, count=len(texts))

    # --- rows

    def _check_states(self, columns: dict[str, Any]) -> None:
        complete = np.isin(np.asarray(columns["state"]), COMPLETE)
        for name in ("process_seconds", *STAGE_COLUMNS):
            bad = complete & np.isnan(columns[name])
            self._wrong(bad, name, "a number in a complete run")
        code = columns["exit_code"].to_numpy(dtype=float, na_value=np.nan)
        self._wrong(complete & (code != 0), "exit_code", "0 in a complete run")
        epochs = columns["epochs"]
        for name in EPOCH_COLUMNS:
            counts = np.fromiter(map(len, columns[name]), np.int64)
            allowed = counts == epochs
            # Not every program has an accuracy, data to validate with, or
            # Keras, which stamps the epochs.
            if name != "loss":
                allowed |= counts == 0
            allowed |= ~complete & (counts <= epochs)
            for row in np.flatnonzero(~allowed)[:MOST_PROBLEMS]:
                expected = f"expected {epochs[row]}, one per epoch"
                self._note(row, name, f"found {counts[row]} numbers, {expected}")
        stages = np.sum([columns[x] for x in STAGE_COLUMNS], axis=0)
        with np.errstate(invalid="ignore"):
            # By two clocks, which may drift apart so far (drift_allowed()).
            bad = stages > columns["process_seconds"] * 1.001 + 0.06
        self._wrong(complete & bad, "process_seconds", "at least the sum of the stages")

    def _check_plan(self, columns: dict[str, Any]) -> None:
        run = columns["run"]
        again = pd.Series(run).duplicated().to_numpy()
        self._wrong(again, "run", "a number that no other run has")
        order = np.zeros(len(run), dtype=bool)
        order[1:] = (np.diff(run) < 0) & ~again[1:]
        self._wrong(order, "run", "a number above that of the run before")
        for name in ("device", "epochs"):
            planned = getattr(self.plan, name)
            bad = np.asarray(columns[name]) != planned
            self._wrong(bad, name, f"{planned}, as in {PLAN}")
        plan = self.plan.order
        width = len(self.plan.arms)
        block, position = columns["block"], columns["position"]
        unplanned = block >= len(plan)
        self._wrong(unplanned, "block", f"one of the {len(plan)} planned")
        wide = position > width
        self._wrong(wide, "position", f"a position from 1 to {width}")
        known = ~unplanned & ~wide
        arms = np.array([x.arms for x in plan])
        seeds = np.array([x.seed for x in plan], dtype=np.int64)
        b = np.where(known, block, 0)
        p = np.where(known, position - 1, 0)
        found = {
            "arm": (np.asarray(columns["arm"]).astype(str), arms[b, p]),
            "seed": (columns["seed"], seeds[b]),
        }
        for name, (measured, planned) in found.items():
            for row in np.flatnonzero(known & (measured != planned))[:MOST_PROBLEMS]:
                what = f"but {PLAN} has {planned[row]} at this place"
                self._note(row, name, f"found {measured[row]}, {what}")
        # What was interrupted is run again; everything else runs once.
        counts = np.asarray(columns["state"]) != "interrupted"
        place = np.where(known & counts, block * (width + 1) + position, -1)
        repeated = known & counts & pd.Series(place).duplicated().to_numpy()
        self._wrong(
            repeated, "position", "a place of its block that was not run before"
        )

    def _check_losses(self, columns: dict[str, Any]) -> None:
        """Whether the state of each run is what its losses say."""
        state = np.asarray(columns["state"])
        complete = np.flatnonzero(np.isin(state, COMPLETE))
        block = columns["block"][complete]
        arm = np.asarray(columns["arm"])[complete]
        # The yardstick of a block: its run of the first arm, else its first.
        order = np.lexsort((complete, arm != FIRST_ARM, block))
        blocks, first = np.unique(block[order], return_index=True)
        yardstick = complete[order][first][np.searchsorted(blocks, block)]
        same = np.ones(len(complete), dtype=bool)
        for name in ("loss", "val_loss"):
            same &= _same_bits(columns[name], complete, yardstick)
        wrong = np.flatnonzero(same != (state[complete] == "ok"))
        for number in wrong[:MOST_PROBLEMS]:
            row, other = int(complete[number]), int(yardstick[number])
            what = (
                f"found {state[row]}, but its losses are "
                f"{'' if same[number] else 'not '}those of run "
                f"{columns['run'][other]}, line {other + 2}"
            )
            self._note(row, "state", what)


def _same_bits(lists: np.ndarray, rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Whether the lists of some rows are those of others, bit for bit."""
    # Lists of the same text are one object.
    objects = np.fromiter(map(id, lists), dtype=np.int64, count=len(lists))
    same = objects[rows] == objects[others]
    for number in np.flatnonzero(~same):
        # By its text NaN equals itself.
        a, b = lists[rows[number]], lists[others[number]]
        same[number] = repr(a) == repr(b)
    return same


# Python's float() takes much more: "1_000", "infinity", " 1", digits of other
# scripts.
_NUMBER = re.compile(r"[0-9eE+.-]*")
_LIST = re.compile(r"[0-9eE+.;nainf-]*")


def _floats(texts: Sequence[str], allowed: re.Pattern[str]) -> list[float] | None:
    """All as numbers, None if one is none."""
    if not allowed.fullmatch("".join(texts)):
        return None
    try:
        return list(map(float, texts))
    except ValueError:
        return None


def _numbers(texts: Sequence[str]) -> np.ndarray:
    """Floats, NaN for what is none."""
    found = _floats([x or "nan" for x in texts], _LIST)
    if found is None or not _NUMBER.fullmatch("".join(texts)):
        found = [(_floats([x], _NUMBER) or [math.nan])[0] for x in texts]
    return np.array(found, dtype=float)


def _is_empty(texts: Sequence[str]) -> np.ndarray:
    return np.array([not text for text in texts], dtype=bool)
