"""What goes into a video comes out of it: times, rotation, sound and the rest."""

import os
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest

from cyclegan_keras.inference.video import is_video, num_frames, translate_video
from tests.inference.video.conftest import Video, pattern

UNEVEN = [0, 1, 4, 9, 10, 23]


def identity(frame):
    return frame


def inverted(frame):
    return 255 - frame


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.mp4", "libx264"),
        ("a.mov", "libx265"),
        ("a.mkv", "libx264"),
        ("a.webm", "libvpx-vp9"),
        ("a.mp4", "mpeg4"),
        ("a.avi", "mpeg4"),
    ],
)
def test_frames_keep_their_times(make, tmp_path, name, codec):
    source = make(name, codec, times=UNEVEN)
    translate_video(inverted, source, target := tmp_path / f"b{name[1:]}")
    before, after = Video(source), Video(target)
    assert after.times == before.times == [Fraction(time, 25) for time in UNEVEN]
    assert after.last_duration == before.last_duration


@pytest.mark.parametrize("most", [1, 2])
def test_frames_in_another_order_are_shown_in_order_in_an_avi(make, tmp_path, most):
    import av

    def reorder(container, stream):
        stream.codec_context.max_b_frames = most

    source = make("a.avi", times=range(12), prepare=reorder, options={"bf": f"{most}"})
    with av.open(str(source)) as container:  # It does reorder.
        assert container.streams.video[0].codec_context.reorder_depth == most
    outcome = translate_video(identity, source, target := tmp_path / "b.avi")
    assert outcome.notes == ()
    with av.open(str(target)) as container:
        dts = [packet.dts for packet in container.demux(video=0) if packet.size]
    assert dts == [*range(12)]
    for number, shown in enumerate(Video(target).rgb):
        assert np.abs(shown.astype(int) - pattern(number)).mean() < 4


def test_a_late_start_and_odd_units_are_kept(make, tmp_path):
    source = make("a.mp4", times=[901, 1801, 3000], unit=Fraction(1, 90000), sound="aac")
    translate_video(identity, source, target := tmp_path / "b.mp4")
    before, after = Video(source), Video(target)
    assert after.times == before.times
    assert after.times[0] > 0
    assert after.sound == before.sound


def test_frames_are_translated_one_by_one(make, tmp_path):
    source = make("a.mp4", options={"qp": "0"})
    calls = []
    outcome = translate_video(
        inverted, source, target := tmp_path / "b.mp4", on_frame=lambda: calls.append(1)
    )
    assert (outcome.num_frames, outcome.num_lost, len(calls)) == (6, 0, 6)
    assert outcome.notes == ()
    assert outcome.flicker.levels < 0.1
    assert num_frames(source) == 6
    for before, after in zip(Video(source).rgb, Video(target).rgb, strict=True):
        # 4:2:0 has a quarter of the chroma, and the pattern is steep.
        assert np.abs((255 - before).astype(int) - after).mean() < 4


def test_a_turned_video_is_translated_upright(make, tmp_path):
    def turn(container, stream):
        stream.set_display_rotation(-90)

    source = make("a.mp4", prepare=turn)
    seen = []
    translate_video(lambda frame: seen.append(frame) or frame, source, target := tmp_path / "b.mp4")
    before, after = Video(source), Video(target)
    assert [frame.rotation for frame in after.frames] == [-90] * 6
    assert (after.frames[0].width, after.frames[0].height) == (64, 48)
    assert seen[0].shape == (64, 48, 3)
    # A quarter clockwise: what is stored at the left is shown on top.
    assert np.abs(seen[0].astype(int) - np.rot90(before.rgb[0], -1)).mean() <= 2
    assert np.abs(after.rgb[0].astype(int) - before.rgb[0]).mean() < 4


