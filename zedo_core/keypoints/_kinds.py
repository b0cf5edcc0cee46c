"""Files that are no keypoints, pictures or videos: what they are, and where they belong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zedo_core.errors import FormatError
from zedo_core.keypoints._source import Source

_MOTION = "motion capture, which is 3D already; 'zedo train prior --data' takes it"
_CALIBRATION = "a calibration; give it with --camera FILE, and pictures, a video or keypoints as the input"
_PICKLE = (
    "a pickle, which is not opened as an input; write its keypoints as npz or JSON, or give a data set to "
    "'zedo eval --data'"
)
_MODEL = "a network; give it with --detector or --weights"
_BY_HEAD = ((b"HIERARCHY", _MOTION), (b"\x80\x02", _PICKLE), (b"\x80\x03", _PICKLE), (b"\x80\x04", _PICKLE),
            (b"\x80\x05", _PICKLE), (b"%YAML", _CALIBRATION), (b"MATLAB", "a MATLAB file, which 'zedo eval --data' "
            "takes for data sets; write keypoints as npz or JSON"))  # fmt: skip
_BY_SUFFIX = {
    **dict.fromkeys((".bvh", ".c3d", ".fbx", ".asf", ".amc"), _MOTION),
    **dict.fromkeys((".yml", ".yaml", ".toml", ".xml", ".xcp"), _CALIBRATION),
    **dict.fromkeys((".pkl", ".pickle", ".p"), _PICKLE),
    **dict.fromkeys((".pt", ".pth", ".onnx", ".safetensors", ".task", ".tflite"), _MODEL),
    ".mot": "joint angles of OpenSim, which are no keypoints; give the TRC of Sports2D in pixels",
    ".slp": "a project of SLEAP; export its analysis HDF5 (File > Export Analysis HDF5)",
    ".mat": "a MATLAB file, which 'zedo eval --data' takes for data sets; write keypoints as npz or JSON",
    ".parquet": "a table in Parquet; write it as CSV",
    ".feather": "a table in Feather; write it as CSV",
    ".pose": "a .pose file; write its keypoints as npz or JSON",
    ".pdf": "a document",
}
_CAMERA_KEYS = {"K", "camera_matrix", "cameraMatrix", "intrinsic", "intrinsics", "fx", "fl_x", "distCoef", "rvec"}


def check_kind(path: Path, head: bytes) -> None:
    """FormatError when the beginning or the name of a file tells that it is of another kind."""
    kind = next((kind for magic, kind in _BY_HEAD if head.startswith(magic)), None) or _BY_SUFFIX.get(
        path.suffix.lower()
    )
    if kind is not None:
        raise FormatError(f"{path}: expected pictures, a video or 2D keypoints, found {kind}")


def nearest(source: Source) -> str:
    """What an unknown source resembles and what it lacks, to follow its description; empty when nothing."""
    document = source.document if source.document is not None else next((d for _, d in source.documents), None)
    keys = set(_keys(document, 0))
    if keys & _CAMERA_KEYS:
        return f", which looks like {_CALIBRATION}"
    if source.arrays:
        return (
            ", of which none is (frame, joint, 2 or 3) or (frame, person, joint, 2 or 3) in the joints of --skeleton; "
            "name the array 'keypoints', with [x px, y px, confidence]"
        )
    if {"poses", "joints", "hypotheses"} <= keys or "R_up_from_cam" in keys:
        return ", which looks like 3D poses that zedo wrote; 'zedo convert' and 'zedo view' take those"
    inner = sorted(keys)[:8]
    holds = f" (keys within: {', '.join(ascii(key[:30]) for key in inner)})" if inner else ""
    if document is None:
        return ""
    return (
        f"{holds}; nearest is a list of {{image_id, keypoints: [x, y, confidence, ...]}}, an entry per person and frame"
    )


def _keys(value: Any, depth: int) -> list[str]:
    """The keys of the first objects on each level."""
    if depth > 3:
        return []
    if isinstance(value, dict):
        return [*value, *(key for entry in list(value.values())[:8] for key in _keys(entry, depth + 1))]
    return [key for entry in value[:2] for key in _keys(entry, depth + 1)] if isinstance(value, list) else []
