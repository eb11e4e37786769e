"""Translating videos: frames go through a generator, everything else is kept.

PyAV (`av`), which brings FFmpeg with it, is imported only when a video is opened.
"""

from cyclegan_keras.inference.video.flicker import Flicker, FlickerMeter
from cyclegan_keras.inference.video.many import (
    Plan,
    VideosOutcome,
    in_words,
    plan_videos,
    translate_videos,
)
from cyclegan_keras.inference.video.reading import SUFFIXES, is_video, num_frames
from cyclegan_keras.inference.video.translating import VideoOutcome, translate_video

__all__ = [
    "SUFFIXES",
    "Flicker",
    "FlickerMeter",
    "Plan",
    "VideoOutcome",
    "VideosOutcome",
    "in_words",
    "is_video",
    "num_frames",
    "plan_videos",
    "translate_video",
    "translate_videos",
]
