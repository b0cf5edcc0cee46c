"""The joint angles of all rows of a result, with the errors to expect of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from zedo_core.biomechanics.definitions import joint_angles
from zedo_core.motions.timeline import motions
from zedo_core.motions.upright import Upright, upright
from zedo_core.skeleton import FEET, H36M17, Skeleton, conversion, pelvis_joints
from zedo_core.types import Poses
from zedo_core.types.tables import as_dataframe

if TYPE_CHECKING:
    import pandas

_BLOCK = 2000  # rows at once, so that memory stays bounded
_SCALE_M = 0.008  # of the expected error in the probability of a hypothesis, as in `zedo_core.motions.fit`
_MOST = 5.0  # times the spread of the hypotheses that an error can be
_SEEN_SHARE = 0.1  # of a person's rows in which a joint has to be seen
_GUESSED = ("spine", "neck_nose", "head_top")
_TURNS = ("pelvis_tilt", "pelvis_rotation")  # go on beyond 180 degrees, since people turn and somersault


@dataclass(frozen=True, eq=False)
class Angles:
    """Angles of the chosen poses in degrees, a row for each row of the poses, in the order of `names`.

    `error_deg` is the error to expect, root mean square. NaN where an angle or its error is not known. `frame` and
    `track` hold frame numbers and ids, `times_s` times in seconds (NaN where unknown).
    """

    names: tuple[str, ...]
    degrees: Float[ndarray, "n a"]
    error_deg: Float[ndarray, "n a"]
    frame: Int[ndarray, " n"]
    track: Int[ndarray, " n"]
    times_s: Float[ndarray, " n"]

    def __getitem__(self, name: str) -> Float[ndarray, " n"]:
        """One angle of all rows."""
        return self.degrees[:, self.names.index(name)]

    def table(self) -> dict[str, ndarray]:
        """Columns of a table with one line per person and frame: each angle, then each error as `NAME_error`."""
        order = np.lexsort((self.track, self.frame))
        columns = {"frame": self.frame, "time_s": self.times_s, "track": self.track}
        columns |= dict(zip(self.names, self.degrees.T, strict=True))
        columns |= {f"{name}_error": values for name, values in zip(self.names, self.error_deg.T, strict=True)}
        return {name: values[order] for name, values in columns.items()}

    def to_dataframe(self) -> pandas.DataFrame:
        """`table` as a pandas DataFrame; MissingExtraError without pandas."""
        return as_dataframe(self.table())


def angles(poses: Poses) -> Angles:
    """The joint angles of the chosen poses, see docs/angles.md; angles that nobody has are left out.

    The expected error is the spread of the hypotheses about the chosen pose, weighted by their probabilities, and made
    as large as the joints' expected errors say; NaN with one hypothesis, for poses that were made up in a gap, and for
    `foot_to_horizontal`, since hypotheses end at the ankles and share the feet.
    """
    up = upright(poses)
    usable = _usable(poses)
    names, degrees, error_deg = (), [], []
    for start in range(0, len(poses), _BLOCK):
        rows = slice(start, start + _BLOCK)
        found, error = _block(poses.take(rows), up, usable[rows])
        names, degrees, error_deg = tuple(found), [*degrees, _columns(found)], [*error_deg, _columns(error)]
    empty = np.zeros((0, len(names)))
    values, errors = np.concatenate([empty, *degrees]), np.concatenate([empty, *error_deg])
    for name in set(_TURNS) & set(names):
        _unwrap(poses, values[:, names.index(name)])
    known = [i for i in range(len(names)) if np.isfinite(values[:, i]).any()]
    times_s = np.full(len(poses.frame_numbers), np.nan) if poses.times_s is None else poses.times_s
    return Angles(
        names=tuple(names[i] for i in known),
        degrees=values[:, known],
        error_deg=errors[:, known],
        frame=poses.frame_numbers[poses.frame],
        track=poses.track,
        times_s=times_s[poses.frame],
    )


def left_out(poses: Poses) -> dict[int, tuple[str, ...]]:
    """The joints of a person, by id, that were never seen and whose angles are left out.

    Those that most detectors do not have are not counted: head top, spine, heels and toes.
    """
    usable = _usable(poses)
    missing = {
        track: tuple(
            joint
            for joint, known in zip(poses.skeleton.joints, usable[rows][0], strict=True)
            if not known and joint not in _GUESSED
        )
        for track, rows in poses.tracks
    }
    return {track: joints for track, joints in missing.items() if joints}


def _usable(poses: Poses) -> Bool[ndarray, "n j"]:
    """Which joints of the person of each row were seen in enough of their frames; all where that is not known.

    The others are guesses of the lifter. Where a detector has no spine or head top they are not seen either.
    """
    if poses.seen is None:
        return np.ones((len(poses), len(poses.skeleton)), bool)
    usable = np.zeros_like(poses.seen)
    for _, rows in poses.tracks:
        made_up = poses.filled[rows]
        seen = poses.seen[rows] if made_up.all() else poses.seen[rows][~made_up]
        usable[rows] = seen.mean(0) >= _SEEN_SHARE
    return usable


def upright_points(poses: Poses) -> dict[str, Float[ndarray, "n 3"]]:
    """The joints of the chosen poses by name, with heels and toes, y up; NaN where the person's were never seen."""
    up = upright(poses)
    joints = np.where(_usable(poses)[..., None], up.points, np.nan)[:, None]
    points = _named(joints, poses.skeleton)
    if poses.feet is not None:
        points |= _feet(up.transform(poses.feet.astype(float), poses.frame), joints[:, 0], joints, poses.skeleton)
    return {name: values[:, 0] for name, values in points.items()}


