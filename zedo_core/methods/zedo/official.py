"""Reading the official ZeDO checkpoint: its keys under our names, and the network's sizes from its shapes."""

from __future__ import annotations

import re
from pathlib import Path

import torch
from torch import Tensor

from zedo_core.errors import WeightsError
from zedo_core.nets.score_mlp import ScoreMLPConfig
from zedo_core.storage.files import check_uncompressed

# Parts of the official checkpoint's keys (after `module.`) and our names for them.
_KEYS = (
    (r"^shared_time_embed\.0\.", "embed."),
    (r"^pre_dense_t\.", "stem.time."),
    (r"^pre_dense\.", "stem.dense."),
    (r"^pre_gnorm\.", "stem.norm."),
    (r"^post_dense\.", "head."),
)
_BLOCK = re.compile(r"^b(\d+)_(dense|gnorm)(\d+)(_t)?\.")

# Words in errors of numpy and torch that advise to trust the file, and the reasons that are reported instead.
_REASONS = {
    "Object arrays": "it holds Python objects",
    "pickled": "it is neither npz nor npy",
    "magic string": "it is neither npz nor npy",
    "Weights only": "it holds more than tensors",
}


def read_official(path: Path) -> tuple[ScoreMLPConfig, dict[str, Tensor]]:
    """Sizes and weights (not averaged, as in the official inference); WeightsError for any other file."""
    try:
        check_uncompressed(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise WeightsError(f"{path}: no such file; expected an official ZeDO checkpoint") from None
    except Exception as error:  # torch raises many kinds of exceptions for damaged files
        reason = reason_of(error)
        raise WeightsError(f"{path}: expected an official ZeDO checkpoint, cannot read it safely ({reason})") from None
    if not isinstance(content, dict) or not isinstance(content.get("model_state_dict"), dict):
        raise WeightsError(f"{path}: expected an official ZeDO checkpoint with 'model_state_dict'")
    tensors = {}
    for key, value in content["model_state_dict"].items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            raise WeightsError(f"{path}: expected tensors by name in 'model_state_dict', found {key!s:.80}")
        name = official_key(key)
        if name is not None:
            tensors[name] = value
    if sum(value.numel() * value.element_size() for value in tensors.values()) > path.stat().st_size:
        raise WeightsError(f"{path}: expected tensors with all their values stored, found some that repeat values")
    return _sizes_of(path, tensors), tensors


def official_key(key: str) -> str | None:
    """Our name for a key of the official checkpoint; None for a tensor that inference does not need (`sigmas`)."""
    key = key.removeprefix("module.")
    if key == "sigmas":
        return None
    for pattern, name in _KEYS:
        key, count = re.subn(pattern, name, key)
        if count:
            return key
    match = _BLOCK.match(key)
    if not match:
        raise WeightsError(f"official checkpoint: key '{key}' is not one of ZeDO's score network")
    block, kind, layer, time = match.groups()
    part = "norm" if kind == "gnorm" else "time" if time else "dense"
    return f"blocks.{int(block) - 1}.{int(layer) - 1}.{part}.{key[match.end() :]}"


def reason_of(error: Exception) -> str:
    """Why numpy or torch could not read a file, in one line."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return next((reason for words, reason in _REASONS.items() if words in str(error)), lines[0])


def _sizes_of(path: Path, tensors: dict[str, Tensor]) -> ScoreMLPConfig:
    try:
        width, flat = tensors["stem.dense.weight"].shape
        time_width = tensors["embed.weight"].shape[0]
        blocks = len({key.split(".")[1] for key in tensors if key.startswith("blocks.")})
        return ScoreMLPConfig(joints=flat // 3, width=width, time_width=time_width, blocks=blocks)
    except KeyError as error:
        raise WeightsError(f"{path}: expected the weights of ZeDO's score network, {error} is missing") from None
    except (ValueError, IndexError):
        raise WeightsError(f"{path}: expected the weights of ZeDO's score network, the shapes do not fit") from None
