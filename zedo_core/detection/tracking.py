"""From people detected in single frames to tracks: broken ones joined, noise left out, ids from 0."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from zedo_core.detection.matching import TrackIds
from zedo_core.detection.protocol import DetectedFrame, Tracker
from zedo_core.errors import InputError
from zedo_core.skeleton import Skeleton
from zedo_core.types import Keypoints, in_order

TRACKERS = ("bytetrack", "botsort", "off")
CONFIDENCE = 0.25  # of a new person's box

_MIN_FRAMES = 3  # of a track that was never surely a person, or it is noise
_SURE = 0.5  # a short track of people detected this surely is no noise: somebody who walked through
_SHORT_CLIP = 10  # frames; in a clip of no more a short track is all that there can be
_FRAMES_A_SECOND = 30.0  # assumed when the rate is not known


def check_tracker(name: str) -> None:
    """InputError for a tracker that is not known."""
    if name not in TRACKERS:
        raise InputError(f"expected a tracker of {', '.join(TRACKERS)}, got '{name}'")


def tracker_named(name: str, *, fps: float | None = None, confidence: float = CONFIDENCE) -> Tracker:
    """A fresh tracker for frames of which `fps` come in a second; `confidence` is the least one of a new person's box.

    `bytetrack` goes by boxes, `botsort` also by how the camera moves, which needs the pictures. `off` numbers the
    people of each frame by falling size of their boxes. InputError for another name.
    """
    check_tracker(name)
    if not 0 < confidence < 1:
        raise InputError(f"expected a detection confidence between 0 and 1, got {confidence:g}")
    if name == "off":
        return lambda frame: _by_size(frame, confidence)
    from zedo_core.detection.ultralytics import make_tracker

    return make_tracker(name, confidence, _memory(fps))


def follow(
    frames: Iterable[DetectedFrame],
    skeleton: Skeleton,
    tracker: str,
    *,
    fps: float | None = None,
    confidence: float = CONFIDENCE,
) -> Keypoints:
    """Tracks of the people of a clip, with ids 0, 1, ... in order of appearance; see `tracker_named`.

    Tracks that never show in the same frame and come near each other within a second become one: trackers ask boxes
    to overlap, which those of fast people, or of few frames a second, do not. A track of fewer than 3 frames that was
    never surely a person is left out as noise in a clip of more than 10 frames. Nobody found gives keypoints without
    rows; no frame is an InputError.
    """
    find, rate = tracker_named(tracker, fps=fps, confidence=confidence), fps or _FRAMES_A_SECOND
    ids = TrackIds(_memory(fps) / rate)
    people: list[DetectedFrame] = []
    numbers: list[int] = []
    for t, frame in enumerate(frames):
        tracked = find(frame)
        found = frame.detections.take([row for row, _ in tracked])
        ids(frame.time_s if np.isfinite(frame.time_s) else t / rate, found.joints, [number for _, number in tracked])
        numbers += [number for _, number in tracked]
        people.append(replace(frame, detections=found, image=None))
    if not people:
        raise InputError("expected at least one frame to look for people in, got none")
    track = np.array([ids.of(number) for number in numbers], int)
    keypoints = as_keypoints(people, track, skeleton, fps)
    if tracker != "off":
        noise = noise_tracks(track, np.concatenate([frame.detections.confidence for frame in people]), len(people))
        keypoints = keypoints.take(~np.isin(keypoints.track, noise))
    return _by_appearance(keypoints)


def as_keypoints(
    frames: Sequence[DetectedFrame], track: Sequence[int] | Int[ndarray, " n"], skeleton: Skeleton, fps: float | None
) -> Keypoints:
    """The people of frames, whose ids are `track`, one frame's people after the other's; those without joints left out.

    What is not a finite number is a joint that was not seen.
    """
    counts, sizes = [len(frame.detections) for frame in frames], tuple(frame.size for frame in frames)
    joints = np.concatenate([frame.detections.joints for frame in frames])
    known = np.isfinite(joints).all(-1)
    confidence = np.where(known, joints[..., 2], 0.0).clip(0.0, 1.0)
    rows = in_order(
        frame=np.repeat(np.arange(len(frames)), counts),
        track=np.array(track, int),
        xy=np.where(confidence[..., None] > 0, joints[..., :2], 0.0),
        confidence=confidence,
    )
    seen = (rows["confidence"] > 0).any(-1)
    times_s = np.array([frame.time_s for frame in frames])
    return Keypoints(
        **{name: values[seen] for name, values in rows.items()},
        skeleton=skeleton,
        frame_numbers=np.array([frame.number for frame in frames]),
        image_sizes=sizes[:1] if len(set(sizes)) == 1 else sizes,
        fps=fps,
        times_s=times_s if np.isfinite(times_s).all() else None,
    )


def noise_tracks(track: Int[ndarray, " n"], confidence: Float[ndarray, " n"], frames: int) -> Int[ndarray, " k"]:
    """Ids of tracks too short and never surely a person, in a clip of so many frames; see `follow`."""
    ids, place, count = np.unique(track, return_inverse=True, return_counts=True)
    surest = np.zeros(len(ids))
    np.maximum.at(surest, place, confidence)
    return ids[(count < _MIN_FRAMES) & (surest < _SURE) & (frames > _SHORT_CLIP)]


def _by_appearance(keypoints: Keypoints) -> Keypoints:
    """The same people with ids 0, 1, ... by their first frame, and there by their ids."""
    first = [int(keypoints.frame[rows.start]) for _, rows in keypoints.tracks]
    rank = np.argsort(np.argsort(first, kind="stable"))
    rows = {name: getattr(keypoints, name) for name in keypoints.PER_ROW}
    rows["track"] = rank[np.searchsorted(keypoints.track_ids, keypoints.track)]
    return replace(keypoints, **in_order(**rows))


def _memory(fps: float | None) -> int:
    """Frames for which a person may be hidden: those of a second, 2 at least."""
    return max(round(fps or _FRAMES_A_SECOND), 2)


def _by_size(frame: DetectedFrame, confidence: float) -> list[tuple[int, int]]:
    found = frame.detections
    rows = [row for row in np.argsort(-found.areas_px2, kind="stable").tolist() if found.confidence[row] >= confidence]
    return [(row, number) for number, row in enumerate(rows)]
