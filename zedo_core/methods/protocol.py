"""The interface of a loaded lifting method: rows of keypoints in, hypotheses in camera axes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from jaxtyping import Float, Int
from numpy import ndarray

from zedo_core.camera import Camera
from zedo_core.errors import InputError
from zedo_core.skeleton import Skeleton
from zedo_core.types import Keypoints, Lifted

OnRows = Callable[[int], None]


def check_hypotheses(count: int, most: int) -> None:
    """InputError for a number of hypotheses that is out of range."""
    if not 1 <= count <= most:
        raise InputError(f"expected 1 to {most} hypotheses, got {count}")


@runtime_checkable
class Lifter(Protocol):
    """A method with its weights and settings on one device."""

    @property
    def name(self) -> str:
        """Name of the method."""
        ...

    @property
    def weights(self) -> str:
        """Name of the weights."""
        ...

    @property
    def weights_sha256(self) -> str:
        """SHA-256 of the weights file."""
        ...

    @property
    def skeleton(self) -> Skeleton:
        """The joint set of the input and of the result."""
        ...

    @property
    def window(self) -> int | None:
        """Number of frames of a track that are lifted together; None for a method that lifts each row alone."""
        ...

    @property
    def settings(self) -> Mapping[str, Any]:
        """All options, for the record; `iterations` is the number of network calls per hypothesis."""
        ...

    def lift(
        self,
        rows: Keypoints,
        cameras: Sequence[Camera],
        hypotheses: int,
        seed: int = 0,
        on_rows: OnRows = lambda done: None,
    ) -> Lifted:
        """Hypotheses of every row, in metres in camera axes.

        `rows` are undistorted and in the lifter's joint set; `cameras` is one for all frames or one per frame.
        `on_rows` receives the number of rows done. InputError if the number of hypotheses is out of range.
        """
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Steps:
    """The poses of rows after each step of a method, in metres in camera axes; the first are those it starts from."""

    names: tuple[str, ...]  # of the steps
    joints: Float[ndarray, "k n j 3"]


@runtime_checkable
class SteppingLifter(Lifter, Protocol):
    """A lifter whose way to a pose can be shown."""

    def steps(
        self, rows: Keypoints, cameras: Sequence[Camera], wanted: Int[ndarray, " m"], hypotheses: int, seed: int = 0
    ) -> Steps:
        """The steps of the `wanted` rows (ascending) on the way to a hypothesis or candidate that `lift` finds for the
        same arguments.

        All steps of a row have the place in front of the camera of the last one.
        """
        ...


@runtime_checkable
class BonesLifter(Lifter, Protocol):
    """A lifter that makes use of lengths of bones, where they are known."""

    def with_bones(self, bones_m: Mapping[int, Float[ndarray, " j"]]) -> Lifter:
        """The lifter for people with these lengths in metres of the bone to each joint, by track; 0 where not known."""
        ...
