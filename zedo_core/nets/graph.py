"""Trunks on the graph of the skeleton: locally connected (ICCV 2019), and semantic graph convolutions (CVPR 2019)."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

_REACH = 3  # bones to the farthest joint that a joint of the locally connected network sees
_FAR = -1e4  # logarithm of the weight of edges that are not there; finite, so that it can be averaged
_Edges = tuple[tuple[int, int], ...]


class LocallyConnected(nn.Module):
    """Every joint sees the joints within three bones, with weights of its own; residual blocks of two layers."""

    def __init__(self, inputs: int, channels: int, blocks: int, joints: int, edges: _Edges, dropout: float) -> None:
        super().__init__()
        near = within(joints, edges, _REACH)
        self.stem = _LocalLayer(inputs, channels, near, dropout)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                _LocalLayer(channels, channels, near, dropout), _LocalLayer(channels, channels, near, dropout)
            )
            for _ in range(blocks)
        )

    def forward(self, x: Float[Tensor, "b j inputs"]) -> Float[Tensor, "b j channels"]:
        h = self.stem(x)
        for block in self.blocks:
            h = h + block(h)
        return h


class SemanticGraph(nn.Module):
    """Graph convolutions with learnt weights of the edges; residual blocks of two, then a non-local layer."""

    def __init__(self, inputs: int, channels: int, blocks: int, joints: int, edges: _Edges, dropout: float) -> None:
        super().__init__()
        near = within(joints, edges, 1)
        self.stem = nn.Sequential(_GraphLayer(inputs, channels, near, dropout), _NonLocal(channels))
        self.blocks = nn.ModuleList(
            nn.Sequential(
                _GraphLayer(channels, channels, near, dropout), _GraphLayer(channels, channels, near, dropout)
            )
            for _ in range(blocks)
        )
        self.non_local = nn.ModuleList(_NonLocal(channels) for _ in range(blocks))

    def forward(self, x: Float[Tensor, "b j inputs"]) -> Float[Tensor, "b j channels"]:
        h = self.stem(x)
        for block, non_local in zip(self.blocks, self.non_local, strict=True):
            h = non_local(h + block(h))
        return h


def within(joints: int, edges: _Edges, bones: int) -> Bool[Tensor, "j j"]:
    """Which joints are at most `bones` bones apart."""
    one = torch.eye(joints)
    for child, parent in edges:
        one[child, parent] = one[parent, child] = 1.0
    return torch.linalg.matrix_power(one, bones) > 0


class _LocalLayer(nn.Module):
    """A linear layer between all joints, masked by the graph, with BatchNorm, ReLU and dropout."""

    near: Tensor

    def __init__(self, inputs: int, outputs: int, near: Bool[Tensor, "j j"], dropout: float) -> None:
        super().__init__()
        joints = len(near)
        bound = (6.0 / (inputs * near.sum(1).float())).sqrt()[:, None, None, None]  # keeps the variance under ReLU
        self.weight = nn.Parameter((2 * torch.rand(joints, joints, inputs, outputs) - 1) * bound)
        self.bias = nn.Parameter(torch.zeros(joints, outputs))
        self.register_buffer("near", near.float()[..., None, None], persistent=False)
        self.norm = nn.BatchNorm1d(joints * outputs)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Float[Tensor, "b j inputs"]) -> Float[Tensor, "b j outputs"]:
        mixed = torch.einsum("bji,kjio->bko", x, self.weight * self.near) + self.bias
        return self.dropout(F.relu(self.norm(mixed.flatten(1)).unflatten(1, mixed.shape[1:])))


class _GraphLayer(nn.Module):
    """A graph convolution with learnt weights of the edges, and others for the joint itself; BatchNorm, ReLU."""

    far: Tensor
    itself: Tensor

    def __init__(self, inputs: int, outputs: int, near: Bool[Tensor, "j j"], dropout: float) -> None:
        super().__init__()
        self.own, self.others = nn.Linear(inputs, outputs), nn.Linear(inputs, outputs, bias=False)
        self.edges = nn.Parameter(torch.ones(len(near), len(near)))
        self.register_buffer("far", torch.where(near, 0.0, _FAR), persistent=False)
        self.register_buffer("itself", torch.eye(len(near)), persistent=False)
        self.norm = nn.BatchNorm1d(outputs)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Float[Tensor, "b j inputs"]) -> Float[Tensor, "b j outputs"]:
        share = (self.edges + self.far).softmax(1)
        own, others = share * self.itself, share * (1 - self.itself)
        mixed = own @ self.own(x) + others @ self.others(x)
        return self.dropout(F.relu(self.norm(mixed.transpose(1, 2)).transpose(1, 2)))


class _NonLocal(nn.Module):
    """Attention between all joints, added to the input (Wang et al., CVPR 2018)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(1, channels // 2)
        self.query, self.key, self.value = (nn.Linear(channels, inner) for _ in range(3))
        self.out = nn.Linear(inner, channels)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, x: Float[Tensor, "b j channels"]) -> Float[Tensor, "b j channels"]:
        return x + self.out(F.scaled_dot_product_attention(self.query(x), self.key(x), self.value(x)))
