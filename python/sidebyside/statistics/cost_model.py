"""What a language costs beyond Python: for the start, an epoch, a batch, a megabyte.

A ratio such as "R takes 1.05 times as long" says as much about the length of a
training as about the language. This model takes the difference apart:

    seconds(R) - seconds(Python) = start + per_mb x array_mb
                                   + per_epoch x epochs + per_batch x epochs x batches
                                   + per_call x calls

The left side is the difference of whole processes (`process_seconds`) in the same
block of the same network. It is the sum of two differences, which are fitted apart
because their noise is not alike. Together they are the equation above.

* *Outside the epochs* (the process without its `epoch_seconds`): start + per_mb x
  array_mb, the size of the arm's own arrays. The noise has the same size however long a
  training is.
* *The epochs* (the sum of `epoch_seconds`): per_epoch, per_batch, and per_call, if a
  network has a callback that is written in the language of the arm, so that each call
  of it crosses. The noise grows
  with the length: it is a share of the seconds. So both sides of the equation are
  divided by the seconds that such epochs take on average, of both arms and all blocks
  with the same network, settings and machine.

Networks differ, for example because one of them has a callback in R. So each network
has its own start, its own cost per epoch and its own cost per batch: random effects,
which are independent and normal. If there are several machines, each machine has them
as well. The variances are estimated by REML (`MixedLM` of statsmodels; R's
`cost_model()` uses lme4).

Processor time (`cpu_seconds`) has the same four costs. It is known only for whole
processes, so they come from one fit, whose noise is a share of the average processor
time of such a pair. Peak memory (`peak_memory_mb`) does not grow with the length of a
training, so it has only the first two costs, in MB.

What the intervals assume: the networks are a random sample of those that readers
train; pairs are independent, also those of one block; the noise is about normal, and
about alike in all networks. The costs of a megabyte and of a call are the same for all
networks. A first epoch costs no more than the others, and what a callback does at the
*beginning* of an epoch counts as start. A network's own start and its own cost of an
epoch and of a batch are independent of each other.

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
from ..timing.networks import NETWORKS
from .estimates import MARGIN, CannotSay, Interval, Mean
from .pairs import (
    NAMES,
    REFERENCE,
    RESOURCES,
    checked,
    complete_pairs,
    from_columns,
)
from .statements import listed

COSTS = {
    "start": "for the start",
    "per_mb": "for each megabyte of arrays",
    "per_epoch": "for each epoch",
    "per_batch": "for each batch",
    "per_call": "for each call of a callback",
}
SHARED = ("per_mb", "per_call")
"""These costs are the same for all networks."""
SECONDS = "process_seconds"
OUTCOMES = (SECONDS, *RESOURCES)
LEAST_MACHINES = 3
"""With fewer machines, nothing can be said of another one (as in the verdict)."""

MEASURE = '`make timings ARGS="--networks all"` measures several networks.'
_NUMBERS = ("epochs", "batches", "array_mb")
_MOST_EPOCHS = 1e9
_LEAST_SD = 1e-5
"""In units of the noise. The likelihood has no value at 0."""


# --- the pairs


class Part(NamedTuple):
    """What one fit explains: y = x b + noise. Networks have their own `varying` b.

    The columns of `x` are some of `COSTS`.
    """

    y: pd.Series
    x: pd.DataFrame
    varying: list[str]


class CostPairs(NamedTuple):
    """Pairs of runs of an arm and Python, what the fits explain, and what was left out.

    The columns of `table` are `network`, `machine`, `epochs`, `batches` (of an epoch),
    `calls` (of a callback, in all epochs) and `array_mb` (the arm's, if its cost can be
    told); `difference`, the arm's outcome minus Python's; and `usual`, the mean outcome
    of both arms in pairs with the same machine, network and settings. Of
    `process_seconds`, there are also `outside` and `training`, the two parts of the
    difference, and `python_outside` and `python_epoch`, Python's seconds outside the
    epochs and of an epoch. Then `usual` has the seconds of the epochs only.
    """

    table: pd.DataFrame
    parts: list[Part]
    notes: list[str]


def cost_pairs(runs: pd.DataFrame, arm: str = "r", outcome: str = SECONDS) -> CostPairs:
    """The pairs for `cost_model()`, which has the same arguments and errors."""
    others = [x for x in NAMES if x != REFERENCE]
    for name, value, known in (("arm", arm, others), ("outcome", outcome, OUTCOMES)):
        if value not in known:
            raise CannotSay(
                f"The {name} is {printable(repr(value))}, expected one of "
                f"{', '.join(known)}."
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
    pairs, notes = complete_pairs(rows, outcome, arm)
    rows = rows[rows["state"] == "ok"]
    seconds = [np.sum(x) if len(x) else np.nan for x in rows["epoch_seconds"]]
    rows = rows.assign(training=seconds, outside=rows[SECONDS] - seconds)
    rows = rows.set_index(["campaign", "block", "arm"])
    of, against = (
        rows.loc[[(*place, x) for place in pairs[["campaign", "block"]].to_numpy()]]
        for x in (arm, REFERENCE)
    )
    of, against = of.reset_index(drop=True), against.reset_index(drop=True)
    table = of[["network", "machine"]].copy()
    for name in _NUMBERS:
        table[name] = pd.to_numeric(of[name], errors="coerce").astype(float)
    own = [x in NETWORKS and NETWORKS[x].callback for x in table["network"]]
    # After each batch, and after each epoch.
    table["calls"] = own * table["epochs"] * (table["batches"] + 1)
    table["difference"] = of[outcome] - against[outcome]
    size = outcome
    if outcome == SECONDS:
        size = "training"
        for name in ("outside", "training"):
            table[name] = of[name] - against[name]
        table["python_outside"] = against["outside"]
        table["python_epoch"] = against["training"] / table["epochs"]
    table["usual"] = (of[size] + against[size]) / 2
    return _complete(table, outcome, notes)


def _complete(table: pd.DataFrame, outcome: str, notes: list[str]) -> CostPairs:
    """The pairs with all values that the model needs."""
    notes = [f"Not used: {what}." for what in notes]
    good = table["network"].fillna("") != ""
    needed = table.drop(columns=["network", "machine", "array_mb"])
    good &= np.isfinite(needed).all(axis=1)
    positive = needed.columns.intersection(["epochs", "batches", "python_epoch"])
    good &= (table[[*positive, "usual"]] > 0).all(axis=1)
    if lost := int((~good).sum()):
        notes.append(
            f"Not used: {lost} of {len(table)} pairs without a network, a number of "
            "batches or the seconds of the epochs."
        )
    table = table[good].reset_index(drop=True)
    networks = sorted(set(table["network"]))
    # A fit needs more networks than it has costs.
    called = bool(table["calls"].any())
    least = {SECONDS: 3 + called, "cpu_seconds": 4 + called}.get(outcome, 3)
    if len(networks) < least:
        raise CannotSay(
            f"There are pairs of {len(networks)} networks"
            f"{f' ({listed(networks)})' if networks else ''}, expected at least "
            f"{least}. {MEASURE} {' '.join(notes)}".strip()
        )
    if len(table) < 2 * len(networks):
        raise CannotSay(
            f"There are {len(table)} pairs of runs of {len(networks)} networks, "
            "expected at least two for each network, to tell chance from a difference "
            "between networks."
        )
    if outcome != "peak_memory_mb" and np.ptp(table["batches"]) == 0:
        raise CannotSay(
            f"Every epoch has {table['batches'][0]:g} batches, so the cost of an epoch "
            "and that of its batches cannot be told apart. Measure two batch sizes."
        )
    settings = ["machine", "network", "epochs", "batches"]
    table["usual"] = table.groupby(settings)["usual"].transform("mean")
    # Of processor time, there is one fit of all costs.
    if problem := _no_megabytes(table, least if outcome == "cpu_seconds" else 3):
        notes.append(f"The cost of a megabyte is not known: {problem}.")
        table = table.drop(columns="array_mb")
    parts = _parts(table, outcome)
    for part in parts:
        if np.ptp(part.y) <= 1e-12 * part.y.abs().max():
            raise CannotSay(
                "The difference is exactly the same in all pairs of runs. Real "
                "measurements scatter, so these were not measured."
            )
    return CostPairs(table, parts, notes)


def _no_megabytes(table: pd.DataFrame, least: int) -> str:
    """Why the sizes of the arrays tell nothing, or ""."""
    if table["array_mb"].isna().any():
        return "the size of the arrays was not recorded in all runs"
    # Sizes belong to networks, and the other costs need some of them as well.
    sizes = table.groupby("network")["array_mb"].mean()
    if len(sizes) <= least or sizes.round(3).nunique() < 2:
        return f"that takes more than {least} networks, with arrays of different sizes"
    return ""


def _parts(table: pd.DataFrame, outcome: str) -> list[Part]:
    start = pd.DataFrame({"start": 1.0}, table.index)
    if "array_mb" in table:
        start["per_mb"] = table["array_mb"]
    epochs = pd.DataFrame(
        {"per_epoch": table["epochs"], "per_batch": table["epochs"] * table["batches"]}
    )
    if table["calls"].any():
        epochs["per_call"] = table["calls"]

    def share(y: str, x: pd.DataFrame) -> Part:
        """The noise is a share of the usual value."""
        own = [name for name in x if name not in SHARED]
        return Part(table[y] / table["usual"], x.div(table["usual"], axis=0), own)

    match outcome:
        case "process_seconds":
            outside = Part(table["outside"], start, ["start"])
            return [outside, share("training", epochs)]
        case "cpu_seconds":
            return [share("difference", start.join(epochs))]
        case _:
            return [Part(table["difference"], start, ["start"])]


# --- the fits


@dataclass(frozen=True)
class Fit:
    """One of the fits. Arrays have one value for each coefficient, in order.

    `spread` has the variances of the random effects of each coefficient, for "network"
    and, if there are several machines, "machine". The costs in `SHARED` have none.
    """

    names: tuple[str, ...]
    estimates: np.ndarray
    covariance: np.ndarray
    spread: dict[str, np.ndarray]
    df: int

    def at(self, amounts: Mapping[str, float], new: Sequence[str] = ()) -> Mean:
        """The costs of so many starts, epochs ..., by name.

        They are those of the average network and machine, or of a `new` one: its own
        deviations are added to the error.
        """
        amounts = np.array([amounts.get(name, 0.0) for name in self.names])
        variance = amounts @ self.covariance @ amounts
        variance += sum(amounts**2 @ self.spread[by] for by in new)
        return Mean(float(amounts @ self.estimates), float(variance**0.5), self.df)


def _fit(part: Part, groups: pd.DataFrame) -> Fit:
    """The REML estimates of a part; machines have their own `varying` b as well."""
    y, x, varying = part
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

    `ratio` is the arm's time of a process (or processor time, or memory) divided by
    Python's, and `difference` the one minus the other, both with 95 % intervals.
    `beyond` is the probability that the ratio is above 1 + margin.
    """

    ratio: Interval
    difference: Interval
    beyond: float


