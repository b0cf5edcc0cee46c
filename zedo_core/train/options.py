"""Every setting of the training of a prior in one place."""

from __future__ import annotations

from dataclasses import dataclass, field

from zedo_core.errors import InputError
from zedo_core.train.augment import AugmentOptions

PRECISIONS = ("fp32", "bf16")
SIZES = ("width", "blocks", "time_width")  # the options that the network and its config share


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """How the prior is trained."""

    width: int = 512  # of the hidden layers, a multiple of 32
    blocks: int = 2  # residual blocks
    time_width: int = 256  # of the time embedding
    dropout: float = 0.0  # 0.25 in the paper; 0 was better with augmented data
    batch: int = 512  # poses a step, of each process
    steps: int = 20_000
    learning_rate: float = 1e-3  # at the top of the schedule: warm-up, then cosine to 1 %
    warmup: int = 500  # steps
    clip: float = 1.0  # largest norm of the gradient
    ema: float = 0.9995  # decay of the averaged weights, which are the ones that are saved
    small_t: float = 0.7  # share of the samples with t below `small_t_end`: inference uses t <= 0.1 only
    small_t_end: float = 0.15
    precision: str = "fp32"  # or bf16: products of matrices in bfloat16, weights and loss in float32
    held_out: float = 0.06  # share of the sequences kept for validation, drawn by the seed
    check_every: int = 2000  # steps between two validations by lifting, and one at the end; 0 for none
    check_poses: int = 200  # held-out poses that are lifted
    seed: int = 0
    augment: AugmentOptions = field(default_factory=AugmentOptions)

    def __post_init__(self) -> None:
        if self.width % 32 or self.width < 64:  # with 32, every group of the normalisation would hold one value
            raise InputError(f"expected a width that is a multiple of 32, from 64, got {self.width}")
        if min(self.blocks, self.batch, self.steps, self.check_poses) < 1 or self.time_width % 2 or self.time_width < 4:
            raise InputError("expected at least 1 block, 1 pose a batch, 1 step and an even time width from 4")
        if min(self.warmup, self.check_every, self.seed) < 0:
            raise InputError("expected warmup, check_every and seed from 0")
        shares = (self.dropout, self.ema, self.small_t, self.held_out)
        if not all(0 <= share <= 1 for share in shares) or self.dropout == 1 or self.ema == 1 or self.held_out == 1:
            raise InputError("expected dropout, ema and held_out from 0 to below 1 and small_t from 0 to 1")
        if not (self.learning_rate > 0 and self.clip > 0 and 0.001 < self.small_t_end <= 1):
            raise InputError("expected learning_rate and clip above 0 and small_t_end above 0.001, up to 1")
        if self.precision not in PRECISIONS:
            raise InputError(f"expected the precision {' or '.join(PRECISIONS)}, got '{self.precision}'")
