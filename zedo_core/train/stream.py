"""What each step of a run is drawn from: all data, or a block of a stream, the next of which is read meanwhile."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from zedo_core.data.mixture import Mixture
from zedo_core.train.ranks import Ranks
from zedo_core.train.task import Task


@runtime_checkable
class Streamed(Task, Protocol):
    """A task that can draw from other motion capture."""

    @property
    def training_data(self) -> Mixture:
        """What it draws from."""
        ...

    def on(self, training_data: Mixture) -> Task:
        """The same task, its network and its checks included, that draws from other motion capture."""
        ...


@dataclass
class Blocks:
    """The task of each step: which block a step has depends on nothing but its number, so that runs can be resumed."""

    task: Task
    ranks: Ranks
    steps: int  # of the run
    number: int = -1
    current: Task | None = None
    coming: Future[Task] | None = None
    reader: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))

    def at(self, step: int) -> Task:
        """The task whose batch a step takes."""
        if not isinstance(self.task, Streamed) or (stream := self.task.training_data.stream) is None:
            return self.task
        number = step // stream.steps
        if self.current is None or number != self.number:
            follows = self.coming is not None and number == self.number + 1
            self.current = self.coming.result() if self.coming and follows else self._read(number)
            self.number = number
            more = (number + 1) * stream.steps < self.steps
            self.coming = self.reader.submit(self._read, number + 1) if more else None
        return self.current

    def _read(self, number: int) -> Task:
        assert isinstance(self.task, Streamed) and self.task.training_data.stream is not None
        block = number * self.ranks.world + self.ranks.rank
        if block == 0:  # which the task has
            return self.task
        return self.task.on(self.task.training_data.stream.block(block)[0])
