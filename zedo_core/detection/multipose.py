"""MoveNet MultiPose, which comes with zedo: finds people in whole pictures and in parts of them.

It sees pictures at 512 px and finds six people at most, so large pictures and crowds are also searched in tiles.

Source of the model and of what it takes: Google, MoveNet model cards, 2021 (Apache-2.0).
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from zedo_core.detection.crops import Part, quarters, resized, tiles
from zedo_core.detection.protocol import Detections
from zedo_core.detection.scores import Scores
from zedo_core.detection.session import Model
from zedo_core.skeleton import COCO17

FOLDER = Path(__file__).parents[1] / "assets" / "movenet"
FILE = FOLDER / "multipose.onnx"
# Of all MoveNet models: at a score below 0.2 a joint outside the picture is as likely as one in it.
SCORES = Scores(is_person=0.3, raw=(0.2, 0.3, 0.5, 0.7), confidence=(0.0, 0.5, 0.8, 0.95))

SEARCH_PX = 512  # longer side of what it sees; it misses people in motion at 384
_STRIDE_PX = 32  # its sides are multiples of this
_LEAST_TILE_PX = 192
_CROWD = 5  # from so many people on there may be more in a tile, since it finds six at most
_MOST_SEARCHES = 60  # of one picture


class MultiPose:
    """The model of the package; read when it is first asked."""

    def __init__(self, device: str = "cpu") -> None:
        self._device = device

    @cached_property
    def _model(self) -> Model:
        return Model(FILE, self._device)

    def search(self, image: UInt8[ndarray, "h w 3"], closely: bool) -> Detections:
        """The people in a picture, each once, with COCO's 17 joints; `closely` also in the tiles of a large picture."""
        height, width = image.shape[:2]
        parts = [Part(0, 0, width, height), *(tiles(width, height) if closely else ())]
        found: list[Detections] = []
        while parts and len(found) < _MOST_SEARCHES:
            part = parts.pop(0)
            found.append(self.look(image, part, SEARCH_PX))
            if len(found[-1]) >= _CROWD and min(part.width, part.height) >= 2 * _LEAST_TILE_PX:
                parts += quarters(part)
        return Detections.from_parts(*found).without_duplicates()

    def look(self, image: UInt8[ndarray, "h w 3"], part: Part, px: int) -> Detections:
        """The people in a part of a picture, each once; it is seen with `px` on its longer side."""
        scale = px / max(part.width, part.height)
        width, height = (max(round(side * scale), 1) for side in (part.width, part.height))
        seen = np.zeros((-(-height // _STRIDE_PX) * _STRIDE_PX, -(-width // _STRIDE_PX) * _STRIDE_PX, 3), np.uint8)
        seen[:height, :width] = resized(image, part, width, height)
        found = self._model(seen[None])[0][0, :, : 3 * len(COCO17)]
        joints = found.reshape(-1, len(COCO17), 3)[..., [1, 0, 2]].astype(float)  # it gives y, x, score
        size = seen.shape[1] * part.width / width, seen.shape[0] * part.height / height
        return SCORES.people(part.in_picture(joints, size), image.shape).without_duplicates()
