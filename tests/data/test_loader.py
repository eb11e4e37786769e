import json
import shutil
import threading

import numpy as np
import pytest
from PIL import Image

import data_loader
from cyclegan_keras.data.loader import DataLoader


@pytest.fixture
def coloured(tmp_path):
    """5 images of A and 3 of B; the red of each left half is its number, the right half is 200."""
    for domain, count in (("A", 5), ("B", 3)):
        folder = tmp_path / "set" / f"train{domain}"
        folder.mkdir(parents=True)
        for number in range(count):
            pixels = np.full((4, 8, 3), 200, np.uint8)
            pixels[:, :4] = 10 * number
            Image.fromarray(pixels).save(folder / f"{number}.png")
    return tmp_path


def make(coloured, **options) -> DataLoader:
    return DataLoader("set", (4, 8), coloured, **options)


def numbers(imgs) -> list[int]:
    """Which images these are, mirrored or not."""
    edges = np.rint((imgs[:, 0, [0, -1], 0] + 1) * 127.5)
    return [int(pair.min()) // 10 for pair in edges]


def mirrored(imgs) -> list[bool]:
    return [bool(img[0, 0, 0] > img[0, -1, 0]) for img in imgs]


def epoch(loader, batch_size=1, **options):
    return list(loader.load_batch(batch_size, **options))


def test_the_books_import():
    assert data_loader.DataLoader is DataLoader


def test_batches_are_float32_between_minus_one_and_one(loader):
    imgs_A, imgs_B = next(loader.load_batch(batch_size=3))
    for imgs in (imgs_A, imgs_B):
        assert imgs.dtype == np.float32
        assert imgs.shape == (3, 32, 32, 3)
        assert -1 <= imgs.min() < -0.2 < 0.2 < imgs.max() <= 1


def test_an_epoch_shows_every_image_of_the_smaller_domain_once(coloured):
    loader = make(coloured, seed=1)
    batches = epoch(loader, 2)
    assert loader.n_batches == len(batches) == 2
    assert [len(imgs_A) for imgs_A, _ in batches] == [2, 1]
    shown_A = [n for imgs_A, _ in batches for n in numbers(imgs_A)]
    shown_B = [n for _, imgs_B in batches for n in numbers(imgs_B)]
    assert sorted(shown_B) == [0, 1, 2]
    assert len(set(shown_A)) == 3


def test_all_of_the_larger_domain_is_shown_in_time(coloured):
    loader = make(coloured, seed=1)
    shown = {n for _ in range(6) for imgs_A, _ in epoch(loader) for n in numbers(imgs_A)}
    assert shown == {0, 1, 2, 3, 4}


def test_an_epoch_can_be_as_long_as_the_larger_domain(coloured):
    loader = make(coloured, seed=1, epoch_length="longer")
    batches = epoch(loader)
    assert loader.n_batches == len(batches) == 5
    assert sorted(n for imgs_A, _ in batches for n in numbers(imgs_A)) == [0, 1, 2, 3, 4]
    shown_B = [n for _, imgs_B in batches for n in numbers(imgs_B)]
    assert sorted(shown_B[:3]) == [0, 1, 2]


def test_the_last_partial_batch_is_dropped_on_request(coloured):
    loader = make(coloured, drop_last=True)
    assert [len(imgs_A) for imgs_A, _ in epoch(loader, 2)] == [2]
    assert loader.n_batches == 1


def test_n_batches_is_known_before_the_first_batch(coloured):
    loader = make(coloured)
    assert loader.n_batches == 3
    loader.load_batch(2)
    assert loader.n_batches == 2


def test_domains_are_shuffled_and_mirrored_independently(coloured):
    loader = make(coloured, seed=0)
    pairs, flips = set(), set()
    for _ in range(40):
        for imgs_A, imgs_B in epoch(loader):
            pairs.add((*numbers(imgs_A), *numbers(imgs_B)))
            flips.add((*mirrored(imgs_A), *mirrored(imgs_B)))
    assert len(pairs) == 15
    assert flips == {(a, b) for a in (True, False) for b in (True, False)}


def test_mirroring_can_be_turned_off(coloured):
    loader = make(coloured, flip=False)
    assert not any(any(mirrored(imgs)) for _ in range(5) for pair in epoch(loader) for imgs in pair)


def test_a_seed_gives_the_same_batches_and_other_epochs_others(coloured):
    one, same, other = (make(coloured, seed=seed) for seed in (5, 5, 6))
    first, again = epoch(one), epoch(same)
    for pair, same_pair in zip(first, again, strict=True):
        for imgs, same_imgs in zip(pair, same_pair, strict=True):
            np.testing.assert_array_equal(imgs, same_imgs)
    second, third = epoch(one), epoch(other)
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, third)
    np.testing.assert_array_equal(epoch(one, seed=(9, 1)), epoch(other, seed=(9, 1)))
    np.testing.assert_array_equal(one.load_data("A", 2, seed=4), other.load_data("A", 2, seed=4))


