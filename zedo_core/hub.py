"""Weights by name: what there is, what is here, and how to fetch the rest.

    registry()            every name with its repo, revision, files and their SHA-256
    find_weights(name)    a path as given, a name downloaded before, the packaged weights; never the network
    download(name)        hub -> staged beside -> verified -> renamed to `cache_dir()/NAME`

A file whose hash the registry does not know (null) is accepted with a warning and counts as unverified.
A known hash is always checked, whatever `repo` or `revision` the caller names: a name stands for one content.
Other weights are used by their path.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from zedo_core.errors import HubError, InputError, OutputError, WeightsError, ZedoError
from zedo_core.files import sha256_of

logger = logging.getLogger(__name__)

KINDS = ("prior", "detector")
# Called with the file's name, the bytes that are here, and all of them (None when the hub does not say).
OnProgress = Callable[[str, int, int | None], None]

_PACKAGE = Path(__file__).parent
_REGISTRY = _PACKAGE / "registry.json"
_FORMAT = "zedo-registry-1"
_RECORD = "source.json"
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PUBLIC_HUB = "https://huggingface.co"

# Read by the hub client when it is first imported; what the user has set stays. Files of a few megabytes need no
# second protocol (Xet), and the first answer is waited for briefly so that a missing network is told at once.
_CLIENT_DEFAULTS = {"HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_XET": "1", "HF_HUB_ETAG_TIMEOUT": "3"}

# Why and what next, by the name of an exception of the hub client, of its transport or of Python; the first that
# fits the error or one of its causes counts, the HTTP status among them. Names, because the transport's module
# differs between client versions.
_REASONS = {
    "OfflineModeIsEnabled": "the hub client is in offline mode; unset HF_HUB_OFFLINE",
    "HFValidationError": "'{repo}' is not a repo id; expected OWNER/NAME",
    "GatedRepoError": "{repo} is gated; accept its terms on its page and pass a token (HF_TOKEN)",
    "DisabledRepoError": "{repo} has been disabled on the hub; choose another --repo",
    "RevisionNotFoundError": "{repo} has no revision '{revision}'; check --revision",
    "RemoteEntryNotFoundError": "{repo} has no such file at revision '{revision}'; check --repo and --revision",
    "RepositoryNotFoundError": "there is no repo {repo}, or it is private; check --repo, or pass a token (HF_TOKEN)",
    "UnicodeEncodeError": "the token has characters that no token has; check HF_TOKEN",
    "LocalProtocolError": "the request cannot be sent as it is; check HF_TOKEN and HF_ENDPOINT for stray characters",
    "UnsupportedProtocol": "the endpoint {host} has no http(s)://; check HF_ENDPOINT",
    "InvalidURL": "the endpoint {host} is not a URL; check HF_ENDPOINT",
    "ProxyError": "the proxy refused; check HTTPS_PROXY",
    "gaierror": "the name {host} cannot be resolved; check the network and HF_ENDPOINT",
    "ConnectionRefusedError": "{host} refuses connections; check HF_ENDPOINT, or try again later",
    "SSLError": "{host} has no certificate that is trusted here; check proxy, clock and SSL_CERT_FILE",
    "TimeoutException": "{host} does not answer; check the network, or raise HF_HUB_ETAG_TIMEOUT (seconds)",
    "TransportError": "the connection to {host} broke; check the network and try again",
    "401": "{host} refuses the token; make a new one and set HF_TOKEN",
    "403": "{host} forbids access to {repo}; check that the token (HF_TOKEN) may read it",
    "404": "{host} has no such file of {repo}; check --repo, --revision and HF_ENDPOINT",
    "429": "{host} gets too many requests from here; wait a few minutes, or pass a token (HF_TOKEN)",
}


@dataclass(frozen=True, kw_only=True)
class WeightsFile:
    """One file of an entry."""

    name: str  # plain, both in the repo and on disk
    sha256: str | None  # hex; None: not known
    size: int | None  # bytes, about, to be shown; None: not known


@dataclass(frozen=True, kw_only=True)
class Entry:
    """Weights that zedo knows by name."""

    name: str
    kind: str  # one of KINDS
    default: bool  # the one of its kind that is used when none is named
    packaged: str | None  # folder inside the package; None: must be downloaded
    repo: str
    revision: str  # commit, tag or branch; only a commit is immutable
    licence: str
    files: tuple[WeightsFile, ...]

    @property
    def size(self) -> int | None:
        """Bytes of all files; None when one is not known."""
        sizes = [file.size for file in self.files if file.size is not None]
        return sum(sizes) if len(sizes) == len(self.files) else None


@dataclass(frozen=True, kw_only=True)
class Installed:
    """Downloaded weights: where they are, where they are from, and the hashes they arrived with."""

    path: Path  # the file itself for an entry of one file, else the folder
    repo: str
    revision: str
    commit: str
    sha256: tuple[str, ...]  # in the order of the entry's files
    verified: bool  # every file was compared with a hash of the registry


def registry() -> dict[str, Entry]:
    """Every entry of `registry.json` by its name; WeightsError when the file is not as it must be."""
    try:
        content = json.loads(_REGISTRY.read_text(encoding="utf-8"))
        if content["format"] != _FORMAT:
            raise ValueError(f"expected format {_FORMAT}, found {content['format']}")
        return {name: _entry_of(name, fields) for name, fields in content["weights"].items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise WeightsError(f"{_REGISTRY.name}: damaged ({error}); install zedo again") from None


def cache_dir() -> Path:
    """Folder of the downloads: ZEDO_HOME, else `zedo` in the user's cache folder."""
    if home := os.environ.get("ZEDO_HOME"):
        return Path(home).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "zedo"


