"""The entries of a camera's table: K or fx, fy, cx, cy, the size, distortion, lens model, rotation and translation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from zedo_core.camera.calibrations import _spelling as spelling
from zedo_core.camera.calibrations._lens import Distortion, distortion_of
from zedo_core.camera.calibrations._numbers import numbers
from zedo_core.camera.camera import Camera
from zedo_core.errors import CameraError

_IDENTITY_TOLERANCE = 1e-4  # rotations are often written with 6 digits


@dataclass(frozen=True)
class Entry:
    """A camera of a file: its names, the first of which is shown (none for an unnamed one), and its table.

    `unit_m` is the length of the translation's unit in metres; None where the tool does not fix it. A `default` is the
    camera to take where no name is given.
    """

    names: tuple[str, ...]
    table: dict
    unit_m: float | None = None
    default: bool = False


def camera_of(table: dict, source: str) -> Camera:
    """The camera of a table, with extrinsics as written; CameraError for entries that are missing or not valid."""
    where = f"camera ({source})"
    K = matrix_of(table, where)
    size = size_of(table, where)
    if size is not None and _is_by_columns(table, where) and spelling.get(table, spelling.SIZE) is not None:
        size = (size[1], size[0])  # MATLAB, whose K is transposed, says rows and columns
    lens: Distortion = distortion_of(table, K, size, where)
    camera = Camera.from_matrix(K, size=size, distortion=lens.coefficients, source=source, lens=lens.lens)
    extrinsics = extrinsics_of(table, where)
    if extrinsics is None:
        return camera
    R, t = extrinsics
    return replace(camera, R_cam_from_world=tuple(map(tuple, R.tolist())), t_cam_from_world=tuple(t.tolist()))


def is_camera(table: dict) -> bool:
    """Whether the table itself contains intrinsics, rather than a nested table of cameras."""
    matrix = spelling.get(table, spelling.MATRIX)
    if isinstance(matrix, dict):
        return "data" in matrix
    return matrix is not None or spelling.get(table, ("fx", "fy", "flx", "fly")) is not None


def is_matrix(value: Any) -> bool:
    """Whether a value is a nested list of three rows with three entries."""
    return isinstance(value, list) and len(value) == 3 and all(isinstance(row, list) and len(row) == 3 for row in value)


def matrix_of(table: dict, where: str) -> Float[ndarray, "3 3"]:
    """K from the table, or from fx, fy, cx and cy; also where it is written column by column."""
    matrices = spelling.get_all(table, spelling.MATRIX)
    if matrices and spelling.get(table, spelling.FOCALS["fx"]) is None:
        found = [numbers(matrix, f"{where}, matrix") for matrix in matrices]
        K = next((array for array in found if array.size in (4, 9)), found[0])
        if K.size == 4:  # fx, fy, cx, cy
            fx, fy, cx, cy = K.ravel().tolist()
            return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
        if K.size != 9:
            raise CameraError(f"{where}: expected a 3x3 matrix K, got shape {K.shape}")
        K = K.reshape(3, 3)
        return K.T if _is_transposed(K) else K
    found = {name: spelling.get(table, spellings) for name, spellings in spelling.FOCALS.items()}
    missing = [name for name, value in found.items() if value is None]
    if missing:
        raise CameraError(f"{where}: expected {', '.join(found)}; {', '.join(missing)} is missing")
    fx, fy, cx, cy = (numbers(value, f"{where}, {name}", count=1).item() for name, value in found.items())
    return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])


def _is_transposed(K: Float[ndarray, "3 3"]) -> bool:
    return bool(K[2, :2].any() and not K[:2, 2].any())


def _is_by_columns(table: dict, where: str) -> bool:
    matrix = spelling.get(table, spelling.MATRIX)
    return is_matrix(matrix) and _is_transposed(numbers(matrix, where))


def size_of(table: dict, where: str) -> tuple[int, int] | None:
    """(width, height) in pixels."""
    size = spelling.get(table, spelling.SIZE)
    if size is None or (isinstance(size, dict) and "data" not in size):
        inner = table if size is None else size
        size = [spelling.get(inner, spelling.WIDTH), spelling.get(inner, spelling.HEIGHT)]
        if size == [None, None]:
            return None
    width, height = numbers(size, f"{where}, image size", count=2).ravel().tolist()
    if not (width.is_integer() and height.is_integer()):
        raise CameraError(f"{where}: expected an image size in whole pixels, got {width:g} x {height:g}")
    return int(width), int(height)


def extrinsics_of(table: dict, where: str) -> tuple[Float[ndarray, "3 3"], Float[ndarray, "3"]] | None:
    """Rotation and translation from the world to the camera, as written; None unless both are there."""
    # OpenPose calls [R | t] the camera's matrix, beside the intrinsics
    for spellings in ((*spelling.TO_CAMERA, *spelling.MATRIX), spelling.TO_WORLD):
        for transform in spelling.get_all(table, spellings):
            values = numbers(transform, f"{where}, extrinsics")
            if values.size not in (12, 16):
                continue
            rows = values.reshape(-1, 4)
            R, t = rotation_of(rows[:3, :3], f"{where}, extrinsics"), _finite(rows[:3, 3], f"{where}, extrinsics")
            return (R, t) if spellings is not spelling.TO_WORLD else (R.T, -R.T @ t)
    rotation, translation = (spelling.get(table, names) for names in (spelling.ROTATION, spelling.TRANSLATION))
    if rotation is None or translation is None:
        return None
    t = numbers(translation, f"{where}, translation", count=3).ravel()
    return rotation_of(rotation, f"{where}, rotation"), t


def rotation_of(value: Any, where: str) -> Float[ndarray, "3 3"]:
    """A rotation matrix, given as such or as a Rodrigues vector in radians."""
    rotation = numbers(value, where)
    if rotation.size not in (3, 9) or not np.isfinite(rotation).all():
        raise CameraError(f"{where}: expected 3 (Rodrigues) or 3x3 finite values, got {rotation.tolist()}")
    if rotation.size == 3:
        import cv2

        return np.asarray(cv2.Rodrigues(rotation.reshape(3))[0], dtype=float)
    matrix = rotation.reshape(3, 3)
    if not np.allclose(matrix @ matrix.T, np.eye(3), atol=_IDENTITY_TOLERANCE) or np.linalg.det(matrix) < 0:
        raise CameraError(f"{where}: expected a rotation matrix, got {matrix.tolist()}")
    return matrix


def _finite(values: Float[ndarray, " n"], where: str) -> Float[ndarray, " n"]:
    if not np.isfinite(values).all():
        raise CameraError(f"{where}: expected finite values, got {values.tolist()}")
    return values
