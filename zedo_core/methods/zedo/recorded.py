"""Functions recorded as CUDA graphs: once per input shape, then replayed by a single launch.

Lifting a single image takes a few hundred small kernels, and launching them one by one takes longer than running them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

_log = logging.getLogger(__name__)
TensorFunction = Callable[..., tuple[Tensor, ...]]
_MAX_SHAPES = 16
_TOLERANCE = 1e-3


class Recorded:
    """A function of tensors that is recorded when an input shape occurs for the second time.

    Its results are valid until the next call. When recording fails, or the recording gives other numbers than the
    function, a warning is logged once and the function itself is used.
    """

    def __init__(
        self, function: TensorFunction, capture: Callable[[TensorFunction, Sequence[Tensor]], TensorFunction]
    ) -> None:
        self._function, self._capture = function, capture
        self._by_shape: dict[tuple[torch.Size, ...], TensorFunction | None] = {}
        self._works = True

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        shapes = tuple(x.shape for x in inputs)
        if shapes not in self._by_shape:
            if self._works and len(self._by_shape) < _MAX_SHAPES:
                self._by_shape[shapes] = None
            return self._function(*inputs)
        function = self._by_shape[shapes]
        if function is None:
            function = self._by_shape[shapes] = self._record(inputs)
        return function(*inputs)

    def _record(self, inputs: Sequence[Tensor]) -> TensorFunction:
        expected = self._function(*inputs)
        try:
            replay = self._capture(self._function, inputs)
            replayed = replay(*inputs)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            return self._give_up(str(error).partition("\n")[0])
        same = all(torch.allclose(a, b, atol=_TOLERANCE) for a, b in zip(expected, replayed, strict=True))
        return replay if same else self._give_up("the recording gives other numbers")

    def _give_up(self, reason: str) -> TensorFunction:
        _log.warning("lifting cannot be recorded as a CUDA graph on this device (%s); running it unrecorded", reason)
        self._works = False
        self._by_shape.update(dict.fromkeys(self._by_shape, self._function))
        return self._function


def capture(function: TensorFunction, inputs: Sequence[Tensor]) -> TensorFunction:
    """A CUDA graph of `function` for inputs of these shapes, as a function that copies in its inputs and replays it.

    Follows "CUDA semantics: CUDA graphs" of the PyTorch notes: one warm-up run on a side stream, then the capture.
    """
    static_inputs = [x.clone() for x in inputs]
    side_stream = torch.cuda.Stream()
    side_stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side_stream):
        function(*static_inputs)
    torch.cuda.current_stream().wait_stream(side_stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        results = function(*static_inputs)

    def replay(*new_inputs: Tensor) -> tuple[Tensor, ...]:
        for static, new in zip(static_inputs, new_inputs, strict=True):
            static.copy_(new)
        graph.replay()
        return results

    return replay
