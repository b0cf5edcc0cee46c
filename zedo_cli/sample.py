"""`zedo sample`: draw poses from a prior, complete poses with it, or denoise them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zedo_cli._options import Device, Json, OutDir, Quiet, Seed, Weights, parse_path
from zedo_cli._output import print_json, progress, say


def sample(
    poses: Annotated[
        Path | None,
        typer.Argument(
            metavar="[POSES]",
            help="Poses to complete (NaN for missing joints), or to denoise with --sigma: npz or npy (n, j, 3) in "
            "metres in camera axes, or poses.npz of zedo infer. Without POSES, new ones are drawn.",
            parser=parse_path,
        ),
    ] = None,
    out: OutDir = Path("zedo_samples"),
    count: Annotated[
        int | None,
        typer.Option("--count", min=1, help="Poses to draw (default 64), or completions per pose (default 4)."),
    ] = None,
    sigma: Annotated[
        float | None,
        typer.Option("--sigma", help="Standard deviation of the noise to remove from POSES, in metres.", min=0.0),
    ] = None,
    flow: Annotated[
        bool, typer.Option("--flow", help="Draw by the deterministic probability flow instead of the SDE.")
    ] = False,
    steps: Annotated[int, typer.Option("--steps", min=1, max=10_000, help="Network calls.")] = 200,
    weights: Weights = None,
    device: Device = "auto",
    seed: Seed = 0,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Draw, complete or denoise poses with a prior; writes samples.npz and a contact sheet, samples.png."""
    from zedo_core.methods import DEFAULT_METHOD, get_method
    from zedo_core.nets.device import check_device

    get_method(DEFAULT_METHOD).check(None, weights)
    check_device(device)
    from zedo_core.methods.zedo.prior_view import ViewRequest, view_prior
    from zedo_core.render.bodies import MAX_BODIES, save_bodies

    request = ViewRequest(
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
        view = view_prior(request, lambda done, total: bars.update(bar, completed=done, total=total))
    files = out / "samples.npz", out / "samples.png"
    view.save(files[0])
    known = None if view.known is None else view.known[:MAX_BODIES]
    save_bodies(view.poses[:MAX_BODIES].astype(float), view.skeleton, files[1], known=known)
    poses = view.poses.shape[0] * view.poses.shape[1]
    moved = "" if view.moved_m is None else f", given joints moved by {1000 * view.moved_m:.0f} mm"
    say(
        f"{poses} poses {view.task}: {view.within_limits:.1%} within the limits of joints, "
        f"{view.symmetric:.1%} with left and right bones within 15 %{moved}"
    )
    say(f"written to {out}")
    if json:
        measured = {name: getattr(view, name) for name in ("within_limits", "symmetric", "moved_m")}
        print_json({"task": view.task, "poses": poses, **measured, "weights": view.weights, "files": files})
