"""How a lifting method is loaded, evaluated and timed: one `Method` in each folder here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from inspect import signature
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from zedo_core.camera import Camera
from zedo_core.errors import InputError
from zedo_core.methods.benchmark import BenchRequest, Workloads
from zedo_core.methods.protocol import Lifter
from zedo_core.weights import find_weights


@dataclass(frozen=True, kw_only=True)
class Trial:
    """Settings of an evaluation, from which a method derives its variants."""

    dataset: str = "mocap"
    data: Path | None = None  # the user's copy of the data set; None for the sample in the package
    input: str = "gt"  # 2D keypoints: `gt` or `detected`
    weights: str | None = None  # None for the method's default
    preset: str | None = None  # None for the method's default
    iterations: int | None = None  # network calls; None for the preset's
    hypotheses: tuple[int, ...] = (1, 10)
    ablate: tuple[str, ...] = ()
    ra_weights: str | None = None  # weights trained with rotation augmentation, for the ablation `ra`
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One way to run a method, a row in a table of an evaluation; equal `settings` give equal results."""

    table: str = "main"  # or the table of an ablation
    name: str
    hypotheses: int
    weights: str
    settings: dict[str, Any]  # all that the result depends on besides weights and hypotheses, JSON serialisable
    load: Callable[[str], Lifter]  # takes the name of a device
    calls: int | None = None  # network calls per hypothesis, where that is meaningful
    cost: float = 1.0  # of lifting one row, relative to other variants
    published: dict[str, float] = field(default_factory=dict)  # the paper's numbers for this row, mm
    missing: str = ""  # why it cannot be run


@dataclass(frozen=True, kw_only=True)
class Publication:
    """What is published of a folder of weights: its files, and a model card for those that have none."""

    files: tuple[Path, ...]
    card: str


@runtime_checkable
class FocalEstimate(Protocol):
    """A focal length estimated from the people in view."""

    def applied(self, camera: Camera) -> Camera:
        """The camera with this focal length, or unchanged if the estimate is too uncertain; `source` says which."""
        ...


@dataclass(frozen=True, kw_only=True)
class Method:
    """A method by name and how to load, evaluate and time it. Its functions import heavy modules only when called.

    `load(weights, device, **settings)` returns the lifter; all methods accept the settings `preset` (a name, None for
    the default) and `iterations` (network calls, None for the preset's). `variants(trial, joints)` are the rows of an
    evaluation on a data set with `joints` annotated joints: one in table `main` per number of hypotheses, then those
    of the ablations that the trial names. `estimate_focal(keypoints, camera, lifter, seed=, on_progress=)` is None
    for a method without it. `workloads(lifter, request)` is what the method adds to a benchmark.
    `options` is the dataclass of the settings, which `load` takes as the setting `options`; its fields are in the
    record of a result, and `with_iterations(n)` changes the number of network calls. None for a method that cannot be
    loaded with them. `publication(folder, licence, terms)` is what is published of a folder with `weights_file`; None
    for methods whose weights are not.
    """

    name: str
    summary: str  # one line for the user
    weights: str  # name of the default weights
    presets: tuple[str, ...]  # the first is the default
    most_hypotheses: int
    load: Callable[..., Lifter]
    variants: Callable[[Trial, int], Sequence[Variant]]
    options: type[Any] | None = None
    weights_kind: str = "lifter"  # of the weights that it loads, in the registry
    ablations: tuple[str, ...] = ()
    titles: Mapping[str, str] = field(default_factory=dict)  # titles of the ablations' tables
    estimate_focal: Callable[..., FocalEstimate] | None = None
    workloads: Callable[[Lifter, BenchRequest], Workloads] = Workloads
    weights_file: str = ""
    publication: Callable[[Path, str, str | None], Publication] | None = None

    def check(self, preset: str | None, weights: str | Path | None) -> None:
        """InputError for a preset, WeightsError for weights that are not there; nothing is loaded."""
        if preset is not None and preset not in self.presets:
            raise InputError(f"no preset '{preset}'; expected one of {', '.join(self.presets)}")
        if weights is not None:
            find_weights(weights, self.weights_kind)


def call_load(
    load: Callable[..., Lifter], name: str, weights: str | Path, device: str, settings: Mapping[str, Any]
) -> Lifter:
    """The lifter that `load` of the method `name` gives; InputError when it does not take one of the settings."""
    try:
        signature(load).bind(weights, device, **settings)
    except TypeError as error:
        raise InputError(f"{name}: {error}; expected settings of this method") from None
    return load(weights, device, **settings)
