"""Intervals hold the truth, and claims are wrong, as often as they should be.

`simulation.py` with few campaigns and fixed seeds: a table of all its shares,
each of which has to be within its limits or three Monte Carlo errors of them.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import simulation
from made_up import ARMS, made_up_campaign
from scipy import special
from sidebyside.statistics import verdict
from sidebyside.statistics.cost_model import Fit
from sidebyside.statistics.estimates import Interval, Mean
from sidebyside.statistics.pairs import CONTROL, PHASES, RESOURCES
from sidebyside.timing.format import LEAST_BLOCKS, MORE_BLOCKS, Plan, Precision
from sidebyside.timing.plan import why_enough


def missed(part, campaigns):
    """What is not where it should be."""
    found = part(np.random.default_rng(1), campaigns // simulation.PARTS[part])
    return {
        (setting, what): str(share)
        for setting, shares in found
        for what, share in shares.items()
        if not share.holds
    }


PARTS = [part for part in simulation.PARTS if part is not simulation.costs]


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__name__)
def test_shares_are_what_they_should_be(part):
    assert not missed(part, 600)


def test_costs_are_held_as_often_as_they_should_be(monkeypatch):
    def missed():
        # Only the first setting: every study takes half a second.
        _, shares = next(simulation.costs(np.random.default_rng(1), 16))
        return [what for what, share in shares.items() if not share.holds]

    assert not missed()
    # Intervals that are a third as wide as they should be.
    own = Fit.at

    def at(fit, *arguments):
        mean = own(fit, *arguments)
        return replace(mean, error=mean.error / 3)

    monkeypatch.setattr(Fit, "at", at)
    assert {"start", "per_epoch"} <= set(missed())


def test_sequential_campaigns_end_as_the_projects_own():
    """Block by block, by `why_enough()`."""
    logs = simulation.log_ratios(np.random.default_rng(1), 20, 120, scatter=0.06)
    plan = Plan(
        campaign="made-up",
        device="cpu",
        arms=("python", "r"),
        epochs=1,
        blocks=120,
        order=(),
        precision=Precision(
            0.02, "", least_blocks=LEAST_BLOCKS, more_blocks=MORE_BLOCKS
        ),
    )
    ends = simulation.ends_at(logs, 0.02)
    assert ends.min() < 40 < ends.max()
    for of_campaign, end in zip(logs, ends, strict=True):
        rows = []
        for block, log in enumerate(of_campaign, 1):
            for arm, seconds in (("python", 20.0), ("r", 20 * np.exp(log))):
                rows.append(
                    {"block": block, "arm": arm, "state": "ok", "fit_seconds": seconds}
                )
            if why_enough(plan, rows, 0):
                break
        assert block == end


def test_simulated_verdicts_are_the_projects_own():
    # Where all else is equal, `verdict()` begins with the last name.
    works = ["two", "one"]
    rng = np.random.default_rng(1)
    for logs in simulation.times(rng, 3, 2, 1, 10, scatter=0.03):
        campaigns = []
        for epochs, (name, of_work) in enumerate(zip(works, logs, strict=True), 1):
            runs = made_up_campaign(arms=ARMS[:3], campaign=name, epochs=epochs)
            runs[list(PHASES)] = 30.0
            runs = runs.drop(columns=list(RESOURCES))
            for arm, of_arm in zip(("r", CONTROL), of_work, strict=True):
                warm_up = np.zeros((2, 1))
                ratios = np.exp(np.hstack([warm_up, of_arm[:, 0]]))
                runs.loc[runs["arm"] == arm, list(PHASES)] *= ratios.T
            campaigns.append(runs)
        own, simulated = (
            {(s.of, s.arm, s.column): s for s in findings}
            for findings in (
                verdict(pd.concat(campaigns)).findings,
                simulation.statements(logs, works),
            )
        )
        assert own.keys() == simulated.keys() and len(own) == 8
        for key, a in own.items():
            b = simulated[key]
            assert (a.primary, a.outcome, a.surely) == (b.primary, b.outcome, b.surely)
            assert a.warning == b.warning
            for name in ("p_different", "p_apart", "p_beyond"):
                assert getattr(a, name) == pytest.approx(getattr(b, name), rel=1e-6)


def test_a_wrong_interval_is_found(monkeypatch):
    """Normal quantiles instead of Student's."""

    def interval(mean, level=0.95):
        reach = mean.error * special.ndtri((1 + level) / 2)
        return Interval(mean.value, mean.value - reach, mean.value + reach)

    monkeypatch.setattr(Mean, "interval", interval)
    assert ("10 blocks", "interval holds") in missed(simulation.fixed, 800)
