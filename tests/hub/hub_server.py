"""A model hub on loopback that speaks the protocol of the real one as far as downloads need it.

    HEAD|GET /OWNER/REPO/resolve/REVISION/FILE   302 to the storage, with X-Repo-Commit, X-Linked-Etag and X-Linked-Size
    GET      /storage/SHA256                     the bytes, with ETag and ranges

As with the real one, storage is another origin: it is named `localhost`, the hub `127.0.0.1`. Errors carry
X-Error-Code. What shall go wrong is set on the server's attributes while it runs.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

COMMIT = "0123456789abcdef0123456789abcdef01234567"
_RESOLVE = re.compile(r"/(?P<repo>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<file>[^/]+)")


@dataclass(frozen=True)
class Request:
    """What a client sent."""

    method: str
    path: str
    headers: dict[str, str]  # names in lower case


@dataclass
class Hub:
    """The hub's content, what is to go wrong, and what it was asked."""

    repos: dict[str, dict[str, bytes]]
    revisions: tuple[str, ...] = ("main", COMMIT)
    token: str | None = None  # when set, requests without it are refused
    status: int | None = None  # answer every question for a file with this status
    storage_status: int | None = None  # answer every request to the storage with this status
    cuts: int = 0  # how many answers of the storage still break off in the middle
    plain: bool = False  # answer as any web server, with a page and without the hub's headers
    requests: list[Request] = field(default_factory=list)
    endpoint: str = ""

    def asked(self, method: str, part: str = "") -> list[Request]:
        """The requests so far of one method whose path contains `part`."""
        return [request for request in self.requests if request.method == method and part in request.path]


@contextmanager
def running(hub: Hub) -> Iterator[Hub]:
    """Serve `hub` on a free port of loopback; its `endpoint` says where."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def do_HEAD(self) -> None:
        self._route()

    def do_GET(self) -> None:
        self._route()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def _route(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.hub.requests.append(Request(self.command, self.path, headers))
        if self.hub.plain:
            self._send(200, b"<html>welcome</html>")
        elif self.path.startswith("/storage/"):
            self._storage(self.path.removeprefix("/storage/"))
        elif match := _RESOLVE.fullmatch(unquote(self.path)):
            self._resolve(**match.groupdict())
        else:
            self._send(404)

    def _resolve(self, repo: str, revision: str, file: str) -> None:
        files = self.hub.repos.get(repo)
        if self.hub.status:
            self._send(self.hub.status)
        elif self.hub.token and self.headers["Authorization"] != f"Bearer {self.hub.token}":
            refused = {"X-Error-Message": "Invalid credentials in Authorization header"}
            self._send(401, headers=refused if self.headers["Authorization"] else {"X-Error-Code": "RepoNotFound"})
        elif files is None:
            self._send(401, headers={"X-Error-Code": "RepoNotFound"})  # the real hub hides what is private
        elif revision not in self.hub.revisions:
            self._send(404, headers={"X-Error-Code": "RevisionNotFound"})
        elif file not in files:
            self._send(404, headers={"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT})
        else:
            sha256 = hashlib.sha256(files[file]).hexdigest()
            linked = {"X-Repo-Commit": COMMIT, "X-Linked-Etag": f'"{sha256}"', "X-Linked-Size": str(len(files[file]))}
            storage = self.hub.endpoint.replace("127.0.0.1", "localhost")
            self._send(302, headers={**linked, "Location": f"{storage}/storage/{sha256}"})

    def _storage(self, sha256: str) -> None:
        files = (data for files in self.hub.repos.values() for data in files.values())
        data = next(data for data in files if hashlib.sha256(data).hexdigest() == sha256)
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        headers = {"ETag": f'"{sha256}"', "Accept-Ranges": "bytes"}
        if self.hub.storage_status:
            self._send(self.hub.storage_status)
        elif start:
            self._send(206, data[start:], {**headers, "Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"})
        else:
            self._send(200, data, headers)

    def _send(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if self.hub.cuts and self.path.startswith("/storage/"):
            self.hub.cuts -= 1
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
        else:
            self.wfile.write(body)
