"""Detections of a source, kept in a file as they come, so that none is ever made twice.

`detections.jsonl` holds, before any tracking, what the detector found in each frame:

    {"format": "zedo-detections-1", "source": {"name": "clip.mp4", "sha256": "..."},
     "detector": {"name": "yolov8n-pose.pt", "sha256": "..."}, "image_px": 640, "least": 0.1, "joints": "coco-17"}
    {"frame": 0, "time_s": 0.0, "size": [1920, 1080], "people": [{"box": [...], "confidence": 0.9, "keypoints": [...]}]}
    {"done": "--start 10 --every 2", "damaged": {}}

and is called `detections.jsonl.part` until all frames of a run are in it. A line is written when its frame is done, so
that a run that was killed loses one frame at most. The head says what the frames depend on; a file with another head is
not used. Tracks are made anew each time, from the first frame on, by the numbers in the file: a run that was broken
off gives what an unbroken one gives, another tracker or part of the input needs no new detections, and a tracker that
needs the pictures gets them.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from zedo_core.detection.protocol import DetectedFrame, Detections, Detector
from zedo_core.detection.tracking import follow
from zedo_core.errors import OutputError
from zedo_core.source import Source
from zedo_core.source.cut import Cut
from zedo_core.storage.files import sha256_of
from zedo_core.types import Keypoints

NAME = "detections.jsonl"
_FORMAT = "zedo-detections-1"
_NEEDS_PICTURES = ("botsort",)
_KEY = ("format", "image_px", "least", "joints")  # of the head, with the hashes of source and detector

OnFrame = Callable[[int], None]


@dataclass(frozen=True, kw_only=True)
class Detected:
    """Tracks of a source, how many of its frames were detected before, and the pictures that could not be read."""

    keypoints: Keypoints
    reused: int
    damaged: dict[str, str] = field(default_factory=dict)
    file: Path


def detect_in(
    source: Source,
    folder: Path,
    *,
    detector: Detector,
    tracker: str,
    redetect: bool = False,
    on_frame: OnFrame = lambda done: None,
) -> Detected:
    """Find and follow the people of a source, with detections kept in `folder`; see the head of this module.

    The detector is asked about frames that are not known yet only. `redetect` forgets what is there. `on_frame` gets
    the number of frames that are done.
    """
    store = _Store(folder / NAME, _head(source, detector), len(detector.skeleton))
    if redetect:
        store.forget()
    known = {} if redetect else store.read()
    stored = None if tracker in _NEEDS_PICTURES else store.all_of(known, source.cut)
    frames = _detected(source, detector, store, known) if stored is None else stored
    rate = source.fps and source.fps / source.cut.every
    keypoints = follow(_counted(frames, on_frame), detector.skeleton, tracker if source.sequence else "off", fps=rate)
    if stored is None:
        store.finish(source.cut, source.damaged)
    return Detected(
        keypoints=replace(keypoints, fps=source.fps),
        reused=len(keypoints.frame_numbers) - store.added,
        damaged=dict(source.damaged if stored is None else store.damaged(source.cut) | source.damaged),
        file=store.path,
    )


def _counted(frames: Iterator[DetectedFrame], on_frame: OnFrame) -> Iterator[DetectedFrame]:
    for done, frame in enumerate(frames, start=1):
        yield frame
        on_frame(done)


def _detected(
    source: Source, detector: Detector, store: _Store, known: dict[int, DetectedFrame]
) -> Iterator[DetectedFrame]:
    """Each frame with its people and pixels; those that are not known yet are detected and stored."""
    for frame in source:
        detected = known.get(frame.number)
        if detected is None or detected.size != frame.size:
            detected = DetectedFrame.from_frame(frame, detector.detect(frame))
            store.add(detected)
        yield replace(detected, time_s=frame.time_s, image=frame.image)


class _Store:
    """The file: `path` when all frames of a run are in it, `part` while they come."""

    def __init__(self, path: Path, head: dict[str, Any], joints: int) -> None:
        self.path, self._part = path, path.with_name(f"{path.name}.part")
        self._head, self._joints = head, joints
        self.added = 0  # frames
        self._done: dict[str, dict[str, str]] = {}  # the damaged pictures of every cut that is complete
        self._complete = False  # whether what is known is in `path`
        self._is_open = False

    def read(self) -> dict[int, DetectedFrame]:
        """The frames that are known, from a run that was broken off or from the last one that was not."""
        for path in (self._part, self.path):
            lines, whole = _lines(path)
            if lines and _key(lines[0]) == _key(self._head):
                self._complete = path == self.path
                if not self._complete:
                    os.truncate(path, whole)  # a line that was cut off
                self._done = {line["done"]: dict(line["damaged"]) for line in lines[1:] if "done" in line}
                frames = [_frame(line, self._joints) for line in lines[1:]]
                return {frame.number: frame for frame in frames if frame is not None}
            if path == self._part:
                self.forget()  # it is of another source or detector
        return {}

    def forget(self) -> None:
        """Begin anew; the last complete file stays until there is another."""
        self._part.unlink(missing_ok=True)

    def all_of(self, known: dict[int, DetectedFrame], cut: Cut) -> Iterator[DetectedFrame] | None:
        """The frames of a cut when all of them are known for sure, without the pictures; else None."""
        in_order = sorted(known.values(), key=lambda frame: frame.number)
        if str(cut) in self._done or "" in self._done:
            return cut.take(in_order, lambda frame: (frame.number, frame.time_s))
        return None

    def damaged(self, cut: Cut) -> dict[str, str]:
        """The pictures of a complete cut that could not be read."""
        return self._done.get(str(cut), self._done.get("", {}))

    def add(self, frame: DetectedFrame) -> None:
        """Write a frame down."""
        self._append(_line(frame))
        self.added += 1

    def finish(self, cut: Cut, damaged: dict[str, str]) -> None:
        """All frames of the cut are known."""
        if self._is_open or not self.path.exists() or str(cut) not in self._done:
            self._append({"done": str(cut), "damaged": damaged})
            os.replace(self._part, self.path)

    def _append(self, line: dict[str, Any]) -> None:
        try:
            if not self._is_open and not self._part.exists():
                self._begin()
            self._is_open = True
            with open(self._part, "a", encoding="utf-8") as file:
                file.write(json.dumps(line, separators=(",", ":")) + "\n")
        except OSError as error:
            raise OutputError(
                f"{self._part}: writing failed ({error.strerror}); free space or choose another --out"
            ) from None

    def _begin(self) -> None:
        """With what is known of the same source and detector, else with the head alone."""
        if self._complete:
            shutil.copyfile(self.path, self._part)
            os.truncate(self._part, _lines(self.path)[1])
        else:
            self._part.write_text(json.dumps(self._head) + "\n", encoding="utf-8")


def _head(source: Source, detector: Detector) -> dict[str, Any]:
    model = detector.path
    return {
        "format": _FORMAT,
        "source": {"name": source.path.name, "sha256": _digest(source.path, source.files)},
        "detector": {"name": model.name, "sha256": _digest(model, tuple(sorted(model.rglob("*"))))},
        "image_px": detector.image_px,
        "least": detector.least_confidence,
        "joints": detector.skeleton.name,
    }


def _key(head: Any) -> tuple[Any, ...] | None:
    """What has to be the same for frames to be used; None for a line that is no head."""
    try:
        return *(head[name] for name in _KEY), head["source"]["sha256"], head["detector"]["sha256"]
    except (TypeError, KeyError):
        return None


def _digest(path: Path, files: tuple[Path, ...]) -> str:
    """SHA-256 of a file, or of the names and contents of a folder's files."""
    if path.is_file():
        return sha256_of(path)
    everything = sha256()
    for file in files:
        if file.is_file():
            everything.update(f"{file.name}\0{sha256_of(file)}\n".encode())
    return everything.hexdigest()


