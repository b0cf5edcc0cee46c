"""What is to be evaluated: the samples, the settings, and how the two are written down."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from zedo_core.errors import InputError
from zedo_core.lifting import DEFAULT_WEIGHTS
from zedo_core.methods.zedo import MAX_HYPOTHESES, PRESETS, ZedoOptions, preset

METHODS = ("zedo",)
ABLATIONS = ("ro", "wu", "ra", "init", "iterations", "hypo")


@dataclass(frozen=True, kw_only=True)
class EvalRequest:
    """What to evaluate on what. Every field but `device` and `gallery` is part of the result's identity."""

    dataset: str = "mocap"
    data: Path | None = None  # folder or file of the data set; None is the sample in the package (mocap)
    split: str = "test"
    protocol: str = "full"  # or `paper`: every 640th (h36m), 3rd (3dhp), 35th (3dpw) sample, all of ski
    every: int = 1  # keep every n-th sample, after the protocol
    input: str = "gt"  # or `detected`, where the data set has it
    noise_px: float = 0.0  # standard deviation added to the keypoints
    drop: float = 0.0  # share of the joints that are hidden
    method: str = "zedo"
    preset: str = "default"
    iterations: int | None = None  # other network calls than the preset's, at the same sum of steps
    hypotheses: tuple[int, ...] = (1, 10)
    ablate: tuple[str, ...] = ()
    weights: str = DEFAULT_WEIGHTS
    ra_weights: str | None = None  # weights trained with rotation augmentation, for the ablation `ra`
    seed: int = 0
    device: str = "auto"
    gallery: int = 0  # cases of each kind on the page

    def __post_init__(self) -> None:
        _one_of("method", self.method, METHODS)
        _one_of("protocol", self.protocol, ("full", "paper"))
        _one_of("input", self.input, ("gt", "detected"))
        _one_of("preset", self.preset, tuple(PRESETS))
        for name in self.ablate:
            _one_of("ablation", name, ABLATIONS)
        if not self.hypotheses or any(not 1 <= count <= MAX_HYPOTHESES for count in self.hypotheses):
            raise InputError(f"expected numbers of hypotheses from 1 to {MAX_HYPOTHESES}, got {self.hypotheses}")
        if self.every < 1 or self.gallery < 0 or self.noise_px < 0 or not 0 <= self.drop < 1:
            raise InputError(
                "expected every >= 1, gallery >= 0, noise >= 0 and drop from 0 to below 1, got "
                f"{self.every}, {self.gallery}, {self.noise_px:g} and {self.drop:g}"
            )

    @property
    def options(self) -> ZedoOptions:
        """The method's settings."""
        return preset(self.preset, self.iterations)

    @property
    def identity(self) -> dict[str, Any]:
        """What the results depend on, as JSON can hold it."""
        plain = asdict(self)
        for name in ("device", "gallery"):
            plain.pop(name)
        return {name: str(value) if isinstance(value, Path) else value for name, value in plain.items()}


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One run of the method over all samples, a row of a table."""

    table: str  # `main` or the ablation it belongs to
    name: str
    hypotheses: int
    options: ZedoOptions
    weights: str
    start: str = "clusters"  # initial poses: `clusters`, `random` training poses, or `generated` by the prior
    missing: str = ""  # why it cannot be run
    published: dict[str, float] = field(default_factory=dict)  # the paper's numbers for this row, mm

    @property
    def key(self) -> str:
        """Name of the folder of its results: the same for settings that compute the same."""
        content = [self.hypotheses, asdict(self.options), self.weights, self.start]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]


def _one_of(what: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise InputError(f"no {what} '{value}'; expected one of {', '.join(known)}")
