"""A YOLO pose model by ultralytics, what ultralytics makes of it, and the path of a model that a test makes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

# In a process of its own: ultralytics changes other packages when it is imported.
MAKE = """
import sys
from pathlib import Path
from ultralytics import YOLO
folder, weights = Path(sys.argv[1]), Path(sys.argv[2]).read_bytes()
for name, form, options in (
    ("plain", "onnx", {"simplify": False}),
    ("dynamic", "onnx", {"simplify": False, "dynamic": True}),
    ("once", "onnx", {"simplify": False, "nms": True}),
    ("person", "openvino", {}),
):
    (folder / f"{name}.pt").write_bytes(weights)
    YOLO(folder / f"{name}.pt").export(format=form, imgsz=320, **options)
YOLO("yolov8n.yaml").save(folder / "boxes.pt")
"""


@pytest.fixture(scope="session")
def weights(shared: Path) -> Path:
    """YOLOv8n-pose."""
    return shared / "assets" / "weights" / "yolov8n-pose-dequantised.pt"


@pytest.fixture(scope="session")
def exported(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with it in ONNX (plain, dynamic, with `nms`) and OpenVINO for 320 px, and a model that finds boxes."""
    folder = tmp_path_factory.mktemp("exported")
    quiet = {"YOLO_OFFLINE": "1", "YOLO_AUTOINSTALL": "0", "YOLO_VERBOSE": "0"}
    command = [sys.executable, "-W", "ignore", "-c", MAKE, str(folder), str(weights)]
    subprocess.run(command, check=True, env=os.environ | quiet, capture_output=True)
    return folder


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a test writes an ONNX model of its own."""
    return tmp_path / "person.onnx"
