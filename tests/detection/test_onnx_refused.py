"""ONNX files that are not taken, each with one line."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from onnx_cases import constant, simcc, yolo, yolo_rows

from zedo_core.detection import load_detector
from zedo_core.errors import MissingExtraError, WeightsError


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

    def test_a_file_that_was_cut_off(self, exported: Path, path: Path) -> None:
        whole = (exported / "plain.onnx").read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
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