def test_nothing_global_is_seeded(coloured):
    np.random.seed(1)
    before = np.random.get_state()[1].copy()
    epoch(make(coloured, seed=1))
    make(coloured).load_data("A", seed=1)
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_load_data_draws_from_one_domain(loader):
    imgs = loader.load_data("A", 6, seed=0)
    assert imgs.shape == (6, 32, 32, 3)
    assert len({img.tobytes() for img in imgs}) == 6
    tests = loader.load_data("B", 4, is_testing=True, seed=0)
    files = {loader.load_img(path)[0].tobytes() for path in loader.paths("B", is_testing=True)}
    assert {img.tobytes() for img in tests} == files
    with pytest.raises(ValueError, match="between 1 and 6"):
        loader.load_data("A", 7)
    with pytest.raises(ValueError, match="'A' or 'B'"):
        loader.load_data("C")


def test_imread_keeps_the_size_and_load_img_does_not(coloured):
    loader = DataLoader("set", (2, 2), coloured)
    path = loader.paths("A")[0]
    assert loader.imread(path).shape == (4, 8, 3)
    assert loader.imread(path).dtype == np.float32
    assert loader.imread(path)[0, 0, 0] == -1
    assert loader.load_img(path).shape == (1, 2, 2, 3)


def test_images_are_decoded_once(coloured):
    loader = make(coloured)
    epoch(loader)
    shutil.rmtree(coloured / "set" / "trainB")
    assert loader.load_data("B", 3).shape == (3, 4, 8, 3)


def test_batches_do_not_depend_on_where_the_images_lie(coloured, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(coloured / "cache"))
    in_memory, on_disk = make(coloured, seed=1), make(coloured, seed=1, cache_memory=0)
    assert on_disk.pixels_place("A") is None
    for pair, same_pair in zip(epoch(in_memory), epoch(on_disk), strict=True):
        for imgs, same_imgs in zip(pair, same_pair, strict=True):
            np.testing.assert_array_equal(imgs, same_imgs)
    for domain in "AB":
        assert in_memory.pixels_place(domain) == "memory"
        assert on_disk.pixels_place(domain) == "disk"
        assert not on_disk.pixels(domain).flags.writeable
    assert on_disk.pixels_place("A", is_testing=True) is None
    with pytest.raises(ValueError, match="'A' or 'B'"):
        on_disk.pixels_place("trainA")


def test_an_epoch_is_made_ahead_and_as_always(coloured):
    """Against a transcription of the dealing in plain loops, without a thread."""
    loader = make(coloured, seed=7)
    rng_A, rng_B = np.random.default_rng((7, 0)).spawn(2)
    order_A, order_B = rng_A.permutation(5)[:3], rng_B.permutation(3)
    expected = []
    for first in (0, 2):
        pair = []
        for domain, order, rng in (("A", order_A, rng_A), ("B", order_B, rng_B)):
            chosen = order[first : first + 2]
            flips = rng.random(len(chosen)) < 0.5
            imgs = [loader.load_img(loader.paths(domain)[number])[0] for number in chosen]
            pair.append([i[:, ::-1] if flip else i for i, flip in zip(imgs, flips, strict=True)])
        expected.append(pair)
    before = set(threading.enumerate())
    dealt = loader.load_batch(2)
    first = next(dealt)
    started = set(threading.enumerate()) - before
    assert len(started) == 1
    for pair, expected_pair in zip([first, *dealt], expected, strict=True):
        for imgs, expected_imgs in zip(pair, expected_pair, strict=True):
            np.testing.assert_array_equal(imgs, expected_imgs)
    for thread in started:
        thread.join(30)
        assert not thread.is_alive()


