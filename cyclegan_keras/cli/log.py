"""What the library logs, as lines on the screen."""

import logging
import sys

import tqdm

LOGGER = "cyclegan_keras"


class ScreenHandler(logging.Handler):
    """Writes to standard output, and warnings to standard error; above a progress bar, if any.

    Unlike those of `logging`, it raises an error if nobody reads what it writes.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Writes one line, or several."""
        text = self.format(record)
        if record.levelno >= logging.WARNING:
            tqdm.tqdm.write(f"Warning: {text}", file=sys.stderr)
            sys.stderr.flush()
        else:
            tqdm.tqdm.write(text)
            sys.stdout.flush()


def show() -> None:
    """Shows what the library logs; does so once, however often it is called."""
    logger = logging.getLogger(LOGGER)
    logger.setLevel(logging.INFO)
    if not any(isinstance(handler, ScreenHandler) for handler in logger.handlers):
        logger.addHandler(ScreenHandler())
