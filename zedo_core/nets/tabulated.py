"""The score network at times known beforehand: terms that depend only on the time are tabulated."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from zedo_core.nets.score_mlp import Layer, ScoreMLP


class TabulatedScore(nn.Module):
    """`ScoreMLP` for inference at a list of times; the same values except for rounding.

    Group normalisation subtracts each group's mean, which is linear: it is subtracted from the weights and the time
    rows beforehand, so that only the division by the standard deviation remains. Operations after a matrix product are
    done in place.
    """

    products = "float32"  # precision of the factors of matrix products

    def __init__(self, net: ScoreMLP, times: Float[Tensor, " n"]) -> None:
        super().__init__()
        rows = net.time_rows(times)
        self.layers = nn.ModuleList(TabulatedLayer(layer, rows[:, k]) for k, layer in enumerate(net.layers))
        self.head = net.head

    def forward(self, pose: Float[Tensor, "b joints 3"], i: int) -> Float[Tensor, "b joints 3"]:
        """Predicted noise at the i-th time."""
        stem, *layers = self.layers
        h = stem(pose.flatten(1), i)
        for first, second in zip(layers[::2], layers[1::2], strict=True):
            h += second(first(h, i), i)
        return self.head(h).unflatten(1, (-1, 3))


class TabulatedLayer(nn.Module):
    """SiLU(GroupNorm(W x + row)) with weights and rows whose groups have a mean of 0."""

    weight: Tensor
    rows: Tensor
    eps: Tensor

    def __init__(self, layer: Layer, rows: Float[Tensor, "n width"]) -> None:
        super().__init__()
        self.norm = layer.norm
        self.register_buffer("eps", layer.norm.weight.new_tensor(layer.norm.eps), persistent=False)
        self.register_buffer("weight", _centred(layer.dense.weight.T, layer.norm.num_groups), persistent=False)
        self.register_buffer("rows", _centred(layer.dense.bias + rows, layer.norm.num_groups), persistent=False)

    def forward(self, x: Float[Tensor, "b inputs"], i: int) -> Float[Tensor, "b width"]:
        h = torch.addmm(self.rows[i], x, self.weight)
        groups = h.unflatten(1, (self.norm.num_groups, -1))
        norm = torch.linalg.vector_norm(groups, dim=-1, keepdim=True)
        groups *= torch.addcmul(self.eps, norm, norm, value=1 / groups.shape[-1]).rsqrt_()
        return F.silu(torch.addcmul(self.norm.bias, h, self.norm.weight, out=h), inplace=True)


def _centred(values: Float[Tensor, "n width"], groups: int) -> Float[Tensor, "n width"]:
    """Each row minus the mean of its group."""
    parts = values.detach().unflatten(1, (groups, -1))
    return (parts - parts.mean(-1, keepdim=True)).flatten(1)
