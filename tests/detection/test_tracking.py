"""From detections to tracks: who goes on, who is new, who is noise; on people made up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from detection_cases import detected, people

from zedo_core.detection import DetectedFrame, Detections, as_keypoints, follow
from zedo_core.detection.tracking import noise_tracks
from zedo_core.errors import InputError
from zedo_core.skeleton import COCO17


class TestFollow:
    def test_somebody_who_was_away_goes_on(self) -> None:
        found = follow([detected(0, 0), detected(1, 10), detected(4, 60)], COCO17, fps=10.0)
        assert found.track.tolist() == [0, 0, 0]

    @pytest.mark.parametrize(
        "other", [detected(29, 60), detected(12, 500), detected(12, 10, 60)], ids=["late", "far", "same frame"]
    )
    def test_another_person_stays_another(self, other: DetectedFrame) -> None:
        found = follow([detected(10, 0), detected(11, 10), other], COCO17, fps=10.0)
        assert found.track_ids.tolist() == [0, 1]
        assert found.frame[found.track == 1].tolist() == [2]

    def test_a_person_is_there_in_the_first_frame_they_show(self) -> None:
        found = follow([detected(0), detected(1, 0, 300), detected(2, 0, 300)], COCO17)
        assert found.dense().present.tolist() == [[False, False], [True, True], [True, True]]

    def test_ids_follow_the_order_of_appearance(self) -> None:
        found = follow([detected(0, 500), detected(1, 500), detected(2, 0)], COCO17, fps=10.0)
        assert found.dense().present.tolist() == [[True, False], [True, False], [False, True]]

    def test_who_is_not_sure_goes_on_but_does_not_begin(self) -> None:
        frames = [detected(0, 300, confidence=0.2), detected(1, 0), detected(2, 5, confidence=0.2)]
        found = follow(frames, COCO17)
        assert (found.frame.tolist(), found.track.tolist()) == ([1, 2], [0, 0])

    def test_short_unsure_tracks_are_noise(self) -> None:
        track, confidence = np.array([1] * 20 + [2, 3]), np.array([0.9] * 20 + [0.3, 0.8])
        assert noise_tracks(track, confidence, 20).tolist() == [2]
        assert noise_tracks(track, confidence, 10).tolist() == []
        clip = [detected(number, 0) for number in range(20)]
        clip[3] = replace(clip[3], detections=detected(3, 0, 300, confidence=0.3).detections)
        clip[4] = replace(clip[4], detections=detected(4, 0, 600, confidence=0.8).detections)
        found = follow(clip, COCO17, fps=10.0)
        assert [rows.stop - rows.start for _, rows in found.tracks] == [20, 1] and found.frame[-1] == 4

    @pytest.mark.parametrize(("fps", "people"), [(30.0, 1), (1.0, 2), (None, 1)])
    def test_frames_without_times_come_at_the_rate(self, fps: float | None, people: int) -> None:
        """Three frames without anybody are three seconds at one frame a second."""
        frames = [
            replace(frame, time_s=np.nan) for frame in (detected(0, 0), *map(detected, (1, 2, 3)), detected(4, 0))
        ]
        found = follow(frames, COCO17, fps=fps)
        assert len(found.track_ids) == people and found.times_s is None

    def test_without_tracking_the_largest_comes_first(self) -> None:
        small, large = detected(0, 0).detections, detected(0, 300, 600).detections
        boxes = np.concatenate([small.boxes, large.boxes + np.array([[0, 0, 20, 20], [0, 0, 10, 10]])])
        found = Detections(boxes=boxes, confidence=np.array([0.9, 0.8, 0.2]), joints=people(0, 300, 600))
        frames = [replace(detected(number), detections=found) for number in range(2)]
        both = follow(frames, COCO17, track=False)
        assert both.track.tolist() == [0, 0, 1, 1]  # one is not sure enough
        assert both.xy[:, 0, 0].tolist() == [300, 300, 0, 0]

    @pytest.mark.parametrize("track", [True, False])
    def test_nobody(self, track: bool) -> None:
        found = follow([detected(0), detected(1)], COCO17, track=track)
        assert found.xy.shape == (0, 17, 2) and found.frame_numbers.tolist() == [0, 1]

    def test_no_frame_is_refused(self) -> None:
        with pytest.raises(InputError, match="at least one frame"):
            follow([], COCO17)


class TestKeypoints:
    def test_what_is_no_joint_becomes_zero(self) -> None:
        joints = np.tile([3.0, 4.0, 0.5], (1, 17, 1))
        joints[0, 0], joints[0, 1, 0], joints[0, 2, 2] = (0, 0, 0), np.nan, 1.0 + 1e-6
        frame = detected(0, 0)
        found = as_keypoints([replace(frame, detections=replace(frame.detections, joints=joints))], [0], COCO17, None)
        assert np.isfinite(found.xy).all() and found.confidence[0, :3].tolist() == [0.0, 0.0, 1.0]
        assert not found.xy[0, :2].any()

    def test_who_shows_no_joint_has_no_row(self) -> None:
        frame = detected(0, 0, 300)
        joints = frame.detections.joints * np.array([1.0, 0.0])[:, None, None]
        found = as_keypoints(
            [replace(frame, detections=replace(frame.detections, joints=joints))], [5, 3], COCO17, None
        )
        assert found.track.tolist() == [5]


class TestDetections:
    def test_a_second_find_of_one_person_is_left_out(self) -> None:
        """Half of them, though surer, and again in a tile; somebody beside them is somebody else."""
        whole, other = people(0, 40)
        half, again = whole + np.array([2, 2, 0]), whole + np.array([-1, 2, -0.1])
        half[9:, 2] = 0
        boxes = np.array([[0, 0, 60, 50], [0, 0, 60, 80], [40, 0, 100, 80.0], [0, 0, 60, 80]])
        joints = np.stack([half, whole, other, again])
        found = Detections(boxes=boxes, confidence=np.array([0.95, 0.9, 0.7, 0.6]), joints=joints)
        assert found.without_duplicates().confidence.tolist() == [0.9, 0.7]

    def test_parts_of_a_frame_are_joined_surest_first(self) -> None:
        found = Detections.from_parts(detected(0, 0, 100, confidence=0.5).detections, detected(0, 200).detections)
        assert found.confidence.tolist() == [0.9, 0.5, 0.5] and found.joints[:, 0, 0].tolist() == [200, 0, 100]

    def test_rounded(self) -> None:
        """As they are stored, without what is no number."""
        found = detected(0, 1 / 3).detections
        found.joints[0, 4, 1] = np.inf
        rounded = found.rounded()
        assert rounded.joints[0, 0].tolist() == [0.333, 0, 0.5] and rounded.joints[0, 4].tolist() == [0, 0, 0]
        np.testing.assert_array_equal(rounded.rounded().boxes, rounded.boxes)
