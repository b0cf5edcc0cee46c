"""MoveNet of the package: who is found in real pictures, how crops are carried through a video, and what it costs."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from detection_cases import (
    apart_px,
    asset,
    bus,
    detect_all,
    half_bus,
    nearest,
    same,
    turned,
    video,
)

from zedo_core.detection import DetectedFrame, Detections, Detector, follow, load_detector
from zedo_core.detection.crops import Part, crop_around, quarters, resized, surroundings, tiles
from zedo_core.detection.movenet import NAMES
from zedo_core.detection.multipose import MultiPose
from zedo_core.skeleton import COCO17
from zedo_core.types import Frame


@pytest.fixture(scope="module")
def movenet() -> Detector:
    return load_detector("movenet")


@pytest.fixture(scope="module")
def found_at_bus(movenet: Detector) -> Detections:
    return movenet.detect(bus())


@pytest.fixture(scope="module")
def walk(shared: Path) -> tuple[Frame, ...]:
    """Somebody who walks on a balance beam, alone."""
    return video(shared / "assets" / "videos" / "balance" / "cam03.mp4", 0, 20)


@dataclass
class Walked:
    """The first frames of `walk` as they were detected, and the parts of pictures in which MultiPose looked."""

    frames: list[DetectedFrame]
    parts: list[Part]


@pytest.fixture(scope="module")
def walked(movenet: Detector, walk: tuple[Frame, ...]) -> Walked:
    with pytest.MonkeyPatch.context() as monkeypatch:
        parts = noted_parts(monkeypatch)
        return Walked(list(detect_all(movenet, walk[:14])), parts)


def noted_parts(monkeypatch: pytest.MonkeyPatch) -> list[Part]:
    """A list to which the parts of pictures are added in which MultiPose looks from now on."""
    parts: list[Part] = []
    look = MultiPose.look

    def noted(search: MultiPose, image: np.ndarray, part: Part, px: int) -> Detections:
        parts.append(part)
        return look(search, image, part, px)

    monkeypatch.setattr(MultiPose, "look", noted)
    return parts


class TestPictures:
    @pytest.mark.parametrize("name", NAMES)
    def test_people_of_a_photograph(self, name: str, found_at_bus: Detections) -> None:
        """The three in front of the bus, each upright, none at the same place as another."""
        found = found_at_bus if name == "movenet" else load_detector(name).detect(bus())
        assert 3 <= len(found) <= 4 and found.joints.shape[1:] == (17, 3)
        middles = (found.boxes[:3, 0] + found.boxes[:3, 2]) / 2
        assert sorted(middles.tolist()) == pytest.approx([130, 290, 765], abs=15)
        for person in found.joints[:3]:
            y = [person[COCO17.index(joint), 1] for joint in ("nose", "right_hip", "right_ankle")]
            assert y == sorted(y) and 430 < y[0] < 500 and 780 < y[2] < 900

    def test_boxes_are_those_of_the_joints_that_are_seen(self, found_at_bus: Detections) -> None:
        for box, joints in zip(found_at_bus.boxes, found_at_bus.joints, strict=True):
            seen = joints[joints[:, 2] > 0, :2]
            assert box.tolist() == [*seen.min(0), *seen.max(0)]

    def test_agrees_with_another_network(self, found_at_bus: Detections, weights: Path) -> None:
        """YOLOv8n-pose finds the joints of the two men in the middle within a twentieth of their height."""
        other = load_detector(weights).detect(bus())
        for joints in found_at_bus.joints[:2]:
            assert np.median(apart_px(joints, nearest(joints, other.joints))) < 20

    def test_a_crowd(self, walk: tuple[Frame, ...], monkeypatch: pytest.MonkeyPatch) -> None:
        """60 times the same person, 200 px high; MultiPose sees six at once."""
        columns = [small(frame) for frame in 3 * walk]
        crowd = np.vstack([np.hstack(columns[row : row + 12]) for row in range(0, 60, 12)])
        parts = noted_parts(monkeypatch)
        found = load_detector("movenet-fast").detect(Frame(image=crowd, number=0, time_s=0.0))
        middles = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2
        places = {(int(x // 110), int(y // 200)) for x, y in middles}
        assert len(places) >= 57 and len(found) <= 62
        assert len(parts) <= 60

    def test_a_joint_outside_the_picture_is_not_seen(
        self, movenet: Detector, walk: tuple[Frame, ...], walked: Walked
    ) -> None:
        """The picture ends at the knees; where the feet must be is no place in it."""
        cut = replace(walk[0], image=walk[0].image[:1000].copy())
        joints = movenet.detect(cut).joints[0]
        feet = COCO17.indices(("left_ankle", "right_ankle"))
        assert not joints[feet, 2].any()
        seen = joints[joints[:, 2] > 0]
        assert len(seen) >= 13 and (seen[:, :2] >= -0.5).all() and (seen[:, 1] <= 999.5).all()
        assert (walked.frames[0].detections.joints[0][feet, 2] > 0).all()

    @pytest.mark.parametrize("size", [(16, 16), (1, 1), (1, 300), (480, 640)], ids=str)
    def test_nobody(self, movenet: Detector, size: tuple[int, int]) -> None:
        found = movenet.detect(Frame(image=np.zeros((*size, 3), np.uint8), number=0, time_s=0.0))
        assert (found.boxes.shape, found.confidence.shape, found.joints.shape) == ((0, 4), (0,), (0, 17, 3))

    def test_a_picture_of_16_px(self, movenet: Detector) -> None:
        assert len(movenet.detect(replace(bus(), image=bus().image[:16, :16].copy()))) == 0

    def test_a_huge_picture_is_searched_in_bounded_tiles(
        self, movenet: Detector, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """People of 400 px in a picture of 12000 x 16000 px, at its rims and in its middle."""
        image, photograph = np.zeros((16000, 12000, 3), np.uint8), bus().image
        for x, y in ((0, 0), (7000, 9000), (12000 - 810, 16000 - 1080)):
            image[y : y + 1080, x : x + 810] = photograph
        parts = noted_parts(monkeypatch)
        found = movenet.detect(Frame(image=image, number=0, time_s=0.0))
        assert len(found) >= 6 and len(parts) <= 40
        assert max(part.width for part in parts[1:]) <= 5000

    def test_a_small_person_in_a_large_picture(
        self, movenet: Detector, walk: tuple[Frame, ...], walked: Walked
    ) -> None:
        """One of 140 px in 8000 x 6000 px: the whole picture at 512 px shows 9 px of them."""
        image = np.full((6000, 8000, 3), 128, np.uint8)
        x, y = 5210, 3333
        image[y : y + 200, x : x + 110] = small(walk[0])
        found = movenet.detect(Frame(image=image, number=0, time_s=0.0))
        assert len(found) == 1
        wanted = walked.frames[0].detections.joints[0].copy()
        wanted[:, :2] = (wanted[:, :2] - (350, 350)) / 5.5 + (x, y)
        assert np.median(apart_px(found.joints[0], wanted)) < 4

    def test_a_crowd_everywhere_costs_a_bounded_search(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Six people in whatever part is looked at."""
        parts: list[Part] = []

        def six(search: MultiPose, image: np.ndarray, part: Part, px: int) -> Detections:
            parts.append(part)
            joints = np.random.default_rng(len(parts)).uniform((0, 0, 0.5), (8000, 6000, 1), (6, 17, 3))
            return Detections(boxes=np.tile([0.0, 0, 8000, 6000], (6, 1)), confidence=np.ones(6), joints=joints)

        monkeypatch.setattr(MultiPose, "look", six)
        MultiPose().search(np.zeros((6000, 8000, 3), np.uint8), True)
        assert len(parts) == 60

    def test_the_same_picture_twice(self, movenet: Detector) -> None:
        first = movenet.detect(half_bus())
        assert len(first) >= 3
        assert same(movenet.detect(half_bus()), first) and same(load_detector("movenet").detect(half_bus()), first)


