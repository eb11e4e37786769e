"""The step is the book's, and each of the models is a real compiled Keras model."""

import keras
import numpy as np
import pytest

from cyclegan_keras import CycleGAN, DataLoader
from cyclegan_keras.models.combined import OUTPUTS
from cyclegan_keras.networks import build_patch_discriminator, build_unet_generator
from tests.tiny import Tiny, convolution

SHAPE = (32, 32, 3)
GF = 8  # So that each way to double and convolve is taken; see `UpsampleConv2D`.
BATCH_SIZES = (4, 4, 3)
# Keras begins at 32768, finds that too much for these losses, and comes down by itself.
MODEST_SCALE = 256.0
NETWORKS = ("g_AB", "g_BA", "d_A", "d_B")
# Networks with all kinds of layers, and as few as there can be.
FEW_LAYERS = {"gf": 2, "df": 2, "generator": "resnet", "num_blocks": 0, "discriminator": "patch16"}


class Book:
    """Listings 9.3 to 9.6, line by line, with nothing of the package's but the bare networks.

    The book freezes the discriminators by `trainable = False`. Keras 3 reads that flag whenever it
    runs a model eagerly, so this runs eagerly and sets the flag before each call, which is what the
    book means.
    """

    def __init__(self):
        self.d_A, self.d_B = (build_patch_discriminator(SHAPE, df=2, seed=seed) for seed in (1, 2))
        self.g_AB, self.g_BA = (build_unet_generator(SHAPE, gf=GF, seed=seed) for seed in (3, 4))
        for g in (self.g_AB, self.g_BA):
            g.run_eagerly = True  # Tracing takes far longer than the two steps.
        self.disc_patch = (2, 2, 1)
        for d in (self.d_A, self.d_B):
            d.compile(
                loss="mse",
                optimizer=keras.optimizers.Adam(0.0002, 0.5),
                metrics=["accuracy"],
                run_eagerly=True,
            )
        img_A, img_B = keras.Input(SHAPE), keras.Input(SHAPE)
        fake_B, fake_A = self.g_AB(img_A), self.g_BA(img_B)
        outputs = [self.d_A(fake_A), self.d_B(fake_B), self.g_BA(fake_B), self.g_AB(fake_A)]
        outputs += [self.g_BA(img_A), self.g_AB(img_B)]
        outputs = [keras.layers.Identity(name=n)(x) for n, x in zip(OUTPUTS, outputs, strict=True)]
        self.combined = keras.Model([img_A, img_B], outputs)
        self.freeze(True)
        self.combined.compile(
            loss=["mse", "mse", "mae", "mae", "mae", "mae"],
            loss_weights=[1, 1, 10.0, 10.0, 9.0, 9.0],
            optimizer=keras.optimizers.Adam(0.0002, 0.5),
            run_eagerly=True,
        )

    def freeze(self, frozen):
        self.d_A.trainable = self.d_B.trainable = not frozen

    def step(self, imgs_A, imgs_B):
        self.freeze(False)
        return book_step(self, imgs_A, imgs_B, before_generators=lambda: self.freeze(True))


def book_step(gan, imgs_A, imgs_B, before_generators=lambda: None):
    """The body of listing 9.6's loop."""
    valid = np.ones((len(imgs_A), *gan.disc_patch))
    fake = np.zeros((len(imgs_A), *gan.disc_patch))

    fake_B = gan.g_AB.predict(imgs_A, verbose=0)
    fake_A = gan.g_BA.predict(imgs_B, verbose=0)

    dA_loss_real = gan.d_A.train_on_batch(imgs_A, valid)
    dA_loss_fake = gan.d_A.train_on_batch(fake_A, fake)
    dA_loss = 0.5 * np.add(dA_loss_real, dA_loss_fake)

    dB_loss_real = gan.d_B.train_on_batch(imgs_B, valid)
    dB_loss_fake = gan.d_B.train_on_batch(fake_B, fake)
    dB_loss = 0.5 * np.add(dB_loss_real, dB_loss_fake)

    d_loss = 0.5 * np.add(dA_loss, dB_loss)

    before_generators()
    g_loss = gan.combined.train_on_batch(
        [imgs_A, imgs_B], [valid, valid, imgs_A, imgs_B, imgs_A, imgs_B], return_dict=True
    )
    logs = {"g_loss": g_loss.pop("loss"), **g_loss}
    for name, (loss, acc) in (("d", d_loss), ("d_A", dA_loss), ("d_B", dB_loss)):
        logs |= {f"{name}_loss": loss, f"{name}_acc": acc}
    return {name: float(value) for name, value in logs.items()}


