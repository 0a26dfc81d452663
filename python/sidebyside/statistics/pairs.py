"""From rows, one per run, to pairs of runs that can be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..timing.format import EPOCH_COLUMNS, FIRST_ARM, WHOLE
from .estimates import CannotSay, Mean

REFERENCE = FIRST_ARM
PHASES = {"fit_seconds": "training", "process_seconds": "the whole process"}
TEST_ACCURACY = "test accuracy"
"""Not a column: the last value of `val_accuracy`, a share from 0 to 1."""

NEEDED = (
    *("campaign", "machine", "work", "device", "block", "arm", "state"),
    *PHASES,
    "val_accuracy",
)


def plain_words(runs: pd.DataFrame) -> pd.DataFrame:
    """The same table with text where pandas has categories.

    Otherwise categories that do not occur come back as empty groups.
    """
    words = runs.select_dtypes("category").columns
    return runs.astype(dict.fromkeys(words, object)) if len(words) else runs


def measured(runs: pd.DataFrame) -> pd.DataFrame:
    """The rows without the warm-up block.

    Raises
    ------
    CannotSay
        If columns are missing, or no row is left.
    """
    if missing := [name for name in NEEDED if name not in runs]:
        raise CannotSay(
            f"The table of runs lacks the column {', '.join(missing)}; it has "
            f"{', '.join(map(str, runs.columns)) or 'none'}."
        )
    if not len(runs):
        raise CannotSay("There is no run: the table of measurements is empty.")
    kept = plain_words(runs[runs["block"] > 0])
    if not len(kept):
        raise CannotSay(
            f"All {len(runs)} runs belong to the warm-up block, which is not "
            "judged. Let the campaign continue: it needs at least 2 blocks, and "
            "10 are usual."
        )
    return kept


def complete_pairs(
    rows: pd.DataFrame, column: str = "fit_seconds", arm: str = "r"
) -> tuple[pd.DataFrame, int]:
    """The blocks in which an arm and Python both completed.

    Parameters
    ----------
    rows
        Runs on one device, see `measured()`.
    column
        A column of seconds, or `TEST_ACCURACY`.

    Returns
    -------
    A table with a row for each such block and the columns `campaign`, `block`,
    `value` (of the arm) and `against` (of Python), and how many blocks there
    are, complete or not.

    Raises
    ------
    CannotSay
        If there is nothing to compare: an arm without a completed run, no
        block with both, a time that is not above zero.
    """
    rows = rows[rows["arm"].isin([arm, REFERENCE])]
    done = rows[rows["state"] == "ok"]
    for name in (arm, REFERENCE):
        if not (done["arm"] == name).any():
            states = rows.loc[rows["arm"] == name, "state"].value_counts()
            raise CannotSay(
                f"The arm {name!r} has no completed run ("
                + (", ".join(f"{n} {state}" for state, n in states.items()) or "0 runs")
                + f"). A comparison needs both {arm!r} and {REFERENCE!r}."
            )
    place = ["campaign", "block"]
    if done.duplicated([*place, "arm"]).any():
        raise CannotSay(
            "A block has two completed runs of the same arm. Load each campaign once."
        )
    if column == TEST_ACCURACY:
        last = [curve[-1] if len(curve) else np.nan for curve in done["val_accuracy"]]
        done = done.assign(**{column: last})
    table = done.pivot(index=place, columns="arm", values=column).astype(float)
    table = table.rename(columns={arm: "value", REFERENCE: "against"}).dropna()
    if not len(table):
        raise CannotSay(
            f"No block has a completed run of both {arm!r} and {REFERENCE!r} with a "
            f"{column}."
        )
    if column != TEST_ACCURACY and (table <= 0).any(axis=None):
        raise CannotSay(f"{column} is not above zero in all runs, as a time has to be.")
    return table.reset_index(), rows.groupby(place).ngroups


def log_ratios(pairs: pd.DataFrame) -> np.ndarray:
    """log(value / against), block by block."""
    return np.log(pairs["value"] / pairs["against"]).to_numpy()


def main_campaigns(runs: pd.DataFrame) -> dict[str, str]:
    """Device to the campaign with the most complete pairs of R and Python.

    The sections of notebook 06 that look at one campaign look at these. Of
    campaigns with as many pairs it is the last in name.

    Raises
    ------
    CannotSay
        If no campaign has two pairs.
    """
    found: dict[str, tuple[int, str]] = {}
    problems = []
    for (device, name), part in measured(runs).groupby(["device", "campaign"]):
        try:
            pairs, _ = complete_pairs(part)
            Mean.of(log_ratios(pairs))
        except CannotSay as problem:
            problems.append(problem)
            continue
        found[device] = max(found.get(device, (0, "")), (len(pairs), name))
    if not found:
        raise problems[0]
    return {device: name for device, (_, name) in found.items()}


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
    runs = pd.DataFrame(
        {
            name: pd.Series(list(values), dtype=object).infer_objects()
            for name, values in columns.items()
        }
    )
    whole = [name for name in WHOLE if name in runs]
    return runs.astype(dict.fromkeys(whole, int))
