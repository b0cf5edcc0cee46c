"""The hub client: files of an entry from one commit, and every failure as one line without secrets."""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from zedo_core.errors import HubError, ZedoError
from zedo_core.weights.entries import Entry

# Called with the file's name, the bytes that are here, and all of them (None when the hub does not say).
OnProgress = Callable[[str, int, int | None], None]

_PUBLIC_HUB = "https://huggingface.co"

_DOWNLOAD_TIMEOUT = "HF_HUB_DOWNLOAD_TIMEOUT"
# Read by the hub client when it is first imported; what the user has set stays. Files of a few megabytes need no
# second protocol (Xet), and answers are waited for briefly so that a missing network is told at once.
_CLIENT_DEFAULTS = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_XET": "1",
    "HF_HUB_ETAG_TIMEOUT": "3",
    _DOWNLOAD_TIMEOUT: "5",
}
_CHUNK = 2**16  # bytes of a download that are written, and shown, at once
_RETRYING = ("huggingface_hub.file_download", "huggingface_hub.utils._http")  # loggers of the client that say so
_MOST_RETRIES = 2  # of connections that break, without progress
_MOST_SILENCES = 1.5  # of HF_HUB_DOWNLOAD_TIMEOUT, less what has come since; the second in a row ends it
_BYTES_FOR_SILENCE = 2**21  # that make up for one

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
    "TimeoutException": "{host} does not answer; check the network, or raise {timeout} (seconds)",
    "TransportError": "the connection to {host} broke; check the network and try again",
    "401": "{host} refuses the token; make a new one and set HF_TOKEN",
    "403": "{host} forbids access to {repo}; check that the token (HF_TOKEN) may read it",
    "404": "{host} has no such file of {repo}; check --repo, --revision and HF_ENDPOINT",
    "409": "{repo} is there already and differs; choose another --repo",
    "429": "{host} gets too many requests from here; wait a few minutes, or pass a token (HF_TOKEN)",
}


@dataclass(frozen=True, kw_only=True)
class Remote:
    """A file on the hub: its commit and, where the hub says it, the SHA-256 of its content."""

    commit: str
    sha256: str | None


class LeftOffError(HubError):
    """A download that was ended because another one had failed."""


class HubClient:
    """The hub client at one endpoint, its errors made ours; to be used within `opened`."""

    def __init__(self, endpoint: str | None, token: str | None) -> None:
        self.endpoint = (endpoint or os.environ.get("HF_ENDPOINT") or _PUBLIC_HUB).strip().rstrip("/")
        self._token = (token or "").strip() or None
        self._stopped = threading.Event()
        self._patience = _Patience()

    @contextmanager
    def opened(self) -> Iterator[HubClient]:
        """The client silent below errors and less patient than by itself; as it was when done."""
        for key, value in _CLIENT_DEFAULTS.items():
            os.environ.setdefault(key, value)
        from huggingface_hub import constants

        loggers = [logging.getLogger(name) for name in ("huggingface_hub", *_RETRYING)]
        levels, chunk = [log.level for log in loggers], constants.DOWNLOAD_CHUNK_SIZE
        self._patience.silence_s = float(constants.HF_HUB_DOWNLOAD_TIMEOUT)
        constants.DOWNLOAD_CHUNK_SIZE = min(chunk, _CHUNK)  # of a connection that breaks, the last chunk is lost
        loggers[0].setLevel(logging.ERROR)
        for log in loggers[1:]:
            log.setLevel(logging.WARNING)
            log.addFilter(self._patience)
        try:
            yield self
        finally:
            self.stop()
            constants.DOWNLOAD_CHUNK_SIZE = chunk
            for log, level in zip(loggers, levels, strict=True):
                log.setLevel(level)
                log.removeFilter(self._patience)

    def stop(self) -> None:
        """End the downloads that run."""
        self._stopped.set()

    def ask(self, entry: Entry, revision: str, file: str) -> Remote:
        """Where `file` is at, by a single request: the client's download would first retry for 20 s."""
        with self.told(f"{entry.name} ({file})", entry.repo, entry.revision) as client:
            url = client.hf_hub_url(entry.repo, file, revision=revision, endpoint=self.endpoint)
            seconds = client.constants.HF_HUB_ETAG_TIMEOUT
            found = client.get_hf_file_metadata(url, token=self._token, timeout=seconds, endpoint=self.endpoint)
            if found.commit_hash is None:
                raise HubError(f"{_host(self.endpoint)} does not answer as a hub does; check HF_ENDPOINT and the proxy")
            etag = str(found.etag).strip('"')
            return Remote(commit=found.commit_hash, sha256=etag if re.fullmatch("[0-9a-f]{64}", etag) else None)

    def fetch(self, entry: Entry, commit: str, file: str, folder: Path, on_progress: OnProgress | None) -> Path:
        """Fetch `file` of a commit into `folder`; its path there."""
        self._patience.begin()
        with self.told(f"{entry.name} ({file})", entry.repo, entry.revision, _DOWNLOAD_TIMEOUT) as client:
            bar = self._bar_class(client, file, on_progress)
            source = {"revision": commit, "endpoint": self.endpoint, "token": self._token}
            return Path(client.hf_hub_download(entry.repo, file, local_dir=folder, tqdm_class=bar, **source))

    def api(self, client: Any) -> Any:
        """The client's interface for what is not a download."""
        return client.HfApi(endpoint=self.endpoint, token=self._token)

    @contextmanager
    def told(self, what: str, repo: str, revision: str = "main", timeout: str = "HF_HUB_ETAG_TIMEOUT") -> Iterator[Any]:
        """The `huggingface_hub` module; whatever it raises becomes one line about `what`, without secrets.

        `timeout` is the variable that says how long an answer is waited for.
        """
        import huggingface_hub

        outer = sys.exc_info()[1]  # what the caller is busy with: no cause of ours
        try:
            yield huggingface_hub
        except ZedoError:
            raise
        except Exception as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # the disk, told by who asked
            reason = _reason(error, outer).format(
                repo=repo, revision=revision, host=_host(self.endpoint), timeout=timeout
            )
            raise HubError(f"{what}: {reason}") from None

    def _bar_class(self, client: Any, file: str, on_progress: OnProgress | None) -> type:
        """A class in place of the client's progress bar that shows nothing and calls `on_progress` for every chunk."""
        patience, stopped = self._patience, self._stopped

        class Bar(client.utils.tqdm):
            def __init__(self, *args: Any, **kwargs: Any) -> None:
                super().__init__(*args, **{**kwargs, "disable": True})
                self.update(0)

            def update(self, n: float | None = 1) -> None:
                if stopped.is_set():
                    raise LeftOffError(f"{file}: left off, since another file failed")
                if n:
                    patience.restore(n)
                self.n += n or 0
                if on_progress is not None:
                    on_progress(file, int(self.n), self.total)

        return Bar


