"""The public functions accept any sensible input and refuse everything else in one line that names it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy import ndarray
from zedo_cases import tiny_lifter

from zedo_core.camera import Camera
from zedo_core.errors import CameraError, DeviceError, InputError, WeightsError
from zedo_core.lifting import lift
from zedo_core.methods.zedo.initial_poses import load_initial_poses
from zedo_core.methods.zedo.lifter import ZedoLifter
from zedo_core.methods.zedo.options import PRESETS, ZedoOptions
from zedo_core.methods.zedo.prior import load_prior
from zedo_core.nets.device import find_device
from zedo_core.skeleton import H36M17

pytestmark = pytest.mark.usefixtures("undecorated")

J = len(H36M17)
MATRIX = [[1000.0, 0, 500], [0, 1000.0, 400], [0, 0, 1]]
OTHER = [[800.0, 0, 450], [0, 800.0, 420], [0, 0, 1]]
CAMERA = Camera(fx=1000.0, fy=1000.0, cx=500.0, cy=400.0)


@pytest.fixture(scope="module")
def lifter() -> ZedoLifter:
    return tiny_lifter(iterations=2)


def pixels(frames: int = 2) -> ndarray:
    """Projections of joints about half a metre around a root 5 m in front of the camera."""
    points = np.random.default_rng(0).normal(0, 0.3, (frames, J, 3)) + np.array((0.0, 0.0, 5.0))
    return CAMERA.project(points)


def assert_one_line(caught: pytest.ExceptionInfo[Exception], *words: str) -> None:
    line = str(caught.value)
    assert all(word in line for word in words), line
    assert "\n" not in line and len(line) < 300


# Cameras and keypoints of lift()


@pytest.mark.parametrize(
    ("camera", "focal_px"),
    [
        (MATRIX, [1000]),
        (np.array(MATRIX, int), [1000]),
        (tuple(map(tuple, MATRIX)), [1000]),
        ([MATRIX, OTHER], [1000, 800]),
        (np.array([MATRIX, OTHER]), [1000, 800]),
        ([np.array(MATRIX), np.array(OTHER)], [1000, 800]),
        ([MATRIX], [1000]),
        (torch.tensor([MATRIX, OTHER]), [1000, 800]),
        ([CAMERA, CAMERA], [1000, 1000]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_cameras_that_lift_accepts(lifter: ZedoLifter, camera: Any, focal_px: list[float]) -> None:
    poses = lift(pixels(), camera, hypotheses=1, lifter=lifter)
    assert [camera.fx for camera in poses.cameras] == focal_px


def test_a_matrix_per_frame_is_a_camera_per_frame(lifter: ZedoLifter) -> None:
    cameras = [Camera.from_matrix(np.array(matrix)) for matrix in (MATRIX, OTHER)]
    wanted = lift(pixels(), cameras, hypotheses=2, lifter=lifter).joints
    np.testing.assert_array_equal(lift(pixels(), [MATRIX, OTHER], hypotheses=2, lifter=lifter).joints, wanted)
    one = lift(pixels(), MATRIX, hypotheses=2, lifter=lifter).joints
    assert np.abs(one - wanted)[1].max() > 1e-3


@pytest.mark.parametrize(
    "camera",
    [
        None,
        "K.json",
        b"K",
        Path("K.json"),
        7,
        {"fx": 1000},
        object(),
        [],
        np.zeros((0, 3, 3)),
        [[1000.0, 0, 500], [0, 1000.0]],
        [MATRIX, MATRIX[:2]],
        [MATRIX, CAMERA],
        [CAMERA, None],
        np.array([CAMERA, CAMERA], object),
        np.eye(4),
        [[str(value) for value in row] for row in MATRIX],
        np.array(MATRIX) * 1j,
        np.array(MATRIX) > 0,
        np.zeros((2, 3, 3)),
        [MATRIX, np.full((3, 3), np.nan)],
        [[10**400, 0, 500], [0, 10**400, 400], [0, 0, 1]],
        (MATRIX for _ in range(2)),
    ],
    ids=lambda value: str(value)[:24].replace("\n", ""),
)
def test_cameras_that_lift_refuses(lifter: ZedoLifter, camera: Any) -> None:
    with pytest.raises(CameraError, match=r"[cC]amera") as caught:
        lift(pixels(), camera, lifter=lifter)
    assert_one_line(caught)


@pytest.mark.parametrize("camera", [[MATRIX] * 3, np.array([MATRIX] * 3), [CAMERA] * 3], ids=lambda c: type(c).__name__)
def test_a_camera_too_many(lifter: ZedoLifter, camera: Any) -> None:
    with pytest.raises(InputError, match=r"one per frame \(2\), got 3") as caught:
        lift(pixels(), camera, lifter=lifter)
    assert_one_line(caught)


def test_keypoints_as_lists(lifter: ZedoLifter) -> None:
    wanted = lift(pixels(), CAMERA, hypotheses=2, lifter=lifter).joints
    np.testing.assert_array_equal(lift(pixels().tolist(), CAMERA, hypotheses=2, lifter=lifter).joints, wanted)
    whole = pixels().round().astype(int)
    assert lift(whole, CAMERA, hypotheses=1, lifter=lifter).joints.shape == (2, 1, J, 3)


@pytest.mark.parametrize(
    "keypoints",
    [
        None,
        "keypoints.json",
        Path("keypoints.json"),
        5,
        {},
        {"xy": 1},
        object(),
        [[[1.0, 2.0]] * J, [[1.0, 2.0]] * (J - 1)],
        [[[1.0, 2.0]] * (J - 1) + [[1.0]]],
        [[["1", "2"]] * J],
        [[[None, 2.0]] * J],
        np.full((1, J, 2), 1j),
        np.ones((1, J, 2), bool),
        np.full((1, J, 2), "a", object),
        [[[10**400, 1]] * J],
        (pixels() for _ in range(1)),
    ],
    ids=lambda value: str(value)[:24].replace("\n", ""),
)
def test_keypoints_that_lift_refuses(lifter: ZedoLifter, keypoints: Any) -> None:
    with pytest.raises(InputError, match=r"expected keypoints of shape \(frame, 17, 2 or 3\)") as caught:
        lift(keypoints, CAMERA, lifter=lifter)
    assert_one_line(caught)


@pytest.mark.parametrize("name", ["seed", "hypotheses"])
@pytest.mark.parametrize("value", [None, "3", 2.5, float("nan"), [1]], ids=str)
def test_invalid_numbers_are_refused(lifter: ZedoLifter, name: str, value: Any) -> None:
    with pytest.raises(InputError, match=r"expected .*(seed|hypotheses).*got") as caught:
        lift(pixels(), CAMERA, lifter=lifter, **{name: value})
    assert_one_line(caught)


def test_numpy_integers_are_accepted(lifter: ZedoLifter) -> None:
    got = lift(pixels(), CAMERA, lifter=lifter, seed=np.int64(3), hypotheses=np.int32(2))  # type: ignore[arg-type]
    np.testing.assert_array_equal(got.joints, lift(pixels(), CAMERA, lifter=lifter, seed=3, hypotheses=2).joints)


@pytest.mark.parametrize(
    "name", ["hpu", "privateuseone", "mkldnn", "vulkan", "CPU", "cuda:99999999999999", "cp\nu", None, True, ["cpu"]]
)
def test_odd_device_names_are_refused(name: Any) -> None:
    """Some are names of devices that torch knows but that are not available."""
    with pytest.raises(DeviceError, match="is not available; use auto, cpu, cuda") as caught:
        find_device(name)
    assert_one_line(caught)


# Weights


@pytest.mark.parametrize(
    "state",
    [
        {3: torch.zeros(3, 3)},
        {"pre_dense.weight": "text", "shared_time_embed.0.weight": torch.zeros(3, 3)},
        {"pre_dense.weight": torch.zeros(64), "shared_time_embed.0.weight": torch.zeros(8, 3)},
        {"pre_dense.weight": torch.zeros(64, 51), "shared_time_embed.0.weight": torch.zeros(())},
        {"pre_dense.weight": torch.zeros(33, 51), "shared_time_embed.0.weight": torch.zeros(8, 3)},
        {"pre_dense.weight": torch.zeros(64, 51), "shared_time_embed.0.weight": torch.zeros(8, 3)},
    ],
    ids=lambda state: str(len(str(state))),
)
def test_invalid_official_checkpoints_are_refused(tmp_path: Path, state: dict[Any, Any]) -> None:
    torch.save({"model_state_dict": state}, tmp_path / "official.pth")
    with pytest.raises(WeightsError, match=r"official\.pth: expected") as caught:
        load_prior(tmp_path / "official.pth")
    assert_one_line(caught)


POSES = np.zeros((4, J, 3), np.float32)


def write_npz(path: Path, **arrays: ndarray) -> None:
    np.savez(path, **arrays)  # type: ignore[arg-type]


def write_npy(path: Path, array: Any) -> None:
    with open(path, "wb") as file:
        np.save(file, array, allow_pickle=True)


CLUSTERS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "no arrays": (write_npz, "no array"),
    "a name": (lambda path: write_npz(path, walking=POSES), "'walking'"),
    "an odd number": (lambda path: write_npz(path, **{"1_0": POSES}), "'1_0'"),
    "a fraction": (lambda path: write_npz(path, **{"1.5": POSES}), "'1.5'"),
    "objects": (lambda path: write_npz(path, **{"4": np.array([{}], object)}), "Python objects"),
    "objects as npy": (lambda path: write_npy(path, np.array([{}], object)), "Python objects"),
    "a pickle": (lambda path: path.write_bytes(b"\x80\x04}."), "neither npz nor npy"),
    "a number": (lambda path: write_npy(path, np.float32(3)), "()"),
    "texts": (lambda path: write_npz(path, **{"4": np.full((4, J, 3), "a")}), "<U1"),
    "a text": (lambda path: path.write_text("clusters"), "neither npz nor npy"),
}


@pytest.mark.parametrize("kind", CLUSTERS)
def test_invalid_clusters_are_refused(tmp_path: Path, kind: str) -> None:
    path, (write, word) = tmp_path / "clusters.npz", CLUSTERS[kind]
    write(path)
    with pytest.raises(WeightsError, match=r"clusters\.npz: expected") as caught:
        load_initial_poses(path)
    assert_one_line(caught, word)
    assert "allow_pickle" not in str(caught.value) and "pickle=" not in str(caught.value)


# Options


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            (name, value)
            for name in ("iterations", "headings", "initial_poses", "candidates")
            for value in (0, -1, 1.5, "9")
        ),
        *(("adam_steps", value) for value in (-1, 2.5, None)),
        *((name, v) for name in ("step", "adam_rate", "depth_m") for v in (0.0, -1.0, np.nan, np.inf, "1", None)),
        *((name, v) for name in ("t_start", "t_end", "warm_up") for v in (1.5, -0.1, np.nan, "0.05", None)),
        *(("relaxation", v) for v in ((0.5,), 0.5, "ab", (0.0, 1.0), (np.nan, 1.0), (1.0, 2.0))),
        *(("momentum", v) for v in (1.0, -0.1, np.nan, "0.5", None)),
        *((name, v) for name in ("scale", "spread_m") for v in ((2.0, 0.5), (1.0, 1.0), (-0.1, 1.0), (0.5,), 0.5)),
        *((name, v) for name in ("scale", "spread_m") for v in ((0.1, np.nan), (0.1, np.inf), ("a", "b"), "ab")),
        ("scale", None),
        *(("tilts_deg", value) for value in ((), (np.nan,), (np.inf,), ("up",), 20.0, None, (91.0,))),
        *(("axes", value) for value in ("w", "xyw", None, 3)),
        *(("joints", value) for value in (("nose",), "pelvis", ("pelvis", 3), None, (["pelvis"],))),
        *(("init", value) for value in ("luck", None, ["adam"])),
    ],
    ids=str,
)
def test_invalid_options_are_refused(name: str, value: Any) -> None:
    with pytest.raises(InputError, match="expected") as caught:
        ZedoOptions(**{name: value})
    assert_one_line(caught, name.split("_")[0])


@pytest.mark.parametrize(
    "changed",
    [
        {"scale": (0.0, 1e-3)},
        {"spread_m": None},
        {"spread_m": [0.1, 0.3]},
        {"joints": H36M17.joints},
        {"axes": ""},
        {"iterations": np.int64(3)},
        {"step": np.float32(0.1)},
        {"adam_steps": 0},
        {"warm_up": 0},
        {"warm_up": 1},
        {"t_start": 1, "t_end": 1},
        {"tilts_deg": (0,)},
    ],
    ids=str,
)
def test_options_at_their_limits(changed: dict[str, Any]) -> None:
    options = ZedoOptions(**changed)
    assert {name: getattr(options, name) for name in changed} == changed


def test_every_preset_is_valid() -> None:
    for options in PRESETS.values():
        options.__post_init__()
    for wrong in (0, 1.5, "9", None):
        with pytest.raises(InputError, match="iteration"):
            ZedoOptions().with_iterations(wrong)  # type: ignore[arg-type]
