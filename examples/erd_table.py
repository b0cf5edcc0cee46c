"""Lifters alone and with residual regressors, trained in one run and compared on motion capture of the split `test`.

    python examples/erd_table.py MOCAP.npz --features delta,proj,cat,catproj,ori --pca 0,30 --root known,fitted
    python examples/erd_table.py MOCAP.npz --paper --net linear,lcn,semgcn --root known --cameras CALIBRATION
    python examples/erd_table.py MOCAP.npz --from erd --features delta,cat --regressor-steps 300

Each line has the MPJPE in mm of the poses P_0 (the lifter alone) to P_K, and marks the K that is best on held-out poses
of the training split. Noise 0 is exact 2D, 1 is like a detector's, both in training and in the test. `--paper` has the
sizes of the papers and, as they do, poses that are only turned about the vertical; `--from` takes a trained lifter.
"""

import argparse
import shutil
import tempfile
from dataclasses import replace
from itertools import product
from pathlib import Path

import torch

from zedo_core.camera.files import read_calibrations
from zedo_core.data.mixture import Mixture
from zedo_core.data.mocap import load
from zedo_core.methods.erd.descent import Descent
from zedo_core.methods.erd.regressors import DescentOptions, load_networks, train_regressors
from zedo_core.methods.erd.training import LifterOptions, LifterTask
from zedo_core.methods.erd.weights import load_weights
from zedo_core.nets.lifter import OURS, PAPER, LifterConfig
from zedo_core.train.augment import AugmentOptions
from zedo_core.train.noise import NoiseOptions
from zedo_core.train.training import train
from zedo_core.train.views import ViewOptions
from zedo_core.weights import find_weights

CPU = torch.device("cpu")


def averaging(steps: int) -> float:
    """Decay of the averaged weights: more would not leave the random weights behind in a short training."""
    return max(0.0, 1 - 10 / steps)


def lifter_options(args: argparse.Namespace, config: LifterConfig, noise: float) -> LifterOptions:
    """The settings of a lifter's training."""
    augment = AugmentOptions(**dict.fromkeys(vars(AugmentOptions()), 0.0)) if args.paper else AugmentOptions()
    return LifterOptions(
        lifter=config,
        noise=NoiseOptions(strength=noise),
        views=ViewOptions(cameras=read_calibrations(Path(args.cameras)) if args.cameras else ()),
        augment=augment,
        steps=args.steps,
        batch=args.batch,
        learning_rate=args.learning_rate,
        ema=averaging(args.steps),
        precision=args.precision,
        check_every=0,
        check_poses=args.poses,
    )


def train_lifter(task: LifterTask, out: Path) -> None:
    """Train the lifter of the task into `out`, or take that which it starts from."""
    if task.start:
        out.mkdir()
        task.save(task.net, out)
    else:
        train(lambda _: task, out, task.options, device=CPU)


def trained(task: LifterTask, lifter: Path, out: Path, options: DescentOptions) -> tuple[Descent, int]:
    """The lifter with all regressors, and the number that is best on held-out poses."""
    out.mkdir()
    for file in lifter.glob("erd.*"):
        shutil.copy(file, out)
    best = train_regressors(task, out, options, device=CPU)["regressors"]
    return load_networks(out, options, options.regressors, CPU), best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--net", default="linear")
    parser.add_argument("--paper", action="store_true")
    parser.add_argument("--pca", default="0", help="principal components, for linear only")
    parser.add_argument("--noise", default="0,1")
    parser.add_argument("--features", default="delta")
    parser.add_argument("--root", default="known,fitted")
    parser.add_argument("--cameras", help="a calibration file; random cameras without it")
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--precision", default="fp32", help="of the lifters: fp32 or bf16")
    parser.add_argument("--regressors", type=int, default=10)
    parser.add_argument("--regressor-steps", type=int, default=500)
    parser.add_argument("--poses", type=int, default=2000)
    parser.add_argument("--from", dest="start", help="weights whose lifter is taken: a name, or a folder")
    args = parser.parse_args()
    training, test = (Mixture.from_parts([load(args.file, split)]) for split in ("train", "test"))
    start = load_weights(find_weights(args.start, "lifter")) if args.start else None
    sizes = [
        start.net.lifter.config if start else replace((PAPER if args.paper else OURS)[net], components=int(pca))
        for net, pca in product(args.net.split(","), args.pca.split(","))
    ]
    lifters = product(sizes, map(float, args.noise.split(",")))
    with tempfile.TemporaryDirectory() as folder:
        for i, (config, noise) in enumerate(lifters):
            out = Path(folder) / str(i)
            task = LifterTask.from_mixture(training, lifter_options(args, config, noise), CPU, start=start)
            train_lifter(task, out)
            check = task.check_of(test)
            for features, root in product(args.features.split(","), args.root.split(",")):
                descent = DescentOptions(
                    features=features,
                    root_known=root == "known",
                    regressors=args.regressors,
                    steps=args.regressor_steps,
                    batch=args.batch,
                    warmup=args.regressor_steps // 10,
                    ema=averaging(args.regressor_steps),
                )
                networks, best = trained(task, out, out / f"{features}-{root}", descent)
                rows = check.errors_of_descent(networks, root_known=descent.root_known)
                key = "mpjpe_noisy_mm" if noise else "mpjpe_mm"
                errors = [f"{row[key]:.1f}{'*' * (k == best)}" for k, row in enumerate(rows)]
                print(
                    f"{config.net} pca {config.components} noise {noise:g} {features} root {root}: {' '.join(errors)}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
