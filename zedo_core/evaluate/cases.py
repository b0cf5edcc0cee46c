"""The cases of the gallery: the worst, median and best ones."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from zedo_core.data import Samples
from zedo_core.data._samples import project
from zedo_core.evaluate.gallery import Case
from zedo_core.evaluate.run import Evaluation
from zedo_core.evaluate.samples import lift_samples
from zedo_core.methods import Variant
from zedo_core.metrics import mpjpe
from zedo_core.skeleton import H36M17


def select_cases(evaluation: Evaluation) -> list[Case]:
    """`request.gallery` cases of each kind by the MPJPE of the chosen hypothesis in the main table's last variant.

    One case per sequence, as long as there are enough sequences.
    """
    last, samples = [row for row in evaluation.rows if row.variant.table == "main"][-1], evaluation.samples
    selected = select_rows(evaluation.measured[last.key]["mpjpe"][:, 0], samples.sequence, evaluation.request.gallery)
    rows = np.array([row for _, row in selected])
    joints, score = _lift(evaluation, last.variant, rows)
    part = samples.take(rows)
    reprojected = project(joints[:, 0], part.K)
    return [
        Case(
            title=_title(part, i),
            group=group,
            figures=_figures(part, joints[i], None if score is None else float(score[i, 0]), i),
            xy=part.xy[i],
            confidence=part.confidence[i],
            reprojected=reprojected[i],
            truth=part.joints_cam[i],
            chosen=joints[i, 0],
            others=joints[i, 1:],
        )
        for i, (group, _) in enumerate(selected)
    ]


def _lift(
    evaluation: Evaluation, variant: Variant, rows: Int[ndarray, " m"]
) -> tuple[Float[ndarray, "m h 17 3"], Float[ndarray, "m h"] | None]:
    """Hypotheses and scores of some samples, lifted with their whole sequences if the method needs them."""
    request, sequence = evaluation.request, evaluation.samples.sequence
    lifter = variant.load(request.device)
    needed = np.unique(rows) if lifter.window is None else np.flatnonzero(np.isin(sequence, sequence[rows]))
    lifted = lift_samples(lifter, evaluation.samples.take(needed), variant.hypotheses, request.seed)
    index = np.searchsorted(needed, rows)
    return lifted.joints[index].astype(float), None if lifted.score is None else lifted.score[index]


def select_rows(errors: Float[ndarray, " n"], sequence: Int[ndarray, " n"], count: int) -> list[tuple[str, int]]:
    """(group, row) of the `count` worst, median and best rows, without duplicates."""
    order = np.argsort(errors, kind="stable")
    middle = order[np.argsort(np.abs(np.arange(len(order)) - len(order) // 2), kind="stable")]
    used: set[int] = set()
    selected = []
    for group, ordered in (("worst", order[::-1]), ("median", middle), ("best", order)):
        candidates = [int(row) for row in ordered if int(row) not in used]
        first_of_sequence = {int(sequence[row]): row for row in reversed(candidates)}.values()
        firsts = sorted(first_of_sequence, key=candidates.index)
        rows = (firsts + [row for row in candidates if row not in set(firsts)])[:count]
        used |= set(rows)
        selected += [(group, row) for row in rows]
    return selected


def _title(samples: Samples, i: int) -> str:
    return f"{samples.sequences[samples.sequence[i]]}, frame {samples.frame[i]}"


def _figures(samples: Samples, hypotheses: Float[ndarray, "h j 3"], score: float | None, i: int) -> dict[str, str]:
    known = [0, *(joint for joint in H36M17.indices(samples.evaluated) if joint != 0)]
    truth = samples.joints_cam[i][known]
    errors = 1000.0 * mpjpe(hypotheses[:, known], np.broadcast_to(truth, (len(hypotheses), *truth.shape)), 0)
    figures = {"MPJPE": f"{errors[0]:.0f} mm", f"best of {len(errors)} (oracle)": f"{errors.min():.0f} mm"}
    return figures if score is None else figures | {"expected error": f"{-1000.0 * score:.0f} mm"}
