"""`zedo publish`: weights of one's own to a hub, with a model card."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zedo_cli._options import Json, Quiet, path_of
from zedo_cli._output import print_json, say
from zedo_core.errors import InputError


def publish(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Weights folder, as zedo train makes it.", parser=path_of)
    ],
    repo: Annotated[str, typer.Option("--repo", help="Where to; made if needed.", metavar="OWNER/NAME")],
    private: Annotated[bool, typer.Option("--private", help="Make a new repo private.")] = False,
    licence: Annotated[
        str | None,
        typer.Option(
            "--licence",
            help="Of the weights, as the hub names it: apache-2.0, cc-by-4.0, ...",
            show_default="other",
        ),
    ] = None,
    terms: Annotated[
        str | None, typer.Option("--terms", help="Where the training data are from, and their terms.", metavar="TEXT")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the model card; send nothing.")] = False,
    endpoint: Annotated[
        str | None, typer.Option(help="Another hub.", envvar="HF_ENDPOINT", show_envvar=True, metavar="URL")
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(help="Access token; better set in the environment.", envvar="HF_TOKEN", show_default=False),
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Check a weights folder and upload prior.safetensors, prior.json, clusters.npz and a model card.

    The card is the folder's README.md; where there is none, one is made from the record of the training.
    """
    from zedo_core import weights as hub
    from zedo_core.methods.zedo.checkpoint import CLUSTERS_FILE, CONFIG_FILE, PRIOR_FILE, load_clusters, load_prior

    if not folder.is_dir():
        raise InputError(f"{folder}: expected a weights folder, as 'zedo train prior' makes it")
    prior, clusters = load_prior(folder), load_clusters(folder)
    own = hub.read_card(folder)
    if own is not None and (licence or terms):
        raise InputError(f"{folder / hub.CARD_FILE}: is the model card; say licence and terms there, or remove it")
    card = own or hub.model_card(
        name=prior.name,
        joints=prior.skeleton.name,
        weights=sum(value.numel() for value in prior.net.parameters()),
        shapes=tuple(clusters),
        training=hub.read_training(folder),
        licence=licence or "other",
        terms=terms,
    )
    if dry_run:
        typer.echo(card, nl=False)
        return
    files = [folder / name for name in (PRIOR_FILE, CONFIG_FILE, CLUSTERS_FILE)]
    done = hub.publish(files, card, repo, private=private, endpoint=endpoint, token=token)
    say(f"published to {done.repo} at {done.commit}")
    if as_json:
        print_json(done)
    else:
        typer.echo(done.url)
