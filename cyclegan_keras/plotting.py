"""Image grids and training curves, as arrays and matplotlib figures; no files are written."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from cyclegan_keras.data.images import as_image, denormalize
from cyclegan_keras.inference.arrays import encode_images, translate_images
from cyclegan_keras.inference.latents import draw_latents, latent_size
from cyclegan_keras.network_drawing import network_drawing as network_drawing

NUM_LATENTS = 4  # With which a grid shows each image.
LEGEND_WIDTH = 60  # of a chart, in letters
INK, PAPER = (32, 32, 32), (255, 255, 255)
# Pillow's default font has no arrows.
CYCLE_TITLES = ("A", "A to B", "and back to A", "B", "B to A", "and back to B")
ONE_WAY_TITLES = ("input", "translation", "ground truth")
TRUTH_TITLES = ("A", "A to B", "ground truth B", "B", "B to A", "ground truth A")


def image_grid(
    columns: Sequence[np.ndarray], titles: Sequence[str], gap_before: int | None = None
) -> np.ndarray:
    """Arranges images in columns with titles.

    Args:
        columns: For each column, a batch of images, top to bottom, `(rows, height, width, 3)`, or
            with 1 channel, gray; float in [-1, 1].
        titles: The title of each column.
        gap_before: Index of a column with a gap before it.

    Returns:
        A picture, uint8, `(height, width, 3)`. Images smaller than 128 pixels are enlarged.
    """
    rows, height, width, _ = columns[0].shape
    zoom = max(1, 128 // max(height, width))
    cell_height, cell_width, margin = height * zoom, width * zoom, 4
    header = 22
    lefts = [
        margin + index * (cell_width + margin) + (3 * margin if _apart(index, gap_before) else 0)
        for index in range(len(columns))
    ]
    size = (lefts[-1] + cell_width + margin, header + rows * (cell_height + margin))
    page = Image.new("RGB", size, PAPER)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(14)
    for left, title, column in zip(lefts, titles, columns, strict=True):
        draw.text((left, 2), title, fill=INK, font=font)
        for row, pixels in enumerate(denormalize(column)):
            tile = as_image(pixels).resize((cell_width, cell_height), Image.Resampling.BOX)
            page.paste(tile, (left, header + row * (cell_height + margin)))
    return np.asarray(page)


def _apart(index: int, gap_before: int | None) -> bool:
    return gap_before is not None and index >= gap_before


def cycle_grid(g_AB: Any, g_BA: Any, imgs_A: np.ndarray, imgs_B: np.ndarray) -> np.ndarray:
    """Shows images, their translations and reconstructions: A → B → A beside B → A → B.

    Args:
        g_AB: Generator from A to B.
        g_BA: Generator from B to A.
        imgs_A: Images of A, `(rows, height, width, 3)`, float32 in [-1, 1].
        imgs_B: As many images of B.

    Returns:
        A picture, uint8, `(height, width, 3)`.

    Reference:
        *GANs in Action*, `sample_images` in section 9.6.
    """
    fake_B, fake_A = translate_images(g_AB, imgs_A), translate_images(g_BA, imgs_B)
    columns = [
        imgs_A,
        fake_B,
        translate_images(g_BA, fake_B),
        imgs_B,
        fake_A,
        translate_images(g_AB, fake_A),
    ]
    return image_grid(columns, CYCLE_TITLES, gap_before=3)


def truth_grid(g_AB: Any, g_BA: Any, imgs_A: np.ndarray, imgs_B: np.ndarray) -> np.ndarray:
    """Shows translations of pairs beside the ground truth.

    Args:
        g_AB: Generator from A to B.
        g_BA: Generator from B to A.
        imgs_A: Images of A, `(rows, height, width, 3)`, float32 in [-1, 1].
        imgs_B: Their ground truth, in the same order.

    Returns:
        A picture, uint8, `(height, width, 3)`.
    """
    fake_B, fake_A = translate_images(g_AB, imgs_A), translate_images(g_BA, imgs_B)
    return image_grid([imgs_A, fake_B, imgs_B, imgs_B, fake_A, imgs_A], TRUTH_TITLES, gap_before=3)


def one_way_grid(g: Any, imgs: np.ndarray, truths: np.ndarray | None = None) -> np.ndarray:
    """Shows translations by one generator, beside the ground truth if it is known.

    Args:
        g: The generator.
        imgs: Images of its source domain, `(rows, height, width, 3)`, float32 in [-1, 1].
        truths: Their ground truth, in the same order; `None` if it is not known.

    Returns:
        A picture, uint8, `(height, width, 3)`.
    """
    columns = [imgs, translate_images(g, imgs)] + ([] if truths is None else [truths])
    return image_grid(columns, ONE_WAY_TITLES[: len(columns)])


def latent_grid(
    networks: dict[str, Any], imgs_A: np.ndarray, imgs_B: np.ndarray, are_pairs: bool = False
) -> np.ndarray:
    """Shows translations with latents: in a row, several of one image; in a column, one of several.

    Args:
        networks: Generators and encoders, by name.
        imgs_A: Images of A, `(rows, height, width, 3)`, float32 in [-1, 1].
        imgs_B: As many images of B.
        are_pairs: Whether they are pairs. Then the ground truth is shown beside the translation
            with the latent that is found in it.

    Returns:
        A picture, uint8, `(height, width, 3)`.
    """
    columns: list[np.ndarray] = []
    titles: list[str] = []
    gap = None
    for way, imgs, others in (("AB", imgs_A, imgs_B), ("BA", imgs_B, imgs_A)):
        if (g := networks.get(f"g_{way}")) is None:
            continue
        source, target = way[0], way[1]
        gap = len(columns) or None
        columns.append(imgs)
        titles.append(source)
        size, encoder = latent_size(g), networks.get(f"e_{target}")
        if not size:
            columns.append(translate_images(g, imgs))
            titles.append(f"{source} to {target}")
        for number, latent in enumerate(draw_latents(g, NUM_LATENTS) if size else ()):
            columns.append(translate_images(g, imgs, np.repeat(latent[None], len(imgs), axis=0)))
            titles.append(f"latent {number + 1}")
        if are_pairs and size and encoder is not None:
            pair = (imgs, others) if way == "AB" else (others, imgs)
            columns.append(translate_images(g, imgs, encode_images(encoder, *pair)))
            titles.append("its own latent")
        if are_pairs:
            columns.append(others)
            titles.append("ground truth")
    return image_grid(columns, titles, gap)


def grid_of(
    generators: dict[str, Any], imgs_A: np.ndarray, imgs_B: np.ndarray, are_pairs: bool = False
) -> np.ndarray:
    """Shows cycles or, for pairs, the ground truth, of one generator or both.

    Args:
        generators: By name, `g_AB`, `g_BA` or both; and encoders, `e_A` and `e_B`, if generators
            take latents. Networks of other names are not shown.
        imgs_A: Images of A, `(rows, height, width, 3)`, float32 in [-1, 1].
        imgs_B: As many images of B.
        are_pairs: Whether they are pairs, so that each is the ground truth of the other.

    Returns:
        A picture, uint8, `(height, width, 3)`.
    """
    if any(latent_size(generators[name]) for name in ("g_AB", "g_BA") if name in generators):
        return latent_grid(generators, imgs_A, imgs_B, are_pairs)
    if {"g_AB", "g_BA"} <= generators.keys():
        grid = truth_grid if are_pairs else cycle_grid
        return grid(generators["g_AB"], generators["g_BA"], imgs_A, imgs_B)
    truth_A, truth_B = (imgs_A, imgs_B) if are_pairs else (None, None)
    if "g_AB" in generators:
        return one_way_grid(generators["g_AB"], imgs_A, truth_B)
    return one_way_grid(generators["g_BA"], imgs_B, truth_A)


def loss_curves(history: Any) -> Any:
    """Draws the losses of a training, epoch by epoch.

    Args:
        history: What `train` returns, or its `history`: a list of means for each loss. Other
            columns, such as metrics and the learning rate, are not drawn; a column `step` becomes
            the horizontal axis.

    Returns:
        A matplotlib figure with the discriminators' losses beside those of the generators. The
        vertical axis is logarithmic if all losses are above 0.
    """
    from matplotlib.figure import Figure

    history = getattr(history, "history", history)
    figure = Figure(figsize=(10, 3.2), layout="constrained")
    panels = figure.subplots(1, 2)
    # The weighted sum, `g_loss`, is on another scale than its terms.
    losses = [name for name in history if name.endswith("_loss") and name != "g_loss"]
    discriminators = [name for name in losses if name.startswith("d_")]
    generators = [name for name in losses if name not in discriminators]
    for axes, title, names in zip(
        panels, ("Discriminators", "Generators"), (discriminators, generators), strict=True
    ):
        for name in names:
            values = history[name]
            places = history.get("step", range(1, len(values) + 1))
            axes.plot(places, values, marker=".", label=name.removesuffix("_loss"))
        is_positive = all(value > 0 for name in names for value in history[name])
        yscale = "log" if names and is_positive else "linear"
        xlabel = "step" if "step" in history else "epoch"
        axes.set(title=title, xlabel=xlabel, ylabel="loss", yscale=yscale)
        if names:
            axes.legend(fontsize="small")
    return figure


def step_curves(
    title: str,
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    is_loss: bool = False,
    xlabel: str = "step",
) -> Any:
    """Draws values over steps.

    Args:
        title: The title.
        curves: By name, steps and as many values. A curve without values is left out, but its color
            stays reserved.
        is_loss: Whether the vertical axis is logarithmic if all values are above 0.
        xlabel: The label of the horizontal axis.

    Returns:
        A matplotlib figure with one panel.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 3), layout="constrained")
    axes = figure.subplots()
    for name, (steps, values) in curves.items():
        label = _plain(name) if steps else None
        axes.plot(steps, values, marker="." if len(steps) <= 50 else "", label=label)
    is_positive = all(value > 0 for _, values in curves.values() for value in values)
    yscale = "log" if is_loss and is_positive else "linear"
    axes.set(title=_plain(title), xlabel=xlabel, yscale=yscale)
    axes.grid(alpha=0.3)
    # Outside, so that it does not cover a curve.
    ncols = max(1, min(4, LEGEND_WIDTH // max(map(len, curves), default=1)))
    figure.legend(loc="outside lower center", ncols=ncols, fontsize="small", frameon=False)
    return figure


def _plain(name: str) -> str:
    """Keeps matplotlib from parsing formulas in a name, or omitting it from the legend."""
    return " " * name.startswith("_") + name.replace("$", "\\$")
