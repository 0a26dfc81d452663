"""Run a command as on Binder: with the network off, in 2 GB of memory.

    python tools/offline.py                      execute all notebooks (tools/run.py) like that
    python tools/offline.py COMMAND ...          run something else like that
    python tools/offline.py --no-limit COMMAND   the network off, memory as it is (`make test`, in which each
                                                 notebook has its own 2 GB: tests/kernel_memory.py)

The network is off because the command runs in a network of its own (a Linux namespace) in which there
is nothing but the machine itself. The memory is limited by a control group, as Docker does it: the
command, its children and what they share are counted, and if it is too much the kernel ends one of
them. Both need rights that not every machine gives (containers often do not). Where they are not
given this says so, and does what remains: requests go to a proxy that does not exist, and the memory is
looked at five times a second and everything ended if it is too much. --strict makes that an error.

The exit status is the command's; 1 if memory ended it.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import fcntl
import itertools
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import psutil

ROOT = Path(__file__).resolve().parent.parent
CGROUPS = Path("/sys/fs/cgroup")
ALL_NOTEBOOKS = (sys.executable, str(ROOT / "tools" / "run.py"))
INTERVAL = 0.2  # seconds between two looks at the memory
BINDER = 2_000_000_000  # bytes

# From linux/prctl.h.
PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 47, 4

# From linux/sockios.h and linux/if.h: read and set the flags of a network interface.
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1

# Port 9 of one's own machine discards what it gets, if it is there at all.
NOWHERE = "http://127.0.0.1:9"
NO_PROXY = dict.fromkeys(
    ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), NOWHERE
)
NO_PROXY |= dict.fromkeys(("no_proxy", "NO_PROXY"), "localhost,127.0.0.1")


def raise_loopback() -> None:
    """Make 127.0.0.1 work: in a new network it is down, and a notebook talks with its kernel over it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        request = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack("16sH14x", fcntl.ioctl(channel, SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(
            channel, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | IFF_UP)
        )


# Root may have another network and stay what it is. Anybody else may where namespaces of users are
# allowed, and keeps the own name there, too: tests see who they are, and whose files are whose.
WAYS_OUT = (
    ["unshare", "--net"],
    ["unshare", "--map-current-user", "--keep-caps", "--net"],
)


def own_network() -> list[str]:
    """What to put before a command so that it has a network of its own; nothing where that is not allowed."""
    if shutil.which("unshare") is None:
        return []
    for way in WAYS_OUT:
        inside = [*way, sys.executable, str(Path(__file__).resolve()), "--inside"]
        tried = subprocess.run(
            [*inside, sys.executable, "-c", ""], stderr=subprocess.DEVNULL, check=False
        )
        if tried.returncode == 0:
            return inside
    return []


def go_inside(command: Sequence[str]) -> NoReturn:
    """Become the command, once the loopback is up."""
    raise_loopback()
    # Who is not root was given rights for that, over the own files as well: a folder that may not be
    # written to could be. (It fails where there are none to give back.)
    ctypes.CDLL(None).prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    os.execvp(command[0], list(command))


def network() -> str:
    """Whether there is one, for the reader of a log."""
    if all(
        name.startswith("lo") or not state.isup
        for name, state in psutil.net_if_stats().items()
    ):
        return "off"
    if os.environ.get("http_proxy") == NOWHERE:
        return "not off (no namespaces here), but behind a proxy that is not there"
    return "on"


@dataclass(frozen=True)
class Group:
    """A control group with a limit of memory."""

    folder: Path
    version: int

    def take(self, process: int) -> None:
        """Move a process here; what it starts from now on is here, too."""
        (self.folder / "cgroup.procs").write_text(str(process))

    def killed(self) -> int:
        """How many processes the kernel has ended for want of memory."""
        file = self.folder / (
            "memory.events" if self.version == 2 else "memory.oom_control"
        )
        if not file.exists():
            return 0  # it was removed
        found = dict(line.split() for line in file.read_text().splitlines())
        return int(found.get("oom_kill", 0))

    def remove(self) -> None:
        """To be called when its processes have ended; those that have not keep it."""
        with contextlib.suppress(OSError):
            self.folder.rmdir()


numbers = itertools.count(1)


def make_group(
    limit: int, groups: Path = CGROUPS, own: str | None = None
) -> Group | None:
    """A control group below our own, with this limit in bytes; None where we may not have one."""
    if own is None:
        own = (
            Path("/proc/self/cgroup").read_text()
            if Path("/proc/self/cgroup").exists()
            else ""
        )
    for line in own.splitlines():
        _, controllers, place = line.split(":", 2)
        version = 2 if not controllers else 1
        if version == 1 and "memory" not in controllers.split(","):
            continue
        above = groups if version == 2 else groups / "memory"
        folder = above / place.lstrip("/") / f"sidebyside-{os.getpid()}-{next(numbers)}"
        try:
            folder.mkdir()
        except OSError:
            continue
        try:
            (
                folder / ("memory.max" if version == 2 else "memory.limit_in_bytes")
            ).write_text(str(limit))
        except OSError:
            folder.rmdir()  # the group above does not pass the right to limit memory on
            continue
        with contextlib.suppress(OSError):  # not everywhere is swap counted
            (
                folder
                / ("memory.swap.max" if version == 2 else "memory.memsw.limit_in_bytes")
            ).write_text("0" if version == 2 else str(limit))
        return Group(folder, version)
    return None


def memory_of(processes: Sequence[psutil.Process]) -> int:
    """Bytes that processes take together, what they share counted once.

    To what each has for itself (USS, see psutil) comes the most that one of them shares with any. (PSS
    would divide that by all who share it, other notebooks among them.)
    """
    own, shared = 0, 0
    for process in processes:
        with contextlib.suppress(psutil.Error):
            memory = process.memory_full_info()
            own += memory.uss
            shared = max(shared, memory.rss - memory.uss)
    return own + shared


class Watch(threading.Thread):
    """Looks at the memory of a process and its children, and ends them all if it is more than the limit."""

    def __init__(self, process: int, limit: int) -> None:
        super().__init__(daemon=True)
        self.process = process
        self.limit = limit
        self.peak = 0
        self.exceeded = False
        self.over = threading.Event()

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
                process.send_signal(signal.SIGKILL)


class Limit:
    """The most memory, in bytes, that a process and all that it starts may take.

    A control group holds it where we may have one, else a watch; the watch tells the peak in both cases.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.group = make_group(limit)
        self.watch: Watch | None = None
        self.ended = False

    @property
    def means(self) -> str:
        if self.group:
            return f"a control group (version {self.group.version})"
        return "looking at it (no control groups here)"

    @property
    def peak(self) -> int:
        return self.watch.peak if self.watch else 0

    def hold(self, process: int) -> None:
        """From now on; to be called before the process has done anything."""
        if self.group:
            self.group.take(process)
        self.watch = Watch(process, self.limit)
        self.watch.start()

    def exceeded(self) -> bool:
        """Whether a process was ended for want of memory."""
        if (self.watch and self.watch.exceeded) or (self.group and self.group.killed()):
            self.ended = True
        return self.ended

    def close(self) -> None:
        """To be called when the process has ended, and once more if what it started may have outlived it."""
        if self.watch:
            self.watch.over.set()
            self.watch.join()
        self.exceeded()
        if self.group:
            self.group.remove()


def run(command: Sequence[str], limit: int | None, strict: bool) -> int:
    """Run a command without a network, in `limit` bytes of memory; its exit status."""
    environment = dict(os.environ)
    prefix = own_network()
    without = (
        "off"
        if prefix
        else "not off (no namespaces here), but behind a proxy that is not there"
    )
    if not prefix:
        environment |= NO_PROXY
    if limit is None:
        print(f"Network: {without}.", flush=True)
        if strict and not prefix:
            print(
                "--strict: this machine does not give the rights for that.",
                file=sys.stderr,
            )
            return 1
        command = [*prefix, *command]
        os.execvpe(command[0], command, environment)
    limited = Limit(limit)
    print(
        f"Network: {without}. Memory: {limit / 1e9:.2f} GB, by {limited.means}.",
        flush=True,
    )
    try:
        if strict and not (prefix and limited.group):
            print(
                "--strict: this machine does not give the rights for both.",
                file=sys.stderr,
            )
            return 1
        child = subprocess.Popen([*prefix, *command], env=environment)
        limited.hold(child.pid)
        try:
            code = child.wait()
        finally:
            if child.poll() is None:
                limited.watch.end()
                child.wait()
        exceeded = limited.exceeded()
    finally:
        limited.close()
    print(f"Peak: {limited.peak / 1e9:.2f} GB of {limit / 1e9:.2f} GB.")
    if exceeded:
        print(
            "That was too much: processes were ended for want of memory.",
            file=sys.stderr,
        )
        return 1
    return code if code >= 0 else 128 - code


def main(arguments: Sequence[str] | None = None) -> int:
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
    parser.add_argument(
        "--no-limit",
        action="store_true",
        help="turn the network off, leave memory alone",
    )
    parser.add_argument(
        "--strict",
        action="store_true",
        help="stop where the machine does not give the rights",
    )
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    chosen = parser.parse_args(arguments)
    command = chosen.command or list(ALL_NOTEBOOKS)
    if chosen.inside:
        go_inside(command)
    return run(
        command, None if chosen.no_limit else int(chosen.memory * 1e9), chosen.strict
    )


if __name__ == "__main__":
    sys.exit(main())
