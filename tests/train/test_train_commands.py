"""`zedo train`: from files to weights, and errors as one line."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from bvh_cases import person, rest_pose
from train_cases import CPU, TINY, own_file, own_motions, synthetic_mixture, synthetic_motions
from typer.testing import CliRunner

from zedo_core.methods.zedo.initial_poses import load_initial_poses
from zedo_core.methods.zedo.prior import load_prior
from zedo_core.methods.zedo.training import TrainOptions, train_prior
from zedo_core.skeleton import LSP14
from zedo_core.skeleton.files import load_skeleton
from zedo_core.train.augment import AugmentOptions

Zedo = Callable[..., tuple[int, str, str]]
SMALL = ("--width", 64, "--blocks", 1, "--batch", 8, "--steps", 3, "--check-every", 0, "--device", "cpu")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "motions.npz"
    np.savez(path, positions=synthetic_motions().positions, offsets=[0, 20, 40, 60], split=["train", "train", "test"])
    return path


@pytest.fixture
def zedo() -> Zedo:
    from zedo_cli.app import app

    def call(*words: object) -> tuple[int, str, str]:
        result = CliRunner().invoke(app, [str(word) for word in words])
        return result.exit_code, result.stdout, result.stderr

    return call


class TestPrior:
    def test_defaults_are_those_of_train_options(self, zedo: Zedo, data: Path, tmp_path: Path) -> None:
        out = tmp_path / "prior"
        code, stdout, stderr = zedo(
            "train", "prior", "--data", data, "--out", out, "--split", "train", *SMALL, "--json"
        )
        assert code == 0, stderr
        report = json.loads(stdout)
        given = {"width": 64, "blocks": 1, "batch": 8, "steps": 3, "check_every": 0}
        assert report["options"] == dataclasses.asdict(TrainOptions(**given))  # type: ignore[arg-type]
        assert report["data"]["sequences"] == 2
        assert load_prior(out).net.config.width == 64

    def test_every_option_is_passed_on(self, zedo: Zedo, data: Path, tmp_path: Path) -> None:
        """Values that differ from the default, for every field."""
        augment = {
            "flip": 0.1,
            "limb_exchange": 0.2,
            "stature": 0.01,
            "lengths": 0.02,
            "root_tilt": 0.3,
            "rotation": 0.4,
            "camera_pitch_deg": 3.0,
            "camera_roll_deg": 2.0,
            "rarity": 0.9,
        }
        plain = {
            "width": 96,
            "blocks": 1,
            "time_width": 8,
            "dropout": 0.2,
            "batch": 4,
            "steps": 2,
            "learning_rate": 0.002,
            "warmup": 1,
            "clip": 0.5,
            "ema": 0.5,
            "small_t": 0.6,
            "small_t_end": 0.2,
            "precision": "bf16",
            "held_out": 0.4,
            "check_every": 2,
            "check_poses": 3,
            "seed": 7,
        }
        assert set(augment) == {field.name for field in dataclasses.fields(AugmentOptions)}
        assert {*plain, "augment"} == {field.name for field in dataclasses.fields(TrainOptions)}
        words = [word for name, value in (plain | augment).items()
                 for word in (f"--{name.removesuffix('_deg').replace('_', '-')}", value)]  # fmt: skip
        code, stdout, stderr = zedo("train", "prior", "--data", data, "--out", tmp_path / "a", *words, "--json")
        assert code == 0, stderr
        assert json.loads(stdout)["options"] == plain | {"augment": augment}
        assert "step 2: loss" in stderr and "best of 10" in stderr

    def test_several_data_sets_with_weights(self, zedo: Zedo, data: Path, tmp_path: Path) -> None:
        rig, _ = person("Mixamo")
        (tmp_path / "bvh").mkdir()
        (tmp_path / "bvh" / "a.bvh").write_text(rig.text(rest_pose(rig, 5)))
        (tmp_path / "bvh" / "b.bvh").write_text("HIERARCHY")
        parts = ("--data", f"{data}:3", "--data", tmp_path / "bvh")
        code, stdout, stderr = zedo("train", "prior", *parts, "--out", tmp_path / "a", *SMALL, "--json")
        assert code == 0, stderr
        sources = json.loads(stdout)["data"]["sources"]
        assert [(one["kind"], one["weight"], one["damaged"]) for one in sources] == [("mocap", 3.0, 0), ("bvh", 1.0, 1)]
        assert "1 files left out, 0.01 m per unit, y up, people of" in stderr and "b.bvh" in stderr

    @pytest.mark.parametrize("own", [False, True], ids=["lsp-14", "own"])
    def test_another_joint_set_end_to_end(self, zedo: Zedo, data: Path, tmp_path: Path, own: bool) -> None:
        """The initial poses have the joint set of the prior in the same folder."""
        name, out = (own_file(tmp_path), tmp_path / "a") if own else ("lsp-14", tmp_path / "a")
        skeleton = load_skeleton(own_file(tmp_path)) if own else LSP14
        if own:
            np.save(data := tmp_path / "own.npy", own_motions(skeleton).positions)
        code, _, stderr = zedo("train", "prior", "--data", data, "--skeleton", name, "--out", out, *SMALL)
        assert code == 0, stderr
        code, _, stderr = zedo("train", "clusters", "--data", data, "--out", out, "--hypo", "1,3")
        assert code == 0, stderr
        assert load_prior(out).skeleton == skeleton and load_initial_poses(out)[3].shape == (3, len(skeleton), 3)

    def test_resume(self, zedo: Zedo, data: Path, tmp_path: Path) -> None:
        words = ("train", "prior", "--data", data, "--out", tmp_path / "a", *SMALL)
        assert zedo(*words)[0] == 0
        assert zedo(*words, "--resume")[0] == 0
        code, _, stderr = zedo(*words, "--resume", "--flip", 0)
        assert code == 1 and "other options" in stderr and stderr.count("error:") == 1


class TestFrom:
    @pytest.fixture
    def words(self, data: Path, tmp_path: Path) -> tuple[object, ...]:
        rest = ("--batch", 8, "--steps", 2, "--check-every", 0, "--device", "cpu", "--json")
        return ("train", "prior", "--data", data, "--out", tmp_path / "a", *rest)

    def test_the_packaged_weights_by_name(self, zedo: Zedo, words: tuple[object, ...]) -> None:
        code, stdout, stderr = zedo(*words, "--from", "prior")
        assert code == 0, stderr
        packaged = json.loads(stdout)["start"]
        assert packaged["name"] == "zedo-prior-512" and len(packaged["sha256"]) == 64

    def test_sizes_are_those_of_the_weights(self, zedo: Zedo, words: tuple[object, ...], tmp_path: Path) -> None:
        start = dataclasses.replace(TINY, seed=1)
        train_prior(synthetic_mixture(), tmp_path / "start", start, device=CPU)
        code, stdout, stderr = zedo(*words, "--from", tmp_path / "start")
        assert code == 0, stderr
        options = json.loads(stdout)["options"]
        assert (options["width"], options["blocks"], options["time_width"]) == (64, 1, 8)
        config = load_prior(tmp_path / "start").net.config
        assert load_prior(tmp_path / "a").net.config == dataclasses.replace(config, dropout=0.0)

    @pytest.mark.parametrize(
        ("given", "code", "message"),
        [
            (("--from", "nobody"), 1, "'nobody': no such file, and no prior of that name"),
            (("--from", "prior", "--width", 64), 2, "zedo-prior-512: expected a width of 512 as in these weights, got"),
            (("--from", "prior", "--skeleton", "lsp-14"), 2, "expected data in its joints h36m-17, got lsp-14"),
        ],
    )
    def test_errors_are_one_line(
        self, zedo: Zedo, words: tuple[object, ...], tmp_path: Path, given: tuple[object, ...], code: int, message: str
    ) -> None:
        found, stdout, stderr = zedo(*words, *given)
        assert (found, stdout) == (code, "") and message in " ".join(stderr.split())
        assert stderr.count("error: ") == 1 and not (tmp_path / "a").exists()


class TestClusters:
    def test_from_data(self, zedo: Zedo, data: Path, tmp_path: Path) -> None:
        for kind in ("nearest", "centres", "random"):
            words = ("--data", data, "--out", tmp_path, "--hypo", "1,3", "--kind", kind)
            code, stdout, stderr = zedo("train", "clusters", *words, "--json")
            assert code == 0, stderr
            report = json.loads(stdout)
            assert (report["counts"], report["kind"], report["frames"]) == ([1, 3], kind, 60)
            assert load_initial_poses(tmp_path).keys() == {1, 3}

    def test_from_the_prior(self, zedo: Zedo, tmp_path: Path) -> None:
        from zedo_core.weights import find_weights

        for path in find_weights("prior", "prior").glob("prior.*"):
            (tmp_path / path.name).write_bytes(path.read_bytes())
        code, stdout, stderr = zedo(
            "train", "clusters", "--kind", "generated", "--out", tmp_path, "--hypo", "2", "--json"
        )
        assert code == 0, stderr
        assert json.loads(stdout)["counts"] == [2] and load_initial_poses(tmp_path)[2].shape == (2, 17, 3)


def test_errors_are_one_line_and_exit_code_2(zedo: Zedo, data: Path, tmp_path: Path) -> None:
    for words in (
        *(("clusters", "--hypo", "many"), ("clusters", "--hypo", "1000"), ("clusters", "--split", "nothing")),
        *(("clusters", "--kind", "best"), ("clusters", "--kind", "generated"), ("clusters", "--skeleton", "martian")),
        *(("prior", "--width", 65), ("prior", "--precision", "fp8"), ("prior", "--skeleton", "coco-17")),
        *(("prior", "--skeleton", tmp_path / "none.json"), ("prior", "--data", tmp_path / "none.npz")),
        *(("prior", "--data", f"{data}:0"),),
    ):
        code, stdout, stderr = zedo("train", *words, "--data", data, "--out", tmp_path / "a")
        assert (code, stdout) == (2, ""), words
        assert stderr.splitlines()[-1].startswith("error: ") and stderr.count("error: ") == 1, stderr
