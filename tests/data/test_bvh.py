"""BVH files: forward kinematics against another reader, naming conventions, units, axes, damage."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import numpy as np
import pytest
from bvh_cases import CONVENTIONS, Rig, person, position, rest_pose
from export_cases import in_camera, poses_of, world_clip
from numpy import ndarray

from zedo_core.data import bvh, bvh_motions
from zedo_core.errors import FormatError, InputError
from zedo_core.export import save
from zedo_core.skeleton import H36M17, LSP14, Skeleton

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # bvhio imports PyGLM under a deprecated name
    import bvhio

ORDERS = ("Zrotation Xrotation Yrotation", "Xrotation Yrotation Zrotation", "Yrotation Zrotation Xrotation")
Z_UP = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])  # rotates up in the T-pose to z
X_UP = np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]])


def write_bvh(folder: Path, rig: Rig, values: ndarray | None = None, name: str = "a.bvh", **fields: object) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(rig.text(rest_pose(rig) if values is None else values, **fields))  # type: ignore[arg-type]
    return path


def joint(positions: ndarray, name: str) -> ndarray:
    return positions[:, H36M17.index(name)]


class TestKinematics:
    @pytest.mark.parametrize("channels", ORDERS)
    def test_random_motion_matches_bvhio(self, tmp_path: Path, channels: str) -> None:
        """bvhio computes in single precision: 1e-3 of 200 cm."""
        rig, _ = person("Biovision")
        rng = np.random.default_rng(0)
        values = rest_pose(rig, 4)
        values[:, :3] += rng.normal(0, 50, (4, 3))
        values[:, 3:] = rng.uniform(-170, 170, values[:, 3:].shape)
        path = write_bvh(tmp_path, rig, values, channels=channels)
        content = bvh.read(path)
        found = bvh.node_positions(content)
        root = bvhio.readAsHierarchy(str(path))
        nodes = {node.Name: node for node, _, _ in root.layout()}
        for frame in range(4):
            root.loadPose(frame)
            for k, name in enumerate(content.names):
                if name:
                    expected = list(nodes[name].PositionWorld)
                    np.testing.assert_allclose(found[frame, k], expected, atol=1e-3)

    def test_bent_elbow(self, tmp_path: Path) -> None:
        """A quarter turn of the left elbow about y takes the forearm from +x to -z."""
        rig, node_of = person("Mixamo")
        values = rest_pose(rig)
        values[:, 3 + 3 * rig.order().index(node_of["left_elbow"]) + 2] = 90.0
        motions, _ = bvh_motions.load(write_bvh(tmp_path, rig, values))
        forearm = joint(motions.positions, "left_wrist") - joint(motions.positions, "left_elbow")
        np.testing.assert_allclose(forearm, [[0, 0, -0.26]] * 2, atol=1e-6)

    def test_position_channels_replace_the_offset(self, tmp_path: Path) -> None:
        """3ds Max and MotionBuilder write six channels for every joint."""
        text = (
            "HIERARCHY\nROOT a\n{\nOFFSET 1 2 3\n"
            "CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation\n"
            "JOINT b c {\nOFFSET 9 9 9\nCHANNELS 4 Zposition Yposition Xposition Zrotation\n"
            "End Site\n{\nOFFSET 0 2 0\n}\n}\n}\nMOTION\nFrames: 1\nFrame Time: 0.1\n5 6 7 90 0 0\n3 2 1 90\n"
        )
        (tmp_path / "six.bvh").write_text(text)
        content = bvh.read(tmp_path / "six.bvh")
        assert content.names == ("a", "b c", "")
        expected = [[5, 6, 7], [5 - 2, 6 + 1, 7 + 3], [3, 7 - 2, 10]]  # rotated by 90, then by 180 degrees about z
        np.testing.assert_allclose(bvh.node_positions(content)[0], expected, atol=1e-12)

    @pytest.mark.parametrize("frame_time", [1 / 120, 1 / 30, 1 / 24])
    def test_high_frame_rates_are_reduced_to_about_30_fps(self, tmp_path: Path, frame_time: float) -> None:
        rig, _ = person("Mixamo")
        motions, _ = bvh_motions.load(write_bvh(tmp_path, rig, rest_pose(rig, 12), frame_time=frame_time))
        step = 4 if frame_time < 0.01 else 1
        assert len(motions) == 12 // step and motions.fps[0] == pytest.approx(1 / frame_time / step, rel=1e-3)


class TestJoints:
    @pytest.mark.parametrize("convention", CONVENTIONS)
    def test_every_naming_convention_gives_the_same_person(self, tmp_path: Path, convention: str) -> None:
        rig, _ = person(convention)
        motions, skipped = bvh_motions.load(write_bvh(tmp_path, rig))
        assert skipped == 0 and len(motions) == 2 and motions.skeleton == H36M17
        expected = {f"{side}_{part}": position(part, i) for i, side in enumerate(("left", "right"))
                    for part in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")}  # fmt: skip
        expected |= {"pelvis": (position("hip", 0) + position("hip", 1)) / 2, "thorax": position("neck", None)}
        expected |= {
            "spine": position("chest", None),
            "neck_nose": position("head", None),
            "head_top": position("head_end", None),
        }
        for name, point in expected.items():
            np.testing.assert_allclose(joint(motions.positions, name), [point / 100] * 2, atol=1e-6, err_msg=name)

    @pytest.mark.parametrize(
        ("convention", "above", "below", "name"),
        [
            ("Daz", "left_hip", "left_knee", "lThighTwist"),
            ("Daz", "right_shoulder", "right_elbow", "rShldrTwist"),
            ("Character Creator", "left_hip", "left_knee", "CC_Base_L_ThighTwist01"),
            ("Rigify", "left_shoulder", "left_elbow", "DEF-upper_arm.L.001"),
            ("MakeHuman", "right_hip", "right_knee", "upperleg02.R"),
            ("GENEA", "left_elbow", "left_wrist", "b_l_wrist_twist"),
            ("Mixamo", "left_hip", "left_knee", "mixamorig:LeftUpLegRoll"),
        ],
    )
    def test_bones_in_two_parts(self, tmp_path: Path, convention: str, above: str, below: str, name: str) -> None:
        """A second bone in the middle of a limb is no joint."""
        rig, node_of = person(convention)
        half = rig.offsets[node_of[below]] / 2
        rig.parents[name], rig.offsets[name] = node_of[above], half
        rig.parents[node_of[below]], rig.offsets[node_of[below]] = name, half
        motions, _ = bvh_motions.load(write_bvh(tmp_path, rig))
        plain, _ = bvh_motions.load(write_bvh(tmp_path / "plain", person(convention)[0]))
        np.testing.assert_allclose(motions.positions, plain.positions, atol=1e-6)

    @pytest.mark.parametrize("part", ["hip", "knee", "ankle", "shoulder", "elbow", "wrist"])
    def test_one_unknown_joint_of_a_limb_is_found_from_the_tree(self, tmp_path: Path, part: str) -> None:
        rig, node_of = person("Mixamo")
        _rename(rig, node_of[f"left_{part}"], "Bone_42")
        motions, _ = bvh_motions.load(write_bvh(tmp_path, rig))
        np.testing.assert_allclose(joint(motions.positions, f"left_{part}")[0], position(part, 0) / 100, atol=1e-6)

    def test_files_that_do_not_fit_stop_no_folder(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        """A dog, and a person of unknown unit, beside a person."""
        write_bvh(tmp_path, person("Mixamo")[0], name="a.bvh")
        rig, node_of = person("Mixamo")
        for k, part in enumerate(("left_hip", "left_knee", "right_hip", "right_knee", "left_shoulder", "left_elbow")):
            _rename(rig, node_of[part], f"Paw_{k}")
        write_bvh(tmp_path, rig, name="dog.bvh")
        write_bvh(tmp_path, person("CMU", 30.0)[0], name="unit.bvh")
        motions, left_out = bvh_motions.load(tmp_path)
        assert left_out == 2 and motions.names == ("a.bvh",)
        assert "could not match left_hip" in caplog.text and "give the metres per unit by --scale" in caplog.text
        assert "2 of 3 BVH files cannot be used and were left out" in caplog.text

    def test_units_and_heights_are_said(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        """176 cm to the top of the head; a file scaled to a child is pointed out."""
        motions, _ = bvh_motions.load(write_bvh(tmp_path, person("Mixamo")[0]))
        assert motions.note == "0.01 m per unit, y up, people of 1.75 to 1.75 m" and "adult" not in caplog.text
        bvh_motions.load(write_bvh(tmp_path, person("Mixamo")[0]), scale=0.006)
        assert "people of 1.08 to 1.08 m; 1 of 1 files have no adult, check --scale and --up" in caplog.text

    def test_an_exported_file_reads_back(self, tmp_path: Path) -> None:
        """Bone lengths are constant in the clip, so only rounding to 5 decimals (degrees, centimetres) is lost."""
        world = world_clip(1)
        save(poses_of(in_camera(world)[:, None], fps=30.0), tmp_path / "own.bvh", up=(0.0, -1.0, 0.0))
        motions, _ = bvh_motions.load(tmp_path)
        relative = motions.positions - motions.positions[:, :1]
        np.testing.assert_allclose(relative, world - world[:, :1], atol=1e-5)

    def test_a_head_without_an_end_gets_a_usual_length(self, tmp_path: Path) -> None:
        rig, node_of = person("CMU")
        rig.ends[node_of["head"]] = np.zeros(3)
        motions, _ = bvh_motions.load(write_bvh(tmp_path, rig))
        length = np.linalg.norm(joint(motions.positions, "head_top") - joint(motions.positions, "neck_nose"), axis=-1)
        np.testing.assert_allclose(length, 0.11, atol=0.01)

    def test_custom_joint_sets_are_matched_by_name(self, tmp_path: Path) -> None:
        """First by the names of nodes, otherwise through H36M-17."""
        rig, node_of = person("Mixamo")
        names = ("hips", "head", "left_toe", "right_toe")
        joints = tuple(node_of[name] for name in names)
        own = Skeleton("own-4", joints, tuple((name, joints[0]) for name in joints[1:]), ())
        motions, _ = bvh_motions.load(write_bvh(tmp_path, rig), own)
        expected = [position("hips", None), position("head", None), position("toe", 0), position("toe", 1)]
        np.testing.assert_allclose(motions.positions[0], np.array(expected) / 100, atol=1e-6)
        motions, _ = bvh_motions.load(tmp_path, LSP14)
        np.testing.assert_allclose(motions.positions[0, LSP14.index("left_knee")], position("knee", 0) / 100, atol=1e-6)

    def test_unmatched_joints_are_named(self, tmp_path: Path) -> None:
        rig, node_of = person("Mixamo")
        for part in ("left_hip", "left_knee", "right_wrist", "right_elbow"):
            _rename(rig, node_of[part], f"Bone_{part[-3:]}")
        with pytest.raises(
            FormatError, match=r"a\.bvh: .*could not match left_hip, left_knee, right_elbow, right_wrist among .*Hips"
        ) as caught:
            bvh_motions.load(write_bvh(tmp_path, rig))
        assert "\n" not in str(caught.value)


class TestUnitsAndAxes:
    @pytest.mark.parametrize("unit", [100.0, 1.0, 0.1, 2.54, 5.64444], ids=["m", "cm", "mm", "inch", "cmu"])
    def test_units_are_guessed_from_the_legs(self, tmp_path: Path, unit: float) -> None:
        rig, _ = person("CMU", unit)
        motions, _ = bvh_motions.load(write_bvh(tmp_path, rig))
        np.testing.assert_allclose(joint(motions.positions, "left_ankle")[0], [0.1, 0.09, 0.0], atol=1e-5)

    def test_implausible_units_need_a_scale(self, tmp_path: Path) -> None:
        rig, _ = person("CMU", 30.0)
        path = write_bvh(tmp_path, rig)
        with pytest.raises(FormatError, match=r"legs of a person.*--scale"):
            bvh_motions.load(path)
        motions, _ = bvh_motions.load(path, scale=0.3)
        np.testing.assert_allclose(joint(motions.positions, "left_ankle")[0], [0.1, 0.09, 0.0], atol=1e-5)

    @pytest.mark.parametrize(("axes", "up"), [(Z_UP, None), (Z_UP, "z"), (X_UP, "x")], ids=["guessed", "z", "x"])
    def test_upright_people_stay_upright(self, tmp_path: Path, axes: ndarray, up: str | None) -> None:
        """Rotated, not mirrored: left, up and front keep their order."""
        rig, _ = person("Mixamo", axes=axes)
        motions, _ = bvh_motions.load(write_bvh(tmp_path, rig), up=up)
        positions = motions.positions - joint(motions.positions, "pelvis")[:, None]
        left, up_axis, front = (joint(positions, name)[0] for name in ("left_hip", "thorax", "head_top"))
        np.testing.assert_allclose(up_axis[1], 0.55, atol=1e-5)
        assert np.cross(left, up_axis) @ front > 0

    def test_lying_people_do_not_change_the_up_axis(self, tmp_path: Path) -> None:
        """One clip along z among clips of standing people: the up axis is determined from all clips."""
        for name, axes in (("lying.bvh", Z_UP), ("a.bvh", np.eye(3)), ("b.bvh", np.eye(3))):
            write_bvh(tmp_path, person("Mixamo", axes=axes)[0], name=name)
        motions, _ = bvh_motions.load(tmp_path)
        up = joint(motions.positions, "thorax") - joint(motions.positions, "pelvis")
        lying = motions.sequence == motions.names.index("lying.bvh")
        assert (up[~lying, 1] > 0.5).all() and (abs(up[lying, 1]) < 0.1).all()

    @pytest.mark.parametrize("wrong", [{"scale": 0.0}, {"scale": np.nan}, {"up": "w"}], ids=str)
    def test_invalid_options(self, tmp_path: Path, wrong: dict[str, object]) -> None:
        with pytest.raises(InputError):
            bvh_motions.load(tmp_path, **wrong)  # type: ignore[arg-type]


class TestDamagedFiles:
    def test_damaged_files_are_left_out_and_counted(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        rig, _ = person("Mixamo")
        text = write_bvh(tmp_path, rig, rest_pose(rig, 9)).read_text()
        (tmp_path / "deeper").mkdir()
        (tmp_path / "deeper" / "CUT.BVH").write_text(text[:-200])
        (tmp_path / "empty.bvh").write_text("")
        with caplog.at_level(logging.WARNING):
            motions, skipped = bvh_motions.load(tmp_path)
        assert skipped == 2 and motions.names == ("a.bvh",) and len(motions) == 9
        assert "CUT.BVH" in caplog.text and "2 of 3 BVH files cannot be used" in caplog.text

    def test_truncated_files_are_refused(self, tmp_path: Path) -> None:
        """Only truncation within the very last number can go unnoticed."""
        rig, _ = person("Mixamo")
        path = write_bvh(tmp_path, rig)
        content = path.read_bytes()
        last = len(content.rstrip()) - len(content.split()[-1])
        for end in range(0, last, 7):
            path.write_bytes(content[:end])
            with pytest.raises(FormatError, match=r"a\.bvh"):
                bvh.read(path)

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("Frames: 2", "Frames: 3"),
            ("Frames: 2", "Frames: many"),
            ("Frames: 2", "Frames: 1e300"),
            ("Frames: 2", "Frames: -2"),
            ("Frame Time: 0.0333333", "Frame Time: 0"),
            ("Frame Time: 0.0333333", "Frame Time: nan"),
            ("0.000000 0.000000\n", "0.000000 nan\n"),
            ("0.000000 0.000000\n", "0,000000 0.000000\n"),
            ("CHANNELS 3 Zrotation", "CHANNELS 3 Zscale"),
            ("CHANNELS 3 Zrotation", "CHANNELS 4 Zrotation"),
            ("CHANNELS 3 Zrotation Xrotation Yrotation", "CHANNELS 3 Zrotation Zrotation Yrotation"),
            ("OFFSET 0.000000 95", "OFFSET 95"),
            ("ROOT", "JOINT"),
            ("JOINT", "ROOT"),
            ("MOTION", "MOTIONS"),
            ("HIERARCHY", "\x00\xff\x01"),
        ],
    )
    def test_errors_are_one_line(self, tmp_path: Path, old: str, new: str) -> None:
        rig, _ = person("Mixamo")
        path = write_bvh(tmp_path, rig)
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))
        with pytest.raises(FormatError, match=r"a\.bvh: expected") as caught:
            bvh.read(path)
        assert "\n" not in str(caught.value)

    def test_a_folder_of_only_damaged_files(self, tmp_path: Path) -> None:
        (tmp_path / "a.bvh").write_text("HIERARCHY")
        with pytest.raises(FormatError, match="expected a BVH file with HIERARCHY and MOTION"):
            bvh_motions.load(tmp_path)


def _rename(rig: Rig, old: str, new: str) -> None:
    def renamed(name: str) -> str:
        return new if name == old else name

    rig.parents = {renamed(name): parent and renamed(parent) for name, parent in rig.parents.items()}
    rig.offsets = {renamed(name): offset for name, offset in rig.offsets.items()}
    rig.ends = {renamed(name): offset for name, offset in rig.ends.items()}
