"""The optimiser in the loop: pull the pose onto the rays, denoise it slightly, and repeat (paper section 3.4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from zedo_core.diffusion.schedule import geometric_times, linear_times, relaxed_steps, reverse_schedule
from zedo_core.methods.observations import Observations, bounded_translation, solve_translation
from zedo_core.methods.zedo.options import ZedoOptions
from zedo_core.methods.zedo.prior import Prior
from zedo_core.nets.fused import FusedScore, fused_or_tabulated
from zedo_core.nets.tabulated import TabulatedScore

_NEAR_M = 0.1
Trace = Callable[[int, Tensor], None]


@dataclass(frozen=True)
class DenoisingSteps:
    """The prior's part of every iteration, computed once for all batches."""

    noise: TabulatedScore | FusedScore
    x_factors: list[float]
    noise_factors: list[float]

    @classmethod
    def from_prior(cls, prior: Prior, options: ZedoOptions) -> DenoisingSteps:
        """The steps of the schedule in `options`."""
        ends, count = (options.t_start, options.t_end), options.iterations
        if options.relaxation is None:
            schedule = reverse_schedule(prior.sde, linear_times(*ends, count), options.step)
        else:
            times, shares = geometric_times(*ends, count), linear_times(*options.relaxation, count)
            schedule = reverse_schedule(prior.sde, times, relaxed_steps(prior.sde, times, shares))
        noise = fused_or_tabulated(prior.net, schedule.times.to(next(prior.net.parameters())))
        return cls(noise, schedule.x_factor.tolist(), schedule.noise_factor.tolist())

    def __call__(self, pose: Float[Tensor, "b j 3"], i: int) -> Float[Tensor, "b j 3"]:
        """The pose after the i-th step."""
        return (self.x_factors[i] * pose).sub_(self.noise(pose, i), alpha=self.noise_factors[i])


def optimise_in_loop(
    denoise: DenoisingSteps,
    observed: Observations,
    pose: Float[Tensor, "b j 3"],
    T: Float[Tensor, "b 1 3"],
    bounds: Float[Tensor, "b 2"],
    options: ZedoOptions,
    trace: Trace | None = None,
) -> tuple[Float[Tensor, "b j 3"], Float[Tensor, "b 1 3"]]:
    """Optimised poses relative to the root and translations, in metres. Stays on the device.

    `pose` and `T` are the initial ones; `trace(i, pose)` is called after each iteration.
    """
    rays, weights, slopes = observed.rays, observed.weights, observed.slopes
    strength = observed.confidence[..., None] if options.weigh_rays else None
    warm_up = int(options.iterations * options.warm_up)
    previous = pose
    for i in range(options.iterations):
        if i >= warm_up:
            T = _translation(pose, slopes, weights, bounds, options)
        if options.outlier_rad is not None:
            trust = trust_in_rays(pose + T, slopes, options.outlier_rad)
            weights = observed.weights * trust**2
            strength = trust[..., None] * (observed.confidence[..., None] if options.weigh_rays else 1.0)
        denoised = denoise(pull_to_rays(pose, T, rays, strength), i)
        if trace is not None:
            trace(i, denoised)
        if not options.momentum or i in (0, options.iterations - 1):
            pose = denoised
        else:
            pose = torch.lerp(previous, denoised, 1.0 + options.momentum)
        previous = denoised
    return pose, T


def pull_to_rays(
    pose: Float[Tensor, "b j 3"],
    T: Float[Tensor, "b 1 3"],
    rays: Float[Tensor, "b j 3"],
    strength: Float[Tensor, "b j 1"] | None = None,
) -> Float[Tensor, "b j 3"]:
    """Move every joint to the nearest point of its ray, or the fraction `strength` of the way."""
    placed = pose + T
    on_ray = (placed * rays).sum(-1, keepdim=True) * rays
    if strength is None:
        return on_ray - T
    return torch.lerp(placed, on_ray, strength) - T


def trust_in_rays(
    placed: Float[Tensor, "b j 3"], slopes: Float[Tensor, "b j 2"], outlier_rad: float
) -> Float[Tensor, "b j"]:
    """Huber weight of each observation: 1 up to an angle of `outlier_rad` between joint and ray, then decreasing."""
    angle = (placed[..., :2] / placed[..., 2:].clamp_min(_NEAR_M) - slopes).norm(dim=-1)
    return (outlier_rad / angle.clamp_min(1e-9)).clamp(max=1.0)


def _translation(
    pose: Tensor, slopes: Tensor, weights: Tensor, bounds: Tensor, options: ZedoOptions
) -> Float[Tensor, "b 1 3"]:
    if not options.flip_negative_depth:
        return bounded_translation(pose, slopes, weights, bounds)
    T = solve_translation(pose, slopes, weights)
    return torch.where(T[..., 2:] < 0, -T, T)
