"""A failing download in a real process: one line, exit code 1. More faults can be run by hand: download_faults.py."""

from __future__ import annotations

from download_faults import FAULTS, OTHER, SECRET, prepared, zedo


def test_the_hub_client_logs_only_the_error() -> None:
    """By default, the client logs every attempt while a connection keeps breaking."""
    settings, _ = FAULTS["cut always"]
    with prepared() as (home, hub):
        for name, value in settings.items():
            setattr(hub, name, value)
        done, _ = zedo(home, "nano", "--endpoint", hub.endpoint, *OTHER)
        assert done.returncode == 1
        assert done.stderr.startswith("error: nano (nano.pt): the connection to ") and done.stderr.count("\n") == 1
        assert done.stdout == "" and SECRET not in done.stderr
        assert (home / "nano" / "nano.pt").is_file()
        assert [path.name for path in home.iterdir()] == ["nano"]
