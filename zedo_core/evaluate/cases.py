"""The cases worth a look: the worst, the middle and the best ones."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from zedo_core.data import Samples
from zedo_core.data._samples import projected
from zedo_core.evaluate.gallery import Case
from zedo_core.evaluate.run import Evaluation, with_start
from zedo_core.lifting import load_lifter
from zedo_core.metrics import mpjpe
from zedo_core.skeleton import H36M17


def cases_of(evaluation: Evaluation) -> list[Case]:
    """`request.gallery` cases of each kind by the chosen hypothesis' MPJPE, with the last setting of the main table.

    One case a sequence, as long as there are enough sequences.
    """
    setting = [row.setting for row in evaluation.rows if row.setting.table == "main"][-1]
    samples, measured = evaluation.samples, evaluation.measured[setting.key]
    picked = pick(measured["mpjpe"][:, 0], samples.sequence, evaluation.request.gallery)
    rows = np.array([row for _, row in picked])
    part = samples.take(rows)
    lifter = load_lifter(setting.weights, options=setting.options, device=evaluation.request.device)
    lifter = with_start(lifter, setting, evaluation.request)
    found = lifter.lift_rows(part.xy, part.confidence, part.K, setting.hypotheses, seed=evaluation.request.seed)
    joints = found.joints.astype(float)
    reprojected = projected(joints[:, 0], part.K)
    return [
        Case(
            title=_title(part, i),
            group=group,
            figures=_figures(part, joints[i], float(found.score[i, 0]), i),
            xy=part.xy[i],
            confidence=part.confidence[i],
            reprojected=reprojected[i],
            truth=part.joints_cam[i],
            chosen=joints[i, 0],
            others=joints[i, 1:],
        )
        for i, (group, _) in enumerate(picked)
    ]


def pick(errors: Float[ndarray, " n"], sequence: Int[ndarray, " n"], count: int) -> list[tuple[str, int]]:
    """(group, row) of `count` worst, median and best rows, no row twice."""
    order = np.argsort(errors, kind="stable")
    middle = order[np.argsort(np.abs(np.arange(len(order)) - len(order) // 2), kind="stable")]
    taken: set[int] = set()
    picked = []
    for group, candidates in (("worst", order[::-1]), ("median", middle), ("best", order)):
        fresh = [int(row) for row in candidates if int(row) not in taken]
        first = list({int(sequence[row]): row for row in reversed(fresh)}.values())
        firsts = sorted(first, key=fresh.index)
        rows = (firsts + [row for row in fresh if row not in set(firsts)])[:count]
        taken |= set(rows)
        picked += [(group, row) for row in rows]
    return picked


def _title(samples: Samples, i: int) -> str:
    return f"{samples.sequences[samples.sequence[i]]}, frame {samples.frame[i]}"


def _figures(samples: Samples, hypotheses: Float[ndarray, "h j 3"], score: float, i: int) -> dict[str, str]:
    known = [0, *(joint for joint in H36M17.indices(samples.evaluated) if joint != 0)]
    truth = samples.joints_cam[i][known]
    errors = 1000.0 * mpjpe(hypotheses[:, known], np.broadcast_to(truth, (len(hypotheses), *truth.shape)), 0)
    return {
        "MPJPE": f"{errors[0]:.0f} mm",
        f"best of {len(errors)} (oracle)": f"{errors.min():.0f} mm",
        "expected error": f"{-1000.0 * score:.0f} mm",
    }
