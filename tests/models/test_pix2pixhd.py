import keras
import numpy as np
import pytest

from cyclegan_keras import DataLoader, Pix2PixHD, Pix2PixHDConfig, TrainConfig
from cyclegan_keras.metrics.backbones import efficientnet
from cyclegan_keras.models import perceptual, pix2pixhd
from cyclegan_keras.models.from_settings import found_in, make_model
from cyclegan_keras.models.perceptual import PerceptualDistance
from cyclegan_keras.models.pix2pixhd import ALL, ENHANCER, GLOBAL
from tests.label_maps import COLORS, write_pairs

SHAPE = (32, 32, 3)
TINY = {"gf": 2, "df": 2, "halvings": 2, "num_blocks": 0, "enhancer_blocks": 0, "seed": 0}
TINY |= {"discriminator": "patch16", "lambda_perceptual": 0.0}
TEXT = "#0000e0,#ffa000,#c0ff40"


def make(**settings) -> Pix2PixHD:
    return Pix2PixHD(SHAPE, **{**TINY, "labels": COLORS, **settings})


@pytest.fixture(scope="module")
def gan() -> Pix2PixHD:
    return make()


@pytest.fixture(scope="module")
def pairs_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "pairs"
    write_pairs(folder)
    return folder


@pytest.fixture
def batch(random_images):
    imgs = random_images(2, 1, *SHAPE)
    return imgs[0], imgs[1]


def weights(gan: Pix2PixHD) -> dict[str, list[np.ndarray]]:
    coarse = gan.g_global.get_weights()
    of_global = {id(weight) for weight in gan.g_global.weights}
    enhancer = [np.asarray(w) for w in gan.g.weights if id(w) not in of_global]
    found = {"body": coarse[:-2], "head": coarse[-2:], "enhancer": enhancer}
    return {**found, **{d.name: d.get_weights() for d in gan.ds}}


def moved(before: dict, after: dict) -> set[str]:
    """The parts of which a kernel was changed; biases before norms move by rounding alone."""
    return {
        name
        for name, values in before.items()
        if any(np.any(x != y) for x, y in zip(values, after[name], strict=True))
    }


@pytest.mark.parametrize(
    ("stage", "trained"),
    [(GLOBAL, {"body", "head"}), (ENHANCER, {"enhancer"}), (ALL, {"body", "enhancer"})],
)
def test_each_stage_trains_its_part(gan, batch, untraced, stage, trained):
    gan.begin_stage(stage)
    before = weights(gan)
    logs = gan.train_step(batch)
    assert moved(before, weights(gan)) == trained | {"d_1", "d_2"}
    names = {"d_loss", "d_1_loss", "d_2_acc", "g_loss", "valid_1_loss", "valid_2_loss"}
    assert names | {"features_loss"} <= set(logs)
    total = sum(float(logs[f"valid_{n}_loss"]) for n in (1, 2)) + 10 * float(logs["features_loss"])
    assert float(logs["g_loss"]) == pytest.approx(total, rel=1e-5)
    both = [float(logs[f"d_{n}_loss"]) for n in (1, 2)]
    assert float(logs["d_loss"]) == pytest.approx(np.mean(both), rel=1e-5)


def test_each_stage_is_traced_by_itself(gan):
    gan.begin_stage(ALL)
    of_all = gan._current_step()
    gan.begin_stage(GLOBAL)
    assert gan._current_step() is not of_all
    gan.begin_stage(ALL)
    assert gan._current_step() is of_all


def test_optimizers_begin_anew_where_the_stages_are_trainings_of_their_own(batch, untraced):
    gan = make()
    steps = lambda: [int(model.optimizer.iterations) for model in gan.compiled_models]  # noqa: E731
    gan.begin_stage(GLOBAL)
    gan.train_step(batch)
    assert steps() == [1, 1, 1, 0]
    assert np.abs(gan.ds[0].optimizer.variables[2]).max() > 0
    gan.begin_stage(ENHANCER)
    assert steps() == [0, 0, 1, 0]
    assert not any(np.any(v) for v in gan.ds[0].optimizer.variables[2:])
    assert float(gan.ds[0].optimizer.learning_rate) == pytest.approx(2e-4)
    gan.train_step(batch)
    gan.begin_stage(ALL)
    assert steps() == [1, 1, 1, 0]
    gan.begin_stage(GLOBAL)  # Back: nothing is forgotten.
    assert steps() == [1, 1, 1, 0]


