"""Parts of an input: parsing of start and end, and the frames in a cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zedo_core.errors import InputError
from zedo_core.source.cut import WHOLE, Cut, Moment


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("90", 90, "s"),
        ("90.5", 90.5, "s"),
        ("7s", 7, "s"),
        ("0", 0, "s"),
        ("1:30", 90, "s"),
        ("90:00", 5400, "s"),
        ("0:01:30.5", 90.5, "s"),
        ("2:00:00", 7200, "s"),
        ("0f", 0, "frame"),
        ("2700f", 2700, "frame"),
    ],
)
def test_valid_moments(text: str, value: float, unit: str) -> None:
    assert Moment.parse(text) == Moment(value, unit)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text", ["", "-1", "1:60", "1:2:3:4", "1:60:00", "f", "1.5f", "nan", "inf", "1e3", "²", "a", " 1"]
)
def test_invalid_moments_are_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"expected seconds \(90\.5\).*got"):
        Moment.parse(text)


@pytest.mark.parametrize(("start", "end"), [("5", "5"), ("2:00", "90"), ("10f", "3f")])
def test_an_end_before_the_start_is_refused(start: str, end: str) -> None:
    with pytest.raises(InputError, match="start before the end"):
        Cut(start=Moment.parse(start), end=Moment.parse(end))


@pytest.mark.parametrize("every", [0, -2])
def test_invalid_steps_are_refused(every: int) -> None:
    with pytest.raises(InputError, match="every n-th"):
        Cut(every=every)


def frames_in(cut: Cut, count: int = 20, fps: float = 10.0) -> list[int]:
    return [n for n, _ in cut.take([(n, n / fps) for n in range(count)], lambda place: place)]


def cut(start: str | None = None, end: str | None = None, every: int = 1) -> Cut:
    first, last = (None if text is None else Moment.parse(text) for text in (start, end))
    return Cut(start=first, end=last, every=every)


@pytest.mark.parametrize(
    ("part", "numbers"),
    [
        (WHOLE, list(range(20))),
        (cut("0.3", "0.7"), [3, 4, 5, 6]),
        (cut("3f", "7f"), [3, 4, 5, 6]),
        (cut("0.25", "7f"), [3, 4, 5, 6]),
        (cut("5f", None, 7), [5, 12, 19]),
        (cut(None, "9f", 4), [0, 4, 8]),
        (cut("50f"), []),
        (cut("1.9"), [19]),
    ],
    ids=str,
)
def test_frames_in_a_cut(part: Cut, numbers: list[int]) -> None:
    assert frames_in(part) == numbers
    assert part.count(20, 10.0) == len(numbers)


def test_nothing_is_read_after_the_end() -> None:
    def endless():
        yield from ((n, n / 10) for n in range(1000))
        raise AssertionError("read too far")

    assert len(list(cut(None, "5f").take(endless(), lambda place: place))) == 5


def test_the_count_is_unknown_without_a_rate() -> None:
    assert cut("1.0").count(20, None) is None and cut("4f").count(20, None) == 16 and WHOLE.count(None, 30.0) is None


@given(st.integers(0, 30), st.integers(1, 30), st.integers(1, 7))
def test_frames_are_those_of_a_slice(start: int, length: int, every: int) -> None:
    part = Cut(start=Moment(start, "frame"), end=Moment(start + length, "frame"), every=every)
    wanted = list(range(20))[start : start + length : every]
    assert frames_in(part) == wanted and part.count(20, None) == len(wanted)


def test_str_gives_command_line_options() -> None:
    assert str(cut("1:30", "300f", 2)) == "--start 90 --end 300f --every 2" and str(WHOLE) == ""
