"""What a verdict consists of: records, each of which can say itself in words.

No sentence has a number in it that does not come from its record.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from .estimates import (
    FASTER,
    LEVEL,
    SAME,
    SLOWER,
    SMALL,
    UNCLEAR,
    Interval,
    Mean,
    Pool,
    blocks_needed,
    blocks_range,
    outcome_of,
)
from .pairs import NAMES, PHASES, REFERENCE

ALPHA = 1 - LEVEL
MARGIN_LEVEL = 1 - 2 * ALPHA
"""What lies in the margin, or beyond it, is decided by this interval: 90 %."""

MOST_NAMES = 8
"""Nobody reads thirty names."""


@dataclass(frozen=True, kw_only=True)
class Statement:
    """One thing that the measurements say, or that has to be said about them.

    `device` is "cpu", "gpu" or "" (both), `of` names the campaigns where a
    device has campaigns of different work, and is "" otherwise.
    """

    device: str = ""
    of: str = ""

    warning = False
    """Whether it casts doubt on the rest."""

    @property
    def where(self) -> str:
        """As in "on the CPU" and "on the CPU in my-campaign"."""
        return f"on the {self.device.upper()}" + (f" in {self.of}" if self.of else "")

    def words(self) -> str:
        """The statement in a few sentences."""
        raise NotImplementedError


class Part(NamedTuple):
    """One campaign's share of a ratio."""

    campaign: str
    mean: Mean
    blocks: int


