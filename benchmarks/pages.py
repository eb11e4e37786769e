"""Where `make bench` writes its figures."""

import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[1]
README, BENCHMARKS = ROOT / "README.md", ROOT / "docs" / "benchmarks.md"
BEGIN, END = "<!-- written by `make bench` -->\n", "<!-- until here -->"
# The rows that the README has, without these words.
SECONDS = "seconds a step: "


def seconds(steps: str) -> str:
    """Takes the seconds a step out of the table of steps.

    Args:
        steps: From `train_step.table`, or a text that has that table in it.

    Returns:
        The head and these rows.
    """
    table = [line for line in steps.splitlines() if line.startswith("|")]
    rows = [line.replace(SECONDS, "") for line in table if line.startswith(f"| {SECONDS}")]
    return "".join(f"{line}\n" for line in [*table[:2], *rows])


def between(page: str) -> str:
    """Finds what `make bench` has written into a page."""
    return page.split(BEGIN)[1].split(END)[0]


def replace(path: pathlib.Path, text: str) -> None:
    """Puts a text between the two marks in a page.

    Args:
        path: Of the page.
        text: Ends with a line's end.
    """
    page = path.read_text("utf-8")
    before, after = page.split(BEGIN)[0], page.split(END)[1]
    path.write_text(f"{before}{BEGIN}{text}{END}{after}", "utf-8")
