"""Measure speed and memory against the project's limits (`make bench`).

Prints a table and writes build/bench.json, a list of {name, value, unit, limit,
holds, bench}. With --only, the other rows of the file stay. The exit status is 1
if a limit is missed. What is compared is measured in turns and repeated, so that a
noisy machine disturbs both sides alike; medians are reported. Tests are never timed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import cpuinfo

PROJECT = Path(__file__).resolve().parents[1]
RESULT = PROJECT / "build" / "bench.json"


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    name: str
    value: float
    unit: str
    limit: float
    holds: bool
    bench: str = ""


def row(name: str, value: float, unit: str, limit: float) -> Row:
    """A measured value and the most that it may be."""
    return Row(name, round(value, 3), unit, limit, value <= limit)


def numbers(command: list[str], count: int = 1) -> list[float]:
    """Run a program whose last words are `count` numbers; show its remarks."""
    result = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=PROJECT
    )
    words = result.stdout.split()
    if result.returncode or len(words) < count:
        # Both: tools/run.py names the notebook on one and says why on the other.
        said = result.stdout[-2000:] + result.stderr[-2000:]
        raise RuntimeError(f"{command[:3]} failed:\n{said}")
    for line in result.stdout.splitlines():
        if line.startswith("each round"):
            print(f"  {line}", flush=True)
    return [float(word) for word in words[-count:]]


def python(code: str, *arguments: object) -> list[str]:
    """The command that runs this code."""
    return [sys.executable, "-c", code, *map(str, arguments)]


def rscript(code: str) -> list[str]:
    return ["Rscript", "-e", code]


def seconds(name: str, command: list[str], rounds: int, limit: float) -> list[Row]:
    """Median of the seconds that a program prints."""
    taken = [numbers(command)[0] for _ in range(rounds)]
    return [row(name, statistics.median(taken), "s", limit)]


def beyond(
    name: str, base: list[str], whole: list[str], rounds: int, limit: float
) -> list[Row]:
    """Median of what `whole` takes beyond `base`; which goes first changes."""
    differences = []
    for number in range(rounds):
        taken = {}
        for which in (base, whole) if number % 2 else (whole, base):
            taken[which is whole] = numbers(which)[0]
        differences.append(taken[True] - taken[False])
    return [row(name, statistics.median(differences), "s", limit)]


IMPORT_KERAS = """
import time
start = time.perf_counter()
import os
os.environ["KERAS_BACKEND"] = "tensorflow"
import keras
print(time.perf_counter() - start)
"""

# The shell is there before a notebook's first cell runs.
LOAD_EXTENSION = """
import time
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
start = time.perf_counter()
shell.run_line_magic("load_ext", "sidebyside")
print(time.perf_counter() - start)
"""

R_WITHOUT = """
start <- Sys.time()
library(reticulate)
keras <- import("keras")
cat(as.numeric(Sys.time() - start, units = "secs"), "\\n")
"""

R_WITH = """
start <- Sys.time()
library(sidebyside)
cat(as.numeric(Sys.time() - start, units = "secs"), "\\n")
"""


def bench_notebooks() -> list[Row]:
    """Time and memory of `make run`, from a run of it."""
    started = time.monotonic()
    numbers([sys.executable, "tools/run.py"], count=0)
    minutes = (time.monotonic() - started) / 60
    outcomes = json.loads((PROJECT / "build" / "run.json").read_text(encoding="utf-8"))
    peaks = {o["name"]: o["peak_bytes"] / 1e9 for o in outcomes}
    return [
        row("peak memory of the kernel of 01", peaks["01_mnist.ipynb"], "GB", 1.5),
        row("all notebooks, after set-up", minutes, "min", 8.0),
    ]


KERNEL_EXIT = """
import time
from jupyter_client.manager import start_new_kernel
manager, client = start_new_kernel(kernel_name="python3")
client.execute_interactive("%load_ext sidebyside", output_hook=lambda m: 0)
start = time.perf_counter()
client.shutdown()
code = manager.provisioner.process.wait(30)
assert code == 0, code
print(time.perf_counter() - start)
"""


SECOND_SETUP = """
import os, subprocess, time
environment = {k: v for k, v in os.environ.items() if k != "MAKEFLAGS"}
start = time.perf_counter()
subprocess.run(["make", "setup"], check=True, capture_output=True, env=environment)
print(time.perf_counter() - start)
"""

PAINT = """
import tempfile, time
from sidebyside.data.painted.painter import paint_fruits
with tempfile.TemporaryDirectory() as folder:
    start = time.perf_counter()
    paint_fruits(folder + "/painted")
    print(time.perf_counter() - start)
