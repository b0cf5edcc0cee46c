"""Keypoints in CSV, TRC, HDF5 and plain arrays: joints by their names, frames, ids and what is missing."""

from __future__ import annotations

import numpy as np
import pytest
from keypoint_cases import SIZE, pose
from keypoint_tables import (
    DLC,
    SPORTS2D,
    deeplabcut_csv,
    long_csv,
    pixel_trc,
    sleap_csv,
    wide_csv,
    write_deeplabcut,
    write_sleap,
)

from zedo_core.errors import FormatError
from zedo_core.keypoints import holds_keypoints, read_keypoints
from zedo_core.skeleton import BLAZEPOSE33, COCO17, H36M17, HALPE26
from zedo_core.skeleton.naming import joint_of, match_names

FRAMES = [pose(x=x) for x in (100.0, 105.0, 110.0)]
RIGHT = np.array([300.0, 0.0, 0.0])  # px, from a person to another
XY = [frame[:, :2] for frame in FRAMES]


def same(keypoints, frames=(0, 1, 2), tracks=(1,)):
    assert keypoints.skeleton == COCO17
    assert keypoints.frame_numbers.tolist() == list(frames) and keypoints.track_ids.tolist() == list(tracks)
    rows = keypoints.take(keypoints.track == tracks[0])
    np.testing.assert_allclose(rows.xy, XY, atol=1e-5)  # nine digits
    assert (rows.confidence == 0.5).all()
    return True


# Names of joints


@pytest.mark.parametrize(
    ("names", "joint"),
    [
        (["LShoulder", "left_shoulder", "Shoulder_L", "shoulderLeft", "l_shoulder", "Left Shoulder", "lshoulder"],
         "left_shoulder"),
        (["RHip", "right hip", "hip_right", "HipRight", "R.Hip", "rightHip", "RIGHT_HIP"], "right_hip"),
        (["LBigToe", "left_big_toe", "bigtoe_left"], "left_big_toe"),
        (["Hip", "CHip", "pelvis", "MidHip", "root"], "pelvis"),
        (["Head", "top_head", "HeadTop"], "head_top"),
        (["RIGHT_FOOT_INDEX", "right_foot_index"], "right_foot"),
    ],
)  # fmt: skip
def test_names_of_joints(names, joint):
    assert [joint_of(name) for name in names] == [joint] * len(names)


def test_unknown_names_are_no_joints():
    assert [joint_of(name) for name in ("tailbase", "lamp", "rope", "left", "", "leg")] == [None] * 6


def test_the_set_with_the_most_joints_is_used():
    assert match_names(DLC).skeleton == COCO17  # type: ignore[union-attr]
    halpe = match_names(
        (*SPORTS2D, "Head", "Neck", "Hip", "LBigToe", "RBigToe", "LSmallToe", "RSmallToe", "LHeel", "RHeel")
    )
    assert halpe is not None and halpe.skeleton == HALPE26 and not halpe.unknown
    names = ("root", "RHip", "RKnee", "RAnkle", "LHip", "LKnee", "LAnkle", "spine", "thorax", "neck_nose", "head",
             "LShoulder", "LElbow", "LWrist", "RShoulder", "RElbow", "RWrist")  # fmt: skip
    assert match_names(names).skeleton == H36M17  # type: ignore[union-attr]
    assert match_names(("nose", "leftear", "rightear", "tailbase")) is None


# DeepLabCut


def test_deeplabcut_csv(write):
    path = write(deeplabcut_csv(FRAMES), "clip.csv")
    assert holds_keypoints(path) and same(read_keypoints(path))


def test_deeplabcut_individuals_may_differ_in_their_parts(write):
    """`single` has things in the room: they are no person, and shift nobody's columns."""
    both = [np.stack([frame, frame + RIGHT]) for frame in FRAMES]
    lines = deeplabcut_csv(both, individuals=("anna", "ben")).splitlines()
    ends = ("DLC_resnet50", "single", "lamp", "x"), ("DLC_resnet50", "single", "lamp", "y")
    lines = [",".join([line, *(end[i] for end in ends)]) for i, line in enumerate(lines[:4])] + [
        f"{line},7,8" for line in lines[4:]
    ]
    keypoints = read_keypoints(write("\n".join(lines), "clip.csv"))
    assert same(keypoints, tracks=(1, 2))
    np.testing.assert_allclose(keypoints.take(keypoints.track == 2).xy, [xy + RIGHT[:2] for xy in XY], atol=1e-5)


