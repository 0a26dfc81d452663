"""Write what is computed in README.md anew (part of `make readme`).

Two regions of the README, each between two HTML comments, are written here and not by hand:

    timings         what the reference campaigns (data/timings/reference-*) say: a table, the outcome in
                    words, the machine; all by sidebyside's own loader, statistics and verdict
    reading order   the last column of the table of notebooks: the minutes of each notebook's opening table

The picture is taken by tools/screenshot.py, which needs a browser and the book; this needs neither.
Nothing is written if something is missing or if nothing has changed.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from sidebyside.statistics.estimates import CannotSay, Interval, measured
from sidebyside.statistics.verdict import CONTROL, PHASES, Verdict, verdict
from sidebyside.timing import WrongRuns, load_campaigns
from sidebyside.timing.loader import REFERENCE, NoTimings

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
    """Something that the README is made from is not there, or is not as it should be."""


# ---------------------------------------------------------------------------------------------
# Regions


def put(text: str, region: str, content: Callable[[str], str]) -> str:
    """The text with one region replaced by what `content` makes of it.

    Raises `CannotWrite` if the two comments around the region are not there, once each and in order.
    """
    begin, end = BEGIN.format(region), END.format(region)
    if (
        text.count(begin) != 1
        or text.count(end) != 1
        or text.index(begin) > text.index(end)
    ):
        raise CannotWrite(
            f"the README has no region '{region}': expected the line {begin} and, below it, the line {end}, once each"
        )
    head, rest = text.split(begin)
    inside, tail = rest.split(end)
    return f"{head}{begin}\n\n{content(inside).strip()}\n\n{end}{tail}"


# ---------------------------------------------------------------------------------------------
# The table of notebooks


def minutes_of(notebooks: Path) -> dict[str, str]:
    """Name of each notebook -> its minutes on two cores, the first number that its opening table gives."""
    found = {}
    for path in sorted(notebooks.glob("[0-9][0-9]_*.ipynb")):
        opening = "".join(
            json.loads(path.read_text(encoding="utf-8"))["cells"][0]["source"]
        )
        match = MINUTES.search(opening)
        if match is None:
            raise CannotWrite(
                f"{path.name} does not say its minutes: expected '| Minutes on two cores | 2 |' or the "
                "like in its first cell"
            )
        found[path.stem] = match[1]
    return found


def reading_order(table: str, minutes: Mapping[str, str]) -> str:
    """The table of notebooks with these minutes in its last column."""
    listed = [name for _, name in ROW.findall(table)]
    if listed != list(minutes):
        raise CannotWrite(
            f"the README's table lists the notebooks {', '.join(listed) or '(none)'}; there are "
            f"{', '.join(minutes) or 'none'}. Give each its row, in this order"
        )
    return ROW.sub(lambda row: f"{row[1]} {minutes[row[2]]} |", table)


# ---------------------------------------------------------------------------------------------
# What was measured


def reference_campaigns(place: Path) -> list[Path]:
    """The campaigns that belong to the project, the one that was measured first first."""
    found = [runs.parent for runs in place.glob(f"{REFERENCE}*/runs.csv")]
    if not found:
        raise CannotWrite(
            f"there are no reference campaigns: expected {place}/{REFERENCE}*/runs.csv "
            "(`make timings` makes a campaign; data/timings/README.md says how they are named)"
        )
    return sorted(
        found, key=lambda folder: (load_campaigns(folder)["started"].min(), folder.name)
    )


def timings(folders: Sequence[Path]) -> str:
    """A table of campaigns, what they say in words, and on what they were measured (Markdown)."""
    if not folders:
        raise CannotWrite("no campaigns were named")
    try:
        found = {folder: verdict(load_campaigns(folder)) for folder in folders}
        together = verdict(load_campaigns(*folders))
    except CannotSay as problem:
        raise CannotWrite(
            f"the campaigns {', '.join(x.name for x in folders)} have nothing to compare: "
            f"{problem}"
        ) from None
    devices = {f.device for f in together.findings}
    rows, said, machines = [], [], {}
    for folder, answer in found.items():
        name = plain_name(str(answer.runs["campaign"].iloc[0]))
        rows += campaign_rows(name, answer, len(devices) > 1)
        said.append(
            f"- **{name[0].upper()}{name[1:]}**, {answer.runs['epochs'].max()} epochs{duration(folder)}. "
            + " ".join(campaign_sentences(answer, len(devices) > 1))
        )
        machines.setdefault(machine_line(folder, answer.runs), []).append(
            link(folder, name)
        )
    said += [
        f"- {sentence}"
        for sentence in together.sentences
        if sentence.startswith("Test accuracy")
    ]
    head = ("what", "R", "Python", "R / Python", "Python / Python", "blocks")
    table = [head, ("---", *["---:"] * (len(head) - 1)), *rows]
    lines = [f"| {' | '.join(row)} |" for row in table]
    note = (
        "R, Python: median seconds. The ratios are means over the blocks, in each of which every program ran once, "
        "with their 95 % intervals. Python / Python is the control: the same program measured against itself, "
        "which shows how small a difference the experiment can see. A difference of up to "
        f"{100 * together.margin:g} % is taken not to matter."
    )
    if "gpu" not in devices:
        note += " **CPU only:** on a GPU nothing was measured."
    sources = " ".join(
        f"{' and '.join(links)}: {machine}." for machine, links in machines.items()
    )
    return "\n".join(
        [
            *lines,
            "",
            note,
            "",
            *said,
            "",
            f"Measured by `make timings`, computed by `make readme` from {sources}",
        ]
    )


def duration(folder: Path) -> str:
    """How long the campaign took, where its end says so."""
    end = folder / "end.json"
    took = (
        json.loads(end.read_text(encoding="utf-8")).get("overhead", {})
        if end.is_file()
        else {}
    )
    return (
        f" (all runs together: {took['seconds'] / 60:.0f} minutes)"
        if "seconds" in took
        else ""
    )


def plain_name(campaign: str) -> str:
    """As in "photographs" for reference-photographs."""
    return campaign.removeprefix(REFERENCE).replace("-", " ")


def link(folder: Path, name: str) -> str:
    """To the measurements, where they are part of the project."""
    inside = folder.resolve().is_relative_to(ROOT)
    return (
        f"[{name}]({(folder.resolve() / 'runs.csv').relative_to(ROOT).as_posix()})"
        if inside
        else name
    )


def phase(column: str, device: str, say_device: bool) -> str:
    """As in "whole process, CPU"."""
    return PHASES[column].removeprefix("the ") + (
        f", {device.upper()}" if say_device else ""
    )


def campaign_rows(
    name: str, found: Verdict, say_device: bool
) -> Iterable[tuple[str, ...]]:
    """One row for training and one for the whole process."""
    controls = {
        (f.device, f.column): f.interval for f in found.findings if f.arm == CONTROL
    }
    for f in found.findings:
        if f.arm == "r":
            control = controls.get((f.device, f.column))
            yield (
                f"{name}: {phase(f.column, f.device, say_device)}",
                seconds(found.runs, "r", f.device, f.column),
                seconds(found.runs, "python", f.device, f.column),
                ratio(f.interval),
                NOT_MEASURED if control is None else ratio(control),
                str(f.blocks),
            )


def seconds(runs: pd.DataFrame, arm: str, device: str, column: str) -> str:
    """The median of the runs that count; `column` may be "rest", what of the process is not training."""
    rows = measured(runs, device)
    rows = rows[rows["arm"] == arm]
    values = (
        rows["process_seconds"] - rows["fit_seconds"]
        if column == "rest"
        else rows[column]
    )
    return f"{values.median():.1f}"


def ratio(interval: Interval) -> str:
    return f"{interval.estimate:.3f} ({interval.low:.3f} to {interval.high:.3f})"


def campaign_sentences(found: Verdict, say_device: bool) -> Iterable[str]:
    """The verdict's own words on each phase, without the numbers of the table; its warnings first."""
    yield from (
        sentence for sentence in found.sentences if sentence.startswith("Warning")
    )
    for f in found.findings:
        if f.arm != "r":
            continue
        # The verdict says a ratio, and in the next sentence what it means.
        start = f"For {PHASES[f.column]} on the {f.device.upper()} R takes "
        meaning = next(
            after
            for before, after in zip(found.sentences, found.sentences[1:], strict=False)
            if before.startswith(start)
        )
        if meaning.startswith("That"):
            meaning = meaning[0].lower() + meaning[1:]
        what = phase(f.column, f.device, say_device)
        yield f"{what[0].upper()}{what[1:]}: {meaning}"
        if f.column == "process_seconds":
            r, python = (
                seconds(found.runs, arm, f.device, "rest") for arm in ("r", "python")
            )
            yield f"What comes before and after training took {r} s in R, {python} s in Python."


