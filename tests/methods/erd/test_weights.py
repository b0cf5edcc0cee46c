"""Weights on disk: a round trip, and files that are refused with one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from erd_cases import tiny_net, tiny_weights

import zedo_core as zedo
from zedo_core.errors import WeightsError
from zedo_core.methods.calibration import Calibration
from zedo_core.methods.erd.weights import load_weights, save_weights
from zedo_core.skeleton import H36M17, LSP14


def test_round_trip(tmp_path: Path) -> None:
    net, calibration = tiny_net(H36M17, "catproj", 2), Calibration(error_scale=0.5, joint_power=0.25)
    save_weights(tmp_path, net, H36M17, "mine", calibration, half=False)
    again = load_weights(tmp_path / "erd.safetensors")
    assert again.skeleton == H36M17 and again.calibration == calibration and again.name == "mine"
    assert again.net.features == "catproj" and len(again.net.regressors) == 2 and not again.net.training
    for name, value in net.state_dict().items():
        torch.testing.assert_close(again.net.state_dict()[name], value)


def changed(key: str, value: Any, part: str | None = None) -> Callable[[dict[str, Any]], None]:
    def change(config: dict[str, Any]) -> None:
        (config if part is None else config[part])[key] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (changed("format", "zedo-prior-1"), "expected format 'zedo-erd-1'"),
        (changed("joints", 14, "lifter"), "the 17 joints of h36m-17, found 14"),
        (changed("width", 32, "lifter"), "fit"),
        (changed("width", 10**9, "lifter"), "whole sizes"),
        (changed("net", "vit", "lifter"), "one of linear, lcn, semgcn"),
        (changed("modes", "many", "lifter"), "whole sizes"),
        (changed("dropout", "none", "lifter"), "the sizes"),
        (changed("lifter", 3), "the sizes"),
        (changed("features", "both", "descent"), "features among"),
        (changed("count", 3, "descent"), "fits the weights"),
        (changed("count", -1, "descent"), "0 to 100 regressors"),
        (changed("descent", None), "erd.json"),
        (changed("error_scale", -1, "calibration"), "at least 0"),
        (changed("calibration", []), "the numbers error_scale"),
        (changed("skeleton", "nobody-3"), "nobody-3"),
        (lambda config: config.pop("lifter"), "the field 'lifter'"),
    ],
)
@pytest.mark.usefixtures("undecorated")
def test_damaged_configs(tmp_path: Path, change: Callable[[dict[str, Any]], None], message: str) -> None:
    path = tiny_weights(tmp_path) / "erd.json"
    config = json.loads(path.read_text())
    change(config)
    path.write_text(json.dumps(config))
    with pytest.raises(WeightsError, match=message) as caught:
        load_weights(tmp_path)
    assert "\n" not in str(caught.value)


def test_weights_of_another_method(tmp_path: Path) -> None:
    prior = Path(zedo.__file__).parent / "assets" / "prior"
    with pytest.raises(WeightsError, match="no such file; train weights of this method with 'zedo train erd'"):
        zedo.load_lifter(prior, method="erd")
    with pytest.raises(WeightsError, match="expected format 'zedo-erd-1'"):
        zedo.load_lifter(prior / "prior.safetensors", method="erd")
    with pytest.raises(WeightsError, match=r"prior\.safetensors: no such file"):
        zedo.load_lifter(tiny_weights(tmp_path), method="zedo")


def test_another_joint_set(tmp_path: Path) -> None:
    """LSP has no single root; another set's weights are for the joints that they were trained with."""
    path = tiny_weights(tmp_path) / "erd.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps(config | {"skeleton": LSP14.name}))
    with pytest.raises(WeightsError, match="14 joints of lsp-14, found 17"):
        load_weights(tmp_path)