@dataclass(frozen=True, kw_only=True)
class TimeRatio(Statement):
    """One arm's time over Python's, on one device, by one clock, for one work.

    `pool` is the mean log ratio, `parts` has one for each campaign. One of R's
    ratios is the `primary` question. The p values of the others are corrected
    for the `compared` ratios that the same arm has, by Holm's method: of "the
    ratio is 1", "the ratio is beyond the margin" (TOST), "the ratio is within the
    margin" and "all campaigns have the same ratio" (for all of R's ratios).
    """

    arm: str
    column: str
    pool: Pool
    margin: float
    parts: tuple[Part, ...]
    primary: bool = False
    compared: int = 1
    p_different: float
    p_apart: float
    p_beyond: float
    p_alike: float

    @classmethod
    def of_pool(cls, pool: Pool, margin: float, **known: Any) -> TimeRatio:
        """With the pool's own p values, which are not corrected."""
        edge = math.log1p(margin)
        return cls(
            pool=pool,
            margin=margin,
            p_different=pool.p_different,
            p_apart=pool.p_apart(edge),
            p_beyond=pool.p_beyond(edge),
            p_alike=pool.p,
            **known,
        )

    @property
    def interval(self) -> Interval:
        """The ratio and its 95 % interval."""
        return self.pool.ratio()

    @property
    def narrower(self) -> Interval:
        """The ratio and its 90 % interval."""
        return self.pool.ratio(MARGIN_LEVEL)

    @property
    def outcome(self) -> str:
        """SAME, SMALL, SLOWER, FASTER or UNCLEAR."""
        return outcome_of(self.pool.value, self.p_different, self.p_apart)

    @property
    def surely(self) -> bool:
        """Whether R is slower, or faster, by more than the margin."""
        return self.outcome in (SLOWER, FASTER) and self.p_beyond < ALPHA

    @property
    def blocks(self) -> int:
        return sum(part.blocks for part in self.parts)

    @property
    def phase(self) -> str:
        """As in "whole process, CPU"."""
        clock = PHASES[self.column].removeprefix("the ")
        return f"{clock}, {self.device.upper()}"

    def words(self) -> str:
        about = f"{PHASES[self.column]} {self.where}"
        # For SAME, `meaning()` has the interval that decides.
        same = self.arm == "r" and self.outcome == SAME
        found = _number(self.interval.estimate) if same else as_ratio(self.interval)
        found += f" times as long as Python, from {self.blocks} pairs of runs."
        if self.arm != "r":
            return f"For {about}, {NAMES[self.arm]} takes {found}{self._widened()}"
        which = "The primary" if self.primary else "A secondary"
        return f"{which} question is {about}. R takes {found} {self.meaning()}"

    def meaning(self) -> str:
        """What R's ratio means, and how far it holds."""
        text = self._claim()
        if self.outcome == UNCLEAR and self.primary:
            text += self._wish()
        if self.p_alike < ALPHA:
            low, *_, high = sorted(part.mean.ratio().estimate for part in self.parts)
            if self.outcome != UNCLEAR:
                text = f"On average over these campaigns, {text}"
            text += (
                f" The campaigns do not agree: their ratios range from {_number(low)} "
                f"to {_number(high)}, more than chance explains. The ratio depends on "
                "the machine or on the circumstances."
            )
        elif self.pool.narrow:
            text += (
                " By chance the campaigns agree better than the scatter of their "
                "blocks suggests, so the interval is narrower than it should be."
            )
        text += self._widened()
        if self.pool.predicted is not None and not self.pool.narrow:
            _, low, high = map(math.exp, self.pool.predicted)
            text += (
                f" On another machine R would probably take {_number(low)} to "
                f"{_number(high)} times as long as Python (95 % prediction interval)."
            )
        return text

    def _claim(self) -> str:
        ratio, low, high = self.interval
        side = "slower" if ratio > 1 else "faster"
        different, apart, beyond = (
            _p(p, self.compared)
            for p in (self.p_different, self.p_apart, self.p_beyond)
        )
        if self.outcome == UNCLEAR:
            could = f"up to {_percent(low - 1)} faster or {_percent(high - 1)} slower"
            if low > 1 or high < 1:
                could = f"{_span(self.interval)} {side}"
            return (
                f"Inconclusive: R could be {could}. Neither a difference ({different}) "
                f"nor equality (TOST, {apart}) is certain."
            )
        by = f"R is {side}: by {_span(self.interval)} ({different})."
        if self.outcome in (SAME, SMALL):
            start = "R and Python are equally fast:"
            if self.outcome == SMALL:
                start = f"{by} That is too little to matter:"
            edge = 1 + self.margin
            _, low, high = _shown(self.narrower, 1 / edge, edge)
            return (
                f"{start} the 90 % interval, {low} to {high}, lies within the margin "
                f"of {100 * self.margin:g} % (TOST, {apart})."
            )
        # Being faster by this much is the mirror image of the margin.
        limit = self.margin if ratio > 1 else self.margin / (1 + self.margin)
        more = f"more than {100 * limit:.2g} %"
        if self.surely:
            return (
                f"{by} It is {more} {side} (90 % interval {_span(self.narrower)}, "
                f"{beyond})."
            )
        return (
            f"{by.replace('R is', 'R is probably')} Whether it is {more} {side} is not "
            f"settled ({beyond} for more, {apart} for less)."
        )

    def _wish(self) -> str:
        """What would make an unclear result clear."""
        if len(self.parts) > 1:
            not_blocks = ", more blocks would not" * (self.p_alike < ALPHA)
            return f" More campaigns would narrow this down{not_blocks}."
        sd = self.pool.error * self.blocks**0.5
        numbers = (
            blocks_needed(sd, self.margin),
            *blocks_range(sd, self.pool.df, self.margin),
        )
        about, low, high = (f"{float(f'{n:.2g}'):,.0f}" for n in numbers)
        return (
            f" If there is no difference, about {about} blocks would show it (power "
            f"80 %). This number is rough, because it comes from {self.blocks} blocks: "
            f"{low} to {high} are possible."
        )

    def _widened(self) -> str:
        # A pool's interval is not that of its blocks.
        if len(self.parts) > 1 or not self.pool.widened:
            return ""
        return (
            " Blocks seem to resemble their neighbours (correlation "
            f"{self.pool.correlation:.2f}), or the ratio changed with time. The "
            "interval was widened for that."
        )


@dataclass(frozen=True, kw_only=True)
class Control(TimeRatio):
    """Python against itself: the ratio is 1 if the experiment is fair."""

    @property
    def biased(self) -> bool:
        return self.p_different < self._level

    @property
    def deviating(self) -> tuple[str, ...]:
        """Campaigns whose ratio is not 1, by t-tests with Bonferroni's correction.

        Campaigns that are biased in opposite directions would hide in a mean.
        """
        limit = self._level / (len(self.parts) * self.compared)
        return tuple(x.campaign for x in self.parts if x.mean.p_different < limit)

    @property
    def _level(self) -> float:
        # All campaigns together and each by itself are two tests.
        return ALPHA / 2 if len(self.parts) > 1 else ALPHA

    @property
    def warning(self) -> bool:
        return self.biased or bool(self.deviating)

    def words(self) -> str:
        p = _p(self.p_different, self.compared)
        found = (
            f"Python against itself gives {as_ratio(self.interval)} for "
            f"{PHASES[self.column]} {self.where}"
        )
        if self.biased:
            text = (
                f"Warning: the control failed. {found}, which does not include 1 "
                f"({p}). Probably the two arms are not treated alike. Do not trust a "
                "difference between the languages of about "
                f"{_percent(self.interval.estimate - 1)}."
            )
        elif self.deviating:
            text = (
                f"Warning: the control failed in {_few(self.deviating)} by more than "
                f"chance explains. {found}, over all campaigns."
            )
        else:
            text = f"Control: {found}. Chance can explain the difference from 1 ({p})."
        return text + self._widened()


