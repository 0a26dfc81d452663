"""Prepare a reader's own picture for a network."""

from __future__ import annotations

from pathlib import Path

import numpy as np

# A picture with a side of more than twice this many pixels is first made smaller. A
# telephone's picture of 48 million pixels would need 1.5 GB, and Binder has 2.
LARGEST = 1000


class NoPicture(ValueError):
    """A file does not exist or is not a picture. The message says what to do."""


def read_picture(path: str | Path, size: int = 20) -> np.ndarray:
    """Read one picture from a file, as a batch of one for `predict()`.

    Transparent parts become white, a picture that is not square gets white
    borders, and the picture is turned as the camera noted. It is resized by the
    function that `image_dataset_from_directory()` uses (bilinear, no
    antialiasing), as the pictures were on which the network was trained. (A
    picture of more than 2,000 pixels a side is first made smaller, by means.)

    Parameters
    ----------
    path
        JPEG, PNG, or any other format that Pillow reads.
    size
        Side of the square, in pixels.

    Returns
    -------
    float32, shape (1, size, size, 3)
        Red, green and blue, 0 to 255.

    Raises
    ------
    NoPicture
        If there is no file, or it is a folder, is not a picture, is damaged, or
        has more than 8 bits per colour. The message says what to do.
    """
    from keras import ops
    from PIL import Image, ImageOps, UnidentifiedImageError

    path = Path(path).expanduser()
    try:
        with Image.open(path) as opened:
            mode = opened.mode
            opened.draft(None, (LARGEST, LARGEST))  # JPEG only
            picture = ImageOps.exif_transpose(opened).convert("RGBA")
    except FileNotFoundError:
        raise NoPicture(
            f"There is no file {path}. Give the path of a picture, either complete "
            f"or relative to {Path.cwd()}."
        ) from None
    except IsADirectoryError:
        raise NoPicture(
            f"{path} is a folder. Give the path of one picture in it."
        ) from None
    except UnidentifiedImageError:
        raise NoPicture(
            f"{path} is not a picture that can be read. Give a JPEG or PNG file."
        ) from None
    except PermissionError:
        raise NoPicture(
            f"{path} cannot be read (permission denied). If you own it, type: "
            f"chmod u+r '{path}'"
        ) from None
    except (
        *(OSError, SyntaxError, ValueError),  # raised by Pillow for damaged files
        Image.DecompressionBombError,
    ) as problem:
        raise NoPicture(
            f"{path} cannot be read ({problem}). Save the picture again, as "
            "JPEG or PNG."
        ) from problem
    if mode.startswith(("I", "F")):  # Pillow would cut all values at 255
        raise NoPicture(
            f"{path} has grey values of more than 8 bits ({mode}). Save the "
            "picture again, as JPEG or as PNG with 8 bits per colour."
        )
    picture = picture.reduce(max(1, max(picture.size) // LARGEST))
    side = max(picture.size)
    paper = Image.new("RGBA", (side, side), "white")
    corner = ((side - picture.width) // 2, (side - picture.height) // 2)
    paper.alpha_composite(picture, corner)
    pixels = np.asarray(paper.convert("RGB"), dtype="float32")[None]
    resized = ops.image.resize(pixels, (size, size), "bilinear")
    return ops.convert_to_numpy(resized)
