import collections
import contextlib
import errno
import os
import signal
import threading

import keras
import numpy as np
import pytest
import tifffile
import tqdm
from PIL import Image

import cyclegan_keras
from cyclegan_keras.cli.main import main
from cyclegan_keras.data import images
from cyclegan_keras.inference import files, formats, translate
from cyclegan_keras.networks import build_unet_generator


@pytest.fixture(scope="session")
def saved(tiny_gan, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "g_AB.keras"
    tiny_gan.g_AB.save(path)
    return path


@pytest.fixture(scope="session")
def generator(saved):
    return cyclegan_keras.load_generator(saved)


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
    translation = cyclegan_keras.translate_image(generator, picture, detail="plain")
    assert translation.size == (50, 31)
    small = images.normalize(np.asarray(picture.resize((32, 32))))[None]
    expected = images.denormalize(np.asarray(generator(small)))[0]
    expected = Image.fromarray(expected).resize((50, 31), Image.Resampling.BICUBIC)
    assert np.abs(np.subtract(translation, expected, dtype=int)).max() <= 1


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        *((mode, mode) for mode in ("RGB", "RGBA", "L", "LA", "I;16", "F")),
        *(("P", "RGB"), ("CMYK", "RGB"), ("1", "L")),
    ],
)
def test_a_translation_has_the_mode_of_its_picture(mode, expected, generator):
    translation = translate.translate_image(generator, Image.new(mode, (8, 6)))
    assert (translation.mode, translation.size) == (expected, (8, 6))


def test_files_and_folders(generator, fruit_dir, tmp_path):
    Image.new("RGB", (40, 20)).save(tmp_path / "wide.jpg")
    jobs = translate.plan([tmp_path / "wide.jpg", fruit_dir / "testA"], tmp_path / "out")
    translate.translate_files(generator, jobs)
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["0000.png", "0001.png", "0002.png", "0003.png", "wide.jpg"]
    with Image.open(tmp_path / "out" / "wide.jpg") as image:
        assert (image.format, image.size) == ("JPEG", (40, 20))


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
    read_picture = images.read_picture

    def read(path):
        if path.stem == "20":
            os.kill(os.getpid(), signal.SIGINT)
        return read_picture(path)

    monkeypatch.setattr(images, "read_picture", read)
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
    read_picture, write_picture = images.read_picture, formats.write

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
        return read_picture(path)

    def write(path, *arguments):
        if path.stem == "00":
            # Everything must come to a halt behind this one, but not at once.
            assert ahead.wait(60)
            far_too_far.wait(0.5)
            counts["read_behind_first"] = counts["read"]
        write_picture(path, *arguments)
        with lock:
            counts["held"] -= 1

    monkeypatch.setattr(images, "read_picture", read)
    monkeypatch.setattr(formats, "write", write)
    translate.translate_files(generator, forty, 4)
    assert len(names_in(forty)) == 40
    assert counts["read"] == 40
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

    def watched(*arguments, **settings):
        received.append(arguments)
        return translate.Outcome(1, {}, collections.Counter())

    monkeypatch.setattr(translate, "translate_files", watched)
    assert main(argv) == main([*argv, "--batch-size", "3"]) == 0
    assert [arguments[2] for arguments in received] == [files.BATCH_SIZE, 3]


@pytest.fixture
def changeless():
    """Gives every image back as it was, in color or in gray, at 6 × 8 pixels or any size."""

    def make(channels=3, size=(6, 8)):
        image = keras.Input((*size, channels))
        return keras.Model(image, keras.layers.Activation("linear")(image))

    return make


ARRAYS = [
    ((6, 8), np.uint8),
    ((6, 8, 1), np.uint8),
    ((6, 8, 2), np.uint8),
    ((6, 8, 3), np.uint8),
    ((6, 8, 4), np.uint16),
    ((6, 8, 2), np.uint16),
    ((6, 8), np.uint16),
    ((6, 8, 3), np.float32),
    ((6, 8, 3), np.float64),
    ((6, 8, 4), np.float32),
    ((6, 8), np.float16),
]


