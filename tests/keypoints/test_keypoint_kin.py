"""JSON of many tools with the same person gives the same keypoints, and what cannot be known is said."""

from __future__ import annotations

import json

import numpy as np
import pytest
from keypoint_cases import SIZE, coco_entry, flat, landmarks, openpose_frame, pose
from keypoint_kin import RIGHT, normalised_documents, people, pixel_documents

from zedo_core.errors import FormatError
from zedo_core.keypoints import holds_keypoints, read_keypoints
from zedo_core.skeleton import BLAZEPOSE33, COCO17, COCO18, H36M17

PIXELS, NORMALISED = pixel_documents(), normalised_documents()
FIRST = {"ids of text and numbers": 1}  # the first frame, if it is not 0
TRACKS = {"ultralytics frames": [7], "poseflow": [4], "ids of text and numbers": [7],
          "alphapose by person, then frame": [3, 4]}  # fmt: skip


@pytest.mark.parametrize("name", PIXELS)
def test_every_notation_of_pixels_gives_the_same_person(write, name):
    document, skeleton = PIXELS[name]
    path = write(document)
    assert holds_keypoints(path)
    keypoints = read_keypoints(path)
    assert keypoints.skeleton == skeleton
    first = FIRST.get(name, 0)
    assert keypoints.frame_numbers.tolist() == [first, first + 1, first + 2]
    if name in TRACKS:
        assert keypoints.track_ids.tolist() == TRACKS[name]
    rows = keypoints.take(keypoints.track == keypoints.track_ids[0])
    np.testing.assert_allclose(rows.xy, [p[:, :2] for p in people(skeleton)], atol=1e-9)
    assert (rows.confidence == 0.5).all()
    others = 2 if "then frame" in name else 1
    assert len(keypoints) == 3 * others and len(keypoints.track_ids) == others


@pytest.mark.parametrize("name", NORMALISED)
def test_every_notation_of_landmarks_gives_the_same_person(write, name):
    stated = name == "size in the file"
    path = write(NORMALISED[name])
    if not stated:
        with pytest.raises(FormatError, match=r"normalised coordinates.*give --image-size"):
            read_keypoints(path)
    keypoints = read_keypoints(path, image_size=None if stated else SIZE)
    assert keypoints.skeleton == BLAZEPOSE33 and keypoints.image_sizes == (SIZE,)
    assert keypoints.frame_numbers.tolist() == (list(range(5)) if name == "with null" else [0, 1, 2])
    np.testing.assert_allclose(keypoints.xy, [p[:, :2] for p in people(BLAZEPOSE33)], atol=1e-9)
    unknown = name in ("tasks without visibility", "no visibility", "visibility 0 everywhere", "rows of three")
    assert (keypoints.confidence == (1.0 if unknown and name != "rows of three" else keypoints.confidence)).all()


def test_a_third_value_of_landmarks_is_no_confidence(write):
    """[x, y, z] of MediaPipe: z is -0.1 everywhere, all of which would be missing joints."""
    keypoints = read_keypoints(write(NORMALISED["rows of three"]), image_size=SIZE)
    assert (keypoints.confidence == 1).all()


@pytest.mark.parametrize("name", ["ultralytics frames", "mmpose lists", "vitpose", "tensorflow.js lists"])
def test_a_folder_has_a_picture_in_each_file(write, name):
    """Numbered by the names of the files; a file without people is a frame."""
    for t, frame in zip((3, 4, 6), PIXELS[name][0], strict=True):
        path = write(frame, f"frames/clip_{t:04}.json")
    write([], "frames/clip_0005.json")
    keypoints = read_keypoints(path.parent)
    assert keypoints.frame_numbers.tolist() == [3, 4, 5, 6]
    assert keypoints.dense().present[:, 0].tolist() == [True, True, False, True]
    np.testing.assert_array_equal(keypoints.xy[2], people()[2][:, :2])


