"""The verdict changes sides when the data do, and its report shows it."""

import html
import importlib
import re

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
    Agreement,
    Campaigns,
    Control,
    Ended,
    Failures,
    KindsOfWork,
    LeftOut,
    Neighbours,
    NotMeasured,
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
    shown = training.narrower if outcome == "same" else training.interval
    assert {round(end, 3) for end in shown} <= numbers(training.words())
    low, high = (100 * abs(end - 1) for end in training.interval[1:])
    if outcome in ("slower", "faster", "unclear"):
        for end in (low, high):
            assert any(abs(end - n) < 0.5 for n in numbers(training.meaning()))
    if outcome in ("slower", "faster", "small"):
        assert ("slower" in training.meaning()) == (ratio > 1)
        assert ("faster" in training.meaning()) == (ratio < 1)
    if span := re.search(r"by ([\d.]+) to ([\d.]+) %", training.meaning()):
        assert float(span[1]) < float(span[2])


def test_the_margin_decides_what_matters():
    runs = made_up_campaign(1.05, sd=0.01)
    assert verdict(runs).finding().outcome == "slower"
    wide = verdict(runs, margin=0.1).finding()
    assert wide.outcome == "small"
    assert 10 in numbers(wide.meaning())


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
    for ratio, outcome in ((0.74, "faster"), (1.32, "slower")):
        wide = verdict(made_up_campaign(ratio), margin=0.3).finding()
        assert (wide.outcome, wide.surely) == (outcome, True)


def test_noise_asks_for_more_blocks():
    few = made_up_campaign(1, sd=0.06)
    r, python = times(few)
    sd = np.log(r / python).std()
    wanted = blocks_needed(sd)
    words = verdict(few).primary.meaning()
    assert {wanted, *blocks_range(sd, 9), 10} <= numbers(words)
    more = made_up_campaign(1, sd=0.06, blocks=2 * wanted)
    assert verdict(more).finding().outcome == "same"


def test_the_whole_process_is_judged_apart():
    found = verdict(made_up_campaign(1, sd=0.005, start_r=6))
    assert found.finding().outcome == "same"
    whole = found.finding(column="process_seconds")
    assert whole.outcome == "slower"
    assert whole.interval.estimate == pytest.approx(1.25, abs=0.02)


def ratio_of(value, error, df, factor=1, margin=0.03, **more):
    """A ratio as one of `factor` questions, with Bonferroni's p values."""
    mean = Pool(value, error, df)
    edge = np.log1p(margin)
    p = {
        "p_different": mean.p_different,
        "p_apart": mean.p_apart(edge),
        "p_beyond": mean.p_beyond(edge),
    }
    p = {name: min(1.0, factor * x) for name, x in p.items()}
    about = {"arm": "r", "column": "fit_seconds", "device": "cpu", "left_out": ()}
    about |= {"parts": (Part("one", mean),), "compared": factor, "p_alike": np.nan}
    about |= {"primary": factor == 1}
    return TimeRatio(pool=mean, margin=margin, **(about | p | more))


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
                lost = "that is not certain" in words
                kind = (f.outcome, f.surely, lost)
                said.add(kind)
                if f.outcome in ("same", "small"):
                    assert inside and "do not matter" in words
                elif f.outcome == "unclear":
                    assert words.startswith("Inconclusive")
                    assert lost == (certain or inside)
                    assert ("faster or" in words) != lost
                else:
                    assert certain and not words.startswith("Inconclusive")
                    assert ("more than the" in words) == f.surely
                    assert f.surely <= beyond
                    if low > 1.03 or high < 1 / 1.03 or inside:
                        assert lost != f.surely
                if f.outcome == "small":
                    assert certain
                # Only what was corrected can be lost, and says for how many.
                assert not (lost and factor == 1)
                assert not lost or f"for {factor} comparisons" in words
                assert "blocks" not in words or factor == 1
    outcomes = {outcome for outcome, *_ in said}
    assert outcomes == {"same", "small", "slower", "faster", "unclear"}
    assert {("unclear", False, True), ("slower", False, True)} <= said


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
    fair = verdict(made_up_campaign())
    assert not fair.biased and not any(s.warning for s in fair.statements)


