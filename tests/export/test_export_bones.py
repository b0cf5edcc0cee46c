"""Bones of BVH and GLB: their names, directions and lengths, angles without jumps, and the skeleton of LAFAN1."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from animation_readers import BONES, OWN, Glb, bvh_joints, read_bvh
from export_cases import clip, couple_with_gaps, in_camera, poses_of, t_pose, world_clip
from numpy import ndarray
from scipy.spatial.transform import Rotation

from zedo_core.data import mocap_clips
from zedo_core.errors import InputError
from zedo_core.export import save
from zedo_core.motions.upright import upright
from zedo_core.skeleton import H36M17

EXACT_M = 1e-6  # six decimals of a centimetre and of a degree
LARGEST_STEP_DEG = 90.0
LEFT_ARM = {
    "mixamo": "LeftShoulder LeftArm LeftForeArm LeftHand",
    "unreal": "clavicle_l upperarm_l lowerarm_l hand_l",
    "rigify": "shoulder.L upper_arm.L forearm.L hand.L",
    "vrm": "leftShoulder leftUpperArm leftLowerArm leftHand",
    "lafan": "LeftShoulder LeftArm LeftForeArm LeftHand",
    "zedo": "left_clavicle left_shoulder left_elbow left_wrist",
}
RIGHT_LEG = {
    "mixamo": "RightUpLeg RightLeg RightFoot RightToeBase",
    "unreal": "thigh_r calf_r foot_r ball_r",
    "rigify": "thigh.R shin.R foot.R toe.R",
    "vrm": "rightUpperLeg rightLowerLeg rightFoot rightToes",
    "lafan": "RightUpLeg RightLeg RightFoot RightToe",
    "zedo": "right_hip right_knee right_ankle right_toe",
}
TRUNK = {
    "mixamo": "Hips Spine Spine1 Spine2 Neck Head",
    "unreal": "pelvis spine_01 spine_02 spine_03 neck_01 head",
    "rigify": "spine spine.001 spine.002 spine.003 spine.004 spine.006",
    "vrm": "hips spine chest upperChest neck head",
    "lafan": "Hips Spine Spine1 Spine2 Neck Head",
    "zedo": "root pelvis spine chest thorax neck_nose",
}


def words(scheme: str, text: str) -> list[str]:
    return [f"mixamorig:{word}" if scheme == "mixamo" else word for word in text.split()]


def chain(parents: dict[str, str | None], name: str) -> list[str]:
    """The node and its ancestors, the root first."""
    parent = parents[name]
    return [name] if parent is None else [*chain(parents, parent), name]


@pytest.mark.parametrize("scheme", TRUNK)
def test_bones_have_the_names_and_order_of_the_program(tmp_path, scheme):
    save(clip(), tmp_path / "poses.bvh", names=scheme)
    save(clip(), tmp_path / "poses.glb", names=scheme)
    parents = read_bvh(tmp_path / "poses.bvh").parents
    nodes = Glb(tmp_path / "poses.glb").file.nodes
    above = {child: node.name for node in nodes for child in node.children or ()}
    scene: dict[str, str | None] = {node.name: above.get(i) for i, node in enumerate(nodes)}
    for tree in (parents, scene):
        trunk = words(scheme, TRUNK[scheme])
        for names in (LEFT_ARM, RIGHT_LEG, TRUNK):
            limb = words(scheme, names[scheme])
            assert chain(tree, limb[-1])[-len(limb) :] == limb
        assert trunk[3] in chain(tree, words(scheme, LEFT_ARM[scheme])[0])  # the arms hang on the chest
    for node in nodes:
        assert len(nodes) == len({other.name for other in nodes}), node.name


def test_unknown_names_list_the_choices(tmp_path):
    with pytest.raises(
        InputError, match=r"^--names: expected one of mixamo, unreal, rigify, vrm, lafan, zedo, found 'a'$"
    ):
        save(clip(), tmp_path / "poses.bvh", names="a")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("sequence", range(8))
def test_zedo_and_mixamo_names_have_the_same_motion(tmp_path, sequence):
    poses = clip(sequence)
    save(poses, tmp_path / "own.bvh", names="zedo")
    save(poses, tmp_path / "mixamo.bvh")
    for file, bones in (("own", OWN), ("mixamo", BONES)):
        found = read_bvh(tmp_path / f"{file}.bvh").positions
        joints = np.stack([found[bones[joint]] for joint in H36M17.joints], axis=1)
        np.testing.assert_allclose(joints, upright(poses).points, atol=EXACT_M)
    np.testing.assert_allclose(bvh_joints(tmp_path / "own.bvh", OWN), joints, atol=5 * EXACT_M)  # single precision


@pytest.mark.parametrize("scheme", ["mixamo", "zedo", "lafan"])
@pytest.mark.parametrize("missing", [None, "head_top", "left_hip", "pelvis"])
def test_no_bone_has_zero_length(tmp_path, scheme, missing):
    """As Blender makes them: from a joint to the mean of its children, or to its end."""
    joints = in_camera(world_clip(3))
    if missing is not None:
        joints[:, H36M17.index(missing)] = np.nan
    save(poses_of(joints[:, None]), tmp_path / "poses.bvh", names=scheme)
    file = read_bvh(tmp_path / "poses.bvh")
    for name in file.parents:
        children = [file.offsets[child] for child, parent in file.parents.items() if parent == name]
        end = np.mean(children, axis=0) if children else file.ends[name]
        assert np.linalg.norm(end) > 0.005, name
        # Blender takes several children as far from their parent as that is from its own for none.
        assert len(children) < 2 or np.linalg.norm(end - file.offsets[name]) > 0.001, name
    assert np.isfinite(file.angles).all()


def test_glb_bones_point_along_their_y_axes(tmp_path):
    save(couple_with_gaps(), tmp_path / "poses.glb")
    glb = Glb(tmp_path / "poses.glb")
    rest = glb.world(None)
    children = {i: node.children or [] for i, node in enumerate(glb.file.nodes)}
    for skin in glb.file.skins:
        for matrix, joint in zip(glb.array(skin.inverseBindMatrices), skin.joints, strict=True):
            np.testing.assert_allclose(matrix @ rest[joint], np.eye(4), atol=1e-6)
            below = np.array([(np.linalg.inv(rest[joint]) @ rest[child])[:3, 3] for child in children[joint]])
            assert len(below) or glb.file.nodes[joint].name.lower().endswith("end")
            for offset in below:  # straight along y, by at least 4 cm
                np.testing.assert_allclose(offset, np.linalg.norm(offset) * np.eye(3)[1], atol=1e-6)
                assert offset[1] > 0.04
    pointing = {node.name: rest[i][:3, 1] for i, node in enumerate(glb.file.nodes)}
    for bone, direction in {
        "Spine": (0, 1, 0),
        "LeftArm": (1, 0, 0),
        "RightLeg": (0, -1, 0),
        "LeftFoot": (0, 0, 1),
    }.items():
        np.testing.assert_allclose(pointing[f"mixamorig:{bone}"], direction, atol=1e-6)


def largest_step(path: Path) -> float:
    """The largest change of an angle from one frame to the next, in degrees."""
    return float(np.abs(np.diff(read_bvh(path).angles, axis=0)).max(initial=0.0))


@pytest.mark.parametrize("scheme", ["mixamo", "lafan"])
def test_angles_do_not_jump(tmp_path, scheme):
    """Nor do they in motion capture whose joints are wrong by 3 cm, so that near stretched limbs all is noise."""
    motions, rng = mocap_clips.motions(None, "test"), np.random.default_rng(0)
    for sequence in np.unique(motions.sequence):
        joints = motions.positions[motions.sequence == sequence].astype(float)
        for noise in (0.0, 0.03):
            save(
                poses_of(in_camera(joints + rng.normal(0, noise, joints.shape))[:, None]),
                tmp_path / "a.bvh",
                names=scheme,
            )
            step = largest_step(tmp_path / "a.bvh")
            print(f"{scheme}, clip {sequence}, noise {noise} m: largest step {step:.1f} degrees")
            assert noise or step <= LARGEST_STEP_DEG


def test_angles_do_not_jump_in_all_test_motions(shared, tmp_path):
    motions = mocap_clips.motions(shared / "data/mocap/mocap_h36m17.npz", "test")
    steps = []
    for sequence in np.unique(motions.sequence):
        joints = motions.positions[motions.sequence == sequence].astype(float)
        save(poses_of(in_camera(joints)[:, None]), tmp_path / "a.bvh")
        steps.append(largest_step(tmp_path / "a.bvh"))
    print(f"{len(steps)} motions: largest step {max(steps):.1f} degrees")
    assert len(steps) > 50 and max(steps) <= LARGEST_STEP_DEG


def folded(angle_deg: float) -> ndarray:
    """A T-pose whose left forearm is folded back over the upper arm, in a plane that the angle turns about it."""
    body, a = t_pose(), np.radians(angle_deg)
    elbow = body[H36M17.index("left_elbow")]
    body[H36M17.index("left_wrist")] = elbow + 0.25 * np.array((-0.999, 0.04 * np.cos(a), 0.04 * np.sin(a)))
    return body


@pytest.mark.parametrize("suffix", [".bvh", ".glb"])
def test_bones_that_pass_half_a_turn_do_not_flip(tmp_path, suffix):
    """Where the smallest rotation from the rest pose turns by 180 degrees while the bone hardly moves."""
    poses = poses_of(in_camera(np.stack([folded(0.0), folded(180.0), folded(0.0), folded(180.0)]))[:, None])
    save(poses, tmp_path / f"poses{suffix}", up="camera")
    if suffix == ".bvh":
        local = read_bvh(tmp_path / "poses.bvh").axes["mixamorig:LeftForeArm"]
    else:
        glb = Glb(tmp_path / "poses.glb")
        node = next(i for i, node in enumerate(glb.file.nodes) if node.name == "mixamorig:LeftForeArm")
        local = np.stack([glb.local(node, frame)[:3, :3] for frame in range(4)])
    steps = np.degrees(Rotation.from_matrix(local[:-1].swapaxes(1, 2) @ local[1:]).magnitude())
    assert steps.max() < 25  # 5 degrees of the bone, and what is left of the twist


class TestLafan:
    """As the data set's own reader takes it: one order of all rotations, positions of the root only."""

    JOINTS = (
        *("Hips", "LeftUpLeg", "LeftLeg", "LeftFoot", "LeftToe", "RightUpLeg", "RightLeg", "RightFoot", "RightToe"),
        *("Spine", "Spine1", "Spine2", "Neck", "Head", "LeftShoulder", "LeftArm", "LeftForeArm", "LeftHand"),
        *("RightShoulder", "RightArm", "RightForeArm", "RightHand"),
    )

    def test_hierarchy_and_channels(self, tmp_path):
        save(clip(), tmp_path / "poses.bvh", names="lafan")
        file = read_bvh(tmp_path / "poses.bvh")
        assert tuple(file.parents) == self.JOINTS and set(file.orders.values()) == {"ZYX"}
        text = (tmp_path / "poses.bvh").read_text()
        assert text.count("CHANNELS 3 Zrotation Yrotation Xrotation") == 21
        assert text.count("CHANNELS 6 Xposition Yposition Zposition Zrotation Yrotation Xrotation") == 1
        for name, offset in file.offsets.items():  # along the x axis of the parent, but for the hips
            if file.parents[name] not in (None, "Hips"):
                np.testing.assert_allclose(offset, np.linalg.norm(offset) * np.eye(3)[0], atol=1e-9)
        np.testing.assert_allclose(file.offsets["LeftUpLeg"], -file.offsets["RightUpLeg"], atol=1e-9)
        assert file.offsets["LeftUpLeg"][2] > 0.1  # left is z of the hips

    def test_axes_are_those_that_robots_are_matched_to(self, tmp_path):
        """In a T-pose that faces z: x, y and z of each joint, by the tables of GMR for the Unitree H1."""
        save(poses_of(in_camera(t_pose())[None, None]), tmp_path / "poses.bvh", names="lafan", up="camera")
        axes = read_bvh(tmp_path / "poses.bvh").axes
        left, up, front = np.eye(3)
        expected = {
            **dict.fromkeys(("Hips", "Spine2", "Head"), (up, front, left)),
            **dict.fromkeys(("LeftUpLeg", "RightLeg"), (-up, front, -left)),
            **dict.fromkeys(("LeftToe", "RightFoot"), (front, up, -left)),
            **dict.fromkeys(("LeftShoulder", "LeftArm", "LeftForeArm"), (left, -front, up)),
            **dict.fromkeys(("RightArm", "RightForeArm"), (-left, -front, -up)),
        }
        for name, columns in expected.items():
            np.testing.assert_allclose(axes[name][0], np.stack(columns, axis=1), atol=1e-6, err_msg=name)

    @pytest.mark.parametrize("sequence", range(8))
    def test_the_pelvis_is_rigid_and_the_feet_stay(self, tmp_path, sequence):
        """Hips turned forwards about the pelvis, with their legs: knees bend, feet and arms stay, but 8 cm higher."""
        joints, index = world_clip(sequence), H36M17.index
        pelvis = joints[:, index("pelvis")]
        across = joints[:, index("left_hip")] - pelvis
        forwards = np.cross(across, joints[:, index("spine")] - pelvis)
        forwards *= np.linalg.norm(across, axis=-1, keepdims=True) / np.linalg.norm(forwards, axis=-1, keepdims=True)
        for side, sign in (("left", 1), ("right", -1)):
            moved = (np.cos(0.2) - 1) * sign * across + np.sin(0.2) * forwards
            joints[:, H36M17.indices(tuple(f"{side}_{part}" for part in ("hip", "knee", "ankle")))] += moved[:, None]
        poses = poses_of(in_camera(joints)[:, None])
        save(poses, tmp_path / "poses.bvh", names="lafan")
        found, truth = read_bvh(tmp_path / "poses.bvh").positions, upright(poses).points + np.array((0, 0.08, 0))
        lafan = {joint: name.removeprefix("mixamorig:") for joint, name in BONES.items()}
        errors = {
            joint: np.linalg.norm(found[lafan[joint]] - truth[:, index(joint)], axis=-1)
            for joint in H36M17.joints
            if joint in lafan and lafan[joint] in found and joint != "pelvis"
        }
        assert errors["left_hip"].min() > 0.02  # the other way would have been to move the feet as far
        for joint in ("left_ankle", "right_ankle"):
            assert np.median(errors[joint]) < 1e-6 and errors[joint].max() < 0.012, joint  # stretched legs do not reach
        for joint in ("thorax", "neck_nose", "left_wrist", "right_wrist"):
            assert errors[joint].max() < 0.003, joint  # the spine begins at a fixed place above the pelvis
        assert np.ptp(np.linalg.norm(found["LeftUpLeg"] - found["RightUpLeg"], axis=-1)) < 1e-6
        np.testing.assert_allclose(found["Hips"], truth[:, index("pelvis")], atol=1e-6)
