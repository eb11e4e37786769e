"""A training that is broken off at any step and gone on with is the training without a break."""

import csv
import dataclasses
import json
import pathlib
import shutil

import numpy as np
import pytest

from cyclegan_keras.config.train_config import TrainConfig
from cyclegan_keras.metrics.monitors import MONITORS
from cyclegan_keras.runs import session
from cyclegan_keras.runs.run_data import make_loader
from cyclegan_keras.runs.session import MAX_ATTEMPTS, Attempts, Session
from cyclegan_keras.runs.trainer import make_model
from cyclegan_keras.training import faults
from cyclegan_keras.training.callbacks.checkpointing import Checkpointing, variables_of
from cyclegan_keras.training.checkpoints import CheckpointStore
from cyclegan_keras.training.progress import Progress
from tests import tiny

TINY = {
    **{"image_size": 32, "gf": 2, "df": 2, "batch_size": 4, "epochs": 3},
    "sample_interval": 2,
}
# Between them: dropout, pools, moving averages, loss scales, random parts, a rate that falls.
SETTINGS = {
    "much": {
        **{"generator": "unet", "dropout": 0.5, "pool_size": 3, "ema": 0.9, "enlarge": 1.2},
        **{"decay_epochs": 2, "num_blocks": None},
        **{"precision": "mixed_float16"},
    },
    "the paper's": {"recipe": "paper", "num_blocks": 1, "epochs": 3, "discriminator": "patch16"},
    "pix2pix": {"model": "pix2pix", "dropout": 0.5, "generator": "unet", "num_blocks": None},
}


class Run:
    """A run in a folder, with the model that it trains."""

    def __init__(self, config, folder, model=None):
        self.config, self.folder = config, folder
        self.loader = make_loader(config)
        self.model = model or make_model(config)
        folder.mkdir(exist_ok=True)

    def train(self):
        Session(self.model, self.loader, self.config, self.folder).train()
        return self

    def state(self):
        return {name: np.array(v.numpy()) for name, v in variables_of(self.model).items()}

    def history(self):
        with (self.folder / "history.csv").open() as file:
            return [{**row, "seconds": None} for row in csv.DictReader(file)]

    def samples(self):
        return {path.name: path.read_bytes() for path in (self.folder / "samples").glob("*")}


def assert_same(one: Run, state, history, samples) -> None:
    for name, array in one.state().items():
        np.testing.assert_array_equal(array, state[name], err_msg=name)
    assert one.history() == history
    assert one.samples() == samples


@pytest.fixture(scope="module", params=SETTINGS)
def whole(request, fruit_dir, tmp_path_factory):
    """A run without a break, that leaves a checkpoint after each of its six steps."""
    settings = {**TINY, "data_dir": str(fruit_dir), **SETTINGS[request.param], "keep": 99}
    if settings.get("model") == "pix2pix":
        shutil.copytree(fruit_dir, folder := tmp_path_factory.mktemp("pairs") / "set")
        (folder / "dataset.json").write_text('{"test_pairs": true, "train_pairs": true}')
        settings["data_dir"] = str(folder)
    with pytest.MonkeyPatch.context() as patch:
        tiny.use_in_all_models(patch.setattr)  # Which have all kinds of state that there are.
        run = Run(TrainConfig.make(**settings), tmp_path_factory.mktemp("whole"))
        patch.setattr(Checkpointing, "on_train_batch_end", lambda self, batch, logs: self.take())
        run.train()
    return run, run.state(), run.history(), run.samples()


def test_a_training_goes_on_as_if_there_had_been_no_break(whole, tmp_path):
    run, *expected = whole
    checkpoints = sorted((run.folder / "checkpoints").iterdir())
    # Before the first step, after each of two steps in three epochs, and at each epoch's end.
    assert len(checkpoints) == 1 + 3 * 3
    if run.config.precision != "mixed_float16":  # Of the others, from within each epoch.
        checkpoints = checkpoints[1::3]
    for path in checkpoints:
        later = Run(run.config, tmp_path / path.name, run.model)
        shutil.copytree(path, later.folder / "checkpoints" / path.name)
        later.train()
        # Samples from before the break are where they were, in the old folder.
        samples = {name: expected[2][name] for name in later.samples()}
        assert_same(later, *expected[:2], samples)


