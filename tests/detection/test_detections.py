"""Detections that are kept: what is asked again and what is not, and the same answer whatever was broken off."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from zedo_core.detection import DetectedFrame, Detections
from zedo_core.detection.store import NAME, Detected, detect_in
from zedo_core.errors import InputError
from zedo_core.skeleton import COCO17, H36M17
from zedo_core.source import open_source
from zedo_core.source.cut import WHOLE, Cut, Moment
from zedo_core.source.scene import Scene
from zedo_core.types import Frame, Keypoints

FRAMES = 14


class Walkers:
    """Finds two people who walk, crossing each other, at places that depend on the frame alone; notes its frames."""

    name, skeleton, image_px, least_confidence = "model.pt", COCO17, 640, 0.1

    def __init__(self, breaks_at: int | None = None) -> None:
        self.files: tuple[Path, ...] = ()
        self.frames: list[int] = []
        self._breaks_at = breaks_at

    def detect(self, frame: Frame, before: Sequence[DetectedFrame] = ()) -> Detections:
        if frame.number == self._breaks_at:
            raise KeyboardInterrupt
        self.frames.append(frame.number)
        rng = np.random.default_rng(frame.number)
        x = np.array([5.0 + 3 * frame.number, 50.0 - 3 * frame.number])
        boxes = np.stack([x, np.full(2, 4.0), x + 12, np.full(2, 44.0)], axis=-1) + rng.normal(0, 0.3, (2, 4))
        joints = rng.uniform(0, 1, (2, 17, 3)) * (12, 40, 1) + np.stack([x, [4, 4], [0, 0]], axis=-1)[:, None]
        confidence = np.array([0.9, 0.2 if frame.number % 5 == 2 else 0.8])
        return Detections(boxes=boxes, confidence=confidence, joints=joints).rounded()


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write(tmp_path / "clip.mp4")


def write(path: Path, seed: int = 0, cuts: Sequence[int] = ()) -> Path:
    """A view with some noise in each frame, and another one from each cut on."""
    rng = np.random.default_rng(seed)
    views = rng.integers(30, 226, (1 + len(cuts), 12, 16, 3)).repeat(4, 1).repeat(4, 2)
    noise = rng.integers(-30, 30, (FRAMES, 48, 64, 3))
    pictures = (views[np.searchsorted(cuts, np.arange(FRAMES), side="right")] + noise).astype(np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


@pytest.fixture
def run(clip: Path, tmp_path: Path) -> Callable[..., Detected]:
    """Detection in a folder; the detector's file is a few bytes."""
    (tmp_path / "model.pt").write_bytes(b"a model")

    def detect(detector: Walkers, folder: str = "out", cut: Cut = WHOLE, path: Path = clip, **options) -> Detected:
        (tmp_path / folder).mkdir(exist_ok=True)
        detector.files = (tmp_path / "model.pt",)
        return detect_in(open_source(path, cut), tmp_path / folder, detector=detector, **options)

    return detect


