"""From rows to pairs: what counts, what is left out, what is a sentence."""

import math

import numpy as np
import pandas as pd
import pytest
from made_up import made_up_campaign, with_state, write_campaign
from sidebyside.statistics.pairs import (
    CannotSay,
    columns_of,
    complete_pairs,
    epochs,
    failed,
    from_columns,
    log_ratios,
    main_campaign,
    main_campaigns,
    measured,
)
from sidebyside.timing import load_campaigns


def marked(runs, arm, blocks, state):
    """These runs ended in this state; unlike with_state, with their clocks read."""
    runs = runs.copy()
    runs.loc[(runs["arm"] == arm) & runs["block"].isin(blocks), "state"] = state
    return runs


def test_pairs_leave_the_warm_up_out():
    runs = made_up_campaign()
    pairs = complete_pairs(runs)
    assert pairs.table["block"].tolist() == list(range(1, 11))
    assert pairs.left_out == ()
    for value, arm in ((pairs.value, "r"), (pairs.against, "python")):
        own = runs[(runs["arm"] == arm) & (runs["block"] > 0)]
        assert value.tolist() == own.sort_values("block")["fit_seconds"].tolist()


@pytest.mark.parametrize("state", ["wrong-loss", "crashed", "timeout", "interrupted"])
@pytest.mark.parametrize("arm", ["r", "python"])
def test_only_ok_runs_count_whatever_their_clocks(arm, state):
    runs = marked(made_up_campaign(), arm, [2, 5], state)
    assert runs["fit_seconds"].notna().all()
    pairs = complete_pairs(runs)
    assert pairs.table["block"].tolist() == [1, 3, 4, 6, 7, 8, 9, 10]
    assert pairs.left_out[0].startswith("2 of 10 blocks")
    assert failed(runs).to_dict() == {(arm, state): 2}


def test_a_missing_time_is_left_out_and_named():
    runs = made_up_campaign()
    hit = (runs["arm"] == "r") & (runs["block"] == 3)
    runs.loc[hit, "fit_seconds"] = np.nan
    pairs = complete_pairs(runs)
    assert len(pairs.table) == 9
    assert f"(run {runs.loc[hit, 'run'].iloc[0]})" in pairs.left_out[0]


def test_a_repeated_run_counts_once():
    runs = made_up_campaign()
    hit = (runs["arm"] == "r") & (runs["block"] == 3)
    again = runs[hit].assign(fit_seconds=99.0, run=1000)
    first = marked(runs, "r", [3], "interrupted")
    pairs = complete_pairs(pd.concat([first, again]))
    assert pairs.value[2] == 99.0
    assert pairs.left_out == ()
    pairs = complete_pairs(pd.concat([runs, again]))
    assert pairs.value[2] == 99.0
    assert "(1)" in pairs.left_out[0]


def test_test_accuracy_is_that_of_the_last_epoch():
    runs = made_up_campaign(accuracy_gap=0.02)
    pairs = complete_pairs(runs, "test_accuracy")
    assert pairs.value - pairs.against == pytest.approx(np.full(10, 0.02))
    last = runs[(runs["arm"] == "r") & (runs["block"] == 1)]["val_accuracy"].iloc[0][-1]
    assert pairs.value[0] == last


def test_measured_is_of_one_device_and_no_warm_up():
    runs = pd.concat([made_up_campaign(blocks=3), made_up_campaign(device="gpu")])
    assert len(measured(runs)) == 12 + 40
    assert set(measured(runs, "cpu")["device"]) == {"cpu"}
    assert set(measured(runs)["block"]) == set(range(1, 11))


def no_partner(runs):
    odd = runs["block"] % 2 == 1
    return runs[((runs["arm"] == "r") & odd) | ((runs["arm"] != "r") & ~odd)]