def test_several_people_of_one_picture(write):
    frame = [PIXELS["ultralytics frames"][0][0][0] | {"track_id": i} for i in (5, 9)]
    frame[1]["keypoints"] = {"x": [900.0 + i for i in range(17)], "y": [5.0 * i for i in range(17)]}
    keypoints = read_keypoints(write(frame))
    assert keypoints.track_ids.tolist() == [5, 9] and keypoints.frame_numbers.tolist() == [0]
    assert keypoints.xy[1, 3].tolist() == [903.0, 15.0] and (keypoints.confidence[1] == 1).all()


# What is not there


def test_missing_joints_have_many_marks(write):
    """A score of 0 or below, a place of (0, 0), of (-1, -1), or null."""
    person = pose()
    person[0, 2], person[1, 2] = 0.0, -0.3
    person[2, :2], person[3, :2] = 0.0, -1.0
    rows = person.tolist()
    rows[4] = [None, None, None]
    keypoints = read_keypoints(write([{"frame_id": 3, "keypoints": rows}]))
    assert (keypoints.confidence[0] > 0).tolist() == [False] * 5 + [True] * 12
    assert keypoints.frame_numbers.tolist() == [3]
    flat_file = read_keypoints(write([coco_entry(0) | {"keypoints": flat(np.where(person == 0, -1.0, person))}]))
    assert (flat_file.confidence[0] > 0).sum() == 13 or (flat_file.confidence[0, [0, 1, 2, 3]] == 0).all()


def test_confidences_of_0_everywhere_say_nothing(write, caplog):
    """The keypoints of a COCO file that was written without visibility, in two of its forms."""
    entry = coco_entry(0, pose() * [1, 1, 0])
    for document in ([entry], {"annotations": [{"frame_id": 0, "keypoints": entry["keypoints"]}]}):
        caplog.clear()
        keypoints = read_keypoints(write(document))
        assert (keypoints.confidence == 1).all() and "all confidences are 0" in caplog.text
        np.testing.assert_array_equal(keypoints.xy[0], pose()[:, :2])


def test_normalised_openpose_is_not_taken_for_pixels(write):
    """OpenPose with --keypoint_scale 3; it was read as a person of one pixel before."""
    person = pose(COCO18)
    frame = openpose_frame(person / [*SIZE, 1])
    with pytest.raises(FormatError, match="normalised coordinates"):
        read_keypoints(write(frame))
    np.testing.assert_allclose(read_keypoints(write(frame), image_size=SIZE).xy[0], person[:, :2])
    centred = openpose_frame((person / [*SIZE, 1] - [0.3, 0.3, 0]) * [2, 2, 1])
    with pytest.raises(FormatError, match=r"expected pixels, or coordinates from 0 to 1, found -0\."):
        read_keypoints(write(centred), image_size=SIZE)


def test_places_in_space_are_not_taken_for_confidences(write):
    person = np.column_stack([pose()[:, :2], np.linspace(100, 900, 17)])
    with pytest.raises(FormatError, match=r"expected a confidence as the third value.*900; are these places in space"):
        read_keypoints(write([{"frame_id": 0, "keypoints": person.tolist()}]))


def test_another_order_of_17_joints_is_said(write, caplog):
    document, _ = PIXELS["human3.6m order"]
    read_keypoints(write(document))
    assert "its 17 joints are not those of coco-17 but of h36m-17" in caplog.text
    assert read_keypoints(write(document), skeleton="coco-17").skeleton == COCO17


def test_unknown_numbers_of_joints_need_the_joint_set(write, tmp_path):
    document = [{"frame_id": 0, "keypoints": pose()[:14].tolist()}]
    with pytest.raises(FormatError, match="found 14; give their joint set by --skeleton"):
        read_keypoints(write(document))
    assert read_keypoints(write(document), skeleton="lsp-14").skeleton.name == "lsp-14"
    with pytest.raises(FormatError, match="expected the 17 joints of coco-17, found 14"):
        read_keypoints(write(document), skeleton="coco-17")
    with pytest.raises(FormatError, match="expected the 26 joints of halpe-26, found 17"):
        read_keypoints(write([coco_entry(0)]), skeleton="halpe-26")


def test_joints_of_no_person_are_named(write):
    names = ["snout", "leftear", "rightear", "tailbase", "spine1"]
    document = {
        "keypoint_names": names,
        "frames": [{"frame": 0, "keypoints": [[10.0 * i, 50.0, 0.9] for i in range(5)]}],
    }
    with pytest.raises(FormatError, match=r"expected the joints of a person .*found 'snout', 'leftear'.*--skeleton"):
        read_keypoints(write(document))


