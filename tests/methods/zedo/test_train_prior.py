"""Training of a prior: learning, the record, resuming, and distributed training."""

from __future__ import annotations

import csv
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from train_cases import CPU, TINY, synthetic_mixture, synthetic_motions
from typer.testing import CliRunner

from zedo_cli.app import app
from zedo_core.data.mixture import Mixture
from zedo_core.errors import InputError, WeightsError
from zedo_core.methods.zedo.prior import load_prior
from zedo_core.methods.zedo.score_matching import sample_times, score_matching_loss
from zedo_core.methods.zedo.training import PriorTask, TrainOptions, train_prior
from zedo_core.skeleton import LSP14
from zedo_core.train.loop import Run, rate_factor, step_seed
from zedo_core.train.ranks import Ranks
from zedo_core.train.record import TrainProgress

CHECKED = dataclasses.replace(TINY, check_every=10, check_poses=4)
FILES = {"prior.safetensors", "prior.json", "training.json", "training.csv", "training.png", "training.pt"}


class TestFiles:
    def test_all_files(self, tmp_path: Path) -> None:
        rows: list[TrainProgress] = []
        steps: list[int] = []
        record = train_prior(
            synthetic_mixture(),
            tmp_path,
            CHECKED,
            device=CPU,
            sources=[{"path": "x"}],
            on_row=rows.append,
            on_step=steps.append,
        )
        assert {path.name for path in tmp_path.iterdir()} == FILES
        assert steps == list(range(1, 21)) and [row.step for row in rows] == [10, 20]
        assert json.loads((tmp_path / "training.json").read_text()) == json.loads(json.dumps(record))
        assert record["data"]["sources"] == [{"path": "x"}] and record["data"]["sha256"] == synthetic_mixture().sha256
        assert record["options"]["width"] == 64 and record["seed"] == 0 and record["result"]["step"] == 20
        assert set(record["versions"]) >= {"zedo", "torch", "numpy", "python"} and len(record["code_sha256"]) == 64
        assert 0 < record["seconds"]["checks"] <= record["seconds"]["total"]
        with Image.open(tmp_path / "training.png") as curves:
            assert curves.size[0] > 1000
        net = load_prior(tmp_path).net
        with torch.no_grad():
            noise = net(torch.zeros(2, 17, 3), net.time_rows(torch.tensor([0.1])))
        assert noise.shape == (2, 17, 3) and noise.isfinite().all()

    def test_the_log_has_the_tasks_errors(self, tmp_path: Path) -> None:
        """The best of ten is no worse than the chosen one, and Procrustes alignment reduces the error."""
        train_prior(synthetic_mixture(), tmp_path, CHECKED, device=CPU)
        rows = list(csv.DictReader((tmp_path / "training.csv").read_text().splitlines()))
        assert [row["step"] for row in rows] == ["10", "20"]
        for row in rows:
            one, aligned, ten = (float(row[f"{name}_mm"]) for name in ("mpjpe_1", "pa_mpjpe_1", "mpjpe_10"))
            assert 0 < ten <= one < 2000 and 0 < aligned <= one

    def test_without_checks_the_task_is_not_measured(self, tmp_path: Path) -> None:
        train_prior(synthetic_mixture(), tmp_path, TINY, device=CPU)
        (row,) = csv.DictReader((tmp_path / "training.csv").read_text().splitlines())
        assert row["step"] == "20" and row["mpjpe_1_mm"] == "" and float(row["loss"]) > 0

    def test_checks_do_not_change_the_result(self, tmp_path: Path) -> None:
        for name, options in (("checked", CHECKED), ("plain", TINY)):
            train_prior(synthetic_mixture(), tmp_path / name, options, device=CPU)
        first, second = ((tmp_path / name / "prior.safetensors").read_bytes() for name in ("checked", "plain"))
        assert first == second

    def test_another_joint_set(self, tmp_path: Path) -> None:
        mixture = Mixture.from_parts([synthetic_motions().to_skeleton(LSP14)])
        record = train_prior(mixture, tmp_path, TINY, device=CPU)
        prior = load_prior(tmp_path)
        assert record["skeleton"] == "lsp-14" and prior.skeleton == LSP14 and prior.net.config.joints == 14


