"""The cameras of Human3.6M: from a camera file in the folder of the poses, else the published ones.

There are two formats of camera files. HDF5 (`cameras.h5`): groups `subject9/camera1` with R (3, 3), T (3, 1) in mm,
f (2, 1) and c (2, 1) in px, k (3, 1), p (2, 1) and Name, the camera's number as character codes.
JSON: {"S9": {"54138969": {"R": 3 x 3 or "orientation": [w, x, y, z], "translation": [x, y, z], "center": [x, y],
"focal_length": [x, y], "radial_distortion": [k1, k2, k3], "tangential_distortion": [p1, p2], "res_w": w,
"res_h": h}}}. In both, a point in camera axes is R (point - position); T and the translation are the camera's position
in the world, whose unit (mm or metres) follows from its magnitude; the orientation is the inverse rotation, from camera
axes to world axes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.spatial.transform import Rotation

from zedo_core.camera import Camera
from zedo_core.data._h36m_files import fields, files_in_folder, shorten
from zedo_core.data._hdf5 import read_hdf5, summarize
from zedo_core.errors import CameraError, FormatError

Cameras = dict[str, dict[str, Camera]]  # by subject, then by the camera's number

_MM = 1e-3
_MAX_DISTANCE_M = 50.0  # the room is about 5 m wide: larger values are in mm
_ROTATION_TOLERANCE = 1e-3
_MAX_JSON = 1_000_000  # bytes; larger files are not camera files
_H5_FIELDS = ("R", "T", "f", "c", "k", "p", "Name")

# Number, width, height, focal lengths and principal point in px, k1 k2 k3, p1 p2. These values and the extrinsics below
# are the calibration distributed with the data set (Ionescu et al., Human3.6M, TPAMI 2014; `w0` of its metadata), in
# the form of VideoPose3D and its successors: rotations as quaternions, all values rounded to float32.
_INTRINSICS = (
    (
        *("54138969", 1000, 1002, 1145.0494384765625, 1143.7811279296875, 512.54150390625, 515.4514770507812),
        *(-0.20709891617298126, 0.24777518212795258, -0.0030751503072679043),
        *(-0.0009756988729350269, -0.00142447161488235),
    ),
    (
        *("55011271", 1000, 1000, 1149.6756591796875, 1147.5916748046875, 508.8486328125, 508.0649108886719),
        *(-0.1942136287689209, 0.2404085397720337, 0.006819975562393665),
        *(-0.0016190266469493508, -0.0027408944442868233),
    ),
    (
        *("58860488", 1000, 1000, 1149.1407470703125, 1148.7989501953125, 519.8158569335938, 501.40264892578125),
        *(-0.2083381861448288, 0.25548800826072693, -0.0024604974314570427),
        *(0.0014843869721516967, -0.0007599993259645998),
    ),
    (
        *("60457274", 1000, 1002, 1145.5113525390625, 1144.77392578125, 514.9682006835938, 501.88201904296875),
        *(-0.198384091258049, 0.21832367777824402, -0.008947807364165783),
        *(-0.0005872055771760643, -0.0018133620033040643),
    ),
)
NUMBERS = tuple(str(row[0]) for row in _INTRINSICS)  # of the four cameras, in the order of the data set

# For each subject and camera: the rotation from camera to world axes (w, x, y, z), and the position in the world in mm.
_EXTRINSICS = {
    "S1": (
        (0.1407056450843811, -0.1500701755285263, -0.755240797996521, 0.6223280429840088),
        (1841.1070556640625, 4955.28466796875, 1563.4454345703125),
        (0.6157187819480896, -0.764836311340332, -0.14833825826644897, 0.11794740706682205),
        (1761.278564453125, -5078.0068359375, 1606.2650146484375),
        (0.14651472866535187, -0.14647851884365082, 0.7653023600578308, -0.6094175577163696),
        (-1846.7777099609375, 5215.04638671875, 1491.972412109375),
        (0.5834008455276489, -0.7853162288665771, 0.14548823237419128, -0.14749594032764435),
        (-1794.7896728515625, -3722.698974609375, 1574.8927001953125),
    ),
    "S5": (
        (0.1467377245426178, -0.162370964884758, -0.7551892995834351, 0.6178938746452332),
        (2097.3916015625, 4880.94482421875, 1605.732421875),
        (0.6159758567810059, -0.7626792192459106, -0.15728192031383514, 0.1189815029501915),
        (2031.7008056640625, -5167.93310546875, 1612.923095703125),
        (0.14291371405124664, -0.12907841801643372, 0.7678384780883789, -0.6110143065452576),
        (-1620.5948486328125, 5171.65869140625, 1496.43701171875),
        (0.5920479893684387, -0.7814217805862427, 0.1274748593568802, -0.15036417543888092),
        (-1637.1737060546875, -3867.3173828125, 1547.033203125),
    ),
    "S6": (
        (0.1337897777557373, -0.15692396461963654, -0.7571090459823608, 0.6198879480361938),
        (1935.4517822265625, 4950.24560546875, 1618.0838623046875),
        (0.6147197484970093, -0.7628812789916992, -0.16174767911434174, 0.11819244921207428),
        (1969.803955078125, -5128.73876953125, 1632.77880859375),
        (0.1529948115348816, -0.13529130816459656, 0.7646096348762512, -0.6112781167030334),
        (-1769.596435546875, 5185.361328125, 1476.993408203125),
        (0.5916101336479187, -0.7804774045944214, 0.12832270562648773, -0.1561593860387802),
        (-1721.668701171875, -3884.13134765625, 1540.4879150390625),
    ),
    "S7": (
        (0.1435241848230362, -0.1631336808204651, -0.7548328638076782, 0.6188824772834778),
        (1974.512939453125, 4926.3544921875, 1597.8326416015625),
        (0.6141672730445862, -0.7638262510299683, -0.1596645563840866, 0.1177929937839508),
        (1937.0584716796875, -5119.7900390625, 1631.5665283203125),
        (0.14550060033798218, -0.12874816358089447, 0.7660516500473022, -0.6127139329910278),
        (-1741.8111572265625, 5208.24951171875, 1464.8245849609375),
        (0.5912848114967346, -0.7821764349937439, 0.12445473670959473, -0.15196487307548523),
        (-1734.7105712890625, -3832.42138671875, 1548.5830078125),
    ),
    "S8": (
        (0.14110587537288666, -0.15589867532253265, -0.7561917304992676, 0.619644045829773),
        (2150.65185546875, 4896.1611328125, 1611.9046630859375),
        (0.6169601678848267, -0.7647668123245239, -0.14846350252628326, 0.11158157885074615),
        (2219.965576171875, -5148.453125, 1613.0440673828125),
        (0.1471444070339203, -0.13377119600772858, 0.7670128345489502, -0.6100369691848755),
        (-1571.2215576171875, 5137.0185546875, 1498.1761474609375),
        (0.5927824378013611, -0.7825870513916016, 0.12147816270589828, -0.14631995558738708),
        (-1476.913330078125, -3896.7412109375, 1547.97216796875),
    ),
    "S9": (
        (0.15540587902069092, -0.15548215806484222, -0.7532095313072205, 0.6199594736099243),
        (2044.45849609375, 4935.1171875, 1481.2275390625),
        (0.618784487247467, -0.7634735107421875, -0.14132238924503326, 0.11933968216180801),
        (1990.959716796875, -5123.810546875, 1568.8048095703125),
        (0.13357827067375183, -0.1367100477218628, 0.7689454555511475, -0.6100738644599915),
        (-1670.9921875, 5211.98583984375, 1528.387939453125),
        (0.5879399180412292, -0.7823407053947449, 0.1427614390850067, -0.14794869720935822),
        (-1696.04345703125, -3827.099853515625, 1591.4127197265625),
    ),
    "S11": (
        (0.15232472121715546, -0.15442320704460144, -0.7547563314437866, 0.6191070079803467),
        (2098.440185546875, 4926.5546875, 1500.278564453125),
        (0.6189449429512024, -0.7600917220115662, -0.15300633013248444, 0.1255258321762085),
        (2083.182373046875, -4912.1728515625, 1561.07861328125),
        (0.14943228662014008, -0.15650227665901184, 0.7681233882904053, -0.6026304364204407),
        (-1609.8153076171875, 5177.3359375, 1537.896728515625),
        (0.5894251465797424, -0.7818877100944519, 0.13991211354732513, -0.14715361595153809),
        (-1590.738037109375, -3854.1689453125, 1578.017578125),
    ),
}


def find_cameras(folder: Path) -> tuple[Cameras, str]:
    """The cameras of a folder's camera file, else the published ones, and a description of their source.

    FormatError or CameraError when there is a camera file that cannot be used.
    """
    for path in files_in_folder(folder, (".h5", ".hdf5")):
        if any(name.startswith("subject") for name in fields(path)):
            return _from_hdf5(path), str(path)
    for path in files_in_folder(folder, (".json",)):
        table = _json_table(path)
        if table is not None:
            return _from_json(path, table), str(path)
    named = next((path for path in files_in_folder(folder, (".h5", ".json")) if path.stem == "cameras"), None)
    if named is not None:
        raise FormatError(
            f"{named}: expected the cameras of Human3.6M (groups subject9/camera1, or JSON by subject and camera), "
            f"found {summarize(fields(named))}; remove it to use the published cameras"
        )
    return published_cameras(), "the published cameras"


def published_cameras() -> Cameras:
    """The calibration of the seven subjects with known poses."""
    return {
        subject: {
            str(number): _camera(
                R=_rotation_from_quaternion(np.array(rows[2 * i])).T,
                position_m=np.array(rows[2 * i + 1]) * _MM,
                intrinsics=np.array(values, float),
                size=(int(width), int(height)),
                source=f"published camera {number} of {subject}",
            )
            for i, (number, width, height, *values) in enumerate(_INTRINSICS)
        }
        for subject, rows in _EXTRINSICS.items()
    }


def find_camera(cameras: Cameras, source: str, subject: str, number: str) -> Camera:
    """A camera of a subject; FormatError when there is none."""
    camera = cameras.get(subject, {}).get(number)
    if camera is None:
        found = shorten(cameras.get(subject) or cameras)
        raise FormatError(f"{source}: expected camera {number} of {subject}, found {found}")
    return camera


def _camera(
    *,
    R: Float[ndarray, "3 3"],
    position_m: Float[ndarray, "3"],
    intrinsics: Float[ndarray, "9"],
    size: tuple[int, int] | None,
    source: str,
) -> Camera:
    """A camera from its rotation (world to camera axes), its position, and f, c, k1 k2 k3, p1 p2."""
    if not (np.isfinite(R).all() and np.allclose(R @ R.T, np.eye(3), atol=_ROTATION_TOLERANCE)):
        raise CameraError(f"{source}: expected a rotation, found {R.round(4).tolist()}")
    fx, fy, cx, cy, k1, k2, k3, p1, p2 = (float(value) for value in intrinsics)
    return Camera(
        fx=fx,
        fy=fy,
        cx=cx,
        cy=cy,
        size=size,
        distortion=(k1, k2, p1, p2, k3),
        R_cam_from_world=tuple(tuple(float(value) for value in row) for row in R),
        t_cam_from_world=tuple(float(value) for value in -R @ position_m),
        source=source,
    )


def _rotation_from_quaternion(quaternion: Float[ndarray, "4"]) -> Float[ndarray, "3 3"]:
    """Rotation matrix of a quaternion (w, x, y, z)."""
    return Rotation.from_quat(np.roll(quaternion, -1)).as_matrix()


def _from_hdf5(path: Path) -> Cameras:
    cameras: Cameras = {}
    subjects = [f"subject{subject[1:]}" for subject in _EXTRINSICS if f"subject{subject[1:]}" in fields(path)]
    names = {(s, i): f"{s}/camera{i + 1}" for s in subjects for i in range(len(NUMBERS))}
    arrays = read_hdf5(path, [f"{group}/{field}" for group in names.values() for field in _H5_FIELDS])
    for (subject, _), group in names.items():
        sizes = {"R": 9, "T": 3, "f": 2, "c": 2, "k": 3, "p": 2}
        values = {key: _numbers(path, f"{group}/{key}", arrays[f"{group}/{key}"], n) for key, n in sizes.items()}
        codes = arrays[f"{group}/Name"].ravel()
        number = "".join(chr(int(code)) for code in codes if 0 < code < 128)
        cameras.setdefault("S" + subject.removeprefix("subject"), {})[number] = _camera(
            R=_row_major(values["R"].reshape(3, 3)),
            position_m=values["T"] * _MM,
            intrinsics=np.concatenate([values[key] for key in "fckp"]),
            size=None,
            source=f"{path}: {group}",
        )
    return cameras


def _row_major(stored: Float[ndarray, "3 3"]) -> Float[ndarray, "3 3"]:
    """A rotation from world axes (z up) that is stored in row-major or, as in MATLAB, in column-major order.

    The one whose x axis is closer to level is right: the cameras are upright and look slightly downwards.
    """
    return stored if abs(stored[0, 2]) < abs(stored[2, 0]) else stored.T


def _json_table(path: Path) -> Mapping[str, Any] | None:
    """The content of a file with cameras by subject, None for any other."""
    if path.stat().st_size > _MAX_JSON:
        return None
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(table, dict) or not any(subject in table for subject in _EXTRINSICS):
        return None
    return table


def _from_json(path: Path, table: Mapping[str, Any]) -> Cameras:
    return {
        subject: {
            str(number): _from_fields(f"{path}: camera {number} of {subject}", camera)
            for number, camera in _mapping(f"{path}: {subject}", cameras).items()
        }
        for subject, cameras in table.items()
        if subject in _EXTRINSICS  # the cameras of the four subjects without published poses may be empty
    }


def _from_fields(where: str, camera: Any) -> Camera:
    camera = _mapping(where, camera)

    def values(key: str, count: int) -> ndarray:
        return _numbers(where, key, camera.get(key), count)

    R = values("R", 9).reshape(3, 3) if "R" in camera else _rotation_from_quaternion(values("orientation", 4)).T
    position = values("translation", 3)
    keys = {"focal_length": 2, "center": 2, "radial_distortion": 3, "tangential_distortion": 2}
    size = values("res_w", 1), values("res_h", 1)
    return _camera(
        R=R,
        position_m=position * (_MM if np.linalg.norm(position) > _MAX_DISTANCE_M else 1.0),
        intrinsics=np.concatenate([values(key, count) for key, count in keys.items()]),
        size=(int(size[0][0]), int(size[1][0])),
        source=where,
    )


def _mapping(where: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise FormatError(f"{where}: expected fields by name, found {type(value).__name__}")
    return value


def _numbers(where: str | Path, name: str, value: Any, count: int) -> Float[ndarray, " n"]:
    try:
        array = np.asarray(value, float).ravel()
    except (TypeError, ValueError, OverflowError):
        array = np.array([])
    if len(array) != count or not np.isfinite(array).all():
        raise CameraError(f"{where}: expected '{name}' to be {count} finite numbers, found {str(value)[:80]}")
    return array
