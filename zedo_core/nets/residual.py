"""Fully connected residual trunks: ours, and that of SimpleBaseline (Martinez et al., ICCV 2017)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


class ResidualMLP(nn.Module):
    """Linear, then blocks x + W2 SiLU(W1 LayerNorm(x)), then LayerNorm."""

    def __init__(self, inputs: int, width: int, blocks: int, dropout: float) -> None:
        super().__init__()
        self.stem = nn.Linear(inputs, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.LayerNorm(width),
                nn.Linear(width, width),
                nn.SiLU(),
                nn.Dropout(dropout),
                nn.Linear(width, width),
            )
            for _ in range(blocks)
        )
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Float[Tensor, "b inputs"]) -> Float[Tensor, "b width"]:
        with torch.autocast(x.device.type, enabled=False):  # bfloat16 would round the keypoints
            h = self.stem(x.float())
        for block in self.blocks:
            h = h + block(h)
        return self.norm(h)


class PaperLinear(nn.Module):
    """Layers of Linear, BatchNorm, ReLU and dropout: one, then residual blocks of two."""

    def __init__(self, inputs: int, width: int, blocks: int, dropout: float) -> None:
        super().__init__()
        self.stem = _layer(inputs, width, dropout)
        self.blocks = nn.ModuleList(
            nn.Sequential(_layer(width, width, dropout), _layer(width, width, dropout)) for _ in range(blocks)
        )

    def forward(self, x: Float[Tensor, "b inputs"]) -> Float[Tensor, "b width"]:
        h = self.stem(x)
        for block in self.blocks:
            h = h + block(h)
        return h


class ResidualRegressor(nn.Module):
    """A regressor of residual descent: a layer with BatchNorm, two residual linear layers, then the correction
    (ERD, BMVC 2020)."""

    def __init__(self, inputs: int, outputs: int, width: int = 256, dropout: float = 0.25) -> None:
        super().__init__()
        self.stem = _layer(inputs, width, dropout)
        self.linears = nn.ModuleList(nn.Linear(width, width) for _ in range(2))
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(width, outputs)
        nn.init.zeros_(self.out.weight)  # at first it corrects nothing
        nn.init.zeros_(self.out.bias)

    def forward(self, x: Float[Tensor, "b inputs"]) -> Float[Tensor, "b outputs"]:
        h = self.stem(x)
        for linear in self.linears:
            h = h + self.dropout(F.relu(linear(h)))
        return self.out(h)


def _layer(inputs: int, width: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(dropout))
