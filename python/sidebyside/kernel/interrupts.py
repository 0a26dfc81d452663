"""Handle Ctrl-C and the kernel's stop button in cells of both languages."""

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

# Modules that R calls while it drops exceptions: reticulate asks for the classes of
# a value, and R's hooks show pictures.
DROPPED = ("inspect", f"{__package__}.console")
# Its functions use R objects that are not protected from R's garbage collector.
INTERNAL = "rpy2.rinterface_lib._rinterface_capi"
OUTPUT = "ipykernel.iostream"
# Packages whose C code calls Python and may drop an exception, such as a
# KeyboardInterrupt while TensorFlow asks a shape for its length.
DROPPING = ("keras.", "tensorflow.")


class Interrupts:
    """Passes an interrupt to the language that is running.

    In Python code, even if R has called it (a `fit()`), the interrupt is a
    KeyboardInterrupt, which returns through R as an error. While R runs its own
    code, Python sees the interrupt only when R calls rpy2 (to look for events, to
    use the console). An exception would be lost there, so we tell R instead. Inside
    rpy2's own code an exception would leave R's stacks inconsistent, and inside
    `__del__` it would be lost. The interrupt is then repeated a moment later.

    Twice a second reticulate stops the Python code that R has called, looks for R's
    events and flushes Python's output. An interrupt at that moment is also lost, so
    it is repeated as long as that code runs. The same holds for an interrupt that
    TensorFlow drops.
    """

    # Seconds after which an interrupt is repeated.
    SOON = 0.01
    # Seconds within which interrupted code should end.
    PATIENCE = 1.0

    def __init__(self) -> None:
        self.interrupted = False
        self._before = None
        # When the interrupt that is still waiting first came.
        self._since: float | None = None
        # Orders to repeat an interrupt: after how many seconds, and while which frame
        # runs. A new order replaces the last one, and None cancels it.
        self._orders: SimpleQueue = SimpleQueue()
        self._report, sys.unraisablehook = sys.unraisablehook, self._repeat_lost
        threading.Thread(target=self._repeat, daemon=True).start()

    def listen(self, *cell: object) -> None:
        """Handle interrupts from the beginning of a cell."""
        self.interrupted = turn.stopped = False
        self._since, turn.depth = None, 0
        if threading.current_thread() is threading.main_thread():
            before = signal.signal(signal.SIGINT, self._handle)
            self._before = self._before or before

    def rest(self, *cell: object) -> None:
        """Stop handling interrupts at the end of a cell."""
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
        if tell_r and turn.serving:  # This ends only the other thread's work.
            self._orders.put((self.SOON, None))
        elif into_r and (called or not frames):
            self._orders.put((self.PATIENCE, called[-1] if called else None))
        elif into_r is None and (call := call_of_keras(frames)):
            self._orders.put((self.PATIENCE, call))
        if not tell_r:
            self._since = None
            raise KeyboardInterrupt

    def _r_listens(self, frames: list[FrameType], into_r: FrameType) -> bool:
        """Return whether R is running and may be told of the interrupt."""
        patience = into_r.f_locals["_patience"]
        waited = time.monotonic() - self._since
        dropped = bool(frames) and module(frames[-1]) in DROPPED
        return waited >= patience and (dropped or CALLBACKS in map(module, frames))

    def _busy(self, frames: list[FrameType], into_r: FrameType | None) -> bool:
        """Return whether an exception would do harm or be lost."""
        inner = [module(each) for each in frames if module(each) != turn.__module__]
        if turn.is_held(frames) or inner[:1] == [INTERNAL] or CALLBACKS in inner:
            return True
        if into_r and frames and module(frames[-1]) == INTERNAL:
            return True
        if not inner or OUTPUT in inner:
            # Perhaps reticulate is converting or flushing. Otherwise R has called a
            # function that is written in C, such as time.sleep().
            return time.monotonic() - self._since < self.PATIENCE
        return any(each.f_code.co_name == "__del__" for each in frames)

    def _repeat_lost(self, problem: Any) -> None:
        """Repeat an interrupt that Python has dropped while it freed an object."""
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
        """Interrupt the cell once more, or only `called` if it is still running.

        Wait as long as reticulate looks for R's events.
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
    """Return whether a frame runs a cell, or a function that a cell defined."""
    return frame.f_globals is vars(sys.modules["__main__"])


def call_of_keras(frames: list[FrameType]) -> FrameType | None:
    """Return the frame of Keras or TensorFlow that the reader's code has called."""
    library = list(takewhile(lambda each: not is_readers(each), frames))
    called = [each for each in library if module(each).startswith(DROPPING)]
    return called[-1] if called else None


def _frames_of_the_cell() -> list[FrameType]:
    """Return the main thread's frames; [] if no cell is running any more."""
    frames, frame = [], sys._current_frames().get(MAIN)
    while frame is not None:
        frames.append(frame)
        frame = frame.f_back
    return frames if any(map(is_readers, frames)) else []


attention = Interrupts()
