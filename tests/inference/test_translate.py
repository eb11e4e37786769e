import collections
import contextlib
import os
import signal
import subprocess
import sys
import threading

import keras
import numpy as np
import pytest
import tqdm
from PIL import Image

import cyclegan_keras
from cyclegan_keras.cli.main import main
from cyclegan_keras.data import images
from cyclegan_keras.inference import files, translate
from cyclegan_keras.networks import build_unet_generator


@pytest.fixture(scope="session")
def saved(tiny_gan, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "g_AB.keras"
    tiny_gan.g_AB.save(path)
    return path


@pytest.fixture(scope="session")
def generator(saved):
    return cyclegan_keras.load_generator(saved)


@pytest.mark.parametrize(
    "load",
    [
        "import cyclegan_keras as c; model = c.load_generator(path)",
        "import cyclegan_keras, keras; model = keras.saving.load_model(path)",
    ],
)
def test_another_process_gives_the_same_bits(load, saved, tmp_path, random_images):
    # In the process that saves, too: a fresh one is the fair partner, not a half-trained fixture.
    x = random_images(2, 32, 32, 3)
    np.save(tmp_path / "x.npy", x)
    code = (
        f"path = {str(saved)!r}; {load}; import numpy as np; x = np.load('x.npy'); "
        "np.save('y.npy', model.predict(x, verbose=0))"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    expected = keras.saving.load_model(saved).predict(x, verbose=0)
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), expected)


def test_saving_changes_no_bit_whatever_was_traced_before(tmp_path, random_images):
    # At 64 pixels, unlike at 32, UpsampleConv2D computes in both of its ways.
    model = build_unet_generator((64, 64, 3), gf=4)
    for batch_size in (1, 3):
        model.predict(random_images(batch_size, 64, 64, 3), verbose=0)
    model.save(tmp_path / "g_BA.keras")
    again = cyclegan_keras.load_generator(tmp_path / "g_BA.keras")
    x = random_images(4, 64, 64, 3)
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
    np.testing.assert_array_equal(np.asarray(again(x)), np.asarray(model(x)))


def test_a_picture_keeps_its_size(generator):
    picture = Image.new("RGB", (50, 31), (10, 200, 90))
    translation = cyclegan_keras.translate_image(generator, picture)
    assert translation.size == (50, 31)
    small = images.normalize(np.asarray(picture.resize((32, 32))))[None]
    expected = images.denormalize(np.asarray(generator(small)))[0]
    expected = Image.fromarray(expected).resize((50, 31), Image.Resampling.BICUBIC)
    assert np.abs(np.subtract(translation, expected, dtype=int)).max() <= 1


@pytest.mark.parametrize("mode", ["RGBA", "L", "P", "I;16"])
def test_pictures_of_any_mode_are_translated(mode, generator):
    assert translate.translate_image(generator, Image.new(mode, (8, 6))).mode == "RGB"


def test_a_source_is_never_replaced(tmp_path):
    Image.new("RGB", (4, 2)).save(tmp_path / "x.png")
    with pytest.raises(ValueError, match="would replace it"):
        translate.plan([tmp_path], tmp_path, overwrite=True)


def test_files_and_folders(generator, fruit_dir, tmp_path):
    Image.new("RGB", (40, 20)).save(tmp_path / "wide.jpg")
    jobs = translate.plan([tmp_path / "wide.jpg", fruit_dir / "testA"], tmp_path / "out")
    translate.translate_files(generator, jobs)
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["0000.png", "0001.png", "0002.png", "0003.png", "wide.png"]
    with Image.open(tmp_path / "out" / "wide.png") as image:
        assert image.size == (40, 20)


@pytest.fixture
def forty(tmp_path):
    """Forty jobs, each image in another size and of other colours."""
    rng = np.random.default_rng(0)
    (tmp_path / "in").mkdir()
    for i in range(40):
        pixels = rng.integers(0, 256, (8 + i, 60 - i, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "in" / f"{i:02d}.png")
    return translate.plan([tmp_path / "in"], tmp_path / "out")


@contextlib.contextmanager
def no_thread_left_over():
    def ours():
        # tqdm has a thread that it keeps for the next bar.
        return {t for t in threading.enumerate() if not isinstance(t, tqdm.TMonitor)}

    before = ours()
    try:
        yield
    finally:
        # Here an error still holds on to everything, and no thread ends just for being forgotten.
        assert ours() == before


def names_in(jobs):
    folder = jobs[0][1].parent
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def assert_is_translation(generator, source, target):
    expected = translate.translate_image(generator, images.read_image(source))
    with Image.open(target) as image:
        assert (image.format, image.mode, image.size) == ("PNG", "RGB", expected.size)
        # Another batch size may round the last bit otherwise.
        assert np.abs(np.subtract(image, expected, dtype=int)).max() <= 1


@pytest.mark.parametrize("batch_size", [4, 7, 100])
def test_many_at_a_time_are_as_one_by_one(batch_size, generator, forty, capsys):
    with no_thread_left_over():
        translate.translate_files(generator, forty, batch_size)
    assert names_in(forty) == [f"{i:02d}.png" for i in range(40)]
    for source, target in forty:
        assert_is_translation(generator, source, target)
    assert "40/40" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("num_jobs", "batch_size", "traced"), [(1, 16, 1), (3, 16, 3), (10, 4, 4), (17, 16, 9)]
)
def test_one_function_is_traced_no_larger_than_it_must(num_jobs, batch_size, traced, forty):
    shapes = []

    class Watched(keras.layers.Layer):
        def call(self, inputs):
            shapes.append(inputs.shape)
            return -inputs

    image = keras.Input((32, 32, 3))
    negative = keras.Model(image, Watched()(image))
    shapes.clear()
    translate.translate_files(negative, forty[:num_jobs], batch_size)
    assert shapes == [(traced, 32, 32, 3)]
    assert len(names_in(forty)) == num_jobs


