"""Custom joint sets: read from files, written into weights, and refused when not valid."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from train_cases import CPU, OWN, TINY, own_file, synthetic_mixture

from zedo_core.errors import FormatError, InputError, WeightsError
from zedo_core.methods.zedo.prior import load_prior
from zedo_core.methods.zedo.training import train_prior
from zedo_core.skeleton import COCO17, H36M17, LSP14, SKELETONS, Skeleton
from zedo_core.skeleton.files import find_skeleton, load_skeleton, parse_skeleton, skeleton_json


def test_names_parents_and_pairs(tmp_path: Path) -> None:
    own = load_skeleton(own_file(tmp_path))
    assert own.name == "own-8" and own.joints[own.root] == "neck" and len(own.edges) == 7
    assert own.joints[own.parents[own.index("hand.L")]] == "elbow.L"
    assert [own.joints[i] for i in own.mirror] == [
        *("neck", "head", "shoulder.R", "hand.R", "shoulder.L", "hand.L", "elbow.R", "elbow.L")
    ]
    assert own.side(own.index("hand.R")) == "right" and own.side(own.root) == "centre"
    assert len(own.bone_pairs) == 3


def test_alternative_fields_give_the_same_joint_set(tmp_path: Path) -> None:
    own = load_skeleton(own_file(tmp_path))
    numbers = [own.joints.index(parent) if parent else -1 for parent in OWN["parents"]]  # type: ignore[union-attr]
    assert load_skeleton(own_file(tmp_path, parents=numbers)) == own
    lists = {"left": [pair[0] for pair in own.pairs or ()], "right": [pair[1] for pair in own.pairs or ()]}
    assert parse_skeleton({k: v for k, v in OWN.items() if k != "symmetric"} | lists, "x") == own
    plain = {"joints": ["a", "left_b", "right_b"], "parents": [None, "a", "a"]}
    assert parse_skeleton(plain, "x").mirror == (0, 2, 1)


@pytest.mark.parametrize("skeleton", [H36M17, LSP14], ids=lambda s: s.name)
def test_known_joint_sets_are_found_by_name(skeleton: Skeleton) -> None:
    assert find_skeleton(skeleton.name) is skeleton and skeleton_json(skeleton) == skeleton.name


def test_json_round_trip(tmp_path: Path) -> None:
    own = load_skeleton(own_file(tmp_path))
    assert parse_skeleton(json.loads(json.dumps(skeleton_json(own))), "x") == own
    impostor = Skeleton("h36m-17", own.joints, own.bones, own.pairs)  # a known name for other joints
    assert parse_skeleton(skeleton_json(impostor), "x") == impostor
    assert find_skeleton(str(own_file(tmp_path))) == own


def test_roots() -> None:
    roots = {}
    for skeleton in SKELETONS.values():
        try:
            roots[skeleton.name] = skeleton.joints[skeleton.root]
        except InputError:
            roots[skeleton.name] = None
    assert roots == {
        "h36m-17": "pelvis",
        "lsp-14": "thorax",
        "coco-17": None,
        "coco-23": None,
        "coco-18": "neck",
        "body-25": "pelvis",
        "body-25b": "neck",
        "halpe-26": "pelvis",
        "blazepose-33": None,
    }


WRONG: dict[str, dict[str, Any]] = {
    "list of names": {"joints": "neck"},
    "different names": {"joints": ["neck"] * 8},
    "2 to 200": {"joints": [], "parents": []},
    "each of 8 joints": {"parents": [None, "neck"]},
    "parent of head": {"parents": [None, "tail", *OWN["parents"][2:]]},  # type: ignore[index]
    "parent of shoulder": {"parents": [None, "neck", 99, *OWN["parents"][3:]]},  # type: ignore[index]
    "found 2": {"parents": [None, None, *OWN["parents"][2:]]},  # type: ignore[index]
    "found 0": {"parents": ["head", *OWN["parents"][1:]]},  # type: ignore[index]
    "cycle": {"parents": [None, "neck", "neck", "elbow.L", "neck", "elbow.R", "hand.L", "shoulder.R"]},
    "found tail": {"symmetric": [["head", "tail"]]},
    "two pairs": {"symmetric": [["head", "neck"], ["neck", "hand.L"]]},
    "'symmetric'": {"symmetric": [["head"]]},
    "'name'": {"name": 3},
}


@pytest.mark.parametrize("word", WRONG)
def test_invalid_joint_sets_are_refused(tmp_path: Path, word: str) -> None:
    with pytest.raises(FormatError, match=rf"own\.json: .*{word}") as caught:
        load_skeleton(own_file(tmp_path, **WRONG[word]))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["", "[]", "{", "3", "[" * 100_000], ids=["empty", "list", "cut", "number", "deep"])
def test_invalid_json_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "own.json").write_text(content)
    with pytest.raises(FormatError, match=r"own\.json"):
        load_skeleton(tmp_path / "own.json")


def test_missing_pairs_and_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="left_b has no right_b"):
        parse_skeleton({"joints": ["a", "left_b"], "parents": [None, "a"]}, "x")
    with pytest.raises(FormatError, match="as many joints on the left"):
        parse_skeleton({"joints": ["a", "b"], "parents": [None, "a"], "left": ["b"]}, "x")
    with pytest.raises(FormatError, match="no such file"):
        find_skeleton(str(tmp_path / "none.json"))
    with pytest.raises(InputError, match="martian"):
        find_skeleton("martian")


class TestWeights:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        train_prior(synthetic_mixture(), tmp_path, TINY, device=CPU)
        return tmp_path

    def with_skeleton(self, folder: Path, skeleton: Any) -> Path:
        path = folder / "prior.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"skeleton": skeleton}))
        return folder

    def test_a_joint_set_in_full(self, folder: Path) -> None:
        own = {"name": "renamed", "joints": list(H36M17.joints), "parents": list(H36M17.parents)}
        assert load_prior(self.with_skeleton(folder, own)).skeleton.name == "renamed"

    def test_a_joint_set_with_two_roots_is_refused(self, folder: Path) -> None:
        """It has 17 joints, as the network expects, but does not form a tree."""
        assert len(COCO17) == 17
        with pytest.raises(WeightsError, match=r"prior\.json: 'skeleton': .*coco-17.*single tree.*2 roots"):
            load_prior(self.with_skeleton(folder, "coco-17"))

    @pytest.mark.parametrize("skeleton", ["lsp-14", OWN], ids=["known", "own"])
    def test_another_number_of_joints_is_refused(self, folder: Path, skeleton: Any) -> None:
        with pytest.raises(WeightsError, match="expected a network for"):
            load_prior(self.with_skeleton(folder, skeleton))

    @pytest.mark.parametrize("skeleton", [None, 17, ["h36m-17"], {"joints": []}], ids=str)
    def test_an_invalid_joint_set_is_refused(self, folder: Path, skeleton: Any) -> None:
        with pytest.raises(WeightsError, match="'skeleton'"):
            load_prior(self.with_skeleton(folder, skeleton))
