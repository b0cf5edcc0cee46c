"""The lifter: whole motions at any frame rate, gaps, single frames, hypotheses, mirror images and batches."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diff_cases import CAMERA, tiny_lifter, walking
from erd_cases import tiny_weights as tiny_erd

import zedo_core as zedo
from zedo_core.errors import InputError
from zedo_core.methods.calibration import Calibration
from zedo_core.methods.diff3dhpe import lifter as module
from zedo_core.methods.diff3dhpe.lifter import DiffLifter
from zedo_core.methods.diff3dhpe.loading import load
from zedo_core.methods.diff3dhpe.options import DiffOptions, preset
from zedo_core.methods.diff3dhpe.weights import load_weights, save_weights
from zedo_core.methods.erd.weights import load_weights as load_erd
from zedo_core.nets.mixste import MixSTE, MixSTEConfig
from zedo_core.skeleton import H36M17
from zedo_core.train.sequences import SequenceOptions
from zedo_core.types import Keypoints


def every(hz: float, count: int = 30) -> np.ndarray:
    return np.arange(count) / hz


def lift(lifter: DiffLifter, people: Keypoints, hypotheses: int = 1, seed: int = 0) -> zedo.Lifted:
    return lifter.lift(people, (CAMERA,), hypotheses, seed)


def relative(lifted: zedo.Lifted) -> np.ndarray:
    return lifted.joints - lifted.joints[:, :, [H36M17.root]]


@pytest.mark.parametrize("form", ["seq2seq", "seq2frame"])
@pytest.mark.parametrize("hz", [1, 5, 12.5, 30, 59.94, 240, 1000])
def test_any_frame_rate(tmp_path: Path, form: str, hz: float) -> None:
    lifter = tiny_lifter(tmp_path, form)
    lifted = lift(lifter, walking(every(hz)), 2)
    assert lifted.joints.shape == (30, 2, 17, 3) and np.isfinite(lifted.joints).all()
    assert lifted.score is not None and lifted.spread is not None and lifted.origin is not None
    assert (lifted.score <= 0).all() and (lifted.spread >= 0).all() and (lifted.origin[..., 2] > 0).all()
    np.testing.assert_allclose(lifted.joints[:, :, H36M17.root], lifted.origin, rtol=0, atol=1e-5)


def test_one_frame_two_frames_and_none(tmp_path: Path) -> None:
    lifter, people = tiny_lifter(tmp_path), walking(every(30))
    for count in (0, 1, 2):
        lifted = lift(lifter, people.take(slice(0, count)))
        assert len(lifted.joints) == count and np.isfinite(lifted.joints).all()


def test_absent_for_a_second(tmp_path: Path) -> None:
    """Longer gaps part motions, which then do not see each other; shorter ones are seen through."""
    lifter = tiny_lifter(tmp_path)
    people = walking(every(30, 80))
    rows = np.r_[0:20, 60:80]
    parted = relative(lift(lifter, people.take(rows)))
    apart = relative(lift(lifter, people.take(rows[:20])))
    np.testing.assert_allclose(parted[:20], apart, rtol=0, atol=1e-5)
    near = np.r_[0:20, 22:40]
    seen = relative(lift(lifter, people.take(near)))
    assert np.abs(seen[:20] - apart).max() > 1e-4


def test_missing_joints_do_not_matter(tmp_path: Path) -> None:
    lifter, people = tiny_lifter(tmp_path), walking(every(30))
    confidence = people.confidence.copy()
    confidence[:, 5] = 0
    off = people.xy.copy()
    off[:, 5] += 300
    a, b = (lift(lifter, replace(people, xy=xy, confidence=confidence)).joints for xy in (people.xy, off))
    np.testing.assert_allclose(a, b, rtol=0, atol=1e-5)


def test_people_do_not_depend_on_each_other(tmp_path: Path) -> None:
    lifter = tiny_lifter(tmp_path)
    times_s = np.concatenate([every(30), every(30)])
    both = walking(times_s, np.repeat([3, 8], 30))
    both = replace(both, xy=both.xy + np.repeat([0.0, 40.0], 30)[:, None, None])
    found = lift(lifter, both, 2).joints
    for rows in (slice(0, 30), slice(30, 60)):
        np.testing.assert_allclose(lift(lifter, both.take(rows), 2).joints, found[rows], rtol=0, atol=1e-4)


def test_small_batches_and_groups_give_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lifter = tiny_lifter(tmp_path)
    people = walking(np.concatenate([every(30), every(50)]), np.repeat([0, 1], 30))
    whole = lift(lifter, people, 3).joints
    monkeypatch.setattr(module, "_TOKENS", 1)
    monkeypatch.setattr(module, "_FRAMES", 1)
    np.testing.assert_allclose(lift(lifter, people, 3).joints, whole, rtol=0, atol=1e-4)


@pytest.mark.parametrize("steps", [1, 3])
def test_hypotheses(tmp_path: Path, steps: int) -> None:
    """None depends on their number, and the first one, of one step, not on the seed; the others are other motions."""
    lifter, people = tiny_lifter(tmp_path, iterations=steps), walking(every(30))
    few, many, other = lift(lifter, people, 2), lift(lifter, people, 4), lift(lifter, people, 4, seed=1)
    np.testing.assert_array_equal(few.joints, many.joints[:, :2])
    assert (many.joints[:, 0] == other.joints[:, 0]).all() == (steps == 1)
    assert (many.joints[:, 1:] != other.joints[:, 1:]).any()
    assert len({many.joints[:, h].tobytes() for h in range(4)}) == 4
    for count in (0, 201):
        with pytest.raises(InputError, match="1 to 200 hypotheses"):
            lift(lifter, people, count)


def test_samples_are_averaged(tmp_path: Path) -> None:
    people = walking(every(30))
    two = lift(tiny_lifter(tmp_path, iterations=2, samples=2), people, 1)
    singles = lift(tiny_lifter(tmp_path, iterations=2), people, 2)
    np.testing.assert_allclose(relative(two)[:, 0], relative(singles).mean(1), rtol=0, atol=1e-5)


def test_people_are_as_large_after_several_steps() -> None:
    """With the packaged weights: started from no noise, they were a tenth smaller."""
    people = walking(every(30))
    one, five = (
        np.linalg.norm(relative(lift(load(device="cpu", options=DiffOptions(iterations=n)), people, 1)), axis=-1)
        for n in (1, 5)
    )
    assert five.mean() == pytest.approx(one.mean(), rel=0.04)


def test_a_mirror_image_is_lifted_to_the_mirror_image(tmp_path: Path) -> None:
    lifter, people = tiny_lifter(tmp_path), walking(every(30))
    mirror = list(H36M17.mirror)
    flipped = people.xy[:, mirror].copy()
    flipped[..., 0] = 2 * CAMERA.cx - flipped[..., 0]
    a, b = lift(lifter, people), lift(lifter, replace(people, xy=flipped))
    np.testing.assert_allclose(b.joints[:, :, mirror] * (-1, 1, 1), a.joints, rtol=0, atol=1e-4)
    without = lift(replace(lifter, options=DiffOptions(mirror=False)), people)
    assert np.abs(without.joints - a.joints).max() > 1e-3


def test_moments_between_frames_are_on_the_way(tmp_path: Path) -> None:
    """At 60 frames per second every second one is lifted: those rows are as at 30, the others lie between."""
    lifter = tiny_lifter(tmp_path)
    fast, slow = relative(lift(lifter, walking(every(60, 61)))), relative(lift(lifter, walking(every(30, 31))))
    np.testing.assert_allclose(fast[::2], slow, rtol=0, atol=1e-5)
    between = np.abs(fast[1:-1:2] - (slow[:-1] + slow[1:]) / 2).max()
    assert between < np.abs(np.diff(slow, axis=0)).max()


def test_a_guide_is_used(tmp_path: Path) -> None:
    """With a network that adds nothing, the poses are the guide's, for which mirror images and frames are averaged."""
    config = MixSTEConfig(frames=9, features=13, width=8, depth=1, heads=2, time_width=8)
    net = MixSTE(config)
    torch.nn.init.zeros_(net.head.weight)
    erd = load_erd(tiny_erd(tmp_path / "erd"))
    save_weights(tmp_path, net, H36M17, "guided", SequenceOptions(), Calibration(), erd)
    lifter = zedo.load_lifter(
        tmp_path, method="diff3dhpe", device="cpu", guide=tmp_path / "erd", options=DiffOptions(mirror=False)
    )
    people = walking(every(30))
    found = relative(lifter.lift(people, (CAMERA,), 1))
    plain = zedo.load_lifter(tmp_path / "erd", method="erd", device="cpu", preset="fast", iterations=1)
    np.testing.assert_allclose(found, relative(plain.lift(people, (CAMERA,), 1)), rtol=0, atol=1e-4)
    assert lifter.settings["guide"] == erd.sha256