@pytest.mark.parametrize("damaged", [0, 18])
def test_an_unreadable_image_is_named_and_those_before_it_stay(damaged, generator, forty):
    forty[damaged][0].write_text("no image")
    with (
        pytest.raises(ValueError, match=rf"Cannot read the image .*{damaged:02d}\.png"),
        no_thread_left_over(),
    ):
        translate.translate_files(generator, forty, 4)
    assert names_in(forty) == [f"{i:02d}.png" for i in range(damaged)]
    for source, target in forty[:damaged]:
        assert_is_translation(generator, source, target)


def test_what_cannot_be_written_is_told(generator, forty):
    forty[18][1].mkdir(parents=True)
    with pytest.raises(OSError, match=r"18\.png"), no_thread_left_over():
        translate.translate_files(generator, forty, 4)
    assert {f"{i:02d}.png" for i in range(16)} <= set(names_in(forty))
    assert not [name for name in names_in(forty) if name.startswith(".")]


def test_ctrl_c_leaves_whole_files_only(generator, forty, monkeypatch):
    read_image = images.read_image

    def read(path):
        if path.stem == "20":
            os.kill(os.getpid(), signal.SIGINT)
        return read_image(path)

    monkeypatch.setattr(images, "read_image", read)
    # Whoever started the tests may have turned Ctrl-C off.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), no_thread_left_over():
            translate.translate_files(generator, forty, 4)
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(names_in(forty)) < 40
    for name in names_in(forty):
        assert_is_translation(generator, *forty[int(name.removesuffix(".png"))])


def test_few_images_are_in_memory_and_yet_it_reads_ahead(generator, forty, monkeypatch):
    counts = collections.Counter()
    lock = threading.Lock()
    ahead, far_too_far = threading.Event(), threading.Event()
    read_image, write_image = images.read_image, images.write_image

    def read(path):
        with lock:
            counts["read"] += 1
            counts["held"] += 1
            counts["most"] = max(counts["most"], counts["held"])
            # Two batches wait to be written, one is translated, and one more is read.
            if counts["read"] == (files.BATCHES_TO_WRITE + 1 + 1) * 4:
                ahead.set()
            if counts["read"] == len(forty):
                far_too_far.set()
        return read_image(path)

    def write(path, *arguments):
        if path.stem == "00":
            # Everything must come to a halt behind this one, but not at once.
            assert ahead.wait(60)
            far_too_far.wait(0.5)
            counts["read_behind_first"] = counts["read"]
        write_image(path, *arguments)
        with lock:
            counts["held"] -= 1

    monkeypatch.setattr(images, "read_image", read)
    monkeypatch.setattr(images, "write_image", write)
    translate.translate_files(generator, forty, 4)
    assert len(names_in(forty)) == 40
    batches = files.BATCHES_READ_AHEAD + 1 + files.BATCHES_TO_WRITE
    assert counts["read_behind_first"] <= batches * 4
    assert counts["most"] <= batches * 4


@pytest.mark.parametrize("batch_size", [0, -3])
def test_a_batch_has_at_least_one_image(batch_size, generator):
    with pytest.raises(ValueError, match=rf"at least 1.*batch_size={batch_size}"):
        translate.translate_files(generator, [], batch_size)


def test_no_jobs_are_soon_done(generator):
    translate.translate_files(generator, [])


def test_the_command_line_passes_the_batch_size_on(saved, forty, monkeypatch, capsys):
    source, target = forty[0]
    argv = ["translate", "--model", str(saved), "--output", str(target.parent), str(source)]
    assert main([*argv, "--batch-size", "0"]) == 2
    error = "cyclegan: error: --batch-size must be at least 1. Received: 0\n"
    assert capsys.readouterr().err == error
    assert names_in(forty) == []

    received = []
    monkeypatch.setattr(translate, "translate_files", lambda *arguments: received.append(arguments))
    assert main(argv) == main([*argv, "--batch-size", "3"]) == 0
    assert [arguments[2] for arguments in received] == [files.BATCH_SIZE, 3]


def test_nothing_is_overwritten_unasked(tmp_path):
    Image.new("RGB", (40, 20)).save(tmp_path / "x.jpg")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "x.png").touch()
    with pytest.raises(FileExistsError, match=r"out/x\.png.*--overwrite"):
        translate.plan([tmp_path / "x.jpg"], tmp_path / "out")
    assert len(translate.plan([tmp_path / "x.jpg"], tmp_path / "out", overwrite=True)) == 1


def test_two_sources_of_one_name_are_refused(tmp_path):
    for name in ("x.jpg", "x.png"):
        Image.new("RGB", (4, 2)).save(tmp_path / name)
    with pytest.raises(ValueError, match="would both become"):
        translate.plan([tmp_path], tmp_path / "out")
    assert len(translate.plan([tmp_path / "x.jpg"] * 2, tmp_path / "out")) == 1


def test_missing_and_empty_paths_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"No image or folder .*nowhere"):
        translate.plan([tmp_path / "nowhere"], tmp_path / "out")
    with pytest.raises(ValueError, match="No images in"):
        translate.plan([tmp_path], tmp_path / "out")
