"""How often intervals hold the truth, and how often claims are wrong.

Simulates campaigns whose true ratio is known, judges them with the project's
own code, and prints how often (in %) each thing happened, the Monte Carlo
error of that share, and between what it should be:

    python tests/statistics/simulation.py [--campaigns 20000]

`test_simulation.py` does the same with few campaigns.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from made_up import COSTS, MEMORY, SPREAD, made_up_study
from scipy import special
from sidebyside.statistics.cost_model import cost_model
from sidebyside.statistics.estimates import (
    FASTER,
    LEVEL,
    MARGIN,
    SAME,
    SLOWER,
    SMALL,
    Mean,
    blocks_needed,
    blocks_range,
    pool,
    power_tost,
)
from sidebyside.statistics.pairs import CONTROL, PHASES
from sidebyside.statistics.statements import Control, Part, TimeRatio
from sidebyside.statistics.verdict import corrected
from sidebyside.timing.format import LEAST_BLOCKS, MORE_BLOCKS
from sidebyside.timing.plan import MOST_BLOCKS

EDGE = math.log1p(MARGIN)
ALPHA = 1 - LEVEL
DIFFERENT = SMALL, SLOWER, FASTER
SCATTER = 0.03
"""Standard deviation of a block's log ratio, where nothing else is said."""


@dataclass(frozen=True)
class Share:
    """How often something happened, and between what that should be."""

    share: float
    campaigns: int
    low: float = 0.0
    high: float = 1.0

    @classmethod
    def of(cls, happened: Iterable[bool], low: float = 0.0, high: float = 1.0) -> Share:
        happened = list(happened)
        return cls(float(np.mean(happened)), len(happened), low, high)

    @property
    def error(self) -> float:
        """The Monte Carlo error, as if the share were not quite 0 or 1."""
        share = (self.share * self.campaigns + 1) / (self.campaigns + 2)
        return (share * (1 - share) / self.campaigns) ** 0.5

    @property
    def holds(self) -> bool:
        """Whether it is where it should be, or within three errors of that."""
        reach = 3 * self.error
        return self.low - reach <= self.share <= self.high + reach

    def __str__(self) -> str:
        found = f"{100 * self.share:5.2f} +- {100 * self.error:.2f}"
        if (self.low, self.high) == (0, 1):
            return found
        missed = "" if self.holds else " MISSED"
        return f"{found} ({100 * self.low:.4g} to {100 * self.high:.4g}){missed}"


Shares = Iterator[tuple[str, dict[str, Share]]]
"""A setting, and what happened in it how often."""


def covered(means: Iterable[Mean], low: float = 0.945, high: float = 0.98) -> Share:
    """How often the 95 % interval holds the true log ratio, which is 0."""
    ends = (mean.interval() for mean in means)
    return Share.of((end.low <= 0 <= end.high for end in ends), low, high)


def judged(
    means: list[Mean], low: float = 0.945, high: float = 0.055
) -> dict[str, Share]:
    """How often intervals hold the truth, and claims at the margin are wrong.

    The means are those of a true ratio of 1. They are moved to the margin.
    `low` and `high` are the limits for the interval and the claims.
    """
    edges = EDGE * np.resize([1, -1], len(means))
    moved = [
        Mean(mean.value + edge, mean.error, mean.df)
        for mean, edge in zip(means, edges, strict=True)
    ]
    return {
        "interval holds": covered(means, low),
        '"within" margin': Share.of((m.p_apart(EDGE) < ALPHA for m in moved), 0, high),
        '"beyond" margin': Share.of((m.p_beyond(EDGE) < ALPHA for m in moved), 0, high),
    }


# --- one campaign


def log_ratios(
    rng: np.random.Generator,
    *shape: int,
    scatter: float = SCATTER,
    drift: float = 0.0,
    outliers: float = 0.0,
) -> np.ndarray:
    """Log ratios of R to Python of equal speed; the last axis is blocks.

    Both runs of a block are in random order on a machine that becomes slower by
    `drift` from the first run to the last. A share of `outliers` takes up to
    half as long again.
    """
    blocks = shape[-1]
    runs = rng.normal(0, scatter / 2**0.5, (*shape, 2))
    runs += np.log1p(drift * np.linspace(0, 1, 2 * blocks)).reshape(blocks, 2)
    disturbed = rng.random(runs.shape) < outliers
    runs += np.where(disturbed, np.log1p(0.5 * rng.random(runs.shape)), 0)
    return (runs[..., 0] - runs[..., 1]) * rng.choice([-1, 1], shape)


