"""From rows, one per run, to pairs of runs that can be compared."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..common.errors import printable
from ..timing.format import (
    ARMS,
    COMPLETE,
    DEVICES,
    EPOCH_COLUMNS,
    FIRST_ARM,
    STATES,
)
from ..timing.loader import ENDS, shared_runs
from .estimates import CannotSay

REFERENCE = FIRST_ARM
CONTROL = "python-again"
NAMES = {
    "python": "Python",
    "r": "R",
    CONTROL: "Python again",
    "rpy2": "R inside Python (rpy2)",
}
PHASES = {"fit_seconds": "training", "process_seconds": "the whole process"}
TEST_ACCURACY = "test accuracy"
"""The last value of `val_accuracy`, a share from 0 to 1: a column of `checked()`."""


# --- the table, whoever made it


def _is_name(value: Any) -> bool:
    return value is not None and str(value) != ""


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _is_block(value: Any) -> bool:
    return _is_number(value) and 0 <= value < 2**31 and value == math.floor(value)


def _is_time(value: Any) -> bool:
    # Pairs with a time that cannot be are left out one by one.
    return value is None or _is_number(value)


def _is_curve(value: Any) -> bool:
    try:
        curve = _curve(value)
    except (TypeError, ValueError):
        return False
    return not ((curve < 0) | (curve > 1)).any()


def _curve(value: Any) -> np.ndarray:
    return np.ravel(np.array([] if value is None else value, float))


# What a value of each column has to be, None standing for a missing one.
_RULES = {
    **dict.fromkeys(("campaign", "machine", "work"), (_is_name, "a name")),
    "block": (_is_block, "a whole number from 0, which is the warm-up"),
    "arm": (ARMS.__contains__, f"one of {', '.join(ARMS)}"),
    "device": (DEVICES.__contains__, f"one of {', '.join(DEVICES)}"),
    "state": (STATES.__contains__, f"one of {', '.join(STATES)}"),
    **dict.fromkeys(PHASES, (_is_time, "a number of seconds")),
    "val_accuracy": (_is_curve, "numbers from 0 to 1, one per epoch"),
}
# The same for columns that a reader's own table may lack.
_OPTIONAL = {
    "planned": (lambda value: value is None or _is_block(value), "a whole number"),
    "ended": (lambda value: value in (None, "", *ENDS), f"one of {', '.join(ENDS)}"),
}


def plain_words(runs: pd.DataFrame) -> pd.DataFrame:
    """The same table with text where pandas has categories.

    Otherwise categories that do not occur come back as empty groups.
    """
    words = runs.select_dtypes("category").columns
    return runs.astype(dict.fromkeys(words, object)) if len(words) else runs


def checked(runs: pd.DataFrame) -> pd.DataFrame:
    """The table, which may be the reader's own, in the types that we count on.

    Names are safe to print, and the column `TEST_ACCURACY` is new.

    Raises
    ------
    CannotSay
        If it is no table of runs, or has copies of a campaign.
    """
    if not isinstance(runs, pd.DataFrame):
        kind = f"{type(runs).__module__}.{type(runs).__qualname__}"
        raise CannotSay(
            f"The runs are of type {kind.removeprefix('builtins.')}, expected a "
            "pandas.DataFrame such as load_campaigns() gives."
        )
    columns = list(map(str, runs.columns))
    if missing := [name for name in _RULES if name not in columns]:
        raise CannotSay(
            f"The table of runs lacks the column {', '.join(missing)}; it has "
            f"{printable(', '.join(columns)) or 'none'}."
        )
    if twice := [name for name in columns if columns.count(name) > 1]:
        raise CannotSay(
            f"The table of runs has several columns called {printable(twice[0])}, "
            "expected one."
        )
    if not len(runs):
        raise CannotSay("There is no run: the table of measurements is empty.")
    runs = plain_words(runs).reset_index(drop=True)
    known = {x: rule for x, rule in _OPTIONAL.items() if x in columns}
    for name, (good, expected) in (_RULES | known).items():
        values = runs[name].astype(object).where(runs[name].notna(), None)
        if name == "device":
            values = values.map(lambda x: x.lower() if isinstance(x, str) else x)
        for row, value in enumerate(values, 1):
            if not good(value):
                found = "nothing" if value is None else printable(repr(value), 60)
                raise CannotSay(
                    f"Row {row} of the table of runs has {found} as its {name}, "
                    f"expected {expected}."
                )
        if good is _is_name:
            values = values.map(printable)
        if name == "val_accuracy":
            last = [
                curve[-1] if len(curve) else np.nan for curve in map(_curve, values)
            ]
            runs[TEST_ACCURACY] = last
        else:
            runs[name] = values.infer_objects()
    numbers = [*PHASES, *known.keys() & {"planned"}]
    runs = runs.astype({"block": int, **dict.fromkeys(numbers, float)})
    for (first, later), count in shared_runs(runs).items():
        raise CannotSay(
            f"Campaigns {first} and {later} have {count} runs in common, with the same "
            "`started` and `process_seconds`: one is a copy of the other, or of a part "
            "of it. Load one of the two."
        )
    return runs


def measured(runs: pd.DataFrame) -> pd.DataFrame:
    """The rows without the warm-up block, see `checked()`.

    Raises
    ------
    CannotSay
        If it is no table of runs, or no row is left.
    """
    runs = checked(runs)
    kept = runs[runs["block"] > 0]
    if not len(kept):
        raise CannotSay(
            f"All {len(runs)} runs belong to the warm-up block, which is not "
            "judged. Let the campaign continue: it needs at least 2 blocks, and "
            "10 are usual."
        )
    return kept


# --- pairs


class Pairs(NamedTuple):
    """Blocks in which an arm and Python both completed.

    `table` has a row for each that can be compared, with the columns
    `campaign`, `block`, `value` (of the arm) and `against` (of Python).
    `tried` is the number of blocks, complete or not. `unusable` has those with
    a time that is not above zero and finite, and says so.
    """

    table: pd.DataFrame
    tried: int
    unusable: dict[tuple[str, int], str]


def complete_pairs(
    rows: pd.DataFrame, column: str = "fit_seconds", arm: str = "r"
) -> Pairs:
    """The blocks in which an arm and Python both completed.

    Times count only if both runs trained the same thing, accuracies of all
    runs that ended properly.

    Parameters
    ----------
    rows
        Runs on one device, see `measured()`.
    column
        A column of seconds, or `TEST_ACCURACY`.

    Raises
    ------
    CannotSay
        If there is nothing to compare: an arm without a completed run, no
        block with both, no time that is above zero.
    """
    rows = rows[rows["arm"].isin([arm, REFERENCE])]
    is_time = column != TEST_ACCURACY
    done = rows[rows["state"].isin(["ok"] if is_time else COMPLETE)]
    for name in (arm, REFERENCE):
        if not (done["arm"] == name).any():
            raise CannotSay(_without(name, rows, arm))
    place = ["campaign", "block"]
    if done.duplicated([*place, "arm"]).any():
        raise CannotSay(
            "A block has two completed runs of the same arm. Load each campaign once."
        )
    if is_time:
        # Missing is a run, not its time.
        values = done[column].where(np.isfinite(done[column]), 0)
        done = done.assign(**{column: values})
    table = done.pivot(index=place, columns="arm", values=column)
    table = table.rename(columns={arm: "value", REFERENCE: "against"}).dropna()
    if not len(table):
        raise CannotSay(
            f"No block has a completed run of both {arm!r} and {REFERENCE!r} with a "
            f"{column}."
        )
    usable = (table > 0).all(axis=1) | (not is_time)
    if not usable.any():
        raise CannotSay(
            f"No block has two times that can be compared: {column} has to be above "
            "zero and finite."
        )
    unusable = {
        (
            campaign,
            block,
        ): f"block {block} of {campaign}, because {column} is not above "
        "zero and finite in both runs"
        for campaign, block in table.index[~usable]
    }
    return Pairs(table[usable].reset_index(), rows.groupby(place).ngroups, unusable)


def _without(name: str, rows: pd.DataFrame, arm: str) -> str:
    """Why an arm has no run that counts."""
    states = rows.loc[rows["arm"] == name, "state"].value_counts()
    told = ", ".join(f"{n} {state}" for state, n in states.items()) or "0 runs"
    other = states.get("wrong-loss", 0)
    if name != REFERENCE and other:
        which = f"all {other} blocks" if other == states.sum() else f"{other} blocks"
        return (
            f"{NAMES[name]} trained something else in {which}, so there are no times "
            f"to compare ({told}): its losses are not those of {NAMES[REFERENCE]} with "
            "the same seed."
        )
    return (
        f"The arm {name!r} has no completed run ({told}). A comparison needs both "
        f"{arm!r} and {REFERENCE!r}."
    )


def log_ratios(pairs: pd.DataFrame) -> np.ndarray:
    """log(value / against), block by block."""
    return np.log(pairs["value"] / pairs["against"]).to_numpy()


# --- to R and back


def columns_of(runs: pd.DataFrame) -> dict[str, list]:
    """The table for R: numbers and text, epochs as lists of numbers."""
    columns: dict[str, list] = {}
    for name in runs:
        values = runs[name]
        if name in EPOCH_COLUMNS:
            columns[name] = [list(epochs) for epochs in values]
        elif values.dtype.kind in "biuf":
            columns[name] = values.to_numpy(float, na_value=np.nan).tolist()
        else:
            texts = values.astype(object).where(values.notna(), "")
            columns[name] = [str(text) for text in texts]
    return columns


def from_columns(columns: Mapping[str, Sequence[Any]]) -> pd.DataFrame:
    """The table again, from what R made of `columns_of()`."""
    return pd.DataFrame(
        {
            name: pd.Series(list(values), dtype=object).infer_objects()
            for name, values in columns.items()
        }
    )
