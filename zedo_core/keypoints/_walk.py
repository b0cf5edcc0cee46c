"""The people in JSON of any nesting: objects that hold joints, within frames.

A frame is an object that says its number or picture, an entry of a list whose entries hold people, or a value under the
name of a picture. Within a frame all nesting is flattened.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from zedo_core.errors import FormatError
from zedo_core.keypoints._points import look_like_points

_POSES = (
    *("keypoints", "pose_keypoints_2d", "pred_keypoints", "keypoints_2d", "keypoints2d", "keypoints2D", "kpts", "kps"),
    *("landmarks", "poseLandmarks", "pose_landmarks", "landmark", "joints", "joints_2d", "joints2d", "pose", "pose_2d"),
    *("points", "keypoint", "key_points", "joint", "xy", "data"),
)
_SCORES = ("keypoint_scores", "keypoints_scores", "scores", "kpt_scores", "keypoints_conf", "keypoints_confidence",
           "confidence", "confidences", "conf", "visibility", "visible", "keypoints_visible")  # fmt: skip
_FRAMES = (
    *("frame_id", "frame_idx", "frame_index", "frame_number", "frameNumber", "frameIndex", "frameId", "frame_num"),
    *("frame_no", "frameno", "frame", "image_id", "image_name", "image_path", "image_file", "imageId", "img_name"),
    *("imgname", "img_path", "img_id", "file_name", "filename", "fileName", "image", "path", "source_image"),
)
_PEOPLE = ("people", "persons", "instances", "predictions", "annotations", "bodies", "poses", "detections", "results",
           "objects", "humans", "players", "skeletons", "subjects", "tracks", "frames", "data", "outputs",
           "instance_info", "body", "person")  # fmt: skip
_TRACKS = ("track_id", "trackId", "tracking_id", "idx", "tid", "person_id", "personId", "player_id", "instance_id",
           "object_id", "track")  # fmt: skip
# What is no 2D body: hands, faces, and positions in space.
_OTHER = re.compile(
    r"3d|world|face|hand|box|segment|mask|skeleton(?!s)|edges|limbs|links|connect|bones|pairs|sigma|colou?r|categor|meta",
    re.IGNORECASE,
)
_PICTURE = re.compile(r"\.(jpe?g|png|bmp|webp|tiff?|gif|json)$", re.IGNORECASE)
_PERSON_WORD = re.compile(r"person|track|player|id[-_ ]?\d|subject|actor", re.IGNORECASE)
_CLIP_WORD = re.compile(r"cam|view|video|clip|take|sequence", re.IGNORECASE)
_TIMES = ("timestamp", "time", "time_s", "timestamp_ms", "timestampMs", "t")
_MAX_DEPTH = 12
_MAX_FRAMES = 5_000_000

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Found:
    """One person: the joints as they stand in the file, and the frame as a number, a name or None."""

    frame: Any
    points: Any
    scores: Any
    track: Any
    where: str
    numbered: bool = False  # the track is a mere `id`, which may be that of the entry


def holds_people(value: Any, depth: int = 0) -> bool:
    """Whether there is a person anywhere in a value, judged by the first entries of long lists."""
    if depth > _MAX_DEPTH:
        return False
    if look_like_points(value):
        return True
    if isinstance(value, dict):
        return any(holds_people(entry, depth + 1) for key, entry in value.items() if not _is_other(key))
    if isinstance(value, list):
        entries = [entry for entry in value if isinstance(entry, dict | list) and entry]
        return any(holds_people(entry, depth + 1) for entry in entries[:20])
    return False


def walk(value: Any, where: str, part: str | None = None) -> tuple[list[Found], list[Any]]:
    """The people, and the frames in order, those without people included; `part` picks one of several keys."""
    walker = _Walker(part)
    found = list(walker.people(value, where, None, False, 0))
    return found, walker.frames


class _Walker:
    def __init__(self, part: str | None) -> None:
        self.part = part
        self.frames: list[Any] = []  # as they stand in the file, in order

    def people(self, value: Any, where: str, frame: Any, framed: bool, depth: int) -> Iterator[Found]:
        """The people in a value, which belongs to `frame` if `framed`."""
        if depth > _MAX_DEPTH:
            raise FormatError(f"{where}: expected people within {_MAX_DEPTH} levels, found deeper ones")
        if look_like_points(value):
            yield Found(self._note(frame, framed), value, None, None, where)
        elif isinstance(value, dict):
            yield from self._in_object(value, where, frame, framed, depth)
        elif isinstance(value, list):
            yield from self._in_list(value, where, frame, framed, depth)

    def _note(self, frame: Any, framed: bool) -> Any:
        """Count the frame; people without one are in the first."""
        number = frame if framed else 0
        if not self.frames or self.frames[-1] != number:
            self.frames.append(number)
        return number

    def _in_object(self, value: dict[str, Any], where: str, frame: Any, framed: bool, depth: int) -> Iterator[Found]:
        own = next((key for key in _FRAMES if type(value.get(key)) in (int, str, float)), None)
        if own is not None:
            frame, framed = value[own], True
            where = f"{where} (frame {str(frame)[:40]})"
        key = next((key for key in _POSES if key in value and _is_pose(value[key])), None)
        if key is not None:
            yield from self._persons(value, key, where, frame, framed, depth)
            return
        deep = next((key for key in _POSES if _is_array_of_frames(value.get(key))), None)
        if deep is not None and not framed:
            scores = next((name for name in _SCORES if _as_long(value.get(name), value[deep])), None)
            if scores is not None:
                for i, (entry, score) in enumerate(zip(value[deep], value[scores], strict=True)):
                    pair = {deep: entry, scores: score}
                    self._note(i, True)
                    yield from self.people(pair, f"{where}, {deep}[{i}]", i, True, depth + 1)
                return
        keys = [key for key in value if not _is_other(key) and isinstance(value[key], dict | list)]
        groups = [key for key in _PEOPLE if key in keys] or keys
        holding = [key for key in groups if holds_people(value[key])]
        if framed:
            self._note(frame, framed)
        if len(holding) <= 1 and not (holding and not framed and _is_picture(holding[0])):
            for key in holding:
                inside = f"{where}, {key}"
                if key.lower().startswith("frame") and isinstance(value[key], list) and not framed:
                    yield from self._in_list(value[key], inside, frame, framed, depth + 1, frames=True)
                else:
                    yield from self.people(value[key], inside, frame, framed, depth + 1)
        else:
            yield from self._under_names(value, holding, where, frame, framed, depth)

    def _persons(
        self, value: dict[str, Any], key: str, where: str, frame: Any, framed: bool, depth: int
    ) -> Iterator[Found]:
        """The person of an object, or the people (the frames, outside of a frame) whose joints are in one array."""
        points = value[key]
        scores = next((value[name] for name in _SCORES if isinstance(value.get(name), list) and value[name]), None)
        track = next((value[name] for name in _TRACKS if value.get(name) is not None), None)
        numbered, track = track is None and value.get("id") is not None, value.get("id") if track is None else track
        if isinstance(points, dict) and isinstance(points.get("xy"), list):  # ultralytics' Keypoints as they are
            points, scores = points["xy"], points.get("conf", scores)
        if look_like_points(points):
            scores = scores if isinstance(scores, list) and len(scores) > 1 else None
            yield Found(self._note(frame, framed), points, scores, track, f"{where}, {key}", numbered)
            return
        framed_here = framed or any("orld" in name for name in value)  # MediaPipe's result of one picture
        each = scores if isinstance(scores, list) and len(scores) == len(points) else [None] * len(points)
        tracks = track if isinstance(track, list) and len(track) == len(points) else [None] * len(points)
        for i, (person, score, own) in enumerate(zip(points, each, tracks, strict=True)):
            number = self._note(frame, framed) if framed_here else self._note(i, True)
            if person:
                score = score if isinstance(score, list) else None
                yield Found(number, person, score, own, f"{where}, {key}[{i}]")

    def _under_names(
        self, value: dict[str, Any], holding: list[str], where: str, frame: Any, framed: bool, depth: int
    ) -> Iterator[Found]:
        """People under several keys, which are frames, people, or clips of which one is to be named."""
        if self.part in holding:
            yield from self.people(value[self.part], f"{where}, {self.part}", frame, framed, depth + 1)
            return
        if len(holding) > 1 and any(_CLIP_WORD.search(key) and not _is_picture(key) for key in holding):
            raise _several_clips(where, holding)
        if framed or all(_PERSON_WORD.search(key) and not _is_picture(key) for key in holding):
            for key in holding:
                for person in self.people(value[key], f"{where}, {key[:30]!a}", frame, framed, depth + 1):
                    yield _with_track(person, key)
            return
        if all(any(sign.isdigit() for sign in key) for key in holding) or any(map(_is_picture, holding)):
            nested = [key for key in holding if _is_map_of_numbers(value[key])]
            if nested and not any(map(_is_picture, holding)):
                yield from self._tracks_of_frames(value, holding, where, depth)
                return
            for key in value:
                if value[key] is None or isinstance(value[key], dict | list):
                    self._note(key, True)
                    yield from self.people(value[key], f"{where}, {key[:40]!a}", key, True, depth + 1)
            return
        raise _several_clips(where, holding)

    def _tracks_of_frames(self, value: dict[str, Any], keys: list[str], where: str, depth: int) -> Iterator[Found]:
        """{person: {frame: joints}}, as kin of AlphaPose write it, or {frame: {person: joints}}: frames are more."""
        inner = {name for key in keys if isinstance(value[key], dict) for name in value[key]}
        frames_within = len(inner) >= len(keys)
        order = "person, then frame" if frames_within else "frame, then person"
        _log.warning("%s: objects by number in objects by number are read as %s; say which by names", where, order)
        for outer in keys:
            for name, entry in (value[outer] if isinstance(value[outer], dict) else {}).items():
                frame, track = (name, outer) if frames_within else (outer, name)
                for person in self.people(entry, f"{where}, {outer[:30]!a}, {name[:30]!a}", frame, True, depth + 2):
                    yield _with_track(person, track)

    def _in_list(
        self, value: list[Any], where: str, frame: Any, framed: bool, depth: int, frames: bool = False
    ) -> Iterator[Found]:
        """The people of the entries, which are frames in order if `frames`, or if they look like it."""
        counted = not framed and (frames or _are_frames(value) or _have_times(value))
        for i, entry in enumerate(value):
            place = f"{where}: {'frame' if counted else 'entry'} {i}"
            if counted and not _says_frame(entry):
                self._note(i, True)
                yield from self.people(entry, place, i, True, depth + 1)
            elif entry is not None and entry != []:
                yield from self.people(entry, place, frame, framed, depth + 1)
            if len(self.frames) > _MAX_FRAMES:
                raise FormatError(f"{where}: expected at most {_MAX_FRAMES} frames, found more; split the file")


def _are_frames(entries: list[Any]) -> bool:
    """Whether the entries of a list are frames by their order, not people of one picture.

    People are objects that hold joints themselves; a list, or an object with people in it, is a frame.
    """
    filled = [entry for entry in entries if entry not in (None, [], {})]
    if not filled:
        return False
    persons = [isinstance(entry, dict) and _holds_pose(entry) and not look_like_points(entry) for entry in filled]
    return not any(persons)


def _have_times(entries: list[Any]) -> bool:
    """Whether each entry says another time."""
    key = next((key for key in _TIMES if entries and isinstance(entries[0], dict) and key in entries[0]), None)
    times = [entry.get(key) for entry in entries if isinstance(entry, dict)] if key is not None else []
    return len(times) > 1 and len(times) == len(entries) == len({str(time) for time in times})


def _several_clips(where: str, keys: list[str]) -> FormatError:
    names = ", ".join(key[:30] for key in keys[:8])
    return FormatError(f"{where}: holds people under {names}; name one as FILE:{keys[0][:30]}")


def _holds_pose(entry: dict[str, Any]) -> bool:
    return any(key in entry and look_like_points(entry[key]) and not _is_landmark_list(key) for key in _POSES)


def _is_landmark_list(key: str) -> bool:
    """Keys under which MediaPipe's results have the one person of a frame."""
    return key in ("poseLandmarks", "pose_landmarks", "landmarks", "landmark")