def fixed(rng: np.random.Generator, campaigns: int) -> Shares:
    """Campaigns with a fixed number of blocks."""
    for setting, blocks, options in (
        ("3 blocks", 3, {}),
        ("10 blocks", 10, {}),
        ("10 blocks, scatter of 1 %", 10, {"scatter": 0.01}),
        ("10 blocks, 20 % slower at the end", 10, {"drift": 0.2}),
        ("10 blocks, 1 run in 20 disturbed", 10, {"outliers": 0.05}),
        ("50 blocks", 50, {}),
    ):
        means = [Mean.of(x) for x in log_ratios(rng, campaigns, blocks, **options)]
        yield setting, judged(means)


def ends_at(
    logs: np.ndarray,
    half_width: float,
    least: int = LEAST_BLOCKS,
    more: int = MORE_BLOCKS,
) -> np.ndarray:
    """After how many blocks `why_enough()` ends each campaign."""
    n = np.arange(1, logs.shape[1] + 1)
    mean = logs.cumsum(1) / n
    squares = (logs**2).cumsum(1) - n * mean**2
    with np.errstate(divide="ignore", invalid="ignore"):
        error = (squares / (n - 1) / n) ** 0.5
        narrow = np.expm1(special.stdtrit(n - 1, 0.975) * error) <= half_width
    narrow &= n >= least
    first = np.where(narrow.any(1), narrow.argmax(1) + 1, n[-1])
    return np.minimum(first + more, n[-1])


def sequential(rng: np.random.Generator, campaigns: int) -> Shares:
    """Campaigns that end when the interval is narrow enough (`--precision`)."""
    for half_width, scatter, correlation in (
        *((0.01, scatter, 0) for scatter in (0.02, 0.025, 0.03, 0.04, 0.06)),
        *((0.02, 0.06, correlation) for correlation in (0, 0.2, 0.4)),
        (0.03, 0.09, 0),
    ):
        logs = log_ratios(rng, campaigns, MOST_BLOCKS, scatter=scatter)
        logs = with_memory(logs, correlation)
        setting = f"{half_width:.0%}, scatter {scatter:.1%}"
        setting += f", correlation {correlation}" if correlation else ""
        limits = {0: (0.945, 0.055), 0.2: (0.9, 0.1), 0.4: (0.87, 0.1)}[correlation]
        yield until(logs, ends_at(logs, half_width), setting, *limits)
        # Where it costs most to end at once.
        if least := {0.025: 10, 0.03: LEAST_BLOCKS}.get(scatter):
            ends = ends_at(logs, half_width, least, 0)
            yield until(logs, ends, f"{setting}, at once from {least}", 0, 1)


def until(
    logs: np.ndarray, ends: np.ndarray, setting: str, low: float, high: float
) -> tuple[str, dict[str, Share]]:
    """What campaigns say that ended after so many blocks."""
    samples = [x[:n] for x, n in zip(logs, ends, strict=True)]
    shares = judged([Mean.of(x) for x in samples], low, high)
    shares["holds, not widened"] = covered(map(plain, samples), 0, 1)
    return f"{setting}: {ends.mean():.0f} blocks", shares


def plain(values: np.ndarray) -> Mean:
    """The mean whose interval is never widened."""
    n = len(values)
    return Mean(values.mean(), values.std(ddof=1) / n**0.5, n - 1)


def with_memory(logs: np.ndarray, correlation: float) -> np.ndarray:
    """Each block resembles the one before: autoregression of order one."""
    logs = logs.copy()
    for i in range(1, logs.shape[1]):
        fresh = (1 - correlation**2) ** 0.5 * logs[:, i]
        logs[:, i] = correlation * logs[:, i - 1] + fresh
    return logs


def correlated(rng: np.random.Generator, campaigns: int) -> Shares:
    """Campaigns in which each block resembles the one before.

    Few blocks do not show that they do. The limits are what widening can
    reach, not what an interval should hold.
    """
    for correlation, limits in (
        (0, (0.945, 0.055)),
        (0.2, (0.91, 0.09)),
        (0.4, (0.86, 0.12)),
    ):
        for blocks in (10, 20, 50):
            logs = with_memory(log_ratios(rng, campaigns, blocks), correlation)
            means = [Mean.of(x) for x in logs]
            shares = judged(means, *limits) | {
                "holds, not widened": covered(map(plain, logs), 0, 1),
                "widened": Share.of(
                    (mean.widened for mean in means), 0, 1 if correlation else 0.115
                ),
            }
            yield f"correlation {correlation}, {blocks} blocks", shares


# --- several campaigns


