"""The people of a result or an input, as thumbnails and as a table: `zedo people`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_render import near, people, write_grey_video
from typer.testing import CliRunner, Result

from zedo_cli.app import app
from zedo_core.errors import InputError
from zedo_core.export import save
from zedo_core.keypoints import write_keypoints
from zedo_core.pipeline.run import demo_assets
from zedo_core.render import people_sheet
from zedo_core.render.draw import SIDES, track_colour
from zedo_core.render.people_sheet import people_of, save_people
from zedo_core.skeleton import H36M17
from zedo_core.source import open_source
from zedo_core.source.record import record_of

TIMES_S = [0.0, 0.1, 0.2, 0.3, 0.4]


def zedo(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def test_facts_of_each_person():
    _, keypoints = people(t=5)  # the second is absent in the third frame
    keypoints = replace(keypoints, frame_numbers=np.arange(5) + 100)
    first, second = people_of(keypoints.take(np.arange(len(keypoints)) != 0))
    assert (first.id, first.first, first.last, first.frames, first.share) == (1, 101, 104, 4, 0.8)
    assert (second.id, second.first, second.last, second.frames, second.share) == (2, 100, 104, 4, 0.8)
    expected = np.ptp(keypoints.xy[0, :, 1])
    assert first.height_px == pytest.approx(expected) and second.height_px == pytest.approx(expected, rel=1e-6)


def test_the_clearest_frame_is_shown():
    """The largest, unless the detector was not sure of it."""
    _, keypoints = people(t=4, p=1)
    xy, confidence = keypoints.xy.copy(), keypoints.confidence.copy()
    xy[2] *= 1.1
    assert people_of(replace(keypoints, xy=xy))[0].row == 2
    confidence[2] = 0.3
    assert people_of(replace(keypoints, xy=xy, confidence=confidence))[0].row != 2


def test_thumbnails_are_cut_out_of_their_frames(tmp_path):
    """A person at the edge of the picture, in the frame that is the clearest, with the keypoints in place."""
    _, keypoints = people(t=5, p=1)
    xy = keypoints.xy - keypoints.xy.min((0, 1)) + (0, 20)
    xy[3] = (xy[3] - xy[3].mean(0)) * 1.05 + xy[3].mean(0)
    keypoints = replace(keypoints, xy=xy)
    source = open_source(write_grey_video(tmp_path / "in.mp4", TIMES_S))
    done = []
    save_people(people_of(keypoints), keypoints, tmp_path / "a.png", source=source, on_frame=done.append)
    image = np.asarray(Image.open(tmp_path / "a.png")).astype(int)
    assert done == [1, 2, 3, 4]
    grey = (np.abs(image - (10 + 20 * 3)).max(-1) < 4).mean()
    assert 0.15 < grey < 0.7 and near(image, SIDES["left"]).sum() > 300 and near(image, track_colour(0)).sum() > 100
    rows, columns = np.nonzero(near(image, SIDES["left"]) | near(image, SIDES["right"]))
    limbs = xy[3, [H36M17.side(joint) != "centre" for joint in range(17)]]
    assert np.ptp(rows) / np.ptp(columns) == pytest.approx(np.ptp(limbs[:, 1]) / np.ptp(limbs[:, 0]), rel=0.05)


def test_many_people_are_a_grid_of_those_in_most_frames(tmp_path, monkeypatch):
    _, keypoints = people(t=6, p=1)
    several = replace(keypoints, track=np.arange(6), frame=np.arange(6))
    monkeypatch.setattr(people_sheet, "MOST", 4)
    save_people(people_of(several), several, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        assert image.width == 3 * (220 + 10) + 10 and image.height > 2 * 280


def test_pictures_without_the_frames_are_refused(tmp_path):
    _, keypoints = people(t=5, p=1)
    keypoints = replace(keypoints, frame_numbers=np.arange(5) + 50)
    source = open_source(write_grey_video(tmp_path / "in.mp4", TIMES_S))
    with pytest.raises(InputError, match=r"in\.mp4: frame \d+ was not found; give the input of the result"):
        save_people(people_of(keypoints), keypoints, tmp_path / "a.png", source=source)
    assert not (tmp_path / "a.png").exists()


# The command


@pytest.fixture
def result(tmp_path: Path) -> Path:
    poses, keypoints = people()
    out = tmp_path / "out"
    record = record_of(open_source(write_grey_video(tmp_path / "in.mp4", TIMES_S)), out)
    save(replace(poses, provenance=replace(poses.provenance, options={"source": record})), out / "poses.npz")
    write_keypoints(keypoints, out / "keypoints.json")
    return out


def test_people_of_a_result(result):
    done = zedo("people", result, "--json")
    assert done.exit_code == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["sheet"] == str(result / "people.png")
    facts = [(one["id"], one["first"], one["last"], one["frames"], one["share"]) for one in report["people"]]
    assert facts == [(1, 0, 4, 5, 1.0), (2, 0, 4, 4, 0.8)]
    assert "80 %" in done.stderr and "0 to 4" in done.stderr and "--merge ID,ID" in done.stderr
    light = np.asarray(Image.open(result / "people.png")).max(-1)
    assert (light > 60).mean() > 0.01


def test_a_video_that_is_gone_leaves_thumbnails_dark(result, tmp_path):
    (tmp_path / "in.mp4").rename(tmp_path / "moved.mp4")
    done = zedo("people", result)
    assert (
        done.exit_code == 0 and "in.mp4: the input of this result is not there any more; the thumbnails" in done.stderr
    )
    dark = (result / "people.png").read_bytes()
    assert zedo("people", result, "--source", tmp_path / "moved.mp4").exit_code == 0
    assert (result / "people.png").read_bytes() != dark


def test_people_before_anything_is_lifted(tmp_path):
    """The ids are those of `zedo infer`, which needs no detections of its own any more."""
    video = demo_assets()[0]
    done = zedo("people", video, "--out", tmp_path, "--end", "4f", "--json")
    assert done.exit_code == 0, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["detections.jsonl", "people.png"]
    (one,) = json.loads(done.stdout)["people"]
    assert (one["id"], one["frames"]) == (0, 4) and f"zedo infer {video} --person ID --out {tmp_path}" in done.stderr
    few = ("--hypo", "1", "--iterations", "5", "--format", "npz", "--json")
    unknown = zedo("infer", video, "--out", tmp_path, "--end", "4f", "--person", "7", *few)
    assert unknown.exit_code == 2 and "expected the id of a person who appears (0), got 7" in unknown.stderr
    lifted = json.loads(zedo("infer", video, "--out", tmp_path, "--end", "4f", "--person", "0", *few).stdout)
    assert (lifted["reused"], lifted["people"]) == (4, 1)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("keypoints.json", "expected keypoints.json beside the poses, found none; run zedo infer again"),
        ("both", "expected a folder with pictures"),
        ("detections", "holds detections only; give their input: zedo people INPUT --out"),
    ],
)
def test_folders_without_people_are_refused_in_a_line(result, name, message):
    (result / "keypoints.json").unlink()
    if name != "keypoints.json":
        (result / "poses.npz").unlink()
    if name == "detections":
        (result / "detections.jsonl.part").write_text("{}")
    done = zedo("people", result)
    assert done.exit_code == 2 and message in done.stderr and len(done.stderr.splitlines()) == 1
