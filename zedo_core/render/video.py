"""PNG images, and H.264 videos that browsers play: mp4, yuv420p, index at the front."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.reformatter import ColorRange, Colorspace
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image

from zedo_core.errors import OutputError
from zedo_core.storage.files import atomic_write

# B-frames would shift the decoding times and, with uneven frame times, shorten the duration stated in the file.
_X264 = {"crf": "20", "preset": "fast", "bf": "0"}
_BT709 = 1
_MIN_TICKS_PER_S = 90_000

TimedImage = tuple[UInt8[ndarray, "height width 3"], float]  # an image and its time in seconds


def write_png(image: UInt8[ndarray, "height width 3"], path: Path) -> None:
    """Write the PNG `path`; OutputError when it cannot be written."""
    with atomic_write(path) as partial:
        Image.fromarray(image).save(partial, format="PNG")


def write_clip(images: Generator[TimedImage], path: Path, fps: float, on_frame: Callable[[int], None]) -> None:
    """Write the mp4 `path`, or the first image if it ends in .png; `on_frame` receives the number of frames done.

    OutputError when it cannot be written.
    """
    with closing(images):
        if path.suffix.lower() == ".png":
            write_png(next(images)[0], path)
            on_frame(1)
            return
        with video_writer(path, fps) as writer:
            for image, time_s in images:
                writer.write(image, time_s)
                on_frame(writer.count)


class VideoWriter:
    """Writes RGB frames one by one; created by `video_writer`."""

    def __init__(self, container: OutputContainer, fps: float) -> None:
        self._container = container
        self._rate = Fraction(fps).limit_denominator(1001)  # 29.97... becomes 30000/1001
        # Ticks that represent the frames of a constant rate exactly and other times precisely enough.
        ticks_per_s = self._rate.numerator * math.ceil(_MIN_TICKS_PER_S / self._rate.numerator)
        self._tick = Fraction(1, ticks_per_s)
        self._stream: av.VideoStream | None = None
        self._last = -1
        self.count = 0

    def write(self, image: UInt8[ndarray, "height width 3"], time_s: float | None = None) -> None:
        """Append a frame with the time `time_s` (default: at the constant rate). All frames have the same size."""
        padded = _pad_to_even(image)
        if self._stream is None:
            self._stream = self._open_stream(padded.shape[1], padded.shape[0])
        time = self.count / self._rate if time_s is None else Fraction(time_s)
        frame = av.VideoFrame.from_ndarray(padded, format="rgb24").reformat(
            format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
        )
        self._last = frame.pts = max(round(time / self._tick), self._last + 1)
        frame.duration = round(1 / self._rate / self._tick)
        frame.time_base = self._tick
        self._container.mux(self._stream.encode(frame))
        self.count += 1

    def finish(self) -> None:
        """Flush the encoder."""
        if self._stream is None:
            raise OutputError("expected at least one frame for a video, got none")
        self._container.mux(self._stream.encode(None))

    def _open_stream(self, width: int, height: int) -> av.VideoStream:
        stream = self._container.add_stream("libx264", rate=self._rate, options=_X264)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        context = stream.codec_context
        context.time_base = self._tick
        context.color_range, context.colorspace = ColorRange.MPEG, Colorspace.ITU709
        context.color_primaries = context.color_trc = _BT709
        return stream


@contextmanager
def video_writer(path: str | Path, fps: float) -> Iterator[VideoWriter]:
    """A writer for the mp4 `path`, which is created only if the block succeeds.

    `fps` is the frame rate, or the typical one if frames have their own times. OutputError when the video cannot be
    written.
    """
    path = Path(path)
    with atomic_write(path) as partial:
        try:
            with av.open(str(partial), "w", format="mp4", options={"movflags": "+faststart"}) as container:
                writer = VideoWriter(container, fps)
                yield writer
                writer.finish()
        except FFmpegError as error:
            raise OutputError(
                f"{path}: the video could not be written ({error.strerror}); choose another --out"
            ) from None


def _pad_to_even(image: UInt8[ndarray, "height width 3"]) -> UInt8[ndarray, "even_height even_width 3"]:
    """Repeat the last row and column if needed, since H.264 stores colours in blocks of 2 x 2."""
    height, width = image.shape[:2]
    return np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge") if height % 2 or width % 2 else image
