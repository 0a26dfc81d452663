"""The records that a verdict consists of. Each one can express itself in words.

Every number in a sentence comes from its record.
"""

from __future__ import annotations

import math
from collections import Counter
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
from .pairs import NAMES, PHASES, REFERENCE, RESOURCES

ALPHA = 1 - LEVEL
MARGIN_LEVEL = 1 - 2 * ALPHA
"""Level of the interval that decides what lies within the margin, or beyond it."""

MOST_NAMES = 8
"""Longer lists of names are shortened."""

# A sentence has no room for the intervals of more kinds of work.
_MOST_WORKS = 3


@dataclass(frozen=True, kw_only=True)
class Statement:
    """One thing that the measurements show, or that you should know about them.

    `device` is "cpu", "gpu" or "" (both). `of` names the campaigns if the device
    has campaigns of different work; otherwise it is "".
    """

    device: str = ""
    of: str = ""

    warning = False
    """Whether it casts doubt on the other statements."""

    @property
    def where(self) -> str:
        """For example "on the CPU" or "on the CPU in my-campaign"."""
        return f"on the {self.device.upper()}" + (f" in {self.of}" if self.of else "")

    def words(self) -> str:
        """The statement in a few sentences. A warning is marked as one."""
        return "Warning: " * self.warning + self.plain()

    def plain(self) -> str:
        """The same without the mark."""
        raise NotImplementedError


class Part(NamedTuple):
    """One campaign's share of a ratio."""

    campaign: str
    mean: Mean
    blocks: int


