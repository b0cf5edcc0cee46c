"""Tracks as wholes: who comes back, one size, filled gaps."""

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
from zedo_core.types import Keypoints, Poses

FPS = 30.0


def people(*sightings: tuple[range, float], frames: int = 90) -> Keypoints:
    """Tracks 1, 2, ...: each is seen in some frames, its body of 200 px beginning at x."""
    body = np.random.default_rng(0).uniform(0, 200, (17, 2))
    xy, confidence = np.zeros((frames, len(sightings), 17, 2)), np.zeros((frames, len(sightings), 17))
    for p, (when, x) in enumerate(sightings):
        for t in when:
            xy[t, p], confidence[t, p] = body + np.array((x + t, 0)), 0.5 + p / 10
    return Keypoints(
        xy=xy,
        confidence=confidence,
        skeleton=H36M17,
        frame_numbers=np.arange(frames),
        track_ids=np.arange(len(sightings)) + 1,
        fps=FPS,
    )


def test_who_comes_back_nearby_is_the_same_person():
    before = people((range(30), 0), (range(90), 700), (range(45, 60), 10), (range(70, 90), 20))
    found = join_tracks(before)
    assert found.track_ids.tolist() == [1, 2]
    assert found.present[:, 0].nonzero()[0].tolist() == [*range(30), *range(45, 60), *range(70, 90)]
    np.testing.assert_array_equal(found.xy[45:60, 0], before.xy[45:60, 2])
    np.testing.assert_array_equal(found.confidence[70:, 0], before.confidence[70:, 3])
    np.testing.assert_array_equal(found.xy[:, 1], before.xy[:, 1])
    assert before.track_ids.tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("what", "second"),
    [
        ("too late", (range(61, 90), 0)),  # 1.03 s after frame 29 + 1
        ("too far", (range(40, 90), 300)),
        ("at the same time", (range(25, 90), 0)),
    ],
)
def test_who_stays_somebody_else(what, second):
    assert join_tracks(people((range(30), 0), second)).track_ids.tolist() == [1, 2], what


def test_of_two_who_come_the_nearest_is_taken():
    found = join_tracks(people((range(30), 0), (range(35, 60), 60), (range(36, 60), 5)))
    assert found.track_ids.tolist() == [1, 2]
    assert found.present[:, 0].nonzero()[0].tolist() == [*range(30), *range(36, 60)]


def test_no_frames_and_nobody():
    assert join_tracks(people((range(0), 0), (range(0), 0))).track_ids.tolist() == [1, 2]
    assert join_tracks(people(frames=0)).track_ids.tolist() == []


def test_one_size_keeps_projections_and_proportions():
    truth = clip().best[:, 0]
    factors = np.random.default_rng(1).uniform(0.8, 1.2, len(truth))
    factors[:13] = 1.0  # of 25: the median
    poses = poses_of((truth * factors[:, None, None])[:, None])
    found = one_size(poses)
    np.testing.assert_allclose(found.best[:, 0], truth, rtol=1e-6)
    np.testing.assert_allclose(CAMERA.project(found.best), CAMERA.project(poses.best), atol=1e-6)
    couple = couple_with_gaps()
    np.testing.assert_array_equal(np.isnan(one_size(couple).joints), np.isnan(couple.joints))


def gapped(frames: slice, hypotheses: int = 1) -> tuple[Poses, np.ndarray]:
    """A clip without some frames, and all of it."""
    truth = clip().best
    joints = truth.copy()
    joints[frames] = np.nan
    poses = poses_of(joints)
    joints, score = (np.repeat(a, hypotheses, axis=2) for a in (poses.joints, poses.score))
    return replace(poses, joints=joints, score=score, chosen=np.where(poses.present, hypotheses - 1, -1)), truth


