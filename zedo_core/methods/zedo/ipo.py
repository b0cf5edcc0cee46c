"""The initial pose optimiser: turn a standard pose and place it before the camera (paper section 3.3)."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from zedo_core.methods.zedo.observations import Observations
from zedo_core.methods.zedo.options import ZedoOptions
from zedo_core.skeleton import Skeleton

_NEAR_M = 1e-3
# Placements whose errors are computed at a time: on a CPU (True) they fit its caches, on a GPU its memory.
_PLACEMENTS = {True: 30_000, False: 50_000_000}


def descend(
    observed: Observations, poses: Float[Tensor, "b j 3"], skeleton: Skeleton, options: ZedoOptions
) -> tuple[Float[Tensor, "b 3 3"], Float[Tensor, "b 1 3"], Float[Tensor, " b"]]:
    """The paper's search: Adam over a rotation about the chosen axes and the distance along the pelvis ray.

    Returns rotations, translations in metres, and the mean L1 reprojection error in pixels of each row.
    """
    joints = skeleton.indices(options.joints or skeleton.joints)
    root = observed.rays[:, [skeleton.root]] * options.depth_m
    with torch.inference_mode(False), torch.enable_grad():
        turn = torch.zeros(len(poses), 4, dtype=poses.dtype, device=poses.device)
        turn[:, 0] = 1.0
        turn.requires_grad_(True)
        scale = torch.ones(len(poses), 1, 1, dtype=poses.dtype, device=poses.device, requires_grad=True)
        free = torch.tensor([1.0, *(float(axis in options.axes) for axis in "xyz")]).to(poses)
        root, slopes, focal = (x.clone() for x in (root, observed.slopes[:, joints], observed.focal_px[:, None]))
        chosen = poses[:, joints].clone()
        optimizer = torch.optim.Adam([turn, scale], lr=options.adam_rate)
        for _ in range(options.adam_steps):
            optimizer.zero_grad(set_to_none=True)
            T = root * scale.clamp(*options.scale)
            error = reprojection_l1(chosen @ quaternion_to_matrix(turn * free).mT + T, slopes, focal)
            error.mean().backward()
            optimizer.step()
    with torch.no_grad():
        R = quaternion_to_matrix(turn.detach() * free)
        T = root * scale.detach().clamp(*options.scale)
        return R, T, reprojection_l1(chosen @ R.mT + T, slopes, focal).mean(-1)


def search_headings(
    observed: Observations, poses: Float[Tensor, "h j 3"], bounds: Float[Tensor, "b 2"], options: ZedoOptions
) -> tuple[Float[Tensor, "a 3 3"], Float[Tensor, "b h a"]]:
    """Every pose in every heading and tilt of the grid, placed in closed form.

    Returns the rotations and the weighted mean L1 reprojection errors in pixels, for all rows b,
    poses h and rotations a.
    """
    R = heading_grid(options, poses)
    points = torch.einsum("axy,hjy->xjha", R, poses).flatten(2)
    T = _translations(observed, points, bounds)
    error = torch.empty_like(T[0])
    block = max(1, _PLACEMENTS[points.device.type == "cpu"] // points.shape[2])
    for start in range(0, len(error), block):
        rows = slice(start, start + block)
        _reprojection_of_all(observed[rows], points, T[:, rows], out=error[rows])
    return R, error.unflatten(1, (len(poses), len(R)))


def _translations(
    observed: Observations, points: Float[Tensor, "3 j n"], bounds: Float[Tensor, "b 2"]
) -> Float[Tensor, "3 b n"]:
    """`bounded_translation` of all n poses for all b rows, as one product: but for the bounds it is linear."""
    slopes, weights = observed.slopes, observed.weights / observed.weights.sum(-1, keepdim=True)
    mean = (slopes * weights[..., None]).sum(1)
    offset = (slopes - mean[:, None]) * weights[..., None]
    spread = ((slopes - mean[:, None]) * offset).sum((1, 2)).clamp_min(1e-12)[:, None]
    none = torch.zeros_like(weights)
    rows = (
        torch.cat([weights, none, -weights * slopes[..., 0]], dim=1),
        torch.cat([none, weights, -weights * slopes[..., 1]], dim=1),
        torch.cat([offset[..., 0], offset[..., 1], -(offset * slopes).sum(-1)], dim=1) / spread,
    )
    T = (torch.cat(rows) @ points.flatten(0, 1)).unflatten(0, (3, -1))
    T[2].clamp_(bounds[:, :1], bounds[:, 1:])
    torch.sub(mean.T[..., None] * T[2], T[:2], out=T[:2])
    return T


def _reprojection_of_all(
    observed: Observations, points: Float[Tensor, "3 j n"], T: Float[Tensor, "3 b n"], out: Float[Tensor, "b n"]
) -> None:
    """The weighted mean of `reprojection_l1` of all n poses for all b rows, joint by joint to stay in the caches."""
    share = (observed.weights / observed.weights.sum(-1, keepdim=True))[..., None] * (observed.focal_px / 2)[:, None]
    out.zero_()
    for j in range(points.shape[1]):
        depth = T[2] + points[2, j]
        nearness = torch.where(depth.abs() < _NEAR_M, _NEAR_M, depth).reciprocal_()
        for axis in range(2):
            slope, factor = observed.slopes[:, j, axis, None], share[:, j, axis, None]
            off = (T[axis] + points[axis, j]).mul_(nearness).sub_(slope).abs_()
            out.addcmul_(off, factor)


def heading_grid(options: ZedoOptions, like: Tensor) -> Float[Tensor, "a 3 3"]:
    """Rotations of the grid: a heading about the vertical, then a tilt about the horizontal image axis."""
    return _heading_grid(options.headings, tuple(options.tilts_deg), like.dtype, like.device)


@lru_cache(maxsize=8)
def _heading_grid(count: int, tilts_deg: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Kept, since its numbers come from the host, which the lifting does not wait for otherwise."""
    headings = torch.arange(count, dtype=dtype) * (2 * math.pi / count)
    tilts = torch.tensor([math.radians(tilt) for tilt in tilts_deg], dtype=dtype)
    turn, tilt = headings.new_zeros(len(headings), 4), tilts.new_zeros(len(tilts), 4)
    turn[:, 0], turn[:, 2] = (headings / 2).cos(), (headings / 2).sin()
    tilt[:, 0], tilt[:, 1] = (tilts / 2).cos(), (tilts / 2).sin()
    return (quaternion_to_matrix(tilt)[:, None] @ quaternion_to_matrix(turn)[None]).flatten(0, 1).to(device)


def reprojection_l1(
    points: Float[Tensor, "*b j 3"], slopes: Float[Tensor, "*c j 2"], focal_px: Float[Tensor, "*d 2"]
) -> Float[Tensor, "*e j"]:
    """Mean over x and y of the distance in pixels between projected points and keypoints."""
    depth = points[..., 2:]
    depth = torch.where(depth.abs() < _NEAR_M, torch.full_like(depth, _NEAR_M), depth)
    return ((points[..., :2] / depth - slopes) * focal_px).abs().mean(-1)


def quaternion_to_matrix(quaternion_wxyz: Float[Tensor, "b 4"]) -> Float[Tensor, "b 3 3"]:
    """Rotation matrices of quaternions (w, x, y, z), normalised here."""
    w, x, y, z = torch.nn.functional.normalize(quaternion_wxyz, dim=-1).unbind(-1)
    rows = (
        *(1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        *(2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        *(2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    return torch.stack(rows, dim=-1).unflatten(-1, (3, 3))
