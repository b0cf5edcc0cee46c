"""Custom joint sets: a JSON file with names, parents and symmetric pairs.

    {"name": "mine", "joints": ["hips", "L_hip", "R_hip", ...], "parents": [null, "hips", "hips", ...],
     "symmetric": [["L_hip", "R_hip"], ...]}

`parents` may contain indices (-1 for the root) in place of names. Two lists `left` and `right` may be given in place of
`symmetric`; without either, left and right are identified by the prefixes `left_` and `right_`.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from zedo_core.errors import FormatError
from zedo_core.skeleton import SKELETONS, Skeleton, get_skeleton, mirrored
from zedo_core.storage.files import read_bounded

_MAX_JOINTS = 200
_SUFFIX = ".json"
_MAX_BYTES = 2**20


def find_skeleton(name: str) -> Skeleton:
    """A joint set by name or from a JSON file; InputError for an unknown name, FormatError for an invalid file."""
    path = Path(name)
    return load_skeleton(path) if path.suffix.lower() == _SUFFIX or path.is_file() else get_skeleton(name)


def load_skeleton(path: Path) -> Skeleton:
    """Read a joint set; FormatError when the file is not such JSON or its joints do not form a tree."""
    try:
        content = json.loads(read_bounded(path, _MAX_BYTES))
    except FileNotFoundError:
        raise FormatError(f"{path}: no such file; expected a joint set as JSON") from None
    except (OSError, ValueError, RecursionError) as error:
        raise FormatError(f"{path}: expected a joint set as JSON, cannot read it ({error})") from None
    return parse_skeleton(content, str(path))


def parse_skeleton(content: Any, where: str) -> Skeleton:
    """The joint set from parsed JSON; FormatError, beginning with `where`, when it is not valid."""
    if not isinstance(content, dict) or not {"joints", "parents"} <= set(content):
        raise FormatError(f"{where}: expected an object with name, joints and parents, found {_short(content)}")
    joints = _names(content["joints"], "joints", where)
    name = content.get("name", "own")
    if not isinstance(name, str) or not name:
        raise FormatError(f"{where}: expected a text as 'name', found {_short(name)}")
    if not 2 <= len(joints) <= _MAX_JOINTS:
        raise FormatError(f"{where}: expected 2 to {_MAX_JOINTS} joints, found {len(joints)}")
    if repeated := [joint for joint, count in Counter(joints).items() if count > 1]:
        raise FormatError(f"{where}: expected joints with different names, found {repeated[0]} more than once")
    bones = _bones(content["parents"], joints, where)
    _check_tree(joints, dict(bones), where)
    return Skeleton(name, joints, bones, _pairs(content, joints, where))


def skeleton_from_json(value: Any) -> Skeleton:
    """The inverse of `skeleton_json`; InputError when the name is unknown or the bones form no tree."""
    skeleton = get_skeleton(value) if isinstance(value, str) else parse_skeleton(value, "joint set")
    _ = skeleton.root  # raises if the bones form no tree
    return skeleton


def skeleton_json(skeleton: Skeleton) -> str | dict[str, Any]:
    """The JSON form that `parse_skeleton` reads, or only the name for a built-in joint set."""
    if SKELETONS.get(skeleton.name) == skeleton:
        return skeleton.name
    parents = [skeleton.joints[parent] if parent >= 0 else None for parent in skeleton.parents]
    content = {"name": skeleton.name, "joints": list(skeleton.joints), "parents": parents}
    return content if skeleton.pairs is None else content | {"symmetric": [list(pair) for pair in skeleton.pairs]}


def _bones(parents: Any, joints: tuple[str, ...], where: str) -> tuple[tuple[str, str], ...]:
    """(child, parent) names, from the names or indices of the parents."""
    if not isinstance(parents, list) or len(parents) != len(joints):
        found = len(parents) if isinstance(parents, list) else _short(parents)
        raise FormatError(f"{where}: expected 'parents' to be a list with an entry for each of {len(joints)} joints, "
                          f"null for the root, found {found}")  # fmt: skip
    bones = []
    for joint, parent in zip(joints, parents, strict=True):
        if isinstance(parent, int) and not isinstance(parent, bool) and -1 <= parent < len(joints):
            parent = joints[parent] if parent >= 0 else None
        if parent is not None and (not isinstance(parent, str) or parent not in joints):
            raise FormatError(f"{where}: expected the parent of {joint} to be among the joints, found {_short(parent)}")
        if parent is not None:
            bones.append((joint, parent))
    return tuple(bones)


def _check_tree(joints: tuple[str, ...], parent: dict[str, str], where: str) -> None:
    roots = [joint for joint in joints if joint not in parent]
    if len(roots) != 1:
        raise FormatError(f"{where}: expected one root, a joint whose parent is null, found {len(roots)} "
                          f"({', '.join(roots)})")  # fmt: skip
    for joint in joints:
        ancestor, steps = joint, 0
        while ancestor in parent and steps <= len(joints):
            ancestor, steps = parent[ancestor], steps + 1
        if steps > len(joints):
            raise FormatError(f"{where}: expected parents that lead to the root, found a cycle at {joint}")


def _pairs(content: dict[str, Any], joints: tuple[str, ...], where: str) -> tuple[tuple[str, str], ...] | None:
    """Symmetric pairs (left, right); None where they follow from the names."""
    if "symmetric" in content:
        listed = content["symmetric"]
        pairs = listed if isinstance(listed, list) else [listed]
    elif "left" in content or "right" in content:
        left, right = (_names(content.get(side, []), side, where) for side in ("left", "right"))
        if len(left) != len(right):
            raise FormatError(f"{where}: expected as many joints on the left as on the right, found {len(left)} and "
                              f"{len(right)}")  # fmt: skip
        pairs = [list(pair) for pair in zip(left, right, strict=True)]
    elif all(mirrored(joint) in joints for joint in joints):
        return None
    else:
        unpaired = next(joint for joint in joints if mirrored(joint) not in joints)
        raise FormatError(f"{where}: {unpaired} has no {mirrored(unpaired)}; name the pairs in 'symmetric'")
    named = [_names(pair, "symmetric", where) for pair in pairs]
    flat = [joint for pair in named for joint in pair]
    if any(len(pair) != 2 for pair in named) or len(set(flat)) < len(flat) or not set(flat) <= set(joints):
        wrong = next((joint for joint in flat if joint not in joints), "a joint in two pairs, or a pair not of two")
        raise FormatError(f"{where}: expected pairs [left, right] of different joints in 'symmetric', found {wrong}")
    return tuple((pair[0], pair[1]) for pair in named)


def _names(value: Any, field: str, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) and name for name in value):
        raise FormatError(f"{where}: expected '{field}' to be a list of names, found {_short(value)}")
    return tuple(value)


def _short(value: Any) -> str:
    return f"{json.dumps(value, default=str):.80}"
