"""The verdict changes sides when the data do, and its report shows it."""

import html
import importlib
import re
import warnings
from dataclasses import replace

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import sidebyside.statistics
from made_up import ARMS, made_up_campaign, with_state, write_campaign
from scipy import stats
from sidebyside.statistics import (
    CannotSay,
    main_campaigns,
    report,
    verdict,
    write_report,
)
from sidebyside.statistics.estimates import Mean, Pool, blocks_needed, blocks_range
from sidebyside.statistics.pairs import columns_of
from sidebyside.statistics.statements import (
    AccuracyGap,
    Campaigns,
    Control,
    Ended,
    Failures,
    LeftOut,
    OtherTraining,
    Part,
    TimeRatio,
    Unknown,
)
from sidebyside.statistics.verdict import from_r
from sidebyside.timing import load_campaigns
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import ttost_paired


@pytest.fixture(autouse=True)
def no_window():
    matplotlib.use("agg")
    yield
    plt.close("all")


def of_kind(found, kind):
    return [s for s in found.statements if isinstance(s, kind)]


def together(*campaigns):
    return verdict(pd.concat(campaigns))


def times(runs):
    """The training times of R and of Python, block by block."""
    fit = runs[runs["block"] > 0].pivot(index="block", columns="arm")["fit_seconds"]
    return fit["r"], fit["python"]


def numbers(words):
    """All numbers of a sentence."""
    return set(map(float, re.findall(r"\d+(?:\.\d+)?", words)))


def test_the_room_exports_functions():
    module = importlib.import_module("sidebyside.statistics.verdict")
    assert sidebyside.statistics.verdict is module.verdict is verdict


# --- what it says of the time


CASES = {
    # ratio, scatter, blocks: outcome, surely
    "slower": (1.15, 0.02, 10, "slower", True),
    "faster": (0.88, 0.02, 10, "faster", True),
    "equal": (1, 0.01, 10, "same", False),
    "noisy": (1, 0.15, 10, "unclear", False),
    "small": (1.015, 0.01, 20, "small", False),
    "small, faster": (0.985, 0.01, 20, "small", False),
    "not settled": (1.035, 0.02, 10, "slower", False),
}


@pytest.mark.parametrize("case", CASES)
def test_it_takes_the_side_of_the_data(case):
    ratio, sd, blocks, outcome, surely = CASES[case]
    runs = made_up_campaign(ratio, sd=sd, blocks=blocks)
    found = verdict(runs)
    training = found.finding()
    assert (training.outcome, training.surely) == (outcome, surely)
    assert found.statements[0] is training
    # By SciPy and statsmodels, from the rows.
    r, python = times(runs)
    test = stats.ttest_1samp(np.log(r / python), 0)
    assert np.log(training.interval[1:]) == pytest.approx(test.confidence_interval())
    tost, *_ = ttost_paired(r, python, 1 / 1.03, 1.03, transform=np.log)
    assert training.p_apart == pytest.approx(float(tost), rel=1e-9, abs=0)
    # Its words have the numbers that decide.
    shown = training.narrower if outcome in ("same", "small") else training.interval
    assert {round(end, 3) for end in shown} <= numbers(training.words())
    low, high = (100 * abs(end - 1) for end in training.interval[1:])
    if outcome != "same":
        for end in (low, high):
            assert any(abs(end - n) < 0.5 for n in numbers(training.meaning()))
    if outcome in ("slower", "faster", "small"):
        assert ("slower" in training.meaning()) == (ratio > 1)
        assert ("faster" in training.meaning()) == (ratio < 1)


@pytest.mark.parametrize("margin", [3, 0, 1e-9, None, "x", [0.1], np.nan, np.inf, True])
@pytest.mark.parametrize("name", ["margin", "accuracy_margin"])
def test_a_margin_is_a_share(name, margin):
    with pytest.raises(CannotSay, match=f"The {name} is .*between 0 and 1"):
        verdict(made_up_campaign(), **{name: margin})


def test_the_margin_of_faster_mirrors_that_of_slower():
    """1 / 1.03 is 2.9 % less, and an interval below it is not "more than 3 %"."""
    found = verdict(made_up_campaign(0.965, sd=0.003)).finding()
    assert (found.outcome, found.surely) == ("faster", True)
    assert 2.9 in numbers(found.meaning())
    # 1 / 1.3 is 0.77, and 1.32 is beyond the margin, though log(1.32) is 0.28.
    for ratio, outcome in ((0.74, "faster"), (1.32, "slower"), (1.2, "small")):
        wide = verdict(made_up_campaign(ratio), margin=0.3).finding()
        assert (wide.outcome, wide.surely) == (outcome, outcome != "small")


def test_noise_asks_for_more_blocks():
    few = made_up_campaign(1, sd=0.06)
    r, python = times(few)
    sd = np.log(r / python).std()
    wanted = blocks_needed(sd)
    rounded = {float(f"{n:.2g}") for n in (wanted, *blocks_range(sd, 9))}
    assert rounded | {10} <= numbers(verdict(few).primary.meaning())
    more = made_up_campaign(1, sd=0.06, blocks=2 * wanted)
    assert verdict(more).finding().outcome == "same"


