"""The guide: poses of single frames by ERD's lifter, which a denoiser that was trained with them then moves in time."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from zedo_core.methods.diff3dhpe.features import Guide
from zedo_core.methods.erd.options import ErdOptions
from zedo_core.methods.erd.prediction import predict
from zedo_core.methods.erd.weights import ErdWeights
from zedo_core.methods.observations import Observations

_ONCE = ErdOptions(mirror=False, exchange=None)


@torch.no_grad()
def guide_of(erd: ErdWeights, slopes: Float[Tensor, "b t j 2"], confidence: Float[Tensor, "b t j"]) -> Guide:
    """The lifter's mean pose of every frame in one pass, and the spread that it expects."""
    shape, flat = slopes.shape[:2], slopes.flatten(0, 1)
    observed = Observations(flat, confidence.flatten(0, 1), flat.new_ones(len(flat), 2))
    found = predict(erd.net, observed, erd.skeleton, _ONCE, calls=1)
    return Guide(found.pose.unflatten(0, shape), found.spread().unflatten(0, shape))
