"""From rows, one per run, to pairs of runs that can be compared."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
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
    MOST_SECONDS,
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
RESOURCES = {"cpu_seconds": "processor time", "peak_memory_mb": "peak memory"}
TEST_ACCURACY = "test accuracy"
"""A column of `checked()`: the last value of `val_accuracy`, a share from 0 to 1."""

POSSIBLE = 1e-6, MOST_SECONDS
"""Only times (and memory) in this range are compared, so no ratio is too large for a
float."""


# --- the table of runs


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _is_block(value: Any) -> bool:
    return _is_number(value) and 0 <= value < 2**31 and value == math.floor(value)


def _curve(value: Any) -> np.ndarray:
    return np.ravel(np.array([] if value is None else value, float))


def _is_curve(value: Any) -> bool:
    try:
        curve = _curve(value)
    except (TypeError, ValueError):
        return False
    return not ((curve < 0) | (curve > 1)).any()


def _one_of(values: Sequence[str]) -> tuple[Callable[[Any], bool], str]:
    return values.__contains__, f"one of {', '.join(filter(None, values))}"


# What a value of each column has to be; None is a missing value. Impossible times are
# not refused here: `complete_pairs()` leaves out their pairs one by one.
_NAMES = ("campaign", "machine", "work")
_RULES = {
    **dict.fromkeys(_NAMES, (lambda x: x not in (None, ""), "a name")),
    "block": (_is_block, "a whole number from 0, which is the warm-up"),
    "arm": _one_of(ARMS),
    "device": _one_of(DEVICES),
    "state": _one_of(STATES),
    **dict.fromkeys(
        [*PHASES, *RESOURCES], (lambda x: x is None or _is_number(x), "a number")
    ),
    "val_accuracy": (_is_curve, "numbers from 0 to 1, one per epoch"),
    "planned": (lambda x: x is None or _is_block(x), "a whole number"),
    "ended": _one_of(("", *ENDS)),
}
_OPTIONAL = {"planned": None, "ended": "", **dict.fromkeys(RESOURCES)}


def plain_words(runs: pd.DataFrame) -> pd.DataFrame:
    """The same table with text instead of pandas's categories.

    Otherwise `groupby()` has empty groups for categories that do not occur.
    """
    words = runs.select_dtypes("category").columns
    return runs.astype(dict.fromkeys(words, object)) if len(words) else runs


def checked(runs: pd.DataFrame) -> pd.DataFrame:
    """The table with checked values and known types; readers may bring their own.

    Names become safe to print, and the column `TEST_ACCURACY` is added. A table
    may lack `planned`, `ended` and the columns of `RESOURCES`.

    Raises
    ------
    CannotSay
        If it is not a table of runs, has copies of a campaign, or has nothing
        but the warm-up block.
    """
    if not isinstance(runs, pd.DataFrame):
        kind = f"{type(runs).__module__}.{type(runs).__qualname__}"
        raise CannotSay(
            f"The runs are of type {kind.removeprefix('builtins.')}, expected a "
            "pandas.DataFrame such as load_campaigns() returns."
        )
    columns = list(map(str, runs.columns))
    for name in [*(_RULES.keys() - _OPTIONAL), *columns]:
        if columns.count(name) != 1:
            raise CannotSay(
                f"The table of runs has {'several' if name in columns else 'no'} "
                f"columns called {printable(name)}, expected one. It has: "
                f"{printable(', '.join(columns)) or 'none'}."
            )
    if not len(runs):
        raise CannotSay("The table of runs is empty, expected at least one run.")
    runs = plain_words(runs).reset_index(drop=True)
    runs = runs.assign(**{x: y for x, y in _OPTIONAL.items() if x not in columns})
    for name in _RULES:
        runs[name] = _checked_column(name, runs[name])
    curves = map(_curve, runs["val_accuracy"])
    runs[TEST_ACCURACY] = [x[-1] if len(x) else np.nan for x in curves]
    numbers = dict.fromkeys([*PHASES, *RESOURCES, "planned"], float)
    runs = runs.astype({"block": int, **numbers})
    if ((runs["arm"] == REFERENCE) & (runs["state"] == "wrong-loss")).any():
        raise CannotSay(
            f"A run of the arm {REFERENCE!r} has the state 'wrong-loss'. That is not "
            "possible, because all other losses are compared with its losses."
        )
    for name in ("device", "machine", "work"):
        for campaign, count in runs.groupby("campaign")[name].nunique().items():
            if count > 1:
                raise CannotSay(
                    f"Campaign {campaign} has {count} values in the column {name}, "
                    "expected one. Give each part its own name."
                )
    for (first, later), count in shared_runs(runs).items():
        raise CannotSay(
            f"Campaigns {first} and {later} have {count} runs in common, with the same "
            "`started` and `process_seconds`, so one is a copy of the other, or of a "
            "part of it. Load only one of the two."
        )
    if not (runs["block"] > 0).any():
        raise CannotSay(
            "All runs are of the warm-up block, which is not judged. Let the campaign "
            "continue: it needs at least 2 more blocks, and 10 are usual."
        )
    return runs


def _checked_column(name: str, values: pd.Series) -> pd.Series:
    good, expected = _RULES[name]
    values = values.astype(object).where(values.notna(), _OPTIONAL.get(name))
    if name == "device":
        values = values.map(lambda x: x.lower() if isinstance(x, str) else x)
    for row, value in enumerate(values, 1):
        if not good(value):
            found = "nothing" if value is None else printable(repr(value), 60)
            raise CannotSay(
                f"Row {row} of the table of runs has {found} as its {name}, expected "
                f"{expected}."
            )
    return values.map(printable) if name in _NAMES else values.infer_objects()


# --- pairs


class Pairs(NamedTuple):
    """Blocks in which an arm and Python both completed.

    `table` has a row for each that can be compared, with the columns
    `campaign`, `block`, `value` (of the arm) and `against` (of Python).
    `left_out` says which blocks cannot be compared.
    """

    table: pd.DataFrame
    left_out: list[str]


def complete_pairs(
    rows: pd.DataFrame, column: str = "fit_seconds", arm: str = "r"
) -> Pairs:
    """The blocks in which an arm and Python both completed.

    Times, processor time and memory count only if both runs trained the same thing.
    Accuracies count in all runs that ended properly.

    Parameters
    ----------
    rows
        Runs on one device, of a `checked()` table.
    column
        One of `PHASES` or `RESOURCES`, or `TEST_ACCURACY`.

    Raises
    ------
    CannotSay
        If there is nothing to compare: an arm has no completed run, or no block
        has both arms with possible times.
    """
    # The warm-up is not judged.
    rows = rows[(rows["block"] > 0) & rows["arm"].isin([arm, REFERENCE])]
    states = COMPLETE if column == TEST_ACCURACY else ["ok"]
    done = rows[rows["state"].isin(states)]
    for name in (arm, REFERENCE):
        if not (done["arm"] == name).any():
            states = rows.loc[rows["arm"] == name, "state"].value_counts()
            if "wrong-loss" in states:
                raise CannotSay(
                    f"No run of {NAMES[name]} trained the same as {NAMES[REFERENCE]}, "
                    "so there are no times to compare."
                )
            told = ", ".join(f"{n} {state}" for state, n in states.items())
            raise CannotSay(
                f"The arm {name!r} has no completed run ({told or '0 runs'}). A "
                f"comparison needs runs of both {arm!r} and {REFERENCE!r}."
            )
    place = ["campaign", "block"]
    if done.duplicated([*place, "arm"]).any():
        raise CannotSay(
            "A block has two completed runs of the same arm. Load each campaign once."
        )
    possible = done[column].between(*POSSIBLE)
    without = ""
    if column in PHASES:
        # A run with an impossible time is still a run.
        done = done.assign(**{column: done[column].where(possible, 0)})
    elif column in RESOURCES and not possible.all():
        done = done[possible]
        without = f" with known {RESOURCES[column]}"
    table = done.pivot(index=place, columns="arm", values=column)
    table = table.reindex(columns=[arm, REFERENCE]).dropna()
    table.columns = ["value", "against"]
    usable = (table > 0).all(axis=1) | (column not in PHASES)
    limits = "from a microsecond to 30 days" if column in PHASES else "that is known"
    if not usable.any():
        raise CannotSay(
            f"No block has a completed run of both {arm!r} and {REFERENCE!r} with a "
            f"{RESOURCES.get(column, column)} {limits}."
        )
    left_out = []
    tried = rows.groupby(place).ngroups
    if lost := tried - len(table):
        left_out.append(
            f"{lost} of {tried} blocks without a complete pair of {arm} and {REFERENCE}"
            f"{without}"
        )
    for campaign, block in table.index[~usable]:
        what = f"block {block} of {campaign}, because {column} is not {limits}"
        left_out.append(f"{what} in both runs")
    return Pairs(table[usable].reset_index(), left_out)


def log_ratios(pairs: pd.DataFrame) -> np.ndarray:
    """log(value / against), block by block."""
    return np.log(pairs["value"] / pairs["against"]).to_numpy()


# --- to R and back


def columns_of(runs: pd.DataFrame) -> dict[str, list]:
    """The table for R: columns of numbers or text; epochs are lists of numbers."""
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
    """The table of runs, from R's columns."""
    series = {x: pd.Series(list(y), dtype=object) for x, y in columns.items()}
    return pd.DataFrame(series).infer_objects()
