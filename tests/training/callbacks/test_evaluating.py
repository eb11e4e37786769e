import json
import pathlib
import shutil
import types

import keras
import numpy as np
import pytest
from keras import layers

from cyclegan_keras.config.train_config import TrainConfig
from cyclegan_keras.inference import saving
from cyclegan_keras.inference.translate import load_generator
from cyclegan_keras.metrics import diagnostics, evaluator, from_settings
from cyclegan_keras.metrics.features import Extractor
from cyclegan_keras.metrics.monitors import MONITORS
from cyclegan_keras.runs.run_data import make_loader
from cyclegan_keras.runs.session import Session
from cyclegan_keras.runs.trainer import make_model
from cyclegan_keras.training import loop
from cyclegan_keras.training.callbacks.checkpointing import Checkpointing, variables_of
from cyclegan_keras.training.callbacks.evaluating import Evaluation
from cyclegan_keras.training.callbacks.history import HistoryCSV
from cyclegan_keras.training.faults import NotFinite, NotFiniteGuard
from cyclegan_keras.training.progress import Progress
from tests import tiny
from tests.training.callbacks.test_history import Break, rows_of, without_seconds

STEPS = 3


def game(share_A, share_B, loss_B=0.2):
    """The losses of a step: how often each discriminator was right, and how wrong."""
    return {
        **{"d_A_acc": share_A, "d_B_acc": share_B, "d_acc": (share_A + share_B) / 2},
        **{"d_A_loss": 0.2, "d_B_loss": loss_B, "d_loss": (0.2 + loss_B) / 2, "g_loss": 1.0},
    }


def generator(name):
    dense = layers.Dense(1, use_bias=False, kernel_initializer="zeros")
    return keras.Sequential([keras.Input((1,)), dense], name=name)


class Model:
    """Three steps an epoch; the generators' one weight is the number of the step."""

    def __init__(self, names=("g_AB", "g_BA"), logs=None):
        self.translators = {name: generator(name) for name in names}
        self.discriminators = ("d_A", "d_B") if len(names) == 2 else ("d",)
        self.step = 0
        self.logs = logs or (lambda step: game(0.75, 0.75))

    def train_step(self, batch):
        self.step += 1
        for translator in self.translators.values():
            translator.weights[0].assign([[self.step]])
        return self.logs(self.step)

    def num_batches(self, batch_size):
        return STEPS

    def load_batch(self, batch_size, seed, first_batch=0):
        return iter(range(first_batch, STEPS))


def step_of(generators):
    return int(next(iter(generators.values())).weights[0].numpy().item())


def kernels(AB, BA):
    """The KID of both directions at each step."""
    return lambda generators: {
        "kernel_AB": AB[step_of(generators)],
        "kernel_BA": BA[step_of(generators)],
    }


class Stub:
    """An evaluator whose metrics are those of a function."""

    def __init__(self, metrics_of, extractor="an eye"):
        self._metrics_of = metrics_of
        self.extractor = types.SimpleNamespace(name=extractor)

    def evaluate(self, generators):
        return evaluator.Results(self._metrics_of(generators), {}, {})


def train(
    evaluator,
    folder,
    interval=2,
    epochs=2,
    model=None,
    progress=None,
    hooks=(),
    monitor="kernel",
    **kwargs,
):
    model = model or Model()
    guard = NotFiniteGuard(99)
    evaluation = Evaluation(evaluator, MONITORS[monitor], interval, folder, guard, **kwargs)
    loop.run(model, model, epochs, 1, [guard, evaluation, *hooks], progress=progress)
    return evaluation


def kept(folder, name):
    return int(keras.models.load_model(folder / f"{name}.best.keras").weights[0].numpy().item())


@pytest.mark.parametrize(
    ("interval", "epochs", "looks"), [(2, 2, [2, 4, 6]), (2, 3, [2, 4, 6, 8, 9]), (99, 1, [3])]
)
def test_it_looks_every_so_often_and_after_the_last_step(interval, epochs, looks, tmp_path):
    seen = []

    def metrics_of(generators):
        return {"kernel_AB": float(step_of(generators)), "kernel_BA": 1.0, "num_A": 3}

    sink = lambda *args: seen.append(args)  # noqa: E731
    train(Stub(metrics_of), tmp_path, interval, epochs, sinks=[sink])
    made = {"kernel_BA": 1.0}
    assert seen == [(step, {"kernel_AB": float(step), **made}, None) for step in looks]