def test_deeplabcut_labels_of_pictures(write):
    """Older files have the path in one cell, newer ones in three; without likelihood, and with empty cells."""
    frames = [frame.copy() for frame in FRAMES]
    frames[1][3, :2] = np.nan
    for place in ("labeled-data/walk/img{:04}.png", "labeled-data,walk,img{:04}.png"):
        index = [place.format(t) for t in (4, 9, 12)]
        keypoints = read_keypoints(write(deeplabcut_csv(frames, index=index, likelihood=False), "labels.csv"))
        assert keypoints.frame_numbers.tolist() == [4, 9, 12]
        assert keypoints.confidence[1, 3] == 0 and keypoints.confidence.sum() == 3 * 17 - 1
        np.testing.assert_allclose(keypoints.xy[2], XY[2], atol=1e-5)


def test_deeplabcut_hdf5(tmp_path):
    values = np.stack(FRAMES)[:, None]
    write_deeplabcut(tmp_path / "a.h5", values)
    assert holds_keypoints(tmp_path / "a.h5") and same(read_keypoints(tmp_path / "a.h5"))
    write_deeplabcut(tmp_path / "b.h5", np.concatenate([values, values + RIGHT], axis=1), individuals=("a", "b"))
    assert same(read_keypoints(tmp_path / "b.h5"), tracks=(1, 2))


def test_deeplabcut_errors(write):
    good = deeplabcut_csv(FRAMES)
    cases = {
        "row 1 of the values: expected 52 columns, found 51": good.replace("\n1,", "\n"),
        "row 0 of the values: expected numbers, found 'fog'": good.replace("0.5\n1,", "fog\n1,", 1),
        "expected a row per frame": good.replace("\n2,", "\n1,"),
        "expected rows 'bodyparts' and 'coords'": "scorer,a,a\nbodyparts,nose,nose\n",
        "expected different columns, found 'nose' x more than once": good.replace("Leye", "nose"),
        "expected the joints of a person.*'snout'": deeplabcut_csv(
            [f[:4] for f in FRAMES], ("snout", "tail", "a", "b")
        ),
        "found no people in any of its 3 frames": deeplabcut_csv([f * np.nan for f in FRAMES]),
    }
    for match, text in cases.items():
        with pytest.raises(FormatError, match=match):
            read_keypoints(write(text, "clip.csv"))


# SLEAP, and other CSV


def test_sleap_csv(write):
    keypoints = read_keypoints(write(sleap_csv([[f, f + RIGHT] for f in FRAMES], first=40), "analysis.csv"))
    assert same(keypoints, frames=(40, 41, 42), tracks=(1, 2))


@pytest.mark.parametrize("standard", [False, True])
def test_sleap_hdf5(tmp_path, standard):
    values = np.stack([np.stack([frame, frame + RIGHT]) for frame in FRAMES])
    values[1, 1] = np.nan
    write_sleap(tmp_path / "clip.analysis.h5", values, standard=standard)
    keypoints = read_keypoints(tmp_path / "clip.analysis.h5")
    assert same(keypoints, tracks=(1, 2))
    assert keypoints.dense().present.tolist() == [[True, True], [True, False], [True, True]]


def test_sleap_names_twice(tmp_path):
    write_sleap(tmp_path / "a.h5", np.stack(FRAMES)[:, None], ["nose"] * 17)
    with pytest.raises(
        FormatError, match=r"expected joints with different names, found 'nose' more than once.*--skeleton"
    ):
        read_keypoints(tmp_path / "a.h5")
    assert same(read_keypoints(tmp_path / "a.h5", skeleton="coco-17"))


@pytest.mark.parametrize("joiner", ["_", ".", " ", "-"])
def test_wide_csv(write, joiner):
    assert same(read_keypoints(write(wide_csv(FRAMES, joiner), "clip.csv")))


