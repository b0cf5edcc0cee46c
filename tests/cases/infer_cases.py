"""Input for tests of `zedo infer`: the demo's person in small pictures, as keypoints in zedo's format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import zedo_core
from zedo_core.keypoints import read_keypoints

SIZE = (136, 240)  # px; the demo's pictures are 8 times as large
FPS = 12
FEW = ("--iterations", "5", "--hypo", "2")


def demo_keypoints() -> tuple[Path, Path]:
    """Keypoints of the demo's person, found by YOLOv8n, and the demo's camera."""
    return Path(__file__).with_name("demo_keypoints.json"), Path(zedo_core.__file__).parent / "assets/demo/camera.json"


def body(frame: int, shift_px: float = 0.0) -> list[float]:
    """The 51 keypoint values of the demo's person in a frame, in pictures of `SIZE`, shifted to the right."""
    keypoints = read_keypoints(demo_keypoints()[0])
    values = np.concatenate([keypoints.xy[frame] / 8 + (shift_px, 0), keypoints.confidence[frame, :, None]], -1)
    return values.round(3).ravel().tolist()


def own_format(people: list[dict[int, list[float]]]) -> dict[str, Any]:
    """A keypoints.json from people by track id for each frame."""
    return {
        "format": "zedo-keypoints-1",
        "joints": "coco-17",
        "image_sizes": [SIZE],
        "fps": FPS,
        "track_ids": sorted({track for frame in people for track in frame}),
        "frames": [
            {
                "frame": t,
                "time_s": None,
                "people": [{"track": track, "keypoints": values} for track, values in frame.items()],
            }
            for t, frame in enumerate(people)
        ],
    }