def test_campaigns_biased_in_opposite_directions():
    """Their mean includes 1; each of them does not."""
    up = made_up_campaign(again=1.06, campaign="up")
    down = made_up_campaign(again=0.94, campaign="down", seed=2)
    found = together(up, down)
    control = found.finding("python-again")
    assert not control.biased and control.warning
    assert control.deviating == ("down", "up")
    assert "down, up" in found.sentences[0]


def test_many_campaigns_are_not_each_tested_at_five_percent():
    """Bonferroni: p = 0.03 is a warning of one campaign, not of ten.

    Half of the 5 % of several campaigns is that of their mean.
    """

    def deviating(p, count):
        mean = Mean(-0.1, 0.1 / stats.t.isf(p / 2, 9), 9)
        assert mean.p_different == pytest.approx(p)
        parts = Part("far", mean), *[Part("fair", Mean(0.0, 0.1, 9))] * (count - 1)
        fair = vars(ratio_of(0.0, 0.1, 9)) | {"arm": "python-again", "parts": parts}
        control = Control(**fair)
        assert control.warning == bool(control.deviating)
        return control.deviating

    assert deviating(0.03, 1) == ("far",)
    assert deviating(0.03, 10) == deviating(0.003, 10) == ()
    assert deviating(0.002, 10) == ("far",)


def test_without_a_control_that_is_said():
    found = verdict(made_up_campaign(arms=("python", "r")))
    assert [s.control for s in of_kind(found, NotMeasured)] == [True, False]
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
    left_out = [s.what for s in of_kind(found, LeftOut)]
    assert [what[:14] for what in left_out] == ["2 of 10 blocks", "1 of 10 blocks"]


def test_failures_are_unequal_only_if_they_are():
    runs = with_state(made_up_campaign(), "r", [2], "crashed")
    # A crash in the warm-up is a crash; an interruption is nobody's failure.
    runs = with_state(runs, "python", [0], "timeout")
    extra = runs[(runs["arm"] == "r") & (runs["block"] == 3)]
    found = together(runs, extra.assign(state="interrupted"))
    (failures,) = of_kind(found, Failures)
    assert ("r", "interrupted", 1) in failures.counts
    assert failures.runs == 45 and not failures.unequal
    assert found.finding().blocks == 9
    more = with_state(runs, "python", [4], "crashed")
    assert of_kind(verdict(more), Failures)[0].unequal


def test_a_side_arm_that_failed_stops_nothing():
    runs = with_state(made_up_campaign(), "rpy2", range(11), "crashed")
    found = verdict(runs)
    assert found.finding().blocks == 10
    assert "training" in of_kind(found, Unknown)[0].what


def test_without_any_ratio_there_is_no_verdict():
    runs = made_up_campaign()
    with pytest.raises(CannotSay, match=r"'r' .* run \(10 crashed"):
        verdict(runs.assign(state="crashed"))
    with pytest.raises(CannotSay, match="lacks the column arm"):
        verdict(runs.drop(columns="arm"))


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
    assert found.sentences[0] == other.words() and other.words() in found.answer
    assert not of_kind(found, Failures)
    assert found.finding(arm).blocks == 5
    # All runs that ended have an accuracy.
    (accuracy,) = of_kind(found, AccuracyGap)
    assert accuracy.blocks == 10
    assert (accuracy.gap is None) == (arm != "r")
    if arm == "r":
        assert accuracy.gap.value < -0.1 and accuracy.p_apart > 0.05


