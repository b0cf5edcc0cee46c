"""`zedo demo`: a real example from the package, without network access or a detector."""

from __future__ import annotations

from pathlib import Path

from zedo_cli._options import Device, Hypo, Json, OutDir, Quiet, Seed
from zedo_cli._output import print_json
from zedo_cli._stages import shown_stages, summarise
from zedo_core.pipeline.request import InferRequest


def demo(
    out: OutDir = Path("zedo_demo"),
    hypo: Hypo = InferRequest.hypotheses,
    device: Device = InferRequest.device,
    seed: Seed = InferRequest.seed,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Lift the packaged example, keypoints of a person balancing, and draw a figure and an animation."""
    from zedo_core.camera import CameraChoice
    from zedo_core.pipeline.run import demo_assets, infer

    keypoints, camera = demo_assets()
    request = InferRequest(
        input=keypoints,
        out=out,
        hypotheses=hypo,
        camera=CameraChoice(file=camera),
        device=device,
        seed=seed,
        figure=True,
    )
    with shown_stages() as on_progress:
        report = infer(request, on_progress)
    summarise(report)
    if json:
        print_json(report)
