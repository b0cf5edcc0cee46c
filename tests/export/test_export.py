"""Results as npz and JSON: round trips, the schema, and damaged files."""

from __future__ import annotations

import json
import sys
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import fake_rerun
import jsonschema
import numpy as np
import pytest
from export_cases import poses_of

import zedo_core.export
from zedo_core.camera import Camera
from zedo_core.errors import FormatError, InputError, OutputError
from zedo_core.export import formats, load, save
from zedo_core.skeleton import H36M17, Skeleton
from zedo_core.types import Poses, Provenance

SCHEMA_FILE = Path(zedo_core.export.__file__).with_name("poses.schema.json")
READABLE = sorted(suffix for suffix, form in formats().items() if hasattr(form, "read"))
POSED = Camera(
    fx=1000.1,
    fy=999.9,
    cx=500.25,
    cy=400.0,
    size=(1000, 800),
    distortion=(0.1, -0.02, 1e-3, 1e-4),
    R_cam_from_world=((0.0, -1.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, 1.0)),
    t_cam_from_world=(0.1, 0.2, 3.0),
    source="calibration.toml, camera a",
)
BARE = Camera(fx=1000.0, fy=1000.0, cx=500.0, cy=400.0)


def make_poses(t=4, p=2, h=3, dtype: type[np.floating] = np.float64, seed=0, **fields) -> Poses:
    """Random poses in which the last person is absent from the first frame and one joint is unknown."""
    rng = np.random.default_rng(seed)
    arrays = {
        "joints": rng.normal(size=(t, p, h, len(H36M17), 3)).astype(dtype),
        "score": rng.normal(size=(t, p, h)).astype(dtype),
        "chosen": rng.integers(0, h, size=(t, p)),
        "spread": rng.random((t, p, len(H36M17))).astype(dtype),
    }
    if t and p:
        arrays["joints"][0, -1] = np.nan
        arrays["joints"][-1, 0, 0, H36M17.index("head_top")] = np.nan
    defaults = {
        "cameras": (POSED,),
        "frame_numbers": np.arange(t) * 2 + 5,
        "track_ids": np.arange(p) + 7,
        "provenance": Provenance(
            method="zedo",
            weights="prior-é",
            weights_sha256="ab" * 32,
            version="0.1.0",
            options={"steps": 1000, "lr": 0.1, "mode": None, "nested": {"flags": [True, "x"]}},
        ),
        "fps": 29.97,
        "times_s": np.arange(t) / 29.97,
    }
    return poses_of(arrays.pop("joints"), **(arrays | defaults | fields))


def assert_same(found: Poses, expected: Poses, atol: float) -> None:
    for name in ("joints", "spread"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=0, atol=atol, err_msg=name)
    for name in ("frame", "track", "score", "chosen", "filled", "frame_numbers"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)
    for name in ("contact", "seen", "feet"):
        assert (getattr(found, name) is None) == (getattr(expected, name) is None)
        if getattr(expected, name) is not None:
            np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=0, atol=atol, err_msg=name)
    for name in ("skeleton", "cameras", "provenance", "fps"):
        assert getattr(found, name) == getattr(expected, name)
    assert (found.times_s is None) == (expected.times_s is None)
    if expected.times_s is not None:
        np.testing.assert_array_equal(found.times_s, expected.times_s)


def entries_of(path: Path) -> dict[str, Any]:
    with np.load(path) as data:
        return {name: data[name] for name in data.files}


CASES = {
    "usual": make_poses(),
    "single precision": make_poses(dtype=np.float32),
    "nothing known": make_poses(cameras=(BARE,), fps=None, times_s=None),
    "camera per frame": make_poses(t=2, cameras=(POSED, BARE)),
    "filled": make_poses(filled=np.array([[False, False], [True, False], [False, True], [False, False]])),
    "nobody": make_poses(p=0),
    "no frames": make_poses(t=0, times_s=None),
    "own skeleton": make_poses(skeleton=Skeleton("mine", H36M17.joints, (("spine", "pelvis"),))),
    "seen and feet": make_poses(
        seen=np.random.default_rng(1).random((4, 2, 17)) > 0.5,
        feet=np.where(np.arange(6)[:, None] == 4, np.nan, np.random.default_rng(2).normal(0, 1, (4, 2, 6, 3))),
    ),
    "no scores": make_poses(score=np.full((4, 2, 3), np.nan), spread=np.full((4, 2, 17), np.nan)),
}


