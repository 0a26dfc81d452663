"""A pytest plugin: limit the memory of every notebook that nbval executes.

The kernel, R in it and every process that it starts count together (tools/offline.py
measures them five times a second). The limit is Binder's 2 GB, and less for a notebook
of the course. A notebook that uses too much memory fails with a clear message. The end
of pytest's report lists the peak of each notebook.
"""

import sys
import time
from pathlib import Path
from queue import Empty

import nbval.kernel
import nbval.plugin
import pytest
from jupyter_client.manager import KernelManager

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))
import offline

# With JupyterLab's server, a notebook of the course may take 1.6 GB, so that Binder's
# 2 GB leave room for the reader's own work. The server takes 0.09 GB, and 0.1 GB with
# an open notebook (measured with JupyterLab 4.6).
COURSE, SERVER = 1_600_000_000, 100_000_000


def limit_of(name: str) -> int:
    """Return how many bytes the kernel of a notebook may use."""
    most = LimitedManager.most
    return min(most, COURSE - SERVER) if name.startswith("0") else most


class LimitedManager(KernelManager):
    """Starts kernels that have a limit of memory (`watch`)."""

    most = offline.BINDER

    def start_kernel(self, **arguments):
        super().start_kernel(**arguments)
        self.watch = offline.Watch(self.provisioner.pid, self.most)


class LimitedKernel(nbval.kernel.RunningKernel):
    """nbval's kernel, which also notices when it has died.

    nbval would wait for an answer as long as a cell may take, 15 minutes.
    """

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.watch = self.km.watch

    def get_message(self, stream, timeout=None):
        end = time.monotonic() + (float("inf") if timeout is None else timeout)
        while True:
            left = max(0, min(1, end - time.monotonic()))
            try:
                return super().get_message(stream, left)
            except Empty:
                if not self.is_alive():
                    raise RuntimeError("the kernel died") from None
                if time.monotonic() >= end:
                    raise

    def stop(self):
        super().stop()
        self.watch.close()


def pytest_addoption(parser):
    parser.addoption(
        "--kernel-memory",
        type=float,
        default=offline.BINDER / 1e9,
        metavar="GB",
        help="memory of a notebook's kernel, in 10^9 bytes (2, as on Binder)",
    )


def pytest_configure(config):
    LimitedManager.most = int(config.getoption("--kernel-memory") * 1e9)
    nbval.kernel.KernelManager = LimitedManager
    nbval.plugin.RunningKernel = LimitedKernel
    config.stash[seen] = {}


def pytest_report_header():
    state = offline.network()
    hint = "; `make test` turns it off" if state == "on" else ""
    return (
        f"network: {state}{hint}\n"
        f"memory of a notebook: at most {LimitedManager.most / 1e9:.2f} GB, "
        f"of the course {limit_of('0') / 1e9:.2f} GB"
    )


# --- each notebook, in the process that executes it

# The memory of each notebook's kernel, by the notebook's name. In the process that
# reports: [peak, limit]; in those that execute: the watches themselves.
seen = pytest.StashKey[dict]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Make a cell fail if the notebook has used too much memory after it."""
    if not isinstance(item, nbval.plugin.IPyNbCell):
        return (yield)
    watch = item.parent.kernel.watch
    watch.limit = limit_of(item.path.name)
    taken = item.config.stash[seen]
    if watch is taken.get(item.path.name) and watch.exceeded:
        pytest.skip("the memory of its kernel is used up")
    taken[item.path.name] = watch
    try:
        return (yield)
    finally:
        if watch.exceeded:
            item.raise_cell_error(
                f"{item.path.name} takes more than {watch.limit / 1e9:.2f} GB of "
                "memory, which is the limit for its kernel and all that it starts. "
                f"They were ended at {watch.peak / 1e9:.2f} GB."
            )


def pytest_sessionfinish(session):
    """Send the results to the process that reports (pytest-xdist)."""
    taken = session.config.stash[seen]
    for name, watch in taken.items():
        if isinstance(watch, offline.Watch):
            watch.close()  # a kernel that died has not been stopped
            taken[name] = [watch.peak, watch.limit]
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["kernel_memory"] = taken


# --- all of them, in the process that reports


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    output = getattr(node, "workeroutput", {})  # missing if it crashed
    node.config.stash[seen].update(output.get("kernel_memory", {}))


def pytest_terminal_summary(terminalreporter, config):
    taken = config.stash[seen]
    if not taken:
        return
    terminalreporter.section("memory of the notebooks")
    for name, (peak, most) in sorted(taken.items()):
        found = "TOO MUCH" if peak > most else f"{peak / 1e9:.2f} GB"
        terminalreporter.line(f"{found:>8} of {most / 1e9:.2f} GB  {name}")
