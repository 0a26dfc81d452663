"""What a campaign shows while it runs."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from .format import Plan
from .ratio import Ratio, paired_ratio


class Progress:
    """Shows what must be said and what went wrong; the others show more."""

    clock = staticmethod(time.monotonic)

    def say(self, text: str) -> None:
        """A sentence for the reader."""
        print(text, flush=True)

    def begin(
        self, plan: Plan, rows: Sequence[Mapping[str, Any]], spent: float = 0.0
    ) -> None:
        """The campaign starts or resumes.

        Parameters
        ----------
        rows
            The runs so far; the list grows while the campaign runs.
        spent
            Seconds that it has taken already.
        """
        self.plan, self.rows, self.spent = plan, rows, spent
        self.began = self.clock()

    def begin_run(self, block: int, arm: str) -> None:
        """A run starts."""

    def tick(self) -> None:
        """It still runs; called every two seconds."""

    def end_run(self, row: Mapping[str, Any]) -> None:
        """It has ended, and its row is written."""
        if row["state"] != "ok":
            self.say(f"run {row['run']}, {row['arm']}: {run_text(row)}")

    def close(self) -> None:
        """Nothing more comes."""

    # --- for those that show more

    def ratio(self) -> Ratio | None:
        """Of the fit stage, so far; None with one arm or before the first block."""
        pair = self.plan.pair()
        return pair and paired_ratio(self.rows, pair)

    def ratio_text(self) -> str:
        """The same in words; "" if there is none."""
        ratio = self.ratio()
        return f"fit, {'/'.join(self.plan.pair())}: {ratio}" if ratio else ""

    def elapsed(self) -> float:
        """Seconds since it started or was resumed."""
        return self.clock() - self.began

    def expected(self) -> float | None:
        """Seconds to go, by how long each arm took; None if unknown."""
        times: dict[str, list[float]] = {}
        done = set()
        for row in self.rows:
            if row["state"] == "interrupted":
                continue
            done.add((row["block"], row["position"]))
            times.setdefault(row["arm"], []).append(row["process_seconds"])
        if not times:
            return None
        mean = {arm: sum(x) / len(x) for arm, x in times.items()}
        other = sum(mean.values()) / len(mean)
        wanted = self._expected_blocks()
        seconds = sum(
            mean.get(block.arms[position - 1], other)
            for block, position in self.plan.places()
            if block.block <= wanted and (block.block, position) not in done
        )
        if self.plan.budget_minutes is not None:
            left = self.plan.budget_minutes * 60 - self.spent - self.elapsed()
            seconds = min(seconds, max(left, 0.0))
        return seconds

    def _expected_blocks(self) -> float:
        """An interval narrows with the root of the number of blocks."""
        rule = self.plan.precision
        if rule is None:
            return self.plan.blocks
        ratio = self.ratio()
        if ratio is None or ratio.blocks < 3:
            return rule.least_blocks
        needed = ratio.blocks * (ratio.half_width / rule.half_width) ** 2
        return min(max(needed, rule.least_blocks), self.plan.blocks)

    def blocks_text(self, block: int) -> str:
        """Which block of how many."""
        if block == 0:
            return "warm-up"
        most = "at most " if self.plan.precision else ""
        return f"block {block} of {most}{self.plan.blocks}"

    def _is_last_of_block(self, row: Mapping[str, Any]) -> bool:
        last = len(self.plan.order[row["block"]].arms)
        return row["position"] == last and row["state"] != "interrupted"


def run_text(row: Mapping[str, Any]) -> str:
    """A run that has ended, in a few words."""
    if row["state"] not in ("ok", "wrong-loss"):
        return f"{row['state']}: {row['message']}"
    text = (
        f"{row['process_seconds']:6.1f} s, fit {row['fit_seconds']:6.2f} s, "
        f"loss {row['loss'][-1]:.4f}"
    )
    if row["state"] != "ok":
        text += f", {row['state']}: {row['message']}"
    return text


def duration(seconds: float) -> str:
    """Such as "4 min 05 s"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


class Lines(Progress):
    """A line per run, for logs."""

    def end_run(self, row: Mapping[str, Any]) -> None:
        block = self.blocks_text(row["block"])
        self.say(f"{block:<18} {row['arm']:<13} {run_text(row)}")
        if self._is_last_of_block(row) and row["block"] > 0:
            left = self.expected()
            parts = [self.ratio_text(), f"{duration(self.elapsed())} so far"]
            if left:
                parts.append(f"about {duration(left)} to go")
            self.say(f"{'':<18} {'; '.join(filter(None, parts))}")


class Compact(Progress):
    """A line per block, for a notebook; what went wrong has its own."""

    # A line that has no end yet.
    _open = False

    def say(self, text: str) -> None:
        self.close()
        super().say(text)

    def end_run(self, row: Mapping[str, Any]) -> None:
        super().end_run(row)
        if row["state"] == "ok":
            if not self._open:
                print(f"{self.blocks_text(row['block']):<13}", end="")
                self._open = True
            text = f"  {row['arm']} {row['fit_seconds']:.2f} s"
            print(text, end="", flush=True)
        if self._is_last_of_block(row) and self._open:
            text = self.ratio_text() if row["block"] > 0 else ""
            print(f"  ({text})" if text else "", end="")
            self.close()

    def close(self) -> None:
        if self._open:
            print(flush=True)
            self._open = False


class Live(Lines):
    """The lines, and below them a bar that stays in its place, for a terminal.

    It is drawn when something happens and every two seconds, not by a thread
    of its own, which would take from the processors that are measured.
    """

    def __init__(self, console: Any = None) -> None:
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as Bar

        what, when = TextColumn("{task.description}"), TextColumn("{task.fields[when]}")
        self._bar = Bar(
            what, BarColumn(), when, console=console, auto_refresh=False, transient=True
        )
        self._task = self._bar.add_task("", total=None, when="")
        self._now = ""

    def say(self, text: str) -> None:
        self._bar.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def begin(self, *arguments: Any) -> None:
        super().begin(*arguments)
        self._bar.start()
        self.tick()

    def begin_run(self, block: int, arm: str) -> None:
        self._now = f"{self.blocks_text(block)}, {arm}"
        self.tick()

    def end_run(self, row: Mapping[str, Any]) -> None:
        super().end_run(row)
        self.tick()

    def tick(self) -> None:
        elapsed, left = self.elapsed(), self.expected()
        when, total = duration(elapsed), None
        if left is not None:
            end = datetime.now() + timedelta(seconds=left)
            when, total = f"{when}, expected end {end:%H:%M:%S}", elapsed + left
        self._bar.update(
            self._task,
            description=self._now,
            completed=elapsed,
            total=total,
            when=when,
            refresh=True,
        )

    def close(self) -> None:
        self._bar.stop()


# How a campaign may be shown, as `--progress` names it.
KINDS = {"live": Live, "lines": Lines, "compact": Compact, "none": Progress}


def choose(progress: str | Progress | None = None) -> Progress:
    """The display that was asked for, or what suits where the output goes.

    Parameters
    ----------
    progress
        One of `KINDS`; None chooses: live in a terminal, compact in a notebook,
        lines elsewhere.
    """
    if isinstance(progress, Progress):
        return progress
    if progress is None:
        if sys.stdout.isatty():
            progress = "live"
        else:
            progress = "compact" if "ipykernel" in sys.modules else "lines"
    if progress not in KINDS:
        raise ValueError(f"progress {progress!r}; expected one of {', '.join(KINDS)}")
    return KINDS[progress]()
