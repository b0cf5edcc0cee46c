"""Focal lengths of EXIF data against those of real cameras, as their makers state them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from zedo_core.camera import Camera, read_camera
from zedo_core.camera.choice import CameraChoice
from zedo_core.errors import CameraError
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
    """26 mm on film see 79.5 degrees over the diagonal (2 atan(43.27 / 52)), whichever way up the phone is held."""
    camera = read_camera(picture(tmp_path / "a.jpg", (400, 300), {FOCAL_35: 26}, orientation))
    assert camera.size == ((400, 300) if orientation == 1 else (300, 400))
    assert diagonal_deg(camera) == pytest.approx(79.5, abs=0.1)
    assert camera.fx == camera.fy and "26 mm" in camera.source and "EXIF" in camera.source


@pytest.mark.parametrize("scale", [1, 10])
def test_a_large_sensor(tmp_path: Path, scale: int) -> None:
    """50 mm, 6000 pixels on 36 mm: 8333 px, and ten times less when the picture was made smaller since."""
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
        {FOCAL_35: 0},  # not known, says the standard
        {FOCAL_35: 60000},
        {FOCAL_35: 26, WIDTH: 400, HEIGHT: 400},  # cropped since: where its centre was is not known
        {FOCAL: IFDRational(4), X_RESOLUTION: IFDRational(0), UNIT: 3, WIDTH: 400, HEIGHT: 300},
        {FOCAL: IFDRational(4), X_RESOLUTION: IFDRational(7000), UNIT: 99, WIDTH: 400, HEIGHT: 300},
    ],
    ids=["none", "no sensor", "zero", "vast", "cropped", "no resolution", "no unit"],
)
def test_too_little_is_said(tmp_path: Path, tags: dict[int, Any]) -> None:
    path = picture(tmp_path / "a.jpg", (400, 300), tags)
    assert open_source(path).cameras == {}
    with pytest.raises(CameraError, match=r"a\.jpg: expected a focal length in the EXIF data"):
        read_camera(path)


def test_damaged_exif_data(tmp_path: Path) -> None:
    path = picture(tmp_path / "a.jpg", (40, 30), {FOCAL_35: 26})
    whole = path.read_bytes()
    at = whole.index(b"Exif\0\0") + 6
    for seed in range(30):
        noise = np.random.default_rng(seed).integers(0, 256, 60, np.uint8).tobytes()
        path.write_bytes(whole[:at] + noise + whole[at + 60 :])
        assert open_source(path).size in {(40, 30), (30, 40)}


class TestOrder:
    """--camera and --fx, then EXIF, then --fov, then the guess."""

    told = Camera(fx=500.0, fy=500.0, cx=199.5, cy=149.5, size=(400, 300), source="EXIF (26 mm on 35 mm film)")
    sizes = ((400, 300),)

    @pytest.mark.parametrize(
        ("choice", "told", "source"),
        [
            (CameraChoice(fx=90.0), True, "given"),
            (CameraChoice(), True, "EXIF"),
            (CameraChoice(fov_deg=60.0), True, "EXIF"),
            (CameraChoice(fov_deg=60.0), False, "field of view"),
            (CameraChoice(), False, "guess"),
        ],
    )
    def test_of_one_picture(self, choice: CameraChoice, told: bool, source: str) -> None:
        (camera,) = choice.cameras(self.sizes, [self.told if told else None])
        assert source in camera.source

    def test_an_unused_field_of_view_is_told(self, caplog: pytest.LogCaptureFixture) -> None:
        CameraChoice(fov_deg=60.0).cameras(self.sizes, [self.told])
        assert "60 degrees is not used" in caplog.text

    def test_of_several_pictures(self) -> None:
        """One for all where it is the same, else one each; a picture that says nothing gets what it would have had."""
        assert CameraChoice().cameras(self.sizes, [self.told] * 3) == (self.told,)
        cameras = CameraChoice().cameras(((400, 300), (30, 40)), [self.told, None])
        assert [camera.size for camera in cameras] == [(400, 300), (30, 40)]
        assert [camera.source[:5] for camera in cameras] == ["EXIF ", "guess"]