def test_large_photos_are_decoded_at_a_reduced_size(coloured, monkeypatch):
    for domain in "AB":
        path = coloured / "set" / f"train{domain}" / "large.jpg"
        Image.new("RGB", (640, 320), (200, 100, 50)).save(path)
    sizes = []

    def resize(image, img_res):
        sizes.append(image.size)
        return np.asarray(image)[:4, :8]

    monkeypatch.setattr("cyclegan_keras.data.images.resize", resize)
    make(coloured).pixels("A")
    assert sorted(set(sizes)) == [(8, 4), (80, 40)]


def test_images_that_come_later_are_not_half_noticed(coloured):
    loader = make(coloured)
    epoch(loader)
    for domain in "AB":
        folder = coloured / "set" / f"train{domain}"
        shutil.copy(folder / "0.png", folder / "later.png")
    assert [len(imgs_A) for imgs_A, _ in epoch(loader)] == [1, 1, 1]


def test_a_data_set_smaller_than_a_batch_is_an_error_at_once(coloured):
    with pytest.raises(ValueError, match=r"5 in trainA and 3 in trainB.* batch size of 3 or less"):
        make(coloured).load_batch(4)
    with pytest.raises(ValueError, match="`batch_size` must be at least 1"):
        make(coloured).load_batch(0)


def test_missing_data_is_named_with_the_remedy(tmp_path, coloured):
    with pytest.raises(FileNotFoundError, match=r"No data set .*nowhere.*'trainA' and 'trainB'"):
        DataLoader("nowhere", data_dir=tmp_path).load_batch()
    with pytest.raises(FileNotFoundError, match=r"No folder .*testA"):
        make(coloured).load_data("A", is_testing=True)
    for path in (coloured / "set" / "trainB").iterdir():
        path.unlink()
    with pytest.raises(ValueError, match=r"No images in .*trainB"):
        make(coloured).load_batch()


def test_an_unreadable_file_is_named(coloured):
    (coloured / "set" / "trainA" / "broken.jpg").write_bytes(b"?")
    with pytest.raises(ValueError, match=r"broken\.jpg"):
        next(make(coloured).load_batch())


@pytest.mark.parametrize(
    "options", [{"img_res": (0, 4)}, {"img_res": 64}, {"epoch_length": "long"}]
)
def test_wrong_options_are_named(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        DataLoader("set", **options)


def test_the_default_set_is_drawn_when_first_wanted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    drawn = []

    def draw(directory):
        drawn.append(directory)
        raise FileExistsError("another process was faster")

    monkeypatch.setattr("cyclegan_keras.data.fruit.write_fruit", draw)
    loader = DataLoader()
    assert drawn == []
    with pytest.raises(FileNotFoundError):
        loader.load_batch()
    assert [str(path) for path in drawn] == ["data/fruit"]


def test_known_truth_is_declared_by_the_data_set(loader, coloured):
    assert loader.test_pairs
    assert loader.has_test_images
    other = make(coloured)
    assert not other.test_pairs
    assert not other.has_test_images
    description = coloured / "set" / "dataset.json"
    description.write_text(json.dumps({"test_pairs": True}))
    assert other.test_pairs
    description.write_text("{")
    with pytest.raises(ValueError, match=r"dataset\.json.* is not JSON"):
        _ = other.test_pairs


@pytest.mark.parametrize("name", ["apple2orange_web", "summer2winter_subset"])
def test_real_photos(name, real_images):
    loader = DataLoader(name, (64, 64), real_images, seed=0)
    imgs_A, imgs_B = next(loader.load_batch(4))
    assert imgs_A.shape == imgs_B.shape == (4, 64, 64, 3)
    assert imgs_A.std() > 0.1
