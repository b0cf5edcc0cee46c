"""Joint sets and the conversion between them, by joint name.

Joint indices appear only in this package; everywhere else joints are referred to by name.
"""

from zedo_core.skeleton.conversion import Conversion, conversion, pelvis_joints
from zedo_core.skeleton.joint_sets import (
    BLAZEPOSE33,
    BODY25,
    BODY25B,
    COCO17,
    COCO18,
    COCO23,
    FEET,
    H36M17,
    HALPE26,
    LSP14,
    SKELETONS,
    get_skeleton,
)
from zedo_core.skeleton.skeleton import Skeleton, mirrored

__all__ = [
    "BLAZEPOSE33",
    "BODY25",
    "BODY25B",
    "COCO17",
    "COCO18",
    "COCO23",
    "FEET",
    "H36M17",
    "HALPE26",
    "LSP14",
    "SKELETONS",
    "Conversion",
    "Skeleton",
    "conversion",
    "get_skeleton",
    "mirrored",
    "pelvis_joints",
]
