"""The verdict as a report: one web page, and its figure as PDF."""

from __future__ import annotations

import base64
import html
import io
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from ..common.errors import printable
from ..common.files import write_whole
from ..timing.reading import read_machine
from .estimates import LEVEL
from .figure import TITLE
from .pairs import CONTROL, NAMES, PHASES, REFERENCE
from .verdict import Verdict

_FOUR_DIGITS = ("ratio", "low", "high", "low_90", "high_90")
_STYLE = """
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem;
       margin: 2rem auto; padding: 0 1rem; }
img { width: 100%; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { text-align: left; padding: .2rem .8rem .2rem 0; vertical-align: top;
         border-bottom: 1px solid #ccc; overflow-wrap: break-word; }
.warning { font-weight: bold; border-left: .3rem solid #D55E00; padding-left: .8rem; }
"""


def write_report(verdict: Verdict, folder: str | os.PathLike) -> tuple[Path, Path]:
    """Write the verdict as report.html, and its figure as report.pdf.

    The web page needs no other file, because it contains the figure. Each file is
    written completely or not at all, after both have been made.

    Parameters
    ----------
    folder
        Created if it does not exist.

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
    contents = {
        folder / "report.html": "\n".join(_page(verdict)).encode(),
        folder / "report.pdf": _drawn(verdict, "pdf"),
    }
    for path, content in contents.items():
        write_whole(path, content)
    page, pdf = contents
    return page, pdf


def _drawn(verdict: Verdict, kind: str) -> bytes:
    """The figure as a file of this kind, "pdf" or "svg"."""
    import matplotlib.pyplot as plt

    out = io.BytesIO()
    figure = verdict.figure()
    figure.savefig(out, format=kind, metadata={"Title": TITLE})
    plt.close(figure)
    return out.getvalue()


def _page(verdict: Verdict) -> Iterator[str]:
    yield '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width">'
    yield f"<title>{TITLE}</title><style>{_STYLE}</style></head><body>"
    yield f"<h1>{TITLE}</h1>"
    for statement in verdict.warnings_first:
        mark = ' class="warning"' if statement.warning else ""
        yield f"<p{mark}>{html.escape(statement.words())}</p>"
    picture = base64.b64encode(_drawn(verdict, "svg")).decode()
    text = html.escape(verdict.alt_text)
    yield f'<img alt="{text}" src="data:image/svg+xml;base64,{picture}">'
    yield "<h2>The ratios</h2>"
    table = verdict.table
    ends = {name: "{:.4f}".format for name in table if name in _FOUR_DIGITS}
    p_values = {name: "{:.2g}".format for name in table if name.startswith("p_")}
    table = table.drop(columns="p").replace({"arm": NAMES})
    yield table.to_html(index=False, border=0, formatters=ends | p_values)
    yield "<h2>The campaigns</h2>"
    by = verdict.runs.groupby(["campaign", "machine", "device", "arm"])["state"]
    counts = by.value_counts().unstack(fill_value=0)
    yield counts.reset_index().to_html(index=False, border=0)
    folders = verdict.runs.attrs.get("folders", {})
    for campaign in dict.fromkeys(verdict.runs["campaign"]):
        yield f"<h2>The machine of {html.escape(campaign)}</h2>"
        try:
            machine = read_machine(folders[campaign])
        except (KeyError, OSError, ValueError) as problem:
            machine = {"machine.json": printable(f"not readable: {problem}")}
        rows = pd.json_normalize(machine).T
        yield rows.to_html(header=False, border=0)
    yield f"<h2>How this was found</h2><p>{_method(verdict)}</p>"
    made = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    yield f"<p>Made on {made} by sidebyside, notebook 06.</p></body></html>"


def _method(verdict: Verdict) -> str:
    return (
        "Each run is a separate process. The runs of a block share a seed. The warm-up "
        "block is left out. A ratio is the geometric mean of the blocks' ratios. Its "
        f"{100 * LEVEL:g} % interval, from low to high, comes from a paired t-test of "
        "log times. If several campaigns did the same work, each counts once, and the "
        "t-test takes their means. Campaigns of different work are not pooled. There "
        "are three p values: p_different is that of a ratio of 1, p_apart that of a "
        f"ratio beyond the margin of {100 * verdict.margin:g} %, and p_beyond that of "
        "a ratio within the margin. R and Python count as equally fast if p_apart (two "
        "one-sided t-tests, TOST) is below 5 %, which means that the 90 % interval "
        "(low_90, high_90) lies within the margin. For test accuracy the margin is "
        f"{100 * verdict.accuracy_margin:g} points. The primary question is "
        f"{PHASES['fit_seconds']} {verdict.primary.where}. It was chosen by a rule "
        "that does not look at the results: the CPU before the GPU, photographs before "
        "anything else, then the work of most machines. All other ratios are "
        "secondary, also those of processor time (of the process and its children) and "
        "of peak memory (the largest resident memory). Their p values are "
        "corrected by Holm's method, for each arm separately. Everything is "
        f"compared with {NAMES[REFERENCE]}. {NAMES[CONTROL]} is the same program once "
        f"more, as a control. {PHASES['fit_seconds'].capitalize()} is the call of "
        "fit()."
    )
