"""How a campaign looks on disk: its files, columns and limits. Also writes the files.

A campaign is a folder. For reading it may also be a zip file of such a folder. A study
is a folder of campaigns with a `study.json`, or a zip file of such a folder. In it,
the path of a campaign is the file's path and the campaign's name.
`data/timings/README.md` describes its files for people. `reading.py` reads them.
"""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..common import files
from ..common.errors import Sentence, printable

VERSION = 1
"""Version of the format of `plan.json` and of the files beside it."""

PLAN = "plan.json"
MACHINE = "machine.json"
RUNS = "runs.csv"
END = "end.json"
EVENTS = "events.jsonl"
PROGRAMS = "programs.json"
STUDY = "study.json"

MAIN = (RUNS, STUDY)
"""The files that make a folder a campaign, or a study."""

SHARED = (PLAN, MACHINE, RUNS, END)
"""The files that an analysis needs. Only these are shared."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
"""Allowed names of campaigns and machines. A campaign has its folder's name."""

# "python-again" is the control, the Python program once more: its ratio to "python"
# shows how much the times of two equal programs differ.
ARMS = ("python", "r", "python-again", "rpy2")
# The other runs of a block must reproduce the losses of this arm's.
FIRST_ARM = "python"
DEVICES = ("cpu", "gpu")
BACKENDS = ("tensorflow", "jax", "torch")
# NVIDIA's names, from the fastest state to the one that saves most power.
POWER_STATES = tuple(f"P{number}" for number in range(16))

# ok           ended properly, with the same losses as its block
# crashed      ended by itself, but not properly
# timeout      did not end in time and was stopped
# wrong-loss   ended properly, but with other losses than the "python" run of its
#              block
# interrupted  could not be measured because of something outside the run (killed,
#              power off, clock set); its place in the plan is run again
STATES = ("ok", "crashed", "timeout", "wrong-loss", "interrupted")
# Runs that ended properly, so that all their clocks were read.
COMPLETE = ("ok", "wrong-loss")

# The stages of a program, in the order in which they run. "start" is the time from
# the start of the process to the first line of the program.
STAGE_COLUMNS = (
    "start_seconds",
    "import_seconds",
    "data_seconds",
    "build_seconds",
    "fit_seconds",
)
# Columns with one number per epoch, joined by ";".
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
    "network",
    "batch_size",
    "batches",
    "array_mb",
    "gpu",
    "gpu_others",
    "gpu_mhz_before",
    "gpu_mhz_after",
    "gpu_state_before",
    "gpu_state_after",
    # The last column is a word from a list, so that a line that was cut off is noticed.
    "backend",
)
# Every file has these columns. Older files lack the ones after them.
REQUIRED = COLUMNS[: COLUMNS.index("message") + 1]
# Texts that older files lack, and that are then empty.
NEW_TEXTS = ("network", "gpu", "gpu_state_before", "gpu_state_after", "backend")

# The smallest and the largest allowed value of a number, alone or in a list. A loss
# may be any number, and NaN.
MOST_SECONDS = 30 * 86400.0  # 30 days, to notice a column in milliseconds
RESOLUTION = 1e-6  # resolution of the clocks
LIMITS = {
    "run": (1, 2**31),
    "block": (0, 2**31),
    "position": (1, len(ARMS)),
    "seed": (0, 2**31 - 1),
    "epochs": (1, 100_000),
    "batch_size": (1, 10**6),
    "batches": (1, 10**9),
    "array_mb": (0.0, 1e8),
    "gpu_others": (0, 10**6),
    "gpu_mhz_before": (0.0, 1e5),
    "gpu_mhz_after": (0.0, 1e5),
    "exit_code": (-64, 255),
    "process_seconds": (0.0, MOST_SECONDS),
    **dict.fromkeys(STAGE_COLUMNS, (0.0, MOST_SECONDS)),
    "cpu_seconds": (0.0, 1000 * MOST_SECONDS),
    "peak_memory_mb": (0.0, 1e8),
    "load_before": (0.0, 1e5),
    # Wide limits, because clocks may be set back by years.
    "clock_drift_seconds": (-1e10, 1e10),
    "epoch_seconds": (0.0, MOST_SECONDS),
    "accuracy": (0.0, 1.0),
    "val_accuracy": (0.0, 1.0),
}
# The same limits for the settings of a plan.
WHOLE_SETTINGS = {
    "blocks": (1, 10**6),
    "epochs": LIMITS["epochs"],
    "seed": (-(2**63), 2**63 - 1),
}
SETTINGS = {"precision": (1e-9, 1e3), "budget": (1e-9, 1e9), "timeout": (1e-9, 1e9)}
# These numbers are always there. Any other number may be missing.
NEVER_MISSING = ("run", "block", "position", "seed", "epochs")
WHOLE = (*NEVER_MISSING, "exit_code", "batch_size", "batches", "gpu_others")
STARTED = re.compile(
    r"20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|\+00:00)"
)

