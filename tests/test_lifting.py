"""lift() and load_lifter(): accepted input, errors, and results; and select()."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy import ndarray

from zedo_core.camera import Camera
from zedo_core.diffusion.sde import SubVP
from zedo_core.errors import CameraError, DeviceError, InputError, WeightsError, ZedoError
from zedo_core.lifting import lift, load_lifter
from zedo_core.methods.zedo.calibration import PRIOR_ALONE
from zedo_core.methods.zedo.initial_poses import load_initial_poses, save_initial_poses
from zedo_core.methods.zedo.lifter import ZedoLifter
from zedo_core.methods.zedo.loading import load as load_zedo
from zedo_core.methods.zedo.options import ZedoOptions
from zedo_core.methods.zedo.prior import Prior, save_prior
from zedo_core.motions.select import select
from zedo_core.nets.device import find_device
from zedo_core.nets.score_mlp import ScoreMLP, ScoreMLPConfig
from zedo_core.skeleton import COCO17, H36M17
from zedo_core.types import Keypoints, Poses

J = len(H36M17)
CPU = torch.device("cpu")
CAMERA = Camera(fx=1000.0, fy=1000.0, cx=500.0, cy=400.0, size=(1001, 801))
OPTIONS = ZedoOptions(iterations=3, headings=4, tilts_deg=(0.0,), initial_poses=4, candidates=2)
# float32 at a depth of several metres, after three small steps of the random network
SAME_M = 1e-4


def tiny_net(seed: int = 0) -> ScoreMLP:
    torch.manual_seed(seed)
    return ScoreMLP(ScoreMLPConfig(width=64, time_width=8, blocks=1)).eval().requires_grad_(False)


def standard_poses() -> ndarray:
    poses = np.random.default_rng(1).normal(0, 0.3, (12, J, 3)).astype(np.float32)
    return poses - poses[:, :1]


@pytest.fixture(scope="module")
def lifter() -> ZedoLifter:
    prior = Prior(net=tiny_net(), sde=SubVP(), skeleton=H36M17, name="tiny", sha256="ab" * 32)
    return ZedoLifter.from_prior(prior, {12: standard_poses()}, OPTIONS, CPU)


def bodies(*shape: int, joints: int = J) -> ndarray:
    """Joints in camera axes, inside the camera's field of view."""
    rng = np.random.default_rng(0)
    return rng.normal(0, 0.3, (*shape, joints, 3)) + np.array((0.0, 0.0, 5.0))


def keypoints(xy: ndarray, skeleton: Any = H36M17, confidence: ndarray | None = None, **more: Any) -> Keypoints:
    """Keypoints of people (t, p, j, 2), all seen by default."""
    seen = np.full(xy.shape[:3], 0.9) if confidence is None else confidence
    return Keypoints.from_dense(xy, seen, skeleton, **more)


# Accepted input


def test_an_array_of_pixels(lifter: ZedoLifter) -> None:
    xy = CAMERA.project(bodies(4))
    poses = lift(xy, CAMERA, hypotheses=3, lifter=lifter)
    assert poses.joints.shape == (4, 3, J, 3) and poses.score.shape == (4, 3)
    assert poses.spread.shape == (4, J) and (poses.chosen == 0).all() and poses.frame.tolist() == [0, 1, 2, 3]
    assert poses.cameras == (CAMERA,) and poses.frame_numbers.tolist() == [0, 1, 2, 3]
    assert poses.skeleton == H36M17
    assert (np.diff(poses.score, axis=-1) <= 0).all()
    assert (poses.spread[..., 0] == 0).all() and (poses.spread[..., 1:] > 0).all()  # relative to the root
    made_by = poses.provenance
    assert (made_by.method, made_by.weights, made_by.weights_sha256) == ("zedo", "tiny", "ab" * 32)
    assert made_by.options["hypotheses"] == 3 and made_by.options["iterations"] == 3


