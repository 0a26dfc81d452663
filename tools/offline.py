"""Run a command as on Binder: with the network off, in 2 GB of memory.

    python tools/offline.py                      execute all notebooks (tools/run.py)
    python tools/offline.py COMMAND ...          run another command
    python tools/offline.py --no-limit COMMAND   the network off, memory not limited: in
                                                 `make test` each notebook has its own
                                                 2 GB (tests/kernel_memory.py)

The command runs in a separate network (a Linux namespace, made by `unshare`) that
contains only the machine itself. Some containers do not allow this. A line then says
so, and requests go to a proxy that does not exist.

The memory of the command and of everything that it starts is measured five times a
second. If it is above the limit, all of them are ended.

The exit status is that of the command, or 1 if it used too much memory.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
ALL_NOTEBOOKS = (sys.executable, str(ROOT / "tools" / "run.py"))
BINDER = 2_000_000_000  # bytes

# Nothing answers at port 9 of this machine (the "discard" service).
NOWHERE = "http://127.0.0.1:9"
NO_PROXY = {"no_proxy": "localhost,127.0.0.1", "NO_PROXY": "localhost,127.0.0.1"}
for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
    NO_PROXY[name] = NOWHERE
NOT_OFF = "not off (no namespaces here), but requests go to a proxy that does not exist"

# In a new network even 127.0.0.1 is down, and notebooks need it to talk to their
# kernels. SIOCSIFFLAGS (0x8914) with IFF_UP (1) switches it on, see netdevice(7). Then
# prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL) drops the rights that this needed,
# because they would let tests write to folders without permission.
RAISE_LOOPBACK = """
import ctypes, fcntl, os, socket, struct, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
    fcntl.ioctl(channel, 0x8914, struct.pack("16sH14x", b"lo", 1))
ctypes.CDLL(None).prctl(47, 4, 0, 0, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""

# Root can always make a network; other users only where user namespaces are allowed.
# They keep their own user id, so that tests see the true owners of files.
WAYS_OUT = (
    ("unshare", "--net"),
    ("unshare", "--map-current-user", "--keep-caps", "--net"),
)


def own_network() -> list[str]:
    """Return a prefix that gives a command a separate network; [] if not allowed."""
    for way in WAYS_OUT:
        prefix = [*way, sys.executable, "-c", RAISE_LOOPBACK]
        with contextlib.suppress(OSError, subprocess.CalledProcessError):
            command = [*prefix, "true"]
            subprocess.run(command, stderr=subprocess.DEVNULL, check=True)
            return prefix
    return []


def network() -> str:
    """Say whether there is a network, for the reader of a log."""
    ways = {name for name, state in psutil.net_if_stats().items() if state.isup}
    if all(name.startswith("lo") for name in ways):
        return "off"
    return NOT_OFF if os.environ.get("http_proxy") == NOWHERE else "on"


def memory_of(processes: Sequence[psutil.Process]) -> int:
    """Return the bytes that processes use together, counting shared memory once.

    It is the sum of each one's own memory (USS, see psutil) plus the largest shared
    memory of one of them. (PSS would divide shared memory among all processes that
    share it, which may belong to other notebooks.)
    """
    own, shared, seen = 0, 0, {}
    for process in processes:
        with contextlib.suppress(psutil.Error):
            memory = seen[process.pid] = process.memory_full_info()
            parent = seen.get(process.ppid())
            # Until a new process runs its program, it lives in its parent's memory
            # (vfork), which must not count twice.
            if parent and parent.vms == memory.vms and memory.uss > parent.uss * 0.9:
                continue
            own += memory.uss
            shared = max(shared, memory.rss - memory.uss)
    return own + shared


class Watch(threading.Thread):
    """Measures the memory of a process and of all processes that it starts.

    Ends all of them if they use more than `limit` bytes together. `peak` is the largest
    measured value.
    """

    def __init__(self, process: int, limit: int) -> None:
        super().__init__(daemon=True)
        self.process = process
        self.limit = limit
        self.peak = 0
        self.over = threading.Event()
        self.start()

    @property
    def exceeded(self) -> bool:
        return self.peak > self.limit

    def run(self) -> None:
        while not self.exceeded and not self.over.wait(0.2):
            self.peak = max(self.peak, memory_of(self.family()))
        if self.exceeded:
            self.end()

    def family(self) -> list[psutil.Process]:
        with contextlib.suppress(psutil.NoSuchProcess):
            first = psutil.Process(self.process)
            return [first, *first.children(recursive=True)]
        return []

    def end(self) -> None:
        for process in self.family():
            with contextlib.suppress(psutil.Error):
                process.kill()

    def close(self) -> None:
        """Stop watching."""
        self.over.set()
        self.join()


def run(command: Sequence[str], limit: int | None) -> int:
    """Run a command offline, in `limit` bytes of memory, and return its exit status."""
    prefix = own_network()
    environment = os.environ | ({} if prefix else NO_PROXY)
    command = [*prefix, *command]
    print(f"Network: {'off' if prefix else NOT_OFF}.", flush=True)
    if limit is None:
        os.execvpe(command[0], command, environment)
    child = subprocess.Popen(command, env=environment)
    watch = Watch(child.pid, limit)
    try:
        code = child.wait()
    finally:
        if child.poll() is None:
            watch.end()
            child.wait()
        watch.close()
    print(f"Peak: {watch.peak / 1e9:.2f} GB of {limit / 1e9:.2f} GB.")
    if watch.exceeded:
        print(
            "The command used too much memory, so everything was ended.",
            file=sys.stderr,
        )
        return 1
    return code if code >= 0 else 128 - code


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--no-limit", action="store_true", help="do not limit the memory"
    )
    parser.add_argument("command", nargs=argparse.REMAINDER, help="all notebooks")
    options = parser.parse_args(arguments)
    limit = None if options.no_limit else BINDER
    return run(options.command or ALL_NOTEBOOKS, limit)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
