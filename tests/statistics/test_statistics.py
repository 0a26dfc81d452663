"""Intervals cover, tests err as rarely as they say, power is what it is.

Simulated on made-up campaigns with known truth, fixed seeds, in one call for
all campaigns.
"""

import math

import numpy as np
import pandas as pd
import pytest
from made_up import made_up_campaign, with_state, write_campaign
from scipy import stats
from sidebyside.statistics import estimates as statistics
from sidebyside.statistics.estimates import (
    INTERVALS,
    CannotSay,
    bca,
    blocks_needed,
    cold_and_steady,
    columns_of,
    complete_pairs,
    epochs,
    failed,
    fieller,
    from_columns,
    log_t,
    main_campaign,
    main_campaigns,
    mean_interval,
    p_values,
    permutation,
    pool,
    posterior,
    power_paired,
    power_tost,
    power_tost_t,
    power_unpaired,
    resamples,
    sign_flips,
    standard_normals,
    tost,
)
from statsmodels.stats.meta_analysis import combine_effects
from statsmodels.stats.oneway import anova_oneway
from statsmodels.stats.power import TTestIndPower, TTestPower
from statsmodels.stats.weightstats import ttost_paired

BLOCKS = 10
CAMPAIGNS = 6000
MARGIN = math.log(1.03)


def campaigns(ratio, sd, block_sd=0.05, seed=20181, count=CAMPAIGNS, n=BLOCKS):
    """Log-normal times of R and Python in pairs, shape (count, n)."""
    rng = np.random.default_rng(seed)
    level = rng.normal(math.log(20), block_sd, (count, n))
    r = np.exp(level + math.log(ratio) + rng.normal(0, sd, (count, n)))
    python = np.exp(level + rng.normal(0, sd, (count, n)))
    return r, python


# --- what the simulations say


@pytest.mark.parametrize("sd", [0.02, 0.1])
@pytest.mark.parametrize("ratio", [1, 1.15])
@pytest.mark.parametrize("name", INTERVALS)
def test_intervals_cover(name, ratio, sd):
    """Between 93 and 97 times in a hundred, log-normal data, 10 blocks."""
    r, python = campaigns(ratio, sd)
    options = {"rows": resamples(BLOCKS, 999)} if name == "BCa bootstrap" else {}
    found = INTERVALS[name](r, python, **options)
    covered = ((found.low <= ratio) & (ratio <= found.high)).mean()
    assert 0.93 <= covered <= 0.97
    # And it does not cover by being on one side.
    assert 0.01 <= (found.low > ratio).mean() <= 0.04
    assert 0.01 <= (found.high < ratio).mean() <= 0.04


def test_a_plain_bootstrap_of_ten_blocks_covers_too_rarely():
    """Why `bca()` is expanded."""
    r, python = campaigns(1.15, 0.02)
    found = bca(r, python, rows=resamples(BLOCKS, 999), expanded=False)
    assert ((found.low <= 1.15) & (found.high >= 1.15)).mean() < 0.93


def test_other_levels_cover_as_they_say():
    r, python = campaigns(1.15, 0.05)
    for name in ("paired log-t", "Fieller", "Bayesian"):
        found = INTERVALS[name](r, python, level=0.8)
        covered = ((found.low <= 1.15) & (found.high >= 1.15)).mean()
        assert 0.78 <= covered <= 0.82


@pytest.mark.parametrize("paired", [True, False])
def test_false_positives(paired):
    """At most 6 in a hundred where there is no difference.

    Unpaired data too: tests that ignore the pairs are at their level there,
    and far below it where the blocks differ.
    """
    r, python = campaigns(1, 0.04, block_sd=0.05 if paired else 0)
    for name, p in p_values(r, python).items():
        share = (p < 0.05).mean()
        assert share <= 0.06, name
        if not paired or name in ("paired t", "signed rank", "permutation"):
            assert share >= 0.03, name


@pytest.mark.parametrize("side", [1, -1])
def test_equivalence_at_its_edge(side):
    """A true ratio at the margin is called equivalent 5 times in a hundred."""
    r, python = campaigns(1.03**side, 0.01)
    share = (tost(np.log(r / python), MARGIN) < 0.05).mean()
    assert 0.03 <= share <= 0.06


