"""Ctrl-C, or the kernel's stop button, in a cell of either language."""

from __future__ import annotations

import signal
import sys
import threading
import time
from itertools import takewhile
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Any

from .turns import CALLBACKS, MAIN, module, turn

# Modules that R calls where it drops exceptions: reticulate asks for the classes of a
# value, and R's hooks have pictures shown.
DROPPED = ("inspect", f"{__package__}.console")
# Its functions hold what is not yet, or no longer, protected.
INTERNAL = "rpy2.rinterface_lib._rinterface_capi"
OUTPUT = "ipykernel.iostream"
# Call Python from C code that drops what it raises, such as a KeyboardInterrupt
# while TensorFlow asks a shape for its length.
DROPPING = ("keras.", "tensorflow.")


class Interrupts:
    """Brings an interrupt to where it is understood.

    In the reader's Python code, be it called by R (a `fit()`), it is Python's: a
    KeyboardInterrupt, which comes back through R as an error. In R's own code it
    reaches Python only in what R calls of rpy2 (a look for events, the console),
    where an exception would be lost, so R is told instead. In the midst of rpy2 an
    exception would leave R's stacks as they are, and in `__del__` it would be lost,
    so the interrupt comes again a moment later.

    Twice a second reticulate stops the Python code that R has called, looks for R's
    events and flushes Python's output. An interrupt at that moment is lost, too, so it
    is repeated while that code goes on; and so is one that TensorFlow has dropped.
    """

    # Seconds after which an interrupt comes again.
    SOON = 0.01
    # Seconds in which code that has heard of an interrupt should have ended.
    PATIENCE = 1.0

    def __init__(self) -> None:
        self.interrupted = False
        self._before = None
        # When an interrupt was first heard of that nobody has taken.
        self._since: float | None = None
        # Seconds to wait, and for which frame: the next one takes the place of the
        # last, and None calls it off.
        self._orders: SimpleQueue = SimpleQueue()
        self._report, sys.unraisablehook = sys.unraisablehook, self._repeat_lost
        threading.Thread(target=self._repeat, daemon=True).start()

    def listen(self, *cell: object) -> None:
        """From the beginning of a cell."""
        self.interrupted = turn.stopped = False
        self._since, turn.depth = None, 0
        if threading.current_thread() is threading.main_thread():
            before = signal.signal(signal.SIGINT, self._handle)
            self._before = self._before or before

    def rest(self, *cell: object) -> None:
        """At the end of a cell."""
        self._orders.put(None)
        turn.held = None
        turn.library.R_interrupts_pending = 0
        if signal.getsignal(signal.SIGINT) == self._handle:
            signal.signal(signal.SIGINT, self._before)
        self._before = None

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.interrupted, turn.held = True, None
        self._since = self._since or time.monotonic()
        self._orders.put(None)
        frames, into_r = turn.since_r(frame)
        tell_r = into_r is not None and self._r_listens(frames, into_r)
        turn.library.R_interrupts_pending = int(tell_r)
        if not tell_r and self._busy(frames, into_r):
            turn.held = self._handle
            self._orders.put((self.SOON, None))
            return
        turn.stopped = into_r is not None
        called = [each for each in frames if not module(each).startswith("rpy2.")]
        if tell_r and turn.serving:  # Only the other thread's work will end.
            self._orders.put((self.SOON, None))
        elif into_r and (called or not frames):
            self._orders.put((self.PATIENCE, called[-1] if called else None))
        elif into_r is None and (call := call_of_keras(frames)):
            self._orders.put((self.PATIENCE, call))
        if not tell_r:
            self._since = None
            raise KeyboardInterrupt

    def _r_listens(self, frames: list[FrameType], into_r: FrameType) -> bool:
        """Whether R is at work, and may be told."""
        patience = into_r.f_locals["_patience"]
        waited = time.monotonic() - self._since
        dropped = bool(frames) and module(frames[-1]) in DROPPED
        return waited >= patience and (dropped or CALLBACKS in map(module, frames))

    def _busy(self, frames: list[FrameType], into_r: FrameType | None) -> bool:
        """Whether an exception would do harm, or be lost."""
        inner = [module(each) for each in frames if module(each) != turn.__module__]
        if turn.is_held(frames) or inner[:1] == [INTERNAL] or CALLBACKS in inner:
            return True
        if into_r and frames and module(frames[-1]) == INTERNAL:
            return True
        if not inner or OUTPUT in inner:
            # Perhaps reticulate converts or flushes; else R has called what is
            # written in C, such as time.sleep().
            return time.monotonic() - self._since < self.PATIENCE
        return any(each.f_code.co_name == "__del__" for each in frames)

    def _repeat_lost(self, problem: Any) -> None:
        """Python drops what is raised while it lets go of an object."""
        if isinstance(problem.exc_value, KeyboardInterrupt):
            self._orders.put((self.SOON, None))
        else:
            self._report(problem)

    def _repeat(self) -> None:
        order = None
        while True:
            try:
                order = self._orders.get(timeout=order and order[0])
            except Empty:
                self._interrupt(order[1])
                order = None

    def _interrupt(self, called: FrameType | None) -> None:
        """Interrupt once more the cell; or `called`, while that goes on.

        Not while reticulate looks for R's events.
        """
        while frames := _frames_of_the_cell():
            if called is None or called in frames:
                inner = frames[: frames.index(called)] if called else []
                if CALLBACKS not in map(module, inner):
                    signal.pthread_kill(MAIN, signal.SIGINT)
                    return
                time.sleep(self.SOON)
            else:
                return


def is_readers(frame: FrameType) -> bool:
    """Whether it is of a cell, or of a function that a cell defines."""
    return frame.f_globals is vars(sys.modules["__main__"])


def call_of_keras(frames: list[FrameType]) -> FrameType | None:
    """What the reader's code, the innermost, has called of Keras or TensorFlow."""
    library = list(takewhile(lambda each: not is_readers(each), frames))
    called = [each for each in library if module(each).startswith(DROPPING)]
    return called[-1] if called else None


def _frames_of_the_cell() -> list[FrameType]:
    """Where the main thread is; nowhere if IPython has taken over."""
    frames, frame = [], sys._current_frames().get(MAIN)
    while frame is not None:
        frames.append(frame)
        frame = frame.f_back
    return frames if any(map(is_readers, frames)) else []


attention = Interrupts()
