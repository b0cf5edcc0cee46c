"""Cuts and moving cameras."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from zedo_core.source.scene import Scene, SceneWatch
from zedo_core.types import Frame

NOBODY = np.zeros((0, 4))


def view(seed: int) -> np.ndarray:
    """A picture of large and small patches, larger than a frame."""
    rng = np.random.default_rng(seed)
    coarse = cv2.resize(rng.integers(0, 255, (12, 16, 3), np.uint8), (1600, 1200), interpolation=cv2.INTER_CUBIC)
    fine = cv2.resize(rng.integers(0, 255, (120, 160, 3), np.uint8), (1600, 1200), interpolation=cv2.INTER_NEAREST)
    return cv2.addWeighted(coarse, 0.7, fine, 0.3, 0)


def watched(images: list[np.ndarray], boxes: list[np.ndarray] | None = None) -> Scene:
    watch = SceneWatch()
    for number, image in enumerate(images):
        watch.begins(Frame(image=image, number=10 + number, time_s=number / 30))
        watch.see(NOBODY if boxes is None else boxes[number])
    return watch.scene


def crop(picture: np.ndarray, x: int = 0, y: int = 0, noise: int = 0) -> np.ndarray:
    part = picture[y : y + 720, x : x + 1280]
    return part if not noise else np.clip(part + np.random.default_rng(noise).normal(0, 8, part.shape), 0, 255).astype(
        np.uint8
    )  # fmt: skip


def test_a_camera_that_stands_sees_one_shot():
    picture = view(0)
    shaken = [crop(picture, x, y, noise=1 + x) for x, y in np.random.default_rng(1).integers(0, 12, (30, 2))]
    assert watched(shaken) == Scene()


def test_another_view_begins_another_shot():
    a, b = view(0), view(1)
    assert watched([crop(a)] * 5 + [crop(b)] * 5 + [crop(a)] * 3).cuts == (15, 20)


def test_light_that_changes_is_no_cut():
    picture = crop(view(0))
    assert watched([(picture * light).astype(np.uint8) for light in (1.0, 0.5, 0.9, 0.3, 1.0)]) == Scene()


@pytest.mark.parametrize("move", ["pan", "zoom"])
def test_a_camera_that_moves(move):
    picture = view(2)
    if move == "pan":
        frames = [crop(picture, 4 * i) for i in range(30)]
    else:
        sizes = [(1280 - 8 * i, 720 - 4 * i) for i in range(30)]
        frames = [cv2.resize(picture[:h, :w], (1280, 720)) for w, h in sizes]
    assert watched(frames) == Scene(moves=True)


def test_people_who_move_are_no_background():
    """Somebody large and full of patterns walks through the picture."""
    background, person = view(3), view(4)
    frames, boxes = [], []
    for i in range(30):
        frame = crop(background).copy()
        x = 100 + 25 * i
        frame[50:700, x : x + 250] = person[50:700, :250]
        frames.append(frame)
        boxes.append(np.array([[x, 50.0, x + 250, 700.0]]))
    assert watched(frames, boxes) == Scene()


def test_pictures_without_corners_or_of_another_size_tell_nothing():
    grey = np.full((720, 1280, 3), 90, np.uint8)
    assert watched([grey, grey, grey[:300, :300], grey]) == Scene()
    assert watched([grey[:1, :1]] * 2) == Scene()
