"""Detector-like noise: its quantiles, its kinds of error, and its confidences."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Generator, Tensor

from zedo_core.data import mocap_clips
from zedo_core.data.mocap import random_views
from zedo_core.errors import InputError
from zedo_core.skeleton import COCO17, H36M17, conversion
from zedo_core.train.noise import TRAINING, DetectorNoise, NoiseOptions, noisy_keypoints

CPU = torch.device("cpu")
NONE = NoiseOptions(
    offset=0, outliers=0, limbs=0, definitions=0, exchanged=0, missing=0, missing_limbs=0, truncated=0
)  # fmt: skip
# ALGORITHMS 1.9: a stacked hourglass on Human3.6M, shares of the longer side of the person's box.
MEASURED = {0.5: 0.031, 0.75: 0.052, 0.9: 0.089, 0.95: 0.126, 0.99: 0.294}


@pytest.fixture(scope="module")
def exact() -> Tensor:
    """Keypoints of the packaged motion capture, several times, so that quantiles of the tails are stable."""
    views = [random_views(mocap_clips.motions(None, "test"), 200, seed) for seed in range(30)]
    return torch.from_numpy(np.concatenate([one.xy for one in views])).float()


def noisy(exact: Tensor, options: NoiseOptions, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Keypoints, confidences, and errors as shares of the box."""
    found, confidence = DetectorNoise(options, H36M17, CPU)(exact, Generator().manual_seed(seed))
    box = (exact.amax(1) - exact.amin(1)).amax(-1)
    return found, confidence, (found - exact).norm(dim=-1) / box[:, None]


def joints(*names: str) -> list[int]:
    return [j for j, name in enumerate(H36M17.joints) if name.removeprefix("left_").removeprefix("right_") in names]


def test_quantiles_at_strength_1(exact: Tensor) -> None:
    """8 %: sampling of the poses and of the noise; the model has few parameters for five quantiles."""
    _, confidence, error = noisy(exact, NoiseOptions())
    values = error[confidence > 0].numpy()
    for share, measured in MEASURED.items():
        assert np.quantile(values, share) == pytest.approx(measured, rel=0.08), share


def test_head_ankles_knees_and_wrists_are_worst(exact: Tensor) -> None:
    """Their 90 % quantiles were measured as 0.10 to 0.13, those of the best joints as 0.045 to 0.06; 15 % tolerance."""
    _, confidence, error = noisy(exact, NoiseOptions())
    for names, low, high in (
        (("head_top", "ankle", "knee", "wrist"), 0.1, 0.13),
        (("shoulder", "pelvis"), 0.045, 0.06),
    ):
        for joint in joints(*names):
            value = np.quantile(error[:, joint][confidence[:, joint] > 0].numpy(), 0.9)
            assert 0.85 * low < value < 1.15 * high, H36M17.joints[joint]


@pytest.mark.parametrize("strength", [0.5, 2.0])
def test_strength_scales_the_errors(exact: Tensor, strength: float) -> None:
    """10 %: differences of definition do not grow beyond strength 1."""
    median = [float(noisy(exact, NoiseOptions(strength=s))[2].median()) for s in (1.0, strength)]
    assert median[1] / median[0] == pytest.approx(strength, rel=0.1)


def test_strength_0_is_exact(exact: Tensor) -> None:
    found, confidence, _ = noisy(exact, replace(TRAINING, strength=0.0))
    torch.testing.assert_close(found, exact, rtol=0, atol=1e-4)
    assert (confidence > 0).all()


def test_a_share_is_clean(exact: Tensor) -> None:
    _, confidence, error = noisy(exact, replace(TRAINING, clean=0.3))
    clean = ((error < 1e-6) & (confidence > 0)).all(1).float().mean()
    assert float(clean) == pytest.approx(0.3, abs=0.02)  # three standard deviations of 6000 draws


def test_missing_joints_are_zero_and_some_remain(exact: Tensor) -> None:
    found, confidence, _ = noisy(exact, NoiseOptions(strength=2.0, missing=0.5, missing_limbs=0.1))
    assert (found[confidence == 0] == 0).all() and (confidence > 0).sum(1).min() >= 6
    assert 0.2 < float((confidence == 0).float().mean()) < 0.5


def test_exchanged_sides(exact: Tensor) -> None:
    found, _, _ = noisy(exact, replace(NONE, exchanged=0.5))
    arms, legs = joints("shoulder", "elbow", "wrist"), joints("hip", "knee", "ankle")
    mirror = exact[:, list(H36M17.mirror)]
    for part in (arms, legs):
        is_exchanged = (found[:, part] == mirror[:, part]).all((1, 2))
        assert (is_exchanged | (found[:, part] == exact[:, part]).all((1, 2))).all()
        assert 0.4 < float(is_exchanged.float().mean()) < 0.6
    assert torch.equal(found[:, H36M17.root], exact[:, H36M17.root])


