"""`cyclegan study` on small runs, as a user calls it."""

import json
import shutil
import subprocess
import sys

import keras
import pytest
from keras import layers

from cyclegan_keras.cli.main import main
from cyclegan_keras.config.train_config import TrainConfig
from cyclegan_keras.study import key as keys
from tests.study.test_page import data_in


@pytest.fixture(scope="session")
def run(fruit_dir, tmp_path_factory):
    """A run whose generators leave images as they are."""
    folder = tmp_path_factory.mktemp("studied") / "secret-run"
    folder.mkdir()
    config = TrainConfig(image_size=32, data_dir=str(fruit_dir), gf=4)
    (folder / "config.json").write_text(config.to_json())
    image = keras.Input((32, 32, 3))
    for name in ("g_AB", "g_BA"):
        keras.Model(image, layers.Activation("linear")(image), name=name).save(
            folder / f"{name}.keras"
        )
    return folder


@pytest.fixture
def other(run, tmp_path):
    return shutil.copytree(run, tmp_path / "other-run")


def study(*argv):
    return main(["study", *map(str, argv)])


def answers(path, choose, participant="one"):
    """Writes what a participant saves who chooses by the scored place and the pair."""
    truth = keys.read(keys.place(path))
    trials = [
        {
            "left": pair[0],
            "right": pair[1],
            "chosen": choose(pair, scored),
            "exposure_ms": [1000, 1003],
            "left_page": False,
        }
        for pair, scored in truth.scored.items()
    ]
    content = {"format": "cyclegan study result", "version": 1, "study": truth.study}
    result = path.with_name(f"{participant}.json")
    result.write_text(json.dumps({**content, "participant": participant, "trials": trials}))
    return result


def test_a_study_is_made_and_scored(run, tmp_path, capsys):
    path = tmp_path / "deeper" / "study.html"
    before = {each: each.read_bytes() for each in run.iterdir()}
    assert study("make", "--run-dir", run, "--subject", "oranges", "--output", path) == 0
    out = capsys.readouterr().out
    assert f"Page    {path}, 4 trials after 0 for practice, " in out
    assert f"Key     {keys.place(path)};" in out
    assert {each: each.read_bytes() for each in run.iterdir()} == before
    text = path.read_text("utf-8")
    data = data_in(text)
    assert (len(data["trials"]), data["practice"], data["hasReal"]) == (4, [], True)
    assert data["timing"]["exposure"] == 1000
    assert "pairs of images of oranges" in text
    for secret in ("secret-run", "small_fruit", str(tmp_path), "testA", ".png"):
        assert secret not in text
    truth = keys.read(keys.place(path))
    assert truth.runs == ("secret-run",)
    assert truth.about["data_set"] == "small_fruit"
    assert len(truth.about["generators"][0]["weights"]) == 64

    knows = answers(path, lambda pair, scored: "left" if scored == pair[1] else "right", "knows")
    left = answers(path, lambda pair, scored: "left", "left")
    assert study("score", knows) == 0
    assert "Fooled     0.0% took the translation for real" in capsys.readouterr().out
    figures = tmp_path / "figures.json"
    assert study("score", knows, left, "--key", keys.place(path), "--output", figures) == 0
    out = capsys.readouterr().out
    assert "People     2, 8 trials, 0 dropped" in out
    assert "fewer than 10 people" in out
    count = sum(scored == pair[0] for pair, scored in truth.scored.items())
    assert json.loads(figures.read_text())["rate"]["value"] == count / 8
    assert study("score", knows, "--output", figures) == 2
    assert "exists" in capsys.readouterr().err


def test_two_runs(run, other, tmp_path, capsys):
    path = tmp_path / "study.html"
    assert study(
        "make", "--run-dir", run, "--against", other, "--way", "BA", "--trials", "2",
        "--practice", "1", "--output", path,
    ) == 0  # fmt: skip
    truth = keys.read(keys.place(path))
    assert (truth.kind, truth.way, truth.runs) == ("two runs", "BA", ("secret-run", "other-run"))
    text = path.read_text("utf-8")
    data = data_in(text)
    assert [trial["real"] for trial in data["practice"]] == [None]
    assert len(data["trials"]) == 2
    assert text.count("<img ") == 4  # Real images of A.
    assert "-run" not in text.replace(data["sheets"][0], "")
    result = answers(path, lambda pair, scored: "left" if scored == pair[0] else "right")
    assert study("score", result) == 0
    assert "Preferred  100.0% chose secret-run" in capsys.readouterr().out


def test_nothing_is_replaced(run, tmp_path, capsys):
    path = tmp_path / "study.html"
    keys.place(path).write_text("mine", "utf-8")
    assert study("make", "--run-dir", run, "--output", path) == 2
    captured = capsys.readouterr()
    assert "study.key.json' exists" in captured.err
    assert captured.out == ""
    assert not path.exists()
    assert study("make", "--run-dir", run, "--output", tmp_path) == 2
    assert "is a folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["--trials", "5"], "at most 4 here"),
        (["--practice", "4"], "at least 1 trial"),
        (["--best"], "g_AB.best.keras is missing"),
        (["--data-dir", "nowhere"], "nowhere"),
        (["--run-dir", "nowhere"], "no run in 'nowhere'"),
        (["--against", "nowhere"], "no run in 'nowhere'"),
    ],
)
def test_what_cannot_be_made(run, tmp_path, capsys, argv, told):
    path = tmp_path / "in" / "study.html"
    assert study("make", "--run-dir", run, "--output", path, *argv) == 2
    err = capsys.readouterr().err
    assert told in err
    assert err.count("\n") == 1
    assert not path.parent.exists()


def test_a_run_is_not_its_own_rival(run, other, tmp_path, capsys):
    path = tmp_path / "study.html"
    assert study("make", "--run-dir", run, "--against", run, "--output", path) == 2
    assert "another run" in capsys.readouterr().err
    config = TrainConfig(model="pix2pix", image_size=32, data_dir=json.loads(
        (run / "config.json").read_text())["data"]["data_dir"])  # fmt: skip
    (other / "config.json").write_text(config.to_json())
    argv = ("make", "--run-dir", run, "--against", other, "--output", path)
    assert study(*argv, "--way", "BA") == 2
    assert "translates AB only" in capsys.readouterr().err


def test_what_cannot_be_scored(run, tmp_path, capsys):
    path = tmp_path / "study.html"
    assert study("make", "--run-dir", run, "--output", path) == 0
    result = answers(path, lambda pair, scored: "left")
    capsys.readouterr()

    def refused(*argv):
        assert study("score", *argv) == 2
        err = capsys.readouterr().err
        assert err.count("\n") == 1
        return err

    assert "given once" in refused(result, result)
    assert "must be a cyclegan study result" in refused(keys.place(path))
    assert "not JSON" in refused(path)
    assert "There is no result" in refused(tmp_path / "none.json")
    assert "must be a cyclegan study key" in refused(result, "--key", result)
    moved = keys.place(path).rename(tmp_path / "elsewhere.json")
    assert "--key" in refused(result)
    assert study("score", result, "--key", moved) == 0


def test_scoring_does_not_wait_for_tensorflow(run, tmp_path):
    path = tmp_path / "study.html"
    assert study("make", "--run-dir", run, "--output", path) == 0
    result = answers(path, lambda pair, scored: "left")
    code = (
        "import sys\n"
        "from cyclegan_keras.cli.main import main\n"
        "assert main(['study', 'score', *sys.argv[1:]]) == 0\n"
        "print({'tensorflow', 'keras', 'sklearn', 'scipy', 'jinja2'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code, result], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("\nset()\n")
