"""Images decoded during the training: the same run, bit for bit, also where it was broken off."""

import os
import shutil
import signal

import pytest

from tests.reliability import support

pytestmark = pytest.mark.integration


def test_decoded_ahead_and_resumed_is_decoded_at_the_start(
    train_here, at_step, uninterrupted_here, tmp_path, capsys
):
    at_step(3, 7, act=lambda logs: os.kill(os.getpid(), signal.SIGTERM) or logs)
    for _ in range(2):  # Within the first epoch, and within the second.
        assert train_here("--decode", "ahead") == 128 + signal.SIGTERM
    # No image fits into the memory: `auto` means ahead, too.
    assert train_here("--resume", "--decode", "auto", "--cache-memory", "0") == 0
    out, err = capsys.readouterr()
    assert out.count("Decoded during the training, once: 18 images of trainA") == 3
    assert "Warning" not in err
    support.assert_same_run(tmp_path / "run", uninterrupted_here)


def test_a_bad_image_ends_a_training_and_can_be_left_out(
    train_here, noise_dir, tmp_path, monkeypatch, capsys
):
    data = tmp_path / "data"
    shutil.copytree(noise_dir, data)
    for domain in "AB":  # Else some of the training images would be measured on, and read at once.
        shutil.copytree(noise_dir / f"train{domain}", data / f"test{domain}")
    (data / "trainB" / "07.png").write_bytes(b"\x89PNG none")
    monkeypatch.setattr("cyclegan_keras.data.notes.NUM_LOOKED_AT", 2)
    more = ["--data-dir", str(data), "--decode", "ahead"]
    assert train_here(*more) == 2
    assert "trainB/07.png" in capsys.readouterr().err
    assert train_here(*more, "--resume", "--skip-bad-images") == 0
    out = capsys.readouterr().out
    assert "Resumed " in out
    assert "Skipped 1 image that cannot be used, such as" in out
