"""The verdict as a figure on one page."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..common.colours import PYTHON, PYTHON_LIGHT, R_LIGHT, R
from .pairs import TEST_ACCURACY, CannotSay, complete_pairs, measured
from .statements import NAMES, PHASES, TimeRatio

COLOURS = {
    "python": PYTHON,
    "r": R,
    "python-again": PYTHON_LIGHT,
    "rpy2": R_LIGHT,
}
MARKERS = {"cpu": "o", "gpu": "^"}

# With more campaigns than this they cannot be told apart on a page.
_MOST_PARTS = 8


def draw(
    findings: Sequence[TimeRatio],
    paragraph: str,
    runs: pd.DataFrame,
    margin: float,
    width: float,
    height: float,
):
    """The answer, the intervals, every run, the ratios and the accuracy.

    Returns
    -------
    A matplotlib figure of `width` x `height` inches, made with pyplot.
    """
    import matplotlib.pyplot as plt

    figure = plt.figure(figsize=(width, height), layout="constrained")
    rows = sum(_lines(f) for f in findings)
    rows += len({f.of for f in findings if f.of})
    # 15 letters of this size are an inch wide, 7 lines an inch high.
    paragraph = textwrap.fill(
        paragraph, int((width - 0.4) * 15), break_on_hyphens=False
    )
    lines = paragraph.count("\n") + 5
    panels = max(height - lines / 7, height / 3)
    text, below = figure.subfigures(2, 1, height_ratios=[lines / 7, panels])
    title = "R and Python: does the language change the time?"
    text.text(0.025, 1 - 0.6 / lines, title, va="top", weight="bold")
    # A dollar sign would begin a formula.
    place = 0.025, 1 - 2.4 / lines
    text.text(*place, paragraph, va="top", fontsize=8.5, parse_math=False)
    grid = below.add_gridspec(3, 2, height_ratios=[0.6 + 0.22 * rows, 2.4, 2.2])
    _draw_intervals(findings, margin, below.add_subplot(grid[0, :]))
    _draw_runs(runs, below.add_subplot(grid[1, :]))
    _draw_ratios(runs, margin, below.add_subplot(grid[2, 0]))
    _draw_accuracy(runs, below.add_subplot(grid[2, 1]))
    return figure


def _lines(finding: TimeRatio) -> int:
    parts = len(finding.parts)
    return 1 + (parts if 1 < parts <= _MOST_PARTS else 0)


def _draw_intervals(findings: Sequence[TimeRatio], margin: float, axes) -> None:
    axes.axvspan(1 / (1 + margin), 1 + margin, color="0.9", label="does not matter")
    axes.axvline(1, color="black", linewidth=0.8)
    labels, of = [], ""

    def add(label, interval, colour, **style) -> None:
        estimate, low, high = interval
        axes.errorbar(
            estimate,
            len(labels),
            xerr=[[estimate - low], [high - estimate]],
            color=colour,
            **style,
        )
        labels.append(label)

    headings = []
    for found in findings:
        if found.of != of:
            # A line of its own, above what is of this kind of work.
            of = found.of
            headings.append(len(labels))
            labels.append(f"{of}:" if of else "")
        colour = COLOURS.get(found.arm, "black")
        name = "rpy2" if found.arm == "rpy2" else NAMES.get(found.arm, found.arm)
        marker = "D" if len(found.parts) > 1 else "o"
        add(f"{name}, {found.phase}", found.interval, colour, fmt=marker, capsize=3)
        for part in found.parts if _lines(found) > 1 else ():
            small = {"fmt": "o", "alpha": 0.5, "markersize": 4}
            add(part.campaign, part.interval, colour, **small)
    axes.set_yticks(range(len(labels)), labels, fontsize=8, parse_math=False)
    for heading in headings:
        axes.get_yticklabels()[heading].set_style("italic")
        axes.axhline(heading, color="0.8", linewidth=0.8)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.set_xscale("log")
    _plain_numbers(axes.xaxis)
    axes.set_xlabel("time / time of Python, with 95 % interval (log scale)")
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=7)


def _plain_numbers(axis) -> None:
    """1.05 instead of 10^0.02, and no more numbers than fit."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

    axis.set_major_locator(MaxNLocator(6))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))


def _draw_runs(runs: pd.DataFrame, axes) -> None:
    done = measured(runs)
    done = done[done["state"] == "ok"].reset_index(drop=True)
    place = done.groupby(["campaign", "device", "block"]).ngroup()
    for arm, colour in COLOURS.items():
        for device, marker in MARKERS.items():
            part = done[(done["arm"] == arm) & (done["device"] == device)]
            if len(part):
                axes.plot(
                    place[part.index],
                    part["fit_seconds"],
                    marker,
                    color=colour,
                    markersize=4,
                    label=f"{NAMES[arm]}, {device.upper()}",
                )
    axes.set_yscale("log")
    _plain_numbers(axes.yaxis)
    axes.set_xlabel("block, in the order of the campaigns")
    axes.set_ylabel(f"{PHASES['fit_seconds']} (s, log scale)")
    axes.set_title("Every completed run", loc="left", fontsize=9)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=7)


def _draw_ratios(runs: pd.DataFrame, margin: float, axes) -> None:
    axes.set_title("R / Python, training", loc="left", fontsize=9)
    axes.axhspan(1 / (1 + margin), 1 + margin, color="0.9")
    axes.axhline(1, color="black", linewidth=0.8)
    for device, pairs in _pairs(runs, "fit_seconds"):
        ratio = np.sort(pairs.value / pairs.against)
        share = (np.arange(len(ratio)) + 0.5) / len(ratio)
        _plot_pairs(share, ratio, device, axes)
    axes.set_yscale("log")
    _plain_numbers(axes.yaxis)
    axes.set_xlabel("share of blocks, all campaigns")
    axes.set_ylabel("ratio of times (log scale)")
    axes.legend(fontsize=7)


def _draw_accuracy(runs: pd.DataFrame, axes) -> None:
    axes.set_title("Test accuracy", loc="left", fontsize=9)
    found = _pairs(runs, TEST_ACCURACY)
    if not found:
        axes.text(0.5, 0.5, "not measured", ha="center")
        return
    for device, pairs in found:
        _plot_pairs(100 * pairs.against, 100 * pairs.value, device, axes)
    both = np.concatenate([100 * np.r_[p.value, p.against] for _, p in found])
    ends = [both.min(), both.max()]
    axes.plot(ends, ends, color="black", linewidth=0.8, label="the same")
    axes.set_xlabel("Python (%)")
    axes.set_ylabel("R (%)")
    axes.legend(fontsize=7)


def _pairs(runs: pd.DataFrame, column: str) -> list:
    """Device and pairs, for the devices that have some."""
    found = []
    for device in MARKERS:
        try:
            found.append((device, complete_pairs(runs, column, device=device)))
        except CannotSay:
            continue
    return found


def _plot_pairs(x, y, device: str, axes) -> None:
    style = {"color": COLOURS["r"], "markersize": 4, "label": device.upper()}
    axes.plot(x, y, MARKERS[device], **style)
