"""Pairs of keypoints and 3D: every form that is read, and one line for what does not fit."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets_h36m import make_studio, write_hdf5
from h36m_cases import write_videopose, write_zedo
from pair_cases import K, pair_arrays
from train_cases import synthetic_motions

from zedo_core.data.pairs import Pairs, load_pairs
from zedo_core.errors import ZedoError
from zedo_core.skeleton import H36M17, LSP14


def written(folder: Path, **changed: Any) -> Path:
    path = folder / "pairs.npz"
    np.savez(path, **{name: a for name, a in (pair_arrays() | changed).items() if a is not None})
    return path


def read(path: Path, **more: Any) -> Pairs:
    return load_pairs([(path, 1.0)], **more)[0]


def test_plain_npz(tmp_path: Path) -> None:
    pairs, (source,) = load_pairs([(written(tmp_path), 2.5)])
    assert (source.kind, source.frames, source.damaged, pairs.weights) == ("pairs", 40, 0, (2.5,))
    np.testing.assert_allclose(pairs.joints_cam, pair_arrays()["joints"], atol=1e-6)
    np.testing.assert_allclose(pairs.xy, pair_arrays()["keypoints"], atol=1e-3)  # float32
    assert (pairs.confidence == 1).all() and pairs.K.shape == (40, 3, 3) and (pairs.sequence == 0).all()


def test_confidences_missing_joints_and_sequences(tmp_path: Path) -> None:
    """Keypoints that are not finite are missing, frames with joints that are not finite are left out."""
    keypoints = np.concatenate([pair_arrays()["keypoints"], np.full((40, 17, 1), 0.7)], axis=-1)
    keypoints[3, 5], keypoints[4, 6, 2] = np.nan, 0.0
    joints = pair_arrays()["joints"]
    joints[7, 2] = np.inf
    path = written(tmp_path, keypoints=keypoints, joints=joints, offsets=[0, 20, 40], K=np.tile(K, (40, 1, 1)))
    pairs, (source,) = load_pairs([(path, 1.0)])
    assert (len(pairs), source.damaged, source.sequences) == (39, 1, 2)
    missing = np.argwhere(pairs.confidence == 0).tolist()
    assert missing == [[3, 5], [4, 6]] and (pairs.xy[[3, 4], [5, 6]] == 0).all()
    assert pairs.confidence.max() == pytest.approx(0.7)
    training, held = pairs.hold_out(0.5, 0)
    assert {*training.sequence} & {*held.sequence} == set() and len(training) + len(held) == 39


def test_other_joint_sets(tmp_path: Path) -> None:
    """From the file's joints to those that are trained."""
    pairs = read(written(tmp_path, joint_names=np.array(H36M17.joints)), skeleton=LSP14)
    columns = H36M17.indices(tuple(joint for joint in LSP14.joints if joint in H36M17.joints))
    rows = LSP14.indices(tuple(joint for joint in LSP14.joints if joint in H36M17.joints))
    np.testing.assert_allclose(pairs.xy[:, rows], pair_arrays()["keypoints"][:, columns], atol=1e-3)
    np.testing.assert_allclose(pairs.joints_cam[:, rows], pair_arrays()["joints"][:, columns], atol=1e-6)


@pytest.mark.parametrize("write", [write_videopose, write_hdf5, partial(write_zedo, split="train")])
def test_human36m_with_detections(tmp_path: Path, write: Callable[..., None]) -> None:
    write(tmp_path, make_studio("train"))
    pairs, (source,) = load_pairs([(tmp_path, 1.0)])
    assert source.kind == "h36m" and source.sequences > 10 and len(pairs) == source.frames
    exact = pairs.joints_cam[..., :2] / pairs.joints_cam[..., 2:] * pairs.K[:, None, [0, 1], [0, 1]]
    exact += pairs.K[:, None, :2, 2]
    distance = np.linalg.norm(exact - pairs.xy, axis=-1)[pairs.confidence > 0]
    assert 0.1 < np.median(distance) < 50  # detections, not projections


def test_weights_and_sequences_of_several_files(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    first, second = written(tmp_path), written(tmp_path / "a", offsets=[0, 10, 40])
    pairs, _ = load_pairs([(first, 1.0), (second, 3.0)])
    assert np.bincount(pairs.part).tolist() == [40, 40] and np.bincount(pairs.sequence).tolist() == [40, 10, 30]
    assert pairs.weights == (1.0, 3.0)
    assert pairs.sha256 != load_pairs([(first, 1.0), (second, 1.0)])[0].sha256
    mixture = pairs.as_mixture(H36M17)
    assert (mixture.positions[:, H36M17.index("head_top"), 1] > mixture.positions[:, 0, 1]).all()


def test_a_data_set_without_detections(tmp_path: Path) -> None:
    np.savez(tmp_path / "motions.npz", positions=synthetic_motions(4).positions)
    with pytest.raises(
        ZedoError, match=r"expected pairs as an npz with .* or Human3.6M with detections, found motions"
    ):
        read(tmp_path / "motions.npz")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"keypoints": pair_arrays()["keypoints"][:30]}, r"of the same frames, got \(30, 17, 2\) and \(40, 17, 3\)"),
        ({"keypoints": np.roll(pair_arrays()["keypoints"], 300, axis=0) + 400}, "belong together"),
        ({"keypoints": pair_arrays()["keypoints"][:, ::-1]}, "check that frames, joints, axes and K belong together"),
        ({"joints": pair_arrays()["joints"] * 1000}, r"in metres in camera axes .* got some .* from the root"),
        ({"joints": pair_arrays()["joints"] - (0, 0, 6)}, "in metres in camera axes"),
        ({"joints": pair_arrays()["joints"] * np.nan}, "found none among 40"),
        ({"K": None}, "found no K"),
        ({"keypoints": None}, "found no keypoints"),
        ({"K": np.eye(3) * -1}, r"K of shape \(3, 3\) or \(40, 3, 3\)"),
        ({"K": np.ones((7, 3, 3))}, r"K of shape .*, got \(7, 3, 3\)"),
        ({"offsets": [0, 50]}, "'offsets' as whole numbers"),
        ({"keypoints": np.full((40, 17, 2), "x")}, "'keypoints' as numbers"),
        ({"joint_names": np.array(["a", "b"])}, "joint_names"),
    ],
)
def test_what_does_not_fit_is_one_line(tmp_path: Path, changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ZedoError, match=message) as caught:
        read(written(tmp_path, **changed))
    assert "\n" not in str(caught.value) and "pairs.npz" in str(caught.value)
