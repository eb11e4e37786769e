"""Still lifes, each with an apple or with an orange in it, drawn by code from a seed."""

import colorsys
import dataclasses
import functools
import math

import numpy as np

KINDS = ("apple", "orange")
MIN_SIZE, MAX_SIZE = 16, 512

# Pictures smaller than this are drawn at a multiple of their size and averaged down, so that
# pores and stems are the same picture at every size instead of a few stray pixels.
_BASE_SIZE = 128

# Skin colours (dark, bright) as displayed red, green, blue in [0, 1]. One tone moves both
# kinds along their range, so a dark apple is a dark orange and the translation is predictable.
_SKIN = {
    "apple": ((0.56, 0.02, 0.05), (0.74, 0.07, 0.08)),
    "orange": ((0.95, 0.53, 0.04), (1.00, 0.66, 0.12)),
}

# Of the skin (dark, bright) of an orange of another hue; those of the orange above are like these.
_SATURATION_AND_VALUE = ((0.94, 0.86), (0.88, 0.98))

# Side in pixels of the seamless tiles of pores and specks.
_TILE = 512

Colour = tuple[float, float, float]
# What a skin says of every pixel: colour, relief, shade in [0, 1] and gloss. Gloss is a few
# pairs of strength and sharpness.
Skin = tuple[np.ndarray, np.ndarray, np.ndarray, tuple[tuple[float, float], ...]]


@dataclasses.dataclass(frozen=True)
class Scene:
    """One still life, described by everything its two drawings share.

    Lengths are fractions of the picture's side, with x to the right and y downwards from the
    top left corner. Angles are in radians. Colours are displayed red, green, blue in [0, 1].

    Args:
        centre: Position (x, y) of the middle of the fruit.
        radius: Radius of the fruit.
        squash: Width of the fruit over its height.
        roll: Angle by which the fruit leans in the picture, clockwise.
        tilt: Angle between the stem and the direction to the viewer.
        tone: Lightness of the skin, from 0 (dark) to 1 (bright).
        light: Unit vector (right, up, to the viewer) towards the lamp.
        ambient: Strength of the light that comes from everywhere, lamp = 1.
        warmth: Colour of the lamp, from -1 (cool) to 1 (warm).
        wall: Colour of the wall behind the fruit.
        table: Colour of the table under the fruit.
        horizon: Height y of the edge where the table meets the wall.
        leaf: Length of the leaf in radii, or 0 for none.
        leaf_angle: Direction of the leaf, clockwise from the stem.
        texture: Seed of the small detail: uneven wall and table, pores, streaks and specks.
        hue: Of an orange's skin, in [0, 1), from red over green and blue back to red; `None` means
            orange. Apples are red, whatever it is.
    """

    centre: tuple[float, float]
    radius: float
    squash: float
    roll: float
    tilt: float
    tone: float
    light: Colour
    ambient: float
    warmth: float
    wall: Colour
    table: Colour
    horizon: float
    leaf: float
    leaf_angle: float
    texture: int
    hue: float | None = None

    @classmethod
    def random(cls, rng: np.random.Generator) -> "Scene":
        """Draws a scene at random.

        Args:
            rng: Source of all the randomness; a fixed number of draws is taken from it.

        Returns:
            A new `Scene`, whose oranges are orange.
        """
        # One draw for all numbers: every scene then uses up the same part of the stream.
        draw = iter(rng.random(23).tolist())

        def between(low: float, high: float) -> float:
            return low + (high - low) * next(draw)

        radius = between(0.36, 0.41)
        centre = (between(0.45, 0.55), between(0.53, 0.57))
        side = between(0.25, 0.75)
        light = np.array([side if next(draw) < 0.5 else -side, between(0.45, 0.8), 0.75])
        light /= np.linalg.norm(light)
        # Pale walls from cream over green and blue to violet, and calm tables: nothing that passes
        # for a fruit, and nothing so loud that its exact colour outweighs the fruit's.
        hue = between(0.10, 0.16) if next(draw) < 0.3 else between(0.34, 0.76)
        wall = colorsys.hsv_to_rgb(hue, between(0.04, 0.13), between(0.74, 0.84))
        table = colorsys.hsv_to_rgb(between(0.06, 0.65), between(0.04, 0.14), between(0.56, 0.66))
        leaf_side = 1.0 if next(draw) < 0.5 else -1.0
        has_leaf = next(draw) < 0.7
        return cls(
            centre=centre,
            radius=radius,
            squash=between(1.0, 1.06),
            roll=between(-0.25, 0.25),
            tilt=between(0.92, 1.12),
            tone=between(0.0, 1.0),
            light=(float(light[0]), float(light[1]), float(light[2])),
            ambient=between(0.44, 0.54),
            warmth=between(-0.4, 0.6),
            wall=wall,
            table=table,
            horizon=centre[1] + between(-0.12, 0.16),
            leaf=between(0.55, 0.8) if has_leaf else 0.0,
            leaf_angle=leaf_side * 1.15,
            texture=int(rng.integers(2**32)),
        )


