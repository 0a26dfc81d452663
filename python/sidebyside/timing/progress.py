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

# Rows of `runs.csv`, as `read_rows()` returns them.
Rows = Sequence[Mapping[str, Any]]


class Progress:
    """Shows only important messages and failures. Its subclasses show more."""

    def say(self, text: str) -> None:
        """Print a sentence for the reader."""
        print(printable(text, 10_000), flush=True)

    def begin(self, campaigns: Sequence[tuple[Plan, Rows]], spent: float = 0.0) -> None:
        """Called when a campaign, or all campaigns of a study, start or resume.

        Parameters
        ----------
        campaigns
            Plan and runs so far of each. The lists grow while the campaigns run.
        spent
            Seconds that they have already taken.
        """
        self.campaigns, self.spent = campaigns, spent
        self.began = time.monotonic()
        self.turn(*campaigns[0])

    def turn(self, plan: Plan, rows: Rows) -> None:
        """Called before a block, with the campaign whose turn it is."""
        self.plan, self.rows = plan, rows

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
        """Write how long the rest takes, for all networks of a study together.

        If a precision may end the campaign earlier, it is the longest time. "" before
        the first run and after the last.
        """
        took = [x["process_seconds"] for x in self.counted()]
        if not took:
            return ""
        mean = statistics.fmean(took)
        seconds = sum(seconds_left(*x, otherwise=mean) for x in self.campaigns)
        if not seconds:
            return ""
        if self.plan.budget_minutes is not None:
            budget = self.plan.budget_minutes * 60 - self.taken()
            seconds = max(0.0, min(seconds, budget))
        most = "at most" if self.plan.precision else "about"
        return f"{most} {duration(seconds)} to go"

    def block_text(self, block: int) -> str:
        """Write which block this is, of how many, and of which network."""
        most = "at most " if self.plan.precision else ""
        text = f"block {block} of {most}{self.plan.blocks}" if block else "warm-up"
        return ", ".join(filter(None, [text, self.plan.network]))

    def counted(self) -> list[Mapping[str, Any]]:
        """Return the runs so far, of all networks, that need not be repeated."""
        return [x for _, rows in self.campaigns for x in _counted(rows)]

    def ends_block(self, row: Mapping[str, Any]) -> bool:
        """Return whether a run is the last of its block and is not repeated."""
        last = row["position"] == len(self.plan.arms)
        return last and row["state"] != "interrupted"


def _counted(rows: Rows) -> list[Mapping[str, Any]]:
    return [x for x in rows if x["state"] != "interrupted"]


def seconds_left(plan: Plan, rows: Rows, otherwise: float) -> float:
    """Estimate how long a campaign's remaining runs take.

    It is the mean of the runs so far, of which the fit stage changes with the number
    of epochs. Without runs, each takes `otherwise` seconds.
    """
    took = _counted(rows)

    def guess(epochs: int) -> float:
        if not took:
            return otherwise
        return statistics.fmean(
            x["process_seconds"]
            + (x.get("fit_seconds") or 0.0) * (epochs / x["epochs"] - 1)
            for x in took
        )

    seconds = {epochs: guess(epochs) for epochs in plan.used("epochs")}
    left = plan.places()[len(took) :]
    return sum(seconds[plan.parameters(block)["epochs"]] for block, _ in left)


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
        block = self.block_text(row["block"]).ljust(30 if self.plan.network else 18)
        self.say(f"{block} {row['arm']:<13} {run_text(row)}")
        if self.ends_block(row) and row["block"] > 0:
            so_far = f"{duration(self.taken())} so far"
            parts = [self.ratio_text(), so_far, self.to_go_text()]
            self.say(f"{' ' * len(block)} {'; '.join(filter(None, parts))}")


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
        total = sum(len(plan.places()) for plan, _ in self.campaigns)
        self._bar.update(self._task, total=total)
        self._bar.start()

    def begin_run(self, block: int, arm: str) -> None:
        self._bar.update(
            self._task,
            description=f"{self.block_text(block)}, {arm}",
            completed=len(self.counted()),
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