def test_where_all_was_something_else_there_are_no_times():
    runs = with_other_training(made_up_campaign(), "r", range(11))
    with pytest.raises(CannotSay, match="R trained something else in all 10 blocks"):
        verdict(runs)
    # Another kind of work is judged, and so are the accuracies of this one.
    more = made_up_campaign(campaign="fine", seed=2).assign(work="other")
    found = together(runs, more)
    assert found.primary.of == "fine"
    (unknown,) = of_kind(found, Unknown)
    assert unknown.of == "made-up" and "something else" in unknown.problem
    gaps = {s.of: s.gap for s in of_kind(found, AccuracyGap)}
    assert gaps["fine"] is None and gaps["made-up"].value < -0.3


@pytest.mark.parametrize("seconds", [0, -3.0, np.nan, np.inf, 1e-300, 1e9])
@pytest.mark.parametrize("arm", ["r", "python"])
def test_a_time_that_cannot_be_costs_one_pair(arm, seconds):
    runs = made_up_campaign(1.1)
    runs.loc[(runs["arm"] == arm) & (runs["block"] == 3), "fit_seconds"] = seconds
    found = verdict(runs)
    assert found.finding().blocks == 9
    assert found.finding(column="process_seconds").blocks == 10
    (left_out,) = {s.what for s in of_kind(found, LeftOut)}
    assert left_out.startswith("block 3 of made-up") and "fit_seconds" in left_out
    assert found.finding().outcome == "slower"
    found.figure()


# --- campaigns that did not run as planned


ENDED = {
    # how, blocks of the plan: a warning, what it says
    ("unfinished", 10): (True, "4 of 10 blocks"),
    ("unfinished", np.nan): (True, "unfinished: 4 blocks"),
    ("cut off", 10): (True, "cut off"),
    ("precision", 200): (True, "after 4 blocks"),
}


@pytest.mark.parametrize("how, planned", ENDED)
def test_a_campaign_that_did_not_run_as_planned(how, planned):
    runs = made_up_campaign(blocks=4).assign(ended=how, planned=planned)
    # The next block has just begun.
    begun = runs[(runs["block"] == 1) & (runs["arm"] == "r")].assign(block=5)
    runs = pd.concat([runs, begun.assign(started="later")])
    found = verdict(runs)
    (ended,) = of_kind(found, Ended)
    warning, words = ENDED[how, planned]
    assert (ended.campaign, ended.how, ended.blocks) == ("made-up", how, 4)
    assert ended.warning == warning and words in ended.words()
    assert found.sentences[0] == ended.words()
    with pytest.warns(UserWarning, match=words):
        assert main_campaigns(runs) == {"cpu": "made-up"}


def test_a_campaign_that_ran_as_planned_needs_no_words():
    runs = made_up_campaign()
    for ended in ("planned", "budget", "", None):
        told = runs.assign(ended=ended, planned=10)
        assert not of_kind(verdict(told), Ended)
    long = made_up_campaign(blocks=40).assign(ended="precision", planned=200)
    (ended,) = of_kind(verdict(long), Ended)
    assert not ended.warning and "40 blocks" in ended.words()


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
    "gap, sd, excluded",
    [
        (0, 0.002, True),
        (0.003, 0.0005, True),
        (-0.02, 0.002, False),
        (0.02, 0.002, False),
        (0, 0.02, False),
    ],
)
def test_another_accuracy(gap, sd, excluded):
    runs = made_up_campaign(accuracy_gap=gap, accuracy_sd=sd)
    (found,) = of_kind(verdict(runs), AccuracyGap)
    estimate, _, high = found.gap.interval(0.9)
    assert estimate == pytest.approx(gap, abs=1e-12)
    assert f"{100 * high:.2f}" in found.words()
    assert ("is excluded" in found.words()) == excluded
    # With a wide margin every difference is.
    (wide,) = of_kind(verdict(runs, accuracy_margin=0.2), AccuracyGap)
    assert 20 in numbers(wide.words()) and "is excluded" in wide.words()


