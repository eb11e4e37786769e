"""A page that translates pictures in the browser: networks and runtime are in one HTML file."""

import base64
import dataclasses
import functools
import gzip
import hashlib
import importlib.resources
import json
import os
import pathlib
import re
from collections.abc import Mapping
from typing import Any

import jinja2
import markupsafe

import cyclegan_keras
from cyclegan_keras._files import PathLike, write_text
from cyclegan_keras.config.registry import WAYS
from cyclegan_keras.config.value_range import ValueRange
from cyclegan_keras.data.fitting import Fit, checked

# What a browser can hold: the picture, its translation and a copy of each.
MAX_PIXELS = 2**26
# The longest side that all browsers can draw.
MAX_SIDE = 16_384
MAX_BYTES = 2**28

_WEB = importlib.resources.files("cyclegan_keras.export") / "web"
_RUNTIME = _WEB / "onnxruntime"
_EXPORTS = re.compile(r"export\s*\{([^{}]*)\};?\s*(?://# sourceMappingURL=\S*\s*)?$")


@dataclasses.dataclass(frozen=True)
class Placing:
    """How a page brings pictures into its networks, and their translations back.

    Attributes:
        fit: What is done to pictures of other proportions than the training size; see
            `inference.manner.Manner`.
        multiple: What height and width must be multiples of in other sizes than that of training,
            for `"crop"`, in pixels.
        least: The least height and width there.
        ranges: By way, the values of black and white in pictures and in their translations, as the
            numbers of a file have them; what is missing or `None` is the whole range of a file's
            type.

    Raises:
        ValueError: If a value is none of these.
    """

    fit: Fit = "stretch"
    multiple: int = 1
    least: int = 1
    ranges: Mapping[str, tuple[ValueRange | None, ValueRange | None]] = dataclasses.field(
        default_factory=dict
    )

    def __post_init__(self) -> None:
        checked(self.fit)
        if min(self.multiple, self.least) < 1:
            raise ValueError(
                "`multiple` and `least` must be 1 or more pixels. "
                f"Received: {self.multiple} and {self.least}"
            )

    def as_json(self) -> dict[str, Any]:
        """Gives it as the page's script takes it."""
        ranges = {
            way: [None if one is None else [one.low, one.high] for one in both]
            for way, both in self.ranges.items()
        }
        return {
            "fit": self.fit,
            "multiple": self.multiple,
            "least": self.least,
            "ranges": ranges,
        }


@dataclasses.dataclass(frozen=True)
class PageSettings:
    """What a page says and accepts.

    Attributes:
        title: Of the page, such as the name of the run.
        ways: Which ways it translates: "AB", "BA" or both.
        size: `(height, width)` in pixels in which the networks were trained.
        channels: Of the networks: 3 for RGB, or 1 for gray.
        names: What the page calls the domains A and B.
        max_pixels: Largest picture that it accepts, in pixels.
        max_bytes: Largest file that it accepts.
        placing: How pictures come into the networks.

    Raises:
        ValueError: If a value is none of these.
    """

    title: str
    ways: tuple[str, ...]
    size: tuple[int, int]
    channels: int = 3
    names: tuple[str, str] = ("A", "B")
    max_pixels: int = MAX_PIXELS
    max_bytes: int = MAX_BYTES
    placing: Placing = Placing()

    def __post_init__(self) -> None:
        if not self.ways or not set(self.ways) <= {*WAYS} or len({*self.ways}) != len(self.ways):
            raise ValueError(f"`ways` must be of {', '.join(WAYS)}. Received: ways={self.ways!r}")
        if len(self.size) != 2 or not all(1 <= side <= MAX_SIDE for side in self.size):
            raise ValueError(
                f"`size` must be a height and a width of 1 to {MAX_SIDE} pixels. "
                f"Received: size={self.size!r}"
            )
        if self.channels not in (1, 3):
            raise ValueError(f"`channels` must be 1 or 3. Received: channels={self.channels!r}")


def write_page(
    models: Mapping[str, bytes],
    path: PathLike,
    *,
    size: tuple[int, int],
    title: str = "CycleGAN",
    channels: int = 3,
    names: tuple[str, str] = ("A", "B"),
    placing: Placing = Placing(),
    overwrite: bool = False,
) -> pathlib.Path:
    """Writes a page that translates pictures by itself, in one HTML file.

    The networks run in the browser, with ONNX Runtime Web, which is in the file, too. The page
    opens from disk, makes no request, and forbids itself to make one.

    Args:
        models: The bytes of ONNX models, by way: `"AB"`, `"BA"` or both. Each is one of
            `export.onnx_graph.to_onnx`, with the input "image" and the output "translation",
            `(batch, height, width, channels)`, float32 in [-1, 1].
        path: The file.
        size: `(height, width)` in pixels in which the networks were trained. Larger pictures are
            translated in this size and keep their own detail.
        title: Of the page, such as the name of the run.
        channels: Of the networks: 3 for RGB, or 1 for gray.
        names: What the page calls the domains A and B.
        placing: How pictures come into the networks.
        overwrite: Whether an existing file may be replaced.

    Returns:
        The path.

    Raises:
        FileExistsError: If the file exists and may not be replaced.
        FileNotFoundError: If its folder does not exist.
        OSError: If it cannot be written.
        ValueError: If there is no model, the name is not that of a page, or a setting is out of
            range.
    """
    path = pathlib.Path(path)
    check_page(path, overwrite)
    settings = PageSettings(title, tuple(models), size, channels, names, placing=placing)
    write_text(path, _local_page(models, settings))
    return path