def test_limbs_elsewhere_move_together(exact: Tensor) -> None:
    found, _, error = noisy(exact, replace(NONE, limbs=0.2))
    wrists, elbows = joints("wrist"), joints("elbow")
    moved = error[:, elbows] > 1e-6
    offset = found - exact
    torch.testing.assert_close(offset[:, elbows][moved], offset[:, wrists][moved], rtol=0, atol=1e-3)
    assert (error[:, joints("wrist")] > 1e-6).float().mean() > moved.float().mean() > 0.05


def test_truncation(exact: Tensor) -> None:
    """Beyond an edge, joints are missing or lie at the edge."""
    found, confidence, error = noisy(exact, replace(NONE, truncated=1.0))
    missing, at_edge = (confidence == 0).any(1), (error > 1e-6).any(1)
    assert float(missing.float().mean()) == pytest.approx(0.5, abs=0.1)
    low, high = exact.amin(1, keepdim=True), exact.amax(1, keepdim=True)
    inside = ((found >= low - 1e-3) & (found <= high + 1e-3)).all(-1)
    assert inside[~missing].all() and at_edge[~missing].float().mean() > 0.9


def test_joints_that_detectors_for_coco_derive(exact: Tensor) -> None:
    """As in `conversion`: trunk joints are means of limb joints with smaller confidences, and the head top is lower."""
    found, confidence, _ = noisy(exact, replace(NONE, derived=1.0, flat_confidence=1.0))
    at = {name: found[:, H36M17.index(name)] for name in H36M17.joints}
    hips, shoulders = ((at[f"left_{name}"] + at[f"right_{name}"]) / 2 for name in ("hip", "shoulder"))
    torch.testing.assert_close(at["spine"], (hips + shoulders) / 2, rtol=0, atol=1e-2)
    is_derived = confidence[:, H36M17.index("pelvis")] < 1
    torch.testing.assert_close(at["pelvis"][is_derived], hips[is_derived], rtol=0, atol=1e-2)
    assert float(is_derived.float().mean()) == pytest.approx(0.7, abs=0.05)
    rule = conversion(COCO17, H36M17)
    for name in ("spine", "pelvis", "thorax"):
        joint = H36M17.index(name)
        expected = torch.where(is_derived | torch.tensor(name == "spine"), float(rule.factors[joint]), 1.0)
        torch.testing.assert_close(confidence[:, joint], expected)
    head = H36M17.index("head_top")
    lower = confidence[:, head] < 0.5
    nose = exact[:, H36M17.index("neck_nose")]
    share = (found[:, head] - nose).norm(dim=-1) / (exact[:, head] - nose).norm(dim=-1)
    assert float(lower.float().mean()) == pytest.approx(0.7, abs=0.05)
    assert ((share[lower] > 0.29) & (share[lower] < 0.71)).all() and (share[~lower] > 0.99).all()
    limbs = joints("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    assert torch.equal(found[:, limbs], exact[:, limbs])


def test_what_is_derived_from_missing_joints_is_missing(exact: Tensor) -> None:
    options = replace(NONE, derived=1.0, missing=1.0)
    found, confidence, _ = noisy(exact, options)
    hips = confidence[:, H36M17.indices(("left_hip", "right_hip", "left_shoulder", "right_shoulder"))] > 0
    assert (confidence[:, H36M17.index("spine")] > 0).eq(hips.all(1)).all()
    assert (found[confidence == 0] == 0).all()


def test_confidence_is_flat_or_falls_with_the_error(exact: Tensor) -> None:
    _, flat, _ = noisy(exact, replace(TRAINING, derived=0.0, flat_confidence=1.0))
    assert set(flat.unique().tolist()) == {0.0, 1.0}
    _, own, error = noisy(exact, replace(NoiseOptions(), flat_confidence=0.0))
    seen = own > 0
    worst = error[seen] > error[seen].quantile(0.9)
    assert own[seen][worst].mean() < own[seen][~worst].mean() - 0.1 and own.max() <= 1


def test_the_same_seed_gives_the_same_noise(exact: Tensor) -> None:
    xy, before = exact[:50].numpy().astype(float), exact[:50].numpy().astype(float)
    first, again, other = (noisy_keypoints(xy, TRAINING, H36M17, seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert (first[0] != other[0]).any() and (xy == before).all()


@pytest.mark.parametrize(
    "values", [{"strength": -1.0}, {"strength": 11.0}, {"offset": float("nan")}, {"clean": 1.5}, {"variation": 2.0}]
)
def test_values_out_of_range(values: dict[str, float]) -> None:
    with pytest.raises(InputError, match=rf"noise: expected .*{next(iter(values))}|noise: expected numbers"):
        NoiseOptions(**values)
