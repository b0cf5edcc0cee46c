"""Videos: files written by the tests, read back frame by frame."""

from __future__ import annotations

import logging

import av
import numpy as np
import pytest
from source_cases import BLUE, GREEN, RED, WHITE, assert_quadrants, quadrants, write_video

from zedo_core.errors import FormatError, InputError
from zedo_core.source import open_source
from zedo_core.source.cut import Cut, Moment


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


def test_a_recording_of_a_real_camera(shared):
    source = open_source(shared / "assets/videos/balance/cam03.mp4")
    assert (source.size, source.count, source.fps) == ((1088, 1920), 100, 60.0)
    times_s = [frame.time_s for frame in source]
    assert times_s == pytest.approx(np.arange(100) / 60, abs=1e-4)
