import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest
from PIL import Image

import cyclegan_keras
from cyclegan_keras.data import images
from cyclegan_keras.inference import translate
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
        "import keras, cyclegan_keras; model = keras.saving.load_model(path)",
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


def test_what_is_no_translator_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="No model"):
        cyclegan_keras.load_generator(tmp_path / "nowhere.keras")
    (tmp_path / "text.keras").write_text("no model")
    with pytest.raises(ValueError, match=r"is not a \.keras file"):
        cyclegan_keras.load_generator(tmp_path / "text.keras")
    with zipfile.ZipFile(tmp_path / "zip.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    with pytest.raises(ValueError, match="Cannot load the model"):
        cyclegan_keras.load_generator(tmp_path / "zip.keras")
    judge = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(1, 1)])
    judge.save(tmp_path / "judge.keras")
    with pytest.raises(ValueError, match="is no translator"):
        cyclegan_keras.load_generator(tmp_path / "judge.keras")


def test_no_code_from_a_file_is_run(tmp_path):
    evil = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Lambda(lambda x: x)])
    evil.save(tmp_path / "evil.keras")
    with pytest.raises(ValueError, match="Cannot load the model"):
        cyclegan_keras.load_generator(tmp_path / "evil.keras")
