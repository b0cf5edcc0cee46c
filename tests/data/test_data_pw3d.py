"""3DPW in both of its formats, read from files generated from known people."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets_other import People, people, pw3d_npz, pw3d_sequence, with_entries, write_hdf5, write_pickle

from zedo_core.data.pw3d import load
from zedo_core.errors import FormatError, InputError
from zedo_core.skeleton import H36M17, LSP14

CAMERA = (1961.9, 1969.2, 540.0, 960.0)  # a phone held upright
LABELLED = H36M17.indices(LSP14.joints)


@pytest.fixture(params=["random", "mocap"])
def mocap(request: pytest.FixtureRequest) -> Path | None:
    if request.param == "random":
        return None
    return request.getfixturevalue("shared") / "data" / "mocap" / "mocap_h36m17.npz"


def write_npz(path: Path, content: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **content)
    return path


# (sequence, frame, person) of every entry in file order: two people one after the other, the first missing in frame 2;
# then two people interleaved by frame; then one person whose frames are not in order.
ENTRIES = [
    *(("downtown_walk_00", frame, 0) for frame in (0, 1, 3)),
    *(("downtown_walk_00", frame, 1) for frame in (0, 1, 2, 3)),
    *(("courtyard_hug_01", frame, person) for frame in (7, 8, 9) for person in (0, 1)),
    *(("flat_guitar_01", frame, 0) for frame in (30, 10, 20)),
]
LABELS = [name + (f"_p{person}" if person else "") for name, _, person in ENTRIES]


def npz(mocap: Path | None = None) -> tuple[People, dict[str, Any]]:
    crowd = people(len(ENTRIES), CAMERA, mocap)
    return crowd, pw3d_npz(crowd, [f"imageFiles/{name}/image_{frame:05d}.jpg" for name, frame, _ in ENTRIES])


def test_the_npz_of_the_official_zedo(tmp_path: Path, mocap: Path | None) -> None:
    """Root and pose are added in float32 at up to 6 m: 1e-6 m and, at 2000 px over 3 m, 1e-3 px."""
    crowd, content = npz(mocap)
    write_npz(tmp_path / "pw3d_test.npz", content)
    samples = load(tmp_path)
    assert samples.name == "3dpw" and samples.actions == ("all",) and samples.left_out == 0
    assert samples.sequences == tuple(dict.fromkeys(LABELS)) and samples.evaluated == H36M17.joints
    found = [(samples.sequences[s], int(f)) for s, f in zip(samples.sequence, samples.frame, strict=True)]
    expected = [(label, frame) for label, (_, frame, _) in zip(LABELS, ENTRIES, strict=True)]
    assert found == sorted(expected, key=lambda row: (samples.sequences.index(row[0]), row[1]))
    rows = [expected.index(row) for row in found]
    np.testing.assert_allclose(samples.joints_cam, crowd.joints_cam[rows], atol=1e-6)
    np.testing.assert_allclose(samples.xy, crowd.xy[rows], atol=1e-3)
    np.testing.assert_array_equal(samples.K, np.broadcast_to(crowd.K, samples.K.shape))
    assert (samples.confidence == 1).all() and (samples.action == 0).all()


def test_the_format_is_detected_from_the_content(tmp_path: Path) -> None:
    crowd, content = npz()
    by_name = load(write_npz(tmp_path / "mine.npz", content))
    assert len(by_name) == len(crowd.joints_cam)
    sequence = pw3d_sequence("walk", [people(4, CAMERA, None)], [np.ones(4)])
    assert len(load(write_pickle(tmp_path / "walk.pkl", sequence))) == 4
    assert len(load(write_npz(tmp_path / "pw3d_train.npz", content).parent, "train")) == len(by_name)
    with pytest.raises(FormatError, match=r"expected pw3d_test\.npz or sequenceFiles/test/\*\.pkl.*found mine\.npz"):
        load(tmp_path)


def test_samples_not_finite_or_behind_the_camera_are_left_out(tmp_path: Path) -> None:
    _, content = npz()
    content["keypoints3d17_relative"][2, 5, 1] = np.nan
    content["keypoints3d17_relative"][0, 4, 2] = np.inf
    content["root_cam"][9, 2] = -4.0
    content["keypoints3d17_relative"][5, :, 3] = np.nan  # not a coordinate
    samples = load(write_npz(tmp_path / "pw3d_test.npz", content))
    assert len(samples) == len(ENTRIES) - 3 and samples.left_out == 3


def write_sequences(folder: Path, mocap: Path | None = None) -> dict[tuple[str, int], tuple[np.ndarray, np.ndarray]]:
    """Write pickles of 3DPW to a folder; returns the joints and pixels of every valid person and frame."""
    first, second, third = (people(n, CAMERA, mocap, seed) for seed, n in enumerate((6, 6, 5)))
    valid = [np.array([1, 1, 0, 1, 1, 1]), np.array([0, 1, 1, 1, 1, 0])]
    for split, name, persons, marks in (
        ("test", "office_phoneCall_00", [first, second], valid),
        ("test", "downtown_bar_00", [third], [np.ones(5, bool)]),
        ("validation", "courtyard_drinking_00", [second], [np.ones(6)]),
    ):
        write_pickle(folder / "sequenceFiles" / split / f"{name}.pkl", pw3d_sequence(name, persons, marks))
    truth = {("downtown_bar_00", t): (third.joints_cam[t], third.xy[t]) for t in range(5)}
    for label, person, marks in (
        ("office_phoneCall_00", first, valid[0]),
        ("office_phoneCall_00_p1", second, valid[1]),
    ):
        truth |= {(label, int(t)): (person.joints_cam[t], person.xy[t]) for t in np.flatnonzero(marks)}
    return truth


def test_the_pickles_of_3dpw(tmp_path: Path, mocap: Path | None) -> None:
    """float64 through a world about 10 m away: 1e-9 m and 1e-6 px."""
    truth = write_sequences(tmp_path, mocap)
    samples = load(tmp_path)
    assert samples.sequences == ("downtown_bar_00", "office_phoneCall_00", "office_phoneCall_00_p1")
    assert samples.evaluated == LSP14.joints and samples.left_out == 3
    assert [(samples.sequences[s], int(f)) for s, f in zip(samples.sequence, samples.frame, strict=True)] == list(truth)
    for i, (joints_cam, xy) in enumerate(truth.values()):
        np.testing.assert_allclose(samples.joints_cam[i, LABELLED], joints_cam[LABELLED], atol=1e-9)
        np.testing.assert_allclose(samples.xy[i, LABELLED], xy[LABELLED], atol=1e-6)
    left, right = (samples.joints_cam[:, H36M17.index(f"{side}_hip")] for side in ("left", "right"))
    np.testing.assert_allclose(samples.joints_cam[:, H36M17.index("pelvis")], (left + right) / 2, atol=1e-9)
    unknown = [i for i in range(len(H36M17)) if i not in LABELLED]
    assert (samples.confidence[:, LABELLED] == 1).all() and (samples.confidence[:, unknown] == 0).all()
    assert (samples.xy[:, unknown] == 0).all() and np.abs(samples.joints_cam).max() < 10
    np.testing.assert_array_equal(samples.K[0], people(1, CAMERA, None).K)


@pytest.mark.parametrize("part", ["", "sequenceFiles", "sequenceFiles/validation"])
def test_the_split_is_a_folder(tmp_path: Path, part: str) -> None:
    write_sequences(tmp_path)
    samples = load(tmp_path / part, "validation")
    assert samples.sequences == ("courtyard_drinking_00",) and len(samples) == 6


def test_pickles_of_older_numpy(tmp_path: Path) -> None:
    sequence = pw3d_sequence("walk", [people(4, CAMERA, None)], [np.ones(4)])
    old = pickle.dumps(sequence, 2).replace(b"numpy._core", b"numpy.core")
    (tmp_path / "walk.pkl").write_bytes(old)
    assert b"numpy.core" in old and len(load(tmp_path / "walk.pkl")) == 4


def test_invalid_options() -> None:
    with pytest.raises(InputError, match="split 'val' is not known; expected train or validation or test"):
        load(Path(), "val")
    with pytest.raises(InputError, match="the data set has no detections"):
        load(Path(), input="detected")
    with pytest.raises(InputError, match="input 'cpn' is not known; expected 'gt'"):
        load(Path(), input="cpn")


BAD_NPZ: dict[str, tuple[dict[str, Any], str]] = {
    "no roots": ({"root_cam": None}, "with root_cam, found .*image_path.*3DPW"),
    "16 joints": (
        {"keypoints3d17_relative": np.zeros((16, 16, 4))},
        r"'keypoints3d17_relative' of shape \(16, 17, 4\), found \(16, 16, 4\)",
    ),
    "lengths": ({"root_cam": np.zeros((15, 3))}, r"'root_cam' of shape \(16, 3\), found \(15, 3\)"),
    "camera of arrays": ({"cam_param": np.zeros((16, 4))}, "'cam_param' to be a dict with f and c"),
    "camera without c": ({"cam_param": np.array({"f": np.ones((16, 2))})}, "'cam_param' to be a dict with f and c"),
    "camera's length": (
        {"cam_param": np.array({"f": np.ones((3, 2)), "c": np.ones((16, 2))})},
        r"'cam_param\[f\]' of shape \(16, 2\), found \(3, 2\)",
    ),
    "words": ({"root_cam": np.full((16, 3), "x")}, r"'root_cam' to be numbers of shape \(16, 3\)"),
    "no number": ({"image_path": np.array(["a/b.jpg"] * 16)}, r"a frame number in image_path\[0\], found 'a/b\.jpg'"),
    "nothing finite": ({"root_cam": np.full((16, 3), np.nan)}, "samples with finite values, found none among 16"),
}


@pytest.mark.parametrize("kind", BAD_NPZ)
def test_invalid_npz_files(tmp_path: Path, kind: str) -> None:
    entries, message = BAD_NPZ[kind]
    with pytest.raises(FormatError, match=message):
        load(write_npz(tmp_path / "pw3d_test.npz", with_entries(npz()[1], **entries)))


BAD_SEQUENCES: dict[str, tuple[dict[str, Any], str]] = {
    "no cameras": ({"cam_poses": None}, "with cam_poses, found .*3DPW"),
    "people": ({"campose_valid": []}, "to be lists with an entry for each person"),
    "no list": ({"jointPositions": 3}, "to be lists with an entry for each person"),
    "frames": ({"jointPositions": [np.zeros((3, 72))]}, r"'jointPositions\[0\]' of shape \(4, 72\), found \(3, 72\)"),
    "marks": ({"campose_valid": [np.ones(5)]}, r"'campose_valid\[0\]' of shape \(4,\), found \(5,\)"),
    "ragged": ({"jointPositions": [[[1.0], [2.0, 3.0]]]}, r"'jointPositions\[0\]' to be numbers"),
    "poses": ({"cam_poses": np.zeros((4, 3, 4))}, r"'cam_poses' of shape \(n, 4, 4\), found \(4, 3, 4\)"),
    "K": ({"cam_intrinsics": np.zeros(4)}, r"'cam_intrinsics' of shape \(3, 3\), found \(4,\)"),
    "none valid": ({"campose_valid": [np.zeros(4)]}, "found none among 0"),
}


@pytest.mark.parametrize("kind", BAD_SEQUENCES)
def test_invalid_sequences(tmp_path: Path, kind: str) -> None:
    entries, message = BAD_SEQUENCES[kind]
    sequence = pw3d_sequence("walk", [people(4, CAMERA, None)], [np.ones(4)])
    with pytest.raises(FormatError, match=message):
        load(
            write_pickle(tmp_path / "sequenceFiles" / "test" / "walk.pkl", with_entries(sequence, **entries)).parents[2]
        )


def test_other_data_sets(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no readable folder"):
        load(tmp_path / "nowhere")
    write_hdf5(tmp_path / "ski_test.h5", {"3D": np.zeros(3)})
    with pytest.raises(FormatError, match=r"found ski_test\.h5: this looks like SkiPose \('ski'\)"):
        load(tmp_path)
    with pytest.raises(FormatError, match="expected a pickle"):
        load(tmp_path / "ski_test.h5")
    write_npz(tmp_path / "pw3d_test.npz", {"positions_3d": np.zeros(3)})
    with pytest.raises(FormatError, match=r"found positions_3d: this looks like Human3\.6M \('h36m'\)"):
        load(tmp_path)
    with pytest.raises(FormatError, match=r"expected a sequence of 3DPW .*found list"):
        load(write_pickle(tmp_path / "mpii3d_test.pkl", [{"joint_2d": 1}]))


def test_damaged_files(tmp_path: Path) -> None:
    full = write_npz(tmp_path / "pw3d_test.npz", npz()[1]).read_bytes()
    for length in (0, 3, 100, len(full) // 2, len(full) - 30):
        (tmp_path / "pw3d_test.npz").write_bytes(full[:length])
        with pytest.raises(FormatError, match=r"pw3d_test\.npz: expected an npz"):
            load(tmp_path)
    write_sequences(tmp_path / "b")
    path = tmp_path / "b" / "sequenceFiles" / "test" / "downtown_bar_00.pkl"
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(FormatError, match=r"downtown_bar_00\.pkl: expected a pickle"):
        load(tmp_path / "b")


class CodeObject:
    """An object that runs code when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_foreign_objects_are_refused_and_not_run(tmp_path: Path) -> None:
    sequence = pw3d_sequence("walk", [people(4, CAMERA, None)], [np.ones(4)])
    code = CodeObject(tmp_path / "ran")
    with pytest.raises(FormatError, match="plain containers, refused"):
        load(write_pickle(tmp_path / "a.pkl", with_entries(sequence, genders=[code])))
    with pytest.raises(FormatError, match="plain containers, refused"):
        load(write_npz(tmp_path / "a.npz", with_entries(npz()[1], cam_param=np.array({"f": code}))))
    assert not (tmp_path / "ran").exists()


def test_a_large_file(tmp_path: Path) -> None:
    """As many entries as the real file: seconds, not minutes."""
    n = 35000
    crowd = people(n, CAMERA, None)
    paths = [f"imageFiles/seq_{i // 1000:02d}/image_{i % 500:05d}.jpg" for i in range(n)]
    samples = load(write_npz(tmp_path / "pw3d_test.npz", pw3d_npz(crowd, paths)))
    assert len(samples) + samples.left_out == n and len(samples.sequences) == 70
    assert len(set(zip(samples.sequence.tolist(), samples.frame.tolist(), strict=True))) == len(samples)
