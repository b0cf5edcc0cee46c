"""People and their COCO keypoints by a YOLO pose model; the only module that imports ultralytics.

Security: a `.pt` file is a pickle that ultralytics itself loads. It is asked to build known classes only
(ULTRALYTICS_SAFE_LOAD), yet only load detectors you trust. What ultralytics would do on its own is switched off
before it is imported: looking up hosts, analytics, downloads, installing packages, settings in the home folder.
Variables that the user has set (YOLO_*, ULTRALYTICS_SAFE_LOAD) are left as they are.
"""

from __future__ import annotations

import ast
import importlib.util
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import torch
from numpy import ndarray
from PIL import Image

from zedo_core.detection.tracking import (
    DEFAULT_TRACKER,
    Found,
    Seen,
    Sighting,
    as_arrays,
    check_tracker,
    drop_noise,
    join_broken,
    without_doubles,
)
from zedo_core.errors import InputError, MissingExtraError, WeightsError
from zedo_core.skeleton import COCO17
from zedo_core.types import Frame, Keypoints
from zedo_core.weights import cache_dir

IMAGE_PX = 640  # longer side of what the network sees, the size that YOLO pose models are trained at
UNSURE = 0.1  # trackers also take boxes from here on where they go on with a track
DECIMALS = 3  # of pixels and confidences, so that what was stored and what was just found give one answer
CONFIDENCE = 0.25  # of a new person's box

_MIN_FRAMES = 3  # of a track that was never surely a person, or it is noise
_FRAMES_A_SECOND = 30.0  # assumed when the rate is not known
_OPENVINO = "_openvino_model"  # how ultralytics tells such a folder
_RUNTIMES = {".onnx": ("onnxruntime", "onnx"), _OPENVINO: ("openvino", "openvino")}  # package, and our extra


@dataclass(frozen=True)
class Detector:
    """A loaded YOLO pose model and where it computes; made by `load_detector`."""

    model: Any
    device: torch.device
    image_px: int | tuple[int, int] = IMAGE_PX

    def look(self, frame: Frame, least: float = UNSURE) -> Found:
        """Everybody in one frame whose box has a confidence from `least` on, each once, the surest first."""
        bgr = np.ascontiguousarray(frame.image[..., ::-1])
        options = {"conf": least, "imgsz": self.image_px, "device": self.device, "verbose": False}
        result = self.model.predict(bgr, **options)[0].cpu().numpy()
        boxes, joints = result.boxes.xyxy.astype(float), result.keypoints.data.astype(float)
        everybody = Found(boxes=boxes, confidence=result.boxes.conf.astype(float), joints=joints)
        return everybody.rows(without_doubles(boxes, joints)).rounded(DECIMALS)

    def detect(
        self,
        frames: Iterable[Frame],
        *,
        tracker: str = DEFAULT_TRACKER,
        fps: float | None = None,
        confidence: float = CONFIDENCE,
        on_frame: Callable[[Frame], None] = lambda frame: None,
    ) -> Keypoints:
        """Find and follow the people of each frame (see `follow`); only keypoints are kept, no frame is."""

        def seen() -> Iterator[Seen]:
            for frame in frames:
                found = self.look(frame, min(confidence, UNSURE))
                yield Seen(number=frame.number, time_s=frame.time_s, size=frame.size, found=found, image=frame.image)
                on_frame(frame)

        return follow(seen(), tracker=tracker, fps=fps, confidence=confidence)


