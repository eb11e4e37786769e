"""Steps of CyCADA against a transcription in PyTorch, number by number, in float64."""

import keras
import numpy as np
import pytest
from keras import ops

from cyclegan_keras.config.classifiers import StridedConfig
from cyclegan_keras.config.train_config import TrainConfig
from cyclegan_keras.models import classifying
from cyclegan_keras.models.cycada import CyCADA
from cyclegan_keras.networks.classifiers import build_classifier, build_feature_discriminator
from tests import test_paper_parity as paper

torch = pytest.importorskip("torch", reason="needs PyTorch (requirements-dev.txt)")
one_thread = paper.one_thread

RTOL, ATOL = 1e-9, 1e-11
SHAPE = (32, 32, 3)
CLASSES = ("a", "b", "c")


def weights_of(network: keras.Model) -> list:
    """Kernels of convolutions as PyTorch has them, all others as Keras has them."""
    found = (np.asarray(weight) for weight in network.weights)
    return [torch.tensor(w.transpose(3, 2, 0, 1) if w.ndim == 4 else w) for w in found]


def copy_lenet(network: keras.Model, other) -> None:
    for parameter, weight in zip(other.parameters(), weights_of(network), strict=True):
        parameter.data.copy_(weight.T if weight.ndim == 2 else weight)


def assert_same(network: keras.Model, others: list, step: int) -> None:
    # Biases before a norm have no gradient but what rounding leaves, which Adam makes larger.
    for weight, mine, other in zip(network.weights, weights_of(network), others, strict=True):
        np.testing.assert_allclose(
            mine, other.detach().numpy(), RTOL, 1e-9, err_msg=f"{weight.path}, step {step}"
        )


@pytest.mark.usefixtures("float64", "untraced")
def test_steps_of_the_image_stage_are_the_papers(random_images):
    from tests import torch_cycada

    config = TrainConfig(
        model="cycada",
        recipe="paper",
        gf=4,
        df=4,
        num_blocks=1,
        discriminator="patch70",
        classifier="lenet",
        cf=2,
        pool_size=2,
        lambda_semantic=0.5,
        lambda_semantic_B=2.0,
        seed=7,
    ).replace(classes=CLASSES)
    gan = CyCADA(**config.model_settings())
    other = torch_cycada.ImageStage(4, 4, 1, 2, 2, len(CLASSES))
    networks = {name: getattr(other, name) for name in ("g_AB", "g_BA", "d_A", "d_B")}
    for name, network in networks.items():
        paper.copy_weights(getattr(gan, name), network)
    copy_lenet(gan.c_source, other.c_source)
    before = gan.c_source.get_weights()

    gan.begin_stage("image")
    for step in range(2):
        imgs_A, imgs_B = random_images(2, 2, *SHAPE, seed=step, dtype="float64")
        draws = [paper.next_draws(pool, 2) for pool in (gan.pool_A, gan.pool_B)]
        imgs_B = imgs_B + 0.7
        images = [paper.channels_first(imgs) for imgs in (imgs_A, imgs_B)]
        labels = [other.c_source(imgs).argmax(1).tolist() for imgs in images]
        assert labels[0] != labels[1], "other images are needed"
        losses = other.step(*images, *draws, weight_A=0.5, weight_B=2.0)
        # Labels of A that are there are not what the semantic loss goes by.
        logs = gan.train_step(((imgs_A, np.array([0, 1])), imgs_B))
        paper.assert_same_losses(logs, losses, step)
        for name, network in networks.items():
            paper.assert_same_weights(getattr(gan, name), network, step)
    for weight, now in zip(before, gan.c_source.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, now)


def classifier(seed: int) -> keras.Model:
    """Without dropout."""
    network = build_classifier(SHAPE, len(CLASSES), StridedConfig(cf=2), seed, f"c_{seed}")
    for layer in network.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
    classifying.compile_classifier(network, 1e-3)
    network.optimizer.build(network.trainable_variables)
    return network


@pytest.mark.usefixtures("float64", "untraced")
def test_steps_of_the_feature_stage_are_those_of_adda(random_images):
    from tests import torch_cycada

    source, target = classifier(0), classifier(1)
    d = build_feature_discriminator(len(CLASSES), units=5, seed=3, name="d_both")
    classifying.compile_classifier(d, 1e-3)
    other = torch_cycada.FeatureStage(
        *(torch_cycada.Strided(weights_of(c)) for c in (source, target)), weights_of(d), 1e-3
    )
    for w in (*other.target.trained, *other.d):
        w.requires_grad_()

    moved = []
    for step in range(4):
        imgs_A, imgs_B = random_images(2, 4, *SHAPE, seed=step, dtype="float64")
        imgs_A = imgs_A + 0.5 * step
        expected = other.step(*map(paper.channels_first, (imgs_A, imgs_B)), least_acc=0.55)
        scores = source(imgs_A, training=False)
        found = classifying.adapt(target, d, scores, ops.convert_to_tensor(imgs_B), 0.55)
        received = {name: float(value) for name, value in found.items()}
        assert received == pytest.approx(expected, rel=RTOL), f"step {step}"
        assert_same(d, other.d, step)
        assert_same(target, other.target.all, step)
        moved.append(received["moved"])
    assert set(moved) == {0.0, 1.0}, "other images are needed"


@pytest.mark.usefixtures("float64", "untraced")
def test_a_step_of_a_classifier_is_adams_on_the_cross_entropy(random_images):
    from tests import torch_cycada

    network = classifier(0)
    other = torch_cycada.Strided(weights_of(network))
    for w in other.trained:
        w.requires_grad_()
    adam = torch_cycada.Adam(other.trained, 1e-3, 0.9)
    for step in range(2):
        imgs = random_images(3, *SHAPE, seed=step, dtype="float64")
        labels = np.array([2, 0, 2])
        scores = other(paper.channels_first(imgs), training=True)
        expected = adam.step(torch.nn.functional.cross_entropy(scores, torch.tensor(labels)))
        found = classifying.train_classifier(network, ops.convert_to_tensor(imgs), labels)
        assert float(found["loss"]) == pytest.approx(expected, rel=RTOL)
        assert_same(network, other.all, step)
