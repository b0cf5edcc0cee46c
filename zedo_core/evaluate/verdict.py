"""What an evaluation found, in five sentences, before the tables."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from zedo_core.evaluate.run import Evaluation, Row
from zedo_core.types.poses import DOUBTFUL_M

_MM = 1000.0
_HONEST = 0.85, 1.15  # of real over stated errors: within the differences between the calibrated kinds of noise
_FAR_M = 0.150


def verdict(evaluation: Evaluation) -> tuple[str, ...]:
    """What was measured, the errors, a reference, whether the stated errors are honest, and what is worst.

    For the last row of the main table, the one with most hypotheses; empty where none could be run.
    """
    rows = [row for row in evaluation.rows if row.variant.table == "main" and row.numbers is not None]
    if not rows:
        return ()
    row = rows[-1]
    measured = evaluation.measured[row.key]
    return (
        _what(evaluation, row),
        _errors(row, _MM * measured["mpjpe"][:, 0]),
        _reference(evaluation, row),
        _honesty(measured),
        _worst(evaluation, row, _MM * measured["mpjpe"][:, 0]),
    )


def _what(evaluation: Evaluation, row: Row) -> str:
    request, samples = evaluation.request, evaluation.samples
    keypoints = "a detector's keypoints" if request.input == "detected" else "exact keypoints"
    changes = {
        f"noise like a detector's of strength {request.detector_noise:g}": request.detector_noise,
        f"{request.noise_px:g} px of noise": request.noise_px,
        f"{100 * request.drop:.0f} % of the joints hidden": request.drop,
    }
    noise = " and ".join(text for text, amount in changes.items() if amount)
    keypoints += f" with {noise}" if noise else ""
    preset = f" with the preset {request.preset}" if request.preset else ""
    return (
        f"Measured: {_poses(len(samples))} in {len(set(samples.sequence.tolist()))} sequences of {samples.name} "
        f"({request.split}), {keypoints}, lifted by {request.method}{preset}, S = {row.variant.hypotheses}."
    )


def _errors(row: Row, errors_mm: ndarray) -> str:
    assert row.numbers is not None
    n, (low, high) = row.numbers, row.numbers["mpjpe"]["chosen_interval"]
    return (
        f"Errors: MPJPE {n['mpjpe']['chosen']:.1f} mm (95 % interval {low:.1f} to {high:.1f}) and PA-MPJPE "
        f"{n['pa_mpjpe']['chosen']:.1f} mm over {_poses(len(errors_mm))}; half of them are below "
        f"{np.median(errors_mm):.0f} mm, one in twenty is above {np.percentile(errors_mm, 95):.0f} mm."
    )


def _reference(evaluation: Evaluation, row: Row) -> str:
    """The paper's figures are those of the best hypothesis by ground truth, and so is what is compared with them."""
    assert row.numbers is not None
    S, published = row.variant.hypotheses, row.variant.published
    best = "the pose" if S == 1 else f"the best of {S} by ground truth"
    pairs = {"MPJPE": "mpjpe", "PA-MPJPE": "pa_mpjpe"}
    here = " / ".join(f"{row.numbers[metric]['oracle']:.1f}" for metric in pairs.values())
    there = " / ".join(f"{published[metric]:.1f}" for metric in pairs.values() if metric in published)
    if not there:
        return f"Reference: none is published for these poses; {best} is off by {here} mm (MPJPE / PA-MPJPE)."
    named = " / ".join(name for name, metric in pairs.items() if metric in published)
    return (
        f"Reference: the paper of {evaluation.request.method} has {there} mm for {best} ({named}), this run {here} mm."
    )


def _honesty(measured: dict[str, ndarray]) -> str:
    if "score" not in measured or not np.isfinite(measured["score"][:, 0]).all():
        return "Stated errors: the method states none."
    stated, real = -measured["score"][:, 0].astype(float), measured["mpjpe"][:, 0]
    ratio, (low, high) = float(real.mean() / stated.mean()), _HONEST
    judged = "honest" if low <= ratio <= high else "too small" if ratio > high else "too large"
    marked, far = stated > DOUBTFUL_M, real > _FAR_M
    found = f"; {_poses(int(far.sum()))} off by more than {_MM * _FAR_M:.0f} mm, {(marked & far).sum()} of these marked"
    return (
        f"Stated errors: {judged}, {_MM * stated.mean():.1f} mm on average where the real ones are "
        f"{_MM * real.mean():.1f}; {_poses(int(marked.sum()))} marked doubtful{found if far.any() else ''}."
    )


def _poses(count: int) -> str:
    return f"{count} {'pose' if count == 1 else 'poses'}"


def _worst(evaluation: Evaluation, row: Row, errors_mm: ndarray) -> str:
    assert row.numbers is not None
    samples, joints, actions = evaluation.samples, row.numbers["joints"], row.numbers["actions"]
    joint = max(joints, key=joints.__getitem__)
    parts = [f"{joint.replace('_', ' ')} among the joints ({joints[joint]:.0f} mm)"]
    if len(actions) > 1:
        action = max(actions, key=lambda name: actions[name]["mpjpe"]["chosen"])
        mean, count = actions[action]["mpjpe"]["chosen"], actions[action]["samples"]
        parts.append(f"{action} among the actions ({mean:.0f} mm, {_poses(count)})")
    i = int(errors_mm.argmax())
    pose = f"frame {samples.frame[i]} of {samples.sequences[samples.sequence[i]]}"
    return f"Worst: {', '.join(parts)}, and {pose} among the poses ({errors_mm[i]:.0f} mm)."
