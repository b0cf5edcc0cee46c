"""ZeDO's benchmark: our loop against a plain one, with the packaged network and one of the paper's size."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from zedo_core.data.mocap_clips import CAMERA, sample_keypoints
from zedo_core.methods.benchmark import PACKAGED, Bench, BenchRequest, Measurement, Ratio, Run, Target, Work, Workloads
from zedo_core.methods.observations import Observations, depth_bounds
from zedo_core.methods.protocol import Lifter
from zedo_core.methods.zedo.initial_poses import poses_for
from zedo_core.methods.zedo.ipo import descend
from zedo_core.methods.zedo.lifter import ROWS_CPU, ROWS_GPU, ZedoLifter
from zedo_core.methods.zedo.oil import DenoisingSteps, optimise_in_loop
from zedo_core.methods.zedo.options import ZedoOptions, preset
from zedo_core.methods.zedo.plain import plain_loop
from zedo_core.methods.zedo.targets import WIDE, ratios, targets
from zedo_core.nets.fused import FusedScore
from zedo_core.nets.score_mlp import ScoreMLP, ScoreMLPConfig
from zedo_core.nets.tabulated import TabulatedScore
from zedo_core.types import Keypoints

_MIN_ITERATIONS = 5  # the first fifth has no translation step, as in a full run
_LOOPS = ("our loop", "plain loop")


class ZedoWorkloads(Workloads):
    """The loops with the paper's settings, its initial pose optimiser, and the project's targets."""

    memory_rows: ClassVar = (5_000, 50_000)
    remarks: ClassVar = {"networks": f"{PACKAGED}; {WIDE}: the paper's size, width 1024, random weights"}

    def __init__(self, lifter: Lifter, request: BenchRequest) -> None:
        super().__init__(lifter, request)
        assert isinstance(lifter, ZedoLifter)
        self._packaged, self.reference = lifter, preset("reference")

    @cached_property
    def lifters(self) -> Mapping[str, ZedoLifter]:
        """The packaged prior, and one of the paper's size with random weights, which suffices for timing."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            net = ScoreMLP(ScoreMLPConfig()).eval().requires_grad_(False).to(self._packaged.device)
        return {
            PACKAGED: self._packaged,
            WIDE: replace(self._packaged, prior=replace(self._packaged.prior, net=net)),
        }

    @property
    def memory_lifters(self) -> tuple[Lifter, Lifter]:
        """One iteration has the same peak; the growth per person, due to its results, does not depend on the search."""
        once = replace(self._packaged.options, iterations=1)
        few = replace(once, headings=1, tilts_deg=(0.0,), initial_poses=1, candidates=1)
        return replace(self._packaged, options=once), replace(self._packaged, options=few)

    def flops(self, lifter: Lifter, hypotheses: int) -> float:
        """Counted while one person is lifted."""
        assert isinstance(lifter, ZedoLifter)
        rows = count_network_rows(partial(lifter.lift, sample_keypoints(1), (CAMERA,), hypotheses))
        return float(rows * flops_per_row(lifter.prior.net))

    def products(self, lifter: Lifter) -> str:
        """float32, or float16 in the fused kernel."""
        assert isinstance(lifter, ZedoLifter)
        return lifter.products

    def comparisons(self) -> Sequence[tuple[str, Callable[[], Iterable[Work]]]]:
        """Both loops with both networks, on a GPU with many hypotheses too, and Adam."""
        on_cpu = self._packaged.device.type == "cpu"
        counts = sorted({1, 1 if on_cpu else max(self.request.hypotheses)})
        return [
            *((f"loops, {name}, S = {S}", partial(self._both_loops, name, S)) for name in self.lifters for S in counts),
            ("Adam", self._adam),
        ]

    def derived(self, measurements: Sequence[Measurement]) -> Iterable[Measurement]:
        """The plain reference: Adam for each hypothesis, which calls no network, and the plain loop."""
        adam = next(m for m in measurements if m.what == "Adam steps")
        for loop in measurements:
            if (loop.group, loop.what) == ("comparison", "plain loop"):
                seconds = loop.seconds + loop.hypotheses * adam.seconds
                yield replace(loop, what="plain reference", seconds=seconds, ceiling_share=None)

    def curves(self) -> Mapping[str, Callable[[int], Work]]:
        """The loops with the packaged network."""
        return {what: partial(self._loop_of_size, what) for what in _LOOPS}

    def ratios(self, bench: Bench) -> Sequence[Ratio]:
        """Ours against the plain implementation."""
        return ratios(bench)

    def targets(self, bench: Bench) -> Sequence[Target]:
        """All targets."""
        return targets(bench)

    def _both_loops(self, network: str, hypotheses: int) -> Iterable[Work]:
        scene = self._scene(network, self.request.people, hypotheses)
        for what in reversed(_LOOPS):
            yield self._loop("comparison", what, network, scene)

    def _loop_of_size(self, what: str, rows: int) -> Work:
        return self._loop("rows", what, PACKAGED, self._scene(PACKAGED, rows, 1))

    def _scene(self, network: str, rows: int, hypotheses: int) -> Scene:
        options = replace(self.reference, adam_steps=0)
        return Scene.from_keypoints(self.lifters[network], sample_keypoints(rows), hypotheses, options)

    def _loop(self, group: str, what: str, network: str, scene: Scene) -> Work:
        """One of the loops, with the paper's 1000 iterations."""
        lifter, options = self.lifters[network], self.reference
        people, hypotheses = scene.pose.shape[:2]

        def make(iterations: int) -> Run:
            fewer = replace(options, iterations=iterations)
            if what == "our loop":
                return partial(our_loop, lifter, scene, fewer)
            return partial(plain_loop, lifter.prior, scene.observed, scene.pose, scene.T, fewer)

        return Work(
            group=group,
            what=what,
            network=network,
            rows=people,
            hypotheses=hypotheses,
            iterations=options.iterations,
            units=options.iterations,
            make=make,
            least=_MIN_ITERATIONS,
            flops=float(people * hypotheses * options.iterations * flops_per_row(lifter.prior.net)),
            products="float32" if what == "plain loop" else lifter.products,
        )

    def _adam(self) -> Iterable[Work]:
        options, scene = self.reference, self._scene(PACKAGED, self.request.people, 1)
        skeleton = self._packaged.skeleton

        def make(steps: int) -> Run:
            return partial(descend, scene.observed, scene.pose[:, 0], skeleton, replace(options, adam_steps=steps))

        yield Work(
            group="comparison",
            what="Adam steps",
            network="",
            rows=len(scene.pose),
            hypotheses=1,
            iterations=options.adam_steps,
            units=options.adam_steps,
            make=make,
        )


