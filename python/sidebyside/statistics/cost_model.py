"""What a language costs beyond Python: for the start, an epoch, a batch, a megabyte.

A ratio such as "R takes 1.05 times as long" says as much about the length of a
training as about the language. This model takes the difference apart:

    seconds(R) - seconds(Python) = start + per_mb x array_mb
                                   + per_epoch x epochs + per_batch x epochs x batches

The left side is the difference of whole processes (`process_seconds`) in the same
block of the same network. It is the sum of two differences, which are fitted apart
because their noise is not alike. Together they are the equation above.

* *Outside the epochs* (the process without its `epoch_seconds`): start + per_mb x
  array_mb, the size of the arm's own arrays. The noise has the same size however long a
  training is.
* *The epochs* (the sum of `epoch_seconds`): per_epoch and per_batch. The noise grows
  with the length: it is a share of the seconds. So both sides of the equation are
  divided by the seconds that such epochs take on average, of both arms and all blocks
  with the same network, settings and machine.

Networks differ, for example because one of them has a callback in R. So each network
has its own start, its own cost per epoch and its own cost per batch: random effects,
which are independent and normal. If there are several machines, each machine has them
as well. The variances are estimated by REML (`MixedLM` of statsmodels; R's
`cost_model()` uses lme4).

What the intervals assume: the networks are a random sample of those that readers
train; pairs are independent, also those of one block; the noise is about normal, and
about alike in all networks. The cost of a megabyte is the same for all networks. A
first epoch costs no more than the others, and what a callback does at the *beginning*
of an epoch counts as start. A network's own start and its own cost of an epoch and of a
batch are independent of each other.

The intervals are Student's t intervals. Many runs of few networks say little of other
networks, so the degrees of freedom of each fit are the number of networks minus that of
its coefficients, and at most the number of machines minus one if there are several. The
prediction interval for a new network is that of Higgins, Thompson and Spiegelhalter
(Journal of the Royal Statistical Society A 172, 2009, 137-159): it adds the variance
between networks. If networks hardly differ, the intervals are wider than necessary. In
simulations (`tests/statistics/simulation.py`) they contain the truth in 93 to 100 of
100 studies, and prediction intervals in 92 to 100.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import optimize, special

from ..common.errors import printable
from .estimates import MARGIN, CannotSay, Interval, Mean
from .pairs import NAMES, REFERENCE, checked, complete_pairs, from_columns
from .statements import listed

COSTS = {
    "start": "for the start",
    "per_mb": "for each megabyte of arrays",
    "per_epoch": "for each epoch",
    "per_batch": "for each batch",
}
LEAST_NETWORKS = 3
LEAST_MACHINES = 3
"""With fewer machines, nothing can be said of another one (as in the verdict)."""

MEASURE = '`make timings ARGS="--networks all"` measures several networks.'
_NUMBERS = ("epochs", "batches", "array_mb")
_MOST_EPOCHS = 1e9
_LEAST_SD = 1e-5
"""In units of the noise. The likelihood has no value at 0."""


# --- the pairs


class CostPairs(NamedTuple):
    """Pairs of runs of an arm and Python, and what was left out.

    The columns of `table` are `network`, `machine`, `epochs`, `batches` (of an epoch)
    and `array_mb` (the arm's, if its cost can be told); `outside` and `training`, the
    arm's seconds minus Python's outside the epochs and in them; `python_outside` and
    `python_epoch`, Python's seconds outside the epochs and of an epoch; and `usual`,
    the seconds that such epochs take in both arms.
    """

    table: pd.DataFrame
    notes: list[str]


def cost_pairs(runs: pd.DataFrame, arm: str = "r") -> CostPairs:
    """The pairs for `cost_model()`, which has the same arguments and errors."""
    others = [x for x in NAMES if x != REFERENCE]
    if arm not in others:
        raise CannotSay(
            f"The arm is {printable(repr(arm))}, expected one of {', '.join(others)}."
        )
    rows = checked(runs)
    for name in ("network", *_NUMBERS, "epoch_seconds"):
        if name not in rows:
            raise CannotSay(f"The table of runs has no column {name}. {MEASURE}")
    rows = rows[rows["arm"].isin([arm, REFERENCE]) & (rows["block"] > 0)]
    for name in ("backend", "device"):
        found = sorted(set(rows[name].dropna()) - {""}) if name in rows else []
        if len(found) > 1:
            raise CannotSay(
                f"The runs have several values of {name} ({', '.join(found)}), and "
                "costs may differ between them. Take the runs of one of them."
            )
    pairs, notes = complete_pairs(rows, "process_seconds", arm)
    rows = rows[rows["state"] == "ok"]
    seconds = [np.sum(x) if len(x) else np.nan for x in rows["epoch_seconds"]]
    rows = rows.assign(
        training=seconds, outside=rows["process_seconds"] - seconds
    ).set_index(["campaign", "block", "arm"])
    of, against = (
        rows.loc[[(*place, x) for place in pairs[["campaign", "block"]].to_numpy()]]
        for x in (arm, REFERENCE)
    )
    of, against = of.reset_index(drop=True), against.reset_index(drop=True)
    table = of[["network", "machine"]].copy()
    for name in _NUMBERS:
        table[name] = pd.to_numeric(of[name], errors="coerce").astype(float)
    for name in ("outside", "training"):
        table[name] = of[name] - against[name]
    table["python_outside"] = against["outside"]
    table["python_epoch"] = against["training"] / table["epochs"]
    table["usual"] = (of["training"] + against["training"]) / 2
    return _complete(table, notes)


def _complete(table: pd.DataFrame, notes: list[str]) -> CostPairs:
    """The pairs with all values that the model needs."""
    notes = [f"Not used: {what}." for what in notes]
    good = table["network"].fillna("") != ""
    needed = table.drop(columns=["network", "machine", "array_mb"])
    good &= np.isfinite(needed).all(axis=1)
    good &= (table[["epochs", "batches", "python_epoch", "usual"]] > 0).all(axis=1)
    if lost := int((~good).sum()):
        notes.append(
            f"Not used: {lost} of {len(table)} pairs without a network, a number of "
            "batches or the seconds of the epochs."
        )
    table = table[good].reset_index(drop=True)
    networks = sorted(set(table["network"]))
    if len(networks) < LEAST_NETWORKS:
        raise CannotSay(
            f"There are pairs of {len(networks)} networks"
            f"{f' ({listed(networks)})' if networks else ''}, expected at least "
            f"{LEAST_NETWORKS}. {MEASURE} {' '.join(notes)}".strip()
        )
    if len(table) < 2 * len(networks):
        raise CannotSay(
            f"There are {len(table)} pairs of runs of {len(networks)} networks, "
            "expected at least two for each network, to tell chance from a difference "
            "between networks."
        )
    if np.ptp(table["batches"]) == 0:
        raise CannotSay(
            f"Every epoch has {table['batches'][0]:g} batches, so the cost of an epoch "
            "and that of its batches cannot be told apart. Measure two batch sizes."
        )
    settings = ["machine", "network", "epochs", "batches"]
    table["usual"] = table.groupby(settings)["usual"].transform("mean")
    for name in ("outside", "training"):
        if np.ptp(table[name]) <= 1e-12 * table[name].abs().max():
            raise CannotSay(
                "The difference is exactly the same in all pairs of runs. Real "
                "measurements scatter, so these were not measured."
            )
    if problem := _no_megabytes(table):
        notes.append(f"The cost of a megabyte is not known: {problem}.")
        table = table.drop(columns="array_mb")
    return CostPairs(table, notes)


def _no_megabytes(table: pd.DataFrame) -> str:
    """Why the sizes of the arrays tell nothing, or ""."""
    if table["array_mb"].isna().any():
        return "the size of the arrays was not recorded in all runs"
    # Sizes belong to networks, and the start needs some of them as well.
    sizes = table.groupby("network")["array_mb"].mean()
    if len(sizes) <= LEAST_NETWORKS or sizes.round(3).nunique() < 2:
        return (
            f"that takes more than {LEAST_NETWORKS} networks, with arrays of different "
            "sizes"
        )
    return ""


# --- the two fits


@dataclass(frozen=True)
class Fit:
    """One of the two fits. Arrays have one value for each coefficient, in order.

    `spread` has the variances of the random effects of each coefficient, for "network"
    and, if there are several machines, "machine". The cost of a megabyte has none.
    """

    names: tuple[str, ...]
    estimates: np.ndarray
    covariance: np.ndarray
    spread: dict[str, np.ndarray]
    noise: float
    df: int

    def at(self, amounts: Any, new: Sequence[str] = ()) -> Mean:
        """The costs of so many starts, epochs ... in seconds.

        They are those of the average network and machine, or of a `new` one: its own
        deviations are added to the error.
        """
        amounts = np.asarray(amounts, float)
        variance = amounts @ self.covariance @ amounts
        variance += sum(amounts**2 @ self.spread[by] for by in new)
        return Mean(float(amounts @ self.estimates), float(variance**0.5), self.df)


def _fit(
    y: pd.Series, x: pd.DataFrame, groups: pd.DataFrame, varying: Sequence[str]
) -> Fit:
    """REML estimates of y = x b + noise, where each group has its own `varying` b."""
    # The optimization needs numbers near 1.
    size = float(np.sqrt(np.mean(y**2))) or 1.0
    sizes = np.sqrt((x**2).mean()).to_numpy()
    target, columns = y.to_numpy() / size, (x / sizes).to_numpy()
    # One column for each group.
    effects = {
        (name, by): pd.get_dummies(groups[by]).to_numpy(float) * columns[:, [k]]
        for by in groups
        for k, name in enumerate(x)
        if name in varying
    }
    ratios = dict(
        zip(effects, _reml(target, columns, [*effects.values()]), strict=True)
    )
    v = np.eye(len(y)) + sum(ratios[of] * z @ z.T for of, z in effects.items())
    weighted = np.linalg.solve(v, columns)
    covariance = np.linalg.inv(columns.T @ weighted)
    estimates = covariance @ (weighted.T @ target)
    rest = target - columns @ estimates
    noise = float(rest @ np.linalg.solve(v, rest)) / (len(y) - x.shape[1])
    scale = size / sizes
    counts = groups.nunique()
    return Fit(
        names=tuple(x),
        estimates=estimates * scale,
        covariance=noise * covariance * np.outer(scale, scale),
        spread={
            by: noise * scale**2 * [ratios.get((name, by), 0.0) for name in x]
            for by in groups
        },
        noise=noise * size**2,
        df=min(counts["network"] - x.shape[1], counts.get("machine", np.inf) - 1),
    )


def _reml(y: np.ndarray, x: np.ndarray, effects: Sequence[np.ndarray]) -> np.ndarray:
    """The variances of independent random effects, divided by that of the noise.

    The likelihood is that of statsmodels. Its own `fit()` takes a variance near 0 for
    an infinite one, and networks need not differ.
    """
    from statsmodels.regression.mixed_linear_model import MixedLM, VCSpec

    names = [str(i) for i in range(len(effects))]
    columns = [[[str(i) for i in range(z.shape[1])]] for z in effects]
    spec = VCSpec(names, columns, [[z] for z in effects])
    model = MixedLM(y, x, np.ones(len(y)), exog_vc=spec)
    # As fit() sets them.
    model.reml, model.cov_pen, model.fe_pen = True, None, None

    def loss(sds: np.ndarray) -> float:
        return -model.loglike(np.clip(np.abs(sds), _LEAST_SD, 1 / _LEAST_SD))

    def search(sds: np.ndarray) -> Any:
        options = {"xtol": 1e-10, "ftol": 1e-14}
        return optimize.minimize(loss, sds, method="Powell", options=options)

    # There may be two maxima, and a search may end early.
    starts = (np.full(len(effects), sd) for sd in (1.0, 0.1))
    found = search(min(map(search, starts), key=lambda result: result.fun).x)
    sds = np.abs(found.x)
    return np.where(sds < 3 * _LEAST_SD, 0, sds) ** 2


# --- the model


class Prediction(NamedTuple):
    """What an arm costs for one job.

    `ratio` is the arm's time of a process divided by Python's, and `seconds` the
    difference, both with 95 % intervals. `beyond` is the probability that the ratio is
    above 1 + margin.
    """

    ratio: Interval
    seconds: Interval
    beyond: float


@dataclass(frozen=True)
class CostModel:
    """The costs of an arm against Python, see `cost_model()`.

    `outside` and `epochs` are the two fits, and `pairs` has what they come from. `text`
    has the result in sentences.
    """

    arm: str
    outside: Fit
    epochs: Fit
    pairs: pd.DataFrame = field(repr=False)
    notes: tuple[str, ...]

    @property
    def coefficients(self) -> pd.DataFrame:
        """One row for each cost, in seconds.

        `low` and `high` are the 95 % interval of the networks' mean, `new_low` and
        `new_high` the 95 % prediction interval for a new network. `networks` and
        `machines` are the standard deviations between them. They are NaN if the model
        has none.
        """
        rows = []
        for fit in (self.outside, self.epochs):
            for name, one in zip(fit.names, np.eye(len(fit.names)), strict=True):
                _, new_low, new_high = fit.at(one, ("network",)).interval()
                row = {"cost": name, **fit.at(one).interval()._asdict()}
                row |= {"new_low": new_low, "new_high": new_high}
                for by in ("network", "machine"):
                    variance = one @ fit.spread.get(by, one * np.nan)
                    row[f"{by}s"] = math.nan if name == "per_mb" else variance**0.5
                rows.append(row)
        return pd.DataFrame(rows)

    def predict(
        self,
        epochs: float,
        batches: float,
        python_seconds: float,
        array_mb: float = 0.0,
        margin: float = MARGIN,
        new_machine: bool = False,
    ) -> Prediction:
        """The arm's time divided by Python's, for a network that was not measured.

        Its true ratio is predicted, without the noise of single runs.

        Parameters
        ----------
        epochs, batches
            The number of epochs, and of batches in each.
        python_seconds
            How long the whole process takes in Python.
        array_mb
            The size of the arrays that `fit()` gets in the arm, in MB (10^6 bytes); 0
            for a data set. R's numbers have 8 bytes, so its arrays are often larger
            than Python's.
        margin
            See `Prediction`.
        new_machine
            Whether it is another machine than those of the measurements.

        Raises
        ------
        CannotSay
            If a number is not possible, or the model has no answer for it: it knows
            nothing of megabytes or of machines.
        """
        _positive(epochs=epochs, batches=batches, python_seconds=python_seconds)
        cost = self._cost(epochs, batches, array_mb, self._new(new_machine))
        seconds = cost.interval()
        ratio = Interval(*(max(0.0, 1 + x / python_seconds) for x in seconds))
        far = (cost.value - margin * python_seconds) / cost.error
        return Prediction(ratio, seconds, float(special.stdtr(cost.df, far)))

    def length_for_share(
        self,
        share: float = 0.01,
        epoch_seconds: float | None = None,
        batches: float | None = None,
        array_mb: float = 0.0,
        new_machine: bool = False,
    ) -> Interval:
        """How long a process has to be in Python until the arm costs less than `share`.

        The process trains a network that was not measured, for more and more epochs.
        By default an epoch has the seconds and the batches of the median network.

        Returns
        -------
        Seconds of the whole process in Python, with the ends of a 95 % prediction
        interval. Infinity means: however long it trains.
        """
        _positive(share=share)
        usual = self.pairs.groupby("network")[["python_epoch", "batches"]].mean()
        if epoch_seconds is None:
            epoch_seconds = usual["python_epoch"].median()
        if batches is None:
            batches = usual["batches"].median()
        _positive(epoch_seconds=epoch_seconds, batches=batches)
        start = self.pairs.groupby("network")["python_outside"].mean().mean()
        new = self._new(new_machine)

        def length(epochs: float) -> float:
            return start + epochs * epoch_seconds

        def length_at(end: int) -> float:
            def too_much(log: float) -> float:
                epochs = math.exp(log)
                cost = self._cost(epochs, batches, array_mb, new).interval()[end]
                return cost / length(epochs) - share

            most = math.log(_MOST_EPOCHS)
            if too_much(most) > 0:
                return math.inf
            if too_much(0) <= 0:
                return length(1)
            return length(math.exp(optimize.brentq(too_much, 0, most, xtol=1e-12)))

        return Interval(*map(length_at, range(3)))

    def _new(self, new_machine: bool) -> tuple[str, ...]:
        machines = self.pairs["machine"].nunique()
        if new_machine and machines < LEAST_MACHINES:
            raise CannotSay(
                f"The measurements come from {machines} "
                f"{'machine' if machines == 1 else 'machines'}, expected at least "
                f"{LEAST_MACHINES} to predict costs on another one."
            )
        return ("network", "machine") if new_machine else ("network",)

    def _cost(
        self, epochs: float, batches: float, array_mb: float, new: Sequence[str]
    ) -> Mean:
        amounts = [1.0]
        if array_mb != 0:
            _positive(array_mb=array_mb)
        if "per_mb" in self.outside.names:
            amounts.append(array_mb)
        elif array_mb:
            raise CannotSay(
                "The model has no cost per megabyte, so it cannot say what arrays of "
                f"{array_mb:g} MB cost. {' '.join(self.notes)}"
            )
        start = self.outside.at(amounts, new)
        training = self.epochs.at([epochs, epochs * batches], new)
        error = math.hypot(start.error, training.error)
        return Mean(start.value + training.value, error, min(start.df, training.df))

    @property
    def text(self) -> str:
        """The costs in sentences, and what was left out."""
        known = self.coefficients[["cost", "estimate", "low", "high"]].to_numpy()
        counts = [len(self.pairs), *self.pairs[["network", "machine"]].nunique()]
        return words(
            self.arm,
            {name: interval for name, *interval in known},
            counts,
            self.length_for_share(),
            self.notes,
        )

    def __str__(self) -> str:
        return self.text


def cost_model(runs: pd.DataFrame, arm: str = "r") -> CostModel:
    """What an arm costs beyond Python: for the start, an epoch, a batch, a megabyte.

    The module's docstring has the model and its assumptions.

    Parameters
    ----------
    runs
        The runs of several networks, of one backend and one device, as
        `load_campaigns()` returns those of a study.
    arm
        "r", "rpy2", or "python-again" as a control.

    Raises
    ------
    CannotSay
        If the runs are not enough: the message says what is missing.
    """
    pairs, notes = cost_pairs(runs, arm)
    several = ["machine"] * (pairs["machine"].nunique() > 1)
    groups = pairs[["network", *several]]
    outside = pd.DataFrame({"start": 1.0}, pairs.index)
    if "array_mb" in pairs:
        outside["per_mb"] = pairs["array_mb"]
    epochs = pd.DataFrame(
        {"per_epoch": pairs["epochs"], "per_batch": pairs["epochs"] * pairs["batches"]}
    )
    # The noise is a share of the seconds.
    epochs = epochs.div(pairs["usual"], axis=0)
    training = pairs["training"] / pairs["usual"]
    return CostModel(
        arm=arm,
        outside=_fit(pairs["outside"], outside, groups, ["start"]),
        epochs=_fit(training, epochs, groups, list(epochs)),
        pairs=pairs,
        notes=tuple(notes),
    )


def _positive(**numbers: Any) -> None:
    for name, x in numbers.items():
        if not isinstance(x, Real) or not 0 < x < math.inf:
            raise CannotSay(
                f"{name} is {printable(repr(x), 60)}, expected a number above 0."
            )


# --- in words, and for R


def words(
    arm: str,
    costs: Mapping[str, Sequence[float]],
    counts: Sequence[float],
    length: Sequence[float],
    notes: Sequence[str],
) -> str:
    """What the model says. R's numbers come here as well.

    `costs` has the interval of each cost, `counts` the numbers of pairs, networks and
    machines, and `length` is `length_for_share()`.
    """
    pairs, networks, machines = map(int, counts)
    told = []
    for name, (estimate, low, high) in costs.items():
        ends = f"{_duration(low)} to {_duration(high)}"
        told.append(f"{_duration(estimate)} {COSTS[name]} ({ends})")
    said = [
        f"Beyond {NAMES[REFERENCE]}, {NAMES[arm]} takes {', '.join(told)}. These are "
        f"means and 95 % intervals ({pairs} pairs of runs, {networks} networks).",
        _share(length),
    ]
    if machines < LEAST_MACHINES:
        where = "One machine" if machines == 1 else f"{machines} machines"
        said.append(
            f"{where} cannot show how much machines differ, so nothing is predicted "
            "for another one."
        )
    return " ".join([*said, *notes])


def _share(length: Sequence[float]) -> str:
    estimate, low, high = length
    where = "In a new network like the median one, this is less than 1 % of the time"
    ends = f"95 % prediction interval: {_duration(low)}"
    if math.isinf(low):
        return f"{where.replace('is less', 'is not less')}, however long it trains."
    if math.isinf(high):
        ends += ", or longer, or never"
    else:
        ends += f" to {_duration(high)}"
    if math.isinf(estimate):
        return f"{where.replace('this is', 'this may never be')} ({ends})."
    return f"{where} if the process takes {_duration(estimate)} or more ({ends})."


def _duration(seconds: float) -> str:
    """With three digits, for example "0.812 s", "-12.1 ms" or "3.15 hours"."""
    size = abs(seconds)
    for name, unit in {"hours": 3600, "minutes": 60, "s": 1, "ms": 1e-3}.items():
        if size >= (2 if unit > 1 else 0.1) * unit:
            return f"{seconds / unit:.3g} {name}"
    return f"{seconds * 1e6:.3g} µs"


def from_r(columns: Mapping[str, Any], arm: str) -> dict[str, Any]:
    """Python's part of R's `cost_model()`: the pairs, as columns."""
    pairs, notes = cost_pairs(from_columns(columns), arm)
    return {"pairs": pairs.to_dict("list"), "notes": notes}
