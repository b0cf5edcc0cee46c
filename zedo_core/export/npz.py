"""Poses as an npz, exactly; readable by numpy alone, without pickles.

t frames, p people, h hypotheses, j joints, c cameras (1 for all frames, or t):
    schema                  "zedo-poses-1"
    joints                  (t, p, h, j, 3) m in camera axes with the root's translation, NaN where absent
    score, chosen, spread   (t, p, h); (t, p), -1 where absent; (t, p, j) m
    filled, doubtful        (t, p): made up between two frames; not to be trusted, which is for readers of the file
    K, image_size           (c, 3, 3) px; (c, 2) width and height in px, 0 where unknown
    distortion              (c, n) in OpenCV's order, NaN beyond a camera's last coefficient
    R_cam_from_world, t_cam_from_world   (c, 3, 3); (c, 3) m; NaN where unknown
    camera_source           (c,) where the intrinsics came from
    frame_numbers, track_ids   (t,); (p,)
    times_s, fps            (t,); number; each left out where unknown
    R_up_from_cam, t_up_from_cam         (u, 3, 3); (u, 3) m, u is 1 for all frames, or t: to y up, floor at 0
    up_source               where the upward direction came from; these three are for readers of the file
    skeleton, joint_names, parents       name; (j,); (j,), -1 for a root
    units, axes             "m"; "camera: x right, y down, z forward"
    method, weights, weights_sha256, version, options   texts, options as JSON
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray
from numpy.lib import format as npy

from zedo_core.camera import Camera
from zedo_core.errors import FormatError
from zedo_core.export._rows import rows_of
from zedo_core.export._schema import (
    AXES,
    SCHEMA,
    UNITS,
    check_fields,
    check_schema,
    plain,
    reading,
    restored_camera,
    restored_skeleton,
    way_up,
)
from zedo_core.packed import ABSENT, seated, wide_frames
from zedo_core.storage.files import read_arrays, written_whole
from zedo_core.types import Poses, Provenance

SUFFIX = ".npz"

_FIELDS = ("joints", "score", "chosen", "spread")
_ARRAYS = (*_FIELDS, "frame_numbers", "track_ids")
_PER_TRACK = ("joints", "score", "spread")  # those that many tracks make large
_EXTRINSICS = ("R_cam_from_world", "t_cam_from_world")
_PROVENANCE = ("method", "weights", "weights_sha256", "version")


def write(poses: Poses, path: Path) -> None:
    """Write the compressed npz; OutputError when the place cannot be written to."""
    entries = {
        "schema": SCHEMA,
        **{name: _per_track(poses, getattr(poses, name), ABSENT[Poses][name]) for name in _FIELDS},
        "frame_numbers": poses.frame_numbers,
        "track_ids": poses.track_ids,
        "filled": _per_track(poses, poses.is_filled, ABSENT[Poses]["filled"]),
        "doubtful": _per_track(poses, poses.doubtful, False),
        **_camera_arrays(poses.cameras),
        **{name: value for name in ("times_s", "fps") if (value := getattr(poses, name)) is not None},
        **_way_up(poses),
        "skeleton": poses.skeleton.name,
        "joint_names": np.array(poses.skeleton.joints),
        "parents": np.array(poses.skeleton.parents),
        "units": UNITS,
        "axes": AXES,
        **{name: getattr(poses.provenance, name) for name in _PROVENANCE},
        "options": json.dumps(plain(poses.provenance.options)),
    }
    with written_whole(path) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, entry in entries.items():
            _write_entry(archive, name, entry)


def read(path: Path) -> Poses:
    """What `write` wrote, to the last bit; FormatError when the file is damaged or of another form."""
    entries = _entries(path)
    with reading(path):
        poses = _restored(entries)
        check_fields(poses)
    return poses


def read_packed(path: Path) -> Poses:
    """As `read`, packed (see zedo_core.packed), in memory that goes by who is there and not by the number of tracks."""
    entries = _entries(path, without=_PER_TRACK)
    with reading(path):
        chosen = entries["chosen"]
        present = np.asarray(chosen >= 0)
        rows = rows_of(path, _PER_TRACK, present)
        nobody = {name: np.zeros((len(chosen), 0, *array.shape[1:]), array.dtype) for name, array in rows.items()}
        for name in {"chosen", "filled"} & entries.keys():
            rows[name], nobody[name] = entries[name][present], entries[name][:, :0]
        poses = _restored(entries | nobody, who=np.zeros((len(chosen), 0), int))
        t, p = np.nonzero(present)
        poses = seated(poses, t, p, rows)
        check_fields(poses)
    return poses


def _restored(entries: Mapping[str, ndarray], who: ndarray | None = None) -> Poses:
    return Poses(
        **{name: entries[name] for name in _ARRAYS},
        skeleton=restored_skeleton(
            entries["skeleton"].item(), entries["joint_names"].tolist(), entries["parents"].tolist()
        ),
        cameras=tuple(_camera(entries, i) for i in range(len(entries["K"]))),
        provenance=Provenance(
            **{name: entries[name].item() for name in _PROVENANCE}, options=json.loads(entries["options"].item())
        ),
        fps=entries["fps"].item() if "fps" in entries else None,
        times_s=entries.get("times_s"),
        filled=entries.get("filled"),
        who=who,
    )


@dataclass(frozen=True, kw_only=True)
class _Wide:
    """An array of packed poses, to be written with a place per track without ever being made."""

    poses: Poses
    array: ndarray
    absent: Any

    def head(self) -> dict[str, Any]:
        """What an npy says of the array."""
        t, _, *rest = self.array.shape
        shape = (t, len(self.poses.track_ids), *rest)
        return {"descr": npy.dtype_to_descr(self.array.dtype), "fortran_order": False, "shape": shape}


def _per_track(poses: Poses, array: ndarray, absent: Any) -> ndarray | _Wide:
    return array if poses.who is None else _Wide(poses=poses, array=array, absent=absent)


def _write_entry(archive: zipfile.ZipFile, name: str, entry: Any) -> None:
    with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
        if isinstance(entry, _Wide):
            npy.write_array_header_1_0(file, entry.head())
            file.writelines(frame.tobytes() for frame in wide_frames(entry.poses, entry.array, entry.absent))
        else:
            npy.write_array(file, np.asanyarray(entry), allow_pickle=False)


def _entries(path: Path, without: Collection[str] = ()) -> dict[str, ndarray]:
    """The arrays of the file; FormatError when it cannot be read or names another schema."""
    try:
        entries = read_arrays(path, without)
    except Exception as error:  # numpy answers damage with almost any of them
        raise FormatError(f"{path}: not a readable npz of poses ({error})") from None
    check_schema(str(entries.get("schema")), path)
    return entries


def _camera_arrays(cameras: tuple[Camera, ...]) -> dict[str, ndarray]:
    most = max((len(camera.distortion) for camera in cameras), default=0)
    unknown_R, unknown_t = np.full((3, 3), np.nan), np.full(3, np.nan)
    return {
        "K": np.array([camera.matrix for camera in cameras]),
        "image_size": np.array([camera.size or (0, 0) for camera in cameras]),
        "distortion": np.array([(*c.distortion, *[np.nan] * (most - len(c.distortion))) for c in cameras]),
        "R_cam_from_world": np.array([c.R_cam_from_world or unknown_R for c in cameras], dtype=float),
        "t_cam_from_world": np.array([c.t_cam_from_world or unknown_t for c in cameras], dtype=float),
        "camera_source": np.array([camera.source for camera in cameras], dtype=str),
    }


def _way_up(poses: Poses) -> dict[str, Any]:
    R, t, source = way_up(poses)
    return {"R_up_from_cam": R, "t_up_from_cam": t, "up_source": source}


def _camera(entries: Mapping[str, ndarray], i: int) -> Camera:
    distortion, size, R, t = (entries[name][i] for name in ("distortion", "image_size", *_EXTRINSICS))
    return restored_camera(
        entries["K"][i],
        distortion=distortion[np.isfinite(distortion)].tolist(),
        size=size.tolist() if size.any() else None,
        R=R.tolist() if np.isfinite(R).all() else None,
        t=t.tolist() if np.isfinite(t).all() else None,
        source=entries["camera_source"][i].item(),
    )
