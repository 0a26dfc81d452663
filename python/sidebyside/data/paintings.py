"""Make a photograph and a painting for networks that change pictures."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from ..common.files import data_directory, read_at_most, write_whole
from .sources import MOST_BYTES, checked_bytes, first_of

PHOTOGRAPH = "grace_hopper.jpg"
PHOTOGRAPH_SHA256 = "a8ca6d734765703b09728ab47fe59f473d93ae3967fc24c7c0288c3c7adb7130"

# The colours of the painting, from the night to the lights.
COLOURS = (
    *("#0b1d51", "#16407a", "#2a6fb0", "#5fa8d3"),
    *("#f2c53d", "#f7e08a", "#e07b1f", "#fbf6e3"),
)
WIDTH, HEIGHT = 320, 400  # in pixels
WHIRLS, STROKES = 12, 2500


def photograph() -> str:
    """Return the path of a photograph of Grace Hopper, 512 by 600 pixels.

    The portrait was taken by the U.S. Navy and is in the public domain. It comes
    with matplotlib, and is checked by its SHA-256.

    Raises
    ------
    NoData
        If matplotlib was installed without it, or with another photograph.
    """
    from matplotlib import get_data_path

    path = Path(get_data_path(), "sample_data", PHOTOGRAPH)
    where = "matplotlib's sample data"

    def found() -> Path:
        checked_bytes(str(path), read_at_most(path, MOST_BYTES), PHOTOGRAPH_SHA256)
        return path

    first_of("Photograph", {where: found}, "Install matplotlib from PyPI.")
    print(f"Photograph from {where}: Grace Hopper, U.S. Navy", flush=True)
    return str(path)


def painting(seed: int = 18) -> str:
    """Return the path of a painting, 320 pixels wide and 400 high.

    It is painted by a program: thousands of strokes that follow whirls, as in some
    famous paintings of the night. The same seed always makes the same painting.
    """
    path = data_directory() / "paintings" / f"painting-{seed}.png"
    painted = _paint(seed)
    try:
        same = read_at_most(path, MOST_BYTES) == painted
    except OSError:
        same = False
    if not same:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, painted)
    print(f"Painting by a program, seed {seed}", flush=True)
    return str(path)


def _paint(seed: int) -> bytes:
    from PIL import Image, ImageDraw

    random = np.random.default_rng(seed)
    angles, lights = _whirls(random)
    image = Image.new("RGB", (WIDTH, HEIGHT), COLOURS[0])
    draw = ImageDraw.Draw(image)
    for _ in range(STROKES):
        x, y = random.uniform(0, WIDTH), random.uniform(0, HEIGHT)
        light = 6.5 * lights[int(y), int(x)] + random.normal(0, 0.9)
        colour = COLOURS[int(np.clip(light, 0, len(COLOURS) - 1))]
        stroke = []
        while len(stroke) < 9 and 0 <= x < WIDTH and 0 <= y < HEIGHT:
            stroke.append((x, y))
            x, y = (
                x + 4 * np.cos(angles[int(y), int(x)]),
                y + 4 * np.sin(angles[int(y), int(x)]),
            )
        draw.line(stroke, fill=colour, width=int(random.integers(4, 10)))
    image.save(png := io.BytesIO(), "png")
    return png.getvalue()


def _whirls(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return each pixel's direction of the strokes, and its light from 0 to 1."""
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(float)
    # A wind to the right, and the whirls in it.
    along, down, light = np.full_like(x, 0.5), np.zeros_like(x), np.zeros_like(x)
    for _ in range(WHIRLS):
        dx, dy = x - random.uniform(0, WIDTH), y - random.uniform(0, HEIGHT)
        radius, turn = random.uniform(40, 90), random.choice([-3, 3])
        near = np.exp(-(dx**2 + dy**2) / (2 * radius**2))
        along -= turn * dy / radius * near
        down += turn * dx / radius * near
        light = np.maximum(light, near**2)
    return np.arctan2(down, along), light
