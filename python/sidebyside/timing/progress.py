"""What is seen of a campaign while it runs."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from .plans import Plan
from .ratio import Ratio, paired_ratio


class Progress:
    """Shows what must be said and what went wrong; the others show more."""

    def __init__(self) -> None:
        self.plan: Plan | None = None
        self.rows: Sequence[Mapping[str, Any]] = ()

    def say(self, text: str) -> None:
        """A sentence for the reader."""
        print(text, flush=True)

    def begin(self, plan: Plan, rows: Sequence[Mapping[str, Any]]) -> None:
        """The campaign begins or goes on; `rows` grows while it runs."""
        self.plan, self.rows = plan, rows
        self.began = time.monotonic()

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
        """Of the fit phase, so far."""
        return paired_ratio(self.rows, self.plan.pair())

    def ratio_text(self) -> str:
        """The same in words; "" as long as there is none."""
        ratio = self.ratio()
        if ratio is None:
            return ""
        over = "/".join(self.plan.pair())
        return f"fit, {over}: {ratio}"

    def elapsed(self) -> float:
        """Seconds since it began or went on."""
        return time.monotonic() - self.began

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
            left = self.plan.budget_minutes * 60 - self.elapsed()
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
        """Where in the plan a block stands."""
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

    def begin(self, plan: Plan, rows: Sequence[Mapping[str, Any]]) -> None:
        super().begin(plan, rows)
        self._open = False

    def say(self, text: str) -> None:
        if getattr(self, "_open", False):
            print()
            self._open = False
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
            print(f"  ({text})" if text else "", flush=True)
            self._open = False

    def close(self) -> None:
        if getattr(self, "_open", False):
            print(flush=True)
            self._open = False


class Live(Progress):
    """A panel that stays in its place, for a terminal.

    It is drawn when something happens and every two seconds, not by a thread
    of its own, which would take from the processors that are measured.
    """

    def __init__(self) -> None:
        super().__init__()
        from rich.console import Console
        from rich.live import Live as RichLive

        self.console = Console()
        self._live = RichLive(console=self.console, auto_refresh=False)
        self._run: tuple[int, str, float] | None = None

    def say(self, text: str) -> None:
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def begin(self, plan: Plan, rows: Sequence[Mapping[str, Any]]) -> None:
        super().begin(plan, rows)
        self._live.start()
        self.tick()

    def begin_run(self, block: int, arm: str) -> None:
        self._run = (block, arm, time.monotonic())
        self.tick()

    def end_run(self, row: Mapping[str, Any]) -> None:
        block = self.blocks_text(row["block"])
        self.say(f"{block:<18} {row['arm']:<13} {run_text(row)}")
        self._run = None
        self.tick()

    def tick(self) -> None:
        self._live.update(self._panel(), refresh=True)

    def close(self) -> None:
        self._live.stop()

    def _panel(self) -> Any:
        from rich.panel import Panel
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        table = Table.grid(padding=(0, 2))
        elapsed, left = self.elapsed(), self.expected()
        if self._run is not None:
            block, arm, began = self._run
            took = duration(time.monotonic() - began)
            table.add_row("now", f"{self.blocks_text(block)}, {arm}, {took}")
        time_text = duration(elapsed)
        if left is not None:
            end = datetime.now() + timedelta(seconds=left)
            time_text += f", expected end {end:%H:%M:%S}"
        table.add_row("elapsed", time_text)
        if text := self.ratio_text():
            table.add_row("ratio", f"{text} (95 % interval)")
        bad = [x for x in self.rows if x["state"] not in ("ok", "interrupted")]
        if bad:
            table.add_row("went wrong", f"{len(bad)} runs")
        total = elapsed + (left or 0.0)
        share = 100 * elapsed / total if left is not None and total else 0
        table.add_row("", ProgressBar(100, share, width=40))
        return Panel(table, title=self.plan.campaign, expand=False)


def choose(progress: str | Progress | None = None) -> Progress:
    """What suits where the output goes.

    Parameters
    ----------
    progress
        "live", "lines", "compact" or "none"; None chooses: live in a
        terminal, compact in a notebook, lines elsewhere.
    """
    if isinstance(progress, Progress):
        return progress
    if progress is None:
        if "ipykernel" in sys.modules and not sys.stdout.isatty():
            progress = "compact"
        else:
            progress = "live" if sys.stdout.isatty() else "lines"
    kinds = {
        "live": Live,
        "lines": Lines,
        "compact": Compact,
        "none": Progress,
    }
    if progress not in kinds:
        raise ValueError(f"progress {progress!r}; expected one of {', '.join(kinds)}")
    return kinds[progress]()
