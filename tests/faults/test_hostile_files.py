"""Media, keypoints and data sets with deliberately wrong headers, and symbolic links among the outputs.

Each file is refused with one line or read correctly, with little memory; nothing is written through a link.
"""

from __future__ import annotations

import json
import os
import struct
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from fuzz_seeds_more import video
from PIL import Image

from zedo_core.camera import Camera
from zedo_core.data import bvh
from zedo_core.data._hdf5 import read_hdf5
from zedo_core.errors import CameraError, FormatError, OutputError
from zedo_core.keypoints import holds_keypoints, read_keypoints
from zedo_core.source import open_source
from zedo_core.storage.files import atomic_write

FRAMES = 3


def patch(content: bytes, mark: bytes, offset: int, *words: int, order: str = ">") -> bytes:
    """The content with other 32-bit words at `offset` bytes after the first `mark`."""
    start = content.index(mark) + offset
    return content[:start] + struct.pack(f"{order}{len(words)}I", *words) + content[start + 4 * len(words) :]


class TestVideos:
    """Offsets are from the QuickTime and AVI specifications."""

    @pytest.mark.parametrize(
        ("mark", "offset", "words", "size"),
        [
            (b"stts", 12, (2**31 - 1,), (64, 48)),  # number of frames in the time table
            (b"tkhd", 80, (60000 << 16, 60000 << 16), (48, 48)),  # display size, of which the aspect counts
            (b"mvhd", 20, (2**32 - 1,), (64, 48)),  # duration
        ],
    )
    def test_wrong_headers_do_not_affect_the_frames(
        self, tmp_path: Path, mark: bytes, offset: int, words: tuple[int, ...], size: tuple[int, int]
    ) -> None:
        path = tmp_path / "v.mp4"
        path.write_bytes(patch(video("mp4", "mpeg4", FRAMES), mark, offset, *words))
        source = open_source(path)
        assert source.size == size
        assert [frame.size for frame in source] == [size] * FRAMES

    @pytest.mark.parametrize(("scale", "rate"), [(1, 10**9), (2**32 - 1, 1)])
    def test_an_implausible_rate_is_refused(self, tmp_path: Path, scale: int, rate: int) -> None:
        path = tmp_path / "v.avi"
        path.write_bytes(patch(video("avi", "mpeg4"), b"strh", 28, scale, rate, order="<"))
        with pytest.raises(FormatError, match=r"expected 0\.001 to 100000 frames per second, found"):
            open_source(path)

    def test_a_rate_of_0_is_treated_as_unknown(self, tmp_path: Path) -> None:
        path = tmp_path / "v.avi"
        path.write_bytes(patch(video("avi", "mpeg4", FRAMES), b"strh", 28, 1, 0, order="<"))
        assert len(list(open_source(path))) == FRAMES

    @pytest.mark.parametrize(
        "content", [b"", b"a text\n" * 100, bytes(5000), video("mp4", "mpeg4")[:600]], ids=["empty", "text", "0", "cut"]
    )
    def test_files_that_are_not_videos_are_refused(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "v.mp4").write_bytes(content)
        with pytest.raises(FormatError, match="expected a picture or a video"):
            open_source(tmp_path / "v.mp4")

    def test_an_unknown_codec_is_refused(self, tmp_path: Path) -> None:
        content = video("avi", "mjpeg")
        assert content.count(b"MJPG") == 2  # in the header and the format of the stream
        (tmp_path / "v.avi").write_bytes(content.replace(b"MJPG", b"Zq9x"))
        with pytest.raises(FormatError, match="found one with an unknown codec"):
            open_source(tmp_path / "v.avi")

    def test_a_gif_with_a_truncated_second_frame(self, tmp_path: Path) -> None:
        content = video("gif", "gif")
        second = content.index(b"\x2c", content.index(b"\x21\xf9", content.index(b"\x2c") + 1))  # its descriptor
        (tmp_path / "v.gif").write_bytes(content[: second + 4])
        source = open_source(tmp_path / "v.gif")
        assert source.kind == "video" and [frame.size for frame in source] == [(64, 48)]

    def test_frames_too_large_are_refused_before_memory_is_allocated(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "v.mkv").write_bytes(video("mkv", "libx264"))
        assert list(open_source(tmp_path / "v.mkv"))
        monkeypatch.setattr("zedo_core.source.videos.MAX_PIXELS", 64 * 48 - 1)
        with pytest.raises(FormatError, match="no frame that can be decoded"):
            open_source(tmp_path / "v.mkv")


