"""Self-contained HTML pages, with pictures and charts embedded, that load nothing else."""

import base64
import functools
import io
from typing import Any

import jinja2
import markupsafe
import numpy as np

from cyclegan_keras._files import PathLike, write_text
from cyclegan_keras.data.images import as_image

# The same chart always gives the same SVG, and its words stay searchable text.
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
        template: The name of its file in `templates/`.
        **values: Its variables. Text is escaped.

    Returns:
        The page. Bytes in file names that are not valid text are escaped.

    Raises:
        jinja2.UndefinedError: If a variable is missing.
    """
    page = _environment().get_template(template).render(**values)
    return page.encode("utf-8", "backslashreplace").decode("utf-8")


def write(path: PathLike, template: str, **values: Any) -> None:
    """Fills in a template and writes the page atomically.

    Args:
        path: The file; an existing one is replaced.
        template: As for `render`.
        **values: As for `render`.

    Raises:
        OSError: If it cannot be written.
    """
    write_text(path, render(template, **values))


def data_uri(pixels: np.ndarray) -> str:
    """Encodes a picture as a `data:` URI.

    Args:
        pixels: `(height, width, 3)`, `(height, width, 1)` or `(height, width)`, uint8.

    Returns:
        The URI of a PNG, which keeps every pixel exactly.
    """
    file = io.BytesIO()
    as_image(pixels).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def svg(figure: Any) -> markupsafe.Markup:
    """Renders a matplotlib figure for a page.

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
    # The XML header before it belongs to separate files only. Matplotlib escapes all labels.
    return markupsafe.Markup(text[text.index("<svg") :])
