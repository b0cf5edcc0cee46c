"""Estimation of the focal length: the posterior, and motion capture in front of a known camera."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from zedo_core.camera import Camera
from zedo_core.data import mocap_clips
from zedo_core.data.mocap import random_cameras
from zedo_core.methods.zedo.focal import FACTORS, PRIOR, FocalEstimate, estimate_focal, posterior
from zedo_core.methods.zedo.loading import load
from zedo_core.skeleton import H36M17
from zedo_core.types import Keypoints

GUESS = Camera.guess((1920, 1080))


def in_front_of_camera(camera: Camera, distance_m: float, frames: int = 24) -> Keypoints:
    """A person of the packaged motion capture at random headings, root on the optical axis."""
    motions = mocap_clips.motions(None, "test")
    rng = np.random.default_rng(3)
    bodies = motions.positions[np.linspace(0, len(motions) - 1, frames).astype(int)].astype(float)
    R, _, _ = random_cameras(rng, frames)
    points = (bodies - bodies[:, [H36M17.root]]) @ R.swapaxes(1, 2) + (0, 0, distance_m)
    return Keypoints(
        frame=np.arange(frames),
        track=np.zeros(frames, int),
        xy=camera.project(points),
        confidence=np.ones((frames, len(H36M17))),
        skeleton=H36M17,
        frame_numbers=np.arange(frames),
    )


def test_the_posterior_without_evidence_is_the_guess():
    mean, deviation = posterior(np.full(len(FACTORS), 3.0), 24)
    assert mean == pytest.approx(0, abs=0.03)
    assert deviation == pytest.approx(PRIOR, rel=0.1)  # except for the ends of the range


def test_the_posterior_with_evidence():
    """A parabolic misfit and the prior are two Gaussians, whose product is known."""
    truth, x = 0.4, np.log(FACTORS)
    weight = 6.0 * 24 ** (1 / 3)
    mean, deviation = posterior((x - truth) ** 2 / (2 * weight * 0.3**2), 24)
    precision = 1 / 0.3**2 + 1 / PRIOR**2
    assert mean == pytest.approx(truth / 0.3**2 / precision, abs=0.01)
    assert deviation == pytest.approx(math.sqrt(1 / precision), abs=0.02)


def test_wide_and_long_lenses_are_distinguished():
    """A near person with a wide lens and a distant one with a long lens have the same size in the image."""
    lifter = load(device="cpu")
    found = {}
    for factor in (0.55, 1.8):
        camera = replace(GUESS, fx=GUESS.fx * factor, fy=GUESS.fx * factor)
        found[factor] = estimate_focal(in_front_of_camera(camera, 5.0 * factor), GUESS, lifter)
        assert found[factor].poses == 24
        assert abs(math.log(found[factor].focal_px / camera.fx)) < abs(math.log(factor))
    assert found[0.55].focal_px < 0.9 * GUESS.fx
    assert found[0.55].is_observable
    assert found[0.55].deviation < found[1.8].deviation  # there is less perspective at a distance


def test_too_few_joints_for_an_estimate():
    keypoints = in_front_of_camera(GUESS, 5.0, frames=3)
    hidden = replace(keypoints, confidence=np.where(np.arange(17) < 9, keypoints.confidence, 0.0))
    progress: list[tuple[int, int]] = []
    found = estimate_focal(hidden, GUESS, load(device="cpu"), on_progress=lambda *now: progress.append(now))
    assert (found.focal_px, found.poses, found.is_observable, progress) == (GUESS.fx, 0, False, [])


def test_the_source_of_the_camera():
    sure = FocalEstimate(focal_px=1500.0, deviation=0.2, poses=24)
    camera = sure.applied(GUESS)
    assert (camera.fx, camera.fy, camera.cx, camera.size) == (1500.0, 1500.0, GUESS.cx, GUESS.size)
    assert camera.source == "estimated from 24 poses, 1228 to 1832 px in two cases out of three"
    unsure = replace(sure, deviation=0.45).applied(GUESS)
    assert unsure.fx == GUESS.fx
    assert unsure.source == f"{GUESS.source}; the focal length cannot be estimated from the people"


def test_the_same_seed_gives_the_same_answer():
    torch.manual_seed(1)
    lifter = load(device="cpu")
    keypoints = in_front_of_camera(GUESS, 4.0, frames=2)
    assert estimate_focal(keypoints, GUESS, lifter) == estimate_focal(keypoints, GUESS, lifter)
