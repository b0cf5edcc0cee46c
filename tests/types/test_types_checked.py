"""What the types that are passed between the stages refuse, each with one line."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from row_cases import PINHOLE, make_keypoints, make_poses, with_value

from zedo_core.errors import InputError
from zedo_core.skeleton import COCO17, H36M17
from zedo_core.types import Keypoints


@pytest.mark.usefixtures("undecorated")
@pytest.mark.parametrize("make", [make_keypoints, make_poses])
@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"frame": np.array([0, 2, 1, 1, 2])}, "expected rows sorted by track, then by frame"),
        ({"track": np.array([9, 9, 9, 4, 4])}, "expected rows sorted by track, then by frame"),
        ({"frame": np.array([0, 1, 1, 1, 2])}, "each person once per frame; sort them with `in_order`"),
        ({"frame": np.array([0, 1, 3, 1, 2])}, "expected frames from 0 to 2, got 0 to 3"),
        ({"frame": np.array([-1, 1, 2, 1, 2])}, "expected frames from 0 to 2, got -1 to 2"),
        ({"frame_numbers": np.arange(2)}, "expected frames from 0 to 1, got 0 to 2"),
        ({"track": np.array([4, 4, 9, 9])}, r"tracks \(n,\) and frame numbers \(t,\), got \(5,\), \(4,\) and \(3,\)"),
        ({"frame_numbers": np.zeros((3, 1), int)}, r"got \(5,\), \(5,\) and \(3, 1\)"),
        ({"times_s": np.zeros(2)}, r"expected 3 frame times, got \(2,\)"),
    ],
)
def test_invalid_rows_are_refused(make, fields, match):
    with pytest.raises(InputError, match=match) as caught:
        make(**fields)
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("undecorated")
@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"xy": np.zeros((5, 16, 2))}, r"xy \(n, 17, 2\)"),
        ({"skeleton": H36M17, "confidence": np.zeros((5, 16))}, "of h36m-17"),
        ({"fps": 0.0}, "a frame rate above 0, got 0"),
        ({"fps": np.inf}, "a frame rate above 0, got inf"),
        ({"image_sizes": ((1, 1), (1, 1))}, "1 or 3 image sizes, got 2"),
        ({"xy": with_value(make_keypoints().xy, np.nan)}, "frame 11, person 9, joint left_knee is not a finite number"),
        ({"confidence": with_value(make_keypoints().confidence, np.inf)}, "joint left_knee"),
        ({"confidence": with_value(make_keypoints().confidence, 1.5)}, r"0\.\.1, found 1\.5"),
        ({"confidence": with_value(make_keypoints().confidence, -0.25)}, r"0\.\.1, found -0\.25"),
    ],
)
def test_invalid_keypoints_are_refused(fields, match):
    with pytest.raises(InputError, match=match):
        make_keypoints(**fields)


@pytest.mark.usefixtures("undecorated")
@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"score": np.zeros((5, 4))}, "do not fit 5 rows of h36m-17"),
        ({"joints": np.zeros((5, len(H36M17), 3))}, "do not fit 5 rows"),
        ({"filled": np.zeros(4, bool)}, "do not fit 5 rows"),
        ({"cameras": (PINHOLE,) * 2}, "1 or 3 cameras, got 2"),
        ({"chosen": np.array([0, 1, 3, 0, 0])}, "chosen hypotheses from 0 to 2, got 0 to 3"),
        ({"chosen": np.array([0, 1, -1, 0, 0])}, "chosen hypotheses from 0 to 2, got -1 to 1"),
    ],
)
def test_invalid_poses_are_refused(fields, match):
    with pytest.raises(InputError, match=match):
        make_poses(**fields)


@pytest.mark.usefixtures("undecorated")
@pytest.mark.parametrize(
    ("xy", "confidence", "fields", "match"),
    [
        ((3, 17, 2), (3, 17), {}, r"expected xy \(t, p, j, 2\) and confidence \(t, p, j\), got \(3, 17, 2\)"),
        ((3, 2, 17, 2), (3, 2, 16), {}, r"and \(3, 2, 16\)"),
        ((3, 2, 17, 2), (3, 2, 17), {"track_ids": np.arange(3)}, r"expected 2 track ids, got \(3,\)"),
        ((3, 2, 17, 2), (3, 2, 17), {"frame_numbers": np.arange(2)}, "expected frames from 0 to 1, got 0 to 2"),
        ((3, 2, 17, 2), (3, 2, 17), {"track_ids": np.array([4, 4])}, "each person once per frame"),
    ],
)
def test_invalid_dense_arrays_are_refused(xy, confidence, fields, match):
    with pytest.raises(InputError, match=match):
        Keypoints.from_dense(np.ones(xy), np.ones(confidence), COCO17, **fields)


def test_fields_cannot_be_assigned():
    for value in (make_keypoints(), make_poses()):
        with pytest.raises(FrozenInstanceError):
            setattr(value, "fps", 1.0)  # noqa: B010  (an assignment would not pass the type checker)
