"""The poses as a self-contained web page with a 3D player; y up, floor at 0.

Positions are whole millimetres (coarser only for scenes wider than 65 m), stored as in `_compressed.py`. Besides the
chosen poses the page contains the next best hypotheses as ghosts, the spread, and marks of doubtful poses; a video is
embedded or referenced by its path. Ten minutes at 30 fps with 3 people and 3 ghosts each take 30 MB.
"""

from __future__ import annotations

import base64
import json
import logging
import mimetypes
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from jaxtyping import Float, Shaped, UInt8, UInt16
from numpy import ndarray

from zedo_core.errors import InputError
from zedo_core.export._compressed import ABSENT, compress, compress_int16, round_to_int16
from zedo_core.export._tracks import over_frames
from zedo_core.export.webpage import page
from zedo_core.motions.timeline import DEFAULT_FPS
from zedo_core.motions.upright import Upright, upright
from zedo_core.skeleton import pelvis_joints
from zedo_core.source.record import find_recorded
from zedo_core.storage.files import atomic_write
from zedo_core.types import DOUBTFUL_M, Poses

SUFFIX = ".html"
UPRIGHT = True

GHOSTS = 3
EMBEDDED_BYTES = 32 * 2**20  # larger videos are referenced by their path

_PLAYED = (".mp4", ".m4v", ".mov", ".webm")
_MAX_PAGE = 2**28  # bytes of a page that is read for its video
_DATA_TAG, _VIDEO_TAG = '<script type="application/json" id="data">', '<script type="text/plain" id="video-data">'
_BASE64 = re.compile(r"[A-Za-z0-9+/=]*")

_PLAYER = Path(__file__).with_name("player")
_MM, _SPREAD_M = 0.001, 0.005
_ABSENT_ERROR, _UNKNOWN_SPREAD = 0xFFFF, 0xFF


_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class PageVideo:
    """A video shown next to the 3D view: embedded, or referenced by its path relative to the page.

    `content` is that of an embedded one in base64, if it comes from a page rather than from `file`.
    """

    file: Path
    embedded: bool
    path: str
    content: str = ""

    @property
    def type(self) -> str:
        """The media type; that of mp4 if the name has none of a video."""
        guess = mimetypes.guess_type(self.file.name)[0]
        return guess if guess is not None and guess.startswith("video/") else "video/mp4"


def write(poses: Poses, path: Path) -> None:
    """Write the page, with the video that was lifted, or else that of the page that it replaces.

    OutputError when it cannot be written.
    """
    video = recorded_video(poses, path, path.parent) or kept_video(poses, path)
    write_page(poses, path, video=video, title=None if video is None else video.file.name)


def write_page(
    poses: Poses, path: Path, *, ghosts: int = GHOSTS, video: PageVideo | None = None, title: str | None = None
) -> None:
    """Write the page with up to `ghosts` other hypotheses per person and frame and, if given, the source video.

    OutputError when it cannot be written, InputError without people or when the video cannot be read.
    """
    if not np.isfinite(poses.best).all(-1).any():
        raise InputError(f"{path}: expected at least one person, found none in {len(poses.frame_numbers)} frames")
    parts = {"video": _embedded(video) if video is not None and video.embedded else "", "media": _media(video)}
    content = page(_template(), title=title or path.stem, data=_data(poses, ghosts, video), parts=parts)
    with atomic_write(path) as partial:
        partial.write_bytes(content)


def page_video(file: Path, page_path: Path) -> PageVideo:
    """A video for a page at `page_path`, embedded up to `EMBEDDED_BYTES`; InputError when the file does not exist."""
    try:
        size = file.stat().st_size
        path = os.path.relpath(file.resolve(), page_path.resolve().parent)
    except (OSError, ValueError) as error:  # ValueError: on another drive
        raise InputError(f"{file}: expected a video, found '{error}'; check the path") from None
    if not file.is_file():
        raise InputError(f"{file}: expected a video, found no file; check the path")
    return PageVideo(file=file, embedded=size <= EMBEDDED_BYTES, path=quote(Path(path).as_posix()))


def recorded_video(poses: Poses, page_path: Path, folder: Path) -> PageVideo | None:
    """The video that a result in `folder` was lifted from, if it is still there, unchanged, and browsers play it."""
    record = poses.provenance.options.get("source")
    if not isinstance(record, dict) or record.get("kind") != "video":
        return None
    try:
        file = find_recorded(record, folder)
    except InputError as error:
        _log.warning("%s; the page goes without a video (see zedo view --video)", error)
        return None
    if file.suffix.lower() not in _PLAYED:
        _log.warning("%s: browsers play %s only; the page goes without a video", file, ", ".join(_PLAYED))
        return None
    return page_video(file, page_path)


