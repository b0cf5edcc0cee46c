"""MixSTE: attention against its definition, who sees whom, both forms, and sizes that are refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from diff_cases import SIZES, tiny_net

from zedo_core.nets.mixste import PAPER, MixSTE, MixSTEConfig, _Attention


@pytest.mark.parametrize("grand", [True, False])
def test_attention_is_its_definition(grand: bool) -> None:
    """(A - I) V or A V with A = softmax(Q K' / sqrt(d)), for two heads of four, without the fifth token."""
    torch.manual_seed(0)
    attention, x = _Attention(8, 2, grand), torch.randn(3, 5, 8)
    mask = torch.tensor([True, True, True, True, False]).expand(3, 1, 1, 5)
    q, k, v = attention.qkv(x).split(8, dim=-1)
    parts = []
    for head in (slice(0, 4), slice(4, 8)):
        scores = q[..., head] @ k[..., head].mT / 2
        A = scores.masked_fill(~mask[:, 0], -torch.inf).softmax(-1)
        parts.append((A - torch.eye(5) if grand else A) @ v[..., head])
    torch.testing.assert_close(attention(x, mask), attention.out(torch.cat(parts, dim=-1)))


def inputs(form: str = "seq2seq") -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(1)
    frames = 9 if form == "seq2seq" else 1
    noisy, features = torch.randn(2, frames, 17, 3, generator=generator), torch.randn(2, 9, 17, 9, generator=generator)
    return noisy, features, torch.tensor([0.3, 1.0]), torch.ones(2, 9, dtype=torch.bool)


@pytest.mark.parametrize("form", ["seq2seq", "seq2frame"])
def test_unknown_frames_are_seen_by_no_other(form: str) -> None:
    net = tiny_net(form)
    noisy, features, time, known = inputs(form)
    known = known.clone()
    known[:, 2] = False
    changed = features.clone()
    changed[:, 2] += 5
    other = noisy.clone()
    if form == "seq2seq":
        other[:, 2] += 5
    kept = [0, 1, 3, 4, 5, 6, 7, 8] if form == "seq2seq" else [0]
    for a, b in zip(net(noisy, features, time, known), net(other, changed, time, known), strict=True):
        torch.testing.assert_close(a[:, kept], b[:, kept])


@pytest.mark.parametrize("form", ["seq2seq", "seq2frame"])
def test_every_input_matters(form: str) -> None:
    net = tiny_net(form)
    values = [value.clone() for value in inputs(form)]
    for value in values[:3]:
        value.requires_grad_()
    pose, log_scale = net(*values)
    assert pose.shape == values[0].shape and log_scale.shape == pose.shape[:3]
    (pose.square().sum() + log_scale.sum()).backward()
    for value in values[:3]:
        assert value.grad is not None and bool((value.grad != 0).all())


def test_samples_are_independent() -> None:
    net = tiny_net()
    values = inputs()
    both, one = net(*values)[0], net(*(value[1:] for value in values))[0]
    torch.testing.assert_close(both[1:], one)


def test_branches_are_left_out_in_training_only() -> None:
    net = MixSTE(replace(SIZES, depth=2, drop_path=0.9))
    torch.nn.init.normal_(net.head.weight)
    values = inputs()
    torch.testing.assert_close(net.eval()(*values)[0], net(*values)[0])
    assert not torch.equal(net.train()(*values)[0], net(*values)[0])


def test_sizes() -> None:
    small, paper = (sum(p.numel() for p in MixSTE(config).parameters()) for config in (MixSTEConfig(), PAPER))
    assert 1e6 < small < 4e6 and 3e7 < paper < 5e7
    assert MixSTEConfig.from_json(SIZES.as_dict()) == SIZES


@pytest.mark.parametrize(
    "change",
    [{"width": 9}, {"frames": 0}, {"depth": 10**5}, {"attention": "flash"}, {"form": "frame"}, {"time_width": 3},
     {"drop_path": 1.0}],
)  # fmt: skip
def test_bad_sizes(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected"):
        MixSTEConfig(**{**SIZES.as_dict(), **change})
