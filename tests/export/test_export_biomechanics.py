"""What biomechanists read: angles and their page, OpenSim's motions, markers of feet, wide tables, and axes."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path

import ezc3d
import numpy as np
import pandas as pd
import pytest
from angle_cases import as_array, body_of, random_angles, standing
from export_cases import CAMERA, clip, couple_with_gaps, in_camera, poses_of, world_clip
from scipy.spatial.transform import Rotation
from test_export_tables import MARKERS, read_trc
from typer.testing import CliRunner

from zedo_cli.app import app
from zedo_core.biomechanics import angles
from zedo_core.errors import InputError
from zedo_core.export import load, save
from zedo_core.motions.upright import upright, with_up
from zedo_core.skeleton import FEET, H36M17
from zedo_core.types import Poses

FOOT_MARKERS = ("LBigToe", "LSmallToe", "LHeel", "RBigToe", "RSmallToe", "RHeel")


def posed(known: dict[str, np.ndarray], **fields) -> Poses:
    joints = body_of(known)
    feet = np.stack([in_camera(joints[name]) for name in FEET], axis=1)[:, None]
    return with_up(poses_of(in_camera(as_array(joints))[:, None], feet=feet, **fields), "camera")


def feet_of(poses: Poses) -> np.ndarray:
    assert poses.feet is not None
    return poses.feet


def read_mot(path: Path) -> tuple[dict[str, str], pd.DataFrame]:
    """Header and table, after OpenSim's description of motion files; independent of the writer."""
    lines = path.read_text(encoding="utf-8").splitlines()
    end = lines.index("endheader")
    header = dict(line.split("=") for line in lines[1:end])
    table = pd.read_csv(path, sep="\t", skiprows=end + 1)
    assert (len(table), len(table.columns)) == (int(header["nRows"]), int(header["nColumns"]))
    return header, table


def on_the_model(known: dict[str, np.ndarray]) -> Poses:
    """Rajagopal's model, unscaled, in these coordinates, as poses: forward kinematics with scipy's rotations."""

    def turn(*names: str, signs: tuple[int, ...] = (1, 1, 1)) -> Rotation:
        return Rotation.from_euler("ZXY", np.stack([known[n] for n in names], -1) * signs, degrees=True)

    joints = body_of(known)  # for what hangs on trunk and thighs below
    pelvis = turn("pelvis_tilt", "pelvis_list", "pelvis_rotation")
    middle = np.array((0.3, 0.95, -2.0))
    joints["pelvis"] = pelvis.apply((0, 0, 0)) + middle
    back, neck = (joints["pelvis"] + pelvis.apply(place) for place in ((-0.044, 0.160, 0), (-0.041, 0.545, 0)))
    upwards = Rotation.from_euler("Z", np.full((1, 1), np.arctan2(-0.003, 0.385)))  # of the neck as seen from the back
    torso = pelvis * upwards * Rotation.from_euler("Y", known["lumbar_rotation"][:, None], degrees=True)
    assert np.allclose(neck - back, torso.apply((0, np.hypot(0.003, 0.385), 0)))
    joints["thorax"] = neck
    for side, sign in (("right", 1), ("left", -1)):
        s, signs = side[0], (1, sign, sign)
        leg = pelvis * turn(f"hip_flexion_{s}", f"hip_adduction_{s}", f"hip_rotation_{s}", signs=signs)
        shank = leg * Rotation.from_euler("Z", -known[f"knee_angle_{s}"][:, None], degrees=True)
        foot = shank * Rotation.from_euler("Z", known[f"ankle_angle_{s}"][:, None], degrees=True)
        joints[f"{side}_hip"] = joints["pelvis"] + pelvis.apply((0, 0, 0.12 * sign))
        joints[f"{side}_knee"] = joints["pelvis"] + pelvis.apply((0, 0, 0.077 * sign)) + leg.apply((0, -0.44, 0))
        joints[f"{side}_ankle"] = joints[f"{side}_knee"] + shank.apply((0, -0.43, 0))
        for part, place in {"heel": (-0.05, -0.06, 0), "big_toe": (0.17, -0.06, 0)}.items():
            joints[f"{side}_{part}"] = joints[f"{side}_ankle"] + foot.apply(place)
        arm = torso * turn(f"arm_flex_{s}", f"arm_add_{s}", f"arm_rot_{s}", signs=signs)
        forearm = arm * Rotation.from_euler("Z", known[f"elbow_flex_{s}"][:, None], degrees=True)
        joints[f"{side}_shoulder"] = joints["thorax"] + torso.apply((0, -0.02, 0.17 * sign))
        joints[f"{side}_elbow"] = joints[f"{side}_shoulder"] + arm.apply((0, -0.28, 0))
        joints[f"{side}_wrist"] = joints[f"{side}_elbow"] + forearm.apply((0, -0.25, 0))
    feet = np.stack([in_camera(joints[name]) for name in FEET], axis=1)[:, None]
    return with_up(poses_of(in_camera(as_array(joints))[:, None], feet=feet, fps=50.0), "camera")


