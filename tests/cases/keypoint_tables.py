"""Tables and HDF5 of keypoints as DeepLabCut, SLEAP, pandas and Sports2D write them."""

from __future__ import annotations

import io
import pickle
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np

from zedo_core.skeleton import COCO17

DLC = ("nose", "Leye", "Reye", "leftEar", "rightEar", "left_shoulder", "right_shoulder", "LElbow", "RElbow",
       "left wrist", "right wrist", "hip_left", "hip_right", "lKnee", "rKnee", "Ankle.L", "Ankle.R")  # fmt: skip
SPORTS2D = ("Nose", "LEye", "REye", "LEar", "REar", "LShoulder", "RShoulder", "LElbow", "RElbow", "LWrist", "RWrist",
            "LHip", "RHip", "LKnee", "RKnee", "LAnkle", "RAnkle")  # fmt: skip


def _row(values: np.ndarray) -> str:
    return ",".join("" if np.isnan(value) else f"{value:.9g}" for value in values.ravel())


def deeplabcut_csv(
    frames: Sequence[np.ndarray],
    names: Sequence[str] = DLC,
    individuals: Sequence[str] = (),
    index: Sequence[str] | None = None,
    likelihood: bool = True,
) -> str:
    """Frames (k, 3), or (p, k, 3) with the names of individuals; `index` are the first cells of each row."""
    coords = ("x", "y", "likelihood") if likelihood else ("x", "y")
    index = [str(t) for t in range(len(frames))] if index is None else index
    lead = "," * index[0].count(",")
    columns = [(who, name, coord) for who in (individuals or [""]) for name in names for coord in coords]
    lines = [f"scorer{lead}," + ",".join("DLC_resnet50" for _ in columns)]
    if individuals:
        lines.append(f"individuals{lead}," + ",".join(who for who, _, _ in columns))
    lines.append(f"bodyparts{lead}," + ",".join(name for _, name, _ in columns))
    lines.append(f"coords{lead}," + ",".join(coord for _, _, coord in columns))
    lines += [f"{first},{_row(frame[..., : len(coords)])}" for first, frame in zip(index, frames, strict=True)]
    return "\n".join(lines) + "\n"


def wide_csv(frames: Sequence[np.ndarray], joiner: str = "_", names: Sequence[str] = COCO17.joints) -> str:
    """A row per frame with three columns for each joint."""
    header = ["frame", *(f"{name}{joiner}{coord}" for name in names for coord in ("x", "y", "score"))]
    return "\n".join([",".join(header), *(f"{t},{_row(frame)}" for t, frame in enumerate(frames))]) + "\n"


def sleap_csv(frames: Sequence[Sequence[np.ndarray]], first: int = 0) -> str:
    """SLEAP's analysis CSV: a row per track and frame."""
    header = ["track", "frame_idx", "instance.score"]
    header += [f"{name}.{coord}" for name in COCO17.joints for coord in ("x", "y", "score")]
    rows = [
        f"track_{i},{first + t},0.93,{_row(person)}"
        for t, people in enumerate(frames)
        for i, person in enumerate(people)
    ]
    return "\n".join([",".join(header), *rows]) + "\n"


def long_csv(frames: Sequence[np.ndarray], names: Sequence[str] = COCO17.joints) -> str:
    """A row per joint."""
    rows = [
        f"{t},1,{name},{_row(joint)}"
        for t, frame in enumerate(frames)
        for name, joint in zip(names, frame, strict=True)
    ]
    return "\n".join(["frame,person_id,keypoint,x,y,confidence", *rows]) + "\n"


def pixel_trc(frames: Sequence[np.ndarray], names: Sequence[str] = SPORTS2D, unit: str = "m", z: float = 0.0) -> str:
    """TRC of Sports2D, whose header says metres even where they are pixels."""
    lines = ["PathFileType\t4\t(X/Y/Z)\tclip_Sports2D_px_person00.trc"]
    lines.append("DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames")
    lines.append("\t".join(map(str, (25, 25, len(frames), len(names), unit, 25, 0, len(frames)))))
    lines.append("Frame#\tTime\t" + "\t\t\t".join(names) + "\t\t")
    lines.append("\t\t" + "\t".join(f"{axis}{i}" for i in range(1, len(names) + 1) for axis in "XYZ"))
    for t, frame in enumerate(frames):
        cells = ["" if np.isnan(x) else f"{x:.9g}\t{y:.9g}\t{z:g}" for x, y, _ in frame]
        cells = [cell or "\t\t" for cell in cells]
        lines.append(f"{t}\t{t / 25:.4f}\t" + "\t".join(cells))
    return "\n".join(lines) + "\n"


def write_sleap(path: Path, values: np.ndarray, names: Sequence[str] = COCO17.joints, standard: bool = False) -> None:
    """SLEAP's analysis HDF5 of (t, p, k, 3), with its axes reversed unless `standard`."""
    with h5py.File(path, "w") as file:
        tracks, scores = values[..., :2], values[..., 2]
        file["tracks"] = tracks if standard else tracks.transpose(1, 3, 2, 0)
        file["point_scores"] = scores if standard else scores.transpose(1, 2, 0)
        file["node_names"] = np.array([name.encode() for name in names])
        file["track_names"] = np.array([f"track_{i}".encode() for i in range(values.shape[1])])
        file["track_occupancy"] = np.ones((values.shape[0], values.shape[1]))


def write_deeplabcut(
    path: Path, values: np.ndarray, names: Sequence[str] = DLC, individuals: Sequence[str] = ()
) -> None:
    """DeepLabCut's HDF5 of (t, p, k, 3), as pandas' tables lay it out."""
    columns = [("DLC", *((who,) if individuals else ()), name, coord)
               for who in (individuals or ("",)) for name in names for coord in ("x", "y", "likelihood")]  # fmt: skip
    table = np.zeros(len(values), dtype=[("index", "<i8"), ("values_block_0", "<f8", (len(columns),))])
    table["index"], table["values_block_0"] = np.arange(len(values)), values.reshape(len(values), -1)
    with h5py.File(path, "w") as file:
        group = file.create_group("df_with_missing")
        group["table"] = table
        group["table"].attrs["values_block_0_kind"] = np.bytes_(pickle.dumps(columns, 0))


def npy(array: np.ndarray) -> bytes:
    """An npy in memory."""
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()
