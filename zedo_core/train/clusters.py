"""Initial poses for the lifter: representatives of all kinds of pose, facing the camera."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from zedo_core.checkpoint import save_clusters
from zedo_core.data.mocap import Motions
from zedo_core.errors import InputError
from zedo_core.train.augment import AugmentOptions, about, flip, frame_weights
from zedo_core.train.bodies import put_together, take_apart

_FEW = 20_000  # poses up to which plain K-means is fast enough


def train_clusters(
    motions: Motions,
    out: Path,
    counts: Sequence[int],
    seed: int = 0,
    *,
    on_count: Callable[[int], None] = lambda count: None,
) -> dict[int, Float[ndarray, "s 17 3"]]:
    """Choose initial poses, as many as each of `counts` says, write `clusters.npz` into `out` and return them.

    The poses and their mirror images are turned to face the camera (the initial pose optimiser finds the heading) and
    grouped by K-means, rare ones weighing as much as in training. Of each group the real pose nearest to its centre is
    taken: a centre itself has bones shortened by averaging. InputError when there are fewer poses than asked for.
    """
    if not counts or min(counts) < 1 or max(counts) > 2 * len(motions):
        raise InputError(f"expected numbers of initial poses from 1 to {2 * len(motions)}, got {list(counts)}")
    poses = facing_camera(torch.from_numpy(motions.positions))
    poses = torch.cat([poses, flip(poses, torch.ones(len(poses)))]).numpy()
    weights = np.tile(frame_weights(motions, AugmentOptions().rarity, seed), 2)
    clusters = {}
    for count in sorted(set(counts)):
        clusters[count] = representatives(poses, weights, count, seed)
        on_count(count)
    save_clusters(out, clusters)
    return clusters


def facing_camera(positions: Float[Tensor, "n 17 3"]) -> Float[Tensor, "n 17 3"]:
    """World poses (y up) relative to the pelvis in camera axes, the pelvis turned to face the camera.

    The left hip is then at positive x, the head of a standing person at negative y, the front at negative z.
    """
    bodies = take_apart(positions)
    left = bodies.pelvis[:, :, 0]
    to_camera = about("x", torch.full((len(bodies),), math.pi)) @ about("y", torch.atan2(left[:, 2], left[:, 0]))
    return put_together(bodies) @ to_camera.mT


def representatives(
    poses: Float[ndarray, "n 17 3"], weights: Float[ndarray, " n"], count: int, seed: int
) -> Float[ndarray, "s 17 3"]:
    """The pose nearest to the centre of each of `count` groups, the groups of most weight first."""
    from sklearn.cluster import KMeans, MiniBatchKMeans

    flat = poses.reshape(len(poses), -1)
    settings: dict[str, Any] = {"n_clusters": count, "random_state": seed, "n_init": 3}
    means = KMeans(**settings) if len(poses) <= _FEW else MiniBatchKMeans(**settings, batch_size=4096)
    labels = means.fit_predict(flat, sample_weight=weights * len(weights))
    distance = np.linalg.norm(flat - means.cluster_centers_[labels], axis=1)
    groups = [np.flatnonzero(labels == group) for group in range(count)]
    groups = sorted((rows for rows in groups if len(rows)), key=lambda rows: -weights[rows].sum())
    return poses[[rows[distance[rows].argmin()] for rows in groups]]
