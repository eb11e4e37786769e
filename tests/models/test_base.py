"""What recipes change in a step, and what is kept of it."""

import keras
import numpy as np
import pytest

from cyclegan_keras import CycleGAN, TrainConfig
from tests.tiny import Tiny, TinyGenerators

SHAPE = (32, 32, 3)
NETWORKS = ("g_AB", "g_BA", "d_A", "d_B")
# The paper's recipe as small as it can be.
SMALL = {"recipe": "paper", "image_size": 32, "gf": 2, "df": 2, "num_blocks": 1, "seed": 0}


def small(kind=CycleGAN, **settings):
    return kind(**TrainConfig.make(**{**SMALL, **settings}).model_settings())


@pytest.fixture
def data(random_images):
    return random_images(2, *SHAPE), random_images(2, *SHAPE, seed=1)


# In bfloat16, see tests/models/test_cyclegan.py.
@pytest.mark.integration
@pytest.mark.parametrize(
    "precision",
    ["float32", pytest.param("mixed_bfloat16", marks=pytest.mark.slow), "mixed_float16"],
)
def test_the_papers_recipe_trains_in_every_precision(precision, dtype_policy, data, untraced):
    dtype_policy(precision)
    gan = small(ema=0.5, learning_rate=1e-3)
    for optimizer in gan.optimizers:
        if precision == "mixed_float16":  # Keras begins at 32768, where the first steps are lost.
            optimizer.dynamic_scale.assign(256)
    before = {name: getattr(gan, name).get_weights() for name in NETWORKS}
    losses = [{k: float(v) for k, v in gan.train_step(data).items()} for _ in range(3)]
    assert np.isfinite([list(logs.values()) for logs in losses]).all()
    assert losses[-1]["g_loss"] < losses[0]["g_loss"]
    assert losses[-1]["d_loss"] < losses[0]["d_loss"]
    for name, old in before.items():
        new = getattr(gan, name).get_weights()
        assert not any(np.array_equal(a, b) for a, b in zip(old[:1], new[:1], strict=True)), name
    for g in gan.translators.values():
        assert all(np.isfinite(w).all() for w in g.get_weights())


@pytest.mark.integration
@pytest.mark.parametrize(
    ("objective", "loss"),
    [
        # The default of pix2pix, whose tests train by it.
        pytest.param("log_likelihood", 0.2, marks=pytest.mark.slow),
        ("hinge", 0.05),
        ("wasserstein", -0.2),
    ],
)
def test_discriminators_learn_by_every_objective(objective, loss, data):
    gan = small(TinyGenerators, objective=objective, lambda_gan=0.0, learning_rate=2e-3)
    gan.combined.compile(  # Generators that stand still.
        loss=gan.combined.loss, loss_weights=[0.0] * 6, optimizer=keras.optimizers.SGD(0.0)
    )
    logs = [{k: float(v) for k, v in gan.train_step(data).items()} for _ in range(25)]
    assert logs[-1]["d_loss"] < loss < logs[0]["d_loss"]
    if objective != "wasserstein":  # whose scores have no zero of their own
        assert logs[-1]["d_acc"] > 0.9 > logs[0]["d_acc"]
    assert ("d_A_penalty" in logs[0]) == (objective == "wasserstein")


@pytest.mark.parametrize("update", ["separate", "joint"])
def test_r1_is_measured_at_what_discriminators_see_of_real_images(update, random_images):
    class Squares(CycleGAN):
        def build_discriminator(self):
            img = keras.Input(self.img_shape)
            squares = keras.layers.Lambda(lambda x: keras.ops.square(x) / 2)(img)
            scores = keras.layers.Conv2D(1, 1, kernel_initializer="ones")(squares)
            return keras.Model(img, scores)  # The slope of a mean score: the image / its pixels.

    gan = Squares(SHAPE, gf=2, seed=0, discriminator_update=update, learning_rate=0.0)
    gan.view = lambda imgs: 3 * imgs
    gan.r1 = 1.0
    data = random_images(2, *SHAPE), random_images(2, *SHAPE, seed=1)
    logs = gan._step(*map(keras.ops.convert_to_tensor, data))
    for name, imgs in zip("AB", data, strict=True):
        expected = np.mean(np.sum((3 * imgs / 32**2) ** 2, axis=(1, 2, 3)))
        assert float(logs[f"d_{name}_r1"]) == pytest.approx(expected, rel=1e-4)
    assert float(logs["d_r1"]) == pytest.approx(float(logs["d_A_r1"] + logs["d_B_r1"]) / 2)
    assert "d_r2" not in logs


