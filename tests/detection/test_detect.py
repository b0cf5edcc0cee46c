"""Detection by a real YOLO pose model on ultralytics' own photographs, and the arithmetic of tracks without one."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zedo_core.detection.tracking import Names, Sighting, as_arrays, drop_noise, join_broken, without_doubles
from zedo_core.detection.ultralytics import Detector, load_detector
from zedo_core.errors import InputError, MissingExtraError, WeightsError
from zedo_core.skeleton import COCO17
from zedo_core.types import Frame


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


def sighting(frame: int, track: int, x: float = 0.0, confidence: float = 0.9) -> Sighting:
    box = np.array([x, 0.0, x + 60.0, 80.0])
    return Sighting(frame=frame, track=track, confidence=confidence, box=box, joints=np.full((17, 3), 0.5))


class TestPhotograph:
    def test_finds_people_largest_first(self, detector: Detector, bus: Frame) -> None:
        found = detector.detect([bus], tracker="off")
        assert found.skeleton == COCO17
        assert found.image_sizes == ((810, 1080),)
        assert 3 <= len(found.track_ids) <= 4
        heights = np.ptp(found.xy[0, :, :, 1], axis=-1)
        assert heights[0] == heights.max()

    def test_joints_lie_where_the_person_stands(self, detector: Detector, bus: Frame) -> None:
        """The man on the left: his nose above his hips above his ankles, in x of 50 to 250 px."""
        found = detector.detect([bus], tracker="off")
        person = next(p for p in found.xy[0] if 50 < p[:, 0].mean() < 200)
        y = [person[COCO17.index(joint), 1] for joint in ("nose", "left_hip", "left_ankle")]
        assert y == sorted(y)
        assert 400 < y[0] < 490 and 800 < y[2] < 900

    def test_colours_are_given_as_the_model_wants_them(self, detector: Detector, bus: Frame) -> None:
        """RGB taken for BGR still finds people, less surely."""
        swapped = replace(bus, image=np.ascontiguousarray(bus.image[..., ::-1]))
        right, wrong = (detector.detect([frame], tracker="off").confidence.mean() for frame in (bus, swapped))
        assert right != wrong

    def test_nobody_gives_no_tracks(self, detector: Detector, bus: Frame) -> None:
        found = detector.detect([replace(bus, image=np.zeros((240, 320, 3), np.uint8))], tracker="off")
        assert found.xy.shape == (1, 0, 17, 2)

    def test_no_frame_is_refused(self, detector: Detector) -> None:
        with pytest.raises(InputError, match="at least one frame"):
            detector.detect([])


class TestTracking:
    def test_ids_stay_and_frames_stream(self, detector: Detector, bus: Frame) -> None:
        seen: list[int] = []
        frames = (moved(bus, number, 6 * number) for number in range(5))
        found = detector.detect(frames, fps=10.0, on_frame=lambda frame: seen.append(frame.number))
        assert seen == [0, 1, 2, 3, 4]
        assert found.track_ids.tolist() == list(range(len(found.track_ids)))
        always = found.present.all(0)
        assert always.sum() >= 3
        way_px = (found.xy[-1, always] - found.xy[0, always])[..., 0]
        assert np.median(way_px) == pytest.approx(24, abs=6)  # joints of a small network jitter by a few pixels
        assert found.times_s is not None and found.fps == 10.0

    def test_unknown_trackers(self, detector: Detector, bus: Frame) -> None:
        with pytest.raises(InputError, match="bytetrack, botsort, off, got 'sort'"):
            detector.detect([bus], tracker="sort")

    def test_a_tracker_that_follows_the_camera(self, detector: Detector, bus: Frame) -> None:
        """The picture jumps by half a person each frame: boxes alone lose people whom the picture's motion explains."""
        frames = [moved(bus, number, 60 * number) for number in range(5)]
        found = detector.detect(frames, tracker="botsort", fps=10.0)
        assert found.present.all(0).sum() >= 2

    def test_a_second_clip_starts_anew(self, detector: Detector, bus: Frame) -> None:
        first, second = (detector.detect([bus, moved(bus, 1, 4)]) for _ in range(2))
        np.testing.assert_array_equal(first.xy, second.xy)
        np.testing.assert_array_equal(first.track_ids, second.track_ids)

    def test_a_person_is_there_in_the_first_frame_they_show(self, detector: Detector, bus: Frame) -> None:
        """ByteTrack confirms a new track in its second frame only."""
        empty = replace(bus, image=np.zeros_like(bus.image))
        found = detector.detect([empty, replace(bus, number=1)])
        assert found.present[1].sum() >= 3

    def test_people_of_a_real_clip_keep_their_ids(self, detector: Detector, shared: Path) -> None:
        import av

        with av.open(str(shared / "assets" / "videos" / "two_people" / "demo.mp4")) as video:
            pictures = [picture.to_ndarray(format="rgb24") for picture in video.decode(video=0)][60:120:6]
        frames = [Frame(image=image, number=i, time_s=i / 5) for i, image in enumerate(pictures)]
        found = detector.detect(frames, fps=5.0)
        assert found.present.all() and len(found.track_ids) == 2


