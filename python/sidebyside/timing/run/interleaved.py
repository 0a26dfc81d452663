"""Epochs of two arms by turns: the sharpest comparison of two fits.

Two runs of a minute on a shared machine may differ by a tenth for no reason
of their own. Here both programs run at the same time and train by turns: one
waits while the other has the machine for one epoch. Two epochs that stand
side by side in time meet the same machine, so their ratio is far steadier
than that of two runs, and there are as many ratios as epochs.
"""

from __future__ import annotations

import json
import math
import os
import random
import select
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..cells import read_programs
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
        """First over second, without the first `cold` epochs, with interval.

        In these the data are read and TensorFlow compiles. Geometric mean,
        and the t interval of the logs.
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
    told: Callable[[int], None] = lambda epoch: None,
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
    told
        Called after each pair of epochs, with its number.

    Raises
    ------
    Interrupted
        If an arm ends early or nothing happens for too long. Neither arm
        outlives this function.
    """
    notebook = Path(notebook or default_notebook())
    programs = read_programs(notebook)
    with tempfile.TemporaryDirectory() as place:
        runs = [
            _Run(
                arm,
                programs[LANGUAGE[arm]].with_parameters(epochs=epochs, seed=seed),
                Path(place) / f"{number}-{arm}",
                directory=notebook.parent,
                device=device,
                timeout=timeout,
            )
            for number, arm in enumerate(arms)
        ]
        end = time.monotonic() + timeout
        chance = random.Random(seed)
        try:
            for run in runs:
                run.start()
            for epoch in range(epochs):
                for run in runs:
                    run.wait_for(b"r", end)
                for run in chance.sample(runs, 2):
                    run.go()
                    run.wait_for(b"e", end)
                told(epoch + 1)
            for run in runs:
                run.join(end)
            fits = [run.fits() for run in runs]
        finally:
            for run in runs:
                run.stop()
    seconds = list(zip(fits[0]["seconds"], fits[1]["seconds"], strict=True))
    losses = tuple([log["loss"] for log in fit["logs"]] for fit in fits)
    return Epochs(tuple(arms), seconds, losses)


class _Run:
    """One arm, and the two pipes through which it is told when to train."""

    def __init__(self, arm, program, folder, *, directory, device, timeout) -> None:
        self.arm, self.folder = arm, folder
        folder.mkdir()
        self.command = write_script(arm, program, folder)
        self.surroundings = environment(folder, device, probe=False)
        self.surroundings[TURNS] = str(folder)
        self.directory, self.timeout = directory, timeout
        self.pipes = {}
        for name in ("go", "done"):
            os.mkfifo(folder / name)
            # Both ends, so that nobody waits for the other to open.
            self.pipes[name] = os.open(folder / name, os.O_RDWR)
        self.outcome: Outcome | None = None
        self.stopping = False
        self.thread = threading.Thread(target=self._work, daemon=True)

    def _work(self) -> None:
        self.outcome = run_process(
            self.command,
            environment=self.surroundings,
            folder=self.folder,
            directory=self.directory,
            timeout=self.timeout,
            tick=self._tick,
        )

    def _tick(self) -> None:
        # An exception is how run_process() is told to end the program.
        if self.stopping:
            raise SystemExit

    def start(self) -> None:
        self.thread.start()

    def go(self) -> None:
        os.write(self.pipes["go"], b"g")

    def wait_for(self, sign: bytes, end: float) -> None:
        """Until the program says `sign` ("r": ready, "e": an epoch's end)."""
        while True:
            ready, _, _ = select.select([self.pipes["done"]], [], [], 0.5)
            if ready:
                found = os.read(self.pipes["done"], 1)
                if found == sign:
                    return
                raise Interrupted(f"{self.arm} said {found!r}, not {sign!r}")
            if not self.thread.is_alive() or time.monotonic() > end:
                raise self._ended_early()

    def join(self, end: float) -> None:
        self.thread.join(max(0.0, end - time.monotonic()))
        if self.outcome is None or self.outcome.exit_code != 0:
            raise self._ended_early()

    def _ended_early(self) -> Interrupted:
        how = how_it_ended(self.outcome) if self.outcome else "is still at it"
        return Interrupted(
            f"the {self.arm} arm did not come to its end ({how}): "
            f"{last_words(self.folder) or 'it said nothing'}"
        )

    def fits(self) -> dict:
        return json.loads((self.folder / "fits.json").read_text())[-1]

    def stop(self) -> None:
        self.stopping = True
        # A program that waits for its turn goes on to its end if it is told
        # so; run_process() ends it at its next tick in any case.
        if self.thread.is_alive():
            self.thread.join(30)
        for pipe in self.pipes.values():
            os.close(pipe)
