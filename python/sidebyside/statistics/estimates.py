"""Intervals, equivalence, power and pooling for log ratios of paired runs.

Notebook 06 explains these formulas, and others, in R and in Python.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import special, stats
from statsmodels.stats.oneway import anova_oneway

from ..common.errors import Sentence

LEVEL = 0.95
MARGIN = 0.03
"""Ratios between 1 / (1 + MARGIN) and 1 + MARGIN do not matter."""

ACCURACY_MARGIN = 0.005
"""Differences of test accuracy up to half a percentage point do not matter."""

# What a ratio of times shows. SMALL is a certain difference within the margin;
# UNCLEAR is neither a certain difference nor a certain equivalence.
SAME, SMALL, UNCLEAR = "same", "small", "unclear"
SLOWER, FASTER = "slower", "faster"


class CannotSay(Sentence, ValueError):
    """The data cannot answer the question. The message says what is missing."""


class Interval(NamedTuple):
    """A ratio or a difference, and the ends of its interval."""

    estimate: float
    low: float
    high: float


FEW_BLOCKS = 8
"""Fewer blocks tell too little about a campaign's scatter."""


@dataclass(frozen=True)
class Mean:
    """A mean (about normal), its standard error and its degrees of freedom.

    `correlation` is that of each block with the next one, NaN if there are too few
    blocks to estimate it. If it is convincing, `widened` is true, and `error` and
    `df` are computed as if there were fewer values.
    """

    value: float
    error: float
    df: float
    correlation: float = math.nan
    widened: bool = False

    @classmethod
    def of(cls, values: Any, what: str = "block") -> Mean:
        """The mean of values: one value for each `what`, in the order of the blocks.

        Values count as independent unless neighbouring blocks are alike
        (`_correlation()`). Then the mean gets the error and the degrees of freedom
        of fewer values. In simulations, ten blocks show a correlation of 0.4 only 4
        times in ten. Their intervals contain the truth 87 times in a hundred, and 82
        times without this correction. With 20 blocks and a correlation of 0.8 it is
        90 times.

        Raises
        ------
        CannotSay
            If there are fewer than two, or all are the same up to rounding.
        """
        values = np.asarray(values, float)
        n = len(values)
        if n < 2:
            raise CannotSay(
                f"There is {n} {what} with both runs. At least 2 are needed to see "
                "how much the difference scatters, and 10 are usual."
            )
        if np.ptp(values) <= 1e-12 * np.abs(values).max():
            raise CannotSay(
                f"The difference is exactly the same in all {n} {what}s. Real "
                "measurements scatter, so these were not measured, or were rounded too "
                "much."
            )
        correlation, widened, independent, df = math.nan, False, n, n - 1
        if what == "block" and n >= FEW_BLOCKS:
            correlation, widened = _correlation(values)
        if widened:
            independent = max(2.0, n * (1 - correlation) / (1 + correlation))
            # With fewer than 3, an interval would be useless if the correlation is
            # only chance.
            df = max(3.0, independent - 1)
        error = float(values.std(ddof=1)) / independent**0.5
        return cls(float(values.mean()), error, df, correlation, widened)

    def interval(self, level: float = LEVEL) -> Interval:
        """Student's t interval."""
        reach = self.error * float(special.stdtrit(self.df, (1 + level) / 2))
        return Interval(self.value, self.value - reach, self.value + reach)

    def ratio(self, level: float = LEVEL) -> Interval:
        """The interval of a mean of log ratios, converted to ratios."""
        return Interval(*map(math.exp, self.interval(level)))

    @property
    def p_different(self) -> float:
        """Two-sided p value of the hypothesis "the true mean is 0"."""
        return self.p_beyond(0)

    def p_apart(self, margin: float) -> float:
        """P value of the hypothesis "the true mean is not within the margin" (TOST).

        The larger one of two one-sided t-tests (D. J. Schuirmann, Journal of
        Pharmacokinetics and Biopharmaceutics 15, 1987, 657-680). `margin` is
        on the scale of the mean: `log(1 + margin)` for log ratios.
        """
        distance = (margin - abs(self.value)) / self.error
        return float(special.stdtr(self.df, -distance))

    def p_beyond(self, margin: float) -> float:
        """P value of the hypothesis "the true mean is within the margin".

        It says how often a mean is as far from 0 as this one, on either side, if
        the truth is at the edge of the margin. It is never below `p_different`.
        """
        distances = np.array([margin, -margin]) - abs(self.value)
        return float(special.stdtr(self.df, distances / self.error).sum())


