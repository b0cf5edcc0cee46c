"""From people detected frame by frame to tracks with ids from 0, without noise."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from zedo_core.detection.matching import Tracker
from zedo_core.detection.protocol import DetectedFrame, Detections
from zedo_core.errors import InputError
from zedo_core.skeleton import Skeleton
from zedo_core.types import Keypoints, in_order

CONFIDENCE = 0.25  # least confidence of a person who begins a track

_MIN_FRAMES = 3  # of a track that was never surely a person, or it is noise
_SURE = 0.5  # a person detected with this confidence is no noise in a short track either: they walked through
_SHORT_CLIP = 10  # frames; in a clip of no more, short tracks are no noise
_FRAMES_A_SECOND = 30.0  # assumed when the rate is not known


def follow(
    frames: Iterable[DetectedFrame], skeleton: Skeleton, *, track: bool = True, fps: float | None = None
) -> Keypoints:
    """The people of a clip, with ids 0, 1, ... in order of appearance.

    Nobody keeps their id where another shot begins. A track of fewer than 3 frames that was never surely a person is
    left out as noise in a clip of more than 10 frames. Without `track` each frame stands for itself, its people
    numbered by falling size. Nobody found gives keypoints without rows; no frame is an InputError.
    """
    tracker, rate = Tracker(), fps or _FRAMES_A_SECOND
    people: list[DetectedFrame] = []
    ids: list[int] = []
    for t, frame in enumerate(frames):
        found = frame.detections
        if track:
            if frame.begins_shot:
                tracker.forget()
            time_s = frame.time_s if np.isfinite(frame.time_s) else t / rate
            found_ids = tracker(time_s, found.joints, found.confidence >= CONFIDENCE)
        else:
            found_ids = _by_size(found)
        people.append(replace(frame, detections=found.take(list(found_ids))))
        ids += found_ids.values()
    if not people:
        raise InputError("expected at least one frame to look for people in, got none")
    keypoints = as_keypoints(people, ids, skeleton, fps)
    if not track:
        return keypoints
    noise = noise_tracks(np.array(ids, int), np.concatenate([p.detections.confidence for p in people]), len(people))
    return _by_appearance(keypoints.take(~np.isin(keypoints.track, noise)))


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


def _by_size(found: Detections) -> dict[int, int]:
    """Ids of the people of one frame by row, by falling size of their boxes."""
    rows = [row for row in np.argsort(-found.areas_px2, kind="stable").tolist() if found.confidence[row] >= CONFIDENCE]
    return {row: place for place, row in enumerate(rows)}
