"""Finds generators, by their file or by the folder of their run, and what the run says of them."""

import contextlib
import dataclasses
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

from cyclegan_keras.config import value_range
from cyclegan_keras.config.train_config import TrainConfig
from cyclegan_keras.runs import run_folder

WAYS = ("AB", "BA")


@dataclasses.dataclass(frozen=True)
class GeneratorFile:
    """A saved generator, and the settings of the run in whose folder it is.

    Attributes:
        path: Of the file, which need not exist.
        config: The settings of the run, with its folder as `run_dir`; `None` if there is no run, or
            its settings cannot be read.
    """

    path: pathlib.Path
    config: TrainConfig | None = None

    @property
    def way(self) -> str | None:
        """The way that it translates, such as "AB", by its name; `None` if that says none."""
        prefix, _, way = self._network.partition("_")
        known = WAYS if self.config is None else self.config.ways
        return way if prefix == "g" and way in known else None

    @property
    def fit(self) -> Any:
        """How pictures of other proportions were brought to the training size."""
        return "stretch" if self.config is None else self.config.fit

    @property
    def size(self) -> tuple[int, int] | None:
        """Height and width that it was trained at, in pixels, if that is known."""
        return None if self.config is None else self.config.img_res

    @property
    def ranges(self) -> tuple[value_range.ValueRange | None, value_range.ValueRange | None]:
        """The values of black and white of what it takes and of what it gives, from the run.

        Raises:
            ValueError: If the run's settings say none that can be.
        """
        return value_range.of_translator(self.path)

    @property
    def is_classifier(self) -> bool:
        """Whether it is a network of the run that labels images."""
        return self.config is not None and self._network in self.config.classifiers

    @property
    def _network(self) -> str:
        """What a run calls it, such as "g_AB", by the file's name."""
        return self.path.name.split(".")[0]

    def load(self) -> Any:
        """Loads the generator, or a network beside it, for images of the run's shape.

        Returns:
            A Keras model.

        Raises:
            FileNotFoundError: If the file does not exist.
            ValueError: If it is damaged, expects images of another shape than the run's, or has
                scores of other classes.
        """
        from cyclegan_keras.inference import latents
        from cyclegan_keras.inference.safe_loading import model_files

        if self.is_classifier and self.config is not None:
            return _load_classifier(self.path, self.config)
        if self.path.name.startswith("e_"):
            network = model_files.load_encoder(self.path)
        else:
            network = model_files.load_generator(self.path)
        taken = latents.image_shape(network)[1:]
        wanted = taken if self.config is None else self.config.img_shape
        if any(have not in (None, want) for have, want in zip(taken, wanted, strict=True)):
            raise ValueError(
                f"{str(self.path)!r} must take images of (height, width, channels) {wanted}, as "
                f"{run_folder.CONFIG} beside it says, but it belongs to another run. Put the run's "
                f"own file there. Received: input shape {taken}"
            )
        return network


def _load_classifier(path: pathlib.Path, config: TrainConfig) -> Any:
    from cyclegan_keras.inference.safe_loading import model_files

    classifier = model_files.load_model(path)
    wanted = ((None, *config.img_shape), (None, len(config.classes or ())))
    found = (classifier.input_shape, classifier.output_shape)
    if found != wanted:
        raise ValueError(
            f"{str(path)!r} must take images of {config.img_shape} and make a score for each of "
            f"{wanted[1][1]} classes, as {run_folder.CONFIG} beside it says. Put the run's own "
            f"file there. Received: input shape {found[0]}, output shape {found[1]}"
        )
    return classifier


def by_name(name: str, way: str | None = None) -> GeneratorFile:
    """Finds a generator by its file, or by a folder that has one.

    Args:
        name: A `.keras` file, or the folder of a run.
        way: Which one, such as `"AB"`; `None` means AB, or the only one there. For folders only.

    Returns:
        The generator. Whether there is a file of that name, loading it tells.

    Raises:
        FileNotFoundError: If the folder has no such generator.
        ValueError: If a way is given for a file.
    """
    path = pathlib.Path(name)
    if not path.is_dir():
        if way is not None:
            raise ValueError(
                f"--way chooses from the folder of a run, and {name!r} is none. Leave --way out."
            )
        return GeneratorFile(path, _settings_beside(path))
    config = _settings_beside(path / run_folder.CONFIG)
    ways = WAYS if config is None else config.ways
    found = {one: path / f"g_{one}.keras" for one in ways}
    there = [one for one in ways if found[one].is_file()]
    chosen = way or next(iter(there), ways[0])
    if chosen in there:
        return GeneratorFile(found[chosen], config)
    others = f" There is {' and '.join(found[one].name for one in there)}." if there else ""
    raise FileNotFoundError(
        f"No generator 'g_{chosen}.keras' in the folder {name!r}.{others} Give the folder of a "
        "run, or a .keras file."
    )


