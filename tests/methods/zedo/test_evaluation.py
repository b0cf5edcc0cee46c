"""ZeDO's variants in an evaluation: ablations, published numbers, initial poses."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from zedo_core.evaluate import EvalRequest, evaluate
from zedo_core.evaluate.run import key_of, variants_of


def test_iterations_and_hypotheses_of_the_ablations() -> None:
    rows = variants_of(EvalRequest(ablate=("iterations", "hypo"), hypotheses=(1,)), 17)
    calls = {row.calls or 0: row.settings["options"]["step"] for row in rows if row.table == "iterations"}
    assert max(calls) == 1000 and len({round(n * step, 9) for n, step in calls.items()}) == 1
    assert [row.hypotheses for row in rows if row.table == "hypo"] == [1, 2, 5, 10, 20, 50]
    same = [key_of(row) for row in rows if row.hypotheses == 1 and row.calls == 20]
    assert len(same) == 3 and len(set(same)) == 1  # computed once


def test_published_numbers_belong_to_their_data_set() -> None:
    rows = variants_of(EvalRequest(dataset="h36m", data=Path("x"), hypotheses=(1, 50)), 17)
    assert [row.published for row in rows] == [
        {"mpjpe": 50.1, "pa_mpjpe": 35.8},
        {"mpjpe": 37.0, "pa_mpjpe": 27.5},
    ]
    assert variants_of(EvalRequest(hypotheses=(1,)), 17)[0].published == {}


def test_each_part_of_the_start_from_erd_is_left_out_once() -> None:
    """Every row differs from the first in the settings that its name says."""
    rows = variants_of(EvalRequest(ablate=("regressed",), hypotheses=(1,)), 17)
    first, *others = [row.settings["options"] for row in rows if row.table == "regressed"]
    changed = [{name for name in first if first[name] != other[name]} for other in others]
    assert changed == [
        {"regressed", "candidates"},
        {"late_start"},
        {"outlier_rad", "late_outlier_rad"},
        {"exchange"},
        {"average"},
    ]
    assert first == rows[0].settings["options"]


def test_random_initial_poses_come_from_the_training_split(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    positions = rng.normal(0, 0.3, (300, 17, 3)).astype(np.float32)
    path = tmp_path / "own.npz"
    np.savez(path, positions=positions, offsets=[0, 280, 300], split=["train", "test"])
    request = EvalRequest(data=path, hypotheses=(1,), iterations=2, ablate=("init",))
    found = evaluate(request, tmp_path / "out")
    assert found is not None and [row.variant.missing for row in found.rows] == [""] * 4
