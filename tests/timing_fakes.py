"""Notebooks whose timed cells do almost nothing, for the tests of timing."""

import os
import select
import subprocess
import sys
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_notebook
from sidebyside.timing.run.arms import environment

PYTHON = {
    "parameters": "epochs = 2\nseed = 42",
    "import": "import os",
    "data": "folder = os.environ['SIDEBYSIDE_FAKE']",
    "build": """\
epoch_seconds = [0.015625] * epochs
losses = [seed / (i + 3) for i in range(epochs)]""",
    # The n-th training runs the code in the file `n`.
    "fit": """\
number = len(os.listdir(folder + "/done")) + 1
open(f"{folder}/done/{number}", "w").close()
if os.path.exists(f"{folder}/{number}"):
    exec(open(f"{folder}/{number}").read())
history = {"loss": losses, "epoch_seconds": epoch_seconds}""",
}
R = {
    "parameters": "epochs <- 2L\nseed <- 42L",
    "import": "library(stats)",
    "data": 'folder <- Sys.getenv("SIDEBYSIDE_FAKE")',
    "build": "losses <- seed / (seq_len(epochs) + 2)",
    "fit": """\
number <- length(list.files(file.path(folder, "done"))) + 1
invisible(file.create(file.path(folder, "done", number)))
history <- list(metrics = list(
  loss = losses,
  epoch_seconds = rep(0.015625, epochs)
))""",
}


def write_notebook(path, python=None, r=None):
    """Write a notebook with timed cells, some of which may be replaced."""
    cells = []
    for stage, source in {**R, **(r or {})}.items():
        text = "%%R\n" + source
        tags = {"tags": ["pair", "r", f"timed-{stage}"]}
        cells.append(new_code_cell(text, metadata=tags))
        text = {**PYTHON, **(python or {})}[stage]
        tags = {"tags": ["pair", "python", f"timed-{stage}"]}
        cells.append(new_code_cell(text, metadata=tags))
    nbformat.write(new_notebook(cells=cells), path)
    return path


class Fakes:
    """A notebook, and the code that its runs execute."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.campaigns = folder / "campaigns"
        self.notebook = write_notebook(folder / "fake.ipynb")
        (folder / "done").mkdir()

    def training(self, number: int, code: str):
        """Let the n-th training run `code` before it writes its losses."""
        (self.folder / str(number)).write_text(code)

    def trainings(self):
        """Return how many trainings have started."""
        return len(list((self.folder / "done").iterdir()))

    def command(self, *arguments):
        """Return the command line for a new process."""
        return subprocess.Popen(
            [sys.executable, "-m", "sidebyside.timing", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def start(self, name, *more):
        """Start `run` with the two Python arms and short waits."""
        return self.command(
            *("run", "--name", name, "--notebook", self.notebook),
            *("--directory", self.campaigns, "--arms", "python,python-again"),
            *("--blocks", "1", "--progress", "lines", *more),
        )


def has_ended(pid, seconds=0):
    """Return whether a process ends within these seconds."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], seconds)[0])
    finally:
        os.close(handle)


def run_with_hook(code, folder, **variables):
    """Run Python code with the experiment's hook."""
    known = environment(folder, "cpu", probe=False) | variables
    return subprocess.run(
        [sys.executable, "-c", code],
        env=known,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
