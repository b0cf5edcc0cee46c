"""Detection by a real YOLO pose model on ultralytics' own photographs, and the arithmetic of tracks without one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zedo_core.detection import (
    BACKENDS,
    DetectedFrame,
    Detections,
    Detector,
    TrackIds,
    as_keypoints,
    follow,
    load_detector,
)
from zedo_core.detection.tracking import noise_tracks
from zedo_core.detection.ultralytics import UltralyticsDetector
from zedo_core.errors import InputError, MissingExtraError, WeightsError
from zedo_core.skeleton import COCO17
from zedo_core.types import Frame, Keypoints

BLACK = Frame(image=np.zeros((64, 64, 3), np.uint8), number=0, time_s=0.0)


@pytest.fixture(scope="session")
def detector(shared: Path) -> Detector:
    return load_detector(shared / "assets" / "weights" / "yolov8n-pose-dequantised.pt")


@pytest.fixture(scope="session")
def bus() -> Frame:
    package = find_spec("ultralytics")  # found, not imported: only the detector imports it
    assert package is not None and package.origin is not None
    with Image.open(Path(package.origin).parent / "assets" / "bus.jpg") as picture:
        return Frame(image=np.array(picture.convert("RGB")), number=0, time_s=0.0, name="bus.jpg")


def moved(frame: Frame, number: int, right_px: int) -> Frame:
    return replace(frame, image=np.roll(frame.image, right_px, axis=1), number=number, time_s=number / 10)


def tracked(
    detector: Detector,
    frames: Iterable[Frame],
    tracker: str = "bytetrack",
    fps: float | None = None,
    on_frame: Callable[[Frame], None] = lambda frame: None,
) -> Keypoints:
    """The people of frames, detected and followed."""

    def detected() -> Iterator[DetectedFrame]:
        for frame in frames:
            yield DetectedFrame.from_frame(frame, detector.detect(frame))
            on_frame(frame)

    return follow(detected(), detector.skeleton, tracker, fps=fps)


def read(path: Path) -> Detections:
    """What the detector in a file finds in a black picture: it is read for that."""
    return load_detector(path).detect(BLACK)


def people(*x: float) -> np.ndarray:
    """Joints (n, 17, 3) of people at these places, each 48 x 64 px large: 80 px over the diagonal."""
    corners = np.array([[0.0, 0.0, 0.5], [48.0, 64.0, 0.5]])
    inside = np.random.default_rng(0).uniform((0, 0, 0.5), (48, 64, 0.5), (15, 3))
    body = np.vstack([corners, inside])
    return np.array([body + np.array([left, 0, 0]) for left in x]).reshape(-1, 17, 3)


def detected(number: int, *x: float, confidence: float = 0.9) -> DetectedFrame:
    """A frame with people at these places, in boxes of 60 x 80 px."""
    boxes = np.array([[left - 6, -8.0, left + 54, 72.0] for left in x]).reshape(-1, 4)
    found = Detections(boxes=boxes, confidence=np.full(len(x), confidence), joints=people(*x))
    return DetectedFrame(number=number, time_s=number / 10, size=(640, 480), detections=found)


class TestPhotograph:
    def test_finds_people_largest_first(self, detector: Detector, bus: Frame) -> None:
        found = tracked(detector, [bus], "off")
        assert found.skeleton == COCO17
        assert found.image_sizes == ((810, 1080),)
        assert 3 <= len(found.track_ids) <= 4
        heights = np.ptp(found.xy[..., 1], axis=-1)
        assert heights[0] == heights.max()

    def test_joints_lie_where_the_person_stands(self, detector: Detector, bus: Frame) -> None:
        """The man on the left: his nose above his hips above his ankles, in x of 50 to 250 px."""
        found = tracked(detector, [bus], "off")
        person = next(p for p in found.xy if 50 < p[:, 0].mean() < 200)
        y = [person[COCO17.index(joint), 1] for joint in ("nose", "left_hip", "left_ankle")]
        assert y == sorted(y)
        assert 400 < y[0] < 490 and 800 < y[2] < 900

    def test_colours_are_given_as_the_model_wants_them(self, detector: Detector, bus: Frame) -> None:
        """RGB taken for BGR still finds people, less surely."""
        swapped = replace(bus, image=np.ascontiguousarray(bus.image[..., ::-1]))
        right, wrong = (tracked(detector, [frame], "off").confidence.mean() for frame in (bus, swapped))
        assert right != wrong

    def test_nobody_gives_no_tracks(self, detector: Detector, bus: Frame) -> None:
        found = tracked(detector, [replace(bus, image=np.zeros((240, 320, 3), np.uint8))], "off")
        assert found.xy.shape == (0, 17, 2) and found.frame_numbers.tolist() == [0]

    def test_no_frame_is_refused(self, detector: Detector) -> None:
        with pytest.raises(InputError, match="at least one frame"):
            tracked(detector, [])


class TestTracking:
    def test_ids_stay_and_frames_stream(self, detector: Detector, bus: Frame) -> None:
        seen: list[int] = []
        frames = (moved(bus, number, 6 * number) for number in range(5))
        found = tracked(detector, frames, fps=10.0, on_frame=lambda frame: seen.append(frame.number))
        assert seen == [0, 1, 2, 3, 4]
        assert found.track_ids.tolist() == list(range(len(found.track_ids)))
        dense = found.dense()
        always = dense.present.all(0)
        assert always.sum() >= 3
        way_px = (dense.xy[-1, always] - dense.xy[0, always])[..., 0]
        assert np.median(way_px) == pytest.approx(24, abs=6)  # joints of a small network jitter by a few pixels
        assert found.times_s is not None and found.fps == 10.0

    def test_unknown_trackers(self, detector: Detector, bus: Frame) -> None:
        with pytest.raises(InputError, match="bytetrack, botsort, off, got 'sort'"):
            tracked(detector, [bus], "sort")

    def test_a_tracker_that_follows_the_camera(self, detector: Detector, bus: Frame) -> None:
        """The picture jumps by half a person each frame: boxes alone lose people whom the picture's motion explains."""
        frames = [moved(bus, number, 60 * number) for number in range(5)]
        found = tracked(detector, frames, "botsort", fps=10.0)
        assert found.dense().present.all(0).sum() >= 2

    def test_a_second_clip_starts_anew(self, detector: Detector, bus: Frame) -> None:
        first, second = (tracked(detector, [bus, moved(bus, 1, 4)]) for _ in range(2))
        np.testing.assert_array_equal(first.xy, second.xy)
        np.testing.assert_array_equal(first.track, second.track)

    def test_a_person_is_there_in_the_first_frame_they_show(self, detector: Detector, bus: Frame) -> None:
        """ByteTrack confirms a new track in its second frame only."""
        empty = replace(bus, image=np.zeros_like(bus.image))
        found = tracked(detector, [empty, replace(bus, number=1)])
        assert len(found.at(1)) >= 3

    def test_people_of_a_real_clip_keep_their_ids(self, detector: Detector, shared: Path) -> None:
        import av

        with av.open(str(shared / "assets" / "videos" / "two_people" / "demo.mp4")) as video:
            pictures = [picture.to_ndarray(format="rgb24") for picture in video.decode(video=0)][60:120:6]
        frames = [Frame(image=image, number=i, time_s=i / 5) for i, image in enumerate(pictures)]
        found = tracked(detector, frames, fps=5.0)
        assert found.dense().present.all() and len(found.track_ids) == 2


