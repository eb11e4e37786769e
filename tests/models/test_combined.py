import keras
import numpy as np
import pytest

from cyclegan_keras import CycleGAN
from cyclegan_keras.models.combined import OUTPUTS
from cyclegan_keras.networks import build_unet_generator
from tests.models.replicas_apart import MODELS
from tests.tiny import Tiny

SHAPE = (32, 32, 3)
LOSSES = ["mse", "mse", "mae", "mae", "mae", "mae"]


def batch(gan, random_images):
    imgs_A, imgs_B = (random_images(2, *SHAPE, seed=seed) for seed in (1, 2))
    valid = np.ones((2, *gan.disc_patch))
    return [imgs_A, imgs_B], [valid, valid, imgs_A, imgs_B, imgs_A, imgs_B]


def test_every_weight_is_either_trained_or_not(tiny_gan):
    combined = tiny_gan.combined
    trained = tiny_gan.g_AB.count_params() + tiny_gan.g_BA.count_params()
    judging = tiny_gan.d_A.count_params() + tiny_gan.d_B.count_params()
    for variables, count in (
        (combined.trainable_variables, trained),
        (combined.trainable_weights, trained),
        (combined.non_trainable_variables, judging),
        (combined.non_trainable_weights, judging),
    ):
        assert sum(int(np.prod(v.shape)) for v in variables) == count


@pytest.mark.parametrize(
    ("loss", "weights"),
    [
        (LOSSES, [1, 2, 3, 4, 5, 6]),
        (dict(zip(OUTPUTS, LOSSES, strict=True)), dict(zip(OUTPUTS, range(6), strict=True))),
        ("mae", None),
        ([keras.losses.MeanAbsoluteError() for _ in OUTPUTS], [0.5] * 6),
    ],
)
def test_losses_may_be_given_in_every_way_that_keras_takes(loss, weights, random_images, untraced):
    gan = Tiny(SHAPE)
    gan.combined.compile(loss=loss, loss_weights=weights, optimizer="sgd")
    imgs, targets = batch(gan, random_images)
    outputs = dict(zip(OUTPUTS, gan.combined(imgs), strict=True))
    by_name = dict(zip(OUTPUTS, targets, strict=True))
    total, _ = gan.combined.full_objective(by_name, outputs)
    if isinstance(loss, dict):
        targets = by_name
    expected = gan.combined.test_on_batch(imgs, targets, return_dict=True)
    assert float(total) == pytest.approx(expected["loss"], rel=1e-5)


def test_a_loss_that_is_left_out_is_named(random_images, untraced):
    gan = Tiny(SHAPE)
    gan.combined.compile(loss={"valid_A": "mse"}, optimizer="sgd")
    with pytest.raises(ValueError, match=r"Missing: .*'img_A_id'"):
        gan.train_step(batch(gan, random_images)[0])


def test_an_output_may_have_no_loss_or_no_weight(random_images):
    gan = Tiny(SHAPE)
    imgs, targets = batch(gan, random_images)
    some = ["mse", None, "mae", None, None, None]
    outputs = dict(zip(OUTPUTS, gan.combined(imgs), strict=True))
    by_name = dict(zip(OUTPUTS, targets, strict=True))
    valid_A = np.mean((np.asarray(outputs["valid_A"]) - 1) ** 2)
    reconstr_A = np.mean(np.abs(np.asarray(outputs["reconstr_A"]) - imgs[0]))
    for loss, weights, expected in (
        (some, None, valid_A + reconstr_A),
        (some, [None, 1, 2, 1, 1, 1], valid_A + 2 * reconstr_A),
        (dict(zip(OUTPUTS, some, strict=True)), None, valid_A + reconstr_A),
    ):
        gan.combined.compile(loss=loss, loss_weights=weights, optimizer="sgd")
        total, losses = gan.combined.full_objective(by_name, outputs)
        assert set(losses) == {"valid_A", "reconstr_A"}
        assert float(total) == pytest.approx(expected, rel=1e-5)
        assert gan.combined.wants("reconstr_A", "img_A_id")
        assert not gan.combined.wants("img_A_id", "img_B_id")
    logs = gan._step(*map(keras.ops.convert_to_tensor, imgs))
    assert {name for name in logs if not name.startswith("d_")} == {
        "g_loss",
        "valid_A_loss",
        "reconstr_A_loss",
    }


