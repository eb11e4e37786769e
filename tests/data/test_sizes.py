import pathlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from cyclegan_keras.cli.main import main
from cyclegan_keras.data import sizes


def save(path: pathlib.Path, height: int, width: int, **options) -> pathlib.Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (width, height)).save(path, **options)
    return path


@pytest.mark.parametrize("orientation", range(1, 9))
def test_size_is_that_of_the_upright_picture(tmp_path, orientation):
    exif = Image.Exif()
    exif[274] = orientation
    path = save(tmp_path / "a.jpg", 10, 20, exif=exif)
    assert sizes.read_size(path) == ((10, 20) if orientation < 5 else (20, 10))


def test_size_of_a_type_that_pillow_lacks(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((4, 6), np.int8), photometric="minisblack")
    assert sizes.read_size(tmp_path / "a.tif") == (4, 6)


def test_no_size_of_no_picture(tmp_path):
    (tmp_path / "a.png").write_text("nothing")
    with pytest.raises(ValueError, match=r"Cannot read the image .*a\.png"):
        sizes.read_size(tmp_path / "a.png")
    with pytest.raises(FileNotFoundError):
        sizes.read_size(tmp_path / "b.png")


@pytest.fixture
def mixed(tmp_path):
    save(tmp_path / "set" / "trainA" / "0.png", 32, 32)
    save(tmp_path / "set" / "trainA" / "1.png", 32, 36)
    (tmp_path / "set" / "trainA" / "2.png").write_text("nothing")
    save(tmp_path / "set" / "trainB" / "0.jpg", 30, 60)
    return tmp_path / "set"


def test_counts_by_folder(mixed):
    a, b = sizes.of_data_set(mixed)
    assert (a.folder, a.num_not_square, a.num_far((32, 32)), a.num_unread) == ("trainA", 1, 0, 1)
    assert (b.folder, b.num_not_square, b.num_far((32, 32)), b.num_unread) == ("trainB", 1, 1, 0)
    assert (a.num_far((32, 64)), b.num_far((32, 64))) == (2, 0)


def test_pairs_are_measured_by_their_halves(tmp_path):
    save(tmp_path / "set" / "train" / "0.png", 32, 64)
    (found,) = sizes.of_data_set(tmp_path / "set")
    assert (found.sizes, found.num_not_square) == ([(32, 32)], 0)


def test_data_sizes(mixed, capsys):
    assert main(["data", "sizes", str(mixed)]) == 0
    a, b, last = capsys.readouterr().out.splitlines()
    assert a == "trainA: 2 pictures, 32 high and 32 to 36 wide; 1 not square; 1 cannot be read"
    assert b == "trainB: 1 picture, 30 high and 60 wide; 1 not square"
    assert "1 of 3" in last
    assert "--fit" in last
    assert main(["data", "sizes", str(mixed), "--image-size", "32x64"]) == 0
    assert "2 of 3" in capsys.readouterr().out.splitlines()[-1]


def test_data_sizes_of_nothing_in_one_line(tmp_path, capsys):
    assert main(["data", "sizes", str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err.startswith("cyclegan: error: ")
    with pytest.raises(SystemExit) as caught:
        main(["data", "sizes", str(tmp_path), "--image-size", "two"])
    assert caught.value.code == 2
