"""Reading and writing the weights: `erd.safetensors`, and `erd.json` with sizes, joint set and calibration."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from zedo_core.errors import InputError, WeightsError
from zedo_core.methods.calibration import Calibration
from zedo_core.methods.erd.descent import Descent
from zedo_core.nets.lifter import Lifter2D, LifterConfig
from zedo_core.skeleton import Skeleton
from zedo_core.skeleton.files import skeleton_from_json, skeleton_json
from zedo_core.storage.files import sha256_of
from zedo_core.weights.network import load_network, read_config, read_tensors, save_network

WEIGHTS_FILE, CONFIG_FILE = "erd.safetensors", "erd.json"
_FORMAT = "zedo-erd-1"


@dataclass(frozen=True, kw_only=True)
class ErdWeights:
    """The networks in evaluation mode, joint set, calibration, and the name and SHA-256 of the weights."""

    net: Descent
    skeleton: Skeleton
    calibration: Calibration
    name: str
    sha256: str

    def to(self, device: torch.device) -> ErdWeights:
        """The same on a device."""
        return replace(self, net=self.net.to(device))


def build(config: LifterConfig, skeleton: Skeleton, **descent: Any) -> Descent:
    """Networks with random weights for a joint set; ValueError when a size is not valid."""
    return Descent(Lifter2D(config, skeleton.edges), **descent)


def save_weights(
    folder: Path, net: Descent, skeleton: Skeleton, name: str, calibration: Calibration, *, half: bool = True
) -> None:
    """Write `erd.safetensors` (fp16 if `half`) and `erd.json` into `folder`."""
    config = {
        "format": _FORMAT,
        "name": name,
        "lifter": net.lifter.config.as_dict(),
        "descent": {"features": net.features, "count": len(net.regressors), "width": net.width},
        "calibration": asdict(calibration),
        "skeleton": skeleton_json(skeleton),
        "units": "metres, relative to the root joint; camera axes x right, y down, z forward",
    }
    save_network(folder, Path(WEIGHTS_FILE).stem, net, config, half=half)


def load_weights(path: str | Path, device: torch.device | str = "cpu") -> ErdWeights:
    """Read weights from their folder or safetensors file; WeightsError when they are missing or of another method."""
    path = Path(path)
    file = path / WEIGHTS_FILE if path.is_dir() else path
    if not file.is_file():
        raise WeightsError(f"{file}: no such file; train weights of this method with 'zedo train erd'")
    where = file.with_suffix(".json")
    config = read_config(where, _FORMAT)
    try:
        skeleton = skeleton_from_json(config["skeleton"])
        sizes = LifterConfig.from_json(config["lifter"])
        if sizes.joints != len(skeleton):
            raise ValueError(f"a network for the {len(skeleton)} joints of {skeleton.name}, found {sizes.joints}")
        descent, name = dict(config["descent"]), config.get("name") or file.parent.name
        if set(descent) != {"features", "count", "width"} or not isinstance(name, str):
            raise ValueError("the fields features, count and width of 'descent', and a text as 'name'")
        calibration = Calibration.from_json(config["calibration"])
    except (KeyError, TypeError, ValueError, InputError) as error:
        reason = f"the field {error}" if isinstance(error, KeyError) else str(error).removeprefix("expected ")
        raise WeightsError(f"{where}: expected {reason}; download or train the weights again") from None
    net = load_network(file, partial(build, sizes, skeleton, **descent), read_tensors(file), device)
    return ErdWeights(net=net, skeleton=skeleton, calibration=calibration, name=name, sha256=sha256_of(file))
