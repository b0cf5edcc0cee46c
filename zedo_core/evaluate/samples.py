"""The samples of a request: loading, the protocol, optional corruption, and lifting."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from zedo_core.camera import Camera
from zedo_core.data import Samples, load_samples
from zedo_core.errors import InputError
from zedo_core.evaluate import results
from zedo_core.evaluate.request import EvalRequest
from zedo_core.lifting import MIN_JOINTS
from zedo_core.methods import Lifter
from zedo_core.skeleton import H36M17
from zedo_core.types import Keypoints, Lifted
from zedo_core.types.times import DEFAULT_FPS

# Every n-th test sample, as the ZeDO paper evaluates (section 4.1).
PAPER_STRIDE = {"h36m": 640, "3dhp": 3, "3dpw": 35, "ski": 1}


def samples_of(request: EvalRequest) -> Samples:
    """Load the samples of a request; InputError when the protocol does not apply, FormatError for bad files."""
    stride = 1
    if request.protocol == "paper":
        if request.dataset not in PAPER_STRIDE:
            raise InputError(
                f"protocol 'paper': expected one of the data sets {', '.join(PAPER_STRIDE)}, got {request.dataset}; "
                "use --every N"
            )
        if request.split != "test":
            raise InputError(f"protocol 'paper': expected the split 'test', got '{request.split}'")
        stride = PAPER_STRIDE[request.dataset]
    if request.dataset == results.NAME:
        samples = results.load(request.data, request.input).drop_nonfinite()
    else:
        samples = load_samples(request.dataset, request.data, request.split, request.input, request.seed)
        samples = samples.drop_nonfinite()
    return _detected(corrupt(samples.take(slice(None, None, stride * request.every)), request))


def _detected(samples: Samples) -> Samples:
    """Without the samples that have too few keypoints to be lifted, which are counted; InputError if none is left."""
    enough = np.count_nonzero(samples.confidence > 0, axis=1) >= MIN_JOINTS
    if not enough.any():
        raise InputError(
            f"{samples.name}: expected people with {MIN_JOINTS} keypoints, found none among {len(samples)}"
        )
    if enough.all():
        return samples
    return replace(samples.take(np.flatnonzero(enough)), undetected=int((~enough).sum()))


def corrupt(samples: Samples, request: EvalRequest) -> Samples:
    """The samples with noise on the keypoints and hidden joints, determined by the seed."""
    if request.detector_noise:
        samples = _as_detected(samples, request)
    rng = np.random.default_rng(request.seed)
    noise = rng.normal(0.0, 1.0, samples.xy.shape) * request.noise_px
    hidden = rng.random(samples.confidence.shape) < request.drop
    confidence = np.where(hidden, 0.0, samples.confidence)
    xy = np.where(confidence[..., None] > 0, samples.xy + noise, 0.0)
    return replace(samples, xy=xy, confidence=confidence)


def _as_detected(samples: Samples, request: EvalRequest) -> Samples:
    """The samples with noise like that of detectors; a joint that was missing stays so."""

    from zedo_core.train.noise import NoiseOptions, noisy_keypoints  # imports torch

    seen = samples.confidence > 0
    middle = np.average(samples.xy, axis=1, weights=np.repeat(seen[..., None] + 1e-9, 2, axis=2))
    xy = np.where(seen[..., None], samples.xy, middle[:, None])
    options = NoiseOptions(strength=request.detector_noise)
    xy, confidence = noisy_keypoints(xy, options, H36M17, request.seed)
    confidence = np.where(seen, confidence, 0.0)
    return replace(samples, xy=np.where(confidence[..., None] > 0, xy, 0.0), confidence=confidence)


def digest(samples: Samples) -> str:
    """SHA-256 of the method's input and the ground truth."""
    sha = hashlib.sha256()
    for array in (samples.joints_cam, samples.xy, samples.confidence, samples.K, samples.sequence, samples.frame):
        sha.update(np.ascontiguousarray(array).tobytes())
    return sha.hexdigest()


def _times_s(samples: Samples) -> Float[ndarray, " n"]:
    """True times of all frames in their sequences, one sequence after the other."""
    number = samples.frame - samples.frame.min(initial=0)
    length = int(number.max(initial=0)) + 1
    order = np.cumsum(np.diff(samples.sequence, prepend=samples.sequence[:1]) != 0)
    return (order * length + number) / (samples.fps or DEFAULT_FPS)


def lift_samples(lifter: Lifter, samples: Samples, hypotheses: int, seed: int) -> Lifted:
    """Lift samples: each is a frame with its own camera, each sequence a track."""
    n = len(samples)
    rows = Keypoints(
        frame=np.arange(n),
        track=samples.sequence,
        xy=samples.xy,
        confidence=samples.confidence.clip(0.0, 1.0),  # peaks of heat maps may exceed 1
        skeleton=H36M17,
        frame_numbers=samples.frame,
        times_s=_times_s(samples),
    )
    focal, centre = samples.K[:, [0, 1], [0, 1]].tolist(), samples.K[:, :2, 2].tolist()
    cameras = [Camera(fx=fx, fy=fy, cx=cx, cy=cy) for (fx, fy), (cx, cy) in zip(focal, centre, strict=True)]
    return lifter.lift(rows, cameras, hypotheses, seed)
