"""The compute device of the networks."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING

from zedo_core.errors import DeviceError

if TYPE_CHECKING:
    import torch

_NAME = re.compile(r"auto|mps|cpu|cuda(:\d+)?")


def check_device(name: str) -> None:
    """DeviceError for what is no name of a device; whether the device is there is not asked, which needs torch."""
    if not _NAME.fullmatch(name):
        raise _not_available(name)


def find_device(name: str) -> torch.device:
    """The device called `name`; `auto` is CUDA if available, else the CPU. DeviceError when it is not available."""
    import torch  # takes seconds: only when the checks of a request have passed

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns about deprecated names
            device = torch.device(name)
            torch.zeros(1, device=device).cpu()
    except Exception:  # unknown names make torch raise almost any exception
        raise _not_available(name) from None
    return device


def _not_available(name: str) -> DeviceError:
    return DeviceError(f"device '{name}' is not available; use auto, cpu, cuda, cuda:N or mps")