class TestLearning:
    def test_it_learns_to_predict_noise(self, tmp_path: Path) -> None:
        """At t = 0.5 a sample is almost only noise; a network that predicts 0 has a loss of 1."""
        options = dataclasses.replace(TINY, width=256, steps=200, learning_rate=1e-2, dropout=0.0, ema=0.9)
        train_prior(synthetic_mixture(), tmp_path, options, device=CPU)
        trained, generator = load_prior(tmp_path), torch.Generator().manual_seed(0)
        noise = torch.randn(200, 17, 3, generator=generator)
        with torch.no_grad():
            loss = score_matching_loss(
                trained.net, trained.sde, torch.zeros(200, 17, 3), torch.full((200,), 0.5), noise
            )
        assert loss < 0.5

    def test_bf16_learns_almost_the_same(self, tmp_path: Path) -> None:
        losses = {}
        for precision in ("fp32", "bf16"):
            options = dataclasses.replace(TINY, steps=60, dropout=0.0, precision=precision)
            losses[precision] = train_prior(synthetic_mixture(), tmp_path / precision, options, device=CPU)["result"][
                "loss"
            ]
        assert losses["bf16"] != losses["fp32"]
        assert losses["bf16"] == pytest.approx(losses["fp32"], rel=0.02)  # bfloat16 has 8 bits

    def test_small_times_are_drawn_more_often(self) -> None:
        t = sample_times(20_000, 0.7, 0.15, torch.Generator().manual_seed(0), CPU)
        assert float((t < 0.15).float().mean()) == pytest.approx(0.7 + 0.3 * 0.15, abs=0.013)  # 4 standard deviations
        assert t.min() > 0 and t.max() <= 1

    def test_the_learning_rate_schedule(self) -> None:
        options = dataclasses.replace(TINY, warmup=5, steps=105)
        rates = [rate_factor(step, options) for step in range(105)]
        assert rates[:6] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0, 1.0])
        assert rates[55] == pytest.approx(0.505) and rates[104] == pytest.approx(0.01, abs=0.001)

    def test_every_step_and_process_has_its_own_seed(self) -> None:
        seeds = {step_seed(seed, rank, step) for seed in range(3) for rank in range(3) for step in range(100)}
        assert len(seeds) == 900


class TestResume:
    @pytest.mark.parametrize("options", [TINY, CHECKED], ids=["plain", "checked"])
    def test_a_resumed_run_equals_an_uninterrupted_one(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: TrainOptions
    ) -> None:
        """Bit for bit on the CPU, including dropout."""
        whole, broken = tmp_path / "whole", tmp_path / "broken"
        train_prior(synthetic_mixture(), whole, options, device=CPU)
        step = Run.advance
        with monkeypatch.context() as patch, pytest.raises(_InterruptedError):
            patch.setattr(Run, "advance", lambda run: step(run) if run.step < 11 else _interrupt())
            train_prior(synthetic_mixture(), broken, options, device=CPU, save_every_s=0.0)
        assert not (broken / "prior.safetensors").exists()
        (broken / ".training-half.pt").write_bytes(b"left by a killed process")
        torch.manual_seed(99)
        record = train_prior(synthetic_mixture(), broken, options, device=CPU, resume=True)
        assert record["resumed"] == 1
        for name in ("prior.safetensors", "training.csv"):
            assert (whole / name).read_bytes() == (broken / name).read_bytes(), name
        assert {path.name for path in broken.iterdir()} == FILES

    def test_a_killed_process(self, tmp_path: Path) -> None:
        """A real process is ended by SIGKILL."""
        np.savez(tmp_path / "motions.npz", positions=synthetic_motions().positions, offsets=[0, 20, 40, 60])
        size = ("--width", "64", "--blocks", "1", "--batch", "16", "--steps", "300", "--check-every", "0")
        words = (
            "train",
            "prior",
            "--data",
            str(tmp_path / "motions.npz"),
            *size,
            "--dropout",
            "0.1",
            "--device",
            "cpu",
        )
        whole, broken = tmp_path / "whole", tmp_path / "broken"
        _train(*words, "--out", str(whole))
        process = _start(*words, "--out", str(broken), "--save-every", "0.05")
        deadline = time.monotonic() + 240
        while not (broken / "training.pt").is_file() and time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        assert not (broken / "prior.safetensors").exists()
        step = torch.load(broken / "training.pt", weights_only=True)["step"]
        assert 0 < step < 300
        _train(*words, "--out", str(broken), "--resume")
        for name in ("prior.safetensors", "training.csv"):
            assert (whole / name).read_bytes() == (broken / name).read_bytes(), name

    @pytest.mark.parametrize(
        ("changed", "word"),
        [({"learning_rate": 1e-4}, "options"), ({"batch": 8}, "options")],
    )
    def test_other_options_are_refused(self, tmp_path: Path, changed: dict[str, Any], word: str) -> None:
        train_prior(synthetic_mixture(), tmp_path, TINY, device=CPU)
        with pytest.raises(WeightsError, match=f"other {word}"):
            train_prior(synthetic_mixture(), tmp_path, dataclasses.replace(TINY, **changed), device=CPU, resume=True)

    def test_other_data_is_refused(self, tmp_path: Path) -> None:
        train_prior(synthetic_mixture(), tmp_path, TINY, device=CPU)
        with pytest.raises(WeightsError, match="other data"):
            train_prior(synthetic_mixture(50), tmp_path, TINY, device=CPU, resume=True)

    def test_nothing_to_resume_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(WeightsError, match="nothing to resume"):
            train_prior(synthetic_mixture(), tmp_path, TINY, device=CPU, resume=True)

    @pytest.mark.parametrize("content", [b"", b"not a state", None], ids=["empty", "text", "other"])
    def test_a_damaged_state_is_refused(self, tmp_path: Path, content: bytes | None) -> None:
        path = tmp_path / "training.pt"
        if content is None:
            torch.save({"step": 3}, path)
        else:
            path.write_bytes(content)
        with pytest.raises(WeightsError, match=r"training\.pt: the state is") as caught:
            train_prior(synthetic_mixture(), tmp_path, TINY, device=CPU, resume=True)
        assert "\n" not in str(caught.value)


