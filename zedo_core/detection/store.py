"""Detections of a source, kept in a file as they come, so that none is ever made twice.

`detections.jsonl` holds, before any tracking, what the detector found in each frame:

    {"format": "zedo-detections-1", "source": {"name": "clip.mp4", "sha256": "..."},
     "detector": {"name": "movenet", "sha256": "..."}, "image_px": 512, "least": 0.3, "joints": "coco-17"}
    {"frame": 0, "time_s": 0.0, "size": [1920, 1080], "people": [{"box": [...], "confidence": 0.9, "keypoints": [...]}]}
    {"done": "--start 10 --every 2", "damaged": {}, "cuts": [120], "moves": false}

and is called `detections.jsonl.part` until all frames of a run are in it. A line is written when its frame is done, so
that a run that was killed loses one frame at most. The head says what the frames depend on; a file with another head is
not used. The last line says which frames begin another shot, and whether the camera moves. Tracks are made anew each
time, from the first frame on, by the numbers in the file: a run that was broken off gives what an unbroken one gives,
and another part of the input needs no new detections of frames it shares.
"""

from __future__ import annotations

import json
import os
import shutil
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from zedo_core.detection.protocol import SEEN_BEFORE, DetectedFrame, Detections, Detector
from zedo_core.detection.tracking import follow
from zedo_core.errors import OutputError
from zedo_core.source import Source, ahead
from zedo_core.source.cut import Cut
from zedo_core.source.scene import Scene, SceneWatch
from zedo_core.storage.files import sha256_of
from zedo_core.types import Keypoints

NAME = "detections.jsonl"
_FORMAT = "zedo-detections-1"
_KEY = ("format", "image_px", "least", "joints")  # of the head, with the hashes of source and detector

OnFrame = Callable[[int], None]


@dataclass(frozen=True, kw_only=True)
class Detected:
    """Tracks of a source, what is known of its views, how many of its frames were detected before, and the pictures
    that could not be read."""

    keypoints: Keypoints
    reused: int
    damaged: dict[str, str] = field(default_factory=dict)
    scene: Scene = field(default_factory=Scene)
    file: Path | None


def detect_in(
    source: Source,
    folder: Path | None,
    *,
    detector: Detector,
    track: bool = True,
    redetect: bool = False,
    on_frame: OnFrame = lambda done: None,
) -> Detected:
    """Find and follow the people of a source, with detections kept in `folder`, if any; see the head of this module.

    The detector is asked about frames that are not known yet only. `redetect` forgets what is there. `on_frame` gets
    the number of frames that are done.
    """

    def followed(frames: Iterator[DetectedFrame]) -> Keypoints:
        rate = source.fps and source.fps / source.cut.every
        keypoints = follow(_counted(frames, on_frame), detector.skeleton, track=track and source.sequence, fps=rate)
        return replace(keypoints, fps=source.fps)

    watch = SceneWatch()
    if folder is None:
        keypoints = followed(_detected(source, detector, watch))
        return Detected(keypoints=keypoints, reused=0, damaged=dict(source.damaged), scene=watch.scene, file=None)
    store = _Store(folder / NAME, _head(source, detector), len(detector.skeleton))
    if redetect:
        store.forget()
    known = {} if redetect else store.read()
    stored = store.all_of(known, source.cut)
    if stored is None:
        keypoints = followed(_detected(source, detector, watch, known, store.add))
        scene = watch.scene
        store.finish(source.cut, source.damaged, scene)
    else:
        scene = store.scene(source.cut).within([frame.number for frame in stored])
        keypoints = followed(replace(frame, begins_shot=frame.number in scene.cuts) for frame in stored)
    return Detected(
        keypoints=keypoints,
        reused=len(keypoints.frame_numbers) - store.added,
        damaged=dict(source.damaged if stored is None else store.damaged(source.cut) | source.damaged),
        scene=scene,
        file=store.path,
    )


