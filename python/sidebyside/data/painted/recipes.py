"""Recipes for the sixteen fruits: a body, bumps, colours.

A recipe takes a random generator and returns one specimen of its fruit.
Colours and proportions were chosen by eye.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from .solids import (
    DOTS_ACROSS,
    Skin,
    Solid,
    bell,
    cells,
    leaf,
    mix,
    noise,
    oval,
    ramp,
    revolve,
    rgb,
    solid,
    step,
    sweep,
)

Random = np.random.Generator


def _pole(skin: Skin, upper: bool) -> np.ndarray:
    """Return the distance from the axis on one half, and a large number elsewhere."""
    half = skin.along > 0.5 if upper else skin.along <= 0.5
    return np.where(half, skin.aside, np.float32(9))


def _lean(random: Random, skin: Skin, amount: float) -> None:
    """Press the body a little here and there, because no fruit is exactly round."""
    waves = noise(random, skin.points, 1.1)
    skin.move(amount * waves)


def _smooth(
    radius: np.ndarray, height: np.ndarray, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """Round the corners of a curve by means over `width` points (an odd number).

    Beyond the axis the curve continues as its mirror image.
    """
    half = width // 2
    rounded = []
    for curve, sign in ((radius, -1), (height, 1)):
        first, last = curve[half:0:-1], curve[-2 : -half - 2 : -1]
        whole = np.concatenate([sign * first, curve, sign * last])
        total = np.cumsum(np.concatenate([[0], whole]))
        rounded.append((total[width:] - total[:-width]) / width)
    return np.maximum(rounded[0], 0), rounded[1]


def _crease(skin: Skin, depth: float, width: float) -> np.ndarray:
    """Return the seam of a stone fruit, pressed in by `depth` along the angle 0."""
    away = np.abs((skin.angle + np.pi) % (2 * np.pi) - np.pi)
    return -depth * bell(away / width) * step(skin.along, 0.02, 0.3)


def _nub(skin: Skin, upper: bool, radius: float, height: float) -> np.ndarray:
    """Return a short stalk, or the rest of one, at one of the poles."""
    away = _pole(skin, upper)
    return height * step(away, radius, radius * 0.7)


def kiwi(random: Random) -> Solid:
    """Brown, hairy, with the dry rest of the flower at one end."""
    skin = revolve(*oval(random.uniform(1.2, 1.32), lower=2.3, upper=2.3))
    skin.points[2] *= random.uniform(0.9, 0.96)
    _lean(random, skin, 0.05)
    end = _pole(skin, upper=True)
    hair = noise(random, skin.points, (26, 9, 26), 2)
    spots = noise(random, skin.points, 5, 2)
    ring = bell((end - 0.2) / 0.07)
    skin.move(0.012 * hair + 0.05 * ring - 0.03 * step(end, 0.16, 0.05))
    skin.paint(ramp(0.5 + 0.42 * spots, "#7d5f33", "#9a7843", "#b08e57", "#bd9e69"))
    skin.paint(rgb("#5d4424"), 0.6 * step(hair, 0.25, 0.9))
    skin.paint(rgb("#d3b98a"), 0.35 * step(hair, -0.3, -1))
    skin.paint(rgb("#6b4f2a"), 0.6 * ring)
    skin.paint(rgb("#35261a"), step(end, 0.15, 0.08))
    skin.paint(rgb("#4a3a22"), step(_pole(skin, upper=False), 0.12, 0.06))
    skin.gloss[:] = 0.02
    return solid([skin], sharpness=3, fuzz=0.16)


def banana(random: Random) -> Solid:
    """A bent tube with five edges, a stalk and a dark tip."""
    bend = random.uniform(0.95, 1.15)  # half the arc, radians
    turn = np.linspace(-bend, bend, 200)
    radius_of_arc = 1.35 / bend
    spine = np.stack([radius_of_arc * (np.cos(turn) - 1), radius_of_arc * np.sin(turn)])
    along = np.linspace(0, 1, 200)
    fat = random.uniform(0.25, 0.29)
    width = fat * np.interp(
        along,
        [0, 0.02, 0.06, 0.16, 0.3, 0.55, 0.75, 0.86, 0.92, 1],
        [0.1, 0.3, 0.36, 0.78, 0.97, 1, 0.84, 0.45, 0.28, 0.3],
    )
    skin = sweep(spine, width)
    body = step(skin.along, 0.05, 0.2) * step(skin.along, 0.92, 0.8)
    edges = np.cos(5 * skin.angle + 0.4)
    skin.move(0.02 * body * edges * np.abs(edges))
    dots = noise(random, skin.points, (14, 14, 14), 2)
    streaks = noise(random, skin.points, (9, 2.5, 9), 2)
    yellow = mix(rgb("#f2c928"), rgb("#fbe164"), 0.5 + 0.5 * streaks)
    skin.paint(yellow)
    skin.paint(rgb("#dca91c"), 0.45 * step(edges, 0.75, 1) * body)
    green = random.uniform(0.3, 0.7)
    skin.paint(rgb("#a9b23a"), green * step(skin.along, 0.72, 0.92))
    skin.paint(rgb("#b4b83e"), green * step(skin.along, 0.2, 0.07))
    skin.paint(rgb("#6b4418"), 0.85 * step(dots, random.uniform(0.6, 0.72), 0.95))
    skin.paint(rgb("#3a2a17"), step(skin.along, 0.045, 0.02))
    skin.paint(rgb("#6e5a2a"), step(skin.along, 0.965, 0.99))
    skin.gloss[:] = 0.1
    return solid([skin], sharpness=4)


def apricot(random: Random) -> Solid:
    """Orange with a red cheek, a seam, and hardly any shine."""
    skin = revolve(*oval(random.uniform(0.95, 1.06), lower=2.1, upper=2.2))
    skin.points[2] *= random.uniform(0.88, 0.95)
    _lean(random, skin, 0.05)
    end = _pole(skin, upper=True)
    skin.move(
        _crease(skin, 0.09, 0.16)
        - 0.2 * bell(end / 0.16)
        + 0.002 * noise(random, skin.points, 18)
    )
    cloud = noise(random, skin.points, 1.6, 3)
    skin.paint(ramp(0.5 + 0.5 * cloud, "#f09029", "#f5a33e", "#f8b558"))
    cheek = np.cos(skin.angle - random.uniform(1.5, 2.6))
    freckles = noise(random, skin.points, 16)
    blush = step(0.7 * cheek + 0.35 * cloud + 0.22 * freckles, 0.1, 0.9)
    skin.paint(rgb("#cf3a18"), 0.8 * blush)
    skin.paint(rgb("#5a2d10"), step(end, 0.09, 0.05))
    skin.gloss[:] = 0.1
    return solid([skin], sharpness=3, fuzz=0.06)


def avocado(random: Random) -> Solid:
    """Dark green leather in the shape of a pear."""
    skin = revolve(*oval(random.uniform(1.3, 1.42), pear=random.uniform(0.32, 0.4)))
    _lean(random, skin, 0.04)
    leather = noise(random, skin.points, 13, 2)
    nub = _nub(skin, True, 0.11, 0.07)
    skin.move(0.022 * leather + nub)
    patches = noise(random, skin.points, 2.2, 2)
    skin.paint(ramp(0.5 + 0.5 * patches, "#24381a", "#33501f", "#48682a"))
    skin.paint(rgb("#16220f"), 0.55 * step(leather, 0.1, -0.8))
    skin.paint(rgb("#7d9250"), 0.5 * step(leather, 0.75, 1.1))
    skin.gloss = 0.22 + 0.12 * leather
    skin.paint(rgb("#7a5a38"), step(nub, 0.02, 0.06))
    skin.gloss *= 1 - step(nub, 0.02, 0.06)
    return solid([skin], sharpness=4)


def cocos(random: Random) -> Solid:
    """A coconut: fibres from end to end, and three dark eyes."""
    skin = revolve(
        *oval(
            random.uniform(1.04, 1.12),
            lower=2.1,
            upper=random.uniform(1.7, 1.8),
        )
    )
    _lean(random, skin, 0.05)
    # The number of fibres is the same at every height, so the noise is on a
    # cylinder and not in space.
    ring = np.stack([np.cos(skin.angle), skin.along, np.sin(skin.angle)])
    bent = ring + 0.05 * noise(random, ring, (3, 5, 3), 2)
    fibre = noise(random, bent, (15, 3.5, 15), 3)
    coarse = noise(random, skin.points, 3, 3)
    eyes = np.zeros_like(fibre)
    for k in range(3):
        at = 2 * np.pi * k / 3 + random.uniform(-0.12, 0.12)
        x, z = 0.33 * math.cos(at), 0.33 * math.sin(at)
        away = np.sqrt((skin.points[0] - x) ** 2 + (skin.points[2] - z) ** 2)
        away = np.where(skin.along > 0.5, away, np.float32(9))
        eyes = np.maximum(eyes, step(away, 0.17, 0.11))
    skin.move(0.028 * fibre * (1 - eyes) + 0.015 * coarse - 0.06 * eyes)
    tone = 0.42 + 0.3 * fibre + 0.22 * coarse
    skin.paint(ramp(tone, "#38200f", "#633c1f", "#855731", "#b98a58"))
    skin.paint(rgb("#24160c"), eyes)
    skin.gloss[:] = 0.03
    return solid([skin], sharpness=3)


def _citrus(
    random: Random,
    colours: tuple[str, str],
    *,
    stretch: float,
    pores: int,
    depth: float,
    neck: float = 0,
    lumps: float = 0,
    gloss: float = 0.2,
    star: str = "#7d8b3c",
) -> Solid:
    """Orange, mandarine and clementine: the same recipe with different numbers."""
    skin = revolve(*oval(stretch, lower=2.1, upper=2.1))
    _lean(random, skin, 0.035)
    end, foot = _pole(skin, upper=True), _pole(skin, upper=False)
    ribs = np.cos(10 * skin.angle + random.uniform(0, 6))
    ribs = ribs * step(end, 0.6, 0.15)
    skin.move(
        lumps * noise(random, skin.points, 3, 2)
        + neck * bell(end / 0.3)
        - 0.05 * bell(end / 0.13)
        - 0.05 * bell(foot / 0.12)
        + 0.15 * (neck + 0.04) * ribs
    )
    spots = cells(random, skin, pores, 0.3)
    pit = step(spots.distance, 0.36, 0.05) * (0.4 + 0.6 * spots.tone)
    rough = noise(random, skin.points, pores / 3.2)
    skin.move(depth * (0.7 * rough - pit))
    cloud = noise(random, skin.points, 1.7, 3)
    low, high = (rgb(code) for code in colours)
    skin.paint(mix(low, high, np.clip(0.5 + 0.5 * cloud, 0, 1)))
    skin.paint(mix(low, rgb("#a04a00"), 0.4), 0.35 * pit)
    ends = np.minimum(end + 0.025 * np.cos(5 * skin.angle), foot + 0.05)
    skin.gloss[:] = gloss * (1 - 0.6 * pit)
    button = step(ends, 0.12, 0.085)
    skin.paint(rgb(star), button * (skin.along > 0.5))
    skin.paint(rgb("#6b4a1a"), button * (skin.along <= 0.5))
    skin.paint(rgb("#4d5524"), step(end, 0.05, 0.03))
    skin.gloss *= 1 - button
    return solid([skin], sharpness=4)


def clementine(random: Random) -> Solid:
    """Small, flat, deep orange, with fine pores."""
    return _citrus(
        random,
        ("#e95f06", "#f47c14"),
        stretch=random.uniform(0.84, 0.9),
        pores=46,
        depth=0.012,
        gloss=0.24,
        star="#62793a",
    )


def mandarine(random: Random) -> Solid:
    """Flatter than a clementine, with loose skin that is drawn up into a neck."""
    return _citrus(
        random,
        ("#f07c0c", "#fb9c2e"),
        stretch=random.uniform(0.76, 0.83),
        pores=40,
        depth=0.013,
        neck=random.uniform(0.05, 0.12),
        lumps=0.025,
        gloss=0.2,
    )


def orange(random: Random) -> Solid:
    """Almost a ball, with coarse pores."""
    return _citrus(
        random,
        ("#f08a14", "#fbac38"),
        stretch=random.uniform(0.94, 1.0),
        pores=32,
        depth=0.016,
        lumps=0.008,
        gloss=0.2,
        star="#9aa05a",
    )


def _sour(
    random: Random,
    colours: tuple[str, str, str],
    *,
    stretch: float,
    tip: float,
    neck: float,
    pores: int,
    gloss: float,
) -> Solid:
    """Lemon and lime: an oval with a nipple."""
    radius, height = oval(stretch, lower=2.0, upper=2.0)
    # Both ends are drawn out: the tip more than the end where the stalk was.
    height = height + tip * bell(radius / 0.24) * (height < 0) * -1
    height = height + neck * bell(radius / 0.3) * (height > 0)
    skin = revolve(radius, height)
    _lean(random, skin, 0.04)
    spots = cells(random, skin, pores, 0.3)
    pit = step(spots.distance, 0.36, 0.05) * (0.3 + 0.7 * spots.tone)
    rough = noise(random, skin.points, 7, 2)
    skin.move(0.012 * rough - 0.012 * pit)
    cloud = noise(random, skin.points, 1.6, 3)
    skin.paint(ramp(0.5 + 0.55 * cloud, *colours))
    skin.paint(rgb("#3d3a10"), 0.14 * pit)
    end = _pole(skin, upper=True) + 0.02 * np.cos(5 * skin.angle)
    skin.gloss[:] = gloss * (1 - 0.5 * pit)
    skin.paint(rgb("#8a8350"), step(end, 0.12, 0.08))
    skin.paint(rgb("#4f4a28"), step(end, 0.06, 0.03))
    skin.paint(rgb("#6f6020"), step(_pole(skin, upper=False), 0.05, 0.03))
    return solid([skin], sharpness=4)


def limes(random: Random) -> Solid:
    """Green, rounder than a lemon, paler where it ripens."""
    return _sour(
        random,
        ("#4f7f1d", "#6c9a2a", "#9db444"),
        stretch=random.uniform(1.06, 1.16),
        tip=random.uniform(0.08, 0.14),
        neck=0.04,
        pores=40,
        gloss=0.26,
    )


def lemon(random: Random) -> Solid:
    """Yellow, long, with a nipple at one end and a neck at the other."""
    return _sour(
        random,
        ("#e9b916", "#f5cf2b", "#fadf55"),
        stretch=random.uniform(1.2, 1.32),
        tip=random.uniform(0.2, 0.28),
        neck=random.uniform(0.1, 0.16),
        pores=36,
        gloss=0.2,
    )


def peach(random: Random) -> Solid:
    """Yellow under a red cheek, a deep seam, and fuzz."""
    skin = revolve(*oval(random.uniform(0.88, 0.96), lower=2.2, upper=2.3))
    _lean(random, skin, 0.05)
    end = _pole(skin, upper=True)
    skin.move(_crease(skin, 0.1, 0.13) - 0.42 * bell(end / 0.2))
    cloud = noise(random, skin.points, 1.9, 3)
    fine = noise(random, skin.points, (20, 8, 20), 2)
    skin.paint(ramp(0.5 + 0.5 * cloud, "#e3964a", "#eeb266", "#f4cb8a"))
    cheek = np.cos(skin.angle - random.uniform(1.8, 3.2))
    blush = step(0.55 * cheek + 0.65 * cloud + 0.3 * fine, -0.75, 0.7)
    blush = blush * step(end, 0.2, 0.55)
    skin.paint(ramp(0.5 + 0.5 * fine, "#9a1f1c", "#b93325", "#cf5234"), 0.9 * blush)
    skin.paint(rgb("#4b2c14"), step(end, 0.1, 0.06))
    skin.gloss[:] = 0.03
    return solid([skin], sharpness=3, fuzz=0.15)


def plum(random: Random) -> Solid:
    """Dark violet red under a pale bloom that has been touched."""
    skin = revolve(*oval(random.uniform(1.0, 1.12), lower=2.1, upper=2.2))
    skin.points[2] *= random.uniform(0.9, 0.96)
    _lean(random, skin, 0.04)
    end = _pole(skin, upper=True)
    skin.move(_crease(skin, 0.05, 0.1) - 0.25 * bell(end / 0.16))
    cloud = noise(random, skin.points, 1.5, 2)
    bloom = noise(random, skin.points, (4, 2.5, 4), 5)
    skin.paint(ramp(0.5 + 0.5 * cloud, "#2c0f24", "#4a1326", "#6a1c2c"))
    pale = step(bloom, -0.5, 1.3)
    skin.paint(rgb("#8d86ac"), 0.7 * pale)
    skin.paint(rgb("#6d5a3c"), step(end, 0.07, 0.045))
    skin.gloss = 0.3 * (1 - 0.8 * pale)
    return solid([skin], sharpness=5)


def raspberry(random: Random) -> Solid:
    """A thimble made of many small balls, hollow where the stalk was."""
    turn = np.linspace(0, 1, 300)
    # From the tip, up the outside, over the rim and down into the hollow.
    radius = np.interp(
        turn,
        [0, 0.06, 0.16, 0.3, 0.5, 0.66, 0.76, 0.83, 0.9, 1],
        [0, 0.28, 0.5, 0.68, 0.83, 0.84, 0.7, 0.5, 0.4, 0],
    )
    height = np.interp(
        turn,
        [0, 0.06, 0.16, 0.3, 0.5, 0.66, 0.76, 0.83, 0.9, 1],
        [-1, -0.96, -0.8, -0.5, -0.05, 0.42, 0.72, 0.76, 0.5, 0.3],
    )
    radius, height = _smooth(radius, height, 31)
    # The dots are denser, because the skin bends in and out between the balls.
    skin = revolve(radius, height * random.uniform(1.0, 1.12), 1.45 / DOTS_ACROSS)
    spots = cells(random, skin, random.integers(14, 17), 0.16)
    outside = step(skin.along, 0.9, 0.84)
    ball = np.sqrt(np.clip(1 - (spots.distance / 0.62) ** 2, 0, 1))
    skin.move(0.125 * ball * outside)
    tone = np.clip(0.25 + 0.5 * spots.tone + 0.2 * ball, 0, 1)
    skin.paint(ramp(tone, "#a01030", "#c81f43", "#e2486a"))
    skin.paint(rgb("#5c0618"), 0.8 * step(ball, 0.55, 0.1) * outside)
    skin.paint(rgb("#f0a0ac"), 0.8 * step(skin.along, 0.84, 0.92))
    skin.paint(rgb("#7a2a2e"), step(skin.along, 0.9, 0.99))
    skin.gloss = 0.3 * ball * outside
    return solid([skin], sharpness=5, fuzz=0.08)


def strawberry(random: Random) -> Solid:
    """A red cone with yellow seeds and a green collar."""
    turn = np.linspace(0, 1, 300)
    radius = np.interp(
        turn,
        [0, 0.04, 0.12, 0.3, 0.55, 0.72, 0.84, 0.93, 1],
        [0, 0.2, 0.36, 0.58, 0.82, 0.9, 0.8, 0.5, 0],
    )
    height = np.interp(
        turn,
        [0, 0.04, 0.12, 0.3, 0.55, 0.72, 0.84, 0.93, 1],
        [-1.2, -1.16, -1.0, -0.62, -0.05, 0.4, 0.68, 0.82, 0.8],
    )
    radius, height = _smooth(radius, height, 25)
    skin = revolve(radius, height * random.uniform(0.98, 1.12), 1.6 / DOTS_ACROSS)
    skin.points[2] *= random.uniform(0.85, 0.95)
    _lean(random, skin, 0.08)
    spots = cells(random, skin, 15, 0.12)
    far = np.sqrt(spots.across**2 + (0.6 * spots.upwards) ** 2)
    seed = step(far, 0.15, 0.1)
    dents = -0.045 * step(far, 0.42, 0.1) + 0.02 * seed
    skin.move(dents * step(skin.aside, 0.06, 0.2))
    cloud = noise(random, skin.points, 1.8, 2)
    skin.paint(ramp(0.5 + 0.5 * cloud, "#a80d14", "#c8161b", "#dc2c26"))
    pale = step(skin.along + 0.05 * cloud, 0.72, 0.97)
    skin.paint(rgb("#f3d6a4"), 0.85 * pale)
    skin.paint(rgb("#7e0a10"), 0.5 * step(far, 0.36, 0.16) * (1 - pale))
    skin.paint(ramp(spots.tone, "#e8c04c", "#d99a30", "#c9b45a"), seed)
    skin.gloss = 0.32 * (1 - seed)
    top = float(skin.points[1].max())
    spacing = 1.7 / DOTS_ACROSS
    leaves = [
        _collar(
            random,
            2 * np.pi * (k + random.uniform(-0.2, 0.2)) / 10,
            top,
            spacing,
        )
        for k in range(10)
    ]
    return solid(
        [skin, *leaves, _stalk(top - 0.04, 0.06, 0.24, "#6f8a3a")], sharpness=5
    )


def _collar(random: Random, angle: float, top: float, spacing: float) -> Skin:
    """Return one green leaf that lies on the top of a strawberry."""
    t = np.linspace(0, 1, 20)
    reach = random.uniform(0.6, 0.8)
    away = reach * t
    up = top + 0.12 * np.sin(np.pi * t) - random.uniform(0, 0.25) * t**2
    line = np.stack([away * math.cos(angle), up, away * math.sin(angle)])
    width = 0.17 * np.sin(np.pi * np.clip(0.15 + 0.85 * t, 0, 1)) ** 0.8
    skin = leaf(line, width, 0.25, spacing)
    shade = 0.5 + 0.5 * noise(random, skin.points, 6)
    skin.paint(ramp(shade, "#33561c", "#4c7726", "#6b9638"))
    skin.paint(rgb("#8fb05a"), 0.5 * step(np.abs(skin.angle), 0.2, 0.05))
    skin.gloss[:] = 0.08
    return skin


def _stalk(base: float, radius: float, length: float, colour: str) -> Skin:
    """Return a short upright stalk, closed at its end."""
    rho = np.array([radius * 1.3, radius, radius * 0.9, 0])
    y = base + length * np.array([0, 0.35, 1, 1.0])
    # A small part needs no more dots per area than the rest.
    skin = revolve(rho, y, 1.8 / DOTS_ACROSS)
    skin.paint(mix(rgb(colour), rgb("#a08a58"), step(skin.along, 0.75, 0.9)))
    return skin


def pineapple(random: Random) -> Solid:
    """A barrel with eyes in spirals, and a crown of stiff leaves."""
    skin = revolve(*oval(random.uniform(1.28, 1.4), lower=3.0, upper=2.8))
    skin.points *= 0.8
    eyes = cells(random, skin, 11, 0.02, columns=12)
    edge = np.maximum(np.abs(eyes.across), np.abs(eyes.upwards))
    edge = 0.5 * edge + 0.5 * (np.abs(eyes.across) + np.abs(eyes.upwards)) * 0.8
    raised = step(edge, 0.52, 0.2)
    tip = step(eyes.distance, 0.2, 0.08)
    skin.move(0.085 * raised + 0.05 * tip)
    grain = noise(random, skin.points, (20, 8, 20), 2)
    ripe = 0.25 + 0.35 * skin.along + 0.3 * eyes.tone + 0.12 * grain
    skin.paint(ramp(ripe, "#e0a02a", "#c98a25", "#a8812c", "#7d7a30"))
    skin.paint(rgb("#4a3415"), 0.85 * step(raised, 0.5, 0.05))
    skin.paint(rgb("#e8cf95"), 0.5 * step(eyes.distance, 0.34, 0.22))
    skin.paint(rgb("#5b3d1a"), 0.9 * tip)
    skin.gloss[:] = 0.06
    top = float(skin.points[1].max()) - 0.06
    spacing = 2.4 / DOTS_ACROSS
    leaves = []
    for k in range(34):
        share = k / 33  # 0: outermost and lowest
        angle = 2.39996 * k + random.uniform(-0.2, 0.2)
        leaves.append(_blade(random, angle, share, top, spacing))
    return solid([skin, *leaves], sharpness=4)


def _blade(
    random: Random, angle: float, share: float, top: float, spacing: float
) -> Skin:
    """Return one leaf of a pineapple's crown. The inner ones are upright."""
    t = np.linspace(0, 1, 24)
    length = (0.6 + 0.75 * share) * random.uniform(0.85, 1.1)
    begin = 0.26 * (1 - share)
    out = (0.62 - 0.5 * share) * length
    away = begin + out * (0.6 * t + 0.4 * t**2.5)
    up = top + length * (t - (0.42 - 0.36 * share) * t**2.4)
    line = np.stack([away * math.cos(angle), up, away * math.sin(angle)])
    width = 0.1 * (1 - t) ** 0.7 + 0.004
    skin = leaf(line, width, 0.5, spacing)
    stripe = noise(random, skin.points, (8, 2, 8))
    shade = 0.25 + 0.5 * skin.along + 0.25 * stripe
    skin.paint(ramp(shade, "#4d6a38", "#3f6b34", "#5d8446", "#86a05e"))
    skin.paint(rgb("#b5b98a"), 0.4 * step(np.abs(skin.angle), 0.7, 1))
    skin.gloss[:] = 0.08
    return skin


