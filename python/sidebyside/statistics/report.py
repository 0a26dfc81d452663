"""The verdict on a page: as a figure, as HTML and as PDF."""

from __future__ import annotations

import html
import io
import json
import os
import re
import tempfile
import textwrap
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from ..common.files import data_directory
from ..timing.archives import read_bytes
from .estimates import (
    LEVEL,
    REFERENCE,
    TEST_ACCURACY,
    CannotSay,
    complete_pairs,
    measured,
)
from .verdict import COLOURS, CONTROL, NAMES, PHASES, Verdict

HTML_FILE = "report.html"
PDF_FILE = "report.pdf"

# More points than this are not told apart on a page.
_MOST_PARTS = 8

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem;
       margin: 2rem auto; padding: 0 1rem; color: #222; }
figure { margin: 1.5rem 0; }
svg { width: 100%; height: auto; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { text-align: left; padding: .2rem .8rem .2rem 0;
         border-bottom: 1px solid #ccc; vertical-align: top;
         overflow-wrap: anywhere; }
td.number { font-variant-numeric: tabular-nums; }
.warning { border-left: .3rem solid #D55E00; padding-left: .8rem; }
@media (prefers-color-scheme: dark) {
  body { background: #181818; color: #eee; }
  svg { background: white; }
}
"""


# --- the figure


def draw(verdict: Verdict, width: float, height: float):
    """One page: the answer, the intervals, every run, the accuracy."""
    import matplotlib.pyplot as plt

    figure = plt.figure(figsize=(width, height), layout="constrained")
    rows = sum(_lines(f) for f in verdict.findings)
    rows += len({f.of for f in verdict.findings if f.of})
    # 15 letters of this size are an inch wide, 7 lines an inch high.
    paragraph = textwrap.fill(
        verdict.text, int((width - 0.4) * 15), break_on_hyphens=False
    )
    lines = paragraph.count("\n") + 5
    panels = height - lines / 7
    text, below = figure.subfigures(
        2, 1, height_ratios=[lines / 7, max(panels, height / 3)]
    )
    title = "R and Python: does the language change the time?"
    text.text(0.025, 1 - 0.6 / lines, title, va="top", weight="bold")
    text.text(
        0.025,
        1 - 2.4 / lines,
        paragraph,
        va="top",
        fontsize=8.5,
        # A dollar sign would begin a formula.
        parse_math=False,
    )
    grid = below.add_gridspec(3, 2, height_ratios=[0.6 + 0.22 * rows, 2.4, 2.2])
    _draw_intervals(verdict, below.add_subplot(grid[0, :]))
    _draw_runs(verdict, below.add_subplot(grid[1, :]))
    _draw_differences(verdict, below.add_subplot(grid[2, 0]))
    _draw_accuracy(verdict, below.add_subplot(grid[2, 1]))
    return figure


def _lines(finding) -> int:
    parts = len(finding.parts)
    return 1 + (parts if 1 < parts <= _MOST_PARTS else 0)


def _draw_intervals(verdict: Verdict, axes) -> None:
    low, high = 1 / (1 + verdict.margin), 1 + verdict.margin
    axes.axvspan(low, high, color="0.9", label="does not matter")
    axes.axvline(1, color="black", linewidth=0.8)
    place, labels, headings, of = 0, [], [], ""
    for found in verdict.findings:
        if found.of != of:
            # A line of its own, above what is of this kind of work.
            of = found.of
            headings.append(place)
            labels.append(f"{of}:" if of else "")
            place += 1
        colour = COLOURS.get(found.arm, "black")
        i = found.interval
        axes.errorbar(
            i.estimate,
            place,
            xerr=[[i.estimate - i.low], [i.high - i.estimate]],
            fmt="D" if len(found.parts) > 1 else "o",
            color=colour,
            capsize=3,
        )
        labels.append(found.label)
        place += 1
        if _lines(found) == 1:
            continue
        for part in found.parts:
            i = part.interval
            axes.errorbar(
                i.estimate,
                place,
                xerr=[[i.estimate - i.low], [i.high - i.estimate]],
                fmt="o",
                color=colour,
                alpha=0.5,
                markersize=4,
            )
            labels.append(part.campaign)
            place += 1
    axes.set_yticks(range(place), labels, fontsize=8, parse_math=False)
    for heading in headings:
        axes.get_yticklabels()[heading].set_style("italic")
        axes.axhline(heading, color="0.8", linewidth=0.8)
    axes.set_ylim(place - 0.4, -0.6)
    axes.set_xscale("log")
    _plain_numbers(axes.xaxis)
    axes.set_xlabel("time / time of Python, with 95 % interval (log scale)")
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=7)


def _plain_numbers(axis) -> None:
    """1.05 and not 10^0.02, and no more of them than there is room for."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

    axis.set_major_locator(MaxNLocator(6))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))


def _draw_runs(verdict: Verdict, axes) -> None:
    done = measured(verdict.runs)
    done = done[done["state"] == "ok"].reset_index(drop=True)
    keys = ["campaign", "device", "block"]
    place = done.groupby(keys).ngroup()
    markers = {"cpu": "o", "gpu": "^"}
    arms = [a for a in COLOURS if a in set(done["arm"])]
    for arm in arms:
        for device, marker in markers.items():
            part = done[(done["arm"] == arm) & (done["device"] == device)]
            if not len(part):
                continue
            axes.plot(
                place[part.index],
                part["fit_seconds"],
                marker,
                color=COLOURS[arm],
                markersize=4,
                label=f"{NAMES[arm]}, {device.upper()}",
            )
    axes.set_yscale("log")
    _plain_numbers(axes.yaxis)
    axes.set_xlabel("block, in the order of the campaigns")
    axes.set_ylabel("training (s, log scale)")
    axes.set_title("Every completed run", loc="left", fontsize=9)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=7)


