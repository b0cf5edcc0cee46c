"""The chosen poses as a Rerun recording: metres, y up, floor at 0; all people in one file, with the camera.

Uses rerun-sdk, an optional extra. Every person is an entity `world/person3` of named and connected points, without
points in frames where the person is absent. The timelines are `frame`, the frame numbers, and `time`.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from zedo_core.errors import InputError, MissingExtraError
from zedo_core.export._tracks import over_frames
from zedo_core.motions.timeline import DEFAULT_FPS
from zedo_core.motions.upright import Upright, upright
from zedo_core.storage.files import atomic_write
from zedo_core.types import Poses

SUFFIX = ".rrd"
UPRIGHT = True

_RADIUS_M = 0.02


def require() -> ModuleType:
    """rerun; MissingExtraError when it is not installed."""
    try:
        import rerun  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise MissingExtraError.of("rrd", "rerun-sdk", "rerun") from None
    return rerun


def write(poses: Poses, path: Path) -> None:
    """Write the recording; OutputError when it cannot be written, InputError without people."""
    rerun = require()
    up = upright(poses)
    known = np.asarray(np.isfinite(up.points).all(-1))
    if not known.any():
        raise InputError(f"{path}: expected at least one person, found none in {len(poses.frame_numbers)} frames")
    with atomic_write(path) as partial:
        recording = rerun.RecordingStream("zedo")
        try:
            recording.save(str(partial))
            _log_scene(rerun, recording, poses, up)
            for p, (_, rows) in enumerate(poses.tracks):
                if known[rows].any():
                    _log_person(rerun, recording, poses.take(rows), up.points[rows], p)
        finally:
            recording.disconnect()  # flushes the file


def _log_scene(rerun: Any, recording: Any, poses: Poses, up: Upright) -> None:
    """Log the axes, the joints' names and bones, the source of the upward direction, and the camera."""
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
    recording.log("up", rerun.TextDocument(f"up: {up.source}"), static=True)
    camera = poses.camera(0)
    pinhole = rerun.Pinhole(
        image_from_camera=camera.matrix, resolution=camera.size, camera_xyz=rerun.ViewCoordinates.RDF
    )
    recording.log("world/camera", pinhole, static=True)
    moves = bool((up.R_up_from_cam != up.R_up_from_cam[0]).any() or np.ptp(up.t_up_from_cam, axis=0).any())
    for t in range(len(up.R_up_from_cam) if moves else 1):
        if moves:
            recording.set_time("frame", sequence=int(poses.frame_numbers[t]))
            recording.set_time("time", duration=float(_times(poses)[t]))
        transform = rerun.Transform3D(translation=up.t_up_from_cam[t], mat3x3=up.R_up_from_cam[t])
        recording.log("world/camera", transform, static=not moves)


def _log_person(rerun: Any, recording: Any, poses: Poses, points: Float[ndarray, "n j 3"], p: int) -> None:
    """Log all frames of a person."""
    known = np.isfinite(points).all(-1)
    _, joints = np.nonzero(known)
    columns = rerun.Points3D.columns(
        positions=points[known].astype(np.float32),
        keypoint_ids=joints.astype(np.uint16),
        class_ids=np.full(len(joints), p, dtype=np.uint16),
        radii=np.full(len(joints), _RADIUS_M, dtype=np.float32),
    )
    counts = over_frames(known.sum(1), poses.frame, len(poses.frame_numbers), 0)
    times = [
        rerun.TimeColumn("frame", sequence=poses.frame_numbers),
        rerun.TimeColumn("time", duration=_times(poses)),
    ]
    entity = f"world/person{poses.track[0]}"
    rerun.send_columns(entity, indexes=times, columns=columns.partition(counts), recording=recording)


def _times(poses: Poses) -> ndarray:
    """Times in seconds; from the frame rate if they are unknown."""
    if poses.times_s is not None and np.isfinite(poses.times_s).all():
        return poses.times_s
    return poses.frame_numbers / (poses.fps or DEFAULT_FPS)
