"""Several inputs in one run: one that fails does not end it, and what failed is said at the end."""

from __future__ import annotations

import glob
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from zedo_core.errors import InputError, ZedoError
from zedo_core.keypoints import STDIN, split_part
from zedo_core.pipeline.finished import is_finished
from zedo_core.pipeline.models import Models, check_request
from zedo_core.pipeline.observe import OnProgress
from zedo_core.pipeline.request import InferReport, InferRequest
from zedo_core.pipeline.run import infer

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one input: a report, or the reason why there is none; neither where its results were there."""

    input: Path
    out: Path
    report: InferReport | None = None
    error: str | None = None

    @property
    def failures(self) -> tuple[tuple[str, str], ...]:
        """What failed and why: the input, or pictures in it that could not be read."""
        if self.error is not None:
            return ((str(self.input), self.error),)
        damaged = {} if self.report is None else self.report.damaged
        return tuple((str(self.input / name), reason) for name, reason in damaged.items())


def expand(words: Sequence[str | Path]) -> tuple[Path, ...]:
    """The inputs that are named, patterns (`clips/*.jpg`, `**/*.mp4`) replaced by what they fit, each once.

    A name that exists is taken as it is, whatever signs are in it, and so is FOLDER:PATTERN, one sequence of a folder.
    InputError when a pattern fits nothing.
    """
    found: dict[Path, None] = {}
    for word in words:
        named = Path(word).exists() or split_part(Path(word))[1] is not None or not glob.has_magic(str(word))
        fitting = [Path(word)] if named else _fitting(str(word))
        found |= dict.fromkeys(fitting)
    return tuple(found)


def _fitting(pattern: str) -> list[Path]:
    paths = sorted(Path(name) for name in glob.glob(pattern, recursive=True))
    if not paths:
        raise InputError(f"{pattern}: expected a file or folder that fits the pattern, found none; check the path")
    return paths


def folders(inputs: Sequence[Path], out: Path) -> tuple[Path, ...]:
    """The folder of each of several inputs: its name without the suffix, or more of its path where two would share it.

    A folder that two inputs would still share gets a number.
    """
    ways = [[way(path) for path in inputs] for way in _WAYS]
    taken: list[str] = []
    for i in range(len(inputs)):
        name = next((names[i] for names in ways if names.count(names[i]) == 1), ways[0][i])
        free = (name if n == 1 else f"{name}_{n}" for n in range(1, len(inputs) + 1))
        taken.append(next(candidate for candidate in free if candidate not in taken))
    return tuple(out / name for name in taken)


def _stem(path: Path) -> str:
    return "stdin" if path == STDIN else path.resolve().stem


def _name(path: Path) -> str:
    return "stdin" if path == STDIN else path.resolve().name.replace(".", "_")


def _stem_in_folder(path: Path) -> str:
    return f"{path.resolve().parent.name}_{_stem(path)}"


def _name_in_folder(path: Path) -> str:
    return f"{path.resolve().parent.name}_{_name(path)}"


_WAYS: tuple[Callable[[Path], str], ...] = (_stem, _name, _stem_in_folder, _name_in_folder)


def infer_all(
    requests: Sequence[InferRequest],
    resume: bool = False,
    on_progress: Callable[[Path], OnProgress] = lambda input: lambda stage, done, total: None,
) -> Iterator[Outcome]:
    """Run the requests, which differ in `input` and `out` alone, one after another and give each one's outcome.

    Networks are loaded once; what is missing for all of them (weights, a device, an option that is none) ends it at
    once. Whatever else goes wrong with one input is told in its outcome. `resume` leaves alone those that are finished.
    `on_progress` makes the callback of an input.
    """
    if not requests:
        return
    first = requests[0]
    if len(requests) > 1 and first.keypoints is not None:
        raise InputError("--keypoints: expected with one input only, whose keypoints they are; run the inputs apart")
    check_request(first)
    models = Models(first)
    _ = models.lifter
    for request in requests:
        if resume and is_finished(request):
            yield Outcome(input=request.input, out=request.out)
        else:
            yield _outcome(request, models, on_progress(request.input))


def _outcome(request: InferRequest, models: Models, on_progress: OnProgress) -> Outcome:
    outcome = Outcome(input=request.input, out=request.out)
    try:
        return replace(outcome, report=infer(request, on_progress, models=models))
    except ZedoError as error:
        return replace(outcome, error=str(error))
    except MemoryError:
        return replace(outcome, error="out of memory; try fewer hypotheses or a part of the input")
    except Exception as error:  # a fault of ours in one input is no reason to lose the others
        _log.debug("%s: unexpected", request.input, exc_info=True)
        return replace(outcome, error=f"unexpected {type(error).__name__}: {' '.join(str(error).split())}")
