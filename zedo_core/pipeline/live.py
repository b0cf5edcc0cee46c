"""Detection and lifting of live pictures as they come: the latest frame wins, what comes in between is dropped."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from zedo_core.camera import Camera, CameraChoice
from zedo_core.detection import CONFIDENCE, SEEN_BEFORE, DetectedFrame, Detector, Tracker, as_keypoints
from zedo_core.errors import InputError
from zedo_core.export import save
from zedo_core.keypoints import write_keypoints
from zedo_core.lifting import MIN_JOINTS, lift
from zedo_core.methods import Lifter
from zedo_core.motions.fit import TERMS
from zedo_core.motions.select import select
from zedo_core.motions.trajectory import trajectories
from zedo_core.pipeline.request import LIVE_MOTIONS, LiveRequest
from zedo_core.render.people import draw_people, seen_joints
from zedo_core.render.video import VideoWriter, video_writer
from zedo_core.source import Source
from zedo_core.storage.lock import locked
from zedo_core.types import Frame, Keypoints, Poses, in_order

_RATE_OVER = 30  # frames over which the rate is told
_USUAL_SIZE = 640, 480  # px
_RECENT = 16  # frames through which bodies are fitted
_TERMS = replace(TERMS, steps=2)
_JOINS_S = 2.0  # how long the end waits for the reader, which may be blocked in a driver


@dataclass(frozen=True, kw_only=True)
class LiveFrame:
    """What is known of one frame as soon as it is done; `rate_hz` is that of the last frames."""

    frame: Frame
    keypoints: Keypoints
    poses: Poses
    dropped: int
    rate_hz: float

    def without_pixels(self) -> LiveFrame:
        """The same with an empty picture, to be kept."""
        return replace(self, frame=replace(self.frame, image=np.zeros((0, 0, 3), np.uint8)))

    def drawn(self) -> UInt8[ndarray, "height width 3"]:
        """The picture with bones, keypoints and ids on it."""
        canvas = self.frame.image.copy()
        seen = seen_joints(self.poses, self.keypoints)
        draw_people(canvas, self.poses, 0, self.keypoints, seen, lambda xy: xy)
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
    detector: Detector,
    lifter: Lifter,
    request: LiveRequest | None = None,
    on_frame: Callable[[LiveFrame], bool] = lambda done: True,
) -> LiveReport:
    """Detect and lift the latest frame again and again until the source ends, the time is over, or somebody stops it.

    `on_frame` gets each frame that is done and says whether to go on; KeyboardInterrupt ends it as well. Ids go on
    over gaps of less than a second. A recording holds the frames that were done, and is complete even when the end is
    an interruption. OutputError when it cannot be written.
    """
    request = request or LiveRequest()
    if request.seconds is not None and not request.seconds > 0:
        raise InputError(f"expected a time above 0 seconds, got {request.seconds:g}")
    if request.motion not in LIVE_MOTIONS:
        raise InputError(f"expected a motion of {' or '.join(LIVE_MOTIONS)}, got '{request.motion}'")
    worker = _Worker(source, detector, lifter, request)
    with ExitStack() as stack:
        record = None if request.record is None else stack.enter_context(_recording(request.record, source))
        latest = stack.enter_context(LatestFrame(source))
        try:
            for frame in latest:
                if request.seconds is not None and frame.time_s >= request.seconds:
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

    def __init__(self, source: Source, detector: Detector, lifter: Lifter, request: LiveRequest) -> None:
        self._detector, self._lifter, self._request = detector, lifter, request
        width, height = source.size or _USUAL_SIZE
        blank = np.zeros((height, width, 3), np.uint8)
        detector.detect(Frame(image=blank, number=0, time_s=0.0))  # the first one is slow
        self._tracker = Tracker()
        self._before: deque[DetectedFrame] = deque(maxlen=SEEN_BEFORE)
        self._ends_s: deque[float] = deque([time.monotonic()], maxlen=_RATE_OVER + 1)
        self._recent: deque[LiveFrame] = deque(maxlen=_RECENT)
        self._start_s = time.monotonic()
        self.camera: Camera | None = None
        self.frames = self.with_people = 0

    @property
    def rate_hz(self) -> float:
        """Frames a second over all of them."""
        return self.frames / max(time.monotonic() - self._start_s, 1e-9)

    def work(self, frame: Frame, dropped: int) -> LiveFrame:
        """Everybody in a frame in 3D."""
        keypoints, request = self._detected(frame), self._request
        self.camera = (request.camera or CameraChoice()).cameras((frame.size,))[0]
        poses = select(
            lift(keypoints, self.camera, hypotheses=request.hypotheses, seed=request.seed, lifter=self._lifter)
        )
        self.frames += 1
        self.with_people += len(poses) > 0
        self._ends_s.append(time.monotonic())
        rate_hz = (len(self._ends_s) - 1) / max(self._ends_s[-1] - self._ends_s[0], 1e-9)
        done = LiveFrame(frame=frame, keypoints=keypoints, poses=poses, dropped=dropped, rate_hz=rate_hz)
        return replace(done, poses=self._moving(done)) if request.motion == "full" else done

    def _moving(self, done: LiveFrame) -> Poses:
        """The poses of a frame as those of bodies that move, as far as the frames before tell."""
        self._recent.append(done.without_pixels())
        poses, keypoints = recorded(list(self._recent), None)
        moving = trajectories(poses, keypoints, _TERMS, ground=False)
        last = moving.take(moving.frame == len(self._recent) - 1)
        return replace(done.poses, joints=last.joints, filled=last.filled, provenance=last.provenance)

    def _detected(self, frame: Frame) -> Keypoints:
        """The largest people of a frame who can be lifted, with ids that go on."""
        one = replace(frame, number=self.frames)  # those that were dropped do not count in the detector's rhythm
        found = DetectedFrame.from_frame(one, self._detector.detect(one, tuple(self._before)))
        self._before.append(found)
        people = found.detections
        ids = self._tracker(frame.time_s, people.joints, people.confidence >= CONFIDENCE)
        seen = np.count_nonzero(people.joints[..., 2] > 0, axis=-1) >= MIN_JOINTS
        rows = sorted((row for row in ids if seen[row]), key=lambda row: -people.areas_px2[row])
        rows = rows[: self._request.max_people]
        wanted = replace(found, number=frame.number, detections=people.take(rows))
        return as_keypoints([wanted], [ids[row] for row in rows], self._detector.skeleton, None)


# Recording


class _Recording:
    """The frames that were done, on disk as they come; their poses and keypoints at the end."""

    def __init__(self, folder: Path, writer: VideoWriter, fps: float | None) -> None:
        self._folder, self._writer, self._fps = folder, writer, fps
        self._done: list[LiveFrame] = []

    def add(self, done: LiveFrame) -> None:
        """Another frame, of which the pixels are not held."""
        self._done.append(done.without_pixels())
        self._writer.write(done.drawn(), done.frame.time_s - self._done[0].frame.time_s)

    def finish(self) -> tuple[Path, ...]:
        """Write poses and keypoints, whose frame numbers are those of the recording."""
        if not self._done:
            return ()
        poses, keypoints = recorded(self._done, self._fps)
        write_keypoints(keypoints, self._folder / "keypoints.json")
        files = save(poses, self._folder / "poses.npz")
        return self._folder / "recording.mp4", *files, self._folder / "keypoints.json"


@contextmanager
def _recording(folder: Path, source: Source) -> Iterator[_Recording]:
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder), video_writer(folder / "recording.mp4", source.fps or 30.0) as writer:
        yield _Recording(folder, writer, source.fps)


def recorded(frames: list[LiveFrame], fps: float | None) -> tuple[Poses, Keypoints]:
    """Frames that were done as one clip, numbered from 0, the first at 0 seconds."""
    times_s = np.array([done.frame.time_s for done in frames])
    clip = {"frame_numbers": np.arange(len(frames)), "times_s": times_s - times_s[0], "fps": fps}
    poses, keypoints = [done.poses for done in frames], [done.keypoints for done in frames]
    cameras = tuple(one.cameras[0] for one in poses)
    sizes = tuple(size for one in keypoints for size in one.image_sizes or ())
    return (
        replace(
            poses[0], **_one_below_the_other(poses), **clip, cameras=cameras if len(set(cameras)) > 1 else cameras[:1]
        ),
        replace(
            keypoints[0],
            **_one_below_the_other(keypoints),
            **clip,
            image_sizes=sizes if len(set(sizes)) > 1 else sizes[:1],
        ),
    )


def _one_below_the_other(clips: list[Poses] | list[Keypoints]) -> dict[str, ndarray]:
    """The rows of clips of one frame each as those of one clip."""
    rows = {
        name: np.concatenate([getattr(clip, name) for clip in clips])
        for name in clips[0].PER_ROW
        if getattr(clips[0], name) is not None
    }
    return in_order(**rows | {"frame": np.repeat(np.arange(len(clips)), [len(clip) for clip in clips])})
