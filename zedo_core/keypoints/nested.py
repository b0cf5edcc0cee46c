"""JSON of any tool with people in frames, told by its structure: what the other readers do not know comes here.

Such are ultralytics' `to_json` and `summary`, MMPose's pictures, MediaPipe Tasks, PoseFlow, ViTPose of Hugging Face,
pose-detection of TensorFlow.js, lists of OpenPose frames, and folders of these with a file per picture.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from zedo_core.errors import FormatError
from zedo_core.keypoints import _json
from zedo_core.keypoints._joint_order import body_of, choose_order
from zedo_core.keypoints._people import Person, keypoints_from_people
from zedo_core.keypoints._points import Points, parse_points
from zedo_core.keypoints._source import Source, number_frames
from zedo_core.keypoints._tracks import parse_tracks
from zedo_core.keypoints._walk import Found, holds_people, walk
from zedo_core.skeleton import BLAZEPOSE33, COCO17, HALPE26, Skeleton
from zedo_core.skeleton.naming import Named, joint_of, match_names
from zedo_core.types import Keypoints

FORM = "any JSON of people in frames, [{keypoints: [[x, y, confidence]]}] in any nesting"
LAST = True  # only what no other format reads
PARTS = True

_MAX_FRAME = 2**53
_MAX_NORMALISED = 2.0  # larger coordinates are pixels
_MAX_CONFIDENCE = 30.0  # larger third values are no confidence
_SIZES = (("width", "height"), ("image_width", "image_height"), ("imageWidth", "imageHeight"), ("img_w", "img_h"),
          ("canvas_width", "canvas_height"), ("video_width", "video_height"), ("w", "h"))  # fmt: skip
_RATES = ("fps", "frame_rate", "frameRate", "framerate", "video_fps")

_log = logging.getLogger(__name__)


def reads(source: Source) -> bool:
    """Whether there is a person anywhere in the JSON, or in a file of the folder; zedo's own files are not for here."""
    return any(holds_people(document) and not _is_own(document) for _, document in source.documents)


def _is_own(document: Any) -> bool:
    return isinstance(document, dict) and str(document.get("format")).startswith("zedo-keypoints")


def read(source: Source) -> Keypoints:
    """The people of all frames.

    Frames are numbered by what the file says, else in order from 0; a file of a folder is one frame, numbered by its
    name. Joints at (0, 0) or (-1, -1) or with a confidence of 0 or less are missing. FormatError when joints are
    neither named nor of a known number.
    """
    found, frames = _walk(source)
    if not found:
        raise FormatError(f"{source.path}: found no people in any of its {len(frames)} frames")
    _warn_of_one_picture(source, found)
    numbers = _numbers([person.frame for person in found], frames, source)
    found = [replace(person, frame=number) for person, number in zip(found, numbers, strict=True)]
    every = sorted(set(_numbers(frames, frames, source)))
    size = None if source.image_size else _size(source)
    return keypoints_from_found(source, found, every, sizes=[size] if size else None, fps=_rate(source))


def keypoints_from_found(
    source: Source,
    found: Sequence[Found],
    frame_numbers: Sequence[int],
    *,
    names: tuple[str, ...] | None = None,
    sizes: Sequence[tuple[int, int]] | None = None,
    fps: float | None = None,
) -> Keypoints:
    """Keypoints of people whose frames are numbers; `names` are those of the joints if the people have none.

    `sizes` are those of the pictures, one or one per frame. FormatError as in `read`.
    """
    where = str(source.path)
    listed = names or _listed_names(source.document)
    count = len(source.skeleton) if source.skeleton else len(listed) if listed else None
    points = [parse_points(person.points, person.scores, person.where, count) for person in found]
    skeleton, values = _in_one_set(source, points, found, listed)
    values = known_confidence(values, where)
    size = source.image_size or (sizes[0] if sizes and len(sizes) == 1 else None)
    values, normalised = to_pixels(values, size, where, edge=skeleton == BLAZEPOSE33)
    if normalised and size is not None:
        sizes = [size]
    numbered = all(person.numbered for person in found)
    tracks = parse_tracks([person.track for person in found], source.path, numbered=numbered)
    people = [
        Person(frame=person.frame, joints=joints, track=track)
        for person, joints, track in zip(found, values, tracks, strict=True)
    ]
    return keypoints_from_people(
        people, skeleton, frame_numbers, source.path, image_sizes=tuple(sizes) if sizes else None, fps=fps
    )


def _walk(source: Source) -> tuple[list[Found], list[Any]]:
    """The people, and all frames by number or name."""
    if source.document is not None:
        return walk(source.document, str(source.path), source.part)
    found: list[Found] = []
    frames: list[Any] = []
    clips = []
    for path, document in source.documents:
        if not holds_people(document) and document not in ([], {}):
            continue
        people, inner = walk(document, str(path))
        if len(set(map(str, inner))) > 1:
            clips.append(path.name)
        frames.append(path.name)
        found += [replace(person, frame=path.name) for person in people]
    if clips and len(frames) == 1:
        (path,) = [path for path, _ in source.documents if path.name == clips[0]]
        return walk(_json.load(path), str(path))
    if clips:
        raise FormatError(
            f"{source.path}: expected a picture per file, found {len(clips)} files with many frames each, such as "
            f"{clips[0]}; give one of these files"
        )
    return found, frames


