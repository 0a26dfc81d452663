"""From rows, one per run, to pairs of runs that can be compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..timing.format import EPOCH_COLUMNS, FIRST_ARM

REFERENCE = FIRST_ARM
NEEDED = ("campaign", "run", "block", "arm", "device", "state")
TEST_ACCURACY = "test_accuracy"
"""Not a column: the last value of `val_accuracy`, a share from 0 to 1."""


class CannotSay(ValueError):
    """The data do not answer the question; the message says what is missing.

    A notebook shows the message without a traceback.
    """

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]


@dataclass(frozen=True)
class Pairs:
    """The blocks in which two arms both have a value.

    `table` has one row for each such block, with the columns `campaign`,
    `machine`, `block`, `value` (of `arm`) and `against` (of `reference`);
    `left_out` says in sentences what was not used, and why.
    """

    arm: str
    reference: str
    device: str
    column: str
    table: pd.DataFrame
    left_out: tuple[str, ...]

    @property
    def value(self) -> np.ndarray:
        return self.table["value"].to_numpy(float)

    @property
    def against(self) -> np.ndarray:
        return self.table["against"].to_numpy(float)


def epochs(value: Any) -> np.ndarray:
    """One number per epoch, from a sequence or from "1.5;1.2;1.2".

    Raises
    ------
    CannotSay
        If one of them is not a number.
    """
    numbers = value
    if isinstance(value, str):
        numbers = [part for part in value.split(";") if part.strip()]
    elif value is None or value is pd.NA:
        numbers = []
    try:
        numbers = np.asarray(numbers, dtype=float)
        if numbers.ndim == 0:
            numbers = numbers[None][~np.isnan(numbers[None])]
        return numbers
    except (TypeError, ValueError):
        raise CannotSay(
            f"Found {str(value)[:60]!r}, expected one number per epoch, joined "
            'by ";" or in a sequence.'
        ) from None


def _values(runs: pd.DataFrame, column: str) -> pd.Series:
    """A column, or `TEST_ACCURACY`, as numbers."""
    source = "val_accuracy" if column == TEST_ACCURACY else column
    _check_columns(runs, [source])
    if column == TEST_ACCURACY:
        curves = [epochs(value) for value in runs[source]]
        last = [curve[-1] if curve.size else np.nan for curve in curves]
        return pd.Series(last, index=runs.index, dtype=float)
    try:
        return runs[column].astype(float)
    except (TypeError, ValueError):
        raise CannotSay(
            f"The column {column} holds something that is not a number."
        ) from None


def plain_words(runs: pd.DataFrame) -> pd.DataFrame:
    """The same table with text where pandas has categories.

    Otherwise categories that do not occur come back as empty groups.
    """
    words = runs.select_dtypes("category").columns
    return runs.astype(dict.fromkeys(words, object)) if len(words) else runs


def measured(runs: pd.DataFrame, device: str | None = None) -> pd.DataFrame:
    """The rows without the warm-up block, of one device or of all.

    Raises
    ------
    CannotSay
        If columns are missing, or no row is left.
    """
    _check_columns(runs, NEEDED)
    if not len(runs):
        raise CannotSay("There is no run: the table of measurements is empty.")
    # Tables that were put together may have the same label twice.
    kept = plain_words(runs[runs["block"] > 0]).reset_index(drop=True)
    if not len(kept):
        raise CannotSay(
            f"All {len(runs)} runs belong to the warm-up block, which is not "
            "judged. Let the campaign continue: it needs at least 2 blocks, and "
            "10 are usual."
        )
    if device is not None:
        kept = kept[kept["device"] == device]
        if not len(kept):
            raise CannotSay(f"There is no run on the {device.upper()}.")
    return kept.reset_index(drop=True)


def failed(runs: pd.DataFrame) -> pd.Series:
    """How many runs ended in each state other than `ok`, by (arm, state).

    Includes the warm-up block: a crash is a crash.
    """
    _check_columns(runs, NEEDED)
    wrong = plain_words(runs[runs["state"] != "ok"])
    return wrong.groupby(["arm", "state"]).size()


def complete_pairs(
    runs: pd.DataFrame,
    column: str = "fit_seconds",
    arm: str = "r",
    reference: str = REFERENCE,
    device: str = "cpu",
) -> Pairs:
    """The blocks in which both arms completed, without the warm-up.

    Parameters
    ----------
    runs
        One row per run, as `sidebyside.timing.load_campaigns()` gives it.
    column
        A column of seconds, or `TEST_ACCURACY`.
    arm, reference
        Two different arms.
    device
        "cpu" or "gpu".

    Raises
    ------
    CannotSay
        If there is nothing to compare: no completed run, only one arm, no
        block with both, a time that is not above zero.
    """
    if arm == reference:
        raise CannotSay(
            f"The arm {arm!r} cannot be compared with itself: a comparison needs "
            "two arms."
        )
    rows = measured(runs, device)
    completed = rows[rows["state"] == "ok"]
    place = f"on the {device.upper()}"
    if not len(completed):
        counts = rows["state"].value_counts().sort_index()
        states = ", ".join(f"{count} {state}" for state, count in counts.items())
        raise CannotSay(
            f"None of the {len(rows)} runs {place} was completed ({states}). The "
            "column `message` of runs.csv says why."
        )
    for name in (arm, reference):
        if not (completed["arm"] == name).any():
            raise CannotSay(
                f"The arm {name!r} has no completed run {place} (completed: "
                f"{', '.join(sorted(set(completed['arm'])))}). A comparison needs "
                f"both {arm!r} and {reference!r}."
            )

    keys = ["campaign", "block"]
    of_both = rows[rows["arm"].isin([arm, reference])]
    done = completed[completed["arm"].isin([arm, reference])]
    good, left_out = _usable(done.assign(_value=_values(done, column)), column)
    if "machine" not in good:
        good = good.assign(machine=good["campaign"])
    first = good[good["arm"] == arm].set_index(keys)
    second = good[good["arm"] == reference].set_index(keys)
    table = pd.DataFrame(
        {
            "machine": first["machine"],
            "value": first["_value"],
            "against": second["_value"],
        }
    )
    table = table.dropna(subset=["value", "against"]).sort_index()
    tried = of_both.groupby(keys).ngroups
    lost = tried - len(table)
    if not len(table):
        raise CannotSay(
            f"No block has a completed run of both {arm!r} and {reference!r} "
            f"{place} with a {column}."
        )
    if lost:
        left_out.append(
            f"{lost} of {tried} blocks without a complete pair of {arm} and {reference}"
        )
    return Pairs(arm, reference, device, column, table.reset_index(), tuple(left_out))


def _usable(done: pd.DataFrame, column: str) -> tuple[pd.DataFrame, list[str]]:
    """One run with a value for each arm and block; what else there was."""
    left_out = []
    missing = ~np.isfinite(done["_value"])
    if missing.any():
        names = ", ".join(map(str, done["run"][missing]))
        left_out.append(f"completed runs without {column} (run {names})")
    good = done[~missing]
    if column != TEST_ACCURACY and (good["_value"] <= 0).any():
        bad = good[good["_value"] <= 0].iloc[0]
        raise CannotSay(
            f"{column} is {bad['_value']:g} in run {bad['run']} of campaign "
            f"{bad['campaign']}; a time has to be above zero."
        )
    twice = good.duplicated(["campaign", "block", "arm"], keep="last")
    if twice.any():
        left_out.append(f"earlier runs of the same arm and block ({twice.sum()})")
    return good[~twice], left_out


def log_ratios(value: Any, against: Any) -> np.ndarray:
    """log(value / against), block by block.

    Raises
    ------
    CannotSay
        If there are fewer than two blocks, or all ratios are the same.
    """
    value, against = np.asarray(value, float), np.asarray(against, float)
    count = len(value)
    if count < 2:
        raise CannotSay(
            f"There is {count} block with both runs. At least 2 are needed to see "
            "how much their ratio scatters; 10 are usual."
        )
    logs = np.log(value / against)
    if without_scatter(logs):
        raise CannotSay(
            f"The ratio is the same in all {count} blocks ({np.exp(logs[0]):g}). "
            "Measured times scatter: this column was not measured, or its clock is "
            "too coarse."
        )
    return logs


def without_scatter(values: Any) -> bool:
    """Whether all values are the same, up to rounding."""
    values = np.asarray(values, float)
    return bool(np.ptp(values) <= 1e-12 * np.abs(values).max())


def main_campaign(runs: pd.DataFrame, device: str | None = None) -> str:
    """The campaign with the most complete pairs, the last in name if level.

    The sections of notebook 06 that look at one campaign look at this one.

    Parameters
    ----------
    device
        "cpu" or "gpu": only campaigns of this device.

    Raises
    ------
    CannotSay
        If no campaign has pairs of runs of R and Python.
    """
    rows = measured(runs, device)
    counts, problems = {}, []
    for name, part in rows.groupby("campaign"):
        try:
            pairs = complete_pairs(part, device=part["device"].iloc[0])
            log_ratios(pairs.value, pairs.against)
        except CannotSay as problem:
            problems.append(problem)
            continue
        counts[name] = len(pairs.table)
    if not counts:
        raise problems[0]
    return max(counts, key=lambda name: (counts[name], name))


def main_campaigns(runs: pd.DataFrame) -> dict[str, str]:
    """Device to `main_campaign()`, for the devices that have one.

    Raises
    ------
    CannotSay
        If no device has one.
    """
    found, problems = {}, []
    for device in sorted(set(measured(runs)["device"])):
        try:
            found[device] = main_campaign(runs, device)
        except CannotSay as problem:
            problems.append(problem)
    if not found:
        raise problems[0]
    return found


def _check_columns(runs: pd.DataFrame, columns: Sequence[str]) -> None:
    missing = [name for name in columns if name not in runs]
    if missing:
        raise CannotSay(
            f"The table of runs lacks the column {', '.join(missing)}; it "
            f"has {', '.join(map(str, runs.columns)) or 'none'}."
        )


# --- to R and back


def columns_of(runs: pd.DataFrame) -> dict[str, list]:
    """The table for R: numbers and text, epochs as lists of numbers."""
    columns: dict[str, list] = {}
    for name in runs:
        if name in EPOCH_COLUMNS:
            columns[name] = [epochs(v).tolist() for v in runs[name]]
        elif runs[name].dtype.kind in "biuf":
            numbers = runs[name].to_numpy(float, na_value=np.nan)
            columns[name] = numbers.tolist()
        else:
            texts = runs[name].astype(object).where(runs[name].notna(), "")
            columns[name] = [str(text) for text in texts]
    return columns


def from_columns(columns: Mapping[str, Any]) -> pd.DataFrame:
    """The table again, from what R made of `columns_of()`."""
    table = {}
    for name, values in columns.items():
        # Lists of epochs may differ in length, so NumPy is not asked.
        alone = isinstance(values, str) or not isinstance(values, Iterable)
        values = [values] if alone else list(values)
        if name in EPOCH_COLUMNS:
            values = [tuple(epochs(value)) for value in values]
        table[name] = pd.Series(values, dtype=object).infer_objects()
    runs = pd.DataFrame(table)
    for name in ("run", "block", "position", "seed", "epochs"):
        if name in runs and runs[name].notna().all():
            runs[name] = runs[name].astype(int)
    return runs
