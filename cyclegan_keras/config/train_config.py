"""The settings of a run: one typed class that makes the flags and is written to `config.json`."""

import dataclasses
import json
import os
import types
import typing
from collections.abc import Callable
from typing import Any, Self

from cyclegan_keras.config import models, norms, settings_file, together, value_range
from cyclegan_keras.config.fields import (
    Needs,
    check_range,
    checked,
    image_size,
    setting,
    sides_of,
)
from cyclegan_keras.config.recipes import CYCLEGAN, DECIDED_BY_RECIPES

# What is not said is as in the fast recipe.
_FAST = types.SimpleNamespace(**CYCLEGAN["fast"])
_OF_A_RESNET = Needs("generator", ("resnet",))
_OF_A_UNET = Needs("generator", ("unet", "deep_unet"))
_WHILE_TRAINING = Needs("evaluate_every")


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Everything that decides how a run goes.

    Each field is a flag of `train.py` (`image_size` is `--image-size`) and a key of `config.json`;
    the help text of each is in its metadata. `model` and `recipe` mean all values of that recipe,
    and the other settings that are given come on top; so it is with `dataclasses.replace`, too.
    Where every setting is given that a recipe decides, as in the file of a run, each is taken as it
    is. Fields that are `None` because another one decides (`decay_epochs` and so on) have that
    value once the object is made, so that what is written is what was used.

    Raises:
        ValueError: If a value is of the wrong type or out of range, there is no such recipe, or a
            setting that was given does nothing beside the others.
    """

    # `dataclasses.replace` takes this for the first field: it passes the settings that it was
    # given, then this, and then all others as they were.
    _base: dataclasses.InitVar[Any] = property(lambda self: self)  # noqa: RUF009

    model: str = setting(
        "model",
        "cyclegan",
        "cyclegan, for two sets of images, or pix2pix, for paired images (with the settings "
        "of its paper)",
        choices=models.names,
    )
    recipe: str | None = setting(
        "model",
        None,
        "sets networks, losses, training, image size and epochs: those of the book, those of "
        "the paper, or fast (the default), which gives good images in little time; pix2pix "
        "has only the recipe of its paper, for small images and few epochs; other flags "
        "override it",
        choices=models.recipe_names,
    )
    direction: str = setting(
        "model",
        "A-to-B",
        "the direction in which pix2pix translates",
        choices=("A-to-B", "B-to-A"),
        of_model=True,
    )
    dataset: str = setting(
        "data",
        "fruit",
        "name of a data set in ./data; 'fruit' and 'fruit_pairs' are drawn if they do not exist",
        may_change=True,
        needs=Needs("data_dir", (None,)),
    )
    data_dir: str | None = setting(
        "data",
        None,
        "a folder with trainA and trainB and, if available, testA and testB; or with train "
        "and test, in which each image is a pair, side by side",
        may_change=True,
    )
    image_size: int | str = setting(
        "data",
        _FAST.image_size,
        "the training size in pixels: one number for squares, or HEIGHTxWIDTH, such as 256x512",
    )
    channels: int = setting(
        "data",
        3,
        "of the images: 3 for color, 1 for gray; colors are converted to gray (luma)",
        choices=(1, 3),
    )
    enlarge: float = setting(
        "data",
        _FAST.enlarge,
        "scales training images to this many times the training size, and crops a random "
        "part each time",
        least=1,
    )
    flip: bool = setting("data", _FAST.flip, "mirror training images at random")
    epoch_length: str = setting(
        "data",
        _FAST.epoch_length,
        "whether an epoch is as long as the smaller or the larger of the two sets",
        choices=("shorter", "longer"),
        data="unpaired",
    )
    cache_memory: float = setting(
        "data",
        2.0,
        "GiB of memory for decoded images; the rest goes to a temporary file",
        least=0,
        may_change=True,
    )
    skip_bad_images: bool = setting(
        "data",
        False,
        "leave out images that cannot be read, instead of stopping",
        may_change=True,
    )
    value_range: str | tuple | None = setting(
        "data",
        None,
        "the values in the files that are black and white, LOW HIGH, such as -1024 3071; "
        "four numbers set another range for B; auto determines the ranges from the training "
        "images. The default is the whole range of a file's type",
        words="N",
    )
    generator: str = setting(
        "networks",
        _FAST.generator,
        "the book's U-Net, the paper's ResNet, or the deeper U-Net of pix2pix",
        choices=("unet", "resnet", "deep_unet"),
    )
    gf: int = setting("networks", _FAST.gf, "filters of the generators' first layer", least=1)
    num_blocks: int | None = setting(
        "networks",
        _FAST.num_blocks,
        "number of residual blocks of a resnet; the paper has 6 below 256 pixels and 9 from "
        "there on",
        least=0,
        needs=_OF_A_RESNET,
    )
    upsampling: str = setting(
        "networks",
        _FAST.upsampling,
        "how a resnet doubles the size of its feature maps",
        choices=("transposed", "resize"),
        needs=_OF_A_RESNET,
    )
    dropout: float = setting(
        "networks",
        _FAST.dropout,
        "dropout rate of a U-Net, below 1",
        least=0,
        needs=_OF_A_UNET,
    )
    padding: str = setting(
        "networks",
        _FAST.padding,
        "of a resnet: paper has zeros where sizes change; reflect has mirrored pixels everywhere",
        choices=("paper", "reflect"),
        needs=_OF_A_RESNET,
    )
    norm: str = setting(
        "networks",
        _FAST.norm,
        "normalization of the generators; pixel and none are for a resnet; contrib, the "
        "layer of keras_contrib that the book's listing imports, is for the book's U-Net",
        choices=norms.NORMS,
    )
    skips: bool = setting(
        "networks",
        _FAST.skips,
        "give a resnet the skip connections of a U-Net",
        # A U-Net has them, so False is not true of it either.
        needs=dataclasses.replace(_OF_A_RESNET, unless=()),
    )
    residual: bool = setting(
        "networks",
        _FAST.residual,
        "let generators predict a change of their input instead of a new image",
    )
    exact_residual: bool = setting(
        "networks",
        _FAST.exact_residual,
        "let black and white pass through a residual generator unchanged; without it, they "
        "become levels 3 and 252, as in runs from before this setting",
        needs=Needs("residual", unless=(None, True)),
    )
    discriminator: str = setting(
        "networks",
        _FAST.discriminator,
        "the book's, or a PatchGAN with this receptive field in pixels",
        choices=("book", "patch1", "patch16", "patch70", "patch286"),
    )
    d_norm: str = setting(
        "networks",
        _FAST.d_norm,
        "normalization of the discriminators; contrib is for the book's, pixel and none are "
        "for the others",
        choices=norms.NORMS,
    )
    df: int = setting("networks", _FAST.df, "filters of the discriminators' first layer", least=1)
    objective: str = setting(
        "losses",
        _FAST.objective,
        "the adversarial loss of discriminators and generators",
        choices=("least_squares", "log_likelihood", "hinge", "wasserstein"),
    )
    lambda_gan: float = setting(
        "losses", _FAST.lambda_gan, "weight of each adversarial loss", least=0
    )
    lambda_cycle: float = setting(
        "losses",
        _FAST.lambda_cycle,
        "weight of each cycle-consistency loss",
        least=0,
    )
    lambda_cycle_A: float | None = setting(
        "losses",
        _FAST.lambda_cycle_A,
        "weight of the cycle from A to B and back, if different",
        least=0,
    )
    lambda_cycle_B: float | None = setting(
        "losses",
        _FAST.lambda_cycle_B,
        "weight of the cycle from B to A and back, if different",
        least=0,
    )
    lambda_id: float = setting(
        "losses",
        _FAST.lambda_id,
        "weight of each identity loss, absolute (not a share of --lambda-cycle)",
        least=0,
    )
    lambda_l1: float = setting(
        "losses", 100.0, "weight of the error to the true translation", least=0
    )
    lambda_penalty: float = setting(
        "losses",
        _FAST.lambda_penalty,
        "weight of the gradient penalty of the wasserstein objective",
        least=0,
        needs=Needs("objective", ("wasserstein",)),
    )
    update_first: str = setting(
        "training",
        _FAST.update_first,
        "which networks are updated first in a step",
        choices=("discriminators", "generators"),
        of_model=True,
    )
    discriminator_update: str = setting(
        "training",
        _FAST.discriminator_update,
        "separate: one update on real images and one on translations; joint: one update on "
        "the mean of both losses",
        choices=("separate", "joint"),
        of_model=True,
    )
    pool_size: int = setting(
        "training",
        _FAST.pool_size,
        "number of earlier translations in the image pool of each discriminator",
        least=0,
        of_model=True,
    )
    d_shift: float = setting(
        "training",
        _FAST.d_shift,
        "shifts everything that a discriminator sees at random by up to this share of its "
        "size, such as 0.125",
        least=0,
        of_model=True,
    )
    d_colour: float = setting(
        "training",
        _FAST.d_colour,
        "recolors everything that a discriminator sees at random, by this strength, such as 1",
        least=0,
        of_model=True,
    )
    d_source: float = setting(
        "training",
        _FAST.d_source,
        "share of real images of the other domain in what discriminators learn to reject, "
        "such as 0.5, below 1",
        least=0,
        of_model=True,
    )
    ema: float = setting(
        "training",
        _FAST.ema,
        "decay of the moving average of the generators' weights, such as 0.999; the averaged "
        "weights are saved. 0 takes no average",
        least=0,
        of_model=True,
    )
    batch_size: int = setting(
        "training", _FAST.batch_size, "images of each domain in one step", least=1
    )
    epochs: int = setting(
        "training", _FAST.epochs, "passes over the data", least=1, may_change=True
    )
    decay_epochs: int | None = setting(
        "training",
        _FAST.decay_epochs,
        "number of final epochs in which the learning rate falls linearly; the default is 0, "
        "and half of the epochs in the papers' recipes",
        least=0,
        may_change=True,
    )
    learning_rate: float = setting("training", _FAST.learning_rate, "of the Adam optimizers")
    beta_1: float = setting(
        "training", _FAST.beta_1, "of the Adam optimizers, below 1", least=0, of_model=True
    )
    precision: str = setting(
        "training",
        "float32",
        "of the computation; weights are always float32. The mixed types are for processors "
        "with 16-bit units",
        choices=("float32", "mixed_bfloat16", "mixed_float16"),
    )
    seed: int = setting("training", 0, "of initial weights, order and flips", least=0)
    deterministic: bool = setting(
        "training",
        False,
        "make a GPU compute the same bits each time, which can be slower; a CPU always does",
    )
    start_from: str | None = setting(
        "training",
        None,
        "start a new run with trained networks: all networks of a run, with its optimizers "
        "where they fit, or the generators in .keras files; all other settings may differ",
        flag="from",
        words="RUN-or-MODELS",
    )
    start_digest: str | None = setting(
        "training",
        None,
        "the SHA-256 of what was taken from there",
        may_change=True,
        flag="",
    )
    sample_interval: int = setting(
        "results",
        100,
        "steps between sample grids, and between rows of history.csv",
        least=1,
        may_change=True,
    )
    run_dir: str | None = setting(
        "results",
        None,
        "folder for all results, from which an unfinished run is resumed; by default a new "
        "folder in ./runs",
        may_change=True,
    )
    evaluate_every: int = setting(
        "evaluation",
        0,
        "steps between evaluations on test images; the metrics go to history.csv, and the "
        "best generators are kept. 0 evaluates only at the end",
        least=0,
        may_change=True,
    )
    extractor: str = setting(
        "evaluation",
        "auto",
        "the network whose features the metrics compare: inception, efficientnet, or a "
        ".keras file; none leaves out metrics that need features; auto takes what is "
        "installed",
        may_change=True,
        needs=dataclasses.replace(_WHILE_TRAINING, unless=("auto", "none")),
    )
    best_by: str = setting(
        "evaluation",
        "auto",
        "the metric that decides which generators are best: the error to the ground truth, "
        "KID, FID, or the cycle error; auto takes the ground truth where it is known, else "
        "KID",
        choices=("auto", "truth", "kernel", "frechet", "cycle"),
        may_change=True,
        needs=dataclasses.replace(_WHILE_TRAINING, unless=("auto",)),
    )
    stop_when_stale: int = setting(
        "evaluation",
        0,
        "early stopping: stop after this many evaluations in a row without a new best "
        "generator; 0 never stops",
        least=0,
        may_change=True,
        needs=_WHILE_TRAINING,
    )
    tensorboard: bool = setting(
        "evaluation",
        False,
        "also write losses, metrics and samples for TensorBoard",
        may_change=True,
    )
    checkpoint_interval: float = setting(
        "safety",
        10.0,
        "minutes between checkpoints, in addition to those at the end of each epoch",
        least=0,
        may_change=True,
    )
    keep: int = setting("safety", 2, "number of checkpoints to keep", least=1, may_change=True)
    on_nan: str = setting(
        "safety",
        "stop",
        "what to do when a loss is not finite: stop, or roll back to the last checkpoint and "
        "continue with the images in another order",
        choices=("stop", "rollback"),
        may_change=True,
    )

    @property
    def chosen(self) -> frozenset[str]:
        """The names of the settings that somebody chose, and no recipe and no default did."""
        return self.__dict__["_chosen"]

    def __new__(cls, **settings: Any) -> Self:
        """Remembers which settings are given, and in which order."""
        config = super().__new__(cls)
        object.__setattr__(config, "_passed", tuple(settings))
        return config

    def __post_init__(self, _base: Any) -> None:
        passed = self.__dict__.pop("_passed")
        base, new = None, set(passed)
        if "_base" in passed:
            base, new = _base, set(passed[: passed.index("_base")])
        self._check_values()
        is_record = base is None and new >= DECIDED_BY_RECIPES
        if base is not None:
            self._decide_anew(base, new)
        if not is_record:
            self._take_recipe(base, new)
        for name, decide in _DECIDED.items():
            if getattr(self, name) is None:
                self._set({name: decide(self)})
                new.discard(name)  # Who says `None` leaves it to the others.
        self._remember_chosen(base, set() if is_record else new)
        self._fit_norms()
        together.check_image_size(self)
        together.check_together(self, set() if is_record else new)

    def _check_values(self) -> None:
        """Looks at each value for itself."""
        object.__setattr__(self, "image_size", image_size(self.image_size))
        object.__setattr__(self, "value_range", value_range.parse(self.value_range))
        kinds = typing.get_type_hints(type(self))
        for field in dataclasses.fields(self):
            value = checked(field.name, kinds[field.name], getattr(self, field.name))
            check_range(field, value)
            object.__setattr__(self, field.name, value)
        for name in ("dataset", "data_dir", "run_dir", "extractor"):
            if getattr(self, name) == "":
                raise ValueError(f"`{name}` must not be empty. Received: {name}=''")
        for name in ("ema", "dropout", "beta_1", "d_shift", "d_source"):
            if getattr(self, name) >= 1:
                raise ValueError(
                    f"`{name}` must be below 1. Received: {name}={getattr(self, name)}"
                )
        if not 0 < self.learning_rate < float("inf"):
            raise ValueError(
                f"`learning_rate` must be above 0. Received: learning_rate={self.learning_rate}"
            )

    def _decide_anew(self, base: "TrainConfig", new: set[str]) -> None:
        """Lets go of what other settings decided, since they may have changed."""
        values: dict[str, Any] = {
            name: None
            for name, decide in _DECIDED.items()
            if name not in new | base.chosen and getattr(base, name) == decide(base)
        }
        usual = self.info.recipes.get(self.recipe, {})
        for name in ("norm", "d_norm"):
            if name not in new | base.chosen:  # It may have been fitted to another network.
                values[name] = usual.get(name, getattr(_FAST, name))
        if "dataset" in new and "data_dir" not in new:
            values["data_dir"] = None  # The one takes the other's place.
        self._set(values)

    def _take_recipe(self, base: "TrainConfig | None", new: set[str]) -> None:
        """Takes all values of the recipe but those that are given, if it is new."""
        if base is not None and not {"model", "recipe"} & new:
            return
        if base is not None and "recipe" not in new and self.recipe not in self.info.recipes:
            self._set({"recipe": None})  # It was of the other model.
        values = _usual(self.model, self.recipe)
        if base is not None:
            names_data = "dataset" in base.chosen or (
                base.dataset != _usual(base.model, base.recipe)["dataset"]
            )
            if names_data:
                del values["dataset"]
            values |= {
                field.name: field.default
                for field in dataclasses.fields(self)
                if not self.info.has(field)
            }
        self._set({name: value for name, value in values.items() if name not in new})

    def _remember_chosen(self, base: "TrainConfig | None", new: set[str]) -> None:
        if base is not None:
            chosen = base.chosen | new
            if {"model", "recipe"} & new:
                chosen -= DECIDED_BY_RECIPES - {"dataset"} - new
            if self.data_dir is not None:
                chosen -= {"dataset"} - new
        elif new:
            chosen = frozenset(new)
        else:  # Of a record, it is what no recipe would have set.
            usual = _usual(self.model, self.recipe)
            chosen = frozenset(
                field.name
                for field in dataclasses.fields(self)
                for value in [getattr(self, field.name)]
                if value != usual.get(field.name, field.default)
                and (field.name not in _DECIDED or value != _DECIDED[field.name](self))
            )
        object.__setattr__(self, "_chosen", frozenset(chosen))

    def _fit_norms(self) -> None:
        """Writes down the normalisations that the networks have, if nobody chose others."""
        found = {
            "norm": norms.fitting(self.norm, self.generator),
            "d_norm": norms.fitting(self.d_norm, self.discriminator),
        }
        self._set({name: norm for name, norm in found.items() if name not in self.chosen})

    def _set(self, values: dict[str, Any]) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @property
    def info(self) -> models.ModelInfo:
        """What the model says of itself."""
        return models.MODELS[self.model]

    @property
    def ways(self) -> tuple[str, ...]:
        """Which ways the model translates: `"AB"`, `"BA"` or both."""
        return self.info.ways_of(self)

    @property
    def img_res(self) -> tuple[int, int]:
        """Height and width that are trained at, in pixels."""
        return sides_of(self.image_size)

    @property
    def img_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of what the networks take."""
        return (*self.img_res, self.channels)

    @classmethod
    def make(cls, base: "TrainConfig | None" = None, **settings: Any) -> "TrainConfig":
        """Makes settings from other ones, or from those of a recipe, with some changed.

        Args:
            base: Settings to start from; `None` means the defaults. What another setting decided
                there (`decay_epochs`, in the papers half of `epochs`, for one) is decided anew.
            **settings: Fields. `recipe` or `model` among them sets all that the recipe has, and
                pix2pix always has its paper's networks and losses; the others come on top.

        Returns:
            The settings.

        Raises:
            ValueError: If a value is of the wrong type or out of range, is no setting of the
                model, or does nothing beside the others.
        """
        return cls(**settings) if base is None else dataclasses.replace(base, **settings)

    def model_settings(self) -> dict[str, Any]:
        """Gives what the model's class is called with.

        Returns:
            Keyword arguments, `img_shape` included; all but the data loader.
        """
        values = {name: getattr(self, name) for name in sorted(self.info.settings)}
        # Another network's may have been left from the recipe.
        for name, network in (("norm", self.generator), ("d_norm", self.discriminator)):
            if name in values:
                values[name] = norms.fitting(values[name], network)
        return {"img_shape": self.img_shape, **values}

    def differences(self, other: "TrainConfig") -> dict[str, tuple[Any, Any]]:
        """Compares with the settings that a run was begun with.

        Args:
            other: Those.

        Returns:
            For each setting that must not change in the middle of a run and differs, this value and
            the other one.
        """
        return {
            field.name: (getattr(self, field.name), getattr(other, field.name))
            for field in dataclasses.fields(self)
            if not field.metadata["may_change"]
            and getattr(self, field.name) != getattr(other, field.name)
            # `auto` is the same setting before and after something was found.
            and not (
                field.name == "value_range"
                and value_range.AUTO in (self.value_range, other.value_range)
                and value_range.is_auto(self.value_range)
                and value_range.is_auto(other.value_range)
            )
        }

    def to_json(self) -> str:
        """Returns the settings as JSON, one a line."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, path: str | os.PathLike[str]) -> "TrainConfig":
        """Reads settings that `to_json` wrote.

        Args:
            path: Of the file. The recipe that it names, or else the defaults, decides the settings
                that are not in it; in the file of a run, all are.

        Returns:
            The settings.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it is not JSON, or has settings that do not exist, are out of range, or
                do nothing beside the others.
        """
        known = {field.name for field in dataclasses.fields(cls)}
        given = settings_file.read(path, known)
        book = {**dict.fromkeys(DECIDED_BY_RECIPES), **_usual("cyclegan", "book")}
        try:
            return cls(**settings_file.completed(given, book))
        except ValueError as error:
            raise ValueError(f"In the settings file {os.fspath(path)!r}: {error}") from None


def _usual(model: str, recipe: str | None) -> dict[str, Any]:
    """All that a recipe decides, with the defaults for what is of another model."""
    info = models.MODELS[model]
    if recipe is not None and recipe not in info.recipes:
        known = " or ".join(name for name in info.recipes if name is not None)
        raise ValueError(
            f"`recipe` must be {known or 'left out'} with model={model}"
            f"{', or left out' if known else ''}. Received: recipe={recipe!r}"
        )
    defaults = {
        field.name: field.default
        for field in dataclasses.fields(TrainConfig)
        if field.name in DECIDED_BY_RECIPES
    }
    return {**defaults, **info.recipes.get(recipe, {})}


# What settings are if they are left out and others decide.
_DECIDED: dict[str, Callable[[TrainConfig], Any]] = {
    "lambda_cycle_A": lambda config: config.lambda_cycle,
    "lambda_cycle_B": lambda config: config.lambda_cycle,
    "decay_epochs": lambda config: (
        config.epochs // 2 if config.recipe in config.info.decaying_recipes else 0
    ),
    "num_blocks": lambda config: 6 if max(config.img_res) < 256 else 9,
}
