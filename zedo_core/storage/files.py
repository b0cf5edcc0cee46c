"""Files at the door: written whole or not at all, and read only as far as their size explains."""

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

MAX_PIXELS = 178_000_000  # of a picture; decoded, 0.5 GB; Pillow's own guard against bombs stands just above
LARGEST_TEXT = 2**30  # bytes of a JSON; parsed, it takes some twenty times as much
_FREE_BYTES = 2**28  # that any npz may hold
_MOST_RATIO = 100  # beyond those, to the size of the file; noisy numbers shrink to a half, tables with gaps to a tenth
_MOST_ARRAYS = 10_000


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yield a path beside `path` (same suffix) to write to; on success it is renamed, on failure removed.

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


def read_bounded(path: Path, most: int = LARGEST_TEXT) -> bytes:
    """The content of a file, device or pipe of at most so many bytes; FormatError when it is larger, else OSError."""
    with open(path, "rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise FormatError(f"{path}: expected at most {most >> 20} MiB, found more; split the file, or give another")
    return content


def load_arrays(path: Path) -> dict[str, ndarray]:
    """The arrays of an npz, no pickle among them; FormatError when it cannot be read."""
    try:
        return read_arrays(path)
    except Exception as error:  # numpy answers damage with almost any of them
        raise FormatError(f"{path}: not a readable npz ({error or type(error).__name__})") from None


def load_array_or_arrays(path: Path, name: str, what: str) -> dict[str, ndarray]:
    """The arrays of an npz, or that of an npy under `name`; FormatError that expected `what` when it is neither."""
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
    except Exception:  # numpy answers damage with almost any of them
        raise FormatError(f"{path}: expected {what} as an npz or npy of numbers, cannot read it") from None


def read_arrays(path: Path, without: Collection[str] = ()) -> dict[str, ndarray]:
    """As `load_arrays`, with whatever exception numpy has for what it cannot read; not those `without`."""
    import numpy as np  # here, since commands that read no array need not wait for it

    with open(path, "rb") as file:
        check_sizes(file, without)
        with np.load(file, allow_pickle=False) as data:
            entries = {name: data[name] for name in data.files if name not in without}
    return {name: check_texts(entry) for name, entry in entries.items() if isinstance(entry, np.ndarray)}


def check_texts(array: ndarray) -> ndarray:
    """The array; ValueError for records, and for texts with numbers that are no letters, over which Python stumbles."""
    if array.dtype.kind == "V":
        raise ValueError("an array holds records")
    if array.dtype.kind == "U" and array.size and array.dtype.itemsize:
        letters = array.astype(array.dtype.newbyteorder("=")).reshape(-1).view("u4")
        if letters.max() > sys.maxunicode:
            raise ValueError("an array holds texts that are damaged")
    return array


def check_sizes(file: IO[bytes], without: Collection[str] = ()) -> None:
    """ValueError when an npy or npz asks for more memory than its content explains; the file is left at its start.

    To be called before numpy reads, which would make room for whatever a header says. Arrays `without` do not count.
    """
    size = os.fstat(file.fileno()).st_size
    file.seek(0)
    if file.read(2) == b"PK":
        _check_archive(file, size, without)
    else:
        file.seek(0)
        _check_header(file, size)
    file.seek(0)


def check_stored(path: Path) -> None:
    """ValueError when a zip, as torch writes them, is compressed: unpacked it could have any size."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            packed = [entry.filename for entry in archive.infolist() if entry.compress_type != zipfile.ZIP_STORED]
        if packed:
            raise ValueError(f"{packed[0][:80]!a} is compressed, as torch never does it")


def most_bytes(size: int) -> int:
    """The memory that the arrays of a file of this size may have."""
    return max(_FREE_BYTES, _MOST_RATIO * size)


def _check_archive(file: IO[bytes], size: int, without: Collection[str]) -> None:
    with zipfile.ZipFile(file) as archive:
        entries = [entry for entry in archive.infolist() if entry.filename.removesuffix(".npy") not in without]
        held, most = sum(entry.file_size for entry in entries), most_bytes(size)
        if held > most or len(entries) > _MOST_ARRAYS:
            raise ValueError(
                f"unpacked it would be {held / 2**20:.0f} MiB in {len(entries)} arrays, "
                f"expected at most {most >> 20} MiB in {_MOST_ARRAYS} for a file of its size"
            )
        for entry in entries:
            if entry.filename.endswith(".npy"):
                with archive.open(entry) as array:
                    _check_header(array, entry.file_size)


def npy_header(file: Any) -> tuple[tuple[int, ...], bool, Any]:
    """Shape, whether columns come first, and dtype that an npy names; the file is left at its values."""
    from numpy.lib import format as npy

    version = npy.read_magic(file)
    return npy.read_array_header_1_0(file) if version == (1, 0) else npy.read_array_header_2_0(file)


def _check_header(file: Any, size: int) -> None:
    """Compare the shape that an npy names with its bytes; an axis of 0 hides none of the others."""
    shape, _, dtype = npy_header(file)
    needed = math.prod(max(1, n) for n in shape) * dtype.itemsize
    if needed > max(size, _FREE_BYTES if 0 in shape else 0) and not dtype.hasobject:
        raise ValueError(f"an array says that it is {dtype} of shape {shape}, and has {size} bytes")


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, as hex."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