INTERVAL = "95 % interval of the mean log ratio of the blocks (paired log-t)"
SEQUENTIAL = "fixed-width sequential design"
LEAST_BLOCKS = 20
"""Number of blocks after which a sequential campaign first checks its interval."""
MORE_BLOCKS = 10
"""Number of blocks that it adds when the interval is narrow enough. Without them
its intervals would be a little too narrow (tests/statistics/simulation.py)."""
# Most problems that a message lists; it counts the others.
SHOWN = 10


@dataclass(frozen=True)
class Block:
    """One run of every arm. `arms` has the order in which they run.

    `epochs` and `batch_size` are None if they are those of the plan.
    """

    block: int
    seed: int
    arms: tuple[str, ...]
    epochs: int | None = None
    batch_size: int | None = None


@dataclass(frozen=True)
class Precision:
    """When a sequential campaign may end.

    Attributes
    ----------
    half_width
        The interval is narrow enough when its upper limit is at most this share
        above its estimate. With 0.02 and a ratio of 1.10, the limit is 1.122.
    quantity
        The quantity that the interval estimates.
    least_blocks, more_blocks
        `LEAST_BLOCKS` and `MORE_BLOCKS` when the plan was made.
    """

    half_width: float
    quantity: str
    interval: str = INTERVAL
    rule: str = SEQUENTIAL
    least_blocks: int = 10
    more_blocks: int = 0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The contents of `plan.json`. data/timings/README.md describes its keys."""

    campaign: str
    created: str = ""
    design: str = ""
    device: str
    network: str = ""
    backend: str = BACKENDS[0]
    arms: tuple[str, ...]
    epochs: int
    batch_size: int | None = None
    seed: int = 0
    blocks: int
    precision: Precision | None = None
    budget_minutes: float | None = None
    timeout_seconds: float = 3600.0
    notebook: str = ""
    notebook_sha256: str = ""
    programs: Mapping[str, str] = field(default_factory=dict)
    order: tuple[Block, ...]
    schema: int = VERSION

    def places(self) -> list[tuple[Block, int]]:
        """Return every place of the plan, in order: its block and its position."""
        return [
            (block, position)
            for block in self.order
            for position in range(1, len(block.arms) + 1)
        ]

    def parameters(self, block: Block) -> dict[str, int]:
        """Return the values that the programs get in a block."""
        found = {"epochs": block.epochs or self.epochs, "seed": block.seed}
        if size := block.batch_size or self.batch_size:
            found["batch_size"] = size
        return found

    def used(self, name: str) -> list[int]:
        """Return the values of a parameter in the blocks, in increasing order."""
        values = {self.parameters(block).get(name) for block in self.order}
        return sorted(values - {None})

    def pair(self) -> tuple[str, str] | None:
        """Return the two arms whose ratio is shown; None if there is only one arm."""
        if "r" in self.arms and "python" in self.arms:
            return "r", "python"
        return (self.arms[-1], self.arms[0]) if len(self.arms) > 1 else None


@dataclass(frozen=True, kw_only=True)
class StudyPlan:
    """The contents of `study.json`. `order` has the networks of each block."""

    study: str
    created: str = ""
    design: str = ""
    networks: tuple[str, ...]
    order: tuple[tuple[str, ...], ...]
    schema: int = VERSION


@dataclass(frozen=True)
class Problem:
    """Something wrong at one place of a file.

    Line 1 is the header. `line` is None if the problem is not in one line.
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
    """A file of a campaign is wrong.

    `problems` has every wrong place. The message lists the first ones.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        shown = [str(problem) for problem in self.problems[:SHOWN]]
        more = len(self.problems) - SHOWN
        if more > 0:
            shown.append(f"... and {more} more")
        super().__init__("\n".join(shown))


def now() -> str:
    """Return the current time in UTC, ISO 8601, to the millisecond."""
    return as_time(datetime.now(UTC).timestamp())


def as_time(seconds: float) -> str:
    """Write seconds since 1970 as a time in UTC, ISO 8601."""
    time = datetime.fromtimestamp(seconds, UTC)
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


# --- plan.json, machine.json, end.json

# Characters that are refused in texts: a terminal obeys the first ones, and the
# others cannot be written in UTF-8.
FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def _tidy(value: Any) -> Any:
    """Remove the characters that `_check_usable()` refuses."""
    if isinstance(value, Mapping):
        return {_tidy(k): _tidy(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_tidy(x) for x in value]
    return FORBIDDEN.sub("", value) if isinstance(value, str) else value


def write_json(folder: Path, name: str, content: Mapping[str, Any]) -> None:
    """Write `machine.json`, or `end.json`, which marks a finished campaign."""
    text = json.dumps(_tidy(content), indent=1, ensure_ascii=False)
    files.write_whole(folder / name, text + "\n")


def write_plan(folder: Path, plan: Plan) -> None:
    """Write `plan.json`, with a line for each block."""
    content = asdict(plan)
    content["order"] = [
        {name: value for name, value in block.items() if value is not None}
        for block in content["order"]
    ]
    _write_in_order(folder / PLAN, content)


def _write_in_order(path: Path, content: dict[str, Any]) -> None:
    """Write a plan, with a line for each block in its order."""
    blocks = ",\n  ".join(map(json.dumps, content.pop("order")))
    head = json.dumps(content, indent=1, ensure_ascii=False).removesuffix("\n}")
    files.write_whole(path, head + f',\n "order": [\n  {blocks}\n ]\n}}\n')


def campaign_of(study: str, network: str) -> str:
    """Return the name of a network's campaign in a study."""
    return f"{study}-{network}"


