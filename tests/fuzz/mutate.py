"""A simple mutation fuzzer for every reader: whatever a file contains, a reader returns a value or raises a ZedoError.

    python -m tests.fuzz.mutate --seconds 600 [--only NAME,NAME] [--cases N] [--keep FOLDER]

A case is a valid file (`fuzz_seeds`) with some bytes changed: anywhere, within a member of a zip (whose checksums are
recomputed), within the header of safetensors, or as JSON with a replaced value. Each reader runs in a separate process
with bounded memory, so that crashes, hangs and excessive memory are detected; the cases are saved.
"""

from __future__ import annotations

import argparse
import io
import json
import logging
import multiprocessing
import os
import random
import re
import resource
import shutil
import signal
import struct
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1] / "cases"))

from fuzz_seeds import Target, targets

MEMORY = 6 << 30  # bytes of address space; torch alone takes two GiB
HANG_S = 20  # for one case

_NUMBERS = (
    *(b"0", b"-1", b"1e999", b"-1e308", b"NaN", b"Infinity", b"null", b"true", b"[]", b"{}", b'""', b"1.5"),
    *(b"2147483648", b"9223372036854775808", b"99999999999999999999999", b"1e-320", b'"\\ud800"', b'"a"', b"[[]]"),
)
_JSON_VALUES: tuple[Any, ...] = (
    *(None, True, 0, -1, 2**31, 2**53 + 1, 2**64, 10**400, 0.5, 1e300, float("nan"), float("inf"), "", "a", "\ud800"),
    *([], {}, [[]], [None], [[], {}], {"a": {}}, [1.0] * 51, [0.5] * 75, "zedo-keypoints-1", "coco-17", [[0] * 3] * 3),
)
_WORDS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**64 - 1)


@dataclass
class Tally:
    """Counts of the outcomes of a reader's cases; an escape is anything but a value or a ZedoError."""

    cases: int = 0
    refused: int = 0
    seconds: float = 0.0
    slowest_s: float = 0.0
    escapes: Counter = field(default_factory=Counter)


def mutate(rng: random.Random, content: bytes, others: tuple[bytes, ...]) -> bytes:
    """A case from a valid file; `others` are further valid files to copy bytes from."""
    if content[:2] == b"PK" and rng.random() < 0.85:
        return _mutate_zip(rng, content)
    if content[:1] in b"{[" and rng.random() < 0.5:
        return _mutate_json(rng, content)
    if content[2:8] == bytes(6) and rng.random() < 0.5:  # safetensors: the length of its header
        size = struct.unpack("<Q", content[:8])[0]
        json_header = rng.random() < 0.7
        old = content[8 : 8 + size].rstrip() if json_header else content[8:]
        header = _mutate_json(rng, old) if json_header else _mutate_bytes(rng, old, ())
        return struct.pack("<Q", len(header)) + header + content[8 + size :]
    return _mutate_bytes(rng, content, others)


def _mutate_bytes(rng: random.Random, content: bytes, others: tuple[bytes, ...]) -> bytes:
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        if not data:
            data += b"\0"
        # most structure is near the beginning
        at = rng.randrange(min(len(data), rng.choice((64, 512, len(data)))))
        kind = rng.randrange(9)
        if kind == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            data[at] = rng.randrange(256)
        elif kind == 2:
            del data[at : at + rng.choice((1, 2, 4, 8, 64, 1000))]
        elif kind == 3:
            data[at:at] = rng.randbytes(rng.choice((1, 2, 4, 8)))
        elif kind == 4:
            del data[at:]
        elif kind == 5:
            size = rng.choice((1, 2, 4, 8))
            data[at : at + size] = (rng.choice(_WORDS) % 256**size).to_bytes(size, rng.choice(("little", "big")))
        elif kind == 6:
            _replace_number(rng, data)
        elif kind == 7 and others:
            other = rng.choice(others)
            start = rng.randrange(len(other))
            data[at : at + 64] = other[start : start + rng.choice((8, 64, 512))]
        else:
            data[at:at] = data[at : at + rng.choice((1, 8, 64))] * rng.choice((1, 2, 50))
    return bytes(data)


def _replace_number(rng: random.Random, data: bytearray) -> None:
    """Replace one number of a text."""
    matches = list(re.finditer(rb"-?\d+(\.\d+)?", data[:4096]))
    if matches:
        match = rng.choice(matches)
        data[match.start() : match.end()] = rng.choice(_NUMBERS)


def _mutate_zip(rng: random.Random, content: bytes) -> bytes:
    """Change a member of a zip or its name, or remove it."""
    members = list(_members(content))
    i = rng.randrange(len(members))
    name, data = members[i]
    kind = rng.random()
    if kind < 0.8:
        members[i] = name, _mutate_bytes(rng, data, ())
    elif kind < 0.87:
        del members[i]
    elif kind < 0.94:
        members[i] = name, rng.choice(members)[1]
    else:
        members[i] = _mutate_bytes(rng, name.encode(), ()).decode("latin1").replace("\0", "")[:200], data
    out = io.BytesIO()
    # mostly uncompressed: readers of torch files refuse others, and compression is slow
    with warnings.catch_warnings(), zipfile.ZipFile(out, "w", rng.choice((0, 0, 0, 8)), compresslevel=1) as archive:
        warnings.simplefilter("ignore")
        for name, data in members:
            archive.writestr(name or "x", data)
    return out.getvalue()


