"""Models of one person in a crop with a SimCC head, such as RTMPose, RTMW and DWPose as mmdeploy exports them.

For every joint such a model gives one row of scores over places along x and one over places along y, a fixed number
of places (`simcc_split_ratio`, 2 as a rule) for each pixel of its input (Li et al., SimCC, ECCV 2022).

Source of what the models take and mean: mmpose, `configs/body_2d_keypoint/rtmpose` and `codecs/simcc_label.py`
(RGB, since `bgr_to_rgb=True`; padding 1.25; the place of the largest score, and of the two largest scores the lesser).
"""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from zedo_core.detection.scores import Scores
from zedo_core.detection.session import Model, wrong
from zedo_core.detection.topdown import TopDownDetector
from zedo_core.skeleton import COCO17, COCO23, HALPE26, Skeleton

FORM = "a SimCC model (such as RTMPose) with 17, 26 or 133 joints"
# Of COCO-WholeBody's 133 joints the first 23 are body and feet, then come face and hands.
_JOINT_SETS = {17: COCO17, 26: HALPE26, 133: COCO23}

_MEAN, _STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)  # of RGB
# Padding of mmpose around the box of a person, which is about so much larger than the box of the joints (rtmlib 0.0.16,
# PoseTracker).
_MARGIN = 1.25 * 1.25
# The label's peak is 1. mmpose and Sports2D leave out joints of less than 0.3, rtmlib's examples of less than 0.43.
_SCORES = Scores(is_person=0.4, raw=(0.2, 0.4, 1.0), confidence=(0.0, 0.4, 1.0))


def detector(model: Model, device: str) -> TopDownDetector | None:
    """What detects with such a model; None for a model of another kind, WeightsError for one of other joints."""
    width, height = model.picture_px or (None, None)
    if len(model.outputs) != 2 or width is None or height is None:
        return None
    outputs = model(np.zeros((1, 3, height, width)))
    shapes = [outputs[place].shape for place in _order(model)]
    if any(len(shape) != 3 for shape in shapes) or shapes[0][1] != shapes[1][1]:
        return None
    if not np.isclose(shapes[0][2] / width, shapes[1][2] / height, atol=0.01) or shapes[0][2] < width:
        return None
    if (joints := shapes[0][1]) not in _JOINT_SETS:
        raise wrong(model, FORM, f"{joints} joints")
    return TopDownDetector(model.path.name, SimCC(model, (width, height), _JOINT_SETS[joints]), device)


def _order(model: Model) -> tuple[int, int]:
    """Which output is x and which is y; older exports have no names for them but this order."""
    names = [output.name for output in model.outputs]
    return (1, 0) if names == ["simcc_y", "simcc_x"] else (0, 1)


class SimCC:
    """A SimCC model for crops of this (width, height) in px that gives the joints of a set, then maybe others."""

    margin, interpolation = _MARGIN, cv2.INTER_LINEAR
    scores = _SCORES

    def __init__(self, model: Model, size: tuple[int, int], skeleton: Skeleton) -> None:
        self.file, self.size, self.skeleton = model.path, size, skeleton
        self._model, self._order = model, _order(model)

    def read(self, crops: UInt8[ndarray, "n h w 3"]) -> Float[ndarray, "n j 3"]:
        """Joints [x, y, raw score], x and y in widths and heights of the crop.

        A place k of n lies at the pixel k / ratio, whose middle is half a pixel further from the edge of the crop. The
        scores of a person are divided by the largest where that is above 1: they have no fixed scale, RTMW's go to 8.
        """
        outputs = self._model(((crops - np.array(_MEAN)) / np.array(_STD)).transpose(0, 3, 1, 2))
        rows = [outputs[place][:, : len(self.skeleton)].astype(float) for place in self._order]
        xy = [row.argmax(-1) / row.shape[-1] + 0.5 / side for row, side in zip(rows, self.size, strict=True)]
        score = np.minimum(*(row.max(-1) for row in rows))
        return np.stack([*xy, score / np.maximum(score.max(-1, keepdims=True), 1.0)], -1)
