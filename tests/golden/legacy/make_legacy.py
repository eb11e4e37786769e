"""Make the files of old libraries that tests/convert reads, each with the outputs of its networks.

Two environments, from the top folder of the project:

``tfa`` (Python 3.11): `pip install -r requirements-legacy.txt`
``contrib`` (Python 3.7): `pip install tensorflow==1.15.5 keras==2.2.4 h5py==2.10.0 "protobuf<3.21"`
and the source of keras_contrib in PYTHONPATH (github.com/keras-team/keras-contrib)

    python tests/golden/legacy/make_legacy.py tfa
    python tests/golden/legacy/make_legacy.py contrib
    python tests/golden/legacy/make_legacy.py contrib_channel

Each writes, for its library: ``<name>.h5``, a whole generator; ``<name>.json`` with
``<name>_weights.h5``; ``<name>_combined.h5``, two generators and two discriminators; and
``<name>.npz`` with the input ``x`` and the outputs ``g_AB`` and ``g_BA``. The whole generator, and
the weights by themselves, are those of ``g_AB``.
"""

import os
import sys

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
SHAPE = (32, 32, 3)
FILTERS = 2


def main(name):
    if name == "tfa":
        from tensorflow import keras
        from tensorflow_addons.layers import InstanceNormalization
    else:
        import keras
        from keras_contrib.layers import InstanceNormalization
    layers = keras.layers
    axes = {"contrib_channel": {"axis": -1}}.get(name, {})

    def norm(x):
        return InstanceNormalization(**axes)(x)

    def halve(x, filters):
        x = layers.Conv2D(filters, 4, strides=2, padding="same")(x)
        return norm(layers.LeakyReLU(alpha=0.2)(x))

    def double(x, skip, filters):
        x = layers.UpSampling2D(size=2)(x)
        x = layers.Conv2D(filters, 4, padding="same", activation="relu")(x)
        return layers.Concatenate()([norm(layers.Dropout(0.1)(x)), skip])

    def generator():
        img = layers.Input(SHAPE)
        d1 = halve(img, FILTERS)
        d2 = halve(d1, 2 * FILTERS)
        d3 = halve(d2, 4 * FILTERS)
        d4 = halve(d3, 8 * FILTERS)
        u = double(d4, d3, 4 * FILTERS)
        u = double(u, d2, 2 * FILTERS)
        u = double(u, d1, FILTERS)
        u = layers.UpSampling2D(size=2)(u)
        u = layers.Conv2D(3, 4, padding="same", activation="tanh")(u)
        return keras.models.Model(img, u)

    def discriminator():
        img = layers.Input(SHAPE)
        x = layers.Conv2D(1, 4, strides=2, padding="same")(img)
        return keras.models.Model(img, norm(layers.LeakyReLU(alpha=0.2)(x)))

    rng = np.random.RandomState(0)
    d_A, d_B, g_AB, g_BA = discriminator(), discriminator(), generator(), generator()
    for network in (g_AB, g_BA):
        # Also what begins as 0 or 1 must be told from what was trained.
        network.set_weights(
            [w + rng.normal(0, 0.1, w.shape).astype("float32") for w in network.get_weights()]
        )
    d_A.trainable = d_B.trainable = False
    img_A, img_B = layers.Input(SHAPE), layers.Input(SHAPE)
    fake_B, fake_A = g_AB(img_A), g_BA(img_B)
    outputs = [d_A(fake_A), d_B(fake_B), g_BA(fake_B), g_AB(fake_A), g_BA(img_A), g_AB(img_B)]
    combined = keras.models.Model([img_A, img_B], outputs)
    combined.compile(loss="mae", optimizer=keras.optimizers.Adam(0.0002, 0.5))

    x = rng.uniform(-1, 1, (2, *SHAPE)).astype("float32")
    path = os.path.join(HERE, name)
    np.savez_compressed(path + ".npz", x=x, g_AB=g_AB.predict(x), g_BA=g_BA.predict(x))
    g_AB.save(path + ".h5")
    g_AB.save_weights(path + "_weights.h5")
    with open(path + ".json", "w") as file:
        file.write(g_AB.to_json())
    if name != "contrib_channel":  # As those of contrib.
        combined.save(path + "_combined.h5")


if __name__ == "__main__":
    main(sys.argv[1])
