"""What a process of a team does that is not the chief: the same steps, and nothing else."""

import io
from typing import Any

import numpy as np

from cyclegan_keras.cluster import Team
from cyclegan_keras.cluster.team import ended_by_chief
from cyclegan_keras.config.train_config import TrainConfig
from cyclegan_keras.data.loader import DataLoader
from cyclegan_keras.training import callbacks, loop
from cyclegan_keras.training.callbacks.checkpointing import variables_of
from cyclegan_keras.training.callbacks.teamwork import HALT, Follow, Halted, Watch
from cyclegan_keras.training.faults import Interrupted, StopOnSignal
from cyclegan_keras.training.progress import Progress

STATE, TRAIN, MEASURE = "state", "train", "measure"


def follow(model: Any, loader: DataLoader, config: TrainConfig, team: Team) -> None:
    """Does what the chief says, until it has ended.

    Args:
        model: Made with the settings, in the scope of the strategy.
        loader: Loads the images.
        config: The settings.
        team: The team.

    Raises:
        Interrupted: If a signal interrupted the run.
        ValueError: If the chief ended with an error.
    """
    with StopOnSignal() as stop:
        asked: list[int] = []

        def send_signals_on() -> None:
            if stop.signum is not None and not asked:
                asked.append(stop.signum)
                team.ask(stop.signum)

        while True:
            message, payload = team.wait(send_signals_on)
            kind = message["kind"]
            if kind == STATE:
                take_state(model, payload)
            elif kind == MEASURE:
                measure(model, loader, config, team)
            elif kind == TRAIN:
                _train(model, loader, config, message, [Watch(team), Follow(team, send_signals_on)])
            elif kind == "end":
                stop.forget()
                how = ended_by_chief(message)
                if isinstance(how, int):
                    raise Interrupted(how)
                if how is not None:
                    raise ValueError(f"The chief has ended: {how}")
                return


def _train(
    model: Any, loader: DataLoader, config: TrainConfig, message: Any, follow: list[Any]
) -> None:
    watch, waits = follow
    rates = callbacks.LearningRateDecay(config.decay_epochs or 0, config.learning_rate)
    try:
        loop.run(
            model,
            loader,
            message["epochs"],
            config.batch_size,
            [watch, rates, waits],
            seed=config.seed,
            progress=Progress.from_state(message["progress"]),
            num_steps=message["steps"],
        )
    except Halted:
        return


def measure(model: Any, loader: DataLoader, config: TrainConfig, team: Team) -> None:
    """Takes steps until the chief has measured how long they take."""
    epoch = 0
    while True:
        for batch in loader.load_batch(
            config.batch_size, seed=(config.seed, epoch), drop_remainder=False
        ):
            model.train_step(batch)
            if team.wait()[0]["kind"] == HALT:
                return
        epoch += 1


def state_of(model: Any) -> bytes:
    """Packs all variables of a model, for another process.

    Args:
        model: The model.

    Returns:
        The variables, as NumPy's `savez` writes them.
    """
    packed = io.BytesIO()
    arrays = {name: variable.numpy() for name, variable in variables_of(model).items()}
    np.savez(packed, **arrays)
    return packed.getvalue()


def take_state(model: Any, packed: bytes) -> None:
    """Takes over all variables.

    Args:
        model: Made with the same settings.
        packed: From `state_of`.
    """
    with np.load(io.BytesIO(packed), allow_pickle=False) as arrays:
        for name, variable in variables_of(model).items():
            variable.assign(arrays[name])