@pytest.mark.parametrize("ratio", [1.02, 1.04])
def test_power_of_pairs(ratio):
    r, python = campaigns(ratio, 0.02)
    p = stats.ttest_1samp(np.log(r / python), 0, axis=-1).pvalue
    expected = power_paired(BLOCKS, ratio, 0.02 * 2**0.5)
    assert (p < 0.05).mean() == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize("ratio", [1.05, 1.1])
def test_power_of_the_design_of_2018(ratio):
    r, python = campaigns(ratio, 0.06, block_sd=0)
    p = stats.ttest_ind(np.log(r), np.log(python), axis=-1).pvalue
    expected = power_unpaired(BLOCKS, ratio, 0.06)
    assert (p < 0.05).mean() == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize("ratio, sd", [(1, 0.01), (1, 0.02), (1.015, 0.01)])
def test_power_of_equivalence(ratio, sd):
    r, python = campaigns(ratio, sd)
    share = (tost(np.log(r / python), MARGIN) < 0.05).mean()
    expected = power_tost(BLOCKS, sd * 2**0.5, 0.03, ratio)
    assert share == pytest.approx(expected, abs=0.02)


def differing(count, blocks, tau, sd=0.02, times=800):
    """Log ratios of campaigns that differ by `tau`; the last axis is blocks.

    A second `sd` is that of every second campaign.
    """
    rng = np.random.default_rng(7)
    scatter = np.resize(sd, count)[:, None]
    d = math.log(1.02) + rng.normal(0, 1, (times, count, blocks)) * scatter
    return d + rng.normal(0, tau, (times, count, 1))


# Several of few blocks (a class), and of ten, which is the standard.
@pytest.mark.parametrize(
    "count, blocks",
    [(2, 2), (3, 3), (6, 2), (30, 3), (2, 10), (3, 10), (5, 10), (10, 10)],
)
@pytest.mark.parametrize("tau", [0, 0.02, 0.05])
def test_a_pool_of_campaigns_covers(count, blocks, tau):
    pools = [pool(campaigns) for campaigns in differing(count, blocks, tau)]
    ends = [p.interval() for p in pools]
    covered = np.mean([e.low <= 1.02 <= e.high for e in ends])
    assert 0.93 <= covered <= 0.97
    # "The campaigns differ" is said as often as it may be by chance.
    if tau == 0:
        assert np.mean([p.p < 0.05 for p in pools]) <= 0.065


@pytest.mark.parametrize("count", [2, 5])
def test_a_pool_covers_where_one_campaign_scatters_more(count):
    d = differing(count, 10, 0.02, sd=(0.01, 0.04))
    ends = [pool(campaigns).interval() for campaigns in d]
    covered = np.mean([e.low <= 1.02 <= e.high for e in ends])
    assert 0.93 <= covered <= 0.97
    alike = differing(count, 10, 0, sd=(0.01, 0.04))
    assert np.mean([pool(campaigns).p < 0.05 for campaigns in alike]) <= 0.065


def weighted_cover(d):
    """Of DerSimonian and Laird's interval, of Hartung and Knapp's, and of
    Hartung and Knapp's after a test at 10 %, else DerSimonian and Laird's."""
    count, blocks = d.shape[1:]
    means, variances = d.mean(-1), d.var(-1, ddof=1) / blocks
    w = 1 / variances
    total = w.sum(-1, keepdims=True)
    center = (w * means).sum(-1, keepdims=True) / total
    q = (w * (means - center) ** 2).sum(-1, keepdims=True)
    tau2 = (q - (count - 1)) / (total - (w**2).sum(-1, keepdims=True) / total)
    w = 1 / (variances + np.maximum(0, tau2))
    total = w.sum(-1)
    mean = (w * means).sum(-1) / total
    off = abs(mean - math.log(1.02))
    spread = w * (means - mean[:, None]) ** 2
    knapp = np.sqrt(spread.sum(-1) / (count - 1) / total)
    knapp *= stats.t.ppf(0.975, count - 1)
    laird = stats.t.ppf(0.975, count * (blocks - 1)) / total**0.5
    found = stats.chi2.sf(q[:, 0], count - 1) < 0.1
    reaches = laird, knapp, np.where(found, knapp, laird)
    return [(off < reach).mean() for reach in reaches]


