"""Intervals, equivalence, power and pooling for log ratios of paired runs.

Notebook 06 writes out the same formulas, and others, in R and in Python.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy import special, stats

from ..common.errors import Sentence

LEVEL = 0.95
MARGIN = 0.03
"""Ratios between 1 / (1 + MARGIN) and 1 + MARGIN do not matter."""

ACCURACY_MARGIN = 0.005
"""Differences of test accuracy up to half a point do not matter either."""

# What a ratio of times says. SMALL is a difference that is certain, but within
# the margin; UNCLEAR is neither a certain difference nor a certain equality.
SAME, SMALL, UNCLEAR = "same", "small", "unclear"
SLOWER, FASTER = "slower", "faster"


class CannotSay(Sentence, ValueError):
    """The data do not answer the question; the message says what is missing."""


class Interval(NamedTuple):
    """A ratio or a difference, and the ends of its interval."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class Mean:
    """A mean that is about normal, its standard error and degrees of freedom."""

    value: float
    error: float
    df: int

    @classmethod
    def of(cls, values: Any, what: str = "block") -> Mean:
        """The mean of independent values, one for each `what`.

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
                "how much the difference scatters; 10 are usual."
            )
        if np.ptp(values) <= 1e-12 * np.abs(values).max():
            raise CannotSay(
                f"The difference is the same in all {n} {what}s. Measured values "
                "scatter: this was not measured, or too coarsely."
            )
        return cls(float(values.mean()), float(values.std(ddof=1)) / n**0.5, n - 1)

    def interval(self) -> Interval:
        """Student's t interval."""
        reach = self.error * float(stats.t.ppf((1 + LEVEL) / 2, self.df))
        return Interval(self.value, self.value - reach, self.value + reach)

    def ratio(self) -> Interval:
        """The interval of a mean of log ratios, as a ratio."""
        return Interval(*map(math.exp, self.interval()))

    @property
    def p_different(self) -> float:
        """Two-sided p value of "the true mean is 0"."""
        return 2 * float(stats.t.sf(abs(self.value) / self.error, self.df))

    def p_apart(self, margin: float) -> float:
        """P value of "the true mean is not within the margin", by TOST.

        The larger one of two one-sided t-tests (D. J. Schuirmann, Journal of
        Pharmacokinetics and Biopharmaceutics 15, 1987, 657-680). `margin` is
        on the scale of the mean: `log(1 + margin)` for log ratios.
        """
        distance = (margin - abs(self.value)) / self.error
        return float(stats.t.sf(distance, self.df))

    def outcome(self, margin: float) -> str:
        """What a mean of log ratios says: SAME, SMALL, SLOWER, FASTER, UNCLEAR."""
        different = self.p_different < 1 - LEVEL
        if self.p_apart(margin) < 1 - LEVEL:
            return SMALL if different else SAME
        if different:
            return SLOWER if self.value > 0 else FASTER
        return UNCLEAR


# --- several campaigns

FEW_BLOCKS = 8
"""With fewer blocks a campaign's own scatter is hardly known."""

# With ten campaigns or more hardly any interval is that much narrower, and one
# that is a little narrower covers the truth about as often as it should.
_NARROW = 0.7


@dataclass(frozen=True)
class Pool(Mean):
    """Mean log ratio of campaigns, see `pool()`.

    `p` is the p value of "all campaigns have the same ratio", NaN for one
    campaign. `narrow` says that the campaigns happen to agree so well that
    the 95 % interval is much narrower than the scatter of their blocks would
    make it if the campaigns did not differ at all.
    """

    p: float = math.nan
    narrow: bool = False