class TestVideos:
    def test_somebody_is_followed_without_a_search(self, walk: tuple[Frame, ...], walked: Walked) -> None:
        """The crop comes from the frame before; every tenth frame the whole picture is searched."""
        whole = [part for part in walked.parts if (part.width, part.height) == walk[0].size]
        assert len(whole) == 2  # frames 0 and 10

    def test_one_person_in_every_frame(self, walked: Walked) -> None:
        assert [len(frame.detections) for frame in walked.frames] == [1] * 14
        joints = np.stack([frame.detections.joints[0] for frame in walked.frames])
        steps_px = np.linalg.norm(np.diff(joints[..., :2], axis=0), axis=-1)
        assert np.median(steps_px) < 10  # of 770 px, in 1/60 s

    def test_what_comes_out_depends_on_the_frame_and_those_before_only(
        self, movenet: Detector, walk: tuple[Frame, ...], walked: Walked
    ) -> None:
        """Not on what a detector saw before, another picture or none."""
        movenet.detect(half_bus())
        for detector in (movenet, load_detector("movenet")):
            for number in (13, 5, 10):
                found = detector.detect(walk[number], tuple(walked.frames[:number]))
                assert same(found, walked.frames[number].detections)

    def test_somebody_who_lies(self, movenet: Detector, walk: tuple[Frame, ...], walked: Walked) -> None:
        """A frame turned by a quarter, after one in which they lay already: as upright, up to resampling."""
        for quarters_left in (1, 2, 3):
            frame = turned(walk[5], quarters_left)
            last, now = walked.frames[4:6]
            before = replace(last, size=frame.size, detections=turned_people(last, quarters_left))
            found = movenet.detect(frame, (before,))
            wanted = turned_people(now, quarters_left)
            assert len(found) == 1
            assert apart_px(wanted.joints[0], found.joints[0]).max() < 4  # of 770 px

    def test_somebody_who_comes_back_is_found_where_they_were(
        self, movenet: Detector, walk: tuple[Frame, ...], walked: Walked
    ) -> None:
        """Behind something for a frame: nobody is there then, and they are again at once."""
        black = replace(walk[6], image=np.zeros_like(walk[6].image))
        nobody = DetectedFrame.from_frame(black, movenet.detect(black, tuple(walked.frames[:6])))
        assert len(nobody.detections) == 0
        again = movenet.detect(walk[7], (*walked.frames[:6], nobody))
        assert apart_px(again.joints[0], walked.frames[7].detections.joints[0]).max() < 40

    def test_two_people_keep_their_ids(self, movenet: Detector, shared: Path) -> None:
        frames = video(shared / "assets" / "videos" / "two_people" / "demo.mp4", 60, 120, 6)
        found = follow(detect_all(movenet, frames), COCO17, fps=5.0)
        assert found.dense().present.all() and len(found.track_ids) == 2