def test_why_campaigns_are_not_weighted():
    """The numbers in the docstring of pool()."""
    for count, expected in ((2, 0.76), (3, 0.83), (5, 0.88)):
        d = differing(count, 10, 0.02, times=4000)
        laird, knapp, tested = weighted_cover(d)
        assert laird == pytest.approx(expected, abs=0.02)
        assert 0.93 < knapp < 0.96
        if count == 2:
            assert tested == pytest.approx(0.81, abs=0.02)
    d = differing(2, 10, 0.02, sd=(0.01, 0.04), times=4000)
    assert weighted_cover(d)[1] == pytest.approx(0.89, abs=0.02)
    narrow = np.mean([pool(c).narrow for c in differing(2, 10, 0)])
    assert narrow == pytest.approx(0.09, abs=0.02)
    q = [pool(campaigns).q for campaigns in differing(10, 10, 0)]
    by_chance = (stats.chi2.sf(q, 9) < 0.05).mean()
    assert by_chance == pytest.approx(0.15, abs=0.03)


# --- formulas against others' programs


@pytest.fixture
def pair():
    r, python = campaigns(1.04, 0.03, count=1, seed=7)
    return r[0], python[0]


def test_power_is_statsmodels():
    effect = math.log(1.02) / 0.03
    expected = TTestPower().power(effect, 10, 0.05)
    assert power_paired(10, 1.02, 0.03) == pytest.approx(expected, abs=1e-9)
    expected = TTestIndPower().power(effect, 10, 0.05)
    assert power_unpaired(10, 1.02, 0.03) == pytest.approx(expected, abs=1e-9)
    assert power_paired(10, 1, 0.03) == pytest.approx(0.05)
    assert power_paired(10, 0.9, 1e-4) == pytest.approx(1)


@pytest.mark.parametrize(
    "cv, margin, runs",
    [(0.01, 0.02, 6), (0.02, 0.03, 9), (0.03, 0.03, 19), (0.03, 0.05, 8)],
)
def test_known_sample_sizes_of_equivalence(cv, margin, runs):
    """Two arms of runs without partners, power 80 %, true ratio 1."""

    def power(n):
        error = cv * (2 / n) ** 0.5
        return power_tost_t(math.log1p(margin), error, 2 * n - 2)

    assert blocks_needed(power) == runs


def test_blocks_needed_is_the_smallest():
    n = blocks_needed(lambda n: power_paired(n, 1.03, 0.03))
    assert power_paired(n, 1.03, 0.03) >= 0.8 > power_paired(n - 1, 1.03, 0.03)
    with pytest.raises(CannotSay, match="Not even 100,000 blocks"):
        blocks_needed(lambda n: power_paired(n, 1.0001, 1))


def test_tost_is_statsmodels(pair):
    r, python = pair
    expected, *_ = ttost_paired(r, python, 1 / 1.03, 1.03, transform=np.log)
    found = tost(np.log(r / python), MARGIN)
    assert found == pytest.approx(float(expected), rel=1e-9)


def test_fieller_ends_where_the_test_does(pair):
    """At both ends r - rho * python is just significant."""
    r, python = pair
    found = fieller(r, python)
    for end in (found.low, found.high):
        p = stats.ttest_1samp(r - end * python, 0).pvalue
        assert p == pytest.approx(0.05, rel=1e-6)
    assert found.low < found.estimate < found.high


def test_fieller_without_an_end():
    python = np.array([0.01, 20, 0.02, 1, 0.01])
    with pytest.raises(CannotSay, match="has no end"):
        fieller(np.array([1, 2, 3, 4, 5.0]), python)


