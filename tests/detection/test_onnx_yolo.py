"""YOLO pose models in ONNX files: made here, and exported by ultralytics itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from detection_cases import apart_px, bus
from onnx import TensorProto
from onnx_cases import HALF, yolo, yolo_rows

from zedo_core.detection import load_detector
from zedo_core.detection.ultralytics import UltralyticsDetector
from zedo_core.detection.yolo import letterbox
from zedo_core.skeleton import COCO17
from zedo_core.types import Frame


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
