"""The places of images in a study, dealt out so that no place or order tells what is real."""

import dataclasses
import random


@dataclasses.dataclass(frozen=True)
class Deal:
    """Where each image is, and the trials.

    Attributes:
        scored: The place of the scored image of each pair, in the order of the material.
        other: The place of the other image of each pair.
        practice: The pairs, as indices of the material, that are shown for practice.
        trials: The other pairs.
    """

    scored: list[int]
    other: list[int]
    practice: list[int]
    trials: list[int]

    def pair(self, index: int) -> list[int]:
        """Returns the places of a pair's images in ascending order, which tells nothing."""
        return sorted((self.scored[index], self.other[index]))


def deal(num_pairs: int, num_practice: int, rng: random.Random) -> Deal:
    """Gives each image a random place, and chooses the pairs for practice.

    Args:
        num_pairs: Of all trials, those for practice included.
        num_practice: How many of them are for practice.
        rng: Throws the dice. For a study it must be `random.SystemRandom`: whoever has the package
            could repeat what a seed gives.

    Returns:
        The places, from 0, and the trials.
    """
    places = rng.sample(range(2 * num_pairs), 2 * num_pairs)
    order = rng.sample(range(num_pairs), num_pairs)
    return Deal(places[:num_pairs], places[num_pairs:], order[:num_practice], order[num_practice:])
