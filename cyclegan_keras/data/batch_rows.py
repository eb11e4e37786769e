"""The part of a batch that one of several processes computes with."""

from typing import Any

import numpy as np


class BatchRows(tuple[np.ndarray, np.ndarray]):
    """Some rows of a batch: `(imgs_A, imgs_B)`, as a whole batch is.

    Attributes:
        start: The place of its first image in the whole batch.
        num_images: Images of the whole batch.
    """

    start: int
    num_images: int

    @classmethod
    def of(cls, pair: Any, start: int, num_images: int) -> "BatchRows":
        """Makes one of its parts."""
        rows = cls(pair)
        rows.start, rows.num_images = start, num_images
        return rows
