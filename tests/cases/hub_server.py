"""A model hub on loopback that implements the parts of the real protocol that downloads and uploads need.

    HEAD|GET /OWNER/REPO/resolve/REVISION/FILE   302 to the storage, with X-Repo-Commit, X-Linked-Etag and X-Linked-Size
    GET|PUT  /storage/SHA256                     the bytes, with ETag and ranges
    POST     /api/repos/create, /api/validate-yaml
    POST     /api/models/OWNER/REPO/preupload/main, .../commit/main
    POST     /OWNER/REPO.git/info/lfs/objects/batch

As with the real hub, the storage is another origin: it is named `localhost`, the hub `127.0.0.1`. Errors have a header
X-Error-Code. Faults are injected by setting attributes of `Hub` while it runs.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

COMMIT = "0123456789abcdef0123456789abcdef01234567"
_RESOLVE = re.compile(r"/(?P<repo>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<file>[^/]+)")


@dataclass(frozen=True)
class Request:
    """A request of a client."""

    method: str
    path: str
    headers: dict[str, str]  # names in lower case


@dataclass
class Hub:
    """The hub's content, the faults to inject, and the requests so far."""

    repos: dict[str, dict[str, bytes]]
    revisions: tuple[str, ...] = ("main", COMMIT)
    token: str | None = None  # when set, requests without it are refused
    status: int | None = None  # status of every response for a file
    storage_status: int | None = None  # status of every response of the storage
    cuts: int = 0  # how many responses of the storage are still to break off in the middle
    stalls: int = 0  # how many responses of the storage are still to stall in the middle
    corrupt: bool = False  # whether the storage flips a bit
    bytes_per_second: int | None = None  # speed of the storage
    redirects: int = 0  # how many requests to the hub are still to be redirected
    private: dict[str, bool] = field(default_factory=dict)  # created repos, and whether they are private
    uploads: dict[str, bytes] = field(default_factory=dict)  # uploaded files by SHA-256
    commits: list[str] = field(default_factory=list)  # first lines of the commit messages
    closing: threading.Event = field(default_factory=threading.Event)
    plain: bool = False  # respond like any web server, with a page and without the hub's headers
    requests: list[Request] = field(default_factory=list)
    endpoint: str = ""

    def requested(self, method: str, part: str = "") -> list[Request]:
        """The requests so far with this method whose path contains `part`."""
        return [request for request in self.requests if request.method == method and part in request.path]


