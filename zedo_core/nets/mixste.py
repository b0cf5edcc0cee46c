"""MixSTE (CVPR 2022) as a denoiser of pose sequences (Diff3DHPE): blocks over joints and over frames in turn."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

ATTENTIONS = ("grand", "plain")  # (A - I) V (graph neural diffusion), and A V
FORMS = ("seq2seq", "seq2frame")  # a pose for every frame, or for the middle one
_LOG_SCALE = -2.5  # initial logarithm of the scale in metres


@dataclass(frozen=True, kw_only=True)
class MixSTEConfig:
    """Sizes of the network: the defaults are a small one, `PAPER` the published ones."""

    joints: int = 17
    frames: int = 27
    features: int = 9  # of each joint in each frame, besides its noisy place
    width: int = 128  # a multiple of `heads`
    depth: int = 4  # pairs of a block over joints and a block over frames
    heads: int = 4
    ratio: int = 2  # width of the hidden layers, relative to `width`
    time_width: int = 128  # of the embedding of the diffusion time, even
    attention: str = "grand"
    form: str = "seq2seq"
    drop_path: float = 0.0  # largest probability that a branch is left out in training, at the last block

    def __post_init__(self) -> None:
        sizes = (self.joints, self.frames, self.features, self.width, self.depth, self.heads, self.ratio)
        if not all(isinstance(size, int) and 1 <= size <= 2**12 for size in (*sizes, self.time_width)):
            raise ValueError(f"expected whole sizes from 1 to {2**12}: {self}")
        if self.width % self.heads or self.time_width % 2 or self.time_width < 4:
            raise ValueError(f"expected a width that is a multiple of the heads, and an even time_width: {self}")
        if self.attention not in ATTENTIONS or self.form not in FORMS:
            raise ValueError(f"expected attention {' or '.join(ATTENTIONS)} and form {' or '.join(FORMS)}: {self}")
        if not 0 <= self.drop_path < 1:
            raise ValueError(f"expected drop_path from 0 to below 1, got {self.drop_path}")

    @classmethod
    def from_json(cls, values: Any) -> MixSTEConfig:
        """From the config of weights; ValueError when a field is missing, unknown or not valid."""
        names = {field.name for field in fields(cls)}
        if not isinstance(values, dict) or set(values) != names or not isinstance(values["drop_path"], int | float):
            raise ValueError(f"expected the sizes {', '.join(sorted(names))}")
        return cls(**values)

    def as_dict(self) -> dict[str, Any]:
        """The sizes as plain values for JSON."""
        return asdict(self)

    @property
    def outputs(self) -> int:
        """Number of frames that the network predicts."""
        return self.frames if self.form == "seq2seq" else 1


PAPER = MixSTEConfig(frames=243, width=512, depth=8, heads=8, time_width=512, drop_path=0.1)


class _Attention(nn.Module):
    """Multi-head attention along the second to last axis; with `grand`, each token's own value is subtracted."""

    def __init__(self, width: int, heads: int, grand: bool) -> None:
        super().__init__()
        self.heads, self.grand = heads, grand
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(
        self, x: Float[Tensor, "n l width"], mask: Bool[Tensor, "n 1 1 l"] | None
    ) -> Float[Tensor, "n l width"]:
        qkv, kind = self.qkv(x), x.device.type
        if kind == "cpu":
            qkv = qkv.float()  # on CPUs, the gradient of attention takes ten times as long in bfloat16
        q, k, v = qkv.unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        with torch.autocast(kind, enabled=torch.is_autocast_enabled(kind) and kind != "cpu"):
            mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        mixed = mixed - v if self.grand else mixed  # (A - I) V
        return self.out(mixed.transpose(1, 2).flatten(2))


