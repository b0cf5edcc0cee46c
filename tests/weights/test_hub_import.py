"""`zedo import`: official weights in files become weights with a name."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from zedo_cli.app import app
from zedo_core.errors import WeightsError
from zedo_core.methods.zedo.initial_poses import load_initial_poses
from zedo_core.methods.zedo.prior import load_prior
from zedo_core.weights import find_weights

GOLDEN = Path(__file__).parents[1] / "golden"
CHECKPOINT, CLUSTERS = GOLDEN / "checkpoint_tiny.pth", GOLDEN / "clusters_tiny_4.npy"


def _import(*args: Any) -> Any:
    return CliRunner().invoke(app, ["import", *map(str, args)])


def test_imported_weights_are_those_of_the_checkpoint_and_are_found_by_name(home: Path) -> None:
    done = _import(CHECKPOINT, "--clusters", CLUSTERS, "--name", "paper", "--json")
    assert done.exit_code == 0, done.output
    path = find_weights("paper", "prior")
    assert path == home / "imported" / "paper" == Path(json.loads(done.stdout)["path"])
    assert {file.name for file in path.iterdir()} == {"prior.safetensors", "prior.json", "clusters.npz"}
    prior = load_prior(path)
    official = torch.load(CHECKPOINT, map_location="cpu", weights_only=True)["model_state_dict"]
    torch.testing.assert_close(prior.net.stem.dense.weight, official["module.pre_dense.weight"], rtol=0, atol=0)
    assert sum(value.numel() for value in prior.net.parameters()) == sum(
        value.numel() for name, value in official.items() if "sigmas" not in name
    )
    np.testing.assert_array_equal(load_initial_poses(path)[4], load_initial_poses(CLUSTERS)[4])


def test_a_second_import_of_the_name_replaces_the_first(home: Path) -> None:
    assert _import(CHECKPOINT, "--clusters", CLUSTERS, "--name", "paper").exit_code == 0
    assert _import(CHECKPOINT, "--name", "paper").exit_code == 0
    assert {file.name for file in (home / "imported" / "paper").iterdir()} == {"prior.safetensors", "prior.json"}
    assert [path.name for path in (home / "imported").iterdir()] == ["paper"]


@pytest.mark.parametrize("name", ["../paper", "prior", "", ".hidden", "a/b", "x" * 101, "ümlaut"])
def test_invalid_and_registered_names_are_refused(home: Path, name: str) -> None:
    done = _import(CHECKPOINT, "--name", name)
    assert done.exit_code == 2 and "--name" in done.stderr
    assert not home.exists()


def test_an_invalid_checkpoint_leaves_the_earlier_import(home: Path, tmp_path: Path) -> None:
    assert _import(CHECKPOINT, "--name", "paper").exit_code == 0
    before = (home / "imported" / "paper" / "prior.safetensors").read_bytes()
    (tmp_path / "bad.pth").write_bytes(b"nothing")
    for args in ((tmp_path / "bad.pth",), (CHECKPOINT, "--clusters", CHECKPOINT)):
        done = _import(*args, "--name", "paper")
        assert done.exit_code == 1
        assert done.stderr.startswith("error:") and done.stderr.count("\n") == 1
    assert (home / "imported" / "paper" / "prior.safetensors").read_bytes() == before


def test_a_checkpoint_whose_tensors_are_larger_than_the_file_is_refused(tmp_path: Path) -> None:
    content = torch.load(CHECKPOINT, weights_only=True)
    state = content["model_state_dict"]
    state["module.b1_dense1.weight"] = torch.zeros(1).expand(2**20, 2**20)  # 4 TiB, stored as four bytes
    torch.save({"model_state_dict": state}, tmp_path / "bomb.pth")
    with pytest.raises(WeightsError, match="repeat values"):
        load_prior(tmp_path / "bomb.pth")


def test_a_compressed_checkpoint_is_refused(tmp_path: Path) -> None:
    with (
        zipfile.ZipFile(CHECKPOINT) as old,
        zipfile.ZipFile(tmp_path / "packed.pth", "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            new.writestr(name, old.read(name))
    with pytest.raises(WeightsError, match="compressed"):
        load_prior(tmp_path / "packed.pth")


def test_the_error_for_an_unknown_name_lists_imported_weights() -> None:
    assert _import(CHECKPOINT, "--name", "paper").exit_code == 0
    with pytest.raises(WeightsError, match="known: prior, paper"):
        find_weights("papre", "prior")