def copy_weights(source, target):
    for name in NETWORKS:
        getattr(target, name).set_weights(getattr(source, name).get_weights())


def assert_same_weights(one, other, tolerance):
    for name in NETWORKS:
        networks = getattr(one, name), getattr(other, name)
        for a, b in zip(*(network.get_weights() for network in networks), strict=True):
            assert np.abs(a - b).max() <= tolerance * np.abs(a).max(), name


def batches(random_images, num_batches, dtype="float64", sizes=BATCH_SIZES):
    for step in range(num_batches):
        size = sizes[step % len(sizes)]
        yield tuple(
            random_images(size, *SHAPE, seed=2 * step + domain, dtype=dtype) for domain in (0, 1)
        )


def test_steps_are_those_of_the_book(float64, random_images):
    """Traced, as always."""
    book, gan = Book(), CycleGAN(SHAPE, gf=GF, df=2, seed=0)
    copy_weights(gan, book)
    start = {name: getattr(gan, name).get_weights() for name in NETWORKS}
    for imgs_A, imgs_B in batches(random_images, 2, sizes=(2,)):
        expected = book.step(imgs_A, imgs_B)
        logs = {name: float(value) for name, value in gan.train_step((imgs_A, imgs_B)).items()}
        assert logs == pytest.approx(expected, rel=1e-9)
    assert_same_weights(book, gan, 1e-9)
    for name in NETWORKS:  # Adam at 2e-4: two steps move most weights by far more than this.
        end = getattr(gan, name).get_weights()
        distances = [np.abs(a - b).max() for a, b in zip(start[name], end, strict=True)]
        assert min(distances) > 1e-4, name


class Bare(Tiny):
    """Without dropout, whose random numbers go on with each call."""

    def build_generator(self):
        img = keras.Input(self.img_shape)
        return keras.Model(img, convolution(3, 1, "tanh", self._next_seed())(img))


@pytest.mark.integration
def test_the_three_models_are_traced_with_what_each_of_them_trains(float64, random_images):
    # Keras 3 reads which weights are trained when it traces, and not when it compiles.
    by_hand, gan = (Bare(SHAPE, seed=0) for _ in range(2))
    for g in by_hand.generators.values():
        g.run_eagerly = True  # `predict` trains nothing.
    for imgs_A, imgs_B in batches(random_images, 3):
        logs = {name: float(value) for name, value in gan.train_step((imgs_A, imgs_B)).items()}
        assert book_step(by_hand, imgs_A, imgs_B) == pytest.approx(logs, rel=1e-9)
    assert_same_weights(by_hand, gan, 1e-9)


def snapshot(gan):
    return {name: getattr(gan, name).get_weights() for name in NETWORKS}


def moved(gan, before):
    return {
        name
        for name in NETWORKS
        if any(
            not np.array_equal(a, b)
            for a, b in zip(before[name], getattr(gan, name).get_weights(), strict=True)
        )
    }


def test_each_model_moves_its_own_weights_in_any_order_at_any_batch_size(random_images, untraced):
    gan = Tiny(SHAPE, seed=0)
    calls = ["combined", "d_A", "combined", "d_B", "d_A", "combined", "d_B"]
    for number, name in enumerate(calls):
        size = 1 + number % 3
        x = random_images(size, *SHAPE, seed=number)
        valid = np.ones((size, *gan.disc_patch))
        before = snapshot(gan)
        if name == "combined":
            gan.combined.train_on_batch([x, x], [valid, valid, x, x, x, x])
            assert moved(gan, before) == {"g_AB", "g_BA"}
        else:
            getattr(gan, name).train_on_batch(x, valid)
            assert moved(gan, before) == {name}


