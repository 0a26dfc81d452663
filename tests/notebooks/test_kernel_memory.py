"""tests/kernel_memory.py: a notebook that uses too much memory fails."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import nbformat
import offline
import pytest
from nbformat.v4 import new_code_cell, new_notebook

ROOT = Path(__file__).resolve().parents[2]

TAKE = "x = bytearray(600_000_000); import time; time.sleep(20)"

needs_namespaces = pytest.mark.skipif(
    not offline.own_network(), reason="no namespaces on this machine"
)


@pytest.fixture
def test_notebook(tmp_path):
    """Return a function that executes cells as nbval does, in 0.3 GB of memory."""

    def test(*cells, before=(), options=(), name="tiny.ipynb"):
        notebook = new_notebook(cells=[new_code_cell(cell) for cell in cells])
        nbformat.write(notebook, tmp_path / name)
        (tmp_path / "pytest.ini").write_text("[pytest]\n")
        command = [*before, sys.executable, "-m", "pytest", "--color=no"]
        command += [
            "-p",
            "kernel_memory",
            "--nbval",
            "--nbval-current-env",
            "--kernel-memory=0.3",
        ]
        places = (str(tmp_path), str(ROOT / "tests"), str(ROOT / "tools"))
        return subprocess.run(
            [*command, *options, name],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(places)},
            capture_output=True,
            text=True,
            timeout=60,
        )

    return test


TOO_MUCH = "Cell 1: tiny.ipynb takes more than 0.30 GB of memory"


def test_a_notebook_that_takes_too_much_memory_fails_with_a_clear_message(
    test_notebook,
):
    found = test_notebook("1", TAKE, "2", "3")
    assert TOO_MUCH in found.stdout
    # The other cells do not fail one by one because the kernel is gone.
    assert "1 failed, 1 passed, 2 skipped" in found.stdout
    assert "TOO MUCH of 0.30 GB  tiny.ipynb" in found.stdout
    most = re.search(r"ended at (\d\.\d\d) GB", found.stdout)
    assert float(most[1]) > 0.3


def test_a_notebook_of_the_course_may_take_less(test_notebook):
    options = ["--kernel-memory=2"]
    for name, limit in (("00_tiny.ipynb", "1.50"), ("10_tiny.ipynb", "2.00")):
        found = test_notebook("1", options=options, name=name)
        assert f"of {limit} GB  {name}" in found.stdout


@needs_namespaces
def test_the_network_is_off_and_the_peak_reported(test_notebook):
    """As in `make test`: through tools/offline.py, in two processes."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
        with socket.create_connection(address):
            pass  # it can be reached from here
        found = test_notebook(
            "x = bytearray(100_000_000); import time; time.sleep(0.5)",
            f"import socket\ntry: socket.create_connection({address})\n"
            "except ConnectionRefusedError: refused = True",
            "assert refused",
            before=(sys.executable, ROOT / "tools/offline.py", "--no-limit"),
            options=["--numprocesses=2", "--dist=loadfile"],
        )
    assert found.returncode == 0, found.stdout
    assert "network: off\n" in found.stdout
    peak = re.search(r"(\d\.\d\d) GB of 0.30 GB  tiny.ipynb", found.stdout)
    assert 0.1 < float(peak[1]) < 0.3


def test_make_test_turns_the_network_off():
    """The network is really off in this process."""
    command = ["make", "--dry-run", "test", "ARGS=-k mnist"]
    said = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    words = "python tools/offline.py --no-limit python -m pytest -k mnist"
    assert words in said
    if offline.network() != "off":
        pytest.skip("pytest was not started by `make test`, or cannot be cut")
    with pytest.raises(OSError, match="unreachable"):
        socket.create_connection(("192.0.2.1", 80), timeout=5)
