import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_keras.losses import OBJECTIVES
from cyclegan_keras.models.discriminator_updates import (
    gradient_penalty,
    squared_slope,
    update_jointly,
    update_separately,
)

SHAPE = (4, 4, 3)
RATE = 0.1
BOTH = pytest.mark.parametrize("update", [update_separately, update_jointly])


def linear(weight, bias=0.0):
    """Scores each pixel by one number times the sum of its channels, and a bias."""
    img = keras.Input(SHAPE)
    d = keras.Model(img, keras.layers.Conv2D(1, 1)(img))
    d.set_weights([np.full((1, 1, 3, 1), weight, "float32"), np.array([bias], "float32")])
    d.compile(loss="mse", optimizer=keras.optimizers.SGD(RATE), metrics=["accuracy"])
    d.optimizer.build(d.trainable_variables)
    return d


def without_loss(d):
    """Compiles a discriminator anew, so that nothing but penalties moves its weights."""
    d.compile(loss=lambda _, scores: 0 * scores, optimizer=keras.optimizers.SGD(RATE))
    d.optimizer.build(d.trainable_variables)
    return d


def flat(value, count=1):
    return tf.fill((count, *SHAPE), float(value))


def step(weight, bias, terms):
    """Moves `linear` by hand; terms are (factor, colour, target), the loss of each (s - t)²."""
    # On images of one colour c, every score is s = 3wc + b.
    slope_w = sum(factor * 2 * (3 * weight * c + bias - t) * c for factor, c, t in terms)
    slope_b = sum(factor * 2 * (3 * weight * c + bias - t) for factor, c, t in terms)
    return weight - RATE * slope_w, bias - RATE * slope_b


def with_norms():
    """A discriminator in float64, in which images affect each other by two batch norms."""
    kernel = keras.initializers.GlorotUniform
    img = keras.Input(SHAPE, dtype="float64")
    x = keras.layers.Conv2D(2, 3, dtype="float64", kernel_initializer=kernel(1))(img)
    x = keras.layers.BatchNormalization(dtype="float64")(x)
    x = keras.layers.Flatten(dtype="float64")(keras.ops.tanh(x))
    x = keras.layers.Dense(3, dtype="float64", kernel_initializer=kernel(2))(x)
    x = keras.ops.tanh(keras.layers.BatchNormalization(dtype="float64")(x))
    x = keras.layers.Dense(1, dtype="float64", kernel_initializer=kernel(3))(x)
    return keras.Model(img, x)


@pytest.mark.parametrize(
    "penalty", [lambda d, x: gradient_penalty(d, x, -x, 0.7), squared_slope], ids=["slope 1", "R1"]
)
def test_the_gradient_of_a_penalty_is_right_through_batch_norms(penalty):
    """TensorFlow's own moments take the mean for a constant, which only one derivative survives."""
    d, imgs = with_norms(), tf.constant(np.random.default_rng(0).normal(size=(3, *SHAPE)))
    weights = d.trainable_variables
    with tf.GradientTape() as tape:
        value = penalty(d, imgs)
    gradients = tape.gradient(value, weights)

    # Along a random direction, by differences.
    rng = np.random.default_rng(1)
    for variable, gradient in zip(weights, gradients, strict=True):
        before, direction = variable.numpy(), rng.normal(size=variable.shape)
        found = []
        for distance in (1e-5, -1e-5):
            variable.assign(before + distance * direction)
            found.append(float(penalty(d, imgs)))
        variable.assign(before)
        measured = 0.0 if gradient is None else np.sum(gradient * direction)
        assert measured == pytest.approx((found[0] - found[1]) / 2e-5, rel=1e-6, abs=1e-8)
    assert sum(gradient is not None for gradient in gradients) > 8


def test_separately_is_two_steps_and_jointly_is_one_on_half_the_sum():
    real, fake = 0.5, -0.2
    separately = step(*step(0.1, 0.2, [(1, real, 1)]), [(1, fake, 0)])
    jointly = step(0.1, 0.2, [(0.5, real, 1), (0.5, fake, 0)])
    for update, expected in ((update_separately, separately), (update_jointly, jointly)):
        d = linear(0.1, 0.2)
        logs = update(d, flat(real), flat(fake))
        kernel, bias = d.get_weights()
        np.testing.assert_allclose(kernel, expected[0], rtol=1e-6)
        np.testing.assert_allclose(bias, expected[1], rtol=1e-6)
        if update is update_jointly:
            loss = 0.5 * ((0.35 - 1) ** 2 + 0.14**2)
            assert float(logs["loss"]) == pytest.approx(loss, rel=1e-5)
            assert float(logs["acc"]) == 0.5  # 0.35 and 0.14 are both below one half.
            assert "penalty" not in logs


