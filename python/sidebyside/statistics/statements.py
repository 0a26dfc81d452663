"""What a verdict consists of: records, each of which can say itself in words.

No sentence has a number in it that does not come from its record.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..timing.format import LEAST_BLOCKS, MORE_BLOCKS
from .estimates import (
    LEVEL,
    SAME,
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

NEVER_EARLY = LEAST_BLOCKS + MORE_BLOCKS
# How often a 95 % interval at which a campaign stopped holds the true ratio:
# by today's rule, and before there was one with so many blocks
# (tests/statistics/simulation.py).
COVERAGE, EARLY_COVERAGE = 0.945, 0.93


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
    `left_out` says what was not used. One of R's ratios is the `primary`
    question. The p values of the others are corrected for the `compared`
    ratios that the same arm has, by Holm's method: of "the ratio is 1", "the
    ratio is beyond the margin" (TOST), "the ratio is within the margin" and
    "all campaigns have the same ratio" (for all of R's ratios).
    """

    arm: str
    column: str
    pool: Pool
    margin: float
    parts: tuple[Part, ...]
    left_out: tuple[str, ...]
    primary: bool = False
    compared: int = 1
    p_different: float
    p_apart: float
    p_beyond: float
    p_alike: float

    @property
    def interval(self) -> Interval:
        """The ratio and its 95 % interval."""
        return self.pool.ratio()

    @property
    def narrower(self) -> Interval:
        """The ratio and its 90 % interval."""
        return self.pool.ratio(MARGIN_LEVEL)

    @property
    def ratios(self) -> list[float]:
        """The ratio of each campaign."""
        return [math.exp(part.mean.value) for part in self.parts]

    @property
    def outcome(self) -> str:
        """SAME, SMALL, SLOWER, FASTER or UNCLEAR."""
        return outcome_of(self.pool.value, self.p_different, self.p_apart)

    @property
    def surely(self) -> bool:
        """Whether R is slower, or faster, by more than the margin."""
        different = self.outcome not in (SAME, SMALL, UNCLEAR)
        return different and self.p_beyond < ALPHA

    @property
    def blocks(self) -> int:
        return sum(part.mean.df + 1 for part in self.parts)

    @property
    def phase(self) -> str:
        """As in "whole process, CPU"."""
        clock = PHASES[self.column].removeprefix("the ")
        return f"{clock}, {self.device.upper()}"

    def words(self) -> str:
        about = f"{PHASES[self.column]} {self.where}"
        # The one interval that decides is the other one.
        same = self.arm == "r" and self.outcome == SAME
        found = _number(self.interval.estimate) if same else as_ratio(self.interval)
        found += f" times as long as Python, from {self.blocks} pairs of runs."
        if self.arm != "r":
            return f"For {about} {NAMES[self.arm]} takes {found}"
        which = "The primary" if self.primary else "A secondary"
        text = f"{which} question is {about}. R takes {found} {self.meaning()}"
        if self.pool.predicted is not None:
            _, low, high = map(math.exp, self.pool.predicted)
            text += (
                f" On another machine R would probably take between {low:.3f} and "
                f"{high:.3f} times as long as Python (95 % prediction interval)."
            )
        return text

    def meaning(self) -> str:
        """What R's ratio means."""
        ratio, low, high = self.interval
        side = "slower" if ratio > 1 else "faster"
        # Being faster by this much is the mirror image of the margin.
        matters = self.margin if ratio > 1 else self.margin / (1 + self.margin)
        limit = f"{100 * matters:.2g} %"
        edge = math.log1p(self.margin)
        within = (
            f"the 90 % interval, {self.narrower.low:.3f} to {self.narrower.high:.3f}, "
            f"lies within the {100 * self.margin:g} % that do not matter"
        )
        test = f"TOST, {self._p(self.p_apart)}"
        if self.outcome == SAME:
            return f"R and Python are equally fast: {within} ({test})."
        span, p = _span(self.interval), self._p(self.p_different)
        of_p = "" if self.primary else f" ({p})"
        if self.outcome == SMALL:
            return (
                f"R is {side} by {_percent(ratio - 1)}{of_p}, but that is too little "
                f"to matter: {within} ({test})."
            )
        if self.outcome == UNCLEAR:
            if self.pool.p_different < ALPHA:
                return f"Inconclusive: R seems {side}, by {span}, {self._lost(p)}."
            if self.pool.p_apart(edge) < ALPHA:
                return f"Inconclusive: {within}, {self._lost(test)}."
            text = (
                f"Inconclusive: R could be up to {_percent(low - 1)} faster or "
                f"{_percent(high - 1)} slower."
            )
            return f"{text} {self._wish()}" if self.primary else text
        if self.surely:
            beyond = self._p(self.p_beyond)
            if low > 1 + self.margin or high < 1 / (1 + self.margin):
                of_p = "" if self.primary else f" ({beyond})"
                return (
                    f"R is {side}: by {span}, more than the {limit} that matter{of_p}."
                )
            return (
                f"R is {side}: by {span}{of_p}, and by more than the {limit} that "
                f"matter (90 % interval {_span(self.narrower)}, {beyond})."
            )
        unsettled = f"Whether it is more than {limit} {side} is not settled."
        suggested = f"The 90 % interval, {_span(self.narrower)}, suggests"
        if self.pool.p_beyond(edge) < ALPHA:
            lost = self._lost(self._p(self.p_beyond))
            unsettled = f"{suggested} more than {limit}, {lost}."
        elif self.pool.p_apart(edge) < ALPHA:
            unsettled = f"{suggested} less than {limit}, {self._lost(test)}."
        return f"R is probably {side}: by {span}{of_p}. {unsettled}"

    def _p(self, p: float) -> str:
        """As in "p = 0.012, corrected for 3 comparisons"."""
        # 0.049 and 0.051 are on two sides of 0.05.
        digits = 3 if 0.04 < p < 0.06 else 2
        text = f"p = {p:.{digits}g}" if p >= 0.001 else "p below 0.001"
        many = self.compared > 1
        return text + f", corrected for {self.compared} comparisons" * many

    def _lost(self, p: str) -> str:
        """Of what an interval says, but not the corrected p value."""
        return f"but among several questions that is not certain ({p})"

    def _wish(self) -> str:
        """What would make an unclear result clear."""
        if self.p_alike < ALPHA:
            return (
                "The campaigns differ from each other: more campaigns would narrow "
                "this down, more blocks in each would not."
            )
        if len(self.parts) > 1:
            return "More campaigns would narrow this down."
        sd = self.pool.error * self.blocks**0.5
        low, high = blocks_range(sd, self.pool.df, self.margin)
        return (
            f"It would take about {blocks_needed(sd, self.margin)} blocks to show that "
            "there is no difference, if there is none (power 80 %). It could be "
            f"{low} to {high}, because {self.blocks} blocks tell the scatter only "
            "roughly."
        )


