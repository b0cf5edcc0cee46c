"""The paper's initial pose optimiser: rotate an initial pose and place it in front of the camera (section 3.3)."""

from __future__ import annotations

import roma
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from zedo_core.methods.observations import Observations, reprojection_l1
from zedo_core.methods.zedo.options import ZedoOptions
from zedo_core.skeleton import Skeleton


def descend(
    observed: Observations, poses: Float[Tensor, "b j 3"], skeleton: Skeleton, options: ZedoOptions
) -> tuple[Float[Tensor, "b 3 3"], Float[Tensor, "b 1 3"], Float[Tensor, " b"]]:
    """Optimise a rotation about `options.axes` and the distance along the pelvis ray by Adam, as in the paper.

    Returns rotations, translations in metres, and the mean L1 reprojection error in pixels of each row.
    """
    joints = skeleton.indices(options.joints or skeleton.joints)
    root = observed.rays[:, [skeleton.root]] * options.depth_m
    with torch.inference_mode(False), torch.enable_grad():
        quaternion = torch.zeros(len(poses), 4, dtype=poses.dtype, device=poses.device)  # x, y, z, w
        quaternion[:, 3] = 1.0
        quaternion.requires_grad_(True)
        scale = torch.ones(len(poses), 1, 1, dtype=poses.dtype, device=poses.device, requires_grad=True)
        free = torch.tensor([*(float(axis in options.axes) for axis in "xyz"), 1.0]).to(poses)
        root, slopes, focal = (x.clone() for x in (root, observed.slopes[:, joints], observed.focal_px[:, None]))
        points = poses[:, joints].clone()
        optimizer = torch.optim.Adam([quaternion, scale], lr=options.adam_rate)
        for _ in range(options.adam_steps):
            optimizer.zero_grad(set_to_none=True)
            T = root * scale.clamp(*options.scale)
            error = reprojection_l1(points @ _rotation(quaternion * free).mT + T, slopes, focal)
            error.mean().backward()
            optimizer.step()
    with torch.no_grad():
        R = _rotation(quaternion.detach() * free)
        T = root * scale.detach().clamp(*options.scale)
        return R, T, reprojection_l1(points @ R.mT + T, slopes, focal).mean(-1)


def _rotation(quaternion_xyzw: Float[Tensor, "b 4"]) -> Float[Tensor, "b 3 3"]:
    return roma.unitquat_to_rotmat(F.normalize(quaternion_xyzw, dim=-1))
