"""Train two arms by turns, an epoch each: the sharpest comparison of two fits.

Two runs of a minute on a shared machine may differ by a tenth for no reason of
their own. Here both programs run at the same time, and one waits while the other
trains an epoch. The two epochs of a pair meet the same machine, so their ratio is
far steadier than that of two runs, and there are as many ratios as epochs.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import random
import select
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..cells import TimedProgram, read_programs
from ..plan import default_notebook
from ..ratio import Ratio, paired_ratio
from .arms import LANGUAGE, environment, how_it_ended, last_words, write_script
from .processes import Outcome, run_process

# Set in an arm's environment; the hook reads it.
TURNS = "SIDEBYSIDE_TIMING_TURNS"


class Interrupted(RuntimeError):
    """An arm ended before its last epoch; the message holds its last words."""


@dataclass(frozen=True)
class Epochs:
    """What two arms took, epoch by epoch.

    Attributes
    ----------
    arms
        The two, in the order of the ratio.
    seconds
        For each epoch, the seconds of both.
    losses
        Of each arm, epoch by epoch.
    """

    arms: tuple[str, str]
    seconds: list[tuple[float, float]]
    losses: tuple[list[float], list[float]]

    def ratio(self, cold: int = 2) -> Ratio:
        """First arm over second: the geometric mean, and the t interval of the logs.

        The first `cold` epochs are left out: there the data are read and
        TensorFlow compiles.
        """
        rows = [
            {"state": "ok", "block": i + 1, "arm": arm, "seconds": seconds}
            for i, both in enumerate(self.seconds[cold:])
            for arm, seconds in zip(self.arms, both, strict=True)
        ]
        found = paired_ratio(rows, self.arms, "seconds")
        return found or Ratio(math.nan, math.nan, math.nan, 0)


def interleave(
    arms: tuple[str, str] = ("r", "python"),
    *,
    notebook: str | Path | None = None,
    epochs: int = 30,
    seed: int = 1,
    device: str = "cpu",
    timeout: float = 900.0,
) -> Epochs:
    """Train both programs by turns, an epoch each, in random order.

    Parameters
    ----------
    arms
        Two of `ARMS`.
    notebook
        Whose timed cells; that of the fruits if not given.
    timeout
        Seconds for the whole.

    Raises
    ------
    Interrupted
        If an arm ends early or nothing happens for too long. Neither arm
        outlives this function.
    """
    notebook = Path(notebook or default_notebook())
    programs = read_programs(notebook)
    end = time.monotonic() + timeout
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as place, contextlib.ExitStack() as stack:
        runs = []
        for number, arm in enumerate(arms):
            program = programs[LANGUAGE[arm]]
            program = program.with_parameters(epochs=epochs, seed=seed)
            folder = Path(place) / f"{number}-{arm}"
            run = _Run(arm, folder, end)
            stack.callback(run.stop)
            run.start(program, device=device, directory=notebook.parent)
            runs.append(run)
        for _ in range(epochs):
            for run in runs:
                run.wait_for(b"r")
            for run in chance.sample(runs, 2):
                os.write(run.pipes["go"], b"g")
                run.wait_for(b"e")
        fits = [run.result() for run in runs]
    seconds = list(zip(fits[0]["seconds"], fits[1]["seconds"], strict=True))
    losses = tuple([log["loss"] for log in fit["logs"]] for fit in fits)
    return Epochs(tuple(arms), seconds, losses)


class _Run:
    """One arm, and the two pipes through which it is told when to train.

    `end` is when it has to have ended, by `time.monotonic()`.
    """

    def __init__(self, arm: str, folder: Path, end: float) -> None:
        self.arm, self.folder, self.end = arm, folder, end
        folder.mkdir()
        self.pipes = {}
        for name in ("go", "done"):
            os.mkfifo(folder / name)
            # Both ends, so that nobody waits for the other to open.
            self.pipes[name] = os.open(folder / name, os.O_RDWR)
        self.outcome: Outcome | None = None
        self.thread: threading.Thread | None = None
        self.stopping = False

    def start(self, program: TimedProgram, *, device: str, directory: Path) -> None:
        command = write_script(self.arm, program, self.folder)
        known = environment(self.folder, device, probe=False)

        def tick() -> None:
            # An exception is how run_process() is told to end the program.
            if self.stopping:
                raise InterruptedError

        def work() -> None:
            with contextlib.suppress(InterruptedError):
                self.outcome = run_process(
                    command,
                    environment=known | {TURNS: str(self.folder)},
                    folder=self.folder,
                    directory=directory,
                    timeout=self.end - time.monotonic(),
                    tick=tick,
                )

        self.thread = threading.Thread(target=work, daemon=True)
        self.thread.start()

    def wait_for(self, sign: bytes) -> None:
        """Until the program says `sign` ("r": ready, "e": an epoch's end)."""
        while True:
            ready, _, _ = select.select([self.pipes["done"]], [], [], 0.5)
            if ready:
                found = os.read(self.pipes["done"], 1)
                if found == sign:
                    return
                raise Interrupted(f"{self.arm} said {found!r}, not {sign!r}")
            if not self.thread.is_alive() or time.monotonic() > self.end:
                raise self._ended_early()

    def result(self) -> dict[str, Any]:
        """What the hook has stamped, when the program has ended."""
        self.thread.join(max(0.0, self.end - time.monotonic()))
        if self.outcome is None or self.outcome.exit_code != 0:
            raise self._ended_early()
        return json.loads((self.folder / "fits.json").read_text())[-1]

    def _ended_early(self) -> Interrupted:
        how = how_it_ended(self.outcome) if self.outcome else "it is still running"
        return Interrupted(
            f"the {self.arm} arm did not finish ({how}): "
            f"{last_words(self.folder) or 'it said nothing'}"
        )

    def stop(self) -> None:
        """End the program, at the next tick."""
        self.stopping = True
        if self.thread is not None:
            self.thread.join(30)
        for pipe in self.pipes.values():
            os.close(pipe)
