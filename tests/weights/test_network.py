"""Networks on disk: round trips, and errors when weights and config do not match."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
import torch
from torch import nn

from zedo_core.errors import WeightsError
from zedo_core.weights.network import load_network, read_config, read_tensors, save_network

FORMAT = "test-net-1"


def network(width: int = 8, blocks: int = 2) -> nn.Module:
    """Linear layers and norms with buffers, one of which is an integer."""
    layers = [nn.Sequential(nn.Linear(width, width), nn.BatchNorm1d(width)) for _ in range(blocks)]
    return nn.Sequential(*layers)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """The safetensors file of a network, in full precision."""
    torch.manual_seed(0)
    net = network()
    net(torch.randn(20, 8))  # fills the buffers
    save_network(tmp_path, "net", net, {"format": FORMAT, "width": 8}, half=False)
    return tmp_path / "net.safetensors"


def test_a_round_trip_is_exact(saved: Path) -> None:
    tensors = read_tensors(saved)
    net = load_network(saved, network, tensors)
    assert read_config(saved.with_suffix(".json"), FORMAT) == {"format": FORMAT, "width": 8}
    assert not net.training and not any(value.requires_grad for value in net.parameters())
    for name, value in net.state_dict().items():
        torch.testing.assert_close(value, tensors[name], rtol=0, atol=0)
    assert net.state_dict()["0.1.num_batches_tracked"] == 1


def test_half_precision_is_read_as_single(saved: Path, tmp_path: Path) -> None:
    net = load_network(saved, network, read_tensors(saved))
    save_network(tmp_path / "half", "net", net, {"format": FORMAT})
    assert (tmp_path / "half" / "net.safetensors").stat().st_size < saved.stat().st_size
    again = load_network(saved, network, read_tensors(tmp_path / "half" / "net.safetensors"))
    for name, value in again.state_dict().items():
        assert value.dtype == net.state_dict()[name].dtype
        torch.testing.assert_close(value, net.state_dict()[name], rtol=2**-11, atol=1e-7)  # half an ulp of fp16


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, r"no such file; it belongs next to net\.safetensors"),
        ("{", "cannot read the weights' config"),
        ("[" * 100_000, "cannot read the weights' config"),
        ("[]", f"expected format '{FORMAT}'"),
        (json.dumps({"format": "test-net-0"}), f"expected format '{FORMAT}'"),
        (json.dumps({"format": FORMAT, "more": "x" * 2**20}), "at most 1 MiB"),
    ],
)
def test_invalid_configs_are_refused(saved: Path, text: str | None, expected: str) -> None:
    path = saved.with_suffix(".json")
    path.unlink()
    if text is not None:
        path.write_text(text)
    with pytest.raises(WeightsError, match=expected):
        read_config(path, FORMAT)


@pytest.mark.parametrize("content", [b"", b"nothing", b"\xff" * 100])
def test_damaged_weights_are_refused(saved: Path, content: bytes) -> None:
    saved.write_bytes(content)
    with pytest.raises(WeightsError, match="the weights are damaged"):
        read_tensors(saved)


@pytest.mark.parametrize("sizes", [{"blocks": 1}, {"width": 4}, {"width": 4, "blocks": 3}])
def test_weights_of_other_sizes_are_refused(saved: Path, sizes: dict[str, int]) -> None:
    with pytest.raises(WeightsError, match="the weights do not match their config"):
        load_network(saved, lambda: network(**sizes), read_tensors(saved))


@pytest.mark.parametrize("sizes", [{"blocks": 3}, {"width": 10**9}, {"width": 10**5}, {"blocks": 10**9}])
def test_a_network_larger_than_its_weights_is_refused(saved: Path, sizes: dict[str, int]) -> None:
    def build() -> nn.Module:
        net = nn.Sequential()
        for i in range(sizes.get("blocks", 2)):
            net.add_module(str(i), network(sizes.get("width", 8), 1))
        return net

    with pytest.raises(WeightsError, match=r"net\.json: expected a network that fits the weights"):
        load_network(saved, build, read_tensors(saved))


def test_networks_built_in_other_threads_do_not_count(saved: Path) -> None:
    def build() -> nn.Module:
        other = threading.Thread(target=network, args=(100,))
        other.start()
        other.join()
        return network()

    load_network(saved, build, read_tensors(saved))


def test_a_value_error_of_the_network_is_reported(saved: Path) -> None:
    def build() -> nn.Module:
        raise ValueError("expected an even width, got 3\nand more")

    with pytest.raises(WeightsError, match=r"net\.json: .*\(expected an even width, got 3\)$"):
        load_network(saved, build, read_tensors(saved))


def test_weights_that_are_not_finite_are_refused(saved: Path) -> None:
    tensors = read_tensors(saved)
    tensors["0.0.bias"][3] = torch.nan
    with pytest.raises(WeightsError, match="not finite"):
        load_network(saved, network, tensors)
