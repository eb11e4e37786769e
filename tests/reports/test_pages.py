import base64
import io
import os
import xml.etree.ElementTree as ET

import jinja2
import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from cyclegan_keras.reports import pages


@pytest.fixture
def template(monkeypatch):
    """Puts a made-up template in the place of the package's own."""

    def put(text):
        environment = pages._environment().overlay(loader=jinja2.DictLoader({"t": text}))
        monkeypatch.setattr(pages, "_environment", lambda: environment)

    return put


def drawing(label="x"):
    figure = Figure(figsize=(2, 1))
    figure.subplots().plot([1, 2], [3, 5], label=label)
    figure.axes[0].legend()
    return figure


def test_a_picture_comes_out_of_its_address_as_it_went_in():
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    head, data = pages.data_uri(pixels).split(",")
    assert head == "data:image/png;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        assert image.format == "PNG"
        np.testing.assert_array_equal(np.asarray(image), pixels)


def test_text_is_escaped_and_drawings_are_not(template):
    template("<p>{{ name }}</p>{{ drawing }}")
    page = pages.render("t", name="<script>&", drawing=pages.svg(drawing()))
    assert page.startswith("<p>&lt;script&gt;&amp;</p><svg ")


def test_the_same_drawing_is_the_same_text():
    before = dict(matplotlib.rcParams)
    one, other = pages.svg(drawing()), pages.svg(drawing())
    assert one == other
    assert dict(matplotlib.rcParams) == before
    assert "metadata" not in one
    assert "date" not in one


def test_a_drawing_is_an_element_with_words_in_it():
    root = ET.fromstring(pages.svg(drawing("a < b")))
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    words = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "a < b" in words


def test_what_is_not_given_is_an_error(template):
    template("{{ forgotten }}")
    with pytest.raises(jinja2.UndefinedError, match="forgotten"):
        pages.render("t")


def test_a_page_is_written_whole_whatever_files_are_called(template, tmp_path):
    template("{{ name }} →")
    (tmp_path / "page.html").write_text("an older one, and longer")
    pages.write(tmp_path / "page.html", "t", name=os.fsdecode(b"a\xff\xc3\xa9"))
    assert (tmp_path / "page.html").read_bytes().decode("utf-8") == "a\\udcffé →"
    with pytest.raises(jinja2.UndefinedError):
        pages.write(tmp_path / "page.html", "t")
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
    assert (tmp_path / "page.html").read_text("utf-8") == "a\\udcffé →"
