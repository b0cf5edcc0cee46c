"""Making initial poses: representatives of all kinds of pose, and other kinds for comparison."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import roma
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from zedo_core.data.mixture import Mixture
from zedo_core.errors import InputError
from zedo_core.methods.zedo.initial_poses import save_initial_poses
from zedo_core.methods.zedo.prior import Prior
from zedo_core.methods.zedo.sampling import generate
from zedo_core.skeleton import Skeleton
from zedo_core.train.augment import AugmentOptions, flip, frame_weights
from zedo_core.train.bodies import put_together, take_apart

KINDS = ("nearest", "centres", "random", "generated")
_MAX_KMEANS_POSES = 20_000  # poses up to which plain K-means is fast enough
_WORLD_FROM_CAM = (1.0, -1.0, -1.0)  # from y down, z forward to y up, z backward


def choose_initial_poses(
    mixture: Mixture,
    out: Path,
    counts: Sequence[int],
    seed: int = 0,
    *,
    kind: str = "nearest",
    on_count: Callable[[int], None] = lambda count: None,
) -> dict[int, Float[ndarray, "s j 3"]]:
    """Choose a set of initial poses for each of `counts`, write them to `clusters.npz` in `out` and return them.

    The poses and their mirror images are turned to face the camera (the initial pose optimiser finds the heading) and
    clustered by K-means, with rare poses weighted as in training. `nearest` takes the real pose nearest to the centre
    of each cluster, `centres` the centre itself (as in the paper; averaging shortens its bones), `random` takes poses
    at random. InputError when there are too few poses, or for an unknown kind.
    """
    if kind not in KINDS or kind == "generated":
        raise InputError(f"expected one of the kinds {', '.join(KINDS[:-1])} for poses from data, got '{kind}'")
    poses = facing_camera(torch.from_numpy(mixture.positions), mixture.skeleton)
    weights = frame_weights(mixture, AugmentOptions().rarity, seed)
    if mixture.skeleton.mirror != tuple(range(len(mixture.skeleton))):
        poses = torch.cat([poses, flip(poses, torch.ones(len(poses)), mixture.skeleton)])
        weights = np.tile(weights, 2)
    if not counts or min(counts) < 1 or max(counts) > len(poses):
        raise InputError(f"expected numbers of initial poses from 1 to {len(poses)}, got {list(counts)}")
    choose = {"nearest": nearest, "centres": centres, "random": random_poses}[kind]
    return _save_sets(out, counts, lambda count: choose(poses.numpy(), weights, count, seed), on_count)


def generate_initial_poses(
    prior: Prior,
    out: Path,
    counts: Sequence[int],
    seed: int = 0,
    *,
    on_count: Callable[[int], None] = lambda count: None,
) -> dict[int, Float[ndarray, "s j 3"]]:
    """Like `choose_initial_poses`, with poses sampled from the prior and turned to face the camera."""
    if not counts or min(counts) < 1:
        raise InputError(f"expected numbers of initial poses of at least 1, got {list(counts)}")

    def sample(count: int) -> Float[ndarray, "s j 3"]:
        poses = generate(prior, count, seed=seed).cpu()
        return facing_camera(poses * torch.tensor(_WORLD_FROM_CAM), prior.skeleton).numpy()

    return _save_sets(out, counts, sample, on_count)


def facing_camera(positions: Float[Tensor, "n j 3"], skeleton: Skeleton) -> Float[Tensor, "n j 3"]:
    """World poses (y up) in camera axes relative to the root, with the hips turned to face the camera.

    The left hip is then at positive x, the head of a standing person at negative y, the front at negative z. Without
    left and right limbs in the joint set, the heading is unchanged.
    """
    bodies = take_apart(positions, skeleton)
    left = bodies.frame[:, :, 0]
    turn = torch.atan2(left[:, 2], left[:, 0])
    to_camera = roma.euler_to_rotmat("XY", [torch.full_like(turn, math.pi), turn])
    return put_together(bodies) @ to_camera.mT


def nearest(
    poses: Float[ndarray, "n j 3"], weights: Float[ndarray, " n"], count: int, seed: int
) -> Float[ndarray, "s j 3"]:
    """The pose nearest to the centre of each of `count` clusters, in order of decreasing weight."""
    means, clusters = _cluster(poses, weights, count, seed)
    flat = poses.reshape(len(poses), -1)
    distances = [np.linalg.norm(flat[rows] - means[cluster], axis=1) for cluster, rows in clusters]
    chosen = [rows[distance.argmin()] for (_, rows), distance in zip(clusters, distances, strict=True)]
    return poses[_replace_empty(chosen, weights, count)]


def centres(
    poses: Float[ndarray, "n j 3"], weights: Float[ndarray, " n"], count: int, seed: int
) -> Float[ndarray, "s j 3"]:
    """The centres of `count` clusters, in order of decreasing weight; fewer if poses repeat."""
    means, clusters = _cluster(poses, weights, count, seed)
    return means[[cluster for cluster, _ in clusters]].reshape(-1, *poses.shape[1:]).astype(np.float32)


def random_poses(
    poses: Float[ndarray, "n j 3"], weights: Float[ndarray, " n"], count: int, seed: int
) -> Float[ndarray, "s j 3"]:
    """Distinct poses drawn at random, every frame equally likely."""
    return poses[np.random.default_rng(seed).choice(len(poses), count, replace=False)]


def _cluster(
    poses: Float[ndarray, "n j 3"], weights: Float[ndarray, " n"], count: int, seed: int
) -> tuple[Float[ndarray, "s d"], list[tuple[int, ndarray]]]:
    """Centres by K-means, and the number and rows of each cluster that is not empty, in order of decreasing weight."""
    from sklearn.cluster import KMeans, MiniBatchKMeans

    flat = poses.reshape(len(poses), -1)
    settings: dict[str, Any] = {"n_clusters": count, "random_state": seed, "n_init": 3}
    is_small = len(poses) <= _MAX_KMEANS_POSES
    means = KMeans(**settings) if is_small else MiniBatchKMeans(**settings, batch_size=4096)
    labels = means.fit_predict(flat, sample_weight=weights * (len(weights) / weights.sum()))
    clusters = [(cluster, np.flatnonzero(labels == cluster)) for cluster in range(count)]
    return np.asarray(means.cluster_centers_), sorted(
        (entry for entry in clusters if len(entry[1])), key=lambda entry: -weights[entry[1]].sum()
    )


def _replace_empty(chosen: list[Any], weights: Float[ndarray, " n"], count: int) -> list[int]:
    """`count` rows: for clusters that mini-batch K-means left empty, the other rows of the largest weight."""
    used = {int(row) for row in chosen}
    others = [int(row) for row in np.argsort(-weights, kind="stable") if int(row) not in used]
    return [*map(int, chosen), *others[: count - len(chosen)]]


def _save_sets(
    out: Path,
    counts: Sequence[int],
    make: Callable[[int], Float[ndarray, "s j 3"]],
    on_count: Callable[[int], None],
) -> dict[int, Float[ndarray, "s j 3"]]:
    sets = {}
    for count in sorted(set(counts)):
        sets[count] = make(count)
        on_count(count)
    save_initial_poses(out, sets)
    return sets
