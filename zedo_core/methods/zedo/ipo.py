"""The initial pose optimiser: turn a standard pose and place it before the camera (paper section 3.3)."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from zedo_core.methods.zedo.observations import Observations, bounded_translation
from zedo_core.methods.zedo.options import ZedoOptions
from zedo_core.skeleton import Skeleton

_NEAR_M = 1e-3


def descend(
    observed: Observations, poses: Float[Tensor, "b j 3"], skeleton: Skeleton, options: ZedoOptions
) -> tuple[Float[Tensor, "b 3 3"], Float[Tensor, "b 1 3"], Float[Tensor, " b"]]:
    """The paper's search: Adam over a rotation about the chosen axes and the distance along the pelvis ray.

    Returns rotations, translations in metres, and the mean L1 reprojection error in pixels of each row.
    """
    joints = skeleton.indices(options.joints or skeleton.joints)
    root = observed.rays[:, [skeleton.index("pelvis")]] * options.depth_m
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
) -> tuple[Float[Tensor, "a 3 3"], Float[Tensor, "b h a 1 3"], Float[Tensor, "b h a"]]:
    """Every pose in every heading and tilt of the grid, placed in closed form.

    Returns the rotations, the translations in metres and the weighted mean L1 reprojection errors
    in pixels, for all rows b, poses h and rotations a.
    """
    R = heading_grid(options, poses)
    turned = torch.einsum("axy,hjy->hajx", R, poses)
    slopes, weights = observed.slopes[:, None, None], observed.weights[:, None, None]
    T = bounded_translation(turned, slopes, weights, bounds[:, None, None])
    error = reprojection_l1(turned + T, slopes, observed.focal_px[:, None, None, None])
    return R, T, (error * weights).sum(-1) / weights.sum(-1)


def heading_grid(options: ZedoOptions, like: Tensor) -> Float[Tensor, "a 3 3"]:
    """Rotations of the grid: a heading about the vertical, then a tilt about the horizontal image axis."""
    headings = torch.arange(options.headings, device=like.device, dtype=like.dtype) * (2 * math.pi / options.headings)
    tilts = torch.tensor([math.radians(tilt) for tilt in options.tilts_deg], device=like.device, dtype=like.dtype)
    turn, tilt = torch.zeros(len(headings), 4).to(like), torch.zeros(len(tilts), 4).to(like)
    turn[:, 0], turn[:, 2] = (headings / 2).cos(), (headings / 2).sin()
    tilt[:, 0], tilt[:, 1] = (tilts / 2).cos(), (tilts / 2).sin()
    return (quaternion_to_matrix(tilt)[:, None] @ quaternion_to_matrix(turn)[None]).flatten(0, 1)


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
