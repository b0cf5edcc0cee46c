"""Pictures, videos, folders of pictures and cameras as sources of upright RGB frames.

A source may be read more than once and uses constant memory: `for frame in open_source(path)`.
"""

from __future__ import annotations

from pathlib import Path

from zedo_core.errors import FormatError, InputError
from zedo_core.source._source import Source
from zedo_core.source.ahead import ahead
from zedo_core.source.arrays import open_arrays
from zedo_core.source.capture import open_live
from zedo_core.source.cut import WHOLE, Cut
from zedo_core.source.pictures import open_folder, open_picture
from zedo_core.source.videos import open_video

__all__ = ["Source", "ahead", "open_arrays", "open_live", "open_source"]


def open_source(path: str | Path, cut: Cut = WHOLE, sequence: bool | None = None) -> Source:
    """Open a picture, a video or a folder of pictures, detected from its content; yields only the frames in `cut`.

    `time_s` of a frame is its presentation time in a video, 0 for a picture, and NaN in a folder, where it is unknown;
    numbers and times are those of the whole input. `sequence` says whether the pictures of a folder are the frames of
    one recording; None takes pictures of one size for that whose names differ in a number only (`frame_0001.jpg`), and
    that no camera wrote EXIF data into. InputError when there is no such file or no frame in the cut,
    FormatError when the file cannot be read; damage after the header is reported during iteration. In a folder, damaged
    pictures are left out with a warning.
    """
    path = Path(path)
    try:
        if path.is_dir():
            return open_folder(path, cut, sequence)
        if not path.is_file():
            raise InputError(
                f"{path}: expected a picture, a video or a folder of pictures, found nothing; check the path"
            )
        if path.stat().st_size == 0:
            raise FormatError(f"{path}: expected a picture or a video, found an empty file; copy it again")
        return open_picture(path, cut) or open_video(path, cut)
    except (OSError, ValueError) as error:
        raise FormatError(
            f"{path}: expected a readable file or folder, found '{error}'; check the path and its permissions"
        ) from None
