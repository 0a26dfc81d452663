"""Shared by the tests: kernels, data, and the order in which they run."""

import os
import queue
import signal
import sys
import time
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from jupyter_client.manager import KernelManager

pytest_plugins = ["kernel_memory"]

ROOT = Path(__file__).resolve().parents[1]
ARCHIVE = ROOT.parent / "shared" / "data" / "fruits-360-16-classes.zip"

# Tests that a script starts in the background (`make test &`) ignore interrupts, and
# so would every kernel that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

# The outputs in the notebooks were made on painted fruits, on texts of packages
# and from the project's own measurements, so they are compared on these.
# Only tests that use the fixture below use photographs.
OWN_PHOTOGRAPHS = os.environ.get("FRUITS360_DIR", "")
os.environ["FRUITS360_DIR"] = "painted"
os.environ["SIDEBYSIDE_TEXTS"] = "packages"
os.environ.pop("FRUITS360_CLASSES", None)
os.environ.pop("FRUIT_PICTURE", None)
# The parallel test processes get the width of a terminal.
os.environ.pop("COLUMNS", None)
# A campaign of the reader may be running at the same time.
(ROOT / "build").mkdir(exist_ok=True)
os.environ["SIDEBYSIDE_TIMING_LOCK"] = str(ROOT / "build" / "timing.lock")
os.environ["SIDEBYSIDE_TIMINGS"] = os.pathsep.join(
    map(str, sorted((ROOT / "data" / "timings").glob("reference-*")))
)

# Approximate seconds on two cores. Files that are not listed take a few seconds.
SECONDS = {
    "04_timed_training.ipynb": 130,
    "test_r_package.py": 130,
    "01_mnist.ipynb": 120,
    "11_sequences_and_memory.ipynb": 110,
    "12_words.ipynb": 110,
    "13_word_order.ipynb": 110,
    "14_stories_and_answers.ipynb": 110,
    "15_letter_by_letter.ipynb": 110,
    "17_inventing_digits.ipynb": 110,
    "test_exercises.py": 90,
    "test_browser.py": 80,
    "05_where_the_time_goes.ipynb": 75,
    "test_campaign.py": 60,
    "test_cells.py": 60,
    "test_timing_keras.py": 60,
    "test_kernel.py": 60,
    "test_console.py": 30,
    "02_how_r_drives_tensorflow.ipynb": 30,
    "03_fruits_cnn.ipynb": 30,
    "06_statistics.ipynb": 20,
    "07_what_it_costs_you.ipynb": 40,
    "test_own_campaigns.py": 50,
    "test_kernel_memory.py": 20,
    "test_reports.py": 25,
    "test_remote.py": 45,
    "test_compare_with_r.py": 15,
    "test_fetch_fruits.py": 15,
    "test_painted.py": 15,
    "test_verdict.py": 15,
    "test_image.py": 30,
    "test_run.py": 15,
    "test_lint.py": 15,
    "test_simulation.py": 15,
    "test_github.py": 15,
    "00_start_here.ipynb": 10,
    "test_completion.py": 10,
    "test_offline.py": 10,
    "test_share.py": 10,
}


def pytest_collection_modifyitems(items):
    """Run quick files first, so that small mistakes are found in seconds.

    Then the slow ones, the slowest first, so that the two processes that
    share them (pytest.ini) end at about the same time.
    """
    items.sort(key=lambda item: -SECONDS.get(item.path.name, 1000))


@dataclass
class Reply:
    """The output that a notebook would show under a cell."""

    status: str = ""
    stdout: str = ""
    stderr: str = ""
    result: dict = field(default_factory=dict)
    displays: list = field(default_factory=list)
    order: list = field(default_factory=list)  # texts and displays in order
    updates: list = field(default_factory=list)  # of displays
    error: str = ""
    shown: str = ""  # the text that replaces a traceback

    @property
    def ok(self):
        return self.status == "ok"

    @property
    def text(self):
        """Return the value of the last line, as text."""
        return self.result.get("text/plain", "")