def _draw_differences(verdict: Verdict, axes) -> None:
    title = "R / Python, training"
    axes.set_title(title, loc="left", fontsize=9)
    axes.axhspan(1 / (1 + verdict.margin), 1 + verdict.margin, color="0.9")
    axes.axhline(1, color="black", linewidth=0.8)
    for device, marker in (("cpu", "o"), ("gpu", "^")):
        try:
            pairs = complete_pairs(verdict.runs, device=device)
        except CannotSay:
            continue
        ratio = np.sort(pairs.value / pairs.against)
        axes.plot(
            (np.arange(len(ratio)) + 0.5) / len(ratio),
            ratio,
            marker,
            color=COLOURS["r"],
            markersize=4,
            label=device.upper(),
        )
    axes.set_yscale("log")
    _plain_numbers(axes.yaxis)
    axes.set_xlabel("share of blocks, all campaigns")
    axes.set_ylabel("ratio of times (log scale)")
    axes.legend(fontsize=7)


def _draw_accuracy(verdict: Verdict, axes) -> None:
    axes.set_title("Test accuracy", loc="left", fontsize=9)
    everything = []
    for device, marker in (("cpu", "o"), ("gpu", "^")):
        try:
            pairs = complete_pairs(verdict.runs, TEST_ACCURACY, device=device)
        except CannotSay:
            continue
        everything += [*pairs.value, *pairs.against]
        axes.plot(
            100 * pairs.against,
            100 * pairs.value,
            marker,
            color=COLOURS["r"],
            markersize=4,
            label=device.upper(),
        )
    if not everything:
        axes.text(0.5, 0.5, "not measured", ha="center")
        return
    ends = 100 * np.array([min(everything), max(everything)])
    axes.plot(ends, ends, color="black", linewidth=0.8, label="the same")
    axes.set_xlabel("Python (%)")
    axes.set_ylabel("R (%)")
    axes.legend(fontsize=7)


# --- the machines


def machines_of(runs: Any) -> dict[str, dict]:
    """`machine.json` of each campaign, as far as it can be found.

    Looked for beside the measurements, where `load_campaigns()` says that
    they lie (`attrs["folders"]`), or else in `timings/` of the data folder.
    """
    folders = runs.attrs.get("folders", {})
    found = {}
    for campaign in dict.fromkeys(runs["campaign"]):
        beside = data_directory() / "timings" / str(campaign)
        path = Path(folders.get(campaign, beside)) / "machine.json"
        try:
            found[campaign] = json.loads(read_bytes(path))
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as problem:
            found[campaign] = {"machine.json": f"not readable: {problem}"}
    return found


