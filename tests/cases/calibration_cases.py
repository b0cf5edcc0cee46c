"""Files of calibration tools, written from one camera: its K, distortion, rotation and translation."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import yaml
from numpy import ndarray
from scipy.spatial.transform import Rotation

K = np.array([[1682.0, 0.0, 513.2], [0.0, 1681.5, 955.0], [0.0, 0.0, 1.0]])
SIZE = (1088, 1920)
D = [-0.286, 0.186, -0.0002, 0.0006, 0.035]  # k1, k2, p1, p2, k3
FISHEYE = [-0.03, 0.02, -0.01, 0.003]
R = Rotation.from_euler("xyz", (100, 20, -30), degrees=True).as_matrix()  # from the world to the camera
T = np.array((0.3, -0.7, 4.0))  # m
FLIP = np.diag((1.0, -1.0, -1.0))
# A person's size of points in the world, all in front of the camera.
POINTS = np.random.default_rng(0).uniform(-0.7, 0.7, (12, 3))


@dataclass(frozen=True, kw_only=True)
class Case:
    """Contents of the files by name, the first of which is given; the camera's name in it and what it must be."""

    contents: dict[str, str]
    name: str | None = None
    distortion: Any = ()
    lens: str = "brown"
    size: tuple[int, int] | None = SIZE
    R: ndarray | None = field(default_factory=lambda: R)
    t: ndarray = field(default_factory=lambda: T)
    K: ndarray = field(default_factory=lambda: K)
    exact: bool = True  # whether the coefficients are those of the file
    scaled: bool = False  # whether the unit of the translation is unknown
    within_px: float = 1e-3


def files() -> dict[str, Case]:
    """A case for each form of each tool."""
    return {
        "Qualisys": _qualisys(64, D),
        "Qualisys, of another size than its sensor": _qualisys(128, [0, 0, 0, 0, 0]),
        "EasyMocap": _easymocap("intri.yml"),
        "EasyMocap, by its extrinsics": _easymocap("extri.yml"),
        "Kalibr radtan": _kalibr("radtan", D[:4], "brown"),
        "Kalibr equidistant": _kalibr("equidistant", FISHEYE, "fisheye"),
        "nerfstudio": _nerfstudio({"camera_model": "OPENCV", "k1": D[0], "k2": D[1], "p1": D[2], "p2": D[3]}, D[:4]),
        "nerfstudio fisheye": _nerfstudio(
            {"camera_model": "OPENCV_FISHEYE"} | dict(zip(("k1", "k2", "k3", "k4"), FISHEYE, strict=True)), FISHEYE
        ),
        "nerfstudio, a lens per frame": _nerfstudio({"camera_model": "PINHOLE"}, (), own=True),
        "nerfstudio, the lens alone": _nerfstudio_lens(),
        "instant-ngp, angles": _instant_ngp(),
        **_colmap(),
        "Vicon": _vicon(),
        "RealSense": _realsense("distortion.brown_conrady", D, D),
        "RealSense, fisheye": _realsense("Kannala Brandt4", [*FISHEYE, 0.0], FISHEYE, "fisheye"),
        "RealSense, by number": _realsense(4, D, D),
        "Open3D": _json({"width": 1088, "height": 1920, "intrinsic_matrix": K.T.ravel().tolist()}, R=None),
        "CMU Panoptic": _panoptic(),
        "Caliscope": _toml("[cameras.3]\ncam_id = 3\nrotation_count = 1\nerror = 0.2\n", "3", D, R.tolist()),
        "anipose": _toml('[cam_2]\nname = "C"\n', "C", D, cv2.Rodrigues(R)[0].ravel().tolist()),
        "FreeMoCap, mm": _toml('[cam_2]\nname = "C"\n', "C", D, cv2.Rodrigues(R)[0].ravel().tolist(), 1000.0),
        "anipose fisheye": _toml('[cam_0]\nname = "F"\nfisheye = true\n', "F", FISHEYE, R.tolist(), lens="fisheye"),
        "ROS": _ros("plumb_bob", D, D),
        "ROS equidistant": _ros("equidistant", FISHEYE, FISHEYE, "fisheye"),
        "ROS message": _json(
            {
                "header": {"frame_id": "cam"}, "height": 1920, "width": 1088, "distortion_model": "plumb_bob",
                "D": D, "K": K.ravel().tolist(), "R": np.eye(3).ravel().tolist(),
                "P": np.hstack([K, np.zeros((3, 1))]).ravel().tolist(), "binning_x": 0,
            },
            distortion=D, R=None,
        ),
        "a 4x4 matrix": _json({"K": K.tolist(), "size": SIZE, "dist": D, "extrinsics": _pose(R, T).tolist()}),
        "a 4x4 matrix to the world": _json(
            {"K": K.tolist(), "size": SIZE, "dist": D, "cam2world": np.linalg.inv(_pose(R, T)).tolist()}
        ),
        "nested parts": _json(
            {
                "intrinsics": {"K": K.tolist(), "image_size": SIZE},
                "extrinsics": {"R": R.tolist(), "t": T.tolist()},
                "distortion_coefficients": D,
            }
        ),
        "OpenCV stereo": _stereo(),
    }  # fmt: skip


