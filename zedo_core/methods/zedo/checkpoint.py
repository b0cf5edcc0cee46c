"""Weights on disk: safetensors with the network's config beside it, clusters, and the official layouts.

A weights folder holds `prior.safetensors`, `prior.json` (sizes, SDE, joint set), `clusters.npz`
(one array (S, j, 3) in metres per S, in the joints of `prior.json`) and, when trained here, `training.json`.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from zedo_core.diffusion.sde import SubVP
from zedo_core.errors import FormatError, InputError, WeightsError
from zedo_core.nets.score_mlp import ScoreMLP, ScoreMLPConfig
from zedo_core.skeleton import H36M17, Skeleton, get_skeleton
from zedo_core.skeleton.files import parse_skeleton, skeleton_json
from zedo_core.storage.files import check_sizes, check_stored, read_bounded, sha256_of, written_whole

T = TypeVar("T")
PRIOR_FILE, CONFIG_FILE, CLUSTERS_FILE = "prior.safetensors", "prior.json", "clusters.npz"
_FORMAT = "zedo-prior-1"
_LARGEST_CONFIG = 2**20  # bytes

# Parts of the official checkpoint's keys (behind `module.`) and what they are called here.
_OFFICIAL_KEYS = (
    (r"^shared_time_embed\.0\.", "embed."),
    (r"^pre_dense_t\.", "stem.time."),
    (r"^pre_dense\.", "stem.dense."),
    (r"^pre_gnorm\.", "stem.norm."),
    (r"^post_dense\.", "head."),
)
_OFFICIAL_BLOCK = re.compile(r"^b(\d+)_(dense|gnorm)(\d+)(_t)?\.")

# Words in the errors of numpy and torch that come with the advice to trust the file, and what is said instead.
_ADVICE = {
    "Object arrays": "it holds Python objects",
    "pickled": "it is neither npz nor npy",
    "magic string": "it is neither npz nor npy",
    "Weights only": "it holds more than tensors",
}


@dataclass(frozen=True, kw_only=True)
class Prior:
    """A pose prior ready for use: network in evaluation mode, its SDE and joint set, and where it came from."""

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
        raise WeightsError(f"{file}: no such file; get weights by 'zedo download' or make them by 'zedo train prior'")
    config = _read_config(file.with_suffix(".json"))
    sizes = _settings(ScoreMLPConfig, config, "network", file)
    state = _read_safetensors(file)
    return _fitting(
        file,
        Prior(
            net=_network(file, sizes, state, device),
            sde=_settings(SubVP, config, "sde", file),
            skeleton=_joint_set(config, file.with_suffix(".json")),
            name=config.get("name") or file.parent.name,
            sha256=sha256_of(file),
        ),
    )


def save_prior(folder: Path, net: ScoreMLP, sde: SubVP, skeleton: Skeleton, name: str, *, half: bool = True) -> None:
    """Write `prior.safetensors` (fp16 unless `half` is off) and `prior.json` into `folder`."""
    from safetensors.torch import save_file

    dtype = torch.float16 if half else torch.float32
    state = {key: value.detach().to("cpu", dtype).contiguous() for key, value in net.state_dict().items()}
    config = {
        "format": _FORMAT,
        "name": name,
        "network": net.config.as_dict(),
        "sde": asdict(sde),
        "skeleton": skeleton_json(skeleton),
        "units": "metres, relative to the root joint; camera axes x right, y down, z forward",
    }
    with written_whole(folder / PRIOR_FILE) as partial:
        save_file(state, partial)
    with written_whole(folder / CONFIG_FILE) as partial:
        partial.write_text(json.dumps(config, indent=2) + "\n")


def load_official_prior(path: Path, device: torch.device | str = "cpu") -> Prior:
    """Read the official ZeDO checkpoint: its raw weights, as its own inference does; sizes are read off the shapes."""
    try:
        check_stored(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise WeightsError(f"{path}: no such file; expected an official ZeDO checkpoint") from None
    except Exception as error:  # torch answers damage with almost any of them
        reason = _reason(error)
        raise WeightsError(f"{path}: expected an official ZeDO checkpoint, cannot read it safely ({reason})") from None
    if not isinstance(content, dict) or not isinstance(content.get("model_state_dict"), dict):
        raise WeightsError(f"{path}: expected an official ZeDO checkpoint with 'model_state_dict'")
    state = {}
    for key, value in content["model_state_dict"].items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            raise WeightsError(f"{path}: expected tensors by name in 'model_state_dict', found {key!s:.80}")
        name = official_key(key)
        if name is not None:
            state[name] = value
    if sum(value.numel() * value.element_size() for value in state.values()) > path.stat().st_size:
        raise WeightsError(f"{path}: expected tensors as large as they say, found some that repeat their values")
    sizes = _sizes_of(path, state)
    net = _network(path, sizes, state, device)
    prior = Prior(net=net, sde=SubVP(), skeleton=H36M17, name=path.stem, sha256=sha256_of(path))
    return _fitting(path, prior)


def official_key(key: str) -> str | None:
    """Our name of a key of the official checkpoint; None for what inference does not need (`sigmas`)."""
    key = key.removeprefix("module.")
    if key == "sigmas":
        return None
    for pattern, name in _OFFICIAL_KEYS:
        key, count = re.subn(pattern, name, key)
        if count:
            return key
    match = _OFFICIAL_BLOCK.match(key)
    if not match:
        raise WeightsError(f"official checkpoint: key '{key}' is not one of ZeDO's score network")
    block, kind, layer, time = match.groups()
    part = "norm" if kind == "gnorm" else "time" if time else "dense"
    return f"blocks.{int(block) - 1}.{int(layer) - 1}.{part}.{key[match.end() :]}"


def load_clusters(path: str | Path) -> dict[int, Float[ndarray, "s j 3"]]:
    """Read initial poses by their number: a weights folder, its `clusters.npz`, or official `.npy` files.

    They are in the joint set of the `prior.json` beside them, in h36m-17 where there is none. Root-centred
    on return; WeightsError when a shape is wrong or a value is not finite.
    """
    path = Path(path)
    file = path / CLUSTERS_FILE if path.is_dir() else path
    skeleton = skeleton_beside(file.parent)
    arrays = _cluster_arrays(file)
    if not arrays:
        raise WeightsError(f"{file}: expected clusters (S, j, 3), found no array; 'zedo train clusters' makes them")
    for name in arrays:
        if not (name.isascii() and name.isdecimal()):
            raise WeightsError(f"{file}: expected arrays named by their number of poses such as '10', found '{name}'")
    return {len(poses): poses for poses in (_centred(file, array, skeleton) for array in arrays.values())}


def save_clusters(folder: Path, clusters: dict[int, Float[ndarray, "s j 3"]]) -> None:
    """Write `clusters.npz` into `folder`."""
    arrays: dict[str, Any] = {str(s): poses.astype(np.float32) for s, poses in clusters.items()}
    with written_whole(folder / CLUSTERS_FILE) as partial:
        np.savez_compressed(partial, **arrays)


def _cluster_arrays(file: Path) -> dict[str, ndarray]:
    """The arrays of an npz by name; that of an npy is called 0."""
    try:
        with open(file, "rb") as opened:
            check_sizes(opened)
            content = np.load(opened, allow_pickle=False)
            if isinstance(content, ndarray):
                return {"0": content}
            return {name: np.asarray(content[name]) for name in content.files}
    except FileNotFoundError:
        raise WeightsError(f"{file}: no such file; make the initial poses with 'zedo train clusters'") from None
    except Exception as error:  # numpy answers damage with almost any of them
        reason = _reason(error)
        raise WeightsError(f"{file}: expected clusters (S, j, 3), cannot read them ({reason})") from None


def skeleton_beside(folder: Path) -> Skeleton:
    """The joint set that `prior.json` in the folder names, h36m-17 without one; WeightsError when it is damaged."""
    path = folder / CONFIG_FILE
    return _joint_set(_read_config(path), path) if path.is_file() else H36M17


def _centred(file: Path, poses: ndarray, skeleton: Skeleton) -> Float[ndarray, "s j 3"]:
    j = len(skeleton)
    if poses.ndim != 3 or poses.shape[1:] != (j, 3) or len(poses) == 0 or poses.dtype.kind != "f":
        found = f"{poses.dtype} {poses.shape}"
        raise WeightsError(f"{file}: expected clusters of shape (S, {j}, 3) in metres as {skeleton.name}, got {found}")
    if not np.isfinite(poses).all() or np.abs(poses).max() > 10:
        raise WeightsError(f"{file}: expected poses in metres, found values that are not finite or above 10 m")
    return (poses - poses[:, [skeleton.root]]).astype(np.float32)


def _fitting(file: Path, prior: Prior) -> Prior:
    """The prior, when its network has as many joints as its joint set."""
    skeleton, joints = prior.skeleton, prior.net.config.joints
    if len(skeleton) != joints:
        expected = f"{len(skeleton)} joints as {skeleton.name} has"
        raise WeightsError(f"{file}: expected a network for {expected}, got one for {joints}")
    return prior


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(read_bounded(path, _LARGEST_CONFIG))
    except FileNotFoundError:
        raise WeightsError(f"{path}: no such file; it belongs beside {PRIOR_FILE}") from None
    except (ValueError, OSError, RecursionError, FormatError) as error:
        raise WeightsError(f"{path}: cannot read the weights' config ({_first_line(error)})") from None
    if not isinstance(config, dict) or config.get("format") != _FORMAT:
        raise WeightsError(f"{path}: expected format '{_FORMAT}'; the weights were made by another version")
    if not {"network", "sde", "skeleton"} <= set(config):
        raise WeightsError(f"{path}: expected the fields network, sde and skeleton, found {', '.join(config)}")
    if not isinstance(config.get("name") or "", str):
        raise WeightsError(f"{path}: expected a text as 'name', found {json.dumps(config['name']):.80}")
    return config


def _joint_set(config: dict[str, Any], path: Path) -> Skeleton:
    """The joint set of the config, by name or in full; its bones have to form a tree."""
    said = config["skeleton"]
    try:
        skeleton = get_skeleton(said) if isinstance(said, str) else parse_skeleton(said, "joint set")
        _ = skeleton.root  # it raises where there is none
        return skeleton
    except InputError as error:
        raise WeightsError(f"{path}: 'skeleton': {error}") from None


def _settings(kind: type[T], config: dict[str, Any], field: str, file: Path) -> T:
    """The frozen settings of one field of the config, numbers all."""
    try:
        values = dict(config[field])
        if not all(math.isfinite(value) and not isinstance(value, bool) for value in values.values()):
            raise ValueError
        return kind(**values)
    except (TypeError, ValueError, OverflowError):
        known = ", ".join(kind.__dataclass_fields__)  # type: ignore[attr-defined]
        raise WeightsError(f"{file.with_suffix('.json')}: expected in '{field}' the values {known}") from None


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        reason = _first_line(error)
        raise WeightsError(f"{path}: the weights are damaged ({reason}); fetch or train them again") from None


def _network(path: Path, sizes: ScoreMLPConfig, state: dict[str, Tensor], device: torch.device | str) -> ScoreMLP:
    try:
        _check_room(sizes, state)
        net = ScoreMLP(sizes)
    except ValueError as error:
        raise WeightsError(f"{path.with_suffix('.json')}: expected a network in 'network' ({error})") from None
    try:
        net.load_state_dict({key: value.float() for key, value in state.items()}, strict=True)
    except RuntimeError as error:
        first = str(error).strip().splitlines()[1:2] or [type(error).__name__]
        raise WeightsError(f"{path}: the weights do not fit the sizes beside them ({first[0].strip()[:100]})") from None
    if not all(value.isfinite().all() for value in net.state_dict().values()):
        raise WeightsError(f"{path}: the weights hold values that are not finite; fetch or train them again")
    return net.to(device).eval().requires_grad_(False)


def _check_room(sizes: ScoreMLPConfig, state: dict[str, Tensor]) -> None:
    """ValueError when a network of these sizes would be larger than the weights for it, before room is made for it."""
    needed = sizes.width * (2 * sizes.blocks * sizes.width + sizes.time_width) + sizes.time_width**2
    if needed > (found := sum(value.numel() for value in state.values())):
        raise ValueError(f"{needed} weights or more by its sizes, found {found}")


def _sizes_of(path: Path, state: dict[str, Tensor]) -> ScoreMLPConfig:
    try:
        width, flat = state["stem.dense.weight"].shape
        time_width = state["embed.weight"].shape[0]
        blocks = len({key.split(".")[1] for key in state if key.startswith("blocks.")})
        return ScoreMLPConfig(joints=flat // 3, width=width, time_width=time_width, blocks=blocks)
    except KeyError as error:
        raise WeightsError(f"{path}: expected the weights of ZeDO's score network, {error} is missing") from None
    except (ValueError, IndexError):
        raise WeightsError(f"{path}: expected the weights of ZeDO's score network, found other shapes") from None


def _reason(error: Exception) -> str:
    """Why a file could not be read."""
    return next((said for words, said in _ADVICE.items() if words in str(error)), _first_line(error))


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
