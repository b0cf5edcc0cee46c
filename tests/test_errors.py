"""The command that installs a missing extra works from where zedo was installed."""

from __future__ import annotations

import json
import re
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from zedo_core.errors import MissingExtraError
from zedo_core.storage import toml

ROOT = Path(__file__).parents[1]


def hint(monkeypatch: pytest.MonkeyPatch, record: str | None) -> str:
    """What is said where pip has recorded this of the installation."""
    monkeypatch.setattr("importlib.metadata.distribution", lambda name: SimpleNamespace(read_text=lambda file: record))
    return str(MissingExtraError.of("c3d", "ezc3d", "c3d")).partition("install it with ")[2]


def test_from_the_clone_that_zedo_was_installed_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clone = tmp_path / "my clone"
    clone.mkdir()
    (clone / "pyproject.toml").write_text("")
    record: dict[str, Any] = {"url": clone.as_uri(), "dir_info": {}}
    assert hint(monkeypatch, json.dumps(record)) == f"pip install '{clone}[c3d]'"
    record["dir_info"] = {"editable": True}
    assert hint(monkeypatch, json.dumps(record)) == f"pip install -e '{clone}[c3d]'"


@pytest.mark.parametrize("record", [None, "", "[]", "{", '{"url": 3}', '{"url": "file:///nowhere", "dir_info": {}}'])
def test_where_nothing_is_known(record: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert hint(monkeypatch, record) == "pip install '.[c3d]' in your clone of zedo"


def test_of_a_copy_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.distribution", missing)
    assert str(MissingExtraError.of("c3d", "ezc3d", "c3d")).endswith("pip install '.[c3d]' in your clone of zedo")


def test_every_extra_that_is_named_exists() -> None:
    extras = toml.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    texts = [path.read_text() for path in ROOT.glob("zedo_*/**/*.py")]
    named = {name for text in texts for name in re.findall(r'MissingExtraError\.of\(.*"(\w+)"\)', text)}
    assert {"c3d", "pandas"} <= named <= extras.keys()
    assert not [text for text in texts if "'zedo[" in text]  # an index of packages may have another of that name
