"""What a verdict consists of: records, each of which can say itself in words.

No sentence has a number in it that does not come from its record.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from .estimates import (
    LEVEL,
    SAME,
    SMALL,
    UNCLEAR,
    Interval,
    Mean,
    Pool,
    blocks_needed,
)
from .pairs import PHASES, REFERENCE

CONTROL = "python-again"
NAMES = {
    "python": "Python",
    "r": "R",
    CONTROL: "Python again",
    "rpy2": "R inside Python (rpy2)",
}


@dataclass(frozen=True, kw_only=True)
class Statement:
    """One thing that the measurements say, or that has to be said about them.

    `device` is "cpu", "gpu" or "" (both), `of` names the campaigns where a
    device has campaigns of different work, and is "" otherwise.
    """

    device: str = ""
    of: str = ""

    @property
    def warning(self) -> bool:
        """Whether it casts doubt on the rest."""
        return False

    @property
    def where(self) -> str:
        """As in "on the CPU" and "on the CPU in my-campaign"."""
        return f"on the {self.device.upper()}" + (f" in {self.of}" if self.of else "")

    def words(self) -> str:
        """The statement in one to three sentences."""
        raise NotImplementedError


class Part(NamedTuple):
    """One campaign's share of a ratio."""

    campaign: str
    mean: Mean


@dataclass(frozen=True, kw_only=True)
class TimeRatio(Statement):
    """One arm's time over Python's, on one device, by one clock, for one work.

    `pool` is the mean log ratio, `parts` has one for each campaign, and
    `left_out` says what was not used.
    """

    arm: str
    column: str
    pool: Pool
    margin: float
    parts: tuple[Part, ...]
    left_out: tuple[str, ...]

    @property
    def interval(self) -> Interval:
        """The ratio and its 95 % interval."""
        return self.pool.ratio()

    @property
    def ratios(self) -> list[float]:
        """The ratio of each campaign."""
        return [math.exp(part.mean.value) for part in self.parts]

    @property
    def p_apart(self) -> float:
        """P value of "the ratio is beyond the margin" (TOST)."""
        return self.pool.p_apart(math.log1p(self.margin))

    @property
    def outcome(self) -> str:
        """SAME, SMALL, SLOWER, FASTER or UNCLEAR."""
        return self.pool.outcome(math.log1p(self.margin))

    @property
    def surely(self) -> bool:
        """Whether the whole interval is beyond the margin."""
        _, low, high = self.interval
        return low > 1 + self.margin or high < 1 / (1 + self.margin)

    @property
    def blocks(self) -> int:
        return sum(part.mean.df + 1 for part in self.parts)

    @property
    def phase(self) -> str:
        """As in "whole process, CPU"."""
        clock = PHASES[self.column].removeprefix("the ")
        return f"{clock}, {self.device.upper()}"

    def words(self) -> str:
        text = (
            f"For {PHASES[self.column]} {self.where} {NAMES[self.arm]} takes "
            f"{as_ratio(self.interval)} times as long as Python, from {self.blocks} "
            "pairs of runs."
        )
        return f"{text} {self.meaning()}" if self.arm == "r" else text

    def meaning(self) -> str:
        """What R's ratio means."""
        ratio, low, high = self.interval
        # Being faster by this much is the mirror image of the margin.
        matters = self.margin if ratio > 1 else self.margin / (1 + self.margin)
        side = "slower" if ratio > 1 else "faster"
        limit = f"{100 * matters:.2g} %"
        p = f"{self.p_apart:.2g}"
        test = f"(TOST, p {'= ' + p if self.p_apart >= 0.001 else 'below 0.001'})"
        if self.outcome == SAME:
            return (
                "R and Python are equally fast: a difference of more than "
                f"{100 * self.margin:g} % is excluded {test}."
            )
        if self.outcome == SMALL:
            return (
                f"R is {side} by {_percent(ratio - 1)}, which is certain, but less "
                f"than the {limit} that matter {test}."
            )
        if self.outcome == UNCLEAR:
            return (
                f"Inconclusive: R could be up to {_percent(low - 1)} faster or "
                f"{_percent(high - 1)} slower. {self._wish()}"
            )
        least, most = sorted([abs(low - 1), abs(high - 1)])
        span = f"by {_percent(least).removesuffix(' %')} to {_percent(most)}"
        if self.surely:
            return f"R is {side}: {span}, more than the {limit} that matter."
        return (
            f"R is probably {side}: {span}. Whether it is more than {limit} {side} "
            "is not settled."
        )

    def _wish(self) -> str:
        """What would make an unclear result clear."""
        if len(self.parts) > 1:
            return (
                f"The ratios of the {len(self.parts)} campaigns range from "
                f"{min(self.ratios):.3f} to {max(self.ratios):.3f}; more campaigns "
                "would narrow this down."
            )
        n = blocks_needed(self.pool.error * self.blocks**0.5, self.margin)
        return (
            f"With this scatter it would take {n} blocks to show that there is no "
            "difference, if there is none (power 80 %)."
        )


