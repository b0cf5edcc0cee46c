"""Even frames from rows at any times, windows over them, and the way back to the rows."""

from __future__ import annotations

import numpy as np
import pytest
from diff_cases import walking

from zedo_core.methods.diff3dhpe.grid import Grid, grids, step_of
from zedo_core.methods.diff3dhpe.windows import Blend, Windows, noise_bank, noise_of

RATES = (12.0, 32.0)


def grid(times_s: np.ndarray) -> Grid:
    (found,) = grids(walking(times_s), RATES)
    return found


def every(hz: float, count: int = 40) -> np.ndarray:
    return np.arange(count) / hz


def keypoint_times(found: Grid, times_s: np.ndarray) -> np.ndarray:
    """The times that the keypoints of the frames belong to."""
    return (1 - found.share) * times_s[found.before] + found.share * times_s[found.after]


class TestGrid:
    @pytest.mark.parametrize("hz", [12, 15, 24, 25, 29.97, 30, 32])
    def test_known_rates_are_taken_as_they_are(self, hz: float) -> None:
        found = grid(every(hz))
        assert found.step_s == pytest.approx(1 / hz) and found.known.all() and len(found) == 40
        np.testing.assert_array_equal(found.before, np.arange(40))
        np.testing.assert_array_equal(found.share, 0)

    @pytest.mark.parametrize("hz", [1, 3, 5, 7.5, 11, 33, 50, 60, 90, 120, 240, 1000])
    def test_others_become_known_ones(self, hz: float) -> None:
        times_s = every(hz, 100)
        found = grid(times_s)
        assert 12 - 1e-6 <= 1 / found.step_s <= 32 + 1e-6
        known = np.flatnonzero(found.known)[:-1]  # the last one may be beyond the last row
        np.testing.assert_allclose(keypoint_times(found, times_s)[known], known * found.step_s, atol=1e-9)
        if hz < 12:  # every row is a frame, the frames between are not known
            np.testing.assert_allclose(found.place, np.round(found.place), atol=1e-9)
            assert found.known.sum() == 100
        else:
            assert found.known.all()

    def test_a_lower_rate_on_request(self) -> None:
        assert step_of(1 / 30, RATES, 15) == pytest.approx(1 / 15)
        assert step_of(1 / 30, RATES, 2) == pytest.approx(1 / 15)  # 10 would be below the range
        assert step_of(1 / 60, RATES, 24) == pytest.approx(1 / 20)
        assert step_of(1 / 30, RATES) == pytest.approx(1 / 30)

    def test_uneven_times(self) -> None:
        """Frames between rows take keypoints from between them."""
        rng = np.random.default_rng(0)
        times_s = np.cumsum(rng.uniform(0.8, 1.2, 80)) / 25
        found = grid(times_s)
        off = keypoint_times(found, times_s) - times_s[0] - np.arange(len(found)) * found.step_s
        assert found.known.mean() > 0.95 and np.abs(off[found.known]).max() < 0.5 * found.step_s + 1e-9
        assert np.median(np.abs(off)) < 0.1 * found.step_s

    def test_gaps(self) -> None:
        """A gap of 0.3 s has frames that are not known; one of 2 s ends the motion."""
        times_s = every(30)
        short = grid(np.delete(times_s, np.s_[10:18]))
        assert len(short) == 40 and np.flatnonzero(~short.known).tolist() == list(range(10, 18))
        two = list(grids(walking(np.concatenate([times_s, times_s + 3])), RATES))
        assert [one.first for one in two] == [0, 40] and [len(one) for one in two] == [40, 40]

    def test_tracks_are_apart(self) -> None:
        times_s = np.concatenate([every(30), every(30)])
        assert [one.first for one in grids(walking(times_s, np.repeat([0, 1], 40)), RATES)] == [0, 40]

    def test_one_row(self) -> None:
        found = grid(np.zeros(1))
        assert len(found) == 1 and found.known.all() and 12 <= 1 / found.step_s <= 32

    @pytest.mark.parametrize("hz", [5, 24, 50, 60, 100, 1000])
    def test_values_return_to_the_rows(self, hz: float) -> None:
        """What is even in time is reproduced at all rows, a parabola away from the ends."""
        times_s = every(hz, 60)
        found = grid(times_s)
        frames_s = np.arange(len(found)) * found.step_s
        line = found.at_rows(np.stack([frames_s, 2 - frames_s], -1))
        inside = times_s <= frames_s[-1]
        np.testing.assert_allclose(line[inside], np.stack([times_s, 2 - times_s], -1)[inside], atol=1e-6)
        if hz > 32:
            middle = (found.place >= 1) & (found.place <= len(found) - 2)
            np.testing.assert_allclose(found.at_rows(frames_s**2)[middle], times_s[middle] ** 2, atol=1e-6)

    def test_values_of_unknown_frames_are_not_used(self) -> None:
        for times_s in (np.delete(every(30), np.s_[10:18]), np.delete(every(60), np.s_[10:21]), every(5)):
            found = grid(times_s)
            values = np.where(found.known, 1.0, np.nan)
            np.testing.assert_array_equal(found.at_rows(values), 1.0)


class TestWindows:
    @pytest.mark.parametrize(("frames", "stride"), [(27, 9), (9, 1), (9, 4), (1, 1)])
    def test_every_frame_has_weight_from_the_middle(self, frames: int, stride: int) -> None:
        found = [grid(every(30, count)) for count in (1, 5, 40)]
        windows = Windows.over(found, frames, stride)
        blend = Blend.of(46, (2,))
        blend.add(windows, np.broadcast_to([3.0, 4.0], (len(windows), frames, 2)).astype(np.float32))
        np.testing.assert_allclose(blend.mean, np.broadcast_to([3.0, 4.0], (46, 2)), rtol=1e-6)
        assert (blend.weights > 0).all()
        used = windows.inside & (windows.weight > 0)
        offset = np.abs(np.arange(frames) - frames // 2)
        assert (np.broadcast_to(offset, used.shape)[used] < stride).all()

    def test_windows_end_with_their_motion(self) -> None:
        windows = Windows.over([grid(every(30, 5)), grid(every(30, 7))], 9, 3)
        motion = np.where(windows.frame < 5, 0, 1)
        assert (motion == motion[:, [4]]).all()
        np.testing.assert_array_equal(windows.inside.sum(1), [5, 5, 5, 5, 7, 5])

    def test_a_blend_moves_from_window_to_window(self) -> None:
        windows = Windows.over([grid(every(30, 9))], 9, 4)
        blend = Blend.of(9, ())
        blend.add(windows, np.broadcast_to([[0.0], [8.0], [16.0]], (3, 9)).astype(np.float32))
        np.testing.assert_allclose(blend.mean, 2 * np.arange(9), atol=1e-6)

    def test_overlapping_windows_have_the_same_noise(self) -> None:
        windows = Windows.over([grid(every(30, 20))], 9, 3)
        noise = noise_of(noise_bank(2, 17, seed=1)[1], windows, 9).numpy()
        np.testing.assert_array_equal(noise[0, 3:], noise[1, :-3])
        assert (noise[0, 0] != noise[0, 1]).all() and abs(noise.std() - 1) < 0.1