def test_the_whole_process_is_judged_apart():
    found = verdict(made_up_campaign(1, sd=0.005, start_r=6))
    assert found.finding().outcome == "same"
    whole = found.finding(column="process_seconds")
    assert whole.outcome == "slower"
    assert whole.interval.estimate == pytest.approx(1.25, abs=0.02)


# --- processor time and memory


def test_resources_are_secondary_questions():
    """The same pairs as for times; one sentence for each, whatever the work."""
    runs = painted_and_photographs()
    found = verdict(runs)
    for s, column in zip(
        found.resources, ("cpu_seconds", "peak_memory_mb"), strict=True
    ):
        for f in s.ratios:
            part = runs[(runs["campaign"] == f.of) & (runs["block"] > 0)]
            pairs = part.pivot(index="block", columns="arm", values=column)
            logs = np.log(pairs["r"] / pairs["python"])
            assert f.interval == pytest.approx(Mean.of(logs).ratio())
            assert {round(end, 3) for end in f.interval} <= numbers(s.words())
            assert f is found.finding(column=column, campaign=f.of)
        assert found.sentences.count(s.words()) == 1 and s.words().count(". ") == 1
    assert found.finding(column="peak_memory_mb").interval.estimate > 1.28
    # Neither is in the figure, which is about times.
    assert "memory" not in found.alt_text


@pytest.mark.parametrize(
    "factor, outcome, said",
    [
        (1, "same", "within the margin of 3 %"),
        (1.02, "small", "within the margin of 3 %"),
        (1.3, "slower", ": more, beyond the margin of 3 % (corrected"),
        (0.8, "faster", ": less, beyond"),
        (1.032, "slower", "probably more"),
        ("noisy", "unclear", "inconclusive"),
    ],
)
def test_what_a_resource_shows(factor, outcome, said):
    runs = made_up_campaign(blocks=20)
    noise = np.random.default_rng(1).normal(0, 1, len(runs))
    noise *= 0.2 if factor == "noisy" else 0.003
    factor = 1 if factor == "noisy" else factor
    of_r = np.where(runs["arm"] == "r", factor, 1)
    found = verdict(runs.assign(peak_memory_mb=700 * of_r * np.exp(noise)))
    memory = found.finding(column="peak_memory_mb")
    assert memory.outcome == outcome and said in memory.words()
    assert memory.words() == found.resources[1].words()


def test_the_resources_of_many_kinds_of_work_are_counted():
    runs = [made_up_campaign(campaign=x, seed=ord(x)).assign(work=x) for x in "abcd"]
    runs[0] = runs[0].assign(peak_memory_mb=700 + runs[0].index % 7)
    found = together(*runs)
    memory = found.resources[1]
    ratios = [f.interval.estimate for f in memory.ratios]
    ends = {round(end, 3) for end in (min(ratios), max(ratios))}
    assert len(ratios) == 4 and ends <= numbers(memory.words())
    assert "in 3 more, beyond the margin of 3 %; in 1 within" in memory.words()


@pytest.mark.parametrize("value", [np.nan, None, 0, -1.0, np.inf])
def test_resources_that_are_missing_are_left_out(value):
    runs = made_up_campaign(blocks=10)
    hit = (runs["arm"] == "r") & runs["block"].isin([2, 5])
    memory = runs["peak_memory_mb"].astype(object).mask(hit, value)
    found = verdict(runs.assign(peak_memory_mb=memory))
    assert found.finding(column="peak_memory_mb").blocks == 8
    assert found.finding(column="cpu_seconds").blocks == 10
    (left_out,) = of_kind(found, LeftOut)
    assert left_out.what.startswith("2 of 10 blocks without")
    assert left_out.what.endswith("with known peak memory")
    # Older tables may lack the column; made-up ones may be constant.
    for without in (
        runs.drop(columns="peak_memory_mb"),
        runs.assign(peak_memory_mb=value),
        runs.assign(peak_memory_mb=700),
    ):
        found = verdict(without)
        (unknown,) = [s for s in of_kind(found, Unknown) if s.device == "cpu"]
        assert unknown.what == "R, peak memory" and len(found.resources) == 1
        assert found.finding().blocks == 10


def ratio_of(value, error, df, factor=1):
    """A ratio as one of `factor` questions, with Bonferroni's p values."""
    mean = Pool(value, error, df)
    about = {"arm": "r", "column": "fit_seconds", "device": "cpu"}
    about |= {"parts": (Part("one", mean, df + 1),), "primary": factor == 1}
    alone = TimeRatio.of_pool(mean, 0.03, compared=factor, **about)
    names = ("p_different", "p_apart", "p_beyond")
    return replace(alone, **{x: min(1.0, factor * getattr(alone, x)) for x in names})