@pytest.mark.parametrize("suffix", READABLE)
@pytest.mark.parametrize("case", CASES)
def test_round_trip(tmp_path, suffix, case):
    poses = CASES[case]
    save(poses, tmp_path / f"poses{suffix}")
    # JSON is rounded to 6 decimals; half a unit of the last place is 0.5e-6 m, and a little for the arithmetic.
    assert_same(load(tmp_path / f"poses{suffix}"), poses, atol=0 if suffix == ".npz" else 0.51e-6)


def test_older_files_without_filled_and_doubtful(tmp_path):
    poses = CASES["filled"]
    save(poses, tmp_path / "poses.npz")
    save(poses, tmp_path / "poses.json")
    entries = entries_of(tmp_path / "poses.npz")
    np.testing.assert_array_equal(entries.pop("filled"), poses.dense().filled)
    np.testing.assert_array_equal(entries.pop("doubtful"), poses.scatter(poses.doubtful, False))
    np.savez(tmp_path / "poses.npz", **entries)
    document = json.loads((tmp_path / "poses.json").read_text())
    marks = [(p.pop("filled"), p.pop("doubtful")) for frame in document["frames"] for p in frame["people"]]
    rows = np.concatenate([poses.at(t) for t in range(4)])
    assert marks == list(zip(poses.filled[rows], poses.doubtful[rows], strict=True))
    (tmp_path / "poses.json").write_text(json.dumps(document))
    for name in ("poses.npz", "poses.json"):
        assert_same(load(tmp_path / name), replace(poses, filled=np.zeros(len(poses), bool)), atol=0.51e-6)


def test_filled_of_another_type_is_damage(tmp_path):
    save(CASES["filled"], tmp_path / "poses.npz")
    entries = entries_of(tmp_path / "poses.npz")
    for wrong in (entries["filled"].astype(float), entries["filled"][:1]):
        np.savez(tmp_path / "poses.npz", **{**entries, "filled": wrong})
        with pytest.raises(FormatError, match="found damage"):
            load(tmp_path / "poses.npz")


def test_npz_preserves_the_dtype_and_needs_no_pickle(tmp_path):
    save(make_poses(dtype=np.float32), tmp_path / "poses.npz")
    assert load(tmp_path / "poses.npz").joints.dtype == np.float32
    with np.load(tmp_path / "poses.npz", allow_pickle=False) as data:
        entries = {name: data[name] for name in data.files}
    assert all(entry.dtype.kind in "bfiuU" for entry in entries.values())
    assert entries["schema"] == "zedo-poses-1"
    assert entries["joint_names"].tolist() == list(H36M17.joints)
    np.testing.assert_array_equal(entries["K"], POSED.matrix[None])
    assert json.loads(entries["options"].item())["steps"] == 1000


@pytest.mark.parametrize("case", CASES)
def test_json_follows_the_schema_and_is_strict(tmp_path, case):
    def refuse(token: str):
        raise AssertionError(f"{token} is not JSON")

    save(CASES[case], tmp_path / "poses.json")
    document = json.loads((tmp_path / "poses.json").read_text(encoding="utf-8"), parse_constant=refuse)
    jsonschema.validate(document, json.loads(SCHEMA_FILE.read_text(encoding="utf-8")))


def test_the_schema_is_valid_and_rejects_wrong_documents(tmp_path):
    schema = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    save(make_poses(), tmp_path / "poses.json")
    document = json.loads((tmp_path / "poses.json").read_text(encoding="utf-8"))
    document["frames"][0]["people"][0]["joints"][0][0] = [1.0, 2.0]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, schema)


def test_json_has_a_line_per_frame_with_the_people_present(tmp_path):
    save(make_poses(t=4, p=2), tmp_path / "poses.json")
    text = (tmp_path / "poses.json").read_text(encoding="utf-8")
    assert len(text.splitlines()) == 1 + 4 + 1
    assert [len(frame["people"]) for frame in json.loads(text)["frames"]] == [1, 2, 2, 2]


def test_options_of_any_type_can_be_saved(tmp_path):
    options = {"size": (1, 2), "path": Path("a/b"), "rate": np.float32(0.5), "most": float("inf"), 3: np.int64(4)}
    poses = make_poses(provenance=Provenance(method="m", weights="", weights_sha256="", version="0", options=options))
    for suffix in READABLE:
        save(poses, tmp_path / f"poses{suffix}")
        found = load(tmp_path / f"poses{suffix}").provenance.options
        assert found == {"size": [1, 2], "path": str(Path("a/b")), "rate": 0.5, "most": None, "3": 4}


