"""What every kind of input becomes."""

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
    """Pictures that could not be read, by name, and why; each is told once, however often it is come across."""

    def note(self, name: str, reason: str) -> None:
        """Remember and tell."""
        if name not in self:
            _log.warning("%s; it is left out", reason)
        self[name] = reason


@dataclass(frozen=True, kw_only=True)
class Source:
    """Frames of one picture, video, folder or camera; iterate over it as often as needed.

    `size` is (width, height) in pixels after turning upright, None when the pictures of a folder
    differ; `count` is an estimate for progress bars; `sequence` says that the frames belong to one
    recording: a video, or a folder whose pictures all have one size. `fps` is that of the input,
    whatever `cut` leaves out; `cameras` are those that pictures themselves tell of (EXIF), by frame
    number; `damaged` fills while it is iterated over.
    """

    path: Path
    kind: Literal["image", "video", "folder", "camera"]
    size: tuple[int, int] | None
    count: int | None
    sequence: bool
    fps: float | None = None
    cut: Cut = WHOLE
    cameras: Mapping[int, Camera] = field(default_factory=dict)
    damaged: Damaged = field(default_factory=Damaged, compare=False)
    files: tuple[Path, ...] = ()  # of a folder
    read: Callable[[], Iterator[Frame]] = field(repr=False, compare=False)

    def __iter__(self) -> Iterator[Frame]:
        return self.read()
