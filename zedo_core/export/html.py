"""The poses as one web page with a 3D player, which needs no network; y up, floor at 0.

Positions are whole millimetres (coarser only for scenes wider than 65 m) in `_packed.py`'s form. Beside the chosen
poses the page holds the next best hypotheses as ghosts, the spread, and what is not to be trusted; a video is put into
the page or named by its path. A page of ten minutes at 30 frames a second with 3 people and 3 ghosts each has 30 MB.
"""

from __future__ import annotations

import base64
import mimetypes
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from jaxtyping import Float, Int, Shaped, UInt8
from numpy import ndarray

from zedo_core.errors import InputError
from zedo_core.export._compressed import ABSENT, compressed, compressed16, rounded16
from zedo_core.export.webpage import page
from zedo_core.motions.upright import Upright, upright
from zedo_core.packed import of_tracks, packed
from zedo_core.skeleton import pelvis_joints
from zedo_core.storage.files import written_whole
from zedo_core.types import DOUBTFUL_M, Poses

SUFFIX = ".html"
UPRIGHT = True

GHOSTS = 3
EMBEDDED_BYTES = 32 * 2**20  # a larger video stays beside the page

_PLAYER = Path(__file__).with_name("player")
_MM, _SPREAD_M = 0.001, 0.005
_NOBODY, _UNKNOWN = 0xFFFF, 0xFF
_ASSUMED_FPS = 30.0


@dataclass(frozen=True, kw_only=True)
class Film:
    """A video beside the 3D: inside the page, or by its path as the page sees it."""

    file: Path
    embedded: bool
    path: str

    @property
    def type(self) -> str:
        """The media type, of mp4 when the name says none."""
        found = mimetypes.guess_type(self.file.name)[0]
        return found if found is not None and found.startswith("video/") else "video/mp4"


def write(poses: Poses, path: Path) -> None:
    """Write the page; OutputError when the place cannot be written to, InputError when nobody appears."""
    write_page(poses, path)


def write_page(
    poses: Poses, path: Path, *, ghosts: int = GHOSTS, film: Film | None = None, title: str | None = None
) -> None:
    """Write the page with up to `ghosts` other hypotheses per person and frame and, if given, the video they are of.

    OutputError when the place cannot be written to, InputError when nobody appears or the video cannot be read.
    """
    poses = packed(poses)
    if not np.isfinite(poses.best).all(-1).any():
        raise InputError(f"{path}: expected at least one person, found nobody in {len(poses.frame_numbers)} frames")
    parts = {"film": _film_text(film) if film is not None and film.embedded else "", "media": _media(film)}
    made = page(_template(), title=title or path.stem, data=_data(poses, ghosts, film), parts=parts)
    with written_whole(path) as partial:
        partial.write_bytes(made)


def film_of(video: Path, page_path: Path) -> Film:
    """How a page at `page_path` shows a video: inside it up to `EMBEDDED_BYTES`; InputError when it is not there."""
    try:
        size = video.stat().st_size
        where = os.path.relpath(video.resolve(), page_path.resolve().parent)
    except (OSError, ValueError) as error:  # ValueError: on another drive
        raise InputError(f"{video}: expected a video, found '{error}'; check the path") from None
    if not video.is_file():
        raise InputError(f"{video}: expected a video, found no file; check the path")
    return Film(file=video, embedded=size <= EMBEDDED_BYTES, path=quote(Path(where).as_posix()))


def _template() -> str:
    """The page with its style and its script in place."""
    read = {name: (_PLAYER / name).read_text(encoding="utf-8") for name in ("page.html", "style.css")}
    script = "\n".join((_PLAYER / name).read_text(encoding="utf-8") for name in ("data.js", "scene.js", "controls.js"))
    return read["page.html"].replace("/*style*/", read["style.css"]).replace("/*script*/", script)


def _film_text(film: Film) -> str:
    try:
        return base64.b64encode(film.file.read_bytes()).decode("ascii")
    except OSError as error:
        raise InputError(f"{film.file}: cannot be read ({error.strerror}); check its rights") from None


def _media(film: Film | None) -> str:
    if film is None:
        return ""
    return "blob:" if film.embedded else "'self' file:"


# What the page's script reads


def _data(poses: Poses, ghosts: int, film: Film | None) -> dict[str, Any]:
    found = upright(poses)
    ghosts = min(ghosts, max(0, poses.joints.shape[2] - 1))
    others = _others(poses, found, ghosts)
    reach = max(np.nanmax(np.abs(points), initial=0.0) for points in (found.points, others))
    unit_m = _MM * max(1, int(np.ceil(reach / _MM / 32767)))
    skeleton = poses.skeleton
    size = _picture_size(poses)
    pixel_unit = max(size) / 16000  # twice the picture on either side
    blobs = {
        "chosen": compressed16(_Series(poses, rounded16(found.points, unit_m), ABSENT)),
        "ghosts": compressed16(_Series(poses, rounded16(others, unit_m), ABSENT)) if ghosts else None,
        "pixels": compressed16(_Series(poses, rounded16(_pixels(poses), pixel_unit), ABSENT)) if film else None,
        "spread": compressed(_Series(poses, _spread(poses), _UNKNOWN)),
        "doubtful": compressed(_Series(poses, poses.doubtful.astype(np.uint8), 0)),
        "filled": compressed(_Series(poses, poses.is_filled.astype(np.uint8), 0)),
        "error": compressed(_Series(poses, _error_mm(poses), _NOBODY)),
        "times": compressed([_times(poses).astype("<f4")]),
        "numbers": compressed([poses.frame_numbers.astype("<i4")]),
        "camera": compressed([_camera_places(found)]),
    }
    return {
        "frames": len(poses.frame_numbers),
        "people": [{"id": int(track)} for track in poses.track_ids],
        "joints": [{"name": name, "side": skeleton.side(i)} for i, name in enumerate(skeleton.joints)],
        "bones": [list(edge) for edge in skeleton.edges],
        "root": pelvis_joints(skeleton),
        "ghosts": ghosts,
        "hypotheses": poses.joints.shape[2],
        "unit_m": unit_m,
        "pixel_unit": pixel_unit,
        "spread_unit_m": _SPREAD_M,
        "has_spread": bool(np.nanmax(poses.spread, initial=0.0) > 0),
        "frame_s": 1 / (poses.fps or _ASSUMED_FPS),
        "intrinsics": _intrinsics(poses, size),
        "film": film and {"embedded": film.embedded, "path": film.path, "name": film.file.name, "type": film.type},
        "doubt": f"expected error above {1000 * DOUBTFUL_M:.0f} mm, or joints that are not known",
        "summary": _summary(poses),
        "facts": _facts(poses, found),
        "blobs": blobs,
    }


