"""The server's page in Chromium."""

import numpy as np
import pytest
from PIL import Image

from cyclegan_keras import translate_image
from tests import browser
from tests.serving.conftest import png_of

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("is_busy", [False, True])
def test_the_page_translates_and_asks_nobody_else(
    serve, translators, tmp_path, monkeypatch, is_busy
):
    server = serve()
    refused = []
    if is_busy:
        take = server._waiting.take

        def take_later(count=1):
            refused.append(count)
            return len(refused) > 1 and take(count)

        monkeypatch.setattr(server._waiting, "take", take_later)
    picture, bad = tmp_path / "picture.png", tmp_path / "cut.png"
    picture.write_bytes(png_of(size=(40, 24)))
    bad.write_bytes(png_of()[:-30])
    with browser.opened(tmp_path / "profile") as page:
        page.save_into(tmp_path / "saved")
        page.open(server.address)
        page.choose("#file", picture)
        page.wait("document.getElementById('status').textContent.startsWith('1 of 1')")
        page.run("document.getElementById('save').click()")
        saved = tmp_path / "saved" / "picture-AB.png"
        while not (saved.exists() and saved.stat().st_size):
            page.wait("true")
        if not is_busy:
            page.choose("#file", bad)
            page.wait("document.getElementById('error').textContent.includes('that was sent')")
    want = np.asarray(translate_image(translators["AB"], np.asarray(Image.open(picture))))
    np.testing.assert_array_equal(np.asarray(Image.open(saved)), want)
    api = f"{server.address}api/translate?way=AB"
    assert page.requests == [server.address, api, api]
    assert [*filter(lambda words: "422" not in words and "503" not in words, page.errors)] == []
