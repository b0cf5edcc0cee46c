"""Keypoint files of AlphaPose (cmu), MMPose, Ultralytics, VideoPose3D and MediaPipe, and zedo's JSON lines."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keypoint_cases import SIZE, cmu_frame, flat, label_row, landmarks, mmpose_instance, pose

from zedo_core.errors import FormatError
from zedo_core.keypoints import holds_keypoints, read_keypoints
from zedo_core.skeleton import BLAZEPOSE33, COCO17, COCO18, H36M17, HALPE26

NOSE = COCO17.index("nose")

# AlphaPose


def test_cmu_folder_and_single_file(write, tmp_path):
    for name, frame in {
        "v_2.json": cmu_frame(pose(COCO18, confidence=1.3)),
        "v_10.json": cmu_frame(),
        "v_11.json": cmu_frame(pose(COCO18, 120), pose(COCO18, 900)),
        "other.json": {"K": []},
    }.items():
        write(frame, f"frames/{name}")
    keypoints = read_keypoints(tmp_path / "frames")
    assert keypoints.skeleton == COCO18
    assert keypoints.frame_numbers.tolist() == [2, 10, 11]
    assert keypoints.dense().present.tolist() == [[True, False], [False, False], [True, True]]
    assert (keypoints.confidence[0] == 1).all()
    assert read_keypoints(tmp_path / "frames" / "v_2.json").frame_numbers.tolist() == [2]


@pytest.mark.parametrize(
    ("frame", "match"),
    [
        ({"bodies": [{"joints": [1.0] * 51}]}, r"body 0: expected 54 \(coco-18\) values, found 51"),
        ({"bodies": [{"keypoints": []}]}, "body 0: expected an object with 'joints'"),
        ({"bodies": None}, "bodies: expected a list, found null"),
        ({"bodies": []}, "found no people in any of its 1 AlphaPose frames"),
        ({"bodies": [{"joints": [float("nan")] * 54}]}, "body 0, joint nose: x nan"),
    ],
)
def test_cmu_errors(write, frame, match):
    with pytest.raises(FormatError, match=match):
        read_keypoints(write(frame))
    with pytest.raises(FormatError, match=match.replace("body 0", "'7.jpg': body 0")):
        read_keypoints(write({"7.jpg": frame}))


# MMPose


def test_mmpose_picture(write):
    people = [mmpose_instance(pose(HALPE26, confidence=1.1)), mmpose_instance(pose(HALPE26, 900))]
    keypoints = read_keypoints(write(people, "photo_0012.json"))
    assert keypoints.skeleton == HALPE26
    assert keypoints.frame_numbers.tolist() == [0]  # the file belongs to one picture
    np.testing.assert_array_equal(keypoints.xy, [pose(HALPE26)[:, :2], pose(HALPE26, 900)[:, :2]])
    assert keypoints.confidence.max() == 1 and keypoints.confidence.min() == 0.5


def test_mmpose_folder_of_pictures(write, tmp_path):
    for name, people in {"f_3": [mmpose_instance(pose())], "f_4": [], "f_12": [mmpose_instance(pose(x=105))]}.items():
        write(people, f"predictions/{name}.json")
    keypoints = read_keypoints(tmp_path / "predictions")
    assert keypoints.frame_numbers.tolist() == [3, 4, 12]
    assert keypoints.dense().present[:, 0].tolist() == [True, False, True]


def test_mmpose_video_counts_from_0_and_demo_from_1(write):
    def frames(first: int) -> list[Any]:
        people = [[], [mmpose_instance(pose())], [mmpose_instance(pose(x=110)), mmpose_instance(pose(x=900))]]
        return [{"frame_id": first + t, "instances": found} for t, found in enumerate(people)]

    video = read_keypoints(write(frames(0)))
    demo = read_keypoints(write({"meta_info": {"dataset_name": "coco"}, "instance_info": frames(1)}))
    for keypoints in (video, demo):
        assert keypoints.frame_numbers.tolist() == [0, 1, 2]
        assert keypoints.dense().present.tolist() == [[False, False], [True, False], [True, True]]
        np.testing.assert_array_equal(keypoints.dense().xy[2, 1], pose(x=900)[:, :2])


def test_mmpose_errors_name_the_instance(write):
    good = mmpose_instance(pose())
    points, scores = good["keypoints"], good["keypoint_scores"]
    cases = {
        r"instance 1, keypoints: expected 17 \(coco-17\) values, found 16": good | {"keypoints": points[:16]},
        r"instance 1, keypoints\[3\]: expected 2 values \(x, y\), found 3": good
        | {"keypoints": [*points[:3], [1, 2, 3], *points[4:]]},
        "instance 1, keypoint_scores: expected 17 .* found 5": good | {"keypoint_scores": scores[:5]},
        "instance 1: expected an object with 'keypoint_scores'": {"keypoints": points},
        "instance 1, joint nose: x nan": good | {"keypoints": [[float("nan"), 1.0], *points[1:]]},
        "instance 1, joint nose: x 1e.07": good | {"keypoints": [[1e7, 5.0], *points[1:]]},
    }
    for match, bad in cases.items():
        with pytest.raises(FormatError, match=match):
            read_keypoints(write([good, bad]))
        with pytest.raises(FormatError, match=f"entry 0, {match}"):
            read_keypoints(write([{"frame_id": 0, "instances": [good, bad]}]))
    with pytest.raises(FormatError, match=r"expected 17 \(coco-17\) or 26 \(halpe-26\) values, found 100"):
        read_keypoints(write([good | {"keypoints": [[1, 1]] * 100}]))
    with pytest.raises(FormatError, match="keypoint_scores: expected 133 as keypoints, found 17"):
        read_keypoints(write([good | {"keypoints": [[1, 1]] * 133}]))
    with pytest.raises(FormatError, match="entry 0, frame_id: expected a whole number from 1"):
        read_keypoints(write({"instance_info": [{"frame_id": 0, "instances": [good]}]}))
    with pytest.raises(FormatError, match="found no people in any of its 1 MMPose frames"):
        read_keypoints(write([{"frame_id": 0, "instances": []}]))


# Ultralytics labels


def read_labels(write, **files: str):
    """Keypoints of a folder of txt files by stem."""
    for stem, text in files.items():
        path = write(text, f"labels/{stem}.txt")
    return read_keypoints(path.parent, image_size=SIZE)


def test_labels_with_tracks_and_confidence(write):
    for ends in (((7,), (9,)), ((0.91, 7), (0.3, 9))):
        a, b = (label_row(pose(x=x), *end) for x, end in zip((100, 400), ends, strict=True))
        keypoints = read_labels(write, clip_1=f"{a}\n{b}\n", clip_12=f"{b}\n")
        assert keypoints.track_ids.tolist() == [7, 9]
        assert keypoints.frame_numbers.tolist() == [0, 11]
        assert keypoints.dense().present.tolist() == [[True, True], [False, True]]
        np.testing.assert_allclose(keypoints.dense().xy[1, 1], pose(x=400)[:, :2], atol=1e-5)


def test_labels_without_tracks_are_linked(write):
    keypoints = read_labels(write, clip_1=label_row(pose(), 0.91), clip_2=label_row(pose(x=103), 1))
    assert keypoints.track_ids.tolist() == [1]
    assert keypoints.dense().present.all()


def test_labels_without_visibility(write):
    normalised = pose()[:, :2] / SIZE
    normalised[NOSE] = 0
    row = " ".join(map(str, (0, 0.5, 0.5, 0.1, 0.1, *normalised.ravel())))
    keypoints = read_labels(write, a_1=row)
    assert keypoints.confidence[0].tolist() == [0.0 if j == NOSE else 1.0 for j in range(len(COCO17))]


def test_manual_labels_have_visibility_2(write):
    person = pose(confidence=2.0)
    person[NOSE, 2] = 0
    assert sorted(set(read_labels(write, a_1=label_row(person)).confidence.ravel())) == [0, 1]


def test_frame_numbers_of_labels(write, tmp_path):
    """Ultralytics counts the frames of a video from 1; names with leading zeros are the user's own."""
    row = label_row(pose())
    assert read_labels(write, frame_0003=row, frame_0004="", frame_0005=row).frame_numbers.tolist() == [3, 4, 5]
    single = read_keypoints(tmp_path / "labels" / "frame_0003.txt", image_size=SIZE)
    assert single.frame_numbers.tolist() == [3]
    assert holds_keypoints(tmp_path / "labels" / "frame_0003.txt")


