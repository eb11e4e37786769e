"""The flags of generators that take a latent: a random one, or that of a reference image."""

import argparse
import os
import pathlib
from typing import Any

from cyclegan_keras._files import PathLike


def add_latent_flag(parser: argparse._ActionsContainer) -> None:
    """Adds the flag that chooses the latent of generators.

    Args:
        parser: The parser of a command.
    """
    parser.add_argument(
        "--latent-seed",
        type=int,
        metavar="N",
        help="of a generator with a latent: the seed of the random one that it gets (default: 0)",
    )


def with_seed(generators: dict[str, Any], seed: int | None) -> dict[str, Any]:
    """Fixes the latents of generators to random ones.

    Args:
        generators: By any name.
        seed: Of the draw; `None` means 0.

    Returns:
        The generators, all of images alone.

    Raises:
        ValueError: If a seed was given and none of them takes a latent, or it is no seed.
    """
    from cyclegan_keras.inference import latents

    has_latent = any(latents.latent_size(each) for each in generators.values())
    if seed is not None and not has_latent:
        raise ValueError(_without_latent(f"--latent-seed {seed}"))
    return {
        name: latents.with_latent(each, latents.draw_latents(each, 1, seed or 0)[0])
        if latents.latent_size(each)
        else each
        for name, each in generators.items()
    }


def add_translation_flags(parser: argparse.ArgumentParser) -> None:
    """Adds all flags of latents: random ones, several of them, that of a reference image.

    Args:
        parser: The parser of a command.
    """
    one_of = parser.add_mutually_exclusive_group()
    add_latent_flag(one_of)
    one_of.add_argument(
        "--like",
        metavar="FILE",
        help="of a generator with a latent: a reference image of the target domain, which all "
        "translations are to be like; this takes the encoder and the other generator of the run",
    )
    parser.add_argument(
        "--samples",
        type=int,
        metavar="N",
        help="of a generator with a latent: translate each image with N random latents, into the "
        "folders sample1, sample2, … in --output",
    )


def check(arguments: argparse.Namespace) -> None:
    """Raises an error that teaches if flags of latents do not go together.

    Args:
        arguments: The parsed command line.

    Raises:
        ValueError: If so.
    """
    if arguments.samples is not None and arguments.samples < 1:
        raise ValueError(f"--samples must be at least 1. Received: {arguments.samples}")
    if arguments.samples is not None and arguments.like is not None:
        raise ValueError("--like gives one latent, and --samples wants several. Leave one out.")


def chosen(arguments: argparse.Namespace, model: PathLike, generator: Any) -> list[Any]:
    """Chooses the latents that the flags ask for.

    Args:
        arguments: The parsed command line.
        model: The file of the generator.
        generator: The generator.

    Returns:
        One latent, a tuple of numbers; with `--samples`, one for each sample; `None` for a
        generator of images alone.

    Raises:
        FileNotFoundError: If `--like` wants a network that is not beside the generator.
        ValueError: If it takes no latent, and one was asked for.
    """
    from cyclegan_keras.inference import latents

    asked = {
        "--samples": arguments.samples,
        "--like": arguments.like,
        "--latent-seed": arguments.latent_seed,
    }
    if not latents.latent_size(generator):
        for flag, value in asked.items():
            if value is not None:
                raise ValueError(_without_latent(f"{flag} {value}"))
        return [None]
    if arguments.like is not None:
        found = [_latent_like(arguments.like, os.fspath(model))]
    else:
        count, seed = arguments.samples or 1, arguments.latent_seed or 0
        found = [*latents.draw_latents(generator, count, seed)]
    return [tuple(map(float, latent)) for latent in found]


def _latent_like(reference: str, model: str) -> Any:
    """Finds the latent of a reference image, by the networks beside the generator."""
    from cyclegan_keras.config import value_range
    from cyclegan_keras.inference import references
    from cyclegan_keras.inference.safe_loading import model_files

    path = pathlib.Path(model)
    stem, dot, suffixes = path.name.partition(".")
    if not (stem.startswith("g_") and stem[2:] in ("AB", "BA")):
        raise ValueError(
            "--like takes the encoder and the other generator beside g_AB.keras or g_BA.keras, in "
            f"the folder of the run. Received: {str(path)!r}"
        )
    way = stem[2:]
    # The best generators have been saved at other steps, or the other one never.
    names = {"encoder": f"e_{way[1]}", "other generator": f"g_{way[::-1]}"}
    places = {}
    for what, name in names.items():
        found = [path.with_name(f"{name}{dot}{suffixes}"), path.with_name(f"{name}.keras")]
        there = [place for place in found if place.is_file()]
        if not there:
            raise FileNotFoundError(
                f"--like takes the {what} beside {path.name}, and there is no {found[0].name!r} in "
                f"{str(path.parent)!r}. Give the folder of the run that was trained."
            )
        places[what] = there[0]
    ranges = value_range.of_translator(str(path))[1]
    return references.encode_image(
        model_files.load_encoder(places["encoder"]),
        model_files.load_generator(places["other generator"]),
        reference,
        domain=way[1],
        value_range=None if ranges is None else (ranges.low, ranges.high),
    )


def _without_latent(received: str) -> str:
    return (
        f"{received.partition(' ')[0]} is for generators that take a latent, as those of --model "
        "augmented do, and this one takes images alone. Leave it out. "
        f"Received: {received}"
    )
