"""Small constant tensors, kept on each device: to copy one from the host, a GPU's queue has to run empty."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor


@lru_cache(maxsize=256)
def constant(values: tuple[Any, ...], device: torch.device, dtype: torch.dtype = torch.float32) -> Tensor:
    """The tensor of nested tuples on a device, which is shared: never write to it."""
    with torch.inference_mode(False):  # or it could not take part in a gradient later
        return torch.tensor(values, device=device, dtype=dtype)


def indices(values: tuple[int, ...], device: torch.device) -> Tensor:
    """Indices on a device, to select rows with; shared, too."""
    return constant(values, device, torch.long)
