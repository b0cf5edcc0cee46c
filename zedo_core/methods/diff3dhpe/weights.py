"""Reading and writing the weights: `diff3dhpe.safetensors`, and `diff3dhpe.json` with sizes, joint set, frame rates and
calibration."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from zedo_core.errors import InputError, WeightsError
from zedo_core.methods.calibration import Calibration
from zedo_core.methods.diff3dhpe.denoiser import Denoiser
from zedo_core.methods.diff3dhpe.features import BONE_FEATURES, FEATURES, GUIDE_FEATURES
from zedo_core.methods.erd.weights import ErdWeights
from zedo_core.nets.mixste import MixSTE, MixSTEConfig
from zedo_core.skeleton import Skeleton
from zedo_core.skeleton.files import skeleton_from_json, skeleton_json
from zedo_core.storage.files import sha256_of
from zedo_core.train.sequences import SequenceOptions
from zedo_core.weights import find_weights
from zedo_core.weights.network import load_network, read_config, read_tensors, save_network

WEIGHTS_FILE = "diff3dhpe.safetensors"
_FORMAT = "zedo-diff3dhpe-1"


@dataclass(frozen=True, kw_only=True)
class DiffWeights:
    """The denoiser in evaluation mode, its joint set, frame rates in frames per second, calibration, whether it needs a
    guide and whether it sees lengths of bones, and the name and SHA-256 of the weights."""

    denoiser: Denoiser
    skeleton: Skeleton
    rates_hz: tuple[float, float]
    calibration: Calibration
    guided: bool
    bones: bool
    name: str
    sha256: str

    def to(self, device: torch.device) -> DiffWeights:
        """The same on a device."""
        return replace(self, denoiser=self.denoiser.to(device))


def save_weights(
    folder: Path,
    net: MixSTE,
    skeleton: Skeleton,
    name: str,
    sequences: SequenceOptions,
    calibration: Calibration,
    guide: ErdWeights | None = None,
    *,
    bones: bool = False,
    half: bool = True,
) -> None:
    """Write `diff3dhpe.safetensors` (fp16 if `half`) and `diff3dhpe.json` into `folder`."""
    config = {
        "format": _FORMAT,
        "name": name,
        "net": net.config.as_dict(),
        "rates_hz": [sequences.lowest_hz, sequences.highest_hz],
        "calibration": asdict(calibration),
        "guide": {"name": guide.name, "sha256": guide.sha256} if guide else None,
        "bones": bones,
        "skeleton": skeleton_json(skeleton),
        "units": "metres, relative to the root joint; camera axes x right, y down, z forward",
    }
    save_network(folder, Path(WEIGHTS_FILE).stem, net, config, half=half)


def frames_of(weights: str | Path) -> int | None:
    """Frames of a window of weights by name or path; None where they cannot be read."""
    try:
        path = find_weights(weights, "lifter")
        config = read_config((path / WEIGHTS_FILE if path.is_dir() else path).with_suffix(".json"), _FORMAT)
        return MixSTEConfig.from_json(config.get("net")).frames
    except (WeightsError, ValueError):
        return None


def load_weights(path: str | Path, device: torch.device | str = "cpu") -> DiffWeights:
    """Read weights from their folder or safetensors file; WeightsError when they are missing or of another method."""
    path = Path(path)
    file = path / WEIGHTS_FILE if path.is_dir() else path
    if not file.is_file():
        raise WeightsError(f"{file}: no such file; train weights of this method with 'zedo train diff3dhpe'")
    where = file.with_suffix(".json")
    config = read_config(where, _FORMAT)
    try:
        skeleton = skeleton_from_json(config["skeleton"])
        sizes = MixSTEConfig.from_json(config["net"])
        guided = config["guide"] is not None
        bones = bool(config.get("bones", False))  # older weights do not say that they see none
        inputs = FEATURES + (GUIDE_FEATURES if guided else 0) + (BONE_FEATURES if bones else 0)
        if sizes.joints != len(skeleton) or sizes.features != inputs:
            raise ValueError(f"a network for {inputs} features of the {len(skeleton)} joints of {skeleton.name}")
        name = config.get("name") or file.parent.name
        low, high = config["rates_hz"]
        if not (isinstance(name, str) and 0 < low <= high < 1e4):
            raise ValueError("two frame rates above 0 in 'rates_hz', and a text as 'name'")
        calibration = Calibration.from_json(config["calibration"])
    except (KeyError, TypeError, ValueError, InputError) as error:
        reason = f"the field {error}" if isinstance(error, KeyError) else str(error).removeprefix("expected ")
        raise WeightsError(f"{where}: expected {reason}; download or train the weights again") from None
    net = load_network(file, lambda: MixSTE(sizes), read_tensors(file), device)
    return DiffWeights(
        denoiser=Denoiser(net).to(device).eval(),
        skeleton=skeleton,
        rates_hz=(float(low), float(high)),
        calibration=calibration,
        guided=guided,
        bones=bones,
        name=name,
        sha256=sha256_of(file),
    )
