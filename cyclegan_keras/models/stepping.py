"""How a step is traced and taken: stage by stage, on one device or on several."""

from typing import Any

import tensorflow as tf
from keras import ops

from cyclegan_keras.config.gans import GANConfig
from cyclegan_keras.data.batch_rows import BatchRows
from cyclegan_keras.layers.forms import plain_convolutions
from cyclegan_keras.models.combined import Combined
from cyclegan_keras.models.on_replicas import distributed, on_replicas, strategy_here
from cyclegan_keras.models.several_networks import SeveralNetworks, two_domains
from cyclegan_keras.optimizers import build_optimizer


class Stepping(SeveralNetworks):
    """Several networks that one `_step` trains, which is traced once for each stage.

    Attributes:
        strategy: The `tf.distribute.Strategy` in whose scope the model was made; `None` if it was
            made outside of any.
    """

    config: GANConfig
    combined: Combined

    def __init__(self, *, name: str) -> None:
        super().__init__(name=name)
        # TensorFlow 2.21's remapper fails on a convolution with bias and LeakyReLU once their
        # gradient is taken, and prints an error at each tracing; it would gain nothing here.
        tf.config.optimizer.set_experimental_options({"remapping": False})
        self.strategy = strategy_here()
        # By stage: what is traced in one has other variables to train in another.
        self._traced_steps = _Steps()
        self._stage = 0

    @property
    def stages(self) -> tuple[float, ...]:
        """The shares of a training's steps that its stages take, one after the other.

        Most models have one stage. Those that train other networks first, or in another way, have
        several; `training.callbacks.Stages` begins each of them in its time.
        """
        return (1.0,)

    @property
    def stage(self) -> Any:
        """The present stage: its place in `stages`, or what the model calls it."""
        return self._stage

    @stage.setter
    def stage(self, stage: Any) -> None:
        self._stage = stage

    def begin_stage(self, stage: Any) -> None:
        """Lets the following steps be those of another stage.

        Args:
            stage: Its place in `stages`.
        """
        self.stage = stage

    def train_step(self, data: tuple[Any, Any]) -> dict[str, Any]:
        """Trains all networks on one batch.

        Args:
            data: `(imgs_A, imgs_B)`, each float32 in [-1, 1], `(batch, height, width, channels)`.

        Returns:
            A dict of scalar tensors: `d_loss` and `d_acc` (means over the discriminators),
            `g_loss`, and the unweighted losses of `combined` under Keras's names, `valid_A_loss`
            and so on.
        """
        imgs_A, imgs_B = (
            ops.convert_to_tensor(imgs, self.combined.variable_dtype) for imgs in two_domains(data)
        )
        return self._run_step(data, imgs_A, imgs_B)

    def _run_step(self, data: Any, *batch: Any) -> dict[str, Any]:
        """Takes the step of the present stage, on all replicas if there are several.

        Args:
            data: What `train_step` was given, which says whether it is a part of the batch.
            *batch: What the step takes: tensors, each with a row for each image, of which each
                replica gets its own; and anything else, which all get as it is.

        Returns:
            What the step returns.
        """
        step = self._current_step()
        if self.strategy is None:
            return step(*batch)
        sizes = [len(each) for each in batch if tf.is_tensor(each)]
        is_part = isinstance(data, BatchRows)
        start, num_images = (data.start, data.num_images) if is_part else (0, sizes[0])
        own = [
            distributed(self.strategy, each, start, num_images) if tf.is_tensor(each) else each
            for each in batch
        ]
        return step(*own, num_images)

    def _current_step(self) -> Any:
        """The traced step; traced anew once any of the models is compiled anew.

        It is not traced if this model, or any of those, was compiled with `run_eagerly`.
        """
        models = self.compiled_models
        if any(model.run_eagerly for model in (self, *models)):
            for model in models:
                build_optimizer(model)
            return self._whole_step()
        # `compile` makes a new loss each time, whatever it is given.
        compiled = [part for model in models for part in (model.optimizer, model._compile_loss)]
        traced = self._traced
        if traced is None or not traced.is_for(compiled):
            for model in models:
                build_optimizer(model)
            # Each batch size gets a graph of its own, so that it computes the same bits whichever
            # size came first. As in Keras, without autograph: there is nothing to convert, and
            # looking takes time.
            function = tf.function(
                self._whole_step(), autograph=False, jit_compile=self.config.step.jit
            )
            traced = self._traced_steps.by_stage[self.stage] = _TracedStep(function, compiled)
        return traced.function

    def _whole_step(self) -> Any:
        """The step of the whole batch, by all replicas if there are several."""
        if self.strategy is None:
            return self._step_in_its_forms
        return on_replicas(self.strategy, self, self._step_in_its_forms)

    @property
    def _traced(self) -> "_TracedStep | None":
        """The step of this stage, once it has been traced."""
        return self._traced_steps.by_stage.get(self.stage)

    def _step_in_its_forms(self, *batch: Any) -> dict[str, Any]:
        with plain_convolutions(self.config.step.exact_convolutions):
            return self._take_step(*batch)

    def _take_step(self, *batch: Any) -> dict[str, Any]:
        return self._step(*batch)

    def _step(self, imgs_A: Any, imgs_B: Any) -> dict[str, Any]:
        raise NotImplementedError


class _TracedStep:
    """A traced step and what it was traced with, where Keras does not look for variables."""

    def __init__(self, function: Any, compiled: list[Any]) -> None:
        self.function = function
        self._compiled = compiled

    def is_for(self, compiled: list[Any]) -> bool:
        return all(mine is theirs for mine, theirs in zip(self._compiled, compiled, strict=True))


class _Steps:
    """The traced steps of all stages, likewise."""

    def __init__(self) -> None:
        self.by_stage: dict[Any, _TracedStep] = {}