class TestMot:
    def test_the_coordinates_of_the_model_are_found(self, tmp_path):
        known = random_angles(25)
        poses = on_the_model(known)
        header, table = read_mot(save(poses, tmp_path / "poses.mot")[0])
        assert (header["version"], header["inDegrees"]) == ("1", "yes")
        np.testing.assert_allclose(table["time"], np.arange(25) / 50)
        limbs = [name for name in known if name.endswith(("_r", "_l"))]
        for name in ("pelvis_tilt", "pelvis_list", "pelvis_rotation", "lumbar_rotation", *limbs):
            off = (table[name] - known[name] + 180) % 360 - 180
            np.testing.assert_allclose(off, 0, atol=1e-4, err_msg=name)
        np.testing.assert_allclose(table["lumbar_bending"], 0, atol=1e-4)
        np.testing.assert_allclose(table["lumbar_extension"], np.degrees(np.arctan2(-0.003, 0.385)), atol=1e-4)
        assert len(table.columns) == 1 + 6 + 3 + 2 * 9
        # The hips lie below and behind the origin of the model's pelvis.
        model = Rotation.from_euler("ZXY", table[["pelvis_tilt", "pelvis_list", "pelvis_rotation"]], degrees=True)
        hips = table[["pelvis_tx", "pelvis_ty", "pelvis_tz"]] - model.apply((0.056, 0.078, 0.0))
        np.testing.assert_allclose(hips, upright(poses).points[:, H36M17.index("pelvis")], atol=3e-6)

    def test_gaps_are_interpolated_and_what_was_never_known_is_left_out(self, tmp_path, caplog):
        with caplog.at_level(logging.WARNING, "zedo_core"):
            files = save(couple_with_gaps(), tmp_path / "poses.mot")
        assert [file.name for file in files] == ["poses_person3.mot", "poses_person8.mot"]
        assert "poses_person3.mot: interpolates 4 frames" in caplog.text
        _, table = read_mot(files[0])
        assert len(table) == 25 and np.isfinite(table.to_numpy()).all()
        np.testing.assert_allclose(np.diff(table["knee_angle_r"][4:10], n=2), 0, atol=2e-6)  # straight through the gap
        assert "ankle_angle_r" not in table
        _, single = read_mot(files[1])
        assert single["time"].tolist() == [0.48]  # seen in frame 12 only

    def test_turns_are_bridged_on_the_shorter_way(self, tmp_path):
        known = {name: np.repeat(value, 9) for name, value in standing().items()}
        known["pelvis_rotation"] = np.linspace(160, 200, 9)
        world = in_camera(as_array(body_of(known)))[:, None]
        world[3:6] = np.nan
        _, table = read_mot(save(with_up(poses_of(world), "camera"), tmp_path / "poses.mot")[0])
        np.testing.assert_allclose(np.unwrap(table["pelvis_rotation"], period=360), np.linspace(160, 200, 9), atol=0.1)


