"""The names that tools give to the entries of a camera, compared without case, underscores and dashes."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

MATRIX = (
    *("k", "matrix", "cameramatrix", "intrinsics", "intrinsic", "intrinsicmatrix", "mtx", "cameraintrinsics"),
    *("intrinsicparameters", "kmatrix", "intrinsicmat", "camerak", "kmat", "cammatrix", "intrinsicsmatrix"),
    "calibrationmatrix",
)
FOCALS = {
    "fx": ("fx", "flx", "focallengthx", "focalx", "fu"),
    "fy": ("fy", "fly", "focallengthy", "focaly", "fv"),
    "cx": ("cx", "ppx", "principalpointx", "cu", "u0"),
    "cy": ("cy", "ppy", "principalpointy", "cv", "v0"),
}
DISTORTION = (
    *("distortions", "distortion", "dist", "d", "distcoeffs", "distortioncoefficients", "distcoef", "distcoeff"),
    *("distcoefs", "distortioncoeffs", "distortioncoeff", "distortioncoef", "distortioncoefs", "distortionparameters"),
    *("distortionparams", "distortionvector", "distcoefficients", "distortioncoefficient", "coeffs", "kc"),
    *("lensdistortion", "distparams", "distortcoeffs", "distmatrix", "distortionmatrix", "dcoeffs", "distvec"),
)  # fmt: skip
RADIAL = ("radialdistortion", "radial", "radialcoeffs", "radialdistortioncoefficients", "radialcoefficients")
TANGENTIAL = (
    *("tangentialdistortion", "tangential", "tangentialcoeffs", "tangentialdistortioncoefficients"),
    *("tangentialcoefficients", "tangentdistortion"),
)
SINGLE = ("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6", "s1", "s2", "s3", "s4")
SIZE = ("size", "imagesize", "resolution", "imgsize", "imageresolution", "framesize", "imageshapewh", "imagewh")
WIDTH, HEIGHT = ("width", "imagewidth", "w", "imgwidth"), ("height", "imageheight", "h", "imgheight")
NAME = ("name", "cameraname", "camname", "serial", "serialnumber", "id", "camid", "cameraid", "label")
LENS_MODEL = ("distortionmodel", "cameramodel", "model", "distortiontype", "lensmodel", "projectionmodel", "lens")
FISHEYE = ("fisheye", "isfisheye", "fisheyemodel", "usefisheye")  # flags
ROTATION = (
    *("rotation", "r", "rvec", "rot", "rotationvector", "rotationmatrix", "rotvec", "rodrigues", "rmat", "rvecs"),
    *("rcamfromworld", "rworld2cam", "rworldtocam", "rw2c", "rmatrix", "rotmat"),
)
TRANSLATION = (
    *("translation", "t", "tvec", "translationvector", "trans", "tvecs", "tcamfromworld", "tworld2cam", "tworldtocam"),
    *("tw2c", "tvector"),
)
# Matrices (3, 4) or (4, 4) from the world to the camera, and from the camera to the world.
TO_CAMERA = (
    *("extrinsic", "extrinsics", "extrinsicmatrix", "rt", "w2c", "world2cam", "worldtocam", "worldtocamera"),
    *("tcamworld", "tcw", "world2camera", "extrinsicsmatrix", "camfromworld", "extrinsicparameters"),
)
TO_WORLD = ("c2w", "cam2world", "camtoworld", "cameratoworld", "camera2world", "tworldcam", "twc", "worldfromcam")
RECTIFIED = ("p", "projectionmatrix", "rectificationmatrix")  # where R is a rectification, as in ROS
# Nested tables that hold entries of the camera in which they stand.
PARTS = frozenset((*MATRIX, *DISTORTION, *TO_CAMERA, "lens", "calibration", "parameters", "params", "camera", "pose"))
_KNOWN = frozenset().union(
    *(MATRIX, *FOCALS.values(), DISTORTION, RADIAL, TANGENTIAL, SINGLE, SIZE, WIDTH, HEIGHT, NAME, LENS_MODEL),
    *(ROTATION, TRANSLATION, TO_CAMERA, TO_WORLD, RECTIFIED, FISHEYE),
)
_SUSPECT = re.compile(
    r"(dist|radial|tang|rot|trans|rvec|tvec|quat|orient|extr|pose)|.*(distort|rotation|translation|extrinsic)"
    r"|[kp]\d+$|[rt]\d\d$"
)
_HARMLESS = frozenset(("rotationcount", "viewrotation", "distance", "orientationmethod", "rostopic"))


def normal(key: Any) -> str:
    """A name without case, underscores, dashes, spaces and dots."""
    return re.sub(r"[\s_.-]", "", str(key)).lower()


def get(table: dict, spellings: Iterable[str]) -> Any:
    """The first non-null entry whose key is one of the spellings, or None."""
    for key, value in table.items():
        if value is not None and normal(key) in spellings:
            return value
    return None


def get_all(table: dict, spellings: Iterable[str]) -> list[Any]:
    """All non-null entries whose key is one of the spellings."""
    return [value for key, value in table.items() if value is not None and normal(key) in spellings]


def knows(key: Any) -> bool:
    """Whether an entry of this name is read."""
    return normal(key) in _KNOWN


def unread(table: dict) -> list[str]:
    """Names of numeric entries that look like distortion, rotation or translation, and are not read."""
    names = [key for key in table if not knows(key) and normal(key) not in _HARMLESS]
    return [str(key) for key in names if _SUSPECT.match(normal(key)) and _is_numeric(table[key])]


def lens_or_pose(table: dict) -> list[str]:
    """Names of numeric entries of distortion, rotation or translation, read or not."""
    names = (*DISTORTION, *RADIAL, *TANGENTIAL, *SINGLE, *ROTATION, *TRANSLATION)
    found = [(key, value) for key, value in table.items() if normal(key) in names and _is_numeric(value)]
    known = [str(key) for key, value in found if not isinstance(value, dict) or "data" in value]
    return [*known, *unread(table)]


def _is_numeric(value: Any, depth: int = 4) -> bool:
    """Whether a value is a number that is not 0, or contains one and nothing but numbers."""
    if isinstance(value, dict):
        return depth > 0 and any(_is_numeric(entry, depth - 1) for entry in value.values())
    if isinstance(value, list):
        return depth > 0 and any(_is_numeric(entry, depth - 1) for entry in value)
    if isinstance(value, str):
        try:
            return any(float(part) for part in value.replace(",", " ").split())
        except ValueError:
            return False
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value != 0
