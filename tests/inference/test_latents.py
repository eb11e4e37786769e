import keras
import numpy as np
import pytest
from PIL import Image

from cyclegan_keras import load_encoder, load_generator, save_generator, translate_image
from cyclegan_keras.config.augmented import LatentResNetConfig, LatentsConfig
from cyclegan_keras.inference import latents, references
from cyclegan_keras.inference.arrays import translate_images
from cyclegan_keras.inference.saving import in_full_precision
from cyclegan_keras.layers import ConditionalInstanceNormalization, InstanceNormalization
from cyclegan_keras.networks.latent import encoder, latent_resnet

SHAPE = (16, 16, 3)


def generator(shape=SHAPE, **settings):
    """With weights large enough for the latent to matter."""
    g = latent_resnet(LatentResNetConfig(gf=2, num_blocks=1, **settings), shape, 0, "g_AB", 3)
    rng = np.random.default_rng(0)
    g.set_weights([w + rng.normal(0, 0.2, w.shape) for w in g.get_weights()])
    return g


@pytest.mark.parametrize(
    "settings",
    [{}, {"num_halvings": 2, "skips": True, "blend": True, "upsampling": "resize"}],
    ids=["paper", "fast"],
)
def test_a_fixed_latent_gives_the_same_by_plain_layers(settings, random_images):
    g, imgs = generator(**settings), random_images(2, *SHAPE)
    latent = latents.draw_latents(g, 1, 5)[0]
    expected = np.asarray(g([imgs, np.stack([latent, latent])]))
    fixed = latents.with_latent(g, latent)
    np.testing.assert_allclose(fixed(imgs), expected, rtol=0, atol=2e-5)
    kinds = {type(layer) for layer in fixed.layers}
    assert InstanceNormalization in kinds
    assert ConditionalInstanceNormalization not in kinds
    assert (len(fixed.inputs), fixed.name) == (1, "g_AB")
    assert np.abs(np.asarray(latents.with_latent(g, latent + 1)(imgs)) - expected).max() > 0.01


def test_files_have_keras_layers_and_load_as_they_were(tmp_path, random_images):
    g, imgs = generator(), random_images(2, *SHAPE)
    drawn = latents.draw_latents(g, 2)
    expected = np.asarray(g([imgs, drawn]))
    save_generator(g, tmp_path / "g_AB.keras")
    stock = keras.saving.load_model(tmp_path / "g_AB.keras")
    assert all(type(op).__module__.startswith("keras.") for op in stock.operations)
    np.testing.assert_allclose(stock([imgs, drawn]), expected, rtol=0, atol=2e-5)
    again = load_generator(tmp_path / "g_AB.keras")
    assert [type(layer) for layer in again.layers].count(ConditionalInstanceNormalization) == 6
    np.testing.assert_allclose(again([imgs, drawn]), expected, rtol=0, atol=2e-5)
    fixed = latents.with_latent(again, drawn[0])
    np.testing.assert_allclose(fixed(imgs)[0], expected[0], rtol=0, atol=2e-5)


def test_16_bits_are_saved_as_32(dtype_policy, random_images):
    dtype_policy("mixed_bfloat16")
    g = generator()
    dtype_policy("float32")
    whole = in_full_precision(g)
    assert {layer.compute_dtype for layer in whole.layers} == {"float32"}
    assert latents.latent_size(whole) == 3
    imgs = random_images(1, *SHAPE)
    assert np.isfinite(np.asarray(latents.with_latent(g, [1, 2, 3])(imgs))).all()


@pytest.mark.integration
def test_any_size_and_tiles(random_images):
    g = generator((None, None, 3))
    latent = [0.5, -1.0, 2.0]
    image = (random_images(40, 34, 3) + 1) / 2  # Smaller ones are padded.
    expected = np.asarray(g([image[None] * 2 - 1, np.array([latent], "float32")]))[0]
    for detail in ("plain", "network"):
        found = translate_image(g, image, detail=detail, latent=latent)
        np.testing.assert_allclose(found, (expected + 1) / 2, rtol=0, atol=1e-4)
    usual = translate_image(g, image, detail="plain")
    drawn = translate_image(g, image, detail="plain", latent=latents.draw_latents(g, 1)[0])
    np.testing.assert_array_equal(usual, drawn)


def test_arrays_get_latents_of_their_own(random_images):
    g, imgs = generator(), random_images(5, *SHAPE)
    drawn = latents.draw_latents(g, 5)
    np.testing.assert_array_equal(translate_images(g, imgs), translate_images(g, imgs, drawn))
    np.testing.assert_array_equal(latents.draw_latents(g, 2), drawn[:2])
    same = translate_images(g, np.repeat(imgs[:1], 2, axis=0))
    assert np.abs(same[0] - same[1]).max() > 1e-3


@pytest.mark.parametrize("latent", [[1.0], [1, 2, np.nan], "abc", np.zeros((1, 3)), None])
def test_latents_must_fit(latent):
    with pytest.raises(ValueError, match="`latent` must be 3 finite numbers"):
        latents.with_latent(generator(), latent)


def test_generators_without_latent_take_none(random_images):
    plain = latent_resnet(LatentResNetConfig(gf=2, num_blocks=0), SHAPE, 0, "g_BA")
    assert latents.latent_size(plain) == 0
    assert latents.with_some_latent(plain) is plain
    for make in (
        lambda: latents.with_latent(plain, [1.0]),
        lambda: latents.draw_latents(plain, 1),
        lambda: translate_image(plain, random_images(*SHAPE) / 2 + 0.5, latent=[1.0]),
    ):
        with pytest.raises(ValueError, match="takes no latent"):
            make()


def test_latents_that_go_elsewhere_cannot_be_fixed():
    img, latent = keras.Input(SHAPE), keras.Input((3,))
    shift = keras.layers.Reshape((1, 1, 3))(latent)
    other = keras.Model([img, latent], keras.layers.Add()([img, shift]))
    assert latents.latent_size(other) == 3
    with pytest.raises(ValueError, match="cannot be fixed"):
        latents.with_latent(other, [1.0, 2.0, 3.0])


def test_a_reference_is_encoded_with_its_translation(tmp_path, random_images):
    e = encoder(LatentsConfig(size=3, ef=2), SHAPE, 0, "e_B")
    back = latent_resnet(LatentResNetConfig(gf=2, num_blocks=0), SHAPE, 0, "g_BA")
    rng = np.random.default_rng(0)  # So that latents are far from zero.
    e.set_weights([w + np.abs(rng.normal(0, 0.1, w.shape)) for w in e.get_weights()])
    save_generator(e, tmp_path / "e_B.keras")
    loaded = load_encoder(tmp_path / "e_B.keras")
    pixels = ((random_images(*SHAPE) + 1) * 127).astype(np.uint8)
    img = pixels[None].astype(np.float32) / 127.5 - 1
    expected = np.asarray(e([np.asarray(back(img)), img], training=False))[0]
    found = references.encode_image(loaded, back, Image.fromarray(pixels))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    swapped = references.encode_image(loaded, back, Image.fromarray(pixels), domain="A")
    assert np.abs(swapped - found).max() > 1e-6
    with pytest.raises(ValueError, match="`domain` must be"):
        references.encode_image(loaded, back, Image.fromarray(pixels), domain="C")
    save_generator(back, tmp_path / "g_BA.keras")
    with pytest.raises(ValueError, match="is no encoder"):
        load_encoder(tmp_path / "g_BA.keras")
    with pytest.raises(ValueError, match="is no translator"):
        load_generator(tmp_path / "e_B.keras")