@pytest.mark.parametrize("ema", [pytest.param(0.0, marks=pytest.mark.slow), 0.5])
def test_the_global_generator_translates_while_it_is_trained_alone(batch, untraced, ema):
    gan = make(ema=ema)
    gan.begin_stage(GLOBAL)
    for _ in range(2):
        gan.train_step(batch)
    (name, translator), *others = gan.translators.items()
    assert (name, others) == ("g_AB", [])
    found = np.asarray(translator(batch[0]))
    assert found.shape == (1, *SHAPE)
    small = np.asarray(gan.g_global(batch[0]))
    assert [w.shape for w in translator.weights] == [w.shape for w in gan.g_global.weights]
    halves = np.asarray(keras.layers.UpSampling2D(2, interpolation="bilinear")(small))
    assert np.allclose(found, halves, atol=1e-5) == (not ema)
    gan.begin_stage(ENHANCER)
    gan.train_step(batch)
    whole = gan.translators["g_AB"]
    assert [w.shape for w in whole.weights] == [w.shape for w in gan.g.weights]
    # The first average is that of the first step, and so the weights themselves.
    np.testing.assert_allclose(whole(batch[0]), gan.g(batch[0]), atol=1e-6)


@pytest.mark.slow
def test_weights_are_saved_and_loaded(gan, batch, untraced, tmp_path):
    gan.save_weights(tmp_path / "gan.weights.h5")
    again = Pix2PixHD.from_config(gan.get_config())
    again.load_weights(tmp_path / "gan.weights.h5")
    for name, values in weights(again).items():
        for mine, theirs in zip(values, weights(gan)[name], strict=True):
            np.testing.assert_array_equal(mine, theirs)
    assert again.config == gan.config
    assert set(gan.networks) == {"g_AB", "g_global", "d_1", "d_2"}


def test_combined_is_an_ordinary_model(gan, batch):
    assert gan.combined.output_names == ["valid_1", "valid_2", "features"]
    scores, halves, distance = gan.combined(batch)
    assert (distance.shape, halves.shape[1] * 2 <= scores.shape[1]) == ((1,), True)


@pytest.mark.slow
def test_combined_is_saved_and_loaded(gan, batch, tmp_path):
    gan.combined_global.save(tmp_path / "combined.keras")
    again = keras.saving.load_model(tmp_path / "combined.keras")
    np.testing.assert_allclose(again(batch)[2], gan.combined_global(batch)[2], rtol=1e-5)
    assert len(again.trainable_variables) == len(gan.g_global.trainable_variables)


@pytest.mark.parametrize(
    "settings",
    [
        {"objective": "hinge", "r1": 1.0, "lambda_features": 0.0, "num_discriminators": 1},
        pytest.param(
            {"objective": "wasserstein", "num_discriminators": 3, "discriminator": "patch1"},
            marks=pytest.mark.slow,
        ),
        pytest.param(
            {"labels": "image", "blended_output": True, "discriminator_update": "separate"},
            marks=pytest.mark.slow,
        ),
    ],
)
def test_other_settings_train_as_well(batch, untraced, settings):
    gan = make(**settings)
    assert len(gan.discriminators) == settings.get("num_discriminators", 2)
    assert all(np.isfinite(float(value)) for value in gan.train_step(batch).values())


def test_gray_images_and_penalties_are_trained_in_half_precision(
    untraced, random_images, dtype_policy
):
    dtype_policy("mixed_float16")
    gray = [[0, 0, 0], [128, 128, 128], [255, 255, 255]]
    gan = Pix2PixHD((32, 48, 1), **TINY, labels=gray, direction="B-to-A", r1=1.0, r2=1.0)
    assert list(gan.translators) == ["g_BA"]
    logs = gan.train_step(tuple(random_images(2, 2, 32, 48, 1)))
    assert all(np.isfinite(float(value)) for value in logs.values())


@pytest.mark.slow
def test_the_perceptual_distance_is_that_of_the_classifiers_features(random_images, monkeypatch):
    monkeypatch.setattr(efficientnet, "load_scales", efficientnet.build_scales)
    layer = PerceptualDistance()
    model = layer._classifier.model
    assert layer.weights == []
    imgs, truths = random_images(2, 2, 64, 64, 3)
    pixels = [(each + 1) * 127.5 for each in (imgs, truths)]
    wanted = np.zeros(2)
    features = [model(efficientnet.scale(each)) for each in pixels]
    for weight, one, other in zip((1 / 32, 1 / 16, 1 / 8, 1 / 4, 1), *features, strict=True):
        wanted += weight * np.abs(np.asarray(one) - np.asarray(other)).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(layer([imgs, truths]), wanted, rtol=1e-4)
    gray = imgs[..., :1]
    np.testing.assert_allclose(
        layer([gray, truths]), layer([gray.repeat(3, -1), truths]), rtol=1e-5
    )


