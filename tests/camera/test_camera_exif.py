"""Focal lengths from EXIF data against the published ones of real cameras."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from zedo_core.camera import Camera, CameraChoice, read_camera
from zedo_core.errors import CameraError, FormatError
from zedo_core.source import open_source

IFD = 0x8769
ORIENTATION, FOCAL, FOCAL_35, X_RESOLUTION, UNIT, WIDTH, HEIGHT = 0x0112, 0x920A, 0xA405, 0xA20E, 0xA210, 0xA002, 0xA003


def picture(path: Path, size: tuple[int, int], tags: dict[int, Any], orientation: int = 1) -> Path:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    exif.get_ifd(IFD).update(tags)
    Image.fromarray(np.zeros((size[1], size[0], 3), np.uint8)).save(path, exif=exif)
    return path


def diagonal_deg(camera: Camera) -> float:
    assert camera.size is not None
    return math.degrees(2 * math.atan(math.hypot(*camera.size) / 2 / camera.fx))


@pytest.mark.parametrize("orientation", [1, 6, 8])
def test_a_phone(tmp_path: Path, orientation: int) -> None:
    """26 mm on film is a diagonal of 79.5 degrees (2 atan(43.27 / 52)), in portrait and landscape."""
    camera = read_camera(picture(tmp_path / "a.jpg", (400, 300), {FOCAL_35: 26}, orientation))
    assert camera.size == ((400, 300) if orientation == 1 else (300, 400))
    assert diagonal_deg(camera) == pytest.approx(79.5, abs=0.1)
    assert camera.fx == camera.fy and "26 mm" in camera.source and "EXIF" in camera.source


@pytest.mark.parametrize("scale", [1, 10])
def test_a_large_sensor(tmp_path: Path, scale: int) -> None:
    """50 mm, 6000 pixels on 36 mm: 8333 px, and ten times less when the picture was downscaled since."""
    tags = {
        FOCAL: IFDRational(50),
        X_RESOLUTION: IFDRational(600000, 360),
        UNIT: 3,
        WIDTH: 6000,
        HEIGHT: 4000,
        FOCAL_35: 52,
    }
    size = (6000 // scale // 2, 4000 // scale // 2)
    camera = read_camera(picture(tmp_path / "a.jpg", size, tags))
    assert camera.fx == pytest.approx(8333.3 / scale / 2, rel=1e-4)
    assert "50 mm" in camera.source


@pytest.mark.parametrize(
    "tags",
    [
        {},
        {FOCAL: IFDRational(4)},  # of a sensor of unknown size
        {FOCAL_35: 0},  # unknown, according to the standard
        {FOCAL_35: 60000},
        {FOCAL_35: 26, WIDTH: 400, HEIGHT: 400},  # cropped since: the original centre is unknown
        {FOCAL: IFDRational(4), X_RESOLUTION: IFDRational(0), UNIT: 3, WIDTH: 400, HEIGHT: 300},
        {FOCAL: IFDRational(4), X_RESOLUTION: IFDRational(7000), UNIT: 99, WIDTH: 400, HEIGHT: 300},
    ],
    ids=["none", "no sensor", "zero", "vast", "cropped", "no resolution", "no unit"],
)
def test_insufficient_exif_data_are_reported(tmp_path: Path, tags: dict[int, Any]) -> None:
    path = picture(tmp_path / "a.jpg", (400, 300), tags)
    assert open_source(path).cameras == {}
    with pytest.raises(CameraError, match=r"a\.jpg: expected a focal length in the EXIF data, found none") as caught:
        read_camera(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_a_picture_has_one_camera_without_a_name(tmp_path: Path, suffix: str) -> None:
    path = picture(tmp_path / f"a.{suffix}", (400, 300), {FOCAL_35: 26})
    assert "26 mm" in read_camera(str(path)).source
    with pytest.raises(CameraError, match=r"is a picture, .* not 'left'; leave the name out") as caught:
        read_camera(path, "left")
    assert "\n" not in str(caught.value)


def test_a_truncated_picture(tmp_path: Path) -> None:
    """EXIF data precede the pixels; with an incomplete header the file is not recognised as a picture."""
    whole = picture(tmp_path / "a.jpg", (400, 300), {FOCAL_35: 26}).read_bytes()
    (tmp_path / "b.jpg").write_bytes(whole[: len(whole) * 9 // 10])
    assert read_camera(tmp_path / "b.jpg") == read_camera(tmp_path / "a.jpg")
    (tmp_path / "c.jpg").write_bytes(whole[:10])
    with pytest.raises(
        FormatError, match=r"c\.jpg: expected a camera as TOML, JSON, YAML, XML or npz, found binary data"
    ):
        read_camera(tmp_path / "c.jpg")


def test_damaged_exif_data(tmp_path: Path) -> None:
    path = picture(tmp_path / "a.jpg", (40, 30), {FOCAL_35: 26})
    content = path.read_bytes()
    start = content.index(b"Exif\0\0") + 6
    for seed in range(30):
        noise = np.random.default_rng(seed).integers(0, 256, 60, np.uint8).tobytes()
        path.write_bytes(content[:start] + noise + content[start + 60 :])
        assert open_source(path).size in {(40, 30), (30, 40)}


class TestPrecedence:
    """--camera and --fx, then EXIF, then --fov, then the guess."""

    exif_camera = Camera(fx=500.0, fy=500.0, cx=199.5, cy=149.5, size=(400, 300), source="EXIF (26 mm on 35 mm film)")
    sizes = ((400, 300),)

    @pytest.mark.parametrize(
        ("choice", "known", "source"),
        [
            (CameraChoice(fx=90.0), True, "given"),
            (CameraChoice(), True, "EXIF"),
            (CameraChoice(fov_deg=60.0), True, "EXIF"),
            (CameraChoice(fov_deg=60.0), False, "field of view"),
            (CameraChoice(), False, "guess"),
        ],
    )
    def test_of_one_picture(self, choice: CameraChoice, known: bool, source: str) -> None:
        (camera,) = choice.cameras(self.sizes, [self.exif_camera if known else None])
        assert source in camera.source

    def test_an_unused_field_of_view_gives_a_warning(self, caplog: pytest.LogCaptureFixture) -> None:
        CameraChoice(fov_deg=60.0).cameras(self.sizes, [self.exif_camera])
        assert "60 degrees is not used" in caplog.text

    def test_of_several_pictures(self) -> None:
        """A single camera if all are the same, else one per picture; a picture without EXIF data gets the guess."""
        assert CameraChoice().cameras(self.sizes, [self.exif_camera] * 3) == (self.exif_camera,)
        cameras = CameraChoice().cameras(((400, 300), (30, 40)), [self.exif_camera, None])
        assert [camera.size for camera in cameras] == [(400, 300), (30, 40)]
        assert [camera.source[:5] for camera in cameras] == ["EXIF ", "guess"]
