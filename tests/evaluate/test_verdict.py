"""The five sentences before the tables say what the numbers say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from zedo_core.data import load_samples
from zedo_core.evaluate import EvalRequest, Evaluation, verdict
from zedo_core.evaluate.measure import measure
from zedo_core.evaluate.run import Row
from zedo_core.evaluate.summary import summarise
from zedo_core.methods import Variant
from zedo_core.types import Lifted


def evaluation(
    request: EvalRequest, stated_mm: float | None = 40.0, published: dict[str, float] | None = None
) -> Evaluation:
    """Two hypotheses, of which the chosen one has all joints but the root off by 42.5 mm and the other by 10.6.

    In the first clip, an action of its own, one wrist is off by 2 m as well in frame 3: an error of 160 mm.
    """
    samples = load_samples("mocap", None)
    samples = replace(samples, action=(samples.sequence == 0).astype(int), actions=("right", "wrong"))
    joints = np.repeat(samples.joints_cam[:, None], 2, axis=1)
    joints[:, :, 1:, 1] += np.array([0.040, 0.010])[None, :, None] * 17 / 16
    joints[3, 0, 16, 1] += 2.0
    score = None if stated_mm is None else np.full((600, 2), -stated_mm / 1000, np.float32)
    if score is not None:
        score[[3, 4], 0] = -0.2
    measured = measure(samples, Lifted(joints=joints.astype(np.float32), score=score))
    variant = Variant(
        name="S = 2", hypotheses=2, weights="none", settings={}, load=lambda device: None, published=published or {}  # type: ignore[arg-type, return-value]
    )  # fmt: skip
    row = Row(variant=variant, numbers=summarise(samples, measured), seconds=1.0)
    return Evaluation(request=request, samples=samples, rows=(row,), measured={row.key: measured}, identity={})


def test_every_number_of_the_sentences() -> None:
    what, errors, reference, stated, worst = verdict(evaluation(EvalRequest(hypotheses=(2,))))
    assert what == "Measured: 600 poses in 24 sequences of mocap (test), exact keypoints, lifted by zedo, S = 2."
    assert errors.startswith("Errors: MPJPE 40.2 mm (95 % interval 40.0 to ")
    assert errors.endswith("mm over 600 poses; half of them are below 40 mm, one in twenty is above 40 mm.")
    assert reference.startswith(
        "Reference: none is published for these poses; the best of 2 by ground truth is off by 10.0 /"
    )
    assert stated == (
        "Stated errors: honest, 40.5 mm on average where the real ones are 40.2; 2 poses marked doubtful; 1 pose off "
        "by more than 150 mm, 1 of these marked."
    )
    assert worst.startswith(
        "Worst: right wrist among the joints (46 mm), wrong among the actions (45 mm, 25 poses), and"
    )
    assert worst.endswith(" among the poses (158 mm).") and "frame 3 of " in worst


@pytest.mark.parametrize(("stated_mm", "said"), [(30.0, "too small"), (40.0, "honest"), (60.0, "too large")])
def test_whether_the_stated_errors_are_honest(stated_mm: float, said: str) -> None:
    assert verdict(evaluation(EvalRequest(), stated_mm))[3].startswith(f"Stated errors: {said}, ")


def test_a_method_without_scores() -> None:
    assert verdict(evaluation(EvalRequest(), None))[3] == "Stated errors: the method states none."


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"noise_px": 5.0, "drop": 0.2}, "exact keypoints with 5 px of noise and 20 % of the joints hidden"),
        ({"detector_noise": 1.0}, "exact keypoints with noise like a detector's of strength 1"),
        ({"input": "detected", "preset": "fast"}, "a detector's keypoints, lifted by zedo with the preset fast"),
    ],
)
def test_what_was_measured(options: dict[str, Any], said: str) -> None:
    assert said in verdict(evaluation(EvalRequest(**options)))[0]


def test_a_published_figure_is_compared_with_the_best_hypothesis() -> None:
    reference = verdict(evaluation(EvalRequest(), published={"mpjpe": 57.3, "pa_mpjpe": 45.1}))[2]
    assert reference.startswith(
        "Reference: the paper of zedo has 57.3 / 45.1 mm for the best of 2 by ground truth (MPJPE"
    )
    assert "this run 10.0 / " in reference


def test_nothing_is_said_of_nothing() -> None:
    found = evaluation(EvalRequest())
    assert verdict(replace(found, rows=(replace(found.rows[0], numbers=None),))) == ()