def _says_frame(entry: Any) -> bool:
    return isinstance(entry, dict) and any(type(entry.get(key)) in (int, str, float) for key in _FRAMES)


def _is_pose(value: Any) -> bool:
    """Whether a value is the joints of a person, or an array with those of several."""
    if look_like_points(value):
        return True
    if isinstance(value, dict):
        return isinstance(value.get("xy"), list)
    return (
        isinstance(value, list)
        and any(isinstance(entry, list) and look_like_points(entry) for entry in value)
        and all(entry is None or isinstance(entry, list) for entry in value)
    )


def _is_array_of_frames(value: Any) -> bool:
    """Whether a value is lists (frame, person, joint, coordinate)."""
    filled = [entry for entry in value if entry] if isinstance(value, list) else []
    return bool(filled) and all(isinstance(entry, list) for entry in filled) and _is_pose(filled[0])


def _as_long(scores: Any, points: list[Any]) -> bool:
    return isinstance(scores, list) and len(scores) == len(points)


def _is_map_of_numbers(value: Any) -> bool:
    return isinstance(value, dict) and bool(value) and all(any(s.isdigit() for s in key) for key in value) and not any(
        key in _POSES for key in value
    ) and not look_like_points(value)  # fmt: skip


def _is_picture(key: str) -> bool:
    return _PICTURE.search(key) is not None


def _is_other(key: str) -> bool:
    return _OTHER.search(key) is not None


def _with_track(person: Found, key: str) -> Found:
    return person if person.track is not None and not person.numbered else replace(person, track=key, numbered=False)
