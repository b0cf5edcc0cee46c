"""The setup files for OpenSim fit together, our markers, and the bodies of Rajagopal's model.

They were run with OpenSim 4.6 and that model; what it reads is described in docs/angles.md.
"""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from zedo_core.biomechanics import opensim
from zedo_core.export._markers import marker_name
from zedo_core.skeleton import FEET, H36M17

SETUP = Path(__file__).parents[2] / "examples" / "opensim"
MARKERS = {marker_name(joint) for joint in (*H36M17.joints, *FEET)}
BODIES = {
    *("pelvis", "torso"),
    *(
        f"{body}_{side}"
        for side in "rl"
        for body in ("femur", "tibia", "patella", "talus", "calcn", "toes", "humerus", "ulna", "radius", "hand")
    ),
}


def parse(name: str) -> ElementTree.Element:
    root = ElementTree.parse(SETUP / name).getroot()
    assert root.tag == "OpenSimDocument"
    return root


def texts(root: ElementTree.Element, tag: str) -> list[str]:
    return [node.text or "" for node in root.iter(tag)]


def placed() -> dict[str, tuple[str, np.ndarray]]:
    """Body and place of every marker in the model."""
    found = {}
    for marker in parse("markers.xml").iter("Marker"):
        (body,), (place,) = texts(marker, "socket_parent_frame"), texts(marker, "location")
        found[marker.get("name")] = (body.removeprefix("/bodyset/"), np.array(place.split(), dtype=float))
    return found


def test_every_joint_but_the_spine_is_a_marker_of_the_model() -> None:
    markers = placed()
    assert set(markers) == MARKERS - {"Spine"}
    assert {body for body, _ in markers.values()} <= BODIES


def test_left_and_right_are_mirrored() -> None:
    markers = placed()
    for name, (body, place) in markers.items():
        if name[0] == "R":
            other_body, other = markers[f"L{name[1:]}"]
            np.testing.assert_array_equal(other, place * (1, 1, -1))
            assert other_body == (f"{body[:-2]}_l" if body.endswith("_r") else body)


def test_the_hips_are_where_the_motions_expect_them() -> None:
    """`mot` has the same geometry."""
    markers = placed()
    np.testing.assert_allclose(markers["Hip"][1], -np.array(opensim._ORIGIN_M))
    assert markers["RHip"][1][2] == opensim._MARKER_M


def test_the_setups_fit_each_other() -> None:
    scale, ik = parse("scale.xml"), parse("ik.xml")
    for pair in texts(scale, "markers"):
        assert len(pair.split()) == 2 and set(pair.split()) <= set(placed())
    scaled = [body.get("name", "") for body in scale.iter("BodyScale")]
    assert sorted(scaled) == sorted(BODIES)
    assert {task.get("name") for task in ik.iter("IKMarkerTask")} == set(placed())
    assert texts(scale, "output_model_file") == texts(ik, "model_file") == ["scaled.osim"]
    assert texts(scale, "marker_file") == texts(ik, "marker_file") == ["poses.trc"]
    assert texts(scale, "marker_set_file") == ["markers.xml"]
    coordinates = {task.get("name") for task in ik.iter("IKCoordinateTask")}
    assert coordinates <= {*opensim._COORDINATES, "pro_sup_r", "pro_sup_l"}
