"""Colors by values: red in each matrix and range, from the standards."""

import numpy as np
import pytest

from cyclegan_keras.inference.video import translate_video
from tests.inference.video.conftest import Video

# Y, Cb and Cr of pure red, rounded, in ITU-R BT.601 and BT.709.
LIMITED_601, FULL_601 = (81, 90, 240), (76, 85, 255)
LIMITED_709, FULL_709 = (63, 102, 240), (54, 99, 255)
LIMITED, FULL = 1, 2
BT709, BT601, UNKNOWN = 1, 6, 2


def of(yuv, size, pix_fmt="yuv420p"):
    """Makes a frame of one color, without any conversion."""
    import av

    frame = av.VideoFrame(*size, pix_fmt)
    for plane, value in zip(frame.planes, yuv, strict=True):
        plane.update(bytes([value]) * plane.buffer_size)
    return frame


@pytest.mark.parametrize(
    ("yuv", "matrix", "color_range", "size"),
    [
        (LIMITED_601, BT601, LIMITED, (64, 48)),
        (FULL_601, BT601, FULL, (64, 48)),
        (LIMITED_709, BT709, LIMITED, (64, 48)),
        (FULL_709, BT709, FULL, (64, 48)),
        (LIMITED_601, UNKNOWN, 0, (64, 48)),
        (LIMITED_709, UNKNOWN, 0, (1280, 64)),
    ],
)
def test_red_is_red_and_comes_back_as_it_was(make, tmp_path, yuv, matrix, color_range, size):
    tags = {"colorspace": matrix, "color_range": color_range}
    source = make(
        "a.mp4", options={"qp": "0"}, times=[0], size=size, frame=lambda _: of(yuv, size), **tags
    )
    seen = []
    translate_video(lambda frame: seen.append(frame) or frame, source, tmp_path / "b.mp4")
    assert np.abs(seen[0].astype(int) - [255, 0, 0]).max() <= 3
    video = Video(tmp_path / "b.mp4")
    numbers = video.frames[0].to_ndarray().ravel()  # As they are stored: Y, then Cb, then Cr.
    luma = size[0] * size[1]
    planes = np.split(numbers, [luma, luma + luma // 4])
    for plane, value in zip(planes, yuv, strict=True):
        assert np.abs(plane.astype(int) - value).max() <= 2
    assert {name: video.tags[name] for name in tags} == tags


def test_all_tags_are_kept(make, tmp_path):
    tags = {"colorspace": 9, "color_range": 1, "color_primaries": 9, "color_trc": 14}
    source = make("a.mov", "libx265", "yuv420p10le", **tags)
    outcome = translate_video(lambda frame: frame, source, tmp_path / "b.mov")
    video = Video(tmp_path / "b.mov")
    assert video.tags == tags
    assert (video.codec, video.pix_fmt) == ("hevc", "yuv420p10le")
    assert any("10 bits" in note for note in outcome.notes)


def test_transparency_is_kept_and_shown_on_white(make, tmp_path):
    import av

    def half(_):
        pixels = np.full((48, 64, 4), (200, 0, 0, 255), np.uint8)
        pixels[:, 32:] = (0, 0, 0, 0)
        return av.VideoFrame.from_ndarray(pixels, "rgba")

    source = make("a.webm", "libvpx-vp9", "yuva420p", frame=half, times=[0, 1])
    seen = []
    translate_video(lambda frame: seen.append(frame) or frame, source, tmp_path / "b.webm")
    assert np.abs(seen[0][:, 40:].astype(int) - 255).max() <= 3
    with av.open(tmp_path / "b.webm") as container:
        stream = container.streams.video[0]
        assert stream.metadata["alpha_mode"] == "1"
        decoder = av.CodecContext.create("libvpx-vp9", "r")
        frames = [each for packet in container.demux(stream) for each in decoder.decode(packet)]
    alpha = frames[0].to_ndarray(format="rgba")[..., 3]
    assert (alpha[:, :28].min(), alpha[:, 36:].max()) == (255, 0)


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt", "worst"),
    [
        ("a.mkv", "ffv1", "bgr0", 0),
        ("a.mov", "qtrle", "rgb24", 0),
        ("a.avi", "huffyuv", "rgb24", 0),
        ("a.avi", "mjpeg", "yuvj420p", 3),
        ("a.mp4", "libx264", "yuv444p", 3),
        ("a.mp4", "libx264", "gray", 3),
        ("a.webm", "libvpx", "yuv420p", 3),
        ("a.mov", "prores_ks", "yuv422p10le", 3),
    ],
)
def test_identity_gives_back_the_frames(make, tmp_path, name, codec, pix_fmt, worst):
    source = make(name, codec, pix_fmt, times=[0, 1])
    translate_video(lambda frame: frame, source, target := tmp_path / f"b{name[1:]}")
    before, after = Video(source), Video(target)
    assert (after.codec, after.pix_fmt) == (before.codec, before.pix_fmt)
    for one, other in zip(before.rgb, after.rgb, strict=True):
        assert np.abs(one.astype(int) - other).mean() <= worst
