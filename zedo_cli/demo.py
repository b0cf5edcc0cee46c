"""`zedo demo`: a real video from the package, from detection to the web page, without network access."""

from __future__ import annotations

from pathlib import Path

from zedo_cli._options import Device, Hypo, Json, OutDir, Quiet, Seed
from zedo_cli._output import print_json, say
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
    """Lift the person in the packaged video and write poses, an overlay, a figure and a web page with a 3D player."""
    from zedo_core.camera import CameraChoice
    from zedo_core.pipeline.run import demo_assets, infer

    video, camera = demo_assets()
    request = InferRequest(
        input=video,
        out=out,
        hypotheses=hypo,
        camera=CameraChoice(file=camera),
        device=device,
        seed=seed,
        figure=True,
        formats=(*InferRequest.formats, "html"),
    )
    with shown_stages() as on_progress:
        report = infer(request, on_progress)
    summarise(report)
    say(f"next: open {out / 'poses.html'} in a browser, or zedo infer with a video of yours")
    if json:
        print_json(report)
