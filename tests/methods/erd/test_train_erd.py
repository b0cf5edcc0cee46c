"""Training of ERD: all stages and files, exact resuming, the command, and bad input as one line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from erd_cases import SIZES, TINY, TINY_DESCENT
from pair_cases import pair_arrays
from train_cases import CPU, own_file, own_motions, synthetic_mixture, synthetic_motions
from typer.testing import CliRunner

import zedo_core as zedo
from zedo_cli.app import app
from zedo_core.data.mixture import Mixture
from zedo_core.data.pairs import Pairs, load_pairs
from zedo_core.errors import InputError, WeightsError
from zedo_core.methods.erd.descent import FEATURES
from zedo_core.methods.erd.features import View
from zedo_core.methods.erd.regressors import DescentOptions, best_count
from zedo_core.methods.erd.stages import steps_of, train_erd
from zedo_core.methods.erd.training import LifterTask
from zedo_core.methods.erd.weights import load_weights
from zedo_core.nets.lifter import NETS, PAPER, LifterConfig
from zedo_core.skeleton import H36M17
from zedo_core.skeleton.files import load_skeleton
from zedo_core.train.loop import Run
from zedo_core.train.ranks import Ranks

SMALL = ("--width", 16, "--blocks", 1, "--batch", 8, "--steps", 4, "--regressors", 1, "--regressor-steps", 3,
         "--check-every", 0, "--check-poses", 5, "--device", "cpu")  # fmt: skip


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "motions.npz"
    np.savez(path, positions=synthetic_motions().positions, offsets=[0, 20, 40, 60], split=["train", "train", "test"])
    return path


def zedo_command(*words: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [str(word) for word in words])
    return result.exit_code, result.stdout, result.stderr


class TestStages:
    def test_all_files(self, tmp_path: Path) -> None:
        steps: list[int] = []
        rows: list[str] = []
        options = replace(TINY, check_every=3)
        record = train_erd(
            synthetic_mixture(),
            tmp_path,
            options,
            TINY_DESCENT,
            device=CPU,
            on_row=lambda network, row: rows.append(network),
            on_step=steps.append,
        )
        assert steps == list(range(1, steps_of(options, TINY_DESCENT) + 1))
        assert rows == ["lifter", "lifter", "regressor 1", "regressor 2"]
        assert json.loads((tmp_path / "training.json").read_text()) == json.loads(json.dumps(record))
        errors = record["descent"]["errors"]
        assert len(errors) == 3 and set(errors[0]) == set(LifterTask.errors) == set(record["result"]["task"])
        found = load_weights(tmp_path)
        assert len(found.net.regressors) == record["descent"]["regressors"] <= 2
        assert len(record["descent"]["training_errors"]) == 3
        assert {"erd.safetensors", "erd.json", "training.csv", "training.png", "descent.png"} <= {
            p.name for p in tmp_path.iterdir()
        }

    def test_the_best_number_of_regressors_is_kept(self, tmp_path: Path) -> None:
        record = train_erd(synthetic_mixture(), tmp_path, TINY, TINY_DESCENT, device=CPU)["descent"]
        sums = [row["mpjpe_mm"] + row["mpjpe_noisy_mm"] for row in record["errors"]]
        assert record["regressors"] == int(np.argmin(sums))

    def test_noise_that_was_not_trained_on_does_not_count(self) -> None:
        errors = [{"mpjpe_mm": 50.0, "mpjpe_noisy_mm": 90.0}, {"mpjpe_mm": 48.0, "mpjpe_noisy_mm": 99.0}]
        assert (best_count(errors, noisy=True), best_count(errors, noisy=False)) == (0, 1)

    def test_the_same_seed_gives_the_same_weights(self, tmp_path: Path) -> None:
        for name in ("a", "b"):
            train_erd(synthetic_mixture(), tmp_path / name, TINY, TINY_DESCENT, device=CPU)
        first, second = ((tmp_path / name / "erd.safetensors").read_bytes() for name in ("a", "b"))
        assert first == second

    def test_resuming_a_lifter_is_exact(self, tmp_path: Path) -> None:
        """Interrupted after three steps: the same weights as without the interruption."""
        make = LifterTask.from_mixture(synthetic_mixture(), TINY, CPU)
        run = Run.start(make, TINY, Ranks())
        for _ in range(3):
            run.advance()
        tmp_path.joinpath("b").mkdir()
        run.save(tmp_path / "b", [])
        for name, resume in (("a", False), ("b", True)):
            train_erd(synthetic_mixture(), tmp_path / name, TINY, TINY_DESCENT, device=CPU, resume=resume)
        first, second = (load_weights(tmp_path / name).net.state_dict() for name in ("a", "b"))
        for name in first:
            assert torch.equal(first[name], second[name]), name

    def test_resuming_between_regressors(self, tmp_path: Path) -> None:
        """Stopped after the first: --resume trains the second only, with the same result."""

        class StopError(Exception):
            pass

        def stop(step: int) -> None:
            if step == TINY.steps + TINY_DESCENT.steps + 1:
                raise StopError

        with pytest.raises(StopError):
            train_erd(synthetic_mixture(), tmp_path / "b", TINY, TINY_DESCENT, device=CPU, on_step=stop)
        for name, resume in (("a", False), ("b", True)):
            train_erd(synthetic_mixture(), tmp_path / name, TINY, TINY_DESCENT, device=CPU, resume=resume)
        first, second = (load_weights(tmp_path / name).net.state_dict() for name in ("a", "b"))
        assert first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)

    def test_starting_from_weights(self, tmp_path: Path) -> None:
        """After no learning to speak of, the weights are those started from, and the record names them."""
        train_erd(synthetic_mixture(), tmp_path / "first", TINY, TINY_DESCENT, device=CPU)
        start = load_weights(tmp_path / "first")
        options = replace(TINY, learning_rate=1e-9, steps=2)
        record = train_erd(synthetic_mixture(), tmp_path / "second", options, TINY_DESCENT, device=CPU, start=start)
        assert record["start"] == {"name": "first", "sha256": start.sha256}
        again = load_weights(tmp_path / "second").net.lifter.state_dict()
        for name, value in start.net.lifter.state_dict().items():
            torch.testing.assert_close(again[name], value, rtol=0, atol=1e-5)
        wider = replace(options, lifter=replace(SIZES, width=32))
        other = Mixture.from_parts([own_motions(load_skeleton(own_file(tmp_path)))])
        with pytest.raises(InputError, match="for h36m-17, got other options or data in own-8"):
            train_erd(other, tmp_path / "other", options, TINY_DESCENT, device=CPU, start=start)
        with pytest.raises(InputError, match="first: expected a network with the sizes of these weights"):
            train_erd(synthetic_mixture(), tmp_path / "third", wider, TINY_DESCENT, device=CPU, start=start)

    @pytest.mark.parametrize("features", FEATURES)
    def test_features(self, tmp_path: Path, features: str) -> None:
        options = replace(TINY_DESCENT, features=features, regressors=1)
        record = train_erd(synthetic_mixture(), tmp_path, TINY, options, device=CPU)
        assert np.isfinite([list(row.values()) for row in record["descent"]["errors"]]).all()

    @pytest.mark.parametrize("net", NETS)
    def test_nets_of_the_papers(self, tmp_path: Path, net: str) -> None:
        options = replace(TINY, lifter=replace(PAPER[net], width=8, blocks=1))
        record = train_erd(synthetic_mixture(), tmp_path, options, replace(TINY_DESCENT, regressors=1), device=CPU)
        assert np.isfinite(record["result"]["validation"])
        views = zedo.load_lifter(tmp_path, method="erd", device="cpu")
        poses = zedo.lift(np.random.default_rng(0).uniform(0, 500, (2, 17, 2)), np.diag([900.0, 900, 1]), lifter=views)
        assert poses.joints.shape == (2, 10, 17, 3) and np.isfinite(poses.joints).all()

    def test_a_custom_joint_set(self, tmp_path: Path) -> None:
        skeleton = load_skeleton(own_file(tmp_path))
        mixture = Mixture.from_parts([own_motions(skeleton)])
        train_erd(mixture, tmp_path / "out", TINY, TINY_DESCENT, device=CPU)
        assert load_weights(tmp_path / "out").skeleton == skeleton

    def test_recorded_pairs(self, tmp_path: Path) -> None:
        """They are half of each batch, and their keypoints are the noisy ones of the validation."""
        pairs = pairs_of(tmp_path)
        task = LifterTask.from_mixture(synthetic_mixture(), TINY, CPU, pairs=pairs)
        assert task.pairs.share == 0.5 and task.record()["pairs"]["frames"] == 38
        batch = task.pairs.draw(8, torch.Generator().manual_seed(0))
        recorded = batch.pose[4:]
        known = torch.from_numpy(pairs.joints_cam - pairs.joints_cam[:, :1])
        mirrored = known[:, list(H36M17.mirror)] * torch.tensor([-1.0, 1.0, 1.0])
        for one in recorded:
            assert min(float((both - one).abs().amax((1, 2)).min()) for both in (known, mirrored)) < 1e-6
        points = batch.pose + batch.root
        exact = points[..., :2] / points[..., 2:]
        torch.testing.assert_close(batch.slopes[4:], exact[4:] + 0.01, rtol=0, atol=0.021)
        assert ((batch.slopes - exact)[4:].abs() - 0.01).abs().max() < 1e-4
        for share in (0.0, 1.0):  # of weights that are far apart
            alone = replace(task.pairs, share=share).draw(8, torch.Generator().manual_seed(0))
            assert alone.pose.shape == (8, 17, 3) and alone.slopes.isfinite().all()
        assert len(task.check.noisy.joints_cam) == 2 and len(task.check.exact.joints_cam) == 5
        record = train_erd(synthetic_mixture(), tmp_path / "out", TINY, TINY_DESCENT, device=CPU, pairs=pairs)
        assert record["pairs"]["sha256"] == pairs.sha256
        with pytest.raises(WeightsError, match="trained with other pairs"):
            train_erd(synthetic_mixture(), tmp_path / "out", TINY, TINY_DESCENT, device=CPU, resume=True)

    def test_a_known_root(self, tmp_path: Path) -> None:
        """The true pose at its true place projects onto the keypoints, whatever the size of the person."""
        task = LifterTask.from_mixture(synthetic_mixture(), TINY, CPU)
        batch = task.pairs.draw_exact(6, torch.Generator().manual_seed(0))
        view = View.from_observations(batch.observed)
        pose, root = batch.pose @ view.R.mT, batch.root @ view.R.mT
        torch.testing.assert_close(view.project(pose, root), view.local[..., :2], rtol=0, atol=1e-4)
        assert (view.project(1.5 * pose, root) - view.local[..., :2]).abs().max() > 0.1
        options = replace(TINY_DESCENT, root_known=True)
        records = [
            train_erd(synthetic_mixture(), tmp_path / str(i), TINY, o, device=CPU)["descent"]["errors"]
            for i, o in enumerate((options, TINY_DESCENT))
        ]
        assert records[0][0] == records[1][0] and records[0][2] != records[1][2]

    def test_learning(self, tmp_path: Path) -> None:
        """Within a second, the loss on held-out poses falls by a third."""
        options = replace(TINY, lifter=replace(SIZES, width=64), steps=150, batch=64, learning_rate=3e-3)
        task = LifterTask.from_mixture(synthetic_mixture(), options, CPU)
        run, first = Run.start(task, options, Ranks()), task.held_out_loss(task.net)
        task.net.train()
        for _ in range(options.steps):
            run.advance()
        assert task.held_out_loss(task.net) < first - 0.1


def pairs_of(folder: Path) -> Pairs:
    """40 pairs whose keypoints are all 11 px to the right and 11.2 px below, a hundredth of the focal lengths."""
    arrays = pair_arrays()
    np.savez(folder / "pairs.npz", **arrays | {"keypoints": arrays["keypoints"] + (11.0, 11.2)})
    return load_pairs([(folder / "pairs.npz", 1.0)])[0]


class TestBadInput:
    @pytest.mark.parametrize("count", [0, -1, 101])
    def test_numbers_of_regressors(self, count: int) -> None:
        with pytest.raises(InputError, match=f"1 to 100 regressors, got {count}"):
            DescentOptions(regressors=count)

    def test_fewer_poses_than_components(self) -> None:
        options = replace(TINY, lifter=LifterConfig(width=16, blocks=1, components=30))
        with pytest.raises(InputError, match="at least 30 poses for 30 principal components, got 20"):
            LifterTask.from_mixture(Mixture.from_parts([synthetic_motions(40)]), replace(options, held_out=0.5), CPU)

    def test_resume_with_other_options(self, tmp_path: Path) -> None:
        train_erd(synthetic_mixture(), tmp_path, TINY, TINY_DESCENT, device=CPU)
        other = replace(TINY_DESCENT, features="cat")
        with pytest.raises(WeightsError, match="trained with other options"):
            train_erd(synthetic_mixture(), tmp_path, TINY, other, device=CPU, resume=True)

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (("--regressors", 0), "expected 1 to 100 regressors, got 0"),
            (("--features", "both"), "expected features among delta, proj, cat, catproj, ori, got 'both'"),
            (("--net", "vit"), "--net: expected one of linear, lcn, semgcn, got 'vit'"),
            (("--net", "lcn", "--pca", 30), "--net lcn: expected 0 to 34 principal components, with linear only"),
            (("--pca", 40), "expected 0 to 34 principal components"),
            (("--precision", "fp8"), "expected a precision of fp32 or bf16"),
            (("--resume",), "nothing to resume"),
            (("--from", "prior"), "no such file, and no lifter of that name; known: erd"),
            (("--cameras", "nowhere.toml"), "nowhere.toml: cannot read the camera"),
            (("--pairs", ""), "--pairs: expected a path, got an empty string"),
            (("--pairs", "pairs.npz:0"), "--pairs: expected a weight above 0"),
        ],
    )
    def test_commands(self, data: Path, tmp_path: Path, words: tuple[object, ...], message: str) -> None:
        code, _, error = zedo_command("train", "erd", "--data", data, "--out", tmp_path / "out", *SMALL, *words)
        assert code in (1, 2) and message in " ".join(error.split())


class TestCommand:
    def test_pairs_and_cameras(self, data: Path, tmp_path: Path) -> None:
        """Without motion capture, the poses of the pairs are projected."""
        pairs_of(tmp_path)
        (tmp_path / "cameras.json").write_text('{"a": {"fx": 900, "fy": 900, "cx": 320, "cy": 240}}')
        for i, words in enumerate(([], ["--data", data])):
            words += ["--pairs", f"{tmp_path / 'pairs.npz'}:3", "--cameras", tmp_path / "cameras.json", "--json"]
            code, text, error = zedo_command("train", "erd", "--out", tmp_path / f"out{i}", *SMALL, *words)
            assert code == 0, error
            record = json.loads(text)
            assert record["options"]["views"]["cameras"][0]["fx"] == 900
            assert record["pairs"]["share"] == (0.75 if i else 0.5)
            assert [source["kind"] for source in record["data"]["sources"]] == ["mocap", "pairs"][not i :]
        code, _, error = zedo_command("train", "erd", "--out", tmp_path / "out", *SMALL)
        assert code == 2 and "expected --data, --pairs or both" in error

    def test_train_then_lift(self, data: Path, tmp_path: Path) -> None:
        out = tmp_path / "out"
        code, text, error = zedo_command("train", "erd", "--data", data, "--out", out, *SMALL, "--pca", 10, "--json")
        assert code == 0, error
        record = json.loads(text)
        assert record["options"]["lifter"]["components"] == 10 and len(record["descent"]["errors"]) == 2
        words = ("--method", "erd", "--weights", out, "--every", 60, "--hypo", "1,3", "--ablate", "descent,mirror")
        code, text, error = zedo_command("eval", *words, "--out", tmp_path / "eval", "--json")
        assert code == 0, error
        tables = {row["table"] for row in json.loads(text)["rows"]}
        assert tables == {"main", "descent", "mirror"}

    def test_paper(self, data: Path, tmp_path: Path) -> None:
        words = ("--paper", "--net", "linear", "--width", 16, "--batch", 8, "--steps", 2, "--regressors", 1,
                 "--regressor-steps", 2, "--device", "cpu", "--noise", 0)  # fmt: skip
        code, _, error = zedo_command("train", "erd", "--data", data, "--out", tmp_path / "out", *words)
        assert code == 0, error
        config = json.loads((tmp_path / "out" / "erd.json").read_text())["lifter"]
        assert config["batch_norm"] and config["dropout"] == 0.25 and config["modes"] == 1
