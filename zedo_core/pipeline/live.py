"""Detection and lifting of live pictures as they come: the latest frame wins, what comes in between is dropped."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from zedo_core.camera import Camera
from zedo_core.camera.choice import CameraChoice
from zedo_core.detection.tracking import DEFAULT_TRACKER, Looks, Names, Seen, Sighting
from zedo_core.detection.ultralytics import CONFIDENCE, Numbering, numbering
from zedo_core.errors import InputError
from zedo_core.export import save
from zedo_core.keypoints import write_keypoints
from zedo_core.lifting import LEAST_JOINTS, lift
from zedo_core.methods.zedo import ZedoLifter
from zedo_core.motions.select import select
from zedo_core.render.draw import dot_radius, draw_bones, draw_dots, draw_label, line_width, text_size, track_colour
from zedo_core.render.video import video_writer
from zedo_core.skeleton import COCO17
from zedo_core.source import Source
from zedo_core.storage.lock import locked
from zedo_core.types import Frame, Keypoints, Poses

DEFAULT_HYPOTHESES = 1
_RATE_OVER = 30  # frames over which the rate is told
_USUAL_SIZE = 640, 480  # px
_JOINS_S = 2.0  # how long the end waits for the reader, which may be blocked in a driver


@dataclass(frozen=True, kw_only=True)
class LiveOptions:
    """How live pictures are treated."""

    hypotheses: int = DEFAULT_HYPOTHESES
    camera: CameraChoice = field(default_factory=CameraChoice)
    tracker: str = DEFAULT_TRACKER
    max_people: int | None = None  # those with the largest boxes
    seed: int = 0
    seconds: float | None = None  # of the input; None until it ends or somebody stops it
    record: Path | None = None  # folder for `recording.mp4`, poses and keypoints

    def __post_init__(self) -> None:
        if self.seconds is not None and not self.seconds > 0:
            raise InputError(f"expected a time above 0 seconds, got {self.seconds:g}")


@dataclass(frozen=True, kw_only=True)
class LiveFrame:
    """What is known of one frame as soon as it is done; `rate_hz` is that of the last frames."""

    frame: Frame
    keypoints: Keypoints
    poses: Poses
    dropped: int
    rate_hz: float

    def drawn(self) -> UInt8[ndarray, "height width 3"]:
        """The picture with bones, keypoints and ids on it."""
        canvas, poses = self.frame.image.copy(), self.poses
        height = canvas.shape[0]
        for p in np.flatnonzero(poses.present[0]).tolist():
            xy = poses.camera(0).project(poses.best[0, p])
            draw_bones(canvas, xy, poses.skeleton, line_width(height))
            seen = np.where(self.keypoints.confidence[0, p, :, None] > 0, self.keypoints.xy[0, p], np.nan)
            draw_dots(canvas, seen, self.keypoints.skeleton, dot_radius(height))
            label, colour = str(poses.track_ids[p]), track_colour(int(poses.track_ids[p]))
            draw_label(canvas, xy, poses.skeleton, label, text_size(height), colour)
        return canvas


@dataclass(frozen=True, kw_only=True)
class LiveReport:
    """What came out of live pictures: frames done, frames dropped, and the rate over all of them."""

    frames: int
    dropped: int
    frames_with_people: int
    rate_hz: float
    camera: str
    files: tuple[Path, ...]


class LatestFrame:
    """Reads a source in a thread of its own into a place for one frame, in which a new one replaces the old."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._news = threading.Condition()
        self._frame: Frame | None = None
        self._error: BaseException | None = None
        self._ended = self._stopped = False
        self.dropped = 0
        self._thread = threading.Thread(target=self._read, name="zedo-live", daemon=True)

    def __enter__(self) -> LatestFrame:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped = True
        self._thread.join(_JOINS_S)

    def __iter__(self) -> Iterator[Frame]:
        """The frame that is the latest whenever one is asked for; what the reader raises is raised here."""
        while (frame := self._next()) is not None:
            yield frame

    def _next(self) -> Frame | None:
        with self._news:
            while self._frame is None and not self._ended:
                self._news.wait(0.1)  # not for ever, or Ctrl-C would not come through everywhere
            frame, self._frame = self._frame, None
            if frame is None and self._error is not None:
                raise self._error
            return frame

    def _read(self) -> None:
        try:
            with closing(iter(self._source)) as frames:  # pyright: ignore[reportArgumentType]
                for frame in frames:
                    if self._stopped:
                        break
                    self._put(frame)
        except BaseException as error:
            self._error = error
        finally:
            with self._news:
                self._ended = True
                self._news.notify()

    def _put(self, frame: Frame) -> None:
        with self._news:
            self.dropped += self._frame is not None
            self._frame = frame
            self._news.notify()


