"""zedo's own npz and JSON of keypoints: exact round trips, and errors in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keypoint_cases import flat, pose, two_frames

from zedo_core.errors import FormatError, OutputError
from zedo_core.keypoints import read_keypoints, write_keypoints
from zedo_core.skeleton import COCO17, HALPE26, SKELETONS, Skeleton
from zedo_core.types import Keypoints

# npz


def save_npz(folder: Path, **arrays: Any) -> Path:
    defaults = {"keypoints": np.stack([pose(), pose(x=110)]), "joints": "coco-17"}
    entries = {name: value for name, value in (defaults | arrays).items() if value is not None}
    np.savez(folder / "clip.npz", allow_pickle=True, **entries)
    return folder / "clip.npz"


def test_npz_with_everything(tmp_path):
    values = np.stack([pose(HALPE26), pose(HALPE26, 500)])[None].repeat(3, axis=0).astype(np.float32)
    path = save_npz(
        tmp_path,
        keypoints=values,
        joints="Halpe26",
        image_size=(640, 480),
        fps=30,
        frame_numbers=[2, 4, 9],
        track_ids=[8, 3],
        times_s=[0.0, 0.1, 0.2],
        K=np.eye(3),
    )
    keypoints = read_keypoints(path)
    np.testing.assert_array_equal(keypoints.dense().xy, values[:, ::-1, :, :2])
    assert (keypoints.skeleton, keypoints.image_sizes, keypoints.fps) == (HALPE26, ((640, 480),), 30.0)
    assert (keypoints.frame_numbers.tolist(), keypoints.track_ids.tolist()) == ([2, 4, 9], [3, 8])
    assert keypoints.times_s is not None and keypoints.times_s.tolist() == [0.0, 0.1, 0.2]


def test_npz_missing_joint_may_be_nan(tmp_path):
    values = np.stack([pose(), pose()])
    values[1, COCO17.index("left_ear")] = np.nan, np.nan, 0
    keypoints = read_keypoints(save_npz(tmp_path, keypoints=values))
    assert keypoints.xy[1, COCO17.index("left_ear")].tolist() == [0, 0]
    values[1, COCO17.index("left_ear"), 2] = 0.5
    with pytest.raises(FormatError, match="frame 1, person 1, joint left_ear"):
        read_keypoints(save_npz(tmp_path, keypoints=values))


@pytest.mark.parametrize(
    ("arrays", "match"),
    [
        ({"joints": None}, "'joints'"),
        ({"joints": "coco-99"}, "coco-99.*expected one of"),
        ({"joints": 17}, "'joints'"),
        ({"joints": "halpe-26"}, r"expected \(t, 26, 3\)"),
        ({"keypoints": np.zeros(3)}, "keypoints: expected numbers with 3 axes"),
        ({"keypoints": np.full((2, 17, 3), "1")}, "keypoints: expected numbers"),
        ({"keypoints": np.full((2, 17, 3), None)}, "not a readable npz"),
        ({"keypoints": np.full((2, 17, 3), 2.0)}, "frame 0, person 1, joint nose.*confidence 2"),
        ({"image_size": (640, 0)}, "image_size"),
        ({"image_size": (640, 480, 3)}, "image_size"),
        ({"image_size": [(1, 2)] * 3}, "1 or 2 image sizes, got 3"),
        ({"fps": -1}, "fps"),
        ({"fps": np.nan}, "fps"),
        ({"fps": "30"}, "fps"),
        ({"frame_numbers": [1, 1]}, "increase"),
        ({"frame_numbers": [1]}, "frame_numbers: expected 2"),
        ({"track_ids": [1.5]}, "whole numbers"),
        ({"times_s": [0.0]}, "2 frame times"),
    ],
)
def test_npz_errors(tmp_path, arrays, match):
    with pytest.raises(FormatError, match=match):
        read_keypoints(save_npz(tmp_path, **arrays))


def test_damaged_npz_leads_to_keypoints_or_one_line(tmp_path):
    content, rng = save_npz(tmp_path).read_bytes(), np.random.default_rng(0)
    refused = 0
    for _ in range(200):
        damaged = bytearray(content)
        for position in rng.integers(len(damaged), size=3):
            damaged[position] = rng.integers(256)
        (tmp_path / "clip.npz").write_bytes(damaged[: rng.integers(len(damaged) // 2, 2 * len(damaged))])
        try:
            read_keypoints(tmp_path / "clip.npz")
        except FormatError:
            refused += 1
    assert refused > 100


# zedo's own JSON


def random_keypoints(rng: np.random.Generator, t: int, p: int, skeleton: Skeleton, known: bool) -> Keypoints:
    """Keypoints with gaps, and values with 3 decimals as in the file."""
    confidence = rng.random((t, p, len(skeleton))).round(3) * (rng.random((t, p, 1)) > 0.3)
    xy = rng.uniform(-100, 4000, (t, p, len(skeleton), 2)).round(3) * (confidence[..., None] > 0)
    return Keypoints.from_dense(
        xy,
        confidence,
        skeleton,
        frame_numbers=np.cumsum(rng.integers(1, 5, t)),
        track_ids=rng.permutation(20)[:p],
        image_sizes=((640, 480),) * int(rng.choice([1, max(t, 1)])) if known else None,
        fps=29.97 if known else None,
        times_s=rng.random(t) if known and t else None,
    )


@given(
    seed=st.integers(0, 2**32 - 1),
    t=st.integers(0, 4),
    p=st.integers(0, 3),
    skeleton=st.sampled_from(list(SKELETONS.values())),
    known=st.booleans(),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_results_round_trip_exactly(tmp_path, seed, t, p, skeleton, known):
    keypoints = random_keypoints(np.random.default_rng(seed), t, p, skeleton, known)
    write_keypoints(keypoints, tmp_path / "keypoints.json")
    found = read_keypoints(tmp_path / "keypoints.json")
    for name in ("frame", "track", "xy", "confidence", "frame_numbers", "times_s"):
        np.testing.assert_array_equal(getattr(found, name), getattr(keypoints, name), err_msg=name)
    for name in ("skeleton", "image_sizes", "fps"):
        assert getattr(found, name) == getattr(keypoints, name)


def test_a_file_in_place_of_the_folder_is_reported(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        write_keypoints(two_frames(), tmp_path / "file" / "keypoints.json")


def test_the_error_for_a_newer_version_names_it(write):
    with pytest.raises(FormatError, match=r"zedo-keypoints-9.*update"):
        read_keypoints(write({"format": "zedo-keypoints-9"}))


def test_ids_of_people_who_never_appear(write):
    """Files of older versions list them; dense arrays of this many tracks and frames would take 8 GB."""
    person = {"track": 0, "keypoints": flat(pose())}
    document = {
        "format": "zedo-keypoints-1",
        "joints": "coco-17",
        "track_ids": list(range(20_000)),
        "frames": [{"frame": i, "people": [person]} for i in range(1000)],
    }
    keypoints = read_keypoints(write(document))
    assert keypoints.track_ids.tolist() == [0] and len(keypoints) == 1000
    document["frames"][7]["people"] = [person | {"track": 20_000}]
    with pytest.raises(FormatError, match=r"frames\[7\].*track 20000 is not among the track_ids at the top"):
        read_keypoints(write(document))


def test_results_list_the_ids_of_people_who_appear(tmp_path):
    keypoints = two_frames()
    write_keypoints(keypoints.take(keypoints.frame == 1), tmp_path / "keypoints.json")
    document = json.loads((tmp_path / "keypoints.json").read_text())
    assert document["track_ids"] == [1]
    assert [[person["track"] for person in frame["people"]] for frame in document["frames"]] == [[], [1]]
    write_keypoints(keypoints.take(slice(0)), tmp_path / "keypoints.json")
    assert json.loads((tmp_path / "keypoints.json").read_text())["track_ids"] == []
