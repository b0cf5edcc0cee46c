"""`zedo sample`: poses drawn from a prior, completed by it, or cleaned of noise."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zedo_cli._options import Device, Json, OutDir, Quiet, Seed, Weights, path_of
from zedo_cli._output import print_json, progress, say


def sample(
    poses: Annotated[
        Path | None,
        typer.Argument(
            metavar="[POSES]",
            help="Complete these (NaN where a joint is missing), or clean them with --sigma: npz or npy (n, j, 3) in "
            "metres and camera axes, or poses.npz of zedo infer. Without it, new poses are drawn.",
            parser=path_of,
        ),
    ] = None,
    out: OutDir = Path("zedo_samples"),
    count: Annotated[
        int | None, typer.Option("--count", min=1, help="Poses to draw (64), or completions of each pose (4).")
    ] = None,
    sigma: Annotated[
        float | None, typer.Option("--sigma", help="Noise in POSES in metres, to be taken off.", min=0.0)
    ] = None,
    flow: Annotated[
        bool, typer.Option("--flow", help="Draw by the probability flow instead of the stochastic SDE.")
    ] = False,
    steps: Annotated[int, typer.Option("--steps", min=1, max=10_000, help="Network calls.")] = 200,
    weights: Weights = "prior",
    device: Device = "auto",
    seed: Seed = 0,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Show what a prior knows: samples.npz and a contact sheet, samples.png."""
    from zedo_core.methods.zedo.prior_view import ViewRequest, view_prior

    request = ViewRequest(
        out=out,
        poses=poses,
        count=count or (64 if poses is None else 4),
        sigma_m=sigma,
        stochastic=not flow,
        weights=weights,
        device=device,
        seed=seed,
        steps=steps,
    )
    with progress() as bars:
        bar = bars.add_task("sampling", total=None, unit="poses")
        report = view_prior(request, lambda done, total: bars.update(bar, completed=done, total=total))
    moved = "" if report.moved_m is None else f", given joints moved by {1000 * report.moved_m:.0f} mm"
    say(
        f"{report.poses} poses {report.task}: {report.within_limits:.1%} within the limits of joints, "
        f"{report.symmetric:.1%} with left and right bones within 15 %{moved}"
    )
    say(f"written to {out}")
    if json:
        print_json(report)
