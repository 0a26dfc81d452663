"""The verdict as a report: one web page, and its figure as PDF."""

from __future__ import annotations

import html
import io
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..common.files import data_directory, write_whole
from ..timing.format import read_machine
from .estimates import LEVEL
from .pairs import REFERENCE
from .statements import CONTROL, NAMES, PHASES
from .verdict import Verdict

HTML_FILE = "report.html"
PDF_FILE = "report.pdf"

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem;
       margin: 2rem auto; padding: 0 1rem; color: #222; }
svg { width: 100%; height: auto; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { text-align: left; padding: .2rem .8rem .2rem 0;
         border-bottom: 1px solid #ccc; vertical-align: top;
         overflow-wrap: anywhere; }
.warning { font-weight: bold; border-left: .3rem solid #D55E00; padding-left: .8rem; }
@media (prefers-color-scheme: dark) {
  body { background: #181818; color: #eee; }
  svg { background: white; }
}
"""


def write_report(
    verdict: Verdict,
    folder: str | os.PathLike,
    machines: Mapping[str, Mapping[str, Any]] | None = None,
) -> tuple[Path, Path]:
    """Write the verdict as report.html, and its figure as report.pdf.

    The web page needs no other file: the figure is in it. Both are made before
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
    page = _html(verdict, machines)
    about = {"Title": "R and Python: a verdict", "Subject": verdict.text}
    pdf = _drawn(verdict, "pdf", about)
    write_whole(folder / HTML_FILE, page)
    write_whole(folder / PDF_FILE, pdf)
    return folder / HTML_FILE, folder / PDF_FILE


def machines_of(runs: Any) -> dict[str, dict]:
    """`machine.json` of each campaign, as far as it can be found.

    Looked for beside the measurements, where `load_campaigns()` says they are
    (`attrs["folders"]`), or else in `timings/` of the data folder.
    """
    folders = runs.attrs.get("folders", {})
    found = {}
    for campaign in dict.fromkeys(runs["campaign"]):
        beside = data_directory() / "timings" / str(campaign)
        try:
            found[campaign] = read_machine(folders.get(campaign, beside))
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


def _drawn(verdict: Verdict, kind: str, about: Mapping[str, str | None]) -> bytes:
    """The figure as a file of this kind."""
    import matplotlib
    import matplotlib.pyplot as plt

    out = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "sidebyside"}):
        figure = verdict.figure()
        figure.savefig(out, format=kind, metadata=about)
        plt.close(figure)
    return out.getvalue()


def _svg(verdict: Verdict) -> str:
    """The figure as an element of the page, with a text for screen readers."""
    svg = _drawn(verdict, "svg", {"Date": None}).decode()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    text = html.escape(verdict.alt_text)
    return svg.replace("<svg", f'<svg role="img" aria-label="{text}"', 1)


def _html(verdict: Verdict, machines: Mapping) -> str:
    say = html.escape
    made = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width">',
        "<title>R and Python: a verdict</title>",
        f"<style>{_STYLE}</style></head><body>",
        "<h1>R and Python: does the language change the time?</h1>",
    ]
    for statement in sorted(verdict.statements, key=lambda s: not s.warning):
        mark = ' class="warning"' if statement.warning else ""
        parts.append(f"<p{mark}>{say(statement.words())}</p>")
    parts += [
        f"<figure>{_svg(verdict)}</figure>",
        "<h2>The ratios of times</h2>",
        _table(_RATIOS, _ratios(verdict)),
        "<h2>The campaigns</h2>",
        _table(_CAMPAIGNS, _campaigns(verdict)),
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


def _table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    def line(cells, tag):
        inner = "".join(f"<{tag}>{html.escape(str(c))}</{tag}>" for c in cells)
        return f"<tr>{inner}</tr>"

    body = "\n".join(line(row, "td") for row in rows)
    return f"<table><thead>{line(header, 'th')}</thead><tbody>{body}</tbody></table>"


_RATIOS = (
    "arm / Python",
    "phase",
    "campaigns",
    "pairs",
    "ratio",
    "95 % interval",
    "p (ratio is 1)",
    "p (beyond the margin)",
    "outcome",
)


def _ratios(verdict: Verdict) -> Iterator[Sequence[Any]]:
    for f in verdict.findings:
        yield (
            NAMES.get(f.arm, f.arm),
            f.phase,
            ", ".join(part.campaign for part in f.parts),
            f.blocks,
            f"{f.interval.estimate:.4f}",
            f"{f.interval.low:.4f} to {f.interval.high:.4f}",
            f"{f.p_different:.2g}",
            f"{f.p_apart:.2g}",
            f.outcome if f.arm != CONTROL else "control",
        )


_CAMPAIGNS = ("campaign", "machine", "device", "arm", "runs", "of these not ok")


def _campaigns(verdict: Verdict) -> Iterator[Sequence[Any]]:
    runs = verdict.runs
    if "machine" not in runs:
        runs = runs.assign(machine="unknown")
    for key, part in runs.groupby(["campaign", "machine", "device", "arm"]):
        wrong = part["state"][part["state"] != "ok"].value_counts()
        states = ", ".join(f"{n} {state}" for state, n in wrong.items())
        yield (*key, len(part), states or "none")


def _method(verdict: Verdict) -> str:
    return (
        "Each run is a separate process; the runs of a block share a seed. The "
        "warm-up block is left out. A ratio is the geometric mean of the ratios of "
        "the two runs of a block, with the interval of a paired t-test of log times "
        f"at {100 * LEVEL:g} %. Several campaigns of the same work count once each, "
        "as the mean of their log ratios, with the interval of a t-test of these "
        "means; campaigns of different work are not pooled. Equally fast means that "
        "two one-sided t-tests at 5 % reject a difference beyond the margin of "
        f"{100 * verdict.margin:g} % (test accuracy: "
        f"{100 * verdict.accuracy_margin:g} points). The reference is "
        f"{NAMES[REFERENCE]}; {NAMES[CONTROL]} is the same program once more, as a "
        f"control. {PHASES['fit_seconds'].capitalize()} is the call of fit()."
    )