def test_compiled_as_in_the_book():
    gan = CycleGAN()
    assert gan.img_shape == (128, 128, 3)
    assert (gan.gf, gan.df, gan.lambda_cycle, gan.lambda_id) == (32, 64, 10.0, 9.0)
    assert gan.disc_patch == (8, 8, 1)
    assert gan.combined.output_names == list(OUTPUTS)
    assert gan.combined.loss == ["mse", "mse", "mae", "mae", "mae", "mae"]
    assert gan.combined.loss_weights == [1, 1, 10.0, 10.0, 9.0, 9.0]
    for model in (gan.d_A, gan.d_B, gan.combined):
        assert isinstance(model.optimizer, keras.optimizers.Adam)
        assert float(model.optimizer.learning_rate) == pytest.approx(2e-4)
        assert model.optimizer.beta_1 == 0.5
    assert gan.d_A.loss == "mse"
    assert len({id(model.optimizer) for model in (gan.d_A, gan.d_B, gan.combined)}) == 3


def test_identity_weight_is_absolute():
    gan = CycleGAN(SHAPE, gf=2, df=2, lambda_cycle=4.0, lambda_id=0.5)
    assert gan.combined.loss_weights == [1, 1, 4.0, 4.0, 0.5, 0.5]
    assert CycleGAN(SHAPE, gf=2, df=2, lambda_cycle=4.0).lambda_id == pytest.approx(3.6)


def test_six_outputs_are_what_their_names_say(tiny_gan, random_images):
    gan, (img_A, img_B) = tiny_gan, (random_images(2, *SHAPE, seed=s) for s in (1, 2))
    outputs = [np.asarray(output) for output in gan.combined([img_A, img_B])]
    fake_B, fake_A = gan.g_AB(img_A), gan.g_BA(img_B)
    expected = [
        gan.d_A(fake_A),
        gan.d_B(fake_B),
        gan.g_BA(fake_B),
        gan.g_AB(fake_A),
        gan.g_BA(img_A),
        gan.g_AB(img_B),
    ]
    for name, ours, truth in zip(OUTPUTS, outputs, expected, strict=True):
        np.testing.assert_allclose(ours, np.asarray(truth), atol=1e-6, err_msg=name)


def test_compiling_anew_changes_the_fast_step_too(random_images):
    gan = Tiny(SHAPE, seed=0)
    for g in gan.generators.values():
        g.layers[1].rate = 0.0  # Without dropout, which would be another one here and there.
    data = (random_images(1, *SHAPE), random_images(1, *SHAPE, seed=1))
    gan.train_step(data)
    before = snapshot(gan)
    for d in (gan.d_A, gan.d_B):
        d.compile(loss="mae", optimizer=keras.optimizers.SGD(0.0))
    scores = [np.asarray(gan.d_A(x)) for x in (data[0], gan.g_BA(data[1]))]
    logs = gan.train_step(data)
    assert moved(gan, before) == {"g_AB", "g_BA"}
    expected = 0.5 * (np.abs(scores[0] - 1).mean() + np.abs(scores[1]).mean())
    assert float(logs["d_A_loss"]) == pytest.approx(expected, rel=1e-5)
    # The classic halving, with the very same optimizer.
    gan.d_A.compile(loss="mae", loss_weights=[0.5], optimizer=gan.d_A.optimizer)
    scores = [np.asarray(gan.d_A(x)) for x in (data[0], gan.g_BA(data[1]))]
    expected = 0.25 * (np.abs(scores[0] - 1).mean() + np.abs(scores[1]).mean())
    assert float(gan.train_step(data)["d_A_loss"]) == pytest.approx(expected, rel=1e-5)
    gan.combined.compile(loss=["mse"] * 6, loss_weights=[0, 0, 1, 0, 0, 0], optimizer="sgd")
    reconstructed = np.asarray(gan.g_BA(gan.g_AB(data[0])))
    logs = gan.train_step(data)
    assert float(logs["g_loss"]) == pytest.approx(np.mean((reconstructed - data[0]) ** 2), rel=1e-5)