def _numbers(frames: Sequence[Any], every: Sequence[Any], source: Source) -> list[int]:
    """Frame numbers: whole numbers as they are, names by the number in them."""
    keys = list(dict.fromkeys(map(_key, every)))
    whole = [key for key in keys if isinstance(key, int)]
    if len(whole) == len(keys):
        if max(map(abs, whole), default=0) > _MAX_FRAME:
            raise FormatError(f"{source.path}: expected frame numbers up to {_MAX_FRAME}, found larger ones")
        first = int(isinstance(source.document, dict) and "instance_info" in source.document and min(whole) > 0)
        return [int(_key(frame)) - first for frame in frames]  # MMPose's demos count from 1
    numbers = number_frames([str(key) for key in keys], source.path, source.part)
    return [numbers[str(_key(frame))] for frame in frames]


def _key(frame: Any) -> int | str:
    if isinstance(frame, float) and frame.is_integer():
        return int(frame)
    text = str(frame)
    return int(text) if text.isdecimal() and len(text) <= 15 else text


def _in_one_set(
    source: Source, points: list[Points], found: Sequence[Found], listed: tuple[str, ...] | None
) -> tuple[Skeleton, Float[ndarray, "n j 3"]]:
    """The joint set, and all people in it: by the names of the joints, else by their number."""
    if source.skeleton is None and (named := _names(source, points, listed)) is not None:
        return named.skeleton, np.stack([_by_name(p, named, f.where) for p, f in zip(points, found, strict=True)])
    counts = [len(person.rows) for person in points]
    if len(set(counts)) > 1:
        other = next(i for i, count in enumerate(counts) if count != counts[0])
        raise FormatError(
            f"{found[other].where}: expected {counts[0]} joints as in the first person, found {counts[other]}"
        )
    values = np.stack([person.rows for person in points])
    if source.skeleton is not None:
        if body_of(counts[0], (source.skeleton,)) is None:
            wanted = f"{len(source.skeleton)} joints of {source.skeleton.name}"
            raise FormatError(f"{found[0].where}: expected the {wanted}, found {counts[0]}")
        return source.skeleton, values[:, : len(source.skeleton)]
    places = np.where(np.isfinite(values[..., :2]).all(-1) & (values[..., :2] != 0).any(-1), 1.0, 0.0)
    skeleton = choose_order(np.dstack([np.nan_to_num(values[..., :2]), places]), str(source.path))
    return skeleton, values[:, : len(skeleton)]


def order_by_names(source: Source) -> Skeleton | None:
    """The joint set whose order the list of names in the file begins with; None without names.

    BLAZEPOSE33 stands for a list in the order of no other.
    """
    names = _listed_names(source.document)
    if names is None:
        return None
    joints = tuple(joint_of(name) for name in names)
    for skeleton in (HALPE26, COCO17):
        if joints[: len(skeleton)] == skeleton.joints:
            return skeleton
    return BLAZEPOSE33


def _names(source: Source, points: list[Points], listed: tuple[str, ...] | None) -> Named | None:
    """The joints by the names in the file; None without names."""
    names = points[0].names or listed
    if names is None or all(name.isdecimal() for name in names):
        return None
    return named_joints(names, str(source.path))


def named_joints(names: Sequence[str], where: str) -> Named:
    """The joint set that the names fit; FormatError when they are not a person's, a warning for those left out."""
    repeated = next((name for i, name in enumerate(names) if name in names[:i]), None)
    if repeated is not None:
        raise FormatError(
            f"{where}: expected joints with different names, found {repeated[:30]!a} more than once; give the joint "
            "set by --skeleton NAME|FILE"
        )
    named = match_names(names)
    listed = ", ".join(ascii(name[:30]) for name in names[:12])
    if named is None:
        raise FormatError(
            f"{where}: expected the joints of a person (shoulders, hips, knees ...), found {listed}; rename them, or "
            "give the joint set by --skeleton NAME|FILE"
        )
    if named.unknown:
        left_out = ", ".join(ascii(name[:30]) for name in named.unknown[:8])
        _log.warning("%s: joints of %s by name; left out: %s", where, named.skeleton.name, left_out)
    return named


def _by_name(person: Points, named: Named, where: str) -> Float[ndarray, "j 3"]:
    values = np.zeros((len(named.skeleton), 3))
    values[:, :2] = np.nan
    source = list(named.source)
    if person.names is not None:
        again = match_names(person.names)
        if again is None or again.skeleton != named.skeleton:
            place = {joint: i for i, joint in enumerate(person.names)}
            wanted = [(joint, place.get(name)) for joint, name in zip(named.joints, person.names, strict=False)]
            source = [i for _, i in wanted if i is not None]
        else:
            named, source = again, list(again.source)
    if max(source, default=-1) >= len(person.rows):
        raise FormatError(
            f"{where}: expected {max(source) + 1} joints as in the list of names, found {len(person.rows)}"
        )
    values[list(named.joints)[: len(source)]] = person.rows[source]
    return values


