"""Motion capture files and random views of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy import ndarray

from zedo_core.data import mocap_clips
from zedo_core.data.mocap import Motions, load, random_views
from zedo_core.errors import FormatError
from zedo_core.skeleton import H36M17

J = len(H36M17)
ROOT = H36M17.index("pelvis")


def arrays(frames: int = 12) -> dict[str, ndarray]:
    rng = np.random.default_rng(0)
    return {
        "positions": rng.normal(0, 0.4, (frames, J, 3)),
        "retargeted": rng.normal(0, 0.4, (frames, J, 3)).astype(np.float32),
        "offsets": np.array([0, 5, 9, 12]),
        "names": np.array(["walk", "sit", "jump"]),
        "sources": np.array(["a", "a", "b"]),
        "fps": np.array([30.0, 60.0, 25.0]),
        "split": np.array(["train", "test", "train"]),
    }


def write_npz(folder: Path, content: dict[str, Any]) -> Path:
    np.savez(folder / "motion.npz", **content)
    return folder / "motion.npz"


def test_all_sequences(tmp_path: Path) -> None:
    content = arrays()
    motions = load(write_npz(tmp_path, content))
    assert len(motions) == 12 and motions.positions.dtype == np.float32
    np.testing.assert_array_equal(motions.positions, content["retargeted"])
    assert motions.sequence.tolist() == [0] * 5 + [1] * 4 + [2] * 3
    assert motions.names == ("walk", "sit", "jump") and motions.fps == (30.0, 60.0, 25.0)
    assert motions.sources == ("a", "a", "b")


@pytest.mark.parametrize(
    ("split", "rows", "sequence", "names"),
    [
        ("train", [*range(5), *range(9, 12)], [0] * 5 + [1] * 3, ("walk", "jump")),
        ("test", list(range(5, 9)), [0] * 4, ("sit",)),
    ],
)
def test_a_split(tmp_path: Path, split: str, rows: list[int], sequence: list[int], names: tuple[str, ...]) -> None:
    content = arrays()
    motions = load(write_npz(tmp_path, content), split)
    np.testing.assert_array_equal(motions.positions, content["retargeted"][rows])
    assert motions.sequence.tolist() == sequence and motions.names == names
    part = motions.take(np.array([0, len(motions) - 1]))
    np.testing.assert_array_equal(part.positions, content["retargeted"][[rows[0], rows[-1]]])
    assert part.sequence.tolist() == [sequence[0], sequence[-1]]


def test_the_rig_is_chosen_or_the_only_one_used(tmp_path: Path) -> None:
    content = arrays()
    as_captured = load(write_npz(tmp_path, content), rig="positions")
    np.testing.assert_array_equal(as_captured.positions, content["positions"].astype(np.float32))
    del content["retargeted"]
    np.testing.assert_array_equal(load(write_npz(tmp_path, content)).positions, as_captured.positions)


def test_positions_without_metadata_are_one_sequence(tmp_path: Path) -> None:
    motions = load(write_npz(tmp_path, {"positions": arrays()["positions"]}))
    assert motions.sequence.tolist() == [0] * 12
    assert (motions.names, motions.sources, motions.fps) == (("",), ("own",), (30.0,))


def with_value(name: str, value: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda content: {**content, name: value}


DAMAGED: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "no positions": lambda content: {"names": content["names"]},
    "16 joints": with_value("retargeted", np.zeros((12, 16, 3), np.float32)),
    "two axes": with_value("retargeted", np.zeros((12, J), np.float32)),
    "no frames": lambda content: {"positions": np.zeros((0, J, 3))},
    "whole numbers": with_value("retargeted", np.zeros((12, J, 3), int)),
    "not finite": with_value("retargeted", np.full((12, J, 3), np.nan, np.float32)),
    "offsets end early": with_value("offsets", np.array([0, 5, 9, 11])),
    "offsets start late": with_value("offsets", np.array([1, 5, 9, 12])),
    "offsets decrease": with_value("offsets", np.array([0, 9, 5, 12])),
    "offsets are one number": with_value("offsets", np.array([12])),
    "pickled": with_value("retargeted", np.array([{"a": 1}], object)),
    "offsets in two axes": with_value("offsets", np.array([[0, 5], [9, 12]])),
    "offsets without axes": with_value("offsets", np.array(12)),
    "offsets empty": with_value("offsets", np.array([], int)),
    "offsets of strings": with_value("offsets", np.array(["0", "12"])),
    "offsets not finite": with_value("offsets", np.array([0, np.nan, 12])),
    "offsets of fractions": with_value("offsets", np.array([0, 5.5, 12])),
    "offsets of objects": with_value("offsets", np.array([0, None, 12], object)),
    "names too few": with_value("names", np.array(["walk", "sit"])),
    "names of numbers": with_value("names", np.array([1, 2, 3])),
    "names in two axes": with_value("names", np.array([["walk", "sit", "jump"]] * 3)),
    "names of objects": with_value("names", np.array(["walk", "sit", None], object)),
    "sources too many": with_value("sources", np.array(["a"] * 4)),
    "fps too few": with_value("fps", np.array([30.0, 60.0])),
    "fps of strings": with_value("fps", np.array(["30", "60", "25"])),
    "fps not finite": with_value("fps", np.array([30.0, np.nan, 25.0])),
    "fps of 0": with_value("fps", np.array([30.0, 0.0, 25.0])),
    "fps of complex numbers": with_value("fps", np.array([30.0, 60.0, 25j])),
    "split of numbers": with_value("split", np.array([0, 1, 0])),
    "split too short": with_value("split", np.array(["train", "test"])),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_file_is_refused_in_one_line(tmp_path: Path, kind: str) -> None:
    for split in (None, "train"):
        with pytest.raises(FormatError) as caught:
            load(write_npz(tmp_path, DAMAGED[kind](arrays())), split)
        line = str(caught.value)
        assert line.startswith(str(tmp_path)) and "\n" not in line
        name = kind.split()[0]
        assert name not in arrays() or "objects" in kind or f"'{name}'" in line, line


@pytest.mark.parametrize("fps", [25, 30.0, [25], [24, 25, 30], np.float32(12.5)], ids=str)
def test_one_value_applies_to_all_sequences(tmp_path: Path, fps: Any) -> None:
    content = {**arrays(), "fps": np.array(fps), "sources": np.array("lab")}
    motions = load(write_npz(tmp_path, content))
    assert motions.fps == tuple(np.broadcast_to(np.array(fps, float), 3)) and motions.sources == ("lab",) * 3


def test_a_plain_npy_is_one_sequence(tmp_path: Path) -> None:
    positions = arrays()["positions"]
    np.save(tmp_path / "walk.npy", positions)
    motions = load(tmp_path / "walk.npy")
    np.testing.assert_array_equal(motions.positions, positions.astype(np.float32))
    assert motions.sequence.tolist() == [0] * 12 and motions.names == ("",)


@pytest.mark.parametrize(
    "array",
    [np.zeros((12, 16, 3)), np.zeros(3), np.array([{}], object), np.full((2, J, 3), "a")],
    ids=lambda a: a.dtype,
)
def test_an_npy_of_other_content(tmp_path: Path, array: ndarray) -> None:
    np.save(tmp_path / "walk.npy", array, allow_pickle=True)
    with pytest.raises(FormatError, match=r"walk\.npy: ") as caught:
        load(tmp_path / "walk.npy")
    assert "\n" not in str(caught.value)


def test_a_split_without_frames(tmp_path: Path) -> None:
    content = {**arrays(), "offsets": np.array([0, 5, 5, 12])}
    with pytest.raises(FormatError, match=r"'test'.*test, train"):
        load(write_npz(tmp_path, content), "test")


def test_missing_and_damaged_files(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no such file"):
        load(tmp_path / "missing.npz")
    full = write_npz(tmp_path, arrays()).read_bytes()
    for content in (b"", b"not a zip", full[:300], full[: len(full) // 2]):
        (tmp_path / "broken.npz").write_bytes(content)
        with pytest.raises(FormatError, match=r"broken\.npz"):
            load(tmp_path / "broken.npz")
    with pytest.raises(FormatError, match="motion capture"):
        load(tmp_path)


def test_a_missing_split_is_named(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"'validation'.*test, train"):
        load(write_npz(tmp_path, arrays()), "validation")


# Views


def motions(frames: int = 300) -> Motions:
    return Motions(
        positions=np.random.default_rng(3).normal(0, 0.4, (frames, J, 3)).astype(np.float32),
        sequence=np.zeros(frames, int),
        names=("",),
        sources=("own",),
        fps=(30.0,),
    )


def test_joints_project_to_the_pixels() -> None:
    """float64 pixels: 1e-9."""
    views = random_views(motions(), 200)
    assert views.xy.shape == (200, J, 2) and views.joints_cam.shape == (200, J, 3) and views.K.shape == (200, 3, 3)
    homogeneous = np.einsum("bxy,bjy->bjx", views.K, views.joints_cam)
    np.testing.assert_allclose(homogeneous[..., :2] / homogeneous[..., 2:], views.xy, atol=1e-9)


def test_views_are_rigid_and_within_their_limits() -> None:
    source = motions(50)
    views = random_views(source, 50, seed=2)
    relative = views.joints_cam - views.joints_cam[:, [ROOT]]
    shape = np.linalg.norm(relative, axis=-1)
    original = np.linalg.norm(source.positions - source.positions[:, [ROOT]], axis=-1)
    factor = shape[:, None, 1:] / original[None, :, 1:]
    frame = np.ptp(factor, axis=-1).argmin(axis=1)
    assert sorted(frame) == list(range(50))  # every frame once, scaled and rotated but not deformed
    size = factor[np.arange(50), frame]
    assert np.ptp(size, axis=-1).max() < 1e-5  # float32 positions
    assert 0.03 < size.mean(-1).std() < 0.07
    # Neither mirrored nor upside down: up (y) stays up (-y) within pitch and roll.
    bodies = source.positions[frame] - source.positions[frame][:, [ROOT]]
    R = np.linalg.pinv(bodies) @ relative / size.mean(-1)[:, None, None]
    np.testing.assert_allclose(np.linalg.det(R), 1.0, atol=1e-4)
    assert (R[:, 1, 1] < -np.cos(np.radians(31))).all()
    assert (views.joints_cam[:, ROOT, 2] > 3).all() and (views.joints_cam[:, ROOT, 2] < 7).all()
    assert (views.K[:, 0, 0] >= 900).all() and (views.K[:, 0, 0] <= 1600).all()


def test_the_seed_determines_the_views() -> None:
    a, again, other = (random_views(motions(), 20, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(a.xy, again.xy)
    assert not np.allclose(a.xy, other.xy)


def test_at_most_one_view_per_frame() -> None:
    assert len(random_views(motions(5), 100).xy) == 5


def test_sample_keypoints_repeat_the_people_in_front_of_one_camera() -> None:
    """The rays are those of the sample's cameras; rounding at 1000 px: 1e-9."""
    sample, keypoints = mocap_clips.load(None), mocap_clips.sample_keypoints(886)
    assert len(keypoints) == 886 and len(keypoints.track_ids) == 24 + 12 and len(mocap_clips.sample_keypoints(1)) == 1
    np.testing.assert_array_equal(keypoints.xy[600:], keypoints.xy[:286])
    own = (sample.xy - sample.K[:, None, :2, 2]) / sample.K[:, None, [0, 1], [0, 1]]
    rays = mocap_clips.CAMERA.rays(keypoints.xy[:600])
    np.testing.assert_allclose(rays[..., :2] / rays[..., 2:], own, atol=1e-9)