@contextmanager
def running(hub: Hub) -> Iterator[Hub]:
    """Serve `hub` on a free port of loopback and set its `endpoint`."""
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hub
    finally:
        hub.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore clients that disconnected."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def do_HEAD(self) -> None:
        self._route()

    def do_GET(self) -> None:
        self._route()

    def do_POST(self) -> None:
        self._route()

    def do_PUT(self) -> None:
        self._route()

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""

    def _route(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.hub.requests.append(Request(self.command, self.path, headers))
        chunked = headers.get("transfer-encoding") == "chunked"
        body = self._chunks() if chunked else self.rfile.read(int(headers.get("content-length", 0)))
        if self.hub.plain:
            self._send(200, b"<html>welcome</html>")
        elif self.command in ("POST", "PUT"):
            self._upload(body)
        elif self.hub.redirects and not self.path.startswith("/storage/"):
            self.hub.redirects -= 1
            self._send(307, headers={"Location": self.path})  # as for a renamed repo, on the same host
        elif self.path.startswith("/storage/"):
            self._storage(self.path.removeprefix("/storage/"))
        elif match := _RESOLVE.fullmatch(unquote(self.path)):
            self._resolve(**match.groupdict())
        else:
            self._send(404)

    def _chunks(self) -> bytes:
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _resolve(self, repo: str, revision: str, file: str) -> None:
        files = self.hub.repos.get(repo)
        if self.hub.status:
            self._send(self.hub.status)
        elif self.hub.token and self.headers["Authorization"] != f"Bearer {self.hub.token}":
            refused = {"X-Error-Message": "Invalid credentials in Authorization header"}
            self._send(401, headers=refused if self.headers["Authorization"] else {"X-Error-Code": "RepoNotFound"})
        elif files is None:
            self._send(401, headers={"X-Error-Code": "RepoNotFound"})  # as the real hub also does for private repos
        elif revision not in self.hub.revisions:
            self._send(404, headers={"X-Error-Code": "RevisionNotFound"})
        elif file not in files:
            self._send(404, headers={"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT})
        else:
            sha256 = hashlib.sha256(files[file]).hexdigest()
            linked = {"X-Repo-Commit": COMMIT, "X-Linked-Etag": f'"{sha256}"', "X-Linked-Size": str(len(files[file]))}
            storage = self.hub.endpoint.replace("127.0.0.1", "localhost")
            self._send(302, headers={**linked, "Location": f"{storage}/storage/{sha256}"})

    def _upload(self, body: bytes) -> None:
        """Uploads: the repo is created, files are announced, large ones are stored, and all are committed."""
        create = self.path == "/api/repos/create"
        if self.hub.status:
            self._send(self.hub.status)
        elif self.command == "PUT":
            sha256 = self.path.removeprefix("/storage/")
            self.hub.uploads[sha256] = body
            self._send(200 if hashlib.sha256(body).hexdigest() == sha256 else 400)
        elif self.hub.token and self.headers["Authorization"] != f"Bearer {self.hub.token}":
            self._send(401, headers={"X-Error-Message": "Invalid credentials in Authorization header"})
        elif create:
            request = json.loads(body)
            repo = "/".join(part for part in (request.get("organization") or "me", request["name"]) if part)
            exists = repo in self.hub.repos
            self.hub.repos.setdefault(repo, {})
            self.hub.private.setdefault(repo, bool(request.get("private")) or request.get("visibility") == "private")
            self._json({"url": f"{self.hub.endpoint}/{repo}"}, 409 if exists else 200)
        elif self.path == "/api/validate-yaml":
            self._json({"errors": [], "warnings": []})
        elif self.path.partition("?")[0].endswith("/preupload/main"):
            modes = [(f["path"], "regular" if f["path"].endswith((".md", ".json")) else "lfs") for f in _files(body)]
            self._json({"files": [{"path": p, "uploadMode": mode, "shouldIgnore": False} for p, mode in modes]})
        elif self.path.endswith(".git/info/lfs/objects/batch"):
            objects = json.loads(body)["objects"]
            put = [{**o, "actions": {"upload": {"href": f"{self.hub.endpoint}/storage/{o['oid']}"}}} for o in objects]
            self._json({"transfer": "basic", "objects": put})
        elif self.path.partition("?")[0].endswith("/commit/main"):
            self._commit(self.path.removeprefix("/api/models/").partition("/commit/")[0], body)
        else:
            self._send(404)

    def _commit(self, repo: str, body: bytes) -> None:
        rows = [json.loads(row) for row in body.splitlines()]
        for row in rows:
            value = row["value"]
            if row["key"] == "file":
                self.hub.repos[repo][value["path"]] = base64.b64decode(value["content"])
            elif row["key"] == "lfsFile":
                self.hub.repos[repo][value["path"]] = self.hub.uploads[value["oid"]]
            else:
                self.hub.commits.append(value["summary"])
        self._json({"commitUrl": f"{self.hub.endpoint}/{repo}/commit/{COMMIT}", "commitOid": COMMIT})

    def _json(self, value: object, status: int = 200) -> None:
        self._send(status, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _storage(self, sha256: str) -> None:
        files = (data for files in self.hub.repos.values() for data in files.values())
        data = next(data for data in files if hashlib.sha256(data).hexdigest() == sha256)
        if self.hub.corrupt:
            data = bytes([data[0] ^ 1]) + data[1:]
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
        if not self.path.startswith("/storage/"):
            self.wfile.write(body)
        elif self.hub.cuts:
            self.hub.cuts -= 1
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
        elif self.hub.stalls:
            self.hub.stalls -= 1
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            self.hub.closing.wait()
            self.close_connection = True
        else:
            self._write(body)

    def _write(self, body: bytes) -> None:
        """Write at the speed of the storage; the client may have disconnected."""
        rate = self.hub.bytes_per_second
        step = len(body) if rate is None else max(1, rate // 20)
        for i in range(0, len(body), max(1, step)):
            try:
                self.wfile.write(body[i : i + step])
                self.wfile.flush()
            except OSError:
                return
            if rate is not None:
                time.sleep(0.05)


def _files(body: bytes) -> list[dict[str, str]]:
    return json.loads(body)["files"]
