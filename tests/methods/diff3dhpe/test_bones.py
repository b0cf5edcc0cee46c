"""Lengths of bones as a condition of the denoiser: features, training with masks, weights, lifting, and `--body`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diff_cases import CAMERA, SIZES, TINY, tiny_lifter, walking
from infer_cases import demo_keypoints
from train_cases import CPU, synthetic_mixture
from typer.testing import CliRunner

import zedo_core as zedo
from zedo_cli.app import app
from zedo_core.errors import InputError
from zedo_core.methods import BonesLifter
from zedo_core.methods.calibration import Calibration
from zedo_core.methods.diff3dhpe.denoiser import Denoiser
from zedo_core.methods.diff3dhpe.features import UNIT_M, Window, bone_lengths
from zedo_core.methods.diff3dhpe.lifter import DiffLifter
from zedo_core.methods.diff3dhpe.options import DiffOptions
from zedo_core.methods.diff3dhpe.training import DenoiserTask
from zedo_core.methods.diff3dhpe.validation import SequenceCheck
from zedo_core.methods.diff3dhpe.weights import load_weights, save_weights
from zedo_core.motions.segments import Segments, bone_lengths_of
from zedo_core.nets.mixste import MixSTE
from zedo_core.pipeline.steps import steps_of
from zedo_core.skeleton import COCO17, H36M17
from zedo_core.train.noise import NoiseOptions
from zedo_core.train.sequences import SequenceOptions
from zedo_core.train.training import train

KNOWS = replace(TINY, bones=0.5)
KNEE = H36M17.index("left_knee")


def bones_weights(folder: Path) -> Path:
    """Random weights of a network that sees bones."""
    torch.manual_seed(0)
    net = MixSTE(replace(SIZES, features=11))
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    save_weights(folder, net, H36M17, "tiny", SequenceOptions(), Calibration(), bones=True, half=False)
    return folder


def bones_lifter(folder: Path, **options: object) -> DiffLifter:
    return DiffLifter(load_weights(bones_weights(folder)), None, DiffOptions(**options), CPU)  # type: ignore[arg-type]


class TestFeatures:
    def test_lengths_and_which_are_known(self) -> None:
        generator = torch.Generator().manual_seed(0)
        slopes, known = torch.randn(2, 3, 17, 2, generator=generator), torch.ones(2, 3, dtype=torch.bool)
        given = (slopes, torch.ones(2, 3, 17), known, torch.full((2,), 0.04))
        bones_m = torch.zeros(2, 17)
        bones_m[1, KNEE] = 0.42
        plain, window = Window.from_slopes(*given), Window.from_slopes(*given, None, bones_m)
        torch.testing.assert_close(window.features[..., :-2], plain.features)
        added = window.features[..., -2:]
        assert added[1, :, KNEE, 0].tolist() == pytest.approx([0.42 / UNIT_M] * 3)
        assert added[1, :, KNEE, 1].tolist() == [1.0] * 3
        assert added.count_nonzero() == 6

    def test_lengths_of_poses(self) -> None:
        poses = torch.randn(1, 4, 17, 3, generator=torch.Generator().manual_seed(0))
        found = bone_lengths(poses, H36M17)[0]
        hip = H36M17.index("left_hip")
        assert float(found[KNEE]) == pytest.approx(float((poses[0, :, KNEE] - poses[0, :, hip]).norm(dim=-1).mean()))
        assert float(found[H36M17.root]) == 0.0


class TestTraining:
    def test_given_in_half_of_the_samples(self) -> None:
        task = DenoiserTask.from_mixture(synthetic_mixture(), KNOWS, CPU)
        pairs = task.pairs.draw(400, torch.Generator().manual_seed(0))
        (bones_m,), true = pairs.bones_m, bone_lengths(pairs.poses, H36M17)
        given = bones_m > 0
        torch.testing.assert_close(bones_m[given], true[given])
        whole = given.sum(1) == 16
        assert 0.4 < float((given.sum(1) > 0).float().mean()) < 0.56 and 0.15 < float(whole.float().mean()) < 0.35
        assert not given[:, H36M17.root].any()

    def test_without_the_option_nothing_changes(self) -> None:
        one, other = (
            DenoiserTask.from_mixture(synthetic_mixture(), options, CPU).pairs.draw(4, torch.Generator().manual_seed(0))
            for options in (TINY, KNOWS)
        )
        assert one.bones_m == () and len(other.bones_m) == 1
        for a, b in zip(one[:5], other[:5], strict=True):
            torch.testing.assert_close(a, b)

    def test_known_bones_help(self, tmp_path: Path) -> None:
        """People of very different sizes, who look alike from afar: only their bones tell how large they are.

        Single frames without noise, so that a small network learns fast; with the bones 123 mm were left of 161.
        """
        augment = replace(KNOWS.augment, stature=0.5, lengths=0.0, limb_exchange=0.0, rotation=0.0, root_tilt=0.0,
                          flip=0.0)  # fmt: skip
        options = replace(
            KNOWS,
            net=replace(SIZES, frames=1, width=16),
            augment=augment,
            noise=NoiseOptions(strength=0.0),
            pure=1.0,
            steps=600,
            batch=32,
            learning_rate=1e-2,
            ema=0.9,
        )
        task = DenoiserTask.from_mixture(synthetic_mixture(), options, CPU)
        train(lambda _: task, tmp_path, options, device=CPU)
        pairs = task.pairs.draw(200, torch.Generator().manual_seed(5))
        true, errors = bone_lengths(pairs.poses, H36M17), []
        for bones_m in (true, torch.zeros_like(true)):
            check = SequenceCheck({}, torch.zeros(200, 1, 17, 3), H36M17.root)
            off, known, _ = check.off(Denoiser(task.net.eval()), pairs._replace(bones_m=(bones_m,)), 1)
            errors.append(float(off.norm(dim=-1).mean(-1)[known].mean()))
        assert errors[0] < 0.85 * errors[1]

    def test_files(self, tmp_path: Path) -> None:
        options = replace(KNOWS, check_every=3)
        record = train(
            lambda on: DenoiserTask.from_mixture(synthetic_mixture(), options, on), tmp_path, options, device=CPU
        )  # fmt: skip
        assert 0 < record["result"]["task"]["mpjpe_bones_mm"] < 5000
        loaded = load_weights(tmp_path)
        assert loaded.bones and loaded.denoiser.net.config.features == 11
        with pytest.raises(InputError, match="expected a network with the sizes of these weights"):
            DenoiserTask.from_mixture(synthetic_mixture(), TINY, CPU, start=loaded)

    def test_bad_options(self) -> None:
        for bad in (0.0, 1.5):
            with pytest.raises(InputError, match="expected bones above 0 and up to 1"):
                replace(TINY, bones=bad)


class TestLifting:
    def test_weights_that_do_not_say(self, tmp_path: Path) -> None:
        """As the packaged ones, which are older."""
        lifter = tiny_lifter(tmp_path)
        config = json.loads((tmp_path / "diff3dhpe.json").read_text())
        del config["bones"]
        (tmp_path / "diff3dhpe.json").write_text(json.dumps(config))
        assert not load_weights(tmp_path).bones
        assert isinstance(lifter, BonesLifter) and lifter.with_bones({0: np.ones(17)}) is lifter

    @pytest.mark.parametrize("mirror", [False, True])
    def test_the_bones_of_one_person(self, mirror: bool, tmp_path: Path) -> None:
        times_s = np.arange(6) / 25.0
        people = walking(np.tile(times_s, 2), np.repeat([3, 8], 6))
        lifter = bones_lifter(tmp_path, mirror=mirror)
        lengths = np.zeros(17)
        lengths[KNEE] = 0.5
        without, known = (
            zedo.lift(people, CAMERA, hypotheses=2, lifter=one) for one in (lifter, lifter.with_bones({8: lengths}))
        )
        same, other = (np.abs(without.joints - known.joints)[without.track == track].max() for track in (3, 8))
        assert same < 1e-6 and other > 1e-3
        assert known.provenance.options["bones"] == {"8": lengths.tolist()} and "bones" not in lifter.settings

    def test_steps_of_a_result_with_bones(self, tmp_path: Path) -> None:
        people = walking(np.arange(6) / 25.0)
        lifter = bones_lifter(tmp_path).with_bones({0: np.full(17, 0.4)})
        poses = zedo.lift(people, CAMERA, hypotheses=2, lifter=lifter)
        steps, _ = steps_of(poses, people, np.array([2]), weights=tmp_path, device="cpu")
        np.testing.assert_allclose(steps.joints[-1], poses.joints[[2], 1], rtol=0, atol=1e-4)


class TestSegments:
    def test_bones_of_segments(self) -> None:
        segments = Segments({"thigh": 0.45, "hip_width": 0.3}, {3: {"thigh": 0.4, "trunk": 0.5}})
        found = bone_lengths_of(segments, [1, 3], H36M17)
        length = {track: dict(zip(H36M17.joints, lengths, strict=True)) for track, lengths in found.items()}
        assert length[1]["left_knee"] == length[1]["right_knee"] == 0.45 and length[1]["left_hip"] == 0.15
        assert length[3]["left_knee"] == 0.4 and length[3]["spine"] == length[3]["thorax"] == 0.25
        assert length[1]["left_ankle"] == 0 and np.count_nonzero(found[1]) == 4
        assert bone_lengths_of(Segments({}, {3: {"thigh": 0.4}}), [1, 2], H36M17) == {}
        with pytest.raises(InputError, match="the joint set coco-17 has no bones for trunk"):
            bone_lengths_of(Segments({"trunk": 0.5}), [1], COCO17)

    def test_on_the_command_line(self, tmp_path: Path) -> None:
        file, camera = demo_keypoints()
        (tmp_path / "body.toml").write_text("thigh = 0.44\nshank = 0.43\n")
        bones_weights(tmp_path / "weights")
        given = ("--method", "diff3dhpe", "--weights", tmp_path / "weights", "--camera", camera, "--hypo", 1,
                 "--end", "20f")  # fmt: skip
        for name, more in (("with", ("--body", tmp_path / "body.toml")), ("without", ())):
            words = ("infer", file, *given, *more, "--device", "cpu", "--out", tmp_path / name)
            done = CliRunner().invoke(app, [str(word) for word in words])
            assert done.exit_code == 0, done.stderr
        known, unknown = (zedo.load(tmp_path / name / "poses.npz").provenance.options for name in ("with", "without"))
        assert known["bones"]["0"][KNEE] == 0.44 and np.count_nonzero(known["bones"]["0"]) == 4
        assert "bones" not in unknown
