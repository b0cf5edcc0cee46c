"""The values that travel between the stages: frozen, checked once when they are made.

Axis letters: t frame, p person (track), h hypothesis, j joint; the last axis is the coordinate.
Pixel (0, 0) is the centre of the top-left pixel; camera axes are x right, y down, z forward.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from numpy import ndarray

from zedo_core.camera import Camera
from zedo_core.errors import InputError
from zedo_core.skeleton import Skeleton, conversion

# Expected error in metres above which a pose is not to be trusted. Of held-out motions with up to 8 px of noise it
# marks 6 %: half of the poses that are wrong by more than 150 mm, and three of four marked ones by half of that.
DOUBTFUL_M = 0.095

FRAME_RATES = (1e-3, 1e5)  # frames a second that a recording can have; beyond, times have no digits left for smoothing


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One picture of the input: RGB pixels, upright, with its place in the input."""

    image: UInt8[ndarray, "height width 3"]
    number: int
    time_s: float
    name: str = ""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.image.shape[1], self.image.shape[0]


@dataclass(frozen=True, kw_only=True)
class Keypoints:
    """2D keypoints of one or more tracked people.

    `xy` in pixels; `confidence` 0..1, 0 means that the joint was not seen (its `xy` is then 0). A
    person who is absent in a frame has confidence 0 in every joint: a gap in the track.
    `image_sizes` holds (width, height), once for all frames or once per frame. `who` as in `Poses`.
    """

    xy: Float[ndarray, "t p j 2"]
    confidence: Float[ndarray, "t p j"]
    skeleton: Skeleton
    frame_numbers: Int[ndarray, " t"]
    track_ids: Int[ndarray, " tracks"]
    image_sizes: tuple[tuple[int, int], ...] | None = None
    fps: float | None = None
    times_s: Float[ndarray, " t"] | None = None
    who: Int[ndarray, "t p"] | None = None

    def __post_init__(self) -> None:
        t, p, j = self.confidence.shape
        if self.xy.shape != (t, p, j, 2) or j != len(self.skeleton):
            raise InputError(
                f"keypoints: expected xy (t, p, {len(self.skeleton)}, 2) and confidence (t, p, {len(self.skeleton)}) "
                f"for {self.skeleton.name}, got {self.xy.shape} and {self.confidence.shape}"
            )
        if self.frame_numbers.shape != (t,):
            raise InputError(f"keypoints: expected {t} frame numbers, got {self.frame_numbers.shape}")
        _check_tracks(self.track_ids, self.who, (t, p))
        if self.times_s is not None and self.times_s.shape != (t,):
            raise InputError(f"keypoints: expected {t} frame times, got {self.times_s.shape}")
        if self.fps is not None and not (np.isfinite(self.fps) and self.fps > 0):
            raise InputError(f"keypoints: expected a frame rate above 0, got {self.fps}")
        if self.image_sizes is not None and len(self.image_sizes) not in (1, t):
            raise InputError(f"keypoints: expected 1 or {t} image sizes, got {len(self.image_sizes)}")
        self._check_values()

    def _check_values(self) -> None:
        bad = ~(np.isfinite(self.xy).all(-1) & np.isfinite(self.confidence))
        if bad.any():
            t, p, j = np.argwhere(bad)[0]
            raise InputError(
                f"keypoints: frame {self.frame_numbers[t]}, person {self.track_ids[p]}, joint "
                f"{self.skeleton.joints[j]} is not a finite number; mark a missing joint by confidence 0"
            )
        if (self.confidence < 0).any() or (self.confidence > 1).any():
            worst = self.confidence.flat[np.abs(self.confidence - 0.5).argmax()]
            raise InputError(f"keypoints: confidences must lie in 0..1, found {worst:g}")

    @property
    def present(self) -> Bool[ndarray, "t p"]:
        """Where a person was seen at all."""
        return np.any(self.confidence > 0, axis=-1)

    def tracks(self, t: int) -> Int[ndarray, " p"]:
        """Whose each column is in the t-th frame, as places in `track_ids`."""
        return np.arange(len(self.track_ids)) if self.who is None else self.who[t]

    def to_skeleton(self, target: Skeleton) -> Keypoints:
        """The same people in another joint set, by joint name."""
        if target == self.skeleton:
            return self
        rule = conversion(self.skeleton, target)
        confidence = rule.confidence(self.confidence)
        xy = np.where(confidence[..., None] > 0, rule.points(self.xy), 0.0)
        return replace(self, xy=xy, confidence=confidence, skeleton=target)

    def undistorted(self, cameras: tuple[Camera, ...]) -> Keypoints:
        """The same keypoints as cameras without distortion would see them; missing where the lens has no answer."""
        if not any(camera.is_distorted for camera in cameras):
            return self
        if len(cameras) == 1:
            xy = cameras[0].undistort(self.xy)
        else:
            xy = np.stack([camera.undistort(frame) for camera, frame in zip(cameras, self.xy, strict=True)])
        confidence = np.where(np.isfinite(xy).all(-1), self.confidence, 0.0)
        return replace(self, xy=np.where(confidence[..., None] > 0, xy, 0.0), confidence=confidence)


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """What made a result: enough to make it again."""

    method: str
    weights: str
    weights_sha256: str
    version: str
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Lifted:
    """What a method makes of rows of observed people, the hypothesis to choose first.

    `joints` in metres in camera axes; `origin` is where the method placed the origin of its own pose,
    which need not be the root exactly; `score` and `spread` as in `Poses`.
    """

    joints: Float[ndarray, "b h j 3"]
    origin: Float[ndarray, "b h 3"]
    score: Float[ndarray, "b h"]
    spread: Float[ndarray, "b j"]


