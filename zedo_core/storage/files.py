"""Atomic writes, and reads whose memory is bounded by the size of the file."""

from __future__ import annotations

import hashlib
import math
import os
import sys
import tempfile
import zipfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from zedo_core.errors import FormatError, OutputError

if TYPE_CHECKING:
    from numpy import ndarray

MAX_PIXELS = 178_000_000  # of a picture; 0.5 GB when decoded, and just below Pillow's own limit
MAX_TEXT = 2**30  # bytes of a JSON file; parsed, it takes about twenty times as much memory
_FREE_BYTES = 2**28  # that any npz may unpack to
_MAX_RATIO = 100  # beyond that, to the file's size; noisy numbers compress to a half, tables with gaps to a tenth


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path next to `path` (same suffix); on success it is renamed to `path`, on failure removed.

    OutputError when the folder cannot be written to or the disk is full.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix)
        os.close(handle)
    except OSError as error:
        raise OutputError(f"{path}: cannot write there ({error.strerror}); choose another --out") from None
    partial = Path(name)
    try:
        yield partial
        os.chmod(partial, 0o644)
        os.replace(partial, path)
    except OSError as error:
        reason = error.strerror or error
        raise OutputError(f"{path}: writing failed ({reason}); free space or choose another --out") from None
    finally:
        partial.unlink(missing_ok=True)


def read_bounded(path: Path, max_bytes: int = MAX_TEXT) -> bytes:
    """The content of a file, device or pipe; FormatError when it is larger than `max_bytes`, OSError as usual."""
    with open(path, "rb") as file:
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise FormatError(f"{path}: expected at most {max_bytes >> 20} MiB, found more; split the file or use another")
    return content


def load_arrays(path: Path) -> dict[str, ndarray]:
    """The arrays of an npz without pickles; FormatError when it cannot be read."""
    try:
        return read_arrays(path)
    except Exception as error:  # damage makes numpy raise almost any exception
        raise FormatError(f"{path}: not a readable npz ({error or type(error).__name__})") from None


def load_array_or_arrays(path: Path, name: str, what: str) -> dict[str, ndarray]:
    """The arrays of an npz, or the array of an npy under `name`; FormatError, naming `what` was expected, otherwise."""
    import numpy as np

    magic = np.lib.format.MAGIC_PREFIX
    try:
        with open(path, "rb") as file:
            if file.read(len(magic)) != magic:
                return load_arrays(path)
            file.seek(0)
            check_sizes(file)
            return {name: np.load(file, allow_pickle=False)}
    except FileNotFoundError:
        raise FormatError(f"{path}: no such file; expected {what} as an npz or npy") from None
    except FormatError:
        raise
    except Exception:  # damage makes numpy raise almost any exception
        raise FormatError(f"{path}: expected {what} as an npz or npy of numbers, cannot read it") from None


def read_arrays(path: Path, exclude: Collection[str] = ()) -> dict[str, ndarray]:
    """As `load_arrays`, without the arrays in `exclude`, and with numpy's own exceptions."""
    import numpy as np  # here, so that commands that read no arrays start faster

    with open(path, "rb") as file:
        check_sizes(file, exclude)
        with np.load(file, allow_pickle=False) as data:
            entries = {name: data[name] for name in data.files if name not in exclude}
    return {name: check_texts(entry) for name, entry in entries.items() if isinstance(entry, np.ndarray)}


def check_texts(array: ndarray) -> ndarray:
    """The array itself; ValueError for records, and for texts with invalid code points, on which Python fails later."""
    if array.dtype.kind == "V":
        raise ValueError("an array contains records")
    if array.dtype.kind == "U" and array.size and array.dtype.itemsize:
        code_points = array.astype(array.dtype.newbyteorder("=")).reshape(-1).view("u4")
        if code_points.max() > sys.maxunicode:
            raise ValueError("an array contains damaged texts")
    return array


def check_sizes(file: IO[bytes], exclude: Collection[str] = ()) -> None:
    """ValueError when an npy or npz would take more memory than its size justifies; leaves the file at its start.

    To be called before numpy reads, which allocates whatever a header states. Arrays in `exclude` do not count.
    """
    size = os.fstat(file.fileno()).st_size
    file.seek(0)
    if file.read(2) == b"PK":
        _check_archive(file, size, exclude)
    else:
        file.seek(0)
        _check_header(file, size)
    file.seek(0)


def check_uncompressed(path: Path) -> None:
    """ValueError when a zip file of torch is compressed, since it could unpack to any size."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            packed = [entry.filename for entry in archive.infolist() if entry.compress_type != zipfile.ZIP_STORED]
        if packed:
            raise ValueError(f"{packed[0][:80]!a} is compressed, which torch never does")


def memory_limit(size: int) -> int:
    """The bytes that the arrays of a file of `size` bytes may take in memory."""
    return max(_FREE_BYTES, _MAX_RATIO * size)


def _check_archive(file: IO[bytes], size: int, exclude: Collection[str]) -> None:
    with zipfile.ZipFile(file) as archive:
        entries = [entry for entry in archive.infolist() if entry.filename.removesuffix(".npy") not in exclude]
        unpacked, limit = sum(entry.file_size for entry in entries), memory_limit(size)
        if unpacked > limit:
            raise ValueError(
                f"unpacked it would be {unpacked / 2**20:.0f} MiB, expected at most {limit >> 20} MiB for a file of "
                "its size"
            )
        for entry in entries:
            if entry.filename.endswith(".npy"):
                with archive.open(entry) as array:
                    _check_header(array, entry.file_size)


def npy_header(file: Any) -> tuple[tuple[int, ...], bool, Any]:
    """Shape, whether in Fortran order, and dtype from the header of an npy; leaves the file at the values."""
    from numpy.lib import format as npy

    version = npy.read_magic(file)
    return npy.read_array_header_1_0(file) if version == (1, 0) else npy.read_array_header_2_0(file)


def _check_header(file: Any, size: int) -> None:
    """ValueError when the header of an npy states more values than it has bytes, even if one axis has length 0."""
    shape, _, dtype = npy_header(file)
    needed = math.prod(max(1, n) for n in shape) * dtype.itemsize
    if needed > max(size, _FREE_BYTES if 0 in shape else 0) and not dtype.hasobject:
        raise ValueError(f"an array claims to be {dtype} of shape {shape}, but has {size} bytes")


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, as hex."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
