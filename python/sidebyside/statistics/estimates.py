"""Estimates, tests, equivalence and power for pairs of timed runs.

The functions here take two arrays, `r` and `python`, whose last axis is the
block: `r[..., i]` and `python[..., i]` are the two runs of block `i`. All
other axes are kept, so that a thousand made-up campaigns are judged in one
call, which is how the tests find out how often an interval covers the truth.

Notebook 06 writes the same formulas out in R and in Python; its checks
compare them with these.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import integrate, special, stats

LEVEL = 0.95
MARGIN = 0.03
"""Ratios between 1 / (1 + MARGIN) and 1 + MARGIN do not matter."""

ACCURACY_MARGIN = 0.005
"""Half a point of test accuracy does not matter either."""

REFERENCE = "python"
STATES = ("ok", "crashed", "timeout", "wrong-loss", "interrupted")
NEEDED = ("campaign", "run", "block", "arm", "device", "state")
EPOCHS = ("epoch_seconds", "loss", "accuracy", "val_loss", "val_accuracy")
TEST_ACCURACY = "test_accuracy"
"""Not a column: the last value of `val_accuracy`, a share from 0 to 1."""


class CannotSay(ValueError):
    """The data do not answer the question; the message says what is missing.

    A notebook shows the message alone, without the way to it.
    """

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]


# --- from rows to pairs


@dataclass(frozen=True)
class Pairs:
    """The blocks in which two arms have both got a value.

    `table` has one row for each such block, with the columns `campaign`,
    `machine`, `block`, `value` (of `arm`) and `against` (of `reference`);
    `left_out` says in sentences what was not used, and why.
    """

    arm: str
    reference: str
    device: str
    column: str
    table: pd.DataFrame
    left_out: tuple[str, ...]

    @property
    def value(self) -> np.ndarray:
        return self.table["value"].to_numpy(float)

    @property
    def against(self) -> np.ndarray:
        return self.table["against"].to_numpy(float)


def epochs(value: Any) -> np.ndarray:
    """One number per epoch, from a sequence or from "1.5;1.2;1.2".

    Raises
    ------
    CannotSay
        If one of them is no number.
    """
    numbers = value
    if isinstance(value, str):
        numbers = [part for part in value.split(";") if part.strip()]
    elif value is None or value is pd.NA:
        numbers = []
    try:
        numbers = np.asarray(numbers, dtype=float)
        if numbers.ndim == 0:
            numbers = numbers[None][~np.isnan(numbers[None])]
        return numbers
    except (TypeError, ValueError):
        raise CannotSay(
            f"{str(value)[:60]!r} stands where one number per epoch is "
            'expected, joined by ";" or in a sequence.'
        ) from None


def values_of(runs: pd.DataFrame, column: str) -> pd.Series:
    """A column as numbers, `TEST_ACCURACY` among them.

    Raises
    ------
    CannotSay
        If there is no such column, or what stands in it is no number.
    """
    source = "val_accuracy" if column == TEST_ACCURACY else column
    _has_columns(runs, [source])
    if column == TEST_ACCURACY:
        curves = [epochs(value) for value in runs[source]]
        last = [curve[-1] if curve.size else np.nan for curve in curves]
        return pd.Series(last, index=runs.index, dtype=float)
    try:
        return runs[column].astype(float)
    except (TypeError, ValueError):
        raise CannotSay(
            f"The column {column} holds something that is not a number."
        ) from None


def plain_words(runs: pd.DataFrame) -> pd.DataFrame:
    """The same table with texts where pandas has categories.

    Categories that do not occur would come back as empty groups.
    """
    words = runs.select_dtypes("category").columns
    return runs.astype(dict.fromkeys(words, object)) if len(words) else runs


def measured(runs: pd.DataFrame, device: str | None = None) -> pd.DataFrame:
    """The rows that count: without the warm-up block, of one device.

    Raises
    ------
    CannotSay
        If columns are missing, or no row is left.
    """
    _has_columns(runs, NEEDED)
    if not len(runs):
        raise CannotSay("There is no run: the table of measurements is empty.")
    # Tables that were put together may have the same label twice.
    kept = plain_words(runs[runs["block"] > 0]).reset_index(drop=True)
    if not len(kept):
        raise CannotSay(
            f"All {len(runs)} runs belong to the warm-up block, which is not "
            "judged. Let the campaign go on: it needs 2 blocks at least, 10 "
            "is the standard."
        )
    if device is not None:
        kept = kept[kept["device"] == device]
        if not len(kept):
            raise CannotSay(f"There is no run on the {device.upper()}.")
    return kept.reset_index(drop=True)


def failed(runs: pd.DataFrame) -> pd.Series:
    """How many runs ended in each state that is not `ok`, by (arm, state).

    The runs of the warm-up block are counted too: a crash is a crash.
    """
    _has_columns(runs, NEEDED)
    wrong = plain_words(runs[runs["state"] != "ok"])
    return wrong.groupby(["arm", "state"]).size()


def complete_pairs(
    runs: pd.DataFrame,
    column: str = "fit_seconds",
    arm: str = "r",
    reference: str = REFERENCE,
    device: str = "cpu",
) -> Pairs:
    """The blocks in which both arms completed, warm-up left out.

    Parameters
    ----------
    runs
        One row per run, as `sidebyside.timing.load_campaigns()` gives it.
    column
        A column of seconds, or `TEST_ACCURACY`.
    arm, reference
        What is compared with what.
    device
        "cpu" or "gpu".

    Raises
    ------
    CannotSay
        If there is nothing to compare: no completed run, one arm only, no
        block with both, a time that is not above zero.
    """
    rows = measured(runs, device)
    of_both = rows[rows["arm"].isin([arm, reference])]
    done = of_both[of_both["state"] == "ok"]
    if not (rows["state"] == "ok").any():
        raise CannotSay(
            f"None of the {len(rows)} runs on the {device.upper()} was "
            f"completed ({_counted(rows['state'])}). The column `message` of "
            "runs.csv says why."
        )
    for name in (arm, reference):
        if not (done["arm"] == name).any():
            others = ", ".join(sorted(set(rows["arm"][rows["state"] == "ok"])))
            raise CannotSay(
                f"The arm {name!r} has no completed run on the "
                f"{device.upper()} (completed: {others or 'none'}). A "
                f"comparison needs both {arm!r} and {reference!r}."
            )

    left_out = []
    values = values_of(done, column)
    missing = ~np.isfinite(values)
    if missing.any():
        names = ", ".join(str(n) for n in done["run"][missing])
        left_out.append(
            f"{_many(int(missing.sum()), 'completed run')} "
            f"{_have(int(missing.sum()))} no {column} (run {names})."
        )
    good = done.assign(_value=values)[~missing]
    if column != TEST_ACCURACY and (good["_value"] <= 0).any():
        bad = good[good["_value"] <= 0].iloc[0]
        raise CannotSay(
            f"{column} is {bad['_value']:g} in run {bad['run']} of campaign "
            f"{bad['campaign']}; a time has to be above zero."
        )
    keys = ["campaign", "block"]
    twice = good.duplicated([*keys, "arm"], keep="last")
    if twice.any():
        left_out.append(
            f"{_many(int(twice.sum()), 'run')} of the same arm and block as a "
            "later one: the later one is used."
        )
        good = good[~twice]
    if "machine" not in good:
        good = good.assign(machine=good["campaign"])
    first = good[good["arm"] == arm].set_index(keys)
    second = good[good["arm"] == reference].set_index(keys)
    table = pd.DataFrame(
        {
            "machine": first["machine"],
            "value": first["_value"],
            "against": second["_value"],
        }
    )
    table = table.dropna(subset=["value", "against"]).sort_index()
    tried = of_both.groupby(keys).ngroups
    lost = tried - len(table)
    if lost:
        left_out.append(
            f"{_many(lost, 'block')} of {tried} {_have(lost)} no complete "
            f"pair of {arm} and {reference} and {_are(lost)} left out."
        )
    if not len(table):
        raise CannotSay(
            f"No block has a completed run of both {arm!r} and {reference!r} "
            f"on the {device.upper()} with a {column}; each lacks its partner."
        )
    return Pairs(arm, reference, device, column, table.reset_index(), tuple(left_out))


def main_campaign(runs: pd.DataFrame, device: str | None = None) -> str:
    """The campaign with the most complete pairs; the last name of those.

    The sections of notebook 06 that look at one campaign look at this one.

    Parameters
    ----------
    device
        "cpu" or "gpu": of this device only.

    Raises
    ------
    CannotSay
        If no campaign has a pair of runs of R and Python.
    """
    rows = measured(runs, device)
    counts, problems = {}, []
    for name, part in rows.groupby("campaign"):
        try:
            pairs = complete_pairs(part, device=part["device"].iloc[0])
            log_ratios(pairs.value, pairs.against)
        except CannotSay as problem:
            problems.append(problem)
            continue
        counts[name] = len(pairs.table)
    if not counts:
        raise problems[0]
    return max(counts, key=lambda name: (counts[name], name))


def main_campaigns(runs: pd.DataFrame) -> dict[str, str]:
    """Device to `main_campaign()`, for the devices that have got one.

    Raises
    ------
    CannotSay
        If no device has.
    """
    found, problems = {}, []
    for device in sorted(set(measured(runs)["device"])):
        try:
            found[device] = main_campaign(runs, device)
        except CannotSay as problem:
            problems.append(problem)
    if not found:
        raise problems[0]
    return found


def _has_columns(runs: pd.DataFrame, columns: Sequence[str]) -> None:
    missing = [name for name in columns if name not in runs]
    if missing:
        raise CannotSay(
            f"The table of runs lacks the column {', '.join(missing)}; it "
            f"has {', '.join(map(str, runs.columns)) or 'none'}."
        )


def _many(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")


def _have(count: int) -> str:
    return "has" if count == 1 else "have"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _counted(states: pd.Series) -> str:
    counts = states.value_counts()
    return ", ".join(f"{counts[s]} {s}" for s in sorted(counts.index))


def columns_of(runs: pd.DataFrame) -> dict[str, list]:
    """The table for R: numbers and texts, epochs as lists of numbers."""
    columns: dict[str, list] = {}
    for name in runs:
        if name in EPOCHS:
            columns[name] = [epochs(v).tolist() for v in runs[name]]
        elif runs[name].dtype.kind in "biuf":
            numbers = runs[name].to_numpy(float, na_value=np.nan)
            columns[name] = numbers.tolist()
        else:
            texts = runs[name].astype(object).where(runs[name].notna(), "")
            columns[name] = [str(text) for text in texts]
    return columns


def from_columns(columns: Mapping[str, Any]) -> pd.DataFrame:
    """The table again, from what R made of `columns_of()`."""
    table = {}
    for name, values in columns.items():
        # Lists of epochs may differ in length, so NumPy is not asked.
        alone = isinstance(values, str) or not isinstance(values, Iterable)
        values = [values] if alone else list(values)
        if name in EPOCHS:
            values = [tuple(epochs(value)) for value in values]
        table[name] = pd.Series(values, dtype=object).infer_objects()
    runs = pd.DataFrame(table)
    for name in ("run", "block", "position", "seed", "epochs"):
        if name in runs and runs[name].notna().all():
            runs[name] = runs[name].astype(int)
    return runs


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
        raise ValueError(f"seed is {seed}; 1 to {_MODULUS - 1} is possible.")
    # The n-th number is seed * multiplier^n: powers by doubling the table.
    powers = np.array([_MULTIPLIER], dtype=np.int64)
    while powers.size < _THROWN_AWAY + count:
        factor = int(powers[-1])
        powers = np.concatenate([powers, powers * factor % _MODULUS])
    powers = powers[_THROWN_AWAY : _THROWN_AWAY + count]
    return powers * seed % _MODULUS / _MODULUS


def resamples(n: int, times: int = 9999, seed: int = 1) -> np.ndarray:
    """Which blocks to draw: `times` rows of `n` places, drawn with return.

    R's `resamples()` gives the same rows, counted from 1.

    Returns
    -------
    Whole numbers from 0 to n - 1, shape (times, n).
    """
    drawn = _uniform(n * times, seed).reshape(times, n)
    return np.floor(drawn * n).astype(np.int64)


def standard_normals(n: int, times: int = 1000, seed: int = 1) -> np.ndarray:
    """Draws from the standard normal distribution, shape (times, n).

    R's `standard_normals()` gives the same numbers, to the last bits.
    """
    return special.ndtri(_uniform(n * times, seed)).reshape(times, n)


# So many blocks, and all 2^n ways to exchange the two runs of a block are
# looked at; with more, 9,999 of them are drawn.
_ALL_FLIPS = 12


def sign_flips(n: int, times: int = 9999, seed: int = 1) -> np.ndarray:
    """Ways to exchange the two runs of a block: +1 (as they are) and -1.

    All 2^n of them up to 12 blocks; with more, `times` that are drawn, after
    the one in which nothing is exchanged. The same in R.

    Returns
    -------
    Whole numbers, shape (2^n, n) or (times + 1, n).
    """
    if n <= _ALL_FLIPS:
        rows = np.arange(2**n)[:, None]
        return 1 - 2 * ((rows >> np.arange(n)) & 1)
    drawn = np.where(_uniform(n * times, seed) < 0.5, 1, -1)
    return np.vstack([np.ones((1, n), int), drawn.reshape(times, n)])


# --- estimates: the ratio R / Python with its interval


class Interval(NamedTuple):
    """A ratio (or a difference) and the ends of its interval."""

    estimate: Any
    low: Any
    high: Any


def log_ratios(r: Any, python: Any) -> np.ndarray:
    """log(r / python), block by block.

    Raises
    ------
    CannotSay
        If there are fewer than two blocks, a value is missing or not above
        zero, or all ratios are one and the same number.
    """
    r, python = np.asarray(r, float), np.asarray(python, float)
    if r.shape != python.shape or r.ndim == 0:
        raise CannotSay(
            f"Pairs are needed, but there are {r.size} values of R and "
            f"{python.size} of Python."
        )
    if r.shape[-1] < 2:
        raise CannotSay(
            f"There is {r.shape[-1]} block with both runs. From one block "
            "nobody can tell how much such a ratio scatters: 2 are needed at "
            "least, 10 is the standard."
        )
    both = np.stack([r, python])
    if not np.isfinite(both).all():
        raise CannotSay("A time is missing (NaN); leave its block out.")
    if (both <= 0).any():
        raise CannotSay(
            f"The smallest time is {both.min():g}; a time has to be above zero."
        )
    logs = np.log(r / python)
    if without_scatter(logs).any():
        raise CannotSay(
            f"The ratio is the same in all {r.shape[-1]} blocks "
            f"({np.exp(logs.flat[0]):g}). Times that are measured scatter; a "
            "column that does not was not measured, or the clock is too "
            "coarse for it."
        )
    return logs


def without_scatter(values: Any) -> Any:
    """Whether all values (last axis) are one and the same number.

    But for the last bits, which differ by the way to the number.
    """
    values = np.asarray(values, float)
    return np.ptp(values, axis=-1) <= 1e-12 * np.abs(values).max(-1)


def log_t(r: Any, python: Any, level: float = LEVEL) -> Interval:
    """Paired t interval of the mean log ratio, as a ratio.

    Assumes that log ratios are about normal. Estimates the ratio of the
    geometric means.
    """
    d = log_ratios(r, python)
    n = d.shape[-1]
    mean = d.mean(-1)
    reach = stats.t.ppf((1 + level) / 2, n - 1) * d.std(-1, ddof=1) / n**0.5
    return Interval(np.exp(mean), np.exp(mean - reach), np.exp(mean + reach))


def fieller(r: Any, python: Any, level: float = LEVEL) -> Interval:
    """Fieller's interval of the ratio of the mean times, for pairs.

    All ratios rho for which a t-test of r - rho * python against 0 does not
    reject: the solutions of a quadratic (E. C. Fieller, Journal of the Royal
    Statistical Society B 16, 1954, 175-185).

    Raises
    ------
    CannotSay
        If Python's mean time is so uncertain that the interval has no end.
    """
    log_ratios(r, python)
    r, python = np.asarray(r, float), np.asarray(python, float)
    n = r.shape[-1]
    x, y = r.mean(-1), python.mean(-1)
    dx, dy = r - x[..., None], python - y[..., None]
    t2 = stats.t.ppf((1 + level) / 2, n - 1) ** 2 / (n * (n - 1))
    a = y**2 - t2 * (dy**2).sum(-1)
    b = x * y - t2 * (dx * dy).sum(-1)
    c = x**2 - t2 * (dx**2).sum(-1)
    if (a <= 0).any():
        raise CannotSay(
            "Python's times scatter so much that their mean might be zero: "
            "Fieller's interval of the ratio has no end."
        )
    root = np.sqrt(np.maximum(b**2 - a * c, 0))
    return Interval(x / y, (b - root) / a, (b + root) / a)


def bca(
    r: Any,
    python: Any,
    level: float = LEVEL,
    rows: np.ndarray | None = None,
    expanded: bool = True,
) -> Interval:
    """Bootstrap of blocks: the ratio of the mean times, BCa interval.

    Bias corrected and accelerated (B. Efron, Journal of the American
    Statistical Association 82, 1987, 171-185), the acceleration from the
    jackknife. Plain bootstrap intervals are too short when there are few
    blocks: with ten, nine in ten cover the truth. `expanded` widens them by
    sqrt(n / (n - 1)) and from normal to t quantiles (T. Hesterberg, The
    American Statistician 69, 2015, 371-386).

    Parameters
    ----------
    rows
        Which blocks to draw, see `resamples()`.
    expanded
        False gives what R's `boot.ci` and SciPy's `bootstrap` give, up to
        their other resamples.
    """
    log_ratios(r, python)
    r, python = np.asarray(r, float), np.asarray(python, float)
    n = r.shape[-1]
    rows = resamples(n) if rows is None else rows
    # How often each block was drawn: a resampled sum is a product of these.
    drawn = np.zeros((len(rows), n))
    np.add.at(drawn, (np.arange(len(rows))[:, None], rows), 1)
    ratio = r.sum(-1) / python.sum(-1)
    again = (r @ drawn.T) / (python @ drawn.T)
    again.sort(-1)
    # A draw of every block once is the observed ratio, but for the last bits.
    side = np.sign(np.round(again / ratio[..., None] - 1, 12))
    below = (side < 0).mean(-1) + (side == 0).mean(-1) / 2
    z0 = stats.norm.ppf(below)
    without = (r.sum(-1)[..., None] - r) / (python.sum(-1)[..., None] - python)
    pull = without.mean(-1)[..., None] - without
    acceleration = (pull**3).sum(-1) / (6 * (pull**2).sum(-1) ** 1.5)
    if expanded:
        z = stats.t.ppf((1 + level) / 2, n - 1) * (n / (n - 1)) ** 0.5
    else:
        z = stats.norm.ppf((1 + level) / 2)
    ends = []
    for sign in (-1, 1):
        shifted = z0 + sign * z
        share = stats.norm.cdf(z0 + shifted / (1 - acceleration * shifted))
        ends.append(_quantile(again, share))
    return Interval(ratio, *ends)


def _quantile(ordered: np.ndarray, share: np.ndarray) -> np.ndarray:
    """R's type 6 of values in order, with another share for each row."""
    count = ordered.shape[-1]
    place = np.clip((count + 1) * share, 1, count) - 1
    low = np.floor(place).astype(int)
    high = np.minimum(low + 1, count - 1)
    a = np.take_along_axis(ordered, low[..., None], -1)[..., 0]
    b = np.take_along_axis(ordered, high[..., None], -1)[..., 0]
    return a + (place - low) * (b - a)


