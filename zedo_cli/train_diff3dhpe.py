"""`zedo train diff3dhpe`: train a denoiser of pose sequences."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
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
    Stream,
    Up,
    quiet_in_workers,
    read_data,
)
from zedo_core.errors import InputError

if TYPE_CHECKING:
    import torch

    from zedo_core.methods.erd.weights import ErdWeights
    from zedo_core.nets.mixste import MixSTEConfig
    from zedo_core.train.options import LoopOptions
    from zedo_core.train.record import TrainProgress
    from zedo_core.train.task import Task

    MakeTask = Callable[[torch.device], Task]


# Options of training on motion capture, which a protocol fixes.
_FIXED = ("paper", "guide", "bones", "noise", "held_out", "start", "split", "skeleton", "scale", "up", "stream", "pure")
_BONES = 0.5  # fraction of the samples with lengths of bones, as in PriorFormer
# Those that have other defaults in a protocol.
_OWN = ("batch", "learning_rate", "warmup", "steps")


def diff3dhpe(
    context: typer.Context,
    data: Data,
    out: OutDir,
    protocol: Annotated[
        str | None,
        typer.Option(
            help="Train on a data set in --data with its own keypoints, as published: h36m-gt, h36m-cpn, h36m-sh or "
            "3dhp-gt.",
            metavar="NAME",
        ),
    ] = None,
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
    bones: Annotated[
        bool,
        typer.Option("--bones", help="The network sees lengths of bones, given in half of the samples; see --body."),
    ] = False,
    pure: Annotated[
        float,
        typer.Option(
            help="Fraction of the samples that start from noise alone; with 1 the network lifts without diffusion.",
            min=0,
            max=1,
        ),
    ] = 0.3,
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
    stream: Stream = None,
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

    With --protocol it learns from the training subjects of Human3.6M or MPI-INF-3DHP with the paper's sizes, loss,
    schedule and 200 epochs; --frames, --width, --depth, --attention, --form, --steps, --batch, --learning-rate and
    --warmup change them. `zedo eval --dataset h36m --method diff3dhpe` then reports the errors of each action.
    """
    from zedo_core.nets.device import find_device
    from zedo_core.train.training import train

    is_main, torch_device = quiet_in_workers(), find_device(device)
    sizes = {"frames": frames, "width": width, "depth": depth, "attention": attention, "form": form}
    loop = {"precision": precision, "check_every": check_every, "check_windows": check_windows, "seed": seed}
    if protocol is None:
        loop |= {name: context.params[name] for name in _OWN}
        make, options = _from_motions(context.params, sizes, loop)
    else:
        given = [name for name in context.params if _is_given(context, name)]
        if clash := [name for name in _FIXED if name in given]:
            option = "from" if clash[0] == "start" else clash[0].replace("_", "-")
            raise InputError(f"--{option}: expected no such option with --protocol, which fixes it")
        loop |= {name: context.params[name] for name in _OWN if name in given}
        make, options = _by_protocol(protocol, data, sizes, loop)
    with progress() as bars:
        bar = bars.add_task("training", total=options.steps, unit="steps")

        def show(row: TrainProgress) -> None:
            text = f"loss {row.loss:.4f}, held out {row.validation:.4f}"
            bars.update(bar, description=text)
            if row.task:
                say(f"{text}, step {row.step}, mm: {_errors(row.task)}")

        record = train(
            make,
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


def _from_motions(
    given: Mapping[str, Any], sizes: Mapping[str, Any], loop: Mapping[str, Any]
) -> tuple[MakeTask, LoopOptions]:
    """The task on motion capture under random cameras, and its options."""
    from zedo_core import weights as hub
    from zedo_core.methods.diff3dhpe.loss import PAPER_LOSS, LossOptions
    from zedo_core.methods.diff3dhpe.training import SEQUENCE_NOISE, DenoiserOptions, DenoiserTask
    from zedo_core.methods.diff3dhpe.weights import load_weights
    from zedo_core.nets.mixste import PAPER, MixSTEConfig
    from zedo_core.skeleton import H36M17
    from zedo_core.skeleton.files import find_skeleton

    options = DenoiserOptions(
        **loop,
        net=_sizes(PAPER if given["paper"] else MixSTEConfig(), sizes),
        loss=PAPER_LOSS if given["paper"] else LossOptions(),
        noise=replace(SEQUENCE_NOISE, strength=given["noise"]),
        held_out=given["held_out"],
        bones=_BONES if given["bones"] else None,
        pure=given["pure"],
    )
    erd, start = _guide(given["guide"]), given["start"]
    first = load_weights(hub.find_weights(start, "lifter")) if start is not None else None
    joints = find_skeleton(given["skeleton"]) if given["skeleton"] else H36M17
    where = (given[name] for name in ("split", "scale", "up", "stream", "seed"))
    mixture, found = read_data(given["data"], joints, *where)
    sources = [asdict(source) for source in found]
    return lambda on: DenoiserTask.from_mixture(mixture, options, on, start=first, erd=erd, sources=sources), options


def _by_protocol(
    name: str, data: list[str], sizes: Mapping[str, Any], loop: Mapping[str, Any]
) -> tuple[MakeTask, LoopOptions]:
    """The task on a data set with its own keypoints, and its options."""
    from zedo_core.methods.diff3dhpe.protocol import ProtocolOptions, ProtocolTask, get_protocol, load_splits, steps_of
    from zedo_core.nets.mixste import PAPER

    protocol = get_protocol(name)
    if len(data) != 1:
        raise InputError(f"--data: expected the folder of the data set with --protocol, got {len(data)} paths")
    options = ProtocolOptions(**loop, net=_sizes(replace(PAPER, frames=protocol.frames), sizes))
    with progress() as bars:
        bars.add_task("reading", total=None, unit="files")
        training, test = load_splits(protocol, Path(data[0]))
    if "steps" not in loop:
        options = replace(options, steps=steps_of(training, options.net.frames, options.batch))
    say(f"{data[0]} ({name}): {len(training)} frames for training, {len(test)} of the test set, {options.steps} steps")
    return lambda on: ProtocolTask.from_samples(name, training, test, options, on), options


def _is_given(context: typer.Context, name: str) -> bool:
    """Whether an option was set on the command line."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _errors(task: Mapping[str, float]) -> str:
    from zedo_core.methods.diff3dhpe.training import DenoiserTask

    return ", ".join(f"{label} {task[name]:.1f}" for name, label in DenoiserTask.errors.items() if name in task)


def _guide(name: str) -> ErdWeights | None:
    from zedo_core import weights as hub
    from zedo_core.methods.erd.weights import load_weights

    return None if name == "none" else load_weights(hub.find_weights(name, "lifter"))


def _sizes(base: MixSTEConfig, sizes: Mapping[str, Any]) -> MixSTEConfig:
    """The sizes of the network, with others where given."""
    try:
        return replace(base, **{name: size for name, size in sizes.items() if size is not None})
    except ValueError as error:
        raise InputError(f"network: {error}") from None
