"""Detectors by name and by file, and the real YOLO pose model that ultralytics reads, on its own photographs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from detection_cases import BLACK, apart_px, asset, bus, detect_all, moved, video
from PIL import Image

from zedo_core.detection import BACKENDS, DetectedFrame, Detections, Detector, follow, load_detector
from zedo_core.detection.movenet import NAMES
from zedo_core.detection.ultralytics import UltralyticsDetector
from zedo_core.errors import MissingExtraError, WeightsError
from zedo_core.skeleton import COCO17
from zedo_core.types import Frame, Keypoints


@pytest.fixture(scope="session")
def detector(weights: Path) -> Detector:
    return load_detector(weights)


@pytest.fixture(scope="session")
def photograph(detector: Detector) -> Keypoints:
    """The people of the bus."""
    return follow(detect_all(detector, [bus()]), COCO17, track=False)


@pytest.fixture(scope="session")
def moving(detector: Detector) -> list[DetectedFrame]:
    """The bus, which moves by 6 px a frame."""
    return list(detect_all(detector, [moved(bus(), number, 6 * number) for number in range(5)]))


def read(path: Path) -> Detections:
    """What the detector in a file finds in a black picture: it is read for that."""
    return load_detector(path).detect(BLACK)


class TestPhotograph:
    def test_finds_people_largest_first(self, photograph: Keypoints) -> None:
        assert photograph.skeleton == COCO17
        assert photograph.image_sizes == ((810, 1080),)
        assert 3 <= len(photograph.track_ids) <= 4
        heights = np.ptp(photograph.xy[..., 1], axis=-1)
        assert heights[0] == heights.max()

    def test_joints_lie_where_the_person_stands(self, photograph: Keypoints) -> None:
        """The man on the left: his nose above his hips above his ankles, in x of 50 to 250 px."""
        person = next(p for p in photograph.xy if 50 < p[:, 0].mean() < 200)
        y = [person[COCO17.index(joint), 1] for joint in ("nose", "left_hip", "left_ankle")]
        assert y == sorted(y)
        assert 400 < y[0] < 490 and 800 < y[2] < 900

    def test_colours_are_given_as_the_model_wants_them(self, detector: Detector, photograph: Keypoints) -> None:
        """RGB taken for BGR still finds people, less surely."""
        swapped = replace(bus(), image=np.ascontiguousarray(bus().image[..., ::-1]))
        wrong = follow(detect_all(detector, [swapped]), COCO17, track=False)
        assert photograph.confidence.mean() > wrong.confidence.mean()

    @pytest.mark.parametrize("size", [(240, 320), (16, 16)], ids=str)
    def test_nobody(self, detector: Detector, size: tuple[int, int]) -> None:
        found = detector.detect(Frame(image=np.zeros((*size, 3), np.uint8), number=0, time_s=0.0))
        assert (found.boxes.shape, found.confidence.shape, found.joints.shape) == ((0, 4), (0,), (0, 17, 3))


class TestTracking:
    def test_ids_stay(self, moving: list[DetectedFrame]) -> None:
        found = follow(moving, COCO17, fps=10.0)
        assert found.track_ids.tolist() == list(range(len(found.track_ids)))
        dense = found.dense()
        always = dense.present.all(0)
        assert always.sum() >= 3
        way_px = (dense.xy[-1, always] - dense.xy[0, always])[..., 0]
        assert np.median(way_px) == pytest.approx(24, abs=6)  # joints of a small network jitter by a few pixels
        assert found.times_s is not None and found.fps == 10.0

    def test_a_second_clip_starts_anew(self, moving: list[DetectedFrame]) -> None:
        first, second = (follow(moving, COCO17) for _ in range(2))
        np.testing.assert_array_equal(first.xy, second.xy)
        np.testing.assert_array_equal(first.track, second.track)

    def test_a_camera_that_jumps(self, detector: Detector) -> None:
        """By half a person each frame."""
        found = follow(detect_all(detector, [moved(bus(), number, 60 * number) for number in range(5)]), COCO17)
        assert found.dense().present.all(0).sum() >= 2

    def test_people_of_a_real_clip_keep_their_ids(self, detector: Detector, shared: Path) -> None:
        frames = video(shared / "assets" / "videos" / "two_people" / "demo.mp4", 60, 120, 6)
        found = follow(detect_all(detector, frames), COCO17)
        assert found.dense().present.all() and len(found.track_ids) == 2


class TestLoading:
    @pytest.mark.parametrize("name", NAMES)
    def test_by_name(self, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Whatever lies in the working directory."""
        monkeypatch.chdir(tmp_path)
        (tmp_path / name).mkdir()
        found = load_detector(name)
        assert isinstance(found, Detector)
        assert (found.name, found.skeleton, found.image_px) == (name, COCO17, 512)
        assert all(file.is_file() for file in found.files)

    def test_unknown_name(self) -> None:
        with pytest.raises(WeightsError, match=r"'nothing'.* no detector of that name; known: movenet, movenet-fast, "):
            load_detector("nothing")

    @pytest.mark.parametrize("name", BACKENDS)
    def test_every_backend_keeps_the_contract(self, name: str, tmp_path: Path) -> None:
        backend = import_module(f"zedo_core.detection.{name}")
        assert backend.FORM and not backend.reads(tmp_path)
        with pytest.raises(WeightsError, match=f"expected .*{re.escape(backend.FORM)}.*, got another folder"):
            load_detector(tmp_path)

    def test_it_is_read_when_it_is_first_asked(self, weights: Path, tmp_path: Path) -> None:
        path = tmp_path / "person.pt"
        path.write_bytes(weights.read_bytes())
        found = load_detector(path)
        assert isinstance(found, Detector) and (found.files, found.skeleton) == ((path,), COCO17)
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

    def test_pickle_that_runs_code_is_refused(self, tmp_path: Path) -> None:
        import torch

        path, trace = tmp_path / "evil.pt", tmp_path / "trace"
        torch.save({"model": _Evil(str(trace))}, path)
        with pytest.raises(WeightsError):
            read(path)
        assert not trace.exists()

    def test_detector_without_joints_is_refused(self, exported: Path) -> None:
        with pytest.raises(WeightsError, match="task 'detect'"):
            read(exported / "boxes.pt")

    @pytest.mark.parametrize("name", ["model.engine", "model.torchscript", "yolo.yaml", "a_folder"])
    def test_forms_that_are_not_read(self, tmp_path: Path, name: str) -> None:
        (tmp_path / name).mkdir() if name == "a_folder" else (tmp_path / name).write_bytes(b"model")
        found = "another folder" if name == "a_folder" else rf"a file that ends in '{Path(name).suffix}'"
        with pytest.raises(
            WeightsError, match=rf"expected an ONNX model \(\.onnx\).* or a YOLO pose model \(\.pt or .*, got {found}$"
        ):
            load_detector(tmp_path / name)

    def test_functions_of_other_packages_stay_as_they_were(self, detector: Detector) -> None:
        """ultralytics replaces `PIL.Image.open` for the whole process, and then opening a video as a picture fails."""
        detector.detect(BLACK)
        assert Image.open.__module__ == "PIL.Image"


