"""Ids set right by hand: tracks split and merged, and their motion fitted again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from export_cases import CAMERA, in_camera, poses_of, world_clip
from typer.testing import CliRunner, Result

from zedo_cli.app import app
from zedo_core.errors import InputError
from zedo_core.export import load, save
from zedo_core.keypoints import read_keypoints, write_keypoints
from zedo_core.metrics import bone_lengths, pa_mpjpe
from zedo_core.motions.identities import Merge, Split, correct_ids
from zedo_core.motions.motion import motion
from zedo_core.skeleton import H36M17
from zedo_core.types import Keypoints, Poses

FRAMES = 25


@pytest.fixture(scope="module")
def truth() -> np.ndarray:
    return in_camera(world_clip(0, FRAMES))


def seen(poses: Poses, confidence: float = 1.0) -> Keypoints:
    """Keypoints of all poses."""
    xy = CAMERA.project(poses.best)
    return Keypoints(
        frame=poses.frame,
        track=poses.track,
        xy=xy,
        confidence=np.full(xy.shape[:2], confidence),
        skeleton=H36M17,
        frame_numbers=poses.frame_numbers,
        fps=poses.fps,
    )


def tracks(truth: np.ndarray, parts: dict[int, slice], mode: str = "full") -> tuple[Poses, Keypoints]:
    """Noisy poses of one motion, its frames given to several ids, after `motion`; frames are numbered from 100."""
    rng = np.random.default_rng(1)
    joints = np.full((len(truth), len(parts), 3, 17, 3), np.nan)
    for column, part in enumerate(parts.values()):
        size = 1 + 0.1 * column  # each part is taken for another size
        joints[part, column] = size * truth[part, None] * (1 + rng.normal(0, 0.004, (3, 17, 1)))
    poses = poses_of(joints, track_ids=list(parts), frame_numbers=100 + np.arange(len(truth)))
    keypoints = seen(poses_of(joints, track_ids=list(parts), frame_numbers=poses.frame_numbers))
    return motion(poses, keypoints, mode=mode), keypoints


def test_a_track_is_split_at_a_frame_number(truth):
    poses, keypoints = tracks(truth, {3: slice(0, 25)})
    done = correct_ids(poses, keypoints, [Split(3, 110)], [])
    assert done.new_ids == ((Split(3, 110), 4),) and done.refitted == (3, 4)
    for rows in (done.poses, done.keypoints):
        assert rows is not None
        np.testing.assert_array_equal(rows.frame[rows.track == 3], np.arange(10))
        np.testing.assert_array_equal(rows.frame[rows.track == 4], np.arange(10, 25))


def test_a_merged_track_is_one_body_in_one_motion(truth):
    """Two parts of different size become one of fixed bones, the gap between them is bridged, the pose stays right."""
    poses, keypoints = tracks(truth, {3: slice(0, 10), 7: slice(14, 25)})
    apart = bone_lengths(poses.best.astype(float), H36M17.edges).sum(-1)
    assert apart[-1] > 1.02 * apart[0]
    done = correct_ids(poses, keypoints, [], [Merge((3, 7))])
    merged = done.poses
    assert merged.track_ids.tolist() == [3] and done.refitted == (3,) and done.dropped == 0
    np.testing.assert_array_equal(merged.frame, np.arange(25))
    np.testing.assert_array_equal(np.flatnonzero(merged.filled), np.arange(10, 14))
    lengths = bone_lengths(merged.best.astype(float), H36M17.edges)
    np.testing.assert_allclose(lengths, np.tile(lengths[0], (25, 1)), rtol=1e-5)
    errors_mm = 1000 * pa_mpjpe(merged.best.astype(float), truth[merged.frame])
    assert errors_mm[~merged.filled].mean() < 30 and errors_mm[merged.filled].mean() < 60
    assert done.keypoints is not None and done.keypoints.track_ids.tolist() == [3]


def test_other_people_stay_as_they_are(truth):
    poses, keypoints = tracks(truth, {1: slice(0, 25), 3: slice(0, 10), 7: slice(12, 25)})
    merged = correct_ids(poses, keypoints, [], [Merge((7, 3))]).poses
    assert merged.track_ids.tolist() == [1, 7]
    for name in poses.PER_ROW:
        before, after = (getattr(rows.take(rows.track == 1), name) for rows in (poses, merged))
        np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize("surer", [3, 7])
def test_the_more_confident_stays_where_both_are_in_a_frame(truth, surer):
    poses, keypoints = tracks(truth, {3: slice(0, 12), 7: slice(10, 25)}, mode="off")
    confidence = np.where(keypoints.track == surer, 0.9, 0.6)[:, None].repeat(17, 1)
    done = correct_ids(poses, replace(keypoints, confidence=confidence), [], [Merge((3, 7))])
    assert done.dropped == 2 and done.refitted == () and len(done.poses) == 25
    np.testing.assert_array_equal(
        done.poses.best[10:12], poses.best[(poses.track == surer) & np.isin(poses.frame, [10, 11])]
    )
    assert done.keypoints is not None
    kept = done.keypoints.confidence[:, 0]
    np.testing.assert_array_equal(kept[10:12], [0.9, 0.9])


def test_without_keypoints_the_smaller_expected_error_stays(truth):
    poses, _ = tracks(truth, {3: slice(0, 12), 7: slice(10, 25)}, mode="off")
    score = poses.score.copy()
    score[poses.track == 3] = -0.2
    done = correct_ids(replace(poses, score=score), None, [], [Merge((3, 7))])
    assert len(done.poses) == 25 and done.keypoints is None
    np.testing.assert_array_equal(done.poses.score[10:12, 0], poses.score[poses.track == 7][:2, 0])


def test_splits_come_before_merges(truth):
    """A track that jumped from one person to another: its end belongs to person 7."""
    poses, keypoints = tracks(truth, {3: slice(0, 20), 7: slice(20, 25)})
    done = correct_ids(poses, keypoints, [Split(3, 112)], [Merge((7, 8))])
    assert {t: int((done.poses.track == t).sum()) for t in done.poses.track_ids.tolist()} == {3: 12, 7: 13}


@pytest.mark.parametrize(
    ("splits", "merges", "message"),
    [
        ([Split(5, 110)], [], r"person 5: expected the id of a person who appears \(3, 7\)"),
        ([Split(3, 100)], [], "person 3: expected a frame within 100 to 119 to split at, got 100"),
        ([Split(3, 120)], [], "got 120"),
        ([], [Merge((3, 9))], r"person 9: expected the id of a person who appears \(3, 7\)"),
        ([], [Merge((3, 7))], "people 3 and 7 are there together in 6 frames of 11, so they are two"),
    ],
)
def test_what_cannot_be_is_said(truth, splits, merges, message):
    poses, keypoints = tracks(truth, {3: slice(0, 20), 7: slice(14, 25)}, mode="off")
    with pytest.raises(InputError, match=message):
        correct_ids(poses, keypoints, splits, merges)


@pytest.mark.parametrize("text", ["", "3", "3,3", "3;5", "a,b", "-1,2", "3,", "3,5@2"])
def test_merges_that_are_none(text):
    with pytest.raises(InputError, match="expected two"):
        Merge.parse(text)


@pytest.mark.parametrize("text", ["", "3", "3@", "@5", "3@1.5", "3@-1", "3,5"])
def test_splits_that_are_none(text):
    with pytest.raises(InputError, match="such as 3@120"):
        Split.parse(text)


def test_as_written():
    assert Merge.parse("3, 5,7") == Merge((3, 5, 7)) and Split.parse("3@120") == Split.parse("3@120f") == Split(3, 120)


# The command


def zedo(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def result(truth, tmp_path: Path) -> Path:
    poses, keypoints = tracks(truth, {3: slice(0, 10), 7: slice(12, 25)})
    save(poses, tmp_path / "out" / "poses.npz")
    write_keypoints(keypoints, tmp_path / "out" / "keypoints.json")
    return tmp_path / "out"


def test_convert_writes_the_corrected_result(result, tmp_path):
    done = zedo("convert", result, "--merge", "3,7", "--out", tmp_path / "merged")
    assert done.exit_code == 0, done.stderr
    assert "person 3 now includes 7" in done.stderr and "motion fitted again: 3" in done.stderr
    assert sorted(path.name for path in (tmp_path / "merged").iterdir()) == [
        "keypoints.json",
        "poses.json",
        "poses.npz",
    ]
    assert load(tmp_path / "merged" / "poses.npz").track_ids.tolist() == [3]
    assert read_keypoints(tmp_path / "merged" / "keypoints.json").track_ids.tolist() == [3]
    assert load(result / "poses.npz").track_ids.tolist() == [3, 7]  # as it was
    bvh = zedo("convert", result, "--merge", "3,7", "--to", "bvh")
    assert bvh.exit_code == 0 and (result / "poses.bvh").is_file()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--merge", "3,9", "--to", "bvh"], "error: person 9: expected the id of a person who appears (3, 7)"),
        (["--split", "3", "--to", "bvh"], "error: expected an id and the first frame of the other person"),
        (["--merge", "3,7"], "poses.npz: is RESULT itself"),
    ],
)
def test_convert_refuses_in_a_line(result, words, message):
    done = zedo("convert", result, *words)
    assert done.exit_code == 2 and message in done.stderr and len(done.stderr.splitlines()) == 1
    assert sorted(path.name for path in result.iterdir()) == ["keypoints.json", "poses.npz"]
