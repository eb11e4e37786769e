"""Translating videos: frames go through a generator, everything else is kept.

PyAV (`av`), which brings FFmpeg with it, is imported only when a video is opened.
"""

from cyclegan_keras.inference.video.flicker import Flicker, FlickerMeter
from cyclegan_keras.inference.video.reading import is_video, num_frames
from cyclegan_keras.inference.video.translating import VideoOutcome, translate_video

__all__ = [
    "Flicker",
    "FlickerMeter",
    "VideoOutcome",
    "is_video",
    "num_frames",
    "translate_video",
]