def pools(rng: np.random.Generator, campaigns: int) -> Shares:
    """Pools of campaigns of machines whose true ratios scatter by tau."""
    for count, blocks, setting, unlike, outliers in (
        (2, 3, "", 0, 0),
        (2, 10, "", 0, 0),
        (3, 10, "", 0, 0),
        (5, 10, ", scatter unlike", 0.5, 0),
        (10, 10, ", scatter unlike, outliers", 0.5, 0.05),
        (30, 3, "", 0, 0),
        (30, 3, ", scatter unlike", 0.5, 0),
        (30, 10, ", scatter unlike", 0.5, 0),
    ):
        for tau in (0, 0.02):
            # One machine more than the pool has.
            size = campaigns, count + 1
            logs = log_ratios(rng, *size, blocks, outliers=outliers)
            logs *= np.exp(rng.normal(0, unlike, (*size, 1)))
            truth = rng.normal(0, tau, size)
            logs += truth[..., None]
            found = [pool(x[:-1]) for x in logs]
            differ = (p.p < ALPHA for p in found)
            shares = {
                "interval holds": covered(found),
                '"campaigns differ"': Share.of(differ, high=1 if tau else 0.06),
                '"narrow"': Share.of((p.narrow for p in found), high=0.15),
            }
            new = {"measured": logs[:, -1].mean(1), "true": truth[:, -1]}
            for of, ratios in new.items() if count > 2 else ():
                inside = (
                    p.predicted.low <= x <= p.predicted.high
                    for p, x in zip(found, ratios, strict=True)
                )
                shares[f"new machine, {of}"] = Share.of(inside, 0.92)
            yield f"tau {tau:.0%}, {count} x {blocks} blocks{setting}", shares


# --- how many blocks


def how_many(rng: np.random.Generator, campaigns: int) -> Shares:
    """The number of blocks that would show equality, from a first campaign."""
    needed = blocks_needed(SCATTER)
    for blocks in (3, 10, 20):
        scatter = log_ratios(rng, campaigns, blocks).std(1, ddof=1)
        ranges = (blocks_range(sd, blocks - 1) for sd in scatter)
        numbers = map(blocks_needed, scatter)
        power = [power_tost(EDGE, SCATTER / n**0.5, n - 1) for n in numbers]
        yield (
            f"first campaign of {blocks} blocks",
            {
                "range holds": Share.of((a <= needed <= b for a, b in ranges), 0.94),
                "power of one number": Share(float(np.mean(power)), campaigns),
            },
        )


# --- whole verdicts


def statements(logs: np.ndarray, works: Sequence[str]) -> list[TimeRatio]:
    """What `verdict()` says about times, without the table of runs.

    The axes of `logs` are work, arm (R, the control), phase, campaign, block.
    """
    found = []
    for of, of_work in zip(works, logs, strict=True):
        for arm, kind, of_arm in zip(
            ("r", CONTROL), (TimeRatio, Control), of_work, strict=True
        ):
            for column, samples in zip(PHASES, of_arm, strict=True):
                parts = tuple(
                    Part(f"{of}-{i}", Mean.of(x), len(x)) for i, x in enumerate(samples)
                )
                known = {"of": of, "arm": arm, "column": column, "parts": parts}
                found.append(kind.of_pool(pool(samples), MARGIN, device="cpu", **known))
    return corrected(found)


def times(rng: np.random.Generator, *shape: int, scatter: float) -> np.ndarray:
    """Log ratios of training and of the whole process, for R and the control.

    Both arms are compared with the same runs of Python, and training is most of
    a process. `shape` is verdicts, works, campaigns, blocks.
    """
    training, rest = rng.normal(0, scatter / 2**0.5, (2, 3, *shape))
    runs = np.stack([training, 0.8 * training + 0.6 * rest])
    # Arm and phase behind verdict and work.
    return np.moveaxis(runs[:, 1:] - runs[:, :1], (1, 0), (2, 3))


def designs(
    rng: np.random.Generator, campaigns: int
) -> Iterator[tuple[str, list[str], np.ndarray]]:
    """Setting, names of the kinds of work, and log ratios as `times()` has them."""
    for works, count, blocks, scatter in (
        (1, 1, 10, SCATTER),
        (2, 1, 10, SCATTER),
        (2, 1, 20, 0.01),
        (1, 30, 3, SCATTER),
        (2, 5, 10, SCATTER),
    ):
        setting = (
            f"{works} x {count} campaigns of {blocks} blocks, scatter {scatter:.0%}"
        )
        logs = times(rng, campaigns, works, count, blocks, scatter=scatter)
        yield setting, [f"work-{i}" for i in range(works)], logs


