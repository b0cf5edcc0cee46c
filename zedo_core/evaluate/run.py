"""Evaluation of all variants of a method, chunk by chunk, so that an interrupted run can be resumed."""

from __future__ import annotations

import hashlib
import json
import logging
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Int
from numpy import ndarray

from zedo_core.data import Samples
from zedo_core.errors import InputError, OutputError
from zedo_core.evaluate.measure import measure
from zedo_core.evaluate.request import HYPOTHESES, EvalRequest
from zedo_core.evaluate.samples import digest, lift_samples, samples_of
from zedo_core.evaluate.summary import summarise
from zedo_core.methods import Lifter, Variant, get_method
from zedo_core.skeleton import H36M17
from zedo_core.storage.files import atomic_write
from zedo_core.version import __version__

_log = logging.getLogger(__name__)

CHUNK = 100  # samples lifted between two writes
_OPTIONAL = ("spread", "score", "seconds")  # metrics that need not be finite, or are not of samples
COUNTS = (1, 2, 5, 10, 20, 50)  # numbers of hypotheses in their ablation
REQUEST_FILE, CHUNKS_DIR = "request.json", "chunks"

OnProgress = Callable[[float, float, str], None]


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of a table: the variant, its numbers (`summarise`), and its duration."""

    variant: Variant
    numbers: dict[str, Any] | None  # None for a variant that cannot be run
    seconds: float | None

    @property
    def key(self) -> str:
        """Key of its metrics in `Evaluation.measured`."""
        return key_of(self.variant)


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """All rows, the samples, and the metrics of every sample by `Row.key`."""

    request: EvalRequest
    samples: Samples
    rows: tuple[Row, ...]
    measured: dict[str, dict[str, ndarray]]
    identity: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class _Job:
    """A variant to be run on all samples, chunk by chunk."""

    variant: Variant
    lifter: Lifter
    chunks: tuple[slice, ...]
    folder: Path

    @property
    def files(self) -> list[Path]:
        """The files with the metrics of the chunks."""
        return [self.folder / f"{k:05d}.npz" for k in range(len(self.chunks))]


def evaluate(
    request: EvalRequest,
    out: str | Path,
    *,
    resume: bool = False,
    shard: tuple[int, int] = (1, 1),
    on_progress: OnProgress = lambda done, total, name: None,
) -> Evaluation | None:
    """Run the missing chunks of a request in `out` and summarise them; None if other shards are not done yet.

    `shard` (i, n) takes every n-th chunk from the i-th on, so that n processes or GPUs can share the work in one
    folder; the last to finish returns the result. `on_progress` receives the work done, the total, and the variant's
    name. InputError when `out` holds another evaluation, or this one without `resume`.
    """
    if not 1 <= shard[0] <= shard[1]:
        raise InputError(f"expected a shard I/N with I from 1 to N, got {shard[0]}/{shard[1]}")
    samples, out = samples_of(request), Path(out)
    variants = variants_of(request, len(samples.evaluated))
    jobs: dict[str, _Job] = {}
    for variant in variants:
        if not variant.missing and key_of(variant) not in jobs:  # equal variants are computed once
            jobs[key_of(variant)] = _job(variant, samples, request, out)
    identity = {
        "request": request.identity,
        "version": __version__,
        "samples_sha256": digest(samples),
        "weights": {job.lifter.weights: job.lifter.weights_sha256 for job in jobs.values()},
    }
    _check_folder(out, identity, resume or shard[1] > 1)
    failed = _run_all(jobs, samples, request.seed, shard, on_progress)
    measured = {key: _concatenate(job.files) for key, job in jobs.items() if all(file.is_file() for file in job.files)}
    if len(measured) + len(failed.keys() - measured.keys()) < len(jobs):
        return None
    for key in measured:
        if not _finite(measured[key]).any():
            failed[key] = "no result is finite"
    measured = {key: metrics for key, metrics in measured.items() if key not in failed}
    if not measured:
        why = next(iter(failed.values()))
        raise InputError(f"{samples.name}: expected results of some variant, found none ({why})")
    variants = [replace(v, missing=v.missing or failed.get(key_of(v), "")) for v in variants]
    samples, measured = _finite_only(samples, measured)
    rows = tuple(_row(variant, samples, measured, request.seed) for variant in variants)
    return Evaluation(request=request, samples=samples, rows=rows, measured=measured, identity=identity)


def variants_of(request: EvalRequest, joints: int) -> tuple[Variant, ...]:
    """All rows of all requested tables, the main table first."""
    method = get_method(request.method)
    rows = list(method.variants(request, joints))
    if HYPOTHESES in request.ablate:
        counts = tuple(count for count in COUNTS if count <= method.most_hypotheses)
        variants = method.variants(replace(request, hypotheses=counts, ablate=()), joints)
        rows += [replace(row, table=HYPOTHESES, name=f"{row.hypotheses}") for row in variants]
    return tuple(rows)


def key_of(variant: Variant) -> str:
    """Name of the folder of a variant's results, the same for equal variants."""
    content = [variant.hypotheses, variant.settings, variant.weights]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]


def _job(variant: Variant, samples: Samples, request: EvalRequest, out: Path) -> _Job:
    lifter = variant.load(request.device)
    if lifter.skeleton != H36M17:
        raise InputError(
            f"{variant.weights}: expected weights for the joints of the data sets, {H36M17.name}, found "
            f"{lifter.skeleton.name}"
        )
    chunks = chunks_of(samples.sequence, whole_sequences=lifter.window is not None)
    return _Job(variant=variant, lifter=lifter, chunks=chunks, folder=out / CHUNKS_DIR / key_of(variant))


