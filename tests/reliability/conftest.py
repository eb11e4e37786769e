"""Random images, one model for all runs in this process, and a run without a break."""

import argparse
import pathlib
from collections.abc import Callable
from typing import Any

import pytest

from cyclegan_keras.cli import train
from cyclegan_keras.cli.main import main
from cyclegan_keras.runs import trainer
from cyclegan_keras.training.callbacks.checkpointing import variables_of
from tests import tiny
from tests.reliability import support


@pytest.fixture(scope="session")
def noise_dir(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Random images of 40 pixels, of which a run cuts 32, to train on; none to test on."""
    return support.write_noise(tmp_path_factory.mktemp("data") / "noise", support.NUM_IMAGES)


@pytest.fixture(scope="session")
def fresh_model() -> Callable[[], Any]:
    """Gives one model with its first state: making and tracing it anew would take most time.

    Its networks are one convolution each; they have no state that others do not have.
    """
    parser = argparse.ArgumentParser()
    train.add_arguments(parser)
    with pytest.MonkeyPatch.context() as patch:
        tiny.use_in_all_models(patch.setattr)
        model = trainer.make_model(train.config_from(parser.parse_args(support.SETTINGS)))
    variables = variables_of(model)
    first = {name: variable.numpy().copy() for name, variable in variables.items()}

    def fresh() -> Any:
        for name, variable in variables.items():
            variable.assign(first[name])
        return model

    return fresh


@pytest.fixture
def model(fresh_model: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    """That model, which every training in this process begins with."""
    monkeypatch.setattr(trainer, "make_model", lambda config: fresh_model())
    return fresh_model()


@pytest.fixture
def train_here(model: Any, noise_dir: pathlib.Path, tmp_path: pathlib.Path) -> Callable[..., int]:
    """Begins a run in this process, or goes on with it, and gives the exit status."""

    def train_here(*more: str, run_dir: pathlib.Path = tmp_path / "run") -> int:
        words = support.command(run_dir, noise_dir, support.EPOCHS, *more)
        return main(["train", *words])

    return train_here


@pytest.fixture(scope="session")
def uninterrupted_here(
    fresh_model: Callable[[], Any],
    noise_dir: pathlib.Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> pathlib.Path:
    """A run of two epochs in this process, whose threads may be others than `train.py` takes."""
    run_dir = tmp_path_factory.mktemp("uninterrupted_here") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer, "make_model", lambda config: fresh_model())
        words = support.command(run_dir, noise_dir, support.EPOCHS)
        assert main(["train", *words]) == 0
    return run_dir


@pytest.fixture
def at_step(model: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[int]]:
    """Lets something happen after the given steps of a training, counted from one.

    What is to happen gets the losses and gives those that the training shall see. Counts in this
    process, so that a step that is done again is another step.
    """

    def install(*steps: int, act: Callable[[dict[str, Any]], dict[str, Any]]) -> list[int]:
        acts.update(dict.fromkeys(steps, act))
        return seen

    def train_step(batch: Any) -> dict[str, Any]:
        logs = real(model, batch)
        seen[0] += 1
        return acts.get(seen[0], lambda logs: logs)(logs)

    real, seen, acts = type(model).train_step, [0], {}
    monkeypatch.setattr(model, "train_step", train_step)
    return install