"""

FIND_FRUITS = """
import os, time
os.environ["FRUITS360_DIR"] = "painted"
from sidebyside import fruits_directory
start = time.perf_counter()
fruits_directory()
print(time.perf_counter() - start)
"""


LOAD_RUNS = """
import json, random, tempfile, time
from pathlib import Path
from sidebyside.timing import format, load_campaigns
ARMS = ["python", "r", "python-again", "rpy2"]
chance, rows, order = random.Random(1), [], []
for block in range(25_000):
    seed = block + 1
    arms = chance.sample(ARMS, 4)
    order.append({"block": block, "seed": seed, "arms": arms})
    shared = {
        name: tuple(chance.random() for _ in range(10))
        for name in format.EPOCH_COLUMNS
    }
    for position, arm in enumerate(arms, 1):
        rows.append(shared | {
            "campaign": "large", "run": len(rows) + 1, "block": block,
            "position": position, "arm": arm, "device": "cpu", "seed": seed,
            "epochs": 10, "state": "ok", "exit_code": 0,
            "started": "2026-11-22T09:30:00.250Z",
            "process_seconds": 20 + chance.random(),
            **dict.fromkeys(format.STAGE_COLUMNS, chance.random()),
            "cpu_seconds": 30 * chance.random(),
            "peak_memory_mb": 800 + chance.random(),
            "load_before": chance.random(),
        })
with tempfile.TemporaryDirectory() as place:
    folder = Path(place) / "large"
    folder.mkdir()
    format.write_rows(folder, rows)
    format.write_machine(folder, {"id": "m1"})
    (folder / format.PLAN).write_text(json.dumps({
        "campaign": "large", "device": "cpu", "arms": ARMS, "epochs": 10,
        "order": order,
    }))
    start = time.perf_counter()
    found = load_campaigns(folder)
    seconds = time.perf_counter() - start