def test_no_sentence_contradicts_its_own_interval():
    said = set()
    for value in np.linspace(-0.12, 0.12, 61):
        for error in (0.002, 0.006, 0.012, 0.02, 0.04):
            for factor in (1, 3, 30):
                f = ratio_of(value, error, 9, factor)
                words = f.meaning()
                (_, low, high), (_, in_low, in_high) = f.interval, f.narrower
                inside = in_low > 1 / 1.03 and in_high < 1.03
                beyond = in_low > 1.03 or in_high < 1 / 1.03
                certain = low > 1 or high < 1
                said.add((f.outcome, f.surely))
                assert words.startswith("Inconclusive") == (f.outcome == "unclear")
                assert ("lies within" in words) == (f.outcome in ("same", "small"))
                assert ("faster or" in words) <= (not certain)
                assert ("blocks" in words) <= (factor == 1)
                assert ("corrected p" in words) == (factor > 1)
                # Only a correction makes a claim weaker than its interval.
                assert (f.outcome in ("same", "small")) <= inside
                assert (f.outcome in ("small", "slower", "faster")) <= certain
                assert f.surely <= beyond
                past = low > 1.03 or high < 1 / 1.03
                weaker = (past and not f.surely) or (certain and f.outcome == "unclear")
                assert ("not corrected" in words) == weaker
                if factor == 1:
                    assert (f.outcome == "unclear") == (not certain and not inside)
    assert len(said) == 7


@pytest.mark.parametrize(
    "value, error, shown",
    [
        # An interval without 1 is shown without 1.
        (0.00035, 0.0001, ["1.0004", "1.0001", "1.0006"]),
        (-0.0004, 0.0001, ["0.9996", "0.9994", "0.9998"]),
        (1e-7, 1e-9, ["1.0000001"]),
        # One within the margin is shown within.
        (0.0, 0.01609, ["0.9709 to 1.0299"]),
        (12.0, 1.0, ["1.6e+05"]),
    ],
)
def test_numbers_say_what_the_sentence_says(value, error, shown):
    words = ratio_of(value, error, 9).words()
    assert all(number in words for number in shown)


# --- the experiment against itself


@pytest.mark.parametrize("again", [1.155, 0.855])
def test_a_biased_experiment_is_warned_of_first(again):
    found = verdict(made_up_campaign(again=again))
    assert found.biased
    control = found.finding("python-again")
    assert control.warning
    assert control.interval.estimate == pytest.approx(again)
    assert found.sentences[0] == control.words()
    assert control.words() in found.answer
    assert found.statements[0] is found.finding()
    for s in found.statements:
        assert s.words() == "Warning: " * s.warning + s.plain()
        assert "Warning" not in s.plain()
    fair = verdict(made_up_campaign())
    assert not fair.biased and not any(s.warning for s in fair.statements)


def test_campaigns_biased_in_opposite_directions():
    """Their mean includes 1; each of them does not."""
    up = made_up_campaign(again=1.1, campaign="up")
    down = made_up_campaign(again=0.9, campaign="down", seed=2)
    found = together(up, down)
    control = found.finding("python-again")
    assert not control.biased and control.warning
    assert control.deviating == ("down", "up")
    assert "down, up" in found.sentences[0]


@pytest.mark.parametrize(
    "p, count, expected",
    [(0.03, 1, ("far",)), (0.03, 10, ()), (0.004, 10, ()), (0.002, 10, ("far",))],
)
def test_many_campaigns_are_not_each_tested_at_five_percent(p, count, expected):
    """Bonferroni: half for each campaign, half for all together."""
    mean = Mean(-0.1, 0.1 / stats.t.isf(p / 2, 9), 9)
    parts = Part("far", mean, 10), *[Part("fair", Mean(0, 0.1, 9), 10)] * (count - 1)
    fair = vars(ratio_of(0.0, 0.1, 9)) | {"arm": "python-again", "parts": parts}
    assert Control(**fair).deviating == expected
    assert Control(**fair).warning == bool(expected)
    of_all = Control(**fair | {"p_different": 0.04})
    assert of_all.biased == (count == 1)


def test_what_was_not_measured_is_said():
    found = verdict(made_up_campaign(arms=("python", "r")))
    assert [(s.what, s.device) for s in of_kind(found, Unknown)] == [
        ("the control", "cpu"),
        ("R", "gpu"),
    ]
    assert not found.biased


# --- runs that failed, partners that are missing


def test_failed_runs_are_counted():
    runs = with_state(made_up_campaign(), "r", [2, 3], "crashed")
    runs = with_state(runs, "python-again", [4], "timeout")
    found = verdict(runs)
    (failures,) = of_kind(found, Failures)
    assert set(failures.counts) == {
        ("python-again", "timeout", 1),
        ("r", "crashed", 2),
    }
    assert (failures.runs, failures.unequal) == (44, True)
    assert {3, 44} <= numbers(failures.words())
    assert found.finding().blocks == 8
    # Both clocks lack the same blocks.
    left_out = [s.what for s in of_kind(found, LeftOut)]
    assert [what[:14] for what in left_out] == ["2 of 10 blocks", "1 of 10 blocks"]
    # A crash in the warm-up is a crash; an interruption is nobody's failure.
    runs = with_state(with_state(runs, "python", [0, 5], "timeout"), "r", [6], "ok")
    extra = runs[(runs["arm"] == "r") & (runs["block"] == 6)]
    (failures,) = of_kind(together(runs, extra.assign(state="interrupted")), Failures)
    assert failures.runs == 45 and not failures.unequal


def test_a_side_arm_that_failed_stops_nothing():
    runs = with_state(made_up_campaign(), "rpy2", range(11), "crashed")
    found = verdict(runs)
    assert found.finding().blocks == 10
    assert "training" in of_kind(found, Unknown)[0].what


def with_other_training(runs, arm, blocks, accuracy=0.5):
    """The same, but these runs came to their end with other losses."""
    runs = with_state(runs, arm, blocks, "wrong-loss")
    for row in runs.index[runs["state"] == "wrong-loss"]:
        runs.at[row, "val_accuracy"] = (accuracy,)
    return runs