def _correlation(values: np.ndarray) -> tuple[float, bool]:
    """Correlation of neighbours, without its bias, and whether it is convincing.

    For independent values the usual estimate averages -1 / n, with the variance
    (n - 2)^2 / (n^2 (n - 1)) (Moran, Biometrika 35, 1948, 255-260). For
    correlated values it is too small by (1 + 4 correlation) / n (Marriott and Pope,
    Biometrika 41, 1954, 390-402). A value is convincing if chance reaches it in
    fewer than one campaign of ten.
    """
    n, off = len(values), values - values.mean()
    excess = n * float(off[1:] @ off[:-1] / (off @ off)) + 1
    chance = special.ndtr(-excess * (n - 1) ** 0.5 / (n - 2))
    return min(1.0, max(-1.0, excess / (n - 4))), bool(chance < 0.1)


def outcome_of(value: float, p_different: float, p_apart: float) -> str:
    """What a mean log ratio shows: SAME, SMALL, SLOWER, FASTER or UNCLEAR."""
    different = p_different < 1 - LEVEL
    if p_apart < 1 - LEVEL:
        return SMALL if different else SAME
    if different:
        return SLOWER if value > 0 else FASTER
    return UNCLEAR


# --- several campaigns

_NARROW = 0.7
"""Intervals that are only a little narrower contain the truth often enough."""


@dataclass(frozen=True)
class Pool(Mean):
    """Mean log ratio of campaigns, see `pool()`.

    `p` is the p value of "all campaigns have the same ratio", NaN for one
    campaign. `narrow` says that the 95 % interval is much narrower than expected
    from the scatter of the blocks, even for campaigns that do not differ at all.
    `predicted` is the 95 % prediction interval for the log ratio of a campaign on
    another machine, None with fewer than three machines.
    """

    p: float = math.nan
    narrow: bool = False
    predicted: Interval | None = None


def pool(samples: Sequence[Any], machines: Sequence[Any] | None = None) -> Pool:
    """Mean log ratio of several campaigns, each of which counts once.

    The interval is Student's t interval of the campaigns' means. It contains the
    truth 95 times in a hundred, whether campaigns differ or not. For one campaign
    it is the paired t interval of its blocks. Notebook 06, "Machines and
    campaigns", compares it with random-effects means: with few campaigns, their
    intervals are too narrow.

    `p` comes from Alexander and Govern's test (Journal of Educational
    Statistics 19, 1994, 91-101). If a campaign has fewer than `FEW_BLOCKS` blocks,
    it comes from Brown and Forsythe's test in Mehrotra's version (Communications
    in Statistics - Simulation 26, 1997, 1139-1145). In both, the campaigns may
    scatter differently.

    Parameters
    ----------
    samples
        The log ratios of each campaign, at least two each, not all alike.
    machines
        The machine of each campaign. By default each has its own.

    Raises
    ------
    CannotSay
        If all campaigns have the same mean.
    """
    k = len(samples)
    if k == 1:
        return Pool(**vars(Mean.of(samples[0])))
    means = np.array([np.mean(sample) for sample in samples])
    mean = Mean.of(means, "campaign")
    sizes = np.array([len(sample) for sample in samples])
    scatter = np.array([np.var(sample, ddof=1) for sample in samples])
    if sizes.min() < FEW_BLOCKS:
        p = anova_oneway(samples, use_var="bf").pvalue
    else:
        p = stats.alexandergovern(*samples).pvalue
    own, alike = special.stdtrit([k - 1, sizes.sum() - k], (1 + LEVEL) / 2)
    expected = (scatter / sizes).sum() ** 0.5 / k
    return Pool(
        **vars(mean),
        p=float(p),
        narrow=bool(mean.error * own < _NARROW * expected * alike),
        predicted=_predicted(means, range(k) if machines is None else machines),
    )


def _predicted(means: np.ndarray, machines: Sequence[Any]) -> Interval | None:
    """The prediction interval for the mean of the next machine."""
    of_machine = pd.Series(means).groupby(list(machines)).mean()
    k = len(of_machine)
    reach = of_machine.std() * (1 + 1 / k) ** 0.5
    return Mean(of_machine.mean(), reach, k - 1).interval() if k > 2 else None


