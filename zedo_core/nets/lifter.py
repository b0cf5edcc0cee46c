"""Lifting networks: features of 2D joints in, a mixture of 3D poses out; one of three trunks and a common head."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from zedo_core.nets.graph import LocallyConnected, SemanticGraph
from zedo_core.nets.residual import PaperLinear, ResidualMLP

NETS = ("linear", "lcn", "semgcn")  # SimpleBaseline (ICCV 2017), LCN (ICCV 2019), SemGCN (CVPR 2019)
LOCAL, GLOBAL = 3, 3  # features of each joint (its place x, y and its confidence), and of the whole body
_LOG_SCALE = -2.5  # initial logarithm of the scale in metres


class Modes(NamedTuple):
    """A mixture of poses: each mode's pose in metres, the log of the scale of each joint's error, and its logit."""

    pose: Float[Tensor, "b m j 3"]
    log_scale: Float[Tensor, "b m j"]
    logit: Float[Tensor, "b m"]

    @property
    def weights(self) -> Float[Tensor, "b m"]:
        """Probabilities of the modes."""
        return self.logit.softmax(-1)

    @property
    def mean(self) -> Float[Tensor, "b j 3"]:
        """The weighted mean of the poses."""
        return (self.weights[..., None, None] * self.pose).sum(1)


@dataclass(frozen=True, kw_only=True)
class LifterConfig:
    """Sizes of a lifting network: `OURS` holds the defaults of each, `PAPER` those of the papers."""

    net: str = "linear"  # one of `NETS`
    joints: int = 17
    width: int = 1024  # of the hidden layers (linear), or channels of each joint
    blocks: int = 2  # residual blocks of two layers
    modes: int = 10  # poses of the mixture
    batch_norm: bool = False  # linear only: as in the paper, with ReLU after it; otherwise LayerNorm and SiLU
    dropout: float = 0.0
    components: int = 0  # linear only: principal components in place of the places of the joints; 0 for none

    def __post_init__(self) -> None:
        sizes = (self.joints, self.width, self.blocks, self.modes)
        if self.net not in NETS or not all(isinstance(size, int) and 1 <= size <= 2**13 for size in sizes):
            raise ValueError(f"expected one of {', '.join(NETS)} and whole sizes from 1 to {2**13}: {self}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"expected a dropout from 0 to below 1, got {self.dropout}")
        if not 0 <= self.components <= (2 * self.joints if self.net == "linear" else 0):
            raise ValueError(f"expected 0 to {2 * self.joints} principal components, with linear only: {self}")

    @classmethod
    def from_json(cls, values: Any) -> LifterConfig:
        """From the config of weights; ValueError when a field is missing, unknown or not valid."""
        names = {field.name for field in fields(cls)}
        if not isinstance(values, dict) or set(values) != names or not isinstance(values["dropout"], int | float):
            raise ValueError(f"expected the sizes {', '.join(sorted(names))}")
        return cls(**values)

    def as_dict(self) -> dict[str, Any]:
        """The sizes as plain values for JSON."""
        return asdict(self)


OURS = {
    "linear": LifterConfig(),
    "lcn": LifterConfig(net="lcn", width=64, blocks=3),
    "semgcn": LifterConfig(net="semgcn", width=128, blocks=4),
}
PAPER = {
    "linear": LifterConfig(net="linear", width=1024, blocks=2, modes=1, batch_norm=True, dropout=0.25),
    "lcn": LifterConfig(net="lcn", width=64, blocks=3, modes=1),
    "semgcn": LifterConfig(net="semgcn", width=128, blocks=4, modes=1),
}


class Lifter2D(nn.Module):
    """A trunk and a mixture head. `edges` are the bones (child, parent), which only the graph networks use."""

    pca_mean: Tensor
    pca_basis: Tensor

    def __init__(self, config: LifterConfig, edges: tuple[tuple[int, int], ...]) -> None:
        super().__init__()
        self.config = config
        j, width = config.joints, config.width
        if config.net == "linear":
            linear = PaperLinear if config.batch_norm else ResidualMLP
            inputs = (config.components or 2 * j) + j + GLOBAL
            self.trunk: nn.Module = linear(inputs, width, config.blocks, config.dropout)
            out = width
            if config.components:
                self.register_buffer("pca_mean", torch.zeros(2 * j))
                self.register_buffer("pca_basis", torch.zeros(2 * j, config.components))
        else:
            graph = LocallyConnected if config.net == "lcn" else SemanticGraph
            self.trunk = graph(LOCAL + GLOBAL, width, config.blocks, j, edges, config.dropout)
            out = width * j
        self.head = nn.Linear(out, config.modes * (4 * j + 1))
        with torch.no_grad():
            self.head.weight.mul_(0.1)
            self.head.bias.zero_()

    def forward(self, local: Float[Tensor, "b j f"], whole: Float[Tensor, "b g"]) -> Modes:
        """Modes from the features of the joints and those of the whole body."""
        if self.config.net == "linear":
            places = local[..., :2].flatten(1)
            if self.config.components:
                places = (places - self.pca_mean) @ self.pca_basis
            hidden = self.trunk(torch.cat([places, local[..., 2], whole], dim=1))
        else:
            hidden = self.trunk(torch.cat([local, whole[:, None].expand(-1, local.shape[1], -1)], dim=2)).flatten(1)
        with torch.autocast(hidden.device.type, enabled=False):  # bfloat16 would round the pose to 2 mm
            values = self.head(hidden.float()).unflatten(1, (self.config.modes, -1))
        j = self.config.joints
        pose, log_scale, logit = values.split((3 * j, j, 1), dim=-1)
        return Modes(pose.unflatten(-1, (j, 3)), log_scale + _LOG_SCALE, logit[..., 0])
