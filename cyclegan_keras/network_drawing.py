"""A picture of a network: what its convolutions make, and what skips them."""

import dataclasses
from typing import Any

COLOURS = {"image": "#bbbbbb", "halve": "#d1495b", "double": "#edae49", "keep": "#00798c"}
ANY_SIZE = 256  # What a network of any size is drawn at, in pixels.


@dataclasses.dataclass
class _Stage:
    """What a convolution makes of what is before it: "halve", "double" or "keep", and its shape."""

    kind: str
    shape: tuple[int, int, int]


def network_drawing(model: Any) -> Any:
    """Draws a network as the sizes of what its convolutions make, with its skip connections.

    Args:
        model: A generator or a discriminator, or any functional or sequential model from images.
            One that takes images of any size is drawn for 256×256 pixels.

    Returns:
        A matplotlib figure. A bar is as high as the feature maps and as wide as the root of
        their number; arcs are skip connections, those of residual blocks and of an output that is
        a change of the input included.

    Raises:
        ValueError: If it is no such model, so that nobody can see what is in it.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import FancyArrowPatch, Rectangle

    stages, skips = _stages_and_skips(model)
    figure = Figure(figsize=(max(11, 0.7 * len(stages)), 3.4), layout="constrained")
    axes = figure.subplots()
    top, left = max(stage.shape[0] for stage in stages), 0.0
    places = []
    for stage in stages:
        height, width, channels = stage.shape
        bar_width, bar_height = 1.5 * channels**0.5, 100 * height / top
        lower_left = (left, -bar_height / 2)
        axes.add_patch(Rectangle(lower_left, bar_width, bar_height, color=COLOURS[stage.kind]))
        axes.text(
            left + bar_width / 2,
            -bar_height / 2 - 4,
            f"{height}×{width}\n×{channels}",
            ha="center",
            va="top",
            fontsize=8,
        )
        places.append((left + bar_width / 2, bar_height / 2))
        left += bar_width + 12
    for begin, end in skips:
        # A long one must not rise out of the picture: by half of this share of its length.
        length = (places[end][0] - places[begin][0]) / (left + 8) * figure.get_figwidth()
        rise = min(0.25, 0.45 * figure.get_figheight() / length)
        arc = FancyArrowPatch(
            places[begin],
            places[end],
            connectionstyle=f"arc3,rad={-rise}",
            arrowstyle="-|>",
            mutation_scale=12,
            color="#666666",
        )
        axes.add_patch(arc)
    if None in model.input_shape[1:3]:
        size = "×".join(map(str, stages[0].shape[:2]))
        axes.set_title(f"for an image of {size} pixels; other sizes will do as well", fontsize=9)
    axes.set(xlim=(-8, left), ylim=(-85, 110))
    axes.axis("off")
    return figure


def _stages_and_skips(model: Any) -> tuple[list[_Stage], list[tuple[int, int]]]:
    """Follows an image through a model.

    Returns:
        The image and what each convolution makes, and pairs of those of which the first one is put
        to what the second one makes.
    """
    import keras

    operations = getattr(model, "operations", None)  # Only of functional models.
    if isinstance(model, keras.Sequential):
        operations = model.layers
    shape = getattr(model, "input_shape", None) if operations else None
    if not (isinstance(shape, tuple) and len(shape) == 4 and shape[3]):
        raise ValueError(
            "Only a functional or sequential model that has been built, from one batch of images, "
            "can be drawn: of others, nobody can see what is in them. "
            f"Received: {type(model).__name__} with input_shape={shape}"
        )
    image = (shape[1] or ANY_SIZE, shape[2] or ANY_SIZE, shape[3])
    stages, skips = [_Stage("image", image)], []
    # Of each tensor, the last stage that it comes from, and its shape.
    stage_of, shape_of = {id(model.inputs[0]): 0}, {id(model.inputs[0]): image}
    for operation in operations or ():
        if isinstance(operation, keras.layers.InputLayer):
            continue
        inputs, output = keras.tree.flatten(operation.input), operation.output
        if not isinstance(output, keras.KerasTensor) or any(id(x) not in stage_of for x in inputs):
            raise ValueError(_not_to_be_followed(model))
        first, *others = sorted((stage_of[id(x)] for x in inputs), reverse=True)
        made = _shape_made(operation, output, [shape_of[id(x)] for x in inputs])
        kind = _kind(operation, made, stages[first].shape)
        if kind is not None:
            stages.append(_Stage(kind, made))
            first = len(stages) - 1
        elif isinstance(operation, keras.layers.Cropping2D) and first:
            stages[first].shape = made  # A border that was only there for the convolution.
        skips += [(other, first) for other in others if other != first]
        stage_of[id(output)], shape_of[id(output)] = first, made
    if id(model.outputs[0]) not in stage_of:
        raise ValueError(_not_to_be_followed(model))
    return stages, skips


def _not_to_be_followed(model: Any) -> str:
    return (
        f"The model {model.name!r} cannot be drawn, because a layer in it has several outputs, or "
        "is called more than once. Draw the networks in it one by one."
    )


def _shape_made(operation: Any, output: Any, shapes: list[tuple[Any, ...]]) -> tuple[Any, ...]:
    known = tuple(output.shape[1:])
    if None not in known:
        return known
    batches = [(None, *shape) for shape in shapes]
    compute = getattr(operation, "compute_output_shape", None)
    if compute is None:  # Arithmetic, which goes pixel by pixel.
        return shapes[0]
    return tuple(compute(batches[0] if len(batches) == 1 else batches)[1:])


def _kind(operation: Any, made: tuple[Any, ...], before: tuple[int, ...]) -> str | None:
    """What an operation does to the size of an image, if it convolves at all."""
    from keras import layers

    from cyclegan_keras.layers import UpsampleConv2D

    if isinstance(operation, layers.Conv2DTranspose | UpsampleConv2D):
        return "double" if made[0] > before[0] else "keep"
    if isinstance(operation, layers.Conv2D | layers.DepthwiseConv2D | layers.SeparableConv2D):
        if max(operation.strides) > 1:
            return "halve"
        # After an upsampling that is a layer of its own.
        return "double" if made[0] >= 1.5 * before[0] else "keep"
    return None