def test_short_gaps_are_filled_and_marked():
    poses, truth = gapped(slice(8, 15), hypotheses=2)
    found = fill_gaps(poses)
    assert found.is_filled[:, 0].nonzero()[0].tolist() == [*range(8, 15)]
    assert found.present.all() and not poses.present.all()
    assert np.isnan(found.joints[8:15, 0, 1]).all() and (found.chosen[8:15] == 0).all()
    np.testing.assert_array_equal(found.best[~found.is_filled], truth[~found.is_filled])
    off = np.linalg.norm(found.best - truth, axis=-1)[8:15].mean()
    share = (np.arange(8, 15) - 7)[:, None, None] / 8
    straight = (1 - share) * truth[7, 0] + share * truth[15, 0]
    assert off < 0.7 * np.linalg.norm(straight - truth[8:15, 0], axis=-1).mean()
    assert (found.expected_error_m[8:15] > found.expected_error_m[7]).all()
    assert (found.spread[8:15] > found.spread[7]).all()


def test_constant_velocity_is_continued():
    walk = clip().best[:1] + np.arange(20)[:, None, None, None] * (0.01, 0.0, 0.02)
    there = walk.copy()
    there[6:14] = np.nan
    np.testing.assert_allclose(fill_gaps(poses_of(there)).best, walk, atol=1e-9)


@pytest.mark.parametrize("longest_s", [0.0, 0.3])
def test_long_gaps_and_the_ends_stay(longest_s):
    """At 25 frames a second, 0.32 s lie between frames 7 and 15."""
    poses, _ = gapped(slice(8, 15))
    found = fill_gaps(poses, longest_s)
    np.testing.assert_array_equal(found.joints, poses.joints)
    assert not found.is_filled.any()
    assert fill_gaps(poses, 0.33).is_filled.sum() == 7
    ends, _ = gapped(slice(0, 3))
    assert not fill_gaps(ends).is_filled.any()


def test_a_person_whose_head_is_not_known_is_not_replaced():
    couple = couple_with_gaps()
    found = fill_gaps(couple)
    assert found.is_filled.nonzero()[0].tolist() == [5, 6, 7, 8]
    np.testing.assert_array_equal(found.best[10], couple.best[10])


def test_a_negative_time_is_refused():
    with pytest.raises(InputError, match="0 seconds or more, got -1"):
        fill_gaps(clip(), -1.0)


def test_infer_joins_fills_and_scales(tmp_path):
    """Who leaves for eight frames and comes back with a new id is one person, of the height that was said."""
    samples = mocap_clips.clips(mocap_clips.motions(None, "test"))
    xy = samples.xy[samples.sequence == samples.sequence[0]][:25]
    shown = np.zeros((25, 2, 17))
    shown[:8, 0], shown[16:, 1] = 0.9, 0.9
    keypoints = Keypoints(
        xy=np.where(shown[..., None] > 0, xy[:, None], 0.0),
        confidence=shown,
        skeleton=H36M17,
        frame_numbers=np.arange(25),
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
    assert poses.is_filled[:, 0].nonzero()[0].tolist() == list(range(8, 16))
    assert standing_heights_m(poses)[0] == pytest.approx(1.7, abs=0.01)  # smoothing comes after it
    assert poses.camera(0).source.startswith(("estimated from 17 poses", "guess"))
    refused = CliRunner().invoke(app, ["infer", str(tmp_path / "keypoints.json"), *words[:2], "--height", "7=1.7"])
    assert refused.exit_code != 0 and "height of person 7" in refused.stderr


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--choose", "worst"), "best, track, mean"),
        (("--focal", "calculate"), "guess or estimate"),
        (("--height", "180"), "0.4 to 2.6 m"),
        (("--fill", "inf"), "0 seconds or more"),
    ],
)
def test_infer_refuses(tmp_path, words, expected):
    from zedo_core.pipeline.run import demo_assets

    result = CliRunner().invoke(app, ["infer", str(demo_assets()[0]), "--out", str(tmp_path / "out"), *words])
    assert result.exit_code == 2
    assert expected in " ".join(result.stderr.split())
    assert not (tmp_path / "out").exists()