@pytest.mark.parametrize("update", ["separate", "joint"])
def test_a_resumed_run_goes_on_in_its_place_in_the_lazy_form(update, data, tmp_path):
    one, other = (
        Tiny(SHAPE, update_first="generators", discriminator_update=update, seed=seed)
        for seed in (0, 1)
    )
    for gan in (one, other):
        gan.r1, gan.r1_every = 10.0, 3
    for _ in range(2):
        one.train_step(data)
    one.save_weights(tmp_path / "gan.weights.h5")
    other.load_weights(tmp_path / "gan.weights.h5")
    r1 = []
    for _ in range(4):
        logs = [{k: float(v) for k, v in gan.train_step(data).items()} for gan in (one, other)]
        assert logs[0] == logs[1]
        r1.append(logs[0]["d_r1"])
    assert [value > 0 for value in r1] == [True, False, False, True]
    for name in NETWORKS:
        weights = (getattr(gan, name).get_weights() for gan in (one, other))
        for a, b in zip(*weights, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("update", "precision", "tolerance"),
    [
        ("joint", "mixed_float16", 0.01),
        # Without a scale of the loss.
        pytest.param("separate", "mixed_bfloat16", 0.1, marks=pytest.mark.slow),
        pytest.param("joint", "mixed_bfloat16", 0.1, marks=pytest.mark.slow),
        pytest.param("separate", "mixed_float16", 0.01, marks=pytest.mark.slow),
    ],
)
def test_r1_moves_weights_in_16_bits_as_in_32(
    update, precision, tolerance, dtype_policy, data, untraced
):
    moves, logs = [], []
    for policy in ("float32", precision):
        dtype_policy(policy)
        gan = small(discriminator_update=update, df=8)
        gan.r1 = 1.0
        for d in (gan.d_A, gan.d_B):
            # Nothing but R1 moves them, and by its gradient itself.
            d.compile(loss=lambda _, scores: 0 * scores, optimizer=keras.optimizers.SGD(1e-3))
            d.optimizer.build(d.trainable_variables)
            if policy == "mixed_float16":
                d.optimizer.dynamic_scale.assign(256.0)
        before = gan.d_A.get_weights()
        logs.append(float(gan.train_step(data)["d_A_r1"]))
        pairs = zip(before, gan.d_A.get_weights(), strict=True)
        moves.append(np.concatenate([(new - old).ravel() for old, new in pairs]))
    full, half = moves
    assert np.linalg.norm(full) > 0
    assert np.linalg.norm(half - full) < tolerance * np.linalg.norm(full)
    assert logs[1] == pytest.approx(logs[0], rel=tolerance)


def test_an_identity_loss_without_weight_is_not_computed_and_changes_nothing(data, untraced):
    without, with_zero = small(lambda_id=0.0), small(lambda_id=0.0)
    for gan in (without, with_zero):
        settings = gan.combined.get_compile_config()
        weights = settings["loss_weights"]
        if gan is with_zero:
            # Not the plain number zero, so that it is computed and then does not count.
            weights = [*weights[:4], np.float32(0), np.float32(0)]
        # Adam's first step has the same size for any gradient; plain descent's does not.
        gan.combined.compile(
            loss=settings["loss"], loss_weights=weights, optimizer=keras.optimizers.SGD(0.01)
        )
    logs = [gan.train_step(data) for gan in (without, with_zero)]
    assert set(logs[1]) - set(logs[0]) == {"img_A_id_loss", "img_B_id_loss"}
    assert float(logs[0]["g_loss"]) == pytest.approx(float(logs[1]["g_loss"]), rel=1e-6)
    for name in ("g_AB", "g_BA"):
        weights = (getattr(gan, name).get_weights() for gan in (without, with_zero))
        for a, b in zip(*weights, strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-6)


def test_each_term_has_a_weight_of_its_own():
    gan = small(lambda_gan=0.5, lambda_cycle=4.0, lambda_cycle_B=3.0, lambda_id=0.25)
    assert gan.combined.loss_weights == [0.5, 0.5, 4.0, 3.0, 0.25, 0.25]


def test_translators_have_the_moving_averages(data, tmp_path, untraced):
    gan = small(ema=0.75)
    assert gan.translators["g_AB"] is gan.g_AB  # Nothing to take an average of yet.
    expected = None
    for _ in range(3):
        gan.train_step(data)
        weights = gan.g_AB.get_weights()
        if expected is None:
            expected = weights
        else:
            expected = [0.75 * a + 0.25 * w for a, w in zip(expected, weights, strict=True)]
    translator = gan.translators["g_AB"]
    for ours, theirs in zip(translator.get_weights(), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)
    for ours, theirs in zip(gan.g_AB.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert translator.name == "g_AB"
    # The copies are no part of what is trained or saved.
    gan.save_weights(tmp_path / "gan.weights.h5")
    again = small(ema=0.75, seed=1)
    again.load_weights(tmp_path / "gan.weights.h5")
    for name, g in gan.translators.items():
        for a, b in zip(g.get_weights(), again.translators[name].get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)


def test_without_an_average_the_translators_are_the_generators(tiny_gan):
    assert tiny_gan.translators == {"g_AB": tiny_gan.g_AB, "g_BA": tiny_gan.g_BA}


def test_the_pool_is_part_of_what_is_saved(data, tmp_path, untraced):
    one, other = small(Tiny, pool_size=3), small(Tiny, pool_size=3, seed=1)
    for _ in range(2):
        one.train_step(data)
    one.save_weights(tmp_path / "gan.weights.h5")
    other.load_weights(tmp_path / "gan.weights.h5")
    for pool in ("pool_A", "pool_B"):
        stored = [np.asarray(getattr(gan, pool).images) for gan in (one, other)]
        assert stored[0].any()
        np.testing.assert_array_equal(*stored)
    for _ in range(3):  # The pool is full, so its random numbers decide.
        logs = [{k: float(v) for k, v in gan.train_step(data).items()} for gan in (one, other)]
        assert logs[0] == logs[1]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"objective": "loudest"}, "`objective` must be one of least_squares, "),
        ({"discriminator_update": "never"}, "`discriminator_update` must be one of separate"),
        ({"update_first": "me"}, "`update_first` must be one of discriminators, generators"),
        ({"ema": 1.0}, r"`ema` must be below 1. Received: ema=1.0"),
        ({"generator": "vgg"}, "`generator` must be one of unet, resnet, deep_unet"),
        ({"discriminator": "patch9"}, "`discriminator` must be one of book, patch1"),
    ],
)
def test_settings_that_there_are_not(settings, message):
    with pytest.raises(ValueError, match=message):
        CycleGAN(SHAPE, gf=2, df=2, **settings)