@dataclass(frozen=True, kw_only=True)
class AccuracyGap(Statement):
    """R's test accuracy minus Python's, as a share from -1 to 1.

    It is of all runs that ended properly, whatever they trained. `gap` is None
    if every pair has the same accuracy to the last digit; then there is no
    interval, and none is needed. `p_apart` and `p_beyond` are the p values of
    "the difference is beyond the margin" (TOST) and of "it is within the
    margin", corrected for the `compared` gaps. Of `tried` blocks, `blocks` have
    both accuracies.
    """

    blocks: int
    tried: int
    margin: float
    gap: Mean | None
    p_apart: float = 0.0
    p_beyond: float = 1.0
    compared: int = 1

    @property
    def warning(self) -> bool:
        """With the same seed, hardly any difference is to be expected."""
        return self.p_beyond < ALPHA

    def words(self) -> str:
        start = f"Test accuracy {self.where}:"
        pairs = f"{self.blocks} pairs of runs"
        if self.blocks < self.tried:
            pairs += f", of {self.tried} blocks"
        if self.gap is None:
            return (
                f"{start} the same to the last digit in every pair ({pairs}), as it "
                "should be with the same seed."
            )
        # No accuracy is below 0 or above 1.
        gap, low, high = (
            f"{100 * min(1, max(-1, x)):z.2f}" for x in self.gap.interval(MARGIN_LEVEL)
        )
        text = (
            f"{start} R minus Python is {gap} points (90 % interval {low} to {high}; "
            f"{pairs})."
        )
        margin = f"{100 * self.margin:g} points"
        if self.warning:
            side = "more" if self.gap.value > 0 else "less"
            p = _p(self.p_beyond, self.compared)
            return (
                f"Warning: {text} R is {side} accurate, by more than the {margin} that "
                f"matter ({p})."
            )
        p = _p(self.p_apart, self.compared)
        verb = "is" if self.p_apart < ALPHA else "cannot be"
        return f"{text} A difference of {margin} or more {verb} excluded ({p})."


@dataclass(frozen=True, kw_only=True)
class Unknown(Statement):
    """Something that was not measured, or that the data do not tell, and why.

    If it is the `primary` question, it has no `parts`, unlike a `TimeRatio`.
    """

    what: str
    problem: str
    primary: bool = False
    parts: tuple[Part, ...] = ()

    @property
    def warning(self) -> bool:
        return self.primary

    def words(self) -> str:
        if self.primary:
            return (
                f"Warning: the primary question, {PHASES['fit_seconds']} {self.where}, "
                f"has no answer. {self.problem}"
            )
        return f"No result for {self.what} {self.where}: {self.problem}"


@dataclass(frozen=True, kw_only=True)
class Campaigns(Statement):
    """The campaigns that a ratio comes from, and on how many machines they ran.

    `work` is what they trained, if others trained something else.
    """

    names: tuple[str, ...]
    machines: int
    work: str = ""

    def words(self) -> str:
        count, machines = len(self.names), self.machines
        text = f"The result {self.where} comes from "
        text += "one campaign" if count == 1 else f"{count} campaigns"
        text += f" ({_few(self.names)})" if count <= MOST_NAMES else ""
        text += f" on {'one machine' if machines == 1 else f'{machines} machines'}."
        if count > 1:
            text += " Each campaign counts once, whatever its number of blocks."
        if machines == 1:
            text += " One machine cannot show how much machines differ."
        elif machines < count:
            text += (
                " Campaigns of one machine are not independent of each other, so "
                "the intervals are narrower than they should be."
            )
        if self.work:
            text += (
                f" The work was: {self.work}. Campaigns of other work are judged "
                "separately."
            )
        return text


