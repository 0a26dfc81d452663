"""Let Python threads take turns with R, which runs in the main thread only.

rpy2 releases Python's lock in every call of R (cffi does), and its own lock does not
cover everything that must stay together. So two Python threads could be in R at once
and break R's stacks. rpy2's documentation (Interoperability, "Multithreading") leaves
locks to the user.
"""

from __future__ import annotations

import contextlib
import math
import signal
import sys
import threading
import time
from _thread import get_ident, interrupt_main
from collections import deque
from collections.abc import Callable
from functools import partial, wraps
from queue import SimpleQueue
from types import BuiltinFunctionType, FrameType
from typing import Any

MAIN = threading.main_thread().ident
CALLBACKS = "rpy2.rinterface_lib.callbacks"

# Modules that may hold the lock.
USERS = ("rpy2.", __package__)

START = threading.Thread.start.__code__

# Seconds for which a thread keeps asking while the main thread stays in C code other
# than R's, such as TensorFlow's fit(), which may itself be waiting for this thread.
PATIENCE = 10.0

# This signal asks the main thread for a turn. By default the system ignores it.
ASK = signal.SIGURG

# Functions of R's C interface that run R code, which may call Python, and after how
# many seconds R may be told of an interrupt. R then jumps out of its code.
# R_tryCatchError() does not catch this jump, and it would pass over frames of rpy2.
EVALUATE = {"R_tryEval": 0, "R_ToplevelExec": math.inf, "R_tryCatchError": math.inf}

# Names that rpy2 looks up all the time, and that do not change once R has started.
LASTING = (
    *("R_NilValue", "R_GlobalEnv", "R_UnboundValue", "R_MissingArg", "R_NaString"),
    *("R_NamesSymbol", "R_DimSymbol", "R_ClassSymbol", "_exec_findvar_in_frame"),
)


