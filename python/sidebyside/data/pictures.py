"""Load CIFAR-10, small colour pictures of ten classes, or painted fruits instead."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np

from ..common.errors import WrongData
from ..common.files import open_regular
from .fruits import CLASSES, painted_fruits
from .kept import MOST_BYTES, Arrays, letters, prepared, source_line, text_of
from .sources import ArraysOnly
from .words import Pairs

# Keras's names for the archive in its cache, for the files in it, and for the
# classes by number (batches.meta in the archive).
ARCHIVE = "cifar-10-batches-py-target_archive"
BATCHES = {
    "train": [f"cifar-10-batches-py/data_batch_{number}" for number in range(1, 6)],
    "test": ["cifar-10-batches-py/test_batch"],
}
KERAS_CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)


def load_cifar10(most: int | None = None) -> Pairs:
    """CIFAR-10: colour pictures of 32 by 32 pixels, and which of ten things each shows.

    The sources are Keras's cache, the project's data folder and Keras's own
    download. If none of them works, ten of this project's painted fruits are used
    instead. One printed line says which source it was.

    Parameters
    ----------
    most
        Use at most the first `most` pictures for training, and a fifth as many for
        testing. `None`: all. In R all of CIFAR-10 needs 0.7 GB of memory.

    Returns
    -------
    (x_train, y_train), (x_test, y_test)
        As `keras.datasets.cifar10.load_data()`: `x` uint8, 0 to 255, shape
        (50000, 32, 32, 3) and (10000, 32, 32, 3); `y` uint8, 0 to 9, shape (50000,
        1) and (10000, 1): `cifar10_classes()[y]` is its name. There are 1,200 and
        400 painted fruits.
    """
    arrays = cifar10()
    lengths = {"train": most, "test": None if most is None else most // 5}
    return tuple(
        tuple(arrays[f"{name}_{part}"][:length].copy() for name in "xy")
        for part, length in lengths.items()
    )


def cifar10_classes() -> list[str]:
    """The names of the classes of `load_cifar10()`."""
    return text_of(cifar10(say=False)["classes"]).split("\n")


def cifar10(say: bool = True) -> Arrays:
    return prepared(
        "CIFAR-10",
        "cifar10",
        own=(ARCHIVE,),
        from_own=_keras_cifar10,
        others={"this project's painted fruits": lambda folder: _painted()},
        say=say,
    )


def _keras_cifar10(path: Path) -> Arrays:
    arrays = {}
    with open_regular(path) as file:
        try:
            with tarfile.open(fileobj=file) as archive:
                for part, names in BATCHES.items():
                    batches = [_batch(archive, name) for name in names]
                    x, y = map(np.concatenate, zip(*batches, strict=True))
                    arrays |= {f"x_{part}": x, f"y_{part}": y}
        except WrongData:
            raise
        except Exception as problem:  # damaged bytes can raise almost anything
            raise WrongData(f"{path} is not CIFAR-10's archive. Remove it") from problem
    return arrays | _about("Keras's archive", KERAS_CLASSES, arrays)


def _batch(archive: tarfile.TarFile, name: str) -> tuple[np.ndarray, np.ndarray]:
    pickled = io.BytesIO(archive.extractfile(name).read(MOST_BYTES))
    batch = ArraysOnly(pickled, encoding="latin1").load()
    # The file has all red values of a picture first, then green, then blue.
    x = batch["data"].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return x, np.array(batch["labels"], "uint8").reshape(-1, 1)


def _painted() -> Arrays:
    """Return ten of the painted fruits, always in the same order."""
    from PIL import Image

    names = CLASSES[: len(KERAS_CLASSES)]
    random = np.random.RandomState(113)
    arrays = {}
    for part, folder in (("train", "Training"), ("test", "Test")):
        x, y = [], []
        for number, name in enumerate(names):
            for path in sorted((painted_fruits() / folder / name).glob("*.jpg")):
                with Image.open(path) as picture:
                    x.append(np.asarray(picture.resize((32, 32), Image.BOX)))
                y.append([number])
        order = random.permutation(len(y))
        arrays |= {
            f"x_{part}": np.array(x)[order],
            f"y_{part}": np.array(y, "uint8")[order],
        }
    name = "this project's painted fruits, which stand in for it"
    return arrays | _about(name, names, arrays)


def _about(source: str, classes: tuple[str, ...], arrays: Arrays) -> Arrays:
    y = [arrays["y_train"], arrays["y_test"]]
    return source_line(source, y) | {"classes": letters("\n".join(classes))}
