"""The part of an input to use: from one moment to another, every n-th frame."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeVar

from zedo_core.errors import InputError

Item = TypeVar("Item")

_FRAME = re.compile(r"([0-9]{1,12})f")
_SECONDS = re.compile(r"([0-9]{1,9}(?:\.[0-9]*)?)s?")
_CLOCK = re.compile(r"(?:([0-9]{1,4}):)?([0-9]{1,4}):([0-9]{1,2}(?:\.[0-9]*)?)")
_TOLERANCE_S = 1e-6  # for times written in decimals


@dataclass(frozen=True)
class Moment:
    """A time in seconds from the start of the input, or a frame number, counted from 0."""

    value: float
    unit: Literal["s", "frame"] = "s"

    def __post_init__(self) -> None:
        if not (math.isfinite(self.value) and self.value >= 0):
            raise InputError(f"expected a time or a frame number of at least 0, got {self.value:g}")

    @classmethod
    def parse(cls, text: str) -> Moment:
        """Parse seconds (`90`, `90.5`, `90s`, `1:30`, `0:01:30.5`) or a frame number (`2700f`); else InputError."""
        if frame := _FRAME.fullmatch(text):
            return cls(int(frame[1]), "frame")
        if seconds := _SECONDS.fullmatch(text):
            return cls(float(seconds[1]))
        if clock := _CLOCK.fullmatch(text):
            hours, minutes, rest = int(clock[1] or 0), int(clock[2]), float(clock[3])
            if rest < 60 and (clock[1] is None or minutes < 60):
                return cls(3600 * hours + 60 * minutes + rest)
        raise InputError(f"expected seconds (90.5), minutes:seconds (1:30) or a frame number (2700f), got '{text}'")

    def reached(self, number: int, time_s: float) -> bool:
        """Whether a frame is at or after this moment."""
        return number >= self.value if self.unit == "frame" else time_s >= self.value - _TOLERANCE_S

    def __str__(self) -> str:
        return f"{self.value:.0f}f" if self.unit == "frame" else f"{self.value:.12g}"


@dataclass(frozen=True, kw_only=True)
class Cut:
    """The frames from `start` up to, but not including, `end`; of these every n-th, beginning with the first."""

    start: Moment | None = None
    end: Moment | None = None  # exclusive
    every: int = 1

    def __post_init__(self) -> None:
        if operator.index(self.every) < 1:
            raise InputError(f"expected every n-th frame with n of at least 1, got {self.every}")
        start, end = self.start, self.end
        if start and end and start.unit == end.unit and start.value >= end.value:
            raise InputError(f"expected a start before the end, got {start} and {end}; note that the end is exclusive")

    @property
    def needs_times(self) -> bool:
        """Whether start or end are given in seconds."""
        return any(moment is not None and moment.unit == "s" for moment in (self.start, self.end))

    def take(self, items: Iterable[Item], place: Callable[[Item], tuple[int, float]]) -> Iterator[Item]:
        """The items that lie in the cut, from items in order; `place` gives the frame number and time of each."""
        first = None
        for item in items:
            number, time_s = place(item)
            if self.end is not None and self.end.reached(number, time_s):
                return
            if self.start is not None and not self.start.reached(number, time_s):
                continue
            first = number if first is None else first
            if (number - first) % self.every == 0:
                yield item

    def count(self, frames: int | None, fps: float | None) -> int | None:
        """About how many of `frames` lie in the cut; None where that is unknown."""
        moments = (self.start, self.end)
        ends = [self._frame(moment, fps) for moment in moments]
        if frames is None or any(end is None and moment for end, moment in zip(ends, moments, strict=True)):
            return None
        first, last = ends[0] or 0, min(frames, frames if ends[1] is None else ends[1])
        return max(0, -((first - last) // self.every))

    @staticmethod
    def _frame(moment: Moment | None, fps: float | None) -> int | None:
        if moment is None or (moment.unit == "s" and fps is None):
            return None
        return int(moment.value) if moment.unit == "frame" else math.ceil(moment.value * (fps or 0.0) - _TOLERANCE_S)

    def __str__(self) -> str:
        """As options of the command line; empty for all frames."""
        words = [f"--{name} {moment}" for name, moment in (("start", self.start), ("end", self.end)) if moment]
        return " ".join([*words, *([f"--every {self.every}"] if self.every > 1 else [])])


WHOLE = Cut()
