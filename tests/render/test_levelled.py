"""The axes of the panels: upright, and turned as the camera looks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from export_cases import CAMERA, poses_of
from scipy.spatial.transform import Rotation

from zedo_core.render.turning_view import levelled
from zedo_core.skeleton import H36M17


@pytest.mark.parametrize("heading_deg", [0, 70, 180])
def test_a_person_stands_before_a_camera_that_looks_down(heading_deg: float) -> None:
    """The calibration's world is z up, its x axis anywhere."""
    up_to_down = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])  # from z up to y down
    R = Rotation.from_euler("x", 30, degrees=True).as_matrix() @ up_to_down
    R = R @ Rotation.from_euler("z", heading_deg, degrees=True).as_matrix()
    rows = tuple(map(tuple, R.tolist()))
    camera = replace(CAMERA, R_cam_from_world=rows, t_cam_from_world=(0.0, 0.0, 4.0))
    body = np.random.default_rng(0).normal(0, 0.2, (17, 3))
    pelvis, thorax = H36M17.index("pelvis"), H36M17.index("thorax")
    body[pelvis], body[thorax] = 0, (0, 0, 0.5)
    joints = body @ R.T + (0, 0, 4.0)
    farther = joints + np.array((0, 0, 1.0))
    one, two = (levelled(poses_of(points[None, None], cameras=(camera,))).best[0] for points in (joints, farther))
    np.testing.assert_allclose(one[thorax] - one[pelvis], (0, -0.5, 0), atol=1e-6)
    assert (two - one)[pelvis, 2] == pytest.approx(np.cos(np.radians(30)), abs=1e-6)
    assert (two - one)[pelvis, 0] == pytest.approx(0, abs=1e-6)
