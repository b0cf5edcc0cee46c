"""BVH and GLB in Blender, imported by the example: scale, rate, bones, places of joints, and another rig that follows.

Blender's Python module needs a certain version of Python, so it runs in a process of its own.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from animation_readers import BONES
from export_cases import by_person, clip, couple_with_gaps
from numpy import ndarray

from zedo_core.export import save
from zedo_core.motions.upright import upright
from zedo_core.skeleton import H36M17

EXAMPLE = Path(__file__).parents[2] / "examples" / "blender_import.py"
SCENE = Path(__file__).parents[1] / "cases" / "blender_scene.py"
FIRST = {".bvh": 1, ".glb": 0}  # where Blender puts the first frame
EXACT_M = 2e-5  # single precision, of chains of rotations in a scene of some metres


@pytest.fixture(scope="module")
def python() -> str:
    """The Python that has Blender's module: ZEDO_BPY, or that of the tests."""
    found = os.environ.get("ZEDO_BPY") or (sys.executable if importlib.util.find_spec("bpy") else None)
    if not found:
        pytest.skip("no bpy here, and ZEDO_BPY is not set to a Python that has it (pip install bpy==4.2.0)")
    return found


def run(python: str, *words: object) -> str:
    """Output of a script; without the variables of this Python, and without those that check shapes."""
    done = subprocess.run([python, *map(str, words)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def report(python: str, *words: object) -> Any:
    output = run(python, SCENE, *words)
    return json.loads(next(line[4:] for line in output.splitlines() if line.startswith("JSON")))


def imported(python: str, *files: Path) -> Path:
    output = run(python, EXAMPLE, *files)
    blend = files[0].with_suffix(".blend")
    assert str(blend) in output and blend.is_file()
    return blend


def z_up(points: ndarray) -> ndarray:
    """From y up to Blender's axes."""
    return np.stack([points[..., 0], -points[..., 2], points[..., 1]], axis=-1)


@pytest.mark.parametrize("fps", [25.0, 29.97])
@pytest.mark.parametrize("suffix", [".bvh", ".glb"])
def test_scale_rate_bones_and_joints(python, tmp_path, suffix, fps):
    poses = clip(1, fps=fps)
    save(poses, tmp_path / f"walk{suffix}")
    first = FIRST[suffix]
    frames = [first, first + 12, first + 24]
    found = report(python, "show", imported(python, tmp_path / f"walk{suffix}"), ",".join(map(str, frames)))
    assert found["fps"] == pytest.approx(fps, rel=1e-6)
    assert (found["start"], found["end"]) == (first, first + 24)
    np.testing.assert_allclose(found["keys"], first + np.arange(25), atol=1e-3)
    ((name, armature),) = found["armatures"].items()
    assert name == ("walk" if suffix == ".bvh" else "person1")
    bones = {bone: (length, parent) for bone, (length, parent, _) in armature["bones"].items()}
    assert min(length for length, _ in bones.values()) >= 0.039 and max(length for length, _ in bones.values()) < 0.6
    assert bones["mixamorig:LeftUpLeg"][1] == "mixamorig:LeftHip"
    heads = np.stack([armature["heads"][BONES[joint]] for joint in H36M17.joints], axis=1)
    np.testing.assert_allclose(heads, z_up(upright(poses).points[[0, 12, 24]]), atol=EXACT_M)


def test_two_people_of_one_file(python, tmp_path):
    poses = couple_with_gaps()
    save(poses, tmp_path / "two.glb")
    found = report(python, "show", imported(python, tmp_path / "two.glb"), "0,5,12")
    assert set(found["armatures"]) == {"person3", "person8"}
    assert found["armatures"]["person3"]["scale"] == [1, 0, 1]
    assert found["armatures"]["person8"]["scale"] == [0, 0, 1]
    truth = z_up(by_person(poses, upright(poses).points)[12])
    for person, name in enumerate(("person3", "person8")):
        heads = [found["armatures"][name]["heads"][BONES[joint]][2] for joint in H36M17.joints]
        np.testing.assert_allclose(heads, truth[person], atol=EXACT_M)


def test_files_of_several_people_become_one_scene(python, tmp_path):
    files = save(couple_with_gaps(), tmp_path / "two.bvh")
    found = report(python, "show", imported(python, *files), "1")
    assert set(found["armatures"]) == {"two_person3", "two_person8"}


@pytest.mark.parametrize("suffix", [".bvh", ".glb"])
@pytest.mark.parametrize(("how", "bound_deg"), [("constraints", 0.1), ("local", 3.0)])
def test_a_rig_with_the_names_of_mixamo_follows(python, tmp_path, suffix, how, bound_deg):
    """Of another size, without the bones that zedo adds: limbs have the same directions in the world."""
    save(clip(2), tmp_path / f"walk{suffix}")
    first = FIRST[suffix]
    blend = imported(python, tmp_path / f"walk{suffix}")
    found = report(python, "follow", blend, f"{first},{first + 8},{first + 24}", how)
    assert len(found["rig"]) == 20
    for bone, directions in found["source"].items():
        cosine = (np.array(directions) * found["rig"][bone]).sum(-1)
        assert np.degrees(np.arccos(np.clip(cosine, -1, 1))).max() < bound_deg, bone


def test_what_is_no_file_is_named(python, tmp_path):
    done = subprocess.run([python, str(EXAMPLE), str(tmp_path / "none.bvh")], capture_output=True, text=True)
    assert done.returncode == 1
    assert f"expected BVH or GLB files after --, found {tmp_path / 'none.bvh'}" in done.stderr
