"""The page in Chromium, from disk: it computes as onnxruntime does in Python, and asks nobody."""

import http.server
import io
import threading
import time
import zipfile

import keras
import numpy as np
import pytest
from PIL import Image

from cyclegan_keras import export_page
from cyclegan_keras.config.value_range import ValueRange
from cyclegan_keras.data.images import denormalize, normalize
from cyclegan_keras.data.picture import Picture
from cyclegan_keras.export import page as pages
from cyclegan_keras.inference import formats
from cyclegan_keras.inference.pictures import Ranges
from cyclegan_keras.inference.translate import Manner, Translator
from tests import browser, tiny

pytestmark = pytest.mark.integration

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

SIZE = (24, 32)


@pytest.fixture(scope="module")
def models():
    """ONNX files of networks of one convolution, by way."""
    from cyclegan_keras.export.onnx_graph import to_onnx

    found = {}
    for way, seed in (("AB", 1), ("BA", 2)):
        image = keras.Input((*SIZE, 3))
        network = keras.Model(image, tiny.convolution(3, 1, "tanh", seed)(image))
        found[way] = to_onnx(network).SerializeToString()
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("browser")


@pytest.fixture(scope="module")
def opened(models, folder):
    path = pages.write_page(models, folder / "page.html", size=SIZE, title="drawn")
    with browser.opened(folder / "profile") as page:
        page.save_into(folder / "saved")
        page.resize(1000, 800)
        page.open(path.as_uri())
        yield page
        assert page.errors == []
        # The page itself, and nothing else, whatever the tests did.
        assert set(page.requests) == {path.as_uri()}


@pytest.fixture
def page(opened):
    """The page without pictures, as it was opened."""
    yield opened
    while opened.run("document.querySelectorAll('#list li').length"):
        opened.run("document.getElementById('remove').click()")
    for name in ("back", "show-back"):
        opened.run(f"document.getElementById('{name}').checked = false")
    opened.run("document.querySelector('input[value=AB]').click()")
    opened.run("document.getElementById('dismiss').click()")


def noise(folder, name, size, mode="RGB", seed=0, **options):
    """Writes a picture by its `(width, height)`."""
    shape = (size[1], size[0], len(mode))
    pixels = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    path = folder / name
    Image.fromarray(pixels).save(path, **options)
    return path


def translate(page, *paths):
    page.choose("#file", *paths)
    page.wait("document.querySelector('#list li') && document.getElementById('progress').hidden")


def text_of(page, name):
    return page.run(f"document.getElementById('{name}').textContent")


def saved(page, folder, button="save"):
    """Presses a button, and returns what is then in the file."""
    before = {*(folder / "saved").glob("*")}
    page.run(f"document.getElementById('{button}').click()")
    deadline = time.monotonic() + 20
    while True:
        new = [
            path
            for path in {*(folder / "saved").glob("*")} - before
            if path.suffix in (".png", ".zip") and path.stat().st_size
        ]
        if new:
            return new[0]
        assert time.monotonic() < deadline, "nothing was saved"
        time.sleep(0.02)


def pixels_of(file):
    return np.asarray(Image.open(file))


def colors_of(file):
    """The colors of a picture that was saved, which has transparency, even if it is all opaque."""
    pixels = pixels_of(file)
    assert (pixels[..., 3] == 255).all()
    return pixels[..., :3]


def scaled(image, size):
    """Resizes to `(width, height)`, along rows first; Pillow 13 chooses which, by the shape."""
    along_rows = image.resize((size[0], image.height), Image.Resampling.BICUBIC)
    return along_rows.resize(size, Image.Resampling.BICUBIC)


def expected(models, way, pixels):
    """What onnxruntime makes in Python of uint8 in the size of the network."""
    session = onnxruntime.InferenceSession(models[way], providers=["CPUExecutionProvider"])
    return denormalize(session.run(None, {"image": normalize(pixels)[None]})[0][0])


def levels_apart(one, other):
    assert one.shape == other.shape
    return np.abs(one.astype(int) - other).max()


