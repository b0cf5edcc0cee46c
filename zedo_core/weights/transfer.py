"""Fetching by name: hub -> staged beside -> verified -> renamed to `cache_dir()/NAME`."""

from __future__ import annotations

import json
import logging
import os
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path

from zedo_core.errors import HubError
from zedo_core.storage.files import sha256_of
from zedo_core.weights.client import HubClient, OnProgress
from zedo_core.weights.entries import Entry, WeightsFile, entry_named
from zedo_core.weights.local import RECORD, cache_dir, inside, installed, intact
from zedo_core.weights.staging import staged

_AT_ONCE = 4  # files of an entry

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
    with staged(final) as new, HubClient(endpoint, token).opened() as client:
        _fetch(client, wanted, new, on_progress)
    return inside(entry, final)


def _fetch(hub: HubClient, entry: Entry, new: Path, on_progress: OnProgress | None) -> None:
    """Fill `new` with the verified files of `entry` and the record of where they are from."""
    commit, known = entry.revision, {}
    for file in entry.files:  # ask for all before the first is fetched, and take all from one commit
        remote = hub.ask(entry, commit, file.name)
        commit, known[file.name] = remote.commit, file.sha256 or remote.sha256

    def fetch(file: WeightsFile) -> str:
        path = new / file.name
        if not (file.sha256 and path.is_file() and sha256_of(path) == file.sha256):  # of a run that was killed
            fetched = hub.fetch(entry, commit, file.name, new.parent / "client", on_progress)
            _verify(entry, file, known[file.name], fetched)
            os.replace(fetched, path)
        return sha256_of(path)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        futures = {file.name: pool.submit(fetch, file) for file in entry.files}
        try:
            for done in as_completed(futures.values()):  # the first to fail says why; the others are left off
                done.result()
        except BaseException:
            hub.stop()
            pool.shutdown(cancel_futures=True)
            raise
    hashes = {name: future.result() for name, future in futures.items()}
    record = {"repo": entry.repo, "revision": entry.revision, "commit": commit, "sha256": hashes}
    (new / RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def _verify(entry: Entry, file: WeightsFile, expected: str | None, path: Path) -> None:
    """HubError unless a file that has just arrived is the known one, or at least the one that the hub names."""
    found = sha256_of(path)
    if expected is not None and found != expected:
        got = f"expected SHA-256 {expected[:12]}..., got {found[:12]}..."
        raise HubError(f"{entry.name} ({file.name}): {got}; refused, check --repo and --revision, or upgrade zedo")
    if file.sha256 is None:
        logger.warning("%s: no SHA-256 is known for %s; accepted unverified, it has %s", entry.name, file.name, found)
