"""The common type of all inputs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from zedo_core.camera import Camera
from zedo_core.source.cut import WHOLE, Cut
from zedo_core.types import Frame

_log = logging.getLogger(__name__)


class Damaged(dict[str, str]):
    """Pictures that could not be read: the reason by name. Each is logged once, even if the source is read again."""

    def add(self, name: str, reason: str) -> None:
        """Add a picture, and log a warning the first time."""
        if name not in self:
            _log.warning("%s; it is left out", reason)
        self[name] = reason


@dataclass(frozen=True, kw_only=True)
class Source:
    """The frames of a picture, video, folder or camera; may be iterated over more than once.

    `size` is the upright (width, height) in pixels, None when the pictures of a folder differ; `count` is an estimate
    for progress bars; `sequence` tells whether the frames belong to one recording: a video, or a folder of
    frames (see `open_source`). `stored_size` is that of a video's pictures before their pixels were made square, None
    if they were. `fps` is that of the whole input, regardless of `cut`; `cameras` come from the pictures' EXIF data, by
    frame number; `damaged` is filled during iteration.
    """

    path: Path
    kind: Literal["image", "video", "folder", "camera", "arrays"]
    size: tuple[int, int] | None
    count: int | None
    sequence: bool
    stored_size: tuple[int, int] | None = None
    fps: float | None = None
    cut: Cut = WHOLE
    cameras: Mapping[int, Camera] = field(default_factory=dict)
    damaged: Damaged = field(default_factory=Damaged, compare=False)
    files: tuple[Path, ...] = ()  # of a folder
    read: Callable[[], Iterator[Frame]] = field(repr=False, compare=False)

    def __iter__(self) -> Iterator[Frame]:
        return self.read()
