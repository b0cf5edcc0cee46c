"""The clips that are meant: files, patterns, folders, lists of these, and addresses in object stores."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from zedo_core.errors import InputError
from zedo_core.export._batch import result_name
from zedo_core.storage.files import MAX_TEXT
from zedo_core.storage.places import Entry, fetched, files_in, find, fitting, placed

# What counts as a clip in a folder; what is named itself, or fits a pattern, may be any input of `zedo infer`.
SUFFIXES = (".mp4", ".mov", ".mkv", ".avi", ".webm", ".m4v", ".mpg", ".mpeg", ".ts", ".mts", ".wmv", ".flv", ".3gp")
_LISTS = (".txt", ".lst")
_AT_ONCE = 32  # questions to a store


@dataclass(frozen=True, kw_only=True)
class Clip:
    """A video with its size in bytes and a stamp that changes with its content; `name` is that of its result."""

    source: str
    name: str
    size: int = 0
    stamp: str = ""

    @classmethod
    def from_entry(cls, entry: Entry) -> Clip:
        """The clip of a file; its name stays the same whatever other clips there are."""
        return cls(source=entry.place, name=result_name(entry.place), size=entry.size, stamp=entry.stamp)


def find_clips(words: Sequence[str], out: str) -> tuple[Clip, ...]:
    """The clips that are named, each once, sorted by source; what lies below `out` is none.

    InputError when a word names nothing, a folder has no videos, or a store cannot be used. A line of a list may name
    a file that is not there: that is a failure of this clip alone.
    """
    inside = placed(out).rstrip("/") + "/"
    found = {entry.place: entry for word in words for entry in _entries(word)}
    outside = sorted((entry for place, entry in found.items() if not place.startswith(inside)), key=lambda e: e.place)
    if not outside:
        raise InputError(f"{', '.join(words)}: expected clips, found none; name videos, folders, patterns or a list")
    return tuple(map(Clip.from_entry, outside))


def _entries(word: str) -> Iterator[Entry]:
    place = placed(word)
    entry = find(place)
    if entry is None:
        yield from _in_folder_or_pattern(word, place)
    elif place.lower().endswith(_LISTS):
        yield from _listed(place)
    else:
        yield entry


def _in_folder_or_pattern(word: str, place: str) -> Iterator[Entry]:
    below = files_in(place)
    if below is None and glob.has_magic(place):
        found = fitting(place)
        if not found:
            raise InputError(f"{word}: expected files that fit the pattern, found none; check the path")
        for one in found:
            yield from [one] if isinstance(one, Entry) else _videos(files_in(one) or [])
        return
    if below is None:
        raise InputError(f"{word}: expected a video, a folder, a pattern or a list, found nothing; check the path")
    videos = _videos(below)
    if not videos:
        what = f"{len(below)} other files" if below else "nothing"
        raise InputError(f"{word}: expected videos in the folder, found {what}; name other files by a pattern")
    yield from videos


def _videos(entries: Sequence[Entry]) -> list[Entry]:
    return [entry for entry in entries if entry.place.lower().endswith(SUFFIXES)]


def _listed(place: str) -> Iterator[Entry]:
    """What the lines of a text file name; empty lines and those that begin with # do not count."""
    with fetched(place) as path:
        if path.stat().st_size > MAX_TEXT:
            raise InputError(f"{place}: expected a list of clips up to {MAX_TEXT >> 20} MiB; split it")
        try:
            lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
        except UnicodeDecodeError:
            raise InputError(f"{place}: expected a list of clips in UTF-8, one a line, found other bytes") from None
    words = [line for line in lines if line and not line.startswith("#")]
    if not words:
        raise InputError(f"{place}: expected a list of clips, one a line, found none")
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for entries in pool.map(_of_line, words):
            yield from entries


def _of_line(word: str) -> list[Entry]:
    place = placed(word)
    entry = find(place)
    if entry is not None:
        return [entry]
    if not glob.has_magic(place) and files_in(place) is None:
        return [Entry(place=place)]
    return list(_in_folder_or_pattern(word, place))
