"""Training by the paper's protocol: windows of a data set, the command on small files in its forms, and evaluation."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets_h36m as h36m
import numpy as np
import pytest
import torch
from datasets_other import mpi_items, people, write_pickle
from h36m_cases import write_videopose, write_zedo
from train_cases import CPU
from typer.testing import CliRunner

from zedo_cli.app import app
from zedo_core.data import Samples
from zedo_core.errors import FormatError, InputError
from zedo_core.methods.diff3dhpe.loss import PAPER_LOSS
from zedo_core.methods.diff3dhpe.protocol import PROTOCOLS, ProtocolOptions, ProtocolTask, load_splits, steps_of
from zedo_core.methods.diff3dhpe.recorded import RecordedWindows
from zedo_core.methods.diff3dhpe.weights import load_weights
from zedo_core.nets.mixste import MixSTEConfig
from zedo_core.skeleton import H36M17
from zedo_core.train.loop import rate_factor
from zedo_core.train.task import Task
from zedo_core.train.training import train

SMALL = ("--width", 8, "--depth", 1, "--batch", 2, "--check-every", 0, "--check-windows", 2, "--device", "cpu")
SIZES = MixSTEConfig(frames=5, width=8, depth=1, heads=2, time_width=8)
TINY = ProtocolOptions(net=SIZES, batch=3, steps=6, check_every=0, check_windows=3)


def samples_of(frames: list[int], sequence: list[int], fps: float | None = 50.0) -> Samples:
    """Bodies that differ from frame to frame, seen by a camera."""
    n = len(frames)
    points = np.random.default_rng(0).normal((0, 0, 5), 0.4, (n, 17, 3))
    K = np.tile([[1000.0, 0, 500], [0, 1100, 400], [0, 0, 1]], (n, 1, 1))
    image = points @ K[0].T
    confidence = np.where(np.arange(17) == 9, 0.0, 1.0) * np.ones((n, 1))
    return Samples(
        name="some", joints_cam=points, xy=image[..., :2] / image[..., 2:], confidence=confidence, K=K,
        sequence=np.array(sequence), sequences=("a", "b"), frame=np.array(frames), action=np.zeros(n, int),
        actions=("x",), fps=fps,
    )  # fmt: skip


class TestWindows:
    def test_frames_of_a_window(self) -> None:
        """Three frames around each; frame 3 of the first sequence is missing, and its neighbour does not replace it."""
        samples = samples_of([0, 1, 2, 4, 0, 1], [0, 0, 0, 0, 1, 1])
        pairs = RecordedWindows.from_samples(samples, 3, 0.0, CPU).draw(200, torch.Generator().manual_seed(0))
        expected = {
            0: (None, 0, 1), 1: (0, 1, 2), 2: (1, 2, None), 3: (None, 3, None), 4: (None, 4, 5), 5: (4, 5, None),
        }  # fmt: skip
        poses = torch.from_numpy(samples.joints_cam - samples.joints_cam[:, :1]).float()
        seen = set()
        for pose, known in zip(pairs.poses, pairs.known, strict=True):
            middle = int((poses - pose[1]).abs().sum((1, 2)).argmin())
            seen.add(middle)
            assert known.tolist() == [row is not None for row in expected[middle]]
            for k, row in enumerate(expected[middle]):
                if row is not None:
                    torch.testing.assert_close(pose[k], poses[row])
        assert seen == set(range(6)) and pairs.step_s.tolist() == pytest.approx([0.02] * 200)

    def test_keypoints_are_slopes(self) -> None:
        samples = samples_of([0], [0])
        pairs = RecordedWindows.from_samples(samples, 1, 0.0, CPU).draw(1, torch.Generator())
        true = samples.joints_cam[0, :, :2] / samples.joints_cam[0, :, 2:]
        seen = np.arange(17) != 9
        np.testing.assert_allclose(pairs.slopes[0, 0].numpy()[seen], true[seen], rtol=0, atol=1e-5)
        assert pairs.confidence[0, 0].tolist() == seen.tolist() and pairs.slopes[0, 0, 9].tolist() == [0.0, 0.0]

    def test_mirror_images(self) -> None:
        samples = samples_of([0, 1, 2, 3, 4], [0] * 5)
        one, other = (
            RecordedWindows.from_samples(samples, 3, share, CPU).draw(20, torch.Generator().manual_seed(1))
            for share in (0.0, 1.0)
        )
        joints = list(H36M17.mirror)
        assert joints != list(range(17))
        torch.testing.assert_close(other.poses, one.poses[:, :, joints] * torch.tensor([-1.0, 1, 1]))
        torch.testing.assert_close(other.slopes, one.slopes[:, :, joints] * torch.tensor([-1.0, 1]))
        torch.testing.assert_close(other.confidence, one.confidence[:, :, joints])

    def test_files_with_every_fifth_frame(self) -> None:
        samples = samples_of([1, 6, 11, 16, 1, 6], [0, 0, 0, 0, 1, 1])
        windows = RecordedWindows.from_samples(samples, 3, 0.0, CPU)
        assert windows.stride == 5 and windows.step_s == pytest.approx(0.1)
        pairs = windows.draw(50, torch.Generator().manual_seed(0))
        assert pairs.known.all(1).any()


class TestOptions:
    def test_as_in_the_paper(self) -> None:
        options = ProtocolOptions()
        assert (options.net.width, options.net.depth, options.net.heads, options.net.frames) == (512, 8, 8, 243)
        assert options.loss == PAPER_LOSS and options.batch == 64 and options.net.drop_path == 0.1
        epochs = [4e-4 * rate_factor(step, replace(options, steps=2000)) for step in (0, 10, 1000, 2000)]
        assert epochs == pytest.approx([4e-4, 4e-4 * 0.99, 4e-4 * 0.99**100, 4e-4 * 0.99**200])
        assert {name: p.frames for name, p in PROTOCOLS.items()} == {
            "h36m-gt": 243, "h36m-cpn": 243, "h36m-sh": 243, "3dhp-gt": 27,
        }  # fmt: skip

    def test_200_epochs(self) -> None:
        assert steps_of(samples_of(list(range(100)), [0] * 100), frames=9, batch=4) == 200 * 3

    def test_bad_options(self) -> None:
        for bad in ({"flip": 2.0}, {"check_windows": 0}):
            with pytest.raises(InputError, match="expected"):
                ProtocolOptions(**bad)  # type: ignore[arg-type]


class TestTask:
    def run(self, out: Path, options: ProtocolOptions = TINY, **more: Any) -> dict[str, Any]:
        training, test = samples_of(list(range(40)), [0] * 40), samples_of(list(range(9)), [0] * 9)
        return train(
            lambda on: ProtocolTask.from_samples("h36m-gt", training, test, options, on), out, options, device=CPU,
            **more,
        )  # fmt: skip

    def test_all_files(self, tmp_path: Path) -> None:
        record = self.run(tmp_path, replace(TINY, check_every=3))
        assert record["protocol"] == "h36m-gt" and record["data"]["frames"] == 40 and record["data"]["test_frames"] == 9
        assert (
            set(record["result"]["task"]) == {"mpjpe_mm", "mpjpe_5_mm", "acceleration_mm"} == set(ProtocolTask.errors)
        )
        loaded = load_weights(tmp_path)
        assert loaded.rates_hz == pytest.approx((50.0, 50.0)) and not loaded.guided

    def test_it_learns(self, tmp_path: Path) -> None:
        """The same 40 frames again and again; what is learnt is more than their mean."""
        samples = samples_of(list(range(40)), [0] * 40)
        options = replace(TINY, steps=300, batch=16, learning_rate=5e-3, ema=0.9, flip=0.0)
        task = ProtocolTask.from_samples("h36m-gt", samples, samples, options, CPU)
        assert isinstance(task, Task)
        before = task.measure(task.net)["mpjpe_mm"]
        train(lambda _: task, tmp_path, options, device=CPU)
        assert task.measure(task.net)["mpjpe_mm"] < 0.7 * before

    def test_resuming_equals_unbroken(self, tmp_path: Path) -> None:
        class StopError(Exception):
            pass

        def stop(step: int) -> None:
            if step == 4:
                raise StopError

        self.run(tmp_path / "whole")
        with pytest.raises(StopError):
            self.run(tmp_path / "parts", save_every_s=0.0, on_step=stop)
        self.run(tmp_path / "parts", resume=True)
        whole, parts = ((tmp_path / name / "diff3dhpe.safetensors").read_bytes() for name in ("whole", "parts"))
        assert whole == parts


def studio() -> h36m.Studio:
    """Human3.6M with both splits."""
    train_part, test_part = h36m.make_studio("train"), h36m.make_studio("test")
    return h36m.Studio(takes=train_part.takes | test_part.takes, lenses=train_part.lenses | test_part.lenses)


def zedo_command(*words: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [str(word) for word in words])
    return result.exit_code, result.stdout, result.stderr


class TestCommand:
    @pytest.mark.parametrize("name", ["h36m-gt", "h36m-cpn"])
    def test_human36m_from_training_to_the_table_of_actions(self, name: str, tmp_path: Path) -> None:
        write_videopose(tmp_path, studio())
        out, input = tmp_path / "weights", "gt" if name == "h36m-gt" else "detected"
        given = ("--protocol", name, "--data", tmp_path, "--frames", 81, "--steps", 2, "--out", out, *SMALL, "--json")
        code, stdout, stderr = zedo_command("train", "diff3dhpe", *given)
        assert code == 0, stderr
        record = json.loads(stdout)
        assert record["options"]["net"]["frames"] == 81 and record["options"]["learning_rate"] == 4e-4
        assert record["data"]["frames"] == 5 * 4 * (6 + 7 + 8)  # five subjects, four cameras, three takes
        given = ("--dataset", "h36m", "--data", tmp_path, "--input", input, "--method", "diff3dhpe", "--weights", out)
        code, _, stderr = zedo_command("eval", *given, "--hypo", "1", "--out", tmp_path / "eval", "--device", "cpu")
        assert code == 0, stderr
        lines = (tmp_path / "eval" / "results.md").read_text().splitlines()
        actions = {line.split("|")[1].strip(): line.split("|")[2:-1] for line in lines if line.startswith("| ")}
        assert {"Directions", "Photo", "Walking", "WalkDog"} <= set(actions)
        means = [float(actions[action][1]) for action in ("Directions", "Photo", "Walking", "WalkDog")]
        mean = actions["mean of the actions"]
        assert float(mean[1]) == pytest.approx(np.mean(means), abs=0.06)
        assert float(mean[-1]) == {"h36m-gt": 24.2, "h36m-cpn": 42.0}[name]  # published

    def test_the_hourglass(self, tmp_path: Path) -> None:
        """In pickles its detections of both splits are in one file."""
        parts = {split: h36m.entries(h36m.make_studio(split)) for split in ("train", "test")}
        for split, rows in parts.items():
            h36m.dump(tmp_path / f"h36m_{split}.pkl", rows)
        detections = {split: h36m.detections(rows) for split, rows in parts.items()}
        h36m.dump(tmp_path / "h36m_sh_dt_ft.pkl", detections)
        training, test = load_splits(PROTOCOLS["h36m-sh"], tmp_path)
        truth, _ = load_splits(PROTOCOLS["h36m-gt"], tmp_path)
        assert len(training) == len(parts["train"]) and {name[2:4] for name in test.sequences} == {"09", "11"}
        assert training.fps == 50.0 and 1 < np.linalg.norm(training.xy - truth.xy, axis=-1).mean() < 40

    def test_mpi_inf_3dhp(self, tmp_path: Path) -> None:
        for split, count, name in (("train", 12, "S1"), ("test", 6, "TS1")):
            crowd = people(count, (1500.0, 1500.0, 1000.0, 1000.0), None)
            ids = [f"{name}/img_{i:06d}.jpg" for i in range(1, count + 1)]
            write_pickle(tmp_path / f"mpii3d_{split}.pkl", mpi_items(crowd, ids, [1] * count, [1] * count))
        given = ("--protocol", "3dhp-gt", "--data", tmp_path, "--steps", 2, "--out", tmp_path / "out", *SMALL, "--json")
        code, stdout, stderr = zedo_command("train", "diff3dhpe", *given)
        assert code == 0, stderr
        record = json.loads(stdout)
        assert record["data"]["frames"] == 12 and record["options"]["net"]["frames"] == 27

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (("--protocol", "h36m"), "no protocol 'h36m'; expected one of h36m-gt, h36m-cpn, h36m-sh, 3dhp-gt"),
            (("--protocol", "h36m-sh"), "expected one npz of keypoints with 'sh' in its name, such as data_2d_h36m_sh"),
            (("--protocol", "3dhp-gt"), "expected mpii3d_train.pkl of MPI-INF-3DHP"),
            (("--protocol", "h36m-gt", "--noise", 0), "--noise: expected no such option with --protocol"),
            (("--protocol", "h36m-gt", "--from", "diff3dhpe"), "--from: expected no such option with --protocol"),
            (("--protocol", "h36m-gt", "--width", 9), "a width that is a multiple of the heads"),
            (("--protocol", "h36m-gt", "--data", "other"), "got 2 paths"),
        ],
    )
    def test_bad_input_is_one_line(self, tmp_path: Path, words: tuple[object, ...], message: str) -> None:
        write_videopose(tmp_path, h36m.make_studio("train"))
        given = ("--data", tmp_path, "--out", tmp_path / "out", "--device", "cpu", *words)
        code, _, stderr = zedo_command("train", "diff3dhpe", *given)
        assert code in (1, 2) and message in " ".join(stderr.split()) and "Traceback" not in stderr

    def test_a_missing_split(self, tmp_path: Path) -> None:
        write_zedo(tmp_path, h36m.make_studio("train"), "train")
        with pytest.raises(FormatError, match="S9"):
            load_splits(PROTOCOLS["h36m-gt"], tmp_path)
