"""The settings of a request: the rows of its main table and of the ablations' (paper Tables 4 to 6 and Figure 5)."""

from __future__ import annotations

from dataclasses import replace

from zedo_core.evaluate import published
from zedo_core.evaluate.request import EvalRequest, Setting
from zedo_core.methods.zedo import ZedoOptions

ITERATIONS = (5, 10, 20, 50, 100, 200, 500, 1000)
HYPOTHESES = (1, 2, 5, 10, 20, 50)


def settings_of(request: EvalRequest, evaluated_joints: int = 17) -> tuple[Setting, ...]:
    """All rows of all tables that the request asks for, the main table first."""
    rows = [_main(request, count, evaluated_joints) for count in request.hypotheses]
    if {"ro", "wu", "ra"} & set(request.ablate):
        rows += _parts(request)
    if "init" in request.ablate:
        rows += _starts(request)
    if "iterations" in request.ablate:
        rows += [_row(request, "iterations", f"{n}", request.options.with_iterations(n)) for n in _calls(request)]
    if "hypo" in request.ablate:
        rows += [replace(_main(request, n, evaluated_joints), table="hypo", name=f"{n}") for n in HYPOTHESES]
    return tuple(rows)


def _calls(request: EvalRequest) -> list[int]:
    return sorted({*ITERATIONS, request.options.iterations})


def _main(request: EvalRequest, hypotheses: int, joints: int) -> Setting:
    paper = published.RESULTS.get((request.dataset, request.input, joints, hypotheses), {})
    return replace(_row(request, "main", f"S = {hypotheses}", request.options), hypotheses=hypotheses, published=paper)


def _row(request: EvalRequest, table: str, name: str, options: ZedoOptions) -> Setting:
    """A row with the least number of hypotheses that was asked for."""
    return Setting(table=table, name=name, options=options, weights=request.weights, hypotheses=min(request.hypotheses))


def _parts(request: EvalRequest) -> list[Setting]:
    """Table 4: without rotation optimisation and warm-up, with one, with both, and with rotation augmentation."""
    rows = []
    for (ro, wu, ra), paper in published.PARTS.items():
        if (ra and "ra" not in request.ablate) or (
            not ra and not {"ro", "wu"} & set(request.ablate) and not (ro and wu)
        ):
            continue
        options = request.options if ro else without_rotation(request.options)
        options = options if wu else replace(options, warm_up=0.0)
        name = ", ".join(label for label, on in (("RO", ro), ("WU", wu), ("RA", ra)) if on) or "none"
        row = replace(_row(request, "parts", name, options), published=paper)
        if ra and request.ra_weights is None:
            row = replace(row, missing="needs weights trained with rotation augmentation (--ra-weights)")
        rows.append(replace(row, weights=request.ra_weights or row.weights) if ra else row)
    return rows


def without_rotation(options: ZedoOptions) -> ZedoOptions:
    """The same without the search over rotations: initial poses stay as they are turned."""
    if options.init == "adam":
        return replace(options, axes="")
    return replace(options, headings=1, tilts_deg=(0.0,))


def _starts(request: EvalRequest) -> list[Setting]:
    """Table 6: which poses the optimisation starts from."""
    rows = [
        replace(_row(request, "init", start, request.options), start=start, published=paper)
        for start, paper in published.STARTS.items()
    ]
    poses = request.dataset == "mocap" and request.data is not None
    lacking = "needs training poses: --dataset mocap with a file that has a 'train' split"
    return [replace(row, missing=lacking) if row.start == "random" and not poses else row for row in rows]
