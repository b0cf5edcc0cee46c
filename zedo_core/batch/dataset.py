"""`zedo.infer_batch`: clips as a Ray Dataset in, people as a Ray Dataset out."""

from __future__ import annotations

import pickle
from dataclasses import fields
from pathlib import Path
from typing import Any

from zedo_core.batch.clips import Clip
from zedo_core.batch.job import Failure, Job, Step
from zedo_core.batch.ray import Operator, with_stages
from zedo_core.errors import InputError
from zedo_core.export._batch import result_name
from zedo_core.export.parquet import as_table, columns
from zedo_core.pipeline.library import camera_choice
from zedo_core.pipeline.models import check_request
from zedo_core.pipeline.request import PosesRequest
from zedo_core.storage.places import placed

COLUMN = "error"


def infer_batch(
    dataset: Any, *, workers: int | None = None, camera: Any = None, fov: float | None = None, **options: Any
) -> Any:
    """The people of many clips: a Ray Dataset with a row per person and frame, computed as it is consumed.

    `dataset` has a row per clip: `path`, a file or an address, or `bytes` with the content of a video file, which
    `path` may then name. The result has the columns of the tables of `zedo batch`, and `error`, null but in the
    one row of a clip that failed. `workers` are clips at a time, by default one a core, or one a GPU; `camera`, `fov`
    and `options` are as in `infer`. InputError for unknown options, MissingExtraError without ray.
    """
    known = [field.name for field in fields(PosesRequest) if field.name not in ("input", "camera")]
    for name in options:
        if name not in known:
            raise InputError(f"unknown option '{name}'; expected some of {', '.join(known)}")
    request = PosesRequest(input=Path(), camera=camera_choice(camera, fov), **options)
    check_request(request)
    steps = dataset.map_batches(_steps, batch_size=1, batch_format="pyarrow")
    return with_stages(steps, Job(request=request, out=""), workers, last=_People)


def _steps(table: Any) -> Any:
    """Steps out of rows with paths or bytes."""
    import pyarrow as pa

    rows = [pickle.dumps(_step(row)) for row in table.to_pylist()]
    return pa.table({"step": pa.array(rows, pa.large_binary())})


def _step(row: dict[str, Any]) -> Step:
    path, content = row.get("path"), row.get("bytes")
    if not isinstance(path, str) and not isinstance(content, bytes):
        failure = Failure(source=str(path), stage="read", line="expected a column 'path' or 'bytes', found neither")
        return Step(clip=Clip(source=str(path), name="unknown"), failure=failure)
    source = "clip" if path is None else placed(str(path)) if content is None else str(path)
    return Step(clip=Clip(source=source, name=result_name(source)), content=content)


class _People(Operator):
    """The last stage: the table of a clip instead of its outcome."""

    def __call__(self, table: Any) -> Any:
        """The rows of a clip, or one row with its error."""
        import pyarrow as pa

        tables = [_table(pickle.loads(row)) for row in table["step"].to_pylist()]
        return pa.concat_tables(tables)


def _table(step: Step) -> Any:
    import pyarrow as pa

    if step.failure is None and step.poses is not None and step.observed is not None:
        rows = as_table(step.poses, step.observed.keypoints, step.clip.source).replace_schema_metadata(None)
        return rows.append_column(COLUMN, pa.nulls(len(rows), pa.string()))
    assert step.failure is not None
    schema = columns()
    values = [pa.nulls(1, kind) for kind in schema.types]
    values[0] = pa.array([step.clip.source])
    return pa.table(values, schema=schema).append_column(COLUMN, pa.array([step.failure.line]))
