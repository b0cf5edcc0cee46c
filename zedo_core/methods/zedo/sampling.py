"""Direct use of the prior: sampling poses, completing poses with missing joints, and removing noise."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Generator, Tensor

from zedo_core.diffusion.sample import Predict, reverse, sampling_times, time_of_noise
from zedo_core.errors import InputError
from zedo_core.methods.zedo.prior import Prior
from zedo_core.nets.tabulated import TabulatedScore

STEPS = 200


@torch.inference_mode()
def generate(
    prior: Prior, count: int, *, seed: int = 0, steps: int = STEPS, stochastic: bool = True
) -> Float[Tensor, "count j 3"]:
    """Random poses in metres in camera axes, relative to the root; the same seed gives the same poses.

    Sampled by the reverse SDE, or by the probability-flow ODE if not `stochastic`. InputError for a count or a
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
    """The poses with the joints that are not `known` sampled from the prior; the known ones stay as they are.

    `poses` are in metres in camera axes, relative to the root, which has to be known. In each step of the stochastic
    reverse SDE the known joints are replaced by their given values at that noise level (Song et al. 2021, section 5;
    GFPose section 3.4). Another seed gives another completion. InputError when the root is missing.
    """
    _check(steps=steps)
    if not bool(known[:, prior.skeleton.root].all()):
        raise InputError(
            f"completion: expected every pose to have its {prior.skeleton.joints[prior.skeleton.root]}, to which the "
            "other joints are relative; leave out poses without it"
        )
    times, sde = sampling_times(steps), prior.sde
    generator = torch.Generator().manual_seed(seed)
    mask = known[..., None]
    given = torch.where(mask, poses, 0.0)

    def constrain(x: Tensor, i: int) -> Tensor:
        noisy = float(sde.mean(times[i])) * given + float(sde.std(times[i])) * _noise(prior, x.shape, generator)
        return torch.where(mask, noisy, x)

    noise = _noise(prior, poses.shape, generator) * float(sde.std(times[0]))
    drawn = reverse(_predict(prior, times), sde, noise, times, generator, constrain)
    return torch.where(mask, poses, drawn)


@torch.inference_mode()
def denoise(
    prior: Prior, poses: Float[Tensor, "b j 3"], sigma_m: float, *, steps: int = STEPS
) -> Float[Tensor, "b j 3"]:
    """The poses without their noise, whose standard deviation is `sigma_m` metres in each coordinate.

    Deterministic: the probability flow from the diffusion time with that much noise. InputError when `sigma_m` is not
    above 0 or exceeds 1 m.
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
    return TabulatedScore(prior.net, times.to(like))


def _noise(prior: Prior, shape: tuple[int, ...], generator: Generator) -> Tensor:
    """Normal noise, drawn on the CPU to be the same for every device."""
    return torch.randn(shape, generator=generator).to(next(prior.net.parameters()))


def _check(**numbers: int) -> None:
    for name, number in numbers.items():
        if number < 1:
            raise InputError(f"expected at least 1 {'pose' if name == 'count' else 'step'}, got {number}")
