"""Compute the ratio that a campaign shows while it runs."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Ratio:
    """The geometric mean ratio of two arms, with its 95 % interval.

    With one block there is no interval: `low` and `high` are NaN.
    """

    estimate: float
    low: float
    high: float
    blocks: int

    @property
    def half_width(self) -> float:
        """Return how far the upper limit is above the estimate, as a share."""
        return self.high / self.estimate - 1.0

    def __str__(self) -> str:
        if self.blocks < 2:
            return f"{self.estimate:.3f}"
        return f"{self.estimate:.3f} [{self.low:.3f}, {self.high:.3f}]"


def paired_ratio(
    rows: Iterable[Mapping[str, Any]],
    pair: tuple[str, str],
    column: str = "fit_seconds",
    without_last: int = 0,
) -> Ratio | None:
    """Return the first arm's time divided by the second's, from blocks with both.

    The estimate is the mean of the logs of the blocks' ratios. The interval is this
    mean plus and minus the t quantile times the standard error. Both are turned back
    from logs. The warm-up, runs that are not "ok" and the `without_last` last blocks
    do not count. None if no block has both arms.
    """
    times: dict[int, dict[str, float]] = {}
    for row in rows:
        good = row["state"] == "ok" and row["block"] > 0 and row[column]
        if good and row["arm"] in pair:
            times.setdefault(row["block"], {})[row["arm"]] = row[column]
    first, second = pair
    logs = [
        math.log(block[first] / block[second])
        for block in times.values()
        if first in block and second in block
    ]
    logs = logs[: max(0, len(logs) - without_last)]
    if not logs:
        return None
    mean = statistics.fmean(logs)
    half = math.nan
    if len(logs) > 1:
        # scipy.stats would take a second to import.
        from scipy.special import stdtrit

        error = statistics.stdev(logs) / math.sqrt(len(logs))
        half = float(stdtrit(len(logs) - 1, 0.975)) * error
    limits = math.exp(mean - half), math.exp(mean + half)
    return Ratio(math.exp(mean), *limits, len(logs))