def _counted(frames: Iterator[DetectedFrame], on_frame: OnFrame) -> Iterator[DetectedFrame]:
    for done, frame in enumerate(frames, start=1):
        yield frame
        on_frame(done)


def _detected(
    source: Source,
    detector: Detector,
    watch: SceneWatch,
    known: Mapping[int, DetectedFrame] = MappingProxyType({}),
    on_new: Callable[[DetectedFrame], None] = lambda detected: None,
) -> Iterator[DetectedFrame]:
    """Each frame with its people; `on_new` gets those that are not known yet."""
    before: deque[DetectedFrame] = deque(maxlen=SEEN_BEFORE if source.sequence else 0)
    with closing(ahead(source)) as frames:
        for frame in frames:
            begins_shot = source.sequence and watch.begins(frame)
            if begins_shot:
                before.clear()
            detected = known.get(frame.number)
            if detected is None or detected.size != frame.size:
                detected = DetectedFrame.from_frame(frame, detector.detect(frame, tuple(before)))
                on_new(detected)
            if source.sequence:
                watch.see(detected.detections.boxes)
            detected = replace(detected, time_s=frame.time_s, begins_shot=begins_shot)
            before.append(detected)
            yield detected


class _Store:
    """The file: `path` when all frames of a run are in it, `part` while they come."""

    def __init__(self, path: Path, head: dict[str, Any], joints: int) -> None:
        self.path, self._part = path, path.with_name(f"{path.name}.part")
        self._head, self._joints = head, joints
        self.added = 0  # frames
        self._done: dict[str, dict[str, Any]] = {}  # the last lines of every cut that is complete
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
                self._done = {line["done"]: line for line in lines[1:] if "done" in line}
                frames = [_frame(line, self._joints) for line in lines[1:]]
                return {frame.number: frame for frame in frames if frame is not None}
            if path == self._part:
                self.forget()  # it is of another source or detector
        return {}

    def forget(self) -> None:
        """Begin anew; the last complete file stays until there is another."""
        self._part.unlink(missing_ok=True)

    def all_of(self, known: dict[int, DetectedFrame], cut: Cut) -> list[DetectedFrame] | None:
        """The frames of a cut when all of them are known for sure, without the pictures; else None."""
        in_order = sorted(known.values(), key=lambda frame: frame.number)
        if str(cut) in self._done or "" in self._done:
            return list(cut.take(in_order, lambda frame: (frame.number, frame.time_s)))
        return None

    def damaged(self, cut: Cut) -> dict[str, str]:
        """The pictures of a complete cut that could not be read."""
        return dict(self._last_line(cut).get("damaged", {}))

    def scene(self, cut: Cut) -> Scene:
        """The views of a complete cut, or of more; files of earlier versions tell nothing of them."""
        line = self._last_line(cut)
        return Scene(cuts=tuple(line.get("cuts", ())), moves=bool(line.get("moves", False)))

    def _last_line(self, cut: Cut) -> dict[str, Any]:
        return self._done.get(str(cut), self._done.get("", {}))

    def add(self, frame: DetectedFrame) -> None:
        """Write a frame down."""
        self._append(_line(frame))
        self.added += 1

    def finish(self, cut: Cut, damaged: dict[str, str], scene: Scene) -> None:
        """All frames of the cut are known."""
        if self._is_open or not self.path.exists() or str(cut) not in self._done:
            self._append({"done": str(cut), "damaged": damaged, "cuts": scene.cuts, "moves": scene.moves})
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
    return {
        "format": _FORMAT,
        "source": {"name": source.path.name, "sha256": _digest(source.files or (source.path,))},
        "detector": {"name": detector.name, "sha256": _digest(detector.files)},
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


def _digest(files: tuple[Path, ...]) -> str:
    """SHA-256 of one file, or of the names and contents of several."""
    if len(files) == 1:
        return sha256_of(files[0])
    everything = sha256()
    for file in files:
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
