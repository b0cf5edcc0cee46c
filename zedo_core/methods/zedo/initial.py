"""Initial poses: which standard poses to start from, and how many."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from zedo_core.errors import InputError
from zedo_core.methods.zedo.ipo import search_headings
from zedo_core.methods.zedo.observations import Observations, bounded_translation
from zedo_core.methods.zedo.options import ZedoOptions
from zedo_core.methods.zedo.plausibility import pose_distances
from zedo_core.skeleton import Skeleton

_POOL = 3  # so many times the starts wanted are compared for how they differ


def standard_poses(clusters: dict[int, Float[Tensor, "s j 3"]], count: int) -> Float[Tensor, "h j 3"]:
    """`count` standard poses: the clusters of that number, or the most different ones of the next larger number."""
    larger = sorted(size for size in clusters if size >= count)
    if not larger:
        raise InputError(f"expected at most {max(clusters)} initial poses with these clusters, got {count}")
    poses = clusters[larger[0]]
    return poses if len(poses) == count else poses[_farthest_first(poses, count)]


def best_starts(
    observed: Observations,
    poses: Float[Tensor, "h j 3"],
    bounds: Float[Tensor, "b 2"],
    count: int,
    options: ZedoOptions,
) -> tuple[Float[Tensor, "b n j 3"], Float[Tensor, "b n 1 3"]]:
    """`count` placed starts of every row, that fit well and differ: turned poses and their translations.

    Each pose comes in its best heading and in the best one at least a quarter turn from it, since a
    picture leaves open whether a limb points to the camera or away. Of the best of these, the first
    is the one that fits best, and each next one has the least misfit minus `diversity` times its
    distance from those already taken.
    """
    R, error = search_headings(observed, poses, bounds, options)
    first = error.argmin(-1)
    second = error.masked_fill(~_far_headings(options, error.device)[first], torch.inf).argmin(-1)
    rotation = torch.cat([first, second], dim=1)
    shape = torch.arange(len(poses), device=error.device).repeat(2).expand_as(rotation)
    row = torch.arange(len(error), device=error.device)[:, None]
    pool = error[row, shape, rotation].topk(min(_POOL * count, shape.shape[1]), largest=False)
    shape, rotation = shape.gather(1, pool.indices), rotation.gather(1, pool.indices)
    turned = poses[shape] @ R[rotation].mT
    placed = bounded_translation(turned, observed.slopes[:, None], observed.weights[:, None], bounds[:, None])
    depth_m = placed[..., 0, 2].mean(1, keepdim=True)  # one for all: a misfit in pixels is no better for being near
    misfit_m = pool.values / observed.focal_px.mean(-1, keepdim=True) * depth_m
    chosen = _different(turned, misfit_m, count, options.diversity)
    return turned[row, chosen], placed[row, chosen]


def _different(
    poses: Float[Tensor, "b m j 3"], misfit_m: Float[Tensor, "b m"], count: int, diversity: float
) -> Int[Tensor, "b n"]:
    """Greedy choice of `count` poses of each row, the first one first."""
    distance = pose_distances(poses)
    row = torch.arange(len(poses), device=poses.device)
    chosen = [torch.zeros_like(row)]
    cost, nearest = misfit_m.clone(), distance[:, 0]
    for _ in range(min(count, poses.shape[1]) - 1):
        cost.scatter_(1, chosen[-1][:, None], torch.inf)  # not again
        chosen.append((cost - diversity * nearest).argmin(1))
        nearest = torch.minimum(nearest, distance[row, chosen[-1]])
    return torch.stack(chosen, dim=1)


def bone_length(pose: Float[Tensor, "*b j 3"], skeleton: Skeleton) -> Float[Tensor, "*b"]:
    """Sum of the lengths of all bones in metres."""
    bones = [pose[..., child, :] - pose[..., parent, :] for child, parent in skeleton.edges]
    return torch.stack(bones, dim=-2).norm(dim=-1).sum(-1)


def _far_headings(options: ZedoOptions, device: torch.device) -> Tensor:
    """(a, a): whether two rotations of the grid are at least a quarter turn apart in heading."""
    heading = torch.arange(options.headings * len(options.tilts_deg), device=device) % options.headings
    apart = (heading[:, None] - heading).abs()
    apart = torch.minimum(apart, options.headings - apart)
    return apart >= options.headings / 4


def _farthest_first(poses: Float[Tensor, "s j 3"], count: int) -> Int[Tensor, " count"]:
    """Indices such that each next pose is the one farthest from those already taken."""
    flat = poses.flatten(1)
    taken = [int((flat - flat.mean(0)).norm(dim=1).argmin())]
    nearest = (flat - flat[taken[0]]).norm(dim=1)
    while len(taken) < count:
        taken.append(int(nearest.argmax()))
        nearest = torch.minimum(nearest, (flat - flat[taken[-1]]).norm(dim=1))
    return torch.tensor(taken, device=poses.device)
