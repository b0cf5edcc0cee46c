"""Reading and writing the pose prior: a network with its sizes, SDE and joint set, or the official checkpoint.

A weights folder holds `prior.safetensors`, `prior.json`, `clusters.npz` (see `initial_poses`) and, if it was trained
with zedo, `training.json`.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import torch

from zedo_core.diffusion.sde import SubVP
from zedo_core.errors import InputError, WeightsError
from zedo_core.methods.zedo.official import read_official
from zedo_core.nets.score_mlp import ScoreMLP, ScoreMLPConfig
from zedo_core.skeleton import H36M17, Skeleton
from zedo_core.skeleton.files import skeleton_from_json, skeleton_json
from zedo_core.storage.files import sha256_of
from zedo_core.weights.network import load_network, read_config, read_tensors, save_network

T = TypeVar("T")
PRIOR_FILE, CONFIG_FILE = "prior.safetensors", "prior.json"
_FORMAT = "zedo-prior-1"


@dataclass(frozen=True, kw_only=True)
class Prior:
    """A pose prior: network in evaluation mode, SDE, joint set, and the name and SHA-256 of its weights."""

    net: ScoreMLP
    sde: SubVP
    skeleton: Skeleton
    name: str
    sha256: str


def load_prior(path: str | Path, device: torch.device | str = "cpu") -> Prior:
    """Read a prior from a weights folder, its safetensors file, or an official `.pth`; WeightsError otherwise."""
    path = Path(path)
    if path.suffix in (".pth", ".pt"):
        return load_official_prior(path, device)
    file = path / PRIOR_FILE if path.is_dir() else path
    if not file.is_file():
        raise WeightsError(f"{file}: no such file; get weights with 'zedo download' or 'zedo train prior'")
    config = _read_config(file.with_suffix(".json"))
    sizes = _parse_numbers(ScoreMLPConfig, config, "network", file)
    net = load_network(file, partial(ScoreMLP, sizes), read_tensors(file), device)
    sde, skeleton = _parse_numbers(SubVP, config, "sde", file), _parse_joint_set(config, file.with_suffix(".json"))
    name = config.get("name") or file.parent.name
    return _checked(file, Prior(net=net, sde=sde, skeleton=skeleton, name=name, sha256=sha256_of(file)))


def load_official_prior(path: Path, device: torch.device | str = "cpu") -> Prior:
    """Read an official ZeDO checkpoint; WeightsError for any other file."""
    sizes, tensors = read_official(path)
    net = load_network(path, partial(ScoreMLP, sizes), tensors, device)
    return _checked(path, Prior(net=net, sde=SubVP(), skeleton=H36M17, name=path.stem, sha256=sha256_of(path)))


def save_prior(folder: Path, net: ScoreMLP, sde: SubVP, skeleton: Skeleton, name: str, *, half: bool = True) -> None:
    """Write `prior.safetensors` (fp16 unless `half` is off) and `prior.json` into `folder`."""
    config = {
        "format": _FORMAT,
        "name": name,
        "network": net.config.as_dict(),
        "sde": asdict(sde),
        "skeleton": skeleton_json(skeleton),
        "units": "metres, relative to the root joint; camera axes x right, y down, z forward",
    }
    save_network(folder, Path(PRIOR_FILE).stem, net, config, half=half)


def skeleton_of_folder(folder: Path) -> Skeleton:
    """The joint set in the folder's `prior.json`, h36m-17 without one; WeightsError when it is damaged."""
    path = folder / CONFIG_FILE
    return _parse_joint_set(_read_config(path), path) if path.is_file() else H36M17


def _checked(file: Path, prior: Prior) -> Prior:
    """The prior; WeightsError unless its network has as many joints as its joint set."""
    skeleton, joints = prior.skeleton, prior.net.config.joints
    if len(skeleton) != joints:
        expected = f"{len(skeleton)} joints as in {skeleton.name}"
        raise WeightsError(f"{file}: expected a network for {expected}, got one for {joints}")
    return prior


def _read_config(path: Path) -> dict[str, Any]:
    config = read_config(path, _FORMAT)
    if not {"network", "sde", "skeleton"} <= set(config):
        raise WeightsError(f"{path}: expected the fields network, sde and skeleton, found {', '.join(config)}")
    if not isinstance(config.get("name") or "", str):
        raise WeightsError(f"{path}: expected 'name' to be a string, found {json.dumps(config['name']):.80}")
    return config


def _parse_joint_set(config: dict[str, Any], path: Path) -> Skeleton:
    """The joint set in the config, by name or in full; its bones have to form a tree."""
    try:
        return skeleton_from_json(config["skeleton"])
    except InputError as error:
        raise WeightsError(f"{path}: 'skeleton': {error}") from None


def _parse_numbers(kind: type[T], config: dict[str, Any], field: str, file: Path) -> T:
    """The dataclass `kind` from one field of the config, whose values are all numbers."""
    try:
        values = dict(config[field])
        if not all(math.isfinite(value) and not isinstance(value, bool) for value in values.values()):
            raise ValueError
        return kind(**values)
    except (TypeError, ValueError, OverflowError):
        known = ", ".join(kind.__dataclass_fields__)  # type: ignore[attr-defined]
        raise WeightsError(f"{file.with_suffix('.json')}: expected the numbers {known} in '{field}'") from None
