"""The folder or bucket of a run: a table for each clip, failures, a lock, and what the runs did.

clips/NAME.parquet      the result of a clip; it is done when this is there with its content and the run's options
files/NAME/             on request what `zedo infer` writes
failed/NAME.json        a clip that has no result, until it has one; all of them are in failures.csv
run.json                what the last run did, run-2-of-8.json for a part
"""

from __future__ import annotations

import csv
import io
import json
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zedo_core.batch.clips import Clip
from zedo_core.batch.job import OVERLAY, Failure, Job, Step
from zedo_core.errors import OutputError, ZedoError
from zedo_core.export._batch import CLIPS
from zedo_core.export.parquet import SUFFIX, description, write_table
from zedo_core.storage.places import files_in, is_remote, joined, read_bytes, reading, remove, write_bytes, writing

if TYPE_CHECKING:
    import pyarrow

_FILES, _FAILED = "files", "failed"
_AT_ONCE = 16  # results that are looked at


@dataclass(frozen=True, kw_only=True)
class Known:
    """What a result that is there was made of."""

    sha256: str
    size: int
    stamp: str
    options: str
    formats: tuple[str, ...]

    def is_of(self, job: Job) -> bool:
        """Whether it was made as this job would make it."""
        return self.options == job.digest and set(job.formats) <= set(self.formats)

    def is_same(self, clip: Clip) -> bool:
        """Whether the clip is as it was, told without reading it."""
        return bool(clip.stamp) and (self.size, self.stamp) == (clip.size, clip.stamp)


def about(step: Step, job: Job) -> dict[str, Any]:
    """What the table of a clip says of its making; the same whoever makes it, and whenever."""
    assert step.observed is not None
    scene, detected = step.observed.scene, step.observed.detected
    return {
        "sha256": step.sha256,
        "size": step.clip.size,
        "stamp": step.clip.stamp,
        "options": job.digest,
        "formats": list(job.formats),
        "cuts": list(scene.cuts),
        "camera_moves": scene.moves,
        "mended": step.observed.mended,
        "damaged": {} if detected is None else dict(detected.damaged),
    }


def write_result(out: str, clip: Clip, table: pyarrow.Table) -> None:
    """Write the table of a clip, which appears as a whole; OutputError when it cannot be written."""
    with writing(_result(out, clip)) as partial:
        write_table(table, partial)


@contextmanager
def files_folder(out: str, clip: Clip) -> Iterator[Path]:
    """A local folder for the files of a clip; in a store they appear when all are written."""
    place = joined(out, _FILES, clip.name)
    if not is_remote(out):
        Path(place).mkdir(parents=True, exist_ok=True)
        yield Path(place)
        return
    with tempfile.TemporaryDirectory(prefix="zedo-") as folder:
        yield Path(folder)
        for file in sorted(Path(folder).iterdir()):
            write_bytes(joined(place, file.name), file.read_bytes())


def known_results(out: str, clips: Sequence[Clip]) -> dict[str, Known]:
    """What the results that are there were made of, by the names of the clips; damaged ones do not count."""
    there = {entry.place for entry in files_in(joined(out, CLIPS)) or []}
    names = [clip.name for clip in clips if _result(out, clip) in there]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        known = pool.map(lambda name: _known(joined(out, CLIPS, name + SUFFIX)), names)
        return {name: one for name, one in zip(names, known, strict=True) if one is not None}


def prepare(out: str) -> None:
    """See that the target can be written to; OutputError otherwise."""
    probe = joined(out, ".probe")
    write_bytes(probe, b"")
    remove(probe)


def note_failure(out: str, clip: Clip, failure: Failure) -> None:
    """Note that a clip failed, for the table at the end."""
    row = {name: value for name, value in asdict(failure).items() if name != "fatal"}
    write_bytes(_failed(out, clip.name), json.dumps(row).encode())


def forget_failure(out: str, name: str) -> None:
    """The clip has a result."""
    remove(_failed(out, name))


def failed_names(out: str) -> set[str]:
    """The names of the clips that failed in this run or before."""
    entries = files_in(joined(out, _FAILED)) or []
    return {entry.place.replace("\\", "/").rsplit("/", 1)[-1].removesuffix(".json") for entry in entries}


def write_failures(out: str) -> str:
    """Write the table of all failures and return its place."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        read = pool.map(lambda name: read_bytes(_failed(out, name)), sorted(failed_names(out)))
        rows = [json.loads(content) for content in read if content]
    text = io.StringIO()
    writer = csv.DictWriter(text, ["source", "stage", "line"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(sorted(rows, key=lambda row: row["source"]))
    place = joined(out, "failures.csv")
    write_bytes(place, text.getvalue().encode("utf-8", "backslashreplace"))
    return place


def check_formats(names: Sequence[str]) -> None:
    """InputError for the name of no format; `overlay` is one here."""
    from zedo_core.export import check

    check(name for name in names if name != OVERLAY)


def _result(out: str, clip: Clip) -> str:
    return joined(out, CLIPS, clip.name + SUFFIX)


def _failed(out: str, name: str) -> str:
    return joined(out, _FAILED, f"{name}.json")


def _known(place: str) -> Known | None:
    import pyarrow.parquet as pq

    try:
        with reading(place) as file:
            batch = description(pq.read_schema(file), place)["batch"]
        return Known(
            **{name: batch[name] for name in ("sha256", "size", "stamp", "options")}, formats=tuple(batch["formats"])
        )
    except OutputError:
        raise
    except (ZedoError, KeyError, TypeError, OSError, ValueError):  # damage; pyarrow's errors are ValueErrors
        return None