@pytest.mark.parametrize("way", ["AB", "BA"])
def test_it_computes_as_in_python(page, models, folder, way):
    path = noise(folder, "own size.png", SIZE[::-1])
    page.run(f"document.querySelector('input[value={way}]').click()")
    translate(page, path)
    file = saved(page, folder)
    assert file.name == f"own size-{way}.png"
    assert levels_apart(colors_of(file), expected(models, way, pixels_of(path))) <= 1


@pytest.mark.parametrize("size", [(11, 7), (1, 1), (32, 5)])
def test_a_smaller_picture_is_scaled_as_in_python(page, models, folder, size):
    path = noise(folder, f"small {size}.png", size)
    translate(page, path)
    large = scaled(Image.open(path), SIZE[::-1])
    translation = Image.fromarray(expected(models, "AB", np.asarray(large)))
    want = np.asarray(scaled(translation, size))
    assert levels_apart(colors_of(saved(page, folder)), want) <= 1


def guided(pixels, small, translated, radius=2, ridge=0.01):
    """Fits and applies the maps of colors by their definition: one at a time, in float64."""
    height, width, channels = small.shape
    maps = np.empty((height, width, channels, channels + 1))
    for y in range(height):
        for x in range(width):
            rows = slice(max(0, y - radius), y + radius + 1)
            columns = slice(max(0, x - radius), x + radius + 1)
            before = small[rows, columns].reshape(-1, channels).astype(float)
            after = translated[rows, columns].reshape(-1, channels).astype(float)
            # The ridge, as rows of their own: that the map of centered colors is the identity.
            strength = np.sqrt(ridge * len(before)) * np.eye(channels)
            centered = np.concatenate([before - before.mean(0), strength])
            wanted = np.concatenate([after - after.mean(0), strength])
            weights = np.linalg.lstsq(centered, wanted, rcond=None)[0].T
            maps[y, x, :, :-1] = weights
            maps[y, x, :, -1] = after.mean(0) - weights @ before.mean(0)
    rows, columns = (
        np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
        for new, old in zip(pixels.shape, (height, width), strict=False)
    )
    top, left = np.minimum(rows.astype(int), height - 2), np.minimum(columns.astype(int), width - 2)
    down, right = (rows - top)[:, None, None, None], (columns - left)[:, None, None]
    maps = maps[top] * (1 - down) + maps[top + 1] * down
    maps = maps[:, left] * (1 - right) + maps[:, left + 1] * right
    colors = pixels / 127.5 - 1
    result = np.einsum("yxcb,yxb->yxc", maps[..., :-1], colors) + maps[..., -1]
    return denormalize(result)


@pytest.mark.parametrize("size", [(100, 70), (33, 24), (20, 300), (1, 900)])
def test_a_larger_picture_keeps_its_detail(page, models, folder, size):
    # Soft colors with some noise, as no map can follow pure noise.
    x, y = np.meshgrid(np.linspace(0, 200, size[0]), np.linspace(0, 200, size[1]))
    soft = np.stack([x, y, 200 - x], 2) + np.random.default_rng(0).normal(0, 8, (*x.shape, 3))
    pixels = np.clip(soft, 0, 255).astype(np.uint8)
    path = folder / f"large {size}.png"
    Image.fromarray(pixels).save(path)
    translate(page, path)
    small = np.asarray(scaled(Image.open(path), SIZE[::-1]))
    session = onnxruntime.InferenceSession(models["AB"], providers=["CPUExecutionProvider"])
    translated = session.run(None, {"image": normalize(small)[None]})[0][0]
    want = guided(pixels, normalize(small), translated)
    assert levels_apart(colors_of(saved(page, folder)), want) <= 1


def test_there_and_back(page, models, folder):
    path = noise(folder, "back.png", SIZE[::-1], seed=1)
    page.run("document.getElementById('back').click()")
    translate(page, path)
    page.wait("document.getElementById('progress').hidden")
    assert text_of(page, "status") == "1 of 1 translated, A → B → A."
    page.run("document.getElementById('show-back').click()")
    file = saved(page, folder)
    assert file.name == "back-ABA.png"
    there = expected(models, "AB", pixels_of(path))
    assert levels_apart(colors_of(file), expected(models, "BA", there)) <= 2
    assert text_of(page, "label-after") == "A again"


