"""A joint set: the names of its joints in order, its bones, and which joints are left and right."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from zedo_core.errors import InputError

_MIRROR = {"left_": "right_", "right_": "left_"}
_SIDES = ("left", "right")


@dataclass(frozen=True)
class Skeleton:
    """A named, ordered joint set with its bones.

    `bones` are pairs (child, parent); a joint without a parent is a root. Left and right are identified by the prefixes
    `left_` and `right_`, or by `pairs` (left, right) where given.
    """

    name: str
    joints: tuple[str, ...]
    bones: tuple[tuple[str, str], ...]
    pairs: tuple[tuple[str, str], ...] | None = None

    def __len__(self) -> int:
        return len(self.joints)

    def index(self, joint: str) -> int:
        """Index of `joint`; InputError when the set has no such joint."""
        try:
            return self.joints.index(joint)
        except ValueError:
            raise InputError(f"joint set {self.name} has no joint '{joint}'; it has {', '.join(self.joints)}") from None

    def indices(self, joints: tuple[str, ...]) -> list[int]:
        """Indices of several joints."""
        return [self.index(joint) for joint in joints]

    @cached_property
    def edges(self) -> tuple[tuple[int, int], ...]:
        """Bones as (child, parent) indices."""
        return tuple((self.index(child), self.index(parent)) for child, parent in self.bones)

    @cached_property
    def parents(self) -> tuple[int, ...]:
        """Index of every joint's parent, -1 for a root."""
        table = dict(self.edges)
        return tuple(table.get(i, -1) for i in range(len(self)))

    @cached_property
    def root(self) -> int:
        """Index of the joint that poses are relative to; InputError when the bones do not form a single tree."""
        roots = [joint for joint, parent in zip(self.joints, self.parents, strict=True) if parent < 0]
        if len(roots) != 1:
            raise InputError(
                f"joint set {self.name}: expected bones that form a single tree for a prior, found {len(roots)} roots "
                f"({', '.join(roots)}); use another set such as h36m-17"
            )
        return self.index(roots[0])

    @cached_property
    def mirror(self) -> tuple[int, ...]:
        """Permutation that swaps left and right joints."""
        if self.pairs is None:
            return tuple(self.index(mirrored(joint)) for joint in self.joints)
        other = {a: b for left, right in self.pairs for a, b in ((left, right), (right, left))}
        return tuple(self.index(other.get(joint, joint)) for joint in self.joints)

    @cached_property
    def bone_pairs(self) -> tuple[tuple[tuple[int, int], tuple[int, int]], ...]:
        """Every left bone with its right counterpart, as (child, parent) indices."""
        left = [edge for edge in self.edges if "left" in (self.side(edge[0]), self.side(edge[1]))]
        return tuple((edge, (self.mirror[edge[0]], self.mirror[edge[1]])) for edge in left)

    def side(self, joint: int) -> str:
        """`left`, `right` or `centre`."""
        if self.pairs is not None:
            name = self.joints[joint]
            sides = {known: side for pair in self.pairs for side, known in zip(_SIDES, pair, strict=True)}
            return sides.get(name, "centre")
        prefix = self.joints[joint].split("_", 1)[0]
        return prefix if prefix in _SIDES else "centre"


def mirrored(joint: str) -> str:
    """Name of the corresponding joint on the other side of the body."""
    for prefix, other in _MIRROR.items():
        if joint.startswith(prefix):
            return other + joint[len(prefix) :]
    return joint