def test_bca_is_scipys(pair):
    """Another program, other resamples: the same up to chance."""
    r, python = pair

    def ratio(r, python, axis):
        return r.mean(axis) / python.mean(axis)

    expected = stats.bootstrap(
        pair, ratio, paired=True, method="BCa", random_state=1
    ).confidence_interval
    found = bca(r, python, expanded=False)
    width = expected.high - expected.low
    assert found.low == pytest.approx(expected.low, abs=0.05 * width)
    assert found.high == pytest.approx(expected.high, abs=0.05 * width)
    wider = bca(r, python)
    assert wider.low < found.low < found.high < wider.high


def test_posterior_is_that_of_a_grid(pair):
    """Integrated over mean and scatter, instead of the formula."""
    r, python = pair
    d = np.log(r / python)
    found = posterior(r, python, prior_blocks=2)
    mean = np.linspace(-0.1, 0.15, 1001)[:, None]
    sd = np.exp(np.linspace(math.log(0.005), math.log(0.5), 1200))[None, :]
    log = stats.norm.logpdf(d[:, None, None], mean, sd).sum(0)
    log += stats.norm.logpdf(mean, 0, sd / 2**0.5)
    weight = np.exp(log - log.max()) * sd  # flat in sd, on a grid of log sd
    margin = weight.sum(1) / weight.sum()
    below = np.interp(math.log(1.03), mean[:, 0], np.cumsum(margin))
    assert found.probability(0, 1.03) == pytest.approx(below, abs=0.005)
    assert float((margin * mean[:, 0]).sum()) == pytest.approx(found.mean, abs=1e-4)


def test_a_strong_prior_pulls_towards_no_difference(pair):
    weak, strong = (posterior(*pair, prior_blocks=k) for k in (0.01, 50))
    assert 0 < strong.mean < weak.mean / 5
    flat = posterior(*pair, prior_blocks=0).interval()
    assert flat == pytest.approx(log_t(*pair))


def test_permutation_is_scipys(pair):
    d = np.log(pair[0] / pair[1])
    expected = stats.permutation_test(
        (d,), np.mean, permutation_type="samples", n_resamples=np.inf
    ).pvalue
    assert permutation(d) == pytest.approx(expected, rel=1e-12)


def test_permutation_of_many_blocks_is_drawn():
    rng = np.random.default_rng(1)
    d = rng.normal(0.4, 1, 40)
    p = stats.ttest_1samp(d, 0).pvalue
    assert permutation(d) == pytest.approx(p, abs=0.02)


def test_ties_are_no_exact_tests():
    r = np.array([10, 11, 12, 13, 15.0])
    python = np.array([10, 11, 11, 12, 13.0])
    found = p_values(r, python)
    expected = stats.mannwhitneyu(r, python, method="asymptotic").pvalue
    assert found["rank sum"] == expected


def test_rank_tests_are_exact_below_fifty_as_in_r():
    r, python = campaigns(1.02, 0.04, count=1, n=50)
    r, python = r[0], python[0]
    d = np.log(r / python)
    for n, rank, signed in ((49, "exact", "exact"), (50, "asymptotic", "approx")):
        found = p_values(r[:n], python[:n])
        expected = stats.mannwhitneyu(r[:n], python[:n], method=rank).pvalue
        assert found["rank sum"] == expected
        expected = stats.wilcoxon(d[:n], method=signed, correction=True).pvalue
        assert found["signed rank"] == expected


def test_pool_of_one_campaign_is_its_own_interval(pair):
    r, python = pair
    found = pool([np.log(r / python)]).interval()
    assert found == pytest.approx(log_t(r, python))


def test_pool_stops_at_zero_and_widens():
    rng = np.random.default_rng(3)
    alike = [rng.normal(0.02, 0.02, 10) for _ in range(4)]
    alike = [a - a.mean() + 0.02 + i / 1e4 for i, a in enumerate(alike)]
    assert pool(alike).tau == 0
    apart = [a + i / 10 for i, a in enumerate(alike)]
    found = pool(apart)
    means = np.array([a.mean() for a in apart])
    variances = np.array([a.var(ddof=1) / 10 for a in apart])
    expected = combine_effects(means, variances, method_re="dl")
    assert found.tau**2 == pytest.approx(expected.tau2, rel=1e-9)
    assert found.q == pytest.approx(expected.q, rel=1e-9)
    welch = anova_oneway(apart, use_var="unequal")
    assert found.p == pytest.approx(welch.pvalue, rel=1e-9)
    assert found.p < 1e-6
    assert 0.9 < found.i2 < 1
    assert found.error > 5 * pool(alike).error