def test_all_are_saved_in_one_file(page, models, folder):
    places = [folder / name for name in ("x", "y")]
    for place in places:
        place.mkdir()
    paths = [noise(place, "ä.png", SIZE[::-1], seed=seed) for seed, place in enumerate(places)]
    translate(page, *paths)
    with zipfile.ZipFile(saved(page, folder, "save-all")) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["ä-AB.png", "ä-AB-2.png"]
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
        for name, path in zip(archive.namelist(), paths, strict=True):
            got = colors_of(io.BytesIO(archive.read(name)))
            assert levels_apart(got, expected(models, "AB", pixels_of(path))) <= 1


def test_what_is_no_picture_is_named_and_the_others_are_translated(page, folder):
    bad = {"text.png": b"hello", "empty.png": b"", "half.png": b"\x89PNG\r\n\x1a\n"}
    for name, data in bad.items():
        (folder / name).write_bytes(data)
    good = noise(folder, "good.png", SIZE[::-1])
    translate(page, *(folder / name for name in bad), good)
    problems = page.run(
        "[...document.querySelectorAll('#problem-list li')].map(x => x.textContent)"
    )
    assert [problem.split(":")[0] for problem in problems] == [*bad]
    assert text_of(page, "status") == "1 of 1 translated, A → B."
    page.run("document.getElementById('dismiss').click()")
    assert page.run("document.getElementById('problems').hidden")


def test_a_damaged_picture_fails_alone(page, folder):
    good, damaged = noise(folder, "fine.png", (90, 90)), folder / "cut.png"
    damaged.write_bytes(good.read_bytes()[:400])
    translate(page, damaged, good)
    assert "1 failed" in text_of(page, "status")
    assert "1 of 2 translated" in text_of(page, "status")
    assert text_of(page, "error")
    assert page.run("document.getElementById('save').disabled")


def test_a_picture_that_is_too_large_is_said_to_be(page, folder):
    path = folder / "wide.png"
    Image.new("1", (20_000, 2)).save(path)
    page.choose("#file", path)
    page.wait("!document.getElementById('problems').hidden")
    assert "20000 × 2" in text_of(page, "problem-list")
    assert not page.run("document.querySelectorAll('#list li').length")


def test_orientation_and_transparency_are_kept(page, models, folder):
    turned = Image.Exif()
    turned[0x0112] = 6
    path = noise(folder, "turned.png", SIZE, exif=turned)
    translate(page, path)
    upright = np.rot90(pixels_of(path), -1)
    got = colors_of(saved(page, folder))
    assert levels_apart(got, expected(models, "AB", upright)) <= 1
    page.run("document.getElementById('remove').click()")
    clear = noise(folder, "clear.png", SIZE[::-1], "RGBA")
    pixels = pixels_of(clear).copy()
    pixels[..., 3] = np.where(pixels[..., 3] < 128, 0, 255)
    Image.fromarray(pixels).save(clear)
    translate(page, clear)
    got = pixels_of(saved(page, folder))
    np.testing.assert_array_equal(got[..., 3], pixels[..., 3])
    shown = pixels[..., 3] == 255
    on_white = np.where(shown[..., None], pixels[..., :3], 255).astype(np.uint8)
    want = expected(models, "AB", on_white)
    assert levels_apart(got[shown][:, :3], want[shown]) <= 1


def test_it_can_be_used_by_keyboard(page, folder):
    translate(page, noise(folder, "keys.png", SIZE[::-1]), noise(folder, "more.png", SIZE[::-1]))
    page.run("document.body.focus(); document.querySelector('input[name=way]').focus()")
    page.press("ArrowRight")
    assert page.run("document.activeElement.value") == "BA"
    page.wait("document.getElementById('status').textContent === '2 of 2 translated, B → A.'")
    seen = []
    for _ in range(12):
        page.press("Tab")
        seen.append(
            page.run("document.activeElement.id || document.activeElement.parentElement.localName")
        )
        if seen[-1] == "remove":
            break
    assert seen == ["back", "file", "li", "li", "split", "save", "save-all", "remove"]
    page.run("document.getElementById('split').focus()")
    page.press("ArrowLeft")
    assert page.run("document.getElementById('stage').style.getPropertyValue('--split')") == "49%"