@pytest.mark.parametrize("name", ["poses.docx", "poses", "poses.JSON.bak"])
def test_an_unknown_suffix_is_refused_with_the_known_ones(tmp_path, name):
    for function in (lambda path: save(make_poses(), path), load):
        with pytest.raises(InputError, match=r"\.json.*\.npz"):
            function(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_suffix_in_capitals(tmp_path):
    save(make_poses(), tmp_path / "POSES.NPZ")
    assert [path.name for path in tmp_path.iterdir()] == ["POSES.NPZ"]
    assert_same(load(tmp_path / "POSES.NPZ"), make_poses(), atol=0)


@pytest.mark.parametrize("suffix", sorted(formats()))
def test_a_place_that_cannot_be_written_to_is_refused(tmp_path, suffix, monkeypatch):
    monkeypatch.setitem(sys.modules, "rerun", fake_rerun)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError):
        save(make_poses(), tmp_path / "file" / f"poses{suffix}")


@pytest.mark.parametrize("suffix", READABLE)
@pytest.mark.parametrize("content", [b"", b"{", b"null", b"[]", b"PK\x03\x04", b"\xff\xfe\x00", b"[" * 100_000])
def test_other_files_are_refused(tmp_path, suffix, content):
    (tmp_path / f"poses{suffix}").write_bytes(content)
    with pytest.raises(FormatError, match="poses"):
        load(tmp_path / f"poses{suffix}")


@pytest.mark.parametrize("suffix", READABLE)
def test_missing_file_is_refused(tmp_path, suffix):
    with pytest.raises(FormatError, match="No such file"):
        load(tmp_path / f"poses{suffix}")


def _paths(value, path=()):
    """Paths of all values in a nested JSON value."""
    yield path
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, entry in entries:
        yield from _paths(entry, (*path, key))


@pytest.mark.parametrize("junk", [None, "x", [], {}, -3, 1e300, 10**30, [[None]]], ids=str)
def test_damaged_json_is_refused_or_read(tmp_path, junk):
    """Every value of the document is replaced by junk in turn: the reader raises FormatError or returns poses."""
    save(make_poses(t=2, p=1, h=1), tmp_path / "poses.json")
    document = json.loads((tmp_path / "poses.json").read_text(encoding="utf-8"))
    refused = 0
    for path in [path for path in _paths(document) if path and len(path) < 6]:
        copy = json.loads(json.dumps(document))
        parent = copy
        for key in path[:-1]:
            parent = parent[key]
        parent[path[-1]] = junk
        (tmp_path / "damaged.json").write_text(json.dumps(copy))
        try:
            load(tmp_path / "damaged.json")
        except FormatError:
            refused += 1
    assert refused > 10


def test_people_in_any_order_and_unused_ids(tmp_path):
    """As in files of version 0.1.0."""
    save(CASES["filled"], tmp_path / "poses.npz")
    entries = entries_of(tmp_path / "poses.npz")
    for name in ("joints", "score", "chosen", "spread", "filled", "doubtful"):
        absent = np.full_like(entries[name][:, :1], {"chosen": -1, "filled": 0, "doubtful": 0}.get(name, np.nan))
        entries[name] = np.concatenate([entries[name][:, 1:], absent, entries[name][:, :1]], axis=1)
    entries["track_ids"] = np.array((8, 3, 7))
    np.savez(tmp_path / "poses.npz", **entries)
    assert_same(load(tmp_path / "poses.npz"), CASES["filled"], atol=0)


def test_arrays_in_fortran_order(tmp_path):
    save(make_poses(), tmp_path / "poses.npz")
    entries = entries_of(tmp_path / "poses.npz")
    np.savez(tmp_path / "poses.npz", **{name: entry.copy(order="F") for name, entry in entries.items()})
    assert_same(load(tmp_path / "poses.npz"), make_poses(), atol=0)


