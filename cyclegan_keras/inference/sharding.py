"""Parts of a large job, each for a process or a computer of its own."""

import dataclasses
import hashlib
import os
import re


def digest_of(name: str) -> int:
    """Gives a number to a name, the same one in every process and on every computer.

    Args:
        name: The name of a file, or a path with `/` between folders.

    Returns:
        A number of 64 bits.
    """
    return int.from_bytes(hashlib.blake2b(os.fsencode(name), digest_size=8).digest(), "big")


@dataclasses.dataclass(frozen=True)
class Shard:
    """One of several parts of all pictures. The parts have no picture in common.

    Attributes:
        number: Which one, from 1 to `count`.
        count: How many there are.

    Raises:
        ValueError: If there is no such part.
    """

    number: int
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count:
            raise ValueError(
                f"A shard I/N must have I from 1 to N. Received: {self.number}/{self.count}"
            )

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """Reads a shard as it is written on the command line.

        Args:
            text: Such as "2/4".

        Returns:
            The shard.

        Raises:
            ValueError: If it is none.
        """
        found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text, re.ASCII)
        if found is None:
            raise ValueError(
                f"A shard must be I/N, such as 2/4 for the second of four. Received: {text!r}"
            )
        return cls(int(found[1]), int(found[2]))

    def holds(self, name: str) -> bool:
        """Tells whether a picture belongs to this shard.

        Args:
            name: Its path relative to the folder that was given, with `/` between folders.

        Returns:
            Whether it does. It depends on this name and on `count` only.
        """
        return self.count == 1 or digest_of(name) % self.count == self.number - 1

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"
