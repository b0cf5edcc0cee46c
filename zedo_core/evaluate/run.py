"""Evaluation of all settings, chunk by chunk, so that a killed run goes on where it stood."""

from __future__ import annotations

import json
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy import ndarray

from zedo_core.data import Samples, mocap_clips
from zedo_core.errors import InputError
from zedo_core.evaluate.measure import measure
from zedo_core.evaluate.request import EvalRequest, Setting
from zedo_core.evaluate.samples import digest, samples_of
from zedo_core.evaluate.settings import settings_of
from zedo_core.evaluate.summary import summarise
from zedo_core.lifting import load_lifter
from zedo_core.methods.zedo import ZedoLifter
from zedo_core.methods.zedo.sampling import generate
from zedo_core.storage.files import written_whole
from zedo_core.version import __version__

CHUNK = 100  # samples lifted between two writes
REQUEST_FILE, CHUNKS_DIR = "request.json", "chunks"

OnProgress = Callable[[float, float, str], None]


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of a table: the setting, its numbers (`summarise`), and how long it took."""

    setting: Setting
    numbers: dict[str, Any] | None  # None for a row that cannot be run
    seconds: float | None


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """All rows, the samples they were measured on, and the numbers of every sample by `Setting.key`."""

    request: EvalRequest
    samples: Samples
    rows: tuple[Row, ...]
    measured: dict[str, dict[str, ndarray]]
    identity: dict[str, Any]


def evaluate(
    request: EvalRequest,
    out: Path,
    *,
    resume: bool = False,
    shard: tuple[int, int] = (1, 1),
    on_progress: OnProgress = lambda done, total, name: None,
) -> Evaluation | None:
    """Run what is missing of a request in `out` and sum it up; None when other shards are not done yet.

    `shard` (i, n) takes every n-th chunk from the i-th on, so that n processes or GPUs share the work
    in one folder; whoever is last gets the result. `on_progress` gets the work done, that of all,
    and the setting's name. InputError when `out` holds another run, or this one and `resume` is off.
    """
    if not 1 <= shard[0] <= shard[1]:
        raise InputError(f"expected a shard I/N with I from 1 to N, got {shard[0]}/{shard[1]}")
    samples = samples_of(request)
    settings = settings_of(request, len(samples.evaluated))
    lifters = {
        setting.key: load_lifter(setting.weights, options=setting.options, device=request.device)
        for setting in settings
        if not setting.missing
    }
    identity = {
        "request": request.identity,
        "version": __version__,
        "samples_sha256": digest(samples),
        "weights": {lifter.prior.name: lifter.prior.sha256 for lifter in lifters.values()},
    }
    _claim(out, identity, resume or shard[1] > 1)
    _run_all(request, samples, [s for s in settings if not s.missing], lifters, out, shard, on_progress)
    return _collect(request, samples, settings, out, identity)


def _claim(out: Path, identity: dict[str, Any], resume: bool) -> None:
    """Write down what this folder is for, or see that it is for this."""
    path = out / REQUEST_FILE
    text = json.dumps(identity, indent=2) + "\n"
    if not path.is_file():
        with written_whole(path) as partial:
            partial.write_text(text)
        return
    try:
        found = json.loads(path.read_text())
        differing = _differences(found, json.loads(text))
    except (ValueError, TypeError, LookupError, AttributeError, OSError):
        raise InputError(f"{path}: cannot be read; choose another --out") from None
    if differing:
        raise InputError(f"{out}: holds another evaluation ({', '.join(differing)} differ); choose another --out")
    if not resume:
        raise InputError(f"{out}: holds this evaluation already; go on with --resume, or choose another --out")


def _differences(found: Any, wanted: Any) -> list[str]:
    """Names of what differs between two identities."""
    flat = [
        {**identity["request"], **{k: v for k, v in identity.items() if k != "request"}} for identity in (found, wanted)
    ]
    return [name for name in sorted({*flat[0], *flat[1]}) if flat[0].get(name) != flat[1].get(name)]


def _run_all(
    request: EvalRequest,
    samples: Samples,
    settings: list[Setting],
    lifters: dict[str, ZedoLifter],
    out: Path,
    shard: tuple[int, int],
    on_progress: OnProgress,
) -> None:
    """Lift and measure every chunk of this shard that is not there yet."""
    todo = list({(setting.key, k): (setting, k) for setting in settings for k in _chunks_of(samples, shard)}.values())
    costs = [_cost(setting, len(_rows(samples, k))) for setting, k in todo]
    total, done = sum(costs), 0.0
    started: dict[str, ZedoLifter] = {}
    for (setting, k), cost in zip(todo, costs, strict=True):
        path = _chunk_file(out, setting, k)
        on_progress(done, total, f"{setting.table} {setting.name}")
        if not path.is_file():
            if setting.key not in started:
                started[setting.key] = with_start(lifters[setting.key], setting, request)
            part = samples.take(_rows(samples, k))
            begun = time.perf_counter()
            found = started[setting.key].lift_rows(
                part.xy, part.confidence, part.K, setting.hypotheses, seed=request.seed
            )
            seconds = time.perf_counter() - begun
            with written_whole(path) as partial, open(partial, "wb") as file:
                arrays: dict[str, Any] = {**measure(part, found), "seconds": np.array(seconds)}
                np.savez(file, **arrays)
        done += cost
    on_progress(total, total, "done")


def with_start(lifter: ZedoLifter, setting: Setting, request: EvalRequest) -> ZedoLifter:
    """The lifter with the initial poses of the setting."""
    if setting.start == "clusters":
        return lifter
    count = max(setting.options.shapes, setting.options.candidates, setting.hypotheses)
    if setting.start == "generated":
        poses = generate(lifter.prior, count, seed=request.seed)
        poses = poses - poses[:, [lifter.skeleton.root]]
    else:
        poses = torch.from_numpy(_training_poses(request, count)).to(lifter.device)
    return replace(lifter, clusters={count: poses})


def _training_poses(request: EvalRequest, count: int) -> ndarray:
    """Poses drawn from the training split of the motion capture, upright in camera axes."""
    motions = mocap_clips.motions(request.data, "train")
    rows = np.random.default_rng(request.seed).choice(len(motions), count, replace=False)
    poses = motions.positions[rows] - motions.positions[rows][:, :1]
    return (poses * np.array([1.0, -1.0, -1.0])).astype(np.float32)


def _collect(
    request: EvalRequest, samples: Samples, settings: tuple[Setting, ...], out: Path, identity: dict[str, Any]
) -> Evaluation | None:
    """The evaluation from the chunks on disk; None while one is missing."""
    measured: dict[str, dict[str, ndarray]] = {}
    rows = []
    for setting in settings:
        if setting.missing:
            rows.append(Row(setting=setting, numbers=None, seconds=None))
            continue
        files = [_chunk_file(out, setting, k) for k in _chunks_of(samples, (1, 1))]
        if not all(file.is_file() for file in files):
            return None
        if setting.key not in measured:
            measured[setting.key] = _joined(files)
        numbers = measured[setting.key]
        rows.append(
            Row(
                setting=setting,
                numbers=summarise(samples, numbers, request.seed),
                seconds=float(numbers["seconds"].sum()),
            )
        )
    return Evaluation(request=request, samples=samples, rows=tuple(rows), measured=measured, identity=identity)


def _joined(files: list[Path]) -> dict[str, ndarray]:
    parts = [dict(_read(file)) for file in files]
    return {name: np.concatenate([np.atleast_1d(part[name]) for part in parts]) for name in parts[0]}


def _read(file: Path) -> Iterator[tuple[str, ndarray]]:
    try:
        with np.load(file, allow_pickle=False) as data:
            yield from ((name, data[name]) for name in data.files)
    except (OSError, ValueError, zipfile.BadZipFile, KeyError):
        raise InputError(f"{file}: damaged; delete it and go on with --resume") from None


def _chunks_of(samples: Samples, shard: tuple[int, int]) -> range:
    return range(shard[0] - 1, -(-len(samples) // CHUNK), shard[1])


def _rows(samples: Samples, k: int) -> ndarray:
    return np.arange(k * CHUNK, min((k + 1) * CHUNK, len(samples)))


def _chunk_file(out: Path, setting: Setting, k: int) -> Path:
    return out / CHUNKS_DIR / setting.key / f"{k:05d}.npz"


def _cost(setting: Setting, people: int) -> float:
    """Work of a chunk in network calls per pose; the search for initial poses counts as some twenty."""
    candidates = max(setting.hypotheses, setting.options.candidates)
    return people * candidates * (setting.options.iterations + 20.0)
