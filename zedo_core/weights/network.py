"""Networks on disk: the weights as safetensors and a JSON config that describes how the network is built."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from zedo_core.errors import FormatError, WeightsError
from zedo_core.storage.files import atomic_write, read_bounded

N = TypeVar("N", bound=nn.Module)
_MAX_CONFIG = 2**20  # bytes


def save_network(folder: Path, stem: str, net: nn.Module, config: dict[str, Any], *, half: bool = True) -> None:
    """Write STEM.safetensors (fp16 if `half`) and STEM.json, the config, into `folder`."""
    from safetensors.torch import save_file

    state = {name: value.detach().cpu().contiguous() for name, value in net.state_dict().items()}
    tensors = {name: value.half() if half and value.is_floating_point() else value for name, value in state.items()}
    with atomic_write(folder / f"{stem}.safetensors") as partial:
        save_file(tensors, partial)
    with atomic_write(folder / f"{stem}.json") as partial:
        partial.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def read_config(path: Path, format_name: str) -> dict[str, Any]:
    """Read the config of weights, whose field `format` must be `format_name`; WeightsError otherwise."""
    try:
        config = json.loads(read_bounded(path, _MAX_CONFIG))
    except FileNotFoundError:
        raise WeightsError(f"{path}: no such file; it belongs next to {path.stem}.safetensors") from None
    except (ValueError, OSError, RecursionError, FormatError) as error:
        raise WeightsError(f"{path}: cannot read the weights' config ({_first_line(error)})") from None
    if not isinstance(config, dict) or config.get("format") != format_name:
        raise WeightsError(f"{path}: expected format '{format_name}'; the weights were made by another version")
    return config


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file by name; WeightsError when it is damaged."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        reason = _first_line(error)
        raise WeightsError(f"{path}: the weights are damaged ({reason}); download or train them again") from None


def load_network(
    path: Path, build: Callable[[], N], tensors: dict[str, Tensor], device: torch.device | str = "cpu"
) -> N:
    """The network returned by `build` with the tensors of `path` as weights, ready for inference.

    WeightsError when names or shapes differ, a value is not finite, or the network would be larger than the tensors,
    which is detected before memory is used for it. A ValueError of `build` means that the config is not valid.
    """
    try:
        net = _build_bounded(build, sum(value.numel() for value in tensors.values()))
    except ValueError as error:
        config = path.with_suffix(".json")
        raise WeightsError(f"{config}: expected a network that fits the weights ({_first_line(error)})") from None
    try:
        net.load_state_dict(tensors, strict=True)
    except RuntimeError as error:
        first = str(error).strip().splitlines()[1:2] or [type(error).__name__]
        raise WeightsError(f"{path}: the weights do not match their config ({first[0].strip()[:100]})") from None
    if not all(value.isfinite().all() for value in net.state_dict().values()):
        raise WeightsError(f"{path}: the weights contain values that are not finite; download or train them again")
    return net.to(device).eval().requires_grad_(False)


def _build_bounded(build: Callable[[], N], max_parameters: int) -> N:
    """The network from `build`; ValueError as soon as it has more than `max_parameters`.

    A parameter is registered before it is initialised, so that the memory of one that is too large is never touched.
    """
    count, thread = 0, threading.get_ident()

    def on_parameter(module: nn.Module, name: str, parameter: nn.Parameter) -> None:
        nonlocal count
        if threading.get_ident() == thread:  # the hook is global to all threads
            count += parameter.numel()
            if count > max_parameters:
                raise ValueError(f"{count} weights or more by its sizes, found {max_parameters}")

    hook = register_module_parameter_registration_hook(on_parameter)
    try:
        return build()
    except RuntimeError as error:  # torch cannot allocate a single parameter
        raise ValueError(_first_line(error)) from None
    finally:
        hook.remove()


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