class Posterior(NamedTuple):
    """Student's t distribution of the mean log ratio, given the data."""

    mean: Any
    scale: Any
    df: int

    def interval(self, level: float = LEVEL) -> Interval:
        """Central credible interval of the ratio."""
        reach = self.scale * stats.t.ppf((1 + level) / 2, self.df)
        return Interval(
            np.exp(self.mean),
            np.exp(self.mean - reach),
            np.exp(self.mean + reach),
        )

    def probability(self, low: float = 0.0, high: float = math.inf) -> Any:
        """That the ratio lies between two ratios."""
        ends = np.log([max(low, 1e-300), high])
        cdf = [stats.t.cdf((e - self.mean) / self.scale, self.df) for e in ends]
        return cdf[1] - cdf[0]


def posterior(r: Any, python: Any, prior_blocks: float = 0.01) -> Posterior:
    """Normal log ratios with the conjugate prior around "no difference".

    The prior says: no difference, as if `prior_blocks` blocks had shown it;
    about the scatter it says nothing (flat in the standard deviation).
    Normal-inverse-gamma: A. Gelman et al., Bayesian Data Analysis, section
    3.3.
    """
    d = log_ratios(r, python)
    n = d.shape[-1]
    mean = d.mean(-1)
    weight = n + prior_blocks
    squares = ((d - mean[..., None]) ** 2).sum(-1)
    squares = squares + prior_blocks * n / weight * mean**2
    return Posterior(n * mean / weight, np.sqrt(squares / ((n - 1) * weight)), n - 1)


