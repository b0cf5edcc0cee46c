"""The score network at known times on an NVIDIA GPU: one Triton kernel for each layer, products in half precision.

A layer's product, bias and time row, group normalisation, SiLU and residual sum leave the chip once.
Products take float16 and add up in float32; normalisation is float32. float16 rounds as TF32 does
and is twice as fast; poses, noise and all geometry outside stay float32.
"""

from __future__ import annotations

import logging
from functools import cache
from importlib.util import find_spec
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from zedo_core.nets.score_mlp import ScoreMLP
from zedo_core.nets.tabled import TabledLayer, TabledScore

_log = logging.getLogger(__name__)
_CHECKED_ROWS = (100, 1100)  # few and many have kernels of their own
_TOLERANCE = 0.01  # of the largest number; float16 makes it 0.0005


class FusedScore(nn.Module):
    """`TabledScore` with fused layers; the same numbers but for rounding to float16."""

    def __init__(self, tabled: TabledScore) -> None:
        super().__init__()
        self.layers = nn.ModuleList(_FusedLayer(layer) for layer in tabled.layers)  # type: ignore[arg-type]
        head = tabled.head
        self.register_buffer("weight", head.weight.detach().T.half().contiguous(), persistent=False)
        self.register_buffer("bias", head.bias.detach().contiguous(), persistent=False)

    weight: Tensor
    bias: Tensor
    products = "float16"  # in what the numbers that are multiplied are given

    def forward(self, pose: Float[Tensor, "b joints 3"], i: int) -> Float[Tensor, "b joints 3"]:
        """Predicted noise at the i-th time."""
        stem, *layers = self.layers
        h = stem(pose.flatten(1).contiguous(), i)
        for first, second in zip(layers[::2], layers[1::2], strict=True):
            h = second(first(h, i), i, h)
        return _launch(h, self.weight, self.bias).unflatten(1, (-1, 3))


class _FusedLayer(nn.Module):
    weight: Tensor
    rows: Tensor
    norm: Tensor

    def __init__(self, layer: TabledLayer) -> None:
        super().__init__()
        self.groups, self.eps_value = layer.norm.num_groups, layer.norm.eps
        self.register_buffer("weight", layer.weight.half().contiguous(), persistent=False)
        self.register_buffer("rows", layer.rows.float().contiguous(), persistent=False)
        norm = torch.stack([layer.norm.weight.detach(), layer.norm.bias.detach()])
        self.register_buffer("norm", norm.float().contiguous(), persistent=False)

    def forward(self, x: Tensor, i: int, skip: Tensor | None = None) -> Float[Tensor, "b width"]:
        return _launch(x, self.weight, self.rows[i], self.norm, self.rows.shape[1] // self.groups, self.eps_value, skip)


def fused_or_tabled(net: ScoreMLP, times: Float[Tensor, " n"]) -> TabledScore | FusedScore:
    """The network at these times: fused on an NVIDIA GPU where that works, which is tried first; else plain torch."""
    tabled = TabledScore(net, times)
    if times.device.type != "cuda" or not can_fuse(net):
        return tabled
    try:
        fused = FusedScore(tabled)
        off = max(_largest_difference(tabled, fused, rows, net.config.joints) for rows in _CHECKED_ROWS)
    except Exception as error:  # a missing compiler, a GPU too old or too new: whatever Triton raises
        _say_once(f"fused kernels do not work here ({type(error).__name__}); going on with plain torch")
        return tabled
    if not off < _TOLERANCE:
        _say_once(f"fused kernels are off by {off:.2g} here; going on with plain torch")
        return tabled
    return fused


def can_fuse(net: ScoreMLP) -> bool:
    """Whether there is a kernel for a network of this form: groups of a power of two, and no other layers."""
    group = net.config.width // net.config.groups
    return find_spec("triton") is not None and net.config.width % 64 == 0 and group & (group - 1) == 0 and group <= 64


@cache
def _say_once(text: str) -> None:
    _log.warning(text)


def _largest_difference(tabled: TabledScore, fused: FusedScore, rows: int, joints: int) -> float:
    """Relative to the largest number."""
    poses = 0.3 * torch.randn(rows, joints, 3, device=tabled.head.weight.device)
    expected = tabled(poses, 0)
    return float((fused(poses, 0) - expected).abs().max() / expected.abs().max())


def _launch(*layer: Any) -> Tensor:
    """The kernel, loaded only where it is used: not every system has Triton."""
    from zedo_core.nets.layer_kernel import launch

    return launch(*layer)
