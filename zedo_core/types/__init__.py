"""The data types passed between the stages: frozen, and checked once when they are created.

There is one row per person and frame, sorted by track and then by frame; a person who is absent from a frame has no row
there. Axis letters: n row, t frame, p person (track), h hypothesis, j joint; the last axis is the coordinate. Pixel
(0, 0) is the centre of the top-left pixel; camera axes are x right, y down, z forward.
"""

from zedo_core.types.frame import FRAME_RATES, Frame
from zedo_core.types.keypoints import DenseKeypoints, Keypoints
from zedo_core.types.poses import DOUBTFUL_M, SEEN, DensePoses, Lifted, Poses, Provenance
from zedo_core.types.rows import Rows, in_order, same_rows

__all__ = [
    "DOUBTFUL_M",
    "FRAME_RATES",
    "SEEN",
    "DenseKeypoints",
    "DensePoses",
    "Frame",
    "Keypoints",
    "Lifted",
    "Poses",
    "Provenance",
    "Rows",
    "in_order",
    "same_rows",
]
