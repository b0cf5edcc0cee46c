"""Training: augmentation keeps what it must, a resumed run equals an unbroken one, clusters are real poses."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from typer.testing import CliRunner

from zedo_core.checkpoint import load_clusters, load_prior
from zedo_core.data.mocap import Motions, load
from zedo_core.errors import InputError, WeightsError
from zedo_core.skeleton import H36M17
from zedo_core.train import prior
from zedo_core.train.augment import AugmentOptions, PoseSource, exchange_limbs, flip, frame_weights, random_rotations
from zedo_core.train.bodies import put_together, take_apart
from zedo_core.train.clusters import facing_camera, train_clusters
from zedo_core.train.prior import TrainOptions, TrainProgress, hold_out, score_matching_loss, train_prior

CPU = torch.device("cpu")
TINY = TrainOptions(width=64, time_width=8, blocks=1, batch=16, steps=20, warmup=5, dropout=0.1)
# A standing person: y up, facing positive z, so that the left is at positive x.
STANDING = {
    "pelvis": (0, 1, 0),
    "hip": (0.13, 1, 0),
    "knee": (0.14, 0.55, 0.02),
    "ankle": (0.15, 0.1, 0),
    "spine": (0, 1.25, 0),
    "thorax": (0, 1.5, 0),
    "neck_nose": (0, 1.6, 0.08),
    "head_top": (0, 1.75, 0.02),
    "shoulder": (0.16, 1.46, 0),
    "elbow": (0.2, 1.2, 0.01),
    "wrist": (0.22, 0.95, 0.05),
}


def standing() -> Tensor:
    rows = []
    for joint in H36M17.joints:
        x, y, z = STANDING[joint.removeprefix("left_").removeprefix("right_")]
        rows.append((-x if joint.startswith("right_") else x, y, z))
    return torch.tensor(rows, dtype=torch.float32)


def made_up_poses(count: int, seed: int = 0) -> Tensor:
    """One rig, its bones turned a little at random, then all turned about the vertical axis and put somewhere."""
    generator = torch.Generator().manual_seed(seed)
    bones = standing() - standing()[[max(parent, 0) for parent in H36M17.parents]]
    bend = torch.linalg.matrix_exp(_skew(0.25 * torch.randn(count, 17, 3, generator=generator)))
    bend[:, H36M17.indices(("left_hip", "right_hip", "spine"))] = torch.eye(3)
    heading = torch.linalg.matrix_exp(_skew(torch.tensor([0, 3.0, 0]) * torch.randn(count, 1, 3, generator=generator)))
    bones = (heading @ bend @ bones[..., None])[..., 0]
    positions = torch.zeros(count, 17, 3)
    for joint, parent in sorted(enumerate(H36M17.parents), key=lambda pair: _depth(pair[0])):
        positions[:, joint] = bones[:, joint] + (positions[:, parent] if parent >= 0 else 0)
    return positions + torch.randn(count, 1, 3, generator=generator)


def _depth(joint: int) -> int:
    parent = H36M17.parents[joint]
    return 0 if parent < 0 else 1 + _depth(parent)


def _skew(v: Tensor) -> Tensor:
    x, y, z = v.unbind(-1)
    o = torch.zeros_like(x)
    return torch.stack([o, -z, y, z, o, -x, -y, x, o], dim=-1).unflatten(-1, (3, 3))


def made_up_motions(count: int = 60) -> Motions:
    return Motions(
        positions=made_up_poses(count).numpy(),
        sequence=np.arange(count) // 20,
        names=("a", "b", "c"),
        sources=("own",) * 3,
        fps=(30.0,) * 3,
    )


def lengths(poses: Tensor) -> Tensor:
    """Bone lengths (b, bones) in metres."""
    child, parent = zip(*H36M17.edges, strict=True)
    return (poses[:, list(child)] - poses[:, list(parent)]).norm(dim=-1)


def unvaried(**shares: float) -> AugmentOptions:
    nothing = {field.name: 0.0 for field in dataclasses.fields(AugmentOptions)}
    return AugmentOptions(**(nothing | shares))


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(1)


class TestBodies:
    def test_taken_apart_and_put_together_is_the_same(self) -> None:
        poses = made_up_poses(50)
        again = put_together(take_apart(poses))
        torch.testing.assert_close(again, poses - poses[:, :1], atol=1e-6, rtol=0)  # float32 of 1 m

    def test_a_turned_pose_has_the_same_bones(self, generator: torch.Generator) -> None:
        poses = made_up_poses(50)
        turned = poses @ random_rotations(50, generator, CPU).mT
        torch.testing.assert_close(take_apart(turned).bones, take_apart(poses).bones, atol=1e-5, rtol=0)


class TestAugmentation:
    def test_twice_mirrored_is_the_same(self) -> None:
        poses, all_of_them = made_up_poses(9), torch.ones(9)
        torch.testing.assert_close(flip(flip(poses, all_of_them), all_of_them), poses, atol=0, rtol=0)

    def test_mirroring_takes_left_to_right(self) -> None:
        pose = standing()[None]
        torch.testing.assert_close(flip(pose, torch.ones(1)), pose)  # it is symmetric
        pose[0, H36M17.index("left_wrist"), 1] += 0.5
        assert flip(pose, torch.ones(1))[0, H36M17.index("right_wrist"), 1] == pose[0, H36M17.index("left_wrist"), 1]

    def test_exchanged_limbs_keep_the_lengths_of_one_rig(self, generator: torch.Generator) -> None:
        bodies, donors = take_apart(made_up_poses(64)), take_apart(made_up_poses(64, seed=5))
        mixed = put_together(exchange_limbs(bodies, donors, 0.5, generator))
        assert (mixed - put_together(bodies)).abs().max() > 0.1
        torch.testing.assert_close(lengths(mixed), lengths(standing()[None]).expand(64, -1), atol=1e-5, rtol=0)

    def test_all_exchanged_is_the_donor_in_the_place_of_the_body(self, generator: torch.Generator) -> None:
        bodies, donors = take_apart(made_up_poses(8)), take_apart(made_up_poses(8, seed=5))
        mixed = exchange_limbs(bodies, donors, 1.0, generator)
        limbs = [j for j, name in enumerate(H36M17.joints) if name.startswith(("left_", "right_"))]
        torch.testing.assert_close(mixed.bones[:, limbs], donors.bones[:, limbs])
        torch.testing.assert_close(mixed.pelvis, bodies.pelvis)

    @pytest.mark.parametrize("options", [AugmentOptions(), unvaried(), unvaried(rotation=1.0)], ids=["all", "no", "ra"])
    def test_drawn_poses_are_centred_and_finite(self, options: AugmentOptions, generator: torch.Generator) -> None:
        poses = PoseSource.from_motions(made_up_motions(), options, CPU).draw(500, generator)
        assert poses.isfinite().all()
        assert poses[:, H36M17.index("pelvis")].abs().max() == 0

    def test_standing_people_have_their_heads_up_in_camera_axes(self, generator: torch.Generator) -> None:
        """y points down; feet are below, whatever the heading."""
        poses = PoseSource.from_motions(made_up_motions(), unvaried(flip=0.5), CPU).draw(200, generator)
        assert (poses[:, H36M17.index("head_top"), 1] < -0.4).all()
        assert (poses[:, H36M17.index("left_ankle"), 1] > 0.4).all()

    def test_camera_axes_are_no_mirror_image(self, generator: torch.Generator) -> None:
        """Whatever way they are turned, left x up points to where the nose is."""
        motions = dataclasses.replace(made_up_motions(), positions=standing().expand(60, 17, 3).numpy())
        poses = PoseSource.from_motions(motions, unvaried(rotation=0.5), CPU).draw(200, generator)
        left, up, nose = (poses[:, H36M17.index(name)] for name in ("left_hip", "thorax", "neck_nose"))
        assert (torch.linalg.cross(left, up) * nose).sum(-1).min() > 0

    def test_weights_even_out_what_is_frequent(self) -> None:
        often = torch.cat([standing().expand(40, 17, 3), made_up_poses(20)])
        motions = dataclasses.replace(made_up_motions(), positions=often.numpy())
        weights = frame_weights(motions, rarity=1.0, seed=0)
        assert weights.sum() == pytest.approx(1.0, abs=1e-5)
        assert weights[:40].max() < weights[40:].min()


class TestPrior:
    def test_everything_is_written(self, tmp_path: Path) -> None:
        steps: list[TrainProgress] = []
        record = train_prior(made_up_motions(), tmp_path, TINY, device=CPU, data_hash="abc", on_step=steps.append)
        names = {path.name for path in tmp_path.iterdir()}
        assert names == {"prior.safetensors", "prior.json", "training.json", "training.csv", "training.pt"}
        assert steps[-1].step == TINY.steps and record["data"]["sha256"] == "abc"
        assert json.loads((tmp_path / "training.json").read_text())["options"]["width"] == 64
        net = load_prior(tmp_path).net
        with torch.no_grad():
            noise = net(torch.zeros(2, 17, 3), net.time_rows(torch.tensor([0.1])))
        assert noise.shape == (2, 17, 3) and noise.isfinite().all()

    def test_it_learns_what_is_noise(self, tmp_path: Path) -> None:
        """At t = 0.5 nearly all of a sample is noise; a network that says 0 has a loss of 1."""
        options = dataclasses.replace(TINY, width=256, steps=200, learning_rate=1e-2, dropout=0.0, ema=0.9)
        train_prior(made_up_motions(), tmp_path, options, device=CPU)
        trained, generator = load_prior(tmp_path), torch.Generator().manual_seed(0)
        noise = torch.randn(200, 17, 3, generator=generator)
        with torch.no_grad():
            loss = score_matching_loss(
                trained.net, trained.sde, torch.zeros(200, 17, 3), torch.full((200,), 0.5), noise
            )
        assert loss < 0.5

    def test_killed_and_resumed_equals_unbroken(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Bit for bit on the CPU, random numbers of the dropout included."""
        whole, broken = tmp_path / "whole", tmp_path / "broken"
        train_prior(made_up_motions(), whole, TINY, device=CPU)
        step = prior._Run.advance
        with monkeypatch.context() as patch, pytest.raises(_KilledError):
            patch.setattr(prior._Run, "advance", lambda run: step(run) if run.step < 11 else _kill())
            train_prior(made_up_motions(), broken, TINY, device=CPU, save_every_s=0.0)
        assert not (broken / "prior.safetensors").exists()
        train_prior(made_up_motions(), broken, TINY, device=CPU, resume=True)
        for name in ("prior.safetensors", "training.csv"):
            assert (whole / name).read_bytes() == (broken / name).read_bytes(), name

    def test_resuming_with_other_options_is_refused(self, tmp_path: Path) -> None:
        train_prior(made_up_motions(), tmp_path, TINY, device=CPU)
        with pytest.raises(WeightsError, match="other options"):
            train_prior(
                made_up_motions(), tmp_path, dataclasses.replace(TINY, learning_rate=1e-4), device=CPU, resume=True
            )

    def test_resuming_nothing_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(WeightsError, match="nothing to resume"):
            train_prior(made_up_motions(), tmp_path, TINY, device=CPU, resume=True)

    def test_held_out_sequences_are_not_trained_on(self) -> None:
        kept, held = hold_out(made_up_motions(), 0.3, seed=0)
        assert len(kept) + len(held) == 60
        assert not set(kept.sequence) & set(held.sequence)

    @pytest.mark.parametrize("wrong", [{"width": 33}, {"steps": 0}, {"time_width": 7}], ids=str)
    def test_sizes_that_cannot_be_are_refused(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(InputError):
            TrainOptions(**wrong)


class _KilledError(Exception):
    pass


def _kill() -> Tensor:
    raise _KilledError


class TestClusters:
    def test_they_are_real_poses_that_face_the_camera(self, tmp_path: Path) -> None:
        made = train_clusters(made_up_motions(), tmp_path, (1, 4), seed=0)
        read = load_clusters(tmp_path)
        for count, poses in made.items():
            assert poses.shape == (count, 17, 3)
            np.testing.assert_allclose(read[count], poses, atol=1e-6)  # float32
            rig = lengths(standing()[None]).numpy()
            np.testing.assert_allclose(lengths(torch.from_numpy(poses)).numpy(), rig.repeat(count, 0), atol=1e-5)
            assert (poses[:, H36M17.index("left_hip"), 0] > 0.1).all()
            assert (poses[:, H36M17.index("head_top"), 1] < 0).all()

    def test_front_looks_at_the_camera(self) -> None:
        pose = facing_camera(standing()[None])[0]
        assert pose[H36M17.index("neck_nose"), 2] == pytest.approx(-0.08, abs=1e-6)
        assert pose[H36M17.index("left_wrist"), 0] > 0

    def test_same_seed_same_poses(self, tmp_path: Path) -> None:
        first, second = (train_clusters(made_up_motions(), tmp_path, (5,), seed=3)[5] for _ in range(2))
        np.testing.assert_array_equal(first, second)

    @pytest.mark.parametrize("counts", [(), (0,), (121,)], ids=str)
    def test_impossible_numbers_are_refused(self, counts: tuple[int, ...], tmp_path: Path) -> None:
        with pytest.raises(InputError, match="numbers of initial poses"):
            train_clusters(made_up_motions(), tmp_path, counts)


class TestCommands:
    @pytest.fixture
    def data(self, tmp_path: Path) -> Path:
        path = tmp_path / "motions.npz"
        np.savez(path, positions=made_up_motions().positions, offsets=[0, 20, 40, 60], split=["train", "train", "test"])
        return path

    @pytest.fixture
    def zedo(self) -> Callable[..., tuple[int, str, str]]:
        from zedo_cli.app import app

        def call(*words: object) -> tuple[int, str, str]:
            result = CliRunner().invoke(app, [str(word) for word in words])
            return result.exit_code, result.stdout, result.stderr

        return call

    def test_prior(self, zedo: Callable[..., tuple[int, str, str]], data: Path, tmp_path: Path) -> None:
        out = tmp_path / "prior"
        small = ("--width", 64, "--blocks", 1, "--batch", 8, "--steps", 3, "--device", "cpu")
        code, stdout, stderr = zedo(
            "train", "prior", "--data", data, "--out", out, "--split", "train", *small, "--json"
        )
        assert code == 0, stderr
        report = json.loads(stdout)
        assert report["options"]["steps"] == 3 and report["options"]["ema"] == TrainOptions().ema
        assert report["data"]["sequences"] == 2
        assert load_prior(out).net.config.width == 64

    def test_clusters(self, zedo: Callable[..., tuple[int, str, str]], data: Path, tmp_path: Path) -> None:
        code, stdout, stderr = zedo("train", "clusters", "--data", data, "--out", tmp_path, "--hypo", "1,3", "--json")
        assert code == 0, stderr
        assert json.loads(stdout)["counts"] == [1, 3]
        assert load_clusters(tmp_path).keys() == {1, 3}

    def test_what_cannot_be_used_is_one_line_and_exit_code_2(
        self, zedo: Callable[..., tuple[int, str, str]], data: Path, tmp_path: Path
    ) -> None:
        for words in (("--hypo", "many"), ("--hypo", "1000"), ("--split", "nothing")):
            code, stdout, stderr = zedo("train", "clusters", "--data", data, "--out", tmp_path, *words)
            assert (code, stdout) == (2, "")
            assert stderr.startswith("error: ") and stderr.count("\n") == 1

    def test_a_damaged_file_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "damaged.npz"
        path.write_bytes(b"PK\x03\x04 no zip")
        with pytest.raises(InputError, match="not a readable npz"):
            load(path)
