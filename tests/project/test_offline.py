"""tools/offline.py: the network is off, and memory is limited."""

import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / "tools" / "offline.py"

sys.path.insert(0, str(ROOT / "tools"))
import offline  # noqa: E402

needs_namespaces = pytest.mark.skipif(
    not offline.own_network(), reason="no namespaces on this machine"
)

HOLD = "import time; x = bytearray({}_000_000); time.sleep({})"


def run(*arguments):
    return subprocess.run(
        [sys.executable, TOOL, *arguments], capture_output=True, text=True, timeout=60
    )


def python(code):
    return [sys.executable, "-c", code]


@needs_namespaces
def test_the_outside_cannot_be_reached():
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
        with socket.create_connection(address):
            pass  # it can be reached from here
        result = run(*python(f"import socket; socket.create_connection({address})"))
    assert result.returncode == 1
    assert "ConnectionRefusedError" in result.stderr
    assert "Network: off." in result.stdout


@needs_namespaces
def test_a_program_can_still_talk_with_itself():
    code = (
        "import socket; s = socket.create_server(('127.0.0.1', 0)); "
        "socket.create_connection(s.getsockname()); print('reached')"
    )
    assert "reached" in run(*python(code)).stdout


def test_the_exit_status_is_the_commands():
    assert run(*python("import sys; sys.exit(7)")).returncode == 7
    assert run("--no-limit", *python("import sys; sys.exit(7)")).returncode == 7
    assert run(*python("import os; os.kill(os.getpid(), 15)")).returncode == 128 + 15


def test_a_command_below_the_limit_ends_normally(capfd):
    code = HOLD.format(100, 1) + "; del x; time.sleep(1)"
    assert offline.run(python(code), 300_000_000) == 0
    peak = float(capfd.readouterr().out.rpartition("Peak: ")[2].split()[0])
    assert 0.1 <= peak < 0.2


@pytest.mark.parametrize("generations", [0, 1, 2])
def test_too_much_memory_ends_all_processes(capfd, generations):
    command = python(HOLD.format(400, 30))
    for _ in range(generations):
        command = python(f"import subprocess; subprocess.run({command!r})")
    assert offline.run(command, 300_000_000) == 1
    assert "too much memory" in capfd.readouterr().err


def test_shared_memory_counts_once():
    """A fork shares its parent's 200 MB, so together they use them once."""
    code = (
        "import os, time; x = bytes(1_000_000) * 200; pid = os.fork(); "
        "print(pid, flush=True) if pid else None; time.sleep(30)"
    )
    with subprocess.Popen(python(code), stdout=subprocess.PIPE, text=True) as parent:
        child = psutil.Process(int(parent.stdout.readline()))
        both = [psutil.Process(parent.pid), child]
        each = [offline.memory_of([process]) for process in both]
        together = offline.memory_of(both)
        child.kill()
        parent.kill()
    assert min(each) > 200e6
    assert max(each) <= together < 1.2 * max(each)


@dataclass
class Process:
    """A process with made-up numbers. (The real state lasts only milliseconds.)"""

    pid: int
    parent: int
    vms: int
    uss: int
    rss: int = 900

    def ppid(self):
        return self.parent

    def memory_full_info(self):
        return self


def test_a_process_that_has_not_started_its_program_counts_with_its_parent():
    parent, starting = Process(1, 0, 5000, 800), Process(2, 1, 5000, 800)
    assert offline.memory_of([parent, starting]) == 900
    started = Process(2, 1, 300, 50, rss=60)
    assert offline.memory_of([parent, started]) == 800 + 50 + 100


def test_an_interrupted_run_leaves_nothing_behind(monkeypatch):
    started = []

    class Interrupted(subprocess.Popen):
        def wait(self, *arguments, **options):
            if not started:
                started.append(self.pid)
                raise KeyboardInterrupt
            return super().wait(*arguments, **options)

    monkeypatch.setattr(offline, "own_network", list)
    monkeypatch.setattr(subprocess, "Popen", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        offline.run(python("import time; time.sleep(60)"), 2_000_000_000)
    assert not psutil.pid_exists(started[0])


def test_without_namespaces_a_line_says_so_and_requests_fail(monkeypatch, capfd):
    monkeypatch.setattr(offline, "own_network", list)
    code = "import urllib.request; urllib.request.urlopen('http://192.0.2.1/')"
    assert offline.run(python(code), 2_000_000_000) == 1
    said = capfd.readouterr()
    assert "Network: not off" in said.out
    assert "Connection refused" in said.err
