import pytest

from cyclegan_keras.networks import build_discriminator, build_generator


@pytest.mark.parametrize(
    ("settings", "count"),
    [
        # The papers' networks, by the literature's counts.
        ({"kind": "resnet", "num_blocks": 9}, 11_378_179),
        ({"kind": "resnet"}, 11_378_179),
        ({"kind": "resnet", "num_blocks": 6}, 7_837_699),
        ({"kind": "deep_unet", "dropout": 0.5}, 54_413_955),
    ],
)
def test_generators(settings, count):
    assert build_generator((256, 256, 3), 64, **settings).count_params() == count


def test_what_is_asked_of_a_generator_is_in_it():
    def kinds(**settings):
        return [type(x).__name__ for x in build_generator((64, 64, 3), 2, **settings).layers]

    assert "UpsampleConv2D" in kinds(kind="resnet", num_blocks=0, upsampling="resize")
    assert "UpsampleConv2D" not in kinds(kind="resnet", num_blocks=0)
    for kind in ("unet", "deep_unet"):
        assert "Dropout" in kinds(kind=kind, dropout=0.5)
        assert "Dropout" not in kinds(kind=kind, dropout=0.0)


@pytest.mark.parametrize(
    ("kind", "patches"),
    [
        ("book", 16),
        ("patch1", 256),
        ("patch16", 126),
        ("patch34", 62),
        ("patch70", 30),
        ("patch142", 14),
        ("patch286", 6),
    ],
)
def test_discriminators(kind, patches):
    assert build_discriminator((256, 256, 3), 2, kind).output_shape == (None, patches, patches, 1)


def test_names_that_there_are_not():
    with pytest.raises(ValueError, match="`generator` must be one of unet, resnet, deep_unet"):
        build_generator((64, 64, 3), 4, "vgg")
    with pytest.raises(ValueError, match="`discriminator` must be one of book, patch1, patch16"):
        build_discriminator((64, 64, 3), 4, "patch9")
