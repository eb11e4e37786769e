"""pix2pixHD: pairs of large images, from coarse to fine."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import keras
import tensorflow as tf
from keras import layers, ops

from cyclegan_keras.config import labels
from cyclegan_keras.config.pix2pixhd import Pix2PixHDConfig
from cyclegan_keras.data import label_colors
from cyclegan_keras.data.loader import DataLoader
from cyclegan_keras.layers import HalveImages, kernels_prepared_once
from cyclegan_keras.losses import OBJECTIVES
from cyclegan_keras.models.base import GAN
from cyclegan_keras.models.calls import Calls
from cyclegan_keras.models.checks import named
from cyclegan_keras.models.combined import Combined
from cyclegan_keras.models.perceptual import PerceptualDistance
from cyclegan_keras.networks.coarse_to_fine import encode, global_generator
from cyclegan_keras.optimizers import reset_optimizer

_log = logging.getLogger(__name__)

# The stages of a training: the global generator alone, the enhancer alone, all together.
GLOBAL, ENHANCER, ALL = 0, 1, 2


class Pix2PixHD(GAN):
    """Learns to translate large images one way, from pairs; from label maps, for one.

    A global generator translates images of half the size. An enhancer, which sees the whole image,
    adds what it knows to the global generator's features. Several discriminators of pairs see the
    images in several sizes. A training has three stages, see `stages`; a new model is in the last
    one, in which all is trained.

    Args:
        img_shape: `(height, width, channels)`, each size divisible by a power of two, as the
            generator halves it.
        data_loader: A `DataLoader` with `paired=True` for `train`. `None` means one for the drawn
            set `fruit_pairs`.
        config: All other settings: networks, losses, optimizers.
        seed: Of the initial weights; `None` draws other ones each time.
        name: Of the model.
        **settings: Settings of `config` by their flat names, on top of it, such as
            `labels="image"`. Labels that are left to the images are found in those of
            `data_loader`; without one, the input is images.

    Attributes:
        g: The whole generator, named "g_AB" or "g_BA".
        g_global: The global one, which shares its layers, to images of half the size.
        ds: The discriminators: `d_1`, of the images as they are, `d_2`, of half their size, …
        combined: The model from `[source, target]` to the scores `valid_1`, …, and to `features`
            and `perceptual`, distances; compiled.
        combined_global: The same of the global generator alone.
        stage: The present stage, 0 to 2.

    Raises:
        FileNotFoundError: If the perceptual loss is on and the weights for it are not installed.
        ValueError: If `img_shape` cannot be halved as often as the networks do, or a setting is
            none of those that there are.

    Reference:
        [Wang et al., 2018](https://arxiv.org/abs/1711.11585).
    """

    config: Pix2PixHDConfig
    default_config = Pix2PixHDConfig()
    shown_losses: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "adv": ("valid_1_loss",),
        "features": ("features_loss",),
        "perceptual": ("perceptual_loss",),
    }

    def __init__(
        self,
        img_shape: tuple[int, int, int] = (256, 256, 3),
        data_loader: DataLoader | None = None,
        *,
        config: Pix2PixHDConfig | None = None,
        seed: int | None = None,
        name: str = "pix2pixhd",
        **settings: Any,
    ) -> None:
        config = (config or self.default_config).with_settings(**settings)
        if config.generator.labels == labels.AUTO:
            image = {"labels": f"{labels.AUTO}:{labels.IMAGE}"}
            found = image if data_loader is None else self.found_in(config, data_loader)
            config = config.with_settings(**found)
        super().__init__(img_shape, config, data_loader, seed=seed, name=name)
        self.direction = config.direction
        self.g = self._network(
            self.build_generator(), "g_AB" if self.direction == "A-to-B" else "g_BA"
        )
        self.g_global = global_generator(self.g, config.generator, self._next_seed())
        self._encode, self._halve = _encoder(self.img_shape, config), HalveImages()
        numbers = range(1, config.discriminator.levels + 1)
        self.ds = [self._network(self.build_discriminator(), f"d_{n}") for n in numbers]
        self._features = [_with_features(d, config.loss.lambda_features > 0) for d in self.ds]
        self._distance = self.build_perceptual() if config.loss.lambda_perceptual else None
        self._enlarged_global = _enlarged(self.g_global, self.g.name)
        self.combined_global = named(self._connect(self.g_global), "combined_global")
        self.combined = self._connect(self.g)
        for d in self.ds:
            self._compile_discriminator(d)
        terms = self._terms().values()
        for combined in (self.combined_global, self.combined):
            self._compile_combined(
                [loss for loss, _ in terms], [weight for _, weight in terms], combined
            )
        self._finish()
        self.stage = ALL

    def build_perceptual(self) -> keras.layers.Layer:
        """Makes the layer that measures the perceptual distance. Override it to have another one.

        Returns:
            A layer from two batches of images, in [-1, 1], to a distance for each pair.
        """
        return PerceptualDistance(name="perceptual_distance")

    def _terms(self) -> dict[str, tuple[Any, float]]:
        """The loss and the weight of each output of `combined`."""
        loss = self.config.loss
        adversarial = OBJECTIVES[self.objective].generator
        terms: dict[str, tuple[Any, float]] = {
            f"valid_{n + 1}": (adversarial, loss.lambda_gan) for n in range(len(self.ds))
        }
        if loss.lambda_features:
            terms["features"] = ("mae", loss.lambda_features)
        if self._distance is not None:
            terms["perceptual"] = ("mae", loss.lambda_perceptual)
        return terms

    def _connect(self, g: keras.Model) -> Combined:
        source = keras.Input(self.img_shape, name="source")
        target = keras.Input(self.img_shape, name="target")
        encoded, truth = self._as_judged(g, source, target)
        wanted = self._features_of(self._pyramid(encoded, truth))
        fake = g(source)
        outputs = self._outputs(Calls(), fake, self._pyramid(encoded, fake), truth, wanted)
        return Combined.of([source, target], outputs, trains=[g])

    def _as_judged(self, g: keras.Model, source: Any, target: Any) -> tuple[Any, Any]:
        """Source and target as discriminators see them, as large as what a generator makes."""
        encoded = self._encode(source)
        if g is self.g_global:
            return self._halve(encoded), self._halve(target)
        return encoded, target

    @property
    def _judged_shape(self) -> Any:
        """Any size, as the discriminators see images of several."""
        encoded = self._encode.output_shape[-1]
        return None, None, encoded + self.channels

    @property
    def compiled_models(self) -> list[keras.Model]:
        """The discriminators, `combined_global` and `combined`."""
        return [*self.ds, self.combined_global, self.combined]

    @property
    def discriminators(self) -> dict[str, keras.Model]:
        """The discriminators, by name."""
        return {d.name: d for d in self.ds}

    @property
    def networks(self) -> dict[str, keras.Model]:
        """All networks that are trained, by name."""
        return {**self.generators, self.g_global.name: self.g_global, **self.discriminators}

    @property
    def generators(self) -> dict[str, keras.Model]:
        """The whole generator, by its name."""
        return {self.g.name: self.g}

    @property
    def _trained_through(self) -> Combined:
        return self.combined_global if self.stage == GLOBAL else self.combined

    @property
    def _translating(self) -> dict[str, keras.Model]:
        """While the global generator is trained alone, it translates, enlarged to the full size."""
        return {self.g.name: self._enlarged_global if self.stage == GLOBAL else self.g}

    @property
    def stages(self) -> tuple[float, ...]:
        """The shares of the steps in which the three stages are trained."""
        stages = self.config.stages
        return (
            stages.global_share,
            stages.enhancer_share,
            1 - stages.global_share - stages.enhancer_share,
        )

    def begin_stage(self, stage: int) -> None:
        """Lets the following steps be those of another stage.

        As where the stages are trainings of their own, the generators' optimizer begins anew, and
        so do those of the discriminators, once they see images of the full size. Back to an earlier
        stage, nothing is forgotten.

        Args:
            stage: 0 to train the global generator alone, 1 the enhancer alone, 2 all together.
        """
        before = self.stage
        super().begin_stage(stage)
        if stage > before:
            begun = [self.combined, *(self.ds if before == GLOBAL else ())]
            for model in begun:
                reset_optimizer(model.optimizer)

    @classmethod
    def found_in(cls, config: Pix2PixHDConfig, loader: DataLoader) -> dict[str, Any]:
        """Finds out whether the input is label maps, if that is left to the images.

        Args:
            config: The settings.
            loader: Loads the images.

        Returns:
            `labels`: the colours of the classes that `dataset.json` names for the domain of the
            input, or else those that its training images have, or that these are images.
        """
        if config.generator.labels != labels.AUTO:
            return {}
        domain = config.direction[0]
        named_colors = loader.palettes.get(domain)
        colors = named_colors or label_colors.found_in(loader.pixels(domain))
        if colors is None:
            _log.info(
                f"Labels  none: the input is taken as images, since those of {domain} have "
                "no few flat colours. --labels names those of label maps."
            )
            return {"labels": f"{labels.AUTO}:{labels.IMAGE}"}
        text = labels.parse(colors)
        whence = "dataset.json" if named_colors else "the training images"
        _log.info(f"Labels  {len(colors)} classes of {domain}, found in {whence}: {text}")
        return {"labels": f"{labels.AUTO}:{text}"}

    def _default_loader(self) -> DataLoader:
        return DataLoader(
            "fruit_pairs", self.img_shape[:2], paired=True, channels=self.img_shape[2]
        )

    def _pyramid(self, encoded: Any, img: Any) -> list[Any]:
        """What each discriminator sees: source and image, in smaller and smaller sizes."""
        pairs = [ops.concatenate([encoded, img], axis=-1)]
        for _ in self.ds[1:]:
            pairs.append(self._halve(pairs[-1]))
        return pairs

    def _features_of(self, pyramid: list[Any]) -> list[list[Any]]:
        """What the discriminators make of true pairs, which is nothing to be trained."""
        if not self.config.loss.lambda_features:
            return []
        found = [d(pairs, training=True) for d, pairs in zip(self._features, pyramid, strict=True)]
        return [[ops.stop_gradient(each) for each in features[:-1]] for features in found]

    def _outputs(
        self, calls: Calls, fake: Any, fakes: list[Any], target: Any, wanted: list[list[Any]]
    ) -> dict[str, Any]:
        """What the losses of the generators are taken of, by name.

        Args:
            calls: Calls the networks.
            fake: Translations.
            fakes: From `_pyramid`.
            target: The ground truth.
            wanted: From `_features_of`.

        Returns:
            Scores, and distances of shape `(batch,)`.
        """
        found = [calls(d, pairs) for d, pairs in zip(self._features, fakes, strict=True)]
        outputs = {f"valid_{n + 1}": scores for n, (*_, scores) in enumerate(found)}
        if wanted:
            distances = [
                _feature_distance(features[:-1], true)
                for features, true in zip(found, wanted, strict=True)
            ]
            outputs["features"] = sum(distances) / len(distances)
        if self._distance is not None:
            outputs["perceptual"] = self._distance([fake, target])
        return outputs

    def _trained(self) -> list[Any]:
        """The variables that the generators' optimizer moves in this stage."""
        if self.stage == GLOBAL:
            return self.g_global.trainable_variables
        variables = self.g.trainable_variables
        if self.stage == ENHANCER:
            others = {id(variable) for variable in self.g_global.trainable_variables}
            variables = [variable for variable in variables if id(variable) not in others]
        return variables

    def _step(self, imgs_A: Any, imgs_B: Any) -> dict[str, Any]:
        """Section 3.2: the generator against the discriminators as they are; then these."""
        a_to_b = self.direction == "A-to-B"
        source, target = (imgs_A, imgs_B) if a_to_b else (imgs_B, imgs_A)
        g = self.g_global if self.stage == GLOBAL else self.g
        combined = self._trained_through
        encoded, target = self._as_judged(g, source, target)
        reals = self._pyramid(encoded, target)
        wanted = self._features_of(reals)

        calls = Calls()
        with tf.GradientTape() as tape, kernels_prepared_once(g):
            fake = calls(g, source)
            fakes = self._pyramid(encoded, fake)
            outputs = self._outputs(calls, fake, fakes, target, wanted)
            # Scores should be those of true pairs, and distances nothing.
            targets = {
                name: ops.ones_like(output) if name.startswith("valid") else ops.zeros_like(output)
                for name, output in outputs.items()
            }
            g_loss, losses = combined.full_objective(targets, outputs, calls.losses)
            scaled_loss = combined.optimizer.scale_loss(g_loss)
        variables = self._trained()
        combined.optimizer.apply(tape.gradient(scaled_loss, variables), variables)

        logs = [
            self.update_discriminator(d, real, false)
            for d, real, false in zip(self.ds, reals, fakes, strict=True)
        ]
        return {
            **{f"d_{name}": _mean([each[name] for each in logs]) for name in logs[0]},
            **{
                f"{d.name}_{name}": value
                for d, each in zip(self.ds, logs, strict=True)
                for name, value in each.items()
            },
            "g_loss": g_loss,
            **{f"{name}_loss": value for name, value in losses.items()},
        }


def _mean(values: Sequence[Any]) -> Any:
    return sum(values) / len(values)


def _encoder(img_shape: tuple[int, int, int], config: Pix2PixHDConfig) -> keras.Model:
    """Makes of a source what the discriminators see of it, which is what the generator sees."""
    img = keras.Input(img_shape)
    encoded = encode(img, config.generator)
    return keras.Model(img, layers.Identity()(encoded), name="encoder_of_labels")


def _enlarged(g_global: keras.Model, name: str) -> keras.Model:
    """Lets the global generator make images of the full size."""
    img = keras.Input(g_global.input_shape[1:])
    dtype = keras.config.dtype_policy().variable_dtype
    enlarge = layers.UpSampling2D(2, interpolation="bilinear", dtype=dtype)
    return keras.Model(img, enlarge(g_global(img)), name=name)


def _with_features(d: keras.Model, are_wanted: bool) -> keras.Model:
    """A discriminator that also gives its features, those behind each activation."""
    known = (layers.LeakyReLU, layers.ReLU, layers.Activation)
    found = [layer.output for layer in getattr(d, "layers", ()) if isinstance(layer, known)]
    found = [tensor for tensor in found if tensor is not d.outputs[0]]
    if are_wanted and not found:
        raise ValueError(
            f"Feature matching takes a discriminator with activations in it, and {d.name!r} has "
            "none that are known. Give one with LeakyReLU layers, or lambda_features=0."
        )
    return keras.Model(d.inputs[0], [*found, d.outputs[0]], name=f"{d.name}_features")


def _feature_distance(found: Sequence[Any], wanted: Sequence[Any]) -> Any:
    """The mean absolute difference of each image's features, summed over the layers.

    Whatever the number of layers, the sum weighs as much as that of four, as in the authors' code.

    Args:
        found: Features of translations, those of each layer.
        wanted: Those of the truth.

    Returns:
        `(batch,)`.
    """
    dtype = keras.config.dtype_policy().variable_dtype
    errors = [
        ops.mean(ops.absolute(ops.cast(one, dtype) - ops.cast(other, dtype)), axis=(1, 2, 3))
        for one, other in zip(found, wanted, strict=True)
    ]
    return sum(errors) * (4 / len(errors))
