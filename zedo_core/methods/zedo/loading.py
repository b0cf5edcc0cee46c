"""Loading ZeDO's lifter from weights by name or path."""

from __future__ import annotations

import logging
from pathlib import Path

from zedo_core.errors import WeightsError
from zedo_core.methods.diff3dhpe.loading import load as load_sequence
from zedo_core.methods.erd.loading import load as load_regressor
from zedo_core.methods.erd.options import ErdOptions
from zedo_core.methods.zedo.initial_poses import INITIAL_POSES_FILE, load_initial_poses
from zedo_core.methods.zedo.lifter import ZedoLifter
from zedo_core.methods.zedo.options import PRIOR_ONLY, ZedoOptions
from zedo_core.methods.zedo.options import preset as preset_of
from zedo_core.methods.zedo.prior import load_prior
from zedo_core.nets.device import find_device
from zedo_core.weights import find_weights

PACKAGED = "prior"
_log = logging.getLogger(__name__)
REGRESSOR, SEQUENCE = "erd", "diff3dhpe"  # weights for the presets that use poses of these methods


def load(
    weights: str | Path = PACKAGED,
    device: str = "auto",
    *,
    preset: str | None = None,
    iterations: int | None = None,
    options: ZedoOptions | None = None,
    clusters: str | Path | None = None,
) -> ZedoLifter:
    """The lifter with weights by name or path: a folder, a safetensors file or an official `.pth`.

    Settings are either a `preset` by name, with another number of `iterations` if given, or `options`. `clusters` is a
    file of initial poses; without it those next to the weights are used, or the packaged ones if there are none. For
    other joints than ERD's the default is the preset without it.
    InputError for an unknown preset, WeightsError or DeviceError when something is missing.
    """
    path = find_weights(str(weights), "prior")
    folder = path if path.is_dir() else path.parent
    if clusters is None and not (folder / INITIAL_POSES_FILE).is_file():
        clusters = find_weights(PACKAGED, "prior")
    torch_device = find_device(device)
    prior, sets = load_prior(path), load_initial_poses(clusters or folder)
    sizes, expected = {array.shape[1] for array in sets.values()}, len(prior.skeleton)
    if sizes != {expected}:
        raise WeightsError(
            f"{clusters or folder}: expected initial poses of {expected} joints ({prior.skeleton.name}), found "
            f"{min(sizes)}; make them with `zedo train clusters --out {folder}`"
        )
    chosen = options or preset_of(preset or "default", iterations)
    regressor = load_regressor(REGRESSOR, device, options=ErdOptions(exchange=None)) if chosen.uses_regressor else None
    if regressor and regressor.skeleton != prior.skeleton:
        if preset or options:
            raise WeightsError(
                f"{prior.name}: expected a prior for the joints of the regressor, {regressor.skeleton.name}, found "
                f"{prior.skeleton.name}; use --preset {PRIOR_ONLY}"
            )
        _log.info("%s: lifts other joints than ERD, so that the preset is %s", prior.name, PRIOR_ONLY)
        chosen, regressor = preset_of(PRIOR_ONLY, iterations), None
    guide = regressor.loaded if regressor else REGRESSOR
    sequence = load_sequence(SEQUENCE, device, guide=guide) if chosen.sequence else None
    return ZedoLifter.from_prior(prior, sets, chosen, torch_device, regressor, sequence)
