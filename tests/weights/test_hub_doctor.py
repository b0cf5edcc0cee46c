"""`zedo doctor`: the installed components, and problems with advice."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hub_cases import SECRET
from typer.testing import CliRunner

import zedo_core
from zedo_cli.app import app
from zedo_core.storage.files import sha256_of
from zedo_core.weights import local

PACKAGE = Path(zedo_core.__file__).parent


@pytest.fixture(autouse=True)
def real_package(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The installed package and registry."""
    monkeypatch.setattr(local, "_PACKAGE", PACKAGE)
    monkeypatch.setattr(local, "_REGISTRY", PACKAGE / "weights" / "registry.json")


def _doctor(*args: str, **environment: str) -> tuple[Any, dict[str, dict[str, str]]]:
    done = CliRunner().invoke(app, ["doctor", "--json", *args], env=environment)
    return done, {row["what"]: row for row in json.loads(done.stdout)["findings"]}


def test_an_intact_installation_is_reported_as_ok() -> None:
    done, found = _doctor(HF_TOKEN=SECRET)
    assert done.exit_code == 0 and json.loads(done.stdout)["ok"] is True
    assert "packaged" in found["weights"]["found"]
    assert sha256_of(PACKAGE / "assets" / "prior" / "prior.safetensors") in found["hash"]["found"]
    assert "as in the registry" in found["hash"]["found"]
    assert found["detector"]["state"] == "ok" and "movenet" in found["detector"]["found"]
    assert SECRET not in done.output
    assert {"zedo", "Python", "torch", "device", "ultralytics", "video", "cache"} <= set(found)


def test_a_missing_and_a_changed_detector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done, found = _doctor("--detector", "yolov8n-pose")
    assert done.exit_code == 0 and found["detector"]["state"] == "note"
    assert "zedo download yolov8n-pose" in found["detector"]["advice"]
    monkeypatch.setattr(local, "_PACKAGE", tmp_path / "copy")
    shutil.copytree(PACKAGE / "assets", tmp_path / "copy" / "assets")
    (tmp_path / "copy" / "assets" / "movenet" / "thunder.onnx").write_bytes(b"nothing")
    done, found = _doctor()
    assert done.exit_code == 1 and found["detector"]["state"] == "broken"


def test_damaged_weights_are_reported_with_advice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "_PACKAGE", tmp_path / "copy")
    for name in ("prior", "erd", "diff3dhpe"):
        shutil.copytree(PACKAGE / "assets" / name, tmp_path / "copy" / "assets" / name)
    poses = tmp_path / "copy" / "assets" / "prior" / "prior.json"
    poses.write_text(poses.read_text() + "\n")
    done, found = _doctor()
    assert done.exit_code == 1
    assert found["hash"]["state"] == "broken" and "prior.json" in found["hash"]["found"]
    (tmp_path / "copy" / "assets" / "prior" / "prior.safetensors").write_bytes(b"nothing")
    done, found = _doctor()
    assert done.exit_code == 1
    assert found["weights"]["state"] == "broken" and found["weights"]["advice"]


def test_invalid_settings_are_reported(home: Path) -> None:
    home.write_text("a file")
    done, found = _doctor(HF_ENDPOINT=f"user:{SECRET}@example.invalid", HF_HUB_OFFLINE="1")
    assert done.exit_code == 1
    assert found["HF_ENDPOINT"]["state"] == "broken" and "http" in found["HF_ENDPOINT"]["advice"]
    assert found["HF_HUB_OFFLINE"]["state"] == "note"
    assert found["cache"]["state"] == "broken" and "ZEDO_HOME" in found["cache"]["advice"]
    assert SECRET not in done.output


def test_the_report_as_a_table() -> None:
    done = CliRunner().invoke(app, ["doctor", "--weights", "nowhere"])
    assert done.exit_code == 1
    assert "broken" in done.stdout and "-> zedo download prior" in done.stdout
