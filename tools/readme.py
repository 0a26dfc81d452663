"""Update the computed parts of the README and of four other pages (`make readme`).

A computed part is a region between two HTML comments. The README has five:

    answer          what the examples and the reference study say, in one line
    reading order   the table of the course; only its last column, the minutes, is
                    computed, from the notebooks' opening tables
    gallery         the table of the gallery, and what its index shows
    timings         what the reference campaigns (data/timings/reference-*) say: a
                    table, the outcome in words, the machine
    costs           what the reference study says: R's costs in several networks

In notebooks/ there are the gallery's index (tools/gallery.py), the glossary
(tools/glossary.py) and the pages of the modules (tools/modules.py).

tools/screenshot.py takes the picture (book/static/pair.png). If anything is missing,
nothing is written.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import gallery as index
import glossary
import modules
import numpy as np
import pandas as pd
from regions import put
from run import PARTS, notebooks_of
from sidebyside.common.errors import Sentence
from sidebyside.statistics import cost_model, verdict
from sidebyside.statistics.cost_model import OUTCOMES, CostModel
from sidebyside.statistics.estimates import Interval
from sidebyside.statistics.pairs import complete_pairs
from sidebyside.statistics.statements import AccuracyGap, ResourceRatio, TimeRatio
from sidebyside.statistics.verdict import Verdict
from sidebyside.timing import load_campaigns, load_studies
from sidebyside.timing.format import STUDY
from sidebyside.timing.loader import REFERENCE
from sidebyside.timing.reading import read_end, read_machine
from sidebyside.timing.report import machine_lines

ROOT = Path(__file__).resolve().parent.parent
TIMINGS = ROOT / "data" / "timings"

ROW = re.compile(
    r"^(\| \[[^]]+\]\(notebooks/([\w-]+)\.ipynb\) \|.*\|)[^|]*\|$", re.MULTILINE
)
# In a heading of the gallery: `addition_rnn`, but not `fit()`.
EXAMPLE = re.compile(r"^## .*`([a-z0-9]+(?:_[a-z0-9]+)+)`", re.MULTILINE)


# --- the tables of notebooks


def gallery(notebooks: Iterable[Path]) -> str:
    """The table of the gallery."""
    rows = []
    for path in notebooks:
        examples = ", ".join(f"`{x}`" for x in EXAMPLE.findall(modules.text_of(path)))
        title = f"[{modules.title_of(path)}](notebooks/{path.name})"
        rows.append(f"| {title} | {examples} | {modules.minutes_of(path)} |")
    if not rows:
        return "There are none yet."
    return "\n".join(["| notebook | examples | minutes |", "|---|---|---|", *rows])


def reading_order(table: str, minutes: Mapping[str, str]) -> str:
    """The table of the course with these minutes in its last column."""
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
    """The campaigns' table, their outcome and their machine, in Markdown."""
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
        took.append(f"{name}, {' and '.join(how_long(folder, found))}")
        link = f"[{name}](data/timings/{folder.name}/runs.csv)"
        day = found.runs["started"].min()
        machine = ", ".join(machine_lines(read_machine(folder)))
        measured_on = f"{machine}, {day.day} {day:%B %Y}"
        machines.setdefault(measured_on, []).append(link)
    note = (
        "A block is a group of runs in which every program runs once. **R** and "
        "**Python** are the geometric means of their seconds. **R / Python** is the "
        "ratio of the two, with its 95 % "
        "interval. **Python / Python** is the control: the same program measured "
        "against itself. It shows how small a difference the experiment can see. A "
        f"difference of up to {100 * together.margin:g} % counts as too small to "
        "matter. The primary question was chosen beforehand. R's other ratios answer "
        "further questions. Their p values are corrected for the number of questions "
        "(Holm's method), their intervals are not."
    )
    if "gpu" not in {f.device for f in together.times}:
        note += " **CPU only:** we measured nothing on a GPU."
    said = [f"- {words}" for words in conclusions(together)]
    sources = [
        f"{' and '.join(links)}, measured on {on}." for on, links in machines.items()
    ]
    source = (
        "`make timings` measured the runs, and `make readme` computed the table. Runs: "
        f"{' '.join(sources)} How long they took: {'; '.join(took)}."
    )
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([*lines, "", note, "", *said, "", source])


def campaign_rows(name: str, found: Verdict) -> Iterator[tuple[str, ...]]:
    """One row for training and one for the whole process."""
    ratios = {(f.arm, f.column): ratio(f.interval) for f in found.times}
    for f in found.times:
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
    """The geometric mean with four digits, as many as ratios have."""
    mean = np.exp(np.log(values).mean())
    return f"{mean:.{max(0, 3 - int(np.floor(np.log10(mean))))}f}"


def ratio(interval: Interval) -> str:
    return f"{interval.estimate:.3f} ({interval.low:.3f} to {interval.high:.3f})"