@dataclass(frozen=True, kw_only=True)
class Control(TimeRatio):
    """Python against itself: the ratio is 1 if the experiment is fair."""

    @property
    def biased(self) -> bool:
        return not self.interval.low <= 1 <= self.interval.high

    @property
    def deviating(self) -> tuple[str, ...]:
        """Campaigns whose ratio is not 1, by t-tests with Bonferroni's correction.

        Campaigns that are biased in opposite directions would hide in a mean.
        """
        limit = (1 - LEVEL) / len(self.parts)
        return tuple(x.campaign for x in self.parts if x.mean.p_different < limit)

    @property
    def warning(self) -> bool:
        return self.biased or bool(self.deviating)

    def words(self) -> str:
        found = (
            f"Python against itself gives {as_ratio(self.interval)} for "
            f"{PHASES[self.column]} {self.where}"
        )
        if self.biased:
            return (
                f"Warning: the control failed. {found}, which does not include 1. "
                "Either this is the one time in twenty when chance does that, or "
                "the two arms are not treated alike. Do not trust a difference "
                "between the languages of about "
                f"{_percent(self.interval.estimate - 1)}."
            )
        if self.deviating:
            return (
                f"Warning: the control failed in {', '.join(self.deviating)} by more "
                f"than chance explains. {found}, over all campaigns."
            )
        return f"Control: {found}, which includes 1, as it should."


@dataclass(frozen=True, kw_only=True)
class AccuracyGap(Statement):
    """R's test accuracy minus Python's, as a share from -1 to 1.

    `gap` is None if every pair has the same accuracy to the last digit; then
    there is no interval, and none is needed.
    """

    blocks: int
    margin: float
    gap: Mean | None

    def words(self) -> str:
        start = f"Test accuracy {self.where}:"
        if self.gap is None:
            return (
                f"{start} the same to the last digit in all {self.blocks} pairs, "
                "because the same seed gives the same numbers in both languages."
            )
        gap, low, high = (f"{100 * share:.2f}" for share in self.gap.interval())
        excluded = self.gap.p_apart(self.margin) < 1 - LEVEL
        return (
            f"{start} R minus Python is {gap} points (95 % interval {low} to {high}, "
            f"{self.blocks} pairs). A difference of {100 * self.margin:g} points or "
            f"more {'is' if excluded else 'cannot be'} excluded."
        )


@dataclass(frozen=True, kw_only=True)
class NotMeasured(Statement):
    """A control, or else all of a device, for which there are no measurements."""

    control: bool = False

    def words(self) -> str:
        if self.control:
            return (
                f"Python was not measured against itself {self.where}, so the "
                "experiment itself is not checked."
            )
        return f"Nothing was measured {self.where}."


@dataclass(frozen=True, kw_only=True)
class Unknown(Statement):
    """Something that the data do not tell, and why."""

    what: str
    problem: str

    def words(self) -> str:
        return f"No result for {self.what} {self.where}: {self.problem}"


