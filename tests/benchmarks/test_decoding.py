import numpy as np
import pytest
from PIL import Image

from benchmarks import decoding


def test_the_ratio_by_hand():
    # One takes 2, 6 and 40 s, the other 1, 2 and 10 s: 2, 3 and 4 times as long.
    seconds = iter([0, 2, 2, 3, 10, 16, 20, 22, 100, 140, 140, 150])
    calls = []

    def clock():
        return next(seconds)

    found = decoding.ratio(lambda: calls.append(1), lambda: calls.append(2), 3, clock)
    assert found == 3
    assert calls == [1, 2] * 4


def test_aliasing_by_hand():
    def nearest(pixels):
        return pixels[::4, ::4]

    def mean(pixels):
        return pixels.reshape(16, 4, 16, 4, 3).mean(axis=(1, 3))

    assert decoding.aliasing(nearest) == 127.5
    assert decoding.aliasing(mean) == 0


def careless(path, as_rgb):
    """Sees black in everything."""
    return np.zeros((decoding.SIDE, decoding.SIDE, 3), np.float32)


def test_this_package_does_all_that_is_right_and_a_careless_reader_nothing():
    found = decoding.noticed([careless, decoding.by_this_package])
    assert len(found) == 13
    assert set(map(tuple, found.values())) == {(False, True)}


def test_bands_count_in_any_order_and_with_others_but_only_in_their_own_type():
    wanted = np.arange(8, dtype=np.uint16).reshape(2, 2, 2)

    def is_all_in(*bands):
        return decoding.has_all(lambda path, as_rgb: np.dstack(bands), None, wanted)

    one, other = wanted[..., 0], wanted[..., 1]
    assert is_all_in(other, one, one)
    assert not is_all_in(one, one)
    assert not is_all_in(other.astype(np.int32), one.astype(np.int32))


def test_pillow_alone_lacks_what_is_known_of_it():
    found = decoding.noticed([decoding.by_pillow])
    assert [what for what, (is_right,) in found.items() if not is_right] == [
        "refuses a PNG that lacks rows",
        "right colors: color profile",
        "keeps all of a color PNG of 16 bits",
    ]


def test_resizing_by_hand():
    pixels = np.zeros((4, 4, 3), np.uint8)
    pixels[:2, :2] = 100
    shrunk = decoding.pillow_resize((2, 2), "BOX")(pixels)
    assert shrunk[..., 0].tolist() == [[100, 0], [0, 0]]
    assert decoding.pillow_resize((2, 1), "BOX")(pixels).shape == (2, 1, 3)


def test_opencv_is_asked_for_the_same():
    pytest.importorskip("cv2", reason="needs opencv-python-headless")
    pixels = np.asarray(decoding.photo(64, 96))
    for size in ((32, 48), (16, 24)):
        ours, theirs = (
            resize(size, kind)(pixels).astype(int)
            for resize, kind in ((decoding.pillow_resize, "BOX"), (decoding.cv2_resize, "AREA"))
        )
        assert np.abs(ours - theirs).max() <= 1  # Halves are rounded differently.
    found = decoding.noticed([decoding.by_opencv])
    assert found["right colors: plain RGB"] == [True]
    assert found["keeps all of a color PNG of 16 bits"] == [True]


def test_every_comparison_is_made(tmp_path):
    pytest.importorskip("cv2", reason="needs opencv-python-headless")
    found = decoding.speeds(decoding.photo(64, 64), tmp_path, rounds=1)
    assert len(found) == 11
    assert min(found.values()) > 0


def test_a_table_by_hand():
    assert (
        decoding.table(["", "yes"], {"one": ["1"]}) == "|  | yes |\n| --- | ---: |\n| one | 1 |\n"
    )


def test_without_opencv_it_says_so(monkeypatch, capsys):
    monkeypatch.setattr(decoding, "cv2", None)
    monkeypatch.setattr("sys.argv", ["decoding.py"])
    assert decoding.main() == 0
    assert capsys.readouterr().out.startswith("Skipped, as OpenCV is not installed: pip install")


def test_the_drawn_picture_is_always_the_same():
    image = decoding.photo(64, 96)
    assert (image.mode, image.size) == ("RGB", (96, 64))
    assert image.tobytes() == decoding.photo(64, 96).tobytes()
    assert image.tobytes() != Image.new("RGB", image.size).tobytes()
