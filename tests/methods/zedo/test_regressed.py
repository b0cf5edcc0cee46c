"""ZeDO from poses lifted by ERD: they join the candidates, and the mean of all comes first."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from erd_cases import tiny_weights
from torch import Tensor
from train_cases import own_file

from zedo_core.data import mocap_clips
from zedo_core.data.mocap import random_views
from zedo_core.errors import WeightsError
from zedo_core.methods.erd.lifter import ErdLifter
from zedo_core.methods.erd.loading import load as load_erd
from zedo_core.methods.observations import Observations
from zedo_core.methods.zedo import ZedoOptions, loading, preset
from zedo_core.methods.zedo.calibration import PRIOR_ALONE, REGRESSED, calibration_of
from zedo_core.methods.zedo.lifter import ZedoLifter
from zedo_core.methods.zedo.loading import load
from zedo_core.metrics import mpjpe
from zedo_core.skeleton import H36M17
from zedo_core.skeleton.files import load_skeleton
from zedo_core.types import Lifted

VIEWS = random_views(mocap_clips.motions(None, "test"), 40, 1)
FEW = ZedoOptions(iterations=5, candidates=4, initial_poses=20)
ONES = np.ones(VIEWS.xy.shape[:2])


@dataclass(frozen=True)
class Oracle(ErdLifter):
    """A regressor that knows the true poses of `VIEWS`."""

    def predict(self, observed: Observations) -> Any:
        return len(observed)

    def hypotheses(self, found: Any, count: int, seed: int = 0) -> Tensor:
        truth = torch.from_numpy((VIEWS.joints_cam - VIEWS.joints_cam[:, :1]).astype(np.float32))
        return truth.repeat_interleave(found // len(truth), 0)[:, None].expand(-1, count, -1, -1)


@pytest.fixture(scope="module")
def erd(tmp_path_factory: pytest.TempPathFactory) -> ErdLifter:
    return load_erd(tiny_weights(tmp_path_factory.mktemp("erd")), "cpu")


def lifted(options: ZedoOptions, regressor: ErdLifter | None, count: int = 4, xy: np.ndarray = VIEWS.xy) -> Lifted:
    lifter = replace(load("prior", "cpu", options=options), regressor=regressor)
    return lifter.lift_rows(xy, ONES, VIEWS.K, count)


def error_mm(result: Lifted) -> float:
    return float(1000 * mpjpe(result.joints[:, 0].astype(float), VIEWS.joints_cam, H36M17.root).mean())


def test_candidates_of_both_kinds(erd: ErdLifter) -> None:
    """There are hypotheses of both kinds, all in front of the camera."""
    result = lifted(replace(FEW, regressed=3), erd, 4)
    everything = load("prior", "cpu", options=FEW)
    together = replace(everything, options=replace(FEW, regressed=3), regressor=erd)
    assert result.joints.shape == (40, 4, 17, 3) and np.isfinite(result.joints).all()
    assert (result.joints[..., 2] > 0).all()
    alone = everything.lift_rows(VIEWS.xy, ONES, VIEWS.K, 4)
    assert (together.lift_rows(VIEWS.xy, ONES, VIEWS.K, 4).joints != alone.joints).any()


def test_good_poses_are_chosen() -> None:
    """With a regressor that is right, the result is far better, and with wrong keypoints too."""
    oracle = Oracle(None, None, torch.device("cpu"))  # type: ignore[arg-type]
    wrong = VIEWS.xy.copy()
    wrong[:, H36M17.index("left_wrist")] += 80
    for xy in (VIEWS.xy, wrong):
        without, with_poses = (
            error_mm(lifted(replace(FEW, regressed=n), oracle if n else None, xy=xy)) for n in (0, 2)
        )
        assert with_poses < 0.7 * without


def test_the_mean_comes_first() -> None:
    """It lies among the candidates, is scored as the best, and the others follow by their scores."""
    plain, averaged = (lifted(replace(FEW, average=average), None, count=4) for average in (False, True))
    assert averaged.score is not None and averaged.origin is not None
    assert (averaged.score[:, 0] >= averaged.score.max(1) - 1e-6).all()
    assert (np.diff(averaged.score, axis=1) <= 1e-6).all()
    low, high = plain.joints.min(1), plain.joints.max(1)  # four candidates, in another order
    assert ((averaged.joints[:, 0] >= low - 1e-4) & (averaged.joints[:, 0] <= high + 1e-4)).all()
    np.testing.assert_allclose(averaged.joints[:, 1], plain.joints[:, 0], rtol=0, atol=1e-4)
    assert error_mm(averaged) < 1.02 * error_mm(plain)


def test_exchanged_limbs_are_exchanged_back() -> None:
    """The true pose fits keypoints with exchanged limbs badly; after the exchange, the result is as with exact ones."""
    oracle = Oracle(None, None, torch.device("cpu"))  # type: ignore[arg-type]
    wrong, legs = VIEWS.xy.copy(), [j for j, name in enumerate(H36M17.joints) if "hip" in name or "kn" in name]
    legs += [j for j, name in enumerate(H36M17.joints) if "ankle" in name]
    wrong[::2, legs] = VIEWS.xy[::2][:, [H36M17.mirror[j] for j in legs]]
    options = replace(FEW, regressed=1, exchange=3.0)
    exact, exchanged = (error_mm(lifted(options, oracle, xy=xy)) for xy in (VIEWS.xy, wrong))
    without = error_mm(lifted(replace(options, exchange=None), oracle, xy=wrong))
    assert exchanged < 1.2 * exact and exchanged < without


def test_late_settings() -> None:
    late = ZedoOptions(late_iterations=7, late_start=0.04, late_end=0.01, late_outlier_rad=0.003).late
    assert (late.iterations, late.t_start, late.t_end) == (7, 0.04, 0.01)
    assert late.outlier_rad == 0.003 and late.warm_up == 0.0
    assert preset("default", 40).late_iterations == 2 * preset("default").late_iterations


def test_a_regressor_for_other_joints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tiny_weights(tmp_path / "erd", load_skeleton(own_file(tmp_path)))
    monkeypatch.setattr(loading, "REGRESSOR", folder)
    with pytest.raises(WeightsError, match="the joints of the regressor, own-8, found h36m-17"):
        load("prior", "cpu", options=replace(FEW, regressed=1))
    assert isinstance(load("prior", "cpu", options=FEW), ZedoLifter)


def test_errors_are_those_measured() -> None:
    """On held-out motions with the packaged weights, in mm: poses by their residuals, seen and unseen joints by their
    spreads."""
    assert calibration_of(preset("default")) == REGRESSED and calibration_of(ZedoOptions()) == PRIOR_ALONE
    poses = {5.7: 35.2, 11.4: 46.7, 19.2: 59.5, 30.2: 71.7, 45.2: 87.9, 73: 104.6}
    seen = {4.6: 28.1, 11.2: 50.9, 21.7: 72, 35.9: 87.9, 52.8: 110.9, 91.8: 147.2, 152.6: 186.8}
    unseen = {12.1: 47.3, 24.6: 90.7, 46.4: 144.3, 73.4: 192, 117.2: 248.1, 191: 294.1, 276.3: 375, 393: 454.9}
    for measured, function, visible in (
        (poses, REGRESSED.pose_error, True),
        (seen, REGRESSED.joint_error, True),
        (unseen, REGRESSED.joint_error, False),
    ):
        x, y = (np.array([list(values)]) / 1000 for values in (measured, measured.values()))
        found = function(x, np.full((1, x.shape[1]), visible))
        np.testing.assert_allclose(found, y, rtol=0.1 if visible else 0.21)
