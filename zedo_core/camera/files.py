"""Cameras from calibration files: Pose2Sim/OpenCap TOML, JSON, YAML, npz, ROS and OpenCV's YAML, XML and JSON.

Every format is first parsed into nested tables; a table that contains a matrix K (under one of its usual names) or `fx`
is a camera, and its key is the camera's name.
"""

from __future__ import annotations

import json
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from zedo_core.camera.camera import Camera
from zedo_core.errors import CameraError, FormatError
from zedo_core.storage.files import load_arrays

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pyright: ignore[reportMissingImports]

_ZIP_MAGIC = b"PK\x03\x04"
_MAX_ARRAY = 64  # values; larger arrays of an npz are not camera parameters
_MAX_TEXT = 2**22  # bytes; about a thousand cameras, and parsed as YAML within seconds
_MAX_ALIASES = 16  # of YAML; each repeats a part of the file, and nested aliases multiply
_MAX_DEPTH = 4  # of nested tables
_IDENTITY_TOLERANCE = 1e-4  # rotations are often written with 6 digits

# Accepted spellings of each key, compared without case, underscores and dashes.
_MATRIX = ("k", "matrix", "cameramatrix", "intrinsics", "intrinsic", "intrinsicmatrix", "mtx")
_FOCALS = ("fx", "fy", "cx", "cy")
_DISTORTION = ("distortions", "distortion", "dist", "d", "distcoeffs", "distortioncoefficients")
_SIZE = ("size", "imagesize", "resolution")
_WIDTH, _HEIGHT = ("width", "imagewidth"), ("height", "imageheight")
_NAME = ("name", "cameraname")
_LENS_MODEL = ("distortionmodel", "cameramodel", "model")
_FISHEYE_MODELS = ("fisheye", "equidistant", "kannalabrandt")


def read_calibration(path: Path, name: str | None = None) -> Camera:
    """Read the camera of a calibration file; `name` chooses one of several.

    Extrinsics are taken from `rotation` (a Rodrigues vector or a matrix, world to camera) and `translation` in metres.
    FormatError when the file cannot be read, CameraError when it has no such camera or one that zedo does not support.
    """
    cameras = list(_find_cameras(_parse(path), None))
    label, table = _choose(cameras, name, path)
    source = path.name if label is None else f"{path.name}, camera {label}"
    return _camera(table, source)


def _choose(cameras: list[tuple[str | None, dict]], name: str | None, path: Path) -> tuple[str | None, dict]:
    """The camera of this name, or the only one."""
    if not cameras:
        raise CameraError(f"{path}: expected fx, fy, cx, cy or a 3x3 matrix K, alone or per camera, found no camera")
    if name is None and len(cameras) == 1:
        return cameras[0]
    matches = [camera for camera in cameras if camera[0] == name]
    if name is not None and matches:
        return matches[0]
    names = ", ".join(str(label) for label, _ in cameras if label is not None)
    if name is None:
        raise CameraError(f"{path}: contains {len(cameras)} cameras, choose one by name: {names}")
    raise CameraError(f"{path}: has no camera '{name}'; it has {names or 'one camera without a name'}")


def _find_cameras(value: Any, label: str | None, depth: int = 0) -> Iterator[tuple[str | None, dict]]:
    """Every camera in nested tables, with its name (None for an unnamed one at the top level)."""
    if depth > _MAX_DEPTH:
        return
    if isinstance(value, dict) and _is_camera(value):
        name = _get(value, _NAME)
        yield (str(name) if label is None and name is not None else label), value
    elif isinstance(value, dict):
        for key, entry in value.items():
            yield from _find_cameras(entry, str(key), depth + 1)
    elif _is_matrix(value):
        yield label, {"K": value}
    elif isinstance(value, list):
        for i, entry in enumerate(value):
            name = _get(entry, _NAME) if isinstance(entry, dict) else None
            yield from _find_cameras(entry, str(i if name is None else name), depth + 1)


