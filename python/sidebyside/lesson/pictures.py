"""A reader's own picture, made ready for a network."""

from __future__ import annotations

from pathlib import Path

import numpy as np

# Pixels of a side from twice of which on a picture is made smaller first: a
# telephone's of 48 million would take 1.5 GB on its way, and Binder has 2.
LARGEST = 1000


class NoPicture(ValueError):
    """A file is not there or is no picture; the message says what to do."""


def read_picture(path: str | Path, size: int = 20) -> np.ndarray:
    """One picture from a file, as a batch of one for `predict()`.

    Transparent parts become white, what is not square gets white borders, and
    the picture is turned as the camera says. It is resized by the function
    that `image_dataset_from_directory()` uses (bilinear, no antialiasing), so
    that the network sees it as it saw those it has learned from. (One of more
    than 2,000 pixels a side is first made smaller, by means.)

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
        With the path, what was found there, and what to do: no file, a
        folder, no picture, a damaged one, one of more than 8 bits a colour.
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
            f"There is no file {path}. Give the path of a picture (from "
            f"{Path.cwd()}, or a full one)."
        ) from None
    except IsADirectoryError:
        raise NoPicture(
            f"{path} is a folder. Give the path of one picture in it."
        ) from None
    except UnidentifiedImageError:
        raise NoPicture(
            f"{path} is no picture that can be read. Give a JPEG or PNG file."
        ) from None
    except PermissionError:
        raise NoPicture(
            f"{path} cannot be read (permission denied). As its owner: "
            f"chmod u+r '{path}'"
        ) from None
    except (
        *(OSError, SyntaxError, ValueError),  # Pillow's words for damage
        Image.DecompressionBombError,
    ) as problem:
        raise NoPicture(
            f"{path} cannot be read ({problem}). Save the picture again, as "
            "JPEG or PNG."
        ) from problem
    if mode.startswith(("I", "F")):  # Pillow would cut off all above 255
        raise NoPicture(
            f"{path} has grey values of more than 8 bits ({mode}). Save the "
            "picture again, as JPEG or as PNG with 8 bits a colour."
        )
    picture = picture.reduce(max(1, max(picture.size) // LARGEST))
    side = max(picture.size)
    paper = Image.new("RGBA", (side, side), "white")
    corner = ((side - picture.width) // 2, (side - picture.height) // 2)
    paper.alpha_composite(picture, corner)
    pixels = np.asarray(paper.convert("RGB"), dtype="float32")[None]
    resized = ops.image.resize(pixels, (size, size), "bilinear")
    return ops.convert_to_numpy(resized)