@pytest.mark.parametrize("arm", ["r", "python-again", "rpy2"])
def test_that_something_else_was_trained_is_said_first(arm):
    # A control that failed is a warning as well.
    runs = with_other_training(made_up_campaign(again=1.2), arm, range(1, 6))
    found = verdict(runs)
    (other,) = of_kind(found, OtherTraining)
    assert (other.arm, other.device, other.count, other.runs) == (arm, "cpu", 5, 11)
    assert other.campaigns == ("made-up",)
    assert found.sentences[0] == other.words() and other.words() in found.answer
    assert not of_kind(found, Failures)
    assert found.finding(arm).blocks == 5
    # All runs that ended have an accuracy.
    (accuracy,) = of_kind(found, AccuracyGap)
    assert accuracy.blocks == 10
    assert (accuracy.gap is None) == (arm != "r")


def test_blocks_without_an_accuracy_are_counted():
    found = verdict(with_other_training(made_up_campaign(), "r", [2, 3], np.nan))
    (accuracy,) = of_kind(found, AccuracyGap)
    assert (accuracy.blocks, accuracy.tried) == (8, 10)
    assert "8 pairs of runs, of 10 blocks" in accuracy.words()


def test_a_primary_question_without_an_answer_stays_the_primary_one():
    runs = with_other_training(made_up_campaign(), "r", range(11))
    runs = runs.assign(work="photographs")
    for other in (
        made_up_campaign(campaign="fine", seed=2).assign(work="other"),
        made_up_campaign(campaign="fine", seed=2, device="gpu"),
    ):
        found = together(other, runs)
        assert isinstance(found.primary, Unknown) and found.primary.warning
        assert "trained something else" in found.sentences[0]
        assert found.sentences[1] == found.primary.words()
        assert "No run of R trained the same" in found.primary.words()
        of_r = [f for f in found.findings if f.arm == "r"]
        assert {(f.primary, f.compared) for f in of_r} == {(False, 4)}
        wrong, fine = of_kind(found, AccuracyGap)
        assert fine.gap is None and wrong.warning
        found.figure()


def test_a_time_that_cannot_be_costs_one_pair():
    runs = made_up_campaign(1.1)
    runs.loc[(runs["arm"] == "r") & (runs["block"] == 3), "fit_seconds"] = 0
    found = verdict(runs)
    assert found.finding().blocks == 9
    assert found.finding(column="process_seconds").blocks == 10
    (left_out,) = of_kind(found, LeftOut)
    assert left_out.what.startswith("block 3 of made-up, because fit_seconds")
    found.figure()


# --- campaigns that did not run as planned


ENDED = {
    # how, blocks of the plan: a warning, what it says
    ("unfinished", 10): (True, "4 of 10 blocks"),
    ("unfinished", np.nan): (True, "Unfinished: made-up .4 blocks"),
    ("cut off", 10): (True, "cut off"),
    ("early precision", 200): (True, "94 %"),
    # Today's rule needs more blocks.
    ("precision", 200): (True, "94 %"),
    ("budget", 10): (False, "minutes .*4 of 10 blocks"),
    ("planned", 4): (False, None),
    ("", 10): (False, None),
    (None, 10): (False, None),
}


@pytest.mark.parametrize("how, planned", ENDED)
def test_how_a_campaign_ended(how, planned):
    runs = made_up_campaign(blocks=4).assign(ended=how, planned=planned)
    # The next block has just begun.
    begun = runs[(runs["block"] == 1) & (runs["arm"] == "r")].assign(block=5)
    runs = pd.concat([runs, begun.assign(started="later")])
    found = verdict(runs)
    warning, words = ENDED[how, planned]
    ended = of_kind(found, Ended)
    assert [s.warning for s in ended] == [warning] * bool(words)
    for s in ended:
        assert [x[:2] for x in s.campaigns] == [("made-up", 4)]
        assert re.search(words, s.words())
        assert (found.sentences[0] == s.words()) == warning
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert main_campaigns(runs) == {"cpu": "made-up"}
    assert len(caught) == warning


def test_a_campaign_that_ended_by_its_precision():
    runs = made_up_campaign(blocks=40).assign(ended="precision", planned=200)
    (ended,) = of_kind(verdict(runs), Ended)
    assert not ended.warning and {40, 94.5} <= numbers(ended.words())
    # 200 is the most that there might have been.
    assert 200 not in numbers(ended.words())


def test_campaigns_that_lack_the_same_are_told_together():
    runs = []
    for i in range(5):
        blocks = 1 if i > 2 else 2
        made = made_up_campaign(1 + i / 100, blocks=blocks, campaign=f"s{i}", seed=i)
        runs.append(made.assign(ended="unfinished", planned=3))
    found = together(*runs)
    (ended,) = of_kind(found, Ended)
    assert len(ended.campaigns) == 5 and "s0 (2 of 3 blocks), s1" in ended.words()
    (left_out,) = of_kind(found, LeftOut)
    assert left_out.what.startswith("s3, s4 (There is 1 block")