def test_other_text_files_next_to_labels_are_ignored(write, tmp_path):
    write("person\n", "labels/classes.txt")
    assert read_labels(write, a_1=label_row(pose())).frame_numbers.tolist() == [0]
    write("notes", "notes/readme.txt")
    with pytest.raises(FormatError, match=r"expected keypoints .* 0 JSON files and 1 txt files"):
        read_keypoints(tmp_path / "notes", image_size=SIZE)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (label_row(pose())[:-40], "line 1: expected 56 values .* found 5[0-5]$"),
        (label_row(pose(), 0.5, 1, 1), "line 1: expected 56 values .* or 39 .* found 59$"),
        (label_row(pose()) + "\n0 0.5 0.5 0.1 0.1\n", "line 2: .* found 5$"),  # a box without joints
        (label_row(pose()).rsplit(" ", 1)[0] + " one", "line 1: expected numbers"),
        (label_row(pose()).rsplit(" ", 2)[0] + " nan 0.5", "line 1, joint right_ankle"),
        (label_row(pose(), 0.5, 1.5), "line 1: expected a whole number as the track"),
        (label_row(pose(), 0.5, 1e300), r"line 1: expected a whole number as the track at the end, found 1e\+300"),
        (label_row(pose() * (*SIZE, 1)), "are they pixels"),
        (label_row(pose()) + "\n" + label_row(pose(), 0.9, 3), "1 of 2 people have a track id"),
    ],
)
def test_label_errors(write, text, match):
    with pytest.raises(FormatError, match=match):
        read_labels(write, clip_1=text)


