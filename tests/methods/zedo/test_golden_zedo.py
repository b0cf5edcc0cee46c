"""The steps of ZeDO against numbers of the official code (golden/README.md); `pytest -s` shows the differences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from zedo_core.methods.observations import Observations, depth_bounds, solve_translation
from zedo_core.methods.zedo.ipo import descend
from zedo_core.methods.zedo.oil import DenoisingSteps, optimise_in_loop, pull_to_rays
from zedo_core.methods.zedo.options import PRESETS, ZedoOptions
from zedo_core.methods.zedo.prior import load_prior
from zedo_core.skeleton import H36M17

GOLDEN = Path(__file__).parents[2] / "golden"
NUMBERS = dict(np.load(GOLDEN / "official_numbers.npz"))
SETTINGS = {
    "wild_z": PRESETS["wild"],
    "pw3d_z": PRESETS["3dpw"],
    "xyz": replace(PRESETS["infant"], depth_m=4.0, scale=(0.3, 3.0), iterations=200),
}
BOTH = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])


@dataclass
class Table:
    """Largest difference to each official array, in its own unit, by data type."""

    rows: dict[str, dict[str, float]]

    def add(self, name: str, dtype: torch.dtype, found: Tensor, expected: Tensor) -> float:
        """Record the largest absolute difference and return it."""
        assert found.shape == expected.shape
        largest = float((found - expected).abs().max())
        self.rows.setdefault(name, {})[str(dtype).removeprefix("torch.")] = largest
        return largest


@pytest.fixture(scope="module")
def table() -> Iterator[Table]:
    table = Table({})
    yield table
    print(f"\n{'largest difference per array':34}{'float32':>12}{'float64':>12}")
    for name, row in table.rows.items():
        print(f"{name:34}" + "".join(f"{row[d]:12.1e}" if d in row else f"{'-':>12}" for d in ("float32", "float64")))


def golden(name: str, dtype: torch.dtype) -> Tensor:
    return torch.from_numpy(NUMBERS[name]).to(dtype)


def observed(dtype: torch.dtype) -> Observations:
    return Observations.from_pixels(*(golden(name, dtype) for name in ("keypoints_px", "confidence", "K")))


def initial_poses(dtype: torch.dtype) -> Tensor:
    return golden("pose_init", dtype).repeat(len(NUMBERS["keypoints_px"]), 1, 1)


@BOTH
def test_closed_form_translation(dtype: torch.dtype, table: Table) -> None:
    """T up to 7 m by the official code in float32: 1e-5 m, a few times 7 m * 6e-8 * condition."""
    rows = observed(dtype)
    got = solve_translation(golden("tsolve_pose", dtype), rows.slopes, rows.weights)
    assert table.add("tsolve_T", dtype, got, golden("tsolve_T", dtype)) < 1e-5


@BOTH
def test_step_onto_the_rays(dtype: torch.dtype, table: Table) -> None:
    """Coordinates of up to 7 m, rounded at 5e-7 m in each of a few float32 operations: 5e-6 m."""
    pose = golden("tsolve_pose", dtype)
    got = pull_to_rays(pose, golden("tsolve_T", dtype), observed(dtype).rays) - pose
    assert table.add("tsolve_ray_step", dtype, got, golden("tsolve_ray_step", dtype)) < 5e-6


# Adam at rate 0.1 on an L1 loss does not converge: it keeps jumping around the minimum, and its position after step
# 500 depends on rounding. Our own float32 and float64 runs differ by up to 0.05 in R and 0.17 m of 5 m in T, hence
# these bounds. Without a differing jump the whole descent agrees (pw3d in float32: 1.4e-5 and 1.2e-4 m here), but
# another processor may round differently, so this is shown in the table but not tested.
@pytest.mark.parametrize(
    ("name", "dtype", "R_within", "T_within"),
    [
        ("wild_z", torch.float32, 0.06, 0.2),
        ("wild_z", torch.float64, 0.06, 0.2),
        ("pw3d_z", torch.float32, 0.06, 0.2),
        ("xyz", torch.float32, 0.06, 0.2),
        ("xyz", torch.float64, 0.06, 0.2),
    ],
)
def test_initial_pose_optimiser(name: str, dtype: torch.dtype, R_within: float, T_within: float, table: Table) -> None:
    R, T, loss = descend(observed(dtype), initial_poses(dtype), H36M17, SETTINGS[name])
    assert table.add(f"{name}_ipo_R", dtype, R, golden(f"{name}_ipo_R", dtype)) < R_within
    assert table.add(f"{name}_ipo_T", dtype, T, golden(f"{name}_ipo_T", dtype)) < T_within
    # The loss hardly depends on where around the minimum Adam stopped: 1 %.
    assert float(loss.mean()) == pytest.approx(float(NUMBERS[f"{name}_ipo_loss"]), rel=0.01)


def loop_from_official_start(name: str, dtype: torch.dtype) -> tuple[dict[int, Tensor], Tensor]:
    """Poses after the recorded iterations and the final T, started from the official R and T."""
    options: ZedoOptions = SETTINGS[name]
    prior, rows = load_prior(GOLDEN / "checkpoint_tiny.pth"), observed(dtype)
    prior.net.to(dtype)
    pose = initial_poses(dtype) @ golden(f"{name}_ipo_R", dtype).mT
    seen: dict[int, Tensor] = {}
    T = golden(f"{name}_ipo_T", dtype)
    denoise = DenoisingSteps.from_prior(prior, options)
    with torch.no_grad():
        last, T = optimise_in_loop(denoise, rows, pose, T, depth_bounds(rows, None), options, seen.__setitem__)
    assert len(seen) == options.iterations and torch.equal(last, seen[options.iterations - 1])
    return seen, T


# The first iterations test the step itself: 5e-6 m is ten roundings of float32 at 7 m; with float64 the official
# numbers are still rounded, as are the tabulated time rows, hence 1e-5. The random network amplifies rounding errors
# from step to step. The 200 steps of xyz stay within 5e-3 m. Over 1000 steps our own float32 and float64 runs differ
# by about 0.02 m at iteration 200 and 0.16 m at the last, so that agreement with the official float32 run can only be
# expected within 0.05 m and 0.2 m, for poses of several metres.
@pytest.mark.parametrize(
    ("name", "dtype", "within", "T_within"),
    [
        ("wild_z", torch.float32, {0: 5e-6, 1: 5e-6, 199: 0.05, 200: 0.05, 500: 0.15, 999: 0.2}, 0.25),
        ("wild_z", torch.float64, {0: 1e-5, 1: 1e-5, 199: 0.05, 200: 0.05, 500: 0.15, 999: 0.25}, 0.25),
        ("pw3d_z", torch.float32, {0: 5e-6, 1: 5e-6, 199: 0.05, 200: 0.05, 500: 0.15, 999: 0.2}, 0.25),
        ("xyz", torch.float32, {0: 5e-6, 1: 5e-6, 39: 5e-3, 40: 5e-3, 100: 5e-3, 199: 5e-3}, 2e-2),
        ("xyz", torch.float64, {0: 1e-5, 1: 1e-5, 39: 5e-3, 40: 5e-3, 100: 5e-3, 199: 5e-3}, 2e-2),
    ],
)
def test_optimiser_in_the_loop(
    name: str, dtype: torch.dtype, within: dict[int, float], T_within: float, table: Table
) -> None:
    poses, T = loop_from_official_start(name, dtype)
    assert list(within) == NUMBERS[f"{name}_iters"].tolist()
    expected = golden(f"{name}_poses", dtype)
    differences = {i: table.add(f"{name}_poses[{i}]", dtype, poses[i], expected[n]) for n, i in enumerate(within)}
    assert {i: difference for i, difference in differences.items() if difference > within[i]} == {}
    assert table.add(f"{name}_T_final", dtype, T, golden(f"{name}_T_final", dtype)) < T_within
