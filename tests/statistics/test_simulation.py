"""Intervals hold the truth, and claims are wrong, as often as they should be.

`simulation.py` with few campaigns and fixed seeds: a table of all its shares,
each of which has to be within its limits or three Monte Carlo errors of them.
"""

import numpy as np
import pytest
import simulation
from scipy import special
from sidebyside.statistics.estimates import Interval, Mean


def missed(part, campaigns):
    """What is not where it should be."""
    found = part(np.random.default_rng(1), campaigns // simulation.PARTS[part])
    return {
        (setting, what): str(share)
        for setting, shares in found
        for what, share in shares.items()
        if not share.holds
    }


@pytest.mark.parametrize("part", simulation.PARTS, ids=lambda part: part.__name__)
def test_shares_are_what_they_should_be(part):
    assert not missed(part, 600)


def test_a_wrong_interval_is_found(monkeypatch):
    """Normal quantiles instead of Student's."""

    def interval(mean, level=0.95):
        reach = mean.error * special.ndtri((1 + level) / 2)
        return Interval(mean.value, mean.value - reach, mean.value + reach)

    monkeypatch.setattr(Mean, "interval", interval)
    assert ("10 blocks", "interval holds") in missed(simulation.fixed, 800)
