import json
import shutil
import threading

import numpy as np
import pytest
from PIL import Image

import data_loader
from cyclegan_keras.data.drawn import SETS
from cyclegan_keras.data.images import denormalize
from cyclegan_keras.data.loader import DataLoader


def shaded(number: int, height: int, width: int) -> np.ndarray:
    """A picture whose every pixel is known: number, row and column are its channels."""
    places = np.meshgrid(10 * np.arange(height), 10 * np.arange(width), indexing="ij")
    return np.stack([np.full((height, width), number), *places], -1).astype(np.uint8)


@pytest.fixture
def side_by_side(tmp_path):
    """5 pairs to train on, 2 to test on; A is numbered from 0, and B is A with 100 more red."""
    for folder, count in (("train", 5), ("val", 2)):
        (tmp_path / "pairs" / folder).mkdir(parents=True)
        for number in range(count):
            halves = [shaded(number, 6, 10), shaded(number + 100, 6, 10)]
            Image.fromarray(np.concatenate(halves, 1)).save(
                tmp_path / "pairs" / folder / f"{number}.png"
            )
    return tmp_path


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


def check_partners(imgs_A, imgs_B) -> None:
    """Of `side_by_side`: the same row and column at every pixel, and 100 apart in red."""
    expected = np.broadcast_to(np.float32([100 / 127.5, 0, 0]), imgs_A.shape)
    np.testing.assert_allclose(imgs_B - imgs_A, expected, rtol=1e-6, atol=1e-6)


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
    batches = epoch(loader, 2, drop_remainder=False)
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
    assert [len(imgs_A) for imgs_A, _ in epoch(loader, 2, drop_remainder=False)] == [2]
    assert loader.n_batches == loader.num_batches(2) == 1


def test_all_batches_are_full_as_in_the_book(coloured):
    loader = make(coloured, seed=1)
    assert [len(imgs) for pair in epoch(loader, 2) for imgs in pair] == [2, 2]
    assert loader.n_batches == 1
    assert loader.num_batches(2) == 2  # What a training takes.
    full, whole = (epoch(loader, 2, seed=4, drop_remainder=drops) for drops in (True, False))
    assert (len(full), len(whole)) == (1, 2)
    np.testing.assert_array_equal(full[0], whole[0])


def test_test_images_are_dealt_out_whole(coloured):
    for domain in "AB":
        shutil.copytree(coloured / "set" / "trainB", coloured / "set" / f"test{domain}")
    loader = make(coloured, load_res=(6, 12))
    for _ in range(4):
        batches = epoch(loader, is_testing=True)
        assert loader.n_batches == len(batches) == 3
        for domain in (0, 1):
            imgs = np.concatenate([pair[domain] for pair in batches])
            assert imgs.shape == (3, 4, 8, 3)
            assert sorted(numbers(imgs)) == [0, 1, 2]
            assert not any(mirrored(imgs))


def test_a_seed_in_the_place_of_is_testing_is_told(coloured):
    with pytest.raises(ValueError, match=r"`is_testing` must be True or False.*`seed=...`"):
        make(coloured).load_batch(2, 5)


def test_n_batches_is_known_before_the_first_batch(coloured):
    loader = make(coloured)
    assert loader.n_batches == 3
    loader.load_batch(2, drop_remainder=False)
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


@pytest.mark.parametrize(
    "options",
    [{}, {"flip": False}, {"epoch_length": "longer"}, {"load_res": (5, 11)}, {"drop_last": True}],
)
def test_an_epoch_goes_on_where_it_was_broken_off(options, coloured):
    loader = make(coloured, **options)
    whole = list(loader.load_batch(2, drop_remainder=False, seed=(3, 1)))
    for first in range(len(whole) + 1):
        rest = list(loader.load_batch(2, drop_remainder=False, seed=(3, 1), first_batch=first))
        assert len(rest) == len(whole) - first
        for mine, theirs in zip(rest, whole[first:], strict=True):
            for one, other in zip(mine, theirs, strict=True):
                np.testing.assert_array_equal(one, other)


