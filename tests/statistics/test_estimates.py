"""Intervals cover, tests err as rarely as they say, power is what it is.

Compared with SciPy, statsmodels and published numbers; `test_simulation.py`
simulates how often they are right. Where notebook 06 has a formula of its own,
the notebook's function is the one that is tested.
"""

import ast
import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import integrate, special, stats
from sidebyside.statistics import CannotSay, estimates
from sidebyside.statistics.estimates import (
    Mean,
    blocks_needed,
    blocks_range,
    outcome_of,
    pool,
    power_tost,
    resamples,
    sign_flips,
    standard_normals,
)
from statsmodels.stats.oneway import anova_oneway
from statsmodels.stats.weightstats import ttost_paired
from statsmodels.tsa.stattools import acf

BLOCKS = 10
MARGIN = math.log(1.03)


def of_notebook():
    """The functions that notebook 06 defines in its Python cells."""
    file = Path(__file__).parents[2] / "notebooks" / "06_statistics.ipynb"
    cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
    # Drawing the rows anew for each campaign would take most of the time.
    rows = resamples(BLOCKS, 9999)[:999]
    space = {"np": np, "stats": stats, "special": special}
    space["resamples"] = lambda n, times: rows
    given = set(space)
    for cell in cells:
        if "python" in cell["metadata"].get("tags", []):
            for node in ast.parse("".join(cell["source"])).body:
                if isinstance(node, ast.FunctionDef):
                    code = compile(ast.Module([node], []), str(file), "exec")
                    exec(code, space)
    return {name: space[name] for name in set(space) - given - {"__builtins__"}}


NOTEBOOK = of_notebook()


def campaigns(ratio, sd, seed=20181, count=2500, n=BLOCKS):
    """Log-normal times of R and Python in pairs, shape (count, n)."""
    rng = np.random.default_rng(seed)
    level = rng.normal(math.log(20), 0.05, (count, n))
    r = np.exp(level + math.log(ratio) + rng.normal(0, sd, (count, n)))
    python = np.exp(level + rng.normal(0, sd, (count, n)))
    return r, python


# --- the intervals of notebook 06


@pytest.mark.parametrize("sd, ratio", [(0.02, 1.15), (0.1, 1)])
@pytest.mark.parametrize("name", ["log_t", "bootstrap", "bayes"])
def test_intervals_of_the_notebook_cover(name, sd, ratio):
    """10 blocks, on both sides; `bayes()` for ratios that come from its prior."""
    r, python = campaigns(ratio, sd, count=800)
    if name == "bayes":
        prior = np.random.default_rng(2018).normal(0, math.log(1 / 0.85) / 2, len(r))
        r, ratio = r / ratio * np.exp(prior)[:, None], np.exp(prior)
    pairs = zip(r, python, strict=True)
    _, low, high = np.array([NOTEBOOK[name](*pair) for pair in pairs]).T
    covered = (low <= ratio) & (ratio <= high)
    assert covered.mean() == pytest.approx(0.95, abs=0.02)
    for missed in (low > ratio, high < ratio):
        assert missed.mean() == pytest.approx(0.025, abs=0.015)


# --- a mean, its interval, and equivalence


def test_a_mean_is_scipys():
    d = np.random.default_rng(7).normal(0.03, 0.03, 12)
    mean = Mean.of(d)
    test = stats.ttest_1samp(d, 0)
    ends = test.confidence_interval()
    assert mean.interval() == pytest.approx((d.mean(), *ends), rel=1e-12)
    assert np.log(mean.ratio()) == pytest.approx(mean.interval(), rel=1e-9)
    assert mean.p_different == pytest.approx(test.pvalue, rel=1e-9, abs=0)
    assert mean.df == 11


@pytest.mark.parametrize(
    "values, said",
    [([], "There is 0 block"), ([1], "1 block"), ([0.6 - 0.2, 0.4], "all 2 blocks")],
)
def test_too_few_or_equal_values_have_no_mean(values, said):
    with pytest.raises(CannotSay, match=said):
        Mean.of(values)


@pytest.mark.parametrize("shift", [-0.04, -0.01, 0, 0.01, 0.04])
def test_tost_is_statsmodels(shift):
    """Its bounds are ratios that mirror each other: 1 / 1.03 and 1.03."""
    (r,), (python,) = campaigns(math.exp(shift), 0.01, seed=1, count=1)
    expected, *_ = ttost_paired(r, python, 1 / 1.03, 1.03, transform=np.log)
    found = Mean.of(np.log(r / python)).p_apart(MARGIN)
    assert found == pytest.approx(float(expected), rel=1e-9, abs=0)