def _listed_names(document: Any) -> tuple[str, ...] | None:
    """The names of the joints in order, as MMPose and COCO list them beside the people."""
    if not isinstance(document, dict):
        return None
    meta = document.get("meta_info")
    table = meta.get("keypoint_id2name") if isinstance(meta, dict) else None
    if isinstance(table, dict) and all(isinstance(name, str) for name in table.values()):
        return tuple(table.values())
    keys = ("keypoint_names", "keypoints_names", "joint_names", "landmark_names", "bodyparts", "keypoint_labels")
    listed = next((document[key] for key in keys if isinstance(document.get(key), list)), None)
    return tuple(listed) if listed and all(isinstance(name, str) for name in listed) else None


def known_confidence(values: Float[ndarray, "n j 3"], where: str) -> Float[ndarray, "n j 3"]:
    """Confidences from 0 to 1, with 0 0 0 for missing joints; in a file without any, 1 where there is a place.

    FormatError when the third value cannot be a confidence.
    """
    values = values.copy()
    xy, confidence = values[..., :2], values[..., 2]
    placed = np.isfinite(xy).all(-1) & (xy != 0).any(-1) & (xy != -1).any(-1)
    given = confidence[placed & np.isfinite(confidence)]
    if given.size and (given.max() > _MAX_CONFIDENCE or (given.min() < -1.5 and given.max() <= 0)):
        raise FormatError(
            f"{where}: expected a confidence as the third value of a joint, found {given.min():g} to {given.max():g}; "
            "are these places in space?"
        )
    if given.size and given.max() <= 0:
        _log.warning("%s: all confidences are 0 or less, although joints have places; all are taken as seen", where)
        confidence[placed] = 1.0
    confidence[placed & np.isnan(confidence)] = 1.0
    confidence[~placed] = 0.0
    confidence[:] = np.clip(confidence, 0.0, 1.0)
    values[confidence == 0] = 0.0
    return values


def to_pixels(
    values: Float[ndarray, "n j 3"], size: tuple[int, int] | None, where: str, *, edge: bool
) -> tuple[Float[ndarray, "n j 3"], bool]:
    """The values in pixels, and whether they were relative to the picture; FormatError if its size is then unknown.

    `edge`: relative to the edge of the picture, as MediaPipe's are, so that pixel centres lie half a pixel further.
    """
    seen = values[values[..., 2] > 0][:, :2]
    if not len(seen) or np.abs(seen).max() > _MAX_NORMALISED:
        return values, False
    if (seen < 0).mean() > 0.2:
        raise FormatError(
            f"{where}: expected pixels, or coordinates from 0 to 1, found {seen.min():.3g} to {seen.max():.3g}; give "
            "them in pixels"
        )
    if size is None:
        raise FormatError(f"{where}: has normalised coordinates but not the image size; give --image-size WIDTHxHEIGHT")
    pixels = values.copy()
    pixels[..., :2] = values[..., :2] * size - (0.5 if edge else 0.0)
    pixels[values[..., 2] == 0] = 0.0
    return pixels, True


def _warn_of_one_picture(source: Source, found: list[Found]) -> None:
    """Say so when several people without frames, ids and boxes may be one person's frames."""
    document = source.document
    bare = isinstance(document, list) and all(isinstance(e, dict) and not {"bbox", "box"} & e.keys() for e in document)
    if bare and len(found) > 1 and len({str(person.frame) for person in found}) == 1:
        _log.warning(
            "%s: %d people without frame numbers are read as those of one picture; frames need a frame_id each",
            source.path, len(found),
        )  # fmt: skip


def _size(source: Source) -> tuple[int, int] | None:
    """The one picture size that the file states, at its top or in its first entry."""
    for _, document in source.documents[:1]:
        first = document[0] if isinstance(document, list) and document else document
        for place in (first, first.get("meta_info") if isinstance(first, dict) else None):
            if not isinstance(place, dict):
                continue
            for keys in _SIZES:
                pair = tuple(place.get(key) for key in keys)
                if all(type(side) is int and side > 1 for side in pair):
                    return pair[0], pair[1]  # type: ignore[return-value]
            pair = place.get("image_size")
            if isinstance(pair, list) and len(pair) == 2 and all(type(side) is int and side > 1 for side in pair):
                return pair[0], pair[1]
    return None


def _rate(source: Source) -> float | None:
    document = source.document
    rate = next((document[key] for key in _RATES if document.get(key)), None) if isinstance(document, dict) else None
    return float(rate) if isinstance(rate, int | float) and 0 < rate < _MAX_FRAME else None
