"""`zedo demo`: the whole path on a real example from the package, without network or detector."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zedo_cli._options import Device, Json, OutDir, Quiet, Seed
from zedo_cli._output import print_json
from zedo_cli._stages import shown_stages, summarise


def demo(
    out: OutDir = Path("zedo_demo"),
    hypo: Annotated[int, typer.Option("--hypo", min=1, max=200, help="Hypotheses per person and frame.")] = 10,
    device: Device = "auto",
    seed: Seed = 0,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Lift the packaged example (keypoints of a person balancing) and draw a figure and an animation."""
    from zedo_core.camera.choice import CameraChoice
    from zedo_core.pipeline.run import InferRequest, demo_assets, infer

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
