"""ZeDO's geometry against naive implementations, and its searches against known results."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from zedo_cases import SMALL, J, scene, tiny_prior

from zedo_core.diffusion.schedule import geometric_times, relaxed_steps, reverse_schedule
from zedo_core.diffusion.sde import SubVP
from zedo_core.errors import InputError
from zedo_core.methods.observations import (
    Observations,
    bounded_translation,
    depth_bounds,
    reprojection_l1,
    solve_translation,
    weighted_mean,
)
from zedo_core.methods.zedo import ZedoOptions, preset, search
from zedo_core.methods.zedo.initial_poses import poses_for
from zedo_core.methods.zedo.loading import load
from zedo_core.methods.zedo.oil import DenoisingSteps, optimise_in_loop, pull_to_rays, trust_in_rays
from zedo_core.methods.zedo.plausibility import pose_distances
from zedo_core.methods.zedo.search import best_placements, heading_grid, search_headings
from zedo_core.skeleton import H36M17

SEEDS = st.integers(0, 10_000)


def squared_error(pose: Tensor, T: Tensor, slopes: Tensor, weights: Tensor) -> Tensor:
    """The objective of the translation: the weighted squares of -T_xy + r T_z - (P_xy - P_z r)."""
    placed = pose + T
    return (weights[..., None] * (placed[..., :2] - placed[..., 2:] * slopes).square()).sum((-2, -1))


# The closed-form translation


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.floats(0.0, 0.3))
def test_translation_is_the_least_squares_solution(seed: int, noise: float) -> None:
    """Both are float64 with a condition below 1e4 (normal equations: squared): 1e-6 relative to metres."""
    pose, _, slopes, weights = scene(seed)
    slopes = slopes + noise * torch.from_numpy(np.random.default_rng(seed + 1).normal(0, 1, slopes.shape))
    found = solve_translation(pose, slopes, weights)
    for p, r, w, t in zip(pose.numpy(), slopes.numpy(), weights.numpy(), found.numpy(), strict=True):
        A = np.zeros((J, 2, 3))
        A[:, 0, 0] = A[:, 1, 1] = -1
        A[:, :, 2] = r
        b = p[:, :2] - p[:, 2:] * r
        root_w = np.sqrt(w).repeat(2)
        expected = np.linalg.lstsq(A.reshape(-1, 3) * root_w[:, None], b.reshape(-1) * root_w, rcond=None)[0]
        np.testing.assert_allclose(t[0], expected, rtol=1e-6, atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(SEEDS)
def test_translation_of_exact_rays_is_found(seed: int) -> None:
    """Exact rays, float64: 1e-9 m is a million roundings."""
    pose, T, slopes, weights = scene(seed)
    torch.testing.assert_close(solve_translation(pose, slopes, weights), T, rtol=0, atol=1e-9)


def test_a_joint_without_weight_does_not_move_the_translation() -> None:
    pose, T, slopes, weights = scene(3)
    slopes[:, 5] += 10.0
    weights[:, 5] = 0.0
    torch.testing.assert_close(solve_translation(pose, slopes, weights), T, rtol=0, atol=1e-9)


@settings(max_examples=20, deadline=None)
@given(SEEDS)
def test_open_bounds_have_no_effect(seed: int) -> None:
    pose, _, slopes, weights = scene(seed)
    bounds = torch.tensor([[-torch.inf, torch.inf]], dtype=torch.float64).expand(len(pose), 2)
    found = bounded_translation(pose, slopes, weights, bounds)
    torch.testing.assert_close(found, solve_translation(pose, slopes, weights), rtol=0, atol=0)


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.sampled_from([(0.0, 2.0), (9.0, 20.0)]))
def test_bounded_translation_is_the_best_at_its_depth(seed: int, limits: tuple[float, float]) -> None:
    """The true depth is 3 to 8 m, so that one of the limits applies; any lateral step then increases the error."""
    pose, _, slopes, weights = scene(seed)
    bounds = torch.tensor([limits], dtype=torch.float64).expand(len(pose), 2)
    T = bounded_translation(pose, slopes, weights, bounds)
    active = limits[1] if limits[1] < 3 else limits[0]
    torch.testing.assert_close(T[..., 2], torch.full_like(T[..., 2], active))
    least = squared_error(pose, T, slopes, weights)
    for axis in (0, 1):
        for step in (-1e-3, 1e-3):
            shifted = T.clone()
            shifted[..., axis] += step
            assert (squared_error(pose, shifted, slopes, weights) > least).all()


def test_depth_bounds_follow_from_the_body_size() -> None:
    """A body with a spread of 0.4 m at 5 m may be at 2.5 to 7.5 m for spreads of 0.2 to 0.6 m."""
    rng = np.random.default_rng(0)
    flat = torch.from_numpy(rng.normal(0, 1, (1, J, 2)))
    flat = flat - flat.mean(1, keepdim=True)
    flat = 0.4 * flat / flat.square().sum(-1).mean().sqrt()
    observed = Observations(flat / 5.0, torch.ones(1, J, dtype=torch.float64), torch.ones(1, 2, dtype=torch.float64))
    near, far = depth_bounds(observed, (0.2, 0.6))[0].tolist()
    assert (near, far) == pytest.approx((2.5, 7.5), rel=1e-9)
    assert depth_bounds(observed, None).tolist() == [[0.0, float("inf")]]


# The step onto the rays


@settings(max_examples=20, deadline=None)
@given(SEEDS)
def test_pulled_joints_lie_on_their_rays(seed: int) -> None:
    """float64, metres: 1e-12 is a few thousand roundings."""
    _, T, slopes, weights = scene(seed)
    pose = scene(seed + 1)[0]
    rays = Observations(slopes, weights, torch.ones(len(pose), 2, dtype=torch.float64)).rays
    once = pull_to_rays(pose, T, rays)
    torch.testing.assert_close(pull_to_rays(once, T, rays), once, rtol=0, atol=1e-12)
    torch.testing.assert_close(torch.linalg.cross(once + T, rays), torch.zeros_like(once), rtol=0, atol=1e-12)
    # the nearest point of the ray: the displacement is perpendicular to it
    torch.testing.assert_close(((once - pose) * rays).sum(-1), torch.zeros(3, J).double(), rtol=0, atol=1e-12)


def test_the_pull_is_scaled_by_strength() -> None:
    _, T, slopes, weights = scene(0)
    pose = scene(1)[0]
    rays = Observations(slopes, weights, torch.ones(3, 2, dtype=torch.float64)).rays
    full, share = pull_to_rays(pose, T, rays), torch.rand(3, J, 1, dtype=torch.float64)
    expected = pose + share * (full - pose)
    torch.testing.assert_close(pull_to_rays(pose, T, rays, share), expected, rtol=0, atol=1e-12)


def test_a_translation_behind_the_camera_is_negated_or_bounded() -> None:
    """Rays that meet behind the camera, which no golden run covers. Exact rays in float64: 1e-9."""
    pose, T, _, weights = scene(0)
    behind = -T
    placed = pose + behind
    observed = Observations(placed[..., :2] / placed[..., 2:], weights, torch.ones(3, 2).double())
    prior = tiny_prior()
    prior.net.double()
    start = torch.zeros_like(T)
    once = ZedoOptions(iterations=1, warm_up=0.0)
    _, flipped = optimise_in_loop(
        DenoisingSteps.from_prior(prior, replace(once, flip_negative_depth=True)),
        observed,
        pose,
        start,
        open_bounds(3),
        replace(once, flip_negative_depth=True),
    )
    torch.testing.assert_close(flipped, T, rtol=0, atol=1e-9)
    _, bounded = optimise_in_loop(DenoisingSteps.from_prior(prior, once), observed, pose, start, open_bounds(3), once)
    assert (bounded[..., 2] == 0).all()
    _, fixed = optimise_in_loop(
        DenoisingSteps.from_prior(prior, replace(once, warm_up=1.0)),
        observed,
        pose,
        start,
        open_bounds(3),
        replace(once, warm_up=1.0),
    )
    assert torch.equal(fixed, start)


# Headings and initial poses


def observations_of(joints_cam: Tensor, focal_px: float = 1000.0) -> Observations:
    slopes = joints_cam[..., :2] / joints_cam[..., 2:]
    ones = torch.ones_like(slopes[..., 0])
    return Observations(slopes, ones, torch.full((len(slopes), 2), focal_px).to(slopes))


def open_bounds(rows: int) -> Tensor:
    return torch.tensor([[0.0, torch.inf]], dtype=torch.float64).expand(rows, 2)


def test_the_heading_grid_has_distinct_rotations() -> None:
    R = heading_grid(SMALL, torch.zeros(1, dtype=torch.float64))
    assert R.shape == (16, 3, 3)
    torch.testing.assert_close(R @ R.mT, torch.eye(3).double().expand_as(R), rtol=0, atol=1e-12)
    torch.testing.assert_close(torch.linalg.det(R), torch.ones(16).double(), rtol=0, atol=1e-12)
    torch.testing.assert_close(R[0], torch.eye(3).double(), rtol=0, atol=1e-12)
    # a heading preserves the vertical, and all rotations are 45 degrees apart or differ in tilt
    torch.testing.assert_close(R[:8, 1], torch.eye(3).double()[1].expand(8, 3), rtol=0, atol=1e-12)
    difference = (R[:, None] - R).flatten(2).norm(dim=-1) + 10 * torch.eye(16)
    assert difference.min() > 0.3


@pytest.mark.parametrize("number", [0, 3, 6, 13])
def test_the_search_finds_a_known_heading(number: int) -> None:
    poses, T = scene(0, rows=4)[0], torch.tensor([[[0.3, -0.2, 4.0]]]).double()
    R = heading_grid(SMALL, poses)
    observed = observations_of(poses[2] @ R[number].mT + T)
    rotations, error = search_headings(observed, poses, open_bounds(1), SMALL)
    assert error.shape == (1, 4, 16)
    assert int(error.argmin()) == 2 * 16 + number
    assert float(error.min()) < 1e-6  # px; exact rays in float64
    torch.testing.assert_close(rotations[number], R[number])


@pytest.mark.parametrize("block", [1, 10**6])
@pytest.mark.parametrize("spread_m", [None, (0.2, 0.6)])
def test_the_search_agrees_with_placing_each_pose_separately(
    block: int, spread_m: tuple[float, float] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "_PLACEMENTS", {True: block})
    poses, _, slopes, weights = scene(2, rows=5)
    observed = Observations(slopes, weights, torch.tensor([[1100.0, 900.0]]).double().repeat(5, 1))
    bounds = depth_bounds(observed, spread_m)
    R, error = search_headings(observed, poses[:3], bounds, SMALL)
    rotated = torch.einsum("axy,hjy->hajx", R, poses[:3])
    for row in range(5):
        one = observed[row : row + 1]
        T = bounded_translation(rotated, one.slopes, one.weights, bounds[row])
        distance_px = reprojection_l1(rotated + T, one.slopes, one.focal_px)
        expected = (distance_px * one.weights).sum(-1) / one.weights.sum()
        torch.testing.assert_close(error[row], expected, rtol=1e-9, atol=1e-9)


def test_initial_poses_are_ordered_by_misfit_with_the_known_one_first() -> None:
    poses, T = scene(0, rows=4)[0], torch.tensor([[[0.3, -0.2, 4.0]]]).double()
    truth = poses[[2, 0]] @ heading_grid(SMALL, poses)[[5, 1]].mT + T
    observed = observations_of(truth)
    pose, translation = best_placements(observed, poses, open_bounds(2), 5, SMALL)
    assert pose.shape == (2, 5, J, 3) and translation.shape == (2, 5, 1, 3)
    placed = pose + translation
    torch.testing.assert_close(placed[:, 0], truth, rtol=0, atol=1e-9)
    projected = placed[..., :2] / placed[..., 2:]
    error = (projected - observed.slopes[:, None]).abs().mean((-2, -1))
    assert (error.diff(dim=1) >= 0).all()


def test_a_pose_is_tried_in_two_headings_a_quarter_turn_apart() -> None:
    pose = scene(0, rows=1)[0]
    R = heading_grid(SMALL, pose)
    observed = observations_of(pose @ R[2].mT + torch.tensor([0.0, 0.0, 4.0]))
    placed, T = best_placements(observed, pose, open_bounds(1), 5, SMALL)
    assert placed.shape == (1, 2, J, 3) and T.shape == (1, 2, 1, 3)
    used = [int((pose @ r.mT - one).abs().amax((1, 2)).argmin()) for one in placed[0] for r in [R]]
    difference = abs(used[0] - used[1]) % 8
    assert used[0] == 2 and min(difference, 8 - difference) >= 2


def test_initial_poses_are_a_set_or_a_subset() -> None:
    sets = {4: scene(0, rows=4)[0], 9: scene(1, rows=9)[0]}
    assert poses_for(sets, 4) is sets[4]
    assert poses_for(sets, 9) is sets[9]
    for count in (1, 3, 5, 8):
        subset = poses_for(sets, count)
        assert subset.shape == (count, J, 3)
        source = sets[4 if count < 4 else 9]
        index = [int((source - pose).abs().amax((1, 2)).argmin()) for pose in subset]
        assert len(set(index)) == count
        torch.testing.assert_close(source[index], subset, rtol=0, atol=0)
    with pytest.raises(InputError, match="at most 9"):
        poses_for(sets, 10)


def test_weighted_mean_of_equal_weights_is_the_mean() -> None:
    values = scene(0)[0]
    found = weighted_mean(values, torch.full(values.shape[:2], 0.3).double())
    torch.testing.assert_close(found, values.mean(1, keepdim=True))


def test_relaxed_steps_go_a_fraction_of_the_way_to_the_denoised_pose() -> None:
    """Apart from the drift of the SDE, the step is this fraction of that to (x - std noise) / mean."""
    sde, times = SubVP(), geometric_times(0.1, 0.02, 5)
    torch.testing.assert_close(times[1:] / times[:-1], torch.full((4,), 0.2**0.25).double())
    assert float(times[0]) == pytest.approx(0.1) and float(times[-1]) == pytest.approx(0.02)
    shares = torch.tensor([0.5, 0.8, 1.0, 1.2, 1.5]).double()
    schedule = reverse_schedule(sde, times, relaxed_steps(sde, times, shares))
    torch.testing.assert_close(schedule.noise_factor * sde.mean(times), shares * sde.std(times))
    assert (schedule.x_factor > 1).all() and (schedule.x_factor < 1.05).all()


def test_momentum_adds_a_fraction_of_the_previous_change() -> None:
    """Three steps by hand; the first and the last have no momentum."""
    prior = tiny_prior()
    pose, T, slopes, weights = (tensor.float() for tensor in scene(1, 2))
    observed = Observations(slopes, weights, torch.full((2, 2), 1000.0))
    options = replace(SMALL, iterations=3, momentum=0.5, warm_up=1.0, outlier_rad=None)
    denoise = DenoisingSteps.from_prior(prior, options)
    seen: dict[int, Tensor] = {}
    with torch.no_grad():
        last, _ = optimise_in_loop(denoise, observed, pose, T, open_bounds(2), options, seen.__setitem__)

        def step(pose: Tensor, i: int) -> Tensor:
            return denoise(pull_to_rays(pose, T, observed.rays, weights[..., None]), i)

        first = step(pose, 0)
        second = step(first, 1)
        third = step(second + 0.5 * (second - first), 2)
    for i, expected in enumerate((first, second, third)):
        torch.testing.assert_close(seen[i], expected, rtol=1e-5, atol=1e-6)
    assert torch.equal(last, seen[2])


def test_the_loop_copies_nothing_to_the_host() -> None:
    """On the meta device tensors have no values, so that copying one raises."""
    pose, T, slopes, weights = (tensor.float() for tensor in scene(0, 4))
    observed = Observations(slopes, weights, torch.full((4, 2), 1000.0))
    bounds = depth_bounds(observed, (0.2, 0.6))
    prior = tiny_prior()
    meta = replace(prior, net=prior.net.to("meta"))
    rows = Observations(*(part.to("meta") for part in (observed.slopes, observed.confidence, observed.focal_px)))
    for options in (SMALL, preset("reference").with_iterations(4)):
        found = optimise_in_loop(
            DenoisingSteps.from_prior(meta, options), rows, pose.to("meta"), T.to("meta"), bounds.to("meta"), options
        )
        assert [part.shape for part in found] == [pose.shape, T.shape] and found[0].device.type == "meta"
    with pytest.raises(RuntimeError, match="meta"):
        found[0].sum().item()


def test_diversity_of_initial_poses() -> None:
    """With diversity the first pose is the same, and the others are farther apart."""
    _, _, slopes, _ = scene(3, 5)
    observed = Observations(slopes.float(), torch.ones(5, J), torch.full((5, 2), 1000.0))
    poses = torch.from_numpy(np.random.default_rng(0).normal(0, 0.3, (40, J, 3))).float()
    bounds = depth_bounds(observed, None)
    alike, different = (
        best_placements(observed, poses, bounds, 8, replace(SMALL, diversity=diversity))[0] for diversity in (0.0, 1.0)
    )
    torch.testing.assert_close(alike[:, 0], different[:, 0])
    assert (pose_distances(different).sum((1, 2)) > pose_distances(alike).sum((1, 2))).all()


def test_huber_weights_of_rays() -> None:
    placed = torch.tensor([[[0.0, 0.0, 2.0], [0.02, 0.0, 2.0], [0.0, 0.08, 2.0]]])
    trust = trust_in_rays(placed, torch.zeros(1, 3, 2), 0.01)
    torch.testing.assert_close(trust, torch.tensor([[1.0, 1.0, 0.25]]))


def test_a_wrong_keypoint_has_limited_influence() -> None:
    """With a wrist 300 px off, the other joints move at most half as far from the truth as without Huber weights."""
    lifter = load(device="cpu")
    pose, T = lifter.initial_poses[1][:1], torch.tensor([[[0.0, 0.0, 4.0]]])
    slopes = ((pose + T)[..., :2] / (pose + T)[..., 2:]).clone()
    slopes[0, H36M17.index("left_wrist"), 1] -= 0.3
    observed = Observations(slopes, torch.ones(1, J), torch.full((1, 2), 1000.0))
    bounds = depth_bounds(observed, None)
    others = [i for i, joint in enumerate(H36M17.joints) if joint not in ("left_wrist", "left_elbow")]
    moved = []
    for outlier_rad in (0.01, None):
        options = ZedoOptions(outlier_rad=outlier_rad)
        found, _ = optimise_in_loop(
            DenoisingSteps.from_prior(lifter.prior, options), observed, pose, T, bounds, options
        )
        moved.append(float(((found - found[:, :1]) - pose)[0, others].norm(dim=-1).mean()))
    assert moved[0] < 0.5 * moved[1]
