"""``%load_ext sidebyside``: R in the kernel, ready to be used."""

from __future__ import annotations

import contextlib
import importlib
from concurrent.futures import ThreadPoolExecutor

from ..common import collector
from . import (
    completion,
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

    Raises `IPython.core.error.UsageError` (a message without a traceback)
    that names what is missing and how to get it.
    """
    from IPython.core.error import UsageError

    shell.events.register("pre_run_cell", running.begin)
    shell.events.register("post_run_cell", running.end)
    running.begin()  # this cell runs already
    rsession.prepare_environment()
    try:
        preflight.require_python_packages()
        with collector.paused():
            session = _start_both()
    except rsession.RUnavailable as problem:
        raise UsageError(f"sidebyside: {problem}") from None
    magic.register(shell)
    completion.register(shell)
    shell.events.register("post_run_cell", record.note)
    _give_figures_their_text(shell)
    shell.events.register("pre_run_cell", attention.listen)
    shell.events.register("post_run_cell", attention.rest)
    figures.as_large_as_asked(shell)
    session.call("prepare_session")
    _print_as_wide_as_a_half(shell)
    session.call("refuse_to_quit")
    print(preflight.one_line(session))
    style.show(shell)


def _start_both() -> rsession.RSession:
    """R with its companion, and Keras.

    Keras takes seconds to import, R half a second to start, and what
    reticulate needs of R another one. rpy2 lets Python go on while R works,
    so they load together; what may print is not among it until R runs.
    """
    with ThreadPoolExecutor(max_workers=1) as beside:
        silent = beside.submit(_import_what_keras_needs)
        # Importing rpy2 starts an R to ask where its libraries are, and waits.
        session = rsession.current()
        preflight.require_r(session)
        silent.result()
        keras = beside.submit(quiet.load_keras, list_devices=True)
        session.load_ahead()
        keras.result()
    session.attach_companion()
    return session


def _import_what_keras_needs() -> None:
    """The largest of the modules that Keras imports and that print nothing.

    What goes wrong here goes wrong again where it is used, and is reported
    there.
    """
    for name in ("pandas", "matplotlib.pyplot", "h5py"):
        with contextlib.suppress(Exception):
            importlib.import_module(name)


def _print_as_wide_as_a_half(shell) -> None:
    """Break arrays and lists before the screen does, as R does at its `width`."""
    import numpy as np

    np.set_printoptions(linewidth=rsession.COLUMNS)
    shell.display_formatter.formatters["text/plain"].max_width = rsession.COLUMNS


def unload(shell) -> None:
    """Take the hooks off. R itself stays in the process."""
    completion.unregister(shell)
    shell.display_pub.unregister_hook(figures.add_alt_text)
    shell.events.unregister("post_run_cell", record.note)
    shell.events.unregister("pre_run_cell", running.begin)
    shell.events.unregister("post_run_cell", running.end)
    shell.events.unregister("pre_run_cell", figures.forget_pending)
    shell.events.unregister("pre_run_cell", attention.listen)
    shell.events.unregister("post_run_cell", attention.rest)


def _give_figures_their_text(shell) -> None:
    publisher = shell.display_pub
    if not hasattr(publisher, "register_hook"):
        return  # plain IPython in a terminal, which shows no pictures
    # Once: a second hook would give one picture the text of the next.
    publisher.unregister_hook(figures.add_alt_text)
    publisher.register_hook(figures.add_alt_text)
    shell.events.register("pre_run_cell", figures.forget_pending)
