"""Describe campaigns in words, for the commands `status` and `show`."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..common.errors import printable
from . import format as layout
from .loader import (
    UNFINISHED,
    NoTimings,
    as_path,
    campaign_at,
    campaign_folders,
    read_campaign,
    timings_directory,
)
from .locks import holder
from .progress import duration
from .ratio import paired_ratio

CLOCKS = ("process_seconds", *layout.STAGE_COLUMNS)


def status_text(given: str | Path | None = None) -> str:
    """List a folder's campaigns and their progress; by default the reader's folder."""
    place = timings_directory() if given is None else as_path(given)
    if not place.is_dir() and (given is not None or place.exists()):
        what = "a file" if place.exists() else "not there"
        raise NoTimings(f"{place} is {what}, expected the folder of your campaigns.")
    folders = sorted(x.parent for x in place.glob(f"*/{layout.RUNS}"))
    lines = []
    now = holder()
    if now is not None:
        who = f": {now['campaign']}, process {now['pid']}" if now else ""
        lines.append(printable(f"A campaign is running on this machine{who}."))
    for folder in folders:
        try:
            plan = layout.read_plan(folder)
            missing = missing_text(plan, read_campaign(folder))
            state = missing or f"finished: {_reason(layout.read_end(folder))}"
        except layout.WrongRuns as problem:
            damaged = f"{folder.name}: damaged: {problem.problems[0]}"
            lines.append(printable(damaged, 500))
            continue
        lines.append(
            f"{printable(folder.name)}: {plan.device}, {', '.join(plan.arms)}, "
            f"{plan.epochs} epochs; {state}"
        )
    return "\n".join(lines or [f"There is no campaign in {printable(place)}."])


def missing_text(plan: layout.Plan, runs: pd.DataFrame) -> str:
    """Return a text such as "unfinished: 4 of 10 blocks"; "" if nothing is missing.

    `runs` is the result of `read_campaign()`.
    """
    ended = runs.attrs["ended"]
    if ended not in UNFINISHED:
        return ""
    counted = runs[(runs["state"] != "interrupted") & (runs["block"] > 0)]
    done = (counted.groupby("block").size() == len(plan.arms)).sum()
    most = "at most " if plan.precision else ""
    what = "the last line is " if ended == "cut off" else ""
    return f"{what}{ended}: {done} of {most}{plan.blocks} blocks"


def show_text(given: str | Path) -> str:
    """Describe one campaign: its times by arm, ratios, and failures."""
    folder = campaign_at(given)
    plan = layout.read_plan(folder)
    rows = layout.read_rows(folder)
    measured = [x for x in rows if x["state"] == "ok" and x["block"] > 0]
    arms = pd.DataFrame(measured, columns=["arm", *CLOCKS]).set_index("arm")
    # Show geometric means, because the ratios below are quotients of these.
    logs = np.log(arms.astype(float).where(arms > 0)).groupby("arm")
    shown = np.exp(logs.mean()).reindex(list(plan.arms))
    shown.insert(0, "runs", logs.size().reindex(shown.index, fill_value=0))
    shown = shown.rename_axis(None).rename(columns=lambda x: x.removesuffix("_seconds"))
    lines = [
        f"{plan.campaign}: {plan.device}, {plan.epochs} epochs, "
        f"{printable(plan.notebook)}; geometric means in seconds, "
        "warm-up left out",
        "",
        shown.to_string(float_format="{:.3f}".format, na_rep="-", col_space=9),
        "",
    ]
    pairs = dict.fromkeys([plan.pair(), ("python-again", "python")])
    for pair in filter(None, pairs):
        for column in ("fit_seconds", "process_seconds"):
            ratio = paired_ratio(rows, pair, column)
            told = f"{ratio} ({ratio.blocks} blocks, 95 % interval)" if ratio else ""
            if not ratio and set(pair) <= set(plan.arms):
                told = "no block has an ok run of both"
            elif ratio and ratio.blocks == 1:
                told = f"{ratio} (1 block, so no interval)"
            if told:
                what = column.removesuffix("_seconds")
                lines.append(f"{pair[0]} over {pair[1]}, {what}: {told}")
    missing = missing_text(plan, read_campaign(folder))
    lines += ["", *_went_wrong(rows), *([f"{missing}."] if missing else [])]
    lines += _end_lines(layout.read_end(folder))
    return "\n".join(lines).rstrip()


def _went_wrong(rows: list[dict[str, Any]]) -> list[str]:
    bad = [x for x in rows if x["state"] != "ok"]
    if not bad:
        return [f"All {len(rows)} runs are ok."]
    counts = Counter(x["state"] for x in bad)
    told = ", ".join(f"{n} {state}" for state, n in counts.items())
    lines = [f"Of {len(rows)} runs: {told}."]
    for x in bad:
        line = f"  run {x['run']}, {x['arm']}, block {x['block']}: {x['state']}"
        message = f": {printable(x['message'], 500)}" if x["message"] else ""
        lines.append(line + message)
    return lines


def _reason(end: Mapping[str, Any]) -> str:
    return printable(end.get("reason", "no reason was recorded"), 500)


def _end_lines(end: Mapping[str, Any] | None) -> list[str]:
    if not end or not end["complete"]:
        return []
    line = f"Ended: {_reason(end)}"
    if overhead := end.get("overhead"):
        line += (
            f"; {duration(overhead['seconds'])}, of which the experiment itself "
            f"took {overhead['share']:.2%}"
        )
    return [
        f"{line}.",
        *(f"During the campaign {printable(x)}." for x in end.get("disturbed", [])),
    ]


def describe_machines(*folders: str | Path) -> str:
    """Describe in a few lines on which machine each campaign was measured.

    Parameters
    ----------
    folders
        As for `load_campaigns()`.
    """
    lines = []
    for folder in campaign_folders(*folders):
        machine = layout.read_machine(folder)
        said = [*machine_lines(machine), machine.get("data", "")]
        said += [f"busy: {x}" for x in machine.get("busy", [])]
        lines.append(printable(f"{folder.name}:"))
        lines += [f"  {printable(x, 500)}" for x in said if x]
    return "\n".join(lines)


def machine_lines(machine: Mapping[str, Any]) -> list[str]:
    """Describe `machine.json` in words; any part of it may be missing."""

    def known(part: Mapping[str, Any]) -> Mapping[str, Any]:
        return defaultdict(lambda: "unknown", part)

    cpu, system = known(machine.get("cpu", {})), known(machine.get("system", {}))
    arms = [known(x) for x in machine.get("arms", {}).values()] or [known({})]
    python, r = arms[0], next((x for x in arms if x.get("r")), None)
    gpus = [str(x.get("name", "a GPU")) for x in machine.get("gpu", [])]
    memory = machine.get("memory_gb")
    memory = "unknown" if memory is None else f"{memory:.0f}"
    lines = [
        f"{cpu['name']}, {cpu['usable']} cores, {memory} GB, "
        f"GPU: {', '.join(gpus) or 'none'}",
        f"{system['os']}, Python {python['python']}, TensorFlow "
        f"{python['tensorflow']}, Keras {python['keras']}",
    ]
    if r is not None:
        keras3 = r["dialect"] == "keras3"
        dialect = f"keras3 {r['keras3']}" if keras3 else "the companion's dialect"
        lines.append(f"R {r['r']}, reticulate {r['reticulate']}, {dialect}")
    return lines
