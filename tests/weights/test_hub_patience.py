"""Connections that fall silent: one that is dead is told soon, one that is slow or sick and living goes on."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest
from hub_cases import entry, write_registry
from hub_server import Hub

from zedo_core import weights as hub
from zedo_core.errors import HubError

SILENCE_S = 1  # after which the client gives a connection up
LARGE = os.urandom(2**24)


@pytest.fixture(autouse=True)
def short_silences(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client waits for one second, and sleeps for another before it tries again."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DOWNLOAD_TIMEOUT", SILENCE_S)


def offered(server: Hub, entries: dict[str, Any], content: bytes) -> None:
    """The hub has these bytes as the detector."""
    server.repos["acme/nano"] = {"nano.pt": content}
    write_registry(entries | {"nano": entry("detector", "acme/nano", {"nano.pt": content}, hashed=False)})


def test_a_dead_connection_is_told_after_two_silences(server: Hub, entries: dict[str, Any]) -> None:
    """What came before a silence here, half of what was left, is far less than what makes up for one."""
    offered(server, entries, LARGE[:500_000])
    server.stalls = 1000
    begun_s = time.monotonic()
    with pytest.raises(HubError, match=r"does not answer.*HF_HUB_DOWNLOAD_TIMEOUT"):
        hub.download("nano", endpoint=server.endpoint)
    assert 3 * SILENCE_S <= time.monotonic() - begun_s < 5 * SILENCE_S
    assert server.stalls == 1000 - 2


def test_silences_with_much_between_them_are_borne(server: Hub, entries: dict[str, Any]) -> None:
    """8, 4 and 2 MiB come before the first three silences: each makes up for one."""
    offered(server, entries, LARGE)
    server.stalls = 3
    assert hub.download("nano", endpoint=server.endpoint).read_bytes() == LARGE
    assert server.stalls == 0


def test_a_slow_connection_is_none_that_is_silent(server: Hub, entries: dict[str, Any]) -> None:
    """A chunk of 64 kB takes longer than a silence may."""
    content = LARGE[:100_000]
    offered(server, entries, content)
    server.bytes_a_second = 40_000
    begun_s = time.monotonic()
    assert hub.download("nano", endpoint=server.endpoint).read_bytes() == content
    assert time.monotonic() - begun_s > 2 * SILENCE_S
    assert len(server.asked("GET", "/storage/")) == 1


def test_a_silence_after_seconds_of_living_is_borne(server: Hub, entries: dict[str, Any]) -> None:
    """The third request goes through: between the silences came little, for longer than they lasted."""
    content = LARGE[:800_000]
    offered(server, entries, content)
    server.slow_stalls = 2
    server.bytes_a_second = 150_000
    assert hub.download("nano", endpoint=server.endpoint).read_bytes() == content
    assert len(server.asked("GET", "/storage/")) == 3