@pytest.mark.parametrize("sizes", [(3, 3, 2, 10), (10, 20, 8, 9)])
def test_pool_counts_each_campaign_once(sizes):
    rng = np.random.default_rng(3)
    samples = [rng.normal(0.02 * i, 0.02, n) for i, n in enumerate(sizes)]
    found = pool(samples)
    test = stats.ttest_1samp([s.mean() for s in samples], 0)
    ends = test.confidence_interval(0.95)
    assert found.interval().low == pytest.approx(math.exp(ends.low))
    assert found.interval().high == pytest.approx(math.exp(ends.high))
    assert found.df == 3
    if min(sizes) < 8:
        anova = stats.f_oneway(*samples)
        assert found.p == pytest.approx(anova.pvalue)
        assert found.q / 3 == pytest.approx(anova.statistic)


@pytest.mark.parametrize(
    "samples, said",
    [
        ([], "no campaign"),
        ([[0.1], [0.1, 0.2]], "one block"),
        ([[0.1, 0.3], [0.3, 0.1]], "the same in all 2 campaigns"),
        ([[0.1, np.nan], [0.3, 0.1]], "missing"),
        ([[0.1, np.inf]], "missing"),
        ([[0.1, 0.1], [0.3, 0.1]], "do not scatter"),
        ([[0.1, 0.3 - 0.2]], "do not scatter"),
    ],
)
def test_what_cannot_be_pooled_is_a_sentence(samples, said):
    with pytest.raises(CannotSay, match=said):
        pool(samples)


# --- random numbers


def test_generator_is_park_and_millers():
    """The next number is the last times 48271, modulo 2^31 - 1."""
    state = 5
    for _ in range(100):
        state = state * 48271 % (2**31 - 1)
    expected = []
    for _ in range(6):
        state = state * 48271 % (2**31 - 1)
        expected.append(math.floor(state / (2**31 - 1) * 7))
    assert resamples(3, 2, seed=5).max() < 3
    assert resamples(6, 1, seed=5).shape == (1, 6)
    drawn = statistics._uniform(6, 5)
    assert np.floor(drawn * 7).tolist() == expected
    with pytest.raises(ValueError, match="seed is 0; 1 to"):
        resamples(3, seed=0)


def test_drawn_numbers_are_distributed_as_they_should():
    drawn = resamples(10, 5000)
    assert stats.chisquare(np.bincount(drawn.ravel())).pvalue > 0.001
    normals = standard_normals(10, 2000)
    assert stats.kstest(normals.ravel(), "norm").pvalue > 0.001
    correlation = np.corrcoef(normals.T) - np.eye(10)
    assert abs(correlation).max() < 0.08
    assert len(set(map(tuple, sign_flips(6)))) == 64
    assert sign_flips(20).shape == (10_000, 20)


# --- from rows to pairs


def test_pairs_leave_the_warm_up_out():
    runs = made_up_campaign()
    pairs = complete_pairs(runs)
    assert len(pairs.table) == 10
    assert pairs.table["block"].tolist() == list(range(1, 11))
    assert pairs.left_out == ()
    one = runs[(runs["block"] == 4) & (runs["arm"] == "r")]
    assert pairs.value[3] == one["fit_seconds"].iloc[0]


def test_a_missing_partner_is_left_out_and_said():
    runs = with_state(made_up_campaign(), "r", [2, 5], "crashed")
    pairs = complete_pairs(runs)
    assert 2 not in set(pairs.table["block"])
    assert len(pairs.table) == 8
    assert pairs.left_out == (
        "2 blocks of 10 have no complete pair of r and python and are left out.",
    )
    assert failed(runs).to_dict() == {("r", "crashed"): 2}