@dataclass(frozen=True, kw_only=True)
class OtherTraining(Statement):
    """Runs of an arm that ended properly, but with other losses than Python's."""

    arm: str
    campaigns: tuple[str, ...]
    count: int
    runs: int

    warning = True

    def words(self) -> str:
        return (
            f"Warning: {NAMES[self.arm]} trained something else in {self.count} of "
            f"{self.runs} runs {self.where} ({_few(self.campaigns)}). With the same "
            f"seed, its losses should be those of {NAMES[REFERENCE]}. The times of "
            "these runs are not compared."
        )


_RESUME = "`python -m sidebyside.timing resume` measures the rest."
_HOLDS = "In simulations, such intervals hold the true ratio in "
# How campaigns ended, and what follows. The shares are those that
# tests/statistics/simulation.py finds.
_ENDED = {
    "unfinished": (
        "unfinished",
        f"{_RESUME} If one was stopped because of what it showed, do not trust its "
        "interval.",
    ),
    "cut off": (
        "the last line of runs.csv is cut off, so a run is missing",
        f"Get the file again, or continue: {_RESUME}",
    ),
    "early precision": (
        "ended by an older rule when the interval was narrow enough",
        f"{_HOLDS}about 94 % of campaigns, not in 95 %.",
    ),
    "precision": (
        "ended when the interval was narrow enough",
        f"{_HOLDS}at least 94.5 % of campaigns.",
    ),
    "budget": ("ended when the minutes were spent", ""),
}


@dataclass(frozen=True, kw_only=True)
class Ended(Statement):
    """Campaigns that did not end with the last block of their plan.

    `how` is a value of the column `ended`; of each campaign the name, its
    complete blocks and those of its plan, 0 if that is not known.
    """

    how: str
    campaigns: tuple[tuple[str, int, int], ...]

    @property
    def warning(self) -> bool:
        return self.how not in ("budget", "precision")

    def words(self) -> str:
        how, follows = _ENDED[self.how]
        told = ", ".join(f"{x} ({self._extent(*n)})" for x, *n in self.campaigns)
        start = f"Warning: {how}" if self.warning else how.capitalize()
        return f"{start}: {told}. {follows}".strip()

    def _extent(self, blocks: int, planned: int) -> str:
        if self.how == "unfinished" and blocks == planned:
            return f"all {planned} blocks, but end.json does not say that it ended"
        # With a precision, a plan has the most that there may be.
        if planned and "precision" not in self.how:
            return f"{blocks} of {planned} blocks"
        return f"{blocks} blocks"


@dataclass(frozen=True, kw_only=True)
class Failures(Statement):
    """Runs that do not count, by (arm, state, number), of all `runs`.

    Those that trained something else are not among them.
    """

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
    ratio, low, high = _shown(interval)
    return f"{ratio} (95 % interval {low} to {high})"


def _shown(interval: Interval, least: float = 1.0, most: float = 1.0) -> list[str]:
    """With enough digits: an interval above `least`, or below `most`, looks so."""
    _, low, high = interval
    digits = 3
    while digits < 9 and (
        low > least >= round(low, digits) or high < most <= round(high, digits)
    ):
        digits += 1
    return [_number(x, digits) for x in interval]


def _number(ratio: float, digits: int = 3) -> str:
    return f"{ratio:.{digits}f}" if ratio < 1000 else f"{ratio:.1e}"


def _p(p: float, compared: int) -> str:
    """As in "p = 0.012" and "corrected p below 0.001"."""
    corrected = "corrected " * (compared > 1)
    return f"{corrected}p " + (f"= {p:.2g}" if p >= 0.001 else "below 0.001")


def listed(names: Sequence[str]) -> str:
    """As in "a", "a and b", "a and 29 others"."""
    if len(names) > 2:
        names = [names[0], f"{len(names) - 1} others"]
    return " and ".join(names)


def _few(names: Sequence[str]) -> str:
    """All names, if there are not too many."""
    return ", ".join(names) if len(names) <= MOST_NAMES else listed(names)


def _span(interval: Interval) -> str:
    """As in "3.6 to 17 %", for a ratio with an interval without 1."""
    least, most = sorted(abs(end - 1) for end in interval[1:])
    return f"{_percent(least).removesuffix(' %')} to {_percent(most)}"


def _percent(share: float) -> str:
    """With two digits that count: 12 %, 1.2 %, 0.12 %."""
    percent = abs(share) * 100
    if percent >= 10_000:
        return f"{percent:.0e} %"
    return f"{percent:.0f} %" if percent >= 9.95 else f"{percent:#.2g} %"
