"""Keypoint files: every format reads back, junk is refused in one line, people who were not tracked are linked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zedo_core.errors import FormatError, InputError, OutputError, ZedoError
from zedo_core.keypoints import formats, read_keypoints, write_keypoints
from zedo_core.keypoints.linking import MAX_GAP, distances, link
from zedo_core.skeleton import BODY25, BODY25B, COCO17, COCO18, HALPE26, SKELETONS, Skeleton
from zedo_core.types import Keypoints

JUNK_VALUES = [None, "1", True, [], [1.0], {}, -1.0, 1e300, float("nan"), float("inf"), 10**400]


def pose(skeleton: Skeleton = COCO17, x: float = 100.0, confidence: float = 0.5) -> np.ndarray:
    """A person (j, 3) whose every joint has its own place, some 30 px from its parent."""
    steps = np.random.default_rng(0).uniform(10, 30, size=(len(skeleton), 2)).round(3)
    xy = np.array([x, 50.0]) + steps
    for joint in range(len(skeleton)):
        link = joint
        while (link := skeleton.parents[link]) >= 0:
            xy[joint] += steps[link]
    return np.column_stack([xy, np.full(len(skeleton), confidence)])


def flat(person: np.ndarray) -> list[float]:
    return person.ravel().tolist()


def coco_entry(image_id: Any, person: np.ndarray | None = None, **fields: Any) -> dict[str, Any]:
    person = pose() if person is None else person
    return {"image_id": image_id, "category_id": 1, "keypoints": flat(person), "score": 1.0, **fields}


def openpose_frame(*people: np.ndarray) -> dict[str, Any]:
    found = [{"person_id": [-1], "pose_keypoints_2d": flat(person), "face_keypoints_2d": []} for person in people]
    return {"version": 1.3, "people": found}


def two_frames() -> Keypoints:
    values = np.stack([pose(), pose(x=110)])[:, None]
    return Keypoints(
        xy=values[..., :2],
        confidence=values[..., 2],
        skeleton=COCO17,
        frame_numbers=np.array([0, 1]),
        track_ids=np.array([1]),
    )


@pytest.fixture
def write(tmp_path):
    """Write JSON (or text as it is) to a file and give its path."""

    def write(content: Any, name: str = "clip.json") -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return path

    return write


# Per format the same two frames of one COCO or OpenPose person, written by hand.


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


SAMPLES = {"coco": _coco, "openpose": _openpose, "npz": _npz, "results": _results}


@pytest.mark.parametrize("name", sorted(formats()))
def test_every_format_keeps_the_contract(name, tmp_path):
    assert name in SAMPLES, f"write a sample of the format '{name}' into this test"
    assert formats()[name].FORM
    keypoints = read_keypoints(SAMPLES[name](tmp_path))
    skeleton = BODY25 if name == "openpose" else COCO17
    assert keypoints.skeleton == skeleton
    np.testing.assert_allclose(keypoints.xy[:, 0], [pose(skeleton)[:, :2], pose(skeleton, 110)[:, :2]], atol=1e-9)
    assert keypoints.frame_numbers.tolist() == [0, 1]
    assert keypoints.track_ids.tolist() == [1]
    assert (keypoints.confidence == 0.5).all()


@pytest.mark.parametrize("name", sorted(formats()))
def test_only_one_format_reads_a_source(name, tmp_path):
    from zedo_core.keypoints._source import open_source

    source = open_source(SAMPLES[name](tmp_path))
    assert [other for other, form in formats().items() if form.reads(source)] == [name]


@pytest.mark.parametrize("name", sorted(formats()))
def test_size_and_rate_are_added(name, tmp_path):
    path = SAMPLES[name](tmp_path)
    keypoints = read_keypoints(path, image_size=(640, 480), fps=25.0)
    assert keypoints.image_sizes == ((640, 480),)
    assert keypoints.fps == 25
    with pytest.raises(InputError, match="expected an image size"):
        read_keypoints(path, image_size=(0, 480))
    for fps in (0.0, float("nan")):
        with pytest.raises(InputError, match="expected a frame rate"):
            read_keypoints(path, fps=fps)


# COCO and AlphaPose


def test_halpe_is_told_by_its_length(write):
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
    assert keypoints.present.all()


def test_of_two_with_one_track_the_more_confident_stays(write, caplog):
    weak, strong = coco_entry(0, pose(confidence=0.2), idx=1), coco_entry(0, pose(x=500, confidence=0.9), idx=1)
    for entries in ([weak, strong], [strong, weak]):
        assert (read_keypoints(write(entries)).confidence == 0.9).all()
    assert "1 people share frame and track" in caplog.text


def test_box_without_a_pose_is_an_absent_person(write):
    keypoints = read_keypoints(write([coco_entry(0), coco_entry(1, pose() * 0), coco_entry(2)]))
    assert keypoints.frame_numbers.tolist() == [0, 1, 2]
    assert keypoints.present[:, 0].tolist() == [True, False, True]


def test_coco_errors_name_the_entry(write):
    cases = {
        "entry 1, image_id.*null": [coco_entry(0), coco_entry(None)],
        "entry 1.*51": [coco_entry(0), coco_entry(1) | {"keypoints": [1.0] * 50}],
        r"entry 0.*54 values, expected 51 \(coco-17\) or 78 \(halpe-26\)": [coco_entry(0) | {"keypoints": [1.0] * 54}],
        "entry 1.*image_id.*the number 3": [coco_entry(0), 3],
        "1 of 2 people": [coco_entry(0, idx=1), coco_entry(1)],
        "entry 0.*idx.*list of 2": [coco_entry(0, idx=[1, 2])],
        "frame 5.*left_eye.*confidence -1": [coco_entry(5) | {"keypoints": [*flat(pose())[:5], -1, *flat(pose())[6:]]}],
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
        ".v_12_keypoints.json": "hidden, and no JSON",
        "notes.txt": "no JSON",
    }.items():
        write(frame, f"frames/{name}")
    keypoints = read_keypoints(tmp_path / "frames")
    assert keypoints.skeleton == COCO18
    assert keypoints.frame_numbers.tolist() == [2, 10, 11]
    assert keypoints.present[:, 0].tolist() == [True, False, True]


def test_openpose_single_file(write):
    assert read_keypoints(write(openpose_frame(pose(BODY25)), "v_7_keypoints.json")).frame_numbers.tolist() == [7]


def test_openpose_missing_joint(write):
    person = pose(BODY25)
    person[BODY25.index("left_knee")] = 0
    keypoints = read_keypoints(write(openpose_frame(person)))
    missing = keypoints.confidence[0, 0] == 0
    assert [joint for joint, gone in zip(BODY25.joints, missing, strict=True) if gone] == ["left_knee"]


@pytest.mark.parametrize(
    ("frame", "match"),
    [
        ({"people": [{"pose_keypoints_2d": [1.0] * 60}]}, r"person 0: has 60 values, expected 75 \(body-25\) or 54"),
        ({"people": [{}]}, "person 0: expected an object with 'pose_keypoints_2d'"),
        ({"people": None}, "people: expected a list, found null"),
        ({"people": [{"pose_keypoints_2d": ["1"] * 75}]}, "expected a list of numbers, found the text '1'"),
        ({"people": []}, "nobody"),
        ("{", "not valid JSON"),
    ],
)
def test_openpose_errors(write, frame, match):
    with pytest.raises(FormatError, match=match):
        read_keypoints(write(frame, "frames/v_1_keypoints.json").parent)


def test_real_openpose_folder(shared):
    keypoints = read_keypoints(shared / "assets/videos/balance/cam03_openpose", image_size=(1088, 1920))
    assert keypoints.skeleton == BODY25B  # 25 joints as in BODY_25, in another order
    assert keypoints.xy.shape == (100, 1, 25, 2)
    assert keypoints.present.all()
    assert keypoints.frame_numbers.tolist() == list(range(100))
    np.testing.assert_array_equal(keypoints.xy[0, 0, BODY25B.index("nose")], (568.281, 526.287))
    assert keypoints.confidence[0, 0, BODY25B.index("right_eye")] == 0


# npz


def save_npz(folder: Path, **arrays: Any) -> Path:
    defaults = {"keypoints": np.stack([pose(), pose(x=110)]), "joints": "coco-17"}
    entries = {name: value for name, value in (defaults | arrays).items() if value is not None}
    np.savez(folder / "clip.npz", allow_pickle=True, **entries)
    return folder / "clip.npz"


def test_npz_with_everything(tmp_path):
    values = np.stack([pose(HALPE26), pose(HALPE26, 500)])[None].repeat(3, axis=0).astype(np.float32)
    path = save_npz(
        tmp_path,
        keypoints=values,
        joints="Halpe26",
        image_size=(640, 480),
        fps=30,
        frame_numbers=[2, 4, 9],
        track_ids=[8, 3],
        times_s=[0.0, 0.1, 0.2],
        K=np.eye(3),
    )
    keypoints = read_keypoints(path)
    np.testing.assert_array_equal(keypoints.xy, values[..., :2])
    assert (keypoints.skeleton, keypoints.image_sizes, keypoints.fps) == (HALPE26, ((640, 480),), 30.0)
    assert (keypoints.frame_numbers.tolist(), keypoints.track_ids.tolist()) == ([2, 4, 9], [8, 3])
    assert keypoints.times_s is not None and keypoints.times_s.tolist() == [0.0, 0.1, 0.2]


def test_npz_missing_joint_may_be_nan(tmp_path):
    values = np.stack([pose(), pose()])
    values[1, COCO17.index("left_ear")] = np.nan, np.nan, 0
    keypoints = read_keypoints(save_npz(tmp_path, keypoints=values))
    assert keypoints.xy[1, 0, COCO17.index("left_ear")].tolist() == [0, 0]
    values[1, COCO17.index("left_ear"), 2] = 0.5
    with pytest.raises(FormatError, match="frame 1, person 1, joint left_ear"):
        read_keypoints(save_npz(tmp_path, keypoints=values))


@pytest.mark.parametrize(
    ("arrays", "match"),
    [
        ({"joints": None}, "'joints'"),
        ({"joints": "coco-99"}, "coco-99.*expected one of"),
        ({"joints": 17}, "'joints'"),
        ({"joints": "halpe-26"}, r"expected \(t, 26, 3\)"),
        ({"keypoints": np.zeros(3)}, "keypoints: expected numbers with 3 axes"),
        ({"keypoints": np.full((2, 17, 3), "1")}, "keypoints: expected numbers"),
        ({"keypoints": np.full((2, 17, 3), None)}, "not a readable npz"),
        ({"keypoints": np.full((2, 17, 3), 2.0)}, "frame 0, person 1, joint nose.*confidence 2"),
        ({"image_size": (640, 0)}, "image_size"),
        ({"image_size": (640, 480, 3)}, "image_size"),
        ({"image_size": [(1, 2)] * 3}, "1 or 2 image sizes, got 3"),
        ({"fps": -1}, "fps"),
        ({"fps": np.nan}, "fps"),
        ({"fps": "30"}, "fps"),
        ({"frame_numbers": [1, 1]}, "grow"),
        ({"frame_numbers": [1]}, "frame_numbers: expected 2"),
        ({"track_ids": [1.5]}, "whole numbers"),
        ({"times_s": [0.0]}, "2 frame times"),
    ],
)
def test_npz_errors(tmp_path, arrays, match):
    with pytest.raises(FormatError, match=match):
        read_keypoints(save_npz(tmp_path, **arrays))


def test_damaged_npz_leads_to_keypoints_or_one_line(tmp_path):
    content, rng = save_npz(tmp_path).read_bytes(), np.random.default_rng(0)
    refused = 0
    for _ in range(200):
        damaged = bytearray(content)
        for place in rng.integers(len(damaged), size=3):
            damaged[place] = rng.integers(256)
        (tmp_path / "clip.npz").write_bytes(damaged[: rng.integers(len(damaged) // 2, 2 * len(damaged))])
        try:
            read_keypoints(tmp_path / "clip.npz")
        except FormatError:
            refused += 1
    assert refused > 100


# zedo's own JSON


def random_keypoints(rng: np.random.Generator, t: int, p: int, skeleton: Skeleton, known: bool) -> Keypoints:
    """Keypoints with gaps, with values of 3 decimals as they stand in the file."""
    confidence = rng.random((t, p, len(skeleton))).round(3) * (rng.random((t, p, 1)) > 0.3)
    xy = rng.uniform(-100, 4000, (t, p, len(skeleton), 2)).round(3) * (confidence[..., None] > 0)
    return Keypoints(
        xy=xy,
        confidence=confidence,
        skeleton=skeleton,
        frame_numbers=np.cumsum(rng.integers(1, 5, t)),
        track_ids=rng.permutation(20)[:p],
        image_sizes=((640, 480),) * int(rng.choice([1, max(t, 1)])) if known else None,
        fps=29.97 if known else None,
        times_s=rng.random(t) if known and t else None,
    )


@given(
    seed=st.integers(0, 2**32 - 1),
    t=st.integers(0, 4),
    p=st.integers(0, 3),
    skeleton=st.sampled_from(list(SKELETONS.values())),
    known=st.booleans(),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_results_round_trip_exactly(tmp_path, seed, t, p, skeleton, known):
    keypoints = random_keypoints(np.random.default_rng(seed), t, p, skeleton, known)
    write_keypoints(keypoints, tmp_path / "keypoints.json")
    found = read_keypoints(tmp_path / "keypoints.json")
    for name in ("xy", "confidence", "frame_numbers", "track_ids", "times_s"):
        np.testing.assert_array_equal(getattr(found, name), getattr(keypoints, name), err_msg=name)
    for name in ("skeleton", "image_sizes", "fps"):
        assert getattr(found, name) == getattr(keypoints, name)


def test_results_cannot_be_written_into_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        write_keypoints(two_frames(), tmp_path / "file" / "keypoints.json")


@pytest.mark.parametrize("junk", JUNK_VALUES, ids=lambda value: str(value)[:8])
def test_junk_anywhere_is_refused_or_harmless(write, tmp_path, junk):
    """Junk in every place of every JSON format in turn leads to FormatError or to keypoints."""
    write_keypoints(two_frames(), tmp_path / "own.json")
    own = json.loads((tmp_path / "own.json").read_text())
    refused = 0
    for document in ([coco_entry(0, idx=1), coco_entry("1", idx=1)], openpose_frame(pose(BODY25)), own):
        for path in _places(document):
            try:
                read_keypoints(write(_with(document, path, junk)))
            except FormatError:
                refused += 1
    assert refused > 20


def _places(value: Any, path: tuple = ()) -> list[tuple]:
    """Every place in a nested JSON value, of long lists only the first."""
    entries = list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if type(value) is list else []
    return [path] + [place for key, entry in entries[:9] for place in _places(entry, (*path, key))]


def _with(document: Any, path: tuple, value: Any) -> Any:
    if not path:
        return value
    copy = document.copy()
    copy[path[0]] = _with(document[path[0]], path[1:], value)
    return copy


# What is no file of keypoints

KEYS = ["image_id", "keypoints", "idx", "people", "pose_keypoints_2d", "format", "joints", "frames", "track_ids"]
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=4), inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(KEYS),
            inner | st.just([1.0] * 51) | st.just([0.5] * 75) | st.just("zedo-keypoints-1"),
            max_size=6,
        )
    ),
    max_leaves=12,
)


@given(document=JSON_VALUES)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_arbitrary_json_leads_to_keypoints_or_one_line(write, document):
    try:
        assert isinstance(read_keypoints(write(document)), Keypoints)
    except ZedoError as error:
        assert "\n" not in str(error) and "clip.json" in str(error)


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe", b"PK\x03\x04", b"[" * 100_000, b"1" * 10_000, b'"\\ud800"', b"\x93NUMPY", b"[]", b"{}", b"NaN"],
    ids=lambda content: str(content[:6]),
)
def test_what_is_no_keypoints_is_refused(tmp_path, content):
    (tmp_path / "clip.json").write_bytes(content)
    with pytest.raises(FormatError, match=r"clip\.json"):
        read_keypoints(tmp_path / "clip.json")


def test_unknown_form_says_what_was_found_and_what_is_known(write, tmp_path):
    with pytest.raises(
        FormatError,
        match=r"a list of 1.*an object with the keys 'a', 'b', expected.*COCO.*npz.*OpenPose.*zedo-keypoints-1",
    ):
        read_keypoints(write([{"a": 1, "b": 2}]))
    with pytest.raises(FormatError, match="no such file"):
        read_keypoints(tmp_path / "nothing.json")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FormatError, match="a folder with 0 JSON files"):
        read_keypoints(tmp_path / "empty")


def test_newer_version_is_named(write):
    with pytest.raises(FormatError, match=r"zedo-keypoints-9.*update"):
        read_keypoints(write({"format": "zedo-keypoints-9"}))


def test_many_tracks_in_many_frames_are_refused_before_memory_is(write):
    person = {"track": 0, "keypoints": flat(pose())}
    document = {
        "format": "zedo-keypoints-1",
        "joints": "coco-17",
        "track_ids": list(range(20_000)),
        "frames": [{"frame": i, "people": [person]} for i in range(1000)],
    }
    with pytest.raises(FormatError, match="do not fit the memory"):
        read_keypoints(write(document))


# Linking


def test_linking_follows_two_people_who_pass_each_other():
    """Two people walk towards each other, swap sides, and are listed in changing order."""
    left, right = (
        [pose(x=100 + 20 * t) for t in range(21)],
        [pose(x=500 - 20 * t) + np.array([0, 90, 0]) for t in range(21)],
    )
    frames = [[a, b] if t % 3 else [b, a] for t, (a, b) in enumerate(zip(left, right, strict=True))]
    tracks = link(frames, range(21))
    assert all(ids == ([2, 1] if t % 3 else [1, 2]) for t, ids in enumerate(tracks))


@pytest.mark.parametrize(("gap", "same"), [(1, True), (MAX_GAP, True), (MAX_GAP + 1, False)])
def test_track_ends_after_a_long_gap(gap, same):
    assert (link([[pose()], [pose()]], [10, 10 + gap]) == [[1], [1]]) is same


def test_far_people_are_new_tracks():
    assert link([[pose()], [pose(x=1000)], []], [0, 1, 2]) == [[1], [2], []]


def test_distance_uses_the_joints_that_both_show():
    seen, other = pose(), pose(x=1000)
    other[COCO17.index("nose")] = seen[COCO17.index("nose")]
    seen[:, 2] = 0
    seen[COCO17.index("nose"), 2] = 1
    assert distances(seen, other[None]).tolist() == [0]
    other[COCO17.index("nose"), 2] = 0
    assert distances(seen, other[None]).tolist() == [np.inf]
