"""All images of a study in large pictures."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from cyclegan_keras.study import sheets

# Start, JFIF header, tables, frame, scan: no EXIF data (E1), no comment (FE), no color profile.
PLAIN = {0xD8, 0xE0, 0xDB, 0xC0, 0xC4, 0xDA}


def opened(uri):
    return base64.b64decode(uri.removeprefix("data:image/jpeg;base64,"))


def markers(data):
    """The markers of a JPEG before its pixels."""
    found, place = [data[1]], 2
    while found[-1] != 0xDA:
        assert data[place] == 0xFF
        found.append(data[place + 1])
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return found


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((64, 64), (384, 384)),
        ((512, 512), (384, 384)),
        ((64, 96), (256, 384)),
        ((1, 999), (1, 384)),
    ],
)
def test_shown_size(given, expected):
    assert sheets.shown_size(*given) == expected


def test_images_do_not_show_in_their_neighbors():
    # 21 × 30 pixels end within a block of JPEG.
    size = (21, 30)
    imgs = [np.full((7, 10, 3), level, np.uint8) for level in (0, 255, 0, 255)] * 30
    found = list(sheets.sheets(imgs, size))
    assert len(found) == 2
    down, across = sheets.pitch(size)
    assert (down, across) == (24, 32)
    first, second = (np.asarray(Image.open(io.BytesIO(opened(uri)))) for uri in found)
    assert first.shape == (10 * down, 10 * across, 3)
    assert second.shape == (2 * down, 10 * across, 3)
    for place, img in enumerate(imgs):
        sheet, row, column = (first, second)[place // 100], place % 100 // 10, place % 10
        y, x = row * down, column * across
        tile = sheet[y : y + size[0], x : x + size[1]].astype(int)
        assert np.abs(tile - img[0, 0]).max() <= 1, place


def test_gray_and_color_are_shown_alike():
    gray = np.arange(64, dtype=np.uint8).reshape(8, 8, 1)
    np.testing.assert_array_equal(
        sheets.shown(gray, (48, 48)), sheets.shown(np.repeat(gray, 3, 2), (48, 48))
    )


def test_sheets_say_nothing_but_pixels():
    rng = np.random.default_rng(0)
    (uri,) = sheets.sheets([*rng.integers(0, 256, (5, 16, 16, 3), np.uint8)], (16, 16))
    data = opened(uri)
    assert set(markers(data)) <= PLAIN
    assert data.endswith(b"\xff\xd9")
    assert data.count(b"\xff\xda") == 1  # One scan: images do not begin anywhere.
    assert not any(bytes([0xFF, 0xD0 + number]) in data for number in range(8))