def _is_camera(table: dict) -> bool:
    """Whether the table itself contains intrinsics, rather than a nested table of cameras."""
    matrix = _get(table, _MATRIX)
    if isinstance(matrix, dict):
        return "data" in matrix or _get(matrix, _FOCALS) is not None
    return matrix is not None or _get(table, _FOCALS) is not None


def _is_matrix(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 3 and all(isinstance(row, list) and len(row) == 3 for row in value)


def _get(table: dict, spellings: tuple[str, ...]) -> Any:
    """The first non-null entry whose key is one of the spellings, or None."""
    for key, value in table.items():
        if value is not None and str(key).lower().replace("_", "").replace("-", "") in spellings:
            return value
    return None


def _camera(table: dict, source: str) -> Camera:
    where = f"camera ({source})"
    model = _get(table, _LENS_MODEL)
    if _get(table, ("fisheye",)) in (True, 1, "1", "true") or str(model).lower().replace("_", "") in _FISHEYE_MODELS:
        raise CameraError(f"{where}: fisheye lenses are not supported; undistort the pictures and give their new K")
    camera = Camera.from_matrix(
        _matrix(table, where),
        size=_size(table, where),
        distortion=tuple(_numbers(_get(table, _DISTORTION), f"{where}, distortion").ravel().tolist()),
        source=source,
    )
    rotation, translation = table.get("rotation"), table.get("translation")
    if rotation is None or translation is None:
        return camera
    return replace(
        camera,
        R_cam_from_world=tuple(map(tuple, _rotation(rotation, f"{where}, rotation").tolist())),
        t_cam_from_world=tuple(_numbers(translation, f"{where}, translation", count=3).ravel().tolist()),
    )


def _matrix(table: dict, where: str) -> Float[ndarray, "3 3"]:
    """K from the table, from a nested table, or from fx, fy, cx and cy."""
    matrix = _get(table, _MATRIX)
    if isinstance(matrix, dict) and _get(matrix, _FOCALS) is not None:
        return _matrix(matrix, where)
    if matrix is not None:
        K = _numbers(matrix, f"{where}, matrix")
        if K.size != 9:
            raise CameraError(f"{where}: expected a 3x3 matrix K, got shape {K.shape}")
        return K.reshape(3, 3)
    missing = [name for name in _FOCALS if _get(table, (name,)) is None]
    if missing:
        raise CameraError(f"{where}: expected {', '.join(_FOCALS)}; {', '.join(missing)} is missing")
    fx, fy, cx, cy = (_numbers(_get(table, (name,)), f"{where}, {name}", count=1).item() for name in _FOCALS)
    return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])


def _size(table: dict, where: str) -> tuple[int, int] | None:
    """(width, height) in pixels."""
    size = _get(table, _SIZE)
    if size is None:
        size = [_get(table, _WIDTH), _get(table, _HEIGHT)]
        if size == [None, None]:
            return None
    width, height = _numbers(size, f"{where}, image size", count=2).ravel().tolist()
    if not (width.is_integer() and height.is_integer()):
        raise CameraError(f"{where}: expected an image size in whole pixels, got {width:g} x {height:g}")
    return int(width), int(height)


def _rotation(value: Any, where: str) -> Float[ndarray, "3 3"]:
    """A rotation matrix, given as such or as a Rodrigues vector in radians."""
    rotation = _numbers(value, where)
    if rotation.size not in (3, 9) or not np.isfinite(rotation).all():
        raise CameraError(f"{where}: expected 3 (Rodrigues) or 3x3 finite values, got {rotation.tolist()}")
    if rotation.size == 3:
        import cv2

        return np.asarray(cv2.Rodrigues(rotation.reshape(3))[0], dtype=float)
    matrix = rotation.reshape(3, 3)
    if not np.allclose(matrix @ matrix.T, np.eye(3), atol=_IDENTITY_TOLERANCE) or np.linalg.det(matrix) < 0:
        raise CameraError(f"{where}: expected a rotation matrix, got {matrix.tolist()}")
    return matrix


