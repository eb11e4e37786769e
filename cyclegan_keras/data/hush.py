"""Keeps what Pillow and tifffile remark about a file off the screen.

libtiff, with which Pillow reads compressed TIFFs, still prints what is damaged in one.
"""

import contextlib
import logging
import threading
import warnings
from collections.abc import Iterator

# Whoever has set up logging still gets these; without that, Python would print the grave ones.
for _library in ("PIL", "tifffile"):
    logging.getLogger(_library).addHandler(logging.NullHandler())

_lock = threading.Lock()
_inside: list[int] = []
_filters: list[tuple] = []


@contextlib.contextmanager
def hushed() -> Iterator[None]:
    """Ignores Pillow's warnings, in all threads, while at least one thread is inside.

    They are about things that change no pixel: broken EXIF, odd tags, animations. What is too large
    or damaged is an error anyway. `warnings.catch_warnings` is not for threads: whoever leaves it
    last could put back the filters of another.
    """
    with _lock:
        _inside.append(threading.get_ident())
        if len(_inside) == 1:
            # With a mark, lest a filter of somebody else be taken for this one and removed.
            warnings.filterwarnings("ignore", module=r"PIL\.(?#cyclegan_keras)")
            _filters.append(warnings.filters[0])
    try:
        yield
    finally:
        with _lock:
            _inside.remove(threading.get_ident())
            if not _inside:
                # Somebody else may have put other filters in place meanwhile.
                with contextlib.suppress(ValueError):
                    warnings.filters.remove(_filters.pop())  # type: ignore[attr-defined]