@pytest.mark.slow  # As tests/reliability/test_kill.py, by another process.
@pytest.mark.parametrize("whole", ["much"], indirect=True)
def test_a_model_made_anew_goes_on_alike(whole, tmp_path, tiny_networks):
    """As above, but nothing can have survived in the model itself."""
    run, *expected = whole
    # After the first step of the second epoch: what comes first now is a batch of two, not four.
    path = sorted((run.folder / "checkpoints").iterdir())[4]
    assert json.loads((path / "state.json").read_text())["progress"]["step"] == 1
    later = Run(run.config, tmp_path / "later")
    assert any(not np.array_equal(a, expected[0][name]) for name, a in later.state().items())
    shutil.copytree(path, later.folder / "checkpoints" / path.name)
    shutil.copytree(run.folder / "samples", later.folder / "samples")
    assert_same(later.train(), *expected)


@pytest.fixture(scope="module")
def small(fruit_dir, tmp_path_factory):
    """Settings and a traced model that tests may bring to any state."""
    config = TrainConfig.make(**TINY, num_blocks=1, data_dir=str(fruit_dir), keep=99)
    with pytest.MonkeyPatch.context() as patch:
        tiny.use_in_all_models(patch.setattr)
        model = make_model(config)
    values = {name: v.numpy() for name, v in variables_of(model).items()}

    def fresh(folder: pathlib.Path, **changes) -> Run:
        for name, variable in variables_of(model).items():
            variable.assign(values[name])
        return Run(TrainConfig.make(config, **changes), folder, model)

    return fresh


def break_at(run: Run, *steps: int):
    """Makes losses and weights no numbers at some steps, counted over all attempts."""
    train_step, calls = type(run.model).train_step, []

    def broken(batch):
        calls.append([imgs.copy() for imgs in batch])
        logs = train_step(run.model, batch)
        if len(calls) in steps:
            run.model.g_AB.trainable_variables[0].assign_add(np.nan)
            logs = {**logs, "g_loss": np.float32(np.nan)}
        return logs

    run.model.train_step = broken
    return calls


@pytest.fixture
def mended(small):
    yield
    vars(small(pathlib.Path()).model).pop("train_step", None)


def test_a_loss_that_is_no_number_stops_the_run_at_its_last_good_state(small, mended, tmp_path):
    run = small(tmp_path)
    break_at(run, 4)
    with pytest.raises(ValueError, match="In epoch 2, step 2, g_loss is not finite") as caught:
        run.train()
    words = str(caught.value)
    # Six images in batches of four: the last two of the epoch's order.
    paths_A, paths_B = run.loader.batch_paths(4, (0, 1), 1)
    assert len(paths_A) == len(paths_B) == 2
    assert all(repr(str(path)) in words for path in [*paths_A, *paths_B])
    assert "g_AB.keras and g_BA.keras come from the last good checkpoint" in words
    assert "after 1 epoch" in words
    assert "--on-nan rollback" in words
    for path in (run.folder / "checkpoints").iterdir():
        with np.load(path / "variables.npz") as arrays:
            assert all(np.isfinite(arrays[name]).all() for name in arrays)
    good = CheckpointStore(run.folder / "checkpoints").load_latest(pytest.fail).variables
    for name, array in run.state().items():
        np.testing.assert_array_equal(array, good[name])
    assert (run.folder / "g_AB.keras").exists()


def test_or_it_goes_back_and_on_with_the_images_in_another_order(small, mended, tmp_path, capsys):
    run = small(tmp_path, on_nan="rollback")
    batches = break_at(run, 4)
    run.train()
    assert "g_loss is not finite" in (err := capsys.readouterr().err)
    assert "Going back to checkpoint-000002, after 1 epoch." in err
    # 4 steps, the last one broken, which shows at the epoch's end; then epochs 2 and 3 in full.
    assert len(batches) == 4 + 4
    assert not np.array_equal(batches[2][0], batches[4][0])
    assert [(row["epoch"], row["step"]) for row in run.history()] == [
        *(("1", "2"), ("2", "4"), ("3", "6"))
    ]
    assert all(np.isfinite(array).all() for array in run.state().values())


def test_but_not_for_ever(small, mended, tmp_path):
    run = small(tmp_path, on_nan="rollback")
    batches = break_at(run, *range(3, 99))
    with pytest.raises(ValueError, match=f"Stopped after going back {MAX_ATTEMPTS} times"):
        run.train()
    assert 2 + 1 + MAX_ATTEMPTS <= len(batches) <= 2 + 2 * (1 + MAX_ATTEMPTS)