def kept_video(poses: Poses, page_path: Path) -> PageVideo | None:
    """The video of an earlier page of the same input, told by its frames and their size; None if there is none."""
    earlier = _earlier(page_path)
    if earlier is None:
        return None
    data, content = earlier
    table, size = data.get("video"), list(_image_size(poses))
    if not isinstance(table, dict) or not all(isinstance(table.get(key), str) for key in ("name", "path")):
        return None
    if data.get("frames") != len(poses.frame_numbers) or data.get("intrinsics", [])[4:] != size:
        _log.warning("%s: the video of the page before, %s, has other frames and is left out", page_path, table["name"])
        return None
    _log.info("%s: keeps the video %s", page_path, table["name"])
    embedded = table.get("embedded") is True
    return PageVideo(file=Path(table["name"]), embedded=embedded, path=table["path"], content=content)


def forget_other_video(page_path: Path, name: str) -> None:
    """Remove a page with a video of another name, which a new page would keep."""
    earlier = _earlier(page_path)
    table = None if earlier is None else earlier[0].get("video")
    if isinstance(table, dict) and table.get("name") != name:
        page_path.unlink(missing_ok=True)
        _log.warning("%s: removed, the page of another input, %s", page_path, str(table.get("name"))[:80])


def _earlier(page_path: Path) -> tuple[dict[str, Any], str] | None:
    """The data and the embedded video of an existing page; None if there is none that can be read."""
    try:
        if page_path.stat().st_size > _MAX_PAGE:
            return None
        text = page_path.read_text(encoding="utf-8", errors="replace")
        data = json.loads(text.split(_DATA_TAG, 1)[1].split("</script>", 1)[0])
        content = text.split(_VIDEO_TAG, 1)[1].split("</script>", 1)[0]
    except (OSError, ValueError, IndexError, RecursionError):
        return None
    return (data, content) if isinstance(data, dict) and _BASE64.fullmatch(content) else None


def _template() -> str:
    """The page with its style and script inserted."""
    files = {name: (_PLAYER / name).read_text(encoding="utf-8") for name in ("page.html", "style.css")}
    script = "\n".join((_PLAYER / name).read_text(encoding="utf-8") for name in ("data.js", "scene.js", "controls.js"))
    return files["page.html"].replace("/*style*/", files["style.css"]).replace("/*script*/", script)


def _embedded(video: PageVideo) -> str:
    """The video's content in base64."""
    if video.content:
        return video.content
    try:
        return base64.b64encode(video.file.read_bytes()).decode("ascii")
    except OSError as error:
        raise InputError(f"{video.file}: cannot be read ({error.strerror}); check its permissions") from None


def _media(video: PageVideo | None) -> str:
    """The sources of media that the page may load."""
    if video is None:
        return ""
    return "blob:" if video.embedded else "'self' file:"


# Data for the page's script


def _data(poses: Poses, ghosts: int, video: PageVideo | None) -> dict[str, Any]:
    up = upright(poses)
    ghosts = min(ghosts, max(0, poses.hypotheses - 1))
    others = _ghosts(poses, up, ghosts)
    reach = max(np.nanmax(np.abs(points), initial=0.0) for points in (up.points, others))
    unit_m = _MM * max(1, int(np.ceil(reach / _MM / 32767)))
    skeleton = poses.skeleton
    size = _image_size(poses)
    pixel_unit = max(size) / 16000  # covers twice the image size on either side
    pixels = compress_int16(_Series(poses, round_to_int16(poses.projected(), pixel_unit), ABSENT)) if video else None
    blobs = {
        "chosen": compress_int16(_Series(poses, round_to_int16(up.points, unit_m), ABSENT)),
        "ghosts": compress_int16(_Series(poses, round_to_int16(others, unit_m), ABSENT)) if ghosts else None,
        "pixels": pixels,
        "spread": compress(_Series(poses, _spread(poses), _UNKNOWN_SPREAD)),
        "doubtful": compress(_Series(poses, poses.doubtful.astype(np.uint8), 0)),
        "filled": compress(_Series(poses, poses.filled.astype(np.uint8), 0)),
        "error": compress(_Series(poses, _error_mm(poses), _ABSENT_ERROR)),
        "times": compress([_times(poses).astype("<f4")]),
        "numbers": compress([poses.frame_numbers.astype("<i4")]),
        "camera": compress([_camera_transforms(up)]),
    }
    return {
        "frames": len(poses.frame_numbers),
        "unrelated": _are_unrelated(poses),
        "people": [{"id": track} for track in poses.track_ids.tolist()],
        "joints": [{"name": name, "side": skeleton.side(i)} for i, name in enumerate(skeleton.joints)],
        "bones": [list(edge) for edge in skeleton.edges],
        "root": pelvis_joints(skeleton),
        "ghosts": ghosts,
        "hypotheses": poses.hypotheses,
        "unit_m": unit_m,
        "pixel_unit": pixel_unit,
        "spread_unit_m": _SPREAD_M,
        "has_spread": bool(np.nanmax(poses.spread, initial=0.0) > 0),
        "frame_s": 1 / _rate(poses),
        "intrinsics": _intrinsics(poses, 0),
        "all_intrinsics": [_intrinsics(poses, t) for t in range(len(poses.cameras))]
        if len(poses.cameras) > 1
        else None,
        "video": video
        and {"embedded": video.embedded, "path": video.path, "name": video.file.name, "type": video.type},
        "doubt": f"expected error above {1000 * DOUBTFUL_M:.0f} mm, or unknown joints",
        "summary": _summary(poses),
        "facts": _facts(poses, up),
        "blobs": blobs,
    }