def flat(machine: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """A description as rows of name and value, inner names after a dot."""
    rows = []
    for name, value in machine.items():
        if isinstance(value, Mapping):
            rows += flat(value, f"{prefix}{name}.")
        elif isinstance(value, list | tuple):
            rows.append((prefix + str(name), ", ".join(map(_plain, value))))
        else:
            rows.append((prefix + str(name), _plain(value)))
    return rows


def _plain(value: Any) -> str:
    if value is None or value == "":
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return "; ".join(f"{k} {_plain(v)}" for k, v in value.items())
    return str(value)


# --- the report


def write_report(
    verdict: Verdict,
    folder: str | os.PathLike,
    machines: Mapping[str, Mapping[str, Any]] | None = None,
) -> tuple[Path, Path]:
    """Write the verdict as report.html and report.pdf.

    The HTML file stands by itself: the figure is in it. Both are made before
    the first is written, and each is written whole or not at all.

    Parameters
    ----------
    folder
        Made if it is not there.
    machines
        Campaign to what is known of its machine; by default the
        `machine.json` that lies beside the measurements.

    Returns
    -------
    The two paths, HTML first.

    Raises
    ------
    OSError
        If the folder cannot be written to.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if machines is None:
        machines = machines_of(verdict.runs)
    made = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    page = _html(verdict, machines, made).encode()
    pdf = _pdf(verdict, machines, made)
    return (
        _written(folder / HTML_FILE, page),
        _written(folder / PDF_FILE, pdf),
    )


def _written(path: Path, content: bytes) -> Path:
    with tempfile.NamedTemporaryFile(
        dir=path.parent, prefix=path.name, delete=False
    ) as file:
        try:
            file.write(content)
            file.close()
            # As any new file: readable by others where the user wants that.
            mask = os.umask(0)
            os.umask(mask)
            os.chmod(file.name, 0o666 & ~mask)
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise
    return path


def _svg(verdict: Verdict) -> str:
    """The figure as an element of the page, with its text for readers."""
    import matplotlib
    import matplotlib.pyplot as plt

    out = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "sidebyside"}):
        figure = verdict.figure()
        figure.savefig(out, format="svg", metadata={"Date": None})
        plt.close(figure)
    svg = out.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    text = html.escape(verdict.alt_text)
    return svg.replace("<svg", f'<svg role="img" aria-label="{text}"', 1)


def _html(verdict: Verdict, machines: Mapping, made: str) -> str:
    say = html.escape
    sentences = " ".join(
        f'<strong class="warning">{say(s)}</strong>'
        if s.startswith("Warning")
        else say(s)
        for s in verdict.sentences
    )
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width">',
        "<title>R and Python: a verdict</title>",
        f"<style>{_STYLE}</style></head><body>",
        "<h1>R and Python: does the language change the time?</h1>",
        f"<p>{sentences}</p>",
        f"<figure>{_svg(verdict)}</figure>",
        "<h2>The ratios of times</h2>",
        _table(*_findings_table(verdict)),
        "<h2>The campaigns</h2>",
        _table(*_campaigns_table(verdict)),
    ]
    for campaign in dict.fromkeys(verdict.runs["campaign"]):
        parts.append(f"<h2>The machine of {say(str(campaign))}</h2>")
        machine = machines.get(campaign)
        if machine:
            parts.append(_table(("what", "value"), flat(machine)))
        else:
            parts.append("<p>Its machine.json was not found.</p>")
    parts += [
        "<h2>How this was found</h2>",
        f"<p>{say(_method(verdict))}</p>",
        f"<p>Made on {say(made)} by sidebyside, notebook 06.</p>",
        "</body></html>",
    ]
    return "\n".join(parts)


def _table(header, rows) -> str:
    def line(cells, tag):
        inner = "".join(f"<{tag}>{html.escape(str(c))}</{tag}>" for c in cells)
        return f"<tr>{inner}</tr>"

    body = "\n".join(line(row, "td") for row in rows)
    return f"<table><thead>{line(header, 'th')}</thead><tbody>{body}</tbody></table>"


def _findings_table(verdict: Verdict):
    header = (
        "arm / Python",
        "phase",
        "device",
        "campaigns",
        "pairs",
        "ratio",
        "95 % interval",
        "p (ratio is 1)",
        "p (beyond the margin)",
        "outcome",
    )
    rows = [
        (
            NAMES.get(f.arm, f.arm),
            PHASES[f.column],
            f.device.upper(),
            ", ".join(part.campaign for part in f.parts),
            f.blocks,
            f"{f.interval.estimate:.4f}",
            f"{f.interval.low:.4f} to {f.interval.high:.4f}",
            f"{f.p_different:.2g}",
            f"{f.p_apart:.2g}",
            f.outcome if f.arm != CONTROL else "control",
        )
        for f in verdict.findings
    ]
    return header, rows


def _campaigns_table(verdict: Verdict):
    header = ("campaign", "machine", "device", "arm", "runs", "of these not ok")
    runs = verdict.runs
    if "machine" not in runs:
        runs = runs.assign(machine="unknown")
    rows = []
    keys = ["campaign", "machine", "device", "arm"]
    for key, part in runs.groupby(keys):
        wrong = part["state"][part["state"] != "ok"].value_counts()
        states = ", ".join(f"{n} {state}" for state, n in wrong.items())
        rows.append((*key, len(part), states or "none"))
    return header, rows


def _method(verdict: Verdict) -> str:
    return (
        f"Each run is a process of its own; runs of one block share a seed. "
        f"The warm-up block is left out. A ratio is the geometric mean of the "
        f"ratios of the two runs of a block, its interval that of a paired "
        f"t-test of log times at {100 * LEVEL:g} %. {_pooling(verdict)}"
        f"Equally fast means that two one-sided t-tests reject a difference "
        f"beyond the margin of {100 * verdict.margin:g} % (test accuracy: "
        f"{100 * verdict.accuracy_margin:g} points) at 5 %. The reference is "
        f"{NAMES[REFERENCE]}; {NAMES[CONTROL]} is the same program once more."
    )


def _pooling(verdict: Verdict) -> str:
    """What was done with several campaigns, where there are several."""
    said = ""
    if any(len(f.parts) > 1 for f in verdict.findings):
        said += (
            "Of several campaigns of the same work each counts once, as the "
            "mean of its log ratios, and the interval is that of a t-test of "
            "these means. "
        )
    if any(f.of for f in verdict.findings):
        said += "Campaigns of different work are not pooled. "
    return said


def _pdf(verdict: Verdict, machines: Mapping, made: str) -> bytes:
    """The figure, then pages with the machines and the method."""
    import matplotlib
    import matplotlib.pyplot as plt
    from matplotlib.backends.backend_pdf import PdfPages

    lines = []
    for campaign in dict.fromkeys(verdict.runs["campaign"]):
        lines += [f"The machine of {campaign}", ""]
        machine = machines.get(campaign)
        rows = flat(machine) if machine else [("machine.json", "not found")]
        for name, value in rows:
            lines += textwrap.wrap(f"{name}: {value}", 100, subsequent_indent="    ")
        lines.append("")
    lines += ["How this was found", "", *textwrap.wrap(_method(verdict), 100)]
    lines += ["", f"Made on {made} by sidebyside, notebook 06."]
    out = io.BytesIO()
    about = {"Title": "R and Python: a verdict", "Subject": verdict.text}
    with (
        matplotlib.rc_context({"figure.constrained_layout.use": False}),
        PdfPages(out, metadata=about) as pages,
    ):
        figure = verdict.figure()
        pages.savefig(figure)
        plt.close(figure)
        for start in range(0, len(lines), 62):
            page = plt.figure(figsize=(8.27, 11.69))
            page.text(
                0.08,
                0.95,
                "\n".join(lines[start : start + 62]),
                va="top",
                fontsize=8,
                family="monospace",
                parse_math=False,
                linespacing=1.4,
            )
            pages.savefig(page)
            plt.close(page)
    return out.getvalue()
