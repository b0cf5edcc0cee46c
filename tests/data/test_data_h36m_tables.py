"""Human3.6M with invalid content: entries of pickles, tables of npz files, takes of HDF5 files."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import datasets_h36m as h36m
import numpy as np
import pytest
from datasets_h36m import make_studio
from h36m_cases import assert_fails, write_npz, write_videopose, write_zedo


def set_entry(key: str, value: Any, entry: int = 7) -> Callable[[list[dict[str, Any]]], None]:
    def change(rows: list[dict[str, Any]]) -> None:
        rows[entry] = {**rows[entry], key: value}

    return change


def remove_entry(key: str) -> Callable[[list[dict[str, Any]]], None]:
    def change(rows: list[dict[str, Any]]) -> None:
        del rows[7][key]

    return change


BAD_ENTRIES: dict[str, tuple[Callable[[list[dict[str, Any]]], Any], str]] = {
    "16 joints": (
        set_entry("joint_3d_camera", np.zeros((16, 3))),
        r"entry 7: expected 'joint_3d_camera' of shape \(17, 3\), found \(16, 3\)",
    ),
    "no 3D": (
        remove_entry("joint_3d_camera"),
        r"entry 7: expected 'joint_3d_camera' to be numbers of shape \(17, 3\), found n",
    ),
    "words": (set_entry("joint_3d_image", "no"), r"entry 7: expected 'joint_3d_image' to be numbers"),
    "flat 2D": (
        set_entry("joint_3d_image", np.zeros((17, 2))),
        r"entry 7: expected 'joint_3d_image' of shape \(17, 3\), found \(17, 2\)",
    ),
    "no camera": (
        set_entry("camera_param", {"fx": 1.0}),
        r"entry 7: expected 'camera_param' fx, fy, cx, cy to be numbers",
    ),
    "two focal lengths": (
        set_entry("camera_param", {"fx": [1.0, 2.0], "fy": 1.0, "cx": 1.0, "cy": 1.0}),
        "entry 7: expected 'camera_param' fx, fy, cx, cy",
    ),
    "action 1": (set_entry("action", 1), r"entry 7: expected 'action' from 2 to 16, found 1"),
    "action 17": (set_entry("action", 17), r"entry 7: expected 'action' from 2 to 16, found 17"),
    "action 2.5": (set_entry("action", 2.5), r"entry 7: expected 'action' from 2 to 16, found 2\.5"),
    "no image": (remove_entry("image_path"), r"entry 7: expected 'image_path' such as s_09_act_02_.*, found 'None'"),
    "another image": (set_entry("image_path", "TS1/1.jpg"), r"entry 7: expected 'image_path' .*, found 'TS1/1\.jpg'"),
    "no entry": (lambda rows: rows.append(cast(Any, 5)), "expected a list of samples, found list or other entries"),
}


@pytest.mark.parametrize("name", BAD_ENTRIES)
def test_invalid_entries_of_pickles(tmp_path: Path, name: str) -> None:
    change, message = BAD_ENTRIES[name]
    rows = h36m.entries(make_studio())
    change(rows)
    h36m.dump(tmp_path / "h36m_test.pkl", rows)
    assert_fails(tmp_path, r"h36m_test\.pkl: " + message)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda found: {"train": found}, r"joint3d_image and confidence under 'test'"),
        (
            lambda found: {"test": {"joint3d_image": found["joint3d_image"]}},
            r"joint3d_image and confidence under 'test'",
        ),
        (lambda found: [found], r"joint3d_image and confidence under 'test'"),
        (
            lambda found: {"test": {name: values[:-1] for name, values in found.items()}},
            r"expected 136 detections under 'test', one for each entry of h36m_test\.pkl, found 135 keypoints and 135",
        ),
        (lambda found: {"test": found | {"confidence": found["confidence"][1:]}}, "found 136 keypoints and 135 conf"),
        (
            lambda found: {"test": found | {"joint3d_image": found["joint3d_image"][:, 1:]}},
            r"'test/joint3d_image' of shape \(n, 17, 3\), found \(136, 16, 3\)",
        ),
        (
            lambda found: {"test": found | {"confidence": found["confidence"][..., 0]}},
            r"'test/confidence' of shape \(n, 17, 1\), found \(136, 17\)",
        ),
    ],
)
def test_invalid_detections_of_pickles(tmp_path: Path, change: Callable[[Any], Any], message: str) -> None:
    rows = write_zedo(tmp_path, make_studio())
    h36m.dump(tmp_path / "h36m_sh_dt_ft.pkl", change(h36m.detections(rows)))
    assert_fails(tmp_path, r"h36m_sh_dt_ft\.pkl: .*" + message, input="detected")


Tables = tuple[dict[str, Any], dict[str, Any]]


def replace_photo(table_index: int, value: Callable[[Any], Any]) -> Callable[[Tables], Tables]:
    """Change Photo of S9 in the 3D (0) or 2D (1) table."""

    def change(tables: Tables) -> Tables:
        table = tables[table_index]
        table["S9"]["Photo"] = value(table["S9"]["Photo"])
        return tables

    return change


BAD_TABLES: dict[str, tuple[Callable[[Tables], Tables], str]] = {
    "17 joints": (replace_photo(0, lambda p: p[:, :17]), r"'S9/Photo' of shape \(n, 32, 3\), found \(\d+, 17, 3\)"),
    "words": (replace_photo(0, lambda _: "no"), r"'S9/Photo' to be numbers"),
    "three cameras": (replace_photo(1, lambda views: views[:3]), r"S9/Photo to have 4 cameras, found 3"),
    "no cameras": (replace_photo(1, lambda _: 5), r"S9/Photo to have 4 cameras, found int"),
    "short 2D": (
        replace_photo(1, lambda views: [*views[:3], views[3][:2]]),
        r"S9/Photo, camera 60457274 to have at least 8 frames, as in the 3D file, found 2",
    ),
    "16 keypoints": (
        replace_photo(1, lambda views: [pixels[:, :16] for pixels in views]),
        r"'S9/Photo, camera 54138969' of shape \(n, 17, 2\), found \(\d+, 16, 2\)",
    ),
    "no 2D of a take": (
        lambda t: (t[0], {s: {k: v for k, v in row.items() if k != "Photo"} for s, row in t[1].items()}),
        r"data_2d_h36m_gt\.npz: expected keypoints of S9/Photo, as in the 3D file, found none",
    ),
    "no subject": (
        lambda t: ({"S1": t[0]["S9"]}, t[1]),
        r"subjects of the test split \(S9, S11\), found S1; S9, S11 is mis",
    ),
    "HumanEva": (lambda t: ({"Train/S1": t[0]["S9"]}, t[1]), r"found Train/S1; S9, S11 is missing"),
    "an unknown action": (
        lambda t: ({**t[0], "S9": {"Juggling 1": t[0]["S9"]["Photo"]}}, t[1]),
        r"begins with one of Directions.*, found 'Juggling 1'",
    ),
    "millimetres": (
        lambda t: ({s: {k: 1000 * v for k, v in row.items()} for s, row in t[0].items()}, t[1]),
        r"keypoints of S9/Directions 1/54138969 near its 3D joints \(3 px\), found them \d+ px off",
    ),
    "another order of cameras": (
        replace_photo(1, lambda views: [views[1], views[0], *views[2:]]),
        r"keypoints of S9/Photo/54138969 near its 3D joints",
    ),
}


@pytest.mark.parametrize("name", BAD_TABLES)
def test_invalid_tables_of_npz(tmp_path: Path, name: str) -> None:
    change, message = BAD_TABLES[name]
    studio = make_studio()
    write_videopose(tmp_path, studio)
    positions = h36m.nested(studio, lambda take: studio.all32(take) / 1000).item()
    positions, keypoints = change((positions, h36m.views(studio, "gt")))
    write_npz(tmp_path / "data_3d_h36m.npz", positions_3d=np.array(positions, object))
    h36m.write_2d(tmp_path / "data_2d_h36m_gt.npz", keypoints)
    assert_fails(tmp_path, message)


def test_detections_stored_as_ground_truth(tmp_path: Path) -> None:
    studio = make_studio()
    write_videopose(tmp_path, studio)
    h36m.write_2d(tmp_path / "data_2d_h36m_gt.npz", h36m.views(studio, "detected"))
    assert_fails(
        tmp_path, r"data_2d_h36m_gt\.npz: expected keypoints of \S+ 1/54138969 near its 3D joints \(3 px\), found"
    )


def test_an_array_instead_of_a_table(tmp_path: Path) -> None:
    write_videopose(tmp_path, make_studio())
    write_npz(tmp_path / "data_3d_h36m.npz", positions_3d=np.zeros((4, 32, 3)))
    assert_fails(tmp_path, r"expected values by subject and action, found an array float64 \(4, 32, 3\)")


def test_an_unknown_layout(tmp_path: Path) -> None:
    studio = make_studio()
    write_videopose(tmp_path, studio)
    h36m.write_2d(tmp_path / "data_2d_h36m_gt.npz", h36m.views(studio, "gt"), "mpii")
    assert_fails(tmp_path, r"keypoints in the layout h36m or coco, found 'mpii'")


@pytest.mark.parametrize(
    ("name", "key", "array", "message"),
    [
        ("S9/MyPoses/3D_positions/Photo.h5", "3D_positions", np.zeros((95, 8)), r"\(n, 96\), found \(95, 8\)"),
        (
            "S9/MyPoses/3D_positions/Photo.h5",
            "poses",
            np.zeros((8, 96)),
            r"numeric arrays 3D_positions, found poses",
        ),
        ("S9/MyPoses/3D_positions/Photo.123.h5", "3D_positions", np.zeros((96, 8)), r"in the name, found '123'"),
        (
            "S9/MyPoses/3D_positions/Juggling.h5",
            "3D_positions",
            np.zeros((96, 8)),
            r"one of Directions.*, found 'Juggl",
        ),
        ("S9/StackedHourglass/Photo.58860488.h5", "poses", np.zeros((8, 17, 2)), r"\(n, 16, 2\), found \(8, 17, 2\)"),
        (
            "S9/StackedHourglass/Photo.58860488.h5",
            "poses",
            np.zeros((7, 16, 2)),
            r"at least 8 frames, as in the 3D file, found 7",
        ),
        (
            "S9/StackedHourglass/Photo.58860488.h5",
            "poses",
            np.zeros((8, 16, 2)),
            r"S9/Photo/58860488 near its 3D joints",
        ),
    ],
)
def test_invalid_takes_in_hdf5(tmp_path: Path, name: str, key: str, array: np.ndarray, message: str) -> None:
    h36m.write_hdf5(tmp_path, make_studio())
    h36m.write_array(tmp_path / name, key, array)
    assert_fails(tmp_path, re.escape(Path(name).name) + r".*" + message, input="detected")
