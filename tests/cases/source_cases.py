"""Pictures with a colour in each quadrant, and videos of them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

RED, GREEN, BLUE, WHITE = (230, 20, 20), (20, 200, 20), (20, 20, 230), (240, 240, 240)


def quadrants(width: int = 64, height: int = 48) -> np.ndarray:
    """Red top left, green top right, blue bottom left, white bottom right."""
    image = np.empty((height, width, 3), np.uint8)
    top, left = slice(height // 2), slice(width // 2)
    bottom, right = slice(height // 2, None), slice(width // 2, None)
    image[top, left], image[top, right], image[bottom, left], image[bottom, right] = RED, GREEN, BLUE, WHITE
    return image


def assert_quadrants(image: np.ndarray, expected: tuple, tolerance: int = 25) -> None:
    """Check the colours at the centres of the quadrants, in reading order; the tolerance is for lossy compression."""
    height, width = image.shape[:2]
    centres = [(height * v // 4, width * u // 4) for v in (1, 3) for u in (1, 3)]
    found = np.array([image[centre] for centre in centres], int)
    assert np.abs(found - np.array(expected)).max() <= tolerance, found


def write_video(
    path: Path, times_s=None, rotation: int | None = None, hflip: bool = False, count: int = 10, ratio: str = ""
) -> Path:
    tick = Fraction(1, 90000)
    times_s = [i / 30 for i in range(count)] if times_s is None else times_s
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=30, options={"bf": "0", "g": "5"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = tick
        if ratio:
            stream.codec_context.sample_aspect_ratio = stream.sample_aspect_ratio = Fraction(ratio)
        if rotation is not None:
            stream.set_display_rotation(rotation, hflip=hflip)
        noise = np.random.default_rng(0).integers(-15, 16, (len(times_s), 48, 64, 3))
        for time_s, grain in zip(times_s, noise, strict=True):
            image = np.clip(quadrants() + grain, 0, 255).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = round(time_s / tick), tick
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
