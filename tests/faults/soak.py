"""`infer` on many generated inputs in one process, half of them damaged; prints the memory in use.

python -m tests.faults.soak [--inputs 200] [--seed 0]
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import resource
import sys
import tempfile
import time
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "fuzz"))

import torch
from mutate import mutate  # pyright: ignore[reportMissingImports]

from zedo_core.errors import ZedoError
from zedo_core.pipeline.request import InferRequest
from zedo_core.pipeline.run import infer

DEMO = Path(__file__).parents[1] / "cases" / "demo_keypoints.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--inputs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    logging.disable(logging.CRITICAL)
    rng, document = random.Random(args.seed), json.loads(DEMO.read_text())
    lifted = refused = 0
    start_s = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        for i in range(args.inputs):
            start = rng.randrange(len(document["frames"]) - 3)
            frames = document["frames"][start : start + rng.randint(1, 3)]
            content = json.dumps({**document, "frames": frames}).encode()
            path = Path(folder) / "clip.json"
            path.write_bytes(mutate(rng, content, (content,)) if i % 2 else content)
            request = InferRequest(input=path, out=Path(folder) / f"out{i % 5}", hypotheses=2, iterations=1)
            try:
                infer(request)
                lifted += 1
            except ZedoError:
                assert i % 2, "a valid input was refused"
                refused += 1
            if i % 20 == 19:
                pages = int(Path("/proc/self/statm").read_text().split()[1])  # resident
                mib = pages * resource.getpagesize() >> 20
                print(f"{i + 1} inputs, {lifted} lifted, {refused} refused, {mib} MiB", flush=True)
    print(f"{time.monotonic() - start_s:.0f} s")


if __name__ == "__main__":
    main()
