"""Small files that would take much memory are refused with one line, in a process with bounded memory."""

from __future__ import annotations

import json
import os
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
MEMORY = 2 << 30  # bytes of address space beyond that of the process after all imports

_PROGRAM = """
import resource, sys
from importlib import import_module
from zedo_core.errors import ZedoError
memory, module, name, path = sys.argv[1:]
call = import_module(module)
for part in name.split("."):
    call = getattr(call, part)
from pathlib import Path
pages = int(Path("/proc/self/statm").read_text().split()[0])
limit = pages * resource.getpagesize() + int(memory)
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
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
    "clusters": ("zedo_core.methods.zedo.initial_poses", "load_initial_poses"),
    "prior": ("zedo_core.methods.zedo.prior", "load_prior"),
    "mocap": ("zedo_core.data.mocap", "load"),
    "pickle": ("zedo_core.storage.pickles", "load_pickle"),
    "objects": ("zedo_core.storage.pickles", "load_object_npz"),
}


def read_in_process(reader: str, path: Path) -> str:
    """The error of the reader for the file, or `read`, in a process with little memory and a timeout of a minute."""
    command = [sys.executable, "-c", _PROGRAM, str(MEMORY), *READERS[reader], str(path)]
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
    "a wrong shape": (
        ("keypoints", "camera", "result", "clusters", "mocap", "objects"),
        lambda folder: _npz(folder / "shape.npz", _header("(1000000000000,)") + bytes(64)),
        "claims to be float64",
    ),
    "an axis of 0 and a huge one": (
        ("keypoints",),
        lambda folder: _npz(folder / "zero.npz", _header("(0, 1000000000000, 17, 3)")),
        "claims to be float64",
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


def _weights(folder: Path, content: bytes | None, **sizes: int) -> Path:
    config = json.loads((PRIOR / "prior.json").read_text())
    config["network"] |= sizes
    (folder / "prior.json").write_text(json.dumps(config))
    whole = (PRIOR / "prior.safetensors").read_bytes()
    return _bytes(folder / "prior.safetensors", whole if content is None else content)


@pytest.mark.parametrize(
    ("kind", "reader"), [(kind, reader) for kind, (all_, _, _) in BOMBS.items() for reader in all_]
)
def test_a_bomb_is_refused_with_little_memory(kind: str, reader: str, tmp_path: Path) -> None:
    _, make, expected = BOMBS[kind]
    path = make(tmp_path)
    assert expected.lower() in read_in_process(reader, path).lower()


def test_a_large_valid_file_is_read(tmp_path: Path) -> None:
    zeros = np.zeros((20_000, 17, 3), np.float32)  # compresses to a hundredth of its size
    np.savez_compressed(tmp_path / "m.npz", positions=zeros)
    assert read_in_process("mocap", tmp_path / "m.npz") == "read\n"
