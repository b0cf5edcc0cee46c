"""The interface between a method and the training loop."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

from torch import Generator, Tensor, nn


@runtime_checkable
class Task(Protocol):
    """A network to train, its data and its loss; everything is on one device.

    `errors` maps the names of what `measure` returns to the labels of their curves, `errors_title` is their title.
    """

    errors: ClassVar[Mapping[str, str]]
    errors_title: ClassVar[str]

    @property
    def net(self) -> nn.Module:
        """The network to train."""
        ...

    @property
    def objective(self) -> nn.Module:
        """The loss of a batch as a module that contains the network, as distributed training requires."""
        ...

    @property
    def identity(self) -> dict[str, str | None]:
        """Properties besides the options that have to be the same when a run is resumed."""
        ...

    def batch(self, generator: Generator) -> tuple[Tensor, ...]:
        """The inputs of `objective` for one step; nothing leaves the device."""
        ...

    def held_out_loss(self, net: Any) -> float:
        """The loss of a network on held-out data, comparable between calls."""
        ...

    def measure(self, net: Any) -> dict[str, float]:
        """Errors of the network's task on held-out data."""
        ...

    def save(self, net: Any, out: Path) -> None:
        """Write the trained network into `out`."""
        ...

    def record(self) -> dict[str, Any]:
        """Facts for the training record, JSON serialisable."""
        ...