# Kernel distances by step.
AB = {2: 0.0610, 4: 0.0520, 6: 0.0530, 8: 0.0540, 9: 0.0515}
BA = {2: 0.0470, 4: 0.0470, 6: 0.0490, 8: 0.0460, 9: 0.0465}
SAID = """\
Step 2: A → B KID (kernel distance) 0.0610, the best so far. B → A 0.0470, the best so far.
Step 4: A → B KID (kernel distance) 0.0520, the best so far (before: 0.0610 at step 2). \
B → A 0.0470, no better than 0.0470 at step 2; 1 evaluation without improvement.
Step 6: A → B KID (kernel distance) 0.0530, no better than 0.0520 at step 4; \
1 evaluation without improvement. \
B → A 0.0490, no better than 0.0470 at step 2; 2 evaluations without improvement.
Step 8: A → B KID (kernel distance) 0.0540, no better than 0.0520 at step 4; \
2 evaluations without improvement. B → A 0.0460, the best so far (before: 0.0470 at step 2).
Step 9: A → B KID (kernel distance) 0.0515, the best so far (before: 0.0520 at step 4). \
B → A 0.0465, no better than 0.0460 at step 8; 1 evaluation without improvement.
"""


def test_the_best_of_each_way_are_kept_and_it_says_whether_they_improve(tmp_path, capsys):
    model = Model()
    train(Stub(kernels(AB, BA)), tmp_path, epochs=3, model=model)
    assert capsys.readouterr().out == SAID
    # Of the best step, each way by itself; the last is step 9.
    assert (kept(tmp_path, "g_AB"), kept(tmp_path, "g_BA"), step_of(model.translators)) == (9, 8, 9)
    assert json.loads((tmp_path / "best.json").read_text()) == {
        "figure": "kernel",
        "extractor": "an eye",
        "translators": {
            "g_AB": {"value": 0.0515, "step": 9},
            "g_BA": {"value": 0.0460, "step": 8},
        },
    }
    assert len(list(tmp_path.iterdir())) == 3


def test_one_generator_alone_and_other_metrics_to_monitor(tmp_path, capsys):
    metrics = {"cycle_A": 3.0, "cycle_B": 2.0, "truth_BA": 7.126}
    train(Stub(lambda _: metrics), tmp_path, 3, 1, monitor="cycle")
    assert "A → B cycle error 3.00, the best so far. B → A 2.00, " in capsys.readouterr().out
    train(Stub(lambda _: metrics), tmp_path, 3, 1, Model(["g_BA"]), monitor="truth")
    (line,) = capsys.readouterr().out.splitlines()
    assert line == "Step 3: B → A error to the ground truth 7.13, the best so far."
    label = MONITORS["frechet"].label_with("Eye")
    assert label == "FID (Fréchet distance), features of Eye"
    assert MONITORS["truth"].label_with(None) == "error to the ground truth"


@pytest.mark.parametrize(("patience", "stopped"), [(0, None), (1, 5), (2, 6), (4, 8), (5, None)])
def test_it_stops_after_exactly_so_many_looks_in_a_row_without_progress(
    patience, stopped, tmp_path, capsys
):
    # The last time that one of both is at its best is at step 4. After step 9 it is over anyway.
    one = dict(enumerate([9, 7, 7, 6, 6, 6, 6, 6, 6], start=1))
    other = dict(enumerate([9, 9, 8, 9, 9, 9, 9, 9, 9], start=1))
    model = Model()
    evaluation = train(Stub(kernels(one, other)), tmp_path, 1, 3, model, patience=patience)
    assert evaluation.stopped_at == stopped
    assert model.step == (stopped or 9)
    words = [line for line in capsys.readouterr().out.splitlines() if "Early stopping" in line]
    assert words == [
        f"Early stopping after step {stopped}: no generator improved in the last "
        f"{patience} evaluation{'s' * (patience > 1)}."
    ] * (stopped is not None)


HEALTHY = {
    "change_AB": 20.0,
    "change_BA": 20.0,
    "diversity_AB": 0.9,
    "diversity_BA": 1.1,
    "kernel_AB": 0.05,
    "kernel_BA": 0.05,
    "kernel_untranslated": 0.1,
    "accuracy_A": 0.95,
    "accuracy_B": 0.9,
}


