"""A result of a few frames by a method, with its keypoints, for tests of its steps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from infer_cases import demo_keypoints

import zedo_core as zedo
from zedo_core.types import Keypoints, Poses


def lifted(method: str, frames: int = 6, hypotheses: int = 3, **settings: Any) -> tuple[Poses, Keypoints]:
    """The first frames of the demo, lifted without anything afterwards."""
    file, camera = demo_keypoints()
    people = zedo.read_keypoints(file)
    people = replace(people.take(people.frame < frames), frame_numbers=np.arange(frames), times_s=None)
    lifter = zedo.load_lifter(method=method, device="cpu", **settings)
    poses = zedo.lift(people, zedo.read_camera(camera), hypotheses=hypotheses, seed=3, lifter=lifter)
    return poses, people


def saved(folder: Path, poses: Poses, keypoints: Keypoints) -> Path:
    """A folder as `zedo infer` writes it."""
    folder.mkdir(exist_ok=True)
    zedo.save(poses, folder / "poses.npz")
    zedo.write_keypoints(keypoints, folder / "keypoints.json")
    return folder
