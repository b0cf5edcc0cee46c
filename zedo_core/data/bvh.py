"""BVH motion capture: parsing of hierarchy and motion, and joint positions by forward kinematics.

Rotations are in degrees, applied in the order of the channels (`Zrotation Xrotation Yrotation` is Rz Rx Ry). Position
channels of a joint replace its OFFSET.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.spatial.transform import Rotation

from zedo_core.errors import FormatError
from zedo_core.storage.files import read_bounded

_MAX_BYTES = 2**29
_MAX_NODES = 1000
_MAX_VALUES = 10_000_000  # of the motion: an hour for most rigs
_FRAME_TIMES_S = (1e-5, 60.0)
_AXES = "XYZ"
_CHANNELS = frozenset(f"{axis}{kind}" for axis in _AXES for kind in ("POSITION", "ROTATION"))


@dataclass(frozen=True, kw_only=True)
class Bvh:
    """A hierarchy and its motion in the file's units; end sites are nodes without a name.

    `channels` are the upper-case channel names of each node, whose values are the successive columns of `values`.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: Float[ndarray, "k 3"]
    channels: tuple[tuple[str, ...], ...]
    values: Float[ndarray, "t c"]
    frame_time_s: float

    def subsample(self, step: int) -> Bvh:
        """Every `step`-th frame."""
        return replace(self, values=self.values[::step], frame_time_s=self.frame_time_s * step)


def read(path: Path) -> Bvh:
    """Read a BVH file; FormatError when it is damaged, truncated or not BVH."""
    try:
        text = read_bounded(path, _MAX_BYTES).decode("utf-8", errors="replace")
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror})") from None
    lines = [line.strip() for line in text.lstrip("\ufeff").splitlines()]
    start = next((i for i, line in enumerate(lines) if line.upper() == "MOTION"), None)
    if not lines or lines[0].upper() != "HIERARCHY" or start is None:
        raise FormatError(f"{path}: expected a BVH file with HIERARCHY and MOTION, found another or a truncated one")
    names, parents, offsets, channels = _parse_hierarchy(path, lines[1:start])
    values, frame_time_s = _parse_motion(path, lines[start + 1 :], sum(map(len, channels)), len(names))
    return Bvh(
        names=names, parents=parents, offsets=offsets, channels=channels, values=values, frame_time_s=frame_time_s
    )


def node_positions(bvh: Bvh) -> Float[ndarray, "t k 3"]:
    """Positions of all nodes in all frames, in the file's units and axes."""
    frames = len(bvh.values)
    positions = np.empty((frames, len(bvh.names), 3))
    rotations: list[ndarray] = []
    column = 0
    for k, (parent, channels) in enumerate(zip(bvh.parents, bvh.channels, strict=True)):
        own = bvh.values[:, column : column + len(channels)]
        column += len(channels)
        offset = np.tile(bvh.offsets[k], (frames, 1))
        for axis, name in enumerate(f"{axis}POSITION" for axis in _AXES):
            if name in channels:
                offset[:, axis] = own[:, channels.index(name)]
        angles = [i for i, name in enumerate(channels) if name.endswith("ROTATION")]
        order = "".join(channels[i][0] for i in angles)
        local = Rotation.from_euler(order, own[:, angles], degrees=True).as_matrix() if angles else np.eye(3)
        above = rotations[parent] if parent >= 0 else np.broadcast_to(np.eye(3), (frames, 3, 3))
        positions[:, k] = np.einsum("tab,tb->ta", above, offset) + (positions[:, parent] if parent >= 0 else 0.0)
        rotations.append(above @ local)
    return positions


_Hierarchy = tuple[tuple[str, ...], tuple[int, ...], ndarray, tuple[tuple[str, ...], ...]]


def _parse_hierarchy(path: Path, lines: list[str]) -> _Hierarchy:
    """Names, parents, offsets and channels of all nodes, parents first."""
    names: list[str] = []
    parents: list[int] = []
    offsets: list[ndarray] = []
    channels: list[tuple[str, ...]] = []
    open_nodes: list[int] = []
    for line in lines:
        word, _, rest = line.partition(" ") if " " in line else line.partition("\t")
        match word.upper().rstrip("{"):
            case "ROOT" | "JOINT" | "END":
                if (word.upper() == "ROOT") != (not open_nodes) or len(names) >= _MAX_NODES:
                    raise _damaged(path, line)
                names.append("" if word.upper() == "END" else rest.strip().rstrip("{").strip())
                parents.append(open_nodes[-1] if open_nodes else -1)
                offsets.append(np.empty(0))
                channels.append(())
                open_nodes.append(len(names) - 1)
            case "OFFSET" if open_nodes:
                offsets[open_nodes[-1]] = _parse_floats(path, rest, line)
            case "CHANNELS" if open_nodes:
                channels[open_nodes[-1]] = _parse_channels(path, rest, line)
            case "}" if open_nodes:
                open_nodes.pop()
            case "":
                pass
            case _:
                raise _damaged(path, line)
    if open_nodes or not names or parents.count(-1) != 1 or any(len(offset) != 3 for offset in offsets):
        raise FormatError(f"{path}: expected one ROOT and an OFFSET for each joint, found an incomplete HIERARCHY")
    return tuple(names), tuple(parents), np.array(offsets), tuple(channels)


def _parse_channels(path: Path, rest: str, line: str) -> tuple[str, ...]:
    count, *names = rest.upper().split() or [""]
    angles = [name[0] for name in names if name.endswith("ROTATION")]
    if count != str(len(names)) or not _CHANNELS.issuperset(names) or len(set(names)) < len(names) or len(angles) > 3:
        raise _damaged(path, line)
    return tuple(names)


def _parse_motion(path: Path, lines: list[str], columns: int, nodes: int) -> tuple[Float[ndarray, "t c"], float]:
    head, body = lines[:2], lines[2:]
    parts = [line.partition(":") for line in head]
    if len(parts) < 2 or parts[0][0].strip().upper() != "FRAMES" or parts[1][0].strip().upper() != "FRAME TIME":
        raise FormatError(f"{path}: expected 'Frames:' and 'Frame Time:' after MOTION, found {' '.join(head)[:60]}")
    count, frame_time = (_parse_floats(path, parts[i][2], head[i], 1)[0] for i in range(2))
    if count != int(count) or count < 1 or not _FRAME_TIMES_S[0] <= frame_time <= _FRAME_TIMES_S[1] or columns == 0:
        raise FormatError(f"{path}: expected at least one frame and a frame time in seconds, found {' '.join(head)}")
    if (size := count * max(columns, nodes)) > _MAX_VALUES:  # nodes without channels take memory as well
        raise FormatError(f"{path}: expected at most {_MAX_VALUES} values, found {size:.0f}; split the file")
    values = _parse_floats(path, " ".join(body), "the motion", None)
    if len(values) != count * columns:
        raise FormatError(
            f"{path}: expected {count:.0f} frames of {columns} values, found {len(values)} values; it is truncated or "
            "damaged"
        )
    return np.reshape(values, (int(count), columns)), float(frame_time)


def _parse_floats(path: Path, text: str, line: str, count: int | None = 3) -> Float[ndarray, " n"]:
    """The `count` finite numbers in a text; FormatError for anything else."""
    try:
        values = np.array(text.split(), dtype=float)
    except ValueError:
        raise _damaged(path, line) from None
    if (count is not None and len(values) != count) or not np.isfinite(values).all():
        raise _damaged(path, line)
    return values


def _damaged(path: Path, line: str) -> FormatError:
    return FormatError(f"{path}: expected a BVH file, found {line[:60]!a}; it is damaged")
