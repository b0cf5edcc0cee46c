"""Weights on disk: a round trip, and files that are refused with one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diff_cases import tiny_net, tiny_weights

import zedo_core as zedo
from zedo_core.errors import WeightsError
from zedo_core.methods.calibration import Calibration
from zedo_core.methods.diff3dhpe.weights import load_weights, save_weights
from zedo_core.skeleton import H36M17
from zedo_core.train.sequences import SequenceOptions


def test_round_trip(tmp_path: Path) -> None:
    net, calibration = tiny_net("seq2frame"), Calibration(error_scale=0.5, joint_power=0.25)
    rates = SequenceOptions(lowest_hz=10, highest_hz=60)
    save_weights(tmp_path, net, H36M17, "mine", rates, calibration, half=False)
    again = load_weights(tmp_path / "diff3dhpe.safetensors")
    assert again.skeleton == H36M17 and again.calibration == calibration and again.name == "mine"
    assert again.rates_hz == (10, 60) and not again.guided and not again.denoiser.training
    for name, value in net.state_dict().items():
        torch.testing.assert_close(again.denoiser.net.state_dict()[name], value)


def changed(key: str, value: Any, part: str | None = None) -> Callable[[dict[str, Any]], None]:
    def change(config: dict[str, Any]) -> None:
        (config if part is None else config[part])[key] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (changed("format", "zedo-erd-1"), "expected format 'zedo-diff3dhpe-1'"),
        (changed("joints", 14, "net"), "9 features of the 17 joints of h36m-17"),
        (changed("guide", {"name": "erd"}), "13 features of the 17 joints of h36m-17"),
        (changed("width", 16, "net"), "fit"),
        (changed("width", 4096, "net"), "fit"),
        (changed("frames", 10**9, "net"), "whole sizes"),
        (changed("heads", "many", "net"), "whole sizes"),
        (changed("attention", "flash", "net"), "grand or plain"),
        (changed("drop_path", "none", "net"), "the sizes"),
        (changed("net", 3), "the sizes"),
        (changed("rates_hz", [30, 12]), "two frame rates"),
        (changed("rates_hz", 30), "diff3dhpe.json"),
        (changed("rates_hz", ["a", "b"]), "diff3dhpe.json"),
        (changed("calibration", []), "the numbers error_scale"),
        (changed("skeleton", "nobody-3"), "nobody-3"),
        (lambda config: config.pop("guide"), "the field 'guide'"),
    ],
)
@pytest.mark.usefixtures("undecorated")
def test_damaged_configs(tmp_path: Path, change: Callable[[dict[str, Any]], None], message: str) -> None:
    path = tiny_weights(tmp_path) / "diff3dhpe.json"
    config = json.loads(path.read_text())
    change(config)
    path.write_text(json.dumps(config))
    with pytest.raises(WeightsError, match=message) as caught:
        load_weights(tmp_path)
    assert "\n" not in str(caught.value)


def test_weights_of_another_method(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="train weights of this method with 'zedo train diff3dhpe'"):
        zedo.load_lifter(tmp_path, method="diff3dhpe")
    erd = Path(zedo.__file__).parent / "assets" / "erd"
    with pytest.raises(WeightsError, match="expected format 'zedo-diff3dhpe-1'"):
        zedo.load_lifter(erd / "erd.safetensors", method="diff3dhpe")
