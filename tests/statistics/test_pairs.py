"""From rows to pairs: what counts, what is left out, what is a sentence."""

import math

import numpy as np
import pandas as pd
import pytest
from made_up import made_up_campaign, with_state, write_campaign
from sidebyside.statistics import CannotSay, main_campaigns, verdict
from sidebyside.statistics.pairs import (
    TEST_ACCURACY,
    checked,
    columns_of,
    complete_pairs,
    from_columns,
    log_ratios,
)
from sidebyside.timing import load_campaigns


def at(runs, arm, *blocks):
    return (runs["arm"] == arm) & runs["block"].isin(blocks)


def test_pairs_are_those_of_the_rows():
    runs = checked(made_up_campaign())
    # Rows come in any order.
    pairs, left_out = complete_pairs(runs[::-1])
    assert pairs["block"].tolist() == list(range(1, 11)) and not left_out
    for column, arm in (("value", "r"), ("against", "python")):
        own = runs[at(runs, arm, *range(1, 11))].sort_values("block")
        assert pairs[column].tolist() == own["fit_seconds"].tolist()
    table = pd.DataFrame({"value": [2, 1], "against": [1, 4]})
    assert log_ratios(table) == pytest.approx([math.log(2), -math.log(4)])


@pytest.mark.parametrize("state", ["wrong-loss", "crashed", "timeout", "interrupted"])
@pytest.mark.parametrize("arm", ["r", "python"])
def test_only_ok_runs_have_times_that_count(arm, state):
    runs = checked(made_up_campaign())
    runs.loc[at(runs, arm, 2, 5), "state"] = state
    pairs, left_out = complete_pairs(runs)
    assert pairs["block"].tolist() == [1, 3, 4, 6, 7, 8, 9, 10]
    assert [x[:14] for x in left_out] == ["2 of 10 blocks"]
    # What trained something else has an accuracy.
    accuracies = complete_pairs(runs, TEST_ACCURACY).table
    assert len(accuracies) == (10 if state == "wrong-loss" else 8)


def test_an_interrupted_run_is_replaced_by_the_one_after_it():
    runs = checked(made_up_campaign())
    again = runs[at(runs, "r", 3)].assign(fit_seconds=99.0, run=1000)
    with pytest.raises(CannotSay, match="two completed runs of the same arm"):
        complete_pairs(pd.concat([runs, again]))
    runs.loc[at(runs, "r", 3), "state"] = "interrupted"
    pairs, left_out = complete_pairs(pd.concat([runs, again]))
    assert pairs["value"][2] == 99.0 and len(pairs) == 10 and not left_out


def test_test_accuracy_is_that_of_the_last_epoch():
    runs = checked(made_up_campaign(accuracy_gap=0.02))
    pairs = complete_pairs(runs, TEST_ACCURACY).table
    gaps = pairs["value"] - pairs["against"]
    assert gaps.tolist() == pytest.approx([0.02] * 10)
    assert pairs["value"][0] == runs[at(runs, "r", 1)]["val_accuracy"].iloc[0][-1]
    # Unlike a time it may be 0.
    runs["val_accuracy"] = [(0.5, 0.0)] * len(runs)
    assert not complete_pairs(checked(runs), TEST_ACCURACY).table["value"].any()


def test_a_time_that_cannot_be_is_named():
    runs = checked(made_up_campaign())
    spoilt = {2: 0, 3: -3.0, 4: 1e-300, 5: np.inf, 6: 1e9, 8: np.nan}
    for block, seconds in spoilt.items():
        runs.loc[at(runs, "r" if block % 2 else "python", block), "fit_seconds"] = (
            seconds
        )
    runs.loc[at(runs, "python", 9), "state"] = "crashed"
    pairs, (lost, *impossible) = complete_pairs(runs)
    assert pairs["block"].tolist() == [1, 7, 10] and lost.startswith("1 of 10 blocks")
    assert [int(x.split()[1]) for x in impossible] == list(spoilt)
    # The other clock is as it was.
    assert len(complete_pairs(runs, "process_seconds").table) == 9


def no_partner(runs):
    odd = runs["block"] % 2 == 1
    return runs[((runs["arm"] == "r") & odd) | ((runs["arm"] != "r") & ~odd)]


def put(**value):
    """Gives one run this value, whatever the type of the column."""
    ((name, x),) = value.items()

    def spoil(runs):
        column = runs[name].astype(object)
        column.iloc[5] = x
        return runs.assign(**{name: column})

    return spoil


