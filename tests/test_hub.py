"""Weights by name: the real hub client against a hub on loopback, the registry, and `zedo download`."""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import typer
from hub_server import COMMIT, Hub, running
from typer.testing import CliRunner

from zedo_cli.download import download as download_command
from zedo_core import hub
from zedo_core.errors import HubError, InputError, OutputError, WeightsError
from zedo_core.files import sha256_of

PRIOR = {"prior.safetensors": b"weights" * 5000, "prior.json": b"{}", "clusters.npz": b"clusters" * 100}
DETECTOR = b"detector" * 4000
SECRET = "hf_doNotShowThisToken"


def _entry(
    kind: str, repo: str, files: dict[str, bytes], *, hashed: bool, packaged: str | None = None
) -> dict[str, Any]:
    hashes = {name: hashlib.sha256(data).hexdigest() if hashed else None for name, data in files.items()}
    return {
        "kind": kind,
        "default": True,
        "packaged": packaged,
        "repo": repo,
        "revision": "main",
        "licence": "MIT",
        "files": [{"name": name, "sha256": hashes[name], "size": len(data)} for name, data in files.items()],
    }


@pytest.fixture
def entries() -> dict[str, Any]:
    """A packaged prior with known hashes and a detector without."""
    return {
        "prior": _entry("prior", "acme/prior", PRIOR, hashed=True, packaged="assets/prior"),
        "nano": _entry("detector", "acme/nano", {"nano.pt": DETECTOR}, hashed=False),
    }


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entries: dict[str, Any]) -> Path:
    """An empty cache, the test's registry, an empty package, and nothing of the caller's hub settings."""
    for name in ("HF_ENDPOINT", "HF_TOKEN", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setenv("ZEDO_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.utils._headers.get_token", lambda: None)
    monkeypatch.setattr(hub, "_PACKAGE", tmp_path / "package")
    monkeypatch.setattr(hub, "_REGISTRY", tmp_path / "registry.json")
    _write_registry(entries)
    return tmp_path / "home"


@pytest.fixture
def server() -> Iterator[Hub]:
    """A hub that has everything the test's registry names."""
    with running(Hub({"acme/prior": dict(PRIOR), "acme/nano": {"nano.pt": DETECTOR}})) as hub_server:
        yield hub_server


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds the client meant to sleep; it does not."""
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    return slept


def _write_registry(entries: dict[str, Any]) -> None:
    hub._REGISTRY.write_text(json.dumps({"format": "zedo-registry-1", "weights": entries}))


def _files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


# -- what arrives ------------------------------------------------------------------------------------------------------


def test_every_file_arrives_under_its_name_and_nothing_else(server: Hub, home: Path) -> None:
    path = hub.download("prior", endpoint=server.endpoint)
    assert path == home / "prior" == hub.find_weights("prior", "prior")
    assert {name: (path / name).read_bytes() for name in PRIOR} == PRIOR
    assert _files(home) == {f"prior/{name}" for name in (*PRIOR, "source.json")}


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
    _write_registry(entries)
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


# -- what goes wrong ---------------------------------------------------------------------------------------------------


def _fails(server: Hub, *expected: str, name: str = "nano", **options: Any) -> None:
    """Downloading fails in one line that says what is expected, no secrets, and leaves nothing behind."""
    with pytest.raises(HubError) as caught:
        hub.download(name, **{"endpoint": server.endpoint, "token": SECRET, **options})
    line = str(caught.value)
    assert all(part in line for part in expected), line
    assert "\n" not in line
    assert SECRET not in line
    assert _files(hub.cache_dir()) == set()


def test_a_wrong_hash_leaves_the_old_files_in_use(server: Hub, home: Path) -> None:
    hub.download("prior", endpoint=server.endpoint)
    before = _files(home)
    server.repos["acme/prior"]["clusters.npz"] = b"something else"
    with pytest.raises(HubError, match=r"clusters\.npz.*expected SHA-256 .*got.*refused"):
        hub.download("prior", revision=COMMIT, endpoint=server.endpoint)
    assert _files(home) == before
    assert {name: (home / "prior" / name).read_bytes() for name in PRIOR} == PRIOR
    assert hub.find_weights("prior", "prior") == home / "prior"


def test_a_wrong_hash_with_nothing_here_leaves_nothing(server: Hub) -> None:
    server.repos["acme/prior"]["clusters.npz"] = b"something else"
    _fails(server, "clusters.npz", "expected SHA-256", name="prior")


def test_a_failed_renaming_brings_the_old_files_back(server: Hub, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.download("nano", endpoint=server.endpoint)
    before, rename = _files(home), Path.rename

    def refuse_new(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise PermissionError(13, "Permission denied")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse_new)
    with pytest.raises(OutputError, match="Permission denied"):
        hub.download("nano", revision=COMMIT, endpoint=server.endpoint)
    assert _files(home) == before
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
        _fails(server, "download failed")


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
    assert _files(hub.cache_dir()) == set()


def test_a_fresh_process_imports_the_client_late_and_with_our_defaults() -> None:
    program = """
import sys
from zedo_core import hub
assert "huggingface_hub" not in sys.modules
try:
    hub.download("yolov8n-pose", endpoint="http://hub.invalid")
except hub.HubError:
    pass
from huggingface_hub import constants
print(constants.HF_HUB_DISABLE_TELEMETRY, constants.HF_HUB_DISABLE_XET, constants.HF_HUB_ETAG_TIMEOUT)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("True True 3\n", "")


# -- finding -----------------------------------------------------------------------------------------------------------


def _package_prior() -> Path:
    folder = hub._PACKAGE / "assets" / "prior"
    folder.mkdir(parents=True)
    for name, data in PRIOR.items():
        (folder / name).write_bytes(data)
    return folder


def test_an_existing_path_is_returned_as_given(tmp_path: Path) -> None:
    file = tmp_path / "mine.pt"
    file.touch()
    assert hub.find_weights(file, "detector") == file
    assert hub.find_weights(str(tmp_path), "prior") == tmp_path


def test_the_packaged_weights_are_used_until_others_are_downloaded(server: Hub, home: Path) -> None:
    packaged = _package_prior()
    assert hub.find_weights("prior", "prior") == packaged
    hub.download("prior", endpoint=server.endpoint)
    assert hub.find_weights("prior", "prior") == home / "prior"


def test_packaged_weights_that_lack_a_file_are_not_used() -> None:
    (_package_prior() / "prior.json").unlink()
    with pytest.raises(WeightsError, match="zedo download prior"):
        hub.find_weights("prior", "prior")


def test_weights_that_are_not_here_say_how_to_get_them() -> None:
    with pytest.raises(WeightsError, match="'zedo download nano'"):
        hub.find_weights("nano", "detector")


@pytest.mark.parametrize(("name", "kind"), [("unknown", "detector"), ("prior", "detector"), ("no/such.pt", "detector")])
def test_a_name_that_is_not_known_for_its_kind(name: str, kind: str) -> None:
    with pytest.raises(WeightsError, match=f"'{name}'.*no detector of that name; known: nano$"):
        hub.find_weights(name, kind)


def test_an_unknown_kind_and_an_unknown_download() -> None:
    with pytest.raises(InputError, match="prior, detector"):
        hub.find_weights("nano", "camera")
    with pytest.raises(WeightsError, match="no weights are named 'unknown'; known: prior, nano"):
        hub.download("unknown")


def test_the_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert hub.cache_dir() == tmp_path / "home"
    monkeypatch.delenv("ZEDO_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert hub.cache_dir() == tmp_path / "zedo"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert hub.cache_dir() == Path.home() / ".cache" / "zedo"


# -- the registry ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "camera"},
        {"files": []},
        {"files": [{"name": "../outside.pt", "sha256": None, "size": None}]},
        {"files": [{"name": "nano.pt", "sha256": "ABC", "size": None}]},
        {"files": [{"name": "nano.pt"}]},
        {"revision": ""},
        {"unknown": 1},
    ],
)
def test_a_damaged_entry_is_refused(entries: dict[str, Any], change: dict[str, Any]) -> None:
    entries["nano"].update(change)
    _write_registry(entries)
    with pytest.raises(WeightsError, match=r"registry\.json: damaged"):
        hub.registry()


