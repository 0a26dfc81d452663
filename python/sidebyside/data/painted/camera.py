"""Turn, light and photograph a painted fruit.

`photograph()` gets a `Solid` (a cloud of dots), turns it, keeps for every
pixel the dot that is nearest to the camera, and lights it. All arithmetic is
in float32, with +, -, *, / and square roots only. Their results are the same
on every machine and in every version of NumPy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .solids import Solid

SIZE = 100  # pixels, as in Fruits-360
FINE = 2  # we draw this many times finer, then average
DISTANCE = np.float32(7)  # from the camera to the fruit's middle

# One int64 contains how near a dot is, and its number.
DEPTHS = 1 << 18  # steps of depth in a unit
NUMBERS = 20  # bits for the number of the dot
HOLE = 0.12  # a pixel this far behind both of its neighbours is a hole


@dataclass(frozen=True)
class Shot:
    """How one picture is taken; angles in degrees.

    The fruit is spun about its own axis by `spin`, laid down by `lay` (0
    upright, 90 on its side), turned about the vertical by `turn`, leaned
    towards the camera by `lean` and rolled by `roll`.
    """

    spin: float = 0
    turn: float = 0
    lay: float = 0
    lean: float = 12
    roll: float = 0
    fill: float = 0.96  # longest side of the fruit, as a share of the picture
    shift: tuple[float, float] = (0, 0)  # as a share of the free space, -1..1
    light: tuple[float, float] = (-30, 35)  # angle from the right, from above
    strength: float = 1  # of that light
    ambient: float = 0.34  # light from everywhere
    balance: tuple[float, float, float] = (1, 1, 1)  # of red, green, blue


def rotation(axis: int, degrees: float) -> np.ndarray:
    """Return the matrix of a rotation about the x, y or z axis (0, 1, 2)."""
    angle = math.radians(degrees)
    # Rounded: the last digit of a sine is not the same everywhere.
    sine, cosine = round(math.sin(angle), 9), round(math.cos(angle), 9)
    first, second = [(1, 2), (2, 0), (0, 1)][axis]
    matrix = np.eye(3)
    matrix[first, first] = matrix[second, second] = cosine
    matrix[first, second], matrix[second, first] = -sine, sine
    return matrix


def product(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Multiply two 3x3 matrices without BLAS, whose rounding differs by machine."""
    return (left[:, :, None] * right[None, :, :]).sum(axis=1).round(9)


def orientation(shot: Shot) -> np.ndarray:
    """Return the matrix from the fruit's coordinates to the camera's, 3x3, float32."""
    matrix = rotation(1, shot.spin)
    for axis, degrees in (
        (2, shot.lay),
        (1, shot.turn),
        (0, shot.lean),
        (2, shot.roll),
    ):
        matrix = product(rotation(axis, degrees), matrix)
    return matrix.astype(np.float32)


def turned(
    matrix: np.ndarray, vectors: np.ndarray, which: np.ndarray
) -> list[np.ndarray]:
    """Return x, y and z of some of `vectors`, shape (3, n), after a rotation."""
    x, y, z = (part.take(which) for part in vectors)
    return [row[0] * x + row[1] * y + row[2] * z for row in matrix]


def photograph(solid: Solid, shot: Shot) -> np.ndarray:
    """Take one picture on white: uint8, shape (100, 100, 3)."""
    matrix = orientation(shot)
    wide = SIZE * FINE
    # Use only the dots that face the camera.
    eye = matrix[2] * DISTANCE
    x, y, z = solid.normals
    seen = np.flatnonzero(x * eye[0] + y * eye[1] + z * eye[2] > solid.towards)
    x, y, z = turned(matrix, solid.points, seen)
    nearness = 1 / (DISTANCE - z)
    x *= nearness
    y *= nearness
    column, row = _fitted(x, y, shot)
    pixel = row * wide + column
    # The nearest dot of each pixel wins: depth in the high bits, the dot's number
    # in the low bits.
    depth = ((z + 4) * np.float32(DEPTHS)).astype(np.int64)
    key = (depth << NUMBERS) + np.arange(len(depth))
    nearest = np.full(wide * wide, -1, np.int64)
    np.maximum.at(nearest, pixel, key)
    nearest = _without_holes(nearest.reshape(wide, wide))
    hit = np.flatnonzero(nearest >= 0)
    dots = seen.take(nearest.take(hit) & ((1 << NUMBERS) - 1))
    canvas = np.ones((3, wide * wide), np.float32)
    lit = _lit(solid, dots, matrix, shot)
    for part, light in zip(canvas, lit, strict=True):
        part[hit] = light
    fine = canvas.reshape(3, wide, SIZE, FINE)
    rows = fine[..., 0] + fine[..., 1]
    mean = (rows[:, 0::FINE] + rows[:, 1::FINE]) / np.float32(4)
    grey = np.rint(np.sqrt(mean) * np.float32(255)).astype(np.uint8)
    return np.ascontiguousarray(grey.transpose(1, 2, 0))


