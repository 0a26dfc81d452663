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
from . import reading
from .loader import (
    UNFINISHED,
    NoTimings,
    as_path,
    campaign_at,
    campaign_folders,
    parts_of,
    read_campaign,
    timings_directory,
)
from .locks import holder
from .progress import Progress, duration
from .ratio import paired_ratio

CLOCKS = ("process_seconds", *layout.STAGE_COLUMNS)


def status_text(given: str | Path | None = None) -> str:
    """List a folder's campaigns and their progress; by default the reader's folder."""
    place = timings_directory() if given is None else as_path(given)
    if not place.is_dir() and (given is not None or place.exists()):
        what = "a file" if place.exists() else "not there"
        raise NoTimings(f"{place} is {what}, expected the folder of your campaigns.")
    folders = sorted(x.parent for name in layout.MAIN for x in place.glob(f"*/{name}"))
    lines = []
    now = holder()
    if now is not None:
        who = f": {now['campaign']}, process {now['pid']}" if now else ""
        lines.append(printable(f"A campaign is running on this machine{who}."))
    for folder in folders:
        try:
            lines.append(f"{printable(folder.name)}: {_state_text(folder)}")
        except layout.WrongRuns as problem:
            damaged = f"{folder.name}: damaged: {problem.problems[0]}"
            lines.append(printable(damaged, 500))
    return "\n".join(lines or [f"There is no campaign in {printable(place)}."])


def _state_text(folder: Path) -> str:
    """Say what a campaign or a study measures, and what is missing."""
    what, parts = "", [folder]
    if reading.is_study(folder):
        study, places = reading.read_study(folder)
        what, parts = f"study of {', '.join(study.networks)}; ", places.values()
    states = []
    for x in parts:
        plan, runs = reading.read_plan(x), read_campaign(x)
        state = missing_text(plan, runs)
        states.append((not state, len(runs), plan, state, x))
    # Of a study, the network with the fewest runs shows which blocks are complete.
    *_, plan, state, last = min(states, key=lambda x: x[:2])
    state = state or f"finished: {_reason(reading.read_end(last))}"
    backend = "" if plan.backend == layout.BACKENDS[0] else f", {plan.backend}"
    epochs = " or ".join(map(str, plan.used("epochs")))
    what += f"{plan.device}{backend}, {', '.join(plan.arms)}"
    return f"{what}{'' if len(states) > 1 else f', {epochs} epochs'}; {state}"


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


def runs_text(folder: Path) -> str:
    """Say how many runs of a campaign or study are done, and the time to go."""
    try:
        parts = [(reading.read_plan(x), reading.read_rows(x)) for x in parts_of(folder)]
    except layout.WrongRuns as problem:
        return str(problem.problems[0])
    shown = Progress()
    spent = sum(x["process_seconds"] or 0.0 for _, rows in parts for x in rows)
    shown.begin(parts, spent)
    planned = sum(len(plan.places()) for plan, _ in parts)
    most = "at most " if shown.plan.precision else ""
    told = [f"{len(shown.counted())} of {most}{planned} runs", shown.to_go_text()]
    return ", ".join(filter(None, told))


def show_text(given: str | Path) -> str:
    """Describe one campaign: its times by arm, ratios, and failures."""
    folder = campaign_at(given)
    plan = reading.read_plan(folder)
    rows = reading.read_rows(folder)
    measured = [x for x in rows if x["state"] == "ok" and x["block"] > 0]
    arms = pd.DataFrame(measured, columns=["arm", *CLOCKS]).set_index("arm")
    # Show geometric means, because the ratios below are quotients of these.
    logs = np.log(arms.astype(float).where(arms > 0)).groupby("arm")
    shown = np.exp(logs.mean()).reindex(list(plan.arms))
    shown.insert(0, "runs", logs.size().reindex(shown.index, fill_value=0))
    shown = shown.rename_axis(None).rename(columns=lambda x: x.removesuffix("_seconds"))
    epochs = " or ".join(map(str, plan.used("epochs")))
    backend = "" if plan.backend == layout.BACKENDS[0] else f", {plan.backend}"
    lines = [
        f"{plan.campaign}: {plan.device}{backend}, {epochs} epochs, "
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
    lines += _end_lines(reading.read_end(folder))
    return "\n".join(lines).rstrip()


def show_study_text(folder: Path) -> str:
    """Describe a study: the ratios of each network, and failures."""
    study, places = reading.read_study(folder)
    found, wrong = [], []
    for network, place in places.items():
        plan, rows = reading.read_plan(place), reading.read_rows(place)
        line = {"": network}
        for column in ("fit_seconds", "process_seconds"):
            ratio = plan.pair() and paired_ratio(rows, plan.pair(), column)
            line["blocks"] = ratio.blocks if ratio else 0
            line[column.removesuffix("_seconds")] = str(ratio or "-")
        for name in ("epochs", "batch_size"):
            line[name.replace("_", " ")] = " or ".join(map(str, plan.used(name)))
        found.append(line)
        if any(x["state"] != "ok" for x in rows):
            wrong += [f"{network}: {_went_wrong(rows)[0]}", *_went_wrong(rows)[1:]]
    pair = plan.pair()
    what = f"{pair[0]} over {pair[1]}, with 95 % intervals" if pair else "one arm"
    table = pd.DataFrame(found).to_string(index=False)
    lines = [
        f"{printable(study.study)}: {_state_text(folder)}",
        *("", f"{what}; warm-up left out", "", table, ""),
        *(wrong or ["All runs are ok."]),
        f"For one network: `python -m sidebyside.timing show {place}`",
    ]
    return "\n".join(lines)


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
        machine = reading.read_machine(folder)
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
    backend = str(python.get("backend", layout.BACKENDS[0]))
    name = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}.get(backend)
    gpus = [str(x.get("name", "a GPU")) for x in machine.get("gpu", [])]
    memory = machine.get("memory_gb")
    memory = "unknown" if memory is None else f"{memory:.0f}"
    lines = [
        f"{cpu['name']}, {cpu['usable']} cores, {memory} GB, "
        f"GPU: {', '.join(gpus) or 'none'}",
        f"{system['os']}, Python {python['python']}, {name or backend} "
        f"{python[backend]}, Keras {python['keras']}",
    ]
    if r is not None:
        keras3 = r["dialect"] == "keras3"
        dialect = f"keras3 {r['keras3']}" if keras3 else "the companion's dialect"
        lines.append(f"R {r['r']}, reticulate {r['reticulate']}, {dialect}")
    return lines
