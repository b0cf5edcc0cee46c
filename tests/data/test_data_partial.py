"""Data sets of which a part is missing are read, and it is said: subjects, names of pictures, 2D files."""

from __future__ import annotations

from pathlib import Path

import datasets_h36m as h36m
import numpy as np
import pytest
from datasets_h36m import make_studio

from zedo_core.data import load_samples
from zedo_core.data.training import load_mixture
from zedo_core.errors import FormatError
from zedo_core.skeleton import H36M17


def test_a_pickle_without_names_of_pictures(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Samples, actions and cameras are the same; sequences follow from action and camera."""
    for name in ("named", "bare"):
        (tmp_path / name).mkdir()
    rows = h36m.entries(make_studio())
    h36m.dump(tmp_path / "named" / "h36m_test.pkl", rows)
    named = load_samples("h36m", tmp_path / "named")
    for row in rows:
        row.pop("image_path")
    rows.sort(
        key=lambda row: (int(np.asarray(row["action"]).item()), float(np.asarray(row["camera_param"]["fx"]).item()))
    )
    h36m.dump(tmp_path / "bare" / "h36m_test.pkl", rows)
    bare = load_samples("h36m", tmp_path / "bare")
    assert "subjects and frames are unknown; all" in caplog.text and "as the test split" in caplog.text
    assert len(bare) == len(named)
    assert np.bincount(bare.action).tolist() == np.bincount(named.action).tolist()
    expected = [[float(np.asarray(row["joint_3d_camera"])[0, 0]) / 1000] for row in rows]
    np.testing.assert_allclose(bare.joints_cam[:, 0, :1], expected, rtol=1e-6)
    for number in range(len(bare.sequences)):
        part = np.flatnonzero(bare.sequence == number)
        assert len(np.unique(bare.action[part])) == 1 and len(np.unique(bare.K[part, 0, 0])) == 1
        assert bare.frame[part].tolist() == list(range(len(part)))


def test_detections_belong_to_a_pickle_without_names(tmp_path: Path) -> None:
    rows = h36m.entries(make_studio())
    table = h36m.detections(rows)
    for row in rows:
        row.pop("image_path")
    h36m.dump(tmp_path / "h36m_test.pkl", rows)
    h36m.dump(tmp_path / "h36m_sh_dt_ft.pkl", {"test": table})
    samples = load_samples("h36m", tmp_path, "test", "detected")
    np.testing.assert_allclose(samples.xy, table["joint3d_image"][..., :2], rtol=1e-5)


@pytest.mark.parametrize("form", ["zedo", "videopose", "hdf5"])
def test_one_subject_of_two(tmp_path: Path, caplog: pytest.LogCaptureFixture, form: str) -> None:
    studio = make_studio()
    if form == "zedo":
        rows = [row for row in h36m.entries(studio) if "s_09" in row["image_path"]]
        h36m.dump(tmp_path / "h36m_test.pkl", rows)
    elif form == "videopose":
        h36m.write_videopose(tmp_path, studio)
        h36m.write_json_cameras(tmp_path / "cameras.json", studio)
        for name in ("data_3d_h36m.npz", "data_2d_h36m_gt.npz"):
            arrays = dict(np.load(tmp_path / name, allow_pickle=True))
            key = "positions_3d" if "3d" in name else "positions_2d"
            arrays[key] = np.array({"S9": arrays[key].item()["S9"]}, object)
            np.savez(tmp_path / name, **arrays)
    else:
        h36m.write_hdf5(tmp_path, studio)
        h36m.write_json_cameras(tmp_path / "cameras.json", studio)
        for path in (tmp_path / "S11").rglob("*.h5"):
            path.unlink()
    samples = load_samples("h36m", tmp_path)
    assert len(samples) > 0 and all(name.startswith(("S9/", "s_09")) for name in samples.sequences)
    assert "S11 of the test split (S9, S11) is missing; the others are used" in caplog.text


def test_training_needs_only_the_3d_file(tmp_path: Path) -> None:
    """World axes: z up becomes y up, and left stays left of front."""
    studio = make_studio("train")
    h36m.write_videopose(tmp_path, studio)
    for path in tmp_path.glob("data_2d*"):
        path.unlink()
    for path in tmp_path.glob("*.json"):
        path.unlink()
    world = np.load(tmp_path / "data_3d_h36m.npz", allow_pickle=True)["positions_3d"].item()
    mixture, (source,) = load_mixture([(tmp_path / "data_3d_h36m.npz", 1.0)])
    assert source.kind == "h36m" and source.sequences == sum(map(len, world.values()))
    subject, name = next((s, n) for s in ("S1",) for n in sorted(world[s]))
    first = mixture.motions.names.index(next(n for n in mixture.motions.names if n.startswith(f"{subject}/{name[:4]}")))
    found = mixture.motions.positions[mixture.motions.sequence == first][0]
    expected = next(takes[0] for n, takes in sorted(world[subject].items()) if n.startswith(name[:4]))
    slots = [h36m.SLOTS[joint] for joint in H36M17.joints]
    np.testing.assert_allclose(found, expected[slots][:, [0, 2, 1]] * [1, 1, -1], atol=1e-5)
    assert load_mixture([(tmp_path, 1.0)])[1][0].frames == source.frames


def test_training_on_millimetres_is_refused(tmp_path: Path) -> None:
    h36m.write_videopose(tmp_path, make_studio("train"))
    arrays = dict(np.load(tmp_path / "data_3d_h36m.npz", allow_pickle=True))
    table = {s: {n: 1000 * v for n, v in takes.items()} for s, takes in arrays["positions_3d"].item().items()}
    np.savez(tmp_path / "data_3d_h36m.npz", positions_3d=np.array(table, object))
    with pytest.raises(FormatError, match="expected positions of people in metres, found a trunk of"):
        load_mixture([(tmp_path / "data_3d_h36m.npz", 1.0)])