def test_losses_and_weights_stay_when_only_the_optimizer_is_another():
    gan = Tiny(SHAPE)  # As Keras has it.
    gan.combined.compile(optimizer="sgd")
    assert gan.combined.loss_weights == [1, 1, 10.0, 10.0, 9.0, 9.0]
    targets, outputs = ({name: np.full((1, 1), x) for name in OUTPUTS[:4:3]} for x in (0.0, 2.0))
    total, _ = gan.combined.full_objective(targets, outputs)
    assert float(total) == 1 * 4 + 10 * 2  # of valid_A and of reconstr_B


def test_a_list_of_another_length_is_told():
    gan = Tiny(SHAPE)
    gan.combined.compile(loss=LOSSES, loss_weights=[1.0, 2.0], optimizer="sgd")
    with pytest.raises(ValueError, match=r"each of its 6 outputs, valid_A, .*\[1.0, 2.0\]"):
        gan.combined.wants("valid_A")


def test_regularisation_of_the_generators_counts(random_images, untraced):
    class Regularised(CycleGAN):
        def build_generator(self):
            generator = build_unet_generator(self.img_shape, 2)
            first = generator.layers[1]
            first.kernel_regularizer = keras.regularizers.L2(10.0)
            return keras.models.clone_model(generator)

    gan = Regularised(SHAPE, df=2)
    imgs, targets = batch(gan, random_images)
    assert gan.g_AB.losses
    expected = gan.combined.test_on_batch(imgs, targets, return_dict=True)
    # The discriminators move first, so the adversarial part is another; the rest must agree.
    logs = {name: float(value) for name, value in gan.train_step(imgs).items()}
    ours = logs["g_loss"] - logs["valid_A_loss"] - logs["valid_B_loss"]
    keras_own = expected["loss"] - expected["valid_A_loss"] - expected["valid_B_loss"]
    assert ours == pytest.approx(keras_own, rel=1e-5)


SLOW = "tiny pix2pix simgan feature_gan bigan cogan pix2pixhd_all augmented cycada_image".split()


# CUT's has layers that are in two of its networks.
@pytest.mark.parametrize(
    "model", ["cut", *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)]
)
def test_it_is_saved_and_loaded_whole(model, tmp_path):
    combined = MODELS[model]().combined
    combined.save(tmp_path / "combined.keras")
    again = keras.models.load_model(tmp_path / "combined.keras")
    rng = np.random.default_rng(0)
    inputs = [
        rng.uniform(-1, 1, (2, *each.shape[1:])).astype("float32") for each in combined.inputs
    ]
    assert again.output_names == combined.output_names
    assert again.trained_networks.keys() == combined.trained_networks.keys()
    if len(inputs) == 1:
        (inputs,) = inputs
    if len(inputs) == 1:
        (inputs,) = inputs
    # Called once each: places that are compared are drawn.
    for one, other in zip(again(inputs), combined(inputs), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.integration
def test_it_goes_on_training_after_saving_and_loading(tmp_path, random_images, untraced):
    gan = CycleGAN(SHAPE, gf=2, df=2)
    imgs, targets = batch(gan, random_images)
    gan.combined.save(tmp_path / "combined.keras")
    again = keras.saving.load_model(tmp_path / "combined.keras")
    assert again.loss_weights == gan.combined.loss_weights
    expected = gan.combined.train_on_batch(imgs, targets, return_dict=True)
    assert again.train_on_batch(imgs, targets, return_dict=True) == pytest.approx(expected)