def test_the_files_of_a_batch_can_be_named(coloured):
    loader = make(coloured, epoch_length="longer", flip=False)
    for index, batch in enumerate(loader.load_batch(2, drop_remainder=False, seed=(3, 1))):
        files = loader.batch_paths(2, (3, 1), index)
        for domain, imgs, paths in zip("AB", batch, files, strict=True):
            assert [int(path.stem) for path in paths] == numbers(imgs)
            assert {path.parent.name for path in paths} == {f"train{domain}"}


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
    dealt = loader.load_batch(2, drop_remainder=False)
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


@pytest.mark.parametrize("name", ["fruit", "fruit_pairs"])
def test_the_default_sets_are_drawn_when_first_wanted(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    drawn = []

    def draw(directory):
        drawn.append(str(directory))
        raise FileExistsError("another process was faster")

    monkeypatch.setitem(SETS, name, draw)
    loader = DataLoader(name)
    assert drawn == []
    with pytest.raises(FileNotFoundError):
        loader.load_batch()
    assert drawn == [f"data/{name}"]


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


def test_training_images_are_parts_of_larger_ones(side_by_side):
    """Against a transcription of the dealing in plain loops."""
    loader = DataLoader("pairs", (4, 8), side_by_side, seed=2, load_res=(6, 10))
    pixels = loader.pixels("A")
    np.testing.assert_array_equal(pixels, np.stack([shaded(n, 6, 10) for n in range(5)]))
    rng = np.random.default_rng((2, 0)).spawn(2)[0]
    order = rng.permutation(5)
    expected = []
    for first in (0, 3):
        chosen = order[first : first + 3]
        tops = rng.integers(0, 3, len(chosen))
        lefts = rng.integers(0, 3, len(chosen))
        flips = rng.random(len(chosen)) < 0.5
        for number, top, left, flip in zip(chosen, tops, lefts, flips, strict=True):
            part = pixels[number, top : top + 4, left : left + 8]
            expected.append(part[:, ::-1] if flip else part)
    dealt = np.concatenate([imgs_A for imgs_A, _ in loader.load_batch(3, drop_remainder=False)])
    np.testing.assert_array_equal(np.rint((dealt + 1) * 127.5), expected)
    again = np.concatenate([imgs_A for imgs_A, _ in loader.load_batch(3, drop_remainder=False)])
    parts = [{img[..., 1:].tobytes() for img in imgs} for imgs in (dealt, again)]
    assert parts[0] != parts[1]


def test_images_are_scaled_before_they_are_cut(coloured):
    loader = DataLoader("set", (2, 4), coloured, load_res=(4, 6), seed=0)
    assert loader.pixels("A").shape == (5, 4, 6, 3)
    assert next(loader.load_batch(2))[0].shape == (2, 2, 4, 3)
    assert loader.load_data("B", 3).shape == (3, 2, 4, 3)
    assert loader.load_img(loader.paths("A")[0]).shape == (1, 2, 4, 3)


def test_evaluation_takes_no_chances(coloured, side_by_side, loader):
    np.testing.assert_array_equal(loader.evaluation_pixels("B"), loader.pixels("B", True))
    paired = DataLoader("pairs", (4, 8), side_by_side, load_res=(6, 10))
    np.testing.assert_array_equal(paired.evaluation_pixels("A"), paired.pixels("A", True))
    assert paired.evaluation_pixels("A").shape == (2, 4, 8, 3)
    shutil.rmtree(side_by_side / "pairs" / "val")
    paired = DataLoader("pairs", (4, 8), side_by_side, load_res=(6, 10))
    expected = np.stack([shaded(n + 100, 6, 10)[1:5, 1:9] for n in range(5)])
    np.testing.assert_array_equal(paired.evaluation_pixels("B"), expected)
    without = make(coloured)
    np.testing.assert_array_equal(without.evaluation_pixels("A"), without.pixels("A"))


def test_a_size_to_cut_out_of_must_be_large_enough():
    with pytest.raises(ValueError, match=r"`load_res` must be at least `img_res`"):
        DataLoader("set", (4, 8), load_res=(8, 7))


def test_pictures_side_by_side_are_two_domains(side_by_side):
    loader = DataLoader("pairs", (6, 10), side_by_side)
    assert loader.paths("A") == loader.paths("B")
    assert [path.name for path in loader.paths("A")] == [f"{number}.png" for number in range(5)]
    for domain, red in (("A", 0), ("B", 100)):
        for testing, count in ((False, 5), (True, 2)):
            expected = np.stack([shaded(number + red, 6, 10) for number in range(count)])
            np.testing.assert_array_equal(loader.pixels(domain, testing), expected)
            assert not loader.pixels(domain, testing).flags.writeable
    assert loader.has_test_images
    assert loader.test_pairs
    assert loader.imread(loader.paths("A")[0]).shape == (6, 20, 3)
    assert loader.n_batches == 5
    with pytest.raises(ValueError, match=r"has 5 in train\. Use a batch size of 5 or less"):
        loader.load_batch(6)


def test_a_file_of_a_pair_is_decoded_once(side_by_side, monkeypatch):
    loader = DataLoader("pairs", (6, 10), side_by_side)
    assert loader.pixels_place("A") is None
    expected = DataLoader("pairs", (6, 10), side_by_side).pixels("B")
    loader.pixels("A")
    assert loader.pixels_place("B") == "memory"
    shutil.rmtree(side_by_side / "pairs" / "train")
    np.testing.assert_array_equal(loader.pixels("B"), expected)


def test_halves_are_whole_even_of_large_photos(side_by_side):
    """Decoded at a half, 642 pixels would be 321, and a column of the middle in both halves."""
    picture = np.zeros((160, 642, 3), np.uint8)
    picture[:, :321] = 255
    for path in (side_by_side / "pairs" / "train").iterdir():
        path.unlink()
    Image.fromarray(picture).save(side_by_side / "pairs" / "train" / "0.jpg", quality=95)
    loader = DataLoader("pairs", (16, 32), side_by_side)
    assert loader.pixels("A").min() > 250
    assert loader.pixels("B").max() < 5


def test_a_pair_without_a_middle_is_named(side_by_side):
    Image.new("RGB", (21, 6)).save(side_by_side / "pairs" / "train" / "odd.png")
    with pytest.raises(ValueError, match=r"odd\.png.*even.*width=21"):
        DataLoader("pairs", (6, 10), side_by_side).pixels("A")


@pytest.mark.parametrize("batch_size", [1, 2])
def test_paired_batches_are_pairs(batch_size, side_by_side):
    loader = DataLoader("pairs", (4, 8), side_by_side, load_res=(6, 10), paired=True, seed=0)
    shown = []
    for _ in range(4):
        for imgs_A, imgs_B in epoch(loader, batch_size, drop_remainder=False):
            check_partners(imgs_A, imgs_B)
            shown += [int(red) for red in np.rint((imgs_A[:, 0, 0, 0] + 1) * 127.5)]
    assert [sorted(shown[first : first + 5]) for first in (0, 5, 10, 15)] == [[0, 1, 2, 3, 4]] * 4
    assert len({tuple(shown[first : first + 5]) for first in (0, 5, 10, 15)}) > 1


def test_unpaired_batches_of_pairs_are_none(side_by_side):
    loader = DataLoader("pairs", (4, 8), side_by_side, load_res=(6, 10), seed=0)
    reds = [imgs_B[0, 0, 0, 0] - imgs_A[0, 0, 0, 0] for imgs_A, imgs_B in epoch(loader)]
    assert len({round(float(red) * 127.5) for red in reds} - {100}) > 0


def test_the_same_seed_draws_partners(side_by_side):
    loader = DataLoader("pairs", (4, 8), side_by_side, load_res=(6, 10), seed=0)
    imgs_A, imgs_B = (loader.load_data(domain, 4, seed=7) for domain in "AB")
    check_partners(imgs_A, imgs_B)


def test_pairs_in_two_folders_go_by_name(coloured):
    loader = make(coloured, paired=True, seed=0)
    with pytest.raises(ValueError, match=r"5 and 3 images; without a partner: 3, 4\."):
        loader.load_batch()
    for number in (3, 4):
        (coloured / "set" / "trainA" / f"{number}.png").unlink()
    loader = make(coloured, paired=True, seed=0)
    for imgs_A, imgs_B in epoch(loader, 2):
        np.testing.assert_array_equal(imgs_A, imgs_B)
    assert not loader.test_pairs
    for domain in "AB":
        shutil.copytree(coloured / "set" / f"train{domain}", coloured / "set" / f"test{domain}")
    assert loader.test_pairs
    assert not make(coloured).test_pairs
    (coloured / "set" / "testA" / "2.png").rename(coloured / "set" / "testA" / "3.png")
    assert not make(coloured, paired=True).test_pairs


def test_the_drawn_fruit_is_not_taken_for_pairs(fruit_dir):
    paired = DataLoader(fruit_dir.name, (32, 32), fruit_dir.parent, paired=True)
    with pytest.raises(ValueError, match=r"test images only.*fruit_pairs"):
        paired.load_batch()


@pytest.mark.parametrize("name", ["apple2orange_web", "summer2winter_subset"])
def test_real_photos(name, real_images):
    loader = DataLoader(name, (64, 64), real_images, seed=0)
    imgs_A, imgs_B = next(loader.load_batch(4))
    assert imgs_A.shape == imgs_B.shape == (4, 64, 64, 3)
    assert imgs_A.std() > 0.1


def test_real_facades_are_pairs_of_photo_and_labels(real_images):
    loader = DataLoader("facades_paired", (64, 64), real_images, seed=0, load_res=(72, 72))
    assert loader.pixels("A", is_testing=True).shape == (106, 64, 64, 3)
    photos, labels = (loader.evaluation_pixels(domain).astype(float) for domain in "AB")
    # Most of what is labelled is wall, which is blue.
    blueness = [np.median(pixels[..., 2] - pixels[..., 0]) for pixels in (photos, labels)]
    assert blueness[0] < 20
    assert blueness[1] > 200


def break_images(directory, *names: str) -> None:
    for name in names:
        (directory / name).write_bytes(b"?")


def test_bad_images_are_counted_by_default_and_left_out_on_request(coloured):
    break_images(coloured / "set" / "trainA", "1.png", "4.png")
    with pytest.raises(
        ValueError, match=r"2 of the 5 images of trainA.*1\.png.*4\.png.*--skip-bad"
    ):
        make(coloured).pixels("A")
    loader = make(coloured, skip_bad_images=True, seed=0, epoch_length="longer")
    assert loader.num_batches(3) == 1  # Without reading, it would be 2.
    assert [path.name for path in loader.paths("A")] == ["0.png", "2.png", "3.png"]
    assert loader.pixels("A")[:, 0, 0, 0].tolist() == [0, 20, 30]
    assert sorted(numbers(next(loader.load_batch(3))[0])) == [0, 2, 3]
    assert loader.load_data("A", 3).shape == loader.evaluation_pixels("A").shape == (3, 4, 8, 3)
    assert [path.name for path in loader.skipped] == ["1.png", "4.png"]
    assert all("none of the formats" in reason for reason in loader.skipped.values())
    with pytest.raises(ValueError, match="has 3 in trainA and 3 in trainB"):
        loader.load_batch(4)


@pytest.mark.parametrize("first", ["A", "B"])
def test_partners_of_bad_images_are_left_out_too(first, coloured):
    for number in (3, 4):
        shutil.copy(coloured / "set" / "trainA" / f"{number}.png", coloured / "set" / "trainB")
    for domain in "AB":
        shutil.copytree(coloured / "set" / f"train{domain}", coloured / "set" / f"test{domain}")
    break_images(coloured / "set", "trainA/0.png", "trainA/2.png", "trainB/2.png", "trainB/3.png")
    break_images(coloured / "set", "testB/1.png")
    loader = make(coloured, skip_bad_images=True, paired=True, seed=0)
    assert loader.pixels(first)[:, 0, 0, 0].tolist() == [10, 40]
    for domain in "AB":
        assert [path.name for path in loader.paths(domain)] == ["1.png", "4.png"]
        assert loader.pixels(domain)[:, 0, 0, 0].tolist() == [10, 40]
        assert loader.pixels(domain, is_testing=True)[:, 0, 0, 0].tolist() == [0, 20, 30, 40]
    assert loader.test_pairs
    for imgs_A, imgs_B in epoch(loader, 2):
        np.testing.assert_array_equal(imgs_A, imgs_B)
    left_out = sorted(f"{path.parent.name}/{path.name}" for path in loader.skipped)
    assert left_out == [
        *("testA/1.png", "testB/1.png"),
        *("trainA/0.png", "trainA/2.png", "trainA/3.png"),
        *("trainB/0.png", "trainB/2.png", "trainB/3.png"),
    ]
    partner = loader.skipped[coloured / "set" / "trainA" / "3.png"]
    assert partner.startswith("Its partner is bad: Cannot read the image ")
    assert "trainB/3.png" in partner


def test_unpaired_domains_lose_only_their_own(coloured):
    break_images(coloured / "set", "trainA/0.png", "trainB/1.png")
    loader = make(coloured, skip_bad_images=True)
    assert [len(loader.pixels(domain)) for domain in "AB"] == [4, 2]


def test_a_bad_picture_of_a_pair_is_gone_from_both_domains(side_by_side):
    break_images(side_by_side / "pairs" / "train", "1.png")
    Image.new("RGB", (21, 6)).save(side_by_side / "pairs" / "train" / "3.png")
    loader = DataLoader("pairs", (6, 10), side_by_side, skip_bad_images=True)
    for domain, red in (("A", 0), ("B", 100)):
        expected = np.stack([shaded(number + red, 6, 10) for number in (0, 2, 4)])
        np.testing.assert_array_equal(loader.pixels(domain), expected)
    assert loader.n_batches == len(loader.paths("B")) == 3
    assert [path.name for path in loader.skipped] == ["1.png", "3.png"]


def test_nothing_left_is_told(coloured):
    break_images(coloured / "set" / "trainB", "0.png", "1.png", "2.png")
    with pytest.raises(ValueError, match=r"None of the 3 images of trainB can be used\."):
        make(coloured, skip_bad_images=True).load_batch()
    for number in (3, 4):
        (coloured / "set" / "trainA" / f"{number}.png").unlink()
    shutil.copy(coloured / "set" / "trainA" / "0.png", coloured / "set" / "trainB" / "0.png")
    break_images(coloured / "set" / "trainA", "0.png")
    with pytest.raises(ValueError, match=r"No pair of .*set' can be used whole.* is bad\. Cannot"):
        make(coloured, skip_bad_images=True, paired=True).load_batch()


def test_the_computers_troubles_are_no_bad_images(coloured, monkeypatch):
    def fails(*arguments):
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("cyclegan_keras.data.images.read_image", fails)
    with pytest.raises(OSError, match="Too many open files"):
        make(coloured, skip_bad_images=True).pixels("A")


@pytest.mark.parametrize("many", [1000, pytest.param(10_000, marks=pytest.mark.slow)])
def test_one_image_and_many(many, tmp_path):
    for domain, size, count in (("A", (1, 1), 1), ("B", (1, 500), many)):
        folder = tmp_path / "set" / f"train{domain}"
        folder.mkdir(parents=True)
        Image.new("RGB", size, (200, 100, 0)).save(folder / "0.bmp")
        for number in range(1, count):
            (folder / f"{number}.bmp").hardlink_to(folder / "0.bmp")
    loader = DataLoader("set", (2, 2), tmp_path, seed=0)
    assert [imgs.shape for pair in epoch(loader) for imgs in pair] == [(1, 2, 2, 3)] * 2
    with pytest.raises(
        ValueError, match=rf"has 1 in trainA and {many} in trainB\. Use a batch size of 1"
    ):
        loader.load_batch(2)
    loader.epoch_length = "longer"
    assert loader.num_batches(1) == many
    colour = np.float32([200 / 127.5 - 1, 100 / 127.5 - 1, -1])
    shown = 0
    for imgs_A, imgs_B in loader.load_batch():
        np.testing.assert_allclose(imgs_A, imgs_B, rtol=0, atol=1e-6)
        shown += 1
    assert shown == many
    np.testing.assert_allclose(imgs_A[0, 1, 1], colour, rtol=0, atol=1e-6)


def test_gray_is_luma_and_one_channel(tmp_path):
    for domain, color in (("A", (200, 100, 50)), ("B", (77, 77, 77))):
        (tmp_path / "set" / f"train{domain}").mkdir(parents=True)
        for number in range(3):
            picture = Image.new("RGB", (12, 6), color)
            picture.save(tmp_path / "set" / f"train{domain}" / f"{number}.png")
    loader = DataLoader("set", (4, 8), tmp_path, channels=1, load_res=(5, 10))
    ((imgs_A, imgs_B),) = loader.load_batch(3)
    assert imgs_A.shape == imgs_B.shape == (3, 4, 8, 1)
    # 0.299 × 200 + 0.587 × 100 + 0.114 × 50 = 124.2; a gray level stays what it is.
    assert np.unique(denormalize(imgs_A)).tolist() == [124]
    assert np.unique(denormalize(imgs_B)).tolist() == [77]
    path = loader.paths("A")[0]
    assert loader.imread(path).shape == (6, 12, 1)
    assert loader.load_img(path).shape == (1, 4, 8, 1)
    in_colors = DataLoader("set", (4, 8), tmp_path)
    assert [in_colors.is_gray(domain) for domain in "AB"] == [False, True]
    with pytest.raises(ValueError, match=r"`channels` must be 3.*Received: channels=4"):
        DataLoader("set", (4, 8), tmp_path, channels=4)


def test_gray_pairs_side_by_side_of_any_shape(tmp_path):
    (tmp_path / "set" / "train").mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 256, (8, 12, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "set" / "train" / "0.png")
    loader = DataLoader("set", (8, 6), tmp_path, channels=1, paired=True)
    luma = np.rint(pixels @ np.array([0.299, 0.587, 0.114]))
    for domain, half in (("A", luma[:, :6]), ("B", luma[:, 6:])):
        assert np.abs(loader.pixels(domain)[0, :, :, 0] - half).max() <= 1


def test_folders_in_folders_are_read_and_the_rest_is_told(coloured, caplog):
    directory = coloured / "set"
    before = make(coloured).paths("A")
    (directory / "trainA" / "more").mkdir()
    shutil.copy(directory / "trainA" / "0.png", directory / "trainA" / "more" / "9.png")
    (directory / "trainA" / "x.heic").write_bytes(b"x")
    loader = make(coloured)
    assert loader.paths("A") == [*before, directory / "trainA" / "more" / "9.png"]
    next(loader.load_batch())
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert caplog.messages[0].startswith("Not used: 1 .heic (HEIC: convert it")
    next(loader.load_batch())
    assert len(caplog.records) == 1


def test_an_empty_folder_of_test_images_is_none(coloured):
    for name in ("testA", "testB"):
        (coloured / "set" / name).mkdir()
    shutil.copy(coloured / "set" / "trainA" / "0.png", coloured / "set" / "testA")
    loader = make(coloured)
    assert not loader.has_test_images
    assert loader.notes()[0] == "Not used: 1 image in 'testA', as 'testB' has none."


def test_later_frames_and_bad_profiles_are_told(coloured):
    frames = [Image.new("RGB", (8, 8), (100 * number, 0, 255)) for number in range(3)]
    directory = coloured / "set" / "trainB"
    frames[0].save(directory / "x.tif", save_all=True, append_images=frames[1:])
    frames[0].save(directory / "x.gif", save_all=True, append_images=frames[1:])
    frames[0].save(directory / "y.png", icc_profile=b"no profile" * 20)
    assert make(coloured).notes()[0] == (
        "Not used: 2 TIFF pages after the first of a file; 2 animation frames after the first of a "
        "file; 1 color profile that cannot be used."
    )