def _fitted(x: np.ndarray, y: np.ndarray, shot: Shot) -> tuple[np.ndarray, np.ndarray]:
    """Return columns and rows of all dots, so that the fruit fills the picture."""
    wide = SIZE * FINE
    left, right = float(x.min()), float(x.max())
    low, high = float(y.min()), float(y.max())
    scale = shot.fill * wide / max(right - left, high - low)
    begin_x = (wide - (right - left) * scale) * (0.5 + 0.4 * shot.shift[0])
    begin_y = (wide - (high - low) * scale) * (0.5 + 0.4 * shot.shift[1])
    column = _along(x, scale, begin_x - left * scale)
    row = _along(y, -scale, begin_y + high * scale)
    return column.clip(0, wide - 1), row.clip(0, wide - 1)


def _along(values: np.ndarray, scale: float, begin: float) -> np.ndarray:
    """Return numbers of pixels. (In NumPy 1 a float times a float32 differs.)"""
    return (values * np.float32(scale) + np.float32(begin)).astype(np.int64)


def _without_holes(nearest: np.ndarray) -> np.ndarray:
    """Fill holes in the skin with the dots beside them.

    A hole is a pixel without a dot, or with a dot far behind, between two pixels
    on opposite sides that have a dot nearer to the camera.
    """
    deep = np.int64(HOLE * DEPTHS) << NUMBERS
    # Look at the nearest neighbours twice, then at pixels two steps away.
    for far in (1, 1, 2):
        edged = np.pad(nearest, far, constant_values=-1)
        middle, before, after = (
            slice(far, -far),
            slice(None, -2 * far),
            slice(2 * far, None),
        )
        between = np.maximum(
            np.minimum(edged[middle, before], edged[middle, after]),
            np.minimum(edged[before, middle], edged[after, middle]),
        )
        nearest = np.where(between - nearest > deep, between, nearest)
    return nearest


def _lit(
    solid: Solid, dots: np.ndarray, matrix: np.ndarray, shot: Shot
) -> list[np.ndarray]:
    """Return the red, green and blue light from each of `dots`: float32, 0..1."""
    x, y, z = turned(matrix, solid.normals, dots)
    sideways, upwards = rotation(1, shot.light[0]), rotation(0, -shot.light[1])
    window = product(sideways, upwards)[:, 2]
    light = window.astype(np.float32)
    # Soft light: a large window also lights dots that just turn away from it.
    key = x * light[0] + y * light[1] + z * light[2]
    key = np.maximum(0, (key + np.float32(0.25)) * np.float32(0.8))
    facing = np.clip(z, 0, 1)
    sky = np.float32(shot.ambient) * (1 + np.float32(0.35) * y)
    # The edge is darker, as in a room whose white walls are far away.
    edge = np.float32(0.5) + np.float32(0.5) * facing
    diffuse = (sky + np.float32(0.85 * shot.strength) * key) * edge
    if solid.fuzz:
        away = 1 - facing
        diffuse = diffuse + np.float32(solid.fuzz) * away * away * (sky + key)
    # Highlight: dots that face half way between the light and the camera.
    between = window + np.array([0, 0, 1])
    length = math.sqrt(sum(float(part) ** 2 for part in between))
    half = (between / length).astype(np.float32)
    shine = np.maximum(0, x * half[0] + y * half[1] + z * half[2])
    for _ in range(solid.sharpness):
        shine = shine * shine
    shine = shine * solid.gloss[dots] * np.float32(shot.strength)
    balance = np.array(shot.balance, np.float32)
    return [
        np.minimum((part.take(dots) * diffuse + shine) * tint, 1)
        for part, tint in zip(solid.colour, balance, strict=True)
    ]