def huge_picture(suffix: str) -> bytes:
    """A picture with 40000 x 40000 pixels according to its header."""
    if suffix == "ppm":
        return b"P6 40000 40000 255\n" + bytes(100)
    buffer = BytesIO()
    Image.new("RGB", (16, 12)).save(buffer, {"jpg": "JPEG"}.get(suffix, suffix))
    content = buffer.getvalue()
    if suffix == "bmp":
        return content[:18] + struct.pack("<II", 40000, 40000) + content[26:]
    if suffix == "gif":
        return content[:6] + struct.pack("<HH", 40000, 40000) + content[10:]
    start = content.index(b"\xff\xc0") + 5  # in a JPEG: the size in the frame header
    return content[:start] + struct.pack(">HH", 40000, 40000) + content[start + 4 :]


@pytest.mark.parametrize("suffix", ["ppm", "bmp", "gif", "jpg"])
def test_a_huge_picture_is_refused_by_its_header(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*_: Any) -> None:
        raise AssertionError("the picture was decoded")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", load)
    (tmp_path / f"p.{suffix}").write_bytes(huge_picture(suffix))
    with pytest.raises(FormatError, match="megapixels"):
        open_source(tmp_path / f"p.{suffix}")


def test_an_orientation_that_is_a_text(tmp_path: Path) -> None:
    """Found by fuzzing: Pillow returns a value of any type given in the EXIF data."""
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = BytesIO()
    Image.new("RGB", (16, 12)).save(buffer, "JPEG", exif=exif)
    entry = b"\x01\x12\x00\x03"  # the tag and its type, a short integer
    assert entry in buffer.getvalue()
    (tmp_path / "p.jpg").write_bytes(buffer.getvalue().replace(entry, b"\x01\x12\x00\x02"))
    source = open_source(tmp_path / "p.jpg")
    assert source.size == (16, 12)
    assert [frame.size for frame in source] == [(16, 12)]


def keypoints(folder: Path, **fields: Any) -> Path:
    """A file of one person in two frames, with additional or changed fields."""
    person = {"track": 0, "keypoints": [1.0, 2.0, 0.5] * 17}
    frames = [{"frame": t, "time_s": None, "people": [person]} for t in range(2)]
    document = {"format": "zedo-keypoints-1", "joints": "coco-17", "track_ids": [0], "frames": frames} | fields
    (folder / "k.json").write_text(json.dumps(document))
    return folder / "k.json"


def frames_at(*numbers: int, times_s: tuple[float | None, ...] = (None, None)) -> list[dict[str, Any]]:
    person = {"track": 0, "keypoints": [1.0, 2.0, 0.5] * 17}
    return [{"frame": n, "time_s": t, "people": [person]} for n, t in zip(numbers, times_s, strict=True)]


class TestKeypoints:
    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            ({"image_sizes": [[10**9, 10**9]]}, "178 megapixels, found 1000000000x1000000000"),
            ({"image_sizes": [[10**8, 1], [1, 10**8]]}, "found 100000000x100000000"),  # drawn on one canvas
            ({"frames": frames_at(0, 2**53)}, "expected frames within 1e.13 s"),
            ({"frames": frames_at(0, 1, times_s=(0.0, 1e12))}, "found 1e-12;"),
            ({"frames": frames_at(0, 1, times_s=(0.0, 1e-9))}, r"found 1e\+09;"),
            ({"fps": 1e9}, "frames per second, found"),
            ({"track_ids": [10**18]}, "whole number"),
        ],
    )
    def test_implausible_recordings_are_refused(self, tmp_path: Path, fields: dict[str, Any], message: str) -> None:
        with pytest.raises(FormatError, match=message):
            read_keypoints(keypoints(tmp_path, **fields))

    def test_distant_and_negative_frame_numbers_are_read(self, tmp_path: Path) -> None:
        people = [{"track": -7, "keypoints": [1.0, 2.0, 0.5] * 17}]
        frames = [{"frame": n, "time_s": None, "people": people} for n in (-(10**12), 10**12)]
        found = read_keypoints(keypoints(tmp_path, frames=frames, track_ids=[-7], fps=25.0))
        assert found.xy.shape == (2, 17, 2)
        assert found.frame_numbers.tolist() == [-(10**12), 10**12]

    def test_a_given_size_takes_precedence(self, tmp_path: Path) -> None:
        path = keypoints(tmp_path, image_sizes=[[10**9, 10**9]])
        assert read_keypoints(path, image_size=(640, 480)).image_sizes == ((640, 480),)

    def test_pipes_in_a_folder_do_not_block(self, tmp_path: Path) -> None:
        (tmp_path / "f").mkdir()
        os.mkfifo(tmp_path / "f" / "a.json")
        os.mkfifo(tmp_path / "f" / "b.txt")
        assert holds_keypoints(tmp_path / "f")
        with pytest.raises(FormatError):
            read_keypoints(tmp_path / "f")


