"""The code blocks of the Markdown pages, and the files that their commands use."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from bvh_cases import person, rest_pose
from datasets_h36m import dump, entries, make_studio
from pair_cases import pair_arrays
from train_cases import synthetic_motions

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
GOLDEN = ROOT / "tests" / "golden"
_BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)


def blocks(page: Path, language: str) -> list[str]:
    """The fenced code blocks of a language."""
    return [text for name, text in _BLOCK.findall(page.read_text(encoding="utf-8")) if name == language]


def commands(page: Path) -> Iterator[list[str]]:
    """The words of every command line in the page, without comments."""
    for block in blocks(page, "sh"):
        for line in block.splitlines():
            if words := shlex.split(line, comments=True):
                yield words


def write_files(folder: Path, shared: Path) -> None:
    """Write the files named in commands: a few small frames of a real video, its keypoints, calibration, ..."""
    balance = shared / "assets" / "videos" / "balance"
    _cut(balance / "cam03.mp4", folder / "video.mp4")
    _cut(balance / "cam03.mp4", folder / "long.mp4", frame_s=30)
    shutil.copy(folder / "video.mp4", folder / "a.mp4")
    (folder / "clips").mkdir()
    (folder / "folder").mkdir()
    with av.open(str(folder / "video.mp4")) as video:
        picture = next(video.decode(video=0)).to_image()
    picture.save(folder / "clips" / "one.jpg")
    picture.save(folder / "folder" / "two.png")
    shutil.copy(balance / "calibration.toml", folder)
    (folder / "body.toml").write_text("thigh = 0.43\nshank = 0.41\n")
    keypoints = _keypoints()
    for name in ("keypoints.json", "saved.json"):
        (folder / name).write_text(json.dumps(keypoints))
    people = [frame["people"][0]["keypoints"] for frame in keypoints["frames"]]
    entries_coco = [{"image_id": t, "category_id": 1, "keypoints": values} for t, values in enumerate(people)]
    (folder / "coco.json").write_text(json.dumps(entries_coco))
    body = np.array(keypoints["frames"][0]["people"][0]["keypoints"]).reshape(1, 17, 3)
    motion = np.empty((), object)
    motion[()] = {"S1": {"walking": [body[..., :2]]}}
    metadata = np.empty((), object)
    metadata[()] = {"layout_name": "coco", "video_metadata": {"S1": {"w": 272, "h": 480}}}
    np.savez(folder / "keypoints.npz", positions_2d=motion, metadata=metadata)
    (folder / "my_bvh_folder").mkdir()
    rig, _ = person("Mixamo")
    values = rest_pose(rig, 40)
    values[:, 3:] += np.random.default_rng(0).normal(0, 10, values[:, 3:].shape)
    (folder / "my_bvh_folder" / "walk.bvh").write_text(rig.text(values))
    (folder / "big_folder").mkdir()
    np.savez(folder / "big_folder" / "part.npz", positions=synthetic_motions().positions)
    np.savez(folder / "my_pairs.npz", **pair_arrays())
    shutil.copy(GOLDEN / "checkpoint_tiny.pth", folder / "checkpoint_1500.pth")
    np.save(folder / "clusters.npy", np.random.default_rng(0).normal(0, 0.3, (10, 17, 3)).astype(np.float32))
    (folder / "DIR").mkdir()
    dump(folder / "DIR" / "h36m_test.pkl", entries(make_studio("test", frames=20)))


def _cut(source: Path, target: Path, frame_s: Fraction | int = Fraction(1, 30), frames: int = 6) -> None:
    """Copy the first frames at a quarter of the size, one every `frame_s` seconds."""
    with av.open(str(source)) as video, av.open(str(target), "w") as container:
        stream = container.add_stream("libx264", rate=1 / Fraction(frame_s), options={"preset": "ultrafast", "bf": "0"})
        stream.codec_context.time_base = Fraction(frame_s)
        stream.width, stream.height, stream.pix_fmt = 272, 480, "yuv420p"
        for number, frame in enumerate(video.decode(video=0)):
            if number == frames:
                break
            small = frame.reformat(width=272, height=480, format="yuv420p")
            small.pts, small.time_base = number, Fraction(frame_s)
            container.mux(stream.encode(small))
        container.mux(stream.encode(None))


def _keypoints() -> dict:
    """Six frames of the demo's person in pixels of the small video."""
    from infer_cases import demo_keypoints

    document = json.loads(demo_keypoints()[0].read_text())
    frames = document["frames"][:6]
    for frame in frames:
        for entry in frame["people"]:
            values = np.array(entry["keypoints"]).reshape(-1, 3)
            values[:, :2] /= 4
            entry["keypoints"] = values.ravel().round(3).tolist()
    return document | {"frames": frames, "image_sizes": [[272, 480]], "fps": 30.0}