def bayes(
    r: Any, python: Any, level: float = LEVEL, prior_blocks: float = 0.01
) -> Interval:
    """95 % credible interval of the ratio, see `posterior()`."""
    return posterior(r, python, prior_blocks).interval(level)


INTERVALS = {
    "paired log-t": log_t,
    "Fieller": fieller,
    "BCa bootstrap": bca,
    "Bayesian": bayes,
}


# --- tests: two-sided p values

# From so many values on R's wilcox.test() takes the approximation.
_TOO_MANY_FOR_EXACT = 50


def p_values(r: Any, python: Any) -> dict[str, Any]:
    """Six tests of "the language makes no difference", two-sided p values.

    Student, Welch and the rank sum take the runs as if they had no partner,
    in seconds; the other three look at log ratios. The rank tests are exact
    with fewer than 50 blocks when no two values are equal, and normal
    approximations with continuity correction otherwise, as in R.
    """
    d = log_ratios(r, python)
    r, python = np.asarray(r, float), np.asarray(python, float)
    many = d.shape[-1] >= _TOO_MANY_FOR_EXACT
    tied = many or _tied(np.concatenate([r, python], -1))
    exact = "asymptotic" if tied else "exact"
    signed = many or _tied(np.abs(d)) or (d == 0).any()
    signed = "approx" if signed else "exact"
    return {
        "Student": stats.ttest_ind(r, python, axis=-1).pvalue,
        "Welch": stats.ttest_ind(r, python, axis=-1, equal_var=False).pvalue,
        "paired t": stats.ttest_1samp(d, 0, axis=-1).pvalue,
        "rank sum": stats.mannwhitneyu(r, python, axis=-1, method=exact).pvalue,
        "signed rank": stats.wilcoxon(
            d, axis=-1, method=signed, correction=True
        ).pvalue,
        "permutation": permutation(d),
    }