@pytest.mark.parametrize(("shape", "dtype"), ARRAYS)
@pytest.mark.parametrize("channels", [1, 3])
def test_an_array_comes_back_in_its_shape_type_and_depth(shape, dtype, channels, changeless):
    rng = np.random.default_rng(0)
    largest = 1 if np.issubdtype(dtype, np.floating) else np.iinfo(dtype).max
    array = (rng.random(shape) * largest).astype(dtype)
    if len(shape) == 3 and shape[2] in (2, 4):
        array[..., -1] = largest
        array[0, 0, -1] = 0  # Transparent: seen as white, and still transparent.
    if channels == 1 and len(shape) == 3:
        array[..., :3] = array[..., :1] if shape[2] > 2 else array[..., :3]
    translation = translate.translate_image(changeless(channels), array)
    assert (translation.shape, translation.dtype) == (shape, dtype)
    expected = array.copy()
    if len(shape) == 3 and shape[2] in (2, 4):
        expected[0, 0, :-1] = largest
        np.testing.assert_array_equal(translation[..., -1], array[..., -1])
    # Of 65,535 levels, the float of a luma may round to the next one.
    np.testing.assert_allclose(
        translation.astype(float), expected.astype(float), rtol=1e-3, atol=largest * 2e-5
    )


def test_floats_as_a_loader_gives_them_say_so(changeless, random_images):
    (array,) = random_images(1, 6, 8, 3)
    with pytest.raises(ValueError, match=r"in \[0, 1\].*value_range=\(-1, 1\).*Received"):
        translate.translate_image(changeless(), array)
    translation = translate.translate_image(changeless(), array, value_range=(-1, 1))
    np.testing.assert_allclose(translation, array, atol=1e-6)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((2, 6, 8, 3), np.uint8),
        np.zeros((6, 8, 5), np.uint8),
        np.zeros((6, 8), np.int64),
        np.zeros((0, 8), np.uint8),
        np.full((6, 8), np.nan),
        None,
        7,
    ],
)
def test_what_is_no_picture_is_told(image, changeless):
    with pytest.raises(ValueError, match="`image` must"):
        translate.translate_image(changeless(), image)


def test_a_path_is_a_picture_too(generator, tmp_path):
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8))
    picture.save(tmp_path / "x.png")
    expected = translate.translate_image(generator, picture)
    for path in (tmp_path / "x.png", str(tmp_path / "x.png"), os.fsencode(tmp_path / "x.png")):
        np.testing.assert_array_equal(translate.translate_image(generator, path), expected)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        translate.translate_image(generator, tmp_path / "nowhere.png")


def test_a_generator_of_any_size_takes_pictures_nearly_in_their_own(changeless, forty):
    anything = changeless(size=(None, None))
    array = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    np.testing.assert_array_equal(translate.translate_image(anything, array), array)
    assert translate.translate_image(anything, array[:41, :50]).shape == (41, 50, 3)
    translate.translate_files(anything, forty[:3])
    assert names_in(forty) == ["00.png", "01.png", "02.png"]


def test_a_gray_result_of_a_color_generator_is_its_luma(generator):
    gray = Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32), np.uint8))
    in_color = translate.translate_image(generator, gray.convert("RGB"))
    expected = np.asarray(in_color) @ np.array([0.299, 0.587, 0.114])
    assert np.abs(translate.translate_image(generator, gray) - expected).max() <= 1


def run(saved, *argv):
    return main(["translate", "--model", str(saved), *map(str, argv)])