def _json(document: Any, distortion: Any = None, **fields: Any) -> Case:
    if distortion is None:
        distortion = D if "dist" in json.dumps(document) else ()
    return Case(contents={"camera.json": json.dumps(document)}, distortion=distortion, **fields)


def _pose(rotation: ndarray, translation: ndarray) -> ndarray:
    return np.vstack([np.column_stack([rotation, translation]), (0, 0, 0, 1)])


def _qualisys(subpixels: int, distortion: list[float]) -> Case:
    M, place = FLIP @ R, -R.T @ (1000 * T)
    names = ("radialDistortion1", "radialDistortion2", "tangentalDistortion1", "tangentalDistortion2")
    lens = dict(zip((*names, "radialDistortion3"), distortion, strict=True))
    u, v = 1087 * subpixels, 1919 * subpixels
    intrinsic = {
        "focalLengthU": K[0, 0] * subpixels, "focalLengthV": K[1, 1] * subpixels, "skew": 0, "focallength": 9.3,
        "centerPointU": K[0, 2] * subpixels, "centerPointV": K[1, 2] * subpixels,
        "sensorMinU": 0, "sensorMaxU": u, "sensorMinV": 0, "sensorMaxV": v, **lens,
    }  # fmt: skip
    transform = dict(zip("xyz", place, strict=True))
    transform |= {f"r{i + 1}{j + 1}": M[i, j] for i in range(3) for j in range(3)}
    view = "left='0' top='0' right='1087' bottom='1919'"
    cameras = "".join(
        f"<camera active='1' serial='{name}' viewrotation='0'><fov_video {view}/><fov_video_max {view}/>"
        f"<transform {_attributes(transform)}/><intrinsic {_attributes(intrinsic)}/></camera>"
        for name in ("cam01", "cam02")
    )
    text = f"<?xml version='1.0' encoding='ASCII'?><calibration source='x'><cameras>{cameras}</cameras></calibration>"
    return Case(contents={"Calib.qca.txt": text}, name="cam02", distortion=distortion)


def _attributes(values: dict[str, Any]) -> str:
    return " ".join(f"{name}='{float(value)!r}'" for name, value in values.items())


def _opencv(name: str, array: Any) -> str:
    rows = np.atleast_2d(np.asarray(array, float))
    data = ", ".join(repr(float(v)) for v in rows.ravel())
    return f"{name}: !!opencv-matrix\n   rows: {len(rows)}\n   cols: {rows.shape[1]}\n   dt: d\n   data: [{data}]\n"


def _easymocap(given: str) -> Case:
    head = '%YAML:1.0\n---\nnames:\n   - "01"\n   - "02"\n'
    intri = head + "".join(_opencv(f"K_{n}", K) + _opencv(f"dist_{n}", D) for n in ("01", "02"))
    intri += "".join(f"H_{n}: 1920\nW_{n}: 1088\n" for n in ("01", "02"))
    rvec = cv2.Rodrigues(R)[0]
    extri = head + "".join(
        _opencv(f"R_{n}", rvec) + _opencv(f"Rot_{n}", R) + _opencv(f"T_{n}", T[:, None]) for n in ("01", "02")
    )
    contents = {"intri.yml": intri, "extri.yml": extri}
    ordered = {given: contents[given], **contents}
    return Case(contents=ordered, name="02", distortion=D)


def _kalibr(model: str, distortion: list[float], lens: str) -> Case:
    cam = {
        "cam_overlaps": [1], "camera_model": "pinhole", "distortion_coeffs": distortion, "distortion_model": model,
        "intrinsics": [1682.0, 1681.5, 513.2, 955.0], "resolution": list(SIZE), "rostopic": "/cam/image_raw",
    }  # fmt: skip
    half = _pose(Rotation.from_euler("y", 10, degrees=True).as_matrix(), np.array((0.1, 0, 0)))
    chain = {"cam0": cam, "cam1": cam | {"T_cn_cnm1": half.tolist()}}
    chain["cam2"] = cam | {"T_cn_cnm1": (_pose(R, T) @ np.linalg.inv(half)).tolist()}
    text = yaml.safe_dump(chain)
    return Case(contents={"camchain.yaml": text}, name="cam2", distortion=distortion, lens=lens)


