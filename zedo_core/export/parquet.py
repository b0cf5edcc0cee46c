"""Poses as a Parquet table with a row per person and frame, lossless; for many clips in one folder, see `zedo batch`.

j joints, h hypotheses, k joints of the keypoints; a frame with nobody in it has one row, without a track:
    source                  path or address of the clip; empty where a single result was written
    frame, time_s           number in the clip, and seconds, null if unknown
    track                   id of the person, null where nobody is
    pose                    3 j numbers: the chosen pose, only for readers of the table; null without a pose
    joints                  3 h j numbers: all hypotheses in metres in camera axes
    chosen, score, spread   the hypothesis to use; h and j numbers
    filled, doubtful        as in the npz
    contact_left, contact_right   null if unknown
    seen, feet              j flags, and 3 numbers for each of `FEET`; null if unknown
    keypoints               3 k numbers: x px, y px, confidence of the joints that were lifted from; null if unknown

The metadata `zedo` is JSON: `schema` "zedo-table-1", and what holds for the whole clip, as in poses.json; `keypoints`
is their joint set, `batch` what `zedo batch` knows of the clip.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int, Shaped
from numpy import ndarray

from zedo_core.errors import FormatError, MissingExtraError
from zedo_core.export._schema import (
    AXES,
    UNITS,
    camera_from_table,
    camera_table,
    check_fields,
    format_errors,
    restored_skeleton,
    to_json,
    upright_table,
)
from zedo_core.skeleton import FEET
from zedo_core.storage.files import atomic_write
from zedo_core.types import Keypoints, Poses, Provenance

if TYPE_CHECKING:
    import pyarrow

SUFFIX = ".parquet"
SCHEMA = "zedo-table-1"
_META = b"zedo"
_CONTACT = ("contact_left", "contact_right")
_ROWS = 4096  # in one group, which is what a reader takes into memory
_NUMBERS = ("pose", "joints", "score", "spread", "feet", "keypoints")  # columns of lists of floats


def require() -> None:
    """MissingExtraError without pyarrow."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(f"Parquet: expected the package pyarrow ({error}); pip install pyarrow") from None


def write(poses: Poses, path: Path) -> None:
    """Write the table; OutputError when it cannot be written."""
    table = as_table(poses)
    with atomic_write(path) as partial:
        write_table(table, partial)


def write_table(table: pyarrow.Table, path: Path) -> None:
    """Write a table of `as_table`; OSError when it cannot be written."""
    import pyarrow.parquet as pq

    floats = [f"{name}.list.element" for name in _NUMBERS]
    coded: dict[str, Any] = {"use_dictionary": ["source", "track"], "use_byte_stream_split": floats}  # 40 % smaller
    pq.write_table(table, path, row_group_size=_ROWS, compression="zstd", **coded)


def read(path: Path) -> Poses:
    """Read exactly what `write` wrote; FormatError when the file is damaged or of another kind."""
    table, about = read_table(path)
    with format_errors(path):
        poses = _poses(table, about)
        check_fields(poses)
    return poses


def read_keypoints(path: Path) -> Keypoints | None:
    """The keypoints from which the poses of a table were lifted; None where it has none."""
    table, about = read_table(path)
    if about.get("keypoints") is None:
        return None
    with format_errors(path):
        skeleton = _skeleton(about["keypoints"])
        there = _in_order(table.filter(table["keypoints"].is_valid()))
        frames, clip = _frames(table), _clip(table, about)
        values = _lists(there, "keypoints", (len(skeleton), 3)).astype(float)
        return Keypoints(
            frame=np.searchsorted(frames, _integers(there, "frame")),
            track=_integers(there, "track"),
            xy=values[..., :2],
            confidence=values[..., 2],
            skeleton=skeleton,
            image_sizes=tuple(tuple(size) for size in about["image_sizes"]) if about["image_sizes"] else None,
            **clip,
        )


def read_table(path: Path) -> tuple[pyarrow.Table, dict[str, Any]]:
    """The table and what holds for its clip; FormatError when it is damaged or of another kind."""
    require()
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            about = description(file.schema_arrow, str(path))
            return file.read(), about
    except FormatError:
        raise
    except Exception as error:  # damage makes pyarrow raise many kinds of exceptions
        raise FormatError(f"{path}: not a readable Parquet file of poses ({_first_line(error)})") from None