def problems_said(tmp_path, capsys, metrics_at, logs=None, **kwargs):
    """What is logged besides the improvements, by step, with six evaluations in six steps."""
    stub = Stub(lambda generators: {**HEALTHY, **metrics_at(step_of(generators))})
    train(stub, tmp_path, 1, 2, Model(logs=logs), **{"blind_loss": 0.25, **kwargs})
    found, step = {}, None
    for line in capsys.readouterr().out.splitlines():
        if line.startswith("Step "):
            step = int(line.split()[1].rstrip(":"))
        else:
            found.setdefault(step, []).append(line)
    return found


def test_nothing_is_named_where_nothing_is_wrong(tmp_path, capsys):
    assert problems_said(tmp_path, capsys, lambda step: {}) == {}


@pytest.mark.parametrize(
    ("metrics", "words"),
    [
        ({"change_AB": 1.0}, "  g_AB copies its input"),
        (
            {"diversity_BA": 0.1},
            "  g_BA produces nearly the same image for every input (mode collapse)",
        ),
        ({"kernel_BA": 0.2}, "  g_BA brings its images no closer to A"),
        ({"accuracy_B": 0.6}, "  The classifier recognizes only 95% of real A and 60% of real B"),
    ],
)
def test_a_problem_is_named_when_it_is_seen_and_when_it_comes_back(
    metrics, words, tmp_path, capsys
):
    # It is there at steps 2, 3 and 6, each time with other numbers.
    def at(step):
        if step not in (2, 3, 6):
            return {}
        return {name: value + 0.01 * (step == 3) for name, value in metrics.items()}

    said = problems_said(tmp_path, capsys, at)
    assert list(said) == [2, 6]
    for lines in said.values():
        (line,) = lines
        assert line.startswith(words)


def test_two_problems_of_a_kind_are_two(tmp_path, capsys):
    said = problems_said(
        tmp_path, capsys, lambda step: {"change_AB": 1.0, "change_BA": 1.0 if step > 3 else 9.0}
    )
    assert [(step, [line[:12] for line in lines]) for step, lines in said.items()] == [
        (1, ["  g_AB copie"]),
        (4, ["  g_BA copie"]),
    ]


@pytest.mark.parametrize(
    ("share", "loss", "words", "step"),
    # That one has lost is said when it is seen twice.
    [(1.0, 0.01, "always wins (accuracy 100.0%", 3), (0.5, 0.5, "always loses (loss 0.50;", 4)],
)
def test_a_discriminator_that_has_won_or_lost_is_named(share, loss, words, step, tmp_path, capsys):
    def logs(step):
        return game(0.8, share, loss) if step > 2 else game(0.8, 0.5)

    said = problems_said(tmp_path, capsys, lambda step: {}, logs)
    assert list(said) == [step]
    assert len(said[step]) == 1
    assert said[step][0].startswith(f"  d_B {words}")
    assert problems_said(tmp_path, capsys, lambda step: {}, logs, blind_loss=None) == {}


def test_problems_of_discriminators_go_by_means_since_the_last_evaluation(tmp_path, monkeypatch):
    seen = []

    def discriminator_problems(accuracies, losses, blind_loss, settings):
        assert (blind_loss, settings) == (0.25, {"df"})
        seen.append((accuracies, losses))
        return []

    monkeypatch.setattr(diagnostics, "discriminator_problems", discriminator_problems)
    wanted = {"blind_loss": 0.25, "settings": {"df"}}
    model = Model(logs=lambda step: game(step / 10, 0.5, loss_B=step / 100))
    train(Stub(kernels(AB, BA)), tmp_path, epochs=3, model=model, **wanted)
    shares, losses = [x["d_A"][-1] for x, _ in seen], [x["d_B"][-1] for _, x in seen]
    np.testing.assert_allclose(shares, [0.15, 0.35, 0.55, 0.75, 0.9])
    np.testing.assert_allclose(losses, [0.015, 0.035, 0.055, 0.075, 0.09])
    # With those of the look before, if there was one.
    assert [x["d_A"][:-1] for x, _ in seen] == [[], *([share] for share in shares[:-1])]
    assert all(x.keys() == {"d_A", "d_B"} for means in seen for x in means)
    # pix2pix has one discriminator.
    seen.clear()
    model = Model(["g_AB"], lambda step: {"d_acc": 0.5, "d_loss": 0.25, "g_loss": 1.0})
    train(Stub(lambda _: {"kernel_AB": 1.0}), tmp_path, 3, 1, model, **wanted)
    assert seen == [({"d": [0.5]}, {"d": [0.25]})]


