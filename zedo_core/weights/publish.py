"""Weights to the hub: their files and a model card, in one commit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from zedo_core.errors import HubError, OutputError
from zedo_core.storage.files import sha256_of
from zedo_core.weights.card import CARD_FILE
from zedo_core.weights.client import HubClient


@dataclass(frozen=True, kw_only=True)
class Published:
    """What was published where; `sha256` by file name, as a registry has it."""

    repo: str
    url: str
    commit: str
    sha256: dict[str, str]


def publish(
    files: Sequence[Path],
    card: str,
    repo: str,
    *,
    private: bool = False,
    endpoint: str | None = None,
    token: str | None = None,
) -> Published:
    """Put files and the card, as README.md, into `repo` (made if needed) on the hub in one commit.

    `endpoint` and `token` as for downloads. HubError when the hub refuses or cannot be reached.
    """
    with HubClient(endpoint, token).opened() as hub, hub.told(f"publishing to {repo}", repo) as client:
        api, shown = hub.api(client), not client.utils.are_progress_bars_disabled()
        client.utils.disable_progress_bars()
        try:
            added = [client.CommitOperationAdd(file.name, str(file)) for file in files]
        except OSError as error:
            raise OutputError(f"{error.filename}: cannot be read ({error.strerror})") from None
        added.append(client.CommitOperationAdd(CARD_FILE, card.encode()))
        try:
            url = api.create_repo(repo, private=private, exist_ok=True)
            done = api.create_commit(url.repo_id, added, commit_message="Weights for zedo")
        finally:
            if shown:
                client.utils.enable_progress_bars()
        if not done.oid:
            raise HubError(f"publishing to {repo}: the hub names no commit; look at {url} and try again")
    return Published(
        repo=url.repo_id, url=str(url), commit=done.oid, sha256={file.name: sha256_of(file) for file in files}
    )
