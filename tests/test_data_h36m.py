"""Human3.6M in each of its forms, read back from files made of bodies and cameras; and what cannot be read."""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import datasets_h36m as made_of
import h5py
import numpy as np
import pytest
from datasets_h36m import MPII, NUMBERS, Studio, studio

from zedo_core.camera import Camera
from zedo_core.data import mocap
from zedo_core.data._h36m_cameras import published_cameras
from zedo_core.data._h36m_sequences import undistorted
from zedo_core.data._samples import Samples
from zedo_core.data.h36m import ACTIONS, load
from zedo_core.errors import FormatError, InputError, ZedoError
from zedo_core.skeleton import COCO17, H36M17

ORDER = {  # subjects as in the data set, actions by its numbers, S11's Directions left out
    "test": (("S9", "Directions 1"), ("S9", "Photo"), ("S9", "Walking 1"), ("S11", "WalkDog")),
    "train": tuple(
        (s, take) for s in ("S1", "S5", "S6", "S7", "S8") for take in ("Directions 1", "Photo", "Walking 1")
    ),
}
PIXEL = 2e-4  # float32 of 1000 px and OpenCV's own undistortion, which takes five steps
METRE = 2e-6  # float32 of some metres
UNKNOWN_TO_MPII = [joint for joint in made_of.JOINTS if joint not in MPII]


def write_videopose(folder: Path, made: Studio) -> None:
    made_of.write_videopose(folder, made)
    made_of.write_json_cameras(folder / "cameras.json", made)


def write_zedo(folder: Path, made: Studio, split: str = "test") -> list[dict[str, Any]]:
    rows = made_of.entries(made)
    made_of.dump(folder / f"h36m_{split}.pkl", rows)
    made_of.dump(folder / "h36m_sh_dt_ft.pkl", {split: made_of.detections(rows)})
    return rows


def check_takes(samples: Samples, made: Studio, split: str, input: str, known: list[int]) -> None:
    """All values of the forms that hold takes; of detections only the joints that are detected."""
    names = [(*take, number) for take in ORDER[split] for number in NUMBERS]
    assert samples.name == "h36m" and samples.actions == ACTIONS and samples.left_out == 0
    assert samples.sequences == tuple("/".join(name) for name in names)
    assert samples.evaluated == H36M17.joints
    lengths = [len(made.takes[subject, take]) for subject, take, _ in names]
    assert samples.sequence.tolist() == np.repeat(np.arange(len(names)), lengths).tolist()
    for i, (subject, take, number) in enumerate(names):
        part = samples.take(np.flatnonzero(samples.sequence == i))
        at = made.lenses[subject][number]
        assert part.frame.tolist() == list(range(lengths[i]))
        assert {ACTIONS[a] for a in part.action} == {take.split()[0]}
        np.testing.assert_allclose(part.joints_cam, at.joints_cam(made.takes[subject, take]), atol=METRE)
        xy = made.undistorted(subject, take, number, input)
        np.testing.assert_allclose(part.xy[:, known], xy[:, known], atol=PIXEL)
        np.testing.assert_allclose(part.K, np.broadcast_to(at.matrix, part.K.shape), rtol=1e-12)
        unknown = [joint for joint in range(17) if joint not in known]
        assert (part.confidence[:, known] == 1).all() and (part.confidence[:, unknown] == 0).all()
        assert np.isfinite(part.xy).all()


@pytest.mark.parametrize("split", ["test", "train"])
@pytest.mark.parametrize("input", ["gt", "detected"])
def test_videopose(tmp_path: Path, split: str, input: str) -> None:
    made = studio(split)
    write_videopose(tmp_path, made)
    check_takes(load(tmp_path, split, input), made, split, input, list(range(17)))


@pytest.mark.parametrize("split", ["test", "train"])
@pytest.mark.parametrize("input", ["gt", "detected"])
@pytest.mark.parametrize("form", [{}, {"per_camera": True}, {"by_rows": True}])
def test_hdf5(tmp_path: Path, split: str, input: str, form: dict[str, bool]) -> None:
    made = studio(split)
    made_of.write_hdf5(tmp_path, made, **form)
    known = [i for i, joint in enumerate(made_of.JOINTS) if input == "gt" or joint not in UNKNOWN_TO_MPII]
    check_takes(load(tmp_path, split, input), made, split, input, known)


def test_the_hourglass_knows_neither_the_spine_nor_the_face() -> None:
    assert UNKNOWN_TO_MPII == ["spine", "neck_nose"]


