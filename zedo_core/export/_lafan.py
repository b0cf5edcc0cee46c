"""The skeleton of LAFAN1 (Harvey et al. 2020), from which tools such as GMR retarget motion to robots.

22 joints, all rotations in the order Z, Y, X, and bones along the x axes of their joints. In the T-pose the axes of
trunk and head are up, forwards and left, of legs down, forwards and right, of feet forwards, up and right, of the left
arm left, backwards and up, of the right arm right, backwards and down. GMR reads them as orientations of a robot's
links. The pelvis is one piece, and ankles are above the floor, where the lowest ones lie in zedo's axes.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from zedo_core.export._rig import Motion, in_axes

ORDER = "ZYX"

_X, _Y, _Z = np.eye(3)
_ANKLE_M = 0.08  # above the floor
_LEFT_OUT = ("left_pelvis", "right_pelvis", "head_top")


def lafan(motion: Motion) -> Motion:
    """The same motion as 22 joints in these axes; `motion` must have a rigid pelvis."""
    kept = _without(replace(motion, root=motion.root + _ANKLE_M * _Y), _LEFT_OUT)
    return in_axes(kept, np.stack([_axes(node.name) for node in kept.nodes]))


def _axes(name: str) -> Float[ndarray, "3 3"]:
    """The axes of a joint as columns."""
    side, _, part = name.partition("_")
    if part in ("hip", "knee"):
        return np.stack([-_Y, _Z, -_X], axis=1)
    if part in ("ankle", "toe"):
        return np.stack([_Z, _Y, -_X], axis=1)
    if part in ("clavicle", "shoulder", "elbow", "wrist"):
        outwards = _X if side == "left" else -_X
        return np.stack([outwards, -_Z, np.cross(outwards, -_Z)], axis=1)
    return np.stack([_Y, _Z, _X], axis=1)


def _without(motion: Motion, names: tuple[str, ...]) -> Motion:
    """The motion without nodes that do not rotate; a leaf becomes the end of its parent's bone."""
    nodes, offsets = list(motion.nodes), motion.offsets.copy()
    for k, node in enumerate(nodes):
        for i, other in enumerate(nodes):
            if node.name in names and other.parent == k:
                nodes[i], offsets[i] = replace(other, parent=node.parent), offsets[i] + offsets[k]
        if node.name in names and node.end is not None:
            x, y, z = offsets[k].tolist()
            nodes[node.parent] = replace(nodes[node.parent], end=(x, y, z))
    kept = [k for k, node in enumerate(nodes) if node.name not in names]
    place = {-1: -1} | {k: i for i, k in enumerate(kept)}
    return Motion(
        nodes=tuple(replace(nodes[k], parent=place[nodes[k].parent]) for k in kept),
        offsets=offsets[kept],
        root=motion.root,
        rotations=motion.rotations[:, kept],
    )