def test_real_images_of_the_other_domain_take_a_share_of_the_loss_on_translations():
    real, fake, source = 0.5, -0.2, 0.9
    fakes = [(0.75, fake, 0), (0.25, source, 0)]
    separately = step(*step(0.1, 0.2, [(1, real, 1)]), fakes)
    jointly = step(0.1, 0.2, [(0.5, real, 1), (0.375, fake, 0), (0.125, source, 0)])
    for update, expected in ((update_separately, separately), (update_jointly, jointly)):
        d = linear(0.1, 0.2)
        logs = update(d, flat(real), flat(fake), source=flat(source), source_share=0.25)
        kernel, bias = d.get_weights()
        np.testing.assert_allclose(kernel, expected[0], rtol=1e-6)
        np.testing.assert_allclose(bias, expected[1], rtol=1e-6)
        if update is update_jointly:
            loss = 0.5 * ((0.35 - 1) ** 2 + 0.75 * 0.14**2 + 0.25 * 0.47**2)  # 3 · 0.1 · 0.9 + 0.2
            assert float(logs["loss"]) == pytest.approx(loss, rel=1e-5)
            assert float(logs["acc"]) == 0.5  # Of real and translated alone.


def test_accuracy_goes_by_the_threshold():
    logs = update_jointly(linear(0.1, 0.2), flat(0.5), flat(-0.2), threshold=0.2)
    assert float(logs["acc"]) == 1.0  # 0.35 is above it, 0.14 below.


def test_the_slope_of_a_mean_of_scores():
    # The mean over 16 pixels of w·(sum of channels) has the slope w/16 in each of 48 numbers.
    for weight in (0.5, 16 / np.sqrt(48)):
        norm = weight / 16 * np.sqrt(48)
        result = gradient_penalty(linear(weight), flat(1, 2), flat(-1, 2), tf.zeros((2, 1, 1, 1)))
        assert float(result) == pytest.approx((norm - 1) ** 2, rel=1e-5, abs=1e-10)


def test_the_slope_is_taken_between_real_and_translated():
    img = keras.Input(SHAPE)
    squares = keras.layers.Lambda(lambda x: keras.ops.sum(x**2, axis=(1, 2, 3)) / 2)(img)
    d = keras.Model(img, squares)  # whose slope is the image itself
    shares = tf.constant([0.25, 1.0])[:, None, None, None]
    result = gradient_penalty(d, flat(1, 2), flat(-3, 2), shares)
    norms = np.sqrt(48) * np.abs([0.25 * 1 - 0.75 * 3, 1.0])
    assert float(result) == pytest.approx(np.mean((norms - 1) ** 2), rel=1e-5)


@BOTH
def test_the_penalty_moves_the_slope_towards_one(update):
    d = linear(0.5)
    step = tf.function(
        lambda: update(
            d, flat(0.1), flat(0.1), shares=tf.zeros((1, 1, 1, 1)), lambda_penalty=100.0
        ),
        autograph=False,
    )
    for _ in range(200):
        logs = step()
    assert float(logs["penalty"]) < 1e-3
    norm = np.linalg.norm(d.get_weights()[0]) / np.sqrt(16)
    assert norm == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(("update", "share"), [(update_separately, 1), (update_jointly, 0.5)])
def test_a_step_on_the_penalty_by_hand(update, share):
    d = without_loss(linear(0.5))
    update(d, flat(0.1), flat(0.1), shares=tf.zeros((1, 1, 1, 1)), lambda_penalty=2.0)
    # The slope's norm is √48 / 16 · w, if all three weights are w; each moves it by a third.
    factor = np.sqrt(48) / 16
    slope = share * 2.0 * 2 * (factor * 0.5 - 1) * factor / 3
    np.testing.assert_allclose(d.get_weights()[0], 0.5 - RATE * slope, rtol=1e-6)


@BOTH
@pytest.mark.parametrize("name", ["r1", "r2"])
def test_a_step_on_r1_and_r2_by_hand(update, name):
    d = without_loss(linear(0.5))
    logs = update(d, flat(0.1, 2), flat(-0.3, 2), **{name: 8.0})
    # The mean of 16 scores has the slope w/16 in each of 48 numbers.
    assert float(logs[name]) == pytest.approx(48 * (0.5 / 16) ** 2, rel=1e-6)
    slope = 0.5 * 8 * 16 * 2 * 0.5 / 16**2  # γ/2 · 16 pixels · 2w / 16², for each of the weights
    np.testing.assert_allclose(d.get_weights()[0], 0.5 - RATE * slope, rtol=1e-6)
    assert set(logs) == {"loss", "acc", name}
    assert float(logs["loss"]) == 0