def run_live(
    source: Source,
    *,
    detector: Looks,
    lifter: ZedoLifter,
    options: LiveOptions | None = None,
    on_frame: Callable[[LiveFrame], bool] = lambda done: True,
) -> LiveReport:
    """Detect and lift the latest frame again and again until the source ends, the time is over, or somebody stops it.

    `on_frame` gets each frame that is done and says whether to go on; KeyboardInterrupt ends it as well. Ids go on
    over gaps of less than a second. A recording holds the frames that
    were done, and is complete even when the end is an interruption. OutputError when it cannot be written.
    """
    options = options or LiveOptions()
    worker = _Worker(source, detector, lifter, options)
    with ExitStack() as stack:
        record = stack.enter_context(_recording(options, source)) if options.record is not None else None
        latest = stack.enter_context(LatestFrame(source))
        try:
            for frame in latest:
                if options.seconds is not None and frame.time_s >= options.seconds:
                    break
                done = worker.work(frame, latest.dropped)
                if record is not None:
                    record.add(done)
                if not on_frame(done):
                    break
        except KeyboardInterrupt:
            pass
        dropped = latest.dropped
        files = () if record is None else record.finish()
    return LiveReport(
        frames=worker.frames,
        dropped=dropped,
        frames_with_people=worker.with_people,
        rate_hz=worker.rate_hz,
        camera=worker.camera.source if worker.camera else "",
        files=files,
    )


class _Worker:
    """Makes poses of frames, one after another."""

    def __init__(self, source: Source, detector: Looks, lifter: ZedoLifter, options: LiveOptions) -> None:
        self._detector, self._lifter, self._options = detector, lifter, options
        width, height = source.size or _USUAL_SIZE
        detector.look(
            Frame(image=np.zeros((height, width, 3), np.uint8), number=0, time_s=0.0)
        )  # the first one is slow
        self._number: Numbering = numbering(options.tracker, fps=source.fps)
        self._names = Names()
        self._ends_s: deque[float] = deque([time.monotonic()], maxlen=_RATE_OVER + 1)
        self._start_s = time.monotonic()
        self.camera: Camera | None = None
        self.frames = self.with_people = 0

    @property
    def rate_hz(self) -> float:
        """Frames a second over all of them."""
        return self.frames / max(time.monotonic() - self._start_s, 1e-9)

    def work(self, frame: Frame, dropped: int) -> LiveFrame:
        """Everybody in a frame in 3D."""
        keypoints = self._look(frame)
        self.camera = self._options.camera.cameras((frame.size,))[0]
        poses = select(
            lift(
                keypoints,
                self.camera,
                hypotheses=self._options.hypotheses,
                seed=self._options.seed,
                lifter=self._lifter,
            )
        )
        self.frames += 1
        self.with_people += bool(poses.present.any())
        self._ends_s.append(time.monotonic())
        rate_hz = (len(self._ends_s) - 1) / max(self._ends_s[-1] - self._ends_s[0], 1e-9)
        return LiveFrame(frame=frame, keypoints=keypoints, poses=poses, dropped=dropped, rate_hz=rate_hz)

    def _look(self, frame: Frame) -> Keypoints:
        found = self._detector.look(frame)
        seen = Seen(number=frame.number, time_s=frame.time_s, size=frame.size, found=found, image=frame.image)
        usable = (found.confidence >= CONFIDENCE) & (
            np.count_nonzero(found.joints[..., 2] > 0, axis=-1) >= LEAST_JOINTS
        )
        people = [(row, number) for row, number in self._number(seen) if usable[row]]
        areas = np.prod(found.boxes[:, 2:] - found.boxes[:, :2], axis=-1)
        people = sorted(people, key=lambda person: -areas[person[0]])[: self._options.max_people]
        joints = found.joints[[row for row, _ in people]]
        ids = self._names(
            [
                Sighting(
                    frame=frame.number,
                    track=number,
                    confidence=float(found.confidence[row]),
                    box=found.boxes[row],
                    joints=found.joints[row],
                )
                for row, number in people
            ],
            frame.time_s,
        )
        xy, confidence = joints[..., :2], joints[..., 2].clip(0.0, 1.0)
        return Keypoints(
            xy=np.where(confidence[..., None] > 0, xy, 0.0)[None],
            confidence=confidence[None],
            skeleton=COCO17,
            frame_numbers=np.array([frame.number]),
            track_ids=np.array(ids, int),
            image_sizes=(frame.size,),
            times_s=np.array([frame.time_s]),
        )


