"""Detection by a real YOLO pose model on ultralytics' own photographs, and the arithmetic of tracks without one."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zedo_core.detect.tracks import Sighting, as_arrays, drop_noise, join_broken, without_doubles
from zedo_core.detect.ultralytics import Detector, load_detector
from zedo_core.errors import InputError, WeightsError
from zedo_core.skeleton import COCO17
from zedo_core.types import Frame


@pytest.fixture(scope="session")
def detector(shared: Path) -> Detector:
    return load_detector(shared / "assets" / "weights" / "yolov8n-pose-dequantised.pt")


@pytest.fixture(scope="session")
def bus() -> Frame:
    package = find_spec("ultralytics")  # found, not imported: only the detector imports it
    assert package is not None and package.origin is not None
    with Image.open(Path(package.origin).parent / "assets" / "bus.jpg") as picture:
        return Frame(image=np.array(picture.convert("RGB")), number=0, time_s=0.0, name="bus.jpg")


def moved(frame: Frame, number: int, right_px: int) -> Frame:
    return replace(frame, image=np.roll(frame.image, right_px, axis=1), number=number, time_s=number / 10)


def sighting(frame: int, track: int, x: float = 0.0, confidence: float = 0.9) -> Sighting:
    box = np.array([x, 0.0, x + 60.0, 80.0])
    return Sighting(frame=frame, track=track, confidence=confidence, box=box, joints=np.full((17, 3), 0.5))


class TestPhotograph:
    def test_finds_people_largest_first(self, detector: Detector, bus: Frame) -> None:
        found = detector.detect([bus], tracked=False)
        assert found.skeleton == COCO17
        assert found.image_sizes == ((810, 1080),)
        assert 3 <= len(found.track_ids) <= 4
        heights = np.ptp(found.xy[0, :, :, 1], axis=-1)
        assert heights[0] == heights.max()

    def test_joints_lie_where_the_person_stands(self, detector: Detector, bus: Frame) -> None:
        """The man on the left: his nose above his hips above his ankles, in x of 50 to 250 px."""
        found = detector.detect([bus], tracked=False)
        person = next(p for p in found.xy[0] if 50 < p[:, 0].mean() < 200)
        y = [person[COCO17.index(joint), 1] for joint in ("nose", "left_hip", "left_ankle")]
        assert y == sorted(y)
        assert 400 < y[0] < 490 and 800 < y[2] < 900

    def test_colours_are_given_as_the_model_wants_them(self, detector: Detector, bus: Frame) -> None:
        """RGB taken for BGR still finds people, less surely."""
        swapped = replace(bus, image=np.ascontiguousarray(bus.image[..., ::-1]))
        right, wrong = (detector.detect([frame], tracked=False).confidence.mean() for frame in (bus, swapped))
        assert right != wrong

    def test_nobody_gives_no_tracks(self, detector: Detector, bus: Frame) -> None:
        found = detector.detect([replace(bus, image=np.zeros((240, 320, 3), np.uint8))], tracked=False)
        assert found.xy.shape == (1, 0, 17, 2)

    def test_no_frame_is_refused(self, detector: Detector) -> None:
        with pytest.raises(InputError, match="at least one frame"):
            detector.detect([], tracked=True)


class TestTracking:
    def test_ids_stay_and_frames_stream(self, detector: Detector, bus: Frame) -> None:
        seen: list[int] = []
        frames = (moved(bus, number, 6 * number) for number in range(5))
        found = detector.detect(frames, tracked=True, fps=10.0, on_frame=lambda frame: seen.append(frame.number))
        assert seen == [0, 1, 2, 3, 4]
        assert found.track_ids.tolist() == list(range(len(found.track_ids)))
        always = found.present.all(0)
        assert always.sum() >= 3
        way_px = (found.xy[-1, always] - found.xy[0, always])[..., 0]
        assert np.median(way_px) == pytest.approx(24, abs=6)  # joints of a small network jitter by a few pixels
        assert found.times_s is not None and found.fps == 10.0

    def test_a_second_clip_starts_anew(self, detector: Detector, bus: Frame) -> None:
        first, second = (detector.detect([bus, moved(bus, 1, 4)], tracked=True) for _ in range(2))
        np.testing.assert_array_equal(first.xy, second.xy)
        np.testing.assert_array_equal(first.track_ids, second.track_ids)

    def test_a_person_is_there_in_the_first_frame_they_show(self, detector: Detector, bus: Frame) -> None:
        """ByteTrack confirms a new track in its second frame only."""
        empty = replace(bus, image=np.zeros_like(bus.image))
        found = detector.detect([empty, replace(bus, number=1)], tracked=True)
        assert found.present[1].sum() >= 3

    def test_people_of_a_real_clip_keep_their_ids(self, detector: Detector, shared: Path) -> None:
        import av

        with av.open(str(shared / "assets" / "videos" / "two_people" / "demo.mp4")) as video:
            pictures = [picture.to_ndarray(format="rgb24") for picture in video.decode(video=0)][60:120:6]
        frames = [Frame(image=image, number=i, time_s=i / 5) for i, image in enumerate(pictures)]
        found = detector.detect(frames, tracked=True, fps=5.0)
        assert found.present.all() and len(found.track_ids) == 2


class TestWeights:
    def test_missing(self, tmp_path: Path) -> None:
        with pytest.raises(WeightsError, match="no such file"):
            load_detector(tmp_path / "yolov8n-pose.pt")

    def test_garbage(self, tmp_path: Path) -> None:
        path = tmp_path / "detector.pt"
        path.write_bytes(b"no model at all")
        with pytest.raises(WeightsError, match="expected a YOLO pose model"):
            load_detector(path)

    def test_other_suffix(self, tmp_path: Path) -> None:
        path = tmp_path / "yolo.yaml"
        path.write_text("nc: 1\n")
        with pytest.raises(WeightsError, match=r"ends in '\.yaml'"):
            load_detector(path)

    def test_pickle_that_runs_code_is_refused(self, tmp_path: Path) -> None:
        import torch

        path, trace = tmp_path / "evil.pt", tmp_path / "trace"
        torch.save({"model": _Evil(str(trace))}, path)
        with pytest.raises(WeightsError):
            load_detector(path)
        assert not trace.exists()

    def test_detector_without_joints_is_refused(self, detector: Detector, tmp_path: Path) -> None:
        """A model that finds boxes only, made from ultralytics' own description of one."""
        make = "import sys; from ultralytics import YOLO; YOLO('yolov8n.yaml').save(sys.argv[1])"
        path = tmp_path / "boxes.pt"
        quiet = {"YOLO_OFFLINE": "1", "YOLO_AUTOINSTALL": "0", "YOLO_VERBOSE": "0"}
        subprocess.run([sys.executable, "-c", make, str(path)], check=True, env=os.environ | quiet, capture_output=True)
        with pytest.raises(WeightsError, match="task 'detect'"):
            load_detector(path)

    def test_functions_of_other_packages_stay_as_they_were(self, detector: Detector) -> None:
        """ultralytics replaces `PIL.Image.open` for the whole process, and then opening a video as a picture fails."""
        assert Image.open.__module__ == "PIL.Image"


