"""Loading ERD's lifter from weights by name or path."""

from __future__ import annotations

from pathlib import Path

from zedo_core.methods.erd.lifter import ErdLifter
from zedo_core.methods.erd.options import ErdOptions
from zedo_core.methods.erd.options import preset as preset_of
from zedo_core.methods.erd.weights import load_weights
from zedo_core.nets.device import find_device
from zedo_core.weights import find_weights

PACKAGED = "erd"


def load(
    weights: str | Path = PACKAGED,
    device: str = "auto",
    *,
    preset: str | None = None,
    iterations: int | None = None,
    options: ErdOptions | None = None,
) -> ErdLifter:
    """The lifter with weights by name or path: a folder or its safetensors file.

    Settings are either a `preset` by name, with another number of `iterations` (network calls) if given, or `options`.
    InputError for an unknown preset, WeightsError or DeviceError when something is missing.
    """
    chosen = options or preset_of(preset or "default", iterations)
    torch_device = find_device(device)
    return ErdLifter(load_weights(find_weights(weights, "lifter"), torch_device), chosen, torch_device)
