"""Making initial poses: nearest to centres, centres, random, and generated ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from train_cases import CPU, TINY, lengths, own_file, own_motions, standing, synthetic_mixture, synthetic_motions

from zedo_core.data.mixture import Mixture
from zedo_core.errors import InputError, WeightsError
from zedo_core.methods.zedo.clustering import (
    centres,
    choose_initial_poses,
    facing_camera,
    generate_initial_poses,
    nearest,
)
from zedo_core.methods.zedo.initial_poses import load_initial_poses
from zedo_core.methods.zedo.prior import load_prior, skeleton_of_folder
from zedo_core.methods.zedo.training import train_prior
from zedo_core.skeleton import H36M17, LSP14, Skeleton
from zedo_core.skeleton.files import load_skeleton
from zedo_core.weights import find_weights

RIG = lengths(standing()[None])


def test_nearest_ones_are_real_poses_that_face_the_camera(tmp_path: Path) -> None:
    made = choose_initial_poses(synthetic_mixture(), tmp_path, (1, 4), seed=0)
    read = load_initial_poses(tmp_path)
    for count, poses in made.items():
        assert poses.shape == (count, 17, 3)
        np.testing.assert_allclose(read[count], poses, atol=1e-6)  # float32
        np.testing.assert_allclose(lengths(torch.from_numpy(poses)), RIG.expand(count, -1), atol=1e-5)
        assert (poses[:, H36M17.index("left_hip"), 0] > 0.1).all()
        assert (poses[:, H36M17.index("head_top"), 1] < 0).all()


def test_centres_have_shorter_bones(tmp_path: Path) -> None:
    made = choose_initial_poses(synthetic_mixture(), tmp_path, (1, 4), kind="centres")
    for poses in made.values():
        total = lengths(torch.from_numpy(poses)).sum(-1)
        assert (total < RIG.sum() - 0.01).all() and (total > 0.5 * RIG.sum()).all()


def test_a_centre_is_the_mean_of_its_cluster() -> None:
    """Two distant clusters, of which the one with twice the weight comes first."""
    rng = np.random.default_rng(0)
    poses = np.concatenate([rng.normal(centre, 0.01, (30, 17, 3)) for centre in (-1, 1)])
    weights = np.repeat([1.0, 2.0], 30)
    np.testing.assert_allclose(centres(poses, weights, 2, 0), [poses[30:].mean(0), poses[:30].mean(0)], atol=1e-6)
    first, second = nearest(poses, weights, 2, 0)
    assert (first > 0.5).all() and (second < -0.5).all()


def test_random_ones_are_distinct_poses(tmp_path: Path) -> None:
    (poses,) = choose_initial_poses(synthetic_mixture(), tmp_path, (50,), kind="random").values()
    assert len({pose.tobytes() for pose in poses}) == 50
    np.testing.assert_allclose(lengths(torch.from_numpy(poses)), RIG.expand(50, -1), atol=1e-5)


def test_generated_ones_come_from_the_prior_and_face_the_camera(tmp_path: Path) -> None:
    prior = load_prior(find_weights("prior", "prior"))
    made, again = (generate_initial_poses(prior, tmp_path, (3, 5), seed=1) for _ in range(2))
    assert load_initial_poses(tmp_path).keys() == {3, 5}
    np.testing.assert_array_equal(made[5], again[5])
    across = made[5][:, H36M17.index("left_hip")] - made[5][:, H36M17.index("right_hip")]
    assert (across[:, 0] > 0).all() and np.abs(across[:, 2]).max() < 1e-5


def test_the_front_faces_the_camera() -> None:
    pose = facing_camera(standing()[None], H36M17)[0]
    assert pose[H36M17.index("neck_nose"), 2] == pytest.approx(-0.08, abs=1e-6)
    assert pose[H36M17.index("left_wrist"), 0] > 0


@pytest.mark.parametrize("kind", ["nearest", "centres", "random"])
def test_same_seed_same_poses(tmp_path: Path, kind: str) -> None:
    first, second = (choose_initial_poses(synthetic_mixture(), tmp_path, (5,), seed=3, kind=kind)[5] for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_other_joint_sets_are_read_in_that_of_the_prior(tmp_path: Path) -> None:
    own = load_skeleton(own_file(tmp_path))
    for skeleton, motions in ((LSP14, synthetic_motions().to_skeleton(LSP14)), (own, own_motions(own))):
        folder = tmp_path / skeleton.name
        mixture = Mixture.from_parts([motions])
        train_prior(mixture, folder, TINY, device=CPU)
        assert skeleton_of_folder(folder) == load_prior(folder).skeleton
        made = choose_initial_poses(mixture, folder, (4,))
        np.testing.assert_allclose(load_initial_poses(folder)[4], made[4], atol=1e-6)
        assert np.abs(made[4][:, skeleton.root]).max() == 0


def test_initial_poses_of_another_joint_set_are_refused(tmp_path: Path) -> None:
    train_prior(Mixture.from_parts([synthetic_motions().to_skeleton(LSP14)]), tmp_path, TINY, device=CPU)
    choose_initial_poses(synthetic_mixture(), tmp_path, (4,))
    with pytest.raises(WeightsError, match=r"\(S, 14, 3\) in metres in the joints of lsp-14, got .*17, 3"):
        load_initial_poses(tmp_path)


@pytest.mark.parametrize("counts", [(), (0,), (121,)], ids=str)
def test_impossible_numbers_are_refused(counts: tuple[int, ...], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="numbers of initial poses"):
        choose_initial_poses(synthetic_mixture(), tmp_path, counts)


@pytest.mark.parametrize("kind", ["generated", "best"])
def test_kinds_that_need_no_data_are_refused(kind: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"nearest, centres, random.*'{kind}'"):
        choose_initial_poses(synthetic_mixture(), tmp_path, (1,), kind=kind)


def test_a_joint_set_without_sides_is_not_mirrored(tmp_path: Path) -> None:
    own = load_skeleton(own_file(tmp_path))
    chain = Skeleton("chain", own.joints, own.bones, ())
    with pytest.raises(InputError, match="from 1 to 60"):
        choose_initial_poses(Mixture.from_parts([own_motions(chain)]), tmp_path, (61,))
