"""ZeDO: geometry against naive twins, the searches against known answers, the lifter's behaviour at its edges."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy import ndarray
from torch import Tensor

import zedo_core
from zedo_core.checkpoint import Prior
from zedo_core.diffusion.sde import SubVP
from zedo_core.errors import InputError
from zedo_core.methods.zedo import MAX_HYPOTHESES, PRESETS, ZedoLifter, ZedoOptions, preset
from zedo_core.methods.zedo import lifter as lifter_module
from zedo_core.methods.zedo.initial import best_starts, bone_length, standard_poses
from zedo_core.methods.zedo.ipo import heading_grid, search_headings
from zedo_core.methods.zedo.observations import (
    Observations,
    bounded_translation,
    depth_bounds,
    solve_translation,
    weighted_mean,
)
from zedo_core.methods.zedo.oil import optimise_in_loop, pull_to_rays
from zedo_core.metrics import mpjpe
from zedo_core.nets.score_mlp import ScoreMLP, ScoreMLPConfig
from zedo_core.skeleton import H36M17

J = len(H36M17)
ROOT = H36M17.index("pelvis")
SEEDS = st.integers(0, 10_000)
# A pose of the geometry tests: joints about half a metre from the root, 1 to 8 m before the camera.
SMALL = ZedoOptions(iterations=4, step=0.01, headings=8, tilts_deg=(0.0, 15.0), shapes=6, candidates=3)


def scene(seed: int, rows: int = 3) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Random poses, translations, the slopes of the exact rays, and weights, in float64."""
    rng = np.random.default_rng(seed)
    pose = torch.from_numpy(rng.normal(0, 0.3, (rows, J, 3)))
    T = torch.from_numpy(rng.uniform((-1, -1, 3), (1, 1, 8), (rows, 1, 3)))
    placed = pose + T
    slopes = placed[..., :2] / placed[..., 2:]
    return pose, T, slopes, torch.from_numpy(rng.uniform(0.05, 1, (rows, J)))


def squared_error(pose: Tensor, T: Tensor, slopes: Tensor, weights: Tensor) -> Tensor:
    """What the translation minimises, written out: the squares of -T_xy + r T_z - (P_xy - P_z r)."""
    placed = pose + T
    return (weights[..., None] * (placed[..., :2] - placed[..., 2:] * slopes).square()).sum((-2, -1))


# The closed-form translation


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.floats(0.0, 0.3))
def test_translation_is_the_least_squares_solution(seed: int, noise: float) -> None:
    """Both are float64 with a condition below 1e4 (normal equations: squared): 1e-6 relative to metres."""
    pose, _, slopes, weights = scene(seed)
    slopes = slopes + noise * torch.from_numpy(np.random.default_rng(seed + 1).normal(0, 1, slopes.shape))
    got = solve_translation(pose, slopes, weights)
    for p, r, w, t in zip(pose.numpy(), slopes.numpy(), weights.numpy(), got.numpy(), strict=True):
        A = np.zeros((J, 2, 3))
        A[:, 0, 0] = A[:, 1, 1] = -1
        A[:, :, 2] = r
        b = p[:, :2] - p[:, 2:] * r
        root_w = np.sqrt(w).repeat(2)
        wanted = np.linalg.lstsq(A.reshape(-1, 3) * root_w[:, None], b.reshape(-1) * root_w, rcond=None)[0]
        np.testing.assert_allclose(t[0], wanted, rtol=1e-6, atol=1e-6)


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
def test_open_bounds_bound_nothing(seed: int) -> None:
    pose, _, slopes, weights = scene(seed)
    bounds = torch.tensor([[-torch.inf, torch.inf]], dtype=torch.float64).expand(len(pose), 2)
    got = bounded_translation(pose, slopes, weights, bounds)
    torch.testing.assert_close(got, solve_translation(pose, slopes, weights), rtol=0, atol=0)


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.sampled_from([(0.0, 2.0), (9.0, 20.0)]))
def test_bounded_translation_is_the_best_at_its_depth(seed: int, limits: tuple[float, float]) -> None:
    """The true depth lies in 3 to 8 m, so each pair of limits is met; any step across the view then costs."""
    pose, _, slopes, weights = scene(seed)
    bounds = torch.tensor([limits], dtype=torch.float64).expand(len(pose), 2)
    T = bounded_translation(pose, slopes, weights, bounds)
    met = limits[1] if limits[1] < 3 else limits[0]
    torch.testing.assert_close(T[..., 2], torch.full_like(T[..., 2], met))
    least = squared_error(pose, T, slopes, weights)
    for axis in (0, 1):
        for step in (-1e-3, 1e-3):
            aside = T.clone()
            aside[..., axis] += step
            assert (squared_error(pose, aside, slopes, weights) > least).all()


