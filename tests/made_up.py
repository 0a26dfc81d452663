"""Made-up campaigns, as `load_campaigns()` returns them, with known true values."""

import json
import tempfile
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sidebyside.timing import WrongRuns, load_campaigns
from sidebyside.timing import format as layout
from sidebyside.timing.format import ARMS, COMPLETE, EPOCH_COLUMNS
from sidebyside.timing.sharing import pack


def made_up_campaign(
    ratio=1.0,
    again=1.0,
    sd=0.01,
    blocks=10,
    seed=1,
    arms=ARMS,
    device="cpu",
    campaign="made-up",
    machine="machine-1",
    start_r=1.5,
    accuracy_gap=0.0,
    accuracy_sd=0.0,
    epochs=4,
    fit=20.0,
):
    """One campaign with a warm-up block, as a data frame.

    Estimates from it are the true values, whatever the seed, because the scatter
    of each arm has mean 0.

    `ratio` is R's true fit time over Python's, `again` that of the second
    Python arm, `sd` the scatter of the log time of a run around its block,
    `start_r` how many seconds the process of R needs beyond Python's.
    `accuracy_gap` is R's true test accuracy minus Python's; with
    `accuracy_sd` 0 and no gap, the same seed gives the same accuracy.
    """
    # Copies of a campaign have the same times of start, whatever their names.
    options = (ratio, again, sd, seed, device, machine, start_r, epochs, fit)
    moment = zlib.crc32(repr(options).encode()) % 10**9
    rng = np.random.default_rng(seed)
    true = {"python": 1.0, "r": ratio, "python-again": again, "rpy2": ratio}
    scatter = _centred(rng, sd, blocks, len(arms))
    accuracy_scatter = _centred(rng, accuracy_sd, blocks, len(arms))
    rows = []
    for block in range(blocks + 1):
        level = fit * np.exp(rng.normal(0, 0.03)) * (1.2 if block == 0 else 1)
        learned = 0.9 + rng.normal(0, 0.01)
        for position, arm in enumerate(rng.permutation(list(arms)), 1):
            column = list(arms).index(arm)
            seconds = level * true[arm] * np.exp(scatter[block, column])
            share = np.r_[1.3, np.ones(epochs - 1)]
            clocks = seconds * 0.99 * share / share.sum()
            is_r = arm in ("r", "rpy2")
            last = learned + accuracy_scatter[block, column]
            last += is_r * accuracy_gap
            climb = 0.5 ** np.arange(epochs)
            curve = tuple(last - 0.3 * (climb - climb[-1]))
            rest = 0.5 + abs(rng.normal(0.1, 0.02))
            start = 0.5 + is_r * start_r
            rows.append(
                {
                    "campaign": campaign,
                    "run": len(rows) + 1,
                    "block": block,
                    "position": position,
                    "arm": arm,
                    "device": device,
                    "seed": 42 + block,
                    "epochs": epochs,
                    "state": "ok",
                    "exit_code": 0,
                    "started": f"2026-11-22T06:{len(rows) % 60:02d}:00.{moment:09}Z",
                    "process_seconds": start + 3.2 + seconds + rest,
                    "start_seconds": start * np.exp(rng.normal(0, 0.02)),
                    "import_seconds": 2.5 * np.exp(rng.normal(0, 0.02)),
                    "data_seconds": 0.5 * np.exp(rng.normal(0, 0.02)),
                    "build_seconds": 0.2 * np.exp(rng.normal(0, 0.02)),
                    "fit_seconds": seconds,
                    "epoch_seconds": tuple(clocks),
                    "loss": tuple(1 - np.array(curve)),
                    "accuracy": curve,
                    "val_loss": tuple(1 - np.array(curve)),
                    "val_accuracy": curve,
                    "cpu_seconds": 1.8 * seconds,
                    "peak_memory_mb": (900 if is_r else 700) * (1 + rest / 1000),
                    "load_before": 0.1,
                    "message": "",
                    "work": f"{epochs} epochs",
                    "machine": machine,
                    "planned": blocks,
                    "ended": "planned",
                }
            )
    return pd.DataFrame(rows)


def _centred(rng, sd, blocks, arms):
    """Return normal numbers, a row per block, with mean 0 after the warm-up block."""
    drawn = rng.normal(0, sd, (blocks + 1, arms))
    drawn[1:] -= drawn[1:].mean(0)
    return drawn


def with_state(runs, arm, blocks, state):
    """Return the same campaign, but these runs ended with another state.

    Runs that ended properly, also "wrong-loss", have all their times.
    """
    runs = runs.copy()
    hit = (runs["arm"] == arm) & runs["block"].isin(blocks)
    runs.loc[hit, "state"] = state
    if state not in COMPLETE:
        runs.loc[hit, ["fit_seconds", "process_seconds"]] = np.nan
    return runs


def campaign_files(runs, machine="machine-1", **told):
    """Return the files of a campaign, as the timing experiment writes them.

    A campaign has one device. `runs` comes from `made_up_campaign()`. `told` is added
    to `machine.json`.
    """
    first = runs.iloc[0]
    order = [
        {
            "block": int(block),
            "seed": int(part["seed"].iloc[0]),
            "arms": part.sort_values("position")["arm"].tolist(),
        }
        for block, part in runs.groupby("block")
    ]
    plan = {
        "schema": 1,
        "campaign": first["campaign"],
        "design": "made up",
        "device": first["device"],
        "arms": sorted(set(runs["arm"])),
        "epochs": int(first["epochs"]),
        "blocks": len(order) - 1,
        "order": order,
    }
    table = runs[[x for x in layout.COLUMNS if x in runs]].copy()
    for name in EPOCH_COLUMNS:
        table[name] = [";".join(map(repr, map(float, v))) for v in table[name]]
    described = {"id": machine, "cpu": {"name": "Made up"}, **told}
    return {
        layout.PLAN: json.dumps(plan),
        layout.MACHINE: json.dumps(described),
        layout.RUNS: table.to_csv(index=False, lineterminator="\n"),
        layout.END: json.dumps({"complete": True}),
    }


