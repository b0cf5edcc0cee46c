"""3D poses of tracked people, with all their hypotheses and their provenance."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from zedo_core.camera import Camera
from zedo_core.errors import InputError
from zedo_core.skeleton import FEET
from zedo_core.types.rows import Rows, apply_cameras
from zedo_core.types.tables import as_dataframe, long_table, picture

if TYPE_CHECKING:
    import pandas

# Expected error in metres above which a pose is not to be trusted. On held-out motions with up to 8 px of noise it
# marks 6 % of the poses: half of those off by more than 150 mm; three in four of the marked ones are off by half that.
DOUBTFUL_M = 0.095
# Least confidence of a keypoint that was seen; detectors place joints outside the picture as well, with less.
SEEN = 0.2


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """How a result was produced: everything needed to reproduce it."""

    method: str
    weights: str
    weights_sha256: str
    version: str
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class Lifted:
    """The output of a method for rows of keypoints, the best hypothesis first.

    `joints` in metres in camera axes. `score` is minus the expected error of a hypothesis and `spread` the expected
    error of a joint, as in `Poses`; None where the method does not estimate them. `origin` is where the method placed
    the origin of its own pose, for the protocol that measures errors from there; None where that is the root.
    """

    joints: Float[ndarray, "n h j 3"]
    score: Float[ndarray, "n h"] | None = None
    spread: Float[ndarray, "n j"] | None = None
    origin: Float[ndarray, "n h 3"] | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class DensePoses:
    """Poses as arrays over all frames and people; NaN, -1 in `chosen` and False where a person is absent."""

    joints: Float[ndarray, "t p h j 3"]
    score: Float[ndarray, "t p h"]
    chosen: Int[ndarray, "t p"]
    spread: Float[ndarray, "t p j"]
    filled: Bool[ndarray, "t p"]
    contact: Bool[ndarray, "t p 2"] | None
    seen: Bool[ndarray, "t p j"] | None
    feet: Float[ndarray, "t p f 3"] | None
    best: Float[ndarray, "t p j 3"]
    track_ids: Int[ndarray, " p"]

    @property
    def present(self) -> Bool[ndarray, "t p"]:
        """Where a person has a pose."""
        return self.chosen >= 0


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Poses(Rows):
    """3D poses of tracked people in camera axes, one row per person and frame.

    `joints` in metres, including the root's translation; NaN where a joint is unknown. `score` is minus the expected
    error of each hypothesis in metres (higher is better), `chosen` the index of the selected one, `spread` the expected
    error of each joint in metres (root mean square, relative to the root); score and spread are NaN where a method does
    not estimate them. `cameras` holds one camera for all frames or one per frame. `filled` marks poses that were
    interpolated across a gap. `contact` tells whether the left and the right foot stand; None where nobody asked.
    `seen` tells which joints were keypoints, with a confidence of at least `SEEN`; None where that is not known. `feet`
    are the joints `FEET` of the chosen pose in metres, NaN where unknown; None where the keypoints have no feet.
    """

    joints: Float[ndarray, "n h j 3"]
    score: Float[ndarray, "n h"]
    chosen: Int[ndarray, " n"]
    spread: Float[ndarray, "n j"]
    filled: Bool[ndarray, " n"]
    cameras: tuple[Camera, ...]
    provenance: Provenance
    contact: Bool[ndarray, "n 2"] | None = None
    seen: Bool[ndarray, "n j"] | None = None
    feet: Float[ndarray, "n f 3"] | None = None

    PER_ROW: ClassVar[tuple[str, ...]] = (
        *("frame", "track", "joints", "score", "chosen", "spread", "filled", "contact", "seen", "feet"),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        n, j, t = len(self.frame), len(self.skeleton), len(self.frame_numbers)
        h = self.joints.shape[1] if self.joints.ndim == 4 else 0
        shapes = [array.shape for array in (self.joints, self.score, self.chosen, self.spread, self.filled)]
        if shapes != [(n, h, j, 3), (n, h), (n,), (n, j), (n,)]:
            raise InputError(f"poses: arrays of shapes {shapes} do not fit {n} rows of {self.skeleton.name}")
        for name, shape in (("contact", (n, 2)), ("seen", (n, j)), ("feet", (n, len(FEET), 3))):
            if (array := getattr(self, name)) is not None and array.shape != shape:
                raise InputError(f"poses: expected {name} {shape}, got {array.shape}")
        if len(self.cameras) not in (1, t):
            raise InputError(f"poses: expected 1 or {t} cameras, got {len(self.cameras)}")
        if n and not 0 <= self.chosen.min() <= self.chosen.max() < h:
            given = f"{self.chosen.min()} to {self.chosen.max()}"
            raise InputError(f"poses: expected chosen hypotheses from 0 to {h - 1}, got {given}")

    @property
    def hypotheses(self) -> int:
        """Number of hypotheses of each row."""
        return self.joints.shape[1]

    @property
    def best(self) -> Float[ndarray, "n j 3"]:
        """The chosen hypothesis of every row."""
        return self.joints[np.arange(len(self)), self.chosen]

    @property
    def expected_error_m(self) -> Float[ndarray, " n"]:
        """Expected error of the chosen hypothesis in metres, from its score; NaN where the method gives none."""
        return -self.score[np.arange(len(self)), self.chosen].astype(float)

    @property
    def doubtful(self) -> Bool[ndarray, " n"]:
        """Whether a pose is not to be trusted: its expected error is above `DOUBTFUL_M`, or joints are unknown."""
        missing = ~np.isfinite(self.best).all((-1, -2))
        return missing | (np.nan_to_num(self.expected_error_m) > DOUBTFUL_M)

    def camera(self, t: int) -> Camera:
        """The camera of the t-th frame."""
        return self.cameras[t if len(self.cameras) > 1 else 0]

    def projected(self) -> Float[ndarray, "n j 2"]:
        """The chosen poses projected into their cameras, in pixels; NaN for points not in front of the camera."""
        return apply_cameras(self.cameras, self.frame, self.best, Camera.project)

    def dense(self) -> DensePoses:
        """The poses as arrays over all frames and people."""
        return DensePoses(
            joints=self.scatter(self.joints, np.nan),
            score=self.scatter(self.score, np.nan),
            chosen=self.scatter(self.chosen, -1),
            spread=self.scatter(self.spread, np.nan),
            filled=self.scatter(self.filled, False),
            contact=None if self.contact is None else self.scatter(self.contact, False),
            seen=None if self.seen is None else self.scatter(self.seen, False),
            feet=None if self.feet is None else self.scatter(self.feet, np.nan),
            best=self.scatter(self.best, np.nan),
            track_ids=self.track_ids,
        )

    def table(self, points: Float[ndarray, "n j 3"] | None = None) -> dict[str, ndarray]:
        """Columns of a table with one line per known joint of the chosen poses: frame by frame, metres, seconds.

        The coordinates are those of the joints in camera axes, or `points`.
        """
        best, rows = self.best if points is None else points, np.arange(len(self))
        columns = {
            **{f"{axis}_m": best[..., i] for i, axis in enumerate("xyz")},
            "spread_m": self.spread,
            "score": self.score[rows, self.chosen],
            "hypothesis": self.chosen,
            "filled": self.filled.astype(int),
            "doubtful": self.doubtful.astype(int),
        }
        if self.contact is not None:
            feet = [[name.startswith(f"{side}_") for name in self.skeleton.joints] for side in ("left", "right")]
            ankles = [name.endswith("_ankle") for name in self.skeleton.joints]
            columns["contact"] = (self.contact.astype(int) @ np.array(feet, int)) * np.array(ankles, int)
        return long_table(self, np.asarray(np.isfinite(best).all(-1)), columns)

    def to_dataframe(self) -> pandas.DataFrame:
        """`table` as a pandas DataFrame with the columns of `poses.csv`; MissingExtraError without pandas."""
        return as_dataframe(self.table())

    def _details(self) -> str:
        error = self.expected_error_m
        mean = f", expected error {1000 * float(np.nanmean(error)):.0f} mm" if np.isfinite(error).any() else ""
        return f"{self.hypotheses} hypotheses by {self.provenance.method}{mean}"

    def _repr_html_(self) -> str:
        best = self.best.astype(float)
        return picture(self, {"from the camera": best[..., :2], "from the side": best[..., [2, 1]]})
