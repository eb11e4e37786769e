"""Feature loss + GAN by a network of one's own."""

import keras
import pytest

from cyclegan_keras import FeatureGAN


class OwnFeatures(FeatureGAN):
    def build_features(self):
        img = keras.Input(self.img_shape)
        return keras.Model(img, keras.layers.Conv2D(2, 3, strides=4)(img))


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_features_in_half_precision_are_compared_in_float32(policy, dtype_policy, random_images):
    dtype_policy(policy)
    gan = OwnFeatures((32, 32, 3), generator="unet", discriminator="patch16", gf=1, df=1)
    (imgs,) = random_images(1, 1, 32, 32, 3)
    assert gan.phi(imgs).dtype == policy.removeprefix("mixed_")
    assert gan.content_of(imgs).dtype == "float32"
