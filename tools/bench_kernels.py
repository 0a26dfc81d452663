"""What many kernels on one server take (`make bench ARGS="--only kernels"`).

A class does the same at the same moment: everybody loads the companion, then
everybody trains the network of notebook 01. That is done here with 1, 2, 4 ...
kernels at once, each started as Jupyter starts it and given the notebook's
own cells; only the epochs are fewer.

Memory is what the kernels have for themselves, plus once the most that one of
them shares with others (offline.memory_of): libraries are in memory once. Of
time there are two kinds: by the clock, until the last kernel is ready, which
other programs on the machine lengthen; and of the processors, which they
hardly do.
"""

from __future__ import annotations

import os
import re
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import nbformat
import offline
import psutil
from jupyter_client.manager import KernelManager

PROJECT = Path(__file__).resolve().parents[1]
NOTEBOOKS = PROJECT / "notebooks"
CLASS = 30
EPOCHS = 2
WIDE = 32  # what TensorFlow would take on a server of 32 cores
SETTLE = 2  # seconds of rest before memory counts as idle
INTERVAL = 0.5  # seconds between two looks at the memory of all kernels
LONGEST = 3600  # seconds that the slowest cell may take

THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)


@dataclass(frozen=True)
class Memory:
    """Of all kernels together, in bytes."""

    once: int  # what is shared counted once
    pss: int  # what is shared divided by all who share it (proc(5))
    rss: int  # what is shared counted each time
    machine: int  # by how much the machine has less than before


@dataclass(frozen=True)
class Phase:
    """Something that all kernels did at the same moment."""

    seconds: float  # by the clock, until the last was ready
    processor: float  # processor seconds of one kernel, the mean
    peak: int  # memory of all at most, bytes, what is shared once
    after: Memory  # at rest, afterwards


@dataclass(frozen=True)
class Lesson:
    """How it went with `kernels` at once."""

    kernels: int
    threads: int  # of one kernel after training, the most
    load: Phase  # the kernel's start and `%load_ext sidebyside`
    train: Phase  # data, network and fit(), in R and then in Python


def code_of(notebook: str) -> list[str]:
    """The code cells of a notebook, but for those that fail on purpose."""
    cells = nbformat.read(NOTEBOOKS / notebook, as_version=4).cells
    return [
        cell.source
        for cell in cells
        if cell.cell_type == "code"
        and "raises-exception" not in cell.metadata.get("tags", [])
    ]


def first_training(epochs: int) -> list[str]:
    """Notebook 01 from its first cell to the end of Python's fit()."""
    cells = code_of("01_mnist.ipynb")
    last = next(i for i, code in enumerate(cells) if "= model.fit(" in code)
    shorter = [
        re.sub(r"\bepochs( ?)=( ?)30\b", rf"epochs\1=\g<2>{epochs}", code)
        for code in cells[: last + 1]
    ]
    changed = sum(a != b for a, b in zip(cells, shorter, strict=False))
    if changed != 2 or not cells[0].startswith("%load_ext"):
        raise RuntimeError(
            "notebooks/01_mnist.ipynb no longer starts with %load_ext, or "
            "trains no longer for 30 epochs in each language; look at "
            "first_training() in tools/bench_kernels.py"
        )
    return shorter