def test_a_batch_goes_on_past_what_cannot_be_translated(saved, forty, tmp_path, capsys):
    forty[3][0].write_text("no image")
    forty[5][0].write_bytes(forty[5][0].read_bytes()[:60])
    forty[7][1].mkdir(parents=True)  # It cannot be written.
    command = [saved, tmp_path / "in", tmp_path / "nowhere.png", "--output", tmp_path / "out"]
    assert run(*command, "--continue-on-error", "--skip-existing") == 2  # A folder in its place.
    forty[7][1].rmdir()
    assert run(*command, "--continue-on-error") == 1
    out, err = capsys.readouterr()
    assert out == f"Translated 38 images into {tmp_path / 'out'}\n"
    told = err[err.index("3 images could not be translated:") :].splitlines()
    assert [line.strip().split(":")[0] for line in told[1:]] == [
        str(tmp_path / "in" / "03.png"),
        str(tmp_path / "in" / "05.png"),
        str(tmp_path / "nowhere.png"),
    ]
    assert len(names_in(forty)) == 38
    # The second try takes those that were mended.
    for place in (3, 5):
        Image.new("RGB", (9, 9)).save(forty[place][0])
    assert run(saved, tmp_path / "in", "--output", tmp_path / "out") == 2
    assert "--skip-existing" in capsys.readouterr().err
    assert run(saved, tmp_path / "in", "--output", tmp_path / "out", "--skip-existing") == 0
    assert capsys.readouterr().out.startswith("Translated 2 images")
    assert len(names_in(forty)) == 40
    assert run(saved, tmp_path / "in", "--output", tmp_path / "out", "--skip-existing") == 0
    assert capsys.readouterr().out.startswith("Translated 0 images")


def test_a_failure_to_write_is_one_images_and_a_full_disk_is_all_images(
    generator, forty, monkeypatch
):
    write = formats.write

    def refused(path, *arguments):
        if path.stem in ("03", "20"):
            raise OSError(number, os.strerror(number), str(path))
        write(path, *arguments)

    monkeypatch.setattr(formats, "write", refused)
    number = errno.EACCES
    outcome = translate.translate_files(generator, forty, 4, continue_on_error=True)
    assert outcome.num_written == len(names_in(forty)) == 38
    assert [path.stem for path in outcome.failed] == ["03", "20"]
    number = errno.ENOSPC
    with pytest.raises(OSError, match="No space left"), no_thread_left_over():
        translate.translate_files(generator, forty, 4, continue_on_error=True)


def test_one_picture_goes_to_the_file_that_is_named(saved, tmp_path):
    Image.new("RGB", (9, 7)).save(tmp_path / "x.png")
    assert run(saved, tmp_path / "x.png", "--output", tmp_path / "o" / "t.jpg") == 0
    with Image.open(tmp_path / "o" / "t.jpg") as image:
        assert (image.format, image.size) == ("JPEG", (9, 7))


def test_later_frames_are_counted(saved, tmp_path, capsys):
    frames = [Image.new("RGB", (9, 7), color) for color in ("red", "blue", "green")]
    frames[0].save(tmp_path / "x.gif", save_all=True, append_images=frames[1:])
    assert run(saved, tmp_path / "x.gif", "--output", tmp_path / "out") == 0
    assert "Ignored: 2 animation frames." in capsys.readouterr().out
    with Image.open(tmp_path / "out" / "x.gif") as image:
        assert (image.format, image.n_frames) == ("GIF", 1)


def test_what_a_run_took_for_black_and_white_is_written_again(changeless, tmp_path):
    (tmp_path / "run").mkdir()
    model = keras.Sequential([keras.Input((6, 8, 1)), keras.layers.Rescaling(-1.0)])
    model.save(tmp_path / "run" / "g_AB.keras")
    settings = '{"value_range": [1000, 4000, 0, 600]}'
    (tmp_path / "run" / "config.json").write_text(settings)
    scan = np.linspace(1000, 4000, 48).astype(np.uint16).reshape(6, 8)
    tifffile.imwrite(tmp_path / "x.tif", scan)
    assert run(tmp_path / "run" / "g_AB.keras", tmp_path / "x.tif", "--output", tmp_path / "o") == 0
    # A negative, in the other domain's range.
    expected = (4000 - scan.astype(float)) / 3000 * 600
    np.testing.assert_allclose(tifffile.imread(tmp_path / "o" / "x.tif"), expected, atol=0.51)
