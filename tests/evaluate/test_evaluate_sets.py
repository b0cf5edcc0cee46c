"""`evaluate` on a generated copy of every data set, from files to tables, with the paper's protocol."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from datasets_h36m import dump, entries, make_studio
from datasets_other import mpi_arrays, mpi_items, people, pw3d_npz, ski_arrays, write_hdf5, write_matlab, write_pickle

from zedo_core.evaluate import EvalRequest, evaluate, tables, write_report

K = (1500.0, 1500.0, 1017.0, 1043.0)
COUNT = 70


def h36m(folder: Path) -> None:
    dump(folder / "h36m_test.pkl", entries(make_studio("test", frames=20)))


def pw3d(folder: Path) -> None:
    crowd = people(COUNT, K, None)
    paths = [f"imageFiles/downtown/image_{i:05d}.jpg" for i in range(COUNT)]
    np.savez(folder / "pw3d_test.npz", **pw3d_npz(crowd, paths))


def mpi(folder: Path) -> None:
    crowd = people(COUNT, K, None)
    ids = [f"TS1/imageSequence/img_{i:06d}.jpg" for i in range(COUNT)]
    write_pickle(folder / "mpii3d_test.pkl", mpi_items(crowd, ids, [1 + i % 7 for i in range(COUNT)], [1] * COUNT))


def mpi_matlab(folder: Path) -> None:
    for number in range(1, 7):
        (folder / f"TS{number}").mkdir()
        crowd = people(COUNT, K, None, seed=number)
        write_matlab(folder / f"TS{number}" / "annot_data.mat", mpi_arrays(crowd, [number] * COUNT, [1] * COUNT))


def ski(folder: Path) -> None:
    crowd = people(COUNT, (1000.0, 1000.0, 128.0, 128.0), None)
    zeros = np.zeros(COUNT, int)
    write_hdf5(folder / "ski_test.h5", ski_arrays(crowd, zeros, zeros, np.arange(COUNT)))


@pytest.mark.parametrize(
    ("dataset", "write", "stride"),
    [("h36m", h36m, 640), ("3dpw", pw3d, 35), ("3dhp", mpi, 3), ("3dhp", mpi_matlab, 3), ("ski", ski, 1)],
)
def test_from_files_to_a_table(dataset: str, write: Callable[[Path], None], stride: int, tmp_path: Path) -> None:
    write(tmp_path)
    common = {"dataset": dataset, "data": tmp_path, "hypotheses": (1,), "iterations": 1, "preset": "reference"}
    full, paper = (
        evaluate(EvalRequest(protocol=protocol, **common), tmp_path / protocol) for protocol in ("full", "paper")
    )
    assert full is not None and paper is not None
    assert len(paper.samples) == -(-len(full.samples) // stride) > 0
    write_report(paper, tmp_path / "paper")
    text = (tmp_path / "paper" / "results.md").read_text()
    assert dataset in text and np.isfinite((paper.rows[0].numbers or {})["mpjpe"]["chosen"])
    if dataset in ("h36m", "3dpw", "3dhp"):
        assert any(row[-1] not in ("-", "paper") for row in tables(paper)[0].rows)  # published numbers are included
