"""Frames as they are shown, and as they are stored: phones store what is upright lying down."""

import numpy as np


def upright(frame: np.ndarray, matrix: tuple[int, ...] | None) -> np.ndarray:
    """Turns and mirrors a frame as a display matrix says.

    Args:
        frame: `(height, width)` or `(height, width, channels)`, as it is stored.
        matrix: FFmpeg's display matrix, row by row, or `None`. Only quarter turns and mirrors are
            done; for other angles, the frame stays as it is.

    Returns:
        The frame as it is shown.
    """
    transposes, flips_rows, flips_columns = _steps(matrix)
    frame = frame.swapaxes(0, 1) if transposes else frame
    return _flipped(frame, flips_rows, flips_columns)


def as_stored(frame: np.ndarray, matrix: tuple[int, ...] | None) -> np.ndarray:
    """Undoes `upright`.

    Args:
        frame: As it is shown.
        matrix: As for `upright`.

    Returns:
        The frame as it is stored.
    """
    transposes, flips_rows, flips_columns = _steps(matrix)
    frame = _flipped(frame, flips_rows, flips_columns)
    return frame.swapaxes(0, 1) if transposes else frame


def _steps(matrix: tuple[int, ...] | None) -> tuple[bool, bool, bool]:
    if matrix is None:
        return False, False, False
    # A point (x, y) is shown at (a x + c y, b x + d y), with y downwards.
    a, b, _, c, d = matrix[:5]
    if b == c == 0:
        return False, d < 0, a < 0
    if a == d == 0:
        return True, b < 0, c < 0
    return False, False, False


def _flipped(frame: np.ndarray, rows: bool, columns: bool) -> np.ndarray:
    return frame[:: -1 if rows else 1, :: -1 if columns else 1]
