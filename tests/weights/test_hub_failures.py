"""Failing downloads: one line with advice, no secrets, and earlier downloads stay in use."""

from __future__ import annotations

import errno
import os
import socket
from functools import partial
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from hub_cases import DETECTOR, PRIOR, SECRET, files
from hub_server import COMMIT, Hub

import zedo_core
from zedo_core.errors import HubError, OutputError
from zedo_core.weights import cache_dir, download, find_weights


def _fails(server: Hub, *expected: str, name: str = "nano", **options: Any) -> None:
    """The download fails with the expected words in one line, without secrets, and leaves no files behind."""
    with pytest.raises(HubError) as caught:
        download(name, **{"endpoint": server.endpoint, "token": SECRET, **options})
    line = str(caught.value)
    assert all(part in line for part in expected), line
    assert "\n" not in line
    assert SECRET not in line
    assert files(cache_dir()) == set()


def test_a_wrong_hash_leaves_the_earlier_files_in_use(server: Hub, home: Path) -> None:
    download("prior", endpoint=server.endpoint)
    before = files(home)
    server.repos["acme/prior"]["clusters.npz"] = b"something else"
    with pytest.raises(HubError, match=r"clusters\.npz.*expected SHA-256 .*got.*refused"):
        download("prior", revision=COMMIT, endpoint=server.endpoint)
    assert files(home) == before
    assert {name: (home / "prior" / name).read_bytes() for name in PRIOR} == PRIOR
    assert find_weights("prior", "prior") == home / "prior"


def test_a_wrong_hash_leaves_no_files(server: Hub) -> None:
    server.repos["acme/prior"]["clusters.npz"] = b"something else"
    _fails(server, "clusters.npz", "expected SHA-256", name="prior")


def test_no_such_repo(server: Hub) -> None:
    _fails(server, "no repo acme/other", "--repo", "HF_TOKEN", repo="acme/other")


def test_no_such_revision(server: Hub) -> None:
    _fails(server, "acme/nano has no revision 'v9'", "--revision", revision="v9")


def test_no_such_file(server: Hub) -> None:
    del server.repos["acme/prior"]["clusters.npz"]
    _fails(server, "clusters.npz", "no such file", "'main'", name="prior")


def test_a_refused_token(server: Hub) -> None:
    server.token = "hf_another"
    _fails(server, "refuses the token", "HF_TOKEN")


def test_a_missing_token(server: Hub) -> None:
    server.token = SECRET
    _fails(server, "private", "HF_TOKEN", token=None)
    assert download("nano", endpoint=server.endpoint, token=f"{SECRET}\n").read_bytes() == DETECTOR


def test_the_token_goes_to_the_hub_and_not_to_the_storage(server: Hub) -> None:
    download("nano", endpoint=server.endpoint, token=SECRET)
    (fetched,) = server.requested("GET", "/storage/")
    assert "authorization" not in fetched.headers
    assert {request.headers["authorization"] for request in server.requested("HEAD")} == {f"Bearer {SECRET}"}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (401, "no repo"),
        (403, "denies"),
        (404, "no such file"),
        (429, "wait"),
        (500, "status 500"),
        (503, "status 503"),
    ],
)
def test_a_status_is_reported_after_one_request(server: Hub, sleeps: list[float], status: int, expected: str) -> None:
    server.status = status
    if status == 401:  # as the real hub answers for private and for missing repos
        server.status, server.token = None, "hf_needed"
        _fails(server, expected, token=None)
    else:
        _fails(server, expected)
    assert len(server.requests) == 1
    assert sleeps == []


def test_an_error_of_the_storage(server: Hub) -> None:
    server.storage_status = 503
    _fails(server, "status 503", "later")


def test_a_web_server_that_is_not_a_hub(server: Hub) -> None:
    server.plain = True
    _fails(server, "does not respond like a hub", "HF_ENDPOINT")


def test_a_connection_that_breaks_once_is_resumed(
    server: Hub, sleeps: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zedo_core.weights.hub._CHUNK", 1000)  # a broken chunk is lost
    server.cuts = 1
    assert download("nano", endpoint=server.endpoint).read_bytes() == DETECTOR
    first, second = server.requested("GET", "/storage/")
    assert "range" not in first.headers
    assert second.headers["range"] == f"bytes={len(DETECTOR) // 2}-"
    assert sleeps == [1]


def test_a_connection_that_keeps_breaking(server: Hub, sleeps: list[float]) -> None:
    server.cuts = 1000
    _fails(server, "connection", "broke", "try again")
    assert 0 < len(sleeps) < 10


def test_a_refused_connection_is_reported_at_once(sleeps: list[float]) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound but not listening
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        _fails(Hub({}, endpoint=f"http://{address}"), f"{address} refuses connections", "HF_ENDPOINT")
    assert sleeps == []


def test_a_name_that_does_not_resolve(sleeps: list[float]) -> None:
    _fails(Hub({}, endpoint="http://hub.invalid"), "hub.invalid cannot be resolved", "network")
    assert sleeps == []


def test_what_there_is_without_a_network_is_named(server: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zedo_core.weights.local._PACKAGE", Path(zedo_core.__file__).parent)
    monkeypatch.setattr("zedo_core.weights.local._REGISTRY", Path(zedo_core.__file__).parent / "weights/registry.json")
    detectors = "there are movenet, movenet-fast in the package, and files of your own by --detector PATH"
    _fails(server, "cannot be resolved", detectors, name="yolov8n-pose", endpoint="http://hub.invalid")
    _fails(server, "offline", detectors, name="yolov8n-pose", offline=True)
    _fails(server, "erd, diff3dhpe in the package, and files of your own by --weights PATH", name="erd", offline=True)
    _fails(server, "no repo acme/other", detectors, name="yolov8n-pose", repo="acme/other")


def test_a_hub_that_does_not_answer(monkeypatch: pytest.MonkeyPatch, sleeps: list[float]) -> None:
    ask = huggingface_hub.get_hf_file_metadata
    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", partial(ask, timeout=0.05))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        _fails(
            Hub({}, endpoint=f"http://127.0.0.1:{silent.getsockname()[1]}"), "does not answer", "HF_HUB_ETAG_TIMEOUT"
        )
    assert sleeps == []


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"repo": "a/b/c"}, "OWNER/NAME"),
        ({"endpoint": f"user:{SECRET}@example.invalid"}, "http(s)://"),
        ({"endpoint": f"http://user:{SECRET}@[::1"}, "URL"),
        ({"token": f"{SECRET}\nmore"}, "HF_TOKEN"),
        ({"token": f"{SECRET}é"}, "HF_TOKEN"),
    ],
)
def test_invalid_requests_are_refused(server: Hub, options: dict[str, Any], expected: str) -> None:
    _fails(server, expected, **options)
    assert server.requests == []


def test_an_error_during_the_handling_of_another_is_reported_correctly(server: Hub) -> None:
    try:
        download("nano", endpoint="http://hub.invalid")
    except HubError:
        server.plain = True
        _fails(server, "does not respond like a hub")
        server.plain, server.storage_status = False, 418
        _fails(server, "the transfer failed")


def test_a_cache_that_cannot_be_written(server: Hub, home: Path) -> None:
    home.write_text("a file where the folder should be")
    with pytest.raises(OutputError, match="ZEDO_HOME"):
        download("nano", endpoint=server.endpoint)


def test_a_full_disk(server: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_space(*args: Any, **options: Any) -> str:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", no_space)
    with pytest.raises(OutputError, match="free space"):
        download("nano", endpoint=server.endpoint)
    assert files(cache_dir()) == set()
