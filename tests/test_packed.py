"""Columns that tracks share: nothing about the people changes, and memory goes by who is there."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from export_cases import poses_of, seen, world_clip

from zedo_core.errors import FormatError
from zedo_core.export import load, load_packed, save
from zedo_core.keypoints.filters import areas_px2, keep_people
from zedo_core.motions.height import with_heights
from zedo_core.motions.select import select
from zedo_core.motions.smooth import smooth
from zedo_core.motions.tracks import fill_gaps, join_tracks, one_size
from zedo_core.packed import each_track, packed, places, unpacked
from zedo_core.pipeline.run import mean_reprojection_px
from zedo_core.skeleton import COCO17, H36M17
from zedo_core.types import Keypoints, Poses

FRAMES, TRACKS = 25, 6
# Who is there when: some meet, one has gaps, one comes for a single frame, one never.
THERE = np.zeros((FRAMES, TRACKS), bool)
for _track, _frames in enumerate(([*range(9), *range(12, 15)], range(6, 20), (), range(2, 4), range(18, 25), (24,))):
    THERE[list(_frames), _track] = True


def crowd(hypotheses: int = 3) -> Poses:
    """Motion capture seen by one camera, with some tracks at a time and hypotheses that differ."""
    rng = np.random.default_rng(0)
    where = [seen(world_clip(k % 3, FRAMES), t_cam_from_world=(0.5 * k, 0.0, 5.0 + k)) for k in range(TRACKS)]
    best = np.where(THERE[..., None, None], np.stack(where, axis=1), np.nan)
    poses = poses_of(best, track_ids=np.array([3, 1, 9, 7, 4, 12]))
    joints = np.repeat(poses.joints, hypotheses, axis=2).astype(np.float32)
    score = np.repeat(poses.score, hypotheses, axis=2) - rng.uniform(0, 0.05, (FRAMES, TRACKS, hypotheses))
    return replace(poses, joints=joints + rng.normal(0, 0.03, joints.shape).astype(np.float32), score=score)


def crowd_2d() -> Keypoints:
    """The same people in pixels."""
    poses = crowd()
    xy = np.nan_to_num(poses.cameras[0].project(poses.best.astype(float)))
    confidence = np.where(THERE[..., None], 0.8, np.zeros(len(H36M17)))
    common = {"skeleton": H36M17, "frame_numbers": poses.frame_numbers, "track_ids": poses.track_ids, "fps": 25.0}
    return Keypoints(xy=xy, confidence=confidence, **common)


def assert_same(found: Poses | Keypoints, expected: Poses | Keypoints) -> None:
    for name, value in vars(expected).items():
        if isinstance(value, np.ndarray):
            assert getattr(found, name).dtype == value.dtype, name
            np.testing.assert_array_equal(getattr(found, name), value, err_msg=name)
        else:
            assert getattr(found, name) == value, name


@pytest.mark.parametrize("people", [crowd(), crowd_2d()], ids=["poses", "keypoints"])
def test_there_and_back(people: Poses | Keypoints) -> None:
    found = packed(people)
    assert found.present.shape == (FRAMES, 2) and found.who is not None
    for t in range(FRAMES):
        assert found.tracks(t)[found.present[t]].tolist() == np.flatnonzero(THERE[t]).tolist()
    for p in range(TRACKS):
        assert places(found, p)[0].tolist() == places(people, p)[0].tolist() == np.flatnonzero(THERE[:, p]).tolist()
    assert packed(found) is found and unpacked(people) is people
    assert_same(unpacked(found), people)


@pytest.mark.parametrize("people", [crowd(), crowd_2d()], ids=["poses", "keypoints"])
def test_nobody(people: Poses | Keypoints) -> None:
    absent = (
        {"chosen": np.full_like(THERE, -1, int)}
        if isinstance(people, Poses)
        else {"confidence": np.zeros((FRAMES, TRACKS, len(H36M17)))}
    )
    nobody = packed(replace(people, **absent))
    assert nobody.present.shape == (FRAMES, 0) and unpacked(nobody).present.shape == (FRAMES, TRACKS)


def in_time(poses: Poses) -> Poses:
    return fill_gaps(smooth(with_heights(one_size(select(poses)), 1.7), "light"))


def test_tracks_alone_become_what_they_become_together() -> None:
    poses = crowd()
    found = each_track(packed(poses), in_time)
    assert found.is_filled.any()
    assert_same(unpacked(found), in_time(poses))


def test_a_clip_without_tracks_is_recorded_as_others() -> None:
    empty = poses_of(np.zeros((4, 0, len(H36M17), 3)))
    found = each_track(empty, in_time)
    assert found.present.shape == (4, 0) and found.provenance == in_time(empty).provenance


@pytest.mark.parametrize("suffix", ["npz", "json", "csv", "trc", "html"])
def test_files_are_the_same(suffix: str, tmp_path: Path) -> None:
    poses = in_time(crowd())
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    plain = save(poses, tmp_path / "a" / f"poses.{suffix}")
    found = save(packed(poses), tmp_path / "b" / f"poses.{suffix}")
    assert [file.name for file in found] == [file.name for file in plain]
    for a, b in zip(plain, found, strict=True):
        assert contents(a) == contents(b)
    if suffix == "npz":
        assert_same(load(found[0]), poses)


def contents(file: Path) -> object:
    """The bytes; of the arrays of an npz, since it holds the time as well."""
    if file.suffix != ".npz":
        return file.read_bytes()
    with np.load(file) as arrays:
        return [(name, arrays[name].dtype, arrays[name].shape, arrays[name].tobytes()) for name in arrays.files]


@pytest.mark.parametrize("suffix", ["npz", "json"])
def test_a_file_is_read_packed(suffix: str, tmp_path: Path) -> None:
    poses = in_time(crowd())
    (file,) = save(poses, tmp_path / f"poses.{suffix}")
    found = load_packed(file)
    assert found.who is not None and found.present.shape == (FRAMES, 2)
    assert_same(found, packed(load(file)))


def test_an_npz_is_read_packed_whatever_says_how_large_it_would_be(tmp_path: Path) -> None:
    """60 tracks a frame each, 300 MB with a place per track: the arrays as a whole are refused for a file so small."""
    hypotheses, frames = 300, 60
    joints = np.full((frames, frames, hypotheses, 17, 3), np.nan, np.float32)
    joints[range(frames), range(frames)] = 0.5
    poses = poses_of(joints[:, :, 0], track_ids=np.arange(frames))
    nowhere = np.zeros((frames, frames), bool)
    poses = replace(poses, joints=joints, score=np.full(joints.shape[:3], -0.05), filled=nowhere)
    (file,) = save(packed(poses), tmp_path / "poses.npz")
    assert file.stat().st_size < 2e6
    tracemalloc.start()
    found = load_packed(file)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.2 * joints.nbytes
    assert_same(found, packed(poses))


@pytest.mark.parametrize(
    ("name", "made", "said"),
    [
        ("joints", lambda a: a[:, :-1], "of people in"),
        ("joints", lambda a: a.astype(object), "not a readable npz|found damage"),
        ("joints", lambda a: np.asfortranarray(a), "of shape"),
        ("score", lambda a: a.astype(np.complex64), "complex64"),
        ("spread", lambda a: a[..., :-1], "found damage"),
        ("joints", lambda a: a * 1e30, "beyond"),
        ("chosen", lambda a: a.ravel(), "found damage"),
        ("chosen", lambda a: a.astype(float), "found damage"),
        ("chosen", lambda a: a + 99, "a chosen hypothesis is"),
        ("track_ids", lambda a: a[:1], "places among 1 tracks"),
        ("track_ids", lambda a: a[:, None], "found damage"),
        ("score", None, "missing|found damage"),
    ],
)
def test_a_damaged_npz_is_refused_when_it_is_read_packed(
    name: str, made: Callable[[np.ndarray], np.ndarray] | None, said: str, tmp_path: Path
) -> None:
    (file,) = save(in_time(crowd()), tmp_path / "poses.npz")
    with np.load(file) as arrays:
        whole = dict(arrays)
    entries: dict[str, Any] = {n: a for n, a in whole.items() if n != name}
    if made is not None:
        entries[name] = made(whole[name])
    np.savez_compressed(tmp_path / "b.npz", **entries)
    with pytest.raises(FormatError, match=said):
        load_packed(tmp_path / "b.npz")
    content = file.read_bytes()
    (tmp_path / "c.npz").write_bytes(content[: len(content) // 2])
    with pytest.raises(FormatError, match="not a readable npz"):
        load_packed(tmp_path / "c.npz")


@pytest.mark.parametrize("change", [join_tracks, lambda k: keep_people(k, "largest"), lambda k: keep_people(k, most=2)])
def test_keypoints_are_joined_and_kept_as_before(change: Callable[[Keypoints], Keypoints]) -> None:
    keypoints = crowd_2d()
    found = change(packed(keypoints))
    assert found.who is not None
    assert_same(unpacked(found), change(keypoints))
    assert len(found.track_ids) < TRACKS


def test_areas_are_those_of_the_columns() -> None:
    keypoints = packed(crowd_2d())
    t, column = places(keypoints, 1)
    xy = keypoints.xy[t[3], column[3]]
    assert np.isclose(areas_px2(keypoints)[t[3], column[3]], np.prod(xy.max(0) - xy.min(0)))


def test_the_reprojection_does_not_ask_for_columns() -> None:
    poses, keypoints = in_time(crowd()), crowd_2d()
    found = mean_reprojection_px(poses, keypoints)
    assert found > 1 and found == mean_reprojection_px(packed(poses), packed(keypoints))


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_memory_goes_by_who_is_there(tmp_path: Path) -> None:
    """60 people who come one after the other, 4 frames each, against one for 240; a dense array takes 147 MB."""
    few, many = (peak_of_infer(tmp_path / str(tracks), 240, tracks) for tracks in (1, 60))
    assert many < few + 60e6, (few, many)


# Prints people, poses and the peak of the process's memory in bytes.
RUN = """
import sys
from pathlib import Path
from typing import Any
from zedo_core.methods.zedo import ZedoOptions
from zedo_core.pipeline.run import infer
from zedo_core.pipeline.request import InferRequest
cheap = ZedoOptions(iterations=1, headings=1, shapes=50, tilts_deg=(0.0,))
folder = Path(sys.argv[1])
report = infer(InferRequest(input=folder / "in.json", out=folder / "out", hypotheses=50, options=cheap))
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(report.people, report.poses, int(peak) * 1024)
"""


def peak_of_infer(folder: Path, frames: int, tracks: int) -> int:
    """Peak of the memory of a run with one person in every frame, in bytes."""
    folder.mkdir()
    rng, each = np.random.default_rng(0), frames // tracks
    body = np.concatenate([rng.uniform(0, 12, (len(COCO17), 2)), np.ones((len(COCO17), 1))], axis=1)
    people = [
        {"track": t // each, "keypoints": (body + np.array([t // each % 3 * 20, 5, 0])).ravel().round(3).tolist()}
        for t in range(frames)
    ]
    document = {
        "format": "zedo-keypoints-1",
        "joints": "coco-17",
        "image_sizes": [[64, 48]],
        "fps": 2.0,  # so slow that nobody is taken for who stood there before
        "track_ids": list(range(tracks)),
        "frames": [{"frame": t, "time_s": t / 2, "people": [person]} for t, person in enumerate(people)],
    }
    (folder / "in.json").write_text(json.dumps(document))
    ran = subprocess.run([sys.executable, "-c", RUN, str(folder)], capture_output=True, text=True, check=True)
    *counts, peak = map(int, ran.stdout.split())
    assert counts == [tracks, frames]
    return peak
