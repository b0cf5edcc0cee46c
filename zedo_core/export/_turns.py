"""Rotations over time: from directions, and as angles about three axes without jumps."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.spatial.transform import Rotation

# Largest change from frame to frame of what the joints show badly: the twist about a bone, and an orientation that is
# fitted to bones. It matters near half a turn from the rest pose, and where a wrong pose has both shoulders on a side.
_MAX_TWIST, _MAX_TURN = np.radians((15.0, 45.0))
_MAX_STEP_DEG = 90.0
_SMALL = 1e-9


def fit_rotation(rest: Float[ndarray, "n 3"], vectors: Float[ndarray, "t n 3"]) -> Float[ndarray, "t 3 3"]:
    """The rotations of directions in the rest pose to the given vectors by least squares (Kabsch); none if unknown.

    From frame to frame at most `_MAX_TURN`.

    In numpy, since scipy aligns only one frame per call, and roma needs torch, which takes seconds and 700 MB to load.
    """
    directions = _unit(vectors)
    known = np.asarray(np.isfinite(directions).all((1, 2)))[:, None, None]
    U, _, Vt = np.linalg.svd(np.einsum("tna,nb->tab", np.where(known, directions, 0.0), rest))
    U[:, :, 2] *= np.linalg.det(U @ Vt)[:, None]  # no reflection
    fitted = np.where(known, U @ Vt, np.eye(3))
    far = (
        Rotation.from_matrix(fitted[:-1].swapaxes(1, 2) @ fitted[1:]).magnitude() > _MAX_TURN if len(fitted) > 1 else []
    )
    held = False
    for t, is_far in enumerate(far, start=1):
        if held or is_far:
            turn = Rotation.from_matrix(fitted[t - 1].T @ fitted[t])
            held = turn.magnitude() > _MAX_TURN
            if held:
                fitted[t] = fitted[t - 1] @ (turn ** (_MAX_TURN / turn.magnitude())).as_matrix()
    return fitted


def point(rest: tuple[float, float, float], directions: Float[ndarray, "t 3"]) -> Float[ndarray, "t 3 3"]:
    """The smallest rotations that take a bone from its direction in the rest pose to those given; see `_MAX_TWIST`."""
    from_rest = _smallest_rotation(np.tile(rest, (len(directions), 1)).astype(float), directions)
    bones = from_rest @ np.array(rest)
    # What one frame and the way from there to the next leave as twist about the bone there.
    carried = _smallest_rotation(bones[:-1], bones[1:]) @ from_rest[:-1]
    left = Rotation.from_matrix(carried @ from_rest[1:].swapaxes(1, 2)).as_rotvec() if len(carried) else carried[:, 0]
    steps = (left * bones[1:]).sum(-1)
    if np.all(np.abs(steps) <= _MAX_TWIST):
        return from_rest
    twists = [0.0]
    for step in steps.tolist():
        twists.append(_towards(twists[-1] + step, 0.0))
    return Rotation.from_rotvec(bones * np.array(twists)[:, None]).as_matrix() @ from_rest


def twist(
    axis: tuple[float, float, float], rest: Float[ndarray, "n 3"], vectors: Float[ndarray, "t n 3"]
) -> Float[ndarray, "t 3 3"]:
    """The rotations about an axis that take directions across it to the given vectors by least squares.

    None in frames where they are unknown; see `_MAX_TWIST`.
    """
    directions = _unit(vectors)
    cosine = np.einsum("na,tna->t", rest, directions)
    sine = np.einsum("na,tna->t", np.cross(axis, rest), directions)
    wanted = np.nan_to_num(np.arctan2(sine, cosine))
    angles = wanted[:1].tolist()
    for angle in wanted[1:]:
        angles.append(_towards(angles[-1], float(angle)))
    return Rotation.from_rotvec(np.multiply.outer(np.array(angles), axis)).as_matrix()


def _towards(angle: float, wanted: float) -> float:
    """The wanted angle in radians, or what is within `_MAX_TWIST` on the way to it."""
    step = (wanted - angle + np.pi) % (2 * np.pi) - np.pi
    return float(wanted if abs(step) <= _MAX_TWIST else angle + np.copysign(_MAX_TWIST, step))


def _smallest_rotation(a: Float[ndarray, "t 3"], b: Float[ndarray, "t 3"]) -> Float[ndarray, "t 3 3"]:
    """The smallest rotation from unit vectors `a` to the direction of `b`; the identity where b is unknown."""
    length = np.linalg.norm(b, axis=-1, keepdims=True)
    known = np.isfinite(length) & (length > _SMALL)
    b = np.where(known, b, a) / np.where(known, length, 1.0)
    axis, cosine = np.cross(a, b), (a * b).sum(-1)
    sine = np.linalg.norm(axis, axis=-1)
    # Opposite directions: half a turn about any perpendicular axis.
    perpendicular = np.cross(a, np.eye(3)[np.abs(a).argmin(-1)])
    axis = np.where(sine[:, None] > _SMALL, axis, perpendicular)
    axis /= np.linalg.norm(axis, axis=-1, keepdims=True)
    return Rotation.from_rotvec(axis * np.arctan2(sine, cosine)[:, None]).as_matrix()


def euler_angles(rotations: Float[ndarray, "t k 3 3"], orders: Sequence[str]) -> tuple[str, Float[ndarray, "t k 3"]]:
    """Degrees about three different axes of the moving frame (`ZXY`) without jumps, and their order.

    That is the first of `orders` in which no angle changes by more than 90 degrees from frame to frame, or else the one
    in which the largest change is the smallest.
    """
    candidates: list[tuple[float, str, ndarray]] = []
    for order in orders:
        angles = _smooth_angles(rotations, order)
        candidates.append((float(np.abs(np.diff(angles, axis=0)).max(initial=0.0)), order, angles))
        if candidates[-1][0] <= _MAX_STEP_DEG:
            return order, angles
    _, order, angles = min(candidates, key=lambda candidate: candidate[0])
    return order, angles


def _smooth_angles(rotations: Float[ndarray, "t k 3 3"], order: str) -> Float[ndarray, "t k 3"]:
    """Of the angles (a, b, c) and (a + 180, 180 - b, c + 180), which are the same, those nearer to the frame before."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Gimbal lock")  # any of the solutions will do
        flat = Rotation.from_matrix(rotations.reshape(-1, 3, 3)).as_euler(order, degrees=True)
    angles = flat.reshape(*rotations.shape[:2], 3)
    others = angles * (1, -1, 1) + 180
    changes, to_others = (_largest_turn(after[1:] - angles[:-1]) for after in (angles, others))
    # From others to others the way is as far as from angles to angles.
    is_other = np.cumsum(np.pad(to_others < changes, ((1, 0), (0, 0))), axis=0) % 2 == 1
    return np.unwrap(np.where(is_other[..., None], others, angles), period=360, axis=0)


def _largest_turn(degrees: Float[ndarray, "t k 3"]) -> Float[ndarray, "t k"]:
    return np.abs((degrees + 180) % 360 - 180).max(-1)


def quaternions(rotations: Float[ndarray, "t k 3 3"]) -> Float[ndarray, "t k 4"]:
    """Quaternions x, y, z, w whose signs do not jump between frames."""
    flat = Rotation.from_matrix(rotations.reshape(-1, 3, 3)).as_quat()
    found = flat.reshape(*rotations.shape[:2], 4)
    flips = np.where((found[1:] * found[:-1]).sum(-1) < 0, -1.0, 1.0)
    found[1:] *= np.cumprod(flips, axis=0)[..., None]
    return found


def _unit(vectors: Float[ndarray, "*b 3"]) -> Float[ndarray, "*b 3"]:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), _SMALL)
