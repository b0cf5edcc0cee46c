"""Training under the cameras of a file: the field of view, tilts and heights."""

from __future__ import annotations

import math

import numpy as np
import pytest
import roma
import torch
from torch import Generator
from train_cases import CPU, synthetic_mixture, unvaried

from zedo_core.camera import Camera
from zedo_core.skeleton import H36M17
from zedo_core.train.augment import PoseSource
from zedo_core.train.cameras import FileCameras
from zedo_core.train.views import ViewOptions, slopes_of

LEVEL = Camera(fx=1000.0, fy=1000.0, cx=319.5, cy=239.5, size=(640, 480))
FEET = list(H36M17.indices(("left_ankle", "right_ankle")))


def calibrated(pitch_deg: float, height_m: float, up: str = "z") -> Camera:
    """A camera at a height that looks down by a pitch, in a world with `up` up."""
    level = roma.rotvec_to_rotmat(torch.tensor([math.pi / 2, 0, 0], dtype=torch.float64))  # z up to -y
    if up == "y":
        level = torch.diag(torch.tensor([1.0, -1.0, -1.0], dtype=torch.float64))
    tilt = roma.rotvec_to_rotmat(torch.tensor([math.radians(pitch_deg), 0, 0], dtype=torch.float64))
    R = (tilt @ level).numpy()
    position = np.array([3.0, -4.0, height_m] if up == "z" else [3.0, height_m, 4.0])
    return Camera(
        fx=1000.0, fy=1000.0, cx=319.5, cy=239.5, size=(640, 480),
        R_cam_from_world=tuple(map(tuple, R.tolist())), t_cam_from_world=tuple((-R @ position).tolist()),
    )  # fmt: skip


def seen(cameras: list[Camera], count: int = 400) -> tuple[torch.Tensor, torch.Tensor, FileCameras]:
    """Poses in camera axes, the places of their roots, and the cameras that see them."""
    generator = Generator().manual_seed(0)
    source = PoseSource.from_mixture(synthetic_mixture(), unvaried(), CPU)
    drawn = FileCameras.from_cameras(cameras, CPU).draw(count, generator)
    poses = source.draw(count, generator, drawn.R_cam_from_up)
    return poses, drawn.roots(poses, ViewOptions(), generator), drawn


def test_roots_are_in_the_picture() -> None:
    """A fifth of the picture is left free; the other camera's focal length is twice as large."""
    far = Camera(fx=2000.0, fy=2000.0, cx=319.5, cy=239.5)
    _, root, drawn = seen([LEVEL, far])
    slopes = slopes_of(root)[:, 0].abs()
    wide = drawn.high[:, 0] > 0.2
    assert 150 < wide.sum() < 250
    assert slopes[wide].amax(0).tolist() == pytest.approx([0.256, 0.192], abs=0.01)
    assert slopes[~wide].amax(0).tolist() == pytest.approx([0.128, 0.096], abs=0.01)
    assert 2.0 < root[..., 2].min() < 2.1 and 11 < root[..., 2].max() < 12.0


@pytest.mark.parametrize("up", ["z", "y"])
@pytest.mark.parametrize("pitch", [0.0, 15.0])
def test_tilts_and_heights(up: str, pitch: float) -> None:
    """Back in the world, people are upright and their feet are on the floor, where the picture shows it."""
    camera = calibrated(pitch, 1.6, up)
    poses, root, _ = seen([camera])
    R, t = (torch.tensor(value, dtype=torch.float32) for value in (camera.R_cam_from_world, camera.t_cam_from_world))
    world = (poses + root - t) @ R
    height = world[..., "xyz".index(up)]
    head, pelvis = (height[:, H36M17.index(joint)] for joint in ("head_top", "pelvis"))
    assert (head - pelvis).min() > 0.3
    shown = (slopes_of(root)[:, 0, 1].abs() < 0.19).numpy()
    assert shown.mean() > 0.3
    assert height.amin(1)[shown].abs().max() < 1e-3


def test_without_extrinsics_tilts_are_random() -> None:
    """As for random cameras; mixed with a calibrated one, only that one's are known."""
    drawn = FileCameras.from_cameras([LEVEL, calibrated(10.0, 1.5)], CPU)
    assert drawn.R_cam_from_up[0].isnan().all() and drawn.height_m[0].isnan()
    up = drawn.R_cam_from_up[1] @ torch.tensor([0.0, 1.0, 0.0])
    assert up.tolist() == pytest.approx([0, -math.cos(math.radians(10)), -math.sin(math.radians(10))], abs=1e-6)
    assert float(drawn.height_m[1]) == pytest.approx(1.5)


def test_heights_that_are_not_believable() -> None:
    """The world's origin is not on the floor."""
    assert FileCameras.from_cameras([calibrated(0.0, -20.0)], CPU).height_m.isnan().all()
    poses, root, _ = seen([calibrated(0.0, -20.0)])
    assert (poses + root).isfinite().all()
