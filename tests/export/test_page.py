"""The page's file, without a browser."""

import base64
import gzip
import hashlib
import html
import json
import pathlib
import re

import pytest

from cyclegan_keras.export import page

MODELS = {"AB": b"not really a network", "BA": b"another </script><!-- one"}
WEB = pathlib.Path(page.__file__).parent / "web"
RUNTIME = WEB / "onnxruntime"


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "page.html"
    title = "a </script><script>alert(1)</script> & <b>"
    assert page.write_page(MODELS, path, size=(24, 32), title=title) == path
    return path.read_text("utf-8")


def element(text, name):
    return re.search(rf'<script [^>]*id="{name}">(.*?)</script>', text, re.S)[1]


def policy_of(text):
    found = re.search(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', text)
    rules = html.unescape(found[1]).split("; ")
    return {name: values.split() for name, _, values in (rule.partition(" ") for rule in rules)}


def hash_of(text):
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def test_the_policy_forbids_all_but_its_own_script_and_style(text):
    script = re.search(r'<script type="module">(.*?)</script>', text, re.S)[1]
    style = re.search(r"<style>(.*?)</style>", text, re.S)[1]
    assert policy_of(text) == {
        "default-src": ["'none'"],
        "script-src": [hash_of(script), "'wasm-unsafe-eval'"],
        "style-src": [hash_of(style)],
        "img-src": ["blob:", "data:"],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
        "worker-src": ["blob:"],
    }
    # It comes before everything that it is to forbid.
    assert text.index("Content-Security-Policy") < text.index("<style")


def test_it_has_the_networks_and_the_runtime(text):
    for way, model in MODELS.items():
        packed = base64.b64decode(element(text, f"model-{way}"))
        assert gzip.decompress(packed) == model
    runtime = base64.b64decode(element(text, "runtime"))
    assert runtime == (RUNTIME / "ort-wasm-simd-threaded.wasm.gz").read_bytes()
    assert gzip.decompress(runtime).startswith(b"\0asm")
    settings = json.loads(element(text, "settings"))
    assert settings["ways"] == ["AB", "BA"]
    assert settings["size"] == [24, 32]
    assert html.unescape((RUNTIME / "LICENSE").read_text("utf-8")) in html.unescape(text)


def test_a_title_cannot_become_a_script(text):
    assert "<script>alert" not in text
    assert json.loads(element(text, "settings"))["title"].startswith("a </script><script>")
    assert (
        len(re.findall(r"<script\b", text)) == 6
    )  # Settings, runtime, two networks, worker, page.


def test_it_names_nothing_that_a_browser_would_fetch(text):
    assert re.findall(r'(?:src|href|action)="([^"]*)"', text) == ["data:,"]
    assert "sourceMappingURL" not in text
    assert "import.meta" not in element(text, "worker")


def test_the_same_networks_give_the_same_page(text, tmp_path):
    for name in ("one.html", "two.html"):
        page.write_page(MODELS, tmp_path / name, size=(8, 8))
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()


def test_nothing_is_overwritten_unless_it_is_said(tmp_path):
    path = tmp_path / "page.html"
    path.write_text("mine")
    with pytest.raises(FileExistsError, match="--overwrite"):
        page.write_page(MODELS, path, size=(8, 8))
    assert path.read_text() == "mine"
    page.write_page(MODELS, path, size=(8, 8), overwrite=True)
    assert path.stat().st_size > 1_000_000
    assert [*tmp_path.iterdir()] == [path]


@pytest.mark.parametrize(
    ("models", "settings", "name"),
    [
        ({}, {}, "ways"),
        ({"AC": b""}, {}, "ways"),
        (MODELS, {"size": (0, 8)}, "size"),
        (MODELS, {"size": (8, 20_000)}, "size"),
        (MODELS, {"channels": 4}, "channels"),
    ],
)
def test_settings_are_checked(models, settings, name, tmp_path):
    with pytest.raises(ValueError, match=f"`{name}`"):
        page.write_page(models, tmp_path / "page.html", **{"size": (8, 8), **settings})
    assert not [*tmp_path.iterdir()]


def test_the_vendored_files_are_those_that_were_reviewed():
    lines = (RUNTIME / "SHA256SUMS").read_text("utf-8").splitlines()
    sums = dict(reversed(line.split("  ")) for line in lines)
    found = {path.name for path in RUNTIME.iterdir()} - {"SHA256SUMS", "update.sh"}
    assert sums.keys() == found
    for name, digest in sums.items():
        assert hashlib.sha256((RUNTIME / name).read_bytes()).hexdigest() == digest, name
    version = (RUNTIME / "VERSION").read_text().strip()
    assert f"ONNX Runtime Web v{version}" in (RUNTIME / "ort.wasm.bundle.min.mjs").read_text()


def test_all_that_the_page_needs_is_in_the_package():
    import tomllib

    settings = tomllib.loads((pathlib.Path(__file__).parents[2] / "pyproject.toml").read_text())
    patterns = settings["tool"]["setuptools"]["package-data"]["cyclegan_keras.export"]
    folder = pathlib.Path(page.__file__).parent
    packed = {path for pattern in patterns for path in folder.glob(pattern)}
    there = {path for path in WEB.rglob("*") if path.is_file()}
    assert there - packed == {RUNTIME / "update.sh"}
