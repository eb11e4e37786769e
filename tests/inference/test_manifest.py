import collections
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

import pytest

from cyclegan_keras.inference.manifest import BusyError, Manifest, lines_of
from cyclegan_keras.inference.sharding import Shard
from tests.reliability import support

SHARD = Shard(2, 4)


@pytest.fixture
def manifest(tmp_path):
    def make(**about):
        return Manifest(tmp_path / "out", SHARD, about or {"generator_sha256": "a"})

    return make


def noted(path):
    """What is said of each picture, without the time and the first line."""
    lines = list(lines_of(path))[1:]
    assert all(line.pop("time") for line in lines)
    return lines


def test_a_line_says_what_became_of_a_picture(manifest, tmp_path):
    source, target = pathlib.Path("in/a b\udcff.jpg"), tmp_path / "out" / "sub" / "a b\udcff.jpg"
    with manifest() as opened:
        opened.written(source, target)
        opened.failed(pathlib.Path("in/c.jpg"), "It is\nbroken.")
    path = tmp_path / "out" / "shard-2-of-4.jsonl"
    assert path.read_bytes().count(b"\n") == 3
    first = next(lines_of(path))
    assert (first["shard"], first["generator_sha256"]) == ("2/4", "a")
    assert noted(path) == [
        {"status": "written", "source": str(source), "target": "sub/a b\udcff.jpg"},
        {"status": "failed", "source": "in/c.jpg", "reason": "It is broken."},
    ]


def test_what_is_found_is_noted_once(manifest, tmp_path):
    source, target = pathlib.Path("in/a.png"), tmp_path / "out" / "a.png"
    for _ in range(2):
        with manifest() as opened:
            opened.found(source, target)
    assert [line["status"] for line in noted(opened.path)] == ["found"]


@pytest.mark.parametrize("torn", [b'{"status": "wri', b"x" * 70_000])
def test_a_torn_line_is_taken_out(torn, manifest):
    with manifest() as opened:
        opened.failed(pathlib.Path("a"), "b")
    whole = opened.path.read_bytes()
    opened.path.write_bytes(whole + torn)
    with manifest():
        pass
    assert opened.path.read_bytes() == whole
    opened.path.write_bytes(torn)  # Not even the first line is whole.
    with manifest():
        pass
    assert len(list(lines_of(opened.path))) == 1


def test_other_translations_are_not_mixed_in(manifest):
    with manifest():
        pass
    with pytest.raises(ValueError, match=r"generator_sha256 was 'a'.*--output.*Received: 'b'"):
        manifest(generator_sha256="b").__enter__()
    with manifest():  # The lock was given back.
        pass


def test_one_process_at_a_time(manifest):
    with manifest(), pytest.raises(BusyError, match="Another process is translating shard 2/4"):
        manifest().__enter__()


def test_a_damaged_line_is_named(manifest):
    with manifest() as opened:
        pass
    for damaged in ("no json", "[1]"):
        opened.path.write_text(f"{damaged}\n")
        with pytest.raises(ValueError, match=r"Line 1 of .*shard-2-of-4\.jsonl' is damaged"):
            manifest().__enter__()


WORKER = """
import pathlib, sys
from cyclegan_keras._files import written_whole
from cyclegan_keras.inference.manifest import Manifest
from cyclegan_keras.inference.sharding import Shard
out = pathlib.Path(sys.argv[1])
with Manifest(out, Shard(2, 4), {}) as manifest:
    for number in range(100_000):
        target = out / str(number)
        if target.exists():
            manifest.found(pathlib.Path(str(number)), target)
            continue
        with written_whole(target) as partial:
            partial.write_text("x")
        manifest.written(pathlib.Path(str(number)), target)
"""


def test_a_killed_process_leaves_whole_lines_and_the_next_one_completes_them(tmp_path):
    out = tmp_path / "out"
    path = out / "shard-2-of-4.jsonl"
    dice = random.Random(0)
    for life in range(4):
        before = path.stat().st_size if path.exists() else 0
        process = subprocess.Popen(
            [sys.executable, "-c", WORKER, str(out)], env=support.environment()
        )
        while not path.exists() or path.stat().st_size < before + 10_000:
            assert process.poll() is None
            time.sleep(0.002)
        time.sleep(dice.uniform(0, 0.02))
        process.send_signal(signal.SIGKILL)
        process.wait()
        done = {name for name in os.listdir(out) if name.isdigit()}
        with Manifest(out, SHARD, {}) as manifest:
            for name in done:
                manifest.found(pathlib.Path(name), out / name)
        text = path.read_text()
        lines = [json.loads(line) for line in text.splitlines()][1:]
        assert text.endswith("\n")
        assert collections.Counter(line["target"] for line in lines) == dict.fromkeys(done, 1)
        assert len(done) > life
