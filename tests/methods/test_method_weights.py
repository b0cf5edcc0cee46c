"""Weights of every method on disk: round trips, and damaged configs and files of others, refused with one line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diff_cases
import erd_cases
import pytest
import torch

import zedo_core as zedo
from zedo_core.errors import WeightsError
from zedo_core.methods.calibration import Calibration
from zedo_core.methods.diff3dhpe import weights as diff3dhpe
from zedo_core.methods.erd import weights as erd
from zedo_core.methods.zedo.prior import load_prior
from zedo_core.skeleton import H36M17, LSP14
from zedo_core.train.sequences import SequenceOptions

ASSETS = Path(zedo.__file__).parent / "assets"
CALIBRATION = Calibration(error_scale=0.5, joint_power=0.25)


def same_values(a: torch.nn.Module, b: torch.nn.Module) -> None:
    for name, value in a.state_dict().items():
        torch.testing.assert_close(b.state_dict()[name], value)


def test_round_trip_of_erd(tmp_path: Path) -> None:
    net = erd_cases.tiny_net(H36M17, "catproj", 2)
    erd.save_weights(tmp_path, net, H36M17, "mine", CALIBRATION, half=False)
    again = erd.load_weights(tmp_path / "erd.safetensors")
    assert again.skeleton == H36M17 and again.calibration == CALIBRATION and again.name == "mine"
    assert again.net.features == "catproj" and len(again.net.regressors) == 2 and not again.net.training
    same_values(net, again.net)


def test_round_trip_of_diff3dhpe(tmp_path: Path) -> None:
    net, rates = diff_cases.tiny_net("seq2frame"), SequenceOptions(lowest_hz=10, highest_hz=60)
    diff3dhpe.save_weights(tmp_path, net, H36M17, "mine", rates, CALIBRATION, half=False)
    again = diff3dhpe.load_weights(tmp_path / "diff3dhpe.safetensors")
    assert again.skeleton == H36M17 and again.calibration == CALIBRATION and again.name == "mine"
    assert again.rates_hz == (10, 60) and not again.guided and not again.denoiser.training
    same_values(net, again.denoiser.net)


# Of each config: how weights are made in a folder, and how they are read.
METHODS: dict[str, tuple[Callable[[Path], object], Callable[[Path], object]]] = {
    "erd.json": (erd_cases.tiny_weights, erd.load_weights),
    "diff3dhpe.json": (diff_cases.tiny_weights, diff3dhpe.load_weights),
    "prior.json": (lambda folder: shutil.copytree(ASSETS / "prior", folder, dirs_exist_ok=True), load_prior),
}

# Config, the field that is changed (a part of a field after a dot), its value, and what the line says.
DAMAGES: list[tuple[str, str, Any, str]] = [
    ("erd.json", "format", "zedo-prior-1", "expected format 'zedo-erd-1'"),
    ("erd.json", "lifter.joints", 14, "the 17 joints of h36m-17, found 14"),
    ("erd.json", "lifter.width", 32, "fit"),
    ("erd.json", "lifter.width", 10**9, "whole sizes"),
    ("erd.json", "lifter.net", "vit", "one of linear, lcn, semgcn"),
    ("erd.json", "lifter.modes", "many", "whole sizes"),
    ("erd.json", "lifter.dropout", "none", "the sizes"),
    ("erd.json", "lifter", 3, "the sizes"),
    ("erd.json", "lifter", ..., "the field 'lifter'"),
    ("erd.json", "descent.features", "both", "features among"),
    ("erd.json", "descent.count", 3, "fits the weights"),
    ("erd.json", "descent.count", -1, "0 to 100 regressors"),
    ("erd.json", "descent", None, "erd.json"),
    ("erd.json", "calibration.error_scale", -1, "at least 0"),
    ("erd.json", "calibration", [], "the numbers error_scale"),
    ("erd.json", "skeleton", "nobody-3", "nobody-3"),
    ("erd.json", "skeleton", LSP14.name, "14 joints of lsp-14, found 17"),  # a set without a single root
    ("diff3dhpe.json", "format", "zedo-erd-1", "expected format 'zedo-diff3dhpe-1'"),
    ("diff3dhpe.json", "net.joints", 14, "9 features of the 17 joints of h36m-17"),
    ("diff3dhpe.json", "guide", {"name": "erd"}, "13 features of the 17 joints of h36m-17"),
    ("diff3dhpe.json", "guide", ..., "the field 'guide'"),
    ("diff3dhpe.json", "net.width", 16, "fit"),
    ("diff3dhpe.json", "net.width", 4096, "fit"),
    ("diff3dhpe.json", "net.frames", 10**9, "whole sizes"),
    ("diff3dhpe.json", "net.heads", "many", "whole sizes"),
    ("diff3dhpe.json", "net.attention", "flash", "grand or plain"),
    ("diff3dhpe.json", "net.drop_path", "none", "the sizes"),
    ("diff3dhpe.json", "net", 3, "the sizes"),
    ("diff3dhpe.json", "rates_hz", [30, 12], "two frame rates"),
    ("diff3dhpe.json", "rates_hz", 30, "diff3dhpe.json"),
    ("diff3dhpe.json", "rates_hz", ["a", "b"], "diff3dhpe.json"),
    ("diff3dhpe.json", "calibration", [], "the numbers error_scale"),
    ("diff3dhpe.json", "skeleton", "nobody-3", "nobody-3"),
    ("prior.json", "skeleton", ["h36m-17"], "skeleton"),
    ("prior.json", "skeleton", 17, "skeleton"),
    ("prior.json", "skeleton", None, "skeleton"),
    ("prior.json", "skeleton", "martian-9", "martian-9"),
    ("prior.json", "skeleton", ..., "the fields network, sde and skeleton"),
    ("prior.json", "name", ["prior"], "'name'"),
    ("prior.json", "name", 5, "'name'"),
    ("prior.json", "network.dropout", "much", "network"),
    ("prior.json", "network.dropout", 2.0, "network"),
    ("prior.json", "sde.beta_min", "little", "sde"),
    ("prior.json", "sde.beta_max", float("nan"), "sde"),
    ("prior.json", "sde.beta_max", None, "sde"),
]


@pytest.mark.usefixtures("undecorated")
@pytest.mark.parametrize(("name", "field", "value", "message"), DAMAGES, ids=str)
def test_damaged_configs(tmp_path: Path, name: str, field: str, value: Any, message: str) -> None:
    make, load = METHODS[name]
    make(tmp_path)
    path, (*part, key) = tmp_path / name, field.split(".")
    config = json.loads(path.read_text())
    fields = config[part[0]] if part else config
    if value is ...:
        del fields[key]
    else:
        fields[key] = value
    path.write_text(json.dumps(config))
    with pytest.raises(WeightsError, match=message) as caught:
        load(tmp_path)
    line = str(caught.value)
    assert line.startswith(f"{tmp_path}/{path.stem}.") and "expected" in line and "\n" not in line
    assert len(line) < (300 if name == "prior.json" else 400)  # the others say all sizes


@pytest.mark.parametrize(
    ("method", "path", "message"),
    [
        ("erd", "prior", r"erd\.safetensors: no such file; train weights of this method with 'zedo train erd'"),
        ("erd", "prior/prior.safetensors", "expected format 'zedo-erd-1'"),
        ("diff3dhpe", "prior", r"diff3dhpe\.safetensors: .*train weights of this method with 'zedo train diff3dhpe'"),
        ("diff3dhpe", "erd/erd.safetensors", "expected format 'zedo-diff3dhpe-1'"),
        ("zedo", "erd", r"prior\.safetensors: no such file"),
    ],
)
def test_weights_of_another_method(method: str, path: str, message: str) -> None:
    with pytest.raises(WeightsError, match=message):
        zedo.load_lifter(ASSETS / path, method=method)
