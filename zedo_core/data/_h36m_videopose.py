"""Human3.6M in the format of VideoPose3D: an npz of world positions, and an npz of keypoints for each detector."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from zedo_core.data._h36m_cameras import NUMBERS, Cameras, find_camera, find_cameras
from zedo_core.data._h36m_files import describe, files_with_fields, shorten
from zedo_core.data._h36m_sequences import (
    ALL_JOINTS,
    FPS,
    JOINTS,
    NAME,
    SPLITS,
    Sequence,
    Take,
    concatenate,
    describe_split,
    parse_take,
    sort_takes,
    true_sequence,
    warn_of_missing,
    with_keypoints,
)
from zedo_core.data._hdf5 import floats
from zedo_core.data._samples import Samples
from zedo_core.data.mocap import Motions
from zedo_core.errors import FormatError
from zedo_core.skeleton import COCO17, H36M17, Skeleton, conversion
from zedo_core.storage.pickles import load_object_npz

ARRAY_3D, ARRAY_2D = "positions_3d", "positions_2d"
_TRUNKS_M = (0.2, 1.0)  # from pelvis to thorax
_Y_UP_FROM_WORLD = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])  # z is up in the studio
_LAYOUTS = {"h36m": H36M17, "coco": COCO17}  # names in the metadata of the keypoints


def read(root: Path, split: str, input: str) -> Samples:
    """The samples of a split; 2D from the npz with or without `gt` in its name, with lens distortion removed."""
    path_3d = _single_file(root, ARRAY_3D, files_with_fields(root, ARRAY_3D), "data_3d_h36m.npz")
    path_2d = _path_2d(root, input)
    positions = _takes(path_3d, load_object_npz(path_3d).get(ARRAY_3D), split)
    arrays = load_object_npz(path_2d)
    layout = _layout(path_2d, arrays.get("metadata"))
    keypoints = _takes(path_2d, arrays.pop(ARRAY_2D, None), split)
    cameras, source = find_cameras(path_3d.parent)
    return concatenate(list(_sequences(path_3d, positions, path_2d, keypoints, layout, cameras, source, input)))


def motions(path: Path, split: str) -> Motions:
    """The poses of a split in world axes, turned to y up, in metres: neither cameras nor keypoints are needed."""
    positions = _takes(path, load_object_npz(path).get(ARRAY_3D), split)
    takes = sort_takes(positions)
    if not takes:
        raise FormatError(f"{path}: expected takes of {describe_split(split)}, found none")
    label = [f"{take.subject}/{take.name}" for take in takes]
    points = [
        floats(path, name, positions[take], (None, ALL_JOINTS, 3))[:, JOINTS]
        for name, take in zip(label, takes, strict=True)
    ]
    finite = [part[np.isfinite(part).all((1, 2))] for part in points]
    trunk = np.linalg.norm(np.concatenate(finite)[:, H36M17.index("thorax")] - np.concatenate(finite)[:, 0], axis=-1)
    if not len(trunk) or not _TRUNKS_M[0] < np.median(trunk) < _TRUNKS_M[1]:
        raise FormatError(f"{path}: expected positions of people in metres, found a trunk of {np.median(trunk):.3g}")
    return Motions(
        positions=(np.concatenate(finite) @ _Y_UP_FROM_WORLD.T).astype(np.float32),
        sequence=np.repeat(np.arange(len(takes)), [len(part) for part in finite]),
        names=tuple(label),
        sources=(NAME,) * len(takes),
        fps=(FPS,) * len(takes),
    )


def _path_2d(root: Path, input: str) -> Path:
    """The npz of true or of detected keypoints; `root` itself if it is one."""
    paths = [path for path in files_with_fields(root, ARRAY_2D) if ("gt" in path.stem.split("_")) == (input == "gt")]
    if not paths:  # the given file has the other kind of keypoints
        others = files_with_fields(_folder(root), ARRAY_2D)
        paths = [path for path in others if ("gt" in path.stem.split("_")) == (input == "gt")]
    return _single_file(root, ARRAY_2D, paths, f"data_2d_h36m_{'gt' if input == 'gt' else 'cpn_ft_h36m_dbb'}.npz")


def _single_file(root: Path, array: str, paths: list[Path], usual: str) -> Path:
    """The only path; FormatError when there are none or several."""
    if not paths:
        raise FormatError(f"{root}: expected {usual} with {array}, found {describe(_folder(root))}")
    if len(paths) > 1:
        names = ", ".join(path.name for path in paths)
        raise FormatError(f"{root}: expected one file with {array}, found {names}; give the path of the one to use")
    return paths[0]


def _folder(root: Path) -> Path:
    return root if root.is_dir() else root.parent


def _takes(path: Path, table: ndarray | None, split: str) -> dict[Take, Any]:
    """The values of the file for every take of the split's subjects."""
    # the array may be missing although its name exists: as a member of the zip that is not an npy
    content = table.item() if table is not None and table.shape == () else None
    if not isinstance(content, dict) or not all(isinstance(actions, dict) for actions in content.values()):
        found = "none" if table is None else f"an array {table.dtype} {table.shape}"
        raise FormatError(f"{path}: expected values by subject and action, found {found}")
    there = [subject for subject in SPLITS[split] if content.get(subject)]
    missing = [subject for subject in SPLITS[split] if subject not in there]
    if not there:
        raise FormatError(
            f"{path}: expected subjects of {describe_split(split)}, found {shorten(content)}; "
            f"{', '.join(missing)} is missing"
        )
    if missing:
        warn_of_missing(path, missing, split)
    return {
        parse_take(f"{path}: {subject}", subject, str(name)): value
        for subject in there
        for name, value in content[subject].items()
    }


