"""Ctrl-C, or the kernel's stop button, while R is at work."""

from __future__ import annotations

import _thread
import signal
import sys
import threading
import time
from types import FrameType


class Interrupts:
    """Ctrl-C, or the kernel's stop button, while R is at work.

    In Python code that R has called (a `fit()`) the interrupt is Python's: a
    KeyboardInterrupt that comes back through R as an error. In R's own code it
    reaches Python only in what R calls of rpy2 (a look for events, the console),
    where an exception would be lost, so R is told instead.

    Twice a second reticulate stops the Python code that R has called, looks for R's
    events and flushes Python's output. An interrupt at that moment is lost, too, so it
    is repeated while that code goes on.
    """

    # Seconds in which code that has heard of an interrupt should have ended.
    PATIENCE = 1.0

    def __init__(self) -> None:
        self.interrupted = False
        self._again = threading.Timer(self.PATIENCE, self._repeat)

    def __enter__(self) -> Interrupts:
        self._before = signal.getsignal(signal.SIGINT)
        self._in_main_thread = threading.current_thread() is threading.main_thread()
        if self._in_main_thread:
            signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, *problem: object) -> None:
        self._again.cancel()
        if self._in_main_thread:
            signal.signal(signal.SIGINT, self._before)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        from rpy2.rinterface_lib import openrlib

        self.interrupted = True
        frames = _frames(frame)
        openrlib.rlib.R_interrupts_pending = int(_within_r(frames))
        called = [each for each in frames if not _module(each).startswith("rpy2.")]
        if called:
            self._again.cancel()
            self._again = threading.Timer(self.PATIENCE, self._repeat, called[-1:])
            self._again.start()
        if not _within_r(frames):
            raise KeyboardInterrupt

    def _repeat(self, called: FrameType) -> None:
        """Interrupt what R called, if it goes on; not while it looks for events."""
        main = threading.main_thread().ident
        while called in (frames := _frames(sys._current_frames().get(main))):
            if not _within_r(frames):
                _thread.interrupt_main()
                return
            time.sleep(0.01)


def _frames(frame: FrameType | None) -> list[FrameType]:
    """A frame and those that called it, up to the cell's own."""
    found = []
    while frame is not None and frame.f_globals is not globals():
        found.append(frame)
        frame = frame.f_back
    return found


def _module(frame: FrameType) -> str:
    return frame.f_globals.get("__name__", "")


def _within_r(frames: list[FrameType]) -> bool:
    return "rpy2.rinterface_lib.callbacks" in map(_module, frames)