@pytest.mark.parametrize(
    "curve",
    [
        lambda arm, block: (0.75 if arm == "r" else 0.5,),
        # The same but for the last bits.
        lambda arm, block: (0.5 + block / 100 + (0.1 if arm == "r" else 0),),
        lambda arm, block: (),
    ],
)
def test_an_accuracy_that_cannot_be_judged(curve):
    runs = made_up_campaign(arms=("python", "r"))
    runs["val_accuracy"] = list(map(curve, runs["arm"], runs["block"]))
    found = verdict(runs)
    assert of_kind(found, AccuracyGap) == []
    assert [s.what for s in of_kind(found, Unknown)] == ["test accuracy"]


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
    assert found.finding(device="gpu").outcome == "slower"
    assert not of_kind(found, NotMeasured)
    assert [s.device for s in of_kind(verdict(cpu), NotMeasured)] == ["gpu"]
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
    # Their ratios are the same but for a thousandth, which is no chance.
    agreement = of_kind(found, Agreement)[0]
    assert not agreement.differ and agreement.warning
    assert found.sentences[0] == agreement.words()
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
    agreement = of_kind(found, Agreement)[0]
    assert agreement.differ and not agreement.warning
    assert (agreement.low, agreement.high) == pytest.approx((1.05, 1.15))
    assert "differ from each other" in training.meaning()
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
    assert [part.mean.df for part in found.finding().parts] == [2, 1, 9]
    assert found.finding().blocks == 15
    assert any("campaign tiny" in s.what for s in of_kind(found, LeftOut))


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
    # Level in machines and blocks: the last name, as main_campaign() has it.
    assert found.finding() is found.finding(campaign="photos")
    for name, outcome in (("painted", "same"), ("photos", "slower")):
        assert found.finding(campaign=name).outcome == outcome
        alone = verdict(runs[runs["campaign"] == name])
        assert [(f.arm, f.column, f.interval) for f in alone.findings] == [
            (f.arm, f.column, f.interval) for f in found.findings if f.of == name
        ]
    (kinds,) = of_kind(found, KindsOfWork)
    expected = (("photos", "16 photographs"), ("painted", "16 painted fruits"))
    assert kinds.kinds == expected
    assert [s.names for s in of_kind(found, Campaigns)] == [("photos",), ("painted",)]
    # The accuracies are the same in both, which is said once.
    (accuracy,) = of_kind(found, AccuracyGap)
    assert (accuracy.of, accuracy.blocks) == ("", 20)
    with pytest.raises(CannotSay, match=r"no result for r, .*, other;"):
        found.finding(campaign="other")


def test_accuracies_of_different_work_are_said_once_only_if_all_are_identical():
    same = made_up_campaign(campaign="same").assign(work="a")
    gap = {"accuracy_gap": 0.01, "accuracy_sd": 0.001}
    other = made_up_campaign(campaign="other", seed=2, **gap)
    found = of_kind(together(same, other.assign(work="b")), AccuracyGap)
    assert {a.of: a.gap is None for a in found} == {"same": True, "other": False}
    # Two that differ are two chances to be wrong.
    more = made_up_campaign(campaign="more", accuracy_sd=0.004, seed=3)
    both = of_kind(together(other.assign(work="b"), more), AccuracyGap)
    alone = [a for x in (other, more) for a in of_kind(verdict(x), AccuracyGap)]
    assert sorted(a.p_apart for a in both) == pytest.approx(
        holm([a.p_apart for a in alone])
    )


def test_what_most_machines_did_comes_first():
    more = []
    for i in range(2):
        name = {"campaign": f"more-{i}", "machine": f"m{i}", "seed": i}
        runs = made_up_campaign(1.0 + i / 1000, blocks=3, **name)
        more.append(runs.assign(work="4 epochs; 16 painted fruits"))
    drawings = {"4 epochs; 16 photographs": "4 epochs; 16 drawings"}
    found = together(painted_and_photographs().replace(drawings), *more)
    pooled, alone = of_kind(found, Campaigns)
    assert (pooled.names, pooled.machines) == (("more-0", "more-1", "painted"), 3)
    assert (alone.names, alone.machines) == (("photos",), 1)
    assert len(found.finding().parts) == 3