def _block(
    poses: Poses, up: Upright, usable: Bool[ndarray, "n j"]
) -> tuple[dict[str, Float[ndarray, " n"]], dict[str, Float[ndarray, " n"]]]:
    """Angles and expected errors of some rows."""
    joints = np.where(usable[:, None, :, None], poses.joints.astype(float), np.nan)
    joints = up.transform(joints, poses.frame)
    n, chosen = np.arange(len(poses)), poses.chosen
    points = _named(joints, poses.skeleton)
    if poses.feet is not None:
        feet = up.transform(poses.feet.astype(float), poses.frame)
        points |= _feet(feet, joints[n, chosen], joints, poses.skeleton)
    every = joint_angles(points)  # of all hypotheses
    best = {name: values[n, chosen] for name, values in every.items()}
    weight = _weights(poses)
    scale = _scale(poses, weight)
    error = {name: scale * _deviation(values, best[name], weight) for name, values in every.items()}
    unknown = np.full(len(poses), np.nan)  # hypotheses share the feet
    return best, error | {name: unknown for name in error if name.startswith("foot_")}


def _named(joints: Float[ndarray, "n h j 3"], skeleton: Skeleton) -> dict[str, Float[ndarray, "n h 3"]]:
    """The joints of h36m-17 by name; NaN for those that do not follow from the joint set."""
    if skeleton.joints == H36M17.joints:
        return dict(zip(H36M17.joints, np.moveaxis(joints, -2, 0), strict=True))
    rule = conversion(skeleton, H36M17)
    named = {}
    for joint, weights, factor in zip(H36M17.joints, rule.weights, rule.factors, strict=True):
        source = np.flatnonzero(weights)
        mean = np.einsum("s,nhsd->nhd", weights[source], joints[:, :, source])
        named[joint] = mean if factor > 0 else np.full_like(mean, np.nan)
    return named


def _feet(
    feet: Float[ndarray, "n f 3"],
    best: Float[ndarray, "n j 3"],
    joints: Float[ndarray, "n h j 3"],
    skeleton: Skeleton,
) -> dict[str, Float[ndarray, "n h 3"]]:
    """Heels and toes by name, at the ankles of all hypotheses as at that of the chosen pose."""
    named = {}
    for i, name in enumerate(FEET):
        ankle = skeleton.index(f"{name.partition('_')[0]}_ankle")
        named[name] = joints[:, :, ankle] + (feet[:, i] - best[:, ankle])[:, None]
    return named


def _weights(poses: Poses) -> Float[ndarray, "n h"]:
    """Probabilities of the hypotheses; NaN in rows with one hypothesis only."""
    there = np.isfinite(poses.joints).any((-1, -2))
    error_m = np.where(
        there, -np.nan_to_num(poses.score.astype(float)), np.inf
    )  # without scores all are equally likely
    lowest = np.where(there.any(-1), error_m.min(-1), 0.0)
    weight = np.exp((lowest[:, None] - error_m) / _SCALE_M)
    several = there.sum(-1) > 1
    return np.where(several[:, None], weight / np.maximum(weight.sum(-1, keepdims=True), 1e-12), np.nan)


def _scale(poses: Poses, weight: Float[ndarray, "n h"]) -> Float[ndarray, " n"]:
    """By how much the expected error of the joints exceeds the spread of the hypotheses, at least 1.

    All hypotheses share the errors of the keypoints, and what the lifter believes of bodies.
    """
    off = poses.joints.astype(float) - poses.best.astype(float)[:, None]
    off -= off[..., pelvis_joints(poses.skeleton), :].mean(-2, keepdims=True)
    found = np.sqrt(np.nansum(weight[..., None] * np.nansum(off**2, axis=-1), axis=(1, 2)))
    expected = np.sqrt(np.nansum(poses.spread.astype(float) ** 2, axis=-1))
    return np.clip(expected / np.maximum(found, 1e-9), 1.0, _MOST)


def _deviation(
    values: Float[ndarray, "n h"], best: Float[ndarray, " n"], weight: Float[ndarray, "n h"]
) -> Float[ndarray, " n"]:
    """Weighted root mean square of the differences from the chosen pose, in degrees."""
    off = (values - best[:, None] + 180) % 360 - 180
    share = np.where(np.isfinite(off), weight, 0.0)
    square = (share * np.nan_to_num(off) ** 2).sum(-1) / np.maximum(share.sum(-1), 1e-12)
    return np.where(np.isfinite(best) & (share.sum(-1) > 0), np.sqrt(square), np.nan)


def _unwrap(poses: Poses, degrees: Float[ndarray, " n"]) -> None:
    """Remove jumps by whole turns within every motion."""
    for rows, _ in motions(poses, np.isfinite(degrees)):
        degrees[rows] = np.unwrap(degrees[rows], period=360)


def _columns(values: dict[str, Float[ndarray, " n"]]) -> Float[ndarray, "n a"]:
    return np.stack(list(values.values()), axis=-1)
