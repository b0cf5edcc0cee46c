"""What the networks see: independent of the camera matrix and the place in the picture."""

from __future__ import annotations

import math

import pytest
import roma
import torch
from erd_cases import tiny_net
from torch import Tensor

from zedo_core.methods.erd.descent import FEATURES
from zedo_core.methods.erd.features import View
from zedo_core.methods.erd.options import ErdOptions
from zedo_core.methods.erd.prediction import mirror_image, mirrored, predict
from zedo_core.methods.observations import Observations, turn_to_axis
from zedo_core.skeleton import H36M17


def bodies(count: int = 6) -> Tensor:
    """Points about 5 m in front of the camera, off the axis."""
    generator = torch.Generator().manual_seed(0)
    points = torch.randn(count, 17, 3, generator=generator) * torch.tensor([0.3, 0.5, 0.2])
    return points + torch.tensor([1.0, -0.5, 5.0])


def observed(points: Tensor, focal: float = 1.0) -> Observations:
    K = torch.tensor([[focal, 0, 300.0], [0, focal, 200.0], [0, 0, 1]]).expand(len(points), 3, 3)
    xy = points[..., :2] / points[..., 2:] * focal + torch.tensor([300.0, 200.0])
    return Observations.from_pixels(xy, torch.ones(points.shape[:2]), K)


def test_rays_are_turned_to_the_axis() -> None:
    slopes = torch.tensor([[0.3, -0.2], [0.0, 0.0], [-1.0, 2.0]])
    R = turn_to_axis(slopes)
    rays = torch.nn.functional.pad(slopes, (0, 1), value=1.0)
    turned = (R @ rays[..., None])[..., 0]
    torch.testing.assert_close(turned[:, :2], torch.zeros(3, 2), rtol=0, atol=1e-6)
    torch.testing.assert_close(R @ R.mT, torch.eye(3).expand(3, 3, 3), rtol=0, atol=1e-6)
    angle = roma.rotmat_to_rotvec(R).norm(dim=-1)
    torch.testing.assert_close(angle, torch.atan(slopes.norm(dim=-1)), rtol=0, atol=1e-5)


def test_any_camera_matrix() -> None:
    """1e-3: keypoints in pixels are rounded to float32."""
    first, second = (View.from_observations(observed(bodies(), focal)) for focal in (500.0, 1700.0))
    torch.testing.assert_close(first.local, second.local, rtol=0, atol=1e-3)
    torch.testing.assert_close(first.whole, second.whole, rtol=0, atol=1e-3)


def test_any_place_in_the_picture() -> None:
    """A body turned about the camera with its ray looks the same; about the axis, it is the picture that turns."""
    points = bodies()
    R = roma.rotvec_to_rotmat(torch.tensor([0.0, math.radians(20.0), 0.0]))
    points = points - points.mean(1, keepdim=True) + torch.tensor([0.0, 0.0, 5.0])
    first, second = (View.from_observations(observed(p)) for p in (points, points @ R.mT))
    torch.testing.assert_close(first.local, second.local, rtol=0, atol=0.02)  # the mean slope is not quite the same ray
    torch.testing.assert_close(first.size, second.size, rtol=0.02, atol=0)


def test_centred_and_scaled() -> None:
    view = View.from_observations(observed(bodies()))
    places = view.local[..., :2]
    torch.testing.assert_close(places.mean(1), torch.zeros(6, 2), rtol=0, atol=1e-5)
    torch.testing.assert_close(places.square().sum(-1).mean(1), torch.ones(6), rtol=0, atol=1e-4)


def test_missing_joints_do_not_matter() -> None:
    people = observed(bodies())
    confidence = people.confidence.clone()
    confidence[:, 3] = 0.0
    slopes = people.slopes.clone()
    slopes[:, 3] = 77.0
    views = [View.from_observations(Observations(s, confidence, people.focal_px)) for s in (people.slopes, slopes)]
    torch.testing.assert_close(views[0].local, views[1].local)
    assert (views[0].local[:, 3] == 0).all()


def test_the_true_pose_projects_onto_the_keypoints() -> None:
    points = bodies()
    view = View.from_observations(observed(points))
    pose = (points - points[:, :1]) @ view.R.mT
    torch.testing.assert_close(view.project(pose), view.local[..., :2], rtol=0, atol=1e-3)


@pytest.mark.parametrize("features", FEATURES)
def test_inputs_of_the_regressors(features: str) -> None:
    """`delta` is zero for a pose that fits exactly; all have the confidences as well."""
    points, net = bodies(), tiny_net(features=features)
    view = View.from_observations(observed(points))
    inputs = net.inputs(view, (points - points[:, :1]) @ view.R.mT).unflatten(1, (17, -1))
    assert inputs.shape[2] == (5 if "cat" in features else 3) and (inputs[..., -1] == 1).all()
    if features == "delta":
        assert inputs[..., :2].abs().max() < 1e-3
    else:
        torch.testing.assert_close(inputs[..., :2], view.local[..., :2], rtol=0, atol=1e-3)
    _, poses = net(view)
    assert len(poses) == 2 and not torch.equal(poses[0], poses[1])


def test_the_mirror_image_gives_the_mirrored_pose() -> None:
    people, net = observed(bodies()), tiny_net()
    first, second = (
        predict(net, one, H36M17, ErdOptions(exchange=None)).pose for one in (people, mirror_image(people, H36M17))
    )
    torch.testing.assert_close(first, mirrored(second, H36M17), rtol=0, atol=1e-5)
    plain = predict(net, people, H36M17, ErdOptions(mirror=False, exchange=None)).pose
    assert not torch.allclose(first, plain, atol=1e-3)