def test_outcomes_agree_with_their_intervals():
    """Over many campaigns: the 95 % interval, and for equivalence that of 90 %."""
    seen = set()
    rng = np.random.default_rng(1)
    for _ in range(500):
        sd = rng.choice([0.005, 0.02, 0.06])
        mean = Mean.of(rng.normal(rng.normal(0, 0.03), sd, 8))
        apart, beyond = mean.p_apart(MARGIN), mean.p_beyond(MARGIN)
        outcome = outcome_of(mean.value, mean.p_different, apart)
        _, low, high = mean.interval(0.9)
        assert (low > -MARGIN and high < MARGIN) == (outcome in ("same", "small"))
        _, low, high = mean.interval()
        assert (low <= 0 <= high) == (outcome in ("same", "unclear"))
        assert outcome != ("slower" if mean.value < 0 else "faster")
        if low > MARGIN or high < -MARGIN:
            assert beyond < 0.05
        if beyond < 0.05:
            assert outcome in ("slower", "faster")
        seen.add((outcome, bool(beyond < 0.05)))
    assert {outcome for outcome, _ in seen} == {
        *("same", "small", "unclear", "slower", "faster")
    }
    assert {("slower", True), ("slower", False)} <= seen


@pytest.mark.parametrize("shift", [-0.05, 0.01, 0.04])
def test_beyond_the_margin_is_two_t_tests(shift):
    d = np.random.default_rng(4).normal(shift, 0.02, 12)
    sides = [
        stats.ttest_1samp(np.sign(d.mean()) * d, MARGIN, alternative="greater"),
        stats.ttest_1samp(np.sign(d.mean()) * d, -MARGIN, alternative="greater"),
    ]
    mean = Mean.of(d)
    expected = sum(test.pvalue for test in sides)
    assert mean.p_beyond(MARGIN) == pytest.approx(expected, rel=1e-9)
    assert mean.p_different <= mean.p_beyond(MARGIN)


def test_blocks_that_resemble_their_neighbours_widen_the_interval():
    slow = np.repeat([0.0, 0.05, 0.0, 0.05], 5)
    slow += np.random.default_rng(1).normal(0, 0.01, 20)
    mean = Mean.of(slow)
    # statsmodels' own estimate, which is too small in short series.
    raw = acf(slow, nlags=1)[1]
    assert mean.widened and raw < mean.correlation < 1
    few = 20 * (1 - mean.correlation) / (1 + mean.correlation)
    assert mean.error == pytest.approx(slow.std(ddof=1) / max(2, few) ** 0.5)
    assert mean.df == max(3, few - 1)
    shuffled = Mean.of(np.random.default_rng(1).permutation(slow))
    assert not shuffled.widened
    assert shuffled.error == pytest.approx(slow.std(ddof=1) / 20**0.5)
    # Two blocks that alternate are no reason for a narrower one.
    swinging = Mean.of(np.resize([0.0, 0.05], 20) + slow / 10)
    assert swinging.correlation < -0.5 and not swinging.widened
    # Campaigns have no order, and few blocks show no correlation.
    for mean in (Mean.of(slow, "campaign"), Mean.of(slow[:5])):
        assert math.isnan(mean.correlation) and not mean.widened


# --- how many blocks


@pytest.mark.parametrize(
    "cv, margin, runs",
    [(0.01, 0.02, 6), (0.02, 0.03, 9), (0.03, 0.03, 19), (0.03, 0.05, 8)],
)
def test_known_sample_sizes_of_equivalence(cv, margin, runs):
    """Two arms of runs without partners, power 80 %, true ratio 1."""

    def enough(n):
        error = cv * (2 / n) ** 0.5
        return power_tost(math.log1p(margin), error, 2 * n - 2) >= 0.8

    assert enough(runs) and not enough(runs - 1)


def exact_power(n, sd):
    """Power of TOST, integrated over the one scatter that both tests share."""
    df, t = n - 1, stats.t.ppf(0.95, n - 1)
    edge = MARGIN / sd * n**0.5

    def inner(s):
        passed = 2 * special.ndtr(edge - t * s) - 1
        return 2 * df * s * stats.chi2.pdf(df * s**2, df) * passed

    reach = 10 / (2 * df) ** 0.5
    low, high = max(0, 1 - reach), min(edge / t, 1 + reach)
    if high <= low:
        return 0
    return integrate.quad(inner, low, high, epsabs=1e-13, limit=1000)[0]


@pytest.mark.parametrize("power", [0.8, 0.99])
@pytest.mark.parametrize("sd", [0.0001, 0.01, 0.02, 0.0739, 0.5])
def test_blocks_needed_is_the_smallest_number(sd, power):
    n = blocks_needed(sd, power=power)
    assert exact_power(n, sd) >= power
    assert n == 2 or exact_power(n - 1, sd) < power
    assert blocks_needed(sd, margin=0.1, power=power) <= n


