"""Loading Keras without TensorFlow's start-up remarks."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import tempfile
from collections.abc import Iterator
from types import ModuleType


@contextlib.contextmanager
def _standard_error_held_back() -> Iterator[None]:
    """Keep what C code writes to standard error; show it if all goes wrong.

    TensorFlow 2.21 writes "oneDNN custom operations are on ..." before any
    of its log settings is read, so no environment variable can stop it.
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
    """`import keras`, with nothing on the screen unless it fails.

    Parameters
    ----------
    list_devices
        Have TensorFlow look for devices too, which starts CUDA where there is
        a GPU. TensorFlow does so when it is first used, and may remark on it
        on standard error. A kernel wants that over with before the first
        cell. R's `library(sidebyside)` does not, because `import keras` alone
        does not do it either, and the timing experiment compares the two.
    """
    if "keras" in sys.modules:
        return sys.modules["keras"]
    with _standard_error_held_back():
        keras = importlib.import_module("keras")
        if list_devices and keras.backend.backend() == "tensorflow":
            tensorflow = importlib.import_module("tensorflow")
            tensorflow.config.list_physical_devices()
    return keras
