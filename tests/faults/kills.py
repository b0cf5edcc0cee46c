"""kill -9 at random moments of a command, repeatedly: no incomplete file under a final name, and a rerun completes.

    python -m tests.faults.kills [--kills 200] [--only infer,eval,train,download] [--seed 0]

For each command, an undisturbed run measures its duration and its files; then it is started and killed after a random
part of that time. After each kill, every file under a final name must be complete (read by an independent parser).
After every tenth kill and the last, a rerun in the same folder must succeed with every file present.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).parents[1] / "cases"))


DEMO = Path(__file__).parents[1] / "cases" / "demo_keypoints.json"
_START = """
import sys
from pathlib import Path
from zedo_core.weights import local
if sys.argv[1]:
    local._REGISTRY = Path(sys.argv[1])
del sys.argv[1]
from zedo_cli.__main__ import main
main()
"""


@dataclass(frozen=True, kw_only=True)
class Command:
    """Arguments of a run and of a rerun, where OUT stands for the folder."""

    run: tuple[str, ...]
    again: tuple[str, ...]
    environment: dict[str, str]
    registry: str = ""

    def start(self, out: Path, args: tuple[str, ...]) -> subprocess.Popen[bytes]:
        """Start a process without output."""
        words = [part.replace("OUT", str(out)) for part in args]
        env = {
            **os.environ,
            "OMP_NUM_THREADS": "1",
            **{k: v.replace("OUT", str(out)) for k, v in self.environment.items()},
        }
        command = [sys.executable, "-c", _START, self.registry, *words]
        return subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


@dataclass
class Score:
    """The outcome of the kills of one command."""

    kills: int = 0
    finished: int = 0  # runs that ended before they were killed
    with_files: int = 0  # kills that left files under final names
    reruns: int = 0


def is_complete(path: Path) -> bool:
    """Whether a file is complete, checked according to its type."""
    content = path.read_bytes()
    if path.suffix == ".json":
        return isinstance(json.loads(content), dict | list)
    if path.suffix == ".npz":
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    if path.suffix == ".safetensors":
        size = int.from_bytes(content[:8], "little")
        spans = [
            entry["data_offsets"][1] for name, entry in json.loads(content[8 : 8 + size]).items() if name[0] != "_"
        ]
        return len(content) == 8 + size + max(spans)
    if path.suffix == ".pt" and content[:2] == b"PK":
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    if path.suffix == ".mp4":
        return b"moov" in content and b"ftyp" in content[:16]
    if path.suffix == ".png":
        return content[-8:-4] == b"IEND"
    return len(content) > 0


def final_files(out: Path) -> dict[str, Path]:
    """Files under final names; hidden files, and files in hidden folders, are temporary."""
    found = {str(path.relative_to(out)): path for path in out.rglob("*") if path.is_file()}
    return {name: path for name, path in found.items() if not any(part.startswith(".") for part in Path(name).parts)}


def try_kills(command: Command, kills: int, seed: int, folder: Path) -> Score:
    """Kill the command `kills` times; AssertionError when a file is incomplete or lost."""
    rng, score = random.Random(seed), Score()
    reference, seconds = folder / "reference", 0.0
    for _ in range(2):  # the first run warms up the file cache
        shutil.rmtree(reference, ignore_errors=True)
        start = time.monotonic()
        done = command.start(reference, command.run)
        _, errors = done.communicate(timeout=400)
        assert done.returncode == 0, errors.decode()
        seconds = time.monotonic() - start
    expected = set(final_files(reference))
    out = folder / "out"
    for i in range(kills):
        if i % 10 == 0:
            shutil.rmtree(out, ignore_errors=True)
        process = command.start(out, command.run if i % 10 == 0 else command.again)
        # most of the time is spent importing modules: aim at the part after that
        time.sleep(seconds * rng.uniform(0.3, 0.95))
        process.send_signal(signal.SIGKILL)
        _, errors = process.communicate(timeout=60)
        if process.returncode == -signal.SIGKILL:
            score.kills += 1
        else:
            score.finished += 1
            refused = b"error" in errors
            assert process.returncode == 0 or (refused and b"Traceback" not in errors), errors.decode()
        files = final_files(out) if out.exists() else {}
        score.with_files += bool(files)
        for name, path in files.items():
            assert is_complete(path), f"{name} is incomplete"
        if i % 10 == 9 or i == kills - 1:
            rerun = command.start(out, command.again)
            _, errors = rerun.communicate(timeout=400)
            assert rerun.returncode == 0, errors.decode()
            files = final_files(out)
            assert expected <= set(files), expected - set(files)
            assert all(is_complete(path) for path in files.values())
            score.reruns += 1
    return score


@contextmanager
def commands(folder: Path) -> Iterator[dict[str, Command]]:
    """The commands to be killed; the hub for the download runs inside this context."""
    from hub_cases import entry  # pyright: ignore[reportMissingImports]
    from hub_server import Hub, running  # pyright: ignore[reportMissingImports]

    data = {"a.bin": os.urandom(400_000), "nano.pt": os.urandom(600_000)}
    known = {"both": entry("detector", "acme/both", data, hashed=True)}
    (folder / "registry.json").write_text(json.dumps(known))
    motions = np.random.default_rng(0).normal(0, 0.3, (200, 17, 3)).astype(np.float32)
    np.save(folder / "mocap.npy", motions)
    home = {"ZEDO_HOME": str(folder / "home")}
    few = ("--width", "64", "--blocks", "1", "--batch", "16", "--steps", "150", "--data", str(folder / "mocap.npy"))
    demo = json.loads(DEMO.read_text())
    (folder / "few.json").write_text(json.dumps({**demo, "frames": demo["frames"][:4]}))
    infer = ("infer", str(folder / "few.json"), "--out", "OUT", "--hypo", "2", "--iterations", "1")
    evaluation = ("eval", "--every", "6", "--hypo", "1", "--iterations", "1", "--out", "OUT")
    with running(Hub({"acme/both": data}, bytes_per_second=1_500_000)) as hub:
        fetch = ("download", "both", "--endpoint", hub.endpoint)
        yield {
            "infer": Command(run=infer, again=infer, environment=home),
            "eval": Command(run=evaluation, again=(*evaluation, "--resume"), environment=home),
            "train": Command(
                run=("train", "prior", "--out", "OUT", *few),
                again=("train", "prior", "--out", "OUT", *few),
                environment=home,
            ),
            "download": Command(
                run=fetch,
                again=fetch,
                environment={"ZEDO_HOME": "OUT", "NO_PROXY": "127.0.0.1,localhost"},
                registry=str(folder / "registry.json"),
            ),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=200, help="for all commands together")
    parser.add_argument("--only", default="", help="names, separated by commas")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, commands(Path(folder)) as known:
        names = args.only.split(",") if args.only else list(known)
        for name in names:
            (Path(folder) / name).mkdir()
            score = try_kills(known[name], args.kills // len(names), args.seed, Path(folder) / name)
            print(name, score, flush=True)


if __name__ == "__main__":
    main()