def test_a_missing_time_is_left_out_and_said():
    runs = made_up_campaign()
    runs.loc[(runs["arm"] == "r") & (runs["block"] == 3), "fit_seconds"] = np.nan
    pairs = complete_pairs(runs)
    assert len(pairs.table) == 9
    assert "1 completed run has no fit_seconds" in pairs.left_out[0]


def test_a_repeated_run_counts_once():
    runs = made_up_campaign()
    again = runs[(runs["arm"] == "r") & (runs["block"] == 3)].copy()
    again["fit_seconds"] = 99.0
    again["run"] = 1000
    interrupted = runs.copy()
    hit = (runs["arm"] == "r") & (runs["block"] == 3)
    interrupted.loc[hit, "state"] = "interrupted"
    pairs = complete_pairs(pd.concat([interrupted, again]))
    assert pairs.value[2] == 99.0
    assert pairs.left_out == ()
    pairs = complete_pairs(pd.concat([runs, again]))
    assert pairs.value[2] == 99.0
    assert "the later one is used" in pairs.left_out[0]


def no_run(runs):
    return runs[:0]


def only_warm_up(runs):
    return runs[runs["block"] == 0]


def none_completed(runs):
    runs = runs.copy()
    runs["state"] = "timeout"
    return runs


def one_arm(runs):
    return runs[runs["arm"] == "python"]


def no_partner(runs):
    odd = runs["block"] % 2 == 1
    return runs[((runs["arm"] == "r") & odd) | ((runs["arm"] != "r") & ~odd)]


def no_column(runs):
    return runs.drop(columns="fit_seconds")


def no_number(runs):
    return runs.assign(fit_seconds="fast")


def all_missing(runs):
    return runs.assign(fit_seconds=np.nan)


def below_zero(runs):
    return runs.assign(fit_seconds=-runs["fit_seconds"])


def other_device(runs):
    return runs.assign(device="gpu")