def load_detector(path: str | Path, device: str = "cpu") -> Detector:
    """Read a YOLO pose model of COCO's 17 joints: `.pt`, `.onnx`, or a folder of OpenVINO (`NAME_openvino_model`).

    WeightsError when it is none, MissingExtraError when its runtime is not installed. See the security note above.
    """
    path = Path(path)
    form = _form(path)
    if form in _RUNTIMES:
        _need_runtime(path, *_RUNTIMES[form])
    with _ultralytics():
        try:
            model, task, joints, image_px = _opened(path.resolve(), form)
        except Exception as error:  # ultralytics raises nearly anything for a file that is no model
            raise _unreadable(path, error) from None
    if task != "pose" or joints != [len(COCO17), 3]:
        raise WeightsError(
            f"{path}: expected a YOLO pose model with COCO's {len(COCO17)} joints, got task '{task}'"
            + (f" with keypoints {joints}" if joints else "")
        )
    detector = Detector(model, torch.device(device), image_px)
    if form in _RUNTIMES:  # it is read when first used
        try:
            detector.look(Frame(image=np.zeros((64, 64, 3), np.uint8), number=0, time_s=0.0))
        except Exception as error:
            raise _unreadable(path, error) from None
    return detector


def _unreadable(path: Path, error: Exception) -> WeightsError:
    reason = str(error).strip().splitlines() or [type(error).__name__]
    return WeightsError(f"{path}: expected a YOLO pose model, cannot read it ({reason[0]})")


def _form(path: Path) -> str:
    """The suffix by which ultralytics tells models apart; WeightsError for one that zedo does not take."""
    if path.is_dir():
        form = _OPENVINO if path.resolve().name.endswith(_OPENVINO) else "another folder"
    elif path.is_file():
        form = path.suffix.lower()
    else:
        raise WeightsError(f"{path}: no such file; expected a YOLO pose model (.pt, .onnx or NAME{_OPENVINO})")
    if form not in (".pt", *_RUNTIMES):
        found = "another folder" if path.is_dir() else f"a file that ends in '{path.suffix}'"
        raise WeightsError(f"{path}: expected a YOLO pose model (.pt, .onnx or a folder NAME{_OPENVINO}), got {found}")
    return form


def _need_runtime(path: Path, package: str, extra: str) -> None:
    """MissingExtraError unless it is installed: ultralytics would answer with its own words or install it."""
    if importlib.util.find_spec(package) is None:
        raise MissingExtraError(
            f"{path}: expected the package {package}, which is not installed; install it with "
            f"pip install 'zedo[{extra}]'"
        )


def _opened(path: Path, form: str) -> tuple[Any, str | None, list[int], int | tuple[int, int]]:
    """The model, its task, the shape of its keypoints, and the size of pictures that it takes."""
    from ultralytics import YOLO

    if form == ".pt":
        model = YOLO(str(path), verbose=False)
        return model, str(model.task), list(getattr(model.model, "kpt_shape", ())), IMAGE_PX
    from ultralytics.nn.backends.base import BaseBackend

    notes = {name: _literal(value) for name, value in BaseBackend.read_metadata(path).items()}
    fixed = notes.get("imgsz") if not notes.get("dynamic") else None
    image_px = (int(fixed[0]), int(fixed[1])) if isinstance(fixed, list) and len(fixed) == 2 else IMAGE_PX
    return YOLO(str(path), task="pose", verbose=False), notes.get("task"), list(notes.get("kpt_shape") or ()), image_px


def _literal(value: Any) -> Any:
    """A value out of its text; ONNX keeps texts only."""
    try:
        return ast.literal_eval(value) if isinstance(value, str) else value
    except (ValueError, SyntaxError):
        return value


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


# Following people


# How the people of a frame are numbered: (row of `found`, number) of each who is a person.
Numbering = Callable[[Seen], Iterator[tuple[int, int]]]


def follow(
    seen: Iterable[Seen],
    *,
    tracker: str = DEFAULT_TRACKER,
    fps: float | None = None,
    confidence: float = CONFIDENCE,
) -> Keypoints:
    """Tracks of the people seen in frames of which `fps` come in a second; only keypoints are kept.

    `bytetrack` goes by boxes, `botsort` also by how the camera moves, which needs the images; ids are 0, 1, ... in
    order of appearance, and a track of fewer than 3 frames that was never surely a person is taken for noise in a clip
    of more than 10 frames. `off` numbers the people of each frame by falling size of their boxes. `confidence` is the
    least one of a new person's box. Nobody found gives keypoints without tracks; no frame is an InputError.
    """
    number = numbering(tracker, fps=fps, confidence=confidence)
    people: list[Sighting] = []
    taken: list[Seen] = []
    for frame in seen:
        people += _sightings(len(taken), number(frame), frame.found)
        taken.append(_without_pixels(frame))
    if tracker != "off":
        people = drop_noise(join_broken(people, _memory(fps)), len(taken), _MIN_FRAMES)
    return _keypoints(people, taken, fps)