def test_memory_depends_on_the_rows(tmp_path):
    """60 people in one frame each, 300 MB as dense arrays: written and read with a fraction of that."""
    people, hypotheses = 60, 300
    joints = np.full((people, people, hypotheses, 17, 3), np.nan, np.float32)
    joints[range(people), range(people)] = 0.5
    dense_bytes, poses = joints.nbytes, poses_of(joints)
    del joints
    tracemalloc.start()
    save(poses, tmp_path / "poses.npz")
    found = load(tmp_path / "poses.npz")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (tmp_path / "poses.npz").stat().st_size < 2e6 and peak < 0.2 * dense_bytes
    assert_same(found, poses, atol=0)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("joints", lambda a: a[:, :-1], "people and frames are"),
        ("joints", lambda a: a.astype(object), "not a readable npz|found damage"),
        ("score", lambda a: a.astype(np.complex64), "complex64"),
        ("spread", lambda a: a[..., :-1], "found damage"),
        ("joints", lambda a: a * 1e30, "beyond"),
        ("chosen", lambda a: a.ravel(), "found damage"),
        ("chosen", lambda a: a.astype(float), "found damage"),
        ("chosen", lambda a: a + 99, "chosen hypotheses from 0 to 2"),
        ("chosen", lambda a: a - 1, "do not match"),
        ("track_ids", lambda a: a[:1], "do not match"),
        ("track_ids", lambda a: a[:, None], "do not match"),
        ("track_ids", lambda a: a * 0, "each person once per frame"),
        ("frame_numbers", lambda a: a[:1], "do not match"),
        ("frame_numbers", lambda a: a / 2, "found damage"),
        ("fps", lambda a: a * 1e6, "fps is"),
        ("score", None, "no item named 'score.npy'"),
    ],
)
def test_a_damaged_npz_is_refused(
    name: str, change: Callable[[np.ndarray], np.ndarray] | None, message: str, tmp_path: Path
) -> None:
    save(make_poses(), tmp_path / "poses.npz")
    entries = entries_of(tmp_path / "poses.npz")
    array = entries.pop(name)
    if change is not None:
        entries[name] = change(array)
    np.savez_compressed(tmp_path / "b.npz", **entries)
    with pytest.raises(FormatError, match=message):
        load(tmp_path / "b.npz")
    content = (tmp_path / "poses.npz").read_bytes()
    (tmp_path / "c.npz").write_bytes(content[: len(content) // 2])
    with pytest.raises(FormatError, match="not a readable npz"):
        load(tmp_path / "c.npz")


def test_json_of_people_in_any_order(tmp_path):
    save(CASES["filled"], tmp_path / "poses.json")
    document = json.loads((tmp_path / "poses.json").read_text(encoding="utf-8"))
    for frame in document["frames"]:
        frame["people"].reverse()
    document["track_ids"] = [8, 3, 7]
    (tmp_path / "poses.json").write_text(json.dumps(document), encoding="utf-8")
    assert_same(load(tmp_path / "poses.json"), CASES["filled"], atol=0.51e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda people: people[1].update(track=9), "9 is not among the track ids"),
        (lambda people: people.append(people[0]), "each person once per frame"),
        (lambda people: people[1].update(chosen=-1), "expected chosen hypotheses from 0 to 2"),
        (lambda people: people[1].update(filled="yes"), "found damage"),
        (lambda people: people[1].update(joints=people[1]["joints"][:2]), r"frame 7: joints has shape \(2, 17, 3\)"),
        (lambda people: people[1].pop("spread"), "'spread' is missing"),
    ],
)
def test_a_damaged_json_is_refused(
    change: Callable[[list[dict[str, Any]]], object], message: str, tmp_path: Path
) -> None:
    save(make_poses(), tmp_path / "poses.json")
    document = json.loads((tmp_path / "poses.json").read_text(encoding="utf-8"))
    change(document["frames"][1]["people"])
    (tmp_path / "poses.json").write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(FormatError, match=message):
        load(tmp_path / "poses.json")


@pytest.mark.parametrize("name", ["joints", "chosen", "K", "joint_names", "skeleton", "options", "schema"])
def test_npz_with_a_missing_or_wrong_entry_is_refused(tmp_path, name):
    save(make_poses(), tmp_path / "poses.npz")
    entries = entries_of(tmp_path / "poses.npz")
    without = {key: value for key, value in entries.items() if key != name}
    for damaged in (without, without | {name: np.zeros((2, 2))}):
        np.savez(tmp_path / "damaged.npz", allow_pickle=False, **damaged)
        with pytest.raises(FormatError, match="zedo-poses-1"):
            load(tmp_path / "damaged.npz")


def test_a_newer_schema_is_refused_by_name(tmp_path):
    save(make_poses(), tmp_path / "poses.json")
    text = (tmp_path / "poses.json").read_text(encoding="utf-8").replace("zedo-poses-1", "zedo-poses-9")
    (tmp_path / "poses.json").write_text(text, encoding="utf-8")
    with pytest.raises(FormatError, match="zedo-poses-9"):
        load(tmp_path / "poses.json")


def test_saving_does_not_change_the_poses(tmp_path):
    poses = make_poses()
    for suffix in READABLE:
        save(poses, tmp_path / f"poses{suffix}")
    assert_same(poses, make_poses(), atol=0)