@pytest.mark.parametrize(
    "spoil, said",
    [
        (no_run, "There is no run"),
        (only_warm_up, "warm-up block"),
        (none_completed, "None of the 40 runs on the CPU was completed (40 t"),
        (one_arm, "The arm 'r' has no completed run on the CPU"),
        (no_partner, "each lacks its partner"),
        (no_column, "lacks the column fit_seconds"),
        (no_number, "not a number"),
        (all_missing, "No block has a completed run of both"),
        (below_zero, "a time has to be above zero"),
        (other_device, "There is no run on the CPU"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_bad_input_gets_a_sentence(spoil, said):
    with pytest.raises(CannotSay) as problem:
        complete_pairs(spoil(made_up_campaign()))
    assert said in str(problem.value)
    assert "\n" not in str(problem.value)


@pytest.mark.parametrize(
    "r, python, said",
    [
        ([10.0], [11.0], "There is 1 block"),
        ([10.0, 10.0], [11.0, 11.0], "The ratio is the same in all 2 blocks"),
        ([10.0, np.nan], [11.0, 10.0], "A time is missing"),
        ([10.0, 0.0], [11.0, 10.0], "The smallest time is 0"),
        ([10.0, 11.0, 12.0], [11.0, 10.0], "Pairs are needed"),
    ],
)
@pytest.mark.parametrize("judge", [*INTERVALS.values(), p_values])
def test_bad_pairs_get_a_sentence(judge, r, python, said):
    with pytest.raises(CannotSay, match=said):
        judge(r, python)


def test_a_notebook_shows_the_sentence_only():
    assert CannotSay("No.")._render_traceback_() == ["CannotSay: No."]


@pytest.mark.parametrize(
    "d, said",
    [
        ([0.1], "There is 1 difference;"),
        (0.1, "There is 1 difference;"),
        ([], "There are 0 differences;"),
        ([0.1, np.nan], "missing"),
        ([0.1, 0.3 - 0.2], "the same in all 2 blocks"),
        ([0.0, 0.0], "the same in all 2 blocks"),
    ],
)
def test_differences_that_say_nothing_get_a_sentence(d, said):
    for judge in (mean_interval, lambda d: tost(d, 0.03)):
        with pytest.raises(CannotSay, match=said):
            judge(d)


@pytest.mark.parametrize(
    "power",
    [
        lambda: power_paired(10, 1.02, 0),
        lambda: power_paired(10, 1.02, math.nan),
        lambda: power_unpaired(10, 1.02, 0),
        lambda: power_tost(10, 0),
    ],
)
def test_power_without_scatter_gets_a_sentence(power):
    with pytest.raises(CannotSay, match="The standard error is"):
        power()


def test_power_of_one_block_gets_a_sentence():
    with pytest.raises(CannotSay, match="There are 0 degrees of freedom"):
        power_paired(1, 1.02, 0.01)


def test_how_many_blocks_are_tried():
    with pytest.raises(CannotSay, match="power of 2 blocks is not a number"):
        blocks_needed(lambda n: math.nan)
    assert blocks_needed(lambda n: float(n >= 99_999)) == 99_999
    tried = []
    with pytest.raises(CannotSay, match="Not even 100,000 blocks"):
        blocks_needed(lambda n: tried.append(n) or 0.0)
    assert max(tried) == 100_000


def test_epochs_without_seconds_are_a_sentence():
    runs = made_up_campaign(epochs=3)
    runs["epoch_seconds"] = [()] * len(runs)
    with pytest.raises(CannotSay, match="No completed run has the seconds"):
        cold_and_steady(runs)


@pytest.mark.parametrize("value", ["1;x", ["a"], [[1], [2, 3]]])
def test_epochs_that_are_no_numbers(value):
    with pytest.raises(CannotSay, match="one number per epoch is expected"):
        epochs(value)


def test_cold_and_steady_epochs():
    table = cold_and_steady(made_up_campaign())
    assert len(table) == 40
    assert (table["cold"] / table["steady"]).median() == pytest.approx(1.3)
    with pytest.raises(CannotSay, match="Runs of 1 epoch say nothing"):
        cold_and_steady(made_up_campaign(epochs=1))


@pytest.mark.parametrize(
    "value, expected",
    [("1.5;2", [1.5, 2]), ((1, 2), [1, 2]), ("", []), (None, [])],
)
def test_epochs(value, expected):
    assert epochs(value).tolist() == expected
    assert epochs(math.nan).tolist() == []


def test_main_campaign_has_the_most_pairs():
    small = made_up_campaign(blocks=4, campaign="z-small")
    large = made_up_campaign(campaign="a-large", seed=2)
    assert main_campaign(pd.concat([small, large])) == "a-large"
    other = made_up_campaign(campaign="b-large", seed=3, device="gpu")
    both = pd.concat([small, large, other])
    assert main_campaign(both) == "b-large"
    assert main_campaign(both, "cpu") == "a-large"
    assert main_campaigns(both) == {"cpu": "a-large", "gpu": "b-large"}
    alone = one_arm(other)
    assert main_campaigns(pd.concat([small, alone])) == {"cpu": "z-small"}
    with pytest.raises(CannotSay, match="The arm 'r' has no completed run"):
        main_campaigns(alone)
    with pytest.raises(CannotSay, match="The arm 'r' has no completed run"):
        main_campaign(one_arm(large))


def test_a_table_goes_to_r_and_back(tmp_path):
    from sidebyside.timing import load_campaigns

    made = with_state(made_up_campaign(), "rpy2", [2], "crashed")
    loaded = load_campaigns(write_campaign(made, tmp_path / "made-up"))
    # A class may have trained for different numbers of epochs.
    both = pd.concat([made, made_up_campaign(epochs=1), made_up_campaign(epochs=7)])
    curves = from_columns(columns_of(both))["val_accuracy"]
    assert curves.tolist() == both["val_accuracy"].tolist()
    back = from_columns(columns_of(loaded))
    for name in ("campaign", "run", "block", "arm", "state"):
        assert back[name].tolist() == made[name].tolist(), name
    assert back["val_accuracy"].tolist() == made["val_accuracy"].tolist()
    assert back["fit_seconds"].equals(loaded["fit_seconds"])
    assert back["fit_seconds"].isna().sum() == 1
    pairs = complete_pairs(loaded)
    expected = complete_pairs(made)
    np.testing.assert_allclose(pairs.value, expected.value, rtol=1e-14)
