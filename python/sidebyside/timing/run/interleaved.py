"""Train two arms by turns, one epoch each, to compare two fits most precisely.

On a shared machine, two runs of a minute may differ by a tenth because of other
programs. Here both arms run at the same time, and one waits while the other trains
an epoch. The two epochs of a pair run under the same conditions, so their ratio is
much more stable than that of two runs, and there is a ratio for each epoch.
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

# This environment variable of an arm is read by the hook.
TURNS = "SIDEBYSIDE_TIMING_TURNS"


class Interrupted(RuntimeError):
    """An arm ended before its last epoch. The message has its last output."""


@dataclass(frozen=True)
class Epochs:
    """The times of two arms, epoch by epoch.

    Attributes
    ----------
    arms
        The two arms, in the order of the ratio.
    seconds
        For each epoch, the seconds of both arms.
    losses
        The losses of each arm, epoch by epoch.
    """

    arms: tuple[str, str]
    seconds: list[tuple[float, float]]
    losses: tuple[list[float], list[float]]

    def ratio(self, cold: int = 2) -> Ratio:
        """Return the first arm's time divided by the second's, with an interval.

        It is a geometric mean, with the t interval of the logs. The first `cold`
        epochs are left out, because they read the data and TensorFlow compiles.
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
    """Train both programs by turns, one epoch each, in random order.

    Parameters
    ----------
    arms
        Two of `ARMS`.
    notebook
        Notebook with the timed cells. The default is notebook 03.
    timeout
        Seconds for everything.

    Raises
    ------
    Interrupted
        If an arm ends early, or if nothing happens for too long. Both arms have
        ended when this function returns.
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
    """One arm, and the two pipes that tell it when to train.

    `end` is the latest time for its end, by `time.monotonic()`.
    """

    def __init__(self, arm: str, folder: Path, end: float) -> None:
        self.arm, self.folder, self.end = arm, folder, end
        folder.mkdir()
        self.pipes = {}
        for name in ("go", "done"):
            os.mkfifo(folder / name)
            # Open both ends, so that nobody waits for the other to open.
            self.pipes[name] = os.open(folder / name, os.O_RDWR)
        self.outcome: Outcome | None = None
        self.thread: threading.Thread | None = None
        self.stopping = False

    def start(self, program: TimedProgram, *, device: str, directory: Path) -> None:
        command = write_script(self.arm, program, self.folder)
        known = environment(self.folder, device, probe=False)

        def tick() -> None:
            # An exception makes run_process() end the program.
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
        """Wait until the program says `sign` ("r": ready, "e": end of an epoch)."""
        while True:
            ready, _, _ = select.select([self.pipes["done"]], [], [], 0.5)
            if ready:
                found = os.read(self.pipes["done"], 1)
                if found == sign:
                    return
                raise Interrupted(
                    f"The {self.arm} arm sent {found!r}, expected {sign!r}."
                )
            if not self.thread.is_alive() or time.monotonic() > self.end:
                raise self._ended_early()

    def result(self) -> dict[str, Any]:
        """Wait until the program has ended, and return what the hook recorded."""
        self.thread.join(max(0.0, self.end - time.monotonic()))
        if self.outcome is None or self.outcome.exit_code != 0:
            raise self._ended_early()
        return json.loads((self.folder / "fits.json").read_text())[-1]

    def _ended_early(self) -> Interrupted:
        how = how_it_ended(self.outcome) if self.outcome else "it is still running"
        return Interrupted(
            f"The {self.arm} arm did not finish ({how}): "
            f"{last_words(self.folder) or 'it printed nothing'}"
        )

    def stop(self) -> None:
        """End the program at the next tick."""
        self.stopping = True
        if self.thread is not None:
            self.thread.join(30)
        for pipe in self.pipes.values():
            os.close(pipe)
