import pathlib
import subprocess
import sys

import pytest

pytestmark = pytest.mark.integration

FUZZ = pathlib.Path(__file__).parents[2] / "fuzz"

# What a bad reader does, one thing after the other; the seventh and the tenth do nothing bad.
BAD = """
import os, pathlib, sys, time
sys.path.insert(0, os.getcwd())
import images
import numpy as np
from PIL import Image

good = images.images.read_image

def refuse(text):
    raise ValueError(text)

def read_image(path):
    data = path.read_bytes()
    if len(data) > 1: return good(path)
    deed = data[0]
    if deed == 0: os.abort()
    if deed == 1: sum(range(10**12))
    if deed == 2: images.junk = np.ones(450_000_000, np.uint8)
    if deed == 3: os.write(2, b"a remark")
    if deed == 4: refuse(f"{str(path)!r}: two\\nlines")
    if deed == 5: refuse("no name")
    if deed == 6: raise KeyError(path)
    if deed == 7: refuse(f"{str(path)!r} is bad")
    if deed == 8: return Image.new("L", (1, 1))
    if deed == 9: return Image.new("RGB", (1, 1), tuple(os.urandom(3)))
    return Image.new("RGB", (1, 1))

images.images.read_image = read_image
images.MEMORY, images.SECONDS, images.cv2 = 400_000_000, 1, None
good_files = images.image_mutations.seeds()["PNG"][:1]
images.image_mutations.seeds = lambda: {"PNG": good_files}

images.damaged = lambda seed, number, good: ("PNG", "fixed" if number < 10 else NAMES[number - 10],
    bytes([min(number, 10)]))
NAMES = ["fixed", "truncate", "flip"]
sys.exit(images.main(["--count", "13"]))
"""


def test_three_hundred_damaged_images_do_no_harm(tmp_path):
    """Made anew, and the same in every run."""
    command = [sys.executable, FUZZ / "images.py", "--count", "300", "--keep", tmp_path / "kept"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr + done.stdout
    row = [int(cell) for cell in done.stdout.splitlines()[-1].split("|")[2:-1]]
    files, accepted, refused, *bad, differs = row
    assert bad == [0, 0, 0, 0, 0]
    assert accepted + refused + differs == files == 300
    assert min(accepted, refused) > 60


@pytest.mark.skipif(not pathlib.Path("/proc/self/stat").exists(), reason="needs Linux's /proc")
def test_every_kind_of_harm_is_noticed(tmp_path):
    done = subprocess.run([sys.executable, "-c", BAD], cwd=FUZZ, capture_output=True, text=True)
    found = dict(line.split(" (PNG): ") for line in done.stderr.splitlines() if " (PNG): " in line)
    results = {int(number): text.split(":")[0] for number, text in found.items()}
    assert results == {
        **{0: "crash", 1: "hang", 2: "memory", 3: "noise", 4: "wrong", 5: "wrong", 6: "wrong"},
        **{8: "wrong", 9: "wrong", 11: "wrong", 12: "wrong"},
    }
    assert done.returncode == 1
