"""Files that are not keypoints, or contain invalid values, are refused in one line."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keypoint_cases import cmu_frame, coco_entry, flat, landmarks, mmpose_instance, openpose_frame, pose, two_frames

from zedo_core.errors import FormatError, ZedoError
from zedo_core.keypoints import read_keypoints, write_keypoints
from zedo_core.skeleton import BLAZEPOSE33, BODY25, COCO18
from zedo_core.types import Keypoints

INVALID_VALUES = [None, "1", True, [], [1.0], {}, -1e7, 1e300, float("nan"), float("inf"), 10**400]


@pytest.mark.parametrize("invalid", INVALID_VALUES, ids=lambda value: str(value)[:8])
def test_an_invalid_value_anywhere_leads_to_keypoints_or_a_format_error(write, tmp_path, invalid):
    """The value replaces each value of every JSON format in turn."""
    write_keypoints(two_frames(), tmp_path / "own.json")
    own = json.loads((tmp_path / "own.json").read_text())
    video = [{"frame_id": t, "instances": [mmpose_instance(pose())]} for t in range(2)]
    for document in (
        [coco_entry(0, idx=1), coco_entry("1", idx=1)],
        openpose_frame(pose(BODY25)),
        own,
        {"0.jpg": cmu_frame(pose(COCO18))},
        [mmpose_instance(pose())],
        video,
        {"meta_info": {}, "instance_info": [frame | {"frame_id": frame["frame_id"] + 1} for frame in video]},
        [landmarks(pose(BLAZEPOSE33)).tolist()],
        [[{"x": 0.5, "y": 0.5, "z": 0.0, "visibility": 1.0}] * 33],
        {"frame": 0, "people": [{"id": 1, "keypoints": flat(pose())}], "joints": "coco-17", "image_size": [9, 9]},
    ):
        refused = 0
        for path in _paths(document):
            try:
                read_keypoints(write(_with(document, path, invalid)), picture_size=(640, 480))
            except FormatError:
                refused += 1
        assert refused > 5, document


def _paths(value: Any, path: tuple = ()) -> list[tuple]:
    """The paths to all values in nested JSON; of long lists only the first entries."""
    entries = list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if type(value) is list else []
    return [path] + [inner for key, entry in entries[:9] for inner in _paths(entry, (*path, key))]


def _with(document: Any, path: tuple, value: Any) -> Any:
    if not path:
        return value
    copy = document.copy()
    copy[path[0]] = _with(document[path[0]], path[1:], value)
    return copy


# Files that are not keypoints

KEYS = ["image_id", "keypoints", "idx", "people", "pose_keypoints_2d", "format", "joints", "frames", "track_ids"]
KEYS += ["frame", "bodies", "landmarks", "instance_info", "frame_id", "instances", "keypoint_scores"]
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=4), inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(KEYS),
            inner | st.just([1.0] * 51) | st.just([0.5] * 75) | st.just("zedo-keypoints-1"),
            max_size=6,
        )
    ),
    max_leaves=12,
)


@given(document=JSON_VALUES)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_arbitrary_json_leads_to_keypoints_or_one_line(write, document):
    try:
        assert isinstance(read_keypoints(write(document)), Keypoints)
    except ZedoError as error:
        assert "\n" not in str(error) and "clip.json" in str(error)


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe", b"PK\x03\x04", b"[" * 100_000, b"1" * 10_000, b'"\\ud800"', b"\x93NUMPY", b"[]", b"{}", b"NaN"],
    ids=lambda content: str(content[:6]),
)
def test_other_files_are_refused(tmp_path, content):
    (tmp_path / "clip.json").write_bytes(content)
    with pytest.raises(FormatError, match=r"clip\.json"):
        read_keypoints(tmp_path / "clip.json")


def test_the_error_for_an_unknown_format_describes_the_file_and_lists_the_known_formats(write, tmp_path):
    with pytest.raises(
        FormatError,
        match=r"list of 1.*with the keys 'a', 'b'.*nearest is.*COCO.*npz.*OpenPose.*zedo.s own keypoints.json",
    ):
        read_keypoints(write([{"a": 1, "b": 2}]))
    with pytest.raises(FormatError, match="no such file"):
        read_keypoints(tmp_path / "nothing.json")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FormatError, match="a folder with 0 JSON files"):
        read_keypoints(tmp_path / "empty")
