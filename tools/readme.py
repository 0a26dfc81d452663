"""Update the computed parts of the README and of other pages (`make readme`).

Three regions of the README, each between two HTML comments, are written here:

    timings         what the reference campaigns (data/timings/reference-*) say: a
                    table, the outcome in words, the machine
    reading order   the last column of the table of the course: the minutes of each
                    notebook's opening table
    gallery         the table of the gallery: each notebook's title, the examples of
                    2017 that its headings name, its minutes; and what its index shows

The gallery's index, notebooks/gallery.md, has two: `cards` and `results` (see
tools/gallery.py). The glossary, notebooks/glossary.md, has `terms` (tools/glossary.py).

tools/screenshot.py takes the picture (book/static/pair.png). Nothing is written if
something is missing.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import gallery as index
import glossary
import numpy as np
import pandas as pd
from regions import put
from run import PARTS, notebooks_of
from sidebyside.common.errors import Sentence
from sidebyside.statistics import verdict
from sidebyside.statistics.estimates import Interval
from sidebyside.statistics.pairs import complete_pairs
from sidebyside.statistics.statements import AccuracyGap
from sidebyside.statistics.verdict import Verdict
from sidebyside.timing import load_campaigns
from sidebyside.timing.format import read_end, read_machine
from sidebyside.timing.loader import REFERENCE
from sidebyside.timing.report import machine_lines

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
INDEX = ROOT / "notebooks" / "gallery.md"
TIMINGS = ROOT / "data" / "timings"

ROW = re.compile(
    r"^(\| \[[^]]+\]\(notebooks/([\w-]+)\.ipynb\) \|.*\|)[^|]*\|$", re.MULTILINE
)
MINUTES = re.compile(r"^\| Minutes on two cores \| *(\d+)\b", re.MULTILINE)
# In a heading of the gallery: `addition_rnn`, but not `fit()`.
EXAMPLE = re.compile(r"^## .*`([a-z0-9]+(?:_[a-z0-9]+)+)`", re.MULTILINE)


# --- the tables of notebooks


def text_of(notebook: Path) -> str:
    """All Markdown of a notebook, its first cell first."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return "\n\n".join(
        "".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"
    )


def minutes_of(notebook: Path) -> str:
    """The minutes that the opening table of a notebook gives."""
    match = MINUTES.search(text_of(notebook))
    if match is None:
        raise Sentence(
            f"{notebook.name} does not say its minutes: expected '| Minutes on two "
            "cores | 2 |' or the like in its first cell"
        )
    return match[1]


def gallery(notebooks: Iterable[Path]) -> str:
    """The table of the gallery."""
    rows = []
    for path in notebooks:
        text = text_of(path)
        examples = ", ".join(f"`{name}`" for name in EXAMPLE.findall(text))
        title = f"[{path.stem[:2]} {index.TITLE.match(text)[1]}](notebooks/{path.name})"
        rows.append(f"| {title} | {examples} | {minutes_of(path)} |")
    if not rows:
        return "There are none yet."
    return "\n".join(["| notebook | examples | minutes |", "|---|---|---|", *rows])


def reading_order(table: str, minutes: Mapping[str, str]) -> str:
    """The table of notebooks with these minutes in its last column."""
    listed = [name for _, name in ROW.findall(table)]
    if listed != list(minutes):
        raise Sentence(
            f"the README's table lists the notebooks {', '.join(listed) or '(none)'}; "
            f"there are {', '.join(minutes) or 'none'}. Give each a row, in this order"
        )
    return ROW.sub(lambda row: f"{row[1]} {minutes[row[2]]} |", table)


# --- what was measured


def reference_campaigns(place: Path) -> list[Path]:
    """The project's own campaigns, in the order in which they were measured."""
    found = [runs.parent for runs in place.glob(f"{REFERENCE}*/runs.csv")]
    if not found:
        raise Sentence(
            f"there are no reference campaigns: expected {place}/{REFERENCE}*/runs.csv "
            "(data/timings/README.md says how such a campaign is made and named)"
        )
    return sorted(found, key=lambda folder: load_campaigns(folder)["started"].min())


