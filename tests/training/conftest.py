"""A model that trains nothing, for what hangs on the loop."""

import keras
import pytest

from cyclegan_keras import CycleGAN
from cyclegan_keras.training import loop

LOSSES = "d_loss d_acc g_loss valid_A_loss valid_B_loss reconstr_A_loss reconstr_B_loss".split()


class Model:
    """Three steps an epoch; each loss is the number of the step."""

    def __init__(self, gan=None, rates=(0.5, 0.25)):
        self.step, self.rates = 0, []
        self.shown_losses = CycleGAN.shown_losses
        self.translators = gan and gan.translators
        self.optimizers = [keras.optimizers.SGD(rate) for rate in rates]

    def train_step(self, batch):
        self.step += 1
        self.rates.append([float(optimizer.learning_rate) for optimizer in self.optimizers])
        return dict.fromkeys(LOSSES, float(self.step))

    def num_batches(self, batch_size):
        return 3

    def load_batch(self, batch_size, seed, first_batch=0):
        return iter(range(first_batch, 3))


@pytest.fixture
def train():
    """Runs the loop with such a model, and returns the model."""

    def train(*hooks, epochs=2, gan=None, progress=None, rates=(0.5, 0.25)):
        model = Model(gan, rates)
        loop.run(model, model, epochs, 1, hooks, progress=progress)
        return model

    return train
