"""Videos that are damaged, incomplete, hostile or none."""

import contextlib

import numpy as np
import pytest

from cyclegan_keras.inference.video import translate_video
from tests.inference.video.conftest import Video, add_sound

LONG = {"times": range(40), "size": (160, 120)}


def identity(frame):
    return frame


def refused(source, tmp_path, match):
    (folder := tmp_path / "out").mkdir(exist_ok=True)
    with pytest.raises((ValueError, OSError), match=match) as caught:
        translate_video(identity, source, folder / source.name)
    assert len(str(caught.value).splitlines()) == 1
    assert list(folder.iterdir()) == []


def test_frames_that_are_missing_are_counted(make, tmp_path):
    import av

    source, front = make("a.mp4", **{**LONG, "times": range(0, 120, 3)}), tmp_path / "front.mp4"
    with (
        av.open(str(source)) as before,
        av.open(str(front), "w", options={"movflags": "faststart"}) as after,
    ):
        stream = after.add_stream_from_template(before.streams.video[0], opaque=True)
        for packet in before.demux(video=0):
            if packet.size:
                packet.stream = stream
                after.mux(packet)
    data = front.read_bytes()
    front.write_bytes(data[: len(data) * 6 // 10])
    outcome = translate_video(identity, front, target := tmp_path / "b.mp4")
    assert outcome.num_lost > 0
    assert outcome.num_frames + outcome.num_lost == 40
    assert len(Video(target).frames) == outcome.num_frames
    assert any("breaks off" in note for note in outcome.notes)


@pytest.mark.parametrize("name", ["a.mkv", "a.avi", "a.webm"])
def test_a_file_that_breaks_off_is_translated_so_far_and_told(make, tmp_path, name):
    codec = {"a.avi": "mpeg4", "a.webm": "libvpx"}.get(name, "libx264")
    source = make(name, codec, **{**LONG, "times": range(0, 120, 3)})
    data = source.read_bytes()
    source.write_bytes(data[: len(data) // 2])
    outcome = translate_video(identity, source, target := tmp_path / f"b{name[1:]}")
    assert 0 < outcome.num_frames < 40
    assert len(Video(target).frames) == outcome.num_frames
    assert outcome.num_lost or any("breaks off" in note for note in outcome.notes)


def test_frames_that_cannot_be_decoded_are_counted_and_the_rest_keep_their_times(make, tmp_path):
    source = make("a.mp4", **LONG)
    whole = Video(source).times
    data = bytearray(source.read_bytes())
    start = data.index(b"mdat") + len(data) // 3
    data[start : start + 700] = bytes(700)
    source.write_bytes(data)
    outcome = translate_video(identity, source, target := tmp_path / "b.mp4")
    assert outcome.num_lost > 0
    assert outcome.num_frames + outcome.num_lost == 40
    assert set(Video(target).times) < set(whole)


def test_a_video_without_its_index_is_refused(make, tmp_path):
    source = make("a.mp4", **LONG)
    data = source.read_bytes()
    source.write_bytes(data[: len(data) // 2])
    refused(source, tmp_path, "incomplete")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no video at all" * 100,
        np.random.default_rng(0).bytes(5000),
        b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nother.mp4\n#EXT-X-ENDLIST\n",
        b"ffconcat version 1.0\nfile other.mp4\n",
    ],
)
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_what_is_no_video_is_refused_and_opens_no_other_file(make, tmp_path, content, suffix):
    make("other.mp4")
    (source := tmp_path / f"a{suffix}").write_bytes(content)
    refused(source, tmp_path, "Cannot read the video")


def test_a_picture_with_the_name_of_a_video_is_refused(tmp_path):
    pytest.importorskip("av", reason="videos need PyAV")
    from PIL import Image

    Image.new("RGB", (64, 64)).save(tmp_path / "a.png")
    source = (tmp_path / "a.png").rename(tmp_path / "a.mp4")
    refused(source, tmp_path, "not a video")


def test_sound_alone_is_refused(tmp_path):
    av = pytest.importorskip("av", reason="videos need PyAV")
    source = tmp_path / "a.mp4"
    with av.open(str(source), "w") as container:
        add_sound(container, container.add_stream("aac", rate=48000))
    refused(source, tmp_path, "no moving pictures, only audio")


def test_a_video_without_frames_is_refused(make, tmp_path):
    source = make("a.mkv", times=[], prepare=lambda container, _: container.start_encoding())
    refused(source, tmp_path, "Cannot read the video|none of its frames")


def test_what_is_missing_or_a_folder_is_told(tmp_path):
    pytest.importorskip("av", reason="videos need PyAV")
    refused(tmp_path / "none.mp4", tmp_path, "No video")
    (tmp_path / "folder.mp4").mkdir()
    refused(tmp_path / "folder.mp4", tmp_path, "not a file")


def test_a_huge_frame_is_refused(make, tmp_path, monkeypatch):
    from cyclegan_keras.inference.video import reading

    source = make("a.mp4")
    monkeypatch.setattr(reading, "MAX_PIXELS", 64 * 48 - 1)
    refused(source, tmp_path, "64 × 48")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi", "a.webm"])
def test_whatever_is_damaged_ends_in_a_video_or_one_line(make, tmp_path, name):
    codec = {"a.avi": "mpeg4", "a.webm": "libvpx"}.get(name, "libx264")
    sound = {"a.avi": "libmp3lame", "a.webm": "libopus"}.get(name, "aac")
    data = make(name, codec, sound=sound, times=range(12)).read_bytes()
    random = np.random.default_rng(0)
    (folder := tmp_path / "out").mkdir()
    num_written = 0
    for number in range(60):  # What is no ValueError or OSError fails the test.
        damaged = bytearray(data)
        for place in random.integers(len(data), size=random.integers(1, 40)):
            damaged[place] = random.integers(256)
        if number % 3 == 0:
            damaged = damaged[: random.integers(len(data))]
        (source := tmp_path / f"damaged{name[1:]}").write_bytes(damaged)
        target = folder / f"{number}{name[1:]}"
        with contextlib.suppress(ValueError, OSError):
            assert translate_video(identity, source, target).num_frames > 0
            num_written += 1
        assert len([*folder.iterdir()]) == num_written
        assert [path for path in folder.iterdir() if path.name.startswith(".")] == []
    assert num_written > 5
