import json
import pathlib

import pytest
from PIL import Image

from cyclegan_keras.data import layout, pairs


def folders(directory: pathlib.Path, *names: str) -> layout.Layout:
    for name in names:
        (directory / name).mkdir(parents=True)
    return layout.find_layout(directory)


def paths(*names: str) -> list[pathlib.Path]:
    return [pathlib.Path(name) for name in names]


@pytest.mark.parametrize(
    ("names", "side_by_side", "train", "test", "has_tests"),
    [
        ("trainA trainB", False, "trainA trainB", "testA testB", False),
        ("trainA trainB testA testB", False, "trainA trainB", "testA testB", True),
        ("trainA trainB testA", False, "trainA trainB", "testA testB", False),
        ("testA testB", False, "trainA trainB", "testA testB", True),
        ("trainA trainB test val", False, "trainA trainB", "testA testB", False),
        ("train", True, "train train", "test test", False),
        ("train test", True, "train train", "test test", True),
        ("train val", True, "train train", "val val", True),
        ("train val test", True, "train train", "test test", True),
        ("test", True, "train train", "test test", True),
        ("val", True, "train train", "val val", True),
    ],
)
def test_what_lies_where(names, side_by_side, train, test, has_tests, tmp_path):
    found = folders(tmp_path, *names.split())
    assert found.side_by_side == side_by_side
    assert [found.folder(domain, False) for domain in "AB"] == train.split()
    assert [found.folder(domain, True) for domain in "AB"] == test.split()
    assert found.has_test_images == has_tests
    assert found.test_pairs == (side_by_side and has_tests)


def test_files_are_not_folders(tmp_path):
    (tmp_path / "train").write_text("a list of names")
    assert not folders(tmp_path, "trainA", "trainB").side_by_side


def test_no_data_set_is_named_with_the_remedy(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"No data set .*nowhere.*'trainA' and 'trainB'"):
        layout.find_layout(tmp_path / "nowhere")
    (tmp_path / "photos").mkdir()
    with pytest.raises(FileNotFoundError, match=r"'trainA' and 'trainB' or, .* its folder 'train'"):
        layout.find_layout(tmp_path)


def test_two_layouts_at_once_are_named(tmp_path):
    expected = r"either .* or .*Received both: \['trainA', 'testB', 'train', 'val'\]\. Take one"
    with pytest.raises(ValueError, match=expected):
        folders(tmp_path, "trainA", "testB", "train", "val")


def test_files_are_those_of_the_folder_sorted(tmp_path):
    apart, together = folders(tmp_path / "1", "trainA", "trainB"), folders(tmp_path / "2", "train")
    for folder in (tmp_path / "1" / "trainB", tmp_path / "2" / "train"):
        for name in ("b.png", "a.jpg", ".hidden.png", "list.txt"):
            (folder / name).touch()
    assert [path.name for path in apart.listed("B", False).paths] == ["a.jpg", "b.png"]
    with pytest.raises(ValueError, match=r"No images in .*trainA"):
        apart.listed("A", False)
    assert together.listed("A", False).paths == together.listed("B", False).paths
    assert [path.name for path in together.listed("A", False).paths] == ["a.jpg", "b.png"]
    with pytest.raises(FileNotFoundError, match=r"No folder .*test"):
        together.listed("A", True)
    with pytest.raises(ValueError, match="'A' or 'B'"):
        together.listed("C", False)


def test_pairs_of_test_images_are_declared_by_a_file(tmp_path):
    found = folders(tmp_path, "trainA", "trainB", "testA", "testB")
    description = tmp_path / "dataset.json"
    for text, expected in (
        ('{"test_pairs": true}', True),
        ('{"test_pairs": false}', False),
        ('{"test_pairs": "yes"}', False),
        ("[1]", False),
    ):
        description.write_text(text)
        assert found.test_pairs == expected
    description.write_text("{")
    with pytest.raises(ValueError, match=r"dataset\.json.* is not JSON.*Mend it"):
        _ = found.test_pairs


def test_images_of_different_names_are_no_training_pairs(tmp_path):
    found = folders(tmp_path, "trainA", "trainB")
    same, other = paths("1.png", "2.png"), paths("1.png", "3.png", "4.png", "5.png")
    found.check_train_pairs(same, same)
    with pytest.raises(
        ValueError, match=r"same names.*2 and 4 images.*partner: 2, 3, 4, \.\.\.\. "
    ):
        found.check_train_pairs(same, other)
    folders(tmp_path / "pairs", "train").check_train_pairs(same, other)