def test_of_a_broken_model_nothing_is_measured_or_kept(tmp_path):
    class Breaks(Model):
        def train_step(self, batch):
            logs = super().train_step(batch)
            if self.step == 4:
                self.translators["g_BA"].weights[0].assign([[np.inf]])
            return logs

    looks = []
    stub = Stub(lambda generators: looks.append(1) or {"kernel_AB": 1.0, "kernel_BA": 1.0})
    with pytest.raises(NotFinite, match=r"In epoch 2, step 1, g_BA's .*kernel is not finite"):
        train(stub, tmp_path, model=Breaks())
    assert len(looks) == 1
    # Its weights may be finite, and its loss not.
    model = Model(logs=lambda step: {"g_loss": np.nan if step == 2 else 1.0, "d_acc": 0.7})
    with pytest.raises(NotFinite, match="In epoch 1, step 2, g_loss is not finite"):
        train(stub, tmp_path, model=model)
    assert len(looks) == 1
    # Both may be, and what is made with them not.
    one = {2: 1.0, 4: np.nan}
    with pytest.raises(NotFinite, match="In epoch 2, step 1, kernel_AB is not finite"):
        train(Stub(kernels(one, {2: 1.0, 4: 0.5})), tmp_path)
    assert kept(tmp_path, "g_BA") == 2


def test_on_a_full_disk_it_goes_on_and_what_was_kept_is_what_must_be_beaten(
    tmp_path, capsys, monkeypatch
):
    save, calls = saving.save_whole, []

    def full(model, path):
        calls.append(path.name)
        if len(calls) in (3, 4):  # at step 4
            raise OSError(28, "No space left on device")
        save(model, path)

    monkeypatch.setattr(saving, "save_whole", full)
    values = {2: 3.0, 4: 1.0, 6: 2.0}
    evaluation = train(Stub(kernels(values, values)), tmp_path)
    assert kept(tmp_path, "g_AB") == 6
    assert "(before: 3.0000 at step 2)" in capsys.readouterr().out.splitlines()[-1]
    assert evaluation.state()["best"]["best"]["g_AB"] == {"value": 2.0, "step": 6}


def test_only_metrics_that_depend_on_the_generators_are_handed_on(loader):
    extractor = tiny_extractor()
    metrics = evaluator.Evaluator(loader, extractor).evaluate(Pictures().translators).metrics
    found = evaluator.generator_metrics(metrics)
    ways = "change truth psnr ssim kernel frechet strength diversity".split()
    wanted = {f"{name}_{way}" for name in ways for way in ("AB", "BA")}
    assert found.keys() == wanted | {"cycle_A", "cycle_B", "identity_A", "identity_B"}
    assert all(isinstance(value, float) for value in found.values())


class Pictures:
    """Generators that leave images as they are."""

    translators = dict.fromkeys(("g_AB", "g_BA"), lambda imgs, training: imgs)


def tiny_extractor():
    class Means(Extractor):
        """The mean of each channel of each quarter, for which no network is needed."""

        def __init__(self):
            self.name, self.dim, self.img_res = "means", 12, (32, 32)

        def __call__(self, imgs):
            quarters = imgs.reshape(len(imgs), 2, 16, 2, 16, 3).mean(axis=(2, 4))
            return (quarters.reshape(len(imgs), 12) / 255).astype(np.float32)

    return Means()


