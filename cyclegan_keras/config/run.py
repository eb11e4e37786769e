"""The settings of a run: how long it is trained, what it is measured by, and what is kept."""

import dataclasses
from typing import Literal

from cyclegan_keras.config import registry
from cyclegan_keras.config.fields import Needs, setting
from cyclegan_keras.config.parts import Part

_WHILE_TRAINING = Needs("evaluate_every")


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunConfig(Part):
    """How a run is trained, evaluated and kept. The help text of each setting says what it does.

    Args:
        recipe: The name of the recipe that decided what nobody chose.
        batch_size: Images of each domain in one step.
        epochs: Passes over the data.
        minutes: How long the training may take, instead of `epochs`, which are decided by it.
        steps: After how many steps it ends, if that is before the end of the epochs.
        decay_epochs: Number of final epochs in which the learning rate falls linearly; `None` means
            none, or, in the recipes of papers, half of them.
        precision: Of the computation.
        seed: Of initial weights, order and flips.
        deterministic: Whether a GPU computes the same bits each time.
        strategy: On which devices and hosts each step is computed; `None` means what fits.
        wait_for_workers: Seconds to wait for the other workers.
        step_timeout: Seconds after which a step of several workers counts as stuck.
        start_from: A run or saved generators whose weights a new run starts with.
        start_digest: The SHA-256 of what was taken from there.
        sample_interval: Steps between sample grids and between rows of `history.csv`.
        run_dir: Folder for all results.
        evaluate_every: Steps between evaluations on test images.
        extractor: The network whose features metrics compare.
        monitor: The metric that decides which generators are best.
        patience: Evaluations in a row without a new best, after which training stops.
        tensorboard: Whether to write for TensorBoard.
        checkpoint_interval: Minutes between checkpoints.
        keep: Number of checkpoints to keep.
        on_nan: What to do when a loss is not finite.
    """

    recipe: str | None = setting(
        "model",
        None,
        "sets networks, losses, training, image size and epochs: those of the book, those of the "
        "paper, or fast (the default), which gives good images in little time; each model has "
        "recipes of its own, pix2pix that of its paper, for small images and few epochs, where no "
        "recipe is named; other flags override it",
        choices=registry.recipe_names,
    )
    batch_size: int = setting(
        "training", 1, "images of each domain in one step", least=1, by_recipe=True
    )
    epochs: int = setting(
        "training", 1, "passes over the data", least=1, may_change=True, by_recipe=True
    )
    minutes: float | None = setting(
        "training",
        None,
        "how long the run may take, instead of --epochs: the number of steps is decided once their "
        "rate is measured, and stays if the run is resumed",
        above=0,
        may_change=True,
    )
    steps: int | None = setting(
        "training",
        None,
        "end after this many steps, if that is before the end of the epochs",
        least=1,
        may_change=True,
    )
    decay_epochs: int | None = setting(
        "training",
        None,
        "number of final epochs in which the learning rate falls linearly; the default is 0, and "
        "half of the epochs in the papers' recipes",
        least=0,
        may_change=True,
        by_recipe=True,
    )
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = setting(
        "training",
        "float32",
        "of the computation; weights are always float32. The mixed types are for processors with "
        "16-bit units",
    )
    seed: int = setting("training", 0, "of initial weights, order and flips", least=0)
    deterministic: bool = setting(
        "training",
        False,
        "make a GPU compute the same bits each time, which can be slower; a CPU always does",
    )
    strategy: Literal["one", "mirrored", "multi_worker"] | None = setting(
        "training",
        None,
        "what each step is computed on: one device, all GPUs of this machine (mirrored), or those "
        "of several workers, which CYCLEGAN_WORKERS and CYCLEGAN_INDEX or TF_CONFIG describe. The "
        "batch is divided among them, and the weights are the same. The default is what there is",
        may_change=True,
    )
    wait_for_workers: float = setting(
        "training",
        600.0,
        "seconds to wait for the other workers",
        above=0,
        may_change=True,
    )
    step_timeout: float = setting(
        "training",
        600.0,
        "seconds after which a step of several workers counts as stuck, and all end",
        above=0,
        may_change=True,
    )
    start_from: str | None = setting(
        "training",
        None,
        "start a new run with trained networks: all networks of a run, with its optimizers where "
        "they fit, or the generators in .keras files; all other settings may differ",
        flag="from",
        words="RUN-or-MODELS",
    )
    start_digest: str | None = setting(
        "training", None, "the SHA-256 of what was taken from there", may_change=True, flag=""
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
        "folder for all results, from which an unfinished run is resumed; by default a new folder "
        "in ./runs",
        may_change=True,
    )
    evaluate_every: int = setting(
        "evaluation",
        0,
        "steps between evaluations on test images; the metrics go to history.csv, and the best "
        "generators are kept. 0 evaluates only at the end",
        least=0,
        may_change=True,
    )
    extractor: str = setting(
        "evaluation",
        "auto",
        "the network whose features the metrics compare: inception, efficientnet (Lite0), "
        "efficientnet-lite1, or a .keras file; none leaves out metrics that need features; auto "
        "takes what is installed",
        may_change=True,
        needs=_WHILE_TRAINING,
        off=("auto", "none"),
    )
    monitor: Literal["auto", "ground_truth", "kid", "fid", "cycle"] = setting(
        "evaluation",
        "auto",
        "the metric that decides which generators are best: the error to the ground truth, KID, "
        "FID, or the cycle error; auto takes the ground truth where it is known, else KID",
        was=["best_by"],
        values_were={"truth": "ground_truth", "kernel": "kid", "frechet": "fid"},
        may_change=True,
        needs=_WHILE_TRAINING,
        off=("auto",),
    )
    patience: int = setting(
        "evaluation",
        0,
        "early stopping: stop after this many evaluations in a row without a new best generator; 0 "
        "never stops",
        was=["stop_when_stale"],
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
    on_nan: Literal["stop", "rollback"] = setting(
        "safety",
        "stop",
        "what to do when a loss is not finite: stop, or roll back to the last checkpoint and "
        "continue with the images in another order",
        may_change=True,
    )