class Kernel:
    """A real kernel in a new process, as Jupyter starts it."""

    def __init__(self, folder):
        # Files and not pipes, because nobody reads them while the kernel runs.
        self.log = (folder / "kernel.log").open("wb")
        self.manager = KernelManager(kernel_name="python3")
        self.manager.start_kernel(cwd=str(folder), stdout=self.log, stderr=self.log)
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)

    def send(self, code, cell_id=None):
        """Start a cell. `finish()` waits for its end.

        JupyterLab sends the id of the cell, and nbclient does not.
        """
        content = {"code": code, "silent": False, "allow_stdin": False}
        metadata = {"cellId": cell_id} if cell_id else {}
        session = self.client.session
        message = session.msg("execute_request", content, metadata=metadata)
        self.client.shell_channel.send(message)
        return message["header"]["msg_id"]

    def next_message(self, timeout):
        """Return the next message of the kernel, or say why there is none."""
        end = time.monotonic() + timeout
        while True:
            try:
                return self.client.get_iopub_msg(timeout=1)
            except queue.Empty:
                alive = self.manager.is_alive()
                assert alive, "the kernel died; see kernel.log in its folder"
                assert time.monotonic() < end, f"nothing for {timeout} s"

    def finish(self, request, timeout=120):
        """Wait for the end of the cell, and return its output."""
        reply = Reply()
        while True:
            message = self.next_message(timeout)
            if message["parent_header"].get("msg_id") != request:
                continue
            content = message["content"]
            match message["msg_type"]:
                case "stream":
                    name = content["name"]
                    text = getattr(reply, name) + content["text"]
                    setattr(reply, name, text)
                    reply.order.append(content["text"])
                case "display_data":
                    reply.displays.append(content)
                    reply.order.append("a picture")
                case "update_display_data":
                    reply.updates.append(content)
                case "execute_result":
                    reply.result = content["data"]
                case "error":
                    reply.error = content["ename"]
                    reply.shown = "\n".join(content["traceback"])
                case "status" if content["execution_state"] == "idle":
                    break
        # If the kernel was slow to start, wait_for_ready() has asked it several
        # times. Those answers come first.
        answer = {"parent_header": {}}
        while answer["parent_header"].get("msg_id") != request:
            answer = self.client.get_shell_msg(timeout=timeout)
        reply.status = answer["content"]["status"]
        return reply

    def run(self, code, cell_id=None):
        """Run a cell to its end."""
        return self.finish(self.send(code, cell_id))

    def r(self, code):
        """Run an R cell to its end."""
        return self.run("%%R\n" + code)

    def interrupt(self):
        """Press the stop button."""
        self.manager.interrupt_kernel()

    def leave(self, timeout=30):
        """Ask the kernel to end, as Jupyter does, and return its exit code."""
        process = self.manager.provisioner.process
        self.client.shutdown()
        code = process.wait(timeout)
        self.stop()
        return code

    def stop(self):
        """End the kernel in any case."""
        self.client.stop_channels()
        if self.manager.has_kernel:
            self.manager.shutdown_kernel(now=True)
        self.log.close()


@pytest.fixture(scope="session")
def photographs(tmp_path_factory):
    """Real photographs: the reader's folder, or an archive next to the project."""
    if OWN_PHOTOGRAPHS not in ("", "painted"):
        return OWN_PHOTOGRAPHS
    if not ARCHIVE.exists():
        pytest.skip("no photographs: neither FRUITS360_DIR nor ../shared/data")
    folder = tmp_path_factory.mktemp("photographs")
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(folder)
    return str(folder)


@pytest.fixture
def start_kernel(tmp_path):
    """Return a function that starts a kernel, which ends with the test."""
    kernels = []

    def start():
        kernels.append(Kernel(tmp_path))
        return kernels[-1]

    yield start
    for kernel in kernels:
        kernel.stop()


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    """One kernel for all tests of a file, with R in it.

    Starting one takes 4 s. The tests share its variables, as cells do.
    """
    kernel = Kernel(tmp_path_factory.mktemp("kernel"))
    try:
        loaded = kernel.run("%load_ext sidebyside")
        assert loaded.ok, loaded.shown
        kernel.loaded = loaded
        yield kernel
    finally:
        kernel.stop()


def pytest_report_header():
    return f"python: {sys.executable}"
