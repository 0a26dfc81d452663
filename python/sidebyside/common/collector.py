"""Pause Python's garbage collector while many objects are created."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused() -> Iterator[None]:
    """Pause the garbage collector during the block.

    An import or a table creates hundreds of thousands of objects that stay
    alive. The collector would look through all of them again and again while
    their number grows. At the end of the block they count as old objects, so
    that the next collection skips them, too.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            # These two calls move every object to the oldest generation without
            # looking at any of them.
            gc.freeze()
            gc.unfreeze()
            gc.enable()
