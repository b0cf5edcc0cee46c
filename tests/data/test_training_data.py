"""Training data: every format, detected from its content, converted to the requested joint set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from bvh_cases import person, rest_pose
from datasets_h36m import dump, entries, make_studio
from datasets_other import mpi_arrays, mpi_items, people, pw3d_npz, pw3d_sequence, write_matlab, write_pickle
from train_cases import own_file, own_motions, synthetic_motions

from zedo_core.data.training import detect_kind, load_mixture, parse_weighted_path
from zedo_core.errors import FormatError, InputError
from zedo_core.skeleton import H36M17, LSP14
from zedo_core.skeleton.files import load_skeleton

K = (1500.0, 1500.0, 1017.0, 1043.0)
TO_CAM = np.array([1.0, -1.0, -1.0])


class TestArrays:
    def test_npz_npy_and_folders_of_them(self, tmp_path: Path) -> None:
        positions = synthetic_motions().positions
        np.savez(tmp_path / "a.npz", positions=positions, offsets=[0, 20, 60], split=["train", "test"])
        np.save(tmp_path / "b.npy", positions[:7])
        mixture, (one, two) = load_mixture([(tmp_path / "a.npz", 1.0), (tmp_path / "b.npy", 3.0)])
        assert (one.kind, one.frames, one.sequences) == ("mocap", 60, 2) and len(one.sha256) == 64
        assert (two.kind, two.frames, two.weight) == ("mocap", 7, 3.0)
        assert mixture.weights == (1.0, 3.0) and mixture.part.tolist() == [0] * 60 + [1] * 7
        assert mixture.motions.sequence.tolist() == [0] * 20 + [1] * 40 + [2] * 7
        folder, (source,) = load_mixture([(tmp_path, 1.0)])
        assert source.frames == 67 and len(folder.weights) == 1

    def test_other_joint_sets(self, tmp_path: Path) -> None:
        """Converted from H36M-17 by name, or unchanged when the number of joints fits."""
        positions = synthetic_motions().positions
        np.save(tmp_path / "h36m.npy", positions)
        mixture, _ = load_mixture([(tmp_path / "h36m.npy", 1.0)], LSP14)
        rows = [H36M17.index(joint) for joint in LSP14.joints]
        np.testing.assert_allclose(mixture.positions, positions[:, rows], atol=1e-6)
        own = load_skeleton(own_file(tmp_path))
        np.save(tmp_path / "own.npy", own_motions(own).positions)
        mixture, _ = load_mixture([(tmp_path / "own.npy", 1.0)], own)
        np.testing.assert_array_equal(mixture.positions, own_motions(own).positions)

    def test_joint_names_take_precedence(self, tmp_path: Path) -> None:
        positions = synthetic_motions().positions
        np.savez(tmp_path / "a.npz", positions=positions, joint_names=np.array(H36M17.joints))
        assert load_mixture([(tmp_path / "a.npz", 1.0)], LSP14)[0].positions.shape == (60, 14, 3)
        np.savez(tmp_path / "a.npz", positions=positions, joint_names=np.array(H36M17.joints[::-1]))
        with pytest.raises(FormatError, match="joint_names of h36m-17"):
            load_mixture([(tmp_path / "a.npz", 1.0)])

    def test_joints_that_cannot_be_derived_are_named(self, tmp_path: Path) -> None:
        np.save(tmp_path / "a.npy", synthetic_motions().positions)
        with pytest.raises(FormatError, match=r"from which neck1, head, .* of own-8 cannot be derived"):
            own = load_skeleton(own_file(tmp_path, joints=["neck1", *_rest()], parents=_parents()))
            load_mixture([(tmp_path / "a.npy", 1.0)], own)


class TestDataSets:
    def test_human36m(self, tmp_path: Path) -> None:
        dump(tmp_path / "h36m_train.pkl", entries(make_studio("train", frames=4)))
        assert detect_kind(tmp_path) == detect_kind(tmp_path / "h36m_train.pkl") == "h36m"
        mixture, (source,) = load_mixture([(tmp_path, 1.0)])
        assert source.kind == "h36m" and source.frames == len(mixture) > 0 and source.sequences > 1

    def test_poses_in_camera_axes_are_turned_upright(self, tmp_path: Path, shared: Path) -> None:
        """Real people 3 to 6 m from a camera, whose y axis points down."""
        crowd = people(40, K, shared / "data" / "mocap" / "mocap_h36m17.npz")
        paths = [f"imageFiles/downtown/image_{i:05d}.jpg" for i in range(40)]
        np.savez(tmp_path / "pw3d_train.npz", **pw3d_npz(crowd, paths))
        mixture, (source,) = load_mixture([(tmp_path, 1.0)])
        assert source.kind == "3dpw" and len(mixture) == 40
        np.testing.assert_allclose(mixture.positions, crowd.joints_cam * TO_CAM, atol=1e-5)

    def test_the_original_3dpw_files_have_fourteen_joints(self, tmp_path: Path) -> None:
        crowd = people(20, K, None)
        sequence = pw3d_sequence("walk", [crowd], [np.ones(20)])
        write_pickle(tmp_path / "sequenceFiles" / "train" / "walk.pkl", sequence)
        assert detect_kind(tmp_path) == "3dpw"
        mixture, _ = load_mixture([(tmp_path, 1.0)], LSP14)
        rows = [H36M17.index(joint) for joint in LSP14.joints]
        np.testing.assert_allclose(mixture.positions, (crowd.joints_cam * TO_CAM)[:, rows], atol=1e-4)
        with pytest.raises(FormatError, match=r"neck_nose, pelvis, spine, which h36m-17 needs.*lsp-14"):
            load_mixture([(tmp_path, 1.0)])

    def test_3dhp_is_not_trained_on_its_test_set(self, tmp_path: Path) -> None:
        crowd = people(30, K, None)
        ids = [f"TS1/imageSequence/img_{i:06d}.jpg" for i in range(30)]
        write_pickle(tmp_path / "a" / "mpii3d_test.pkl", mpi_items(crowd, ids, [1] * 30, [1] * 30))
        for number in range(1, 7):
            folder = tmp_path / "b" / f"TS{number}"
            folder.mkdir(parents=True)
            write_matlab(folder / "annot_data.mat", mpi_arrays(people(30, K, None, number), [number] * 30, [1] * 30))
        for name, frames in (("a", 30), ("b", 180)):
            assert detect_kind(tmp_path / name) == "3dhp"
            with pytest.raises(FormatError, match=r"expected mpii3d_train\.pkl of MPI-INF-3DHP"):
                load_mixture([(tmp_path / name, 1.0)])
            assert len(load_mixture([(tmp_path / name, 1.0)], split="test")[0]) == frames
        with pytest.raises(FormatError, match="sequences of the training split, found TS1 of the test set"):
            load_mixture([(tmp_path / "a" / "mpii3d_test.pkl", 1.0)])
        with pytest.raises(FormatError, match="found a file of the test set"):
            load_mixture([(tmp_path / "b" / "TS1" / "annot_data.mat", 1.0)])
        ids = [f"S1/Seq1/img_{i:06d}.jpg" for i in range(30)]
        write_pickle(tmp_path / "a" / "mpii3d_train.pkl", mpi_items(crowd, ids, [1] * 30, [1] * 30))
        assert len(load_mixture([(tmp_path / "a", 1.0)])[0]) == 30


class TestBvh:
    def test_a_folder_and_a_file(self, tmp_path: Path) -> None:
        rig, _ = person("Mixamo")
        (tmp_path / "a.bvh").write_text(rig.text(rest_pose(rig, 5)))
        (tmp_path / "cut.bvh").write_text("HIERARCHY\n")
        done: list[tuple[int, int]] = []
        mixture, (source,) = load_mixture([(tmp_path, 2.0)], on_file=lambda *count: done.append(count))
        assert (source.kind, source.frames, source.damaged, len(mixture)) == ("bvh", 5, 1, 5) and done[-1] == (2, 2)
        assert detect_kind(tmp_path / "a.bvh") == "bvh"


class TestPaths:
    def test_weights_after_a_colon(self, tmp_path: Path) -> None:
        with_colon = tmp_path / "walk:2"
        with_colon.touch()
        assert parse_weighted_path("a.npz:2.5") == (Path("a.npz"), 2.5)
        assert parse_weighted_path("a.npz") == (Path("a.npz"), 1.0)
        assert parse_weighted_path(str(with_colon)) == (with_colon, 1.0) and parse_weighted_path(f"{with_colon}:3") == (
            with_colon,
            3.0,
        )
        assert parse_weighted_path("C:\\mocap\\a.npz") == (Path("C:\\mocap\\a.npz"), 1.0)
        for text in ("a.npz:0", "a.npz:-1", "a.npz:nan", "a.npz:inf"):
            with pytest.raises(InputError, match="weight above 0"):
                parse_weighted_path(text)

    @pytest.mark.parametrize("name", ["missing", "empty", "a.txt"])
    def test_paths_without_data(self, tmp_path: Path, name: str) -> None:
        (tmp_path / "empty").mkdir()
        (tmp_path / "a.txt").write_text("poses")
        with pytest.raises(FormatError, match=r"expected motion capture as npz, npy or Parquet .*BVH") as caught:
            load_mixture([(tmp_path / name, 1.0)])
        assert "\n" not in str(caught.value)


def _rest() -> list[str]:
    return ["head", "shoulder.L", "hand.L", "shoulder.R", "hand.R", "elbow.L", "elbow.R"]


def _parents() -> list[str | None]:
    return [None, "neck1", "neck1", "elbow.L", "neck1", "elbow.R", "shoulder.L", "shoulder.R"]