@dataclass(frozen=True, kw_only=True)
class Campaigns(Statement):
    """The campaigns that a ratio comes from, and on how many machines they ran."""

    names: tuple[str, ...]
    machines: int

    def words(self) -> str:
        count, machines = len(self.names), self.machines
        of = "one machine" if machines == 1 else f"{machines} machines"
        unknown = "so how much machines differ cannot be estimated"
        if count == 1:
            return (
                f"The result {self.where} comes from one campaign, {self.names[0]}, "
                f"on {of}, {unknown}."
            )
        # Nobody reads thirty names.
        names = f" ({', '.join(self.names)})" if count <= 8 else ""
        text = (
            f"The result {self.where} pools {count} campaigns{names} of {of}; each "
            "campaign counts once, whatever its number of blocks."
        )
        if machines == 1:
            return f"{text} It is only one machine, {unknown}."
        if machines < count:
            text += (
                " Campaigns of one machine are not independent of each other, so "
                "the intervals are narrower than they should be."
            )
        return text


@dataclass(frozen=True, kw_only=True)
class Agreement(Statement):
    """How far the pooled campaigns agree, where that needs saying.

    Their ratios, from `low` to `high`, differ by more than chance explains,
    or else agree better than it lets one expect.
    """

    column: str
    count: int
    low: float
    high: float
    differ: bool

    @property
    def warning(self) -> bool:
        return not self.differ

    def words(self) -> str:
        if self.differ:
            return (
                f"The campaigns do not agree on {PHASES[self.column]} {self.where}: "
                f"their ratios range from {self.low:.3f} to {self.high:.3f}, more than "
                "chance explains. The ratio depends on the machine or on the "
                "circumstances."
            )
        return (
            f"Warning: the {self.count} campaigns agree on {PHASES[self.column]} "
            f"{self.where} better than the scatter of their blocks suggests. This "
            "is chance, and makes the interval narrower than it should be."
        )


@dataclass(frozen=True, kw_only=True)
class KindsOfWork(Statement):
    """The campaigns trained different things: names of campaigns, and what."""

    kinds: tuple[tuple[str, str], ...]

    def words(self) -> str:
        told = "; ".join(f"{names}: {work}" for names, work in self.kinds)
        return (
            f"The campaigns are of {len(self.kinds)} kinds of work, which are judged "
            f"separately and not pooled ({told})."
        )


@dataclass(frozen=True, kw_only=True)
class Failures(Statement):
    """Runs that do not count, by (arm, state, number), of all `runs`."""

    counts: tuple[tuple[str, str, int], ...]
    runs: int

    @property
    def unequal(self) -> bool:
        """Whether R and Python failed unequally often; interruptions aside."""
        lost = dict.fromkeys(NAMES, 0)
        for arm, state, count in self.counts:
            lost[arm] += count if state != "interrupted" else 0
        return lost["r"] != lost[REFERENCE]

    def words(self) -> str:
        each = ", ".join(f"{NAMES[arm]} {n} {state}" for arm, state, n in self.counts)
        lost = sum(n for *_, n in self.counts)
        text = f"{lost} of {self.runs} runs did not count: {each}."
        if self.unequal:
            text += (
                " R and Python did not fail equally often, so only the runs that "
                "survived are compared."
            )
        return text


@dataclass(frozen=True, kw_only=True)
class LeftOut(Statement):
    """Blocks or campaigns that were not used."""

    what: str

    def words(self) -> str:
        return f"Not used {self.where}: {self.what}."


# --- in words


def as_ratio(interval: Interval) -> str:
    return (
        f"{interval.estimate:.3f} (95 % interval {interval.low:.3f} to "
        f"{interval.high:.3f})"
    )


def listed(names: Sequence[str]) -> str:
    """As in "a", "a and b", "a and 29 others"."""
    if len(names) > 2:
        names = [names[0], f"{len(names) - 1} others"]
    return " and ".join(names)


def _percent(share: float) -> str:
    """With two digits that count: 12 %, 1.2 %, 0.12 %."""
    percent = abs(share) * 100
    if percent >= 9.95:
        return f"{percent:.0f} %"
    return f"{percent:.1f} %" if percent >= 0.095 else f"{percent:.2f} %"