def small(frame: Frame) -> np.ndarray:
    """The person of a frame of `walk`, 140 px high, in 110 x 200 px: 5.5 times smaller."""
    return cv2.resize(frame.image[350:1450, 350:955], (110, 200), interpolation=cv2.INTER_AREA)


def turned_people(frame: DetectedFrame, quarters_left: int) -> Detections:
    """The people of a frame in the picture turned to the left by quarters."""
    joints, (width, height) = frame.detections.joints.copy(), frame.size
    for _ in range(quarters_left):
        x, y = joints[..., 0].copy(), joints[..., 1].copy()
        joints[..., 0], joints[..., 1] = y, width - 1 - x
        width, height = height, width
    return replace(frame.detections, joints=joints)


class TestCrops:
    JOINTS = np.stack([np.linspace(100, 180, 17), np.linspace(300, 500, 17), np.ones(17)], -1)

    @pytest.mark.parametrize(("aspect", "size"), [(1.0, (250, 250)), (0.75, (188, 250)), (0.25, (100, 400))])
    def test_the_box_of_the_joints_in_the_shape_of_the_network(self, aspect: float, size: tuple[int, int]) -> None:
        """As mmpose extends boxes: one side stays, the other grows."""
        part = crop_around(self.JOINTS, COCO17, aspect, 1.25)
        assert part is not None and (part.width, part.height) == size
        assert (part.x + part.width / 2, part.y + part.height / 2) == pytest.approx((140, 400), abs=0.5)

    def test_of_somebody_who_lies_it_lies_as_well(self) -> None:
        joints = self.JOINTS.copy()
        for name, x, y in (("shoulder", 100, 400), ("hip", 180, 400)):
            joints[COCO17.indices((f"left_{name}", f"right_{name}")), :2] = [[x, y - 10], [x, y + 10]]
        part = crop_around(joints, COCO17, 0.5, 1.0)
        assert part is not None and part.turns == 3 and part.width == 2 * part.height
        assert np.rot90(np.empty((part.height, part.width)), part.turns).shape == (part.width, part.height)

    def test_two_joints_are_too_few(self) -> None:
        joints = self.JOINTS.copy()
        joints[2:, 2] = 0
        assert crop_around(joints, COCO17, 1.0, 1.25) is None

    def test_what_lies_outside_is_black(self) -> None:
        image = np.full((10, 10, 3), 200, np.uint8)
        found = resized(image, Part(-5, 6, 10, 10), 10, 10)
        assert (found[:4, 5:] == 200).all()
        found[:4, 5:] = 0
        assert not found.any()
        assert not resized(image, Part(30, 30, 5, 5), 5, 5).any()

    @pytest.mark.parametrize("size", [(1300, 10), (4000, 3000), (12000, 16000), (16000, 200)], ids=str)
    def test_tiles_cover_a_picture(self, size: tuple[int, int]) -> None:
        width, height = size
        found = tiles(width, height)
        assert 2 <= len(found) <= 30
        for length, spans in (
            (width, sorted({(part.x, part.x + part.width) for part in found})),
            (height, sorted({(part.y, part.y + part.height) for part in found})),
        ):
            assert spans[0][0] == 0 and spans[-1][1] == length
            assert all(a[1] - b[0] >= 0.2 * (a[1] - a[0]) for a, b in pairwise(spans))
        assert tiles(1280, 1024) == []

    def test_quarters_and_surroundings_stay_inside(self) -> None:
        parts = quarters(Part(10, 20, 101, 51))
        assert {(part.x, part.y) for part in parts} == {(10, 20), (50, 20), (10, 40), (50, 40)}
        assert {(part.x + part.width, part.y + part.height) for part in parts} == {
            (71, 51),
            (111, 51),
            (71, 71),
            (111, 71),
        }
        assert surroundings(Part(5, 50, 20, 20), (80, 60)) == Part(0, 30, 45, 50)


FRESH = """
import sys
heard = []
NETWORK = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "urllib.Request")
sys.addaudithook(lambda event, arguments: heard.append(event) if event in NETWORK + ("subprocess.Popen",) else None)
from pathlib import Path
from zedo_core.detection import load_detector
from zedo_core.detection.store import detect_in
from zedo_core.source import open_source
found = detect_in(open_source(sys.argv[1]), Path(sys.argv[2]), detector=load_detector("movenet"))
print(len(found.keypoints), *heard, *(name for name in ("torch", "ultralytics", "onnx") if name in sys.modules))
"""


def test_it_needs_neither_ultralytics_nor_torch_nor_the_network_and_is_silent(tmp_path: Path) -> None:
    """From a picture to keypoints."""
    command = [sys.executable, "-c", FRESH, str(asset("zidane.jpg")), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["2"], "")
