import pathlib
import subprocess
import sys

import pytest

from tests import forked

pytestmark = pytest.mark.integration

FUZZ = pathlib.Path(__file__).parents[2] / "fuzz"

# What a bad loader does, one thing after the other. The sixth does nothing bad.
BAD = """
import os, pathlib, sys, time
sys.path.insert(0, os.getcwd())
import models

good, deeds = models.model_files.load_generator, []

def refuse(text):
    raise ValueError(text)

def load_generator(path):
    if path.name != "model.keras":
        return good(path)
    deed = int(path.read_bytes()[-1])
    if deed == 0: os.abort()
    if deed == 1: time.sleep(60)
    if deed == 2: models.junk = os.urandom(300_000_000); time.sleep(60)
    if deed == 3: open("/etc/hostname", "rb").close()
    if deed == 4: import zipapp
    if deed == 5: refuse(f"{str(path)!r}: two\\nlines")
    if deed == 6: refuse("no name")
    if deed == 7: raise KeyError(path)
    if deed == 8: return keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(1, 1)])
    refuse(f"{str(path)!r} is bad")

import keras
models.model_files.load_generator = load_generator
models.MEMORY = 200_000_000
models.SECONDS, models.PATIENCE = 20, 4
models.write_seeds = lambda folder: models.plain_generator().save(folder / "plain.keras")
kinds = {str(deed): lambda rng, data, deed=deed: bytes([deed]) for deed in range(10)}
models.model_mutations.mutations = lambda canary: kinds
sys.exit(models.main(["--count", "10", "--jobs", "2", "--keep", sys.argv[1]]))
"""


def run(*command, cwd=None):
    return subprocess.run(
        [sys.executable, *command], cwd=cwd, capture_output=True, text=True, timeout=300
    )


@pytest.fixture(scope="module")
def rows_of():
    def read(output):
        lines = [line.strip("| ").split(" | ") for line in output.splitlines()]
        header, rows = lines[0][1:], {cells[0]: cells[1:] for cells in lines[2:]}
        return {
            kind: {name: int(cell) for name, cell in zip(header, cells, strict=True) if cell != "0"}
            for kind, cells in rows.items()
        }

    return read


def test_nothing_but_clear_errors_comes_of_damaged_and_hostile_files(rows_of):
    words = [str(FUZZ / "models.py"), "--count", "19", "--seed", "0"]
    status, output, errors = forked.run(words)
    assert status == 0, output + errors
    rows = rows_of(output)
    assert rows.pop("none") == {"files": 1, "accepted": 1}
    total = rows.pop("all")
    assert total["files"] == total["accepted"] + total["refused"] == 19
    assert len(rows) == 18
    assert all(row["files"] == 1 for row in rows.values())
    for kind in ("zip cut off", "bomb", "config deep", "weights cut off", "weights hostile"):
        assert rows[kind] == {"files": 1, "refused": 1}


@pytest.mark.slow
def test_what_a_bad_loader_does_is_noticed(rows_of, tmp_path):
    (tmp_path / "bad.py").write_text(BAD)
    done = run(str(tmp_path / "bad.py"), str(tmp_path / "kept"), cwd=FUZZ)
    assert done.returncode == 1, done.stdout + done.stderr
    found = {kind: {*row} - {"files"} for kind, row in rows_of(done.stdout).items()}
    del found["all"]
    expected = "crash hang memory audit audit wrong wrong wrong wrong refused".split()
    assert found == {str(deed): {result} for deed, result in enumerate(expected)}
    kept = sorted(path.name for path in (tmp_path / "kept").iterdir())
    assert kept == [f"{deed}.keras" for deed in range(9)]
    assert (tmp_path / "kept" / "3.keras").read_bytes() == b"\x03"
    assert "3 (3): audit: open ('/etc/hostname'" in done.stderr