def test_one_work_without_pairs_does_not_stop_the_other():
    runs = painted_and_photographs()
    found = verdict(runs[(runs["arm"] != "r") | (runs["campaign"] == "painted")])
    assert [s.of for s in of_kind(found, Unknown)] == ["photos"]
    assert found.finding().outcome == "same"
    found = verdict(with_state(runs, "r", [2], "crashed"))
    assert [s.of for s in of_kind(found, LeftOut)] == ["photos", "painted"]
    # What is judged first does not depend on how the runs ended.
    runs.loc[(runs["campaign"] == "photos") & (runs["block"] == 1), "state"] = "crashed"
    assert verdict(runs).primary.of == "photos"


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
        assert {f.compared for f in others} == {5 if arm == "r" else 6}
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
    differ = [s for s in of_kind(found, Agreement) if s.differ]
    assert len(differ) == sum(f.p_alike < 0.05 for f in of_r)
    for f in of_r:
        assert ("differ from each other" in f.meaning()) <= (f.p_alike < 0.05)


def test_a_control_that_only_chance_explains_is_not_a_warning():
    control = vars(ratio_of(0.02, 0.008, 9)) | {"arm": "python-again"}
    alone, one_of_four = (
        Control(**control),
        Control(**control | {"p_different": 0.13, "compared": 4}),
    )
    assert alone.biased and alone.warning
    assert alone.interval.low > 1 and not one_of_four.biased
    assert 0.13 in numbers(one_of_four.words()) and not one_of_four.warning
    for words in (alone.words(), one_of_four.words()):
        assert "not include 1" in words


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
    (alike,) = of_kind(found, Neighbours)
    ((arm, column, correlation),) = alike.found
    assert (arm, column) == ("r", "fit_seconds") and correlation > 0.5
    assert round(correlation, 2) in numbers(alike.words())
    # A pool does not go by its blocks.
    other = made_up_campaign(campaign="other", seed=2, arms=("python", "r"))
    assert not of_kind(together(runs, other), Neighbours)


# --- without R, from R, from files


def test_r_gets_the_same_text():
    runs = made_up_campaign(1.1)
    plain = from_r(columns_of(runs), margin=0.05)
    assert plain["text"] == verdict(runs, margin=0.05).text
    first = plain["findings"][0]
    assert first["outcome"] == "slower" and first["primary"]
    assert not plain["biased"]
    assert from_r(columns_of(made_up_campaign(again=1.2)))["biased"]


def test_loaded_campaigns_are_judged_alike(tmp_path):
    made = made_up_campaign(1.04, sd=0.03)
    loaded = load_campaigns(write_campaign(made, tmp_path / "made-up"))
    assert verdict(loaded).text == verdict(made).text


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
    assert len(labels) == 3 * len(judged.findings)
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


NAMES = {
    "CJK": "\u6d4b\u91cf",
    "emoji": "\U0001f680",
    "lone surrogate": "a\udc80b\ud800",
    "commands": "\x1b[31m\n\t\u202e",
    "formula": "$\\frac$ 5 $",
    "long": "x" * 500,
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("case", NAMES)
def test_any_name_can_be_drawn_and_written(case, tmp_path):
    name = NAMES[case]
    runs = [
        made_up_campaign(campaign=f"{name}{i}", machine=name, seed=i, again=1.2)
        for i in range(2)
    ]
    found = together(*runs, made_up_campaign(seed=9).assign(work=name))
    assert all(words.isprintable() for words in found.sentences)
    page, _ = write_report(found, tmp_path)
    assert "<svg" not in page.read_text(encoding="utf-8")
    figure = found.figure()
    figure.canvas.draw()
    labels = [t.get_text() for t in figure.axes[0].get_yticklabels()]
    assert len(labels) == len(set(labels)) or len(labels) > 10
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
