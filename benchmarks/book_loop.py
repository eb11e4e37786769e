"""The book's training loop, literally, on the layers that Keras itself has.

*GANs in Action*, listings 9.3 to 9.6. Two things differ from the print: instance normalisation is
Keras's `GroupNormalization(groups=-1)`, for the layer of keras_contrib, which is gone and has all
channels together, and the discriminators are traced before they are frozen, since otherwise they
would never train under Keras 3 (and the loop would be faster for doing less).
"""

import keras
import numpy as np
from keras import layers


class BookCycleGAN:
    """The networks and the loop body of the book.

    Args:
        size: Height and width of the images, in pixels.
        batch_size: Images of each domain in one step.
        gf: Filters of the generators' first layer.
        df: Filters of the discriminators' first layer.
    """

    def __init__(self, size: int, batch_size: int, gf: int = 32, df: int = 64) -> None:
        self.img_shape = (size, size, 3)
        self.gf, self.df = gf, df
        patch = size // 2**4
        self.valid = np.ones((batch_size, patch, patch, 1), "float32")
        self.fake = np.zeros((batch_size, patch, patch, 1), "float32")

        self.d_A, self.d_B = self.build_discriminator(), self.build_discriminator()
        for d in (self.d_A, self.d_B):
            d.compile(loss="mse", optimizer=keras.optimizers.Adam(2e-4, 0.5), metrics=["accuracy"])
            d.train_on_batch(np.zeros((batch_size, *self.img_shape), "float32"), self.valid)
        self.g_AB, self.g_BA = self.build_generator(), self.build_generator()

        img_A, img_B = keras.Input(self.img_shape), keras.Input(self.img_shape)
        fake_B, fake_A = self.g_AB(img_A), self.g_BA(img_B)
        reconstr_A, reconstr_B = self.g_BA(fake_B), self.g_AB(fake_A)
        img_A_id, img_B_id = self.g_BA(img_A), self.g_AB(img_B)
        self.d_A.trainable = self.d_B.trainable = False
        valid_A, valid_B = self.d_A(fake_A), self.d_B(fake_B)
        self.combined = keras.Model(
            [img_A, img_B], [valid_A, valid_B, reconstr_A, reconstr_B, img_A_id, img_B_id]
        )
        self.combined.compile(
            loss=["mse", "mse", "mae", "mae", "mae", "mae"],
            loss_weights=[1, 1, 10, 10, 9, 9],
            optimizer=keras.optimizers.Adam(2e-4, 0.5),
        )

    def build_generator(self) -> keras.Model:
        """Listing 9.4."""

        def conv2d(x, filters):
            x = layers.Conv2D(filters, 4, strides=2, padding="same")(x)
            x = layers.LeakyReLU(negative_slope=0.2)(x)
            return layers.GroupNormalization(groups=-1)(x)

        def deconv2d(x, skip, filters):
            x = layers.UpSampling2D(2)(x)
            x = layers.Conv2D(filters, 4, padding="same", activation="relu")(x)
            x = layers.GroupNormalization(groups=-1)(x)
            return layers.Concatenate()([x, skip])

        d0 = keras.Input(self.img_shape)
        d1 = conv2d(d0, self.gf)
        d2 = conv2d(d1, self.gf * 2)
        d3 = conv2d(d2, self.gf * 4)
        d4 = conv2d(d3, self.gf * 8)
        u1 = deconv2d(d4, d3, self.gf * 4)
        u2 = deconv2d(u1, d2, self.gf * 2)
        u3 = deconv2d(u2, d1, self.gf)
        u4 = layers.UpSampling2D(2)(u3)
        return keras.Model(d0, layers.Conv2D(3, 4, padding="same", activation="tanh")(u4))

    def build_discriminator(self) -> keras.Model:
        """Listing 9.5."""

        def d_layer(x, filters, normalization=True):
            x = layers.Conv2D(filters, 4, strides=2, padding="same")(x)
            x = layers.LeakyReLU(negative_slope=0.2)(x)
            return layers.GroupNormalization(groups=-1)(x) if normalization else x

        img = keras.Input(self.img_shape)
        d1 = d_layer(img, self.df, normalization=False)
        d2 = d_layer(d1, self.df * 2)
        d3 = d_layer(d2, self.df * 4)
        d4 = d_layer(d3, self.df * 8)
        return keras.Model(img, layers.Conv2D(1, 4, padding="same")(d4))

    @property
    def num_weights(self) -> int:
        """Numbers in the four networks."""
        networks = (self.g_AB, self.g_BA, self.d_A, self.d_B)
        return sum(network.count_params() for network in networks)

    def step(self, imgs_A: np.ndarray, imgs_B: np.ndarray) -> float:
        """The body of the loop in listing 9.6.

        Args:
            imgs_A: `(batch, size, size, 3)`, float32 in [-1, 1].
            imgs_B: Likewise.

        Returns:
            The generators' loss.
        """
        fake_B = self.g_AB.predict(imgs_A)
        fake_A = self.g_BA.predict(imgs_B)

        dA_loss_real = self.d_A.train_on_batch(imgs_A, self.valid)
        dA_loss_fake = self.d_A.train_on_batch(fake_A, self.fake)
        0.5 * np.add(dA_loss_real, dA_loss_fake)
        dB_loss_real = self.d_B.train_on_batch(imgs_B, self.valid)
        dB_loss_fake = self.d_B.train_on_batch(fake_B, self.fake)
        0.5 * np.add(dB_loss_real, dB_loss_fake)

        g_loss = self.combined.train_on_batch(
            [imgs_A, imgs_B], [self.valid, self.valid, imgs_A, imgs_B, imgs_A, imgs_B]
        )
        return float(g_loss[0])