def test_a_third_column_is_the_confidence(lifter: ZedoLifter) -> None:
    xy, confidence = CAMERA.project(bodies(3)), np.random.default_rng(2).uniform(0.1, 1, (3, J, 1))
    with_confidence = lift(np.concatenate([xy, confidence], -1), CAMERA, lifter=lifter)
    wanted = lift(keypoints(xy[:, None], confidence=confidence[..., 0][:, None]), CAMERA, lifter=lifter)
    np.testing.assert_array_equal(with_confidence.joints, wanted.joints)
    sure = lift(np.concatenate([xy, np.ones_like(confidence)], -1), CAMERA, lifter=lifter)
    np.testing.assert_array_equal(sure.joints, lift(xy, CAMERA, lifter=lifter).joints)
    assert np.abs(sure.joints - with_confidence.joints).max() > 1e-3


def test_several_people_in_coco_with_a_gap(lifter: ZedoLifter) -> None:
    xy = CAMERA.project(bodies(4, 2, joints=len(COCO17)))
    confidence = np.full((4, 2, len(COCO17)), 0.8)
    confidence[2, 1] = 0.0  # the second person is absent from the third frame
    people = keypoints(
        xy,
        COCO17,
        confidence=confidence,
        frame_numbers=np.array([3, 5, 7, 9]),
        track_ids=np.array([4, 8]),
        fps=12.5,
        times_s=np.array([0.1, 0.2, 0.4, 0.5]),
    )
    done: list[tuple[int, int]] = []
    poses = lift(people, CAMERA, hypotheses=2, lifter=lifter, on_progress=lambda *state: done.append(state))
    assert poses.skeleton == H36M17 and done[-1] == (7, 7)
    assert poses.track.tolist() == [4, 4, 4, 4, 8, 8, 8] and poses.frame.tolist() == [0, 1, 2, 3, 0, 1, 3]
    assert all(np.isfinite(values).all() for values in (poses.joints, poses.score, poses.spread))
    assert (poses.chosen == 0).all()
    assert poses.frame_numbers.tolist() == [3, 5, 7, 9] and poses.track_ids.tolist() == [4, 8]
    assert poses.fps == 12.5 and poses.times_s is not None and poses.times_s.tolist() == [0.1, 0.2, 0.4, 0.5]
    # people are lifted independently of each other
    alone = keypoints(xy[:, :1], COCO17, confidence=confidence[:, :1])
    got = lift(alone, CAMERA, hypotheses=2, lifter=lifter)
    np.testing.assert_allclose(got.joints, poses.joints[:4], rtol=0, atol=SAME_M)


def test_keypoints_without_people(lifter: ZedoLifter) -> None:
    no_people = keypoints(np.zeros((2, 1, J, 2)), confidence=np.zeros((2, 1, J)))
    poses = lift(no_people, CAMERA, lifter=lifter)
    assert len(poses) == 0 and len(poses.frame_numbers) == 2
    assert lift(np.zeros((0, J, 2)), CAMERA, lifter=lifter).joints.shape == (0, 10, J, 3)


def test_one_camera_per_frame(lifter: ZedoLifter) -> None:
    """The same rays through other intrinsics. With the gap, cameras indexed by row instead of frame would be off."""
    cameras = [replace(CAMERA, fx=800.0 + 200 * i, fy=800.0 + 200 * i, cx=400.0 + 50 * i) for i in range(4)]
    points, seen = bodies(4, 2), np.full((4, 2, J), 0.9)
    seen[1] = seen[2, 0] = 0.0
    through_each = np.stack([camera.project(frame) for camera, frame in zip(cameras, points, strict=True)])
    poses = lift(keypoints(through_each, confidence=seen), cameras, hypotheses=2, lifter=lifter)
    wanted = lift(keypoints(CAMERA.project(points), confidence=seen), CAMERA, hypotheses=2, lifter=lifter)
    assert poses.cameras == tuple(cameras) and poses.camera(2) == cameras[2]
    np.testing.assert_allclose(poses.joints, wanted.joints, rtol=0, atol=SAME_M)


def test_a_matrix_is_a_camera(lifter: ZedoLifter) -> None:
    xy = CAMERA.project(bodies(2))
    got, wanted = lift(xy, CAMERA.matrix, lifter=lifter), lift(xy, CAMERA, lifter=lifter)
    np.testing.assert_array_equal(got.joints, wanted.joints)
    np.testing.assert_array_equal(got.camera(1).matrix, CAMERA.matrix)