@pytest.mark.parametrize(
    "text", ["", "[]", '{"format": "zedo-registry-0", "weights": {}}', '{"format": "zedo-registry-1"}']
)
def test_a_damaged_registry_is_refused(text: str) -> None:
    hub._REGISTRY.write_text(text)
    with pytest.raises(WeightsError, match=r"registry\.json: damaged"):
        hub.registry()


def test_the_registry_of_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    package = Path(hub.__file__).parent
    monkeypatch.setattr(hub, "_PACKAGE", package)
    monkeypatch.setattr(hub, "_REGISTRY", package / "registry.json")
    entries = hub.registry()
    for kind in hub.KINDS:
        assert sum(entry.default for entry in entries.values() if entry.kind == kind) == 1
    for entry in entries.values():
        if hub.packaged(entry.name):
            folder = package / str(entry.packaged)
            assert {file.name: file.sha256 for file in entry.files} == {
                file.name: sha256_of(folder / file.name) for file in entry.files
            }


# -- the command -------------------------------------------------------------------------------------------------------


def _zedo(*args: str, **environment: str) -> Any:
    app = typer.Typer()
    app.callback()(lambda: None)
    app.command("download")(download_command)
    return CliRunner().invoke(app, ["download", *args], env=environment)


def test_the_command_fetches_the_default_that_is_not_packaged(server: Hub, home: Path) -> None:
    done = _zedo("--endpoint", server.endpoint)
    assert done.exit_code == 0
    assert done.stdout == f"{home / 'nano' / 'nano.pt'}\n"
    assert "unverified" in done.stderr
    assert "MIT" in done.stderr
    assert _zedo("--offline", "--quiet").stderr == ""


