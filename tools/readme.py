"""Update the computed parts of README.md (part of `make readme`).

Two regions of the README, each between two HTML comments, are written here:

    timings         what the reference campaigns (data/timings/reference-*) say: a
                    table, the outcome in words, the machine
    reading order   the last column of the table of notebooks: the minutes of each
                    notebook's opening table

tools/screenshot.py takes the picture (book/static/pair.png). Nothing is written if
something is missing or if nothing has changed.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd
from sidebyside.statistics import CannotSay, verdict
from sidebyside.statistics.estimates import Interval
from sidebyside.statistics.pairs import measured
from sidebyside.statistics.statements import AccuracyGap, Control, TimeRatio
from sidebyside.statistics.verdict import Verdict
from sidebyside.timing import WrongRuns, load_campaigns
from sidebyside.timing.format import read_end, read_machine
from sidebyside.timing.loader import REFERENCE, NoTimings
from sidebyside.timing.report import machine_lines

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
NOTEBOOKS = ROOT / "notebooks"
TIMINGS = ROOT / "data" / "timings"

BEGIN, END = "<!-- {} (written by `make readme`) -->", "<!-- end of {} -->"
NOT_MEASURED = "not measured"

ROW = re.compile(
    r"^(\| \[[^]]+\]\(notebooks/([\w-]+)\.ipynb\) \|.*\|)[^|]*\|$", re.MULTILINE
)
MINUTES = re.compile(r"^\| Minutes on two cores \| *(\d+)\b", re.MULTILINE)


class CannotWrite(Exception):
    """Something that the README is made from is missing or wrong."""


# --- regions


def put(text: str, region: str, content: Callable[[str], str]) -> str:
    """The text with one region replaced by what `content` makes of it.

    Raises `CannotWrite` unless the two comments around the region are there, once
    each and in order.
    """
    begin, end = BEGIN.format(region), END.format(region)
    if (
        text.count(begin) != 1
        or text.count(end) != 1
        or text.index(begin) > text.index(end)
    ):
        raise CannotWrite(
            f"the README has no region '{region}': expected the line {begin} and, "
            f"below it, the line {end}, once each"
        )
    head, rest = text.split(begin)
    inside, tail = rest.split(end)
    return f"{head}{begin}\n\n{content(inside).strip()}\n\n{end}{tail}"


# --- the table of notebooks


def minutes_of(notebooks: Path) -> dict[str, str]:
    """Name of each notebook -> the minutes that its opening table gives."""
    found = {}
    for path in sorted(notebooks.glob("[0-9][0-9]_*.ipynb")):
        opening = "".join(
            json.loads(path.read_text(encoding="utf-8"))["cells"][0]["source"]
        )
        match = MINUTES.search(opening)
        if match is None:
            raise CannotWrite(
                f"{path.name} does not say its minutes: expected '| Minutes on two "
                "cores | 2 |' or the like in its first cell"
            )
        found[path.stem] = match[1]
    return found


def reading_order(table: str, minutes: Mapping[str, str]) -> str:
    """The table of notebooks with these minutes in its last column."""
    listed = [name for _, name in ROW.findall(table)]
    if listed != list(minutes):
        raise CannotWrite(
            f"the README's table lists the notebooks {', '.join(listed) or '(none)'}; "
            f"there are {', '.join(minutes) or 'none'}. Give each a row, in this order"
        )
    return ROW.sub(lambda row: f"{row[1]} {minutes[row[2]]} |", table)


# --- what was measured


def reference_campaigns(place: Path) -> list[Path]:
    """The project's own campaigns, in the order in which they were measured."""
    found = [runs.parent for runs in place.glob(f"{REFERENCE}*/runs.csv")]
    if not found:
        raise CannotWrite(
            f"there are no reference campaigns: expected {place}/{REFERENCE}*/runs.csv "
            "(data/timings/README.md says how such a campaign is made and "
            "named)"
        )
    return sorted(
        found, key=lambda folder: (load_campaigns(folder)["started"].min(), folder.name)
    )


