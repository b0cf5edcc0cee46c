"""A record of what a run wrote, by which a later one knows that nothing is left to do.

`.zedo.done` names formats and files, which follow from the formats and from who was found. It is written last, and
removed before a run replaces results.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from zedo_core.pipeline.request import InferRequest
from zedo_core.storage.files import atomic_write

NAME = ".zedo.done"


def write_record(request: InferRequest, files: Sequence[Path]) -> None:
    """Record that these files, in `request.out`, are all results of the request."""
    names = [file.relative_to(request.out).as_posix() for file in files]
    with atomic_write(request.out / NAME) as partial:
        partial.write_text(json.dumps({"formats": request.formats, "files": names}))


def is_finished(request: InferRequest) -> bool:
    """Whether all results of a request lie in its folder, newer than the input; with which options is not told."""
    try:
        record = json.loads((request.out / NAME).read_text())
        written, files = set(record["formats"]), [request.out / name for name in record["files"]]
        since = (request.out / NAME).stat().st_mtime
    except (OSError, ValueError, LookupError, TypeError):
        return False
    is_newer = not request.input.exists() or request.input.stat().st_mtime <= since
    return is_newer and written.issuperset(request.formats) and all(file.is_file() for file in files)
