"""Downloads from the hub by name, with verification, and publishing in a single commit; every error is one line."""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zedo_core.errors import HubError, ZedoError
from zedo_core.storage.files import sha256_of
from zedo_core.weights.card import CARD_FILE
from zedo_core.weights.local import RECORD, Entry, cache_dir, get_entry, installed, intact, packaged, registry, staged

# Called with the file's name, the bytes received, and their total (None when the hub does not give it).
OnProgress = Callable[[str, int, int | None], None]

# Read by the hub client on its first import; the user's own settings take precedence. The client waits once for the
# first response and six times for further bytes of a file: a silent hub is reported after 3 s, a stall after 35 s.
_SETTINGS = {
    "HF_HUB_ETAG_TIMEOUT": "3",
    "HF_HUB_DOWNLOAD_TIMEOUT": "5",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_XET": "1",  # a second protocol, unnecessary for files of a few megabytes
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_VERBOSITY": "error",
}
_CHUNK = 2**18  # bytes between progress updates; the client's own 10 MB are more than most files

# Reason and advice, by names of exceptions (of the client, its transport or Python) or HTTP status. The first row that
# matches the error or one of its causes is used. Names, because the transport's module differs between versions.
_REASONS = {
    "OfflineModeIsEnabled": "the hub client is in offline mode; unset HF_HUB_OFFLINE",
    "HFValidationError": "'{repo}' is not a repo id; expected OWNER/NAME",
    "RevisionNotFoundError": "{repo} has no revision '{revision}'; check --revision",
    "RepositoryNotFoundError": "there is no repo {repo}, or it is private; check --repo, or pass a token (HF_TOKEN)",
    "UnicodeEncodeError LocalProtocolError": "the request cannot be sent; check HF_TOKEN",
    "UnsupportedProtocol InvalidURL": "{host} is not a URL with http(s)://; check HF_ENDPOINT",
    "gaierror": "the name {host} cannot be resolved; check the network and HF_ENDPOINT",
    "ConnectionRefusedError": "{host} refuses connections; check HF_ENDPOINT, or try again later",
    "SSLError": "the certificate of {host} is not trusted; check proxy, clock and SSL_CERT_FILE",
    "TimeoutException": "{host} does not answer; check the network, or raise {timeouts} (seconds)",
    "TransportError": "the connection to {host} broke; check network and proxy, and try again",
    "FileMetadataError": "{host} does not respond like a hub; check HF_ENDPOINT and the proxy",
    "401": "{host} refuses the token; create a new one and set HF_TOKEN",
    "403": "{host} denies access to {repo}; check its terms, and that the token (HF_TOKEN) may read it",
    "404": "{repo} has no such file at revision '{revision}'; check --repo, --revision and HF_ENDPOINT",
    "429": "{host} reports too many requests; wait a few minutes, or pass a token (HF_TOKEN)",
    "5xx": "{host} has a server error (status {status}); try again later",
}

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
    """Download the files of `name` unless they are installed; returns the path that `find_weights` gives.

    Installed files stay in use unless another `repo` or `revision` is given. `endpoint` defaults to HF_ENDPOINT or the
    public hub; without `token` the hub client uses HF_TOKEN or the saved login. HF_HUB_OFFLINE counts as `offline`.
    HubError when the hub cannot be reached or sends other content, OutputError when writing fails.
    """
    entry, existing = get_entry(name), installed(name)
    if existing and repo in (None, existing.repo) and revision in (None, existing.revision) and intact(name):
        return existing.path
    if offline or os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "on", "yes", "true"):
        raise HubError(
            f"{name}: not installed, and offline; go online (no --offline, no HF_HUB_OFFLINE); {_without(entry)}"
        )
    repo, revision = repo or entry.repo, revision or entry.revision
    commit, hashes = revision, {}
    with staged(cache_dir() / name) as new:
        for file, sha256 in entry.sha256.items():
            what = f"{name} ({file})"
            with _client(what, repo, revision, endpoint, token, _without(entry)) as (hub, access):
                url = hub.hf_hub_url(repo, file, revision=commit, endpoint=access["endpoint"])
                # a single request; a failing download would be retried for minutes
                metadata = hub.get_hf_file_metadata(url, **access)
                commit = metadata.commit_hash or commit  # the same for all files
                bar = _bar_class(file, on_progress)
                hub.hf_hub_download(repo, file, revision=commit, local_dir=new, tqdm_class=bar, **access)
            hashes[file] = _verify(what, new / file, sha256, metadata.etag)
        shutil.rmtree(new / ".cache", ignore_errors=True)  # the client's own records
        record = {"repo": repo, "revision": revision, "commit": commit, "sha256": hashes}
        (new / RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return entry.path_in(cache_dir() / name)


@dataclass(frozen=True, kw_only=True)
class Published:
    """Published files; `sha256` by file name, as in the registry."""

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
    """Publish files and the card, as README.md, to `repo` on the hub (created if needed) in a single commit.

    `endpoint` and `token` as for downloads. HubError when the hub cannot be reached or refuses.
    """
    with _client(f"publishing to {repo}", repo, "main", endpoint, token) as (hub, access):
        added = [hub.CommitOperationAdd(file.name, str(file)) for file in files]
        added.append(hub.CommitOperationAdd(CARD_FILE, card.encode()))
        api = hub.HfApi(**access)
        url = api.create_repo(repo, private=private, exist_ok=True)
        done = api.create_commit(url.repo_id, added, commit_message="Weights for zedo")
    hashes = {file.name: sha256_of(file) for file in files}
    return Published(repo=url.repo_id, url=str(url), commit=done.oid, sha256=hashes)


@contextmanager
def _client(
    what: str, repo: str, revision: str, endpoint: str | None, token: str | None, otherwise: str = ""
) -> Iterator[tuple[Any, dict[str, Any]]]:
    """The module `huggingface_hub` and its arguments for endpoint and token; its errors become a HubError of one line.

    The line ends with what to do `otherwise`. Errors of the file system are passed on.
    """
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    import huggingface_hub
    from huggingface_hub import constants

    constants.DOWNLOAD_CHUNK_SIZE = _CHUNK
    endpoint = (endpoint or os.environ.get("HF_ENDPOINT") or "https://huggingface.co").strip().rstrip("/")
    try:
        yield huggingface_hub, {"endpoint": endpoint, "token": (token or "").strip() or None}
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        reason = _reason(error, repo, revision, endpoint)
        raise HubError("; ".join(filter(None, (f"{what}: {reason}", otherwise)))) from None


def _without(entry: Entry) -> str:
    """What serves the same purpose without the hub."""
    ready = [other.name for other in registry().values() if other.kind == entry.kind and packaged(other.name)]
    option = "--detector" if entry.kind == "detector" else "--weights"
    named = f"{', '.join(ready)} in the package, and " if ready else ""
    return f"without a download there are {named}files of your own by {option} PATH"


def _reason(error: Exception, repo: str, revision: str, endpoint: str) -> str:
    """The text of `_REASONS` for an error and its causes, up to a ZedoError raised earlier."""
    names: set[str] = set()
    status = ""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ZedoError):
        names |= {kind.__name__ for kind in type(cause).__mro__}
        status = status or str(getattr(getattr(cause, "response", None), "status_code", ""))
        cause = cause.__cause__ or cause.__context__
    names.add("5xx" if status.startswith("5") else status)
    matches = (reason for keys, reason in _REASONS.items() if names & set(keys.split()))
    return next(matches, f"the transfer failed ({type(error).__name__}); try again").format(
        repo=repo,
        revision=revision,
        host=endpoint.rpartition("@")[2].rpartition("://")[2],  # without user and password
        status=status,
        timeouts="HF_HUB_ETAG_TIMEOUT and HF_HUB_DOWNLOAD_TIMEOUT",
    )


def _verify(what: str, path: Path, known: str | None, etag: str) -> str:
    """SHA-256 of a downloaded file; HubError unless it is the known one or, if unknown, the one that the hub gives."""
    actual = sha256_of(path)
    expected = known or (etag if len(etag) == len(actual) else actual)  # the hub gives no SHA-256 for small files
    if actual != expected:
        got = f"expected SHA-256 {expected[:12]}..., got {actual[:12]}..."
        raise HubError(f"{what}: {got}; refused, check --repo and --revision, or upgrade zedo")
    if known is None:
        logger.warning("%s: its SHA-256 is not in the registry; accepted unverified with %s", what, actual)
    return actual


def _bar_class(file: str, on_progress: OnProgress | None) -> type:
    """A progress bar class for the client that calls `on_progress` and displays nothing."""

    class Bar:
        def __init__(self, total: int | None = None, initial: int = 0, **_: Any) -> None:
            self.done, self.total = initial, total
            self.update(0)

        def __enter__(self) -> Bar:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def update(self, n: int) -> None:
            self.done += n
            if on_progress is not None:
                on_progress(file, self.done, self.total)

    return Bar