def _others(poses: Poses, found: Upright, ghosts: int) -> Float[ndarray, "t p g j 3"]:
    """The best of the hypotheses that were not chosen, upright; NaN where there are fewer."""
    score = np.where(np.isfinite(poses.score), poses.score, -np.inf).astype(float)
    np.put_along_axis(score, np.maximum(poses.chosen, 0)[..., None], -np.inf, axis=2)
    order = np.argsort(-score, axis=2, kind="stable")[..., :ghosts]
    joints = np.take_along_axis(poses.joints, order[..., None, None], axis=2)
    known = np.take_along_axis(score, order, axis=2) > -np.inf
    return found.turned(np.where(known[..., None, None], joints, np.nan).astype(float))


def _pixels(poses: Poses) -> Float[ndarray, "t p j 2"]:
    return np.stack([poses.camera(t).project(people) for t, people in enumerate(poses.best)])


@dataclass(frozen=True)
class _Series:
    """An array of the page: track by track, all frames of a number one after the other; `absent` where nobody is."""

    poses: Poses
    array: Shaped[ndarray, "t p *n"]
    absent: Any

    def __iter__(self) -> Iterator[Shaped[ndarray, "*n t"]]:
        return (np.moveaxis(track, 0, -1) for track in of_tracks(self.poses, self.array, self.absent))


def _spread(poses: Poses) -> UInt8[ndarray, "t p j"]:
    """In steps of `_SPREAD_M`."""
    steps = np.round(poses.spread / _SPREAD_M)
    return np.where(np.isfinite(steps), np.clip(steps, 0, _UNKNOWN - 1), _UNKNOWN).astype(np.uint8)


def _error_mm(poses: Poses) -> ndarray:
    """(t, p); who is there without an expected error has 0."""
    error = np.clip(np.nan_to_num(1000 * poses.expected_error_m), 0, _NOBODY - 1)
    return np.where(poses.present, np.round(error), _NOBODY).astype("<u2")


def _times(poses: Poses) -> Float[ndarray, " t"]:
    """Seconds in the video; those that do not grow are replaced by the frame rate's."""
    times = poses.times_s
    if times is not None and np.isfinite(times).all() and (np.diff(times) > 0).all():
        return times
    numbers = poses.frame_numbers
    grow = len(numbers) < 2 or (np.diff(numbers) > 0).all()
    return (numbers if grow else np.arange(len(numbers))) / (poses.fps or _ASSUMED_FPS)


def _camera_places(found: Upright) -> ndarray:
    """(c, 12): rotation by rows and place of the camera in the page's world, once if it stands still."""
    rows = np.concatenate([found.R_up_from_cam.reshape(-1, 9), found.t_up_from_cam], axis=1).astype("<f4")
    return rows[:1] if (rows == rows[0]).all() else rows


def _picture_size(poses: Poses) -> tuple[int, int]:
    """(width, height) in px; what the camera's centre hints at where it is not known."""
    camera = poses.camera(0)
    return camera.size or (max(1, round(2 * camera.cx)), max(1, round(2 * camera.cy)))


def _intrinsics(poses: Poses, size: tuple[int, int]) -> list[float]:
    camera = poses.camera(0)
    return [camera.fx, camera.fy, camera.cx, camera.cy, *size]


def _summary(poses: Poses) -> str:
    assert poses.who is not None
    frames, people = len(poses.frame_numbers), len(np.unique(poses.who[poses.present]))
    rate = f" at {poses.fps:.4g} frames a second" if poses.fps else ""
    return f"{_counted(frames, 'frame')}{rate} · {'1 person' if people == 1 else f'{people} people'}"


def _facts(poses: Poses, found: Upright) -> list[list[str]]:
    """Labels and texts of the panel."""
    camera, made_by = poses.camera(0), poses.provenance
    unsure: Int[ndarray, ""] = poses.doubtful.sum()
    return [
        ["frames", _summary(poses)],
        ["not to be trusted", f"{unsure} of {_counted(int(poses.present.sum()), 'pose')}"],
        ["made up in gaps", str(poses.is_filled.sum())],
        ["up", found.source],
        ["camera", f"f = {camera.fx:.0f} px, {camera.source}"],
        ["method", " ".join(filter(None, (made_by.method, made_by.weights, made_by.version)))],
    ]


def _counted(number: int, name: str) -> str:
    return f"{number} {name}{'' if number == 1 else 's'}"
