"""Names of files are shown so that they steer no terminal."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zedo_cli._harmless import harmless

# What a terminal takes for an order, by its own standard (ECMA-48: C0, DEL, C1), and what moves or hides text.
ORDERS = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("clip \u00e9\u4e2d.mp4", "clip \u00e9\u4e2d.mp4"),
        ("a\x1b[2Jb", "a\\x1b[2Jb"),
        ("a\x1b]0;title\x07b", "a\\x1b]0;title\\x07b"),
        ("x\nerror: forged", "x\\nerror: forged"),
        ("a\x9b31m", "a\\x9b31m"),
        ("gpj\u202e.exe", "gpj\\u202e.exe"),
        ("s\udcff", "s\\udcff"),
        ("[red]markup[/]", "[red]markup[/]"),
        ("\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f468\u200d\U0001f469\u200d\U0001f467"),
    ],
)
def test_what_steers_is_written_out(name: str, shown: str) -> None:
    assert harmless(name) == shown


@given(st.text(st.characters()))
def test_nothing_that_steers_is_left(text: str) -> None:
    shown = harmless(text)
    assert not ORDERS.search(shown)
    assert shown.encode().decode() == shown
    assert len(shown.splitlines()) <= 1
