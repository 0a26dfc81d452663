"""One program in a process of its own, measured and kept (keeper.py)."""

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

# Seconds between two looks at the clock while a program runs. Whatever the
# experiment does meanwhile takes from the program's processors.
TICK = 2.0

# Seconds until a keeper that was told to stop has killed what it keeps.
TO_STOP = 10.0


@dataclass(frozen=True)
class Outcome:
    """How a process ended.

    Attributes
    ----------
    reason
        "" if it ended by itself, "timeout", or "lost" if the keeper was
        killed, in which case nothing is known of the rest.
    exit_code
        Of the process; -9 if signal 9 ended it.
    started
        Seconds since 1970 at its start, by the system's clock.
    seconds
        From its start to its end, by the monotonic clock.
    drift
        How much more the system's clock advanced meanwhile, in seconds.
    cpu_seconds
        Processor time, user and system, of it and its children.
    peak_bytes
        Most resident memory of one process.
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
        With the program's full path first.
    environment
        All of it; nothing is inherited.
    folder
        Gets the files `stdout` and `stderr`.
    directory
        The working directory.
    timeout
        Seconds after which the program and all that it started is killed.
    tick
        Called every two seconds meanwhile.

    Whatever ends this function, an interruption too, the program does not
    outlive it; and if this process is killed, the program is as well.
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
        # The terminal's Ctrl-C is for the experiment.
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
        # Ends the program, if it still runs.
        keeper.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            keeper.wait(TO_STOP)
        keeper.stdout.close()
    lines = said.splitlines()
    if len(lines) < 2:
        return Outcome("lost")
    return Outcome(**json.loads(lines[-1]))