class TestWeights:
    @pytest.mark.parametrize("name", BACKENDS)
    def test_every_backend_keeps_the_contract(self, name: str, tmp_path: Path) -> None:
        backend = import_module(f"zedo_core.detection.{name}")
        assert backend.FORM and not backend.reads(tmp_path)
        with pytest.raises(WeightsError, match=f"expected .*{re.escape(backend.FORM)}.*, got another folder"):
            load_detector(tmp_path)

    def test_it_is_read_when_it_is_first_asked(self, shared: Path, tmp_path: Path) -> None:
        path = tmp_path / "person.pt"
        path.write_bytes((shared / "assets" / "weights" / "yolov8n-pose-dequantised.pt").read_bytes())
        found = load_detector(path)
        assert isinstance(found, Detector) and (found.path, found.skeleton) == (path, COCO17)
        path.write_bytes(b"no model at all")
        with pytest.raises(WeightsError, match="expected a YOLO pose model"):
            found.detect(BLACK)

    def test_missing(self, tmp_path: Path) -> None:
        with pytest.raises(WeightsError, match="no such file"):
            load_detector(tmp_path / "yolov8n-pose.pt")

    def test_garbage(self, tmp_path: Path) -> None:
        path = tmp_path / "detector.pt"
        path.write_bytes(b"no model at all")
        with pytest.raises(WeightsError, match="expected a YOLO pose model"):
            read(path)

    def test_other_suffix(self, tmp_path: Path) -> None:
        path = tmp_path / "yolo.yaml"
        path.write_text("nc: 1\n")
        with pytest.raises(WeightsError, match=r"ends in '\.yaml'"):
            load_detector(path)

    def test_pickle_that_runs_code_is_refused(self, tmp_path: Path) -> None:
        import torch

        path, trace = tmp_path / "evil.pt", tmp_path / "trace"
        torch.save({"model": _Evil(str(trace))}, path)
        with pytest.raises(WeightsError):
            read(path)
        assert not trace.exists()

    def test_detector_without_joints_is_refused(self, detector: Detector, tmp_path: Path) -> None:
        """A model that finds boxes only, made from ultralytics' own description of one."""
        make = "import sys; from ultralytics import YOLO; YOLO('yolov8n.yaml').save(sys.argv[1])"
        path = tmp_path / "boxes.pt"
        quiet = {"YOLO_OFFLINE": "1", "YOLO_AUTOINSTALL": "0", "YOLO_VERBOSE": "0"}
        subprocess.run([sys.executable, "-c", make, str(path)], check=True, env=os.environ | quiet, capture_output=True)
        with pytest.raises(WeightsError, match="task 'detect'"):
            read(path)

    @pytest.mark.parametrize("name", ["model.engine", "model.torchscript", "a_folder"])
    def test_forms_that_are_not_taken(self, tmp_path: Path, name: str) -> None:
        (tmp_path / name).mkdir() if name == "a_folder" else (tmp_path / name).write_bytes(b"model")
        with pytest.raises(WeightsError, match=r"expected a YOLO pose model \(\.pt, \.onnx or a folder"):
            load_detector(tmp_path / name)

    def test_functions_of_other_packages_stay_as_they_were(self, detector: Detector) -> None:
        """ultralytics replaces `PIL.Image.open` for the whole process, and then opening a video as a picture fails."""
        assert Image.open.__module__ == "PIL.Image"