def permutation(d: Any) -> Any:
    """Share of the sign flips with a mean as far from 0 as the observed."""
    d = np.asarray(d, float)
    flipped = np.abs(d @ sign_flips(d.shape[-1]).T)
    # A little slack: sums in another order differ in the last bits.
    seen = np.abs(d.sum(-1))[..., None] * (1 - 1e-9)
    return (flipped >= seen).mean(-1)


def _tied(values: np.ndarray) -> bool:
    return bool((np.diff(np.sort(values, -1), axis=-1) == 0).any())


# --- equivalence


def tost(d: Any, margin: float) -> Any:
    """Two one-sided paired t-tests: p value of "not within the margin".

    Parameters
    ----------
    d
        Differences, or log ratios, one for each block (last axis).
    margin
        Half the width of the zone, in the unit of `d`; for a ratio
        `log(1 + margin)`.

    Raises
    ------
    CannotSay
        If there are fewer than two differences, one is missing, or all are
        the same.
    """
    d = _differences(d)
    n = d.shape[-1]
    error = d.std(-1, ddof=1) / n**0.5
    low = stats.t.sf((d.mean(-1) + margin) / error, n - 1)
    high = stats.t.cdf((d.mean(-1) - margin) / error, n - 1)
    return np.maximum(low, high)