class TestAngles:
    def test_the_table(self, tmp_path):
        poses = couple_with_gaps()
        table, page = save(poses, tmp_path / "poses.angles")
        assert (table.name, page.name) == ("angles.csv", "angles.html")
        read, found = pd.read_csv(table), angles(poses)
        assert read.columns.tolist() == [
            *("frame", "time_s", "track", *found.names),
            *(f"{name}_error" for name in found.names),
        ]
        assert len(read) == len(poses)
        rows = read.loc[read["track"] == 3]
        np.testing.assert_allclose(rows["knee_angle_l"], found["knee_angle_l"][found.track == 3], atol=0.51e-3)
        assert rows["neck_flexion"].isna().sum() == 1  # the head is unknown in one frame

    def test_the_page_has_all_people_and_needs_no_network(self, tmp_path):
        _, page = save(couple_with_gaps(), tmp_path / "clip.angles")
        assert page.name == "clip_angles.html"
        text = page.read_text(encoding="utf-8")
        data = json.loads(text.split('id="data">')[1].split("</script>")[0])
        assert [person["id"] for person in data["people"]] == [3, 8]
        assert len(data["people"][0]["angles"]["knee_angle_r"][0]) == 21
        assert "http" not in text.replace("http-equiv", "").replace("http://www.w3.org/2000/svg", "")

    def test_legs_that_were_not_seen_are_left_out_and_said(self, tmp_path, caplog):
        legs = np.array([any(part in name for part in ("knee", "ankle")) for name in H36M17.joints])
        with caplog.at_level(logging.WARNING, "zedo_core"):
            save(clip(seen=np.tile(~legs, (25, 1, 1))), tmp_path / "poses.angles")
        (record,) = caplog.records
        assert record.getMessage() == (
            "angles.csv: without the angles of joints that were never seen: person 1 (knees, ankles)"
        )
        assert not [name for name in pd.read_csv(tmp_path / "angles.csv") if "knee" in name or "hip_flexion" in name]

    def test_without_people_it_is_refused(self, tmp_path):
        with pytest.raises(InputError, match="expected people"):
            save(poses_of(np.full((3, 1, 17, 3), np.nan)), tmp_path / "poses.angles")
        assert not list(tmp_path.iterdir())

    def test_long_clips_have_bounded_pages(self, tmp_path):
        known = {name: np.repeat(value, 12000) for name, value in standing().items()}
        _, page = save(posed(known), tmp_path / "poses.angles")
        data = json.loads(page.read_text(encoding="utf-8").split('id="data">')[1].split("</script>")[0])
        assert len(data["people"][0]["times"]) == 4000


class TestFeet:
    def test_markers_of_heels_and_toes(self, tmp_path):
        poses = posed(random_angles(5))
        markers = read_trc(save(poses, tmp_path / "poses.trc")[0])
        assert tuple(markers[1]) == MARKERS + FOOT_MARKERS
        expected = upright(poses).transform(feet_of(poses), poses.frame)
        np.testing.assert_allclose(markers[4][:, 17:] / 1000, expected, atol=0.51e-6)
        found = ezc3d.c3d(str(save(poses, tmp_path / "poses.c3d")[0]))
        assert tuple(found["parameters"]["POINT"]["LABELS"]["value"]) == MARKERS + FOOT_MARKERS
        np.testing.assert_allclose(found["data"]["points"][:3, 17:].transpose(2, 1, 0) / 1000, expected, atol=1e-6)

    def test_points_that_nobody_has_are_no_markers(self, tmp_path):
        poses = posed(random_angles(5))
        without_small = np.array(["small" in name for name in FEET])
        poses = replace(poses, feet=np.where(without_small[:, None], np.nan, feet_of(poses)))
        names = read_trc(save(poses, tmp_path / "poses.trc")[0])[1]
        assert names[17:] == ["LBigToe", "LHeel", "RBigToe", "RHeel"]


class TestWideCsv:
    def test_a_column_per_coordinate(self, tmp_path):
        poses = replace(couple_with_gaps(), times_s=np.arange(25) / 25)
        (file,) = save(poses, tmp_path / "poses.csv-wide")
        assert file == tmp_path / "poses_wide.csv"
        table = pd.read_csv(file)
        columns = [f"{joint}_{axis}" for joint in H36M17.joints for axis in "xyz"]
        assert table.columns.tolist() == ["frame", "time_s", "track", *columns, "score", "filled", "doubtful"]
        order = np.lexsort((poses.track, poses.frame))
        np.testing.assert_allclose(table[columns], poses.best[order].reshape(len(poses), -1), atol=0.51e-6)
        assert table["frame"].tolist() == poses.frame[order].tolist()

    def test_feet(self, tmp_path):
        poses = posed(random_angles(5))
        table = pd.read_csv(save(poses, tmp_path / "poses.csv-wide")[0])
        np.testing.assert_allclose(table[[f"left_heel_{axis}" for axis in "xyz"]], feet_of(poses)[:, 2], atol=0.51e-6)


