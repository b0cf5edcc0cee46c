"""Texts from strangers, such as names of files, before a terminal shows them."""

from __future__ import annotations

import unicodedata

# Control characters (C0, C1, DEL), halves of surrogate pairs, and what turns the direction of writing.
_STEERING = frozenset({"Cc", "Cs", "Cf", "Zl", "Zp"})
_JOINERS = "\u200c\u200d"  # part of words, and of signs for people


def harmless(text: str) -> str:
    """The text with every character that steers a terminal written out (`\\x1b`, `\\n`), so that it is one line."""
    return "".join(_written_out(letter) if _steers(letter) else letter for letter in text)


def _steers(letter: str) -> bool:
    return not letter.isprintable() and letter not in _JOINERS and unicodedata.category(letter) in _STEERING


def _written_out(letter: str) -> str:
    return letter.encode("unicode_escape", errors="surrogatepass").decode("ascii")
