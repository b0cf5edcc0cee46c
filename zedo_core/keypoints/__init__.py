"""2D keypoints of people from files of any known format, detected from content.

Every module here with `FORM`, `reads(source)` and `read(source)` is a format (see `_source.Format`); a new format is a
new file.
"""

from __future__ import annotations

import math
import pkgutil
from dataclasses import replace
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import cast

import numpy as np

from zedo_core.errors import FormatError, InputError
from zedo_core.keypoints._kinds import check_kind, nearest
from zedo_core.keypoints._source import (
    STDIN,
    Format,
    is_label,
    is_table,
    open_source,
    read_head,
    split_part,
)
from zedo_core.keypoints.results import write_keypoints
from zedo_core.skeleton import Skeleton
from zedo_core.skeleton.files import find_skeleton
from zedo_core.storage.files import MAX_PIXELS
from zedo_core.types import FRAME_RATES, Keypoints

_MAX_DURATION_S = 1e13  # longer videos exceed the range of their timestamps

__all__ = ["STDIN", "check_image_size", "formats", "holds_keypoints", "read_keypoints", "split_part", "write_keypoints"]


def read_keypoints(
    path: str | Path,
    *,
    image_size: tuple[int, int] | None = None,
    fps: float | None = None,
    picture_size: tuple[int, int] | None = None,
    skeleton: str | Skeleton | None = None,
) -> Keypoints:
    """Read the tracks of people from a file or folder; FormatError when it is not in a known format.

    `path` may be `-` for standard input, FILE:CLIP for one clip of a file with several, or FOLDER:PATTERN for one
    sequence of a folder with several. `image_size` (width, height) in pixels and `fps` take precedence over those of
    the file. `picture_size` is that of the pictures that the keypoints belong to: it is only used to scale normalised
    coordinates. `skeleton` is the joint set, by name or from a JSON file, where the file does not say it.
    """
    check_image_size(image_size)
    if fps is not None and not (math.isfinite(fps) and fps > 0):
        raise InputError(f"expected a frame rate above 0, got {fps:g}")
    wanted = find_skeleton(skeleton) if isinstance(skeleton, str) else skeleton
    keypoints = _read(Path(path), image_size or picture_size, wanted)
    if wanted is not None:
        keypoints = _in_order_of(wanted, keypoints, path)
    if image_size is not None:
        keypoints = replace(keypoints, image_sizes=(tuple(image_size),))
    if fps is not None and fps != keypoints.fps:
        keypoints = replace(keypoints, fps=float(fps), times_s=None)
    _check_extent(path, keypoints)
    return keypoints


def check_image_size(size: tuple[int, int] | None) -> None:
    """InputError for a size (width, height) in pixels that no picture has."""
    if size is not None and (min(size) < 1 or math.prod(size) > MAX_PIXELS):
        raise InputError(f"expected an image size (width, height) up to {MAX_PIXELS / 1e6:g} megapixels, got {size}")


def _in_order_of(skeleton: Skeleton, keypoints: Keypoints, path: str | Path) -> Keypoints:
    """The same joints as those of another set of the same size; FormatError when the number differs."""
    if len(skeleton) != len(keypoints.skeleton):
        raise FormatError(
            f"{path}: expected {len(skeleton)} joints for {skeleton.name} (--skeleton), found "
            f"{len(keypoints.skeleton)} of {keypoints.skeleton.name}"
        )
    return replace(keypoints, skeleton=skeleton)