@pytest.mark.parametrize(
    ("name", "codec", "sound"),
    [
        ("a.mp4", "libx264", "aac"),
        ("a.mov", "libx264", "pcm_s16le"),
        ("a.mkv", "libx264", "flac"),
        ("a.webm", "libvpx", "libopus"),
        ("a.avi", "mpeg4", "libmp3lame"),
    ],
)
def test_sound_is_copied_packet_by_packet(make, tmp_path, name, codec, sound):
    source = make(name, codec, sound=sound)
    outcome = translate_video(inverted, source, target := tmp_path / f"b{name[1:]}")
    before, after = Video(source), Video(target)
    assert len(before.sound) > 2
    assert after.sound == before.sound
    assert outcome.notes == ()


def test_what_the_container_cannot_hold_is_encoded_anew_and_said(make, tmp_path):
    import av

    source = make("a.mkv", sound="flac")
    outcome = translate_video(identity, source, target := tmp_path / "b.webm")
    assert sorted(Video(target).streams) == [("audio", "opus"), ("video", "vp9")]
    assert any("h264" in note and "vp9" in note for note in outcome.notes)
    assert any("opus" in note for note in outcome.notes)
    with av.open(str(target)) as container:
        heard = sum(frame.samples for frame in container.decode(audio=0))
        assert heard == pytest.approx(0.25 * 48000, abs=1000)


def test_titles_languages_chapters_and_subtitles_are_kept(make, tmp_path):
    import av

    def prepare(container, stream):
        stream.metadata["language"] = "nor"
        container.metadata.update({"title": "Tittel på", "artist": "me"})
        container.set_chapters(
            [
                {
                    "id": 1, "start": 0, "end": 100, "time_base": Fraction(1, 1000),
                    "metadata": {"title": "one"},
                }
            ]
        )  # fmt: skip
        subtitle = container.add_mux_stream("subrip", time_base=Fraction(1, 1000))
        subtitle.metadata["language"] = "deu"
        container.add_attachment("a.ttf", "font/ttf", b"letters")
        return subtitle

    def finish(container, subtitle):
        packet = av.Packet(b"Hallo")
        packet.pts = packet.dts = 40
        packet.duration, packet.time_base, packet.stream = 100, Fraction(1, 1000), subtitle
        container.mux(packet)

    source = make("a.mkv", sound="aac", prepare=prepare, finish=finish)
    outcome = translate_video(identity, source, target := tmp_path / "b.mkv")
    before, after = Video(source), Video(target)
    assert after.metadata == before.metadata
    assert after.metadata["title"] == "Tittel på"
    assert after.chapters == before.chapters == [(0, "one")]
    assert after.streams == before.streams
    assert after.languages == before.languages
    assert after.subtitles == before.subtitles == [(Fraction(1, 25), b"Hallo")]
    assert outcome.notes == ()


def test_a_second_stream_of_pictures_is_left_out_and_said(make, tmp_path):
    def prepare(container, stream):
        other = container.add_stream("libx264", 25, width=32, height=32, pix_fmt="yuv420p")
        return other

    def finish(container, other):
        import av

        frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), "rgb24")
        container.mux([*other.encode(frame), *other.encode()])

    source = make("a.mkv", prepare=prepare, finish=finish)
    outcome = translate_video(identity, source, target := tmp_path / "b.mkv")
    assert Video(target).streams == [("video", "h264")]
    assert len(outcome.notes) == 1
    assert "second stream" in outcome.notes[0]


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt", "size"),
    [
        ("a.mkv", "ffv1", "bgr0", (1, 1)),
        ("a.mp4", "libx264", "yuv420p", (2, 2)),
        ("a.webm", "libvpx-vp9", "yuv420p", (65, 47)),
        ("a.mp4", "libx264", "yuv444p", (65, 47)),
        ("a.mkv", "ffv1", "yuv420p", (1000, 7)),
    ],
)
def test_every_size_keeps_its_size(make, tmp_path, name, codec, pix_fmt, size):
    source = make(name, codec, pix_fmt, size=size, times=[0, 1])
    translate_video(identity, source, target := tmp_path / f"b{name[1:]}")
    frame = Video(target).frames[1]
    assert (frame.width, frame.height) == size


