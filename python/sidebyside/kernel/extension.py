"""``%load_ext sidebyside``: start R in the kernel and get it ready for use."""

from __future__ import annotations

import sys

from ..common import collector
from . import (
    completion,
    console,
    figures,
    magic,
    preflight,
    quiet,
    record,
    rsession,
    running,
    style,
)
from .interrupts import attention


def load(shell) -> None:
    """Start R, load ``%%R``, attach the R companion, say what was found.

    If something is missing, raises `IPython.core.error.UsageError` (a message
    without a traceback) that names it and says how to get it.
    """
    from IPython.core.error import UsageError

    shell.events.register("pre_run_cell", running.begin)
    shell.events.register("post_run_cell", running.end)
    running.begin()  # this cell is already running
    console.flush_without_waiting_for_itself((sys.stdout, sys.stderr))
    rsession.prepare_environment()
    try:
        preflight.require_python_packages()
        with collector.paused():
            session = _start_both()
    except rsession.RUnavailable as problem:
        raise UsageError(f"sidebyside: {problem}") from None
    magic.register(shell)
    shell.events.register("post_run_cell", magic.give_back)
    completion.register(shell)
    shell.events.register("post_run_cell", record.note)
    _register_alt_text(shell)
    shell.events.register("pre_run_cell", attention.listen)
    shell.events.register("post_run_cell", attention.rest)
    figures.show_whole_figures(shell)
    session.call("prepare_session")
    _set_output_width(shell)
    session.call("refuse_to_quit")
    print(preflight.one_line(session))
    style.show(shell)


def _start_both() -> rsession.RSession:
    """Start R with its companion, and load Keras.

    One after the other and in one thread, although two would save half a second.
    While R starts and loads packages, it changes environment variables about a hundred
    times, and the C code of TensorFlow and h5py reads some when it is loaded. Before
    version 2.41, glibc moves the table of variables when it grows; a thread that is
    reading it then crashes the kernel.
    """
    session = rsession.current()
    preflight.require_r(session)
    quiet.load_keras(list_devices=True)
    session.attach_companion()
    return session


def _set_output_width(shell) -> None:
    """Break the lines of arrays and lists at half the screen, as R does."""
    import numpy as np

    np.set_printoptions(linewidth=rsession.COLUMNS)
    shell.display_formatter.formatters["text/plain"].max_width = rsession.COLUMNS


def unload(shell) -> None:
    """Remove the hooks. R itself stays in the process."""
    completion.unregister(shell)
    shell.display_pub.unregister_hook(figures.add_alt_text)
    shell.events.unregister("post_run_cell", record.note)
    shell.events.unregister("post_run_cell", magic.give_back)
    shell.events.unregister("pre_run_cell", running.begin)
    shell.events.unregister("post_run_cell", running.end)
    shell.events.unregister("pre_run_cell", figures.forget_pending)
    shell.events.unregister("pre_run_cell", attention.listen)
    shell.events.unregister("post_run_cell", attention.rest)


def _register_alt_text(shell) -> None:
    publisher = shell.display_pub
    if not hasattr(publisher, "register_hook"):
        return  # plain IPython in a terminal, which shows no pictures
    # Register it once: a second hook would mix up the texts of pictures.
    publisher.unregister_hook(figures.add_alt_text)
    publisher.register_hook(figures.add_alt_text)
    shell.events.register("pre_run_cell", figures.forget_pending)
