"""`python -m sidebyside.data.fetch`: get the data sets that are not there yet.

Set-up does this once; afterwards no network is needed.
"""

from __future__ import annotations

import sys

from .fruits import painted_fruits
from .mnist import NoData, WrongData, load_mnist
from .painted.painter import CannotPaint


def main() -> int:
    """Exit status 0 if all data sets are there."""
    missing = 0
    try:
        load_mnist()
    except NoData as problem:
        print(problem, file=sys.stderr)
        missing = 1
    try:
        print(f"Painted fruits in {painted_fruits()}")
    except (CannotPaint, WrongData) as problem:
        print(problem, file=sys.stderr)
        missing = 1
    return missing


if __name__ == "__main__":
    sys.exit(main())
