"""Downloads that fail: one line with what to do, no secrets, and what was here before stays in use."""

from __future__ import annotations

import errno
import logging
import os
import socket
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from hub_cases import DETECTOR, PRIOR, SECRET, files
from hub_server import COMMIT, Hub

from zedo_core import weights as hub
from zedo_core.errors import HubError, OutputError


def _fails(server: Hub, *expected: str, name: str = "nano", **options: Any) -> None:
    """Downloading fails in one line that says what is expected, no secrets, and leaves nothing behind."""
    with pytest.raises(HubError) as caught:
        hub.download(name, **{"endpoint": server.endpoint, "token": SECRET, **options})
    line = str(caught.value)
    assert all(part in line for part in expected), line
    assert "\n" not in line
    assert SECRET not in line
    assert files(hub.cache_dir()) == set()


def test_a_wrong_hash_leaves_the_old_files_in_use(server: Hub, home: Path) -> None:
    hub.download("prior", endpoint=server.endpoint)
    before = files(home)
    server.repos["acme/prior"]["clusters.npz"] = b"something else"
    with pytest.raises(HubError, match=r"clusters\.npz.*expected SHA-256 .*got.*refused"):
        hub.download("prior", revision=COMMIT, endpoint=server.endpoint)
    assert files(home) == before
    assert {name: (home / "prior" / name).read_bytes() for name in PRIOR} == PRIOR
    assert hub.find_weights("prior", "prior") == home / "prior"


def test_a_wrong_hash_with_nothing_here_leaves_nothing(server: Hub) -> None:
    server.repos["acme/prior"]["clusters.npz"] = b"something else"
    _fails(server, "clusters.npz", "expected SHA-256", name="prior")


def test_a_failed_renaming_brings_the_old_files_back(server: Hub, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.download("nano", endpoint=server.endpoint)
    before, rename = files(home), Path.rename

    def refuse_new(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise PermissionError(13, "Permission denied")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse_new)
    with pytest.raises(OutputError, match="Permission denied"):
        hub.download("nano", revision=COMMIT, endpoint=server.endpoint)
    assert files(home) == before
    assert hub.find_weights("nano", "detector").read_bytes() == DETECTOR


def test_no_such_repo(server: Hub) -> None:
    _fails(server, "no repo acme/other", "--repo", "HF_TOKEN", repo="acme/other")


def test_no_such_revision(server: Hub) -> None:
    _fails(server, "acme/nano has no revision 'v9'", "--revision", revision="v9")


def test_no_such_file_is_found_before_anything_is_fetched(server: Hub) -> None:
    del server.repos["acme/prior"]["clusters.npz"]
    _fails(server, "clusters.npz", "no such file", "'main'", name="prior")
    assert server.asked("GET") == []


def test_a_refused_token(server: Hub) -> None:
    server.token = "hf_another"
    _fails(server, "refuses the token", "HF_TOKEN")


def test_a_missing_token(server: Hub) -> None:
    server.token = SECRET
    _fails(server, "private", "HF_TOKEN", token=None)
    assert hub.download("nano", endpoint=server.endpoint, token=f"{SECRET}\n").read_bytes() == DETECTOR


def test_the_token_goes_to_the_hub_and_not_to_the_storage(server: Hub) -> None:
    hub.download("nano", endpoint=server.endpoint, token=SECRET)
    (fetched,) = server.asked("GET", "/storage/")
    assert "authorization" not in fetched.headers
    assert {request.headers["authorization"] for request in server.asked("HEAD")} == {f"Bearer {SECRET}"}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (401, "no repo"),
        (403, "forbids"),
        (404, "no such file"),
        (429, "wait"),
        (500, "status 500"),
        (503, "status 503"),
    ],
)
def test_a_status_is_told_after_a_single_request(server: Hub, naps: list[float], status: int, expected: str) -> None:
    server.status = status
    if status == 401:  # as the real hub says it of a repo that is private or is not
        server.status, server.token = None, "hf_needed"
        _fails(server, expected, token=None)
    else:
        _fails(server, expected)
    assert len(server.requests) == 1
    assert naps == []


def test_a_storage_in_trouble(server: Hub) -> None:
    server.storage_status = 503
    _fails(server, "status 503", "later")


def test_a_web_server_that_is_no_hub(server: Hub) -> None:
    server.plain = True
    _fails(server, "does not answer as a hub", "HF_ENDPOINT")


def test_a_connection_that_breaks_once_is_resumed(
    server: Hub, naps: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 1000)  # a broken chunk is lost; it has 10 MB
    server.cuts = 1
    assert hub.download("nano", endpoint=server.endpoint).read_bytes() == DETECTOR
    first, second = server.asked("GET", "/storage/")
    assert "range" not in first.headers
    assert second.headers["range"] == f"bytes={len(DETECTOR) // 2}-"
    assert naps == [1]


def test_a_connection_that_keeps_breaking(
    server: Hub, naps: list[float], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("huggingface_hub"), "handlers", [caplog.handler])
    server.cuts = 1000
    _fails(server, "connection", "broke", "try again")
    assert 0 < len(naps) < 10
    assert caplog.records == []


def test_a_refused_connection_is_told_at_once(naps: list[float]) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound and not listening
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        _fails(Hub({}, endpoint=f"http://{address}"), f"{address} refuses connections", "HF_ENDPOINT")
    assert naps == []


def test_a_name_that_does_not_resolve(naps: list[float]) -> None:
    _fails(Hub({}, endpoint="http://hub.invalid"), "hub.invalid cannot be resolved", "network")
    assert naps == []


def test_a_hub_that_does_not_answer(monkeypatch: pytest.MonkeyPatch, naps: list[float]) -> None:
    ask, waited = huggingface_hub.get_hf_file_metadata, []

    def spy(url: str, *, timeout: float, **options: Any) -> Any:
        waited.append(timeout)
        return ask(url, timeout=min(timeout, 0.05), **options)

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_ETAG_TIMEOUT", 2.5)
    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", spy)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        _fails(
            Hub({}, endpoint=f"http://127.0.0.1:{silent.getsockname()[1]}"), "does not answer", "HF_HUB_ETAG_TIMEOUT"
        )
    assert waited == [2.5]
    assert naps == []


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"repo": "a/b/c"}, "OWNER/NAME"),
        ({"endpoint": f"user:{SECRET}@example.invalid"}, "http(s)://"),
        ({"endpoint": f"http://user:{SECRET}@[::1"}, "not a URL"),
        ({"token": f"{SECRET}\nmore"}, "HF_TOKEN"),
        ({"token": f"{SECRET}é"}, "HF_TOKEN"),
    ],
)
def test_what_cannot_be_asked_for(server: Hub, options: dict[str, Any], expected: str) -> None:
    _fails(server, expected, **options)
    assert server.requests == []


def test_a_failure_on_the_way_from_another_is_told_for_what_it_is(server: Hub) -> None:
    try:
        hub.download("nano", endpoint="http://hub.invalid")
    except HubError:
        server.plain = True
        _fails(server, "does not answer as a hub")
        server.plain, server.storage_status = False, 418
        _fails(server, "failed on the way")


def test_a_cache_that_cannot_be_written(server: Hub, home: Path) -> None:
    home.write_text("a file where the folder should be")
    with pytest.raises(OutputError, match="ZEDO_HOME"):
        hub.download("nano", endpoint=server.endpoint)


def test_a_full_disk(server: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_space(*args: Any, **options: Any) -> str:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", no_space)
    with pytest.raises(OutputError, match="free space"):
        hub.download("nano", endpoint=server.endpoint)
    assert files(hub.cache_dir()) == set()
