"""Run one program, measure it, and end it together with everything it started.

`processes.py` starts this script for every run:

    python -I -S keeper.py

and sends its order as a line of JSON on standard input.

This small process between the experiment and the program has four purposes. It
has only a few megabytes of memory when it forks, so the program's peak memory is
its own (after a fork Linux also counts the parent's memory). The experiment does
not disturb its clock. It can use wait4(), which only the parent of a process may
call. And it ends the program if the experiment ends for any reason: its standard
input is a pipe from the experiment, which the system then closes.

It uses only a small part of the standard library, so that it starts in 15 ms.
"""

import contextlib
import ctypes
import json
import os
import select
import signal
import sys
import time

# From linux/prctl.h. Other systems have no prctl, and use only the pipe.
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


ENDINGS = (
    *(signal.SIGINT, signal.SIGTERM, signal.SIGHUP),
    *(signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD),
)


def _prctl():
    if not sys.platform.startswith("linux"):
        return lambda *_: 0
    return ctypes.CDLL(None, use_errno=True).prctl


def _say(**facts):
    """Write a line to the experiment, which may have ended."""
    with contextlib.suppress(OSError):
        os.write(1, (json.dumps(facts) + "\n").encode())


def _become(order, prctl, keeper):
    """Replace the forked child by the program. This never returns."""
    try:
        os.setsid()
        # If the keeper is killed, the system also kills the program.
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != keeper:
            os._exit(127)
        # Python ignores two signals, and the program would inherit that.
        for number in ENDINGS:
            signal.signal(number, signal.SIG_DFL)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        for number, name in ((1, "stdout"), (2, "stderr")):
            file = os.open(os.path.join(order["folder"], name), flags, 0o644)
            os.dup2(file, number)
        os.chdir(order["directory"])
        os.execve(order["command"][0], order["command"], order["environment"])
    except BaseException as problem:
        os.write(2, f"{order['command'][0]}: {problem}\n".encode())
    os._exit(127)


def _end(child):
    """Kill the program and everything that it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)


def _end_orphans():
    """Kill processes that left the program's group, for a second at most.

    They became our children when their parents ended.
    """
    until = time.monotonic() + 1
    while time.monotonic() < until:
        try:
            found, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if found == 0:
            for orphan in _children():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(orphan, signal.SIGKILL)
            time.sleep(0.01)


def _children():
    try:
        with open("/proc/thread-self/children") as file:
            return [int(x) for x in file.read().split()]
    except OSError:
        return []


def _measured(status, usage, begin, end):
    """Return the measurements of a program that has ended.

    `begin` and `end` each have a time by the system's clock and one by the monotonic
    clock. `usage` is that of the program and its children.
    """
    kilobyte = 1 if sys.platform == "darwin" else 1024
    seconds = end[1] - begin[1]
    return {
        "exit_code": os.waitstatus_to_exitcode(status),
        "started": begin[0],
        "seconds": seconds,
        "drift": (end[0] - begin[0]) - seconds,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_bytes": usage.ru_maxrss * kilobyte,
    }


def main():
    line = b""
    while not line.endswith(b"\n"):
        piece = os.read(0, 1 << 16)
        if not piece:
            return
        line += piece
    order = json.loads(line)
    prctl = _prctl()
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    # The end of a child wakes up select().
    wake, bell = os.pipe()
    os.set_blocking(bell, False)
    signal.set_wakeup_fd(bell)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    # Ignore these signals: the experiment decides, and tells us through the pipe.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    keeper = os.getpid()
    wall, monotonic = time.time(), time.monotonic()
    child = os.fork()
    if child == 0:
        _become(order, prctl, keeper)
    _say(pid=child)
    deadline = monotonic + order["timeout"]
    reason = ""
    while True:
        left = deadline - time.monotonic()
        ready, _, _ = select.select([0, wake], [], [], max(0.0, left))
        now_wall, now = time.time(), time.monotonic()
        found, status, usage = os.wait4(child, os.WNOHANG)
        if found:
            break
        if wake in ready:
            os.read(wake, 4096)
        if 0 in ready or left <= 0:
            # Anything on the pipe means stop, even its end.
            reason = "stopped" if 0 in ready else "timeout"
            _end(child)
            _, status, usage = os.wait4(child, 0)
            now_wall, now = time.time(), time.monotonic()
            break
    _end(child)
    _end_orphans()
    _say(reason=reason, **_measured(status, usage, (wall, monotonic), (now_wall, now)))


if __name__ == "__main__":
    main()