@pytest.mark.parametrize("blocks", [10, 9])
def test_a_copy_of_a_campaign_is_not_one_more(blocks):
    runs = made_up_campaign(1.02)
    copy = runs[runs["block"] <= blocks].assign(campaign="renamed", machine="other")
    for judge in (verdict, main_campaigns):
        with pytest.raises(CannotSay, match=r"made-up and renamed have .* copy"):
            judge(pd.concat([runs, copy]))


# --- the accuracy


@pytest.mark.parametrize("epochs", [1, 4])
def test_the_same_accuracy_to_the_last_digit(epochs):
    (accuracy,) = of_kind(verdict(made_up_campaign(epochs=epochs)), AccuracyGap)
    assert accuracy.gap is None and accuracy.blocks == 10


@pytest.mark.parametrize(
    "gap, sd, said",
    [
        (0, 0.002, "more is excluded"),
        (0.003, 0.0005, "more is excluded"),
        (0.004, 0.002, "more cannot be excluded"),
        (0, 0.02, "more cannot be excluded"),
        (-0.02, 0.002, "R is less accurate, by more than the margin of 0.5 points"),
        (0.02, 0.002, "R is more accurate, by more than the margin of 0.5 points"),
    ],
)
def test_another_accuracy(gap, sd, said):
    runs = made_up_campaign(accuracy_gap=gap, accuracy_sd=sd)
    judged = verdict(runs)
    (found,) = of_kind(judged, AccuracyGap)
    estimate, _, high = found.gap.interval(0.9)
    assert estimate == pytest.approx(gap, abs=1e-12)
    assert f"{100 * high:.2f}" in found.words() and said in found.words()
    assert found.warning == ("R is" in said)
    assert (judged.sentences[0] == found.words()) == found.warning
    # With a wide margin every difference is.
    (wide,) = of_kind(verdict(runs, accuracy_margin=0.2), AccuracyGap)
    assert 20 in numbers(wide.words()) and "is excluded" in wide.words()


def test_no_accuracy_is_beyond_what_is_possible():
    runs = with_other_training(made_up_campaign(seed=2, campaign="b"), "r", range(11))
    (found,) = of_kind(together(made_up_campaign(1.1), runs), AccuracyGap)
    assert "-100.00 to 100.00" in found.words() and not found.warning


@pytest.mark.parametrize(
    "curve, said",
    [
        (lambda arm, block: (0.75 if arm == "r" else 0.5,), "is 25.00 points"),
        # The same but for the last bits.
        (
            lambda arm, block: (0.5 + block / 100 + (0.1 if arm == "r" else 0),),
            "is 10.00 points",
        ),
        (lambda arm, block: (), "No result for test accuracy"),
    ],
)
def test_an_accuracy_without_scatter_or_without_values(curve, said):
    runs = made_up_campaign()
    runs["val_accuracy"] = list(map(curve, runs["arm"], runs["block"]))
    assert said in verdict(runs).text


def test_the_accuracies_of_several_campaigns_count_once_each():
    runs = []
    for i in (1, 2, 3):
        gap = {"accuracy_gap": 0.01 * i, "accuracy_sd": 0.001}
        name = {"campaign": f"c{i}", "seed": i}
        runs.append(made_up_campaign(1 + i / 1000, blocks=5 * i, **name, **gap))
    (found,) = of_kind(together(*runs), AccuracyGap)
    ends = stats.ttest_1samp([0.01, 0.02, 0.03], 0).confidence_interval()
    assert found.gap.interval() == pytest.approx((0.02, ends.low, ends.high))
    assert found.blocks == 30


# --- several campaigns, both devices


def test_both_devices():
    cpu = made_up_campaign(1, campaign="a")
    gpu = made_up_campaign(1.3, campaign="b", device="gpu", seed=2)
    found = together(cpu, gpu)
    assert found.finding(device="cpu").outcome == "same"
    assert found.finding(device="GPU").outcome == "slower"
    assert not of_kind(found, Unknown)
    alone = together(cpu, gpu[gpu["arm"] == "python"])
    assert [s.device for s in of_kind(alone, Unknown)] == ["gpu"]
    assert alone.finding().blocks == 10


def test_campaigns_that_agree():
    runs = [
        made_up_campaign(1.1 + i / 1000, campaign=f"c{i}", machine=f"m{i}", seed=i + 1)
        for i in range(3)
    ]
    found = together(*runs)
    assert found.finding().outcome == "slower"
    assert found.finding().blocks == 30
    (pooled,) = of_kind(found, Campaigns)
    assert (pooled.names, pooled.machines) == (("c0", "c1", "c2"), 3)
    # Their ratios are the same but for a thousandth, which is chance.
    assert "narrower than it should be" in found.finding().meaning()
    assert "another machine" not in found.finding().meaning()
    one = verdict(runs[0]).finding().interval
    pooled = found.finding().interval
    assert pooled.high - pooled.low < one.high - one.low


def test_two_campaigns_that_differ_are_not_judged_by_their_blocks():
    """Each by itself is certain, but not of what both are said to tell."""
    a = made_up_campaign(1.05, sd=0.004, campaign="a")
    b = made_up_campaign(1.15, sd=0.004, campaign="b", seed=2)
    found = together(a, b)
    training = found.finding()
    assert training.outcome == "unclear"
    ends = stats.ttest_1samp(np.log([1.05, 1.15]), 0).confidence_interval()
    assert np.log(training.interval[1:]) == pytest.approx(ends, rel=1e-6)
    surer = together(
        a,
        b,
        made_up_campaign(1.4, campaign="c", seed=3),
        made_up_campaign(1.3, campaign="d", seed=4),
        made_up_campaign(1.2, campaign="e", seed=5),
    )
    assert surer.primary.meaning().startswith("On average over these campaigns, R")
    assert "do not agree" in training.meaning()
    assert {1.05, 1.15} <= numbers(training.meaning())
    (pooled,) = of_kind(found, Campaigns)
    assert pooled.machines == 1


