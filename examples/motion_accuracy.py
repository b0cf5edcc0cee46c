"""Accuracy of motions: moving clips of motion capture, seen by random cameras, with exact or noisy 2D keypoints.

    python examples/motion_accuracy.py MOCAP.npz --split test --clips 24 --noise 0,5 --motion light,full
    python examples/motion_accuracy.py zedo_core/assets/mocap_sample.npz

Mean joint error (MPJPE / PA-MPJPE) in mm, error of accelerations in mm per frame squared, and the standard deviation of
the bones' lengths within a clip.
"""

import argparse

import numpy as np

import zedo_core as zedo
from zedo_core.camera import Camera
from zedo_core.data._samples import Samples
from zedo_core.data.mocap_clips import load
from zedo_core.metrics import bone_lengths, motion_errors, mpjpe, pa_mpjpe
from zedo_core.skeleton import H36M17
from zedo_core.types import Keypoints

FPS = 30.0


def moving(samples: Samples, count: int) -> Samples:
    """Random clips of the greatest length, of 60 frames at most, among those that move no less than the median clip."""
    lengths = np.bincount(samples.sequence)
    clips = [np.flatnonzero(samples.sequence == clip) for clip in np.flatnonzero(lengths == lengths.max())]
    relative = samples.joints_cam - samples.joints_cam[:, [H36M17.root]]
    speeds = np.array([np.linalg.norm(np.diff(relative[rows], axis=0), axis=-1).mean() for rows in clips])
    order = np.random.default_rng(1).permutation(np.flatnonzero(speeds >= np.median(speeds)))
    return samples.take(np.concatenate([clips[i] for i in sorted(order[:count])]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("--split", default="test")
    parser.add_argument("--clips", type=int, default=24)
    parser.add_argument("--noise", default="0,5", help="standard deviations in pixels")
    parser.add_argument("--motion", default="light,full")
    parser.add_argument("--hypo", type=int, default=10)
    args = parser.parse_args()
    samples = moving(load(args.file, args.split), args.clips)
    truth = samples.joints_cam.reshape(len(np.unique(samples.sequence)), -1, *samples.joints_cam.shape[1:])
    frame = np.arange(len(samples))
    cameras = [Camera.from_matrix(K) for K in samples.K]
    for noise_px in map(float, args.noise.split(",")):
        keypoints = Keypoints(
            frame=frame,
            track=samples.sequence,
            xy=samples.xy + np.random.default_rng(5).normal(0, noise_px, samples.xy.shape),
            confidence=np.ones(samples.xy.shape[:2]),
            skeleton=H36M17,
            frame_numbers=frame,
            fps=FPS,
        )
        lifted = zedo.lift(keypoints, cameras, hypotheses=args.hypo)
        for mode in args.motion.split(","):
            best = zedo.motion(lifted, keypoints, mode=mode).best.astype(float)
            report(f"{noise_px:g} px, {mode}", best.reshape(truth.shape), truth)


def report(name: str, best: np.ndarray, truth: np.ndarray) -> None:
    """Print the errors of clips (clip, frame, joint, 3)."""
    acceleration = np.mean([motion_errors(a, b, H36M17.root, 2).mean() for a, b in zip(best, truth, strict=True)])
    lengths = bone_lengths(best, H36M17.edges)
    varied = (lengths.std(1) / lengths.mean(1)).mean()
    error, aligned = mpjpe(best, truth, H36M17.root).mean(), pa_mpjpe(best, truth).mean()
    print(
        f"{name:14} {1000 * error:6.1f} / {1000 * aligned:5.1f} mm   acceleration {1000 * acceleration:5.1f}   "
        f"bones {100 * varied:.1f} %"
    )


if __name__ == "__main__":
    main()
