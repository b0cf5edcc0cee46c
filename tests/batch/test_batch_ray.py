"""`zedo batch --engine ray` and `infer_batch`, on a cluster of this machine with two workers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import deadly_stages
import numpy as np
import pytest
from batch_cases import write_clips, write_damaged
from deadly_stages import MARKS, Deadly

import zedo_core
from zedo_core.batch import ray as engine
from zedo_core.batch.run import BatchReport, BatchRequest, run_batch
from zedo_core.pipeline.request import PosesRequest

# Of Ray itself: files that it leaves open, settings of its own that it warns of, a change to come in what it does with
# GPUs.
pytestmark = [
    pytest.mark.filterwarnings(r"ignore::DeprecationWarning:ray\..*"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore:.*Ray will no longer override accelerator:FutureWarning"),
]
Runs = tuple[Path, BatchReport, Path, BatchReport]
POSES = PosesRequest(input=Path(), method="erd", hypotheses=2, detector="movenet-fast", device="cpu")


@pytest.fixture(scope="module")
def ray() -> Iterator[Any]:
    """Ray with two cores."""
    with pytest.MonkeyPatch.context() as patch:  # for the processes of the cluster
        patch.setattr("builtins.print", print)  # Ray replaces it
        patch.setenv("PYTHONPATH", str(Path(deadly_stages.__file__).parent), prepend=os.pathsep)
        with engine.cluster(engine.require(), 2):
            yield engine.require()


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six clips and three that are damaged."""
    folder = tmp_path_factory.mktemp("clips")
    write_clips(folder, 6)
    write_damaged(folder)
    return folder


@pytest.fixture(scope="module")
def runs(ray: Any, clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """The same run here and on Ray, where a process that detects and one that lifts are killed on the way."""
    here, there = tmp_path_factory.mktemp("here"), tmp_path_factory.mktemp("there")
    (there / MARKS).mkdir()
    request = BatchRequest(sources=(str(clips),), out=str(here), poses=POSES, workers=1)
    alone = run_batch(request)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "Operator", Deadly)
        on_ray = run_batch(replace(request, out=str(there), engine="ray", workers=2))
    assert {path.name for path in (there / MARKS).iterdir()} == {"detect", "lift"}  # both were killed
    return here, alone, there, on_ray


def test_every_clip_has_the_same_result(runs: Runs) -> None:
    here, alone, there, on_ray = runs
    tables = [{path.name: path.read_bytes() for path in (out / "clips").iterdir()} for out in (here, there)]
    assert len(tables[0]) == 6 and tables[0] == tables[1]
    assert (on_ray.done, on_ray.failed, on_ray.frames, on_ray.poses) == (6, 3, alone.frames, alone.poses)


def test_the_same_clips_fail(runs: Runs) -> None:
    here, _, there, _ = runs
    assert (here / "failures.csv").read_text() == (there / "failures.csv").read_text()
    assert (here / "failures.csv").read_text().count("\n") == 4


def test_a_clip_that_kills_every_process(
    ray: Any, clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "Operator", Deadly)
    sources = tuple(str(clips / name) for name in ("c0.mp4", "c1.mp4"))
    report = run_batch(BatchRequest(sources=sources, out=str(tmp_path), poses=POSES, engine="ray", workers=1))
    assert (report.done, report.failed) == (1, 1)
    (failure,) = report.failures
    assert failure.source == sources[1] and failure.stage == "detect" and "died" in failure.line


def test_a_dataset_of_paths_and_of_bytes(ray: Any, clips: Path, runs: Runs) -> None:
    paths = [str(clips / name) for name in ("c1.mp4", "noise.mp4")]
    rows = [{"path": path, "bytes": None} for path in paths]
    rows.append({"path": "upload", "bytes": (clips / "c2.mp4").read_bytes()})
    options = {"method": "erd", "hypotheses": 2, "detector": "movenet-fast", "device": "cpu"}
    found = zedo_core.infer_batch(ray.data.from_items(rows), workers=1, **options).to_pandas()
    (error,) = found[found["error"].notna()].to_dict("records")
    assert error["source"] == paths[1] and "expected a picture or a video" in error["error"]
    for source, name in ((paths[0], "c1"), ("upload", "c2")):
        expected = zedo_core.load(runs[0], source=name)
        people = found[(found["source"] == source) & found["track"].notna()].sort_values(["track", "frame"])
        joints = np.stack(people["joints"].dropna().to_list()).reshape(expected.joints.shape)
        np.testing.assert_array_equal(joints, expected.joints)


def test_an_unknown_option() -> None:
    with pytest.raises(zedo_core.ZedoError, match=r"unknown option 'hypo'; expected some of .*hypotheses"):
        zedo_core.infer_batch(None, hypo=3)