def test_campaigns_count_once_each_whatever_their_blocks():
    tiny = made_up_campaign(3.0, blocks=1, campaign="tiny")
    runs = [
        made_up_campaign(ratio, blocks=blocks, campaign=f"c{ratio}", seed=blocks)
        for ratio, blocks in ((1.1, 3), (1.2, 10), (1.15, 2))
    ]
    found = together(tiny, *runs)
    expected = (1.1 * 1.2 * 1.15) ** (1 / 3)
    assert found.finding().interval.estimate == pytest.approx(expected)
    assert found.finding().pool.df == 2
    assert [part.blocks for part in found.finding().parts] == [3, 2, 10]
    assert found.finding().blocks == 15
    assert any(s.what.startswith("tiny (") for s in of_kind(found, LeftOut))


def test_machines_are_counted_by_name():
    runs = [
        made_up_campaign(1 + i / 100, campaign=f"c{i}", machine=f"m{i // 2}", seed=i)
        for i in range(10)
    ]
    (ten,) = of_kind(together(*runs), Campaigns)
    assert (len(ten.names), ten.machines) == (10, 5)
    assert "c3" not in ten.words() and "not independent" in ten.words()
    (four,) = of_kind(together(*runs[:8:2]), Campaigns)
    assert (four.names, four.machines) == (("c0", "c2", "c4", "c6"), 4)
    assert "c4" in four.words() and "not independent" not in four.words()


# --- campaigns of different work


def painted_and_photographs(**truth):
    """Two campaigns of one machine, each of its own work."""
    painted = made_up_campaign(1.0, sd=0.004, campaign="painted", **truth)
    photographs = made_up_campaign(1.2, seed=2, campaign="photos", **truth)
    return pd.concat(
        [
            painted.assign(work="4 epochs; 16 painted fruits"),
            photographs.assign(work="4 epochs; 16 photographs"),
        ]
    )


def test_different_work_is_not_pooled():
    runs = painted_and_photographs()
    found = verdict(runs)
    # Level in machines and blocks: the last name, as in main_campaigns().
    assert found.finding() is found.finding(campaign="photos")
    for name, outcome in (("painted", "same"), ("photos", "slower")):
        assert found.finding(campaign=name).outcome == outcome
        alone = verdict(runs[runs["campaign"] == name])
        assert [(f.arm, f.column, f.interval) for f in alone.findings] == [
            (f.arm, f.column, f.interval) for f in found.findings if f.of == name
        ]
    assert [(s.names, s.work) for s in of_kind(found, Campaigns)] == [
        (("photos",), "4 epochs; 16 photographs"),
        (("painted",), "4 epochs; 16 painted fruits"),
    ]
    with pytest.raises(CannotSay, match=r"no result for r, .*, other;"):
        found.finding(campaign="other")


def test_accuracies_of_different_work_are_corrected():
    gap = {"accuracy_gap": 0.01, "accuracy_sd": 0.001}
    other = made_up_campaign(campaign="other", seed=2, **gap)
    more = made_up_campaign(campaign="more", accuracy_sd=0.004, seed=3)
    both = of_kind(together(other.assign(work="b"), more), AccuracyGap)
    alone = [a for x in (other, more) for a in of_kind(verdict(x), AccuracyGap)]
    for p in ("p_apart", "p_beyond"):
        raw = [getattr(a, p) for a in alone]
        assert sorted(getattr(a, p) for a in both) == pytest.approx(holm(raw))


# --- the primary question, and the others


def holm(p):
    """Holm's correction by statsmodels, sorted."""
    return sorted(multipletests(p, method="holm")[1])


def test_all_but_the_primary_question_are_corrected():
    runs = [
        made_up_campaign(1.04, sd=0.05, campaign="a").assign(work="photographs"),
        made_up_campaign(1.03, sd=0.04, campaign="b", seed=2).assign(work="painted"),
        made_up_campaign(1.02, sd=0.03, campaign="c", seed=3, device="gpu"),
    ]
    found = together(*runs)
    for arm in ARMS[1:]:
        others = [f for f in found.findings if f.arm == arm and not f.primary]
        # R's processor time and memory are among them.
        assert {f.compared for f in others} == {11 if arm == "r" else 6}
        for name in ("p_different", "p_apart", "p_beyond"):
            means = [(f.pool.value, f.pool.error, f.pool.df) for f in others]
            raw = [getattr(ratio_of(*mean), name) for mean in means]
            corrected = sorted(getattr(f, name) for f in others)
            assert corrected == pytest.approx(holm(raw))
    primary = found.primary
    assert [f for f in found.findings if f.primary] == [primary]
    assert (primary.of, primary.column, primary.arm) == ("a", "fit_seconds", "r")
    assert primary.p_different == primary.pool.p_different and primary.compared == 1
    assert primary.words().startswith("The primary question")


