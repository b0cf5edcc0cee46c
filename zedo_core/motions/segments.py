"""Bodies whose segments were measured.

A TOML or JSON file names segments with their lengths in metres, of all people, and of single ones by id:

    thigh = 0.43
    shank = 0.41
    [3]
    thigh = 0.38

Segments that are not given are estimated, and scaled as those that are.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from zedo_core.errors import FormatError, InputError
from zedo_core.motions.body import Body
from zedo_core.skeleton import Skeleton
from zedo_core.storage import toml
from zedo_core.storage.files import read_bounded

# By segment: the joints in which its bones end (on both sides, where no side is named), and its length among adults.
SEGMENTS: dict[str, tuple[tuple[str, ...], float]] = {
    "thigh": (("knee",), 0.44),
    "shank": (("ankle",), 0.43),
    "upper_arm": (("elbow",), 0.28),
    "forearm": (("wrist",), 0.25),
    "hip_width": (("left_hip", "right_hip"), 0.26),
    "shoulder_width": (("left_shoulder", "right_shoulder"), 0.30),
    "trunk": (("spine", "thorax"), 0.49),
}
_LENGTH_M = (0.02, 1.0)
_OFF = 1.6  # largest ratio of a segment to that of an adult of the size that the other segments tell
_LARGEST_FILE = 1 << 20


@dataclass(frozen=True)
class Segments:
    """Lengths in metres by name, of everybody and by track id."""

    everybody: Mapping[str, float] = field(default_factory=dict)
    people: Mapping[int, Mapping[str, float]] = field(default_factory=dict)

    def of(self, track: int) -> dict[str, float]:
        """The segments that are known of one person."""
        return {**self.everybody, **self.people.get(track, {})}

    def applied(self, body: Body, track: int) -> Body:
        """The body with its measured segments, the others scaled; InputError when its joint set lacks one."""
        given = self.of(track)
        if not given:
            return body
        lengths_m, measured = body.lengths_m.copy(), np.zeros(len(body.lengths_m), bool)
        ratios = []
        for name, length_m in given.items():
            bones = _bones(name, body)
            total_m = body.lengths_m[bones].sum() / _sides(name)
            lengths_m[bones] *= length_m / total_m
            measured[bones] = True
            ratios.append(math.log(length_m / total_m))
        lengths_m[~measured] *= math.exp(float(np.median(ratios)))
        return Body(body.skeleton, lengths_m)


def bone_lengths_of(segments: Segments, tracks: Iterable[int], skeleton: Skeleton) -> dict[int, Float[ndarray, " j"]]:
    """The length in metres of the bone to each joint where a segment tells it, 0 elsewhere, for people with any.

    A segment of several bones is shared evenly. InputError when the joint set lacks one.
    """
    found = {}
    for track in tracks:
        lengths_m = np.zeros(len(skeleton))
        for name, length_m in segments.of(track).items():
            joints = _joints(name, skeleton)
            lengths_m[joints] = length_m * _sides(name) / len(joints)
        if lengths_m.any():
            found[track] = lengths_m
    return found


def _joints(name: str, skeleton: Skeleton) -> list[int]:
    ends = SEGMENTS[name][0]
    joints = [i for i, joint in enumerate(skeleton.joints) if joint in ends or joint.partition("_")[2] in ends]
    if len(joints) != _sides(name) * len(ends):
        raise InputError(f"body: the joint set {skeleton.name} has no bones for {name}; leave it out")
    return joints


def _sides(name: str) -> int:
    """How many segments of one name a body has."""
    ends = SEGMENTS[name][0]
    return 2 if len(ends) == 1 else 1


def _bones(name: str, body: Body) -> list[int]:
    ends = {body.skeleton.joints[joint] for joint in _joints(name, body.skeleton)}
    return [i for i, (child, _) in enumerate(body.skeleton.bones) if child in ends]


def read_segments(path: Path) -> Segments:
    """The measured segments of a file; InputError when there is none, FormatError for what is not understood."""
    values = _load(path)
    shared = {name: value for name, value in values.items() if not isinstance(value, Mapping)}
    people = {name: value for name, value in values.items() if isinstance(value, Mapping)}
    if not values or not all(people.values()):
        raise FormatError(f"{path}: expected segments such as thigh = 0.43, found none")
    if wrong := [name for name in people if not name.isdecimal()]:
        raise FormatError(f"{path}: expected the id of a person such as [3], found '{wrong[0]}'")
    segments = Segments(
        everybody=_checked(path, shared), people={int(track): _checked(path, each) for track, each in people.items()}
    )
    for track in (-1, *segments.people):
        _check_proportions(path, segments.of(track))
    return segments


def _load(path: Path) -> dict[str, Any]:
    try:
        text = read_bounded(path, _LARGEST_FILE).decode("utf-8")
        values = json.loads(text) if path.suffix.lower() == ".json" else toml.loads(text)
    except FormatError:
        raise FormatError(f"{path}: expected a small file of segments, found more than 1 MiB") from None
    except OSError as error:
        raise InputError(f"{path}: expected a file of segments, found nothing to read ({error.strerror})") from None
    except (ValueError, RecursionError):
        raise FormatError(f"{path}: expected TOML, or JSON in a .json file, such as thigh = 0.43") from None
    if not isinstance(values, dict):
        raise FormatError(f"{path}: expected names of segments with their lengths, found a {type(values).__name__}")
    return values


def _checked(path: Path, given: Mapping[str, Any]) -> dict[str, float]:
    least, most = _LENGTH_M
    for name, length_m in given.items():
        if name not in SEGMENTS:
            raise FormatError(f"{path}: expected segments of {', '.join(SEGMENTS)}, found '{name}'")
        if isinstance(length_m, bool) or not isinstance(length_m, (int, float)) or not least <= length_m <= most:
            raise FormatError(f"{path}: {name}: expected {least:g} to {most:g} metres, found {length_m!r}")
    return {name: float(length_m) for name, length_m in given.items()}


def _check_proportions(path: Path, given: Mapping[str, float]) -> None:
    """FormatError for segments that no one body has."""
    ratios = {name: length_m / SEGMENTS[name][1] for name, length_m in given.items()}
    size = float(np.median(list(ratios.values()))) if ratios else 1.0
    for name, ratio in ratios.items():
        if not 1 / _OFF <= ratio / size <= _OFF:
            raise FormatError(
                f"{path}: {name} of {given[name]:g} m contradicts the other segments, for which about "
                f"{size * SEGMENTS[name][1]:.2f} m is usual; check the units and the numbers"
            )