@pytest.fixture
def site():
    """A server that keeps what it was asked for."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("has_policy", [True, False])
def test_the_policy_keeps_it_from_asking(models, folder, site, has_policy):
    address, asked = site
    path = pages.write_page(models, folder / "asking.html", size=SIZE, overwrite=True)
    if not has_policy:
        path.write_text(
            path.read_text("utf-8").replace("Content-Security-Policy", "nothing"), "utf-8"
        )
    with browser.opened(folder / "another profile") as page:
        page.open(path.as_uri())
        page.run(f"""Promise.allSettled([
            fetch("{address}/fetched", {{ mode: "no-cors" }}),
            new Promise((done) => {{
                const image = new Image();
                image.onload = image.onerror = done;
                image.src = "{address}/image";
            }}),
        ])""")
    assert sorted(asked) == ([] if has_policy else ["/fetched", "/image"])


@pytest.mark.parametrize(("width", "dark"), [(1100, False), (390, True)])
def test_it_fits_the_window(page, folder, width, dark):
    page.resize(width, 800, dark=dark)
    translate(page, noise(folder, "a" * 80 + ".png", (300, 200)))
    assert page.run("document.documentElement.scrollWidth") == width
    color = page.run("getComputedStyle(document.body).backgroundColor")
    assert color == ("rgb(23, 25, 27)" if dark else "rgb(255, 255, 255)")
    page.resize(1000, 800)


@pytest.fixture(scope="module")
def network():
    """A generator of one convolution, from which pages are exported."""
    image = keras.Input((*SIZE, 3))
    return keras.Model(image, tiny.convolution(3, 1, "tanh", 1)(image))


def soft(folder, name, width, height):
    """Soft colors with some noise, as no map can follow pure noise."""
    x, y = np.meshgrid(np.linspace(0, 200, width), np.linspace(0, 200, height))
    noisy = np.stack([x, y, 200 - x], 2) + np.random.default_rng(0).normal(0, 4, (*x.shape, 3))
    path = folder / name
    Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(path)
    return path


@pytest.mark.parametrize(
    ("fit", "ranges"),
    [
        ("pad", (ValueRange(20, 200), ValueRange(0, 100))),
        ("crop", (ValueRange(0, 255), ValueRange(10, 240))),
    ],
)
def test_it_places_pictures_as_python_does(fit, ranges, network, folder):
    path = folder / f"{fit}.html"
    export_page({"AB": network}, path, fit=fit, ranges={"AB": ranges}, bound=1)
    translator = Translator(network, Manner(fit=fit), Ranges(*ranges))
    with browser.opened(folder / f"profile {fit}") as page:
        page.save_into(folder / "saved")
        page.open(path.as_uri())
        for number, size in enumerate([(100, 70), (20, 90), (90, 20), (7, 5)]):
            picture = soft(folder, f"{fit} {number}.png", *size)
            page.choose("#file", picture)
            page.wait(
                f"document.querySelectorAll('#list li').length === {number + 1}"
                " && document.getElementById('progress').hidden"
            )
            page.run(f"document.querySelectorAll('#list button')[{number}].click()")
            want = np.asarray(translator(np.asarray(Image.open(picture))))
            assert levels_apart(colors_of(saved(page, folder)), want) <= 2, size
        assert page.errors == []


def test_pictures_beyond_the_range_of_the_networks_are_refused(network, folder):
    path = folder / "beyond.html"
    ranges = (ValueRange(0, 4000), ValueRange(0, 4000))
    export_page({"AB": network}, path, ranges={"AB": ranges}, bound=1)
    deep = np.random.default_rng(0).integers(0, 4000, (*SIZE, 3), np.uint16)
    formats.write(folder / "deep.png", Picture(deep, None, 16), {})
    with browser.opened(folder / "profile beyond") as page:
        page.save_into(folder / "saved")
        page.open(path.as_uri())
        translate(page, noise(folder, "eight bits.png", SIZE[::-1]))
        assert "0 to 255" in text_of(page, "error")
        page.run("document.getElementById('remove').click()")
        translate(page, folder / "deep.png")
        want = Translator(network, None, Ranges(*ranges))(deep)
        got = colors_of(saved(page, folder)).astype(float) * 257
        # Of 16 bits, the browser keeps 8.
        assert np.abs(got - want).max() <= 3 * 257
