"""The verdict as a figure on one page."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

import pandas as pd

from ..common.colours import PYTHON, PYTHON_LIGHT, R_LIGHT, R
from ..common.errors import printable
from .estimates import Mean
from .pairs import CONTROL, NAMES, PHASES, POSSIBLE
from .statements import MARGIN_LEVEL, TimeRatio

TITLE = "R and Python: does the language change the time?"

COLOURS = {"python": PYTHON, "r": R, CONTROL: PYTHON_LIGHT, "rpy2": R_LIGHT}
MARKERS = {"cpu": "o", "gpu": "^"}

# A page has no room for the intervals of more campaigns.
_MOST_PARTS = 8
_LONGEST_NAME = 40

# This font has a box for every letter.
_BOXES = "Last Resort High-Efficiency"


def draw(verdict, width: float, height: float):
    """The answer, the intervals and every run: see `Verdict.figure()`."""
    import matplotlib.pyplot as plt

    findings, answer = verdict.times, verdict.answer
    names = {name for f in findings for name in (f.of, *(x.campaign for x in f.parts))}
    family, escapes = _fonts_for({*answer, *"".join(names)})
    # In matplotlib, dollars mark formulas; a name may contain some.
    with plt.rc_context({"font.family": family, "text.parse_math": False}):
        figure, (intervals, every_run) = plt.subplots(
            2, figsize=(width, height), height_ratios=[3, 2], layout="constrained"
        )
        # No line may begin with "%". An inch holds 15 letters of this size.
        answer = answer.translate(escapes).replace(" %", "\u00a0%")
        lines = textwrap.fill(answer, int((width - 0.4) * 15), break_on_hyphens=False)
        figure.suptitle(f"{TITLE}\n\n{lines}", x=0.02, ha="left", fontsize=8.5)
        shown = {x: printable(x.translate(escapes), _LONGEST_NAME) for x in names}
        _draw_intervals(findings, verdict.margin, intervals, shown)
        _draw_runs(verdict.runs, every_run)
    return figure


def _fonts_for(letters: set[str]) -> tuple[list[str], dict[int, str]]:
    """The usual font, others for what it lacks, and escapes for the rest."""
    import matplotlib
    from matplotlib import font_manager as fonts

    def has(path: str) -> set[int]:
        try:
            font = fonts.get_font(path)
        except (OSError, RuntimeError):  # deleted since the list was made, or damaged
            return set()
        # Other fonts are pictures of one size.
        return set(font.get_charmap()) if font.scalable else set()

    family = list(matplotlib.rcParams["font.family"])
    missing = set(map(ord, letters)) - has(fonts.findfont(fonts.FontProperties()))
    for font in fonts.fontManager.ttflist if missing else ():
        if font.name == _BOXES or not missing & has(font.fname):
            continue
        # Matplotlib finds a font by its name, possibly another file such as a bold one.
        by_name = fonts.findfont(fonts.FontProperties(family=[font.name]))
        if found := missing & has(by_name):
            family.append(font.name)
            missing -= found
    return family, {x: chr(x).encode("unicode_escape").decode() for x in missing}


def _draw_intervals(
    findings: Sequence[TimeRatio], margin: float, axes, names: Mapping[str, str]
) -> None:
    axes.axvspan(1 / (1 + margin), 1 + margin, color="0.9", label="does not matter")
    axes.axvline(1, color="black", linewidth=0.8)
    labels: list[str] = []

    def add(label: str, mean: Mean, **style) -> None:
        estimate, low, high = mean.ratio()
        ends = [[estimate - low], [high - estimate]]
        bars = axes.errorbar(estimate, len(labels), xerr=ends, **style)
        _, *thick = mean.ratio(MARGIN_LEVEL)
        axes.plot(thick, [len(labels)] * 2, color=bars[0].get_color(), linewidth=3)
        labels.append(label)

    of = ""
    for found in findings:
        if found.of != of:
            # A heading above each kind of work.
            of = found.of
            axes.axhline(len(labels), color="0.8", linewidth=0.8)
            labels.append(f"{names[of]}:" if of else "")
        name = "rpy2" if found.arm == "rpy2" else NAMES[found.arm]
        colour = COLOURS[found.arm]
        many = len(found.parts) > 1
        style = {"color": colour, "fmt": "D" if many else "o", "capsize": 3}
        add(f"{name}, {found.phase}", found.pool, **style)
        for campaign, mean, _ in found.parts if many else ():
            if len(found.parts) <= _MOST_PARTS:
                style = {"color": colour, "fmt": "o", "alpha": 0.5, "markersize": 4}
                add(names[campaign], mean, **style)
    # The axes are as high as 30 lines of this size.
    size = min(8, 240 / len(labels))
    axes.set_yticks(range(len(labels)), labels, fontsize=size)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    logarithmic(axes.xaxis)
    axes.set_xlabel("time / Python's time, with 95 % interval (thick: 90 %; log scale)")
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=7)


def logarithmic(axis) -> None:
    """Give an axis a log scale with labels like R's: 1.05, 1.10."""
    from matplotlib.ticker import MaxNLocator, NullLocator, ScalarFormatter

    axis.axes.set(**{f"{axis.axis_name}scale": "log"})
    axis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(ScalarFormatter(useOffset=False))


def _draw_runs(runs: pd.DataFrame, axes) -> None:
    seconds = runs["fit_seconds"]
    good = (runs["state"] == "ok") & seconds.between(*POSSIBLE)
    done = runs[good & (runs["block"] > 0)].reset_index(drop=True)
    place = done.groupby(["campaign", "device", "block"]).ngroup()
    for (arm, device), part in done.groupby(["arm", "device"]):
        style = {"color": COLOURS[arm], "marker": MARKERS[device], "markersize": 4}
        label = f"{NAMES[arm]}, {device.upper()}"
        seconds = part["fit_seconds"]
        axes.plot(place[part.index], seconds, linestyle="", label=label, **style)
    logarithmic(axes.yaxis)
    axes.set_title("Every completed run", loc="left", fontsize=9)
    axes.set_xlabel("block, in the order of the campaigns")
    axes.set_ylabel(f"{PHASES['fit_seconds']} (s, log scale)")
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=7)