@pytest.mark.parametrize("after", range(1, 9))
def test_it_goes_on_as_if_there_had_been_no_break(after, tmp_path, capsys):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    stub = Stub(lambda g: {**kernels(AB, BA)(g), "change_AB": 1.0 if step_of(g) < 5 else 9.0})

    def run(folder, *hooks, model=None, progress=None):
        folder.mkdir(exist_ok=True)
        model = model or Model(logs=lambda step: game(0.9 + 0.1 * (step % 4 != 3), 0.8))
        history = HistoryCSV(folder / "history.csv", 4)
        return train(
            stub,
            folder,
            epochs=3,
            model=model,
            progress=progress,
            hooks=[history, *hooks],
            sinks=[history.add_metrics],
            patience=3,
            blind_loss=0.25,
        )

    states = [run(whole).state()]
    said = capsys.readouterr().out
    stop, model = Break(after), Model(logs=lambda step: game(0.9 + 0.1 * (step % 4 != 3), 0.8))
    with pytest.raises(KeyboardInterrupt):
        run(broken, stop, model=model)
    # The process lived on for two more steps after its last checkpoint.
    shutil.copy(whole / "best.json", broken / "best.json")
    states.append(
        run(broken, model=model, progress=Progress.from_state(json.loads(stop.text))).state()
    )
    assert states[0] == states[1]
    assert capsys.readouterr().out == said
    assert without_seconds(broken / "history.csv") == without_seconds(whole / "history.csv")
    for name in ("g_AB", "g_BA"):
        assert kept(broken, name) == kept(whole, name)
    assert (broken / "best.json").read_text() == (whole / "best.json").read_text()
    shown = {row["step"]: row["kernel_AB"] for row in rows_of(whole / "history.csv")}
    assert shown == {
        **{"2": "0.061", "3": "", "4": "0.052", "6": "0.053", "8": "0.054", "9": "0.0515"}
    }


def broken_off_after(steps, values, folder, **kwargs):
    """A training that was broken off, and its progress."""
    stop, model = Break(steps), Model()
    with pytest.raises(KeyboardInterrupt):
        train(Stub(kernels(values, values)), folder, 1, model=model, hooks=[stop], **kwargs)
    return model, Progress.from_state(json.loads(stop.text))


@pytest.mark.parametrize(
    ("monitor", "extractor"),
    [("kernel", "another eye"), ("frechet", "an eye"), ("cycle", "an eye")],
)
def test_with_another_metric_the_search_for_the_best_begins_again(
    monitor, extractor, tmp_path, capsys
):
    model, progress = broken_off_after(3, {1: 0.3, 2: 0.2, 3: 0.1}, tmp_path)
    capsys.readouterr()
    metrics = dict.fromkeys(["kernel_AB", "kernel_BA", "frechet_AB", "frechet_BA"], 5.0)
    metrics |= {"cycle_A": 5.0, "cycle_B": 5.0}
    stub = Stub(lambda _: metrics, extractor)
    train(stub, tmp_path, 99, model=model, progress=progress, monitor=monitor)
    note, line = capsys.readouterr().out.splitlines()
    # The cycle error does not depend on the extractor.
    extractor = extractor if monitor != "cycle" else None
    assert f"chosen by {MONITORS[monitor].label_with(extractor)} from here on" in note
    assert "chosen by KID (kernel distance), features of an eye, which is not comparable" in note
    assert line.startswith("Step 6: A → B ")
    assert line.count("the best so far.") == 2
    assert kept(tmp_path, "g_AB") == 6
    record = json.loads((tmp_path / "best.json").read_text())
    assert (record["figure"], record["extractor"]) == (monitor, extractor)


@pytest.mark.parametrize("attempt", [0, 1])
def test_what_was_better_in_a_branch_that_is_given_up_is_still_the_best(attempt, tmp_path):
    """Step 3 is done again after a fault, with other images, and is not as good any more."""
    values = {1: 0.3, 2: 0.2, 3: 0.1, 4: 0.19, 5: 0.5, 6: 0.5}
    broken_off_after(3, values, tmp_path)
    best_then = {path: path.read_bytes() for path in tmp_path.glob("*best*")}
    model, progress = broken_off_after(2, values, tmp_path)
    for path, content in best_then.items():
        path.write_bytes(content)
    assert kept(tmp_path, "g_AB") == 3
    progress.attempt = attempt
    again = {**values, 3: 0.4}
    evaluation = train(Stub(kernels(again, again)), tmp_path, 1, model=model, progress=progress)
    best = evaluation.state()["best"]["best"]["g_AB"]
    # In the same branch what is measured again counts, since it is the same in truth.
    assert best == ({"value": 0.1, "step": 3} if attempt else {"value": 0.19, "step": 4})
    assert kept(tmp_path, "g_AB") == best["step"]