@dataclass(frozen=True)
class CostModel:
    """The costs of an arm against Python, see `cost_model()`.

    `pairs` has what the `fits` come from. `text` has the result in sentences.
    """

    arm: str
    outcome: str
    fits: tuple[Fit, ...]
    pairs: pd.DataFrame = field(repr=False)
    notes: tuple[str, ...]

    @property
    def coefficients(self) -> pd.DataFrame:
        """One row for each cost, in seconds (of peak memory: in MB).

        `low` and `high` are the 95 % interval of the networks' mean, `new_low` and
        `new_high` the 95 % prediction interval for a new network. `networks` and
        `machines` are the standard deviations between them. They are NaN if the model
        has none.
        """
        rows = []
        for fit in self.fits:
            for k, name in enumerate(fit.names):
                one = {name: 1.0}
                _, new_low, new_high = fit.at(one, ("network",)).interval()
                row = {"cost": name, **fit.at(one).interval()._asdict()}
                row |= {"new_low": new_low, "new_high": new_high}
                for by in ("network", "machine"):
                    known = by in fit.spread and name not in SHARED
                    row[f"{by}s"] = fit.spread[by][k] ** 0.5 if known else math.nan
                rows.append(row)
        return pd.DataFrame(rows)

    def predict(
        self,
        epochs: float,
        batches: float,
        python: float,
        array_mb: float = 0.0,
        calls: float = 0.0,
        margin: float = MARGIN,
        new_machine: bool = False,
    ) -> Prediction:
        """What the arm costs for a network that was not measured.

        Its true ratio is predicted, without the noise of single runs.

        Parameters
        ----------
        epochs, batches
            The number of epochs, and of batches in each.
        python
            What the whole process takes in Python: seconds, or MB of peak memory.
        array_mb
            The size of the arrays that `fit()` gets in the arm, in MB (10^6 bytes); 0
            for a data set. R's numbers have 8 bytes, so its arrays are often larger
            than Python's.
        calls
            How often, in each epoch, a callback is called that is written in the arm's
            language.
        margin
            See `Prediction`.
        new_machine
            Whether it is another machine than those of the measurements.

        Raises
        ------
        CannotSay
            If a number is not possible, or the model has no answer for it: it knows
            nothing of megabytes, of callbacks or of machines.
        """
        _positive(epochs=epochs, batches=batches, python=python)
        new = self._new(new_machine)
        cost = self._cost(epochs, batches, array_mb, calls, new)
        difference = cost.interval()
        ratio = Interval(*(max(0.0, 1 + x / python) for x in difference))
        far = (cost.value - margin * python) / cost.error
        return Prediction(ratio, difference, float(special.stdtr(cost.df, far)))

    def length_for_share(
        self,
        share: float = 0.01,
        epoch_seconds: float | None = None,
        batches: float | None = None,
        array_mb: float = 0.0,
        calls: float = 0.0,
        new_machine: bool = False,
    ) -> Interval:
        """How long a process has to be in Python until the arm costs less than `share`.

        The process trains a network that was not measured, for more and more epochs.
        By default an epoch has the seconds and the batches of the median network.

        Returns
        -------
        Seconds of the whole process in Python, with the ends of a 95 % prediction
        interval. Infinity means: however long it trains.

        Raises
        ------
        CannotSay
            As `predict()`, and if the model is not one of `process_seconds`.
        """
        if self.outcome != SECONDS:
            raise CannotSay(
                f"This is a model of {RESOURCES[self.outcome]}, and only a model of "
                f"{SECONDS} knows how long a process has to be."
            )
        _positive(share=share)
        usual = self._usual_epoch()
        epoch_seconds = usual[0] if epoch_seconds is None else epoch_seconds
        batches = usual[1] if batches is None else batches
        _positive(epoch_seconds=epoch_seconds, batches=batches)
        start = self.pairs.groupby("network")["python_outside"].mean().mean()
        new = self._new(new_machine)

        def length(epochs: float) -> float:
            return start + epochs * epoch_seconds

        def length_at(end: int) -> float:
            def too_much(log: float) -> float:
                epochs = math.exp(log)
                cost = self._cost(epochs, batches, array_mb, calls, new)
                return cost.interval()[end] / length(epochs) - share

            most = math.log(_MOST_EPOCHS)
            if too_much(most) > 0:
                return math.inf
            if too_much(0) <= 0:
                return length(1)
            return length(math.exp(optimize.brentq(too_much, 0, most, xtol=1e-12)))

        return Interval(*map(length_at, range(3)))

    def _usual_epoch(self) -> tuple[float, float]:
        """Python's seconds, and the batches, of the median network."""
        columns = ["python_epoch", "batches"]
        return tuple(self.pairs.groupby("network")[columns].mean().median())

    def _later(self) -> Interval:
        """The ratio of an epoch of a network like the median one."""
        seconds, batches = self._usual_epoch()
        # So many that the start does not count.
        return self.predict(_MOST_EPOCHS, batches, _MOST_EPOCHS * seconds).ratio

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
        self,
        epochs: float,
        batches: float,
        array_mb: float,
        calls: float,
        new: Sequence[str],
    ) -> Mean:
        if array_mb != 0:
            _positive(array_mb=array_mb)
        if calls != 0:
            _positive(calls=calls)
        amounts = {"start": 1.0, "per_mb": array_mb, "per_epoch": epochs}
        amounts |= {"per_batch": epochs * batches, "per_call": epochs * calls}
        known = {name for fit in self.fits for name in fit.names}
        # Memory has no cost of a call.
        for name in SHARED[: 1 if self.outcome == "peak_memory_mb" else 2]:
            if amounts[name] and name not in known:
                raise CannotSay(
                    f"The model has no cost {COSTS[name]}, so it cannot say what "
                    f"{amounts[name]:g} of them cost. {' '.join(self.notes)}".strip()
                )
        parts = [fit.at(amounts, new) for fit in self.fits]
        error = math.hypot(*(x.error for x in parts))
        return Mean(sum(x.value for x in parts), error, min(x.df for x in parts))

    @property
    def text(self) -> str:
        """The costs in sentences, and what was left out."""
        known = self.coefficients[["cost", "estimate", "low", "high"]].to_numpy()
        counts = [len(self.pairs), *self.pairs[["network", "machine"]].nunique()]
        costs = {name: interval for name, *interval in known}
        later = length = ()
        if self.outcome == SECONDS:
            later, length = self._later(), self.length_for_share()
        return words(self.arm, self.outcome, costs, counts, later, length, self.notes)

    @property
    def answer(self) -> str:
        """What all of it means, in one sentence (of a model of `process_seconds`)."""
        _, *start = self.coefficients[["cost", "estimate", "low", "high"]].to_numpy()[0]
        estimate, low, high = map(_duration, start)
        ratio, *ends = self._later()
        networks, machines = self.pairs[["network", "machine"]].nunique()
        where = "one machine" if machines == 1 else f"{machines} machines"
        unclear = ends[0] <= 1 <= ends[1]
        return (
            f"{NAMES[self.arm]} takes {estimate} more than {NAMES[REFERENCE]} to start "
            f"(mean of {networks} networks on {where}, 95 % interval {low} to {high}), "
            "and an epoch of a new network like the median one is predicted to take "
            f"{ratio:.3f} times as long (95 % prediction interval {ends[0]:.3f} to "
            f"{ends[1]:.3f}{', so there may be no difference' if unclear else ''})."
        )

    def __str__(self) -> str:
        return self.text