@dataclass(frozen=True, kw_only=True)
class TimeRatio(Statement):
    """An arm's time divided by Python's, for one device, phase and kind of work.

    `pool` is the mean log ratio, and `parts` has the mean of each campaign. One of
    R's ratios is the `primary` question. The others have p values that are
    corrected by Holm's method, for the `compared` ratios of the same arm. The
    hypotheses are "the ratio is 1" (`p_different`), "the ratio is beyond the
    margin" (`p_apart`, TOST), "the ratio is within the margin" (`p_beyond`) and
    "all campaigns have the same ratio" (`p_alike`, corrected for all of R's ratios).
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
        """A ratio with the p values of `pool`, which are not corrected."""
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
        """Whether R is shown to be slower, or faster, by more than the margin."""
        return self.outcome in (SLOWER, FASTER) and self.p_beyond < ALPHA

    @property
    def blocks(self) -> int:
        return sum(part.blocks for part in self.parts)

    @property
    def phase(self) -> str:
        """For example "whole process, CPU"."""
        clock = PHASES[self.column].removeprefix("the ")
        return f"{clock}, {self.device.upper()}"

    def plain(self) -> str:
        about = f"{PHASES[self.column]} {self.where}"
        ratio, low, high = _shown(self.interval)
        found = f"95 % interval {low} to {high}; "
        if self.arm == "r" and self.outcome == SAME:
            # `meaning()` has the interval that decides.
            ratio, found = _number(self.interval.estimate), ""
        found = f"{ratio} times as long as Python ({found}{self.blocks} pairs of runs)."
        if self.arm != "r":
            return f"For {about}, {NAMES[self.arm]} takes {found}{self._widened()}"
        which = "The primary" if self.primary else "A secondary"
        return f"{which} question is {about}. R takes {found} {self.meaning()}"

    def meaning(self) -> str:
        """What R's ratio means, and how far the result can be trusted."""
        text = self._claim()
        if self.outcome == UNCLEAR and self.primary:
            text += self._wish()
        if self.p_alike < ALPHA:
            low, *_, high = sorted(part.mean.ratio().estimate for part in self.parts)
            if self.outcome != UNCLEAR:
                text = f"On average over these campaigns, {text}"
            text += (
                f" The campaigns do not agree: their ratios range from {_number(low)} "
                f"to {_number(high)}. That is more than chance explains, so the ratio "
                "depends on the machine or on the circumstances."
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
                different += "; the interval is not corrected" * (self.compared > 1)
            return (
                f"Inconclusive: R could be {could}. The runs show neither a difference "
                f"({different}) nor equivalence (TOST, {apart})."
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
        words = (
            f"{by.replace('R is', 'R is probably')} Whether it is {more} {side} is not "
            f"settled (test for more: {beyond}; test for less: {apart})."
        )
        # An interval beyond the margin would seem to settle it.
        if self.compared > 1 and min(abs(low - 1), abs(high - 1)) > limit:
            words += " The interval is not corrected."
        return words

    def _wish(self) -> str:
        """What would settle an inconclusive result."""
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
            f" If there is no difference, about {about} blocks would show that (with a "
            "power of 80 %). This number is rough, because it comes from "
            f"{self.blocks} blocks: it could be {low} to {high}."
        )

    def _widened(self) -> str:
        # A pool's interval is not that of its blocks.
        if len(self.parts) > 1 or not self.pool.widened:
            return ""
        return (
            " Blocks seem to resemble their neighbours (correlation "
            f"{self.pool.correlation:.2f}), or the ratio changed with time. The "
            "interval was widened to allow for that."
        )


@dataclass(frozen=True, kw_only=True)
class Control(TimeRatio):
    """Python measured against itself: the ratio is 1 if the experiment is fair."""

    @property
    def biased(self) -> bool:
        return self.p_different < self._level

    @property
    def deviating(self) -> tuple[str, ...]:
        """Campaigns whose ratio is not 1, by t-tests with Bonferroni's correction.

        The mean would hide campaigns that are biased in opposite directions.
        """
        limit = self._level / (len(self.parts) * self.compared)
        return tuple(x.campaign for x in self.parts if x.mean.p_different < limit)

    @property
    def _level(self) -> float:
        # There are two tests: of all campaigns together, and of each one.
        return ALPHA / 2 if len(self.parts) > 1 else ALPHA

    @property
    def warning(self) -> bool:
        return self.biased or bool(self.deviating)

    def plain(self) -> str:
        p = _p(self.p_different, self.compared)
        found = (
            "Python measured against itself gives a ratio of "
            f"{as_ratio(self.interval)} for {PHASES[self.column]} {self.where}"
        )
        if self.biased:
            text = (
                f"The control failed. {found}. This differs from 1 by more than "
                f"chance explains ({p}). Probably the two arms are not treated alike. "
                "Do not trust a difference of about "
                f"{_percent(self.interval.estimate - 1)} between the languages."
            )
        elif self.deviating:
            text = (
                f"The control failed in {_few(self.deviating)} by more than chance "
                f"explains. Over all campaigns, {found}."
            )
        else:
            text = f"Control: {found}. Chance can explain the difference from 1 ({p})."
        return text + self._widened()


@dataclass(frozen=True, kw_only=True)
class ResourceRatio(TimeRatio):
    """R's processor time or peak memory divided by Python's.

    "Slower" and "faster" in its outcome mean that R uses more, or less.
    """

    @property
    def phase(self) -> str:
        """For example "peak memory, CPU"."""
        return f"{RESOURCES[self.column]}, {self.device.upper()}"

    def plain(self) -> str:
        return Resource(device=self.device, ratios=(self,)).plain()

    @property
    def kind(self) -> str:
        """What the ratio shows, for example "probably more"."""
        margin = f"the margin of {100 * self.margin:g} %"
        more = "more" if self.pool.value > 0 else "less"
        if self.outcome == UNCLEAR:
            return "inconclusive"
        if self.outcome in (SAME, SMALL):
            return f"within {margin}"
        return f"{more}, beyond {margin}" if self.surely else f"probably {more}"

    def meaning(self) -> str:
        """The same with its p value, and with doubts."""
        p = _p(self.p_beyond if self.surely else self.p_different, self.compared)
        if self.outcome in (SAME, SMALL):
            p = f"TOST, {_p(self.p_apart, self.compared)}"
        elif self.outcome == UNCLEAR and not (
            self.interval.low <= 1 <= self.interval.high
        ):
            p += "; the interval is not corrected"
        doubt = ", but the campaigns do not agree" * (self.p_alike < ALPHA)
        return f"{self.kind} ({p}){doubt}"


@dataclass(frozen=True, kw_only=True)
class Resource(Statement):
    """R's ratios of processor time, or of peak memory, on one device.

    There is one ratio for each kind of work, and one sentence for all of them.
    """

    ratios: tuple[ResourceRatio, ...]

    def plain(self) -> str:
        what = RESOURCES[self.ratios[0].column]
        question = f"A secondary question is {what} {self.where}."
        if len(self.ratios) > _MOST_WORKS:
            least, most = (
                _number(end(f.interval.estimate for f in self.ratios))
                for end in (min, max)
            )
            kinds = Counter(f.kind for f in self.ratios).most_common()
            counts = "; ".join(f"in {count} {kind}" for kind, count in kinds)
            return (
                f"{question} For {len(self.ratios)} kinds of work, R needs {least} to "
                f"{most} times as much as Python: {counts} (by corrected p values)."
            )
        each = []
        for f in self.ratios:
            ratio, low, high = _shown(f.interval)
            found = f"95 % interval {low} to {high}; {f.blocks} pairs of runs"
            times = f"{ratio} times as much as Python" if not each else ratio
            of = f" in {f.of}" if f.of else ""
            each.append(f"{times}{of} ({found}): {f.meaning()}")
        return f"{question} R needs {'; '.join(each)}."


@dataclass(frozen=True, kw_only=True)
class AccuracyGap(Statement):
    """R's test accuracy minus Python's, as a share from -1 to 1.

    It covers all runs that ended properly, whatever they trained. `gap` is None
    if every pair has the same accuracy to the last digit; then no interval is
    needed. `p_apart` and `p_beyond` are the p values of "the difference is beyond
    the margin" (TOST) and of "it is within the margin", corrected for the
    `compared` gaps. Of `tried` blocks, `blocks` have both accuracies.
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
        """With the same seed, we expect hardly any difference."""
        return self.p_beyond < ALPHA

    def plain(self) -> str:
        start = f"Test accuracy {self.where}"
        pairs = f"{self.blocks} pairs of runs"
        if self.blocks < self.tried:
            pairs += f", of {self.tried} blocks"
        if self.gap is None:
            return (
                f"{start} is the same to the last digit in every pair ({pairs}), as "
                "expected with the same seed."
            )
        # No accuracy is below 0 or above 1.
        gap, low, high = (
            f"{100 * min(1, max(-1, x)):z.2f}" for x in self.gap.interval(MARGIN_LEVEL)
        )
        text = (
            f"{start}: R minus Python is {gap} points (90 % interval {low} to {high}; "
            f"{pairs})."
        )
        margin = f"{100 * self.margin:g} points"
        if self.warning:
            side = "more" if self.gap.value > 0 else "less"
            p = _p(self.p_beyond, self.compared)
            more = f"R is {side} accurate, by more than the margin of {margin}"
            return f"{text} {more} ({p})."
        p = _p(self.p_apart, self.compared)
        verb = "is" if self.p_apart < ALPHA else "cannot be"
        return f"{text} A difference of {margin} or more {verb} excluded ({p})."


@dataclass(frozen=True, kw_only=True)
class Unknown(Statement):
    """Something that was not measured, or that the data cannot answer, and why.

    The `primary` question has no `parts` here, unlike in a `TimeRatio`.
    """

    what: str
    problem: str
    primary: bool = False
    parts: tuple[Part, ...] = ()

    @property
    def warning(self) -> bool:
        return self.primary

    def plain(self) -> str:
        if self.primary:
            return (
                f"The primary question, {PHASES['fit_seconds']} {self.where}, "
                f"has no answer. {self.problem}"
            )
        return f"No result for {self.what} {self.where}: {self.problem}"


@dataclass(frozen=True, kw_only=True)
class Campaigns(Statement):
    """The campaigns that a ratio comes from, and the number of their machines.

    `work` is what they trained, if other campaigns trained something else.
    """

    names: tuple[str, ...]
    machines: int
    work: str = ""

    def plain(self) -> str:
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
                f" The result is about this work: {self.work}. Campaigns of other work "
                "are judged separately."
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

    def plain(self) -> str:
        return (
            f"{NAMES[self.arm]} trained something else in {self.count} of {self.runs} "
            f"runs {self.where} ({_few(self.campaigns)}). With the same seed, its "
            f"losses should be equal to {NAMES[REFERENCE]}'s. The times of these runs "
            "are not compared."
        )


_RESUME = "`python -m sidebyside.timing resume` measures the rest."
_HOLDS = "In simulations, such intervals contain the true ratio in "
# How campaigns ended, and what follows from that. The shares come from
# tests/statistics/simulation.py.
_ENDED = {
    "unfinished": (
        "Unfinished",
        f"{_RESUME} If a campaign was stopped because of its results, do not trust its "
        "interval.",
    ),
    "cut off": (
        "The last line of runs.csv is cut off, so a run is missing",
        f"Get the file again, or measure again: {_RESUME}",
    ),
    "early precision": (
        "Ended by an older rule when the interval was narrow enough",
        f"{_HOLDS}about 94 % of campaigns, not in 95 %.",
    ),
    "precision": (
        "Ended when the interval was narrow enough",
        f"{_HOLDS}at least 94.5 % of campaigns.",
    ),
    "budget": ("Ended when the planned minutes were over", ""),
}


@dataclass(frozen=True, kw_only=True)
class Ended(Statement):
    """Campaigns that did not end with the last block of their plan.

    `how` is a value of the column `ended`. Each campaign has its name, the number
    of its complete blocks and that of its plan, 0 if the plan is not known.
    """

    how: str
    campaigns: tuple[tuple[str, int, int], ...]

    @property
    def warning(self) -> bool:
        return self.how not in ("budget", "precision")

    def plain(self) -> str:
        how, follows = _ENDED[self.how]
        told = ", ".join(f"{x} ({self._extent(*n)})" for x, *n in self.campaigns)
        return f"{how}: {told}. {follows}".strip()

    def _extent(self, blocks: int, planned: int) -> str:
        if self.how == "unfinished" and blocks == planned:
            return f"all {planned} blocks, but end.json does not say that it ended"
        # With a precision, the plan only has an upper limit.
        if planned and "precision" not in self.how:
            return f"{blocks} of {planned} blocks"
        return f"{blocks} blocks"


@dataclass(frozen=True, kw_only=True)
class Failures(Statement):
    """Runs that do not count: (arm, state, number), and the number of all `runs`.

    Runs that trained something else are not among them.
    """

    counts: tuple[tuple[str, str, int], ...]
    runs: int

    @property
    def unequal(self) -> bool:
        """Whether R and Python failed unequally often, without interruptions."""
        lost = dict.fromkeys(NAMES, 0)
        for arm, state, count in self.counts:
            lost[arm] += count if state != "interrupted" else 0
        return lost["r"] != lost[REFERENCE]

    def plain(self) -> str:
        each = ", ".join(f"{NAMES[arm]} ({n} {state})" for arm, state, n in self.counts)
        lost = sum(n for *_, n in self.counts)
        text = f"{lost} of {self.runs} runs do not count: {each}."
        if self.unequal:
            text += (
                " R and Python did not fail equally often. Only the runs that finished "
                "are compared, which may favour one of the two."
            )
        return text


@dataclass(frozen=True, kw_only=True)
class LeftOut(Statement):
    """Blocks or campaigns that are not used."""

    what: str

    def plain(self) -> str:
        return f"Not used {self.where}: {self.what}."


# --- in words


def as_ratio(interval: Interval) -> str:
    ratio, low, high = _shown(interval)
    return f"{ratio} (95 % interval {low} to {high})"


def _shown(interval: Interval, least: float = 1.0, most: float = 1.0) -> list[str]:
    """Enough digits to see that an interval is above `least`, or below `most`."""
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
    """For example "p = 0.012" or "corrected p below 0.001"."""
    corrected = "corrected " * (compared > 1)
    return f"{corrected}p " + (f"= {p:.2g}" if p >= 0.001 else "below 0.001")


def listed(names: Sequence[str]) -> str:
    """For example "a", "a and b" or "a and 29 others"."""
    if len(names) > 2:
        names = [names[0], f"{len(names) - 1} others"]
    return " and ".join(names)


def _few(names: Sequence[str]) -> str:
    """All names, if there are not too many."""
    return ", ".join(names) if len(names) <= MOST_NAMES else listed(names)


def _span(interval: Interval) -> str:
    """For example "3.6 to 17 %". The interval must not contain 1."""
    least, most = sorted(abs(end - 1) for end in interval[1:])
    return f"{_percent(least).removesuffix(' %')} to {_percent(most)}"


def _percent(share: float) -> str:
    """With two significant digits: 12 %, 1.2 %, 0.12 %."""
    percent = abs(share) * 100
    if percent >= 10_000:
        return f"{percent:.0e} %"
    return f"{percent:.0f} %" if percent >= 9.95 else f"{percent:#.2g} %"