def write_study(folder: Path, study: StudyPlan) -> None:
    """Write `study.json`, with a line for each block."""
    _write_in_order(folder / STUDY, asdict(study))


# --- runs.csv, written


def row_text(row: Mapping[str, Any]) -> str:
    """Write a row as one line of `runs.csv`. Reading it returns the same bits."""
    fields = []
    for name in COLUMNS:
        value = row.get(name)
        if value is None:
            fields.append("")
        elif isinstance(value, tuple | list):
            fields.append(";".join(str(float(number)) for number in value))
        elif name in WHOLE:
            fields.append(str(int(value)))
        else:
            fields.append(printable(" ".join(str(value).split()), 10_000))
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(fields)
    return text.getvalue()


def write_rows(folder: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Replace `runs.csv`; at any moment there is either the old or the new one.

    Write it after `plan.json` and `machine.json`, because it makes the folder a
    campaign. Then every folder with a `runs.csv` can be resumed.
    """
    text = ",".join(COLUMNS) + "\n" + "".join(map(row_text, rows))
    files.write_whole(folder / RUNS, text)


def append_row(folder: Path, row: Mapping[str, Any]) -> None:
    """Add a row to `runs.csv`. It is on the disk when this returns.

    If there is no room, raises `DiskFull` and leaves the file as it was.
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


# --- events.jsonl


def note(folder: Path, what: str, **facts: Any) -> None:
    """Add a line to the campaign's log, `events.jsonl`."""
    path = folder / EVENTS
    line = json.dumps({"at": now(), "what": what, **facts}) + "\n"
    path.touch()
    if (before := path.read_bytes()) and not before.endswith(b"\n"):
        # The last line was cut off: start a new one.
        line = "\n" + line
    _append(path, line)