@pytest.mark.parametrize("margin, power", [(0.03, 0.8), (0.1, 0.9)])
def test_a_range_of_blocks_is_that_of_the_scatter(margin, power):
    low, high = blocks_range(0.03, 9, margin, power)
    factors = (9 / stats.chi2.ppf([0.975, 0.025], 9)) ** 0.5
    assert factors == pytest.approx([0.688, 1.826], abs=0.001)
    assert low == blocks_needed(0.03 * factors[0], margin, power)
    assert high == blocks_needed(0.03 * factors[1], margin, power)
    assert low < blocks_needed(0.03, margin, power) < high


# --- several campaigns


def test_a_pool_of_one_campaign_is_its_own_interval():
    d = np.random.default_rng(3).normal(0.02, 0.02, 10)
    found = pool([d])
    assert found.interval() == Mean.of(d).interval()
    assert math.isnan(found.p) and not found.narrow


@pytest.mark.parametrize("sizes", [(3, 3, 2, 10), (7, 20, 9, 9), (10, 20, 8, 9)])
def test_a_pool_counts_each_campaign_once(sizes):
    rng = np.random.default_rng(3)
    samples = [rng.normal(0.02 * i, 0.02, n) for i, n in enumerate(sizes)]
    found = pool(samples)
    means = [s.mean() for s in samples]
    ends = stats.ttest_1samp(means, 0).confidence_interval()
    assert found.value == pytest.approx(np.mean(means), rel=1e-12)
    assert found.interval()[1:] == pytest.approx(ends, rel=1e-9)
    assert found.df == 3
    if min(sizes) < 8:
        expected = anova_oneway(samples, use_var="bf").pvalue
    else:
        expected = stats.alexandergovern(*samples).pvalue
    assert found.p == pytest.approx(expected, rel=1e-9, abs=0)


def test_a_new_machine_is_predicted_from_machines():
    rng = np.random.default_rng(5)
    samples = [rng.normal(0.02 * i, 0.02, 10) for i in range(5)]
    assert pool(samples, list("aabbb")).predicted is None
    found = pool(samples, list("aabcc"))
    a, b, c = samples[:2], samples[2:3], samples[3:]
    means = [np.mean([np.mean(x) for x in of]) for of in (a, b, c)]
    reach = stats.t.ppf(0.975, 2) * np.std(means, ddof=1) * (4 / 3) ** 0.5
    center = np.mean(means)
    expected = (center, center - reach, center + reach)
    assert found.predicted == pytest.approx(expected)
    assert found.value == pytest.approx(np.mean([np.mean(x) for x in samples]))
    # Without names each campaign is a machine's.
    assert pool(samples).predicted == pool(samples, range(5)).predicted


def test_a_pool_of_equal_means_is_a_sentence():
    with pytest.raises(CannotSay, match="the same in all 2 campaigns"):
        pool([[0.1, 0.3], [0.3, 0.1]])


# --- random numbers


def test_generator_is_park_and_millers():
    """The next number is the last times 48271, modulo 2^31 - 1."""
    state = 5
    for _ in range(100):
        state = state * 48271 % (2**31 - 1)
    expected = []
    for _ in range(6):
        state = state * 48271 % (2**31 - 1)
        expected.append(math.floor(state / (2**31 - 1) * 3))
    assert resamples(3, 2, seed=5).tolist() == [expected[:3], expected[3:]]
    # The 10,000th number from 1, as the authors give it.
    assert round(estimates._uniform(10_000 - 100, 1)[-1] * (2**31 - 1)) == 399268537
    for seed in (0, 2**31 - 1):
        with pytest.raises(ValueError, match=f"seed is {seed}"):
            resamples(3, seed=seed)


def test_drawn_numbers_are_distributed_as_they_should():
    assert stats.chisquare(np.bincount(resamples(10, 5000).ravel())).pvalue > 0.001
    normals = standard_normals(10, 2000)
    assert stats.kstest(normals.ravel(), "norm").pvalue > 0.001
    assert abs(np.corrcoef(normals.T) - np.eye(10)).max() < 0.08


def test_sign_flips_are_all_or_drawn():
    for n in (6, 12):
        assert len(set(map(tuple, sign_flips(n)))) == len(sign_flips(n)) == 2**n
    drawn = sign_flips(13)
    assert drawn.shape == (10_000, 13)
    assert (drawn[0] == 1).all() and set(drawn.ravel()) == {1, -1}
    assert abs(drawn.mean()) < 0.02
