"""`train.py --launcher ray` with networks of one convolution, in the workers of Ray, too."""

import sys
from typing import Any

from cyclegan_keras.cli import main
from cyclegan_keras.launching import ray_train
from tests import tiny

_real_train = ray_train._train


def train(loop_config: dict[str, Any]) -> None:
    """Runs in each worker, which imports this module by its name."""
    tiny.use_in_all_models()
    _real_train(loop_config)


if __name__ == "__main__":
    from tests.reliability import tiny_ray_train

    ray_train._train = tiny_ray_train.train
    sys.exit(main.main(None, "train.py", "train"))
