"""Build painted fruits from skins of coloured dots.

A fruit is drawn as some hundred thousand dots on its skin. A skin begins as a
grid on a body of revolution, on a bent tube or on a leaf. Bumps, pores and
seeds move the dots in or out, and the normals of the moved grid decide how it
is lit. All of this happens in the fruit's own coordinates (y is up, a fruit is
about 2 units big), so that the texture turns with the fruit.

Only NumPy is used. The functions are deterministic: all random numbers come from
the generator that the caller passes, and nothing depends on the order of threads.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

# Dots across the width of a fruit. The picture is drawn 200 pixels wide (and
# halved afterwards), so neighbouring dots are about a pixel apart, even when we
# look at the end of a long fruit.
DOTS_ACROSS = 170
LATTICE = 32  # the noise repeats itself after this many cells
PIECE = 1 << 14  # dots whose noise is computed at once: they fit into the cache


@dataclass
class Skin:
    """A grid of dots, `(rows, columns)`, and what they look like.

    Everything is float32 except `angle`, of which we need sines and cosines.
    A sine that is rounded afterwards is the same on all machines; the sine of a
    rounded number may not be.

    Attributes
    ----------
    points, normals
        `(3, rows, columns)`: where the dots are, and which way is outwards.
    angle
        The angle around the fruit's axis, radians, or across a leaf, -1..1.
    along
        0 at the lower end of the fruit (or a leaf's base) to 1 at the other.
    round_trip
        True if the last column is next to the first.
    colour
        `(3, rows, columns)`, sRGB, 0..1.
    gloss
        How much light is reflected as by a mirror, 0..1.
    """

    points: np.ndarray
    normals: np.ndarray
    angle: np.ndarray
    along: np.ndarray
    round_trip: bool = True
    both_sides: bool = False
    colour: np.ndarray = field(init=False)
    gloss: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.points = self.points.astype(np.float32)
        self.normals = self.normals.astype(np.float32)
        self.along = self.along.astype(np.float32)
        self.colour = np.full(self.points.shape, 0.5, np.float32)
        self.gloss = np.zeros(self.along.shape, np.float32)

    def move(self, distance: np.ndarray) -> None:
        """Move every dot out by `distance` and find the new normals."""
        self.points = self.points + self.normals * single(distance)
        self.normals = normals_of(self.points, self.normals, self.round_trip)

    def paint(self, colour: np.ndarray, where: np.ndarray | float = 1) -> None:
        """Mix `colour` in, fully where `where` is 1."""
        self.colour = mix(self.colour, single(colour), single(where))

    @property
    def aside(self) -> np.ndarray:
        """Distance of every dot from the fruit's axis."""
        return np.sqrt(self.points[0] ** 2 + self.points[2] ** 2)

    def kept(self) -> np.ndarray:
        """Return which dots are needed; near a pole the columns are too close."""
        rows, columns = self.angle.shape
        if not self.round_trip:
            return np.ones((rows, columns), bool)
        steps = self.points[:, :, 1:] - self.points[:, :, :-1]
        # In float64, because long sums are added in different orders.
        widths = np.sqrt((steps**2).sum(axis=0)).mean(axis=1, dtype=float)
        every = np.median(widths) / np.maximum(widths, 1e-9)
        every = np.clip(every, 1, columns // 8).astype(int)
        return np.arange(columns)[None, :] % every[:, None] == 0


@dataclass(frozen=True)
class Solid:
    """All dots of one fruit, ready to be turned, as float32.

    `points`, `normals` and `colour` (the square of sRGB, 0..1: about linear
    light) have the shape `(3, dots)`; `gloss` has `(dots,)`. `towards` is the
    product of normal and point. The camera uses it to find hidden dots.
    """

    points: np.ndarray
    normals: np.ndarray
    colour: np.ndarray
    gloss: np.ndarray
    towards: np.ndarray
    sharpness: int  # the highlight: cosine to the power of 2 ** sharpness
    fuzz: float  # how light the edge is, as on a peach


def solid(skins: list[Skin], *, sharpness: int = 4, fuzz: float = 0) -> Solid:
    """Put the skins of one fruit together.

    From here on we use only additions, multiplications, divisions and roots of
    float32, which have the same result on all machines. (Sines do not.)
    """
    points, normals, colour, gloss = [], [], [], []
    for skin in skins:
        kept = np.flatnonzero(skin.kept())
        place, out, light = (
            grid.reshape(3, -1).take(kept, axis=1)
            for grid in (skin.points, skin.normals, skin.colour)
        )
        light = np.clip(light, 0, 1)
        for side in (out, -out) if skin.both_sides else (out,):
            points.append(place)
            normals.append(side)
            colour.append(light * light)
            gloss.append(skin.gloss.ravel().take(kept))
    where = np.concatenate(points, axis=1)
    out = np.concatenate(normals, axis=1)
    return Solid(
        where,
        out,
        np.concatenate(colour, axis=1),
        single(np.concatenate(gloss)),
        out[0] * where[0] + out[1] * where[1] + out[2] * where[2],
        sharpness,
        fuzz,
    )


def normals_of(
    points: np.ndarray, outwards: np.ndarray, round_trip: bool
) -> np.ndarray:
    """Return the unit normals of a grid, on the side that `outwards` points to."""
    if round_trip:
        ring = np.concatenate([points[:, :, -1:], points, points[:, :, :1]], 2)
        right = ring[:, :, 2:] - ring[:, :, :-2]
    else:
        right = np.gradient(points, axis=2)
    up = np.gradient(points, axis=1)
    x = up[1] * right[2] - up[2] * right[1]
    y = up[2] * right[0] - up[0] * right[2]
    z = up[0] * right[1] - up[1] * right[0]
    length = np.maximum(np.sqrt(x * x + y * y + z * z), 1e-12)
    inwards = x * outwards[0] + y * outwards[1] + z * outwards[2] < 0
    length = np.where(inwards, -length, length)
    return np.stack([x / length, y / length, z / length])


# --- Bodies


def revolve(
    radius: np.ndarray, height: np.ndarray, spacing: float | None = None
) -> Skin:
    """Return the body that a curve makes when it turns round the y axis.

    `radius` and `height` are the curve, from the lower end to the upper one.
    `spacing` is the distance between dots.
    """
    radius, height = radius.round(9), height.round(9)
    spacing = 2 * radius.max() / DOTS_ACROSS if spacing is None else spacing
    steps = np.sqrt(np.diff(radius) ** 2 + np.diff(height) ** 2)
    way = np.concatenate([[0], np.cumsum(steps)])
    rows = max(8, round(way[-1] / spacing))
    columns = max(12, round(2 * np.pi * radius.max() / spacing))
    # Begin half a step away from the poles, where all columns would meet.
    along = (np.arange(rows) + 0.5) / rows
    rho = np.interp(along * way[-1], way, radius)
    y = np.interp(along * way[-1], way, height)
    angle, along = np.meshgrid(2 * np.pi * np.arange(columns) / columns, along)
    # Rounded: the last digit of a sine is not the same everywhere.
    sine, cosine = np.sin(angle).round(9), np.cos(angle).round(9)
    points = np.stack(
        [rho[:, None] * cosine, y[:, None] + 0 * angle, rho[:, None] * sine]
    )
    # Only roughly outwards: this is enough to choose between two sides.
    slope_r, slope_y = np.gradient(rho)[:, None], np.gradient(y)[:, None]
    outwards = np.stack([slope_y * cosine, -slope_r + 0 * angle, slope_y * sine])
    return Skin(points, normals_of(points, outwards, True), angle, along)


def sweep(spine: np.ndarray, radius: np.ndarray) -> Skin:
    """Return a tube along a curve in the x-y plane.

    `spine`, `(2, n)`, is x and y of the curve, with evenly spaced points.
    `radius`, `(n,)`, is half the tube's width at each point.
    """
    spine, radius = spine.round(9), radius.round(9)
    length = np.sqrt((np.diff(spine, axis=1) ** 2).sum(axis=0)).sum()
    spacing = max(np.ptp(spine[0]), np.ptp(spine[1])) / DOTS_ACROSS / 1.25
    rows = round(length / spacing)
    columns = round(2 * np.pi * radius.max() / spacing)
    given = np.linspace(0, 1, spine.shape[1])
    along = (np.arange(rows) + 0.5) / rows
    x, y, r = (np.interp(along, given, part) for part in (*spine, radius))
    dx, dy = np.gradient(x), np.gradient(y)
    length = np.sqrt(dx**2 + dy**2)
    side_x, side_y = (dy / length)[:, None], (-dx / length)[:, None]
    angle, along = np.meshgrid(2 * np.pi * np.arange(columns) / columns, along)
    # Rounded: the last digit of a sine is not the same everywhere.
    sine, cosine = np.sin(angle).round(9), np.cos(angle).round(9)
    outwards = np.stack([side_x * cosine, side_y * cosine, sine])
    centre = np.stack([x, y, np.zeros_like(x)])[:, :, None]
    points = centre + r[:, None] * outwards
    return Skin(points, normals_of(points, outwards, True), angle, along)


def leaf(line: np.ndarray, width: np.ndarray, fold: float, spacing: float) -> Skin:
    """Return a leaf along a curve in space, which is seen from both sides.

    `line`, `(3, n)`, leads from the base to the tip, away from the axis. `width`,
    `(n,)`, is half the leaf's width. `fold` is how deep its middle lies.
    """
    length = np.sqrt((np.diff(line, axis=1) ** 2).sum(axis=0)).sum()
    rows = max(6, round(length / spacing))
    columns = max(5, round(2 * width.max() / spacing))
    given, wanted = np.linspace(0, 1, line.shape[1]), np.linspace(0, 1, rows)
    middle = np.stack([np.interp(wanted, given, part) for part in line])
    half = np.interp(wanted, given, width)
    # Across the leaf: horizontal, and at right angles to the leaf's direction.
    out = line[[0, 2], -1] - line[[0, 2], 0]
    out = out / np.sqrt((out**2).sum())
    across = np.array([-out[1], 0, out[0]])[:, None, None]
    angle, along = np.meshgrid(np.linspace(-1, 1, columns), wanted)
    points = middle[:, :, None] + across * (half[:, None] * angle)
    points[1] += fold * half[:, None] * angle**2
    upwards = np.zeros_like(points)
    upwards[1] = 1
    return Skin(
        points,
        normals_of(points, upwards, False),
        angle,
        along,
        round_trip=False,
        both_sides=True,
    )


def oval(
    stretch: float, *, lower: float = 2, upper: float = 2, pear: float = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Return the curve of an egg for `revolve()`: `(radius, height)`.

    `stretch` is the height divided by the width. `lower` and `upper` bend the two
    halves (2: an ellipse; less: pointed; more: blunt). `pear` makes the top
    narrower.
    """
    turn = np.linspace(-np.pi / 2, np.pi / 2, 400)
    y = np.sin(turn)
    power = np.where(y < 0, lower, upper)
    radius = np.maximum(0, 1 - np.abs(y) ** power) ** (1 / power)
    radius = radius * (1 - pear * (y + 1) / 2 * np.abs(y + 1) / 2)
    radius[[0, -1]] = 0
    return radius, y * stretch


# --- Colours and textures


def single(values: np.ndarray | float) -> np.ndarray:
    """Convert to float32, which needs half the memory and half the time of float64."""
    return np.asarray(values, np.float32)


def bell(values: np.ndarray) -> np.ndarray:
    """Return a bell curve: 1 at 0, near 0.37 at 1, 0 from 2.9 on.

    It is close to exp(-x * x), but needs only products.
    """
    t = np.maximum(0, 1 - values * values / 8)
    t = t * t
    t = t * t
    return t * t


def rgb(code: str) -> np.ndarray:
    """Return `"#ff8000"` as three numbers, 0..1, in a shape that fits a grid."""
    parts = [int(code[i : i + 2], 16) for i in (1, 3, 5)]
    return single(np.array(parts).reshape(3, 1, 1) / 255)


def mix(first: np.ndarray, second: np.ndarray, share: np.ndarray | float) -> np.ndarray:
    """Return `first` where `share` is 0, `second` where it is 1."""
    return first + (second - first) * share


def ramp(position: np.ndarray, *colours: str) -> np.ndarray:
    """Return colours in even steps from position 0 to position 1."""
    stops = np.linspace(0, 1, len(colours))
    codes = np.concatenate([rgb(code) for code in colours], axis=2)[:, 0]
    return np.stack([single(np.interp(position, stops, x)) for x in codes])


def step(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return 0 below `low`, 1 above `high`, smooth between. `low` may be the larger."""
    t = np.clip((values - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def noise(
    random: np.random.Generator,
    points: np.ndarray,
    frequency: float | tuple[float, float, float],
    octaves: int = 1,
) -> np.ndarray:
    """Return smooth noise in space, about -1..1, for every dot of a grid.

    It joins random numbers on a lattice with `frequency` cells per unit (x, y, z).
    Every further octave is twice as fine and half as strong.
    """
    places = points.reshape(3, -1)
    total = np.zeros(places.shape[1], np.float32)
    each = np.broadcast_to(np.asarray(frequency, float), 3)
    strength = 1.0
    for _ in range(octaves):
        corners = _corners(random.uniform(-1, 1, (LATTICE,) * 3))
        begin = random.uniform(0, LATTICE, 3)
        for first in range(0, len(total), PIECE):
            piece = slice(first, first + PIECE)
            values = _octave(corners, places[:, piece], each, begin)
            total[piece] += np.float32(strength) * values
        each, strength = each * 2, strength / 2
    return total.reshape(points.shape[1:])


def _octave(
    corners: np.ndarray,
    places: np.ndarray,
    cells: np.ndarray,
    begin: np.ndarray,
) -> np.ndarray:
    """Return smoothly joined values of a lattice at `places`, (3, n)."""
    where = np.zeros(places.shape[1], np.int64)
    shares = []
    for part, wide, first in zip(places, cells, begin, strict=True):
        place = part * np.float32(wide) + np.float32(first)
        cell = np.floor(place)
        t = place - cell
        where = where * LATTICE + (cell.astype(np.int64) & (LATTICE - 1))
        shares.append(t * t * (3 - 2 * t))
    values = np.ascontiguousarray(corners.take(where, axis=0).T)
    for share in shares:  # eight corners, four edges, two sides, one dot
        near, far = np.split(values, 2)
        values = far - near
        values *= share
        values += near
    return values[0]


def _corners(lattice: np.ndarray) -> np.ndarray:
    """Return the eight corners of each cell of a lattice: (cells, 8), float32."""
    sides = [(x, y, z) for x in (0, -1) for y in (0, -1) for z in (0, -1)]
    eight = [np.roll(lattice, side, (0, 1, 2)) for side in sides]
    return single(np.stack(eight, axis=-1).reshape(-1, 8))


@dataclass(frozen=True)
class Cells:
    """The spot that is nearest to each dot: see `cells()`."""

    distance: np.ndarray  # to the middle of the spot, in widths of a spot
    across: np.ndarray  # the part of the distance around the fruit
    upwards: np.ndarray  # the part of the distance upwards
    tone: np.ndarray  # a random number of the spot, 0..1


def cells(
    random: np.random.Generator,
    skin: Skin,
    rows: int,
    jitter: float,
    columns: int | None = None,
) -> Cells:
    """Put spots on a skin, in rows that are staggered like bricks.

    There are `rows` rows from end to end. A row has as many spots as fit, or
    always `columns`. `jitter` moves them, in widths of a spot.
    """
    place = skin.along * np.float32(rows)
    girth = 2 * np.pi * skin.aside.max(axis=1).astype(float)
    steps = np.diff(skin.points, axis=1)
    length = np.sqrt((steps**2).sum(axis=0)).sum(axis=0, dtype=float)
    height = length.mean() / rows
    middle = (np.arange(-1, rows + 1) + 0.5) / rows
    fit = np.interp(middle, skin.along[:, 0], girth) / height
    counts = np.full(rows + 2, columns) if columns else np.rint(fit)
    counts = np.maximum(counts, 3).astype(int)
    most = int(counts.max())
    aside, rise = single(random.uniform(-jitter, jitter, (2, rows + 2, most)))
    tones = single(random.uniform(0, 1, (rows + 2, most)))
    # Shift every other row by half a spot; by chance if rows differ in number.
    offset = random.uniform(0, 1, rows + 2)
    if columns:
        offset = 0.5 * (np.arange(rows + 2) % 2)
    turns = single(skin.angle / (2 * np.pi))
    best = np.full(place.shape, np.inf, np.float32)
    across, upwards = np.zeros_like(best), np.zeros_like(best)
    spot = np.zeros(place.shape, np.int64)
    # All dots of a line of the grid lie between the same two rows of spots.
    line = place[:, :1]
    for neighbour in (-1, 0, 1):
        row = np.clip(np.floor(line).astype(int) + neighbour, -1, rows) + 1
        over = line - row.astype(np.float32) + np.float32(0.5)
        count = counts[row]
        # In widths of a spot, which differ between rows if their counts do.
        wide = single(girth[:, None] / height / count)
        turn = turns * single(count) - single(offset[row])
        left = np.floor(turn - np.float32(0.5)).astype(int)
        for near in (left, left + 1):
            # One full turn more or less is the same spot.
            ring = np.where(near < 0, near + count, near)
            ring = np.where(ring >= count, ring - count, ring)
            which = row * most + ring
            side = turn - single(near) - np.float32(0.5)
            side = (side - aside.take(which)) * wide
            up = over - rise.take(which)
            far = side * side + up * up
            nearer = far < best
            for kept, new in (
                *((best, far), (across, side)),
                *((upwards, up), (spot, which)),
            ):
                np.copyto(kept, new, where=nearer)
    return Cells(np.sqrt(best), across, upwards, tones.take(spot))