def installed(name: str) -> Installed | None:
    """The download of `name`; None when it is not here, not complete, or not what the registry asks for today."""
    entry, folder = _entry(name), cache_dir() / name
    try:
        record = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
        found = tuple(record["sha256"][file.name] for file in entry.files)
        source = {key: str(record[key]) for key in ("repo", "revision", "commit")}
    except (OSError, ValueError, TypeError, KeyError):
        return None
    if not _complete(entry, folder) or any(f.sha256 not in (None, h) for f, h in zip(entry.files, found, strict=True)):
        return None
    verified = all(file.sha256 for file in entry.files)
    return Installed(path=_inside(entry, folder), sha256=found, verified=verified, **source)


def packaged(name: str) -> Path | None:
    """The weights of `name` that came with zedo; None when there are none."""
    entry = _entry(name)
    folder = _PACKAGE / entry.packaged if entry.packaged else None
    return _inside(entry, folder) if folder and _complete(entry, folder) else None


def find_weights(name_or_path: str | Path, kind: str) -> Path:
    """Path of weights on this machine: a file, or the folder of an entry of several files.

    An existing path is returned as given; then comes what was downloaded under the name, then what came with
    zedo. WeightsError with what to do otherwise; the network is not used.
    """
    if kind not in KINDS:
        raise InputError(f"expected a kind of weights ({', '.join(KINDS)}), got '{kind}'")
    if Path(name_or_path).exists():
        return Path(name_or_path)
    name, entries = str(name_or_path), registry()
    if name not in entries or entries[name].kind != kind:
        names = ", ".join(entry.name for entry in entries.values() if entry.kind == kind)
        raise WeightsError(f"'{name}': no such file, and no {kind} of that name; known: {names}")
    here = installed(name)
    path = here.path if here else packaged(name)
    if path is None:
        raise WeightsError(f"{kind} '{name}' is not here yet; fetch it with 'zedo download {name}'")
    return path


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
    entry = _entry(name)
    wanted = replace(entry, repo=repo or entry.repo, revision=revision or entry.revision)
    offline = offline or os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "on", "yes", "true")
    here = installed(name)
    same = here and (here.repo, here.revision) == (wanted.repo, wanted.revision)
    if here and (same or (offline and not repo and not revision)) and _intact(entry, here):
        return here.path
    if offline:
        raise HubError(f"{name}: not downloaded before, and offline; go online (no --offline, no HF_HUB_OFFLINE)")
    final = cache_dir() / name
    with _staging(final) as staging:
        _Hub(endpoint, token).fetch(wanted, staging, on_progress)
        _put(staging, final)
    return _inside(entry, final)