class Errand:
    """Calls that the main thread makes for another thread, until that one ends it."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self._calls: SimpleQueue = SimpleQueue()
        self._answers: SimpleQueue = SimpleQueue()
        self.end = partial(self._calls.put, None)

    def __call__(self) -> None:
        self.begun.set()
        while call := self._calls.get():
            try:
                self._answers.put((call(), None))
            except BaseException as problem:
                self._answers.put((None, problem))

    def ask(self, call: Callable) -> Any:
        self._calls.put(call)
        answer, problem = self._answers.get()
        if problem is not None:
            raise problem
        return answer


class Mine(threading.local):
    """What each thread other than the main one knows about its own turn."""

    depth = 0
    errand: Errand


class Turn:
    """Replaces rpy2's locks: the main thread owns R, and calls it for other threads.

    It does so only when no call of R is half done: while it runs or waits in the
    reader's Python code, and before it evaluates its own R code.

    Attributes
    ----------
    depth
        Above 0 while the main thread is in the middle of something in R.
    serving
        Whether the main thread is calling R for another thread.
    stopped
        Whether the reader has interrupted R, or code that R called.
    held
        Function for an interrupt that has to wait until `depth` is 0.
    """

    def __init__(self) -> None:
        self.depth = 0
        self.serving = self.stopped = False
        self.held: Callable | None = None
        self._errands: deque[Callable] = deque()
        self._mine = Mine()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        if get_ident() == MAIN:
            self.depth += 1
            return True
        if self._mine.depth == 0:
            self._mine.errand = errand = Errand()
            self._errands.append(errand)
            place, since = self._ask(), time.monotonic()
            while not errand.begun.wait(0.005):
                if (now := self._ask()) is None or now != place:
                    place, since = now, time.monotonic()
                elif time.monotonic() - since > PATIENCE:
                    self._withdraw(errand)
        self._mine.depth += 1
        return True

    def release(self, *problem: object) -> None:
        if get_ident() == MAIN:
            self.depth -= 1
            if self.held and not self.depth:
                self._let_interrupt_in()
            return
        self._mine.depth -= 1
        if self._mine.depth == 0:
            self._mine.errand.end()

    # rpy2 takes the lock three times per call, so one more frame would cost time.
    __enter__, __exit__ = acquire, release

    def _let_interrupt_in(self) -> None:
        held, self.held = self.held, None
        frame = sys._getframe()
        while module(frame) == __name__:
            frame = frame.f_back
        held(signal.SIGINT, frame)

    def _ask(self) -> tuple[int, int] | None:
        """Wake the main thread, but not while R is running: the signal would reach R.

        Returns
        -------
        tuple of int or None
            The main thread's place in Python code; None if R is running.
        """
        frame = sys._current_frames().get(MAIN)
        interrupt_main(ASK)
        if frame is None or frame.f_code is self._evaluating:
            return None
        signal.pthread_kill(MAIN, ASK)
        return id(frame), frame.f_lasti

    def _withdraw(self, errand: Errand) -> None:
        with contextlib.suppress(ValueError):  # It has begun in the meantime.
            self._errands.remove(errand)
            raise RuntimeError(
                "This thread called R. Only the main thread can use R, but the main"
                " thread is busy, perhaps waiting for this thread. Call R in the main"
                " thread before it starts to wait, and pass the result to this thread."
            )

    def listen(self) -> None:
        """Let other threads ask for a turn."""
        signal.signal(ASK, self._asked)

    def _asked(self, number: int, frame: FrameType | None) -> None:
        frames, _ = self.since_r(frame)
        # Wait while rpy2 may hold unprotected R objects, which is over when it calls
        # the reader's function, and while an executor starts a thread in a lock.
        busy = self.is_held(frames) or any(
            each.f_code is START
            or (module(each).startswith("rpy2.") and module(each) != CALLBACKS)
            for each in frames[:1]
            + [each for each in frames[1:] if each.f_code is not self._in_python]
        )
        if frames and not busy:
            self._serve()

    def is_held(self, frames: list[FrameType]) -> bool:
        """Return whether the main thread, at these frames, is in the middle of R work.

        `depth` alone does not tell: rpy2 takes the lock in a generator (`rmemory()`).
        If another thread closes that generator, the lock is never released.
        """
        return self.depth > 0 and any(module(each).startswith(USERS) for each in frames)

    def _serve(self) -> None:
        before = self.depth, self.serving
        self.depth, self.serving = 1, True
        try:
            while self._errands:
                self._errands.popleft()()
        finally:
            self.depth, self.serving = before

    def since_r(
        self, frame: FrameType | None
    ) -> tuple[list[FrameType], FrameType | None]:
        """Return a frame and its callers, up to the one that called R, if any."""
        frames = []
        while frame is not None and frame.f_code is not self._evaluating:
            frames.append(frame)
            frame = frame.f_back
        return frames, frame

    def calling(self, function: Callable) -> Callable:
        """Make the main thread call this function of R's C interface."""

        def call(*arguments):
            if get_ident() == MAIN:
                return function(*arguments)
            with self:
                return self._mine.errand.ask(partial(call, *arguments))

        return call

    def evaluating(self, function: Callable, patience: float = 0) -> Callable:
        """Make the main thread call a function that runs R code (it may call Python).

        Parameters
        ----------
        patience
            Seconds until R may be told of an interrupt. R then jumps to the last
            function that catches its jumps.
        """

        def call(*arguments, _patience=patience, **named):
            if get_ident() != MAIN:
                with self:
                    return self._mine.errand.ask(partial(call, *arguments, **named))
            if self._errands and not self.serving:
                self._serve()
            if self.library.R_interrupts_pending:
                self._take_back()
            depth, self.depth = self.depth, 0
            try:
                return function(*arguments, **named)
            finally:
                self.depth = depth
                if self.held and not depth:
                    self._let_interrupt_in()
                if self.library.R_interrupts_pending:
                    self._take_back()

        self._evaluating = call.__code__
        return call

    def _take_back(self) -> None:
        """Raise an interrupt here that R was told of but has not noticed yet.

        If R noticed it later, in code that Python calls, its jump would pass over
        frames of Python.
        """
        self.library.R_interrupts_pending = 0
        raise KeyboardInterrupt

    def was_stopped(self, failed: object) -> bool:
        """Return whether an evaluation failed because the reader interrupted it."""
        stopped = bool(self.stopped and failed)
        if self.stopped and get_ident() == MAIN:
            _, outer = self.since_r(sys._getframe())
            self.stopped = stopped and outer is not None
        return stopped

    def releasing(self, function: Callable) -> Callable:
        """Let the main thread call a function that frees an object, without waiting."""

        def call(value):
            if get_ident() == MAIN:
                function(value)
            else:
                self._errands.append(partial(function, value))

        return call

    def guard_rpy2(self) -> None:
        """Make rpy2 take turns. Call this before the rest of rpy2 is imported.

        rpy2's modules look up `openrlib.rlib` and `openrlib.rlock` at each use.
        """
        from rpy2.rinterface_lib import openrlib

        in_c = hasattr(openrlib._rinterface_cffi, "lib")
        if isinstance(openrlib.rlib, Library) or not in_c:
            return
        self.library = openrlib.rlib
        openrlib.rlock = openrlib.lock = self
        guarded = openrlib.rlib = Library(self, openrlib)
        for name in vars(openrlib).keys() & vars(guarded).keys():
            setattr(openrlib, name, getattr(guarded, name))
        from rpy2.rinterface_lib import _rinterface_capi as capi

        capi._preserve = self._together(capi._preserve)
        capi._release = self.releasing(capi._release)
        in_python = capi._evaluate_in_r
        self._in_python = in_python.__code__

        @openrlib.ffi.def_extern(name="_evaluate_in_r")
        def _evaluate_in_r(arguments):
            try:
                return in_python(arguments)
            except BaseException:  # rpy2 would return a null pointer and R would crash.
                self.library.R_interrupts_pending = 1
                return self.library.R_NilValue

        # If R is not in the main thread, leave everything to rpy2.
        with contextlib.suppress(ValueError):
            self.listen()

    def guard_reticulate(self) -> None:
        """Make Python's threads take turns when they call functions of R.

        reticulate before 1.39 (#1648) would use R in the calling thread. A newer one
        waits until the main thread runs Python code, which may never happen.
        """
        import rpycall
        from rpytools import call

        # R may only jump later: it could pass over frames that convert values.
        evaluate = self.evaluating(rpycall.call_r_function, 0.5)

        def call_r_function(*arguments, **named):
            value, error = evaluate(*arguments, **named)
            return value, "KeyboardInterrupt" if self.was_stopped(error) else error

        if hasattr(call, "call_r_function"):  # From 1.39 on it raises interrupts.
            rpycall.call_r_function = call.call_r_function = evaluate
        else:
            rpycall.call_r_function = call_r_function

    def _together(self, function: Callable) -> Callable:
        @wraps(function)
        def call(*arguments):
            with self:
                return function(*arguments)

        return call


