"""Bodies whose segments were measured."""

from __future__ import annotations

import json

import numpy as np
import pytest

from zedo_core.errors import FormatError, InputError
from zedo_core.motions.body import Body
from zedo_core.motions.segments import Segments, read_segments
from zedo_core.skeleton import COCO17, H36M17

BODY = Body(H36M17, np.linspace(0.1, 0.4, len(H36M17.edges)))


def length_m(body: Body, joint: str) -> float:
    return float(body.lengths_m[[child for child, _ in body.skeleton.bones].index(joint)])


def test_measured_segments_have_their_lengths_and_the_others_are_scaled(tmp_path):
    (tmp_path / "body.toml").write_text("thigh = 0.43\nhip_width = 0.3\n[3]\nthigh = 0.5\n")
    segments = read_segments(tmp_path / "body.toml")
    for track, thigh_m in ((0, 0.43), (3, 0.5)):
        body = segments.applied(BODY, track)
        assert length_m(body, "left_knee") + length_m(body, "right_knee") == pytest.approx(2 * thigh_m)
        assert length_m(body, "left_hip") + length_m(body, "right_hip") == pytest.approx(0.3)
        ratio = {length_m(body, j) / length_m(BODY, j) for j in ("spine", "head_top", "left_wrist", "right_ankle")}
        assert max(ratio) == pytest.approx(min(ratio))


def test_the_trunk_has_two_bones_and_one_length():
    body = Segments({"trunk": 0.6}).applied(BODY, 0)
    assert length_m(body, "spine") + length_m(body, "thorax") == pytest.approx(0.6)
    assert length_m(body, "spine") / length_m(body, "thorax") == pytest.approx(
        length_m(BODY, "spine") / length_m(BODY, "thorax")
    )


def test_json_says_the_same(tmp_path):
    (tmp_path / "body.json").write_text(json.dumps({"thigh": 0.43, "3": {"shank": 0.4}}))
    assert read_segments(tmp_path / "body.json").of(3) == {"thigh": 0.43, "shank": 0.4}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected segments such as thigh = 0.43, found none"),
        ("[3]\n", "found none"),
        ("thigh = 43\n", "thigh: expected 0.02 to 1 metres, found 43"),
        ("thigh = true\n", "thigh: expected 0.02 to 1 metres, found True"),
        ("thigh = nan\n", "thigh: expected 0.02 to 1 metres, found nan"),
        ("thigh = '0.4'\n", "thigh: expected 0.02 to 1 metres, found '0.4'"),
        ("femur = 0.43\n", "expected segments of thigh, shank, .*, found 'femur'"),
        ("[anna]\nthigh = 0.43\n", "expected the id of a person .*, found 'anna'"),
        ("thigh = 0.43\nshank = 0.2\nforearm = 0.25\n", "shank of 0.2 m contradicts the other segments"),
        ("thigh = 0.43\nforearm = 0.25\n[3]\nupper_arm = 0.6\n", "upper_arm of 0.6 m contradicts"),
        ("thigh : 0.43", "expected TOML, or JSON in a .json file"),
    ],
)
def test_what_is_not_a_body(tmp_path, text, message):
    (tmp_path / "body.toml").write_text(text)
    with pytest.raises(FormatError, match=message):
        read_segments(tmp_path / "body.toml")


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match="nothing to read"):
        read_segments(tmp_path / "none.toml")
    (tmp_path / "list.json").write_text("[1]")
    with pytest.raises(FormatError, match="found a list"):
        read_segments(tmp_path / "list.json")
    (tmp_path / "large.json").write_text(" " * (1 << 21))
    with pytest.raises(FormatError, match="expected a small file"):
        read_segments(tmp_path / "large.json")


def test_joint_sets_without_a_bone_for_a_segment():
    coco = Body(COCO17, np.ones(len(COCO17.edges)))
    with pytest.raises(InputError, match="has no bones for trunk; leave it out"):
        Segments({"trunk": 0.5}).applied(coco, 0)
