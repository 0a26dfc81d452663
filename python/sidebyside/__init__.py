"""R and Python side by side, in one kernel and one process.

In a notebook::

    %load_ext sidebyside

starts R inside the kernel, loads ``%%R`` and attaches the R companion. The
functions below work without R too: importing this package loads neither R
nor Keras.
"""

from __future__ import annotations

from .common import colours
from .common.colours import PYTHON, PYTHON_LIGHT, R_LIGHT, R
from .data.fruits import fruits_directory
from .data.mnist import load_mnist
from .data.novels import load_novels
from .data.paintings import painting, photograph
from .data.pictures import cifar10_classes, load_cifar10
from .data.stories import load_stories
from .data.vgg16 import vgg16_weights
from .data.words import (
    decode_words,
    imdb_word_index,
    load_imdb,
    load_reuters,
    reuters_topics,
    reuters_word_index,
)
from .kernel.figures import alt_text
from .kernel.preflight import check
from .lesson.compare import Different, compare, from_r
from .lesson.drawing import draw_network
from .lesson.exercises import exercise, hashed, translation

__all__ = [
    "PYTHON",
    "PYTHON_LIGHT",
    "R_LIGHT",
    "Different",
    "R",
    "alt_text",
    "check",
    "cifar10_classes",
    "colours",
    "compare",
    "decode_words",
    "draw_network",
    "exercise",
    "from_r",
    "fruits_directory",
    "hashed",
    "imdb_word_index",
    "load_cifar10",
    "load_imdb",
    "load_mnist",
    "load_novels",
    "load_reuters",
    "load_stories",
    "painting",
    "photograph",
    "reuters_topics",
    "reuters_word_index",
    "translation",
    "vgg16_weights",
]

__version__ = "0.1.0"


def load_ipython_extension(shell) -> None:
    """Called by ``%load_ext sidebyside``."""
    from .kernel.extension import load

    load(shell)


def unload_ipython_extension(shell) -> None:
    """Called by ``%unload_ext sidebyside``. R cannot be stopped, so it stays loaded."""
    from .kernel.extension import unload

    unload(shell)
