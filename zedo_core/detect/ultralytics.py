"""People and their COCO keypoints by a YOLO pose model; the only module that imports ultralytics.

Security: a `.pt` file is a pickle that ultralytics itself loads. It is asked to build known classes only
(ULTRALYTICS_SAFE_LOAD), yet only load detectors you trust. What ultralytics would do on its own is switched off
before it is imported: looking up hosts, analytics, downloads, installing packages, settings in the home folder.
Variables that the user has set (YOLO_*, ULTRALYTICS_SAFE_LOAD) are left as they are.
"""

from __future__ import annotations

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
from jaxtyping import Float
from numpy import ndarray
from PIL import Image

from zedo_core.detect.tracks import Sighting, as_arrays, drop_noise, join_broken, without_doubles
from zedo_core.errors import InputError, WeightsError
from zedo_core.hub import cache_dir
from zedo_core.skeleton import COCO17
from zedo_core.types import Frame, Keypoints

_IMAGE_SIZE = 640  # px of the longer side of what the network sees, the size that YOLO pose models are trained at
_UNSURE = 0.1  # ByteTrack also takes boxes from here on where they go on with a track
_FRAMES_A_SECOND = 30.0  # assumed when the rate is not known


@dataclass(frozen=True)
class Detector:
    """A loaded YOLO pose model and where it computes; made by `load_detector`."""

    model: Any
    device: torch.device

    def detect(
        self,
        frames: Iterable[Frame],
        *,
        tracked: bool,
        fps: float | None = None,
        confidence: float = 0.25,
        min_frames: int = 3,
        on_frame: Callable[[Frame], None] = lambda frame: None,
    ) -> Keypoints:
        """Find the people of each frame; only keypoints are kept, no frame is.

        `tracked` follows people from frame to frame (ByteTrack): ids are 0, 1, ... in order of appearance, and a track
        of fewer than `min_frames` frames that was never surely a person is taken for noise in a clip of more than 10
        frames. Otherwise the people of each frame are numbered by falling size of their boxes. `confidence` is the
        least one of a new person's box. Nobody found gives keypoints without tracks; no frame is an InputError.
        """
        if not 0 < confidence < 1:
            raise InputError(f"expected a detection confidence between 0 and 1, got {confidence:g}")
        memory = max(round(fps or _FRAMES_A_SECOND), 2)  # a person may be hidden for a second
        number = _by_tracker(confidence, memory) if tracked else _by_size
        people: list[Sighting] = []
        taken: list[_Taken] = []
        for frame in frames:
            boxes, joints = self._predict(frame, min(confidence, _UNSURE) if tracked else confidence)
            people += _sightings(len(taken), number(boxes), boxes, joints)
            taken.append(_Taken(frame.number, frame.time_s, frame.size))
            on_frame(frame)
        if tracked:
            people = drop_noise(join_broken(people, memory), len(taken), min_frames)
        return _keypoints(people, taken, fps)

    def _predict(self, frame: Frame, confidence: float) -> tuple[Any, Float[ndarray, "p j 3"]]:
        """Boxes (in ultralytics' own form, on the CPU) and joints of everybody in one frame."""
        bgr = np.ascontiguousarray(frame.image[..., ::-1])
        result = self.model.predict(bgr, conf=confidence, imgsz=_IMAGE_SIZE, device=self.device, verbose=False)[0]
        boxes, joints = result.boxes.cpu().numpy(), result.keypoints.data.cpu().numpy().astype(float)
        rows = without_doubles(boxes.xyxy.astype(float), joints)
        return boxes[rows], joints[rows]


def load_detector(path: str | Path, device: str = "cpu") -> Detector:
    """Read a YOLO pose model (`.pt`, COCO's 17 joints); WeightsError when it is none. See the security note above."""
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"{path}: no such file; expected a YOLO pose model (.pt)")
    if path.suffix != ".pt":
        raise WeightsError(f"{path}: expected a YOLO pose model (.pt), got a file that ends in '{path.suffix}'")
    _silence_ultralytics()
    with _patches_undone():
        from ultralytics import YOLO

    try:
        model = YOLO(str(path.resolve()), verbose=False)
        task, joints = model.task, list(getattr(model.model, "kpt_shape", ()))
    except Exception as error:  # ultralytics raises nearly anything for a file that is no model
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise WeightsError(f"{path}: expected a YOLO pose model, cannot read it ({reason[0]})") from None
    if task != "pose" or joints != [len(COCO17), 3]:
        raise WeightsError(
            f"{path}: expected a YOLO pose model with COCO's {len(COCO17)} joints, got task '{task}'"
            + (f" with keypoints {joints}" if joints else "")
        )
    return Detector(model, torch.device(device))


@dataclass(frozen=True)
class _Taken:
    """What is kept of a frame."""

    number: int
    time_s: float
    size: tuple[int, int]


def _silence_ultralytics() -> None:
    quiet = {
        "YOLO_OFFLINE": "1",  # no look-up of hosts and, with it, no analytics
        "YOLO_AUTOINSTALL": "0",
        "YOLO_VERBOSE": "0",
        "YOLO_CONFIG_DIR": str(cache_dir() / "ultralytics"),
        "ULTRALYTICS_SAFE_LOAD": "1",
    }
    for name, value in quiet.items():
        os.environ.setdefault(name, value)
    Path(os.environ["YOLO_CONFIG_DIR"]).mkdir(parents=True, exist_ok=True)


@contextmanager
def _patches_undone() -> Iterator[None]:
    """Put back the functions of Pillow, OpenCV and torch that ultralytics replaces for all when it is imported."""
    places = [(Image, "open"), (cv2, "imread"), (cv2, "imwrite"), (cv2, "imshow"), (torch, "save")]
    real = [getattr(module, name) for module, name in places]
    with np.printoptions():
        yield
    for (module, name), function in zip(places, real, strict=True):
        setattr(module, name, function)


# How the people of a frame are numbered: yields (row of the boxes, number).
_Numbering = Callable[[Any], Iterator[tuple[int, int]]]


def _by_size(boxes: Any) -> Iterator[tuple[int, int]]:
    areas = boxes.xywh[:, 2] * boxes.xywh[:, 3]
    for number, row in enumerate(np.argsort(-areas, kind="stable")):
        yield int(row), number


def _by_tracker(confidence: float, memory: int) -> _Numbering:
    """A fresh ByteTrack.

    ultralytics' `track` hides a person until a second frame confirms the track, which loses the first frame, and all
    of them when boxes of consecutive frames do not overlap. So the tracker is asked for unconfirmed tracks as well.
    """
    from ultralytics.trackers import BYTETracker
    from ultralytics.utils import YAML
    from ultralytics.utils.checks import check_yaml

    options = YAML.load(str(check_yaml("bytetrack.yaml")))
    options |= {"track_high_thresh": confidence, "new_track_thresh": confidence, "track_buffer": memory}
    tracker = BYTETracker(SimpleNamespace(**options))

    def number(boxes: Any) -> Iterator[tuple[int, int]]:
        tracker.update(boxes)
        for track in tracker.tracked_stracks:
            yield int(track.idx), int(track.track_id)

    return number


def _sightings(
    frame: int, numbers: Iterable[tuple[int, int]], boxes: Any, joints: Float[ndarray, "p j 3"]
) -> Iterator[Sighting]:
    for row, track in numbers:
        yield Sighting(
            frame=frame,
            track=track,
            confidence=float(boxes.conf[row]),
            box=boxes.xyxy[row].astype(float),
            joints=joints[row],
        )


def _keypoints(people: list[Sighting], taken: list[_Taken], fps: float | None) -> Keypoints:
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
