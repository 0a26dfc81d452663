"""Execute notebooks in order and print a table (`make run`, `make gallery`).

The executed copies go to build/notebooks/. With --in-place they replace the
notebooks themselves; this is how we make the outputs that are committed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import nbformat
from gallery import sections
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbclient.util import run_sync
from sidebyside.common.errors import Sentence

PROJECT = Path(__file__).resolve().parents[1]
NOTEBOOKS = PROJECT / "notebooks"
EXECUTED = PROJECT / "build" / "notebooks"
# The same table as a file, for `make bench`.
SUMMARY = PROJECT / "build" / "run.json"

# The two parts of the collection, by the first digit of their notebooks' numbers.
PARTS = {"course": "0[0-9]_*.ipynb", "gallery": "1[0-9]_*.ipynb"}

LINE = "{:<32}  {:<7}  {:<11}  {:<13}  {}"

# The kernel evaluates this at the end. getrusage(2) counts kilobytes on Linux, bytes on
# macOS.
PEAK = (
    "__import__('resource').getrusage(0).ru_maxrss"
    " * (1 if __import__('sys').platform == 'darwin' else 1024)"
)


def notebooks_of(part: str) -> list[Path]:
    """Return the notebooks of a part of the collection, in reading order."""
    return sorted(NOTEBOOKS.glob(PARTS[part]))


@dataclass
class Outcome:
    """The result of executing one notebook."""

    name: str
    minutes: float
    peak_bytes: int
    checks: int
    checks_passed: int
    problem: str = ""

    def __str__(self) -> str:
        """Return one row of the table."""
        memory = f"{self.peak_bytes / 1e9:.2f} GB" if self.peak_bytes else "-"
        checks = f"{self.checks_passed} of {self.checks}"
        verdict = "failed" if self.problem else "ok"
        return LINE.format(self.name, f"{self.minutes:.1f}", memory, checks, verdict)


def is_check(cell: nbformat.NotebookNode) -> bool:
    """Return whether a cell compares two halves. Checks of exercises do not count."""
    tags = cell.metadata.get("tags", [])
    return "check" in tags and "exercise" not in tags


def execute(source: Path, target: Path) -> Outcome:
    """Execute one notebook in a new kernel and write the executed copy.

    If a cell fails, the notebook ends. The cells before it are still written, but never
    over the notebook itself.
    """
    notebook = nbformat.read(source, as_version=4)
    checks = [c for c in notebook.cells if is_check(c)]
    code = [c for c in notebook.cells if c.cell_type == "code"]
    for cell in code:
        cell.outputs, cell.execution_count = [], None
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        timeout=900,
        # R writes word by word, so merge the outputs of a stream.
        coalesce_streams=True,
        # Hide the kernels' log: each one warns about TCP without encryption, and some
        # report their own end as an error. Errors in cells are in the outputs.
        extra_arguments=["--IPKernelApp.log_level=CRITICAL"],
        resources={"metadata": {"path": str(target.parent)}},
    )
    passed, problem, peak, times = 0, "", 0, {}
    started = time.monotonic()
    # Do not keep the times of cells, which would change with each run.
    client.record_timing = False
    try:
        examples = sections(notebook, source.name)
        with client.setup_kernel():
            for index, cell in enumerate(notebook.cells):
                show_progress(source.name, index + 1, len(notebook.cells))
                begun = time.monotonic()
                client.execute_cell(cell, index)
                times[cell.id] = time.monotonic() - begun
                passed += is_check(cell)
            peak = peak_memory(client)
        if examples:
            took = {name: seconds(cells, times) for name, cells in examples.items()}
            notebook.metadata.sidebyside["seconds"] = took
    except (CellExecutionError, DeadKernelError, Sentence) as error:
        problem = str(error)
    minutes = (time.monotonic() - started) / 60
    show_progress("", 0, 0)
    # Keep no versions and times in the metadata, because they only make diffs. Keep the
    # exporter, because nbconvert's `--to script` needs it.
    notebook.metadata.language_info = {
        "name": "python",
        "nbconvert_exporter": "python",
    }
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    if not (problem and source == target):
        target.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, target)
    return Outcome(source.name, minutes, peak, len(checks), passed, problem)


def seconds(cells: list, times: Mapping[str, float]) -> dict[str, float]:
    """Add up the times of the halves in each language, for the gallery's index."""
    halves = [(times[cell.id], cell.metadata.get("tags", [])) for cell in cells]
    return {
        language: round(
            sum(t for t, tags in halves if {"pair", language} <= {*tags}), 1
        )
        for language in ("r", "python")
    }


def peak_memory(client: NotebookClient) -> int:
    """Return the kernel's largest memory so far, in bytes (0 if it is not known)."""
    message = client.kc.execute("", silent=True, user_expressions={"peak": PEAK})
    reply = run_sync(client.async_wait_for_reply)(message)
    with contextlib.suppress(KeyError, TypeError, ValueError):
        said = reply["content"]["user_expressions"]["peak"]
        return int(said["data"]["text/plain"])
    return 0


def show_progress(name: str, cell: int, cells: int) -> None:
    """Update one line in a terminal; write one line per notebook to a log."""
    if sys.stdout.isatty():
        text = f"{name}: cell {cell} of {cells}" if name else ""
        print(f"\r{text:<60}", end="" if name else "\r", flush=True)
    elif cell == 1:
        print(f"{name}: {cells} cells", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("notebooks", nargs="*", type=Path)
    parser.add_argument(
        "--part", choices=PARTS, help="only this part, if no notebooks are named"
    )
    replace = "replace the notebooks by their executed copies"
    parser.add_argument("--in-place", action="store_true", help=replace)
    folder = "folder for the executed copies (default: build/notebooks)"
    parser.add_argument("--output", type=Path, default=EXECUTED, help=folder)
    chosen = parser.parse_args()
    for path in chosen.notebooks:
        if not path.is_file():
            parser.error(f"{path} is not a file; expected a notebook (.ipynb)")
    sources = [path.resolve() for path in chosen.notebooks]
    parts = [chosen.part] if chosen.part else PARTS
    sources = sources or [path for part in parts for path in notebooks_of(part)]
    if not sources:
        parser.error(f"found no notebooks of the {chosen.part} in {NOTEBOOKS}")
    if chosen.in_place:  # Committed outputs must be the same on every machine.
        os.environ["SIDEBYSIDE_TEXTS"] = "packages"
    outcomes = []
    for source in sources:
        target = source if chosen.in_place else chosen.output / source.name
        target.parent.mkdir(parents=True, exist_ok=True)
        outcomes.append(execute(source, target))
        if outcomes[-1].problem:
            print(f"{source.name} failed:\n{outcomes[-1].problem}")
    head = LINE.format("notebook", "minutes", "peak memory", "checks passed", "")
    print("", head.rstrip(), *outcomes, sep="\n")
    where = NOTEBOOKS if chosen.in_place else chosen.output
    print(f"\nExecuted notebooks: {where}")
    SUMMARY.parent.mkdir(exist_ok=True)
    SUMMARY.write_text(json.dumps([asdict(o) for o in outcomes], indent=1))
    return 1 if any(o.problem for o in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
