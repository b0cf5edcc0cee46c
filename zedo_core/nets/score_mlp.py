"""ZeDO's score network: a residual MLP that predicts the noise in a pose (paper section 3.2, after GFPose)."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True, kw_only=True)
class ScoreMLPConfig:
    """Sizes of the network, from the config of the weights or from the shapes of the weights."""

    joints: int = 17
    width: int = 1024  # a multiple of `groups`
    time_width: int = 512  # of the time embedding, even
    blocks: int = 2  # residual blocks of two layers
    groups: int = 32  # of the group normalisation
    dropout: float = 0.25  # in training only

    def __post_init__(self) -> None:
        sizes = (self.joints, self.width, self.time_width, self.blocks, self.groups)
        if not all(isinstance(size, int) and 1 <= size <= 2**14 for size in sizes) or self.width % self.groups:
            raise ValueError(f"expected whole sizes from 1 to {2**14}, the width a multiple of {self.groups}: {self}")

    def as_dict(self) -> dict[str, float | int]:
        """The sizes as plain values for JSON."""
        return asdict(self)


class Layer(nn.Module):
    """SiLU(GroupNorm(W x + V time))."""

    def __init__(self, inputs: int, config: ScoreMLPConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(inputs, config.width)
        self.time = nn.Linear(config.time_width, config.width)
        self.norm = nn.GroupNorm(config.groups, config.width)

    def forward(self, x: Float[Tensor, "b inputs"], row: Float[Tensor, "#b width"]) -> Float[Tensor, "b width"]:
        return F.silu(self.norm(self.dense(x) + row))


class ScoreMLP(nn.Module):
    """Noise prediction for flattened poses in metres, relative to the root joint."""

    def __init__(self, config: ScoreMLPConfig) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Linear(config.time_width, config.time_width)
        self.stem = Layer(3 * config.joints, config)
        self.blocks = nn.ModuleList(
            nn.ModuleList((Layer(config.width, config), Layer(config.width, config))) for _ in range(config.blocks)
        )
        self.head = nn.Linear(config.width, 3 * config.joints)
        self.dropout = nn.Dropout(config.dropout)

    @property
    def layers(self) -> list[Layer]:
        """All layers that depend on the time, in order."""
        return [self.stem, *(layer for block in self.blocks for layer in block)]  # type: ignore[union-attr]

    def time_rows(self, t: Float[Tensor, " n"]) -> Float[Tensor, "n layers width"]:
        """The term that each layer adds at each time; in inference it is tabulated once per schedule."""
        weight = self.embed.weight
        features = sinusoid(999.0 * t, self.config.time_width).to(weight.dtype)
        embedding = F.silu(self.embed(features))
        return torch.stack([layer.time(embedding) for layer in self.layers], dim=1)

    def forward(
        self, pose: Float[Tensor, "b joints 3"], rows: Float[Tensor, "#b layers width"]
    ) -> Float[Tensor, "b joints 3"]:
        """Predicted noise, given the poses and the terms of their times (`time_rows`)."""
        row = iter(rows.unbind(1))
        h = self.dropout(self.stem(pose.flatten(1), next(row)))
        for first, second in self.blocks:  # type: ignore[misc]
            a = self.dropout(first(h, next(row)))
            h = h + self.dropout(second(a, next(row)))
        return self.head(h).unflatten(1, (-1, 3))


def sinusoid(t: Float[Tensor, " n"], width: int) -> Float[Tensor, "n width"]:
    """Positional features [sin | cos] with frequencies exp(-k ln 10000 / (width/2 - 1))."""
    half = width // 2
    frequency = torch.exp(torch.arange(half, dtype=t.dtype, device=t.device) * (-math.log(10000.0) / (half - 1)))
    angle = t[:, None] * frequency
    return torch.cat([angle.sin(), angle.cos()], dim=1)
