"""Keypoint files: a contract for all formats, and details and errors of COCO, AlphaPose and OpenPose."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from keypoint_cases import (
    SIZE,
    cmu_frame,
    coco_entry,
    flat,
    label_row,
    landmarks,
    mmpose_instance,
    openpose_frame,
    pose,
    two_frames,
)
from keypoint_tables import deeplabcut_csv, pixel_trc, wide_csv, write_sleap

from zedo_core.errors import FormatError, InputError
from zedo_core.keypoints import formats, holds_keypoints, read_keypoints, write_keypoints
from zedo_core.skeleton import BLAZEPOSE33, BODY25, BODY25B, COCO17, COCO18, HALPE26

# The same two frames of one person in every format.


def _coco(folder: Path) -> Path:
    (folder / "file").write_text(json.dumps([coco_entry(0), coco_entry(1, pose(x=110))]))
    return folder / "file"


def _openpose(folder: Path) -> Path:
    (folder / "frames").mkdir()
    for t, x in enumerate((100, 110)):
        (folder / "frames" / f"v_{t:012}_keypoints.json").write_text(json.dumps(openpose_frame(pose(BODY25, x))))
    return folder / "frames"


def _npz(folder: Path) -> Path:
    with open(folder / "file", "wb") as file:
        np.savez(file, keypoints=np.stack([pose(), pose(x=110)]), joints="coco-17")
    return folder / "file"


def _results(folder: Path) -> Path:
    write_keypoints(two_frames(), folder / "file")
    return folder / "file"


def _alphapose(folder: Path) -> Path:
    frames = {f"{t}.jpg": cmu_frame(pose(COCO18, x)) for t, x in enumerate((100, 110))}
    (folder / "file").write_text(json.dumps(frames))
    return folder / "file"


def _mmpose(folder: Path) -> Path:
    frames = [{"frame_id": t, "instances": [mmpose_instance(pose(x=x))]} for t, x in enumerate((100, 110))]
    (folder / "file").write_text(json.dumps(frames))
    return folder / "file"


def _labels(folder: Path) -> Path:
    (folder / "labels").mkdir()
    for t, x in enumerate((100, 110), start=1):
        (folder / "labels" / f"clip_{t}.txt").write_text(label_row(pose(x=x)) + "\n")
    return folder / "labels"


def _lines(folder: Path) -> Path:
    rows = [{"frame": t, "people": [{"id": 1, "keypoints": flat(pose(x=x))}]} for t, x in enumerate((100, 110))]
    (folder / "file").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder / "file"


def _mediapipe(folder: Path) -> Path:
    (folder / "file").write_text(json.dumps([landmarks(pose(BLAZEPOSE33, x)).tolist() for x in (100, 110)]))
    return folder / "file"


def _arrays(folder: Path) -> Path:
    np.save(folder / "file.npy", np.stack([pose(), pose(x=110)]))
    return folder / "file.npy"


def _coco_dataset(folder: Path) -> Path:
    images = [{"id": t, "file_name": f"{t}.jpg"} for t in range(2)]
    annotations = [{"image_id": t, "keypoints": flat(pose(x=x))} for t, x in enumerate((100, 110))]
    (folder / "file").write_text(json.dumps({"images": images, "annotations": annotations}))
    return folder / "file"


def _deeplabcut(folder: Path) -> Path:
    (folder / "file").write_text(deeplabcut_csv([pose(), pose(x=110)]))
    return folder / "file"


def _hdf5(folder: Path) -> Path:
    write_sleap(folder / "file", np.stack([pose(), pose(x=110)])[:, None])
    return folder / "file"


def _nested(folder: Path) -> Path:
    (folder / "file").write_text(json.dumps([[{"keypoints": pose(x=x).tolist()}] for x in (100, 110)]))
    return folder / "file"


def _tables(folder: Path) -> Path:
    (folder / "file.csv").write_text(wide_csv([pose(), pose(x=110)]))
    return folder / "file.csv"


def _trc(folder: Path) -> Path:
    (folder / "file").write_text(pixel_trc([pose(), pose(x=110)]))
    return folder / "file"


def _videopose3d(folder: Path) -> Path:
    motion = np.stack([pose(x=x) for x in (100, 110)])
    with open(folder / "file", "wb") as file:
        positions = np.array({"clip.mp4": {"custom": [motion]}}, dtype=object)
        np.savez(file, positions_2d=positions, metadata=np.array({"layout_name": "coco"}, dtype=object))
    return folder / "file"


SAMPLES = {
    "alphapose": _alphapose,
    "arrays": _arrays,
    "coco": _coco,
    "coco_dataset": _coco_dataset,
    "deeplabcut": _deeplabcut,
    "hdf5": _hdf5,
    "nested": _nested,
    "tables": _tables,
    "trc": _trc,
    "labels": _labels,
    "lines": _lines,
    "mediapipe": _mediapipe,
    "mmpose": _mmpose,
    "npz": _npz,
    "openpose": _openpose,
    "results": _results,
    "videopose3d": _videopose3d,
}
JOINT_SETS = {"alphapose": COCO18, "mediapipe": BLAZEPOSE33, "openpose": BODY25}  # COCO17 in all others
NORMALISED = {"labels", "mediapipe"}
UNNAMED = {"arrays": "coco-17"}  # joints that the caller names


@pytest.mark.parametrize("name", sorted(formats()))
def test_every_format_fulfils_the_contract(name, tmp_path):
    assert name in SAMPLES, f"add a sample of the format '{name}' to this test"
    assert formats()[name].FORM
    size = SIZE if name in NORMALISED else None
    keypoints = read_keypoints(SAMPLES[name](tmp_path), image_size=size, skeleton=UNNAMED.get(name))
    skeleton = JOINT_SETS.get(name, COCO17)
    assert keypoints.skeleton == skeleton
    assert keypoints.image_sizes == ((SIZE,) if name in NORMALISED else None)
    expected = [pose(skeleton)[:, :2], pose(skeleton, 110)[:, :2]]
    np.testing.assert_allclose(keypoints.xy, expected, atol=1e-6)  # px; labels have 9 digits
    assert keypoints.frame_numbers.tolist() == [0, 1]
    assert keypoints.track_ids.tolist() == [1]
    assert (keypoints.confidence == (1.0 if name == "trc" else 0.5)).all()  # TRC has none


@pytest.mark.parametrize("name", sorted(formats()))
def test_only_one_format_reads_a_source(name, tmp_path):
    from zedo_core.keypoints._source import open_source

    source = open_source(SAMPLES[name](tmp_path))
    readers = [other for other, format in formats().items() if format.reads(source)]
    assert readers[0] == name and set(readers[1:]) <= {"nested"}  # which is asked last


@pytest.mark.parametrize("name", sorted(formats()))
def test_every_format_is_detected_as_keypoints(name, tmp_path):
    path = SAMPLES[name](tmp_path)
    assert holds_keypoints(path)
    if path.is_dir():
        (path / "frame.jpg").touch()
        assert not holds_keypoints(path)


@pytest.mark.parametrize("name", sorted(NORMALISED))
def test_normalised_formats_need_the_size(name, tmp_path):
    path = SAMPLES[name](tmp_path)
    with pytest.raises(FormatError, match=r"normalised coordinates.*give --image-size WIDTHxHEIGHT"):
        read_keypoints(path)
    scaled = read_keypoints(path, picture_size=SIZE)
    np.testing.assert_array_equal(scaled.xy, read_keypoints(path, image_size=SIZE).xy)


def test_picture_size_only_scales_normalised_coordinates(tmp_path):
    assert read_keypoints(_coco(tmp_path), picture_size=SIZE).image_sizes is None


@pytest.mark.parametrize("name", sorted(formats()))
def test_given_size_and_rate_are_used(name, tmp_path):
    path = SAMPLES[name](tmp_path)
    keypoints = read_keypoints(path, image_size=(640, 480), fps=25.0, skeleton=UNNAMED.get(name))
    assert keypoints.image_sizes == ((640, 480),)
    assert keypoints.fps == 25
    with pytest.raises(InputError, match="expected an image size"):
        read_keypoints(path, image_size=(0, 480), skeleton=UNNAMED.get(name))
    for fps in (0.0, float("nan")):
        with pytest.raises(InputError, match="expected a frame rate"):
            read_keypoints(path, fps=fps)


# COCO and AlphaPose


def test_halpe_is_detected_by_its_length(write):
    keypoints = read_keypoints(write([coco_entry("0.jpg", pose(HALPE26))]))
    assert keypoints.skeleton == HALPE26


def test_alphapose_confidence_above_one_is_clipped(write):
    assert (read_keypoints(write([coco_entry("0.jpg", pose(confidence=1.2))])).confidence == 1).all()


@pytest.mark.parametrize(
    ("image_ids", "expected"),
    [
        ([7, 3, 3], [3, 7]),
        (["10.jpg", "9.jpg", "2.jpg"], [2, 9, 10]),
        (["cam03_v2_007.mp4", "cam03_v2_012.mp4"], [7, 12]),
        (["a_2.jpg", "b_1.jpg"], [0, 1]),
        (["one.jpg", "two.jpg", "two2.jpg"], [0, 1, 2]),
        (["9" * 5000 + ".jpg"], [0]),
        ([10**12, 5], [5, 10**12]),
        (["cam.0001", "cam.0002"], [1, 2]),
    ],
)
def test_frame_numbers_of_image_ids(write, image_ids, expected):
    entries = [coco_entry(image_id, pose(x=1000 * i)) for i, image_id in enumerate(image_ids)]
    assert read_keypoints(write(entries)).frame_numbers.tolist() == expected


@pytest.mark.parametrize("idx", [4, 4.0, [4], [4.0]])
def test_tracks_of_alphapose(write, idx):
    keypoints = read_keypoints(write([coco_entry(0, idx=idx), coco_entry(1, pose(x=5000), idx=idx)]))
    assert keypoints.track_ids.tolist() == [4]
    assert keypoints.dense().present.all()


def test_of_two_people_with_one_track_the_more_confident_is_used(write, caplog):
    weak, strong = coco_entry(0, pose(confidence=0.2), idx=1), coco_entry(0, pose(x=500, confidence=0.9), idx=1)
    for entries in ([weak, strong], [strong, weak]):
        assert (read_keypoints(write(entries)).confidence == 0.9).all()
    assert "1 people share frame and track" in caplog.text


def test_box_without_a_pose_is_an_absent_person(write):
    keypoints = read_keypoints(write([coco_entry(0), coco_entry(1, pose() * 0), coco_entry(2)]))
    assert keypoints.frame_numbers.tolist() == [0, 1, 2]
    assert keypoints.dense().present[:, 0].tolist() == [True, False, True]


def test_coco_errors_name_the_entry(write):
    cases = {
        "entry 1, image_id.*null": [coco_entry(0), coco_entry(None)],
        "entry 1.*51": [coco_entry(0), coco_entry(1) | {"keypoints": [1.0] * 50}],
        r"entry 0.*expected 51 \(coco-17\) or 78 \(halpe-26\) values, found 54": [
            coco_entry(0) | {"keypoints": [1.0] * 54}
        ],
        "entry 1.*image_id.*the number 3": [coco_entry(0), 3],
        "entry 0.*idx.*list of 2": [coco_entry(0, idx=[1, 2])],
        "frame 5.*left_eye.*x 1e.07": [coco_entry(5) | {"keypoints": [*flat(pose())[:3], 1e7, *flat(pose())[4:]]}],
        "frame 5.*nose.*nan": [coco_entry(5) | {"keypoints": [float("nan"), *flat(pose())[1:]]}],
    }
    for match, document in cases.items():
        with pytest.raises(FormatError, match=match):
            read_keypoints(write(document))


# OpenPose


def test_openpose_folder(write, tmp_path):
    for name, frame in {
        "v_2_keypoints.json": openpose_frame(pose(COCO18)),
        "v_10_keypoints.json": openpose_frame(),
        "v_11_keypoints.json": openpose_frame(pose(COCO18, 120)),
        "calibration.json": {"K": []},
        ".v_12_keypoints.json": "hidden, and not JSON",
        "notes.txt": "not JSON",
    }.items():
        write(frame, f"frames/{name}")
    keypoints = read_keypoints(tmp_path / "frames")
    assert keypoints.skeleton == COCO18
    assert keypoints.frame_numbers.tolist() == [2, 10, 11]
    assert keypoints.dense().present[:, 0].tolist() == [True, False, True]


def test_openpose_single_file(write):
    assert read_keypoints(write(openpose_frame(pose(BODY25)), "v_7_keypoints.json")).frame_numbers.tolist() == [7]


def test_openpose_missing_joint(write):
    person = pose(BODY25)
    person[BODY25.index("left_knee")] = 0
    keypoints = read_keypoints(write(openpose_frame(person)))
    missing = keypoints.confidence[0] == 0
    assert np.array(BODY25.joints)[missing].tolist() == ["left_knee"]


@pytest.mark.parametrize(
    ("frame", "match"),
    [
        ({"people": [{"pose_keypoints_2d": [1.0] * 60}]}, r"person 0: expected 75 \(body-25\) or 54 .* found 60"),
        ({"people": [{}]}, "person 0: expected an object with 'pose_keypoints_2d'"),
        ({"people": None}, "people: expected a list, found null"),
        ({"people": [{"pose_keypoints_2d": ["1"] * 75}]}, "expected a list of numbers, found the text '1'"),
        ({"people": []}, "found no people"),
        ("{", "not valid JSON"),
    ],
)
def test_openpose_errors(write, frame, match):
    with pytest.raises(FormatError, match=match):
        read_keypoints(write(frame, "frames/v_1_keypoints.json").parent)


def test_real_openpose_folder(shared):
    keypoints = read_keypoints(shared / "assets/videos/balance/cam03_openpose", image_size=(1088, 1920))
    assert keypoints.skeleton == BODY25B  # 25 joints like BODY_25, in another order
    assert keypoints.dense().xy.shape == (100, 1, 25, 2)
    assert keypoints.dense().present.all()
    assert keypoints.frame_numbers.tolist() == list(range(100))
    np.testing.assert_array_equal(keypoints.xy[0, BODY25B.index("nose")], (568.281, 526.287))
    assert keypoints.confidence[0, BODY25B.index("right_eye")] == 0
