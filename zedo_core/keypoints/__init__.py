"""2D keypoints of people from files of any known format, told by content.

Every module here with `FORM`, `reads(source)` and `read(source)` is a format (see `_source.Format`); a new one is one
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

from zedo_core.errors import FormatError, InputError
from zedo_core.keypoints._source import Format, open_source
from zedo_core.keypoints.results import write_keypoints
from zedo_core.types import Keypoints

_MAX_PIXELS = 178_000_000  # as for pictures

__all__ = ["formats", "read_keypoints", "write_keypoints"]


def read_keypoints(
    path: str | Path, *, image_size: tuple[int, int] | None = None, fps: float | None = None
) -> Keypoints:
    """Tracks of people from a file or folder; FormatError, in one line, for anything that is not understood.

    `image_size` (width, height) in pixels and `fps` say what the file does not, and win over what it does.
    """
    if image_size is not None and (min(image_size) < 1 or math.prod(image_size) > _MAX_PIXELS):
        raise InputError(
            f"expected an image size (width, height) up to {_MAX_PIXELS / 1e6:g} megapixels, got {image_size}"
        )
    if fps is not None and not (math.isfinite(fps) and fps > 0):
        raise InputError(f"expected a frame rate above 0, got {fps:g}")
    keypoints = _read(Path(path))
    if image_size is not None:
        keypoints = replace(keypoints, image_sizes=(tuple(image_size),))
    if fps is not None and fps != keypoints.fps:
        keypoints = replace(keypoints, fps=float(fps), times_s=None)
    return keypoints


def _read(path: Path) -> Keypoints:
    source = open_source(path)
    for form in formats().values():
        if form.reads(source):
            return form.read(source)
    known = "; ".join(form.FORM for form in formats().values())
    raise FormatError(f"{path}: found {source.found}, expected keypoints in a known format: {known}")


@cache
def formats() -> dict[str, Format]:
    """The formats by the name of their module."""
    modules = {info.name: import_module(f"{__name__}.{info.name}") for info in pkgutil.iter_modules(__path__)}
    return {name: cast(Format, module) for name, module in modules.items() if hasattr(module, "FORM")}
