"""`cyclegan compare` on two small runs, as a user calls it."""

import json
import shutil
import subprocess
import sys

import keras
import pytest
from keras import layers

from cyclegan_keras.cli.main import main
from cyclegan_keras.config.train_config import TrainConfig
from cyclegan_keras.metrics import round_trip
from cyclegan_keras.runs.run_data import make_loader

pytestmark = pytest.mark.integration

METRICS = {"num_A": 4, "num_B": 4, "on_test_images": True, "change_AB": 30.0, "change_BA": 20.0}


def digest(config):
    return round_trip.digest(round_trip.files(make_loader(config)))


@pytest.fixture(scope="session")
def first(fruit_dir, tmp_path_factory):
    """A run whose translators leave images as they are."""
    folder = tmp_path_factory.mktemp("compared") / "first"
    folder.mkdir()
    config = TrainConfig(image_size=32, data_dir=str(fruit_dir), gf=4)
    (folder / "config.json").write_text(config.to_json())
    metrics = {**METRICS, "images": digest(config), "truth_AB": 12.5}
    (folder / "metrics.json").write_text(json.dumps(metrics))
    (folder / "history.csv").write_text("epoch,step,seconds,truth_AB\n1,600,90,12.5\n")
    image = keras.Input((32, 32, 3))
    for name in ("g_AB", "g_BA"):
        model = keras.Model(image, layers.Activation("linear")(image), name=name)
        model.save(folder / f"{name}.keras")
    return folder


@pytest.fixture
def two(first, tmp_path):
    """Copies of that run and of one with other settings and metrics, which a test may spoil."""
    one, other = (shutil.copytree(first, tmp_path / name) for name in ("one", "two"))
    change(other / "config.json", gf=8)
    change(other / "metrics.json", truth_AB=25.0)
    return [one, other]


def change(path, **values):
    known = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({**known, **values}), "utf-8")


def compare(*argv):
    return main(["compare", *map(str, argv)])


def files_in(folder):
    return {p: p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_tables_are_printed_and_nothing_is_written(two, tmp_path, capsys):
    before = files_in(tmp_path)
    assert compare(*two) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == [
        "| setting             | one | two |",
        "| ------------------- | --: | --: |",
        "| gf                  |   4 |   8 |",
    ]
    assert "| mean absolute error, A → B | lower   | **12.50** | 25.00 |" in lines
    assert files_in(tmp_path) == before


def test_the_tables_do_not_wait_for_tensorflow(two):
    code = (
        "import sys\n"
        "from cyclegan_keras.cli.main import main\n"
        "assert main(['compare', *sys.argv[1:]]) == 0\n"
        "print({'tensorflow', 'keras', 'sklearn', 'matplotlib', 'jinja2'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", code, *map(str, two)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "| steps done          | 600 | 600 |\n" in result.stdout
    assert result.stdout.endswith("\nset()\n")


def test_a_page_is_written_once(two, tmp_path, capsys):
    page = tmp_path / "deeper" / "page.html"
    assert compare(*two, "--output", page) == 0
    out = capsys.readouterr().out
    assert "| gf " in out
    assert out.endswith(f"Page    {page}\n")
    text = page.read_text("utf-8")
    # Both ways, four images each: itself, two translations, the truth.
    assert text.count("<img ") == 2 * 4 * 4
    assert text.count("<svg ") == 2
    page.write_text("mine", "utf-8")
    assert compare(*two, "--output", page) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "page.html' exists. Give another --output, or --overwrite." in captured.err
    assert page.read_text("utf-8") == "mine"
    assert compare(*two, "--output", page, "--overwrite") == 0
    assert page.read_text("utf-8") == text
    assert compare(*two, "--output", page.parent, "--overwrite") == 2
    assert "is a folder. Give --output a file, such as" in capsys.readouterr().err
    assert compare(*two, "--output", page / "in" / "a.html") == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.endswith("page.html' is a file. Give another place.\n")


def other_size(two):
    change(two[1] / "config.json", image_size=64)


def other_data(two):
    change(two[1] / "metrics.json", data_set="elsewhere")


def data_gone(two):
    for run in two:
        change(run / "config.json", data_dir="photos/set")


def data_of_another_name(two):
    for run in two:
        change(run / "metrics.json", data_set="elsewhere")


def other_images(two):
    change(two[1] / "metrics.json", images="aa")


def images_changed_since(two):
    """A pair is gone, and what is left is still pairs."""
    copy = shutil.copytree(data_dir_of(two[0]), two[0].parent / "small_fruit")
    for domain in "AB":
        sorted((copy / f"test{domain}").iterdir())[0].unlink()
    for run in two:
        change(run / "config.json", data_dir=str(copy))


def data_dir_of(run):
    return json.loads((run / "config.json").read_text())["data"]["data_dir"]


def translator_gone(two):
    (two[1] / "g_BA.keras").unlink()


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (other_size, "the runs have different images (image_size: 32, 64)."),
        (other_data, "the runs have different images (data set: small_fruit, elsewhere)."),
        (data_gone, "the data set set is not in "),
        (data_of_another_name, "the data set elsewhere is not in "),
        (other_images, "the runs have different images (SHA-256 of the images: "),
        (images_changed_since, "the images in "),
        (translator_gone, "a generator is missing: "),
    ],
)
def test_without_pictures_it_says_why(spoil, told, two, tmp_path):
    spoil(two)
    assert compare(*two, "--output", tmp_path / "page.html") == 0
    text = (tmp_path / "page.html").read_text("utf-8")
    assert "<img " not in text
    assert f"No pictures are shown, because {told}" in text


def test_one_run_that_knows_where_the_data_are_is_enough(two, tmp_path):
    change(two[0] / "config.json", data_dir="moved/small_fruit")
    assert compare(*two, "--output", tmp_path / "page.html") == 0
    assert (tmp_path / "page.html").read_text("utf-8").count("<img ") == 32


def test_pictures_are_of_the_generators_that_were_evaluated(two, tmp_path, capsys):
    change(two[1] / "metrics.json", translators=["g_AB.best.keras", "g_BA.best.keras"])
    for name in ("g_AB", "g_BA"):
        shutil.move(two[1] / f"{name}.keras", two[1] / f"{name}.best.keras")
    assert compare(*two, "--output", tmp_path / "page.html") == 0
    assert "| generators evaluated | g_AB.keras, g_BA.keras | g_AB.best" in capsys.readouterr().out
    assert (tmp_path / "page.html").read_text("utf-8").count("<img ") == 32


def not_measured(two):
    (two[1] / "metrics.json").unlink()


def damaged_metrics(two):
    (two[1] / "metrics.json").write_text("{")


def damaged_settings(two):
    (two[1] / "config.json").write_text("{")


def damaged_history(two):
    (two[1] / "history.csv").write_text("step,seconds\n1,many\n")


def no_run(two):
    shutil.rmtree(two[1])


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (not_measured, "was not evaluated yet: it has no metrics.json. Evaluate it with"),
        (damaged_metrics, "metrics.json' is not JSON"),
        (damaged_settings, "config.json' is not JSON"),
        (damaged_history, "history.csv' must be a table of numbers"),
        (no_run, "There is no run in"),
        (lambda two: two.pop(), "at least two runs"),
        (lambda two: two.append(two[0]), "Each run must be given once"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(spoil, told, two, tmp_path, capsys):
    spoil(two)
    assert compare(*two, "--output", tmp_path / "page.html") == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1
    assert captured.err.startswith("cyclegan: error: ")
    assert told in captured.err
    assert not (tmp_path / "page.html").exists()
