"""The compute device of the networks."""

from __future__ import annotations

import warnings

import torch

from zedo_core.errors import DeviceError


def find_device(name: str) -> torch.device:
    """The device called `name`; `auto` is CUDA if available, else the CPU. DeviceError when it is not available."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns about deprecated names
            device = torch.device(name)
            torch.zeros(1, device=device).cpu()
    except Exception:  # unknown names make torch raise almost any exception
        raise DeviceError(f"device '{name}' is not available; use auto, cpu, cuda, cuda:N or mps") from None
    return device
