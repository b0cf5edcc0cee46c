"""Errors of joint angles against those of triangulated markers of the same recording.

    python examples/compare_angles.py RESULT/poses.npz MARKERS.npz CALIBRATION.toml CAMERA

MARKERS.npz holds `X` (frame, marker, 3) in metres in the calibration's world and `names`, as RHip or LHeel. Prints the
mean and the worst absolute error of each angle in degrees, and the error that zedo expected.
"""

import re
import sys

import numpy as np

import zedo_core as zedo
from zedo_core.biomechanics.definitions import joint_angles
from zedo_core.motions.upright import upright

CENTRAL = {"Neck": "thorax", "Head": "head_top", "Nose": "neck_nose"}


def joint(marker: str) -> str:
    """The joint of a marker: LBigToe is left_big_toe."""
    side, part = {"L": "left", "R": "right"}.get(marker[0], ""), re.sub(r"(?<!^)([A-Z])", r"_\1", marker[1:]).lower()
    return CENTRAL.get(marker, f"{side}_{part}")


def main(result: str, markers: str, calibration: str, camera_name: str) -> None:
    poses = zedo.load(result)
    camera = zedo.read_camera(calibration, camera_name)
    ids, counts = np.unique(poses.track, return_counts=True)
    person = poses.take(poses.track == ids[counts.argmax()])  # the person present in most frames
    with np.load(markers, allow_pickle=False) as data:
        in_camera = data["X"] @ np.array(camera.R_cam_from_world).T + np.array(camera.t_cam_from_world)
        points = upright(person).transform(in_camera[person.frame_numbers[person.frame]], person.frame)
        truth = {joint(name): points[:, i] for i, name in enumerate(data["names"].tolist())}
    truth["pelvis"] = (truth["left_hip"] + truth["right_hip"]) / 2
    expected = joint_angles(truth)
    found = zedo.angles(person)
    print(f"{'':24} mean |error|  worst  expected by zedo")
    for i, name in enumerate(found.names):
        error = np.abs((found.degrees[:, i] - expected[name] + 180) % 360 - 180)
        if np.isfinite(error).any():
            rms = np.sqrt(np.nanmean(found.error_deg[:, i] ** 2))
            print(f"{name:24} {np.nanmean(error):12.1f} {np.nanmax(error):6.1f} {rms:10.1f}")


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    main(*sys.argv[1:])
