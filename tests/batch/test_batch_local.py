"""`zedo batch` on one machine: results, what is done again, failures, locks and parts."""

from __future__ import annotations

import csv
import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest
from batch_cases import OPTIONS, write_clips, write_damaged
from typer.testing import CliRunner, Result

import zedo_core
from zedo_cli.app import app
from zedo_core.batch.lease import held
from zedo_core.evaluate import results
from zedo_core.export import parquet
from zedo_core.keypoints import read_keypoints


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three clips."""
    folder = tmp_path_factory.mktemp("clips")
    write_clips(folder, 3)
    return folder


@pytest.fixture(scope="module")
def done(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of the clips, with other files beside; not to be changed."""
    out = tmp_path_factory.mktemp("done")
    result = zedo(str(clips), out=out, more=("--format", "npz,bvh,overlay"))
    assert result.exit_code == 0, result.stderr
    return out


def zedo(*sources: str, out: Path, more: tuple[str, ...] = ()) -> Result:
    return CliRunner().invoke(app, ["batch", *sources, "--out", str(out), "--workers", "1", *OPTIONS, *more])


def report(*sources: str, out: Path, more: tuple[str, ...] = ()) -> dict:
    result = zedo(*sources, out=out, more=("--json", *more))
    assert result.stdout, result.stderr
    return json.loads(result.stdout)


def tables(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((out / "clips").iterdir())}


class TestResults:
    def test_are_those_of_infer(self, clips: Path, done: Path, tmp_path: Path) -> None:
        options = [word for word in OPTIONS if word not in ("--format",)]
        result = CliRunner().invoke(app, ["infer", str(clips / "c1.mp4"), "--out", str(tmp_path), *options])
        assert result.exit_code == 0
        expected, found = zedo_core.load(tmp_path / "poses.npz"), zedo_core.load(done, source="c1")
        for name in ("frame", "track", "joints", "score", "chosen", "spread", "filled", "contact", "times_s"):
            np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)
        assert found.cameras == expected.cameras and found.fps == expected.fps and found.skeleton == expected.skeleton
        keypoints = parquet.read_keypoints(next((done / "clips").glob("c1-*")))
        seen = read_keypoints(tmp_path / "keypoints.json")
        assert keypoints is not None and keypoints.image_sizes == seen.image_sizes
        np.testing.assert_array_equal(keypoints.xy, seen.xy.astype(np.float32))
        np.testing.assert_array_equal(keypoints.track, seen.track)

    def test_files_beside(self, done: Path) -> None:
        folder = next((done / "files").glob("c1-*"))
        names = {path.name for path in folder.iterdir()}
        assert names >= {"poses.npz", "keypoints.json", "overlay.mp4"} and any(name.endswith(".bvh") for name in names)
        saved = zedo_core.load(folder / "poses.npz")
        np.testing.assert_array_equal(saved.joints, zedo_core.load(done, source="c1").joints)

    def test_are_found_by_name(self, clips: Path, done: Path) -> None:
        by_path = zedo_core.load(str(done), source=str(clips / "c2.mp4"))
        np.testing.assert_array_equal(by_path.joints, zedo_core.load(done, source="c2.mp4").joints)
        with pytest.raises(zedo_core.ZedoError, match=r"holds 3 clips; choose one by source.*c0-"):
            zedo_core.load(done)
        with pytest.raises(zedo_core.ZedoError, match="expected one clip 'c7', found none"):
            zedo_core.load(done, source="c7")

    def test_are_shown_and_converted(self, done: Path, tmp_path: Path) -> None:
        page = tmp_path / "page.html"
        result = CliRunner().invoke(app, ["view", str(done), "--source", "c0", "--out", str(page)])
        assert result.exit_code == 0 and "c0-" in page.read_text(encoding="utf-8")
        result = CliRunner().invoke(
            app, ["convert", str(done), "--source", "c0", "--to", "npz", "--out", str(tmp_path)]
        )
        assert result.exit_code == 0
        converted = zedo_core.load(next(tmp_path.glob("c0-*.npz")))
        np.testing.assert_array_equal(converted.joints, zedo_core.load(done, source="c0").joints)

    def test_are_a_data_set_for_differences(self, done: Path) -> None:
        poses = [zedo_core.load(done, source=name) for name in ("c0", "c1", "c2")]
        shown, seen = (results.load(done, input) for input in ("gt", "detected"))
        kept = [one.take(~one.filled) for one in poses]
        np.testing.assert_array_equal(shown.joints_cam, np.concatenate([one.best for one in kept]))
        np.testing.assert_allclose(shown.xy, np.concatenate([one.projected() for one in kept]), atol=1e-3)
        assert len(shown.sequences) == 3 and shown.sequences[1].startswith("c1-")
        assert np.median(np.linalg.norm(seen.xy - shown.xy, axis=-1)[seen.confidence > 0.5]) < 15  # px, of 480
        with pytest.raises(zedo_core.ZedoError, match="expected a folder of zedo batch"):
            results.load(done / "nothing", "gt")


