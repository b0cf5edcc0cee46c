"""Diff3DHPE's lifter: rows of keypoints in, hypotheses of whole motions in camera axes out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from zedo_core.camera import Camera
from zedo_core.methods.diff3dhpe.denoiser import Denoised
from zedo_core.methods.diff3dhpe.features import UNIT_M, Window
from zedo_core.methods.diff3dhpe.grid import Grid, grids
from zedo_core.methods.diff3dhpe.guide import guide_of
from zedo_core.methods.diff3dhpe.options import MAX_HYPOTHESES, DiffOptions
from zedo_core.methods.diff3dhpe.weights import DiffWeights
from zedo_core.methods.diff3dhpe.windows import Blend, Windows, noise_bank, noise_of
from zedo_core.methods.erd.weights import ErdWeights
from zedo_core.methods.observations import SPREAD_M, Observations, bounded_translation, depth_bounds, matrices_of
from zedo_core.methods.protocol import OnRows, Steps, check_hypotheses
from zedo_core.skeleton import Skeleton
from zedo_core.types import Keypoints, Lifted

_TOKENS = 16_000  # joints in all frames of a batch
_FRAMES = 2048  # of short motions that are lifted together
# Mean, and mean square, of the distance of a joint from its place in units of the scale, for exp(-d / s) in 3D.
_MEAN_DISTANCE, _MEAN_SQUARE = 3.0, 12.0


@dataclass(frozen=True)
class DiffLifter:
    """The denoiser with settings, the guide that it needs, and the known bones of each track, on one device."""

    loaded: DiffWeights
    erd: ErdWeights | None
    options: DiffOptions
    device: torch.device
    bones_m: Mapping[int, Float[ndarray, " j"]] = field(default_factory=dict)

    name = "diff3dhpe"

    @property
    def skeleton(self) -> Skeleton:
        """The joint set of the input and of the result."""
        return self.loaded.skeleton

    @property
    def weights(self) -> str:
        """The name of the weights."""
        return self.loaded.name

    @property
    def weights_sha256(self) -> str:
        """SHA-256 of the weights."""
        return self.loaded.sha256

    @property
    def window(self) -> int:
        """Frames of a window."""
        return self.loaded.denoiser.net.config.frames

    @property
    def settings(self) -> dict[str, Any]:
        """All options, for the record."""
        known = {str(track): np.round(lengths, 4).tolist() for track, lengths in self.bones_m.items()}
        guide = {"guide": self.erd.sha256 if self.erd else None}
        return asdict(self.options) | guide | ({"bones": known} if known else {})

    def with_bones(self, bones_m: Mapping[int, Float[ndarray, " j"]]) -> DiffLifter:
        """See `protocol.BonesLifter.with_bones`; unchanged for a network that does not see them."""
        return replace(self, bones_m=bones_m) if self.loaded.bones else self

    @torch.inference_mode()
    def lift(
        self,
        rows: Keypoints,
        cameras: Sequence[Camera],
        hypotheses: int,
        seed: int = 0,
        on_rows: OnRows = lambda done: None,
    ) -> Lifted:
        """See `protocol.Lifter.lift`: first the mean motion, then motions from noise, which is determined by `seed`."""
        check_hypotheses(hypotheses, MAX_HYPOTHESES)
        observed, bank = self._observed(rows, cameras), self._noise(hypotheses, seed)
        j, h = len(self.skeleton), hypotheses
        results = tuple(np.empty((len(rows), *size), np.float32) for size in ((h, j, 3), (h, 3), (h,), (j,)))

        def denoised(frames: _Frames, windows: Windows) -> tuple[Tensor, Tensor]:
            return self._denoised(frames, windows, bank, h)

        for group in _groups(grids(rows, self.loaded.rates_hz, self.options.rate_hz)):
            part = slice(group[0].first, group[-1].first + len(group[-1].place))
            done = _Progress(on_rows, part.start, part.stop - part.start)
            found, scale = self._motions(observed, self._bones(rows), group, h, denoised, done)
            for result, values in zip(results, self._placed(observed[part], found, scale), strict=True):
                result[part] = values.cpu().numpy()
            on_rows(part.stop)
        joints, origin, score, spread = results
        return Lifted(joints=joints, origin=origin, score=score, spread=spread)

    @torch.inference_mode()
    def steps(
        self, rows: Keypoints, cameras: Sequence[Camera], wanted: Int[ndarray, " m"], hypotheses: int, seed: int = 0
    ) -> Steps:
        """See `protocol.SteppingLifter.steps`: the noise of the first sample, and the motion after each step."""
        check_hypotheses(hypotheses, MAX_HYPOTHESES)
        observed, bank = self._observed(rows, cameras), self._noise(max(hypotheses, 2), seed)
        count, found = self.options.iterations, []

        def denoised(frames: _Frames, windows: Windows) -> tuple[Tensor, Tensor]:
            return self._stepwise(frames, windows, bank[0])

        for group in _groups(grids(rows, self.loaded.rates_hz, self.options.rate_hz)):
            part = slice(group[0].first, group[-1].first + len(group[-1].place))
            inside = wanted[(part.start <= wanted) & (wanted < part.stop)] - part.start
            if len(inside):
                poses, scale = self._motions(observed, self._bones(rows), group, count + 1, denoised)
                T = self._placed(observed[part], poses[:, -1:], scale)[1]
                found.append(poses[inside] + T.numpy()[inside, :, None])
        names = ("noise", *(f"step {i} of {count}" for i in range(1, count + 1)))
        return Steps(names=names, joints=np.concatenate(found).swapaxes(0, 1))

    def _observed(self, rows: Keypoints, cameras: Sequence[Camera]) -> Observations:
        arrays = (rows.xy, rows.confidence, matrices_of(cameras, rows))
        return Observations.from_pixels(*(torch.from_numpy(np.asarray(a, np.float32)) for a in arrays))

    def _bones(self, rows: Keypoints) -> Float[Tensor, "n j"]:
        """The known lengths of bones of each row in metres."""
        bones = torch.zeros(len(rows), len(self.skeleton))
        for track, lengths_m in self.bones_m.items():
            bones[torch.from_numpy(rows.track == track)] = torch.as_tensor(np.asarray(lengths_m), dtype=bones.dtype)
        return bones

    def _noise(self, hypotheses: int, seed: int) -> Float[Tensor, "k f j 3"]:
        """The noise that the samples start from."""
        return noise_bank(max(hypotheses - 1 + self._own, self._averaged), len(self.skeleton), seed)

    @property
    def _averaged(self) -> int:
        """The samples whose mean is the first hypothesis; 0 for one pass from no noise at all, which is their mean.

        Several steps from no noise would make people smaller, by a tenth after five: no network has seen their like.
        """
        return 0 if self.options.samples == self.options.iterations == 1 else self.options.samples

    @property
    def _own(self) -> int:
        """1 if the first hypothesis is a sample like the others, else 0."""
        return int(self._averaged == 1)

    def _motions(
        self,
        observed: Observations,
        bones: Float[Tensor, "rows j"],
        group: Sequence[Grid],
        count: int,
        denoised: Callable[[_Frames, Windows], tuple[Tensor, Tensor]],
        progress: Callable[[float], None] = lambda share: None,
    ) -> tuple[Float[ndarray, "n h j 3"], Float[ndarray, "n j"]]:
        """Poses relative to the root of all rows of the grids, and the scale of the mean motion's errors.

        `denoised` gives `count` poses of each frame of some windows in camera axes, and the scales.
        """
        config, o, j = self.loaded.denoiser.net.config, self.options, len(self.skeleton)
        stride = 1 if config.outputs == 1 else o.stride or max(1, config.frames // 2)
        windows = Windows.over(group, config.frames, min(stride, max(1, config.frames // 2)))
        before, after, share, known = (
            np.concatenate([getattr(grid, name) for grid in group]) for name in ("before", "after", "share", "known")
        )
        first = np.concatenate([np.full(len(grid), grid.first) for grid in group])
        frames = _Frames(observed, bones, first + before, first + after, share.astype(np.float32), known, self.device)
        poses, scales = Blend.of(len(known), (count, j, 3)), Blend.of(len(known), (j,))
        size = max(1, _TOKENS // (config.frames * j))
        for i, batch in enumerate(windows.batches(size)):
            found = [one.cpu().numpy() for one in denoised(frames, batch)]
            poses.add(batch, found[0])
            scales.add(batch, found[1])
            progress(min(1.0, (i + 1) * size / len(windows)))
        ends = np.cumsum([len(grid) for grid in group])[:-1]
        parts = zip(group, np.split(poses.mean, ends), np.split(scales.mean, ends), strict=True)
        at_rows = [(grid.at_rows(pose), grid.at_rows(scale)) for grid, pose, scale in parts]
        return np.concatenate([pose for pose, _ in at_rows]), np.concatenate([scale for _, scale in at_rows])

    def _denoised(
        self, frames: _Frames, windows: Windows, bank: Float[Tensor, "k f j 3"], count: int
    ) -> tuple[Float[Tensor, "w s h j 3"], Float[Tensor, "w s j"]]:
        """The poses of all hypotheses in camera axes, and the scale of the first one's errors."""
        outputs = self.loaded.denoiser.net.config.outputs
        views = self._views(frames, windows)
        drawn = [self._sample(views, noise_of(one, windows, outputs).to(self.device)) for one in bank]
        first = drawn[: self._averaged] or [self._sample(views, torch.zeros_like(views[0].base[:, :outputs]))]
        mean = torch.stack([one.pose for one in first]).mean(0)
        mixed = torch.stack([mean, *(one.pose for one in drawn[self._own : self._own + count - 1])], dim=2)
        return mixed - mixed[..., [self.skeleton.root], :], torch.stack([one.scale for one in first]).mean(0)

    def _stepwise(
        self, frames: _Frames, windows: Windows, noise: Float[Tensor, "f j 3"]
    ) -> tuple[Float[Tensor, "w s k j 3"], Float[Tensor, "w s j"]]:
        """The noise in camera axes and the motion after each step from it, and the scale."""
        views, outputs = self._views(frames, windows), self.loaded.denoiser.net.config.outputs
        start = noise_of(noise, windows, outputs).to(self.device)
        drawn = list(self._samples(views, start))
        poses = torch.stack([UNIT_M * start @ views[0].R[:, None], *(one.pose for one in drawn)], dim=2)
        return poses - poses[..., [self.skeleton.root], :], drawn[0].scale

    def _views(self, frames: _Frames, windows: Windows) -> list[Window]:
        """The windows as they are, and, with the option, their mirror images."""
        slopes, confidence, known = frames.of(windows)
        step_s = torch.from_numpy(windows.step_s.astype(np.float32)).to(self.device)
        bones = frames.bones_of(windows) if self.loaded.bones else None
        mirrored = (False, True) if self.options.mirror else (False,)
        return [self._view(slopes, confidence, known, step_s, bones, mirror) for mirror in mirrored]

    def _view(
        self, slopes: Tensor, confidence: Tensor, known: Tensor, step_s: Tensor, bones: Tensor | None, mirror: bool
    ) -> Window:
        """The window as it is, or its mirror image: left is right, for the picture and for the joints."""
        if mirror:
            joints = list(self.skeleton.mirror)
            slopes, confidence = _flipped(slopes, joints), confidence[..., joints]
            bones = bones[:, joints] if bones is not None else None
        guide = guide_of(self.erd, slopes, confidence) if self.erd else None
        return Window.from_slopes(slopes, confidence, known, step_s, guide, bones)

    def _sample(self, views: Sequence[Window], noise: Float[Tensor, "w s j 3"]) -> Denoised:
        """A motion in camera axes from the noise, the mean of those of the window and of its mirror image."""
        *_, last = self._samples(views, noise)
        return last

    def _samples(self, views: Sequence[Window], noise: Float[Tensor, "w s j 3"]) -> Iterator[Denoised]:
        """The same after each step."""
        o, joints = self.options, list(self.skeleton.mirror)
        starts = (noise, _flipped(noise, joints))
        ways = [
            self.loaded.denoiser.denoised(view, start, o.iterations, o.eta, torch.Generator().manual_seed(0))
            for view, start in zip(views, starts, strict=False)
        ]
        for step in zip(*ways, strict=True):
            poses = [one.pose @ view.R[:, None] for one, view in zip(step, views, strict=True)]
            scales = [one.scale for one in step]
            if len(views) > 1:
                poses[1], scales[1] = _flipped(poses[1], joints), scales[1][..., joints]
            yield Denoised(torch.stack(poses).mean(0), torch.stack(scales).mean(0))

    def _placed(
        self, observed: Observations, found: Float[ndarray, "n h j 3"], scale: Float[ndarray, "n j"]
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The arrays of `Lifted`: poses where they fit the rays best, and calibrated errors."""
        known, root = self.loaded.calibration, self.skeleton.root
        poses, scales = torch.from_numpy(found), torch.from_numpy(scale)
        bounds = depth_bounds(observed, SPREAD_M)[:, None]
        T = bounded_translation(poses, observed.slopes[:, None], observed.weights[:, None], bounds)
        apart = (poses - poses[:, :1]).square().sum(-1) + (_MEAN_DISTANCE * scales[:, None]).square()
        score = -known.error_scale * apart.sqrt().mean(-1) ** known.error_power
        spread = known.joint_scale * (_MEAN_SQUARE**0.5 * scales) ** known.joint_power
        spread[:, root] = 0.0
        return poses + T, T[:, :, 0], score, spread


@dataclass(frozen=True)
class _Frames:
    """Keypoints of evenly spaced frames, from those of the rows around them."""

    observed: Observations
    bones: Tensor
    before: ndarray
    after: ndarray
    share: ndarray
    known: ndarray
    device: torch.device

    def of(self, windows: Windows) -> tuple[Tensor, Tensor, Tensor]:
        """Slopes, confidences, and which frames are known."""
        index = windows.frame
        before, after = (torch.from_numpy(rows[index]) for rows in (self.before, self.after))
        share = torch.from_numpy(self.share[index])[..., None]
        known = torch.from_numpy(self.known[index] & windows.inside)
        slopes = torch.lerp(self.observed.slopes[before], self.observed.slopes[after], share[..., None])
        ends = self.observed.confidence[before], self.observed.confidence[after]
        confidence = torch.where(share > 0, torch.minimum(*ends), ends[0]) * known[..., None]
        return slopes.to(self.device), confidence.to(self.device), known.to(self.device)

    def bones_of(self, windows: Windows) -> Float[Tensor, "w j"]:
        """The lengths of bones of each window's person."""
        middle = windows.frame[:, windows.frame.shape[1] // 2]
        return self.bones[torch.from_numpy(self.before[middle])].to(self.device)


@dataclass(frozen=True)
class _Progress:
    on_rows: OnRows
    start: int
    count: int

    def __call__(self, share: float) -> None:
        self.on_rows(self.start + int(share * self.count))


def _flipped(values: Float[Tensor, "w t j d"], joints: Sequence[int]) -> Float[Tensor, "w t j d"]:
    return torch.cat([-values[..., :1], values[..., 1:]], dim=-1)[:, :, joints]


def _groups(motions: Iterator[Grid]) -> Iterator[list[Grid]]:
    """Short motions together, long ones alone."""
    group: list[Grid] = []
    for grid in motions:
        group.append(grid)
        if sum(map(len, group)) >= _FRAMES:
            yield group
            group = []
    if group:
        yield group
