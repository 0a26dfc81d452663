"""`python -m sidebyside.fetch`: get the data sets that are not there yet.

Set-up does this once; afterwards no network is needed.
"""

from __future__ import annotations

import sys

from .datasets import NoData, load_mnist


def main() -> int:
    """Exit status 0 if all data sets are there."""
    try:
        load_mnist()
    except NoData as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
