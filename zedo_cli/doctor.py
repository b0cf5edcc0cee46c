"""`zedo doctor`: checks of the installation."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.table import Table
from rich.text import Text

from zedo_cli._options import Detector, Json, Method, Quiet, Weights
from zedo_cli._output import print_json
from zedo_core.errors import ZedoError
from zedo_core.pipeline.request import InferRequest

_PACKAGES = ("numpy", "scipy", "opencv-python", "av", "safetensors", "huggingface-hub", "onnxruntime", "ultralytics")
_MIN_FREE = 200 * 2**20  # bytes, for the detector and a result
_STYLES = {"ok": "green", "note": "yellow", "broken": "bold red"}


@dataclass(frozen=True)
class Finding:
    """One line of the report; `advice` says what to do if the state is not ok."""

    what: str
    state: str  # ok, note (not needed now) or broken
    found: str
    advice: str = ""


def doctor(
    method: Method = "zedo",
    weights: Weights = None,
    detector: Detector = InferRequest.detector,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Check the installation and show the packages, device and weights in use; exit code 1 if something is broken."""
    from rich.console import Console

    checks: dict[str, Callable[[], Iterator[Finding]]] = {
        "versions": _versions,
        "torch": _torch,
        "video": _video,
        "weights": lambda: _weights(method, weights),
        "detector": lambda: _detector(detector),
        "cache": _cache,
        "network": _network,
    }
    found = [finding for what, check in checks.items() for finding in _run_check(what, check)]
    broken = any(finding.state == "broken" for finding in found)
    if as_json:
        print_json({"ok": not broken, "findings": found})
    else:
        Console(highlight=False).print(_table(found))
    if broken:
        raise typer.Exit(1)


def _run_check(what: str, check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """The findings of a check; a check that raises is a finding too."""
    try:
        yield from check()
    except Exception as error:  # a broken installation may raise any exception
        text = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        yield Finding(what, "broken", text, "install zedo again in a fresh environment")


def _versions() -> Iterator[Finding]:
    import zedo_core

    yield Finding("zedo", "ok", f"{zedo_core.__version__}, {Path(zedo_core.__file__).parent}")
    yield Finding("Python", "ok", f"{platform.python_version()}, {sys.executable}")
    for name in _PACKAGES:
        try:
            yield Finding(name, "ok", importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            yield Finding(name, "broken", "not installed", f"python -m pip install '{name}'")


def _torch() -> Iterator[Finding]:
    import torch

    from zedo_core.nets.device import find_device

    yield Finding("torch", "ok", torch.__version__)
    devices = [f"cuda:{i} {torch.cuda.get_device_name(i)}" for i in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        devices.append("mps")
    others = f"; available: {', '.join(devices)}" if devices else ", the only one"
    yield Finding("device", "ok", f"{find_device('auto')} is used{others}")


def _video() -> Iterator[Finding]:
    import av

    codecs = [name for name in ("libx264", "h264", "mpeg4") if name in av.codecs_available]
    ffmpeg = shutil.which("ffmpeg") or "no ffmpeg command (not needed)"
    if codecs:
        yield Finding("video", "ok", f"PyAV {av.__version__} with {', '.join(codecs)}; {ffmpeg}")
    else:
        advice = "python -m pip install --force-reinstall av"
        yield Finding("video", "broken", f"PyAV {av.__version__} without H.264", advice)


def _weights(method: str, weights: str | None) -> Iterator[Finding]:
    from zedo_core.lifting import load_lifter
    from zedo_core.methods import get_method
    from zedo_core.weights import imported, installed, packaged, registry

    try:
        name = weights or get_method(method).weights
        lifter = load_lifter(name, method=method)
    except ZedoError as error:
        yield Finding("weights", "broken", str(error), "zedo download prior, or --weights")
        return
    entry = registry().get(name)
    if entry is None:
        origin = f"imported: {imported()[name]}" if name in imported() else f"a path: {name}"
        yield Finding("weights", "ok", f"{lifter.weights}, {origin}")
        yield Finding("hash", "note", f"SHA-256 {lifter.weights_sha256}, not in the registry")
        return
    here = installed(name)
    path = here.path if here else packaged(name)
    assert path is not None  # the lifter was loaded from it
    origin = f"downloaded from {here.repo} at {here.commit[:12]}" if here else "packaged"
    yield Finding("weights", "ok", f"{lifter.weights}, {origin}: {path}")
    if changed := _changed(name, path):
        advice = f"zedo download {name}, or install zedo again"
        yield Finding("hash", "broken", f"{', '.join(changed)} differs from the registry", advice)
    else:
        yield Finding("hash", "ok", f"SHA-256 {lifter.weights_sha256}, as in the registry")


def _changed(name: str, path: Path) -> list[str]:
    """The files of weights at `path` that are not those of the registry."""
    from zedo_core.storage.files import sha256_of
    from zedo_core.weights import registry

    folder = path if path.is_dir() else path.parent
    return [file for file, known in registry()[name].sha256.items() if known and sha256_of(folder / file) != known]


def _detector(name: str) -> Iterator[Finding]:
    from zedo_core.weights import find_weights, installed, intact, registry

    try:
        path = find_weights(name, "detector")
    except ZedoError as error:
        yield Finding("detector", "note", str(error), f"zedo download {name}; not needed for keypoint files")
        return
    if name in registry() and (_changed(name, path) or (installed(name) and not intact(name))):
        advice = f"zedo download {name}, or install zedo again"
        yield Finding("detector", "broken", f"{path}: changed since it was installed", advice)
    else:
        yield Finding("detector", "ok", f"{name}: {path}")


def _cache() -> Iterator[Finding]:
    from zedo_core.weights import cache_dir

    folder = cache_dir()
    place = next((path for path in (folder, *folder.parents) if path.exists()), folder)
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        advice = "set ZEDO_HOME to a writable folder"
        yield Finding("cache", "broken", f"{folder}: {error.strerror}", advice)
        return
    free = shutil.disk_usage(place).free
    state, advice = ("ok", "") if free > _MIN_FREE else ("note", "free space, or set ZEDO_HOME")
    yield Finding("cache", state, f"{folder}, {free / 2**30:.1f} GiB free", advice)


def _network() -> Iterator[Finding]:
    if endpoint := os.environ.get("HF_ENDPOINT"):
        is_valid = endpoint.startswith(("http://", "https://"))
        advice = "" if is_valid else "set HF_ENDPOINT to a URL with http(s)://, or unset it"
        shown = endpoint.rpartition("@")[2]  # without user and password
        yield Finding("HF_ENDPOINT", "ok" if is_valid else "broken", shown, advice)
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "on", "yes", "true"):
        yield Finding("HF_HUB_OFFLINE", "note", "offline: nothing is downloaded", "unset HF_HUB_OFFLINE to download")
    token = "set (not shown)" if os.environ.get("HF_TOKEN") else "not set; needed for private repositories only"
    yield Finding("HF_TOKEN", "ok", token)


def _table(findings: list[Finding]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in findings:
        text = finding.found + (f"\n-> {finding.advice}" if finding.advice else "")
        table.add_row(Text(finding.state, style=_STYLES[finding.state]), finding.what, Text(text))
    return table
