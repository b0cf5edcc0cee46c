"""Validation during training: held-out sequences, lifted from exact and from noisy keypoints."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from zedo_core.data.mixture import Mixture
from zedo_core.methods.diff3dhpe.denoiser import Denoiser
from zedo_core.methods.diff3dhpe.features import bone_lengths
from zedo_core.methods.diff3dhpe.pairs import Pairs, PairSource
from zedo_core.methods.erd.weights import ErdWeights
from zedo_core.nets.mixste import MixSTEConfig
from zedo_core.train.augment import AugmentOptions
from zedo_core.train.noise import DetectorNoise, NoiseOptions
from zedo_core.train.sequences import SequenceOptions, SequenceSource
from zedo_core.train.views import ViewOptions

_BATCH = 50
_STEPS = {"": 1, "_5": 5}  # denoising steps of each measurement
_NATURAL = AugmentOptions(
    flip=0.0, limb_exchange=0.0, stature=0.05, lengths=0.0, root_tilt=0.0, rotation=0.0, rarity=0.0
)


@dataclass(frozen=True)
class SequenceCheck:
    """Windows seen by random cameras: exactly, with detector noise of strength 1, and, for a network that sees lengths
    of bones, exactly and with these."""

    pairs: dict[str, Pairs]
    noise: Tensor
    root: int

    @classmethod
    def from_mixture(
        cls,
        mixture: Mixture,
        config: MixSTEConfig,
        sequences: SequenceOptions,
        erd: ErdWeights | None,
        count: int,
        seed: int,
        device: torch.device,
        *,
        bones: bool = False,
    ) -> SequenceCheck:
        """The same data and seed give the same windows and noise."""
        source = SequenceSource.from_mixture(mixture, config.frames, sequences, _NATURAL, ViewOptions(), device, seed)
        pairs = {}
        for name, strength in (("", 0.0), ("_noisy", 1.0)):
            noise = DetectorNoise(NoiseOptions(strength=strength), mixture.skeleton, device)
            generator = Generator(device).manual_seed(seed)
            pairs[name] = PairSource(source, noise, erd, gaps=False).draw(count, generator)
        if bones:
            known = bone_lengths(pairs[""].poses, mixture.skeleton)
            pairs = {name: one._replace(bones_m=(torch.zeros_like(known),)) for name, one in pairs.items()}
            pairs["_bones"] = pairs[""]._replace(bones_m=(known,))
        shape = (count, config.outputs, config.joints, 3)
        noise = torch.randn(shape, generator=Generator(device).manual_seed(seed), device=device)
        return cls(pairs, noise, mixture.skeleton.root)

    @torch.no_grad()
    def errors(self, denoiser: Denoiser) -> dict[str, float]:
        """MPJPE in millimetres of the frames in the middle third that exist, by one pass and by five steps, and the
        mean error of accelerations by one pass in millimetres per frame squared."""
        found: dict[str, float] = {}
        for name, pairs in self.pairs.items():
            for suffix, steps in _STEPS.items():
                off, known, _ = self.off(denoiser, pairs, steps)
                found[f"mpjpe{suffix}{name}_mm"] = float(1000 * off.norm(dim=-1).mean(-1)[known].mean())
                if steps == 1 and off.shape[1] > 2:
                    inner = known[:, 2:] & known[:, 1:-1] & known[:, :-2]
                    bent = (off[:, 2:] - 2 * off[:, 1:-1] + off[:, :-2]).norm(dim=-1).mean(-1)
                    found[f"acceleration{name}_mm"] = float(1000 * bent[inner].mean())
        return found

    @torch.no_grad()
    def off(self, denoiser: Denoiser, pairs: Pairs, steps: int) -> tuple[Tensor, Tensor, Tensor]:
        """Differences from the true poses in the middle third in metres, which frames exist, and the scale of each
        joint's error that the network expects."""
        parts, scales = [], []
        for start in range(0, len(pairs.poses), _BATCH):
            part = pairs.part(slice(start, start + _BATCH))
            window, poses = part.window, part.poses
            found = denoiser.denoise(window, self.noise[start : start + _BATCH], steps)
            pose = found.pose @ window.R[:, None]
            truth = poses if pose.shape[1] > 1 else poses[:, [poses.shape[1] // 2]]
            parts.append(pose - pose[:, :, [self.root]] - truth)
            scales.append(found.scale)
        off, scale, frames = torch.cat(parts), torch.cat(scales), pairs.known.shape[1]
        if off.shape[1] == 1:
            return off, pairs.known[:, [frames // 2]], scale
        middle = slice(frames // 3, frames - frames // 3)
        return off[:, middle], pairs.known[:, middle], scale[:, middle]