@pytest.fixture(scope="session")
def exported(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model as ONNX and OpenVINO, for pictures of 320 px, by ultralytics itself in a process of its own."""
    for package in ("onnx", "onnxruntime", "openvino"):
        pytest.importorskip(package)
    folder = tmp_path_factory.mktemp("exported")
    (folder / "person.pt").write_bytes((shared / "assets" / "weights" / "yolov8n-pose-dequantised.pt").read_bytes())
    make = "import sys; from ultralytics import YOLO\n"
    make += "for form, options in (('onnx', {'simplify': False}), ('openvino', {})):\n"
    make += "    YOLO(sys.argv[1]).export(format=form, imgsz=320, **options)"
    quiet = {"YOLO_OFFLINE": "1", "YOLO_AUTOINSTALL": "0", "YOLO_VERBOSE": "0"}
    command = [sys.executable, "-W", "ignore", "-c", make, str(folder / "person.pt")]
    subprocess.run(command, check=True, env=os.environ | quiet, capture_output=True)
    return folder


class TestExported:
    @pytest.mark.parametrize("name", ["person.onnx", "person_openvino_model"])
    def test_it_finds_whom_the_model_finds(self, exported: Path, name: str, detector: Detector, bus: Frame) -> None:
        found, wanted = (
            load_detector(exported / name).detect(bus),
            UltralyticsDetector(detector.path, image_px=320).detect(bus),
        )
        sure = wanted.joints[:2, :, 2] > 0.5  # the two men in the middle; others stand at the rim
        apart_px = np.linalg.norm(found.joints[:2, :, :2] - wanted.joints[:2, :, :2], axis=-1)[sure]
        assert sure.sum() > 20 and np.median(apart_px) < 3  # the letterbox pads the fixed size otherwise

    @pytest.mark.parametrize(
        ("name", "package"), [("person.onnx", "onnxruntime"), ("person_openvino_model", "openvino")]
    )
    def test_a_missing_runtime_is_told_not_installed(
        self, exported: Path, name: str, package: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
        with pytest.raises(MissingExtraError, match=rf"expected the package {package}.*pip install 'zedo\["):
            read(exported / name)

    def test_onnx_that_is_no_pose_model(self, tmp_path: Path) -> None:
        onnx = pytest.importorskip("onnx")
        pytest.importorskip("onnxruntime")
        value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
        node = onnx.helper.make_node("Identity", ["x"], ["y"])
        out = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
        for task in (None, "detect"):
            model = onnx.helper.make_model(onnx.helper.make_graph([node], "g", [value], [out]))
            if task:
                onnx.helper.set_model_props(model, {"task": task})
            onnx.save(model, str(tmp_path / "a.onnx"))
            with pytest.raises(WeightsError, match=rf"a\.onnx: expected a YOLO pose model.*got task '{task}'"):
                read(tmp_path / "a.onnx")

    def test_damaged_files(self, exported: Path, tmp_path: Path) -> None:
        whole = (exported / "person.onnx").read_bytes()
        (tmp_path / "cut.onnx").write_bytes(whole[: len(whole) // 2])
        (tmp_path / "empty_openvino_model").mkdir()
        for name in ("cut.onnx", "empty_openvino_model"):
            with pytest.raises(WeightsError, match="expected a YOLO pose model") as caught:
                read(tmp_path / name)
            assert "\n" not in str(caught.value)


LISTENING = """
import sys
heard = []
NETWORK = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "urllib.Request")
PROCESS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn")
def listen(event, arguments):
    if event in NETWORK or (event in PROCESS and any(word in str(arguments) for word in ("pip", "uv "))):
        heard.append(event)