def test_depth_bounds_are_those_of_the_bodys_size() -> None:
    """A body whose joints spread by s at depth d has bounds around d when s is allowed, and not otherwise."""
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
def test_pulled_joints_lie_on_their_rays_and_stay(seed: int) -> None:
    """float64, metres: 1e-12 is a few thousand roundings."""
    _, T, slopes, weights = scene(seed)
    pose = scene(seed + 1)[0]
    rays = Observations(slopes, weights, torch.ones(len(pose), 2, dtype=torch.float64)).rays
    once = pull_to_rays(pose, T, rays)
    torch.testing.assert_close(pull_to_rays(once, T, rays), once, rtol=0, atol=1e-12)
    torch.testing.assert_close(torch.linalg.cross(once + T, rays), torch.zeros_like(once), rtol=0, atol=1e-12)
    # the nearest point of the ray: what was moved is at a right angle to it
    torch.testing.assert_close(((once - pose) * rays).sum(-1), torch.zeros(3, J).double(), rtol=0, atol=1e-12)


def test_the_pull_goes_by_strength() -> None:
    _, T, slopes, weights = scene(0)
    pose = scene(1)[0]
    rays = Observations(slopes, weights, torch.ones(3, 2, dtype=torch.float64)).rays
    full, share = pull_to_rays(pose, T, rays), torch.rand(3, J, 1, dtype=torch.float64)
    wanted = pose + share * (full - pose)
    torch.testing.assert_close(pull_to_rays(pose, T, rays, share), wanted, rtol=0, atol=1e-12)


def test_a_translation_behind_the_camera_is_negated_or_bounded() -> None:
    """Rays that meet behind the camera; no golden run comes there. Exact rays in float64: 1e-9."""
    pose, T, _, weights = scene(0)
    behind = -T
    placed = pose + behind
    observed = Observations(placed[..., :2] / placed[..., 2:], weights, torch.ones(3, 2).double())
    prior = tiny_prior()
    prior.net.double()
    start = torch.zeros_like(T)
    once = ZedoOptions(iterations=1, warm_up=0.0)
    _, flipped = optimise_in_loop(prior, observed, pose, start, open_bounds(3), replace(once, flip_negative_depth=True))
    torch.testing.assert_close(flipped, T, rtol=0, atol=1e-9)
    _, bounded = optimise_in_loop(prior, observed, pose, start, open_bounds(3), once)
    assert (bounded[..., 2] == 0).all()
    _, kept = optimise_in_loop(prior, observed, pose, start, open_bounds(3), replace(once, warm_up=1.0))
    assert torch.equal(kept, start)


# Headings and starts


def observations_of(joints_cam: Tensor, focal_px: float = 1000.0) -> Observations:
    slopes = joints_cam[..., :2] / joints_cam[..., 2:]
    ones = torch.ones_like(slopes[..., 0])
    return Observations(slopes, ones, torch.full((len(slopes), 2), focal_px).to(slopes))


def open_bounds(rows: int) -> Tensor:
    return torch.tensor([[0.0, torch.inf]], dtype=torch.float64).expand(rows, 2)