def test_wide_csv_in_other_spellings(write):
    rows = wide_csv(FRAMES, names=DLC).replace("_score", "_likelihood")
    rows = rows.replace("frame,", "image_name,")
    for t in range(3):
        rows = rows.replace(f"\n{t},", f"\nf_{t}.png,")
    assert same(read_keypoints(write(rows, "a.csv")))
    assert same(read_keypoints(write(wide_csv(FRAMES).replace(",", ";"), "semicolons.csv")))
    numbers = wide_csv(FRAMES, "", [f"keypoint_{i}_" for i in range(17)])
    assert same(read_keypoints(write(numbers, "numbers.csv")))


def test_long_csv(write):
    assert same(read_keypoints(write(long_csv(FRAMES), "clip.csv")))
    again = long_csv(FRAMES) + "2,1,nose,1,2,0.5\n"
    with pytest.raises(FormatError, match=r"row 52: expected a row per frame, person and joint, found one again"):
        read_keypoints(write(again, "clip.csv"))


def test_ultralytics_csv(write):
    """A cell holds the joints as Python prints them."""
    rows = ["frame,name,confidence,keypoints"]
    for t, frame in enumerate(FRAMES):
        x, y, c = frame.T.tolist()
        rows.append(f'{t},person,0.9,"{ {"x": x, "y": y, "visible": c} }"')
    assert same(read_keypoints(write("\n".join(rows), "clip.csv")))


def test_mediapipe_csv(write):
    """Normalised coordinates in columns named after the landmarks."""
    blaze = pose(BLAZEPOSE33)
    names = [name.upper().replace("LEFT_FOOT", "LEFT_FOOT_INDEX").replace("RIGHT_FOOT", "RIGHT_FOOT_INDEX")
             for name in BLAZEPOSE33.joints]  # fmt: skip
    names = [f"MOUTH_{name.split('_')[0]}" if "MOUTH" in name else name for name in names]
    values = np.column_stack([(blaze[:, :2] + 0.5) / SIZE, blaze[:, 2]])
    text = wide_csv([values], names=names)
    keypoints = read_keypoints(write(text, "clip.csv"), image_size=SIZE)
    assert keypoints.skeleton == BLAZEPOSE33
    np.testing.assert_allclose(keypoints.xy[0], blaze[:, :2], atol=1e-5)


def test_poses_of_zedo_are_no_keypoints(write):
    text = "frame,time_s,person,joint,x,y,z,confidence\n0,0.0,1,pelvis,0.1,0.2,3.0,0.9\n"
    with pytest.raises(FormatError, match=r"expected 2D keypoints, found 3D poses"):
        read_keypoints(write(text, "poses.csv"))


def test_other_tables_are_refused(write):
    with pytest.raises(FormatError, match=r"found a table that begins with 'date,price'"):
        read_keypoints(write("date,price\n1,2\n", "a.csv"))


# TRC


def test_pixel_trc(write):
    frames = [frame.copy() for frame in FRAMES]
    frames[1][4, :2] = np.nan
    path = write(pixel_trc(frames), "clip_Sports2D_px_person02.trc")
    keypoints = read_keypoints(path)
    assert holds_keypoints(path) and keypoints.skeleton == COCO17 and keypoints.fps == 25
    assert keypoints.track_ids.tolist() == [2] and keypoints.frame_numbers.tolist() == [0, 1, 2]
    assert keypoints.times_s is not None and keypoints.times_s.tolist() == pytest.approx([0, 0.04, 0.08])
    assert keypoints.confidence[1, 4] == 0 and keypoints.confidence.sum() == 50
    np.testing.assert_allclose(keypoints.xy[2], XY[2], atol=1e-5)


def test_trc_in_space_is_refused(write):
    with pytest.raises(FormatError, match=r"expected 2D keypoints in pixels, found 3D markers \(mm\)"):
        read_keypoints(write(pixel_trc(FRAMES, unit="mm", z=5.0), "a.trc"))
    with pytest.raises(FormatError, match=r"found markers within .* of a unit"):
        read_keypoints(write(pixel_trc([frame / 300 for frame in FRAMES]), "a.trc"))


