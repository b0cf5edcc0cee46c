"""What the prior has learnt, seen directly: poses drawn from it, completed by it, and cleaned of noise."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Generator, Tensor

from zedo_core.diffusion.sample import Predict, reverse, sampling_times, time_of_noise
from zedo_core.errors import InputError
from zedo_core.methods.zedo.checkpoint import Prior
from zedo_core.nets.tabled import TabledScore

STEPS = 200


@torch.inference_mode()
def generate(
    prior: Prior, count: int, *, seed: int = 0, steps: int = STEPS, stochastic: bool = True
) -> Float[Tensor, "count j 3"]:
    """Random poses in metres in camera axes, relative to the root; same seed, same poses.

    By the reverse SDE, or without its noise by the probability-flow ODE. InputError for a count or a
    number of steps below 1.
    """
    _check(count=count, steps=steps)
    times = sampling_times(steps)
    generator = torch.Generator().manual_seed(seed)
    noise = _noise(prior, (count, len(prior.skeleton), 3), generator) * float(prior.sde.std(times[0]))
    return reverse(_predict(prior, times), prior.sde, noise, times, generator if stochastic else None)


@torch.inference_mode()
def complete(
    prior: Prior, poses: Float[Tensor, "b j 3"], known: Bool[Tensor, "b j"], *, seed: int = 0, steps: int = STEPS
) -> Float[Tensor, "b j 3"]:
    """The poses with the joints that are not `known` drawn from the prior; the known ones stay as they are.

    `poses` in metres in camera axes relative to the root, which has to be known. The stochastic
    reverse SDE, in which the known joints are set to themselves with the noise of each time (Song et
    al. 2021, section 5; GFPose section 3.4). Another seed gives another completion. InputError when
    the root is missing.
    """
    _check(steps=steps)
    if not bool(known[:, prior.skeleton.root].all()):
        raise InputError(
            f"completion: expected every pose to have its {prior.skeleton.joints[prior.skeleton.root]}, to which the "
            "others are relative; leave out poses without"
        )
    times, sde = sampling_times(steps), prior.sde
    generator = torch.Generator().manual_seed(seed)
    given, there = torch.where(known[..., None], poses, 0.0), known[..., None]

    def constrain(x: Tensor, i: int) -> Tensor:
        noisy = float(sde.mean(times[i])) * given + float(sde.std(times[i])) * _noise(prior, x.shape, generator)
        return torch.where(there, noisy, x)

    noise = _noise(prior, poses.shape, generator) * float(sde.std(times[0]))
    drawn = reverse(_predict(prior, times), sde, noise, times, generator, constrain)
    return torch.where(there, poses, drawn)


@torch.inference_mode()
def denoise(
    prior: Prior, poses: Float[Tensor, "b j 3"], sigma_m: float, *, steps: int = STEPS
) -> Float[Tensor, "b j 3"]:
    """Poses with the noise taken off that has a standard deviation of `sigma_m` metres in each coordinate.

    The probability flow from the time that has that much noise; the same poses each time. InputError
    when sigma_m is not above 0 or larger than a body.
    """
    _check(steps=steps)
    if not 0 < sigma_m <= 1:
        raise InputError(f"expected noise above 0 and up to 1 m, got {sigma_m}")
    start = time_of_noise(prior.sde, sigma_m)
    times = sampling_times(steps, start)
    noisy = poses * float(prior.sde.mean(times[0]))
    return reverse(_predict(prior, times), prior.sde, noisy, times, None)


def _predict(prior: Prior, times: Float[Tensor, " n"]) -> Predict:
    like = next(prior.net.parameters())
    return TabledScore(prior.net, times.to(like))


def _noise(prior: Prior, shape: tuple[int, ...], generator: Generator) -> Tensor:
    """Drawn on the CPU, so that every device draws the same."""
    return torch.randn(shape, generator=generator).to(next(prior.net.parameters()))


def _check(**numbers: int) -> None:
    for name, number in numbers.items():
        if number < 1:
            raise InputError(f"expected at least 1 {'pose' if name == 'count' else 'step'}, got {number}")
