import keras
import numpy as np
import pytest

from cyclegan_keras import DataLoader, Pix2Pix, TrainConfig

SHAPE = (32, 32, 3)


def small(**settings):
    tiny = {"model": "pix2pix", "image_size": 32, "gf": 2, "df": 2, "seed": 0}
    config = TrainConfig.make(**{**tiny, **settings})
    return Pix2Pix(**config.model_settings())


@pytest.fixture(scope="module")
def gan():
    return small()


@pytest.fixture
def data(random_images):
    return random_images(2, *SHAPE), random_images(2, *SHAPE, seed=1)


def test_it_is_compiled_as_in_the_paper():
    gan = Pix2Pix(seed=0)
    assert gan.g.count_params() == 54_413_955  # unet_256 of the authors' code: 54.414 M
    assert gan.d.count_params() == 2_768_705  # its discriminator: 2.769 M
    assert gan.disc_patch == (30, 30, 1)
    assert gan.combined.loss_weights == [1.0, 100.0]
    assert gan.combined.loss[1] == "mae"
    assert gan.discriminator_update == "joint"
    assert [float(o.learning_rate) for o in gan.optimizers] == pytest.approx([2e-4, 2e-4])


def test_a_step_is_discriminator_first_and_then_the_generator(gan, data):
    source, target = data
    weights = {model.name: model.get_weights() for model in (gan.g, gan.d)}
    logs = {k: float(v) for k, v in gan.train_step(data).items()}
    for model in (gan.g, gan.d):
        pairs = zip(weights[model.name], model.get_weights(), strict=True)
        assert any(not np.array_equal(a, b) for a, b in pairs)
    # What the step reports of the discriminator is from before its update.
    assert logs["g_loss"] == pytest.approx(logs["valid_loss"] + 100 * logs["fake_loss"], rel=1e-5)
    assert logs["d_loss"] == pytest.approx(np.log(2), abs=0.2)  # It knows nothing yet.
    assert set(logs) == {"d_loss", "d_acc", "g_loss", "valid_loss", "fake_loss"}
    assert source.shape == target.shape


def test_the_discriminator_sees_both_images(gan, data):
    source, target = data
    scores = np.asarray(gan.d(np.concatenate([source, target], axis=-1)))
    for pair in ((source[::-1], target), (source, target[::-1])):
        assert not np.allclose(gan.d(np.concatenate(pair, axis=-1)), scores, atol=1e-4)


@pytest.mark.integration
def test_it_learns_the_way_it_is_told(random_images):
    # B is A in negative; what is learned must come nearer to that than standing still.
    imgs = random_images(4, *SHAPE)
    blocks = np.repeat(np.repeat(imgs[:, ::8, ::8], 8, axis=1), 8, axis=2)
    for direction, name in (("A-to-B", "g_AB"), ("B-to-A", "g_BA")):
        gan = small(direction=direction, gf=8, learning_rate=2e-3)
        pair = (blocks, -blocks) if direction == "A-to-B" else (-blocks, blocks)
        losses = [float(gan.train_step(pair)["fake_loss"]) for _ in range(40)]
        assert losses[-1] < 0.5 * losses[0]
        assert list(gan.translators) == [name]
        translated = np.asarray(gan.translators[name](blocks))
        assert np.abs(translated + blocks).mean() < 0.5 * np.abs(2 * blocks).mean()


def test_r1_has_slopes_by_both_images(data):
    class Linear(Pix2Pix):
        def build_discriminator(self):
            pair = keras.Input((*SHAPE[:2], 6))
            return keras.Model(pair, keras.layers.Conv2D(1, 1, kernel_initializer="ones")(pair))

    gan = Linear(SHAPE, gf=2, seed=0, generator="unet")
    gan.r1 = 1.0
    logs = gan._step(*map(keras.ops.convert_to_tensor, data))
    # A mean over 32² scores; the slope is one share of it in each of six channels.
    assert float(logs["d_r1"]) == pytest.approx(6 / 32**2, rel=1e-5)


def test_it_trains_on_pairs_in_the_books_way(gan, fruit_dir, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # Test images are pairs and serve here to train on.
    for number, folder in enumerate(("testA", "testB")):
        target = tmp_path / "data" / "pairs" / f"train{'AB'[number]}"
        target.mkdir(parents=True)
        for path in (fruit_dir / folder).iterdir():
            (target / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(gan, "data_loader", DataLoader("pairs", SHAPE[:2], paired=True))
    history = gan.train(epochs=1, batch_size=2, sample_interval=2)
    assert len(history.history["fake_loss"]) == 1
    assert [p.name for p in (tmp_path / "images" / "pairs").iterdir()] == ["0_1.png"]


def test_a_direction_that_there_is_not():
    with pytest.raises(ValueError, match="`direction` must be one of A-to-B, B-to-A"):
        Pix2Pix(SHAPE, gf=2, df=2, direction="up")


def test_networks_of_ones_own(data):
    class Linear(Pix2Pix):
        def build_generator(self):
            return keras.Sequential([keras.Input(self.img_shape), keras.layers.Conv2D(3, 1)])

    gan = Linear(SHAPE, df=2, discriminator="patch16")
    gan.train_step(data)
    assert gan.g.count_params() == 12