def _ghosts(poses: Poses, up: Upright, ghosts: int) -> Float[ndarray, "n g j 3"]:
    """The best hypotheses besides the chosen one, upright; those without a score come last."""
    cost = np.nan_to_num(-poses.score.astype(float), nan=np.finfo(float).max)
    cost[np.arange(len(poses)), poses.chosen] = np.inf
    order = np.argsort(cost, axis=1, kind="stable")[:, :ghosts]
    others = np.take_along_axis(poses.joints, order[..., None, None], axis=1)
    return up.transform(others.astype(float), poses.frame)


@dataclass(frozen=True)
class _Series:
    """Values of rows in the page's order: per track, each value over all frames; `absent` in frames without a row."""

    poses: Poses
    values: Shaped[ndarray, "n *d"]
    absent: Any

    def __iter__(self) -> Iterator[Shaped[ndarray, "*d t"]]:
        frame, frames = self.poses.frame, len(self.poses.frame_numbers)
        for _, rows in self.poses.tracks:
            yield np.moveaxis(over_frames(self.values[rows], frame[rows], frames, self.absent), 0, -1)


def _spread(poses: Poses) -> UInt8[ndarray, "n j"]:
    """The spread in steps of `_SPREAD_M`."""
    steps = np.round(poses.spread / _SPREAD_M)
    return np.where(np.isfinite(steps), np.clip(steps, 0, _UNKNOWN_SPREAD - 1), _UNKNOWN_SPREAD).astype(np.uint8)


def _error_mm(poses: Poses) -> UInt16[ndarray, " n"]:
    """The expected error in mm; 0 if it is unknown."""
    return np.clip(np.nan_to_num(1000 * poses.expected_error_m), 0, _ABSENT_ERROR - 1).round().astype("<u2")


def _times(poses: Poses) -> Float[ndarray, " t"]:
    """Times in the video in seconds; from the frame rate if they do not increase."""
    times = poses.times_s
    if times is not None and np.isfinite(times).all() and (np.diff(times) > 0).all():
        return times
    numbers = poses.frame_numbers
    grow = len(numbers) < 2 or (np.diff(numbers) > 0).all()
    return (numbers if grow else np.arange(len(numbers))) / _rate(poses)


def _rate(poses: Poses) -> float:
    """Frames per second; unrelated pictures are shown for a second each."""
    return poses.fps or (1.0 if _are_unrelated(poses) else DEFAULT_FPS)


def _are_unrelated(poses: Poses) -> bool:
    """Whether the frames are unrelated pictures, in which an id is not the same person."""
    record = poses.provenance.options.get("source")
    return isinstance(record, dict) and record.get("kind") == "folder" and not record.get("sequence")


def _camera_transforms(up: Upright) -> ndarray:
    """(c, 12): rotation in row-major order and position of the camera in the page's world, once if it does not move."""
    rows = np.concatenate([up.R_up_from_cam.reshape(-1, 9), up.t_up_from_cam], axis=1).astype("<f4")
    return rows[:1] if (rows == rows[0]).all() else rows


def _image_size(poses: Poses, t: int = 0) -> tuple[int, int]:
    """(width, height) in px of a frame; estimated from the principal point if unknown."""
    camera = poses.camera(t)
    return camera.size or (max(1, round(2 * camera.cx)), max(1, round(2 * camera.cy)))


def _intrinsics(poses: Poses, t: int) -> list[float]:
    camera = poses.camera(t)
    return [camera.fx, camera.fy, camera.cx, camera.cy, *_image_size(poses, t)]


def _summary(poses: Poses) -> str:
    frames, people = len(poses.frame_numbers), len(poses.track_ids)
    if _are_unrelated(poses):
        return f"{_count(frames, 'picture')} · {_count(len(poses), 'pose')}"
    rate = f" at {poses.fps:.4g} fps" if poses.fps else ""
    return f"{_count(frames, 'frame')}{rate} · {'1 person' if people == 1 else f'{people} people'}"


def _facts(poses: Poses, up: Upright) -> list[list[str]]:
    """Labels and values of the information panel."""
    camera, origin = poses.camera(0), poses.provenance
    return [
        ["frames", _summary(poses)],
        ["doubtful", f"{poses.doubtful.sum()} of {_count(len(poses), 'pose')}"],
        ["interpolated in gaps", str(poses.filled.sum())],
        ["up", up.source],
        ["camera", f"f = {camera.fx:.0f} px, {camera.source}"],
        ["method", " ".join(filter(None, (origin.method, origin.weights, origin.version)))],
    ]


def _count(number: int, name: str) -> str:
    return f"{number} {name}{'' if number == 1 else 's'}"
