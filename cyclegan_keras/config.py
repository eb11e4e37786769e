"""The settings of a run: one typed class that makes the flags and is written to `config.json`."""

import dataclasses
import json
import os
import pathlib
import types
import typing
from typing import Any


def _setting(default: Any, help_text: str, choices: tuple[str, ...] | None = None) -> Any:
    return dataclasses.field(default=default, metadata={"help": help_text, "choices": choices})


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Everything that decides how a run goes.

    Each field is a flag of `train.py` (`image_size` is `--image-size`) and a key of `config.json`;
    the help text of each is in its metadata.

    Raises:
        ValueError: If a value is of the wrong type or out of range.
    """

    dataset: str = _setting("fruit", "name of a data set in ./data; 'fruit' is drawn if need be")
    data_dir: str | None = _setting(
        None, "a folder with trainA and trainB and, if you have them, testA and testB"
    )
    image_size: int = _setting(64, "height and width to train at, in pixels, divisible by 16")
    cache_memory: float = _setting(
        2.0,
        "GiB of memory that decoded images may take; above that they lie in a temporary file on "
        "disk",
    )
    batch_size: int = _setting(1, "images of each domain in one step")
    epochs: int = _setting(9, "passes over the data")
    decay_epochs: int = _setting(
        4, "the last so many epochs, over which the learning rate falls in a straight line"
    )
    sample_interval: int = _setting(100, "steps between two sample grids and rows of history.csv")
    seed: int = _setting(0, "of initial weights, order and flips")
    run_dir: str | None = _setting(None, "where all results go; by default a new folder in ./runs")
    lambda_cycle: float = _setting(10.0, "weight of each cycle-consistency loss")
    lambda_id: float | None = _setting(
        None,
        "weight of each identity loss, absolute (not a share of --lambda-cycle); "
        "by default 0.9 times --lambda-cycle, as in the book",
    )
    gf: int = _setting(32, "filters of the generators' first layer")
    df: int = _setting(64, "filters of the discriminators' first layer")
    learning_rate: float = _setting(2e-4, "of the Adam optimizers")
    precision: str = _setting(
        "float32",
        "of what is computed; weights are float32 always. The mixed ones are for processors with "
        "16-bit units",
        choices=("float32", "mixed_bfloat16", "mixed_float16"),
    )

    def __post_init__(self) -> None:
        for name, kind in typing.get_type_hints(type(self)).items():
            object.__setattr__(self, name, _checked(name, kind, getattr(self, name)))
        for name, least in (
            ("image_size", 32),
            ("cache_memory", 0),
            ("batch_size", 1),
            ("epochs", 1),
            ("decay_epochs", 0),
            ("sample_interval", 1),
            ("seed", 0),
            ("lambda_cycle", 0),
            ("lambda_id", 0),
            ("gf", 1),
            ("df", 1),
        ):
            value = getattr(self, name)
            if value is not None and not least <= value < float("inf"):
                raise ValueError(f"`{name}` must be at least {least}. Received: {name}={value}")
        if self.image_size % 16:
            nearest = max(32, round(self.image_size / 16) * 16)
            raise ValueError(
                "`image_size` must be divisible by 16, because the networks halve it four times; "
                f"{nearest} would do. Received: image_size={self.image_size}"
            )
        for field in dataclasses.fields(self):
            choices, value = field.metadata["choices"], getattr(self, field.name)
            if choices and value not in choices:
                raise ValueError(
                    f"`{field.name}` must be one of {', '.join(choices)}. "
                    f"Received: {field.name}={value!r}"
                )
        for name in ("dataset", "data_dir", "run_dir"):
            if getattr(self, name) == "":
                raise ValueError(f"`{name}` must not be empty. Received: {name}=''")
        if not 0 < self.learning_rate < float("inf"):
            raise ValueError(
                f"`learning_rate` must be above 0. Received: learning_rate={self.learning_rate}"
            )

    def to_json(self) -> str:
        """Returns the settings as JSON, one a line."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, path: str | os.PathLike[str]) -> "TrainConfig":
        """Reads settings that `to_json` wrote.

        Args:
            path: Of the file. Settings that are not in it have their defaults.

        Returns:
            The settings.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it is not JSON, or has settings that do not exist or are out of range.
        """
        name = os.fspath(path)
        try:
            settings = json.loads(pathlib.Path(path).read_text("utf-8"))
        except FileNotFoundError:
            raise FileNotFoundError(f"No settings file {name!r}.") from None
        except ValueError as error:
            raise ValueError(f"The settings file {name!r} is not JSON: {error}.") from None
        known = {field.name for field in dataclasses.fields(cls)}
        if not isinstance(settings, dict) or not settings.keys() <= known:
            unknown = sorted(set(settings) - known) if isinstance(settings, dict) else settings
            raise ValueError(
                f"The settings file {name!r} must be an object with keys among {sorted(known)}. "
                f"Received: {unknown}"
            )
        try:
            return cls(**settings)
        except ValueError as error:
            raise ValueError(f"In the settings file {name!r}: {error}") from None


def value_type(kind: Any) -> type:
    """Gives the plain type of a field: `int` for `int | None`."""
    if isinstance(kind, types.UnionType):
        return next(choice for choice in typing.get_args(kind) if choice is not type(None))
    return kind


def _checked(name: str, kind: Any, value: Any) -> Any:
    """Returns the value, a whole number as a float where a float is wanted."""
    wanted = value_type(kind)
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, kind):
        raise ValueError(f"`{name}` must be of type {wanted.__name__}. Received: {name}={value!r}")
    return value
