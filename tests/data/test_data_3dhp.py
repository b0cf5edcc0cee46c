"""MPI-INF-3DHP in both of its formats, read from files generated from known people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from datasets_other import People, mpi_arrays, mpi_items, people, with_entries, write_hdf5, write_matlab, write_pickle

from zedo_core.data.mpi_inf_3dhp import ACTIONS, load
from zedo_core.errors import FormatError, InputError
from zedo_core.skeleton import H36M17

STUDIO = (1500.0, 1500.6, 1017.4, 1043.1)
OUTDOORS = (1683.9, 1672.7, 939.9, 560.1)


@pytest.fixture(params=["random", "mocap"])
def mocap(request: pytest.FixtureRequest) -> Path | None:
    if request.param == "random":
        return None
    return request.getfixturevalue("shared") / "data" / "mocap" / "mocap_h36m17.npz"


# The pickle of the official ZeDO

FRAMES = [("TS2", 4), ("TS2", 3), ("TS1", 7), ("TS2", 5), ("TS1", 9), ("TS1", 8)]
ACTION_NUMBERS = [7, 1, 2, 3, 4, 5]
VALID = [1, 1, 1, 0, 1, 1]


def items(mocap: Path | None = None) -> tuple[People, list[dict[str, Any]]]:
    crowd = people(len(FRAMES), STUDIO, mocap)
    imageids = [f"mpi_inf_3dhp_test_set/{name}/imageSequence/img_{frame:06d}.jpg" for name, frame in FRAMES]
    return crowd, mpi_items(crowd, imageids, ACTION_NUMBERS, VALID)


def test_the_pickle_of_the_official_zedo(tmp_path: Path, mocap: Path | None) -> None:
    """float64 throughout: 1e-12 m for the millimetres."""
    crowd, content = items(mocap)
    write_pickle(tmp_path / "mpii3d_test.pkl", content)
    samples = load(tmp_path)
    rows = [1, 0, 2, 5, 4]  # by sequence and frame; 3 is not valid
    assert samples.name == "3dhp" and samples.sequences == ("TS2", "TS1") and samples.left_out == 1
    assert samples.sequence.tolist() == [0, 0, 1, 1, 1] and samples.frame.tolist() == [3, 4, 7, 8, 9]
    actions = ["Standing/Walking", "Miscellaneous", "Exercise", "On the Floor", "Reaching/Crouching"]
    assert [samples.actions[a] for a in samples.action] == actions
    np.testing.assert_allclose(samples.joints_cam, crowd.joints_cam[rows], atol=1e-12)
    np.testing.assert_array_equal(samples.xy, crowd.xy[rows])
    np.testing.assert_array_equal(samples.K, np.broadcast_to(crowd.K, samples.K.shape))
    assert (samples.confidence == 1).all() and samples.evaluated == H36M17.joints


def test_image_ids_that_are_plain_numbers(tmp_path: Path) -> None:
    crowd = people(6, STUDIO, None)
    content = mpi_items(crowd, [0, 1, 2, np.array([0]), 1, np.int64(5)], [1] * 6, [1] * 6)
    samples = load(write_pickle(tmp_path / "any.pkl", content))
    assert samples.sequence.tolist() == [0, 0, 0, 1, 1, 1] and samples.frame.tolist() == [0, 1, 2, 0, 1, 5]
    assert len(samples.sequences) == 2


def test_samples_that_are_not_finite_are_left_out(tmp_path: Path) -> None:
    _, content = items()
    content[0]["joint_2d"][3, 1] = np.nan
    content[1]["joint_3d_camera"][3, 1] = np.inf
    content[2]["joint_2d"][:, 2] = np.nan  # not a coordinate
    samples = load(write_pickle(tmp_path / "mpii3d_test.pkl", content))
    assert len(samples) == 3 and samples.left_out == 3


BAD_ITEM: dict[str, tuple[dict[str, Any], str]] = {
    "no camera": ({"camera_param": None}, "expected camera_param in entry 4, found action"),
    "no centre": ({"camera_param": {"fx": 1.0, "fy": 1.0}}, "fx, fy, cx, cy in 'camera_param of entry 4'"),
    "words": ({"camera_param": dict.fromkeys(("fx", "fy", "cx", "cy"), "x")}, r"'camera_param\[fx\] of entry 4'"),
    "two numbers": ({"valid_i": [1, 2]}, r"'valid_i of entry 4' of shape \(1,\), found \(2,\)"),
    "ragged": ({"valid_i": [[1], [1, 2]]}, "'valid_i of entry 4' to be a number"),
    "16 joints": ({"joint_3d_camera": np.zeros((16, 3))}, r"'joint_3d_camera of entry 4' of shape \(17, n\), found"),
    "flat": ({"joint_3d_camera": np.zeros((17, 2))}, r"3 values per joint in 'joint_3d_camera of entry 4'.*\(17, 2\)"),
    "one pixel": ({"joint_2d": np.zeros((17, 1))}, r"2 values per joint in 'joint_2d of entry 4'"),
    "action": ({"action": 8}, "actions 1 to 7 in valid frames, found 8"),
    "half an action": ({"action": 1.5}, r"actions 1 to 7 in valid frames, found 1\.5"),
    "picture": ({"imageid": "TS1/img.jpg"}, r"frame number, found 'TS1/img\.jpg'"),
}


@pytest.mark.parametrize("kind", BAD_ITEM)
def test_invalid_entries(tmp_path: Path, kind: str) -> None:
    entries, message = BAD_ITEM[kind]
    content = items()[1]
    content[4] = with_entries(content[4], **entries)
    with pytest.raises(FormatError, match=message):
        load(write_pickle(tmp_path / "mpii3d_test.pkl", content))


def test_pickles_of_other_content(tmp_path: Path) -> None:
    path = tmp_path / "mpii3d_test.pkl"
    with pytest.raises(FormatError, match=r"in entry 0, found .*joint_3d_image: this looks like Human3\.6M"):
        load(write_pickle(path, [{"joint_3d_camera": 1, "joint_3d_image": 2}]))
    with pytest.raises(FormatError, match=r"a list of samples of MPI-INF-3DHP, found jointPositions: .*3DPW"):
        load(write_pickle(path, {"jointPositions": []}))
    for other in ([], 3, "text"):
        with pytest.raises(FormatError, match="expected a list of samples of MPI-INF-3DHP"):
            load(write_pickle(path, other))
    for other in ([3], [None], [[1]]):
        with pytest.raises(FormatError, match="in entry 0, found"):
            load(write_pickle(path, other))
    with pytest.raises(FormatError, match="found none among 0"):
        load(write_pickle(path, [{**item, "valid_i": 0} for item in items()[1]]))


class CodeObject:
    """An object that runs code when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_damaged_pickles_and_foreign_objects(tmp_path: Path) -> None:
    path = write_pickle(tmp_path / "mpii3d_test.pkl", items()[1])
    full = path.read_bytes()
    for length in (0, 5, len(full) // 2, len(full) - 1):
        path.write_bytes(full[:length])
        with pytest.raises(FormatError, match=r"mpii3d_test\.pkl: expected a pickle"):
            load(tmp_path)
    with pytest.raises(FormatError, match="plain containers, refused"):
        load(write_pickle(path, [{**items()[1][0], "w": CodeObject(tmp_path / "ran")}]))
    assert not (tmp_path / "ran").exists()


# The authors' annot_data.mat


def arrays(i: int, mocap: Path | None = None) -> tuple[People, dict[str, Any], list[int]]:
    """Sequence TS i with 40 + i frames, of which every fifth is invalid and has no activity."""
    n = 40 + i
    crowd = people(n, OUTDOORS if i > 4 else STUDIO, mocap, seed=i)
    valid = [int(t % 5 != 2) for t in range(n)]
    return crowd, mpi_arrays(crowd, [(t % 7 + 1) * mark for t, mark in enumerate(valid)], valid), valid


def write_sequences(folder: Path, mocap: Path | None = None) -> list[tuple[People, list[int]]]:
    truth = []
    for i in range(1, 7):
        crowd, content, valid = arrays(i, mocap)
        write_matlab(folder / f"TS{i}" / "annot_data.mat", content)
        truth.append((crowd, valid))
    return truth


def test_the_mat_files_of_3dhp(tmp_path: Path, mocap: Path | None) -> None:
    """float64 throughout: 1e-12 m; the camera is fitted to exact pixels: 1e-6 px."""
    truth = write_sequences(tmp_path, mocap)
    samples = load(tmp_path)
    assert samples.sequences == ("TS1", "TS2", "TS3", "TS4", "TS5", "TS6") and samples.actions == ACTIONS
    rows = [(i, t) for i, (_, valid) in enumerate(truth) for t in np.flatnonzero(valid)]
    assert list(zip(samples.sequence.tolist(), samples.frame.tolist(), strict=True)) == rows
    assert samples.left_out == sum(len(valid) for _, valid in truth) - len(rows)
    for name, atol in (("joints_cam", 1e-12), ("xy", 0.0)):
        expected = [getattr(truth[i][0], name)[t] for i, t in rows]
        np.testing.assert_allclose(getattr(samples, name), expected, atol=atol)
    np.testing.assert_allclose(samples.K, [truth[i][0].K for i, _ in rows], atol=1e-6)
    assert samples.action.tolist() == [t % 7 for _, t in rows]


def test_reversed_axes(tmp_path: Path) -> None:
    _, content, _ = arrays(1)
    usual = load(write_matlab(tmp_path / "a" / "TS1" / "annot_data.mat", content))
    reverse = {name: array.T for name, array in content.items()}
    reversed_ = load(write_hdf5(tmp_path / "b" / "TS1" / "annot_data.mat", reverse))
    assert usual.sequences == reversed_.sequences == ("TS1",) and usual.left_out == reversed_.left_out == 8
    for name in ("joints_cam", "xy", "K", "frame", "action"):
        np.testing.assert_array_equal(getattr(usual, name), getattr(reversed_, name))


def test_the_camera_of_noisy_pixels(tmp_path: Path) -> None:
    """1 px of noise on 560 keypoints that span about 0.5 rad: f and c within 1 px (three standard errors)."""
    crowd, content, _ = arrays(5)
    content["annot2"] = content["annot2"] + np.random.default_rng(0).normal(0, 1, content["annot2"].shape)
    K = load(write_matlab(tmp_path / "TS5" / "annot_data.mat", content)).K[0]
    assert 1e-3 < np.abs(K - crowd.K).max() < 1.0
    assert K[0, 1] == K[1, 0] == 0 and K[2].tolist() == [0, 0, 1]


def test_frames_that_are_not_finite(tmp_path: Path) -> None:
    crowd, content, _ = arrays(1)
    content["annot2"][0, 0, 4, 0] = np.nan
    content["annot3"][1, 0, 4, 0] = np.nan
    content["annot3"][2, 0, 4, 0] = np.nan  # this frame is invalid anyway
    samples = load(write_matlab(tmp_path / "TS1" / "annot_data.mat", content))
    assert samples.left_out == 8 + 2 and samples.frame[0] == 3
    np.testing.assert_allclose(samples.K[0], crowd.K, atol=1e-6)


BAD_MAT: dict[str, tuple[dict[str, Any], str]] = {
    "no pixels": ({"annot2": None}, "numeric arrays annot2, found .*annot3.*MPI-INF-3DHP"),
    "words": ({"annot2": "text"}, "numeric arrays annot2, found"),
    "28 joints": ({"annot3": np.zeros((41, 1, 28, 3))}, r"'annot3' of shape \(n, 1, 17, 3\), found \(41, 1, 28, 3\)"),
    "a frame less": ({"annot2": np.zeros((40, 1, 17, 2))}, "'annot2' of 41 frames, as annot3, found 40"),
    "marks": ({"valid_frame": np.ones((3, 1))}, "'valid_frame' of 41 frames, as annot3, found 3"),
    "marks of joints": ({"valid_frame": np.ones((41, 17))}, r"'valid_frame' of shape \(n, 1\), found \(41, 17\)"),
    "one activity": ({"activity_annotation": 3.0}, r"'activity_annotation' of shape \(n, 1\), found \(\)"),
    "activity 0": ({"activity_annotation": np.zeros((41, 1))}, "actions 1 to 7 in valid frames, found 0"),
    "other pixels": (
        {"annot2": np.random.default_rng(0).uniform(0, 2048, (41, 1, 17, 2))},
        "annot2 to be the projection of annot3, but the best camera has an error of [0-9]+ px",
    ),
    "none valid": ({"valid_frame": np.zeros((41, 1))}, "found none among 0"),
}


@pytest.mark.parametrize("kind", BAD_MAT)
def test_invalid_mat_files(tmp_path: Path, kind: str) -> None:
    entries, message = BAD_MAT[kind]
    with pytest.raises(FormatError, match=message):
        load(write_matlab(tmp_path / "TS1" / "annot_data.mat", with_entries(arrays(1)[1], **entries)))


def test_damaged_mat_files(tmp_path: Path) -> None:
    path = write_matlab(tmp_path / "TS1" / "annot_data.mat", arrays(1)[1])
    full = path.read_bytes()
    for length in (200, 700, len(full) // 2, len(full) - 100):
        path.write_bytes(full[:length])
        with pytest.raises(FormatError, match=r"annot_data\.mat: expected HDF5, cannot read it"):
            load(path)


def test_external_links_in_a_mat_file_are_not_followed(tmp_path: Path) -> None:
    content = arrays(1)[1]
    write_hdf5(tmp_path / "other.h5", {"annot2": content["annot2"]})
    path = write_hdf5(tmp_path / "annot_data.mat", with_entries(content, annot2=None))
    with h5py.File(path, "a") as file:
        file["annot2"] = h5py.ExternalLink("other.h5", "annot2")
    with pytest.raises(FormatError, match="numeric arrays annot2"):
        load(path)


def test_missing_files(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    expected = r"expected mpii3d_test\.pkl or TS1/annot_data\.mat to TS6/annot_data\.mat"
    with pytest.raises(FormatError, match=expected + ".*no readable folder"):
        load(tmp_path / "nowhere")
    with pytest.raises(FormatError, match=expected + ".*found nothing"):
        load(tmp_path)
    (tmp_path / "sequenceFiles").mkdir()
    with pytest.raises(FormatError, match=expected + r".*found sequenceFiles: this looks like 3DPW \('3dpw'\)"):
        load(tmp_path)
    write_sequences(tmp_path)
    for i in (2, 6):
        (tmp_path / f"TS{i}" / "annot_data.mat").unlink()
    samples = load(tmp_path)
    assert samples.sequences == ("TS1", "TS3", "TS4", "TS5")
    assert "the test set lacks TS2/annot_data.mat, TS6/annot_data.mat; the others are used" in caplog.text


def test_invalid_options() -> None:
    with pytest.raises(InputError, match="split 'all' is not known; expected test or train"):
        load(Path(), "all")
    with pytest.raises(InputError, match="the data set has no detections"):
        load(Path(), input="detected")
    with pytest.raises(InputError, match="input 'cpn' is not known; expected 'gt'"):
        load(Path(), input="cpn")
