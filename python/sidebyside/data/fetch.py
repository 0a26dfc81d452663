"""`python -m sidebyside.data.fetch`: get the data sets that are missing.

Set-up does this once. Afterwards no network is needed.
"""

from __future__ import annotations

import argparse
import sys

from ..common.errors import Sentence
from .fruits import painted_fruits
from .mnist import load_mnist


def main() -> int:
    """Return the exit status: 0 if all data sets are there."""
    missing = 0
    try:
        load_mnist()
    except Sentence as problem:
        print(problem, file=sys.stderr)
        missing = 1
    try:
        print(f"Painted fruits in {painted_fruits()}")
    except Sentence as problem:
        print(problem, file=sys.stderr)
        missing = 1
    return missing


if __name__ == "__main__":
    prog = "python -m sidebyside.data.fetch"
    argparse.ArgumentParser(prog, description=__doc__).parse_args()
    sys.exit(main())
