"""The book's listings 9.1 to 9.6, typed on this package: what differs from the page is marked."""

import inspect

import numpy as np
import pytest
from keras.layers import Concatenate, Conv2D, Dropout, Input, LeakyReLU, UpSampling2D
from keras.models import Model
from keras.optimizers import Adam
from PIL import Image

from cyclegan_keras import CycleGAN, InstanceNormalization, Pix2Pix  # was: keras_contrib
from data_loader import DataLoader

pytestmark = pytest.mark.integration

BATCH = 4  # Of 6 images: one full batch, and a smaller one that the listing could not take.


class Book(CycleGAN):
    @staticmethod
    def conv2d(layer_input, filters, f_size=4, normalization=True):
        d = Conv2D(filters, kernel_size=f_size, strides=2, padding="same")(layer_input)
        d = LeakyReLU(negative_slope=0.2)(d)  # was: alpha
        if normalization:
            d = InstanceNormalization()(d)
        return d

    @staticmethod
    def deconv2d(layer_input, skip_input, filters, f_size=4, dropout_rate=0):
        u = UpSampling2D(size=2)(layer_input)
        u = Conv2D(filters, kernel_size=f_size, strides=1, padding="same", activation="relu")(u)
        if dropout_rate:
            u = Dropout(dropout_rate)(u)
        u = InstanceNormalization()(u)
        u = Concatenate()([u, skip_input])
        return u

    def build_generator(self):
        d0 = Input(shape=self.img_shape)

        d1 = self.conv2d(d0, self.gf)
        d2 = self.conv2d(d1, self.gf * 2)
        d3 = self.conv2d(d2, self.gf * 4)
        d4 = self.conv2d(d3, self.gf * 8)

        u1 = self.deconv2d(d4, d3, self.gf * 4)
        u2 = self.deconv2d(u1, d2, self.gf * 2)
        u3 = self.deconv2d(u2, d1, self.gf)

        u4 = UpSampling2D(size=2)(u3)
        output_img = Conv2D(
            self.channels, kernel_size=4, strides=1, padding="same", activation="tanh"
        )(u4)

        return Model(d0, output_img)

    def build_discriminator(self):
        img = Input(shape=self.img_shape)

        d1 = self.conv2d(img, self.df, normalization=False)
        d2 = self.conv2d(d1, self.df * 2)
        d3 = self.conv2d(d2, self.df * 4)
        d4 = self.conv2d(d3, self.df * 8)

        validity = Conv2D(1, kernel_size=4, strides=1, padding="same")(d4)

        return Model(img, validity)

    def compile_all(self):
        """The lines of listings 9.2 and 9.3 that compile, with one optimizer for all three."""
        optimizer = Adam(0.0002, 0.5)
        self.d_A.compile(loss="mse", optimizer=optimizer, metrics=["accuracy"])
        self.d_B.compile(loss="mse", optimizer=optimizer, metrics=["accuracy"])
        self.combined.compile(
            loss=["mse", "mse", "mae", "mae", "mae", "mae"],
            loss_weights=[
                1,
                1,
                self.lambda_cycle,
                self.lambda_cycle,
                self.lambda_id,
                self.lambda_id,
            ],
            optimizer=optimizer,
        )

    def train(self, epochs, batch_size=1, sample_interval=50):
        valid = np.ones((batch_size,) + self.disc_patch)  # noqa: RUF005
        fake = np.zeros((batch_size,) + self.disc_patch)  # noqa: RUF005

        for epoch in range(epochs):
            for batch_i, (imgs_A, imgs_B) in enumerate(self.data_loader.load_batch(batch_size)):
                fake_B = self.g_AB.predict(imgs_A)
                fake_A = self.g_BA.predict(imgs_B)

                dA_loss_real = self.d_A.train_on_batch(imgs_A, valid)
                dA_loss_fake = self.d_A.train_on_batch(fake_A, fake)
                dA_loss = 0.5 * np.add(dA_loss_real, dA_loss_fake)

                dB_loss_real = self.d_B.train_on_batch(imgs_B, valid)
                dB_loss_fake = self.d_B.train_on_batch(fake_B, fake)
                dB_loss = 0.5 * np.add(dB_loss_real, dB_loss_fake)

                d_loss = 0.5 * np.add(dA_loss, dB_loss)

                g_loss = self.combined.train_on_batch(
                    [imgs_A, imgs_B], [valid, valid, imgs_A, imgs_B, imgs_A, imgs_B]
                )
                print(epoch, epochs, batch_i, self.data_loader.n_batches, d_loss[0], g_loss[0])
                if batch_i % sample_interval == 0:
                    self.sample_images(epoch, batch_i)


@pytest.fixture
def at_the_set(fruit_dir, tmp_path, monkeypatch):
    """A folder to work in, with the data set where the loader looks for it."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "apple2orange").symlink_to(fruit_dir)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.filterwarnings("ignore:.*Even though the `tf.config.experimental_run_functions")
def test_the_listings_run(at_the_set, untraced, capsys):
    loader = DataLoader(dataset_name="apple2orange", img_res=(32, 32))
    gan = Book((32, 32, 3), gf=2, df=2, data_loader=loader)
    gan.compile_all()
    networks = {name: getattr(gan, name) for name in ("d_A", "d_B", "g_AB", "g_BA")}
    before = {name: network.get_weights() for name, network in networks.items()}
    gan.train(epochs=1, batch_size=BATCH, sample_interval=1)
    for name, network in networks.items():
        moves = [
            np.abs(a - b).max() for a, b in zip(before[name], network.get_weights(), strict=True)
        ]
        assert min(moves) > 1e-5, name
    assert capsys.readouterr().out.splitlines()[-1].startswith("0 1 0 1 ")
    assert [p.name for p in (at_the_set / "images" / "apple2orange").iterdir()] == ["0_0.png"]


def test_what_a_reader_finds_on_the_class(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    gan = CycleGAN((32, 64, 3), gf=2, df=2)
    assert (gan.img_rows, gan.img_cols, gan.channels) == (32, 64, 3)
    assert gan.dataset_name == "fruit"
    assert gan.data_loader.img_res == (32, 64)
    assert list(tmp_path.iterdir()) == []  # Nothing is drawn yet.
    assert Pix2Pix((32, 32, 3), gf=2, df=2, generator="unet").dataset_name == "fruit_pairs"
    parameters = list(inspect.signature(CycleGAN.train).parameters.values())[1:4]
    assert [p.name for p in parameters] == ["epochs", "batch_size", "sample_interval"]
    assert [p.default for p in parameters] == [inspect.Parameter.empty, 1, 50]


def test_samples_are_kept_and_nothing_is_overwritten(at_the_set, tiny_gan, monkeypatch):
    monkeypatch.setattr(tiny_gan, "data_loader", DataLoader("apple2orange", (32, 32)))
    pictures = [tiny_gan.sample_images(3, 7) for _ in range(2)]
    for picture, name in zip(pictures, ("3_7.png", "3_7-2.png"), strict=True):
        kept = Image.open(at_the_set / "images" / "apple2orange" / name)
        np.testing.assert_array_equal(np.asarray(kept), np.asarray(picture))
        # Six columns of four test images, enlarged to 128 pixels.
        assert picture.size[0] > 6 * 128
        assert picture.size[1] > 4 * 128
