"""What the network sees: it depends neither on the camera matrix nor on where the person is in the picture."""

from __future__ import annotations

import torch
from diff_cases import CAMERA, walking

from zedo_core.methods.diff3dhpe.features import FEATURES, GUIDE_FEATURES, UNIT_M, Guide, Window

STEP_S = torch.tensor([0.04])


def slopes() -> torch.Tensor:
    people = walking(torch.arange(9).numpy() / 25)
    xy = torch.from_numpy(people.xy - (CAMERA.cx, CAMERA.cy)) / CAMERA.fx
    return xy[None]


def rotated(values: torch.Tensor, R: torch.Tensor) -> torch.Tensor:
    rays = torch.nn.functional.pad(values, (0, 1), value=1.0) @ R.mT
    return rays[..., :2] / rays[..., 2:]


def turn(degrees: float) -> torch.Tensor:
    a = torch.tensor([0.6, 0.8, 0.0]).double() * torch.tensor(degrees).deg2rad()
    x, y, z = a
    return torch.linalg.matrix_exp(torch.tensor([[0, -z, y], [z, 0, -x], [-y, x, 0]], dtype=torch.float64))


def everywhere(values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.ones_like(values[..., 0]), torch.ones(values.shape[:2], dtype=torch.bool)


def test_a_turned_camera_sees_the_same() -> None:
    """Apart from the direction in which the person is. The mean of slopes is not exactly the mean of rays: 2 %."""
    own, other = slopes(), rotated(slopes(), turn(10))
    a, b = (Window.from_slopes(values, *everywhere(values), STEP_S.double()) for values in (own, other))
    same = [0, 1, 2, 3, 4, 5, 8]
    turned = b.features.clone()
    # The second camera is also rolled about the mean ray: undo it in the plane.
    (rotation,) = torch.linalg.svd(a.features[..., :2].flatten(0, 2).mT @ turned[..., :2].flatten(0, 2))[:1]
    U, _, Vh = torch.linalg.svd(a.features[..., :2].flatten(0, 2).mT @ turned[..., :2].flatten(0, 2))
    assert rotation.shape == (2, 2)
    for part in (slice(0, 2), slice(3, 5)):
        turned[..., part] = turned[..., part] @ (U @ Vh).mT
    torch.testing.assert_close(turned[..., same], a.features[..., same], rtol=0, atol=0.05)
    assert not torch.allclose(a.features[..., 6:8], b.features[..., 6:8])


def test_the_mean_ray_becomes_the_axis() -> None:
    values = slopes()
    window = Window.from_slopes(values, *everywhere(values), STEP_S.double())
    rays = torch.nn.functional.pad(values, (0, 1), value=1.0) @ window.R[:, None].mT
    mean = (rays[..., :2] / rays[..., 2:]).mean((1, 2))
    assert float(mean.abs().max()) < 0.02
    torch.testing.assert_close(window.features[..., :2].mean(2), torch.zeros(1, 9, 2).double(), rtol=0, atol=1e-9)
    torch.testing.assert_close(window.features[..., :2].square().sum(-1).mean(), torch.tensor(1.0).double())


def test_missing_joints_and_frames_do_not_matter() -> None:
    values = slopes()
    confidence, known = everywhere(values)
    confidence[:, :, 3], known[:, 5] = 0.0, False
    changed = values.clone()
    changed[:, :, 3] += 7
    changed[:, 5] -= 7
    a, b = (Window.from_slopes(x, confidence, known, STEP_S.double()) for x in (values, changed))
    torch.testing.assert_close(a.features, b.features, rtol=0, atol=1e-6)
    torch.testing.assert_close(a.R, b.R, rtol=0, atol=1e-6)
    assert (a.features[:, 5, :, :5] == 0).all() and (a.features[:, :, 3, :3] == 0).all()


def test_a_guide_is_what_the_network_adds_to() -> None:
    values = slopes()
    confidence, known = everywhere(values)
    known[:, 5] = False
    pose = torch.randn(1, 9, 17, 3, dtype=torch.float64)
    guide = Guide(pose, torch.full((1, 9, 17), UNIT_M, dtype=torch.float64))
    window = Window.from_slopes(values, confidence, known, STEP_S.double(), guide)
    assert window.features.shape[-1] == FEATURES + GUIDE_FEATURES
    torch.testing.assert_close(UNIT_M * window.base[:, 4] @ window.R, pose[:, 4])
    assert (window.base[:, 5] == 0).all() and (window.features[..., -1] == 0).all()
    assert (Window.from_slopes(values, confidence, known, STEP_S.double()).base == 0).all()
