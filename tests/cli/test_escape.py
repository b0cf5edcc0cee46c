"""Control characters in file names are escaped for the terminal."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zedo_cli._escape import escape_control

# Control characters of terminals (ECMA-48: C0, DEL, C1), and characters that reorder or hide text.
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


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
def test_control_characters_are_escaped(name: str, shown: str) -> None:
    assert escape_control(name) == shown


@given(st.text(st.characters()))
def test_no_control_characters_remain(text: str) -> None:
    shown = escape_control(text)
    assert not CONTROL.search(shown)
    assert shown.encode().decode() == shown
    assert len(shown.splitlines()) <= 1