@dataclass(frozen=True)
class Scene:
    """People with their initial poses and translations, the common input of the loops."""

    observed: Observations
    pose: Float[Tensor, "b h j 3"]
    T: Float[Tensor, "b h 1 3"]

    @classmethod
    @torch.inference_mode()
    def from_keypoints(cls, lifter: ZedoLifter, people: Keypoints, hypotheses: int, options: ZedoOptions) -> Scene:
        """People seen by `CAMERA`, with initial poses from `options.adam_steps` steps of the paper's optimiser."""
        K = torch.from_numpy(CAMERA.matrix).expand(len(people), 3, 3)
        inputs = (torch.from_numpy(people.xy), torch.from_numpy(people.confidence), K)
        observed = Observations.from_pixels(*(values.to(lifter.device, torch.float32) for values in inputs))
        pose = poses_for(lifter.initial_poses, hypotheses).repeat(len(observed), 1, 1)
        R, T, _ = descend(observed.repeat(hypotheses), pose, lifter.skeleton, options)
        size = (-1, hypotheses)
        return cls(observed, (pose @ R.mT).unflatten(0, size), T.unflatten(0, size))


@torch.inference_mode()
def our_loop(lifter: ZedoLifter, scene: Scene, options: ZedoOptions) -> tuple[Tensor, Tensor]:
    """Our loop over all people and hypotheses, in batches of the lifter's size."""
    people, hypotheses = scene.pose.shape[:2]
    size = max(1, (ROWS_CPU if lifter.device.type == "cpu" else ROWS_GPU) // hypotheses)
    denoise, results = DenoisingSteps.from_prior(lifter.prior, options), []
    for start in range(0, people, size):
        part = slice(start, start + size)
        observed = scene.observed[part].repeat(hypotheses)
        bounds = depth_bounds(observed, options.spread_m)
        pose, T = scene.pose[part].flatten(0, 1), scene.T[part].flatten(0, 1)
        results.append(optimise_in_loop(denoise, observed, pose, T, bounds, options))
    poses, translations = (torch.cat(parts).unflatten(0, (-1, hypotheses)) for parts in zip(*results, strict=True))
    return poses, translations


def flops_per_row(net: ScoreMLP) -> int:
    """FLOPs of one row in one call: two per weight of the layers, without the tabulated time embedding and norms."""
    return 2 * (sum(layer.dense.weight.numel() for layer in net.layers) + net.head.weight.numel())


def count_network_rows(run: Run) -> int:
    """Number of rows that score networks process in a run."""
    rows: list[int] = []

    def count(module: nn.Module, inputs: tuple[Any, ...], output: object) -> None:
        if isinstance(module, (TabulatedScore, FusedScore)):
            rows.append(len(inputs[0]))

    hook = nn.modules.module.register_module_forward_hook(count)
    try:
        run()
    finally:
        hook.remove()
    return sum(rows)
