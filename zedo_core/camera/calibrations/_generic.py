"""Cameras in nested tables with the usual names: Pose2Sim, OpenCap, anipose, FreeMoCap, Caliscope, OpenCV, ROS.

A table that contains a matrix K (under one of its usual names) or `fx` is a camera, and its name is the one inside or
its key.
"""

from __future__ import annotations

import logging
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zedo_core.camera.calibrations import _spelling as spelling
from zedo_core.camera.calibrations._table import Entry, is_camera, is_matrix

_MAX_DEPTH = 4  # of nested tables
_WORDS = frozenset(("intrinsics", "intrinsic", "camera", "calibration", "params", "parameters"))  # not names of cameras
_ENDING = re.compile(r"(.*?[A-Za-z])[ _-]?(\d+|left|right|l|r)")  # K_01, cameraMatrix1, K_left

_log = logging.getLogger(__name__)


def cameras(document: Any, path: Path) -> list[Entry]:
    """Every camera in a document, with its names; warns of entries beside cameras that look like theirs."""
    if isinstance(document, ElementTree.Element):
        document = _xml_table(document)
    loose: list[str] = []
    found = list(_find(document, (), 0, loose, {}))
    for name in dict.fromkeys(loose) if found else ():
        _log.warning("%s: '%s' stands beside the cameras, not in one, and is not read", path.name, name)
    return found


def flat(table: dict) -> dict:
    """A table with the entries of nested parts such as `intrinsics` and `distortion`, unless these are matrices."""
    merged = dict(table)
    for key, value in table.items():
        is_part = isinstance(value, dict) and "data" not in value and spelling.normal(key) in spelling.PARTS
        if is_part and any(spelling.knows(name) and not isinstance(entry, dict) for name, entry in value.items()):
            del merged[key]
            merged = {**value, **merged}
    return merged


def _find(value: Any, names: tuple[str, ...], depth: int, loose: list[str], lens: dict[str, Any]) -> Iterator[Entry]:
    """Cameras in a value under `names`; `loose` collects entries of distortion or a pose that belong to none.

    `lens` is the lens model that was stated outside.
    """
    if depth > _MAX_DEPTH:
        return
    if is_matrix(value):
        if not names or spelling.normal(names[-1]) not in spelling.ROTATION:
            yield Entry(names, {"K": value} | lens)
    elif isinstance(value, list):
        for i, entry in enumerate(value):
            yield from _find(entry, (str(i),), depth + 1, loose, lens)
    elif isinstance(value, dict):
        table = flat(value)
        if is_camera(table):
            inner = spelling.get(table, spelling.NAME)
            is_text = isinstance(inner, str | int) and not isinstance(inner, bool) and str(inner).strip()
            yield Entry(tuple(dict.fromkeys((*((str(inner),) if is_text else ()), *names))), lens | table)
            return
        groups, used = _by_ending(value)
        yield from groups
        rest = {key: entry for key, entry in value.items() if key not in used}
        loose += spelling.lens_or_pose(rest)
        words = (*spelling.LENS_MODEL, *spelling.FISHEYE)
        lens = lens | {k: v for k, v in value.items() if spelling.normal(k) in words and not isinstance(v, dict | list)}
        for key, entry in rest.items():
            name = names if spelling.normal(key) in _WORDS and names else (str(key),)
            stated = lens | {"fisheye": True} if "fisheye" in spelling.normal(key) else lens
            yield from _find(entry, name, depth + 1, loose, stated)


def _by_ending(table: dict) -> tuple[list[Entry], set[str]]:
    """Cameras whose entries share the end of their names (K_01 and dist_01, K1 and D1), and the keys of these."""
    groups: dict[str, dict[str, Any]] = {}
    keys: dict[str, set[str]] = {}
    for key, value in table.items():
        match = _ENDING.fullmatch(str(key))
        if match and not isinstance(value, str):
            start = "K" if match[1] == "M" else match[1]
            if spelling.knows(start):
                groups.setdefault(match[2], {})[start] = value
                keys.setdefault(match[2], set()).add(key)
    whole = [end for end, group in groups.items() if len(group) > 1 and _has_matrix(group)]
    whole += [end for end, group in groups.items() if len(group) == 1 and isinstance(group.get("K"), dict)]
    return [Entry((end,), groups[end]) for end in whole], {key for end in whole for key in keys[end]}


def _has_matrix(table: dict) -> bool:
    matrix = spelling.get(table, spelling.MATRIX)
    return is_matrix(matrix) or isinstance(matrix, dict) or (isinstance(matrix, list) and len(matrix) == 9)


def _xml_table(element: ElementTree.Element) -> Any:
    """An XML element as a table of its attributes and children (a list for several of one tag), or its text."""
    text = (element.text or "").strip()
    if not len(element):
        return text or dict(element.attrib)
    table: dict[str, Any] = dict(element.attrib)
    for child in element:
        entry = _xml_table(child)
        before = table.get(child.tag)
        if child.tag not in table or child.tag in element.attrib:
            table[child.tag] = entry
        else:
            table[child.tag] = [*before, entry] if isinstance(before, list) else [before, entry]
    return table