def draw_scene(scene: Scene, kind: str, size: int = 128) -> np.ndarray:
    """Draws a scene with an apple or with an orange in it.

    Light, background, shadow, position, size and leaf are the same for both kinds, so the two
    drawings of one scene are each other's true translation. If the scene has a hue, that of the
    apple is one of many: the apple does not tell the hue. A scene drawn at another size is the same
    picture, scaled.

    Args:
        scene: What to draw.
        kind: `"apple"` or `"orange"`.
        size: Width and height of the picture in pixels, from 16 to 512.

    Returns:
        The picture: uint8 RGB of shape `(size, size, 3)`.

    Raises:
        ValueError: If `kind` or `size` is none of the above.
    """
    if kind not in KINDS:
        raise ValueError(
            f"`kind` must be one of {KINDS}, the two fruits that can be drawn. Received: "
            f"kind={kind!r}."
        )
    size = checked_int("size", size, MIN_SIZE, MAX_SIZE, "such as 128 pixels")
    factor = -(-_BASE_SIZE // size)
    n = size * factor
    centres = (np.arange(n, dtype=np.float32) + 0.5) / n
    x, y = np.meshgrid(centres, centres)

    picture = _background(scene, x, y)
    _add_fruit(picture, scene, kind, x, y)
    _add_stem(picture, scene, kind, x, y)
    if scene.leaf:
        _add_leaf(picture, scene, x, y)
    # All colours so far are linear light; the square root is close to a screen's gamma and
    # several times faster than a power.
    picture = np.sqrt(np.clip(picture, 0.0, 1.0))
    if factor > 1:
        picture = picture.reshape(size, factor, size, factor, 3).mean(axis=(1, 3))
    return (picture * 255.0 + 0.5).astype(np.uint8)


def _background(scene: Scene, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Returns wall, table and shadow as linear light of shape `(n, n, 3)`."""
    n = len(x)
    rng = np.random.default_rng([scene.texture, 0])
    right, up, _ = scene.light
    (cx, cy), r = scene.centre, scene.radius
    wall_light = 1.0 + 0.55 * right * (x - 0.5) - 0.28 * (y - 0.3)
    wall_light += 0.22 * _noise(rng, 3, 3, n)
    # A soft pool of light on the wall sets the fruit off from it.
    pool = (x - cx - 0.25 * right) ** 2 + (y - cy + 0.25) ** 2
    wall_light += 0.30 * np.exp(-pool / 0.10) - 0.08
    table_light = 0.86 + 0.35 * (y - scene.horizon) + 0.3 * right * (x - 0.5)
    # More cells down the picture than across: streaks that lie flat, as on a table top.
    table_light += 0.10 * _noise(rng, 3, 14, n) + 0.08 * _noise(rng, 3, 3, n)

    # The edge of the table is out of focus, hence much softer than the fruit's outline.
    on_table = _smoothstep((y - scene.horizon) / 0.025 + 0.5)
    # A faint dark line where the two meet keeps them apart when their colours are alike.
    seam = np.exp(-(((y - scene.horizon) / 0.03) ** 2))
    # Lenses darken the corners.
    level = (1.0 - 0.12 * seam) * (1.0 - 0.35 * ((x - 0.5) ** 2 + (y - 0.5) ** 2))

    floor = cy + 0.93 * r
    u, v = (x - cx) / r, (y - floor) / r
    contact = np.exp(-((u / 0.75) ** 2) - (v / 0.12) ** 2)
    reach = 1.1 * abs(right) / up
    u = u + math.copysign(0.55 * reach, right)
    cast = np.exp(-(((u / (0.85 + 0.4 * reach)) ** 2 + ((v + 0.06) / 0.27) ** 2) ** 1.5))
    shade = on_table * np.maximum(0.9 * contact, (0.9 - 0.6 * scene.ambient) * cast)
    level *= 1.0 - shade

    wall, table = _linear(scene.wall), _linear(scene.table)
    lamp = _lamp(scene)
    wall_part = ((1.0 - on_table) * wall_light * level)[..., None] * (wall * lamp)
    return wall_part + (on_table * table_light * level)[..., None] * (table * lamp)


def _local(scene: Scene, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns positions as seen from the fruit: in radii, leaning with it, b pointing up."""
    sin, cos = math.sin(scene.roll), math.cos(scene.roll)
    dx, dy = (x - scene.centre[0]) / scene.radius, (y - scene.centre[1]) / scene.radius
    return cos * dx + sin * dy, sin * dx - cos * dy


def _outline(scene: Scene, kind: str, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Returns the distance from the middle over that of the outline: below 1 is fruit."""
    rho = np.hypot(a / scene.squash, b)
    if kind == "orange":
        return rho
    # Angle from the stem: 0 at the top, pi at the bottom.
    t = np.arctan2(np.abs(a), b)
    shape = 1.0 + 0.022 * np.exp(-(((t - 0.9) / 0.5) ** 2)) - 0.04 * np.exp(-((t / 0.33) ** 2))
    shape -= 0.02 * np.exp(-(((t - 2.4) / 0.4) ** 2))
    shape -= 0.03 * np.exp(-(((t - math.pi) / 0.25) ** 2))
    return rho / shape


def _add_fruit(picture: np.ndarray, scene: Scene, kind: str, x: np.ndarray, y: np.ndarray) -> None:
    """Paints the fruit without stem and leaf over a picture in linear light."""
    a, b = _local(scene, x, y)
    rho = _outline(scene, kind, a, b)
    cover = np.clip(0.5 + (1.0 - rho) * scene.radius * len(x), 0.0, 1.0)
    # Only the pixels under the fruit are shaded, as a flat list.
    where = np.nonzero(cover)
    a, b, rho, cover = a[where], b[where], rho[where], cover[where]

    # The normal of a ball with the outline's shape, then bent by the skin's relief.
    distance = np.maximum(np.hypot(a, b), 1e-6)
    flat = np.minimum(rho, 0.995)
    normal = np.stack([a / distance * flat, b / distance * flat, np.sqrt(1.0 - flat**2)])
    skin, bump, shade, gloss = _SKINS[kind](scene, normal)
    normal = normal + bump
    normal /= np.sqrt((normal**2).sum(axis=0))

    sin, cos = math.sin(scene.roll), math.cos(scene.roll)
    right, up, front = scene.light
    light = np.array([cos * right - sin * up, sin * right + cos * up, front], np.float32)
    facing = light @ normal
    # Wrapping the light a little past the edge of the shadow makes the ball look soft.
    lit = np.clip((facing + 0.18) / 1.18, 0.0, 1.0) ** 1.2
    upness = sin * normal[0] + cos * normal[1]
    above = 0.5 + 0.5 * upness
    # From above comes the light of the wall and the room, from below that of the table,
    # except where the fruit stands on it.
    room = (0.6 + 0.4 * _linear(scene.wall))[:, None] * above
    bounce = (0.9 * _linear(scene.table))[:, None] * ((1.0 - above) * (1.0 - 0.5 * (1.0 - above)))
    lamp = _lamp(scene)[:, None]
    colour = skin * (shade * (scene.ambient * (room + bounce) + 0.88 * lit * lamp))

    mirrored = np.clip(2.0 * facing * normal[2] - light[2], 0.0, 1.0)
    rim = (1.0 - np.clip(normal[2], 0.0, 1.0)) ** 3
    for strength, exponent in gloss:
        colour += lamp * (strength * shade * mirrored**exponent)
    colour += (0.10 * scene.ambient * rim * above) * _linear(scene.wall)[:, None]
    picture[where] += cover[:, None] * (colour.T - picture[where])


def _apple_skin(scene: Scene, normal: np.ndarray) -> Skin:
    """Returns an apple's skin: streaks and specks, a greenish dimple, a sharp highlight."""
    rng = np.random.default_rng([scene.texture, 1])
    angle, turn, inwards = _around_pole(scene, normal)
    skin = np.repeat(_base(scene, "apple")[:, None], angle.size, axis=1)
    # Streaks run from the stem to the bottom and fade out on the way.
    streak = 0.6 * _ring_noise(rng, 22, turn) + 0.5 * _ring_noise(rng, 60, turn)
    streak *= np.exp(-(((angle - 0.9) / 0.8) ** 2))
    speck = _dots(260, 0.0045)[_patch(rng, normal)]
    skin *= 1.0 + 0.11 * streak
    pale = np.array([[0.9], [0.55], [0.25]], np.float32)
    skin += (0.03 * np.clip(streak, 0.0, 1.0) + 0.05 * speck) * pale
    green = 0.6 * np.exp(-((angle / (0.24 + 0.05 * streak)) ** 2))
    skin += green * (_linear((0.72, 0.62, 0.22))[:, None] - skin)
    depth = angle / 0.30
    bump = (1.5 * depth * np.exp(-(depth**2))) * inwards
    shade = 1.0 - 0.6 * np.exp(-((angle / 0.17) ** 2))
    return skin, bump, shade, ((0.50, 80.0), (0.09, 8.0))


def _orange_skin(scene: Scene, normal: np.ndarray) -> Skin:
    """Returns an orange's skin: dimpled pores, a green calyx, a broad broken highlight."""
    rng = np.random.default_rng([scene.texture, 1])
    angle, turn, inwards = _around_pole(scene, normal)
    rows, columns = _patch(rng, normal)
    pit = _dots(1500, 0.0075)[rows, columns]
    slope_y, slope_x = _slopes(1500, 0.0075)
    skin = _base(scene, "orange")[:, None] * (1.0 - 0.14 * pit)
    bump = np.stack([slope_x[rows, columns], -slope_y[rows, columns], np.zeros_like(pit)])
    bump *= 0.11
    depth = angle / 0.22
    bump += (0.5 * depth * np.exp(-(depth**2))) * inwards
    # The calyx: a small five-pointed green star around the stem.
    star = _smoothstep((0.13 * (1.0 + 0.3 * np.cos(5.0 * turn)) - angle) / 0.05 + 0.5)
    skin += star * (_linear((0.36, 0.42, 0.16))[:, None] - skin)
    shade = 1.0 - 0.35 * np.exp(-((angle / 0.2) ** 2))
    return skin, bump, shade, ((0.28, 36.0), (0.09, 8.0))


_SKINS = {"apple": _apple_skin, "orange": _orange_skin}


def _around_pole(scene: Scene, normal: np.ndarray) -> tuple[np.ndarray, ...]:
    """Returns the angle from the stem, the turn around it and the direction towards it."""
    pole = np.array([0.0, math.sin(scene.tilt), math.cos(scene.tilt)], np.float32)
    cos = np.clip(pole @ normal, -1.0, 1.0)
    across = normal[1] * pole[2] - normal[2] * pole[1]
    sin = np.maximum(np.sqrt(1.0 - cos**2), 1e-3)
    return np.arccos(cos), np.arctan2(across, normal[0]), (pole[:, None] - cos * normal) / sin


def _add_stem(picture: np.ndarray, scene: Scene, kind: str, x: np.ndarray, y: np.ndarray) -> None:
    """Paints the stem, which stands in the dimple."""
    a, b = _local(scene, x, y)
    length = 0.34 if kind == "apple" else 0.13
    foot = math.sin(scene.tilt) - 0.02
    s = (b - foot) / length
    bend = 0.10 * length * math.copysign(1.0, scene.leaf_angle)
    width = 0.034 + 0.016 * np.clip(s, 0.0, 1.0) ** 3
    across = (a - bend * 3.0 * s**2) / width
    pixel = 1.0 / (scene.radius * len(x))
    edge = np.maximum((np.abs(across) - 1.0) * width, (np.abs(s - 0.5) - 0.5) * length)
    cover = np.clip(0.5 - edge / pixel, 0.0, 1.0)
    light = math.copysign(0.35, scene.light[0])
    tone = np.clip(0.75 + light * across, 0.25, 1.2) * (0.45 + 0.55 * np.clip(s, 0.0, 1.0))
    colour = _linear((0.50, 0.38, 0.22) if kind == "apple" else (0.45, 0.48, 0.22))
    picture += cover[..., None] * (tone[..., None] * colour - picture)


def _add_leaf(picture: np.ndarray, scene: Scene, x: np.ndarray, y: np.ndarray) -> None:
    """Paints the leaf, which is the same for both kinds."""
    a, b = _local(scene, x, y)
    a, b = a, b - math.sin(scene.tilt) - 0.06
    sin, cos = math.sin(scene.leaf_angle), math.cos(scene.leaf_angle)
    s = (sin * a + cos * b) / scene.leaf
    d = (cos * a - sin * b) / scene.leaf * math.copysign(1.0, scene.leaf_angle)
    # The midrib is an arch, so the tip hangs down.
    d = d + 0.55 * s * (1.0 - s) - 0.08
    inside = np.clip(s, 0.0, 1.0)
    width = 0.92 * inside**0.75 * (1.0 - inside)
    edge = np.maximum(np.abs(d) - width, np.abs(s - 0.5) - 0.5) * scene.leaf
    pixel = 1.0 / (scene.radius * len(x))
    cover = np.clip(0.5 - 0.8 * edge / pixel, 0.0, 1.0)
    side = np.tanh(d / 0.03)
    vein = np.exp(-((d / 0.022) ** 2))
    tone = 0.78 - 0.2 * side + 0.35 * vein + 0.25 * (inside - 0.5)
    colour = _linear((0.36, 0.56, 0.20))
    picture += cover[..., None] * (tone[..., None] * colour * _lamp(scene) - picture)


def _base(scene: Scene, kind: str) -> np.ndarray:
    dark, bright = _SKIN[kind]
    if kind == "orange" and scene.hue is not None:
        dark, bright = (colorsys.hsv_to_rgb(scene.hue, *skin) for skin in _SATURATION_AND_VALUE)
    return _linear(dark) * (1.0 - scene.tone) + _linear(bright) * scene.tone


def _lamp(scene: Scene) -> np.ndarray:
    return np.array([1.0 + 0.05 * scene.warmth, 1.0, 1.0 - 0.10 * scene.warmth], np.float32)


def _linear(colour: Colour) -> np.ndarray:
    return np.square(np.array(colour, np.float32))


def _smoothstep(t: np.ndarray) -> np.ndarray:
    t = np.clip(t, 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


@functools.lru_cache(maxsize=16)
def _spline(cells: int, n: int) -> np.ndarray:
    """Returns the `(n, cells + 3)` weights of a cubic B-spline at n pixel centres."""
    at = (np.arange(n) + 0.5) / n * cells
    distance = np.abs(at[:, None] - (np.arange(cells + 3) - 1.0))
    near = 2.0 / 3.0 - distance**2 + distance**3 / 2.0
    far = np.clip(2.0 - distance, 0.0, None) ** 3 / 6.0
    return np.where(distance < 1.0, near, far).astype(np.float32)


def _noise(rng: np.random.Generator, across: int, down: int, n: int) -> np.ndarray:
    """Returns smooth noise of shape `(n, n)` around 0 with a few cells in either direction."""
    knots = rng.uniform(-1.0, 1.0, (down + 3, across + 3)).astype(np.float32)
    return _spline(down, n) @ knots @ _spline(across, n).T


def _ring_noise(rng: np.random.Generator, cells: int, turn: np.ndarray) -> np.ndarray:
    """Returns noise in [-1, 1] over angles in radians, without a seam at the full turn."""
    knots = rng.uniform(-1.0, 1.0, cells)
    at = np.linspace(-math.pi, math.pi, cells, endpoint=False)
    return np.interp(turn, at, knots, period=2.0 * math.pi).astype(np.float32)


@functools.lru_cache(maxsize=4)
def _dots(count: int, radius: float) -> np.ndarray:
    """Returns a seamless tile of about `count` soft dots, with values in [0, 1]."""
    # The tile is the same for all pictures; each picture looks at another part of it.
    rng = np.random.default_rng(count)
    side = round(math.sqrt(count))
    grid = np.stack(np.meshgrid(np.arange(side), np.arange(side)))
    at = (grid + rng.uniform(0.1, 0.9, grid.shape)) / side * _TILE
    points = np.zeros((_TILE, _TILE))
    points[tuple(at.astype(int))] = rng.uniform(0.5, 1.0, (side, side))
    frequency = np.fft.fftfreq(_TILE)
    soft = np.exp(-2.0 * (math.pi * radius * _TILE * frequency) ** 2)
    tile = np.fft.ifft2(np.fft.fft2(points) * np.outer(soft, soft)).real
    return (tile / tile.max()).clip(0.0, 1.0).astype(np.float32)


@functools.lru_cache(maxsize=4)
def _slopes(count: int, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """Returns the slopes of `_dots` downwards and to the right, scaled to about 1."""
    tile = np.pad(_dots(count, radius), 1, mode="wrap")
    down, right = (tile[2:] - tile[:-2])[:, 1:-1], (tile[:, 2:] - tile[:, :-2])[1:-1]
    return down / down.max(), right / right.max()


def _patch(rng: np.random.Generator, normal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the rows and columns of the tile under each normal, from a random corner."""
    # Lambert's equal-area map: dots get flatter towards the rim but not rarer.
    scale = _TILE / 3.0 * np.sqrt(2.0 / (1.0 + normal[2]))
    row, column = rng.integers(_TILE, size=2)
    rows, columns = (row - normal[1] * scale).astype(int), (column + normal[0] * scale).astype(int)
    return rows % _TILE, columns % _TILE


def checked_int(name: str, value: object, low: int, high: int | None, example: str) -> int:
    """Returns a number as an int, or raises an error that teaches.

    Args:
        name: Of the argument, for the error.
        value: What came.
        low: The least that is right.
        high: The most that is right, or `None`.
        example: A good value in words, for the error.

    Returns:
        `value` as an int.

    Raises:
        ValueError: If it is not an integer or is out of range.
    """
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        number = int(value)
        if low <= number and (high is None or number <= high):
            return number
    bounds = f"of at least {low}" if high is None else f"from {low} to {high}"
    raise ValueError(
        f"`{name}` must be an integer {bounds}, {example}. Received: {name}={value!r}."
    )
