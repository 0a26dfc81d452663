"""Python's garbage collector, out of the way while many objects are made."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused() -> Iterator[None]:
    """No collection in the block; afterwards as before.

    An import or a table makes hundreds of thousands of objects that stay.
    The collector would look through all of them again and again, because
    there are ever more. At the end they count as old ones, so that the next
    collection is not about them either.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            # Together they move every object to the oldest generation,
            # without looking at any.
            gc.freeze()
            gc.unfreeze()
            gc.enable()