class TestResults:
    """Found by fuzzing the conversion of results."""

    def test_an_implausible_centre_is_refused(self) -> None:
        with pytest.raises(CameraError, match=r"expected a centre within 1e\+07 px, got cx=-1e\+308"):
            Camera(fx=500.0, fy=500.0, cx=-1e308, cy=0.0)


class TestDataSets:
    def test_an_hdf5_that_claims_more_than_it_stores_is_refused(self, tmp_path: Path) -> None:
        with h5py.File(tmp_path / "a.h5", "w") as file:
            file.create_dataset("x", (10**6, 10**5), "f8", chunks=(1000, 1000))
        with pytest.raises(FormatError, match="far more than it stores"):
            read_hdf5(tmp_path / "a.h5", ["x"])

    def test_an_hdf5_with_values_in_another_file_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "secret").write_bytes(bytes(80))
        with h5py.File(tmp_path / "b.h5", "w") as file:
            file["g/x"] = np.ones(3)
        layout = h5py.VirtualLayout((3,), "f8")
        layout[:] = h5py.VirtualSource(tmp_path / "b.h5", "g/x", (3,))
        with h5py.File(tmp_path / "a.h5", "w") as file:
            file.create_dataset("raw", (10,), "f8", external=[(str(tmp_path / "secret"), 0, 80)])
            file.create_virtual_dataset("virtual", layout)
            file["link"] = h5py.ExternalLink(tmp_path / "b.h5", "g")
        for name in ("raw", "virtual"):
            with pytest.raises(FormatError, match="stored in another file"):
                read_hdf5(tmp_path / "a.h5", [name])
        with pytest.raises(FormatError, match="expected numeric arrays link/x"):
            read_hdf5(tmp_path / "a.h5", ["link/x"])
        np.testing.assert_array_equal(read_hdf5(tmp_path / "b.h5", ["g/x"])["g/x"], np.ones(3))

    def test_a_bvh_with_many_nodes_without_channels_is_refused(self, tmp_path: Path) -> None:
        nodes = "".join(f"JOINT n{i}\n{{\nOFFSET 0 1 0\nCHANNELS 0\n" for i in range(900))
        head = f"HIERARCHY\nROOT a\n{{\nOFFSET 0 0 0\nCHANNELS 1 Xposition\n{nodes}" + "}\n" * 901
        (tmp_path / "a.bvh").write_text(f"{head}MOTION\nFrames: 20000\nFrame Time: 0.03\n" + "0\n" * 20000)
        with pytest.raises(FormatError, match="at most 10000000 values, found 18020000"):
            bvh.read(tmp_path / "a.bvh")

    @pytest.mark.parametrize(
        ("line", "other"), [("CHANNELS 3", "CHANNELS\nx"), ("Frame Time: 0.03", "Frame Time: 1e-320")]
    )
    def test_cases_found_by_fuzzing_bvh(self, tmp_path: Path, line: str, other: str) -> None:
        text = "HIERARCHY\nROOT a\n{\nOFFSET 0 0 0\nCHANNELS 3 Xposition Yposition Zposition\n}\nMOTION\n"
        text += "Frames: 1\nFrame Time: 0.03\n0 0 0\n"
        (tmp_path / "a.bvh").write_text(text)
        assert bvh.read(tmp_path / "a.bvh").names == ("a",)
        assert line in text
        (tmp_path / "a.bvh").write_text(text.replace(line, other))
        with pytest.raises(FormatError):
            bvh.read(tmp_path / "a.bvh")


class TestLinks:
    def test_a_link_under_an_output_name_is_replaced_and_not_followed(self, tmp_path: Path) -> None:
        (tmp_path / "outside").write_text("mine")
        for target in ("outside", "nowhere"):
            (tmp_path / "out.json").symlink_to(tmp_path / target)
            with atomic_write(tmp_path / "out.json") as partial:
                partial.write_text("{}")
            assert not (tmp_path / "out.json").is_symlink()
            (tmp_path / "out.json").unlink()
        assert (tmp_path / "outside").read_text() == "mine"
        assert not (tmp_path / "nowhere").exists()

    def test_a_link_to_a_folder_is_followed_and_a_dangling_one_refused(self, tmp_path: Path) -> None:
        (tmp_path / "real").mkdir()
        (tmp_path / "to").symlink_to(tmp_path / "real")
        with atomic_write(tmp_path / "to" / "a.json") as partial:
            partial.write_text("{}")
        assert (tmp_path / "real" / "a.json").read_text() == "{}"
        for target in ("nowhere", "loop", "real/a.json"):
            (tmp_path / "loop").unlink(missing_ok=True)
            (tmp_path / "loop").symlink_to(tmp_path / target)
            with pytest.raises(OutputError, match="cannot write there"), atomic_write(tmp_path / "loop" / "b.json"):
                pass