def _nerfstudio(model: dict[str, Any], distortion: Any, own: bool = False) -> Case:
    lens = {"fl_x": K[0, 0], "fl_y": K[1, 1], "cx": K[0, 2], "cy": K[1, 2], "w": 1088, "h": 1920, **model}
    to_world = np.linalg.inv(_pose(R, T)) @ np.diag((1, -1, -1, 1))
    other = {"file_path": "images/frame_00001.png", "transform_matrix": np.eye(4).tolist()}
    frame = {"file_path": "images/frame_00002.png", "transform_matrix": to_world.tolist()}
    frames = [other | lens | {"fl_x": 5.0}, frame | lens] if own else [other, frame]
    document = {"frames": frames} if own else {**lens, "frames": frames}
    lens_kind = "fisheye" if "FISHEYE" in model.get("camera_model", "") else "brown"
    return Case(
        contents={"transforms.json": json.dumps(document)},
        name="frame_00002.png" if own else "images/frame_00002.png",
        distortion=distortion,
        lens=lens_kind,
    )


def _nerfstudio_lens() -> Case:
    case = _nerfstudio({"camera_model": "OPENCV", "k1": D[0]}, (D[0], 0, 0, 0))
    return Case(contents=case.contents, distortion=case.distortion, R=None)


def _instant_ngp() -> Case:
    centred = np.array([[1682.0, 0, 544.0], [0, 1682.0, 960.0], [0, 0, 1]])
    document = {
        "camera_angle_x": 2 * np.arctan(1088 / 2 / 1682.0), "w": 1088, "h": 1920, "aabb_scale": 16,
        "frames": [{"file_path": f"{i}", "transform_matrix": np.eye(4).tolist()} for i in range(2)],
    }  # fmt: skip
    return Case(contents={"transforms.json": json.dumps(document)}, R=None, K=centred)


def _colmap() -> dict[str, Case]:
    f, fy, cx, cy = K[0, 0], K[1, 1], K[0, 2], K[1, 2]
    same = np.array([[f, 0, cx], [0, f, cy], [0, 0, 1]])
    models: dict[str, tuple[list[float], Any, ndarray]] = {
        "SIMPLE_PINHOLE": ([f, cx, cy], (), same),
        "PINHOLE": ([f, fy, cx, cy], (), K),
        "SIMPLE_RADIAL": ([f, cx, cy, D[0]], [D[0], 0, 0, 0], same),
        "RADIAL": ([f, cx, cy, D[0], D[1]], [D[0], D[1], 0, 0], same),
        "OPENCV": ([f, fy, cx, cy, *D[:4]], D[:4], K),
        "FULL_OPENCV": ([f, fy, cx, cy, *D, 0.01, 0.02, 0.03], [*D, 0.01, 0.02, 0.03], K),
        "OPENCV_FISHEYE": ([f, fy, cx, cy, *FISHEYE], FISHEYE, K),
        "RADIAL_FISHEYE": ([f, cx, cy, *FISHEYE[:2]], [*FISHEYE[:2], 0, 0], same),
    }
    x, y, z, w = Rotation.from_matrix(R).as_quat()
    pose = " ".join(map(repr, map(float, (w, x, y, z, *T))))
    images = f"# Image list\n1 1 0 0 0 0 0 0 7 first.png\n1.0 2.0 -1\n2 {pose} 7 my picture.png\n\n"
    cases = {}
    for model, (parameters, distortion, matrix) in models.items():
        line = f"7 {model} 1088 1920 {' '.join(map(repr, map(float, parameters)))}\n"
        cases[f"COLMAP {model}"] = Case(
            contents={"cameras.txt": "# Camera list with one line of data per camera:\n" + line, "images.txt": images},
            name="my picture.png",
            distortion=distortion,
            lens="fisheye" if "FISHEYE" in model else "brown",
            K=matrix,
        )
    text = cases["COLMAP OPENCV"].contents["cameras.txt"]
    cases["COLMAP, the lens alone"] = Case(contents={"cameras.txt": text}, distortion=D[:4], R=None)
    return cases


