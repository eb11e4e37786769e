"""Make the TensorFlow checkpoints that tests/convert reads, each with outputs of its networks.

In the environment of requirements-legacy.txt (Python 3.11), from the top folder of the project:

    python tests/golden/legacy/make_checkpoints.py

It writes what two tutorials on CycleGAN write, with fewer filters: ``tutorial-1``, a
``tf.train.Checkpoint`` of both U-Nets, both discriminators and their optimizers, after a step;
``pix2pix-1``, one U-Net with batch norm; and ``example``, by ``save_weights`` of a model that has
two ResNets. ``checkpoints.npz`` has the inputs and, of float64 twins, every 16th pixel of outputs.
"""

import pathlib

import numpy as np
import tensorflow as tf
import tensorflow_addons as tfa

HERE = pathlib.Path(__file__).parent
layers = tf.keras.layers


class InstanceNorm(layers.Layer):
    """With the names and the epsilon of the tutorial's."""

    def build(self, shape):
        self.scale = self.add_weight("scale", shape[-1:])
        self.offset = self.add_weight("offset", shape[-1:])

    def call(self, x):
        mean, variance = tf.nn.moments(x, [1, 2], keepdims=True)
        return self.scale * (x - mean) * tf.math.rsqrt(variance + 1e-5) + self.offset


def down(filters, norm):
    block = tf.keras.Sequential(
        [layers.Conv2D(filters, 4, strides=2, padding="same", use_bias=False)]
    )
    if norm is not None:
        block.add(norm())
    block.add(layers.LeakyReLU())
    return block


def up(filters, norm, drops):
    block = tf.keras.Sequential(
        [layers.Conv2DTranspose(filters, 4, strides=2, padding="same", use_bias=False), norm()]
    )
    if drops:
        block.add(layers.Dropout(0.5))
    block.add(layers.ReLU())
    return block


def unet(norm):
    img = x = layers.Input([256, 256, 3])
    skips = []
    for level, filters in enumerate((1, 2, 4, 8, 8, 8, 8, 8)):
        x = down(filters, norm if level else None)(x)
        skips.append(x)
    for level, (filters, skip) in enumerate(zip((8, 8, 8, 8, 4, 2, 1), skips[-2::-1], strict=True)):
        x = layers.Concatenate()([up(filters, norm, level < 3)(x), skip])
    last = layers.Conv2DTranspose(3, 4, strides=2, padding="same", activation="tanh")
    return tf.keras.Model(img, last(x))


def critic():
    img = layers.Input([256, 256, 3])
    x = down(2, InstanceNorm)(down(1, None)(img))
    return tf.keras.Model(img, layers.Conv2D(1, 4)(x))


class Mirrored(layers.Layer):
    def __init__(self, by):
        super().__init__()
        self.by = by

    def call(self, x):
        return tf.pad(x, [[0, 0], [self.by] * 2, [self.by] * 2, [0, 0]], "REFLECT")


def resnet():
    norm = tfa.layers.InstanceNormalization
    img = layers.Input((None, None, 3))
    x = norm()(layers.Conv2D(2, 7, use_bias=False)(Mirrored(3)(img)))
    x = layers.Activation("relu")(x)
    for filters in (4, 8):
        x = norm()(layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False)(x))
        x = layers.Activation("relu")(x)
    for _ in range(2):
        y = norm()(layers.Conv2D(8, 3, use_bias=False)(Mirrored(1)(x)))
        y = layers.Activation("relu")(y)
        x = layers.add([x, norm()(layers.Conv2D(8, 3, use_bias=False)(Mirrored(1)(y)))])
    for filters in (4, 2):
        x = layers.Conv2DTranspose(filters, 3, strides=2, padding="same", use_bias=False)(x)
        x = layers.Activation("relu")(norm()(x))
    x = layers.Conv2D(3, 7)(Mirrored(3)(x))
    return tf.keras.Model(img, layers.Activation("tanh")(x))


class Example(tf.keras.Model):
    def __init__(self):
        super().__init__()
        self.gen_G, self.gen_F = drawn(resnet(), 5), drawn(resnet(), 6)
        self.disc_X, self.disc_Y = critic(), critic()


def drawn(model, seed):
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        value = rng.normal(0, 0.3, weight.shape)
        weight.assign(np.abs(value) + 0.7 if "variance" in weight.name else value)
    return model


def in_float64(build, model, x, **kwargs):
    tf.keras.backend.set_floatx("float64")
    twin = build()
    twin.set_weights(model.get_weights())
    result = twin(tf.constant(x, tf.float64), **kwargs).numpy()
    tf.keras.backend.set_floatx("float32")
    return result


def main():
    rng = np.random.default_rng(0)
    x, small = rng.uniform(-1, 1, (1, 256, 256, 3)), rng.uniform(-1, 1, (1, 32, 44, 3))
    found = {"small": small}

    instance, batch = (lambda: unet(InstanceNorm)), (lambda: unet(layers.BatchNormalization))
    g, f = drawn(instance(), 1), drawn(instance(), 2)
    objects = {"generator_g": g, "generator_f": f, "discriminator_x": critic()}
    objects["generator_g_optimizer"] = optimizer = tf.keras.optimizers.Adam(1e-9)
    optimizer.apply_gradients((tf.zeros_like(v), v) for v in g.trainable_variables[:3])
    tf.train.Checkpoint(**objects).write(str(HERE / "tutorial-1"))
    for name, model in (("g", g), ("f", f)):
        found[name] = in_float64(instance, model, x)[:, ::16, ::16]

    b = drawn(batch(), 3)
    tf.train.Checkpoint(generator=b).write(str(HERE / "pix2pix-1"))
    found["batch"] = in_float64(batch, b, x)[:, ::16, ::16]

    example = Example()
    example.save_weights(str(HERE / "example"))
    (HERE / "checkpoint").unlink()  # Of which is the newest.
    for name, model in (("gen_G", example.gen_G), ("gen_F", example.gen_F)):
        found[name] = in_float64(resnet, model, small)
    np.savez_compressed(HERE / "checkpoints.npz", **found)


if __name__ == "__main__":
    main()
