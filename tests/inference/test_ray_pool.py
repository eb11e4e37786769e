"""Shards in a pool of Ray's actors; needs the extra `ray`."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from cyclegan_keras.cli.main import main
from cyclegan_keras.inference.manifest import lines_of
from tests.inference.test_request import assert_all_are_right, draw, words
from tests.inference.test_request import model as model  # A fixture.
from tests.reliability import support


def test_without_ray_the_command_says_how_to_get_it(model, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main(words(model, draw(tmp_path / "in", 3), "--launcher", "ray")) == 2
    assert 'pip install "ray' in capsys.readouterr().err


def actors():
    """The processes of this user that are actors of ours, by id."""
    found = set()
    for place in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if b"ray::_Translator" in (place / "cmdline").read_bytes():
                found.add(int(place.name))
        except OSError:
            continue
    return found


def wait_until(is_so, process):
    deadline = time.monotonic() + support.PATIENCE
    while not is_so():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.slow
def test_an_actor_that_is_killed_is_started_again(model, tmp_path):
    pytest.importorskip("ray", reason="needs Ray")
    folder = draw(tmp_path / "in", 6000)
    out, before = tmp_path / "out", actors()
    process = subprocess.Popen(
        [sys.executable, "-m", "cyclegan_keras", *words(model, folder, "--launcher", "ray")],
        env=support.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip

    def count():
        return sum(path.read_bytes().count(b"\n") for path in out.glob("shard-*.jsonl"))

    try:
        for wanted in (200, 2500):
            wait_until(lambda wanted=wanted: count() >= wanted and actors() - before, process)
            os.kill(np.random.default_rng(wanted).choice(sorted(actors() - before)), signal.SIGKILL)
        printed, err = process.communicate()
    finally:
        process.kill()
    assert process.returncode == 0, err
    assert "Translated 6,000 images" in printed
    assert_all_are_right(folder)
    assert len(list(out.glob("shard-*-of-8.jsonl"))) == 8
    statuses = {line["status"] for path in out.glob("*.jsonl") for line in list(lines_of(path))[1:]}
    assert statuses <= {"written", "found"}
