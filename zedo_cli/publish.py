"""`zedo publish`: upload your own weights to a hub with a model card."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zedo_cli._options import Json, Quiet, parse_path
from zedo_cli._output import print_json, say
from zedo_core.errors import InputError

if TYPE_CHECKING:
    from zedo_core.methods.method import Publication


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
    """Check a weights folder and upload a prior with its initial poses, or networks of ERD, and a model card.

    The card is the folder's README.md, or is generated from the record of the training.
    """
    from zedo_core import weights as hub

    contents = _publication_of(folder)(folder, licence or "other", terms)
    existing = hub.read_card(folder)
    if existing is not None and (licence or terms):
        raise InputError(
            f"{folder / hub.CARD_FILE}: is used as the model card; give licence and terms there, or remove it"
        )
    card = existing or contents.card
    if dry_run:
        typer.echo(card, nl=False)
        return
    done = hub.publish(list(contents.files), card, repo, private=private, endpoint=endpoint, token=token)
    say(f"published to {done.repo} at {done.commit}")
    if as_json:
        print_json(done)
    else:
        typer.echo(done.url)


def _publication_of(folder: Path) -> Callable[[Path, str, str | None], Publication]:
    """The function of the method whose weights lie in the folder."""
    from zedo_core.methods import methods

    known = [method for method in methods().values() if method.publication]
    found = [method.publication for method in known if (folder / method.weights_file).exists()]
    if len(found) != 1 or found[0] is None:
        names = ", ".join(method.weights_file for method in known)
        raise InputError(
            f"{folder}: expected a weights folder from 'zedo train' with one of {names}, found "
            f"{'several' if found else 'none'}"
        )
    return found[0]