def test_pixels_that_are_not_square_stay_so(make, tmp_path):
    def prepare(container, stream):
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)

    source = make("a.mp4", prepare=prepare)
    translate_video(identity, source, target := tmp_path / "b.mp4")
    assert Video(target).aspect == Video(source).aspect == Fraction(4, 3)


def test_a_file_that_exists_is_kept_unless_it_may_be_replaced(make, tmp_path):
    source, target = make("a.mp4"), tmp_path / "b.mp4"
    target.write_bytes(b"mine")
    with pytest.raises(FileExistsError, match=r"b\.mp4"):
        translate_video(identity, source, target)
    assert target.read_bytes() == b"mine"
    translate_video(identity, source, target, overwrite=True)
    assert len(Video(target).frames) == 6


def test_the_source_is_never_replaced(make, tmp_path):
    source = make("a.mp4")
    before = source.read_bytes()
    (tmp_path / "link.mp4").symlink_to(source)
    for target in (source, tmp_path / "link.mp4"):
        with pytest.raises(ValueError, match="would replace"):
            translate_video(identity, source, target, overwrite=True)
    assert source.read_bytes() == before


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_what_breaks_off_leaves_nothing_behind(make, tmp_path, error):
    source = make("a.mp4", sound="aac")
    calls = []

    def breaks_off(frame):
        calls.append(frame)
        if len(calls) == 4:
            raise error
        return frame

    (target := tmp_path / "b.mp4").write_bytes(b"mine")
    with pytest.raises(error):
        translate_video(breaks_off, source, target, overwrite=True)
    assert target.read_bytes() == b"mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "b.mp4"]


def test_a_function_that_returns_something_else_is_told(make, tmp_path):
    source = make("a.mp4")
    for wrong in (lambda frame: frame / 255, lambda frame: frame[:-1]):
        with pytest.raises(ValueError, match=r"\(48, 64, 3\), uint8"):
            translate_video(wrong, source, tmp_path / "b.mp4")


@pytest.mark.parametrize("name", ["b.png", "b", "b.gif"])
def test_a_target_that_is_no_video_is_told(make, tmp_path, name):
    with pytest.raises(ValueError, match=r"\.mp4"):
        translate_video(identity, make("a.mp4"), tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_names_that_ffmpeg_would_take_for_something_else_are_names(make, tmp_path, monkeypatch):
    names = ["http:x.mp4", "%03d.mp4", os.fsdecode(b"\xff.mp4")]
    source = make("a.mp4")
    monkeypatch.chdir(tmp_path)
    for name in names:
        os.link(source, name)
        translate_video(identity, name, os.path.join("out", name))
        assert len(Video(tmp_path / "out" / name).frames) == 6


def test_suffixes_say_what_is_a_video():
    assert all(map(is_video, ["a.mp4", "A.MOV", "b.mkv", "c.webm", b"d.avi", "e.m4v"]))
    assert not any(map(is_video, ["a.gif", "a.png", "mp4", "a.mp4.txt", ""]))


def test_nothing_is_printed_and_pyav_is_loaded_only_when_needed(make, tmp_path):
    source = make("a.mp4", "libsvtav1", sound="aac")
    code = (
        "import sys; from cyclegan_keras.inference import video; assert 'av' not in sys.modules; "
        f"video.translate_video(lambda frame: frame, {str(source)!r}, {str(tmp_path / 'b.mp4')!r})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_without_pyav_it_is_told_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    (tmp_path / "a.mp4").write_bytes(b"something")
    with pytest.raises(ValueError, match=r'pip install "av'):
        translate_video(identity, tmp_path / "a.mp4", tmp_path / "b.mp4")
