"""Where the tables of `zedo batch` lie: one for each clip, found by its name or by what was lifted."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from hashlib import sha256

from zedo_core.errors import InputError
from zedo_core.storage.places import files_in, is_remote, joined, placed

CLIPS = "clips"  # the folder in that of a run
_LONGEST = 50  # characters of a stem
_SHOWN = 5  # names in a message
_SUFFIX = ".parquet"


def result_name(place: str) -> str:
    """The name of a clip's result, which stays the same whatever other clips there are."""
    return f"{_stem(place)}-{sha256(os.fsencode(place)).hexdigest()[:16]}"


def find_result(folder: str, source: str | None) -> str:
    """The place of a clip's table in the folder of a run, or in a folder of tables.

    `source` is the name of the result, the name of the clip with or without its suffix, or its path. It may be left
    out where there is one table only. InputError when nothing or several fit.
    """
    places = _tables(joined(folder, CLIPS)) or _tables(folder)
    if not places:
        raise InputError(f"{folder}: expected tables of poses (*{_SUFFIX}), found none; run zedo batch first")
    by_name = {_name(place): place for place in places}
    wanted = [name for name in by_name if source is None or _fits(name, source)]
    if len(wanted) == 1:
        return by_name[wanted[0]]
    shown = ", ".join((wanted or list(by_name))[:_SHOWN]) + (", ..." if len(wanted or by_name) > _SHOWN else "")
    if source is None:
        raise InputError(f"{folder}: holds {len(places)} clips; choose one by source (--source NAME): {shown}")
    found = f"found {len(wanted)}" if wanted else "found none"
    raise InputError(f"{folder}: expected one clip '{source}', {found}; there are {shown}")


def _fits(name: str, source: str) -> bool:
    if source == name or result_name(placed(source)) == name:
        return True
    bare = "/" not in source and os.sep not in source
    return bare and name[: -len("-0123456789abcdef")] in (_stem(source), _short(source))


def _stem(place: str) -> str:
    base = os.path.basename(place)
    return _short(base.rpartition(".")[0] or base)


def _short(text: str) -> str:
    return re.sub(r"[^\w.-]+", "_", text)[:_LONGEST]


def _tables(folder: str) -> Sequence[str]:
    return [entry.place for entry in files_in(folder) or [] if entry.place.endswith(_SUFFIX)]


def _name(place: str) -> str:
    base = place.rsplit("/", 1)[-1] if is_remote(place) else os.path.basename(place)
    return base.removesuffix(_SUFFIX)
