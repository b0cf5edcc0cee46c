"""The fused layers and the recordings for GPUs, as far as they show without one: Triton's interpreter, stand-ins."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from zedo_cases import people, tiny_lifter

from zedo_core.methods.zedo.recorded import Find, Recorded
from zedo_core.nets import fused
from zedo_core.nets.score_mlp import ScoreMLP, ScoreMLPConfig

INTERPRETED = """
import torch
from zedo_core.nets.fused import FusedScore, can_fuse
from zedo_core.nets.score_mlp import ScoreMLP, ScoreMLPConfig
from zedo_core.nets.tabled import TabledScore

torch.manual_seed(0)
for width, rows in ((64, 1), (128, 37), (256, 1030)):
    net = ScoreMLP(ScoreMLPConfig(width=width, time_width=8)).eval()
    for parameter in net.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)  # gains are not all 1, biases not all 0
    assert can_fuse(net)
    plain = TabledScore(net, torch.tensor([0.1, 0.02]))
    poses = torch.randn(rows, 17, 6)[..., ::2]  # not contiguous
    with torch.no_grad():
        for i in range(2):
            expected, got = plain(poses, i), FusedScore(plain)(poses, i)
            print(width, rows, i, float((got - expected).abs().max() / expected.abs().max()))
"""


def test_the_kernel_gives_the_numbers_of_plain_torch() -> None:
    """Rows and inputs that fill no tile, few and many rows; float16 keeps three digits of inputs, weights and layers.

    A group of two channels that are nearly alike magnifies rounding, hence the wider bound at width 64.
    """
    pytest.importorskip("triton", reason="torch brings Triton along on Linux only")
    done = subprocess.run(
        [sys.executable, "-c", INTERPRETED],
        env={**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    assert len(rows) == 6
    for width, _, _, off in rows:
        assert float(off) < (0.02 if width == "64" else 0.005), done.stdout


@pytest.mark.parametrize(("width", "fits"), [(64, True), (512, True), (1024, True), (96, False), (192, False)])
def test_forms_of_network_that_have_a_kernel(width: int, fits: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fused, "find_spec", lambda name: object())
    assert fused.can_fuse(ScoreMLP(ScoreMLPConfig(width=width, time_width=8))) == fits
    monkeypatch.setattr(fused, "find_spec", lambda name: None)
    assert not fused.can_fuse(ScoreMLP(ScoreMLPConfig(width=width, time_width=8)))


def doubled(calls: list[str]) -> Find:
    def function(x: Tensor) -> tuple[Tensor, ...]:
        calls.append("function")
        return (2 * x,)

    return function


def recorder(calls: list[str], factor: float = 2.0, error: Exception | None = None):
    def capture(function: Find, inputs: Sequence[Tensor]) -> Find:
        calls.append("capture")
        if error is not None:
            raise error

        def replay(*inputs: Tensor) -> tuple[Tensor, ...]:
            calls.append("replay")
            return (factor * inputs[0],)

        return replay

    return capture


def test_recorded_from_the_second_time_on_and_once_for_each_shape() -> None:
    calls: list[str] = []
    recorded = Recorded(doubled(calls), recorder(calls))
    for size in (3, 4, 3, 3, 4):
        x = torch.rand(size)
        torch.testing.assert_close(recorded(x), (2 * x,))
    record = ["function", "capture", "replay", "replay"]  # checked against the function
    assert calls == ["function", "function", *record, "replay", *record]


@pytest.mark.parametrize(
    ("capture", "said"),
    [(lambda calls: recorder(calls, error=RuntimeError("no graphs here\nat all")), "no graphs here"),
     (lambda calls: recorder(calls, factor=2.1), "other numbers")],
    ids=["fails", "differs"],
)  # fmt: skip
def test_without_a_recording_the_function_goes_on(capture, said: str, caplog: pytest.LogCaptureFixture) -> None:
    calls: list[str] = []
    recorded = Recorded(doubled(calls), capture(calls))
    for size in (3, 3, 4, 4, 3):
        x = torch.rand(size)
        torch.testing.assert_close(recorded(x), (2 * x,))
    assert calls.count("capture") == 1 and calls.count("replay") <= 1
    assert len(caplog.records) == 1 and said in caplog.text


def test_too_little_memory_for_a_recording_is_for_the_lifter_to_mend() -> None:
    recorded = Recorded(doubled([]), recorder([], error=torch.OutOfMemoryError("CUDA out of memory")))
    recorded(torch.rand(3))
    with pytest.raises(torch.OutOfMemoryError):
        recorded(torch.rand(3))


class _HostTraffic(TorchDispatchMode):
    """Notes what a GPU would wait for: values read by the host, sizes that depend on values, numbers from lists."""

    WAITS = ("_local_scalar_dense", "nonzero", "masked_select", "lift_fresh", "_to_copy", "item", "unique")

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[override]
        name = func.overloadpacket.__name__
        if name in self.WAITS:
            self.seen.append(name)
        return func(*args, **(kwargs or {}))


def test_the_host_takes_no_part_in_the_lifting_of_a_batch() -> None:
    """From the search over the loop to the choice: what is recorded may neither wait for the host nor copy from it."""
    lifter = tiny_lifter(relaxation=(0.7, 1.5))
    find, _ = lifter._finders(5, 2, 0)
    inputs = [torch.from_numpy(array).float() for array in people(4)]
    with torch.inference_mode():
        find(*inputs)
        with _HostTraffic() as traffic:
            find(*inputs)
        with _HostTraffic() as control:
            inputs[0][inputs[1] > 0.5].sum().item()
    assert traffic.seen == []
    assert control.seen