def test_the_heading_grid_holds_different_rotations() -> None:
    R = heading_grid(SMALL, torch.zeros(1, dtype=torch.float64))
    assert R.shape == (16, 3, 3)
    torch.testing.assert_close(R @ R.mT, torch.eye(3).double().expand_as(R), rtol=0, atol=1e-12)
    torch.testing.assert_close(torch.linalg.det(R), torch.ones(16).double(), rtol=0, atol=1e-12)
    torch.testing.assert_close(R[0], torch.eye(3).double(), rtol=0, atol=1e-12)
    # a heading alone keeps the vertical, and all are 45 degrees apart or differ in tilt
    torch.testing.assert_close(R[:8, 1], torch.eye(3).double()[1].expand(8, 3), rtol=0, atol=1e-12)
    apart = (R[:, None] - R).flatten(2).norm(dim=-1) + 10 * torch.eye(16)
    assert apart.min() > 0.3


@pytest.mark.parametrize("number", [0, 3, 6, 13])
def test_the_search_finds_a_known_heading(number: int) -> None:
    poses, T = scene(0, rows=4)[0], torch.tensor([[[0.3, -0.2, 4.0]]]).double()
    R = heading_grid(SMALL, poses)
    observed = observations_of(poses[2] @ R[number].mT + T)
    rotations, translations, error = search_headings(observed, poses, open_bounds(1), SMALL)
    assert error.shape == (1, 4, 16) and translations.shape == (1, 4, 16, 1, 3)
    assert int(error.argmin()) == 2 * 16 + number
    assert float(error.min()) < 1e-6  # px; exact rays in float64
    torch.testing.assert_close(rotations[number], R[number])
    torch.testing.assert_close(translations[0, 2, number], T[0], rtol=0, atol=1e-9)


def test_the_best_start_is_the_known_one_and_starts_come_in_order() -> None:
    poses, T = scene(0, rows=4)[0], torch.tensor([[[0.3, -0.2, 4.0]]]).double()
    seen = poses[[2, 0]] @ heading_grid(SMALL, poses)[[5, 1]].mT + T
    observed = observations_of(seen)
    pose, placed = best_starts(observed, poses, open_bounds(2), 5, SMALL)
    assert pose.shape == (2, 5, J, 3) and placed.shape == (2, 5, 1, 3)
    torch.testing.assert_close((pose + placed)[:, 0], seen, rtol=0, atol=1e-9)
    projected = (pose + placed)[..., :2] / (pose + placed)[..., 2:]
    error = (projected - observed.slopes[:, None]).abs().mean((-2, -1))
    assert (error.diff(dim=1) >= 0).all()


def test_one_pose_has_two_starts_a_quarter_turn_apart() -> None:
    pose = scene(0, rows=1)[0]
    R = heading_grid(SMALL, pose)
    observed = observations_of(pose @ R[2].mT + torch.tensor([0.0, 0.0, 4.0]))
    starts, T = best_starts(observed, pose, open_bounds(1), 5, SMALL)
    assert starts.shape == (1, 2, J, 3) and T.shape == (1, 2, 1, 3)
    used = [int((pose @ r.mT - start).abs().amax((1, 2)).argmin()) for start in starts[0] for r in [R]]
    apart = abs(used[0] - used[1]) % 8
    assert used[0] == 2 and min(apart, 8 - apart) >= 2


def test_standard_poses_are_taken_as_they_are_or_thinned() -> None:
    clusters = {4: scene(0, rows=4)[0], 9: scene(1, rows=9)[0]}
    assert standard_poses(clusters, 4) is clusters[4]
    assert standard_poses(clusters, 9) is clusters[9]
    for count in (1, 3, 5, 8):
        thinned = standard_poses(clusters, count)
        assert thinned.shape == (count, J, 3)
        source = clusters[4 if count < 4 else 9]
        number = [int((source - pose).abs().amax((1, 2)).argmin()) for pose in thinned]
        assert len(set(number)) == count
        torch.testing.assert_close(source[number], thinned, rtol=0, atol=0)
    with pytest.raises(InputError, match="at most 9"):
        standard_poses(clusters, 10)


# Options


