"""Finds the file of a generator, named itself or by the folder of its run."""

import pathlib

WAYS = ("AB", "BA")


def generator_file(name: str, way: str | None = None) -> str:
    """Finds the file of a generator.

    Args:
        name: A `.keras` file, or the folder of a run.
        way: `"AB"` or `"BA"`; `None` means AB, or the only one that a run has. For folders only.

    Returns:
        The file. A name that is no folder is returned as it is, whether or not there is such a
        file.

    Raises:
        FileNotFoundError: If the folder has no such generator.
        ValueError: If a way is given for a file.
    """
    folder = pathlib.Path(name)
    if not folder.is_dir():
        if way is not None:
            raise ValueError(
                f"--way chooses from the folder of a run, and {name!r} is none. Leave --way out."
            )
        return name
    found = {one: folder / f"g_{one}.keras" for one in WAYS}
    there = [one for one in WAYS if found[one].is_file()]
    chosen = way or next(iter(there), WAYS[0])
    if chosen in there:
        return str(found[chosen])
    others = f" There is {' and '.join(found[one].name for one in there)}." if there else ""
    raise FileNotFoundError(
        f"No generator {found[chosen].name!r} in the folder {name!r}.{others} Give the folder of a "
        "run, or a .keras file."
    )
