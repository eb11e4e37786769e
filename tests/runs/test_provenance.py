import copy
import os
import shutil

import pytest

from cyclegan_keras import DataLoader, LabelledDataLoader
from cyclegan_keras.runs import provenance


def fail(text: str) -> None:
    raise AssertionError(text)


@pytest.fixture
def folder(fruit_dir, tmp_path):
    return shutil.copytree(fruit_dir, tmp_path / "set")


def described(folder):
    return provenance.provenance(DataLoader(folder.name, (32, 32), folder.parent))


def test_the_same_images_elsewhere_are_the_same(folder, tmp_path):
    before = described(folder)
    moved = folder.rename(tmp_path / "moved")
    os.utime(moved / "trainA" / "0000.png", (1, 1))
    provenance.check(described(moved), before, fail)
    assert before["images"]["trainA"]["count"] == 6
    assert before["images"]["testB"]["count"] == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda d: (d / "trainB" / "0003.png").unlink(),
            "in trainB. Received: 5 images, before: 6",
        ),
        (
            lambda d: (d / "trainA" / "0003.png").rename(d / "trainA" / "x.png"),
            "in trainA. Received: 6 images of other names or sizes, before: 6",
        ),
        (lambda d: (d / "testA" / "0000.png").write_bytes(b" "), "other images in testA"),
        (lambda d: shutil.rmtree(d / "testA"), "Received: 0 images, before: 4"),
    ],
)
def test_other_images_are_refused(change, message, folder):
    before = described(folder)
    change(folder)
    with pytest.raises(ValueError, match=message):
        provenance.check(described(folder), before, fail)


def test_other_software_is_told(folder):
    now = described(folder)
    then = copy.deepcopy(now)
    then["software"]["tensorflow"] = "2.0.0"
    then["software"]["threads"] = [9, 9]
    warnings = []
    provenance.check(now, then, warnings.append)
    assert len(warnings) == 1
    assert "tensorflow 2.0.0 → " in warnings[0]
    assert "threads [9, 9] → " in warnings[0]


def test_other_contents_of_the_same_size_are_refused_if_both_were_hashed(folder, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder.parent / "cache"))

    def described(by_content):
        loader = DataLoader(folder.name, (32, 32), folder.parent)
        return provenance.provenance(loader, by_content=by_content)

    before, plain = described(True), described(False)
    provenance.check(described(True), before, fail)
    path = folder / "trainA" / "0003.png"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    provenance.check(described(False), before, fail)
    provenance.check(described(True), plain, fail)
    with pytest.raises(ValueError, match=r"in trainA\. Received: 6 images of other contents"):
        provenance.check(described(True), before, fail)


def test_an_image_in_the_folder_of_another_class_is_another(tmp_path):
    for name in ("trainA/one/a", "trainA/one/b", "trainA/two/c", "trainB/d"):
        path = tmp_path / f"set/{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"the same size")

    def images(make):
        return provenance.images(make("set", (32, 32), tmp_path))

    before = images(LabelledDataLoader), images(DataLoader)
    (tmp_path / "set/trainA/one/b.png").rename(tmp_path / "set/trainA/two/b.png")
    assert images(DataLoader) == before[1]
    assert images(LabelledDataLoader)["trainA"] != before[0]["trainA"]
    assert images(LabelledDataLoader)["trainB"] == before[0]["trainB"]
