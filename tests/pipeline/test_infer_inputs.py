"""`zedo infer` on what people really have: phones, damaged folders, parts of clips, runs that were killed."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from infer_cases import demo_keypoints
from PIL import Image
from typer.testing import CliRunner, Result

from zedo_cli.app import app
from zedo_core.errors import InputError
from zedo_core.export import npz as npz_form
from zedo_core.keypoints import read_keypoints
from zedo_core.pipeline.finished import NAME as RECORD
from zedo_core.pipeline.request import InferRequest
from zedo_core.pipeline.run import infer

FEW = ("--iterations", "5", "--hypo", "2")
FPS = 12
SIZE = (136, 240)  # px; the demo's pictures are 8 times as large


@pytest.fixture
def detector(shared: Path) -> str:
    return str(shared / "assets" / "weights" / "yolov8n-pose-dequantised.pt")


def run(source: Path, out: Path, *words: str, code: int = 0) -> Result:
    result = CliRunner().invoke(app, ["infer", str(source), "--out", str(out), *FEW, *words])
    assert result.exit_code == code, result.stderr
    return result


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {RECORD}


def bus() -> Image.Image:
    """A photograph of people in a street, 810 x 1080 px."""
    package = importlib.util.find_spec("ultralytics")  # importing it here would be another way in than the tool's
    assert package is not None and package.origin is not None
    with Image.open(Path(package.origin).parent / "assets" / "bus.jpg") as picture:
        return picture.convert("RGB")


def write_video(path: Path, pictures: Iterable[np.ndarray], fps: int = FPS, ticks: list[int] | None = None) -> Path:
    """Frames at a constant rate, or at these numbers of its steps."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps, options={"preset": "ultrafast", "bf": "0"})
        for number, picture in enumerate(pictures):
            if number == 0:
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt = "yuv420p"
                stream.codec_context.time_base = Fraction(1, fps)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number if ticks is None else ticks[number], Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def times_s(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        return [frame.time or 0.0 for frame in container.decode(video=0)]


class TestPictures:
    def test_turned_pictures_of_a_phone(self, detector: str, tmp_path: Path) -> None:
        """Three pictures of one view, two of them lying on their side in the file: the same people, the same camera."""
        folder = tmp_path / "pictures"
        folder.mkdir()
        upright = bus().resize((405, 540))
        for orientation, turn in ((1, None), (6, Image.Transpose.ROTATE_90), (8, Image.Transpose.ROTATE_270)):
            exif = Image.Exif()
            exif[0x0112] = orientation
            exif.get_ifd(0x8769)[0xA405] = 26
            lying = upright if turn is None else upright.transpose(turn)
            lying.save(folder / f"{orientation}.png", exif=exif)
        result = run(folder, tmp_path / "out", "--detector", detector, "--fov", "60", "--json")
        report = json.loads(result.stdout)
        assert report["camera"] == "EXIF (26 mm on 35 mm film)" and "60 degrees is not used" in result.stderr
        assert report["focal_px"] == pytest.approx(26 / math.hypot(36, 24) * math.hypot(405, 540))
        (camera,) = npz_form.read(tmp_path / "out" / "poses.npz").cameras
        assert camera.source == report["camera"]
        found = read_keypoints(tmp_path / "out" / "keypoints.json")
        people = found.dense()
        everywhere = people.xy[:, people.present.all(0)]
        assert found.image_sizes == ((405, 540),) and everywhere.shape[1] >= 3
        np.testing.assert_allclose(everywhere, everywhere[:1].repeat(3, 0), atol=0.01)
        given = json.loads(run(folder, tmp_path / "out", "--detector", detector, "--fx", "300", "--json").stdout)
        assert (given["camera"], given["reused"]) == ("given", 3)

    def test_a_folder_of_several_sizes_with_a_damaged_picture(self, detector: str, tmp_path: Path) -> None:
        folder = tmp_path / "pictures"
        folder.mkdir()
        for name, width in (("a.png", 405), ("c.png", 300)):
            bus().resize((width, 540)).save(folder / name)
        (folder / "b.png").write_text("no picture")
        result = run(folder, tmp_path / "out", "--detector", detector, "--json", code=1)
        last = result.stderr.splitlines()[-2:]
        assert last[0] == "error: 1 failed, the rest is done:" and last[1].startswith("failed: ") and "b.png" in last[1]
        assert list(json.loads(result.stdout)["damaged"]) == ["b.png"]
        poses = npz_form.read(tmp_path / "out" / "poses.npz")
        assert poses.frame_numbers.tolist() == [0, 2] and set(poses.frame) == {0, 1}
        assert [camera.size for camera in poses.cameras] == [(405, 540), (300, 540)]

    def test_unrelated_pictures_have_an_overlay_and_a_camera_each(self, detector: str, tmp_path: Path) -> None:
        folder, out = tmp_path / "pictures", tmp_path / "out"
        folder.mkdir()
        for number, focal in ((1, 26), (2, 52)):
            exif = Image.Exif()
            exif[0x0112] = 1
            exif.get_ifd(0x8769)[0xA405] = focal
            bus().resize((405, 540)).save(folder / f"IMG_{number}.png", exif=exif)
        report = json.loads(run(folder, out, "--detector", detector, "--json").stdout)
        overlays = [str(out / "overlay" / f"IMG_{number}.png") for number in (1, 2)]
        assert report["sequence"] is False and [file for file in report["files"] if "overlay" in file] == overlays
        cameras = npz_form.read(out / "poses.npz").cameras
        assert cameras[1].fx == pytest.approx(2 * cameras[0].fx)
        drawn = [np.asarray(Image.open(overlay)).astype(int) for overlay in overlays]
        assert drawn[0].shape == drawn[1].shape == (540, 404 + 404, 3)
        assert (np.abs(drawn[0] - drawn[1])[:, 404:] > 40).any()  # twice as far away
        assert run(folder, out, "--detector", detector, "--resume").stderr.count("all results are there already") == 1
        joined = run(folder, out, "--detector", detector, "--sequence", "--json")
        assert json.loads(joined.stdout)["sequence"] is True and (out / "overlay.mp4").is_file()
        assert "overlay/IMG_1.png, overlay/IMG_2.png are left from an earlier run" in " ".join(joined.stderr.split())
        video = run(folder / "IMG_1.png", out, "--detector", detector, "--sequence", code=2)
        assert "--sequence: expected with a folder of pictures" in " ".join(video.stderr.split())

    def test_an_image_size_of_pictures_is_refused(self, tmp_path: Path) -> None:
        """Through the library as well; see test_bad_input for the command."""
        Image.new("RGB", (60, 80)).save(tmp_path / "a.png")
        with pytest.raises(InputError, match=r"image size.*expected only with keypoint files.*a\.png"):
            infer(InferRequest(input=tmp_path / "a.png", out=tmp_path / "out", image_size=(60, 80)))


class TestVideos:
    def test_nobody_in_a_clip(self, detector: str, tmp_path: Path) -> None:
        """A result that says so: every frame, no person."""
        clip = write_video(tmp_path / "grey.mp4", (np.full((48, 64, 3), 9 * t, np.uint8) for t in range(4)))
        result = run(clip, tmp_path / "out", "--detector", detector, "--json", "--format", "npz,bvh,csv")
        report = json.loads(result.stdout)
        assert (report["frames"], report["people"], report["reprojection_px"]) == (4, 0, None)
        assert "warning: " in result.stderr and "nobody was found in any of 4 frames" in result.stderr
        made = {"poses.npz", "poses.csv", "keypoints.json", "detections.jsonl", "overlay.mp4"}
        assert names(tmp_path / "out") == made  # a BVH file has somebody in it
        poses = npz_form.read(tmp_path / "out" / "poses.npz")
        assert len(poses) == 0 and len(poses.frame_numbers) == 4
        assert len(times_s(tmp_path / "out" / "overlay.mp4")) == 4

    def test_uneven_times_are_kept(self, detector: str, tmp_path: Path) -> None:
        """Of a clip of a variable frame rate, in the poses and in the overlay."""
        ticks = [0, 1, 5, 6, 14]
        picture = np.array(bus().resize((120, 160)))
        clip = write_video(tmp_path / "uneven.mp4", [picture] * 5, fps=10, ticks=ticks)
        run(clip, tmp_path / "out", "--detector", detector)
        wanted = pytest.approx(np.array(ticks) / 10, abs=1e-3)
        assert npz_form.read(tmp_path / "out" / "poses.npz").times_s == wanted
        assert times_s(tmp_path / "out" / "overlay.mp4") == wanted

    def test_a_killed_run_goes_on_and_gives_the_same(self, detector: str, shared: Path, tmp_path: Path) -> None:
        """Its lock and its detections stay behind; while it lives, another run into the folder is refused."""
        with av.open(str(shared / "assets" / "videos" / "balance" / "cam03.mp4")) as whole:
            frames = (frame for frame, _ in zip(whole.decode(video=0), range(10), strict=False))
            small = (frame.reformat(width=136, height=240, format="rgb24").to_ndarray() for frame in frames)
            clip = write_video(tmp_path / "a.mp4", small)
        out, unbroken = tmp_path / "out", tmp_path / "unbroken"
        command = [sys.executable, "-m", "zedo_cli", "infer", str(clip), "--out", str(out), "--detector", detector]
        running = subprocess.Popen([*command, *FEW], env=os.environ | {"OMP_NUM_THREADS": "1"})
        part, deadline = out / "detections.jsonl.part", time.monotonic() + 120
        while not (part.exists() and part.read_bytes().count(b"\n") > 3) and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(running.pid, signal.SIGSTOP)  # stopped, so that it is still there when the other one comes
        refused = run(clip, out, "--detector", detector, code=1)
        running.kill()
        running.wait()
        assert "another run of zedo is writing there" in refused.stderr
        assert names(out) == {".zedo.lock", "detections.jsonl.part"}
        report = json.loads(run(clip, out, "--detector", detector, "--json").stdout)
        assert 2 < report["reused"] < 10
        run(clip, unbroken, "--detector", detector)
        for name in ("poses.npz", "keypoints.json", "detections.jsonl"):
            assert (out / name).read_bytes() == (unbroken / name).read_bytes()


def body(frame: int, shift_px: float = 0.0) -> list[float]:
    """The 51 values of the demo's person in a frame, in pictures of `SIZE`, moved to the right."""
    keypoints = read_keypoints(demo_keypoints()[0])
    values = np.concatenate([keypoints.xy[frame] / 8 + (shift_px, 0), keypoints.confidence[frame, :, None]], -1)
    return values.round(3).ravel().tolist()


def write_keypoints(path: Path, frames: int, tracks: tuple[int, ...]) -> Path:
    people = [[{"track": track, "keypoints": body(t, 5.0 * track)} for track in tracks] for t in range(frames)]
    head: dict[str, Any] = {"format": "zedo-keypoints-1", "joints": "coco-17", "image_sizes": [SIZE], "fps": FPS}
    listed = [{"frame": t, "time_s": None, "people": there} for t, there in enumerate(people)]
    path.write_text(json.dumps({**head, "track_ids": tracks, "frames": listed}))
    return path


class TestParts:
    def test_frames_and_people(self, tmp_path: Path) -> None:
        two = write_keypoints(tmp_path / "two.json", 6, (1, 8))
        run(two, tmp_path / "out", "--start", "1f", "--end", "0.45", "--every", "2", "--person", "8")
        poses = npz_form.read(tmp_path / "out" / "poses.npz")
        assert poses.frame_numbers.tolist() == [1, 3, 5] and poses.track_ids.tolist() == [8] and poses.fps == FPS
        run(two, tmp_path / "b", "--max-people", "1")
        assert len(npz_form.read(tmp_path / "b" / "poses.npz").track_ids) == 1

    def test_frames_of_saved_keypoints(self, tmp_path: Path) -> None:
        """Beside a video whose frames come at other times than those of the keypoints' rate: the video's count."""
        saved = write_keypoints(tmp_path / "clip.json", 3, (4,))
        pictures = (np.full((SIZE[1], SIZE[0], 3), 40 * t, np.uint8) for t in range(3))
        clip = write_video(tmp_path / "clip.mp4", pictures, fps=2)
        run(clip, tmp_path / "out", "--keypoints", str(saved), "--start", "0.9")
        assert npz_form.read(tmp_path / "out" / "poses.npz").frame_numbers.tolist() == [2]
        assert names(tmp_path / "out") == {"poses.npz", "poses.json", "keypoints.json", "overlay.png"}
