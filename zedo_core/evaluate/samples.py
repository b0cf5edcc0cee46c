"""The samples of a request: loaded, thinned by the protocol, and spoilt on request."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np

from zedo_core.data import Samples, load_samples
from zedo_core.errors import InputError
from zedo_core.evaluate.request import EvalRequest

# Every n-th test sample, as the ZeDO paper evaluates (section 4.1).
PAPER_STRIDE = {"h36m": 640, "3dhp": 3, "3dpw": 35, "ski": 1}


def samples_of(request: EvalRequest) -> Samples:
    """The samples that the request evaluates; InputError when the protocol does not fit, FormatError for bad files."""
    stride = 1
    if request.protocol == "paper":
        if request.dataset not in PAPER_STRIDE:
            raise InputError(
                f"the paper has no protocol for {request.dataset}, only for {', '.join(PAPER_STRIDE)}; use --every N"
            )
        if request.split != "test":
            raise InputError(f"the paper's protocol is for the split 'test', not '{request.split}'")
        stride = PAPER_STRIDE[request.dataset]
    samples = load_samples(request.dataset, request.data, request.split, request.input, request.seed).finite()
    return spoilt(samples.take(slice(None, None, stride * request.every)), request)


def spoilt(samples: Samples, request: EvalRequest) -> Samples:
    """With noise on the keypoints and with joints hidden, the same for the same seed."""
    rng = np.random.default_rng(request.seed)
    noise = rng.normal(0.0, 1.0, samples.xy.shape) * request.noise_px
    hidden = rng.random(samples.confidence.shape) < request.drop
    confidence = np.where(hidden, 0.0, samples.confidence)
    xy = np.where(confidence[..., None] > 0, samples.xy + noise, 0.0)
    return replace(samples, xy=xy, confidence=confidence)


def digest(samples: Samples) -> str:
    """A hash of everything that the method sees and is compared with."""
    sha = hashlib.sha256()
    for array in (samples.joints_cam, samples.xy, samples.confidence, samples.K, samples.sequence, samples.frame):
        sha.update(np.ascontiguousarray(array).tobytes())
    return sha.hexdigest()