def test_the_command_reports_as_json(server: Hub, home: Path) -> None:
    done = _zedo("prior", "nano", "--json", "--quiet", HF_ENDPOINT=server.endpoint)
    report = {row["name"]: row for row in json.loads(done.stdout)}
    assert list(report) == ["prior", "nano"]
    assert report["prior"]["path"] == str(home / "prior")
    assert [report[name]["verified"] for name in report] == [True, False]
    assert report["nano"]["commit"] == COMMIT


def test_the_command_lists_what_is_here(server: Hub) -> None:
    _package_prior()
    absent = {row["name"]: row["state"] for row in json.loads(_zedo("--list", "--json").stdout)}
    assert absent == {"prior": "packaged", "nano": "absent"}
    hub.download("nano", endpoint=server.endpoint)
    server.requests.clear()
    lines = _zedo("--list").stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [["name", "kind"], ["prior", "prior"], ["nano", "detector"]]
    assert "32.0 kB" in lines[2]
    assert "downloaded, unverified" in lines[2]
    assert server.requests == []


def test_the_command_sends_the_token_and_never_shows_it(server: Hub) -> None:
    done = _zedo("nano", "--endpoint", server.endpoint, HF_TOKEN=SECRET)
    assert server.asked("HEAD")[0].headers["authorization"] == f"Bearer {SECRET}"
    assert SECRET not in done.output
    assert SECRET not in _zedo("--help", HF_TOKEN=SECRET).output


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (("prior", "nano", "--repo", "a/b"), InputError),
        (("unknown",), WeightsError),
        (("--list", "unknown"), WeightsError),
        (("nano", "--offline"), HubError),
    ],
)
def test_the_command_raises_what_the_error_table_knows(
    server: Hub, args: tuple[str, ...], error: type[Exception]
) -> None:
    done = _zedo(*args, "--endpoint", server.endpoint)
    assert type(done.exception) is error
    assert done.stdout == ""
    assert server.requests == []
