"""Motion capture as a data set for evaluation: clips of moving people before random cameras."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from zedo_core.data._samples import Samples, projected
from zedo_core.data.mocap import Motions, random_cameras
from zedo_core.data.mocap import load as load_motions
from zedo_core.errors import FormatError, InputError
from zedo_core.skeleton import H36M17

CLIP = 60  # frames before one camera
SAMPLE = Path(__file__).parents[1] / "assets" / "mocap_sample.npz"


def load(root: Path | None, split: str = "test", input: str = "gt", *, seed: int = 0) -> Samples:
    """Motion capture before random cameras, one for every clip of up to 60 frames, with exact 2D.

    `root` is an npz as `zedo_core.data.mocap` reads, or a folder with one; None is the sample in the
    package. Bodies differ in size by 5 % (one standard deviation). InputError for detected 2D, which
    motion capture does not have; FormatError for a file that cannot be used.
    """
    if input != "gt":
        raise InputError(f"mocap has no detected 2D; use --input gt, with --noise and --drop, not '{input}'")
    return clips(motions(root, split), seed)


def motions(root: Path | None, split: str) -> Motions:
    """The sequences themselves, of the sample in the package when no file or folder is named."""
    return load_motions(SAMPLE if root is None else _file(Path(root)), split)


def clips(motions: Motions, seed: int = 0) -> Samples:
    """All frames of the motions, as `load` gives them."""
    rng = np.random.default_rng(seed)
    frame, clip = _numbered(motions)
    count = int(clip.max()) + 1
    scale = rng.normal(1.0, 0.05, (count, 1, 1))
    R, T, K = random_cameras(rng, count)
    root = H36M17.index("pelvis")
    starts = np.flatnonzero(np.diff(clip, prepend=-1))
    bodies = motions.positions.astype(float) - motions.positions[starts][clip][:, [root]]  # from the clip's first root
    joints_cam = (bodies * scale[clip]) @ np.swapaxes(R, 1, 2)[clip] + T[clip][:, None]
    actions = [motions.names[i] for i in motions.sequence]
    names, action = np.unique(actions, return_inverse=True)
    sequences = tuple(f"{motions.names[motions.sequence[i]]} from {frame[i]}" for i in starts)
    near = (joints_cam[..., 2] > 0.5).all(1)  # a long walk may come to stand behind the camera
    samples = Samples(
        name="mocap",
        joints_cam=joints_cam,
        xy=projected(joints_cam, K[clip]),
        confidence=np.ones(joints_cam.shape[:2]),
        K=K[clip],
        sequence=clip,
        sequences=sequences,
        frame=frame,
        action=action,
        actions=tuple(str(name) for name in names),
    )
    return samples.take(np.flatnonzero(near))


def _numbered(motions: Motions) -> tuple[Int[ndarray, " n"], Int[ndarray, " n"]]:
    """The number of each frame in its sequence, and of its clip among all clips."""
    starts = np.flatnonzero(np.diff(motions.sequence, prepend=-1))
    frame = np.arange(len(motions)) - starts[np.cumsum(np.diff(motions.sequence, prepend=-1) != 0) - 1]
    first = frame % CLIP == 0
    return frame, np.cumsum(first) - 1


def _file(root: Path) -> Path:
    """The file itself, or the one npz in the folder."""
    if not root.is_dir():
        return root
    files = sorted(root.glob("*.npz"))
    if len(files) != 1:
        found = ", ".join(file.name for file in files) or "none"
        raise FormatError(f"{root}: expected one npz of motion capture in the folder, found {found}; name the file")
    return files[0]
