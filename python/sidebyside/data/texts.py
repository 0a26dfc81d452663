"""`python -m sidebyside.data.texts`: get the gallery's data sets that are missing.

Afterwards no network is needed. Each text is kept as one file in the folder `texts`
of the data folder. The weights of VGG16 are kept in `weights` or in Keras's cache.
"""

from __future__ import annotations

import argparse
import sys

from ..common.errors import Sentence
from .novels import novels
from .pictures import cifar10
from .stories import stories
from .vgg16 import vgg16_weights
from .words import imdb, reuters


def main() -> int:
    """Return the exit status: 0 if all data is there, 1 if not, 130 if interrupted."""
    missing = 0
    for get in (imdb, reuters, novels, stories, cifar10, vgg16_weights):
        try:
            get()
        except Sentence as problem:
            print(problem, file=sys.stderr)
            missing = 1
        except KeyboardInterrupt:
            print(
                "\nInterrupted. Complete data sets are kept. Run the same command "
                "again to get the others.",
                file=sys.stderr,
            )
            return 130
    return missing


if __name__ == "__main__":
    prog = "python -m sidebyside.data.texts"
    argparse.ArgumentParser(prog, description=__doc__).parse_args()
    sys.exit(main())
