"""Ids of people as other programs write them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zedo_core.errors import FormatError
from zedo_core.keypoints import _json

_MAX_ID = 2**53

_log = logging.getLogger(__name__)


def parse_track(value: Any, where: str) -> int | str | None:
    """An id, which may be 3, 3.0, "3", [3] or a text; None for none and for -1.

    FormatError for anything else.
    """
    if isinstance(value, list):
        if len(value) != 1:
            raise FormatError(f"{where}: expected one track id, found {_json.describe(value)}")
        value = value[0]
    if isinstance(value, str):
        text = value.strip()
        try:
            value = float(text) if text else None
        except ValueError:
            return text
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if value is None or value == -1:
        return None
    return _json.integer(value, where)


def parse_tracks(values: Sequence[Any], path: Path, *, numbered: bool = False) -> list[int | None]:
    """The track of each person as a number; texts are numbered in order after the numbers.

    None for all people if none has an id, or if the ids are `numbered` entries, each of which has its own.
    """
    ids = [parse_track(value, f"{path}: track id") for value in values]
    given = [value for value in ids if value is not None]
    if not given or (numbered and len(set(given)) == len(given)):
        return [None] * len(ids)
    if len(given) < len(ids):
        _log.warning(
            "%s: %d of %d people have no track id; the ids are ignored, and people are followed by their places",
            path, len(ids) - len(given), len(ids),
        )  # fmt: skip
        return [None] * len(ids)
    texts = list(dict.fromkeys(value for value in given if isinstance(value, str)))
    first = max((value for value in given if isinstance(value, int)), default=0) + 1
    if first + len(texts) > _MAX_ID:
        raise FormatError(f"{path}: track id: expected whole numbers up to {_MAX_ID}")
    if texts:
        names = ", ".join(f"{first + i} is {name[:20]!a}" for i, name in enumerate(texts[:6]))
        _log.warning("%s: people have names instead of numbers: %s", path, names)
    table = {name: first + i for i, name in enumerate(texts)}
    return [table[value] if isinstance(value, str) else value for value in ids]
