"""The network with its schedule: from windows to poses, by one pass or by several denoising steps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Generator, Tensor, nn

from zedo_core.diffusion.ddim import cosine_signal, ddim, ddim_times
from zedo_core.methods.diff3dhpe.features import UNIT_M, Window
from zedo_core.nets.mixste import MixSTE

TIMES = 1000  # of the diffusion


@dataclass(frozen=True)
class Denoised:
    """Poses in metres in the turned axes of the window, and the scale of each joint's error in metres."""

    pose: Float[Tensor, "b s j 3"]
    scale: Float[Tensor, "b s j"]


class Denoiser(nn.Module):
    """A MixSTE and the signal of the diffusion at each time."""

    signal: Tensor

    def __init__(self, net: MixSTE) -> None:
        super().__init__()
        self.net = net
        self.register_buffer("signal", cosine_signal(TIMES), persistent=False)

    def forward(
        self, noisy: Float[Tensor, "b s j 3"], window: Window, times: Int[Tensor, " b"]
    ) -> tuple[Float[Tensor, "b s j 3"], Float[Tensor, "b s j"]]:
        """Clean poses in units of `UNIT_M`, and the logarithm of the scale of each joint's error in metres."""
        found, log_scale = self.net(noisy, window.features, times.float() / TIMES, window.known)
        base = window.base if found.shape[1] > 1 else window.base[:, [window.base.shape[1] // 2]]
        return found + base, log_scale

    def denoise(
        self,
        window: Window,
        noise: Float[Tensor, "b s j 3"],
        steps: int = 1,
        eta: float = 0.0,
        generator: Generator | None = None,
    ) -> Denoised:
        """The last of `steps` steps from the noise; one step is the network alone, as a lifter."""
        *_, last = self.denoised(window, noise, steps, eta, generator)
        return last

    def denoised(
        self,
        window: Window,
        noise: Float[Tensor, "b s j 3"],
        steps: int,
        eta: float = 0.0,
        generator: Generator | None = None,
    ) -> Iterator[Denoised]:
        """The samples after each of `steps` steps from the noise; the scale is that of the first."""
        times, scales = ddim_times(steps, TIMES), []

        def clean(y: Tensor, i: int) -> Tensor:
            found, log_scale = self(y, window, times[i].to(y.device).expand(len(y)))
            scales.append(log_scale)
            return found

        for step in ddim(clean, self.signal[times.to(self.signal.device)].cpu(), noise, eta, generator):
            yield Denoised(UNIT_M * step.sample, scales[0].exp())
