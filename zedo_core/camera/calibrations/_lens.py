"""The lens of a camera's table: the coefficients in OpenCV's order, or those of a fisheye lens.

Models that undo the distortion instead of making it (RealSense's inverse Brown-Conrady, Vicon's) are turned into
OpenCV's by least squares over the picture.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from zedo_core.camera.calibrations import _spelling as spelling
from zedo_core.camera.calibrations._numbers import numbers
from zedo_core.camera.camera import Lens
from zedo_core.errors import CameraError

_FISHEYE = re.compile(r".*(fisheye|equidistant|kannalabrandt)|kb4?$|equi$")
_UNSUPPORTED = re.compile(
    r".*(omni|doublesphere|equirectangular|spherical|scaramuzza|ftheta|unified|thinprismfisheye|division)"
    r"|(ds|ucm|eucm|mei|fov|ocam|cylindrical)$"
)
_REALSENSE = ("none", "modified_brown_conrady", "inverse_brown_conrady", "ftheta", "brown_conrady", "kannala_brandt4")
_GRID = 21  # points along each side of the picture
_MAX_FIT_ERROR_PX = 0.5


@dataclass(frozen=True)
class Distortion:
    """The lens model and its coefficients."""

    lens: Lens
    coefficients: tuple[float, ...]


def distortion_of(table: dict, K: Float[ndarray, "3 3"], size: tuple[int, int] | None, where: str) -> Distortion:
    """The distortion of a camera's table; CameraError for a lens model that zedo does not have."""
    model = _model(table)
    if _UNSUPPORTED.match(model):
        raise CameraError(
            f"{where}: the lens model '{model}' is not supported; undistort the pictures, give their new K"
        )
    flag = str(spelling.get(table, spelling.FISHEYE)).strip().lower()
    is_fisheye = flag in ("true", "1", "1.0") or _FISHEYE.match(model) is not None
    values = _coefficients(table, is_fisheye, where)
    if is_fisheye:
        if any(values[4:]):
            raise CameraError(f"{where}: expected 4 distortion coefficients of a fisheye lens, got {len(values)}")
        return Distortion("fisheye", (*values, 0.0, 0.0, 0.0, 0.0)[:4])
    if "inverse" in model and any(values):
        return Distortion("brown", inverted(lambda xy: _brown(xy, (*values, 0.0)[:5]), K, size, where))
    padded = (*values, *[0.0] * (4 - len(values))) if len(values) in (1, 2) else values
    return Distortion("brown", padded)


def inverted(
    straighten: Callable[[Float[ndarray, "n 2"]], Float[ndarray, "n 2"]],
    K: Float[ndarray, "3 3"],
    size: tuple[int, int] | None,
    where: str,
) -> tuple[float, ...]:
    """k1, k2, p1, p2, k3 of a lens of which `straighten` gives normalised coordinates without distortion.

    CameraError when no such lens is within half a pixel in the whole picture.
    """
    width, height = size or (2 * K[0, 2], 2 * K[1, 2])
    corner, focal = np.array((K[0, 2], K[1, 2])), np.array((K[0, 0], K[1, 1]))
    if not np.isfinite(K).all() or not (focal > 0).all():
        raise CameraError(f"{where}: expected finite focal lengths above 0, got {focal.tolist()}")
    grid = np.stack(np.meshgrid(np.linspace(0, width, _GRID), np.linspace(0, height, _GRID)), -1).reshape(-1, 2)
    seen = (grid - corner) / focal
    straight = straighten(seen)
    x, y = straight.T
    r2 = (straight**2).sum(1)
    columns = [
        [x * r2, x * r2**2, 2 * x * y, r2 + 2 * x**2, x * r2**3],
        [y * r2, y * r2**2, r2 + 2 * y**2, 2 * x * y, y * r2**3],
    ]
    A, b = np.concatenate([np.stack(rows, 1) for rows in columns]), (seen - straight).T.ravel()
    if not (np.isfinite(A).all() and np.isfinite(b).all()):
        raise CameraError(f"{where}: expected a lens whose distortion can be undone, got coefficients out of range")
    solution = np.linalg.lstsq(A, b, rcond=None)[0]
    error_px = float(np.abs((A @ solution - b).reshape(2, -1).T * focal).max())
    if error_px > _MAX_FIT_ERROR_PX:
        raise CameraError(
            f"{where}: OpenCV's lens model is up to {error_px:.1f} px from this one; give undistorted pictures"
        )
    return tuple(solution.tolist())


def _brown(xy: Float[ndarray, "n 2"], coefficients: tuple[float, ...]) -> Float[ndarray, "n 2"]:
    k1, k2, p1, p2, k3 = coefficients
    x, y = xy.T
    r2 = x**2 + y**2
    radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
    return np.stack(
        [x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x**2), y * radial + p1 * (r2 + 2 * y**2) + 2 * p2 * x * y], 1
    )


def _model(table: dict) -> str:
    """The words for the lens model, without case and signs."""
    words = []
    for key, value in table.items():
        if spelling.normal(key) not in spelling.LENS_MODEL or isinstance(value, dict | list):
            continue
        is_number = isinstance(value, int) and spelling.get(table, ("ppx",)) is not None
        words.append(_REALSENSE[value] if is_number and 0 <= value < len(_REALSENSE) else str(value))
    names = [re.sub(r"[^a-z0-9]", "", word.lower()) for word in words]
    # kalibr writes camera_model: pinhole beside distortion_model: equidistant
    return next((name for name in names if _FISHEYE.match(name) or _UNSUPPORTED.match(name) or "brown" in name), "")


def _coefficients(table: dict, is_fisheye: bool, where: str) -> tuple[float, ...]:
    values = spelling.get(table, spelling.DISTORTION)
    if (values is not None and not isinstance(values, dict | bool)) or (isinstance(values, dict) and "data" in values):
        return tuple(numbers(values, f"{where}, distortion").ravel().tolist())
    radial, tangential = (spelling.get(table, names) for names in (spelling.RADIAL, spelling.TANGENTIAL))
    if radial is not None or tangential is not None:
        k = (*numbers(radial, f"{where}, radial distortion").ravel().tolist(), 0.0, 0.0)
        p = (*numbers(tangential, f"{where}, tangential distortion").ravel().tolist(), 0.0, 0.0)
        return (*k[:2], *p[:2], *k[2:-2])
    return _from_single(table, is_fisheye, where)


def _from_single(table: dict, is_fisheye: bool, where: str) -> tuple[float, ...]:
    """From k1, k2, p1, p2, k3 ... as entries of their own."""
    given: dict[str, Any] = {name: spelling.get(table, (name,)) for name in spelling.SINGLE}
    found = {
        name: numbers(value, f"{where}, {name}", count=1).item() for name, value in given.items() if value is not None
    }
    if is_fisheye:
        return tuple(found.get(name, 0.0) for name in ("k1", "k2", "k3", "k4")) if found else ()
    names = [name for name in spelling.SINGLE if found.get(name)]
    if names == ["k4"] or (found.get("k4") and "k5" not in found and "k6" not in found):
        raise CameraError(f"{where}: k4 without k5 and k6 is not in OpenCV's lens model; undistort the pictures")
    for count in (4, 5, 8, 12):
        if set(names) <= set(spelling.SINGLE[:count]):
            return tuple(found.get(name, 0.0) for name in spelling.SINGLE[:count]) if found else ()
    return ()
