"""Loading Diff3DHPE's lifter from weights by name or path."""

from __future__ import annotations

from pathlib import Path

from zedo_core.methods.diff3dhpe.lifter import DiffLifter
from zedo_core.methods.diff3dhpe.options import DiffOptions
from zedo_core.methods.diff3dhpe.options import preset as preset_of
from zedo_core.methods.diff3dhpe.weights import load_weights
from zedo_core.methods.erd.weights import ErdWeights
from zedo_core.methods.erd.weights import load_weights as load_guide
from zedo_core.nets.device import find_device
from zedo_core.weights import find_weights

PACKAGED, GUIDE = "diff3dhpe", "erd"


def load(
    weights: str | Path = PACKAGED,
    device: str = "auto",
    *,
    preset: str | None = None,
    iterations: int | None = None,
    options: DiffOptions | None = None,
    guide: str | Path | ErdWeights = GUIDE,
) -> DiffLifter:
    """The lifter with weights by name or path: a folder or its safetensors file.

    Settings are either a `preset` by name, with another number of `iterations` (denoising steps) if given, or
    `options`; `guide` are the weights of ERD's lifter, or where they are, for weights that were trained with one.
    InputError for an unknown preset, WeightsError or DeviceError when something is missing.
    """
    chosen = options or preset_of(preset or "default", iterations)
    torch_device = find_device(device)
    loaded = load_weights(find_weights(weights, "lifter"), torch_device)
    if not loaded.guided:
        return DiffLifter(loaded, None, chosen, torch_device)
    erd = guide if isinstance(guide, ErdWeights) else load_guide(find_weights(guide, "lifter"), torch_device)
    return DiffLifter(loaded, erd, chosen, torch_device)
