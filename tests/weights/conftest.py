"""A hub on loopback, an empty cache and a separate registry for every test."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hub_cases import DETECTOR, PRIOR, entry, write_registry
from hub_server import Hub, running


@pytest.fixture
def entries() -> dict[str, Any]:
    """A packaged prior with known hashes and a detector without hashes."""
    return {
        "prior": entry("prior", "acme/prior", PRIOR, hashed=True, packaged="assets/prior"),
        "nano": entry("detector", "acme/nano", {"nano.pt": DETECTOR}, hashed=False),
    }


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entries: dict[str, Any]) -> Path:
    """An empty cache, the test's registry, an empty package, and none of the user's hub settings."""
    for name in ("HF_ENDPOINT", "HF_TOKEN", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setenv("ZEDO_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)  # as zedo sets it for a new process
    monkeypatch.setattr("huggingface_hub.utils._headers.get_token", lambda: None)
    monkeypatch.setattr("zedo_core.weights.local._PACKAGE", tmp_path / "package")
    monkeypatch.setattr("zedo_core.weights.local._REGISTRY", tmp_path / "registry.json")
    write_registry(entries)
    return tmp_path / "home"


@pytest.fixture
def server() -> Iterator[Hub]:
    """A hub with all files of the test's registry."""
    with running(Hub({"acme/prior": dict(PRIOR), "acme/nano": {"nano.pt": DETECTOR}})) as hub_server:
        yield hub_server


@pytest.fixture
def sleeps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Replaces `time.sleep` and records the seconds that the client would sleep."""
    seconds: list[float] = []
    monkeypatch.setattr(time, "sleep", seconds.append)
    return seconds