# VideoPose3D


def save_videopose(folder: Path, positions: Any, metadata: Any) -> Path:
    np.savez(
        folder / "data_2d.npz",
        positions_2d=np.array(positions, dtype=object),
        metadata=np.array(metadata, dtype=object),
    )
    return folder / "data_2d.npz"


def motion(x: float, frames: int = 3) -> np.ndarray:
    return np.stack([pose(H36M17, x + t)[:, :2] for t in range(frames)]).astype(np.float32)


def three_takes(folder: Path) -> Path:
    takes = {"S9": {"Walking 1": [motion(100), motion(200)]}, "S11": {"Eating": [motion(300, 5)]}}
    return save_videopose(folder, takes, {"layout_name": "h36m", "num_joints": 17})


@pytest.mark.parametrize(
    ("part", "x", "frames"), [("S9/Walking 1/0", 100, 3), ("S9/Walking 1/1", 200, 3), ("S11", 300, 5), ("S11/", 300, 5)]
)
def test_videopose_takes_by_name(tmp_path, part, x, frames):
    path = Path(f"{three_takes(tmp_path)}:{part}")
    keypoints = read_keypoints(path)
    assert holds_keypoints(path)
    assert (keypoints.skeleton, keypoints.track_ids.tolist()) == (H36M17, [1])
    np.testing.assert_array_equal(keypoints.xy, motion(x, frames))
    assert (keypoints.confidence == 1).all()


@pytest.mark.parametrize(
    ("part", "match"),
    [
        ("", "contains 3 motions; name one as FILE:subject/action/camera, out of 'S9/Walking 1/0', .*'S11/Eating/0'"),
        (":S9", "contains 2 motions.*of 'S9/Walking 1/0', 'S9/Walking 1/1'$"),
        (":S9/Walking", "has no motion 'S9/Walking'; name one.*'S11/Eating/0'"),
        (":S9/Walking 1/2", "has no motion"),
    ],
)
def test_videopose_errors_list_the_motions(tmp_path, part, match):
    with pytest.raises(FormatError, match=match):
        read_keypoints(f"{three_takes(tmp_path)}{part}")