def mean_interval(d: Any, level: float = LEVEL) -> Interval:
    """t interval of a mean difference.

    Raises
    ------
    CannotSay
        As `tost()`.
    """
    d = _differences(d)
    n = d.shape[-1]
    reach = stats.t.ppf((1 + level) / 2, n - 1) * d.std(-1, ddof=1) / n**0.5
    return Interval(d.mean(-1), d.mean(-1) - reach, d.mean(-1) + reach)


def _differences(d: Any) -> np.ndarray:
    d = np.asarray(d, float)
    count = d.shape[-1] if d.ndim else 1
    if count < 2:
        raise CannotSay(
            f"There {_are(count)} {_many(count, 'difference')}; how much they "
            "scatter can be told from 2 on."
        )
    if not np.isfinite(d).all():
        raise CannotSay("A difference is missing (NaN); leave its block out.")
    if without_scatter(d).any():
        raise CannotSay(
            f"The difference is the same in all {count} blocks "
            f"({d.flat[0]:g}); what is measured scatters."
        )
    return d


# --- power


def power_t(delta: float, error: float, df: int, alpha: float = 0.05) -> float:
    """Power of a two-sided t-test, both tails counted.

    `delta` is the true difference, `error` the standard error at the true
    scatter, both on the log scale. Paired: sd / sqrt(n) and n - 1; unpaired:
    sd * sqrt(2 / n) and 2 n - 2.

    Raises
    ------
    CannotSay
        If the error is not above zero, or there is no degree of freedom.
    """
    _check_power(error, df)
    t = stats.t.ppf(1 - alpha / 2, df)
    shift = abs(delta) / error
    near = stats.nct.sf(t, df, shift) if shift else alpha / 2
    # Far out SciPy's far tail is not a number; it is zero there.
    far = np.nan_to_num(stats.nct.cdf(-t, df, shift)) if shift else alpha / 2
    return float(near + far)