def test_people_without_frames_are_said_to_be_of_one_picture(write, caplog):
    keypoints = read_keypoints(write([{"keypoints": p.tolist()} for p in people()]))
    assert keypoints.frame_numbers.tolist() == [0] and len(keypoints) == 3
    assert "3 people without frame numbers are read as those of one picture" in caplog.text


def test_ids_that_only_some_have_are_left_out(write, caplog):
    document = [{"frame_id": t, "keypoints": flat(p)} | ({"track_id": 4} if t else {}) for t, p in enumerate(people())]
    assert read_keypoints(write(document)).track_ids.tolist() == [1]
    assert "1 of 3 people have no track id" in caplog.text


def test_names_of_people_become_numbers_and_are_told(write, caplog):
    document = [{"frame_id": t, "keypoints": flat(p), "track_id": "Anna"} for t, p in enumerate(people())]
    assert read_keypoints(write(document)).track_ids.tolist() == [1]
    assert "1 is 'Anna'" in caplog.text


def test_ids_of_entries_are_no_tracks(write):
    """`id` counts the annotations; the three entries are one person."""
    document = {"annotations": [{"id": 10 + t, "frame_id": t, "keypoints": flat(p)} for t, p in enumerate(people())]}
    assert read_keypoints(write(document)).track_ids.tolist() == [1]


def test_clips_under_several_keys_are_named(write):
    document = {
        "cam_left": [{"frame_id": 0, "keypoints": flat(pose())}],
        "right": [{"frame_id": 0, "keypoints": flat(pose(x=300))}],
    }
    path = write(document)
    with pytest.raises(FormatError, match="holds people under cam_left, right; name one as FILE:cam_left"):
        read_keypoints(path)
    assert read_keypoints(f"{path}:right").xy[0, 0].tolist() == pose(x=300)[0, :2].tolist()


def test_entries_under_frames_or_with_times_are_frames(write):
    """Not the people of one picture."""
    for key, extra in (("frames", {}), ("results", {"timestamp": 0.1})):
        entries = [{"keypoints": p.tolist()} | {k: v * t for k, v in extra.items()} for t, p in enumerate(people())]
        keypoints = read_keypoints(write({"fps": 30, key: entries}))
        assert keypoints.frame_numbers.tolist() == [0, 1, 2] and keypoints.track_ids.tolist() == [1]
        assert keypoints.fps == 30


def test_cameras_in_one_file_are_no_people(write):
    frames = {str(t): [{"keypoints": flat(p)}] for t, p in enumerate(people())}
    path = write({"cam1": frames, "cam2": frames})
    with pytest.raises(FormatError, match="holds people under cam1, cam2; name one as FILE:cam1"):
        read_keypoints(path)
    assert read_keypoints(f"{path}:cam2").frame_numbers.tolist() == [0, 1, 2]


def test_flat_lists_without_confidence(write):
    entries = [
        {"image_id": t, "category_id": 1, "keypoints": p[:, :2].ravel().tolist()} for t, p in enumerate(people())
    ]
    keypoints = read_keypoints(write(entries))
    np.testing.assert_array_equal(keypoints.xy, [p[:, :2] for p in people()])
    assert (keypoints.confidence == 1).all()


@pytest.mark.parametrize("key", ["frame", "image_id"])
def test_lines_of_json_of_other_tools(write, key):
    text = "\n".join(json.dumps({key: t, "predictions": [{"keypoints": p.tolist()}]}) for t, p in enumerate(people()))
    keypoints = read_keypoints(write(text))
    assert keypoints.frame_numbers.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(keypoints.xy, [p[:, :2] for p in people()])


def test_frames_by_number_with_people_by_number(write, caplog):
    document = {str(t): {str(i): {"keypoints": flat(p + i * RIGHT)} for i in (1, 2)} for t, p in enumerate(people())}
    keypoints = read_keypoints(write(document))
    assert keypoints.frame_numbers.tolist() == [0, 1, 2] and keypoints.track_ids.tolist() == [1, 2]
    assert "are read as frame, then person" in caplog.text


