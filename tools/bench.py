"""Measure speed and memory against the project's limits (`make bench`).

Prints the table of CONTRIBUTING.md, and writes build/bench.json, a list of
{name, value, unit, limit}. The exit status is 1 if a limit is missed. Two things that
are compared are measured by turns and repeatedly, so that a noisy machine disturbs
both equally. The table has medians. Tests are never timed.
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
from dataclasses import asdict, dataclass
from pathlib import Path

import cpuinfo

PROJECT = Path(__file__).resolve().parents[1]
RESULT = PROJECT / "build" / "bench.json"
REFERENCES = sorted(
    x.parent for x in (PROJECT / "data" / "timings").glob("reference-*/runs.csv")
)


@dataclass(frozen=True)
class Row:
    """One line of the table: a measured value and its limit."""

    name: str
    value: float
    unit: str
    limit: float

    @property
    def holds(self) -> bool:
        return self.value <= self.limit


def numbers(command: list[str], count: int = 1) -> list[float]:
    """Run a program and return the `count` numbers that it prints last."""
    result = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=PROJECT
    )
    words = result.stdout.split()
    if result.returncode or len(words) < count:
        # Show both streams: tools/run.py names the notebook on one, the reason on the
        # other.
        said = result.stdout[-2000:] + result.stderr[-2000:]
        raise RuntimeError(f"{command[:3]} failed:\n{said}")
    return [float(word) for word in words[len(words) - count :]]


PYTHON, RSCRIPT = [sys.executable, "-c"], ["Rscript", "-e"]


def seconds(name: str, command: list[str], rounds: int, limit: float) -> list[Row]:
    """Return the median of the seconds that a program prints."""
    taken = [numbers(command)[0] for _ in range(rounds)]
    return [Row(name, statistics.median(taken), "s", limit)]


def beyond(
    name: str, base: list[str], whole: list[str], rounds: int, limit: float
) -> list[Row]:
    """Return the median time that `whole` takes more than `base`, run by turns."""
    differences = []
    for number in range(rounds):
        taken = {}
        for which in ("base", "whole") if number % 2 else ("whole", "base"):
            taken[which] = numbers(whole if which == "whole" else base)[0]
        differences.append(taken["whole"] - taken["base"])
    return [Row(name, statistics.median(differences), "s", limit)]


IMPORT_KERAS = """
import time
start = time.perf_counter()
import os
os.environ["KERAS_BACKEND"] = "tensorflow"
import keras
print(time.perf_counter() - start)
"""

# The shell already exists when the first cell of a notebook runs.
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


def bench_notebooks(rounds: int) -> list[Row]:
    """Measure time and memory of one `make run` and one `make gallery`."""
    minutes, peaks = {}, {}
    for part in ("course", "gallery"):
        started = time.monotonic()
        numbers([sys.executable, "tools/run.py", "--part", part], count=0)
        minutes[part] = (time.monotonic() - started) / 60
        summary = (PROJECT / "build" / "run.json").read_text(encoding="utf-8")
        peaks |= {o["name"]: o["peak_bytes"] / 1e9 for o in json.loads(summary)}
    largest = max(peak for name, peak in peaks.items() if name >= "1")
    return [
        Row("peak memory of the kernel of 01", peaks["01_mnist.ipynb"], "GB", 1.5),
        Row("largest peak memory of the gallery's kernels", largest, "GB", 1.6),
        Row("the course, after set-up", minutes["course"], "min", 8.0),
        Row("the gallery, after set-up", minutes["gallery"], "min", 20.0),
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


# Print the same 50,000 lines by R's cat() and by Python's print(), by turns.
PRINT_LINES = """
import statistics, time
from jupyter_client.manager import start_new_kernel
manager, client = start_new_kernel(kernel_name="python3")

def run(code):
    start = time.perf_counter()
    reply = client.execute_interactive(code, output_hook=lambda m: 0)
    assert reply["content"]["status"] == "ok", reply
    return time.perf_counter() - start

run("%load_ext sidebyside")
ratios = [
    run("%%R\\nfor (i in 1:50000) cat('line', i, '\\\\n')")
    / run("for i in range(50000): print('line', i)")
    for _ in range(5)
]
client.shutdown()
print(statistics.median(ratios))
"""

SECOND_SETUP = """
import os, subprocess, time
ours = ("MAKEFLAGS", "ARGS")  # those of `make bench ARGS=...`
environment = {k: v for k, v in os.environ.items() if k not in ours}
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
run = {
    "campaign": "large", "device": "cpu", "epochs": 10, "state": "ok", "exit_code": 0,
    "started": "2026-11-22T09:30:00.250Z", "peak_memory_mb": 800.5, "load_before": 0.5,
    "process_seconds": 20.5, "cpu_seconds": 30.5,
    **dict.fromkeys(format.STAGE_COLUMNS, 0.5), "fit_seconds": 10.5,
}
for seed in range(1, 25_001):
    arms = chance.sample(ARMS, 4)
    order.append({"block": seed - 1, "seed": seed, "arms": arms})
    epochs = tuple(chance.random() for _ in range(10))
    for position, arm in enumerate(arms, 1):
        rows.append(run | dict.fromkeys(format.EPOCH_COLUMNS, epochs) | {
            "run": len(rows) + 1, "block": seed - 1, "position": position,
            "arm": arm, "seed": seed,
        })
