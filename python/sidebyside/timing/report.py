"""Campaigns in words: what `status` and `show` print."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import archives, format, records, schema
from .loader import campaign_folders
from .locks import holder
from .progress import duration
from .ratio import paired_ratio

CLOCKS = ("process_seconds", *schema.STAGE_COLUMNS)


def status_text(place: Path) -> str:
    """Which campaigns lie in a folder, and how far each is."""
    folders = sorted(x.parent for x in place.glob(f"*/{schema.RUNS}"))
    lines = []
    now = holder()
    if now is not None:
        who = f": {now['campaign']}, process {now['pid']}" if now else ""
        lines.append(f"A campaign is under way on this machine{who}.")
    for folder in folders:
        try:
            plan = format.read_plan(folder)
            rows = records.read_rows(folder)
        except schema.WrongRuns as problem:
            lines.append(f"{folder.name}: damaged: {problem.problems[0]}")
            continue
        done = [x for x in rows if x["state"] != "interrupted"]
        planned = len(plan.places())
        end = _end(folder)
        if end.get("complete"):
            state = f"finished: {end['reason']}"
        elif plan.precision is not None:
            state = f"not finished, {len(done)} runs so far"
        else:
            state = f"not finished, {len(done)} of {planned} runs"
        lines.append(
            f"{folder.name}: {plan.device}, {', '.join(plan.arms)}, "
            f"{plan.epochs} epochs; {state}"
        )
    return "\n".join(lines or [f"There is no campaign in {place}."])


def show_text(folder: Path) -> str:
    """One campaign: clocks by arm, ratios, and whatever went wrong."""
    plan = format.read_plan(folder)
    rows = records.read_rows(folder)
    measured = [x for x in rows if x["state"] == "ok" and x["block"] > 0]
    lines = [
        f"{plan.campaign}: {plan.device}, {plan.epochs} epochs, "
        f"{plan.notebook}; medians in seconds, warm-up left out",
        "",
        _row("arm", ["runs", *(x.removesuffix("_seconds") for x in CLOCKS)]),
    ]
    for arm in plan.arms:
        own = [x for x in measured if x["arm"] == arm]
        values = [
            f"{statistics.median(x[name] for x in own):.3f}" if own else "-"
            for name in CLOCKS
        ]
        lines.append(_row(arm, [str(len(own)), *values]))
    lines.append("")
    for pair in dict.fromkeys([plan.pair(), ("python-again", "python")]):
        if pair is None or not set(pair) <= set(plan.arms):
            continue
        for column in ("fit_seconds", "process_seconds"):
            if ratio := paired_ratio(rows, pair, column):
                what = column.removesuffix("_seconds")
                lines.append(
                    f"{pair[0]} over {pair[1]}, {what}: {ratio} "
                    f"({ratio.blocks} blocks, 95 % interval)"
                )
    lines += ["", *_went_wrong(rows), *_end_lines(folder)]
    return "\n".join(lines).rstrip()


def _row(first: str, cells: list[str]) -> str:
    return f"{first:<14}" + "".join(f"{cell:>9}" for cell in cells)


def _went_wrong(rows: list[dict[str, Any]]) -> list[str]:
    bad = [x for x in rows if x["state"] != "ok"]
    counts = Counter(x["state"] for x in bad)
    if not bad:
        return [f"All {len(rows)} runs are ok."]
    told = ", ".join(f"{n} {state}" for state, n in counts.items())
    return [f"Of {len(rows)} runs: {told}."] + [
        f"  run {x['run']}, {x['arm']}, block {x['block']}: {x['state']}"
        f"{': ' + x['message'] if x['message'] else ''}"
        for x in bad
    ]


def _end_lines(folder: Path) -> list[str]:
    end = _end(folder)
    if not end:
        return ["Not finished."]
    overhead = end["overhead"]
    return [
        f"Ended: {end['reason']}; {duration(overhead['seconds'])}, of which "
        f"the experiment itself took {overhead['share']:.2%}.",
        *(f"Meanwhile {finding}." for finding in end["disturbed"]),
    ]


def _end(folder: Path) -> dict[str, Any]:
    try:
        return json.loads(archives.read_bytes(folder / schema.END))
    except FileNotFoundError:
        return {}


def describe_machines(*folders: str | Path) -> str:
    """What each campaign was measured on, in a few lines.

    Parameters
    ----------
    folders
        As for `load_campaigns()`.
    """
    lines = []
    for folder in campaign_folders(*folders):
        machine = json.loads(archives.read_bytes(folder / schema.MACHINE))
        said = machine_lines(machine)
        said += [text for text in [machine.get("data")] if text]
        said += [f"busy: {text}" for text in _list(machine, "busy")]
        lines += [f"{folder.name}:", *(f"  {text}" for text in said)]
    return "\n".join(lines)


def machine_lines(machine: Mapping[str, Any]) -> list[str]:
    """What was measured on; a file from elsewhere may lack this or that."""
    cpu, system = _part(machine, "cpu"), _part(machine, "system")
    arms = [x for x in _part(machine, "arms").values() if isinstance(x, dict)]
    r = next((x for x in arms if x.get("r")), {})
    python = arms[0] if arms else {}
    gpus = [
        str(x.get("name", "a GPU"))
        for x in _list(machine, "gpu")
        if isinstance(x, dict)
    ]
    unknown = "unknown"
    memory = machine.get("memory_gb")
    memory = f"{memory:.0f}" if isinstance(memory, int | float) else unknown
    lines = [
        f"{cpu.get('name', unknown)}, {cpu.get('usable', unknown)} cores, "
        f"{memory} GB, GPU: {', '.join(gpus) or 'none'}",
        f"{system.get('os', unknown)}, "
        f"Python {python.get('python', unknown)}, "
        f"TensorFlow {python.get('tensorflow', unknown)}, "
        f"Keras {python.get('keras', unknown)}",
    ]
    if r:
        dialect = (
            f"keras3 {r.get('keras3', unknown)}"
            if r.get("dialect") == "keras3"
            else "the companion's dialect"
        )
        reticulate = r.get("reticulate", unknown)
        lines.append(f"R {r['r']}, reticulate {reticulate}, {dialect}")
    return lines


def _part(machine: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = machine.get(name)
    return found if isinstance(found, dict) else {}


def _list(machine: Mapping[str, Any], name: str) -> list[Any]:
    found = machine.get(name)
    return found if isinstance(found, list) else []
