"""Downloads with the real hub client from a hub on loopback, and the reuse of earlier downloads."""

from __future__ import annotations

import hashlib
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hub_cases import DETECTOR, PRIOR, files, write_registry
from hub_server import COMMIT, Hub

from zedo_core.errors import HubError, WeightsError
from zedo_core.weights import download, find_weights, installed

# Downloads


def test_all_files_are_downloaded_and_nothing_else(server: Hub, home: Path) -> None:
    path = download("prior", endpoint=server.endpoint)
    assert path == home / "prior" == find_weights("prior", "prior")
    assert {name: (path / name).read_bytes() for name in PRIOR} == PRIOR
    assert files(home) == {f"prior/{name}" for name in (*PRIOR, "source.json")}


def test_the_path_of_an_entry_with_one_file_is_that_file(server: Hub, home: Path) -> None:
    path = download("nano", endpoint=server.endpoint)
    assert path == home / "nano" / "nano.pt" == find_weights("nano", "detector")
    assert path.read_bytes() == DETECTOR


def test_all_files_come_from_one_commit(server: Hub) -> None:
    download("prior", endpoint=server.endpoint)
    revisions = [request.path.split("/")[4] for request in server.requested("HEAD", "/resolve/")]
    assert revisions[0] == "main"
    assert set(revisions[1:]) == {COMMIT}
    record = installed("prior")
    assert record is not None
    assert (record.repo, record.revision, record.commit) == ("acme/prior", "main", COMMIT)


def test_the_endpoint_of_the_environment_is_used(server: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", server.endpoint + "/")
    assert download("nano").read_bytes() == DETECTOR


def test_another_repo_and_revision(server: Hub) -> None:
    server.repos["mine/copy"] = server.repos.pop("acme/prior")
    download("prior", repo="mine/copy", revision=COMMIT, endpoint=server.endpoint)
    record = installed("prior")
    assert record is not None
    assert (record.repo, record.revision) == ("mine/copy", COMMIT)


def test_progress_reaches_the_size_of_every_file(server: Hub) -> None:
    seen: dict[str, list[tuple[int, int | None]]] = {}
    download(
        "prior",
        endpoint=server.endpoint,
        on_progress=lambda file, done, total: seen.setdefault(file, []).append((done, total)),
    )
    assert set(seen) == set(PRIOR)
    for name, steps in seen.items():
        assert steps[0] == (0, len(PRIOR[name]))
        assert steps[-1] == (len(PRIOR[name]), len(PRIOR[name]))


def test_the_core_shows_no_progress_bars(
    server: Hub, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TQDM_POSITION", "-1")  # the client's own bars would show even without a terminal
    download("prior", endpoint=server.endpoint)
    assert capfd.readouterr() == ("", "")


def test_a_file_without_a_known_hash_is_reported_as_unverified(server: Hub, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "zedo_core"):
        download("nano", endpoint=server.endpoint)
    assert "unverified" in caplog.text
    assert hashlib.sha256(DETECTOR).hexdigest() in caplog.text


def test_a_new_process_imports_the_client_lazily_and_with_zedo_settings() -> None:
    program = """
import sys
from zedo_core.weights import download
from zedo_core.errors import HubError
assert "huggingface_hub" not in sys.modules
try:
    download("yolov8n-pose", endpoint="http://hub.invalid")
except HubError:
    pass
from huggingface_hub import constants
print(constants.HF_HUB_DISABLE_TELEMETRY, constants.HF_HUB_DISABLE_XET, constants.HF_HUB_ETAG_TIMEOUT)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("True True 3\n", "")


# Reuse of downloads


def test_a_download_is_reused_without_a_request(server: Hub) -> None:
    first = download("prior", endpoint=server.endpoint)
    server.requests.clear()
    assert download("prior", endpoint=server.endpoint) == first
    assert download("prior", endpoint=server.endpoint, offline=True) == first
    assert server.requests == []


def test_a_download_is_reused_unless_another_revision_is_named(server: Hub, home: Path) -> None:
    download("nano", revision=COMMIT, endpoint=server.endpoint)
    server.requests.clear()
    assert download("nano", endpoint=server.endpoint) == home / "nano" / "nano.pt"
    assert download("nano", offline=True) == home / "nano" / "nano.pt"
    assert server.requests == []
    with pytest.raises(HubError, match="offline"):
        download("nano", revision="main", offline=True)
    download("nano", revision="main", endpoint=server.endpoint)
    record = installed("nano")
    assert record is not None and record.revision == "main"


def test_a_damaged_download_is_repeated(server: Hub) -> None:
    path = download("nano", endpoint=server.endpoint)
    path.write_bytes(b"damaged")
    assert download("nano", endpoint=server.endpoint).read_bytes() == DETECTOR


def test_a_download_for_an_older_registry_is_not_used(server: Hub, entries: dict[str, Any]) -> None:
    download("prior", endpoint=server.endpoint)
    entries["prior"]["sha256"]["prior.json"] = "0" * 64
    write_registry(entries)
    assert installed("prior") is None
    with pytest.raises(WeightsError, match="zedo download prior"):
        find_weights("prior", "prior")


@pytest.mark.parametrize("record", ["", "[]", "{}", '{"sha256": {}}', None])
def test_a_download_without_a_valid_record_is_not_used(server: Hub, home: Path, record: str | None) -> None:
    download("nano", endpoint=server.endpoint)
    (home / "nano" / "source.json").unlink()
    if record is not None:
        (home / "nano" / "source.json").write_text(record)
    assert installed("nano") is None


def test_an_incomplete_download_is_not_used(server: Hub) -> None:
    (download("prior", endpoint=server.endpoint) / "prior.json").unlink()
    assert installed("prior") is None


@pytest.mark.parametrize("value", ["1", "true", "ON"])
def test_offline_without_an_earlier_download(server: Hub, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    with pytest.raises(HubError, match=r"nano.*offline"):
        download("nano", endpoint=server.endpoint, offline=True)
    monkeypatch.setenv("HF_HUB_OFFLINE", value)
    with pytest.raises(HubError, match=r"nano.*HF_HUB_OFFLINE"):
        download("nano", endpoint=server.endpoint)
    assert server.requests == []