def assert_same(a: Keypoints, b: Keypoints) -> None:
    for name in ("frame", "track", "xy", "confidence", "frame_numbers", "times_s"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    assert (a.image_sizes, a.fps) == (b.image_sizes, b.fps)


def test_nobody_keeps_their_id_where_another_shot_begins(run, tmp_path: Path) -> None:
    path = write(tmp_path / "cut.mp4", cuts=(6,))
    first = run(Walkers(), path=path)
    assert first.scene == Scene(cuts=(6,))
    for _, rows in first.keypoints.tracks:
        frames = first.keypoints.frame[rows]
        assert (frames < 6).all() or (frames >= 6).all()
    again = run(Never(), path=path)
    assert again.scene == first.scene
    assert_same(again.keypoints, first.keypoints)
    part = run(Walkers(), path=path, cut=Cut(start=Moment(8, "frame")))
    assert part.scene == Scene() and part.reused == FRAMES - 8
    assert run(Never(), path=path, cut=Cut(every=4)).scene == Scene(cuts=(8,))
    assert run(Never(), path=path).scene == first.scene


def test_files_of_earlier_versions_tell_nothing_of_views(run, tmp_path: Path) -> None:
    run(Walkers())
    *lines, last = (tmp_path / "out" / NAME).read_text().splitlines()
    done = {name: value for name, value in json.loads(last).items() if name in ("done", "damaged")}
    (tmp_path / "out" / NAME).write_text("\n".join([*lines, json.dumps(done)]) + "\n")
    assert run(Never()).scene == Scene()


class Never(Walkers):
    """One that must not be asked."""

    def detect(self, frame: Frame, before: Sequence[DetectedFrame] = ()) -> Detections:
        raise AssertionError(f"frame {frame.number} was detected")


def test_a_second_run_detects_nothing(run, tmp_path: Path) -> None:
    detector = Walkers()
    first = run(detector)
    assert detector.frames == list(range(FRAMES)) and first.reused == 0 and first.keypoints.fps == 10.0
    assert first.keypoints.dense().present.all(0).sum() == 2  # two people through the clip, or the rest tests nothing
    again = run(Never())
    assert again.reused == FRAMES
    assert_same(again.keypoints, first.keypoints)
    assert [path.name for path in (tmp_path / "out").iterdir()] == [NAME]


@pytest.mark.parametrize("track", [True, False])
@pytest.mark.parametrize("breaks_at", [1, 7, FRAMES - 1])
def test_a_broken_run_goes_on_and_gives_the_same(run, tmp_path: Path, track: bool, breaks_at: int) -> None:
    unbroken = run(Walkers(), "unbroken", track=track)
    with pytest.raises(KeyboardInterrupt):
        run(Walkers(breaks_at), track=track)
    part = tmp_path / "out" / f"{NAME}.part"
    assert not (tmp_path / "out" / NAME).exists()
    with open(part, "ab") as file:
        file.write(b'{"frame": %d, "time_s": 0.1, "si' % breaks_at)  # it was killed while it wrote
    detector = Walkers()
    resumed = run(detector, track=track)
    assert detector.frames == list(range(breaks_at, FRAMES)) and resumed.reused == breaks_at
    assert_same(resumed.keypoints, unbroken.keypoints)
    assert not part.exists()
    assert (tmp_path / "out" / NAME).read_bytes() == (tmp_path / "unbroken" / NAME).read_bytes()


def test_other_tracking_needs_no_new_detections(run) -> None:
    run(Walkers())
    single = run(Never(), track=False).keypoints
    assert_same(single, run(Walkers(), "single", track=False).keypoints)
    assert not np.array_equal(single.track, run(Never()).keypoints.track)


class Anchored(Walkers):
    """One whose detections depend on what was found in the frames before."""

    def __init__(self, breaks_at: int | None = None) -> None:
        super().__init__(breaks_at)
        self.before: list[list[int]] = []

    def detect(self, frame: Frame, before: Sequence[DetectedFrame] = ()) -> Detections:
        found = super().detect(frame)
        self.before.append([earlier.number for earlier in before])
        for earlier in before[-1:]:
            shift = np.append(0.1 * (earlier.detections.joints[0, 0, :2] - found.joints[0, 0, :2]), 0)
            found = replace(found, joints=found.joints + shift)
        return found.rounded()


def test_the_detector_is_told_of_the_frames_before(run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the latest ones, detected or known; so a run that was broken off gives the same."""
    monkeypatch.setattr("zedo_core.detection.store.SEEN_BEFORE", 5)
    unbroken = Anchored()
    whole = run(unbroken, "unbroken")
    assert unbroken.before == [list(range(max(n - 5, 0), n)) for n in range(FRAMES)]
    with pytest.raises(KeyboardInterrupt):
        run(Anchored(7))
    resumed = Anchored()
    assert_same(run(resumed).keypoints, whole.keypoints)
    assert resumed.before == unbroken.before[7:]


def test_pictures_of_several_sizes_are_no_sequence(run, tmp_path: Path) -> None:
    """The detector is told of none before, and ids are by size."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for n, size in enumerate([(64, 48), (80, 60), (64, 48)]):
        Image.new("RGB", size).save(folder / f"{n}.png")
    detector = Anchored()
    found = run(detector, path=folder).keypoints
    assert detector.before == [[], [], []] and found.track_ids.tolist() == [0, 1]


def test_parts_of_the_input(run) -> None:
    """A part of what is known is there; a wider part asks for what is missing only."""
    middle = Cut(start=Moment(4, "frame"), end=Moment(10, "frame"))
    detector = Walkers()
    first = run(detector, cut=middle)
    assert detector.frames == list(range(4, 10)) and first.keypoints.frame_numbers.tolist() == list(range(4, 10))
    detector = Walkers()
    assert run(detector, cut=Cut(every=2)).reused == 3
    assert detector.frames == [0, 2, 10, 12]
    assert_same(run(Never(), cut=middle).keypoints, first.keypoints)
    detector = Walkers()
    whole = run(detector)
    assert detector.frames == [1, 3, 11, 13]
    assert_same(whole.keypoints, run(Walkers(), "other").keypoints)
    part = run(Never(), cut=Cut(start=Moment(0.5), every=3))
    assert part.keypoints.frame_numbers.tolist() == [5, 8, 11]
    assert part.keypoints.times_s is not None and part.keypoints.times_s == pytest.approx([0.5, 0.8, 1.1])


@pytest.mark.parametrize("changed", ["input", "detector", "head", "redetect"])
def test_what_makes_it_detect_anew(run, clip: Path, tmp_path: Path, changed: str) -> None:
    run(Walkers())
    options = {}
    if changed == "input":
        write(clip, seed=1)
    elif changed == "detector":
        (tmp_path / "model.pt").write_bytes(b"a better model")
    elif changed == "head":
        file = tmp_path / "out" / NAME
        file.write_text(file.read_text().replace('"image_px": 640', '"image_px": 320'))
    else:
        options = {"redetect": True}
    detector = Walkers()
    assert run(detector, **options).reused == 0
    assert detector.frames == list(range(FRAMES))
    assert run(Never()).reused == FRAMES


@pytest.mark.parametrize(("name", "value"), [("image_px", 320), ("least_confidence", 0.2), ("skeleton", H36M17)])
def test_other_settings_of_the_detector(run, name: str, value: object) -> None:
    run(Walkers())
    other = Walkers()
    setattr(other, name, value)
    assert run(other).reused == 0 and other.frames == list(range(FRAMES))


def test_a_copy_under_another_name_is_the_same_input(run, clip: Path, tmp_path: Path) -> None:
    run(Walkers())
    (tmp_path / "copy.mp4").write_bytes(clip.read_bytes())
    assert run(Never(), path=tmp_path / "copy.mp4").reused == FRAMES


def test_a_damaged_line_costs_the_lines_behind_it(run, tmp_path: Path) -> None:
    whole = run(Walkers())
    file = tmp_path / "out" / NAME
    lines = file.read_text().splitlines(keepends=True)
    lines[6] = lines[6][:40] + "\n"
    file.write_text("".join(lines))
    detector = Walkers()
    assert_same(run(detector).keypoints, whole.keypoints)
    assert detector.frames == list(range(5, FRAMES))
    assert run(Never()).reused == FRAMES


def test_another_input_forgets_what_was_broken_off(run, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(Walkers(4))
    other = write(tmp_path / "other.mp4", seed=1)
    detector = Walkers()
    assert run(detector, path=other).reused == 0 and len(detector.frames) == FRAMES
    head = json.loads((tmp_path / "out" / NAME).read_text().splitlines()[0])
    assert head["source"]["name"] == "other.mp4" and head["detector"]["name"] == "model.pt"


def test_a_folder_with_a_damaged_picture(run, tmp_path: Path) -> None:
    """It is told in the second run as well, which opens none of them."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for n in range(3):
        Image.fromarray(np.full((48, 64, 3), 40 * n, np.uint8)).save(folder / f"{n}.png")
    (folder / "1.png").write_text("no picture")
    for detector, reused in ((Walkers(), 0), (Never(), 2)):
        found = run(detector, path=folder)
        assert found.reused == reused and list(found.damaged) == ["1.png"]
        assert found.keypoints.frame_numbers.tolist() == [0, 2] and found.keypoints.times_s is None


def test_a_part_without_frames(run) -> None:
    with pytest.raises(InputError, match="no frame lies within --start 99"):
        run(Walkers(), cut=Cut(start=Moment(99.0)))
