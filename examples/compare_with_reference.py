"""Error of a result against triangulated markers of the same recording.

    python examples/compare_with_reference.py RESULT/poses.npz MARKERS.npz CALIBRATION.toml CAMERA

MARKERS.npz holds `X` (frame, marker, 3) in metres in the calibration's world and `names`, as RHip or
LWrist. The 12 limb joints are compared, relative to the middle of the hips.
"""

import sys

import numpy as np

import zedo_core as zedo
from zedo_core.metrics import mpjpe, pa_mpjpe

PARTS = ("Hip", "Knee", "Ankle", "Shoulder", "Elbow", "Wrist")
JOINTS = tuple(f"{side}_{part.lower()}" for side in ("right", "left") for part in PARTS)
MARKERS = tuple(f"{side}{part}" for side in "RL" for part in PARTS)


def with_root(joints: np.ndarray) -> np.ndarray:
    """The limb joints, preceded by the middle of the hips."""
    hips = joints[..., [JOINTS.index("right_hip"), JOINTS.index("left_hip")], :]
    return np.concatenate([hips.mean(-2, keepdims=True), joints], axis=-2)


def main(result: str, markers: str, calibration: str, camera_name: str) -> None:
    poses = zedo.load(result)
    camera = zedo.read_camera(calibration, camera_name)
    with np.load(markers, allow_pickle=False) as data:
        columns = [list(data["names"]).index(name) for name in MARKERS]
        world = data["X"][:, columns]
    truth = world @ np.array(camera.R_cam_from_world).T + np.array(camera.t_cam_from_world)

    ids, counts = np.unique(poses.track, return_counts=True)
    person = poses.take(poses.track == ids[counts.argmax()])  # the person present in most frames
    truth = with_root(truth[person.frame_numbers[person.frame]])
    hypotheses = with_root(person.joints[:, :, poses.skeleton.indices(JOINTS)].astype(float))

    error = 1000 * mpjpe(hypotheses, truth[:, None], root=0)
    aligned = 1000 * pa_mpjpe(hypotheses, np.broadcast_to(truth[:, None], hypotheses.shape))
    chosen = np.arange(len(error)), person.chosen
    depth = np.abs(hypotheses[chosen][:, 0, 2] / truth[:, 0, 2] - 1)
    print(f"{len(error)} frames, {len(JOINTS)} joints, {error.shape[1]} hypotheses")
    print(f"chosen          MPJPE {error[chosen].mean():6.1f} mm   PA-MPJPE {aligned[chosen].mean():6.1f} mm")
    print(f"mean over all   MPJPE {error.mean():6.1f} mm   PA-MPJPE {aligned.mean():6.1f} mm")
    print(f"best (oracle)   MPJPE {error.min(1).mean():6.1f} mm   PA-MPJPE {aligned.min(1).mean():6.1f} mm")
    print(f"depth of the root wrong by {100 * depth.mean():.1f} %")


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    main(*sys.argv[1:])
