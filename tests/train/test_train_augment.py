"""Invariants of augmentation, for every joint set that is a tree."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from train_cases import (
    CPU,
    lengths,
    own_file,
    own_motions,
    standing,
    synthetic_mixture,
    synthetic_motions,
    synthetic_poses,
    unvaried,
)

from zedo_core.data.mixture import Mixture, hold_out
from zedo_core.errors import InputError
from zedo_core.skeleton import BODY25, COCO17, COCO18, H36M17, LSP14, Skeleton
from zedo_core.skeleton.files import load_skeleton
from zedo_core.train.augment import (
    AugmentOptions,
    PoseSource,
    exchange_limbs,
    flip,
    frame_weights,
    random_rotations,
    vary_lengths,
)
from zedo_core.train.bodies import plan_of, put_together, take_apart


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(1)


def mixture_of(skeleton: Skeleton, count: int = 60) -> Mixture:
    return Mixture.from_parts([synthetic_motions(count).to_skeleton(skeleton)])


class TestBodies:
    @pytest.mark.parametrize("skeleton", [H36M17, LSP14], ids=lambda s: s.name)
    def test_take_apart_and_put_together_are_inverse(self, skeleton: Skeleton) -> None:
        poses = torch.from_numpy(mixture_of(skeleton).positions)
        again = put_together(take_apart(poses, skeleton))
        torch.testing.assert_close(again, poses - poses[:, [skeleton.root]], atol=1e-6, rtol=0)  # float32 of 1 m

    @pytest.mark.parametrize("skeleton", [H36M17, LSP14], ids=lambda s: s.name)
    def test_a_rotated_pose_has_the_same_bones(self, skeleton: Skeleton, generator: torch.Generator) -> None:
        poses = torch.from_numpy(mixture_of(skeleton, 50).positions)
        turned = poses @ random_rotations(50, generator, CPU).mT
        first, second = take_apart(turned, skeleton), take_apart(poses, skeleton)
        torch.testing.assert_close(first.bones, second.bones, atol=1e-5, rtol=0)

    def test_collinear_joints(self) -> None:
        """They define no frame, but the pose must be recovered."""
        poses = synthetic_poses(3)
        poses[:, H36M17.index("left_hip")] = poses[:, H36M17.index("right_hip")]
        poses[:, H36M17.index("spine")] = poses[:, H36M17.index("pelvis")]
        again = put_together(take_apart(poses, H36M17))
        torch.testing.assert_close(again, poses - poses[:, :1], atol=1e-6, rtol=0)

    def test_limbs_follow_from_the_joint_set(self, tmp_path: Path) -> None:
        def limbs(skeleton: Skeleton) -> set[frozenset[str]]:
            return {frozenset(skeleton.joints[j] for j in limb) for limb in plan_of(skeleton).limbs}

        sides = ("left", "right")
        arms = {frozenset(f"{side}_{part}" for part in ("shoulder", "elbow", "wrist")) for side in sides}
        legs = {frozenset(f"{side}_{part}" for part in ("hip", "knee", "ankle")) for side in sides}
        assert limbs(H36M17) == limbs(LSP14) == limbs(COCO18) == arms | legs
        feet = {limb | {f"{s}_{toe}" for toe in ("big_toe", "small_toe", "heel")} for s in sides for limb in legs
                if f"{s}_hip" in limb}  # fmt: skip
        assert limbs(BODY25) == arms | feet
        own = load_skeleton(own_file(tmp_path))
        assert limbs(own) == set()  # its arms start at the root, without a trunk

    def test_a_joint_set_that_is_not_a_tree_is_refused(self) -> None:
        with pytest.raises(InputError, match=r"coco-17.*single tree.*2 roots \(nose, left_shoulder\)"):
            plan_of(COCO17)


class TestAugmentation:
    def test_mirroring_twice_is_the_identity(self) -> None:
        poses, every = synthetic_poses(9), torch.ones(9)
        torch.testing.assert_close(flip(flip(poses, every, H36M17), every, H36M17), poses, atol=0, rtol=0)

    def test_mirroring_exchanges_left_and_right(self) -> None:
        pose, one = standing()[None], torch.ones(1)
        torch.testing.assert_close(flip(pose, one, H36M17), pose)  # it is symmetric
        pose[0, H36M17.index("left_wrist"), 1] += 0.5
        mirrored = flip(pose, one, H36M17)
        assert mirrored[0, H36M17.index("right_wrist"), 1] == pose[0, H36M17.index("left_wrist"), 1]

    def test_exchanging_limbs_preserves_bone_lengths_of_one_rig(self, generator: torch.Generator) -> None:
        bodies, donors = (take_apart(synthetic_poses(64, seed=seed), H36M17) for seed in (0, 5))
        mixed = put_together(exchange_limbs(bodies, donors, 0.5, generator))
        assert (mixed - put_together(bodies)).abs().max() > 0.1
        torch.testing.assert_close(lengths(mixed), lengths(standing()[None]).expand(64, -1), atol=1e-5, rtol=0)

    def test_exchanging_limbs_of_another_joint_set_preserves_bone_lengths(self, generator: torch.Generator) -> None:
        """For the bones below hip and shoulder, which have the same length in all poses of the rig."""
        poses = [torch.from_numpy(mixture_of(LSP14).positions), None]
        poses[1] = poses[0].flip(0)
        bodies, donors = (take_apart(one, LSP14) for one in poses)
        mixed = put_together(exchange_limbs(bodies, donors, 0.5, generator))
        assert (mixed - put_together(bodies)).abs().max() > 0.1
        for side in ("left", "right"):
            for child, parent in (("elbow", "shoulder"), ("wrist", "elbow"), ("knee", "hip"), ("ankle", "knee")):
                a, b = LSP14.index(f"{side}_{child}"), LSP14.index(f"{side}_{parent}")
                x, y = H36M17.index(f"{side}_{child}"), H36M17.index(f"{side}_{parent}")
                expected = (standing()[x] - standing()[y]).norm().expand(60)
                torch.testing.assert_close((mixed[:, a] - mixed[:, b]).norm(dim=-1), expected, atol=1e-5, rtol=0)

    def test_exchanging_all_limbs_gives_the_donors_limbs(self, generator: torch.Generator) -> None:
        bodies, donors = (take_apart(synthetic_poses(8, seed=seed), H36M17) for seed in (0, 5))
        mixed = exchange_limbs(bodies, donors, 1.0, generator)
        limbs = [j for j, name in enumerate(H36M17.joints) if name.startswith(("left_", "right_"))]
        torch.testing.assert_close(mixed.bones[:, limbs], donors.bones[:, limbs])
        torch.testing.assert_close(mixed.others, donors.others)
        torch.testing.assert_close(mixed.frame, bodies.frame)

    @pytest.mark.parametrize("skeleton", [H36M17, LSP14], ids=lambda s: s.name)
    def test_varied_lengths_are_equal_left_and_right(self, skeleton: Skeleton, generator: torch.Generator) -> None:
        rest = torch.from_numpy(Mixture.from_parts([synthetic_motions()]).motions.to_skeleton(skeleton).positions)
        bodies = take_apart(rest, skeleton)
        ratio = vary_lengths(bodies, 0.1, 0.1, generator).bones.norm(dim=-1) / bodies.bones.norm(dim=-1)
        ratio = ratio[:, [joint for joint in range(len(skeleton)) if joint != skeleton.root]]
        mirror = [skeleton.mirror[joint] for joint in range(len(skeleton)) if joint != skeleton.root]
        index = {joint: i for i, joint in enumerate(j for j in range(len(skeleton)) if j != skeleton.root)}
        torch.testing.assert_close(ratio, ratio[:, [index[joint] for joint in mirror]])
        assert 0.08 < ratio.std() < 0.2 and len(ratio[0].unique()) > 4

    @pytest.mark.parametrize("options", [AugmentOptions(), unvaried(), unvaried(rotation=1.0)], ids=["all", "no", "ra"])
    @pytest.mark.parametrize("skeleton", [H36M17, LSP14], ids=lambda s: s.name)
    def test_drawn_poses_are_relative_to_the_root_and_finite(
        self, skeleton: Skeleton, options: AugmentOptions, generator: torch.Generator
    ) -> None:
        poses = PoseSource.from_mixture(mixture_of(skeleton), options, CPU).draw(500, generator)
        assert poses.shape == (500, len(skeleton), 3) and poses.isfinite().all()
        assert poses[:, skeleton.root].abs().max() == 0

    def test_standing_people_are_upright_in_camera_axes(self, generator: torch.Generator) -> None:
        """y points down, in any heading."""
        poses = PoseSource.from_mixture(synthetic_mixture(), unvaried(flip=0.5), CPU).draw(200, generator)
        assert (poses[:, H36M17.index("head_top"), 1] < -0.4).all()
        assert (poses[:, H36M17.index("left_ankle"), 1] > 0.4).all()

    def test_poses_in_camera_axes_are_not_reflected(self, generator: torch.Generator) -> None:
        """In any orientation, left x up points forward to the nose."""
        motions = dataclasses.replace(synthetic_motions(), positions=standing().expand(60, 17, 3).numpy())
        poses = PoseSource.from_mixture(Mixture.from_parts([motions]), unvaried(rotation=0.5), CPU).draw(200, generator)
        left, up, nose = (poses[:, H36M17.index(name)] for name in ("left_hip", "thorax", "neck_nose"))
        assert (torch.linalg.cross(left, up) * nose).sum(-1).min() > 0

    def test_unsupported_augmentations_are_disabled_with_a_warning(
        self, tmp_path: Path, generator: torch.Generator, caplog: pytest.LogCaptureFixture
    ) -> None:
        own = load_skeleton(own_file(tmp_path))
        source = PoseSource.from_mixture(Mixture.from_parts([own_motions(own)]), AugmentOptions(), CPU)
        assert source.options.limb_exchange == 0 and source.options.flip == AugmentOptions().flip
        assert source.draw(9, generator).isfinite().all()
        chain = Skeleton("chain", own.joints, own.bones, ())
        with caplog.at_level(logging.WARNING):
            source = PoseSource.from_mixture(Mixture.from_parts([own_motions(chain)]), AugmentOptions(), CPU)
        assert source.options.flip == 0 and "chain has no left and right joints" in caplog.text


class TestMixture:
    def test_weights_balance_frequent_poses(self) -> None:
        often = torch.cat([standing().expand(40, 17, 3), synthetic_poses(20)])
        motions = dataclasses.replace(synthetic_motions(), positions=often.numpy())
        weights = frame_weights(Mixture.from_parts([motions]), rarity=1.0, seed=0)
        assert weights.sum() == pytest.approx(1.0)
        assert weights[:40].max() < weights[40:].min()

    @pytest.mark.parametrize("rarity", [0.0, 0.5])
    def test_data_sets_are_drawn_by_their_weights(self, rarity: float, generator: torch.Generator) -> None:
        """3 to 1 although the first has a sixth of the frames. 4 standard deviations of 2000 draws are 0.04."""
        small, large = synthetic_motions(20), synthetic_motions(100)
        small = dataclasses.replace(small, positions=small.positions * 2)  # twice as tall, to distinguish them
        source = PoseSource.from_mixture(Mixture.from_parts([small, large], [3, 1]), unvaried(rarity=rarity), CPU)
        tall = lengths(source.draw(2000, generator)).sum(-1) > 1.5 * lengths(standing()[None]).sum()
        assert float(tall.float().mean()) == pytest.approx(0.75, abs=0.04)

    def test_held_out_sequences_are_not_trained_on(self) -> None:
        training, held_out = hold_out(synthetic_mixture(), 0.3, seed=0)
        assert len(training) + len(held_out) == 60
        assert not set(training.motions.sequence) & set(held_out.motions.sequence)

    def test_part_of_every_data_set_is_held_out(self) -> None:
        one = dataclasses.replace(synthetic_motions(40), sequence=np.zeros(40, int), names=("x",))
        training, held_out = hold_out(Mixture.from_parts([synthetic_motions(), one, synthetic_motions(1)]), 0.1, seed=0)
        assert np.bincount(held_out.part, minlength=3).tolist() == [20, 4, 0]
        assert np.bincount(training.part, minlength=3).tolist() == [40, 36, 1]

    @pytest.mark.parametrize("weights", [[1.0], [1.0, 0.0], [1.0, np.inf], [1.0, -1.0]], ids=str)
    def test_invalid_weights_are_refused(self, weights: list[float]) -> None:
        with pytest.raises(InputError, match="weight above 0"):
            Mixture.from_parts([synthetic_motions(), synthetic_motions()], weights)

    def test_different_joint_sets_are_refused(self) -> None:
        with pytest.raises(InputError, match=r"one joint set.*h36m-17, lsp-14"):
            Mixture.from_parts([synthetic_motions(), synthetic_motions().to_skeleton(LSP14)])
