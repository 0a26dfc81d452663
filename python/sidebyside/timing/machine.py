"""What machine this is, and what disturbs a measurement on it."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import os
import platform
import subprocess
import time
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import psutil

from ..common.files import project_directory

# Seconds over which other processes are watched.
WATCHED = 0.3
# Shares of one processor, and of all, above which something else is running.
BUSY_SHARE = 0.10
BUSY_LOAD = 0.25
LEAST_MEMORY_GB = 1.5

# Their versions are read from the installed packages, nothing is imported.
PACKAGES = (
    *("sidebyside", "keras", "tensorflow", "tensorflow-cpu", "numpy"),
    *("rpy2-rinterface", "rpy2-robjects", "h5py", "ml-dtypes"),
)
# Variables that decide about threads and speed begin so. Not all of TF_:
# Terraform's begin so too, and some of them are secret.
SPEED_SETTINGS = (
    *("OMP_", "MKL_", "OPENBLAS_", "GOTO_", "KMP_", "XLA_", "TF_NUM_"),
    *("TF_ENABLE_", "TF_DISABLE_", "TF_XLA_", "TF_GPU_", "TF_CPP_"),
    *("TF_DETERMINISTIC_", "TF_CUDNN_", "TF_FORCE_", "TF_USE_"),
)

_SYSTEM = Path("/sys/devices/system/cpu")


def describe_machine() -> dict[str, Any]:
    """What can be known about the machine without running a program.

    No names of hosts or users. Takes a second, because of py-cpuinfo.
    """
    return {
        "id": machine_id(),
        "boot": boot_id(),
        "cpu": {
            **_processor(),
            "cores": psutil.cpu_count(logical=False),
            "threads": psutil.cpu_count(),
            "usable": _usable_cores(),
        },
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "gpu": _gpus(),
        "system": {
            "os": _distribution(),
            "kernel": f"{platform.system()} {platform.release()}",
        },
        "packages": _packages(),
        "threads": {
            name: value
            for name, value in sorted(os.environ.items())
            if name.startswith(SPEED_SETTINGS)
        },
        "git": _git(),
    }


def machine_id() -> str:
    """An anonymous name that stays the same: 12 digits of a SHA-256.

    It is made from the number that the system was given when it was installed
    (or, in containers without one, that of the network card), the processor's
    name and the amount of memory, which cannot be read back from it.
    """
    number = _read("/etc/machine-id") or _read("/var/lib/dbus/machine-id")
    number = number or f"{uuid.getnode():x}"
    memory = round(psutil.virtual_memory().total / 2**30)
    parts = (number, _brand(), str(os.cpu_count()), str(memory))
    text = "\0".join(("sidebyside-timing", *parts))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def boot_id() -> str:
    """Identifies the system that runs since the machine was last started.

    Containers share it with their host and with each other, so it tells
    thirty containers on one server from thirty machines. 12 digits of a
    SHA-256, "" where the system has no such number (macOS, Windows).
    """
    number = _read("/proc/sys/kernel/random/boot_id")
    if not number:
        return ""
    text = f"sidebyside-timing\0{number}"
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def busy_findings() -> list[str]:
    """What would disturb a measurement now; a sentence each."""
    found = []
    before = psutil.swap_memory()
    busy = _others_at_work()
    after = psutil.swap_memory()
    cores = _usable_cores()
    load = load_average()
    if load > BUSY_LOAD * cores:
        found.append(f"the load of the last minute was {load:.2f} on {cores} cores")
    if busy:
        shares = ", ".join(f"{name} {share:.0%}" for name, share in busy)
        found.append(f"other processes use the processor: {shares}")
    if (after.sin, after.sout) != (before.sin, before.sout):
        found.append("the machine is swapping")
    free = psutil.virtual_memory().available / 1e9
    if free < LEAST_MEMORY_GB:
        found.append(f"only {free:.1f} GB of memory are free")
    if _on_battery():
        found.append("the machine runs on its battery")
    slow = [name for name in _governors() if name not in ("performance", "")]
    if slow:
        found.append(f"the frequency governor is {', '.join(slow)}, not performance")
    return found


def _on_battery() -> bool:
    """False too if it is not known."""
    ask = getattr(psutil, "sensors_battery", lambda: None)
    try:
        battery = ask()
    except OSError:  # a container may have no /sys/class/power_supply
        return False
    return battery is not None and battery.power_plugged is False


def load_average() -> float:
    """Of the last minute; NaN where the system has none."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")