def _vicon() -> Case:
    """A lens that OpenCV's model has as well, to a hundredth of a pixel: seen = r, without distortion r (1 + k r^2)."""
    square = np.array([[K[0, 0], 0, K[0, 2]], [0, K[0, 0], K[1, 2]], [0, 0, 1]])
    k1 = 1e-9  # per square pixel
    quaternion = " ".join(map(repr, map(float, Rotation.from_matrix(R).as_quat())))
    place = " ".join(map(repr, map(float, -R.T @ (1000 * T))))
    frame = (
        f'<KeyFrame FOCAL_LENGTH="{float(K[0, 0])!r}" ORIENTATION="{quaternion}" POSITION="{place}" '
        f'PRINCIPAL_POINT="{float(K[0, 2])!r} {float(K[1, 2])!r}" WORLD_ERROR="0.1" '
        f'VICON_RADIAL2="ViconRadial2 {float(K[0, 2])!r} {float(K[1, 2])!r} {k1!r} 0 0"/>'
    )
    cameras = "".join(
        f'<Camera DEVICEID="{device}" USERID="{i}" SENSOR_SIZE="1088 1920" PIXEL_ASPECT_RATIO="1">'
        f"<ControlFrames/><KeyFrames>{frame}</KeyFrames></Camera>"
        for i, device in enumerate(("2107366", "2111138"))
    )
    # OpenCV's k1 .. k3 of the same lens, from the series of the inverse of r (1 + c r^2) in normalised coordinates
    c = k1 * K[0, 0] ** 2
    distortion = [-c, 3 * c**2, 0, 0, -12 * c**3]
    return Case(
        contents={"take.xcp": f"<?xml version='1.0'?><Cameras VERSION='1.1'>{cameras}</Cameras>"},
        name="2111138",
        distortion=distortion,
        K=square,
        exact=False,
        within_px=0.01,
    )


def _realsense(model: Any, coefficients: list[float], distortion: list[float], lens: str = "brown") -> Case:
    table = {
        "width": 1088, "height": 1920, "ppx": K[0, 2], "ppy": K[1, 2], "fx": K[0, 0], "fy": K[1, 1],
        "model": model, "coeffs": coefficients,
    }  # fmt: skip
    document = {"color": {"intrinsics": table}, "depth": {"intrinsics": table | {"fx": 640.0}}}
    return Case(
        contents={"realsense.json": json.dumps(document)}, name="color", distortion=distortion, lens=lens, R=None
    )


def _panoptic() -> Case:
    camera = {
        "type": "hd", "resolution": list(SIZE), "panel": 0, "K": K.tolist(), "distCoef": D, "R": R.tolist(),
        "t": (100 * T[:, None]).tolist(),
    }  # fmt: skip
    cameras = [{"name": f"00_0{i}", "node": i, **camera} for i in range(2)]
    text = json.dumps({"calibDataSource": "160422_calib_norm", "cameras": cameras})
    return Case(contents={"calibration_160422.json": text}, name="00_01", distortion=D)


def _toml(head: str, name: str, distortion: list[float], rotation: Any, unit: float = 1.0, lens: str = "brown") -> Case:
    text = head + f"size = [1088, 1920]\nmatrix = {K.tolist()}\ndistortions = {distortion}\nrotation = {rotation}\n"
    text += f"translation = {(unit * T).tolist()}\n"
    other = f'\n[cam_9]\nname = "other"\nmatrix = {K.tolist()}\n\n[metadata]\nadjusted = false\nerror = 0.1\n'
    return Case(contents={"calibration.toml": text + other}, name=name, distortion=distortion, lens=lens)


def _ros(model: str, coefficients: list[float], distortion: list[float], lens: str = "brown") -> Case:
    def matrix(rows: int, columns: int, values: Any) -> dict[str, Any]:
        return {"rows": rows, "cols": columns, "data": [float(v) for v in np.ravel(values)]}

    document = {
        "image_width": 1088, "image_height": 1920, "camera_name": "front", "camera_matrix": matrix(3, 3, K),
        "distortion_model": model, "distortion_coefficients": matrix(1, len(coefficients), coefficients),
        "rectification_matrix": matrix(3, 3, np.eye(3)),
        "projection_matrix": matrix(3, 4, np.hstack([K, np.zeros((3, 1))])),
    }  # fmt: skip
    text = yaml.safe_dump(document, sort_keys=False)
    return Case(contents={"front.yaml": text}, distortion=distortion, lens=lens, R=None)


def _stereo() -> Case:
    text = "%YAML:1.0\n---\n" + _opencv("M1", np.eye(3) * (5, 5, 1)) + _opencv("D1", [D]) + _opencv("M2", K)
    return Case(contents={"intrinsics.yml": text + _opencv("D2", [D])}, name="2", distortion=D, size=None, R=None)