def description(schema: pyarrow.Schema, where: str) -> dict[str, Any]:
    """What the metadata of a table say of its clip; FormatError for another schema."""
    try:
        about = json.loads((schema.metadata or {})[_META])
        found = about["schema"]
    except (KeyError, TypeError, ValueError, RecursionError):
        about, found = {}, "none"
    if found != SCHEMA:
        raise FormatError(
            f"{where}: expected a table of poses of one clip in the format {SCHEMA}, found {str(found)[:40]!a}; update "
            "zedo or the file"
        )
    return about


def columns() -> pyarrow.Schema:
    """The columns of every table, where numbers are single as methods give them."""
    import pyarrow as pa

    numbers, flag = pa.list_(pa.float32()), pa.bool_()
    kinds = {"source": pa.string(), "frame": pa.int64(), "time_s": pa.float64(), "track": pa.int64()}
    kinds |= {"pose": numbers, "joints": numbers, "chosen": pa.int64(), "score": numbers, "spread": numbers}
    kinds |= {"filled": flag, "doubtful": flag, **dict.fromkeys(_CONTACT, flag)}
    kinds |= {"seen": pa.list_(flag), "feet": numbers, "keypoints": numbers}
    return pa.schema(list(kinds.items()))


def as_table(
    poses: Poses,
    keypoints: Keypoints | None = None,
    source: str = "",
    batch: Mapping[str, Any] | None = None,
) -> pyarrow.Table:
    """The table of a clip; its rows are ordered by frame, then by track."""
    require()
    import pyarrow as pa

    place, lifted, seen = _places(poses, keypoints)
    frame, track = place.T
    nobody = track == _NOBODY
    times = np.zeros(len(frame)) if poses.times_s is None else poses.times_s[frame]
    values = {
        "source": pa.array([source] * len(frame), pa.string()),
        "frame": pa.array(poses.frame_numbers[frame], pa.int64()),
        "time_s": pa.array(times, pa.float64(), mask=np.full(len(frame), poses.times_s is None)),
        "track": pa.array(track, pa.int64(), mask=nobody),
        **{
            name: pa.nulls(len(frame), columns().field(name).type)
            if values is None
            else _column(values, lifted, len(frame))
            for name, values in _values(poses).items()
        },
        "keypoints": _keypoint_column(keypoints, seen, len(frame)),
    }
    about = json.dumps(_about(poses, keypoints) | ({} if batch is None else {"batch": dict(batch)}), allow_nan=False)
    return pa.table(values).replace_schema_metadata({_META: about.encode()})


_NOBODY = np.iinfo(np.int64).min  # as a track: sorts a frame without people where it belongs


def _places(poses: Poses, keypoints: Keypoints | None) -> tuple[Int[ndarray, "m 2"], ndarray, ndarray]:
    """Frame and track of every row of the table, and the rows in it of the poses and of the keypoints."""
    people = [np.stack([rows.frame, rows.track], 1) for rows in (poses, keypoints) if rows is not None]
    empty = np.setdiff1d(np.arange(len(poses.frame_numbers)), np.concatenate(people)[:, 0])
    nobody = np.stack([empty, np.full_like(empty, _NOBODY)], 1)
    place, row = np.unique(np.concatenate([*people, nobody]), axis=0, return_inverse=True)
    row = row.ravel()
    return place, row[: len(poses)], row[len(poses) : len(row) - len(empty)]


def _values(poses: Poses) -> dict[str, Shaped[ndarray, "n *d"] | None]:
    left, right = (None, None) if poses.contact is None else poses.contact.T
    return {
        "pose": poses.best,
        "joints": poses.joints,
        "chosen": poses.chosen,
        "score": poses.score,
        "spread": poses.spread,
        "filled": poses.filled,
        "doubtful": poses.doubtful,
        _CONTACT[0]: left,
        _CONTACT[1]: right,
        "seen": poses.seen,
        "feet": poses.feet,
    }


def _column(values: Shaped[ndarray, "n *d"], rows: ndarray, count: int) -> Any:
    """A column with the values in `rows`, null in the others; lists where a value is an array."""
    import pyarrow as pa

    missing = np.ones(count, bool)
    missing[rows] = False
    order = np.argsort(rows)
    if values.ndim == 1:
        dense = np.zeros(count, values.dtype)
        dense[rows] = values
        return pa.array(dense, mask=missing)
    flat = values.reshape(len(values), int(np.prod(values.shape[1:])))
    ends = np.where(missing, 0, flat.shape[1]).cumsum()
    offsets = pa.array(np.concatenate([[0], ends]).astype(np.int32), mask=np.append(missing, False))
    return pa.ListArray.from_arrays(offsets, pa.array(flat[order].ravel()))