# COCO data sets


def coco_dataset(names=("f_000003.png", "f_000001.png", "f_000002.png"), **category) -> dict:
    order = np.array([2, 0, 1])  # pictures are not in the order of their names
    images = [{"id": 50 + i, "file_name": name, "width": 640, "height": 480} for i, name in enumerate(names)]
    annotations = [
        {
            "id": 9 - i,
            "image_id": 50 + i,
            "category_id": 1,
            "iscrowd": 0,
            "keypoints": flat(people()[order[i]] * [1, 1, 4]),
        }
        for i in range(3)
    ]
    person = {"id": 1, "name": "person", "keypoints": list(COCO17.joints), "skeleton": [[1, 2]] * 9}
    return {"images": images, "annotations": annotations, "categories": [person | category]}


def test_coco_data_set(write):
    document = coco_dataset()
    document["images"].append({"id": 99, "file_name": "f_000009.png", "width": 640, "height": 480})
    keypoints = read_keypoints(write(document))
    assert keypoints.skeleton == COCO17 and keypoints.image_sizes == (SIZE,)
    assert keypoints.frame_numbers.tolist() == [1, 2, 3, 9] and keypoints.track_ids.tolist() == [1]
    np.testing.assert_array_equal(keypoints.xy, [p[:, :2] for p in people()])
    assert (keypoints.confidence == 1).all()  # visibility 2


def test_coco_data_set_with_joints_by_name_and_sizes_per_picture(write):
    """Joints in the order of their names, in a category of fewer joints; pictures of two sizes; tracks of CVAT."""
    used = [0, 5, 6, 11, 12, 13, 14, 15, 16, 7, 8]
    document = coco_dataset(keypoints=[COCO17.joints[i].title().replace("_", " ") for i in used])
    document["images"][0] |= {"width": 800}
    for annotation in document["annotations"]:
        person = np.array(annotation["keypoints"]).reshape(17, 3)[used]
        annotation |= {"keypoints": flat(person), "attributes": {"track_id": 6}}
    keypoints = read_keypoints(write(document))
    assert keypoints.image_sizes == (SIZE, SIZE, (800, 480)) and keypoints.track_ids.tolist() == [6]
    np.testing.assert_array_equal(keypoints.xy[:, used], [p[used, :2] for p in people()])
    rest = [i for i in range(17) if i not in used]
    assert (keypoints.confidence[:, rest] == 0).all()


# Two cameras


@pytest.mark.parametrize(
    ("names", "stem", "pattern"),
    [
        (["cam01.{:04}.json", "cam02.{:04}.json"], r"cam01\.\*", "cam02"),
        (["left_{}.json", "right_{}.json"], r"left_\*", "right_*"),
        (["{:06}_A.json", "{:06}_B.json"], r"\*_A", "*_B.json"),
        (["take3_c1_{:03}_keypoints.json", "take3_c2_{:03}_keypoints.json"], r"take3_c1_\*_keypoints", "take3_c2"),
    ],
)
def test_two_cameras_in_one_folder_are_named(write, names, stem, pattern):
    for i, name in enumerate(names):
        for t in range(3):
            path = write(openpose_frame(pose(COCO18, 100 + 500 * i + t)), f"both/{name.format(t + 1)}")
    with pytest.raises(FormatError, match=rf"several with the same numbers: {stem} \(3\).*name one, as '.*both:"):
        read_keypoints(path.parent)
    one = read_keypoints(f"{path.parent}:{pattern}")
    assert holds_keypoints(path.parent.with_name(f"both:{pattern}"))
    np.testing.assert_array_equal(one.xy, [pose(COCO18, 600 + t)[:, :2] for t in range(3)])
    assert one.frame_numbers.tolist() == [1, 2, 3]


def test_pictures_of_two_cameras_in_one_file_are_named(write):
    entries = [coco_entry(f"cam{i}/{t:03}.jpg", pose(x=100 + 500 * i)) for i in (1, 2) for t in range(3)]
    path = write(entries)
    with pytest.raises(FormatError, match=r"several with the same numbers: cam1/\* \(3\), cam2/\* \(3\)"):
        read_keypoints(path)
    assert (read_keypoints(f"{path}:cam2").xy[:, 0, 0] == pose(x=1100)[0, 0]).all()