def _layout(path: Path, metadata: ndarray | None) -> Skeleton:
    """The joint set of the keypoints; by default that of Human3.6M."""
    table = metadata.item() if metadata is not None and metadata.shape == () else {}
    name = table.get("layout_name", "h36m") if isinstance(table, dict) else table
    if name not in _LAYOUTS:
        raise FormatError(f"{path}: expected keypoints in the layout {' or '.join(_LAYOUTS)}, found '{str(name)[:40]}'")
    return _LAYOUTS[name]


def _sequences(
    path_3d: Path,
    positions: Mapping[Take, Any],
    path_2d: Path,
    keypoints: Mapping[Take, Any],
    layout: Skeleton,
    cameras: Cameras,
    source: str,
    input: str,
) -> Iterator[Sequence]:
    to_h36m = conversion(layout, H36M17)
    confidence = to_h36m.confidence(np.ones(len(layout)))
    for take in sort_takes(positions):
        label = f"{take.subject}/{take.name}"
        points = floats(path_3d, label, positions[take], (None, ALL_JOINTS, 3))[:, JOINTS]
        views = _views(path_2d, label, keypoints.get(take))
        for number, view in zip(NUMBERS, views, strict=True):
            camera = find_camera(cameras, source, take.subject, number)
            where = f"{label}, camera {number}"
            pixels = to_h36m.points(_trim(path_2d, where, view, len(points), len(layout)))
            true = true_sequence(take, number, camera, points)
            yield with_keypoints(f"{path_2d}", true, camera, pixels, confidence, input)


def _views(path: Path, label: str, views: Any) -> list[Any]:
    """The keypoints of the four cameras."""
    if views is None:
        raise FormatError(
            f"{path}: expected keypoints of {label}, as in the 3D file, found none; use files that belong together"
        )
    if not isinstance(views, list | tuple | ndarray) or len(views) != len(NUMBERS):
        found = len(views) if isinstance(views, list | tuple | ndarray) else type(views).__name__
        raise FormatError(f"{path}: expected {label} to have {len(NUMBERS)} cameras, found {found}")
    return list(views)


def _trim(path: Path, where: str, view: Any, frames: int, joints: int) -> Float[ndarray, "t j 2"]:
    """The frames for which there is 3D: videos often have a few more at the end."""
    pixels = floats(path, where, view, (None, joints, 2))
    if len(pixels) < frames:
        raise FormatError(
            f"{path}: expected {where} to have at least {frames} frames, as in the 3D file, found {len(pixels)}"
        )
    return pixels[:frames]
