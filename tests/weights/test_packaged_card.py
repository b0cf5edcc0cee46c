"""The model cards of the packaged weights agree with the files."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

import zedo_core
from zedo_core.methods.erd.weights import load_weights
from zedo_core.methods.zedo.prior import load_prior
from zedo_core.storage.files import sha256_of

ASSETS = Path(zedo_core.__file__).parent / "assets"
FOLDER, ERD = ASSETS / "prior", ASSETS / "erd"
CARD, ERD_CARD = ((folder / "README.md").read_text(encoding="utf-8") for folder in (FOLDER, ERD))


@pytest.mark.parametrize(
    "file",
    [
        FOLDER / "prior.safetensors",
        FOLDER / "clusters.npz",
        FOLDER / "prior.json",
        ERD / "erd.safetensors",
        ERD / "erd.json",
    ],
    ids=lambda file: file.name,
)
def test_hashes_and_sizes(file: Path) -> None:
    card = CARD if file.parent == FOLDER else ERD_CARD
    size, sha256 = re.findall(rf"\| `{re.escape(file.name)}` \|[^|]*\| ([\d ]+) \| `(\w+)` \|", card)[0]
    assert int(size.replace(" ", "")) == file.stat().st_size
    assert sha256 == sha256_of(file)


def test_counts() -> None:
    weights = sum(value.numel() for value in load_prior(FOLDER).net.parameters())
    assert f"{weights:_} weights".replace("_", " ") in CARD
    with np.load(FOLDER / "clusters.npz") as clusters:
        assert f"sets of {', '.join(sorted(clusters, key=int))} initial poses" in CARD


def test_lifting_networks() -> None:
    loaded = load_weights(ERD)
    weights = sum(value.numel() for value in loaded.net.parameters())
    record = json.loads((ERD / "training.json").read_text(encoding="utf-8"))["data"]
    for number in (weights, record["frames"], record["held_out_frames"]):
        assert f"{number:_}".replace("_", " ") in ERD_CARD
    assert record["sha256"] in ERD_CARD
    assert f"{len(loaded.net.regressors)} residual regressor" in ERD_CARD
    for words in ("mocap.cs.cmu.edu", "NSF", "EIA-0196217", "Copyright (c) 2018 Xue Bin Peng", "CC0"):
        assert words in ERD_CARD


def test_data() -> None:
    record = json.loads((FOLDER / "training.json").read_text(encoding="utf-8"))
    data, options = record["data"], record["options"]
    for number in (data["frames"], data["held_out_frames"], data["sequences"], options["steps"]):
        assert f"{number:_}".replace("_", " ") in CARD
    assert data["sha256"] in CARD
    for words in ("mocap.cs.cmu.edu", "NSF", "EIA-0196217", "Copyright (c) 2018 Xue Bin Peng", "CC0"):
        assert words in CARD