PRIMARY = {
    # device and work of each campaign: the place of the primary one
    "photographs": ([("cpu", "photographs"), ("cpu", "zoo"), ("cpu", "zoo")], 0),
    "the CPU": ([("gpu", "photographs"), ("cpu", "zoo")], 1),
    "most machines": ([("cpu", "a"), ("cpu", "b"), ("cpu", "a")], 0),
    "the GPU alone": ([("gpu", "zoo")], 0),
}


@pytest.mark.parametrize("case", PRIMARY)
@pytest.mark.parametrize("ratio", [1, 1.3])
def test_the_primary_question_does_not_depend_on_the_results(case, ratio):
    campaigns, place = PRIMARY[case]
    runs = []
    for i, (device, work) in enumerate(campaigns):
        name = {"campaign": f"c{i}", "machine": f"m{i}", "device": device}
        # The others are far from each other, and from 1.
        true = ratio if i == place else 1.1 + i / 9
        runs.append(made_up_campaign(true, seed=i, **name).assign(work=work))
    assert f"c{place}" in [part.campaign for part in together(*runs).primary.parts]


def test_campaigns_agree_by_corrected_p_values():
    """Two phases and two kinds of work are four chances to see a difference."""
    runs = []
    for i, work in enumerate(["a", "a", "b", "b"]):
        name = {"campaign": f"c{i}", "machine": f"m{i}", "seed": i}
        runs.append(made_up_campaign(1 + i / 150, sd=0.01, **name).assign(work=work))
    found = together(*runs)
    of_r = [f for f in found.findings if f.arm == "r"]
    raw = [f.pool.p for f in of_r]
    assert sorted(f.p_alike for f in of_r) == pytest.approx(holm(raw))
    for f in of_r:
        assert ("do not agree" in f.meaning()) == (f.p_alike < 0.05)


def test_a_control_that_only_chance_explains_is_not_a_warning():
    control = vars(ratio_of(0.02, 0.008, 9)) | {"arm": "python-again"}
    alone = Control(**control)
    assert alone.biased and alone.warning and "control failed" in alone.words()
    one_of_four = Control(**control | {"p_different": 0.13, "compared": 4})
    assert one_of_four.interval.low > 1 and not one_of_four.biased
    assert 0.13 in numbers(one_of_four.words()) and not one_of_four.warning


def test_of_three_machines_on_a_fourth_one_is_told():
    runs = [
        made_up_campaign(1.1 + i / 50, campaign=f"c{i}", machine=f"m{i}", seed=i)
        for i in range(3)
    ]
    found = together(*runs).primary
    logs = np.log([1.1, 1.12, 1.14])
    reach = stats.t.ppf(0.975, 2) * logs.std(ddof=1) * (4 / 3) ** 0.5
    ends = np.exp([logs.mean() - reach, logs.mean() + reach])
    assert set(np.round(ends, 3)) <= numbers(found.words())
    assert "another machine" not in together(*runs[:2]).primary.words()
    one_machine = [x.assign(machine="m") for x in runs]
    assert "another machine" not in together(*one_machine).primary.words()


def test_blocks_that_resemble_their_neighbours_are_told():
    runs = made_up_campaign(blocks=40, arms=("python", "r"))
    wave = np.exp(0.05 * np.sin(np.arange(41) / 3))
    of_r = runs["arm"] == "r"
    runs.loc[of_r, "fit_seconds"] *= wave[runs.loc[of_r, "block"]]
    found = verdict(runs)
    assert "neighbours (correlation 0.9" in found.primary.words()
    # A pool does not go by its blocks.
    other = made_up_campaign(campaign="other", seed=2, arms=("python", "r"))
    assert "neighbours" not in together(runs, other).text


# --- without R, from R, from files


def test_r_gets_the_same_text():
    runs = made_up_campaign(1.1)
    plain = from_r(columns_of(runs), margin=0.05)
    assert plain["text"] == verdict(runs, margin=0.05).text
    assert plain["findings"]["outcome"][0] == "slower"
    assert plain["findings"]["primary"] == [True] + [False] * 7
    assert plain["findings"]["phase"][-2:] == ["processor time", "peak memory"]
    assert not plain["biased"]
    assert from_r(columns_of(made_up_campaign(again=1.2)))["biased"]


# --- figure and report


@pytest.fixture
def judged(tmp_path):
    """Two campaigns; the name of one machine looks like code."""
    first = with_state(made_up_campaign(1.02, campaign="first"), "r", [3], "crashed")
    second = made_up_campaign(1.05, campaign="second", seed=2)
    write_campaign(first, tmp_path / "first", cpu={"name": "<i>Fast</i>"})
    write_campaign(second, tmp_path / "second")
    return verdict(load_campaigns(tmp_path))


