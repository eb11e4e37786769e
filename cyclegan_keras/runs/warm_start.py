"""Starting from trained networks: those of another run, or generators from files."""

import dataclasses
import hashlib
import os
import pathlib
from collections.abc import Callable
from typing import Any

from cyclegan_keras._files import PathLike
from cyclegan_keras._text import counted
from cyclegan_keras.config.train_config import TrainConfig
from cyclegan_keras.runs import record, run_folder


@dataclasses.dataclass(frozen=True)
class Taken:
    """The trained networks that a training starts from.

    Attributes:
        networks: The names of the networks whose weights were loaded.
        optimizers: The names of the models whose optimizer states were loaded.
        anew: The names of the networks that start with random weights.
        digest: SHA-256 of everything that was loaded.
        source: Where it comes from, in words.
    """

    networks: list[str]
    optimizers: list[str]
    anew: list[str]
    digest: str
    source: str

    def __str__(self) -> str:
        """Describes it in a sentence."""
        parts = [f"Starts with {', '.join(self.networks)} of {self.source}"]
        if self.optimizers:
            parts.append(f"optimizer states of {', '.join(self.optimizers)}")
        else:
            parts.append("new optimizer states")
        if self.anew:
            parts.append(f"random weights of {', '.join(self.anew)}")
        return "; ".join(parts)


def paths_in(source: str) -> list[pathlib.Path]:
    """Splits what `--from` names: one path, or several joined as in the system's PATH."""
    if os.path.exists(source):  # A name may contain the separator.
        return [pathlib.Path(source)]
    return [pathlib.Path(part) for part in source.split(os.pathsep)]


def check(source: str) -> None:
    """Checks early, without loading anything, whether `--from` names trained networks.

    Args:
        source: A run's folder, a folder of `.keras` files, or such files, joined by `os.pathsep`.

    Raises:
        FileNotFoundError: If a path does not exist, or a folder has no networks.
        ValueError: If a file is not a `.keras` file, or a folder is given with other paths.
    """
    paths = paths_in(source)
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(f"No {str(path)!r} to start from. Give --from a run or models.")
        if path.is_dir() and len(paths) > 1:
            raise ValueError(
                "--from takes one folder, or one or more .keras files. "
                f"Received: {', '.join(repr(str(path)) for path in paths)}"
            )
        if path.is_dir():
            if not (_is_run(path) or _generator_files([path])):
                raise FileNotFoundError(
                    f"There are no trained networks in {str(path)!r}. Give --from a run with "
                    "checkpoints, or a folder with g_AB.keras or g_BA.keras."
                )
        elif path.suffix != ".keras":
            raise ValueError(
                f"--from takes a run's folder or .keras files. Received: {str(path)!r}"
            )


def start_from(
    model: Any, source: PathLike, make_model: Callable[[TrainConfig], Any] | None = None
) -> Taken:
    """Gives a model the weights of trained networks.

    From a run's folder, it loads all networks from the newest checkpoint, and the optimizer states
    that fit; from `.keras` files, the generators. Everything else, such as learning rates, loss
    weights, image pools and seeds, stays as the model has it.

    Args:
        model: A `CycleGAN`, a `Pix2Pix` or another `GAN`, not trained yet.
        source: A run's folder, a folder with `g_AB.keras` and `g_BA.keras` or one of them, or such
            files, joined by `os.pathsep`.
        make_model: Makes the model of a run from its settings; `None` means
            `from_settings.make_model`.

    Returns:
        What was loaded.

    Raises:
        FileNotFoundError: If a path does not exist, or a folder has no networks.
        ValueError: If the weights of a network do not fit, or no network has the name of one of the
            model's. The model is unchanged then.
    """
    check(os.fspath(source))
    paths = paths_in(os.fspath(source))
    if paths[0].is_dir() and _is_run(paths[0]):
        return _from_run(model, paths[0], make_model)
    return _from_files(model, paths)


def _is_run(folder: pathlib.Path) -> bool:
    return (folder / run_folder.CONFIG).is_file() and run_folder.has_checkpoints(folder)