assert len(found) == 100_000, len(found)
print(seconds)
"""


def bench_turns() -> list[Row]:
    """Fit of the fruit network, R over Python, epochs by turns.

    Two processes, `Rscript` and `python`, run the timed cells of notebook 03
    and train an epoch each in random order, so that the two epochs of a
    pair meet the same machine. The same with Python against itself.
    """
    from sidebyside.timing import interleave

    os.environ["FRUITS360_DIR"] = "painted"
    rows = []
    for arms in (("r", "python"), ("python-again", "python")):
        measured = interleave(arms, epochs=80)
        assert measured.losses[0] == measured.losses[1], arms
        ratio = measured.ratio()
        print(f"  {arms[0]} over {arms[1]}: {ratio}", flush=True)
        name = f"fit, {arms[0]} over {arms[1]}"
        farthest = max(ratio.high - 1, 1 - ratio.low)
        rows.append(row(f"{name}, half the interval", ratio.half_width, "", 0.03))
        if arms[0] == "r":
            rows.append(row(f"{name}, farther end from 1", farthest, "", 0.05))
        else:
            # Zero if the interval covers 1.
            missed = max(ratio.low - 1, 1 - ratio.high, 0.0)
            rows.append(row(f"{name}, interval misses 1 by", missed, "", 0.0))
    return rows


def bench_campaign(rounds: int) -> list[Row]:
    """Whole processes of R and Python, in blocks; what blocks themselves take.

    A campaign of the standard kind, with the epochs of the notebook.
    """
    import tempfile

    from sidebyside.timing import load_campaigns, paired_ratio, run_campaign

    os.environ["FRUITS360_DIR"] = "painted"
    with tempfile.TemporaryDirectory() as place:
        folder = run_campaign(
            "bench",
            blocks=rounds,
            arms=("python", "r"),
            directory=place,
            progress="compact",
        )
        runs = load_campaigns(folder).to_dict("records")
        end = json.loads((folder / "end.json").read_text(encoding="utf-8"))
    whole = paired_ratio(runs, ("r", "python"), "process_seconds")
    print(f"  whole process, R over Python: {whole}", flush=True)
    share = end["overhead"]["share"]
    return [
        row("whole process, R over Python", whole.estimate, "ratio", 1.25),
        row("a campaign's own share of its time", 100 * share, "%", 1.0),
    ]


BENCHES: dict[str, Callable[[int], list[Row]]] = {
    "setup": lambda rounds: seconds(
        "a second `make setup`", python(SECOND_SETUP), rounds, 2.0
    ),
    "load_ext": lambda rounds: beyond(
        "%load_ext sidebyside beyond importing Keras",
        python(IMPORT_KERAS),
        python(LOAD_EXTENSION),
        rounds,
        1.0,
    ),
    "library": lambda rounds: beyond(
        "library(sidebyside) beyond reticulate and Keras",
        rscript(R_WITHOUT),
        rscript(R_WITH),
        rounds,
        0.3,
    ),
    "exit": lambda rounds: seconds(
        "a kernel that loaded R exits (code 0)", python(KERNEL_EXIT), rounds, 2.0
    ),
    "fruits": lambda rounds: [
        *seconds("2,560 painted fruits", python(PAINT), min(rounds, 3), 20.0),
        *seconds("fruits_directory()", python(FIND_FRUITS), rounds, 0.3),
    ],
    "loader": lambda rounds: seconds(
        "100,000 rows of measurements loaded and checked",
        python(LOAD_RUNS),
        min(rounds, 3),
        3.0,
    ),
    "turns": lambda rounds: bench_turns(),
    "campaign": bench_campaign,
    "notebooks": lambda rounds: bench_notebooks(),
}


def machine() -> str:
    """The machine in a few words."""
    model = cpuinfo.get_cpu_info().get("brand_raw") or platform.machine()
    return f"{model}, {os.cpu_count()} cores, {platform.platform()}"


def table(rows: list[Row]) -> str:
    """The rows as aligned text."""
    cells = [("", "measured", "limit", "")]
    cells += [
        (
            r.name,
            f"{r.value:.2f} {r.unit}",
            f"{r.limit:g} {r.unit}",
            "holds" if r.holds else "MISSED",
        )
        for r in rows
    ]
    widths = [max(len(c[i]) for c in cells) for i in range(4)]
    return "\n".join(
        "  ".join(x.ljust(w) for x, w in zip(c, widths, strict=True)).rstrip()
        for c in cells
    )


def merged(before: list[dict], rows: list[Row], measured: set[str]) -> list[dict]:
    """The rows of a file, those of the benches that were measured anew."""
    names = {r.name for r in rows}
    kept = [
        old
        for old in before
        if old.get("bench") not in measured and old.get("name") not in names
    ]
    place = {name: number for number, name in enumerate(BENCHES)}
    everything = kept + [asdict(r) for r in rows]
    return sorted(everything, key=lambda r: place.get(r.get("bench"), -1))


def read_before(path: Path) -> list[dict]:
    """What the file holds, nothing where there is none or it is damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return []
    return found if isinstance(found, list) else []


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=BENCHES, nargs="*")
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    rows: list[Row] = []
    print(machine(), flush=True)
    for name, bench in BENCHES.items():
        if chosen.only and name not in chosen.only:
            continue
        print(f"measuring: {name} ...", flush=True)
        rows += [replace(r, bench=name) for r in bench(chosen.rounds)]
    print()
    print(table(rows))
    before = read_before(RESULT) if chosen.only else []
    together = merged(before, rows, {r.bench for r in rows})
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(together, indent=1) + "\n", encoding="utf-8")
    print(f"\nWritten to {RESULT}")
    missed = [r.name for r in rows if not r.holds]
    if missed:
        print(f"Missed: {'; '.join(missed)}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
