"""The steps of a method on the way to a saved result."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from step_cases import lifted, saved
from toy_method import TOY

import zedo_core as zedo
from zedo_core.errors import FormatError, InputError, OutputError
from zedo_core.methods import methods
from zedo_core.methods.erd.options import ErdOptions
from zedo_core.pipeline.steps import StepsRequest, chosen_rows, draw_steps, steps_of
from zedo_core.pipeline.truth import read_truth
from zedo_core.types import Poses

ROWS = np.array([1, 4])


def with_options(poses: Poses, **changed: Any) -> Poses:
    record = poses.provenance
    return replace(poses, provenance=replace(record, options=record.options | changed))


class TestMethods:
    """A result's files hold all that is needed: what is lifted again is what was lifted, to the rounding of batches."""

    def test_erd(self, tmp_path: Path) -> None:
        folder = saved(tmp_path / "out", *lifted("erd"))
        poses, people = zedo.load(folder / "poses.npz"), zedo.read_keypoints(folder / "keypoints.json")
        steps, rows = steps_of(poses, people, ROWS, device="cpu")
        assert steps.names == ("lifter", "regressor 1") and rows.tolist() == [1, 4]
        np.testing.assert_allclose(steps.joints[-1], poses.joints[ROWS, 0], rtol=0, atol=1e-4)
        alone, _ = lifted("erd", options=ErdOptions(iterations=1))
        first, there = (x - x[:, :1] for x in (steps.joints[0], alone.joints[ROWS, 0]))
        np.testing.assert_allclose(first, there, rtol=0, atol=1e-4)
        assert np.abs(steps.joints[0] - steps.joints[1]).max() > 1e-3

    def test_diff3dhpe(self, tmp_path: Path) -> None:
        """A sample of whole motions, so that rows far from each other in the file are those of the result as well."""
        folder = saved(tmp_path / "out", *lifted("diff3dhpe", frames=30, iterations=3))
        poses, people = zedo.load(folder / "poses.npz"), zedo.read_keypoints(folder / "keypoints.json")
        rows = np.array([20, 2, 9])  # the order of the answer is that of the question
        steps, kept = steps_of(poses, people, rows, device="cpu")
        assert steps.names == ("noise", "step 1 of 3", "step 2 of 3", "step 3 of 3") and kept.tolist() == [20, 2, 9]
        np.testing.assert_allclose(steps.joints[-1], poses.joints[rows, 0], rtol=0, atol=1e-4)
        far = np.linalg.norm(steps.joints - steps.joints[-1], axis=-1).mean((1, 2))
        assert far[0] > 0.3 and (np.diff(far) < 0).all()  # noise of 0.3 m along each axis becomes the motion

    def test_zedo(self, tmp_path: Path) -> None:
        """Without what follows the loop of a single candidate, its last step is the result."""
        options = replace(zedo.ZedoOptions(), candidates=1, fix_size=False, iterations=5)
        folder = saved(tmp_path / "out", *lifted("zedo", hypotheses=1, options=options))
        poses, people = zedo.load(folder / "poses.npz"), zedo.read_keypoints(folder / "keypoints.json")
        steps, _ = steps_of(poses, people, ROWS, device="cpu")
        assert steps.names[:2] == ("initial pose", "step 1 of 5") and len(steps.names) == 6
        np.testing.assert_allclose(steps.joints[-1], poses.joints[ROWS, 0], rtol=0, atol=1e-3)
        assert np.linalg.norm(steps.joints[0] - steps.joints[-1], axis=-1).mean() > 0.02

    @pytest.mark.parametrize("method", ["zedo", "erd", "diff3dhpe"])
    def test_the_defaults(self, method: str) -> None:
        poses, people = lifted(method)
        steps, _ = steps_of(poses, people, ROWS, device="cpu")
        again, _ = steps_of(poses, people, ROWS, device="cpu")
        assert steps.joints.shape == (len(steps.names), 2, 17, 3) and np.isfinite(steps.joints).all()
        np.testing.assert_array_equal(steps.joints, again.joints)
        near = np.linalg.norm(steps.joints[-1] - poses.best[ROWS], axis=-1).mean()
        assert near < 0.3  # in the same place, not necessarily the same hypothesis

    def test_another_number_of_steps(self) -> None:
        poses, people = lifted("diff3dhpe")
        assert len(steps_of(poses, people, ROWS, device="cpu")[0].names) == 2
        assert len(steps_of(poses, people, ROWS, iterations=4, device="cpu")[0].names) == 5


