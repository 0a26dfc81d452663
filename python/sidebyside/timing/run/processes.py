"""Run one program in a new process, which keeper.py measures and ends."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ...common.python import interpreter

KEEPER = Path(__file__).with_name("keeper.py")

# Seconds between two checks of the clock while a program runs. They are rare because
# the program needs the processors.
TICK = 2.0

# A command in a process that is told to stop, as by Ctrl-C, when the other end of its
# standard input is closed. The system closes it when the parent dies.
_LEASHED = """\
import os, runpy, signal, threading
def wait():
    os.read(0, 1)
    signal.pthread_kill(threading.main_thread().ident, signal.SIGTERM)
threading.Thread(target=wait, daemon=True).start()
runpy.run_module("sidebyside.timing", run_name="__main__", alter_sys=True)
"""

# Seconds that a keeper has to kill its program after it was told to stop.
TO_STOP = 10.0


@dataclass(frozen=True)
class Outcome:
    """How a process ended.

    Attributes
    ----------
    reason
        "" if it ended by itself, "timeout", or "lost" if the keeper was killed.
        In the last case the other attributes are not known.
    exit_code
        Exit code of the process; -9 if signal 9 ended it.
    started
        Seconds since 1970 at its start, by the system's clock.
    seconds
        Seconds from its start to its end, by the monotonic clock.
    drift
        Seconds by which the system's clock advanced more than the monotonic clock.
    cpu_seconds
        Processor time, user and system, of the process and its children.
    peak_bytes
        Largest resident memory of one process.
    """

    reason: str
    exit_code: int | None = None
    started: float = 0.0
    seconds: float = 0.0
    drift: float = 0.0
    cpu_seconds: float = 0.0
    peak_bytes: int = 0


def run_process(
    command: list[str],
    *,
    environment: dict[str, str],
    folder: Path,
    directory: Path,
    timeout: float,
    tick: Callable[[], None] = lambda: None,
) -> Outcome:
    """Run a program to its end and measure it.

    Parameters
    ----------
    command
        The program's full path, then its arguments.
    environment
        All environment variables; none are inherited.
    folder
        The folder for the files `stdout` and `stderr`.
    directory
        The working directory.
    timeout
        Seconds after which the program and everything it started are killed.
    tick
        A function that is called every two seconds.

    The program has always ended when this function ends, even by an interrupt. If
    this process is killed, the program is also killed.
    """
    order = {
        "command": command,
        "environment": environment,
        "folder": str(folder),
        "directory": str(directory),
        "timeout": timeout,
    }
    keeper = subprocess.Popen(
        [interpreter(), "-I", "-S", str(KEEPER)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # Only the experiment should get the terminal's Ctrl-C.
        start_new_session=True,
    )
    said = b""
    try:
        keeper.stdin.write(json.dumps(order).encode() + b"\n")
        keeper.stdin.flush()
        stream = keeper.stdout.fileno()
        while True:
            ready, _, _ = select.select([stream], [], [], TICK)
            if not ready:
                tick()
                continue
            piece = os.read(stream, 65536)
            if not piece:
                break
            said += piece
    finally:
        # This ends the program if it is still running.
        keeper.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            keeper.wait(TO_STOP)
        keeper.stdout.close()
    lines = said.splitlines()
    if len(lines) < 2:
        return Outcome("lost")
    return Outcome(**json.loads(lines[-1]))


def run_leashed(
    arguments: list[str], directory: Path | None, wanted: Callable[[], bool]
) -> tuple[int, str]:
    """Run `python -m sidebyside.timing`, and stop it when it is no longer wanted.

    Parameters
    ----------
    arguments
        Those of the command.
    directory
        The working directory. None: this one.
    wanted
        A function that is called every second. If it returns false, or if this process
        dies, the command ends as after Ctrl-C.

    Returns
    -------
    tuple
        The exit status, and what the command wrote to standard error.
    """
    reading, writing = os.pipe()
    with open(writing, "wb") as leash:
        process = subprocess.Popen(
            [interpreter(), "-c", _LEASHED, *arguments],
            stdin=reading,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            cwd=directory,
            start_new_session=True,
        )
        os.close(reading)
        while True:
            try:
                _, said = process.communicate(timeout=1)
                return process.returncode, said
            except subprocess.TimeoutExpired:
                if not wanted():
                    leash.close()