def test_what_was_kept_before_looks_were_switched_off_must_still_be_beaten(tmp_path):
    model, progress = broken_off_after(2, {1: 0.3, 2: 0.1}, tmp_path)
    del progress._remembered["Evaluation"]
    state = json.dumps(progress.state())
    values = {3: 0.2, 4: 0.2, 5: 0.2, 6: 0.2}
    train(Stub(kernels(values, values)), tmp_path, 1, model=model, progress=progress)
    assert kept(tmp_path, "g_AB") == 2
    # What another extractor measured must not, whatever its value.
    model.step, progress = 2, Progress.from_state(json.loads(state))
    stub = Stub(kernels(values, values), "another eye")
    train(stub, tmp_path, 1, model=model, progress=progress)
    assert kept(tmp_path, "g_AB") == 3
    # A training that begins anew has nothing to do with what lies there.
    train(Stub(kernels({6: 0.5}, {6: 0.5}), "another eye"), tmp_path, 99)
    assert kept(tmp_path, "g_AB") == 6


@pytest.mark.parametrize(
    "damage",
    [
        lambda record: "{",
        lambda record: "[]",
        lambda record: json.dumps({**record, "translators": None}),
        lambda record: json.dumps({**record, "translators": [["g_AB"]]}),
        lambda record: json.dumps({**record, "translators": {"g_AB": 5}}),
        lambda record: json.dumps({**record, "translators": {"g_AB": {"value": "x", "step": 3}}}),
        lambda record: json.dumps({**record, "translators": {"g_AB": {"value": 0.0}}}),
    ],
)
def test_a_damaged_record_of_the_best_is_written_anew(damage, tmp_path):
    model, progress = broken_off_after(2, {1: 0.3, 2: 0.1}, tmp_path)
    del progress._remembered["Evaluation"]
    record = json.loads((tmp_path / "best.json").read_text())
    (tmp_path / "best.json").write_text(damage(record))
    values = {3: 0.2, 4: 0.25, 5: 0.3, 6: 0.3}
    train(Stub(kernels(values, values)), tmp_path, 1, model=model, progress=progress)
    assert kept(tmp_path, "g_AB") == 3
    best = json.loads((tmp_path / "best.json").read_text())["translators"]
    assert best["g_AB"] == {"value": 0.2, "step": 3}


def stopped_at_step_3(folder):
    """The second look of two without improvement is in the middle of the second epoch."""

    class Keeps(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.text = json.dumps(self.params["progress"].state())

    keeps, model = Keeps(), Model()
    ones = dict.fromkeys(range(1, 99), 1.0)
    stub = Stub(kernels(ones, ones))
    evaluation = train(stub, folder, 2, 3, model, hooks=[keeps], patience=1)
    assert evaluation.stopped_at == model.step == 4
    return stub, model, Progress.from_state(json.loads(keeps.text))


def test_a_training_that_was_stopped_stays_so(tmp_path, capsys):
    """As after a crash, once the last checkpoint was written, but not the translators."""
    stub, model, progress = stopped_at_step_3(tmp_path)
    assert (progress.epoch, progress.step) == (2, 0)  # An epoch that was cut short is done.
    said = capsys.readouterr().out
    assert said.count("Early stopping") == 1
    evaluation = train(stub, tmp_path, 2, 3, model, progress, patience=1)
    assert evaluation.stopped_at == model.step == 4
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("epochs", "patience", "last"),
    # Of the third and fourth epochs, steps 7 to 12.
    [(4, 1, 8), (4, 2, 10), (3, 0, 9), (3, 2, 9)],
)
def test_with_more_epochs_or_patience_it_goes_on(epochs, patience, last, tmp_path):
    stub, model, progress = stopped_at_step_3(tmp_path)
    model.step = 6  # The rest of the second epoch is not made up for.
    evaluation = train(stub, tmp_path, 2, epochs, model, progress, patience=patience)
    assert model.step == last
    assert evaluation.stopped_at == (last if epochs == 4 else None)


def eye(path):
    """A network that is small, to look at images with."""
    keras.utils.set_random_seed(0)
    maps = [layers.Conv2D(4, 8, strides=8), layers.GlobalAveragePooling2D()]
    keras.Sequential([keras.Input((32, 32, 3)), *maps]).save(path)
    return str(path)


