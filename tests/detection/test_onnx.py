"""Pose models of other projects in ONNX files: where joints lie is known exactly, since the models are made here."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
from detection_cases import apart_px, asset, bus, detect_all, half_bus, nearest, same, turned, video
from onnx import TensorProto
from onnx_cases import codes, constant, dots, movenet_as_simcc, peaks

from zedo_core.detection import DetectedFrame, Detections, Detector, load_detector
from zedo_core.detection.multipose import MultiPose
from zedo_core.detection.session import Model
from zedo_core.detection.ultralytics import UltralyticsDetector
from zedo_core.detection.yolo import letterbox
from zedo_core.errors import MissingExtraError, WeightsError
from zedo_core.skeleton import COCO17, COCO23, HALPE26, Skeleton
from zedo_core.types import Frame

HALF = TensorProto.FLOAT16


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


def simcc(path: Path, *, joints: int = 17, x: float = 0.9, y: float = 0.9, **options) -> Path:
    """A SimCC model of 256 x 192 px that finds the joints on a line in each crop."""
    places = np.linspace(40, 340, joints).astype(int)
    return constant(
        path,
        {"simcc_x": peaks(places, np.full(joints, x), 384), "simcc_y": peaks(places, np.full(joints, y), 512)},
        **options,
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "person.onnx"


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


EMPTY = Frame(image=np.zeros((400, 300, 3), np.uint8), number=1, time_s=0.1)
BEFORE = seen_at(body(COCO17, (100, 150, 160, 210)), EMPTY.size)  # their crop lies inside


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


def yolo_rows(*people: tuple[float, float, float, float, float]) -> np.ndarray:
    """Boxes (centre, size, score), with joints on the diagonal of the box and confidences from 0.2 to 0.9."""
    part = np.linspace(-0.5, 0.5, 17)
    rows = []
    for x, y, width, height, score in people:
        joints = np.stack([x + part * width, y + part * height, np.linspace(0.2, 0.9, 17)], -1)
        rows.append([x, y, width, height, score, *joints.ravel()])
    return np.array(rows).reshape(-1, 56)


def yolo(path: Path, rows: np.ndarray, once: bool = False, size: tuple[int | str, ...] = (640, 640), **options) -> Path:
    """A YOLO model that gives these rows and many that are nobody."""
    rows = np.vstack([np.zeros((200, 56)), rows])
    if once:
        corners = [rows[:, :2] - rows[:, 2:4] / 2, rows[:, :2] + rows[:, 2:4] / 2]
        answer = np.concatenate([*corners, rows[:, 4:5], np.zeros((len(rows), 1)), rows[:, 5:]], 1)[None]
    else:
        answer = rows.T[None]
    return constant(path, {"output0": answer}, (1, 3, *size), **options)


class TestYolo:
    PICTURE = Frame(image=np.zeros((480, 1280, 3), np.uint8), number=0, time_s=0.0)  # seen at half the size

    @pytest.mark.parametrize("kind", [TensorProto.FLOAT, HALF], ids=["float", "half"])
    @pytest.mark.parametrize("once", [False, True], ids=["many", "once"])
    def test_boxes_and_joints_in_the_picture(self, path: Path, once: bool, kind: int) -> None:
        """A picture of 1280 x 480 lies at half its size in the middle of 640 x 640, 200 px from above."""
        detector = load_detector(yolo(path, yolo_rows((200, 300, 40, 80, 0.75)), once, kind=kind))
        found = detector.detect(self.PICTURE)
        np.testing.assert_allclose(found.boxes, [[360, 120, 440, 280]], atol=0.5 if kind == HALF else 1e-3)
        assert found.confidence.tolist() == [0.75]
        assert (detector.skeleton, detector.image_px, detector.name) == (COCO17, 640, "person.onnx")
        wanted = np.stack([np.linspace(360, 440, 17), np.linspace(120, 280, 17), np.linspace(0.2, 0.9, 17)], -1)
        np.testing.assert_allclose(found.joints[0], wanted, atol=0.5 if kind == HALF else 1e-3)

    def test_of_boxes_that_overlap_the_surest_stays(self, path: Path) -> None:
        """By more than 0.7 of their union; others are people of their own unless their joints say otherwise."""
        rows = yolo_rows(
            (100, 300, 40, 80, 0.6), (101, 301, 40, 80, 0.8), (300, 300, 40, 80, 0.5), (500, 300, 9, 9, 0.1)
        )
        found = load_detector(yolo(path, rows)).detect(self.PICTURE)
        assert found.confidence.tolist() == [0.8, 0.5]

    def test_the_same_person_twice_under_boxes_apart(self, path: Path) -> None:
        """A box of half a person passes the overlap; the joints tell."""
        rows = yolo_rows((100, 300, 40, 80, 0.8), (300, 300, 40, 80, 0.5))
        half = rows[:1].copy()
        half[0, 2:5] = 30, 50, 0.7
        found = load_detector(yolo(path, np.vstack([rows, half]))).detect(self.PICTURE)
        assert found.confidence.tolist() == [0.8, 0.5]

    def test_what_lies_outside_the_picture(self, path: Path) -> None:
        """A box ends at the rim; joints beyond were not seen."""
        found = load_detector(yolo(path, yolo_rows((10, 220, 60, 80, 0.8)))).detect(self.PICTURE)
        assert found.boxes.tolist() == [[0, 0, 80, 120]]
        xy = found.joints[0, :, :2]
        outside = (xy < -0.5).any(-1)
        assert 5 < outside.sum() < 12
        np.testing.assert_array_equal(found.joints[0, :, 2] == 0, outside)

    @pytest.mark.parametrize("broken", [np.nan, np.inf])
    def test_what_is_no_number_is_nobody(self, path: Path, broken: float) -> None:
        rows = yolo_rows((100, 300, 40, 80, 0.8), (300, 300, 40, 80, 0.5))
        rows[0, 10] = broken
        assert load_detector(yolo(path, rows)).detect(self.PICTURE).confidence.tolist() == [0.5]

    def test_nobody(self, path: Path) -> None:
        found = load_detector(yolo(path, yolo_rows())).detect(self.PICTURE)
        assert (found.boxes.shape, found.joints.shape) == ((0, 4), (0, 17, 3))

    @pytest.mark.parametrize(
        ("size", "metadata", "px"),
        [
            ((384, 640), {}, 640),
            (("h", "w"), {}, 640),
            (("h", "w"), {"imgsz": "[320, 320]", "stride": "64"}, 320),
            (
                (480, 480),
                {"task": "pose", "kpt_shape": "[17, 3]", "imgsz": "[480, 480]", "names": "{0: 'person'}"},
                480,
            ),
        ],
    )
    def test_sizes(
        self, path: Path, size: tuple[int | str, ...], metadata: dict[str, str], px: int, tmp_path: Path
    ) -> None:
        model = yolo(path, yolo_rows((100, 150, 40, 80, 0.8)), size=size, metadata=metadata)
        detector = load_detector(model)
        assert detector.image_px == px and len(detector.detect(self.PICTURE)) == 1

    @pytest.mark.parametrize("picture", [(1080, 810), (480, 1280), (333, 517), (64, 64), (1, 999)], ids=str)
    @pytest.mark.parametrize("size", [(640, 640), (640, 384)], ids=str)
    @pytest.mark.parametrize("stride_px", [None, 32])
    def test_the_letterbox_is_that_of_ultralytics(
        self, picture: tuple[int, int], size: tuple[int, int], stride_px: int | None
    ) -> None:
        from ultralytics.data.augment import LetterBox

        if stride_px and size[0] != size[1]:
            size = (size[0], size[0])  # ultralytics makes other pictures of these
        image = np.random.default_rng(0).integers(0, 256, (*picture, 3), np.uint8)
        wanted = LetterBox((size[1], size[0]), auto=stride_px is not None, stride=stride_px or 32)(image=image)
        np.testing.assert_array_equal(letterbox(image, size, stride_px).picture, wanted)


class TestExported:
    """The real YOLOv8n-pose, exported by ultralytics itself."""

    @pytest.mark.parametrize("name", ["plain", "dynamic", "once"])
    def test_it_finds_whom_the_model_finds(self, exported: Path, name: str, weights: Path) -> None:
        detector = load_detector(exported / f"{name}.onnx")
        found, wanted = detector.detect(bus()), UltralyticsDetector(weights, image_px=320).detect(bus())
        assert detector.image_px == 320 and len(found) >= 2
        # The model itself sees a picture without so much grey around; only the dynamic one does as well.
        near_px = 0.2 if name == "dynamic" else 3.0
        for row in range(2):  # the men in the middle
            place = np.abs(found.boxes - wanted.boxes[row]).max(-1).argmin()
            assert np.abs(found.boxes[place] - wanted.boxes[row]).max() < 4 * near_px
            assert found.confidence[place] == pytest.approx(wanted.confidence[row], abs=0.05)
            sure = wanted.joints[row, :, 2] > 0.5
            assert sure.sum() > 10
            assert np.median(apart_px(found.joints[place][sure], wanted.joints[row][sure])) < near_px

    def test_a_file_that_was_cut_off(self, exported: Path, path: Path) -> None:
        whole = (exported / "plain.onnx").read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        refused(path, "expected an ONNX model, cannot read it")


def refused(path: Path, message: str, error: type[Exception] = WeightsError) -> str:
    """The one line that says why a file is not taken."""
    with pytest.raises(error, match=message) as caught:
        load_detector(path)
    assert str(caught.value).startswith(f"{path}: expected ") and "\n" not in str(caught.value)
    return str(caught.value)


class TestRefused:
    @pytest.mark.parametrize("content", [b"", b"no model at all", bytes(1000)])
    def test_garbage(self, path: Path, content: bytes) -> None:
        path.write_bytes(content)
        refused(path, "expected an ONNX model, cannot read it")

    @pytest.mark.parametrize("joints", [21, 68, 106])
    def test_simcc_of_other_joints(self, path: Path, joints: int) -> None:
        simcc(path, joints=joints)
        refused(path, rf"17, 26 or 133 joints, got {joints} joints: a model of images \(batch, 3, 256, 192\)")

    @pytest.mark.parametrize(
        ("metadata", "found"),
        [
            ({"task": "detect"}, "task 'detect'"),
            ({"kpt_shape": "[21, 3]"}, r"kpt_shape \[21, 3\]"),
            ({"kpt_shape": "[17, 2]"}, r"kpt_shape \[17, 2\]"),
            ({"imgsz": "[320, 320]"}, r"imgsz \[320, 320\]"),
            ({"imgsz": "wide"}, "imgsz wide"),
            ({"imgsz": "(" * 300}, r"imgsz \(\(\("),
            ({"names": "{0: 'person', 1: 'dog'}"}, "2 classes"),
            ({"stride": "0"}, "stride 0"),
            ({"stride": "wide"}, "stride wide"),
        ],
        ids=str,
    )
    def test_yolo_that_says_something_else(self, path: Path, metadata: dict[str, str], found: str) -> None:
        yolo(path, yolo_rows((100, 300, 40, 80, 0.8)), metadata=metadata)
        refused(path, f"one class and 17 joints, got {found}")

    @pytest.mark.parametrize("metadata", [{"imgsz": "[99999, 99999]"}, {"stride": "99999"}], ids=str)
    def test_yolo_of_sizes_that_fill_the_memory(self, path: Path, metadata: dict[str, str]) -> None:
        yolo(path, yolo_rows((100, 300, 40, 80, 0.8)), size=("h", "w"), metadata=metadata)
        refused(path, "one class and 17 joints, got (imgsz|stride)")

    @pytest.mark.parametrize("shape", [(1, 68, 2100), (1, 84, 8400), (1, 300, 6), (1, 300, 69), (1, 6300, 57)], ids=str)
    def test_yolo_of_other_joints(self, path: Path, shape: tuple[int, ...]) -> None:
        constant(path, {"output0": np.zeros(shape)}, (1, 3, 640, 640))
        refused(path, rf"17 joints, got an output \({shape[1]}, {shape[2]}\) of each picture: a model of images")

    @pytest.mark.parametrize(
        ("answers", "shape"),
        [
            ({"simcc_x": (17, 384), "simcc_y": (17, 512), "simcc_z": (17, 576)}, ("batch", 3, 256, 192)),  # RTMW3D
            ({"simcc_x": (17, 384), "simcc_y": (26, 512)}, ("batch", 3, 256, 192)),
            ({"simcc_x": (17, 384), "simcc_y": (17, 256)}, ("batch", 3, 256, 192)),
            ({"dets": (100, 5), "keypoints": (100, 51)}, (1, 3, 640, 640)),  # RTMO's, flattened
            ({"simcc_x": (17, 384), "simcc_y": (17, 512)}, (4, 3, 256, 192)),  # no batch of one
            ({"output0": (56, 2100)}, (1, 1, 640, 640)),  # grey
            ({"output0": (56, 2100)}, (1, 3, 99999, 99999)),  # would fill the memory
            ({"simcc_x": (17, 384), "simcc_y": (17, 512)}, ("batch", 3, 99999, 99999)),
        ],
    )
    def test_something_else(self, path: Path, answers: dict[str, tuple[int, int]], shape: tuple) -> None:
        constant(path, {name: np.zeros((1, *size)) for name, size in answers.items()}, shape)
        said = refused(path, "expected a SimCC model .* or a YOLO pose model .*, got another: a model of images")
        assert all(f"{name} (" in said for name in answers)

    def test_models_of_this_package(self) -> None:
        """They go by name."""
        refused(
            load_detector("movenet").files[1], r"got another: a model of input:0 \(1, 256, 256, 3\) tensor\(int32\)"
        )

    def test_a_model_that_fails_when_it_runs(self, path: Path) -> None:
        model = onnx.load(str(simcc(path)))
        for value in model.graph.initializer:
            if value.name == "simcc_x_is":
                value.CopyFrom(onnx.numpy_helper.from_array(np.zeros((2, 3, 5, 4), np.float32), "simcc_x_is"))
        del model.graph.output[:]
        model.graph.output.extend(
            onnx.helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("simcc_x", "simcc_y")
        )
        onnx.save(model, str(path))
        refused(path, "expected a SimCC model .* got another")

    @pytest.mark.parametrize("make", [simcc, lambda path: yolo(path, yolo_rows((9, 9, 9, 9, 0.5)))])
    @pytest.mark.parametrize("version", [None, "1.9.0", "1.19.2"])
    def test_without_a_runtime_that_is_new_enough(
        self, path: Path, make: Callable[[Path], Path], version: str | None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        make(path)
        monkeypatch.setitem(sys.modules, "onnxruntime", version and SimpleNamespace(__version__=version))
        wanted = (
            rf"onnxruntime 1\.20 or newer, got {version}" if version else "the package onnxruntime, cannot import it"
        )
        refused(path, f"expected {wanted}.*; pip install '?onnxruntime", MissingExtraError)


class TestSession:
    @pytest.mark.parametrize(("text", "threads"), [("3", 3), ("4,2", 4), ("many", 0), ("", 0), (None, 0)])
    def test_threads(self, path: Path, text: str | None, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
        if text is not None:
            monkeypatch.setenv("OMP_NUM_THREADS", text)
        model = Model(simcc(path), "cpu")
        assert model._session.get_session_options().intra_op_num_threads == threads

    @pytest.mark.parametrize(
        ("device", "there", "used"),
        [("cuda", True, 0), ("cuda:1", True, 1), ("cuda:1", False, None), ("cpu", True, None), ("mps", True, None)],
    )
    def test_device(
        self, path: Path, device: str, there: bool, used: int | None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The GPU that is asked for where that build of onnxruntime is installed, else the CPU."""
        import onnxruntime

        given: list[list] = []
        real = onnxruntime.InferenceSession

        def session(path: Path, options: object, providers: list) -> object:
            given.append(providers)
            return real(path, options, providers=["CPUExecutionProvider"])

        available = [*(["CUDAExecutionProvider"] if there else []), "CPUExecutionProvider"]
        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: available)
        monkeypatch.setattr(onnxruntime, "InferenceSession", session)
        Model(simcc(path), device)
        wanted = [] if used is None else [("CUDAExecutionProvider", {"device_id": used})]
        assert given == [[*wanted, "CPUExecutionProvider"]]


FRESH = """
import sys
heard = []
NETWORK = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "urllib.Request")
sys.addaudithook(lambda event, arguments: heard.append(event) if event in NETWORK + ("subprocess.Popen",) else None)
import numpy as np
from PIL import Image
from zedo_core.detection import load_detector
from zedo_core.types import Frame
frame = Frame(image=np.array(Image.open(sys.argv[1]).convert("RGB")), number=0, time_s=0.0)
for path in sys.argv[2:]:
    print(len(load_detector(path).detect(frame)))
print(*heard, *(name for name in ("torch", "ultralytics", "onnx", "rtmlib") if name in sys.modules))
"""


def test_it_stays_alone_and_silent(path: Path, exported: Path) -> None:
    """No network, no other framework, nothing on stderr."""
    models = [simcc(path), exported / "plain.onnx"]
    command = [sys.executable, "-c", FRESH, str(asset("zidane.jpg")), *map(str, models)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split()[1:] == ["2"]
