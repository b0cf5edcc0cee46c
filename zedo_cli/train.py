"""`zedo train`: a pose prior and its initial poses from motion capture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zedo_cli._options import Device, Json, OutDir, Quiet
from zedo_cli._output import print_json, progress, say, set_quiet
from zedo_core.errors import InputError

if TYPE_CHECKING:
    from zedo_core.data.mixture import Mixture
    from zedo_core.data.training import Source
    from zedo_core.methods.zedo.checkpoint import Prior
    from zedo_core.skeleton import Skeleton
    from zedo_core.train.options import TrainOptions
    from zedo_core.train.record import TrainProgress

app = typer.Typer(no_args_is_help=True, help="Train a pose prior, or choose its initial poses.")

_DATA = typer.Option(
    "--data",
    help="Motion capture (npz or npy of (n, j, 3) in metres, y up), a BVH file or a folder of them, or the training "
    "files of a data set. May be repeated; WEIGHT is its share of a batch.",
    metavar="PATH[:WEIGHT]",
)
Data = Annotated[list[str], _DATA]
Split = Annotated[
    str | None, typer.Option("--split", help="Use the sequences marked so; all if not given.", metavar="WORD")
]
Joints = Annotated[
    str | None,
    typer.Option("--skeleton", help="Joint set: a name such as lsp-14, or a JSON file.", metavar="NAME|FILE"),
]
Scale = Annotated[float | None, typer.Option("--scale", help="Metres a unit of BVH files; guessed from the legs.")]
Up = Annotated[str | None, typer.Option("--up", help="Upward axis of BVH files: x, y or z; guessed.", metavar="AXIS")]


@dataclass(frozen=True)
class _Default:
    """Default of an option: what the field of TrainOptions says, read when it is needed (it imports torch)."""

    field: str

    def __call__(self) -> Any:
        from zedo_core.train.options import TrainOptions

        return attrgetter(self.field)(TrainOptions())

    def __str__(self) -> str:
        return str(self())


def _field(field: str, text: str, **limits: Any) -> Any:
    """An option for a field of TrainOptions."""
    return typer.Option(help=text, default_factory=_Default(field), **limits)


_SHARE = {"min": 0.0, "max": 1.0}
_FROM_0: dict[str, Any] = {"min": 0}


@app.command()
def prior(
    context: typer.Context,
    data: Data,
    out: OutDir,
    width: Annotated[int, _field("width", "Width of the hidden layers, a multiple of 32.")],
    blocks: Annotated[int, _field("blocks", "Residual blocks of two layers.")],
    time_width: Annotated[int, _field("time_width", "Width of the time embedding, even.")],
    dropout: Annotated[float, _field("dropout", "Share of values dropped in training.", **_SHARE)],
    batch: Annotated[int, _field("batch", "Poses a step, of each process.")],
    steps: Annotated[int, _field("steps", "Steps in all.")],
    learning_rate: Annotated[float, _field("learning_rate", "At the top of the schedule.", **_FROM_0)],
    warmup: Annotated[int, _field("warmup", "Steps up to the top of the schedule.", **_FROM_0)],
    clip: Annotated[float, _field("clip", "Largest norm of the gradient.", **_FROM_0)],
    ema: Annotated[float, _field("ema", "Decay of the averaged weights, which are saved.", **_SHARE)],
    small_t: Annotated[float, _field("small_t", "Share of samples at small diffusion times.", **_SHARE)],
    small_t_end: Annotated[float, _field("small_t_end", "What small is; lifting uses times up to 0.1.", **_SHARE)],
    precision: Annotated[str, _field("precision", "fp32, or bf16 for a GPU.", metavar="NAME")],
    held_out: Annotated[float, _field("held_out", "Share of the sequences kept for validation.", **_SHARE)],
    check_every: Annotated[int, _field("check_every", "Steps between validations by lifting; 0 for none.", **_FROM_0)],
    check_poses: Annotated[int, _field("check_poses", "Held-out poses that are lifted.", min=1)],
    seed: Annotated[int, _field("seed", "Same seed, same result on the same machine.", **_FROM_0)],
    flip: Annotated[float, _field("augment.flip", "Share of mirrored poses.", **_SHARE)],
    limb_exchange: Annotated[
        float, _field("augment.limb_exchange", "Share of limbs taken from another pose.", **_SHARE)
    ],
    stature: Annotated[float, _field("augment.stature", "Deviation of the body's size.", **_SHARE)],
    lengths: Annotated[float, _field("augment.lengths", "Deviation of each pair of bones.", **_SHARE)],
    root_tilt: Annotated[float, _field("augment.root_tilt", "Share of bodies tilted by up to 90 degrees.", **_SHARE)],
    rotation: Annotated[float, _field("augment.rotation", "Share of poses turned in any direction.", **_SHARE)],
    camera_pitch: Annotated[
        float, _field("augment.camera_pitch_deg", "Deviation of the camera's pitch in degrees.", min=0, max=90)
    ],
    camera_roll: Annotated[
        float, _field("augment.camera_roll_deg", "Deviation of the camera's roll in degrees.", min=0, max=90)
    ],
    rarity: Annotated[float, _field("augment.rarity", "0 draws frames as they come, 1 evens out kinds.", **_SHARE)],
    start: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="Go on from these weights, in their sizes and joints; 'prior' are the packaged ones.",
            metavar="NAME|PATH",
        ),
    ] = None,
    split: Split = None,
    skeleton: Joints = None,
    scale: Scale = None,
    up: Up = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where the same run in --out stopped.")] = False,
    save_every: Annotated[float, typer.Option("--save-every", help="Seconds between saved states.", min=0)] = 120.0,
    device: Device = "auto",
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train a pose prior and write prior.safetensors, prior.json, curves and a record to --out.

    For several GPUs: torchrun --nproc-per-node N -m zedo_cli train prior ...
    """
    from zedo_core import weights as hub
    from zedo_core.lifting import find_device
    from zedo_core.methods.zedo.checkpoint import load_prior
    from zedo_core.skeleton import H36M17
    from zedo_core.skeleton.files import find_skeleton
    from zedo_core.train.prior import train_prior
    from zedo_core.train.ranks import Ranks

    leads = Ranks.of_environment().leads
    if not leads:
        set_quiet(True)
    where = find_device(device)
    begun = load_prior(hub.find_weights(start, "prior")) if start is not None else None
    options = _options(context.params | (_sizes_left_out(context, begun) if begun else {}))
    joints = find_skeleton(skeleton) if skeleton else begun.skeleton if begun else H36M17
    mixture, sources = _read(data, joints, split, scale, up)
    with progress() as bars:
        bar = bars.add_task("training", total=steps, unit="steps")

        def row(now: TrainProgress) -> None:
            bars.update(bar, description=_said(now))
            if now.task:
                say(f"step {now.step}: {_said(now)}")

        record = train_prior(
            mixture,
            out,
            options,
            device=where,
            start=begun,
            sources=[asdict(source) for source in sources],
            resume=resume,
            save_every_s=save_every,
            on_row=row,
            on_step=lambda step: bars.update(bar, completed=step),
        )
    say(f"prior written to {out}")
    if as_json and leads:
        print_json({"out": out, **record})


