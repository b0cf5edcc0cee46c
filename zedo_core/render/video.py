"""H.264 videos that browsers play: mp4, yuv420p, index in front."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.reformatter import ColorRange, Colorspace
from jaxtyping import UInt8
from numpy import ndarray

from zedo_core.errors import OutputError
from zedo_core.storage.files import written_whole

# B-frames would shift the decoding times and, with uneven frame times, shorten the duration that the file states.
_X264 = {"crf": "20", "preset": "fast", "bf": "0"}
_BT709 = 1
_LEAST_TICKS_PER_S = 90_000


class VideoWriter:
    """Takes RGB frames one by one; made by `video_writer`."""

    def __init__(self, container: OutputContainer, fps: float) -> None:
        self._container = container
        self._rate = Fraction(fps).limit_denominator(1001)  # 29.97... becomes 30000/1001
        # Ticks that hit the frames of a constant rate exactly and are fine enough for any other time.
        ticks_per_s = self._rate.numerator * math.ceil(_LEAST_TICKS_PER_S / self._rate.numerator)
        self._tick = Fraction(1, ticks_per_s)
        self._stream: av.VideoStream | None = None
        self._last = -1
        self.count = 0

    def write(self, image: UInt8[ndarray, "height width 3"], time_s: float | None = None) -> None:
        """Append a frame, shown from `time_s` on (default: at the constant rate). All frames have one size."""
        even = _padded_to_even(image)
        if self._stream is None:
            self._stream = self._opened_stream(even.shape[1], even.shape[0])
        when = self.count / self._rate if time_s is None else Fraction(time_s)
        frame = av.VideoFrame.from_ndarray(even, format="rgb24").reformat(
            format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
        )
        self._last = frame.pts = max(round(when / self._tick), self._last + 1)
        frame.duration = round(1 / self._rate / self._tick)
        frame.time_base = self._tick
        self._container.mux(self._stream.encode(frame))
        self.count += 1

    def finish(self) -> None:
        """Write out what the encoder still holds."""
        if self._stream is None:
            raise OutputError("expected at least one frame to make a video of, got none")
        self._container.mux(self._stream.encode(None))

    def _opened_stream(self, width: int, height: int) -> av.VideoStream:
        stream = self._container.add_stream("libx264", rate=self._rate, options=_X264)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        context = stream.codec_context
        context.time_base = self._tick
        context.color_range, context.colorspace = ColorRange.MPEG, Colorspace.ITU709
        context.color_primaries = context.color_trc = _BT709
        return stream


@contextmanager
def video_writer(path: str | Path, fps: float) -> Iterator[VideoWriter]:
    """A writer of the mp4 `path`, which appears when the block ends well and not at all otherwise.

    `fps` is the frame rate, or the usual one where frames come with their own times. OutputError
    when the video cannot be written.
    """
    path = Path(path)
    with written_whole(path) as partial:
        try:
            with av.open(str(partial), "w", format="mp4", options={"movflags": "+faststart"}) as container:
                writer = VideoWriter(container, fps)
                yield writer
                writer.finish()
        except FFmpegError as error:
            raise OutputError(
                f"{path}: the video could not be written ({error.strerror}); choose another --out"
            ) from None


def _padded_to_even(image: UInt8[ndarray, "height width 3"]) -> UInt8[ndarray, "even_height even_width 3"]:
    """The last row and column twice where needed: H.264's colours come in blocks of 2 x 2."""
    height, width = image.shape[:2]
    return np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge") if height % 2 or width % 2 else image