def machine_line(folder: Path, runs: pd.DataFrame) -> str:
    """On what a campaign was measured, and when."""
    machine: dict[str, Any] = json.loads(
        (folder / "machine.json").read_text(encoding="utf-8")
    )
    cpu, arms = machine.get("cpu", {}), machine.get("arms", {})
    python, r = arms.get("python", {}), arms.get("r", {})
    gpus = [gpu.get("name", "a GPU") for gpu in machine.get("gpu", [])]
    day = runs["started"].min()
    parts = [
        cpu.get("name", "a processor without a name"),
        f"{cpu['usable']} cores" if "usable" in cpu else "",
        f"{machine['memory_gb']:.0f} GB of memory" if "memory_gb" in machine else "",
        " and ".join(gpus) or "no GPU",
        machine.get("system", {}).get("os", ""),
        f"R {r['r']} with reticulate {r['reticulate']} and {dialect(r)}"
        if "r" in r
        else "",
        *(
            f"{name} {python[key]}"
            for name, key in (
                ("Python", "python"),
                ("TensorFlow", "tensorflow"),
                ("Keras", "keras"),
            )
            if key in python
        ),
        f"{day.day} {day:%B %Y}",
    ]
    return ", ".join(part for part in parts if part)


def dialect(r: Mapping[str, Any]) -> str:
    return (
        f"keras3 {r['keras3']}"
        if r.get("dialect") == "keras3"
        else "the companion's dialect"
    )