def numbering(tracker: str, *, fps: float | None = None, confidence: float = CONFIDENCE) -> Numbering:
    """A fresh way to number people that remembers those of the frames before; see `follow`."""
    check_tracker(tracker)
    if not 0 < confidence < 1:
        raise InputError(f"expected a detection confidence between 0 and 1, got {confidence:g}")
    if tracker == "off":
        return lambda seen: _by_size(seen.found, confidence)
    return _by_tracker(tracker, confidence, _memory(fps))


def _memory(fps: float | None) -> int:
    """Frames for which a person may be hidden: those of a second."""
    return max(round(fps or _FRAMES_A_SECOND), 2)


def _by_size(found: Found, confidence: float) -> Iterator[tuple[int, int]]:
    areas = np.prod(found.boxes[:, 2:] - found.boxes[:, :2], axis=-1)
    by_size = (row for row in np.argsort(-areas, kind="stable") if found.confidence[row] >= confidence)
    for number, row in enumerate(by_size):
        yield int(row), number


def _by_tracker(name: str, confidence: float, memory: int) -> Numbering:
    """A fresh tracker of ultralytics.

    Its `track` hides a person until a second frame confirms the track, which loses the first frame, and all
    of them when boxes of consecutive frames do not overlap. So the tracker is asked for unconfirmed tracks as well.
    """
    with _ultralytics():
        from ultralytics.engine.results import Boxes
        from ultralytics.trackers import BOTSORT, BYTETracker
        from ultralytics.utils import YAML
        from ultralytics.utils.checks import check_yaml

    options = YAML.load(str(check_yaml(f"{name}.yaml")))
    options |= {"track_high_thresh": confidence, "new_track_thresh": confidence, "track_buffer": memory}
    tracker = (BOTSORT if name == "botsort" else BYTETracker)(SimpleNamespace(**options))

    def number(seen: Seen) -> Iterator[tuple[int, int]]:
        found = seen.found
        rows = np.column_stack([found.boxes, found.confidence, np.zeros(len(found.boxes))]).astype(np.float32)
        tracker.update(Boxes(rows, (seen.size[1], seen.size[0])), None if seen.image is None else _bgr(seen.image))
        for track in tracker.tracked_stracks:
            yield int(track.idx), int(track.track_id)

    return number


def _bgr(image: ndarray) -> ndarray:
    return np.ascontiguousarray(image[..., ::-1])


def _without_pixels(seen: Seen) -> Seen:
    nobody = seen.found.rows([])
    return Seen(number=seen.number, time_s=seen.time_s, size=seen.size, found=nobody)


def _sightings(frame: int, numbers: Iterable[tuple[int, int]], found: Found) -> Iterator[Sighting]:
    for row, track in numbers:
        yield Sighting(
            frame=frame,
            track=track,
            confidence=float(found.confidence[row]),
            box=found.boxes[row],
            joints=found.joints[row],
        )


def _keypoints(people: list[Sighting], taken: list[Seen], fps: float | None) -> Keypoints:
    if not taken:
        raise InputError("expected at least one frame to look for people in, got none")
    xy, confidence = as_arrays(people, len(taken), len(COCO17))
    times_s = np.array([frame.time_s for frame in taken])
    sizes = tuple(frame.size for frame in taken)
    return Keypoints(
        xy=xy,
        confidence=confidence,
        skeleton=COCO17,
        frame_numbers=np.array([frame.number for frame in taken]),
        track_ids=np.arange(confidence.shape[1]),
        image_sizes=sizes[:1] if len(set(sizes)) == 1 else sizes,
        fps=fps,
        times_s=times_s if np.isfinite(times_s).all() else None,
    )