@pytest.fixture(scope="module")
def watched(fruit_dir, tmp_path_factory):
    """A whole run that is looked at every two of its six steps, with a checkpoint after each."""
    folder = tmp_path_factory.mktemp("watched")
    config = TrainConfig.make(
        **{"image_size": 32, "gf": 2, "df": 2, "batch_size": 3, "epochs": 3, "ema": 0.5},
        **{"sample_interval": 3, "evaluate_every": 2, "monitor": "kid", "keep": 99},
        **{"data_dir": str(fruit_dir), "extractor": eye(folder / "eye.keras")},
    )
    run_dir, kept_then, averages = folder / "run", {}, {}
    run_dir.mkdir()

    def take(self, batch, logs):
        kept_then[self._now()] = {path.name: path.read_bytes() for path in run_dir.glob("*best*")}
        averages[self._now()] = {name: bits(g) for name, g in model.translators.items()}
        self.take()

    with pytest.MonkeyPatch.context() as patch:
        tiny.use_in_all_models(patch.setattr)
        model = make_model(config)
    first = {name: v.numpy() for name, v in variables_of(model).items()}
    loader = make_loader(config)
    tested = from_settings.make_evaluator(config, loader)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checkpointing, "on_train_batch_end", take)
        Session(model, loader, config, run_dir, tested).train()
    return config, run_dir, model, first, kept_then, averages, tested


def bits(generator):
    return [array.tobytes() for array in generator.get_weights()]


def state_of(model):
    return {name: v.numpy().tobytes() for name, v in variables_of(model).items()}


def weights(folder: pathlib.Path):
    """Of what is kept, by file; the files themselves have the time in them."""
    return {path.name: bits(load_generator(path)) for path in folder.glob("*.best.keras")}


def test_a_watched_run_goes_on_as_if_there_had_been_no_break(watched, tmp_path):
    config, run_dir, model, _, kept_then, _, tested = watched
    rows, bests = without_seconds(run_dir / "history.csv"), weights(run_dir)
    assert [row["step"] for row in rows if row["kernel_AB"]] == ["2", "4", "6"]
    assert [row["step"] for row in rows] == ["2", "3", "4", "6"]
    assert bests.keys() == {"g_AB.best.keras", "g_BA.best.keras"}
    record = (run_dir / "best.json").read_text()
    # The state that the training ended with, whatever this model has done since.
    last = sorted((run_dir / "checkpoints").iterdir())[-1]
    with np.load(last / "variables.npz") as arrays:
        ended = {name: arrays[name].tobytes() for name in arrays}
    # Looks are after steps 2, 4 and 6, and an epoch has two.
    places = [(0, 1), (0, 2), (1, 1)]
    for path in sorted((run_dir / "checkpoints").iterdir()):
        progress = json.loads((path / "state.json").read_text())["progress"]
        if (place := (progress["epoch"], progress["step"])) not in places:
            continue
        places.remove(place)
        later = tmp_path / path.name
        shutil.copytree(path, later / "checkpoints" / path.name)
        for name, content in kept_then[place].items():
            (later / name).write_bytes(content)
        Session(model, make_loader(config), config, later, tested).train()
        assert state_of(model) == ended
        assert without_seconds(later / "history.csv") == rows
        assert weights(later) == bests
        assert (later / "best.json").read_text() == record
    assert places == []


def test_the_moving_averages_are_what_is_kept(watched):
    _, run_dir, _, _, _, averages, _ = watched
    kept = weights(run_dir)
    for name, entry in json.loads((run_dir / "best.json").read_text())["translators"].items():
        epoch, step = divmod(entry["step"] - 1, 2)
        assert kept[f"{name}.best.keras"] == averages[epoch, step + 1][name]


def test_looking_changes_nothing(watched, tmp_path):
    """Of what is trained: a run that nobody looks at ends with the same bits."""
    config, run_dir, model, first, *_ = watched
    for name, variable in variables_of(model).items():
        variable.assign(first[name])
    unwatched = TrainConfig.make(config, evaluate_every=0)
    Session(model, make_loader(unwatched), unwatched, tmp_path).train()
    with np.load(sorted((run_dir / "checkpoints").iterdir())[-1] / "variables.npz") as arrays:
        assert state_of(model) == {name: arrays[name].tobytes() for name in arrays}
    losses = [
        {name: row[name] for name in ("epoch", "step", "g_loss")}
        for row in rows_of(tmp_path / "history.csv")
    ]
    assert [row["step"] for row in losses] == ["2", "3", "4", "6"]
