import csv
import json
import pathlib

import keras
import pytest

from cyclegan_keras.reports import curves
from cyclegan_keras.training.callbacks import LearningRateDecay
from cyclegan_keras.training.callbacks.history import HistoryCSV, with_row
from cyclegan_keras.training.progress import Progress


def rows_of(path: pathlib.Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def without_seconds(path: pathlib.Path) -> list[dict[str, str]]:
    return [{k: v for k, v in row.items() if k != "seconds"} for row in rows_of(path)]


class Break(keras.callbacks.Callback):
    """Stops after some step, and keeps the state at that point."""

    def __init__(self, after):
        super().__init__()
        self.after = after

    def on_train_batch_end(self, batch, logs=None):
        progress = self.params["progress"]
        if 3 * progress.epoch + progress.step == self.after:
            self.text = json.dumps(progress.state())
            raise KeyboardInterrupt


class Measures(keras.callbacks.Callback):
    """Hands metrics on after some steps, before the history hears of them."""

    def __init__(self, history, metrics):
        super().__init__()
        self.history, self.metrics = history, metrics

    def on_train_batch_end(self, batch, logs=None):
        progress = self.params["progress"]
        step = 3 * progress.epoch + progress.step
        if step in self.metrics:
            self.history.add_metrics(step, {"kernel_AB": self.metrics[step]}, "eye")


def test_rows_are_means_since_the_row_before(train, tmp_path):
    path = tmp_path / "history.csv"
    train(HistoryCSV(path, interval=2))
    rows = rows_of(path)
    assert [(row["epoch"], row["step"], float(row["g_loss"])) for row in rows] == [
        ("1", "2", 1.5),
        ("1", "3", 3.0),
        ("2", "4", 4.0),
        ("2", "6", 5.5),
    ]
    assert list(rows[0])[:5] == ["epoch", "step", "seconds", "d_loss", "d_acc"]
    assert all(float(row["seconds"]) >= 0 for row in rows)


@pytest.mark.parametrize("after", range(1, 6))
@pytest.mark.parametrize("later", ["as it was", "longer", "torn", "gone"])
def test_it_goes_on_as_if_there_had_been_no_break(after, later, train, tmp_path):
    whole, broken = tmp_path / "whole.csv", tmp_path / "broken.csv"
    train(HistoryCSV(whole, interval=2))
    stop = Break(after)
    with pytest.raises(KeyboardInterrupt):
        train(HistoryCSV(broken, interval=2), stop)
    if later == "longer":  # The process lived on after its last checkpoint.
        broken.write_text(whole.read_text())
    elif later == "torn":  # It was killed while it wrote a row.
        broken.write_text(whole.read_text()[:300])
    elif later == "gone":
        broken.unlink(missing_ok=True)

    class Later(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            self.model.step = after

    progress = Progress.from_state(json.loads(stop.text))
    train(Later(), HistoryCSV(broken, interval=2), progress=progress)
    assert without_seconds(broken) == without_seconds(whole)


def test_time_goes_on_too(train, tmp_path, monkeypatch):
    clock = iter(range(0, 10_000, 10))
    monkeypatch.setattr(
        "cyclegan_keras.training.callbacks.history.time.monotonic", lambda: next(clock)
    )
    stop = Break(4)
    with pytest.raises(KeyboardInterrupt):
        train(HistoryCSV(tmp_path / "h.csv", interval=2), stop)
    seconds = json.loads(stop.text)["callbacks"]["HistoryCSV"]["seconds"]
    assert seconds > 0
    train(
        HistoryCSV(tmp_path / "h.csv", interval=2),
        progress=Progress.from_state(json.loads(stop.text)),
    )
    times = [float(row["seconds"]) for row in rows_of(tmp_path / "h.csv")]
    assert times == sorted(times)
    assert times[-1] > seconds


def test_the_learning_rate_is_that_of_the_last_step(train, tmp_path):
    train(LearningRateDecay(1), HistoryCSV(tmp_path / "h.csv", interval=2))
    rates = [(row["step"], row["learning_rate"]) for row in rows_of(tmp_path / "h.csv")]
    # Of the generators' optimizer, 0.25, of which the sixth step still has a quarter.
    assert rates == [("2", "0.25"), ("3", "0.25"), ("4", "0.1875"), ("6", "0.0625")]


def test_a_table_that_was_begun_without_learning_rates_gets_them(train, tmp_path):
    path, stop = tmp_path / "h.csv", Break(3)
    with pytest.raises(KeyboardInterrupt):
        train(HistoryCSV(path, interval=2), stop)
    progress = json.loads(stop.text)
    # A row as it was before there was such a column.
    progress["callbacks"]["HistoryCSV"]["text"] = "epoch,step,seconds,g_loss\n1,2,0.1,1.5\n"
    train(HistoryCSV(path, interval=2), progress=Progress.from_state(progress))
    assert [(row["step"], row["g_loss"], row["learning_rate"]) for row in rows_of(path)][:2] == [
        ("2", "1.5", ""),
        ("3", "3", "0.25"),
    ]
    found = curves.read(path).plain["learning_rate"]
    assert found == ([3, 4, 6], [0.25, 0.25, 0.25])


def test_rows_wait_for_room_on_a_full_disk(train, tmp_path, monkeypatch, capsys):
    path = tmp_path / "history.csv"
    write = HistoryCSV._write
    calls = []

    def full_at_first(self):
        calls.append(1)
        if len(calls) < 4:
            raise OSError(28, "No space left on device")
        write(self)

    monkeypatch.setattr(HistoryCSV, "_write", full_at_first)
    train(HistoryCSV(path, interval=2))
    assert [row["step"] for row in rows_of(path)] == ["2", "3", "4", "6"]
    warnings = capsys.readouterr().err.splitlines()
    told = "history.csv could not be written (No space left on device). The training goes on."
    assert warnings == [f"Warning: {told}"] * 3


def test_metrics_have_a_row_of_their_own_only_where_there_is_none(train, tmp_path):
    history = HistoryCSV(tmp_path / "h.csv", interval=2)
    train(Measures(history, {1: 0.5, 2: 0.25, 3: 0.125, 5: 1 / 3}), history)
    rows = rows_of(tmp_path / "h.csv")
    # Means are those since the row before, whatever that was written for.
    assert [(row["step"], float(row["g_loss"]), row["kernel_AB"]) for row in rows] == [
        ("1", 1.0, "0.5"),
        ("2", 2.0, "0.25"),
        ("3", 3.0, "0.125"),
        ("4", 4.0, ""),
        ("5", 5.0, "0.333333"),
        ("6", 6.0, ""),
    ]
    assert list(rows[0])[-2:] == ["kernel_AB", "extractor"]
    assert [row["extractor"] for row in rows] == ["eye" if row["kernel_AB"] else "" for row in rows]


@pytest.mark.parametrize("after", [1, 3, 5])
def test_columns_that_turn_up_later_are_empty_before(after, train, tmp_path):
    path = tmp_path / "h.csv"
    stop = Break(after)
    with pytest.raises(KeyboardInterrupt):
        train(HistoryCSV(path, interval=1), stop)
    progress = Progress.from_state(json.loads(stop.text))
    history = HistoryCSV(path, interval=1)
    train(Measures(history, {6: 0.5}), history, progress=progress)
    rows = rows_of(path)
    assert [row["step"] for row in rows] == ["1", "2", "3", "4", "5", "6"]
    assert [row["kernel_AB"] for row in rows] == ["", "", "", "", "", "0.5"]
    lines = path.read_text().splitlines()
    assert {line.count(",") for line in lines} == {lines[0].count(",")}
    # And empty again once nothing is measured any more.
    stop = Break(6)
    with pytest.raises(KeyboardInterrupt):
        train(Measures(history := HistoryCSV(path, 1), {2: 0.5}), history, stop)
    progress = Progress.from_state(json.loads(stop.text))
    train(HistoryCSV(path, interval=1), progress=progress, epochs=3)
    assert [row["kernel_AB"] for row in rows_of(path)] == ["", "0.5", *[""] * 7]


def test_tables_grow():
    table = with_row("", {"step": "1", "g": "2"})
    assert table == "step,g\n1,2\n"
    assert with_row(table, {"step": "2", "g": "3"}) == "step,g\n1,2\n2,3\n"
    wider = with_row(table, {"step": "2", "g": "3", "k": "4"})
    assert wider == "step,g,k\n1,2,\n2,3,4\n"
    assert with_row(wider, {"step": "3", "g": "5"}) == "step,g,k\n1,2,\n2,3,4\n3,5,\n"


def test_rows_are_handed_on_as_numbers(train, tmp_path):
    seen = []
    history = HistoryCSV(tmp_path / "h.csv", 2, sinks=[lambda *row: seen.append(row)])
    train(Measures(history, {3: 1 / 3}), history, epochs=1)
    assert [(step, losses["g_loss"], *of_metrics) for step, losses, *of_metrics in seen] == [
        (2, 1.5, {}, None),
        (3, 3.0, {"kernel_AB": 1 / 3}, "eye"),
    ]
