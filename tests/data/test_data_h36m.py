"""Human3.6M in each of its forms, read back from files made of bodies and cameras."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets_h36m as made_of
import numpy as np
import pytest
from datasets_h36m import NUMBERS, Studio, studio
from h36m_cases import METRE, ORDER, PIXEL, UNKNOWN_TO_MPII, check_takes, write_videopose, write_zedo

from zedo_core.camera import Camera
from zedo_core.data import mocap
from zedo_core.data._h36m_cameras import published_cameras
from zedo_core.data._h36m_sequences import undistorted
from zedo_core.data.h36m import ACTIONS, load
from zedo_core.errors import FormatError
from zedo_core.skeleton import COCO17, H36M17


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


def test_pickles_are_written_by_the_usual_pickler(tmp_path: Path) -> None:
    """The guard of the other tests: what `dump` writes is what pickle.load reads."""
    rows = write_zedo(tmp_path, studio())
    with open(tmp_path / "h36m_test.pkl", "rb") as file:
        assert len(pickle.load(file)) == len(rows)
