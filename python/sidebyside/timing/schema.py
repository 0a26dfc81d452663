"""What a row of measurements is: columns, words and limits.

`data/timings/README.md` says the same in prose.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..common.errors import Sentence

# What is compared. "python-again" is the Python program once more: what a
# difference of nothing looks like.
ARMS = ("python", "r", "python-again", "rpy2")
# The arm whose losses the others of its block have to reproduce.
FIRST_ARM = "python"
DEVICES = ("cpu", "gpu")

# ok           came to its end, and its losses are those of its block
# crashed      ended by itself, otherwise than it should
# timeout      did not end in time and was stopped
# wrong-loss   came to its end with other losses than the "python" run of its
#              block
# interrupted  could not be measured because of something outside (killed,
#              power off, clock set); its place in the plan is run again
STATES = ("ok", "crashed", "timeout", "wrong-loss", "interrupted")
# These came to their end, so all their clocks were read.
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
EPOCH_COLUMNS = (
    "epoch_seconds",
    "loss",
    "accuracy",
    "val_loss",
    "val_accuracy",
)

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

# Files from before a column was added have it not.
REQUIRED = COLUMNS[: COLUMNS.index("message") + 1]

# Column to the least and the most that a whole number in it may be.
WHOLE = {
    "run": (1, 2**31),
    "block": (0, 2**31),
    "position": (1, len(ARMS)),
    "seed": (0, 2**31 - 1),
    "epochs": (1, 100_000),
}
# Floats, seconds unless the name says otherwise; empty: not measured.
# 30 days: whoever writes milliseconds is found out.
MOST_SECONDS = 30 * 86400.0
REAL = {
    "process_seconds": (0.0, MOST_SECONDS),
    **dict.fromkeys(STAGE_COLUMNS, (0.0, MOST_SECONDS)),
    "cpu_seconds": (0.0, 1000 * MOST_SECONDS),
    "peak_memory_mb": (0.0, 1e8),
    "load_before": (0.0, 1e5),
    # Clocks may be set back by years.
    "clock_drift_seconds": (-1e10, 1e10),
}

RUNS = "runs.csv"
PLAN = "plan.json"
MACHINE = "machine.json"
END = "end.json"

# How many problems a message lists before it only counts them.
SHOWN = 10


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
        return f"{place}: {self.what}"


class WrongRuns(Sentence, ValueError):
    """Measurements that are not what they should be.

    `problems` holds every place; the message lists the first ones.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        shown = [str(problem) for problem in self.problems[:SHOWN]]
        more = len(self.problems) - SHOWN
        if more > 0:
            shown.append(f"... and {more} more")
        super().__init__("\n".join(shown))
