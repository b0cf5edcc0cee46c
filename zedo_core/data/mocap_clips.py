"""Motion capture as a data set for evaluation: clips of moving people seen by random cameras."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from zedo_core.camera import Camera
from zedo_core.data._samples import Samples, project
from zedo_core.data.mocap import Motions, random_cameras
from zedo_core.data.mocap import load as load_motions
from zedo_core.errors import FormatError, InputError
from zedo_core.skeleton import H36M17
from zedo_core.types import Keypoints

CLIP = 60  # frames per camera
CAMERA = Camera(fx=1200.0, fy=1200.0, cx=500.0, cy=500.0)  # of `sample_keypoints`
SAMPLE = Path(__file__).parents[1] / "assets" / "mocap_sample.npz"


def load(root: Path | None, split: str = "test", input: str = "gt", *, seed: int = 0) -> Samples:
    """Motion capture seen by random cameras, one for every clip of up to 60 frames, with exact 2D.

    `root` is an npz for `zedo_core.data.mocap`, or a folder with one; None is the sample in the package. Body sizes
    vary by 5 % (one standard deviation). InputError for detected 2D, which motion capture does not have; FormatError
    for a file that cannot be used.
    """
    if input != "gt":
        raise InputError(f"mocap has no detected 2D; use --input gt, with --noise and --drop, not '{input}'")
    return clips(motions(root, split), seed)


def motions(root: Path | None, split: str) -> Motions:
    """The sequences themselves; those of the sample in the package if `root` is None."""
    return load_motions(SAMPLE if root is None else _find_file(Path(root)), split)


def clips(motions: Motions, seed: int = 0) -> Samples:
    """All frames of the motions as samples, see `load`."""
    rng = np.random.default_rng(seed)
    frame, clip = _frames_and_clips(motions)
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
    visible = (joints_cam[..., 2] > 0.5).all(1)  # a long walk may end behind the camera
    samples = Samples(
        name="mocap",
        joints_cam=joints_cam,
        xy=project(joints_cam, K[clip]),
        confidence=np.ones(joints_cam.shape[:2]),
        K=K[clip],
        sequence=clip,
        sequences=sequences,
        frame=frame,
        action=action,
        actions=tuple(str(name) for name in names),
    )
    return samples.take(np.flatnonzero(visible))


def sample_keypoints(count: int) -> Keypoints:
    """`count` rows of keypoints of the package's sample, seen by `CAMERA`, one track per clip, repeated as needed."""
    samples = load(None)
    repetition, i = np.divmod(np.arange(count), len(samples))
    slopes = (samples.xy - samples.K[:, None, :2, 2]) / samples.K[:, None, [0, 1], [0, 1]]
    return Keypoints(
        frame=np.arange(count),
        track=repetition * len(samples.sequences) + samples.sequence[i],
        xy=CAMERA.project(np.concatenate([slopes, np.ones_like(slopes[..., :1])], axis=-1))[i],
        confidence=samples.confidence[i],
        skeleton=H36M17,
        frame_numbers=np.arange(count),
    )


def _frames_and_clips(motions: Motions) -> tuple[Int[ndarray, " n"], Int[ndarray, " n"]]:
    """The index of each frame in its sequence, and the index of its clip."""
    starts = np.flatnonzero(np.diff(motions.sequence, prepend=-1))
    frame = np.arange(len(motions)) - starts[np.cumsum(np.diff(motions.sequence, prepend=-1) != 0) - 1]
    first = frame % CLIP == 0
    return frame, np.cumsum(first) - 1


def _find_file(root: Path) -> Path:
    """The file itself, or the only npz in the folder."""
    if not root.is_dir():
        return root
    files = sorted(root.glob("*.npz"))
    if len(files) != 1:
        found = ", ".join(file.name for file in files) or "none"
        raise FormatError(f"{root}: expected one npz of motion capture in the folder, found {found}; give the file")
    return files[0]