def counters() -> dict[str, float]:
    """Counters whose growth during a campaign tells of disturbances.

    `stolen` seconds went to other guests of the same machine; `throttled`
    counts how often the processor was slowed down for heat, `limited` how
    often the container was stopped for having had its share; `swapped` are
    bytes.
    """
    times = psutil.cpu_times()
    swap = psutil.swap_memory()
    throttled = sum(
        int(_read(path) or 0)
        for path in _SYSTEM.glob("cpu[0-9]*/thermal_throttle/core_*_count")
    )
    limited = 0
    for line in _read("/sys/fs/cgroup/cpu.stat").splitlines():
        name, _, value = line.partition(" ")
        if name == "nr_throttled":
            limited = int(value)
    return {
        "stolen": getattr(times, "steal", 0.0),
        "throttled": throttled,
        "limited": limited,
        "swapped": swap.sin + swap.sout,
    }


def disturbances(
    before: dict[str, float], after: dict[str, float], seconds: float
) -> list[str]:
    """What the counters say about the time between; a sentence each."""
    grown = {name: after[name] - before[name] for name in before}
    found = []
    share = grown["stolen"] / max(seconds * (os.cpu_count() or 1), 1e-9)
    if share > 0.005:
        found.append(f"other guests of the host took {share:.1%} of the processors")
    if grown["throttled"] > 0:
        found.append(
            f"the processor was slowed down for heat {grown['throttled']:.0f} times"
        )
    if grown["limited"] > 0:
        found.append(f"the container's limit stopped it {grown['limited']:.0f} times")
    if grown["swapped"] > 0:
        found.append(f"{grown['swapped'] / 1e6:.1f} MB were swapped")
    return found


# --- parts


def _read(path: str | Path) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _output(*command: str, folder: Path | None = None) -> str:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=20,
            cwd=folder,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _brand() -> str:
    for line in _read("/proc/cpuinfo").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.processor() or platform.machine()


def _processor() -> dict[str, Any]:
    import cpuinfo

    info = cpuinfo.get_cpu_info()
    flags = set(info.get("flags", ()))
    # What decides which of TensorFlow's code paths runs.
    told = ("avx", "avx2", "fma", "avx512f", "avx512_vnni", "amx_tile")
    return {
        "name": info.get("brand_raw", _brand()),
        "architecture": info.get("arch_string_raw", platform.machine()),
        "instructions": [name for name in told if name in flags],
    }


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _governors() -> list[str]:
    paths = _SYSTEM.glob("cpu[0-9]*/cpufreq/scaling_governor")
    return sorted({_read(path) for path in paths})


def _gpus() -> list[dict[str, str]]:
    text = _output(
        "nvidia-smi",
        "--query-gpu=name,driver_version,memory.total",
        "--format=csv,noheader",
    )
    names = ("name", "driver", "memory")
    return [
        dict(zip(names, (x.strip() for x in line.split(",")), strict=False))
        for line in text.splitlines()
    ]


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return f"{platform.system()} {platform.mac_ver()[0]}".strip()


def _packages() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _git() -> dict[str, Any]:
    project = project_directory()
    if project is None:
        return {}
    commit = _output("git", "rev-parse", "HEAD", folder=project)
    changed = _output("git", "status", "--porcelain", folder=project)
    return {"commit": commit, "dirty": bool(changed)} if commit else {}


def _others_at_work(
    watched: Iterable[psutil.Process] | None = None,
    wait: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> list[tuple[str, float]]:
    """Other processes and the share of one processor that each uses now."""
    others = psutil.process_iter() if watched is None else watched
    before = {p: _processor_time(p) for p in others if p.pid != os.getpid()}
    start = clock()
    wait(WATCHED)
    passed = clock() - start
    found = []
    for process, used in before.items():
        share = (_processor_time(process) - used) / passed
        if share > BUSY_SHARE:
            with contextlib.suppress(psutil.Error):
                found.append((process.name(), share))
    return sorted(found, key=lambda x: -x[1])[:3]


def _processor_time(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0
    return times.user + times.system
