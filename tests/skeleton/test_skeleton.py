"""Joint sets: their orders, their bones, and the conversion between all pairs by name."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zedo_core.errors import InputError
from zedo_core.skeleton import (
    BLAZEPOSE33,
    BODY25,
    COCO17,
    COCO18,
    H36M17,
    HALPE26,
    LSP14,
    SKELETONS,
    Skeleton,
    conversion,
    get_skeleton,
    mirrored,
)

ALL = sorted(SKELETONS.values(), key=lambda skeleton: skeleton.name)
skeletons = pytest.mark.parametrize("skeleton", ALL, ids=lambda skeleton: skeleton.name)
pairs = pytest.mark.parametrize(("source", "target"), [*product(ALL, ALL)], ids=lambda skeleton: skeleton.name)

# The published joint orders, position by position; `l` and `r` stand for left and right.
ORDERS = {
    "coco-17": "nose l_eye r_eye l_ear r_ear l_shoulder r_shoulder l_elbow r_elbow l_wrist r_wrist l_hip r_hip l_knee "
    "r_knee l_ankle r_ankle",
    "halpe-26": "nose l_eye r_eye l_ear r_ear l_shoulder r_shoulder l_elbow r_elbow l_wrist r_wrist l_hip r_hip l_knee "
    "r_knee l_ankle r_ankle head_top neck pelvis l_big_toe r_big_toe l_small_toe r_small_toe l_heel r_heel",
    "coco-23": "nose l_eye r_eye l_ear r_ear l_shoulder r_shoulder l_elbow r_elbow l_wrist r_wrist l_hip r_hip l_knee "
    "r_knee l_ankle r_ankle l_big_toe l_small_toe l_heel r_big_toe r_small_toe r_heel",
    "coco-18": "nose neck r_shoulder r_elbow r_wrist l_shoulder l_elbow l_wrist r_hip r_knee r_ankle l_hip l_knee "
    "l_ankle r_eye l_eye r_ear l_ear",
    "body-25": "nose neck r_shoulder r_elbow r_wrist l_shoulder l_elbow l_wrist pelvis r_hip r_knee r_ankle l_hip "
    "l_knee l_ankle r_eye l_eye r_ear l_ear l_big_toe l_small_toe l_heel r_big_toe r_small_toe r_heel",
    "body-25b": "nose l_eye r_eye l_ear r_ear l_shoulder r_shoulder l_elbow r_elbow l_wrist r_wrist l_hip r_hip l_knee "
    "r_knee l_ankle r_ankle neck head_top l_big_toe l_small_toe l_heel r_big_toe r_small_toe r_heel",
    "blazepose-33": "nose l_eye_inner l_eye l_eye_outer r_eye_inner r_eye r_eye_outer l_ear r_ear l_mouth r_mouth "
    "l_shoulder r_shoulder l_elbow r_elbow l_wrist r_wrist l_pinky r_pinky l_index r_index l_thumb r_thumb l_hip r_hip "
    "l_knee r_knee l_ankle r_ankle l_heel r_heel l_foot r_foot",
    "h36m-17": "pelvis r_hip r_knee r_ankle l_hip l_knee l_ankle spine thorax neck_nose head_top l_shoulder l_elbow "
    "l_wrist r_shoulder r_elbow r_wrist",
    "lsp-14": "r_hip r_knee r_ankle l_hip l_knee l_ankle thorax head_top l_shoulder l_elbow l_wrist r_shoulder r_elbow "
    "r_wrist",
}


def published_order(name: str) -> tuple[str, ...]:
    sides = {"l": "left", "r": "right"}
    split = [joint.split("_", 1) for joint in ORDERS[name].split()]
    return tuple("_".join([sides.get(first, first), *rest]) for first, *rest in split)


@skeletons
def test_joint_order_is_the_published_one(skeleton):
    assert skeleton.joints == published_order(skeleton.name)


def test_lsp_is_a_subset_of_h36m():
    rows = H36M17.indices(LSP14.joints)
    assert rows == [*range(1, 7), 8, *range(10, 17)]


@skeletons
def test_size_is_in_the_name(skeleton):
    assert len(skeleton) == int(skeleton.name.rsplit("-", 1)[1].rstrip("b")) == len(set(skeleton.joints))


@skeletons
def test_every_joint_has_at_most_one_parent_and_there_are_no_cycles(skeleton):
    children = [child for child, _ in skeleton.bones]
    assert len(children) == len(set(children))
    for joint in range(len(skeleton)):
        seen = set()
        while joint >= 0:
            assert joint not in seen
            seen.add(joint)
            joint = skeleton.parents[joint]


@skeletons
def test_edges_and_parents_agree_with_bones(skeleton):
    named = {(skeleton.joints[child], skeleton.joints[parent]) for child, parent in skeleton.edges}
    assert named == set(skeleton.bones)
    from_parents = {
        (skeleton.joints[child], skeleton.joints[parent])
        for child, parent in enumerate(skeleton.parents)
        if parent >= 0
    }
    assert from_parents == named


@pytest.mark.parametrize("skeleton", [H36M17, BODY25, HALPE26, COCO18, LSP14], ids=lambda skeleton: skeleton.name)
def test_bones_form_a_single_tree(skeleton):
    assert skeleton.parents.count(-1) == 1


@skeletons
def test_mirror_is_an_involution_that_swaps_sides(skeleton):
    mirror = np.array(skeleton.mirror)
    np.testing.assert_array_equal(mirror[mirror], np.arange(len(skeleton)))
    other = {"left": "right", "right": "left", "centre": "centre"}
    for joint, image in enumerate(skeleton.mirror):
        assert skeleton.side(image) == other[skeleton.side(joint)]
        assert (joint == image) == (skeleton.side(joint) == "centre")


@skeletons
def test_bones_are_symmetric(skeleton):
    # As sets of ends: a bone across the body is its own mirror image with the direction reversed.
    assert {frozenset(map(mirrored, bone)) for bone in skeleton.bones} == {*map(frozenset, skeleton.bones)}


@pytest.mark.parametrize("spelling", ["COCO17", "coco-17", "Coco_17", "coco 17"])
def test_case_and_punctuation_of_names_do_not_matter(spelling):
    assert get_skeleton(spelling) is COCO17


def test_errors_list_the_known_names():
    with pytest.raises(InputError, match=r"joint set 'coco-99' is not known; expected one of .*coco-17"):
        get_skeleton("coco-99")
    with pytest.raises(InputError, match=r"coco-17 has no joint 'tail'; it has nose, left_eye"):
        COCO17.index("tail")
    with pytest.raises(InputError, match="tail"):
        COCO17.indices(("nose", "tail"))


@pairs
def test_conversion_keeps_joints_of_the_same_name(source, target):
    rule = conversion(source, target)
    for row, joint in enumerate(target.joints):
        if joint in source.joints:
            assert rule.weights[row].tolist() == np.eye(len(source))[source.index(joint)].tolist()
            assert rule.factors[row] == 1


@pairs
def test_conversion_takes_means_of_its_sources(source, target):
    rule = conversion(source, target)
    sums = rule.weights.sum(axis=1)
    # Halves and quarters: exact in binary.
    assert set(sums.tolist()) <= {0.0, 1.0}
    np.testing.assert_array_equal(sums > 0, rule.factors > 0)
    assert (rule.weights >= 0).all() and (rule.factors <= 1).all()


@pairs
def test_conversion_commutes_with_the_mirror(source, target):
    rule = conversion(source, target)
    np.testing.assert_array_equal(rule.weights[:, list(source.mirror)], rule.weights[list(target.mirror)])
    np.testing.assert_array_equal(rule.factors, rule.factors[list(target.mirror)])


@skeletons
def test_conversion_to_itself_changes_nothing(skeleton):
    points = np.random.default_rng(0).normal(size=(3, len(skeleton), 2))
    rule = conversion(skeleton, skeleton)
    np.testing.assert_array_equal(rule.points(points), points)
    np.testing.assert_array_equal(rule.confidence(points[..., 0] ** 2), points[..., 0] ** 2)


# The sources of H36M-17's joints, as documented.
H36M_FROM_COCO = {
    "pelvis": {"left_hip", "right_hip"},
    "thorax": {"left_shoulder", "right_shoulder"},
    "spine": {"left_hip", "right_hip", "left_shoulder", "right_shoulder"},
    "neck_nose": {"nose"},
    "head_top": {"left_eye", "right_eye"},
}
H36M_FROM_HALPE = {
    "pelvis": {"pelvis"},
    "thorax": {"neck"},
    "spine": {"pelvis", "neck"},
    "neck_nose": {"nose"},
    "head_top": {"head_top"},
}


@pytest.mark.parametrize(("source", "table"), [(COCO17, H36M_FROM_COCO), (HALPE26, H36M_FROM_HALPE)])
def test_h36m_is_derived_as_documented(source, table):
    rule = conversion(source, H36M17)
    for joint in H36M17.joints:
        weights = rule.weights[H36M17.index(joint)]
        used = {source.joints[i] for i in np.flatnonzero(weights)}
        assert used == table.get(joint, {joint})
        assert weights[weights > 0].tolist() == [1 / len(used)] * len(used)


@pytest.mark.parametrize("source", [COCO17, HALPE26, BODY25, COCO18, BLAZEPOSE33], ids=lambda s: s.name)
def test_every_detector_gives_all_of_h36m(source):
    assert (conversion(source, H36M17).factors > 0).all()


def test_a_derived_joint_has_a_lower_confidence():
    confidence = conversion(COCO17, H36M17).confidence(np.ones(len(COCO17)))
    derived = H36M17.indices(("pelvis", "spine", "thorax", "neck_nose", "head_top"))
    assert (confidence[derived] < 1).all()
    assert (np.delete(confidence, derived) == 1).all()
    assert confidence[H36M17.index("head_top")] == confidence.min()


@given(hip=st.floats(0, 1), other=st.floats(0, 1))
def test_confidence_is_the_lowest_of_the_sources_times_the_factor(hip, other):
    confidence = np.ones(len(COCO17))
    confidence[COCO17.index("left_hip")], confidence[COCO17.index("right_hip")] = hip, other
    rule, pelvis = conversion(COCO17, H36M17), H36M17.index("pelvis")
    assert rule.confidence(confidence)[pelvis] == rule.factors[pelvis] * min(hip, other)


def test_joint_without_sources_has_no_confidence():
    hand = Skeleton("hand", ("wrist", "thumb"), (("thumb", "wrist"),))
    rule = conversion(hand, LSP14)
    assert not rule.weights.any()
    assert rule.confidence(np.ones((5, 2))).tolist() == np.zeros((5, len(LSP14))).tolist()


def test_conversion_is_read_only():
    with pytest.raises(ValueError, match="read-only"):
        conversion(COCO17, H36M17).weights[0] = 1