def _from_run(
    model: Any, folder: pathlib.Path, make_model: Callable[[TrainConfig], Any] | None
) -> Taken:
    from cyclegan_keras.training.callbacks.checkpointing import restore
    from cyclegan_keras.training.checkpoints import SUMS, CheckpointStore

    if make_model is None:
        from cyclegan_keras.models import from_settings

        make_model = from_settings.make_model
    settings = TrainConfig.from_json(folder / run_folder.CONFIG)
    checkpoint = CheckpointStore(folder / run_folder.CHECKPOINTS).newest()
    if checkpoint is None:
        raise ValueError(
            f"All checkpoints in {str(folder)!r} are damaged. Give --from its .keras files."
        )
    # At once, since a training that continues there will remove the checkpoint.
    digest = hashlib.sha256((checkpoint.path / SUMS).read_bytes()).hexdigest()
    trained = make_model(settings)
    restore(trained, checkpoint)
    mine, theirs = model.networks, trained.networks
    common = [name for name in mine if name in theirs]
    _check_any(model, common, str(folder))
    for name in common:
        _check_fit(name, mine[name], theirs[name], str(folder))
    for name in common:
        mine[name].set_weights(theirs[name].get_weights())
    optimizers = _copy_optimizers(model, trained)
    progress = checkpoint.state["progress"]
    return Taken(
        common,
        optimizers,
        [name for name in mine if name not in common],
        digest,
        f"{folder}, after {counted(progress['epoch'], 'epoch')}"
        + (f" and {counted(progress['step'], 'step')}" if progress["step"] else ""),
    )


def _copy_optimizers(model: Any, trained: Any) -> list[str]:
    """Copies the optimizer states that fit, without learning rates; returns their models' names."""
    copied = []
    others = {part.name: part.optimizer for part in trained.compiled_models}
    for part in model.compiled_models:
        mine, theirs = part.optimizer, others.get(part.name)
        # Variables are compared without their names, which Keras numbers through a process.
        if theirs is None or _kinds(mine) != _kinds(theirs):
            continue
        for variable, value in zip(mine.variables, theirs.variables, strict=True):
            if variable.name != "learning_rate":
                variable.assign(value)
        copied.append(part.name)
    return copied


def _kinds(optimizer: Any) -> list[Any]:
    """What must be equal for one optimizer to load the state of another."""
    return [type(optimizer), *((v.shape, v.dtype) for v in optimizer.variables)]


def _generator_files(paths: list[pathlib.Path]) -> list[pathlib.Path]:
    if len(paths) == 1 and paths[0].is_dir():
        return [path for way in ("AB", "BA") if (path := paths[0] / f"g_{way}.keras").is_file()]
    return paths


def _from_files(model: Any, paths: list[pathlib.Path]) -> Taken:
    from cyclegan_keras.inference.safe_loading.model_files import load_generator

    found: dict[str, Any] = {}
    digest = hashlib.sha256()
    for path in _generator_files(paths):
        generator = load_generator(path)
        name = _name_of(path, generator, model)
        if name in found:
            raise ValueError(f"--from names two files for {name}. Received: {str(path)!r}")
        _check_fit(name, model.generators[name], generator, str(path))
        found[name] = generator
        digest.update((record.weights_of([path])[path.name] or "").encode())
    for name, generator in found.items():
        model.generators[name].set_weights(generator.get_weights())
    names = [name for name in model.networks if name not in found]
    return Taken([*found], [], names, digest.hexdigest(), " and ".join(map(str, paths)))


def _name_of(path: pathlib.Path, generator: Any, model: Any) -> str:
    """Finds the generator that a file is for, by the file's name or the name of the model in it."""
    for name in model.generators:
        if path.name.startswith(name):
            return name
    if generator.name in model.generators:
        return generator.name
    wanted = " or ".join(f"{name}.keras" for name in model.generators)
    raise ValueError(
        f"The name of {str(path)!r} does not tell which generator it is for. Rename it to {wanted}."
    )


def _check_any(model: Any, common: list[str], place: str) -> None:
    if not set(common) & set(model.generators):
        raise ValueError(
            f"The run in {place!r} has none of this run's generators, "
            f"{' and '.join(model.generators)}. Give --from another run, or change --direction."
        )


def _check_fit(name: str, mine: Any, theirs: Any, place: str) -> None:
    shapes, others = ([tuple(w.shape) for w in network.weights] for network in (mine, theirs))
    if shapes == others:
        return
    differing = [
        f"{weight.path} has {shape} here and {other} there"
        for weight, shape, other in zip(mine.weights, shapes, others, strict=False)
        if shape != other
    ]
    how = differing[0] if differing else f"{len(shapes)} weights here and {len(others)} there"
    raise ValueError(
        f"{name} of {place!r} does not fit: {how}. Give this run the same networks "
        "(--generator, --gf, --num-blocks, --discriminator, --df, --channels and the like)."
    )
