"""`infer` over many generated inputs in one process, half of them damaged, with its memory watched.

python -m tests.faults.soak [--inputs 200] [--seed 0]
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "cases"))

import psutil
import torch
from mutate import changed  # pyright: ignore[reportMissingImports]

import zedo_core
from zedo_core.errors import ZedoError
from zedo_core.methods.zedo import ZedoOptions
from zedo_core.pipeline.run import InferRequest, infer

DEMO = Path(zedo_core.__file__).parent / "assets" / "demo" / "keypoints.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--inputs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    logging.disable(logging.CRITICAL)
    rng, document, process = random.Random(args.seed), json.loads(DEMO.read_text()), psutil.Process()
    lifted = refused = 0
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        for i in range(args.inputs):
            start = rng.randrange(len(document["frames"]) - 3)
            frames = document["frames"][start : start + rng.randint(1, 3)]
            content = json.dumps({**document, "frames": frames}).encode()
            path = Path(folder) / "clip.json"
            path.write_bytes(changed(rng, content, (content,)) if i % 2 else content)
            request = InferRequest(
                input=path, out=Path(folder) / f"out{i % 5}", hypotheses=2, options=ZedoOptions().with_iterations(1)
            )
            try:
                infer(request)
                lifted += 1
            except ZedoError:
                assert i % 2, "a sound input was refused"
                refused += 1
            if i % 20 == 19:
                mib = process.memory_info().rss >> 20
                print(f"{i + 1} inputs, {lifted} lifted, {refused} refused, {mib} MiB", flush=True)
    print(f"{time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main()