def _check_power(error: float, df: int) -> None:
    if not 0 < error < math.inf:
        raise CannotSay(
            f"The standard error is {error:g}; power can be told of a scatter "
            "above zero, and what is measured scatters."
        )
    if not df >= 1:
        raise CannotSay(
            f"There are {df} degrees of freedom: a test needs 2 blocks at least."
        )


def power_paired(blocks: int, ratio: float, sd: float) -> float:
    """Power to see a ratio; `sd` is that of the log ratios of a block."""
    return power_t(math.log(ratio), sd / blocks**0.5, blocks - 1)


def power_unpaired(runs: int, ratio: float, sd: float) -> float:
    """Power to see a ratio with `runs` runs in each arm, as in 2018.

    `sd` is that of the log times of one arm, about the coefficient of
    variation.
    """
    return power_t(math.log(ratio), sd * (2 / runs) ** 0.5, 2 * runs - 2)


def power_tost_t(margin: float, error: float, df: int, delta: float = 0.0) -> float:
    """Power of TOST: exact, by integrating over the estimated scatter.

    All on the log scale; see `power_t()` for `error` and `df`. (K. F.
    Phillips, Journal of Pharmacokinetics and Biopharmaceutics 18, 1990,
    137-144, writes the same as a bivariate t probability.)

    Raises
    ------
    CannotSay
        As `power_t()`.
    """
    _check_power(error, df)
    t = stats.t.ppf(0.95, df)
    # Above this scatter the two one-sided tests cannot both reject.
    most = margin / (t * error)

    def inner(scatter: float) -> float:
        high = special.ndtr((margin - delta) / error - t * scatter)
        low = special.ndtr((-margin - delta) / error + t * scatter)
        # Density of sqrt(chi2(df) / df).
        density = 2 * df * scatter * stats.chi2.pdf(df * scatter**2, df)
        return (high - low) * density

    # All of the distribution but 1e-15, so that quad does not miss it.
    reach = 10 / (2 * df) ** 0.5
    low, high = max(0.0, 1 - reach), min(most, 1 + reach)
    if high <= low:
        return 0.0
    whole, _ = integrate.quad(inner, low, high, epsabs=1e-13, epsrel=1e-12)
    return max(0.0, whole)


