"""`zedo doctor`: what would be used, and what is wrong with the installation."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from zedo_cli._options import Json, Quiet, Weights
from zedo_cli._output import print_json
from zedo_core.errors import ZedoError

_PACKAGES = ("numpy", "scipy", "opencv-python", "av", "safetensors", "huggingface-hub", "ultralytics")
_LEAST_FREE = 200 * 2**20  # bytes; for the detector and a result


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line of the report; `advice` says what to do when it is not well."""

    what: str
    state: str  # ok, note (something that is not needed now) or broken
    found: str
    advice: str = ""


def doctor(
    weights: Weights = "prior",
    detector: Annotated[
        str, typer.Option("--detector", help="Ultralytics pose model: downloaded name or file.", metavar="NAME|PATH")
    ] = "yolov8n-pose",
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show what would be used, from where and with which hash, and what is wrong; exit code 1 if something is."""
    from rich.console import Console

    checks: tuple[Callable[[], Iterator[Finding]], ...] = (
        _versions,
        _torch,
        _video,
        lambda: _weights(weights),
        lambda: _detector(detector),
        _cache,
        _network,
    )
    found = [finding for check in checks for finding in _carried_out(check)]
    if as_json:
        print_json({"ok": not _is_broken(found), "findings": found})
    else:
        Console(highlight=False).print(_table(found))
    if _is_broken(found):
        raise typer.Exit(1)


def _carried_out(check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """The findings of a check; one that fails is one."""
    try:
        yield from check()
    except Exception as error:  # a broken installation raises anything
        what = getattr(check, "__name__", "check").strip("_<>")
        text = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        yield Finding(what=what, state="broken", found=text, advice="install zedo again in a fresh environment")


def _is_broken(findings: list[Finding]) -> bool:
    return any(finding.state == "broken" for finding in findings)


def _versions() -> Iterator[Finding]:
    import zedo_core

    yield Finding(what="zedo", state="ok", found=f"{zedo_core.__version__}, {Path(zedo_core.__file__).parent}")
    yield Finding(what="Python", state="ok", found=f"{platform.python_version()}, {sys.executable}")
    for name in _PACKAGES:
        try:
            yield Finding(what=name, state="ok", found=importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            advice = f"python -m pip install '{name}'"
            yield Finding(what=name, state="broken", found="not installed", advice=advice)


def _torch() -> Iterator[Finding]:
    import torch

    from zedo_core.lifting import find_device

    yield Finding(what="torch", state="ok", found=torch.__version__)
    devices = [f"cuda:{i} {torch.cuda.get_device_name(i)}" for i in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        devices.append("mps")
    others = f"; there are {', '.join(devices)}" if devices else ", the only one"
    yield Finding(what="device", state="ok", found=f"{find_device('auto')} is used{others}")


def _video() -> Iterator[Finding]:
    import av

    codecs = [name for name in ("libx264", "h264", "mpeg4") if name in av.codecs_available]
    ffmpeg = shutil.which("ffmpeg") or "no ffmpeg command, which is not needed"
    if codecs:
        yield Finding(what="video", state="ok", found=f"PyAV {av.__version__} with {', '.join(codecs)}; {ffmpeg}")
    else:
        advice = "python -m pip install --force-reinstall av"
        yield Finding(what="video", state="broken", found=f"PyAV {av.__version__} without H.264", advice=advice)


def _weights(name: str) -> Iterator[Finding]:
    from zedo_core import weights as hub
    from zedo_core.methods.zedo.checkpoint import load_clusters, load_prior

    try:
        path = hub.find_weights(name, "prior")
        prior = load_prior(path)
        beside = path if path.is_dir() else path.parent
        clusters = load_clusters(beside) if (beside / "clusters.npz").is_file() else {}
    except ZedoError as error:
        yield Finding(
            what="weights", state="broken", found=str(error), advice="zedo download prior --all, or --weights"
        )
        return
    poses = f"initial poses {', '.join(map(str, clusters))}" if clusters else "the packaged initial poses"
    yield Finding(what="weights", state="ok", found=f"{prior.name}, {_origin(name)}: {path}, with {poses}")
    yield from _hash_of(name, beside, prior.sha256)


def _origin(name: str) -> str:
    """Where weights of a name come from."""
    from zedo_core import weights as hub

    if name in hub.imported():
        return "imported"
    if name not in hub.registry():
        return "a path"
    here = hub.installed(name)
    return f"downloaded from {here.repo} at {here.commit[:12]}" if here else "packaged"


def _hash_of(name: str, folder: Path, sha256: str) -> Iterator[Finding]:
    """Whether the files are the registry's."""
    from zedo_core import weights as hub
    from zedo_core.storage.files import sha256_of

    entry = hub.registry().get(name)
    known = {file.name: file.sha256 for file in entry.files if file.sha256} if entry else {}
    wrong = [file for file, expected in known.items() if sha256_of(folder / file) != expected]
    if wrong:
        advice = f"zedo download {name}, or install zedo again"
        yield Finding(
            what="hash", state="broken", found=f"{', '.join(wrong)} is not what the registry has", advice=advice
        )
    else:
        verified = "as in the registry" if known else "not in the registry"
        yield Finding(what="hash", state="ok" if known else "note", found=f"SHA-256 {sha256}, {verified}")


def _detector(name: str) -> Iterator[Finding]:
    from zedo_core import weights as hub

    there = importlib.util.find_spec("ultralytics") is not None  # importing it takes seconds
    try:
        path = hub.find_weights(name, "detector")
    except ZedoError as error:
        advice = f"zedo download {name}; input of keypoints needs none" if there else "input of keypoints needs none"
        yield Finding(what="detector", state="note", found=str(error), advice=advice)
        return
    here = hub.installed(name) if name in hub.registry() else None
    if here is not None and not hub.intact(hub.registry()[name], here):
        advice = f"zedo download {name}"
        yield Finding(what="detector", state="broken", found=f"{path}: changed since it was fetched", advice=advice)
        return
    yield Finding(what="detector", state="ok", found=f"{name}: {path}")


def _cache() -> Iterator[Finding]:
    from zedo_core import weights as hub

    folder = hub.cache_dir()
    place = next((path for path in (folder, *folder.parents) if path.exists()), folder)
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        advice = "set ZEDO_HOME to a folder that can be written to"
        yield Finding(what="cache", state="broken", found=f"{folder}: {error.strerror}", advice=advice)
        return
    free = shutil.disk_usage(place).free
    state, advice = ("ok", "") if free > _LEAST_FREE else ("note", "free space, or set ZEDO_HOME")
    yield Finding(what="cache", state=state, found=f"{folder}, {free / 2**30:.1f} GiB free", advice=advice)


def _network() -> Iterator[Finding]:
    endpoint = os.environ.get("HF_ENDPOINT")
    if endpoint:
        shown = endpoint.rpartition("@")[2]  # without user and password
        sound = endpoint.startswith(("http://", "https://"))
        advice = "" if sound else "set HF_ENDPOINT to a URL with http(s)://, or unset it"
        yield Finding(what="HF_ENDPOINT", state="ok" if sound else "broken", found=shown, advice=advice)
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "on", "yes", "true"):
        advice = "unset HF_HUB_OFFLINE to download"
        yield Finding(what="HF_HUB_OFFLINE", state="note", found="offline: nothing is fetched", advice=advice)
    token = "set (not shown)" if os.environ.get("HF_TOKEN") else "not set; only private repos need it"
    yield Finding(what="HF_TOKEN", state="ok", found=token)


def _table(findings: list[Finding]) -> Table:
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    styles = {"ok": "green", "note": "yellow", "broken": "bold red"}
    for finding in findings:
        text = finding.found + (f"\n-> {finding.advice}" if finding.advice else "")
        table.add_row(Text(finding.state, style=styles[finding.state]), finding.what, Text(text))
    return table
