"""Finding weights by path or name, and the registry."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hub_cases import package_prior
from hub_server import Hub

import zedo_core
from zedo_core.errors import WeightsError
from zedo_core.storage.files import sha256_of
from zedo_core.weights import cache_dir, download, find_weights, packaged, registry

# Finding weights


def test_an_existing_path_is_returned_as_given(tmp_path: Path) -> None:
    file = tmp_path / "mine.pt"
    file.touch()
    assert find_weights(file, "detector") == file
    assert find_weights(str(tmp_path), "prior") == tmp_path


def test_downloaded_weights_are_preferred_to_packaged_ones(server: Hub, home: Path) -> None:
    packaged = package_prior()
    assert find_weights("prior", "prior") == packaged
    download("prior", endpoint=server.endpoint)
    assert find_weights("prior", "prior") == home / "prior"


def test_incomplete_packaged_weights_are_not_used() -> None:
    (package_prior() / "prior.json").unlink()
    with pytest.raises(WeightsError, match="zedo download prior"):
        find_weights("prior", "prior")


def test_the_error_for_missing_weights_names_the_download_command() -> None:
    with pytest.raises(WeightsError, match="'zedo download nano'"):
        find_weights("nano", "detector")


@pytest.mark.parametrize(("name", "kind"), [("unknown", "detector"), ("prior", "detector"), ("no/such.pt", "detector")])
def test_a_name_of_another_kind_is_refused(name: str, kind: str) -> None:
    with pytest.raises(WeightsError, match=f"'{name}'.*no detector of that name; known: nano$"):
        find_weights(name, kind)


def test_an_unknown_download() -> None:
    with pytest.raises(WeightsError, match="no weights are named 'unknown'; known: prior, nano"):
        download("unknown")


def test_the_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert cache_dir() == tmp_path / "home"
    monkeypatch.delenv("ZEDO_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_dir() == tmp_path / "zedo"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_dir() == Path.home() / ".cache" / "zedo"


# The registry


def test_the_registry_of_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    package = Path(zedo_core.__file__).parent
    monkeypatch.setattr("zedo_core.weights.local._PACKAGE", package)
    monkeypatch.setattr("zedo_core.weights.local._REGISTRY", package / "weights" / "registry.json")
    entries = registry()
    kinds = {entry.kind for entry in entries.values()}
    assert {"prior", "detector"} <= kinds
    for kind in kinds:
        assert sum(entry.default for entry in entries.values() if entry.kind == kind) == 1
    for entry in entries.values():
        assert entry.repo and entry.revision and entry.licence
        assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name) for name in (entry.name, *entry.sha256))
        assert all(known is None or re.fullmatch("[0-9a-f]{64}", known) for known in entry.sha256.values())
        if packaged(entry.name):
            folder = package / str(entry.packaged)
            assert entry.sha256 == {file: sha256_of(folder / file) for file in entry.sha256}
            assert entry.size_bytes == sum((folder / file).stat().st_size for file in entry.sha256)
