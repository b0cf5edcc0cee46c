"""Weights that are here, by path or name, and the registry that knows the names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hub_cases import package_prior, write_registry
from hub_server import Hub

import zedo_core
from zedo_core import weights as hub
from zedo_core.errors import InputError, WeightsError
from zedo_core.storage.files import sha256_of
from zedo_core.weights import entries as entries_module

# -- finding -----------------------------------------------------------------------------------------------------------


def test_an_existing_path_is_returned_as_given(tmp_path: Path) -> None:
    file = tmp_path / "mine.pt"
    file.touch()
    assert hub.find_weights(file, "detector") == file
    assert hub.find_weights(str(tmp_path), "prior") == tmp_path


def test_the_packaged_weights_are_used_until_others_are_downloaded(server: Hub, home: Path) -> None:
    packaged = package_prior()
    assert hub.find_weights("prior", "prior") == packaged
    hub.download("prior", endpoint=server.endpoint)
    assert hub.find_weights("prior", "prior") == home / "prior"


def test_packaged_weights_that_lack_a_file_are_not_used() -> None:
    (package_prior() / "prior.json").unlink()
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
    write_registry(entries)
    with pytest.raises(WeightsError, match=r"registry\.json: damaged"):
        hub.registry()


@pytest.mark.parametrize(
    "text", ["", "[]", '{"format": "zedo-registry-0", "weights": {}}', '{"format": "zedo-registry-1"}']
)
def test_a_damaged_registry_is_refused(text: str) -> None:
    entries_module._REGISTRY.write_text(text)
    with pytest.raises(WeightsError, match=r"registry\.json: damaged"):
        hub.registry()


def test_the_registry_of_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    package = Path(zedo_core.__file__).parent
    monkeypatch.setattr("zedo_core.weights.local._PACKAGE", package)
    monkeypatch.setattr("zedo_core.weights.entries._REGISTRY", package / "hub" / "registry.json")
    entries = hub.registry()
    for kind in hub.KINDS:
        assert sum(entry.default for entry in entries.values() if entry.kind == kind) == 1
    for entry in entries.values():
        if hub.packaged(entry.name):
            folder = package / str(entry.packaged)
            assert {file.name: file.sha256 for file in entry.files} == {
                file.name: sha256_of(folder / file.name) for file in entry.files
            }