def verdicts(rng: np.random.Generator, campaigns: int) -> Shares:
    """False claims of a whole verdict, kinds of work x campaigns, true ratio 1.

    Each kind of work has two phases. The primary question is tested at 5 %, all
    secondary ones together at 5 %, and so are all controls.
    """
    for setting, works, logs in designs(rng, campaigns):
        found = [statements(x, works) for x in logs]
        of_r = [[s for s in said if s.arm == "r"] for said in found]
        controls = [[s for s in said if s.arm == CONTROL] for said in found]
        happened = {
            "primary": (s[0].outcome in DIFFERENT for s in of_r),
            "any secondary": (any(x.outcome in DIFFERENT for x in s[1:]) for s in of_r),
            "any control": (any(x.warning for x in s) for s in controls),
            '"campaigns differ"': (any(x.p_alike < ALPHA for x in s) for s in of_r),
        }
        yield setting, {what: Share.of(x, 0, 0.055) for what, x in happened.items()}


def verdicts_at_the_margin(rng: np.random.Generator, campaigns: int) -> Shares:
    """False claims of the same verdicts where the true ratio is at the margin."""
    for setting, works, logs in designs(rng, campaigns):
        logs[:, :, 0] += EDGE
        found = [[s for s in statements(x, works) if s.arm == "r"] for x in logs]
        within = [[s.outcome in (SAME, SMALL) for s in said] for said in found]
        beyond = [[s.surely for s in said] for said in found]
        shares = {}
        for claim, happened in (('"within"', within), ('"beyond"', beyond)):
            first = (said[0] for said in happened)
            others = (any(said[1:]) for said in happened)
            shares[f"primary {claim}"] = Share.of(first, 0, 0.055)
            shares[f"any secondary {claim}"] = Share.of(others, 0, 0.055)
        yield setting, shares


# --- the cost model


def costs(rng: np.random.Generator, campaigns: int) -> Shares:
    """Studies: each cost, and the true ratio of a job of a network not measured."""
    far = {name: 4 * sd for name, sd in SPREAD.items()}
    for setting, options in (
        ("7 networks", {}),
        ("7 networks, processor time", {"outcome": "cpu_seconds"}),
        ("7 networks, peak memory", {"outcome": "peak_memory_mb"}),
        ("7 networks, noise of 10 %", {"noise": 0.1, "outside": 0.2}),
        ("7 networks, noise unlike", {"noise": 0.1, "unlike": 0.7}),
        ("7 networks that do not differ", {"spread": dict.fromkeys(SPREAD, 0.0)}),
        ("7 networks that differ a lot", {"spread": far, "noise": 0.01}),
        ("4 networks", {"networks": 4}),
        ("7 networks, 5 machines", {"machines": 5, "between_machines": 1.0}),
    ):
        seeds = rng.integers(2**31, size=campaigns)
        outcome = options.pop("outcome", "process_seconds")
        costs, spread = COSTS, options.get("spread", SPREAD)
        if outcome == "peak_memory_mb":
            costs, spread = MEMORY, {"start": 20.0, "per_mb": 0.0}
        found = [
            cost_model(made_up_study(seed, **options), outcome=outcome)
            for seed in seeds
        ]
        intervals = [model.coefficients.set_index("cost") for model in found]
        shares = {
            name: Share.of(
                (x.loc[name, "low"] <= true <= x.loc[name, "high"] for x in intervals),
                0.94,
            )
            for name, true in costs.items()
        }
        above = (
            x.loc[name, "estimate"] > true
            for x in intervals
            for name, true in costs.items()
        )
        shares["estimate is above"] = Share.of(above, 0.45, 0.55)
        job = {"epochs": 10, "batches": 200, "python": 30, "array_mb": 100}
        amounts = np.array([1, job["array_mb"], 10, 10 * 200])[: len(costs)]
        deviations = np.array(list(spread.values()))
        for what, new in (("new network", 1), ("new machine", 2)):
            if new == 2 and "machines" not in options:
                continue
            own = rng.normal(0, deviations * new**0.5, (campaigns, len(costs)))
            true = 1 + (list(costs.values()) + own) @ amounts / job["python"]
            held = [
                low <= ratio <= high
                for (_, low, high), ratio in zip(
                    (m.predict(**job, new_machine=new == 2).ratio for m in found),
                    true,
                    strict=True,
                )
            ]
            shares[what] = Share.of(held, 0.92)
        yield setting, shares


# Some take long, and are done with fewer campaigns.
PARTS: dict[Callable[[np.random.Generator, int], Shares], int] = {
    fixed: 1,
    sequential: 1,
    correlated: 1,
    pools: 5,
    how_many: 5,
    verdicts: 5,
    verdicts_at_the_margin: 5,
    costs: 25,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--campaigns", type=int, default=20_000)
    campaigns = parser.parse_args().campaigns
    for part, fewer in PARTS.items():
        count = max(1, campaigns // fewer)
        found = pd.DataFrame(dict(part(np.random.default_rng(2018), count))).T
        print(f"{part.__doc__.splitlines()[0]} {count} simulated.")
        print(found.fillna("").to_string(), flush=True, end="\n\n")


if __name__ == "__main__":
    main()