def pool(samples: Sequence[Any]) -> Pool:
    """Mean log ratio of several campaigns, each of which counts once.

    The interval is Student's t interval of the campaigns' means, with k - 1
    degrees of freedom. It assumes nothing about the blocks, and covers the
    truth 95 times in a hundred whether campaigns differ or not. With two or
    three campaigns it is usually wide. For one campaign it is the paired t
    interval of its blocks. Notebook 06, "Machines and campaigns", compares it
    with random-effects means, whose intervals of few campaigns are too narrow.

    `p` comes from Welch's analysis of variance (Biometrika 38, 1951, 330-336),
    or, if a campaign has fewer than `FEW_BLOCKS` blocks, from one with the
    same scatter in all campaigns.

    Parameters
    ----------
    samples
        The log ratios of each campaign, at least two in each, not all alike.

    Raises
    ------
    CannotSay
        If all campaigns have the same mean.
    """
    k = len(samples)
    if k == 1:
        return Pool(**vars(Mean.of(samples[0])))
    mean = Mean.of([np.mean(sample) for sample in samples], "campaign")
    sizes = np.array([len(sample) for sample in samples])
    scatter = np.array([np.var(sample, ddof=1) for sample in samples])
    few = bool((sizes < FEW_BLOCKS).any())
    within = int(sizes.sum()) - k
    own, alike = stats.t.ppf((1 + LEVEL) / 2, [k - 1, within])
    expected = (scatter / sizes).sum() ** 0.5 / k
    return Pool(
        **vars(mean),
        p=float(stats.f_oneway(*samples, equal_var=few).pvalue),
        narrow=bool(mean.error * own < _NARROW * expected * alike),
    )


# --- how many blocks equivalence needs


def power_tost(margin: float, error: float, df: int) -> float:
    """Power of TOST if there is no difference, on the log scale.

    `error` is the standard error at the true scatter: sd / sqrt(n) for n
    pairs, with df = n - 1. That both tests fail at once is counted twice:
    from a power of 0.8 on this hardly ever happens, a smaller one comes out
    too small. Notebook 06 has the exact integral.
    """
    one = stats.nct.sf(stats.t.ppf(LEVEL, df), df, margin / error)
    return max(0.0, 2 * float(one) - 1)


def blocks_needed(sd: float, margin: float = MARGIN, power: float = 0.8) -> int:
    """The number of blocks that show equivalence, if there is no difference.

    Parameters
    ----------
    sd
        Standard deviation of the log ratio of a block.
    margin
        As in `MARGIN`.
    power
        How probable it has to be, at most 0.99.
    """
    edge = math.log1p(margin)
    # The normal approximation needs 18 (sd / edge)^2 for a power of 0.99.
    enough = range(2, 10 + int(20 * (sd / edge) ** 2))
    return enough[
        bisect.bisect_left(
            enough, power, key=lambda n: power_tost(edge, sd / n**0.5, n - 1)
        )
    ]


# --- random numbers that both languages can draw

# Park and Miller's generator with their second multiplier (Communications of
# the ACM 36, 1993, p. 108). Products stay below 2^53, so that R, whose
# numbers are doubles, computes it exactly.
_MODULUS = 2147483647
_MULTIPLIER = 48271
# A small seed makes the first numbers small.
_THROWN_AWAY = 100


def _uniform(count: int, seed: int) -> np.ndarray:
    """Numbers between 0 and 1, both excluded; the same ones as in R."""
    if not 1 <= seed < _MODULUS:
        raise ValueError(f"seed is {seed}; expected 1 to {_MODULUS - 1}.")
    # The n-th number is seed * multiplier^n: powers by doubling the table.
    powers = np.array([_MULTIPLIER], dtype=np.int64)
    while powers.size < _THROWN_AWAY + count:
        factor = int(powers[-1])
        powers = np.concatenate([powers, powers * factor % _MODULUS])
    powers = powers[_THROWN_AWAY : _THROWN_AWAY + count]
    return powers * seed % _MODULUS / _MODULUS


def resamples(n: int, times: int = 9999, seed: int = 1) -> np.ndarray:
    """Which blocks to draw: `times` rows of `n` places, with replacement.

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
    """Ways to exchange the two runs of a block: +1 (as they are) and -1.

    All 2^n of them up to 12 blocks. With more blocks, the one in which
    nothing is exchanged and `times` random ones. The same in R.

    Returns
    -------
    Whole numbers, shape (2^n, n) or (times + 1, n).
    """
    if n <= _ALL_FLIPS:
        rows = np.arange(2**n)[:, None]
        return 1 - 2 * ((rows >> np.arange(n)) & 1)
    drawn = np.where(_uniform(n * times, seed) < 0.5, 1, -1)
    return np.vstack([np.ones((1, n), int), drawn.reshape(times, n)])