def test_learning_rate_can_be_changed_between_steps(random_images):
    gan, data = Tiny(SHAPE, seed=0), (random_images(1, *SHAPE), random_images(1, *SHAPE, seed=1))
    gan.train_step(data)
    gan.combined.optimizer.learning_rate = 0.0
    before = snapshot(gan)
    gan.train_step(data)
    assert moved(gan, before) == {"d_A", "d_B"}


def test_a_subclass_brings_its_own_networks(random_images, untraced):
    class Linear(CycleGAN):
        def build_generator(self):
            return keras.Sequential([keras.Input(self.img_shape), keras.layers.Conv2D(3, 1)])

    gan = Linear(SHAPE, df=2, seed=0)
    before = snapshot(gan)
    gan.train_step((random_images(1, *SHAPE), random_images(1, *SHAPE, seed=1)))
    assert gan.g_AB.count_params() == 12
    assert moved(gan, before) == set(NETWORKS)


def test_a_seed_gives_the_same_start():
    one, same = (CycleGAN(SHAPE, gf=2, df=2, seed=3) for _ in range(2))
    assert_same_weights(one, same, 0.0)
    start = [getattr(one, name).get_weights()[0].ravel()[0] for name in NETWORKS]
    assert len(set(start)) == len(NETWORKS)


def test_nothing_is_read_before_training(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    gan = CycleGAN()
    with pytest.raises(ValueError, match="epochs"):
        gan.train(epochs=0)
    assert list(tmp_path.iterdir()) == []


def test_a_loader_of_another_size_is_named_before_anything_begins(tiny_gan, monkeypatch):
    monkeypatch.setattr(tiny_gan, "data_loader", DataLoader("nowhere", (64, 64)))
    with pytest.raises(ValueError, match=r"\(64, 64\) with 3 channels .*\(32, 32, 3\)"):
        tiny_gan.train(epochs=1, batch_size=1)


def test_saving_the_whole_says_what_to_save_instead(tiny_gan, tmp_path):
    with pytest.raises(NotImplementedError, match=r"g_AB\.save.*save_weights"):
        tiny_gan.save(tmp_path / "gan.keras")


# In float16, see tests/models/test_base.py and the tests below.
@pytest.mark.parametrize(
    "policy", ["mixed_bfloat16", pytest.param("mixed_float16", marks=pytest.mark.slow)]
)
def test_mixed_precision_trains_all_four_networks(policy, dtype_policy, random_images, untraced):
    dtype_policy(policy)
    gan = CycleGAN(SHAPE, gf=2, df=2, seed=0, learning_rate=1e-3)
    for optimizer in gan.optimizers:
        if policy == "mixed_float16":
            optimizer.dynamic_scale.assign(MODEST_SCALE)
    data = (random_images(2, *SHAPE), random_images(2, *SHAPE, seed=1))
    before = snapshot(gan)
    losses = [float(gan.train_step(data)["g_loss"]) for _ in range(2)]
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]
    assert moved(gan, before) == set(NETWORKS)
    assert all(np.isfinite(w).all() for name in NETWORKS for w in getattr(gan, name).get_weights())


def test_each_optimizer_scales_its_loss_in_half_precision(dtype_policy, random_images, untraced):
    dtype_policy("mixed_float16")
    gan = CycleGAN(SHAPE, seed=0, **FEW_LAYERS)
    data = (random_images(2, *SHAPE), random_images(2, *SHAPE, seed=1))
    for optimizer in gan.optimizers:
        optimizer.dynamic_scale.assign(MODEST_SCALE)
    too_much = 2.0**60  # Gradients overflow: the weights must stay, the scale must fall.
    for index, optimizer in enumerate(gan.optimizers):
        before = snapshot(gan)
        optimizer.dynamic_scale.assign(too_much)
        gan.train_step(data)
        own = ({"d_A"}, {"d_B"}, {"g_AB", "g_BA"})[index]
        assert moved(gan, before) == set(NETWORKS) - own
        # One update of the generators is halved once, the two of a discriminator twice.
        assert float(optimizer.dynamic_scale) == too_much / (2 if index == 2 else 4)
        optimizer.dynamic_scale.assign(MODEST_SCALE)