sys.addaudithook(listen)
from dataclasses import replace
import numpy as np
from PIL import Image
from zedo_core.types import Frame
from zedo_core.detection import DetectedFrame, follow, load_detector
from zedo_core.errors import ZedoError
frame = Frame(image=np.array(Image.open(sys.argv[1]).convert("RGB")), number=0, time_s=0.0)
for path in sys.argv[2:]:
    try:
        detector = load_detector(path)
        detected = [DetectedFrame.from_frame(one, detector.detect(one)) for one in (frame, replace(frame, number=1))]
    except ZedoError:
        continue
    for tracker in ("bytetrack", "botsort", "off"):
        follow(detected, detector.skeleton, tracker)
import time; time.sleep(1)  # what threads would send
print(*heard)
"""


class TestAlone:
    """What ultralytics does on its own: looking up hosts, analytics, downloads, installing packages."""

    @staticmethod
    def heard(shared: Path, tmp_path: Path, *others: Path, **environment: str) -> list[str]:
        """Network and installers used by a process that detects, heard by the interpreter's own audit."""
        package = find_spec("ultralytics")
        assert package is not None and package.origin is not None
        picture = Path(package.origin).parent / "assets" / "zidane.jpg"
        weights = shared / "assets" / "weights" / "yolov8n-pose-dequantised.pt"
        names = ("YOLO_", "ULTRALYTICS_", "PYTEST_")  # it is silent in tests by itself
        clean = {name: value for name, value in os.environ.items() if not name.startswith(names)}
        environment = clean | {"ZEDO_HOME": str(tmp_path)} | environment
        command = [sys.executable, "-c", LISTENING, str(picture), str(weights), *map(str, others)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    def test_it_is_off(self, shared: Path, tmp_path: Path, exported: Path) -> None:
        others = [exported / "person.onnx", exported / "person_openvino_model", tmp_path / "yolov8n-pose.pt"]
        assert self.heard(shared, tmp_path / "home", *others) == []

    def test_it_would_be_heard(self, shared: Path, tmp_path: Path) -> None:
        """The same with the user's leave."""
        assert "socket.getaddrinfo" in self.heard(shared, tmp_path, YOLO_OFFLINE="0")

    def test_it_is_off_where_it_was_imported_before(self, shared: Path, tmp_path: Path) -> None:
        code = "import sys, ultralytics.utils as u, ultralytics.utils.events as e; e.events.enabled = True\n"
        code += "import numpy; from zedo_core.types import Frame; from zedo_core.detection import load_detector\n"
        code += "black = Frame(image=numpy.zeros((64, 64, 3), numpy.uint8), number=0, time_s=0.0)\n"
        code += "load_detector(sys.argv[1]).detect(black)\n"
        code += "from ultralytics.utils import checks; print(e.events.enabled, checks.AUTOINSTALL, u.SETTINGS['sync'])"
        weights = shared / "assets" / "weights" / "yolov8n-pose-dequantised.pt"
        quiet = {"YOLO_CONFIG_DIR": str(tmp_path), "ZEDO_HOME": str(tmp_path), "YOLO_OFFLINE": "1"}
        clean = {name: value for name, value in os.environ.items() if name != "YOLO_AUTOINSTALL"}
        done = subprocess.run(
            [sys.executable, "-c", code, str(weights)], env=clean | quiet, capture_output=True, text=True, check=True
        )
        assert done.stdout.split()[-3:] == ["False", "False", "False"]


class _Evil:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (self.path,)


class TestTracks:
    def test_a_broken_track_goes_on(self) -> None:
        """Boxes of a person who moves by half their size do not overlap enough for the tracker."""
        found = follow([detected(0, 0), detected(1, 10), detected(4, 60)], COCO17, "bytetrack", fps=10.0)
        assert found.track.tolist() == [0, 0, 0]

    @pytest.mark.parametrize(
        "other", [detected(29, 60), detected(12, 500), detected(12, 10, 60)], ids=["late", "far", "same frame"]
    )
    def test_another_person_stays_another(self, other: DetectedFrame) -> None:
        found = follow([detected(10, 0), detected(11, 10), other], COCO17, "bytetrack", fps=10.0)
        assert found.track_ids.tolist() == [0, 1]
        assert found.frame[found.track == 1].tolist() == [2]

    def test_short_unsure_tracks_are_noise(self) -> None:
        track, confidence = np.array([1] * 20 + [2, 3]), np.array([0.9] * 20 + [0.3, 0.8])
        assert noise_tracks(track, confidence, 20).tolist() == [2]
        assert noise_tracks(track, confidence, 10).tolist() == []
        clip = [detected(number, 0) for number in range(20)]
        clip[3] = replace(clip[3], detections=detected(3, 0, 300, confidence=0.3).detections)
        clip[4] = replace(clip[4], detections=detected(4, 0, 600, confidence=0.8).detections)
        found = follow(clip, COCO17, "bytetrack", fps=10.0)
        assert [rows.stop - rows.start for _, rows in found.tracks] == [20, 1] and found.frame[-1] == 4

    def test_a_second_find_of_one_person_is_left_out(self) -> None:
        joints = np.random.default_rng(0).uniform(0, 100, (17, 3))
        boxes = np.array([[0, 0, 60, 80], [0, 0, 60, 50], [300, 0, 360, 80.0]])
        everybody = Detections(
            boxes=boxes, confidence=np.array([0.9, 0.8, 0.7]), joints=np.stack([joints, joints + 2, joints + 300])
        )
        assert everybody.without_doubles().confidence.tolist() == [0.9, 0.7]

    def test_ids_follow_the_order_of_appearance(self) -> None:
        found = follow([detected(0, 500), detected(1, 500), detected(2, 0)], COCO17, "bytetrack", fps=10.0)
        assert found.dense().present.tolist() == [[True, False], [True, False], [False, True]]

    def test_without_a_tracker_the_largest_comes_first(self) -> None:
        small, large = detected(0, 0).detections, detected(0, 300, 600).detections
        boxes = np.concatenate([small.boxes, large.boxes + np.array([[0, 0, 20, 20], [0, 0, 10, 10]])])
        found = Detections(boxes=boxes, confidence=np.array([0.9, 0.8, 0.2]), joints=people(0, 300, 600))
        frames = [replace(detected(number), detections=found) for number in range(2)]
        both = follow(frames, COCO17, "off")
        assert both.track.tolist() == [0, 0, 1, 1]  # one is not sure enough
        assert both.xy[:, 0, 0].tolist() == [300, 300, 0, 0]

    def test_what_is_no_joint_becomes_zero(self) -> None:
        joints = np.tile([3.0, 4.0, 0.5], (1, 17, 1))
        joints[0, 0], joints[0, 1, 0], joints[0, 2, 2] = (0, 0, 0), np.nan, 1.0 + 1e-6
        frame = detected(0, 0)
        found = as_keypoints([replace(frame, detections=replace(frame.detections, joints=joints))], [0], COCO17, None)
        assert np.isfinite(found.xy).all() and found.confidence[0, :3].tolist() == [0.0, 0.0, 1.0]
        assert not found.xy[0, :2].any()

    def test_who_shows_no_joint_has_no_row(self) -> None:
        frame = detected(0, 0, 300)
        joints = frame.detections.joints * np.array([1.0, 0.0])[:, None, None]
        found = as_keypoints(
            [replace(frame, detections=replace(frame.detections, joints=joints))], [5, 3], COCO17, None
        )
        assert found.track.tolist() == [5]


class TestIds:
    """Ids of people whom a tracker has numbered, some 80 px large, with a memory of one second."""

    def test_a_broken_track_goes_on(self) -> None:
        ids = TrackIds(1.0)
        assert ids(0.0, people(0, 300), [7, 8]) == [0, 1]
        assert ids(0.4, people(45, 310), [9, 8]) == [0, 1]
        assert ids(0.8, people(320, 50, 600), [8, 9, 12]) == [1, 0, 2]

    @pytest.mark.parametrize(("x", "time_s"), [(60.0, 0.4), (10.0, 1.5)], ids=["far", "late"])
    def test_another_person_is_another(self, x: float, time_s: float) -> None:
        ids = TrackIds(1.0)
        ids(0.0, people(0), [7])
        assert ids(time_s, people(x), [9]) == [1]

    def test_nobody_is_there_twice(self) -> None:
        """The nearer one goes on, though both are near; nobody takes the id of who is still there."""
        ids = TrackIds(1.0)
        ids(0.0, people(0), [7])
        assert ids(0.1, people(30, 10), [8, 9]) == [1, 0]
        assert ids(0.2, people(10, 12), [9, 10])[0] == 0

    def test_interleaved_pieces_become_one(self) -> None:
        ids = TrackIds(2)
        assert {ids(frame, people(5 * frame), [frame % 3])[0] for frame in range(9)} == {0}

    @pytest.mark.parametrize("turned", [False, True])
    def test_tracks_that_meet_after_all_are_two(self, turned: bool) -> None:
        """The one that was taken for a broken track's other end begins anew, whatever the order in the frame."""
        ids, order = TrackIds(1.0), slice(None, None, -1 if turned else 1)
        assert ids(0.0, people(0), [1]) == [0]
        assert ids(0.1, people(20), [2]) == [0]
        assert ids(0.2, people(0, 25)[order], [1, 2][order]) == [0, 1][order]
        assert ids(0.3, people(0, 30)[order], [1, 2][order]) == [0, 1][order]
        assert (ids.of(1), ids.of(2)) == (0, 1)
