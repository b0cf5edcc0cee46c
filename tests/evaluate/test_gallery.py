"""The content of the gallery's page."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from gallery_cases import MIDDLE, NASTY, PIXELS, POINTS, Page, case, write_and_read

from zedo_core.errors import InputError, OutputError
from zedo_core.evaluate.gallery import write_gallery
from zedo_core.render.draw import SIDES
from zedo_core.skeleton import COCO17, H36M17, LSP14, Skeleton


def test_the_page_makes_no_requests(tmp_path):
    text = write_and_read(tmp_path, [case()])
    assert not re.search(r"https?:|\bsrc\s*=|@import|\burl\(|\bimport\b|\bfetch\b|XMLHttpRequest|WebSocket|{{", text)
    page = Page(text)
    assert not set(page.names) & {"link", "img", "iframe", "object", "base", "video"}
    policies = [
        attrs["content"] or "" for _, attrs in page.tags if attrs.get("http-equiv") == "Content-Security-Policy"
    ]
    assert len(policies) == 1
    rules = dict(rule.strip().split(" ", 1) for rule in policies[0].split(";"))
    assert rules["default-src"] == "'none'"
    assert set(rules) == {"default-src", "style-src", "script-src", "base-uri", "form-action"}
    assert all(re.fullmatch(r"'none'|'sha256-[\w+/]{43}='", sources) for sources in rules.values())


def test_the_data_of_the_page(tmp_path):
    cases = [case(seed, hypotheses=1 + seed) for seed in range(3)]
    data = Page(write_and_read(tmp_path, cases)).data
    assert data["units"] == {"points": "mm", "pixels": "px"} and data["skeleton"] == H36M17.name
    assert [joint["name"] for joint in data["joints"]] == list(H36M17.joints)
    assert all(joint["name"].startswith(joint["side"]) or joint["side"] == "centre" for joint in data["joints"])
    assert [joint["side"] for joint in data["joints"]].count("centre") == len(MIDDLE)
    assert [(H36M17.joints[a], H36M17.joints[b]) for a, b in data["bones"]] == list(H36M17.bones)
    for given, found in zip(cases, data["cases"], strict=True):
        assert (found["title"], found["group"], dict(found["figures"])) == (given.title, given.group, given.figures)
        np.testing.assert_allclose(found["confidence"], given.confidence, rtol=0, atol=0.005)
        for name in PIXELS:
            np.testing.assert_allclose(found[name], getattr(given, name), rtol=0, atol=0.05 + 1e-9)
        for name in (*POINTS, "others"):
            points = np.reshape(found[name], getattr(given, name).shape)
            np.testing.assert_allclose(points, 1000 * getattr(given, name), rtol=0, atol=0.5 + 1e-9)


HAND = Skeleton("hand", ("wrist", "tip"), (("tip", "wrist"),))  # neither pelvis nor hips: the root is the centre
HIPS = {"left_hip", "right_hip"}


@pytest.mark.parametrize(
    ("skeleton", "roots"), [(H36M17, {"pelvis"}), (COCO17, HIPS), (LSP14, HIPS), (HAND, {"wrist", "tip"})]
)
def test_the_root_is_the_pelvis(tmp_path, skeleton, roots):
    zero = np.zeros((len(skeleton), 3))
    arrays: dict[str, Any] = {"truth": zero, "chosen": zero, "others": zero[None], "confidence": zero[:, 0]}
    arrays |= {"xy": zero[:, :2], "reprojected": zero[:, :2]}
    data = Page(write_and_read(tmp_path, [case(**arrays)], skeleton)).data
    assert {skeleton.joints[i] for i in data["root"]} == roots


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_null(tmp_path, bad):
    given = case()
    arrays = {name: getattr(given, name).copy() for name in (*PIXELS, *POINTS, "others", "confidence")}
    for name in (*PIXELS, *POINTS):
        arrays[name][2, 1] = bad
    arrays["others"][1, 2, 0] = arrays["confidence"][2] = bad
    found = Page(write_and_read(tmp_path, [replace(given, **arrays)])).data["cases"][0]
    for name in (*PIXELS, *POINTS):
        assert [i for i, point in enumerate(found[name]) if point is None] == [2]
    assert found["others"][1][2] is None and None not in found["others"][0] and found["confidence"][2] == 0


def test_markup_in_names_is_escaped(tmp_path):
    text = write_and_read(tmp_path, [case(title=NASTY, figures={NASTY: NASTY})], title=NASTY)
    page = Page(text)
    assert page.names.count("script") == text.count("</script>") == 2 and "<img" not in text
    assert page.texts["title"] == page.texts["h1"] == NASTY
    assert page.data["cases"][0]["title"] == NASTY and page.data["cases"][0]["figures"] == [[NASTY, NASTY]]


def test_file_names_that_are_not_valid_utf8(tmp_path):
    name = os.fsdecode(b"caf\xe9.npz")
    assert Page(write_and_read(tmp_path, [case(title=name)], title=name)).data["cases"][0]["title"] == "caf?.npz"


def test_the_dark_colours_are_those_of_the_overlay(tmp_path):
    dark = write_and_read(tmp_path, [case()]).split("prefers-color-scheme: dark", 1)[1]
    for side, colour in SIDES.items():
        found = re.search(rf"--{side}: #(\w{{6}})", dark)
        assert found and bytes.fromhex(found[1]) == bytes(colour)


def test_invalid_cases_are_refused(tmp_path):
    path = tmp_path / "gallery.html"
    for cases, skeleton, message in (
        ([], H36M17, "at least one case, got none"),
        ([case(group="middling")], H36M17, "expected one of the groups worst, median, best, got 'middling'"),
        ([case()], LSP14, r"expected xy of shape \(14, 2\) for lsp-14, got \(17, 2\)"),
    ):
        with pytest.raises(InputError, match=message):
            write_gallery(cases, skeleton, path, title="none")
    assert not path.exists()
    path.write_text("")
    with pytest.raises(OutputError, match="cannot write there"):
        write_gallery([case()], H36M17, path / "gallery.html", title="place")
