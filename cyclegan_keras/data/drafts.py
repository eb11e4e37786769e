"""Drawn data sets appear whole or not at all, and never over what is there."""

import contextlib
import pathlib
import shutil
import uuid
from collections.abc import Iterator


@contextlib.contextmanager
def drafted(target: pathlib.Path) -> Iterator[pathlib.Path]:
    """Gives a folder to draw into, which gets its name once all is drawn.

    Args:
        target: The folder that is wanted, missing or empty, an absolute path. Missing parents are
            made.

    Yields:
        An empty folder beside it.

    Raises:
        FileExistsError: If there is something at `target` by the time that all is drawn.
    """
    # A sibling is on the same disk, so the rename at the end is one step.
    draft = target.parent / f".{target.name}.{uuid.uuid4().hex}.tmp"
    draft.mkdir(parents=True)
    try:
        yield draft
        try:
            if target.is_dir():
                # Only an empty folder can be removed, so nothing of anyone's can be lost.
                target.rmdir()
            draft.rename(target)
        except OSError:
            # Someone else may have filled the folder since the first look.
            check_free(target)
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def check_free(target: pathlib.Path) -> None:
    """Raises an error that teaches unless there is nothing, or an empty folder, at a path.

    Args:
        target: The path.

    Raises:
        FileExistsError: If there is.
    """
    if target.is_dir():
        found = sorted(entry.name for entry in target.iterdir())
        if not found:
            return
        more = ", ..." if len(found) > 4 else ""
        what = f"a folder that is not empty ({', '.join(found[:4])}{more})"
    elif target.exists():
        what = "a file"
    else:
        return
    raise FileExistsError(
        f"`directory` must be missing or empty, so that no file is lost. Found {what} at "
        f"'{target}'. Use what is there, name another folder, or remove this one first."
    )
