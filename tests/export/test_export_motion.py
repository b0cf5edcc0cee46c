"""BVH and GLB: independent readers recover the joints."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from animation_readers import Glb, animated, bvh_joints, bvhio
from export_cases import by_person, chain_errors, clip, couple_with_gaps, in_camera, poses_of, t_pose, world_clip

from zedo_core.errors import InputError
from zedo_core.export import save
from zedo_core.motions.upright import upright
from zedo_core.skeleton import H36M17, Skeleton

# BVH has 5 decimals of a degree and of a centimetre, glTF single precision; both readers compute in single precision.
EXACT_M = 1e-4
CLIPS = range(8)


@pytest.mark.parametrize("suffix", [".bvh", ".glb"])
@pytest.mark.parametrize("sequence", CLIPS)
def test_bones_of_constant_length_are_exact(tmp_path, suffix, sequence):
    poses = clip(sequence)
    np.testing.assert_allclose(animated(poses, tmp_path, suffix), upright(poses).points, atol=EXACT_M)


@pytest.mark.parametrize("suffix", [".bvh", ".glb"])
def test_the_error_of_fixed_bones_is_bounded_by_their_change_of_length(tmp_path, suffix):
    joints = in_camera(world_clip(2)) + np.random.default_rng(0).normal(0, 0.02, (25, len(H36M17), 3))
    poses = poses_of(joints[:, None])
    truth = upright(poses).points
    found = animated(poses, tmp_path, suffix)
    errors = np.linalg.norm(found - truth, axis=-1)
    assert (errors <= chain_errors(truth) + EXACT_M).all()
    assert errors.max() > 0.01  # the noise is there
    for child, parent in H36M17.edges:
        length = np.linalg.norm(found[:, child] - found[:, parent], axis=-1)
        assert np.ptp(length) < EXACT_M
        real = np.median(np.linalg.norm(truth[:, child] - truth[:, parent], axis=-1))
        assert length[0] == pytest.approx(real, abs=EXACT_M)


def test_a_t_pose_facing_the_camera_needs_no_rotation(tmp_path):
    save(poses_of(in_camera(t_pose())[None, None]), tmp_path / "poses.bvh", up="camera")
    *_, values = (tmp_path / "poses.bvh").read_text().splitlines()
    np.testing.assert_allclose([float(value) for value in values.split()][3:], 0, atol=1e-4)
    save(poses_of(in_camera(t_pose())[None, None]), tmp_path / "poses.glb")
    rest = Glb(tmp_path / "poses.glb").pose(None)
    np.testing.assert_allclose(rest, t_pose(), atol=1e-6)  # the rest pose: a T-pose on the floor that faces z


def test_rotations_are_the_smallest(tmp_path):
    """A forearm at 90 degrees: one rotation by 90 degrees at the elbow, none elsewhere."""
    body = t_pose()
    body[H36M17.index("left_wrist")] = body[H36M17.index("left_elbow")] + (0, 0, 0.25)
    save(poses_of(in_camera(body)[None, None]), tmp_path / "poses.glb", up="camera")
    glb = Glb(tmp_path / "poses.glb")
    turned = {
        node.name: glb.local(i, None)[:3, :3].T @ glb.local(i, 0)[:3, :3] for i, node in enumerate(glb.file.nodes)
    }
    angles = {name: np.degrees(np.arccos(np.clip((np.trace(R) - 1) / 2, -1, 1))) for name, R in turned.items()}
    assert angles.pop("mixamorig:LeftForeArm") == pytest.approx(90, abs=0.01)
    assert max(angles.values()) < 0.1  # degrees; an arc cosine near 1 in single precision


@pytest.mark.parametrize("suffix", [".bvh", ".glb"])
@pytest.mark.parametrize("joint", ["left_wrist", "head_top", "right_knee"])
def test_bones_opposite_to_the_rest_pose(tmp_path, suffix, joint):
    """Half a turn from the rest pose, where the smallest rotation is not unique."""
    body = t_pose()
    i, parent = H36M17.index(joint), H36M17.parents[H36M17.index(joint)]
    body[i] = 2 * body[parent] - body[i]
    poses = poses_of(in_camera(body)[None, None])
    np.testing.assert_allclose(animated(poses, tmp_path, suffix), upright(poses).points, atol=EXACT_M)


def test_bvh_gaps_are_interpolated_with_a_warning(tmp_path, caplog):
    poses = couple_with_gaps()
    with caplog.at_level(logging.WARNING, "zedo_core"):
        files = save(poses, tmp_path / "poses.bvh")
    assert [file.name for file in files] == ["poses_person3.bvh", "poses_person8.bvh"]
    first, second = (record.getMessage() for record in caplog.records)
    assert first.startswith("poses_person3.bvh: 5 of 25 frames lack")
    assert second.startswith("poses_person8.bvh: 24 of 25 frames lack")
    truth = by_person(poses, upright(poses).points)
    found = bvh_joints(files[0])
    known = np.isfinite(truth[:, 0]).all(-1)
    np.testing.assert_allclose(found[known], truth[:, 0][known], atol=EXACT_M)
    pelvis = H36M17.index("pelvis")
    line = np.linspace(truth[4, 0, pelvis], truth[9, 0, pelvis], 6)
    np.testing.assert_allclose(found[4:10, pelvis], line, atol=EXACT_M)
    held = bvh_joints(files[1])
    np.testing.assert_allclose(held, np.tile(truth[12, 1], (25, 1, 1)), atol=EXACT_M)


def test_bvh_is_in_centimetres_at_the_frame_rate(tmp_path):
    save(clip(fps=59.94), tmp_path / "poses.bvh")
    found = bvhio.readAsBvh(str(tmp_path / "poses.bvh"))
    assert found.FrameCount == 25
    assert found.FrameTime == pytest.approx(1 / 59.94, abs=1e-8)
    text = (tmp_path / "poses.bvh").read_text()
    assert text.count("ROOT") == 1 and text.count("End Site") == 5 and "nan" not in text.lower()


def test_glb_people_share_a_file_and_are_hidden_when_absent(tmp_path):
    poses = couple_with_gaps()
    assert save(poses, tmp_path / "poses.glb") == (tmp_path / "poses.glb",)
    glb = Glb(tmp_path / "poses.glb")
    names = [glb.file.nodes[i].name for i in glb.file.scenes[0].nodes]
    assert names == ["person3", "person3_body", "person8", "person8_body"]
    truth = by_person(poses, upright(poses).points)
    for p, name in enumerate(("person3", "person8")):
        root = next(i for i, node in enumerate(glb.file.nodes) if node.name == name)
        scales = np.array([glb.world(frame)[root][0, 0] for frame in range(25)])
        np.testing.assert_array_equal(scales, np.isfinite(truth[:, p]).all(-1).any(-1))
        known = np.isfinite(truth[:, p]).all(-1)
        np.testing.assert_allclose(glb.joints(p)[known], truth[:, p][known], atol=EXACT_M)
    hiding = [s for s in glb.file.animations[0].samplers if s.interpolation == "STEP"]
    assert len(hiding) == 2


def test_glb_body_follows_the_bones(tmp_path):
    """The ends of every octahedron are the ends of a bone in every frame."""
    poses = clip(1)
    save(poses, tmp_path / "poses.glb")
    glb, truth = Glb(tmp_path / "poses.glb"), upright(poses).points
    for frame in (0, 24):
        joint = dict(zip(H36M17.joints, truth[frame], strict=True))
        chest = joint["spine"] + 0.45 * (joint["thorax"] - joint["spine"])  # a bone of its own
        bones = [truth[frame][[parent, child]] for child, parent in H36M17.edges if child != H36M17.index("thorax")]
        bones += [np.stack([joint["spine"], chest]), np.stack([chest, joint["thorax"]])]
        ends = glb.body(frame)[:, [0, 5]]
        assert len(ends) == len(bones) == 17
        nearest = [min(np.abs(bone - end).max() for end in ends) for bone in bones]
        assert max(nearest) < 1e-3
    assert len(glb.file.meshes[0].primitives) == 3  # left, right, centre
    corners = sum(len(glb.array(part.indices)) for part in glb.file.meshes[0].primitives)
    assert corners == 17 * 8 * 3


def test_glb_faces_point_outwards(tmp_path):
    save(poses_of(in_camera(t_pose())[None, None]), tmp_path / "poses.glb")
    glb = Glb(tmp_path / "poses.glb")
    for part in glb.file.meshes[0].primitives:
        corners, faces = glb.array(part.attributes.POSITION), glb.array(part.indices).reshape(-1, 8, 3)
        for bone in faces:
            centre = corners[np.unique(bone)].mean(0)
            a, b, c = corners[bone].swapaxes(0, 1)
            assert ((np.cross(b - a, c - a) * (a - centre)).sum(-1) > 0).all()


def test_glb_times_and_quaternions(tmp_path):
    """A person who spins twice: the signs of quaternions must not flip."""
    turns = np.linspace(0, 4 * np.pi, 25)
    spins = [t_pose() @ [[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]] for a in turns]
    save(poses_of(in_camera(np.array(spins))[:, None], fps=50.0), tmp_path / "poses.glb")
    glb = Glb(tmp_path / "poses.glb")
    np.testing.assert_allclose(glb.times, np.arange(25) / 50, atol=1e-6)
    for channel in glb.file.animations[0].channels:
        if channel.target.path == "rotation":
            q = glb.array(glb.file.animations[0].samplers[channel.sampler].output)
            assert ((q[1:] * q[:-1]).sum(-1) >= 0).all()  # the shorter way between two frames


@pytest.mark.parametrize("suffix", [".bvh", ".glb"])
def test_one_frame_and_a_joint_that_is_never_known(tmp_path, suffix):
    joints = in_camera(world_clip(5, 1))[:, None]
    joints[:, :, H36M17.index("head_top")] = np.nan
    poses = poses_of(joints)
    found, truth = animated(poses, tmp_path, suffix), upright(poses).points
    assert np.isfinite(found).all()
    known = np.isfinite(truth)
    np.testing.assert_allclose(found[known], truth[known], atol=EXACT_M)


@pytest.mark.parametrize("suffix", [".bvh", ".glb"])
def test_other_joint_sets_are_refused(tmp_path, suffix):
    mine = Skeleton("mine", tuple(f"marker {i}" for i in range(len(H36M17))), ())
    with pytest.raises(InputError, match=r"expected the joint set h36m-17, found mine; use csv, trc or c3d"):
        save(poses_of(in_camera(t_pose())[None, None], skeleton=mine), tmp_path / f"poses{suffix}")
    assert not list(tmp_path.iterdir())