class Kernel:
    """A kernel and its client, which is only asked whether cells are done."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.started = time.time()
        self.manager = KernelManager(kernel_name="python3")
        self.manager.start_kernel(
            cwd=str(folder),
            env=dict(environment),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.process = psutil.Process(self.manager.provisioner.pid)
        self.client = self.manager.client()
        # Outputs are for readers; nobody reads here.
        self.client.start_channels(iopub=False, stdin=False)

    def send(self, cells: Sequence[str]) -> list[str]:
        """Give it cells, which it takes one after the other."""
        return [self.client.execute(c, allow_stdin=False) for c in cells]

    def wait(self, requests: Sequence[str]) -> float:
        """Until all are done; when that was, by the kernel's own clock."""
        waiting = set(requests)
        end = self.started
        while waiting:
            reply = self.client.get_shell_msg(timeout=LONGEST)
            if reply["parent_header"].get("msg_id") not in waiting:
                continue
            waiting.remove(reply["parent_header"]["msg_id"])
            content = reply["content"]
            if content["status"] != "ok":
                raise RuntimeError(
                    f"a cell failed: {content.get('ename', content)}: "
                    f"{content.get('evalue', '')}"
                )
            end = reply["header"]["date"].timestamp()
        return end

    def processor(self) -> float:
        """Processor seconds so far, with what it started."""
        return sum(self.process.cpu_times()[:4])

    def stop(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


def family(processes: Sequence[psutil.Process]) -> list[psutil.Process]:
    """These and all that they started."""
    found = list(processes)
    for process in processes:
        found += process.children(recursive=True)
    return found


def look(processes: Sequence[psutil.Process], before: int) -> Memory:
    everybody = family(processes)
    each = [process.memory_full_info() for process in everybody]
    return Memory(
        offline.memory_of(everybody),
        sum(m.pss for m in each),
        sum(m.rss for m in each),
        before - psutil.virtual_memory().available,
    )


class Peak(threading.Thread):
    """Watches what processes take together."""

    def __init__(self, processes: Sequence[psutil.Process]) -> None:
        super().__init__(daemon=True)
        self.processes = processes
        self.most = 0
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(INTERVAL):
            now = offline.memory_of(family(self.processes))
            self.most = max(self.most, now)

    def stop(self) -> int:
        self.over.set()
        self.join()
        return self.most


def all_at_once(
    kernels: Sequence[Kernel],
    cells: Sequence[str],
    since: float,
    before: int,
    spent: Sequence[float],
) -> Phase:
    """Everybody does these cells; `spent` are processor seconds before."""
    processes = [kernel.process for kernel in kernels]
    peak = Peak(processes)
    peak.start()
    asked = [kernel.send(cells) for kernel in kernels]
    ends = [k.wait(a) for k, a in zip(kernels, asked, strict=True)]
    time.sleep(SETTLE)
    most = peak.stop()
    after = look(processes, before)
    used = [k.processor() - s for k, s in zip(kernels, spent, strict=True)]
    return Phase(
        max(ends) - since,
        statistics.mean(used),
        max(most, after.once),
        after,
    )


def lesson(count: int, environment: Mapping[str, str], epochs: int = EPOCHS) -> Lesson:
    """`count` kernels: all start and load, then all train."""
    cells = first_training(epochs)
    before = psutil.virtual_memory().available
    kernels: list[Kernel] = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            started = time.time()
            for _ in range(count):
                kernels.append(Kernel(Path(folder), environment))
            none = [0.0] * count
            load = all_at_once(kernels, cells[:1], started, before, none)
            spent = [kernel.processor() for kernel in kernels]
            train = all_at_once(kernels, cells[1:], time.time(), before, spent)
            threads = max(k.process.num_threads() for k in kernels)
        finally:
            for kernel in kernels:
                kernel.stop()
    return Lesson(count, threads, load, train)


def processor_of(notebook: str, environment: Mapping[str, str]) -> Phase:
    """A whole notebook in one kernel."""
    before = psutil.virtual_memory().available
    with tempfile.TemporaryDirectory() as folder:
        kernel = Kernel(Path(folder), environment)
        try:
            start = kernel.started
            cells = code_of(notebook)
            return all_at_once([kernel], cells, start, before, [0.0])
        finally:
            kernel.stop()


@contextmanager
def server(folder: Path):
    """JupyterLab's server, without kernels, once it has shown its page."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "jupyterlab", "--no-browser"),
            *("--allow-root", f"--ServerApp.root_dir={PROJECT}"),
            *(f"--port={port}", "--ServerApp.port_retries=0"),
            f"--IdentityProvider.token={token}",
        ],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    page = f"http://127.0.0.1:{port}/lab?token={token}"
    try:
        end = time.monotonic() + 60
        while True:
            try:
                with urllib.request.urlopen(page) as reply:
                    reply.read()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > end:
                    raise
                time.sleep(0.2)
        time.sleep(SETTLE)
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(20)


def server_memory() -> int:
    """Of JupyterLab's server itself, in bytes."""
    with tempfile.TemporaryDirectory() as folder, server(Path(folder)) as it:
        return offline.memory_of(family([it]))


def free_threads() -> dict[str, str]:
    """The environment without limits: libraries count the machine's cores."""
    return {k: v for k, v in os.environ.items() if k not in THREADS}


def threads(count: int) -> dict[str, str]:
    """The environment with so many threads, as binder/start sets it to 1."""
    return free_threads() | dict.fromkeys(THREADS, str(count))


def sizes(memory_of_one: int) -> list[int]:
    """How many kernels at once: the powers of two that fit, up to 16."""
    room = psutil.virtual_memory().available * 0.9
    return [n for n in (1, 2, 4, 8, 16) if n * memory_of_one < room]


def line(
    lessons: Sequence[Lesson], of: Callable[[Lesson], float]
) -> tuple[float, float]:
    """What one more kernel adds, and what CLASS kernels would take.

    A straight line through all lessons (least squares), and on beyond them.
    """
    fitted = statistics.linear_regression(
        [each.kernels for each in lessons], [of(each) for each in lessons]
    )
    return fitted.slope, fitted.intercept + fitted.slope * CLASS


def cores_for_class(one: float, processor: float) -> float:
    """Cores with which a class waits no longer than twice what one waits.

    `one` is how long a kernel takes alone, by the clock; `processor` what
    each takes of the processors in a class: all of them together are busy
    for CLASS times that.
    """
    return CLASS * processor / (2 * one)


def described(lesson: Lesson, name: str) -> str:
    """A line for the one who waits."""
    parts = [f"{lesson.kernels} at once, {name}, {lesson.threads} threads"]
    for what, phase in (("load", lesson.load), ("train", lesson.train)):
        after = phase.after
        parts.append(
            f"{what}: {phase.seconds:.1f} s, {phase.processor:.1f} processor "
            f"seconds each, peak {phase.peak / 1e9:.2f} GB, then "
            f"{after.once / 1e9:.2f} (PSS {after.pss / 1e9:.2f}, RSS "
            f"{after.rss / 1e9:.2f}, machine {after.machine / 1e9:.2f})"
        )
    return "\n    ".join(parts)