# --- how many blocks equivalence needs


def power_tost(margin: float, error: float, df: int) -> float:
    """Power of TOST if there is no difference, on the log scale.

    `error` is the standard error at the true scatter: sd / sqrt(n) for n
    pairs, with df = n - 1. The case that both tests fail is counted twice, so
    small powers come out too small. From 0.8 on it hardly ever happens.
    """
    one = stats.nct.sf(stats.t.ppf(LEVEL, df), df, margin / error)
    return max(0.0, 2 * float(one) - 1)


def blocks_needed(sd: float, margin: float = MARGIN, power: float = 0.8) -> int:
    """How many blocks show equivalence if there is no difference.

    Parameters
    ----------
    sd
        Standard deviation of the log ratio of a block.
    margin
        As in `MARGIN`.
    power
        The probability of success that is wanted, at most 0.99.
    """
    edge = math.log1p(margin)
    # The normal approximation needs 18 (sd / edge)^2 for a power of 0.99.
    enough = range(2, 10 + int(20 * (sd / edge) ** 2))
    return enough[
        bisect.bisect_left(
            enough, power, key=lambda n: power_tost(edge, sd / n**0.5, n - 1)
        )
    ]


def blocks_range(
    sd: float, df: float, margin: float = MARGIN, power: float = 0.8
) -> tuple[int, int]:
    """`blocks_needed()` at both ends of the 95 % interval of `sd`.

    `df` is 9 for ten blocks. Its upper end is then about 2.7 times its lower end.
    """
    tails = (1 + LEVEL) / 2, (1 - LEVEL) / 2
    low, high = sd * (df / stats.chi2.ppf(tails, df)) ** 0.5
    return blocks_needed(low, margin, power), blocks_needed(high, margin, power)


# --- random numbers that are the same in both languages

# Park and Miller's generator with their second multiplier (Communications of
# the ACM 36, 1993, p. 108). Products stay below 2^53, so that R computes them
# exactly: its numbers are doubles.
_MODULUS = 2147483647
_MULTIPLIER = 48271
# A small seed makes the first numbers small.
_THROWN_AWAY = 100


def _uniform(count: int, seed: int) -> np.ndarray:
    """Numbers between 0 and 1, without 0 and 1; R draws the same ones."""
    if not 1 <= seed < _MODULUS:
        raise ValueError(f"The seed is {seed}, expected 1 to {_MODULUS - 1}.")
    # The n-th number is seed * multiplier^n. Each step doubles the table of powers.
    powers = np.array([_MULTIPLIER], dtype=np.int64)
    while powers.size < _THROWN_AWAY + count:
        factor = int(powers[-1])
        powers = np.concatenate([powers, powers * factor % _MODULUS])
    powers = powers[_THROWN_AWAY : _THROWN_AWAY + count]
    return powers * seed % _MODULUS / _MODULUS


def resamples(n: int, times: int = 9999, seed: int = 1) -> np.ndarray:
    """Which blocks to draw with replacement: `times` rows of `n` positions.

    R's `resamples()` gives the same rows, counted from 1.

    Returns
    -------
    Whole numbers from 0 to n - 1, shape (times, n).
    """
    drawn = _uniform(n * times, seed).reshape(times, n)
    return np.floor(drawn * n).astype(np.int64)


def standard_normals(n: int, times: int = 1000, seed: int = 1) -> np.ndarray:
    """Draws from the standard normal distribution, shape (times, n).

    R's `standard_normals()` gives the same numbers, up to the last bits.
    """
    return special.ndtri(_uniform(n * times, seed)).reshape(times, n)


_ALL_FLIPS = 12


def sign_flips(n: int, times: int = 9999, seed: int = 1) -> np.ndarray:
    """Ways to exchange the two runs of a block: +1 (not exchanged) or -1.

    Up to 12 blocks these are all 2^n ways. With more blocks, the first row
    exchanges nothing and `times` random rows follow. R gives the same.

    Returns
    -------
    Whole numbers, shape (2^n, n) or (times + 1, n).
    """
    if n <= _ALL_FLIPS:
        rows = np.arange(2**n)[:, None]
        return 1 - 2 * ((rows >> np.arange(n)) & 1)
    drawn = np.where(_uniform(n * times, seed) < 0.5, 1, -1)
    return np.vstack([np.ones((1, n), int), drawn.reshape(times, n)])