class _Block(nn.Module):
    """A transformer block with the diffusion time added at its start."""

    def __init__(self, config: MixSTEConfig, drop: float) -> None:
        super().__init__()
        width, hidden = config.width, config.ratio * config.width
        self.time = nn.Linear(config.time_width, width)
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width) for _ in range(3))
        self.attention = _Attention(width, config.heads, config.attention == "grand")
        self.mlp = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))
        self.drop = drop

    def forward(self, x: Tensor, time: Float[Tensor, "n time_width"], mask: Tensor | None) -> Tensor:
        x = x + self.time(time)[:, None]
        x = x + self._kept(self.attention(self.norm1(x), mask))
        return self.norm3(x + self._kept(self.mlp(self.norm2(x))))

    def _kept(self, branch: Tensor) -> Tensor:
        """The branch, in training left out of whole sequences at random (stochastic depth)."""
        if not (self.training and self.drop):
            return branch
        kept = torch.rand(len(branch), 1, 1, device=branch.device) >= self.drop
        return branch * kept / (1 - self.drop)


class MixSTE(nn.Module):
    """Predicts the clean poses from noisy ones, features of the keypoints and the diffusion time."""

    def __init__(self, config: MixSTEConfig) -> None:
        super().__init__()
        self.config = config
        c, width = config, config.width
        self.embed = nn.Linear(c.features + 3, width)
        self.joint_place = nn.Parameter(0.02 * torch.randn(c.joints, width))
        self.frame_place = nn.Parameter(0.02 * torch.randn(c.frames, width))
        self.time = nn.Sequential(
            nn.Linear(c.time_width, 2 * c.time_width), nn.GELU(), nn.Linear(2 * c.time_width, c.time_width), nn.SiLU()
        )
        drops = torch.linspace(0, c.drop_path, c.depth).tolist()
        self.over_joints = nn.ModuleList(_Block(c, drop) for drop in drops)
        self.over_frames = nn.ModuleList(_Block(c, drop) for drop in drops)
        if c.form == "seq2frame":
            self.frame_weights = nn.Parameter(torch.full((c.frames,), 1 / c.frames))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, 4)
        with torch.no_grad():
            self.head.weight.mul_(0.1)
            self.head.bias.zero_()

    def forward(
        self,
        noisy: Float[Tensor, "b s j 3"],
        features: Float[Tensor, "b t j f"],
        time: Float[Tensor, " b"],
        known: Bool[Tensor, "b t"],
    ) -> tuple[Float[Tensor, "b s j 3"], Float[Tensor, "b s j"]]:
        """The clean poses in the unit of the noisy ones, and the log of the scale of each joint's error.

        `time` is from 0 to 1. Frames that are not `known` are seen by no other frame. With the form `seq2frame` s is 1,
        otherwise t.
        """
        b, t, j, _ = features.shape
        with torch.autocast(features.device.type, enabled=False):  # bfloat16 would round the keypoints
            x = self.embed(torch.cat([features, noisy.expand(b, t, j, 3)], dim=-1).float())
        embedded = self.time(sinusoid(1000.0 * time, self.config.time_width))
        mask = known[:, None, None, None].expand(b, j, 1, 1, t).flatten(0, 1)
        x = x + self.joint_place
        for i, (joints, frames) in enumerate(zip(self.over_joints, self.over_frames, strict=True)):
            x = joints(x.flatten(0, 1), embedded.repeat_interleave(t, 0), None).unflatten(0, (b, t))
            x = x.transpose(1, 2)
            x = x + self.frame_place if i == 0 else x
            x = frames(x.flatten(0, 1), embedded.repeat_interleave(j, 0), mask).unflatten(0, (b, j)).transpose(1, 2)
        if self.config.form == "seq2frame":
            weights = self.frame_weights * known
            x = (weights[..., None, None] * x).sum(1, keepdim=True)
        with torch.autocast(x.device.type, enabled=False):  # bfloat16 would round the pose
            values = self.head(self.norm(x.float()))
        return values[..., :3], values[..., 3] + _LOG_SCALE


def sinusoid(t: Float[Tensor, " n"], width: int) -> Float[Tensor, "n width"]:
    """Positional features [sin | cos] with frequencies exp(-k ln 10000 / (width/2 - 1))."""
    half = width // 2
    frequency = torch.exp(torch.arange(half, dtype=t.dtype, device=t.device) * (-math.log(10000.0) / (half - 1)))
    angle = t[:, None] * frequency
    return torch.cat([angle.sin(), angle.cos()], dim=1)
