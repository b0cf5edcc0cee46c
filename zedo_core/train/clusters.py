"""Initial poses for the lifter: representatives of all kinds of pose, facing the camera, and others to compare with."""

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

from zedo_core.data.mixture import Mixture
from zedo_core.errors import InputError
from zedo_core.methods.zedo.checkpoint import Prior, save_clusters
from zedo_core.methods.zedo.sampling import generate
from zedo_core.skeleton import Skeleton
from zedo_core.train.augment import AugmentOptions, about, flip, frame_weights
from zedo_core.train.bodies import put_together, take_apart

KINDS = ("nearest", "centres", "random", "generated")
_FEW = 20_000  # poses up to which plain K-means is fast enough
_WORLD_FROM_CAM = (1.0, -1.0, -1.0)  # y down and z forward to y up


def train_clusters(
    mixture: Mixture,
    out: Path,
    counts: Sequence[int],
    seed: int = 0,
    *,
    kind: str = "nearest",
    on_count: Callable[[int], None] = lambda count: None,
) -> dict[int, Float[ndarray, "s j 3"]]:
    """Choose initial poses, as many as each of `counts` says, write `clusters.npz` into `out` and return them.

    The poses and their mirror images are turned to face the camera (the initial pose optimiser finds the heading) and
    grouped by K-means, rare ones weighing as much as in training. `nearest` takes of each group the real pose nearest
    to its centre, `centres` the centre itself (the paper; its bones are shortened by averaging), `random` takes any of
    the poses. InputError when there are fewer poses than asked for, or for another kind.
    """
    if kind not in KINDS or kind == "generated":
        raise InputError(f"expected a kind out of {', '.join(KINDS[:-1])} for poses from data, got '{kind}'")
    poses = facing_camera(torch.from_numpy(mixture.positions), mixture.skeleton)
    weights = frame_weights(mixture, AugmentOptions().rarity, seed)
    if mixture.skeleton.mirror != tuple(range(len(mixture.skeleton))):
        poses = torch.cat([poses, flip(poses, torch.ones(len(poses)), mixture.skeleton)])
        weights = np.tile(weights, 2)
    if not counts or min(counts) < 1 or max(counts) > len(poses):
        raise InputError(f"expected numbers of initial poses from 1 to {len(poses)}, got {list(counts)}")
    choose = {"nearest": nearest, "centres": centres, "random": anyone}[kind]
    return _made(out, counts, lambda count: choose(poses.numpy(), weights, count, seed), on_count)


def generate_clusters(
    prior: Prior,
    out: Path,
    counts: Sequence[int],
    seed: int = 0,
    *,
    on_count: Callable[[int], None] = lambda count: None,
) -> dict[int, Float[ndarray, "s j 3"]]:
    """Initial poses drawn from the prior itself, turned to face the camera; files and errors as of `train_clusters`."""
    if not counts or min(counts) < 1:
        raise InputError(f"expected numbers of initial poses from 1, got {list(counts)}")

    def drawn(count: int) -> Float[ndarray, "s j 3"]:
        poses = generate(prior, count, seed=seed).cpu()
        return facing_camera(poses * torch.tensor(_WORLD_FROM_CAM), prior.skeleton).numpy()

    return _made(out, counts, drawn, on_count)


def facing_camera(positions: Float[Tensor, "n j 3"], skeleton: Skeleton) -> Float[Tensor, "n j 3"]:
    """World poses (y up) relative to the root in camera axes, the hips turned to face the camera.

    The left hip is then at positive x, the head of a standing person at negative y, the front at negative z. A joint
    set without left and right limbs keeps its heading.
    """
    bodies = take_apart(positions, skeleton)
    left = bodies.frame[:, :, 0]
    to_camera = about("x", torch.full((len(bodies),), math.pi)) @ about("y", torch.atan2(left[:, 2], left[:, 0]))
    return put_together(bodies) @ to_camera.mT


def nearest(
    poses: Float[ndarray, "n j 3"], weights: Float[ndarray, " n"], count: int, seed: int
) -> Float[ndarray, "s j 3"]:
    """The pose nearest to the centre of each of `count` groups, the groups of most weight first."""
    means, groups = _groups(poses, weights, count, seed)
    flat = poses.reshape(len(poses), -1)
    distances = [np.linalg.norm(flat[rows] - means[group], axis=1) for group, rows in groups]
    chosen = [rows[distance.argmin()] for (_, rows), distance in zip(groups, distances, strict=True)]
    return poses[_filled(chosen, weights, count)]


def centres(
    poses: Float[ndarray, "n j 3"], weights: Float[ndarray, " n"], count: int, seed: int
) -> Float[ndarray, "s j 3"]:
    """The centres of `count` groups themselves, the groups of most weight first; fewer if poses repeat."""
    means, groups = _groups(poses, weights, count, seed)
    return means[[group for group, _ in groups]].reshape(-1, *poses.shape[1:]).astype(np.float32)


def anyone(
    poses: Float[ndarray, "n j 3"], weights: Float[ndarray, " n"], count: int, seed: int
) -> Float[ndarray, "s j 3"]:
    """Different poses at random, every frame as likely as any other."""
    return poses[np.random.default_rng(seed).choice(len(poses), count, replace=False)]


def _groups(
    poses: Float[ndarray, "n j 3"], weights: Float[ndarray, " n"], count: int, seed: int
) -> tuple[Float[ndarray, "s d"], list[tuple[int, ndarray]]]:
    """Centres by K-means, and the rows of each group that has any, the heaviest group first."""
    from sklearn.cluster import KMeans, MiniBatchKMeans

    flat = poses.reshape(len(poses), -1)
    settings: dict[str, Any] = {"n_clusters": count, "random_state": seed, "n_init": 3}
    means = KMeans(**settings) if len(poses) <= _FEW else MiniBatchKMeans(**settings, batch_size=4096)
    labels = means.fit_predict(flat, sample_weight=weights * (len(weights) / weights.sum()))
    groups = [(group, np.flatnonzero(labels == group)) for group in range(count)]
    return np.asarray(means.cluster_centers_), sorted(
        (entry for entry in groups if len(entry[1])), key=lambda entry: -weights[entry[1]].sum()
    )


def _filled(chosen: list[Any], weights: Float[ndarray, " n"], count: int) -> list[int]:
    """As many rows as asked for: an empty group, which minibatches may leave, is made up for by the heaviest others."""
    taken = {int(row) for row in chosen}
    others = [int(row) for row in np.argsort(-weights, kind="stable") if int(row) not in taken]
    return [*map(int, chosen), *others[: count - len(chosen)]]


def _made(
    out: Path,
    counts: Sequence[int],
    make: Callable[[int], Float[ndarray, "s j 3"]],
    on_count: Callable[[int], None],
) -> dict[int, Float[ndarray, "s j 3"]]:
    clusters = {}
    for count in sorted(set(counts)):
        clusters[count] = make(count)
        on_count(count)
    save_clusters(out, clusters)
    return clusters