@dataclass(frozen=True, kw_only=True)
class Control(TimeRatio):
    """Python against itself: the ratio is 1 if the experiment is fair."""

    @property
    def _limit(self) -> float:
        """Of several campaigns the mean and each by itself are tested."""
        return ALPHA / 2 if len(self.parts) > 1 else ALPHA

    @property
    def biased(self) -> bool:
        return self.p_different < self._limit

    @property
    def deviating(self) -> tuple[str, ...]:
        """Campaigns whose ratio is not 1, by t-tests with Bonferroni's correction.

        Campaigns that are biased in opposite directions would hide in a mean.
        """
        limit = self._limit / (len(self.parts) * self.compared)
        return tuple(x.campaign for x in self.parts if x.mean.p_different < limit)

    @property
    def warning(self) -> bool:
        return self.biased or bool(self.deviating)

    def words(self) -> str:
        found = (
            f"Python against itself gives {as_ratio(self.interval)} for "
            f"{PHASES[self.column]} {self.where}"
        )
        p = self._p(self.p_different)
        if self.biased:
            return (
                f"Warning: the control failed. {found}, which does not include 1 "
                f"({p}). Either this is the one time in twenty when chance does that, "
                "or the two arms are not treated alike. Do not trust a difference "
                "between the languages of about "
                f"{_percent(self.interval.estimate - 1)}."
            )
        if self.deviating:
            return (
                f"Warning: the control failed in {', '.join(self.deviating)} by more "
                f"than chance explains. {found}, over all campaigns."
            )
        if self.pool.p_different < ALPHA:
            return (
                f"Control: {found}. It does not include 1, but among several controls "
                f"that can be chance ({p})."
            )
        return f"Control: {found}, which includes 1, as it should."


