"""Shards on the command line: all pictures once, whatever ends a process in the middle."""

import json
import pathlib
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from cyclegan_keras.cli.main import main
from cyclegan_keras.data import images
from cyclegan_keras.inference import files, formats
from cyclegan_keras.inference.manifest import Manifest, lines_of
from cyclegan_keras.inference.planning import Plan
from tests.reliability import support


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A generator that inverts its image exactly."""
    import keras

    image = keras.Input((8, 8, 3))
    convolution = keras.layers.Conv2D(3, 1, use_bias=False)
    generator = keras.Model(image, convolution(image))
    convolution.set_weights([-np.eye(3, dtype=np.float32)[None, None]])
    generator.save(path := tmp_path_factory.mktemp("model") / "g.keras")
    return path


def draw(folder, count):
    rng = np.random.default_rng(0)
    for number in range(count):
        path = folder / str(number % 3) / f"{number:04d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8)).save(path)
    return folder


@pytest.fixture
def folder(tmp_path):
    return draw(tmp_path / "in", 60)


def words(model, folder, *more):
    out = folder.parent / "out"
    return ["translate", str(model), str(folder), "--output", str(out), *map(str, more)]


def noted(folder):
    """The lines of all manifests, by target or source, without the first ones."""
    found = {}
    for path in (folder.parent / "out").glob("shard-*.jsonl"):
        for line in list(lines_of(path))[1:]:
            found.setdefault(line.get("target", line["source"]), []).append(line["status"])
    return found


def assert_all_are_right(folder):
    out = folder.parent / "out"
    sources = {path.relative_to(folder) for path in folder.rglob("*.png")}
    assert {path.relative_to(out) for path in out.rglob("*.png")} == sources
    for name in sources:
        expected = 255 - np.asarray(Image.open(folder / name)).astype(int)
        assert np.abs(np.asarray(Image.open(out / name)) - expected).max() <= 1
    assert {name: len(lines) for name, lines in noted(folder).items()} == {
        name.as_posix(): 1 for name in sources
    }
    # Nothing that was half written is left.
    assert [path for path in out.rglob(".*") if path.suffix != ".lock"] == []


def test_shards_translate_everything_once(model, folder, capsys):
    for number in (1, 2, 3):
        assert main(words(model, folder, "--shard", f"{number}/3")) == 0
    counts = [int(line.split()[1]) for line in capsys.readouterr().out.splitlines()]
    assert len(counts) == 3
    assert sum(counts) == 60
    assert_all_are_right(folder)
    assert main(words(model, folder, "--shard", "1/3", "--skip-existing")) == 0
    assert_all_are_right(folder)


class Killed(BaseException):
    """Ends everything at once, as SIGKILL would, as far as that can be had in one process."""


@pytest.mark.parametrize("where", ["before its line", "while it is written"])
def test_a_shard_that_was_killed_goes_on(where, model, folder, monkeypatch):
    write, note = formats.write, Manifest.written

    def killed_while_writing(path, *arguments):
        if path.name == "0031.png":
            path.with_name(f".{path.stem}.4711.png").write_bytes(b"half")
            raise Killed
        return write(path, *arguments)

    def killed_before_its_line(manifest, source, target):
        if source.name == "0031.png":
            raise Killed
        note(manifest, source, target)

    if where == "before its line":
        monkeypatch.setattr(Manifest, "written", killed_before_its_line)
    else:
        monkeypatch.setattr(formats, "write", killed_while_writing)
    with pytest.raises(Killed):
        main(words(model, folder, "--shard", "1/1"))
    monkeypatch.undo()
    assert len(noted(folder)) < 60
    assert main(words(model, folder, "--shard", "1/1")) == 2  # Nothing is replaced unasked.
    assert main(words(model, folder, "--shard", "1/1", "--skip-existing")) == 0
    assert_all_are_right(folder)
    found = [name for name, lines in noted(folder).items() if lines == ["found"]]
    assert ("1/0031.png" in found) == (where == "before its line")


def test_what_failed_is_noted_and_tried_again(model, folder, capsys):
    bad = folder / "2" / "0002.png"
    whole = bad.read_bytes()
    bad.write_bytes(whole[:50])
    command = words(model, folder, "--shard", "1/1", "--continue-on-error")
    assert main(command) == 1
    (line,) = [
        line
        for line in lines_of(folder.parent / "out" / "shard-1-of-1.jsonl")
        if line.get("status") == "failed"
    ]
    assert line["source"] == str(bad)
    assert "Cannot read the image" in line["reason"]
    bad.write_bytes(whole)
    assert main([*command, "--skip-existing"]) == 0
    assert "Translated 1 image " in capsys.readouterr().out
    assert noted(folder)["2/0002.png"] == ["written"]


def test_the_bits_do_not_depend_on_what_is_left(model, folder, monkeypatch):
    shapes = set()
    traced = files._traced
    monkeypatch.setattr(
        files, "_traced", lambda generator, size: shapes.add(size) or traced(generator, size)
    )
    for number in (1, 2, 3, 4, 5):
        assert main(words(model, folder, "--shard", f"{number}/5")) == 0
    assert shapes == {files.BATCH_SIZE}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--shard", "3/2"], "A shard I/N must have I from 1 to N. Received: 3/2"),
        (["--workers", "2"], "--workers needs --launcher"),
        (["--launcher", "ray", "--shard", "1/2"], "--launcher deals the shards itself"),
        (["--launcher", "ray", "--workers", "0"], "--workers must be at least 1. Received: 0"),
    ],
)
def test_what_contradicts_itself_is_told(more, said, model, folder, capsys):
    assert main(words(model, folder, *more)) == 2
    assert said in capsys.readouterr().err
    assert not (folder.parent / "out").exists()


def test_an_address_is_no_folder_here(model, folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for paths in ([str(folder), "--output", "s3://b/out"], ["gs://b/in", "--output", "out"]):
        assert main(["translate", str(model), *paths]) == 2
        assert "is an address, and files are wanted. Mount" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_other_settings_are_not_mixed_in(model, folder, capsys):
    assert main(words(model, folder, "--shard", "1/2")) == 0
    for more in (["--keep-colors"], ["--format", "webp"], ["--value-range", "0", "99"]):
        assert main(words(model, folder, "--shard", "1/2", "--skip-existing", *more)) == 2
        assert "is of other translations: settings was" in capsys.readouterr().err


def test_planning_keeps_no_list(model, folder, monkeypatch):
    monkeypatch.setattr(Plan, "as_list", lambda plan: pytest.fail("a list of all"))
    read = []
    monkeypatch.setattr(
        images,
        "read_picture",
        lambda path, real=images.read_picture: read.append(path) or real(path),
    )
    assert main(words(model, folder)) == 0
    assert len(read) == 60


@pytest.mark.slow
def test_shards_are_killed_at_random_moments(model, tmp_path):
    folder = draw(tmp_path / "in", 6000)
    out, dice = tmp_path / "out", random.Random(0)

    def start(number):
        return subprocess.Popen(
            [
                sys.executable, "-m", "cyclegan_keras",
                *words(model, folder, "--shard", f"{number}/2", "--skip-existing"),
            ],
            env=support.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def size(number):
        path = out / f"shard-{number}-of-2.jsonl"
        return path.stat().st_size if path.exists() else 0

    processes = {number: start(number) for number in (1, 2)}
    kills = 0
    for number in (1, 2, 1, 2):
        before = size(number)
        process = processes[number]
        more = dice.randrange(2_000, 60_000)
        while process.poll() is None and size(number) < before + more:
            time.sleep(0.002)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.communicate()
        processes[number] = start(number)
    for process in processes.values():
        _, err = process.communicate()
        assert process.returncode == 0, err
    assert kills >= 2
    assert_all_are_right(folder)
    statuses = {status for lines in noted(folder).values() for status in lines}
    assert statuses <= {"written", "found"}
    assert json.loads(pathlib.Path(out / "shard-1-of-2.jsonl").read_text().splitlines()[0])