class TestAgain:
    def test_what_is_done_stays(self, clips: Path, done: Path) -> None:
        before = {path: path.stat().st_mtime_ns for path in (done / "clips").iterdir()}
        found = report(str(clips), out=done)
        assert (found["found"], found["present"], found["done"], found["failed"]) == (3, 3, 0, 0)
        assert before == {path: path.stat().st_mtime_ns for path in (done / "clips").iterdir()}

    def test_after_a_kill_the_rest_is_done(self, clips: Path, done: Path, tmp_path: Path) -> None:
        first = report(str(clips), out=tmp_path, more=("--limit", "1"))
        assert (first["done"], first["left"]) == (1, 2)
        partial = tmp_path / "clips" / ".c1-half.parquet"
        partial.write_bytes(b"PAR1")  # of a process that was killed as it wrote
        second = report(str(clips), out=tmp_path)
        assert (second["present"], second["done"]) == (1, 2)
        partial.unlink()
        bare = report(str(clips), out=tmp_path, more=("--hypo", "2"))
        assert bare["present"] == 3
        assert set(tables(tmp_path)) == set(tables(done))

    def test_other_options_and_other_content(self, clips: Path, tmp_path: Path) -> None:
        folder = tmp_path / "clips"
        first, second = write_clips(folder, 2)
        assert report(str(folder), out=tmp_path / "out")["done"] == 2
        os.utime(first, (1, 1))  # touched, but the same: looked into, not done again
        assert report(str(folder), out=tmp_path / "out")["present"] == 2
        second.write_bytes(first.read_bytes())
        assert report(str(folder), out=tmp_path / "out")["done"] == 1
        assert report(str(folder), out=tmp_path / "out", more=("--seed", "1"))["done"] == 2

    def test_a_damaged_result_does_not_count(self, clips: Path, tmp_path: Path) -> None:
        source = str(clips / "c0.mp4")
        report(source, out=tmp_path)
        (table,) = (tmp_path / "clips").iterdir()
        whole = table.read_bytes()
        table.write_bytes(whole[: len(whole) // 2])
        assert report(source, out=tmp_path)["done"] == 1
        assert table.read_bytes() == whole


class TestFailures:
    def test_are_in_a_table_and_do_not_end_the_run(self, clips: Path, tmp_path: Path) -> None:
        folder, out = tmp_path / "clips", tmp_path / "out"
        write_clips(folder, 1)
        bad = write_damaged(folder)
        words = Path(tmp_path / "list.txt")
        words.write_text(f"{folder}\n{folder / 'gone.mp4'}\n")
        result = zedo(str(words), out=out, more=("--json",))
        assert result.exit_code == 1 and "4 failed, the rest is done" in result.stderr
        assert len(tables(out)) == 1
        with open(out / "failures.csv", newline="") as file:
            rows = {Path(row["source"]).name: row for row in csv.DictReader(file)}
        assert set(rows) == {*(path.name for path in bad), "gone.mp4"}
        assert {rows[path.name]["stage"] for path in bad} == {"decode"} and rows["gone.mp4"]["stage"] == "read"
        assert "gone.mp4: no such file" in rows["gone.mp4"]["line"] and "empty file" in rows["empty.mp4"]["line"]
        assert not any("\n" in row["line"] for row in rows.values())
        for path in bad:  # once they are mended, the table is empty
            path.write_bytes((folder / "c0.mp4").read_bytes())
        assert report(str(folder), out=out)["failed"] == 0
        with open(out / "failures.csv", newline="") as file:
            assert [Path(row["source"]).name for row in csv.DictReader(file)] == ["gone.mp4"]

    def test_a_clip_that_is_deleted_on_the_way(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from zedo_core.batch import run

        _, second = write_clips(tmp_path / "clips", 2)
        real = run.run_here

        def deleting(*arguments):
            for outcome in real(*arguments):
                second.unlink(missing_ok=True)
                yield outcome

        monkeypatch.setattr(run, "run_here", deleting)
        found = report(str(tmp_path / "clips"), out=tmp_path / "out")
        assert (found["done"], found["failed"]) == (1, 1)
        assert found["failures"][0]["line"] == f"{second}: no such file; was it moved or deleted?"

    def test_a_full_target_ends_the_run(self, clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(table: object, path: Path) -> None:
            path.write_bytes(b"half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr("zedo_core.batch.target.write_table", full)
        result = zedo(str(clips), out=tmp_path)
        assert result.exit_code == 1 and result.stderr.count("\n") == 1
        assert "writing failed (No space left on device); free space" in result.stderr
        assert not list((tmp_path / "clips").iterdir())

    def test_a_target_that_cannot_be_written(self, clips: Path, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        result = zedo(str(clips), out=tmp_path / "file" / "out")
        assert result.exit_code == 1 and result.stderr.count("\n") == 1

    def test_a_process_that_dies(self, clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """c1 kills whoever works on it; the other two are done."""
        monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
        monkeypatch.setattr("zedo_core.batch.local._begin", killing)
        command = ["batch", str(clips), "--out", str(tmp_path), "--workers", "2", *OPTIONS, "--json"]
        result = CliRunner().invoke(app, command)
        found = json.loads(result.stdout)
        assert (found["done"], found["failed"]) == (2, 1)
        assert Path(found["failures"][0]["source"]).name == "c1.mp4" and "died" in found["failures"][0]["line"]


def killing(job) -> None:
    """What a process begins with: the stages, of which detection kills it at c1."""
    from zedo_core.batch import local
    from zedo_core.batch.stages import Stages

    real = Stages.detect

    def detect(self, step):
        if step.clip.source.endswith("c1.mp4"):
            os.kill(os.getpid(), 9)
        return real(self, step)

    Stages.detect = detect
    local._worker = local.Worker(job)


class TestParts:
    def test_every_clip_is_in_one_of_them(self, clips: Path, done: Path, tmp_path: Path) -> None:
        parts = [report(str(clips), out=tmp_path, more=("--shard", f"{part}/2")) for part in (1, 2)]
        assert [part["done"] for part in parts] == [2, 1]
        assert set(tables(tmp_path)) == set(tables(done))
        assert (tmp_path / "run-2-of-2.json").is_file()

    def test_two_runs_on_one_target(self, clips: Path, tmp_path: Path) -> None:
        with held(str(tmp_path), 1, 1):
            result = zedo(str(clips), out=tmp_path)
            assert result.exit_code == 1 and "another run of zedo is writing there" in result.stderr
            assert result.stderr.count("\n") == 1
            other = zedo(str(clips), out=tmp_path, more=("--shard", "1/2"))
            assert other.exit_code == 1 and "writing part 1 of 1 there, expected parts of 2" in other.stderr
        with held(str(tmp_path), 1, 2), held(str(tmp_path), 2, 2):
            pass

    @pytest.mark.parametrize(
        "words", [("--shard", "3/2"), ("--shard", "2"), ("--engine", "slurm"), ("--format", "fbx")]
    )
    def test_refused_at_once(self, clips: Path, tmp_path: Path, words: tuple[str, ...]) -> None:
        assert zedo(str(clips), out=tmp_path, more=words).exit_code == 2
        assert not list(tmp_path.iterdir())

    def test_a_dry_run_does_nothing(self, clips: Path, tmp_path: Path) -> None:
        found = report(str(clips), out=tmp_path, more=("--dry-run",))
        assert found["cost"]["clips"] == 3 and found["cost"]["frames"] == 12
        assert found["cost"]["video_s"] == pytest.approx(12 / 30, rel=0.05)
        assert found["cost"]["bytes"] == sum(path.stat().st_size for path in clips.iterdir())
        assert not list(tmp_path.iterdir())
