"""Pickles of arrays and plain containers are read; any other content is refused, and nothing is executed."""

from __future__ import annotations

import collections
import pickle
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zedo_core.errors import FormatError
from zedo_core.storage.pickles import load_object_npz, load_pickle

CONTENT: dict[str, Any] = {
    "float64": np.arange(6.0).reshape(2, 3),
    "columns": np.asfortranarray(np.arange(6).reshape(2, 3)),
    "big_endian": np.arange(3, dtype=">i4"),
    "texts": np.array(["a", "bcd"]),
    "bytes": np.array([b"a", b"bc"]),
    "empty": np.zeros((0, 17, 3), np.float32),
    "objects": np.array([np.ones(2), {"a": np.zeros(1)}], dtype=object),
    "scalar": np.float32(0.5),
    "containers": [(1, 2.5, None, True), {"b": b"\xff", "s": {1, 2}}, frozenset("a"), "text"],
    "ordered": collections.OrderedDict(x=np.ones(1)),
}


def write_pickle(folder: Path, content: bytes) -> Path:
    (folder / "p.pkl").write_bytes(content)
    return folder / "p.pkl"


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_round_trip(tmp_path: Path, protocol: int) -> None:
    written = pickle.dumps(CONTENT, protocol)
    found, by_numpy = load_pickle(write_pickle(tmp_path, written)), pickle.loads(written)
    assert list(found) == list(CONTENT)
    for name in ("float64", "columns", "big_endian", "texts", "bytes", "empty"):
        assert type(found[name]) is np.ndarray and found[name].dtype == by_numpy[name].dtype
        np.testing.assert_array_equal(found[name], CONTENT[name])
    assert type(found["objects"][0]) is np.ndarray and found["objects"][1]["a"].tolist() == [0.0]
    assert found["scalar"] == 0.5 and found["scalar"].dtype == np.float32
    assert found["containers"] == CONTENT["containers"]
    assert found["ordered"]["x"].tolist() == [1.0]


class Calls:
    """An object whose pickle calls a function when it is loaded."""

    def __init__(self, function: Any, *args: Any) -> None:
        self.call = function, args

    def __reduce__(self) -> Any:
        return self.call


FORBIDDEN = {
    "eval": Calls(eval, "open('executed', 'w')"),
    "subprocess": Calls(subprocess.call, ["touch", "executed"]),
    "getattr": Calls(getattr, {}, "keys"),
    "numpy.save": Calls(np.save, "executed", 1),
    "numpy.dtype, records": np.zeros(1, [("a", "f8")]),
    "pathlib": Path("a"),
    "complex object": collections.Counter("a"),
}


@pytest.mark.parametrize("what", FORBIDDEN)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_anything_else_is_refused_and_not_executed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, protocol: int
) -> None:
    monkeypatch.chdir(tmp_path)
    path = write_pickle(tmp_path, pickle.dumps({"a": [FORBIDDEN[what]]}, protocol))
    with pytest.raises(FormatError, match="refused") as caught:
        load_pickle(path)
    assert "\n" not in str(caught.value)
    assert {file.name for file in tmp_path.iterdir()} == {"p.pkl"}
    np.savez(tmp_path / "a.npz", a=np.array({"a": FORBIDDEN[what]}, dtype=object))
    with pytest.raises(FormatError, match="refused"):
        load_object_npz(tmp_path / "a.npz")
    assert {file.name for file in tmp_path.iterdir()} == {"p.pkl", "a.npz"}


@pytest.mark.parametrize("name", ["ndarray.tofile", "dtype.__class__", "os", "load"])
def test_other_parts_of_numpy_are_refused(tmp_path: Path, name: str) -> None:
    content = pickle.PROTO + b"\x04" + b"".join(
        pickle.SHORT_BINUNICODE + bytes([len(text)]) + text.encode() for text in ("numpy", name)
    ) + pickle.STACK_GLOBAL + pickle.STOP  # fmt: skip
    with pytest.raises(FormatError, match=f"refers to numpy.{name}"):
        load_pickle(write_pickle(tmp_path, content))


def test_flags_that_would_make_numpy_use_numbers_as_addresses_are_ignored(tmp_path: Path) -> None:
    plain = b"J\xff\xff\xff\xff" * 2 + b"K%ct"
    content = pickle.dumps(np.ones(3), 2).replace(plain % 0, plain % 255)
    assert plain % 255 in content
    np.testing.assert_array_equal(load_pickle(write_pickle(tmp_path, content)), np.ones(3))


def test_a_pickle_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_pickle(tmp_path, pickle.dumps(np.zeros(1000)))
    monkeypatch.setattr("zedo_core.storage.pickles._MAX_BYTES", 1000)
    with pytest.raises(FormatError, match="refused"):
        load_pickle(path)


def test_missing_and_invalid_pickles_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no such file"):
        load_pickle(tmp_path / "p.pkl")
    with pytest.raises(FormatError, match="refused"):
        load_pickle(write_pickle(tmp_path, b"\x80\x04nothing"))