SPOILT = {
    "no run": (lambda runs: runs[:0], "table of runs is empty"),
    "warm-up": (lambda runs: runs[runs["block"] == 0], "warm-up"),
    "none done": (lambda runs: runs.assign(state="timeout"), "'r' .*10 timeout"),
    "python only": (lambda runs: runs[runs["arm"] == "python"], "'r' .*0 runs"),
    "no python": (lambda runs: runs[runs["arm"] != "python"], "'python'"),
    "something else": (
        lambda runs: with_state(runs, "r", range(11), "wrong-loss"),
        "^R trained something else in 11 of 11 runs.*No run of R trained the same",
    ),
    "something else, but for a block": (
        lambda runs: with_state(runs, "r", range(10), "wrong-loss"),
        "^R trained something else in 10 of 11 runs.*There is 1 block",
    ),
    "python something else": (
        lambda runs: with_state(runs, "python", [3], "wrong-loss"),
        "'python' has the state 'wrong-loss'",
    ),
    "no partner": (no_partner, "No block"),
    "no time": (lambda runs: runs.assign(fit_seconds=0.0), "fit_seconds .*microsec"),
    "unfinished": (
        lambda runs: runs[runs["block"] <= 1].assign(ended="unfinished"),
        "^Unfinished: made-up .1 of 10 blocks.*There is 1 block",
    ),
    "one block": (lambda runs: runs[runs["block"] <= 1], "There is 1 block"),
    "no scatter": (lambda runs: runs.assign(fit_seconds=10.0), "same in all 10 blocks"),
    # No table of runs.
    "a list": (lambda runs: [runs], "type list, expected a pandas.DataFrame"),
    "a dict": (lambda runs: runs.to_dict("list"), "type dict"),
    "a column": (lambda runs: runs["arm"], "type pandas.core.series.Series"),
    "nothing": (lambda runs: None, "type NoneType"),
    "no column": (
        lambda runs: runs.drop(columns="fit_seconds"),
        "no columns called fit_seconds",
    ),
    "in the index": (lambda runs: runs.set_index("block"), "no columns called block"),
    "twice": (
        lambda runs: pd.concat([runs, runs[["block"]]], axis=1),
        "several columns called block",
    ),
    "blocks as text": (
        lambda runs: runs.astype({"block": str}),
        "Row 1 .* '0' as its block, expected a whole number",
    ),
    "half a block": (put(block=1.5), "Row 6 .* 1.5 as its block"),
    "block below 0": (put(block=-1), "Row 6 .* -1 as its block"),
    "no block": (put(block=None), "Row 6 .* nothing as its block"),
    "endless block": (put(block=np.inf), "Row 6 .* inf as its block"),
    "another arm": (put(arm="julia"), "Row 6 .* 'julia' as its arm, expected one of"),
    "no arm": (put(arm=np.nan), "Row 6 .* nothing as its arm"),
    "another device": (put(device="tpu"), "'tpu' as its device, expected one of cpu"),
    "another state": (put(state="done"), "'done' as its state, expected one of ok"),
    "a missing state": (put(state=None), "nothing as its state"),
    "no name": (put(campaign=""), "'' as its campaign"),
    "text as seconds": (put(fit_seconds="3,6"), "'3,6' as its fit_seconds"),
    "yes as seconds": (put(process_seconds=True), "True as its process_seconds"),
    "percent": (put(val_accuracy=(0.5, 97.0)), "97.0. as its val_accuracy"),
    "text as accuracy": (put(val_accuracy="0.5;0.6"), "'0.5;0.6' as its val_accuracy"),
    "end": (put(ended="happily"), "'happily' as its ended, expected one of planned"),
    "two machines": (put(machine="other"), "made-up has 2 values in the column machin"),
    "two kinds of work": (put(work="other"), "2 values in the column work"),
    "plan": (lambda runs: runs.assign(planned="ten"), "'ten' as its planned"),
}


@pytest.mark.parametrize("case", SPOILT)
def test_bad_input_gets_a_sentence(case):
    spoil, said = SPOILT[case]
    for judge in (verdict, main_campaigns):
        with pytest.raises(CannotSay, match=said) as problem:
            judge(spoil(made_up_campaign()))
        assert "\n" not in str(problem.value)
        assert problem.value._render_traceback_() == [f"CannotSay: {problem.value}"]


def test_main_campaigns_have_the_most_pairs():
    small = made_up_campaign(blocks=4, campaign="z-small")
    # As many blocks, but not as many pairs.
    broken = with_state(made_up_campaign(campaign="y"), "r", [2], "crashed")
    large = [
        made_up_campaign(campaign=name, seed=len(name)) for name in ("b-large", "a-lrg")
    ]
    other = made_up_campaign(campaign="other", device="GPU", seed=2)
    both = pd.concat([small, broken, *large, other])
    assert main_campaigns(both) == {"cpu": "b-large", "gpu": "other"}
    alone = other[other["arm"] == "python"]
    assert main_campaigns(pd.concat([small, alone])) == {"cpu": "z-small"}
    # What the primary question is about comes first.
    small = small.assign(work="4 epochs; Fruits: photographs: 16 classes")
    assert main_campaigns(pd.concat([small, *large])) == {"cpu": "z-small"}


def test_what_a_table_may_be():
    """The reader's own: names as numbers, capital letters, other types."""
    runs = made_up_campaign(1.1)
    plain = complete_pairs(checked(runs)).table
    for own in (
        runs.assign(campaign=7, device="CPU").astype({"block": float}),
        runs.convert_dtypes(),
        runs.astype({"arm": "category", "state": "category"}),
        runs.set_index("arm", drop=False).assign(val_accuracy=None),
        runs.assign(planned=np.nan, ended=None),
    ):
        found = complete_pairs(checked(own)).table
        assert found["value"].tolist() == plain["value"].tolist()
    assert set(checked(runs.assign(device="Gpu"))["device"]) == {"gpu"}


def test_a_table_goes_to_r_and_back(tmp_path):
    made = with_state(made_up_campaign(), "rpy2", [2], "crashed")
    loaded = load_campaigns(write_campaign(made, tmp_path / "made-up"))
    # A class may have trained for different numbers of epochs.
    both = pd.concat([made, made_up_campaign(epochs=1), made_up_campaign(epochs=7)])
    curves = from_columns(columns_of(both))["val_accuracy"]
    assert list(map(tuple, curves)) == both["val_accuracy"].tolist()
    back = from_columns(columns_of(loaded))
    for name in ("campaign", "run", "block", "arm", "state"):
        assert back[name].tolist() == made[name].tolist(), name
    # Numbers are floats in R.
    assert checked(back)["block"].dtype.kind == "i"
    assert back["fit_seconds"].equals(loaded["fit_seconds"])
    assert back["fit_seconds"].isna().sum() == 1
