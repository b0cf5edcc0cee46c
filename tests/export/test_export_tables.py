"""CSV, TRC and C3D, read back by independent readers."""

from __future__ import annotations

import csv
import logging
import sys
from pathlib import Path
from typing import Any

import ezc3d
import numpy as np
import pytest
from export_cases import by_person, clip, couple_with_gaps, in_camera, poses_of, t_pose
from test_export import make_poses

from zedo_core.errors import InputError, MissingExtraError, OutputError
from zedo_core.export import save
from zedo_core.motions.upright import upright
from zedo_core.skeleton import H36M17

# As Pose2Sim names those of Halpe-26, in the order of H36M-17.
MARKERS = (
    *("Hip", "RHip", "RKnee", "RAnkle", "LHip", "LKnee", "LAnkle", "Spine", "Neck", "Nose", "Head"),
    *("LShoulder", "LElbow", "LWrist", "RShoulder", "RElbow", "RWrist"),
)


def read_trc(path: Path) -> tuple[dict[str, str], list[str], np.ndarray, np.ndarray, np.ndarray]:
    """Header, markers, frame numbers, times and positions (t, j, 3), after OpenSim's description of the format."""
    first, keys, values, markers, axes, *rows = path.read_text(encoding="utf-8").splitlines()
    assert first.split("\t") == ["PathFileType", "4", "(X/Y/Z)", path.name]
    header = dict(zip(keys.split("\t"), values.split("\t"), strict=True))
    assert list(header) == [
        *("DataRate", "CameraRate", "NumFrames", "NumMarkers", "Units"),
        *("OrigDataRate", "OrigDataStartFrame", "OrigNumFrames"),
    ]
    columns = markers.split("\t")
    assert columns[:2] == ["Frame#", "Time"]
    assert columns[3::3] == columns[4::3] == [""] * int(header["NumMarkers"])
    assert axes.split("\t") == ["", "", *(f"{a}{i + 1}" for i in range(int(header["NumMarkers"])) for a in "XYZ")]
    cells = [row.split("\t") for row in rows]
    assert {len(row) for row in cells} == {len(columns)}
    numbers = np.array([[float(cell) for cell in row] for row in cells])  # OpenSim loses an empty cell at the end
    return header, columns[2::3], numbers[:, 0], numbers[:, 1], numbers[:, 2:].reshape(len(rows), -1, 3)