def test_videopose_of_a_video(tmp_path):
    metadata = {"layout_name": "coco", "video_metadata": {"clip.mp4": {"w": 640, "h": 480}}}
    values = motion(100)
    values[1] = np.nan
    keypoints = read_keypoints(save_videopose(tmp_path, {"clip.mp4": {"custom": [values]}}, metadata))
    assert keypoints.image_sizes == (SIZE,)
    assert keypoints.dense().present[:, 0].tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("positions", "metadata", "match"),
    [
        ({"S1": {"A": [motion(1)[:, :16]]}}, {"layout_name": "coco"}, r"S1/A/0: .*\(t, 17, 2\), found .*\(3, 16, 2\)"),
        ({"S1": {"A": [motion(1)]}}, {"layout_name": "humaneva15"}, "h36m or coco, found the text 'humaneva15'"),
        ({"S1": {"A": [motion(1)]}}, {}, "layout_name h36m or coco, found none"),
        ({"S1": [motion(1)]}, {"layout_name": "coco"}, r"expected positions_2d\[subject\]\[action\]"),
        ({"S1": {"A": 3}}, {"layout_name": "coco"}, "S1/A: expected a list with an array per camera, found int"),
        ({}, {"layout_name": "coco"}, "contains 0 motions|has no motion"),
        ({"S1": {"A": [motion(np.inf)]}}, {"layout_name": "coco"}, "S1/A/0, frame 0, joint nose: x inf"),
    ],
)
def test_videopose_errors(tmp_path, positions, metadata, match):
    with pytest.raises(FormatError, match=match):
        read_keypoints(save_videopose(tmp_path, positions, metadata))


class _Harmful:
    def __reduce__(self):
        return print, ("executed",)


def test_videopose_executes_nothing(tmp_path, capsys):
    path = save_videopose(tmp_path, {"S1": {"A": [_Harmful()]}}, {"layout_name": "coco"})
    with pytest.raises(FormatError, match=r"refused \(it refers to builtins.print\)"):
        read_keypoints(path)
    assert capsys.readouterr().out == ""
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(FormatError, match="npz"):
        read_keypoints(path)


def test_a_part_of_another_format_is_refused(write):
    path = write({"instance_info": [{"frame_id": 1, "instances": [mmpose_instance(pose())]}]})
    with pytest.raises(FormatError, match="contains only one clip, found ':S1' after its name"):
        read_keypoints(f"{path}:S1")
    with pytest.raises(FormatError, match="has no pictures whose names fit 'S1'"):
        read_keypoints(f"{write([{'image_id': 0, 'keypoints': flat(pose())}])}:S1")


# MediaPipe


def test_mediapipe_json_npz_and_objects_agree(write, tmp_path):
    frames = [landmarks(pose(BLAZEPOSE33, x)) for x in (100, 120)]
    lists = [frames[0].tolist(), [], frames[1].tolist(), None]
    keys = ("x", "y", "z", "visibility")
    objects = [[dict(zip(keys, row, strict=True)) for row in frame] if frame else frame for frame in lists]
    absent = np.full_like(frames[0], np.nan)
    np.savez(tmp_path / "clip.npz", landmarks=np.stack([frames[0], absent, frames[1], absent]))
    for path in (write(lists, "a"), write(objects, "b"), write({"landmarks": lists}, "c"), tmp_path / "clip.npz"):
        keypoints = read_keypoints(path, image_size=SIZE)
        assert keypoints.frame_numbers.tolist() == [0, 1, 2, 3]
        assert keypoints.dense().present[:, 0].tolist() == [True, False, True, False]
        np.testing.assert_allclose(keypoints.dense().xy[2, 0], pose(BLAZEPOSE33, 120)[:, :2], atol=1e-9)


def test_mediapipe_centre_of_the_picture(write):
    """The normalised point (0.5, 0.5) lies between the middle pixels: 319.5, 239.5 of 640 x 480."""
    keypoints = read_keypoints(write([[[0.5, 0.5, 0.0, 1.0]] * 33]), image_size=SIZE)
    assert keypoints.xy[0, NOSE].tolist() == [319.5, 239.5]


