"""Training sequences: true motions at any frame rate before moving cameras, and errors that last for frames."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from train_cases import CPU, synthetic_poses

from zedo_core.data.mixture import Mixture
from zedo_core.data.mocap import Motions
from zedo_core.errors import InputError
from zedo_core.skeleton import H36M17
from zedo_core.train.augment import AugmentOptions
from zedo_core.train.draws import Draws, SequenceDraws
from zedo_core.train.noise import TRAINING, DetectorNoise
from zedo_core.train.sequences import SequenceOptions, SequenceSource
from zedo_core.train.views import ViewOptions

PLAIN = AugmentOptions(flip=0.0, limb_exchange=0.0, stature=0.0, lengths=0.0, root_tilt=0.0, rotation=0.0, rarity=0.0)
STILL = SequenceOptions(lowest_hz=30, highest_hz=30, moving=0.0)


def mixture(lengths: tuple[int, ...] = (40, 40), fps: float = 30.0) -> Mixture:
    """Sequences of one rig that turns: the pose of frame t of sequence s is that of one pose turned by 0.05 t."""
    parts = []
    for s, length in enumerate(lengths):
        angle = 0.05 * np.arange(length)
        R = np.zeros((length, 3, 3))
        R[:, 0, 0] = R[:, 2, 2] = np.cos(angle)
        R[:, 0, 2], R[:, 2, 0], R[:, 1, 1] = np.sin(angle), -np.sin(angle), 1
        pose = synthetic_poses(1, seed=s)[0].numpy()
        parts.append(
            (pose - pose[0]) @ np.swapaxes(R, 1, 2) + np.array([0.01, 0, 0.02]) * np.arange(length)[:, None, None]
        )
    motions = Motions(
        positions=np.concatenate(parts).astype(np.float32),
        sequence=np.repeat(np.arange(len(lengths)), lengths),
        names=tuple(f"{i}" for i in range(len(lengths))),
        sources=("own",) * len(lengths),
        fps=(fps,) * len(lengths),
        skeleton=H36M17,
    )
    return Mixture.from_parts([motions])


def source(
    options: SequenceOptions = STILL, augment: AugmentOptions = PLAIN, frames: int = 9, **given: object
) -> SequenceSource:
    return SequenceSource.from_mixture(mixture(**given), frames, options, augment, ViewOptions(), CPU)  # type: ignore[arg-type]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def speed(poses: torch.Tensor) -> torch.Tensor:
    return (poses[:, 1:] - poses[:, :-1]).norm(dim=-1)


class TestWindows:
    def test_the_true_motion(self) -> None:
        """In every window the body turns by 0.05 from frame to frame: the motion of frames in the data."""
        windows = source().draw(8, generator())
        truth = {s: speed(torch.from_numpy(mixture().positions[40 * s : 40 * s + 2])[None] - torch.from_numpy(
            mixture().positions[40 * s : 40 * s + 2, :1])[None])[0, 0] for s in (0, 1)}  # fmt: skip
        found, known = speed(windows.poses), windows.known[:, 1:] & windows.known[:, :-1]
        for row, mask in zip(found, known, strict=True):
            errors = [(row[mask] - truth[s]).abs().max() for s in (0, 1)]
            assert min(errors) < 1e-4

    def test_frame_rates(self) -> None:
        """At 15 frames per second the body turns twice as far; data at 24 frames per second is resampled."""
        fast, slow = (source(replace(STILL, lowest_hz=hz, highest_hz=hz)).draw(8, generator()) for hz in (30.0, 15.0))
        torch.testing.assert_close(slow.step_s, torch.full((8,), 1 / 15))
        both = slow.known.all(1) & fast.known.all(1)
        chord = np.sin(0.05) / np.sin(0.025)  # of twice the angle
        ratio = speed(slow.poses)[both].mean() / speed(fast.poses)[both].mean()
        assert float(ratio) == pytest.approx(chord, rel=0.01)
        other = source(lengths=(40, 40), fps=24.0).draw(8, generator())
        mask = other.known.all(1)
        between = speed(other.poses)[mask].mean() / speed(fast.poses)[mask].mean()
        assert float(between) == pytest.approx(24 / 30, rel=0.02)

    def test_rays_go_through_the_joints(self) -> None:
        """The root is where the rays meet: then all joints project onto their rays, moving or not."""
        options = SequenceOptions(moving=1.0, turn_deg_s=40)
        windows = source(options, AugmentOptions()).draw(16, generator())
        poses, slopes = windows.poses.double(), windows.slopes.double()
        A = torch.zeros(*slopes.shape[:3], 2, 3, dtype=torch.float64)
        A[..., 0, 0] = A[..., 1, 1] = -1
        A[..., 2] = slopes
        b = poses[..., :2] - slopes * poses[..., 2:]
        T = torch.linalg.lstsq(A.flatten(2, 3), b.flatten(2)[..., None]).solution[..., 0]
        points = poses + T[:, :, None]
        torch.testing.assert_close(points[..., :2] / points[..., 2:], slopes, rtol=0, atol=1e-5)
        assert (points[..., 2] > 0.4).all()

    def test_bodies_keep_their_bones(self) -> None:
        windows = source(SequenceOptions(), AugmentOptions(limb_exchange=0.5)).draw(16, generator())
        parents = [max(parent, 0) for parent in H36M17.parents]
        lengths = (windows.poses - windows.poses[:, :, parents]).norm(dim=-1)[..., 1:]
        assert float((lengths.std(1) / lengths.mean(1)).max()) < 0.01  # cubics between frames cut corners
        assert float(lengths.mean(1).std(0).min()) > 0.005  # windows have different bodies

    def test_beyond_the_ends_nothing_is_known(self) -> None:
        windows = source(lengths=(1, 3)).draw(32, generator())
        assert (
            windows.known[:, 4].all() and int(windows.known.sum(1).max()) <= 3 and int(windows.known.sum(1).min()) == 1
        )
        assert windows.slopes.isfinite().all()

    def test_the_same_seed_gives_the_same_windows(self) -> None:
        a, b, c = (source(SequenceOptions(), AugmentOptions()).draw(4, generator(seed)) for seed in (0, 0, 1))
        assert torch.equal(a.slopes, b.slopes) and not torch.equal(a.slopes, c.slopes)

    def test_bad_options(self) -> None:
        for bad in ({"lowest_hz": 0.0}, {"lowest_hz": 40.0}, {"moving": 2.0}, {"turn_deg_s": -1.0}):
            with pytest.raises(InputError, match="expected"):
                SequenceOptions(**bad)


class TestLastingErrors:
    def test_numbers_are_correlated_in_time(self) -> None:
        """exp(-d / tau) between frames a time d apart; each by itself has mean 0 and variance 1."""
        draws = SequenceDraws.from_steps(torch.full((4,), 0.04), 6, generator())
        values = draws.normal(24, 50_000).view(4, 6, -1)
        tau = -0.04 / (values[:, 0] * values[:, 1]).mean(-1).log()
        assert ((tau > 0.045) & (tau < 1.1)).all() and float(tau.std()) > 0.01
        for d in (2, 3):
            found = (values[:, 1] * values[:, 1 + d]).mean(-1)
            torch.testing.assert_close(found, torch.exp(-0.04 * d / tau), rtol=0, atol=0.02)
        torch.testing.assert_close(values.var(-1), torch.ones(4, 6), rtol=0, atol=0.03)
        torch.testing.assert_close(draws.jitter(24, 50_000).var(-1), torch.ones(24), rtol=0, atol=0.03)
        uniform = draws.uniform(24, 50_000)
        torch.testing.assert_close(uniform.mean(-1), torch.full((24,), 0.5), rtol=0, atol=0.01)
        assert float(uniform.min()) >= 0 and float(uniform.max()) < 1

    def test_held_numbers_stay(self) -> None:
        held = SequenceDraws.from_steps(torch.full((3,), 0.04), 5, generator()).normal(15, 2, held=True).view(3, 5, 2)
        assert torch.equal(held, held[:, :1].expand(-1, 5, -1)) and float(held[:, 0].std()) > 0.1

    def test_independent_numbers_are_torch_s(self) -> None:
        draws = Draws(generator(), CPU)
        torch.testing.assert_close(draws.uniform(3, held=True), torch.rand(3, generator=generator()))

    def test_each_frame_errs_as_if_alone(self) -> None:
        """Quantiles of errors of 20 000 frames are those of frames alone within 6 %, and as many joints miss."""
        windows = source(SequenceOptions(), AugmentOptions(), 10).draw(2000, generator())
        noise = DetectorNoise(TRAINING, H36M17, CPU)
        one, seen = noise(windows.slopes.flatten(0, 1), generator())
        many, kept = noise.of_sequences(windows.slopes, windows.step_s, generator(1))
        size = (windows.slopes.amax(2) - windows.slopes.amin(2)).amax(-1)[..., None]
        a, b = ((found.view_as(windows.slopes) - windows.slopes).norm(dim=-1) / size for found in (one, many))
        levels = torch.tensor([0.5, 0.75, 0.9, 0.95])
        alone, together = (torch.quantile(x[c.view_as(x) > 0][::5], levels) for x, c in ((a, seen), (b, kept)))
        torch.testing.assert_close(together, alone, rtol=0.06, atol=0)
        assert float((kept > 0).float().mean()) == pytest.approx(float((seen > 0).float().mean()), abs=0.01)

    def test_errors_last(self) -> None:
        """From frame to frame an error changes less than errors of frames alone do; what is missing stays so."""
        windows = source(STILL, PLAIN, 10).draw(500, generator())
        noise = DetectorNoise(replace(TRAINING, clean=0.0), H36M17, CPU)
        alone, _ = noise(windows.slopes.flatten(0, 1), generator())
        lasting, seen = noise.of_sequences(windows.slopes, windows.step_s, generator())
        change, free = (
            (found.view_as(windows.slopes) - windows.slopes).diff(dim=1).norm(dim=-1).median()
            for found in (lasting, alone)
        )
        assert float(change) < 0.7 * float(free)
        missing = seen == 0
        assert float((missing[:, 1:] & missing[:, :-1]).sum() / missing[:, :-1].sum()) > 0.5
