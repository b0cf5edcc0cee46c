"""SkiPose, read from files generated from known people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from datasets_other import ROOT, People, people, ski_arrays, with_entries, write_hdf5

from zedo_core.data.skipose import load, root_translations
from zedo_core.errors import FormatError, InputError
from zedo_core.skeleton import H36M17

CAMERA = (420.0, 415.0, 126.0, 131.0)  # of a crop of 256 px
N = 24
SEQ, CAM, FRAME = np.arange(N) % 2, np.arange(N) % 6 // 2, 100 - np.arange(N) // 6


@pytest.fixture(params=["random", "mocap"])
def mocap(request: pytest.FixtureRequest) -> Path | None:
    if request.param == "random":
        return None
    return request.getfixturevalue("shared") / "data" / "mocap" / "mocap_h36m17.npz"


def content(mocap: Path | None = None) -> tuple[People, dict[str, Any]]:
    crowd = people(N, CAMERA, mocap)
    return crowd, ski_arrays(crowd, SEQ, CAM, FRAME)


def order(sequences: tuple[str, ...]) -> list[int]:
    """Rows of the file in the expected order of the samples."""
    names = [f"seq_{s:03d}/cam_{c:02d}" for s, c in zip(SEQ, CAM, strict=True)]
    assert sequences == tuple(dict.fromkeys(names))
    return sorted(range(N), key=lambda row: (sequences.index(names[row]), FRAME[row]))


def test_positions_in_camera_axes(tmp_path: Path, mocap: Path | None) -> None:
    """3D is float32 at up to 6 m: 1e-6 m; pixels and cameras are divided and multiplied by 256, exact in float64."""
    crowd, arrays = content(mocap)
    write_hdf5(tmp_path / "ski_test.h5", arrays)
    samples = load(tmp_path)
    rows = order(samples.sequences)
    assert samples.name == "ski" and samples.actions == ("all",) and samples.left_out == 0
    assert samples.frame.tolist() == FRAME[rows].tolist() and (samples.action == 0).all()
    assert (np.diff(samples.sequence) >= 0).all() and np.bincount(samples.sequence).tolist() == [4] * 6
    np.testing.assert_allclose(samples.joints_cam, crowd.joints_cam[rows], atol=1e-6)
    np.testing.assert_array_equal(samples.xy, crowd.xy[rows])
    np.testing.assert_array_equal(samples.K, np.broadcast_to(crowd.K, samples.K.shape))
    assert (samples.confidence == 1).all() and samples.evaluated == H36M17.joints


def test_root_relative_poses_get_their_translation(tmp_path: Path, mocap: Path | None) -> None:
    """3D in float32 is about 1e-7 m off; the depth follows from angles of 0.1 rad, hence 1e-5 m."""
    crowd, arrays = content(mocap)
    relative = crowd.joints_cam - crowd.joints_cam[:, [ROOT]]
    arrays["3D"] = relative.reshape(N, 51).astype(np.float32)
    arrays["2D"][3, 7] = np.nan
    samples = load(write_hdf5(tmp_path / "ski_test.h5", arrays))
    rows = [row for row in order(samples.sequences) if row != 3]
    np.testing.assert_allclose(samples.joints_cam, crowd.joints_cam[rows], atol=1e-5)
    assert samples.left_out == 1


def test_translations_minimise_the_reprojection_error() -> None:
    """With 1 px of noise: within 1e-6 m of a general optimiser after three steps; without weights it is cm off."""
    from scipy.optimize import least_squares

    crowd = people(8, CAMERA, None, seed=4)
    poses = crowd.joints_cam - crowd.joints_cam[:, [ROOT]]
    xy = crowd.xy + np.random.default_rng(0).normal(0, 1, crowd.xy.shape)
    found = root_translations(poses, xy, np.tile(crowd.K, (8, 1, 1)))
    for pose, pixels, T, truth in zip(poses, xy, found, crowd.joints_cam[:, ROOT], strict=True):

        def residuals(T: np.ndarray, pose: np.ndarray = pose, pixels: np.ndarray = pixels) -> np.ndarray:
            projected = (pose + T) @ crowd.K.T
            return (projected[:, :2] / projected[:, 2:] - pixels).ravel()

        best = least_squares(residuals, truth, xtol=1e-12)
        np.testing.assert_allclose(T, best.x, atol=1e-6)


def test_poses_without_a_translation_are_left_out() -> None:
    crowd = people(3, CAMERA, None)
    poses = crowd.joints_cam - crowd.joints_cam[:, [ROOT]]
    xy = crowd.xy.copy()
    xy[1] = 2 * crowd.K[:2, 2] - xy[1]  # point reflection: only fits behind the camera
    found = root_translations(poses, xy, np.tile(crowd.K, (3, 1, 1)))
    assert np.isfinite(found).all(axis=1).tolist() == [True, False, True]


def test_the_original_files_of_skipose(tmp_path: Path) -> None:
    arrays = content()[1]
    for name in ("seq", "cam", "frame"):
        arrays[name] = arrays[name][:, None]
    write_hdf5(tmp_path / "test" / "labels.h5", arrays)
    assert len(load(tmp_path)) == N
    assert len(load(tmp_path / "test" / "labels.h5", "train")) == N
    with pytest.raises(FormatError, match=r"expected ski_train\.h5 or train/labels\.h5 of SkiPose, found test"):
        load(tmp_path, "train")


def test_samples_that_are_not_finite_are_left_out(tmp_path: Path) -> None:
    _, arrays = content()
    arrays["2D"][0, 3] = np.nan
    arrays["3D"][1, 3] = np.inf
    arrays["cam_intrinsic"][2, 0, 0] = np.nan
    samples = load(write_hdf5(tmp_path / "ski_test.h5", arrays))
    assert len(samples) == N - 3 and samples.left_out == 3


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no cameras": ({"cam_intrinsic": None}, "numeric arrays cam_intrinsic, found 2D, 3D, cam, frame, seq, subj"),
    "16 joints": ({"3D": np.zeros((N, 48))}, r"'3D' of shape \(n, 51\), found \(24, 48\)"),
    "lengths": ({"2D": np.zeros((5, 34))}, r"'2D' of shape \(24, 34\), found \(5, 34\)"),
    "cameras": ({"cam_intrinsic": np.zeros((N, 9))}, r"'cam_intrinsic' of shape \(24, 3, 3\), found \(24, 9\)"),
    "frames": ({"frame": np.zeros(3)}, r"'frame' of shape \(24,\), found \(3,\)"),
    "fractions": ({"frame": np.full(N, 0.5)}, "whole numbers in 'frame'"),
    "no number": ({"seq": np.full(N, np.nan)}, "whole numbers in 'seq'"),
    "words": ({"3D": "text"}, "numeric arrays 3D"),
    "a scalar": ({"3D": 1.0}, r"'3D' of shape \(n, 51\), found \(\)"),
    "nothing finite": ({"2D": np.full((N, 34), np.nan)}, "found none among 24"),
}


@pytest.mark.parametrize("kind", BAD)
def test_invalid_files(tmp_path: Path, kind: str) -> None:
    entries, message = BAD[kind]
    with pytest.raises(FormatError, match=message):
        load(write_hdf5(tmp_path / "ski_test.h5", with_entries(content()[1], **entries)))


def test_a_file_without_samples(tmp_path: Path) -> None:
    arrays = {name: array[:0] for name, array in content()[1].items()}
    with pytest.raises(FormatError, match="found none among 0"):
        load(write_hdf5(tmp_path / "ski_test.h5", arrays))


def test_a_group_instead_of_an_array(tmp_path: Path) -> None:
    arrays = with_entries(content()[1], **{"3D": None, "3D/a": np.zeros(3)})
    with pytest.raises(FormatError, match="numeric arrays 3D, found"):
        load(write_hdf5(tmp_path / "ski_test.h5", arrays))


def test_names_that_are_not_utf_8(tmp_path: Path) -> None:
    path = write_hdf5(tmp_path / "ski_test.h5", with_entries(content()[1], frame=None))
    with h5py.File(path, "a") as file:
        file[b"\xff\xfe"] = np.zeros(3)
    with pytest.raises(FormatError, match=r"numeric arrays frame, found 2D, 3D, .*xff"):
        load(path)


def test_damaged_and_foreign_files(tmp_path: Path) -> None:
    path = write_hdf5(tmp_path / "ski_test.h5", content()[1])
    full = path.read_bytes()
    for length in (0, 7, 600, len(full) // 2, len(full) - 100):
        path.write_bytes(full[:length])
        with pytest.raises(FormatError, match=r"ski_test\.h5: expected HDF5, cannot read it .*download the file again"):
            load(tmp_path)
    with pytest.raises(FormatError, match="no readable folder"):
        load(tmp_path / "nowhere")
    path.unlink()
    (tmp_path / "h36m_test.pkl").touch()
    with pytest.raises(FormatError, match=r"found h36m_test\.pkl: this looks like Human3\.6M \('h36m'\)"):
        load(tmp_path)
    with pytest.raises(FormatError, match=r"numeric arrays 3D, .* found annot3: this looks like MPI-INF-3DHP"):
        load(write_hdf5(path, {"annot3": np.zeros(3)}))


def test_invalid_options() -> None:
    with pytest.raises(InputError, match="split 'validation' is not known; expected train or test"):
        load(Path(), "validation")
    with pytest.raises(InputError, match="the data set has no detections"):
        load(Path(), input="detected")
    with pytest.raises(InputError, match="input 'cpn' is not known; expected 'gt'"):
        load(Path(), input="cpn")
