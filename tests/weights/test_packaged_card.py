"""The model card of the packaged weights agrees with the files."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

import zedo_core
from zedo_core.methods.zedo.prior import load_prior
from zedo_core.storage.files import sha256_of

FOLDER = Path(zedo_core.__file__).parent / "assets" / "prior"
CARD = (FOLDER / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["prior.safetensors", "clusters.npz", "prior.json"])
def test_hashes_and_sizes(name: str) -> None:
    size, sha256 = re.findall(rf"\| `{re.escape(name)}` \|[^|]*\| ([\d ]+) \| `(\w+)` \|", CARD)[0]
    assert int(size.replace(" ", "")) == (FOLDER / name).stat().st_size
    assert sha256 == sha256_of(FOLDER / name)


def test_counts() -> None:
    weights = sum(value.numel() for value in load_prior(FOLDER).net.parameters())
    assert f"{weights:_} weights".replace("_", " ") in CARD
    with np.load(FOLDER / "clusters.npz") as clusters:
        assert f"sets of {', '.join(sorted(clusters, key=int))} initial poses" in CARD


def test_data() -> None:
    record = json.loads((FOLDER / "training.json").read_text(encoding="utf-8"))
    data, options = record["data"], record["options"]
    for number in (data["frames"], data["held_out_frames"], data["sequences"], options["steps"]):
        assert f"{number:_}".replace("_", " ") in CARD
    assert data["sha256"] in CARD
    for words in ("mocap.cs.cmu.edu", "NSF", "EIA-0196217", "Copyright (c) 2018 Xue Bin Peng", "CC0"):
        assert words in CARD