def test_half_precision_moves_weights_as_full_precision_does(dtype_policy, random_images, untraced):
    # Left unscaled in one place and scaled in the other, steps would be thousands of times off.
    data = (random_images(2, *SHAPE), random_images(2, *SHAPE, seed=1))
    moves = []
    for policy in ("float32", "mixed_float16"):
        dtype_policy(policy)
        gan = CycleGAN(SHAPE, gf=2, df=2, seed=0)
        for model in (gan.d_A, gan.d_B, gan.combined):
            # Plain descent: Adam's steps do not show a gradient's scale.
            settings = model.get_compile_config()
            losses = {key: settings[key] for key in ("loss", "loss_weights")}
            model.compile(optimizer=keras.optimizers.SGD(1e-3), **losses)
            if policy == "mixed_float16":
                model.optimizer.build(model.trainable_variables)
                model.optimizer.dynamic_scale.assign(MODEST_SCALE)
        before = snapshot(gan)
        gan.train_step(data)
        after = snapshot(gan)
        moves.append(
            {
                name: np.concatenate(
                    [(b - a).ravel() for a, b in zip(before[name], after[name], strict=True)]
                )
                for name in NETWORKS
            }
        )
    for name in NETWORKS:
        full, half = moves[0][name], moves[1][name]
        assert np.linalg.norm(half - full) < 0.05 * np.linalg.norm(full), name


def test_the_books_call_trains_and_draws_samples(loader, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    gan = Tiny(SHAPE, seed=0, data_loader=loader)
    before = snapshot(gan)
    history = gan.train(epochs=2, batch_size=2, sample_interval=2)
    assert moved(gan, before) == set(NETWORKS)
    assert len(history.history["g_loss"]) == 2
    # Three batches an epoch; samples after steps 2, 4 and 6.
    names = sorted(path.name for path in (tmp_path / "images" / "small_fruit").iterdir())
    assert names == ["0_1.png", "1_0.png", "1_2.png"]


def test_all_weights_and_optimizers_survive_a_file(tmp_path, random_images, untraced):
    data = (random_images(1, *SHAPE), random_images(1, *SHAPE, seed=1))
    one, other = Tiny(SHAPE, seed=1), Tiny(SHAPE, seed=2)
    one.train_step(data)
    one.save_weights(tmp_path / "gan.weights.h5")
    other.load_weights(tmp_path / "gan.weights.h5")
    logs = [{k: float(v) for k, v in gan.train_step(data).items()} for gan in (one, other)]
    assert logs[0] == logs[1]
    assert_same_weights(one, other, 0.0)


@pytest.mark.parametrize("d_source", [0.0, 0.25])
def test_what_is_to_be_changed_has_a_share_of_what_discriminators_call_translated(
    d_source, random_images
):
    settings = {"discriminator_update": "joint", "update_first": "generators"}
    gan = Bare(SHAPE, seed=0, learning_rate=1e-9, d_source=d_source, **settings)
    x = {name: random_images(1, *SHAPE, seed=seed) for seed, name in enumerate("AB")}
    fakes = {"A": gan.g_BA(x["B"]), "B": gan.g_AB(x["A"])}
    # Not traced, which takes far longer than one step.
    logs = gan._step(x["A"], x["B"])
    for name, other in ("AB", "BA"):
        d = {"A": gan.d_A, "B": gan.d_B}[name]
        to_one = np.mean((np.asarray(d(x[name])) - 1) ** 2)
        to_zero, source = (np.mean(np.asarray(d(imgs)) ** 2) for imgs in (fakes[name], x[other]))
        assert to_zero != pytest.approx(source, rel=1e-3)
        expected = 0.5 * (to_one + (1 - d_source) * to_zero + d_source * source)
        assert float(logs[f"d_{name}_loss"]) == pytest.approx(expected, rel=1e-5)


def test_a_wrong_share_is_told():
    with pytest.raises(ValueError, match=r"below 1. Received: d_source=1.0"):
        CycleGAN(SHAPE, gf=2, df=2, d_source=1.0)
