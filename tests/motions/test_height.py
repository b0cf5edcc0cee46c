"""People of known height: the measure of height, and the scaling of results."""

from __future__ import annotations

import numpy as np
import pytest
from export_cases import clip, couple_with_gaps, in_camera, poses_of, t_pose

from zedo_core.errors import InputError
from zedo_core.motions.height import SOLE, parse_heights, standing_heights_m, with_heights


def test_the_height_of_a_t_pose():
    """Ankles at 0 and the top of the head at 1.7 m; the height below the ankle is added."""
    poses = poses_of(in_camera(t_pose())[None, None])
    assert standing_heights_m(poses)[1] == pytest.approx(1.7 / (1 - SOLE))
    assert 0.04 < standing_heights_m(poses)[1] - 1.7 < 0.1


def test_the_height_of_a_crouching_person():
    """The height is measured along the bones, so that bent knees do not change it."""
    body = t_pose()
    names = clip().skeleton
    for side in ("left", "right"):
        knee, ankle = names.index(f"{side}_knee"), names.index(f"{side}_ankle")
        body[ankle] = body[knee] + (0, 0, -np.linalg.norm(body[ankle] - body[knee]))
    assert standing_heights_m(poses_of(in_camera(body)[None, None]))[1] == pytest.approx(1.7 / (1 - SOLE))


def test_the_height_corrects_the_distance_and_preserves_projections():
    """A clip lifted 12 % too large, and so too far away, is corrected by the height."""
    truth = clip()
    height_m = standing_heights_m(truth)[1]
    lifted = poses_of(truth.best[:, None] * 1.12)
    found = with_heights(lifted, height_m)
    np.testing.assert_allclose(found.best, truth.best, rtol=1e-6)
    np.testing.assert_allclose(found.camera(0).project(found.best), lifted.camera(0).project(lifted.best), atol=1e-6)
    np.testing.assert_allclose(found.score, lifted.score / 1.12)
    np.testing.assert_allclose(found.spread, lifted.spread / 1.12)


def test_heights_by_person():
    couple = couple_with_gaps()
    before = standing_heights_m(couple)
    found = with_heights(couple, {8: 1.5})
    assert standing_heights_m(found)[3] == before[3]
    assert standing_heights_m(found)[8] == pytest.approx(1.5)
    assert found.provenance.options["height_m"] == {"8": 1.5}
    np.testing.assert_array_equal(np.isnan(found.joints), np.isnan(couple.joints))


def test_parsing_heights():
    assert parse_heights("1.8") == 1.8
    assert parse_heights("3=1.65,4=1.8") == {3: 1.65, 4: 1.8}
    for text in ("", "tall", "3=", "=1.8", "3=1.8,3=1.7", "1.8,1.7", "a=1.8", "3=1.8=2"):
        with pytest.raises(InputError, match=r"expected a height in metres such as 1\.8"):
            parse_heights(text)
    for text in ("180", "nan", "-1.8", "inf", "3=0"):
        with pytest.raises(InputError, match=r"expected heights of 0\.4 to 2\.6 m, got"):
            parse_heights(text)


def test_an_unknown_id_is_refused():
    with pytest.raises(InputError, match=r"person 5: expected the id of a person who appears \(3, 8\)"):
        with_heights(couple_with_gaps(), {5: 1.8})
