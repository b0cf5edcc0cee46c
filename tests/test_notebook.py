"""The notebook in `examples` runs from beginning to end, and its outputs are what it says they are."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from PIL import Image

import zedo_core as zedo

FILE = Path(__file__).parents[1] / "examples" / "zedo.ipynb"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("notebook")


@pytest.fixture(scope="module")
def outputs(folder: Path) -> list[Any]:
    """All outputs, in order, of a kernel that runs in an empty folder."""
    notebook = nbformat.read(FILE, 4)
    client = NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": folder}})
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.delenv("MPLBACKEND", raising=False)  # of the other tests; a notebook has its own
        client.execute()
    return [output for cell in notebook.cells for output in cell.get("outputs", ())]


def test_the_file_has_no_outputs() -> None:
    """They would be large, and older than the code."""
    cells = [cell for cell in nbformat.read(FILE, 4).cells if cell.cell_type == "code"]
    assert len(cells) > 5 and all(not cell.outputs and cell.execution_count is None for cell in cells)


def test_nothing_is_warned_of(outputs: list[Any]) -> None:
    assert not [output.text for output in outputs if output.output_type == "stream" and output.name != "stdout"]


def test_keypoints_and_poses_show_themselves(outputs: list[Any]) -> None:
    """In two lines of text, and as a drawing."""
    shown = [output.data for output in outputs if output.get("data", {}).get("text/html", "").startswith("<pre>")]
    heads = [data["text/plain"].partition(":")[0] for data in shown]
    assert heads == ["Keypoints", "Poses"]
    for data, panels in zip(shown, (1, 2), strict=True):
        assert data["text/html"].count("<svg") == panels and len(data["text/plain"].splitlines()) == 2


def test_the_plots_are_drawn(outputs: list[Any]) -> None:
    pictures = [output.data["image/png"] for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == 3
    for picture in pictures:
        pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGB"))
        assert min(pixels.shape[:2]) > 250 and len(np.unique(pixels.reshape(-1, 3), axis=0)) > 20


def test_the_evaluation_tells_its_verdict(outputs: list[Any]) -> None:
    """Measured: 54.4 mm on these 60 poses."""
    (text,) = [output.text for output in outputs if output.output_type == "stream"]
    assert text.startswith("Measured: 60 poses in 24 sequences of mocap") and len(text.splitlines()) == 5
    (error,) = re.findall(r"MPJPE ([\d.]+) mm \(95", text)
    assert 45 < float(error) < 65


def test_the_result_is_saved(outputs: list[Any], folder: Path) -> None:
    poses = zedo.load(folder / "clip.npz")
    assert len(poses) == 100 and poses.hypotheses == 10
    assert (folder / "clip.bvh").read_text().startswith("HIERARCHY")