def timings(folders: Sequence[Path]) -> str:
    """Campaigns as a table, what they say, and on which machine (Markdown)."""
    try:
        found = {folder: verdict(load_campaigns(folder)) for folder in folders}
        together = verdict(load_campaigns(*folders))
    except CannotSay as problem:
        raise CannotWrite(
            f"the campaigns {', '.join(x.name for x in folders)} have nothing to "
            f"compare: {problem}"
        ) from None
    devices = {f.device for f in together.findings}
    rows, said, machines = [], [], {}
    for folder, answer in found.items():
        name = plain_name(str(answer.runs["campaign"].iloc[0]))
        rows += campaign_rows(name, answer, len(devices) > 1)
        sentences = " ".join(campaign_sentences(answer, len(devices) > 1))
        said.append(
            f"- **{name[0].upper()}{name[1:]}**, {answer.runs['epochs'].max()} "
            f"epochs{duration(folder)}. {sentences}"
        )
        machine = machine_line(folder, answer.runs)
        machines.setdefault(machine, []).append(link(folder, name))
    said += [f"- {s.words()}" for s in together.statements if type(s) is AccuracyGap]
    head = ("what", "R", "Python", "R / Python", "Python / Python", "blocks")
    table = [head, ("---", *["---:"] * (len(head) - 1)), *rows]
    lines = [f"| {' | '.join(row)} |" for row in table]
    note = (
        "R, Python: median seconds. The ratios are means over the blocks, in each of "
        "which every program ran once, with their 95 % intervals. Python / Python is "
        "the control: the same program measured against itself, which shows how small "
        "a difference the experiment can see. A difference of up to "
        f"{100 * together.margin:g} % is taken not to matter."
    )
    if "gpu" not in devices:
        note += " **CPU only:** nothing was measured on a GPU."
    sources = " ".join(
        f"{' and '.join(links)}: {machine}." for machine, links in machines.items()
    )
    source = f"Measured by `make timings`, computed by `make readme` from {sources}"
    return "\n".join([*lines, "", note, "", *said, "", source])


def duration(folder: Path) -> str:
    """How long the campaign took, if its end.json says so."""
    overhead = (read_end(folder) or {}).get("overhead", {})
    if "seconds" not in overhead:
        return ""
    return f" (all runs together: {overhead['seconds'] / 60:.0f} minutes)"


def plain_name(campaign: str) -> str:
    """As in "photographs" for reference-photographs."""
    return campaign.removeprefix(REFERENCE).replace("-", " ")


def link(folder: Path, name: str) -> str:
    """To the measurements, if they are part of the project."""
    folder = folder.resolve()
    if not folder.is_relative_to(ROOT):
        return name
    return f"[{name}]({(folder / 'runs.csv').relative_to(ROOT).as_posix()})"


def phase(found: TimeRatio, say_device: bool) -> str:
    """As in "whole process, CPU" or "whole process"."""
    return found.phase if say_device else found.phase.partition(",")[0]


def campaign_rows(
    name: str, found: Verdict, say_device: bool
) -> Iterable[tuple[str, ...]]:
    """One row for training and one for the whole process."""
    controls = {
        (f.device, f.column): ratio(f.interval)
        for f in found.findings
        if isinstance(f, Control)
    }
    for f in found.findings:
        if f.arm == "r":
            yield (
                f"{name}: {phase(f, say_device)}",
                seconds(found.runs, "r", f.device, f.column),
                seconds(found.runs, "python", f.device, f.column),
                ratio(f.interval),
                controls.get((f.device, f.column), NOT_MEASURED),
                str(f.blocks),
            )


def seconds(runs: pd.DataFrame, arm: str, device: str, column: str) -> str:
    """The median of the completed runs of a column.

    The column "rest" is what of the process is not training.
    """
    rows = measured(runs, device)
    rows = rows[(rows["arm"] == arm) & (rows["state"] == "ok")]
    if column == "rest":
        values = rows["process_seconds"] - rows["fit_seconds"]
    else:
        values = rows[column]
    return f"{values.median():.1f}"


def ratio(interval: Interval) -> str:
    return f"{interval.estimate:.3f} ({interval.low:.3f} to {interval.high:.3f})"


def campaign_sentences(found: Verdict, say_device: bool) -> Iterable[str]:
    """Warnings, then what R's ratios mean, without the numbers of the table."""
    yield from (s.words() for s in found.statements if s.warning)
    for f in found.findings:
        if f.arm != "r":
            continue
        what = phase(f, say_device)
        yield f"{what[0].upper()}{what[1:]}. {f.meaning()}"
        if f.column == "process_seconds":
            r, python = (
                seconds(found.runs, arm, f.device, "rest") for arm in ("r", "python")
            )
            yield (
                f"What comes before and after training took {r} s in R, {python} s in "
                "Python."
            )


def machine_line(folder: Path, runs: pd.DataFrame) -> str:
    """On what a campaign was measured, and when."""
    day = runs["started"].min()
    return ", ".join([*machine_lines(read_machine(folder)), f"{day.day} {day:%B %Y}"])


# --- the program


def renewed(text: str) -> str:
    """The README's text with both regions updated.

    Raises `CannotWrite`, `WrongRuns` or `NoTimings`, each with a sentence.
    """
    minutes = minutes_of(NOTEBOOKS)
    text = put(text, "reading order", lambda table: reading_order(table, minutes))
    return put(text, "timings", lambda _: timings(reference_campaigns(TIMINGS)))


def main() -> int:
    try:
        before = README.read_text(encoding="utf-8")
        after = renewed(before)
    except (CannotWrite, WrongRuns, NoTimings, OSError) as problem:
        print(f"The README stays as it was: {problem}.", file=sys.stderr)
        return 1
    if after != before:
        README.write_text(after, encoding="utf-8")
    state = "updated" if after != before else "unchanged"
    print(f"{README.name}: timings and minutes {state}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
