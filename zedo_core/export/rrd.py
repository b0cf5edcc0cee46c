"""The chosen poses as a recording of Rerun: metres, y up, floor at 0; all people in one file, with the camera.

Written by rerun-sdk, an optional extra. Every person is an entity `world/person3` of named and connected points; who
is absent has no points in that frame. The timelines are `frame`, the frames' numbers, and `time`.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy import ndarray

from zedo_core.errors import InputError, MissingExtraError
from zedo_core.motions.upright import Upright, upright
from zedo_core.packed import unpacked
from zedo_core.storage.files import written_whole
from zedo_core.types import Poses

SUFFIX = ".rrd"
UPRIGHT = True

_RADIUS_M = 0.02
_ASSUMED_FPS = 30.0


def require() -> ModuleType:
    """rerun; MissingExtraError when it is not installed."""
    try:
        import rerun  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise MissingExtraError(
            "rrd: expected the package rerun-sdk, which is not installed; install it with pip install 'zedo[rerun]'"
        ) from None
    return rerun


def write(poses: Poses, path: Path) -> None:
    """Write the recording; OutputError when the place cannot be written to, InputError when nobody appears."""
    rerun = require()
    poses = unpacked(poses)
    found = upright(poses)
    seen = np.flatnonzero(np.any(np.isfinite(found.points).all(-1), axis=(0, 2)))
    if not len(seen):
        raise InputError(f"{path}: expected at least one person, found nobody in {len(poses.frame_numbers)} frames")
    with written_whole(path) as partial:
        recording = rerun.RecordingStream("zedo")
        try:
            recording.save(str(partial))
            _log_room(rerun, recording, poses, found)
            for p in seen.tolist():
                _log_person(rerun, recording, poses, found.points[:, p], p)
        finally:
            recording.disconnect()  # writes what is still held


def _log_room(rerun: Any, recording: Any, poses: Poses, found: Upright) -> None:
    """The axes, the joints' names and bones, where up came from, and the camera."""
    skeleton = poses.skeleton
    people = [
        rerun.ClassDescription(
            info=rerun.AnnotationInfo(id=p, label=f"person {track}"),
            keypoint_annotations=[rerun.AnnotationInfo(id=j, label=name) for j, name in enumerate(skeleton.joints)],
            keypoint_connections=list(skeleton.edges),
        )
        for p, track in enumerate(poses.track_ids.tolist())
    ]
    recording.log("world", rerun.ViewCoordinates.RIGHT_HAND_Y_UP, static=True)
    recording.log("world", rerun.AnnotationContext(people), static=True)
    recording.log("up", rerun.TextDocument(f"up: {found.source}"), static=True)
    camera = poses.camera(0)
    pinhole = rerun.Pinhole(
        image_from_camera=camera.matrix, resolution=camera.size, camera_xyz=rerun.ViewCoordinates.RDF
    )
    recording.log("world/camera", pinhole, static=True)
    moves = bool((found.R_up_from_cam != found.R_up_from_cam[0]).any() or np.ptp(found.t_up_from_cam, axis=0).any())
    for t in range(len(found.R_up_from_cam) if moves else 1):
        if moves:
            recording.set_time("frame", sequence=int(poses.frame_numbers[t]))
            recording.set_time("time", duration=float(_times(poses)[t]))
        place = rerun.Transform3D(translation=found.t_up_from_cam[t], mat3x3=found.R_up_from_cam[t])
        recording.log("world/camera", place, static=not moves)


def _log_person(rerun: Any, recording: Any, poses: Poses, points: ndarray, p: int) -> None:
    """All frames of a person (t, j, 3) at once."""
    known = np.isfinite(points).all(-1)
    _, joints = np.nonzero(known)
    columns = rerun.Points3D.columns(
        positions=points[known].astype(np.float32),
        keypoint_ids=joints.astype(np.uint16),
        class_ids=np.full(len(joints), p, dtype=np.uint16),
        radii=np.full(len(joints), _RADIUS_M, dtype=np.float32),
    )
    times = [
        rerun.TimeColumn("frame", sequence=poses.frame_numbers),
        rerun.TimeColumn("time", duration=_times(poses)),
    ]
    entity = f"world/person{poses.track_ids[p]}"
    rerun.send_columns(entity, indexes=times, columns=columns.partition(known.sum(1)), recording=recording)


def _times(poses: Poses) -> ndarray:
    """Seconds; by the frame rate where they are not known."""
    if poses.times_s is not None and np.isfinite(poses.times_s).all():
        return poses.times_s
    return poses.frame_numbers / (poses.fps or _ASSUMED_FPS)
