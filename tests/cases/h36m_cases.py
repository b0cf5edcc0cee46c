"""What the tests of Human3.6M share: the forms on disk, and how a message about one that cannot be read looks."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import datasets_h36m as made_of
import numpy as np
import pytest
from datasets_h36m import MPII, NUMBERS, Studio

from zedo_core.data._samples import Samples
from zedo_core.data.h36m import ACTIONS, load
from zedo_core.errors import ZedoError
from zedo_core.skeleton import H36M17

ORDER = {  # subjects as in the data set, actions by its numbers, S11's Directions left out
    "test": (("S9", "Directions 1"), ("S9", "Photo"), ("S9", "Walking 1"), ("S11", "WalkDog")),
    "train": tuple(
        (s, take) for s in ("S1", "S5", "S6", "S7", "S8") for take in ("Directions 1", "Photo", "Walking 1")
    ),
}
PIXEL = 2e-4  # float32 of 1000 px and OpenCV's own undistortion, which takes five steps
METRE = 2e-6  # float32 of some metres
UNKNOWN_TO_MPII = [joint for joint in made_of.JOINTS if joint not in MPII]


def write_videopose(folder: Path, made: Studio) -> None:
    made_of.write_videopose(folder, made)
    made_of.write_json_cameras(folder / "cameras.json", made)


def write_zedo(folder: Path, made: Studio, split: str = "test") -> list[dict[str, Any]]:
    rows = made_of.entries(made)
    made_of.dump(folder / f"h36m_{split}.pkl", rows)
    made_of.dump(folder / "h36m_sh_dt_ft.pkl", {split: made_of.detections(rows)})
    return rows


def check_takes(samples: Samples, made: Studio, split: str, input: str, known: list[int]) -> None:
    """All values of the forms that hold takes; of detections only the joints that are detected."""
    names = [(*take, number) for take in ORDER[split] for number in NUMBERS]
    assert samples.name == "h36m" and samples.actions == ACTIONS and samples.left_out == 0
    assert samples.sequences == tuple("/".join(name) for name in names)
    assert samples.evaluated == H36M17.joints
    lengths = [len(made.takes[subject, take]) for subject, take, _ in names]
    assert samples.sequence.tolist() == np.repeat(np.arange(len(names)), lengths).tolist()
    for i, (subject, take, number) in enumerate(names):
        part = samples.take(np.flatnonzero(samples.sequence == i))
        at = made.lenses[subject][number]
        assert part.frame.tolist() == list(range(lengths[i]))
        assert {ACTIONS[a] for a in part.action} == {take.split()[0]}
        np.testing.assert_allclose(part.joints_cam, at.joints_cam(made.takes[subject, take]), atol=METRE)
        xy = made.undistorted(subject, take, number, input)
        np.testing.assert_allclose(part.xy[:, known], xy[:, known], atol=PIXEL)
        np.testing.assert_allclose(part.K, np.broadcast_to(at.matrix, part.K.shape), rtol=1e-12)
        unknown = [joint for joint in range(17) if joint not in known]
        assert (part.confidence[:, known] == 1).all() and (part.confidence[:, unknown] == 0).all()
        assert np.isfinite(part.xy).all()


def fails(folder: Path, message: str, split: str = "test", input: str = "gt") -> None:
    with pytest.raises(ZedoError) as caught:
        load(folder, split, input)
    text = str(caught.value)
    assert re.search(message, text), text
    assert "\n" not in text and len(text) < 700


def write_npz(path: Path, **arrays: Any) -> None:
    np.savez(path, **arrays)
