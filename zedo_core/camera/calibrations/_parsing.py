"""Text and npz files as nested tables, whatever the syntax: JSON, TOML, YAML with OpenCV's dialect, XML, npz."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any

from zedo_core.camera.calibrations import colmap
from zedo_core.errors import FormatError
from zedo_core.storage import toml
from zedo_core.storage.files import load_arrays

_ZIP_MAGIC = b"PK\x03\x04"
_MAX_ARRAY = 64  # values; larger arrays of an npz are not camera parameters
_MAX_TEXT = 2**22  # bytes; about a thousand cameras, and parsed as YAML within seconds
_MAX_ALIASES = 16  # of YAML; each repeats a part of the file, and nested aliases multiply


def parse(path: Path) -> Any:
    """The nested tables of a file, an XML element, or COLMAP's lines, as the content says; FormatError otherwise."""
    try:
        content = _read(path)
    except (OSError, ValueError) as error:
        raise FormatError(f"{path}: cannot read the camera ({getattr(error, 'strerror', None) or error})") from None
    if content.startswith(_ZIP_MAGIC):
        return _parse_npz(path)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise FormatError(f"{path}: expected a camera as TOML, JSON, YAML, XML or npz, found binary data") from None
    if (lines := colmap.lines_of(text)) is not None:
        return lines
    parsers = {"XML": _parse_xml} if text.lstrip().startswith("<") else _PARSERS
    reasons = []
    for name, parse in parsers.items():
        try:
            return parse(text)
        except (ValueError, SyntaxError, RecursionError, OverflowError) as error:
            reasons.append(f"as {name}: {error}")
    raise FormatError(f"{path}: cannot read the camera ({'; '.join(reasons)})")


def _read(path: Path) -> bytes:
    """The content of a text; of an npz, which may also contain keypoints, only the beginning."""
    with open(path, "rb") as file:  # once, since it may be a pipe
        head = file.read(len(_ZIP_MAGIC))
        content = head if head == _ZIP_MAGIC else head + file.read(_MAX_TEXT + 1)
    if len(content) > _MAX_TEXT:
        raise FormatError(f"{path}: expected a camera file of at most {_MAX_TEXT >> 20} MiB, found more")
    return content


def _parse_npz(path: Path) -> dict[str, Any]:
    arrays = load_arrays(path)
    small = {name: a for name, a in arrays.items() if a.size <= _MAX_ARRAY}
    return {name: array.tolist() for name, array in small.items()}


def _parse_yaml(text: str) -> Any:
    """Parse YAML, including OpenCV's dialect of it."""
    import yaml

    class Loader(yaml.SafeLoader):
        """Reads OpenCV's matrices as plain tables and bounds the number of aliases."""

        aliases = 0

        def compose_node(self, parent: Any, index: Any) -> Any:
            """Compose a node as usual, counting aliases."""
            self.aliases += self.check_event(yaml.AliasEvent)
            if self.aliases > _MAX_ALIASES:
                raise yaml.YAMLError(f"more than {_MAX_ALIASES} aliases")
            return super().compose_node(parent, index)

        def matrix(self, node: yaml.MappingNode) -> dict:
            return self.construct_mapping(node, deep=True)

    Loader.add_constructor("tag:yaml.org,2002:opencv-matrix", Loader.matrix)
    try:
        return yaml.load(text.removeprefix("%YAML:1.0"), Loader)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None


def _parse_xml(text: str) -> ElementTree.Element:
    if "<!DOCTYPE" in text.upper() or "<!ENTITY" in text.upper():
        raise ValueError("a document type, which calibration files do not need")
    return ElementTree.fromstring(text)


_PARSERS: dict[str, Callable[[str], Any]] = {"JSON": json.loads, "TOML": toml.loads, "YAML": _parse_yaml}
