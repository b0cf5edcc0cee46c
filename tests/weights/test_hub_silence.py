"""Stalled connections: a permanent stall is reported, a temporary one is resumed, a slow connection is no stall."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest
from hub_cases import entry, write_registry
from hub_server import Hub

from zedo_core.errors import HubError
from zedo_core.weights import download

TIMEOUT_S = 0.3  # after which the client gives up a connection
TRIES = 6  # of the client, without progress
LARGE = os.urandom(2**22)


@pytest.fixture(autouse=True)
def short_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """A short timeout of the client."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DOWNLOAD_TIMEOUT", TIMEOUT_S)


def serve_detector(server: Hub, entries: dict[str, Any], content: bytes) -> None:
    """Make the hub serve these bytes as the detector."""
    server.repos["acme/nano"] = {"nano.pt": content}
    write_registry(entries | {"nano": entry("detector", "acme/nano", {"nano.pt": content}, hashed=False)})


@pytest.mark.usefixtures("sleeps")
def test_a_permanent_stall_is_reported(server: Hub, entries: dict[str, Any]) -> None:
    serve_detector(server, entries, LARGE[:200_000])
    server.stalls = 1000
    begun_s = time.monotonic()
    with pytest.raises(HubError, match=r"does not answer.*HF_HUB_DOWNLOAD_TIMEOUT"):
        download("nano", endpoint=server.endpoint)
    assert time.monotonic() - begun_s < 2 * TRIES * TIMEOUT_S
    assert server.stalls == 1000 - TRIES


@pytest.mark.usefixtures("sleeps")
def test_a_stalled_connection_is_resumed(server: Hub, entries: dict[str, Any]) -> None:
    serve_detector(server, entries, LARGE)
    server.stalls = 3
    assert download("nano", endpoint=server.endpoint).read_bytes() == LARGE
    starts = [request.headers.get("range", "bytes=0-") for request in server.requested("GET", "/storage/")]
    sizes = [int(start.removeprefix("bytes=").rstrip("-")) for start in starts]
    assert len(sizes) == 4 and sizes == sorted(set(sizes))


def test_a_slow_connection_is_not_a_stall(server: Hub, entries: dict[str, Any]) -> None:
    """The whole file takes longer than the timeout."""
    content = LARGE[:40_000]
    serve_detector(server, entries, content)
    server.bytes_per_second = 40_000
    begun_s = time.monotonic()
    assert download("nano", endpoint=server.endpoint).read_bytes() == content
    assert time.monotonic() - begun_s > 2 * TIMEOUT_S
    assert len(server.requested("GET", "/storage/")) == 1
