"""Show the progress of a campaign while it runs."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from ..common import running
from ..common.errors import printable
from ..common.running import duration
from .format import COMPLETE, Plan
from .ratio import paired_ratio


class Progress:
    """Shows only important messages and failures. Its subclasses show more."""

    def say(self, text: str) -> None:
        """Print a sentence for the reader."""
        print(printable(text, 10_000), flush=True)

    def begin(
        self, plan: Plan, rows: Sequence[Mapping[str, Any]], spent: float = 0.0
    ) -> None:
        """Called when the campaign starts or resumes.

        Parameters
        ----------
        rows
            The runs so far. The list grows while the campaign runs.
        spent
            Seconds that the campaign has already taken.
        """
        self.plan, self.rows, self.spent = plan, rows, spent
        self.began = time.monotonic()

    def begin_run(self, block: int, arm: str) -> None:
        """Called when a run starts."""

    def tick(self) -> None:
        """Called every two seconds during a run."""

    def end_run(self, row: Mapping[str, Any]) -> None:
        """Called when a run has ended and its row is written."""
        if row["state"] != "ok":
            self.say(f"run {row['run']}, {row['arm']}: {run_text(row)}")

    def close(self) -> None:
        """Called at the end of the campaign."""

    # --- for the subclasses

    def ratio_text(self) -> str:
        """Write the ratio of the fit stages so far; "" before the first block."""
        pair = self.plan.pair()
        ratio = pair and paired_ratio(self.rows, pair)
        return f"fit, {'/'.join(pair)}: {ratio}" if ratio else ""

    def taken(self) -> float:
        """Return the seconds that the campaign has taken, in all its sessions."""
        return self.spent + time.monotonic() - self.began

    def to_go_text(self) -> str:
        """Write how long the rest takes, by the mean of the runs so far.

        If a precision may end the campaign earlier, it is the longest time. "" before
        the first run and after the last.
        """
        took = [x["process_seconds"] for x in self.rows if x["state"] != "interrupted"]
        left = len(self.plan.places()) - len(took)
        if not took or not left:
            return ""
        seconds = statistics.fmean(took) * left
        if self.plan.budget_minutes is not None:
            budget = self.plan.budget_minutes * 60 - self.taken()
            seconds = max(0.0, min(seconds, budget))
        most = "at most" if self.plan.precision else "about"
        return f"{most} {duration(seconds)} to go"

    def block_text(self, block: int) -> str:
        """Write which block this is, and of how many."""
        if block == 0:
            return "warm-up"
        most = "at most " if self.plan.precision else ""
        return f"block {block} of {most}{self.plan.blocks}"

    def ends_block(self, row: Mapping[str, Any]) -> bool:
        """Return whether a run is the last of its block and is not repeated."""
        last = row["position"] == len(self.plan.arms)
        return last and row["state"] != "interrupted"


def run_text(row: Mapping[str, Any]) -> str:
    """Describe a run that has ended in a few words."""
    if row["state"] not in COMPLETE:
        return f"{row['state']}: {row['message']}"
    text = (
        f"{row['process_seconds']:6.1f} s, fit {row['fit_seconds']:6.2f} s, "
        f"loss {row['loss'][-1]:.4f}"
    )
    if row["state"] != "ok":
        text += f", {row['state']}: {row['message']}"
    return text


class Lines(Progress):
    """Shows a line per run, for logs."""

    def end_run(self, row: Mapping[str, Any]) -> None:
        block = self.block_text(row["block"])
        self.say(f"{block:<18} {row['arm']:<13} {run_text(row)}")
        if self.ends_block(row) and row["block"] > 0:
            so_far = f"{duration(self.taken())} so far"
            parts = [self.ratio_text(), so_far, self.to_go_text()]
            self.say(f"{'':<18} {'; '.join(filter(None, parts))}")


class Compact(Progress):
    """Shows a line per block and a line per failure, for a notebook.

    The current run is shown in the line that the kernel puts under a cell that takes
    long.
    """

    def begin_run(self, block: int, arm: str) -> None:
        parts = [f"{self.block_text(block)}, {arm}", self.to_go_text()]
        running.doing = "; ".join(filter(None, parts))

    def close(self) -> None:
        running.doing = ""

    def end_run(self, row: Mapping[str, Any]) -> None:
        super().end_run(row)
        if self.ends_block(row):
            fits = [
                f"{x['arm']} {x['fit_seconds']:.2f} s"
                for x in self.rows
                if x["block"] == row["block"] and x["state"] == "ok"
            ]
            if ratio := self.ratio_text():
                fits.append(f"({ratio})")
            block = f"{self.block_text(row['block']):<13}"
            self.say("  ".join([block, *fits]).rstrip())


class Live(Lines):
    """Shows the lines, and below them a bar that stays in place, for a terminal.

    The bar is drawn when something happens and every two seconds. No thread does
    this, because it would use the processors during a measurement.
    """

    def __init__(self, console: Any = None) -> None:
        from rich import progress as rich

        columns = (
            rich.TextColumn("{task.description}"),
            *(rich.BarColumn(), rich.MofNCompleteColumn(), rich.TimeElapsedColumn()),
            rich.TextColumn("{task.fields[to_go]}"),
        )
        self._bar = rich.Progress(
            *columns, console=console, auto_refresh=False, transient=True
        )
        self._task = self._bar.add_task("", to_go="")

    def begin(self, *arguments: Any) -> None:
        super().begin(*arguments)
        self._bar.update(self._task, total=len(self.plan.places()))
        self._bar.start()

    def begin_run(self, block: int, arm: str) -> None:
        done = sum(x["state"] != "interrupted" for x in self.rows)
        self._bar.update(
            self._task,
            description=f"{self.block_text(block)}, {arm}",
            completed=done,
            to_go=self.to_go_text(),
            refresh=True,
        )

    def tick(self) -> None:
        self._bar.refresh()

    def close(self) -> None:
        self._bar.stop()


# The kinds of progress that `--progress` can name.
KINDS = {"live": Live, "lines": Lines, "compact": Compact, "none": Progress}


def choose(progress: str | Progress | None = None) -> Progress:
    """Return the display that was asked for, or one that suits the output.

    Parameters
    ----------
    progress
        One of `KINDS`. None: live in a terminal, compact in a notebook, lines
        elsewhere.
    """
    if isinstance(progress, Progress):
        return progress
    if progress is None:
        if sys.stdout.isatty():
            progress = "live"
        else:
            progress = "compact" if "ipykernel" in sys.modules else "lines"
    if progress not in KINDS:
        raise ValueError(
            f"progress is {progress!r}; expected one of {', '.join(KINDS)}"
        )
    return KINDS[progress]()
