"""Memory goes by who is there, not by how many people appear in all."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from zedo_core.skeleton import COCO17


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_memory_goes_by_who_is_there(tmp_path: Path) -> None:
    """60 people who come one after the other, 4 frames each, against one for 240; a dense array takes 147 MB."""
    few, many = (peak_of_infer(tmp_path / str(tracks), 240, tracks) for tracks in (1, 60))
    assert many < few + 60e6, (few, many)


# Prints people, poses and the peak of the process's memory in bytes.
RUN = """
import sys
from pathlib import Path
from zedo_core.lifting import load_lifter
from zedo_core.methods.zedo.options import ZedoOptions
from zedo_core.pipeline.models import Models
from zedo_core.pipeline.request import InferRequest
from zedo_core.pipeline.run import infer
folder = Path(sys.argv[1])
request = InferRequest(input=folder / "in.json", out=folder / "out", hypotheses=50)
models = Models(request)
cheap = ZedoOptions(iterations=1, headings=1, initial_poses=50, tilts_deg=(0.0,))
models.__dict__["lifter"] = load_lifter(options=cheap)
report = infer(request, models=models)
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(report.people, report.poses, int(peak) * 1024)
"""


def peak_of_infer(folder: Path, frames: int, tracks: int) -> int:
    """Peak of the memory of a run with one person in every frame, in bytes."""
    folder.mkdir()
    rng, each = np.random.default_rng(0), frames // tracks
    body = np.concatenate([rng.uniform(0, 12, (len(COCO17), 2)), np.ones((len(COCO17), 1))], axis=1)
    people = [
        {"track": t // each, "keypoints": (body + np.array([t // each % 3 * 20, 5, 0])).ravel().round(3).tolist()}
        for t in range(frames)
    ]
    document = {
        "format": "zedo-keypoints-1",
        "joints": "coco-17",
        "image_sizes": [[64, 48]],
        "fps": 2.0,  # so slow that nobody is taken for who stood there before
        "track_ids": list(range(tracks)),
        "frames": [{"frame": t, "time_s": t / 2, "people": [person]} for t, person in enumerate(people)],
    }
    (folder / "in.json").write_text(json.dumps(document))
    ran = subprocess.run([sys.executable, "-c", RUN, str(folder)], capture_output=True, text=True, check=True)
    *counts, peak = map(int, ran.stdout.split())
    assert counts == [tracks, frames]
    return peak
