"""What a verdict consists of: records, each of which can say itself in words.

No sentence has a number in it that does not come from its record.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import stats

from .estimates import (
    LESS,
    LEVEL,
    MORE,
    SAME,
    SMALL,
    UNCLEAR,
    Interval,
    Pool,
    blocks_needed,
)
from .pairs import REFERENCE, CannotSay

CONTROL = "python-again"
NAMES = {
    "python": "Python",
    "r": "R",
    CONTROL: "Python again",
    "rpy2": "R inside Python (rpy2)",
}
PHASES = {"fit_seconds": "training", "process_seconds": "the whole process"}

# What MORE and LESS are called for times, and for accuracies.
SLOWER, FASTER = "slower", "faster"
HIGHER, LOWER = "higher", "lower"

# Lists with more names than this are cut short.
MOST_NAMED = 8
MOST_REPEATED = 2


@dataclass(frozen=True, kw_only=True)
class Statement:
    """One thing that the measurements say, or that has to be said about them.

    `subject` is what it is about: "training", "the whole process",
    "accuracy", "control", "campaigns" or "runs". `device` is "cpu", "gpu" or
    "" (both), `of` names the campaigns where a device has campaigns of
    different work, and is "" otherwise.
    """

    subject: str
    device: str = ""
    of: str = ""

    @property
    def warning(self) -> bool:
        """Whether it casts doubt on the rest."""
        return False

    @property
    def where(self) -> str:
        """As in "on the CPU" and "on the CPU in my-campaign"."""
        place = f"on the {self.device.upper()}" if self.device else ""
        return place + (f" in {self.of}" if self.of else "")

    def words(self) -> str:
        """The statement in one to three sentences."""
        raise NotImplementedError


class Part(NamedTuple):
    """One campaign's share of a ratio."""

    campaign: str
    blocks: int
    interval: Interval


@dataclass(frozen=True, kw_only=True)
class TimeRatio(Statement):
    """One arm's time over Python's, on one device, by one clock, for one work.

    `interval` is the 95 % interval of the ratio, `parts` has one for each
    campaign, `p_different` is the p value of "the ratio is 1" and `p_apart`
    that of "it is beyond the margin" (TOST). `outcome` is SAME, SMALL, SLOWER,
    FASTER or UNCLEAR; `surely` says that the whole interval is beyond the margin.
    `left_out` says what was not used.
    """

    arm: str
    column: str
    pool: Pool
    margin: float
    interval: Interval
    parts: tuple[Part, ...]
    p_different: float
    p_apart: float
    outcome: str
    surely: bool
    left_out: tuple[str, ...]

    @property
    def blocks(self) -> int:
        return sum(part.blocks for part in self.parts)

    @property
    def title(self) -> str:
        """As in "R / Python, training, CPU"."""
        name = NAMES.get(self.arm, self.arm)
        return f"{name} / {NAMES[REFERENCE]}, {self.phase}" + (
            f", {self.of}" if self.of else ""
        )

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
        test = f"(TOST, {_p(self.p_apart)})"
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
        ends = sorted([abs(low - 1), abs(high - 1)])
        span = f"by {_percent(ends[0]).removesuffix(' %')} to {_percent(ends[1])}"
        if self.surely:
            return f"R is {side}: {span}, more than the {limit} that matter."
        return (
            f"R is probably {side}: {span}. Whether it is more than {limit} {side} "
            "is not settled."
        )

    def _wish(self) -> str:
        """What would make an unclear result clear."""
        if len(self.parts) > 1:
            ratios = [part.interval.estimate for part in self.parts]
            return (
                f"The ratios of the {len(ratios)} campaigns range from "
                f"{min(ratios):.3f} to {max(ratios):.3f}; more campaigns would "
                "narrow this down."
            )
        try:
            n = blocks_needed(self.pool.error * self.blocks**0.5, self.margin)
        except CannotSay as problem:
            return str(problem)
        return (
            f"With this scatter it would take {n} blocks to show that there is no "
            "difference, if there is none (power 80 %)."
        )


@dataclass(frozen=True, kw_only=True)
class Control(TimeRatio):
    """Python against itself: the ratio is 1 if the experiment is fair.

    `deviating` names the campaigns in which it differs from 1 by more than
    chance explains.
    """

    deviating: tuple[str, ...]

    @property
    def biased(self) -> bool:
        return not self.interval.low <= 1 <= self.interval.high

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


def deviating(parts: Sequence[Part]) -> tuple[str, ...]:
    """Campaigns whose ratio is not 1, by t-tests with Bonferroni's correction.

    Campaigns that are biased in opposite directions would hide in a mean.
    """
    found = []
    for part in parts:
        mean, low, high = np.log(part.interval)
        df = part.blocks - 1
        error = (high - low) / 2 / stats.t.ppf((1 + LEVEL) / 2, df)
        if 2 * stats.t.sf(abs(mean) / error, df) * len(parts) < 1 - LEVEL:
            found.append(part.campaign)
    return tuple(found)


