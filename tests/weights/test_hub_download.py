"""Downloads with the real hub client from a hub on loopback: what arrives, and what is here already."""

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

from zedo_core import weights as hub
from zedo_core.errors import HubError, WeightsError

# -- what arrives ------------------------------------------------------------------------------------------------------


def test_every_file_arrives_under_its_name_and_nothing_else(server: Hub, home: Path) -> None:
    path = hub.download("prior", endpoint=server.endpoint)
    assert path == home / "prior" == hub.find_weights("prior", "prior")
    assert {name: (path / name).read_bytes() for name in PRIOR} == PRIOR
    assert files(home) == {f"prior/{name}" for name in (*PRIOR, "source.json")}


def test_an_entry_of_one_file_is_that_file(server: Hub, home: Path) -> None:
    path = hub.download("nano", endpoint=server.endpoint)
    assert path == home / "nano" / "nano.pt" == hub.find_weights("nano", "detector")
    assert path.read_bytes() == DETECTOR


def test_all_files_are_taken_from_one_commit(server: Hub) -> None:
    hub.download("prior", endpoint=server.endpoint)
    revisions = [request.path.split("/")[4] for request in server.asked("HEAD", "/resolve/")]
    assert revisions[0] == "main"
    assert set(revisions[1:]) == {COMMIT}
    here = hub.installed("prior")
    assert here is not None
    assert (here.repo, here.revision, here.commit, here.verified) == ("acme/prior", "main", COMMIT, True)


def test_the_endpoint_of_the_environment_is_used(server: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", server.endpoint + "/")
    assert hub.download("nano").read_bytes() == DETECTOR


def test_another_repo_and_revision(server: Hub) -> None:
    server.repos["mine/copy"] = server.repos.pop("acme/prior")
    hub.download("prior", repo="mine/copy", revision=COMMIT, endpoint=server.endpoint)
    here = hub.installed("prior")
    assert here is not None
    assert (here.repo, here.revision) == ("mine/copy", COMMIT)


def test_progress_counts_every_file_to_its_end(server: Hub) -> None:
    seen: dict[str, list[tuple[int, int | None]]] = {}
    hub.download(
        "prior",
        endpoint=server.endpoint,
        on_progress=lambda file, done, total: seen.setdefault(file, []).append((done, total)),
    )
    assert set(seen) == set(PRIOR)
    for name, steps in seen.items():
        assert steps[0] == (0, len(PRIOR[name]))
        assert steps[-1] == (len(PRIOR[name]), len(PRIOR[name]))


def test_the_core_shows_no_bars(
    server: Hub, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TQDM_POSITION", "-1")  # the client's own bars would show even without a terminal
    hub.download("prior", endpoint=server.endpoint)
    assert capfd.readouterr() == ("", "")


def test_a_file_without_a_known_hash_is_named_as_unverified(server: Hub, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "zedo_core"):
        hub.download("nano", endpoint=server.endpoint)
    assert "unverified" in caplog.text
    assert hashlib.sha256(DETECTOR).hexdigest() in caplog.text
    here = hub.installed("nano")
    assert here is not None
    assert here.verified is False


def test_a_fresh_process_imports_the_client_late_and_with_our_defaults() -> None:
    program = """
import sys
from zedo_core import weights as hub
from zedo_core.errors import HubError
assert "huggingface_hub" not in sys.modules
try:
    hub.download("yolov8n-pose", endpoint="http://hub.invalid")
except HubError:
    pass
from huggingface_hub import constants
print(constants.HF_HUB_DISABLE_TELEMETRY, constants.HF_HUB_DISABLE_XET, constants.HF_HUB_ETAG_TIMEOUT)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("True True 3\n", "")


# -- what is here already ----------------------------------------------------------------------------------------------


def test_what_is_here_is_used_again_without_a_request(server: Hub) -> None:
    first = hub.download("prior", endpoint=server.endpoint)
    server.requests.clear()
    assert hub.download("prior", endpoint=server.endpoint) == first
    assert hub.download("prior", endpoint=server.endpoint, offline=True) == first
    assert server.requests == []


def test_offline_is_content_with_another_revision_unless_one_is_named(server: Hub, home: Path) -> None:
    hub.download("nano", revision=COMMIT, endpoint=server.endpoint)
    assert hub.download("nano", offline=True) == home / "nano" / "nano.pt"
    with pytest.raises(HubError, match="offline"):
        hub.download("nano", revision="main", offline=True)


def test_a_damaged_download_is_fetched_again(server: Hub) -> None:
    path = hub.download("nano", endpoint=server.endpoint)
    path.write_bytes(b"damaged")
    assert hub.download("nano", endpoint=server.endpoint).read_bytes() == DETECTOR


def test_a_download_of_an_older_zedo_is_not_used(server: Hub, entries: dict[str, Any]) -> None:
    hub.download("prior", endpoint=server.endpoint)
    entries["prior"]["files"][0]["sha256"] = "0" * 64
    write_registry(entries)
    assert hub.installed("prior") is None
    with pytest.raises(WeightsError, match="zedo download prior"):
        hub.find_weights("prior", "prior")


@pytest.mark.parametrize("record", ["", "[]", "{}", '{"sha256": {}}', None])
def test_a_download_without_a_sound_record_is_not_used(server: Hub, home: Path, record: str | None) -> None:
    hub.download("nano", endpoint=server.endpoint)
    (home / "nano" / "source.json").unlink()
    if record is not None:
        (home / "nano" / "source.json").write_text(record)
    assert hub.installed("nano") is None


def test_a_download_that_lacks_a_file_is_not_used(server: Hub) -> None:
    (hub.download("prior", endpoint=server.endpoint) / "prior.json").unlink()
    assert hub.installed("prior") is None


@pytest.mark.parametrize("value", ["1", "true", "ON"])
def test_offline_with_nothing_here(server: Hub, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    with pytest.raises(HubError, match=r"nano.*offline"):
        hub.download("nano", endpoint=server.endpoint, offline=True)
    monkeypatch.setenv("HF_HUB_OFFLINE", value)
    with pytest.raises(HubError, match=r"nano.*HF_HUB_OFFLINE"):
        hub.download("nano", endpoint=server.endpoint)
    assert server.requests == []