@dataclass(frozen=True, kw_only=True)
class Poses:
    """3D poses of tracked people in camera axes.

    `joints` in metres, with the root's translation; NaN where a person is absent. `score` is minus the
    expected error of each hypothesis in metres (higher is better), `chosen` the index of the one to
    use (-1 where absent), `spread` the error to expect of each joint in metres, root mean square, relative to the root.
    `cameras` holds one camera for all frames or one per frame. `filled` marks poses that were made up between two
    frames, None where none was.

    A column is a track, p = len(track_ids), unless `who` says whose each column is in each frame: as a place in
    `track_ids`, -1 for nobody. Such columns come from `zedo_core.packed`, for clips of many who are not there at once.
    """

    joints: Float[ndarray, "t p h j 3"]
    score: Float[ndarray, "t p h"]
    chosen: Int[ndarray, "t p"]
    spread: Float[ndarray, "t p j"]
    skeleton: Skeleton
    cameras: tuple[Camera, ...]
    frame_numbers: Int[ndarray, " t"]
    track_ids: Int[ndarray, " tracks"]
    provenance: Provenance
    fps: float | None = None
    times_s: Float[ndarray, " t"] | None = None
    filled: Bool[ndarray, "t p"] | None = None
    who: Int[ndarray, "t p"] | None = None

    def __post_init__(self) -> None:
        t, p, h, j, axes = self.joints.shape
        shapes = (self.score.shape, self.chosen.shape, self.spread.shape)
        if shapes != ((t, p, h), (t, p), (t, p, j)) or (j, axes) != (len(self.skeleton), 3):
            raise InputError(f"poses: arrays of shapes {self.joints.shape}, {shapes} do not fit together")
        if len(self.cameras) not in (1, t):
            raise InputError(f"poses: expected 1 or {t} cameras, got {len(self.cameras)}")
        if self.chosen.max(initial=-1) >= h:
            raise InputError(f"poses: a chosen hypothesis is {self.chosen.max()}, there are only {h}")
        if self.filled is not None and self.filled.shape != (t, p):
            raise InputError(f"poses: expected marks of filled frames of shape {(t, p)}, got {self.filled.shape}")
        _check_tracks(self.track_ids, self.who, (t, p))

    @property
    def present(self) -> Bool[ndarray, "t p"]:
        """Where a person has a pose."""
        return self.chosen >= 0

    @property
    def is_filled(self) -> Bool[ndarray, "t p"]:
        """Where that pose was made up between two frames."""
        return np.zeros_like(self.present) if self.filled is None else self.present & self.filled

    @property
    def expected_error_m(self) -> Float[ndarray, "t p"]:
        """What the score says of the chosen hypothesis, in metres; NaN where absent or unknown."""
        score = np.take_along_axis(self.score, np.maximum(self.chosen, 0)[..., None], axis=2)[..., 0]
        return np.where(self.present, -score.astype(float), np.nan)

    @property
    def doubtful(self) -> Bool[ndarray, "t p"]:
        """Where a pose is not to be trusted: its expected error is above `DOUBTFUL_M`, or joints are unknown."""
        missing = ~np.isfinite(self.best).all((-1, -2))
        return self.present & (missing | (np.nan_to_num(self.expected_error_m) > DOUBTFUL_M))

    def tracks(self, t: int) -> Int[ndarray, " p"]:
        """Whose each column is in the t-th frame, as places in `track_ids`."""
        return np.arange(len(self.track_ids)) if self.who is None else self.who[t]

    def camera(self, t: int) -> Camera:
        """The camera of the t-th frame."""
        return self.cameras[t if len(self.cameras) > 1 else 0]

    @property
    def best(self) -> Float[ndarray, "t p j 3"]:
        """The chosen hypothesis of every person and frame; NaN where absent."""
        index = np.maximum(self.chosen, 0)[:, :, None, None, None]
        return np.take_along_axis(self.joints, index, axis=2)[:, :, 0]


def _check_tracks(track_ids: ndarray, who: ndarray | None, shape: tuple[int, int]) -> None:
    if who is None and track_ids.shape != shape[1:]:
        raise InputError(f"people: expected {shape[1]} track ids, got {track_ids.shape}")
    if who is not None and (who.shape != shape or who.max(initial=-1) >= len(track_ids)):
        raise InputError(f"people: expected places among {len(track_ids)} tracks in shape {shape}, got {who.shape}")