# Recording


class _Recording:
    """The frames that were done, on disk as they come; their poses and keypoints at the end."""

    def __init__(self, folder: Path, writer, fps: float | None) -> None:
        self._folder, self._writer, self._fps = folder, writer, fps
        self._keypoints: list[Keypoints] = []
        self._poses: list[Poses] = []
        self._start_s: float | None = None

    def add(self, done: LiveFrame) -> None:
        """Another frame."""
        self._start_s = done.frame.time_s if self._start_s is None else self._start_s
        self._writer.write(done.frame.image, done.frame.time_s - self._start_s)
        numbered = {
            "frame_numbers": np.array([len(self._poses)]),
            "times_s": np.array([done.frame.time_s - self._start_s]),
        }
        self._keypoints.append(replace(done.keypoints, **numbered))
        self._poses.append(replace(done.poses, **numbered))

    def finish(self) -> tuple[Path, ...]:
        """Write poses and keypoints, whose frame numbers are those of the recording."""
        if not self._poses:
            return ()
        poses, keypoints = joined(self._poses, self._keypoints, self._fps)
        write_keypoints(keypoints, self._folder / "keypoints.json")
        files = save(poses, self._folder / "poses.npz")
        return self._folder / "recording.mp4", *files, self._folder / "keypoints.json"


@contextmanager
def _recording(options: LiveOptions, source: Source) -> Iterator[_Recording]:
    assert options.record is not None
    options.record.mkdir(parents=True, exist_ok=True)
    with locked(options.record), video_writer(options.record / "recording.mp4", source.fps or 30.0) as writer:
        yield _Recording(options.record, writer, source.fps)


def joined(poses: list[Poses], keypoints: list[Keypoints], fps: float | None) -> tuple[Poses, Keypoints]:
    """Frames of one person or more each, put together in time: a column for each id, a gap where it is absent."""
    ids = sorted({int(i) for one in keypoints for i in one.track_ids})
    columns = {track: column for column, track in enumerate(ids)}
    t, first = len(poses), poses[0]
    h, j = first.joints.shape[2:4]
    joints, score = np.full((t, len(ids), h, j, 3), np.nan, np.float32), np.full((t, len(ids), h), np.nan, np.float32)
    spread, chosen = np.full((t, len(ids), j), np.nan, np.float32), np.full((t, len(ids)), -1)
    xy, confidence = np.zeros((t, len(ids), len(COCO17), 2)), np.zeros((t, len(ids), len(COCO17)))
    for row, (pose, seen) in enumerate(zip(poses, keypoints, strict=True)):
        at = [columns[int(track)] for track in seen.track_ids]
        joints[row, at], score[row, at] = pose.joints[0], pose.score[0]
        spread[row, at], chosen[row, at] = pose.spread[0], pose.chosen[0]
        xy[row, at], confidence[row, at] = seen.xy[0], seen.confidence[0]
    when = {
        "frame_numbers": np.arange(t),
        "times_s": np.concatenate([one.times_s for one in poses if one.times_s is not None]),
        "track_ids": np.array(ids, int),
        "fps": fps,
    }
    cameras = tuple(one.cameras[0] for one in poses)
    cameras = cameras if len(set(cameras)) > 1 else cameras[:1]
    sizes = tuple(size for one in keypoints for size in one.image_sizes or ())
    return (
        replace(first, joints=joints, score=score, spread=spread, chosen=chosen, cameras=cameras, **when),
        replace(
            keypoints[0], xy=xy, confidence=confidence, image_sizes=sizes if len(set(sizes)) > 1 else sizes[:1], **when
        ),
    )
