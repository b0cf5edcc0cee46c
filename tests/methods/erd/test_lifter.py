"""ERD's lifter: the order of its hypotheses, their scores, and its settings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from erd_cases import tiny_net, tiny_weights

import zedo_core as zedo
from zedo_core.data import mocap_clips
from zedo_core.data.mocap import random_views
from zedo_core.errors import InputError
from zedo_core.methods.calibration import fit_power
from zedo_core.methods.erd import ErdOptions
from zedo_core.methods.erd.calibration import calibrate
from zedo_core.methods.erd.lifter import ErdLifter
from zedo_core.methods.erd.loss import lifting_loss, negative_log_likelihood
from zedo_core.methods.erd.prediction import Prediction
from zedo_core.methods.erd.validation import LiftingCheck
from zedo_core.methods.erd.weights import load_weights
from zedo_core.methods.observations import Observations
from zedo_core.nets.lifter import Modes
from zedo_core.skeleton import H36M17

CPU = torch.device("cpu")
VIEWS = random_views(mocap_clips.motions(None, "test"), 8, 0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tiny_weights(tmp_path)


def lifted(folder: Path, hypotheses: int, options: ErdOptions | None = None, seed: int = 0) -> zedo.Lifted:
    lifter = ErdLifter(load_weights(folder), options or ErdOptions(), CPU)
    return lifter.lift_rows(VIEWS.xy, np.ones(VIEWS.xy.shape[:2]), VIEWS.K, hypotheses, seed=seed)


def test_first_the_mean_then_the_modes_then_jittered(folder: Path) -> None:
    """Three modes: the fifth and later hypotheses come from keypoints with noise, which the seed determines."""
    few, many, other = lifted(folder, 4), lifted(folder, 7), lifted(folder, 7, seed=1)
    np.testing.assert_array_equal(few.joints, many.joints[:, :4])
    np.testing.assert_array_equal(many.joints[:, :4], other.joints[:, :4])
    assert (many.joints[:, 4:] != other.joints[:, 4:]).any()
    assert len({hypothesis.tobytes() for hypothesis in many.joints[0]}) == 7


def test_poses_stand_where_the_rays_are(folder: Path) -> None:
    result = lifted(folder, 2)
    assert result.origin is not None
    np.testing.assert_allclose(result.joints[:, :, H36M17.root], result.origin, rtol=0, atol=1e-5)
    root = result.joints[:, 0].mean(1) - VIEWS.joints_cam.mean(1)
    assert (result.joints[..., 2] > 0).all() and np.abs(root[:, :2]).max() < 2


def test_rows_do_not_depend_on_each_other(folder: Path) -> None:
    lifter = ErdLifter(load_weights(folder), ErdOptions(), CPU)
    one = lifter.lift_rows(VIEWS.xy[3:4], np.ones((1, 17)), VIEWS.K[3:4], 6)
    np.testing.assert_allclose(one.joints[0], lifted(folder, 6).joints[3], rtol=0, atol=1e-4)


def test_iterations(folder: Path) -> None:
    """One call is the lifter alone; more calls than networks are all networks."""
    alone, both, more = (lifted(folder, 1, ErdOptions(iterations=n)).joints for n in (1, 2, 9))
    assert (alone != both).any()
    np.testing.assert_array_equal(both, more)
    assert zedo.load_lifter(folder, method="erd", device="cpu").settings["iterations"] == 2


def test_exchanged_limbs_make_no_difference_where_they_are_exchanged_back(folder: Path) -> None:
    """With no odds against an exchange, keypoints with exchanged legs give the same poses."""
    options, legs = ErdOptions(exchange=0.0), [j for j, name in enumerate(H36M17.joints) if name[-3:] in ("hip", "nee")]
    legs += H36M17.indices(("left_ankle", "right_ankle"))
    wrong = VIEWS.xy.copy()
    wrong[:, legs] = VIEWS.xy[:, [H36M17.mirror[j] for j in legs]]
    lifter = ErdLifter(load_weights(folder), options, CPU)
    first, second = (lifter.lift_rows(xy, np.ones(xy.shape[:2]), VIEWS.K, 3) for xy in (VIEWS.xy, wrong))
    np.testing.assert_allclose(first.joints, second.joints, rtol=0, atol=1e-4)
    never = ErdLifter(load_weights(folder), ErdOptions(exchange=None), CPU)
    assert (never.lift_rows(wrong, np.ones(wrong.shape[:2]), VIEWS.K, 3).joints != second.joints).any()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"preset": "slow"}, "no preset 'slow'; expected one of default, fast"),
        ({"iterations": 0}, "at least 1 iteration, got 0"),
        ({"clusters": "x"}, "erd: .*clusters.*; expected settings of this method"),
    ],
)
def test_wrong_settings(folder: Path, settings: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        zedo.load_lifter(folder, method="erd", device="cpu", **settings)


def test_expected_errors_of_a_known_mixture() -> None:
    """Two modes 1 m apart with no errors of their own: the middle is 0.5 m from both, and so is its spread."""
    modes = torch.zeros(1, 2, 17, 3)
    modes[:, 1, :, 0] = 1.0
    middle = torch.full((1, 17, 3), 0.0)
    middle[..., 0] = 0.5
    nothing = Observations(torch.zeros(1, 17, 2), torch.ones(1, 17), torch.ones(1, 2))
    found = Prediction(nothing, middle, modes, torch.zeros(1, 2, 17), torch.tensor([[0.5, 0.5]]))
    candidates = torch.stack([middle, modes[:, 0]], dim=1)
    torch.testing.assert_close(found.expected_error(candidates), torch.tensor([[0.5, 0.5]]))
    torch.testing.assert_close(found.spread(), torch.full((1, 17), 0.5))


def test_powers_are_recovered() -> None:
    x = np.geomspace(0.01, 1.0, 4000)
    noise = np.random.default_rng(0).exponential(1.0, len(x))
    scale, power = fit_power(x, 0.3 * x**0.6 * noise)
    assert scale == pytest.approx(0.3, rel=0.1) and power == pytest.approx(0.6, rel=0.1)
    assert fit_power(np.ones(50), np.full(50, 0.2)) == pytest.approx((0.2, 1.0))


def test_calibrated_errors_have_the_right_mean() -> None:
    """Within 10 %: a power is fitted to twenty bins."""
    motions, net = mocap_clips.motions(None, "test"), tiny_net()
    check = LiftingCheck.from_motions(motions, 100, 0, CPU)
    known = calibrate(net, check, H36M17)
    assert all(value >= 0 for value in vars(known).values())
    errors = check.errors(net)
    expected = known.error_scale * 0.5**known.error_power
    assert 0.2 < expected / (errors["mpjpe_mm"] / 1000) < 5  # of the order of the errors


def test_the_loss_is_a_likelihood() -> None:
    """One mode with a scale s: the density exp(-d / s) / s^3 is highest where s is a third of the distance."""
    pose, target = torch.zeros(1, 1, 17, 3), torch.zeros(1, 17, 3)
    target[..., 0] = 0.3
    scales = torch.linspace(0.05, 0.3, 26)
    values = [
        float(
            negative_log_likelihood(Modes(pose, torch.full((1, 1, 17), float(s)).log(), torch.zeros(1, 1)), target, 0)
        )
        for s in scales
    ]
    assert float(scales[int(np.argmin(values))]) == pytest.approx(0.1, abs=0.01)
    modes = Modes(pose, torch.zeros(1, 1, 17), torch.zeros(1, 1))
    assert float(lifting_loss(modes, target, 0.0, 0)) == pytest.approx(0.3)