def test_mediapipe_errors(write, tmp_path):
    good = landmarks(pose(BLAZEPOSE33)).tolist()
    cases = {
        r"frame 1: expected 33 \(blazepose-33\) values, found 32": [good, good[:32]],
        "frame 0, landmark 2: expected 4 values .* found 3": [[*good[:2], good[2][:3], *good[3:]]],
        "frame 0, landmark 2: contains a number that is not finite": [[*good[:2], [float("nan")] * 4, *good[3:]]],
        "frame 0, landmark 2: expected a list.*found the text": [[*good[:2], "x", *good[3:]]],
        "frame 0, joint nose.*confidence 1.5": [[[0.1, 0.1, 0.0, 1.5], *good[1:]]],
        "frame 1: expected a list, found the number": [good, 3],
    }
    for match, document in cases.items():
        with pytest.raises(FormatError, match=match):
            read_keypoints(write(document), image_size=SIZE)
    np.savez(tmp_path / "clip.npz", landmarks=np.zeros((3, 33, 3)))
    with pytest.raises(FormatError, match=r"landmarks: expected numbers of shape \(t, 33, 4\), found.*\(3, 33, 3\)"):
        read_keypoints(tmp_path / "clip.npz", image_size=SIZE)


# JSON lines


def as_lines(*rows: Any) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def row(frame: int, *people: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"frame": frame, "people": list(people), **fields}


def person(x: float = 100.0, **fields: Any) -> dict[str, Any]:
    return {"keypoints": flat(pose(x=x)), **fields}


def test_lines_with_everything(write):
    head = {"joints": "coco-17", "image_size": [640, 480], "fps": 25}
    text = as_lines(
        row(3, person(id=4), time_s=0.5, **head), row(5, time_s=0.75), row(9, person(110, id=4), time_s=1.0)
    )
    keypoints = read_keypoints(write(text))
    assert (keypoints.frame_numbers.tolist(), keypoints.track_ids.tolist()) == ([3, 5, 9], [4])
    assert (keypoints.image_sizes, keypoints.fps) == ((SIZE,), 25)
    assert keypoints.times_s is not None and keypoints.times_s.tolist() == [0.5, 0.75, 1.0]
    assert keypoints.dense().present[:, 0].tolist() == [True, False, True]


def test_lines_from_standard_input(monkeypatch):
    text = as_lines(row(0, person()), row(1, person(105)))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert holds_keypoints(Path("-"))
    assert read_keypoints("-").track_ids.tolist() == [1]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    with pytest.raises(FormatError, match="standard input: not valid JSON"):
        read_keypoints("-")


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (as_lines(row(0, person()), row(0, person())), "frame numbers that increase .* found 0 out of order"),
        (as_lines(row(0, person())) + '{"frame": 1, "peo', "line 2: not valid JSON"),
        (as_lines(row(0, person()), [1]), "line 2: expected an object with 'frame'"),
        (as_lines(row(0, person()), {"frame": 1}), "line 2: expected an object with 'people'"),
        (
            as_lines(row(0, person()), row(1, {"keypoints": [1.0] * 50})),
            r"line 2 \(frame 1\), person 0.* found 50",
        ),
        (as_lines(row(0, person(id=1)), row(1, person())), "1 of 2 people have a track id"),
        (
            as_lines(row(0, person(), time_s=0.0), row(1, person())),
            "line 2, time_s: expected a finite.*null",
        ),
        (as_lines(row(0, person(), joints="coco-99")), "line 1: .*coco-99"),
        (as_lines(row(0, person(), image_size=[640])), "line 1, image_size: expected"),
        (as_lines(row(0, person(), fps=0)), "line 1, fps: expected a number above 0"),
        (as_lines(row(0)), "found no people in any of its 1 lines"),
    ],
)
def test_line_errors(write, text, match):
    with pytest.raises(FormatError, match=match):
        read_keypoints(write(text))
