import subprocess
import sys

import pytest

import cyclegan_keras
from cyclegan_keras.cli.main import main


def test_help_is_answered_without_tensorflow():
    code = (
        "import sys\n"
        "from cyclegan_keras.cli.main import main\n"
        "try:\n    main(['train', '--help'])\n"
        "finally:\n    print({'tensorflow', 'keras', 'numpy'} & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0
    assert "--image-size N" in result.stdout
    assert result.stdout.endswith("set()\n")


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["paint"],
        ["train", "--epochs", "many"],
        ["train", "--epochs", "0"],
        ["train", "--dataset", "x", "--data-dir", "y"],
        ["train", "--data-dir", "nowhere/at all"],
        ["train", "--data-dir", "nowhere/fruit"],
        ["train", "--dataset", "nowhere"],
        ["train", "--data-dir", ""],
        ["train", "--config", "nowhere.json"],
        ["translate", "--model", "nowhere.keras", "--output", "out", "."],
        ["evaluate"],
        ["evaluate", "--run-dir", "nowhere"],
        ["compare"],
        ["compare", "nowhere"],
        ["compare", "nowhere", "elsewhere"],
        ["compare", "nowhere", "elsewhere", "--output", "page.html"],
        ["compare", "nowhere", "elsewhere", "--overwrite"],
    ],
)
def test_wrong_words_give_one_line_and_status_2(argv, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    try:
        status = main(argv)
    except SystemExit as error:  # argparse's own way
        status = error.code
    assert status == 2
    last = capsys.readouterr().err.rstrip().splitlines()[-1]
    assert "error: " in last
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [{}, {"prog": "train.py", "verb": "train"}])
def test_the_version(words, capsys):
    with pytest.raises(SystemExit) as error:
        main(["--version"], **words)
    assert error.value.code == 0
    assert capsys.readouterr().out == f"cyclegan-keras {cyclegan_keras.__version__}\n"


def test_debug_shows_where_an_error_came_from():
    with pytest.raises(FileNotFoundError):
        main(["train", "--debug", "--config", "nowhere.json"])


def test_train_py_names_itself_in_its_help(capsys):
    with pytest.raises(SystemExit):
        main(["--help"], prog="train.py", verb="train")
    assert capsys.readouterr().out.startswith("usage: train.py [-h] ")


def test_ctrl_c_outside_of_training(monkeypatch, capsys):
    def interrupted(arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("cyclegan_keras.cli.translate.run", interrupted)
    assert main(["translate", "--model", "m", "--output", "o", "p"]) == 130
    assert capsys.readouterr().err == "cyclegan: interrupted\n"


class ResourceExhaustedError(Exception):
    """As TensorFlow's is called, which has no other base."""


@pytest.mark.parametrize("error", [MemoryError, ResourceExhaustedError])
def test_too_little_memory_is_told_in_one_line(error, monkeypatch, capsys):
    def full(arguments):
        raise error("OOM when allocating tensor with shape[9,9]\n and more")

    monkeypatch.setattr("cyclegan_keras.cli.translate.run", full)
    assert main(["translate", "--model", "m", "--output", "o", "p"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("cyclegan: error: The memory is full. Take a smaller --batch-size")
    assert len(told.splitlines()) == 1


def test_a_mistake_of_ours_is_not_hidden(monkeypatch):
    monkeypatch.setattr("cyclegan_keras.cli.translate.run", lambda arguments: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main(["translate", "--model", "m", "--output", "o", "p"])


def test_a_reader_that_goes_away_is_no_error():
    """As `cyclegan data list | head -1`."""
    command = [sys.executable, "-u", "-m", "cyclegan_keras", "data", "list"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 141
    assert errors == b""


def test_closed_streams_are_no_files(tmp_path):
    """As `cyclegan ... <&- 2>&-` in a script: what is told goes nowhere, and not to a file."""
    command = f"exec {sys.executable} -m cyclegan_keras compare nowhere elsewhere <&- 2>&-"
    result = subprocess.run(["sh", "-c", command], stdout=subprocess.PIPE, cwd=tmp_path)
    assert (result.returncode, result.stdout) == (2, b"")
    code = (
        "import os; from cyclegan_keras.cli.main import main; main(['data', 'list']); "
        "print(os.open('x', os.O_CREAT), flush=True)"
    )
    command = f'exec {sys.executable} -c "{code}" <&- 2>&-'
    result = subprocess.run(["sh", "-c", command], stdout=subprocess.PIPE, cwd=tmp_path)
    assert int(result.stdout.split()[-1]) > 2