# ---------------------------------------------------------------------------------------------


def renewed(text: str, campaigns: Path = TIMINGS, notebooks: Path = NOTEBOOKS) -> str:
    """The README's text with both regions as they are made now.

    Raises `CannotWrite`, `WrongRuns` or `NoTimings`, each with a sentence.
    """
    minutes = minutes_of(notebooks)
    text = put(text, "reading order", lambda table: reading_order(table, minutes))
    return put(text, "timings", lambda _: timings(reference_campaigns(campaigns)))


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Write what is computed in README.md anew: timings and minutes."
    )
    parser.add_argument(
        "--readme", type=Path, default=README, help="another file with the same regions"
    )
    parser.add_argument(
        "--campaigns",
        type=Path,
        default=TIMINGS,
        help=f"a folder with {REFERENCE}* in it",
    )
    chosen = parser.parse_args()
    try:
        before = chosen.readme.read_text(encoding="utf-8")
        after = renewed(before, chosen.campaigns)
    except (CannotWrite, WrongRuns, NoTimings, OSError) as problem:
        print(f"The README stays as it was: {problem}.", file=sys.stderr)
        return 1
    if after != before:
        chosen.readme.write_text(after, encoding="utf-8")
    print(
        f"{chosen.readme.name}: timings and minutes {'written anew' if after != before else 'are as they were'}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
