"""`zedo import`: import official ZeDO weights from files under a name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zedo_cli._options import Json, Quiet, parse_path
from zedo_cli._output import print_json, say
from zedo_core.errors import WeightsError


def import_weights(
    checkpoint: Annotated[
        Path,
        typer.Argument(
            metavar="CHECKPOINT", help="Official checkpoint, such as checkpoint_1500.pth.", parser=parse_path
        ),
    ],
    clusters: Annotated[
        list[Path] | None,
        typer.Option(
            "--clusters",
            help="Official file of initial poses (.npy); may be repeated. By default the packaged ones are used.",
            metavar="FILE",
            parser=parse_path,
        ),
    ] = None,
    name: Annotated[str, typer.Option("--name", help="Name of the weights, for infer --weights NAME.")] = "official",
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Read official ZeDO weights safely, check them, and store them as safetensors under a name."""
    from zedo_core import weights as hub
    from zedo_core.methods.zedo.initial_poses import load_initial_poses, save_initial_poses
    from zedo_core.methods.zedo.prior import load_official_prior, load_prior, save_prior

    final = hub.import_folder(name)
    prior = load_official_prior(checkpoint)
    sets = {count: poses for file in clusters or () for count, poses in load_initial_poses(file).items()}
    with hub.staged(final) as new:
        save_prior(new, prior.net, prior.sde, prior.skeleton, name, half=False)
        if sets:
            save_initial_poses(new, sets)
        stored = load_prior(new).net.state_dict()
        if any(not value.equal(stored[key]) for key, value in prior.net.state_dict().items()):
            raise WeightsError(
                f"{checkpoint}: expected the stored weights to equal those read, they differ; check the disk"
            )
    say(f"stored as '{name}': zedo infer INPUT --weights {name}")
    if as_json:
        print_json({"name": name, "path": final, "checkpoint_sha256": prior.sha256, "clusters": list(sets)})
    else:
        typer.echo(final)
