"""Constant tensors are shared by equal values of one type, and can take part in gradients."""

from __future__ import annotations

import torch

from zedo_core.nets.constants import constant, indices

CPU = torch.device("cpu")


def test_equal_numbers_of_other_types_are_other_tensors() -> None:
    values = (0, 1, 1)
    assert constant(values, CPU) is constant((0.0, 1.0, 1.0), CPU)
    assert [x.dtype for x in (constant(values, CPU), indices(values, CPU), constant(values, CPU, torch.bool))] == [
        torch.float32,
        torch.int64,
        torch.bool,
    ]


def test_one_made_while_lifting_can_be_used_in_training() -> None:
    with torch.inference_mode():
        factor = constant((2.0, 5.0), CPU)
    x = torch.ones(2, requires_grad=True)
    (x * factor).sum().backward()
    assert x.grad is not None and x.grad.tolist() == [2.0, 5.0]
