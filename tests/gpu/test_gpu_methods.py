"""ERD and Diff3DHPE on a GPU, and the training of every method there. By hand: pytest tests/gpu -s"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diff_cases import TINY as TINY_DENOISER
from train_cases import TINY, synthetic_mixture

import zedo_core as zedo
from zedo_core.data.mocap_clips import CAMERA, sample_keypoints
from zedo_core.methods.diff3dhpe.training import DenoiserTask
from zedo_core.methods.erd.training import LifterOptions, LifterTask
from zedo_core.methods.zedo.training import PriorTask
from zedo_core.nets.lifter import LifterConfig
from zedo_core.train.options import LoopOptions
from zedo_core.train.task import Task
from zedo_core.train.training import train

TINY_LIFTER = LifterOptions(lifter=LifterConfig(width=32), warmup=5, check_every=0, check_poses=20)
TASKS: dict[str, tuple[Callable[..., Task], LoopOptions]] = {
    "zedo": (PriorTask.from_mixture, TINY),
    "erd": (LifterTask.from_mixture, TINY_LIFTER),
    "diff3dhpe": (DenoiserTask.from_mixture, TINY_DENOISER),
}


@pytest.mark.parametrize("method", ["erd", "diff3dhpe"])
def test_the_same_poses_as_on_the_cpu(method: str) -> None:
    keypoints = sample_keypoints(300)
    on_cpu, on_gpu = (
        zedo.load_lifter(method=method, device=device).lift(keypoints, (CAMERA,), 5) for device in ("cpu", "cuda")
    )
    distance_mm = 1000 * np.linalg.norm(on_cpu.joints[:, 0] - on_gpu.joints[:, 0], axis=-1)
    print(f"\n{method}: median {np.median(distance_mm):.4f} mm, at most {distance_mm.max():.3f} mm")
    assert np.median(distance_mm) < 0.1 and np.quantile(distance_mm, 0.99) < 2


@pytest.mark.parametrize("method", list(TASKS))
def test_a_network_learns(method: str, tmp_path: Path) -> None:
    make, options = TASKS[method]
    options = replace(options, batch=32, steps=100, precision="bf16")

    def task(device: torch.device) -> Task:
        return make(synthetic_mixture(), options, device)

    losses: list[float] = []
    record = train(
        task, tmp_path, options, device=torch.device("cuda"), on_row=lambda row: losses.append(row.validation)
    )
    assert record["device"].startswith("cuda")
    untrained = task(torch.device("cuda"))
    assert losses[-1] < untrained.held_out_loss(untrained.net)
    assert list(tmp_path.glob("*.safetensors"))
