"""Videos on the command line, beside pictures and in folders."""

import pathlib
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from cyclegan_keras import load_generator
from cyclegan_keras.cli.main import main
from cyclegan_keras.inference.manifest import lines_of
from cyclegan_keras.inference.video import in_words, plan_videos, translate_video, translate_videos
from tests.inference.video.conftest import Video

COLOR = 60, 100, 140


def identity(frame):
    return frame


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A generator that inverts its image exactly."""
    import keras

    image = keras.Input((16, 16, 3))
    convolution = keras.layers.Conv2D(3, 1, use_bias=False)
    generator = keras.Model(image, convolution(image))
    convolution.set_weights([-np.eye(3, dtype=np.float32)[None, None]])
    generator.save(path := tmp_path_factory.mktemp("model") / "g.keras")
    return path


@pytest.fixture
def folder(make, tmp_path):
    (folder := tmp_path / "in" / "sub").mkdir(parents=True)
    source = make("a.mp4", sound="aac", frame=lambda _: np.full((48, 64, 3), COLOR, np.uint8))
    shutil.move(source, folder.parent / "a.mp4")
    shutil.copy(folder.parent / "a.mp4", folder / "b.MOV")
    return folder.parent


def run(model, *words):
    return main(["translate", "--model", str(model), *map(str, words)])


def test_videos_and_pictures_of_a_folder_are_translated(model, folder, tmp_path, capsys):
    Image.new("RGB", (20, 20), (250, 250, 250)).save(folder / "c.png")
    (folder / "notes.zip").write_bytes(b"PK")
    assert run(model, folder, "--output", tmp_path / "out") == 0
    written = {path.relative_to(tmp_path / "out") for path in (tmp_path / "out").rglob("*.*")}
    assert {str(path) for path in written} == {"a.mp4", "sub/b.MOV", "c.png"}
    printed = capsys.readouterr().out
    assert "Translated 1 image" in printed
    assert "Translated 2 videos" in printed
    assert len(re.findall(r"6 frames; flicker \d\.\d\d levels, measured in \d+%", printed)) == 2
    assert ".zip" in printed
    assert "a video: save" not in printed
    after = Video(tmp_path / "out" / "a.mp4")
    assert after.sound == Video(folder / "a.mp4").sound
    assert np.abs(255 - np.array(COLOR) - after.rgb[0]).max() <= 3


def test_a_generator_is_applied_to_whole_frames(model, folder, tmp_path):
    translate_video(load_generator(model), folder / "a.mp4", tmp_path / "b.mp4")
    frame = Video(tmp_path / "b.mp4").rgb[0]
    assert frame.shape == (48, 64, 3)
    assert np.abs(255 - np.array(COLOR) - frame).max() <= 3


def test_a_single_video_may_be_given_its_file(model, folder, tmp_path):
    assert run(model, folder / "a.mp4", "--output", tmp_path / "out.mkv") == 0
    assert len(Video(tmp_path / "out.mkv").frames) == 6
    assert run(model, folder, "--output", tmp_path / "two.mkv") == 2


def test_what_exists_is_kept_skipped_or_replaced(model, folder, tmp_path, capsys):
    (target := tmp_path / "out" / "a.mp4").parent.mkdir()
    target.write_bytes(b"mine")
    words = folder / "a.mp4", "--output", tmp_path / "out"
    assert run(model, *words) == 2
    assert run(model, *words, "--skip-existing") == 0
    assert target.read_bytes() == b"mine"
    assert run(model, *words, "--overwrite") == 0
    assert len(Video(target).frames) == 6
    assert run(model, folder / "a.mp4", "--output", folder, "--overwrite") == 2
    assert "would replace" in capsys.readouterr().err


def test_videos_that_fail_are_listed_and_the_others_translated(model, folder, tmp_path, capsys):
    (folder / "broken.mp4").write_bytes(b"nothing")
    words = folder, "--output", tmp_path / "out"
    assert run(model, *words) == 2
    assert not (tmp_path / "out").exists()
    assert run(model, *words, "--continue-on-error") == 1
    printed = capsys.readouterr()
    assert "Translated 2 videos" in printed.out
    assert "broken.mp4" in printed.err
    assert sorted(path.name for path in (tmp_path / "out").rglob("*.*")) == ["a.mp4", "b.MOV"]


def test_two_that_would_have_one_name_are_told(folder, tmp_path):
    (other := tmp_path / "other").mkdir()
    shutil.copy(folder / "a.mp4", other)
    with pytest.raises(ValueError, match="both become"):
        plan_videos([folder, other], tmp_path / "out")


def test_folders_are_parted_into_videos_and_pictures(folder, tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "d.png")
    plan = plan_videos([folder, tmp_path / "d.png"], tmp_path / "out")
    assert [source.name for source, _ in plan.jobs] == ["a.mp4", "b.MOV"]
    assert plan.others == [str(tmp_path / "d.png")]
    Image.new("RGB", (4, 4)).save(folder / "e.png")
    assert plan_videos([folder], tmp_path / "out").others == [str(folder)]


def test_what_was_lost_and_changed_is_said(folder, tmp_path):
    jobs = [(folder / "a.mp4", tmp_path / "a.webm")]
    outcome = translate_videos(identity, jobs).written[folder / "a.mp4"]
    words = in_words(outcome)
    assert "6 frames; flicker 0.00 levels" in words
    assert "opus" in words
    assert "vp9" in words


def test_shards_note_videos_too(model, folder, tmp_path):
    for name in ("c", "d"):
        shutil.copy(folder / "a.mp4", folder / f"{name}.mp4")
    (folder / "e.mp4").write_bytes(b"no video")
    more = ["--output", tmp_path / "out", "--continue-on-error"]
    for number in (1, 2, 1, 2):
        run(model, folder, *more, "--shard", f"{number}/2", "--skip-existing")
    lines = [
        (line["status"], pathlib.Path(line["source"]).name)
        for path in (tmp_path / "out").glob("shard-*-of-2.jsonl")
        for line in list(lines_of(path))[1:]
    ]
    names = ("a.mp4", "b.MOV", "c.mp4", "d.mp4")
    assert sorted(lines) == [("failed", "e.mp4")] * 2 + [("written", name) for name in names]
    # What a killed process had no time to note.
    for path in (tmp_path / "out").glob("shard-*-of-2.jsonl"):
        path.write_text(path.read_text().splitlines(keepends=True)[0])
    for number in (1, 2):
        run(model, folder, *more, "--shard", f"{number}/2", "--skip-existing")
    found = [
        line["status"]
        for path in (tmp_path / "out").glob("shard-*-of-2.jsonl")
        for line in list(lines_of(path))[1:]
    ]
    assert sorted(found) == ["failed"] + ["found"] * 4
