"""Readers and exporters with random input: a value or a ZedoError of one line, and nothing else."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fuzz_seeds import npz, targets
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from mutate import run

from zedo_core.camera import Camera, read_camera
from zedo_core.data import mocap
from zedo_core.errors import FormatError, WeightsError, ZedoError
from zedo_core.export import formats, load, save
from zedo_core.keypoints import read_keypoints, write_keypoints
from zedo_core.methods.zedo.initial_poses import load_initial_poses
from zedo_core.skeleton import COCO17, H36M17
from zedo_core.types import Keypoints, Poses, Provenance, in_order

TARGETS = targets()
SECONDS = 0.5  # for each reader; mutate.py can be run for longer by hand
MANY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.filterwarnings("ignore")  # a reader may warn about its input
def test_mutated_files_lead_to_a_value_or_one_line(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZEDO_HOME", str(tmp_path))
    tally = run(TARGETS[name], seed=0, seconds=SECONDS, cases=400, folder=tmp_path / "now")
    assert not tally.escapes, tally.escapes
    assert tally.cases > 0  # the first case also imports modules


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.filterwarnings("ignore")
def test_the_original_files_are_valid(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZEDO_HOME", str(tmp_path))
    target = TARGETS[name]
    for file, content in (*target.companions, *target.files):
        (tmp_path / "now" / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "now" / file).write_bytes(content)
    for file, content in target.files:
        (tmp_path / "now" / file).write_bytes(content)
        target.read(tmp_path / "now" / file)


def test_cases_found_by_fuzzing_stay_fixed(tmp_path: Path) -> None:
    """Cases that once led to other exceptions."""
    prior = TARGETS["prior-config"]
    config = json.loads(prior.files[0][1])
    for name, content in prior.companions:
        (tmp_path / name).write_bytes(content)
    (tmp_path / "prior.json").write_text(json.dumps(config | {"network": config["network"] | {"blocks": True}}))
    with pytest.raises(WeightsError, match="network"):
        prior.read(tmp_path / "prior.json")
    document = json.loads(TARGETS["result-json"].files[0][1])
    (tmp_path / "p.json").write_text(json.dumps(document | {"fps": 1e-320}))
    with pytest.raises(FormatError, match="fps"):
        load(tmp_path / "p.json")
    (tmp_path / "k.json").write_text(json.dumps(json.loads(TARGETS["keypoints-json"].files[0][1]) | {"fps": 1e-320}))
    with pytest.raises(FormatError, match="frames per second"):
        read_keypoints(tmp_path / "k.json")
    damaged = np.array(["coco-17"]).view("u4")
    damaged[0] = 0x7FFFFFFF
    (tmp_path / "k.npz").write_bytes(npz(keypoints=np.zeros((1, 17, 3)), joints=damaged.view("U7")))
    with pytest.raises(FormatError, match="damaged texts"):
        read_keypoints(tmp_path / "k.npz")


ARRAYS = hnp.arrays(
    dtype=hnp.scalar_dtypes() | hnp.unicode_string_dtypes(max_len=8) | hnp.byte_string_dtypes(max_len=8),
    shape=hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=4)
    | st.sampled_from([(2, 17, 3), (3, 3), (5,)]),
)
NAMES = st.sampled_from(
    [
        "keypoints",
        "joints",
        "image_size",
        "fps",
        "frame_numbers",
        "track_ids",
        "times_s",
        "K",
        "distortion",
        "positions",
        "offsets",
        "names",
        "split",
        "3",
        "schema",
        "score",
        "chosen",
        "spread",
        "skeleton",
        "joint_names",
        "parents",
        "options",
        "R_cam_from_world",
    ]
)


@MANY
@given(arrays=st.dictionaries(NAMES, ARRAYS, max_size=6))
@pytest.mark.filterwarnings("ignore")
def test_npz_of_any_arrays(tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    path = tmp_path / "any.npz"
    path.write_bytes(npz(**arrays))
    for read in (read_keypoints, read_camera, load, load_initial_poses, mocap.load):
        try:
            read(path)
        except ZedoError as error:
            assert "\n" not in str(error) and len(str(error)) < 3000


PIXELS = st.floats(-1000, 5000, width=32)
SHAPES = st.tuples(st.integers(1, 4), st.integers(0, 3))


@st.composite
def any_keypoints(draw: st.DrawFn) -> Keypoints:
    """Keypoints of random people, with gaps."""
    t, p = draw(SHAPES)
    seen = draw(hnp.arrays(bool, (t, p, 17)))
    numbers = sorted(draw(st.sets(st.integers(0, 2**40), min_size=t, max_size=t)))
    return Keypoints.from_dense(
        draw(hnp.arrays(float, (t, p, 17, 2), elements=PIXELS)).round(2) * seen[..., None],
        np.where(seen, 0.5, 0.0),
        COCO17,
        frame_numbers=np.array(numbers),
        track_ids=np.array(draw(st.lists(st.integers(-5, 2**31), min_size=p, max_size=p, unique=True)), int),
        image_sizes=draw(st.none() | st.just(((640, 480),))),
        fps=draw(st.none() | st.floats(0.5, 1000)),
    )


@MANY
@pytest.mark.filterwarnings("ignore:Do not use the `random` module")  # the type checker uses it
@given(keypoints=any_keypoints())
def test_keypoints_round_trip(tmp_path: Path, keypoints: Keypoints) -> None:
    write_keypoints(keypoints, tmp_path / "k.json")
    found = read_keypoints(tmp_path / "k.json")
    np.testing.assert_array_equal(found.xy, keypoints.xy)
    np.testing.assert_array_equal(found.confidence, keypoints.confidence)
    for name in ("frame_numbers", "frame", "track"):
        assert getattr(found, name).tolist() == getattr(keypoints, name).tolist()
    assert (found.image_sizes, found.fps) == (keypoints.image_sizes, keypoints.fps)


@st.composite
def any_poses(draw: st.DrawFn) -> Poses:
    """Poses of random people with gaps and one or two hypotheses, with random texts."""
    (t, p), h = draw(SHAPES), draw(st.integers(1, 2))
    present = draw(hnp.arrays(bool, (t, p)))
    joints = draw(hnp.arrays(float, (t, p, h, 17, 3), elements=st.floats(-100, 100, width=32)))
    text = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=8)
    made_by = Provenance(method=draw(text), weights=draw(text), weights_sha256="", version="0")
    frame, person = present.nonzero()
    n = len(frame)
    return Poses(
        **in_order(frame=frame, track=person + 1, joints=joints[frame, person]),
        score=np.zeros((n, h)),
        chosen=np.full(n, draw(st.integers(0, h - 1))),
        spread=np.zeros((n, 17)),
        filled=np.zeros(n, bool),
        skeleton=H36M17,
        cameras=(Camera(fx=900.0, fy=900.0, cx=320.0, cy=240.0, source=draw(text)),),
        frame_numbers=np.array(sorted(draw(st.sets(st.integers(0, 2**40), min_size=t, max_size=t)))),
        provenance=made_by,
        fps=draw(st.none() | st.floats(1, 1000)),
    )


@MANY
@given(poses=any_poses())
@pytest.mark.filterwarnings("ignore")
def test_poses_round_trip_or_are_refused_by_every_exporter(tmp_path: Path, poses: Poses) -> None:
    for suffix, format in formats().items():
        path = tmp_path / f"p{suffix}"
        try:
            save(poses, path)
        except ZedoError as error:
            assert "\n" not in str(error)
            assert not hasattr(format, "read"), error  # lossless formats accept all poses
            continue
        if hasattr(format, "read"):
            found = load(path)
            np.testing.assert_allclose(found.joints, poses.joints, rtol=0, atol=0 if suffix == ".npz" else 1e-6)
            for name in ("chosen", "frame_numbers", "frame", "track"):
                assert getattr(found, name).tolist() == getattr(poses, name).tolist()
            assert replace(found.provenance, options={}) == poses.provenance
            assert found.fps == poses.fps or math.isclose(found.fps or 0, poses.fps or 0)
