"""`zedo convert`, and the formats of `zedo infer`."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

import fake_rerun
import numpy as np
import pytest
from export_cases import clip, couple_with_gaps
from infer_cases import FEW, body, own_format
from typer.testing import CliRunner, Result

from zedo_cli.app import app
from zedo_core.export import formats, save
from zedo_core.motions.upright import upright
from zedo_core.pipeline.run import InferRequest


def zedo(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def refused(result: Result, code: int, *parts: str) -> None:
    """The command ended with the code and one line that contains the parts."""
    assert result.exit_code == code, result.output
    assert all(part in " ".join(result.stderr.split()) for part in parts), result.stderr
    assert "Traceback" not in result.output


@pytest.fixture
def result(tmp_path: Path) -> Path:
    save(clip(), tmp_path / "poses.npz")
    return tmp_path / "poses.npz"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_all_formats_next_to_the_result(result, monkeypatch):
    monkeypatch.setitem(sys.modules, "rerun", fake_rerun)
    wanted = ",".join(suffix[1:] for suffix in formats() if suffix != ".npz")
    done = zedo("convert", result, "--to", wanted)
    assert done.exit_code == 0, done.stderr
    others = {".csv-wide": ["poses_wide.csv"], ".angles": ["angles.csv", "angles.html"]}
    files = {name for suffix in formats() for name in others.get(suffix, [f"poses{suffix}"])}
    assert names(result.parent) == sorted(files)
    assert done.stdout == ""
    assert "up: estimated from 20 standing poses" in done.stderr


def test_the_output_folder_is_created_and_the_files_reported(result, tmp_path):
    save(couple_with_gaps(), result)
    out = tmp_path / "new folder" / "ü"
    done = zedo("convert", result, "--to", "TRC, .glb,trc", "--out", out, "--json", "--quiet")
    assert done.exit_code == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["files"] == [str(out / n) for n in ("poses_person3.trc", "poses_person8.trc", "poses.glb")]
    assert names(out) == ["poses.glb", "poses_person3.trc", "poses_person8.trc"]
    assert report["up"].startswith("estimated")


@pytest.mark.parametrize(("up", "direction"), [("camera", (0, -1, 0)), ("0,-2,0.5", (0, -2, 0.5))])
def test_up(result, up, direction):
    done = zedo("convert", result, "--to", "trc", "--up", up)
    assert done.exit_code == 0, done.stderr
    first = result.with_suffix(".trc").read_text().splitlines()[5].split("\t")[2:5]
    places = upright(clip(), direction).points
    np.testing.assert_allclose([float(cell) / 1000 for cell in first], places[0, 0], atol=1e-6)


def test_names_of_bones(result):
    assert zedo("convert", result, "--to", "bvh,glb,trc", "--names", "unreal").exit_code == 0
    assert "JOINT lowerarm_l" in result.with_suffix(".bvh").read_text()
    assert b'"upperarm_r"' in result.with_suffix(".glb").read_bytes()


def test_formats_in_camera_axes_report_no_up(result):
    done = zedo("convert", result, "--to", "csv,json", "--json")
    assert json.loads(done.stdout)["up"] is None


def test_json_can_be_converted_too(tmp_path):
    save(clip(), tmp_path / "poses.json")
    assert zedo("convert", tmp_path / "poses.json", "--to", "npz,bvh").exit_code == 0
    assert names(tmp_path) == ["poses.bvh", "poses.json", "poses.npz"]


def test_a_folder_with_a_result(result):
    assert zedo("convert", result.parent, "--to", "bvh").exit_code == 0
    assert names(result.parent) == ["poses.bvh", "poses.npz"]


def test_files_of_people_of_an_earlier_run_are_removed(result):
    """After a run with two people, one with a single person removes their files, but no others."""
    others = ("poses_person.trc", "poses_personal.trc", "other_person3.trc", "poses_person3.txt", "poses_person3.bvh")
    for name in others:
        (result.parent / name).write_text("mine")
    save(couple_with_gaps(), result)
    assert zedo("convert", result, "--to", "trc,c3d").exit_code == 0
    both = {f"poses_person{i}.{form}" for i in (3, 8) for form in ("trc", "c3d")}
    assert set(names(result.parent)) == {"poses.npz", *others, *both}
    save(clip(), result)
    done = zedo("convert", result, "--to", "trc,c3d")
    assert set(names(result.parent)) == {"poses.npz", *others, "poses.trc", "poses.c3d"}
    assert "warning: poses_person8.trc: removed, left from an earlier run with other people" in done.stderr
    save(couple_with_gaps(), result)
    zedo("convert", result, "--to", "trc")
    assert set(names(result.parent)) == {"poses.npz", *others, "poses.c3d", "poses_person3.trc", "poses_person8.trc"}


class TestRefusals:
    @pytest.mark.parametrize("to", ["fbx", "bvh,fbx", "", "bvh,,trc"])
    def test_unknown_format(self, result, to):
        refused(zedo("convert", result, "--to", to), 2, "is not known; expected some of", "bvh", "npz")
        assert names(result.parent) == ["poses.npz"]

    def test_unknown_names_of_bones(self, result, tmp_path):
        said = "--names: expected one of mixamo, unreal, rigify, vrm, lafan, zedo, found 'maya'"
        refused(zedo("convert", result, "--to", "bvh", "--names", "maya"), 2, said)
        refused(zedo("infer", tmp_path / "a.mp4", "--names", "maya"), 2, said)
        assert names(result.parent) == ["poses.npz"]

    def test_not_a_result(self, tmp_path):
        (tmp_path / "a.npz").write_bytes(b"no result")
        np.savez(tmp_path / "b.npz", keypoints=np.zeros(3))
        (tmp_path / "c.txt").write_text("no result")
        refused(zedo("convert", tmp_path / "a.npz", "--to", "bvh"), 2, "a.npz: not a readable npz of poses")
        refused(zedo("convert", tmp_path / "b.npz", "--to", "bvh"), 2, "b.npz: expected poses in the format")
        refused(zedo("convert", tmp_path / "c.txt", "--to", "bvh"), 2, "expected one of .json, .npz")
        refused(zedo("convert", tmp_path / "none.npz", "--to", "bvh"), 2, "no such folder or file")
        refused(zedo("convert", tmp_path, "--to", "bvh"), 2, "expected poses.npz or poses.json in it")
        assert names(tmp_path) == ["a.npz", "b.npz", "c.txt"]

    def test_out_that_cannot_be_written_to(self, result):
        refused(zedo("convert", result, "--to", "bvh", "--out", result / "inside"), 1, "cannot write there")
        (result.parent / "poses.trc").mkdir()
        refused(zedo("convert", result, "--to", "trc"), 1, "poses.trc: writing failed")
        assert names(result.parent) == ["poses.npz", "poses.trc"]

    def test_onto_itself(self, result):
        before = result.read_bytes()
        refused(zedo("convert", result, "--to", "bvh,npz"), 2, "is RESULT itself")
        assert result.read_bytes() == before and names(result.parent) == ["poses.npz"]

    @pytest.mark.parametrize("up", ["up", "1,2", "1,2,3,4", "a,b,c", "0,0,0", "nan,0,1", ""])
    def test_invalid_up(self, result, up):
        refused(zedo("convert", result, "--to", "bvh", "--up", up), 2, "expected")
        assert names(result.parent) == ["poses.npz"]

    def test_a_missing_extra_is_reported_before_anything_is_written(self, result, monkeypatch):
        for module, name, extra in (("ezc3d", "c3d", "c3d"), ("rerun", "rrd", "rerun")):
            monkeypatch.setitem(sys.modules, module, None)
            refused(zedo("convert", result, "--to", f"bvh,{name}"), 1, f"[{extra}]'")
        assert names(result.parent) == ["poses.npz"]


class TestInfer:
    @pytest.fixture
    def keypoints(self, tmp_path: Path) -> Path:
        path = tmp_path / "clip.json"
        path.write_text(json.dumps(own_format([{4: body(t)} for t in range(3)])))
        return path

    def test_formats(self, keypoints, tmp_path):
        out = tmp_path / "out"
        done = zedo(
            "infer", keypoints, "--out", out, *FEW, "--format", "npz,csv,trc,bvh,c3d,glb", "--json", "--names", "vrm"
        )
        assert done.exit_code == 0, done.stderr
        assert "JOINT leftUpperLeg" in (out / "poses.bvh").read_text()
        written = {"poses.npz", "poses.csv", "poses.trc", "poses.bvh", "poses.c3d", "poses.glb", "keypoints.json"}
        assert written <= set(names(out)) and "poses.json" not in names(out)
        assert written <= {Path(file).name for file in json.loads(done.stdout)["files"]}

    def test_unknown_format_is_refused_before_anything_else(self, keypoints, tmp_path):
        refused(zedo("infer", keypoints, "--out", tmp_path / "out", "--format", "npz,fbx"), 2, "'fbx' is not known")
        assert not (tmp_path / "out").exists()

    def test_default(self):
        assert InferRequest(input=Path("a"), out=Path("b")).formats == ("npz", "json")


def test_warnings_are_plain_lines(result, caplog):
    save(couple_with_gaps(), result)
    with caplog.at_level(logging.WARNING):
        done = zedo("convert", result, "--to", "bvh", "--quiet")
    lines = done.stderr.splitlines()
    assert done.exit_code == 0 and len(lines) == 2 and all(line.startswith("warning: poses_person") for line in lines)
