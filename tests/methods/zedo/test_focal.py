"""The focal length from people: the posterior's arithmetic, and motion capture before a camera that is known."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from zedo_core.camera import Camera
from zedo_core.data import mocap_clips
from zedo_core.data.mocap import random_cameras
from zedo_core.lifting import load_lifter
from zedo_core.methods.zedo.focal import FACTORS, PRIOR, FocalEstimate, estimate_focal, posterior
from zedo_core.skeleton import H36M17
from zedo_core.types import Keypoints

GUESS = Camera.guess((1920, 1080))


def before_the_camera(camera: Camera, distance_m: float, frames: int = 24) -> Keypoints:
    """A person of the packaged motion capture at random headings, root on the optical axis."""
    motions = mocap_clips.motions(None, "test")
    rng = np.random.default_rng(3)
    bodies = motions.positions[np.linspace(0, len(motions) - 1, frames).astype(int)].astype(float)
    R, _, _ = random_cameras(rng, frames)
    points = (bodies - bodies[:, [H36M17.root]]) @ R.swapaxes(1, 2) + (0, 0, distance_m)
    return Keypoints(
        xy=camera.project(points)[:, None],
        confidence=np.ones((frames, 1, len(H36M17))),
        skeleton=H36M17,
        frame_numbers=np.arange(frames),
        track_ids=np.zeros(1, int),
    )


def test_without_evidence_the_guess_remains():
    mean, deviation = posterior(np.full(len(FACTORS), 3.0), 24)
    assert mean == pytest.approx(0, abs=0.03)
    assert deviation == pytest.approx(PRIOR, rel=0.1)  # but for the ends of the sweep


def test_evidence_narrows_and_moves_it():
    """A parabola of misfits and the prior are two Gaussians, whose product is known."""
    truth, x = 0.4, np.log(FACTORS)
    weight = 6.0 * 24 ** (1 / 3)
    mean, deviation = posterior((x - truth) ** 2 / (2 * weight * 0.3**2), 24)
    precision = 1 / 0.3**2 + 1 / PRIOR**2
    assert mean == pytest.approx(truth / 0.3**2 / precision, abs=0.01)
    assert deviation == pytest.approx(math.sqrt(1 / precision), abs=0.02)


def test_wide_and_long_lenses_are_told_apart():
    """A wide lens close by and a long one far away show bodies of the same size in the picture."""
    lifter = load_lifter(device="cpu")
    found = {}
    for factor in (0.55, 1.8):
        camera = replace(GUESS, fx=GUESS.fx * factor, fy=GUESS.fx * factor)
        found[factor] = estimate_focal(before_the_camera(camera, 5.0 * factor), GUESS, lifter)
        assert found[factor].poses == 24
        assert abs(math.log(found[factor].focal_px / camera.fx)) < abs(math.log(factor))
    assert found[0.55].focal_px < 0.9 * GUESS.fx
    assert found[0.55].is_observable
    assert found[0.55].deviation < found[1.8].deviation  # far away there is less perspective to be seen


def test_nobody_shows_nothing():
    keypoints = before_the_camera(GUESS, 5.0, frames=3)
    hidden = replace(keypoints, confidence=np.where(np.arange(17) < 9, keypoints.confidence, 0.0))
    told: list[tuple[int, int]] = []
    found = estimate_focal(hidden, GUESS, load_lifter(device="cpu"), on_progress=lambda *now: told.append(now))
    assert (found.focal_px, found.poses, found.is_observable, told) == (GUESS.fx, 0, False, [])


def test_the_camera_says_where_it_is_from():
    sure = FocalEstimate(focal_px=1500.0, deviation=0.2, poses=24)
    camera = sure.applied(GUESS)
    assert (camera.fx, camera.fy, camera.cx, camera.size) == (1500.0, 1500.0, GUESS.cx, GUESS.size)
    assert camera.source == "estimated from 24 poses, 1228 to 1832 px in two cases of three"
    unsure = replace(sure, deviation=0.45).applied(GUESS)
    assert unsure.fx == GUESS.fx
    assert unsure.source == f"{GUESS.source}; the people do not show the focal length"


def test_the_same_seed_gives_the_same_answer():
    torch.manual_seed(1)
    lifter = load_lifter(device="cpu")
    keypoints = before_the_camera(GUESS, 4.0, frames=2)
    assert estimate_focal(keypoints, GUESS, lifter) == estimate_focal(keypoints, GUESS, lifter)
