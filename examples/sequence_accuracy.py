"""Accuracy of Diff3DHPE against ERD on clips of motion capture under random cameras, with exact or noisy keypoints.

    python examples/sequence_accuracy.py MOCAP.npz --split test --clips 24

Per row: mean joint error (MPJPE / PA-MPJPE) in mm, and the error of accelerations in mm per frame squared at 30 frames
per second; the best of some samples is chosen by the truth, for each frame or for each clip. The noise is a detector's,
of strength 1, and lasts for frames.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

import zedo_core as zedo
from zedo_core.camera import Camera
from zedo_core.data._samples import Samples
from zedo_core.data.mocap_clips import load
from zedo_core.methods.diff3dhpe.loading import load as load_diff3dhpe
from zedo_core.methods.diff3dhpe.options import DiffOptions
from zedo_core.methods.protocol import Lifter
from zedo_core.metrics import motion_errors, mpjpe, pa_mpjpe
from zedo_core.skeleton import H36M17
from zedo_core.train.noise import DetectorNoise, NoiseOptions
from zedo_core.types import Keypoints

FPS = 30.0


def whole_clips(samples: Samples, count: int) -> Samples:
    """Random clips of the greatest length, of 60 frames at most."""
    lengths = np.bincount(samples.sequence)
    clips = [np.flatnonzero(samples.sequence == clip) for clip in np.flatnonzero(lengths == lengths.max())]
    order = np.random.default_rng(1).permutation(len(clips))[:count]
    return samples.take(np.concatenate([clips[i] for i in sorted(order)]))


def keypoints_of(samples: Samples, strength: float) -> Keypoints:
    """One track per clip."""
    noise = DetectorNoise(NoiseOptions(strength=strength), H36M17, torch.device("cpu"))
    count = len(np.unique(samples.sequence))
    clips = torch.from_numpy(samples.xy.astype(np.float32)).unflatten(0, (count, -1))
    found = noise.of_sequences(clips, torch.full((len(clips),), 1 / FPS), torch.Generator().manual_seed(5))
    xy, confidence = (values.flatten(0, 1).numpy().astype(float) for values in found)
    frame = np.arange(len(samples))
    return Keypoints(
        frame=frame,
        track=samples.sequence,
        xy=xy if strength else samples.xy,
        confidence=confidence,
        skeleton=H36M17,
        frame_numbers=frame,
        fps=FPS,
    )


def report(name: str, lifter: Lifter, keypoints: Keypoints, samples: Samples, counts: Sequence[int] = ()) -> None:
    """Lift and print a row for the first hypothesis; and for means, and the best, of numbers of samples."""
    cameras, root = [Camera.from_matrix(K) for K in samples.K], H36M17.root
    length = np.bincount(samples.sequence).max()
    truth = samples.joints_cam - samples.joints_cam[:, [root]]
    started = time.process_time()
    lifted = zedo.lift(keypoints, cameras, hypotheses=1 + max(counts, default=0), lifter=lifter)
    seconds = time.process_time() - started
    every = lifted.joints.astype(float) - lifted.joints[:, :, [root]]
    rows = [(name, every[:, 0], f"{1000 * seconds / len(truth):.1f} ms a frame")]
    for n in counts:
        errors = mpjpe(every[:, 1 : n + 1], truth[:, None], root)
        frame, clip = errors.min(1).mean(), errors.reshape(-1, length, n).mean(1).min(1).mean()
        best = f"best of {n}: {1000 * frame:.1f} (frames), {1000 * clip:.1f} (clips)"
        rows.append((f"{name}, mean of {n}", every[:, 1 : n + 1].mean(1), best))
    for label, poses, remark in rows:
        clips = poses.reshape(-1, length, *truth.shape[1:]), truth.reshape(-1, length, *truth.shape[1:])
        acceleration = np.mean([motion_errors(a, b, root, 2).mean() for a, b in zip(*clips, strict=True)])
        error, aligned = mpjpe(poses, truth, root).mean(), pa_mpjpe(poses, truth).mean()
        errors = f"{1000 * error:6.1f} / {1000 * aligned:5.1f}   acceleration {1000 * acceleration:6.2f}"
        print(f"{label:24} {errors}   {remark}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("--split", default="test")
    parser.add_argument("--clips", type=int, default=24)
    parser.add_argument("--weights", default="diff3dhpe")
    parser.add_argument("--guide", default="erd")
    parser.add_argument("--noise", default="0,1")
    parser.add_argument("--steps", default="1,2,5,9")
    parser.add_argument("--samples", default="1,2,5,10,20", help="numbers of samples that are averaged")
    parser.add_argument("--sample-steps", type=int, default=5, help="steps of these samples")
    parser.add_argument("--options", default="", help="name=value,... of all rows")
    args = parser.parse_args()
    samples = whole_clips(load(args.file, args.split), args.clips)
    given = dict(pair.split("=") for pair in args.options.split(",") if pair)
    base = DiffOptions(**{name: eval(value) for name, value in given.items()})
    for strength in map(float, args.noise.split(",")):
        keypoints = keypoints_of(samples, strength)
        print(f"noise {strength:g}, {len(samples)} frames")
        report("ERD, frames alone", zedo.load_lifter(args.guide, method="erd"), keypoints, samples)
        for steps in numbers(args.steps):
            lifter = load_diff3dhpe(args.weights, options=replace(base, iterations=steps), guide=args.guide)
            counts = numbers(args.samples) if steps == args.sample_steps else ()
            report(f"{steps} steps", lifter, keypoints, samples, counts)


def numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",") if part]


if __name__ == "__main__":
    main()
