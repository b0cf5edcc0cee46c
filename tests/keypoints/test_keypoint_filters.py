"""Selecting frames and people of keypoints."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from zedo_core.errors import InputError
from zedo_core.keypoints.filters import areas_px2, filter_frames, filter_numbers, filter_people
from zedo_core.skeleton import COCO17
from zedo_core.source.cut import WHOLE, Cut, Moment
from zedo_core.types import Keypoints


def keypoints(frames: int = 6, heights_px: tuple[float, ...] = (100.0, 300.0, 200.0)) -> Keypoints:
    """People with the ids 4, 5 and 6, each in a box whose width is a third of its height."""
    rng = np.random.default_rng(0)
    shape = (frames, len(heights_px), len(COCO17))
    xy = rng.uniform(0, 1, (*shape, 2)) * np.array([1 / 3, 1.0]) * np.array(heights_px)[:, None, None]
    return Keypoints.from_dense(
        xy,
        np.full(shape, 0.9),
        COCO17,
        frame_numbers=np.arange(frames) + 10,
        track_ids=np.arange(len(heights_px)) + 4,
        image_sizes=tuple((640 + t, 480) for t in range(frames)),
        fps=2.0,
    )


def test_numbers_and_times_stay_those_of_the_input() -> None:
    clip = keypoints()
    filtered = filter_frames(clip, Cut(start=Moment(5.5), end=Moment(15, "frame"), every=2))
    assert filtered.frame_numbers.tolist() == [11, 13] and filtered.fps == 2.0
    assert filtered.times_s is not None and filtered.times_s.tolist() == [5.5, 6.5]
    assert filtered.image_sizes == ((641, 480), (643, 480))
    np.testing.assert_array_equal(filtered.dense().xy, clip.dense().xy[[1, 3]])
    assert filter_frames(clip, WHOLE) is clip


def test_times_take_precedence_over_the_rate() -> None:
    uneven = replace(keypoints(4), times_s=np.array([0.0, 0.1, 5.0, 5.1]))
    assert filter_frames(uneven, Cut(start=Moment(4.0))).frame_numbers.tolist() == [12, 13]


def test_invalid_cuts_are_refused() -> None:
    unknown = replace(keypoints(), fps=None)
    with pytest.raises(InputError, match="give frame numbers"):
        filter_frames(unknown, Cut(end=Moment(1.0)))
    assert len(filter_frames(unknown, Cut(every=3)).frame_numbers) == 2
    with pytest.raises(InputError, match=r"no frame .* --start 99f"):
        filter_frames(unknown, Cut(start=Moment(99, "frame")))
    with pytest.raises(InputError, match="none of the requested"):
        filter_numbers(unknown, {1, 2})


@pytest.mark.parametrize(
    ("person", "max_people", "ids"),
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
def test_filter_people(person: str, max_people: int | None, ids: list[int]) -> None:
    filtered = filter_people(keypoints(), person, max_people)
    assert filtered.track_ids.tolist() == ids and len(filtered) == 6 * len(ids)
    clip = keypoints()
    columns = [clip.track_ids.tolist().index(i) for i in ids]
    np.testing.assert_array_equal(filtered.dense().xy, clip.dense().xy[:, columns])


def test_areas_are_summed_over_frames() -> None:
    """The tallest person is seen in only one frame of six."""
    passing = keypoints().take((keypoints().track != 5) | (keypoints().frame == 0))
    assert filter_people(passing, "largest").track_ids.tolist() == [6]


@pytest.mark.parametrize(
    ("person", "max_people"), [("9", None), ("tallest", None), ("-1", None), ("", None), ("all", 0)]
)
def test_invalid_people_are_refused(person: str, max_people: int | None) -> None:
    with pytest.raises(InputError, match="expected"):
        filter_people(keypoints(), person, max_people)


def test_frames_in_which_a_person_is_absent() -> None:
    passing = keypoints().take((keypoints().track != 5) | (keypoints().frame == 0))
    filtered = filter_numbers(passing, {10, 14})
    assert filtered.dense().present.tolist() == [[True, True, True], [True, False, True]]
    assert filter_numbers(passing, {14}).track_ids.tolist() == [4, 6]


def test_areas_are_those_of_the_seen_joints() -> None:
    clip = keypoints(frames=1)
    confidence = clip.confidence.copy()
    confidence[0, 3:], confidence[1] = 0.0, 0.0
    partly_seen = replace(clip, confidence=confidence)
    width, height = np.ptp(clip.xy[0, :3], axis=0)
    np.testing.assert_allclose(areas_px2(partly_seen)[:2], [width * height, 0.0])
    np.testing.assert_allclose(areas_px2(partly_seen)[2], np.prod(np.ptp(clip.xy[2], axis=0)))
