"""Human3.6M in each of its formats, read from files generated from bodies and cameras."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets_h36m as h36m
import numpy as np
import pytest
from datasets_h36m import NUMBERS, Studio, make_studio
from h36m_cases import METRE, ORDER, PIXEL, UNKNOWN_TO_MPII, check_takes, write_videopose, write_zedo

from zedo_core.camera import Camera
from zedo_core.data import mocap
from zedo_core.data._h36m_cameras import published_cameras
from zedo_core.data._h36m_sequences import undistort
from zedo_core.data.h36m import ACTIONS, load
from zedo_core.errors import FormatError
from zedo_core.skeleton import COCO17, H36M17


@pytest.mark.parametrize("split", ["test", "train"])
@pytest.mark.parametrize("input", ["gt", "detected"])
def test_videopose(tmp_path: Path, split: str, input: str) -> None:
    studio = make_studio(split)
    write_videopose(tmp_path, studio)
    check_takes(load(tmp_path, split, input), studio, split, input, list(range(17)))


@pytest.mark.parametrize("split", ["test", "train"])
@pytest.mark.parametrize("input", ["gt", "detected"])
@pytest.mark.parametrize("options", [{}, {"per_camera": True}, {"by_rows": True}])
def test_hdf5(tmp_path: Path, split: str, input: str, options: dict[str, bool]) -> None:
    studio = make_studio(split)
    h36m.write_hdf5(tmp_path, studio, **options)
    known = [i for i, joint in enumerate(h36m.JOINTS) if input == "gt" or joint not in UNKNOWN_TO_MPII]
    check_takes(load(tmp_path, split, input), studio, split, input, known)


def test_hourglass_detections_have_neither_spine_nor_nose() -> None:
    assert UNKNOWN_TO_MPII == ["spine", "neck_nose"]


@pytest.mark.parametrize("split", ["test", "train"])
@pytest.mark.parametrize("input", ["gt", "detected"])
@pytest.mark.parametrize(("arrays", "protocol"), [(True, 4), (False, 4), (True, 2), (True, 0)])
def test_pickle(tmp_path: Path, split: str, input: str, arrays: bool, protocol: int) -> None:
    studio = make_studio(split)
    rows = h36m.entries(studio, arrays=arrays)
    found = h36m.detections(rows)
    # Shuffled: detections are assigned to samples by index, and sequences are sorted.
    shuffle = np.random.default_rng(1).permutation(len(rows))
    h36m.dump(tmp_path / f"h36m_{split}.pkl", [rows[i] for i in shuffle], protocol)
    other = {"joint3d_image": np.zeros((2, 17, 3)), "confidence": np.zeros((2, 17, 1))}
    table = {{"test": "train", "train": "test"}[split]: other}
    table[split] = {name: values[shuffle] for name, values in found.items()}
    h36m.dump(tmp_path / "h36m_sh_dt_ft.pkl", table, protocol)

    samples = load(tmp_path, split, input)
    names = [row["image_path"].split("/")[0] for row in rows]
    order = sorted(range(len(rows)), key=lambda i: (names[i], rows[i]["image_path"]))
    assert samples.sequences == tuple(sorted(set(names)))
    assert [samples.sequences[i] for i in samples.sequence] == [names[i] for i in order]
    assert samples.frame.tolist() == [int(rows[i]["image_path"][-10:-4]) for i in order]
    label = {number: name for name, number in h36m.ACTS.items()}
    assert [samples.actions[i] for i in samples.action] == [label[rows[i]["action"]] for i in order]
    expected = np.array([rows[i]["joint_3d_camera"] for i in order]) / 1000
    np.testing.assert_allclose(samples.joints_cam, expected, atol=METRE)
    image = np.array([rows[i]["joint_3d_image"] for i in order]) if input == "gt" else found["joint3d_image"][order]
    np.testing.assert_allclose(samples.xy, image[..., :2], atol=PIXEL)
    confidence = np.ones((len(rows), 17)) if input == "gt" else found["confidence"][order, :, 0]
    np.testing.assert_allclose(samples.confidence, confidence, rtol=1e-6)
    for name, index in (("fx", (0, 0)), ("fy", (1, 1)), ("cx", (0, 2)), ("cy", (1, 2))):
        values = [float(np.ravel(rows[i]["camera_param"][name])[0]) for i in order]
        np.testing.assert_array_equal(samples.K[:, index[0], index[1]], values)
    assert (samples.K[:, 2] == (0, 0, 1)).all() and (samples.K[:, 0, 1] == 0).all()


def test_motion_capture_in_every_format(tmp_path: Path, shared: Path) -> None:
    bodies = h36m.from_mocap(mocap.load(shared / "data/mocap/mocap_h36m17.npz", "test").positions)
    studio = make_studio(frames=30, bodies=bodies[:: max(1, len(bodies) // 600)])
    for name in ("videopose", "hdf5", "zedo"):
        (tmp_path / name).mkdir()
    write_videopose(tmp_path / "videopose", studio)
    h36m.write_hdf5(tmp_path / "hdf5", studio)
    write_zedo(tmp_path / "zedo", studio)
    for name in ("videopose", "hdf5"):
        check_takes(load(tmp_path / name), studio, "test", "gt", list(range(17)))
    takes = load(tmp_path / "hdf5")
    # The pickle has S11's Directions as well, before its WalkDog.
    pickled = load(tmp_path / "zedo")
    same = np.array(["s_11_act_02" not in pickled.sequences[i] for i in pickled.sequence])
    np.testing.assert_allclose(pickled.joints_cam[same], takes.joints_cam, atol=METRE)
    np.testing.assert_allclose(pickled.xy[same], takes.xy, atol=PIXEL)
    np.testing.assert_array_equal(pickled.action[same], takes.action)


def test_coco_keypoints(tmp_path: Path) -> None:
    studio = make_studio()
    write_videopose(tmp_path, studio)
    common = [joint for joint in COCO17.joints if joint in H36M17.joints]

    def as_coco(pixels: np.ndarray) -> np.ndarray:
        coco = np.repeat(pixels[:, [h36m.JOINTS.index("neck_nose")]], 17, axis=1)
        for joint in common:
            coco[:, COCO17.index(joint)] = pixels[:, h36m.JOINTS.index(joint)]
        return coco

    table = {
        subject: {take: [as_coco(pixels) for pixels in cameras] for take, cameras in takes.items()}
        for subject, takes in h36m.views(studio, "detected").items()
    }
    h36m.write_2d(tmp_path / "data_2d_h36m_cpn_ft_h36m_dbb.npz", table, "coco")
    samples = load(tmp_path, input="detected")
    joints = H36M17.indices(tuple(common))
    assert len(common) == 12 and (samples.confidence[:, joints] == 1).all()
    assert (np.delete(samples.confidence, joints, axis=1) < 1).all()
    expected = [studio.undistorted(s, take, number, "detected") for s, take in ORDER["test"] for number in NUMBERS]
    np.testing.assert_allclose(samples.xy[:, joints], np.concatenate(expected)[:, joints], atol=PIXEL)


@pytest.mark.parametrize(
    "write",
    [write_videopose, h36m.write_hdf5, lambda folder, studio: write_zedo(folder, studio)],
    ids=["npz", "hdf5", "pickle"],
)
def test_a_file_selects_its_format(tmp_path: Path, write: Callable[[Path, Studio], Any]) -> None:
    studio = make_studio()
    write(tmp_path, studio)
    full = load(tmp_path)
    for path in sorted(path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".json"):
        np.testing.assert_array_equal(load(path).xy, full.xy)


def test_a_file_selects_among_formats_and_detectors(tmp_path: Path) -> None:
    studio = make_studio()
    write_videopose(tmp_path, studio)
    write_zedo(tmp_path, studio)
    assert load(tmp_path).sequences[0].startswith("s_09")
    assert load(tmp_path / "data_3d_h36m.npz").sequences[0] == "S9/Directions 1/54138969"
    h36m.write_2d(tmp_path / "data_2d_h36m_sh.npz", h36m.views(studio, "gt"))
    with pytest.raises(FormatError, match=r"cpn_ft_h36m_dbb.npz, data_2d_h36m_sh.npz; give the path of the one to use"):
        load(tmp_path / "data_3d_h36m.npz", input="detected")
    exact = load(tmp_path / "data_2d_h36m_sh.npz", input="detected")
    np.testing.assert_allclose(exact.xy, load(tmp_path / "data_3d_h36m.npz").xy, atol=PIXEL)
    assert np.abs(load(tmp_path / "data_2d_h36m_cpn_ft_h36m_dbb.npz", input="detected").xy - exact.xy).max() > 5


def test_the_split_is_determined_by_content_not_file_name(tmp_path: Path) -> None:
    studios = {split: make_studio(split) for split in ("test", "train")}
    rows = {split: h36m.entries(studio) for split, studio in studios.items()}
    h36m.dump(tmp_path / "h36m_train.pkl", rows["test"])  # swapped
    h36m.dump(tmp_path / "h36m_test.pkl", rows["train"])
    for split in ("test", "train"):
        assert len(load(tmp_path, split)) == len(rows[split])
    h36m.dump(tmp_path / "both.pkl", rows["train"] + rows["test"])
    found = h36m.detections(rows["train"] + rows["test"])
    h36m.dump(tmp_path / "found.pkl", {"test": found})
    samples = load(tmp_path / "both.pkl", "test", "detected")
    assert len(samples) == len(rows["test"])
    paths = [row["image_path"] for row in rows["train"] + rows["test"]]
    order = [i for i in sorted(range(len(paths)), key=paths.__getitem__) if paths[i].startswith(("s_09", "s_11"))]
    np.testing.assert_allclose(samples.xy, found["joint3d_image"][order][..., :2], atol=PIXEL)


@pytest.mark.parametrize(
    ("take", "action"),
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
def test_action_names(tmp_path: Path, take: str, action: str) -> None:
    studio = make_studio()
    bodies = studio.takes["S9", "Photo"]
    studio = Studio(takes={("S9", take): bodies, ("S11", take): bodies}, lenses=studio.lenses)
    h36m.write_hdf5(tmp_path, studio)
    for input in ("gt", "detected"):
        samples = load(tmp_path, input=input)
        assert {samples.actions[i] for i in samples.action} == {action}
        assert samples.sequences[0].split("/")[1].split(" ")[0] == action
        assert len(samples) == 2 * 4 * len(bodies)


def test_action_numbers() -> None:
    """The sequences of S9 with wrong ground truth are Greeting, SittingDown and Waiting: acts 5, 10, 13."""
    assert [ACTIONS[act - 2] for act in (5, 10, 13)] == ["Greeting", "SittingDown", "Waiting"]
    assert {name: i + 2 for i, name in enumerate(ACTIONS)} == h36m.ACTS


@pytest.mark.parametrize("input", ["gt", "detected"])
def test_keypoints_that_are_not_finite_are_left_out(tmp_path: Path, input: str) -> None:
    studio = make_studio()
    h36m.write_videopose(tmp_path, studio)
    h36m.write_json_cameras(tmp_path / "cameras.json", studio)
    full = load(tmp_path, input=input)
    table = h36m.views(studio, input)
    table["S9"]["Photo"][2][1, 4, 0] = np.nan
    table["S9"]["Photo"][2][3, 0, 1] = np.inf
    table["S11"]["WalkDog"][0][0] = np.nan
    h36m.write_2d(next(tmp_path.glob("data_2d_h36m_gt.npz" if input == "gt" else "data_2d_h36m_cpn*")), table)
    samples = load(tmp_path, input=input)
    photo = full.sequences.index("S9/Photo/58860488")
    dog = full.sequences.index("S11/WalkDog/54138969")
    omitted = [(photo, 1), (photo, 3), (dog, 0)]
    kept = [i for i in range(len(full)) if (full.sequence[i], full.frame[i]) not in omitted]
    assert samples.left_out == 3 and samples.frame.tolist() == full.frame[kept].tolist()
    np.testing.assert_array_equal(samples.xy, full.xy[kept])
    np.testing.assert_array_equal(samples.joints_cam, full.joints_cam[kept])


def test_ground_truth_that_is_not_finite_is_left_out(tmp_path: Path) -> None:
    rows = h36m.entries(make_studio())
    rows[3]["joint_3d_camera"] = np.full((17, 3), np.nan)
    rows[9]["camera_param"]["fx"] = np.array([np.nan])
    h36m.dump(tmp_path / "h36m_test.pkl", rows)
    samples = load(tmp_path)
    assert len(samples) == len(rows) - 2 and samples.left_out == 2


def test_undistortion_matches_the_camera() -> None:
    camera = published_cameras()["S9"]["55011271"]
    pixels = np.random.default_rng(0).uniform(-200, 1200, (20, 17, 2))
    pixels[3, 4], pixels[7, 0, 1] = np.nan, np.inf
    found = undistort(camera, pixels)
    finite = np.isfinite(pixels).all(-1)
    np.testing.assert_allclose(found[finite], camera.undistort(pixels[finite]), atol=1e-6)
    assert np.isnan(found[~finite]).all()
    assert np.abs(found[finite] - pixels[finite]).max() > 20  # the distortion is not negligible


def test_undistortion_beyond_the_range_of_the_lens() -> None:
    camera = Camera(fx=1000, fy=1000, cx=500, cy=500, distortion=(-0.3, 0.0, 0.0, 0.0, 0.0))
    x = np.array([600.0, 1190.0, 1203.0, 1210.0, 1250.0, 3000.0])  # the largest distorted x is 1202.7
    pixels = np.stack([x, np.full(6, 500.0)], axis=-1)[None]
    found = undistort(camera, pixels)
    np.testing.assert_allclose(found, camera.undistort(pixels), atol=1e-6)
    assert np.isfinite(found[0, :2]).all() and np.isnan(found[0, 2:5]).all()


def test_pickles_of_the_tests_can_be_unpickled(tmp_path: Path) -> None:
    """A check of the other tests: `pickle.load` reads what `dump` writes."""
    rows = write_zedo(tmp_path, make_studio())
    with open(tmp_path / "h36m_test.pkl", "rb") as file:
        assert len(pickle.load(file)) == len(rows)
