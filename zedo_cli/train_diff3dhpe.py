"""`zedo train diff3dhpe`: train a denoiser of pose sequences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zedo_cli._options import Device, Json, OutDir, Quiet
from zedo_cli._output import print_json, progress, say
from zedo_cli._training_data import (
    CheckEvery,
    Data,
    HeldOut,
    Joints,
    Noise,
    Precision,
    Rate,
    Resume,
    SaveEvery,
    Scale,
    Seed,
    Split,
    Start,
    Up,
    quiet_in_workers,
    read_data,
)
from zedo_core.errors import InputError

if TYPE_CHECKING:
    from zedo_core.methods.erd.weights import ErdWeights
    from zedo_core.nets.mixste import MixSTEConfig
    from zedo_core.train.record import TrainProgress


def diff3dhpe(
    data: Data,
    out: OutDir,
    paper: Annotated[
        bool, typer.Option("--paper", help="Sizes, squared error and attention as published; 243 frames.")
    ] = False,
    frames: Annotated[int | None, typer.Option(help="Frames of a window; 27 by default.", min=1)] = None,
    width: Annotated[int | None, typer.Option(help="Width of the network, a multiple of the heads.", min=1)] = None,
    depth: Annotated[int | None, typer.Option(help="Pairs of blocks over joints and over frames.", min=1)] = None,
    attention: Annotated[
        str | None, typer.Option(help="(A - I) V of graph neural diffusion, or A V.", metavar="grand|plain")
    ] = None,
    form: Annotated[
        str | None, typer.Option(help="Predict all frames or the middle one.", metavar="seq2seq|seq2frame")
    ] = None,
    guide: Annotated[
        str,
        typer.Option(help="Weights of ERD whose poses of single frames guide it, or none.", metavar="NAME|PATH|none"),
    ] = "erd",
    noise: Noise = 1.0,
    steps: Annotated[int, typer.Option(help="Number of steps.", min=1)] = 20_000,
    batch: Annotated[int, typer.Option(help="Windows per step and process.", min=1)] = 32,
    learning_rate: Rate = 1e-3,
    warmup: Annotated[int, typer.Option(help="Steps of warm-up to the peak learning rate.", min=0)] = 200,
    precision: Precision = "fp32",
    check_every: CheckEvery = 1000,
    check_windows: Annotated[int, typer.Option(help="Held-out windows to lift for validation.", min=1)] = 100,
    held_out: HeldOut = 0.06,
    seed: Seed = 0,
    start: Start = None,
    split: Split = None,
    skeleton: Joints = None,
    scale: Scale = None,
    up: Up = None,
    resume: Resume = False,
    save_every: SaveEvery = 120.0,
    device: Device = "auto",
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train a denoiser of pose sequences for --method diff3dhpe and write its weights, curves and a record to --out.

    It learns from windows of motions at 12 to 32 frames per second under random cameras, which may move, with errors
    like a detector's that last for frames. For several GPUs:
    torchrun --nproc-per-node N -m zedo_cli train diff3dhpe ...
    """
    from zedo_core import weights as hub
    from zedo_core.methods.diff3dhpe.loss import PAPER_LOSS, LossOptions
    from zedo_core.methods.diff3dhpe.training import SEQUENCE_NOISE, DenoiserOptions, DenoiserTask
    from zedo_core.methods.diff3dhpe.weights import load_weights
    from zedo_core.nets.device import find_device
    from zedo_core.skeleton import H36M17
    from zedo_core.skeleton.files import find_skeleton
    from zedo_core.train.training import train

    is_main = quiet_in_workers()
    options = DenoiserOptions(
        net=_sizes(paper, frames=frames, width=width, depth=depth, attention=attention, form=form),
        loss=PAPER_LOSS if paper else LossOptions(),
        noise=replace(SEQUENCE_NOISE, strength=noise),
        batch=batch,
        steps=steps,
        learning_rate=learning_rate,
        warmup=warmup,
        precision=precision,
        check_every=check_every,
        check_windows=check_windows,
        held_out=held_out,
        seed=seed,
    )
    torch_device, erd = find_device(device), _guide(guide)
    first = load_weights(hub.find_weights(start, "lifter")) if start is not None else None
    mixture, sources = read_data(data, find_skeleton(skeleton) if skeleton else H36M17, split, scale, up)
    with progress() as bars:
        bar = bars.add_task("training", total=steps, unit="steps")

        def show(row: TrainProgress) -> None:
            text = f"loss {row.loss:.4f}, held out {row.validation:.4f}"
            bars.update(bar, description=text)
            if row.task:
                say(f"{text}, step {row.step}, mm: {_errors(row.task, DenoiserTask.errors)}")

        record = train(
            lambda on: DenoiserTask.from_mixture(
                mixture, options, on, start=first, erd=erd, sources=[asdict(source) for source in sources]
            ),
            out,
            options,
            device=torch_device,
            resume=resume,
            save_every_s=save_every,
            on_row=show,
            on_step=lambda step: bars.update(bar, completed=step),
        )
    say(f"weights written to {out}")
    if as_json and is_main:
        print_json({"out": out, **record})


def _errors(task: Mapping[str, float], labels: Mapping[str, str]) -> str:
    return ", ".join(f"{label} {task[name]:.1f}" for name, label in labels.items() if name in task)


def _guide(name: str) -> ErdWeights | None:
    from zedo_core import weights as hub
    from zedo_core.methods.erd.weights import load_weights

    return None if name == "none" else load_weights(hub.find_weights(name, "lifter"))


def _sizes(paper: bool, **sizes: Any) -> MixSTEConfig:
    """The sizes of the network, as published or ours, with others where given."""
    from zedo_core.nets.mixste import PAPER, MixSTEConfig

    base = PAPER if paper else MixSTEConfig()
    try:
        return replace(base, **{name: size for name, size in sizes.items() if size is not None})
    except ValueError as error:
        raise InputError(f"network: {error}") from None