def test_progress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TOKENS", 5 * 9 * 17)
    done: list[int] = []
    tiny_lifter(tmp_path).lift(walking(every(30, 200)), (CAMERA,), 1, on_rows=done.append)
    assert done[-1] == 200 and done == sorted(done) and len(done) > 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"iterations": 0}, "iterations from 1"),
        ({"samples": 0}, "samples from 1"),
        ({"stride": 0}, "stride from 1"),
        ({"eta": 2.0}, "eta from 0 to 1"),
        ({"rate_hz": 0.0}, "rate_hz above 0"),
    ],
)
def test_bad_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        DiffOptions(**options)


def test_presets() -> None:
    assert preset("default").iterations != preset("default", 7).iterations == 7
    with pytest.raises(InputError, match="no preset 'slow'; expected one of default, fast"):
        preset("slow")


def test_stochastic_steps_are_reproduced(tmp_path: Path) -> None:
    people = walking(every(30))
    a, b = (lift(tiny_lifter(tmp_path, iterations=4, eta=1.0), people, 2).joints for _ in range(2))
    np.testing.assert_array_equal(a, b)
    assert np.abs(a - lift(tiny_lifter(tmp_path, iterations=4), people, 2).joints).max() > 1e-3


def test_weights_round_trip(tmp_path: Path) -> None:
    loaded = load_weights(tiny_lifter(tmp_path) and tmp_path)
    assert loaded.skeleton == H36M17 and not loaded.guided and loaded.rates_hz == (12.0, 32.0)
