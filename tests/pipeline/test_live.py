"""Live pictures: which frames are taken, what becomes of them, and how it ends."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from infer_cases import demo_keypoints
from typer.testing import CliRunner
from zedo_cases import tiny_lifter

from zedo_cli.app import app
from zedo_core.camera.choice import CameraChoice
from zedo_core.detection import DetectedFrame, Detections
from zedo_core.errors import InputError, OutputError
from zedo_core.export import npz as npz_form
from zedo_core.keypoints import read_keypoints
from zedo_core.metrics import bone_lengths
from zedo_core.pipeline.live import LatestFrame, LiveFrame, run_live
from zedo_core.pipeline.request import LiveRequest
from zedo_core.skeleton import COCO17, H36M17
from zedo_core.source import Source
from zedo_core.types import Frame

SIZE = (64, 96)


def frame(number: int) -> Frame:
    image = np.full((SIZE[1], SIZE[0], 3), number % 250, np.uint8)
    return Frame(image=image, number=number, time_s=number / 100, name="camera 0")


def camera(frames: Iterator[Frame]) -> Source:
    """A fake camera; it gives its frames once."""
    return Source(path=Path("camera 0"), kind="camera", size=SIZE, count=None, sequence=True, read=lambda: frames)


class StubDetector:
    """Finds one person who stays, and a second one in every other frame; it takes a while."""

    name, files, skeleton, image_px, least_confidence = "stub", (), COCO17, 640, 0.1

    def __init__(self, seconds: float = 0.0) -> None:
        self.numbers: list[int] = []
        self._seconds = seconds

    def detect(self, frame: Frame, before: Sequence[DetectedFrame] = ()) -> Detections:
        time.sleep(self._seconds)
        self.numbers.append(frame.number)
        there = 2 if frame.number % 2 else 1
        boxes = np.array([[5.0, 5.0, 30.0, 80.0], [35.0, 5.0, 60.0, 70.0]])[:there]
        unit = np.random.default_rng(0).uniform(0, 1, (2, 17, 3))[:there] * (25, 70, 0.3) + (0, 0, 0.6)
        unit[..., :2] += boxes[:, None, :2]
        return Detections(boxes=boxes, confidence=np.full(there, 0.9), joints=unit)


def live(source: Source, detector: StubDetector, on_frame=lambda done: True, **options: Any):
    lifter = tiny_lifter(iterations=2)
    return run_live(source, detector=detector, lifter=lifter, request=LiveRequest(**options), on_frame=on_frame)  # type: ignore[arg-type]


class TestLatestFrame:
    def test_the_latest_wins(self) -> None:
        """The reader goes on while nobody asks: of ten frames the last one is left."""
        read = threading.Event()

        def frames() -> Iterator[Frame]:
            yield from (frame(n) for n in range(10))
            read.set()

        with LatestFrame(camera(frames())) as latest:
            assert read.wait(5)
            assert [one.number for one in latest] == [9]
            assert latest.dropped == 9

    def test_none_is_given_twice_and_their_order_stays(self) -> None:
        def frames() -> Iterator[Frame]:
            for n in range(30):
                time.sleep(0.002)
                yield frame(n)

        with LatestFrame(camera(frames())) as latest:
            numbers = [one.number for one in latest if time.sleep(0.007) is None]
        assert numbers == sorted(set(numbers)) and numbers[-1] == 29
        assert len(numbers) + latest.dropped == 30 and 3 < len(numbers) < 25

    def test_what_goes_wrong_in_the_reader_is_raised(self) -> None:
        def frames() -> Iterator[Frame]:
            yield frame(0)
            raise InputError("camera 0: unplugged")

        with pytest.raises(InputError, match="unplugged"), LatestFrame(camera(frames())) as latest:
            list(latest)

    def test_the_reader_ends_with_the_block(self) -> None:
        closed = threading.Event()

        def frames() -> Iterator[Frame]:
            try:
                for n in range(10**9):
                    time.sleep(0.001)
                    yield frame(n)
            finally:
                closed.set()

        with LatestFrame(camera(frames())) as latest:
            next(iter(latest))
        assert closed.wait(1)


def paced(count: int) -> Iterator[Frame]:
    for n in range(count):
        time.sleep(0.01)
        yield frame(n)


class TestLoop:
    def test_frames_are_dropped_when_it_is_slow(self) -> None:
        detector, seen = StubDetector(0.05), []
        report = live(camera(paced(40)), detector, lambda done: not seen.append(done))
        assert report.frames == len(seen) == len(detector.numbers) - 1  # the first call is no frame's
        assert report.frames + report.dropped == 40 and report.dropped > 20
        assert report.frames_with_people == report.frames and "guess" in report.camera and not report.files
        assert 1 < report.rate_hz < 20 and 1 < seen[-1].rate_hz < 20

    def test_people_keep_their_ids_and_are_in_3d(self) -> None:
        seen: list[LiveFrame] = []
        live(
            camera(paced(12)),
            StubDetector(),
            lambda done: not seen.append(done),
            camera=CameraChoice(fx=80.0),
            hypotheses=2,
        )
        first = {one.poses.track_ids[0] for one in seen}
        assert len(first) == 1 and {len(one.poses.track_ids) for one in seen} <= {1, 2}
        for one in seen:
            assert len(one.poses) and (one.poses.best[..., 2] > 0).all()
            assert one.poses.hypotheses == 2 and one.poses.cameras[0].fx == 80.0
            assert one.poses.frame_numbers.tolist() == [one.frame.number]

    def test_nobody(self) -> None:
        detector = StubDetector()
        detector.detect = lambda frame, before=(): Detections(
            boxes=np.zeros((0, 4)), confidence=np.zeros(0), joints=np.zeros((0, 17, 3))
        )  # type: ignore[method-assign]
        report = live(camera(paced(3)), detector)
        assert report.frames >= 1 and report.frames_with_people == 0

    @pytest.mark.parametrize("how", ["callback", "seconds", "ctrl-c"])
    def test_how_it_ends(self, how: str) -> None:
        seen = []

        def on_frame(done: LiveFrame) -> bool:
            seen.append(done.frame.number)
            if how == "ctrl-c" and len(seen) == 3:
                raise KeyboardInterrupt
            return not (how == "callback" and len(seen) == 3)

        report = live(camera(paced(10**6)), StubDetector(), on_frame, seconds=0.3 if how == "seconds" else None)
        assert report.frames == len(seen) and (len(seen) == 3 or max(seen) < 30)

    @pytest.mark.parametrize("ends", [True, False], ids=["to the end", "interrupted"])
    def test_recording(self, tmp_path: Path, ends: bool) -> None:
        seen: list[LiveFrame] = []

        def on_frame(done: LiveFrame) -> bool:
            seen.append(done)
            if not ends and len(seen) == 4:
                raise KeyboardInterrupt
            return True

        report = live(camera(paced(15)), StubDetector(), on_frame, record=tmp_path / "rec")
        assert {path.name for path in report.files} == {path.name for path in (tmp_path / "rec").iterdir()}
        poses = npz_form.read(tmp_path / "rec" / "poses.npz")
        assert poses.frame_numbers.tolist() == list(range(len(seen))) and len(poses.at(0))
        for t, one in enumerate(seen):
            np.testing.assert_array_equal(poses.joints[poses.at(t)], one.poses.joints)
            np.testing.assert_array_equal(poses.track[poses.at(t)], one.poses.track)
        with av.open(str(tmp_path / "rec" / "recording.mp4")) as recording:
            shown = [(f.time, f.to_ndarray(format="rgb24").mean()) for f in recording.decode(video=0)]
        assert [s for s, _ in shown] == pytest.approx(
            [one.frame.time_s - seen[0].frame.time_s for one in seen], abs=2e-3
        )
        assert [m for _, m in shown] == pytest.approx([one.drawn().mean() for one in seen], abs=6)
        assert len(read_keypoints(tmp_path / "rec" / "keypoints.json")) == len(poses)

    def test_a_folder_that_is_in_use(self, tmp_path: Path) -> None:
        from zedo_core.storage.lock import locked

        with locked(tmp_path), pytest.raises(OutputError, match="is writing there"):
            live(camera(paced(3)), StubDetector(), record=tmp_path)

    def test_no_time(self) -> None:
        with pytest.raises(InputError, match="above 0 seconds"):
            live(camera(paced(3)), StubDetector(), seconds=0.0)

    def test_the_drawn_picture(self) -> None:
        seen: list[LiveFrame] = []
        live(camera(paced(5)), StubDetector(), lambda done: not seen.append(done))
        drawn = seen[0].drawn()
        assert drawn.shape == seen[0].frame.image.shape and (drawn != seen[0].frame.image).any(-1).sum() > 100


class TestCommand:
    def test_a_video_in_place_of_a_camera(self, shared: Path, tmp_path: Path) -> None:
        words = [
            "live",
            str(shared / "assets/videos/two_people/demo.mp4"),
            "--seconds",
            "3",
            "--json",
            "--iterations",
            "3",
        ]
        weights = str(shared / "assets" / "weights" / "yolov8n-pose-dequantised.pt")
        result = CliRunner().invoke(app, [*words, "--detector", weights, "--record", str(tmp_path / "rec")])
        assert result.exit_code == 0, result.stderr
        report = json.loads(result.stdout)
        assert report["frames"] >= 1 and len(report["files"]) == 3 and "frames/s" in result.stderr
        assert npz_form.read(tmp_path / "rec" / "poses.npz").times_s is not None

    def test_a_window_without_a_display(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("DISPLAY", "WAYLAND_DISPLAY"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr("sys.platform", "linux")
        result = CliRunner().invoke(app, ["live", "--show"])
        assert result.exit_code == 2 and result.stderr.startswith("error: --show: expected a display, found none")
        assert result.stderr.count("\n") == 1


def test_bodies_move_as_the_frames_before_tell() -> None:
    """Somebody stands still while their joints jitter: size and place hold, and later frames do not count."""
    rng = np.random.default_rng(0)

    keypoints = read_keypoints(demo_keypoints()[0])
    person = np.concatenate([keypoints.xy[:1], keypoints.confidence[:1, :, None]], axis=-1)

    class Jitter(StubDetector):
        def detect(self, frame: Frame, before: Sequence[DetectedFrame] = ()) -> Detections:
            joints = person + np.concatenate([rng.normal(0, 5, (1, 17, 2)), np.zeros((1, 17, 1))], axis=-1)
            return Detections(boxes=np.array([[0.0, 0.0, 64.0, 96.0]]), confidence=np.ones(1), joints=joints)

    def poses_of(count: int, mode: str) -> np.ndarray:
        nonlocal rng
        rng = np.random.default_rng(0)
        done: list[LiveFrame] = []
        with_frames = (frame(n) for n in range(count))

        def on_frame(one: LiveFrame) -> bool:
            done.append(one)
            taken.set()
            return True

        taken = threading.Event()

        def one_by_one() -> Iterator[Frame]:
            for one in with_frames:
                yield one
                taken.wait(10)
                taken.clear()

        live(camera(one_by_one()), Jitter(), on_frame, motion=mode, camera=CameraChoice(fx=1600.0))
        assert len(done) == count
        return np.stack([one.poses.best[0] for one in done])

    still, single = poses_of(24, "full"), poses_of(24, "off")
    steps = [np.linalg.norm(np.diff(poses[16:, 0], axis=0), axis=-1).mean() for poses in (still, single)]
    assert steps[0] < 0.7 * steps[1]  # the last of 16 frames that are smoothed together
    lengths = bone_lengths(still[16:], H36M17.edges)
    assert (lengths.std(0) < 0.01 * lengths.mean(0)).all()
    np.testing.assert_array_equal(poses_of(12, "full"), still[:12])


def test_an_unknown_motion() -> None:
    with pytest.raises(InputError, match="expected a motion of full or off, got 'light'"):
        live(camera(iter(())), StubDetector(), motion="light")
