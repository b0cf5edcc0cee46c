"""Poses as an npz, lossless; readable with numpy alone, without pickles.

t frames, p people, h hypotheses, j joints, c cameras (1 for all frames, or t):
    schema                  "zedo-poses-1"
    joints                  (t, p, h, j, 3) m in camera axes with the root's translation, NaN where absent
    score, chosen, spread   (t, p, h); (t, p), -1 where absent; (t, p, j) m
    filled, doubtful        (t, p): interpolated in a gap; unreliable, which is only for readers of the file
    contact                 (t, p, 2): whether the left and the right foot stand; left out if unknown
    seen                    (t, p, j): which joints were keypoints, not guesses; left out if unknown
    feet, foot_names        (t, p, 6, 3) m, NaN where unknown; (6,): heels and toes; left out if unknown
    K, image_size           (c, 3, 3) px; (c, 2) width and height in px, 0 where unknown
    distortion              (c, n) in OpenCV's order, NaN beyond a camera's last coefficient
    R_cam_from_world, t_cam_from_world   (c, 3, 3); (c, 3) m; NaN where unknown
    camera_source           (c,) source of the intrinsics
    lens, world_is_camera   (c,): brown or fisheye, whose distortion is k1 to k4; whether the world has the axes of a
                            camera; both left out where all cameras are brown in a world of their own
    frame_numbers, track_ids   (t,); (p,)
    times_s, fps            (t,); number; each left out if unknown
    R_up_from_cam, t_up_from_cam         (u, 3, 3); (u, 3) m, u is 1 for all frames, or t: to y up, floor at 0
    up_source               source of the upward direction; these three are only for readers of the file
    skeleton, joint_names, parents       name; (j,); (j,), -1 for a root
    units, axes             "m"; "camera: x right, y down, z forward"
    method, weights, weights_sha256, version, options   strings, options as JSON
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray
from numpy.lib import format as npy

from zedo_core.camera import Camera
from zedo_core.errors import FormatError
from zedo_core.export._rows import read_rows, write_rows
from zedo_core.export._schema import (
    AXES,
    SCHEMA,
    UNITS,
    check_fields,
    check_schema,
    format_errors,
    restored_camera,
    restored_skeleton,
    to_json,
    up_transform,
)
from zedo_core.skeleton import FEET
from zedo_core.storage.files import atomic_write, read_arrays
from zedo_core.types import Poses, Provenance, in_order

SUFFIX = ".npz"

# Values where a person is absent.
_ABSENT = {
    "joints": np.nan,
    "score": np.nan,
    "chosen": -1,
    "spread": np.nan,
    "filled": False,
    "doubtful": False,
    "contact": False,
    "seen": False,
    "feet": np.nan,
}
_LARGE = ("joints", "score", "spread")  # read row by row
_OPTIONAL = ("contact", "seen")
_EXTRINSICS = ("R_cam_from_world", "t_cam_from_world")
_PROVENANCE = ("method", "weights", "weights_sha256", "version")


def write(poses: Poses, path: Path) -> None:
    """Write the compressed npz; OutputError when it cannot be written."""
    with atomic_write(path) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, entry in _clip_entries(poses).items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                npy.write_array(file, np.asanyarray(entry), allow_pickle=False)
        for name, absent in _ABSENT.items():
            if (values := getattr(poses, name)) is not None:
                with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                    write_rows(file, poses, values, absent)


def read(path: Path) -> Poses:
    """Read exactly what `write` wrote; FormatError when the file is damaged or of another kind."""
    try:
        entries = read_arrays(path, exclude=(*_LARGE, "feet"))
    except Exception as error:  # numpy raises many kinds of exceptions for damaged files
        raise FormatError(f"{path}: not a readable npz of poses ({error})") from None
    check_schema(str(entries.get("schema")), path)
    with format_errors(path):
        poses = Poses(
            **_rows(entries, path),
            frame_numbers=entries["frame_numbers"],
            skeleton=restored_skeleton(
                entries["skeleton"].item(), entries["joint_names"].tolist(), entries["parents"].tolist()
            ),
            cameras=tuple(_camera(entries, i) for i in range(len(entries["K"]))),
            provenance=Provenance(
                **{name: entries[name].item() for name in _PROVENANCE}, options=json.loads(entries["options"].item())
            ),
            fps=entries["fps"].item() if "fps" in entries else None,
            times_s=entries.get("times_s"),
        )
        check_fields(poses)
    return poses


def _rows(entries: Mapping[str, ndarray], path: Path) -> dict[str, ndarray]:
    """The fields of the rows; older files lack `filled` and those that are optional."""
    chosen, ids = entries["chosen"], entries["track_ids"]
    if chosen.shape != entries["frame_numbers"].shape + ids.shape or chosen.min(initial=-1) < -1:
        raise ValueError("frame_numbers, track_ids and chosen do not match")
    present = np.asarray(chosen >= 0)
    frame, person = np.nonzero(present)
    filled = entries.get("filled", np.zeros(present.shape, bool))[present]
    values = read_rows(path, (*_LARGE, "feet") if "foot_names" in entries else _LARGE, present)
    values |= {name: entries[name][present] for name in _OPTIONAL if name in entries}
    return in_order(frame=frame, track=ids[person], chosen=chosen[present], filled=filled, **values)


def _clip_entries(poses: Poses) -> dict[str, Any]:
    """All entries except the fields of the rows."""
    R, t, up_source = up_transform(poses)
    return {
        "schema": SCHEMA,
        "frame_numbers": poses.frame_numbers,
        "track_ids": poses.track_ids,
        **_camera_arrays(poses.cameras),
        **{name: value for name in ("times_s", "fps") if (value := getattr(poses, name)) is not None},
        "R_up_from_cam": R,
        "t_up_from_cam": t,
        "up_source": up_source,
        "skeleton": poses.skeleton.name,
        "joint_names": np.array(poses.skeleton.joints),
        "parents": np.array(poses.skeleton.parents),
        **({} if poses.feet is None else {"foot_names": np.array(FEET)}),
        "units": UNITS,
        "axes": AXES,
        **{name: getattr(poses.provenance, name) for name in _PROVENANCE},
        "options": json.dumps(to_json(poses.provenance.options)),
    }


def _camera_arrays(cameras: tuple[Camera, ...]) -> dict[str, ndarray]:
    longest = max((len(camera.distortion) for camera in cameras), default=0)
    unknown_R, unknown_t = np.full((3, 3), np.nan), np.full(3, np.nan)
    unusual = any(camera.lens != "brown" or camera.world_is_camera for camera in cameras)
    lenses = np.array([camera.lens for camera in cameras], dtype=str)
    worlds = np.array([camera.world_is_camera for camera in cameras], dtype=bool)
    return {
        **({"lens": lenses, "world_is_camera": worlds} if unusual else {}),
        "K": np.array([camera.matrix for camera in cameras]),
        "image_size": np.array([camera.size or (0, 0) for camera in cameras]),
        "distortion": np.array([(*c.distortion, *[np.nan] * (longest - len(c.distortion))) for c in cameras]),
        "R_cam_from_world": np.array([c.R_cam_from_world or unknown_R for c in cameras], dtype=float),
        "t_cam_from_world": np.array([c.t_cam_from_world or unknown_t for c in cameras], dtype=float),
        "camera_source": np.array([camera.source for camera in cameras], dtype=str),
    }


def _camera(entries: Mapping[str, ndarray], i: int) -> Camera:
    distortion, size, R, t = (entries[name][i] for name in ("distortion", "image_size", *_EXTRINSICS))
    return restored_camera(
        entries["K"][i],
        distortion=distortion[np.isfinite(distortion)].tolist(),
        size=size.tolist() if size.any() else None,
        R=R.tolist() if np.isfinite(R).all() else None,
        t=t.tolist() if np.isfinite(t).all() else None,
        source=entries["camera_source"][i].item(),
        lens=entries["lens"][i].item() if "lens" in entries else "brown",
        world_is_camera=entries["world_is_camera"][i].item() if "world_is_camera" in entries else False,
    )