class TestOpenVINO:
    def test_it_finds_whom_the_model_finds(self, exported: Path, weights: Path) -> None:
        found = load_detector(exported / "person_openvino_model").detect(bus())
        wanted = UltralyticsDetector(weights, image_px=320).detect(bus())
        for row in range(2):  # the two men in the middle; others stand at the rim
            sure = wanted.joints[row, :, 2] > 0.5
            assert sure.sum() > 10
            assert np.median(apart_px(found.joints[row][sure], wanted.joints[row][sure])) < 3  # grey of another width

    def test_a_missing_runtime_is_told_not_installed(self, exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
        with pytest.raises(MissingExtraError, match=r"expected the package openvino.*pip install .*\[openvino\]"):
            read(exported / "person_openvino_model")

    def test_a_folder_without_a_model(self, tmp_path: Path) -> None:
        (tmp_path / "empty_openvino_model").mkdir()
        with pytest.raises(WeightsError, match="expected a YOLO pose model") as caught:
            read(tmp_path / "empty_openvino_model")
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
from zedo_core.detection import DetectedFrame, load_detector
from zedo_core.errors import ZedoError
frame = Frame(image=np.array(Image.open(sys.argv[1]).convert("RGB")), number=0, time_s=0.0)
for path in sys.argv[2:]:
    try:
        detector = load_detector(path)
        detected = [DetectedFrame.from_frame(one, detector.detect(one)) for one in (frame, replace(frame, number=1))]
    except ZedoError:
        continue
import time; time.sleep(1)  # what threads would send
print(*heard)
"""


class TestAlone:
    """What ultralytics does on its own: looking up hosts, analytics, downloads, installing packages."""

    @staticmethod
    def heard(weights: Path, home: Path, *others: Path, **environment: str) -> list[str]:
        """Network and installers used by a process that detects, heard by the interpreter's own audit."""
        names = ("YOLO_", "ULTRALYTICS_", "PYTEST_")  # it is silent in tests by itself
        clean = {name: value for name, value in os.environ.items() if not name.startswith(names)}
        environment = clean | {"ZEDO_HOME": str(home)} | environment
        command = [sys.executable, "-c", LISTENING, str(asset("zidane.jpg")), str(weights), *map(str, others)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    def test_it_is_off(self, weights: Path, tmp_path: Path, exported: Path) -> None:
        others = [exported / "person_openvino_model", tmp_path / "yolov8n-pose.pt"]
        assert self.heard(weights, tmp_path / "home", *others) == []

    def test_it_would_be_heard(self, weights: Path, tmp_path: Path) -> None:
        """The same with the user's leave."""
        assert "socket.getaddrinfo" in self.heard(weights, tmp_path, YOLO_OFFLINE="0")

    def test_it_is_off_where_it_was_imported_before(self, weights: Path, tmp_path: Path) -> None:
        code = "import sys, ultralytics.utils as u, ultralytics.utils.events as e; e.events.enabled = True\n"
        code += "import numpy; from zedo_core.types import Frame; from zedo_core.detection import load_detector\n"
        code += "black = Frame(image=numpy.zeros((64, 64, 3), numpy.uint8), number=0, time_s=0.0)\n"
        code += "load_detector(sys.argv[1]).detect(black)\n"
        code += "from ultralytics.utils import checks; print(e.events.enabled, checks.AUTOINSTALL, u.SETTINGS['sync'])"
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
