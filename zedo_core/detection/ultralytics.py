"""People and their COCO keypoints by a YOLO pose model; the only module that imports ultralytics.

Security: a `.pt` file is a pickle that ultralytics itself loads. It is asked to build known classes only
(ULTRALYTICS_SAFE_LOAD), yet only load detectors you trust. What ultralytics would do on its own is switched off
before it is imported: looking up hosts, analytics, downloads, installing packages, settings in the home folder.
Variables that the user has set (YOLO_*, ULTRALYTICS_SAFE_LOAD) are left as they are.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image

from zedo_core.detection.protocol import DetectedFrame, Detections
from zedo_core.errors import MissingExtraError, WeightsError
from zedo_core.skeleton import COCO17
from zedo_core.types import Frame
from zedo_core.weights import cache_dir

_OPENVINO = "_openvino_model"  # how ultralytics recognises such a folder

FORM = f"a YOLO pose model (.pt or a folder NAME{_OPENVINO})"


def reads(path: Path) -> bool:
    """Whether ultralytics takes what is there for a model."""
    return _form(path) in (".pt", _OPENVINO)


def load(path: Path, device: str) -> UltralyticsDetector:
    """The detector of a model of COCO's 17 joints; see the security note above."""
    return UltralyticsDetector(path, device)


class UltralyticsDetector:
    """A YOLO pose model, read when it is first asked, and where it computes."""

    skeleton = COCO17
    least_confidence = 0.1  # of a box; the tracker goes on with a track at less confidence than it begins one

    def __init__(self, path: Path, device: str = "cpu", image_px: int = 640) -> None:
        self.name, self.image_px = path.name, image_px  # YOLO pose models are trained at 640
        self.files = tuple(sorted(file for file in path.rglob("*") if file.is_file())) if path.is_dir() else (path,)
        self._path = path
        self._device = torch.device(device)

    def detect(self, frame: Frame, before: Sequence[DetectedFrame] = ()) -> Detections:
        """The people of a frame, each once; WeightsError or MissingExtraError when the model cannot be read."""
        result = self._predict(_bgr(frame.image)).cpu().numpy()
        boxes, joints = result.boxes.xyxy.astype(float), result.keypoints.data.astype(float)
        everybody = Detections(boxes=boxes, confidence=result.boxes.conf.astype(float), joints=joints)
        return everybody.without_duplicates().rounded()

    @cached_property
    def _predict(self) -> Callable[[ndarray], Any]:
        """The model as a function of a picture."""
        path, form = self._path, _form(self._path)
        if form == _OPENVINO:
            _need_openvino(path)
        with _ultralytics():
            try:
                model, task, joints, size_px = _opened(path.resolve(), form)
            except Exception as error:  # ultralytics raises nearly anything for a file that is no model
                raise _unreadable(path, error) from None
        if task != "pose" or joints != [len(COCO17), 3]:
            raise WeightsError(
                f"{path}: expected a YOLO pose model with COCO's {len(COCO17)} joints, got task '{task}'"
                + (f" with keypoints {joints}" if joints else "")
            )
        options = {"conf": self.least_confidence, "imgsz": size_px or self.image_px, "device": self._device}

        def predict(bgr: UInt8[ndarray, "height width 3"]) -> Any:
            return model.predict(bgr, **options, verbose=False)[0]

        if form == _OPENVINO:  # ultralytics reads these with the first picture
            try:
                predict(np.zeros((64, 64, 3), np.uint8))
            except Exception as error:
                raise _unreadable(path, error) from None
        return predict


def _bgr(image: UInt8[ndarray, "height width 3"]) -> UInt8[ndarray, "height width 3"]:
    return np.ascontiguousarray(image[..., ::-1])


def _unreadable(path: Path, error: Exception) -> WeightsError:
    reason = str(error).strip().splitlines() or [type(error).__name__]
    return WeightsError(f"{path}: expected a YOLO pose model, cannot read it ({reason[0]})")


def _form(path: Path) -> str:
    """The suffix by which ultralytics tells models apart; empty where there is none."""
    if path.is_dir():
        return _OPENVINO if path.resolve().name.endswith(_OPENVINO) else ""
    return path.suffix.lower() if path.is_file() else ""


def _need_openvino(path: Path) -> None:
    """MissingExtraError unless it is installed: ultralytics would answer with its own words or install it."""
    if importlib.util.find_spec("openvino") is None:
        raise MissingExtraError.of(str(path), "openvino", "openvino")


def _opened(path: Path, form: str) -> tuple[Any, str | None, list[int], tuple[int, int] | None]:
    """The model, its task, the shape of its keypoints, and the (height, width) in px that it was exported for."""
    from ultralytics import YOLO

    if form == ".pt":
        model = YOLO(str(path), verbose=False)
        return model, str(model.task), list(getattr(model.model, "kpt_shape", ())), None
    from ultralytics.nn.backends.base import BaseBackend

    notes = BaseBackend.read_metadata(path)
    size = notes.get("imgsz")
    size_px = (int(size[0]), int(size[1])) if isinstance(size, list) and len(size) == 2 else None
    return YOLO(str(path), task="pose", verbose=False), notes.get("task"), list(notes.get("kpt_shape") or ()), size_px


# What ultralytics does on its own


@contextmanager
def _ultralytics() -> Iterator[None]:
    """ultralytics is imported by then, silent, and what it replaces in other packages is as it was before."""
    ours = _silence()
    places = [(Image, "open"), (cv2, "imread"), (cv2, "imwrite"), (cv2, "imshow"), (torch, "save")]
    real = [getattr(module, name) for module, name in places]
    try:
        with np.printoptions():
            import ultralytics  # noqa: F401

            _switch_off(ours)
            yield
    finally:
        for (module, name), function in zip(places, real, strict=True):
            setattr(module, name, function)


def _silence() -> set[str]:
    """Set the variables that ultralytics reads when it is imported; which of them the user has not set."""
    quiet = {
        "YOLO_OFFLINE": "1",  # no look-up of hosts and, with it, no analytics
        "YOLO_AUTOINSTALL": "0",
        "YOLO_VERBOSE": "0",
        "YOLO_CONFIG_DIR": str(cache_dir() / "ultralytics"),
        "ULTRALYTICS_SAFE_LOAD": "1",
    }
    ours = {name for name, value in quiet.items() if os.environ.get(name, value) == value}
    for name, value in quiet.items():
        os.environ.setdefault(name, value)
    Path(os.environ["YOLO_CONFIG_DIR"]).mkdir(parents=True, exist_ok=True)
    return ours


def _switch_off(ours: set[str]) -> None:
    """The same in an ultralytics that somebody else imported before; in memory, the settings file is the user's."""
    from ultralytics.utils import SETTINGS, checks, events

    if "YOLO_AUTOINSTALL" in ours:
        setattr(checks, "AUTOINSTALL", False)  # noqa: B010, a name that it does not export
    if "YOLO_OFFLINE" in ours:
        events.events.enabled = False
        dict.__setitem__(SETTINGS, "sync", False)