@pytest.mark.parametrize(
    "wrong",
    [
        {"iterations": 0},
        {"adam_steps": -1},
        {"headings": 0},
        {"tilts_deg": ()},
        {"t_start": 0.01, "t_end": 0.02},
        {"t_end": 0.0},
        {"t_start": 1.5},
        {"step": 0.0},
        {"step": float("nan")},
        {"warm_up": 1.1},
        {"init": "luck"},
        {"axes": "w"},
    ],
    ids=str,
)
def test_options_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        ZedoOptions(**wrong)


def test_other_iterations_keep_the_sum_of_the_steps() -> None:
    for options in PRESETS.values():
        fewer = options.with_iterations(7)
        assert fewer.iterations == 7
        assert fewer.iterations * fewer.step == pytest.approx(options.iterations * options.step, rel=1e-12)
        assert replace(fewer, iterations=options.iterations, step=options.step) == options
    with pytest.raises(InputError, match="at least 1"):
        ZedoOptions().with_iterations(0)


def test_presets_by_name() -> None:
    assert preset("3dpw") is PRESETS["3dpw"]
    with pytest.raises(InputError, match="3dpw"):
        preset("4dpw")


# The lifter with a tiny random network


def tiny_prior() -> Prior:
    torch.manual_seed(0)
    net = ScoreMLP(ScoreMLPConfig(width=64, time_width=8, blocks=1)).eval().requires_grad_(False)
    return Prior(net=net, sde=SubVP(), skeleton=H36M17, name="tiny", sha256="0" * 64)


def tiny_lifter(**changed: Any) -> ZedoLifter:
    rng = np.random.default_rng(0)
    poses = rng.normal(0, 0.3, (MAX_HYPOTHESES, J, 3)).astype(np.float32)
    poses -= poses[:, ROOT : ROOT + 1]
    clusters = {3: poses[:3], 8: poses[:8], MAX_HYPOTHESES: poses}
    return ZedoLifter.build(tiny_prior(), clusters, replace(SMALL, **changed), torch.device("cpu"))


def people(rows: int, seed: int = 0, focal_px: float = 1000.0) -> tuple[ndarray, ndarray, ndarray]:
    """Pixels, confidences and K of random people."""
    _, _, slopes, confidence = scene(seed, rows)
    K = np.tile(np.array([[focal_px, 0, 500], [0, focal_px, 400], [0, 0, 1]], float), (rows, 1, 1))
    return slopes.numpy() * focal_px + K[:, None, :2, 2], confidence.numpy(), K


