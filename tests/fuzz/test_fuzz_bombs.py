"""Small files that ask for much: refused with one line, in a process whose memory is bounded."""

from __future__ import annotations

import json
import os
import pickle
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import zedo_core

PRIOR = Path(zedo_core.__file__).parent / "assets" / "prior"
ROOM = 2 << 30  # bytes of address space beyond what the program has once all is imported

_PROGRAM = """
import resource, sys
from importlib import import_module
from zedo_core.errors import ZedoError
room, module, name, path = sys.argv[1:]
call = import_module(module)
for part in name.split("."):
    call = getattr(call, part)
from pathlib import Path
pages = int(Path("/proc/self/statm").read_text().split()[0])
most = pages * resource.getpagesize() + int(room)
resource.setrlimit(resource.RLIMIT_AS, (most, most))
try:
    call(Path(path))
except ZedoError as error:
    print(error)
else:
    print("read")
"""
READERS = {
    "keypoints": ("zedo_core.keypoints", "read_keypoints"),
    "camera": ("zedo_core.camera", "read_camera"),
    "result": ("zedo_core.export", "load"),
    "clusters": ("zedo_core.methods.zedo.checkpoint", "load_clusters"),
    "prior": ("zedo_core.methods.zedo.checkpoint", "load_prior"),
    "mocap": ("zedo_core.data.mocap", "load"),
    "pickle": ("zedo_core.storage.pickles", "load_pickle"),
    "objects": ("zedo_core.storage.pickles", "load_object_npz"),
}


def told(reader: str, path: Path) -> str:
    """What the reader says of the file, in a process of little memory that is given half a minute."""
    command = [sys.executable, "-c", _PROGRAM, str(ROOM), *READERS[reader], str(path)]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=env)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1
    return done.stdout


def _header(shape: str, dtype: str = "<f8") -> bytes:
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    text = text.ljust(118 - 1 - 0) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


def _npz(path: Path, content: bytes, name: str = "keypoints.npy", packed: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", packed) as archive:
        archive.writestr(name, content)
    return path


def zip_bomb(folder: Path) -> Path:
    """3 GB of zeros in 3 MB."""
    with (
        zipfile.ZipFile(folder / "bomb.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("keypoints.npy", "w", force_zip64=True) as file,
    ):
        file.write(_header(f"({3 * 2**27},)"))
        for _ in range(3 * 2**6):
            file.write(bytes(2**24))
    return folder / "bomb.npz"


BOMBS: dict[str, tuple[tuple[str, ...], Callable[[Path], Path], str]] = {
    "a shape that lies": (
        ("keypoints", "camera", "result", "clusters", "mocap", "objects"),
        lambda folder: _npz(folder / "lies.npz", _header("(1000000000000,)") + bytes(64)),
        "says that it is float64",
    ),
    "an axis of 0 beside a vast one": (
        ("keypoints",),
        lambda folder: _npz(folder / "zero.npz", _header("(0, 1000000000000, 17, 3)")),
        "says that it is float64",
    ),
    "a zip bomb": (("keypoints", "result", "objects"), zip_bomb, "unpacked it would be"),
    "nested JSON": (("keypoints", "camera", "result"), lambda f: _text(f / "deep.json", "[" * 10**6), "json"),
    "a long number": (("keypoints", "camera", "result"), lambda f: _text(f / "long.json", "1" * 10**6), "json"),
    "entities": (
        ("camera",),
        lambda f: _text(f / "x.xml", '<!DOCTYPE a [<!ENTITY b "c">]><a><K>&b;</K></a>'),
        "document type",
    ),
    "aliases": (
        ("camera",),
        lambda f: _text(
            f / "a.yaml",
            "a0: &a0 [1, 1]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)),
        ),
        "aliases",
    ),
    "the numbers of a memo": (("pickle",), lambda f: _bytes(f / "m.pkl", b"\x80\x02K\x01r\xff\xff\xff\x7f."), "read"),
    "an array without its bytes": (
        ("pickle",),
        lambda f: _bytes(f / "n.pkl", b"\x80\x02cnumpy\nndarray\n(J\xff\xff\xff\x7ft\x85R."),
        "refused",
    ),
    "a bytearray without its bytes": (
        ("pickle",),
        lambda f: _bytes(f / "b.pkl", b"\x80\x05\x96" + struct.pack("<Q", 2**40) + b"abc."),
        "refused",
    ),
    "a list of lists of lists": (("pickle",), lambda folder: _bytes(folder / "l.pkl", _laughs()), "far larger"),
    "an encoding that grows": (
        ("pickle",),
        lambda f: _bytes(f / "e.pkl", b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x03\x00\x00\x00hex\x86R."),
        "encoding",
    ),
    "a header longer than the file": (
        ("prior",),
        lambda folder: _weights(folder, struct.pack("<Q", 2**60) + b"{}"),
        "damaged",
    ),
    "a network of a terabyte": (
        ("prior",),
        lambda folder: _weights(folder, None, width=16384, blocks=16384),
        "weights or more by its sizes",
    ),
}


def _text(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def _bytes(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _laughs() -> bytes:
    value = [1.0] * 10
    for _ in range(10):
        value = [value] * 10
    return pickle.dumps(value, 2)


def _weights(folder: Path, content: bytes | None, **sizes: int) -> Path:
    config = json.loads((PRIOR / "prior.json").read_text())
    config["network"] |= sizes
    (folder / "prior.json").write_text(json.dumps(config))
    whole = (PRIOR / "prior.safetensors").read_bytes()
    return _bytes(folder / "prior.safetensors", whole if content is None else content)


@pytest.mark.parametrize(
    ("kind", "reader"), [(kind, reader) for kind, (all_, _, _) in BOMBS.items() for reader in all_]
)
def test_a_bomb_is_refused_in_little_memory(kind: str, reader: str, tmp_path: Path) -> None:
    _, make, expected = BOMBS[kind]
    path = make(tmp_path)
    assert expected.lower() in told(reader, path).lower()


def test_what_is_large_and_honest_is_read(tmp_path: Path) -> None:
    zeros = np.zeros((20_000, 17, 3), np.float32)  # a hundredth of its size when packed
    np.savez_compressed(tmp_path / "m.npz", positions=zeros)
    assert told("mocap", tmp_path / "m.npz") == "read\n"
