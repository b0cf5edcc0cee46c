"""Operations on tracks: people who return, one body size, and filled gaps."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from export_cases import CAMERA, clip, couple_with_gaps, poses_of
from typer.testing import CliRunner

from zedo_cli.app import app
from zedo_core.data import mocap_clips
from zedo_core.errors import InputError
from zedo_core.export import load
from zedo_core.keypoints import write_keypoints
from zedo_core.motions.height import standing_heights_m
from zedo_core.motions.tracks import fill_gaps, join_tracks, one_size
from zedo_core.skeleton import H36M17
from zedo_core.types import Keypoints, Poses, Rows

FPS = 30.0


def people(*sightings: tuple[range, float], frames: int = 90) -> Keypoints:
    """Tracks 1, 2, ...: each in some frames, with a body of 200 px that begins at x."""
    body = np.random.default_rng(0).uniform(0, 200, (17, 2))
    xy, confidence = np.zeros((frames, len(sightings), 17, 2)), np.zeros((frames, len(sightings), 17))
    for p, (when, x) in enumerate(sightings):
        for t in when:
            xy[t, p], confidence[t, p] = body + np.array((x + t, 0)), 0.5 + p / 10
    return Keypoints.from_dense(xy, confidence, H36M17, track_ids=np.arange(len(sightings)) + 1, fps=FPS)


def frames_of(rows: Rows, track: int) -> list[int]:
    return rows.frame[rows.track == track].tolist()


def test_a_person_who_returns_nearby_keeps_the_id():
    before = people((range(30), 0), (range(90), 700), (range(45, 60), 10), (range(70, 90), 20))
    found = join_tracks(before)
    assert found.track_ids.tolist() == [1, 2]
    assert frames_of(found, 1) == [*range(30), *range(45, 60), *range(70, 90)]
    joined, separate = found.dense(), before.dense()
    np.testing.assert_array_equal(joined.xy[45:60, 0], separate.xy[45:60, 2])
    np.testing.assert_array_equal(joined.confidence[70:, 0], separate.confidence[70:, 3])
    np.testing.assert_array_equal(joined.xy[:, 1], separate.xy[:, 1])
    assert before.track_ids.tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("case", "second"),
    [
        ("too late", (range(61, 90), 0)),  # 1.03 s after frame 29 + 1
        ("too far", (range(40, 90), 300)),
        ("at the same time", (range(25, 90), 0)),
    ],
)
def test_tracks_that_are_not_joined(case, second):
    assert join_tracks(people((range(30), 0), second)).track_ids.tolist() == [1, 2], case


def test_nobody_is_joined_across_a_cut():
    two = people((range(30), 0), (range(35, 90), 0))
    assert join_tracks(two, cuts=(32,)).track_ids.tolist() == [1, 2]
    assert join_tracks(two, cuts=(30, 60)).track_ids.tolist() == [1, 2]
    assert join_tracks(two, cuts=(60,)).track_ids.tolist() == [1]


def test_the_nearer_of_two_candidates_is_joined():
    found = join_tracks(people((range(30), 0), (range(35, 60), 60), (range(36, 60), 5)))
    assert found.track_ids.tolist() == [1, 2]
    assert frames_of(found, 1) == [*range(30), *range(36, 60)]


def test_two_people_who_return_together_are_matched_by_the_total_distance():
    """Greedy matching of the nearest pair would leave a pair 120 px apart."""
    found = join_tracks(people((range(30), 0), (range(30), 60), (range(35, 60), 50), (range(35, 60), 115)))
    assert found.track_ids.tolist() == [1, 2]
    moved = found.dense().xy[40, :, 0, 0] - found.dense().xy[20, :, 0, 0]
    np.testing.assert_allclose(moved, (50 + 20, 55 + 20))


def test_joining_without_people_or_frames():
    assert join_tracks(people((range(0), 0), (range(0), 0))).track_ids.tolist() == []
    assert join_tracks(people(frames=0)).track_ids.tolist() == []


def test_one_size_preserves_projections_and_proportions():
    truth = clip().best
    factors = np.random.default_rng(1).uniform(0.8, 1.2, len(truth))
    factors[:13] = 1.0  # of 25: the median
    poses = poses_of((truth * factors[:, None, None])[:, None])
    found = one_size(poses)
    np.testing.assert_allclose(found.best, truth, rtol=1e-6)
    np.testing.assert_allclose(CAMERA.project(found.best), CAMERA.project(poses.best), atol=1e-6)
    couple = couple_with_gaps()
    np.testing.assert_array_equal(np.isnan(one_size(couple).joints), np.isnan(couple.joints))


def gapped(frames: slice, hypotheses: int = 1) -> tuple[Poses, np.ndarray]:
    """A clip without some frames, and its joints in all frames."""
    truth = clip().best
    joints = truth.copy()
    joints[frames] = np.nan
    poses = poses_of(joints[:, None])
    joints, score = (np.repeat(a, hypotheses, axis=1) for a in (poses.joints, poses.score))
    return replace(poses, joints=joints, score=score, chosen=np.full(len(poses), hypotheses - 1)), truth


def test_short_gaps_are_filled_and_marked():
    poses, truth = gapped(slice(8, 15), hypotheses=2)
    found = fill_gaps(poses)
    assert found.frame[found.filled].tolist() == [*range(8, 15)]
    assert found.frame.tolist() == list(range(25)) and len(poses) == 18
    assert np.isnan(found.joints[8:15, 1]).all() and (found.chosen[8:15] == 0).all()
    np.testing.assert_array_equal(found.best[~found.filled], truth[~found.filled])
    error = np.linalg.norm(found.best - truth, axis=-1)[8:15].mean()
    fraction = (np.arange(8, 15) - 7)[:, None, None] / 8
    linear = (1 - fraction) * truth[7] + fraction * truth[15]
    assert error < 0.7 * np.linalg.norm(linear - truth[8:15], axis=-1).mean()
    assert (found.expected_error_m[8:15] > found.expected_error_m[7]).all()
    assert (found.spread[8:15] > found.spread[7]).all()


def test_constant_velocity_is_interpolated_exactly():
    walk = clip().best[:1] + np.arange(20)[:, None, None] * (0.01, 0.0, 0.02)
    with_gap = walk.copy()
    with_gap[6:14] = np.nan
    np.testing.assert_allclose(fill_gaps(poses_of(with_gap[:, None])).best, walk, atol=1e-9)


@pytest.mark.parametrize("longest_s", [0.0, 0.3])
def test_long_gaps_and_the_ends_are_not_filled(longest_s):
    """At 25 fps, 0.32 s lie between frames 7 and 15."""
    poses, _ = gapped(slice(8, 15))
    found = fill_gaps(poses, longest_s)
    np.testing.assert_array_equal(found.joints, poses.joints)
    assert not found.filled.any()
    assert fill_gaps(poses, 0.33).filled.sum() == 7
    ends, _ = gapped(slice(0, 3))
    assert not fill_gaps(ends).filled.any()


def test_a_pose_with_unknown_joints_is_not_replaced():
    couple = couple_with_gaps()
    found = fill_gaps(couple)
    assert found.frame[found.filled].tolist() == [5, 6, 7, 8]
    np.testing.assert_array_equal(found.dense().best[10], couple.dense().best[10])


def test_a_negative_time_is_refused():
    with pytest.raises(InputError, match="0 seconds or more, got -1"):
        fill_gaps(clip(), -1.0)


def test_infer_joins_fills_and_scales(tmp_path):
    """A person who leaves for eight frames and returns with a new id is one person with the given height."""
    samples = mocap_clips.clips(mocap_clips.motions(None, "test"))
    xy = samples.xy[samples.sequence == samples.sequence[0]][:25]
    confidence = np.zeros((25, 2, 17))
    confidence[:8, 0], confidence[16:, 1] = 0.9, 0.9
    keypoints = Keypoints.from_dense(
        np.where(confidence[..., None] > 0, xy[:, None], 0.0),
        confidence,
        H36M17,
        track_ids=np.array((4, 7)),
        image_sizes=((1001, 1001),),
        fps=FPS,
    )
    write_keypoints(keypoints, tmp_path / "keypoints.json")
    words = ["--out", str(tmp_path / "out"), "--height", "4=1.7", "--focal", "estimate", "--json", "--hypo", "2"]
    result = CliRunner().invoke(app, ["infer", str(tmp_path / "keypoints.json"), *words])
    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)
    assert (report["people"], report["poses"], report["filled"]) == (1, 25, 8)
    assert "focal" in report["seconds"]
    poses = load(tmp_path / "out" / "poses.npz")
    assert poses.track_ids.tolist() == [4]
    assert poses.frame[poses.filled].tolist() == list(range(8, 16))
    assert standing_heights_m(poses)[4] == pytest.approx(1.7, abs=0.01)  # smoothing follows the scaling
    assert poses.camera(0).source.startswith(("estimated from 17 poses", "guess"))
    refused = CliRunner().invoke(app, ["infer", str(tmp_path / "keypoints.json"), *words[:2], "--height", "7=1.7"])
    assert refused.exit_code != 0 and "person 7: expected the id" in refused.stderr


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--choose", "worst"), "best, track, mean"),
        (("--focal", "calculate"), "guess or estimate"),
        (("--height", "180"), "0.4 to 2.6 m"),
        (("--fill", "inf"), "0 seconds or more"),
    ],
)
def test_infer_refuses_invalid_options(tmp_path, words, expected):
    from infer_cases import demo_keypoints

    result = CliRunner().invoke(app, ["infer", str(demo_keypoints()[0]), "--out", str(tmp_path / "out"), *words])
    assert result.exit_code == 2
    assert expected in " ".join(result.stderr.split())
    assert not (tmp_path / "out").exists()