class _Hub:
    """The hub client at one endpoint, its errors made ours."""

    def __init__(self, endpoint: str | None, token: str | None) -> None:
        self.endpoint = (endpoint or os.environ.get("HF_ENDPOINT") or _PUBLIC_HUB).strip().rstrip("/")
        self._token = (token or "").strip() or None

    def fetch(self, entry: Entry, staging: Path, on_progress: OnProgress | None) -> None:
        """Fill `staging/new` with the verified files of `entry` and the record of where they are from."""
        commit = entry.revision
        for file in entry.files:  # ask for all before the first is fetched, and take all from one commit
            commit = self._commit(entry, commit, file.name)
        hashes = {}
        for file in entry.files:
            path = self._file(entry, commit, file.name, staging / "client", on_progress)
            hashes[file.name] = _verified(entry, file, path)
            os.replace(path, staging / "new" / file.name)
        record = {"repo": entry.repo, "revision": entry.revision, "commit": commit, "sha256": hashes}
        (staging / "new" / _RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")

    def _commit(self, entry: Entry, revision: str, file: str) -> str:
        """The commit that `file` is at, by a single request: the client's download would first retry for 20 s."""
        with self._client(entry, file) as client:
            url = client.hf_hub_url(entry.repo, file, revision=revision, endpoint=self.endpoint)
            seconds = client.constants.HF_HUB_ETAG_TIMEOUT
            found = client.get_hf_file_metadata(url, token=self._token, timeout=seconds, endpoint=self.endpoint)
            if found.commit_hash is None:
                raise HubError(f"{_host(self.endpoint)} does not answer as a hub does; check HF_ENDPOINT and the proxy")
            return found.commit_hash

    def _file(self, entry: Entry, commit: str, file: str, folder: Path, on_progress: OnProgress | None) -> Path:
        with self._client(entry, file) as client:
            bar = _bar_class(client, file, on_progress)
            source = {"revision": commit, "endpoint": self.endpoint, "token": self._token}
            return Path(client.hf_hub_download(entry.repo, file, local_dir=folder, tqdm_class=bar, **source))

    @contextmanager
    def _client(self, entry: Entry, file: str) -> Iterator[Any]:
        """The `huggingface_hub` module, silent below errors; whatever it raises becomes one line without secrets."""
        for key, value in _CLIENT_DEFAULTS.items():
            os.environ.setdefault(key, value)
        import huggingface_hub

        outer = sys.exc_info()[1]  # what the caller is busy with: no cause of ours
        log = logging.getLogger("huggingface_hub")
        level = log.level
        log.setLevel(logging.ERROR)
        try:
            yield huggingface_hub
        except ZedoError:
            raise
        except Exception as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # the disk, told by `_staging`
            reason = _reason(error, outer).format(repo=entry.repo, revision=entry.revision, host=_host(self.endpoint))
            raise HubError(f"{entry.name} ({file}): {reason}") from None
        finally:
            log.setLevel(level)


def _bar_class(client: Any, file: str, on_progress: OnProgress | None) -> type:
    """A class in place of the client's progress bar that shows nothing and calls `on_progress`, every 10 MB or less."""

    class Bar(client.utils.tqdm):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **{**kwargs, "disable": True})
            self.update(0)

        def update(self, n: float | None = 1) -> None:
            self.n += n or 0
            if on_progress is not None:
                on_progress(file, int(self.n), self.total)

    return Bar


def _reason(error: Exception, outer: BaseException | None) -> str:
    """Why and what next: the first row of `_REASONS` that fits the error or a cause of it, short of `outer`."""
    names: set[str] = set()
    status, cause = 0, error
    while cause is not None and cause is not outer:
        names |= {kind.__name__ for kind in type(cause).__mro__}
        status = status or getattr(getattr(cause, "response", None), "status_code", 0)
        cause = cause.__cause__ or cause.__context__
    if status >= 500:
        return f"{{host}} has trouble (status {status}); try again later"
    fitting = (reason for name, reason in _REASONS.items() if name in names or name == str(status))
    return next(fitting, f"the download failed ({type(error).__name__}); try again")


def _host(endpoint: str) -> str:
    """An endpoint without scheme, user and password."""
    return endpoint.rpartition("@")[2].rpartition("://")[2]


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


def _intact(entry: Entry, here: Installed) -> bool:
    folder = cache_dir() / entry.name
    return all(sha256_of(folder / f.name) == known for f, known in zip(entry.files, here.sha256, strict=True))


def _complete(entry: Entry, folder: Path) -> bool:
    return all((folder / file.name).is_file() for file in entry.files)


def _inside(entry: Entry, folder: Path) -> Path:
    return folder / entry.files[0].name if len(entry.files) == 1 else folder


def _entry(name: str) -> Entry:
    entries = registry()
    if name not in entries:
        raise WeightsError(f"no weights are named '{name}'; known: {', '.join(entries)}")
    return entries[name]


def _entry_of(name: str, fields: dict[str, Any]) -> Entry:
    """One entry of the registry, checked; ValueError or TypeError when it is not as it must be."""
    files = tuple(WeightsFile(**file) for file in fields["files"])
    entry = Entry(name=name, **{**fields, "files": files})
    if entry.kind not in KINDS:
        raise ValueError(f"{name}: unknown kind '{entry.kind}'")
    if not files or not all(_PLAIN_NAME.fullmatch(part) for part in (name, *(file.name for file in files))):
        raise ValueError(f"{name}: needs files, and plain names")
    if not all(file.sha256 is None or _SHA256.fullmatch(file.sha256) for file in files):
        raise ValueError(f"{name}: a SHA-256 has 64 lower-case hex digits, or is null")
    if not (entry.repo and entry.revision and entry.licence):
        raise ValueError(f"{name}: needs repo, revision and licence")
    return entry