def reference_studies(place: Path) -> pd.DataFrame:
    """The runs of the project's own studies."""
    found = sorted(x.parent for x in place.glob(f"{REFERENCE}*/{STUDY}"))
    if not found:
        raise Sentence(
            f"there is no reference study: expected {place}/{REFERENCE}*/{STUDY}"
        )
    return load_studies(*found)


def answer(costs: CostModel, examples: Sequence[index.Example]) -> str:
    """Are the numbers the same, and what does R cost? One line."""
    return (
        "**The answer in one line.** The same numbers? In "
        f"{sum(map(index.is_same, examples))} of {len(examples)} examples, to the last "
        f"digit. The same time? {costs.answer} Details: "
        "[what it costs you](notebooks/07_what_it_costs_you.ipynb)."
    )


def costs(models: Sequence[CostModel]) -> str:
    """R's costs in seconds, in processor time and in memory, in Markdown."""
    runs = models[0].pairs
    counted = f"{len(runs)} pairs of runs of {runs['network'].nunique()} networks"
    said = [f"- {model.text.partition(' These are')[0]}" for model in models]
    note = (
        "If an interval contains 0, the measurements do not show that there is such a "
        "cost. A negative cost means that R was faster. These are "
        f"means of the networks with 95 % intervals, from {counted} "
        f"([the plan and the runs](data/timings/{REFERENCE}networks/study.json)). "
        "[07](notebooks/07_what_it_costs_you.ipynb) shows every network, and predicts "
        "what R costs in a training of your own."
    )
    return "\n".join([*said, "", note])


def said_of(f: TimeRatio) -> str:
    """Such as "photographs: training, CPU"."""
    return f"{f.of.replace(REFERENCE, '')}: {f.phase}".removeprefix(": ")


def conclusions(found: Verdict) -> Iterator[str]:
    """Warnings, the meaning of R's times, its resources, then the accuracies."""
    yield from (s.words() for s in found.warnings_first if s.warning)
    for f in found.findings:
        if f.arm == "r":
            what, said = said_of(f), f.meaning()
            question = " (the primary question)" if f.primary else ""
            if isinstance(f, ResourceRatio):
                said = f"R needs {ratio(f.interval)} times as much as Python: {said}."
            yield f"**{what[0].upper()}{what[1:]}**{question}. {said}"
    yield from (s.words() for s in found.statements if isinstance(s, AccuracyGap))


def how_long(folder: Path, found: Verdict) -> Iterator[str]:
    """Such as "10 epochs in each run", "11 minutes for all runs"."""
    yield f"{found.runs['epochs'].max()} epochs in each run"
    if took := (read_end(folder) or {}).get("overhead"):
        yield f"{took['seconds'] / 60:.0f} minutes for all runs"


# --- the program


def readme(text: str, examples: Sequence[index.Example]) -> str:
    minutes = {x.stem: modules.minutes_of(x) for x in notebooks_of("course")}
    text = put(text, "reading order", lambda table: reading_order(table, minutes))
    table = gallery(notebooks_of("gallery"))
    said = index.in_one_line(examples)
    text = put(text, "gallery", lambda _: f"{table}\n\n{said}")
    folders = reference_campaigns(TIMINGS)
    text = put(text, "timings", lambda _: timings(folders))
    runs = reference_studies(TIMINGS)
    models = [cost_model(runs, outcome=outcome) for outcome in OUTCOMES]
    text = put(text, "costs", lambda _: costs(models))
    return put(text, "answer", lambda _: answer(models[0], examples))


def gallery_index(text: str, examples: Sequence[index.Example]) -> str:
    text = put(text, "cards", lambda _: index.cards(examples))
    return put(text, "results", lambda _: index.results(examples))


def module(page: str, text: str) -> str:
    notebooks = modules.notebooks_of_module(page)
    return put(text, "notebooks", lambda _: modules.table_of_module(notebooks))


# How each page is renewed: a function of its text and the examples of 2017.
PAGES = {
    "README.md": readme,
    "notebooks/gallery.md": gallery_index,
    "notebooks/glossary.md": lambda text, _: glossary.renewed(text),
    "notebooks/learning.md": lambda text, _: module("learning", text),
    "notebooks/measuring.md": lambda text, _: module("measuring", text),
}


def examples_2017() -> list[index.Example]:
    return index.all_examples(path for part in PARTS for path in notebooks_of(part))


def renewed() -> dict[Path, str]:
    """The pages with their regions updated."""
    examples = examples_2017()
    return {
        ROOT / page: make((ROOT / page).read_text(encoding="utf-8"), examples)
        for page, make in PAGES.items()
    }


def main() -> int:
    try:
        pages = renewed()
    except (Sentence, OSError) as problem:
        print(f"Nothing was written: {problem}.", file=sys.stderr)
        return 1
    index.draw_thumbnails(examples_2017())
    for path, text in pages.items():
        changed = text != path.read_text(encoding="utf-8")
        path.write_text(text, encoding="utf-8")
        print(f"{path.name}: {'updated' if changed else 'unchanged'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