@cache
def _members(content: bytes) -> tuple[tuple[str, bytes], ...]:
    """Names and contents of the members of a valid zip."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return tuple((info.filename, archive.read(info)) for info in archive.infolist())


def _mutate_json(rng: random.Random, content: bytes) -> bytes:
    """JSON with one value or key replaced."""
    try:
        document = json.loads(content)
    except ValueError:
        return _mutate_bytes(rng, content, ())
    parent: Any = None
    key: Any = None
    value = document
    while isinstance(value, dict | list) and value and (parent is None or rng.random() < 0.75):
        parent, key = value, rng.choice(list(value)) if isinstance(value, dict) else rng.randrange(len(value))
        value = value[key]
    if parent is None:
        return json.dumps(rng.choice(_JSON_VALUES)).encode()
    if isinstance(parent, dict) and rng.random() < 0.2:
        parent[rng.choice(("", "a", "frame", "K", "people", "\ud800"))] = parent.pop(key)
    elif rng.random() < 0.1:
        del parent[key]
    else:
        parent[key] = rng.choice(_JSON_VALUES)
    return json.dumps(document).encode()


def run(target: Target, seed: int, seconds: float, cases: int, folder: Path, result: Any = None) -> Tally:
    """Fuzz one reader in this process; every case is in `folder` while it is read."""
    from zedo_core.errors import ZedoError

    rng, tally = random.Random(f"{target.name} {seed}"), Tally()
    for name, content in target.companions:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    others = tuple(content for _, content in target.files)
    started = reported = time.monotonic()
    while tally.cases < cases and (tally.seconds < seconds):
        name, content = rng.choice(target.files)
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(mutate(rng, content, others))
        before = time.monotonic()
        try:
            target.read(path)
        except ZedoError as error:
            tally.refused += 1
            if "\n" in str(error):
                tally.escapes["a message of several lines"] += 1
        except Exception as error:
            stack = traceback.extract_tb(error.__traceback__)
            own = [frame for frame in stack if "zedo" in frame.filename] or stack
            key = f"{type(error).__name__} at {Path(own[-1].filename).name}:{own[-1].lineno}: {str(error)[:100]}"
            if key not in tally.escapes:
                shutil.copy(path, folder.parent / f"{target.name}-{len(tally.escapes)}-{type(error).__name__}")
            tally.escapes[key] += 1
        now = time.monotonic()
        tally.slowest_s = max(tally.slowest_s, now - before)
        tally.cases, tally.seconds = tally.cases + 1, now - started
        if result is not None and now - reported > 1:
            reported = now
            result.put((target.name, tally))
        path.unlink(missing_ok=True)
    if result is not None:
        result.put((target.name, tally))
    return tally


def _worker(name: str, seed: int, seconds: float, cases: int, folder: Path, result: Any) -> None:
    import torch

    torch.set_num_threads(1)
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    run(targets()[name], seed, seconds, cases, folder, result)


def _supervise(name: str, args: argparse.Namespace, saved: Path) -> Tally:
    """Restart a reader's process until its cases are done; a crash or a hang is an escape."""
    total, seed, context = Tally(), args.seed, multiprocessing.get_context("spawn")
    while total.cases < args.cases and total.seconds < args.seconds:
        result, folder = context.Queue(), Path(tempfile.mkdtemp(dir="/dev/shm" if os.path.isdir("/dev/shm") else None))
        (folder / "now").mkdir()
        remaining = (args.seconds - total.seconds, args.cases - total.cases)
        worker = context.Process(target=_worker, args=(name, seed, *remaining, folder / "now", result), daemon=True)
        worker.start()
        part, hung = _watch(worker, result)
        if hung or worker.exitcode:
            part.escapes["a hang" if hung else f"a crash with {signal.Signals(-(worker.exitcode or 0)).name}"] += 1
            for file in [file for file in (folder / "now").rglob("*") if file.is_file()]:
                shutil.copy(file, folder / f"{name}-dead-{seed}-{file.name}")
        for file in folder.glob(f"{name}-*"):
            shutil.copy(file, saved / f"{seed}-{file.name}")
        shutil.rmtree(folder)
        seed += 1
        total = Tally(
            cases=total.cases + part.cases,
            refused=total.refused + part.refused,
            seconds=total.seconds + max(part.seconds, 0.1),
            slowest_s=max(total.slowest_s, part.slowest_s),
            escapes=total.escapes + part.escapes,
        )
        if not part.cases and sum(total.escapes.values()) > 20:
            break
    return total


def _watch(worker: Any, result: Any) -> tuple[Tally, bool]:
    """The last tally that a process reported, and whether it had to be killed."""
    tally, last_report = Tally(), time.monotonic()
    while worker.is_alive() or not result.empty():
        while not result.empty():
            _, tally = result.get()
            last_report = time.monotonic()
        if time.monotonic() - last_report > HANG_S + 40:  # it reports every second, after a slow start
            worker.kill()
            worker.join()
            return tally, True
        time.sleep(0.05)
    worker.join()
    return tally, False


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60, help="for each reader")
    parser.add_argument("--cases", type=int, default=100_000, help="at most, for each reader")
    parser.add_argument("--only", default="", help="names of readers, separated by commas")
    parser.add_argument("--seed", type=int, default=0)
    folder = Path(tempfile.gettempdir()) / "zedo-fuzz"
    parser.add_argument("--keep", type=Path, default=folder, help="folder for the cases that escaped")
    args = parser.parse_args()
    args.keep.mkdir(parents=True, exist_ok=True)
    for name in args.only.split(",") if args.only else targets():
        tally = _supervise(name, args, args.keep)
        rate = tally.cases / max(tally.seconds, 1e-9)
        print(
            f"{name:20} {tally.cases:8} cases, {tally.refused:8} refused, {rate:7.0f}/s, "
            f"slowest {tally.slowest_s:.2f} s, escapes {sum(tally.escapes.values())}",
            flush=True,
        )
        for what, count in tally.escapes.most_common(20):
            print(f"    {count:6} {what}", flush=True)


if __name__ == "__main__":
    main()
