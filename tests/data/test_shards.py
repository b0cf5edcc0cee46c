"""Motion capture as Parquet, and streams of files and row groups."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from train_cases import synthetic_motions

from zedo_core.data import mocap
from zedo_core.data.mixture import Mixture, hold_out
from zedo_core.data.mocap import Motions
from zedo_core.data.shards import Stream
from zedo_core.data.training import load_mixture, stream_mixture
from zedo_core.errors import FormatError, InputError


def write_parquet(path: Path, motions: Motions, group: int = 1000, **columns: object) -> Path:
    """A row a frame."""
    table = {
        "positions": motions.positions.reshape(len(motions), -1).tolist(),
        "sequence": [motions.names[i] for i in motions.sequence],
        "fps": [motions.fps[i] for i in motions.sequence],
        **columns,
    }
    pq.write_table(pa.table(table), path, row_group_size=group)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """60 frames in a Parquet file of three row groups, 40 in an npz, 20 in an npy."""
    motions = synthetic_motions(120)
    write_parquet(tmp_path / "a.parquet", motions.take(np.arange(60)), group=20)
    np.savez(tmp_path / "b.npz", positions=motions.positions[:40] + 10, offsets=[0, 20, 40])
    np.save(tmp_path / "c.npy", motions.positions[:20] + 20)
    return tmp_path


def keys(mixture: Mixture) -> list[float]:
    """What tells frames apart."""
    return [float(value) for value in mixture.positions[:, 0, 0]]


class TestParquet:
    def test_it_is_the_same_as_the_arrays(self, tmp_path: Path) -> None:
        motions = replace(synthetic_motions(), fps=(30.0, 60.0, 25.0))
        found = mocap.load(write_parquet(tmp_path / "a.parquet", motions))
        np.testing.assert_array_equal(found.positions, motions.positions)
        np.testing.assert_array_equal(found.sequence, motions.sequence)
        assert (found.names, found.fps) == (motions.names, motions.fps)

    def test_joints_as_lists_of_three(self, tmp_path: Path) -> None:
        motions = synthetic_motions()
        path = write_parquet(tmp_path / "a.parquet", motions, positions=motions.positions.tolist())
        np.testing.assert_array_equal(mocap.load(path).positions, motions.positions)

    def test_a_split_and_a_group(self, tmp_path: Path) -> None:
        path = write_parquet(tmp_path / "a.parquet", synthetic_motions(), 20, split=["train"] * 40 + ["test"] * 20)
        assert mocap.load(path, "train").names == ("a", "b") and mocap.load(path, group=1).names == ("b",)

    def test_in_a_mixture(self, folder: Path) -> None:
        mixture, sources = load_mixture([(folder, 1.0)])
        assert (len(mixture), sources[0].kind, sources[0].sequences) == (120, "mocap", 6)

    @pytest.mark.parametrize(
        ("columns", "message"),
        [
            ({"joints": [[0.0] * 51]}, "expected a column 'positions'"),
            ({"positions": [[0.0] * 48, [0.0] * 54]}, "expected 'positions' as a list of as many numbers in each row"),
            ({"positions": ["a", "b"]}, "expected 'positions' as a list of as many numbers in each row"),
            ({"positions": [[0.0] * 21]}, r"expected 'positions' of shape \(n, 17, 3\)"),
            ({"positions": [[float("nan")] * 51]}, "values that are not finite"),
            ({"positions": [[0.0] * 51], "fps": [0.0]}, "expected 'fps' as numbers above 0"),
            ({"positions": [[0.0] * 51], "fps": ["fast"]}, "expected 'fps' as numbers above 0"),
        ],
    )
    def test_what_it_cannot_use(self, tmp_path: Path, columns: dict[str, list[object]], message: str) -> None:
        pq.write_table(pa.table(columns), tmp_path / "a.parquet")
        with pytest.raises(FormatError, match=message):
            mocap.load(tmp_path / "a.parquet")

    def test_a_damaged_file(self, tmp_path: Path) -> None:
        path = write_parquet(tmp_path / "a.parquet", synthetic_motions())
        path.write_bytes(path.read_bytes()[:-100])
        with pytest.raises(FormatError, match="expected a Parquet file of motion capture, cannot read it"):
            mocap.load(path)


class TestStream:
    def test_blocks_hold_every_frame_once_in_an_epoch(self, folder: Path) -> None:
        stream = Stream.from_data([(folder, 1.0)], frames=50)
        blocks = [stream.block(number) for number in range(stream.blocks)]
        every = sorted(key for block in blocks for part in block for key in keys(part))
        assert every == sorted(keys(load_mixture([(folder, 1.0)])[0]))
        assert max(len(training) + len(held) for training, held in blocks) <= 50 and stream.blocks > 2

    def test_held_out_frames_are_in_no_block(self, folder: Path) -> None:
        first, _ = stream_mixture([(folder, 1.0)], Stream.from_data([(folder, 1.0)], 50).skeleton, 50, 3)
        training, held = hold_out(first, 0.5, 1)
        assert training.stream is not None and len(held)
        trained = {key for number in range(20) for key in keys(training.stream.block(number)[0])}
        assert not trained & set(keys(held)) and len(trained) > len(training)

    def test_data_sets_by_their_weights(self, folder: Path) -> None:
        """The small one is in every block, and drawn as often as the other."""
        data = [(folder / "a.parquet", 1.0), (folder / "c.npy", 3.0)]
        stream = Stream.from_data(data, frames=90)
        for number in range(stream.blocks):
            training, _ = stream.block(number)
            assert set(training.part) == {0, 1} and training.weights == (1.0, 3.0)
        assert stream.blocks == 3

    def test_its_identity_is_of_names_sizes_and_weights(self, folder: Path) -> None:
        first, other = (Stream.from_data([(folder, 1.0)], 50).sha256 for _ in range(2))
        assert first == other
        np.save(folder / "c.npy", synthetic_motions().positions)
        assert Stream.from_data([(folder, 1.0)], 60).sha256 != first

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("a.parquet", "expected at most 10 frames in a file or row group, as --stream allows, found 20"),
            ("c.npy", "expected at most 10 frames in a file or row group, as --stream allows, found 20"),
            ("none", "expected motion capture as npz, npy or Parquet files to stream, found none"),
            ("text.npz", "expected motion capture to stream as npz, npy or Parquet, cannot read it"),
        ],
    )
    def test_what_it_cannot_use(self, folder: Path, name: str, message: str) -> None:
        (folder / "none").mkdir()
        (folder / "text.npz").write_text("no archive")
        with pytest.raises((FormatError, InputError), match=message):
            Stream.from_data([(folder / name, 1.0)], frames=10)
