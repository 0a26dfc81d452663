"""Describe this machine, and find out what disturbs a measurement on it."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import os
import platform
import subprocess
import time
import uuid
from pathlib import Path
from typing import Any

import psutil

from ..common.files import project_directory

# Seconds for which other processes are watched.
WATCHED = 0.3
# Above these shares of one processor, and of all, other programs are disturbing.
BUSY_SHARE = 0.10
BUSY_LOAD = 0.25
LEAST_MEMORY_GB = 1.5

# Packages whose versions are recorded. Nothing is imported for this.
PACKAGES = (
    *("sidebyside", "keras", "tensorflow", "tensorflow-cpu", "numpy"),
    *("jax", "jaxlib", "torch"),
    *("rpy2-rinterface", "rpy2-robjects", "h5py", "ml-dtypes"),
)
# Environment variables about threads and speed begin with these. TF_ alone would be
# too short: Terraform's variables begin with it, too, and some of them are secret.
SPEED_SETTINGS = (
    *("OMP_", "MKL_", "OPENBLAS_", "GOTO_", "KMP_", "XLA_", "TF_NUM_"),
    *("TF_ENABLE_", "TF_DISABLE_", "TF_XLA_", "TF_GPU_", "TF_CPP_"),
    *("TF_DETERMINISTIC_", "TF_CUDNN_", "TF_FORCE_", "TF_USE_"),
)

_SYSTEM = Path("/sys/devices/system/cpu")


def describe_machine() -> dict[str, Any]:
    """Describe the machine as far as possible without running a program.

    The result has no names of hosts or users. This takes a second, because of
    py-cpuinfo.
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
    """Return an anonymous name of the machine: 12 digits of a SHA-256.

    It always stays the same. It is made from the number that the system got when it
    was installed (or, in containers without one, the network card's number), the
    processor's name and the amount of memory. None of them can be found from it.
    """
    number = _read("/etc/machine-id") or _read("/var/lib/dbus/machine-id")
    number = number or f"{uuid.getnode():x}"
    memory = round(psutil.virtual_memory().total / 2**30)
    return _anonymous(number, _brand(), str(os.cpu_count()), str(memory))


def boot_id() -> str:
    """Identify the running system: the next start of the machine gives a new id.

    Containers share this with their host and with each other, so it tells thirty
    containers on one server from thirty machines. It is 12 digits of a SHA-256, or ""
    if the system has no such number (macOS, Windows).
    """
    number = _read("/proc/sys/kernel/random/boot_id")
    return _anonymous(number) if number else ""


def _anonymous(*parts: str) -> str:
    text = "\0".join(("sidebyside-timing", *parts))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def busy_findings() -> list[str]:
    """Return what would disturb a measurement now, in a sentence each."""
    found = []
    load, cores = load_average(), _usable_cores()
    if load > BUSY_LOAD * cores:
        found.append(f"the load of the last minute was {load:.2f} on {cores} cores")
    if busy := _others_at_work():
        shares = ", ".join(f"{name} {share:.0%}" for name, share in busy)
        found.append(f"other processes use the processor: {shares}")
    free = psutil.virtual_memory().available / 1e9
    if free < LEAST_MEMORY_GB:
        found.append(f"only {free:.1f} GB of memory are free")
    if _on_battery():
        found.append("the machine runs on battery power")
    return found


def load_average() -> float:
    """Return the load of the last minute."""
    return os.getloadavg()[0]


def _others_at_work() -> list[tuple[str, float]]:
    """Return the three busiest other processes, with their shares of one processor."""
    # The first call starts the time that the second call measures.
    for _ in psutil.process_iter(["cpu_percent"]):
        pass
    time.sleep(WATCHED)
    found = [
        (process.info["name"], (process.info["cpu_percent"] or 0.0) / 100)
        for process in psutil.process_iter(["name", "cpu_percent"])
        if process.pid != os.getpid()
    ]
    busy = [(name, share) for name, share in found if share > BUSY_SHARE]
    return sorted(busy, key=lambda x: -x[1])[:3]


def _on_battery() -> bool:
    """Return whether the machine runs on battery; False if that is not known."""
    try:
        battery = psutil.sensors_battery()
    except (AttributeError, OSError):
        # Some systems do not say, and some containers lack /sys/class/power_supply.
        return False
    return battery is not None and battery.power_plugged is False


def counters() -> dict[str, float]:
    """Return counters that grow if a campaign is disturbed.

    `stolen`: seconds that went to other guests of the same machine. `throttled`: how
    often the processor was slowed down because of heat. `limited`: how often the
    container was stopped because its share was used up. `swapped`: bytes.
    """
    swap = psutil.swap_memory()
    throttled = _SYSTEM.glob("cpu[0-9]*/thermal_throttle/core_*_count")
    limits = _read("/sys/fs/cgroup/cpu.stat").split()
    limits = dict(zip(limits[::2], limits[1::2], strict=False))
    return {
        "stolen": getattr(psutil.cpu_times(), "steal", 0.0),
        "throttled": sum(int(_read(path) or 0) for path in throttled),
        "limited": int(limits.get("nr_throttled", 0)),
        "swapped": swap.sin + swap.sout,
    }


def disturbances(before: dict[str, float], seconds: float) -> list[str]:
    """Return what has disturbed the campaign since `before`, a sentence for each."""
    grown = {name: value - before[name] for name, value in counters().items()}
    found = []
    share = grown["stolen"] / (seconds * (os.cpu_count() or 1))
    if share > 0.005:
        found.append(f"other guests of the host took {share:.1%} of the processors")
    if grown["throttled"] > 0:
        found.append(
            f"the processor was slowed down {grown['throttled']:.0f} times by heat"
        )
    if grown["limited"] > 0:
        found.append(
            f"the container was paused {grown['limited']:.0f} times, because it "
            "reached its processor limit"
        )
    if grown["swapped"] > 0:
        found.append(f"{grown['swapped'] / 1e6:.1f} MB were swapped")
    return found


# --- parts


def _read(path: str | Path) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def answer_of(*command: str, folder: Path | None = None) -> str | None:
    """Return a program's output; None if it does not exist or fails."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=20,
            cwd=folder,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


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
    # These decide which of its code paths TensorFlow uses.
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


def _gpus() -> list[dict[str, str]]:
    text = answer_of(
        "nvidia-smi",
        "--query-gpu=name,driver_version,memory.total",
        "--format=csv,noheader",
    )
    names = ("name", "driver", "memory")
    return [
        dict(zip(names, (x.strip() for x in line.split(",")), strict=False))
        for line in (text or "").splitlines()
        # If there is none, it prints a remark.
        if line.count(",") == 2
    ]


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return f"{platform.system()} {platform.mac_ver()[0]}".strip()


def _packages() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def _git() -> dict[str, Any]:
    project = project_directory()
    if project is None:
        return {}
    commit = answer_of("git", "rev-parse", "HEAD", folder=project)
    changed = answer_of("git", "status", "--porcelain", folder=project)
    return {"commit": commit, "dirty": bool(changed)} if commit else {}