class TestSeveralProcesses:
    def test_two_processes(self, tmp_path: Path) -> None:
        """Gradients are averaged over both, so that the result differs from that of a single process."""
        np.savez(tmp_path / "motions.npz", positions=synthetic_motions().positions, offsets=[0, 20, 40, 60])
        size = ("--width", "64", "--blocks", "1", "--batch", "8", "--steps", "6", "--check-every", "3")
        words = ("--data", str(tmp_path / "motions.npz"), *size, "--check-poses", "4", "--device", "cpu", "--json")
        launch = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "zedo_cli")
        done = subprocess.run(
            [sys.executable, *launch, "train", "prior", *words, "--out", str(tmp_path / "two")],
            capture_output=True,
            text=True,
            timeout=240,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        assert done.returncode == 0, done.stderr
        record = json.loads(done.stdout)  # one report for both processes
        assert record["processes"] == 2 and record["result"]["task"]["mpjpe_1_mm"] > 0
        assert {path.name for path in (tmp_path / "two").iterdir()} == FILES
        _train("train", "prior", *words, "--out", str(tmp_path / "one"))
        one, two = (load_prior(tmp_path / name).net.state_dict() for name in ("one", "two"))
        assert any(not torch.equal(one[name], two[name]) for name in one)

    def test_ranks_draw_different_batches(self) -> None:
        task = PriorTask.from_mixture(synthetic_mixture(), TINY, CPU)
        runs = [Run.start(task, TINY, Ranks(rank=rank, world=1)) for rank in (0, 1)]
        for run in runs:
            run.generator.manual_seed(step_seed(0, run.ranks.rank, 0))
        (first, *_), (second, *_) = (run.task.batch(run.generator) for run in runs)
        assert not torch.equal(first, second)

    def test_ranks_from_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert Ranks.from_environment() == Ranks(0, 1, 0)
        for name, value in (("RANK", "3"), ("WORLD_SIZE", "4"), ("LOCAL_RANK", "1")):
            monkeypatch.setenv(name, value)
        assert Ranks.from_environment() == Ranks(rank=3, world=4, local=1) and not Ranks.from_environment().is_main
        monkeypatch.setenv("RANK", "first")
        with pytest.raises(InputError, match="whole numbers"):
            Ranks.from_environment()


@pytest.mark.parametrize(
    "wrong",
    [
        *({"width": 33}, {"steps": 0}, {"time_width": 7}, {"precision": "fp8"}, {"small_t": 1.5}, {"dropout": 1.0}),
        *({"ema": 1.0}, {"learning_rate": 0.0}, {"check_every": -1}, {"check_poses": 0}, {"small_t_end": 0.0}),
    ],
    ids=str,
)
def test_invalid_options_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        TrainOptions(**wrong)


class _InterruptedError(Exception):
    pass


def _interrupt() -> None:
    raise _InterruptedError


def _train(*words: str) -> None:
    """Run the command line in this process."""
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.stderr


def _start(*words: str) -> subprocess.Popen[bytes]:
    """Start the command line in a process of its own."""
    quiet = subprocess.DEVNULL
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-m", "zedo_cli", *words], stdout=quiet, stderr=quiet, env=environment)
