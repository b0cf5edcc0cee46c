"""`zedo train erd`: train lifting networks on motion capture and on pairs."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zedo_cli._options import Device, Json, OutDir, Quiet
from zedo_cli._output import print_json, progress, say
from zedo_cli._training_data import (
    DATA,
    CheckEvery,
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
    read_pairs,
)
from zedo_core.errors import InputError

if TYPE_CHECKING:
    from zedo_core.data.mixture import Mixture
    from zedo_core.data.pairs import Pairs
    from zedo_core.data.training import DataSource
    from zedo_core.nets.lifter import LifterConfig
    from zedo_core.train.record import TrainProgress
    from zedo_core.train.views import ViewOptions


def erd(
    out: OutDir,
    data: Annotated[list[str] | None, DATA] = None,
    pairs: Annotated[
        list[str] | None,
        typer.Option(
            "--pairs",
            help="Pairs of 2D keypoints and 3D: an npz with keypoints (n, j, 2 or 3), joints (n, j, 3) in camera axes "
            "and K, or Human3.6M with detections. May be repeated; WEIGHT is relative to that of --data, without which "
            "their own poses are projected.",
            metavar="PATH[:WEIGHT]",
        ),
    ] = None,
    cameras: Annotated[
        str,
        typer.Option(
            help="Cameras that see the poses: random, or all of a calibration file, with tilts and heights if it has "
            "them.",
            metavar="random|FILE",
        ),
    ] = "random",
    net: Annotated[str, typer.Option(help="Lifting network.", metavar="linear|lcn|semgcn")] = "linear",
    paper: Annotated[
        bool, typer.Option("--paper", help="Its sizes and normalisation as published: a single pose, no mixture.")
    ] = False,
    width: Annotated[
        int | None,
        typer.Option(help="Width of the hidden layers, or channels of a joint.", min=1),
    ] = None,
    blocks: Annotated[int | None, typer.Option(help="Residual blocks of two layers.", min=1)] = None,
    modes: Annotated[int | None, typer.Option(help="Poses of the mixture.", min=1)] = None,
    pca: Annotated[
        int, typer.Option(help="Principal components of the 2D input of linear; 0 for none, 30 in the paper.", min=0)
    ] = 0,
    noise: Noise = 1.0,
    steps: Annotated[int, typer.Option(help="Number of steps of the lifter.", min=1)] = 60_000,
    batch: Annotated[int, typer.Option(help="Poses per step and process.", min=2)] = 256,
    learning_rate: Rate = 8e-4,
    precision: Precision = "fp32",
    regressors: Annotated[int, typer.Option(help="Residual regressors to train; the best number is kept.")] = 10,
    features: Annotated[
        str, typer.Option(help="What the regressors see.", metavar="delta|proj|cat|catproj|ori")
    ] = "delta",
    regressor_steps: Annotated[int, typer.Option(help="Number of steps of each regressor.", min=1)] = 2000,
    check_every: CheckEvery = 4000,
    check_poses: Annotated[int, typer.Option(help="Held-out poses to lift for validation.", min=1)] = 1000,
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
    """Train lifting networks for --method erd and write erd.safetensors, erd.json, curves and a record to --out.

    They learn from poses under cameras, with noise like that of detectors, and from --pairs. For several GPUs:
    torchrun --nproc-per-node N -m zedo_cli train erd ...
    """
    from zedo_core import weights as hub
    from zedo_core.methods.erd.regressors import DescentOptions
    from zedo_core.methods.erd.stages import steps_of, train_erd
    from zedo_core.methods.erd.training import LifterOptions
    from zedo_core.methods.erd.weights import load_weights
    from zedo_core.nets.device import find_device
    from zedo_core.train.noise import TRAINING

    is_main = quiet_in_workers()
    common: dict[str, Any] = {"batch": batch, "precision": precision, "seed": seed, "learning_rate": learning_rate}
    lifter = LifterOptions(
        **common,
        lifter=_lifter_sizes(net, paper, width=width, blocks=blocks, modes=modes, components=pca),
        noise=replace(TRAINING, strength=noise),
        views=_views(cameras),
        steps=steps,
        held_out=held_out,
        check_every=check_every,
        check_poses=check_poses,
    )
    descent = DescentOptions(**common, regressors=regressors, features=features, steps=regressor_steps)
    torch_device = find_device(device)
    mixture, recorded, sources = _read(data or [], pairs or [], skeleton, split, scale, up, stream, seed)
    with progress() as bars:
        bar = bars.add_task("training", total=steps_of(lifter, descent), unit="steps")

        def show(network: str, row: TrainProgress) -> None:
            text = f"{network}: loss {row.loss:.4f}, held out {row.validation:.4f}"
            bars.update(bar, description=text)
            if row.task:
                errors = ", ".join(f"{row.task[name]:.1f}" for name in row.task)
                say(f"{text}, step {row.step}: MPJPE and PA-MPJPE {errors} mm (exact, then with noise)")

        record = train_erd(
            mixture,
            out,
            lifter,
            descent,
            device=torch_device,
            pairs=recorded,
            start=load_weights(hub.find_weights(start, "lifter")) if start is not None else None,
            sources=[asdict(source) for source in sources],
            resume=resume,
            save_every_s=save_every,
            on_row=show,
            on_step=lambda step: bars.update(bar, completed=step),
        )
    say(f"weights written to {out}")
    if as_json and is_main:
        print_json({"out": out, **record})


def _read(
    data: list[str],
    pairs: list[str],
    skeleton: str | None,
    split: str | None,
    scale: float | None,
    up: str | None,
    stream: int | None,
    seed: int,
) -> tuple[Mixture, Pairs | None, tuple[DataSource, ...]]:
    """Motion capture, pairs, and what both were read from; the poses of the pairs if there is no motion capture."""
    from zedo_core.skeleton import H36M17
    from zedo_core.skeleton.files import find_skeleton

    if not (data or pairs):
        raise InputError("expected --data, --pairs or both")
    joints = find_skeleton(skeleton) if skeleton else H36M17
    recorded, pair_sources = read_pairs(pairs, joints, split) if pairs else (None, ())
    if recorded is not None and not data:
        return recorded.as_mixture(joints), recorded, pair_sources
    mixture, sources = read_data(data, joints, split, scale, up, stream, seed)
    return mixture, recorded, (*sources, *pair_sources)


def _views(cameras: str) -> ViewOptions:
    """Where people are: in front of random cameras, or of those of a file."""
    from zedo_core.camera.files import read_calibrations
    from zedo_core.train.views import ViewOptions

    return ViewOptions(cameras=() if cameras == "random" else read_calibrations(Path(cameras)))


def _lifter_sizes(net: str, paper: bool, **sizes: int | None) -> LifterConfig:
    """The sizes of a network, as published or ours, with others where given."""
    from zedo_core.nets.lifter import OURS, PAPER

    table = PAPER if paper else OURS
    if net not in table:
        raise InputError(f"--net: expected one of {', '.join(table)}, got '{net}'")
    try:
        return replace(table[net], **{name: size for name, size in sizes.items() if size is not None})
    except ValueError as error:
        raise InputError(f"--net {net}: {error}") from None
