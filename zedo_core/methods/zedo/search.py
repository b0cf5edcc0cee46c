"""Search for initial poses in a grid of headings and tilts: each is placed in closed form, the best are selected."""

from __future__ import annotations

import math
from functools import lru_cache

import roma
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from zedo_core.methods.observations import NEAR_M, Observations, bounded_translation
from zedo_core.methods.zedo.options import ZedoOptions
from zedo_core.methods.zedo.plausibility import pose_distances

_POOL = 3  # the most diverse poses are selected from this many times their number
# Placements whose errors are computed in one block: they fit the caches of a CPU (True), the memory of a GPU (False).
_PLACEMENTS = {True: 30_000, False: 50_000_000}


def best_placements(
    observed: Observations,
    poses: Float[Tensor, "h j 3"],
    bounds: Float[Tensor, "b 2"],
    count: int,
    options: ZedoOptions,
) -> tuple[Float[Tensor, "b n j 3"], Float[Tensor, "b n 1 3"]]:
    """`count` rotated initial poses and their translations for every row, which fit well and differ.

    Each pose is tried in its best heading and in the best one at least a quarter turn from it, since an image does not
    show whether a limb points towards the camera or away from it. Among the best of these, the first selected is the
    one that fits best, and each next one has the smallest misfit minus `diversity` times its distance from those
    already selected.
    """
    R, error = search_headings(observed, poses, bounds, options)
    first = error.argmin(-1)
    second = error.masked_fill(~_far_headings(options, error.device)[first], torch.inf).argmin(-1)
    rotation = torch.cat([first, second], dim=1)
    index = torch.arange(len(poses), device=error.device).repeat(2).expand_as(rotation)
    row = torch.arange(len(error), device=error.device)[:, None]
    pool = error[row, index, rotation].topk(min(_POOL * count, index.shape[1]), largest=False)
    index, rotation = index.gather(1, pool.indices), rotation.gather(1, pool.indices)
    rotated = poses[index] @ R[rotation].mT
    T = bounded_translation(rotated, observed.slopes[:, None], observed.weights[:, None], bounds[:, None])
    depth_m = T[..., 0, 2].mean(1, keepdim=True)  # one for all, so that a near pose gains nothing by its depth
    misfit_m = pool.values / observed.focal_px.mean(-1, keepdim=True) * depth_m
    selected = _select_diverse(rotated, misfit_m, count, options.diversity)
    return rotated[row, selected], T[row, selected]


def search_headings(
    observed: Observations, poses: Float[Tensor, "h j 3"], bounds: Float[Tensor, "b 2"], options: ZedoOptions
) -> tuple[Float[Tensor, "a 3 3"], Float[Tensor, "b h a"]]:
    """Place every pose in every heading and tilt of the grid in closed form.

    Returns the rotations, and the weighted mean L1 reprojection errors in pixels for all rows b, poses h and
    rotations a.
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


def heading_grid(options: ZedoOptions, like: Tensor) -> Float[Tensor, "a 3 3"]:
    """Rotations of the grid: a heading about the vertical, then a tilt about the horizontal image axis."""
    return _heading_grid(options.headings, tuple(options.tilts_deg), like.dtype, like.device)


@lru_cache(maxsize=8)
def _heading_grid(count: int, tilts_deg: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Cached, since its values are copied from the host, for which lifting does not wait otherwise."""
    headings = torch.arange(count, dtype=torch.float64) * (2 * math.pi / count)
    tilts = torch.tensor(tilts_deg, dtype=torch.float64).deg2rad()
    return roma.euler_to_rotmat("XY", torch.cartesian_prod(tilts, headings)).to(device, dtype)


def _far_headings(options: ZedoOptions, device: torch.device) -> Bool[Tensor, "a a"]:
    """Whether the headings of two rotations of the grid differ by at least a quarter turn."""
    heading = torch.arange(options.headings * len(options.tilts_deg), device=device) % options.headings
    difference = (heading[:, None] - heading).abs()
    difference = torch.minimum(difference, options.headings - difference)
    return difference >= options.headings / 4


def _translations(
    observed: Observations, points: Float[Tensor, "3 j n"], bounds: Float[Tensor, "b 2"]
) -> Float[Tensor, "3 b n"]:
    """`bounded_translation` of all n poses for all b rows as one matrix product: it is linear except for the bounds."""
    slopes, weights = observed.slopes, observed.weights / observed.weights.sum(-1, keepdim=True)
    mean = (slopes * weights[..., None]).sum(1)
    offset = (slopes - mean[:, None]) * weights[..., None]
    spread = ((slopes - mean[:, None]) * offset).sum((1, 2)).clamp_min(1e-12)[:, None]
    zero = torch.zeros_like(weights)
    rows = (
        torch.cat([weights, zero, -weights * slopes[..., 0]], dim=1),
        torch.cat([zero, weights, -weights * slopes[..., 1]], dim=1),
        torch.cat([offset[..., 0], offset[..., 1], -(offset * slopes).sum(-1)], dim=1) / spread,
    )
    T = (torch.cat(rows) @ points.flatten(0, 1)).unflatten(0, (3, -1))
    T[2].clamp_(bounds[:, :1], bounds[:, 1:])
    torch.sub(mean.T[..., None] * T[2], T[:2], out=T[:2])
    return T


def _reprojection_of_all(
    observed: Observations, points: Float[Tensor, "3 j n"], T: Float[Tensor, "3 b n"], out: Float[Tensor, "b n"]
) -> None:
    """Weighted mean of `reprojection_l1` of all n poses for all b rows, joint by joint to stay within the caches."""
    share = (observed.weights / observed.weights.sum(-1, keepdim=True))[..., None] * (observed.focal_px / 2)[:, None]
    out.zero_()
    for j in range(points.shape[1]):
        depth = T[2] + points[2, j]
        inverse_depth = torch.where(depth.abs() < NEAR_M, NEAR_M, depth).reciprocal_()
        for axis in range(2):
            slope, factor = observed.slopes[:, j, axis, None], share[:, j, axis, None]
            error = (T[axis] + points[axis, j]).mul_(inverse_depth).sub_(slope).abs_()
            out.addcmul_(error, factor)


def _select_diverse(
    poses: Float[Tensor, "b m j 3"], misfit_m: Float[Tensor, "b m"], count: int, diversity: float
) -> Int[Tensor, "b n"]:
    """Greedy selection of `count` poses of each row, beginning with the first."""
    distance = pose_distances(poses)
    row = torch.arange(len(poses), device=poses.device)
    selected = [torch.zeros_like(row)]
    cost, nearest = misfit_m.clone(), distance[:, 0]
    for _ in range(min(count, poses.shape[1]) - 1):
        cost.scatter_(1, selected[-1][:, None], torch.inf)  # select each pose once
        selected.append((cost - diversity * nearest).argmin(1))
        nearest = torch.minimum(nearest, distance[row, selected[-1]])
    return torch.stack(selected, dim=1)