def power_tost(
    blocks: int, sd: float, margin: float = MARGIN, ratio: float = 1.0
) -> float:
    """Power to show equivalence within a ratio of 1 + margin, in pairs."""
    return power_tost_t(
        math.log1p(margin), sd / blocks**0.5, blocks - 1, math.log(ratio)
    )


MOST_BLOCKS = 100_000


def blocks_needed(power: Any, wanted: float = 0.8) -> int:
    """The smallest number of blocks with which `power(blocks)` is enough.

    Raises
    ------
    CannotSay
        If 100,000 blocks are not enough, or the power is not a number.
    """
    low, high = 1, 2
    while (found := power(high)) < wanted or found != found:
        if found != found:
            raise CannotSay(
                f"The power of {high} blocks is not a number (NaN): the "
                "scatter or the difference that it is computed from is none."
            )
        low, high = high, min(high * 2, MOST_BLOCKS)
        if low == MOST_BLOCKS:
            raise CannotSay(
                f"Not even {MOST_BLOCKS:,} blocks would be enough: the runs "
                "scatter too much for a difference that small."
            )
    while high - low > 1:
        middle = (low + high) // 2
        if power(middle) < wanted:
            low = middle
        else:
            high = middle
    return high


# --- several campaigns


FEW_BLOCKS = 8
"""With fewer blocks a campaign's own scatter is hardly known."""

# Of ten campaigns and more hardly any interval is so much narrower, and one
# that is a little narrower covers about as it should.
_NARROW = 0.7


class Pool(NamedTuple):
    """Mean of several campaigns, on the log scale, see `pool()`.

    `tau` is the scatter between the campaigns' true ratios, `i2` the share of
    the scatter of their means that it makes up; `p` that of "all campaigns
    have one ratio", NaN for one campaign. `narrow` says that the campaigns
    agree so well, by chance, that the 95 % interval is much narrower than the
    scatter of their blocks would make it if they did not differ at all.
    """

    mean: float
    error: float
    tau: float
    q: float
    p: float
    i2: float
    df: int
    narrow: bool = False

    def interval(self, level: float = LEVEL) -> Interval:
        """As a ratio."""
        reach = self.error * stats.t.ppf((1 + level) / 2, self.df)
        return Interval(
            math.exp(self.mean),
            math.exp(self.mean - reach),
            math.exp(self.mean + reach),
        )