@dataclass(frozen=True, kw_only=True)
class AccuracyGap(Statement):
    """R's test accuracy minus Python's, as a share from -1 to 1.

    It is of all runs that ended properly, whatever they trained. `gap` is None
    if every pair has the same accuracy to the last digit; then there is no
    interval, and none is needed. `p_apart` is the p value of "the difference
    is beyond the margin" (TOST), corrected for the `compared` gaps.
    """

    blocks: int
    margin: float
    gap: Mean | None
    p_apart: float = 0.0
    compared: int = 1

    def words(self) -> str:
        start = f"Test accuracy {self.where}:"
        if self.gap is None:
            return (
                f"{start} the same to the last digit in all {self.blocks} pairs, as it "
                "should be with the same seed."
            )
        gap, low, high = (f"{100 * x:.2f}" for x in self.gap.interval(MARGIN_LEVEL))
        excluded = self.p_apart < ALPHA
        lost = self.gap.p_apart(self.margin) < ALPHA and not excluded
        many = f" after the correction for {self.compared} comparisons" if lost else ""
        return (
            f"{start} R minus Python is {gap} points (90 % interval {low} to {high}, "
            f"{self.blocks} pairs). A difference of {100 * self.margin:g} points or "
            f"more {'is' if excluded else 'cannot be'} excluded{many}."
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
class OtherTraining(Statement):
    """Runs of an arm that ended properly, but with other losses than Python's."""

    arm: str
    count: int
    runs: int

    @property
    def warning(self) -> bool:
        return True

    def words(self) -> str:
        return (
            f"Warning: {NAMES[self.arm]} trained something else in {self.count} of "
            f"{self.runs} runs {self.where}: with the same seed the losses are not "
            f"those of {NAMES[REFERENCE]}. The times of these runs are not compared."
        )


@dataclass(frozen=True, kw_only=True)
class Ended(Statement):
    """How a campaign ended, if not with the last block of its plan.

    `how` is "unfinished", "cut off" (of the last run only a part is left) or
    "precision" (the interval was narrow enough); `planned` is 0 if it is not
    known.
    """

    campaign: str
    how: str
    blocks: int
    planned: int

    @property
    def warning(self) -> bool:
        return self.how != "precision" or self.blocks < NEVER_EARLY

    def words(self) -> str:
        of = f" of {self.planned}" if self.planned else ""
        if self.how == "precision":
            text = (
                f"ampaign {self.campaign} ended after {self.blocks} blocks, because "
                "its interval was narrow enough. In simulations such intervals hold "
                "the true ratio in"
            )
            if not self.warning:
                return f"C{text} at least {100 * COVERAGE:g} % of all campaigns."
            return (
                f"Warning: c{text} about {100 * EARLY_COVERAGE:g} % of all campaigns "
                f"with fewer than {NEVER_EARLY} blocks, not in {100 * LEVEL:g} %."
            )
        if self.how == "cut off":
            return (
                f"Warning: the last line of campaign {self.campaign} is cut off, so "
                f"that a run is missing; it has {self.blocks}{of} blocks. Get the file "
                "again, or measure the rest by `python -m sidebyside.timing resume`."
            )
        return (
            f"Warning: campaign {self.campaign} is unfinished: {self.blocks}{of} "
            "blocks. `python -m sidebyside.timing resume` measures the others. If it "
            "was stopped because of what it showed, do not trust its intervals."
        )


@dataclass(frozen=True, kw_only=True)
class Neighbours(Statement):
    """Ratios of a block and of the next are alike: arm, column, correlation."""

    found: tuple[tuple[str, str, float], ...]

    def words(self) -> str:
        told = "; ".join(f"{NAMES[a]}, {PHASES[c]}: {x:.2f}" for a, c, x in self.found)
        return (
            f"Blocks resemble their neighbours {self.where} (correlation of the ratios "
            f"of one block and the next: {told}). These intervals are wider therefore."
        )


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
    ratio, low, high = map(_number, interval)
    return f"{ratio} (95 % interval {low} to {high})"


def _number(ratio: float) -> str:
    return f"{ratio:.3f}" if ratio < 1000 else f"{ratio:.1e}"


def listed(names: Sequence[str]) -> str:
    """As in "a", "a and b", "a and 29 others"."""
    if len(names) > 2:
        names = [names[0], f"{len(names) - 1} others"]
    return " and ".join(names)


def _span(interval: Interval) -> str:
    """As in "3.6 to 17 %", for a ratio with an interval without 1."""
    least, most = sorted(abs(end - 1) for end in interval[1:])
    return f"{_percent(least).removesuffix(' %')} to {_percent(most)}"


def _percent(share: float) -> str:
    """With two digits that count: 12 %, 1.2 %, 0.12 %."""
    percent = abs(share) * 100
    if percent >= 10_000:
        return f"{percent:.0e} %"
    if percent >= 9.95:
        return f"{percent:.0f} %"
    return f"{percent:.1f} %" if percent >= 0.095 else f"{percent:.2f} %"
