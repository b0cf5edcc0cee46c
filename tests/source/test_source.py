"""Sources: files written by the tests, read back frame by frame."""

from __future__ import annotations

import logging
import time
from fractions import Fraction
from pathlib import Path
from typing import ClassVar

import av
import numpy as np
import pytest
from PIL import Image

from zedo_core.errors import FormatError, InputError
from zedo_core.source import open_live, open_source
from zedo_core.source.cut import Cut, Moment

RED, GREEN, BLUE, WHITE = (230, 20, 20), (20, 200, 20), (20, 20, 230), (240, 240, 240)


def quadrants(width: int = 64, height: int = 48) -> np.ndarray:
    """Red top left, green top right, blue bottom left, white bottom right."""
    image = np.empty((height, width, 3), np.uint8)
    top, left = slice(height // 2), slice(width // 2)
    bottom, right = slice(height // 2, None), slice(width // 2, None)
    image[top, left], image[top, right], image[bottom, left], image[bottom, right] = RED, GREEN, BLUE, WHITE
    return image


def assert_quadrants(image: np.ndarray, expected: tuple, tolerance: int = 25) -> None:
    """Check the colours at the centres of the quadrants, in reading order; the tolerance is for lossy compression."""
    height, width = image.shape[:2]
    centres = [(height * v // 4, width * u // 4) for v in (1, 3) for u in (1, 3)]
    found = np.array([image[centre] for centre in centres], int)
    assert np.abs(found - np.array(expected)).max() <= tolerance, found


def write_video(
    path: Path, times_s=None, rotation: int | None = None, hflip: bool = False, count: int = 10, ratio: str = ""
) -> Path:
    tick = Fraction(1, 90000)
    times_s = [i / 30 for i in range(count)] if times_s is None else times_s
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=30, options={"bf": "0", "g": "5"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = tick
        if ratio:
            stream.codec_context.sample_aspect_ratio = stream.sample_aspect_ratio = Fraction(ratio)
        if rotation is not None:
            stream.set_display_rotation(rotation, hflip=hflip)
        noise = np.random.default_rng(0).integers(-15, 16, (len(times_s), 48, 64, 3))
        for time_s, grain in zip(times_s, noise, strict=True):
            image = np.clip(quadrants() + grain, 0, 255).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = round(time_s / tick), tick
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def test_a_video_can_be_read_twice(tmp_path):
    source = open_source(write_video(tmp_path / "a.mp4"))
    assert (source.kind, source.size, source.count, source.fps, source.sequence) == ("video", (64, 48), 10, 30.0, True)
    for _ in range(2):
        frames = list(source)
        assert [frame.number for frame in frames] == list(range(10))
        assert frames[3].time_s == pytest.approx(0.1, abs=1e-4)
        assert frames[0].name == "a.mp4" and frames[0].image.dtype == np.uint8
        assert_quadrants(frames[0].image, (RED, GREEN, BLUE, WHITE))


@pytest.mark.parametrize(
    ("rotation", "hflip", "expected"),
    [
        (0, False, (RED, GREEN, BLUE, WHITE)),
        (90, False, (GREEN, WHITE, RED, BLUE)),  # counter-clockwise
        (180, False, (WHITE, BLUE, GREEN, RED)),
        (-90, False, (BLUE, RED, WHITE, GREEN)),
        (0, True, (GREEN, RED, WHITE, BLUE)),
        (90, True, (WHITE, GREEN, BLUE, RED)),
    ],
)
def test_a_video_is_rotated_upright(tmp_path, rotation, hflip, expected):
    source = open_source(write_video(tmp_path / "a.mp4", rotation=rotation, hflip=hflip, count=2))
    assert source.size == ((48, 64) if rotation in (90, -90) else (64, 48))
    assert_quadrants(next(iter(source)).image, expected)


@pytest.mark.parametrize(
    ("suffix", "ratio", "rotation", "size", "stored"),
    [
        (".mp4", "4/3", None, (85, 48), (64, 48)),
        (".mkv", "4/3", None, (85, 48), (64, 48)),
        (".mp4", "16/15", None, (68, 48), (64, 48)),
        (".mkv", "16/15", None, (68, 48), (64, 48)),
        (".mp4", "1/2", 90, (48, 32), (48, 64)),
    ],
)
def test_pixels_that_are_not_square_are_made_so(tmp_path, caplog, suffix, ratio, rotation, size, stored):
    """Display sizes are those that FFmpeg's own tools show; a rotation applies to the picture as it is shown."""
    path = write_video(tmp_path / f"clip{suffix}", ratio=ratio, rotation=rotation)
    source = open_source(path)
    frames = list(source)
    assert source.size == size and source.stored_size == stored
    assert {frame.size for frame in frames} == {size}
    colours = (RED, GREEN, BLUE, WHITE) if rotation is None else (GREEN, WHITE, RED, BLUE)
    assert_quadrants(frames[0].image, colours)
    assert "has pixels that are not square; scaled from 64x48 to" in caplog.text


@pytest.mark.parametrize("ratio", ["", "1/1", "1/60"])
def test_square_and_absurd_pixels_are_left_alone(tmp_path, caplog, ratio):
    source = open_source(write_video(tmp_path / "clip.mp4", ratio=ratio))
    assert source.size == (64, 48) and source.stored_size is None and not caplog.messages


def test_irregular_frame_times(tmp_path):
    times_s = [0.0, 0.01, 0.05, 0.1, 0.3, 0.31, 0.9, 1.5]
    source = open_source(write_video(tmp_path / "a.mp4", times_s=times_s))
    assert [frame.time_s for frame in source] == pytest.approx(times_s, abs=1e-4)


def test_the_rest_of_a_truncated_video_is_read(tmp_path, caplog):
    path = write_video(tmp_path / "a.mp4", count=30)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])
    with caplog.at_level(logging.WARNING, "zedo_core.source"):
        frames = list(open_source(path))
    assert 5 <= len(frames) < 30
    assert_quadrants(frames[-1].image, (RED, GREEN, BLUE, WHITE))
    assert "damaged or truncated" in caplog.text


def test_an_intact_video_gives_no_warning(tmp_path, caplog):
    assert len(list(open_source(write_video(tmp_path / "a.mp4")))) == 10
    assert not caplog.records


def test_a_damaged_video_raises_only_format_errors(tmp_path):
    path = write_video(tmp_path / "a.mp4", count=20)
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    rng = np.random.default_rng(0)
    for _ in range(20):
        damaged = whole.copy()
        start = rng.integers(0, len(whole) - 400)
        damaged[start : start + 400] = rng.integers(0, 256, 400)
        path.write_bytes(damaged.tobytes())
        try:
            for frame in open_source(path):
                assert frame.image.shape[2] == 3
        except FormatError as error:
            assert "\n" not in str(error)


def test_a_missing_path(tmp_path):
    with pytest.raises(InputError, match="found nothing") as raised:
        open_source(tmp_path / "nothing.mp4")
    assert not isinstance(raised.value, FormatError)


@pytest.mark.parametrize("name", ["a.mp4", "a.png", "a.txt"])
def test_text_files_are_refused(tmp_path, name):
    path = tmp_path / name
    path.write_text("these are only words\n" * 500)
    with pytest.raises(FormatError, match="expected a picture or a video"):
        open_source(path)
    path.write_bytes(b"")
    with pytest.raises(FormatError, match="empty file"):
        open_source(path)


def test_a_playlist_cannot_open_other_files(tmp_path):
    write_video(tmp_path / "a.mp4")
    (tmp_path / "b.mp4").write_text("ffconcat version 1.0\nfile a.mp4\n")
    with pytest.raises(FormatError):
        open_source(tmp_path / "b.mp4")


def test_audio_files_are_refused(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(FormatError, match="without a video stream"):
        open_source(path)


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


def test_a_part_of_a_video(tmp_path):
    path = write_video(tmp_path / "a.mp4", count=30)
    whole = list(open_source(path))
    part = open_source(path, Cut(start=Moment(0.2), end=Moment(20, "frame"), every=4))
    frames = list(part)
    assert [frame.number for frame in frames] == [6, 10, 14, 18] and part.count == 4 and part.fps == 30.0
    for frame in frames:
        assert frame.time_s == whole[frame.number].time_s
        np.testing.assert_array_equal(frame.image, whole[frame.number].image)
    with pytest.raises(InputError, match=r"no frame lies within --start 5"):
        list(open_source(path, Cut(start=Moment(5.0))))


def test_a_part_of_a_folder(tmp_path):
    for n in range(6):
        Image.fromarray(quadrants()).save(tmp_path / f"{n}.png")
    assert [f.name for f in open_source(tmp_path, Cut(start=Moment(1, "frame"), every=3))] == ["1.png", "4.png"]
    with pytest.raises(InputError, match="have no times; give frame numbers"):
        open_source(tmp_path, Cut(start=Moment(1.0)))
    with pytest.raises(InputError, match="no frame lies within"):
        list(open_source(tmp_path, Cut(start=Moment(6, "frame"))))


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_ten_bits_per_channel(tmp_path, codec):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        options = {"x265-params": "log-level=none"} if codec == "libx265" else {}
        stream = container.add_stream(codec, rate=30, options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p10le"
        for _ in range(3):
            frame = av.VideoFrame.from_ndarray(quadrants(), format="rgb24").reformat(format="yuv420p10le")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with av.open(str(path)) as container:
        assert container.streams.video[0].pix_fmt == "yuv420p10le"  # the file has the format to be tested
    frames = list(open_source(path))
    assert len(frames) == 3
    assert_quadrants(frames[0].image, (RED, GREEN, BLUE, WHITE))


class Device:
    """Replaces OpenCV's camera: delivers two blue frames, then is disconnected."""

    opened: ClassVar[list[int]] = []
    released = 0

    def __init__(self, index: int) -> None:
        self._left = 2 if index == 0 else 0
        Device.opened.append(index)

    def isOpened(self) -> bool:  # noqa: N802
        return self._left > 0

    def get(self, what: int) -> float:
        return {3: 64.0, 4: 48.0}[what]

    def read(self) -> tuple[bool, np.ndarray | None]:
        self._left -= 1
        return self._left >= 0, np.full((48, 64, 3), (255, 0, 0), np.uint8)  # BGR

    def release(self) -> None:
        Device.released += 1


def test_a_camera(monkeypatch, caplog):
    monkeypatch.setattr("cv2.VideoCapture", Device)
    Device.opened, Device.released = [], 0
    source = open_live("0")
    assert (source.kind, source.size, source.count, source.sequence) == ("camera", (64, 48), None, True)
    frames = list(source)
    assert [frame.number for frame in frames] == [0, 1] and frames[0].time_s == 0.0
    assert (frames[0].image == (0, 0, 255)).all()
    assert "camera 0: delivers no more frames" in caplog.text
    assert Device.released == len(Device.opened) == 2
    with pytest.raises(InputError, match="camera 7: cannot be opened"):
        open_live("7")


def test_a_video_in_place_of_a_camera(tmp_path):
    source = open_live(str(write_video(tmp_path / "a.mp4", count=10)))
    start_s = time.monotonic()
    assert len(list(source)) == 10 and source.count is None
    assert time.monotonic() - start_s >= 9 / 30  # not faster than real time
    with pytest.raises(InputError, match="number of a camera"):
        open_live(str(tmp_path / "nothing.mp4"))


def test_a_recording_of_a_real_camera(shared):
    source = open_source(shared / "assets/videos/balance/cam03.mp4")
    assert (source.size, source.count, source.fps) == ((1088, 1920), 100, 60.0)
    times_s = [frame.time_s for frame in source]
    assert times_s == pytest.approx(np.arange(100) / 60, abs=1e-4)
