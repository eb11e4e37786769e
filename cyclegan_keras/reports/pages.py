"""Self-contained pages: HTML with its pictures and drawings inside, that fetches nothing."""

import base64
import functools
import io
from typing import Any

import jinja2
import markupsafe
import numpy as np

from cyclegan_keras._files import PathLike, write_text
from cyclegan_keras.data.images import as_image

# The same drawing is the same text, whenever it is made; and its words stay words, which can be
# searched for.
DRAWING: Any = {"svg.hashsalt": "cyclegan_keras", "svg.fonttype": "none"}
NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))


@functools.cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("cyclegan_keras.reports"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(template: str, **values: Any) -> str:
    """Fills in a template of the package.

    Args:
        template: Its file's name in `templates/`.
        **values: What it names. Text is escaped.

    Returns:
        The page. Names of files that are no text have escapes in place of what is none.

    Raises:
        jinja2.UndefinedError: If the template names what is not given.
    """
    page = _environment().get_template(template).render(**values)
    return page.encode("utf-8", "backslashreplace").decode("utf-8")


def write(path: PathLike, template: str, **values: Any) -> None:
    """Fills in a template and writes the page, whole or not at all.

    Args:
        path: Of the file; one that exists is replaced.
        template: As for `render`.
        **values: As for `render`.

    Raises:
        OSError: If it cannot be written.
    """
    write_text(path, render(template, **values))


def data_uri(pixels: np.ndarray) -> str:
    """Packs a picture into an address that holds it.

    Args:
        pixels: `(height, width, 3)`, `(height, width, 1)` or `(height, width)`, uint8.

    Returns:
        A `data:` URI of a PNG, which has every pixel as it was.
    """
    file = io.BytesIO()
    as_image(pixels).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def svg(figure: Any) -> markupsafe.Markup:
    """Draws a matplotlib figure for a page.

    Args:
        figure: The figure.

    Returns:
        An `<svg>` element, the same for the same figure.
    """
    import matplotlib

    file = io.StringIO()
    with matplotlib.rc_context(DRAWING):
        figure.savefig(file, format="svg", metadata=NO_METADATA)
    text = file.getvalue()
    # What comes before it is for a file that stands alone. Matplotlib has escaped all labels.
    return markupsafe.Markup(text[text.index("<svg") :])