@pytest.mark.parametrize(
    ("settings", "blind_loss"),
    [({}, 0.25), ({"objective": "wasserstein"}, None), ({"model": "pix2pix"}, np.log(2))],
)
def test_generators_are_evaluated_as_the_settings_say(
    settings, blind_loss, loader, tiny_gan, tmp_path, monkeypatch
):
    class Asked(Exception):  # noqa: N818, not an error
        pass

    def evaluation(*args, **kwargs):
        raise Asked(args, kwargs)

    monkeypatch.setattr(session, "Evaluation", evaluation)
    config = TrainConfig.make(
        **{**TINY, **settings},
        **{"evaluate_every": 7, "monitor": "ground_truth", "patience": 4},
    )
    evaluator = object()
    with pytest.raises(Asked) as caught:
        Session(tiny_gan, loader, config, tmp_path, evaluator).train()
    args, kwargs = caught.value.args
    assert args[:4] == (evaluator, MONITORS["truth"], 7, tmp_path)
    assert kwargs["patience"] == 4
    assert kwargs["settings"] == config.info.settings
    assert kwargs["blind_loss"] == (blind_loss and pytest.approx(blind_loss, rel=1e-6))
    # Without `evaluate_every`, nobody asks for one.
    never = Session(
        tiny_gan,
        loader,
        dataclasses.replace(config, evaluate_every=0),
        tmp_path,
        evaluator,
    )
    monkeypatch.setattr(session.loop, "run", lambda *args, **kwargs: None)
    assert never.train() is None


def test_a_fault_is_the_same_until_an_epoch_further():
    attempts, progress = Attempts(steps=5), Progress()

    def after(epoch, step):
        progress.epoch, progress.step = epoch, step
        return attempts.after(progress)

    # However many newer checkpoints there are, and also where it went back further than that.
    assert [after(1, 2), after(1, 3), after(0, 1), after(2, 2)] == [1, 2, 3, 4]
    assert [after(2, 3), after(3, 3)] == [1, 2]
    assert [after(9, 4), after(9, 4)] == [1, 2]


def test_without_any_checkpoint_there_is_nothing_to_go_back_to(
    small, mended, tmp_path, monkeypatch
):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(CheckpointStore, "save", full)
    run = small(tmp_path)
    break_at(run, 2)
    with pytest.raises(ValueError, match="There is no earlier checkpoint to go back to"):
        run.train()
    assert not (run.folder / "g_AB.keras").exists()


def test_a_fault_while_stopping_keeps_the_last_good_state(small, mended, tmp_path, monkeypatch):
    """The signal and the fault come in the same step."""
    run = small(tmp_path)
    break_at(run, 3)

    class Stops(faults.StopOnSignal):
        def on_train_batch_end(self, batch, logs=None):
            if (self.params["progress"].epoch, batch) == (1, 0):
                raise faults.Interrupted(15)

    monkeypatch.setattr(session, "StopOnSignal", Stops)
    with pytest.raises(faults.Interrupted):
        run.train()
    good = CheckpointStore(run.folder / "checkpoints").load_latest(pytest.fail)
    assert good.state["progress"]["epoch"] == 1
    for name, array in run.state().items():
        np.testing.assert_array_equal(array, good.variables[name])
    assert (run.folder / "g_AB.keras").exists()


def test_more_epochs_go_on_from_the_end(small, tmp_path):
    run = small(tmp_path, epochs=1).train()
    more = Run(TrainConfig.make(run.config, epochs=2), tmp_path, run.model).train()
    assert [row["step"] for row in more.history()] == ["2", "4"]


def test_with_more_epochs_the_rate_falls_towards_the_new_end(small, tmp_path):
    run = small(tmp_path, epochs=3, decay_epochs=2).train()
    optimizer = run.model.combined.optimizer
    # As a process leaves it that was killed while the rate fell.
    optimizer.learning_rate = 1e-9
    more = Run(TrainConfig.make(run.config, epochs=6), tmp_path, run.model).train()
    shares = [float(row["learning_rate"]) / run.config.learning_rate for row in more.history()]
    assert shares == pytest.approx([1, 3 / 5, 1 / 5, 1, 3 / 5, 1 / 5])
    assert float(optimizer.learning_rate) == np.float32(run.config.learning_rate)


def test_other_images_are_refused(small, fruit_dir, tmp_path):
    run = small(tmp_path / "run", epochs=1).train()
    other = shutil.copytree(fruit_dir, tmp_path / "set")
    (other / "trainA" / "0000.png").unlink()
    (other / "trainB" / "0000.png").unlink()
    config = TrainConfig.make(run.config, epochs=2, data_dir=str(other))
    with pytest.raises(ValueError, match="begun with other images in train"):
        Run(config, run.folder, run.model).train()
    # What is refused leaves no trace: the advice to go on with the old images can be taken.
    assert TrainConfig.from_json(run.folder / "config.json") == run.config