def cost_model(runs: pd.DataFrame, arm: str = "r", outcome: str = SECONDS) -> CostModel:
    """What an arm costs beyond Python: for the start, an epoch, a batch, a megabyte.

    The module's docstring has the model and its assumptions.

    Parameters
    ----------
    runs
        The runs of several networks, of one backend and one device: the result of
        `load_studies()`.
    arm
        "r", "rpy2", or "python-again" as a control.
    outcome
        "process_seconds", "cpu_seconds" (processor time) or "peak_memory_mb".

    Raises
    ------
    CannotSay
        If the runs are not enough: the message says what is missing.
    """
    pairs, parts, notes = cost_pairs(runs, arm, outcome)
    several = ["machine"] * (pairs["machine"].nunique() > 1)
    groups = pairs[["network", *several]]
    fits = tuple(_fit(part, groups) for part in parts)
    return CostModel(arm, outcome, fits, pairs, tuple(notes))


def _positive(**numbers: Any) -> None:
    for name, x in numbers.items():
        if not isinstance(x, Real) or not 0 < x < math.inf:
            raise CannotSay(
                f"{name} is {printable(repr(x), 60)}, expected a number above 0."
            )


# --- in words, and for R


def words(
    arm: str,
    outcome: str,
    costs: Mapping[str, Sequence[float]],
    counts: Sequence[float],
    later: Sequence[float],
    length: Sequence[float],
    notes: Sequence[str],
) -> str:
    """What the model says. R's numbers come here as well.

    `costs` has the interval of each cost, `counts` the numbers of pairs, networks and
    machines. `later` is the ratio of an epoch, and `length` is `length_for_share()`;
    both are empty if the outcome is not a time.
    """
    pairs, networks, machines = map(int, counts)
    amount = _megabytes if outcome == "peak_memory_mb" else _duration
    told = []
    for name, (estimate, low, high) in costs.items():
        ends = f"{amount(low)} to {amount(high)}"
        told.append(f"{amount(estimate)} {COSTS[name]} ({ends})")
    beyond = f"Beyond {NAMES[REFERENCE]}, {NAMES[arm]} takes"
    if outcome in RESOURCES:
        beyond = f"Beyond {NAMES[REFERENCE]}'s {RESOURCES[outcome]}, {NAMES[arm]} needs"
    said = [
        f"{beyond} {', '.join(told)}. These are means and 95 % intervals ({pairs} "
        f"pairs of runs, {networks} networks).",
    ]
    if length:
        ratio, low, high = later
        said.append(
            "After the start, an epoch of a new network like the median one takes "
            f"{ratio:.3f} times as long (95 % prediction interval {low:.3f} to "
            f"{high:.3f})."
        )
        said.append(_share(length))
    if machines < LEAST_MACHINES:
        where = "One machine" if machines == 1 else f"{machines} machines"
        said.append(
            f"{where} cannot show how much machines differ, so nothing is predicted "
            "for another one."
        )
    return " ".join([*said, *notes])