def of_run(
    run_dir: str | pathlib.Path, ways: Sequence[str] | None = None, best: bool = False
) -> dict[str, GeneratorFile]:
    """Finds the generators of a run.

    Args:
        run_dir: The folder of the run.
        ways: Which ones, such as "AB"; `None` means all that it has.
        best: Whether to take the best ones, instead of the last ones.

    Returns:
        The generators by their ways.

    Raises:
        FileNotFoundError: If there is no run, or a generator is missing.
        ValueError: If its settings file is damaged, or it does not translate one of these ways.
    """
    folder = pathlib.Path(run_dir)
    config = settings_of(folder)
    for way in ways or ():
        if way not in config.ways:
            raise ValueError(
                f"The run translates {' and '.join(config.ways)} only. Received: {way}"
            )
    files = generator_files(folder, ways or config.ways, best)
    return {name.removeprefix("g_"): GeneratorFile(path, config) for name, path in files.items()}


def networks_of_run(run_dir: str | pathlib.Path, best: bool = False) -> dict[str, GeneratorFile]:
    """Finds what a run is evaluated by: its generators and what is saved beside them.

    Args:
        run_dir: The folder of the run.
        best: Whether to take the best ones, instead of the last ones.

    Returns:
        The networks by their names, such as `g_AB` and `e_B`. Those that label images are the last
        ones, and those that it has trained so far.

    Raises:
        FileNotFoundError: If there is no run, or a network is missing.
        ValueError: If its settings file is damaged.
    """
    folder = pathlib.Path(run_dir)
    config = settings_of(folder)
    names = [*(f"g_{way}" for way in config.ways), *config.info.companions_of(config)]
    labelling = {name: folder / f"{name}.keras" for name in config.classifiers}
    files = _saved(folder, names, best)
    files |= {name: path for name, path in labelling.items() if path.is_file()}
    return {name: GeneratorFile(path, config) for name, path in files.items()}


def settings_of(run_dir: pathlib.Path) -> TrainConfig:
    """Reads the settings of a run.

    Args:
        run_dir: Its folder.

    Returns:
        The settings, with the folder as `run_dir`.

    Raises:
        FileNotFoundError: If there is no run.
        ValueError: If its settings file is damaged.
    """
    if not (run_dir / run_folder.CONFIG).is_file():
        raise FileNotFoundError(
            f"There is no run in {str(run_dir)!r}: it has no {run_folder.CONFIG}. Give a folder "
            "that `cyclegan train` has written, such as runs/fruit."
        )
    return run_folder.settings_in(run_dir)


def generator_files(
    run_dir: pathlib.Path, ways: Iterable[str], best: bool
) -> dict[str, pathlib.Path]:
    """Finds the files of generators of a run.

    Args:
        run_dir: The folder of the run.
        ways: Which generators, such as "AB".
        best: Whether to take the best ones, instead of the last ones.

    Returns:
        The files by the names of the generators.

    Raises:
        FileNotFoundError: If one is missing.
    """
    return _saved(run_dir, [f"g_{way}" for way in ways], best)


def _saved(run_dir: pathlib.Path, names: Iterable[str], best: bool) -> dict[str, pathlib.Path]:
    files = {name: run_dir / f"{name}{'.best' if best else ''}.keras" for name in names}
    for path in files.values():
        if not path.is_file():
            when = (
                "Training with --evaluate-every saves the best ones; leave --best out to use the "
                "last ones."
                if best
                else "Training writes them when it ends or is interrupted; to continue it: "
                "python train.py --resume --run-dir …"
            )
            raise FileNotFoundError(
                f"The run in {str(run_dir)!r} has no saved generators yet: {path.name} is missing. "
                f"{when}"
            )
    return files


def _settings_beside(path: pathlib.Path) -> TrainConfig | None:
    with contextlib.suppress(OSError, ValueError):
        return run_folder.settings_in(path.parent)
    return None
