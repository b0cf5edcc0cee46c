"""Human3.6M as VideoPose3D has it: one npz of world positions, one npz of keypoints for each detector."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from zedo_core.data._h36m_cameras import NUMBERS, Cameras, camera_of, find_cameras
from zedo_core.data._h36m_files import described, first_of, holding
from zedo_core.data._h36m_sequences import (
    ALL_JOINTS,
    JOINTS,
    SPLITS,
    Sequence,
    Take,
    assembled,
    in_order,
    split_word,
    take_of,
    true_sequence,
    with_keypoints,
)
from zedo_core.data._hdf5 import floats
from zedo_core.data._samples import Samples
from zedo_core.errors import FormatError
from zedo_core.skeleton import COCO17, H36M17, Skeleton, conversion
from zedo_core.storage.pickles import load_object_npz

MARKS_3D, MARKS_2D = "positions_3d", "positions_2d"
_LAYOUTS = {"h36m": H36M17, "coco": COCO17}  # names in the metadata of the keypoints


def read(root: Path, split: str, input: str) -> Samples:
    """The samples of a split; 2D of the npz with `gt` in its name or of the one without, freed of lens distortion."""
    path_3d = _one(root, MARKS_3D, holding(root, MARKS_3D), "data_3d_h36m.npz")
    path_2d = _path_2d(root, input)
    positions = _takes(path_3d, load_object_npz(path_3d).get(MARKS_3D), split)
    arrays = load_object_npz(path_2d)
    layout = _layout(path_2d, arrays.get("metadata"))
    keypoints = _takes(path_2d, arrays.pop(MARKS_2D, None), split)
    cameras, source = find_cameras(path_3d.parent)
    return assembled(list(_sequences(path_3d, positions, path_2d, keypoints, layout, cameras, source, input)))


def _path_2d(root: Path, input: str) -> Path:
    """The npz of true keypoints, or that of detected ones; `root` itself when it is one of them."""
    paths = [path for path in holding(root, MARKS_2D) if ("gt" in path.stem.split("_")) == (input == "gt")]
    if not paths:  # the file that was named is of the other kind
        beside = holding(root if root.is_dir() else root.parent, MARKS_2D)
        paths = [path for path in beside if ("gt" in path.stem.split("_")) == (input == "gt")]
    return _one(root, MARKS_2D, paths, f"data_2d_h36m_{'gt' if input == 'gt' else 'cpn_ft_h36m_dbb'}.npz")


def _one(root: Path, mark: str, paths: list[Path], usual: str) -> Path:
    if not paths:
        raise FormatError(f"{root}: expected {usual} with {mark}, found {described(_folder(root))}")
    if len(paths) > 1:
        names = ", ".join(path.name for path in paths)
        raise FormatError(f"{root}: expected one file with {mark}, found {names}; give the path of the one to use")
    return paths[0]


def _folder(root: Path) -> Path:
    return root if root.is_dir() else root.parent


def _takes(path: Path, table: ndarray | None, split: str) -> dict[Take, Any]:
    """What the file has for every take of the split's subjects."""
    # the name may be there without the array: a member of the zip that is no npy
    content = table.item() if table is not None and table.shape == () else None
    if not isinstance(content, dict) or not all(isinstance(actions, dict) for actions in content.values()):
        found = "none" if table is None else f"an array {table.dtype} {table.shape}"
        raise FormatError(f"{path}: expected values by subject and action, found {found}")
    missing = [subject for subject in SPLITS[split] if not content.get(subject)]
    if missing:
        raise FormatError(
            f"{path}: expected subjects of {split_word(split)}, found {first_of(content)}; "
            f"{', '.join(missing)} is missing"
        )
    return {
        take_of(f"{path}: {subject}", subject, str(name)): value
        for subject in SPLITS[split]
        for name, value in content[subject].items()
    }


def _layout(path: Path, metadata: ndarray | None) -> Skeleton:
    """The joint set of the keypoints; that of Human3.6M unless the file says otherwise."""
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
    for take in in_order(positions):
        label = f"{take.subject}/{take.name}"
        points = floats(path_3d, label, positions[take], (None, ALL_JOINTS, 3))[:, JOINTS]
        views = _views(path_2d, label, keypoints.get(take))
        for number, view in zip(NUMBERS, views, strict=True):
            camera = camera_of(cameras, source, take.subject, number)
            where = f"{label}, camera {number}"
            pixels = to_h36m.points(_cut(path_2d, where, view, len(points), len(layout)))
            true = true_sequence(take, number, camera, points)
            yield with_keypoints(f"{path_2d}", true, camera, pixels, confidence, input)


def _views(path: Path, label: str, views: Any) -> list[Any]:
    """The keypoints of the four cameras."""
    if views is None:
        raise FormatError(
            f"{path}: expected keypoints of {label}, as in the 3D, found none; use files that belong together"
        )
    if not isinstance(views, list | tuple | ndarray) or len(views) != len(NUMBERS):
        found = len(views) if isinstance(views, list | tuple | ndarray) else type(views).__name__
        raise FormatError(f"{path}: expected {label} to have {len(NUMBERS)} cameras, found {found}")
    return list(views)


def _cut(path: Path, where: str, view: Any, frames: int, joints: int) -> Float[ndarray, "t j 2"]:
    """The frames for which there is 3D: videos often have a few more at their end."""
    pixels = floats(path, where, view, (None, joints, 2))
    if len(pixels) < frames:
        raise FormatError(
            f"{path}: expected {where} to have at least {frames} frames, as in the 3D, found {len(pixels)}"
        )
    return pixels[:frames]
