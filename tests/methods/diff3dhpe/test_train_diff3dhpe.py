"""Training of Diff3DHPE: its loss, files, exact resuming, the command, and bad input as one line."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diff_cases import TINY
from erd_cases import tiny_weights as tiny_erd
from train_cases import CPU, synthetic_mixture, synthetic_motions
from typer.testing import CliRunner

from zedo_cli.app import app
from zedo_core.errors import InputError
from zedo_core.methods.diff3dhpe.loss import LossOptions, denoising_loss
from zedo_core.methods.diff3dhpe.training import DenoiserOptions, DenoiserTask
from zedo_core.methods.diff3dhpe.weights import load_weights
from zedo_core.methods.erd.weights import load_weights as load_erd
from zedo_core.nets.mixste import PAPER
from zedo_core.skeleton import LSP14
from zedo_core.train.task import Task
from zedo_core.train.training import train

SMALL = ("--width", 8, "--depth", 1, "--frames", 5, "--batch", 2, "--check-every", 0, "--check-windows", 2, "--guide",
         "none", "--device", "cpu")  # fmt: skip


ROOT = Path(__file__).parents[3]
CASES = ROOT / "tests" / "cases"


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "motions.npz"
    np.savez(path, positions=synthetic_motions().positions, offsets=[0, 20, 40, 60], split=["train", "train", "test"])
    return path


def zedo_command(*words: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [str(word) for word in words])
    return result.exit_code, result.stdout, result.stderr


def run(out: Path, options: DenoiserOptions, **more: Any) -> dict[str, Any]:
    return train(
        lambda on: DenoiserTask.from_mixture(synthetic_mixture(), options, on), out, options, device=CPU, **more
    )  # type: ignore[arg-type]


class TestLoss:
    def test_written_out(self) -> None:
        """Two windows of three frames, of which one is not known; every term by loops."""
        generator = torch.Generator().manual_seed(0)
        found, truth = torch.randn(2, 2, 3, 4, 3, generator=generator)
        log_scale = torch.randn(2, 3, 4, generator=generator)
        known, weight = torch.tensor([[True, True, True], [True, True, False]]), torch.tensor([1.0, 2.5])
        options = LossOptions(velocity=0.7, likelihood=0.1)
        poses = motion = 0.0
        for b, t in [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]:
            for j in range(4):
                d, s = (found[b, t, j] - truth[b, t, j]).norm(), log_scale[b, t, j]
                poses += weight[b] * (d + 0.1 * (d / s.exp() + 3 * s)) / 20
        for b, t in [(0, 0), (0, 1), (1, 0)]:
            for j in range(4):
                off = (found[b, t + 1, j] - found[b, t, j]) - (truth[b, t + 1, j] - truth[b, t, j])
                motion += 0.7 * weight[b] * off.norm() / 12
        torch.testing.assert_close(denoising_loss(found, log_scale, truth, known, weight, options), poses + motion)

    def test_squared(self) -> None:
        found, truth = torch.ones(1, 1, 2, 3), torch.zeros(1, 1, 2, 3)
        options = LossOptions(squared=True, likelihood=0.0)
        given = (torch.zeros(1, 1, 2), truth, torch.ones(1, 1, dtype=torch.bool), torch.ones(1))
        torch.testing.assert_close(denoising_loss(found, *given, options), torch.tensor(3.0))

    def test_the_poses_do_not_see_the_likelihood(self) -> None:
        found, truth = torch.randn(1, 2, 2, 3, requires_grad=True), torch.zeros(1, 2, 2, 3)
        known, weight = torch.ones(1, 2, dtype=torch.bool), torch.ones(1)
        grads = []
        for likelihood in (0.0, 5.0):
            loss = denoising_loss(found, torch.ones(1, 2, 2), truth, known, weight, LossOptions(likelihood=likelihood))
            grads.append(torch.autograd.grad(loss, found)[0])
        torch.testing.assert_close(grads[0], grads[1])


class TestTask:
    @pytest.mark.parametrize("form", ["seq2seq", "seq2frame"])
    @pytest.mark.parametrize("attention", ["grand", "plain"])
    def test_all_files(self, tmp_path: Path, form: str, attention: str) -> None:
        options = replace(TINY, net=replace(TINY.net, form=form, attention=attention), check_every=3)
        record = run(tmp_path, options)
        assert json.loads((tmp_path / "training.json").read_text()) == json.loads(json.dumps(record))
        names = {path.name for path in tmp_path.iterdir()}
        assert {"diff3dhpe.safetensors", "diff3dhpe.json", "training.csv", "training.png"} <= names
        loaded = load_weights(tmp_path)
        assert loaded.denoiser.net.config == options.net and loaded.calibration.error_scale > 0 and not loaded.guided
        measured = record["result"]["task"]
        missing = set(DenoiserTask.errors) - set(measured) - {"mpjpe_bones_mm"}
        assert missing == ({"acceleration_mm"} if form == "seq2frame" else set())
        assert all(0 < value < 5000 for value in measured.values())

    def test_it_learns(self, tmp_path: Path) -> None:
        options = replace(TINY, steps=150, batch=8, learning_rate=5e-3, ema=0.9, check_every=50)
        task = DenoiserTask.from_mixture(synthetic_mixture(), options, CPU)
        assert isinstance(task, Task)
        before = task.measure(task.net)
        train(lambda _: task, tmp_path, options, device=CPU)
        after = task.measure(task.net)
        for name in ("mpjpe_mm", "mpjpe_noisy_mm", "mpjpe_5_mm"):
            assert after[name] < 0.8 * before[name]

    def test_a_guide(self, tmp_path: Path) -> None:
        erd = load_erd(tiny_erd(tmp_path / "erd"))
        task = DenoiserTask.from_mixture(synthetic_mixture(), TINY, CPU, erd=erd)
        assert task.net.config.features == 13 and task.identity["weights of the guide"] == erd.sha256
        assert bool(task.objective(*task.batch(torch.Generator().manual_seed(0))).isfinite())
        task.save(task.net, tmp_path)
        assert load_weights(tmp_path).guided
        assert json.loads((tmp_path / "diff3dhpe.json").read_text())["guide"]["sha256"] == erd.sha256

    def test_a_guide_for_other_joints(self, tmp_path: Path) -> None:
        erd = replace(load_erd(tiny_erd(tmp_path)), skeleton=LSP14)
        with pytest.raises(InputError, match="expected a guide for h36m-17, found one for lsp-14"):
            DenoiserTask.from_mixture(synthetic_mixture(), TINY, CPU, erd=erd)

    def test_start(self, tmp_path: Path) -> None:
        run(tmp_path, TINY)
        start = load_weights(tmp_path)
        task = DenoiserTask.from_mixture(synthetic_mixture(), TINY, CPU, start=start)
        for name, value in start.denoiser.net.state_dict().items():
            torch.testing.assert_close(task.net.state_dict()[name], value)
        other = replace(TINY, net=replace(TINY.net, width=16))
        with pytest.raises(InputError, match="expected a network with the sizes of these weights"):
            DenoiserTask.from_mixture(synthetic_mixture(), other, CPU, start=start)

    def test_resuming_equals_unbroken(self, tmp_path: Path) -> None:
        class StopError(Exception):
            pass

        def stop(step: int) -> None:
            if step == 4:
                raise StopError

        options = replace(TINY, net=replace(TINY.net, drop_path=0.2))
        run(tmp_path / "whole", options)
        with pytest.raises(StopError):
            run(tmp_path / "parts", options, save_every_s=0.0, on_step=stop)
        record = run(tmp_path / "parts", options, resume=True)
        assert record["resumed"] == 1
        whole, parts = ((tmp_path / name / "diff3dhpe.safetensors").read_bytes() for name in ("whole", "parts"))
        assert whole == parts

    def test_bad_options(self) -> None:
        for bad in ({"pure": 1.5}, {"held_out": 1.0}, {"check_windows": 0}):
            with pytest.raises(InputError, match="expected"):
                replace(TINY, **bad)  # type: ignore[arg-type]
        with pytest.raises(InputError, match="at least 0"):
            LossOptions(velocity=-1)


class TestCommand:
    def test_train_command(self, data: Path, tmp_path: Path) -> None:
        out = tmp_path / "out"
        code, stdout, stderr = zedo_command("train", "diff3dhpe", "--data", data, "--split", "train", "--out", out,
                                            "--steps", 3, *SMALL, "--json")  # fmt: skip
        assert code == 0, stderr
        record = json.loads(stdout)
        assert record["options"]["net"]["frames"] == 5 and record["options"]["steps"] == 3 and record["guide"] is None
        assert (out / "diff3dhpe.safetensors").is_file()

    def test_two_processes(self, data: Path, tmp_path: Path) -> None:
        """As torchrun starts them, over the loopback; resumed training equals unbroken training."""
        words = ("train", "diff3dhpe", "--data", data, "--steps", 6, *SMALL, "--save-every", 0, "--json")

        def run(out: str, stop: int, *more: str) -> tuple[int, str]:
            given = ("--nproc-per-node", 2, "--master-addr", "127.0.0.1", "--master-port", free_port(),
                     CASES / "stopping.py", stop, *words, "--out", tmp_path / out, *more)  # fmt: skip
            done = subprocess.run(
                [sys.executable, "-m", "torch.distributed.run", *map(str, given)],
                capture_output=True,
                text=True,
                timeout=300,
                env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
            )
            return done.returncode, done.stdout

        code, stdout = run("whole", -1)
        record = json.loads(stdout)  # of the first process only
        assert code == 0 and record["processes"] == 2
        assert run("parts", 4)[0] != 0 and not (tmp_path / "parts" / "diff3dhpe.safetensors").exists()
        code, stdout = run("parts", -1, "--resume")
        assert code == 0 and json.loads(stdout)["resumed"] == 1
        alone = zedo_command(*words, "--out", tmp_path / "alone")
        assert alone[0] == 0
        whole, parts, single = (
            (tmp_path / name / "diff3dhpe.safetensors").read_bytes() for name in ("whole", "parts", "alone")
        )
        assert whole == parts != single

    def test_paper(self) -> None:
        assert (PAPER.width, PAPER.depth, PAPER.heads, PAPER.frames) == (512, 8, 8, 243)

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (("--width", 9), "a width that is a multiple of the heads"),
            (("--attention", "flash"), "attention grand or plain"),
            (("--form", "frame"), "form seq2seq or seq2frame"),
            (("--guide", "nobody"), "'nobody': no such file"),
            (("--precision", "int8"), "a precision of fp32 or bf16"),
            (("--from", "nobody"), "'nobody': no such file"),
        ],
    )
    def test_bad_input_is_one_line(self, data: Path, tmp_path: Path, words: tuple[object, ...], message: str) -> None:
        code, _, stderr = zedo_command("train", "diff3dhpe", "--data", data, "--out", tmp_path / "out", *SMALL, *words)
        assert code in (1, 2) and message in " ".join(stderr.split()) and "Traceback" not in stderr