def test_without_the_classifiers_weights_it_says_what_to_do(monkeypatch):
    monkeypatch.setattr(efficientnet.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(FileNotFoundError, match=r"perceptual loss.*Install.*--lambda-perceptual 0"):
        perceptual.PerceptualDistance()


def test_feature_matching_takes_a_discriminator_with_activations():
    class Own(Pix2PixHD):
        def build_discriminator(self):
            img = keras.Input(self._judged_shape)
            return keras.Model(img, keras.layers.Conv2D(1, 3)(img))

    with pytest.raises(ValueError, match=r"Feature matching.*'d_1'.*lambda_features=0"):
        Own(SHAPE, **TINY)
    assert list(Own(SHAPE, **TINY, lambda_features=0.0).combined.output_names) == [
        "valid_1",
        "valid_2",
    ]


def test_a_pyramid_needs_images_large_enough_and_stages_some_steps():
    with pytest.raises(ValueError, match=r"`image_size` must be at least 96.*patch70"):
        TrainConfig(model="pix2pixhd", image_size=64)
    assert TrainConfig(model="pix2pixhd", image_size=64, num_discriminators=1)
    with pytest.raises(ValueError, match="divisible by 32, because the networks halve it 5 times"):
        TrainConfig(model="pix2pixhd", image_size=144, halvings=4)
    with pytest.raises(ValueError, match="`global_share` and `enhancer_share` must leave steps"):
        TrainConfig(model="pix2pixhd", global_share=0.5, enhancer_share=0.5)
    assert Pix2PixHD.default_config == Pix2PixHDConfig()


def test_labels_are_found_in_the_images_of_the_input(pairs_dir, tmp_path):
    loader = DataLoader(pairs_dir.name, (32, 32), pairs_dir.parent, paired=True)
    config = TrainConfig(model="pix2pixhd", image_size=128, direction="B-to-A")
    found = found_in(config, loader)["labels"]
    assert found.startswith("auto:#")
    assert {*found.removeprefix("auto:").split(",")} == {*TEXT.split(",")}
    # The photos are none.
    assert found_in(config.replace(direction="A-to-B"), loader) == {"labels": "auto:image"}
    # What somebody says is not looked for.
    assert found_in(config.replace(labels="image"), loader) == {}
    assert found_in(TrainConfig(model="pix2pix"), loader) == {}

    gan = Pix2PixHD(SHAPE, loader, **TINY, direction="B-to-A")
    assert gan.config.generator.labels == found
    assert Pix2PixHD(SHAPE, **TINY).config.generator.labels == "auto:image"


def test_labels_of_the_data_set_come_before_those_of_the_images(tmp_path):
    write_pairs(tmp_path / "named")
    text = '{"labels": {"B": [[0, 0, 224], [255, 160, 0], [192, 255, 64], [9, 9, 9]]}}'
    (tmp_path / "named" / "dataset.json").write_text(text, "utf-8")
    loader = DataLoader("named", (32, 32), tmp_path, paired=True)
    config = TrainConfig(model="pix2pixhd", direction="B-to-A")
    assert found_in(config, loader) == {"labels": f"auto:{TEXT},#090909"}


def test_the_entry_names_what_the_model_has():
    settings = {name: value for name, value in TINY.items() if name != "seed"}
    for direction, number in (("A-to-B", 1), ("B-to-A", 3)):
        config = TrainConfig(
            model="pix2pixhd",
            image_size=64,
            direction=direction,
            num_discriminators=number,
            **settings,
        )
        assert list(make_model(config).discriminators) == list(config.discriminators)


@pytest.mark.parametrize(("differences", "distance"), [([1.0, 3.0], 8.0), ([1.0] * 4, 4.0)])
def test_features_of_few_layers_weigh_as_much_as_those_of_four(differences, distance):
    wanted = [np.ones((2, 4 - n // 2, 3, n + 1)) for n, _ in enumerate(differences)]
    found = [each - by for each, by in zip(wanted, differences, strict=True)]
    distances = pix2pixhd._feature_distance(found, wanted)
    np.testing.assert_allclose(distances, [distance, distance], rtol=1e-6)
