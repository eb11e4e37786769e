import numpy as np

from cyclegan_keras.inference.arrays import translate_images


def test_images_go_through_some_at_a_time_and_in_order():
    sizes = []

    def generator(imgs, training):
        assert training is False
        sizes.append(len(imgs))
        return imgs + 1

    imgs = np.arange(37.0).reshape(37, 1, 1, 1)
    np.testing.assert_array_equal(translate_images(generator, imgs), imgs + 1)
    assert sizes == [4] * 9 + [1]
