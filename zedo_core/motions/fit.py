"""One trajectory of one body: all frames of a motion are fitted at once.

The unknowns are the root's position p_t and the unit direction d_tb of every bone in every frame; joints are x_tj = p_t
+ the sum of L_b d_tb along the chain from the root, so that bones keep their lengths L_b. They minimise

    sum_t h_t [ sum_j rho(|pi(x_tj) - u_tj|^2 / s_tj^2) + sum_j rho((r . (x_tj - p_t - m_tj))^2 / e_tj^2) ]
    + integral sum_j rho(|x''_j|^2 / a_j^2) + integral sum_f rho0(|x'_f|^2 / v^2)
    + sum_t h_t sum_f rho0((up . x_tf - floor)^2 / l^2),

with h_t the time of a frame over 1/30 s, at most 1: reprojection onto the keypoints u_tj; depths of the hypotheses
along the rays r, relative to the root; accelerations; feet f that stand still; and the height of the ankles of feet
that stand, below which no ankle sinks. rho is robust (Cauchy's loss, for accelerations pseudo-Huber), rho0 is that of
Geman and McClure, which leaves alone what moves much faster than v or is much farther away than l. The hypotheses are a
Gaussian mixture: m is their mean under the probability of each one given the present fit (EM), so that the path through
them is part of the fit. Gauss-Newton with iterated weights, in the tangent planes of the directions; accelerations
couple three frames, so the normal equations are banded, and a step is linear in the number of frames.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy  # its parts load when they are used
from jaxtyping import Float
from numpy import ndarray
from numpy.lib.stride_tricks import as_strided

from zedo_core.motions.body import Body

STEP_S = 1 / 30  # the time for which the scales of `Terms` hold
NEAREST_M = 0.1  # of joints to the camera

_DAMPING = 1e-3  # relative to the diagonal of the normal equations, and its least value
_LONGEST_STEP = 0.5  # of directions, in radians


@dataclass(frozen=True, kw_only=True)
class Terms:
    """Scales of the terms in physical units, tuned on held-out training motions; see docs/accuracy.md."""

    depth: float = 1.5  # of the hypotheses' depths, relative to the expected error: errors last for several frames
    score_m: float = 0.008  # of the expected error in the probability of a hypothesis, in metres
    acceleration_m_s2: float = 7.0  # of the trunk; other joints as in `_LIMBS`
    foot: float = 0.3  # weight of feet that may stand
    standing: float = 3.0  # and of those that are known to stand
    foot_m_s: float = 0.2  # speed of feet that stand, up to the errors of the ankles
    floor_m: float = 0.03  # height of standing ankles above or below their usual one
    steps: int = 6


TERMS = Terms()
_WINDOW, _OVERLAP = 1000, 30  # frames that are fitted at once, and those that windows share
_CAUCHY = 2.0  # scales at which depths count half
_HUBER = 0.5  # scales beyond which accelerations cost linearly
# Accelerations relative to those of the trunk, on motion capture.
_LIMBS = {"knee": 2.2, "ankle": 2.6, "elbow": 1.9, "wrist": 2.4, "shoulder": 1.3, "head_top": 1.5, "neck_nose": 1.3}
_FEET = "ankle"


@dataclass(frozen=True)
class Floor:
    """The plane on which ankles of standing feet lie: `up` . x = `height_m`, in camera axes."""

    up: Float[ndarray, " 3"]
    height_m: float


@dataclass(frozen=True, kw_only=True)
class Observations:
    """What is known of the t frames of a motion.

    `slopes` are the keypoints as x/z and y/z, `noise` their standard deviations (infinite where not seen);
    `hypotheses` are relative to the root and of the body's size, NaN where there are none, with their expected errors
    `error_m` and those of each joint `spread_m`; `start` are the joints to start from; `standing`
    is 1 for ankles of feet that are known to stand, else 0.
    """

    times_s: Float[ndarray, " t"]
    slopes: Float[ndarray, "t j 2"]
    noise: Float[ndarray, "t j"]
    hypotheses: Float[ndarray, "t h j 3"]
    error_m: Float[ndarray, "t h"]
    spread_m: Float[ndarray, "t j"]
    start: Float[ndarray, "t j 3"]
    standing: Float[ndarray, "t j"]

    @property
    def share(self) -> Float[ndarray, " t"]:
        """The time of every frame over `STEP_S`, at most 1."""
        steps = np.diff(self.times_s, prepend=-np.inf)
        return np.minimum(1.0, np.minimum(steps, np.roll(steps, -1)) / STEP_S)


def fit_motion(
    seen: Observations, body: Body, terms: Terms = TERMS, floor: Floor | None = None
) -> Float[ndarray, "t j 3"]:
    """The joints of one motion in metres in camera axes, every bone as long as the body's.

    Long motions are fitted in parts that overlap, so that memory stays bounded; what lies beyond the overlap hardly
    matters.
    """
    return np.concatenate([
        _fit_window(_part(seen, window), body, terms, floor)[inner] for window, inner in _windows(len(seen.times_s))
    ])  # fmt: skip


def _windows(count: int) -> Iterator[tuple[slice, slice]]:
    """Windows of frames, and which frames of each are kept."""
    for start in range(0, count, _WINDOW):
        stop = min(start + _WINDOW, count)
        first = max(start - _OVERLAP, 0)
        yield slice(first, min(stop + _OVERLAP, count)), slice(start - first, stop - first)


def _part(seen: Observations, window: slice) -> Observations:
    return Observations(**{name: value[window] for name, value in vars(seen).items()})


def _fit_window(seen: Observations, body: Body, terms: Terms, floor: Floor | None) -> Float[ndarray, "t j 3"]:
    directions = body.directions(seen.start)
    root = seen.start[:, body.skeleton.root]
    for _ in range(terms.steps):
        step = _gauss_newton_step(root, directions, seen, body, terms, floor)
        turn = step[:, 3:].reshape(*directions.shape[:2], 2)
        turn *= np.minimum(1.0, _LONGEST_STEP / np.maximum(np.linalg.norm(turn, axis=-1, keepdims=True), 1e-9))
        far = np.linalg.norm(step[:, :3], axis=-1, keepdims=True) / (_LONGEST_STEP / 5 * root[:, 2:])
        root = root + step[:, :3] / np.maximum(far, 1.0)
        directions = directions + (_tangents(directions) @ turn[..., None])[..., 0]
        directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
        root[:, 2] = np.maximum(root[:, 2], NEAREST_M - body.relative(directions)[..., 2].min(-1))
    return root[:, None] + body.relative(directions)


def _gauss_newton_step(
    root: Float[ndarray, "t 3"],
    directions: Float[ndarray, "t e 3"],
    seen: Observations,
    body: Body,
    terms: Terms,
    floor: Floor | None,
) -> Float[ndarray, "t k"]:
    """The step of the root in metres, and of the directions along their tangents in radians."""
    relative = body.relative(directions)
    x = root[:, None] + relative
    t, j, _ = x.shape
    J = _jacobian(directions, body).astype(np.float32)  # enough for steps; the gradient is exact
    k = J.shape[-1]
    A, g = _reprojection(x, seen)
    B, q = _depths(x, relative, seen, terms)  # of positions relative to the root
    couplings, pull = _acceleration(x, seen.times_s, body, terms)
    _add_standing_feet(couplings, pull, x, seen, body, terms)
    if floor:
        _add_floor(A, g, x, seen, body, terms, floor)

    flat = J.reshape(t, 3 * j, k)
    transposed = flat.swapaxes(1, 2)
    H = np.zeros((t, k, 4 * k), np.float32)  # couplings of each frame with itself, the next two, and zeros
    H[..., :k] = transposed @ ((A + B).astype(np.float32) @ J).reshape(t, 3 * j, k)
    with_root = (B.astype(np.float32) @ J).sum(1)  # moving the root does not change relative positions
    H[:, :3, :k] -= with_root
    H[:, 3:, :3] -= with_root[..., 3:].swapaxes(1, 2)
    for lag in range(min(3, t)):
        later = (J[lag:] * couplings[lag, : t - lag, :, None, None].astype(np.float32)).reshape(t - lag, 3 * j, k)
        H[: t - lag, :, lag * k : (lag + 1) * k] += transposed[: t - lag] @ later
    gradient = (transposed @ (g + q + pull).reshape(t, 3 * j, 1))[..., 0]
    gradient[:, :3] -= q.sum(1)
    diagonal = np.arange(k)
    H[:, diagonal, diagonal] = H[:, diagonal, diagonal] * (1 + _DAMPING) + _DAMPING
    return -_solve_banded(H, gradient)


def _solve_banded(H: Float[ndarray, "t k m"], right: Float[ndarray, "t k"]) -> Float[ndarray, "t k"]:
    """Solve symmetric equations; `H[t]` (k, 4 k) are the rows of frame t, from its own columns on, the last k zero."""
    t, k, m = H.shape
    size = H.itemsize  # row r of the bands begins at H[t, r, r]
    bands = as_strided(H, (t, k, m - k), (k * m * size, (m + 1) * size, size)).reshape(t * k, m - k)
    return scipy.linalg.solveh_banded(
        bands.T, right.ravel().astype(H.dtype), overwrite_ab=True, lower=True, check_finite=False
    ).reshape(t, k)


def _jacobian(directions: Float[ndarray, "t e 3"], body: Body) -> Float[ndarray, "t j 3 k"]:
    """Derivatives of the joints by the root and by the tangents of the directions."""
    t, e, _ = directions.shape
    turns = _tangents(directions) * body.lengths_m[:, None, None]
    J = np.zeros((t, len(body.chain), 3, 3 + 2 * e))
    J[..., :3] = np.eye(3)
    for bone, below in enumerate(body.chain.T):
        J[:, below > 0, :, 3 + 2 * bone : 5 + 2 * bone] = turns[:, None, bone]
    return J


def _tangents(directions: Float[ndarray, "*b 3"]) -> Float[ndarray, "*b 3 2"]:
    """Two unit vectors perpendicular to each direction and to each other."""
    u = np.cross(directions, np.eye(3)[np.abs(directions).argmin(-1)])
    u /= np.linalg.norm(u, axis=-1, keepdims=True)
    return np.stack([u, np.cross(directions, u)], axis=-1)


# Terms. Each gives weights and gradients by the joints.


def _reprojection(
    x: Float[ndarray, "t j 3"], seen: Observations
) -> tuple[Float[ndarray, "t j 3 3"], Float[ndarray, "t j 3"]]:
    z = np.maximum(x[..., 2:], NEAREST_M)
    residual = x[..., :2] / z - seen.slopes
    J = np.concatenate([np.broadcast_to(np.eye(2), (*z.shape[:2], 2, 2)), -(x[..., :2] / z)[..., None]], axis=-1)
    J = J / z[..., None]
    weight = seen.share[:, None] / (seen.noise**2 + (residual**2).sum(-1))  # Cauchy
    return weight[..., None, None] * (J.swapaxes(-1, -2) @ J), weight[..., None] * (residual[..., None, :] @ J)[
        ..., 0, :
    ]


def _depths(
    x: Float[ndarray, "t j 3"], relative: Float[ndarray, "t j 3"], seen: Observations, terms: Terms
) -> tuple[Float[ndarray, "t j 3 3"], Float[ndarray, "t j 3"]]:
    ray = x / np.linalg.norm(x, axis=-1, keepdims=True)
    off = ((seen.hypotheses - relative[:, None]) * ray[:, None]).sum(-1)  # t h j
    known = np.isfinite(off).all(-1)
    off, scale = np.where(known[..., None], off, 0.0), terms.depth * seen.spread_m
    cost = seen.error_m / terms.score_m + ((off / scale[:, None]) ** 2).mean(-1) / 2
    p = np.where(known, np.exp(cost.min(-1, keepdims=True, where=known, initial=np.inf) - cost), 0.0)
    some = known.any(-1, keepdims=True)
    mean = (p[..., None] * off).sum(1) / np.where(some, p.sum(-1, keepdims=True), 1.0)
    weight = some * seen.share[:, None] / (scale**2 + (mean / _CAUCHY) ** 2)
    return weight[..., None, None] * ray[..., :, None] * ray[..., None, :], -(weight * mean)[..., None] * ray


def _acceleration(
    x: Float[ndarray, "t j 3"], times_s: Float[ndarray, " t"], body: Body, terms: Terms
) -> tuple[Float[ndarray, "3 t j"], Float[ndarray, "t j 3"]]:
    """Weights that couple each frame with itself and with the next two, and the gradient."""
    couplings, gradient = np.zeros((3, *x.shape[:2])), np.zeros_like(x)
    s = max(len(x) - 2, 0)
    before, after = np.diff(times_s)[:s], np.diff(times_s)[1:]
    whole = before + after
    D = np.array([2 / (before * whole), -2 / (before * after), 2 / (after * whole)])  # second divided differences
    acceleration = sum(D[i, :, None, None] * x[i : i + s] for i in range(3))
    names = [name.removeprefix("left_").removeprefix("right_") for name in body.skeleton.joints]
    scale = terms.acceleration_m_s2 * np.array([_LIMBS.get(name, 1.0) for name in names])
    large = np.square(acceleration / scale[:, None]).sum(-1) / _HUBER**2
    weight = whole[:, None] / 2 / STEP_S / scale**2 / np.sqrt(1 + large)
    for a in range(3):
        gradient[a : a + s] += (D[a, :, None] * weight)[..., None] * acceleration
        for b in range(a + 1):
            couplings[a - b, b : b + s] += (D[a] * D[b])[:, None] * weight
    return couplings, gradient


def _add_standing_feet(
    couplings: Float[ndarray, "3 t j"],
    gradient: Float[ndarray, "t j 3"],
    x: Float[ndarray, "t j 3"],
    seen: Observations,
    body: Body,
    terms: Terms,
) -> None:
    feet = _feet(body)
    step_s = np.diff(seen.times_s)[:, None]
    velocity = np.diff(x[:, feet], axis=0) / step_s[..., None]
    across = velocity - along_rays(velocity, x[1:, feet])  # nobody slides exactly along the ray for long
    slow = 1 / (1 + np.square(across).sum(-1) / terms.foot_m_s**2) ** 2
    known = np.minimum(seen.standing[1:, feet], seen.standing[:-1, feet])
    weight = (terms.foot * slow + terms.standing * known) / terms.foot_m_s**2 / step_s / STEP_S
    pull = (weight * step_s)[..., None] * velocity
    gradient[1:, feet] += pull
    gradient[:-1, feet] -= pull
    couplings[0, 1:, feet] += weight.T
    couplings[0, :-1, feet] += weight.T
    couplings[1, :-1, feet] -= weight.T


def _add_floor(
    A: Float[ndarray, "t j 3 3"],
    gradient: Float[ndarray, "t j 3"],
    x: Float[ndarray, "t j 3"],
    seen: Observations,
    body: Body,
    terms: Terms,
    floor: Floor,
) -> None:
    feet = _feet(body)
    above = x[:, feet] @ floor.up - floor.height_m
    standing = seen.standing[:, feet]
    off = np.where(standing > 0, above, np.minimum(above + terms.floor_m, 0.0))
    near = (1 + np.square(off / terms.floor_m) / 4) ** -2  # Geman and McClure: what is far off stands on something else
    weight = seen.share[:, None] / terms.floor_m**2 * near * ((standing > 0) | (off < 0))
    A[:, feet] += weight[..., None, None] * floor.up[:, None] * floor.up
    gradient[:, feet] += (weight * off)[..., None] * floor.up


def _feet(body: Body) -> list[int]:
    return [i for i, name in enumerate(body.skeleton.joints) if name.endswith(_FEET)]


def along_rays(vectors: Float[ndarray, "*b 3"], points: Float[ndarray, "*b 3"]) -> Float[ndarray, "*b 3"]:
    """The components of vectors along the rays of points."""
    ray = points / np.linalg.norm(points, axis=-1, keepdims=True)
    return (vectors * ray).sum(-1, keepdims=True) * ray
