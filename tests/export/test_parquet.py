"""Tables of one clip: the columns for other readers, keypoints, frames with nobody, and tables of another kind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from export_cases import poses_of

from zedo_core.errors import FormatError
from zedo_core.export import load, parquet, save
from zedo_core.skeleton import COCO17
from zedo_core.types import Keypoints, Poses


@pytest.fixture
def poses() -> Poses:
    """Two people in four frames, two hypotheses; nobody in frame 2, person 7 only in the last one."""
    joints = np.random.default_rng(0).normal(size=(4, 2, 2, 17, 3)).astype(np.float32)
    joints[2] = np.nan
    joints[:2, 1] = np.nan
    chosen = np.array([[1, 0], [0, 0], [0, 0], [1, 0]])
    filled = np.zeros((4, 2), bool)
    filled[1, 0] = True
    more = {"score": np.full((4, 2, 2), -0.05, np.float32), "spread": np.full((4, 2, 17), 0.01, np.float32)}
    return poses_of(joints, [3, 7], chosen=chosen, filled=filled, frame_numbers=np.array([5, 6, 7, 9]), **more)


@pytest.fixture
def keypoints(poses: Poses) -> Keypoints:
    """Of person 3 in frames 5 and 9 (not where the pose is filled), and of 8, who was not lifted, in frame 6."""
    rng = np.random.default_rng(1)
    return Keypoints(
        frame=np.array([0, 3, 1]),
        track=np.array([3, 3, 8]),
        xy=rng.integers(0, 800, (3, 17, 2)) / 8,
        confidence=rng.integers(0, 9, (3, 17)) / 8,
        skeleton=COCO17,
        frame_numbers=poses.frame_numbers,
        fps=poses.fps,
        image_sizes=((1000, 800),),
    )


def test_columns(poses: Poses, keypoints: Keypoints) -> None:
    table = parquet.as_table(poses, keypoints, "clip.mp4")
    assert table.schema.remove_metadata() == parquet.columns()
    rows = table.to_pylist()
    assert [(row["frame"], row["track"]) for row in rows] == [(5, 3), (6, 3), (6, 8), (7, None), (9, 3), (9, 7)]
    assert {row["source"] for row in rows} == {"clip.mp4"}
    first, filled, unlifted, nobody, *_ = rows
    np.testing.assert_array_equal(np.reshape(first["pose"], (17, 3)), poses.joints[0, 1])  # the chosen one
    np.testing.assert_array_equal(np.reshape(first["joints"], (2, 17, 3)), poses.joints[0])
    np.testing.assert_array_equal(np.reshape(first["keypoints"], (17, 3))[:, :2], keypoints.xy[0])
    assert filled["filled"] and filled["keypoints"] is None and filled["joints"] is not None
    assert unlifted["joints"] is None and unlifted["keypoints"] is not None and unlifted["chosen"] is None
    assert nobody["joints"] is None and nobody["keypoints"] is None


def test_keypoints_come_back(poses: Poses, keypoints: Keypoints, tmp_path: Path) -> None:
    path = tmp_path / "clip.parquet"
    parquet.write_table(parquet.as_table(poses, keypoints), path)
    found = parquet.read_keypoints(path)
    assert found is not None and found.image_sizes == keypoints.image_sizes and found.skeleton == COCO17
    for name in ("frame", "track", "xy", "confidence", "frame_numbers"):
        np.testing.assert_array_equal(getattr(found, name), getattr(keypoints, name))
    np.testing.assert_array_equal(load(path).joints, poses.joints)
    save(poses, path)
    assert parquet.read_keypoints(path) is None


def test_others_read_many_as_one(poses: Poses, keypoints: Keypoints, tmp_path: Path) -> None:
    for name, seen in (("a", keypoints), ("b", None)):
        parquet.write_table(parquet.as_table(poses, seen, name), tmp_path / f"{name}.parquet")
    table = ds.dataset(tmp_path).to_table(columns=["source", "pose"], filter=ds.field("source") == "b")
    assert set(table["source"].to_pylist()) == {"b"} and len(table) == 5


@pytest.mark.parametrize("damage", ["other", "newer", "lists", "cut"])
def test_refused(poses: Poses, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "clip.parquet"
    table = parquet.as_table(poses)
    if damage == "other":
        table = table.replace_schema_metadata(None)
    elif damage == "newer":
        about = table.schema.metadata[b"zedo"].replace(b"zedo-table-1", b"zedo-table-2")
        table = table.replace_schema_metadata({b"zedo": about})
    elif damage == "lists":
        lists = table["joints"].to_pylist()
        short = pa.array([None if row is None else row[:3] for row in lists], pa.list_(pa.float32()))
        table = table.set_column(table.schema.get_field_index("joints"), "joints", short)
    pq.write_table(table, path)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(FormatError, match=r"clip\.parquet: (expected|not a readable)"):
        load(path)