def _check_extent(path: str | Path, keypoints: Keypoints) -> None:
    """FormatError for an implausible rate, duration or picture size, for which others would allocate memory."""
    fps, times_s, numbers = keypoints.fps, keypoints.times_s, keypoints.frame_numbers
    if times_s is not None and len(times_s) > 1 and np.ptp(times_s) > 0:
        fps = (len(times_s) - 1) / float(np.ptp(times_s))
    if fps is not None and not FRAME_RATES[0] <= fps <= FRAME_RATES[1]:
        raise FormatError(
            f"{path}: expected {FRAME_RATES[0]:g} to {FRAME_RATES[1]:g} frames per second, found {fps:g}; correct the "
            "rate, or the times in seconds"
        )
    if len(numbers):
        duration_s = np.ptp(times_s) if times_s is not None else (int(numbers[-1]) - int(numbers[0])) / (fps or 1.0)
        if duration_s > _MAX_DURATION_S:
            raise FormatError(
                f"{path}: expected frames within {_MAX_DURATION_S:g} s, found a span of {duration_s:.3g} s; split the "
                "file"
            )
    if keypoints.image_sizes:  # the canvas on which all of them are drawn
        width, height = (max(sides) for sides in zip(*keypoints.image_sizes, strict=True))
        if width * height > MAX_PIXELS:
            limit = f"{MAX_PIXELS / 1e6:g} megapixels"
            raise FormatError(f"{path}: expected pictures up to {limit}, found {width}x{height}; give --image-size")


def holds_keypoints(path: Path) -> bool:
    """Whether an input contains keypoints, judged by its beginning: JSON, arrays, a table, HDF5, txt, or a folder.

    A folder contains keypoints when it has JSON files and no pictures, or only txt files, some of them labels.
    InputError when the path is missing or cannot be read; FormatError for files of other kinds, such as motion capture
    and calibrations, and for folders that only hold folders.
    """
    path, _ = split_part(path)
    if path == STDIN:
        return True
    try:
        if path.is_dir():
            return _folder_holds_keypoints(path, [file for file in path.iterdir() if file.name[0] != "."])
        with open(path, "rb") as file:
            head = file.read(256).lstrip(b"\xef\xbb\xbf \t\r\n")
        check_kind(path, head)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; expected an image, a video, a folder or keypoints") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    known = head.startswith((b"{", b"[", b"PK\x03\x04", b"\x89HDF", b"\x93NUMPY"))
    return known or is_label(head) or is_table(path, head)


def _folder_holds_keypoints(path: Path, files: list[Path]) -> bool:
    if files and all(file.is_dir() for file in files):
        names = ", ".join(file.name for file in sorted(files)[:6]) + (", ..." if len(files) > 6 else "")
        raise FormatError(
            f"{path}: expected a folder of pictures or keypoints, found the folders {names}; give them one by one, "
            f"each of them is a sequence, as {path / sorted(files)[0].name}"
        )
    suffixes = {file.suffix.lower() for file in files}
    if suffixes == {".txt"}:
        return any(is_label(read_head(file)) for file in files if file.is_file())
    return ".json" in suffixes and suffixes.isdisjoint({".jpg", ".jpeg", ".png"})


def _read(path: Path, image_size: tuple[int, int] | None, skeleton: Skeleton | None) -> Keypoints:
    source = open_source(path, image_size, skeleton)
    format = next((format for format in formats().values() if format.reads(source)), None)
    if source.part is not None and not source.files and not source.labels and not getattr(format, "PARTS", False):
        raise FormatError(f"{source.path}: contains only one clip, found ':{source.part}' after its name; drop that")
    if format is not None:
        return format.read(source)
    known = ", ".join(format.FORM.partition(",")[0] for format in formats().values())
    raise FormatError(
        f"{source.path}: expected keypoints in a known format, found {source.description}{nearest(source)}; known: "
        f"{known}"
    )


@cache
def formats() -> dict[str, Format]:
    """The formats by module name, in the order in which they are asked."""
    modules = {info.name: import_module(f"{__name__}.{info.name}") for info in pkgutil.iter_modules(__path__)}
    found = {name: cast(Format, module) for name, module in modules.items() if hasattr(module, "FORM")}
    return dict(sorted(found.items(), key=lambda item: hasattr(item[1], "LAST")))
