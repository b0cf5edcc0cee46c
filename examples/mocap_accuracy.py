"""Accuracy on motion capture seen by random cameras, with exact or corrupted 2D keypoints, compared by settings.

    python examples/mocap_accuracy.py MOCAP.npz --split test --poses 2000 --hypo 1,10,50 --preset reference,default
    python examples/mocap_accuracy.py MOCAP.npz --hypo 10 --preset default,fast --input exact,noise,missing,swaps
    python examples/mocap_accuracy.py MOCAP.npz --hypo 10 --method erd --preset default --input exact,detector:1

`chosen` is the hypothesis chosen without ground truth; `best` is an oracle, the one nearest to the ground truth.
"""

import argparse
import time
from itertools import product

import numpy as np

import zedo_core as zedo
from zedo_core.data.mocap import load, random_views
from zedo_core.methods import Lifter
from zedo_core.metrics import mpjpe, pa_mpjpe
from zedo_core.skeleton import H36M17
from zedo_core.train.noise import NoiseOptions, noisy_keypoints

CHUNK = 100  # poses lifted between two lines of output


def lifter_of(method: str, weights: str | None, name: str) -> Lifter:
    """The lifter with a preset, or with another number of iterations than the preset's: `default@1000`."""
    preset, _, iterations = name.partition("@")
    return zedo.load_lifter(weights, method=method, preset=preset, iterations=int(iterations) if iterations else None)


def corrupt(kind: str, xy: np.ndarray, seed: int) -> np.ndarray:
    """Keypoints (n, j, 3) with confidence: `noise:PX`, `missing:P`, `outliers:P` by 60 px, `swaps:P`, `detector:S`.

    S is the strength of noise like a detector's. P is the fraction of joints; for swaps it is that of people whose
    left and right arms or legs are exchanged.
    """
    name, _, amount = kind.partition(":")
    rng, xy, confidence = np.random.default_rng(seed), xy.copy(), np.ones(xy.shape[:2])
    if name == "noise":
        xy += rng.normal(0, float(amount or 5), xy.shape)
    elif name == "missing":
        confidence[rng.random(confidence.shape) < float(amount or 0.2)] = 0
    elif name == "outliers":
        angle = rng.uniform(0, 2 * np.pi, confidence.shape)
        wrong = rng.random(confidence.shape) < float(amount or 0.1)
        xy += 60 * wrong[..., None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    elif name == "swaps":
        for limb in (("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle")):
            left, right = (H36M17.indices(tuple(f"{side}_{joint}" for joint in limb)) for side in ("left", "right"))
            people = np.flatnonzero(rng.random(len(xy)) < float(amount or 0.2))[:, None]
            xy[people, [*left, *right]] = xy[people, [*right, *left]]
    elif name == "detector":
        xy, confidence = noisy_keypoints(xy, NoiseOptions(strength=float(amount or 1)), H36M17, seed)
    elif name != "exact":
        raise SystemExit(f"expected exact, noise, missing, outliers, swaps or detector, got '{kind}'")
    return np.concatenate([xy, confidence[..., None]], axis=-1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("--split", default="test")
    parser.add_argument("--poses", type=int, default=2000)
    parser.add_argument("--hypo", default="1,10,50")
    parser.add_argument("--preset", default="reference,default")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--input", default="exact", help="exact, noise[:PX], missing[:P], outliers[:P], swaps[:P], detector[:S]"
    )
    parser.add_argument("--method", default="zedo")
    parser.add_argument("--weights", help="a name, or a folder that `zedo train` wrote")
    parser.add_argument("--progress", action="store_true")
    args = parser.parse_args()
    views = random_views(load(args.file, args.split), args.poses, args.seed)
    root = H36M17.index("pelvis")
    cases = product(args.input.split(","), args.preset.split(","))
    for kind, name in cases:
        keypoints = corrupt(kind, views.xy, args.seed)
        lifter = lifter_of(args.method, args.weights, name)
        for hypotheses in map(int, args.hypo.split(",")):
            errors, aligned, start = [], [], time.perf_counter()
            for i in range(0, len(keypoints), CHUNK):
                rows = slice(i, i + CHUNK)  # each pose as a frame with its own camera
                joints = zedo.lift(keypoints[rows], views.K[rows], hypotheses=hypotheses, lifter=lifter).joints
                truth = np.broadcast_to(views.joints_cam[rows, None], joints.shape)
                errors.append(1000 * mpjpe(joints, truth, root))
                aligned.append(1000 * pa_mpjpe(joints.astype(float), truth))
                if args.progress or i + CHUNK >= len(keypoints):
                    seconds = time.perf_counter() - start
                    report(f"{name} {kind}", hypotheses, np.concatenate(errors), np.concatenate(aligned), seconds)


def report(name: str, hypotheses: int, error: np.ndarray, aligned: np.ndarray, seconds: float) -> None:
    chosen = f"{error[:, 0].mean():6.1f} / {aligned[:, 0].mean():5.1f}"
    best = f"{error.min(1).mean():6.1f} / {aligned.min(1).mean():5.1f}"
    line = f"{name:24} S={hypotheses:<3} {len(error):5} poses  chosen {chosen}  best {best} mm (MPJPE / PA-MPJPE)"
    print(f"{line}  {seconds:7.1f} s", flush=True)


if __name__ == "__main__":
    main()
