"""Labels of images by the folders that they are in."""

import pathlib
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from cyclegan_keras import DataLoader
from cyclegan_keras.data.labels import LabelledDataLoader

# Each image has a level of its own, so that it is known wherever it is dealt out.
LEVELS = {
    "trainA/one/a.png": 0,
    "trainA/one/deeper/b.png": 10,
    "trainA/two/a.png": 20,
    "trainA/two/c.jpg.png": 30,
    "trainB/two/a.png": 100,
    "trainB/two/b.png": 110,
    "trainB/one/c.png": 120,
    "testA/two/a.png": 40,
    "testB/one/a.png": 140,
}
LABELS = {level: int("/two/" in name) for name, level in LEVELS.items()}


def write(folder: pathlib.Path, names=LEVELS) -> pathlib.Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (32, 32), (LEVELS.get(name, 200),) * 3).save(path)
    return folder


@pytest.fixture
def folder(tmp_path):
    return write(tmp_path / "set")


def loader_of(folder, **settings):
    return LabelledDataLoader(folder.name, (32, 32), folder.parent, **settings)


def levels_of(imgs):
    return np.round((imgs[:, 0, 0, 0] + 1) * 127.5).astype(int)


def test_labels_are_folders_in_the_order_of_paths(folder):
    loader = loader_of(folder)
    assert loader.classes == ("one", "two")
    assert loader.labels("A").tolist() == [0, 0, 1, 1]
    assert loader.labels("A").dtype == np.int32
    assert loader.labels("B").tolist() == [0, 1, 1]
    assert loader.labels("A", is_testing=True).tolist() == [1]
    assert loader.evaluation_labels("B").tolist() == [0]


def test_each_image_is_dealt_out_with_its_label(folder):
    loader = loader_of(folder, epoch_length="longer")
    seen = set()
    for epoch in range(3):
        for of_A, of_B in loader.load_batch(2, seed=epoch, drop_remainder=False):
            for imgs, labels in (of_A, of_B):
                for level, label in zip(levels_of(imgs), labels, strict=True):
                    assert LABELS[level] == label
                    seen.add(level)
    assert seen == {level for name, level in LEVELS.items() if name.startswith("train")}
    # The images are those that a loader without labels deals out.
    plain = DataLoader(folder.name, (32, 32), folder.parent, epoch_length="longer")
    for (of_A, of_B), (imgs_A, imgs_B) in zip(
        loader.load_batch(2, seed=5), plain.load_batch(2, seed=5), strict=True
    ):
        np.testing.assert_array_equal(of_A[0], imgs_A)
        np.testing.assert_array_equal(of_B[0], imgs_B)


def test_b_needs_no_labels(folder, tmp_path):
    for name in ("trainB", "testB"):
        shutil.rmtree(folder / name)
    write(folder, ["trainB/a.png", "trainB/batch1/b.png", "testB/c.png"])
    loader = loader_of(folder)
    assert loader.labels("B") is None
    ((_, labels_A), imgs_B), *_ = loader.load_batch(2, seed=0)
    assert imgs_B.shape == (2, 32, 32, 3)
    assert labels_A.shape == (2,)
    # Folders that could have been meant as labels are named.
    (line,) = [line for line in loader.notes() if "batch1" in line]
    assert "'trainB'" in line


def test_a_bad_image_takes_its_label_along(folder):
    (folder / "trainA/one/a.png").write_bytes(b"no image")
    loader = loader_of(folder, skip_bad_images=True)
    assert loader.labels("A").tolist() == [0, 1, 1]
    of_A, _ = next(iter(loader.load_batch(3, seed=0)))
    assert [LABELS[level] for level in levels_of(of_A[0])] == of_A[1].tolist()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (["-trainA", "trainA/a.png", "trainA/b.png"], r"No classes .*Received: 2 images"),
        (["trainA/z.png"], r"in the folder of its class.*1 image beside .*'one', 'two'"),
        (["trainA/three/"], r"must have an image.*'three'"),
        (["-trainA/one"], r"two classes or more.*'two'"),
        (["testA/three/a.png"], r"testA.*'one', 'two'.*1 image in 'three'"),
        (["testA/z.png"], r"testA.*1 image in no folder of a class"),
        (["trainB/three/a.png"], r"trainB.*1 image in 'three'"),
        (["testB/z.png", "testB/y.png"], r"testB.*2 images in no folder"),
    ],
)
def test_faults_are_named_in_one_line(folder, changes, words):
    for change in changes:
        if change.startswith("-"):
            shutil.rmtree(folder / change[1:])
        elif change.endswith("/"):
            (folder / change).mkdir()
        else:
            write(folder, [change])
    loader = loader_of(folder)
    with pytest.raises(ValueError, match=words) as caught:
        _ = [loader.labels(domain, tests) for tests in (False, True) for domain in "AB"]
    assert "\n" not in str(caught.value)


def test_a_class_all_of_whose_images_are_bad_is_named(folder):
    for path in (folder / "trainA/one").rglob("*.png"):
        path.write_bytes(b"no image")
    with pytest.raises(ValueError, match="no image in 'one'"):
        _ = loader_of(folder, skip_bad_images=True).classes


def test_pairs_in_one_picture_have_no_labels(tmp_path):
    (tmp_path / "set/train/one").mkdir(parents=True)
    Image.new("RGB", (64, 32)).save(tmp_path / "set/train/one/a.png")
    with pytest.raises(ValueError, match="side by side"):
        _ = loader_of(tmp_path / "set").classes


def test_what_systems_leave_behind_is_no_class(folder):
    for name in (".cache", "__MACOSX", "@eaDir"):
        (folder / "trainA" / name).mkdir()
    assert loader_of(folder).classes == ("one", "two")


def test_many_names_are_not_all_listed(folder):
    for number in range(9):
        (folder / f"trainA/empty{number}").mkdir()
    with pytest.raises(ValueError, match=re.escape("'empty3' and 5 more")):
        _ = loader_of(folder).classes