def test_one_camera_with_numbers_in_its_name_is_one_sequence(write):
    """A date, a time in milliseconds with seconds, and a number that does not change."""
    for names in (["2023_01_02_f{:03}.json"], ["c2_{:05}_of_300.json"]):
        folder = names[0][:4]
        for t in range(4):
            path = write(openpose_frame(pose(COCO18, 100 + t)), f"{folder}/{names[0].format(t)}")
        assert read_keypoints(path.parent).frame_numbers.tolist() == [0, 1, 2, 3]
    for second, ms in ((1, 0), (1, 333), (1, 667), (2, 1), (2, 333), (2, 668)):
        path = write(openpose_frame(pose(COCO18)), f"times/12_00_{second:02}_{ms:03}.json")
    assert len(read_keypoints(path.parent).frame_numbers) == 6


# Files given as examples


@pytest.mark.parametrize(
    ("name", "frames", "size"),
    [
        ("annotations_frameid.json", 12, None),
        ("coco_annotations.json", 12, (1088, 1920)),
        ("mm_image_demo.json", 1, None),
        ("mm_negative.json", 12, None),
        ("mm_python_predictions.json", 1, None),
        ("mm_video_133.json", 12, None),
        ("p2s_coco17", 12, None),
        ("p2s_halpe26", 12, None),
        ("res_nested.json", 12, None),
        ("ultra_tojson.json", 1, None),
        ("ultra_tojson_frames.json", 12, None),
        ("mp_novis.json", 12, (1088, 1920)),
        ("mp_tasks.json", 12, (1088, 1920)),
    ],
)
def test_given_files(shared, name, frames, size):
    path = shared / "cases/keypoints" / name
    if not path.exists():
        pytest.skip("the cases are not there")
    blaze = name.startswith("mp_")
    keypoints = read_keypoints(path, image_size=size if blaze else None)
    assert (
        len(keypoints.frame_numbers) == frames
        and len(keypoints) == frames
        and keypoints.image_sizes == (size and (size,))
    )
    knee = keypoints.skeleton.index("left_knee")
    assert keypoints.xy[0, knee] == pytest.approx((547.444, 1055.033), abs=0.5 if blaze else 1e-9)


def test_h36m_names_do_not_become_coco(write):
    """MMPose's models for Human3.6M have 17 joints as well."""
    meta = {"dataset_name": "h36m", "keypoint_id2name": dict(enumerate((
        "root", "right_hip", "right_knee", "right_foot", "left_hip", "left_knee", "left_foot", "spine", "thorax",
        "neck_base", "head", "left_shoulder", "left_elbow", "left_wrist", "right_shoulder", "right_elbow",
        "right_wrist",
    )))}  # fmt: skip
    person = pose(H36M17)
    instance = {"keypoints": person[:, :2].tolist(), "keypoint_scores": [0.5] * 17}
    keypoints = read_keypoints(write({"meta_info": meta, "instance_info": [{"frame_id": 1, "instances": [instance]}]}))
    assert keypoints.frame_numbers.tolist() == [0]
    for joint in ("left_hip", "right_knee", "left_wrist", "right_shoulder"):
        np.testing.assert_array_equal(keypoints.xy[0, keypoints.skeleton.index(joint)], person[H36M17.index(joint), :2])


def test_landmarks_in_pixels(write):
    """MediaPipe's landmarks that somebody multiplied by the size of the picture."""
    person = landmarks(pose(BLAZEPOSE33)) * [*SIZE, 1, 1]
    keypoints = read_keypoints(write([person.tolist()]), image_size=SIZE)
    np.testing.assert_allclose(keypoints.xy[0], person[:, :2])


def test_the_command_takes_one_sequence_of_a_folder(write):
    """`FOLDER:PATTERN` is no pattern of inputs."""
    from zedo_core.pipeline.batch import expand

    path = write(openpose_frame(pose(COCO18)), "both/cam1_0.json").parent
    name = path.with_name("both:cam1_*")
    assert expand([name]) == (name,)
