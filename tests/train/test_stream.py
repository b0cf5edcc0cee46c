"""Training on blocks of motion capture that is larger than memory, by one process and by several machines."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import diff_cases
import numpy as np
import pytest
import torch
from train_cases import CPU, TINY, synthetic_motions
from typer.testing import CliRunner

from zedo_core.data.mixture import Mixture
from zedo_core.data.training import stream_mixture
from zedo_core.methods.diff3dhpe.training import DenoiserTask
from zedo_core.methods.erd.regressors import DescentOptions, RegressorTask
from zedo_core.methods.erd.training import LifterOptions, LifterTask
from zedo_core.methods.zedo.training import PriorTask, train_prior
from zedo_core.nets.lifter import LifterConfig
from zedo_core.skeleton import H36M17
from zedo_core.train.loop import Run
from zedo_core.train.ranks import Ranks
from zedo_core.train.stream import Blocks
from zedo_core.train.task import Task

SIZE = ("--width", "64", "--blocks", "1", "--batch", "8", "--check-every", "0", "--device", "cpu")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six files of 20 frames, those of file i at height 10 i."""
    (tmp_path / "shards").mkdir()
    for i in range(6):
        positions = synthetic_motions().positions[:20] + np.array([0, 10 * i, 0], np.float32)
        np.savez(tmp_path / f"shards/{i}.npz", positions=positions)
    return tmp_path / "shards"


def streamed(folder: Path, steps: int) -> Mixture:
    """Blocks of two files, each for so many steps."""
    mixture, _ = stream_mixture([(folder, 1.0)], H36M17, 40, 0)
    assert mixture.stream is not None and mixture.stream.blocks == 3
    return replace(mixture, stream=replace(mixture.stream, steps=steps))


def lifter_task(mixture: Mixture) -> LifterTask:
    return LifterTask.from_mixture(mixture, LifterOptions(lifter=LifterConfig(width=32, blocks=1)), CPU)


def regressor_task(mixture: Mixture) -> RegressorTask:
    from zedo_core.methods.erd.descent import Descent

    lifter, options = lifter_task(mixture), DescentOptions()
    fixed = Descent(lifter.net, options.features, 0, options.width)
    return RegressorTask(fixed.new_regressor(), fixed, lifter, options, 1)


@pytest.mark.parametrize(
    "make",
    [
        lambda mixture: PriorTask.from_mixture(mixture, TINY, CPU),
        lifter_task,
        regressor_task,
        lambda mixture: DenoiserTask.from_mixture(mixture, diff_cases.TINY, CPU),
    ],
)
def test_every_task_draws_from_the_block_of_its_step(folder: Path, make: Callable[[Mixture], Task]) -> None:
    task, generator = make(streamed(folder, 5)), torch.Generator()
    blocks = Blocks(task, Ranks(), 100)
    first = blocks.at(0).batch(generator.manual_seed(0))
    same, later, again = (blocks.at(step).batch(generator.manual_seed(0)) for step in (4, 5, 15))
    different = [not torch.equal(a, b) for a, b in zip(first, later, strict=True)]
    assert all(torch.equal(a, b) for a, b in zip(first, same, strict=True)) and any(different)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))  # the next epoch
    assert task.net is blocks.at(5).net  # type: ignore[union-attr]


def test_processes_have_different_blocks(folder: Path) -> None:
    task, generator = PriorTask.from_mixture(streamed(folder, 5), TINY, CPU), torch.Generator()
    one, two = (Blocks(task, Ranks(rank, 2), 100).at(0).batch(generator.manual_seed(0))[0] for rank in (0, 1))
    assert not torch.equal(one, two)


def test_a_resumed_run_equals_an_uninterrupted_one(folder: Path, tmp_path: Path) -> None:
    """Bit for bit, over several blocks."""
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    train_prior(streamed(folder, 4), whole, TINY, device=CPU)
    step = Run.advance
    with pytest.MonkeyPatch.context() as patch, pytest.raises(InterruptedError):

        def interrupt(run: Run) -> None:
            if run.step == 11:
                raise InterruptedError
            step(run)

        patch.setattr(Run, "advance", interrupt)
        train_prior(streamed(folder, 4), broken, TINY, device=CPU, save_every_s=0.0)
    train_prior(streamed(folder, 4), broken, TINY, device=CPU, resume=True)
    assert (whole / "prior.safetensors").read_bytes() == (broken / "prior.safetensors").read_bytes()


def test_a_file_that_disappears_is_one_line(folder: Path, tmp_path: Path) -> None:
    from zedo_core.errors import FormatError

    mixture = streamed(folder, 4)
    for path in folder.iterdir():
        if path.name != mixture.stream.chunks[0][0][0].path.name:  # type: ignore[union-attr]
            path.unlink()
    with pytest.raises(FormatError, match="no such file; expected motion capture as an npz, npy or Parquet"):
        train_prior(mixture, tmp_path / "a", TINY, device=CPU)


@pytest.mark.parametrize(
    "words",
    [
        ("prior", *SIZE, "--steps", "3"),
        ("erd", *SIZE, "--steps", "3", "--regressors", "1", "--regressor-steps", "2", "--check-poses", "5"),
        ("diff3dhpe", "--guide", "none", "--frames", "9", "--width", "16", "--depth", "1", "--steps", "2"),
    ],
)
def test_commands(folder: Path, tmp_path: Path, words: tuple[str, ...]) -> None:
    from zedo_cli.app import app

    common = ("--data", str(folder), "--out", str(tmp_path / "out"), "--stream", "40", "--device", "cpu", "--json")
    result = CliRunner().invoke(app, ["train", *words, *common])
    assert result.exit_code == 0, result.stderr
    assert "120 poses in 6 files and row groups, in 3 blocks" in " ".join(result.stderr.split())
    assert json.loads(result.stdout)["data"]["sources"][0]["frames"] == 120
    refused = CliRunner().invoke(app, ["train", *words, *common, "--split", "train"])
    assert refused.exit_code == 2 and "leave --split out" in " ".join(refused.stderr.split())


def test_two_machines(folder: Path, tmp_path: Path) -> None:
    """Two launchers on loopback, as on two machines, with a process each."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    nodes = ("--nnodes", "2", "--nproc-per-node", "1", "--master-addr", "127.0.0.1", "--master-port", str(port))
    words = ("--data", str(folder), "--stream", "40", *SIZE, "--steps", "4", "--json", "--out", str(tmp_path / "out"))
    launched = [
        subprocess.Popen(
            [
                *(sys.executable, "-m", "torch.distributed.run", *nodes, "--node-rank", str(rank)),
                *("-m", "zedo_cli", "train", "prior", *words),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        for rank in (0, 1)
    ]
    outputs = [process.communicate(timeout=240) for process in launched]
    assert [process.returncode for process in launched] == [0, 0], outputs
    assert json.loads(outputs[0][0])["processes"] == 2 and not outputs[1][0]
