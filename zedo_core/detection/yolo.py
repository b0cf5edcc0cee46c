"""YOLO pose models as ultralytics exports them: people and their joints at once, in the whole picture.

One head gives (1, 5 + 3 j, n): centre, size and score of boxes that overlap, and their joints. The other, of YOLO26 and
of exports with `nms=True`, gives (1, n, 6 + 3 j): corners, score, class and joints, each person once.

Source of what they take: ultralytics 8.4, `data/augment.py` (LetterBox) and `engine/exporter.py` (metadata).
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from zedo_core.detection.protocol import DetectedFrame, Detections
from zedo_core.detection.scores import inside
from zedo_core.detection.session import MOST_PX, Model, wrong
from zedo_core.skeleton import COCO17
from zedo_core.types import Frame

FORM = "a YOLO pose model with one class and 17 joints"
_IMAGE_PX, _STRIDE_PX = 640, 32  # of a model that takes any size and does not say which it was trained at
_GREY = 114
_OVERLAP = 0.7  # of boxes (intersection over union); above it the less sure one is left out, as in ultralytics
_JOINTS = 3 * len(COCO17)
# A head that gives each person once has 300 rows as a rule; YOLOv7's output looks the same but has thousands.
_MOST_ROWS = 1000


def detector(model: Model) -> YoloDetector | None:
    """What detects with such a model; None for a model of another kind, WeightsError for one of another task."""
    metadata = {name: _literal(value) for name, value in model.metadata.items()}
    _check(model, metadata)
    if len(model.outputs) != 1 or model.picture_px is None:
        return None
    height, width = metadata.get("imgsz", (_IMAGE_PX, _IMAGE_PX))
    size = model.picture_px[0] or width, model.picture_px[1] or height
    _, *shape = model(np.zeros((1, 3, *size[::-1])))[0].shape
    once = len(shape) == 2 and shape[1] == 6 + _JOINTS and shape[0] <= _MOST_ROWS
    if not once and (len(shape) != 2 or shape[0] != 5 + _JOINTS):
        raise wrong(model, FORM, f"an output {tuple(shape)} of each picture")
    return YoloDetector(model, size, metadata.get("stride", _STRIDE_PX), once)


def _check(model: Model, metadata: dict[str, Any]) -> None:
    """WeightsError when what the model says of itself fits neither COCO's joints nor its own input."""
    width, height = model.picture_px or (None, None)
    if (task := metadata.get("task", "pose")) != "pose":
        raise wrong(model, FORM, f"task '{task}'")
    if (shape := metadata.get("kpt_shape", [len(COCO17), 3])) != [len(COCO17), 3]:
        raise wrong(model, FORM, f"kpt_shape {shape}")
    if isinstance(names := metadata.get("names"), dict) and len(names) != 1:
        raise wrong(model, FORM, f"{len(names)} classes")
    size = metadata.get("imgsz", [height or _IMAGE_PX, width or _IMAGE_PX])
    if not isinstance(size, list) or len(size) != 2 or not all(_is_length(px) for px in size):
        raise wrong(model, FORM, f"imgsz {size}")
    if size != [height or size[0], width or size[1]]:
        raise wrong(model, FORM, f"imgsz {size}")
    if not _is_length(stride := metadata.get("stride", _STRIDE_PX)):
        raise wrong(model, FORM, f"stride {stride}")


def _is_length(px: Any) -> bool:
    return isinstance(px, int) and 0 < px <= MOST_PX


def _literal(value: str) -> Any:
    """A value out of its text; ONNX keeps texts only."""
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):  # all that it may raise
        return value


class YoloDetector:
    """A YOLO pose model that sees pictures of a (width, height) in px; `once` tells that it gives each person once."""

    skeleton = COCO17
    least_confidence = 0.1

    def __init__(self, model: Model, size: tuple[int, int], stride_px: int, once: bool) -> None:
        self.name, self.files, self.image_px = model.path.name, (model.path,), max(size)
        self._model, self._size, self._people = model, size, _people if once else _people_once
        self._stride_px = stride_px if model.picture_px == (None, None) else None

    def detect(self, frame: Frame, before: Sequence[DetectedFrame] = ()) -> Detections:
        """The people of a frame, each once and rounded; WeightsError when the model cannot be run."""
        box = letterbox(frame.image, self._size, self._stride_px)
        output = self._model(box.picture.transpose(2, 0, 1)[None] / 255)[0][0].astype(float)
        boxes, confidence, joints = self._people(output, self.least_confidence)
        xy = (joints[..., :2] - box.corner) / box.scale
        seen = np.where(inside(xy, frame.image.shape), joints[..., 2].clip(0, 1), 0.0)
        found = Detections(
            boxes=((boxes.reshape(-1, 2, 2) - box.corner) / box.scale).clip(0, frame.size).reshape(-1, 4),
            confidence=confidence,
            joints=np.concatenate([xy, seen[..., None]], -1),
        )
        return found.without_duplicates().rounded()


class Letterbox(NamedTuple):
    """A picture in a grey frame: its pixel (x, y) lies at (x, y) * scale + corner."""

    picture: UInt8[ndarray, "h w 3"]
    scale: Float[ndarray, " 2"]
    corner: Float[ndarray, " 2"]


def letterbox(image: UInt8[ndarray, "a b 3"], size: tuple[int, int], stride_px: int | None) -> Letterbox:
    """A picture in the middle of a grey one of this (width, height), or of the least multiples of a stride."""
    old = np.array(image.shape[1::-1])
    new = np.maximum((old * (size / old).min()).round().astype(int), 1)
    whole = np.array(size) if stride_px is None else -(-new // stride_px) * stride_px
    x, y = corner = ((whole - new) / 2 - 0.1).round().astype(int)
    picture = np.full((whole[1], whole[0], 3), _GREY, np.uint8)
    picture[y : y + new[1], x : x + new[0]] = cv2.resize(image, new.tolist(), interpolation=cv2.INTER_LINEAR)
    return Letterbox(picture, new / old, corner.astype(float))


_People = tuple[Float[ndarray, "p 4"], Float[ndarray, " p"], Float[ndarray, "p 17 3"]]  # corners, confidence, joints


def _people(rows: Float[ndarray, "n 57"], least: float) -> _People:
    """Those who are sure enough, of a head that gives each person once."""
    rows = rows[(rows[:, 4] > least) & np.isfinite(rows).all(1)]
    return rows[:, :4], rows[:, 4].clip(0, 1), rows[:, 6:].reshape(-1, len(COCO17), 3)


def _people_once(output: Float[ndarray, "56 n"], least: float) -> _People:
    """The surest of those who overlap, of a head that gives each person in many boxes."""
    middle, size, score, joints = np.split(output.T, (2, 4, 5), axis=1)
    corners = np.concatenate([middle - size / 2, middle + size / 2, score, np.zeros_like(score), joints], axis=1)
    boxes, confidence, joints = _people(corners, least)
    width_height = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
    rows = np.array(cv2.dnn.NMSBoxes(width_height.tolist(), confidence.tolist(), least, _OVERLAP), int).reshape(-1)
    return boxes[rows], confidence[rows], joints[rows]