# Plain arrays


def test_npy_and_npz_with_the_joint_set(tmp_path):
    values = np.stack(FRAMES)
    for name, arrays in {
        "a": {"keypoints": values},
        "b": {"arr_0": values[:, None]},
        "c": {"keypoints": values[..., :2], "scores": values[..., 2]},
        "d": {"mine": values, "fps": np.array(25), "boxes": np.zeros((3, 4))},
    }.items():
        np.savez(tmp_path / f"{name}.npz", **arrays)
        assert same(read_keypoints(tmp_path / f"{name}.npz", skeleton="coco-17"))
    np.save(tmp_path / "clip.npy", values)
    assert holds_keypoints(tmp_path / "clip.npy") and same(read_keypoints(tmp_path / "clip.npy", skeleton="coco-17"))
    with pytest.raises(
        FormatError,
        match=r"keypoints that say their 17 joints, found the array clip; give --skeleton .*coco-17 or h36m-17",
    ):
        read_keypoints(tmp_path / "clip.npy")
    with pytest.raises(FormatError, match=r"expected 26 joints of halpe-26 \(--skeleton\), found \(3, 17, 3\)"):
        read_keypoints(tmp_path / "clip.npy", skeleton="halpe-26")


def test_npy_without_confidence_has_gaps(tmp_path):
    values = np.stack(FRAMES)[..., :2]
    values[1] = np.nan
    values[2, 5] = 0.0
    np.save(tmp_path / "clip.npy", values)
    keypoints = read_keypoints(tmp_path / "clip.npy", skeleton="coco-17")
    assert keypoints.dense().present[:, 0].tolist() == [True, False, True]
    assert keypoints.confidence[1, 5] == 0 and keypoints.confidence.sum() == 33


def test_arrays_of_other_shapes_are_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((3, 5)))
    with pytest.raises(FormatError, match=r"an npy with an array of shape \(3, 5\).*--skeleton"):
        read_keypoints(tmp_path / "a.npy", skeleton="coco-17")


# Other kinds of files


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("walk.bvh", b"HIERARCHY\nROOT a\n", "found motion capture.*zedo train prior --data"),
        ("walk.txt", b"HIERARCHY\nROOT a\n", "found motion capture"),
        ("c.yml", b"%YAML:1.0\n---\nK: 1\n", "found a calibration; give it with --camera"),
        ("c.toml", b"[cam]\n", "found a calibration"),
        ("c.xml", b"<?xml?>", "found a calibration"),
        ("k.pkl", b"\x80\x04\x95", "found a pickle.*npz or JSON.*zedo eval --data"),
        ("m.mat", b"MATLAB 5.0", "found a MATLAB file"),
        ("p.slp", b"abc", "found a project of SLEAP; export its analysis HDF5"),
        ("d.onnx", b"\x08\x07", "found a network; give it with --detector"),
        ("a.mot", b"Coordinates\n", "found joint angles"),
    ],
)
def test_files_of_other_kinds_are_named(tmp_path, name, content, match):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FormatError, match=match):
        holds_keypoints(tmp_path / name)


def test_other_hdf5_and_calibrations_are_named(tmp_path, write):
    import h5py

    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["poses"] = np.zeros(3)
    with pytest.raises(FormatError, match=r"expected HDF5 of SLEAP .* or DeepLabCut .*, found poses"):
        read_keypoints(tmp_path / "a.h5")
    with pytest.raises(FormatError, match=r"looks like a calibration; give it with --camera"):
        read_keypoints(write({"cameras": [{"K": [[1, 0, 0], [0, 1, 0], [0, 0, 1]], "dist": [0.1]}]}))


def test_a_folder_of_folders_names_them(tmp_path):
    for name in ("cam1_json", "cam2_json"):
        (tmp_path / "pose" / name).mkdir(parents=True)
    with pytest.raises(FormatError, match=r"found the folders cam1_json, cam2_json; give them one by one"):
        holds_keypoints(tmp_path / "pose")