@dataclass(frozen=True, kw_only=True)
class AccuracyGap(Statement):
    """R's test accuracy minus Python's, as a share from -1 to 1.

    `identical` if every pair has the same accuracy to the last digit; then
    there is no interval, and none is needed. `outcome` is SAME, SMALL, HIGHER,
    LOWER or UNCLEAR.
    """

    blocks: int
    identical: bool
    margin: float
    interval: Interval
    outcome: str
    surely: bool

    def words(self) -> str:
        start = f"Test accuracy {self.where}:"
        if self.identical:
            return (
                f"{start} the same to the last digit in all {self.blocks} pairs, "
                "because the same seed gives the same numbers in both languages."
            )
        gap, low, high = (f"{100 * share:.2f}" for share in self.interval)
        limit = f"{100 * self.margin:g} points"
        meaning = {
            SAME: f"a difference of {limit} is excluded.",
            SMALL: f"there is a difference, but it is less than {limit}.",
            UNCLEAR: f"inconclusive: {limit} or more cannot be excluded.",
        }.get(self.outcome)
        if meaning is None:
            sure = "by more than" if self.surely else "but perhaps not by more than"
            meaning = f"R's is {self.outcome}, {sure} {limit}."
        return (
            f"{start} R minus Python is {gap} points (95 % interval {low} to "
            f"{high}, {self.blocks} pairs); {meaning}"
        )


@dataclass(frozen=True, kw_only=True)
class NotMeasured(Statement):
    """A device, or a control, for which there are no measurements."""

    def words(self) -> str:
        if self.subject == "control":
            return (
                f"Python was not measured against itself {self.where}, so the "
                "experiment itself is not checked."
            )
        return f"Nothing was measured {self.where}."


@dataclass(frozen=True, kw_only=True)
class Unknown(Statement):
    """Something that the data do not tell, and why."""

    problem: str
    arm: str = ""

    def words(self) -> str:
        about = {"accuracy": "test accuracy"}.get(self.subject, self.subject)
        who = f"{NAMES[self.arm]}, " if self.arm else ""
        return f"No result for {who}{about} {self.where}: {self.problem}"


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
        named = f" ({', '.join(self.names)})" if count <= MOST_NAMED else ""
        text = (
            f"The result {self.where} pools {count} campaigns{named} of {of}; each "
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

    `low` and `high` are the smallest and the largest ratio. They differ by
    more than chance explains, or else agree better than it lets one expect.
    """

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
                f"The campaigns do not agree on {self.subject} {self.where}: their "
                f"ratios range from {self.low:.3f} to {self.high:.3f}, more than "
                "chance explains. The ratio depends on the machine or on the "
                "circumstances."
            )
        return (
            f"Warning: the {self.count} campaigns agree on {self.subject} "
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
    """Runs that do not count, by (arm, state, number)."""

    counts: tuple[tuple[str, str, int], ...]
    runs: int

    @property
    def lost(self) -> int:
        return sum(count for *_, count in self.counts)

    @property
    def unequal(self) -> bool:
        """Whether R and Python failed unequally often; interruptions aside."""
        lost = dict.fromkeys(("r", REFERENCE), 0)
        for arm, state, count in self.counts:
            if arm in lost and state != "interrupted":
                lost[arm] += count
        return lost["r"] != lost[REFERENCE]

    def words(self) -> str:
        listed = ", ".join(
            f"{NAMES.get(arm, arm)} {count} {state}"
            for arm, state, count in self.counts
        )
        text = f"{self.lost} of {self.runs} runs did not count: {listed}."
        if self.unequal:
            text += (
                " R and Python did not fail equally often, so only the runs that "
                "survived are compared."
            )
        return text


@dataclass(frozen=True, kw_only=True)
class LeftOut(Statement):
    """Runs, blocks or campaigns that were not used."""

    what: str

    def words(self) -> str:
        return f"Not used {self.where}: {self.what}."


# --- numbers in words


def as_ratio(interval: Interval) -> str:
    return (
        f"{interval.estimate:.3f} (95 % interval {interval.low:.3f} to "
        f"{interval.high:.3f})"
    )


def listed(names: Sequence[str]) -> str:
    """As in "a", "a and b", "a and 29 others"."""
    if len(names) > MOST_REPEATED:
        names = [names[0], f"{len(names) - 1} others"]
    return " and ".join(names)


def named(outcome: str, more: str, less: str) -> str:
    """An outcome of `Mean.outcome()`, with these words for MORE and LESS."""
    return {MORE: more, LESS: less}.get(outcome, outcome)


def _percent(share: float) -> str:
    """With two digits that count: 12 %, 1.2 %, 0.12 %."""
    percent = abs(share) * 100
    if percent >= 9.95:
        return f"{percent:.0f} %"
    return f"{percent:.1f} %" if percent >= 0.095 else f"{percent:.2f} %"


def _p(value: float) -> str:
    return f"p = {value:.2g}" if value >= 0.001 else "p below 0.001"
