"""People found by MultiPose, their joints read by another network in a crop of each.

In a video the crops are carried from frame to frame: the joints of the frame before say where the next crop is.
MultiPose looks again every few frames and whenever somebody is lost; who is still missing gets a second look where
they were last seen.

Whatever proposes a person, the network judges: a crop without a person in it is dropped, and of several crops of one
person the best remains. MultiPose's own poses stay for people who stand behind others, since a crop of them shows the
one in front.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from zedo_core.detection import multipose
from zedo_core.detection.crops import Part, crop_around, resized, surroundings
from zedo_core.detection.matching import match, pose_distances
from zedo_core.detection.multipose import MultiPose
from zedo_core.detection.protocol import DetectedFrame, Detections
from zedo_core.detection.scores import Scores
from zedo_core.skeleton import COCO17, Skeleton, conversion
from zedo_core.types import Frame

_CLOSE_PX = 320  # what MultiPose sees around the last place of somebody who is lost
_BEHIND_SCORE = 0.5  # of MultiPose, for somebody whom no crop shows
_BEHIND_DISTANCE = 0.3  # of their pose from all others, in diagonals
_LOOK_AGAIN = 10  # frames from one search of the whole picture to the next
_LOOK_CLOSELY = 100  # the same in tiles
_MEMORY = 15  # frames for which somebody who is lost is looked for at their last place


@runtime_checkable
class CropNetwork(Protocol):
    """What reads the joints of one person in a crop, and how it wants its crops."""

    skeleton: Skeleton
    file: Path
    scores: Scores
    margin: float  # sides of a crop in sides of the box of the joints
    interpolation: int  # of OpenCV
    size: tuple[int, int]  # width and height of its crops in px

    def read(self, crops: UInt8[ndarray, "n h w 3"]) -> Float[ndarray, "n j 3"]:
        """Joints [x, y, raw score], x and y in widths and heights of the crop."""
        ...


class TopDownDetector:
    """MultiPose of the package and a network for crops."""

    image_px = multipose.SEARCH_PX

    def __init__(self, name: str, network: CropNetwork, device: str = "cpu") -> None:
        self.name, self.files, self.skeleton = name, (multipose.FILE, network.file), network.skeleton
        self.least_confidence = min(network.scores.is_person, _BEHIND_SCORE)
        self._network, self._multipose = network, MultiPose(device)

    def detect(self, frame: Frame, before: Sequence[DetectedFrame] = ()) -> Detections:
        """The people of a frame, each once and rounded; WeightsError when a model cannot be read."""
        image, last = frame.image, before[-1] if before else None
        people = self._judged(image, () if last is None else last.detections.joints)
        if last is None or len(people) < max(len(last.detections), 1) or _due(frame, last, _LOOK_AGAIN):
            closely = last is None or _due(frame, last, _LOOK_CLOSELY)
            found = _converted(self._multipose.search(image, closely), self.skeleton)
            people = Detections.from_parts(people, self._judged(image, found.joints)).without_duplicates()
            people = Detections.from_parts(people, _behind(people, found))
        for joints in _missing(people, before):
            if (crop := self._crop(joints)) is not None:
                found = self._multipose.look(image, surroundings(crop, image.shape), _CLOSE_PX)
                likely = [joints, *_converted(found, self.skeleton).joints]
                people = Detections.from_parts(people, self._judged(image, likely))
        return people.without_duplicates().rounded()

    def _crop(self, joints: Float[ndarray, "j 3"]) -> Part | None:
        width, height = self._network.size
        return crop_around(joints, self.skeleton, width / height, self._network.margin)

    def _judged(self, image: UInt8[ndarray, "h w 3"], people: Iterable[Float[ndarray, "j 3"]]) -> Detections:
        """The people who are seen in crops around known or likely poses of them."""
        parts = list(dict.fromkeys(part for part in map(self._crop, people) if part is not None))
        joints = self._read(image, parts) if parts else np.empty((0, len(self.skeleton), 3))
        return self._network.scores.people(joints, image.shape)

    def _read(self, image: UInt8[ndarray, "h w 3"], parts: Sequence[Part]) -> Float[ndarray, "n j 3"]:
        """Joints [x px, y px, raw score] of the people in crops."""
        size = self._network.size
        crops = []
        for part in parts:
            width, height = size if part.turns % 2 == 0 else size[::-1]
            crop = resized(image, part, width, height, self._network.interpolation)
            crops.append(np.rot90(crop, part.turns))
        people = []
        for part, joints in zip(parts, self._network.read(np.stack(crops)), strict=True):
            x, y, score = joints.T
            for _ in range(part.turns):
                x, y = 1 - y, x
            upright = np.stack([x, y, score], -1).astype(float)
            people.append(part.in_picture(upright, (part.width, part.height)))
        return np.stack(people)


def _due(frame: Frame, last: DetectedFrame, every: int) -> bool:
    """Whether one of every so many frames came since the last one."""
    return frame.number // every != last.number // every


def _converted(found: Detections, skeleton: Skeleton) -> Detections:
    """People of COCO's 17 joints in another joint set; what cannot be had was not seen."""
    rule, joints = conversion(COCO17, skeleton), found.joints
    converted = [rule.points(joints[..., :2]), rule.confidence(joints[..., 2])[..., None]]
    return replace(found, joints=np.concatenate(converted, -1))


def _behind(people: Detections, found: Detections) -> Detections:
    """People whom MultiPose found, where no crop shows them."""
    rows = [
        row
        for row in range(len(found))
        if found.confidence[row] >= _BEHIND_SCORE
        and (pose_distances(found.joints[row], people.joints) > _BEHIND_DISTANCE).all()
    ]
    return found.take(rows)


def _missing(people: Detections, before: Sequence[DetectedFrame]) -> list[Float[ndarray, "j 3"]]:
    """Last poses of those who were there not long ago and are not now."""
    before = before[-_MEMORY:]
    if len(people) >= max((len(frame.detections) for frame in before), default=0):
        return []
    known, missing = list(people.joints), []  # known: everybody's latest pose, from the present backwards
    for frame in reversed(before):
        joints = frame.detections.joints
        cost = np.array([pose_distances(one, joints) for one in known]).reshape(len(known), len(joints))
        places = dict(match(cost))
        known = [joints[places[a]] if a in places else one for a, one in enumerate(known)]
        gone = [one for b, one in enumerate(joints) if b not in places.values()]
        known, missing = [*known, *gone], [*missing, *gone]
    return missing