@dataclass
class _Trouble(threading.local):
    """Of the download of a thread: retries in vain, silences not made up for, and when something came."""

    retries: int = 0
    silences: float = 0.0
    heard_s: float | None = None  # None after a silence


class _Patience(logging.Filter):
    """Ends the client's retries after some without progress: each of them begins with a warning in its log.

    A silence costs seconds, and another one is waited for only if enough has come in between: seconds in which
    something came, or bytes. So a slow connection goes on, and one that is dead is told after two silences.
    """

    def __init__(self) -> None:
        super().__init__()
        self._of_thread = _Trouble()
        self.silence_s = 5.0  # after which the client gives a connection up

    def begin(self) -> None:
        """A new download in this thread."""
        self._of_thread.retries, self._of_thread.silences, self._of_thread.heard_s = 0, 0.0, None

    def restore(self, size: float) -> None:
        """So many bytes have come."""
        trouble, now_s = self._of_thread, time.monotonic()
        made_up = size / _BYTES_FOR_SILENCE
        if trouble.heard_s is not None:
            made_up += (now_s - trouble.heard_s) / self.silence_s
        trouble.retries, trouble.silences, trouble.heard_s = 0, max(0.0, trouble.silences - made_up), now_s

    def filter(self, record: logging.LogRecord) -> bool:
        status = re.match(r"HTTP Error (\d+)", record.getMessage())
        if status or "resume" in record.getMessage():
            error = sys.exc_info()[1]
            if self._is_over(is_silence="TimeoutException" in _kinds(error), most=0 if status else _MOST_RETRIES):
                raise error or _StatusError(int(status[1]) if status else 0)
        return record.levelno >= logging.ERROR

    def _is_over(self, is_silence: bool, most: int) -> bool:
        trouble = self._of_thread
        trouble.retries, trouble.heard_s = trouble.retries + 1, None
        trouble.silences += is_silence
        return trouble.retries > most or trouble.silences > _MOST_SILENCES


def _kinds(error: BaseException | None) -> set[str]:
    """Names of an exception's class and of those it derives from."""
    return {kind.__name__ for kind in type(error).__mro__}


class _StatusError(Exception):
    """An answer that the client would wait after, and we do not."""

    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")
        self.response = SimpleNamespace(status_code=status)


def _reason(error: Exception, outer: BaseException | None) -> str:
    """Why and what next: the first row of `_REASONS` that fits the error or a cause of it, short of `outer`."""
    names: set[str] = set()
    status, cause = 0, error
    while cause is not None and cause is not outer:
        names |= _kinds(cause)
        status = status or getattr(getattr(cause, "response", None), "status_code", 0)
        cause = cause.__cause__ or cause.__context__
    if status >= 500:
        return f"{{host}} has trouble (status {status}); try again later"
    fitting = (reason for name, reason in _REASONS.items() if name in names or name == str(status))
    return next(fitting, f"failed on the way ({type(error).__name__}); try again")


def _host(endpoint: str) -> str:
    """An endpoint without scheme, user and password."""
    return endpoint.rpartition("@")[2].rpartition("://")[2]