def check_page(path: pathlib.Path, overwrite: bool) -> None:
    """Checks early, without writing anything, that a page can be written.

    Args:
        path: As for `write_page`.
        overwrite: As there.

    Raises:
        FileExistsError: If the file exists and may not be replaced.
        FileNotFoundError: If its folder does not exist.
        ValueError: If it has another suffix than that of a page.
    """
    if path.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"The name of a page must end with .html. Received: {os.fspath(path)!r}")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"No folder {str(path.parent)!r} to write into. Make it first.")
    if os.path.lexists(path) and (not overwrite or path.is_dir()):
        raise FileExistsError(
            f"{os.fspath(path)!r} exists. Give another name, or allow it to be replaced "
            "(--overwrite)."
        )


def remote_page(settings: PageSettings) -> tuple[str, str]:
    """Makes the same page for a server, which translates for it.

    Args:
        settings: What it says and accepts.

    Returns:
        The page, and its content security policy.
    """
    script = _scripts("zip.js", "remote.js", "page.js")
    policy = _policy(script, "connect-src 'self'", wasm=False)
    return _rendered(settings, script, policy, remote=True), policy


def _local_page(models: Mapping[str, bytes], settings: PageSettings) -> str:
    script = _scripts("zip.js", "local.js", "page.js")
    return _rendered(
        settings,
        script,
        _policy(script, "worker-src blob:", wasm=True),
        remote=False,
        runtime=_in_text((_RUNTIME / "ort-wasm-simd-threaded.wasm.gz").read_bytes()),
        runtime_version=_text(_RUNTIME / "VERSION").strip(),
        license=_text(_RUNTIME / "LICENSE"),
        models={way: _in_text(gzip.compress(model, 9, mtime=0)) for way, model in models.items()},
        worker=markupsafe.Markup(_worker()),
    )


def _rendered(settings: PageSettings, script: str, policy: str, **values: Any) -> str:
    page = _template().render(
        **vars(settings) | {"names": dict(zip("AB", settings.names, strict=True))},
        version=cyclegan_keras.__version__,
        policy=policy,
        style=markupsafe.Markup(_style()),
        script=markupsafe.Markup(script),
        settings=_in_json(
            title=settings.title,
            ways=settings.ways,
            size=settings.size,
            channels=settings.channels,
            names=dict(zip("AB", settings.names, strict=True)),
            maxPixels=settings.max_pixels,
            maxSide=MAX_SIDE,
            maxBytes=settings.max_bytes,
            **settings.placing.as_json(),
        ),
        **values,
    )
    return page.encode("utf-8", "backslashreplace").decode("utf-8")


def _policy(script: str, *more: str, wasm: bool) -> str:
    """Forbids everything but the page's own script and style, by their hashes."""
    allowed = f"{_hash(script)} 'wasm-unsafe-eval'" if wasm else _hash(script)
    parts = (
        "default-src 'none'",
        f"script-src {allowed}",
        f"style-src {_hash(_style())}",
        "img-src blob: data:",
        "base-uri 'none'",
        "form-action 'none'",
    )
    return "; ".join((*parts, *more))


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


@functools.cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(_text(_WEB / "page.html.j2"))


@functools.cache
def _style() -> str:
    return _text(_WEB / "page.css")


def _scripts(*names: str) -> str:
    return _inline("\n".join(_text(_WEB / name) for name in names))


@functools.cache
def _worker() -> str:
    """The script of the worker, with the runtime as `ort`, whose own names stay apart."""
    runtime = _text(_RUNTIME / "ort.wasm.bundle.min.mjs")
    found = _EXPORTS.search(runtime)
    if found is None:
        raise ValueError("ONNX Runtime Web does not end with its exports, as it must.")
    pairs = (pair.split(" as ") for pair in found[1].split(","))
    members = ", ".join(f"{pair[-1].strip()}: {pair[0].strip()}" for pair in pairs)
    # Chromium starts no module as the worker of a page from disk, and a plain script has no
    # `import.meta`.
    source = runtime[: found.start()].replace("import.meta.url", "location.href")
    wrapped = f"const ort = (() => {{\n{source}\nreturn {{ {members} }};\n}})();\n"
    return _inline(wrapped) + _scripts("resample.js", "guided.js", "placing.js", "worker.js")


def _inline(script: str) -> str:
    """Checks that a script can stand in HTML as it is."""
    if re.search(r"</script|<script|<!--", script, re.IGNORECASE):
        raise ValueError("A script of the page has a mark of HTML in it, which would end it.")
    return script


def _in_text(data: bytes) -> markupsafe.Markup:
    return markupsafe.Markup(base64.b64encode(data).decode("ascii"))


def _in_json(**values: Any) -> markupsafe.Markup:
    """Makes JSON that can stand in a script element, whatever is in it."""
    return markupsafe.Markup(json.dumps(values).replace("<", "\\u003c"))


def _text(path: Any) -> str:
    return path.read_text("utf-8")
