"""Campaigns in words: what `status` and `show` print."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..common.errors import printable
from .format import (
    RUNS,
    STAGE_COLUMNS,
    WrongRuns,
    read_end,
    read_machine,
    read_plan,
    read_rows,
)
from .loader import campaign_folders
from .locks import holder
from .progress import duration
from .ratio import paired_ratio

CLOCKS = ("process_seconds", *STAGE_COLUMNS)


def status_text(place: Path) -> str:
    """Which campaigns a folder has, and how far each is."""
    folders = sorted(x.parent for x in place.glob(f"*/{RUNS}"))
    lines = []
    now = holder()
    if now is not None:
        who = f": {now['campaign']}, process {now['pid']}" if now else ""
        lines.append(f"A campaign is under way on this machine{who}.")
    for folder in folders:
        try:
            plan = read_plan(folder)
            rows = read_rows(folder)
            end = read_end(folder) or {}
        except WrongRuns as problem:
            lines.append(
                printable(f"{folder.name}: damaged: {problem.problems[0]}", 500)
            )
            continue
        done = [x for x in rows if x["state"] != "interrupted"]
        planned = len(plan.places())
        if end.get("complete"):
            state = f"finished: {end.get('reason', 'nothing is said why')}"
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
    plan = read_plan(folder)
    rows = read_rows(folder)
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
        f"{': ' + printable(x['message'], 500) if x['message'] else ''}"
        for x in bad
    ]


def _end_lines(folder: Path) -> list[str]:
    end = read_end(folder)
    if not end or not end["complete"]:
        return ["Not finished."]
    line = f"Ended: {end.get('reason', 'nothing is said why')}"
    if overhead := end.get("overhead"):
        line += (
            f"; {duration(overhead['seconds'])}, of which the experiment itself "
            f"took {overhead['share']:.2%}"
        )
    return [f"{line}.", *(f"Meanwhile {x}." for x in end.get("disturbed", []))]


def describe_machines(*folders: str | Path) -> str:
    """What each campaign was measured on, in a few lines.

    Parameters
    ----------
    folders
        As for `load_campaigns()`.
    """
    lines = []
    for folder in campaign_folders(*folders):
        machine = read_machine(folder)
        said = [*machine_lines(machine), *filter(None, [machine.get("data")])]
        said += [f"busy: {x}" for x in machine.get("busy", [])]
        lines += [printable(f"{folder.name}:")]
        lines += ["  " + printable(x, 500) for x in said]
    return "\n".join(lines)


def machine_lines(machine: Mapping[str, Any]) -> list[str]:
    """What `machine.json` says in words; any of it may be missing."""
    unknown = "unknown"
    cpu, system = machine.get("cpu", {}), machine.get("system", {})
    arms = list(machine.get("arms", {}).values())
    r = next((x for x in arms if x.get("r")), {})
    python = arms[0] if arms else {}
    gpus = [str(x.get("name", "a GPU")) for x in machine.get("gpu", [])]
    memory = machine.get("memory_gb")
    memory = unknown if memory is None else f"{memory:.0f}"
    lines = [
        f"{cpu.get('name', unknown)}, {cpu.get('usable', unknown)} cores, "
        f"{memory} GB, GPU: {', '.join(gpus) or 'none'}",
        f"{system.get('os', unknown)}, Python {python.get('python', unknown)}, "
        f"TensorFlow {python.get('tensorflow', unknown)}, "
        f"Keras {python.get('keras', unknown)}",
    ]
    if r:
        dialect = "the companion's dialect"
        if r.get("dialect") == "keras3":
            dialect = f"keras3 {r.get('keras3', unknown)}"
        reticulate = r.get("reticulate", unknown)
        lines.append(f"R {r['r']}, reticulate {reticulate}, {dialect}")
    return lines