class _Evil:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (self.path,)


class TestTracks:
    def test_a_broken_track_goes_on(self) -> None:
        people = [sighting(0, 7), sighting(1, 7, 10), sighting(4, 9, 40)]
        assert {person.track for person in join_broken(people, max_gap=5)} == {7}

    @pytest.mark.parametrize(
        "other", [sighting(9, 9, 10), sighting(2, 9, 500), sighting(1, 9, 10)], ids=["late", "far", "same frame"]
    )
    def test_another_person_stays_another(self, other: Sighting) -> None:
        people = [sighting(0, 7), sighting(1, 7, 10), other]
        assert {person.track for person in join_broken(people, max_gap=5)} == {7, 9}

    def test_interleaved_pieces_become_one(self) -> None:
        people = [sighting(frame, frame % 3, 5 * frame) for frame in range(9)]
        assert len({person.track for person in join_broken(people, max_gap=2)}) == 1

    def test_short_unsure_tracks_are_noise(self) -> None:
        people = [*(sighting(frame, 1) for frame in range(20)), sighting(3, 2, 300, 0.3), sighting(4, 3, 600, 0.8)]
        assert {person.track for person in drop_noise(people, 20, min_frames=3)} == {1, 3}
        assert {person.track for person in drop_noise(people, 10, min_frames=3)} == {1, 2, 3}

    def test_a_second_find_of_one_person_is_left_out(self) -> None:
        joints = np.random.default_rng(0).uniform(0, 100, (17, 3))
        boxes = np.array([[0, 0, 60, 80], [0, 0, 60, 50], [300, 0, 360, 80.0]])
        assert without_doubles(boxes, np.stack([joints, joints + 2, joints + 300])) == [0, 2]

    def test_ids_follow_the_order_of_appearance(self) -> None:
        _, confidence = as_arrays([sighting(2, 1), sighting(0, 5), sighting(1, 5)], 3, 17)
        assert (confidence > 0).any(-1).tolist() == [[True, False], [True, False], [False, True]]

    def test_what_is_no_joint_becomes_zero(self) -> None:
        joints = np.tile([3.0, 4.0, 0.5], (17, 1))
        joints[0], joints[1, 0], joints[2, 2] = (0, 0, 0), np.nan, 1.0 + 1e-6
        xy, confidence = as_arrays([replace(sighting(0, 0), joints=joints)], 1, 17)
        assert np.isfinite(xy).all() and confidence[0, 0, :3].tolist() == [0.0, 0.0, 1.0]
        assert not xy[0, 0, :2].any()