def test_keypoints_are_undistorted_before_lifting(lifter: ZedoLifter) -> None:
    """Undistortion is accurate to far below a hundredth of a pixel, 1e-5 of the slope: 1e-3 m at these depths."""
    camera = replace(CAMERA, distortion=(-1.0, 0.05, 0.001, -0.002))
    points = bodies(3) + np.array([1.0, 0.5, 0.0])  # off centre, where distortion is 10 pixels and more
    clean, distorted = CAMERA.project(points), camera.project(points)
    assert np.abs(clean - distorted).max() > 5.0
    wanted = lift(clean, CAMERA, lifter=lifter).joints
    np.testing.assert_allclose(lift(distorted, camera, lifter=lifter).joints, wanted, rtol=0, atol=1e-3)
    np.testing.assert_allclose(lift(distorted, [camera] * 3, lifter=lifter).joints, wanted, rtol=0, atol=1e-3)
    assert np.abs(lift(distorted, CAMERA, lifter=lifter).joints - wanted).max() > 0.01


def test_the_same_seed_gives_the_same_result(lifter: ZedoLifter) -> None:
    people = keypoints(CAMERA.project(bodies(3, 2)))
    before = people.xy.copy()
    first, again = (lift(people, CAMERA, seed=3, lifter=lifter) for _ in range(2))
    np.testing.assert_array_equal(first.joints, again.joints)
    np.testing.assert_array_equal(first.score, again.score)
    np.testing.assert_array_equal(people.xy, before)
    assert first.provenance.options["seed"] == 3


# Errors


def assert_one_line(error: BaseException) -> None:
    assert isinstance(error, ZedoError) and "\n" not in str(error)


@pytest.mark.usefixtures("undecorated")
@pytest.mark.parametrize("shape", [(J, 2), (3, J - 1, 2), (3, J, 4), (3, J), (2, 3, J, 2), (0,)], ids=str)
def test_other_shapes_are_refused(lifter: ZedoLifter, shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"expected keypoints of shape \(frame, 17, 2 or 3\)") as caught:
        lift(np.ones(shape), CAMERA, lifter=lifter)
    assert str(shape) in str(caught.value)
    assert_one_line(caught.value)


def test_invalid_values_are_refused(lifter: ZedoLifter) -> None:
    xy = CAMERA.project(bodies(2))
    xy[1, H36M17.index("right_ankle")] = np.nan
    with pytest.raises(InputError, match="frame 1, person 0, joint right_ankle") as caught:
        lift(xy, CAMERA, lifter=lifter)
    assert_one_line(caught.value)
    with pytest.raises(InputError, match=r"confidences must lie in 0\.\.1"):
        lift(np.full((2, J, 3), 300.0), CAMERA, lifter=lifter)


@pytest.mark.usefixtures("undecorated")
def test_cameras_that_do_not_fit_are_refused(lifter: ZedoLifter) -> None:
    xy = CAMERA.project(bodies(3))
    with pytest.raises(InputError, match=r"one per frame \(3\), got 2") as caught:
        lift(xy, [CAMERA, CAMERA], lifter=lifter)
    assert_one_line(caught.value)
    for K in (np.eye(2), np.zeros((3, 3)), np.full((3, 3), np.nan)):
        with pytest.raises(CameraError) as refused:
            lift(xy, K, lifter=lifter)
        assert_one_line(refused.value)


@pytest.mark.parametrize("hypotheses", [0, 201])
def test_a_number_of_hypotheses_out_of_range_is_refused(lifter: ZedoLifter, hypotheses: int) -> None:
    with pytest.raises(InputError, match="1 to 200"):
        lift(CAMERA.project(bodies(1)), CAMERA, hypotheses=hypotheses, lifter=lifter)


@pytest.mark.parametrize(
    "name", ["nonsense", "", "cuda:x", "cuda:99", *([] if torch.cuda.is_available() else ["cuda"])]
)
def test_unavailable_devices_are_refused(name: str) -> None:
    with pytest.raises(DeviceError, match=f"'{name}' is not available") as caught:
        find_device(name)
    assert_one_line(caught.value)


def test_available_devices() -> None:
    assert find_device("cpu") == CPU
    assert find_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


# Weights


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    save_prior(tmp_path, tiny_net(), SubVP(), H36M17, "tiny")
    save_initial_poses(tmp_path, {12: standard_poses()})
    return tmp_path


