"""Pictures in memory as a source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from zedo_core.errors import InputError
from zedo_core.source._source import Source
from zedo_core.types import Frame

Images = UInt8[ndarray, "height width 3"] | UInt8[ndarray, "frame height width 3"] | Sequence[Any]


def open_arrays(images: Images, fps: float | None = None) -> Source:
    """One RGB picture, or the frames of a recording in order: a list or an array of pictures.

    With `fps`, frames have times. InputError unless every picture is an array (height, width, 3) of bytes.
    """
    frames = [images] if isinstance(images, ndarray) and images.ndim == 3 else images
    if not isinstance(frames, ndarray | Sequence) or isinstance(frames, str | bytes) or not len(frames):
        raise InputError(f"expected pictures as a list or an array of frames, got {type(images).__name__}")
    for number, image in enumerate(frames):
        _check(image, number)
    sizes = {(image.shape[1], image.shape[0]) for image in frames}

    def read() -> Iterator[Frame]:
        for number, image in enumerate(frames):
            yield Frame(image=image, number=number, time_s=number / fps if fps else float("nan"))

    return Source(
        path=Path("frames"),
        kind="arrays",
        size=sizes.pop() if len(sizes) == 1 else None,
        count=len(frames),
        sequence=len(frames) > 1 and not sizes,
        fps=fps,
        read=read,
    )


def _check(image: Any, number: int) -> None:
    found = f"{image.dtype} {image.shape}" if isinstance(image, ndarray) else type(image).__name__
    if not (isinstance(image, ndarray) and image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3):
        raise InputError(f"frame {number}: expected an RGB picture, uint8 (height, width, 3), got {found}")
