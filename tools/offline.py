"""Run a command as on Binder: with the network off, in 2 GB of memory.

    python tools/offline.py                      execute all notebooks (tools/run.py) like that
    python tools/offline.py COMMAND ...          run something else like that

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
import fcntl
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
CGROUPS = Path("/sys/fs/cgroup")
ALL_NOTEBOOKS = (sys.executable, str(ROOT / "tools" / "run.py"))
INTERVAL = 0.2  # seconds between two looks at the memory

# From linux/sockios.h and linux/if.h: read and set the flags of a network interface.
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1

# Port 9 of one's own machine discards what it gets, if it is there at all.
NO_PROXY = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
NO_PROXY |= dict.fromkeys(("no_proxy", "NO_PROXY"), "localhost,127.0.0.1")


def raise_loopback() -> None:
    """Make 127.0.0.1 work: in a new network it is down, and a notebook talks with its kernel over it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        request = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack("16sH14x", fcntl.ioctl(channel, SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(channel, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | IFF_UP))


def can_leave_the_network() -> bool:
    """Whether this machine lets us have a network of our own."""
    command = [*own_network(), sys.executable, "-c", ""]
    return shutil.which("unshare") is not None and subprocess.run(command, stderr=subprocess.DEVNULL).returncode == 0


def own_network() -> list[str]:
    # As root of a namespace of our own: who may not bring up the loopback cannot use it.
    return ["unshare", "--map-root-user", "--net", sys.executable, str(Path(__file__).resolve()), "--inside"]


@dataclass(frozen=True)
class Group:
    """A control group with a limit of memory."""

    folder: Path
    version: int

    def enter(self) -> None:
        """Called in the child, before it becomes the command."""
        (self.folder / "cgroup.procs").write_text(str(os.getpid()))

    def killed(self) -> int:
        """How many processes the kernel has ended for want of memory."""
        file = "memory.events" if self.version == 2 else "memory.oom_control"
        found = dict(line.split() for line in (self.folder / file).read_text().splitlines())
        return int(found.get("oom_kill", 0))


@contextlib.contextmanager
def memory_group(limit: int) -> Iterator[Group | None]:
    """A control group below our own, with this limit in bytes; None where we may not have one."""
    group = make_group(limit)
    try:
        yield group
    finally:
        if group is not None:
            with contextlib.suppress(OSError):
                group.folder.rmdir()


def make_group(limit: int, groups: Path = CGROUPS, own: str | None = None) -> Group | None:
    if own is None:
        own = Path("/proc/self/cgroup").read_text() if Path("/proc/self/cgroup").exists() else ""
    for line in own.splitlines():
        _, controllers, place = line.split(":", 2)
        version = 2 if not controllers else 1
        if version == 1 and "memory" not in controllers.split(","):
            continue
        above = groups if version == 2 else groups / "memory"
        folder = above / place.lstrip("/") / f"sidebyside-{os.getpid()}"
        try:
            folder.mkdir()
        except OSError:
            continue
        try:
            (folder / ("memory.max" if version == 2 else "memory.limit_in_bytes")).write_text(str(limit))
        except OSError:
            folder.rmdir()  # the group above does not pass the right to limit memory on
            continue
        with contextlib.suppress(OSError):  # not everywhere is swap counted
            (folder / ("memory.swap.max" if version == 2 else "memory.memsw.limit_in_bytes")).write_text(
                "0" if version == 2 else str(limit))
        return Group(folder, version)
    return None


class Watch(threading.Thread):
    """Looks at the memory of a process and its children, and ends them all if it is more than the limit.

    What processes share is divided between them (PSS, proc(5)), so that it is counted once.
    """

    def __init__(self, process: int, limit: int) -> None:
        super().__init__(daemon=True)
        self.process = process
        self.limit = limit
        self.peak = 0
        self.exceeded = False
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(INTERVAL):
            now = self.used()
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

    def used(self) -> int:
        total = 0
        for process in self.family():
            with contextlib.suppress(psutil.Error):
                total += process.memory_full_info().pss
        return total

    def end(self) -> None:
        for process in self.family():
            with contextlib.suppress(psutil.Error):
                process.send_signal(signal.SIGKILL)


def run(command: Sequence[str], limit: int, strict: bool) -> int:
    environment = dict(os.environ)
    prefix: list[str] = []
    if can_leave_the_network():
        prefix, network = own_network(), "off"
    else:
        environment |= NO_PROXY
        network = "not off (no namespaces here), but behind a proxy that is not there"
    with memory_group(limit) as group:
        held = f"a control group (version {group.version})" if group else "looking at it (no control groups here)"
        print(f"Network: {network}. Memory: {limit / 1e9:.2f} GB, by {held}.", flush=True)
        if strict and not (prefix and group):
            print("--strict: this machine does not give the rights for both.", file=sys.stderr)
            return 1
        child = subprocess.Popen([*prefix, *command], env=environment, preexec_fn=group and group.enter)
        watch = Watch(child.pid, limit)
        watch.start()
        try:
            code = child.wait()
        finally:
            watch.over.set()
            watch.join()
            if child.poll() is None:
                watch.end()
                child.wait()
        killed = group.killed() if group else 0
    print(f"Peak: {watch.peak / 1e9:.2f} GB of {limit / 1e9:.2f} GB.")
    if watch.exceeded or killed:
        print("That was too much: processes were ended for want of memory.", file=sys.stderr)
        return 1
    return code if code >= 0 else 128 - code


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--memory", type=float, default=2.0, metavar="GB", help="limit in 10^9 bytes (2)")
    parser.add_argument("--strict", action="store_true", help="stop where the machine does not give the rights")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    chosen = parser.parse_args(arguments)
    command = chosen.command or list(ALL_NOTEBOOKS)
    if chosen.inside:
        raise_loopback()
        os.execvp(command[0], command)
    return run(command, int(chosen.memory * 1e9), chosen.strict)


if __name__ == "__main__":
    sys.exit(main())