@BOTH
def test_r1_is_measured_at_real_images_and_r2_at_translations(update):
    img = keras.Input(SHAPE)
    squares = keras.layers.Lambda(lambda x: keras.ops.square(x) / 2)(img)
    d = keras.Model(img, keras.layers.Conv2D(1, 1, kernel_initializer="ones")(squares))
    real, fake = tf.concat([flat(1), flat(2)], 0), tf.concat([flat(-3), flat(0)], 0)
    logs = update(without_loss(d), real, fake, r1=1e-9, r2=1e-9)
    # The slope of an image's mean score is the image itself, divided by 16 pixels.
    assert float(logs["r1"]) == pytest.approx(48 / 16**2 * (1 + 4) / 2, rel=1e-6)
    assert float(logs["r2"]) == pytest.approx(48 / 16**2 * (9 + 0) / 2, rel=1e-6)


@pytest.mark.parametrize("traced", [False, True])
@BOTH
def test_the_lazy_form_has_the_same_mean_over_its_steps(update, traced):
    d = without_loss(linear(0.5))
    weights = []

    def step(number):
        return update(d, flat(0.1), flat(-0.3), r1=8.0, step=number, every=3)["r1"]

    run = tf.function(step, autograph=False) if traced else step
    logs = []
    for number in range(4):
        logs.append(float(run(tf.constant(number))))
        weights.append(float(d.get_weights()[0].mean()))
    whole = 48 * (0.5 / 16) ** 2
    assert np.mean(logs[:3]) == pytest.approx(whole, rel=1e-6)
    assert logs[1:3] == [0, 0]
    moved = 0.5 * (1 - RATE * 3 * 8.0 / 16)  # Three times what `test_..._by_hand` has.
    assert weights[:3] == pytest.approx([moved] * 3, rel=1e-6)
    assert logs[3] == pytest.approx(3 * 48 * (moved / 16) ** 2, rel=1e-6)


@pytest.mark.parametrize("objective", OBJECTIVES)
@BOTH
def test_penalised_updates_are_those_of_pytorch(update, objective, float64, random_images):
    torch = pytest.importorskip("torch", reason="needs PyTorch (benchmarks/requirements.txt)")
    img = keras.Input(SHAPE)
    x = keras.layers.Conv2D(4, 3, activation="tanh")(img)
    d = keras.Model(img, keras.layers.Conv2D(2, 1)(x))
    d.compile(loss=OBJECTIVES[objective].discriminator, optimizer=keras.optimizers.SGD(RATE))
    d.optimizer.build(d.trainable_variables)
    real, fake = (random_images(3, *SHAPE, seed=seed, dtype="float64") for seed in (0, 1))

    # PyTorch has channels first, and in kernels the outputs before the inputs.
    weights = [w.transpose(3, 2, 0, 1) if w.ndim == 4 else w for w in d.get_weights()]
    weights = [torch.tensor(w, requires_grad=True) for w in weights]
    imgs = [torch.tensor(x.transpose(0, 3, 1, 2), requires_grad=True) for x in (real, fake)]

    def scores_of(x):
        x = torch.tanh(torch.nn.functional.conv2d(x, *weights[:2]))
        return torch.nn.functional.conv2d(x, *weights[2:])

    def loss_on(sign, x):
        scores = scores_of(x)
        return {
            "least_squares": lambda s: (s - max(sign, 0)) ** 2,
            "log_likelihood": lambda s: torch.nn.functional.softplus(-sign * s),
            "hinge": lambda s: torch.relu(1 - sign * s),
            "wasserstein": lambda s: -sign * s,
        }[objective](scores).mean()

    def squared_slope(x):
        means = scores_of(x).mean(dim=(1, 2, 3))
        (slopes,) = torch.autograd.grad(means.sum(), x, create_graph=True)
        return slopes.square().sum(dim=(1, 2, 3)).mean()

    def descend(loss):
        for weight, slope in zip(weights, torch.autograd.grad(loss, weights), strict=True):
            weight.data -= RATE * slope

    def on_real():
        return loss_on(1, imgs[0]), 0.5 * 7 * squared_slope(imgs[0])

    def on_fake():
        return loss_on(-1, imgs[1]), 0.5 * 3 * squared_slope(imgs[1])

    if update is update_separately:
        for half in (on_real, on_fake):
            descend(sum(half()))
    else:
        (real_loss, r1), (fake_loss, r2) = on_real(), on_fake()
        descend(0.5 * (real_loss + fake_loss) + r1 + r2)

    update(d, tf.constant(real), tf.constant(fake), r1=7.0, r2=3.0)
    for ours, theirs in zip(d.get_weights(), weights, strict=True):
        theirs = theirs.detach().numpy()
        theirs = theirs.transpose(2, 3, 1, 0) if theirs.ndim == 4 else theirs
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-14)
