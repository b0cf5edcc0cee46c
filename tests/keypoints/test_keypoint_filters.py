"""Frames and people that are kept of keypoints."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from zedo_core.errors import InputError
from zedo_core.keypoints.filters import keep_frames, keep_numbers, keep_people
from zedo_core.skeleton import COCO17
from zedo_core.source.cut import WHOLE, Cut, Moment
from zedo_core.types import Keypoints


def keypoints(frames: int = 6, heights_px: tuple[float, ...] = (100.0, 300.0, 200.0)) -> Keypoints:
    """People of ids 4, 5, 6 who stand side by side, each with a box of a third of its height in width."""
    rng = np.random.default_rng(0)
    shape = (frames, len(heights_px), len(COCO17))
    xy = rng.uniform(0, 1, (*shape, 2)) * np.array([1 / 3, 1.0]) * np.array(heights_px)[:, None, None]
    return Keypoints(
        xy=xy,
        confidence=np.full(shape, 0.9),
        skeleton=COCO17,
        frame_numbers=np.arange(frames) + 10,
        track_ids=np.arange(len(heights_px)) + 4,
        image_sizes=tuple((640 + t, 480) for t in range(frames)),
        fps=2.0,
    )


def test_numbers_and_times_stay_those_of_the_input() -> None:
    whole = keypoints()
    kept = keep_frames(whole, Cut(start=Moment(5.5), end=Moment(15, "frame"), every=2))
    assert kept.frame_numbers.tolist() == [11, 13] and kept.fps == 2.0
    assert kept.times_s is not None and kept.times_s.tolist() == [5.5, 6.5]
    assert kept.image_sizes == ((641, 480), (643, 480))
    np.testing.assert_array_equal(kept.xy, whole.xy[[1, 3]])
    assert keep_frames(whole, WHOLE) is whole


def test_own_times_win_over_the_rate() -> None:
    uneven = replace(keypoints(4), times_s=np.array([0.0, 0.1, 5.0, 5.1]))
    assert keep_frames(uneven, Cut(start=Moment(4.0))).frame_numbers.tolist() == [12, 13]


def test_frames_that_cannot_be_told() -> None:
    unknown = replace(keypoints(), fps=None)
    with pytest.raises(InputError, match="give frame numbers"):
        keep_frames(unknown, Cut(end=Moment(1.0)))
    assert len(keep_frames(unknown, Cut(every=3)).frame_numbers) == 2
    with pytest.raises(InputError, match=r"no frame .* --start 99f"):
        keep_frames(unknown, Cut(start=Moment(99, "frame")))
    with pytest.raises(InputError, match="none of the wanted"):
        keep_numbers(unknown, {1, 2})


@pytest.mark.parametrize(
    ("person", "most", "ids"),
    [
        ("all", None, [4, 5, 6]),
        ("largest", None, [5]),
        ("4", None, [4]),
        ("all", 2, [5, 6]),
        ("all", 1, [5]),
        ("all", 9, [4, 5, 6]),
        ("6", 1, [6]),
    ],
)
def test_people(person: str, most: int | None, ids: list[int]) -> None:
    kept = keep_people(keypoints(), person, most)
    assert kept.track_ids.tolist() == ids and kept.xy.shape[1] == kept.confidence.shape[1] == len(ids)
    whole = keypoints()
    np.testing.assert_array_equal(kept.xy, whole.xy[:, [whole.track_ids.tolist().index(i) for i in ids]])


def test_who_is_there_longer_is_larger() -> None:
    """The tall one is seen in one frame of six only."""
    confidence = keypoints().confidence.copy()
    confidence[1:, 1] = 0.0
    passing = replace(keypoints(), confidence=confidence)
    assert keep_people(passing, "largest").track_ids.tolist() == [6]


@pytest.mark.parametrize(("person", "most"), [("9", None), ("tallest", None), ("-1", None), ("", None), ("all", 0)])
def test_people_who_are_not_there(person: str, most: int | None) -> None:
    with pytest.raises(InputError, match="expected"):
        keep_people(keypoints(), person, most)
