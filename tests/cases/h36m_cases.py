"""Helpers of the tests of Human3.6M: writing the formats, checking samples, and checking error messages."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import datasets_h36m as h36m
import numpy as np
import pytest
from datasets_h36m import MPII, NUMBERS, Studio

from zedo_core.data._samples import Samples
from zedo_core.data.h36m import ACTIONS, load
from zedo_core.errors import ZedoError
from zedo_core.skeleton import H36M17

ORDER = {  # subjects as in the data set, actions by number, without S11's Directions
    "test": (("S9", "Directions 1"), ("S9", "Photo"), ("S9", "Walking 1"), ("S11", "WalkDog")),
    "train": tuple(
        (s, take) for s in ("S1", "S5", "S6", "S7", "S8") for take in ("Directions 1", "Photo", "Walking 1")
    ),
}
PIXEL = 2e-4  # float32 of 1000 px, and five steps of OpenCV's undistortion
METRE = 2e-6  # float32 of a few metres
UNKNOWN_TO_MPII = [joint for joint in h36m.JOINTS if joint not in MPII]


def write_videopose(folder: Path, studio: Studio) -> None:
    h36m.write_videopose(folder, studio)
    h36m.write_json_cameras(folder / "cameras.json", studio)


def write_zedo(folder: Path, studio: Studio, split: str = "test") -> list[dict[str, Any]]:
    rows = h36m.entries(studio)
    h36m.dump(folder / f"h36m_{split}.pkl", rows)
    h36m.dump(folder / "h36m_sh_dt_ft.pkl", {split: h36m.detections(rows)})
    return rows


def check_takes(samples: Samples, studio: Studio, split: str, input: str, known: list[int]) -> None:
    """Check all values of the formats with takes; of detections only the detected joints."""
    names = [(*take, number) for take in ORDER[split] for number in NUMBERS]
    assert samples.name == "h36m" and samples.actions == ACTIONS and samples.left_out == 0
    assert samples.sequences == tuple("/".join(name) for name in names)
    assert samples.evaluated == H36M17.joints
    lengths = [len(studio.takes[subject, take]) for subject, take, _ in names]
    assert samples.sequence.tolist() == np.repeat(np.arange(len(names)), lengths).tolist()
    for i, (subject, take, number) in enumerate(names):
        part = samples.take(np.flatnonzero(samples.sequence == i))
        lens = studio.lenses[subject][number]
        assert part.frame.tolist() == list(range(lengths[i]))
        assert {ACTIONS[a] for a in part.action} == {take.split()[0]}
        np.testing.assert_allclose(part.joints_cam, lens.joints_cam(studio.takes[subject, take]), atol=METRE)
        xy = studio.undistorted(subject, take, number, input)
        np.testing.assert_allclose(part.xy[:, known], xy[:, known], atol=PIXEL)
        np.testing.assert_allclose(part.K, np.broadcast_to(lens.matrix, part.K.shape), rtol=1e-12)
        unknown = [joint for joint in range(17) if joint not in known]
        assert (part.confidence[:, known] == 1).all() and (part.confidence[:, unknown] == 0).all()
        assert np.isfinite(part.xy).all()


def assert_fails(folder: Path, message: str, split: str = "test", input: str = "gt") -> None:
    """Reading fails with the message in one line."""
    with pytest.raises(ZedoError) as caught:
        load(folder, split, input)
    text = str(caught.value)
    assert re.search(message, text), text
    assert "\n" not in text and len(text) < 700


def write_npz(path: Path, **arrays: Any) -> None:
    np.savez(path, **arrays)
