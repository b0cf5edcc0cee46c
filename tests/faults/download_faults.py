"""Faults of a hub, each encountered by `zedo download` in a separate process; prints the time and the last line.

    python -m tests.faults.download_faults

Prints a table. Weights downloaded earlier must still be in use after every fault. The full disk requires permission to
mount a file system (root), and is skipped otherwise.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1] / "cases"))

from hub_cases import SECRET, entry  # pyright: ignore[reportMissingImports]
from hub_server import COMMIT, Hub, running  # pyright: ignore[reportMissingImports]

DATA = {"nano.pt": os.urandom(1_500_000)}
OTHER = ("--revision", COMMIT)  # a revision that is not downloaded yet, while an older one is

# Settings of the hub and options of the command for each fault.
FAULTS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "nothing": ({}, ()),
    "cut once": ({"cuts": 1}, ()),
    "cut always": ({"cuts": 10**6}, ()),
    "stall once": ({"stalls": 1}, ()),
    "stall always": ({"stalls": 10**6}, ()),
    "corrupt": ({"corrupt": True}, ()),
    "throttled to 500 kB/s": ({"bytes_per_second": 500_000}, ()),
    "5 redirects": ({"redirects": 5}, ()),
    "redirects without end": ({"redirects": 10**6}, ()),
    "401": ({"token": "hf_other"}, ()),
    "403": ({"status": 403}, ()),
    "404, no such repo": ({}, ("--repo", "acme/none")),
    "404, no such revision": ({}, ("--revision", "v9")),
    "429": ({"status": 429}, ()),
    "500": ({"status": 500}, ()),
    "429 of the storage": ({"storage_status": 429}, ()),
    "500 of the storage": ({"storage_status": 500}, ()),
    "a web server, not a hub": ({"plain": True}, ()),
}

_PROGRAM = """
import sys
from pathlib import Path
from zedo_core.weights import local
local._REGISTRY = Path(sys.argv.pop(1))
from zedo_cli.__main__ import main
main()
"""


def zedo(home: Path, *args: str, **environment: str) -> tuple[subprocess.CompletedProcess[str], float]:
    """Run the command in a process, and measure its seconds; the registry is next to the cache."""
    unset = ("HF_ENDPOINT", "HF_TOKEN", "HF_HUB_OFFLINE", "ZEDO_HOME")
    clean = {name: value for name, value in os.environ.items() if name not in unset}
    env = {**clean, "ZEDO_HOME": str(home), "NO_PROXY": "127.0.0.1,localhost", "HF_TOKEN": SECRET, **environment}
    command = [sys.executable, "-c", _PROGRAM, str(home.parent / "registry.json"), "download", *args]
    start = time.monotonic()
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=200, check=False)
    return done, time.monotonic() - start


@contextmanager
def prepared() -> Iterator[tuple[Path, Hub]]:
    """A cache with an older download, and a hub that serves the same name."""
    with tempfile.TemporaryDirectory() as folder, running(Hub({"acme/nano": dict(DATA)})) as hub:
        known = {"nano": entry("detector", "acme/nano", DATA, hashed=False)}
        (Path(folder) / "registry.json").write_text(json.dumps(known))
        home = Path(folder) / "home"
        done, _ = zedo(home, "nano", "--endpoint", hub.endpoint)
        assert done.returncode == 0, done.stderr
        yield home, hub


def row(name: str, done: subprocess.CompletedProcess[str], seconds: float, home: Path) -> None:
    """Print a row, and check that nothing was lost."""
    lines = done.stderr.strip().splitlines()
    assert SECRET not in done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    assert (home / "nano" / "nano.pt").read_bytes() == DATA["nano.pt"]
    assert {path.name for path in home.iterdir()} == {"nano"}, list(home.iterdir())
    print(f"| {name} | {seconds:.1f} | {done.returncode} | {lines[-1] if lines else ''} |", flush=True)


def main() -> None:
    print("| fault | seconds | exit | last line |\n|---|---|---|---|")
    with prepared() as (home, hub):
        for name, (settings, args) in FAULTS.items():
            before = {key: getattr(hub, key) for key in settings}
            for key, value in settings.items():
                setattr(hub, key, value)
            done, seconds = zedo(home, "nano", "--endpoint", hub.endpoint, *(args or OTHER))
            for key, value in before.items():
                setattr(hub, key, value)
            row(name, done, seconds, home)
            zedo(home, "nano", "--endpoint", hub.endpoint, "--revision", "main")  # back to the older one
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            port = silent.getsockname()[1]
            row("refused", *zedo(home, "nano", "--endpoint", f"http://127.0.0.1:{port}", *OTHER), home)
            silent.listen()
            row("never answers", *zedo(home, "nano", "--endpoint", f"http://127.0.0.1:{port}", *OTHER), home)
        row("name unknown", *zedo(home, "nano", "--endpoint", "http://hub.invalid", *OTHER), home)
        row("--offline, here", *zedo(home, "nano", "--offline"), home)
        row("--offline, another revision", *zedo(home, "nano", "--offline", *OTHER), home)
        row("HF_HUB_OFFLINE", *zedo(home, "nano", *OTHER, HF_HUB_OFFLINE="1"), home)
        _full_disk(hub)


def _full_disk(hub: Hub) -> None:
    with tempfile.TemporaryDirectory() as folder:
        known = {"nano": entry("detector", "acme/nano", DATA, hashed=False)}
        (Path(folder) / "registry.json").write_text(json.dumps(known))
        disk = Path(folder) / "disk"
        disk.mkdir()
        mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], check=False)
        if mount.returncode:
            print("| full disk | | | skipped: no permission to mount |")
            return
        try:
            done, seconds = zedo(disk, "nano", "--endpoint", hub.endpoint)
            assert not list(disk.iterdir()), list(disk.iterdir())
            print(f"| full disk | {seconds:.1f} | {done.returncode} | {done.stderr.strip().splitlines()[-1]} |")
        finally:
            subprocess.run(["umount", str(disk)], check=True)


if __name__ == "__main__":
    main()