def _lines(path: Path) -> tuple[list[dict[str, Any]], int]:
    """The lines that are whole, and the bytes that they take."""
    lines, whole = [], 0
    try:
        with open(path, "rb") as file:
            for text in file:
                line = json.loads(text) if text.endswith(b"\n") else None
                if not isinstance(line, dict):
                    break
                lines.append(line)
                whole += len(text)
    except (OSError, ValueError):
        pass
    return lines, whole


def _line(frame: DetectedFrame) -> dict[str, Any]:
    found = frame.detections
    return {
        "frame": frame.number,
        "time_s": frame.time_s if np.isfinite(frame.time_s) else None,
        "size": frame.size,
        "people": [
            {"box": box.tolist(), "confidence": float(confidence), "keypoints": joints.ravel().tolist()}
            for box, confidence, joints in zip(found.boxes, found.confidence, found.joints, strict=True)
        ],
    }


def _frame(line: dict[str, Any], joints: int) -> DetectedFrame | None:
    """A frame out of its line; None for a line of another kind or one that is damaged."""
    try:
        people = line["people"]
        found = Detections(
            boxes=np.array([p["box"] for p in people], float).reshape(-1, 4),
            confidence=np.array([p["confidence"] for p in people], float),
            joints=np.array([p["keypoints"] for p in people], float).reshape(-1, joints, 3),
        )
        time_s = float("nan") if line["time_s"] is None else float(line["time_s"])
        width, height = line["size"]
        return DetectedFrame(number=int(line["frame"]), time_s=time_s, size=(int(width), int(height)), detections=found)
    except (KeyError, TypeError, ValueError):
        return None
