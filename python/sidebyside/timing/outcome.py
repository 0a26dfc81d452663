"""Turn a process that has ended into a row, and compare the losses of a block."""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path
from typing import Any

from .format import COMPLETE, EPOCH_COLUMNS, FIRST_ARM, STAGE_COLUMNS, as_time
from .run import arms
from .run.processes import Outcome


class NoResult(Exception):
    """A program ended properly but did not do its work."""


# A name of a GPU, such as /device:GPU:0 (TensorFlow) or cuda:0 (JAX).
_GPU = re.compile("gpu|cuda|rocm", re.I)

# Errors that reading the files of a run may raise: a program may write anything into
# its folder.
_NO_RESULT = (NoResult, OSError, ValueError, KeyError, TypeError)


def drift_allowed(seconds: float) -> float:
    """Return how far the system's clock may drift in a run of this many seconds.

    Clocks are adjusted by at most half a thousandth of the time.
    """
    return 0.05 + 0.001 * seconds


def finished(row: dict[str, Any], outcome: Outcome, folder: Path) -> dict[str, Any]:
    """Return the row of a run that has ended.

    Parameters
    ----------
    row
        The values from before the run, with the state "interrupted".
    folder
        The folder with the files that the run wrote.
    """
    if outcome.reason == "lost":
        return {**row, "message": "the process that measures the program was killed"}
    row = {
        **row,
        "exit_code": outcome.exit_code,
        "started": as_time(outcome.started),
        "process_seconds": round(outcome.seconds, 6),
        "cpu_seconds": round(outcome.cpu_seconds, 6),
        "peak_memory_mb": round(outcome.peak_bytes / 1e6, 3),
        "clock_drift_seconds": round(outcome.drift, 6),
    }
    if outcome.reason == "timeout" or outcome.exit_code != 0:
        row["state"] = "timeout" if outcome.reason == "timeout" else "crashed"
        words = [arms.how_it_ended(outcome), arms.last_words(folder)]
        row["message"] = "; ".join(filter(None, words))
        # Often such a run has not trained anything yet.
        with contextlib.suppress(*_NO_RESULT):
            row |= _epochs(folder, row["epochs"])
        return row
    if abs(outcome.drift) > drift_allowed(outcome.seconds):
        message = (
            f"the system's clock was changed by {outcome.drift:+.3f} s, or the "
            "machine slept"
        )
        return {**row, "message": message}
    try:
        row |= _stages(folder, outcome.started)
        row |= _epochs(folder, row["epochs"])
        row |= _size(folder)
        _check_device(folder, row["device"])
    except _NO_RESULT as problem:
        return {**row, "state": "crashed", "message": f"{problem}"}
    return {**row, "state": "ok"}


def _json(folder: Path, name: str) -> Any:
    """Read a file of the run; None if the run did not write it."""
    path = folder / name
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def _stages(folder: Path, started: float) -> dict[str, float]:
    found = _json(folder, "stages.json")
    if found is None:
        raise NoResult("it ended before its last line")
    stamps = found["stamps"]
    if len(stamps) != len(STAGE_COLUMNS):
        raise NoResult(f"found {len(stamps)} time stamps, expected one per stage")
    begin = [started, *stamps[:-1]]
    # The system's clock may drift, so a stage could seem to end before it began.
    return {
        name: round(max(0.0, end - start), 6)
        for name, start, end in zip(STAGE_COLUMNS, begin, stamps, strict=True)
    }


def _epochs(folder: Path, epochs: int) -> dict[str, tuple[float, ...]]:
    """Return the lists of a run, from Keras's callback or from the program itself."""
    logs: dict[str, list[float]] = {}
    if fits := _json(folder, "fits.json"):
        for epoch in (x for fit in fits for x in fit["logs"]):
            for name, value in epoch.items():
                logs.setdefault(name, []).append(value)
        # A model with its own training step may give its losses other names.
        logs.setdefault("loss", next(iter(logs.values()), []))
        seconds = [x for fit in fits for x in fit["seconds"]]
    else:
        logs = _json(folder, "stages.json")["history"]
        seconds = logs.get("epoch_seconds", [])
    found = {"epoch_seconds": tuple(round(x, 6) for x in seconds)}
    for name in EPOCH_COLUMNS[1:]:
        found[name] = tuple(float(x) for x in _named(logs, name))
    if not found["loss"]:
        raise NoResult(
            "no loss was found: expected one from Keras's fit() or in the program's "
            "variable `history`"
        )
    for name, values in found.items():
        if len(values) not in (0, epochs):
            raise NoResult(
                f"{name} has {len(values)} values, expected one for each of "
                f"{epochs} epochs"
            )
    return found


def _size(folder: Path) -> dict[str, float | None]:
    """Return how much Keras's fit() had to do; nothing if Keras did not train."""
    fits = _json(folder, "fits.json")
    if not fits:
        return {}
    # Several trainings may have different numbers of batches.
    batches = {x["batches"] for x in fits}
    return {
        "batches": batches.pop() if len(batches) == 1 else None,
        "array_mb": round(sum(x["array_bytes"] for x in fits) / 1e6, 3),
    }


def _named(logs: dict[str, list[float]], name: str) -> list[float]:
    """Return a metric's values. Keras has several names for the accuracy."""
    if name in logs:
        return logs[name]
    if name.endswith("accuracy"):
        for other, values in logs.items():
            same_data = other.startswith("val_") == name.startswith("val_")
            if same_data and other.endswith(("accuracy", "acc")):
                return values
    return []


def _check_device(folder: Path, device: str) -> None:
    """Check that the model was on the device that was asked for.

    On the CPU a program may train without Keras, so that no device is known.
    """
    fits = _json(folder, "fits.json") or []
    devices = sorted({x for fit in fits for x in fit["devices"]})
    found = {"gpu" if _GPU.search(x) else "cpu" for x in devices}
    if found != {device} and (found or device == "gpu"):
        raise NoResult(
            f"the model was not on the {device.upper()}: its variables were on "
            f"{', '.join(devices) or 'no known device'}"
        )


def judge(block: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Compare the losses within a block, and return the rows whose state changed.

    They are compared with those of the `python` run, or of the first complete run
    if the `python` run is not complete.
    """
    complete = [x for x in block if x["state"] in COMPLETE]
    yardstick = min(complete, key=lambda x: x["arm"] != FIRST_ARM, default={})
    changed = []
    for row in complete:
        message = _other_losses(row, yardstick)
        state = "wrong-loss" if message else "ok"
        if state != row["state"]:
            row["state"], row["message"] = state, message
            changed.append(row)
    return changed


def _other_losses(row: dict[str, Any], yardstick: dict[str, Any]) -> str:
    for name in ("loss", "val_loss"):
        own, other = row[name], yardstick[name]
        if len(own) != len(other):
            return (
                f"{len(own)} values of {name}, but {len(other)} in run "
                f"{yardstick['run']} ({yardstick['arm']})"
            )
        pairs = zip(own, other, strict=True)
        for epoch, (a, b) in enumerate(pairs, 1):
            # Compare texts, because NaN is not equal to itself.
            if repr(a) != repr(b):
                return (
                    f"epoch {epoch}: {name} {a!r}, but {b!r} in run "
                    f"{yardstick['run']} ({yardstick['arm']})"
                )
    return ""
