"""The rig of a person as animation programs need it, and its motion; `_solve` finds the motion of joints.

The rest pose is a T-pose, y up, that faces +z with its left arm along +x. No bone has zero length: the root lies a
little below the pelvis and points up to it, and the chest is the upper part of the bone from spine to thorax. The hips
of an estimated pose move relative to the pelvis, so each has a bone from there (`left_pelvis`), as it has in the
skeletons of CMU.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from jaxtyping import Float
from numpy import ndarray

UP, _DOWN, LEFT, RIGHT, _FRONT = (
    (0.0, 1.0, 0.0),
    (0.0, -1.0, 0.0),
    (1.0, 0.0, 0.0),
    (-1.0, 0.0, 0.0),
    (0.0, 0.0, 1.0),
)
SIDES = {"left": LEFT, "right": RIGHT}
_HAND_M, _TOES_M, _CROWN_M = 0.1, 0.06, 0.04  # ends, which no joint shows


@dataclass(frozen=True, kw_only=True)
class Node:
    """A node that lies at `joint` (None for the chest and the toes) and whose bone points to the joint `aims`.

    `parent` is the index of its parent in the rig, -1 for the root; `rest` is the direction from the parent in the rest
    pose, and `end` the end of its bone in metres, if no node lies there.
    """

    name: str
    parent: int
    joint: str | None
    aims: str | None = None
    rest: tuple[float, float, float] = UP
    end: tuple[float, float, float] | None = None


@dataclass(frozen=True, kw_only=True)
class Motion:
    """Motion of a rig: `offsets` (k, 3) from the parent in the rest pose in metres, `root` (t, 3) in metres, and
    `rotations` (t, k, 3, 3) relative to the parent."""

    nodes: tuple[Node, ...]
    offsets: Float[ndarray, "k 3"]
    root: Float[ndarray, "t 3"]
    rotations: Float[ndarray, "t k 3 3"]


@cache
def rig() -> tuple[Node, ...]:
    """The nodes in depth-first order, every parent before its children."""
    nodes: list[Node] = []
    index: dict[str, int] = {}

    def add(name: str, parent: str, joint: str | None, aims: str | None, **fields: tuple[float, float, float]) -> None:
        index[name] = len(nodes)
        nodes.append(Node(name=name, parent=index.get(parent, -1), joint=joint, aims=aims, **fields))

    def add_leg(side: str) -> None:
        hip, knee, ankle = (f"{side}_{part}" for part in ("hip", "knee", "ankle"))
        add(f"{side}_pelvis", "root", "pelvis", hip)
        add(hip, f"{side}_pelvis", hip, knee, rest=SIDES[side])
        add(knee, hip, knee, ankle, rest=_DOWN)
        add(ankle, knee, ankle, None, rest=_DOWN)
        add(f"{side}_toe", ankle, None, None, rest=_FRONT, end=along(_FRONT, _TOES_M))

    def add_arm(side: str) -> None:
        shoulder, elbow, wrist = (f"{side}_{part}" for part in ("shoulder", "elbow", "wrist"))
        add(f"{side}_clavicle", "chest", "thorax", shoulder)
        add(shoulder, f"{side}_clavicle", shoulder, elbow, rest=SIDES[side])
        add(elbow, shoulder, elbow, wrist, rest=SIDES[side])
        add(wrist, elbow, wrist, None, rest=SIDES[side], end=along(SIDES[side], _HAND_M))

    add("root", "", "pelvis", None)
    add_leg("left")
    add_leg("right")
    add("pelvis", "root", "pelvis", "spine")
    add("spine", "pelvis", "spine", "thorax")
    add("chest", "spine", None, "thorax")
    add("thorax", "chest", "thorax", "neck_nose")
    add("neck_nose", "thorax", "neck_nose", "head_top")
    add("head_top", "neck_nose", "head_top", None, end=along(UP, _CROWN_M))
    add_arm("left")
    add_arm("right")
    return tuple(nodes)


def in_axes(motion: Motion, axes: Float[ndarray, "k 3 3"]) -> Motion:
    """The same motion with other axes of the nodes, given as columns in the rest pose."""
    above = np.stack([axes[node.parent] if node.parent >= 0 else np.eye(3) for node in motion.nodes])
    ends = [None if node.end is None else axes[k].T @ node.end for k, node in enumerate(motion.nodes)]
    return replace(
        motion,
        nodes=tuple(
            node if end is None else replace(node, end=(float(end[0]), float(end[1]), float(end[2])))
            for node, end in zip(motion.nodes, ends, strict=True)
        ),
        offsets=np.einsum("kba,kb->ka", above, motion.offsets),
        rotations=np.einsum("kba,tkbc,kcd->tkad", above, motion.rotations, axes),
    )


def along(direction: tuple[float, float, float], length: float) -> tuple[float, float, float]:
    """A vector of the given length in a direction."""
    x, y, z = direction
    return length * x, length * y, length * z
