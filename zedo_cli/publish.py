"""`zedo publish`: upload your own weights to a hub with a model card."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zedo_cli._options import Json, Quiet, parse_path
from zedo_cli._output import print_json, say
from zedo_core.errors import InputError


def publish(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Weights folder from zedo train.", parser=parse_path)],
    repo: Annotated[str, typer.Option("--repo", help="Target repository; created if needed.", metavar="OWNER/NAME")],
    private: Annotated[bool, typer.Option("--private", help="Create a new repository as private.")] = False,
    licence: Annotated[
        str | None,
        typer.Option(
            "--licence",
            help="Licence of the weights by its name on the hub: apache-2.0, cc-by-4.0, ...",
            show_default="other",
        ),
    ] = None,
    terms: Annotated[
        str | None, typer.Option("--terms", help="Sources of the training data, and their terms.", metavar="TEXT")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the model card; upload nothing.")] = False,
    endpoint: Annotated[
        str | None, typer.Option(help="URL of another hub.", envvar="HF_ENDPOINT", show_envvar=True, metavar="URL")
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(help="Access token; preferably set in the environment.", envvar="HF_TOKEN", show_default=False),
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Check a weights folder and upload prior.safetensors, prior.json, clusters.npz and a model card.

    The card is the folder's README.md, or is generated from the record of the training.
    """
    from zedo_core import weights as hub
    from zedo_core.methods.zedo.card import model_card
    from zedo_core.methods.zedo.initial_poses import INITIAL_POSES_FILE, load_initial_poses
    from zedo_core.methods.zedo.prior import CONFIG_FILE, PRIOR_FILE, load_prior

    if not folder.is_dir():
        raise InputError(f"{folder}: expected a weights folder from 'zedo train prior'")
    prior, sets = load_prior(folder), load_initial_poses(folder)
    existing = hub.read_card(folder)
    if existing is not None and (licence or terms):
        raise InputError(
            f"{folder / hub.CARD_FILE}: is used as the model card; give licence and terms there, or remove it"
        )
    card = existing or model_card(
        name=prior.name,
        joints=prior.skeleton.name,
        weights=sum(value.numel() for value in prior.net.parameters()),
        initial_poses=tuple(sets),
        training=hub.read_training(folder),
        licence=licence or "other",
        terms=terms,
    )
    if dry_run:
        typer.echo(card, nl=False)
        return
    files = [folder / name for name in (PRIOR_FILE, CONFIG_FILE, INITIAL_POSES_FILE)]
    done = hub.publish(files, card, repo, private=private, endpoint=endpoint, token=token)
    say(f"published to {done.repo} at {done.commit}")
    if as_json:
        print_json(done)
    else:
        typer.echo(done.url)
