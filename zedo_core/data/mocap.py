"""Motion capture in the joints of H36M-17: npz with `retargeted` or `positions` (n, 17, 3), metres, y up."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from zedo_core.errors import FormatError
from zedo_core.skeleton import H36M17


@dataclass(frozen=True, kw_only=True)
class Motions:
    """Sequences of poses, one after the other.

    `positions` in metres with y up; frame i belongs to sequence `sequence[i]`, whose name, source
    and frame rate stand in the tuples.
    """

    positions: Float[ndarray, "n 17 3"]
    sequence: Int[ndarray, " n"]
    names: tuple[str, ...]
    sources: tuple[str, ...]
    fps: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.positions)

    def take(self, rows: Int[ndarray, " m"]) -> Motions:
        """Some of the frames."""
        return Motions(
            positions=self.positions[rows],
            sequence=self.sequence[rows],
            names=self.names,
            sources=self.sources,
            fps=self.fps,
        )


def load(path: str | Path, split: str | None = None, *, rig: str = "retargeted") -> Motions:
    """Read an npz of motion capture; FormatError when it is damaged or of another form.

    `split` keeps the sequences marked with that word (all when None). `rig` is `retargeted` (bone
    directions on one adult skeleton) or `positions` (as captured); a file with only one has it used.
    """
    path = Path(path)
    try:
        with np.load(path, allow_pickle=False) as data:
            arrays = {name: data[name] for name in data.files}
    except FileNotFoundError:
        raise FormatError(f"{path}: no such file; expected an npz of motion capture") from None
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise FormatError(f"{path}: expected an npz of motion capture, cannot read it ({error})") from None
    key = rig if rig in arrays else next((name for name in ("retargeted", "positions") if name in arrays), None)
    if key is None:
        raise FormatError(f"{path}: expected an array 'positions' (n, 17, 3) in metres, found {', '.join(arrays)}")
    return _select(path, arrays, key, split)


def _select(path: Path, arrays: dict[str, ndarray], key: str, split: str | None) -> Motions:
    positions = _checked_positions(path, key, arrays[key])
    offsets = arrays.get("offsets", np.array([0, len(positions)])).astype(np.int64)
    count = len(offsets) - 1
    if count < 1 or offsets[0] != 0 or offsets[-1] != len(positions) or (np.diff(offsets) < 0).any():
        raise FormatError(f"{path}: 'offsets' must rise from 0 to the {len(positions)} frames of '{key}'")
    labels = {
        name: np.broadcast_to(arrays.get(name, default), (count,))
        for name, default in (("names", ""), ("sources", "own"), ("fps", 30.0), ("split", split or ""))
    }
    kept = np.flatnonzero(labels["split"] == split) if split is not None else np.arange(count)
    if len(kept) == 0:
        raise FormatError(f"{path}: no sequence is marked '{split}'; found {', '.join(np.unique(labels['split']))}")
    rows = np.concatenate([np.arange(offsets[i], offsets[i + 1]) for i in kept])
    return Motions(
        positions=positions[rows],
        sequence=np.repeat(np.arange(len(kept)), np.diff(offsets)[kept]),
        names=tuple(str(labels["names"][i]) for i in kept),
        sources=tuple(str(labels["sources"][i]) for i in kept),
        fps=tuple(float(labels["fps"][i]) for i in kept),
    )


def _checked_positions(path: Path, key: str, positions: ndarray) -> Float[ndarray, "n 17 3"]:
    expected = (len(H36M17), 3)
    if positions.ndim != 3 or positions.shape[1:] != expected or positions.dtype.kind != "f" or not len(positions):
        raise FormatError(
            f"{path}: expected '{key}' of shape (n, {expected[0]}, {expected[1]}) in metres, got "
            f"{positions.dtype} {positions.shape}"
        )
    if not np.isfinite(positions).all():
        raise FormatError(f"{path}: '{key}' holds values that are not finite; leave those frames out")
    return positions.astype(np.float32)
