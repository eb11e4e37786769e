"""What a server accepts, so that no sender can exhaust memory, disk or threads."""

import dataclasses
import threading


@dataclasses.dataclass(frozen=True)
class Limits:
    """What a server accepts.

    Attributes:
        body_bytes: Of one picture's file.
        bodies_bytes: Of all files that are being received, wait or are translated.
        pixels: Of one picture.
        waiting: Pictures that wait for their turn, beside the one that is translated.
        connections: At a time; further ones are told to come back.
        head_seconds: In which the request line and the headers must be there.
        body_seconds: In which a picture's file must be there.
        answer_seconds: In which an answer must be taken.
        closing_seconds: That requests which have begun have to finish when the server ends.

    Raises:
        ValueError: If one is not positive, or `bodies_bytes` is below `body_bytes`.
    """

    body_bytes: int = 32_000_000
    bodies_bytes: int = 512_000_000
    pixels: int = 50_000_000
    waiting: int = 128
    connections: int = 256
    head_seconds: float = 10
    body_seconds: float = 60
    answer_seconds: float = 60
    closing_seconds: float = 60

    def __post_init__(self) -> None:
        for name, value in dataclasses.asdict(self).items():
            if value <= 0:
                raise ValueError(f"`{name}` must be above 0. Received: {name}={value}")
        if self.bodies_bytes < self.body_bytes:
            raise ValueError(
                "`bodies_bytes` must be at least `body_bytes`, or no picture could be received. "
                f"Received: {self.bodies_bytes} and {self.body_bytes}"
            )


class Budget:
    """A number of bytes or places that threads share, and never exceed.

    Args:
        total: How many there are.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self._left = total
        self._lock = threading.Lock()

    @property
    def taken(self) -> int:
        """How many are taken."""
        return self.total - self._left

    def take(self, count: int = 1) -> bool:
        """Takes some, without waiting.

        Args:
            count: How many.

        Returns:
            Whether there were as many; if not, none is taken.
        """
        with self._lock:
            if count > self._left:
                return False
            self._left -= count
            return True

    def give_back(self, count: int = 1) -> None:
        """Gives some back.

        Args:
            count: How many.
        """
        with self._lock:
            self._left += count
