"""SimCC models of other projects in ONNX files: where joints lie is known exactly, since the models are made here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from detection_cases import apart_px, detect_all, half_bus, nearest, same, turned, video
from onnx import TensorProto
from onnx_cases import HALF, codes, constant, dots, movenet_as_simcc, peaks, simcc

from zedo_core.detection import DetectedFrame, Detections, Detector, load_detector
from zedo_core.detection.multipose import MultiPose
from zedo_core.skeleton import COCO17, COCO23, HALPE26, Skeleton
from zedo_core.types import Frame


def body(skeleton: Skeleton, box: tuple[int, int, int, int]) -> np.ndarray:
    """Places (j, 2) of joints in whole pixels: shoulders above hips, and something at the corners of this box."""
    x, y, right, bottom = box
    across, down = right - x, bottom - y
    rng = np.random.default_rng(len(skeleton))
    places = rng.uniform((x, y), (right, bottom), (len(skeleton), 2)).round().astype(int)
    for name, height in (("shoulder", 0.2), ("hip", 0.5)):
        for side, width in (("left", 0.7), ("right", 0.3)):
            places[skeleton.index(f"{side}_{name}")] = x + round(width * across), y + round(height * down)
    places[0], places[1] = (x, y), (right, bottom)
    return places


def drawn(skeleton: Skeleton, joints: int, places: np.ndarray, size: tuple[int, int], px: int = 1) -> Frame:
    """The second frame of a video with a square dot of a joint's own colour, so many px large, at each place."""
    image = np.zeros((size[1], size[0], 3), np.uint8)
    for (x, y), colour in zip(places, codes(joints)[: len(skeleton)], strict=True):
        image[y - px // 2 : y + (px + 1) // 2, x - px // 2 : x + (px + 1) // 2] = colour
    return Frame(image=image, number=1, time_s=0.1)


def seen_at(places: np.ndarray, size: tuple[int, int]) -> tuple[DetectedFrame]:
    """The frame before, in which somebody showed joints at these places."""
    joints = np.concatenate([places, np.ones((len(places), 1))], -1)[None].astype(float)
    found = Detections(boxes=np.zeros((1, 4)), confidence=np.ones(1), joints=joints)
    return (DetectedFrame(number=0, time_s=0.0, size=size, detections=found),)


EMPTY = Frame(image=np.zeros((400, 300, 3), np.uint8), number=1, time_s=0.1)
BEFORE = seen_at(body(COCO17, (100, 150, 160, 210)), EMPTY.size)  # their crop lies inside


class TestSimCC:
    @pytest.mark.parametrize(("joints", "skeleton"), [(17, COCO17), (26, HALPE26), (133, COCO23)])
    @pytest.mark.parametrize("kind", [TensorProto.FLOAT, HALF], ids=["float", "half"])
    def test_joints_lie_where_they_are_drawn(self, path: Path, joints: int, skeleton: Skeleton, kind: int) -> None:
        """A crop of 192 x 256 px is not resampled; a dot of one pixel is found at that pixel."""
        places = body(skeleton, (340, 203, 440, 367))  # 164 px high: 1.25 * 1.25 of it are 256
        size = (700, 500)
        detector = load_detector(dots(path, joints, kind=kind))
        found = detector.detect(drawn(skeleton, joints, places, size), seen_at(places, size))
        assert detector.skeleton == skeleton and found.joints.shape == (1, len(skeleton), 3)
        np.testing.assert_array_equal(found.joints[0, :, :2], places)
        assert (found.joints[0, :, 2] > 0.9).all() and found.confidence[0] > 0.9
        assert found.boxes.tolist() == [[340, 203, 440, 367]]

    @pytest.mark.parametrize("size", [(256, 192), (384, 288), (256, 256)], ids=str)
    def test_any_fixed_size(self, path: Path, size: tuple[int, int]) -> None:
        """At twice or half the size a dot is found within a pixel of the coarser grid."""
        places = body(COCO17, (300, 300, 500, 700))
        detector = load_detector(dots(path, 17, (1, 3, *size)))
        found = detector.detect(drawn(COCO17, 17, places, (900, 1000), 7), seen_at(places, (900, 1000)))
        assert np.abs(found.joints[0, :, :2] - places).max() <= 3 + 400 * 1.5625 / size[0]

    @pytest.mark.parametrize("quarters", [1, 2, 3])
    def test_somebody_who_lies(self, path: Path, quarters: int) -> None:
        """The crop is turned, or the dots of left and right shoulders were elsewhere; exact as above."""
        places, size = body(COCO17, (340, 203, 440, 367)), (700, 500)
        upright = drawn(COCO17, 17, places, size)
        frame, (width, height) = turned(upright, quarters), size
        for _ in range(quarters):
            places = np.stack([places[:, 1], width - 1 - places[:, 0]], -1)
            width, height = height, width
        found = load_detector(dots(path, 17)).detect(frame, seen_at(places, frame.size))
        np.testing.assert_array_equal(found.joints[0, :, :2], places)

    def test_a_joint_outside_the_picture_is_not_seen(self, path: Path) -> None:
        """The crop reaches over the picture's left; the model says something of it all the same."""
        before = seen_at(body(COCO17, (0, 100, 60, 264)), (300, 400))
        frame = Frame(image=np.zeros((400, 300, 3), np.uint8), number=1, time_s=0.1)
        found = load_detector(simcc(path)).detect(frame, before)
        joints = found.joints[0]
        outside = joints[:, 0] < -0.5
        assert 3 <= outside.sum() <= 14
        np.testing.assert_array_equal(joints[:, 2] == 0, outside)
        assert found.boxes[0, 0] == joints[~outside, 0].min()

    @pytest.mark.parametrize(
        ("x", "y", "confidence"),
        [(0.9, 0.7, 0.7), (0.7, 0.9, 0.7), (1.2, 1.1, 1.0), (8.0, 5.0, 1.0)],
    )
    def test_the_score_is_the_lesser_of_the_two(self, path: Path, x: float, y: float, confidence: float) -> None:
        """As in mmpose; rtmlib takes the mean. Scores above 1, RTMW's, are divided by the largest of a person."""
        found = load_detector(simcc(path, x=x, y=y)).detect(EMPTY, BEFORE)
        assert found.joints[0, :, 2] == pytest.approx(confidence, abs=1e-3)
        assert found.confidence == pytest.approx(confidence, abs=1e-3)

    @pytest.mark.parametrize("score", [0.3, 0.0, -2.0, np.nan])
    def test_nobody(self, path: Path, score: float) -> None:
        found = load_detector(simcc(path, x=score, y=score)).detect(EMPTY, BEFORE)
        assert found.joints.shape == (0, 17, 3)

    @pytest.mark.parametrize("batch", ["batch", 1])
    def test_people_of_a_frame_in_one_batch(
        self, path: Path, batch: int | str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where the model takes that."""
        places = [body(COCO17, (x, 203, x + 100, 367)) for x in (60, 300, 560)]
        frame = drawn(COCO17, 17, np.concatenate(places)[:17], (900, 600))
        image = np.max([drawn(COCO17, 17, one, (900, 600)).image for one in places], axis=0)
        before = seen_at(places[0], frame.size)[0]
        joints = np.stack([seen_at(one, frame.size)[0].detections.joints[0] for one in places])
        three = Detections(boxes=np.zeros((3, 4)), confidence=np.ones(3), joints=joints)
        detector = load_detector(dots(path, 17, (batch, 3, 256, 192)))
        model, batches = detector._network._model, []  # pyright: ignore[reportAttributeAccessIssue]
        run = model._session.run

        def noted(outputs: None, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
            batches.append(len(inputs["images"]))
            return run(outputs, inputs)

        monkeypatch.setattr(model, "_session", SimpleNamespace(run=noted))
        found = detector.detect(replace(frame, image=image), (replace(before, detections=three),))
        assert batches == ([3] if batch == "batch" else [1, 1, 1])
        assert {tuple(box) for box in found.boxes.tolist()} == {(x, 203, x + 100, 367) for x in (60, 300, 560)}

    def test_older_exports_have_no_names(self, path: Path) -> None:
        """x comes first; sizes may be unknown until it runs."""
        places = np.linspace(40, 340, 17).astype(int)
        answers = {"output": peaks(places, np.ones(17), 384), "700": peaks(places, np.ones(17), 512)}
        detector = load_detector(constant(path, answers, named=False))
        wanted = load_detector(simcc(path.with_name("named.onnx"), x=1, y=1)).detect(EMPTY, BEFORE)
        assert len(wanted) == 1 and same(detector.detect(EMPTY, BEFORE), wanted)

    def test_outputs_in_the_other_order(self, path: Path) -> None:
        places = np.linspace(40, 340, 17).astype(int)
        answers = {"simcc_y": peaks(places, np.ones(17), 512), "simcc_x": peaks(places, np.ones(17), 384)}
        wanted = load_detector(simcc(path.with_name("named.onnx"), x=1, y=1)).detect(EMPTY, BEFORE)
        assert len(wanted) == 1 and same(load_detector(constant(path, answers)).detect(EMPTY, BEFORE), wanted)


@pytest.fixture(scope="module")
def as_simcc(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    """A real network behind a SimCC head: MoveNet Thunder."""
    thunder = load_detector("movenet").files[1]
    return load_detector(movenet_as_simcc(tmp_path_factory.mktemp("simcc") / "thunder.onnx", thunder))


class TestTopDown:
    def test_people_of_a_photograph(self, as_simcc: Detector) -> None:
        """Found by MultiPose, and read from other crops where MoveNet itself reads them."""
        found, wanted = as_simcc.detect(half_bus()), load_detector("movenet").detect(half_bus())
        assert len(found) >= 3
        for joints in found.joints:
            at_the_rim = joints[:, 0].max() > 390  # half of the person is outside the picture
            apart = np.median(apart_px(joints, nearest(joints, wanted.joints)))
            assert apart < (6 if at_the_rim else 3)  # a pixel of a crop is 1.25 px

    def test_crops_are_carried_through_a_video(
        self, as_simcc: Detector, shared: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Two people stay two, with somebody small far behind; MultiPose sees the whole picture in few frames."""
        frames = video(shared / "assets" / "videos" / "two_people" / "demo.mp4", 70, 90)
        searches: list[bool] = []
        search = MultiPose.search

        def noted(self: MultiPose, image: np.ndarray, closely: bool) -> Detections:
            searches.append(closely)
            return search(self, image, closely)

        monkeypatch.setattr(MultiPose, "search", noted)
        found = detect_all(as_simcc, frames)
        assert [np.count_nonzero(frame.detections.areas_px2 > 5000) for frame in found] == [2] * 20
        assert searches[0] and len(searches) <= 4 and not any(searches[1:])  # again when the small one is lost

    def test_whom_multipose_alone_sees_gets_the_joints_of_the_set(self, path: Path) -> None:
        """No crop shows anybody, so MultiPose's own poses stay: neck and pelvis between their joints, feet unseen."""
        detector = load_detector(simcc(path, joints=26, x=0.0, y=0.0))
        found = detector.detect(half_bus())
        feet = HALPE26.indices(("left_big_toe", "right_heel"))
        hips = HALPE26.indices(("left_hip", "right_hip"))
        assert len(found) >= 2 and not found.joints[:, feet].any()
        pelvis = found.joints[:, HALPE26.index("pelvis"), :2]
        np.testing.assert_allclose(pelvis, found.joints[:, hips, :2].mean(1), atol=2e-3)  # rounded to 0.001 px

    def test_what_its_detections_depend_on(self, as_simcc: Detector) -> None:
        assert [file.name for file in as_simcc.files] == ["multipose.onnx", "thunder.onnx"]
        assert (as_simcc.name, as_simcc.image_px) == ("thunder.onnx", 512)
