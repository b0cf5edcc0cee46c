"""`zedo train`: train a pose prior and choose its initial poses, or train lifting networks, on motion capture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zedo_cli._options import Device, Json, OutDir, Quiet
from zedo_cli._output import print_json, progress, say
from zedo_cli._training_data import (
    DATA,
    Data,
    Joints,
    Resume,
    SaveEvery,
    Scale,
    Split,
    Stream,
    Up,
    quiet_in_workers,
    read_data,
)
from zedo_cli.train_diff3dhpe import diff3dhpe
from zedo_cli.train_erd import erd
from zedo_core.errors import InputError

if TYPE_CHECKING:
    from zedo_core.methods.zedo.prior import Prior
    from zedo_core.methods.zedo.training import TrainOptions
    from zedo_core.train.record import TrainProgress

app = typer.Typer(no_args_is_help=True, help="Train a pose prior, choose its initial poses, or train ERD or Diff3DHPE.")
app.command()(erd)
app.command()(diff3dhpe)


@dataclass(frozen=True)
class _Default:
    """Default of an option from a field of TrainOptions, which is read only when needed, since it imports torch."""

    field: str

    def __call__(self) -> Any:
        from zedo_core.methods.zedo.training import TrainOptions

        return attrgetter(self.field)(TrainOptions())

    def __str__(self) -> str:
        return str(self())


def _field(field: str, text: str, **limits: Any) -> Any:
    """An option for a field of TrainOptions."""
    return typer.Option(help=text, default_factory=_Default(field), **limits)


_FRACTION = {"min": 0.0, "max": 1.0}
_FROM_0: dict[str, Any] = {"min": 0}


@app.command()
def prior(
    context: typer.Context,
    data: Data,
    out: OutDir,
    width: Annotated[int, _field("width", "Width of the hidden layers, a multiple of 32.")],
    blocks: Annotated[int, _field("blocks", "Residual blocks of two layers.")],
    time_width: Annotated[int, _field("time_width", "Width of the time embedding, even.")],
    dropout: Annotated[float, _field("dropout", "Fraction of values dropped in training.", **_FRACTION)],
    batch: Annotated[int, _field("batch", "Poses per step and process.")],
    steps: Annotated[int, _field("steps", "Number of steps.")],
    learning_rate: Annotated[float, _field("learning_rate", "Peak learning rate.", **_FROM_0)],
    warmup: Annotated[int, _field("warmup", "Steps of warm-up to the peak learning rate.", **_FROM_0)],
    clip: Annotated[float, _field("clip", "Largest norm of the gradient.", **_FROM_0)],
    ema: Annotated[float, _field("ema", "Decay of the averaged weights, which are saved.", **_FRACTION)],
    small_t: Annotated[float, _field("small_t", "Fraction of samples at small diffusion times.", **_FRACTION)],
    small_t_end: Annotated[
        float, _field("small_t_end", "Limit of small times; lifting uses times up to 0.1.", **_FRACTION)
    ],
    precision: Annotated[str, _field("precision", "fp32, or bf16 for a GPU.", metavar="NAME")],
    held_out: Annotated[float, _field("held_out", "Fraction of the sequences held out for validation.", **_FRACTION)],
    check_every: Annotated[int, _field("check_every", "Steps between validations by lifting; 0 for none.", **_FROM_0)],
    check_poses: Annotated[int, _field("check_poses", "Held-out poses to lift for validation.", min=1)],
    seed: Annotated[
        int, _field("seed", "Random seed; the same seed gives the same result on the same machine.", **_FROM_0)
    ],
    flip: Annotated[float, _field("augment.flip", "Probability of mirroring a pose.", **_FRACTION)],
    limb_exchange: Annotated[
        float, _field("augment.limb_exchange", "Probability of taking a limb from another pose.", **_FRACTION)
    ],
    stature: Annotated[float, _field("augment.stature", "Relative deviation of body size.", **_FRACTION)],
    lengths: Annotated[float, _field("augment.lengths", "Relative deviation of bone lengths.", **_FRACTION)],
    root_tilt: Annotated[
        float, _field("augment.root_tilt", "Probability of tilting a body by up to 90 degrees.", **_FRACTION)
    ],
    rotation: Annotated[float, _field("augment.rotation", "Probability of a random rotation.", **_FRACTION)],
    camera_pitch: Annotated[
        float, _field("augment.camera_pitch_deg", "Standard deviation of the camera's pitch in degrees.", min=0, max=90)
    ],
    camera_roll: Annotated[
        float, _field("augment.camera_roll_deg", "Standard deviation of the camera's roll in degrees.", min=0, max=90)
    ],
    rarity: Annotated[
        float, _field("augment.rarity", "0 draws all frames equally often, 1 all kinds of pose.", **_FRACTION)
    ],
    start: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="Start from these weights, with their sizes and joints; 'prior' for the packaged ones.",
            metavar="NAME|PATH",
        ),
    ] = None,
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
    """Train a pose prior and write prior.safetensors, prior.json, curves and a record to --out.

    For several GPUs: torchrun --nproc-per-node N -m zedo_cli train prior ...
    """
    from zedo_core import weights as hub
    from zedo_core.methods.zedo.prior import load_prior
    from zedo_core.methods.zedo.training import train_prior
    from zedo_core.nets.device import find_device
    from zedo_core.skeleton import H36M17
    from zedo_core.skeleton.files import find_skeleton

    is_main = quiet_in_workers()
    torch_device = find_device(device)
    start_prior = load_prior(hub.find_weights(start, "prior")) if start is not None else None
    options = _options(context.params | (_default_sizes(context, start_prior) if start_prior else {}))
    joints = find_skeleton(skeleton) if skeleton else start_prior.skeleton if start_prior else H36M17
    mixture, sources = read_data(data, joints, split, scale, up, stream, seed)
    with progress() as bars:
        bar = bars.add_task("training", total=steps, unit="steps")

        def show(row: TrainProgress) -> None:
            bars.update(bar, description=_describe(row))
            if row.task:
                say(f"step {row.step}: {_describe(row)}")

        record = train_prior(
            mixture,
            out,
            options,
            device=torch_device,
            start=start_prior,
            sources=[asdict(source) for source in sources],
            resume=resume,
            save_every_s=save_every,
            on_row=show,
            on_step=lambda step: bars.update(bar, completed=step),
        )
    say(f"prior written to {out}")
    if as_json and is_main:
        print_json({"out": out, **record})


@app.command()
def clusters(
    out: OutDir,
    data: Annotated[list[str] | None, DATA] = None,
    hypo: Annotated[
        str, typer.Option(help="Sizes of the sets of initial poses.", metavar="N,N,...")
    ] = "1,5,10,20,50,200",
    kind: Annotated[
        str,
        typer.Option(
            help="Real poses nearest to K-means centres (nearest), the centres themselves (centres), random poses "
            "(random), or poses drawn from the prior in --out (generated, without --data).",
            metavar="nearest|centres|random|generated",
        ),
    ] = "nearest",
    split: Split = None,
    skeleton: Joints = None,
    scale: Scale = None,
    up: Up = None,
    device: Device = "auto",
    seed: Annotated[int, typer.Option(help="Random seed; the same seed gives the same poses.", min=0)] = 0,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Choose initial poses and write clusters.npz to --out, in the joint set of the prior there, if any."""
    from zedo_core.methods.zedo.clustering import KINDS, choose_initial_poses, generate_initial_poses
    from zedo_core.methods.zedo.prior import load_prior, skeleton_of_folder
    from zedo_core.nets.device import find_device
    from zedo_core.skeleton.files import find_skeleton

    counts = _parse_counts(hypo)
    if kind not in KINDS or (kind == "generated") != (not data):
        expected = f"--kind {', '.join(KINDS[:-1])} with --data, or generated without"
        raise InputError(f"expected {expected}, got '{kind}' {'with' if data else 'without'} --data")
    frames = 0
    with progress() as bars:
        bar = bars.add_task("choosing poses", total=len(set(counts)), unit="sets")
        if kind == "generated":
            prior = load_prior(out, find_device(device))
            sets = generate_initial_poses(prior, out, counts, seed, on_count=lambda _: bars.advance(bar))
        else:
            joints = find_skeleton(skeleton) if skeleton else skeleton_of_folder(out)
            mixture, _ = read_data(data or [], joints, split, scale, up)
            frames = len(mixture)
            sets = choose_initial_poses(mixture, out, counts, seed, kind=kind, on_count=lambda _: bars.advance(bar))
    say(f"initial poses written to {out}")
    if as_json:
        sizes = [len(poses) for poses in sets.values()]
        print_json({"out": out, "kind": kind, "counts": sizes, "frames": frames, "seed": seed})