with tempfile.TemporaryDirectory() as place:
    folder = Path(place) / "large"
    folder.mkdir()
    format.write_rows(folder, rows)
    format.write_json(folder, format.MACHINE, {"id": "m1"})
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


def bench_turns(rounds: int) -> list[Row]:
    """Compare the training of the fruit network in R and in Python, epochs by turns.

    Two processes, `Rscript` and `python`, run the timed cells of notebook 03. They
    train one epoch each in random order, so that both epochs of a pair run under the
    same conditions. Then Python is compared with itself in the same way.
    """
    from sidebyside.timing import interleave

    os.environ["FRUITS360_DIR"] = "painted"
    ratios = []
    for arms in (("r", "python"), ("python-again", "python")):
        measured = interleave(arms, epochs=200)
        assert measured.losses[0] == measured.losses[1], arms
        ratios.append(measured.ratio())
        print(f"  fit, {arms[0]} over {arms[1]}: {ratios[-1]}", flush=True)
    r, again = ratios
    farthest = max(r.high - 1, 1 - r.low)
    # This is zero if the interval contains 1.
    missed = max(again.low - 1, 1 - again.high, 0.0)
    return [
        Row("fit, R over Python, farther end from 1", farthest, "", 0.05),
        Row("fit, Python over Python, interval misses 1 by", missed, "", 0.0),
    ]


def bench_campaign(rounds: int) -> list[Row]:
    """Compare whole processes of R and Python, and measure a campaign's own time."""
    from sidebyside.timing import load_campaigns, paired_ratio
    from sidebyside.timing.reading import read_end

    rows = []
    for folder in REFERENCES:
        runs = load_campaigns(folder).to_dict("records")
        whole = paired_ratio(runs, ("r", "python"), "process_seconds").estimate
        share = 100 * read_end(folder)["overhead"]["share"]
        rows += [
            Row(f"{folder.name}: whole process, R over Python", whole, "", 1.25),
            Row(f"{folder.name}: a campaign's own share", share, "%", 1.0),
        ]
    return rows


BENCHES: dict[str, Callable[[int], list[Row]]] = {
    "setup": lambda rounds: seconds(
        "a second `make setup`", [*PYTHON, SECOND_SETUP], rounds, 2.0
    ),
    "load_ext": lambda rounds: beyond(
        "%load_ext sidebyside beyond importing Keras",
        [*PYTHON, IMPORT_KERAS],
        [*PYTHON, LOAD_EXTENSION],
        rounds,
        1.0,
    ),
    "library": lambda rounds: beyond(
        "library(sidebyside) beyond reticulate and Keras",
        [*RSCRIPT, R_WITHOUT],
        [*RSCRIPT, R_WITH],
        rounds,
        0.3,
    ),
    "exit": lambda rounds: seconds(
        "a kernel that loaded R exits (code 0)", [*PYTHON, KERNEL_EXIT], rounds, 2.0
    ),
    "print": lambda rounds: [
        Row("50,000 lines, R over Python", numbers([*PYTHON, PRINT_LINES])[0], "", 5.0)
    ],
    "fruits": lambda rounds: [
        *seconds("2,560 painted fruits", [*PYTHON, PAINT], min(rounds, 3), 20.0),
        *seconds("fruits_directory()", [*PYTHON, FIND_FRUITS], rounds, 0.3),
    ],
    "loader": lambda rounds: seconds(
        "100,000 rows of measurements loaded and checked",
        [*PYTHON, LOAD_RUNS],
        min(rounds, 3),
        3.0,
    ),
    "turns": bench_turns,
    "campaign": bench_campaign,
    "notebooks": bench_notebooks,
}


def machine() -> str:
    """Describe the machine in a few words."""
    model = cpuinfo.get_cpu_info().get("brand_raw") or platform.machine()
    return f"{model}, {os.cpu_count()} cores, {platform.platform()}"


def table(rows: list[Row]) -> str:
    """Return the rows as aligned text."""
    return "\n".join(
        f"{r.name:<54}{r.value:8.2f} {r.unit:<4}limit {r.limit:<6g}"
        f"{'holds' if r.holds else 'MISSED'}"
        for r in rows
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    some = "measure only these (default: all)"
    parser.add_argument("--only", choices=BENCHES, nargs="*", help=some)
    often = "how often to repeat a measurement (default: 5)"
    parser.add_argument("--rounds", type=int, default=5, help=often)
    chosen = parser.parse_args()
    rows: list[Row] = []
    print(machine(), flush=True)
    for name in chosen.only or BENCHES:
        found = BENCHES[name](chosen.rounds)
        print(table(found), flush=True)
        rows += found
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps([asdict(r) for r in rows], indent=1) + "\n")
    print(f"\nWritten to {RESULT}")
    missed = [r.name for r in rows if not r.holds]
    if missed:
        print(f"Missed: {'; '.join(missed)}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