def test_weights_from_a_folder(weights: Path) -> None:
    lifter = load_zedo(weights, options=OPTIONS, device="cpu")
    assert lifter.prior.name == "tiny" and list(lifter.initial_poses) == [12] and lifter.options == OPTIONS
    np.testing.assert_allclose(lifter.initial_poses[12].numpy(), standard_poses(), atol=1e-6)
    by_file = load_zedo(weights / "prior.safetensors", device="cpu")
    assert by_file.prior.sha256 == lifter.prior.sha256 and list(by_file.initial_poses) == [12]


def test_packaged_clusters_are_used_for_weights_without_any(weights: Path) -> None:
    (weights / "clusters.npz").unlink()
    packaged = load_zedo(device="cpu").initial_poses
    assert load_zedo(weights, device="cpu").initial_poses.keys() == packaged.keys() != {10}


def test_clusters_from_another_file(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("clusters") / "official.npy"
    np.save(file, standard_poses()[:4] + 1.0)
    clusters = load_zedo(weights, clusters=file, device="cpu").initial_poses
    assert list(clusters) == [4]
    np.testing.assert_allclose(clusters[4].numpy(), standard_poses()[:4], atol=1e-6)


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def with_config(**changed: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        config = json.loads((folder / "prior.json").read_text())
        (folder / "prior.json").write_text(json.dumps({**config, **changed}))

    return change


def with_sizes(**changed: int) -> Callable[[Path], None]:
    return with_config(network={**ScoreMLPConfig(width=64, time_width=8, blocks=1).as_dict(), **changed})


def with_clusters(**arrays: ndarray) -> Callable[[Path], None]:
    return lambda folder: np.savez(folder / "clusters.npz", **arrays)  # type: ignore[arg-type]


DAMAGES: dict[str, Callable[[Path], Any]] = {
    "no weights": lambda folder: (folder / "prior.safetensors").unlink(),
    "no config": lambda folder: (folder / "prior.json").unlink(),
    "half the weights": lambda folder: truncate(folder / "prior.safetensors"),
    "empty weights": lambda folder: (folder / "prior.safetensors").write_bytes(b""),
    "half the config": lambda folder: truncate(folder / "prior.json"),
    "a config that is a list": lambda folder: (folder / "prior.json").write_text("[]"),
    "another format": with_config(format="zedo-prior-2"),
    "wider": with_sizes(width=128),
    "one more block": with_sizes(blocks=2),
    "fewer joints": with_sizes(joints=16),
    "an unknown size": with_sizes(depth=3),
    "half the clusters": lambda folder: truncate(folder / "clusters.npz"),
    "16 joints in the clusters": with_clusters(a=np.zeros((2, 16, 3))),
    "clusters not by their number": with_clusters(walking=standard_poses()),
    "clusters in mm": with_clusters(**{"10": standard_poses() * 1000}),
    "clusters not finite": with_clusters(**{"10": standard_poses() * np.nan}),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_damaged_weights_are_refused_in_one_line(weights: Path, kind: str) -> None:
    DAMAGES[kind](weights)
    with pytest.raises(WeightsError) as caught:
        load_lifter(weights, device="cpu")
    assert_one_line(caught.value)


def test_missing_weights_are_refused(tmp_path: Path) -> None:
    for wrong in ("no-such-name", tmp_path / "missing", tmp_path):
        with pytest.raises(WeightsError) as caught:
            load_lifter(wrong, device="cpu")
        assert_one_line(caught.value)
    with pytest.raises(WeightsError, match="no such file"):
        load_initial_poses(tmp_path / "missing.npz")
    with pytest.raises(WeightsError, match="no such file"):
        load_lifter(clusters=tmp_path / "missing.npz", device="cpu")


# Selection


def some_poses(lifter: ZedoLifter) -> Poses:
    confidence = np.full((2, 2, J), 0.9)
    confidence[1, 0] = 0.0
    people = keypoints(CAMERA.project(bodies(2, 2)), confidence=confidence)
    return lift(people, CAMERA, hypotheses=4, lifter=lifter)


def test_select_takes_the_best_score(lifter: ZedoLifter) -> None:
    poses = some_poses(lifter)  # of person 0 in frame 0, person 1 in frames 0 and 1
    score = np.array([[1.0, 3.0, 2.0, 0.0], [np.nan, -5.0, -4.0, -6.0], [2.0, 2.0, 9.0, 1.0]])
    unsorted = replace(poses, score=score)
    chosen = select(unsorted, "best")
    assert chosen.chosen.tolist() == [1, 2, 2]
    np.testing.assert_array_equal(chosen.best[0], poses.joints[0, 1])
    assert unsorted.chosen.tolist() == [0, 0, 0]  # the argument is not changed


def test_a_method_without_scores_keeps_its_poses(lifter: ZedoLifter) -> None:
    poses = some_poses(lifter)
    unscored = replace(poses, score=np.full_like(poses.score, np.nan), spread=np.full_like(poses.spread, np.nan))
    for choice in ("best", "track", "mean"):
        chosen = select(unscored, choice)
        assert len(chosen) == 3 and np.isfinite(chosen.best).all() and not chosen.doubtful.any()


def test_select_agrees_with_the_order_of_the_lifter(lifter: ZedoLifter) -> None:
    poses = some_poses(lifter)
    np.testing.assert_array_equal(select(poses, "best").chosen, poses.chosen)


def test_a_person_with_three_joints_is_dropped(lifter: ZedoLifter) -> None:
    """Two frames of one person; in the second only three joints are seen, so that the depth is undetermined."""
    xy = CAMERA.project(bodies(2, 1))
    confidence = np.full(xy.shape[:3], 0.9)
    confidence[1, :, 3:] = 0.0
    poses = lift(keypoints(xy, confidence=confidence), CAMERA, hypotheses=2, lifter=lifter)
    assert poses.frame.tolist() == [0]
    with pytest.raises(InputError, match="4 usable joints"):
        lift(keypoints(xy[1:], confidence=confidence[1:]), CAMERA, hypotheses=2, lifter=lifter)


@pytest.mark.parametrize(
    ("seen", "measured"),
    [
        (True, {2.5: 30.1, 6.2: 41.8, 10.5: 53.4, 16: 62, 22.5: 70.1, 30: 76.7, 49: 91.3, 80: 110.8, 110: 128.8}),
        (
            False,
            {6.8: 27.2, 19.7: 51.2, 47.8: 90.2, 88.5: 154, 131: 205, 173: 241, 214: 266, 261: 286, 321: 323, 558: 512},
        ),
    ],
    ids=["seen", "unseen"],
)
def test_the_spread_is_the_expected_error_of_a_joint(seen: bool, measured: dict[float, float]) -> None:
    """Measured root mean square errors of joints by the spread of their hypotheses, on held-out motions (mm)."""
    found = PRIOR_ALONE.joint_error(np.array([list(measured)]) / 1000, np.full((1, len(measured)), seen))
    np.testing.assert_allclose(found[0], np.array(list(measured.values())) / 1000, rtol=0.12)
    assert PRIOR_ALONE.joint_error(np.zeros((1, 2)), np.full((1, 2), seen)).tolist() == [[0, 0]]


@pytest.mark.parametrize(
    ("unseen", "measured"),
    [
        (0, {4.2: 42.5, 9.2: 50.4, 13.8: 52.6, 18.2: 53.2, 23: 58.6, 28.4: 61.9, 34.5: 67.2, 42.4: 72.9, 55: 81}),
        (4, {20.9: 65.5, 31.8: 75.5, 42.1: 82.1, 53.9: 83.8, 70.3: 94.5, 100.6: 119.3}),
        (7, {29.4: 78.6, 43.4: 89.4, 55.3: 99.1, 69.3: 106.2, 88.9: 116.8, 129.6: 142.2}),
    ],
    ids=["whole", "no legs", "no hips"],
)
def test_the_score_is_the_expected_error_of_a_pose(unseen: int, measured: dict[float, float]) -> None:
    """Measured mean joint errors of chosen poses by quantiles of their residuals, on held-out motions (mm)."""
    seen = np.arange(17)[None] >= unseen
    found = PRIOR_ALONE.pose_error(np.array([list(measured)]) / 1000, seen)
    np.testing.assert_allclose(found[0], np.array(list(measured.values())) / 1000, rtol=0.1)
