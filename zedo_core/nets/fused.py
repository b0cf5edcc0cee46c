"""The score network at fixed times on an NVIDIA GPU: one Triton kernel per layer, products in half precision.

A layer's product, bias and time row, group normalisation, SiLU and residual sum need a single write to memory. Products
take float16 inputs and accumulate in float32; normalisation is in float32. float16 rounds like TF32 and is twice as
fast; poses, noise and all geometry outside the network stay in float32.
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
from zedo_core.nets.tabulated import TabulatedLayer, TabulatedScore

_log = logging.getLogger(__name__)
_CHECKED_ROWS = (100, 1100)  # few and many rows use different kernels
_TOLERANCE = 0.01  # relative to the largest value; float16 gives 0.0005


class FusedScore(nn.Module):
    """`TabulatedScore` with fused layers; the same values except for rounding to float16."""

    def __init__(self, tabulated: TabulatedScore) -> None:
        super().__init__()
        self.layers = nn.ModuleList(_FusedLayer(layer) for layer in tabulated.layers)  # type: ignore[arg-type]
        head = tabulated.head
        self.register_buffer("weight", head.weight.detach().T.half().contiguous(), persistent=False)
        self.register_buffer("bias", head.bias.detach().contiguous(), persistent=False)

    weight: Tensor
    bias: Tensor
    products = "float16"  # precision of the factors of matrix products

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

    def __init__(self, layer: TabulatedLayer) -> None:
        super().__init__()
        self.groups, self.eps_value = layer.norm.num_groups, layer.norm.eps
        self.register_buffer("weight", layer.weight.half().contiguous(), persistent=False)
        self.register_buffer("rows", layer.rows.float().contiguous(), persistent=False)
        norm = torch.stack([layer.norm.weight.detach(), layer.norm.bias.detach()])
        self.register_buffer("norm", norm.float().contiguous(), persistent=False)

    def forward(self, x: Tensor, i: int, skip: Tensor | None = None) -> Float[Tensor, "b width"]:
        return _launch(x, self.weight, self.rows[i], self.norm, self.rows.shape[1] // self.groups, self.eps_value, skip)


def fused_or_tabulated(net: ScoreMLP, times: Float[Tensor, " n"]) -> TabulatedScore | FusedScore:
    """The network at these times, with fused kernels on an NVIDIA GPU if a test run succeeds, else in plain torch."""
    tabulated = TabulatedScore(net, times)
    if times.device.type != "cuda" or not can_fuse(net):
        return tabulated
    try:
        fused = FusedScore(tabulated)
        error = max(_relative_error(tabulated, fused, rows, net.config.joints) for rows in _CHECKED_ROWS)
    except Exception as exception:  # a missing compiler, a GPU too old or too new: whatever Triton raises
        _warn_once(f"fused kernels do not work here ({type(exception).__name__}); continuing with plain torch")
        return tabulated
    if not error < _TOLERANCE:
        _warn_once(f"fused kernels are off by {error:.2g} here; continuing with plain torch")
        return tabulated
    return fused


def can_fuse(net: ScoreMLP) -> bool:
    """Whether the kernel supports a network of these sizes: the group size must be a power of two."""
    group = net.config.width // net.config.groups
    return find_spec("triton") is not None and net.config.width % 64 == 0 and group & (group - 1) == 0 and group <= 64


@cache
def _warn_once(text: str) -> None:
    _log.warning(text)


def _relative_error(tabulated: TabulatedScore, fused: FusedScore, rows: int, joints: int) -> float:
    """The largest difference, relative to the largest value."""
    poses = 0.3 * torch.randn(rows, joints, 3, device=tabulated.head.weight.device)
    expected = tabulated(poses, 0)
    return float((fused(poses, 0) - expected).abs().max() / expected.abs().max())


def _launch(*layer: Any) -> Tensor:
    """Launch the kernel, imported only here, since not every system has Triton."""
    from zedo_core.nets.layer_kernel import launch

    return launch(*layer)