def pomegranate(random: Random) -> Solid:
    """Red leather with blunt faces, and the crown of the flower."""
    arc = np.linspace(-np.pi / 2, np.pi / 2 - 0.24, 300)
    stretch = random.uniform(0.9, 0.97)
    radius = np.concatenate([np.cos(arc), [0.21, 0.19, 0.2, 0.24, 0.3]])
    height = np.concatenate(
        [stretch * np.sin(arc), stretch + np.array([0, 0.04, 0.1, 0.18, 0.27])]
    )
    radius[0] = 0
    # The curve returns down the inside of the crown.
    radius = np.concatenate([radius, [0.26, 0.2, 0.14, 0]])
    height = np.concatenate([height, stretch + np.array([0.25, 0.14, 0.06, 0.05])])
    skin = revolve(radius, height)
    crown = step(skin.points[1], stretch + 0.0, stretch + 0.08)
    crown = crown * (skin.along > 0.5)
    faces = np.cos(6 * skin.angle + random.uniform(0, 6))
    girth = step(np.abs(skin.points[1]), 0.95, 0.3)
    skin.move(
        (0.025 * faces * girth + 0.03 * noise(random, skin.points, 1.2)) * (1 - crown)
    )
    # Six teeth: the rim is high at each tooth and low between them.
    teeth = 0.5 + 0.5 * np.cos(6 * skin.angle)
    lift = step(skin.points[1], stretch + 0.08, stretch + 0.27)
    skin.points[1] += 0.14 * lift * (teeth - 0.6)
    skin.points[[0, 2]] *= 1 + 0.25 * lift * teeth
    skin.move(0.004 * noise(random, skin.points, 22))
    cloud = noise(random, skin.points, (1.8, 1.1, 1.8), 3)
    skin.paint(ramp(0.5 + 0.5 * cloud, "#8d1024", "#ad1a2c", "#c5303a"))
    scars = noise(random, skin.points, 3.2, 4)
    skin.paint(rgb("#b97b4a"), 0.6 * step(scars, 0.75, 1.25))
    speck = noise(random, skin.points, 26)
    skin.paint(rgb("#e0796a"), 0.3 * step(speck, 0.55, 0.9))
    skin.paint(rgb("#c4664a"), 0.75 * crown)
    inside = step(skin.along, 0.965, 0.99) * crown
    skin.paint(rgb("#5e3a1c"), inside)
    skin.paint(rgb("#6b3d22"), step(_pole(skin, upper=False), 0.1, 0.05))
    skin.gloss = 0.26 * (1 - 0.7 * crown)
    return solid([skin], sharpness=5)


# The order is that of the study's list of classes.
RECIPES: dict[str, Callable[[Random], Solid]] = {
    "Kiwi": kiwi,
    "Banana": banana,
    "Apricot": apricot,
    "Avocado": avocado,
    "Cocos": cocos,
    "Clementine": clementine,
    "Mandarine": mandarine,
    "Orange": orange,
    "Limes": limes,
    "Lemon": lemon,
    "Peach": peach,
    "Plum": plum,
    "Raspberry": raspberry,
    "Strawberry": strawberry,
    "Pineapple": pineapple,
    "Pomegranate": pomegranate,
}