class Library:
    """rpy2's object for R's C interface, with functions that take turns."""

    def __init__(self, turn: Turn, openrlib: Any) -> None:
        library = openrlib.rlib
        found = {name: getattr(library, name) for name in dir(library)}
        for name, value in found.items():
            if isinstance(value, BuiltinFunctionType):
                self.__dict__[name] = (
                    turn.evaluating(value, EVALUATE[name])
                    if name in EVALUATE
                    else turn.calling(value)
                )
        self.__dict__["_library"] = library

        def try_eval(call, environment, failed, evaluate=self.R_tryEval):
            result = evaluate(call, environment, failed)
            if turn.was_stopped(failed[0]):
                raise KeyboardInterrupt
            return result

        def evaluate(call, environment):
            """Evaluate without R's jump at an error, which would skip rpy2's frames."""
            failed = openrlib.ffi.new("int *", 0)
            result = try_eval(call, environment, failed)
            if failed[0]:
                from rpy2.rinterface_lib.embedded import RRuntimeError

                raise RRuntimeError("R could not evaluate this call.")
            return result

        self.__dict__.update(R_tryEval=try_eval, Rf_eval=evaluate)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._library, name)
        if name.isupper() or (name in LASTING and value):
            self.__dict__[name] = value
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._library, name, value)


def module(frame: FrameType) -> str:
    return frame.f_globals.get("__name__", "")


turn = Turn()