def write_campaign(runs, folder, machine="machine-1", **told):
    """Write a campaign's folder, see `campaign_files()`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in campaign_files(runs, machine, **told).items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def zip_campaign(runs, file, machine="machine-1", **told):
    """Write a campaign as the zip file that a student hands in."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / runs["campaign"].iloc[0]
        pack(write_campaign(runs, folder, machine, **told), file)
    return file


def problem_of(folder):
    """Return the first problem of a campaign."""
    with pytest.raises(WrongRuns) as caught:
        load_campaigns(folder)
    return caught.value.problems[0]


COSTS = {"start": 0.8, "per_mb": 0.002, "per_epoch": 0.02, "per_batch": 2e-4}
SPREAD = {"start": 0.1, "per_mb": 0.0, "per_epoch": 0.01, "per_batch": 1e-4}
MEMORY = {"start": 250.0, "per_mb": 1.5}
"""In MB; the start scatters between networks by 20."""


def names_of(networks):
    return [f"network-{i + 1}" for i in range(networks)]


def made_up_study(
    seed=1,
    networks=7,
    blocks=12,
    machines=1,
    costs=COSTS,
    spread=SPREAD,
    between_machines=0.0,
    noise=0.03,
    outside=0.1,
    unlike=0.0,
    arms=("python", "r"),
    per_call=0.0,
):
    """A study as one table: campaigns of several networks, with known costs.

    A network has two lengths and two batch sizes, and each block has one of their four
    combinations. Beyond Python the other arms need `costs`, which differ between
    networks by `spread`, and between machines by so many times `spread`. Of two runs of
    a pair, the seconds of the epochs scatter by `noise` (a share), and those outside
    them by `outside` (seconds). The noise of a network is larger or smaller than that
    by a factor, whose logarithm scatters by `unlike`.

    Processor time has the same costs, and noise of the same share. Peak memory has
    those of `MEMORY`. With `per_call`, the first network has a callback, each call of
    which costs so much.
    """
    rng, more = (np.random.default_rng(x) for x in (seed, [seed, 1]))
    megabytes = {name: more.normal(0, 20) for name in names_of(networks)}
    names = names_of(networks)
    of_network, of_machine = (
        {x: {name: rng.normal(0, size * sd) for name, sd in spread.items()} for x in of}
        for of, size in ((names, 1), (range(machines), between_machines))
    )
    rows = []
    for machine in range(machines):
        for name in names:
            facts = np.random.default_rng(names.index(name))
            most, array_mb = int(facts.integers(60, 600)), facts.uniform(0, 300)
            epoch_seconds, short = facts.uniform(0.5, 3), int(facts.integers(1, 5))
            factor = np.exp(facts.normal(0, unlike)) / 2**0.5
            for block in range(blocks + 1):
                epochs = short * (1 + block % 2)
                batches = most // (1 + 3 * (block // 2 % 2))
                amounts = {"start": 1, "per_mb": array_mb, "per_epoch": epochs}
                amounts["per_batch"] = epochs * batches
                for position, arm in enumerate(rng.permutation(list(arms)), 1):
                    costs_here = {
                        x: (costs[x] + of_network[name][x] + of_machine[machine][x])
                        * (arm in ("r", "rpy2"))
                        * amounts[x]
                        for x in costs
                    }
                    rest = 3 + costs_here["start"] + costs_here["per_mb"]
                    rest += rng.normal(0, outside * factor)
                    training = epochs * epoch_seconds
                    training *= 1 + rng.normal(0, noise * factor)
                    training += costs_here["per_epoch"] + costs_here["per_batch"]
                    if arm in ("r", "rpy2") and name == names[0]:
                        training += per_call * epochs * (batches + 1)
                    cpu = (3 + epochs * epoch_seconds) * 1.8
                    cpu *= 1 + more.normal(0, noise * factor)
                    memory = 700 + array_mb + more.normal(0, 5)
                    if arm in ("r", "rpy2"):
                        memory += MEMORY["start"] + MEMORY["per_mb"] * array_mb
                        memory += megabytes[name]
                    rows.append(
                        {
                            "campaign": f"study-{machine}-{name}",
                            "block": block,
                            "position": position,
                            "arm": arm,
                            "device": "cpu",
                            "seed": block,
                            "epochs": epochs,
                            "state": "ok",
                            "started": f"run {len(rows)}",
                            "process_seconds": rest + training,
                            "fit_seconds": training + 0.01,
                            "cpu_seconds": cpu + sum(costs_here.values()),
                            "peak_memory_mb": memory,
                            "epoch_seconds": (training / epochs,) * epochs,
                            "val_accuracy": (),
                            "network": "callback"
                            if per_call and name == names[0]
                            else name,
                            "backend": "tensorflow",
                            "batch_size": 60_000 // batches,
                            "batches": batches,
                            # Python's numbers may have 4 bytes, R's have 8.
                            "array_mb": array_mb / (1 if arm in ("r", "rpy2") else 2),
                            "work": name,
                            "machine": f"machine-{machine + 1}",
                        }
                    )
    return pd.DataFrame(rows)
