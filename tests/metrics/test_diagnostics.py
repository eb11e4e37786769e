import re

import numpy as np
import pytest

from cyclegan_keras.config.models import MODELS
from cyclegan_keras.layers.residual_output import ChangeImage
from cyclegan_keras.metrics import diagnostics

GOOD = {
    "on_test_images": True,
    **{f"cycle_{d}": 3.0 for d in "AB"},
    **{f"identity_{d}": 2.0 for d in "AB"},
    "truth_AB": 5.0,
    "truth_BA": 8.0,
    "truth_untranslated": 20.0,
    "change_AB": 18.0,
    "change_BA": 3.1,
    "extractor": "EfficientNet-Lite0",
    "kernel_AB": 0.02,
    "kernel_BA": 0.03,
    "kernel_untranslated": 0.08,
    "kernel_real_A": 0.001,
    "kernel_real_B": 0.002,
    "strength_AB": 0.9,
    "strength_BA": 0.7,
    "accuracy_A": 0.95,
    "accuracy_B": 0.8,
    "diversity_AB": 1.1,
    "diversity_BA": 0.5,
}


def test_a_generator_that_changes_nothing_is_named_whatever_the_image():
    """Black and white could not stay what they are in the residual generators of earlier files."""
    image = np.float32([-1, 1, 0]).reshape(1, 1, 1, 3)
    kept = np.asarray(ChangeImage(exact=False)([np.zeros_like(image), image]))
    most = float(np.abs(kept - image).max()) * 127.5
    assert 3 < most < diagnostics.COPYING
    assert "copies its input" in diagnostics.problems({"change_AB": most})[0]


def test_the_summary():
    assert diagnostics.summary(GOOD) == (
        "Mean absolute errors on test images, in levels of 0 to 255:\n"
        "  A → B error to ground truth       5.00   untranslated 20.00   (25%)\n"
        "  B → A error to ground truth       8.00   untranslated 20.00   (40%)\n"
        "  A → B change of the input        18.00\n"
        "  B → A change of the input         3.10\n"
        "  cycle error                 3.00 (A)     3.00 (B)\n"
        "  identity error              2.00 (A)     2.00 (B)\n"
        "Comparing features of EfficientNet-Lite0, on test images:\n"
        "  A → B KID (kernel distance)  0.0200   untranslated 0.0800   halves of real B 0.0020\n"
        "  B → A KID (kernel distance)  0.0300   untranslated 0.0800   halves of real A 0.0010\n"
        "  A → B classified as B  90%   (real B: 80%)\n"
        "  B → A classified as A  70%   (real A: 95%)"
    )


def test_what_was_not_measured_is_not_told():
    metrics = {"on_test_images": False, "change_AB": 10.0}
    assert diagnostics.summary(metrics) == (
        "Mean absolute errors on training images, in levels of 0 to 255:"
        "\n  A → B change of the input        10.00"
    )
    one_way = {key: x for key, x in GOOD.items() if not key.endswith(("BA", "_real_B"))}
    words = diagnostics.summary({key: x for key, x in one_way.items() if key[:5] != "cycle"})
    assert "B → A" not in words
    assert "cycle" not in words
    assert "halves" not in words


def test_images_that_are_their_own_truth_have_no_share():
    metrics = {"on_test_images": True, "truth_AB": 0.0, "truth_untranslated": 0.0}
    assert "%" not in diagnostics.summary(metrics)


def test_good_generators_have_no_problems():
    assert diagnostics.problems(GOOD) == []
    assert diagnostics.problems({"num_A": 3}) == []


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("change_AB", 2.9, "g_AB copies its input: it changes a pixel by 2.9 of 255 levels"),
        (
            "diversity_BA",
            0.49,
            "g_BA produces nearly the same image for every input (mode collapse)",
        ),
        ("kernel_AB", 0.08, "g_AB brings its images no closer to B: the KID (kernel distance)"),
        ("accuracy_A", 0.79, "The classifier recognizes only 79% of real A and 80% of real B"),
    ],
)
def test_each_problem_is_named(name, value, said):
    (problem,) = diagnostics.problems({**GOOD, name: value})
    assert problem.startswith(said)


def test_only_settings_that_the_model_has_are_advised():
    bad = {**GOOD, "change_AB": 2.9, "diversity_BA": 0.49}
    assert all("--lambda-cycle" in problem for problem in diagnostics.problems(bad))
    pix2pix = MODELS["pix2pix"].settings
    copies, collapsed = diagnostics.problems(bad, pix2pix)
    assert copies.endswith("levels on average.")
    assert collapsed.endswith("A larger --lambda-l1 ties each translation to its input.")
    shares, losses = {"d": [0.99]}, {"d": [0.01]}
    (wins,) = diagnostics.discriminator_problems(shares, losses, 0.25, pix2pix)
    assert wins.endswith("more images help.")


def test_discriminators_that_win_or_lose():
    def problems(accuracy, loss, blind_loss=0.25, before=None):
        shares, losses = zip(before or (accuracy, loss), (accuracy, loss), strict=True)
        return diagnostics.discriminator_problems({"d_A": shares}, {"d_A": losses}, blind_loss)

    assert problems(0.98, 0.03) == []
    # As where the paper's recipe went well: right in half of the cases, and a loss as if blind.
    assert problems(0.49, 0.28) == []
    assert problems(0.4, 0.374) == []
    # As in the first hundred steps of the book's recipe, the paper's and the fast one.
    assert problems(0.706, 0.86) == []
    # After these, the loss was smaller; and at a first look nobody knows whether it will be.
    assert (
        problems(0.513, 0.3, before=(0.513, 0.9)) == problems(0.52, 0.3, before=(0.504, 0.4)) == []
    )
    assert (
        problems(0.513, 0.9, before=(0.56, 0.9)) == problems(0.513, 0.9, before=(0.5, 0.37)) == []
    )
    assert diagnostics.discriminator_problems({"d_A": [0.513]}, {"d_A": [0.9]}, 0.25) == []
    # As of one that was frozen, seen twice.
    (loses,) = problems(0.524, 0.434, before=(0.535, 0.419))
    assert loses.startswith("d_A always loses (loss 0.43;")
    assert problems(0.4, 0.6, blind_loss=1.0) == []
    (wins,), (loses,) = problems(0.99, 0.01), problems(0.3, 0.375)
    assert wins.startswith("d_A always wins (accuracy 99.0%)")
    assert re.search(r"more images help, .*--diffaugment-translation 0\.125", wins)
    assert loses.startswith(
        "d_A always loses (loss 0.38; a discriminator that ignores its input has 0.25)"
    )
