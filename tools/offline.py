"""Run a command as on Binder: with the network off, in 2 GB of memory.

    python tools/offline.py                      execute all notebooks (tools/run.py)
    python tools/offline.py COMMAND ...          run another command
    python tools/offline.py --no-limit COMMAND   the network off, memory as it is: in
                                                 `make test` each notebook has its own
                                                 2 GB (tests/kernel_memory.py)

The network is off because the command runs in a network of its own (a Linux namespace,
made by `unshare`) that contains only the machine itself. Some containers do not allow
that. Then this says so, and sends requests to a proxy that does not exist.

Memory is measured five times a second: the command and everything that it starts. If it
is more than the limit, all of them are ended.

The exit status is the command's; 1 if memory ended it.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
ALL_NOTEBOOKS = (sys.executable, str(ROOT / "tools" / "run.py"))
INTERVAL = 0.2  # seconds between two measurements of memory
BINDER = 2_000_000_000  # bytes

# Nothing answers at port 9 of this machine (the "discard" service).
NOWHERE = "http://127.0.0.1:9"
NO_PROXY = dict.fromkeys(
    ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), NOWHERE
)
NO_PROXY |= dict.fromkeys(("no_proxy", "NO_PROXY"), "localhost,127.0.0.1")
NOT_OFF = "not off (no namespaces here), but behind a proxy that does not exist"

# In a new network even 127.0.0.1 is down, and notebooks need it to talk with their
# kernels. SIOCSIFFLAGS (0x8914) with IFF_UP (1) raises it, see netdevice(7). Then
# prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL) gives back the rights that this took:
# they would let tests write to folders that are closed to the user.
RAISE_LOOPBACK = """
import ctypes, fcntl, os, socket, struct, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
    fcntl.ioctl(channel, 0x8914, struct.pack("16sH14x", b"lo", 1))
ctypes.CDLL(None).prctl(47, 4, 0, 0, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""

# Root may simply have another network; other users where user namespaces are allowed,
# under their own name: tests see whose files are whose.
WAYS_OUT = (
    ("unshare", "--net"),
    ("unshare", "--map-current-user", "--keep-caps", "--net"),
)


def own_network() -> list[str]:
    """What gives a command a network of its own if put before it; [] if not allowed."""
    if shutil.which("unshare"):
        for way in WAYS_OUT:
            prefix = [*way, sys.executable, "-c", RAISE_LOOPBACK]
            tried = subprocess.run(
                [*prefix, "true"], stderr=subprocess.DEVNULL, check=False
            )
            if tried.returncode == 0:
                return prefix
    return []


def network() -> str:
    """Whether there is a network, for the reader of a log."""
    if all(
        name.startswith("lo") or not state.isup
        for name, state in psutil.net_if_stats().items()
    ):
        return "off"
    return NOT_OFF if os.environ.get("http_proxy") == NOWHERE else "on"


def memory_of(processes: Sequence[psutil.Process]) -> int:
    """Bytes that processes take together, with what they share counted once.

    Each one's own memory (USS, see psutil) plus the most that one of them shares. (PSS
    would divide shared memory by all who share it, other notebooks among them.)
    """
    own, shared = 0, 0
    for process in processes:
        with contextlib.suppress(psutil.Error):
            memory = process.memory_full_info()
            own += memory.uss
            shared = max(shared, memory.rss - memory.uss)
    return own + shared


class Watch(threading.Thread):
    """Measures the memory of a process and all that it starts.

    Ends all of them if they take more than `limit` bytes together. `peak` is the most
    that was seen.
    """

    def __init__(self, process: int, limit: int) -> None:
        super().__init__(daemon=True)
        self.process = process
        self.limit = limit
        self.peak = 0
        self.exceeded = False
        self.over = threading.Event()
        self.start()

    def run(self) -> None:
        while not self.over.wait(INTERVAL):
            now = memory_of(self.family())
            self.peak = max(self.peak, now)
            if now > self.limit:
                self.exceeded = True
                self.end()
                return

    def family(self) -> list[psutil.Process]:
        try:
            first = psutil.Process(self.process)
            return [first, *first.children(recursive=True)]
        except psutil.NoSuchProcess:
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
    """Run a command without a network, in `limit` bytes of memory; its exit status."""
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
        print("That was too much memory: everything was ended.", file=sys.stderr)
        return 1
    return code if code >= 0 else 128 - code


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--memory",
        type=float,
        default=BINDER / 1e9,
        metavar="GB",
        help="limit in 10^9 bytes (2)",
    )
    parser.add_argument("--no-limit", action="store_true", help="leave memory as it is")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    chosen = parser.parse_args()
    limit = None if chosen.no_limit else int(chosen.memory * 1e9)
    return run(chosen.command or ALL_NOTEBOOKS, limit)


if __name__ == "__main__":
    sys.exit(main())