class TestWeights:
    def test_missing(self, tmp_path: Path) -> None:
        with pytest.raises(WeightsError, match="no such file"):
            load_detector(tmp_path / "yolov8n-pose.pt")

    def test_garbage(self, tmp_path: Path) -> None:
        path = tmp_path / "detector.pt"
        path.write_bytes(b"no model at all")
        with pytest.raises(WeightsError, match="expected a YOLO pose model"):
            load_detector(path)

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
            load_detector(path)
        assert not trace.exists()

    def test_detector_without_joints_is_refused(self, detector: Detector, tmp_path: Path) -> None:
        """A model that finds boxes only, made from ultralytics' own description of one."""
        make = "import sys; from ultralytics import YOLO; YOLO('yolov8n.yaml').save(sys.argv[1])"
        path = tmp_path / "boxes.pt"
        quiet = {"YOLO_OFFLINE": "1", "YOLO_AUTOINSTALL": "0", "YOLO_VERBOSE": "0"}
        subprocess.run([sys.executable, "-c", make, str(path)], check=True, env=os.environ | quiet, capture_output=True)
        with pytest.raises(WeightsError, match="task 'detect'"):
            load_detector(path)

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
        found, wanted = load_detector(exported / name).look(bus), replace(detector, image_px=320).look(bus)
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
            load_detector(exported / name)

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
                load_detector(tmp_path / "a.onnx")

    def test_damaged_files(self, exported: Path, tmp_path: Path) -> None:
        whole = (exported / "person.onnx").read_bytes()
        (tmp_path / "cut.onnx").write_bytes(whole[: len(whole) // 2])
        (tmp_path / "empty_openvino_model").mkdir()
        for name in ("cut.onnx", "empty_openvino_model"):
            with pytest.raises(WeightsError, match="expected a YOLO pose model") as caught:
                load_detector(tmp_path / name)
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
from zedo_core.detection.ultralytics import load_detector
from zedo_core.errors import ZedoError
frame = Frame(image=np.array(Image.open(sys.argv[1]).convert("RGB")), number=0, time_s=0.0)
for path in sys.argv[2:]:
    try:
        detector = load_detector(path)
    except ZedoError:
        continue
    for tracker in ("bytetrack", "botsort", "off"):
        detector.detect([frame, replace(frame, number=1)], tracker=tracker)
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
        code += "from zedo_core.detection.ultralytics import load_detector; load_detector(sys.argv[1])\n"
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
        people = [sighting(0, 7), sighting(1, 7, 10), sighting(4, 9, 40)]
        assert {person.track for person in join_broken(people, max_gap=5)} == {7}

    @pytest.mark.parametrize(
        "other", [sighting(9, 9, 10), sighting(2, 9, 500), sighting(1, 9, 10)], ids=["late", "far", "same frame"]
    )
    def test_another_person_stays_another(self, other: Sighting) -> None:
        people = [sighting(0, 7), sighting(1, 7, 10), other]
        assert {person.track for person in join_broken(people, max_gap=5)} == {7, 9}

    def test_interleaved_pieces_become_one(self) -> None:
        people = [sighting(frame, frame % 3, 5 * frame) for frame in range(9)]
        assert len({person.track for person in join_broken(people, max_gap=2)}) == 1

    def test_short_unsure_tracks_are_noise(self) -> None:
        people = [*(sighting(frame, 1) for frame in range(20)), sighting(3, 2, 300, 0.3), sighting(4, 3, 600, 0.8)]
        assert {person.track for person in drop_noise(people, 20, min_frames=3)} == {1, 3}
        assert {person.track for person in drop_noise(people, 10, min_frames=3)} == {1, 2, 3}

    def test_a_second_find_of_one_person_is_left_out(self) -> None:
        joints = np.random.default_rng(0).uniform(0, 100, (17, 3))
        boxes = np.array([[0, 0, 60, 80], [0, 0, 60, 50], [300, 0, 360, 80.0]])
        assert without_doubles(boxes, np.stack([joints, joints + 2, joints + 300])) == [0, 2]

    def test_ids_follow_the_order_of_appearance(self) -> None:
        _, confidence = as_arrays([sighting(2, 1), sighting(0, 5), sighting(1, 5)], 3, 17)
        assert (confidence > 0).any(-1).tolist() == [[True, False], [True, False], [False, True]]

    def test_what_is_no_joint_becomes_zero(self) -> None:
        joints = np.tile([3.0, 4.0, 0.5], (17, 1))
        joints[0], joints[1, 0], joints[2, 2] = (0, 0, 0), np.nan, 1.0 + 1e-6
        xy, confidence = as_arrays([replace(sighting(0, 0), joints=joints)], 1, 17)
        assert np.isfinite(xy).all() and confidence[0, 0, :3].tolist() == [0.0, 0.0, 1.0]
        assert not xy[0, 0, :2].any()


class TestNames:
    """Ids of people who are live, by boxes 60 x 80 px, thus 100 px over the diagonal."""

    def test_a_broken_track_goes_on(self) -> None:
        names = Names()
        assert names([sighting(0, 7), sighting(0, 8, 300)], 0.0) == [0, 1]
        assert names([sighting(1, 9, 45), sighting(1, 8, 310)], 0.4) == [0, 1]
        assert names([sighting(2, 8, 320), sighting(2, 9, 50), sighting(2, 12, 600)], 0.8) == [1, 0, 2]

    @pytest.mark.parametrize(("x", "time_s"), [(60.0, 0.4), (10.0, 1.5)], ids=["far", "late"])
    def test_another_person_is_another(self, x: float, time_s: float) -> None:
        names = Names()
        names([sighting(0, 7)], 0.0)
        assert names([sighting(1, 9, x)], time_s) == [1]

    def test_nobody_is_there_twice(self) -> None:
        """The nearer one goes on, though both are near; nobody takes the id of who is still there."""
        names = Names()
        names([sighting(0, 7)], 0.0)
        assert names([sighting(1, 8, 30), sighting(1, 9, 10)], 0.1) == [1, 0]
        assert names([sighting(2, 9, 10), sighting(2, 10, 12)], 0.2)[0] == 0