# A level camera with z up in its world, 1.5 m above the floor.
R_WORLD = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
CALIBRATED = replace(CAMERA, R_cam_from_world=tuple(map(tuple, R_WORLD.tolist())), t_cam_from_world=(0.2, 1.5, 4.0))


class TestAxes:
    def world(self) -> tuple[Poses, np.ndarray]:
        """People in a calibrated world with z up, and where they are there, the floor at 0."""
        true = world_clip(0) @ np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])  # z up
        true[..., 2] -= true[..., 2].min()
        in_cam = true @ R_WORLD.T + np.array(CALIBRATED.t_cam_from_world)
        return poses_of(in_cam[:, None], cameras=(CALIBRATED,)), true

    def read(self, path: Path) -> np.ndarray:
        if path.suffix == ".trc":
            return read_trc(path)[4] / 1000
        if path.suffix == ".c3d":
            return ezc3d.c3d(str(path))["data"]["points"][:3].transpose(2, 1, 0) / 1000
        table = pd.read_csv(path)
        if "joint" in table:
            return table[["x_m", "y_m", "z_m"]].to_numpy().reshape(-1, 17, 3)
        return table[[f"{j}_{a}" for j in H36M17.joints for a in "xyz"]].to_numpy().reshape(-1, 17, 3)

    @pytest.mark.parametrize("suffix", [".csv", ".csv-wide", ".trc", ".c3d"])
    def test_all_formats_agree(self, tmp_path, suffix):
        poses, true = self.world()
        (file,) = save(poses, tmp_path / f"poses{suffix}", axes="camera")
        np.testing.assert_allclose(self.read(file), poses.best, atol=2e-6)
        (file,) = save(poses, tmp_path / f"poses{suffix}", axes="world-zup")
        found = self.read(file)
        np.testing.assert_allclose(found[..., :2], true[..., :2], atol=2e-6)  # those of the calibration
        heights = found[..., 2] - true[..., 2]  # the floor is that of the lowest feet
        assert np.ptp(heights) < 4e-6 and abs(heights.mean()) < 0.1
        (file,) = save(poses, tmp_path / f"poses{suffix}", axes="world-yup")
        np.testing.assert_allclose(self.read(file), found[..., [0, 2, 1]] * (1, 1, -1), atol=2e-6)

    def test_the_defaults(self, tmp_path):
        poses, _ = self.world()
        np.testing.assert_allclose(self.read(save(poses, tmp_path / "poses.csv")[0]), poses.best, atol=2e-6)
        np.testing.assert_allclose(self.read(save(poses, tmp_path / "a.trc")[0]), upright(poses).points, atol=2e-6)

    def test_the_choice_is_recorded(self, tmp_path):
        poses, _ = self.world()
        save(poses, tmp_path / "poses.npz", axes="world-zup")
        (file,) = save(load(tmp_path / "poses.npz"), tmp_path / "poses.csv")
        (direct,) = save(poses, tmp_path / "direct.csv", axes="world-zup")
        assert file.read_bytes() == direct.read_bytes()

    @pytest.mark.parametrize(("axes", "screen"), [("camera", "-Y"), ("world-yup", "+Y"), ("world-zup", "+Z")])
    def test_c3d_says_what_is_up(self, tmp_path, axes, screen):
        (file,) = save(clip(), tmp_path / "poses.c3d", axes=axes)
        assert ezc3d.c3d(str(file))["parameters"]["POINT"]["Y_SCREEN"]["value"] == [screen]

    def test_unknown_axes_list_the_choices(self, tmp_path):
        save(clip(), tmp_path / "poses.npz")
        result = CliRunner().invoke(app, ["convert", str(tmp_path / "poses.npz"), "--to", "trc", "--axes", "zup"])
        assert result.exit_code == 2
        with pytest.raises(InputError, match="camera, world-yup, world-zup"):
            save(clip(), tmp_path / "poses.trc", axes="zup")
        assert not (tmp_path / "poses.trc").exists()
