"""`zedo batch` from and to an object store, against a server on the loopback."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from batch_cases import OPTIONS, write_clips, write_damaged
from typer.testing import CliRunner, Result

import zedo_core
from zedo_cli.app import app
from zedo_core.batch import lease
from zedo_core.batch.lease import held
from zedo_core.errors import InputError, OutputError
from zedo_core.storage import places

pytestmark = pytest.mark.usefixtures("server")


@pytest.fixture(scope="module")
def folder(server: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two clips and three that are damaged, which are in the bucket as well, below `in`."""
    import s3fs

    folder = tmp_path_factory.mktemp("clips")
    for path in [*write_clips(folder, 2), *write_damaged(folder)]:
        s3fs.S3FileSystem().put_file(str(path), f"bucket/in/{path.name}")
    return folder


def zedo(*sources: str, out: str, more: tuple[str, ...] = ()) -> Result:
    return CliRunner().invoke(app, ["batch", *sources, "--out", out, "--workers", "1", *OPTIONS, *more])


def test_from_a_bucket_to_a_bucket(folder: Path, tmp_path: Path) -> None:
    result = zedo("s3://bucket/in", out="s3://bucket/out", more=("--json", "--format", "csv"))
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert (report["done"], report["failed"]) == (2, 3)
    assert {failure["stage"] for failure in report["failures"]} == {"decode"}
    assert all("s3://bucket/in/" in failure["line"] for failure in report["failures"])  # not the copy's name
    assert zedo(str(folder), out=str(tmp_path)).exit_code == 1
    here, there = zedo_core.load(tmp_path, source="c1"), zedo_core.load("s3://bucket/out", source="c1")
    np.testing.assert_array_equal(here.joints, there.joints)
    names = {Path(entry.place).name for entry in places.files_in("s3://bucket/out") or []}
    assert names >= {"failures.csv", "run.json", "poses.csv", "keypoints.json"}
    assert not any(name.endswith(".lock") or name == ".probe" for name in names)
    again = json.loads(zedo("s3://bucket/in/c*.mp4", out="s3://bucket/out", more=("--json",)).stdout)
    assert (again["found"], again["present"]) == (2, 2)
    dry = json.loads(zedo("s3://bucket/in/c*.mp4", out="s3://bucket/new", more=("--json", "--dry-run")).stdout)
    assert dry["cost"]["frames"] == 8  # by the headers, without a copy


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "s3://nowhere-to-be-found/in",
            "s3://nowhere-to-be-found/in: expected a bucket and what lies in it, found nothing",
        ),
        ("s3://bucket/none", "s3://bucket/none: expected a video, a folder, a pattern or a list, found nothing"),
        ("s3://bucket/none/*.mp4", "s3://bucket/none/*.mp4: expected files that fit the pattern, found none"),
    ],
)
def test_what_is_not_there(source: str, message: str, tmp_path: Path) -> None:
    result = zedo(source, out=str(tmp_path))
    assert result.exit_code == 2 and result.stderr.count("\n") == 1
    assert result.stderr.startswith(f"error: {message}")


def test_a_target_that_is_not_there(folder: Path) -> None:
    result = zedo(str(folder), out="s3://nowhere-to-be-found/out")
    assert result.exit_code in (1, 2) and result.stderr.count("\n") == 1
    assert "s3://nowhere-to-be-found/out" in result.stderr


class Denies(BaseHTTPRequestHandler):
    """An S3 server that lets nobody in."""

    def do_GET(self) -> None:
        body = b"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
        self.send_response(403)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_PUT = do_GET

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def denied(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Stores deny everything."""
    import s3fs

    with ThreadingHTTPServer(("127.0.0.1", 0), Denies) as http:
        Thread(target=http.serve_forever, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{http.server_port}")
        s3fs.S3FileSystem.clear_instance_cache()
        yield
        s3fs.S3FileSystem.clear_instance_cache()
        http.shutdown()


def test_a_bucket_that_denies(denied: None, folder: Path, tmp_path: Path) -> None:
    source = zedo("s3://bucket/in", out=str(tmp_path))
    target = zedo(str(folder), out="s3://bucket/out")
    assert (source.exit_code, target.exit_code) == (2, 2)
    for result, place in ((source, "s3://bucket/in"), (target, "s3://bucket/out")):
        assert result.stderr.startswith(f"error: {place}") and result.stderr.count("\n") == 1
        assert "access was denied" in result.stderr and "check the credentials" in result.stderr


def test_one_run_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    target = "s3://bucket/held"
    with held(target, 1, 1):
        with (
            pytest.raises(OutputError, match=r"another run of zedo is writing there \(process [0-9]+ on "),
            held(target, 1, 1),
        ):
            pass
        with pytest.raises(OutputError, match="writing part 1 of 1 there, expected parts of 4"), held(target, 2, 4):
            pass
        monkeypatch.setattr(time, "time", lambda: 1e10)  # nobody has renewed it for long
        with held(target, 1, 1):
            pass
    with held(target, 1, 1):
        pass


def test_a_lease_is_renewed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "RENEWED_S", 0.05)
    with held("s3://bucket/renewed", 1, 1):
        place = "s3://bucket/renewed/.zedo-1-of-1.lock"
        first = places.read_bytes(place)
        deadline = time.monotonic() + 20
        while places.read_bytes(place) == first:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    assert places.read_bytes(place) is None


def test_a_copy_that_fails(folder: Path) -> None:
    nothing = "s3://bucket/in/gone.mp4: expected a bucket and what lies in it"
    with pytest.raises(InputError, match=nothing), places.fetched("s3://bucket/in/gone.mp4"):
        pass