@pytest.mark.parametrize("init", ["headings", "adam"])
def test_chunks_do_not_show(init: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A matrix product of other shape may be summed in another order: float32 of metres through 4 steps, 1e-4 m."""
    lifter, rows = tiny_lifter(init=init, adam_steps=5, depth_m=5.0), people(7)
    done: list[int] = []
    whole = lifter.lift_rows(*rows, 3, on_rows=done.append)
    assert done == [7]
    monkeypatch.setattr(lifter_module, "_ROWS_CPU", 6)  # two people of three starts
    done.clear()
    parts = lifter.lift_rows(*rows, 3, on_rows=done.append)
    assert done == [2, 4, 6, 7]
    np.testing.assert_allclose(parts[0], whole[0], rtol=0, atol=1e-4)
    np.testing.assert_allclose(parts[1], whole[1], rtol=0, atol=1e-3)
    monkeypatch.setattr(lifter_module, "_PLACEMENTS", 1)
    done.clear()
    np.testing.assert_allclose(lifter.lift_rows(*rows, 3, on_rows=done.append)[0], whole[0], rtol=0, atol=1e-4)
    assert done == ([1, 2, 3, 4, 5, 6, 7] if init == "headings" else [2, 4, 6, 7])


def test_same_input_same_result_and_inputs_stay() -> None:
    lifter, rows = tiny_lifter(), people(3)
    before = [array.copy() for array in rows]
    first, again = lifter.lift_rows(*rows, 4), lifter.lift_rows(*rows, 4)
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(before, rows, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(("rows", "hypotheses"), [(0, 3), (1, 1), (1, 5), (2, MAX_HYPOTHESES)])
def test_shapes_and_order(rows: int, hypotheses: int) -> None:
    joints, score = tiny_lifter().lift_rows(*people(rows), hypotheses)
    assert joints.shape == (rows, hypotheses, J, 3) and score.shape == (rows, hypotheses)
    assert joints.dtype == score.dtype == np.float32
    assert np.isfinite(joints).all() and np.isfinite(score).all()
    assert (np.diff(score, axis=1) <= 0).all()


@pytest.mark.parametrize("hypotheses", [-1, 0, MAX_HYPOTHESES + 1])
def test_too_few_or_many_hypotheses_are_refused(hypotheses: int) -> None:
    with pytest.raises(InputError, match="1 to 200"):
        tiny_lifter().lift_rows(*people(1), hypotheses)


def test_the_size_is_that_of_the_standard_poses() -> None:
    """Bone lengths in float32, 5 m from the camera: 1e-4."""
    lifter = tiny_lifter()
    joints, _ = lifter.lift_rows(*people(3), 8)
    wanted = float(bone_length(lifter.clusters[8], H36M17).mean())
    np.testing.assert_allclose(bone_length(torch.from_numpy(joints), H36M17).numpy(), wanted, rtol=1e-4)


def test_unseen_joints_have_no_influence() -> None:
    """A weight of 1e-4 to the fourth power remains in the translation: 1e-16, below float32; the score keeps 1e-6."""
    lifter, (xy, confidence, K) = tiny_lifter(), people(4)
    confidence[:, 5] = confidence[2, 9] = 0.0
    joints, score = lifter.lift_rows(xy, confidence, K, 3)
    moved = xy.copy()
    moved[:, 5] += 300.0
    moved[2, 9] = 0.0
    again, score_again = lifter.lift_rows(moved, confidence, K, 3)
    np.testing.assert_allclose(again, joints, rtol=0, atol=1e-5)
    np.testing.assert_allclose(score_again, score, rtol=0, atol=1e-3)
    seen = tiny_lifter().lift_rows(moved, np.ones_like(confidence), K, 3)[0]
    assert np.abs(seen - joints).max() > 1e-2  # with confidence they would have moved it


def test_one_joint_alone_gives_finite_poses() -> None:
    xy, confidence, K = people(2)
    alone = np.arange(J) == H36M17.index("left_knee")
    joints, score = tiny_lifter().lift_rows(
        np.where(alone[:, None], xy, 0.0), np.where(alone, 1.0, 0.0) + 0 * confidence, K, 3
    )
    assert np.isfinite(joints).all() and np.isfinite(score).all()


@pytest.mark.parametrize("focal_px", [200.0, 20000.0])
def test_wide_and_tele_lenses(focal_px: float) -> None:
    """The method works on slopes; only their rounding, and so the result by 1e-3 m, depends on the focal length."""
    lifter = tiny_lifter()
    joints, score = lifter.lift_rows(*people(3, focal_px=focal_px), 3)
    assert np.isfinite(joints).all() and np.isfinite(score).all() and (joints[..., ROOT, 2] > 0).all()
    np.testing.assert_allclose(joints, lifter.lift_rows(*people(3), 3)[0], rtol=0, atol=1e-3)


def test_other_types_and_memory_layouts() -> None:
    lifter, rows = tiny_lifter(), people(3)
    wanted = lifter.lift_rows(*rows, 2)[0]
    single = [a.astype(np.float32) for a in rows]
    np.testing.assert_array_equal(lifter.lift_rows(*tuple(single[:3]), hypotheses=2)[0], wanted)
    strided = [np.asfortranarray(a) for a in rows]
    assert not strided[0].flags.c_contiguous
    np.testing.assert_array_equal(lifter.lift_rows(*tuple(strided[:3]), hypotheses=2)[0], wanted)
    backwards = [np.ascontiguousarray(a[::-1])[::-1] for a in rows]
    np.testing.assert_array_equal(lifter.lift_rows(*tuple(backwards[:3]), hypotheses=2)[0], wanted)


def test_every_row_has_its_own_camera() -> None:
    """Slopes from other focal lengths differ by float32 rounding, which four steps keep below 1e-3 m."""
    lifter, (xy, confidence, K) = tiny_lifter(), people(3)
    wanted = lifter.lift_rows(xy, confidence, K, 2)[0]
    factor, shift = np.array([1.0, 2.0, 0.5]), np.array([[0.0, 0.0], [30.0, -20.0], [-200.0, 5.0]])
    other = K.copy()
    other[:, :2] *= factor[:, None, None]
    other[:, :2, 2] += shift
    moved = xy * factor[:, None, None] + shift[:, None]
    np.testing.assert_allclose(lifter.lift_rows(moved, confidence, other, 2)[0], wanted, rtol=0, atol=1e-3)


def test_weighted_mean_of_equal_weights_is_the_mean() -> None:
    values = scene(0)[0]
    got = weighted_mean(values, torch.full(values.shape[:2], 0.3).double())
    torch.testing.assert_close(got, values.mean(1, keepdim=True))


# The packaged prior


@pytest.fixture(scope="module")
def packaged() -> ZedoLifter:
    return zedo_core.load_lifter(device="cpu")


def before_a_camera(poses: ndarray, heading_rad: ndarray, T: tuple[float, float, float]) -> ndarray:
    c, s = np.cos(heading_rad), np.sin(heading_rad)
    R = np.zeros((len(poses), 3, 3))
    R[:, 0, 0] = R[:, 2, 2] = c
    R[:, 0, 2], R[:, 2, 0], R[:, 1, 1] = s, -s, 1.0
    return poses @ np.swapaxes(R, 1, 2) + np.array(T)


def lifted(lifter: ZedoLifter, joints_cam: ndarray) -> tuple[ndarray, ndarray]:
    """The first hypotheses, and their mean reprojection errors in pixels at 1000 px focal length."""
    K = np.tile(np.array([[1000.0, 0, 500], [0, 1000.0, 500], [0, 0, 1]]), (len(joints_cam), 1, 1))
    xy = joints_cam[..., :2] / joints_cam[..., 2:] * 1000 + 500
    joints = lifter.lift_rows(xy, np.ones(xy.shape[:2]), K, 1)[0][:, 0]
    projected = joints[..., :2] / joints[..., 2:] * 1000 + 500
    return joints, np.linalg.norm(projected - xy, axis=-1).mean(-1)


def test_the_packaged_prior_lifts_the_mean_pose_in_every_heading(packaged: ZedoLifter) -> None:
    """80 mm is what is asked of a good lifting in general; these easy views come out at a third of it."""
    headings = np.linspace(0, 2 * np.pi, 8, endpoint=False) + 0.1
    truth = before_a_camera(packaged.clusters[1].numpy().repeat(8, axis=0), headings, (0.0, 0.0, 4.0))
    joints, error_px = lifted(packaged, truth)
    assert (1000 * mpjpe(joints, truth, ROOT) < 80).all()
    assert (error_px < 15).all()


def test_the_packaged_prior_lifts_many_standing_poses(packaged: ZedoLifter) -> None:
    """Any heading, aside of the centre. A single view may be taken for its mirror image in depth: hence a median."""
    poses = packaged.clusters[20].numpy()
    head, feet = H36M17.index("head_top"), H36M17.indices(("left_ankle", "right_ankle"))
    poses = poses[(poses[:, feet, 1].min(-1) - poses[:, head, 1]) > 1.1]  # y is down: the head well above both feet
    assert len(poses) >= 5
    truth = before_a_camera(poses, np.random.default_rng(1).uniform(-np.pi, np.pi, len(poses)), (0.3, -0.1, 4.0))
    joints, error_px = lifted(packaged, truth)
    assert (error_px < 15).all()
    np.testing.assert_allclose(joints[:, ROOT, 2], 4.0, rtol=0.2)
    assert np.median(1000 * mpjpe(joints, truth, ROOT)) < 80
