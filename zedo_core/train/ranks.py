"""Distributed training of one network by several processes, as started by torchrun."""

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
    """Rank of this process, number of processes, and rank on this machine."""

    rank: int = 0
    world: int = 1
    local: int = 0

    @classmethod
    def from_environment(cls) -> Ranks:
        """The ranks set by torchrun, or those of a single process."""
        try:
            return cls(*(int(os.environ.get(name, default)) for name, default in _NAMES.items()))
        except ValueError:
            raise InputError(f"expected whole numbers in {', '.join(_NAMES)}, as torchrun sets them") from None

    @property
    def is_main(self) -> bool:
        """Whether this is the process that measures, writes and reports."""
        return self.rank == 0


_NAMES = {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0"}


@contextmanager
def process_group(ranks: Ranks, device: torch.device) -> Iterator[torch.device]:
    """Initialise the process group and yield this process's device, which on CUDA is the GPU with its local rank."""
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
