"""The request of an evaluation: the samples, and the method with its settings."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from zedo_core.errors import InputError
from zedo_core.methods import DEFAULT_METHOD, Trial, get_method
from zedo_core.nets.device import check_device

HYPOTHESES = "hypo"  # an ablation of every method


@dataclass(frozen=True, kw_only=True)
class EvalRequest(Trial):
    """What to evaluate. Every field except `device` and `gallery` is part of the result's identity."""

    split: str = "test"
    protocol: str = "full"  # or `paper`: every 640th (h36m), 3rd (3dhp), 35th (3dpw) sample, all of ski
    every: int = 1  # use every n-th sample, after the protocol
    noise_px: float = 0.0  # standard deviation of noise added to the keypoints
    detector_noise: float = 0.0  # strength of noise like that of detectors, up to 10
    drop: float = 0.0  # fraction of the joints that are hidden
    method: str = DEFAULT_METHOD
    device: str = "auto"
    gallery: int = 0  # cases of each kind in the gallery

    def __post_init__(self) -> None:
        method = get_method(self.method)
        _check_choice("protocol", self.protocol, ("full", "paper"))
        _check_choice("input", self.input, ("gt", "detected"))
        method.check(self.preset, self.weights)
        check_device(self.device)
        for name in self.ablate:
            _check_choice("ablation", name, (*method.ablations, HYPOTHESES))
        limit = method.most_hypotheses
        if not self.hypotheses or any(not 1 <= count <= limit for count in self.hypotheses):
            raise InputError(f"expected numbers of hypotheses from 1 to {limit}, got {self.hypotheses}")
        if not 0 <= self.detector_noise <= 10:
            raise InputError(f"expected detector noise of a strength from 0 to 10, got {self.detector_noise:g}")
        if self.every < 1 or self.gallery < 0 or self.noise_px < 0 or not 0 <= self.drop < 1:
            raise InputError(
                "expected every >= 1, gallery >= 0, noise >= 0 and drop from 0 to below 1, got "
                f"{self.every}, {self.gallery}, {self.noise_px:g} and {self.drop:g}"
            )

    @property
    def identity(self) -> dict[str, Any]:
        """Everything that the results depend on, as JSON values."""
        method, fields = get_method(self.method), asdict(self)
        for name in ("device", "gallery"):
            fields.pop(name)
        fields |= {"weights": self.weights or method.weights, "preset": self.preset or method.presets[0]}
        return {name: str(value) if isinstance(value, Path) else value for name, value in fields.items()}


def _check_choice(what: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise InputError(f"no {what} '{value}'; expected one of {', '.join(known)}")
