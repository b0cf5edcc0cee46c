"""Work on a GPU as a CUDA graph: recorded once for each shape, then started by a single launch.

A single picture is a few hundred small kernels, and starting them one by one takes longer than they do.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

_log = logging.getLogger(__name__)
Find = Callable[..., tuple[Tensor, ...]]
_MOST_SHAPES = 16
_TOLERANCE = 1e-3


class Recorded:
    """A function of tensors that is recorded when a shape of input comes for the second time.

    What it returns is valid until the next call. Where recording fails, or a recording gives other
    numbers than the function, the function itself goes on; that is said once.
    """

    def __init__(self, function: Find, capture: Callable[[Find, Sequence[Tensor]], Find]) -> None:
        self._function, self._capture = function, capture
        self._ways: dict[tuple[torch.Size, ...], Find | None] = {}
        self._works = True

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        shapes = tuple(x.shape for x in inputs)
        if shapes not in self._ways:
            if self._works and len(self._ways) < _MOST_SHAPES:
                self._ways[shapes] = None
            return self._function(*inputs)
        way = self._ways[shapes]
        if way is None:
            way = self._ways[shapes] = self._record(inputs)
        return way(*inputs)

    def _record(self, inputs: Sequence[Tensor]) -> Find:
        expected = self._function(*inputs)
        try:
            replay = self._capture(self._function, inputs)
            found = replay(*inputs)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            return self._without(str(error).partition("\n")[0])
        same = all(torch.allclose(a, b, atol=_TOLERANCE) for a, b in zip(expected, found, strict=True))
        return replay if same else self._without("the recording gives other numbers")

    def _without(self, reason: str) -> Find:
        _log.warning("the lifting cannot be recorded on this device (%s); going on without", reason)
        self._works = False
        self._ways.update(dict.fromkeys(self._ways, self._function))
        return self._function


def capture(function: Find, inputs: Sequence[Tensor]) -> Find:
    """A CUDA graph of `function` for inputs of these shapes, as a function that copies its inputs and replays it.

    Follows "CUDA semantics: CUDA graphs" of the PyTorch notes: one warm-up run on a side stream, then the capture.
    """
    held = [x.clone() for x in inputs]
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        function(*held)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        results = function(*held)

    def replay(*new: Tensor) -> tuple[Tensor, ...]:
        for here, x in zip(held, new, strict=True):
            here.copy_(x)
        graph.replay()
        return results

    return replay
