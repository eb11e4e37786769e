"""Which normalisation each network can have."""

# Of the features of one image: "instance" normalises each channel by itself; "contrib" all of them
# together, as the layer that the book's listing imports does; "pixel" divides each pixel's by their
# root mean square; "none" leaves them.
NORMS = ("instance", "contrib", "pixel", "none")
# By the names that settings give the networks. "contrib" is what the book's own were printed with.
OF_GENERATORS = {
    "unet": ("instance", "contrib"),
    "resnet": ("instance", "pixel", "none"),
    "deep_unet": ("instance",),
}
_OF_PATCH = ("instance", "pixel", "none")
OF_DISCRIMINATORS = {
    "book": ("instance", "contrib"),
    "patch1": _OF_PATCH,
    "patch16": _OF_PATCH,
    "patch70": _OF_PATCH,
    "patch286": _OF_PATCH,
}


def check(norm: str, network: str, setting: str = "norm") -> None:
    """Raises an error that teaches if a network cannot have a normalisation.

    Args:
        norm: Its name.
        network: A key of `OF_GENERATORS` or `OF_DISCRIMINATORS`.
        setting: What it is called where it was given.

    Raises:
        ValueError: If the network cannot have it.
    """
    possible = (OF_GENERATORS | OF_DISCRIMINATORS)[network]
    if norm not in possible:
        raise ValueError(
            f"`{setting}` must be one of {', '.join(possible)} for the network {network!r}. "
            f"Received: {setting}={norm!r}"
        )


def fitting(norm: str, network: str) -> str:
    """Gives the normalisation that a network has beside settings that another one may have left.

    Args:
        norm: The one of the settings.
        network: A key of `OF_GENERATORS` or `OF_DISCRIMINATORS`.

    Returns:
        `norm`, or "instance" if the network cannot have it.
    """
    return norm if norm in (OF_GENERATORS | OF_DISCRIMINATORS)[network] else "instance"