SPOILT = {
    "no run": (lambda runs: runs[:0], "no run"),
    "warm-up": (lambda runs: runs[runs["block"] == 0], "warm-up"),
    "none done": (lambda runs: runs.assign(state="timeout"), "40 timeout"),
    "python only": (lambda runs: runs[runs["arm"] == "python"], "'r'"),
    "no python": (lambda runs: runs[runs["arm"] != "python"], "'python'"),
    "no partner": (no_partner, "No block"),
    "no column": (lambda runs: runs.drop(columns="fit_seconds"), "fit_seconds"),
    "no state": (lambda runs: runs.drop(columns="state"), "state"),
    "no number": (lambda runs: runs.assign(fit_seconds="fast"), "not a number"),
    "missing": (lambda runs: runs.assign(fit_seconds=np.nan), "fit_seconds"),
    "negative": (lambda runs: runs.assign(fit_seconds=-1.0), "above zero"),
    "zero": (lambda runs: runs.assign(fit_seconds=0.0), "above zero"),
    "gpu": (lambda runs: runs.assign(device="gpu"), "CPU"),
}


@pytest.mark.parametrize("case", SPOILT)
def test_bad_input_gets_a_sentence(case):
    spoil, said = SPOILT[case]
    with pytest.raises(CannotSay) as problem:
        complete_pairs(spoil(made_up_campaign()))
    assert said in str(problem.value)
    assert "\n" not in str(problem.value)
    assert problem.value._render_traceback_() == [f"CannotSay: {problem.value}"]


def test_an_arm_is_not_compared_with_itself():
    with pytest.raises(CannotSay, match="'python' cannot be compared with itself"):
        complete_pairs(made_up_campaign(), arm="python")


def test_log_ratios():
    assert log_ratios([2, 1], [1, 4]) == pytest.approx([math.log(2), -math.log(4)])
    with pytest.raises(CannotSay, match="There is 1 block"):
        log_ratios([1.0], [2.0])
    # The same up to the last bits.
    with pytest.raises(CannotSay, match="the same in all 2 blocks"):
        log_ratios([0.1 * 6, 0.2], [0.3, 0.1])


@pytest.mark.parametrize(
    "value, expected",
    [("1.5;2", [1.5, 2]), ((1, 2), [1, 2]), ("", []), (None, []), (math.nan, [])],
)
def test_epochs(value, expected):
    assert epochs(value).tolist() == expected


@pytest.mark.parametrize("value", ["1;x", ["a"], [[1], [2, 3]]])
def test_epochs_that_are_not_numbers(value):
    with pytest.raises(CannotSay, match="one number per epoch"):
        epochs(value)


def test_main_campaign_has_the_most_pairs():
    small = made_up_campaign(blocks=4, campaign="z-small")
    large = made_up_campaign(campaign="a-large", seed=2)
    other = made_up_campaign(campaign="b-large", seed=3, device="gpu")
    both = pd.concat([small, large, other])
    assert main_campaign(both) == "b-large"
    assert main_campaign(both, "cpu") == "a-large"
    assert main_campaigns(both) == {"cpu": "a-large", "gpu": "b-large"}
    alone = other[other["arm"] == "python"]
    assert main_campaigns(pd.concat([small, alone])) == {"cpu": "z-small"}
    for judge in (main_campaign, main_campaigns):
        with pytest.raises(CannotSay, match="'r' has no completed run"):
            judge(alone)


def test_a_table_goes_to_r_and_back(tmp_path):
    made = with_state(made_up_campaign(), "rpy2", [2], "crashed")
    loaded = load_campaigns(write_campaign(made, tmp_path / "made-up"))
    # A class may have trained for different numbers of epochs.
    both = pd.concat([made, made_up_campaign(epochs=1), made_up_campaign(epochs=7)])
    curves = from_columns(columns_of(both))["val_accuracy"]
    assert curves.tolist() == both["val_accuracy"].tolist()
    back = from_columns(columns_of(loaded))
    for name in ("campaign", "run", "block", "arm", "state"):
        assert back[name].tolist() == made[name].tolist(), name
    assert back["block"].dtype.kind == "i"
    assert back["fit_seconds"].equals(loaded["fit_seconds"])
    assert back["fit_seconds"].isna().sum() == 1
    expected = complete_pairs(made).value
    np.testing.assert_allclose(complete_pairs(back).value, expected, rtol=1e-14)