def test_a_set_may_say_that_equal_names_mean_nothing(tmp_path):
    """As the drawn fruit does, whose training scenes are numbered alike in both domains."""
    found, same = folders(tmp_path, "trainA", "trainB"), paths("1.png")
    description = tmp_path / "dataset.json"
    description.write_text(json.dumps({"test_pairs": True}))
    with pytest.raises(ValueError, match=r'test images only.*"train_pairs": true.*fruit_pairs'):
        found.check_train_pairs(same, same)
    for said in ({"test_pairs": True, "train_pairs": True}, {"name": "mine"}):
        description.write_text(json.dumps(said))
        found.check_train_pairs(same, same)


def test_real_facades(real_images):
    found = layout.find_layout(real_images / "facades_paired")
    assert found.side_by_side
    assert found.test_pairs
    assert (len(found.listed("A", False).paths), len(found.listed("B", True).paths)) == (400, 106)
    assert {half.size for half in pairs.read_pair(found.listed("A", True).paths[0])} == {(256, 256)}


def test_a_known_set_that_is_missing_can_be_had(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"cyclegan data fetch horse2zebra$"):
        layout.find_layout(tmp_path / "horse2zebra")
    with pytest.raises(FileNotFoundError, match=r"'trainB'\.$"):
        layout.find_layout(tmp_path / "mine")


def put(directory: pathlib.Path, *names: str) -> None:
    for name in names:
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4)).save(path)


@pytest.mark.parametrize(
    ("names", "train", "test", "has_tests"),
    [
        ("train/A train/B", "train/A train/B", "test/A test/B", False),
        ("train/A train/B test/A test/B", "train/A train/B", "test/A test/B", True),
        ("train/A train/B val/A val/B", "train/A train/B", "val/A val/B", True),
        ("A/train B/train A/test B/test", "A/train B/train", "A/test B/test", True),
        ("A/train B/train A/val B/val", "A/train B/train", "A/val B/val", True),
        ("A B", "A B", "testA testB", False),
        ("A B testA testB", "A B", "testA testB", True),
        ("trainA trainB valA valB", "trainA trainB", "valA valB", True),
        ("trainA trainB testA valA valB", "trainA trainB", "valA valB", True),
        ("trainA trainB test/A test/B", "trainA trainB", "test/A test/B", True),
        ("train_a train_b", "train_a train_b", "testA testB", False),
        ("TrainA TrainB Test_A Test_B", "TrainA TrainB", "Test_A Test_B", True),
        ("trainA", "trainA trainB", "testA testB", False),
    ],
)
def test_common_layouts_are_understood(names, train, test, has_tests, tmp_path):
    found = folders(tmp_path, *names.split())
    assert not found.side_by_side
    assert [found.folder(domain, False) for domain in "AB"] == train.split()
    assert [found.folder(domain, True) for domain in "AB"] == test.split()
    assert found.has_test_images == has_tests


def test_one_domain_alone_is_told(tmp_path):
    found = folders(tmp_path / "1", "trainA")
    with pytest.raises(FileNotFoundError, match=r"No folder .*trainB"):
        found.listed("B", False)
    with pytest.raises(FileNotFoundError, match="No images of two domains"):
        folders(tmp_path / "2", "A")


def test_one_folder_for_both_domains_is_told(tmp_path):
    (tmp_path / "trainB").mkdir()
    (tmp_path / "trainA").symlink_to(tmp_path / "trainB", target_is_directory=True)
    with pytest.raises(ValueError, match=r"'trainA' and 'trainB' of .* are the same folder"):
        layout.find_layout(tmp_path)


def test_a_lone_folder_names_its_partner(tmp_path):
    put(tmp_path, "trainA/0.png", "trainB/0.png", "validationA/0.png")
    unused = layout.find_layout(tmp_path).unused(is_tested=False)
    assert unused == ["1 image in 'validationA', as 'validationB' has none"]


def test_what_is_not_used_is_counted_and_named(tmp_path):
    put(tmp_path, "trainA/0.png", "trainB/0.png", "testA/0.png", "testA/deep/1.png", "valB/0.png")
    put(tmp_path, "lost.png", "others/0.png", "test/0.png")
    found = layout.find_layout(tmp_path)
    assert found.unused(is_tested=False) == [
        "1 image in '.'",
        "1 image in 'test'",
        "2 images in 'testA', as 'testB' has none",
        "1 image in 'valB'",
    ]


def test_what_lies_beside_the_domains_is_counted_too(tmp_path):
    put(tmp_path, "train/A/0.png", "train/B/0.png", "train/C/0.png", "train/lost.png")
    assert layout.find_layout(tmp_path).unused(is_tested=False) == [
        "1 image in 'train'",
        "1 image in 'train/C'",
    ]
