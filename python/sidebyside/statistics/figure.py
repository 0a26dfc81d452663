"""The verdict as a figure on one page."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import pandas as pd

from ..common.colours import PYTHON, PYTHON_LIGHT, R_LIGHT, R
from .estimates import Interval
from .pairs import PHASES, measured
from .statements import CONTROL, NAMES, TimeRatio

TITLE = "R and Python: does the language change the time?"

COLOURS = {"python": PYTHON, "r": R, CONTROL: PYTHON_LIGHT, "rpy2": R_LIGHT}
MARKERS = {"cpu": "o", "gpu": "^"}

# With more campaigns than this they cannot be told apart on a page.
_MOST_PARTS = 8


def draw(
    findings: Sequence[TimeRatio],
    answer: str,
    runs: pd.DataFrame,
    margin: float,
    width: float,
    height: float,
):
    """The answer, the intervals and every run.

    Returns
    -------
    A matplotlib figure of `width` x `height` inches, made with pyplot.
    """
    import matplotlib.pyplot as plt

    figure, (intervals, every_run) = plt.subplots(
        2, figsize=(width, height), height_ratios=[3, 2], layout="constrained"
    )
    # 15 letters of this size are an inch wide.
    answer = textwrap.fill(answer, int((width - 0.4) * 15), break_on_hyphens=False)
    figure.suptitle(f"{TITLE}\n\n{answer}", x=0.02, ha="left", fontsize=8.5)
    _draw_intervals(findings, margin, intervals)
    _draw_runs(runs, every_run)
    return figure


def _draw_intervals(findings: Sequence[TimeRatio], margin: float, axes) -> None:
    axes.axvspan(1 / (1 + margin), 1 + margin, color="0.9", label="does not matter")
    axes.axvline(1, color="black", linewidth=0.8)
    labels: list[str] = []

    def add(label: str, interval: Interval, **style) -> None:
        estimate, low, high = interval
        ends = [[estimate - low], [high - estimate]]
        axes.errorbar(estimate, len(labels), xerr=ends, **style)
        labels.append(label)

    of = ""
    for found in findings:
        if found.of != of:
            # A line of its own, above what is of this kind of work.
            of = found.of
            axes.axhline(len(labels), color="0.8", linewidth=0.8)
            labels.append(f"{of}:" if of else "")
        name = "rpy2" if found.arm == "rpy2" else NAMES[found.arm]
        colour = COLOURS[found.arm]
        many = len(found.parts) > 1
        style = {"color": colour, "fmt": "D" if many else "o", "capsize": 3}
        add(f"{name}, {found.phase}", found.interval, **style)
        for campaign, mean in found.parts if many else ():
            if len(found.parts) <= _MOST_PARTS:
                style = {"color": colour, "fmt": "o", "alpha": 0.5, "markersize": 4}
                add(campaign, mean.ratio(), **style)
    axes.set_yticks(range(len(labels)), labels, fontsize=8)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    _logarithmic(axes.set_xscale, axes.xaxis)
    axes.set_xlabel("time / time of Python, with 95 % interval (log scale)")
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=7)


def _logarithmic(set_scale, axis) -> None:
    """1.05 instead of 10^0.02, and no more numbers than fit."""
    from matplotlib.ticker import MaxNLocator, NullLocator

    set_scale("log")
    axis.set_major_locator(MaxNLocator(6))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter("{x:g}")


def _draw_runs(runs: pd.DataFrame, axes) -> None:
    done = measured(runs).query("state == 'ok'").reset_index(drop=True)
    place = done.groupby(["campaign", "device", "block"]).ngroup()
    for (arm, device), part in done.groupby(["arm", "device"]):
        style = {"color": COLOURS[arm], "marker": MARKERS[device], "markersize": 4}
        label = f"{NAMES[arm]}, {device.upper()}"
        seconds = part["fit_seconds"]
        axes.plot(place[part.index], seconds, linestyle="", label=label, **style)
    _logarithmic(axes.set_yscale, axes.yaxis)
    axes.set_title("Every completed run", loc="left", fontsize=9)
    axes.set_xlabel("block, in the order of the campaigns")
    axes.set_ylabel(f"{PHASES['fit_seconds']} (s, log scale)")
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=7)
