"""tools/offline.py: is the network off, and does the memory have an end?"""

import socket
import subprocess
import sys
from pathlib import Path

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
def test_what_is_outside_cannot_be_reached():
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
        with socket.create_connection(address):
            pass  # from here it can
        result = run(*python(f"import socket; socket.create_connection({address})"))
    assert result.returncode == 1
    assert "ConnectionRefusedError" in result.stderr
    assert "Network: off." in result.stdout


@needs_namespaces
def test_a_name_is_not_found_and_an_address_not_reached():
    code = "import socket\ntry: socket.create_connection(('192.0.2.1', 80), 5)\nexcept OSError as e: print(e.errno)"
    assert (
        "101" in run(*python(code)).stdout
    )  # ENETUNREACH: there is no way out, not: no answer


@needs_namespaces
def test_a_program_can_still_talk_with_itself():
    code = (
        "import socket; s = socket.create_server(('127.0.0.1', 0)); "
        "socket.create_connection(s.getsockname()); print('reached')"
    )
    assert "reached" in run(*python(code)).stdout


def test_the_exit_status_is_the_commands():
    assert run(*python("import sys; sys.exit(7)")).returncode == 7
    assert run(*python("import os; os.kill(os.getpid(), 15)")).returncode == 128 + 15


def test_what_stays_below_the_limit_ends_well():
    result = run("--memory", "0.3", *python(HOLD.format(100, 1)))
    assert result.returncode == 0, result.stderr
    peak = float(result.stdout.rpartition("Peak: ")[2].split()[0])
    assert 0.1 <= peak < 0.2


def test_what_takes_too_much_is_ended():
    result = run("--memory", "0.3", *python(HOLD.format(500, 30)))
    assert result.returncode == 1
    assert "for want of memory" in result.stderr


def test_children_count_too():
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {HOLD.format(400, 30)!r}])"
    assert run("--memory", "0.3", *python(code)).returncode == 1


def test_where_there_are_no_control_groups_the_watch_ends_it(monkeypatch, capfd):
    monkeypatch.setattr(offline, "make_group", lambda limit: None)
    assert offline.run(python(HOLD.format(500, 30)), 300_000_000, strict=False) == 1
    said = capfd.readouterr()
    assert "no control groups here" in said.out
    assert "for want of memory" in said.err


def test_where_there_are_no_namespaces_that_is_said_and_requests_fail(
    monkeypatch, capfd
):
    monkeypatch.setattr(offline, "own_network", list)
    code = "import urllib.request; urllib.request.urlopen('http://192.0.2.1/')"
    assert offline.run(python(code), 2_000_000_000, strict=False) == 1
    said = capfd.readouterr()
    assert "Network: not off" in said.out
    assert "Connection refused" in said.err
    assert offline.run(python(code), 2_000_000_000, strict=True) == 1
    assert "--strict" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("own", "file", "version"),
    [
        ("0::/user/me\n", "user/me", 2),
        ("4:cpu,cpuacct:/a\n3:memory:/b\n0::/\n", "memory/b", 1),
    ],
)
def test_the_group_is_made_below_our_own(tmp_path, own, file, version):
    (tmp_path / file).mkdir(parents=True)
    group = offline.make_group(1000, tmp_path, own)
    assert (group.version, group.folder.parent) == (version, tmp_path / file)
    limit = "memory.max" if version == 2 else "memory.limit_in_bytes"
    assert (group.folder / limit).read_text() == "1000"


def test_without_the_right_to_make_one_there_is_none(tmp_path):
    assert offline.make_group(1000, tmp_path, "0::/gone\n") is None