@pytest.mark.parametrize("split", ["test", "train"])
@pytest.mark.parametrize("input", ["gt", "detected"])
@pytest.mark.parametrize(("arrays", "protocol"), [(True, 4), (False, 4), (True, 2), (True, 0)])
def test_pickle(tmp_path: Path, split: str, input: str, arrays: bool, protocol: int) -> None:
    made = studio(split)
    rows = made_of.entries(made, arrays=arrays)
    found = made_of.detections(rows)
    # Shuffled: detections go with samples by their place in the file, sequences come out in order.
    shuffle = np.random.default_rng(1).permutation(len(rows))
    made_of.dump(tmp_path / f"h36m_{split}.pkl", [rows[i] for i in shuffle], protocol)
    other = {"joint3d_image": np.zeros((2, 17, 3)), "confidence": np.zeros((2, 17, 1))}
    table = {{"test": "train", "train": "test"}[split]: other}
    table[split] = {name: values[shuffle] for name, values in found.items()}
    made_of.dump(tmp_path / "h36m_sh_dt_ft.pkl", table, protocol)

    samples = load(tmp_path, split, input)
    names = [row["image_path"].split("/")[0] for row in rows]
    order = sorted(range(len(rows)), key=lambda i: (names[i], rows[i]["image_path"]))
    assert samples.sequences == tuple(sorted(set(names)))
    assert [samples.sequences[i] for i in samples.sequence] == [names[i] for i in order]
    assert samples.frame.tolist() == [int(rows[i]["image_path"][-10:-4]) for i in order]
    label = {number: name for name, number in made_of.ACTS.items()}
    assert [samples.actions[i] for i in samples.action] == [label[rows[i]["action"]] for i in order]
    expected = np.array([rows[i]["joint_3d_camera"] for i in order]) / 1000
    np.testing.assert_allclose(samples.joints_cam, expected, atol=METRE)
    image = np.array([rows[i]["joint_3d_image"] for i in order]) if input == "gt" else found["joint3d_image"][order]
    np.testing.assert_allclose(samples.xy, image[..., :2], atol=PIXEL)
    sure = np.ones((len(rows), 17)) if input == "gt" else found["confidence"][order, :, 0]
    np.testing.assert_allclose(samples.confidence, sure, rtol=1e-6)
    for name, at in (("fx", (0, 0)), ("fy", (1, 1)), ("cx", (0, 2)), ("cy", (1, 2))):
        values = [float(np.ravel(rows[i]["camera_param"][name])[0]) for i in order]
        np.testing.assert_array_equal(samples.K[:, at[0], at[1]], values)
    assert (samples.K[:, 2] == (0, 0, 1)).all() and (samples.K[:, 0, 1] == 0).all()


