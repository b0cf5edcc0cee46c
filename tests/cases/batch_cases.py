"""Clips for tests of `zedo batch`: a few small frames of the packaged demo's video, mirrored or not, and no videos."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np

from zedo_core.pipeline.run import demo_assets

OPTIONS = ("--method", "erd", "--hypo", "2", "--detector", "movenet-fast", "--device", "cpu")


def write_clips(folder: Path, count: int, frames: int = 4) -> list[Path]:
    """Clips c0.mp4, c1.mp4, ..., each with other frames or mirrored."""
    folder.mkdir(parents=True, exist_ok=True)
    with av.open(str(demo_assets()[0])) as video:
        pictures = [
            frame.to_ndarray(format="rgb24") for frame, _ in zip(video.decode(video=0), range(24), strict=False)
        ]
    small = [cv2.resize(picture, (272, 480), interpolation=cv2.INTER_AREA) for picture in pictures]
    paths = [folder / f"c{number}.mp4" for number in range(count)]
    for number, path in enumerate(paths):
        part = small[number : number + frames]
        _write(path, [picture[:, ::-1] if number % 2 else picture for picture in part])
    return paths


def write_damaged(folder: Path) -> list[Path]:
    """An empty file, noise, and text, all named as videos."""
    contents = {"empty.mp4": b"", "noise.mp4": np.random.default_rng(0).bytes(3000), "text.mp4": b"no video\n"}
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in contents]


def _write(path: Path, pictures: list[np.ndarray]) -> None:
    height, width = pictures[0].shape[:2]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"preset": "ultrafast", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))
        container.mux(stream.encode(None))
