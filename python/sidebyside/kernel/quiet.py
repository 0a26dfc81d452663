"""Load Keras without TensorFlow's messages at start-up."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import tempfile
from collections.abc import Iterator
from types import ModuleType


@contextlib.contextmanager
def _quiet_standard_error() -> Iterator[None]:
    """Hold back text that C code writes to standard error, unless there is an error.

    TensorFlow 2.21 writes "oneDNN custom operations are on ..." before it reads
    any of its log settings, so no environment variable can prevent it.
    """
    sys.stderr.flush()
    with tempfile.TemporaryFile() as held, os.fdopen(os.dup(2), "wb") as real:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            real.write(held.read())
            raise
        finally:
            os.dup2(real.fileno(), 2)


def load_keras(*, list_devices: bool = False) -> ModuleType:
    """Import Keras and print nothing unless it fails.

    Parameters
    ----------
    list_devices
        Also let TensorFlow look for devices, which starts CUDA if there is a
        GPU. Otherwise TensorFlow does so when it is first used, and may print
        messages on standard error. A kernel should have done this before the
        first cell. R's `library(sidebyside)` does not do it, because `import
        keras` alone does not do it either, and the timing experiment compares
        the two.
    """
    if "keras" in sys.modules:
        return sys.modules["keras"]
    with _quiet_standard_error():
        keras = importlib.import_module("keras")
        if list_devices and keras.backend.backend() == "tensorflow":
            tensorflow = importlib.import_module("tensorflow")
            tensorflow.config.list_physical_devices()
    return keras