def pool(samples: Sequence[Any]) -> Pool:
    """Mean log ratio of several campaigns, each of which counts once.

    The interval is Student's t interval of the campaigns' means, k - 1
    degrees of freedom. It asks nothing of the blocks, and covers the truth 95
    times in a hundred whether campaigns differ or not; of two or three
    campaigns it is wide in most cases, and too narrow (`narrow`) where these
    happen to agree: 9 times in a hundred of two that do not differ. Of one
    campaign it is the paired t interval of its blocks.

    The usual random-effects mean (DerSimonian and Laird, Controlled Clinical
    Trials 7, 1986, 177-188) weighs campaigns by the scatter of their blocks,
    and its error takes the scatter between them, `tau`, for known. Of two
    campaigns of ten blocks that differ as much as their blocks scatter, its
    95 % intervals cover the truth 76 times in a hundred, of three 83 times, of
    five 88 times. Hartung and Knapp's error (Statistics in Medicine 20, 2001,
    3875-3889) mends that where all blocks scatter alike (93 to 95); where
    those of one campaign of two scatter four times as much, 89 are left. To
    take it only if a test finds that the campaigns differ leaves 81 of two.

    `tau`, `q` and `i2` are those of DerSimonian and Laird; `tau` stops at
    zero, as in metafor's `rma(method = "DL")` (statsmodels lets its square
    become negative). `p` is that of Welch's analysis of variance (Biometrika
    38, 1951, 330-336), since the chi-squared distribution of `q` is too
    narrow: among ten campaigns of ten blocks it finds differences by chance 15
    times in a hundred. Where a campaign has fewer than `FEW_BLOCKS` blocks,
    `tau`, `q` and `p` are those of an analysis of variance with one scatter
    for the blocks of all.

    Parameters
    ----------
    samples
        For each campaign its log ratios, two at least.

    Raises
    ------
    CannotSay
        If there is no campaign, one has a single block, a missing value or no
        scatter, or all have the same mean.
    """
    if not len(samples):
        raise CannotSay("There is no campaign to pool.")
    sizes = np.array([len(s) for s in samples])
    if (sizes < 2).any():
        raise CannotSay("A campaign with one block cannot be pooled.")
    if not all(np.isfinite(s).all() for s in samples):
        raise CannotSay("A log ratio is missing (NaN); leave its block out.")
    if any(without_scatter(s) for s in samples):
        raise CannotSay(
            "A campaign whose ratios do not scatter at all cannot be pooled."
        )
    means = np.array([np.mean(s) for s in samples])
    scatter = np.array([np.var(s, ddof=1) for s in samples])
    k = len(samples)
    if k == 1:
        error = float(scatter[0] / sizes[0]) ** 0.5
        df = int(sizes[0]) - 1
        return Pool(float(means[0]), error, 0.0, 0.0, math.nan, 0.0, df)
    if without_scatter(means):
        raise CannotSay(
            f"The ratio is the same in all {k} campaigns "
            f"({math.exp(means[0]):g}); what is measured scatters."
        )
    few = bool((sizes < FEW_BLOCKS).any())
    within = int(sizes.sum()) - k
    if few:
        scatter = np.full(k, (scatter * (sizes - 1)).sum() / within)
    weights = sizes / scatter
    total = weights.sum()
    center = (weights * means).sum() / total
    q = float((weights * (means - center) ** 2).sum())
    spare = total - (weights**2).sum() / total
    tau = max(0.0, (q - (k - 1)) / spare) ** 0.5
    i2 = max(0.0, (q - (k - 1)) / q)
    f, second = q / (k - 1), within
    if not few:
        unsure = float(((1 - weights / total) ** 2 / (sizes - 1)).sum())
        f /= 1 + 2 * (k - 2) / (k**2 - 1) * unsure
        second = (k**2 - 1) / (3 * unsure)
    p = float(stats.f.sf(f, k - 1, second))
    error = float(np.std(means, ddof=1)) / k**0.5
    quantiles = stats.t.ppf((1 + LEVEL) / 2, [k - 1, within])
    alone = (scatter / sizes).sum() ** 0.5 / k
    narrow = error * quantiles[0] < _NARROW * alone * quantiles[1]
    return Pool(float(means.mean()), error, tau, q, p, i2, k - 1, bool(narrow))


# --- what happens within a run


def cold_and_steady(runs: pd.DataFrame) -> pd.DataFrame:
    """The first epoch beside the median of the others, in seconds.

    Raises
    ------
    CannotSay
        If no completed run has more than one epoch.
    """
    _has_columns(runs, [*NEEDED, "epoch_seconds"])
    done = measured(runs)
    done = done[done["state"] == "ok"]
    clocks = [epochs(value) for value in done["epoch_seconds"]]
    longest = max((c.size for c in clocks), default=0)
    if longest == 0:
        raise CannotSay(
            "No completed run has the seconds of its epochs: of cold and "
            "steady ones nothing can be said."
        )
    if longest < 2:
        raise CannotSay(
            f"Runs of {longest} epoch say nothing on cold and steady epochs: "
            "there is no second one to compare with."
        )
    table = done[["campaign", "run", "block", "arm", "device"]].copy()
    table["cold"] = [c[0] if c.size > 1 else np.nan for c in clocks]
    table["steady"] = [np.median(c[1:]) if c.size > 1 else np.nan for c in clocks]
    return table
