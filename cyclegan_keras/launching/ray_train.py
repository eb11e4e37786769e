"""Workers that Ray Train starts, on any hosts of a Ray cluster, and starts again if one fails."""

import importlib.util
import logging
import os
import pathlib
import sys
import tempfile
from typing import Any

from cyclegan_keras import _extras
from cyclegan_keras.config.train_config import TrainConfig

_log = logging.getLogger(__name__)

MAX_FAILURES = 3


def launch(config: TrainConfig, num_workers: int) -> None:
    """Trains by workers of Ray.

    Each restart goes on from the last checkpoint, so the run needs a folder, and all hosts must see
    it: a worker on any of them may be the chief.

    Args:
        config: The settings.
        num_workers: How many workers, each with one GPU, if Ray has any.

    Raises:
        ValueError: If Ray is not installed, the run has no folder, or the workers have failed for
            good.
    """
    if importlib.util.find_spec("ray") is None:
        raise ValueError(
            f"--launcher ray needs Ray, which is not installed. Install it, {_extras.advice('ray')}"
        )
    if config.run_dir is None:
        raise ValueError(
            "--launcher ray needs --run-dir, a folder that all hosts of Ray see: workers that are "
            "started again go on from the checkpoints there. Received: none"
        )
    import ray
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.tensorflow import TensorflowTrainer

    ray.init(ignore_reinit_error=True, log_to_driver=True)
    has_gpus = ray.cluster_resources().get("GPU", 0) >= num_workers
    folder = pathlib.Path(config.run_dir).resolve()
    trainer = TensorflowTrainer(
        train_loop_per_worker=_train,
        train_loop_config={"settings": config.to_json(), "folder": os.getcwd()},
        scaling_config=ScalingConfig(num_workers=num_workers, use_gpu=has_gpus),
        run_config=RunConfig(
            name=f"{folder.name}.ray",
            storage_path=str(folder.parent),
            failure_config=FailureConfig(max_failures=MAX_FAILURES),
        ),
    )
    trainer.fit()


def _train(loop_config: dict[str, Any]) -> None:
    """Runs in each worker, for which Ray has set TF_CONFIG."""
    from cyclegan_keras.runs.trainer import train_run

    os.chdir(loop_config["folder"])
    # Ray shows what its workers write, with the name of each before the lines.
    logging.basicConfig(format="%(message)s", stream=sys.stdout)
    logging.getLogger("cyclegan_keras").setLevel(logging.INFO)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "config.json"
        path.write_text(loop_config["settings"], "utf-8")
        config = TrainConfig.from_json(path)
    train_run(config)
