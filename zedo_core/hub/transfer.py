"""Fetching by name: hub -> staged beside -> verified -> renamed to `cache_dir()/NAME`."""

from __future__ import annotations

import json
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from zedo_core.errors import HubError, OutputError
from zedo_core.files import sha256_of
from zedo_core.hub.client import HubClient, OnProgress
from zedo_core.hub.entries import Entry, WeightsFile, entry_named
from zedo_core.hub.local import RECORD, cache_dir, inside, installed, intact

logger = logging.getLogger(__name__)


def download(
    name: str,
    *,
    repo: str | None = None,
    revision: str | None = None,
    endpoint: str | None = None,
    token: str | None = None,
    offline: bool = False,
    on_progress: OnProgress | None = None,
) -> Path:
    """Fetch the files of `name` unless they are here already; path as `find_weights` gives it.

    `endpoint` defaults to HF_ENDPOINT and the public hub; without `token` the hub client uses HF_TOKEN or the
    login of this machine. HF_HUB_OFFLINE counts as `offline`. On failure what was here before stays in use.
    HubError when the hub cannot be reached or sends something else, OutputError when nothing can be written.
    """
    entry = entry_named(name)
    wanted = replace(entry, repo=repo or entry.repo, revision=revision or entry.revision)
    offline = offline or os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "on", "yes", "true")
    here = installed(name)
    same = here and (here.repo, here.revision) == (wanted.repo, wanted.revision)
    if here and (same or (offline and not repo and not revision)) and intact(entry, here):
        return here.path
    if offline:
        raise HubError(f"{name}: not downloaded before, and offline; go online (no --offline, no HF_HUB_OFFLINE)")
    final = cache_dir() / name
    with _staging(final) as staging:
        _fetch(HubClient(endpoint, token), wanted, staging, on_progress)
        _put(staging, final)
    return inside(entry, final)


def _fetch(hub: HubClient, entry: Entry, staging: Path, on_progress: OnProgress | None) -> None:
    """Fill `staging/new` with the verified files of `entry` and the record of where they are from."""
    commit = entry.revision
    for file in entry.files:  # ask for all before the first is fetched, and take all from one commit
        commit = hub.commit_of(entry, commit, file.name)
    hashes = {}
    for file in entry.files:
        path = hub.fetch(entry, commit, file.name, staging / "client", on_progress)
        hashes[file.name] = _verified(entry, file, path)
        os.replace(path, staging / "new" / file.name)
    record = {"repo": entry.repo, "revision": entry.revision, "commit": commit, "sha256": hashes}
    (staging / "new" / RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


@contextmanager
def _staging(final: Path) -> Iterator[Path]:
    """A folder beside `final`, with an empty folder `new`; removed in the end. OutputError when the disk fails."""
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=final.parent, prefix=f".{final.name}-") as folder:
            (Path(folder) / "new").mkdir()
            yield Path(folder)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise OutputError(f"{final}: cannot write there ({reason}); free space or set ZEDO_HOME") from None


def _put(staging: Path, final: Path) -> None:
    """Rename `staging/new` to `final`; what was there goes with the staging folder, or back if the renaming fails."""
    old = staging / "old"
    if final.exists():
        final.rename(old)
    try:
        (staging / "new").rename(final)
    except OSError:
        if old.exists():
            old.rename(final)
        raise


def _verified(entry: Entry, file: WeightsFile, path: Path) -> str:
    """SHA-256 of a file that has just arrived; HubError unless it is the known one."""
    found = sha256_of(path)
    if file.sha256 is None:
        logger.warning("%s: no SHA-256 is known for %s; accepted unverified, it has %s", entry.name, file.name, found)
    elif found != file.sha256:
        got = f"expected SHA-256 {file.sha256[:12]}..., got {found[:12]}..."
        raise HubError(f"{entry.name} ({file.name}): {got}; refused, check --repo and --revision, or upgrade zedo")
    return found