class TestRefused:
    def test_a_method_without_steps(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(methods(), TOY.name, TOY)
        poses, people = lifted(TOY.name)
        with pytest.raises(InputError, match="constant cannot be run as recorded"):
            steps_of(poses, people, ROWS)

    def test_a_result_that_does_not_say_how_it_was_made(self) -> None:
        poses, people = lifted("erd")
        options = {name: value for name, value in poses.provenance.options.items() if name != "jitter"}
        old = replace(poses, provenance=replace(poses.provenance, options=options, version="0.0.1"))
        with pytest.raises(InputError, match=r"zedo 0\.0\.1, does not record jitter; lift the input again"):
            steps_of(old, people, ROWS)

    def test_other_weights(self) -> None:
        poses, people = lifted("erd")
        other = replace(poses, provenance=replace(poses.provenance, weights="mine", weights_sha256="f" * 64))
        with pytest.raises(InputError, match=r"weights mine \(ffffffff\), found zedo-erd-1024 .* by --weights"):
            steps_of(other, people, ROWS)

    def test_another_guide(self) -> None:
        poses, people = lifted("diff3dhpe")
        with pytest.raises(InputError, match="lifted with guide ffff, found"):
            steps_of(with_options(poses, guide="ffff"), people, ROWS)

    def test_poses_without_keypoints(self) -> None:
        poses, people = lifted("erd")
        with pytest.raises(InputError, match=r"expected the keypoints of these poses, found none"):
            steps_of(poses, people.take(people.frame > 10), ROWS)

    def test_interpolated_poses_are_left_out(self) -> None:
        poses, people = lifted("erd")
        filled = poses.filled.copy()
        filled[1] = True
        _, rows = steps_of(replace(poses, filled=filled), people, ROWS)
        assert rows.tolist() == [4]

    @pytest.mark.parametrize(
        ("frames", "message"),
        [("7", "among 0 to 5, found none in '7'"), ("1,x", "such as 10,40,70-80, found 'x'"), ("", "found ''")],
    )
    def test_frames(self, frames: str, message: str) -> None:
        poses, _ = lifted("erd")
        with pytest.raises(InputError, match=message):
            chosen_rows(poses, StepsRequest(frames=frames), None)

    def test_people(self) -> None:
        poses, _ = lifted("erd")
        with pytest.raises(InputError, match="--person: expected one of the ids 0, found 5"):
            chosen_rows(poses, StepsRequest(person=5), None)

    def test_no_poses(self) -> None:
        poses, _ = lifted("erd")
        with pytest.raises(InputError, match="a result with poses, found none"):
            chosen_rows(poses.take(poses.frame > 10), StepsRequest(), None)

    def test_another_kind_of_file(self, tmp_path: Path) -> None:
        with pytest.raises(OutputError, match=r"ending in \.png, \.mp4, \.gif"):
            draw_steps(*lifted("erd"), tmp_path / "a.svg", StepsRequest())


class TestFrames:
    def test_numbers_and_ranges(self) -> None:
        poses, _ = lifted("erd")
        assert chosen_rows(poses, StepsRequest(frames="4, 0-1,1"), None).tolist() == [0, 1, 4]

    def test_some_evenly_spaced(self) -> None:
        poses, _ = lifted("erd")
        assert chosen_rows(poses, StepsRequest(), 3).tolist() == [1, 3, 5]
        assert chosen_rows(poses, StepsRequest(), None).tolist() == [0, 1, 2, 3, 4, 5]


class TestTruth:
    def test_arrays(self, tmp_path: Path) -> None:
        poses, _ = lifted("erd")
        truth = np.random.default_rng(0).normal(size=(4, 17, 3))
        np.save(tmp_path / "a.npy", truth)
        np.savez(tmp_path / "a.npz", joints=truth)
        for name in ("a.npy", "a.npz"):
            found = read_truth(tmp_path / name, poses, ROWS)
            np.testing.assert_array_equal(found[0], truth[1])
            assert np.isnan(found[1]).all()  # there is no frame 4

    @pytest.mark.parametrize("name", ["a.npz", "a.json"])
    def test_results(self, name: str, tmp_path: Path) -> None:
        poses, _ = lifted("erd")
        zedo.save(poses.take(poses.frame > 2), tmp_path / name)
        found = read_truth(tmp_path / name, poses, ROWS)
        np.testing.assert_allclose(found[1], poses.best[4], rtol=0, atol=1e-4)  # rounding in JSON
        assert np.isnan(found[0]).all()

    def test_refused(self, tmp_path: Path) -> None:
        poses, people = lifted("erd")
        np.save(tmp_path / "a.npy", np.zeros((4, 14, 3)))
        (tmp_path / "b.npz").write_text("no npz")
        with pytest.raises(InputError, match=r"expected joints \(frame, 17, 3\) .* found \(4, 14, 3\) float64"):
            read_truth(tmp_path / "a.npy", poses, ROWS)
        for name in ("b.npz", "none.npy"):
            with pytest.raises(FormatError):
                read_truth(tmp_path / name, poses, ROWS)
        np.save(tmp_path / "c.npy", np.zeros((1, 17, 3)))
        with pytest.raises(InputError, match=r"c\.npy: expected poses of the chosen frames, found none"):
            draw_steps(poses, people, tmp_path / "a.png", StepsRequest(frames="3", truth=tmp_path / "c.npy"))
