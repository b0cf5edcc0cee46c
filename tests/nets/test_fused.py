"""The fused layers and the recordings for GPUs, tested without one: with Triton's interpreter and stand-ins."""

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

from zedo_core.methods.zedo.recorded import Recorded, TensorFunction
from zedo_core.nets import fused
from zedo_core.nets.score_mlp import ScoreMLP, ScoreMLPConfig

INTERPRETED = """
import torch
from zedo_core.nets.fused import FusedScore, can_fuse
from zedo_core.nets.score_mlp import ScoreMLP, ScoreMLPConfig
from zedo_core.nets.tabulated import TabulatedScore

torch.manual_seed(0)
for width, rows in ((64, 1), (128, 37), (256, 1030)):
    net = ScoreMLP(ScoreMLPConfig(width=width, time_width=8)).eval()
    for parameter in net.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)  # gains are not all 1, biases not all 0
    assert can_fuse(net)
    plain = TabulatedScore(net, torch.tensor([0.1, 0.02]))
    poses = torch.randn(rows, 17, 6)[..., ::2]  # not contiguous
    with torch.no_grad():
        for i in range(2):
            expected, got = plain(poses, i), FusedScore(plain)(poses, i)
            print(width, rows, i, float((got - expected).abs().max() / expected.abs().max()))
"""


def test_the_kernel_agrees_with_plain_torch() -> None:
    """Partially filled tiles, few and many rows; float16 keeps three digits of inputs, weights and layers.

    A group of two nearly equal channels magnifies rounding, hence the wider bound at width 64.
    """
    pytest.importorskip("triton", reason="torch installs Triton only on Linux")
    done = subprocess.run(
        [sys.executable, "-c", INTERPRETED],
        env={**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    assert len(rows) == 6
    for width, _, _, error in rows:
        assert float(error) < (0.02 if width == "64" else 0.005), done.stdout


@pytest.mark.parametrize(("width", "expected"), [(64, True), (512, True), (1024, True), (96, False), (192, False)])
def test_sizes_that_the_kernel_supports(width: int, expected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fused, "find_spec", lambda name: object())
    assert fused.can_fuse(ScoreMLP(ScoreMLPConfig(width=width, time_width=8))) == expected
    monkeypatch.setattr(fused, "find_spec", lambda name: None)
    assert not fused.can_fuse(ScoreMLP(ScoreMLPConfig(width=width, time_width=8)))


def doubled(calls: list[str]) -> TensorFunction:
    def function(x: Tensor) -> tuple[Tensor, ...]:
        calls.append("function")
        return (2 * x,)

    return function


def recorder(calls: list[str], factor: float = 2.0, error: Exception | None = None):
    def capture(function: TensorFunction, inputs: Sequence[Tensor]) -> TensorFunction:
        calls.append("capture")
        if error is not None:
            raise error

        def replay(*inputs: Tensor) -> tuple[Tensor, ...]:
            calls.append("replay")
            return (factor * inputs[0],)

        return replay

    return capture


def test_functions_are_recorded_on_the_second_call_with_each_shape() -> None:
    calls: list[str] = []
    recorded = Recorded(doubled(calls), recorder(calls))
    for size in (3, 4, 3, 3, 4):
        x = torch.rand(size)
        torch.testing.assert_close(recorded(x), (2 * x,))
    record = ["function", "capture", "replay", "replay"]  # the recording is compared with the function
    assert calls == ["function", "function", *record, "replay", *record]


@pytest.mark.parametrize(
    ("capture", "warning"),
    [(lambda calls: recorder(calls, error=RuntimeError("no graphs here\nat all")), "no graphs here"),
     (lambda calls: recorder(calls, factor=2.1), "other numbers")],
    ids=["fails", "differs"],
)  # fmt: skip
def test_the_function_is_used_when_recording_fails(capture, warning: str, caplog: pytest.LogCaptureFixture) -> None:
    calls: list[str] = []
    recorded = Recorded(doubled(calls), capture(calls))
    for size in (3, 3, 4, 4, 3):
        x = torch.rand(size)
        torch.testing.assert_close(recorded(x), (2 * x,))
    assert calls.count("capture") == 1 and calls.count("replay") <= 1
    assert len(caplog.records) == 1 and warning in caplog.text


def test_an_out_of_memory_error_is_left_to_the_lifter() -> None:
    recorded = Recorded(doubled([]), recorder([], error=torch.OutOfMemoryError("CUDA out of memory")))
    recorded(torch.rand(3))
    with pytest.raises(torch.OutOfMemoryError):
        recorded(torch.rand(3))


class _HostTraffic(TorchDispatchMode):
    """Records operations that synchronise a GPU: values read by the host, value-dependent sizes, copied numbers."""

    SYNCHRONISING = ("_local_scalar_dense", "nonzero", "masked_select", "lift_fresh", "_to_copy", "item", "unique")

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[override]
        name = func.overloadpacket.__name__
        if name in self.SYNCHRONISING:
            self.seen.append(name)
        return func(*args, **(kwargs or {}))


def test_lifting_a_batch_does_not_involve_the_host() -> None:
    """The recorded functions, from the search to the selection, may neither wait for the host nor copy from it."""
    lifter = tiny_lifter(relaxation=(0.7, 1.5))
    find, _ = lifter._batch_functions(5, 2, 0)
    inputs = [torch.from_numpy(array).float() for array in people(4)]
    with torch.inference_mode():
        find(*inputs)
        with _HostTraffic() as traffic:
            find(*inputs)
        with _HostTraffic() as control:
            inputs[0][inputs[1] > 0.5].sum().item()
    assert traffic.seen == []
    assert control.seen