class TestCsv:
    def test_every_known_joint_has_a_row(self, tmp_path):
        poses = make_poses()
        save(poses, tmp_path / "poses.csv")
        with open(tmp_path / "poses.csv", newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        dense, doubtful = poses.dense(), poses.scatter(poses.doubtful, False)
        known = np.isfinite(dense.best).all(-1)
        assert len(rows) == known.sum()
        frames, tracks = poses.frame_numbers.tolist(), poses.track_ids.tolist()
        for row in rows:
            t, p = frames.index(int(row["frame"])), tracks.index(int(row["track"]))
            j, h = H36M17.index(row["joint"]), int(row["hypothesis"])
            assert h == dense.chosen[t, p]
            place = [float(row[f"{axis}_m"]) for axis in "xyz"]
            np.testing.assert_allclose(place, dense.joints[t, p, h, j], atol=0.51e-6)  # six decimals
            assert float(row["spread_m"]) == pytest.approx(dense.spread[t, p, j], abs=0.51e-6)
            assert float(row["score"]) == pytest.approx(dense.score[t, p, h], abs=0.51e-6)
            assert row["filled"] == "0" and row["doubtful"] == str(int(doubtful[t, p]))
            assert float(row["time_s"]) == pytest.approx(t / 29.97, abs=0.51e-6)
        assert len({(row["frame"], row["track"], row["joint"]) for row in rows}) == len(rows)

    def test_unknown_values_are_empty_cells(self, tmp_path):
        poses = make_poses(fps=None, times_s=None)
        poses.spread[poses.frame == 1] = np.nan
        save(poses, tmp_path / "poses.csv")
        text = (tmp_path / "poses.csv").read_text(encoding="utf-8")
        assert "nan" not in text.lower() and "inf" not in text.lower()
        assert text.splitlines()[1].split(",")[1] == ""

    def test_without_people_there_is_only_the_header(self, tmp_path):
        save(make_poses(p=0), tmp_path / "poses.csv")
        head = "frame,time_s,track,joint,x_m,y_m,z_m,spread_m,score,hypothesis,filled,doubtful\n"
        assert (tmp_path / "poses.csv").read_text(encoding="utf-8") == head


class TestTrc:
    def test_reads_back(self, tmp_path):
        poses = clip(fps=59.94)
        assert save(poses, tmp_path / "poses.trc") == (tmp_path / "poses.trc",)
        header, markers, frames, times, places = read_trc(tmp_path / "poses.trc")
        assert (header["DataRate"], header["CameraRate"], header["NumFrames"]) == ("59.94", "59.94", "25")
        assert (header["NumMarkers"], header["Units"], header["OrigNumFrames"]) == ("17", "mm", "25")
        assert tuple(markers) == MARKERS
        np.testing.assert_array_equal(frames, np.arange(1, 26))
        np.testing.assert_allclose(times, np.arange(25) / 59.94, atol=1e-6)
        np.testing.assert_allclose(places / 1000, upright(poses).points, atol=0.51e-6)  # three decimals of a mm

    def test_a_file_per_person_without_the_frames_of_gaps(self, tmp_path):
        poses = couple_with_gaps()
        files = save(poses, tmp_path / "poses.trc")
        assert [file.name for file in files] == ["poses_person3.trc", "poses_person8.trc"]
        for p, file in enumerate(files):
            header, _, numbers, times, places = read_trc(file)
            points = by_person(poses, upright(poses).points)[:, p]
            present = np.flatnonzero(np.isfinite(points).any((1, 2)))
            np.testing.assert_allclose(places / 1000, points[present], atol=0.51e-6)  # NaN where NaN
            np.testing.assert_array_equal(numbers, present + 1)
            np.testing.assert_allclose(times, present / 25, atol=1e-6)
            assert (header["NumFrames"], header["OrigNumFrames"]) == (str(len(present)), "25")
        assert np.isnan(read_trc(files[0])[-1]).any()  # a head that was not seen

    def test_missing_frame_numbers_are_gaps(self, tmp_path):
        poses = poses_of(np.tile(in_camera(t_pose()), (4, 1, 1, 1)), frame_numbers=np.array((10, 11, 12, 17)))
        save(poses, tmp_path / "poses.trc")
        _, _, numbers, times, _ = read_trc(tmp_path / "poses.trc")
        np.testing.assert_array_equal(numbers, (1, 2, 3, 8))
        np.testing.assert_allclose(times, np.array((0, 1, 2, 7)) / 25)

    def test_every_second_frame_is_half_the_rate(self, tmp_path):
        poses = poses_of(np.tile(in_camera(t_pose()), (3, 1, 1, 1)), frame_numbers=np.array((4, 6, 8)), fps=50.0)
        save(poses, tmp_path / "poses.trc")
        header, _, _, times, _ = read_trc(tmp_path / "poses.trc")
        assert header["DataRate"] == "25"
        np.testing.assert_allclose(times, (0, 0.04, 0.08))

    @pytest.mark.parametrize("numbers", [(5, 3, 4), (0, 20230101, 20240505), (2, 2, 2)])
    def test_frame_numbers_that_are_names_count_from_one(self, tmp_path, numbers):
        save(
            poses_of(np.tile(in_camera(t_pose()), (3, 1, 1, 1)), frame_numbers=np.array(numbers)),
            tmp_path / "poses.trc",
        )
        np.testing.assert_array_equal(read_trc(tmp_path / "poses.trc")[2], (1, 2, 3))


class TestC3d:
    def read(self, path: Path) -> Any:
        return ezc3d.c3d(str(path))

    def test_reads_back(self, tmp_path):
        poses = clip(fps=59.94)
        save(poses, tmp_path / "poses.c3d")
        found = self.read(tmp_path / "poses.c3d")
        point = found["parameters"]["POINT"]
        assert tuple(point["LABELS"]["value"]) == MARKERS
        assert point["UNITS"]["value"] == ["mm"]
        assert point["RATE"]["value"][0] == pytest.approx(59.94, rel=1e-6)
        assert found["header"]["points"]["frame_rate"] == pytest.approx(59.94, rel=1e-6)
        assert (point["X_SCREEN"]["value"], point["Y_SCREEN"]["value"]) == (["+X"], ["+Y"])
        places = found["data"]["points"][:3].transpose(2, 1, 0) / 1000
        np.testing.assert_allclose(places, upright(poses).points, atol=1e-6)  # single precision at 5 m
        np.testing.assert_array_equal(found["data"]["meta_points"]["residuals"], 0)

    def test_missing_points_have_the_residual_minus_one(self, tmp_path):
        poses = couple_with_gaps()
        files = save(poses, tmp_path / "poses.c3d")
        assert [file.name for file in files] == ["poses_person3.c3d", "poses_person8.c3d"]
        for p, file in enumerate(files):
            found = self.read(file)
            known = np.isfinite(by_person(poses, upright(poses).points)[:, p]).all(-1)
            np.testing.assert_array_equal(found["data"]["meta_points"]["residuals"][0].T, np.where(known, 0, -1))
            places = found["data"]["points"][:3].transpose(2, 1, 0)[known] / 1000
            np.testing.assert_allclose(places, by_person(poses, upright(poses).points)[:, p][known], atol=1e-6)

    def test_without_ezc3d_the_error_says_how_to_install_it(self, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "ezc3d", None)
        with pytest.raises(MissingExtraError, match=r"pip install .*\[c3d\]'"):
            save(clip(), tmp_path / "poses.c3d")
        assert not list(tmp_path.iterdir())


MOTION_SUFFIXES = (".trc", ".c3d", ".bvh", ".glb", ".mot")


@pytest.mark.parametrize("suffix", MOTION_SUFFIXES)
def test_poses_without_people_are_refused(tmp_path, suffix):
    for poses in (make_poses(p=0), poses_of(np.full((3, 1, len(H36M17), 3), np.nan)), make_poses(t=0, times_s=None)):
        with pytest.raises(InputError, match="expected at least one person"):
            save(poses, tmp_path / f"poses{suffix}")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", MOTION_SUFFIXES)
def test_a_warning_about_an_unknown_frame_rate(tmp_path, suffix, caplog):
    with caplog.at_level(logging.WARNING, "zedo_core"):
        save(poses_of(in_camera(t_pose())[None, None], fps=None), tmp_path / f"poses{suffix}")
    (record,) = caplog.records
    assert record.getMessage() == f"poses{suffix}: the frame rate is unknown; assuming 30 frames per second"


@pytest.mark.parametrize("suffix", (*MOTION_SUFFIXES, ".csv"))
@pytest.mark.parametrize("name", ["mit Leer\u00e9\u4eba zeichen", "50%s {x} 'q'", ".dot", "a\tb\nc", "-dash"])
def test_odd_names(tmp_path, suffix, name):
    (file,) = save(clip(), tmp_path / f"{name}{suffix}")
    assert file.stat().st_size > 0 and [path.name for path in tmp_path.iterdir()] == [f"{name}{suffix}"]
    if suffix == ".trc":
        assert len(file.read_text(encoding="utf-8").split("\n")) == 5 + 25 + 1


@pytest.mark.parametrize("suffix", (*MOTION_SUFFIXES, ".csv"))
def test_a_failed_write_leaves_no_file(tmp_path, suffix, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OutputError, match="No space left"):
        save(couple_with_gaps(), tmp_path / f"poses{suffix}")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", (*MOTION_SUFFIXES, ".csv"))
def test_a_disk_that_fills_up_leaves_nothing(tmp_path, suffix):
    """Files are limited to 4 kB, which acts like a full disk on writers in Python and in C++."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(OutputError, match="writing failed"):
            save(clip(), tmp_path / f"poses{suffix}")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", (*MOTION_SUFFIXES, ".csv"))
def test_saving_is_deterministic_and_does_not_change_the_poses(tmp_path, suffix):
    poses = couple_with_gaps()
    first = [file.read_bytes() for file in save(poses, tmp_path / f"poses{suffix}")]
    assert [file.read_bytes() for file in save(poses, tmp_path / f"poses{suffix}")] == first
    np.testing.assert_array_equal(poses.joints, couple_with_gaps().joints)