@app.command()
def clusters(
    out: OutDir,
    data: Annotated[list[str] | None, _DATA] = None,
    hypo: Annotated[
        str, typer.Option(help="How many initial poses, for each count of hypotheses.", metavar="N,N,...")
    ] = "1,5,10,20,50,200",
    kind: Annotated[
        str,
        typer.Option(
            help="By K-means the poses nearest to the centres (nearest) or these (centres), random poses (random), or "
            "poses drawn from the prior in --out (generated, without --data).",
            metavar="nearest|centres|random|generated",
        ),
    ] = "nearest",
    split: Split = None,
    skeleton: Joints = None,
    scale: Scale = None,
    up: Up = None,
    device: Device = "auto",
    seed: Annotated[int, typer.Option(help="Same seed, same poses.", min=0)] = 0,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Choose initial poses and write clusters.npz to --out, in the joints of the prior there if there is one."""
    from zedo_core.lifting import find_device
    from zedo_core.methods.zedo.checkpoint import load_prior, skeleton_beside
    from zedo_core.skeleton.files import find_skeleton
    from zedo_core.train.clusters import KINDS, generate_clusters, train_clusters

    counts = _numbers(hypo)
    if kind not in KINDS or (kind == "generated") != (not data):
        wanted = f"--kind {', '.join(KINDS[:-1])} with --data, or generated without"
        raise InputError(f"expected {wanted}, got '{kind}' {'with' if data else 'without'} --data")
    frames = 0
    with progress() as bars:
        bar = bars.add_task("choosing poses", total=len(set(counts)), unit="sets")
        if kind == "generated":
            drawn_from = load_prior(out, find_device(device))
            made = generate_clusters(drawn_from, out, counts, seed, on_count=lambda _: bars.advance(bar))
        else:
            joints = find_skeleton(skeleton) if skeleton else skeleton_beside(out)
            mixture, _ = _read(data or [], joints, split, scale, up)
            frames = len(mixture)
            made = train_clusters(mixture, out, counts, seed, kind=kind, on_count=lambda _: bars.advance(bar))
    say(f"initial poses written to {out}")
    if as_json:
        sizes = [len(poses) for poses in made.values()]
        print_json({"out": out, "kind": kind, "counts": sizes, "frames": frames, "seed": seed})


def _sizes_left_out(context: typer.Context, start: Prior) -> dict[str, int]:
    """The sizes of the network in `start`, as far as the command does not name others."""
    from zedo_core.train.options import SIZES

    sources = {name: context.get_parameter_source(name) for name in SIZES}
    left_out = [name for name, source in sources.items() if source is None or source.name != "COMMANDLINE"]
    return {name: getattr(start.net.config, name) for name in left_out}


def _options(values: Mapping[str, Any]) -> TrainOptions:
    """TrainOptions from the options of the command, which are called as its fields are (angles without `_deg`)."""
    from zedo_core.train.augment import AugmentOptions
    from zedo_core.train.options import TrainOptions

    augment = {field.name: values[field.name.removesuffix("_deg")] for field in fields(AugmentOptions)}
    plain = {field.name: values[field.name] for field in fields(TrainOptions) if field.name != "augment"}
    return TrainOptions(**plain, augment=AugmentOptions(**augment))


def _read(
    data: list[str], skeleton: Skeleton, split: str | None, scale: float | None, up: str | None
) -> tuple[Mixture, tuple[Source, ...]]:
    """All data with its weights, and a note of what was found."""
    from zedo_core.data.training import load_mixture, weighted_path

    if "" in data:
        raise InputError("--data: expected a path, got an empty text")
    parts = [weighted_path(text) for text in data]
    with progress() as bars:
        bar = bars.add_task("reading", total=None, unit="files")
        mixture, sources = load_mixture(
            parts,
            skeleton,
            split,
            scale=scale,
            up=up,
            on_file=lambda done, total: bars.update(bar, completed=done, total=total),
        )
    for one in sources:
        left_out = f", {one.damaged} damaged files left out" if one.damaged else ""
        note = (
            f"{one.path} ({one.kind}): {one.frames} poses in {one.sequences} sequences{left_out}, weight {one.weight:g}"
        )
        say(note)
    return mixture, sources


def _said(now: TrainProgress) -> str:
    """The losses and, where measured, the task's errors, in a line."""
    text = f"loss {now.loss:.4f}, held out {now.validation:.4f}"
    if now.task:
        one, ten = now.task.mpjpe_1_mm, now.task.mpjpe_10_mm
        text += f", lifting {one:.1f} mm (PA {now.task.pa_mpjpe_1_mm:.1f}), best of 10 {ten:.1f}"
    return text


def _numbers(text: str) -> tuple[int, ...]:
    """`1,5,10` to numbers."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"--hypo: expected numbers such as 1,5,10, got '{text}'") from None
