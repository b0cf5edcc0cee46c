"""`zedo import`: official ZeDO weights, given as files, become weights with a name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zedo_cli._options import Json, Quiet, path_of
from zedo_cli._output import print_json, say
from zedo_core.errors import WeightsError


def import_weights(
    checkpoint: Annotated[
        Path,
        typer.Argument(metavar="CHECKPOINT", help="Official checkpoint, such as checkpoint_1500.pth.", parser=path_of),
    ],
    clusters: Annotated[
        list[Path] | None,
        typer.Option(
            "--clusters",
            help="Official file of initial poses (.npy); repeat for several. Without, the packaged ones serve.",
            metavar="FILE",
            parser=path_of,
        ),
    ] = None,
    name: Annotated[str, typer.Option("--name", help="What to call them: infer --weights NAME.")] = "official",
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Read official ZeDO weights safely, check them, and store them as safetensors under a name."""
    from zedo_core import weights as hub
    from zedo_core.methods.zedo.checkpoint import (
        load_clusters,
        load_official_prior,
        load_prior,
        save_clusters,
        save_prior,
    )

    final = hub.import_folder(name)
    prior = load_official_prior(checkpoint)
    poses = {count: shapes for file in clusters or () for count, shapes in load_clusters(file).items()}
    with hub.staged(final) as new:
        save_prior(new, prior.net, prior.sde, prior.skeleton, name, half=False)
        if poses:
            save_clusters(new, poses)
        elif (new / "clusters.npz").exists():
            (new / "clusters.npz").unlink()  # of a run that was killed
        stored = load_prior(new).net.state_dict()
        if any(not value.equal(stored[key]) for key, value in prior.net.state_dict().items()):
            raise WeightsError(f"{checkpoint}: what was stored differs from what was read; check the disk")
    say(f"stored as '{name}': zedo infer INPUT --weights {name}")
    if as_json:
        print_json({"name": name, "path": final, "checkpoint_sha256": prior.sha256, "clusters": list(poses)})
    else:
        typer.echo(final)
