"""Pictures and folders of pictures: files written by the tests, read back."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from PIL import Image
from source_cases import BLUE, GREEN, RED, WHITE, assert_quadrants, quadrants

from zedo_core.errors import FormatError, InputError
from zedo_core.source import open_source
from zedo_core.source.cut import Cut, Moment


def test_a_picture(tmp_path):
    path = tmp_path / "größe 人.png"
    Image.fromarray(quadrants()).save(path)
    source = open_source(path)
    assert (source.kind, source.size, source.count, source.fps, source.sequence) == ("image", (64, 48), 1, None, False)
    (frame,) = source
    assert (frame.number, frame.time_s, frame.name) == (0, 0.0, path.name)
    np.testing.assert_array_equal(frame.image, quadrants())


_BY_ORIENTATION = {
    1: (RED, GREEN, BLUE, WHITE),
    2: (GREEN, RED, WHITE, BLUE),
    3: (WHITE, BLUE, GREEN, RED),
    6: (BLUE, RED, WHITE, GREEN),
    8: (GREEN, WHITE, RED, BLUE),
}


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("orientation", list(_BY_ORIENTATION))
def test_a_picture_is_rotated_upright(tmp_path, suffix, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(quadrants()).save(path, exif=exif)
    source = open_source(path)
    (frame,) = source
    assert source.size == frame.size == ((48, 64) if orientation > 4 else (64, 48))
    assert_quadrants(frame.image, _BY_ORIENTATION[orientation])


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "1", "I;16", "CMYK"])
def test_pictures_are_converted_to_rgb(tmp_path, mode):
    grey = np.full((8, 10), 255, np.uint8)
    picture = (
        Image.fromarray(np.full((8, 10), 0x8000, np.uint16)) if mode == "I;16" else Image.fromarray(grey).convert(mode)
    )
    path = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    picture.save(path)
    (frame,) = open_source(path)
    assert frame.image.shape == (8, 10, 3) and frame.image.dtype == np.uint8
    assert (frame.image == (0x80 if mode == "I;16" else 255)).all()


def test_a_truncated_picture_is_refused(tmp_path):
    path = tmp_path / "a.jpg"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(FormatError, match="found a damaged one"):
        list(open_source(path))


def test_a_huge_picture_is_refused_by_its_header(tmp_path):
    path = tmp_path / "a.pgm"
    path.write_bytes(b"P5 20000 20000 255\n" + bytes(100))
    with pytest.raises(FormatError, match="megapixels"):
        open_source(path)
    path.write_bytes(b"P5 13000 13000 255\n" + bytes(100))  # of this size Pillow only warns
    assert open_source(path).size == (13000, 13000)


def test_heic_is_refused(tmp_path):
    path = tmp_path / "a.heic"
    path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100))
    with pytest.raises(FormatError, match="HEIC"):
        open_source(path)


def test_a_folder_in_natural_order(tmp_path, caplog):
    for name in ("img10.png", "img2.png", "IMG1.jpg"):
        Image.fromarray(quadrants()).save(tmp_path / name)
    for name in ("notes.txt", ".hidden.png"):
        (tmp_path / name).write_text("no picture")
    with caplog.at_level(logging.WARNING, "zedo_core.source"):
        source = open_source(tmp_path)
    assert (source.kind, source.size, source.count, source.fps, source.sequence) == ("folder", (64, 48), 3, None, True)
    frames = list(source)
    assert [frame.name for frame in frames] == ["IMG1.jpg", "img2.png", "img10.png"]
    assert [frame.number for frame in frames] == [0, 1, 2]
    assert "1 entries are not pictures" in caplog.text


def test_a_folder_of_different_sizes_is_not_a_sequence(tmp_path):
    Image.fromarray(quadrants()).save(tmp_path / "a.png")
    Image.fromarray(quadrants(32, 32)).save(tmp_path / "b.png")
    source = open_source(tmp_path)
    assert source.size is None and not source.sequence
    assert [frame.size for frame in source] == [(64, 48), (32, 32)]


@pytest.mark.parametrize(
    ("names", "sequence"),
    [
        (("frame_0001.jpg", "frame_0002.jpg", "frame_0005.jpg"), True),
        (("1.png", "2.png"), True),
        (("cam1_7.png", "cam1_8.png"), True),
        (("cam1_7.png", "cam2_8.png"), False),  # two numbers differ
        (("anna.png", "bert.png"), False),
        (("a1.png", "b2.png"), False),
        (("1.png",), False),
    ],
)
def test_numbered_pictures_of_one_size_are_a_sequence(tmp_path, names, sequence):
    for name in names:
        Image.fromarray(quadrants()).save(tmp_path / name)
    assert open_source(tmp_path).sequence is sequence
    for wanted in (True, False):
        assert open_source(tmp_path, sequence=wanted).sequence is wanted


def test_photographs_are_no_sequence_unless_it_is_said(tmp_path):
    for number in (1, 2):
        exif = Image.Exif()
        exif.get_ifd(0x8769)[0xA405] = 20 + number
        Image.fromarray(quadrants()).save(tmp_path / f"IMG_{number}.jpg", exif=exif)
    assert not open_source(tmp_path).sequence and open_source(tmp_path, sequence=True).sequence
    focals = [camera.fx for camera in open_source(tmp_path).cameras.values()]
    assert focals == pytest.approx([21 / 22 * focals[1], focals[1]])
    Image.fromarray(quadrants(32, 32)).save(tmp_path / "IMG_3.jpg")
    with pytest.raises(InputError, match="expected a sequence of one size, found pictures of 2; leave --sequence out"):
        open_source(tmp_path, sequence=True)


def test_a_folder_without_pictures(tmp_path):
    with pytest.raises(FormatError, match="found 0 other"):
        open_source(tmp_path)
    (tmp_path / "a.txt").write_text("words")
    with pytest.raises(FormatError, match="found 1 other"):
        open_source(tmp_path)


def test_a_damaged_picture_in_a_folder_is_left_out_with_one_warning(tmp_path, caplog):
    for name in ("a.png", "c.png"):
        Image.fromarray(quadrants()).save(tmp_path / name)
    (tmp_path / "b.png").write_text("no picture")
    (tmp_path / "d.pgm").write_bytes(b"P5 20000 20000 255\n" + bytes(100))  # too large by its header
    source = open_source(tmp_path)
    for _ in range(2):
        assert [(frame.number, frame.name) for frame in source] == [(0, "a.png"), (2, "c.png")]
    assert set(source.damaged) == {"b.png", "d.pgm"} and source.size == (64, 48) and not source.sequence
    assert len(caplog.records) == 2 and "b.png: expected a picture" in caplog.text


def test_a_folder_of_only_damaged_pictures_is_refused(tmp_path):
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_text("no picture")
    with pytest.raises(FormatError, match=r"a\.png"):
        list(open_source(tmp_path))


def test_a_part_of_a_folder(tmp_path):
    for n in range(6):
        Image.fromarray(quadrants()).save(tmp_path / f"{n}.png")
    assert [f.name for f in open_source(tmp_path, Cut(start=Moment(1, "frame"), every=3))] == ["1.png", "4.png"]
    with pytest.raises(InputError, match="have no times; give frame numbers"):
        open_source(tmp_path, Cut(start=Moment(1.0)))
    with pytest.raises(InputError, match="no frame lies within"):
        list(open_source(tmp_path, Cut(start=Moment(6, "frame"))))