def test_the_figure_shows_every_run_and_every_interval(judged):
    figure = judged.figure()
    intervals, runs = figure.axes
    labels = [t.get_text() for t in intervals.get_yticklabels()]
    assert labels[:3] == ["R, training, CPU", "first", "second"]
    assert len(labels) == 3 * len(judged.times)
    # Each interval is drawn from its low to its high end.
    drawn = [bars.lines[2][0].get_segments()[0][:, 0] for bars in intervals.containers]
    assert len(drawn) == len(labels)
    assert drawn[0] == pytest.approx(judged.findings[0].interval[1:])
    band = intervals.patches[0]
    assert (band.get_x(), band.get_width()) == pytest.approx(
        (1 / 1.03, 1.03 - 1 / 1.03)
    )
    points = sum(line.get_xdata().size for line in runs.get_lines())
    assert points == 2 * 10 * len(ARMS) - 1
    assert judged.answer in " ".join(figure.get_suptitle().split())
    assert judged.findings[0].words() in judged.answer
    assert not any(s.words() in judged.answer for s in judged.findings if s.arm != "r")
    assert figure.get_size_inches().tolist() == [8.27, 11.69]
    assert f"{judged.finding().interval.estimate:.3f}" in judged.alt_text


def test_the_figure_has_a_heading_for_each_kind_of_work():
    intervals = verdict(painted_and_photographs()).figure().axes[0]
    labels = [t.get_text() for t in intervals.get_yticklabels()]
    assert labels[:2] == ["photos:", "R, training, CPU"]
    assert labels.index("painted:") == len(labels) / 2
    # A page has no room for the answers to many questions.
    runs = [made_up_campaign(campaign=x, seed=ord(x)).assign(work=x) for x in "abcde"]
    found = together(*runs)
    assert found.answer == found.primary.words()


def test_report(judged, tmp_path):
    page, pdf = write_report(judged, tmp_path / "new" / "folder")
    assert [page.name, pdf.name] == ["report.html", "report.pdf"]
    assert len(list(page.parent.iterdir())) == 2
    text = page.read_text(encoding="utf-8")
    for said in (*judged.sentences, judged.alt_text):
        assert html.escape(said) in text
    assert f"{judged.finding().interval.estimate:.4f}" in text
    # Each campaign has the machine that is described beside its measurements,
    # and names that are code are shown, not run.
    assert "<td>&lt;i&gt;Fast&lt;/i&gt;</td>" in text and "<td>Made up</td>" in text
    assert "<i>" not in text
    # It stands by itself.
    loaded = re.findall(r"(?:src|href)=.(\w+):", text)
    assert loaded == ["data"] and "<script" not in text
    content = pdf.read_bytes()
    assert content.startswith(b"%PDF")
    assert len(re.findall(rb"/Type /Page\b", content)) == 1


def test_a_report_of_strangers_campaigns(tmp_path):
    """What they trained is in their own words; their machine.json is not there."""
    runs = painted_and_photographs().replace("4 epochs; 16 photographs", "<i>x</i>")
    page, _ = write_report(verdict(runs), tmp_path)
    text = page.read_text(encoding="utf-8")
    assert "<i>" not in text and "&lt;i&gt;x" in text
    assert "not readable" in text


NAMES = [
    *("\u6d4b\u91cf" * 9, "\U0001f680", "a\udc80b\ud800", "\x1b[31m\n\t\u202e"),
    *("$\\frac$ 5 $", "x" * 500),
]


@pytest.mark.filterwarnings("error")
def test_any_name_can_be_drawn_and_written(tmp_path):
    runs = [
        made_up_campaign(campaign=name, machine=name, seed=i, again=1.2)
        for i, name in enumerate(NAMES)
    ]
    found = together(*runs, made_up_campaign(seed=9).assign(work=NAMES[0]))
    assert all(words.isprintable() for words in found.sentences)
    page, _ = write_report(found, tmp_path)
    assert "<svg" not in page.read_text(encoding="utf-8")
    figure = found.figure()
    figure.canvas.draw()
    labels = [t.get_text() for t in figure.axes[0].get_yticklabels()]
    assert all(len(label) <= 80 for label in labels)


def test_a_letter_is_drawn_by_whatever_font_has_it(monkeypatch):
    """Some font here has a letter that the usual one lacks."""
    from matplotlib import font_manager as fonts

    def letters(name):
        path = fonts.findfont(fonts.FontProperties(family=[name]))
        return set(fonts.get_font(path).get_charmap())

    deleted = fonts.FontEntry(fname="/nowhere/font.ttf", name="Deleted")
    known = [deleted, *fonts.fontManager.ttflist]
    monkeypatch.setattr(fonts.fontManager, "ttflist", known)
    usual = letters("DejaVu Sans")
    rare = max(x for x in letters("STIXGeneral") - usual if chr(x).isprintable())
    runs = made_up_campaign(campaign=f"rare {chr(rare)}").assign(work="other")
    label = (
        together(runs, made_up_campaign(seed=2)).figure().axes[0].get_yticklabels()[0]
    )
    assert "rare" in label.get_text()
    families = [letters(family) for family in label.get_fontfamily()]
    assert any(rare in has for has in families) and chr(rare) in label.get_text()


def test_a_report_is_replaced_whole_or_not_at_all(judged, tmp_path, monkeypatch):
    (tmp_path / "report.html").write_text("old")

    def broken(verdict, kind, drawn=report._drawn):
        if kind == "pdf":
            raise MemoryError("no room for the PDF")
        return drawn(verdict, kind)

    with monkeypatch.context() as patch:
        patch.setattr(report, "_drawn", broken)
        with pytest.raises(MemoryError):
            write_report(judged, tmp_path)
    assert (tmp_path / "report.html").read_text() == "old"
    write_report(judged, tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>") and page.endswith("</html>")
