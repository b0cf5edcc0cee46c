"""`zedo train`: a pose prior and its initial poses from motion capture."""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Annotated, Any

import typer

from zedo_cli._options import Device, Json, OutDir, Quiet, path_of
from zedo_cli._output import console, print_json, progress
from zedo_core.errors import InputError

app = typer.Typer(no_args_is_help=True, help="Train a pose prior, or choose its initial poses.")

Data = Annotated[
    Path,
    typer.Option(
        "--data",
        help="Motion capture: npz with positions (n, 17, 3), or npy; metres, y up.",
        metavar="FILE",
        parser=path_of,
    ),
]
Split = Annotated[
    str | None, typer.Option("--split", help="Use the sequences marked so; all if not given.", metavar="WORD")
]


@dataclass(frozen=True)
class _Default:
    """Default of an option: what the field of TrainOptions says, read when it is needed (it imports torch)."""

    field: str

    def __call__(self) -> Any:
        from zedo_core.train.prior import TrainOptions

        return attrgetter(self.field)(TrainOptions())

    def __str__(self) -> str:
        return str(self())


def _field(field: str, text: str, **limits: Any) -> Any:
    """An option for a field of TrainOptions."""
    return typer.Option(help=text, default_factory=_Default(field), **limits)


_SHARE = {"min": 0.0, "max": 1.0}


@app.command()
def prior(
    data: Data,
    out: OutDir,
    width: Annotated[int, _field("width", "Width of the hidden layers, a multiple of 32.")],
    blocks: Annotated[int, _field("blocks", "Residual blocks of two layers.")],
    batch: Annotated[int, _field("batch", "Poses a step.")],
    steps: Annotated[int, _field("steps", "Steps in all.")],
    learning_rate: Annotated[float, _field("learning_rate", "At the top of the schedule.", min=0.0)],
    seed: Annotated[int, _field("seed", "Same seed, same result on the same machine.", min=0)],
    ema: Annotated[float, _field("ema", "Decay of the averaged weights, which are saved.", **_SHARE)],
    flip: Annotated[float, _field("augment.flip", "Share of mirrored poses.", **_SHARE)],
    rotation: Annotated[float, _field("augment.rotation", "Share of poses turned in any direction.", **_SHARE)],
    limb_exchange: Annotated[
        float, _field("augment.limb_exchange", "Share of limbs taken from another pose.", **_SHARE)
    ],
    split: Split = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where the same run in --out stopped.")] = False,
    device: Device = "auto",
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train a pose prior and write prior.safetensors, prior.json and a record to --out."""
    from zedo_core.data import mocap
    from zedo_core.files import sha256_of
    from zedo_core.lifting import find_device
    from zedo_core.train.augment import AugmentOptions
    from zedo_core.train.prior import TrainOptions, TrainProgress, train_prior

    options = TrainOptions(
        width=width,
        blocks=blocks,
        batch=batch,
        steps=steps,
        learning_rate=learning_rate,
        seed=seed,
        ema=ema,
        augment=AugmentOptions(flip=flip, rotation=rotation, limb_exchange=limb_exchange),
    )
    where = find_device(device)
    motions = mocap.load(data, split)
    with progress() as bars:
        bar = bars.add_task("training", total=steps, unit="steps")

        def show(now: TrainProgress) -> None:
            bars.update(bar, completed=now.step, description=f"loss {now.loss:.4f}, held out {now.validation:.4f}")

        record = train_prior(
            motions, out, options, device=where, data_hash=sha256_of(data), resume=resume, on_step=show
        )
    console.print(f"prior written to {out}", soft_wrap=True)
    if as_json:
        print_json({"out": out, **record})


@app.command()
def clusters(
    data: Data,
    out: OutDir,
    hypo: Annotated[
        str, typer.Option(help="How many initial poses, for each count of hypotheses.", metavar="N,N,...")
    ] = "1,5,10,20,50,200",
    split: Split = None,
    seed: Annotated[int, typer.Option(help="Same seed, same poses.", min=0)] = 0,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Choose initial poses from motion capture and write clusters.npz to --out."""
    from zedo_core.data import mocap
    from zedo_core.train.clusters import train_clusters

    counts = _numbers(hypo)
    motions = mocap.load(data, split)
    with progress() as bars:
        bar = bars.add_task("grouping poses", total=len(set(counts)), unit="sets")
        made = train_clusters(motions, out, counts, seed, on_count=lambda _: bars.advance(bar))
    console.print(f"initial poses written to {out}", soft_wrap=True)
    if as_json:
        print_json(
            {"out": out, "counts": [len(poses) for poses in made.values()], "frames": len(motions), "seed": seed}
        )


def _numbers(text: str) -> tuple[int, ...]:
    """`1,5,10` to numbers."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"--hypo: expected numbers such as 1,5,10, got '{text}'") from None
