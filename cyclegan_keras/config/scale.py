"""Whether translators are shown things as large as those that they were trained on."""

# What differs in size by less than a third of an octave (2 ** (1 / 3) is 1.26) is taken for the
# same scale where image features are compared across scales. Recipes enlarge by 1.125 at most.
MAX_ENLARGE = 1.25


def warning(enlarge: float, image_size: object) -> str | None:
    """Warns of a training on parts of images that are much larger than the images to translate.

    Args:
        enlarge: How many times the size training images are scaled to, before a part is cut out.
        image_size: The size, in pixels.

    Returns:
        What is wrong and what to do, in one line; `None` if the scales are about the same.
    """
    if enlarge <= MAX_ENLARGE:
        return None
    return (
        f"Trained at another scale: training sees parts, {image_size} pixels a side, of images "
        f"enlarged {enlarge:g} times, but samples, metrics and translations are of whole images at "
        f"{image_size} pixels, where everything is {enlarge:g} times smaller. Take --enlarge "
        f"{MAX_ENLARGE} or less, and a larger --image-size for finer detail; or cut the images up "
        "beforehand, those to train and those to translate alike."
    )