def _share(length: Sequence[float]) -> str:
    estimate, low, high = length
    where = "All that it costs there is less than 1 % of the time"
    ends = f"95 % prediction interval: {_duration(low)}"
    if math.isinf(low):
        return f"{where.replace('is less', 'is not less')}, however long it trains."
    if math.isinf(high):
        ends += ", or longer, or never"
    else:
        ends += f" to {_duration(high)}"
    if math.isinf(estimate):
        return (
            "It is not settled whether all that it costs there ever falls below 1 % of "
            f"the time ({ends})."
        )
    return f"{where} if the process takes {_duration(estimate)} or more ({ends})."


def _duration(seconds: float) -> str:
    """With three digits, for example "0.812 s", "-12.1 ms" or "3.15 hours"."""
    size = abs(seconds)
    for name, unit in {"hours": 3600, "minutes": 60, "s": 1, "ms": 1e-3}.items():
        if size >= (2 if unit > 1 else 0.1) * unit:
            return f"{seconds / unit:.3g} {name}"
    return f"{seconds * 1e6:.3g} µs"


def _megabytes(mb: float) -> str:
    """Such as "312 MB", "1.94 GB" or "52 kB"."""
    size = abs(mb)
    for name, unit in {"GB": 1e3, "MB": 1.0}.items():
        if size >= (1 if unit > 1 else 0.1) * unit:
            return f"{mb / unit:.3g} {name}"
    return f"{mb * 1e3:.3g} kB"


def from_r(columns: Mapping[str, Any], arm: str, outcome: str) -> dict[str, Any]:
    """Python's part of R's `cost_model()`: what the fits explain, as columns."""
    pairs, parts, notes = cost_pairs(from_columns(columns), arm, outcome)
    parts = [
        {"y": y.tolist(), "x": x.to_dict("list"), "varying": varying}
        for y, x, varying in parts
    ]
    return {"pairs": pairs.to_dict("list"), "parts": parts, "notes": notes}
