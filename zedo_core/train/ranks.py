"""Several processes that train one prior, as torchrun starts them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import distributed

from zedo_core.errors import InputError


@dataclass(frozen=True)
class Ranks:
    """Which of how many processes this one is; `local` is its number on this machine."""

    rank: int = 0
    world: int = 1
    local: int = 0

    @classmethod
    def of_environment(cls) -> Ranks:
        """What torchrun has set; alone without it."""
        try:
            return cls(*(int(os.environ.get(name, default)) for name, default in _NAMES.items()))
        except ValueError:
            raise InputError(f"expected whole numbers in {', '.join(_NAMES)}, as torchrun sets them") from None

    @property
    def leads(self) -> bool:
        """Whether this process is the one that measures, writes and speaks."""
        return self.rank == 0


_NAMES = {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0"}


@contextmanager
def joined(ranks: Ranks, device: torch.device) -> Iterator[torch.device]:
    """Meet the other processes, and yield this one's device: on CUDA each has the GPU of its number."""
    if ranks.world == 1:
        yield device
        return
    if device.type == "cuda":
        device = torch.device("cuda", ranks.local)
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield device
    finally:
        distributed.destroy_process_group()
