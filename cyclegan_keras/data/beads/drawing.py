"""One picture of beads: some of one colour, on dark or on light cloth."""

import colorsys
import dataclasses
from typing import Literal

import numpy as np

# Each kind with the hue of its beads, in degrees. When all hues are turned by 60 degrees, or
# mirrored, kinds become kinds: images as a whole look as before.
HUES = {"blue": 240, "cyan": 180, "green": 120, "magenta": 300, "red": 0, "yellow": 60}
# Beads of one kind differ by this standard deviation, in degrees; hardly any is nearer to another
# kind, from 30 degrees on.
HUE_STD = 10.0
# The darkest and the brightest of the three colours of a bead, in [0, 1]: paler on light cloth.
COLORS = {"dark": (0.12, 0.88), "light": (0.35, 0.95)}
# Levels of dark cloth; those of light cloth are as far from white. Cloth has no grain: no generator
# draws noise, and discriminators would look at nothing else.
CLOTH = (0.0, 0.5)

Cloth = Literal["dark", "light"]


@dataclasses.dataclass(frozen=True)
class Scene:
    """What is in a picture, whatever the cloth.

    Attributes:
        kind: A key of `HUES`.
        hue: Of its beads, in degrees.
        beads: For each bead, height and width of its middle and its radius, in shares of the
            picture's side.
        cloth: How far the cloth is from black, or from white.
    """

    kind: str
    hue: float
    beads: tuple[tuple[float, float, float], ...]
    cloth: float

    @classmethod
    def random(cls, rng: np.random.Generator, kind: str) -> "Scene":
        """Draws a scene at random.

        Args:
            rng: Where chance comes from.
            kind: A key of `HUES`.

        Returns:
            One to three beads.
        """
        count = int(rng.integers(1, 4))
        radii = rng.uniform(0.13, 0.24, count)
        places = rng.uniform(radii, 1 - radii, (2, count))
        return cls(
            kind,
            HUES[kind] + float(rng.normal(0, HUE_STD)),
            tuple((float(y), float(x), float(r)) for y, x, r in zip(*places, radii, strict=True)),
            float(rng.uniform(*CLOTH)),
        )


def draw_scene(scene: Scene, cloth: Cloth, size: int) -> np.ndarray:
    """Draws a scene.

    Args:
        scene: What is in it.
        cloth: What the beads lie on.
        size: Height and width, in pixels.

    Returns:
        `(size, size, 3)`, RGB, uint8 in [0, 255].
    """
    img = np.full((size, size, 3), scene.cloth if cloth == "dark" else 1 - scene.cloth)
    pure = np.array(colorsys.hsv_to_rgb(scene.hue % 360 / 360, 1.0, 1.0))
    darkest, brightest = COLORS[cloth]
    color = darkest + (brightest - darkest) * pure
    middle = (np.arange(size) + 0.5) / size
    for y, x, radius in scene.beads:
        distance = np.hypot(middle[:, None] - y, middle[None, :] - x)
        # One pixel wide, the edge is a blend of both.
        share = np.clip((radius - distance) * size + 0.5, 0, 1)[:, :, None]
        img = (1 - share) * img + share * color
    return np.round(255 * img).astype(np.uint8)
