"""`zedo download` against a hub on loopback."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from hub_cases import SECRET, package_prior
from hub_server import COMMIT, Hub
from typer.testing import CliRunner

from zedo_cli.download import download as download_command
from zedo_core.errors import HubError, InputError, WeightsError
from zedo_core.weights import download


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


def test_the_command_lists_the_state_of_all_weights(server: Hub) -> None:
    package_prior()
    absent = {row["name"]: row["state"] for row in json.loads(_zedo("--list", "--json").stdout)}
    assert absent == {"prior": "packaged", "nano": "absent"}
    download("nano", endpoint=server.endpoint)
    server.requests.clear()
    lines = _zedo("--list").stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [["name", "kind"], ["prior", "prior"], ["nano", "detector"]]
    assert "32.0 kB" in lines[2]
    assert "downloaded, unverified" in lines[2]
    assert server.requests == []


def test_the_command_sends_the_token_and_never_shows_it(server: Hub) -> None:
    done = _zedo("nano", "--endpoint", server.endpoint, HF_TOKEN=SECRET)
    assert server.requested("HEAD")[0].headers["authorization"] == f"Bearer {SECRET}"
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
def test_the_command_raises_zedo_errors(server: Hub, args: tuple[str, ...], error: type[Exception]) -> None:
    done = _zedo(*args, "--endpoint", server.endpoint)
    assert type(done.exception) is error
    assert done.stdout == ""
    assert server.requests == []