def timings(folders: Sequence[Path]) -> str:
    """Campaigns as a table, what they say, and on which machine (Markdown)."""
    together = verdict(load_campaigns(*folders))
    rows = [
        ("what", "R", "Python", "R / Python", "Python / Python", "blocks"),
        ("---", "---:", "---:", "---:", "---:", "---:"),
    ]
    took, machines = [], {}
    for folder in folders:
        name = folder.name.removeprefix(REFERENCE)
        found = verdict(load_campaigns(folder))
        rows += campaign_rows(name, found)
        took.append(f"{name}: {', '.join(how_long(folder, found))}")
        link = f"[{name}](data/timings/{folder.name}/runs.csv)"
        day = found.runs["started"].min()
        machine = ", ".join(machine_lines(read_machine(folder)))
        measured_on = f"{machine}, {day.day} {day:%B %Y}"
        machines.setdefault(measured_on, []).append(link)
    note = (
        "R, Python: geometric means of the seconds of the blocks, in each of which "
        "every program ran once. The one divided by the other is the ratio R / Python, "
        "with its 95 % interval. Python / Python is the control: the same program "
        "measured against itself, which shows how small a difference the experiment "
        f"can see. A difference of up to {100 * together.margin:g} % is taken not to "
        "matter. The primary question was chosen beforehand; the p values of R's other "
        "ratios are corrected for their number (Holm)."
    )
    if "gpu" not in {f.device for f in together.findings}:
        note += " **CPU only:** nothing was measured on a GPU."
    said = [f"- {words}" for words in conclusions(together)]
    sources = [f"{' and '.join(links)}: {on}." for on, links in machines.items()]
    source = "Measured by `make timings`, computed by `make readme` from "
    source += f"{' '.join(sources)} How much: {'; '.join(took)}."
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([*lines, "", note, "", *said, "", source])


def campaign_rows(name: str, found: Verdict) -> Iterator[tuple[str, ...]]:
    """One row for training and one for the whole process."""
    ratios = {(f.arm, f.column): ratio(f.interval) for f in found.findings}
    for f in found.findings:
        if f.arm == "r":
            of_device = found.runs[found.runs["device"] == f.device]
            pairs = complete_pairs(of_device, f.column).table
            yield (
                f"{name}: {f.phase}",
                *(seconds(pairs[column]) for column in ("value", "against")),
                ratio(f.interval),
                ratios.get(("python-again", f.column), "not measured"),
                str(f.blocks),
            )


def seconds(values: pd.Series) -> str:
    """The geometric mean, with four digits: ratios have as many."""
    mean = np.exp(np.log(values).mean())
    return f"{mean:.{max(0, 3 - int(np.floor(np.log10(mean))))}f}"


def ratio(interval: Interval) -> str:
    return f"{interval.estimate:.3f} ({interval.low:.3f} to {interval.high:.3f})"


def conclusions(found: Verdict) -> Iterator[str]:
    """Warnings, what R's ratios mean, and the accuracies."""
    yield from (s.words() for s in found.warnings_first if s.warning)
    for f in found.findings:
        if f.arm == "r":
            of = f.of.replace(REFERENCE, "")
            what = f"{of}: {f.phase}" if of else f.phase
            question = " (the primary question)" if f.primary else ""
            yield f"**{what[0].upper()}{what[1:]}**{question}. {f.meaning()}"
    yield from (s.words() for s in found.statements if isinstance(s, AccuracyGap))


def how_long(folder: Path, found: Verdict) -> Iterator[str]:
    """Such as "10 epochs", "all runs together took 11 minutes"."""
    yield f"{found.runs['epochs'].max()} epochs"
    if took := (read_end(folder) or {}).get("overhead"):
        yield f"all runs together took {took['seconds'] / 60:.0f} minutes"


# --- the program


def renewed(text: str, examples: Sequence[index.Example]) -> str:
    """The README's text with its regions updated."""
    minutes = {path.stem: minutes_of(path) for path in notebooks_of("course")}
    text = put(text, "reading order", lambda table: reading_order(table, minutes))
    table = gallery(notebooks_of("gallery"))
    said = index.in_one_line(examples)
    text = put(text, "gallery", lambda _: f"{table}\n\n{said}")
    return put(text, "timings", lambda _: timings(reference_campaigns(TIMINGS)))


def examples_2017() -> list[index.Example]:
    return index.all_examples(path for part in PARTS for path in notebooks_of(part))


def renewed_index(text: str, examples: Sequence[index.Example]) -> str:
    text = put(text, "cards", lambda _: index.cards(examples))
    return put(text, "results", lambda _: index.results(examples))


def main() -> int:
    renew = {
        README: renewed,
        INDEX: renewed_index,
        glossary.PAGE: lambda text, _: glossary.renewed(text),
    }
    try:
        examples = examples_2017()
        before = {path: path.read_text(encoding="utf-8") for path in renew}
        after = {path: make(before[path], examples) for path, make in renew.items()}
    except (Sentence, OSError) as problem:
        print(f"Nothing was written: {problem}.", file=sys.stderr)
        return 1
    index.draw_thumbnails(examples)
    for path, text in after.items():
        path.write_text(text, encoding="utf-8")
        print(f"{path.name}: {'updated' if text != before[path] else 'unchanged'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
