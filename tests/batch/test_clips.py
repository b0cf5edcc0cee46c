"""Which clips are meant, and what they are called."""

from __future__ import annotations

from pathlib import Path

import pytest

from zedo_core.batch.clips import find_clips
from zedo_core.errors import InputError, MissingExtraError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """a.mp4, deep/b.MOV, deep/c[1].mp4, deep/keypoints.json and out/d.mp4 in clips; the test runs beside it."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.mp4", "deep/b.MOV", "deep/c[1].mp4", "deep/keypoints.json", "out/d.mp4"):
        path = Path("clips", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return tmp_path / "clips"


def names(*words: str, out: str = "elsewhere") -> list[str]:
    return [Path(clip.source).name for clip in find_clips(words, out)]


def test_folders_patterns_and_files(folder: Path) -> None:
    assert names("clips") == ["a.mp4", "b.MOV", "c[1].mp4", "d.mp4"]
    assert names("clips/a.mp4", "clips/*.mp4") == ["a.mp4"]  # each once
    assert names("clips/deep/c[1].mp4") == ["c[1].mp4"]  # it is there, so it is no pattern
    assert names("clips/deep/*.json") == ["keypoints.json"]
    assert names(f"file://{folder}/a.mp4") == ["a.mp4"]
    assert names("clips", out="clips/out") == ["a.mp4", "b.MOV", "c[1].mp4"]  # results of earlier runs are none


def test_a_clip_keeps_its_name_whatever_else_there_is(folder: Path) -> None:
    alone, among = find_clips(["clips/a.mp4"], "out")[0], find_clips([str(folder)], "out")[0]
    assert alone == among and alone.name.startswith("a-") and alone.size == 5
    (folder / "deep" / "a.mp4").touch()
    both = [clip.name for clip in find_clips(["clips"], "out") if clip.source.endswith("a.mp4")]
    assert len(set(both)) == 2 and alone.name in both


def test_lists(folder: Path) -> None:
    Path("list.txt").write_text("\ufeff# clips\nclips/a.mp4\n\nclips/deep\nclips/gone.mp4\n", encoding="utf-8")
    clips = find_clips(["list.txt"], "out")
    assert [Path(clip.source).name for clip in clips] == ["a.mp4", "b.MOV", "c[1].mp4", "gone.mp4"]
    assert clips[-1].stamp == ""  # fails in its turn


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("gone.mp4", "gone.mp4: expected a video, a folder, a pattern or a list, found nothing"),
        ("clips/*.avi", r"clips/\*.avi: expected files that fit the pattern, found none"),
        ("empty", "empty: expected videos in the folder, found nothing"),
        ("texts", "texts: expected videos in the folder, found 1 other files"),
        ("blank.txt", "blank.txt: expected a list of clips, one a line, found none"),
        ("latin.txt", "latin.txt: expected a list of clips in UTF-8"),
        ("nowhere://bucket/a.mp4", "nowhere://bucket/a.mp4: expected an address such as s3://"),
    ],
)
def test_refused(folder: Path, word: str, message: str) -> None:
    Path("empty").mkdir()
    Path("texts").mkdir()
    Path("texts/read.me").touch()
    Path("blank.txt").write_text("# nothing\n")
    Path("latin.txt").write_bytes(b"caf\xe9.mp4\n")
    with pytest.raises(InputError, match=message):
        find_clips([word], "out")


def test_a_store_without_its_package(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fsspec.core

    def missing(*_: object, **__: object) -> None:
        raise ImportError("Please install gcsfs")

    monkeypatch.setattr(fsspec.core, "url_to_fs", missing)
    with pytest.raises(MissingExtraError, match=r"gs://bucket: needs a package for gs://.*pip install gcsfs"):
        find_clips(["gs://bucket"], "out")