def _default_sizes(context: typer.Context, start: Prior) -> dict[str, int]:
    """The sizes of the network in `start` for options that are not given on the command line."""
    from zedo_core.methods.zedo.training import SIZES

    sources = {name: context.get_parameter_source(name) for name in SIZES}
    omitted = [name for name, source in sources.items() if source is None or source.name != "COMMANDLINE"]
    return {name: getattr(start.net.config, name) for name in omitted}


def _options(values: Mapping[str, Any]) -> TrainOptions:
    """TrainOptions from the options of the command, which have the names of its fields (angles without `_deg`)."""
    from zedo_core.methods.zedo.training import TrainOptions
    from zedo_core.train.augment import AugmentOptions

    augment = {field.name: values[field.name.removesuffix("_deg")] for field in fields(AugmentOptions)}
    others = {field.name: values[field.name] for field in fields(TrainOptions) if field.name != "augment"}
    return TrainOptions(**others, augment=AugmentOptions(**augment))


def _describe(row: TrainProgress) -> str:
    """The losses and, if measured, the task's errors on one line."""
    text = f"loss {row.loss:.4f}, held out {row.validation:.4f}"
    if row.task:
        one, aligned, ten = (row.task[name] for name in ("mpjpe_1_mm", "pa_mpjpe_1_mm", "mpjpe_10_mm"))
        text += f", lifting {one:.1f} mm (PA {aligned:.1f}), best of 10 {ten:.1f}"
    return text


def _parse_counts(text: str) -> tuple[int, ...]:
    """Parse `1,5,10`."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"--hypo: expected numbers such as 1,5,10, got '{text}'") from None
