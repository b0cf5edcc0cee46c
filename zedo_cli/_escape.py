"""Escaping untrusted text, such as file names, for the terminal."""

from __future__ import annotations

import unicodedata

# Unicode categories: control characters, surrogates, formatting characters, line and paragraph separators.
_CONTROL = frozenset({"Cc", "Cs", "Cf", "Zl", "Zp"})
_JOINERS = "\u200c\u200d"  # part of words and emoji


def escape_control(text: str) -> str:
    """The text on one line, with all control characters escaped (`\\x1b`, `\\n`)."""
    return "".join(_escape(char) if _is_control(char) else char for char in text)


def _is_control(char: str) -> bool:
    return not char.isprintable() and char not in _JOINERS and unicodedata.category(char) in _CONTROL


def _escape(char: str) -> str:
    return char.encode("unicode_escape", errors="surrogatepass").decode("ascii")