def _keypoint_column(keypoints: Keypoints | None, rows: ndarray, count: int) -> Any:
    import pyarrow as pa

    if keypoints is None:
        return pa.nulls(count, pa.list_(pa.float32()))
    return _column(np.concatenate([keypoints.xy, keypoints.confidence[..., None]], -1, dtype=np.float32), rows, count)


def _about(poses: Poses, keypoints: Keypoints | None) -> dict[str, Any]:
    origin = poses.provenance
    return {
        "schema": SCHEMA,
        "units": UNITS,
        "axes": AXES,
        "provenance": {
            "method": origin.method,
            "weights": origin.weights,
            "weights_sha256": origin.weights_sha256,
            "version": origin.version,
            "options": to_json(origin.options),
        },
        "skeleton": _skeleton_table(poses),
        "keypoints": None if keypoints is None else _skeleton_table(keypoints),
        "image_sizes": None if keypoints is None else keypoints.image_sizes,
        "cameras": [camera_table(camera) for camera in poses.cameras],
        "upright": upright_table(poses),
        "fps": poses.fps,
        "hypotheses": poses.hypotheses,
    }


def _skeleton_table(rows: Poses | Keypoints) -> dict[str, Any]:
    return {name: getattr(rows.skeleton, name) for name in ("name", "joints", "parents")}


def _skeleton(table: dict[str, Any]) -> Any:
    return restored_skeleton(table["name"], table["joints"], table["parents"])


def _poses(table: pyarrow.Table, about: dict[str, Any]) -> Poses:
    there = _in_order(table.filter(table["joints"].is_valid()))
    skeleton, h = _skeleton(about["skeleton"]), int(about["hypotheses"])
    contact = [there[name].to_numpy() for name in _CONTACT if there[name].null_count == 0]
    optional = {
        name: _lists(there, name, shape)
        for name, shape in (("seen", (len(skeleton),)), ("feet", (len(FEET), 3)))
        if name in there.column_names and there[name].null_count < len(there)
    }
    return Poses(
        frame=np.searchsorted(_frames(table), _integers(there, "frame")),
        track=_integers(there, "track"),
        joints=_lists(there, "joints", (h, len(skeleton), 3)),
        score=_lists(there, "score", (h,)),
        chosen=_integers(there, "chosen"),
        spread=_lists(there, "spread", (len(skeleton),)),
        filled=there["filled"].to_numpy().astype(bool),
        contact=np.stack(contact, 1).astype(bool) if len(contact) == 2 and len(there) else None,
        **optional,
        skeleton=skeleton,
        cameras=tuple(camera_from_table(camera) for camera in about["cameras"]),
        provenance=Provenance(**about["provenance"]),
        **_clip(table, about),
    )


def _clip(table: pyarrow.Table, about: dict[str, Any]) -> dict[str, Any]:
    """What poses and keypoints share: frame numbers, times and the rate."""
    numbers, first = np.unique(_integers(table, "frame"), return_index=True)
    known = table["time_s"].null_count == 0 and len(numbers) > 0
    fps = about["fps"]
    return {
        "frame_numbers": numbers,
        "times_s": table["time_s"].to_numpy()[first] if known else None,
        "fps": None if fps is None else float(fps),
    }


def _in_order(table: pyarrow.Table) -> pyarrow.Table:
    """The rows sorted by track, then by frame."""
    return table.take(np.lexsort([_integers(table, name) for name in ("frame", "track")]))


def _frames(table: pyarrow.Table) -> Int[ndarray, " t"]:
    return np.unique(_integers(table, "frame"))


def _integers(table: pyarrow.Table, name: str) -> Int[ndarray, " n"]:
    if table[name].type not in ("int64", "int32"):
        raise ValueError(f"{name} has the type {table[name].type}")
    if len(table) and table[name].null_count:
        if name == "track":
            return table[name].fill_null(int(_NOBODY)).to_numpy()
        raise ValueError(f"{name} has empty rows")
    return table[name].to_numpy()


def _lists(table: pyarrow.Table, name: str, shape: tuple[int, ...]) -> Shaped[ndarray, "n *d"]:
    """A column of lists as an array; ValueError when they are of another length."""
    column = table[name].combine_chunks()
    flat = column.flatten().to_numpy(zero_copy_only=False)
    if len(flat) != len(table) * int(np.prod(shape)) or flat.dtype.kind not in "fb":
        raise ValueError(f"{name}: expected {int(np.prod(shape))} values in each of {len(table)} rows")
    return flat.reshape(len(table), *shape)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