def test_motion_capture_in_every_form(tmp_path: Path, shared: Path) -> None:
    bodies = made_of.of_mocap(mocap.load(shared / "data/mocap/mocap_h36m17.npz", "test").positions)
    made = studio(frames=30, bodies=bodies[:: max(1, len(bodies) // 600)])
    for name in ("videopose", "hdf5", "zedo"):
        (tmp_path / name).mkdir()
    write_videopose(tmp_path / "videopose", made)
    made_of.write_hdf5(tmp_path / "hdf5", made)
    write_zedo(tmp_path / "zedo", made)
    for name in ("videopose", "hdf5"):
        check_takes(load(tmp_path / name), made, "test", "gt", list(range(17)))
    takes = load(tmp_path / "hdf5")
    # The pickle has S11's Directions as well, before its WalkDog.
    pickled = load(tmp_path / "zedo")
    same = np.array(["s_11_act_02" not in pickled.sequences[i] for i in pickled.sequence])
    np.testing.assert_allclose(pickled.joints_cam[same], takes.joints_cam, atol=METRE)
    np.testing.assert_allclose(pickled.xy[same], takes.xy, atol=PIXEL)
    np.testing.assert_array_equal(pickled.action[same], takes.action)


def test_keypoints_of_coco(tmp_path: Path) -> None:
    made = studio()
    write_videopose(tmp_path, made)
    common = [joint for joint in COCO17.joints if joint in H36M17.joints]

    def as_coco(pixels: np.ndarray) -> np.ndarray:
        coco = np.repeat(pixels[:, [made_of.JOINTS.index("neck_nose")]], 17, axis=1)
        for joint in common:
            coco[:, COCO17.index(joint)] = pixels[:, made_of.JOINTS.index(joint)]
        return coco

    table = {
        subject: {take: [as_coco(pixels) for pixels in pixels_of] for take, pixels_of in takes.items()}
        for subject, takes in made_of.views(made, "detected").items()
    }
    made_of.write_2d(tmp_path / "data_2d_h36m_cpn_ft_h36m_dbb.npz", table, "coco")
    samples = load(tmp_path, input="detected")
    joints = H36M17.indices(tuple(common))
    assert len(common) == 12 and (samples.confidence[:, joints] == 1).all()
    assert (np.delete(samples.confidence, joints, axis=1) < 1).all()
    expected = [made.undistorted(s, take, number, "detected") for s, take in ORDER["test"] for number in NUMBERS]
    np.testing.assert_allclose(samples.xy[:, joints], np.concatenate(expected)[:, joints], atol=PIXEL)


CAMERA_FILES: dict[str, Callable[[Path, Studio], None]] = {
    "JSON, quaternions, mm": lambda folder, made: made_of.write_json_cameras(folder / "cameras.json", made),
    "JSON, matrices": lambda folder, made: made_of.write_json_cameras(folder / "calib.json", made, quaternion=False),
    "JSON, metres": lambda folder, made: made_of.write_json_cameras(folder / "calib.json", made, metres=True),
    "HDF5, columns": lambda folder, made: made_of.write_h5_cameras(folder / "cameras.h5", made),
    "HDF5, rows": lambda folder, made: made_of.write_h5_cameras(folder / "any.h5", made, by_columns=False),
}


@pytest.mark.parametrize("name", CAMERA_FILES)
def test_camera_files(tmp_path: Path, name: str) -> None:
    made = studio()
    made_of.write_videopose(tmp_path, made)
    (tmp_path / "notes.json").write_text('{"S": 1}')  # not of cameras
    CAMERA_FILES[name](tmp_path, made)
    check_takes(load(tmp_path), made, "test", "gt", list(range(17)))


def test_cameras_of_subjects_without_poses_may_be_empty(tmp_path: Path) -> None:
    made = studio()
    write_videopose(tmp_path, made)
    edited(lambda table: table.update(S2=[{}, {}, {}, {}]))(tmp_path / "cameras.json")
    check_takes(load(tmp_path), made, "test", "gt", list(range(17)))
    made_of.write_h5_cameras(tmp_path / "cameras.h5", made)
    with h5py.File(tmp_path / "cameras.h5", "a") as file:
        file["subject2/camera1/R"] = np.full((3, 3), np.nan)
    check_takes(load(tmp_path), made, "test", "gt", list(range(17)))


def test_published_cameras_where_there_is_no_file(tmp_path: Path) -> None:
    made = studio()
    known = published_cameras()
    lenses = {
        subject: {
            number: made_of.Lens(
                R=np.array(camera.R_cam_from_world),
                place=-1000 * np.array(camera.R_cam_from_world).T @ np.array(camera.t_cam_from_world),
                f=(camera.fx, camera.fy),
                c=(camera.cx, camera.cy),
                k=(camera.distortion[0], camera.distortion[1], camera.distortion[4]),
                p=(camera.distortion[2], camera.distortion[3]),
            )
            for number, camera in row.items()
        }
        for subject, row in known.items()
    }
    made = Studio(takes=made.takes, lenses=lenses)
    made_of.write_videopose(tmp_path, made)
    check_takes(load(tmp_path), made, "test", "gt", list(range(17)))
    made_of.write_hdf5(tmp_path / "hdf5", made)
    (tmp_path / "hdf5" / "cameras.h5").unlink()
    check_takes(load(tmp_path / "hdf5"), made, "test", "gt", list(range(17)))


# Rotations from world axes and places in mm as others print them, in matrices.
ROTATIONS = {
    ("S1", "54138969"): (
        [
            [-0.91536173, 0.40180837, 0.02574754],
            [0.05154812, 0.18037357, -0.98224649],
            [-0.39931903, -0.89778361, -0.18581953],
        ],
        [1841.10702775, 4955.28462345, 1563.4453959],
    ),
    ("S6", "54138969"): (
        [
            [-0.9149503344107554, 0.4034864343564006, 0.008036345687245266],
            [0.07174776353922047, 0.1822275975157708, -0.9806351824867137],
            [-0.3971374371533952, -0.896655898321083, -0.19567845056940925],
        ],
        [1935.4517822265625, 4950.24560546875, 1618.0838623046875],
    ),
}


@pytest.mark.parametrize(("subject", "number"), ROTATIONS)
def test_published_rotations(subject: str, number: str) -> None:
    R, place = ROTATIONS[subject, number]
    camera = published_cameras()[subject][number]
    np.testing.assert_allclose(np.array(camera.R_cam_from_world), R, atol=3e-7)  # float32 of a quaternion
    np.testing.assert_allclose(np.array(camera.t_cam_from_world), -np.array(R) @ place / 1000, atol=3e-6)


def test_published_intrinsics() -> None:
    camera = published_cameras()["S11"]["54138969"]
    found = (camera.fx, camera.fy, camera.cx, camera.cy)
    np.testing.assert_allclose(found, (1145.04940459, 1143.78109572, 512.54150496, 515.45148698), rtol=1e-7)
    assert {row["58860488"].size for row in published_cameras().values()} == {(1000, 1000)}


def test_published_cameras_are_possible_ones() -> None:
    """They stand upright, some 4 to 6 m from the middle of the room, look at it, and differ little by subject."""
    cameras = published_cameras()
    assert list(cameras) == ["S1", "S5", "S6", "S7", "S8", "S9", "S11"]
    for number in NUMBERS:
        places = []
        for row in cameras.values():
            R, t = np.array(row[number].R_cam_from_world), np.array(row[number].t_cam_from_world)
            place = -R.T @ t
            places.append(place)
            assert abs(R[0, 2]) < 0.1 < abs(R[2, 0]) / 3 and R[1, 2] < -0.95  # x level, y down in a world with z up
            assert 4 < np.hypot(*place[:2]) < 6 and 1.4 < place[2] < 1.7
            x, y, z = R @ (0, 0, 1) + t
            assert z > 4 and abs(x / z) < 0.15 and abs(y / z) < 0.15
        assert np.ptp(places, axis=0).max() < 0.5


def test_published_numbers_are_in_float32() -> None:
    """A mistyped digit would not be a number of float32 written out in full."""
    from zedo_core.data import _h36m_cameras as module

    numbers = [value for rows in module._PLACES.values() for row in rows for value in row]
    numbers += [value for row in module._INTRINSICS for value in row[3:] if isinstance(value, float)]
    assert len(numbers) == 7 * 4 * 7 + 4 * 9
    assert [number for number in numbers if float(np.float32(number)) != number] == []


@pytest.mark.parametrize(
    "write",
    [write_videopose, made_of.write_hdf5, lambda folder, made: write_zedo(folder, made)],
    ids=["npz", "hdf5", "pickle"],
)
def test_a_file_names_the_form(tmp_path: Path, write: Callable[[Path, Studio], Any]) -> None:
    made = studio()
    write(tmp_path, made)
    whole = load(tmp_path)
    for path in sorted(path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".json"):
        np.testing.assert_array_equal(load(path).xy, whole.xy)


def test_a_file_chooses_among_forms_and_detectors(tmp_path: Path) -> None:
    made = studio()
    write_videopose(tmp_path, made)
    write_zedo(tmp_path, made)
    assert load(tmp_path).sequences[0].startswith("s_09")
    assert load(tmp_path / "data_3d_h36m.npz").sequences[0] == "S9/Directions 1/54138969"
    made_of.write_2d(tmp_path / "data_2d_h36m_sh.npz", made_of.views(made, "gt"))
    with pytest.raises(FormatError, match=r"cpn_ft_h36m_dbb.npz, data_2d_h36m_sh.npz; give the path of the one to use"):
        load(tmp_path / "data_3d_h36m.npz", input="detected")
    exact = load(tmp_path / "data_2d_h36m_sh.npz", input="detected")
    np.testing.assert_allclose(exact.xy, load(tmp_path / "data_3d_h36m.npz").xy, atol=PIXEL)
    assert np.abs(load(tmp_path / "data_2d_h36m_cpn_ft_h36m_dbb.npz", input="detected").xy - exact.xy).max() > 5


def test_content_counts_and_not_the_name(tmp_path: Path) -> None:
    made = {split: studio(split) for split in ("test", "train")}
    rows = {split: made_of.entries(one) for split, one in made.items()}
    made_of.dump(tmp_path / "h36m_train.pkl", rows["test"])  # exchanged
    made_of.dump(tmp_path / "h36m_test.pkl", rows["train"])
    for split in ("test", "train"):
        assert len(load(tmp_path, split)) == len(rows[split])
    made_of.dump(tmp_path / "both.pkl", rows["train"] + rows["test"])
    found = made_of.detections(rows["train"] + rows["test"])
    made_of.dump(tmp_path / "found.pkl", {"test": found})
    samples = load(tmp_path / "both.pkl", "test", "detected")
    assert len(samples) == len(rows["test"])
    ours = [row["image_path"] for row in rows["train"] + rows["test"]]
    order = [i for i in sorted(range(len(ours)), key=ours.__getitem__) if ours[i].startswith(("s_09", "s_11"))]
    np.testing.assert_allclose(samples.xy, found["joint3d_image"][order][..., :2], atol=PIXEL)


@pytest.mark.parametrize(
    ("spelt", "action"),
    [
        ("TakingPhoto 1", "Photo"),
        ("Photo", "Photo"),
        ("WalkingDog_2", "WalkDog"),
        ("WalkDog 1", "WalkDog"),
        ("WalkingTogether", "WalkTogether"),
        ("WalkTogether 1", "WalkTogether"),
        ("Walking", "Walking"),
        ("SittingDown 2", "SittingDown"),
        ("Sitting", "Sitting"),
        ("Purchases 1", "Purchases"),
    ],
)
def test_names_of_actions(tmp_path: Path, spelt: str, action: str) -> None:
    made = studio()
    bodies = made.takes["S9", "Photo"]
    made = Studio(takes={("S9", spelt): bodies, ("S11", spelt): bodies}, lenses=made.lenses)
    made_of.write_hdf5(tmp_path, made)
    for input in ("gt", "detected"):
        samples = load(tmp_path, input=input)
        assert {samples.actions[i] for i in samples.action} == {action}
        assert samples.sequences[0].split("/")[1].split(" ")[0] == action
        assert len(samples) == 2 * 4 * len(bodies)


def test_numbers_of_actions() -> None:
    """Sequences of S9 whose truth is known to be off are Greeting, SittingDown and Waiting: acts 5, 10 and 13."""
    assert [ACTIONS[act - 2] for act in (5, 10, 13)] == ["Greeting", "SittingDown", "Waiting"]
    assert {name: i + 2 for i, name in enumerate(ACTIONS)} == made_of.ACTS


@pytest.mark.parametrize("input", ["gt", "detected"])
def test_values_that_are_not_finite_are_left_out(tmp_path: Path, input: str) -> None:
    made = studio()
    made_of.write_videopose(tmp_path, made)
    made_of.write_json_cameras(tmp_path / "cameras.json", made)
    whole = load(tmp_path, input=input)
    table = made_of.views(made, input)
    table["S9"]["Photo"][2][1, 4, 0] = np.nan
    table["S9"]["Photo"][2][3, 0, 1] = np.inf
    table["S11"]["WalkDog"][0][0] = np.nan
    made_of.write_2d(next(tmp_path.glob("data_2d_h36m_gt.npz" if input == "gt" else "data_2d_h36m_cpn*")), table)
    samples = load(tmp_path, input=input)
    photo = whole.sequences.index("S9/Photo/58860488")
    dog = whole.sequences.index("S11/WalkDog/54138969")
    gone = [(photo, 1), (photo, 3), (dog, 0)]
    kept = [i for i in range(len(whole)) if (whole.sequence[i], whole.frame[i]) not in gone]
    assert samples.left_out == 3 and samples.frame.tolist() == whole.frame[kept].tolist()
    np.testing.assert_array_equal(samples.xy, whole.xy[kept])
    np.testing.assert_array_equal(samples.joints_cam, whole.joints_cam[kept])


def test_truth_that_is_not_finite_is_left_out(tmp_path: Path) -> None:
    rows = made_of.entries(studio())
    rows[3]["joint_3d_camera"] = np.full((17, 3), np.nan)
    rows[9]["camera_param"]["fx"] = np.array([np.nan])
    made_of.dump(tmp_path / "h36m_test.pkl", rows)
    samples = load(tmp_path)
    assert len(samples) == len(rows) - 2 and samples.left_out == 2


def test_undistortion_is_that_of_the_camera() -> None:
    camera = published_cameras()["S9"]["55011271"]
    pixels = np.random.default_rng(0).uniform(-200, 1200, (20, 17, 2))
    pixels[3, 4], pixels[7, 0, 1] = np.nan, np.inf
    found = undistorted(camera, pixels)
    good = np.isfinite(pixels).all(-1)
    np.testing.assert_allclose(found[good], camera.undistort(pixels[good]), atol=1e-6)
    assert np.isnan(found[~good]).all()
    assert np.abs(found[good] - pixels[good]).max() > 20  # the lens does bend


def test_undistortion_where_the_lens_has_no_answer() -> None:
    camera = Camera(fx=1000, fy=1000, cx=500, cy=500, distortion=(-0.3, 0.0, 0.0, 0.0, 0.0))
    x = np.array([600.0, 1190.0, 1203.0, 1210.0, 1250.0, 3000.0])  # the lens bends nothing to more than 1202.7
    pixels = np.stack([x, np.full(6, 500.0)], axis=-1)[None]
    found = undistorted(camera, pixels)
    np.testing.assert_allclose(found, camera.undistort(pixels), atol=1e-6)
    assert np.isfinite(found[0, :2]).all() and np.isnan(found[0, 2:5]).all()


# What cannot be read: how it is made, what is asked for, and what the message must say.


def fails(folder: Path, message: str, split: str = "test", input: str = "gt") -> None:
    with pytest.raises(ZedoError) as caught:
        load(folder, split, input)
    text = str(caught.value)
    assert re.search(message, text), text
    assert "\n" not in text and len(text) < 700


@pytest.mark.parametrize(
    ("split", "input", "message"),
    [("val", "gt", "split 'val' is not known; expected test or train"), ("test", "dt", "input 'dt' is not known; exp")],
)
def test_unknown_options(tmp_path: Path, split: str, input: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load(tmp_path, split, input)


def test_nothing_there(tmp_path: Path) -> None:
    fails(tmp_path / "nowhere", r"nowhere: expected Human3\.6M as .*data_3d_h36m.*, found no such file or folder$")
    fails(tmp_path, r"expected Human3\.6M as h36m_test\.pkl .*, found nothing$")


def write_npz(path: Path, **arrays: Any) -> None:
    np.savez(path, **arrays)


def write_ski(folder: Path) -> None:
    with h5py.File(folder / "ski_test.h5", "w") as file:
        file["3D"], file["2D"], file["cam_intrinsic"] = np.zeros((2, 51)), np.zeros((2, 34)), np.zeros((2, 3, 3))


FOREIGN: dict[str, tuple[Callable[[Path], Any], str]] = {
    "3DPW": (lambda f: write_npz(f / "pw3d_test.npz", keypoints3d17_relative=np.zeros(3)), "looks like 3DPW"),
    "3DPW, named as Human3.6M": (
        lambda f: write_npz(f / "data_3d_h36m.npz", keypoints3d17_relative=np.zeros(3)),
        r"found data_3d_h36m\.npz \(with keypoints3d17_relative: this looks like 3DPW",
    ),
    "3DPW, sequences": (
        lambda f: made_of.dump(f / "h36m_test.pkl", {"poses2d": 1, "jointPositions": 2}),
        r"h36m_test\.pkl \(with jointPositions, poses2d: this looks like 3DPW",
    ),
    "SkiPose": (write_ski, r"ski_test\.h5 \(with 2D, 3D, cam_intrinsic: this looks like SkiPose"),
    "MPI-INF-3DHP": (
        lambda f: made_of.dump(f / "h36m_test.pkl", [{"joint_3d_camera": 1, "joint_2d": 2}]),
        r"with joint_2d, joint_3d_camera: this looks like MPI-INF-3DHP",
    ),
    "MPI-INF-3DHP, folders": (lambda f: (f / "TS1").mkdir(), "found TS1: this looks like MPI-INF-3DHP"),
    "other content": (
        lambda f: made_of.dump(f / "h36m_test.pkl", [1, 2]),
        r"found h36m_test\.pkl \(damaged or of no known form\)",
    ),
    "an empty file": (lambda f: (f / "h36m_test.pkl").touch(), r"h36m_test\.pkl \(damaged or of no known form\)"),
    "a text": (lambda f: (f / "data_3d_h36m.npz").write_text("<html>"), r"data_3d_h36m\.npz \(damaged or of no known"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_another_data_set(tmp_path: Path, name: str) -> None:
    write, message = FOREIGN[name]
    write(tmp_path)
    fails(tmp_path, r"expected Human3\.6M as .*" + message)


def test_a_file_of_another_data_set_beside(tmp_path: Path) -> None:
    """A file that is named is not passed over for its neighbours."""
    write_videopose(tmp_path, studio())
    write_npz(tmp_path / "pw3d_test.npz", keypoints3d17_relative=np.zeros(3))
    fails(tmp_path / "pw3d_test.npz", r"expected Human3\.6M.*found pw3d_test\.npz \(with.*looks like 3DPW")


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return eval, ("1/0",)


def test_a_pickle_with_code_is_refused(tmp_path: Path) -> None:
    rows = made_of.entries(studio())
    rows[5]["extra"] = Evil()  # to run it would divide by zero
    made_of.dump(tmp_path / "h36m_test.pkl", rows)
    fails(
        tmp_path, r"h36m_test\.pkl: expected a pickle of arrays and plain containers alone, refused \(.*builtins.eval"
    )
    evil = np.array({"S9": {"Photo": Evil()}}, object)
    write_npz(tmp_path / "data_3d_h36m.npz", positions_3d=evil)
    write_npz(tmp_path / "data_2d_h36m_gt.npz", positions_2d=evil)
    fails(tmp_path / "data_3d_h36m.npz", r"data_3d_h36m\.npz: expected an npz .*, refused \(.*builtins.eval")


@pytest.mark.parametrize(
    ("form", "name", "message"),
    [
        ("zedo", "h36m_test.pkl", r"h36m_test\.pkl: expected a pickle .*refused"),
        ("zedo", "h36m_sh_dt_ft.pkl", r"h36m_sh_dt_ft\.pkl: expected a pickle .*refused"),
        ("videopose", "data_3d_h36m.npz", r"expected data_3d_h36m\.npz with positions_3d, found .*damaged or of no"),
        ("videopose", "data_2d_h36m_cpn_ft_h36m_dbb.npz", r"expected data_2d_h36m_cpn\S*npz with positions_2d, found"),
        (
            "videopose",
            "cameras.json",
            r"cameras\.json: expected the cameras of Human3\.6M .*take it away to use the pub",
        ),
        ("hdf5", "cameras.h5", r"cameras\.h5: expected the cameras of Human3\.6M"),
        ("hdf5", "S9/MyPoses/3D_positions/Photo.h5", r"Photo\.h5: expected HDF5, cannot read it"),
        ("hdf5", "S11/StackedHourglass/WalkDog.60457274.h5", r"WalkDog\.60457274\.h5: expected HDF5, cannot read it"),
    ],
)
@pytest.mark.parametrize("kept", [0.5, 0.98])
def test_truncated(tmp_path: Path, form: str, name: str, message: str, kept: float) -> None:
    write = {"zedo": write_zedo, "videopose": write_videopose, "hdf5": made_of.write_hdf5}[form]
    write(tmp_path, studio())
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: int(kept * len(content))])
    fails(tmp_path, message, input="detected")


def test_a_damaged_member_of_an_npz(tmp_path: Path) -> None:
    write_videopose(tmp_path, studio())
    path = tmp_path / "data_3d_h36m.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    fails(tmp_path, r"data_3d_h36m\.npz: expected an npz .*refused")


MISSING: dict[str, tuple[str, str, str, str]] = {
    "no pickle of samples": (
        "zedo",
        "h36m_test.pkl",
        "gt",
        r"expected h36m_test\.pkl of the official ZeDO, found h36m_sh",
    ),
    "no pickle of detections": (
        "zedo",
        "h36m_sh_dt_ft.pkl",
        "detected",
        r"one pickle of detections, h36m_sh_dt_ft\.pkl, b",
    ),
    "no 3D": (
        "videopose",
        "data_3d_h36m.npz",
        "gt",
        r"expected data_3d_h36m\.npz with positions_3d, found data_2d_h36m_",
    ),
    "no 2D": (
        "videopose",
        "data_2d_h36m_gt.npz",
        "gt",
        r"expected data_2d_h36m_gt\.npz with positions_2d, found data_2d_",
    ),
    "no detections": (
        *("videopose", "data_2d_h36m_cpn_ft_h36m_dbb.npz", "detected"),
        r"expected data_2d_h36m_cpn_ft_h36m_dbb\.npz with positions_2d, found data_2d_h36m_gt\.npz",
    ),
    "no subject": (
        *("hdf5", "S11/MyPoses", "gt"),
        r"expected S11/MyPoses/3D_positions/\*\.h5, for the test split \(S9, S11\), found none",
    ),
    "no folder of detections": (
        *("hdf5", "S*/StackedHourglass", "detected"),
        r"expected detections in S9/StackedHourglass/\*\.h5, S11/StackedHourglass/\*\.h5, found none",
    ),
    "no detections of a camera": (
        *("hdf5", "S9/StackedHourglass/Photo.58860488.h5", "detected"),
        r"Photo\.58860488\.h5: no such file; expected the detections of S9/Photo/58860488",
    ),
}


@pytest.mark.parametrize("name", MISSING)
def test_missing_files(tmp_path: Path, name: str) -> None:
    form, pattern, input, message = MISSING[name]
    {"zedo": write_zedo, "videopose": write_videopose, "hdf5": made_of.write_hdf5}[form](tmp_path, studio())
    gone = list(tmp_path.glob(pattern))
    assert gone
    for path in gone:
        path.rename(tmp_path / "away") if path.is_file() else path.rename(path.with_name("away"))
    fails(tmp_path, message, input=input)


def test_samples_of_the_other_split(tmp_path: Path) -> None:
    write_zedo(tmp_path, studio())
    fails(tmp_path, r"expected samples of the train split \(S1, .*S8\), found h36m_test\.pkl with S9, S11", "train")


def changed(key: str, value: Any, entry: int = 7) -> Callable[[list[dict[str, Any]]], None]:
    def change(rows: list[dict[str, Any]]) -> None:
        rows[entry] = {**rows[entry], key: value}

    return change


def removed(key: str) -> Callable[[list[dict[str, Any]]], None]:
    def change(rows: list[dict[str, Any]]) -> None:
        del rows[7][key]

    return change


BAD_ENTRIES: dict[str, tuple[Callable[[list[dict[str, Any]]], Any], str]] = {
    "16 joints": (
        changed("joint_3d_camera", np.zeros((16, 3))),
        r"entry 7: expected 'joint_3d_camera' of shape \(17, 3\), found \(16, 3\)",
    ),
    "no 3D": (
        removed("joint_3d_camera"),
        r"entry 7: expected 'joint_3d_camera' to be numbers of shape \(17, 3\), found n",
    ),
    "words": (changed("joint_3d_image", "no"), r"entry 7: expected 'joint_3d_image' to be numbers"),
    "flat 2D": (
        changed("joint_3d_image", np.zeros((17, 2))),
        r"entry 7: expected 'joint_3d_image' of shape \(17, 3\), found \(17, 2\)",
    ),
    "no camera": (
        changed("camera_param", {"fx": 1.0}),
        r"entry 7: expected 'camera_param' fx, fy, cx, cy to be numbers",
    ),
    "two focal lengths": (
        changed("camera_param", {"fx": [1.0, 2.0], "fy": 1.0, "cx": 1.0, "cy": 1.0}),
        "entry 7: expected 'camera_param' fx, fy, cx, cy",
    ),
    "action 1": (changed("action", 1), r"entry 7: expected 'action' from 2 to 16, found 1"),
    "action 17": (changed("action", 17), r"entry 7: expected 'action' from 2 to 16, found 17"),
    "action 2.5": (changed("action", 2.5), r"entry 7: expected 'action' from 2 to 16, found 2\.5"),
    "no image": (removed("image_path"), r"entry 7: expected 'image_path' such as s_09_act_02_.*, found 'None'"),
    "another image": (changed("image_path", "TS1/1.jpg"), r"entry 7: expected 'image_path' .*, found 'TS1/1\.jpg'"),
    "no entry": (lambda rows: rows.append(cast(Any, 5)), "expected a list of samples, found list or other entries"),
}


@pytest.mark.parametrize("name", BAD_ENTRIES)
def test_entries_of_pickles(tmp_path: Path, name: str) -> None:
    change, message = BAD_ENTRIES[name]
    rows = made_of.entries(studio())
    change(rows)
    made_of.dump(tmp_path / "h36m_test.pkl", rows)
    fails(tmp_path, r"h36m_test\.pkl: " + message)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda found: {"train": found}, r"joint3d_image and confidence under 'test'"),
        (
            lambda found: {"test": {"joint3d_image": found["joint3d_image"]}},
            r"joint3d_image and confidence under 'test'",
        ),
        (lambda found: [found], r"joint3d_image and confidence under 'test'"),
        (
            lambda found: {"test": {name: values[:-1] for name, values in found.items()}},
            r"expected 136 detections under 'test', one for each entry of h36m_test\.pkl, found 135 keypoints and 135",
        ),
        (lambda found: {"test": found | {"confidence": found["confidence"][1:]}}, "found 136 keypoints and 135 conf"),
        (
            lambda found: {"test": found | {"joint3d_image": found["joint3d_image"][:, 1:]}},
            r"'test/joint3d_image' of shape \(n, 17, 3\), found \(136, 16, 3\)",
        ),
        (
            lambda found: {"test": found | {"confidence": found["confidence"][..., 0]}},
            r"'test/confidence' of shape \(n, 17, 1\), found \(136, 17\)",
        ),
    ],
)
def test_detections_of_pickles(tmp_path: Path, change: Callable[[Any], Any], message: str) -> None:
    rows = write_zedo(tmp_path, studio())
    made_of.dump(tmp_path / "h36m_sh_dt_ft.pkl", change(made_of.detections(rows)))
    fails(tmp_path, r"h36m_sh_dt_ft\.pkl: .*" + message, input="detected")


Tables = tuple[dict[str, Any], dict[str, Any]]


def replaced(which: int, value: Callable[[Any], Any]) -> Callable[[Tables], Tables]:
    """Photo of S9 changed in the 3D (0) or 2D (1)."""

    def change(tables: Tables) -> Tables:
        table = tables[which]
        table["S9"]["Photo"] = value(table["S9"]["Photo"])
        return tables

    return change


BAD_TABLES: dict[str, tuple[Callable[[Tables], Tables], str]] = {
    "17 joints": (replaced(0, lambda p: p[:, :17]), r"'S9/Photo' of shape \(n, 32, 3\), found \(\d+, 17, 3\)"),
    "words": (replaced(0, lambda _: "no"), r"'S9/Photo' to be numbers"),
    "three cameras": (replaced(1, lambda views: views[:3]), r"S9/Photo to have 4 cameras, found 3"),
    "no cameras": (replaced(1, lambda _: 5), r"S9/Photo to have 4 cameras, found int"),
    "short 2D": (
        replaced(1, lambda views: [*views[:3], views[3][:2]]),
        r"S9/Photo, camera 60457274 to have at least 8 frames, as in the 3D, found 2",
    ),
    "16 keypoints": (
        replaced(1, lambda views: [pixels[:, :16] for pixels in views]),
        r"'S9/Photo, camera 54138969' of shape \(n, 17, 2\), found \(\d+, 16, 2\)",
    ),
    "no 2D of a take": (
        lambda t: (t[0], {s: {k: v for k, v in row.items() if k != "Photo"} for s, row in t[1].items()}),
        r"data_2d_h36m_gt\.npz: expected keypoints of S9/Photo, as in the 3D, found none",
    ),
    "no subject": (
        lambda t: ({"S9": t[0]["S9"]}, t[1]),
        r"subjects of the test split \(S9, S11\), found S9; S11 is mis",
    ),
    "HumanEva": (lambda t: ({"Train/S1": t[0]["S9"]}, t[1]), r"found Train/S1; S9, S11 is missing"),
    "an unknown action": (
        lambda t: ({**t[0], "S9": {"Juggling 1": t[0]["S9"]["Photo"]}}, t[1]),
        r"begins with one of Directions.*, found 'Juggling 1'",
    ),
    "millimetres": (
        lambda t: ({s: {k: 1000 * v for k, v in row.items()} for s, row in t[0].items()}, t[1]),
        r"keypoints of S9/Directions 1/54138969 near its 3D joints \(3 px\), found them \d+ px off",
    ),
    "another order of cameras": (
        replaced(1, lambda views: [views[1], views[0], *views[2:]]),
        r"keypoints of S9/Photo/54138969 near its 3D joints",
    ),
}


@pytest.mark.parametrize("name", BAD_TABLES)
def test_tables_of_npz(tmp_path: Path, name: str) -> None:
    change, message = BAD_TABLES[name]
    made = studio()
    write_videopose(tmp_path, made)
    positions = made_of.nested(made, lambda take: made.all32(take) / 1000).item()
    positions, keypoints = change((positions, made_of.views(made, "gt")))
    write_npz(tmp_path / "data_3d_h36m.npz", positions_3d=np.array(positions, object))
    made_of.write_2d(tmp_path / "data_2d_h36m_gt.npz", keypoints)
    fails(tmp_path, message)


def test_detections_called_true(tmp_path: Path) -> None:
    made = studio()
    write_videopose(tmp_path, made)
    made_of.write_2d(tmp_path / "data_2d_h36m_gt.npz", made_of.views(made, "detected"))
    fails(tmp_path, r"data_2d_h36m_gt\.npz: expected keypoints of \S+ 1/54138969 near its 3D joints \(3 px\), found")


def test_an_array_in_place_of_a_table(tmp_path: Path) -> None:
    write_videopose(tmp_path, studio())
    write_npz(tmp_path / "data_3d_h36m.npz", positions_3d=np.zeros((4, 32, 3)))
    fails(tmp_path, r"expected values by subject and action, found an array float64 \(4, 32, 3\)")


def test_an_unknown_layout(tmp_path: Path) -> None:
    made = studio()
    write_videopose(tmp_path, made)
    made_of.write_2d(tmp_path / "data_2d_h36m_gt.npz", made_of.views(made, "gt"), "mpii")
    fails(tmp_path, r"keypoints in the layout h36m or coco, found 'mpii'")


def edited(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def edit(path: Path) -> None:
        table = json.loads(path.read_text())
        change(table)
        path.write_text(json.dumps(table))

    return edit


BAD_CAMERAS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "no subject": (edited(lambda t: t.pop("S11")), r"cameras\.json: expected camera 54138969 of S11, found S9"),
    "no camera": (
        edited(lambda t: t["S9"].pop("58860488")),
        r"expected camera 58860488 of S9, found 54138969, 55011271",
    ),
    "no distortion": (
        edited(lambda t: t["S9"]["58860488"].pop("radial_distortion")),
        r"camera 58860488 of S9: expected 'radial_distortion' to be 3 finite numbers, found None",
    ),
    "no rotation": (
        edited(lambda t: t["S9"]["58860488"].update(R=np.ones((3, 3)).tolist())),
        r"camera 58860488 of S9: expected a rotation, found",
    ),
    "a list": (edited(lambda t: t.update(S9=[1])), r"cameras\.json: S9: expected fields by name, found list"),
    "no focal length": (
        edited(lambda t: t["S9"]["58860488"].update(focal_length=[0, 1145])),
        r"camera 58860488 of S9.*expected focal lengths above 0",
    ),
    "those of others": (
        edited(lambda t: t["S9"]["58860488"].update(center=[700, 500])),
        r"keypoints of S9/Directions 1/58860488 near its 3D joints \(3 px\), found them \d+ px off",
    ),
}


@pytest.mark.parametrize("name", BAD_CAMERAS)
def test_bad_cameras(tmp_path: Path, name: str) -> None:
    change, message = BAD_CAMERAS[name]
    write_videopose(tmp_path, studio())
    change(tmp_path / "cameras.json")
    fails(tmp_path, message)


@pytest.mark.parametrize(
    ("field", "array", "message"),
    [
        ("R", np.eye(2), r"'subject9/camera2/R' to be 9 finite numbers"),
        ("R", np.ones((3, 3)), r"subject9/camera2: expected a rotation"),
        ("k", np.zeros((2, 1)), r"'subject9/camera2/k' to be 3 finite numbers"),
        ("f", None, r"expected arrays of numbers subject9/camera2/f, found"),
        ("Name", np.array([[ord(c)] for c in "00000000"]), r"expected camera 55011271 of S9, found 54138969, 00000000"),
    ],
)
def test_bad_cameras_in_hdf5(tmp_path: Path, field: str, array: np.ndarray | None, message: str) -> None:
    made_of.write_hdf5(tmp_path, studio())
    with h5py.File(tmp_path / "cameras.h5", "a") as file:
        del file[f"subject9/camera2/{field}"]
        if array is not None:
            file[f"subject9/camera2/{field}"] = array
    fails(tmp_path, r"cameras\.h5.*" + message)


@pytest.mark.parametrize(
    ("name", "key", "array", "message"),
    [
        ("S9/MyPoses/3D_positions/Photo.h5", "3D_positions", np.zeros((95, 8)), r"\(n, 96\), found \(95, 8\)"),
        (
            "S9/MyPoses/3D_positions/Photo.h5",
            "poses",
            np.zeros((8, 96)),
            r"arrays of numbers 3D_positions, found poses",
        ),
        ("S9/MyPoses/3D_positions/Photo.123.h5", "3D_positions", np.zeros((96, 8)), r"in the name, found '123'"),
        (
            "S9/MyPoses/3D_positions/Juggling.h5",
            "3D_positions",
            np.zeros((96, 8)),
            r"one of Directions.*, found 'Juggl",
        ),
        ("S9/StackedHourglass/Photo.58860488.h5", "poses", np.zeros((8, 17, 2)), r"\(n, 16, 2\), found \(8, 17, 2\)"),
        (
            "S9/StackedHourglass/Photo.58860488.h5",
            "poses",
            np.zeros((7, 16, 2)),
            r"at least 8 frames, as in the 3D, found 7",
        ),
        (
            "S9/StackedHourglass/Photo.58860488.h5",
            "poses",
            np.zeros((8, 16, 2)),
            r"S9/Photo/58860488 near its 3D joints",
        ),
    ],
)
def test_bad_takes_in_hdf5(tmp_path: Path, name: str, key: str, array: np.ndarray, message: str) -> None:
    made_of.write_hdf5(tmp_path, studio())
    made_of.write_array(tmp_path / name, key, array)
    fails(tmp_path, re.escape(Path(name).name) + r".*" + message, input="detected")


def test_pickles_are_written_by_the_usual_pickler(tmp_path: Path) -> None:
    """The guard of the other tests: what `dump` writes is what pickle.load reads."""
    rows = write_zedo(tmp_path, studio())
    with open(tmp_path / "h36m_test.pkl", "rb") as file:
        assert len(pickle.load(file)) == len(rows)
