"""A folder of valid and invalid inputs: pictures, keypoints, cameras, weights, and detectors."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from onnx_cases import constant
from PIL import Image
from safetensors.torch import load_file, save_file

import zedo_core

PRIOR = Path(zedo_core.__file__).parent / "assets" / "prior"
SIZE = (60, 80)

# x, y of a standing person in COCO's order, within SIZE.
BODY = [
    *((30, 10), (31, 9), (29, 9), (32, 10), (28, 10), (36, 20), (24, 20), (38, 30), (22, 30)),
    *((39, 39), (21, 39), (34, 42), (26, 42), (34, 56), (26, 56), (34, 70), (26, 70)),
]

VALUES = [float(value) for x, y in BODY for value in (x, y, 0.9)]


def document(values: list[Any] = VALUES, count: int = 1, **fields: Any) -> dict[str, Any]:
    """The content of a keypoints.json."""
    people = [{"track": 0, "keypoints": values}]
    return {
        "format": "zedo-keypoints-1",
        "joints": "coco-17",
        "image_sizes": [SIZE],
        "fps": None,
        "track_ids": [0],
        "frames": [{"frame": t, "time_s": None, "people": people} for t in range(count)],
    } | fields


LATE = [{"frame": 5000, "time_s": None, "people": [{"track": 0, "keypoints": VALUES}]}]

JSON_FILES: dict[str, Any] = {
    "good.json": document(),
    "no_size.json": document(image_sizes=None),
    "unknown.json": {"poses": [1, 2]},
    "empty_list.json": [],
    "short.json": document(VALUES[:48]),
    "nan.json": document([float("nan"), *VALUES[1:]]),
    "infinite.json": document([float("inf"), *VALUES[1:]]),
    "huge.json": document([1e300, *VALUES[1:]]),
    "confidence.json": document([*VALUES[:2], 7.0, *VALUES[3:]]),
    "texts.json": document(["a"] * 51),
    "nobody.json": document([0] * 51),
    "no_frames.json": document(count=0),
    "newer.json": document(format="zedo-keypoints-9"),
    "other_size.json": document(image_sizes=[(1088, 1920)]),
    "late.json": document(frames=LATE),
    "short_coco.json": [{"image_id": 1, "keypoints": VALUES[:30]}],
    "mixed_coco.json": [{"image_id": 1, "keypoints": VALUES}, {"keypoints": VALUES}],
    "coco.json": [{"image_id": 1, "keypoints": VALUES}],
    "no_openpose/a.json": document(),
    # cameras
    "zeros.json": {"K": [[0, 0, 30], [0, 0, 40], [0, 0, 1]]},
    "nan_camera.json": {"fx": float("nan"), "fy": 1, "cx": 1, "cy": 1},
    "text_camera.json": {"fx": "wide", "fy": 1, "cx": 1, "cy": 1},
    "other_camera.json": {"fx": 500, "fy": 500, "cx": 320, "cy": 240, "size": [640, 480]},
    "skewed.json": {"K": [[1000, 50, 30], [0, 1000, 40], [0, 0, 1]]},
    "three.json": {"fx": 100, "fy": 100, "cx": 30, "cy": 40, "distortions": [1, 2, 3]},
    "bent.json": {"fx": 10, "fy": 10, "cx": 5000, "cy": 5000, "size": SIZE, "distortions": [-500, 0, 0, 0]},
    "two.json": {name: {"fx": 90, "fy": 90, "cx": 30, "cy": 40} for name in ("left", "right")},
}

TEXTS = {
    "text.mp4": "this is not a video\n" * 20,
    "text.png": "this is not a picture",
    "empty.mp4": "",
    "broken.json": '{"format": ',
    "broken.npz": "PK\x03\x04 and nothing else",
    "no_pictures/notes.txt": "notes",
    "notes.txt": "notes",
    "text.pt": "this is not a model",
    "empty.pt": "",
    "model.onnx": "onnx",
    "few_bytes.pth": "abc",
}


def write_inputs(folder: Path) -> Path:
    """Fill the folder, and return it."""
    for name, text in {**TEXTS, **{name: json.dumps(value) for name, value in JSON_FILES.items()}}.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    (folder / "empty_folder").mkdir()
    (folder / "garbage.mp4").write_bytes(bytes(range(256)) * 200)
    (folder / "garbage.pt").write_bytes(bytes(range(256)) * 50)
    Image.new("RGB", SIZE, (90, 120, 90)).save(folder / "grey.png")
    constant(folder / "other.onnx", {"features": np.zeros((1, 8, 8))})
    (folder / "damaged.png").write_bytes((folder / "grey.png").read_bytes()[:60])
    _write_npz(folder)
    _write_weights(folder)
    return folder


def _write_npz(folder: Path) -> None:
    good = np.array(VALUES).reshape(1, 17, 3)
    values = {"nan": good.copy(), "infinite": good.copy()}
    values["nan"][0, 3, 0], values["infinite"][0, 3, 0] = np.nan, np.inf
    for name, keypoints in {**values, "shape": good[:, :16], "no_frames": good[:0]}.items():
        np.savez(folder / f"{name}.npz", keypoints=keypoints, joints="coco-17", image_size=SIZE)
    np.savez(folder / "no_joints.npz", keypoints=good)
    np.savez(folder / "martian.npz", keypoints=good, joints="martian-9")
    np.savez(folder / "other.npz", a=good)
    np.savez(folder / "objects.npz", keypoints=np.array([{}], dtype=object), joints="coco-17")


def _write_weights(folder: Path) -> None:
    config = json.loads((PRIOR / "prior.json").read_text())
    changed: Mapping[str, Any] = {
        "good_weights": config,
        "fields": {**config, "network": {"widht": 3}},
        "schedule": {**config, "sde": {"x": 1}},
        "width": {**config, "network": {**config["network"], "width": 64}},
        "older": {**config, "format": "zedo-prior-0"},
    }
    for name, fields in changed.items():
        shutil.copytree(PRIOR, folder / name)
        (folder / name / "prior.json").write_text(json.dumps(fields))
    for name in ("corrupted", "truncated", "no_config", "not_finite", "bad_clusters"):
        shutil.copytree(PRIOR, folder / name)
    content = (PRIOR / "prior.safetensors").read_bytes()
    (folder / "corrupted" / "prior.safetensors").write_bytes(content[:100] + b"\xff" * 200 + content[300:])
    (folder / "truncated" / "prior.safetensors").write_bytes(content[: len(content) // 2])
    (folder / "no_config" / "prior.json").unlink()
    (folder / "bad_clusters" / "clusters.npz").write_text("no clusters")
    state = {name: torch.full_like(value, torch.nan) for name, value in load_file(PRIOR / "prior.safetensors").items()}
    save_file(state, folder / "not_finite" / "prior.safetensors")
    torch.save({"model_state_dict": {"a": torch.zeros(1)}}, folder / "other.pth")