def _numbers(value: Any, where: str, count: int | None = None) -> Float[ndarray, "..."]:
    """The numbers of a list, a text, or a stored matrix {rows, cols, data}; an empty array for None."""
    if isinstance(value, dict) and "data" in value:
        value = value["data"]
    if isinstance(value, str):
        value = value.split()
    try:
        array = np.array([] if value is None else value, dtype=float)
    except (TypeError, ValueError, OverflowError, RecursionError):
        raise CameraError(f"{where}: expected numbers, got {str(value)[:80]!a}") from None
    if count is not None and (array.size != count or not np.isfinite(array).all()):
        raise CameraError(f"{where}: expected {count} finite numbers, got {array.tolist()}")
    return array


def _read(path: Path) -> bytes:
    """The content of a text; of an npz, which may also contain keypoints, only the beginning."""
    with open(path, "rb") as file:  # once, since it may be a pipe
        head = file.read(len(_ZIP_MAGIC))
        content = head if head == _ZIP_MAGIC else head + file.read(_MAX_TEXT + 1)
    if len(content) > _MAX_TEXT:
        raise FormatError(f"{path}: expected a camera file of at most {_MAX_TEXT >> 20} MiB, found more")
    return content


def _parse(path: Path) -> Any:
    """The nested tables of a file in any of the formats, detected from its content."""
    try:
        content = _read(path)
    except (OSError, ValueError) as error:
        raise FormatError(f"{path}: cannot read the camera ({getattr(error, 'strerror', None) or error})") from None
    if content.startswith(_ZIP_MAGIC):
        return _parse_npz(path)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise FormatError(f"{path}: expected a camera as TOML, JSON, YAML, XML or npz, found binary data") from None
    parsers = {"XML": _parse_xml} if text.lstrip().startswith("<") else _PARSERS
    reasons = []
    for name, parse in parsers.items():
        try:
            return parse(text)
        except (ValueError, SyntaxError, RecursionError, OverflowError) as error:
            reasons.append(f"as {name}: {error}")
    raise FormatError(f"{path}: cannot read the camera ({'; '.join(reasons)})")


def _parse_npz(path: Path) -> dict[str, Any]:
    arrays = load_arrays(path)
    small = {name: a for name, a in arrays.items() if a.size <= _MAX_ARRAY}
    return {name: array.tolist() for name, array in small.items()}


def _parse_yaml(text: str) -> Any:
    """Parse YAML, including OpenCV's dialect of it."""
    import yaml

    class Loader(yaml.SafeLoader):
        """Reads OpenCV's matrices as plain tables and bounds the number of aliases."""

        aliases = 0

        def compose_node(self, parent: Any, index: Any) -> Any:
            """Compose a node as usual, counting aliases."""
            self.aliases += self.check_event(yaml.AliasEvent)
            if self.aliases > _MAX_ALIASES:
                raise yaml.YAMLError(f"more than {_MAX_ALIASES} aliases")
            return super().compose_node(parent, index)

        def matrix(self, node: yaml.MappingNode) -> dict:
            return self.construct_mapping(node, deep=True)

    Loader.add_constructor("tag:yaml.org,2002:opencv-matrix", Loader.matrix)
    try:
        return yaml.load(text.removeprefix("%YAML:1.0"), Loader)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None


def _parse_xml(text: str) -> Any:
    if "<!DOCTYPE" in text.upper() or "<!ENTITY" in text.upper():
        raise ValueError("a document type, which calibration files do not need")
    return _xml_table(ElementTree.fromstring(text))


def _xml_table(element: ElementTree.Element) -> Any:
    """An XML element as a table of its children, or its text."""
    return {child.tag: _xml_table(child) for child in element} if len(element) else (element.text or "").strip()


_PARSERS: dict[str, Callable[[str], Any]] = {"JSON": json.loads, "TOML": tomllib.loads, "YAML": _parse_yaml}