def chunks_of(sequence: Int[ndarray, " n"], *, whole_sequences: bool) -> tuple[slice, ...]:
    """Chunks of `CHUNK` samples, or of whole sequences with at least as many."""
    ends = np.flatnonzero(np.diff(sequence, append=-1)) + 1 if whole_sequences else np.arange(1, len(sequence) + 1)
    bounds = [0]
    for end in ends.tolist():
        if end - bounds[-1] >= CHUNK or end == len(sequence):
            bounds.append(end)
    return tuple(map(slice, bounds[:-1], bounds[1:]))


def _check_folder(out: Path, identity: dict[str, Any], resume: bool) -> None:
    """Write the identity of the evaluation into a new folder, or check that an existing one has the same."""
    path = out / REQUEST_FILE
    text = json.dumps(identity, indent=2) + "\n"
    if not path.is_file():
        with atomic_write(path) as partial:
            partial.write_text(text)
        return
    try:
        differing = _differences(json.loads(path.read_text()), json.loads(text))
    except (ValueError, TypeError, LookupError, AttributeError, OSError):
        raise InputError(f"{path}: cannot be read; choose another --out") from None
    if differing:
        raise InputError(f"{out}: holds another evaluation ({', '.join(differing)} differ); choose another --out")
    if not resume:
        raise InputError(f"{out}: already holds this evaluation; continue it with --resume, or choose another --out")


def _differences(a: Any, b: Any) -> list[str]:
    """Names of the entries that differ between two identities."""
    flat = [{**identity["request"], **{k: v for k, v in identity.items() if k != "request"}} for identity in (a, b)]
    return [name for name in sorted({*flat[0], *flat[1]}) if flat[0].get(name) != flat[1].get(name)]


def _finite(metrics: dict[str, ndarray]) -> Bool[ndarray, " n"]:
    """The samples whose metrics are all finite, but for those that a method need not give."""
    needed = [values for name, values in metrics.items() if name not in _OPTIONAL]
    return np.all([np.isfinite(values.reshape(len(values), -1)).all(1) for values in needed], axis=0)


def _finite_only(
    samples: Samples, measured: dict[str, dict[str, ndarray]]
) -> tuple[Samples, dict[str, dict[str, ndarray]]]:
    """Samples and metrics without the samples that any variant has no finite metrics of, which are counted."""
    finite = np.all([_finite(metrics) for metrics in measured.values()], axis=0)
    if finite.all():
        return samples, measured
    if not finite.any():
        raise InputError(f"{samples.name}: expected samples with finite results of all variants, found none")
    kept = {
        key: {name: values if name == "seconds" else values[finite] for name, values in metrics.items()}
        for key, metrics in measured.items()
    }
    return replace(samples.take(np.flatnonzero(finite)), failed=int((~finite).sum())), kept


def _run_all(
    jobs: dict[str, _Job], samples: Samples, seed: int, shard: tuple[int, int], on_progress: OnProgress
) -> dict[str, str]:
    """Lift and measure every missing chunk of this shard; return why variants failed, which does not end the others.

    The error of the first one is raised when all fail.
    """
    todo = [
        (job, chunk, file)
        for job in jobs.values()
        for k, (chunk, file) in enumerate(zip(job.chunks, job.files, strict=True))
        if k % shard[1] == shard[0] - 1
    ]
    costs = [job.variant.cost * (chunk.stop - chunk.start) for job, chunk, _ in todo]
    total, done = sum(costs), 0.0
    failed: dict[str, Exception] = {}
    for (job, chunk, file), cost in zip(todo, costs, strict=True):
        on_progress(done, total, f"{job.variant.table} {job.variant.name}")
        key = key_of(job.variant)
        if not file.is_file() and key not in failed:
            try:
                _run(job, samples.take(chunk), file, seed)
            except OutputError:
                raise
            except Exception as error:  # a fault in one variant is no reason to lose the others
                failed[key] = error
                _log.debug("%s: failed", job.variant.name, exc_info=True)
                _log.warning("%s %s: failed (%s)", job.variant.table, job.variant.name, " ".join(str(error).split()))
        done += cost
    on_progress(total, total, "done")
    if failed and len(failed) == len(jobs):
        raise next(iter(failed.values()))
    return {key: f"failed: {' '.join(str(error).split())}" for key, error in failed.items()}


def _run(job: _Job, part: Samples, file: Path, seed: int) -> None:
    """Lift and measure one chunk."""
    start = time.perf_counter()
    lifted = lift_samples(job.lifter, part, job.variant.hypotheses, seed)
    seconds = time.perf_counter() - start
    arrays: dict[str, Any] = {**measure(part, lifted), "seconds": np.array(seconds)}
    with atomic_write(file) as partial, open(partial, "wb") as opened:
        np.savez(opened, **arrays)


def _row(variant: Variant, samples: Samples, measured: dict[str, dict[str, ndarray]], seed: int) -> Row:
    if variant.missing:
        return Row(variant=variant, numbers=None, seconds=None)
    metrics = measured[key_of(variant)]
    numbers = summarise(samples, metrics, seed)
    return Row(variant=variant, numbers=numbers, seconds=float(metrics["seconds"].sum()))


def _concatenate(files: list[Path]) -> dict[str, ndarray]:
    parts = [dict(_read(file)) for file in files]
    return {name: np.concatenate([np.atleast_1d(part[name]) for part in parts]) for name in parts[0]}


def _read(file: Path) -> Iterator[tuple[str, ndarray]]:
    try:
        with np.load(file, allow_pickle=False) as data:
            yield from ((name, data[name]) for name in data.files)
    except (OSError, ValueError, zipfile.BadZipFile, KeyError):
        raise InputError(f"{file}: the file is damaged; delete it and continue with --resume") from None
